-- migration 80 calls: calls with their notes, consent, recordings, transcripts; WebRTC sessions; the dialer's queue
-- requires: tenants capabilities credentials

-- up

CREATE TABLE IF NOT EXISTS platform.conversations (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	chatbot_id uuid,
	end_user_id uuid,
	channel text NOT NULL DEFAULT 'web',
	status text NOT NULL DEFAULT 'open',
	subject text,
	metadata jsonb NOT NULL DEFAULT '{}',
	closed_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT conversations_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT conversations_channel_check CHECK (channel IN ('web', 'whatsapp', 'facebook', 'twilio', 'custom')),
	CONSTRAINT conversations_status_check CHECK (status IN ('open', 'closed')),
	CONSTRAINT conversations_subject_check CHECK (length(subject) <= 255),
	CONSTRAINT conversations_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX IF NOT EXISTS conversations_organization_id_created_at_idx
	ON platform.conversations (organization_id, created_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS conversations_end_user_id_created_at_idx
	ON platform.conversations (end_user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS conversations_chatbot_id_created_at_idx
	ON platform.conversations (chatbot_id, created_at DESC);
COMMENT ON TABLE platform.conversations IS
	'Threads that join the chats and calls of a person.';

-- The trigger that guards a call's life reads and writes its first nine columns
-- where they stand: keys, moments of eight bytes each, status.
CREATE TABLE IF NOT EXISTS platform.calls (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	started_at timestamptz,
	answered_at timestamptz,
	ended_at timestamptz,
	duration bigint,
	status text NOT NULL DEFAULT 'pending',
	deleted_at timestamptz,
	chatbot_id uuid,
	end_user_id uuid,
	conversation_id uuid,
	integration_account_id uuid,
	source text NOT NULL DEFAULT 'custom',
	direction text NOT NULL DEFAULT 'inbound',
	call_sid text,
	from_number text,
	to_number text,
	recording_url text,
	transcript_url text,
	transcribed_at timestamptz,
	ai_provider text,
	model_id text,
	summary text,
	notes text,
	call_quality integer,
	sentiment_score integer,
	error_message text,
	error_code text,
	end_reason text,
	disposition text,
	disposition_set_at timestamptz,
	disposition_set_by uuid,
	disposition_notes text,
	consent_method text,
	consent_timestamp timestamptz,
	consent_audio_offset_ms integer,
	consent_verified_by uuid,
	consent_verified_at timestamptz,
	CONSTRAINT calls_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT calls_status_check CHECK (status IN ('pending', 'ringing', 'in_progress', 'completed', 'failed', 'no_answer', 'busy', 'canceled')),
	CONSTRAINT calls_source_check CHECK (source IN ('web', 'whatsapp', 'twilio', 'custom')),
	CONSTRAINT calls_direction_check CHECK (direction IN ('inbound', 'outbound')),
	CONSTRAINT calls_call_sid_check CHECK (length(call_sid) BETWEEN 1 AND 255),
	CONSTRAINT calls_from_number_check CHECK (from_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT calls_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT calls_duration_check CHECK (duration >= 0),
	CONSTRAINT calls_recording_url_check CHECK (length(recording_url) <= 2048),
	CONSTRAINT calls_transcript_url_check CHECK (length(transcript_url) <= 2048),
	CONSTRAINT calls_ai_provider_check CHECK (ai_provider IN ('openai', 'google', 'anthropic')),
	CONSTRAINT calls_model_id_check CHECK (length(model_id) <= 100),
	CONSTRAINT calls_call_quality_check CHECK (call_quality BETWEEN 1 AND 5),
	CONSTRAINT calls_sentiment_score_check CHECK (sentiment_score BETWEEN -100 AND 100),
	CONSTRAINT calls_error_code_check CHECK (length(error_code) <= 50),
	CONSTRAINT calls_end_reason_check CHECK (end_reason IN ('completed', 'user_hangup', 'agent_ended', 'timeout', 'error')),
	CONSTRAINT calls_disposition_check CHECK (disposition IN ('sale', 'no_answer', 'voicemail', 'not_interested', 'follow_up', 'wrong_number', 'callback_scheduled', 'other')),
	CONSTRAINT calls_consent_method_check CHECK (consent_method IN ('ivr_played', 'verbal_yes', 'dtmf_confirm', 'written', 'assumed', 'none')),
	CONSTRAINT calls_consent_audio_offset_ms_check CHECK (consent_audio_offset_ms >= 0)
);
CREATE INDEX IF NOT EXISTS idx_calls_company_id
	ON platform.calls (organization_id, created_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_calls_chatbot_id
	ON platform.calls (chatbot_id, created_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_calls_end_user_id
	ON platform.calls (end_user_id, created_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_calls_conversation_id
	ON platform.calls (conversation_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS idx_calls_call_sid
	ON platform.calls (call_sid) WHERE deleted_at IS NULL AND call_sid IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_calls_status
	ON platform.calls (status, organization_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_calls_date_range
	ON platform.calls (organization_id, started_at) WHERE deleted_at IS NULL AND started_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_calls_integration_account
	ON platform.calls (integration_account_id, created_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS calls_organization_id_disposition_idx
	ON platform.calls (organization_id, disposition) WHERE disposition IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_organization_id_disposition_set_at_idx
	ON platform.calls (organization_id, disposition_set_at) WHERE disposition_set_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_disposition_set_by_idx
	ON platform.calls (disposition_set_by) WHERE disposition_set_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_consent_verified_by_idx
	ON platform.calls (consent_verified_by) WHERE consent_verified_by IS NOT NULL;
COMMENT ON TABLE platform.calls IS
	'Calls, inbound and outbound, of every channel. status moves along the transitions of doc/calls.md only.';
COMMENT ON COLUMN platform.calls.call_sid IS
	'The provider''s key of the call; no two calls that are not deleted have the same.';
COMMENT ON COLUMN platform.calls.source IS
	'The channel: web, whatsapp, twilio or custom.';
COMMENT ON COLUMN platform.calls.from_number IS
	'E.164; NULL for callers without a number.';
COMMENT ON COLUMN platform.calls.started_at IS
	'When it began to ring or, without ringing, was answered.';
COMMENT ON COLUMN platform.calls.duration IS
	'Whole seconds from answered_at to ended_at; NULL when it was not answered.';
COMMENT ON COLUMN platform.calls.model_id IS
	'Name of the model used, kept as a record: no foreign key.';
COMMENT ON COLUMN platform.calls.integration_account_id IS
	'The provider account that carried the call; NULL for calls from the web.';
COMMENT ON COLUMN platform.calls.transcribed_at IS
	'When the transcript was completed.';
COMMENT ON COLUMN platform.calls.notes IS
	'Free text of the staff; short tagged notes are in call_notes.';
COMMENT ON COLUMN platform.calls.call_quality IS
	'Rating by the caller, 1 to 5.';
COMMENT ON COLUMN platform.calls.sentiment_score IS
	'-100 (angry) to 100 (happy).';
COMMENT ON COLUMN platform.calls.error_code IS
	'For machines, such as provider_connection_failed; error_message is for people.';
COMMENT ON COLUMN platform.calls.disposition IS
	'Outcome as the staff sees it; who set it and when is filled in by the trigger.';
COMMENT ON COLUMN platform.calls.consent_method IS
	'How the other party agreed to be recorded; the newest row of consent_logs.';
COMMENT ON COLUMN platform.calls.consent_audio_offset_ms IS
	'Where in the recording the consent is heard, in milliseconds.';
COMMENT ON COLUMN platform.calls.consent_verified_by IS
	'Who listened to the consent and confirmed it.';

CREATE TABLE IF NOT EXISTS platform.call_notes (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	call_id uuid NOT NULL,
	tags text[] NOT NULL DEFAULT '{}',
	note text,
	created_by uuid NOT NULL DEFAULT platform.current_user_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT call_notes_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT call_notes_tags_check CHECK (tags <@ ARRAY['objection_raised', 'competitor_mentioned', 'pricing_discussed', 'escalation_required', 'decision_maker_reached', 'follow_up_needed', 'compliance_issue', 'quality_concern', 'positive_feedback', 'technical_issue']),
	CONSTRAINT call_notes_note_check CHECK (length(note) BETWEEN 1 AND 500),
	CONSTRAINT call_notes_content_check CHECK (note IS NOT NULL OR tags <> '{}')
);
CREATE INDEX IF NOT EXISTS call_notes_call_id_created_at_idx
	ON platform.call_notes (call_id, created_at);
CREATE INDEX IF NOT EXISTS call_notes_organization_id_created_at_idx
	ON platform.call_notes (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS call_notes_tags_idx
	ON platform.call_notes USING gin (tags);
CREATE INDEX IF NOT EXISTS call_notes_created_by_idx
	ON platform.call_notes (created_by);
COMMENT ON TABLE platform.call_notes IS
	'Short notes on calls: tags of a fixed list, and at most 500 characters.';

-- Append-only: what was agreed to, when and how. Without a call it is the consent
-- of a user to a version of the terms.
CREATE TABLE IF NOT EXISTS platform.consent_logs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	call_id uuid,
	user_id uuid,
	method text,
	version text NOT NULL DEFAULT '1.0',
	audio_offset_ms integer,
	consented_at timestamptz NOT NULL DEFAULT now(),
	recorded_by uuid DEFAULT platform.current_user_id(),
	ip inet,
	user_agent text,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT consent_logs_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT consent_logs_method_check CHECK (method IN ('ivr_played', 'verbal_yes', 'dtmf_confirm', 'written', 'assumed', 'none')),
	CONSTRAINT consent_logs_version_check CHECK (length(version) BETWEEN 1 AND 63),
	CONSTRAINT consent_logs_audio_offset_ms_check CHECK (audio_offset_ms >= 0),
	CONSTRAINT consent_logs_user_agent_check CHECK (length(user_agent) <= 500),
	CONSTRAINT consent_logs_subject_check CHECK (user_id IS NOT NULL OR call_id IS NOT NULL AND method IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS consent_logs_call_id_created_at_idx
	ON platform.consent_logs (call_id, created_at);
CREATE INDEX IF NOT EXISTS consent_logs_user_id_idx
	ON platform.consent_logs (user_id);
CREATE INDEX IF NOT EXISTS consent_logs_recorded_by_idx
	ON platform.consent_logs (recorded_by);
CREATE INDEX IF NOT EXISTS consent_logs_organization_id_created_at_idx
	ON platform.consent_logs (organization_id, created_at DESC);
COMMENT ON TABLE platform.consent_logs IS
	'Consents, to the recording of a call or of a user to the terms. Rows are only added.';
COMMENT ON COLUMN platform.consent_logs.version IS
	'Of the text that was agreed to.';
COMMENT ON COLUMN platform.consent_logs.audio_offset_ms IS
	'Where in the recording it is heard, in milliseconds.';

CREATE TABLE IF NOT EXISTS platform.call_recordings (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	call_id uuid NOT NULL,
	seller_id uuid,
	lead_id uuid,
	recording_url text,
	url_expires_at timestamptz,
	storage_path text,
	duration integer NOT NULL DEFAULT 0,
	outcome text NOT NULL DEFAULT 'No Answer',
	qa_flags jsonb NOT NULL DEFAULT '[]',
	manager_notes text,
	flagged_for_review boolean NOT NULL DEFAULT false,
	consent_captured boolean NOT NULL DEFAULT false,
	consent_method text,
	consent_audio_offset_ms integer,
	transcribed_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT call_recordings_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT call_recordings_recording_url_check CHECK (length(recording_url) <= 2048),
	CONSTRAINT call_recordings_storage_path_check CHECK (length(storage_path) <= 1024),
	CONSTRAINT call_recordings_duration_check CHECK (duration >= 0),
	CONSTRAINT call_recordings_outcome_check CHECK (outcome IN ('No Answer', 'Gatekeeper', 'Not Interested', 'Hangup', 'Pitch Delivered', 'Demo Set')),
	CONSTRAINT call_recordings_qa_flags_check CHECK (jsonb_typeof(qa_flags) = 'array'),
	CONSTRAINT call_recordings_consent_method_check CHECK (consent_method IN ('ivr_played', 'verbal_yes', 'dtmf_confirm', 'written', 'assumed', 'none')),
	CONSTRAINT call_recordings_consent_audio_offset_ms_check CHECK (consent_audio_offset_ms >= 0)
);
CREATE INDEX IF NOT EXISTS call_recordings_call_id_created_at_idx
	ON platform.call_recordings (call_id, created_at);
CREATE INDEX IF NOT EXISTS call_recordings_organization_id_created_at_idx
	ON platform.call_recordings (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS call_recordings_seller_id_idx
	ON platform.call_recordings (seller_id);
CREATE INDEX IF NOT EXISTS call_recordings_lead_id_idx
	ON platform.call_recordings (lead_id);
COMMENT ON TABLE platform.call_recordings IS
	'Recordings of calls. None is stored without consent where the organization''s settings.calls.requireRecordingConsent is true.';
COMMENT ON COLUMN platform.call_recordings.recording_url IS
	'Where it can be heard, until url_expires_at if that is given: a signed URL.';
COMMENT ON COLUMN platform.call_recordings.storage_path IS
	'Where it lies, for signing a new URL.';
COMMENT ON COLUMN platform.call_recordings.duration IS
	'Seconds.';
COMMENT ON COLUMN platform.call_recordings.outcome IS
	'How a salesperson''s call went.';
COMMENT ON COLUMN platform.call_recordings.lead_id IS
	'Whom a salesperson called, where leads are kept: no foreign key.';
COMMENT ON COLUMN platform.call_recordings.consent_captured IS
	'Did the other party agree? Copied from the call when the recording is stored.';

-- One utterance a row. Times are milliseconds from answered_at of the call.
CREATE TABLE IF NOT EXISTS platform.call_transcripts (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	call_id uuid NOT NULL,
	role text NOT NULL,
	content text NOT NULL,
	start_time integer NOT NULL,
	end_time integer NOT NULL,
	duration integer NOT NULL,
	audio_url text,
	confidence numeric(5,4),
	metadata jsonb,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT call_transcripts_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT call_transcripts_role_check CHECK (role IN ('user', 'assistant', 'system')),
	CONSTRAINT call_transcripts_content_check CHECK (content ~ '\S'),
	CONSTRAINT call_transcripts_start_time_check CHECK (start_time >= 0),
	CONSTRAINT call_transcripts_times_check CHECK (end_time > start_time AND duration = end_time - start_time),
	CONSTRAINT call_transcripts_audio_url_check CHECK (length(audio_url) <= 2048),
	CONSTRAINT call_transcripts_confidence_check CHECK (confidence BETWEEN 0 AND 1),
	CONSTRAINT call_transcripts_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX IF NOT EXISTS idx_call_transcripts_call_id
	ON platform.call_transcripts (call_id, start_time);
CREATE INDEX IF NOT EXISTS idx_call_transcripts_role
	ON platform.call_transcripts (call_id, role);
CREATE INDEX IF NOT EXISTS idx_call_transcripts_content_search
	ON platform.call_transcripts USING gin (to_tsvector('english', content));
CREATE INDEX IF NOT EXISTS call_transcripts_organization_id_confidence_idx
	ON platform.call_transcripts (organization_id, confidence);
COMMENT ON TABLE platform.call_transcripts IS
	'What was said in calls, one utterance a row.';
COMMENT ON COLUMN platform.call_transcripts.start_time IS
	'Milliseconds from the call''s answered_at.';
COMMENT ON COLUMN platform.call_transcripts.end_time IS
	'Milliseconds from the call''s answered_at.';
COMMENT ON COLUMN platform.call_transcripts.duration IS
	'end_time less start_time; kept by a trigger.';
COMMENT ON COLUMN platform.call_transcripts.confidence IS
	'Of the recognition, 0 to 1; below 0.7 is low.';
COMMENT ON COLUMN platform.call_transcripts.metadata IS
	'What the provider says beside: language, alternatives, words.';

-- The session's token is nowhere: its hash finds the row.
CREATE TABLE IF NOT EXISTS platform.webrtc_sessions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	call_id uuid,
	session_token_hash bytea NOT NULL,
	signalwire_resource_id text,
	status text NOT NULL DEFAULT 'initializing',
	ice_servers jsonb,
	local_sdp text,
	remote_sdp text,
	audio_bitrate integer,
	packet_loss_percent numeric(5,2),
	jitter_ms integer,
	round_trip_time_ms integer,
	mos numeric(3,2),
	expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	connected_at timestamptz,
	disconnected_at timestamptz,
	user_agent text,
	ip_address inet,
	CONSTRAINT webrtc_sessions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT webrtc_sessions_session_token_hash_key UNIQUE (session_token_hash),
	CONSTRAINT webrtc_sessions_session_token_hash_check CHECK (length(session_token_hash) = 32),
	CONSTRAINT webrtc_sessions_status_check CHECK (status IN ('initializing', 'connecting', 'connected', 'on_call', 'disconnected', 'failed')),
	CONSTRAINT webrtc_sessions_audio_bitrate_check CHECK (audio_bitrate >= 0),
	CONSTRAINT webrtc_sessions_packet_loss_percent_check CHECK (packet_loss_percent BETWEEN 0 AND 100),
	CONSTRAINT webrtc_sessions_jitter_ms_check CHECK (jitter_ms >= 0),
	CONSTRAINT webrtc_sessions_round_trip_time_ms_check CHECK (round_trip_time_ms >= 0),
	CONSTRAINT webrtc_sessions_mos_check CHECK (mos BETWEEN 1 AND 5),
	CONSTRAINT webrtc_sessions_user_agent_check CHECK (length(user_agent) <= 500)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS webrtc_sessions_organization_id_user_id_status_idx
	ON platform.webrtc_sessions (organization_id, user_id, status)
	WHERE status IN ('initializing', 'connecting', 'connected', 'on_call');
CREATE INDEX IF NOT EXISTS webrtc_sessions_user_id_idx
	ON platform.webrtc_sessions (user_id);
CREATE INDEX IF NOT EXISTS webrtc_sessions_call_id_idx
	ON platform.webrtc_sessions (call_id);
CREATE INDEX IF NOT EXISTS webrtc_sessions_created_at_idx
	ON platform.webrtc_sessions (created_at);
COMMENT ON TABLE platform.webrtc_sessions IS
	'Calls from a browser: the connection, its state and its quality as last reported.';
COMMENT ON COLUMN platform.webrtc_sessions.session_token_hash IS
	'SHA-256 of the token that create_webrtc_session() returned. Members cannot read it.';
COMMENT ON COLUMN platform.webrtc_sessions.ice_servers IS
	'What the browser connects through; it may hold credentials.';
COMMENT ON COLUMN platform.webrtc_sessions.audio_bitrate IS
	'Bits per second.';
COMMENT ON COLUMN platform.webrtc_sessions.mos IS
	'Estimate of the newest sample, 1 (bad) to 4.4; see estimate_mos().';

CREATE TABLE IF NOT EXISTS platform.webrtc_quality_samples (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	session_id uuid NOT NULL,
	sampled_at timestamptz NOT NULL DEFAULT now(),
	jitter_ms integer,
	packet_loss_percent numeric(5,2),
	round_trip_time_ms integer,
	audio_bitrate integer,
	mos numeric(3,2),
	CONSTRAINT webrtc_quality_samples_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT webrtc_quality_samples_jitter_ms_check CHECK (jitter_ms >= 0),
	CONSTRAINT webrtc_quality_samples_packet_loss_percent_check CHECK (packet_loss_percent BETWEEN 0 AND 100),
	CONSTRAINT webrtc_quality_samples_round_trip_time_ms_check CHECK (round_trip_time_ms >= 0),
	CONSTRAINT webrtc_quality_samples_audio_bitrate_check CHECK (audio_bitrate >= 0),
	CONSTRAINT webrtc_quality_samples_mos_check CHECK (mos BETWEEN 1 AND 5)
);
CREATE INDEX IF NOT EXISTS webrtc_quality_samples_session_id_sampled_at_idx
	ON platform.webrtc_quality_samples (session_id, sampled_at);
COMMENT ON TABLE platform.webrtc_quality_samples IS
	'What browsers measured in the course of a session.';

CREATE TABLE IF NOT EXISTS platform.dialer_queue (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	status text NOT NULL DEFAULT 'queued',
	priority integer NOT NULL DEFAULT 100,
	run_at timestamptz NOT NULL DEFAULT now(),
	lead_id uuid,
	chatbot_id uuid,
	to_number text,
	from_number text,
	attempts integer NOT NULL DEFAULT 0,
	max_attempts integer NOT NULL DEFAULT 3,
	lease_id uuid,
	lease_until timestamptz,
	claimed_by text,
	call_id uuid,
	last_error text,
	metadata jsonb NOT NULL DEFAULT '{}',
	created_by uuid DEFAULT platform.current_user_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	CONSTRAINT dialer_queue_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT dialer_queue_status_check CHECK (status IN ('queued', 'claimed', 'done', 'failed', 'canceled')),
	CONSTRAINT dialer_queue_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT dialer_queue_from_number_check CHECK (from_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT dialer_queue_target_check CHECK (to_number IS NOT NULL OR lead_id IS NOT NULL),
	CONSTRAINT dialer_queue_attempts_check CHECK (attempts >= 0),
	CONSTRAINT dialer_queue_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100),
	CONSTRAINT dialer_queue_lease_check CHECK ((status = 'claimed') = (lease_id IS NOT NULL) AND (lease_id IS NULL) = (lease_until IS NULL)),
	CONSTRAINT dialer_queue_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX IF NOT EXISTS dialer_queue_organization_id_lead_id_idx
	ON platform.dialer_queue (organization_id, lead_id) WHERE status IN ('queued', 'claimed');
CREATE INDEX IF NOT EXISTS dialer_queue_priority_run_at_id_idx
	ON platform.dialer_queue (priority, run_at, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS dialer_queue_organization_id_priority_run_at_id_idx
	ON platform.dialer_queue (organization_id, priority, run_at, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS dialer_queue_lease_until_idx
	ON platform.dialer_queue (lease_until) WHERE status = 'claimed';
CREATE INDEX IF NOT EXISTS dialer_queue_chatbot_id_idx ON platform.dialer_queue (chatbot_id);
CREATE INDEX IF NOT EXISTS dialer_queue_call_id_idx ON platform.dialer_queue (call_id);
CREATE INDEX IF NOT EXISTS dialer_queue_created_by_idx ON platform.dialer_queue (created_by);
COMMENT ON TABLE platform.dialer_queue IS
	'Calls to be made. A lead is in it once at a time.';
COMMENT ON COLUMN platform.dialer_queue.priority IS
	'Lower ones first, within one the oldest run_at.';
COMMENT ON COLUMN platform.dialer_queue.run_at IS
	'Not before this.';
COMMENT ON COLUMN platform.dialer_queue.lead_id IS
	'Whom to call, where leads are kept: no foreign key.';
COMMENT ON COLUMN platform.dialer_queue.attempts IS
	'Claims so far.';
COMMENT ON COLUMN platform.dialer_queue.lease_id IS
	'Of the claim that holds the job until lease_until; finish_dialer_job() asks for it.';
COMMENT ON COLUMN platform.dialer_queue.call_id IS
	'The call that was made.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('conversations', 'tenant', '{}', NULL),
	('calls', 'tenant', '{idx_calls_call_sid}', 'a provider''s key is unique among calls that are not deleted'),
	('call_notes', 'tenant', '{}', NULL),
	('consent_logs', 'tenant', '{}', NULL),
	('call_recordings', 'tenant', '{}', NULL),
	('call_transcripts', 'tenant', '{}', NULL),
	('webrtc_sessions', 'tenant', '{webrtc_sessions_session_token_hash_key}', NULL),
	('webrtc_quality_samples', 'tenant', '{}', NULL),
	('dialer_queue', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.dialer_queue,
	platform.webrtc_quality_samples,
	platform.webrtc_sessions,
	platform.call_transcripts,
	platform.call_recordings,
	platform.consent_logs,
	platform.call_notes,
	platform.calls,
	platform.conversations;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'conversations', 'calls', 'call_notes', 'consent_logs', 'call_recordings', 'call_transcripts',
	'webrtc_sessions', 'webrtc_quality_samples', 'dialer_queue');

-- checks

-- check: no call has two lives
SELECT call_sid FROM platform.calls WHERE deleted_at IS NULL AND call_sid IS NOT NULL GROUP BY call_sid HAVING count(*) > 1;
-- check: what was answered and has ended has a duration
SELECT id, organization_id FROM platform.calls
WHERE answered_at IS NOT NULL AND ended_at IS NOT NULL AND duration IS NULL;
-- check: utterances end after they begin
SELECT id, organization_id FROM platform.call_transcripts WHERE end_time <= start_time OR duration <> end_time - start_time;
-- check: a claimed job has a lease
SELECT id, organization_id FROM platform.dialer_queue WHERE (status = 'claimed') <> (lease_id IS NOT NULL);
