-- The examples of the page about the inbox
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\set organization '95400000-0000-4000-8000-000000000001'
\set account '95400000-0000-4000-8000-0000000000a1'
\set event '{"id": "evt_doc", "type": "charge.succeeded", "data": {"object": {"id": "ch_1", "amount": 1200}}}'
INSERT INTO platform.organizations (id, name) VALUES (:'organization', 'Doc Co');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret)
VALUES (:'account', :'organization', 'custom', 'Payments', '{}', 'the endpoint''s secret');
INSERT INTO platform.webhook_queue (organization_id, source, event_type, phone_number, raw_payload)
VALUES (:'organization', 'retell', 'call_inbound', '+13125550100', '{}');
CREATE SCHEMA shop;
CREATE TABLE shop.payments (id text, amount bigint);
CREATE TABLE shop.agents (organization_id uuid, phone_number text);
\set ECHO all

SELECT status, reason FROM platform.ingest_webhook('stripe', :'account',
	platform.sign_webhook_request('stripe', :'event', ARRAY['the endpoint''s secret']), :'event');   -- accepted
SELECT status, reason FROM platform.ingest_webhook('stripe', :'account',
	platform.sign_webhook_request('stripe', :'event', ARRAY['the endpoint''s secret']), :'event');   -- duplicate, SAME_KEY
SELECT status, reason FROM platform.ingest_webhook('stripe', :'account', '{}', :'event');            -- rejected, MISSING_SIGNATURE

SELECT convert_from(body, 'UTF8') FROM platform.webhook_queue q, platform.inbound_request(q.organization_id, q.id)
WHERE idempotency_key = 'id:evt_doc' AND status = 'received';

CREATE FUNCTION shop.on_payment(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS text
LANGUAGE sql AS $$
	INSERT INTO shop.payments VALUES (payload #>> '{data,object,id}', (payload #>> '{data,object,amount}')::bigint);
	SELECT 'success'
$$;
SELECT platform.register_inbound_handler('stripe', 'charge.succeeded', 'shop.on_payment');
SELECT processed, skipped, failed FROM platform.process_inbound();                                   -- 1, 0, 0
SELECT * FROM shop.payments;

SELECT id, organization_id, lease_id FROM platform.claim_inbound('worker-1', 10, '2 minutes', 'retell') \gset
SELECT platform.complete_inbound(:'organization_id', :'id', :'lease_id', 'failed', 'CRM does not answer', '10 minutes');   -- failed
SELECT platform.complete_inbound(:'organization_id', :'id', :'lease_id');                            -- NULL: not yours any more

\set ECHO none
UPDATE platform.webhook_queue SET due_at = now() WHERE source = 'retell' AND organization_id = :'organization';
SELECT platform.complete_inbound(organization_id, id, lease_id, 'unknown_number') FROM platform.claim_inbound('doc', only_source => 'retell') \gset
\set ECHO all
CREATE TRIGGER agents_replay AFTER INSERT OR UPDATE OF phone_number ON shop.agents
	FOR EACH ROW EXECUTE FUNCTION platform.replay_unknown_phone();
SELECT phone_number, events FROM platform.list_unknown_phones(:'organization');
INSERT INTO shop.agents VALUES (:'organization', '+13125550100');
SELECT count(*) FROM platform.list_unknown_phones(:'organization');                                  -- 0

SELECT platform.replay_inbound(organization_id, id) FROM platform.webhook_queue WHERE idempotency_key = 'id:evt_doc' AND status = 'processed';   -- 1
SELECT platform.replay_inbound_range(:'organization', now() - interval '1 day', 'infinity', '{failed,dead}', 'retell');

SELECT event_type, state, result, replays FROM platform.list_inbound(:'organization');
SELECT source, waiting, failing, dead FROM platform.inbound_health WHERE organization_id = :'organization' ORDER BY source;
ROLLBACK;
