-- Tiers, their versions, changes within a period, top-ups, overrides, add-ons
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('ca500300-0000-4000-8000-000000000001', 'Plans') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500300-0000-4000-8000-0000000000a' || i)::uuid, 'plans-' || i || '@example.com' FROM generate_series(1, 8) i
ON CONFLICT DO NOTHING;
\set org '''ca500300-0000-4000-8000-000000000001'''
\set u1 '''ca500300-0000-4000-8000-0000000000a1'''
\set u2 '''ca500300-0000-4000-8000-0000000000a2'''
\set u3 '''ca500300-0000-4000-8000-0000000000a3'''
\set u4 '''ca500300-0000-4000-8000-0000000000a4'''
\set limits 'SELECT tier, plan_status AS plan, call_used_seconds AS used, call_cap_seconds AS cap, call_credit AS credit, rollover_seconds AS rollover, grace_seconds AS grace, sms_cap, sms_credit, limit_state AS state, hard_stop_active AS stop FROM platform.usage_limits WHERE user_id ='
\set ECHO all
-- the tiers, and what can be bought
SELECT tier, aliases, call_cap_seconds, sms_cap, grace_seconds, monthly_price, overage_rate_minutes, overage_rate_sms FROM platform.usage_tiers ORDER BY monthly_price;
SELECT package, call_seconds, sms_segments, price_cents FROM platform.usage_top_up_packages ORDER BY package COLLATE "C";
SELECT feature, monthly_price FROM platform.premium_features ORDER BY feature COLLATE "C";
BEGIN;
-- versions cannot be changed, but for the end, once
\set VERBOSITY sqlstate
SAVEPOINT s;
UPDATE platform.tier_snapshots SET monthly_price = 1 WHERE tier_id = 'pro';
ROLLBACK TO s;
DELETE FROM platform.tier_snapshots WHERE tier_id = 'pro';
ROLLBACK TO s;
SET LOCAL client_min_messages = warning;
TRUNCATE platform.tier_snapshots CASCADE;
ROLLBACK TO s;
UPDATE platform.tier_snapshots SET effective_until = clock_timestamp() WHERE tier_id = 'pro';
UPDATE platform.tier_snapshots SET effective_until = clock_timestamp() WHERE tier_id = 'pro';
ROLLBACK TO s;
\set VERBOSITY default
-- a change makes one, a change of nothing does not
UPDATE platform.usage_tiers SET aliases = '{p}' WHERE tier = 'pro';
SELECT count(*) FROM platform.tier_snapshots WHERE tier_id = 'pro';
UPDATE platform.usage_tiers SET monthly_price = 259 WHERE tier = 'pro';
UPDATE platform.usage_tiers SET overage_rate_sms = 0.03 WHERE tier = 'pro';
SELECT monthly_price, overage_rate_sms, free_minutes, free_sms, effective_until IS NULL AS present FROM platform.tier_snapshots WHERE tier_id = 'pro' ORDER BY effective_from, effective_until;
INSERT INTO platform.usage_tiers (tier, name, call_cap_seconds, sms_cap, monthly_price) VALUES ('mini', 'Mini', 600, 10, 9);
DELETE FROM platform.usage_tiers WHERE tier = 'mini';
SELECT tier_id, effective_until IS NULL AS present FROM platform.tier_snapshots WHERE tier_id = 'mini';
-- by alias; again is nothing; a new price is something
SELECT changed, current_tier, call_cap_seconds, sms_cap FROM platform.apply_tier(:org, :u1, 'starter');
SELECT changed, current_tier FROM platform.apply_tier(:org, :u1, 'core');
UPDATE platform.usage_tiers SET monthly_price = 150 WHERE tier = 'core';
SELECT changed, current_tier FROM platform.apply_tier(:org, :u1, 'core');
SELECT reason, tier, effective_from <= created_at FROM platform.usage_tier_changes WHERE user_id = :u1 ORDER BY id;
-- up and down within the period: at once, and never below what was used
SELECT used_seconds FROM platform.record_call_usage(:org, :u1, 'c1', 8000);
SELECT changed, call_cap_seconds, limit_state FROM platform.apply_tier(:org, :u1, 'pro');
SELECT used_seconds, limit_state FROM platform.record_call_usage(:org, :u1, 'c2', 8000);
SELECT changed, call_cap_seconds, limit_state FROM platform.apply_tier(:org, :u1, 'core');
:limits :u1;
-- events keep the prices of their moment
SELECT e.call_id, s.tier_id FROM platform.call_events e JOIN platform.tier_snapshots s ON s.id = e.tier_snapshot_id WHERE e.user_id = :u1 ORDER BY e.id;
SELECT difference FROM platform.record_call_usage(:org, :u1, 'c2', 8001);
SELECT e.call_id, e.seconds, s.tier_id FROM platform.call_events e JOIN platform.tier_snapshots s ON s.id = e.tier_snapshot_id WHERE e.user_id = :u1 AND e.call_id = 'c2' ORDER BY e.id;
-- by the clock: a period of which half is over
INSERT INTO platform.usage_limits (organization_id, user_id, period_start, period_end, period_anchor, call_cap_seconds, sms_cap, grace_seconds, plan_status, tier, tier_snapshot_id, tier_since)
SELECT :org, :u2, now() - interval '15 days', now() + interval '15 days', now() - interval '15 days', 9000, 250, 600, 'active', 'core', id, now() - interval '15 days'
FROM platform.tier_snapshots WHERE tier_id = 'core' AND effective_until IS NULL;
SELECT call_cap_seconds BETWEEN 13499 AND 13500 AS half, sms_cap BETWEEN 624 AND 625 AS half_sms FROM platform.apply_tier(:org, :u2, 'pro', true);
-- an event of before the change, told now, has the prices of then
INSERT INTO platform.usage_tier_changes (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)
SELECT :org, :u2, now() - interval '15 days', 'core', id, 'tier' FROM platform.tier_snapshots WHERE tier_id = 'core' AND effective_until IS NULL;
SELECT difference, late FROM platform.record_call_usage(:org, :u2, 'then', 60, now() - interval '1 day');
SELECT s.tier_id FROM platform.call_events e JOIN platform.tier_snapshots s ON s.id = e.tier_snapshot_id WHERE e.call_id = 'then' AND e.user_id = :u2;

-- top-ups: once a payment; the stop is gone, in this period and after it
SELECT changed FROM platform.apply_tier(:org, :u3, 'core');
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :u3, 'c3', 9601);
SELECT duplicate, call_seconds, call_credit, limit_state, remaining_seconds FROM platform.apply_top_up(:org, :u3, 'call_300', 'pay_1');
SELECT duplicate, call_seconds, call_credit, limit_state, remaining_seconds FROM platform.apply_top_up(:org, :u3, 'call_300', 'pay_1');
SELECT allowed, reason, limit_state FROM platform.check_usage(:org, :u3);
SELECT duplicate, sms_segments, sms_credit, remaining_sms FROM platform.apply_top_up(:org, :u3, 'sms_500', 'pay_2');
UPDATE platform.usage_top_up_packages SET is_active = false WHERE package = 'call_300';
SELECT duplicate FROM platform.apply_top_up(:org, :u3, 'call_300', 'pay_1');
-- each limit that is reached is told once, also when a correction crosses it again
SELECT limit_state FROM platform.record_call_usage(:org, :u3, 'c3', 24000);
SELECT limit_state FROM platform.record_call_usage(:org, :u3, 'c3', 9601);
SELECT limit_state FROM platform.record_call_usage(:org, :u3, 'c3', 28000);
SELECT alert_type, used, usage_limit FROM platform.usage_alerts WHERE user_id = :u3 ORDER BY id;
SELECT alert_type, severity, message FROM platform.alerts WHERE user_id = :u3 ORDER BY id;
-- bought without ever having a plan
SELECT call_credit, limit_state FROM platform.apply_top_up(:org, :u4, 'call_800', 'pay_3', 'other');
SELECT allowed, reason, limit_seconds, sms_allowed, sms_reason FROM platform.check_usage(:org, :u4);
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.apply_top_up(:org, :u4, 'call_300', 'pay_1');
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, :u3, 'call_800', 'pay_1');
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, :u3, 'call_300', 'pay_9');
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, :u3, 'nothing', 'pay_9');
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, :u3, 'call_800', NULL);
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, 'ca500300-0000-4000-8000-0000000000ff', 'call_800', 'pay_9');
ROLLBACK TO s;
UPDATE platform.usage_top_ups SET price_cents = 0;
ROLLBACK TO s;
SELECT platform.apply_tier(:org, :u1, 'nothing');
ROLLBACK TO s;
SELECT platform.apply_tier(:org, :u1, NULL);
ROLLBACK TO s;
SELECT platform.apply_tier(:org, :u1, 'core', NULL);
ROLLBACK TO s;
SELECT platform.apply_tier(:org, :u1, 'core', starts_at => '2024-01-01');
ROLLBACK TO s;
SELECT platform.apply_tier(:org, 'ca500300-0000-4000-8000-0000000000a8', 'core', starts_at => now() + '1 day');
ROLLBACK TO s;
SELECT platform.apply_tier(:org, 'ca500300-0000-4000-8000-0000000000ff', 'core');
ROLLBACK TO s;
UPDATE platform.usage_tiers SET is_active = false WHERE tier = 'elite';
SELECT platform.apply_tier(:org, :u1, 'elite');
ROLLBACK TO s;
\set VERBOSITY default

-- overrides: beside the arithmetic, with a reason and an end
SELECT platform.force_pause(:org, :u3, 'fraud check', 'infinity');
SELECT allowed, reason, sms_allowed, sms_reason, limit_state FROM platform.check_usage(:org, :u3);
SELECT call_credit FROM platform.apply_top_up(:org, :u3, 'call_800', 'pay_4');
SELECT allowed, reason, limit_state FROM platform.check_usage(:org, :u3);
SELECT force_pause, force_resume, force_reason, force_until FROM platform.usage_limits WHERE user_id = :u3;
SELECT platform.clear_force(:org, :u3), platform.clear_force(:org, :u3);
SELECT allowed, reason FROM platform.check_usage(:org, :u3);
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :u3, 'c4', 100000);
SELECT platform.force_resume(:org, :u3, 'goodwill', now() + interval '1 hour');
SELECT allowed, reason, limit_state FROM platform.check_usage(:org, :u3);
SELECT platform.require_usage(:org, :u3);
-- over: nobody has to end it
UPDATE platform.usage_limits SET force_until = now() - interval '1 second' WHERE user_id = :u3;
SELECT allowed, reason FROM platform.check_usage(:org, :u3);
-- customers who are billed instead of stopped
UPDATE platform.usage_limits SET limit_action = 'notify-billing' WHERE user_id = :u3;
SELECT limit_state, hard_stop_active FROM platform.usage_limits WHERE user_id = :u3;
SELECT allowed, reason, limit_state FROM platform.check_usage(:org, :u3);
SELECT platform.require_usage(:org, :u3, 'call', 1000);
-- statements cannot make states that the numbers do not say
UPDATE platform.usage_limits SET limit_action = 'block', limit_state = 'under', hard_stop_active = false WHERE user_id = :u3;
SELECT limit_state, hard_stop_active FROM platform.usage_limits WHERE user_id = :u3;
UPDATE platform.usage_limits SET call_cap_seconds = 1000000 WHERE user_id = :u3;
SELECT limit_state, hard_stop_active FROM platform.usage_limits WHERE user_id = :u3;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.force_pause(:org, :u3, NULL, 'infinity');
ROLLBACK TO s;
SELECT platform.force_pause(:org, :u3, 'x', NULL);
ROLLBACK TO s;
SELECT platform.force_pause(:org, :u3, 'x', now() - interval '1 hour');
ROLLBACK TO s;
SELECT platform.force_resume(:org, 'ca500300-0000-4000-8000-0000000000a8', 'x', 'infinity');
ROLLBACK TO s;
-- require_usage: who may, what, and how it is told
SELECT platform.require_usage(:org, 'ca500300-0000-4000-8000-0000000000a8');
ROLLBACK TO s;
SELECT platform.require_usage(:org, :u4, 'sms');
ROLLBACK TO s;
SELECT platform.require_usage(:org, :u4, 'call', 48001);
ROLLBACK TO s;
SELECT platform.require_usage(:org, :u4, 'call', 48000);
SELECT platform.require_usage(:org, :u4, 'fax');
ROLLBACK TO s;
SELECT platform.require_usage(:org, :u4, 'call', 0);
ROLLBACK TO s;
SELECT platform.require_usage(:org, NULL);
ROLLBACK TO s;
\set VERBOSITY default

-- add-ons
SELECT platform.add_premium_feature(:org, :u1, 'post_call_sms'), platform.add_premium_feature(:org, :u1, 'post_call_sms');
SELECT platform.has_premium_feature(:org, :u1, 'post_call_sms'), platform.has_premium_feature(:org, :u1, 'zapier_webhooks'), platform.has_premium_feature(:org, :u2, 'post_call_sms');
SELECT platform.has_premium_feature(:org, :u1, 'post_call_sms', now() - interval '1 day');
SELECT platform.end_premium_feature(:org, :u1, 'post_call_sms'), platform.end_premium_feature(:org, :u1, 'post_call_sms');
SELECT platform.has_premium_feature(:org, :u1, 'post_call_sms');
SELECT platform.add_premium_feature(:org, :u1, 'review_requests', '2024-01-01', '2024-02-01');
SELECT platform.has_premium_feature(:org, :u1, 'review_requests', '2024-01-31 23:59:59+00'), platform.has_premium_feature(:org, :u1, 'review_requests', '2024-02-01 00:00+00');
SELECT feature, monthly_price, ends_at IS NULL AS open FROM platform.user_premium_features WHERE user_id = :u1 ORDER BY id;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.add_premium_feature(:org, :u1, 'nothing');
ROLLBACK TO s;
SELECT platform.add_premium_feature(:org, :u1, 'review_requests', '2024-02-01', '2024-01-01');
ROLLBACK TO s;
SELECT platform.add_premium_feature(:org, 'ca500300-0000-4000-8000-0000000000ff', 'review_requests');
ROLLBACK TO s;
SELECT platform.has_premium_feature(:org, :u1, NULL);
ROLLBACK TO s;
\set VERBOSITY default

-- snapshots: minutes, rounded up
SELECT platform.snapshot_usage('test', :org);
SELECT user_id, source, minutes_used, cap_minutes, remaining_minutes FROM platform.usage_snapshots WHERE organization_id = :org ORDER BY user_id;
SELECT user_id, tier, allowed, reason, used_seconds FROM platform.usage_overview WHERE organization_id = :org ORDER BY user_id;
ROLLBACK;
