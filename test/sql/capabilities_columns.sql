-- The columns of models, packages and chatbots: every list of words, range and length at its edges, the names that older systems know
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'cac00000-0000-4000-8000-000000000001\''
BEGIN;
\ir ../kit/columns.sql
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Columns');
INSERT INTO least VALUES ('ai_models', '{"provider": "test", "model_name": "columns", "display_name": "Columns"}'),
	('chatbot_packages', '{"name": "Columns"}'), ('chatbots', '{"name": "Columns", "organization_id": "cac00000-0000-4000-8000-000000000001"}');
\set ECHO all

SELECT pg_temp.try('ai_models', 'model_type', 'chat call both vision null') AS model_type;
SELECT pg_temp.try('chatbots', 'status', 'draft active paused archived gone null') AS status;
SELECT pg_temp.try('chatbot_packages', 'slug', 'a a-1 a--b A -a a- null') AS slug;
SELECT pg_temp.try('chatbots', 'settings', '{} [] null {"call":null} {"call":[]} {"call":{}}') AS settings;
SELECT c.name, pg_temp.try('ai_models', c.name, c.list) AS answers
FROM (VALUES (1, 'input_cost_per_token', '-0.000001 0 0.00000075 null'), (2, 'output_cost_per_token', '-0.000001 0 null'), (3, 'audio_cost_per_second_input', '-0.01 0 null'),
	(4, 'audio_cost_per_second_output', '-0.01 0 null'), (5, 'context_window', '0 1 null'), (6, 'max_output_tokens', '0 1 null')) AS c (n, name, list) ORDER BY c.n;
SELECT c.target, c.name, c.most, pg_temp.answer(c.target, jsonb_build_object(c.name, repeat('x', c.most))) AS at_most, pg_temp.answer(c.target, jsonb_build_object(c.name, repeat('x', c.most + 1))) AS more,
	pg_temp.try(c.target, c.name, ''''' null') AS none
FROM (VALUES (1, 'ai_models', 'provider', 50), (2, 'ai_models', 'model_name', 255), (3, 'ai_models', 'display_name', 255), (4, 'chatbot_packages', 'name', 255),
	(5, 'chatbot_packages', 'slug', 100), (6, 'chatbots', 'name', 255)) AS c (n, target, name, most) ORDER BY c.n;
-- one capability at least, and none is NULL; what a chatbot does not say is its package's
SELECT a AS chat, b AS call, pg_temp.answer('chatbot_packages', jsonb_build_object('enable_chat', a, 'enable_call', b)) AS package,
	pg_temp.answer('chatbots', jsonb_build_object('enabled_chat', a, 'enabled_call', b)) AS chatbot
FROM unnest('{t,f,NULL}'::boolean[]) WITH ORDINALITY x (a, i), unnest('{t,f,NULL}'::boolean[]) WITH ORDINALITY y (b, j) ORDER BY i, j;
-- once
SELECT pg_temp.answer('ai_models', '{"provider": "openai", "model_name": "gpt-4"}') AS model, pg_temp.answer('ai_models', '{"provider": "azure", "model_name": "gpt-4"}') AS of_another;
-- what is not there
SELECT pg_temp.answer('chatbot_packages', '{"default_chat_model_id": "cac00000-0000-4000-8000-0000000000af"}') AS chat_model, pg_temp.answer('chatbot_packages', '{"default_call_model_id": "cac00000-0000-4000-8000-0000000000af"}') AS call_model,
	pg_temp.answer('chatbots', '{"package_id": "cac00000-0000-4000-8000-0000000000bf"}') AS package, pg_temp.answer('chatbots', '{"organization_id": "cac00000-0000-4000-8000-00000000000f"}') AS organization,
	pg_temp.answer('chatbots', '{"organization_id": null}') AS no_organization;

-- the names that older systems know: constraints, and indexes with what they hold
SELECT conrelid::regclass AS "table", conname FROM pg_constraint WHERE conname IN ('chatbot_packages_capability_check', 'chatbots_capability_check', 'ai_models_model_type_check') AND connamespace = 'platform'::regnamespace ORDER BY conname COLLATE "C";
SELECT indexname, regexp_replace(indexdef, '^CREATE (UNIQUE )?INDEX \S+ ON platform\.', '\1') AS definition FROM pg_indexes
WHERE schemaname = 'platform' AND tablename IN ('chatbot_packages', 'chatbots', 'ai_models') AND indexname LIKE 'idx\_%' ORDER BY indexname COLLATE "C";
-- the built-in models for calls
SELECT provider, model_name, display_name, model_type, supports_audio, input_cost_per_token * 1000000 AS input_a_million, output_cost_per_token * 1000000 AS output_a_million,
	audio_cost_per_second_input AS audio_in, audio_cost_per_second_output AS audio_out, context_window, max_output_tokens
FROM platform.ai_models WHERE provider IN ('openai', 'google') AND model_type <> 'chat' ORDER BY model_name COLLATE "C";
ROLLBACK;
