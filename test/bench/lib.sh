# lib.sh - what every benchmark sources:  . "$(dirname "$0")/lib.sh"
#
# It gives the benchmark a fresh database (PGDATABASE) with the extension and a
# complete installation, on the server of PGHOST, or on a throw-away cluster
# when PGHOST is not set; fsync stays on. Variants run interleaved, round after
# round, so that whatever else the machine does hits all of them; medians are
# printed, with ratios to the first variant. Nothing here fails on time.
#
# q SQL...                      runs each SQL, prints bare values
# bench_title TEXT
# bench_sql ROUNDS ROWS [NAME SQL]...
#                               times statements in one session after a warm-up
#                               round: ms, ns per row, ns and ratio beside the first
# bench_tps ROUNDS SECONDS CLIENTS [NAME FILE]...
#                               pgbench -M prepared: tps and ratio beside the first;
#                               each round begins with another variant, so that what
#                               one leaves to the next hits all of them
# bench_c FILE.c                compiles a C file, prints the library's path for
#                               CREATE FUNCTION ... AS
#
# BENCH_PREAMBLE (SQL run first in the session of bench_sql), PGBENCH_OPTIONS
# (array, further options), bench_before (a function, called with the variant's
# name before each pgbench run) and BENCH_SCALE (rounds and seconds are divided
# by it; default 1) adjust a run. Temporary files go to $BENCH_TMP.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../kit/lib.sh"

PG_CONFIG=$(find_pg_config)
[ -n "$PG_CONFIG" ] || die "no pg_config found: set PG_CONFIG"
BENCH_BIN=$("$PG_CONFIG" --bindir)
BENCH_NAME=$(basename "$0" .sh)
BENCH_TMP=$(mktemp -d "${TMPDIR:-/tmp}/platform-bench.XXXXXX")
chmod 755 "$BENCH_TMP"
BENCH_CLUSTER=
BENCH_PREAMBLE=
PGBENCH_OPTIONS=()

q() {
	local sql
	for sql in "$@"; do
		"$BENCH_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -c "$sql"
	done
}

bench_end() {
	local status=$?
	if [ -n "$BENCH_CLUSTER" ]; then cluster_stop "$BENCH_CLUSTER"
	elif [ -n "${PGDATABASE:-}" ]; then PGDATABASE=postgres q "DROP DATABASE IF EXISTS $BENCH_NAME WITH (FORCE)" || true
	fi
	rm -rf "$BENCH_TMP" "$BENCH_CLUSTER"
	return $status
}
trap bench_end EXIT

bench_start() {
	if [ -z "${PGHOST:-}" ]; then
		BENCH_CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/platform-cluster.XXXXXX")
		cluster_start "$BENCH_CLUSTER" "${BENCH_SETTINGS[@]}"
	fi
	export PGOPTIONS='-c client_min_messages=warning'
	BENCH_NAME=bench_${BENCH_NAME//[^a-z0-9_]/_}
	PGDATABASE=postgres q "DROP DATABASE IF EXISTS $BENCH_NAME WITH (FORCE)" "CREATE DATABASE $BENCH_NAME"
	export PGDATABASE=$BENCH_NAME
	"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$(dirname "${BASH_SOURCE[0]}")/../kit/setup.sql"
	q "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync')
		|| ', synchronous_commit ' || current_setting('synchronous_commit')
		|| ', shared_buffers ' || current_setting('shared_buffers')"
	printf '%s cores, %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
}

bench_title() { printf '\n-- %s\n' "$*"; }

bench_scaled() { echo $(( ($1 + ${BENCH_SCALE:-1} - 1) / ${BENCH_SCALE:-1} )); }

# Lines "name<TAB>value" in, one line per variant out, in order of appearance.
# $1: "time" (value is ms, $2 rows) or "rate".
bench_medians() {
	awk -F'\t' -v kind="$1" -v rows="${2:-1}" '
		!($1 in n) { order[++variants] = $1 }
		{ value[$1, ++n[$1]] = $2 + 0 }
		function median(name,   i, j, t, v, count) {
			count = n[name]
			for (i = 1; i <= count; i++) v[i] = value[name, i]
			for (i = 2; i <= count; i++)
				for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
			return count % 2 ? v[(count + 1) / 2] : (v[count / 2] + v[count / 2 + 1]) / 2
		}
		END {
			if (kind == "time") printf "%-40s %12s %12s %12s %9s\n", "", "ms", "ns/row", "- first", "ratio"
			else printf "%-40s %12s %9s\n", "", "tps", "ratio"
			for (i = 1; i <= variants; i++) {
				m = median(order[i])
				if (i == 1) first = m
				if (kind == "time")
					printf "%-40s %12.3f %12.1f %12.1f %9.3f\n", order[i], m, m * 1e6 / rows, (m - first) * 1e6 / rows, m / first
				else
					printf "%-40s %12.0f %9.3f\n", order[i], m, m / first
			}
		}'
}

bench_sql() {
	local rounds rows=$2 i round names=() sqls=() script=$BENCH_TMP/session.sql
	rounds=$(bench_scaled "$1")
	shift 2
	while [ $# -gt 1 ]; do names+=("$1"); sqls+=("$2"); shift 2; done
	{
		echo '\o /dev/null'
		printf '%s\n' "SET jit = off;" "SET max_parallel_workers_per_gather = 0;" "$BENCH_PREAMBLE"
		for ((round = 0; round <= rounds; round++)); do
			[ "$round" != 1 ] || echo '\timing on'
			for i in "${!sqls[@]}"; do printf '%s;\n' "${sqls[$i]%;}"; done
		done
	} >"$script"
	"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$script" >"$BENCH_TMP/times"
	printf '%s\n' "${names[@]}" | awk -F'\t' '
		FILENAME == "-" { name[names++] = $0; next }
		/^Time: / { split($0, t, " "); print name[seen++ % names] "\t" t[2] }' - "$BENCH_TMP/times" |
		bench_medians time "$rows"
}

bench_tps() {
	local rounds seconds clients=$3 i n round names=() files=() tps
	rounds=$(bench_scaled "$1")
	seconds=$(bench_scaled "$2")
	shift 3
	while [ $# -gt 1 ]; do names+=("$1"); files+=("$2"); shift 2; done
	for ((round = 0; round < rounds; round++)); do
		for n in "${!files[@]}"; do
			i=$(((n + round) % ${#files[@]}))
			if declare -F bench_before >/dev/null; then bench_before "${names[$i]}"; fi
			tps=$("$BENCH_BIN/pgbench" -n -M prepared -c "$clients" -j "$((clients < 4 ? clients : 4))" -T "$seconds" \
				-f "${files[$i]}" ${PGBENCH_OPTIONS[@]+"${PGBENCH_OPTIONS[@]}"} 2>"$BENCH_TMP/pgbench.err" |
				sed -n 's/^tps = \([0-9.]*\).*/\1/p')
			[ -n "$tps" ] || { cat "$BENCH_TMP/pgbench.err" >&2; die "pgbench failed: ${names[$i]}"; }
			printf '%s\t%s\n' "${names[$i]}" "$tps"
		done
	done | bench_medians rate
}

bench_c() {
	local library
	library=$BENCH_TMP/$(basename "$1" .c).so
	${CC:-cc} -O2 -fPIC -shared -I"$("$PG_CONFIG" --includedir-server)" -o "$library" "$1"
	chmod 755 "$library"
	echo "$library"
}

bench_start
