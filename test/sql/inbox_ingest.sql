-- Requests of providers: what is not signed is refused with the reason, in every scheme; what is comes in once.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''95100000-0000-4000-8000-000000000001'''
\set twilio '''95100000-0000-4000-8000-0000000000a1'''
\set whatsapp '''95100000-0000-4000-8000-0000000000a2'''
\set custom '''95100000-0000-4000-8000-0000000000a3'''
\set second '''95100000-0000-4000-8000-0000000000a4'''
\set secret '''whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'''
\set t '''2024-05-01 12:00:00+00'''
\set url '''https://example.com/twilio?x=1'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Inbox Co');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret, webhook_url) VALUES
	(:twilio, :org, 'twilio', 'Twilio', '{"authToken": "12345"}', NULL, 'https://inbox.example/twilio/1'),
	(:whatsapp, :org, 'whatsapp', 'WhatsApp', '{"appSecret": "app secret"}', NULL, NULL),
	(:custom, :org, 'custom', 'Custom', '{}', :secret, NULL),
	(:second, :org, 'custom', 'Second', '{}', :secret, NULL);
-- a signed request
CREATE FUNCTION pg_temp.signed(scheme text, body text, secret text, at timestamptz, id text DEFAULT 'msg_1') RETURNS jsonb LANGUAGE sql AS $$
	SELECT platform.sign_webhook_request(scheme, convert_to(body, 'UTF8'), ARRAY[secret], id => id, url => 'https://example.com/twilio?x=1', sent_at => at) $$;
-- its signature cut short
CREATE FUNCTION pg_temp.cut(headers jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_object_agg(key, CASE WHEN key LIKE '%signature%' THEN left(value, -5) ELSE value END) FROM jsonb_each_text(headers) $$;
CREATE FUNCTION pg_temp.come(source text, account text, headers jsonb, body text, at timestamptz, url text DEFAULT 'https://example.com/twilio?x=1') RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', i.status, i.reason) FROM platform.ingest_webhook(source, account, headers, convert_to(body, 'UTF8'), url, at) i $$;
CREATE TEMP TABLE scheme (n int, name text, account text, secret text, body text);
INSERT INTO scheme VALUES
	(1, 'standard', :custom, :secret, '{"type": "invoice.paid"}'),
	(2, 'svix', :custom, :secret, '{"type": "user.created"}'),
	(3, 'stripe', :custom, :secret, '{"id": "evt_1", "type": "charge.succeeded", "pending_webhooks": 2}'),
	(4, 'twilio', :twilio, '12345', 'CallSid=CA1&CallStatus=ringing&Direction=inbound&From=%2B14158675309&To=%2B18005551212'),
	(5, 'meta', :whatsapp, 'app secret', '{"object": "page", "entry": [{"id": "1", "changes": [{"field": "feed", "value": {"item": 1}}]}]}'),
	(6, 'github', :custom, :secret, '{"action": "opened"}'),
	(7, 'slack', :custom, :secret, '{"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}}'),
	(8, 'retell', :custom, :secret, '{"event": "call_ended", "call": {"call_id": "c1", "agent_id": "ag1", "direction": "outbound", "from_number": "+13125550100", "to_number": "+13125550101"}}');
-- forged, changed, cut, unsigned; then accepted; then replayed, late and from the future (where times are signed)
SELECT name, pg_temp.come(name, account, pg_temp.signed(name, body, 'whsec_c29tZWJvZHkgZWxzZQ==', :t), body, :t) AS forged,
	pg_temp.come(name, account, pg_temp.signed(name, body, secret, :t), body || ' ', :t) AS changed,
	pg_temp.come(name, account, pg_temp.cut(pg_temp.signed(name, body, secret, :t)), body, :t) AS truncated,
	pg_temp.come(name, account, '{}', body, :t) AS unsigned
FROM scheme ORDER BY n;
SELECT name, pg_temp.come(name, account, pg_temp.signed(name, body, secret, :t), body, :t) AS signed,
	pg_temp.come(name, account, pg_temp.signed(name, body, secret, :t), body, :t) AS replayed,
	pg_temp.come(name, account, pg_temp.signed(name, body, secret, :t), body, :t::timestamptz + interval '301 s') AS late,
	pg_temp.come(name, account, pg_temp.signed(name, body, secret, :t), body, :t::timestamptz - interval '302 s') AS future
FROM scheme ORDER BY n;
-- nothing at all
SELECT pg_temp.come(NULL, NULL, NULL, NULL, :t), pg_temp.come('none', :custom, '{}', '', :t), pg_temp.come('stripe', 'nobody', '{}', '', :t), pg_temp.come('stripe', :twilio || 'a', '{}', '', :t),
	pg_temp.come('github', :custom, '[]', '', :t), pg_temp.come('github', :custom, '{"x-hub-signature-256": 7}', NULL, :t);
SELECT id, status, reason FROM platform.ingest_webhook('stripe', 'nobody', '{}', '');
-- what was stored
SELECT source, event_type, phone_number, agent_id, raw_payload, left(idempotency_key, 40) AS key, status, result, attempts, due_at IS NOT NULL AS due
FROM platform.webhook_queue WHERE organization_id = :org AND status NOT IN ('rejected', 'duplicate') ORDER BY source COLLATE "C";
SELECT status, reason, count(*), bool_and(request_id IS NULL AND raw_payload IS NULL AND due_at IS NULL) AS slim FROM platform.webhook_queue
WHERE organization_id = :org AND status IN ('rejected', 'duplicate') GROUP BY 1, 2 ORDER BY status COLLATE "C", reason COLLATE "C";
-- byte by byte, and the only event of a request has its id
SELECT q.id = r.request_id AS same_id, convert_from(r.body, 'UTF8') AS body, r.url, r.received_at FROM platform.webhook_queue q, platform.inbound_request(:org, q.id) r WHERE q.source = 'twilio' AND q.organization_id = :org AND q.status = 'received';
-- alerts count up instead of flooding
SELECT alert_type, severity, title, occurrences FROM platform.ops_alerts WHERE alert_type = 'signature_failures' AND (organization_id = :org OR dedup_key = 'unknown account') AND resolved_at IS NULL ORDER BY 1, 3, 4;
-- an account by its webhook_url; one that is switched off, or without secrets
SELECT pg_temp.come('twilio', 'https://inbox.example/twilio/1', pg_temp.signed('twilio', 'CallSid=CA2&CallStatus=completed', '12345', :t), 'CallSid=CA2&CallStatus=completed', :t);
UPDATE platform.integration_accounts SET is_active = false WHERE id = :twilio;
SELECT pg_temp.come('twilio', 'https://inbox.example/twilio/1', pg_temp.signed('twilio', 'CallSid=CA3', '12345', :t), 'CallSid=CA3', :t);
UPDATE platform.integration_accounts SET is_active = true WHERE id = :twilio;
-- both secrets while a rotation's grace lasts
SELECT platform.rotate_integration_secret(:org, :second) AS new_secret \gset
SELECT pg_temp.come('standard', :second, pg_temp.signed('standard', '{}', :secret, now(), 'old'), '{}', now()) AS old,
	pg_temp.come('standard', :second, pg_temp.signed('standard', '{}', :'new_secret', now(), 'new'), '{}', now()) AS new;
UPDATE platform.integration_accounts SET previous_webhook_secret_expires_at = now() - interval '1 s' WHERE id = :second;
SELECT pg_temp.come('standard', :second, pg_temp.signed('standard', '{}', :secret, now(), 'late'), '{}', now()) AS old;
UPDATE platform.integration_accounts SET webhook_secret = :secret WHERE id = :second;
-- FAULT: one space of keys. An id belongs to an account and source, and what begins and ends a call are two events
SELECT pg_temp.come('stripe', :second, pg_temp.signed('stripe', body, secret, :t), body, :t) AS other_account FROM scheme WHERE name = 'stripe';
SELECT e, pg_temp.come('retell', :custom, pg_temp.signed('retell', b, :secret, :t), b, :t) FROM unnest('{call_started,call_ended,call_analyzed}'::text[]) e, format('{"event": "%s", "call": {"call_id": "c2"}}', e) b;
-- FAULT: the same content twice, without an id, is the same event for ten minutes only
SELECT pg_temp.come('retell', :custom, pg_temp.signed('retell', b, :secret, now()), b, now()) AS first, pg_temp.come('retell', :custom, pg_temp.signed('retell', b, :secret, now()), b, now()) AS again
FROM (VALUES ('{"event": "call_inbound", "call_inbound": {"agent_id": "ag2", "from_number": "+13125550199", "to_number": "+13125550100"}}')) v (b);
UPDATE platform.webhook_keys SET expires_at = now() - interval '1 s' WHERE organization_id = :org AND idempotency_key LIKE 'sha256:%';
SELECT pg_temp.come('retell', :custom, pg_temp.signed('retell', b, :secret, now()), b, now()) AS later, pg_temp.come('retell', :custom, pg_temp.signed('retell', b, :secret, now()), b, now()) AS again
FROM (VALUES ('{"event": "call_inbound", "call_inbound": {"agent_id": "ag2", "from_number": "+13125550199", "to_number": "+13125550100"}}')) v (b);
SELECT event_type, phone_number, agent_id, status FROM platform.webhook_queue WHERE organization_id = :org AND event_type = 'call_inbound' AND source = 'retell' ORDER BY id;
-- the window can be shut: then it is a new event each time
SET LOCAL platform.inbox_duplicate_window = 0;
SELECT pg_temp.come('github', :custom, pg_temp.signed('github', '{"n": 1}', :secret, :t), '{"n": 1}', :t), pg_temp.come('github', :custom, pg_temp.signed('github', '{"n": 1}', :secret, :t), '{"n": 1}', :t) AS no_window;
RESET platform.inbox_duplicate_window;
-- the same key with other content: kept, alerted, not processed; and kept once
SELECT pg_temp.come('stripe', :custom, pg_temp.signed('stripe', b, :secret, :t), b, :t) FROM unnest(ARRAY[
	'{"id": "evt_1", "type": "charge.succeeded", "amount": 1}', '{"id": "evt_1", "type": "charge.succeeded", "amount": 1}', '{"id": "evt_1", "type": "charge.succeeded", "amount": 2}',
	'{"type": "charge.succeeded", "pending_webhooks": 1, "id": "evt_1"}']) b;
SELECT q.status, q.reason, q.raw_payload, q.due_at, f.status AS first, convert_from(r.body, 'UTF8') AS body
FROM platform.webhook_queue q JOIN platform.webhook_queue f ON f.id = q.first_id, platform.inbound_request(:org, q.id) r WHERE q.organization_id = :org AND q.status = 'conflict' ORDER BY q.id;
SELECT severity, title, message, occurrences FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'webhook_conflict';
-- Twilio: its token, else the call's or message's id, state and number in the sequence
SELECT h, b, pg_temp.come('twilio', :twilio, pg_temp.signed('twilio', b, '12345', :t) || h, b, :t) FROM (VALUES
	(1, '{"I-Twilio-Idempotency-Token": "t1"}'::jsonb, 'CallSid=CA9&CallStatus=in-progress&Digits=1'), (2, '{"I-Twilio-Idempotency-Token": "t1"}', 'CallSid=CA9&CallStatus=in-progress&Digits=1'),
	(3, '{"I-Twilio-Idempotency-Token": "t2"}', 'CallSid=CA9&CallStatus=in-progress&Digits=1'), (4, '{"I-Twilio-Idempotency-Token": "t1"}', 'CallSid=CA9&CallStatus=in-progress&Digits=2'),
	(5, '{}', 'CallSid=CA9&CallStatus=in-progress&SequenceNumber=0'), (6, '{}', 'CallSid=CA9&CallStatus=in-progress&SequenceNumber=1'), (7, '{}', 'CallSid=CA9&CallStatus=completed&SequenceNumber=1'),
	(8, '{}', 'CallSid=CA9&CallStatus=completed&SequenceNumber=1'), (9, '{}', 'MessageSid=SM1&SmsStatus=received&Body=STOP&From=whatsapp%3A%2B14158675309&To=whatsapp%3A%2B18005551212'),
	(10, '{}', 'MessageSid=SM2&MessageStatus=sent&From=%2B18005551212&To=%2B14158675309'), (11, '{}', 'MessageSid=SM2&MessageStatus=delivered&From=%2B18005551212&To=%2B14158675309'),
	(12, '{}', 'CallSid=CA9&RecordingSid=RE1&RecordingStatus=completed'), (13, '{}', '')) v (n, h, b) ORDER BY n;
SELECT event_type, phone_number, left(idempotency_key, 40) AS key, raw_payload ->> 'x' AS query FROM platform.webhook_queue WHERE organization_id = :org AND source = 'twilio' AND status IN ('received', 'conflict') ORDER BY id;
-- a batch of Meta's: each part by itself, in the form of one
SELECT format('{"object": "whatsapp_business_account", "entry": [{"id": "E1", "changes": [{"field": "messages", "value": {"messaging_product": "whatsapp",
	"metadata": {"display_phone_number": "4930123456", "phone_number_id": "P1"}, "contacts": [{"wa_id": "1"}],
	"messages": [{"id": "wamid.1", "timestamp": "1", "text": {"body": "one"}}, {"id": "wamid.2", "timestamp": "2", "text": {"body": "two"}}],
	"statuses": [{"id": "wamid.0", "status": "sent", "timestamp": "1"}, {"id": "wamid.0", "status": "read", "timestamp": "3"}, {"id": "wamid.0", "status": "read", "timestamp": "3"}]}}]},
	{"id": "E2", "changes": [{"field": "account_update", "value": {"event": "VERIFIED"}}], "messaging": [{"sender": {"id": "7"}, "timestamp": 5, "message": {"mid": "m.1"}}]}, 5]}') AS batch \gset
SELECT pg_temp.come('whatsapp', :whatsapp, pg_temp.signed('meta', :'batch', 'app secret', :t), :'batch', :t) AS batch, pg_temp.come('whatsapp', :whatsapp, pg_temp.signed('meta', :'batch', 'app secret', :t), :'batch', :t) AS again;
SELECT event_type, phone_number, left(idempotency_key, 30) AS key, raw_payload #> '{entry,0,changes,0,value,messages}' AS messages, raw_payload #> '{entry,0,changes,0,value,statuses}' AS statuses, raw_payload #> '{entry,0,id}' AS entry
FROM platform.webhook_queue WHERE organization_id = :org AND source = 'whatsapp' AND status = 'received' ORDER BY id;
SELECT raw_payload FROM platform.webhook_queue WHERE organization_id = :org AND idempotency_key = 'message:wamid.2::2' AND status = 'received';
SELECT count(DISTINCT request_id) AS requests, count(*) AS events FROM platform.webhook_queue WHERE organization_id = :org AND source = 'whatsapp' AND status = 'received';
-- parts that came again in another batch, with one that is new and one that changed
SELECT '{"entry": [{"id": "E1", "changes": [{"field": "messages", "value": {"messages": [{"id": "wamid.3", "timestamp": "4"}, {"id": "wamid.1", "timestamp": "1", "text": {"body": "1"}}]}}]}]}' AS batch \gset
SELECT pg_temp.come('whatsapp', :whatsapp, pg_temp.signed('meta', :'batch', 'app secret', :t), :'batch', :t) AS batch;
SELECT idempotency_key, status FROM platform.webhook_queue WHERE organization_id = :org AND idempotency_key IN ('message:wamid.3::4', 'message:wamid.1::1') ORDER BY id;
-- Slack: what is clicked is JSON in a form
SELECT pg_temp.come('slack', :custom, pg_temp.signed('slack', b, :secret, :t) || '{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}', b, :t) FROM unnest(ARRAY['payload=%7B%22type%22%3A%22block_actions%22%7D', 'command=%2Fhelp&text=a+b']) b;
SELECT event_type, raw_payload FROM platform.webhook_queue WHERE organization_id = :org AND source = 'slack' AND event_type IN ('block_actions', 'slash_command') ORDER BY id;
-- bodies that are no text, and keys that are too long for an index
SELECT pg_temp.come('github', :custom, pg_temp.signed('github', b, :secret, :t) || jsonb_build_object('X-GitHub-Delivery', repeat('d', n), 'X-GitHub-Event', repeat('e', n)), b, :t) FROM (VALUES ('{"a": "\u0000"}', 10), ('no JSON', 20), ('[1, {"a": 19.99}]', 5000), ('{"a": 1', 30)) v (b, n);
SELECT i.status FROM platform.ingest_webhook('github', :custom, jsonb_build_object('x-hub-signature-256', platform.sign_github_webhook('\xff00', :secret)), '\xff00', received_at => :t) i;
SELECT length(event_type) AS type, length(idempotency_key) AS key, raw_payload FROM platform.webhook_queue WHERE organization_id = :org AND source = 'github' AND status = 'received' ORDER BY id;
-- headers are kept, but for those that are secrets
SELECT i.status FROM platform.ingest_webhook('github', :custom, jsonb_build_object('X-Hub-Signature-256', platform.sign_github_webhook('h', :secret), 'Authorization', 'Bearer x', 'COOKIE', 'y', 'X-GitHub-Delivery', 'h1', 'User-Agent', 'GitHub'), 'h', received_at => :t) i;
SELECT r.headers - 'x-hub-signature-256' AS headers FROM platform.webhook_queue q, platform.inbound_request(:org, q.id) r WHERE q.organization_id = :org AND q.idempotency_key = 'id:h1';
-- whoever floods it with refused requests fills no disk
SELECT count(*) > 100 AS many FROM (SELECT pg_temp.come('github', :second, '{"x-hub-signature-256": "sha256=0"}', n::text, :t) FROM generate_series(1, 120) n) f;
SELECT count(*) FROM platform.webhook_queue WHERE account_id = :second AND status IN ('rejected', 'duplicate') AND received_at = :t;
SELECT platform.ingest_webhook('github', :second, '{}', '', received_at => :t::timestamptz);
-- a request cannot be changed
\set VERBOSITY sqlstate
UPDATE platform.webhook_requests SET body = '' WHERE organization_id = :org;
\set VERBOSITY terse
-- refused
SELECT platform.ingest_webhook('github', :second, '{}', '', received_at => 'infinity');
SET LOCAL ROLE platform_test_stranger;
SELECT platform.ingest_webhook('github', '95100000-0000-4000-8000-0000000000a3', '{}', '');
SELECT count(*) FROM platform.webhook_queue;
RESET ROLE;
-- EXECUTE is the grant: the signature is the right to store, the clock is the server's
GRANT USAGE ON SCHEMA platform TO platform_test_stranger;
GRANT EXECUTE ON FUNCTION platform.ingest_webhook TO platform_test_stranger;
SELECT pg_temp.signed('github', 'g', :secret, :t) || '{"X-GitHub-Delivery": "g1"}' AS headers \gset
SET LOCAL ROLE platform_test_stranger;
SELECT status, reason FROM platform.ingest_webhook('github', '95100000-0000-4000-8000-0000000000a3', :'headers', 'g');
SELECT status, reason FROM platform.ingest_webhook('github', '95100000-0000-4000-8000-0000000000a3', :'headers', 'G');
SELECT status, reason FROM platform.ingest_webhook('github', '95100000-0000-4000-8000-0000000000a3', :'headers', 'g', received_at => now());
RESET ROLE;
-- a secret that cannot be decrypted is an error, so that the provider sends it again
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
UPDATE platform.integration_accounts SET webhook_secret = overlay(webhook_secret placing 'AAAA' from 60) WHERE id = :custom;
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
SELECT platform.ingest_webhook('github', :custom, :'headers', 'g');
\set ON_ERROR_ROLLBACK off
SET LOCAL transaction_read_only = on;
SELECT platform.ingest_webhook('github', :second, :'headers', 'g');
ROLLBACK;
