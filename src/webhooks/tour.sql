-- tour 90 Webhooks: from an event to a signed request
\echo
\echo Customers subscribe to events; the secret is shown once, and stored encrypted.
\echo
\set ECHO queries
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) WHERE current_setting('platform.root_key_file') = '';
SELECT id AS subscription, secret FROM platform.create_webhook_subscription('d0000000-0000-4000-8000-000000000001',
	'CRM', 'https://crm.example.com/hook', '{call.*}') \gset
SELECT :'secret' AS secret;
SELECT platform.emit_event('d0000000-0000-4000-8000-000000000001', 'call.completed', '{"call_id": "c1", "duration": 312}') AS webhook_id;
\set ECHO none
\echo
\echo A worker claims what is due, ready to be sent. The receiver is slow: it asks to be
\echo called again in two minutes.
\echo
\set ECHO queries
SELECT delivery_id AS delivery, lease_id AS lease, url, jsonb_pretty(headers) AS headers, convert_from(body, 'UTF8') AS body
FROM platform.claim_webhook_deliveries(10) WHERE subscription_id = :'subscription' \gset
\echo :headers
\echo :body
SELECT outcome, date_trunc('second', next_attempt_at - now()) AS again FROM platform.complete_webhook_delivery(:'delivery', :'lease', 503, 120, retry_after => '120');
\set ECHO none
\echo
\echo Somebody does not want to wait. The same event comes with the same webhook-id.
\echo
\set ECHO queries
SELECT platform.retry_webhook_delivery(:'delivery');
SELECT delivery_id AS delivery, lease_id AS lease FROM platform.claim_webhook_deliveries(10) WHERE subscription_id = :'subscription' \gset
SELECT outcome FROM platform.complete_webhook_delivery(:'delivery', :'lease', 200, 35);
SELECT attempt, outcome, http_status, duration_ms FROM platform.webhook_delivery_history(:'delivery');
SELECT name, breaker, attempts, success_rate, p50_ms, p95_ms FROM platform.webhook_endpoint_health WHERE subscription_id = :'subscription';
\set ECHO none
\echo
\echo A URL that leads to the inside is refused, in whatever spelling.
\echo
\set ECHO queries
SELECT url, platform.check_webhook_url(url) AS refused FROM (VALUES
	('https://169.254.169.254/'), ('https://2852039166/'), ('https://[::ffff:127.0.0.1]/'), ('https://metadata.google.internal/')) u (url);
