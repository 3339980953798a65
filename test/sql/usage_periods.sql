-- Periods: rolled once and through all that were missed, month ends and clock changes, what goes over, late events, plans that end
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name, timezone) VALUES
	('ca500200-0000-4000-8000-000000000001', 'Periods', 'UTC'), ('ca500200-0000-4000-8000-000000000002', 'Berlin', 'Europe/Berlin')
ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500200-0000-4000-8000-0000000000a' || i)::uuid, 'periods-' || i || '@example.com' FROM generate_series(1, 8) i
ON CONFLICT DO NOTHING;
\set org '''ca500200-0000-4000-8000-000000000001'''
\set berlin '''ca500200-0000-4000-8000-000000000002'''
\set u1 '''ca500200-0000-4000-8000-0000000000a1'''
\set u2 '''ca500200-0000-4000-8000-0000000000a2'''
\set u3 '''ca500200-0000-4000-8000-0000000000a3'''
\set u4 '''ca500200-0000-4000-8000-0000000000a4'''
\set u5 '''ca500200-0000-4000-8000-0000000000a5'''
\set u6 '''ca500200-0000-4000-8000-0000000000a6'''
-- numbers of periods before 2024-07, and of all of them one next to the other
CREATE FUNCTION pg_temp.periods(organization uuid, "user" uuid) RETURNS TABLE (period_start timestamptz, used bigint, cap bigint, credit bigint, rollover bigint, plan text, closed boolean, rebill boolean) LANGUAGE sql AS
	'SELECT period_start, call_used_seconds, call_cap_seconds, call_credit, rollover_seconds, plan_status, closed_at IS NOT NULL, rebill_at IS NOT NULL FROM platform.usage_periods WHERE organization_id = $1 AND user_id = $2 AND period_start < ''2024-07-01'' ORDER BY 1';
CREATE FUNCTION pg_temp.gaps(organization uuid, "user" uuid) RETURNS bigint LANGUAGE sql AS
	'SELECT count(*) FROM (SELECT period_end, lead(period_start) OVER (ORDER BY period_start) AS next FROM platform.usage_periods WHERE organization_id = $1 AND user_id = $2) p WHERE next <> period_end';
\set ECHO all
BEGIN;
-- steps of 30 days from the first start
SELECT changed, current_tier FROM platform.apply_tier(:org, :u1, 'core', starts_at => '2024-01-31 10:00+00');
SELECT * FROM pg_temp.periods(:org, :u1);
SELECT pg_temp.gaps(:org, :u1), (SELECT count(*) FROM platform.usage_periods WHERE user_id = :u1 AND closed_at IS NULL) AS present,
	(SELECT period_end > clock_timestamp() AND period_start <= clock_timestamp() FROM platform.usage_limits WHERE user_id = :u1) AS now;
-- nothing is left to roll
SELECT platform.roll_usage_periods() >= 0 AS rolled;
SELECT platform.roll_usage_periods();
-- a late event counts in its own period, and only there and in what goes over
SELECT duplicate, difference, late, used_seconds FROM platform.record_call_usage(:org, :u1, 'late', 4000, '2024-03-15 12:00+00');
SELECT duplicate, difference, late FROM platform.record_call_usage(:org, :u1, 'late', 4000, '2024-03-15 12:00+00');
SELECT * FROM pg_temp.periods(:org, :u1);
-- beyond cap and rollover: the next period has less
SELECT difference, late FROM platform.record_call_usage(:org, :u1, 'late 2', 16000, '2024-03-16 12:00+00');
SELECT * FROM pg_temp.periods(:org, :u1);
-- its correction comes with today's moment and belongs to the same period
SELECT difference, late FROM platform.record_call_usage(:org, :u1, 'late 2', 1000);
SELECT * FROM pg_temp.periods(:org, :u1);
SELECT e.call_id, e.seconds, p.period_start, e.occurred_at, e.tier_snapshot_id = s.id AS priced
FROM platform.call_events e JOIN platform.usage_periods p ON p.id = e.period_id
LEFT JOIN platform.tier_snapshots s ON s.tier_id = 'core' AND s.effective_until IS NULL
WHERE e.user_id = :u1 ORDER BY e.id;
-- before the first period: one of its own, without a plan, that ends where the first begins
SELECT difference, late FROM platform.record_call_usage(:org, :u1, 'before', 50, '2024-01-20 12:00+00');
SELECT difference, late FROM platform.record_call_usage(:org, :u1, 'before 2', 5, '2024-01-21 12:00+00');
SELECT * FROM pg_temp.periods(:org, :u1) LIMIT 2;
SELECT pg_temp.gaps(:org, :u1);
SELECT tier_snapshot_id IS NULL AS unpriced FROM platform.call_events WHERE user_id = :u1 AND call_id = 'before';
-- at a border: the end belongs to the next period
SELECT late FROM platform.record_call_usage(:org, :u1, 'border 1', 1, '2024-03-01 09:59:59.999999+00');
SELECT late FROM platform.record_call_usage(:org, :u1, 'border 2', 2, '2024-03-01 10:00+00');
SELECT e.call_id, p.period_start FROM platform.call_events e JOIN platform.usage_periods p ON p.id = e.period_id WHERE e.user_id = :u1 AND e.call_id LIKE 'border%' ORDER BY 1;
-- local days: 30 of them over a change of the clock
SELECT changed FROM platform.apply_tier(:berlin, :u2, 'core', starts_at => '2024-03-20 00:00 Europe/Berlin');
SELECT period_start AT TIME ZONE 'Europe/Berlin' AS local, period_end - period_start AS length FROM platform.usage_periods WHERE user_id = :u2 AND period_start < '2024-07-01' ORDER BY 1;
-- months from the last day of one: no drift
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, period_step, call_cap_seconds)
VALUES (:org, :u3, '2024-01-31 00:00+00', '2024-02-29 00:00+00', '2024-01-31 00:00+00', '1 month', 1000);
SELECT difference FROM platform.record_call_usage(:org, :u3, 'x', 1);
SELECT period_start, cap, rollover FROM pg_temp.periods(:org, :u3);
-- a rollover is bounded by the cap, however many periods nothing is used
SELECT max(rollover_seconds), max(call_cap_seconds) FROM platform.usage_periods WHERE user_id IN (:u1, :u3);
-- what was bought outlasts periods; cap and rollover are used up before it
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, call_cap_seconds, call_credit, sms_cap, sms_credit, call_used_seconds, sms_used)
VALUES (:org, :u4, '2024-04-01 00:00+00', '2024-05-01 00:00+00', '2024-04-01 00:00+00', 1000, 500, 10, 5, 1200, 12);
SELECT limit_seconds, limit_sms FROM platform.check_usage(:org, :u4);
SELECT platform.roll_usage_periods() > 0;
SELECT period_start, call_used_seconds, call_credit, rollover_seconds, sms_credit FROM platform.usage_periods WHERE user_id = :u4 AND period_start < '2024-07-01' ORDER BY 1;
SELECT call_used_seconds, call_credit, rollover_seconds, sms_used, sms_credit FROM platform.usage_limits WHERE user_id = :u4;
-- a late message beyond the cap takes from what was bought, to this day
SELECT difference, late FROM platform.record_sms_usage(:org, :u4, 'm late', 2, '2024-04-10');
SELECT sms_credit FROM platform.usage_limits WHERE user_id = :u4;
-- reading does not write, and sees the period that is: on a copy that is three periods late
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, call_cap_seconds, call_used_seconds)
VALUES (:org, :u5, now() - interval '120 days', now() - interval '90 days', now() - interval '120 days', 1000, 5000);
SELECT allowed, used_seconds, limit_seconds, remaining_seconds, resets_at > now() AS resets FROM platform.check_usage(:org, :u5);
SELECT call_used_seconds, hard_stop_active, period_end < now() AS over FROM platform.usage_limits WHERE user_id = :u5;
SELECT used_seconds, remaining_seconds FROM platform.record_call_usage(:org, :u5, 'y', 10);
SELECT count(*) AS periods FROM platform.usage_periods WHERE user_id = :u5;
-- a plan with an end loses caps, rollover and grace there, and keeps what was bought
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, call_cap_seconds, sms_cap, grace_seconds, call_credit, plan_status, tier, tier_snapshot_id, plan_ends_at)
SELECT :org, :u6, '2024-04-01 00:00+00', '2024-05-01 00:00+00', '2024-04-01 00:00+00', 9000, 250, 600, 700, 'active', 'core', id, '2024-05-01 00:00+00'
FROM platform.tier_snapshots WHERE tier_id = 'core' AND effective_until IS NULL;
SELECT allowed, reason, limit_seconds, sms_allowed, sms_reason FROM platform.check_usage(:org, :u6);
SELECT difference, limit_state FROM platform.record_call_usage(:org, :u6, 'z', 700);
SELECT allowed, reason, limit_seconds FROM platform.check_usage(:org, :u6);
SELECT * FROM pg_temp.periods(:org, :u6);
-- a tier's new price counts from the next period on, and is in force for what happened since
SAVEPOINT s;
UPDATE platform.usage_tiers SET monthly_price = 199, call_cap_seconds = 12000 WHERE tier = 'core';
SELECT tier_id, call_cap_seconds, monthly_price, effective_until IS NULL AS present FROM platform.tier_snapshots WHERE tier_id = 'core' ORDER BY effective_from, monthly_price;
SELECT call_cap_seconds FROM platform.usage_limits WHERE user_id = :u1;
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT platform.roll_usage_periods(0);
ROLLBACK TO s;
SELECT platform.roll_usage_periods(NULL);
ROLLBACK TO s;
ROLLBACK;
