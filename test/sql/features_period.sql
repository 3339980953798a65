-- usage_period: month ends, leap years, daylight saving in five zones, anchors; independent of TimeZone.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
-- every unit, calendar
SELECT unit, p.* FROM (VALUES ('hour'), ('day'), ('week'), ('month'), ('quarter'), ('year'), ('lifetime')) AS u (unit),
	platform.usage_period(unit, '2024-02-29 13:45:10.5+00') AS p;
-- an hour in a zone of half hours
SELECT * FROM platform.usage_period('hour', '2024-02-29 13:45+00', 'Asia/Kolkata');
-- anchored: the 31st is clamped to the month's end and comes back
SELECT at, p.* FROM (VALUES ('2024-01-31 12:00+00'), ('2024-02-28 23:59+00'), ('2024-02-29 00:00+00'), ('2024-03-30 23:59+00'), ('2024-03-31 00:00+00'), ('2023-02-28 12:00+00'), ('2023-02-27 12:00+00')) AS a (at),
	platform.usage_period('month', at::timestamptz, 'UTC', '2024-01-31 00:00+00') AS p;
-- a birthday on February 29
SELECT at, p.* FROM (VALUES ('2025-02-27 12:00+00'), ('2025-02-28 12:00+00'), ('2028-02-28 12:00+00'), ('2028-02-29 12:00+00')) AS a (at),
	platform.usage_period('year', at::timestamptz, 'UTC', '2024-02-29 00:00+00') AS p;
-- anchored with a time of day, before and after the anchor; quarters, weeks, hours, lifetime
SELECT unit, at, p.* FROM (VALUES
	('day', '2024-03-01 08:59+00'), ('day', '2024-03-01 09:00+00'), ('week', '2024-02-20 12:00+00'), ('quarter', '2024-05-14 12:00+00'),
	('hour', '2024-02-15 09:29:59+00'), ('lifetime', '2024-02-15 09:29+00'), ('lifetime', '2024-02-15 09:30+00')) AS a (unit, at),
	platform.usage_period(unit, at::timestamptz, 'UTC', CASE WHEN unit = 'day' THEN '2024-02-15 09:00+00' ELSE '2024-02-15 09:30+00' END::timestamptz) AS p;
-- days of 23, 25, 23.5 and 24.5 hours, a midnight that is skipped, one that comes twice, a date that never was
SELECT zone, at, p.*, p.period_end - p.period_start AS length FROM (VALUES
	('America/New_York', '2024-03-10 12:00+00'), ('America/New_York', '2024-11-03 12:00+00'),
	('Europe/Berlin', '2024-03-31 12:00+00'), ('Europe/Berlin', '2024-10-27 12:00+00'),
	('Australia/Lord_Howe', '2024-10-06 00:00+00'), ('Australia/Lord_Howe', '2024-04-07 00:00+00'),
	('America/Sao_Paulo', '2018-11-04 12:00+00'), ('America/Sao_Paulo', '2018-02-17 12:00+00'),
	('America/Havana', '2024-11-03 04:30+00'), ('America/Havana', '2024-11-03 05:30+00'), ('America/Havana', '2024-03-10 12:00+00'),
	('Pacific/Apia', '2011-12-30 09:59+00'), ('Pacific/Apia', '2011-12-30 10:00+00')) AS a (zone, at),
	platform.usage_period('day', at::timestamptz, zone) AS p;
-- the month of a daylight saving change, in local time
SELECT p.*, p.period_end - p.period_start AS length FROM platform.usage_period('month', '2024-03-20 00:00+00', 'Europe/Berlin') AS p;
-- windows cover time without gap or overlap, 10 minutes apart around changes of the clock
SELECT count(*) AS moments,
	count(*) FILTER (WHERE NOT (at >= p.period_start AND at < p.period_end)) AS outside,
	count(*) FILTER (WHERE (platform.usage_period(unit, p.period_start, zone, anchor)).period_start <> p.period_start) AS start_differs,
	count(*) FILTER (WHERE (platform.usage_period(unit, p.period_end, zone, anchor)).period_start <> p.period_end) AS gap_or_overlap
FROM unnest(ARRAY['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/Havana', 'America/St_Johns', 'Pacific/Apia']) AS zone,
	unnest(ARRAY['hour', 'day', 'week', 'month', 'quarter', 'year']) AS unit,
	unnest(ARRAY[NULL, '2010-01-31 00:30+00'::timestamptz]) AS anchor,
	unnest(ARRAY['2011-03-13 00:00+00', '2011-11-06 00:00+00', '2011-12-30 00:00+00', '2024-03-10 00:00+00', '2024-03-31 00:00+00', '2024-04-06 00:00+00', '2024-10-05 00:00+00', '2024-10-27 00:00+00', '2024-11-03 00:00+00']::timestamptz[]) AS border,
	generate_series(border, border + interval '20 hours', interval '10 minutes') AS at,
	platform.usage_period(unit, at, zone, anchor) AS p;
-- the same under any TimeZone
CREATE TEMPORARY TABLE reference AS SELECT unit, zone, at, p.* FROM unnest(ARRAY['hour', 'day', 'week', 'month', 'year']) AS unit,
	unnest(ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Sydney']) AS zone,
	generate_series('2024-01-30 22:00+00'::timestamptz, '2024-03-31 22:00+00', '7 hours') AS at,
	platform.usage_period(unit, at, zone) AS p;
SET timezone = 'Asia/Tokyo';
SELECT count(*) AS compared, count(*) FILTER (WHERE p.period_start <> r.period_start OR p.period_end <> r.period_end) AS different FROM reference AS r, platform.usage_period(unit, at, zone) AS p;
SET timezone = 'America/Los_Angeles';
SELECT count(*) AS compared, count(*) FILTER (WHERE p.period_start <> r.period_start OR p.period_end <> r.period_end) AS different FROM reference AS r, platform.usage_period(unit, at, zone) AS p;
SET timezone = 'UTC';
-- timestamptz + '1 month' step by step drifts; n steps from the anchor do not
SELECT timestamptz '2024-01-31 00:00+00' + interval '1 month' + interval '1 month' AS step_by_step,
	(platform.usage_period('month', '2024-03-31 12:00+00', 'UTC', '2024-01-31 00:00+00')).period_start AS from_anchor;
-- the edges of time
SELECT * FROM platform.usage_period('day', '4713-01-01 12:00+00 BC');
SELECT * FROM platform.usage_period('month', '294276-11-30 12:00+00');
SELECT * FROM platform.usage_period('year', '294276-12-31 12:00+00');
SELECT * FROM platform.usage_period('month', '294276-12-31 12:00+00');
SELECT * FROM platform.usage_period('day', 'infinity');
SELECT * FROM platform.usage_period('day', now(), 'UTC', '-infinity');
-- NULL, and what is not known
SELECT platform.usage_period(NULL) IS NULL AS unit, platform.usage_period('day', NULL) IS NULL AS at, platform.usage_period('day', now(), NULL) IS NULL AS timezone;
SELECT platform.usage_period('fortnight');
SELECT platform.usage_period('day', now(), 'Mars/Olympus');
SELECT platform.usage_period('day', now(), pg_catalog.repeat('x', 1000000)) IS NULL;
SELECT platform.usage_period('');
-- members may ask, strangers may not
SET ROLE platform_test_member;
SELECT * FROM platform.usage_period('month', '2024-02-10 00:00+00');
SET ROLE platform_test_stranger;
SELECT * FROM platform.usage_period('month', '2024-02-10 00:00+00');
RESET ROLE;
