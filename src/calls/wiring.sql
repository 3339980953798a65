-- migration 580 calls: foreign keys, row security, triggers, the view recordings
-- requires: tenants capabilities credentials

-- up

ALTER TABLE platform.conversations
	DROP CONSTRAINT IF EXISTS conversations_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_end_user_id_organization_id_fkey,
	ADD CONSTRAINT conversations_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT conversations_chatbot_id_organization_id_fkey
		FOREIGN KEY (chatbot_id, organization_id) REFERENCES platform.chatbots (id, organization_id),
	ADD CONSTRAINT conversations_end_user_id_organization_id_fkey
		FOREIGN KEY (end_user_id, organization_id) REFERENCES platform.end_users (id, organization_id);
ALTER TABLE platform.calls
	DROP CONSTRAINT IF EXISTS calls_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_end_user_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_conversation_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_integration_account_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_disposition_set_by_fkey,
	DROP CONSTRAINT IF EXISTS calls_consent_verified_by_fkey,
	ADD CONSTRAINT calls_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT calls_chatbot_id_organization_id_fkey
		FOREIGN KEY (chatbot_id, organization_id) REFERENCES platform.chatbots (id, organization_id),
	ADD CONSTRAINT calls_end_user_id_organization_id_fkey
		FOREIGN KEY (end_user_id, organization_id) REFERENCES platform.end_users (id, organization_id),
	ADD CONSTRAINT calls_conversation_id_organization_id_fkey
		FOREIGN KEY (conversation_id, organization_id) REFERENCES platform.conversations (id, organization_id),
	ADD CONSTRAINT calls_integration_account_id_organization_id_fkey
		FOREIGN KEY (integration_account_id, organization_id) REFERENCES platform.integration_accounts (id, organization_id),
	ADD CONSTRAINT calls_disposition_set_by_fkey
		FOREIGN KEY (disposition_set_by) REFERENCES platform.users (id),
	ADD CONSTRAINT calls_consent_verified_by_fkey
		FOREIGN KEY (consent_verified_by) REFERENCES platform.users (id);
ALTER TABLE platform.call_notes
	DROP CONSTRAINT IF EXISTS call_notes_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_notes_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_notes_created_by_fkey,
	ADD CONSTRAINT call_notes_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT call_notes_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id) ON DELETE CASCADE,
	ADD CONSTRAINT call_notes_created_by_fkey
		FOREIGN KEY (created_by) REFERENCES platform.users (id);
ALTER TABLE platform.consent_logs
	DROP CONSTRAINT IF EXISTS consent_logs_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_user_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_recorded_by_fkey,
	ADD CONSTRAINT consent_logs_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id),
	ADD CONSTRAINT consent_logs_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id),
	ADD CONSTRAINT consent_logs_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id),
	ADD CONSTRAINT consent_logs_recorded_by_fkey
		FOREIGN KEY (recorded_by) REFERENCES platform.users (id);
ALTER TABLE platform.call_recordings
	DROP CONSTRAINT IF EXISTS call_recordings_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_recordings_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_recordings_seller_id_fkey,
	ADD CONSTRAINT call_recordings_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT call_recordings_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id) ON DELETE CASCADE,
	ADD CONSTRAINT call_recordings_seller_id_fkey
		FOREIGN KEY (seller_id) REFERENCES platform.users (id);
ALTER TABLE platform.call_transcripts
	DROP CONSTRAINT IF EXISTS call_transcripts_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_transcripts_call_id_organization_id_fkey,
	ADD CONSTRAINT call_transcripts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT call_transcripts_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.webrtc_sessions
	DROP CONSTRAINT IF EXISTS webrtc_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS webrtc_sessions_user_id_fkey,
	DROP CONSTRAINT IF EXISTS webrtc_sessions_call_id_organization_id_fkey,
	ADD CONSTRAINT webrtc_sessions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT webrtc_sessions_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE CASCADE,
	ADD CONSTRAINT webrtc_sessions_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id);
ALTER TABLE platform.webrtc_quality_samples
	DROP CONSTRAINT IF EXISTS webrtc_quality_samples_session_id_organization_id_fkey,
	ADD CONSTRAINT webrtc_quality_samples_session_id_organization_id_fkey
		FOREIGN KEY (session_id, organization_id) REFERENCES platform.webrtc_sessions (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.dialer_queue
	DROP CONSTRAINT IF EXISTS dialer_queue_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_created_by_fkey,
	ADD CONSTRAINT dialer_queue_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT dialer_queue_chatbot_id_organization_id_fkey
		FOREIGN KEY (chatbot_id, organization_id) REFERENCES platform.chatbots (id, organization_id),
	ADD CONSTRAINT dialer_queue_call_id_organization_id_fkey
		FOREIGN KEY (call_id, organization_id) REFERENCES platform.calls (id, organization_id),
	ADD CONSTRAINT dialer_queue_created_by_fkey
		FOREIGN KEY (created_by) REFERENCES platform.users (id);

ALTER TABLE platform.conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.call_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.consent_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.call_recordings ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.call_transcripts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webrtc_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webrtc_quality_samples ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.dialer_queue ENABLE ROW LEVEL SECURITY;

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
-- A note is its author's; administrators may delete any.
DROP POLICY IF EXISTS call_notes_member_select ON platform.call_notes;
CREATE POLICY call_notes_member_select ON platform.call_notes FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS call_notes_member_insert ON platform.call_notes;
CREATE POLICY call_notes_member_insert ON platform.call_notes FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id()
		AND created_by = platform.current_user_id());
DROP POLICY IF EXISTS call_notes_author_update ON platform.call_notes;
CREATE POLICY call_notes_author_update ON platform.call_notes FOR UPDATE
	USING (organization_id = platform.current_organization_id()
		AND created_by = platform.current_user_id())
	WITH CHECK (organization_id = platform.current_organization_id()
		AND created_by = platform.current_user_id());
DROP POLICY IF EXISTS call_notes_author_delete ON platform.call_notes;
CREATE POLICY call_notes_author_delete ON platform.call_notes FOR DELETE
	USING (organization_id = platform.current_organization_id()
		AND (created_by = platform.current_user_id() OR platform.is_admin()));
-- Of calls: the organization's. To the terms: the user's own, which it may add.
DROP POLICY IF EXISTS consent_logs_self_select ON platform.consent_logs;
CREATE POLICY consent_logs_self_select ON platform.consent_logs FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (call_id IS NOT NULL OR user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS consent_logs_self_insert ON platform.consent_logs;
CREATE POLICY consent_logs_self_insert ON platform.consent_logs FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id()
		AND user_id = platform.current_user_id() AND call_id IS NULL);
DROP POLICY IF EXISTS call_recordings_member_select ON platform.call_recordings;
CREATE POLICY call_recordings_member_select ON platform.call_recordings FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS call_recordings_member_update ON platform.call_recordings;
CREATE POLICY call_recordings_member_update ON platform.call_recordings FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS call_transcripts_member_select ON platform.call_transcripts;
CREATE POLICY call_transcripts_member_select ON platform.call_transcripts FOR SELECT
	USING (organization_id = platform.current_organization_id());
-- A session is its user's; administrators see all of them.
DROP POLICY IF EXISTS webrtc_sessions_self_select ON platform.webrtc_sessions;
CREATE POLICY webrtc_sessions_self_select ON platform.webrtc_sessions FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS webrtc_quality_samples_member_select ON platform.webrtc_quality_samples;
CREATE POLICY webrtc_quality_samples_member_select ON platform.webrtc_quality_samples FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS dialer_queue_member_select ON platform.dialer_queue;
CREATE POLICY dialer_queue_member_select ON platform.dialer_queue FOR SELECT
	USING (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER conversations_touch BEFORE UPDATE ON platform.conversations
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER calls_check BEFORE INSERT OR UPDATE ON platform.calls
	FOR EACH ROW EXECUTE FUNCTION platform.check_call();
CREATE OR REPLACE TRIGGER call_notes_touch BEFORE UPDATE ON platform.call_notes
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER consent_logs_refuse BEFORE UPDATE OR DELETE ON platform.consent_logs
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER consent_logs_refuse_truncate BEFORE TRUNCATE ON platform.consent_logs
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER call_recordings_check BEFORE INSERT OR UPDATE ON platform.call_recordings
	FOR EACH ROW EXECUTE FUNCTION platform.check_recording();
CREATE OR REPLACE TRIGGER call_transcripts_keep BEFORE INSERT OR UPDATE OF start_time, end_time, duration ON platform.call_transcripts
	FOR EACH ROW EXECUTE FUNCTION platform.keep_transcript();
CREATE OR REPLACE TRIGGER webrtc_sessions_check BEFORE UPDATE ON platform.webrtc_sessions
	FOR EACH ROW EXECUTE FUNCTION platform.check_webrtc_session();
CREATE OR REPLACE TRIGGER dialer_queue_touch BEFORE UPDATE ON platform.dialer_queue
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

CREATE OR REPLACE VIEW platform.recordings WITH (security_invoker = true) AS
SELECT r.id, r.organization_id, r.call_id, r.recording_url, r.url_expires_at, r.storage_path, r.duration,
	r.consent_captured, r.consent_method, r.consent_audio_offset_ms, r.transcribed_at, r.created_at, r.updated_at
FROM platform.call_recordings r
WHERE r.deleted_at IS NULL;
COMMENT ON VIEW platform.recordings IS
	'call_recordings that are not deleted, under the name that older systems use.';

-- down

DROP VIEW IF EXISTS platform.recordings;

DROP TRIGGER IF EXISTS dialer_queue_touch ON platform.dialer_queue;
DROP TRIGGER IF EXISTS webrtc_sessions_check ON platform.webrtc_sessions;
DROP TRIGGER IF EXISTS call_transcripts_keep ON platform.call_transcripts;
DROP TRIGGER IF EXISTS call_recordings_check ON platform.call_recordings;
DROP TRIGGER IF EXISTS consent_logs_refuse_truncate ON platform.consent_logs;
DROP TRIGGER IF EXISTS consent_logs_refuse ON platform.consent_logs;
DROP TRIGGER IF EXISTS call_notes_touch ON platform.call_notes;
DROP TRIGGER IF EXISTS calls_check ON platform.calls;
DROP TRIGGER IF EXISTS conversations_touch ON platform.conversations;

DROP POLICY IF EXISTS dialer_queue_member_select ON platform.dialer_queue;
DROP POLICY IF EXISTS webrtc_quality_samples_member_select ON platform.webrtc_quality_samples;
DROP POLICY IF EXISTS webrtc_sessions_self_select ON platform.webrtc_sessions;
DROP POLICY IF EXISTS call_transcripts_member_select ON platform.call_transcripts;
DROP POLICY IF EXISTS call_recordings_member_update ON platform.call_recordings;
DROP POLICY IF EXISTS call_recordings_member_select ON platform.call_recordings;
DROP POLICY IF EXISTS consent_logs_self_insert ON platform.consent_logs;
DROP POLICY IF EXISTS consent_logs_self_select ON platform.consent_logs;
DROP POLICY IF EXISTS call_notes_author_delete ON platform.call_notes;
DROP POLICY IF EXISTS call_notes_author_update ON platform.call_notes;
DROP POLICY IF EXISTS call_notes_member_insert ON platform.call_notes;
DROP POLICY IF EXISTS call_notes_member_select ON platform.call_notes;
DROP POLICY IF EXISTS calls_member_update ON platform.calls;
DROP POLICY IF EXISTS calls_member_select ON platform.calls;
DROP POLICY IF EXISTS conversations_member_update ON platform.conversations;
DROP POLICY IF EXISTS conversations_member_insert ON platform.conversations;
DROP POLICY IF EXISTS conversations_member_select ON platform.conversations;

ALTER TABLE platform.dialer_queue
	DROP CONSTRAINT IF EXISTS dialer_queue_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS dialer_queue_created_by_fkey;
ALTER TABLE platform.webrtc_quality_samples
	DROP CONSTRAINT IF EXISTS webrtc_quality_samples_session_id_organization_id_fkey;
ALTER TABLE platform.webrtc_sessions
	DROP CONSTRAINT IF EXISTS webrtc_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS webrtc_sessions_user_id_fkey,
	DROP CONSTRAINT IF EXISTS webrtc_sessions_call_id_organization_id_fkey;
ALTER TABLE platform.call_transcripts
	DROP CONSTRAINT IF EXISTS call_transcripts_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_transcripts_call_id_organization_id_fkey;
ALTER TABLE platform.call_recordings
	DROP CONSTRAINT IF EXISTS call_recordings_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_recordings_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_recordings_seller_id_fkey;
ALTER TABLE platform.consent_logs
	DROP CONSTRAINT IF EXISTS consent_logs_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_user_id_fkey,
	DROP CONSTRAINT IF EXISTS consent_logs_recorded_by_fkey;
ALTER TABLE platform.call_notes
	DROP CONSTRAINT IF EXISTS call_notes_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_notes_call_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS call_notes_created_by_fkey;
ALTER TABLE platform.calls
	DROP CONSTRAINT IF EXISTS calls_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_end_user_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_conversation_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_integration_account_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS calls_disposition_set_by_fkey,
	DROP CONSTRAINT IF EXISTS calls_consent_verified_by_fkey;
ALTER TABLE platform.conversations
	DROP CONSTRAINT IF EXISTS conversations_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_chatbot_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS conversations_end_user_id_organization_id_fkey;

-- checks

-- check: row security is on
SELECT t.name FROM (VALUES ('conversations'), ('calls'), ('call_notes'), ('consent_logs'), ('call_recordings'), ('call_transcripts'), ('webrtc_sessions'), ('webrtc_quality_samples'), ('dialer_queue')) AS t (name)
JOIN pg_catalog.pg_class c ON c.relname = t.name AND c.relnamespace = 'platform'::regnamespace
WHERE NOT c.relrowsecurity;
-- check: calls follow their transitions, consents stay as they are
SELECT t.name FROM (VALUES ('calls', 'calls_check'), ('consent_logs', 'consent_logs_refuse'), ('call_recordings', 'call_recordings_check')) AS t (relation, name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
	WHERE c.relname = t.relation AND c.relnamespace = 'platform'::regnamespace AND g.tgname = t.name AND g.tgenabled <> 'D');
-- check: calls have chatbots of their organization
SELECT c.id, c.organization_id FROM platform.calls c
WHERE c.chatbot_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM platform.chatbots b
	WHERE b.id = c.chatbot_id AND b.organization_id = c.organization_id);
-- check: transcripts are of calls
SELECT t.id, t.organization_id FROM platform.call_transcripts t
WHERE NOT EXISTS (SELECT 1 FROM platform.calls c WHERE c.id = t.call_id AND c.organization_id = t.organization_id);
