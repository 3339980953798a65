-- The gates between an organization and a call: each closes alone, and the first closed one is reported
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set one '''ca9a7e00-0000-4000-8000-000000000001'''
\set two '''ca9a7e00-0000-4000-8000-000000000002'''
\set both '''ca9a7e00-0000-4000-8000-0000000000b1'''
\set voice '''ca9a7e00-0000-4000-8000-0000000000a1'''
\set text '''ca9a7e00-0000-4000-8000-0000000000a2'''
\set hybrid '''ca9a7e00-0000-4000-8000-0000000000a3'''
\set bot '''ca9a7e00-0000-4000-8000-0000000000c1'''
\set plain '''ca9a7e00-0000-4000-8000-0000000000c2'''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES
	(:one, 'Gates one', '{"features": {"callEnabled": true}}'), (:two, 'Gates two', '{}');
INSERT INTO platform.ai_models (id, provider, model_type, model_name, display_name) VALUES
	(:voice, 'test', 'call', 'gates-voice', 'Gates voice'),
	(:text, 'test', 'chat', 'gates-text', 'Gates text'),
	(:hybrid, 'test', 'both', 'gates-hybrid', 'Gates hybrid');
INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call) VALUES (:both, 'Gates both', true, true);
INSERT INTO platform.chatbots (id, organization_id, package_id, name, chat_model_id, call_model_id) VALUES
	(:bot, :one, :both, 'Gates bot', :text, :voice);
INSERT INTO platform.chatbots (id, organization_id, name) VALUES (:plain, :two, 'Gates plain');
SAVEPOINT s;
\set ECHO all
-- all are open
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
SELECT * FROM platform.can_place_call(:one, :bot);
SELECT platform.require_capability(:one, :bot, 'call'), platform.require_capability(:one, :bot, 'chat');
-- without package, model and switch it chats
SELECT * FROM platform.chatbot_capabilities(:two, :plain);

-- organization: the platform's switch, for calls; its state, for both
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}' WHERE id = :one;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": "true"}}' WHERE id = :one;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.organizations SET settings = '{}' WHERE id = :one;
SELECT * FROM platform.can_place_call(:one, :bot), platform.calls_enabled(:one);
ROLLBACK TO s;
SELECT platform.suspend_organization(:one);
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
SELECT platform.delete_organization(:one);
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
-- package
UPDATE platform.chatbot_packages SET enable_call = false WHERE id = :both;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
UPDATE platform.chatbot_packages SET enable_call = true, enable_chat = false WHERE id = :both;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
-- chatbot: its state, its flag
UPDATE platform.chatbots SET status = 'paused' WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
UPDATE platform.chatbots SET enabled_call = false WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
UPDATE platform.chatbots SET enabled_chat = false WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
UPDATE platform.chatbots SET deleted_at = now() WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
SELECT platform.require_capability(:one, :bot, 'chat');
ROLLBACK TO s;
-- model: of another type, inactive, deleted; one that is both; none
UPDATE platform.ai_models SET model_type = 'chat' WHERE id = :voice;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
UPDATE platform.ai_models SET model_type = 'call' WHERE id = :text;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
UPDATE platform.ai_models SET is_active = false WHERE id = :voice;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.ai_models SET is_active = true, deleted_at = now() WHERE id = :voice;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.chatbots SET chat_model_id = :hybrid, call_model_id = :hybrid WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
UPDATE platform.chatbots SET chat_model_id = NULL, call_model_id = NULL WHERE id = :bot;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;
-- feature: calls need it, chat does not
SELECT platform.set_feature_flag(:one, 'voice_operations', false);
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
ROLLBACK TO s;

-- the first closed one is reported: they open one after the other
UPDATE platform.organizations SET settings = '{}' WHERE id = :one;
UPDATE platform.chatbot_packages SET enable_call = false WHERE id = :both;
UPDATE platform.chatbots SET enabled_call = false WHERE id = :bot;
UPDATE platform.ai_models SET is_active = false WHERE id = :voice;
SELECT platform.set_feature_flag(:one, 'voice_operations', false);
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :one;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.chatbot_packages SET enable_call = true WHERE id = :both;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.chatbots SET enabled_call = true WHERE id = :bot;
SELECT * FROM platform.can_place_call(:one, :bot);
UPDATE platform.ai_models SET is_active = true WHERE id = :voice;
SELECT * FROM platform.can_place_call(:one, :bot);
SELECT platform.set_feature_flag(:one, 'voice_operations', true);
SELECT * FROM platform.can_place_call(:one, :bot);
ROLLBACK TO s;

-- the form that raises names the gate
UPDATE platform.chatbots SET enabled_call = false WHERE id = :bot;
SAVEPOINT e;
SELECT platform.require_capability(:one, :bot, 'call');
ROLLBACK TO e;
\set VERBOSITY sqlstate
SELECT platform.require_capability(:one, :bot, 'call');
ROLLBACK TO e;
SELECT platform.require_capability(:two, :bot, 'chat');
ROLLBACK TO e;
\set VERBOSITY default
-- a chatbot of another organization, or of none, is not found
SELECT * FROM platform.chatbot_capabilities(:two, :bot);
SELECT * FROM platform.can_place_call(:one, 'ca9a7e00-0000-4000-8000-0000000000cf');
SELECT * FROM platform.can_place_call('ca9a7e00-0000-4000-8000-00000000000f', :bot);
SELECT platform.require_capability(:one, 'ca9a7e00-0000-4000-8000-0000000000cf', 'call');
ROLLBACK TO e;
-- what is no question
SELECT platform.require_capability(:one, :bot, 'fax');
ROLLBACK TO e;
SELECT platform.require_capability(:one, :bot, NULL);
ROLLBACK TO e;
SELECT * FROM platform.chatbot_capabilities(NULL, :bot);
ROLLBACK TO e;
SELECT * FROM platform.can_place_call(:one, NULL);
ROLLBACK TO e;
SELECT platform.calls_enabled(:one) AS one, platform.calls_enabled(:two) AS two,
	platform.calls_enabled('ca9a7e00-0000-4000-8000-00000000000f') AS none, platform.calls_enabled() AS nobody;

-- members ask about their own organization
SELECT platform.set_context(:one, role => 'member');
SET LOCAL ROLE platform_test_member;
SAVEPOINT e;
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
SELECT platform.calls_enabled() AS own, platform.calls_enabled(:one) AS named, platform.calls_enabled(:two) AS other;
SELECT * FROM platform.chatbot_capabilities(:two, :plain);
ROLLBACK TO e;
SELECT * FROM platform.can_place_call(:two, :plain);
ROLLBACK TO e;
SELECT platform.require_capability(:two, :plain, 'chat');
ROLLBACK TO e;
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT * FROM platform.can_place_call(:one, :bot);
ROLLBACK;

-- an answer is of this moment, also in a snapshot that is older
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO platform.organizations (id, name) VALUES (:one, 'Gates one');
INSERT INTO platform.chatbots (id, organization_id, name, enabled_call) VALUES (:bot, :one, 'Gates bot', true);
SELECT * FROM platform.can_place_call(:one, :bot);
SAVEPOINT s;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :one;
SELECT * FROM platform.can_place_call(:one, :bot);
ROLLBACK TO s;
SELECT * FROM platform.can_place_call(:one, :bot);
ROLLBACK;

-- the last gate is that of usage: for calls, of the organization that has used all
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES
	(:one, 'Gates one', '{"features": {"callEnabled": true}}'), (:two, 'Gates two', '{"features": {"callEnabled": true}}');
INSERT INTO platform.users (id, email) VALUES ('ca9a7e00-0000-4000-8000-0000000000d1', 'gates@capabilities.example');
INSERT INTO platform.chatbots (id, organization_id, name, enabled_call) VALUES (:bot, :one, 'Gates bot', true), (:plain, :two, 'Gates plain', true);
SELECT changed FROM platform.apply_tier(:one, 'ca9a7e00-0000-4000-8000-0000000000d1', 'core');
SELECT * FROM platform.can_place_call(:one, :bot);
SELECT limit_state FROM platform.record_call_usage(:one, 'ca9a7e00-0000-4000-8000-0000000000d1', 'capabilities-gates', 1000000);
SELECT * FROM platform.can_place_call(:one, :bot);
SELECT * FROM platform.can_place_call(:two, :plain);
SELECT * FROM platform.chatbot_capabilities(:one, :bot);
SAVEPOINT e;
SELECT platform.require_capability(:one, :bot, 'call');
ROLLBACK TO e;
\set VERBOSITY sqlstate
SELECT platform.require_capability(:one, :bot, 'call');
\set VERBOSITY default
ROLLBACK TO e;
SELECT platform.require_capability(:one, :bot, 'chat');
UPDATE platform.chatbots SET enabled_call = false WHERE id = :bot;
SELECT * FROM platform.can_place_call(:one, :bot);
ROLLBACK;
