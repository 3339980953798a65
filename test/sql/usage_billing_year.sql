-- A random year: the bills equal, to the cent, what counting each second and segment by itself gives; PLATFORM_TEST_CUSTOMERS=1000 for the full scale
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\getenv customers PLATFORM_TEST_CUSTOMERS
\if :{?customers}
\else
\set customers 20
\endif
\set org '''10400000-0000-4000-8000-000000000001'''
BEGIN;
\o /dev/null
SELECT setseed(0.5);
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Year');
INSERT INTO platform.users (id, email) SELECT ('10400000-0000-4000-8000-00000000' || lpad(to_hex(i), 4, '0'))::uuid, 'year-' || i || '@example.com' FROM generate_series(1, :customers) i;
INSERT INTO platform.usage_tiers (tier, name, call_cap_seconds, sms_cap, grace_seconds, rollover_percent, overage_rate_minutes, overage_rate_sms, monthly_price) VALUES
	('year_a', 'Year A', 200, 3, 60, 50, 0.1537, 0.0213, 10), ('year_b', 'Year B', 1200, 10, 60, 100, 0.0871, 0.0117, 20);
-- prices that changed within the year: half of the customers had others before day 130, and before day 250
CREATE TEMP TABLE year_snapshots (n integer, id uuid);
WITH s AS (INSERT INTO platform.tier_snapshots (tier_id, tier_name, free_minutes, free_sms, call_cap_seconds, sms_cap, grace_seconds, rollover_percent, overage_rate_minutes, overage_rate_sms, effective_from, effective_until)
	SELECT 'year_a', 'Year A', 3, 3, 200, 3, 60, 50, 0.1 + 0.0313 * i, 0.01 + 0.0077 * i, now() - interval '400 days', now() - interval '1 day' FROM generate_series(1, 2) i RETURNING id)
INSERT INTO year_snapshots SELECT row_number() OVER (), id FROM s;
SELECT platform.apply_tier(:org, u.id, CASE WHEN random() < 0.5 THEN 'year_a' ELSE 'year_b' END, starts_at => now() - interval '365 days')
FROM platform.users u WHERE u.email LIKE 'year-%@example.com';
INSERT INTO platform.usage_tier_changes (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)
SELECT :org, l.user_id, now() - interval '365 days' + (s.n - 1) * interval '130 days', 'year_a', s.id, 'tier'
FROM platform.usage_limits l, year_snapshots s WHERE l.organization_id = :org AND right(l.user_id::text, 1) < '8';
INSERT INTO platform.usage_tier_changes (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)
SELECT :org, l.user_id, now() - interval '115 days', l.tier, l.tier_snapshot_id, 'tier'
FROM platform.usage_limits l WHERE l.organization_id = :org AND right(l.user_id::text, 1) < '8';
UPDATE platform.usage_limits SET tier_since = now() - interval '115 days' WHERE organization_id = :org AND right(user_id::text, 1) < '8';
SELECT platform.record_call_usage(:org, l.user_id, l.user_id || '-' || i, (random() * 400)::bigint, now() - random() * interval '364 days', cost_cents => (random() * 30)::bigint)
FROM platform.usage_limits l, generate_series(1, 40) i WHERE l.organization_id = :org;
SELECT platform.record_sms_usage(:org, l.user_id, l.user_id || '-' || i, 1 + (random() * 3)::bigint, now() - random() * interval '364 days', cost_cents => (random() * 3)::bigint)
FROM platform.usage_limits l, generate_series(1, 40) i WHERE l.organization_id = :org;
SELECT platform.roll_usage_periods(100000);
\o
-- dollars of a period by counting: the seconds of all calls in their order, each beyond what is included at its own price
CREATE FUNCTION pg_temp.counted() RETURNS TABLE (period_id uuid, seconds bigint, segments bigint, total numeric) LANGUAGE sql AS $$
	WITH period AS (SELECT * FROM platform.usage_periods WHERE organization_id = '10400000-0000-4000-8000-000000000001' AND closed_at IS NOT NULL),
	call AS (SELECT e.period_id, e.call_id, e.tier_snapshot_id, e.occurred_at, sum(e.seconds) AS n FROM platform.call_events e JOIN period p ON p.id = e.period_id GROUP BY 1, 2, 3, 4),
	second AS (SELECT c.period_id, c.tier_snapshot_id, row_number() OVER (PARTITION BY c.period_id ORDER BY c.occurred_at, c.call_id COLLATE "C") AS place FROM call c, generate_series(1, c.n)),
	message AS (SELECT e.period_id, e.message_id, e.tier_snapshot_id, e.occurred_at, sum(e.segments) AS n FROM platform.sms_events e JOIN period p ON p.id = e.period_id GROUP BY 1, 2, 3, 4),
	segment AS (SELECT m.period_id, m.tier_snapshot_id, row_number() OVER (PARTITION BY m.period_id ORDER BY m.occurred_at, m.message_id COLLATE "C") AS place FROM message m, generate_series(1, m.n)),
	beyond AS (
		SELECT s.period_id, s.tier_snapshot_id, count(*) AS n, true AS is_call FROM second s JOIN period p ON p.id = s.period_id WHERE s.place > p.call_cap_seconds + p.rollover_seconds + p.call_credit GROUP BY 1, 2
		UNION ALL
		SELECT s.period_id, s.tier_snapshot_id, count(*), false FROM segment s JOIN period p ON p.id = s.period_id WHERE s.place > p.sms_cap + p.sms_credit GROUP BY 1, 2)
	SELECT p.id, coalesce(sum(b.n) FILTER (WHERE b.is_call), 0)::bigint, coalesce(sum(b.n) FILTER (WHERE NOT b.is_call), 0)::bigint,
		coalesce(sum(CASE WHEN b.is_call THEN round(b.n * t.overage_rate_minutes / 60, 2) ELSE round(b.n * t.overage_rate_sms, 2) END), 0)
	FROM period p LEFT JOIN beyond b ON b.period_id = p.id LEFT JOIN platform.tier_snapshots t ON t.id = b.tier_snapshot_id GROUP BY p.id $$;
CREATE FUNCTION pg_temp.wrong() RETURNS TABLE (periods bigint, wrong bigint, with_overage boolean, with_two_prices boolean) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE c.total <> coalesce(b.total, 0) OR c.seconds <> coalesce(b.seconds, 0) OR c.segments <> coalesce(b.segments, 0)),
		count(*) FILTER (WHERE c.total > 0) > count(*) / 10, count(*) FILTER (WHERE b.prices > 1) > 0
	FROM pg_temp.counted() AS c LEFT JOIN (SELECT billing_period_id, sum(total_amount) AS total, sum(quantity) FILTER (WHERE event_type = 'overage_minutes') AS seconds,
			sum(quantity) FILTER (WHERE event_type = 'overage_sms') AS segments, count(DISTINCT tier_snapshot_id) FILTER (WHERE event_type = 'overage_minutes') AS prices
		FROM platform.billing_line_items WHERE organization_id = '10400000-0000-4000-8000-000000000001' GROUP BY 1) AS b ON b.billing_period_id = c.period_id $$;
\set ECHO all
SELECT periods = :customers * 12 AS periods, line_items > periods AS line_items, adjustments FROM platform.generate_billing_line_items(organization_id => :org, max_periods => 1000000);
SELECT periods = :customers * 12 AS periods, wrong, with_overage, with_two_prices FROM pg_temp.wrong();
-- costs of the provider are shared without a cent lost
SELECT (SELECT sum(provider_cost) FROM platform.billing_line_items WHERE organization_id = :org)
	= (SELECT sum(c) / 100.0 FROM (SELECT period_id, cost_cents AS c FROM platform.call_events UNION ALL SELECT period_id, cost_cents FROM platform.sms_events) e
		WHERE period_id IN (SELECT id FROM platform.usage_periods WHERE organization_id = :org AND closed_at IS NOT NULL)) AS same_cost;
-- and again
SELECT * FROM platform.generate_billing_line_items(organization_id => :org);
-- corrections and calls that come late, of a tenth of the year
\o /dev/null
SELECT platform.record_call_usage(:org, e.user_id, e.call_id, (random() * 400)::bigint) FROM platform.call_events e WHERE e.organization_id = :org AND e.sequence = 1 AND random() < 0.1;
SELECT platform.record_sms_usage(:org, e.user_id, e.message_id, (random() * 4)::bigint) FROM platform.sms_events e WHERE e.organization_id = :org AND e.sequence = 1 AND random() < 0.1;
SELECT platform.record_call_usage(:org, l.user_id, l.user_id || '-late-' || i, (random() * 400)::bigint, now() - random() * interval '364 days')
FROM platform.usage_limits l, generate_series(1, 4) i WHERE l.organization_id = :org;
\o
SELECT wrong > 0 AS bills_are_outdated FROM pg_temp.wrong();
SELECT periods > 0 AS periods, adjustments > 0 AS adjustments FROM platform.generate_billing_line_items(organization_id => :org, max_periods => 1000000);
SELECT periods = :customers * 12 AS periods, wrong FROM pg_temp.wrong();
-- an event in a bill is found from the bill, and the other way round
SELECT count(*) AS untraced FROM platform.call_events e JOIN platform.usage_periods p ON p.id = e.period_id
WHERE e.organization_id = :org AND p.closed_at IS NOT NULL AND NOT EXISTS (SELECT FROM platform.billing_line_items b WHERE b.billing_period_id = e.period_id AND e.id = ANY (b.event_ids));
-- the counters agree with it all
SELECT discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
SELECT right(d.user_id::text, 4) AS customer, p.period_start - now() AS period, p.closed_at IS NOT NULL AS closed, d.call_used_seconds, d.call_event_seconds, d.sms_used, d.sms_event_segments
FROM platform.reconciliation_discrepancies d JOIN platform.usage_periods p ON p.id = d.period_id WHERE d.organization_id = :org ORDER BY 1, 2;
ROLLBACK;
