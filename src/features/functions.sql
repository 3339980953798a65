-- features

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
