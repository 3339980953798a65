-- Recording usage: counted once, corrected by differences, in the period it belongs to; facts are recorded whatever the limit
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES
	('ca500100-0000-4000-8000-000000000001', 'Recorded'), ('ca500100-0000-4000-8000-000000000002', 'Other')
ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) VALUES
	('ca500100-0000-4000-8000-0000000000a1', 'recorded-1@example.com'), ('ca500100-0000-4000-8000-0000000000a2', 'recorded-2@example.com')
ON CONFLICT DO NOTHING;
\set org '''ca500100-0000-4000-8000-000000000001'''
\set ann '''ca500100-0000-4000-8000-0000000000a1'''
\set bob '''ca500100-0000-4000-8000-0000000000a2'''
\set answer 'duplicate, difference, late, used_seconds AS used, remaining_seconds AS remaining, limit_state AS state, hard_stop_active AS stop'
\set ECHO all
BEGIN;
SELECT changed, current_tier, call_cap_seconds, sms_cap, period_end - period_start AS length, limit_state FROM platform.apply_tier(:org, :ann, 'core');
-- once, however often it is reported
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c1', 300);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c1', 300);
-- another length is a difference, up and down
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c1', 320);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c1', 20);
SELECT sequence, event_type, seconds, total_seconds FROM platform.call_events WHERE organization_id = :org AND call_id = 'c1' ORDER BY sequence;
SELECT call_id, seconds, reports FROM platform.usage_calls WHERE organization_id = :org;
-- a provider's report is counted once, also when it comes again after a newer one
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 100, event_id => 'e1', cost_cents => 7, direction => 'inbound', phone_number => '+14155550100', agent_id => 'a');
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 130, event_id => 'e2', cost_cents => 9);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 100, event_id => 'e1', cost_cents => 7);
SELECT seconds, cost_cents, direction, phone_number, agent_id, provider_call_id FROM platform.usage_calls WHERE organization_id = :org AND call_id = 'c2';
-- a report that says the same under a new name is remembered
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 130, event_id => 'e3');
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 131, event_id => 'e4');
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c2', 130, event_id => 'e3');
-- a call of no seconds
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c3', 0);
-- the limit is cap + grace: at it, beyond it, and still recorded
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c4', 9000 - 151 - 1);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c5', 600);
SELECT allowed, reason, remaining_seconds FROM platform.check_usage(:org, :ann);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c6', 1);
SELECT allowed, reason, limit_state, remaining_seconds, sms_allowed, sms_reason FROM platform.check_usage(:org, :ann);
SELECT :answer FROM platform.record_call_usage(:org, :ann, 'c7', 5000);
SELECT alert_type, severity, used, usage_limit FROM platform.usage_alerts WHERE organization_id = :org ORDER BY id;
-- messages have a limit of their own, in segments
SELECT duplicate, difference, used_segments, remaining_segments, limit_state FROM platform.record_sms_usage(:org, :ann, 'm1');
SELECT duplicate, difference, used_segments, remaining_segments, limit_state FROM platform.record_sms_usage(:org, :ann, 'm1', 3);
SELECT duplicate, difference, used_segments, remaining_segments, limit_state, hard_stop_active FROM platform.record_sms_usage(:org, :ann, 'm2', 247);
SELECT message_id, segments FROM platform.usage_sms WHERE organization_id = :org ORDER BY message_id;
-- who has no plan is recorded too, and may not go on
SELECT :answer FROM platform.record_call_usage(:org, :bob, 'c8', 60);
SELECT allowed, reason, limit_state, limit_seconds, used_seconds FROM platform.check_usage(:org, :bob);
SELECT count(*) FROM platform.usage_alerts WHERE organization_id = :org AND user_id = :bob;
-- a call is one customer's
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.record_call_usage(:org, :bob, 'c1', 300);
ROLLBACK TO s;
-- and so is a provider's report, among those of calls, and among those of messages
SELECT platform.record_call_usage(:org, :ann, 'c10', 1, event_id => 'e1');
ROLLBACK TO s;
SELECT (platform.record_sms_usage(:org, :ann, 'm3', 1, event_id => 'e1')).duplicate;
SELECT platform.record_sms_usage(:org, :ann, 'm4', 1, event_id => 'e1');
ROLLBACK TO s;
-- bad arguments
SELECT platform.record_call_usage(NULL, :ann, 'x', 1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, NULL, 'x', 1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, NULL, 1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, '', 1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, repeat('x', 256), 1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', NULL);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', -1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1000000001);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1, now() + '1 hour');
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1, '-infinity');
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1, direction => 'sideways');
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, :ann, 'x', 1, cost_cents => -1);
ROLLBACK TO s;
SELECT platform.record_sms_usage(:org, :ann, 'x', -1);
ROLLBACK TO s;
SELECT platform.record_call_usage(:org, 'ca500100-0000-4000-8000-0000000000ff', 'x', 1);
ROLLBACK TO s;
SELECT platform.record_call_usage('ca500100-0000-4000-8000-0000000000ff', :ann, 'x', 1);
ROLLBACK TO s;
-- events are not changed nor removed
UPDATE platform.call_events SET seconds = 0 WHERE organization_id = :org;
ROLLBACK TO s;
DELETE FROM platform.sms_events WHERE organization_id = :org;
ROLLBACK TO s;
TRUNCATE platform.call_events;
ROLLBACK TO s;
\set VERBOSITY default
-- a rollback takes event and counter
SELECT :answer FROM platform.record_call_usage(:org, :bob, 'c9', 40);
ROLLBACK TO s;
SELECT count(*) FROM platform.call_events WHERE organization_id = :org AND call_id = 'c9';
SELECT used_seconds FROM platform.check_usage(:org, :bob);
-- counters are the sums of the events
SELECT l.user_id, l.call_used_seconds = coalesce((SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = l.period_id), 0) AS calls,
	l.sms_used = coalesce((SELECT sum(segments) FROM platform.sms_events e WHERE e.period_id = l.period_id), 0) AS messages
FROM platform.usage_limits l WHERE organization_id = :org ORDER BY user_id;
ROLLBACK;
