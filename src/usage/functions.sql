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
	'Records how many seconds a call lasted that ended at that moment (NULL: now), whatever the limit. The same again counts nothing, another length the difference, in the call''s own period. event_id: the provider''s report, counted once. Operators. Errors: 42501, 22004, 22023, PT404 no such organization or user, PT409 another user''s call, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.record_sms_usage(organization_id uuid, user_id uuid, message_id text, segments bigint DEFAULT 1, at timestamptz DEFAULT NULL,
	direction text DEFAULT NULL, phone_number text DEFAULT NULL, agent_id text DEFAULT NULL, cost_cents bigint DEFAULT NULL, event_id text DEFAULT NULL,
	OUT id uuid, OUT duplicate boolean, OUT difference bigint, OUT late boolean, OUT used_segments bigint, OUT remaining_segments bigint,
	OUT limit_state text, OUT hard_stop_active boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_sms_usage';
COMMENT ON FUNCTION platform.record_sms_usage(uuid, uuid, text, bigint, timestamptz, text, text, text, bigint, text) IS
	'Records the segments of a message, whatever the limit. The same again counts nothing, another number the difference, in the message''s own period. event_id: the provider''s report, counted once. Operators. Errors: 42501, 22004, 22023, PT404 no such organization or user, PT409 another user''s message, 22003, 25006.';

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
