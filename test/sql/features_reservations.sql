-- Refunds, reservations, batches, the insert trigger, the report and reconciliation.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set org '''a3000000-0000-4000-8000-000000000001'''
\set other '''a3000000-0000-4000-8000-000000000002'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Reservations'), (:other, 'Other');
INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit, monthly_limit) VALUES
	(:org, 'recording', 10, 25), (:org, 'survey', NULL, 100);
CREATE VIEW pg_temp.counters AS SELECT feature, sum(used) AS used, sum(overage) AS overage, sum(reserved) AS reserved, sum((SELECT sum(d) FROM unnest(days) AS d)) AS days
	FROM platform.feature_usage WHERE organization_id = 'a3000000-0000-4000-8000-000000000001' GROUP BY feature ORDER BY feature;
-- REFUNDS: by key, at most what the key consumed, in its own window
SELECT used FROM platform.consume_feature(:org, 'recording', 8, 'call-1', at => '2024-02-29 10:00+00');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 3);
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 6);
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 2, 'refund-1', 'dropped line');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 2, 'refund-1');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 1, 'refund-1');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1', 1, 'call-1');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'call-1');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'no-such-call');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'refund-1');
SELECT used, days[29] AS day_29 FROM platform.feature_usage WHERE organization_id = :org AND feature = 'recording';
SELECT kind, idempotency_key, amount, consumed, day, reverses IS NOT NULL AS reverses, reason FROM platform.feature_usage_events WHERE organization_id = :org ORDER BY id;
-- overage is given back first
SELECT consumed, overage FROM platform.consume_feature(:org, 'recording', 12, 'long', 'overflow', '2024-02-28 10:00+00');
SELECT * FROM platform.refund_feature_usage(:org, 'recording', 'long', 5);
SELECT used, overage FROM pg_temp.counters WHERE feature = 'recording';
-- the units are free again
SELECT allowed, used, remaining FROM platform.consume_feature(:org, 'recording', 3, at => '2024-02-28 11:00+00');
-- RESERVATIONS: hold, then commit less, as much, or more
SELECT reservation_id AS r1, allowed, expires_at > now() AS has_expiry, used, usage_limit, remaining, state, period, duplicate FROM platform.reserve_feature(:org, 'survey', 40, idempotency_key => 'chat-1') \gset
\echo :allowed :has_expiry :used :usage_limit :remaining :state :period :duplicate
SELECT reservation_id = :'r1' AS same, used, duplicate FROM platform.reserve_feature(:org, 'survey', 40, idempotency_key => 'chat-1');
SELECT platform.reserve_feature(:org, 'survey', 41, idempotency_key => 'chat-1');
SELECT reservation_id AS r2, used FROM platform.reserve_feature(:org, 'survey', 60) \gset
\echo :used
SELECT reservation_id IS NULL AS none, allowed, reason, expires_at, used, usage_limit, remaining, state FROM platform.reserve_feature(:org, 'survey', 1);
SELECT * FROM pg_temp.counters WHERE feature = 'survey';
SELECT allowed, consumed, used, remaining, overage, duplicate FROM platform.commit_feature(:org, :'r1', 15);
SELECT allowed, consumed, used, remaining, overage, duplicate FROM platform.commit_feature(:org, :'r1', 15);
SELECT platform.commit_feature(:org, :'r1', 16);
SELECT platform.release_feature(:org, :'r1');
SELECT allowed, consumed, reason FROM platform.commit_feature(:org, :'r2', 90, 'reject');
SELECT allowed, consumed, reason, overage FROM platform.commit_feature(:org, :'r2', 90, 'cap');
SELECT * FROM pg_temp.counters WHERE feature = 'survey';
-- a committed reservation is refunded by its key
SELECT * FROM platform.refund_feature_usage(:org, 'survey', 'chat-1', 5);
SELECT reservation_id AS r3 FROM platform.reserve_feature(:org, 'survey', 5) \gset
SELECT allowed, consumed, overage, used, remaining FROM platform.commit_feature(:org, :'r3', 8);
SELECT * FROM pg_temp.counters WHERE feature = 'survey';
-- release gives back, once
SELECT * FROM platform.refund_feature_usage(:org, 'survey', 'chat-1');
SELECT reservation_id AS r4 FROM platform.reserve_feature(:org, 'survey', 5) \gset
SELECT platform.release_feature(:org, :'r4') AS released, platform.release_feature(:org, :'r4') AS again;
SELECT platform.commit_feature(:org, :'r4');
-- expiry is seen when it is read: nobody has to sweep
SELECT used AS before FROM pg_temp.counters WHERE feature = 'survey' \gset
SELECT reservation_id AS r5, used - :before AS held FROM platform.reserve_feature(:org, 'survey', 4, '1 millisecond') \gset
SELECT pg_sleep(0.02) \g /dev/null
SELECT used - :before AS used, remaining, reserved FROM platform.feature_usage_report(:org) WHERE feature = 'survey' AND period = 'month';
SELECT used - :before AS counted, reserved FROM pg_temp.counters WHERE feature = 'survey';
SELECT used - :before AS used FROM platform.consume_feature(:org, 'survey', 2);
SELECT used - :before AS counted, reserved FROM pg_temp.counters WHERE feature = 'survey';
-- a commit that comes too late is an ordinary consumption, also once only; so is one that finds the reservation still open
SELECT allowed, consumed, used - :before AS used, duplicate FROM platform.commit_feature(:org, :'r5', 1);
SELECT allowed, consumed, used - :before AS used, duplicate FROM platform.commit_feature(:org, :'r5', 1);
SELECT reservation_id AS r6 FROM platform.reserve_feature(:org, 'survey', 3, '1 millisecond') \gset
SELECT pg_sleep(0.02) \g /dev/null
SELECT allowed, consumed, used - :before AS used, duplicate FROM platform.commit_feature(:org, :'r6');
SELECT reservation_id AS r7 FROM platform.reserve_feature(:org, 'survey', 1, '1 millisecond') \gset
SELECT pg_sleep(0.02) \g /dev/null
SELECT platform.release_feature(:org, :'r7') AS too_late;
SELECT reservation_id AS r8 FROM platform.reserve_feature(:org, 'survey', 1, '1 millisecond') \gset
SELECT pg_sleep(0.02) \g /dev/null
SELECT platform.sweep_feature_reservations() AS swept, platform.sweep_feature_reservations() AS again;
SELECT status, count(*) FROM platform.feature_reservations WHERE organization_id = :org GROUP BY status ORDER BY status;
SELECT used - :before AS counted, reserved FROM pg_temp.counters WHERE feature = 'survey';
-- what was held is counted although the feature was switched off meanwhile
SELECT reservation_id AS r9 FROM platform.reserve_feature(:org, 'survey', 1) \gset
UPDATE platform.org_feature_flags SET enabled = false WHERE organization_id = :org AND feature = 'survey';
SELECT allowed, consumed FROM platform.commit_feature(:org, :'r9');
SELECT reservation_id IS NULL AS none, allowed, reason FROM platform.reserve_feature(:org, 'survey', 1);
UPDATE platform.org_feature_flags SET enabled = true WHERE organization_id = :org AND feature = 'survey';
-- refused arguments
\set VERBOSITY sqlstate
SELECT platform.reserve_feature(:org, 'survey', 0);
SELECT platform.reserve_feature(:org, 'survey', 1, NULL);
SELECT platform.reserve_feature(:org, 'survey', 1, '0 seconds');
SELECT platform.reserve_feature(:org, 'survey', 1, '-1 hour');
SELECT platform.reserve_feature(:org, 'survey', 1, '1 month');
SELECT platform.reserve_feature(:org, 'survey', 1, '178000000 years');
SELECT platform.commit_feature(:org, 'a3000000-0000-4000-8000-00000000ffff');
SELECT platform.commit_feature(:other, :'r9');
SELECT platform.commit_feature(:org, NULL);
SELECT platform.commit_feature(:org, :'r9', -1);
SELECT platform.release_feature(:org, 'a3000000-0000-4000-8000-00000000ffff');
SELECT platform.release_feature(:org, NULL);
SELECT platform.sweep_feature_reservations(0);
SELECT platform.sweep_feature_reservations(NULL);
SELECT platform.refund_feature_usage(:org, 'recording', NULL);
SELECT platform.refund_feature_usage(:org, 'recording', 'call-1', 0);
\set VERBOSITY default
-- members reserve for themselves; refunds, sweeping and reconciling are the operators'
BEGIN;
SELECT platform.set_context(:org, 'user-1') \g /dev/null
SET LOCAL ROLE platform_test_member;
SELECT reservation_id AS r10, allowed FROM platform.reserve_feature(:org, 'ai_features', 1) \gset
SELECT platform.release_feature(:org, :'r10') AS released;
SELECT count(*) > 0 AS sees_own FROM platform.feature_reservations;
SAVEPOINT s;
SELECT platform.reserve_feature(:other, 'ai_features', 1);
ROLLBACK TO s;
SELECT platform.commit_feature(:other, :'r10');
ROLLBACK TO s;
SELECT platform.refund_feature_usage(:org, 'survey', 'chat-1');
ROLLBACK TO s;
SELECT platform.sweep_feature_reservations();
ROLLBACK TO s;
SELECT platform.reconcile_feature_usage();
ROLLBACK TO s;
SELECT * FROM platform.feature_usage_report(:other);
ROLLBACK;
-- BATCHES: all or nothing
SELECT feature, allowed, consumed, reason, used, remaining, period, duplicate FROM platform.consume_features(:org, '{webhooks,recording}', '{5,2}', 'batch-1', '2024-08-01 00:00+00');
SELECT feature, allowed, consumed, reason, used, remaining, period, duplicate FROM platform.consume_features(:org, '{webhooks,recording}', '{5,2}', 'batch-1', '2024-08-01 00:00+00');
SELECT feature, allowed, consumed, reason, used, remaining, period, duplicate FROM platform.consume_features(:org, '{webhooks,recording}', '{5,9}', 'batch-2', '2024-08-01 00:00+00');
SELECT feature, allowed, consumed, used FROM platform.consume_features(:org, '{api_access,webhooks}', at => '2024-08-01 00:00+00');
SELECT * FROM platform.consume_features(:org, '{}');
SELECT platform.consume_features(:org, '{webhooks,api_access}', '{5,2}', 'batch-1', '2024-08-01 00:00+00');
SELECT platform.consume_features(:org, '{webhooks,recording}', '{5}');
SELECT platform.consume_features(:org, '{webhooks,webhooks}');
SELECT platform.consume_features(:org, '{webhooks,NULL}');
SELECT platform.consume_features(:org, '{{webhooks,recording}}');
SELECT platform.consume_features(:org, '{webhooks,recording}', '{5,0}');
SELECT platform.consume_features(:org, NULL);
SELECT feature, used FROM platform.feature_usage WHERE organization_id = :org AND period_start = '2024-08-01 00:00+00' ORDER BY feature;
-- TRIGGER: rows that count
CREATE TABLE platform_test_calls (organization_id uuid, seconds bigint);
CREATE TRIGGER platform_test_calls_consume BEFORE INSERT ON platform_test_calls FOR EACH ROW EXECUTE FUNCTION platform.consume_feature_on_insert('secret_shopper', 'seconds');
INSERT INTO platform.org_feature_flags (organization_id, feature, monthly_limit) VALUES (:org, 'secret_shopper', 1000);
INSERT INTO platform_test_calls SELECT :org, 3 FROM generate_series(1, 300);
INSERT INTO platform_test_calls VALUES (:org, 100), (:org, 0), (:org, 1);
INSERT INTO platform_test_calls VALUES (:org, 100), (:org, 0);
INSERT INTO platform_test_calls VALUES (:org, 1);
INSERT INTO platform_test_calls VALUES (:org, -1);
INSERT INTO platform_test_calls VALUES (:org, NULL);
INSERT INTO platform_test_calls VALUES (NULL, 1);
UPDATE platform.org_feature_flags SET enabled = false WHERE organization_id = :org AND feature = 'secret_shopper';
INSERT INTO platform_test_calls VALUES (:org, 1);
SELECT count(*) AS rows, sum(seconds) AS seconds, (SELECT used FROM pg_temp.counters WHERE feature = 'secret_shopper') AS used FROM platform_test_calls;
DROP TRIGGER platform_test_calls_consume ON platform_test_calls;
CREATE TRIGGER platform_test_calls_consume AFTER INSERT ON platform_test_calls FOR EACH ROW EXECUTE FUNCTION platform.consume_feature_on_insert('bulk_upload');
INSERT INTO platform_test_calls SELECT :other, NULL FROM generate_series(1, 50);
SELECT used FROM platform.feature_usage WHERE organization_id = :other AND feature = 'bulk_upload';
CREATE TRIGGER platform_test_calls_wrong BEFORE UPDATE ON platform_test_calls FOR EACH ROW EXECUTE FUNCTION platform.consume_feature_on_insert('bulk_upload');
UPDATE platform_test_calls SET seconds = 1;
DROP TABLE platform_test_calls;
-- REPORT: both windows of every feature, without writing
BEGIN READ ONLY;
SELECT feature, period, used, usage_limit, remaining, reserved, overage, state, enabled, reason FROM platform.feature_usage_report(:org) WHERE feature IN ('recording', 'secret_shopper', 'webhooks');
SELECT count(*) = 2 * (SELECT count(*) FROM platform.global_feature_flags) AS all_features, bool_and(now() >= period_start AND now() < period_end) AS current FROM platform.feature_usage_report(:org);
COMMIT;
SELECT platform.feature_usage_report(NULL);
-- RECONCILE: counters against their events
SELECT * FROM platform.reconcile_feature_usage();
UPDATE platform.feature_usage SET used = used + 7 WHERE organization_id = :org AND feature = 'recording' AND period_start = '2024-08-01 00:00+00';
UPDATE platform.feature_usage SET reserved = 3 WHERE organization_id = :org AND feature = 'webhooks' AND period_start = '2024-08-01 00:00+00';
DELETE FROM platform.feature_usage WHERE organization_id = :org AND feature = 'recording' AND period_start = '2024-02-01 00:00+00';
SELECT feature, period_start, used, expected, difference, fixed FROM platform.reconcile_feature_usage();
SELECT feature, period_start, used, expected, difference, fixed FROM platform.reconcile_feature_usage(false, :other);
SELECT feature, period_start, used, expected, difference, fixed FROM platform.reconcile_feature_usage(false);
SELECT count(*) AS differences FROM platform.reconcile_feature_usage(NULL);
SELECT feature, period_start, used, reserved FROM platform.feature_usage WHERE organization_id = :org AND period_start < '2024-09-01' AND feature IN ('recording', 'webhooks') ORDER BY 1, 2;
SELECT feature, amount, consumed, reason FROM platform.feature_usage_events WHERE organization_id = :org AND kind = 'adjust' ORDER BY id;
DELETE FROM platform.feature_usage WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_usage_events WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_usage_thresholds WHERE organization_id IN (:org, :other);
DELETE FROM platform.feature_reservations WHERE organization_id IN (:org, :other);
DELETE FROM platform.org_feature_flags WHERE organization_id IN (:org, :other);
DELETE FROM platform.organizations WHERE id IN (:org, :other);
