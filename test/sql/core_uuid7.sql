-- uuid7: version, variant, order, time, privileges and refusals (RFC 9562, section 5.7).
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
SELECT pg_catalog.substr(u, 15, 1) AS version, pg_catalog.strpos('89ab', pg_catalog.substr(u, 20, 1)) > 0 AS variant
FROM (SELECT platform.uuid7()::text AS u) AS k;
-- strictly increasing within a session, also within one millisecond
SELECT count(*) AS keys, count(DISTINCT u) AS distinct_keys, bool_and(u > before) AS increasing
FROM (SELECT u, pg_catalog.lag(u) OVER (ORDER BY n) AS before
	FROM (SELECT n, platform.uuid7() AS u FROM pg_catalog.generate_series(1, 10000) AS n) AS k) AS l;
-- carries its moment
SELECT platform.uuid7_time(platform.uuid7()) BETWEEN now() - interval '1 minute' AND now() + interval '1 minute' AS is_now;
-- the example of RFC 9562, appendix A.6
SELECT platform.uuid7_time('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
SELECT platform.uuid7_time(NULL) IS NULL AS null_for_null;
SELECT platform.uuid7_time('c232ab00-9414-11ec-b3c8-9f6bdeced846');
SELECT platform.uuid7_time('00000000-0000-0000-0000-000000000000');
-- members may make keys, strangers may not
SET ROLE platform_test_stranger;
SELECT platform.uuid7() IS NOT NULL AS made;
RESET ROLE;
