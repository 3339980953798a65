-- An older schema with rows, before the migration of module legacy: in the schema
-- of the psql variable "older".
CREATE SCHEMA IF NOT EXISTS :"older";
SET search_path = :"older";
CREATE TYPE kind AS ENUM ('chat', 'call');
CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TABLE companies (
	id uuid PRIMARY KEY,
	name varchar(255) NOT NULL,
	settings jsonb,
	deleted_at timestamptz
);
CREATE TABLE users (
	id uuid PRIMARY KEY,
	company_id uuid REFERENCES companies (id),
	email varchar(255) NOT NULL UNIQUE,
	avatar_url varchar(500)
);
CREATE TABLE ai_models (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	provider varchar(50) NOT NULL,
	model_name varchar(100) NOT NULL,
	display_name varchar(255) NOT NULL,
	description text,
	supports_audio boolean NOT NULL DEFAULT false,
	input_cost_per_token numeric(12, 10),
	output_cost_per_token numeric(12, 10),
	created_at timestamptz NOT NULL DEFAULT '2024-01-01',
	"deletedAt" timestamptz
);
CREATE TABLE chatbot_packages (
	id uuid PRIMARY KEY,
	"chatbotType" varchar(50) NOT NULL DEFAULT 'chat',
	name varchar(255) NOT NULL,
	"deletedAt" timestamptz,
	CONSTRAINT package_type_check CHECK ("chatbotType"::text <> ALL ('{none}'::text[]))
);
COMMENT ON COLUMN chatbot_packages."chatbotType" IS 'It''s what it''s {for}, {{for} chats or {chatbots:live}.';
CREATE INDEX package_type_idx ON chatbot_packages ("chatbotType", name);
CREATE TABLE chatbots (
	id uuid PRIMARY KEY,
	company_id uuid NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
	package_id uuid REFERENCES chatbot_packages (id),
	chatbottype kind,
	name varchar(255) NOT NULL,
	settings jsonb,
	"deletedAt" timestamptz,
	CONSTRAINT chatbots_name_key UNIQUE (company_id, name, chatbottype)
);
CREATE INDEX chatbots_call_idx ON chatbots (company_id) WHERE chatbottype = 'call';
CREATE TABLE end_users (id uuid PRIMARY KEY, company_id uuid NOT NULL REFERENCES companies (id));

INSERT INTO companies (id, name, settings, deleted_at) VALUES
	('00000000-0000-4000-8000-000000000001', 'with features', '{"features": {"chatEnabled": true}, "billing": {"plan": "enterprise"}}', NULL),
	('00000000-0000-4000-8000-000000000002', 'without features', '{"branding": {"primaryColor": "#3B82F6"}}', NULL),
	('00000000-0000-4000-8000-000000000003', 'without settings', NULL, NULL),
	('00000000-0000-4000-8000-000000000004', 'calls already', '{"features": {"callEnabled": true}}', NULL),
	('00000000-0000-4000-8000-000000000005', 'odd features', '{"features": "none"}', NULL),
	('00000000-0000-4000-8000-000000000006', 'null features', '{"features": null}', NULL),
	('00000000-0000-4000-8000-000000000007', 'deleted', '{}', '2024-01-01');
INSERT INTO users VALUES
	('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000001', 'a@example.com', 'https://example.com/a.png'),
	('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-000000000001', 'b@example.com', repeat('x', 500)),
	('00000000-0000-4000-8000-0000000000a3', NULL, 'c@example.com', NULL);
INSERT INTO ai_models (id, provider, model_name, display_name) VALUES
	('00000000-0000-4000-8000-0000000000b1', 'openai', 'gpt-4', 'GPT-4'),
	('00000000-0000-4000-8000-0000000000b2', 'google', 'gemini-pro', 'Gemini Pro');
INSERT INTO chatbot_packages (id, name, "deletedAt", "chatbotType") VALUES
	('00000000-0000-4000-8000-0000000000c1', 'Chat', NULL, 'chat'),
	('00000000-0000-4000-8000-0000000000c2', 'Call', NULL, 'call'),
	('00000000-0000-4000-8000-0000000000c3', 'Deleted', '2024-01-01', 'call');
INSERT INTO chatbots (id, company_id, package_id, name, settings, "deletedAt", chatbottype) VALUES
	('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000c1', 'chats', '{"theme": "dark"}', NULL, 'chat'),
	('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000c2', 'calls', '{"theme": "dark"}', NULL, 'call'),
	('00000000-0000-4000-8000-0000000000d3', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-0000000000c2', 'calls, without settings', NULL, NULL, 'call'),
	('00000000-0000-4000-8000-0000000000d4', '00000000-0000-4000-8000-000000000002', NULL, 'calls, with empty settings', '{"call": {}}', NULL, 'call'),
	('00000000-0000-4000-8000-0000000000d5', '00000000-0000-4000-8000-000000000002', NULL, 'calls, with settings', '{"call": {"voiceId": "nova"}}', NULL, 'call'),
	('00000000-0000-4000-8000-0000000000d6', '00000000-0000-4000-8000-000000000002', NULL, 'deleted', '{}', '2024-01-01', 'call');
RESET search_path;
