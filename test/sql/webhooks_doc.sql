-- The examples of doc/webhooks.md
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
SET client_min_messages = error;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES ('7b4c0000-0000-4000-8000-000000000001', 'Documented');
\o
\set ECHO all
SELECT id AS sub, secret FROM platform.create_webhook_subscription(
	'7b4c0000-0000-4000-8000-000000000001', 'CRM', 'https://crm.example.com/hook', '{call.*}') \gset
SELECT platform.emit_event('7b4c0000-0000-4000-8000-000000000001', 'call.completed',
	'{"call_id": "c1", "duration": 312}') IS NOT NULL AS emitted;
SELECT delivery_id AS delivery, lease_id AS lease, url, attempt FROM platform.claim_webhook_deliveries(100) \gset
SELECT :'url' AS url, :attempt AS attempt;
SELECT outcome, next_attempt_at FROM platform.complete_webhook_delivery(:'delivery', :'lease', 200, 35);
SELECT event_type, state, attempts, response_status, response_time_ms FROM platform.list_webhook_deliveries('7b4c0000-0000-4000-8000-000000000001');
SELECT attempt, outcome, http_status, duration_ms FROM platform.webhook_delivery_history(:'delivery');
SELECT name, breaker, attempts, success_rate, p50_ms, p95_ms, oldest_due FROM platform.webhook_endpoint_health WHERE subscription_id = :'sub';
SELECT name, pending, delivering, held FROM platform.webhook_queue_depth WHERE subscription_id = :'sub';
SELECT length(platform.rotate_webhook_secret(:'sub')) AS new_secret, platform.revoke_previous_webhook_secret(:'sub') AS old_one_revoked;
SELECT platform.check_webhook_url('https://2130706433/'), platform.check_webhook_url('https://crm.example.com/hook') IS NULL AS fine;
SELECT platform.webhooks_enabled('7b4c0000-0000-4000-8000-000000000001');
\set ECHO none
DELETE FROM platform.organizations WHERE id = '7b4c0000-0000-4000-8000-000000000001';
DELETE FROM platform.webhook_events WHERE organization_id = '7b4c0000-0000-4000-8000-000000000001';
DELETE FROM platform.webhook_attempts WHERE organization_id = '7b4c0000-0000-4000-8000-000000000001';
