-- features

-- consumption

CREATE OR REPLACE FUNCTION platform.usage_period(unit text, at timestamptz DEFAULT pg_catalog.now(), timezone text DEFAULT 'UTC', anchor timestamptz DEFAULT NULL,
	OUT period_start timestamptz, OUT period_end timestamptz)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_usage_period';
COMMENT ON FUNCTION platform.usage_period(text, timestamptz, text, timestamptz) IS
	'The window [period_start, period_end) that contains a moment. Units: hour, day, week (from Monday), month, quarter, year, lifetime; in local time of the zone, whatever the setting TimeZone. With an anchor windows start at anchor + n units, clamped to the month''s last day. NULL for NULL. Errors: 22023 unit or time zone, 22008 out of range.';
INSERT INTO platform.member_privileges VALUES ('function', 'usage_period(text, timestamptz, text, timestamptz)', 'EXECUTE');
