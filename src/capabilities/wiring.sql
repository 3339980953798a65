-- migration 570 capabilities: foreign keys, row security, triggers
-- requires: tenants features

-- up

ALTER TABLE platform.chatbots
	DROP CONSTRAINT IF EXISTS chatbots_organization_id_fkey,
	ADD CONSTRAINT chatbots_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

ALTER TABLE platform.ai_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.chatbot_packages ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.chatbots ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS ai_models_member_select ON platform.ai_models;
CREATE POLICY ai_models_member_select ON platform.ai_models FOR SELECT
	USING (is_active AND deleted_at IS NULL AND platform.current_organization_id() IS NOT NULL);
-- Packages with calls are shown to those who may have calls.
DROP POLICY IF EXISTS chatbot_packages_member_select ON platform.chatbot_packages;
CREATE POLICY chatbot_packages_member_select ON platform.chatbot_packages FOR SELECT
	USING (is_public AND is_active AND deleted_at IS NULL
		AND platform.current_organization_id() IS NOT NULL
		AND (NOT enable_call OR platform.calls_enabled()));
DROP POLICY IF EXISTS chatbots_member_select ON platform.chatbots;
CREATE POLICY chatbots_member_select ON platform.chatbots FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS chatbots_admin_insert ON platform.chatbots;
CREATE POLICY chatbots_admin_insert ON platform.chatbots FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS chatbots_admin_update ON platform.chatbots;
CREATE POLICY chatbots_admin_update ON platform.chatbots FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());

CREATE OR REPLACE TRIGGER ai_models_touch BEFORE UPDATE ON platform.ai_models
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER chatbot_packages_check BEFORE UPDATE ON platform.chatbot_packages
	FOR EACH ROW EXECUTE FUNCTION platform.check_package();
CREATE OR REPLACE TRIGGER chatbots_check BEFORE INSERT OR UPDATE ON platform.chatbots
	FOR EACH ROW EXECUTE FUNCTION platform.check_chatbot();

-- What caches hold. They hold no row that is missing, so an INSERT tells nobody.
CREATE OR REPLACE TRIGGER ai_models_notify AFTER DELETE OR UPDATE ON platform.ai_models
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER ai_models_notify_truncate AFTER TRUNCATE ON platform.ai_models
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER chatbot_packages_notify AFTER DELETE OR UPDATE ON platform.chatbot_packages
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER chatbot_packages_notify_truncate AFTER TRUNCATE ON platform.chatbot_packages
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER chatbots_notify AFTER DELETE ON platform.chatbots
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER chatbots_notify_update AFTER UPDATE ON platform.chatbots
	FOR EACH ROW WHEN (
		OLD.id IS DISTINCT FROM NEW.id OR
		OLD.organization_id IS DISTINCT FROM NEW.organization_id OR
		OLD.package_id IS DISTINCT FROM NEW.package_id OR
		OLD.status IS DISTINCT FROM NEW.status OR
		OLD.enabled_chat IS DISTINCT FROM NEW.enabled_chat OR
		OLD.enabled_call IS DISTINCT FROM NEW.enabled_call OR
		OLD.chat_model_id IS DISTINCT FROM NEW.chat_model_id OR
		OLD.call_model_id IS DISTINCT FROM NEW.call_model_id OR
		OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
	EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER chatbots_notify_truncate AFTER TRUNCATE ON platform.chatbots
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER organizations_notify_settings AFTER UPDATE ON platform.organizations
	FOR EACH ROW WHEN ((OLD.settings -> 'features') IS DISTINCT FROM (NEW.settings -> 'features'))
	EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.ai_models
	ENABLE ALWAYS TRIGGER ai_models_notify,
	ENABLE ALWAYS TRIGGER ai_models_notify_truncate;
ALTER TABLE platform.chatbot_packages
	ENABLE ALWAYS TRIGGER chatbot_packages_notify,
	ENABLE ALWAYS TRIGGER chatbot_packages_notify_truncate;
ALTER TABLE platform.chatbots
	ENABLE ALWAYS TRIGGER chatbots_notify,
	ENABLE ALWAYS TRIGGER chatbots_notify_update,
	ENABLE ALWAYS TRIGGER chatbots_notify_truncate;
ALTER TABLE platform.organizations
	ENABLE ALWAYS TRIGGER organizations_notify_settings;

CREATE OR REPLACE TRIGGER ai_models_audit AFTER INSERT OR DELETE OR UPDATE ON platform.ai_models
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER ai_models_audit_truncate BEFORE TRUNCATE ON platform.ai_models
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER chatbot_packages_audit AFTER INSERT OR DELETE OR UPDATE ON platform.chatbot_packages
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER chatbot_packages_audit_truncate BEFORE TRUNCATE ON platform.chatbot_packages
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER chatbots_audit AFTER INSERT OR DELETE OR UPDATE ON platform.chatbots
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER chatbots_audit_truncate BEFORE TRUNCATE ON platform.chatbots
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS chatbots_audit_truncate ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbots_audit ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbot_packages_audit_truncate ON platform.chatbot_packages;
DROP TRIGGER IF EXISTS chatbot_packages_audit ON platform.chatbot_packages;
DROP TRIGGER IF EXISTS ai_models_audit_truncate ON platform.ai_models;
DROP TRIGGER IF EXISTS ai_models_audit ON platform.ai_models;
DROP TRIGGER IF EXISTS organizations_notify_settings ON platform.organizations;
DROP TRIGGER IF EXISTS chatbots_notify_truncate ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbots_notify_update ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbots_notify ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbot_packages_notify_truncate ON platform.chatbot_packages;
DROP TRIGGER IF EXISTS chatbot_packages_notify ON platform.chatbot_packages;
DROP TRIGGER IF EXISTS ai_models_notify_truncate ON platform.ai_models;
DROP TRIGGER IF EXISTS ai_models_notify ON platform.ai_models;
DROP TRIGGER IF EXISTS chatbots_check ON platform.chatbots;
DROP TRIGGER IF EXISTS chatbot_packages_check ON platform.chatbot_packages;
DROP TRIGGER IF EXISTS ai_models_touch ON platform.ai_models;

-- Row security stays on: without policies it lets no member in.
DROP POLICY IF EXISTS chatbots_admin_update ON platform.chatbots;
DROP POLICY IF EXISTS chatbots_admin_insert ON platform.chatbots;
DROP POLICY IF EXISTS chatbots_member_select ON platform.chatbots;
DROP POLICY IF EXISTS chatbot_packages_member_select ON platform.chatbot_packages;
DROP POLICY IF EXISTS ai_models_member_select ON platform.ai_models;

ALTER TABLE platform.chatbots
	DROP CONSTRAINT IF EXISTS chatbots_organization_id_fkey;

-- checks

-- check: changes of packages, models and chatbots reach the caches
SELECT t.name FROM (VALUES ('ai_models', 2), ('chatbot_packages', 2), ('chatbots', 3)) AS t (name, triggers)
WHERE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = ('platform.' || t.name)::regclass AND g.tgenabled = 'A' AND NOT g.tgisinternal) < t.triggers;
-- check: a switch of calls reaches the caches
SELECT 'organizations_notify_settings' AS name
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.organizations'::regclass AND g.tgname = 'organizations_notify_settings' AND g.tgenabled = 'A');
-- check: chatbots pass their trigger
SELECT 'chatbots_check' AS name
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.chatbots'::regclass AND g.tgname = 'chatbots_check' AND g.tgenabled <> 'D');
