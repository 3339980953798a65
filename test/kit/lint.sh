#!/bin/bash
# lint.sh - make lint: no warning from gcc nor clang, no symbol that could clash,
# and the house rules that a script can check.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh

PG_CONFIG=$(test/kit/prepare.sh)
export PG_CONFIG
tmp=$(mktemp -d "${TMPDIR:-/tmp}/platform-lint.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
passed=0
failed=0

# check NAME FILE: passes when FILE is empty.
check() {
	if [ -s "$2" ]; then
		printf 'FAILED     %s\n' "$1"
		head -40 "$2" | sed 's/^/           /'
		failed=$((failed + 1))
	else
		printf 'ok         %s\n' "$1"
		passed=$((passed + 1))
	fi
}

# rule NAME PATTERN FILE...: passes when no line matches.
rule() {
	local name=$1 pattern=$2
	shift 2
	grep -nHE "$pattern" "$@" >"$tmp/found" 2>/dev/null || true
	check "$name" "$tmp/found"
}

# compile COMPILER: builds a copy with every warning an error.
compile() {
	local tree=$tmp/$1 extra=
	if [[ $1 == *clang* ]]; then extra="-Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes -Qunused-arguments"; fi
	mkdir "$tree"
	cp -R Makefile platform.control sql src "$tree"
	find "$tree" -name '*.o' -delete -o -name '*.bc' -delete
	rm -f "$tree/.build_for"
	make -s -C "$tree" -j"$(nproc)" PG_CONFIG="$PG_CONFIG" CC="$1" COPT="-Werror $extra" with_llvm=no all \
		>"$tmp/$1.log" 2>&1 </dev/null && : >"$tmp/$1.log"
	check "compiles without warnings: $1" "$tmp/$1.log"
}

compile gcc
clang=$(ls /usr/bin/clang /usr/bin/clang-[0-9]* 2>/dev/null | head -1 || true)
if [ -n "$clang" ]; then compile "${clang##*/}"; else echo "skipped    compiles without warnings: clang (not installed)"; fi

# Symbols. What we export could collide with the server's or another module's;
# what we import from a library could be caught by a function of that name in the
# server: jansson's json_object() is.
library=$tmp/gcc/platform.so
if [ -e "$library" ]; then
	nm -D --defined-only "$library" | awk '{print $3}' |
		grep -vE '^(platform_|pg_finfo_platform_|Pg_magic_func$|_PG_init$|_init$|_fini$|_edata$|_end$|__bss_start$)' >"$tmp/found" || true
	check "every exported symbol starts platform_" "$tmp/found"

	nm -D --defined-only "$("$PG_CONFIG" --bindir)/postgres" | awk '{print $3}' | sed 's/@.*//' | sort -u >"$tmp/server"
	nm -D --undefined-only "$library" | awk '{print $2}' | sed 's/@.*//' | sort -u >"$tmp/imported"
	# shellcheck disable=SC2046
	for needed in $(ldd "$library" | awk '/=> \//{print $3}' | grep -E '/lib(crypto|ssl|jansson)\.so'); do
		nm -D --defined-only "$needed"
	done | awk '{print $3}' | sed 's/@.*//' | sort -u >"$tmp/libraries"
	comm -12 "$tmp/libraries" "$tmp/server" | comm -12 - "$tmp/imported" >"$tmp/found"
	check "no imported library symbol is also the server's" "$tmp/found"
fi

c=$(find src -name '*.[ch]')
sql=$(find src sql -name '*.sql' ! -name 'platform--*')
# shellcheck disable=SC2086
{
	rule "no PL/pgSQL in the product" 'plpgsql|^[[:space:]]*DO[[:space:]]+\$' $sql
	rule "no SECURITY DEFINER" 'SECURITY DEFINER' $sql
	rule "nothing left to do" '(^|[^X])(TODO|FIXME|XXX|HACK)([^X]|$)' $c $sql test/sql/*.sql test/bench/*.sh doc/*.md README.md
	rule "comments are /* */" '(^|[;{}[:space:]])//' $c
	rule "server versions are told apart in src/core only" '^[[:space:]]*#.*PG_VERSION_NUM' $(find src -name '*.[ch]' ! -path 'src/core/*')
	rule "pg_noreturn, before the declaration (core/platform.h)" 'pg_attribute_noreturn' $c
	rule "jansson is used in src/core/json.c only" 'jansson\.h' $(find src -name '*.[ch]' ! -path 'src/core/json.c')
	rule "no trailing white space" '[[:space:]]+$' $c $sql test/sql/*.sql test/kit/*.sh test/bench/*.sh
	rule "errors name a SQLSTATE" 'ereport\((ERROR|WARNING), *\(?errmsg' $c
}

for file in $c; do
	module=$(echo "$file" | cut -d/ -f2)
	grep -nHE '^#include "[a-z_]+/[a-z_0-9]+\.h"' "$file" |
		grep -E "\"($(ls -d src/*/ | cut -d/ -f2 | paste -sd'|'))/" |
		grep -vE "\"(core|$module)/" || true
done | grep -v '^src/platform\.c:' >"$tmp/found" || true
check "a module includes core's and its own headers only" "$tmp/found"

wc -l $c | awk '$2 != "total" && $1 > 900 {print $2 ": " $1 " lines"}' >"$tmp/found"
check "no file beyond 900 lines" "$tmp/found"
awk 'FNR == 1 { start = 0 } /^{/ { start = FNR } /^}/ { if (start && FNR - start > 120) print FILENAME ":" start ": " FNR - start " lines"; start = 0 }' $c >"$tmp/found"
check "no function beyond 120 lines" "$tmp/found"

# Each C function of SQL is found by its name, in the folder of its functions.sql.
for file in src/*/functions*.sql; do
	sed -n "s/.*AS 'MODULE_PATHNAME', '\([a-z0-9_]*\)'.*/\1/p" "$file" | sort -u | while read -r symbol; do
		grep -qE "^PG_FUNCTION_INFO_V1\($symbol\)" "${file%/*}"/*.c || echo "$file: no PG_FUNCTION_INFO_V1($symbol) in ${file%/*}"
	done
done >"$tmp/found"
check "functions.sql and the C code stand in one folder" "$tmp/found"

# The documentation names every function and setting; trigger functions that only
# our own tables have are no interface.
grep -hvE '^CREATE OR REPLACE FUNCTION platform\.(check|keep|record|refuse)_[a-z_]*\(\) RETURNS trigger' src/*/functions*.sql |
	sed -n 's/^CREATE OR REPLACE FUNCTION platform\.\([a-z0-9_]*\)(.*/\1/p' | sort -u |
	while read -r name; do grep -qw "$name" doc/*.md || echo "$name()"; done >"$tmp/found"
check "every function is in doc/" "$tmp/found"
grep -hoE '"platform\.[a-z_]+"' $(grep -lE 'DefineCustom[A-Za-z]*Variable' $c) | tr -d '"' | sort -u |
	while read -r name; do grep -q "\`$name\`" doc/settings.md || echo "$name"; done >"$tmp/found"
check "every setting is in doc/settings.md" "$tmp/found"
grep -oHE '\]\([^)#:]+' README.md CHANGELOG.md doc/*.md | sed 's/](//' |
	while IFS=: read -r file target; do [ -e "$(dirname "$file")/$target" ] || echo "$file: $target"; done >"$tmp/found"
check "no link leads nowhere" "$tmp/found"

bash test/kit/typedefs.sh | LC_ALL=C comm -3 - typedefs.list >"$tmp/found"
check "typedefs.list is the source's (make typedefs.list)" "$tmp/found"

echo "lint: $passed checks hold, $failed do not"
[ "$failed" = 0 ]
