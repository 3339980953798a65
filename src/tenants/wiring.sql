-- migration 510 tenants: foreign keys, row security, triggers, the default organization

-- up

ALTER TABLE platform.organizations
	DROP CONSTRAINT IF EXISTS organizations_created_by_fkey,
	ADD CONSTRAINT organizations_created_by_fkey
		FOREIGN KEY (created_by) REFERENCES platform.users (id);
ALTER TABLE platform.organization_members
	DROP CONSTRAINT IF EXISTS organization_members_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS organization_members_user_id_fkey,
	ADD CONSTRAINT organization_members_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT organization_members_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE CASCADE;
ALTER TABLE platform.profiles
	DROP CONSTRAINT IF EXISTS profiles_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_user_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_referred_by_user_id_fkey,
	ADD CONSTRAINT profiles_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT profiles_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE CASCADE,
	ADD CONSTRAINT profiles_referrer_id_fkey
		FOREIGN KEY (referrer_id) REFERENCES platform.users (id),
	ADD CONSTRAINT profiles_referred_by_user_id_fkey
		FOREIGN KEY (referred_by_user_id) REFERENCES platform.users (id);
ALTER TABLE platform.end_users
	DROP CONSTRAINT IF EXISTS end_users_organization_id_fkey,
	ADD CONSTRAINT end_users_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

ALTER TABLE platform.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.organization_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.end_users ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS organizations_member_select ON platform.organizations;
CREATE POLICY organizations_member_select ON platform.organizations FOR SELECT
	USING (id = platform.current_organization_id());
DROP POLICY IF EXISTS organizations_admin_update ON platform.organizations;
CREATE POLICY organizations_admin_update ON platform.organizations FOR UPDATE
	USING (id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (id = platform.current_organization_id() AND platform.is_admin());

DROP POLICY IF EXISTS users_self_select ON platform.users;
CREATE POLICY users_self_select ON platform.users FOR SELECT
	USING (id = platform.current_user_id());
DROP POLICY IF EXISTS users_self_update ON platform.users;
CREATE POLICY users_self_update ON platform.users FOR UPDATE
	USING (id = platform.current_user_id())
	WITH CHECK (id = platform.current_user_id());

DROP POLICY IF EXISTS organization_members_member_select ON platform.organization_members;
CREATE POLICY organization_members_member_select ON platform.organization_members FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS organization_members_self_select ON platform.organization_members;
CREATE POLICY organization_members_self_select ON platform.organization_members FOR SELECT
	USING (user_id = platform.current_user_id());
DROP POLICY IF EXISTS organization_members_admin_insert ON platform.organization_members;
CREATE POLICY organization_members_admin_insert ON platform.organization_members FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS organization_members_admin_update ON platform.organization_members;
CREATE POLICY organization_members_admin_update ON platform.organization_members FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS organization_members_admin_delete ON platform.organization_members;
CREATE POLICY organization_members_admin_delete ON platform.organization_members FOR DELETE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS organization_members_self_delete ON platform.organization_members;
CREATE POLICY organization_members_self_delete ON platform.organization_members FOR DELETE
	USING (organization_id = platform.current_organization_id() AND user_id = platform.current_user_id());

DROP POLICY IF EXISTS profiles_self_select ON platform.profiles;
CREATE POLICY profiles_self_select ON platform.profiles FOR SELECT
	USING (organization_id = platform.current_organization_id() AND user_id = platform.current_user_id());
DROP POLICY IF EXISTS profiles_admin_select ON platform.profiles;
CREATE POLICY profiles_admin_select ON platform.profiles FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS profiles_self_insert ON platform.profiles;
CREATE POLICY profiles_self_insert ON platform.profiles FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND user_id = platform.current_user_id());
DROP POLICY IF EXISTS profiles_self_update ON platform.profiles;
CREATE POLICY profiles_self_update ON platform.profiles FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND user_id = platform.current_user_id())
	WITH CHECK (organization_id = platform.current_organization_id() AND user_id = platform.current_user_id());

DROP POLICY IF EXISTS end_users_member_select ON platform.end_users;
CREATE POLICY end_users_member_select ON platform.end_users FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS end_users_member_insert ON platform.end_users;
CREATE POLICY end_users_member_insert ON platform.end_users FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS end_users_member_update ON platform.end_users;
CREATE POLICY end_users_member_update ON platform.end_users FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER organizations_check BEFORE INSERT OR UPDATE ON platform.organizations
	FOR EACH ROW EXECUTE FUNCTION platform.check_organization();
CREATE OR REPLACE TRIGGER users_check BEFORE INSERT OR UPDATE ON platform.users
	FOR EACH ROW EXECUTE FUNCTION platform.check_user();
CREATE OR REPLACE TRIGGER organization_members_check
	BEFORE INSERT OR DELETE OR UPDATE ON platform.organization_members
	FOR EACH ROW EXECUTE FUNCTION platform.check_member();
CREATE OR REPLACE TRIGGER organization_members_keep_owner
	AFTER DELETE OR UPDATE ON platform.organization_members
	FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION platform.keep_owner();
CREATE OR REPLACE TRIGGER profiles_check BEFORE INSERT OR UPDATE ON platform.profiles
	FOR EACH ROW EXECUTE FUNCTION platform.check_profile();
CREATE OR REPLACE TRIGGER end_users_touch BEFORE UPDATE ON platform.end_users
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

-- What caches hold of organizations: whether it is active, its tier and calendar.
CREATE OR REPLACE TRIGGER organizations_notify AFTER INSERT OR DELETE ON platform.organizations
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER organizations_notify_update AFTER UPDATE ON platform.organizations
	FOR EACH ROW WHEN (
		OLD.id IS DISTINCT FROM NEW.id OR
		OLD.tier IS DISTINCT FROM NEW.tier OR
		OLD.status IS DISTINCT FROM NEW.status OR
		OLD.timezone IS DISTINCT FROM NEW.timezone OR
		OLD.billing_anchor_day IS DISTINCT FROM NEW.billing_anchor_day OR
		OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
	EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER organizations_notify_truncate AFTER TRUNCATE ON platform.organizations
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.organizations
	ENABLE ALWAYS TRIGGER organizations_notify,
	ENABLE ALWAYS TRIGGER organizations_notify_update,
	ENABLE ALWAYS TRIGGER organizations_notify_truncate;

INSERT INTO platform.organizations (id, name)
VALUES ('00000000-0000-0000-0000-000000000000', 'Default organization')
ON CONFLICT (id) DO NOTHING;

-- Who changed what, where module ops is installed.
CREATE OR REPLACE TRIGGER organizations_audit AFTER INSERT OR DELETE OR UPDATE ON platform.organizations
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER organizations_audit_truncate BEFORE TRUNCATE ON platform.organizations
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER users_audit AFTER INSERT OR DELETE OR UPDATE ON platform.users
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER users_audit_truncate BEFORE TRUNCATE ON platform.users
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER organization_members_audit AFTER INSERT OR DELETE OR UPDATE ON platform.organization_members
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER organization_members_audit_truncate BEFORE TRUNCATE ON platform.organization_members
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER profiles_audit AFTER INSERT OR DELETE OR UPDATE ON platform.profiles
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER profiles_audit_truncate BEFORE TRUNCATE ON platform.profiles
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS profiles_audit_truncate ON platform.profiles;
DROP TRIGGER IF EXISTS profiles_audit ON platform.profiles;
DROP TRIGGER IF EXISTS organization_members_audit_truncate ON platform.organization_members;
DROP TRIGGER IF EXISTS organization_members_audit ON platform.organization_members;
DROP TRIGGER IF EXISTS users_audit_truncate ON platform.users;
DROP TRIGGER IF EXISTS users_audit ON platform.users;
DROP TRIGGER IF EXISTS organizations_audit_truncate ON platform.organizations;
DROP TRIGGER IF EXISTS organizations_audit ON platform.organizations;
-- Row security stays on: without policies it lets no member in.
DROP TRIGGER IF EXISTS organizations_notify_truncate ON platform.organizations;
DROP TRIGGER IF EXISTS organizations_notify_update ON platform.organizations;
DROP TRIGGER IF EXISTS organizations_notify ON platform.organizations;
DROP TRIGGER IF EXISTS end_users_touch ON platform.end_users;
DROP TRIGGER IF EXISTS profiles_check ON platform.profiles;
DROP TRIGGER IF EXISTS organization_members_keep_owner ON platform.organization_members;
DROP TRIGGER IF EXISTS organization_members_check ON platform.organization_members;
DROP TRIGGER IF EXISTS users_check ON platform.users;
DROP TRIGGER IF EXISTS organizations_check ON platform.organizations;

DROP POLICY IF EXISTS end_users_member_update ON platform.end_users;
DROP POLICY IF EXISTS end_users_member_insert ON platform.end_users;
DROP POLICY IF EXISTS end_users_member_select ON platform.end_users;
DROP POLICY IF EXISTS profiles_self_update ON platform.profiles;
DROP POLICY IF EXISTS profiles_self_insert ON platform.profiles;
DROP POLICY IF EXISTS profiles_admin_select ON platform.profiles;
DROP POLICY IF EXISTS profiles_self_select ON platform.profiles;
DROP POLICY IF EXISTS organization_members_self_delete ON platform.organization_members;
DROP POLICY IF EXISTS organization_members_admin_delete ON platform.organization_members;
DROP POLICY IF EXISTS organization_members_admin_update ON platform.organization_members;
DROP POLICY IF EXISTS organization_members_admin_insert ON platform.organization_members;
DROP POLICY IF EXISTS organization_members_self_select ON platform.organization_members;
DROP POLICY IF EXISTS organization_members_member_select ON platform.organization_members;
DROP POLICY IF EXISTS users_self_update ON platform.users;
DROP POLICY IF EXISTS users_self_select ON platform.users;
DROP POLICY IF EXISTS organizations_admin_update ON platform.organizations;
DROP POLICY IF EXISTS organizations_member_select ON platform.organizations;

ALTER TABLE platform.end_users
	DROP CONSTRAINT IF EXISTS end_users_organization_id_fkey;
ALTER TABLE platform.profiles
	DROP CONSTRAINT IF EXISTS profiles_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_user_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS profiles_referred_by_user_id_fkey;
ALTER TABLE platform.organization_members
	DROP CONSTRAINT IF EXISTS organization_members_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS organization_members_user_id_fkey;
ALTER TABLE platform.organizations
	DROP CONSTRAINT IF EXISTS organizations_created_by_fkey;

-- checks

-- check: the default organization exists
SELECT 'missing' AS default_organization
WHERE NOT EXISTS (SELECT 1 FROM platform.organizations WHERE id = '00000000-0000-0000-0000-000000000000');
-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.organizations'::regclass, 'platform.users'::regclass,
	'platform.organization_members'::regclass, 'platform.profiles'::regclass, 'platform.end_users'::regclass)
  AND NOT relrowsecurity;
-- check: changes of organizations reach the caches
SELECT t.name FROM (VALUES ('organizations_notify'), ('organizations_notify_update'), ('organizations_notify_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.organizations'::regclass AND g.tgname = t.name AND g.tgenabled = 'A');
