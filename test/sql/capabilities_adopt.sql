-- Packages, chatbots and models that were there before are adopted: flags and call settings are filled in
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
SELECT count(*) > 0 AS undone FROM platform.rollback(20);
CREATE TABLE platform.ai_models (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), provider text, model_name text, display_name text);
CREATE TABLE platform.chatbot_packages (id uuid PRIMARY KEY, name varchar(255) NOT NULL, enable_chat boolean NOT NULL DEFAULT true, enable_call boolean NOT NULL DEFAULT false);
CREATE TABLE platform.chatbots (id uuid PRIMARY KEY, package_id uuid, name varchar(255) NOT NULL, settings jsonb, enabled_call boolean NOT NULL DEFAULT false);
INSERT INTO platform.ai_models (provider, model_name, display_name) VALUES ('openai', 'gpt-4', 'GPT-4 of old');
INSERT INTO platform.chatbot_packages VALUES ('cada0700-0000-4000-8000-0000000000b1', 'Old package', true, true);
INSERT INTO platform.chatbots VALUES
	('cada0700-0000-4000-8000-0000000000c1', 'cada0700-0000-4000-8000-0000000000b1', 'old', NULL, true),
	('cada0700-0000-4000-8000-0000000000c2', NULL, 'older', '{"welcomeMessage": "hi"}', false);
SELECT version, action FROM platform.install('{capabilities}') WHERE module = 'capabilities';
SELECT name, organization_id, enabled_chat, enabled_call, status, settings - 'call' AS settings, settings -> 'call' = platform.default_call_settings() AS complete
FROM platform.chatbots ORDER BY name COLLATE "C";
SELECT display_name, model_type FROM platform.ai_models WHERE model_name = 'gpt-4';
SELECT count(*) AS call_models FROM platform.ai_models WHERE model_type = 'call';
SELECT count(*) AS faults FROM platform.verify() WHERE NOT passed;
-- new chatbots inherit
INSERT INTO platform.chatbots (package_id, name) VALUES ('cada0700-0000-4000-8000-0000000000b1', 'new') RETURNING enabled_chat, enabled_call;
ROLLBACK;
