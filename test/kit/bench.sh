#!/bin/bash
# bench.sh - make bench: builds, installs and runs every benchmark of test/bench,
# or those that BENCH names, on a throw-away cluster (PGHOST: on that server).
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh

PG_CONFIG=$(test/kit/prepare.sh)
export PG_CONFIG
build_and_install

if [ -z "${PGHOST:-}" ]; then
	dir=$(mktemp -d "${TMPDIR:-/tmp}/platform-bench-cluster.XXXXXX")
	trap 'cluster_stop "$dir"; rm -rf "$dir"' EXIT
	cluster_start "$dir" "${BENCH_SETTINGS[@]}"
fi
failed=
for script in test/bench/*.sh; do
	name=$(basename "$script" .sh)
	[ "$name" != lib ] || continue
	[[ -z ${BENCH:-} || " $BENCH " == *" $name "* ]] || continue
	# The first sentence of its head says what it measures.
	printf '\n==== %s\n' "$(awk '/^# / { text = text substr($0, 2); if (/\.$/) exit } /^#$/ { exit } END { print substr(text, 2) }' "$script")"
	bash "$script" || failed="$failed $name"
done
[ -z "$failed" ] || die "these benchmarks did not run to the end:$failed"
