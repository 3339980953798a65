-- messaging: what a message says and takes

CREATE OR REPLACE FUNCTION platform.classify_sms_keyword(body text, OUT keyword text, OUT confidence numeric)
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_classify_sms_keyword';
COMMENT ON FUNCTION platform.classify_sms_keyword(text) IS
	'Is the message a command? OPT_OUT, OPT_IN, HELP, CONFIRM, DECLINE, RESCHEDULE, COLLISION_CHOICE (one digit), or NULL; by the words of sms_keywords. confidence: 1.00 the message is the word, 0.95 but for fillers or repeated, 0.90 one of its sentences is, 0.70 it contains it. NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'classify_sms_keyword(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.sms_segments(body text, OUT segments integer, OUT encoding text, OUT units integer)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sms_segments';
COMMENT ON FUNCTION platform.sms_segments(text) IS
	'How a message is sent and billed: GSM-7 (160 septets, 153 in each of several segments) or UCS-2 (70 or 67 units). NULL for NULL; an empty body takes none. By 3GPP TS 23.038.';
INSERT INTO platform.member_privileges VALUES ('function', 'sms_segments(text)', 'EXECUTE');

-- messaging: in

CREATE OR REPLACE FUNCTION platform.receive_sms(from_number text, to_number text, body text, provider_message_id text, received_at timestamptz DEFAULT NULL, region text DEFAULT 'US',
	OUT route text, OUT method text, OUT organization_id uuid, OUT message_id uuid, OUT keyword text, OUT auto_reply text, OUT duplicate boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_receive_sms';
COMMENT ON FUNCTION platform.receive_sms(text, text, text, text, timestamptz, text) IS
	'A message that a provider delivered, once for each provider_message_id; again it returns what became of it. route: organization, ask, keyword, rate_limited or unknown; auto_reply is what to answer, NULL for nothing. Opting out comes before limits and routing. Operators. Errors: 22004, 22023, 42501, PT422, 25006; above READ COMMITTED also 40001.';

-- messaging: opting out

CREATE OR REPLACE FUNCTION platform.opt_out_phone(organization_id uuid, phone text, channel text DEFAULT 'manual', everywhere boolean DEFAULT false, region text DEFAULT 'US') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_opt_out_phone';
COMMENT ON FUNCTION platform.opt_out_phone(uuid, text, text, boolean, text) IS
	'The number gets no more messages from the organization, or (operators) from anybody; what is queued is canceled. channel: sms, email, call, manual. False when it was opted out before. Members: their organization. Errors: 22004, 22023, 42501, PT422, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'opt_out_phone(uuid, text, text, boolean, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.opt_in_phone(organization_id uuid, phone text, channel text DEFAULT 'manual', everywhere boolean DEFAULT false, region text DEFAULT 'US') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_opt_in_phone';
COMMENT ON FUNCTION platform.opt_in_phone(uuid, text, text, boolean, text) IS
	'Takes the organization''s opt-out of the number back, or (operators) the global one noted under it; false when there is none. What was said by SMS only an operator or the customer takes back. Members: their organization. Errors: 22004, 22023, 42501, PT403, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'opt_in_phone(uuid, text, text, boolean, text)', 'EXECUTE');

-- messaging: out

CREATE OR REPLACE FUNCTION platform.may_send_sms(organization_id uuid, phone text, source text, segments integer DEFAULT 1, at timestamptz DEFAULT NULL, timezone text DEFAULT NULL, region text DEFAULT 'US',
	OUT allowed boolean, OUT reason text, OUT due_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_may_send_sms';
COMMENT ON FUNCTION platform.may_send_sms(uuid, text, text, integer, timestamptz, text, text) IS
	'Would send_sms() take such a message? When not, reason says why; in quiet hours it is allowed, reason is QUIET_HOURS and due_at when they end. Writes nothing. Members: their organization. Errors: 22004, 22023, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'may_send_sms(uuid, text, text, integer, timestamptz, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.send_sms(organization_id uuid, to_number text, body text, source text, idempotency_key text DEFAULT NULL, send_after timestamptz DEFAULT NULL,
	timezone text DEFAULT NULL, from_number text DEFAULT NULL, user_id uuid DEFAULT NULL, lead_id uuid DEFAULT NULL, region text DEFAULT 'US',
	OUT id uuid, OUT status text, OUT reason text, OUT segments integer, OUT due_at timestamptz, OUT created boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_send_sms';
COMMENT ON FUNCTION platform.send_sms(uuid, text, text, text, text, timestamptz, text, text, uuid, uuid, text) IS
	'Queues a message, or refuses it: then status is refused, reason says why, and nothing was counted. A key that was used before returns that message. Quiet hours are the customer''s time zone''s (NULL: the organization''s). Members: their organization. Errors: 22004, 22023, 42501, PT404, PT409 the key was used for another message, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'send_sms(uuid, text, text, text, text, timestamptz, text, text, uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.claim_sms(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL, "limit" integer DEFAULT 10, lease interval DEFAULT '1 minute') RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz, from_number text, to_number text, body text, segments integer,
	source text, attempt integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_claim_sms';
COMMENT ON FUNCTION platform.claim_sms(uuid, text, integer, interval) IS
	'Takes at most limit due messages for the length of the lease; never waits, never shares a message, none to who opted out. organization_id NULL: the caller''s own, for an operator without one all. Members: their organization. Errors: 22004, 22023, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'claim_sms(uuid, text, integer, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.complete_sms(organization_id uuid, sms_id uuid, lease_id uuid, result text DEFAULT 'sent', provider_message_id text DEFAULT NULL, error text DEFAULT NULL,
	retry_in interval DEFAULT '1 minute') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_complete_sms';
COMMENT ON FUNCTION platform.complete_sms(uuid, uuid, uuid, text, text, text, interval) IS
	'What became of a claimed message: sent, failed, or retry, which fails it after its last attempt. Returns the status; NULL, without effect, when the message is no longer the lease''s. Members: their organization. Errors: 22004, 22023, 42501, 23505, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'complete_sms(uuid, uuid, uuid, text, text, text, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.record_sms_status(provider_message_id text, status text, error text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_sms_status';
COMMENT ON FUNCTION platform.record_sms_status(text, text, text) IS
	'What the provider reports of a message that was sent, in any order: delivered, failed, undelivered; others change nothing. Returns the message''s status; NULL when there is none with that key. Operators. Errors: 22004, 22023, 42501, 25006.';

CREATE OR REPLACE FUNCTION platform.cancel_sms(organization_id uuid, sms_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cancel_sms';
COMMENT ON FUNCTION platform.cancel_sms(uuid, uuid) IS
	'The message is not to be sent; its quota is free again. False when it is on its way or over. Members: their organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'cancel_sms(uuid, uuid)', 'EXECUTE');

-- messaging: texts, and messages for later

CREATE OR REPLACE FUNCTION platform.set_sms_template(organization_id uuid, kind text, body text, language text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_sms_template';
COMMENT ON FUNCTION platform.set_sms_template(uuid, text, text, text) IS
	'The organization''s own text in a language (NULL: its own): post_call, review_request, appointment_reminder, opt_out, opt_in, help, reschedule, chosen, opt_in_elsewhere, rate_limit; of the default organization the platform''s, also shared_opt_in, shared_help, unknown, ask. body NULL: the built-in one again. Returns the text in effect. Administrators of the organization. Errors: 22004, 22023, 42501, PT404, PT422 unknown variable, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_sms_template(uuid, text, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.render_sms_template(organization_id uuid, kind text, variables jsonb DEFAULT '{}', language text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_render_sms_template';
COMMENT ON FUNCTION platform.render_sms_template(uuid, text, jsonb, text) IS
	'The organization''s text in a language (NULL: its own; English where there is none) with {business}, {customer_name}, {review_link}, {phone} and {time} put in. Members: their organization. Errors: 22004, 22023, 42501, PT404.';
INSERT INTO platform.member_privileges VALUES ('function', 'render_sms_template(uuid, text, jsonb, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.schedule_sms(organization_id uuid, automation_type text, to_number text, body text DEFAULT NULL, variables jsonb DEFAULT '{}', delay interval DEFAULT NULL,
	dedup_key text DEFAULT NULL, timezone text DEFAULT NULL, lead_id uuid DEFAULT NULL, appointment_id uuid DEFAULT NULL, call_id uuid DEFAULT NULL,
	region text DEFAULT 'US', language text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_schedule_sms';
COMMENT ON FUNCTION platform.schedule_sms(uuid, text, text, text, jsonb, interval, text, text, uuid, uuid, uuid, text, text) IS
	'A message for later: post_call (after 60 s), review_request (a day), appointment_reminder (at once), unless delay says otherwise. body NULL: the organization''s text, in a language (NULL: its own), with the variables put in. One for each dedup_key, call, appointment or lead. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT422, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'schedule_sms(uuid, text, text, text, jsonb, interval, text, text, uuid, uuid, uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.cancel_scheduled_sms(organization_id uuid, automation_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cancel_scheduled_sms';
COMMENT ON FUNCTION platform.cancel_scheduled_sms(uuid, uuid) IS
	'It will not be sent. False when it is no longer pending. Members: their organization. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'cancel_scheduled_sms(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.run_sms_automation("limit" integer DEFAULT 100, OUT queued integer, OUT skipped integer, OUT postponed integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_run_sms_automation';
COMMENT ON FUNCTION platform.run_sms_automation(integer) IS
	'Queues what was scheduled and is due; what is refused is skipped with the reason, but for a full minute or sending switched off, which it waits for. From any number of sessions. Operators. Errors: 22004, 22023, 42501, 25006.';

-- messaging: listings

CREATE OR REPLACE FUNCTION platform.list_sms_threads(organization_id uuid, max_rows integer DEFAULT 100, before timestamptz DEFAULT NULL) RETURNS TABLE (phone text, last_at timestamptz, last_direction text, last_body text, messages bigint, unanswered boolean, opted_out boolean)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT t.thread_id, t.created_at, t.direction, t.body, t.messages, t.direction = 'inbound' AND NOT t.auto_handled,
	EXISTS (SELECT FROM platform.sms_opt_out o WHERE o.organization_id = list_sms_threads.organization_id AND o.phone = t.thread_id)
FROM (SELECT DISTINCT ON (m.thread_id) m.thread_id, m.created_at, m.direction, m.body, m.auto_handled,
		pg_catalog.count(*) OVER (PARTITION BY m.thread_id) AS messages
	FROM platform.messages m
	WHERE m.organization_id = list_sms_threads.organization_id
	ORDER BY m.thread_id, m.created_at DESC, m.id DESC) AS t
WHERE before IS NULL OR t.created_at < before
ORDER BY t.created_at DESC, t.thread_id
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.list_sms_threads(uuid, integer, timestamptz) IS
	'The organization''s conversations, the one with the newest message first; before: those whose newest is older. unanswered: the newest is the customer''s, and no command. Members: their organization.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_sms_threads(uuid, integer, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.sms_thread(organization_id uuid, phone text, max_rows integer DEFAULT 100, before timestamptz DEFAULT NULL) RETURNS TABLE (message_id uuid, created_at timestamptz, direction text, body text, status text, source text, keyword text, auto_handled boolean)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT m.id, m.created_at, m.direction, m.body, m.status, m.source, m.keyword_detected, m.auto_handled
FROM platform.messages m
WHERE m.organization_id = sms_thread.organization_id AND m.thread_id = phone
	AND (before IS NULL OR m.created_at < before)
ORDER BY m.created_at DESC, m.id DESC
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.sms_thread(uuid, text, integer, timestamptz) IS
	'A conversation, its newest messages first; phone as in E.164. Members: their organization.';
INSERT INTO platform.member_privileges VALUES ('function', 'sms_thread(uuid, text, integer, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.purge_sms_counters(before timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH throttle AS (
	DELETE FROM platform.sms_outbound_throttle
	WHERE window_minute < coalesce(before, pg_catalog.now() - interval '2 days') AND window_minute < pg_catalog.now() - interval '1 minute' RETURNING 1
), limits AS (
	DELETE FROM platform.sms_inbound_rate_limits
	WHERE window_date < (coalesce(before, pg_catalog.now() - interval '2 days') AT TIME ZONE 'UTC')::date AND coalesce(blocked_until, '-infinity') < pg_catalog.now() RETURNING 1
), locks AS (
	DELETE FROM platform.sms_thread_locks
	WHERE locked_until < coalesce(before, pg_catalog.now() - interval '2 days') AND locked_until < pg_catalog.now() RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM throttle) + (SELECT pg_catalog.count(*) FROM limits) + (SELECT pg_catalog.count(*) FROM locks)
$$;
COMMENT ON FUNCTION platform.purge_sms_counters(timestamptz) IS
	'Forgets counters of minutes and days, and thread locks, that are over: those older than before (NULL: two days). Returns how many rows. Operators.';

-- messaging: trigger

CREATE OR REPLACE FUNCTION platform.check_sms_settings() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_sms_settings';
COMMENT ON FUNCTION platform.check_sms_settings() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of sms_settings: the time zone exists; updated_at. Errors: 22023; 39P01.';

-- messaging: what members read and write

INSERT INTO platform.member_privileges VALUES
	('table', 'sms_numbers', 'SELECT'),
	('table', 'messages', 'SELECT'),
	('table', 'sms_opt_out', 'SELECT'),
	('table', 'sms_opt_outs', 'SELECT'),
	('table', 'opt_out_requests', 'SELECT'),
	('table', 'sms_sources', 'SELECT'),
	('table', 'sms_keywords', 'SELECT'),
	('table', 'sms_templates', 'SELECT'),
	('table', 'sms_settings', 'SELECT'),
	('table', 'sms_settings', 'INSERT (organization_id, sending_enabled, quiet_from, quiet_until, timezone, help_phone)'),
	('table', 'sms_settings', 'UPDATE (sending_enabled, quiet_from, quiet_until, timezone, help_phone)'),
	('table', 'outbound_sms_log', 'SELECT'),
	('table', 'sms_automation_log', 'SELECT');
