-- migration 551 credentials: integration accounts: foreign keys, row security, triggers, the redacted view
-- requires: tenants

-- up

ALTER TABLE platform.integration_accounts
	DROP CONSTRAINT IF EXISTS integration_accounts_organization_id_fkey,
	ADD CONSTRAINT integration_accounts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

ALTER TABLE platform.credential_fields ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.integration_accounts ENABLE ROW LEVEL SECURITY;

-- Secrets are written by administrators and read by nobody: columns are granted in functions.sql.
DROP POLICY IF EXISTS credential_fields_member_select ON platform.credential_fields;
CREATE POLICY credential_fields_member_select ON platform.credential_fields FOR SELECT
	USING (true);
DROP POLICY IF EXISTS integration_accounts_member_select ON platform.integration_accounts;
CREATE POLICY integration_accounts_member_select ON platform.integration_accounts FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS integration_accounts_admin_insert ON platform.integration_accounts;
CREATE POLICY integration_accounts_admin_insert ON platform.integration_accounts FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS integration_accounts_admin_update ON platform.integration_accounts;
CREATE POLICY integration_accounts_admin_update ON platform.integration_accounts FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());

CREATE OR REPLACE TRIGGER integration_accounts_encrypt
	BEFORE INSERT OR UPDATE ON platform.integration_accounts
	FOR EACH ROW EXECUTE FUNCTION platform.encrypt_integration();
CREATE OR REPLACE TRIGGER integration_accounts_audit
	AFTER INSERT OR DELETE OR UPDATE ON platform.integration_accounts
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('credentials', 'access_token', 'refresh_token', 'webhook_secret', 'previous_webhook_secret');
CREATE OR REPLACE TRIGGER integration_accounts_audit_truncate
	BEFORE TRUNCATE ON platform.integration_accounts
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('credentials', 'access_token', 'refresh_token', 'webhook_secret', 'previous_webhook_secret');
CREATE OR REPLACE TRIGGER credential_fields_notify
	AFTER INSERT OR DELETE OR UPDATE ON platform.credential_fields
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER credential_fields_notify_truncate
	AFTER TRUNCATE ON platform.credential_fields
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.credential_fields
	ENABLE ALWAYS TRIGGER credential_fields_notify,
	ENABLE ALWAYS TRIGGER credential_fields_notify_truncate;

CREATE OR REPLACE VIEW platform.integrations WITH (security_invoker = true, security_barrier = true) AS
SELECT a.id, a.organization_id, a.account_type AS provider, a.account_name AS display_name, a.description,
	platform.redacted_credentials(a.organization_id, a.id) AS credentials,
	platform.redacted_secret(a.organization_id, a.id, 'access_token') AS access_token,
	platform.redacted_secret(a.organization_id, a.id, 'refresh_token') AS refresh_token,
	a.token_expires_at AS expires_at,
	a.webhook_url,
	platform.redacted_secret(a.organization_id, a.id, 'webhook_secret') AS webhook_secret,
	a.status, a.is_active, a.last_verified_at IS NOT NULL AS is_verified, a.last_verified_at,
	a.last_error, a.last_error_at, a.data_key_ids,
	a.secrets_changed_at, pg_catalog.now() - a.secrets_changed_at AS secrets_age,
	a.created_at, a.updated_at
FROM platform.integration_accounts a
WHERE a.deleted_at IS NULL;
COMMENT ON VIEW platform.integrations IS
	'Accounts at providers as their organization sees them: of each secret its last four characters.';

-- down

DROP VIEW IF EXISTS platform.integrations;
DROP TRIGGER IF EXISTS credential_fields_notify_truncate ON platform.credential_fields;
DROP TRIGGER IF EXISTS credential_fields_notify ON platform.credential_fields;
DROP TRIGGER IF EXISTS integration_accounts_audit_truncate ON platform.integration_accounts;
DROP TRIGGER IF EXISTS integration_accounts_audit ON platform.integration_accounts;
DROP TRIGGER IF EXISTS integration_accounts_encrypt ON platform.integration_accounts;
DROP POLICY IF EXISTS integration_accounts_admin_update ON platform.integration_accounts;
DROP POLICY IF EXISTS integration_accounts_admin_insert ON platform.integration_accounts;
DROP POLICY IF EXISTS integration_accounts_member_select ON platform.integration_accounts;
DROP POLICY IF EXISTS credential_fields_member_select ON platform.credential_fields;
ALTER TABLE platform.integration_accounts
	DROP CONSTRAINT IF EXISTS integration_accounts_organization_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.credential_fields'::regclass, 'platform.integration_accounts'::regclass)
  AND NOT relrowsecurity;
-- check: what is written is encrypted
SELECT 'integration_accounts_encrypt' AS missing
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.integration_accounts'::regclass
	AND g.tgname = 'integration_accounts_encrypt' AND g.tgenabled <> 'D');
-- check: changes of credential_fields reach the caches
SELECT t.name FROM (VALUES ('credential_fields_notify'), ('credential_fields_notify_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.credential_fields'::regclass AND g.tgname = t.name AND g.tgenabled = 'A');
