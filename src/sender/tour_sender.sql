-- tour 91 The webhook sender: delivered, retried, given up, sent again
\set org '''d0000000-0000-4000-8000-000000000001'''
\getenv port RECEIVER_PORT
\echo
\echo An application may have types of events of its own.
\echo
\set ECHO queries
INSERT INTO platform.webhook_event_types (event_type, description) VALUES
	('order.shipped', 'An order is on its way'), ('order.returned', 'An order came back') ON CONFLICT DO NOTHING;
\set ECHO none
\echo
\if :{?port}
\echo A receiver, a small node program with the library standardwebhooks if that is
\echo installed, listens on this machine. The background worker that sends is started, and
\echo allowed to connect to this machine, which it refuses by default.
\echo
\set ECHO queries
SELECT platform.start_webhook_sender() > 0 AS started;
ALTER SYSTEM SET platform.webhook_urls = 'any';
SELECT pg_reload_conf() \g /dev/null
\set ECHO none
SELECT pg_sleep(0.5) \g /dev/null
DELETE FROM platform.webhook_subscriptions WHERE organization_id = :org AND name LIKE 'Tour %';
\set url 'http://127.0.0.1:' :port
\echo
\echo A customer subscribes, and learns the secret this once. Two things happen; the second
\echo transaction is rolled back.
\echo
\set ECHO queries
SELECT id AS subscription, secret FROM platform.create_webhook_subscription(:org, 'Tour good', :'url' || '/ok/good', ARRAY['order.shipped']) \gset
\set ECHO none
\setenv RECEIVER_SECRET :secret
\! echo "good $RECEIVER_SECRET" >>"$RECEIVER_SECRETS"
\set ECHO queries
SELECT platform.emit_event(:org, 'order.shipped', '{"order": 1}') IS NOT NULL AS committed;
BEGIN;
SELECT platform.emit_event(:org, 'order.shipped', '{"order": 2}') IS NOT NULL AS rolled_back;
ROLLBACK;
SELECT pg_sleep(1) \g /dev/null
SELECT event_type, status, attempts, response_status FROM platform.webhook_deliveries WHERE subscription_id = :'subscription';
\set ECHO none
\echo
\echo What the receiver saw: its name, the webhook-id, whether the signature is valid (1: under
\echo the first secret it knows), bytes, milliseconds, type.
\echo
\! grep '^good ' "$RECEIVER_LOG"
\echo
\echo One that fails twice, and is retried after a second each; one that is not there, and has
\echo no retries: a dead letter.
\echo
\set ECHO queries
SELECT id AS flaky FROM platform.create_webhook_subscription(:org, 'Tour flaky', :'url' || '/flaky/flaky?n=2', ARRAY['order.returned']) \gset
UPDATE platform.webhook_subscriptions SET retry_schedule = '{1}' WHERE id = :'flaky';
SELECT id AS broken FROM platform.create_webhook_subscription(:org, 'Tour broken', :'url' || '/nowhere/broken', ARRAY['order.returned'], retry_policy => 'none') \gset
SELECT platform.emit_event(:org, 'order.returned', '{"order": 1}') IS NOT NULL AS emitted;
SELECT pg_sleep(4) \g /dev/null
SELECT s.name, d.status, d.attempts, d.response_status, d.last_error
FROM platform.webhook_deliveries d JOIN platform.webhook_subscriptions s ON s.id = d.subscription_id
WHERE d.event_type = 'order.returned' AND s.name LIKE 'Tour %' ORDER BY s.name;
SELECT attempt, outcome, http_status FROM platform.webhook_attempts WHERE subscription_id = :'flaky' ORDER BY attempt;
\set ECHO none
\echo
\echo The customer repairs the address, and the dead letter is sent again, with the same webhook-id.
\echo
\set ECHO queries
UPDATE platform.webhook_subscriptions SET url = :'url' || '/ok/broken' WHERE id = :'broken';
SELECT platform.replay_webhook_delivery(id) IS NOT NULL AS replayed FROM platform.webhook_deliveries WHERE subscription_id = :'broken' AND status = 'failed';
SELECT pg_sleep(1) \g /dev/null
SELECT replay, status, response_status FROM platform.webhook_deliveries WHERE subscription_id = :'broken' ORDER BY replay;
\set ECHO none
\! grep '^broken ' "$RECEIVER_LOG"
\echo
\set ECHO queries
SELECT runs_as, doing FROM platform.webhook_sender_status();
SELECT platform.stop_webhook_sender();
ALTER SYSTEM RESET platform.webhook_urls;
SELECT pg_reload_conf() \g /dev/null
\set ECHO none
DELETE FROM platform.webhook_subscriptions WHERE organization_id = :org AND name LIKE 'Tour %';
\else
\echo There is no receiver: it needs node 18 or newer, and the library built with libcurl. So a
\echo worker by hand: what the sender would send, signed, and then told that it was delivered.
\echo
\set ECHO queries
SELECT id AS subscription FROM platform.create_webhook_subscription(:org, 'Tour by hand', 'https://hooks.example.com/tour', ARRAY['order.shipped']) \gset
SELECT platform.emit_event(:org, 'order.shipped', '{"order": 1}') IS NOT NULL AS emitted;
SELECT * FROM platform.claim_webhook_deliveries(100) WHERE subscription_id = :'subscription' \gset
SELECT :'method' AS method, :'url' AS url, key AS header FROM jsonb_object_keys(:'headers') key ORDER BY key;
SELECT outcome FROM platform.complete_webhook_delivery(:'delivery_id', :'lease_id', 200, 35);
SELECT status, attempts, response_status, response_time_ms FROM platform.webhook_deliveries WHERE id = :'delivery_id';
\set ECHO none
DELETE FROM platform.webhook_subscriptions WHERE id = :'subscription';
\endif
DELETE FROM platform.webhook_event_types WHERE event_type IN ('order.shipped', 'order.returned');
