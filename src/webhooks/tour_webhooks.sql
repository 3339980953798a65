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
\echo A worker claims the request to send. It is signed, and nobody else gets it before its lease ends.
\echo
\set ECHO queries
CREATE TEMP TABLE first AS SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription';
SELECT attempt, method, url, convert_from(body, 'UTF8') AS body FROM first;
SELECT key AS header, left(value, 40) AS value FROM first, jsonb_each_text(headers) ORDER BY key;
SELECT platform.verify_webhook_request('standard', headers, body, ARRAY[:'secret']) AS receiver_accepts,
	platform.verify_webhook_request('standard', headers, body || ' ', ARRAY[:'secret']) AS changed_on_the_way FROM first;
\set ECHO none
\echo
\echo The receiver is busy, and says when to come back. Somebody does not want to wait; then it
\echo arrives. A result that comes with the lease of before changes nothing.
\echo
\set ECHO queries
SELECT r.outcome, r.next_attempt_at - clock_timestamp() > interval '119 s' AS as_long_as_it_said
FROM first, platform.complete_webhook_delivery(delivery_id, lease_id, 503, 41, retry_after => '120') AS r;
SELECT platform.retry_webhook_delivery(delivery_id) FROM first \g /dev/null
CREATE TEMP TABLE second AS SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription';
SELECT late.outcome AS late_one, r.outcome FROM first, platform.complete_webhook_delivery(delivery_id, lease_id, 200) AS late,
	second, platform.complete_webhook_delivery(second.delivery_id, second.lease_id, 200, 35) AS r;
SELECT h.attempt, outcome, http_status, duration_ms, error FROM first, platform.webhook_delivery_history(delivery_id) AS h;
\set ECHO none
\echo
\echo It was delivered, and the customer lost it. It is sent once more, with the webhook-id it had.
\echo While the subscription is paused it is held, and nothing is dropped.
\echo
\set ECHO queries
SELECT platform.replay_webhook_delivery(delivery_id) IS NOT NULL AS replayed FROM first;
SELECT platform.pause_webhook_subscription(:'subscription') AS paused;
SELECT event_type, replay, state, attempts, response_status FROM platform.list_webhook_deliveries(:org, :'subscription');
SELECT platform.resume_webhook_subscription(:'subscription') AS resumed;
CREATE TEMP TABLE third AS SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription';
SELECT third.headers ->> 'webhook-id' = first.headers ->> 'webhook-id' AS same_webhook_id, r.outcome
FROM first, third, platform.complete_webhook_delivery(third.delivery_id, third.lease_id, 200, 28) AS r;
SELECT name, breaker, attempts, success_rate, p50_ms, p95_ms FROM platform.webhook_endpoint_health WHERE subscription_id = :'subscription';
ROLLBACK;
\set ECHO none
