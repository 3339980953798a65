-- Alerts of usage are events for webhooks too: of the same transaction, once a crossing, with what a receiver needs to know
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('10500000-0000-4000-8000-000000000001', 'Told') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('10500000-0000-4000-8000-0000000000a' || i)::uuid, 'told-' || i || '@example.com' FROM generate_series(1, 3) i ON CONFLICT DO NOTHING;
\set org '''10500000-0000-4000-8000-000000000001'''
\set ann '''10500000-0000-4000-8000-0000000000a1'''
\set bob '''10500000-0000-4000-8000-0000000000a2'''
\set cas '''10500000-0000-4000-8000-0000000000a3'''
\set events 'SELECT event_type, right(payload ->> ''user_id'', 2) AS customer, payload ->> ''kind'' AS kind, payload ->> ''unit'' AS unit, payload ->> ''used'' AS used, payload ->> ''limit'' AS "limit", payload ->> ''severity'' AS severity FROM platform.webhook_events WHERE organization_id = ''10500000-0000-4000-8000-000000000001'' ORDER BY id;'
\set ECHO all
SELECT event_type, description FROM platform.webhook_event_types WHERE event_type LIKE 'usage.%' ORDER BY event_type COLLATE "C";
BEGIN;
SELECT count(platform.apply_tier(:org, u, 'core')) FROM unnest(ARRAY[:ann, :bob, :cas]::uuid[]) u;
-- who asks for them gets them, in the transaction itself when deliveries are made there
SET LOCAL platform.webhook_fanout = sync;
SELECT id IS NOT NULL AS subscribed FROM platform.create_webhook_subscription(:org, 'usage', 'https://hooks.example.com/usage', ARRAY['usage.*']);
-- 80 percent of 9600, a second below it and at it; what comes after in that state is no crossing
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c1', 7679);
SELECT count(*) FROM platform.webhook_events WHERE organization_id = :org;
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c2', 1);
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c3', 1);
:events
-- at the cap, within the grace, at the limit
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :ann, 'c4', 9000 - 7681);
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :ann, 'c5', 599);
SELECT count(*) FROM platform.webhook_events WHERE organization_id = :org;
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :ann, 'c6', 1);
:events
-- the same report again, and a correction that goes below and up again: nothing new
SELECT duplicate FROM platform.record_call_usage(:org, :ann, 'c6', 1);
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c1', 0);
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c1', 8000);
SELECT count(*) FROM platform.webhook_events WHERE organization_id = :org;
-- what is bought can be used up again
SELECT limit_state FROM platform.apply_top_up(:org, :ann, 'call_300', 'told_1');
SELECT limit_state FROM platform.record_call_usage(:org, :ann, 'c7', 18000);
-- both at once, and segments
SELECT limit_state FROM platform.record_sms_usage(:org, :ann, 'm1', 250);
-- who is not stopped is not told so
UPDATE platform.usage_limits SET limit_action = 'warn' WHERE organization_id = :org AND user_id = :bob;
SELECT limit_state, hard_stop_active FROM platform.record_call_usage(:org, :bob, 'c8', 9600);
:events
-- an alert has its event, and the other way round; the payload leads to the period
SELECT count(*) AS alerts, count(e.id) AS events, count(p.id) AS periods, bool_and(a.created_at <= clock_timestamp() AND (e.payload ->> 'period_end')::timestamptz = p.period_end) AS same
FROM platform.usage_alerts a LEFT JOIN platform.webhook_events e ON e.payload ->> 'alert_id' = a.id::text
LEFT JOIN platform.usage_periods p ON p.id = (e.payload ->> 'period_id')::uuid WHERE a.organization_id = :org;
SELECT count(*) AS deliveries, count(DISTINCT d.event_id) AS events FROM platform.webhook_deliveries d WHERE d.organization_id = :org;
-- rolled back, nothing was told
SAVEPOINT s;
SELECT limit_state FROM platform.record_call_usage(:org, :cas, 'c9', 9600);
SELECT count(*) FROM platform.webhook_events WHERE organization_id = :org AND payload ->> 'user_id' = :cas;
ROLLBACK TO s;
SELECT count(*) FROM platform.webhook_events WHERE organization_id = :org AND payload ->> 'user_id' = :cas;
-- a smaller tier crosses too
SELECT current_tier FROM platform.apply_tier(:org, :cas, 'pro');
SELECT limit_state FROM platform.record_call_usage(:org, :cas, 'c10', 8000);
SELECT limit_state FROM platform.apply_tier(:org, :cas, 'core');
SELECT event_type, payload ->> 'used' AS used, payload ->> 'limit' AS "limit" FROM platform.webhook_events WHERE organization_id = :org AND payload ->> 'user_id' = :cas;
-- a new period is told of anew
UPDATE platform.usage_limits SET period_start = period_start - interval '31 days', period_end = period_end - interval '31 days', period_anchor = period_anchor - interval '31 days' WHERE organization_id = :org AND user_id = :cas;
UPDATE platform.usage_periods SET period_start = period_start - interval '31 days', period_end = period_end - interval '31 days' WHERE organization_id = :org AND user_id = :cas;
SELECT limit_state FROM platform.record_call_usage(:org, :cas, 'c11', 9000);
SELECT event_type, count(*) FROM platform.webhook_events WHERE organization_id = :org AND payload ->> 'user_id' = :cas GROUP BY 1 ORDER BY 1;
ROLLBACK;
