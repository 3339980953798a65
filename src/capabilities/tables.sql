-- migration 70 capabilities: packages, chatbots and the models behind them

-- up

-- Models of the providers. A model that is deleted or inactive fits nothing.
CREATE TABLE IF NOT EXISTS platform.ai_models (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	provider text NOT NULL,
	model_name text NOT NULL,
	model_type text NOT NULL DEFAULT 'chat',
	display_name text NOT NULL,
	description text,
	supports_audio boolean NOT NULL DEFAULT false,
	input_cost_per_token numeric,
	output_cost_per_token numeric,
	audio_cost_per_second_input numeric,
	audio_cost_per_second_output numeric,
	context_window integer,
	max_output_tokens integer,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT ai_models_pkey PRIMARY KEY (id),
	CONSTRAINT ai_models_provider_model_name_key UNIQUE (provider, model_name),
	CONSTRAINT ai_models_provider_check CHECK (length(provider) BETWEEN 1 AND 50),
	CONSTRAINT ai_models_model_name_check CHECK (length(model_name) BETWEEN 1 AND 255),
	CONSTRAINT ai_models_model_type_check CHECK (model_type IN ('chat', 'call', 'both')),
	CONSTRAINT ai_models_display_name_check CHECK (length(display_name) BETWEEN 1 AND 255),
	CONSTRAINT ai_models_input_cost_per_token_check CHECK (input_cost_per_token >= 0),
	CONSTRAINT ai_models_output_cost_per_token_check CHECK (output_cost_per_token >= 0),
	CONSTRAINT ai_models_audio_cost_per_second_input_check CHECK (audio_cost_per_second_input >= 0),
	CONSTRAINT ai_models_audio_cost_per_second_output_check CHECK (audio_cost_per_second_output >= 0),
	CONSTRAINT ai_models_context_window_check CHECK (context_window > 0),
	CONSTRAINT ai_models_max_output_tokens_check CHECK (max_output_tokens > 0)
);
CREATE INDEX IF NOT EXISTS idx_ai_models_model_type
	ON platform.ai_models (model_type, provider) WHERE deleted_at IS NULL;
COMMENT ON TABLE platform.ai_models IS
	'Models of the providers, and what they are made for.';
COMMENT ON COLUMN platform.ai_models.model_name IS
	'The provider''s own name, as its API takes it.';
COMMENT ON COLUMN platform.ai_models.model_type IS
	'chat, call, or both.';
COMMENT ON COLUMN platform.ai_models.input_cost_per_token IS
	'US dollars; NULL: not known.';
COMMENT ON COLUMN platform.ai_models.output_cost_per_token IS
	'US dollars; NULL: not known.';
COMMENT ON COLUMN platform.ai_models.audio_cost_per_second_input IS
	'US dollars; NULL: not known, or no audio.';
COMMENT ON COLUMN platform.ai_models.audio_cost_per_second_output IS
	'US dollars; NULL: not known, or no audio.';
COMMENT ON COLUMN platform.ai_models.context_window IS
	'Tokens.';

-- What the platform sells: a chatbot made from a package has at most its capabilities.
CREATE TABLE IF NOT EXISTS platform.chatbot_packages (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	name text NOT NULL,
	slug text,
	description text,
	enable_chat boolean NOT NULL DEFAULT true,
	enable_call boolean NOT NULL DEFAULT false,
	default_chat_model_id uuid,
	default_call_model_id uuid,
	is_active boolean NOT NULL DEFAULT true,
	is_public boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT chatbot_packages_pkey PRIMARY KEY (id),
	CONSTRAINT chatbot_packages_slug_key UNIQUE (slug),
	CONSTRAINT chatbot_packages_default_chat_model_id_fkey FOREIGN KEY (default_chat_model_id) REFERENCES platform.ai_models (id),
	CONSTRAINT chatbot_packages_default_call_model_id_fkey FOREIGN KEY (default_call_model_id) REFERENCES platform.ai_models (id),
	CONSTRAINT chatbot_packages_name_check CHECK (length(name) BETWEEN 1 AND 255),
	CONSTRAINT chatbot_packages_slug_check CHECK (length(slug) <= 100 AND slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
	CONSTRAINT chatbot_packages_capability_check CHECK (enable_chat = true OR enable_call = true)
);
CREATE INDEX IF NOT EXISTS idx_chatbot_packages_capabilities
	ON platform.chatbot_packages (enable_chat, enable_call) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS chatbot_packages_default_chat_model_id_idx
	ON platform.chatbot_packages (default_chat_model_id);
CREATE INDEX IF NOT EXISTS chatbot_packages_default_call_model_id_idx
	ON platform.chatbot_packages (default_call_model_id);
COMMENT ON TABLE platform.chatbot_packages IS
	'What chatbots are made from: the capabilities that they may have, and the models that they start with.';
COMMENT ON COLUMN platform.chatbot_packages.is_active IS
	'On offer: members make new chatbots from it.';
COMMENT ON COLUMN platform.chatbot_packages.is_public IS
	'Members see it; the others are given by the platform.';

CREATE TABLE IF NOT EXISTS platform.chatbots (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	package_id uuid,
	name text NOT NULL,
	description text,
	status text NOT NULL DEFAULT 'active',
	enabled_chat boolean NOT NULL DEFAULT true,
	enabled_call boolean NOT NULL DEFAULT false,
	chat_model_id uuid,
	call_model_id uuid,
	settings jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT chatbots_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT chatbots_package_id_fkey FOREIGN KEY (package_id) REFERENCES platform.chatbot_packages (id),
	CONSTRAINT chatbots_chat_model_id_fkey FOREIGN KEY (chat_model_id) REFERENCES platform.ai_models (id),
	CONSTRAINT chatbots_call_model_id_fkey FOREIGN KEY (call_model_id) REFERENCES platform.ai_models (id),
	CONSTRAINT chatbots_name_check CHECK (length(name) BETWEEN 1 AND 255),
	CONSTRAINT chatbots_status_check CHECK (status IN ('draft', 'active', 'paused', 'archived')),
	CONSTRAINT chatbots_capability_check CHECK (enabled_chat = true OR enabled_call = true),
	CONSTRAINT chatbots_settings_check CHECK (jsonb_typeof(settings) = 'object')
);
-- The defaults are for chatbots that were there before: a new one that is made without
-- the flags takes them from its package.
ALTER TABLE platform.chatbots
	ALTER COLUMN enabled_chat DROP DEFAULT,
	ALTER COLUMN enabled_call DROP DEFAULT;
CREATE INDEX IF NOT EXISTS idx_chatbots_capabilities
	ON platform.chatbots (enabled_chat, enabled_call) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_chatbots_company_capabilities
	ON platform.chatbots (organization_id, enabled_chat, enabled_call) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS chatbots_organization_id_created_at_idx
	ON platform.chatbots (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS chatbots_package_id_idx ON platform.chatbots (package_id);
CREATE INDEX IF NOT EXISTS chatbots_chat_model_id_idx ON platform.chatbots (chat_model_id);
CREATE INDEX IF NOT EXISTS chatbots_call_model_id_idx ON platform.chatbots (call_model_id);
COMMENT ON TABLE platform.chatbots IS
	'The chatbots of an organization. What one may do at this moment is in chatbot_capabilities().';
COMMENT ON COLUMN platform.chatbots.package_id IS
	'What it was made from; NULL: made to measure by the platform.';
COMMENT ON COLUMN platform.chatbots.status IS
	'Only an active chatbot answers.';
COMMENT ON COLUMN platform.chatbots.enabled_chat IS
	'The package''s when it is not given at creation.';
COMMENT ON COLUMN platform.chatbots.enabled_call IS
	'The package''s when it is not given at creation.';
COMMENT ON COLUMN platform.chatbots.chat_model_id IS
	'A model of type chat or both; the package''s when it is not given at creation. NULL: the application chooses.';
COMMENT ON COLUMN platform.chatbots.call_model_id IS
	'A model of type call or both; the package''s when it is not given at creation. NULL: the application chooses.';
COMMENT ON COLUMN platform.chatbots.settings IS
	'The key "call" holds the call settings, complete while calls are enabled; see default_call_settings(). The rest is the application''s.';

-- Chatbots that were there before with calls and without settings for them.
UPDATE platform.chatbots
SET settings = settings || jsonb_build_object('call', platform.default_call_settings())
WHERE enabled_call AND coalesce(settings -> 'call', '{}') = '{}';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('ai_models', 'global', '{ai_models_provider_model_name_key}', 'the same models for all organizations'),
	('chatbot_packages', 'global', '{chatbot_packages_slug_key}', 'the same packages for all organizations'),
	('chatbots', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

INSERT INTO platform.ai_models (provider, model_type, model_name, display_name, description, supports_audio,
	input_cost_per_token, output_cost_per_token, audio_cost_per_second_input, audio_cost_per_second_output,
	context_window, max_output_tokens) VALUES
	('openai', 'call', 'gpt-4o-realtime-preview-2024-10-01', 'GPT-4 Realtime (Oct 2024)',
		'OpenAI Realtime API: spoken conversation with interruptions and function calls', true,
		0.000005, 0.000020, 0.10, 0.20, 128000, 4096),
	('openai', 'call', 'gpt-4o-realtime-preview', 'GPT-4 Realtime (Latest)',
		'OpenAI Realtime API, whatever its newest version is', true,
		0.000005, 0.000020, 0.10, 0.20, 128000, 4096),
	('google', 'call', 'gemini-2.0-flash-exp', 'Gemini 2.0 Flash Live (Experimental)',
		'Google''s multimodal model with spoken conversation', true,
		0.00000075, 0.0000030, 0.05, 0.10, 1000000, 8192)
ON CONFLICT DO NOTHING;
INSERT INTO platform.ai_models (provider, model_type, model_name, display_name) VALUES
	('openai', 'chat', 'gpt-4-turbo', 'GPT-4 Turbo'),
	('openai', 'chat', 'gpt-4', 'GPT-4'),
	('openai', 'chat', 'gpt-3.5-turbo', 'GPT-3.5 Turbo'),
	('anthropic', 'chat', 'claude-3-5-sonnet-20241022', 'Claude 3.5 Sonnet'),
	('anthropic', 'chat', 'claude-3-opus-20240229', 'Claude 3 Opus'),
	('anthropic', 'chat', 'claude-3-haiku-20240307', 'Claude 3 Haiku'),
	('google', 'chat', 'gemini-1.5-pro', 'Gemini 1.5 Pro'),
	('google', 'chat', 'gemini-1.5-flash', 'Gemini 1.5 Flash'),
	('google', 'chat', 'gemini-pro', 'Gemini Pro')
ON CONFLICT DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.chatbots,
	platform.chatbot_packages,
	platform.ai_models;
DELETE FROM platform.table_kinds WHERE table_name IN ('ai_models', 'chatbot_packages', 'chatbots');

-- checks

-- check: every chatbot has a capability
SELECT organization_id, id FROM platform.chatbots
WHERE NOT (enabled_chat OR enabled_call) AND deleted_at IS NULL;
-- check: chatbots with calls have call settings
SELECT organization_id, id FROM platform.chatbots
WHERE enabled_call AND deleted_at IS NULL
	AND (settings -> 'call' IS NULL OR settings -> 'call' = '{}');
-- check: call settings break no rule (platform.validate_call_settings() says which)
SELECT organization_id, id FROM platform.chatbots
WHERE deleted_at IS NULL AND EXISTS (SELECT FROM platform.validate_call_settings(settings -> 'call'));
-- check: no chatbot has more than its package (platform.apply_package_capabilities() takes it)
SELECT c.organization_id, c.id FROM platform.chatbots c
JOIN platform.chatbot_packages p ON p.id = c.package_id
WHERE ((c.enabled_chat AND NOT p.enable_chat) OR (c.enabled_call AND NOT p.enable_call))
	AND ((c.enabled_chat AND p.enable_chat) OR (c.enabled_call AND p.enable_call));
-- check: the models of packages fit
SELECT p.id FROM platform.chatbot_packages p
LEFT JOIN platform.ai_models t ON t.id = p.default_chat_model_id
LEFT JOIN platform.ai_models v ON v.id = p.default_call_model_id
WHERE p.deleted_at IS NULL AND (t.model_type = 'call' OR v.model_type = 'chat');
