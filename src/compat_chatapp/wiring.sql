-- migration 900 compat_chatapp: the tables under the names of schema chatapp
-- requires: tenants capabilities calls credentials
-- optional

-- up

-- Statements written for schema chatapp run on these views. They act as their
-- caller, row security included; what they change is changed in the tables.
CREATE SCHEMA IF NOT EXISTS chatapp;

CREATE OR REPLACE VIEW chatapp.companies WITH (security_invoker = true) AS
SELECT id, name, slug, description, timezone, locale, settings, status, tier, created_by,
	created_at, updated_at, deleted_at
FROM platform.organizations;
COMMENT ON VIEW chatapp.companies IS 'platform.organizations under an older name.';

CREATE OR REPLACE VIEW chatapp.users WITH (security_invoker = true) AS
SELECT id, email, full_name AS name, avatar_url, platform_role AS role, status,
	active_organization_id AS active_company_id, created_at, updated_at, deleted_at
FROM platform.users;
COMMENT ON VIEW chatapp.users IS 'platform.users under older names.';

CREATE OR REPLACE VIEW chatapp.chatbot_packages WITH (security_invoker = true) AS
SELECT id, name, slug, description, enable_chat, enable_call, default_chat_model_id,
	default_call_model_id, is_active, is_public, created_at, updated_at, deleted_at
FROM platform.chatbot_packages;
COMMENT ON VIEW chatapp.chatbot_packages IS 'platform.chatbot_packages under an older name.';

CREATE OR REPLACE VIEW chatapp.chatbots WITH (security_invoker = true) AS
SELECT id, organization_id AS company_id, package_id, name, description, status, enabled_chat,
	enabled_call, chat_model_id, call_model_id, settings, created_at, updated_at, deleted_at
FROM platform.chatbots;
COMMENT ON VIEW chatapp.chatbots IS 'platform.chatbots under older names.';

CREATE OR REPLACE VIEW chatapp.ai_models WITH (security_invoker = true) AS
SELECT id, provider, model_type, model_name, display_name, description, supports_audio,
	input_cost_per_token, output_cost_per_token, audio_cost_per_second_input,
	audio_cost_per_second_output, context_window, max_output_tokens, is_active,
	created_at, updated_at, deleted_at
FROM platform.ai_models;
COMMENT ON VIEW chatapp.ai_models IS 'platform.ai_models under an older name; a model that is there already is left as it is.';

-- The old table knew no key but the id: its scripts add models that are built in here.
-- What a rule names it does as the rule's owner: a view of its own makes it the caller.
CREATE OR REPLACE VIEW chatapp.ai_models_once WITH (security_invoker = true) AS
SELECT id, provider, model_type, model_name, display_name, description, supports_audio,
	input_cost_per_token, output_cost_per_token, audio_cost_per_second_input,
	audio_cost_per_second_output, context_window, max_output_tokens, is_active,
	created_at, updated_at, deleted_at
FROM platform.ai_models;
COMMENT ON VIEW chatapp.ai_models_once IS 'Where INSERTs into chatapp.ai_models go.';
CREATE OR REPLACE RULE ai_models_insert AS ON INSERT TO chatapp.ai_models DO INSTEAD
	INSERT INTO chatapp.ai_models_once (id, provider, model_type, model_name, display_name, description,
		supports_audio, input_cost_per_token, output_cost_per_token, audio_cost_per_second_input,
		audio_cost_per_second_output, context_window, max_output_tokens, is_active,
		created_at, updated_at, deleted_at)
	VALUES (coalesce(NEW.id, platform.uuid7()), NEW.provider, coalesce(NEW.model_type, 'chat'),
		NEW.model_name, NEW.display_name, NEW.description, coalesce(NEW.supports_audio, false),
		NEW.input_cost_per_token, NEW.output_cost_per_token, NEW.audio_cost_per_second_input,
		NEW.audio_cost_per_second_output, NEW.context_window, NEW.max_output_tokens,
		coalesce(NEW.is_active, true), coalesce(NEW.created_at, now()), coalesce(NEW.updated_at, now()),
		NEW.deleted_at)
	ON CONFLICT (provider, model_name) DO NOTHING
	RETURNING id, provider, model_type, model_name, display_name, description, supports_audio,
		input_cost_per_token, output_cost_per_token, audio_cost_per_second_input,
		audio_cost_per_second_output, context_window, max_output_tokens, is_active,
		created_at, updated_at, deleted_at;

CREATE OR REPLACE VIEW chatapp.integration_accounts WITH (security_invoker = true) AS
SELECT id, organization_id AS company_id, account_type, account_name, description, credentials,
	access_token, refresh_token, token_expires_at, webhook_url, webhook_secret, status, is_active,
	last_error, last_error_at, last_verified_at, created_at, updated_at, deleted_at
FROM platform.integration_accounts;
COMMENT ON VIEW chatapp.integration_accounts IS
	'platform.integration_accounts under older names; secrets written here are encrypted.';

CREATE OR REPLACE VIEW chatapp.end_users WITH (security_invoker = true) AS
SELECT id, organization_id AS company_id, external_id, name, email, phone, locale, metadata,
	created_at, updated_at, deleted_at
FROM platform.end_users;
COMMENT ON VIEW chatapp.end_users IS 'platform.end_users under older names.';

CREATE OR REPLACE VIEW chatapp.conversations WITH (security_invoker = true) AS
SELECT id, organization_id AS company_id, chatbot_id, end_user_id, channel, status, subject,
	metadata, closed_at, created_at, updated_at, deleted_at
FROM platform.conversations;
COMMENT ON VIEW chatapp.conversations IS 'platform.conversations under older names.';

CREATE OR REPLACE VIEW chatapp.calls WITH (security_invoker = true) AS
SELECT id, organization_id AS company_id, chatbot_id, conversation_id, end_user_id,
	integration_account_id, source, direction, status, call_sid, from_number, to_number,
	started_at, answered_at, ended_at, duration, recording_url, transcript_url, transcribed_at,
	ai_provider, model_id, summary, notes, call_quality, sentiment_score, error_message,
	error_code, end_reason, created_at, updated_at, deleted_at
FROM platform.calls;
COMMENT ON VIEW chatapp.calls IS 'platform.calls under older names.';

CREATE OR REPLACE VIEW chatapp.call_transcripts WITH (security_invoker = true) AS
SELECT id, call_id, organization_id AS company_id, role, content, start_time, end_time, duration,
	audio_url, confidence, metadata, created_at
FROM platform.call_transcripts;
COMMENT ON VIEW chatapp.call_transcripts IS 'platform.call_transcripts under older names.';

-- down

-- The schema stays: it may hold what is not ours.
DROP VIEW IF EXISTS chatapp.call_transcripts;
DROP VIEW IF EXISTS chatapp.calls;
DROP VIEW IF EXISTS chatapp.conversations;
DROP VIEW IF EXISTS chatapp.end_users;
DROP VIEW IF EXISTS chatapp.integration_accounts;
DROP VIEW IF EXISTS chatapp.ai_models;
DROP VIEW IF EXISTS chatapp.ai_models_once;
DROP VIEW IF EXISTS chatapp.chatbots;
DROP VIEW IF EXISTS chatapp.chatbot_packages;
DROP VIEW IF EXISTS chatapp.users;
DROP VIEW IF EXISTS chatapp.companies;

-- checks

-- check: the views are there and act as their callers
SELECT t.name FROM (VALUES ('companies'), ('users'), ('chatbot_packages'), ('chatbots'), ('ai_models'), ('ai_models_once'),
	('integration_accounts'), ('end_users'), ('conversations'), ('calls'), ('call_transcripts')) AS t (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c
	WHERE c.oid = pg_catalog.to_regclass('chatapp.' || t.name) AND c.relkind = 'v'
		AND 'security_invoker=true' = ANY (c.reloptions));
