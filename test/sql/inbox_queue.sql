-- Events are processed once, tried again when that fails, and replayed; what waits for a number waits, the kill switch holds, nothing is dropped.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''95200000-0000-4000-8000-000000000001'''
\set other '''95200000-0000-4000-8000-000000000002'''
\set account '''95200000-0000-4000-8000-0000000000a1'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Queue Co'), (:other, 'Other Co');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret) VALUES (:account, :org, 'custom', 'Custom', '{}', 'secret');
CREATE SCHEMA inbox_app;
CREATE TABLE inbox_app.effects (id bigint GENERATED ALWAYS AS IDENTITY, webhook_id uuid, event_type text, payload jsonb, who name);
-- a handler: fails, answers, or does what is asked for
CREATE FUNCTION inbox_app.handle(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO inbox_app.effects (webhook_id, event_type, payload, who) VALUES ($2, $3, $4, current_user);
	IF payload ? 'error' THEN RAISE EXCEPTION '%', payload ->> 'error' USING ERRCODE = coalesce(payload ->> 'code', 'P0001'); END IF;
	RETURN payload ->> 'answer';
END $$;
CREATE FUNCTION inbox_app.quiet(uuid, uuid, text, jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO inbox_app.effects (webhook_id, event_type) VALUES ($2, $3)';
CREATE FUNCTION inbox_app.wrong(uuid, uuid, text, jsonb) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pg_temp.come(body text) RETURNS text LANGUAGE sql AS $$
	SELECT i.status FROM platform.ingest_webhook('stripe', '95200000-0000-4000-8000-0000000000a1', platform.sign_webhook_request('stripe', convert_to(body, 'UTF8'), ARRAY['secret']), convert_to(body, 'UTF8')) i $$;
CREATE FUNCTION pg_temp.due() RETURNS void LANGUAGE sql AS $$ UPDATE platform.webhook_queue SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL AND organization_id::text LIKE '9520%' $$;
CREATE TEMP VIEW queue AS SELECT idempotency_key AS key, status, result, error_message, attempts, replays, due_at IS NOT NULL AS due, processed_by, lease_id IS NOT NULL AS leased
	FROM platform.webhook_queue WHERE organization_id = :org ORDER BY id;

-- handlers
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.handle'), platform.register_inbound_handler('stripe', 'quiet', '"inbox_app".QUIET');
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.nothing');
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.wrong');
SELECT platform.register_inbound_handler('stripe', '*', 'handle');
SELECT platform.register_inbound_handler('stripe', '*', 'nowhere.handle');
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.handle(uuid); DROP TABLE inbox_app.effects');
SELECT platform.register_inbound_handler(NULL, '*', 'inbox_app.handle');
SELECT platform.register_inbound_handler('stripe', '', 'inbox_app.handle');
SELECT platform.unregister_inbound_handler('stripe', 'none'), platform.unregister_inbound_handler('stripe', 'quiet'), platform.register_inbound_handler('stripe', 'quiet', 'inbox_app.quiet');
SELECT source, event_type, handler FROM platform.webhook_handlers WHERE handler LIKE 'inbox_app.%' ORDER BY event_type COLLATE "C";

-- processed once; the answer is the result
SELECT pg_temp.come(b) FROM unnest(ARRAY['{"id": "1", "type": "a"}', '{"id": "2", "type": "a", "answer": "blocked"}', '{"id": "3", "type": "quiet"}']) b;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT * FROM queue;
SELECT event_type, payload, who = (SELECT relowner::regrole::name FROM pg_class WHERE oid = 'platform.webhook_queue'::regclass) AS as_owner FROM inbox_app.effects ORDER BY id;
-- FAULT: marked processed though it failed, and a top-up that comes again credits twice. What a handler did before it failed is undone; the key stays taken
SELECT pg_temp.come('{"id": "topup", "type": "checkout", "error": "not today"}'), pg_temp.come('{"id": "topup", "type": "checkout", "error": "not today"}') AS again;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT pg_temp.come('{"id": "topup", "type": "checkout", "error": "not today"}') AS after_failure;
SELECT * FROM queue WHERE key = 'id:topup' AND status = 'failed';
SELECT count(*) FROM inbox_app.effects WHERE event_type = 'checkout';
-- it is tried again by itself, later
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT due_at - last_attempt_at BETWEEN interval '3.9 s' AND interval '6.1 s' AS soon FROM platform.webhook_queue WHERE organization_id = :org AND idempotency_key = 'id:topup' AND status = 'failed';
UPDATE platform.webhook_queue SET raw_payload = raw_payload - 'error' WHERE organization_id = :org AND idempotency_key = 'id:topup';
SELECT pg_temp.due();
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT pg_temp.come('{"id": "topup", "type": "checkout", "error": "not today"}') AS after_success;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT count(*) FROM inbox_app.effects WHERE event_type = 'checkout';
-- FAULT: what the usage gate refuses waits for ever; no retry, no most attempts, no dead letter. It fails, and ends
SELECT pg_temp.come('{"id": "gate", "type": "call_inbound", "error": "no credit", "code": "PT402"}');
UPDATE platform.webhook_queue SET max_attempts = 3 WHERE organization_id = :org AND idempotency_key = 'id:gate';
SELECT p.*, pg_temp.due() FROM platform.process_inbound(only_source => 'stripe') p;
SELECT p.*, pg_temp.due() FROM platform.process_inbound(only_source => 'stripe') p;
SELECT p.*, pg_temp.due() FROM platform.process_inbound(only_source => 'stripe') p;
SELECT p.*, pg_temp.due() FROM platform.process_inbound(only_source => 'stripe') p;
SELECT * FROM queue WHERE key = 'id:gate';
SELECT severity, title, message, occurrences FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'webhook_dead';
-- FAULT: a replay that runs nothing. It runs again, with all attempts
UPDATE platform.webhook_queue SET raw_payload = '{"answer": "done"}' WHERE organization_id = :org AND idempotency_key = 'id:gate';
SELECT platform.replay_inbound(:org, id) FROM platform.webhook_queue WHERE organization_id = :org AND idempotency_key = 'id:gate';
SELECT * FROM queue WHERE key = 'id:gate';
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT * FROM queue WHERE key = 'id:gate';
-- a handler that is not there any more, one that answers nonsense, one that gives up
SELECT platform.register_inbound_handler('stripe', 'gone', 'inbox_app.quiet');
UPDATE platform.webhook_handlers SET handler = 'inbox_app.gone' WHERE event_type = 'gone';
SELECT pg_temp.come(b) FROM unnest(ARRAY['{"id": "5", "type": "gone"}', format('{"id": "6", "type": "a", "answer": "%s"}', repeat('x', 64)), '{"id": "7", "type": "a", "answer": "dead"}', '{"id": "8", "type": "a", "answer": "failed"}']) b;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT * FROM queue WHERE key IN ('id:5', 'id:6', 'id:7', 'id:8');
SELECT platform.unregister_inbound_handler('stripe', 'gone');
-- a source without handlers waits for workers; a source with some skips what none takes
UPDATE platform.webhook_queue SET due_at = NULL, status = 'processed' WHERE organization_id = :org AND status = 'failed';
INSERT INTO platform.webhook_queue (organization_id, source, event_type, raw_payload) VALUES (:org, 'plain', 'x', '{}');
SELECT platform.unregister_inbound_handler('stripe', '*');
SELECT pg_temp.come('{"id": "9", "type": "a"}');
SELECT * FROM platform.process_inbound();
SELECT * FROM queue WHERE key = 'id:9' OR key IS NULL AND status = 'received';
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.handle');

-- a handler may write its event's row, or delete it
CREATE FUNCTION inbox_app.mark(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE platform.webhook_queue q SET agent_id = payload ->> 'agent' WHERE q.id = webhook_id;
	IF payload ? 'gone' THEN DELETE FROM platform.webhook_queue q WHERE q.id = webhook_id; END IF;
	RETURN payload ->> 'answer';
END $$;
SELECT platform.register_inbound_handler('stripe', 'mark', 'inbox_app.mark');
SELECT pg_temp.come(b) FROM unnest(ARRAY['{"id": "mark1", "type": "mark", "agent": "a7", "answer": "marked"}', '{"id": "mark2", "type": "mark", "gone": true}', '{"id": "mark3", "type": "mark", "agent": "a8", "answer": "failed"}']) b;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT idempotency_key, agent_id, status, result, attempts FROM platform.webhook_queue WHERE organization_id = :org AND event_type = 'mark' ORDER BY idempotency_key COLLATE "C";
DELETE FROM platform.webhook_queue WHERE organization_id = :org AND event_type = 'mark';
DELETE FROM platform.webhook_requests WHERE organization_id = :org AND convert_from(body, 'UTF8') LIKE '%"mark"%';

-- who may register: an operator that has the rights of the function's owner. As that owner it runs, with its schema alone on the path, whoever processes
CREATE ROLE platform_test_bypass NOLOGIN BYPASSRLS;
GRANT USAGE ON SCHEMA platform, inbox_app TO platform_test_bypass;
GRANT EXECUTE ON FUNCTION platform.register_inbound_handler(text, text, text), platform.process_inbound(integer, text) TO platform_test_bypass;
CREATE FUNCTION inbox_app.who(uuid, uuid, text, jsonb) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', current_user, current_setting('search_path')) $$;
ALTER FUNCTION inbox_app.who(uuid, uuid, text, jsonb) OWNER TO platform_test_bypass;
CREATE FUNCTION inbox_app.set_path(uuid, uuid, text, jsonb) RETURNS text LANGUAGE sql SET search_path = public AS $$ SELECT current_setting('search_path') $$;
SELECT platform.register_inbound_handler('stripe', 'path', 'inbox_app.set_path');
SET LOCAL ROLE platform_test_bypass;
SELECT platform.register_inbound_handler('stripe', 'who', 'inbox_app.handle');
SELECT platform.register_inbound_handler('stripe', 'who', 'inbox_app.who');
RESET ROLE;
SELECT pg_temp.come('{"id": "who", "type": "who"}'), pg_temp.come('{"id": "path", "type": "path"}'), pg_temp.come('{"id": "owner", "type": "a"}');
SET LOCAL ROLE platform_test_bypass;
SET LOCAL search_path = evil, public;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT current_user, current_setting('search_path');
RESET ROLE;
RESET search_path;
SELECT key, status, replace(result, session_user, 'the owner') AS result FROM queue WHERE key IN ('id:who', 'id:path', 'id:owner');

-- workers: claims, and what became of them
SELECT pg_temp.come('{"id": "20", "type": "w"}');
SELECT * FROM platform.claim_inbound('w1', only_source => 'stripe') \gset first_
SELECT :'first_attempt' AS attempt, :'first_source' AS source, :'first_event_type' AS type, :'first_payload' AS payload, convert_from(:'first_body', 'UTF8') AS body, :'first_headers'::jsonb ? 'stripe-signature' AS headers;
SELECT count(*) FROM platform.claim_inbound('w2', only_source => 'stripe');
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT platform.extend_inbound_lease(:org, :'first_id', :'first_lease_id', '2 minutes'), platform.extend_inbound_lease(:org, :'first_id', :'first_id');
SELECT due_at - now() > interval '100 s' AS extended FROM platform.webhook_queue WHERE id = :'first_id';
-- the lease ends, another has it: the late completion changes nothing
SELECT pg_temp.due();
SELECT * FROM platform.claim_inbound('w2', only_source => 'stripe') \gset second_
SELECT :'second_id' = :'first_id' AS same, :'second_attempt' AS attempt;
SELECT platform.complete_inbound(:org, :'first_id', :'first_lease_id') AS late, platform.extend_inbound_lease(:org, :'first_id', :'first_lease_id');
SELECT * FROM queue WHERE key = 'id:20';
SELECT platform.complete_inbound(:org, :'first_id', :'second_lease_id', 'failed', 'try later', '1 hour') AS failed, platform.complete_inbound(:org, :'first_id', :'second_lease_id') AS twice;
SELECT status, error_message, due_at - now() > interval '59 min' AS later FROM platform.webhook_queue WHERE id = :'first_id';
-- a worker that dies each time uses the attempts up
UPDATE platform.webhook_queue SET max_attempts = 4 WHERE id = :'first_id';
SELECT pg_temp.due();
SELECT attempt, pg_temp.due() FROM platform.claim_inbound('w3', only_source => 'stripe');
SELECT attempt, pg_temp.due() FROM platform.claim_inbound('w3', only_source => 'stripe');
SELECT attempt FROM platform.claim_inbound('w3', only_source => 'stripe');
SELECT * FROM queue WHERE key = 'id:20';
-- of several, the longest due first, as many as asked for; done with a word of one's own
SELECT pg_temp.come(format('{"id": "3%s", "type": "w"}', n)) FROM generate_series(1, 3) n;
SELECT payload ->> 'id' AS id, platform.complete_inbound(organization_id, id, lease_id, CASE payload ->> 'id' WHEN '31' THEN 'rate_limited' ELSE 'dead' END) AS status FROM platform.claim_inbound('w', 2, only_source => 'stripe');
SELECT * FROM queue WHERE key LIKE 'id:3_';
SELECT platform.claim_inbound(NULL);
SELECT platform.claim_inbound('w', 0);
SELECT platform.claim_inbound('w', 1001);
SELECT platform.claim_inbound('w', lease => '0');
SELECT platform.claim_inbound('w', lease => '2 days');
SELECT platform.complete_inbound(:org, :'first_id', :'first_id', '');
SELECT platform.complete_inbound(:org, NULL, NULL);
SELECT platform.complete_inbound(:org, :'first_id', :'first_id', 'failed', retry_in => '-1 s');
SELECT platform.process_inbound(0);
SELECT platform.process_inbound(NULL);

-- numbers that are nobody's: kept, alerted, replayed when the number is assigned
INSERT INTO platform.webhook_queue (organization_id, source, event_type, phone_number, raw_payload) VALUES
	(:org, 'stripe', 'call_inbound', '+13125550142', '{"n": 1, "answer": "unknown_number"}'), (:org, 'stripe', 'sms_inbound', '+13125550142', '{"n": 2, "answer": "unknown_number"}'),
	(:org, 'stripe', 'sms_inbound', NULL, '{"n": 3, "answer": "unknown_number"}'), (:org, 'stripe', 'sms_inbound', '+13125550143', '{"n": 4, "answer": "unknown_number"}');
SELECT platform.process_inbound(only_source => 'stripe');
SELECT phone_number, event_type, raw_payload -> 'n' AS n, resolved_at, resolution FROM platform.unknown_phone WHERE organization_id = :org ORDER BY id;
SELECT tenant = :org AS ours, phone_number, events, resolution FROM platform.list_unknown_phones(:org) ORDER BY phone_number COLLATE "C";
SELECT status, result, error_message, due_at > now() AS tried_again FROM platform.webhook_queue WHERE organization_id = :org AND raw_payload ->> 'answer' = 'unknown_number' ORDER BY raw_payload -> 'n';
-- it is tried again as what fails is, noted once, and then waits
SELECT pg_temp.due();
SELECT * FROM platform.process_inbound(only_source => 'stripe');
UPDATE platform.webhook_queue SET max_attempts = 3 WHERE organization_id = :org AND raw_payload ->> 'answer' = 'unknown_number' AND phone_number = '+13125550142';
SELECT pg_temp.due();
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT phone_number, attempts, max_attempts, due_at IS NOT NULL AS tried_again, status FROM platform.webhook_queue WHERE organization_id = :org AND phone_number IS NOT NULL AND result = 'unknown_number' ORDER BY raw_payload -> 'n';
SELECT phone_number, count(*) FROM platform.unknown_phone WHERE organization_id = :org AND resolved_at IS NULL GROUP BY 1 ORDER BY phone_number COLLATE "C";
SELECT unknown_numbers, failing FROM platform.inbound_health WHERE organization_id = :org AND source = 'stripe';
SELECT severity, title, phone_number, occurrences FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'unknown_phone_spike' ORDER BY phone_number COLLATE "C";
CREATE TABLE inbox_app.agents (organization_id uuid, phone_number text);
CREATE TRIGGER agents_replay AFTER INSERT OR UPDATE OF phone_number ON inbox_app.agents FOR EACH ROW EXECUTE FUNCTION platform.replay_unknown_phone();
CREATE TRIGGER agents_wrong BEFORE DELETE ON inbox_app.agents FOR EACH ROW EXECUTE FUNCTION platform.replay_unknown_phone();
UPDATE platform.webhook_queue SET raw_payload = raw_payload - 'answer' WHERE organization_id = :org AND raw_payload ? 'n';
INSERT INTO inbox_app.agents VALUES (:other, '+13125550142'), (:org, NULL);
SELECT count(*) FROM platform.unknown_phone WHERE organization_id = :org AND resolved_at IS NULL;
UPDATE inbox_app.agents SET phone_number = '+13125550142' WHERE organization_id = :org;
DELETE FROM inbox_app.agents;
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT phone_number, raw_payload -> 'n' AS n, resolved_at IS NOT NULL AS resolved, resolution FROM platform.unknown_phone WHERE organization_id = :org ORDER BY id;
SELECT status, result, replays FROM platform.webhook_queue WHERE organization_id = :org AND raw_payload ? 'n' ORDER BY raw_payload -> 'n';
SELECT platform.resolve_unknown_phone(:org, '+13125550143', 'spam', 'robots'), platform.resolve_unknown_phone(:org, '+13125550143'), platform.resolve_unknown_phone(NULL, '+13125550100');
SELECT resolution, notes FROM platform.unknown_phone WHERE organization_id = :org AND phone_number = '+13125550143';
SELECT status, result FROM platform.webhook_queue WHERE organization_id = :org AND phone_number = '+13125550143';
SELECT platform.resolve_unknown_phone(:org, NULL);
SELECT platform.resolve_unknown_phone(:org, '+1', '');

-- the kill switch holds, and drops nothing
INSERT INTO platform.org_feature_flags (organization_id, feature, enabled) VALUES (:org, 'webhooks', false);
SELECT pg_temp.come('{"id": "40", "type": "w"}');
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT count(*) FROM platform.claim_inbound('w', only_source => 'stripe');
SELECT key, status, attempts, due FROM queue WHERE key = 'id:40';
DELETE FROM platform.org_feature_flags WHERE organization_id = :org;
SELECT pg_temp.due();
SELECT * FROM platform.process_inbound(only_source => 'stripe');

-- replays: what may be, what not
SELECT platform.replay_inbound(:org, '95200000-0000-4000-8000-00000000dead');
INSERT INTO platform.webhook_queue (id, organization_id, event_type, status, due_at) VALUES ('95200000-0000-4000-8000-0000000000f1', :org, 'x', 'dead', NULL);
SELECT platform.replay_inbound(:other, '95200000-0000-4000-8000-0000000000f1');
DELETE FROM platform.webhook_queue WHERE id = '95200000-0000-4000-8000-0000000000f1';
SELECT platform.replay_inbound(NULL, :'first_id');
SELECT pg_temp.come('{"id": "40", "type": "w", "changed": true}'), pg_temp.come('{"id": "40", "type": "w"}');
SELECT platform.replay_inbound(:org, id) FROM platform.webhook_queue WHERE organization_id = :org AND status = 'duplicate' AND idempotency_key = 'id:40';
SELECT platform.replay_inbound(:org, id) FROM platform.webhook_queue WHERE organization_id = :org AND status = 'received' AND source = 'plain';
SELECT platform.replay_inbound(:org, id) FROM platform.webhook_queue WHERE organization_id = :org AND status = 'conflict';
SELECT * FROM platform.process_inbound(only_source => 'stripe');
SELECT payload FROM inbox_app.effects WHERE payload ? 'changed';
SELECT platform.replay_inbound_range(:org, '-infinity', 'infinity') AS failed, platform.replay_inbound_range(:org, '-infinity', 'infinity', '{processed}', only_event_type => 'quiet') AS quiet,
	platform.replay_inbound_range(:org, '-infinity', 'infinity', '{processed,dead}', 'stripe', batch => 2) AS two, platform.replay_inbound_range(:other, '-infinity', 'infinity', '{processed}') AS none,
	platform.replay_inbound_range(:org, now() + interval '1 d', 'infinity', '{processed}') AS future, platform.replay_inbound_range(:org, '-infinity', 'infinity', '{}') AS nothing;
SELECT platform.replay_inbound_range(:org, '-infinity', 'infinity', '{received}');
SELECT platform.replay_inbound_range(:org, '-infinity', 'infinity', '{NULL}');
SELECT platform.replay_inbound_range(:org, NULL, 'infinity');
SELECT platform.replay_inbound_range(:org, '-infinity', 'infinity', batch => 0);
SELECT * FROM platform.process_inbound(only_source => 'stripe');

-- health and listings
SELECT source, waiting, processing, failing, dead, unknown_numbers, conflicts, duplicates_24h > 0 AS duplicates, processed_24h > 10 AS processed, success_rate_24h > 0 AS rate, p50_seconds >= 0 AS p50, p95_seconds >= p50_seconds AS p95, oldest_due_at IS NOT NULL AS due
FROM platform.inbound_health WHERE organization_id = :org ORDER BY source COLLATE "C";
SELECT provider, event_type, state, result, attempts FROM platform.list_inbound(:org, 'processed', "limit" => 3);
SELECT count(*) FROM platform.list_inbound(:org, source => 'plain') p, platform.list_inbound(:org, phone_number => '+13125550142') n;
SELECT count(*) FROM platform.list_inbound(:org, before => now() - interval '1 d');
-- retention: what is done goes, with its bytes; what waits stays, keys stay
SELECT table_name, action, rows > 0 AS some, more FROM platform.purge_inbox(keep => '0');
SELECT status, source FROM platform.webhook_queue WHERE organization_id = :org;
SELECT count(*) FROM platform.webhook_requests r WHERE organization_id = :org AND NOT EXISTS (SELECT FROM platform.webhook_queue q WHERE q.request_id = r.id);
SELECT pg_temp.come('{"id": "1", "type": "a"}') AS still_known;
SELECT table_name, action, rows > 0 AS some, more FROM platform.purge_inbox(keep => NULL, keep_keys => '0');
SELECT pg_temp.come('{"id": "1", "type": "a"}') AS forgotten;

-- rights: members see their organization's if they administer it, and may replay it
SELECT platform.set_context(:org, '95200000-0000-4000-8000-0000000000b1', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT count(*) > 0 AS events FROM platform.list_inbound();
SELECT count(*) > 0 AS requests FROM platform.webhook_requests;
SELECT count(*) > 0 AS health FROM platform.inbound_health;
SELECT platform.replay_inbound_range('95200000-0000-4000-8000-000000000001', '-infinity', 'infinity');
SELECT platform.resolve_unknown_phone('95200000-0000-4000-8000-000000000001', '+13125550199');
SELECT platform.replay_inbound('95200000-0000-4000-8000-000000000002', '95200000-0000-4000-8000-00000000dead');
SELECT platform.replay_inbound_range(NULL, '-infinity', 'infinity');
SELECT platform.resolve_unknown_phone(NULL, '+13125550199');
SELECT count(*) FROM platform.webhook_keys;
SELECT platform.claim_inbound('w');
SELECT platform.process_inbound();
SELECT platform.purge_inbox();
SELECT platform.register_inbound_handler('stripe', '*', 'inbox_app.handle');
SELECT platform.ingest_webhook('stripe', '', '{}', '');
UPDATE platform.webhook_queue SET status = 'dead';
RESET ROLE;
SELECT platform.set_context(:org, '95200000-0000-4000-8000-0000000000b2', 'agent');
SET LOCAL ROLE platform_test_member;
SELECT count(*) AS events FROM platform.list_inbound();
SELECT platform.replay_inbound_range('95200000-0000-4000-8000-000000000001', '-infinity', 'infinity');
RESET ROLE;
SELECT platform.set_context(:other, '95200000-0000-4000-8000-0000000000b2', 'owner');
SET LOCAL ROLE platform_test_member;
SELECT count(*) AS events FROM platform.list_inbound();
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.ingest_webhook('stripe', '', '{}', '');
SELECT platform.list_inbound();
SELECT count(*) FROM platform.webhook_queue;
SELECT platform.process_inbound();
RESET ROLE;
ROLLBACK;
