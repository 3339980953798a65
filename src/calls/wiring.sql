-- migration 580 calls: foreign keys, row security, triggers, views
-- requires: tenants

-- up

ALTER TABLE platform.conversations
	DROP CONSTRAINT IF EXISTS conversations_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_end_user_id_organization_id_fkey,
	ADD CONSTRAINT conversations_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT conversations_end_user_id_organization_id_fkey
		FOREIGN KEY (end_user_id, organization_id) REFERENCES platform.end_users (id, organization_id);
ALTER TABLE platform.calls
	DROP CONSTRAINT IF EXISTS calls_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_end_user_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_conversation_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_disposition_set_by_fkey,
	DROP CONSTRAINT IF EXISTS calls_consent_verified_by_fkey,
	ADD CONSTRAINT calls_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT calls_end_user_id_organization_id_fkey
		FOREIGN KEY (end_user_id, organization_id) REFERENCES platform.end_users (id, organization_id),
	ADD CONSTRAINT calls_conversation_id_organization_id_fkey
		FOREIGN KEY (conversation_id, organization_id) REFERENCES platform.conversations (id, organization_id),
	ADD CONSTRAINT calls_disposition_set_by_fkey
		FOREIGN KEY (disposition_set_by) REFERENCES platform.users (id),
	ADD CONSTRAINT calls_consent_verified_by_fkey
		FOREIGN KEY (consent_verified_by) REFERENCES platform.users (id);

ALTER TABLE platform.conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.calls ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS conversations_member_select ON platform.conversations;
CREATE POLICY conversations_member_select ON platform.conversations FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS conversations_member_insert ON platform.conversations;
CREATE POLICY conversations_member_insert ON platform.conversations FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS conversations_member_update ON platform.conversations;
CREATE POLICY conversations_member_update ON platform.conversations FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());

-- Members write what staff says of a call; its course is the functions'.
DROP POLICY IF EXISTS calls_member_select ON platform.calls;
CREATE POLICY calls_member_select ON platform.calls FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS calls_member_update ON platform.calls;
CREATE POLICY calls_member_update ON platform.calls FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER conversations_touch BEFORE UPDATE ON platform.conversations
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER calls_check BEFORE INSERT OR UPDATE ON platform.calls
	FOR EACH ROW EXECUTE FUNCTION platform.check_call();

-- down

DROP TRIGGER IF EXISTS calls_check ON platform.calls;
DROP TRIGGER IF EXISTS conversations_touch ON platform.conversations;

DROP POLICY IF EXISTS calls_member_update ON platform.calls;
DROP POLICY IF EXISTS calls_member_select ON platform.calls;
DROP POLICY IF EXISTS conversations_member_update ON platform.conversations;
DROP POLICY IF EXISTS conversations_member_insert ON platform.conversations;
DROP POLICY IF EXISTS conversations_member_select ON platform.conversations;

ALTER TABLE platform.calls
	DROP CONSTRAINT IF EXISTS calls_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_end_user_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_conversation_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_disposition_set_by_fkey,
	DROP CONSTRAINT IF EXISTS calls_consent_verified_by_fkey;
ALTER TABLE platform.conversations
	DROP CONSTRAINT IF EXISTS conversations_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_end_user_id_organization_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.calls'::regclass, 'platform.conversations'::regclass) AND NOT relrowsecurity;
-- check: calls follow their transitions
SELECT 'calls_check' AS name WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.calls'::regclass AND g.tgname = 'calls_check' AND g.tgenabled <> 'D');
