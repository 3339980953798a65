-- crm: agents

CREATE OR REPLACE FUNCTION platform.agent_for_number(phone text, region text DEFAULT 'US')
RETURNS TABLE (agent uuid, organization_id uuid, user_id uuid, provider_agent_id text, phone_number text, status text, answers boolean, transfer_number text)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_agent_for_number';
COMMENT ON FUNCTION platform.agent_for_number(text, text) IS
	'The agent whose number that is, in whatever form it is written: by the whole number, never a part of it. No row for others, NULL, and what is no number. Members: of their organization. Errors: 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'agent_for_number(text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.start_agent_deploy(organization_id uuid, user_id uuid, deploy_request_id text, nickname text DEFAULT NULL, industry text DEFAULT NULL, provider text DEFAULT NULL,
	OUT agent uuid, OUT deployment uuid, OUT started boolean) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_agent_deploy';
COMMENT ON FUNCTION platform.start_agent_deploy(uuid, uuid, text, text, text, text) IS
	'Begins to make the user''s agent at the provider; the same deploy_request_id once more starts nothing. Operators. Errors: 22004, 22023, 42501, PT404, PT409, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.finish_agent_deploy(organization_id uuid, deployment_id uuid, succeeded boolean, agent_id text DEFAULT NULL, phone_number text DEFAULT NULL,
	provider_number_id text DEFAULT NULL, provider_region text DEFAULT NULL, error text DEFAULT NULL, region text DEFAULT 'US') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_finish_agent_deploy';
COMMENT ON FUNCTION platform.finish_agent_deploy(uuid, uuid, boolean, text, text, text, text, text, text) IS
	'What came of a deployment: the agent is active with what is given, or failed; an active one stays so. Returns its status. Operators. Errors: 22004, 22023, 42501, PT404, PT409, PT422, 23505 the number is another agent''s, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.set_agent_status(organization_id uuid, agent uuid, status text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_agent_status';
COMMENT ON FUNCTION platform.set_agent_status(uuid, uuid, text, text) IS
	'Switches an agent off and on: administrators of the organization between active and disabled, operators to whatever may follow. True when that changed something. Errors: 22004, 22023, 42501, PT404, PT409, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_agent_status(uuid, uuid, text, text)', 'EXECUTE');

-- crm: leads

CREATE OR REPLACE FUNCTION platform.lead_status_for_call(call_outcome text, appointment_booked boolean DEFAULT false) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_lead_status_for_call';
COMMENT ON FUNCTION platform.lead_status_for_call(text, boolean) IS
	'The status of a lead after a call: booked with an appointment, else by the outcome: booked, transferred, callback_requested, not_interested; new for others and NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'lead_status_for_call(text, boolean)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.lead_sentiment(text text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_lead_sentiment';
COMMENT ON FUNCTION platform.lead_sentiment(text) IS
	'How a conversation sounds by its words: negative, positive or neutral. NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'lead_sentiment(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.record_call_lead(organization_id uuid, call_id text, phone text DEFAULT NULL, name text DEFAULT NULL, transcript text DEFAULT NULL,
	summary text DEFAULT NULL, sentiment text DEFAULT NULL, call_duration_seconds integer DEFAULT NULL, call_outcome text DEFAULT NULL,
	appointment_booked boolean DEFAULT false, recording_url text DEFAULT NULL, agent_id text DEFAULT NULL, service_address text DEFAULT NULL,
	issue_type text DEFAULT NULL, metadata jsonb DEFAULT '{}', region text DEFAULT 'US',
	OUT id uuid, OUT status text, OUT created boolean) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_call_lead';
COMMENT ON FUNCTION platform.record_call_lead(uuid, text, text, text, text, text, text, integer, text, boolean, text, text, text, text, jsonb, text) IS
	'The lead that a call makes; reported again, a call adds to its lead what was not known, and leaves a status alone that was set by hand. Members: their organization. Errors: 22004, 22023, 42501, PT422, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'record_call_lead(uuid, text, text, text, text, text, text, integer, text, boolean, text, text, text, text, jsonb, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.claim_lead(organization_id uuid, lead_id uuid, lease interval DEFAULT '15 minutes') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_claim_lead';
COMMENT ON FUNCTION platform.claim_lead(uuid, uuid, interval) IS
	'The caller works on the lead until the lease ends; false when somebody else does. Members: their organization. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'claim_lead(uuid, uuid, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.release_lead(organization_id uuid, lead_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_lead';
COMMENT ON FUNCTION platform.release_lead(uuid, uuid) IS
	'The caller works on the lead no longer; false when it did not. Members: their organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'release_lead(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.import_leads(organization_id uuid, leads jsonb, region text DEFAULT 'US')
RETURNS TABLE (line integer, lead_id uuid, outcome text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_import_leads';
COMMENT ON FUNCTION platform.import_leads(uuid, jsonb, text) IS
	'Adds the leads of an array of at most 500 objects, each once (by key, else phone, else email), and says of each: created, existing or refused, and why. Members: their organization. Errors: 22004, 22023, 42501, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'import_leads(uuid, jsonb, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.customer_by_phone(for_organization_id uuid, for_phone text, region text DEFAULT 'US')
RETURNS TABLE (phone text, name text, email text, leads bigint, calls bigint, total_duration_seconds bigint, bookings bigint, first_contact_at timestamptz,
	last_contact_at timestamptz, last_status text, last_sentiment text)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT c.phone, c.name, c.email, c.leads, c.calls, c.total_duration_seconds, c.bookings, c.first_contact_at, c.last_contact_at, c.last_status, c.last_sentiment
FROM platform.customers c
WHERE c.organization_id = for_organization_id AND c.phone = platform.normalize_e164(for_phone, region)
$$;
COMMENT ON FUNCTION platform.customer_by_phone(uuid, text, text) IS
	'Who that number is to the organization, in whatever form it is written; no row when nobody. As the caller sees leads. Errors: 22023 region.';
INSERT INTO platform.member_privileges VALUES ('function', 'customer_by_phone(uuid, text, text)', 'EXECUTE');

-- crm: deals and commissions

CREATE OR REPLACE FUNCTION platform.record_deal(organization_id uuid, amount_minor bigint, seller_id uuid DEFAULT NULL, lead_id uuid DEFAULT NULL, stripe_session_id text DEFAULT NULL,
	referrer_id uuid DEFAULT NULL, currency text DEFAULT 'usd', rate_basis_points integer DEFAULT 1000,
	OUT deal_id uuid, OUT commission_id uuid, OUT created boolean) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_deal';
COMMENT ON FUNCTION platform.record_deal(uuid, bigint, uuid, uuid, text, uuid, text, integer) IS
	'A sale that is not paid yet, with the seller''s commission, locked until it is; the same stripe_session_id once more returns what it made. Amounts in minor units. Administrators of the organization. Errors: 22004, 22023, 42501, PT409, PT422, 23503, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'record_deal(uuid, bigint, uuid, uuid, text, uuid, text, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.complete_deal(organization_id uuid, deal_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_complete_deal';
COMMENT ON FUNCTION platform.complete_deal(uuid, uuid) IS
	'The deal is paid and its commissions become payable; false when it was. Operators. Errors: 22004, 42501, PT404, PT409, 25006.';

CREATE OR REPLACE FUNCTION platform.void_deal(organization_id uuid, deal_id uuid) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_void_deal';
COMMENT ON FUNCTION platform.void_deal(uuid, uuid) IS
	'The deal comes to nothing: canceled, or refunded when it was paid; its commissions that are not paid are void, one that is raises an alert. Returns the deal''s status. Operators. Errors: 22004, 42501, PT404, 25006.';

CREATE OR REPLACE FUNCTION platform.pay_commission(organization_id uuid, commission_id uuid, amount_minor bigint DEFAULT NULL, payout_reference text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_pay_commission';
COMMENT ON FUNCTION platform.pay_commission(uuid, uuid, bigint, text) IS
	'Approves a payable commission as paid, once; returns what is paid: the commission, or amount_minor instead, from 0 to the deal''s amount. Platform staff, never the seller. Errors: 22004, 22023, 42501, PT404, PT409, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'pay_commission(uuid, uuid, bigint, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_commissions(for_organization_id uuid, for_seller_id uuid DEFAULT NULL, for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (commission_id uuid, seller_id uuid, deal_id uuid, deal_amount_minor bigint, commission_minor bigint, paid_minor bigint, currency text, status text,
	created_at timestamptz, payable_at timestamptz, approved_at timestamptz)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT c.id, c.seller_id, c.deal_id, c.deal_amount_minor, c.commission_minor, c.paid_minor, c.currency, c.status, c.created_at, c.payable_at, c.approved_at
FROM platform.commissions c
WHERE c.organization_id = for_organization_id AND (for_seller_id IS NULL OR c.seller_id = for_seller_id) AND (for_status IS NULL OR c.status = for_status)
ORDER BY c.created_at DESC, c.id DESC LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.list_commissions(uuid, uuid, text, integer) IS
	'Commissions, the newest first; NULL: of all sellers, in every state, no limit. As the caller sees the table: sellers their own, administrators all.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_commissions(uuid, uuid, text, integer)', 'EXECUTE');

-- crm: appointments

CREATE OR REPLACE FUNCTION platform.book_appointment(organization_id uuid, customer_name text, start_time timestamptz, end_time timestamptz DEFAULT NULL, customer_phone text DEFAULT NULL,
	customer_email text DEFAULT NULL, calendar_id uuid DEFAULT NULL, user_id uuid DEFAULT NULL, lead_id uuid DEFAULT NULL, location text DEFAULT NULL,
	notes text DEFAULT NULL, issue_type text DEFAULT NULL, source text DEFAULT 'manual', cal_booking_uid text DEFAULT NULL, region text DEFAULT 'US',
	OUT id uuid, OUT created boolean) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_book_appointment';
COMMENT ON FUNCTION platform.book_appointment(uuid, text, timestamptz, timestamptz, text, text, uuid, uuid, uuid, text, text, text, text, text, text) IS
	'Takes the time from start_time to end_time (NULL: an hour) in a calendar (NULL: the user''s, else the organization''s); the same cal_booking_uid once more changes nothing. Members: their organization. Errors: 22004, 22023, 42501, 23P01 the calendar is taken, PT422, 23503, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'book_appointment(uuid, text, timestamptz, timestamptz, text, text, uuid, uuid, uuid, text, text, text, text, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.reschedule_appointment(organization_id uuid, appointment_id uuid, start_time timestamptz, end_time timestamptz DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reschedule_appointment';
COMMENT ON FUNCTION platform.reschedule_appointment(uuid, uuid, timestamptz, timestamptz, text) IS
	'Moves an appointment with its reminders; end_time NULL: as long as before. What was to be before stays in appointment_changes. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT409 it is over, 23P01 the calendar is taken, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reschedule_appointment(uuid, uuid, timestamptz, timestamptz, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_appointment_status(organization_id uuid, appointment_id uuid, status text, reason text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_appointment_status';
COMMENT ON FUNCTION platform.set_appointment_status(uuid, uuid, text, text) IS
	'pending, scheduled, booked, confirmed; completed, cancelled and no_show end it for good and give its time back. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT409 it is over, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_appointment_status(uuid, uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.cancel_appointment(organization_id uuid, appointment_id uuid, reason text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
SELECT platform.set_appointment_status($1, $2, 'cancelled', $3)
$$;
COMMENT ON FUNCTION platform.cancel_appointment(uuid, uuid, text) IS
	'set_appointment_status() with cancelled.';
INSERT INTO platform.member_privileges VALUES ('function', 'cancel_appointment(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_appointments(for_organization_id uuid, from_time timestamptz DEFAULT NULL, to_time timestamptz DEFAULT NULL,
	for_calendar_id uuid DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (appointment_id uuid, calendar_id uuid, start_time timestamptz, end_time timestamptz, status text, customer_name text, customer_phone text, location text, source text)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT a.id, a.calendar_id, a.start_time, a.end_time, a.status, a.customer_name, a.customer_phone, a.location, a.source
FROM platform.appointments a
WHERE a.organization_id = for_organization_id AND (from_time IS NULL OR a.end_time > from_time) AND (to_time IS NULL OR a.start_time < to_time)
	AND (for_calendar_id IS NULL OR a.calendar_id = for_calendar_id)
ORDER BY a.start_time, a.id LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.list_appointments(uuid, timestamptz, timestamptz, uuid, integer) IS
	'Appointments that touch the time from from_time to to_time, in every state, in order; NULL: no bound, all calendars, no limit. As the caller sees the table.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_appointments(uuid, timestamptz, timestamptz, uuid, integer)', 'EXECUTE');

-- crm: reminders

CREATE OR REPLACE FUNCTION platform.claim_due_reminders(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL, "limit" integer DEFAULT 100, lease interval DEFAULT '2 minutes')
RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz, appointment_id uuid, minutes_before integer, customer_name text, customer_phone text,
	customer_email text, start_time timestamptz, location text, attempt integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_claim_due_reminders';
COMMENT ON FUNCTION platform.claim_due_reminders(uuid, text, integer, interval) IS
	'Takes at most limit due reminders for the length of the lease; never waits, never shares one. organization_id NULL: the caller''s own, for an operator without one all. Members: their organization. Errors: 22004, 22023, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'claim_due_reminders(uuid, text, integer, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.finish_reminder(organization_id uuid, reminder_id uuid, lease_id uuid, sent boolean DEFAULT true, error text DEFAULT NULL, retry_in interval DEFAULT '1 minute') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_finish_reminder';
COMMENT ON FUNCTION platform.finish_reminder(uuid, uuid, uuid, boolean, text, interval) IS
	'What became of a claimed reminder: sent, or not, which puts it back, or fails it after five attempts. Returns its status; NULL when it is no longer the lease''s. Members: their organization. Errors: 22004, 22023, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'finish_reminder(uuid, uuid, uuid, boolean, text, interval)', 'EXECUTE');

-- crm: tracking

CREATE OR REPLACE FUNCTION platform.start_tracking(organization_id uuid, lead_id uuid DEFAULT NULL, appointment_id uuid DEFAULT NULL, customer_phone text DEFAULT NULL, eta_minutes integer DEFAULT NULL,
	ttl interval DEFAULT '8 hours', region text DEFAULT 'US', OUT id uuid, OUT token text, OUT update_key text, OUT expires_at timestamptz) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_tracking';
COMMENT ON FUNCTION platform.start_tracking(uuid, uuid, uuid, text, integer, interval, text) IS
	'Begins a session: token is for the customer, update_key for the device; both are returned this once, only their hashes are stored. Members: their organization. Errors: 22004, 22023, 42501, PT422, 23503, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'start_tracking(uuid, uuid, uuid, text, integer, interval, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.add_tracking_point(update_key text, lat double precision, lng double precision, eta_minutes integer DEFAULT NULL, recorded_at timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_tracking_point';
COMMENT ON FUNCTION platform.add_tracking_point(text, double precision, double precision, integer, timestamptz) IS
	'The device is there, in degrees; false, and nothing is stored, less than a second after the last point. Whoever has the key. Errors: 22004, 22023, PT404, PT409, PT410, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_tracking_point(text, double precision, double precision, integer, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.track(token text, OUT status text, OUT eta_minutes integer, OUT lat double precision, OUT lng double precision, OUT recorded_at timestamptz, OUT expires_at timestamptz) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_track';
COMMENT ON FUNCTION platform.track(text) IS
	'Where it is now; once the session is ended, only that it is. Whoever has the token. Errors: 22004, PT404, PT410.';
INSERT INTO platform.member_privileges VALUES ('function', 'track(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.tracking_path(token text, "limit" integer DEFAULT 300)
RETURNS TABLE (lat double precision, lng double precision, recorded_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_tracking_path';
COMMENT ON FUNCTION platform.tracking_path(text, integer) IS
	'The last points, at most limit (1 to 300), in the order of time; none once the session is ended. Whoever has the token. Errors: 22004, 22023, PT404, PT410.';
INSERT INTO platform.member_privileges VALUES ('function', 'tracking_path(text, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_tracking(organization_id uuid, session_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_tracking';
COMMENT ON FUNCTION platform.end_tracking(uuid, uuid) IS
	'Nobody sees it any more; false when that was so. Members: their organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_tracking(uuid, uuid)', 'EXECUTE');

-- crm: trigger functions

CREATE OR REPLACE FUNCTION platform.check_agent() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_agent';
COMMENT ON FUNCTION platform.check_agent() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of agents: numbers, how a status follows another, updated_at. Errors: PT409, PT422, 39P01.';

CREATE OR REPLACE FUNCTION platform.check_lead() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_lead';
COMMENT ON FUNCTION platform.check_lead() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of leads: the number, flagged_at, updated_at. Errors: PT422, 39P01.';

CREATE OR REPLACE FUNCTION platform.follow_lead() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_follow_lead';
COMMENT ON FUNCTION platform.follow_lead() IS
	'Trigger function, AFTER INSERT OR UPDATE FOR EACH ROW of leads: the events lead.created, lead.status_changed and lead.assigned. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_deal() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_deal';
COMMENT ON FUNCTION platform.check_deal() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of deals: how a status follows another, the amount, paid_at, updated_at. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.check_commission() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_commission';
COMMENT ON FUNCTION platform.check_commission() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of commissions: how a status follows another, what never changes, moments, updated_at. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.check_appointment() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_appointment';
COMMENT ON FUNCTION platform.check_appointment() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of appointments: the number, what is left out, how a status follows another, that the calendar is free, updated_at. Errors: PT409, PT422, 23P01, 39P01.';

CREATE OR REPLACE FUNCTION platform.follow_appointment() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_follow_appointment';
COMMENT ON FUNCTION platform.follow_appointment() IS
	'Trigger function, AFTER INSERT OR UPDATE FOR EACH ROW of appointments: history, reminders, events. Errors: 39P01.';

-- crm: what members read and write

INSERT INTO platform.member_privileges VALUES
	('table', 'agents', 'SELECT'),
	('table', 'agents', 'UPDATE (nickname, tone, transfer_number, schedule_summary, standard_fee, emergency_fee, post_call_sms_enabled, post_call_sms_template, post_call_sms_delay_seconds, confirmation_sms_enabled)'),
	('table', 'agent_deployments', 'SELECT'),
	('table', 'leads', 'SELECT'),
	('table', 'leads', 'INSERT (id, organization_id, user_id, owner_id, business_name, name, phone, email, status, tier_interest, metadata, summary, sentiment, service_address, issue_type)'),
	('table', 'leads', 'UPDATE (owner_id, business_name, name, phone, email, status, tier_interest, metadata, summary, sentiment, service_address, issue_type, flagged_for_review)'),
	('table', 'customers', 'SELECT'),
	('table', 'deals', 'SELECT'),
	('table', 'commissions', 'SELECT'),
	('table', 'appointments', 'SELECT'),
	('table', 'appointments', 'INSERT (id, organization_id, user_id, calendar_id, lead_id, customer_name, customer_phone, customer_email, start_time, end_time, duration_minutes, location, notes, reminder_enabled, reminder_minutes, reminder_offsets, eta_enabled, eta_minutes, status, job_value, issue_type, source, cal_booking_uid)'),
	('table', 'appointments', 'UPDATE (customer_name, customer_phone, customer_email, start_time, end_time, calendar_id, location, notes, reminder_enabled, reminder_minutes, reminder_offsets, eta_enabled, eta_minutes, eta_link, eta_last_sent_at, status, change_reason, job_value, issue_type)'),
	('table', 'appointment_changes', 'SELECT'),
	('table', 'appointment_reminders', 'SELECT'),
	('table', 'tracking_sessions', 'SELECT (id, organization_id, created_by, lead_id, appointment_id, customer_phone, status, eta_minutes, last_lat, last_lng, last_recorded_at, expires_at, created_at, updated_at)'),
	('table', 'tracking_points', 'SELECT');
