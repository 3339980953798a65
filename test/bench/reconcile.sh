#!/bin/bash
# reconcile.sh - reconcile_usage() over all customers beside the bare GROUP BY over
# the same events, which does not compare, store or tell anything; and beside one that
# stores a row, since its commit waits for the disk as the run's does.
#
# 1. 100,000 customers with 10,000,000 events (BENCH_SCALE divides both).
# 2. From 10,000 events on, ten times as many each time: ns an event.
#
# Events are loaded past the functions, two of three of calls, one of messages;
# counters are right, but for one customer in 10,000. Both run in one session, without
# parallel workers, which a statement that writes does not get either.
. "$(dirname "$0")/lib.sh"

events=$((10000000 / ${BENCH_SCALE:-1}))
BENCH_SCALE=1
# max() needs the sums; without it the server does not make them
group="SELECT count(*), max(amount) FROM (SELECT period_id, sum(seconds) AS amount FROM platform.call_events GROUP BY period_id
	UNION ALL SELECT period_id, sum(segments) FROM platform.sms_events GROUP BY period_id) AS g"
stored="INSERT INTO grouped $group"
ours="SELECT * FROM platform.reconcile_usage()"

q "INSERT INTO platform.organizations (id, name) VALUES ('b0000000-0000-4000-8000-000000000001', 'Bench')" \
	"CREATE TABLE grouped (customers bigint, most numeric)"

# load EVENTS: a hundred a customer
load() {
	q "SET session_replication_role = replica;
	TRUNCATE platform.call_events, platform.sms_events, platform.usage_periods, platform.usage_limits,
		platform.reconciliation_runs, platform.reconciliation_discrepancies, platform.billing_line_items CASCADE;
	INSERT INTO platform.usage_limits (organization_id, user_id, period_id, call_used_seconds, sms_used, plan_status)
		SELECT 'b0000000-0000-4000-8000-000000000001', ('b1000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid,
			('b2000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 66 * 60 + CASE WHEN i % 10000 = 1 THEN 1000 ELSE 0 END, 34, 'none'
		FROM generate_series(1, $1 / 100) AS i;
	INSERT INTO platform.usage_periods (id, organization_id, user_id, period_start, period_end)
		SELECT period_id, organization_id, user_id, period_start, period_end FROM platform.usage_limits;
	INSERT INTO platform.call_events (id, organization_id, user_id, period_id, occurred_at, recorded_at, seconds, total_seconds, sequence, event_type, call_id)
		SELECT platform.uuid7(), organization_id, user_id, period_id, now(), now(), 60, 60, 1, 'usage', 'c' || right(user_id::text, 12) || '-' || n
		FROM generate_series(1, 66) AS n, platform.usage_limits;
	INSERT INTO platform.sms_events (id, organization_id, user_id, period_id, occurred_at, recorded_at, segments, total_segments, sequence, event_type, message_id)
		SELECT platform.uuid7(), organization_id, user_id, period_id, now(), now(), 1, 1, 1, 'usage', 'm' || right(user_id::text, 12) || '-' || n
		FROM generate_series(1, 34) AS n, platform.usage_limits;"
	q "VACUUM ANALYZE platform.call_events" "VACUUM ANALYZE platform.sms_events" "VACUUM ANALYZE platform.usage_periods" \
		"VACUUM ANALYZE platform.usage_limits" CHECKPOINT
}

size=10000
while [ "$size" -le "$events" ]; do
	load "$size"
	bench_title "$size events of $((size / 100)) customers"
	bench_sql "${ROUNDS:-5}" "$size" "bare GROUP BY" "$group" "GROUP BY, a row stored" "$stored" "reconcile_usage" "$ours"
	size=$((size * 10))
done
q "SELECT 'found: ' || discrepancies_found || ' of ' || records_checked FROM platform.reconciliation_runs ORDER BY started_at DESC LIMIT 1"
