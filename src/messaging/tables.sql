-- migration 110 messaging: text messages in and out, opt-outs, shared numbers, schedules
-- requires: tenants

-- up

-- Our own numbers. A dedicated one belongs to an organization; a shared one to none.
CREATE TABLE IF NOT EXISTS platform.sms_numbers (
	phone_number text NOT NULL,
	organization_id uuid,
	label text,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_numbers_pkey PRIMARY KEY (phone_number),
	CONSTRAINT sms_numbers_phone_number_check CHECK (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT sms_numbers_label_check CHECK (length(label) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS sms_numbers_organization_id_idx ON platform.sms_numbers (organization_id);
COMMENT ON TABLE platform.sms_numbers IS
	'Numbers that send and receive messages: an organization''s own, or shared by all.';
COMMENT ON COLUMN platform.sms_numbers.organization_id IS
	'Whose it is; NULL: shared.';

CREATE TABLE IF NOT EXISTS platform.messages (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	direction text NOT NULL,
	from_number text NOT NULL,
	to_number text NOT NULL,
	thread_id text NOT NULL,
	user_id uuid,
	lead_id uuid,
	body text NOT NULL,
	segments integer NOT NULL DEFAULT 1,
	status text NOT NULL DEFAULT 'received',
	source text,
	provider_message_id text,
	keyword_detected text,
	auto_handled boolean NOT NULL DEFAULT false,
	routing_method text,
	failed_at timestamptz,
	CONSTRAINT messages_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT messages_direction_check CHECK (direction IN ('inbound', 'outbound')),
	CONSTRAINT messages_from_number_check CHECK (from_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT messages_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT messages_body_check CHECK (length(body) <= 1600),
	CONSTRAINT messages_content_check CHECK (direction = 'inbound' OR body <> ''),
	CONSTRAINT messages_segments_check CHECK (segments >= 0),
	CONSTRAINT messages_status_check CHECK (status IN ('received', 'sending', 'sent', 'delivered', 'failed')),
	CONSTRAINT messages_routing_method_check CHECK (routing_method IN ('agent_phone_number', 'thread_lock', 'single_tenant_history', 'lead_match', 'collision_choice'))
) WITH (fillfactor = 90);
CREATE INDEX IF NOT EXISTS messages_organization_id_thread_id_created_at_idx
	ON platform.messages (organization_id, thread_id, created_at DESC);
CREATE INDEX IF NOT EXISTS messages_organization_id_direction_created_at_idx
	ON platform.messages (organization_id, direction, created_at DESC);
CREATE INDEX IF NOT EXISTS messages_organization_id_auto_handled_created_at_idx
	ON platform.messages (organization_id, auto_handled, created_at DESC) WHERE direction = 'inbound';
CREATE INDEX IF NOT EXISTS messages_to_number_from_number_created_at_organization_id_idx
	ON platform.messages (to_number, from_number, created_at DESC) INCLUDE (organization_id)
	WHERE direction = 'outbound' AND failed_at IS NULL;
CREATE INDEX IF NOT EXISTS messages_from_number_created_at_idx
	ON platform.messages (from_number, created_at DESC);
CREATE INDEX IF NOT EXISTS messages_created_at_idx ON platform.messages (created_at DESC);
CREATE INDEX IF NOT EXISTS messages_user_id_idx ON platform.messages (user_id) WHERE user_id IS NOT NULL;
COMMENT ON TABLE platform.messages IS
	'Conversations by SMS: what an organization received, and what left for its customers.';
COMMENT ON COLUMN platform.messages.thread_id IS
	'The customer''s number: a conversation has one.';
COMMENT ON COLUMN platform.messages.body IS
	'As received; as sent, with the name of the business where the number is shared.';
COMMENT ON COLUMN platform.messages.lead_id IS
	'Where leads are kept: no foreign key.';
COMMENT ON COLUMN platform.messages.auto_handled IS
	'It was a keyword, which was acted on: nobody needs to answer.';
COMMENT ON COLUMN platform.messages.routing_method IS
	'How the organization was found. Of inbound messages.';
COMMENT ON COLUMN platform.messages.failed_at IS
	'When it turned out not to reach the customer: it is no reason to take a reply for this organization''s.';

-- What arrived, as it arrived, whomever it is for: members never see it.
CREATE TABLE IF NOT EXISTS platform.sms_inbound (
	provider_message_id text NOT NULL,
	from_number text NOT NULL,
	to_number text NOT NULL,
	body text NOT NULL,
	received_at timestamptz NOT NULL,
	route text NOT NULL DEFAULT 'received',
	method text,
	organization_id uuid,
	message_id uuid,
	keyword text,
	confidence numeric(3,2),
	auto_reply text,
	action_taken text,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_inbound_pkey PRIMARY KEY (provider_message_id),
	CONSTRAINT sms_inbound_provider_message_id_check CHECK (length(provider_message_id) BETWEEN 1 AND 255),
	CONSTRAINT sms_inbound_body_check CHECK (length(body) <= 1600),
	CONSTRAINT sms_inbound_route_check CHECK (route IN ('received', 'organization', 'ask', 'keyword', 'rate_limited', 'unknown'))
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS sms_inbound_from_number_to_number_received_at_idx
	ON platform.sms_inbound (from_number, to_number, received_at) WHERE route = 'ask';
CREATE INDEX IF NOT EXISTS sms_inbound_organization_id_created_at_idx
	ON platform.sms_inbound (organization_id, created_at);
CREATE INDEX IF NOT EXISTS sms_inbound_created_at_idx ON platform.sms_inbound (created_at);
COMMENT ON TABLE platform.sms_inbound IS
	'Messages as the provider delivered them, each once, with what became of them.';
COMMENT ON COLUMN platform.sms_inbound.route IS
	'organization: handed over as message_id; ask: waits for the customer to say for whom it is; keyword: acted on, for no organization; rate_limited; unknown.';
COMMENT ON COLUMN platform.sms_inbound.auto_reply IS
	'What the provider was told to answer.';

-- organization_id is whom it was said to; a global one holds for all.
CREATE TABLE IF NOT EXISTS platform.sms_opt_out (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	phone text NOT NULL,
	global_opt_out boolean NOT NULL DEFAULT false,
	opted_out_at timestamptz NOT NULL DEFAULT now(),
	source text NOT NULL DEFAULT 'manual',
	to_number text,
	keyword text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_opt_out_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT sms_opt_out_organization_id_phone_global_opt_out_key UNIQUE (organization_id, phone, global_opt_out),
	CONSTRAINT sms_opt_out_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT sms_opt_out_source_check CHECK (source IN ('sms', 'email', 'call', 'manual'))
);
CREATE INDEX IF NOT EXISTS sms_opt_out_phone_organization_id_global_opt_out_idx
	ON platform.sms_opt_out (phone) INCLUDE (organization_id, global_opt_out);
COMMENT ON TABLE platform.sms_opt_out IS
	'Who wants no more messages: from one organization, or from nobody on the platform.';
COMMENT ON COLUMN platform.sms_opt_out.global_opt_out IS
	'From nobody: said on a shared number, or by an operator.';
COMMENT ON COLUMN platform.sms_opt_out.to_number IS
	'Our number that was told; NULL when it was not by SMS. START on that number takes it back.';

-- Append-only: what was asked for, and when.
CREATE TABLE IF NOT EXISTS platform.opt_out_requests (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	channel text NOT NULL,
	phone_number text,
	email_address text,
	request_type text NOT NULL,
	global_opt_out boolean NOT NULL DEFAULT false,
	processed boolean NOT NULL DEFAULT true,
	processed_at timestamptz DEFAULT now(),
	message_id text,
	requested_by uuid DEFAULT platform.current_user_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT opt_out_requests_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT opt_out_requests_channel_check CHECK (channel IN ('sms', 'email', 'call', 'manual')),
	CONSTRAINT opt_out_requests_request_type_check CHECK (request_type IN ('opt_out', 'opt_in')),
	CONSTRAINT opt_out_requests_subject_check CHECK (phone_number IS NOT NULL OR email_address IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS opt_out_requests_organization_id_created_at_idx
	ON platform.opt_out_requests (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS opt_out_requests_phone_number_created_at_idx
	ON platform.opt_out_requests (phone_number, created_at DESC);
COMMENT ON TABLE platform.opt_out_requests IS
	'Every wish to get no more messages, or to get them again. Rows are only added.';
COMMENT ON COLUMN platform.opt_out_requests.message_id IS
	'The provider''s key of the message that said so.';

CREATE TABLE IF NOT EXISTS platform.sms_thread_locks (
	from_number text NOT NULL,
	to_number text NOT NULL,
	organization_id uuid NOT NULL,
	locked_until timestamptz NOT NULL,
	last_outbound_at timestamptz,
	chosen_at timestamptz,
	business_name text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_thread_locks_pkey PRIMARY KEY (from_number, to_number),
	CONSTRAINT sms_thread_locks_from_number_check CHECK (from_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT sms_thread_locks_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$')
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS sms_thread_locks_organization_id_idx ON platform.sms_thread_locks (organization_id);
CREATE INDEX IF NOT EXISTS sms_thread_locks_locked_until_idx ON platform.sms_thread_locks (locked_until);
COMMENT ON TABLE platform.sms_thread_locks IS
	'Whose conversation it is that a customer has with a shared number. While it is locked nobody takes it over by sending.';
COMMENT ON COLUMN platform.sms_thread_locks.from_number IS
	'The customer''s.';
COMMENT ON COLUMN platform.sms_thread_locks.to_number IS
	'The shared number.';
COMMENT ON COLUMN platform.sms_thread_locks.chosen_at IS
	'When the customer said for whom the conversation is: what others sent before that makes it ambiguous no more.';

CREATE TABLE IF NOT EXISTS platform.sms_collision_log (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	from_number text NOT NULL,
	to_number text NOT NULL,
	organization_ids uuid[] NOT NULL,
	business_names text[] NOT NULL,
	status text NOT NULL DEFAULT 'pending',
	disambiguation_sent boolean NOT NULL DEFAULT true,
	expires_at timestamptz NOT NULL,
	customer_choice integer,
	resolved_organization_id uuid,
	resolved_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_collision_log_pkey PRIMARY KEY (id),
	CONSTRAINT sms_collision_log_status_check CHECK (status IN ('pending', 'resolved', 'expired')),
	CONSTRAINT sms_collision_log_options_check CHECK (cardinality(organization_ids) = cardinality(business_names) AND cardinality(organization_ids) >= 2 AND cardinality(organization_ids) <= 9),
	CONSTRAINT sms_collision_log_resolution_check CHECK ((status = 'resolved') = (resolved_organization_id IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS sms_collision_log_from_number_to_number_idx
	ON platform.sms_collision_log (from_number, to_number) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS sms_collision_log_created_at_idx ON platform.sms_collision_log (created_at);
COMMENT ON TABLE platform.sms_collision_log IS
	'Questions for which business a message is, and their answers. One is open at a time for a customer and a shared number.';
COMMENT ON COLUMN platform.sms_collision_log.organization_ids IS
	'In the order of the numbers that the customer answers with.';
COMMENT ON COLUMN platform.sms_collision_log.expires_at IS
	'After this a digit is no answer any more.';

CREATE TABLE IF NOT EXISTS platform.sms_inbound_rate_limits (
	from_number text NOT NULL,
	window_date date NOT NULL,
	count_10min integer NOT NULL DEFAULT 0,
	window_start timestamptz NOT NULL,
	count_daily integer NOT NULL DEFAULT 0,
	last_message_at timestamptz NOT NULL,
	blocked_until timestamptz,
	block_reason text,
	CONSTRAINT sms_inbound_rate_limits_pkey PRIMARY KEY (from_number, window_date),
	CONSTRAINT sms_inbound_rate_limits_block_reason_check CHECK (block_reason IN ('10min', 'daily'))
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS sms_inbound_rate_limits_window_date_idx ON platform.sms_inbound_rate_limits (window_date);
COMMENT ON TABLE platform.sms_inbound_rate_limits IS
	'How much a number has written: by day (UTC), and in ten minutes from window_start.';

CREATE TABLE IF NOT EXISTS platform.sms_outbound_throttle (
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	window_minute timestamptz NOT NULL,
	count integer NOT NULL DEFAULT 0,
	CONSTRAINT sms_outbound_throttle_pkey PRIMARY KEY (organization_id, user_id, window_minute)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS sms_outbound_throttle_window_minute_idx ON platform.sms_outbound_throttle (window_minute);
COMMENT ON TABLE platform.sms_outbound_throttle IS
	'Messages that become due in a minute. Written by functions only, which pass triggers by.';
COMMENT ON COLUMN platform.sms_outbound_throttle.user_id IS
	'Of one member; all zeros: of the whole organization.';

-- Why a message is sent. Nothing else is accepted.
CREATE TABLE IF NOT EXISTS platform.sms_sources (
	source text NOT NULL,
	quiet_hours boolean NOT NULL DEFAULT true,
	ignores_opt_out boolean NOT NULL DEFAULT false,
	operators_only boolean NOT NULL DEFAULT false,
	description text,
	CONSTRAINT sms_sources_pkey PRIMARY KEY (source),
	CONSTRAINT sms_sources_source_check CHECK (source ~ '^[a-z][a-z0-9_]{0,62}$')
);
COMMENT ON TABLE platform.sms_sources IS
	'The reasons for which messages may be sent.';
COMMENT ON COLUMN platform.sms_sources.quiet_hours IS
	'Such messages wait for the end of quiet hours; others answer what the customer just did.';
COMMENT ON COLUMN platform.sms_sources.ignores_opt_out IS
	'For the one confirmation that an opt-out may get.';

CREATE TABLE IF NOT EXISTS platform.sms_keywords (
	word text NOT NULL,
	language text NOT NULL DEFAULT 'en',
	keyword text NOT NULL,
	match text NOT NULL DEFAULT 'whole',
	CONSTRAINT sms_keywords_pkey PRIMARY KEY (word, language),
	CONSTRAINT sms_keywords_word_check CHECK (length(word) BETWEEN 1 AND 100),
	CONSTRAINT sms_keywords_language_check CHECK (language ~ '^[a-z]{2,3}$'),
	CONSTRAINT sms_keywords_keyword_check CHECK (keyword IN ('OPT_OUT', 'OPT_IN', 'HELP', 'CONFIRM', 'DECLINE', 'RESCHEDULE', 'FILLER')),
	CONSTRAINT sms_keywords_match_check CHECK (match IN ('exact', 'whole', 'sentence', 'anywhere'))
);
COMMENT ON TABLE platform.sms_keywords IS
	'Words and phrases that are commands. Case, accents, punctuation and spaces do not count.';
COMMENT ON COLUMN platform.sms_keywords.match IS
	'exact: the message is that; whole: but for fillers such as please; sentence: or its first sentence is; anywhere: the message has it, as words.';
COMMENT ON COLUMN platform.sms_keywords.keyword IS
	'What it means; FILLER means nothing.';

CREATE TABLE IF NOT EXISTS platform.sms_templates (
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	kind text NOT NULL,
	language text NOT NULL DEFAULT 'en',
	body text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_templates_pkey PRIMARY KEY (organization_id, kind, language),
	CONSTRAINT sms_templates_language_check CHECK (language ~ '^[a-z]{2,3}$'),
	CONSTRAINT sms_templates_kind_check CHECK (kind IN ('post_call', 'review_request', 'appointment_reminder', 'opt_out', 'opt_in', 'help', 'reschedule', 'chosen', 'opt_in_elsewhere', 'rate_limit', 'shared_opt_in', 'shared_help', 'unknown', 'ask')),
	CONSTRAINT sms_templates_shared_check CHECK (kind NOT IN ('shared_opt_in', 'shared_help', 'unknown', 'ask') OR organization_id = '00000000-0000-0000-0000-000000000000'),
	CONSTRAINT sms_templates_body_check CHECK (length(body) BETWEEN 1 AND 1600)
);
COMMENT ON TABLE platform.sms_templates IS
	'An organization''s own texts, in place of the built-in ones, and those of the default organization for all; set_sms_template() writes them.';

CREATE TABLE IF NOT EXISTS platform.sms_settings (
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	sending_enabled boolean NOT NULL DEFAULT true,
	quiet_from time NOT NULL DEFAULT '21:00',
	quiet_until time NOT NULL DEFAULT '08:00',
	timezone text,
	per_minute integer NOT NULL DEFAULT 60,
	help_phone text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sms_settings_pkey PRIMARY KEY (organization_id),
	CONSTRAINT sms_settings_per_minute_check CHECK (per_minute BETWEEN 0 AND 6000),
	CONSTRAINT sms_settings_help_phone_check CHECK (help_phone ~ '^\+[1-9][0-9]{6,14}$')
);
COMMENT ON TABLE platform.sms_settings IS
	'How an organization sends messages. Without a row: the defaults.';
COMMENT ON COLUMN platform.sms_settings.sending_enabled IS
	'false: nothing is queued, and what is queued waits.';
COMMENT ON COLUMN platform.sms_settings.quiet_from IS
	'Quiet hours begin, local time; equal to quiet_until: there are none.';
COMMENT ON COLUMN platform.sms_settings.timezone IS
	'Of customers of whom nothing else is known; NULL: the organization''s.';
COMMENT ON COLUMN platform.sms_settings.per_minute IS
	'Messages that may become due in one minute; 60 unless an operator says otherwise.';
COMMENT ON COLUMN platform.sms_settings.help_phone IS
	'The number that the answer to HELP names.';

-- The columns of fixed width stand first. A row is a message on its way: the queue
-- of the senders, and for good the log of what was sent.
CREATE TABLE IF NOT EXISTS platform.outbound_sms_log (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	send_after timestamptz NOT NULL DEFAULT now(),
	status text NOT NULL DEFAULT 'queued',
	from_number text NOT NULL,
	to_number text NOT NULL,
	body text NOT NULL,
	segments integer NOT NULL,
	encoding text NOT NULL,
	source text NOT NULL,
	idempotency_key text,
	user_id uuid,
	lead_id uuid,
	quota_reserved boolean NOT NULL DEFAULT false,
	attempts integer NOT NULL DEFAULT 0,
	max_attempts integer NOT NULL DEFAULT 3,
	lease_id uuid,
	lease_until timestamptz,
	claimed_by text,
	provider_message_id text,
	error_message text,
	sent_at timestamptz,
	delivered_at timestamptz,
	finished_at timestamptz,
	CONSTRAINT outbound_sms_log_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT outbound_sms_log_organization_id_idempotency_key_key UNIQUE (organization_id, idempotency_key),
	CONSTRAINT outbound_sms_log_status_check CHECK (status IN ('queued', 'sending', 'sent', 'delivered', 'failed', 'canceled')),
	CONSTRAINT outbound_sms_log_from_number_check CHECK (from_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT outbound_sms_log_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT outbound_sms_log_body_check CHECK (length(body) BETWEEN 1 AND 1600),
	CONSTRAINT outbound_sms_log_segments_check CHECK (segments >= 1),
	CONSTRAINT outbound_sms_log_encoding_check CHECK (encoding IN ('GSM-7', 'UCS-2')),
	CONSTRAINT outbound_sms_log_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255),
	CONSTRAINT outbound_sms_log_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100),
	CONSTRAINT outbound_sms_log_lease_check CHECK ((status = 'sending') = (lease_id IS NOT NULL) AND (lease_id IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS outbound_sms_log_send_after_id_idx
	ON platform.outbound_sms_log (send_after, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS outbound_sms_log_organization_id_send_after_id_idx
	ON platform.outbound_sms_log (organization_id, send_after, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS outbound_sms_log_to_number_idx
	ON platform.outbound_sms_log (to_number) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS outbound_sms_log_lease_until_idx
	ON platform.outbound_sms_log (lease_until) WHERE status = 'sending';
CREATE UNIQUE INDEX IF NOT EXISTS outbound_sms_log_provider_message_id_idx
	ON platform.outbound_sms_log (provider_message_id);
CREATE INDEX IF NOT EXISTS outbound_sms_log_organization_id_created_at_idx
	ON platform.outbound_sms_log (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS outbound_sms_log_finished_at_idx
	ON platform.outbound_sms_log (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbound_sms_log_source_idx ON platform.outbound_sms_log (source);
CREATE INDEX IF NOT EXISTS outbound_sms_log_user_id_idx ON platform.outbound_sms_log (user_id);
COMMENT ON TABLE platform.outbound_sms_log IS
	'Messages to be sent and sent: the queue of the senders, and the log. The row of messages has the same id.';
COMMENT ON COLUMN platform.outbound_sms_log.send_after IS
	'Not before this: as asked for, or the end of quiet hours, or a minute that has room.';
COMMENT ON COLUMN platform.outbound_sms_log.quota_reserved IS
	'Its segments are taken off the quota.';
COMMENT ON COLUMN platform.outbound_sms_log.lease_id IS
	'Of the claim that holds the message until lease_until; complete_sms() asks for it.';

CREATE TABLE IF NOT EXISTS platform.sms_automation_log (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	run_at timestamptz NOT NULL,
	status text NOT NULL DEFAULT 'pending',
	automation_type text NOT NULL,
	to_number text NOT NULL,
	message_body text NOT NULL,
	dedup_key text,
	timezone text,
	user_id uuid,
	lead_id uuid,
	appointment_id uuid,
	call_id uuid,
	sms_id uuid,
	sent_at timestamptz,
	error_message text,
	metadata jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT sms_automation_log_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT sms_automation_log_organization_id_dedup_key_key UNIQUE (organization_id, dedup_key),
	CONSTRAINT sms_automation_log_automation_type_check CHECK (automation_type IN ('post_call', 'review_request', 'appointment_reminder')),
	CONSTRAINT sms_automation_log_status_check CHECK (status IN ('pending', 'queued', 'sent', 'failed', 'skipped')),
	CONSTRAINT sms_automation_log_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT sms_automation_log_message_body_check CHECK (length(message_body) BETWEEN 1 AND 1600),
	CONSTRAINT sms_automation_log_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS sms_automation_log_run_at_id_idx
	ON platform.sms_automation_log (run_at, id) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS sms_automation_log_sms_id_idx
	ON platform.sms_automation_log (sms_id) WHERE sms_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS sms_automation_log_organization_id_created_at_idx
	ON platform.sms_automation_log (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS sms_automation_log_user_id_idx ON platform.sms_automation_log (user_id);
COMMENT ON TABLE platform.sms_automation_log IS
	'Messages that the platform sends by itself, later: after a call, asking for a review, before an appointment.';
COMMENT ON COLUMN platform.sms_automation_log.status IS
	'pending: not yet due; queued: handed over as sms_id; skipped: it was not allowed, error_message says why.';
COMMENT ON COLUMN platform.sms_automation_log.dedup_key IS
	'One of a kind a key: the call, the appointment.';
COMMENT ON COLUMN platform.sms_automation_log.lead_id IS
	'Where leads are kept: no foreign key. So are appointment_id and call_id.';

INSERT INTO platform.sms_sources (source, quiet_hours, ignores_opt_out, operators_only, description) VALUES
	('auto_post_call', true, false, false, 'after a call'),
	('auto_reminder', true, false, false, 'an appointment is near'),
	('auto_review_request', true, false, false, 'asks for a review'),
	('auto_eta', false, false, false, 'when somebody will arrive'),
	('auto_confirmation', false, false, false, 'an appointment was made or moved'),
	('quick_action_enroute', false, false, false, 'on the way'),
	('quick_action_arrived', false, false, false, 'arrived'),
	('quick_action_complete', false, false, false, 'done'),
	('quick_action_delayed', false, false, false, 'late'),
	('system_disambiguation', false, false, true, 'asks for which business a message is'),
	('system_opt_out', false, true, true, 'confirms an opt-out, once'),
	('system_rate_limit', false, false, true, 'too many messages'),
	('system_usage_alert', false, false, true, 'to the business itself')
ON CONFLICT DO NOTHING;

-- CTIA's and the carriers' words, those of 47 CFR 64.1200(a)(10), and how people put it.
INSERT INTO platform.sms_keywords (word, language, keyword, match) VALUES
	('stop', 'en', 'OPT_OUT', 'sentence'), ('stopall', 'en', 'OPT_OUT', 'sentence'), ('stop all', 'en', 'OPT_OUT', 'sentence'),
	('unsubscribe', 'en', 'OPT_OUT', 'sentence'), ('unsubscribe all', 'en', 'OPT_OUT', 'sentence'), ('optout', 'en', 'OPT_OUT', 'sentence'), ('opt out', 'en', 'OPT_OUT', 'sentence'),
	('revoke', 'en', 'OPT_OUT', 'sentence'), ('revoke consent', 'en', 'OPT_OUT', 'sentence'),
	('cancel', 'en', 'OPT_OUT', 'exact'), ('end', 'en', 'OPT_OUT', 'exact'), ('quit', 'en', 'OPT_OUT', 'exact'),
	('stop texting me', 'en', 'OPT_OUT', 'sentence'), ('stop texting', 'en', 'OPT_OUT', 'sentence'), ('stop messaging me', 'en', 'OPT_OUT', 'sentence'),
	('stop messages', 'en', 'OPT_OUT', 'sentence'), ('stop texts', 'en', 'OPT_OUT', 'sentence'), ('stop it', 'en', 'OPT_OUT', 'sentence'),
	('stop sending me messages', 'en', 'OPT_OUT', 'sentence'), ('stop sending me texts', 'en', 'OPT_OUT', 'sentence'), ('stop contacting me', 'en', 'OPT_OUT', 'sentence'),
	('stop these messages', 'en', 'OPT_OUT', 'sentence'), ('stop these texts', 'en', 'OPT_OUT', 'sentence'), ('stop all messages', 'en', 'OPT_OUT', 'sentence'), ('stop all texts', 'en', 'OPT_OUT', 'sentence'),
	('do not text me', 'en', 'OPT_OUT', 'sentence'), ('dont text me', 'en', 'OPT_OUT', 'sentence'), ('do not contact me', 'en', 'OPT_OUT', 'sentence'), ('dont contact me', 'en', 'OPT_OUT', 'sentence'),
	('do not message me', 'en', 'OPT_OUT', 'sentence'), ('dont message me', 'en', 'OPT_OUT', 'sentence'), ('no more texts', 'en', 'OPT_OUT', 'sentence'), ('no more messages', 'en', 'OPT_OUT', 'sentence'),
	('unsubscribe me', 'en', 'OPT_OUT', 'sentence'), ('opt me out', 'en', 'OPT_OUT', 'sentence'), ('remove me', 'en', 'OPT_OUT', 'sentence'), ('remove me from your list', 'en', 'OPT_OUT', 'sentence'),
	('remove me from this list', 'en', 'OPT_OUT', 'sentence'), ('take me off your list', 'en', 'OPT_OUT', 'sentence'), ('take me off this list', 'en', 'OPT_OUT', 'sentence'), ('remove my number', 'en', 'OPT_OUT', 'sentence'),
	('i want to unsubscribe', 'en', 'OPT_OUT', 'sentence'), ('i want to opt out', 'en', 'OPT_OUT', 'sentence'),
	('start', 'en', 'OPT_IN', 'whole'), ('unstop', 'en', 'OPT_IN', 'whole'), ('subscribe', 'en', 'OPT_IN', 'whole'), ('resume', 'en', 'OPT_IN', 'whole'),
	('opt in', 'en', 'OPT_IN', 'whole'), ('optin', 'en', 'OPT_IN', 'whole'),
	('help', 'en', 'HELP', 'whole'), ('info', 'en', 'HELP', 'whole'), ('help me', 'en', 'HELP', 'whole'), ('?', 'en', 'HELP', 'exact'),
	('yes', 'en', 'CONFIRM', 'whole'), ('confirm', 'en', 'CONFIRM', 'whole'), ('confirmed', 'en', 'CONFIRM', 'whole'), ('ok', 'en', 'CONFIRM', 'whole'), ('okay', 'en', 'CONFIRM', 'whole'),
	('y', 'en', 'CONFIRM', 'whole'), ('yep', 'en', 'CONFIRM', 'whole'), ('yeah', 'en', 'CONFIRM', 'whole'), ('i confirm', 'en', 'CONFIRM', 'whole'),
	('no', 'en', 'DECLINE', 'whole'), ('n', 'en', 'DECLINE', 'whole'), ('nope', 'en', 'DECLINE', 'whole'), ('decline', 'en', 'DECLINE', 'whole'),
	('reschedule', 'en', 'RESCHEDULE', 'anywhere'), ('rescheduling', 'en', 'RESCHEDULE', 'anywhere'), ('change', 'en', 'RESCHEDULE', 'whole'), ('move', 'en', 'RESCHEDULE', 'whole'),
	('change my appointment', 'en', 'RESCHEDULE', 'anywhere'), ('change the appointment', 'en', 'RESCHEDULE', 'anywhere'), ('change the time', 'en', 'RESCHEDULE', 'anywhere'), ('change the date', 'en', 'RESCHEDULE', 'anywhere'),
	('change it', 'en', 'RESCHEDULE', 'anywhere'), ('move it', 'en', 'RESCHEDULE', 'anywhere'), ('move my appointment', 'en', 'RESCHEDULE', 'anywhere'), ('move the appointment', 'en', 'RESCHEDULE', 'anywhere'),
	('another time', 'en', 'RESCHEDULE', 'anywhere'), ('different time', 'en', 'RESCHEDULE', 'anywhere'), ('another day', 'en', 'RESCHEDULE', 'anywhere'), ('different day', 'en', 'RESCHEDULE', 'anywhere'),
	('please', 'en', 'FILLER', 'whole'), ('pls', 'en', 'FILLER', 'whole'), ('plz', 'en', 'FILLER', 'whole'), ('now', 'en', 'FILLER', 'whole'), ('thanks', 'en', 'FILLER', 'whole'), ('thank you', 'en', 'FILLER', 'whole'),
	('thx', 'en', 'FILLER', 'whole'), ('ty', 'en', 'FILLER', 'whole'), ('just', 'en', 'FILLER', 'whole'), ('immediately', 'en', 'FILLER', 'whole'), ('hi', 'en', 'FILLER', 'whole'), ('hello', 'en', 'FILLER', 'whole'),
	('sir', 'en', 'FILLER', 'whole'), ('but', 'en', 'FILLER', 'whole'), ('great', 'en', 'FILLER', 'whole'), ('perfect', 'en', 'FILLER', 'whole'), ('see you', 'en', 'FILLER', 'whole'), ('see you then', 'en', 'FILLER', 'whole'), ('see you there', 'en', 'FILLER', 'whole'),
	('sounds good', 'en', 'FILLER', 'whole'), ('works for me', 'en', 'FILLER', 'whole'), ('that works', 'en', 'FILLER', 'whole'), ('we will be there', 'en', 'FILLER', 'whole'), ('i will be there', 'en', 'FILLER', 'whole'), ('ill be there', 'en', 'FILLER', 'whole'), ('anymore', 'en', 'FILLER', 'whole'), ('again', 'en', 'FILLER', 'whole'),
	('alto', 'es', 'OPT_OUT', 'sentence'), ('parar', 'es', 'OPT_OUT', 'sentence'), ('pare', 'es', 'OPT_OUT', 'sentence'), ('basta', 'es', 'OPT_OUT', 'sentence'), ('baja', 'es', 'OPT_OUT', 'exact'), ('detener', 'es', 'OPT_OUT', 'sentence'),
	('cancelar', 'es', 'OPT_OUT', 'exact'), ('no mas mensajes', 'es', 'OPT_OUT', 'sentence'), ('inicio', 'es', 'OPT_IN', 'whole'), ('empezar', 'es', 'OPT_IN', 'whole'), ('ayuda', 'es', 'HELP', 'whole'),
	('si', 'es', 'CONFIRM', 'whole'), ('confirmar', 'es', 'CONFIRM', 'whole'), ('confirmo', 'es', 'CONFIRM', 'whole'), ('reprogramar', 'es', 'RESCHEDULE', 'anywhere'), ('por favor', 'es', 'FILLER', 'whole'), ('gracias', 'es', 'FILLER', 'whole'),
	('arret', 'fr', 'OPT_OUT', 'sentence'), ('arreter', 'fr', 'OPT_OUT', 'sentence'), ('arretez', 'fr', 'OPT_OUT', 'sentence'), ('desabonner', 'fr', 'OPT_OUT', 'sentence'), ('me desabonner', 'fr', 'OPT_OUT', 'sentence'), ('desinscription', 'fr', 'OPT_OUT', 'sentence'),
	('aide', 'fr', 'HELP', 'whole'), ('oui', 'fr', 'CONFIRM', 'whole'), ('non', 'fr', 'DECLINE', 'whole'), ('reporter', 'fr', 'RESCHEDULE', 'anywhere'), ('svp', 'fr', 'FILLER', 'whole'), ('s il vous plait', 'fr', 'FILLER', 'whole'), ('merci', 'fr', 'FILLER', 'whole'),
	('stopp', 'de', 'OPT_OUT', 'sentence'), ('abmelden', 'de', 'OPT_OUT', 'sentence'), ('abbestellen', 'de', 'OPT_OUT', 'sentence'), ('austragen', 'de', 'OPT_OUT', 'sentence'), ('hilfe', 'de', 'HELP', 'whole'),
	('ja', 'de', 'CONFIRM', 'whole'), ('nein', 'de', 'DECLINE', 'whole'), ('verschieben', 'de', 'RESCHEDULE', 'anywhere'), ('bitte', 'de', 'FILLER', 'whole'), ('danke', 'de', 'FILLER', 'whole'),
	('sair', 'pt', 'OPT_OUT', 'sentence'), ('parar', 'pt', 'OPT_OUT', 'sentence'), ('cancelar', 'pt', 'OPT_OUT', 'exact'), ('ajuda', 'pt', 'HELP', 'whole'), ('sim', 'pt', 'CONFIRM', 'whole'), ('nao', 'pt', 'DECLINE', 'whole'), ('remarcar', 'pt', 'RESCHEDULE', 'anywhere')
ON CONFLICT DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('sms_numbers', 'keyed', '{}', 'by number: whose it is, is asked before the organization is known'),
	('messages', 'tenant', '{}', NULL),
	('sms_inbound', 'keyed', '{}', 'by the provider''s key: a message arrives before it is known for whom'),
	('sms_opt_out', 'tenant', '{}', NULL),
	('opt_out_requests', 'tenant', '{}', NULL),
	('sms_thread_locks', 'keyed', '{}', 'by the customer''s number'),
	('sms_collision_log', 'keyed', '{}', 'by the customer''s number: of several organizations'),
	('sms_inbound_rate_limits', 'keyed', '{}', 'by the customer''s number'),
	('sms_outbound_throttle', 'tenant', '{}', NULL),
	('sms_sources', 'global', '{}', NULL),
	('sms_keywords', 'global', '{}', NULL),
	('sms_templates', 'tenant', '{}', NULL),
	('sms_settings', 'tenant', '{}', NULL),
	('outbound_sms_log', 'tenant', '{outbound_sms_log_provider_message_id_idx}', 'a provider''s key is one message'),
	('sms_automation_log', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.sms_automation_log,
	platform.outbound_sms_log,
	platform.sms_settings,
	platform.sms_templates,
	platform.sms_keywords,
	platform.sms_sources,
	platform.sms_outbound_throttle,
	platform.sms_inbound_rate_limits,
	platform.sms_collision_log,
	platform.sms_thread_locks,
	platform.opt_out_requests,
	platform.sms_opt_out,
	platform.sms_inbound,
	platform.messages,
	platform.sms_numbers;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'sms_numbers', 'messages', 'sms_inbound', 'sms_opt_out', 'opt_out_requests', 'sms_thread_locks', 'sms_collision_log',
	'sms_inbound_rate_limits', 'sms_outbound_throttle', 'sms_sources', 'sms_keywords', 'sms_templates', 'sms_settings',
	'outbound_sms_log', 'sms_automation_log');

-- checks

-- check: a message on its way has a lease
SELECT id, organization_id FROM platform.outbound_sms_log WHERE (status = 'sending') <> (lease_id IS NOT NULL);
-- check: no minute has more than its limit, but where the limit was lowered
SELECT organization_id, window_minute FROM platform.sms_outbound_throttle WHERE count < 0;
-- check: the words that end messages are there
SELECT w.word FROM (VALUES ('stop'), ('stopall'), ('unsubscribe'), ('cancel'), ('end'), ('quit'), ('revoke'), ('optout')) AS w (word)
WHERE NOT EXISTS (SELECT 1 FROM platform.sms_keywords k WHERE k.word = w.word AND k.keyword = 'OPT_OUT');
