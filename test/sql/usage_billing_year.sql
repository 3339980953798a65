-- A random year of 1,000 customers: bills equal to the cent what ranges, and counting each second and segment by itself, give; what went from period to period equals what the events say. PLATFORM_TEST_CUSTOMERS, PLATFORM_TEST_SEED
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\getenv customers PLATFORM_TEST_CUSTOMERS
\if :{?customers}
\else
\set customers 1000
\endif
\getenv seed PLATFORM_TEST_SEED
\if :{?seed}
\else
\set seed 0.5
\endif
\set org '''10400000-0000-4000-8000-000000000001'''
BEGIN;
SET LOCAL work_mem = '64MB';
\o /dev/null
SELECT setseed(:seed);
INSERT INTO platform.organizations (id, name, timezone) VALUES (:org, 'Year', 'America/New_York');
INSERT INTO platform.users (id, email) SELECT ('10400000-0000-4000-8000-00000000' || lpad(to_hex(i), 4, '0'))::uuid, 'year-' || i || '@example.com' FROM generate_series(1, :customers) i;
INSERT INTO platform.usage_tiers (tier, name, call_cap_seconds, sms_cap, grace_seconds, rollover_percent, overage_rate_minutes, overage_rate_sms, monthly_price) VALUES
	('year_a', 'Year A', 200, 3, 60, 50, 0.1537, 0.0213, 10), ('year_b', 'Year B', 600, 5, 60, 100, 0.0871, 0.0117, 20);
-- who begins a year ago, in periods of 30 local days over both changes of the clock; a third has bought something before
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, period_timezone, tier, tier_snapshot_id, tier_since, plan_status, call_cap_seconds, sms_cap, grace_seconds, call_credit, sms_credit)
SELECT :org, u.id, b.start, (b.start AT TIME ZONE 'America/New_York' + interval '30 days') AT TIME ZONE 'America/New_York', b.start, 'America/New_York', s.tier_id, s.id, b.start, 'active',
	s.call_cap_seconds, s.sms_cap, s.grace_seconds, CASE WHEN u.random < 0.33 THEN (random() * 3000)::bigint ELSE 0 END, CASE WHEN u.random < 0.33 THEN (random() * 30)::bigint ELSE 0 END
FROM (SELECT id, random() FROM (SELECT id FROM platform.users WHERE email LIKE 'year-%@example.com' ORDER BY id) AS u) AS u, LATERAL (SELECT now() - interval '365 days' - u.random * interval '10 days' AS start) AS b
JOIN platform.tier_snapshots s ON s.tier_id LIKE 'year%' AND s.effective_until IS NULL WHERE (s.tier_id = 'year_a') = (hashtext(u.id::text) % 2 = 0);
-- prices that changed within the year: half of the customers had others before day 130, and before day 250
CREATE TEMP TABLE year_snapshots (n integer, id uuid);
WITH s AS (INSERT INTO platform.tier_snapshots (tier_id, tier_name, free_minutes, free_sms, call_cap_seconds, sms_cap, grace_seconds, rollover_percent, overage_rate_minutes, overage_rate_sms, effective_from, effective_until)
	SELECT 'year_a', 'Year A', 3, 3, 200, 3, 60, 50, 0.1 + 0.0313 * i, 0.01 + 0.0077 * i, now() - interval '400 days', now() - interval '1 day' FROM generate_series(1, 2) i RETURNING id)
INSERT INTO year_snapshots SELECT row_number() OVER (), id FROM s;
INSERT INTO platform.usage_tier_changes (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)
SELECT :org, l.user_id, l.period_start + (s.n - 1) * interval '130 days', 'year_a', s.id, 'tier'
FROM platform.usage_limits l, year_snapshots s WHERE l.organization_id = :org AND right(l.user_id::text, 1) < '8';
INSERT INTO platform.usage_tier_changes (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)
SELECT :org, l.user_id, CASE WHEN right(l.user_id::text, 1) < '8' THEN now() - interval '115 days' ELSE l.period_start END, l.tier, l.tier_snapshot_id, 'tier'
FROM platform.usage_limits l WHERE l.organization_id = :org;
UPDATE platform.usage_limits SET tier_since = now() - interval '115 days' WHERE organization_id = :org AND right(user_id::text, 1) < '8';
SELECT platform.roll_usage_periods(100000);
ANALYZE platform.usage_periods, platform.usage_limits, platform.usage_tier_changes;
-- two calls and two messages a period, told in any order; one customer after the other, so that a seed gives the same year again
SELECT platform.record_call_usage(:org, l.user_id, l.user_id || '-' || l.i, (random() * 600)::bigint, now() - random() * interval '365 days', cost_cents => (random() * 30)::bigint)
FROM (SELECT l.user_id, i FROM platform.usage_limits l, generate_series(1, 24) i WHERE l.organization_id = :org ORDER BY 1, 2) AS l;
SELECT platform.record_sms_usage(:org, l.user_id, l.user_id || '-' || l.i, 1 + (random() * 5)::bigint, now() - random() * interval '365 days', cost_cents => (random() * 3)::bigint)
FROM (SELECT l.user_id, i FROM platform.usage_limits l, generate_series(1, 24) i WHERE l.organization_id = :org ORDER BY 1, 2) AS l;
ANALYZE platform.call_events, platform.sms_events, platform.usage_periods, platform.usage_limits;
CREATE TEMP TABLE period (id uuid, seconds bigint, segments bigint, is_counted boolean);
CREATE TEMP TABLE beyond (period_id uuid, tier_snapshot_id uuid, is_call boolean, n bigint);
-- What is beyond the included, by ranges: each call covers a piece of its period's seconds, of which the part counts that comes after.
CREATE FUNCTION pg_temp.recompute() RETURNS void LANGUAGE sql AS $$
	TRUNCATE period, beyond;
	INSERT INTO period SELECT p.id, p.call_cap_seconds + p.rollover_seconds + p.call_credit, p.sms_cap + p.sms_credit, p.user_id::text ~ '(000.|[05a]0)$'
	FROM platform.usage_periods p WHERE p.organization_id = '10400000-0000-4000-8000-000000000001' AND p.closed_at IS NOT NULL;
	WITH event AS (SELECT e.period_id, e.call_id AS key, e.tier_snapshot_id, e.occurred_at, e.seconds AS n, true AS is_call, p.seconds AS included FROM platform.call_events e JOIN period p ON p.id = e.period_id
		UNION ALL SELECT e.period_id, e.message_id, e.tier_snapshot_id, e.occurred_at, e.segments, false, p.segments FROM platform.sms_events e JOIN period p ON p.id = e.period_id),
	thing AS (SELECT period_id, key, tier_snapshot_id, is_call, included, min(occurred_at) AS occurred_at, sum(n)::bigint AS n FROM event GROUP BY 1, 2, 3, 4, 5),
	piece AS (SELECT t.*, sum(n) OVER (PARTITION BY period_id, is_call ORDER BY occurred_at, key COLLATE "C")::bigint AS until FROM thing t),
	cut AS (SELECT period_id, tier_snapshot_id, is_call, int8range(until - n, until) * int8range(included, NULL) AS r FROM piece)
	INSERT INTO beyond SELECT period_id, tier_snapshot_id, is_call, sum(upper(r) - lower(r)) FROM cut WHERE NOT isempty(r) GROUP BY 1, 2, 3 $$;
-- By counting each second and segment by itself, of some customers.
CREATE FUNCTION pg_temp.counted() RETURNS TABLE (period_id uuid, tier_snapshot_id uuid, is_call boolean, n bigint) LANGUAGE sql AS $$
	WITH call AS (SELECT e.period_id, e.call_id, e.tier_snapshot_id, e.occurred_at, sum(e.seconds) AS n FROM platform.call_events e JOIN period p ON p.id = e.period_id WHERE p.is_counted GROUP BY 1, 2, 3, 4),
	second AS (SELECT c.period_id, c.tier_snapshot_id, row_number() OVER (PARTITION BY c.period_id ORDER BY c.occurred_at, c.call_id COLLATE "C") AS place FROM call c, generate_series(1, c.n)),
	message AS (SELECT e.period_id, e.message_id, e.tier_snapshot_id, e.occurred_at, sum(e.segments) AS n FROM platform.sms_events e JOIN period p ON p.id = e.period_id WHERE p.is_counted GROUP BY 1, 2, 3, 4),
	segment AS (SELECT m.period_id, m.tier_snapshot_id, row_number() OVER (PARTITION BY m.period_id ORDER BY m.occurred_at, m.message_id COLLATE "C") AS place FROM message m, generate_series(1, m.n))
	SELECT s.period_id, s.tier_snapshot_id, true, count(*) FROM second s JOIN period p ON p.id = s.period_id WHERE s.place > p.seconds GROUP BY 1, 2
	UNION ALL
	SELECT s.period_id, s.tier_snapshot_id, false, count(*) FROM segment s JOIN period p ON p.id = s.period_id WHERE s.place > p.segments GROUP BY 1, 2 $$;
CREATE FUNCTION pg_temp.compare_counts(OUT periods boolean, OUT wrong bigint) LANGUAGE sql AS $$
	SELECT count(DISTINCT c.period_id) > 50, count(*) FILTER (WHERE c.n IS DISTINCT FROM b.n)
	FROM (SELECT * FROM pg_temp.counted()) AS c FULL JOIN (SELECT b.* FROM beyond b JOIN period p ON p.id = b.period_id WHERE p.is_counted) AS b USING (period_id, tier_snapshot_id, is_call) $$;
-- Bills beside it: dollars, seconds and segments of each period.
CREATE FUNCTION pg_temp.compare_bills(OUT periods bigint, OUT wrong bigint, OUT with_overage boolean, OUT with_two_prices boolean) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE coalesce(c.total, 0) <> coalesce(b.total, 0) OR coalesce(c.seconds, 0) <> coalesce(b.seconds, 0) OR coalesce(c.segments, 0) <> coalesce(b.segments, 0)),
		count(*) FILTER (WHERE c.total > 0) > count(*) / 10, count(*) FILTER (WHERE b.prices > 1) > 0
	FROM period p
	LEFT JOIN (SELECT y.period_id, sum(y.n) FILTER (WHERE y.is_call) AS seconds, sum(y.n) FILTER (WHERE NOT y.is_call) AS segments,
			sum(CASE WHEN y.is_call THEN round(y.n * t.overage_rate_minutes / 60, 2) ELSE round(y.n * t.overage_rate_sms, 2) END) AS total
		FROM beyond y JOIN platform.tier_snapshots t ON t.id = y.tier_snapshot_id GROUP BY 1) AS c ON c.period_id = p.id
	LEFT JOIN (SELECT billing_period_id, sum(total_amount) AS total, sum(quantity) FILTER (WHERE event_type = 'overage_minutes') AS seconds,
			sum(quantity) FILTER (WHERE event_type = 'overage_sms') AS segments, count(DISTINCT tier_snapshot_id) FILTER (WHERE event_type = 'overage_minutes') AS prices
		FROM platform.billing_line_items WHERE organization_id = '10400000-0000-4000-8000-000000000001' GROUP BY 1) AS b ON b.billing_period_id = p.id $$;
-- What goes from period to period, from the events alone: what is used takes from cap and rollover, then from what was bought; of the former at most the bound goes over.
CREATE FUNCTION pg_temp.compare_carry(OUT periods boolean, OUT wrong bigint, OUT with_rollover boolean, OUT with_credit boolean) LANGUAGE sql AS $$
	WITH RECURSIVE used AS (SELECT period_id, sum(seconds) AS seconds, sum(segments) AS segments FROM (
			SELECT period_id, seconds, 0 AS segments FROM platform.call_events WHERE organization_id = '10400000-0000-4000-8000-000000000001'
			UNION ALL SELECT period_id, 0, segments FROM platform.sms_events WHERE organization_id = '10400000-0000-4000-8000-000000000001') AS e GROUP BY 1),
	link AS MATERIALIZED (SELECT p.user_id, row_number() OVER (PARTITION BY p.user_id ORDER BY p.period_start) AS place, coalesce(l.call_cap_seconds, p.call_cap_seconds) AS cap, coalesce(l.sms_cap, p.sms_cap) AS sms_cap, p.rollover_bound AS bound,
			coalesce(l.rollover_seconds, p.rollover_seconds) AS rollover, coalesce(l.call_credit, p.call_credit) AS credit, coalesce(l.sms_credit, p.sms_credit) AS sms_credit,
			coalesce(u.seconds, 0) AS seconds, coalesce(u.segments, 0) AS segments
		FROM platform.usage_periods p LEFT JOIN platform.usage_limits l ON l.period_id = p.id LEFT JOIN used u ON u.period_id = p.id WHERE p.organization_id = '10400000-0000-4000-8000-000000000001'),
	chain AS (SELECT user_id, place, rollover::numeric, credit::numeric, sms_credit::numeric FROM link WHERE place = 1
		UNION ALL SELECT c.user_id, c.place + 1, least(greatest(l.cap + c.rollover - l.seconds, 0), l.bound),
			c.credit - least(greatest(l.seconds - l.cap - c.rollover, 0), c.credit), c.sms_credit - least(greatest(l.segments - l.sms_cap, 0), c.sms_credit)
		FROM chain c JOIN link l ON l.user_id = c.user_id AND l.place = c.place)
	SELECT count(*) >= 13 * count(DISTINCT l.user_id), count(*) FILTER (WHERE (c.rollover, c.credit, c.sms_credit) IS DISTINCT FROM (l.rollover, l.credit, l.sms_credit)),
		count(*) FILTER (WHERE l.rollover > 0) > count(*) / 10, count(*) FILTER (WHERE l.place = 6 AND l.credit > 0) > 0
	FROM link l JOIN chain c ON c.user_id = l.user_id AND c.place = l.place $$;
\o
\set ECHO all
SELECT periods >= 12 * :customers AS periods, line_items > periods AS line_items, adjustments FROM platform.generate_billing_line_items(organization_id => :org, max_periods => 1000000);
\o /dev/null
ANALYZE platform.billing_line_items;
SELECT pg_temp.recompute();
\o
SELECT * FROM pg_temp.compare_counts();
SELECT periods >= 12 * :customers AS periods, wrong, with_overage, with_two_prices FROM pg_temp.compare_bills();
SELECT * FROM pg_temp.compare_carry();
-- costs of the provider are shared without a cent lost
SELECT (SELECT sum(provider_cost) FROM platform.billing_line_items WHERE organization_id = :org)
	= (SELECT sum(c) / 100.0 FROM (SELECT period_id, cost_cents AS c FROM platform.call_events UNION ALL SELECT period_id, cost_cents FROM platform.sms_events) e
		WHERE period_id IN (SELECT id FROM platform.usage_periods WHERE organization_id = :org AND closed_at IS NOT NULL)) AS same_cost;
-- and again
SELECT * FROM platform.generate_billing_line_items(organization_id => :org);
-- corrections of a tenth of the year, and calls that come late
\o /dev/null
SELECT platform.record_call_usage(:org, e.user_id, e.call_id, (random() * 600)::bigint) FROM (SELECT * FROM platform.call_events WHERE organization_id = :org AND sequence = 1 ORDER BY user_id, call_id) AS e WHERE random() < 0.1;
SELECT platform.record_sms_usage(:org, e.user_id, e.message_id, (random() * 6)::bigint) FROM (SELECT * FROM platform.sms_events WHERE organization_id = :org AND sequence = 1 ORDER BY user_id, message_id) AS e WHERE random() < 0.1;
SELECT platform.record_call_usage(:org, l.user_id, l.user_id || '-late-' || l.i, (random() * 600)::bigint, now() - random() * interval '365 days')
FROM (SELECT l.user_id, i FROM platform.usage_limits l, generate_series(1, 2) i WHERE l.organization_id = :org ORDER BY 1, 2) AS l;
SELECT pg_temp.recompute();
\o
SELECT wrong > 0 AS bills_are_outdated FROM pg_temp.compare_bills();
SELECT periods > 0 AS periods, adjustments > 0 AS adjustments FROM platform.generate_billing_line_items(organization_id => :org, max_periods => 1000000);
SELECT * FROM pg_temp.compare_counts();
SELECT periods >= 12 * :customers AS periods, wrong FROM pg_temp.compare_bills();
SELECT * FROM pg_temp.compare_carry();
-- an event in a bill is found from the bill, and the other way round
SELECT count(*) AS untraced FROM (SELECT id, period_id FROM platform.call_events WHERE organization_id = :org UNION ALL SELECT id, period_id FROM platform.sms_events WHERE organization_id = :org) e JOIN period p ON p.id = e.period_id
LEFT JOIN (SELECT DISTINCT billing_period_id, unnest(event_ids) AS id FROM platform.billing_line_items WHERE organization_id = :org) b ON b.billing_period_id = e.period_id AND b.id = e.id WHERE b.id IS NULL;
-- the counters agree with it all, to the second
SELECT discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
SELECT right(d.user_id::text, 4) AS customer, p.period_start - now() AS period, p.closed_at IS NOT NULL AS closed, d.call_used_seconds, d.call_event_seconds, d.sms_used, d.sms_event_segments
FROM platform.reconciliation_discrepancies d JOIN platform.usage_periods p ON p.id = d.period_id WHERE d.organization_id = :org ORDER BY 1, 2;
SELECT count(*) AS off FROM platform.usage_periods p LEFT JOIN platform.usage_limits l ON l.period_id = p.id
LEFT JOIN (SELECT period_id, sum(seconds) AS n FROM platform.call_events GROUP BY 1) c ON c.period_id = p.id LEFT JOIN (SELECT period_id, sum(segments) AS n FROM platform.sms_events GROUP BY 1) m ON m.period_id = p.id
WHERE p.organization_id = :org AND (coalesce(l.call_used_seconds, p.call_used_seconds) <> coalesce(c.n, 0) OR coalesce(l.sms_used, p.sms_used) <> coalesce(m.n, 0));
ROLLBACK;
