-- tour 21 Usage limits: a limit reached
\echo
\echo Northside Dental gets three translations a day.
\echo
\set ECHO queries
INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit)
VALUES ('d0000000-0000-4000-8000-000000000002', 'translation', 3)
ON CONFLICT (organization_id, feature) DO UPDATE SET daily_limit = excluded.daily_limit;
SELECT n AS translation, platform.increment_feature_usage('d0000000-0000-4000-8000-000000000002', 'translation') AS allowed
FROM generate_series(1, 4) AS n;
\set ECHO none
\echo
\echo The fourth was refused, and not counted. The long form says how the limit stands; the
\echo day is one of Berlin, where Northside Dental is.
\echo
\set ECHO queries
SELECT allowed, reason, used, usage_limit, remaining, state, period,
	resets_at AT TIME ZONE 'Europe/Berlin' AS resets_at_in_berlin
FROM platform.consume_feature('d0000000-0000-4000-8000-000000000002', 'translation');
\set ECHO none
\echo
\echo Requests that are repeated count once, when they have a name.
\echo
\set ECHO queries
SELECT allowed, consumed, used, duplicate
FROM platform.consume_feature('d0000000-0000-4000-8000-000000000001', 'translation', 5, idempotency_key => 'request-1');
SELECT allowed, consumed, used, duplicate
FROM platform.consume_feature('d0000000-0000-4000-8000-000000000001', 'translation', 5, idempotency_key => 'request-1');
