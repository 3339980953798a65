-- features: checks

CREATE OR REPLACE FUNCTION platform.is_feature_enabled(organization_id uuid, feature text, targeting_key text DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_is_feature_enabled';
COMMENT ON FUNCTION platform.is_feature_enabled(uuid, text, text) IS
	'Is the feature on for the organization? targeting_key places a percentage rollout (default: the organization''s id). False for NULL, for an unknown feature or organization, and for an organization that the caller may not act for. Sees what is committed now, whatever the isolation level.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_feature_enabled(uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.require_feature(organization_id uuid, feature text, targeting_key text DEFAULT NULL) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_require_feature';
COMMENT ON FUNCTION platform.require_feature(uuid, text, text) IS
	'Raises PT403 unless the feature is on for the organization, with the reason in DETAIL. Errors: PT403, PT404 unknown feature, 42501 another organization, 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'require_feature(uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.explain_feature(organization_id uuid, feature text, targeting_key text DEFAULT NULL,
	OUT enabled boolean, OUT reason text, OUT layer text, OUT variant text, OUT detail jsonb)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_explain_feature';
COMMENT ON FUNCTION platform.explain_feature(uuid, text, text) IS
	'The answer of is_feature_enabled() with its reason (FLAG_NOT_FOUND, KILLED, ORG_INACTIVE, PREREQUISITE_FAILED, ORG_OVERRIDE, PLAN, SPLIT, DEFAULT), the table or setting that decided, the variant, and details. Errors: 42501 another organization, 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'explain_feature(uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.feature_variant(organization_id uuid, feature text, targeting_key text DEFAULT NULL,
	OUT variant text, OUT payload jsonb)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_feature_variant';
COMMENT ON FUNCTION platform.feature_variant(uuid, text, text) IS
	'The variant of the feature that falls to the targeting key (default: the organization''s id), with its payload. Both NULL when the feature is off or has no variants, for NULL, and for an organization that the caller may not act for.';
INSERT INTO platform.member_privileges VALUES ('function', 'feature_variant(uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.organization_features(organization_id uuid)
RETURNS TABLE (feature text, enabled boolean, reason text, layer text, variant text, daily_limit bigint, monthly_limit bigint)
LANGUAGE c STABLE PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'platform_organization_features';
COMMENT ON FUNCTION platform.organization_features(uuid) IS
	'Every feature for one organization at one moment; limits are the effective ones, NULL for none. Errors: 42501 another organization, 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'organization_features(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.organizations_with_feature(feature text) RETURNS SETOF uuid
LANGUAGE c STABLE PARALLEL SAFE ROWS 1000 COST 1000
AS 'MODULE_PATHNAME', 'platform_organizations_with_feature';
COMMENT ON FUNCTION platform.organizations_with_feature(text) IS
	'The organizations for which the feature is on, in one pass; for a member only its own. No row for NULL or an unknown feature.';
INSERT INTO platform.member_privileges VALUES ('function', 'organizations_with_feature(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.feature_state_at(organization_id uuid, feature text, at timestamptz,
	OUT enabled boolean, OUT reason text, OUT layer text, OUT detail jsonb)
LANGUAGE c STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'platform_feature_state_at';
COMMENT ON FUNCTION platform.feature_state_at(uuid, text, timestamptz) IS
	'What explain_feature() would have answered at a moment, by the history of the tables; the setting platform.kill_switches has none. Errors: 42501 another organization, 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'feature_state_at(uuid, text, timestamptz)', 'EXECUTE');

-- features: writers

CREATE OR REPLACE FUNCTION platform.set_feature_flag(organization_id uuid, feature text, enabled boolean DEFAULT NULL, reason text DEFAULT NULL,
	daily_limit bigint DEFAULT NULL, monthly_limit bigint DEFAULT NULL, active_from timestamptz DEFAULT NULL, active_to timestamptz DEFAULT NULL,
	soft_percent smallint DEFAULT NULL, enforcement text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_feature_flag';
COMMENT ON FUNCTION platform.set_feature_flag(uuid, text, boolean, text, bigint, bigint, timestamptz, timestamptz, smallint, text) IS
	'Operators and platform staff set what the platform grants an organization (org_feature_flags); its administrators set its own row (tenant_feature_flags), which only narrows. NULL leaves a value, -1 removes a limit. Errors: PT422 a new platform row without enabled, PT404 unknown feature or organization, 42501, 22004, 23514.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_feature_flag(uuid, text, boolean, text, bigint, bigint, timestamptz, timestamptz, smallint, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.clear_feature_flag(organization_id uuid, feature text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clear_feature_flag';
COMMENT ON FUNCTION platform.clear_feature_flag(uuid, text) IS
	'Removes the row that set_feature_flag() by the same caller writes; false when there was none. Errors: 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'clear_feature_flag(uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_global_feature_flag(feature text, enabled boolean DEFAULT NULL, reason text DEFAULT NULL,
	default_enabled boolean DEFAULT NULL, rollout numeric DEFAULT NULL, kind text DEFAULT NULL, description text DEFAULT NULL,
	variants jsonb DEFAULT NULL, prerequisites text[] DEFAULT NULL, active_from timestamptz DEFAULT NULL, active_to timestamptz DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_global_feature_flag';
COMMENT ON FUNCTION platform.set_global_feature_flag(text, boolean, text, boolean, numeric, text, text, jsonb, text[], timestamptz, timestamptz) IS
	'Defines a feature or changes it; enabled = false is the kill switch; rollout in percent, -1 removes it. NULL leaves a value. Operators and platform staff. Errors: PT422 variants or prerequisites, 23514, 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_global_feature_flag(text, boolean, text, boolean, numeric, text, text, jsonb, text[], timestamptz, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_tier_feature(tier text, feature text, enabled boolean DEFAULT NULL, daily_limit bigint DEFAULT NULL, monthly_limit bigint DEFAULT NULL,
	soft_percent smallint DEFAULT NULL, enforcement text DEFAULT NULL, active_from timestamptz DEFAULT NULL, active_to timestamptz DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_tier_feature';
COMMENT ON FUNCTION platform.set_tier_feature(text, text, boolean, bigint, bigint, smallint, text, timestamptz, timestamptz) IS
	'What a plan includes. NULL leaves a value, -1 removes a limit. Operators and platform staff. Errors: PT404 unknown feature, 23514, 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_tier_feature(text, text, boolean, bigint, bigint, smallint, text, timestamptz, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.clear_tier_feature(tier text, feature text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clear_tier_feature';
COMMENT ON FUNCTION platform.clear_tier_feature(text, text) IS
	'Removes a plan''s row for a feature; false when there was none. Operators and platform staff. Errors: 42501, 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'clear_tier_feature(text, text)', 'EXECUTE');

-- features: triggers

CREATE OR REPLACE FUNCTION platform.check_feature_definition() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_feature_definition';
COMMENT ON FUNCTION platform.check_feature_definition() IS
	'Trigger function of global_feature_flags, BEFORE row: keeps disabled_at, disabled_by, salt and updated_at. Errors: PT422 variants.';

CREATE OR REPLACE FUNCTION platform.check_prerequisites() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_prerequisites';
COMMENT ON FUNCTION platform.check_prerequisites() IS
	'Trigger function of global_feature_flags, AFTER row: prerequisites exist and form no cycle. Errors: PT422; 23503 for a feature that another one or a row still names.';

CREATE OR REPLACE FUNCTION platform.check_feature_row() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_feature_row';
COMMENT ON FUNCTION platform.check_feature_row() IS
	'Trigger function of org_feature_flags, tenant_feature_flags and tier_features, BEFORE row: keeps disabled_at, disabled_by and updated_at.';

CREATE OR REPLACE FUNCTION platform.record_flag_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_flag_change';
COMMENT ON FUNCTION platform.record_flag_change() IS
	'Trigger function of the flag tables and organizations, AFTER row: invalidates every session''s flags, writes the history, notifies the channel platform_feature_flags.';

CREATE OR REPLACE FUNCTION platform.enforce_feature() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_enforce_feature';
COMMENT ON FUNCTION platform.enforce_feature() IS
	'Trigger function for any table with organization_id, BEFORE INSERT OR UPDATE row, arguments (feature[, column]): refuses a row whose organization does not have the feature; with a column only when it is true or not null. Errors: PT403; 22023, 42703, 39P01 when attached wrongly.';

-- features: what members may do with the tables (row security limits it to their organization)

INSERT INTO platform.member_privileges VALUES
	('table', 'org_feature_flags', 'SELECT'),
	('table', 'feature_credits', 'SELECT'),
	('table', 'tenant_feature_flags', 'SELECT'),
	('table', 'tenant_feature_flags', 'INSERT (organization_id, feature, enabled, disabled_reason, daily_limit, monthly_limit, active_from, active_to)'),
	('table', 'tenant_feature_flags', 'UPDATE (enabled, disabled_reason, daily_limit, monthly_limit, active_from, active_to)'),
	('table', 'tenant_feature_flags', 'DELETE');

-- features: rollout

CREATE OR REPLACE FUNCTION platform.murmur3(data bytea, seed bigint DEFAULT 0) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_murmur3';
COMMENT ON FUNCTION platform.murmur3(bytea, bigint) IS
	'MurmurHash3 x86_32 as an unsigned number. NULL for NULL. Errors: 22023 for a seed outside 0 .. 4294967295.';
INSERT INTO platform.member_privileges VALUES ('function', 'murmur3(bytea, bigint)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.rollout_bucket(salt text, key text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_rollout_bucket';
COMMENT ON FUNCTION platform.rollout_bucket(text, text) IS
	'The place of a key among the 100000 buckets of a rollout: on when it is less than round(percent * 1000). NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'rollout_bucket(text, text)', 'EXECUTE');

-- consumption

CREATE OR REPLACE FUNCTION platform.usage_period(unit text, at timestamptz DEFAULT pg_catalog.now(), timezone text DEFAULT 'UTC', anchor timestamptz DEFAULT NULL,
	OUT period_start timestamptz, OUT period_end timestamptz)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_usage_period';
COMMENT ON FUNCTION platform.usage_period(text, timestamptz, text, timestamptz) IS
	'The window [period_start, period_end) that contains a moment. Units: hour, day, week (from Monday), month, quarter, year, lifetime; in local time of the zone, whatever the setting TimeZone. With an anchor windows start at anchor + n units, clamped to the month''s last day. NULL for NULL. Errors: 22023 unit or time zone, 22008 out of range.';
INSERT INTO platform.member_privileges VALUES ('function', 'usage_period(text, timestamptz, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.increment_feature_usage(organization_id uuid, feature text, amount bigint DEFAULT 1)
RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_increment_feature_usage';
COMMENT ON FUNCTION platform.increment_feature_usage(uuid, text, bigint) IS
	'Counts amount units in the current day and month of the organization, all or nothing. False: the feature is off or a limit would be exceeded, and nothing was counted. Members: their own organization. Errors: 42501 another organization, 22023 a NULL or an amount below 1, 22003 out of range, 25006 read-only transaction.';
INSERT INTO platform.member_privileges VALUES ('function', 'increment_feature_usage(uuid, text, bigint)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.require_feature_usage(organization_id uuid, feature text, amount bigint DEFAULT 1)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_require_feature_usage';
COMMENT ON FUNCTION platform.require_feature_usage(uuid, text, bigint) IS
	'increment_feature_usage() that raises where that returns false: PT403 the feature is off, PT429 a limit would be exceeded.';
INSERT INTO platform.member_privileges VALUES ('function', 'require_feature_usage(uuid, text, bigint)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.consume_feature(organization_id uuid, feature text, amount bigint DEFAULT 1,
	idempotency_key text DEFAULT NULL, at_limit text DEFAULT 'reject', at timestamptz DEFAULT pg_catalog.now(),
	OUT allowed boolean, OUT consumed bigint, OUT reason text, OUT used bigint, OUT usage_limit bigint, OUT remaining bigint,
	OUT overage bigint, OUT state text, OUT period text, OUT resets_at timestamptz, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_consume_feature';
COMMENT ON FUNCTION platform.consume_feature(uuid, text, bigint, text, text, timestamptz) IS
	'Counts in the day and month of a moment and says how it stands, in the window with least left or the one that refused. at_limit: reject (all or nothing), cap (what fits), overflow (all; the excess is overage). With a key a repeated call returns the first answer with duplicate = true. Members: their own organization, today. Errors: 42501, 22023 bad argument, PT409 key used with another amount, 22003 out of range, 25006 read-only transaction.';
INSERT INTO platform.member_privileges VALUES ('function', 'consume_feature(uuid, text, bigint, text, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.consume_features(organization_id uuid, features text[], amounts bigint[] DEFAULT NULL,
	idempotency_key text DEFAULT NULL, at timestamptz DEFAULT pg_catalog.now())
RETURNS TABLE (feature text, allowed boolean, consumed bigint, reason text, used bigint, usage_limit bigint, remaining bigint,
	overage bigint, state text, period text, resets_at timestamptz, duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_consume_features';
COMMENT ON FUNCTION platform.consume_features(uuid, text[], bigint[], text, timestamptz) IS
	'consume_feature() for several features, all or nothing, a row a feature in the given order. amounts NULL: one of each. When one refuses the others have reason BATCH_REFUSED. Errors: as consume_feature(); 22023 also for arrays of different length, with nulls, or with a feature twice.';
INSERT INTO platform.member_privileges VALUES ('function', 'consume_features(uuid, text[], bigint[], text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.consume_feature_on_insert() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_consume_feature_on_insert';
COMMENT ON FUNCTION platform.consume_feature_on_insert() IS
	'Row trigger for INSERT on a table with organization_id. Arguments: feature [, amount column]. Counts each row, one unit or as many as the column says; raises PT403 when the feature is off, PT429 when a limit would be exceeded.';

CREATE OR REPLACE FUNCTION platform.refund_feature_usage(organization_id uuid, feature text, idempotency_key text, amount bigint DEFAULT NULL,
	refund_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT refunded bigint, OUT refundable bigint, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refund_feature_usage';
COMMENT ON FUNCTION platform.refund_feature_usage(uuid, text, text, bigint, text, text) IS
	'Takes back what was consumed or committed under the key, or amount of it, in the window where it was counted; NULL: all that is left. With refund_key a repeated call changes nothing. Operators. Errors: 42501, PT404 no such consumption, PT422 amount exceeds what is left, PT409 refund_key used for something else, 22023.';

CREATE OR REPLACE FUNCTION platform.reserve_feature(organization_id uuid, feature text, amount bigint DEFAULT 1, ttl interval DEFAULT '5 minutes',
	idempotency_key text DEFAULT NULL,
	OUT reservation_id uuid, OUT allowed boolean, OUT reason text, OUT expires_at timestamptz, OUT used bigint, OUT usage_limit bigint,
	OUT remaining bigint, OUT state text, OUT period text, OUT resets_at timestamptz, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reserve_feature';
COMMENT ON FUNCTION platform.reserve_feature(uuid, text, bigint, interval, text) IS
	'Holds amount units of the current day and month, all or nothing, until commit_feature(), release_feature() or expires_at (at most 31 days from now). With a key a repeated call returns the same reservation. Members: their own organization. Errors: 42501, 22023 bad argument, PT409 key used for something else, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reserve_feature(uuid, text, bigint, interval, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.commit_feature(organization_id uuid, reservation_id uuid, amount bigint DEFAULT NULL, at_limit text DEFAULT 'overflow',
	OUT allowed boolean, OUT consumed bigint, OUT reason text, OUT used bigint, OUT usage_limit bigint, OUT remaining bigint,
	OUT overage bigint, OUT state text, OUT period text, OUT resets_at timestamptz, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_commit_feature';
COMMENT ON FUNCTION platform.commit_feature(uuid, uuid, bigint, text) IS
	'Turns a reservation into consumption of amount units (NULL: what was reserved); the rest is free again, an excess is consumed as at_limit says. After expiry an ordinary consumption of today. A repeated call returns the first answer. Members: their own organization. Errors: 42501, 22023, PT404 no such reservation, PT409 released, or committed with another amount, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'commit_feature(uuid, uuid, bigint, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.release_feature(organization_id uuid, reservation_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_feature';
COMMENT ON FUNCTION platform.release_feature(uuid, uuid) IS
	'Gives a reservation''s units back. True when this call did; false when it was released or has expired before. Members: their own organization. Errors: 42501, 22023 NULL, PT404 no such reservation, PT409 it was committed, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'release_feature(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.sweep_feature_reservations(batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_sweep_feature_reservations';
COMMENT ON FUNCTION platform.sweep_feature_reservations(integer) IS
	'Settles reservations whose time is over, at most batch, and returns how many. Tidies only: no limit and no report counts expired ones. Operators. Errors: 42501, 22023 batch NULL or below 1.';

CREATE OR REPLACE FUNCTION platform.feature_usage_report(organization_id uuid)
RETURNS TABLE (feature text, period text, period_start timestamptz, period_end timestamptz, used bigint, usage_limit bigint, remaining bigint,
	reserved bigint, overage bigint, state text, enabled boolean, reason text)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_feature_usage_report';
COMMENT ON FUNCTION platform.feature_usage_report(uuid) IS
	'Two rows for each known feature: the current month and day in the organization''s local time. usage_limit and remaining are NULL without a limit; overage is kept by the month. Writes nothing. Members: their own organization. Errors: 42501, 22023 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'feature_usage_report(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.reconcile_feature_usage(preview boolean DEFAULT true, for_organization_id uuid DEFAULT NULL)
RETURNS TABLE (organization_id uuid, feature text, period_start timestamptz, used bigint, expected bigint, difference bigint, fixed boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reconcile_feature_usage';
COMMENT ON FUNCTION platform.reconcile_feature_usage(boolean, uuid) IS
	'A row for each counter that differs from its events, open reservations and usage without a key; preview false repairs them, each with an event of kind adjust. Operators. Errors: 42501.';

INSERT INTO platform.member_privileges VALUES
	('table', 'feature_usage', 'SELECT'),
	('table', 'feature_usage_events', 'SELECT'),
	('table', 'feature_reservations', 'SELECT'),
	('table', 'feature_usage_thresholds', 'SELECT');
