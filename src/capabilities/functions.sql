-- capabilities: what a chatbot may do

CREATE OR REPLACE FUNCTION platform.chatbot_capabilities(organization_id uuid, chatbot_id uuid,
	OUT chat boolean, OUT call boolean, OUT reason text, OUT gate text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_chatbot_capabilities';
COMMENT ON FUNCTION platform.chatbot_capabilities(uuid, uuid) IS
	'What a chatbot may do at this moment. reason and gate are those of call if calls are not possible, else those of chat; OPEN and NULL when both are. Gates: organization, package, chatbot, model, feature, usage. Members: their own organization. Errors: 42501; 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'chatbot_capabilities(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.require_capability(organization_id uuid, chatbot_id uuid, capability text) RETURNS void
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_require_capability';
COMMENT ON FUNCTION platform.require_capability(uuid, uuid, text) IS
	'Raises unless the chatbot may chat or call at this moment; capability: chat, call. Members: their own organization. Errors: PT403 a gate is closed (DETAIL names it), PT429 the usage gate, PT404 no such chatbot, 42501, 22004 NULL, 22023 unknown capability.';
INSERT INTO platform.member_privileges VALUES ('function', 'require_capability(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.can_place_call(organization_id uuid, chatbot_id uuid,
	OUT allowed boolean, OUT reason text, OUT gate text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_can_place_call';
COMMENT ON FUNCTION platform.can_place_call(uuid, uuid) IS
	'May the chatbot take or make a call at this moment? OPEN and NULL when it may, else the reason and the first gate that is closed. Members: their own organization. Errors: 42501; 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'can_place_call(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.calls_enabled(organization_id uuid DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_calls_enabled';
COMMENT ON FUNCTION platform.calls_enabled(uuid) IS
	'Has the platform switched calls on for the organization (settings.features.callEnabled)? NULL: the caller''s own. False for one that is missing or that the caller may not act for; never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'calls_enabled(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.widget_config(chatbot_id uuid) RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_widget_config';
COMMENT ON FUNCTION platform.widget_config(uuid) IS
	'What the widget on a web page shows of a chatbot: name, chatEnabled, callEnabled, position, welcomeMessage, and the public call settings while calls are possible. Members: chatbots of their own organization. Errors: 22004 NULL; PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'widget_config(uuid)', 'EXECUTE');

-- capabilities: packages

CREATE OR REPLACE FUNCTION platform.apply_package_capabilities(package_id uuid)
RETURNS TABLE (organization_id uuid, chatbot_id uuid, name text, enabled_chat boolean, enabled_call boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'platform_apply_package_capabilities';
COMMENT ON FUNCTION platform.apply_package_capabilities(uuid) IS
	'Takes from the chatbots of a package what it does not allow. Returns those that would be left with no capability; they stay as they are, behind the closed gate "package". Idempotent. Operators only. Errors: 42501; 22004 NULL; PT404.';

CREATE OR REPLACE FUNCTION platform.set_package_capabilities(package_id uuid, enable_chat boolean DEFAULT NULL, enable_call boolean DEFAULT NULL)
RETURNS TABLE (organization_id uuid, chatbot_id uuid, name text, enabled_chat boolean, enabled_call boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'platform_set_package_capabilities';
COMMENT ON FUNCTION platform.set_package_capabilities(uuid, boolean, boolean) IS
	'Changes what a package allows (NULL leaves it), and takes from its chatbots what it loses: rows of apply_package_capabilities(). What it gains is enabled on no chatbot. Operators only. Errors: 42501; 22004 NULL; PT404; 23514 when none would be left.';

-- capabilities: call settings

CREATE OR REPLACE FUNCTION platform.default_call_settings() RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_default_call_settings';
COMMENT ON FUNCTION platform.default_call_settings() IS
	'The call settings of a chatbot that has none of its own: all keys.';
INSERT INTO platform.member_privileges VALUES ('function', 'default_call_settings()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.validate_call_settings(settings jsonb)
RETURNS TABLE (pointer text, rule text, message text)
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 3
AS 'MODULE_PATHNAME', 'platform_validate_call_settings';
COMMENT ON FUNCTION platform.validate_call_settings(jsonb) IS
	'A row for each rule that call settings break; what is missing counts as its default. Rules: type, range, length, enum, format, plain_text, voice, required, unknown. pointer: RFC 6901, empty for the whole. No row for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'validate_call_settings(jsonb)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.call_settings(organization_id uuid, chatbot_id uuid) RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_call_settings';
COMMENT ON FUNCTION platform.call_settings(uuid, uuid) IS
	'The call settings in force: the chatbot''s, with defaults for what it does not say. Members: their own organization. Errors: 42501; 22004 NULL; PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'call_settings(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_call_settings(organization_id uuid, chatbot_id uuid, settings jsonb) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_call_settings';
COMMENT ON FUNCTION platform.set_call_settings(uuid, uuid, jsonb) IS
	'Changes the given keys, as a merge patch (RFC 7396); null takes a key back to its default. Returns the settings in force. Owners and admins of the organization, and operators. Errors: PT422 with every violation as JSON in DETAIL; 42501; 22004 NULL; PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_call_settings(uuid, uuid, jsonb)', 'EXECUTE');

-- capabilities: models

CREATE OR REPLACE FUNCTION platform.chat_models()
RETURNS TABLE (id uuid, provider text, model_name text, display_name text, description text, model_type text,
	supports_audio boolean, context_window integer, max_output_tokens integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
AS $$
	SELECT m.id, m.provider, m.model_name, m.display_name, m.description, m.model_type,
		m.supports_audio, m.context_window, m.max_output_tokens
	FROM platform.ai_models m
	WHERE m.deleted_at IS NULL AND m.is_active AND m.model_type OPERATOR(pg_catalog.<>) 'call'
	ORDER BY m.display_name COLLATE pg_catalog."C", m.id
$$;
COMMENT ON FUNCTION platform.chat_models() IS
	'The models that a chatbot may chat with, by display name.';
INSERT INTO platform.member_privileges VALUES ('function', 'chat_models()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.call_models()
RETURNS TABLE (id uuid, provider text, model_name text, display_name text, description text, model_type text,
	supports_audio boolean, context_window integer, max_output_tokens integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
AS $$
	SELECT m.id, m.provider, m.model_name, m.display_name, m.description, m.model_type,
		m.supports_audio, m.context_window, m.max_output_tokens
	FROM platform.ai_models m
	WHERE m.deleted_at IS NULL AND m.is_active AND m.model_type OPERATOR(pg_catalog.<>) 'chat'
	ORDER BY m.display_name COLLATE pg_catalog."C", m.id
$$;
COMMENT ON FUNCTION platform.call_models() IS
	'The models that a chatbot may take calls with, by display name.';
INSERT INTO platform.member_privileges VALUES ('function', 'call_models()', 'EXECUTE');

-- capabilities: triggers

CREATE OR REPLACE FUNCTION platform.check_package() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_package';
COMMENT ON FUNCTION platform.check_package() IS
	'Trigger function of chatbot_packages, BEFORE UPDATE row: updated_at; a package that loses a capability waits for those who are giving it to chatbots. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_chatbot() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_chatbot';
COMMENT ON FUNCTION platform.check_chatbot() IS
	'Trigger function of chatbots, BEFORE INSERT OR UPDATE row: inherits from the package, keeps to it (PT403), models fit (PT422), call settings are checked (PT422) and completed, updated_at. Errors: PT404 package; 39P01.';

CREATE OR REPLACE FUNCTION platform.enforce_capability() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_enforce_capability';
COMMENT ON FUNCTION platform.enforce_capability() IS
	'Trigger function for any table with organization_id, BEFORE INSERT OR UPDATE row, arguments (capability[, chatbot column]): refuses a new row whose chatbot may not do that. Errors: PT403, PT429, PT404, 42501; 22023, 42703, 42804, 39P01 when attached wrongly.';

-- capabilities: what members may do with the tables (row security limits it to their organization)

INSERT INTO platform.member_privileges VALUES
	('table', 'ai_models', 'SELECT'),
	('table', 'chatbot_packages', 'SELECT'),
	('table', 'chatbots', 'SELECT'),
	('table', 'chatbots', 'INSERT (organization_id, package_id, name, description, status, enabled_chat, enabled_call, chat_model_id, call_model_id, settings)'),
	('table', 'chatbots', 'UPDATE (name, description, status, enabled_chat, enabled_call, chat_model_id, call_model_id, settings, deleted_at)');
