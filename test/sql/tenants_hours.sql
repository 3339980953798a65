-- Business hours: days, edges, over midnight, zones, emergencies; what is refused; who may ask.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''50000000-0000-4000-8000-000000000001'''
\set other '''50000000-0000-4000-8000-000000000002'''
\set day '''50000000-0000-4000-8000-0000000000a1'''
\set night '''50000000-0000-4000-8000-0000000000a2'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Hours Co'), (:other, 'Other Hours Co');
INSERT INTO platform.users (id, email) VALUES (:day, 'day@hours.example'), (:night, 'night@hours.example');
-- the default: Monday to Friday 8 to 18, Saturday 9 to 14, in Chicago
INSERT INTO platform.profiles (organization_id, user_id) VALUES (:org, :day);
INSERT INTO platform.profiles (organization_id, user_id, business_timezone, emergency_24_7, business_hours) VALUES (:org, :night, 'Europe/Berlin', true,
	'{"friday": {"open": "20:00", "close": "04:00"}, "saturday": {"open": "00:00", "close": "24:00", "closed": true}, "sunday": {"open": "00:00", "close": "24:00"},
	  "monday": {"open": "09:00"}, "tuesday": {"open": "10:00", "close": "10:00"}, "wednesday": null}');
SELECT at, trim(to_char(at::timestamptz AT TIME ZONE 'America/Chicago', 'Day')) AS day, platform.is_business_open(:org, :day, at::timestamptz) AS open
FROM unnest('{2024-07-01 07:59:59.999-05,2024-07-01 08:00-05,2024-07-01 17:59:59-05,2024-07-01 18:00-05,2024-07-06 13:59-05,2024-07-06 14:00-05,2024-07-07 12:00-05,2024-07-02 03:00+00,2024-01-02 13:59+00,2024-01-02 14:00+00}'::text[]) AS at;
SELECT platform.is_business_open(:org, :day, 'infinity') AS never, platform.is_business_open(:org, :day, '-infinity') AS never;
-- over midnight; a closed day is still the end of the day before; a whole day; half a day given; equal ends
SELECT at, trim(to_char(at::timestamptz AT TIME ZONE 'Europe/Berlin', 'Day')) AS day, platform.is_business_open(:org, :night, at::timestamptz) AS open
FROM unnest('{2024-07-05 19:59+02,2024-07-05 20:00+02,2024-07-05 23:59:59+02,2024-07-06 00:00+02,2024-07-06 03:59+02,2024-07-06 04:00+02,2024-07-06 12:00+02,2024-07-07 00:00+02,2024-07-07 23:59:59+02,2024-07-08 00:00+02,2024-07-08 12:00+02,2024-07-09 10:00+02,2024-07-10 12:00+02,2024-07-11 12:00+02}'::text[]) AS at;
-- local time on the days that the clocks change, whatever zone the session is in
SET LOCAL timezone = 'Asia/Tokyo';
UPDATE platform.profiles SET business_hours = '{"sunday": {"open": "02:00", "close": "04:00"}}' WHERE user_id = :night;
SELECT to_char(at AT TIME ZONE 'UTC', 'HH24:MI') AS utc, platform.is_business_open(:org, :night, at) AS open
FROM (VALUES (timestamptz '2024-03-31 00:59+00'), ('2024-03-31 01:00+00'), ('2024-03-31 02:00+00'), ('2024-10-27 00:00+00'), ('2024-10-27 01:30+00'), ('2024-10-27 02:59+00'), ('2024-10-27 03:00+00')) AS t (at);
RESET timezone;
-- an emergency: only where it is offered
SELECT platform.is_business_open(:org, :night, '2024-07-10 12:00+02', true) AS offered, platform.is_business_open(:org, :night, '2024-07-10 12:00+02', false) AS none, platform.is_business_open(:org, :day, '2024-07-07 12:00-05', true) AS not_offered;
SELECT platform.is_business_open(:org, :day) IS NOT NULL AS now;
-- of the organization: one of its businesses, each in its own zone (Monday 8 in Chicago, Sunday 2 to 4 in Berlin)
SELECT at, platform.is_open(:org, at::timestamptz) AS open, platform.is_open(:org, at::timestamptz, true) AS emergency
FROM unnest('{2024-07-01 07:59-05,2024-07-01 08:00-05,2024-07-07 03:00+02,2024-07-07 05:00+02}'::text[]) AS at;
SELECT platform.is_open(:org) IS NOT NULL AS now;
SELECT platform.is_open(:other);
SELECT platform.is_open(NULL);
SELECT platform.is_open(:org, NULL);
SELECT platform.is_open(:org, now(), NULL);
-- refused
SELECT platform.is_business_open(:org, '50000000-0000-4000-8000-00000000dead');
SELECT platform.is_business_open(NULL, :day);
SELECT platform.is_business_open(:org, NULL);
SELECT platform.is_business_open(:org, :day, NULL);
SELECT platform.is_business_open(:org, :day, now(), NULL);
UPDATE platform.profiles SET business_hours = '{"Monday": {}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": {"open": "8:00"}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": {"close": "24:01"}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": {"open": "08:60"}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": {"open": 8}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": {"closed": "yes"}}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": ["08:00", "18:00"]}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '{"monday": "open"}' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = '[]' WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = NULL WHERE user_id = :day;
UPDATE platform.profiles SET business_hours = jsonb_build_object(repeat('x', 100000), '{}'::jsonb) WHERE user_id = :day;
INSERT INTO platform.profiles (organization_id, user_id, business_hours) VALUES (:other, :day, '{"monday": {"open": "8"}}');
\set VERBOSITY sqlstate
UPDATE platform.profiles SET business_hours = '{"Monday": {}}' WHERE user_id = :day;
SELECT platform.is_business_open(:org, '50000000-0000-4000-8000-00000000dead');
\set VERBOSITY terse
UPDATE platform.profiles SET business_hours = '{}' WHERE user_id = :day;
SELECT platform.is_business_open(:org, :day, '2024-07-01 12:00-05');
-- members of the organization may ask; others may not
SELECT platform.set_context(:org::uuid, :night, 'agent');
SET LOCAL ROLE platform_test_member;
SELECT platform.is_business_open(:org, :day, '2024-07-01 12:00-05');
SELECT platform.is_business_open(:other, :day, '2024-07-01 12:00-05');
SELECT platform.is_open(:other, '2024-07-01 12:00-05');
RESET ROLE;
SELECT platform.set_context(NULL);
SET LOCAL ROLE platform_test_member;
SELECT platform.is_business_open(:org, :day, '2024-07-01 12:00-05');
RESET ROLE;
ROLLBACK;
