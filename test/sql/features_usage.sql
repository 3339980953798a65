-- Consumption: the six faults of hand-written counters, limits of two windows, states, idempotency, overage, privileges.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set org '''a2000000-0000-4000-8000-000000000001'''
\set other '''a2000000-0000-4000-8000-000000000002'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Usage'), (:other, 'Other');
INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit, monthly_limit) VALUES
	(:org, 'recording', 10, 25), (:org, 'survey', NULL, 5), (:org, 'webhooks', 0, NULL), (:org, 'translation', NULL, NULL);
-- 1. at the limit there is an answer, and nothing is counted; the first use is guarded too
SELECT n, platform.increment_feature_usage(:org, 'survey', 2) AS allowed FROM generate_series(1, 4) AS n;
SELECT platform.increment_feature_usage(:org, 'survey') AS the_last_one, platform.increment_feature_usage(:org, 'survey') AS beyond;
SELECT platform.increment_feature_usage(:org, 'webhooks') AS limit_zero;
SELECT platform.increment_feature_usage(:org, 'ai_features', 1000000) AS without_limit;
SELECT feature, used, days = array_fill(0::bigint, ARRAY[extract(day FROM now() AT TIME ZONE 'UTC')::integer - 1]) || used || array_fill(0::bigint, ARRAY[greatest(cardinality(days) - extract(day FROM now() AT TIME ZONE 'UTC')::integer, 0)]) AS in_todays_element, unkeyed = used AS without_key
FROM platform.feature_usage WHERE organization_id = :org ORDER BY feature;
-- 2. the month starts in the organization's time zone, whatever the session's is
UPDATE platform.organizations SET timezone = 'America/New_York' WHERE id = :other;
INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit, monthly_limit) VALUES (:other, 'recording', 2, 3);
SET timezone = 'Asia/Tokyo';
SELECT at, allowed, used, usage_limit, period, resets_at AT TIME ZONE 'UTC' AS resets_at_utc FROM (VALUES
	('2024-03-01 04:59:59+00'), ('2024-03-01 05:00:00+00'), ('2024-03-10 05:00:00+00'), ('2024-03-11 03:59:59+00'), ('2024-03-11 04:00:00+00')) AS a (at),
	platform.consume_feature(:other, 'recording', at => at::timestamptz);
SET timezone = 'UTC';
-- 3. check and count are one: see the isolation and concurrency tests. Both windows, all or nothing:
SELECT at, amount, allowed, consumed, reason, used, usage_limit, remaining, state, period, resets_at FROM (VALUES
	('2024-02-28 10:00+00', 8), ('2024-02-28 11:00+00', 2), ('2024-02-28 12:00+00', 1), ('2024-02-29 00:00+00', 10), ('2024-02-29 12:00+00', 1), ('2024-02-01 00:00+00', 6), ('2024-02-01 00:00+00', 5), ('2024-02-02 00:00+00', 1)) AS a (at, amount),
	platform.consume_feature(:org, 'recording', amount, at => at::timestamptz);
SELECT period_start, period_end, used, days[1] AS day_1, days[28] AS day_28, days[29] AS day_29, cardinality(days) AS days FROM platform.feature_usage
WHERE organization_id = :org AND feature = 'recording' ORDER BY period_start;
-- thresholds: once per window
SELECT period, period_start, threshold, used, usage_limit FROM platform.feature_usage_thresholds
WHERE organization_id = :org AND feature = 'recording' ORDER BY period_start, period, threshold DESC;
-- 4. an idempotency key: the first answer again, whatever was used since
SELECT consumed, used, remaining, state, duplicate FROM platform.consume_feature(:org, 'recording', 3, 'k1', at => '2024-04-01 00:00+00');
SELECT consumed, used, remaining, state, duplicate FROM platform.consume_feature(:org, 'recording', 6, 'k2', at => '2024-04-01 00:00+00');
SELECT consumed, used, remaining, state, duplicate FROM platform.consume_feature(:org, 'recording', 3, 'k1', at => '2024-04-01 00:00+00');
SELECT allowed, consumed, used, usage_limit, remaining, overage, state, period, resets_at, reason, duplicate FROM platform.consume_feature(:org, 'recording', 3, 'k1');
SELECT * FROM platform.consume_feature(:org, 'recording', 4, 'k1');
-- another feature is another event; a refusal is not remembered
SELECT duplicate FROM platform.consume_feature(:org, 'translation', 4, 'k1', at => '2024-04-01 00:00+00');
SELECT allowed, reason FROM platform.consume_feature(:org, 'recording', 2, 'k3', at => '2024-04-01 00:00+00');
UPDATE platform.org_feature_flags SET daily_limit = 11 WHERE organization_id = :org AND feature = 'recording';
SELECT allowed, used, duplicate FROM platform.consume_feature(:org, 'recording', 2, 'k3', at => '2024-04-01 00:00+00');
SELECT kind, idempotency_key, amount, consumed, day, period_start FROM platform.feature_usage_events WHERE organization_id = :org AND feature = 'recording' ORDER BY id;
-- rolled back is not counted, and the key is free again
BEGIN;
SELECT used FROM platform.consume_feature(:org, 'translation', 5, 'k9', at => '2024-04-01 00:00+00');
SAVEPOINT s;
SELECT used FROM platform.consume_feature(:org, 'translation', 5, 'k10', at => '2024-04-01 00:00+00');
ROLLBACK TO s;
SELECT used FROM platform.consume_feature(:org, 'translation', 1, at => '2024-04-01 00:00+00');
ROLLBACK;
SELECT used, duplicate FROM platform.consume_feature(:org, 'translation', 5, 'k9', at => '2024-04-01 00:00+00');
-- at the limit: cap takes what fits, overflow takes all and counts the excess apart
SELECT at_limit, allowed, consumed, overage, reason, used, remaining, state FROM unnest(ARRAY['cap', 'cap', 'overflow', 'overflow', 'reject']) WITH ORDINALITY AS l (at_limit, n),
	platform.consume_feature(:org, 'recording', 7, at_limit => at_limit, at => '2024-05-05 00:00+00');
SELECT used, overage FROM platform.feature_usage WHERE organization_id = :org AND feature = 'recording' AND period_start = '2024-05-01 00:00+00';
-- enforcement: soft lets pass and counts the excess, off only counts; the state says how it is
UPDATE platform.org_feature_flags SET enforcement = 'soft' WHERE organization_id = :org AND feature = 'recording';
SELECT allowed, consumed, overage, used, usage_limit, state FROM generate_series(1, 2) AS n, platform.consume_feature(:org, 'recording', 8 + n, at => '2024-06-05 00:00+00');
UPDATE platform.org_feature_flags SET enforcement = 'off' WHERE organization_id = :org AND feature = 'recording';
SELECT allowed, consumed, overage, used, usage_limit, state FROM platform.consume_feature(:org, 'recording', 9, at => '2024-06-05 00:00+00');
SELECT period, threshold, used FROM platform.feature_usage_thresholds WHERE organization_id = :org AND period_start >= '2024-06-01' AND period_start < '2024-07-01' ORDER BY 1, 2 DESC;
UPDATE platform.org_feature_flags SET enforcement = 'hard' WHERE organization_id = :org AND feature = 'recording';
-- a limit that is lowered below what was used announces its thresholds with the next unit
SELECT used, state FROM platform.consume_feature(:org, 'translation', 5, at => '2024-07-01 00:00+00');
UPDATE platform.org_feature_flags SET monthly_limit = 6 WHERE organization_id = :org AND feature = 'translation';
SELECT used, state FROM platform.consume_feature(:org, 'translation', 1, at => '2024-07-02 00:00+00');
SELECT period, threshold, used, usage_limit FROM platform.feature_usage_thresholds WHERE organization_id = :org AND feature = 'translation' ORDER BY 1, 2 DESC;
UPDATE platform.org_feature_flags SET monthly_limit = NULL WHERE organization_id = :org AND feature = 'translation';
-- bought credit adds to the month
INSERT INTO platform.feature_credits (organization_id, feature, amount, active_from, active_to) VALUES (:org, 'survey', 2, '2020-01-01', NULL);
SELECT n, platform.increment_feature_usage(:org, 'survey') AS allowed FROM generate_series(1, 3) AS n;
-- off
UPDATE platform.org_feature_flags SET enabled = false WHERE organization_id = :org AND feature = 'survey';
SELECT platform.increment_feature_usage(:org, 'survey') AS allowed;
SELECT allowed, consumed, reason, used, usage_limit, state, period FROM platform.consume_feature(:org, 'survey');
SELECT allowed, reason FROM platform.consume_feature(:org, 'no_such_feature');
SELECT allowed, reason FROM platform.consume_feature('a2000000-0000-4000-8000-00000000ffff', 'recording');
-- the form that raises
SELECT platform.require_feature_usage(:org, 'survey');
SELECT platform.require_feature_usage(:org, 'webhooks');
SELECT platform.require_feature_usage(:org, 'ai_features') IS NOT NULL AS passed;
\set VERBOSITY sqlstate
SELECT platform.require_feature_usage(:org, 'survey');
SELECT platform.require_feature_usage(:org, 'webhooks');
SELECT platform.consume_feature(:org, 'recording', 4, 'k1');
-- 6. amounts: none that is negative, zero, NULL or too large
SELECT platform.increment_feature_usage(:org, 'recording', -1);
SELECT platform.increment_feature_usage(:org, 'recording', 0);
SELECT platform.increment_feature_usage(:org, 'recording', NULL);
SELECT platform.increment_feature_usage(NULL, 'recording');
SELECT platform.increment_feature_usage(:org, NULL);
SELECT platform.increment_feature_usage(:org, 'recording', 9223372036854775807) AS limited_and_huge;
SELECT platform.increment_feature_usage(:org, 'ai_features', 9223372036854775807);
SELECT platform.increment_feature_usage(:org, 'ai_features', 100000000000000000);
SELECT platform.consume_feature(:org, 'ai_features', 9223372036854775807, at_limit => 'overflow');
SELECT platform.increment_feature_usage(:org, '');
SELECT platform.increment_feature_usage(:org, repeat('x', 1000000)) AS a_megabyte;
SELECT platform.consume_feature(:org, 'recording', at_limit => 'maybe');
SELECT platform.consume_feature(:org, 'recording', at_limit => NULL);
SELECT platform.consume_feature(:org, 'recording', at => 'infinity');
SELECT platform.consume_feature(:org, 'recording', idempotency_key => '');
SELECT platform.consume_feature(:org, 'recording', idempotency_key => repeat('k', 256));
SELECT (platform.consume_feature(:org, 'ai_features', idempotency_key => repeat('ä', 255))).allowed;
SELECT (platform.consume_feature(:org, 'ai_features', at => NULL)).allowed AS null_is_now;
\set VERBOSITY default
-- a read-only transaction counts nothing
BEGIN READ ONLY;
SELECT platform.increment_feature_usage(:org, 'ai_features');
ROLLBACK;
-- every isolation level counts as READ COMMITTED does
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT platform.increment_feature_usage(:org, 'ai_features') AS repeatable_read;
SELECT platform.increment_feature_usage(:org, 'ai_features') AS again;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT platform.increment_feature_usage(:org, 'ai_features') AS serializable;
SELECT platform.increment_feature_usage(:other, 'ai_features') AS first_row;
COMMIT;
-- 5. nobody consumes for another organization
BEGIN;
SELECT platform.set_context(:org, 'user-1');
SET LOCAL ROLE platform_test_member;
SELECT platform.increment_feature_usage(:org, 'ai_features') AS own;
SELECT platform.increment_feature_usage(:other, 'ai_features') AS others;
ROLLBACK;
BEGIN;
SELECT platform.set_context(:org, 'user-1');
SET LOCAL ROLE platform_test_member;
SELECT allowed FROM platform.consume_feature(:org, 'ai_features');
SELECT count(*) > 0 AS sees_own, bool_and(organization_id = :org) AS sees_only_own FROM platform.feature_usage;
SELECT count(*) > 0 AS sees_own, bool_and(organization_id = :org) AS sees_only_own FROM platform.feature_usage_events;
SELECT count(*) > 0 AS sees_own, bool_and(organization_id = :org) AS sees_only_own FROM platform.feature_usage_thresholds;
SELECT platform.consume_feature(:org, 'recording', at => now() - interval '40 days');
ROLLBACK;
BEGIN;
SELECT platform.set_context(:org, 'user-1');
SET LOCAL ROLE platform_test_member;
UPDATE platform.feature_usage SET used = 0;
ROLLBACK;
-- a member without an organization, and a stranger
BEGIN;
SET LOCAL ROLE platform_test_member;
SELECT platform.increment_feature_usage(:org, 'ai_features');
ROLLBACK;
SET ROLE platform_test_stranger;
SELECT platform.increment_feature_usage('a2000000-0000-4000-8000-000000000001', 'ai_features');
RESET ROLE;
-- columns that a user adds are kept
ALTER TABLE platform.feature_usage ADD COLUMN note text DEFAULT 'x';
UPDATE platform.feature_usage SET note = 'kept' WHERE organization_id = :other;
SELECT platform.increment_feature_usage(:other, 'ai_features', 3) AS counted;
SELECT note, used FROM platform.feature_usage WHERE organization_id = :other AND feature = 'ai_features';
-- an index on a counter's column is kept right
CREATE INDEX feature_usage_test_idx ON platform.feature_usage (used);
SELECT platform.increment_feature_usage(:other, 'ai_features', 1000) AS counted;
SET enable_seqscan = off;
SELECT feature, used FROM platform.feature_usage WHERE used = 1004 AND organization_id = :other;
RESET enable_seqscan;
DROP INDEX platform.feature_usage_test_idx;
ALTER TABLE platform.feature_usage DROP COLUMN note;
SELECT platform.increment_feature_usage(:other, 'ai_features') AS counted;
-- many in one statement
SELECT count(*) FILTER (WHERE platform.increment_feature_usage(:other, 'transcription')) AS counted FROM generate_series(1, 500);
SELECT used FROM platform.feature_usage WHERE organization_id = :other AND feature = 'transcription';
-- a lock of the transaction's own is no obstacle
BEGIN;
SELECT used FROM platform.feature_usage WHERE organization_id = :other AND feature = 'transcription' FOR UPDATE;
SELECT platform.increment_feature_usage(:other, 'transcription') AS counted;
COMMIT;
SELECT count(*) AS differences FROM platform.reconcile_feature_usage();
DELETE FROM platform.feature_usage WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_usage_events WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_usage_thresholds WHERE organization_id IN (:org, :other);
DELETE FROM platform.org_feature_flags WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_credits WHERE organization_id IN (:org, :other);
DELETE FROM platform.organizations WHERE id IN (:org, :other);
