-- Who may what: a customer sees its own usage, administrators their organization's, operators change; nobody else anything
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES
	('ca500600-0000-4000-8000-000000000001', 'Ours'), ('ca500600-0000-4000-8000-000000000002', 'Theirs') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500600-0000-4000-8000-0000000000a' || i)::uuid, 'access-' || i || '@example.com' FROM generate_series(1, 3) i
ON CONFLICT DO NOTHING;
\set org '''ca500600-0000-4000-8000-000000000001'''
\set other '''ca500600-0000-4000-8000-000000000002'''
\set ann '''ca500600-0000-4000-8000-0000000000a1'''
\set bob '''ca500600-0000-4000-8000-0000000000a2'''
\set counts 'SELECT (SELECT count(*) FROM platform.usage_limits) AS limits, (SELECT count(*) FROM platform.usage_periods) AS periods, (SELECT count(*) FROM platform.call_events) AS calls, (SELECT count(*) FROM platform.usage_calls) AS usage_calls, (SELECT count(*) FROM platform.sms_events) AS sms, (SELECT count(*) FROM platform.usage_sms) AS usage_sms, (SELECT count(*) FROM platform.usage_alerts) AS alerts, (SELECT count(*) FROM platform.usage_top_ups) AS top_ups, (SELECT count(*) FROM platform.usage_tier_changes) AS changes, (SELECT count(*) FROM platform.usage_overview) AS overview, (SELECT count(*) FROM platform.user_premium_features) AS features'
\set ECHO all
BEGIN;
SELECT a.changed, b.changed, c.changed FROM platform.apply_tier(:org, :ann, 'core') a, platform.apply_tier(:org, :bob, 'core') b, platform.apply_tier(:other, :ann, 'core') c;
SELECT count(*) FROM platform.record_call_usage(:org, :ann, 'c1', 10000) a, platform.record_call_usage(:org, :bob, 'c2', 10) b, platform.record_call_usage(:other, :ann, 'c1', 10) c,
	platform.record_sms_usage(:org, :ann, 'm1'), platform.apply_top_up(:org, :bob, 'sms_500', 'access_1'), platform.add_premium_feature(:org, :ann, 'post_call_sms');
SELECT platform.set_context(:org, :ann);
SET LOCAL ROLE platform_test_member;
-- its own, in this organization
:counts;
SELECT count(*) > 0 AS tiers FROM platform.usage_tiers;
SELECT count(*) > 0 AS versions FROM platform.tier_snapshots;
SELECT allowed, reason FROM platform.check_usage(:org, :ann);
SELECT platform.has_premium_feature(:org, :ann, 'post_call_sms');
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.require_usage(:org, :ann);
ROLLBACK TO s;
SELECT platform.check_usage(:org, :bob);
ROLLBACK TO s;
SELECT platform.check_usage(:other, :ann);
ROLLBACK TO s;
SELECT platform.require_usage(:org, :bob);
ROLLBACK TO s;
SELECT platform.has_premium_feature(:org, :bob, 'post_call_sms');
ROLLBACK TO s;
-- and changes nothing
UPDATE platform.usage_limits SET call_cap_seconds = 1000000;
ROLLBACK TO s;
INSERT INTO platform.call_events (id, organization_id, user_id, period_id, occurred_at, recorded_at, seconds, total_seconds, sequence, event_type, call_id)
VALUES (:org, :org, :ann, :org, now(), now(), -1000, 0, 1, 'usage', 'x');
ROLLBACK TO s;
DELETE FROM platform.usage_alerts;
ROLLBACK TO s;
SELECT * FROM platform.sms_reservations;
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1);
ROLLBACK TO s;
SELECT platform.record_sms_usage(:org, :ann, 'x', 1);
ROLLBACK TO s;
SELECT platform.apply_tier(:org, :ann, 'scale');
ROLLBACK TO s;
SELECT platform.apply_top_up(:org, :ann, 'call_800', 'x');
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :ann, '{}');
ROLLBACK TO s;
SELECT platform.force_resume(:org, :ann, 'please', 'infinity');
ROLLBACK TO s;
SELECT platform.clear_force(:org, :ann);
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :ann);
ROLLBACK TO s;
SELECT platform.commit_sms(:org, :ann, 'x');
ROLLBACK TO s;
SELECT platform.release_sms(:org, :ann);
ROLLBACK TO s;
SELECT platform.add_premium_feature(:org, :ann, 'zapier_webhooks');
ROLLBACK TO s;
SELECT platform.end_premium_feature(:org, :ann, 'post_call_sms');
ROLLBACK TO s;
SELECT platform.roll_usage_periods();
ROLLBACK TO s;
SELECT platform.snapshot_usage();
ROLLBACK TO s;
RESET ROLE;
-- administrators: all of their organization
\set VERBOSITY default
SELECT platform.set_context(:org, :bob, 'admin');
SET LOCAL ROLE platform_test_member;
:counts;
SELECT allowed FROM platform.check_usage(:org, :ann);
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT platform.check_usage(:other, :ann);
ROLLBACK TO s;
SELECT platform.force_resume(:org, :ann, 'x', 'infinity');
ROLLBACK TO s;
RESET ROLE;
-- strangers: nothing
SET LOCAL ROLE platform_test_stranger;
SELECT platform.check_usage(:org, :ann);
ROLLBACK TO s;
SET LOCAL ROLE platform_test_stranger;
SELECT * FROM platform.usage_limits;
ROLLBACK TO s;
\set VERBOSITY default
ROLLBACK;

-- a read-only transaction answers, and records nothing
BEGIN;
SELECT changed FROM platform.apply_tier(:org, :ann, 'core');
SET LOCAL transaction_read_only = on;
SELECT allowed FROM platform.check_usage(:org, :ann);
SELECT platform.require_usage(:org, :ann);
\set VERBOSITY sqlstate
SELECT platform.record_call_usage(:org, :ann, 'x', 1);
ROLLBACK;
\set VERBOSITY default

-- the gate of calls: an organization whose customers are all stopped may place none
BEGIN;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :org;
INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call, default_call_model_id)
SELECT 'ca500600-0000-4000-8000-0000000000b1', 'Gate', true, true, id FROM platform.ai_models WHERE model_name = 'gpt-4o-realtime-preview';
INSERT INTO platform.chatbots (id, organization_id, package_id, name, enabled_call) VALUES ('ca500600-0000-4000-8000-0000000000c1', :org, 'ca500600-0000-4000-8000-0000000000b1', 'Gate', true);
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT used_seconds FROM platform.record_call_usage(:org, :ann, 'c1', 10);
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT changed FROM platform.apply_tier(:org, :ann, 'core');
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c2', 10000);
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT changed FROM platform.apply_tier(:org, :bob, 'core');
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT platform.force_pause(:org, :bob, 'check', 'infinity');
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
SELECT duplicate FROM platform.apply_top_up(:org, :ann, 'call_300', 'access_2');
SELECT platform.can_place_call(:org, 'ca500600-0000-4000-8000-0000000000c1');
ROLLBACK;
