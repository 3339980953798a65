-- tour 95 Webhooks that come in: verified, recognised, processed once
\echo
\echo An account at a provider has the secret that signs its webhooks. The application hands
\echo over the request as it came; forged ones, repeated ones and changed ones are told apart.
\echo
\set ECHO queries
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret)
VALUES ('d0000000-0000-4000-8000-000000009510', 'd0000000-0000-4000-8000-000000000001', 'custom', 'Payments', '{}', 'tour secret') ON CONFLICT DO NOTHING;
\set account d0000000-0000-4000-8000-000000009510
\set topup '{"id": "evt_tour", "type": "topup.paid", "tokens": 500}'
SELECT v.what, i.status, i.reason
FROM (VALUES (1, 'forged', :'topup', 'a guess'), (2, 'genuine', :'topup', 'tour secret'), (3, 'again', :'topup', 'tour secret'),
	(4, 'changed', '{"id": "evt_tour", "type": "topup.paid", "tokens": 99999}', 'tour secret')) AS v (n, what, body, secret),
	LATERAL platform.ingest_webhook('stripe', :'account', platform.sign_webhook_request('stripe', v.body::bytea, ARRAY[v.secret]), v.body::bytea) AS i
ORDER BY v.n;
\set ECHO none
\echo
\echo A handler is a function of yours. It runs in the transaction that marks its event as
\echo processed: its effects happen once. This one fails at first: nothing of it stays, and
\echo the event is tried again.
\echo
\set ECHO queries
CREATE SCHEMA tour_inbox;
CREATE TABLE tour_inbox.credits (webhook_id uuid, tokens bigint);
CREATE FUNCTION tour_inbox.on_topup(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS text LANGUAGE sql AS $$
	INSERT INTO tour_inbox.credits VALUES (webhook_id, (payload ->> 'tokens')::bigint);
	SELECT (1 / (payload ->> 'rate')::integer)::text $$;
SELECT platform.register_inbound_handler('stripe', '*', 'tour_inbox.on_topup');
UPDATE platform.webhook_queue SET raw_payload = raw_payload || '{"rate": 0}' WHERE account_id = :'account' AND status = 'received';
SELECT processed, failed FROM platform.process_inbound(only_source => 'stripe');
SELECT event_type, state, error_message, attempts, due_at - now() AS tried_again_in FROM platform.list_inbound(status => 'failed', source => 'stripe');
SELECT count(*) AS credits FROM tour_inbox.credits;
\set ECHO none
\echo
\echo The cause is mended; a replay does not wait.
\echo
\set ECHO queries
UPDATE platform.webhook_queue SET raw_payload = raw_payload || '{"rate": 1}' WHERE account_id = :'account' AND status = 'failed';
SELECT platform.replay_inbound(tenant, webhook_id) FROM platform.list_inbound(status => 'failed', source => 'stripe');
SELECT processed, failed FROM platform.process_inbound(only_source => 'stripe');
SELECT tokens FROM tour_inbox.credits;
\set ECHO none
\echo
\echo A call for a number that belongs to nobody yet waits until somebody has it.
\echo
\set ECHO queries
SELECT phone_number, events FROM platform.list_unknown_phones();
SELECT platform.resolve_unknown_phone('d0000000-0000-4000-8000-000000000001', '+13125550177');
SELECT source, waiting, failing, dead, unknown_numbers, conflicts, rejected_24h, duplicates_24h, processed_24h FROM platform.inbound_health ORDER BY source;
\set ECHO none
SELECT platform.unregister_inbound_handler('stripe', '*') \gset
DROP SCHEMA tour_inbox CASCADE;
