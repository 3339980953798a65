-- usage: triggers

CREATE OR REPLACE FUNCTION platform.record_tier_snapshot() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_tier_snapshot';
COMMENT ON FUNCTION platform.record_tier_snapshot() IS
	'Trigger function, AFTER INSERT OR DELETE OR UPDATE FOR EACH ROW of usage_tiers: writes a version when the terms change. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_tier_snapshot() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_tier_snapshot';
COMMENT ON FUNCTION platform.check_tier_snapshot() IS
	'Trigger function, BEFORE DELETE OR UPDATE FOR EACH ROW of tier_snapshots: refuses all but setting the end, once. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.keep_usage_limits() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_keep_usage_limits';
COMMENT ON FUNCTION platform.keep_usage_limits() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of usage_limits: states and stops are what the numbers say. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.record_usage_period() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_usage_period';
COMMENT ON FUNCTION platform.record_usage_period() IS
	'Trigger function, AFTER INSERT FOR EACH ROW of usage_limits: the row of the first period. Errors: 39P01.';

-- usage: recording

CREATE OR REPLACE FUNCTION platform.record_call_usage(organization_id uuid, user_id uuid, call_id text, seconds bigint, at timestamptz DEFAULT NULL,
	direction text DEFAULT NULL, phone_number text DEFAULT NULL, agent_id text DEFAULT NULL, cost_cents bigint DEFAULT NULL, event_id text DEFAULT NULL,
	OUT id uuid, OUT duplicate boolean, OUT difference bigint, OUT late boolean, OUT used_seconds bigint, OUT remaining_seconds bigint,
	OUT limit_state text, OUT hard_stop_active boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_call_usage';
COMMENT ON FUNCTION platform.record_call_usage(uuid, uuid, text, bigint, timestamptz, text, text, text, bigint, text) IS
	'Records how many seconds a call lasted that ended at that moment (NULL: now), whatever the limit. The same again counts nothing, another length the difference, in the call''s own period. event_id: the provider''s report, counted once. Operators. Errors: 42501, 22004, 22023, PT404 no such organization or user, PT409 another user''s call, 23505 event_id was another call''s, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.record_sms_usage(organization_id uuid, user_id uuid, message_id text, segments bigint DEFAULT 1, at timestamptz DEFAULT NULL,
	direction text DEFAULT NULL, phone_number text DEFAULT NULL, agent_id text DEFAULT NULL, cost_cents bigint DEFAULT NULL, event_id text DEFAULT NULL,
	OUT id uuid, OUT duplicate boolean, OUT difference bigint, OUT late boolean, OUT used_segments bigint, OUT remaining_segments bigint,
	OUT limit_state text, OUT hard_stop_active boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_sms_usage';
COMMENT ON FUNCTION platform.record_sms_usage(uuid, uuid, text, bigint, timestamptz, text, text, text, bigint, text) IS
	'Records the segments of a message, whatever the limit. The same again counts nothing, another number the difference, in the message''s own period. event_id: the provider''s report, counted once. Operators. Errors: 42501, 22004, 22023, PT404 no such organization or user, PT409 another user''s message, 23505 event_id was another message''s, 22003, 25006.';

-- usage: asking

CREATE OR REPLACE FUNCTION platform.check_usage(organization_id uuid, user_id uuid,
	OUT allowed boolean, OUT reason text, OUT limit_state text, OUT remaining_seconds bigint, OUT remaining_sms bigint, OUT resets_at timestamptz,
	OUT sms_allowed boolean, OUT sms_reason text, OUT sms_limit_state text, OUT used_seconds bigint, OUT limit_seconds bigint,
	OUT used_sms bigint, OUT limit_sms bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_check_usage';
COMMENT ON FUNCTION platform.check_usage(uuid, uuid) IS
	'May the customer call (allowed) and send (sms_allowed), why, and what is left until resets_at. Reasons: OK, FORCED, OVERAGE; HARD_STOP, PAUSED, NO_PLAN, PLAN_ENDED. Limits are cap + credit + rollover + grace. Writes nothing. Members: themselves; administrators: their organization. Errors: 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_usage(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.require_usage(organization_id uuid, user_id uuid, kind text DEFAULT 'call', amount bigint DEFAULT 1) RETURNS void
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_require_usage';
COMMENT ON FUNCTION platform.require_usage(uuid, uuid, text, bigint) IS
	'Raises unless the customer may use so many seconds of calls (call) or segments of messages (sms) more. Writes nothing. Members: themselves; administrators: their organization. Errors: PT429 the limit is reached; PT402 no plan, its end, paused by an operator; 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'require_usage(uuid, uuid, text, bigint)', 'EXECUTE');

INSERT INTO platform.member_privileges VALUES
	('table', 'usage_tiers', 'SELECT'),
	('table', 'tier_snapshots', 'SELECT'),
	('table', 'usage_limits', 'SELECT'),
	('table', 'usage_periods', 'SELECT'),
	('table', 'usage_tier_changes', 'SELECT'),
	('table', 'call_events', 'SELECT'),
	('table', 'sms_events', 'SELECT'),
	('table', 'usage_calls', 'SELECT'),
	('table', 'usage_sms', 'SELECT'),
	('table', 'usage_overview', 'SELECT'),
	('table', 'usage_alerts', 'SELECT'),
	('table', 'usage_snapshots', 'SELECT'),
	('table', 'subscriptions', 'SELECT'),
	('table', 'usage_top_up_packages', 'SELECT'),
	('table', 'usage_top_ups', 'SELECT'),
	('table', 'user_premium_features', 'SELECT'),
	('table', 'premium_features', 'SELECT');

-- usage: plans

CREATE OR REPLACE FUNCTION platform.apply_tier(organization_id uuid, user_id uuid, tier text, prorate boolean DEFAULT false, starts_at timestamptz DEFAULT NULL,
	OUT changed boolean, OUT current_tier text, OUT call_cap_seconds bigint, OUT sms_cap bigint, OUT period_start timestamptz, OUT period_end timestamptz, OUT limit_state text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_apply_tier';
COMMENT ON FUNCTION platform.apply_tier(uuid, uuid, text, boolean, timestamptz) IS
	'Gives a customer a tier, by name or alias: its caps and present prices at once, with prorate in proportion to what is left of the period; never less than was used. Who has no plan begins a period, a new customer''s may begin in the past. That tier again changes nothing. Operators. Errors: 42501, 22004, 22023, PT404 no such tier, organization or user, 25006.';

CREATE OR REPLACE FUNCTION platform.roll_usage_periods(batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_roll_usage_periods';
COMMENT ON FUNCTION platform.roll_usage_periods(integer) IS
	'Rolls the periods of at most batch customers whose period is over; returns how many. For customers who use nothing: others do it as they go. Operators. Errors: 42501, 22004, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.apply_top_up(organization_id uuid, user_id uuid, package text, payment_id text, provider text DEFAULT 'stripe',
	OUT duplicate boolean, OUT call_seconds bigint, OUT sms_segments bigint, OUT call_credit bigint, OUT sms_credit bigint,
	OUT limit_state text, OUT sms_limit_state text, OUT remaining_seconds bigint, OUT remaining_sms bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_apply_top_up';
COMMENT ON FUNCTION platform.apply_top_up(uuid, uuid, text, text, text) IS
	'Credits a payment for a package of usage_top_up_packages, once: announced again it credits nothing. What is bought stays until it is used. Operators. Errors: 42501, 22004, 22023, PT404 no such package, organization or user, PT409 the payment was credited for something else, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.apply_subscription_event(organization_id uuid, user_id uuid, event jsonb,
	OUT applied boolean, OUT reason text, OUT status text, OUT current_tier text, OUT plan_status text, OUT period_start timestamptz, OUT period_end timestamptz)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_apply_subscription_event';
COMMENT ON FUNCTION platform.apply_subscription_event(uuid, uuid, jsonb) IS
	'Applies an event of Stripe, customer.subscription.created, .updated or .deleted: tier, period, cancellation. The newest by its time counts: others are STALE, DUPLICATE or IGNORED. Operators. Errors: 42501, 22004, 22023 malformed, PT404 no such organization or user, PT409 another customer''s subscription, PT422 no such tier, 25006.';

CREATE OR REPLACE FUNCTION platform.force_pause(organization_id uuid, user_id uuid, reason text, until timestamptz) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_force_pause';
COMMENT ON FUNCTION platform.force_pause(uuid, uuid, text, timestamptz) IS
	'Stops a customer''s calls and messages until a moment (infinity: until clear_force()), whatever the limit. Replaces force_resume(). Operators. Errors: 42501, 22004, 22023 until is past, PT404 no limits, 25006.';

CREATE OR REPLACE FUNCTION platform.force_resume(organization_id uuid, user_id uuid, reason text, until timestamptz) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_force_resume';
COMMENT ON FUNCTION platform.force_resume(uuid, uuid, text, timestamptz) IS
	'Lets a customer go on until a moment, whatever the limit. Replaces force_pause(). Operators. Errors: 42501, 22004, 22023 until is past, PT404 no limits, 25006.';

CREATE OR REPLACE FUNCTION platform.clear_force(organization_id uuid, user_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clear_force';
COMMENT ON FUNCTION platform.clear_force(uuid, uuid) IS
	'Ends what force_pause() or force_resume() began; false when there was nothing. Operators. Errors: 42501, 22004, 25006.';

-- usage: segments set aside

CREATE OR REPLACE FUNCTION platform.reserve_sms(organization_id uuid, user_id uuid, segments bigint DEFAULT 1, ttl interval DEFAULT '5 minutes', idempotency_key text DEFAULT NULL,
	OUT reservation_id uuid, OUT allowed boolean, OUT reason text, OUT remaining_sms bigint, OUT expires_at timestamptz, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reserve_sms';
COMMENT ON FUNCTION platform.reserve_sms(uuid, uuid, bigint, interval, text) IS
	'Sets segments aside for a message, all or none, until commit_sms(), release_sms() or expires_at. Refused, nothing is counted; reasons as in check_usage(). With a key the same reservation is returned again, refused as RELEASED or EXPIRED when it is. Operators. Errors: 42501, 22004, 22023, PT404 no such organization or user, PT409 key used for something else, 25006.';

CREATE OR REPLACE FUNCTION platform.commit_sms(organization_id uuid, reservation_id uuid, message_id text, segments bigint DEFAULT NULL, phone_number text DEFAULT NULL, cost_cents bigint DEFAULT NULL,
	OUT id uuid, OUT duplicate boolean, OUT used_segments bigint, OUT remaining_segments bigint, OUT limit_state text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_commit_sms';
COMMENT ON FUNCTION platform.commit_sms(uuid, uuid, text, bigint, text, bigint) IS
	'Records the message for which segments were set aside, as so many (NULL: all of those), and frees them; also when their time is over. It can be repeated. Operators. Errors: 42501, 22004, 22023, PT404 no such reservation, PT409 released or committed for another message, 25006.';

CREATE OR REPLACE FUNCTION platform.release_sms(organization_id uuid, reservation_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_sms';
COMMENT ON FUNCTION platform.release_sms(uuid, uuid) IS
	'Frees segments that were set aside; false when they were free before. Operators. Errors: 42501, 22004, PT404 no such reservation, PT409 committed, 25006.';

-- usage: add-ons

CREATE OR REPLACE FUNCTION platform.add_premium_feature(organization_id uuid, user_id uuid, feature text, starts_at timestamptz DEFAULT NULL, ends_at timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_premium_feature';
COMMENT ON FUNCTION platform.add_premium_feature(uuid, uuid, text, timestamptz, timestamptz) IS
	'Gives an add-on of premium_features at its present price, from a moment (NULL: now) until another (NULL: until it is ended); false when the customer has it. Operators. Errors: 42501, 22004, 22023, PT404 no such add-on, organization or user, 25006.';

CREATE OR REPLACE FUNCTION platform.end_premium_feature(organization_id uuid, user_id uuid, feature text, at timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_premium_feature';
COMMENT ON FUNCTION platform.end_premium_feature(uuid, uuid, text, timestamptz) IS
	'Ends an add-on at a moment (NULL: now); false when the customer has none without an end. Operators. Errors: 42501, 22004, 25006.';

CREATE OR REPLACE FUNCTION platform.has_premium_feature(organization_id uuid, user_id uuid, feature text, at timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_has_premium_feature';
COMMENT ON FUNCTION platform.has_premium_feature(uuid, uuid, text, timestamptz) IS
	'Has the customer the add-on at a moment (NULL: now)? Never NULL. Members: themselves; administrators: their organization. Errors: 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'has_premium_feature(uuid, uuid, text, timestamptz)', 'EXECUTE');

-- usage: snapshots

CREATE OR REPLACE FUNCTION platform.snapshot_usage(source text DEFAULT 'scheduled', for_organization_id uuid DEFAULT NULL) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH snapshot AS (
	INSERT INTO platform.usage_snapshots (organization_id, user_id, source, minutes_used, cap_minutes, remaining_minutes)
	SELECT l.organization_id, l.user_id, snapshot_usage.source,
		(u.used_seconds OPERATOR(pg_catalog.+) 59) OPERATOR(pg_catalog./) 60,
		(u.limit_seconds OPERATOR(pg_catalog.+) 59) OPERATOR(pg_catalog./) 60,
		(u.remaining_seconds OPERATOR(pg_catalog.+) 59) OPERATOR(pg_catalog./) 60
	FROM platform.usage_limits AS l
	CROSS JOIN LATERAL platform.check_usage(l.organization_id, l.user_id) AS u
	WHERE snapshot_usage.for_organization_id IS NULL OR l.organization_id OPERATOR(pg_catalog.=) snapshot_usage.for_organization_id
	RETURNING 1)
SELECT pg_catalog.count(*) FROM snapshot
$$;
COMMENT ON FUNCTION platform.snapshot_usage(text, uuid) IS
	'A row of usage_snapshots for each customer (of one organization; NULL: of all): minutes used, of the limit, and left, rounded up; returns how many. Operators. Errors: 23514 source is empty or too long, 23502 NULL.';
