-- Limits are found where this session found them before, and nowhere else: rows that moved, went, came back, or gave their place to others; more customers than there is memory for at first
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '''10600000-0000-4000-8000-000000000001'''
CREATE FUNCTION pg_temp.customer(i integer) RETURNS uuid LANGUAGE sql AS $$ SELECT ('10600000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid $$;
-- of each customer the cap is its number; answers that are another's, or missing
CREATE FUNCTION pg_temp.wrong(first integer, last integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM generate_series(first, last) i, platform.check_usage('10600000-0000-4000-8000-000000000001', pg_temp.customer(i)) u
	WHERE u.limit_seconds IS DISTINCT FROM i OR u.used_seconds IS DISTINCT FROM (SELECT call_used_seconds FROM platform.usage_limits WHERE user_id = pg_temp.customer(i)) $$;
CREATE FUNCTION pg_temp.add(first integer, last integer, step integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO platform.usage_limits (organization_id, user_id, call_cap_seconds) SELECT '10600000-0000-4000-8000-000000000001', pg_temp.customer(i), i FROM generate_series(first, last, step) i $$;
CREATE FUNCTION pg_temp.forget(first integer, last integer) RETURNS void LANGUAGE sql AS $$
	SET session_replication_role = replica;
	DELETE FROM platform.call_events WHERE user_id BETWEEN pg_temp.customer(first) AND pg_temp.customer(last);
	DELETE FROM platform.usage_alerts WHERE user_id BETWEEN pg_temp.customer(first) AND pg_temp.customer(last);
	DELETE FROM platform.usage_periods WHERE user_id BETWEEN pg_temp.customer(first) AND pg_temp.customer(last);
	DELETE FROM platform.usage_limits WHERE user_id BETWEEN pg_temp.customer(first) AND pg_temp.customer(last);
	SET session_replication_role = origin $$;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Places');
INSERT INTO platform.users (id, email) SELECT pg_temp.customer(i), 'places-' || i || '@example.com' FROM generate_series(1, 2000) i;
SELECT pg_temp.add(1, 1000, 1);
\o
\set ECHO all
-- looked up, and where they were
SELECT pg_temp.wrong(1, 1000), pg_temp.wrong(1, 1000), pg_temp.wrong(1, 1000);
-- moved: within the page, to others, and back by a rollback
UPDATE platform.usage_limits SET call_used_seconds = 1 WHERE organization_id = :org;
SELECT pg_temp.wrong(1, 1000);
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 1, force_reason = repeat('x', 300), period_end = period_end + interval '1 second' WHERE organization_id = :org AND call_cap_seconds % 2 = 0;
SELECT pg_temp.wrong(1, 1000), pg_temp.wrong(1, 1000);
BEGIN;
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 1, period_end = period_end + interval '1 second' WHERE organization_id = :org;
SELECT pg_temp.wrong(1, 1000);
SAVEPOINT s;
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 1, period_end = period_end + interval '1 second' WHERE organization_id = :org;
SELECT pg_temp.wrong(1, 1000);
ROLLBACK TO s;
SELECT pg_temp.wrong(1, 1000);
ROLLBACK;
SELECT pg_temp.wrong(1, 1000);
-- recorded past the executor
SELECT count(*) FILTER (WHERE used_seconds <> 10 + CASE WHEN i % 2 = 0 THEN 2 ELSE 1 END) AS wrong FROM generate_series(1, 1000) i, platform.record_call_usage(:org, pg_temp.customer(i), 'places-' || i, 10);
SELECT pg_temp.wrong(1, 1000);
-- vacuumed, in place and into another file
VACUUM platform.usage_limits;
SELECT pg_temp.wrong(1, 1000);
VACUUM FULL platform.usage_limits;
SELECT pg_temp.wrong(1, 1000), pg_temp.wrong(1, 1000);
-- gone, and their places given to others
SELECT pg_temp.forget(1, 500);
SELECT count(*) FILTER (WHERE u.reason <> 'NO_PLAN' OR u.limit_seconds IS NOT NULL) AS wrong FROM generate_series(1, 500) i, platform.check_usage(:org, pg_temp.customer(i)) u;
VACUUM platform.usage_limits;
SELECT pg_temp.add(1500, 1001, -1);
SELECT pg_temp.wrong(501, 1500), pg_temp.wrong(501, 1500);
SELECT count(*) FILTER (WHERE u.reason <> 'NO_PLAN' OR u.limit_seconds IS NOT NULL) AS wrong FROM generate_series(1, 500) i, platform.check_usage(:org, pg_temp.customer(i)) u;
-- and back, elsewhere
SELECT pg_temp.add(1, 500, 1);
SELECT pg_temp.wrong(1, 1500);
-- the end of the table is gone
SELECT pg_temp.forget(1, 1500);
VACUUM platform.usage_limits;
SELECT count(*) FILTER (WHERE u.reason <> 'NO_PLAN' OR u.limit_seconds IS NOT NULL) AS wrong FROM generate_series(1, 1500) i, platform.check_usage(:org, pg_temp.customer(i)) u;
SELECT pg_temp.add(2, 2000, 2);
SELECT count(*) FILTER (WHERE CASE WHEN i % 2 = 0 THEN u.limit_seconds IS DISTINCT FROM i ELSE u.reason <> 'NO_PLAN' END) AS wrong FROM generate_series(1, 2000) i, platform.check_usage(:org, pg_temp.customer(i)) u;
\set ECHO none
\o /dev/null
SELECT pg_temp.forget(1, 2000);
DELETE FROM platform.users WHERE email LIKE 'places-%@example.com';
DELETE FROM platform.organizations WHERE id = :org;
\o
