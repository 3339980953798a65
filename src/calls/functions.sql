-- calls: the course of a call

CREATE OR REPLACE FUNCTION platform.start_call(organization_id uuid, chatbot_id uuid DEFAULT NULL, source text DEFAULT 'web', direction text DEFAULT 'inbound',
	from_number text DEFAULT NULL, to_number text DEFAULT NULL, call_sid text DEFAULT NULL, end_user_id uuid DEFAULT NULL,
	conversation_id uuid DEFAULT NULL, integration_account_id uuid DEFAULT NULL, ai_provider text DEFAULT NULL, model_id text DEFAULT NULL,
	status text DEFAULT 'pending', at timestamptz DEFAULT NULL, region text DEFAULT 'US',
	OUT id uuid, OUT created boolean, OUT current_status text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_call';
COMMENT ON FUNCTION platform.start_call(uuid, uuid, text, text, text, text, text, uuid, uuid, uuid, text, text, text, timestamptz, text) IS
	'Records a call that begins: pending, ringing or in_progress. With a call_sid that the organization has, nothing is created and that call answered. Numbers without country code are read as dialled in region. Members: their organization. Errors: 22004, 22023, 42501, PT409 call_sid of another organization, PT422 no telephone number, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'start_call(uuid, uuid, text, text, text, text, text, uuid, uuid, uuid, text, text, text, timestamptz, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.advance_call(organization_id uuid, call_id uuid, status text, at timestamptz DEFAULT NULL,
	duration integer DEFAULT NULL, error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_advance_call';
COMMENT ON FUNCTION platform.advance_call(uuid, uuid, text, timestamptz, integer, text, text) IS
	'A report that the call came into that state at that moment (NULL, or in the future: now). outcome: advanced, repeated, late (moments that were not known are filled in), over (it has ended otherwise). States that it skips are passed through. duration: seconds of talk, when the answer was not reported. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT409 no way leads there, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'advance_call(uuid, uuid, text, timestamptz, integer, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.advance_call(organization_id uuid, call_sid text, status text, at timestamptz DEFAULT NULL,
	duration integer DEFAULT NULL, error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_advance_call';
COMMENT ON FUNCTION platform.advance_call(uuid, text, text, timestamptz, integer, text, text) IS
	'The same for a call named by the provider''s key, or by its id as text.';
INSERT INTO platform.member_privileges VALUES ('function', 'advance_call(uuid, text, text, timestamptz, integer, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_call(organization_id uuid, call_id uuid, reason text DEFAULT 'completed', at timestamptz DEFAULT NULL,
	error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_call';
COMMENT ON FUNCTION platform.end_call(uuid, uuid, text, timestamptz, text, text) IS
	'Ends the call as fits its state and the reason: completed, user_hangup, agent_ended, timeout, error. outcome over: it had ended, nothing changes. Members: their organization. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_call(uuid, uuid, text, timestamptz, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_call(organization_id uuid, call_sid text, reason text DEFAULT 'completed', at timestamptz DEFAULT NULL,
	error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_call';
COMMENT ON FUNCTION platform.end_call(uuid, text, text, timestamptz, text, text) IS
	'The same for a call named by the provider''s key, or by its id as text.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_call(uuid, text, text, timestamptz, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.correct_call(organization_id uuid, call_id uuid, reason text, status text DEFAULT NULL,
	started_at timestamptz DEFAULT NULL, answered_at timestamptz DEFAULT NULL, ended_at timestamptz DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_correct_call';
COMMENT ON FUNCTION platform.correct_call(uuid, uuid, text, text, timestamptz, timestamptz, timestamptz) IS
	'Puts a call''s state and moments right, against the transitions too; NULL leaves what is. Moments that do not belong to the state are removed. Operators. Errors: 42501, 22004, 22023, PT404, 25006.';

CREATE OR REPLACE FUNCTION platform.delete_call(organization_id uuid, call_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_delete_call';
COMMENT ON FUNCTION platform.delete_call(uuid, uuid) IS
	'Marks the call as deleted: no function finds it any more, and its call_sid is free. False when it was deleted before. Administrators of the organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'delete_call(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_stale_calls(unanswered interval DEFAULT '10 minutes', answered interval DEFAULT '4 hours', "limit" integer DEFAULT 1000) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH stale AS (
	SELECT c.id, c.organization_id FROM platform.calls c
	WHERE c.deleted_at IS NULL AND (
		c.status IN ('pending', 'ringing') AND COALESCE(c.started_at, c.created_at) < pg_catalog.now() - unanswered OR
		c.status = 'in_progress' AND COALESCE(c.answered_at, c.started_at, c.created_at) < pg_catalog.now() - answered)
	ORDER BY c.created_at, c.id
	LIMIT "limit" FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
	UPDATE platform.calls c
	SET status = CASE c.status WHEN 'ringing' THEN 'no_answer' ELSE 'failed' END,
		end_reason = 'timeout',
		error_code = CASE c.status WHEN 'in_progress' THEN 'call_lost' ELSE c.error_code END,
		ended_at = GREATEST(c.updated_at, c.answered_at, c.started_at)
	FROM stale s
	WHERE c.id = s.id AND c.organization_id = s.organization_id
	RETURNING 1
)
SELECT pg_catalog.count(*) FROM ended
$$;
COMMENT ON FUNCTION platform.end_stale_calls(interval, interval, integer) IS
	'Ends calls of which nobody reported the end: not answered, or talking, for longer than that. Their end is the last sign of them. Returns how many, at most limit (NULL: all); those that are being written wait for the next time. For a scheduler. As the caller sees the table: operators.';

-- calls: what staff says of them

CREATE OR REPLACE FUNCTION platform.set_call_disposition(organization_id uuid, call_id uuid, disposition text, notes text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_call_disposition';
COMMENT ON FUNCTION platform.set_call_disposition(uuid, uuid, text, text) IS
	'The outcome of a call: sale, no_answer, voicemail, not_interested, follow_up, wrong_number, callback_scheduled, other; NULL takes it back. Who set it and when is the caller and now. Returns what is stored. Members: their organization. Errors: 22004, 42501, PT404, PT422 no such disposition, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_call_disposition(uuid, uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.add_call_note(organization_id uuid, call_id uuid, note text DEFAULT NULL, tags text[] DEFAULT '{}', created_by uuid DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_call_note';
COMMENT ON FUNCTION platform.add_call_note(uuid, uuid, text, text[], uuid) IS
	'Adds a note of at most 500 characters, tags, or both, and returns its id. created_by NULL: the caller; operators may name another. Members: their organization. Errors: 22004, 42501, PT404, PT422, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_call_note(uuid, uuid, text, text[], uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.call_notes(organization_id uuid, call_id uuid, "limit" integer DEFAULT 100)
RETURNS TABLE (id uuid, note text, tags text[], created_by uuid, author text, created_at timestamptz, updated_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_call_notes';
COMMENT ON FUNCTION platform.call_notes(uuid, uuid, integer) IS
	'The notes of a call with their authors names, newest first. Members: their organization. Errors: 22004, 22023, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'call_notes(uuid, uuid, integer)', 'EXECUTE');

-- calls: consent and recordings

CREATE OR REPLACE FUNCTION platform.record_consent(organization_id uuid, call_id uuid, method text, audio_offset_ms integer DEFAULT NULL, at timestamptz DEFAULT NULL,
	version text DEFAULT '1.0', ip inet DEFAULT NULL, user_agent text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_consent';
COMMENT ON FUNCTION platform.record_consent(uuid, uuid, text, integer, timestamptz, text, inet, text) IS
	'Consent to the recording of a call (ivr_played, verbal_yes, dtmf_confirm, written) or its lack (assumed, none): into the call, and for good into consent_logs, of which the id is returned. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT422 no such method, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'record_consent(uuid, uuid, text, integer, timestamptz, text, inet, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_call_consent(organization_id uuid, call_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_verify_call_consent';
COMMENT ON FUNCTION platform.verify_call_consent(uuid, uuid) IS
	'The caller confirms the consent; false when it was confirmed before. Members: their organization, as a user. Errors: 22004, 42501, PT404, PT409 no consent, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_call_consent(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.add_call_recording(organization_id uuid, call_id uuid, recording_url text DEFAULT NULL, duration integer DEFAULT 0,
	storage_path text DEFAULT NULL, url_expires_at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_call_recording';
COMMENT ON FUNCTION platform.add_call_recording(uuid, uuid, text, integer, text, timestamptz) IS
	'Stores that a recording is available, seconds long, at a URL that may expire or at a path of the storage; returns its id. Members: their organization. Errors: 22004, 22023, 42501, PT403 consent is demanded and there is none, PT404, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_call_recording(uuid, uuid, text, integer, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_call_recordings(organization_id uuid, call_id uuid)
RETURNS TABLE (id uuid, recording_url text, url_expires_at timestamptz, url_expired boolean, storage_path text, duration integer,
	consent_captured boolean, consent_method text, consent_audio_offset_ms integer, transcribed_at timestamptz, created_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_list_call_recordings';
COMMENT ON FUNCTION platform.list_call_recordings(uuid, uuid) IS
	'The recordings of a call, oldest first. Members: their organization. Errors: 22004, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_call_recordings(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.renew_recording_url(organization_id uuid, recording_id uuid, recording_url text, url_expires_at timestamptz DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_renew_recording_url';
COMMENT ON FUNCTION platform.renew_recording_url(uuid, uuid, text, timestamptz) IS
	'Another signed URL for a recording. Members: their organization. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'renew_recording_url(uuid, uuid, text, timestamptz)', 'EXECUTE');

-- calls: transcripts

CREATE OR REPLACE FUNCTION platform.add_transcript(organization_id uuid, call_id uuid, role text, content text, start_time integer, end_time integer,
	confidence numeric DEFAULT NULL, audio_url text DEFAULT NULL, metadata jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_transcript';
COMMENT ON FUNCTION platform.add_transcript(uuid, uuid, text, text, integer, integer, numeric, text, jsonb) IS
	'Adds an utterance of user, assistant or system; times in milliseconds from the answer of the call, confidence 0 to 1. Returns its id. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_transcript(uuid, uuid, text, text, integer, integer, numeric, text, jsonb)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.call_transcript(organization_id uuid, call_id uuid)
RETURNS TABLE (id uuid, role text, content text, start_time integer, end_time integer, duration integer, confidence numeric, audio_url text, metadata jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_call_transcript';
COMMENT ON FUNCTION platform.call_transcript(uuid, uuid) IS
	'The utterances of a call in their order. Members: their organization. Errors: 22004, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'call_transcript(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.complete_call_transcript(organization_id uuid, call_id uuid, transcript_url text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_complete_call_transcript';
COMMENT ON FUNCTION platform.complete_call_transcript(uuid, uuid, text) IS
	'All that was said is there: the call and its recordings are transcribed. False when it was complete before. Members: their organization. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'complete_call_transcript(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.search_transcripts(organization_id uuid, query text, language regconfig DEFAULT 'pg_catalog.english', role text DEFAULT NULL,
	"from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, "limit" integer DEFAULT 20)
RETURNS TABLE (id uuid, call_id uuid, speaker text, start_time integer, snippet text, rank real, created_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_search_transcripts';
COMMENT ON FUNCTION platform.search_transcripts(uuid, text, regconfig, text, timestamptz, timestamptz, integer) IS
	'Utterances that match a query as for a search engine (words, "a phrase", or, -without), the best first, with what was found between ** and **. from and to bound created_at. Members: their organization. Errors: 22004, 22023, 42501, 42704 no such language.';
INSERT INTO platform.member_privileges VALUES ('function', 'search_transcripts(uuid, text, regconfig, text, timestamptz, timestamptz, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.talk_time(organization_id uuid, call_id uuid,
	OUT user_talk_time_ms bigint, OUT assistant_talk_time_ms bigint, OUT user_utterances bigint, OUT assistant_utterances bigint, OUT user_share numeric)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_talk_time';
COMMENT ON FUNCTION platform.talk_time(uuid, uuid) IS
	'Who spoke for how long, and the user''s part of both, 0 to 1. Members: their organization. Errors: 22004, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'talk_time(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.low_confidence_transcripts(organization_id uuid, threshold numeric DEFAULT 0.70, "limit" integer DEFAULT 50)
RETURNS TABLE (id uuid, call_id uuid, role text, content text, confidence numeric, start_time integer, created_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_low_confidence_transcripts';
COMMENT ON FUNCTION platform.low_confidence_transcripts(uuid, numeric, integer) IS
	'Utterances recognised with a confidence below the threshold, the worst first. Members: their organization. Errors: 22004, 22023, 42501, PT422 threshold outside 0 .. 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'low_confidence_transcripts(uuid, numeric, integer)', 'EXECUTE');

-- calls: from a browser

CREATE OR REPLACE FUNCTION platform.create_webrtc_session(organization_id uuid, call_id uuid DEFAULT NULL, user_id uuid DEFAULT NULL, ice_servers jsonb DEFAULT NULL,
	user_agent text DEFAULT NULL, ip_address inet DEFAULT NULL, ttl interval DEFAULT '4 hours',
	OUT id uuid, OUT session_token text, OUT expires_at timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_webrtc_session';
COMMENT ON FUNCTION platform.create_webrtc_session(uuid, uuid, uuid, jsonb, text, inet, interval) IS
	'A session in which a user calls from a browser; its token is returned this once. user_id NULL: the caller; operators may name another. ttl: a second to a day. Members: their organization. Errors: 22004, 22023, 42501, PT403 and PT429 a closed gate, PT404 no such call, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'create_webrtc_session(uuid, uuid, uuid, jsonb, text, inet, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.authenticate_webrtc_session(session_token text,
	OUT id uuid, OUT organization_id uuid, OUT user_id uuid, OUT call_id uuid, OUT status text, OUT expires_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_authenticate_webrtc_session';
COMMENT ON FUNCTION platform.authenticate_webrtc_session(text) IS
	'The session that the token opens. Members: their organization. Errors: 22004, PT404 no such token, PT410 expired or over.';
INSERT INTO platform.member_privileges VALUES ('function', 'authenticate_webrtc_session(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.advance_webrtc_session(organization_id uuid, session_id uuid, status text, call_id uuid DEFAULT NULL,
	local_sdp text DEFAULT NULL, remote_sdp text DEFAULT NULL, resource_id text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_advance_webrtc_session';
COMMENT ON FUNCTION platform.advance_webrtc_session(uuid, uuid, text, uuid, text, text, text) IS
	'The session came into that state: initializing, connecting, connected, on_call, disconnected, failed. outcome: advanced, repeated, over. Members: their own, administrators their organization''s. Errors: 22004, 22023, 42501, PT404, PT409 no such transition, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'advance_webrtc_session(uuid, uuid, text, uuid, text, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.add_webrtc_sample(organization_id uuid, session_id uuid, round_trip_time_ms double precision DEFAULT NULL,
	jitter_ms double precision DEFAULT NULL, packet_loss_percent double precision DEFAULT NULL, audio_bitrate integer DEFAULT NULL) RETURNS numeric
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_webrtc_sample';
COMMENT ON FUNCTION platform.add_webrtc_sample(uuid, uuid, double precision, double precision, double precision, integer) IS
	'What the browser measured; returns the estimated mean opinion score. Members: their own sessions, administrators their organization''s. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_webrtc_sample(uuid, uuid, double precision, double precision, double precision, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.webrtc_quality(organization_id uuid, session_id uuid,
	OUT samples bigint, OUT average_mos numeric, OUT worst_mos numeric, OUT average_round_trip_time_ms numeric,
	OUT average_jitter_ms numeric, OUT average_packet_loss_percent numeric, OUT worst_packet_loss_percent numeric)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_webrtc_quality';
COMMENT ON FUNCTION platform.webrtc_quality(uuid, uuid) IS
	'The samples of a session in one row. Members: their organization. Errors: 22004, 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'webrtc_quality(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.active_webrtc_sessions(organization_id uuid)
RETURNS TABLE (id uuid, user_id uuid, call_id uuid, status text, mos numeric, created_at timestamptz, connected_at timestamptz, expires_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_active_webrtc_sessions';
COMMENT ON FUNCTION platform.active_webrtc_sessions(uuid) IS
	'Sessions that are not over and have not expired, newest first. Members: their own, administrators their organization''s. Errors: 22004, 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'active_webrtc_sessions(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.estimate_mos(round_trip_time_ms double precision, jitter_ms double precision DEFAULT 0, packet_loss_percent double precision DEFAULT 0) RETURNS numeric
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_estimate_mos';
COMMENT ON FUNCTION platform.estimate_mos(double precision, double precision, double precision) IS
	'How a call with that delay, jitter and loss sounds: the mean opinion score, 1 to 4.4, by the E-model of ITU-T G.107, simplified. NULL counts as 0; NULL when all are. Errors: 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'estimate_mos(double precision, double precision, double precision)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.clean_webrtc_sessions(idle interval DEFAULT '4 hours', keep interval DEFAULT '30 days', "limit" integer DEFAULT 1000,
	OUT disconnected bigint, OUT deleted bigint)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH silent AS (
	SELECT s.id, s.organization_id FROM platform.webrtc_sessions s
	WHERE s.status IN ('initializing', 'connecting', 'connected', 'on_call')
		AND s.updated_at < pg_catalog.now() - idle
	ORDER BY s.created_at, s.id LIMIT "limit" FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
	UPDATE platform.webrtc_sessions s SET status = 'disconnected', disconnected_at = s.updated_at
	FROM silent WHERE s.id = silent.id AND s.organization_id = silent.organization_id
	RETURNING 1
), old AS (
	SELECT s.id, s.organization_id FROM platform.webrtc_sessions s
	WHERE s.status IN ('disconnected', 'failed') AND s.created_at < pg_catalog.now() - keep
	ORDER BY s.created_at, s.id LIMIT "limit" FOR UPDATE SKIP LOCKED
), gone AS (
	DELETE FROM platform.webrtc_sessions s USING old
	WHERE s.id = old.id AND s.organization_id = old.organization_id
	RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM ended), (SELECT pg_catalog.count(*) FROM gone)
$$;
COMMENT ON FUNCTION platform.clean_webrtc_sessions(interval, interval, integer) IS
	'Disconnects sessions of which nothing was heard for so long, and deletes those that were made longer ago than keep and are over, with their samples; at most limit of each (NULL: all). For a scheduler. As the caller sees the table: operators.';

-- calls: to be made

CREATE OR REPLACE FUNCTION platform.enqueue_dialer_job(organization_id uuid, to_number text DEFAULT NULL, lead_id uuid DEFAULT NULL, chatbot_id uuid DEFAULT NULL,
	from_number text DEFAULT NULL, priority integer DEFAULT 100, run_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT 3,
	metadata jsonb DEFAULT '{}', region text DEFAULT 'US') RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_enqueue_dialer_job';
COMMENT ON FUNCTION platform.enqueue_dialer_job(uuid, text, uuid, uuid, text, integer, timestamptz, integer, jsonb, text) IS
	'A call to be made, not before run_at (NULL: now); returns its id, or that of the job in which the lead waits already. Lower priorities come first. Members: their organization. Errors: 22004, 22023, 42501, PT422, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'enqueue_dialer_job(uuid, text, uuid, uuid, text, integer, timestamptz, integer, jsonb, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.claim_dialer_jobs(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL, "limit" integer DEFAULT 1, lease interval DEFAULT '2 minutes')
RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz, to_number text, from_number text, lead_id uuid, chatbot_id uuid,
	attempt integer, metadata jsonb)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_claim_dialer_jobs';
COMMENT ON FUNCTION platform.claim_dialer_jobs(uuid, text, integer, interval) IS
	'Takes at most limit due jobs for the length of the lease; never waits, never shares a job. Jobs whose lease has ended are due again, or failed after their last attempt. organization_id NULL: the caller''s own, for an operator without one all. Members: their organization. Errors: 22004, 22023, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'claim_dialer_jobs(uuid, text, integer, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.extend_dialer_lease(organization_id uuid, job_id uuid, lease_id uuid, lease interval DEFAULT '2 minutes') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_extend_dialer_lease';
COMMENT ON FUNCTION platform.extend_dialer_lease(uuid, uuid, uuid, interval) IS
	'The lease ends that much after now. False when the job is no longer the lease''s. Members: their organization. Errors: 22004, 22023, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'extend_dialer_lease(uuid, uuid, uuid, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.finish_dialer_job(organization_id uuid, job_id uuid, lease_id uuid, result text DEFAULT 'done', error text DEFAULT NULL,
	retry_in interval DEFAULT '5 minutes', call_id uuid DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_finish_dialer_job';
COMMENT ON FUNCTION platform.finish_dialer_job(uuid, uuid, uuid, text, text, interval, uuid) IS
	'What became of a claimed job: done, failed, or retry, which fails it after its last attempt. Returns the job''s status; NULL, without effect, when the job is no longer the lease''s. Members: their organization. Errors: 22004, 22023, 42501, PT404 no such call, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'finish_dialer_job(uuid, uuid, uuid, text, text, interval, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.cancel_dialer_job(organization_id uuid, job_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cancel_dialer_job';
COMMENT ON FUNCTION platform.cancel_dialer_job(uuid, uuid) IS
	'The call is not to be made any more. False when the job is over. Members: their organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'cancel_dialer_job(uuid, uuid)', 'EXECUTE');

-- calls: triggers

CREATE OR REPLACE FUNCTION platform.check_call() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_call';
COMMENT ON FUNCTION platform.check_call() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of calls: transitions of status and their moments, duration, E.164, who set the disposition, updated_at. Errors: PT409 no such transition; PT422 no telephone number; 39P01.';

CREATE OR REPLACE FUNCTION platform.check_recording() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_recording';
COMMENT ON FUNCTION platform.check_recording() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of call_recordings: consent, which the organization may demand, and updated_at. Errors: PT403; 39P01.';

CREATE OR REPLACE FUNCTION platform.keep_transcript() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_keep_transcript';
COMMENT ON FUNCTION platform.keep_transcript() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of call_transcripts: duration. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_webrtc_session() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_webrtc_session';
COMMENT ON FUNCTION platform.check_webrtc_session() IS
	'Trigger function, BEFORE UPDATE FOR EACH ROW of webrtc_sessions: transitions of status and their moments, updated_at. Errors: PT409; 39P01.';

-- calls: what members read and write

INSERT INTO platform.member_privileges VALUES
	('table', 'calls', 'SELECT'),
	('table', 'calls', 'UPDATE (disposition, disposition_set_at, disposition_set_by, disposition_notes, notes, call_quality)'),
	('table', 'conversations', 'SELECT'),
	('table', 'conversations', 'INSERT (id, organization_id, chatbot_id, end_user_id, channel, subject, metadata)'),
	('table', 'conversations', 'UPDATE (end_user_id, status, subject, metadata, closed_at)'),
	('table', 'call_notes', 'SELECT'),
	('table', 'call_notes', 'INSERT (id, organization_id, call_id, tags, note, created_by)'),
	('table', 'call_notes', 'UPDATE (tags, note)'),
	('table', 'call_notes', 'DELETE'),
	('table', 'consent_logs', 'SELECT'),
	('table', 'consent_logs', 'INSERT (id, organization_id, user_id, version, ip, user_agent)'),
	('table', 'call_recordings', 'SELECT'),
	('table', 'call_recordings', 'UPDATE (outcome, qa_flags, manager_notes, flagged_for_review)'),
	('table', 'recordings', 'SELECT'),
	('table', 'call_transcripts', 'SELECT'),
	('table', 'webrtc_sessions', 'SELECT (id, organization_id, user_id, call_id, signalwire_resource_id, status, ice_servers, local_sdp, remote_sdp, audio_bitrate, packet_loss_percent, jitter_ms, round_trip_time_ms, mos, expires_at, created_at, updated_at, connected_at, disconnected_at, user_agent, ip_address)'),
	('table', 'webrtc_quality_samples', 'SELECT'),
	('table', 'dialer_queue', 'SELECT');
