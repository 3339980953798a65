-- migration 120 crm: agents, leads, deals and commissions, appointments with reminders, tracking
-- requires: migrate

-- up

-- A trusted extension of the server: the role needs CREATE on the database, or
-- an administrator makes it first, in whatever schema.
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

-- The assistant that answers a customer's number.
CREATE TABLE IF NOT EXISTS platform.agents (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	agent_id text,
	phone_number text,
	nickname text,
	status text NOT NULL DEFAULT 'pending',
	status_reason text,
	provider text NOT NULL DEFAULT 'retell',
	provider_region text,
	provider_number_id text,
	provisioned_by text,
	deploy_request_id text,
	deploy_error text,
	deployed_at timestamptz,
	inbound_webhook_url text,
	industry text NOT NULL DEFAULT 'hvac',
	tone text,
	transfer_number text,
	schedule_summary text,
	standard_fee text NOT NULL DEFAULT '89',
	emergency_fee text NOT NULL DEFAULT '189',
	post_call_sms_enabled boolean NOT NULL DEFAULT false,
	post_call_sms_template text,
	post_call_sms_delay_seconds integer NOT NULL DEFAULT 60,
	confirmation_sms_enabled boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT agents_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT agents_user_id_key UNIQUE (user_id),
	CONSTRAINT agents_phone_number_key UNIQUE (phone_number),
	CONSTRAINT agents_status_check CHECK (status IN ('pending', 'active', 'suspended', 'disabled', 'failed', 'retired')),
	CONSTRAINT agents_active_check CHECK (status <> 'active' OR (phone_number IS NOT NULL AND agent_id IS NOT NULL)),
	CONSTRAINT agents_agent_id_check CHECK (length(agent_id) BETWEEN 1 AND 255),
	CONSTRAINT agents_phone_number_check CHECK (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT agents_transfer_number_check CHECK (transfer_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT agents_nickname_check CHECK (length(nickname) <= 255),
	CONSTRAINT agents_inbound_webhook_url_check CHECK (length(inbound_webhook_url) <= 2048),
	CONSTRAINT agents_industry_check CHECK (industry IN ('hvac', 'plumbing', 'electrical')),
	CONSTRAINT agents_post_call_sms_delay_seconds_check CHECK (post_call_sms_delay_seconds BETWEEN 0 AND 86400)
);
CREATE INDEX IF NOT EXISTS agents_agent_id_idx ON platform.agents (agent_id);
CREATE INDEX IF NOT EXISTS agents_organization_id_created_at_idx ON platform.agents (organization_id, created_at DESC);
COMMENT ON TABLE platform.agents IS
	'The assistant that answers a customer''s number: one for each user, one for each number.';
COMMENT ON COLUMN platform.agents.agent_id IS
	'At the provider. Many agents may share one: it names no customer.';
COMMENT ON COLUMN platform.agents.status IS
	'pending: being made; active: answers; suspended: by the platform; disabled: by the customer; failed: could not be made; retired: gone, its number free.';
COMMENT ON COLUMN platform.agents.deploy_request_id IS
	'Of the last deployment.';

-- Each attempt to make an agent at the provider.
CREATE TABLE IF NOT EXISTS platform.agent_deployments (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	agent_id uuid NOT NULL,
	deploy_request_id text NOT NULL,
	status text NOT NULL DEFAULT 'started',
	error text,
	requested_by text,
	created_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	CONSTRAINT agent_deployments_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT agent_deployments_organization_id_deploy_request_id_key UNIQUE (organization_id, deploy_request_id),
	CONSTRAINT agent_deployments_deploy_request_id_check CHECK (length(deploy_request_id) BETWEEN 1 AND 255),
	CONSTRAINT agent_deployments_status_check CHECK (status IN ('started', 'succeeded', 'failed')),
	CONSTRAINT agent_deployments_finished_check CHECK ((status = 'started') = (finished_at IS NULL))
);
CREATE INDEX IF NOT EXISTS agent_deployments_agent_id_created_at_idx
	ON platform.agent_deployments (agent_id, created_at DESC);
COMMENT ON TABLE platform.agent_deployments IS
	'Attempts to make an agent at the provider: what was asked when, and what came of it.';

CREATE TABLE IF NOT EXISTS platform.leads (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid,
	owner_id uuid,
	business_name text,
	name text,
	phone text,
	email text,
	status text NOT NULL DEFAULT 'new',
	locked_by text,
	lock_expires_at timestamptz,
	tier_interest text,
	metadata jsonb NOT NULL DEFAULT '{}',
	recording_url text,
	transcript text,
	summary text,
	sentiment text,
	call_duration_seconds integer,
	agent_id text,
	service_address text,
	issue_type text,
	call_outcome text,
	appointment_booked boolean NOT NULL DEFAULT false,
	flagged_for_review boolean NOT NULL DEFAULT false,
	flagged_at timestamptz,
	call_id text,
	import_key text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT leads_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT leads_organization_id_call_id_key UNIQUE (organization_id, call_id),
	CONSTRAINT leads_organization_id_import_key_key UNIQUE (organization_id, import_key),
	CONSTRAINT leads_status_check CHECK (status IN ('new', 'contacted', 'demo_set', 'booked', 'transferred', 'callback_requested', 'not_interested', 'closed_won', 'dead')),
	CONSTRAINT leads_sentiment_check CHECK (sentiment IN ('positive', 'neutral', 'negative')),
	CONSTRAINT leads_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT leads_name_check CHECK (length(name) <= 255),
	CONSTRAINT leads_business_name_check CHECK (length(business_name) <= 255),
	CONSTRAINT leads_email_check CHECK (length(email) <= 255 AND email ~ '^[^@\s]+@[^@\s]+$'),
	CONSTRAINT leads_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
	CONSTRAINT leads_call_duration_seconds_check CHECK (call_duration_seconds >= 0),
	CONSTRAINT leads_recording_url_check CHECK (length(recording_url) <= 2048),
	CONSTRAINT leads_import_key_check CHECK (length(import_key) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS leads_organization_id_created_at_idx ON platform.leads (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS leads_organization_id_status_created_at_idx ON platform.leads (organization_id, status, created_at DESC);
CREATE INDEX IF NOT EXISTS leads_organization_id_phone_created_at_idx ON platform.leads (organization_id, phone, created_at DESC);
CREATE INDEX IF NOT EXISTS leads_phone_created_at_organization_id_idx
	ON platform.leads (phone, created_at DESC) INCLUDE (organization_id) WHERE phone IS NOT NULL;
CREATE INDEX IF NOT EXISTS leads_user_id_idx ON platform.leads (user_id);
CREATE INDEX IF NOT EXISTS leads_owner_id_created_at_idx ON platform.leads (owner_id, created_at DESC);
COMMENT ON TABLE platform.leads IS
	'People who may become customers of an organization: from calls, imports, by hand.';
COMMENT ON COLUMN platform.leads.owner_id IS
	'The seller who looks after it, and may read it wherever he belongs.';
COMMENT ON COLUMN platform.leads.status IS
	'new; of a call: booked, transferred, callback_requested, not_interested; by hand: contacted, demo_set, closed_won, dead, which a later call leaves alone.';
COMMENT ON COLUMN platform.leads.locked_by IS
	'Who works on it until lock_expires_at.';
COMMENT ON COLUMN platform.leads.phone IS
	'E.164: written in any form, stored in this one.';
COMMENT ON COLUMN platform.leads.call_id IS
	'The call it came from, as the provider names it.';
COMMENT ON COLUMN platform.leads.import_key IS
	'Of an imported lead: the same one comes in once.';

-- Money is in the currency's minor unit.
CREATE TABLE IF NOT EXISTS platform.deals (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	lead_id uuid,
	seller_id uuid,
	referrer_id uuid,
	stripe_session_id text,
	amount_minor bigint NOT NULL DEFAULT 0,
	currency text NOT NULL DEFAULT 'usd',
	status text NOT NULL DEFAULT 'pending',
	paid_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT deals_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT deals_stripe_session_id_key UNIQUE (stripe_session_id),
	CONSTRAINT deals_stripe_session_id_check CHECK (length(stripe_session_id) BETWEEN 1 AND 255),
	CONSTRAINT deals_amount_minor_check CHECK (amount_minor >= 0),
	CONSTRAINT deals_currency_check CHECK (currency ~ '^[a-z]{3}$'),
	CONSTRAINT deals_status_check CHECK (status IN ('pending', 'paid', 'canceled', 'refunded'))
);
CREATE INDEX IF NOT EXISTS deals_organization_id_created_at_idx ON platform.deals (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS deals_lead_id_idx ON platform.deals (lead_id);
CREATE INDEX IF NOT EXISTS deals_seller_id_created_at_idx ON platform.deals (seller_id, created_at DESC);
CREATE INDEX IF NOT EXISTS deals_referrer_id_idx ON platform.deals (referrer_id);
COMMENT ON TABLE platform.deals IS
	'Sales: pending until the checkout is completed, then paid; or canceled, or refunded.';
COMMENT ON COLUMN platform.deals.amount_minor IS
	'In the currency''s minor unit: cents.';

CREATE TABLE IF NOT EXISTS platform.commissions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	seller_id uuid NOT NULL,
	deal_id uuid NOT NULL,
	deal_amount_minor bigint NOT NULL,
	rate_basis_points integer NOT NULL DEFAULT 1000,
	commission_minor bigint NOT NULL,
	currency text NOT NULL DEFAULT 'usd',
	status text NOT NULL DEFAULT 'pending_locked',
	payable_at timestamptz,
	approved_at timestamptz,
	approved_by text,
	paid_minor bigint,
	payout_reference text,
	voided_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT commissions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT commissions_organization_id_deal_id_seller_id_key UNIQUE (organization_id, deal_id, seller_id),
	CONSTRAINT commissions_deal_amount_minor_check CHECK (deal_amount_minor >= 0),
	CONSTRAINT commissions_rate_basis_points_check CHECK (rate_basis_points BETWEEN 0 AND 10000),
	CONSTRAINT commissions_commission_check CHECK (commission_minor BETWEEN 0 AND deal_amount_minor),
	CONSTRAINT commissions_paid_check CHECK (paid_minor BETWEEN 0 AND deal_amount_minor),
	CONSTRAINT commissions_currency_check CHECK (currency ~ '^[a-z]{3}$'),
	CONSTRAINT commissions_status_check CHECK (status IN ('pending_locked', 'payable', 'paid', 'void')),
	CONSTRAINT commissions_payment_check CHECK ((status = 'paid') = (paid_minor IS NOT NULL) AND (status = 'paid') = (approved_at IS NOT NULL)),
	CONSTRAINT commissions_payout_reference_check CHECK (length(payout_reference) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS commissions_organization_id_status_created_at_idx ON platform.commissions (organization_id, status, created_at);
CREATE INDEX IF NOT EXISTS commissions_seller_id_created_at_idx ON platform.commissions (seller_id, created_at DESC);
CREATE INDEX IF NOT EXISTS commissions_deal_id_idx ON platform.commissions (deal_id);
COMMENT ON TABLE platform.commissions IS
	'What a seller gets of a deal: pending_locked until the deal is paid, then payable, then paid; void when the deal comes to nothing. Its state goes forward only.';
COMMENT ON COLUMN platform.commissions.rate_basis_points IS
	'Hundredths of a percent: 1000 is 10 %.';
COMMENT ON COLUMN platform.commissions.commission_minor IS
	'What the rate makes of the deal, in minor units, half up.';
COMMENT ON COLUMN platform.commissions.paid_minor IS
	'What was really paid: commission_minor, or what whoever approved it said, from 0 to the deal''s amount.';

CREATE TABLE IF NOT EXISTS platform.appointments (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid,
	calendar_id uuid NOT NULL,
	lead_id uuid,
	customer_name text NOT NULL,
	customer_phone text,
	customer_email text,
	start_time timestamptz NOT NULL,
	end_time timestamptz NOT NULL,
	duration_minutes integer NOT NULL DEFAULT 60,
	location text,
	notes text,
	reminder_enabled boolean NOT NULL DEFAULT true,
	reminder_minutes integer NOT NULL DEFAULT 0,
	reminder_offsets integer[] NOT NULL DEFAULT '{1440,60}',
	reminder_sent boolean NOT NULL DEFAULT false,
	reminder_last_sent_at timestamptz,
	eta_enabled boolean NOT NULL DEFAULT true,
	eta_minutes integer NOT NULL DEFAULT 10,
	eta_link text,
	eta_last_sent_at timestamptz,
	status text NOT NULL DEFAULT 'booked',
	change_reason text,
	cancelled_at timestamptz,
	job_value numeric(14, 2),
	issue_type text,
	source text NOT NULL DEFAULT 'manual',
	cal_booking_uid text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT appointments_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT appointments_organization_id_cal_booking_uid_key UNIQUE (organization_id, cal_booking_uid),
	CONSTRAINT appointments_customer_name_check CHECK (length(customer_name) BETWEEN 1 AND 255),
	CONSTRAINT appointments_customer_phone_check CHECK (customer_phone ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT appointments_customer_email_check CHECK (length(customer_email) <= 255 AND customer_email ~ '^[^@\s]+@[^@\s]+$'),
	CONSTRAINT appointments_times_check CHECK (end_time > start_time AND isfinite(start_time) AND isfinite(end_time)),
	CONSTRAINT appointments_reminder_minutes_check CHECK (reminder_minutes BETWEEN 0 AND 43200),
	CONSTRAINT appointments_reminder_offsets_check CHECK (cardinality(reminder_offsets) <= 10 AND 1 <= ALL (reminder_offsets) AND 43200 >= ALL (reminder_offsets) AND array_position(reminder_offsets, NULL) IS NULL),
	CONSTRAINT appointments_eta_minutes_check CHECK (eta_minutes >= 0),
	CONSTRAINT appointments_job_value_check CHECK (job_value >= 0),
	CONSTRAINT appointments_status_check CHECK (status IN ('pending', 'scheduled', 'booked', 'confirmed', 'completed', 'cancelled', 'no_show')),
	CONSTRAINT appointments_source_check CHECK (length(source) BETWEEN 1 AND 64),
	CONSTRAINT appointments_cal_booking_uid_check CHECK (length(cal_booking_uid) BETWEEN 1 AND 255),
	CONSTRAINT appointments_organization_id_calendar_id_tstzrange_excl EXCLUDE USING gist
		(organization_id WITH =, calendar_id WITH =, tstzrange(start_time, end_time) WITH &&)
		WHERE (status IN ('pending', 'scheduled', 'booked', 'confirmed'))
);
CREATE INDEX IF NOT EXISTS appointments_organization_id_start_time_idx ON platform.appointments (organization_id, start_time);
CREATE INDEX IF NOT EXISTS appointments_organization_id_source_start_time_idx ON platform.appointments (organization_id, source, start_time);
CREATE INDEX IF NOT EXISTS appointments_organization_id_issue_type_start_time_idx ON platform.appointments (organization_id, issue_type, start_time);
CREATE INDEX IF NOT EXISTS appointments_organization_id_customer_phone_start_time_idx ON platform.appointments (organization_id, customer_phone, start_time);
CREATE INDEX IF NOT EXISTS appointments_user_id_start_time_idx ON platform.appointments (user_id, start_time);
CREATE INDEX IF NOT EXISTS appointments_lead_id_idx ON platform.appointments (lead_id);
COMMENT ON TABLE platform.appointments IS
	'Bookings. Those of one calendar that are pending, scheduled, booked or confirmed never overlap; one may begin when another ends.';
COMMENT ON COLUMN platform.appointments.calendar_id IS
	'A van, a room, a person: whatever can do one thing at a time. Without one the user''s, without a user the organization''s.';
COMMENT ON COLUMN platform.appointments.duration_minutes IS
	'From start_time to end_time, rounded up; kept by a trigger.';
COMMENT ON COLUMN platform.appointments.reminder_offsets IS
	'Minutes before the start at which the customer is reminded: at most ten.';
COMMENT ON COLUMN platform.appointments.reminder_minutes IS
	'One more of them; 0: none.';
COMMENT ON COLUMN platform.appointments.status IS
	'pending, scheduled, booked, confirmed: takes its time in the calendar; completed, cancelled, no_show: is over for good.';
COMMENT ON COLUMN platform.appointments.change_reason IS
	'Why it was last moved or cancelled.';
COMMENT ON COLUMN platform.appointments.cal_booking_uid IS
	'At the calendar service; comes in once.';

CREATE TABLE IF NOT EXISTS platform.appointment_changes (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	appointment_id uuid NOT NULL,
	change text NOT NULL,
	old_status text,
	new_status text NOT NULL,
	old_start_time timestamptz,
	old_end_time timestamptz,
	new_start_time timestamptz NOT NULL,
	new_end_time timestamptz NOT NULL,
	reason text,
	changed_by text,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT appointment_changes_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT appointment_changes_change_check CHECK (change IN ('created', 'rescheduled', 'cancelled', 'status'))
);
CREATE INDEX IF NOT EXISTS appointment_changes_appointment_id_created_at_idx
	ON platform.appointment_changes (appointment_id, created_at);
CREATE INDEX IF NOT EXISTS appointment_changes_organization_id_created_at_idx
	ON platform.appointment_changes (organization_id, created_at DESC);
COMMENT ON TABLE platform.appointment_changes IS
	'What happened to an appointment: when it was to be before, who moved or cancelled it, and why. Written by a trigger.';

CREATE TABLE IF NOT EXISTS platform.appointment_reminders (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	appointment_id uuid NOT NULL,
	minutes_before integer NOT NULL,
	due_at timestamptz NOT NULL,
	status text NOT NULL DEFAULT 'queued',
	attempts integer NOT NULL DEFAULT 0,
	lease_id uuid,
	lease_until timestamptz,
	claimed_by text,
	last_error text,
	sent_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT appointment_reminders_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT appointment_reminders_minutes_before_check CHECK (minutes_before > 0),
	CONSTRAINT appointment_reminders_status_check CHECK (status IN ('queued', 'claimed', 'sent', 'failed', 'canceled', 'missed')),
	CONSTRAINT appointment_reminders_lease_check CHECK ((status = 'claimed') = (lease_id IS NOT NULL) AND (status = 'claimed') = (lease_until IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS appointment_reminders_due_at_id_idx
	ON platform.appointment_reminders (due_at, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS appointment_reminders_organization_id_due_at_id_idx
	ON platform.appointment_reminders (organization_id, due_at, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS appointment_reminders_lease_until_idx
	ON platform.appointment_reminders (lease_until) WHERE status = 'claimed';
CREATE INDEX IF NOT EXISTS appointment_reminders_appointment_id_due_at_idx
	ON platform.appointment_reminders (appointment_id, due_at);
COMMENT ON TABLE platform.appointment_reminders IS
	'Reminders to be sent, made and taken back by a trigger of appointments; claim_due_reminders() hands them out.';
COMMENT ON COLUMN platform.appointment_reminders.status IS
	'queued; claimed: somebody sends it; sent; failed: given up; canceled: the appointment was moved or is over; missed: it had begun.';
COMMENT ON COLUMN platform.appointment_reminders.lease_id IS
	'Of the claim that holds it until lease_until; finish_reminder() asks for it.';

CREATE TABLE IF NOT EXISTS platform.tracking_sessions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	token_hash bytea NOT NULL,
	update_key_hash bytea NOT NULL,
	created_by uuid,
	lead_id uuid,
	appointment_id uuid,
	customer_phone text,
	status text NOT NULL DEFAULT 'active',
	eta_minutes integer,
	last_lat double precision,
	last_lng double precision,
	last_recorded_at timestamptz,
	expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT tracking_sessions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT tracking_sessions_token_hash_key UNIQUE (token_hash),
	CONSTRAINT tracking_sessions_update_key_hash_key UNIQUE (update_key_hash),
	CONSTRAINT tracking_sessions_token_hash_check CHECK (length(token_hash) = 32),
	CONSTRAINT tracking_sessions_update_key_hash_check CHECK (length(update_key_hash) = 32),
	CONSTRAINT tracking_sessions_customer_phone_check CHECK (customer_phone ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT tracking_sessions_status_check CHECK (status IN ('active', 'ended')),
	CONSTRAINT tracking_sessions_eta_minutes_check CHECK (eta_minutes >= 0),
	CONSTRAINT tracking_sessions_last_lat_check CHECK (last_lat BETWEEN -90 AND 90),
	CONSTRAINT tracking_sessions_last_lng_check CHECK (last_lng BETWEEN -180 AND 180)
);
CREATE INDEX IF NOT EXISTS tracking_sessions_organization_id_created_at_idx ON platform.tracking_sessions (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS tracking_sessions_created_by_idx ON platform.tracking_sessions (created_by);
CREATE INDEX IF NOT EXISTS tracking_sessions_lead_id_idx ON platform.tracking_sessions (lead_id);
CREATE INDEX IF NOT EXISTS tracking_sessions_appointment_id_idx ON platform.tracking_sessions (appointment_id);
COMMENT ON TABLE platform.tracking_sessions IS
	'Where somebody who is on the way is: the customer sees it with a token, the device tells it with a key, until expires_at.';
COMMENT ON COLUMN platform.tracking_sessions.token_hash IS
	'SHA-256; the token stands nowhere.';
COMMENT ON COLUMN platform.tracking_sessions.update_key_hash IS
	'The same of the device''s key.';

CREATE TABLE IF NOT EXISTS platform.tracking_points (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	session_id uuid NOT NULL,
	lat double precision NOT NULL,
	lng double precision NOT NULL,
	recorded_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT tracking_points_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT tracking_points_lat_check CHECK (lat BETWEEN -90 AND 90),
	CONSTRAINT tracking_points_lng_check CHECK (lng BETWEEN -180 AND 180)
);
CREATE INDEX IF NOT EXISTS tracking_points_session_id_recorded_at_idx
	ON platform.tracking_points (session_id, recorded_at DESC);
CREATE INDEX IF NOT EXISTS tracking_points_created_at_idx ON platform.tracking_points (created_at);
COMMENT ON TABLE platform.tracking_points IS
	'Where it was when, in degrees (WGS 84).';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('agents', 'tenant', '{agents_user_id_key,agents_phone_number_key}', NULL),
	('agent_deployments', 'tenant', '{}', NULL),
	('leads', 'tenant', '{}', NULL),
	('deals', 'tenant', '{deals_stripe_session_id_key}', NULL),
	('commissions', 'tenant', '{}', NULL),
	('appointments', 'tenant', '{}', NULL),
	('appointment_changes', 'tenant', '{}', NULL),
	('appointment_reminders', 'tenant', '{}', NULL),
	('tracking_sessions', 'tenant', '{tracking_sessions_token_hash_key,tracking_sessions_update_key_hash_key}', NULL),
	('tracking_points', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.tracking_points,
	platform.tracking_sessions,
	platform.appointment_reminders,
	platform.appointment_changes,
	platform.appointments,
	platform.commissions,
	platform.deals,
	platform.leads,
	platform.agent_deployments,
	platform.agents;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'agents', 'agent_deployments', 'leads', 'deals', 'commissions', 'appointments',
	'appointment_changes', 'appointment_reminders', 'tracking_sessions', 'tracking_points');

-- checks

-- check: no appointments of one calendar overlap
SELECT a.id, b.id FROM platform.appointments a JOIN platform.appointments b
ON b.organization_id = a.organization_id AND b.calendar_id = a.calendar_id AND b.id > a.id
	AND tstzrange(b.start_time, b.end_time) && tstzrange(a.start_time, a.end_time)
WHERE a.status IN ('pending', 'scheduled', 'booked', 'confirmed') AND b.status IN ('pending', 'scheduled', 'booked', 'confirmed');
-- check: no commission was paid or is payable for a deal that is not paid for
SELECT c.id FROM platform.commissions c JOIN platform.deals d ON d.id = c.deal_id AND d.organization_id = c.organization_id
WHERE c.status = 'payable' AND d.status <> 'paid';
-- check: agents have no invented numbers
SELECT id FROM platform.agents WHERE phone_number LIKE 'UNKNOWN%' OR agent_id LIKE 'UNKNOWN\_%';
