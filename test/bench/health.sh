#!/bin/bash
# health.sh - what health scores cost: calculate_health_scores() beside the bare
# aggregates that it needs.
#
# 100,000 customers with 1,000,000 calls, 200,000 entries of the audit trail, 200,000
# leads, and a session, a profile, limits and a subscription each, every second with an
# agent (divided by BENCH_SCALE). The bare aggregates are the same sums over the same
# tables, joined by customer and counted, and once more with their result stored by a
# plain upsert. calculate_health_scores() is measured when no
# customer changed, and when each one's row has to be written. Both have 64 MB of memory.
. "$(dirname "$0")/lib.sh"

CUSTOMERS=$((100000 / ${BENCH_SCALE:-1}))
ROUNDS=$(bench_scaled 3)

q "SET session_replication_role = replica;
	INSERT INTO platform.organizations (id, name, created_at, plan_status, stripe_subscription_id)
		SELECT md5(i::text)::uuid, 'Customer ' || i, now() - interval '1 year',
			(ARRAY['active', 'active', 'active', 'trialing', 'past_due'])[1 + i % 5], 'sub_' || i FROM generate_series(1, $CUSTOMERS) i;
	INSERT INTO platform.calls (organization_id, created_at)
		SELECT md5((1 + i % $CUSTOMERS)::text)::uuid, now() - random() * interval '34 days' FROM generate_series(1, 10 * $CUSTOMERS) i;
	INSERT INTO platform.audit_logs (organization_id, created_at, action, actor)
		SELECT md5((1 + i % $CUSTOMERS)::text)::uuid, now() - random() * interval '20 days', 'UPDATE', 'user' FROM generate_series(1, 2 * $CUSTOMERS) i;
	INSERT INTO platform.active_sessions (organization_id, user_id, token_hash, last_active_at)
		SELECT md5(i::text)::uuid, md5(i::text)::uuid, encode(sha256(i::text::bytea), 'hex'), now() - random() * interval '20 days' FROM generate_series(1, $CUSTOMERS) i;
	INSERT INTO platform.profiles (organization_id, user_id, cal_com_url, user_personal_phone)
		SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'https://cal.com/x', '+14155550100' FROM generate_series(1, $CUSTOMERS) i;
	INSERT INTO platform.leads (organization_id, phone, created_at)
		SELECT md5((1 + i % $CUSTOMERS)::text)::uuid, '+1415' || to_char(i, 'FM0000000'), now() - random() * interval '20 days' FROM generate_series(1, 2 * $CUSTOMERS) i;
	INSERT INTO platform.agents (organization_id, user_id, status) SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'pending' FROM generate_series(1, $CUSTOMERS, 2) i;
	INSERT INTO platform.usage_limits (organization_id, user_id, tier, call_cap_seconds, sms_cap, call_used_seconds, period_start, period_end)
		SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'core', 60000, 100, random() * 60000, now() - interval '10 days', now() + interval '20 days' FROM generate_series(1, $CUSTOMERS) i;
	INSERT INTO platform.subscriptions (organization_id, user_id, stripe_subscription_id, status, last_event_at)
		SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'sub_' || i, (ARRAY['active', 'active', 'active', 'trialing', 'past_due'])[1 + i % 5], now() FROM generate_series(1, $CUSTOMERS) i;" \
	"VACUUM ANALYZE"

aggregates="
	SELECT o.id, o.created_at, l.used, l.cap, l.sms_cap, c.week, c.week_before, co.contacts, GREATEST(c.last_at, s.last_at, a.last_at) AS last_at,
		b.agents, w.webhooks, p.calendars, p.phones, coalesce(pa.status, o.plan_status) AS status
	FROM platform.organizations o
	LEFT JOIN (SELECT organization_id, sum(ceil(call_used_seconds / 60.0::float8)) AS used, sum(ceil(call_cap_seconds / 60.0::float8)) AS cap, sum(sms_cap)::float8 AS sms_cap
		FROM platform.usage_limits GROUP BY 1) l ON l.organization_id = o.id
	LEFT JOIN (SELECT organization_id, max(created_at) AS last_at, count(*) FILTER (WHERE created_at > now() - interval '7 days') AS week,
			count(*) FILTER (WHERE created_at <= now() - interval '7 days') / 4.0::float8 AS week_before
		FROM platform.calls WHERE created_at > now() - interval '35 days' AND created_at <= now() GROUP BY 1) c ON c.organization_id = o.id
	LEFT JOIN (SELECT organization_id, count(*) AS contacts FROM platform.leads
		WHERE created_at > now() - interval '7 days' AND created_at <= now() GROUP BY 1) co ON co.organization_id = o.id
	LEFT JOIN (SELECT organization_id, max(last_active_at) AS last_at FROM platform.active_sessions WHERE last_active_at <= now() GROUP BY 1) s ON s.organization_id = o.id
	LEFT JOIN (SELECT organization_id, max(created_at) AS last_at FROM platform.audit_logs
		WHERE actor IS NOT NULL AND created_at > now() - interval '35 days' AND created_at <= now() GROUP BY 1) a ON a.organization_id = o.id
	LEFT JOIN (SELECT organization_id, count(*) AS agents FROM platform.agents GROUP BY 1) b ON b.organization_id = o.id
	LEFT JOIN (SELECT organization_id, count(*) AS webhooks FROM platform.webhook_subscriptions WHERE active GROUP BY 1) w ON w.organization_id = o.id
	LEFT JOIN (SELECT organization_id, count(*) FILTER (WHERE cal_com_url IS NOT NULL) AS calendars, count(user_personal_phone) AS phones
		FROM platform.profiles GROUP BY 1) p ON p.organization_id = o.id
	LEFT JOIN (SELECT organization_id, min(status) AS status FROM platform.subscriptions GROUP BY 1) pa ON pa.organization_id = o.id
	WHERE o.deleted_at IS NULL AND o.status NOT IN ('expired', 'cancelled', 'suspended')"
q "CREATE TABLE bench_scores (organization_id uuid PRIMARY KEY, used float8, cap float8, sms_cap float8, webhooks bigint, week bigint, week_before float8, contacts bigint, last_at timestamptz,
	agents bigint, calendars bigint, phones bigint, status text, factors jsonb, calculated_at timestamptz) WITH (fillfactor = 70)"
store="INSERT INTO bench_scores AS s (organization_id, used, cap, sms_cap, webhooks, week, week_before, contacts, last_at, agents, calendars, phones, status, factors, calculated_at)
	SELECT g.id, g.used, g.cap, g.sms_cap, g.webhooks, g.week, g.week_before, g.contacts, g.last_at, g.agents, g.calendars, g.phones, g.status,
		jsonb_build_object('used', g.used, 'cap', g.cap, 'sms_cap', g.sms_cap, 'webhooks', g.webhooks, 'week', g.week, 'week_before', g.week_before,
			'contacts', g.contacts, 'last_at', g.last_at, 'agents', g.agents, 'calendars', g.calendars, 'phones', g.phones, 'status', g.status), now()
	FROM ($aggregates) g
	ON CONFLICT (organization_id) DO UPDATE SET used = excluded.used, cap = excluded.cap, sms_cap = excluded.sms_cap, webhooks = excluded.webhooks,
		week = excluded.week, week_before = excluded.week_before, contacts = excluded.contacts,
		last_at = excluded.last_at, agents = excluded.agents, calendars = excluded.calendars, phones = excluded.phones,
		status = excluded.status, factors = excluded.factors, calculated_at = excluded.calculated_at"
count="SELECT count(*), sum(used), sum(cap), sum(sms_cap), sum(webhooks), sum(week), sum(week_before), sum(contacts), max(last_at), sum(agents), sum(calendars), sum(phones), max(status) FROM ($aggregates) g"

# line NAME SQL: a statement that is timed, after what must come before it.
line() {
	printf '%s\n' "\\echo $1" '\timing on' "$2;" '\timing off'
}
{
	printf '%s\n' "SET jit = off;" "SET work_mem = '64MB';" "SET max_parallel_workers_per_gather = 0;" "$store;" \
		"SELECT * FROM platform.calculate_health_scores();" "\\echo warm-up"
	for ((round = 1; round <= ROUNDS; round++)); do
		line aggregates "$count"
		line calculate_unchanged "SELECT * FROM platform.calculate_health_scores()"
		line aggregates_stored "$store"
		echo "UPDATE platform.customer_health_scores SET last_calculated = '-infinity' WHERE true;"
		echo "VACUUM platform.customer_health_scores, bench_scores;"
		line calculate_all_written "SELECT * FROM platform.calculate_health_scores()"
		echo "VACUUM platform.customer_health_scores, bench_scores;"
	done
} >"$BENCH_TMP/session.sql"
bench_title "$CUSTOMERS customers, median of $ROUNDS"
"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
	awk '/^Time: / { if (name != "") print name "\t" $2; name = ""; next } /^(aggregates|aggregates_stored|calculate_unchanged|calculate_all_written)$/ { name = $1 }' |
	bench_medians time "$CUSTOMERS" | tee "$BENCH_TMP/medians"
awk '$1 == "aggregates" { bare = $2 } $1 == "aggregates_stored" { stored = $2 } $1 == "calculate_unchanged" { unchanged = $2 } $1 == "calculate_all_written" { all = $2 }
	END { printf "nothing changed: %.2f of the bare aggregates; all written: %.2f of the aggregates stored\n", unchanged / bare, all / stored }' "$BENCH_TMP/medians"
