-- Chatbots and packages: inheritance, what the package forbids, models that fit, what a package loses
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set one '''ca9b0700-0000-4000-8000-000000000001'''
\set two '''ca9b0700-0000-4000-8000-000000000002'''
\set both '''ca9b0700-0000-4000-8000-0000000000b1'''
\set chat '''ca9b0700-0000-4000-8000-0000000000b2'''
\set call '''ca9b0700-0000-4000-8000-0000000000b3'''
\set gone '''ca9b0700-0000-4000-8000-0000000000b4'''
\set voice '''ca9b0700-0000-4000-8000-0000000000a1'''
\set text '''ca9b0700-0000-4000-8000-0000000000a2'''
\set hybrid '''ca9b0700-0000-4000-8000-0000000000a3'''
\set off '''ca9b0700-0000-4000-8000-0000000000a4'''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES
	(:one, 'Bots one', '{"features": {"callEnabled": true}}'), (:two, 'Bots two', '{"features": {"callEnabled": true}}');
INSERT INTO platform.ai_models (id, provider, model_type, model_name, display_name, is_active) VALUES
	(:voice, 'test', 'call', 'bots-voice', 'Bots voice', true),
	(:text, 'test', 'chat', 'bots-text', 'Bots text', true),
	(:hybrid, 'test', 'both', 'bots-hybrid', 'Bots hybrid', true),
	(:off, 'test', 'both', 'bots-off', 'Bots off', false);
INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call, default_chat_model_id, default_call_model_id, deleted_at) VALUES
	(:both, 'Bots both', true, true, :text, :voice, NULL),
	(:chat, 'Bots chat', true, false, NULL, NULL, NULL),
	(:call, 'Bots call', false, true, NULL, NULL, NULL),
	(:gone, 'Bots gone', true, true, NULL, NULL, now());
CREATE TEMP VIEW bots AS SELECT b.name, p.name AS package, b.enabled_chat, b.enabled_call, t.model_name AS chat_model, v.model_name AS call_model
	FROM platform.chatbots b LEFT JOIN platform.chatbot_packages p ON p.id = b.package_id
	LEFT JOIN platform.ai_models t ON t.id = b.chat_model_id LEFT JOIN platform.ai_models v ON v.id = b.call_model_id
	WHERE b.organization_id IN (:one, :two) ORDER BY b.name COLLATE "C";
SAVEPOINT s;
\set ECHO all
-- a new chatbot takes what it does not say from its package
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES
	(:one, :both, 'a: both'), (:one, :chat, 'b: chat'), (:one, :call, 'c: call'), (:one, NULL, 'd: none');
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_chat, enabled_call, call_model_id) VALUES
	(:one, :both, 'e: says no call', NULL, false, NULL), (:one, :both, 'f: says no chat', false, NULL, NULL),
	(:one, :both, 'g: own model', true, true, :hybrid), (:one, NULL, 'h: none, says call', false, true, NULL);
SELECT * FROM bots;
SELECT name, settings <> '{}' AS has_settings, settings -> 'call' = platform.default_call_settings() AS complete
FROM platform.chatbots WHERE organization_id = :one ORDER BY name COLLATE "C";
ROLLBACK TO s;

-- what the package forbids stays off: at creation, later, by another package
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_call) VALUES (:one, :chat, 'too much', true);
ROLLBACK TO s;
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_chat) VALUES (:one, :call, 'too much', true);
ROLLBACK TO s;
\set VERBOSITY sqlstate
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_call) VALUES (:one, :chat, 'too much', true);
ROLLBACK TO s;
\set VERBOSITY default
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :chat, 'chat'), (:one, :both, 'both');
SAVEPOINT e;
UPDATE platform.chatbots SET enabled_call = true WHERE name = 'chat' AND organization_id = :one;
ROLLBACK TO e;
UPDATE platform.chatbots SET package_id = :chat WHERE name = 'both' AND organization_id = :one;
ROLLBACK TO e;
-- what it allows may go and come back, but one stays
UPDATE platform.chatbots SET enabled_call = false WHERE name = 'both' AND organization_id = :one;
UPDATE platform.chatbots SET package_id = :chat WHERE name = 'both' AND organization_id = :one;
UPDATE platform.chatbots SET package_id = :both, enabled_call = true, enabled_chat = false WHERE name = 'both' AND organization_id = :one;
SELECT * FROM bots;
\set VERBOSITY terse
SAVEPOINT e;
UPDATE platform.chatbots SET enabled_call = false WHERE name = 'both' AND organization_id = :one;
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_chat, enabled_call) VALUES (:one, :both, 'nothing', false, false);
ROLLBACK TO e;
UPDATE platform.chatbots SET enabled_chat = NULL WHERE name = 'both' AND organization_id = :one;
ROLLBACK TO e;
UPDATE platform.chatbot_packages SET enable_chat = false, enable_call = false WHERE id = :both;
ROLLBACK TO e;
\set VERBOSITY default
-- packages that are not there; one that is not on offer is the platform's to give
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, 'ca9b0700-0000-4000-8000-0000000000bf', 'lost');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :gone, 'lost');
ROLLBACK TO e;
UPDATE platform.chatbot_packages SET is_active = false, is_public = false WHERE id = :both;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :both, 'given');
ROLLBACK TO s;

-- models fit or are refused
INSERT INTO platform.chatbots (organization_id, package_id, name, call_model_id) VALUES (:one, :both, 'wrong', :text);
ROLLBACK TO s;
INSERT INTO platform.chatbots (organization_id, package_id, name, chat_model_id) VALUES (:one, :both, 'wrong', :voice);
ROLLBACK TO s;
INSERT INTO platform.chatbots (organization_id, name, chat_model_id) VALUES (:one, 'inactive', :off);
ROLLBACK TO s;
\set VERBOSITY sqlstate
INSERT INTO platform.chatbots (organization_id, name, chat_model_id) VALUES (:one, 'wrong', :voice);
ROLLBACK TO s;
INSERT INTO platform.chatbots (organization_id, name, chat_model_id) VALUES (:one, 'unknown', 'ca9b0700-0000-4000-8000-0000000000af');
ROLLBACK TO s;
\set VERBOSITY default
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :both, 'both');
SAVEPOINT e;
UPDATE platform.chatbots SET call_model_id = :text WHERE organization_id = :one;
ROLLBACK TO e;
UPDATE platform.chatbots SET call_model_id = :hybrid, chat_model_id = :hybrid WHERE organization_id = :one;
-- a model that changes its kind closes a gate and leaves the row; other changes of the row go on
UPDATE platform.ai_models SET model_type = 'chat' WHERE id = :hybrid;
UPDATE platform.chatbots SET description = 'goes on' WHERE organization_id = :one;
SELECT c.chat, c.call, c.reason, c.gate FROM platform.chatbots b, platform.chatbot_capabilities(b.organization_id, b.id) c WHERE b.organization_id = :one;
ROLLBACK TO s;

-- updated_at moves with a change, and only with one
INSERT INTO platform.chatbots (organization_id, name, updated_at) VALUES (:one, 'old', '2020-01-01');
UPDATE platform.chatbots SET name = 'old' WHERE organization_id = :one;
SELECT updated_at < now() AS kept FROM platform.chatbots WHERE organization_id = :one;
UPDATE platform.chatbots SET name = 'new' WHERE organization_id = :one;
SELECT updated_at = now() AS moved FROM platform.chatbots WHERE organization_id = :one;
UPDATE platform.chatbot_packages SET updated_at = '2020-01-01', name = 'moved' WHERE id = :both;
SELECT updated_at = now() AS moved FROM platform.chatbot_packages WHERE id = :both;
ROLLBACK TO s;

-- a package that loses a capability takes it from its chatbots, of all organizations, deleted ones too
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_chat, deleted_at) VALUES
	(:one, :both, 'a: both', true, NULL), (:two, :both, 'b: both', true, NULL),
	(:one, :both, 'c: call only', false, NULL), (:two, :both, 'd: deleted', true, now()), (:one, :chat, 'e: other package', true, NULL);
SELECT name, enabled_chat, enabled_call FROM platform.set_package_capabilities(:both, enable_call => false);
SELECT name, enabled_chat, enabled_call FROM bots;
SELECT b.name, c.* FROM platform.chatbots b, platform.chatbot_capabilities(b.organization_id, b.id) c WHERE b.name = 'c: call only' AND b.organization_id = :one;
-- again: nothing more; what comes back is enabled on no chatbot
SELECT name FROM platform.apply_package_capabilities(:both);
SELECT name FROM platform.set_package_capabilities(:both, enable_call => true);
SELECT name, enabled_chat, enabled_call FROM bots;
-- by hand the chatbots stay, behind a closed gate, until it is applied; verify() tells
UPDATE platform.chatbots SET enabled_call = true WHERE name = 'b: both' AND organization_id = :two;
UPDATE platform.chatbot_packages SET enable_call = false WHERE id = :both;
SELECT name, passed FROM platform.verify() WHERE NOT passed;
SELECT c.* FROM platform.chatbots b, platform.chatbot_capabilities(b.organization_id, b.id) c WHERE b.name = 'b: both' AND b.organization_id = :two;
SELECT name FROM platform.apply_package_capabilities(:both);
SELECT name, enabled_chat, enabled_call FROM bots;
SELECT count(*) FROM platform.verify() WHERE NOT passed;
SELECT name FROM platform.set_package_capabilities(:both);
SAVEPOINT e;
\set VERBOSITY terse
SELECT * FROM platform.set_package_capabilities(:both, false, false);
\set VERBOSITY default
ROLLBACK TO e;
SELECT * FROM platform.set_package_capabilities(NULL, false);
ROLLBACK TO e;
SELECT * FROM platform.apply_package_capabilities(NULL);
ROLLBACK TO e;
SELECT * FROM platform.set_package_capabilities('ca9b0700-0000-4000-8000-0000000000bf', false);
ROLLBACK TO e;
SELECT * FROM platform.apply_package_capabilities('ca9b0700-0000-4000-8000-0000000000bf');
ROLLBACK TO s;

-- many rows, COPY and ON CONFLICT
INSERT INTO platform.chatbots (organization_id, package_id, name) SELECT :one, :both, 'bot ' || n FROM generate_series(1, 1000) n;
SELECT count(*), bool_and(enabled_chat AND enabled_call) AS inherited, bool_and(settings -> 'call' = platform.default_call_settings()) AS complete
FROM platform.chatbots WHERE organization_id = :one;
UPDATE platform.chatbots SET enabled_call = false WHERE organization_id = :one;
UPDATE platform.chatbots SET enabled_call = true WHERE organization_id = :one;
\copy platform.chatbots (id, organization_id, package_id, name) from stdin
ca9b0700-0000-4000-8000-0000000000c1	ca9b0700-0000-4000-8000-000000000002	ca9b0700-0000-4000-8000-0000000000b3	copied
\.
INSERT INTO platform.chatbots (id, organization_id, package_id, name) VALUES ('ca9b0700-0000-4000-8000-0000000000c1', :two, :call, 'again')
ON CONFLICT (id, organization_id) DO UPDATE SET name = excluded.name;
SELECT name, enabled_chat, enabled_call, settings ? 'call' AS has_settings FROM platform.chatbots WHERE organization_id = :two;

-- the models
SELECT provider, model_name, model_type, supports_audio, context_window, max_output_tokens FROM platform.call_models() WHERE provider <> 'test';
SELECT provider, model_name, model_type FROM platform.chat_models() WHERE provider <> 'test';
SELECT trim_scale(input_cost_per_token * 1000000) AS input_per_million, trim_scale(output_cost_per_token * 1000000) AS output_per_million,
	audio_cost_per_second_input, audio_cost_per_second_output, model_name
FROM platform.ai_models WHERE provider <> 'test' AND model_type = 'call' ORDER BY model_name COLLATE "C";
SELECT model_name FROM platform.call_models() WHERE provider = 'test' UNION ALL SELECT model_name FROM platform.chat_models() WHERE provider = 'test';
ROLLBACK;

-- a trigger function attached to the wrong thing says so
BEGIN;
CREATE TABLE bots_wrong (id integer);
SAVEPOINT e;
CREATE TRIGGER wrong AFTER INSERT ON bots_wrong FOR EACH ROW EXECUTE FUNCTION platform.check_chatbot();
INSERT INTO bots_wrong VALUES (1);
ROLLBACK TO e;
CREATE TRIGGER wrong BEFORE INSERT ON bots_wrong FOR EACH ROW EXECUTE FUNCTION platform.check_chatbot();
INSERT INTO bots_wrong VALUES (1);
ROLLBACK TO e;
CREATE TRIGGER wrong BEFORE INSERT ON bots_wrong FOR EACH ROW EXECUTE FUNCTION platform.check_package();
INSERT INTO bots_wrong VALUES (1);
ROLLBACK;
