-- migration 560 sessions: foreign keys, row security, the end of a membership
-- requires: tenants

-- up

ALTER TABLE platform.active_sessions
	DROP CONSTRAINT IF EXISTS active_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS active_sessions_user_id_fkey,
	ADD CONSTRAINT active_sessions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT active_sessions_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE CASCADE;

ALTER TABLE platform.active_sessions ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS active_sessions_self_select ON platform.active_sessions;
CREATE POLICY active_sessions_self_select ON platform.active_sessions FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));

CREATE OR REPLACE TRIGGER organization_members_revoke_sessions
	AFTER DELETE ON platform.organization_members
	FOR EACH ROW EXECUTE FUNCTION platform.revoke_member_sessions();

-- Who ended whose session: that it began, and was used, its own row tells.
CREATE OR REPLACE TRIGGER active_sessions_audit AFTER UPDATE OF revoked_at, user_id, organization_id ON platform.active_sessions
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('token_hash');

-- down

DROP TRIGGER IF EXISTS active_sessions_audit ON platform.active_sessions;
DROP TRIGGER IF EXISTS organization_members_revoke_sessions ON platform.organization_members;
DROP POLICY IF EXISTS active_sessions_self_select ON platform.active_sessions;
ALTER TABLE platform.active_sessions
	DROP CONSTRAINT IF EXISTS active_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS active_sessions_user_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid = 'platform.active_sessions'::regclass AND NOT relrowsecurity;
-- check: who leaves an organization loses its sessions there
SELECT 'organization_members_revoke_sessions' AS missing
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.organization_members'::regclass
	AND g.tgname = 'organization_members_revoke_sessions');
