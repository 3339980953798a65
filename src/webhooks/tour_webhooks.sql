-- tour 90 Webhooks: from an event to a signed request, a retry, a replay
\set org '''d0000000-0000-4000-8000-000000000001'''
\echo
\echo This part is one transaction, rolled back at its end: whatever sends webhooks here has no
\echo part in it. Deliveries are made at once, which otherwise the worker does.
\echo
\set ECHO queries
BEGIN;
SET LOCAL platform.webhook_fanout = sync;
\set ECHO none
\echo
\echo A customer says where, and of what it wants to hear. Addresses that lead inside are
\echo refused in any spelling. The secret is shown this once.
\echo
\set ECHO queries
SELECT url, coalesce(platform.check_webhook_url(url), 'fine') AS verdict
FROM (VALUES ('https://2130706433/hook'), ('https://[::ffff:10.0.0.1]/'), ('https://crm.internal/'), ('https://crm.example.com/hook')) AS v (url);
SELECT id AS subscription, secret FROM platform.create_webhook_subscription(:org, 'Tour CRM', 'https://crm.example.com/hook', '{call.*}') \gset
SELECT platform.emit_event(:org, 'call.completed', '{"call_id": "c1", "duration": 312}') IS NOT NULL AS wanted,
	platform.emit_event(:org, 'lead_created', '{"lead": 7}') IS NOT NULL AS not_wanted;
\set ECHO none
\echo
\echo A worker claims the request to send: it is signed, and the worker's until its lease ends.
\echo
\set ECHO queries
SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription' \gset
SELECT :'method' AS method, :'url' AS url, :attempt AS attempt;
SELECT key AS header, left(value, 40) AS value FROM jsonb_each_text(:'headers') ORDER BY key;
SELECT jsonb_pretty(convert_from(:'body'::bytea, 'UTF8')::jsonb) AS body;
SELECT platform.verify_webhook_request('standard', :'headers', :'body'::bytea, ARRAY[:'secret']) AS receiver_accepts,
	platform.verify_webhook_request('standard', :'headers', :'body'::bytea || ' ', ARRAY[:'secret']) AS changed_on_the_way;
\set ECHO none
\echo
\echo The receiver is busy, and says when to come back. Somebody does not want to wait; then it
\echo arrives. A result for the lease of before changes nothing.
\echo
\set ECHO queries
SELECT outcome, date_trunc('second', next_attempt_at - clock_timestamp()) AS tried_again_in
FROM platform.complete_webhook_delivery(:'delivery_id', :'lease_id', 503, 41, retry_after => '120');
\set first_lease :lease_id
SELECT platform.retry_webhook_delivery(:'delivery_id');
SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription' \gset
SELECT outcome FROM platform.complete_webhook_delivery(:'delivery_id', :'first_lease', 200);
SELECT outcome FROM platform.complete_webhook_delivery(:'delivery_id', :'lease_id', 200, 35);
SELECT attempt, outcome, http_status, duration_ms, error FROM platform.webhook_delivery_history(:'delivery_id');
\set ECHO none
\echo
\echo It was delivered, and the customer lost it. It is sent once more, with the webhook-id it had.
\echo While the subscription is paused it is held, and nothing is dropped.
\echo
\set ECHO queries
SELECT platform.replay_webhook_delivery(:'delivery_id') IS NOT NULL AS replayed;
SELECT platform.pause_webhook_subscription(:'subscription') AS paused;
SELECT event_type, replay, state, attempts, response_status FROM platform.list_webhook_deliveries(:org, :'subscription');
SELECT platform.resume_webhook_subscription(:'subscription') AS resumed;
SELECT delivery_id, lease_id, event_id = :'event_id' AS same_id FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription' \gset
SELECT :'same_id' AS same_webhook_id, outcome FROM platform.complete_webhook_delivery(:'delivery_id', :'lease_id', 200, 28);
SELECT name, breaker, attempts, success_rate, p50_ms, p95_ms FROM platform.webhook_endpoint_health WHERE subscription_id = :'subscription';
ROLLBACK;
\set ECHO none
