#!/bin/bash
# tokens_meter.sh - how many live calls a second are billed: meter_active_sessions()
# over 1,000 to 1,000,000 calls in one statement, beside one heartbeat after the
# other, and beside the plain SQL that would write the same rows.
#
# Each call is due with one charge and each account has one call, unless the line
# says otherwise. Calls are made and vacuumed anew before each run. One session runs
# everything, as a scheduler's may: it has metered all accounts once before; and the
# pages of the accounts and of the ledger have been written since the last checkpoint,
# unless the line says otherwise. "memory" is what the backend holds of its own when
# the statement has run, WAL is per call; CPU is the backend's own, for machines that
# have something else to do as well.
. "$(dirname "$0")/lib.sh"

ROUNDS=$(bench_scaled 3)
LARGEST=$(bench_scaled 1000000)

q "INSERT INTO platform.user_accounts (user_id, tokens_remaining)
	SELECT 'user' || i, 1000000000000 FROM generate_series(1, $LARGEST) i" \
	"VACUUM ANALYZE platform.user_accounts"

# The session's commands, one after the other:
# prepare CALLS ACCOUNTS RESERVE_MINUTES: calls that began half a minute ago
prepare() {
	cat <<SQL
TRUNCATE platform.call_sessions;
INSERT INTO platform.call_sessions (room_id, mode, user_id, start_time, reserve_minutes)
	SELECT 'room', 'video', 'user' || (1 + i % $2), now() - interval '30 s', $3 FROM generate_series(1, $1) i;
VACUUM ANALYZE platform.call_sessions;
SQL
}

# measure NAME CALLS SQL
measure() {
	cat <<SQL
\\echo run|$1|$2
SELECT $cpu AS cpu, pg_current_wal_insert_lsn() AS lsn \gset
\o /dev/null
\timing on
$3;
\timing off
\o
SELECT 'after', substring(pg_read_file('/proc/self/status') from 'RssAnon:\s+(\d+)'), (pg_current_wal_insert_lsn() - :'lsn') / $2, $cpu - :cpu;
SQL
}

# The same rows by SQL: accounts, entries with running balance, calls.
set_based="WITH due AS (
	SELECT s.id, s.organization_id, s.user_id, 2::bigint AS tokens FROM platform.call_sessions s WHERE status = 'live'
), paid AS (
	UPDATE bench_accounts a SET tokens_remaining = tokens_remaining - d.tokens, version = version + d.n
	FROM (SELECT organization_id, user_id, sum(tokens) AS tokens, count(*) AS n FROM due GROUP BY 1, 2) d
	WHERE a.organization_id = d.organization_id AND a.user_id = d.user_id
	RETURNING a.organization_id, a.user_id, a.tokens_remaining, a.version
), entry AS (
	INSERT INTO bench_usage (id, organization_id, \"timestamp\", amount, tokens_used, balance_after, version, duration_seconds, used_turn, user_id, kind, mode, session_id)
	SELECT platform.uuid7(), p.organization_id, clock_timestamp(), - d.tokens, d.tokens, p.tokens_remaining, p.version, 30, false, p.user_id, 'burn', 'video', d.id::text
	FROM due d JOIN paid p USING (organization_id, user_id)
)
UPDATE platform.call_sessions s SET charged = s.charged + d.tokens, segment_charged = s.segment_charged + d.tokens, sequence = sequence + 1,
	metered_through = clock_timestamp(), next_charge_at = s.start_time + interval '61 s'
FROM due d WHERE s.id = d.id AND s.organization_id = d.organization_id"

cpu="(SELECT (t[14]::bigint + t[15]::bigint) * 10 FROM string_to_array(pg_read_file('/proc/self/stat'), ' ') AS t)"

# report < commands: medians of the runs, in the order of their names
report() {
	{ echo 'SET jit = off;'; cat; } | "$BENCH_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 | awk -F'|' -v OFS='\t' '
		/^run/ { name = $2; calls = $3 }
		/^Time: / { split($0, t, " "); ms = t[2] }
		/^after/ { print name, calls, ms, $2, $3, $4 }' |
		sort -s -t"$(printf '\t')" -k1,1n -k3,3n | awk -F'\t' '
		function flush() { if (n) { split(line[int((n + 1) / 2)], f, "\t"); sub(/^[0-9]+ /, "", f[1]);
			printf "%-42s %8d calls %9.1f ms %8.0f calls/s %8.1f us CPU %6.1f MB %6.0f B WAL\n",
				f[1], f[2], f[3], f[2] / f[3] * 1000, f[6] / f[2] * 1000, f[4] / 1024, f[5] } n = 0 }
		$1 != last { flush(); last = $1 }
		{ line[++n] = $0 }
		END { flush() }'
}

meter="SELECT * FROM platform.meter_active_sessions(NULL)"
bench_title "meter_active_sessions(NULL), one account a call, median of $ROUNDS"
{
	echo CHECKPOINT\;
	prepare "$LARGEST" "$LARGEST" 0
	printf '\\o /dev/null\n%s;\n\\o\n' "$meter"
	for ((round = 0; round < ROUNDS; round++)); do
		i=0
		for calls in 1000 10000 100000 1000000; do
			i=$((i + 1))
			if [ "$calls" -gt "$LARGEST" ] || { [ "$calls" = 1000000 ] && [ "$round" -gt 0 ]; }; then continue; fi
			prepare "$calls" "$calls" 0
			measure "$i meter" "$calls" "$meter"
		done
	done
} | report

calls=$((LARGEST < 100000 ? LARGEST : 100000))
q "CREATE TABLE bench_accounts (LIKE platform.user_accounts INCLUDING ALL)" \
	"INSERT INTO bench_accounts SELECT * FROM platform.user_accounts LIMIT $calls" "VACUUM ANALYZE bench_accounts" \
	"CREATE TABLE bench_usage (LIKE platform.token_usage INCLUDING ALL)"
bench_title "$calls calls: other forms, median of $ROUNDS"
for ((round = 0; round < ROUNDS; round++)); do
	prepare "$calls" "$calls" 0
	measure "1 meter, one account a call" "$calls" "$meter"
	measure "2 meter, nothing due" "$calls" "$meter"
	prepare "$calls" "$calls" 1
	measure "3 meter, with reservations" "$calls" "$meter"
	prepare "$calls" 100 0
	measure "4 meter, 100 accounts" "$calls" "$meter"
	prepare "$calls" 1 0
	measure "5 meter, one account" "$calls" "$meter"
	prepare "$calls" "$calls" 0
	measure "6 plain SQL, the same rows, no checks" "$calls" "$set_based"
	prepare "$calls" "$calls" 0
	echo CHECKPOINT\;
	measure "7 meter, first after a checkpoint" "$calls" "$meter"
done | report

few=$((calls / 10))
bench_title "$few calls, one heartbeat after the other"
for ((round = 0; round < ROUNDS; round++)); do
	prepare "$few" "$few" 0
	measure "1 heartbeat_call_session() in one statement" "$few" "SELECT count(h.burned) FROM (SELECT id FROM platform.call_sessions OFFSET 0) s, platform.heartbeat_call_session(s.id) h"
	prepare "$few" "$few" 0
	measure "2 a statement each, committed each" "$few" "DO \$\$ DECLARE call uuid; BEGIN FOR call IN SELECT id FROM platform.call_sessions LOOP PERFORM platform.heartbeat_call_session(call); COMMIT; END LOOP; END \$\$"
done | report
