-- migration 80 calls: calls with their notes, consent, recordings, transcripts; WebRTC sessions; the dialer's queue
-- requires: tenants

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

-- The columns of fixed width stand first, status among them: the trigger that
-- guards it reads it without walking the row.
CREATE TABLE IF NOT EXISTS platform.calls (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	status text NOT NULL DEFAULT 'pending',
	started_at timestamptz,
	answered_at timestamptz,
	ended_at timestamptz,
	duration integer,
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

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('conversations', 'tenant', '{}', NULL),
	('calls', 'tenant', '{idx_calls_call_sid}', 'a provider''s key is unique among calls that are not deleted')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.calls,
	platform.conversations;
DELETE FROM platform.table_kinds WHERE table_name IN ('calls', 'conversations');

-- checks

-- check: no call has two lives
SELECT call_sid FROM platform.calls WHERE deleted_at IS NULL AND call_sid IS NOT NULL GROUP BY call_sid HAVING count(*) > 1;
-- check: what was answered and has ended has a duration
SELECT id, organization_id FROM platform.calls
WHERE answered_at IS NOT NULL AND ended_at IS NOT NULL AND duration IS NULL;
