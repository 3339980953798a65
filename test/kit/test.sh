#!/bin/bash
# test.sh - make test: prepares the machine, builds, installs, and runs every
# test against a throw-away cluster. Ends with "N passed, N failed" and fails
# when a test failed. SUITES="regress isolation tap" chooses.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh

SUITES=${SUITES:-regress isolation tap}
PG_CONFIG=$(test/kit/prepare.sh "$([[ $SUITES == *tap* ]] && echo peers)")
export PG_CONFIG
build_and_install

tmp=$(mktemp -d "${TMPDIR:-/tmp}/platform-test.XXXXXX")
cluster=$tmp/cluster
tree=$tmp/tree
finish() {
	cluster_stop "$cluster"
	rm -rf "$tmp"
}
trap finish EXIT

# Tests run in a copy: the server's user may not be allowed to read this folder.
chmod 755 "$tmp"
mkdir "$cluster" "$tree"
cp -R Makefile README.md platform.control doc expected sql src test "$tree"
if [ "$(id -u)" = 0 ]; then chown -R postgres "$tree"; fi
cluster_start "$cluster" fsync=off max_connections=120 max_prepared_transactions=10 wal_level=logical

rm -rf results
passed=0
failed=0

# suite NAME MAKE_VARIABLES...: runs one suite, leaves its output in $tmp/NAME.log.
suite() {
	local name=$1
	shift
	(cd "$tree" && as_server env PATH="$("$PG_CONFIG" --bindir):$PATH" \
		PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER="$PGUSER" HOME="$tree" LANG=C.UTF-8 \
		make -s installcheck PG_CONFIG="$PG_CONFIG" "$@") >"$tmp/$name.log" 2>&1 </dev/null || true
}

# Counts what pg_regress says of each test, in the words of PostgreSQL 15 and of
# 16 and later. What it does not mention (the server died) has failed.
count_regress() {
	local name=$1 test result before=$failed
	shift
	for test in "$@"; do
		if grep -qE "^(test $test +\.\.\. ok|ok [0-9]+ +[-+] $test )" "$tmp/$name.log"; then
			result=ok
			passed=$((passed + 1))
		else
			result=FAILED
			failed=$((failed + 1))
		fi
		printf '%-10s %-50s %s\n' "$name" "$test" "$result"
	done
	if [ "$failed" -gt "$before" ]; then
		if [ -s "$tree/regression.diffs" ]; then cat "$tree/regression.diffs"; else cat "$tmp/$name.log"; fi
		mkdir -p results
		cp "$tree"/results/*.out results/ 2>/dev/null || true
	fi
}

# Base names of the files FOLDER/*.SUFFIX.
names() { (shopt -s nullglob; for file in "$1"/*."$2"; do basename "$file" ".$2"; done); }
regress=$(names test/sql sql)
isolation=$(names test/specs spec)
tap=$(names test/t pl)
# Where an expected output is missing, pg_regress gives up on all that follow.
for test in $regress $isolation; do
	if [ ! -e "expected/$test.out" ]; then : >"$tree/expected/$test.out"; fi
done

if [[ $SUITES == *regress* && -n $regress ]]; then
	say "regression tests"
	suite regress ISOLATION= TAP_TESTS=
	count_regress regress $regress
fi
if [[ $SUITES == *isolation* && -n $isolation ]]; then
	say "isolation tests"
	suite isolation REGRESS= TAP_TESTS=
	count_regress isolation $isolation
fi
if [[ $SUITES == *tap* && -n $tap ]]; then
	say "TAP tests"
	suite tap REGRESS= ISOLATION=
	broken=
	for test in $tap; do
		if grep -qE "^test/t/$test\.pl \.+ ok" "$tmp/tap.log"; then
			result=ok
			passed=$((passed + 1))
		elif grep -qE "^test/t/$test\.pl \.+ skipped" "$tmp/tap.log"; then
			result=skipped
		else
			result=FAILED
			failed=$((failed + 1))
			broken="$broken $test"
		fi
		printf '%-10s %-50s %s\n' tap "$test" "$result"
	done
	if [ -n "$broken" ]; then
		sed -n '/^#/p; /^Test Summary/,$p' "$tmp/tap.log"
		for test in $broken; do
			log=$tree/tmp_check/log/regress_log_$test
			if [ -e "$log" ]; then echo "--- $log"; tail -n 40 "$log"; fi
		done
	fi
fi

if grep -E 'was terminated by signal|PANIC:' "$cluster/data/server.log"; then
	echo "the server crashed; see the lines above"
	failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
