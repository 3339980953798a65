-- migration 550 credentials: keys belong to organizations; caches of keys; rights
-- requires: tenants

-- up

ALTER TABLE platform.data_keys
	DROP CONSTRAINT IF EXISTS data_keys_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS data_keys_root_version_fkey,
	ADD CONSTRAINT data_keys_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT data_keys_root_version_fkey
		FOREIGN KEY (root_version) REFERENCES platform.root_keys (version);
ALTER TABLE platform.data_key_counts
	DROP CONSTRAINT IF EXISTS data_key_counts_key_id_organization_id_fkey,
	ADD CONSTRAINT data_key_counts_key_id_organization_id_fkey
		FOREIGN KEY (key_id, organization_id) REFERENCES platform.data_keys (id, organization_id) ON DELETE CASCADE;

ALTER TABLE platform.root_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.data_key_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.secret_access_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.secret_columns ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS secret_access_log_admin_select ON platform.secret_access_log;
CREATE POLICY secret_access_log_admin_select ON platform.secret_access_log FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());

-- A key that is added is looked for before it is used; nothing remembers its absence.
CREATE OR REPLACE TRIGGER root_keys_notify AFTER DELETE OR UPDATE ON platform.root_keys
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER root_keys_notify_truncate AFTER TRUNCATE ON platform.root_keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER data_keys_notify AFTER DELETE OR UPDATE ON platform.data_keys
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER data_keys_notify_truncate AFTER TRUNCATE ON platform.data_keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.root_keys
	ENABLE ALWAYS TRIGGER root_keys_notify,
	ENABLE ALWAYS TRIGGER root_keys_notify_truncate;
ALTER TABLE platform.data_keys
	ENABLE ALWAYS TRIGGER data_keys_notify,
	ENABLE ALWAYS TRIGGER data_keys_notify_truncate;
CREATE OR REPLACE TRIGGER secret_access_log_refuse BEFORE UPDATE ON platform.secret_access_log
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER secret_access_log_refuse_truncate BEFORE TRUNCATE ON platform.secret_access_log
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- Keys: never what is wrapped in them.
CREATE OR REPLACE TRIGGER root_keys_audit AFTER INSERT OR DELETE OR UPDATE ON platform.root_keys
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('check_value');
CREATE OR REPLACE TRIGGER root_keys_audit_truncate BEFORE TRUNCATE ON platform.root_keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('check_value');
CREATE OR REPLACE TRIGGER data_keys_audit AFTER INSERT OR DELETE OR UPDATE ON platform.data_keys
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('wrapped');
CREATE OR REPLACE TRIGGER data_keys_audit_truncate BEFORE TRUNCATE ON platform.data_keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('wrapped');
CREATE OR REPLACE TRIGGER credential_fields_audit AFTER INSERT OR DELETE OR UPDATE ON platform.credential_fields
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER credential_fields_audit_truncate BEFORE TRUNCATE ON platform.credential_fields
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER secret_columns_audit AFTER INSERT OR DELETE OR UPDATE ON platform.secret_columns
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER secret_columns_audit_truncate BEFORE TRUNCATE ON platform.secret_columns
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS secret_columns_audit_truncate ON platform.secret_columns;
DROP TRIGGER IF EXISTS secret_columns_audit ON platform.secret_columns;
DROP TRIGGER IF EXISTS credential_fields_audit_truncate ON platform.credential_fields;
DROP TRIGGER IF EXISTS credential_fields_audit ON platform.credential_fields;
DROP TRIGGER IF EXISTS data_keys_audit_truncate ON platform.data_keys;
DROP TRIGGER IF EXISTS data_keys_audit ON platform.data_keys;
DROP TRIGGER IF EXISTS root_keys_audit_truncate ON platform.root_keys;
DROP TRIGGER IF EXISTS root_keys_audit ON platform.root_keys;
DROP TRIGGER IF EXISTS secret_access_log_refuse_truncate ON platform.secret_access_log;
DROP TRIGGER IF EXISTS secret_access_log_refuse ON platform.secret_access_log;
DROP TRIGGER IF EXISTS data_keys_notify_truncate ON platform.data_keys;
DROP TRIGGER IF EXISTS data_keys_notify ON platform.data_keys;
DROP TRIGGER IF EXISTS root_keys_notify_truncate ON platform.root_keys;
DROP TRIGGER IF EXISTS root_keys_notify ON platform.root_keys;
DROP POLICY IF EXISTS secret_access_log_admin_select ON platform.secret_access_log;
ALTER TABLE platform.data_key_counts
	DROP CONSTRAINT IF EXISTS data_key_counts_key_id_organization_id_fkey;
ALTER TABLE platform.data_keys
	DROP CONSTRAINT IF EXISTS data_keys_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS data_keys_root_version_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.root_keys'::regclass, 'platform.data_keys'::regclass, 'platform.data_key_counts'::regclass,
	'platform.secret_access_log'::regclass, 'platform.secret_columns'::regclass)
  AND NOT relrowsecurity;
-- check: changes of keys reach the caches
SELECT t.name FROM (VALUES ('root_keys_notify'), ('root_keys_notify_truncate'),
	('data_keys_notify'), ('data_keys_notify_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid IN ('platform.root_keys'::regclass, 'platform.data_keys'::regclass)
	AND g.tgname = t.name AND g.tgenabled = 'A');
