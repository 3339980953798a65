-- Statements written for schema chatapp run on the optional module compat_chatapp
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set one '''c4a7a900-0000-4000-8000-000000000001'''
\set ECHO all
BEGIN;
SELECT count(*) AS unasked FROM platform.install() WHERE module = 'compat_chatapp';
SELECT version, module, action FROM platform.install('{compat_chatapp}') WHERE module = 'compat_chatapp';
SELECT version, module, action FROM platform.install() WHERE module = 'compat_chatapp';
SELECT name, passed FROM platform.verify() WHERE name LIKE '900 %';
INSERT INTO chatapp.companies (id, name, settings) VALUES (:one, 'Compat', '{"branding": {}}');
INSERT INTO chatapp.chatbot_packages (id, name, enable_chat, enable_call) VALUES ('c4a7a900-0000-4000-8000-0000000000b1', 'Compat package', true, true);
INSERT INTO chatapp.chatbots (company_id, package_id, name) VALUES (:one, 'c4a7a900-0000-4000-8000-0000000000b1', 'Compat bot'), (:one, NULL, 'Compat chat');
INSERT INTO chatapp.users (email, name) VALUES ('compat@chatapp.example', 'Compat');

-- models: added once, found by what they do
INSERT INTO chatapp.ai_models (provider, model_type, model_name, display_name) VALUES
	('openai', 'chat', 'gpt-4-turbo', 'GPT-4 Turbo'),
	('compat', 'chat', 'compat-chat', 'Compat chat');
INSERT INTO chatapp.ai_models (provider, model_type, model_name, display_name, supports_audio) VALUES
	('compat', 'both', 'compat-both', 'Compat both', true) RETURNING model_name, model_type, is_active, id IS NOT NULL AS has_id;
INSERT INTO chatapp.ai_models (id, provider, model_type, model_name, display_name, description, supports_audio,
	input_cost_per_token, output_cost_per_token, audio_cost_per_second_input, audio_cost_per_second_output, created_at) VALUES
	(gen_random_uuid(), 'openai', 'call', 'gpt-4o-realtime-preview-2024-10-01', 'GPT-4 Realtime (Oct 2024)', 'again', true, 0.000005, 0.000020, 0.10, 0.20, NOW());
SELECT model_name, model_type, supports_audio FROM chatapp.ai_models WHERE provider = 'compat' ORDER BY model_name COLLATE "C";
SELECT count(*) AS once FROM chatapp.ai_models WHERE model_name IN ('gpt-4-turbo', 'gpt-4o-realtime-preview-2024-10-01') AND description IS DISTINCT FROM 'again';
UPDATE chatapp.ai_models SET model_type = 'chat' WHERE model_type IS NULL AND deleted_at IS NULL;

-- companies get the switch
UPDATE chatapp.companies SET settings = jsonb_set(settings, '{features}', jsonb_build_object('callEnabled', false), true)
WHERE settings -> 'features' IS NULL AND deleted_at IS NULL;
UPDATE chatapp.companies SET settings = jsonb_set(settings, '{features,callEnabled}', 'true'::jsonb, true) WHERE id IN (:one) AND deleted_at IS NULL;
SELECT settings FROM chatapp.companies WHERE id = :one;
-- chatbots by capability
SELECT name FROM chatapp.chatbots WHERE enabled_call = true AND deleted_at IS NULL AND company_id = :one;
SELECT name FROM chatapp.chatbots WHERE enabled_call = true AND enabled_chat = false AND deleted_at IS NULL AND company_id = :one;
SELECT name FROM chatapp.chatbot_packages WHERE enable_chat = true AND enable_call = true AND deleted_at IS NULL AND name LIKE 'Compat%';
UPDATE chatapp.chatbots SET settings = jsonb_set(settings, '{call,silenceTimeout}', '60', true) WHERE name = 'Compat bot' AND company_id = :one;
SELECT settings #> '{call,silenceTimeout}' AS timeout FROM chatapp.chatbots WHERE name = 'Compat bot' AND company_id = :one;
SAVEPOINT s;
UPDATE chatapp.chatbots SET settings = jsonb_set(settings, '{call,silenceTimeout}', '6', true) WHERE name = 'Compat bot' AND company_id = :one;
ROLLBACK TO s;
-- data integrity: no row
SELECT id, name, enabled_chat, enabled_call FROM chatapp.chatbots WHERE NOT (enabled_chat = true OR enabled_call = true) AND deleted_at IS NULL;
SELECT id, name, settings -> 'call' AS call_settings FROM chatapp.chatbots
WHERE enabled_call = true AND (settings -> 'call' IS NULL OR settings -> 'call' = '{}'::jsonb) AND deleted_at IS NULL;
-- all counts are 0
SELECT (SELECT COUNT(*) FROM chatapp.chatbot_packages WHERE enable_chat IS NULL) AS packages_missing_flags,
	(SELECT COUNT(*) FROM chatapp.chatbots WHERE enabled_chat IS NULL) AS chatbots_missing_flags,
	(SELECT COUNT(*) FROM chatapp.ai_models WHERE model_type IS NULL) AS models_missing_type,
	(SELECT COUNT(*) FROM chatapp.companies WHERE settings -> 'features' -> 'callEnabled' IS NULL AND id = :one) AS companies_missing_flag;
-- avatars of any length
UPDATE chatapp.users SET avatar_url = repeat('x', 10000) WHERE email = 'compat@chatapp.example';
SELECT email, role, status, length(avatar_url) FROM chatapp.users WHERE length(avatar_url) > 400;
-- accounts with their secrets encrypted, calls with their states and transcripts
INSERT INTO chatapp.integration_accounts (company_id, account_type, account_name, credentials)
VALUES (:one, 'twilio', 'Compat account', '{"accountSid": "AC1", "authToken": "in clear", "phoneNumber": "+15550100"}');
SELECT credentials ->> 'accountSid' AS sid, credentials::text LIKE '%in clear%' AS leaked FROM chatapp.integration_accounts WHERE company_id = :one;
INSERT INTO chatapp.conversations (company_id, subject) VALUES (:one, 'Compat talk');
INSERT INTO chatapp.calls (id, company_id, source, status) VALUES ('c4a7a900-0000-4000-8000-0000000000d1', :one, 'web', 'ringing');
UPDATE chatapp.calls SET status = 'in_progress' WHERE id = 'c4a7a900-0000-4000-8000-0000000000d1';
INSERT INTO chatapp.call_transcripts (call_id, company_id, role, content, start_time, end_time, duration)
VALUES ('c4a7a900-0000-4000-8000-0000000000d1', :one, 'user', 'hello', 0, 900, 900);
SELECT status, answered_at IS NOT NULL AS answered, content, c.duration
FROM chatapp.calls c JOIN chatapp.call_transcripts t ON t.call_id = c.id WHERE c.company_id = :one;
SAVEPOINT t;
UPDATE chatapp.calls SET status = 'ringing' WHERE id = 'c4a7a900-0000-4000-8000-0000000000d1';
ROLLBACK TO t;
-- accounts of both providers, as the older seeds make them
INSERT INTO chatapp.integration_accounts (id, company_id, account_type, account_name, description, credentials, webhook_url, webhook_secret, status, is_active, created_at, updated_at)
VALUES (gen_random_uuid(), (SELECT id FROM chatapp.companies WHERE deleted_at IS NULL AND id = :one LIMIT 1), 'twilio', 'Compat Twilio', 'for tests',
		'{"accountSid": "ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "authToken": "in clear", "phoneNumber": "+15550100"}'::jsonb,
		'https://compat.example/twilio', 'secret_' || gen_random_uuid()::text, 'pending', false, NOW(), NOW()),
	(gen_random_uuid(), :one, 'whatsapp', 'Compat WhatsApp', 'for tests',
		'{"businessAccountId": "123456789012345", "phoneNumberId": "987654321098765", "phoneNumber": "+15550200", "accessToken": "in clear"}'::jsonb,
		'https://compat.example/whatsapp', 'secret_' || gen_random_uuid()::text, 'pending', false, NOW(), NOW());
SELECT account_type, status, is_active, webhook_url, webhook_secret LIKE 'secret%' AS leaked, credentials::text LIKE '%in clear%' AS leaked_too
FROM chatapp.integration_accounts WHERE company_id = :one AND status = 'pending' AND deleted_at IS NULL ORDER BY account_type COLLATE "C";
-- the common queries: search, one transcript, who spoke, what was hard to hear, the platform's own view
INSERT INTO chatapp.call_transcripts (call_id, company_id, role, content, start_time, end_time, duration, confidence)
VALUES ('c4a7a900-0000-4000-8000-0000000000d1', :one, 'assistant', 'How can I help?', 1000, 2500, 1500, 0.95),
	('c4a7a900-0000-4000-8000-0000000000d1', :one, 'user', 'I was promised refunds', 3000, 5200, 2200, 0.62);
SELECT ct.content, ct.start_time, c.company_id = :one AS ours, c.chatbot_id FROM chatapp.call_transcripts ct JOIN chatapp.calls c ON ct.call_id = c.id
WHERE to_tsvector('english', ct.content) @@ to_tsquery('english', 'refund') AND ct.role = 'user' AND c.company_id = :one AND c.deleted_at IS NULL
ORDER BY ct.created_at DESC LIMIT 100;
SELECT role, content, start_time, end_time, duration, confidence FROM chatapp.call_transcripts WHERE call_id = 'c4a7a900-0000-4000-8000-0000000000d1' ORDER BY start_time ASC;
SELECT SUM(CASE WHEN role = 'user' THEN duration ELSE 0 END) AS user_ms, COUNT(CASE WHEN role = 'assistant' THEN 1 END) AS assistant_utterances
FROM chatapp.call_transcripts WHERE call_id = 'c4a7a900-0000-4000-8000-0000000000d1' GROUP BY call_id;
SELECT ct.content, ct.confidence FROM chatapp.call_transcripts ct JOIN chatapp.calls c ON ct.call_id = c.id
WHERE ct.confidence < 0.70 AND c.company_id = :one AND c.deleted_at IS NULL ORDER BY ct.confidence ASC, ct.created_at DESC LIMIT 50;
SELECT comp.name AS company_name, c.status, c.duration FROM chatapp.calls c JOIN chatapp.companies comp ON c.company_id = comp.id WHERE c.deleted_at IS NULL AND comp.id = :one;
SELECT COUNT(*) AS total, SUM(CASE WHEN enabled_chat AND enabled_call THEN 1 ELSE 0 END) AS both_enabled FROM chatapp.chatbots WHERE deleted_at IS NULL AND company_id = :one;
SELECT SUM(CASE WHEN (settings->'features'->>'callEnabled')::boolean = true THEN 1 ELSE 0 END) AS call_enabled, SUM(CASE WHEN settings->'features'->'callEnabled' IS NULL THEN 1 ELSE 0 END) AS missing_flag
FROM chatapp.companies WHERE deleted_at IS NULL AND id = :one;
SELECT data_type, character_maximum_length FROM information_schema.columns WHERE table_schema = 'chatapp' AND table_name = 'users' AND column_name = 'avatar_url';
SELECT table_name FROM information_schema.tables WHERE table_schema = 'chatapp' AND table_name IN ('integration_accounts', 'calls', 'call_transcripts') ORDER BY table_name COLLATE "C";
-- through the views the indexes of the tables are used, also for the order
CREATE FUNCTION pg_temp.index_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index Scan using ' THEN RETURN substring(line FROM 'Index Scan using (\w+)'); END IF;
	END LOOP;
	RETURN NULL;
END $$;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_sort = off;
SELECT pg_temp.index_of($$SELECT * FROM chatapp.calls WHERE company_id = 'c4a7a900-0000-4000-8000-000000000001' AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 20$$) AS calls,
	pg_temp.index_of($$SELECT * FROM chatapp.call_transcripts WHERE call_id = 'c4a7a900-0000-4000-8000-0000000000d1' ORDER BY start_time ASC$$) AS transcripts;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;
-- what is undone there: the rest of the settings stays, and chatbots that call have call settings
UPDATE chatapp.companies SET settings = settings #- '{features,callEnabled}' WHERE id = :one;
UPDATE chatapp.chatbots SET settings = settings #- '{call}' WHERE company_id = :one;
SELECT (SELECT settings FROM chatapp.companies WHERE id = :one) AS company, name, settings -> 'call' = platform.default_call_settings() AS defaults FROM chatapp.chatbots WHERE company_id = :one ORDER BY name COLLATE "C";
INSERT INTO chatapp.end_users (company_id, name) VALUES (:one, 'Compat caller') RETURNING name, company_id = :one AS ours;
-- no right that the caller has not on the tables
GRANT USAGE ON SCHEMA chatapp TO platform_test_member;
GRANT SELECT ON chatapp.chatbots TO platform_test_member;
SELECT platform.set_context('c4a7a900-0000-4000-8000-000000000002');
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM chatapp.chatbots;
RESET ROLE;
-- nor what it could do as the views' owner, whatever it is granted on them
GRANT ALL ON ALL TABLES IN SCHEMA chatapp TO platform_test_member;
SELECT platform.set_context(:one, role => 'owner');
SET LOCAL ROLE platform_test_member;
SELECT name FROM chatapp.chatbots ORDER BY name COLLATE "C";
SELECT count(*) AS calls FROM chatapp.calls;
SAVEPOINT u;
INSERT INTO chatapp.ai_models (id, provider, model_name, display_name) VALUES (gen_random_uuid(), 'compat', 'mine', 'Mine');
ROLLBACK TO u;
UPDATE chatapp.companies SET settings = jsonb_set(settings, '{features,callEnabled}', 'true'::jsonb, true);
ROLLBACK TO u;
UPDATE chatapp.chatbots SET enabled_call = true WHERE name = 'Compat chat';
ROLLBACK TO u;
UPDATE chatapp.chatbot_packages SET enable_call = true;
ROLLBACK TO u;
UPDATE chatapp.users SET role = 'master_admin';
ROLLBACK TO u;
UPDATE chatapp.calls SET status = 'completed';
ROLLBACK TO u;
INSERT INTO chatapp.call_transcripts (call_id, role, content, start_time, end_time, duration) VALUES ('c4a7a900-0000-4000-8000-0000000000d1', 'user', 'hello', 0, 900, 900);
ROLLBACK TO u;
SELECT credentials FROM chatapp.integration_accounts;
ROLLBACK TO u;
RESET ROLE;
SELECT version, module, action FROM platform.rollback((SELECT max(version) FROM platform.schema_migrations WHERE module <> 'compat_chatapp' AND version < 900)) WHERE version = 900;
SELECT to_regclass('chatapp.chatbots') IS NULL AS gone;
ROLLBACK;
