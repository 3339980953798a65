-- Reconciliation finds every planted discrepancy and nothing else, at its thresholds; runs, batches, crashes, alerts; corrections
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES ('10200000-0000-4000-8000-000000000001', 'Reconciled'), ('10200000-0000-4000-8000-000000000002', 'Untouched');
INSERT INTO platform.users (id, email) SELECT ('10200000-0000-4000-8000-0000000000' || lpad(to_hex(i), 2, '0'))::uuid, 'reconciled-' || i || '@example.com' FROM generate_series(1, 60) i;
SELECT platform.apply_tier('10200000-0000-4000-8000-000000000001', u.id, 'core', starts_at => now() - interval '40 days')
FROM platform.users u WHERE u.email LIKE 'reconciled-%@example.com';
SELECT platform.record_call_usage('10200000-0000-4000-8000-000000000001', u.id, u.id || '-' || i, 100, now() - i * interval '9 days')
FROM platform.users u, generate_series(0, 3) i WHERE u.email LIKE 'reconciled-%@example.com';
SELECT platform.record_sms_usage('10200000-0000-4000-8000-000000000001', u.id, u.id || '-' || i, 5, now() - i * interval '9 days')
FROM platform.users u, generate_series(0, 3) i WHERE u.email LIKE 'reconciled-%@example.com';
\o
\set org '''10200000-0000-4000-8000-000000000001'''
CREATE FUNCTION pg_temp.customer(i integer) RETURNS uuid LANGUAGE sql AS $$ SELECT ('10200000-0000-4000-8000-0000000000' || lpad(to_hex(i), 2, '0'))::uuid $$;
-- nothing is planted: nothing is found
SELECT status, records_checked, discrepancies_found, corrected FROM platform.reconcile_usage(organization_id => :org);
SELECT run_type, preview, status, customers_total, customers_checked, records_checked, discrepancy_details, triggered_by LIKE 'admin:%' AS by_admin, completed_at >= started_at AS ended
FROM platform.reconciliation_runs WHERE scope_organization_id = :org;
SELECT count(*) FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'usage_discrepancies';
-- at the thresholds: 60 seconds and 5 segments are none, one more is; of large counters 5 percent is none, a second more is
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 60 WHERE organization_id = :org AND user_id = pg_temp.customer(1);
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 61 WHERE organization_id = :org AND user_id = pg_temp.customer(2);
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds - 61 WHERE organization_id = :org AND user_id = pg_temp.customer(3);
UPDATE platform.usage_limits SET sms_used = sms_used + 5 WHERE organization_id = :org AND user_id = pg_temp.customer(4);
UPDATE platform.usage_limits SET sms_used = sms_used + 6 WHERE organization_id = :org AND user_id = pg_temp.customer(5);
\o /dev/null
SELECT platform.record_call_usage(:org, pg_temp.customer(i), 'large-' || i, 9700) FROM generate_series(6, 7) i;
\o
UPDATE platform.usage_limits SET call_used_seconds = 10421 WHERE organization_id = :org AND user_id = pg_temp.customer(6);
UPDATE platform.usage_limits SET call_used_seconds = 10422 WHERE organization_id = :org AND user_id = pg_temp.customer(7);
SELECT (SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = l.period_id) AS events, call_used_seconds AS counter FROM platform.usage_limits l
WHERE organization_id = :org AND user_id IN (pg_temp.customer(6), pg_temp.customer(7)) ORDER BY user_id;
-- in a closed period, and a counter without any event
UPDATE platform.usage_periods SET sms_used = 0 WHERE organization_id = :org AND user_id = pg_temp.customer(8) AND closed_at IS NOT NULL;
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 3600, sms_used = sms_used + 100 WHERE organization_id = :org AND user_id = pg_temp.customer(60);
SELECT run_id AS run, status, records_checked, discrepancies_found, corrected FROM platform.reconcile_usage('nightly', organization_id => :org) \gset
SELECT :'status' AS status, :records_checked AS records, :discrepancies_found AS found, :corrected AS corrected;
SELECT right(d.user_id::text, 2) AS customer, p.closed_at IS NOT NULL AS closed, d.call_used_seconds, d.call_event_seconds, d.sms_used, d.sms_event_segments, d.corrected_at IS NOT NULL AS corrected
FROM platform.reconciliation_discrepancies d JOIN platform.usage_periods p ON p.id = d.period_id WHERE d.run_id = :'run' ORDER BY d.user_id;
-- every planted one, nothing else: a plain comparison says the same
SELECT count(*) FILTER (WHERE d.id IS NULL) AS missed, count(*) FILTER (WHERE x.id IS NULL) AS invented FROM (
	SELECT p.id FROM platform.usage_periods p LEFT JOIN platform.usage_limits l ON l.period_id = p.id,
		LATERAL (SELECT coalesce(l.call_used_seconds, p.call_used_seconds) AS c, coalesce(l.sms_used, p.sms_used) AS s) AS u,
		LATERAL (SELECT coalesce(sum(seconds), 0) AS c FROM platform.call_events e WHERE e.period_id = p.id) AS ec,
		LATERAL (SELECT coalesce(sum(segments), 0) AS s FROM platform.sms_events e WHERE e.period_id = p.id) AS es
	WHERE p.organization_id = :org AND (abs(ec.c - u.c) > greatest(u.c * 0.05, 60) OR abs(es.s - u.s) > greatest(u.s * 0.05, 5))) AS x
FULL JOIN (SELECT * FROM platform.reconciliation_discrepancies WHERE run_id = :'run') AS d ON d.period_id = x.id;
SELECT run_type, triggered_by, discrepancies_found, jsonb_array_length(discrepancy_details) AS details, right(discrepancy_details -> 0 ->> 'user_id', 2) AS largest
FROM platform.reconciliation_runs WHERE id = :'run';
-- above five it is critical
SELECT severity, title, source, occurrences FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'usage_discrepancies' AND resolved_at IS NULL;
-- a preview changed nothing; the same over all organizations finds these
SELECT call_used_seconds FROM platform.usage_limits WHERE organization_id = :org AND user_id = pg_temp.customer(2);
SELECT status FROM platform.reconcile_usage();
SELECT count(*) FROM platform.reconciliation_discrepancies d WHERE d.organization_id = :org AND run_id <> :'run';
-- in batches, with progress between them, and what a crash leaves
SELECT run_id AS batches, status FROM platform.reconcile_usage(preview => false, organization_id => :org, max_customers => 25) \gset
SELECT customers_total, customers_checked, percent, records_checked, discrepancies_found, corrected FROM platform.reconciliation_progress WHERE run_id = :'batches';
SELECT * FROM platform.resume_reconciliation(:'batches', 25);
UPDATE platform.reconciliation_runs SET progress_at = now() - interval '16 minutes' WHERE id = :'batches';
INSERT INTO platform.reconciliation_runs (run_type, triggered_by, progress_at, notes) VALUES ('manual', 'test', greatest(now() - interval '14 minutes', pg_postmaster_start_time()), 'recent');
SELECT status FROM platform.reconcile_usage(organization_id => '10200000-0000-4000-8000-000000000002');
SELECT status, completed_at IS NOT NULL AS ended, left(notes, 9) AS notes FROM platform.reconciliation_runs WHERE id = :'batches' OR notes = 'recent' ORDER BY status;
SELECT count(*) FROM platform.reconciliation_progress WHERE run_id = :'batches';
SELECT * FROM platform.resume_reconciliation(:'batches');
SELECT * FROM platform.resume_reconciliation(:'batches');
SELECT status, notes, customers_total, customers_checked FROM platform.reconciliation_runs WHERE id = :'batches';
-- corrected: counters are the sums again, states follow, and events say so without being billed
SELECT right(d.user_id::text, 2) AS customer, d.corrected_at IS NOT NULL AS corrected, coalesce(l.call_used_seconds, p.call_used_seconds) = d.call_event_seconds AS calls, coalesce(l.sms_used, p.sms_used) = d.sms_event_segments AS messages
FROM platform.reconciliation_discrepancies d JOIN platform.usage_periods p ON p.id = d.period_id LEFT JOIN platform.usage_limits l ON l.period_id = p.id WHERE d.run_id = :'batches' ORDER BY d.user_id;
SELECT right(user_id::text, 2) AS customer, event_type, seconds, reason FROM platform.call_events WHERE organization_id = :org AND event_type = 'adjustment' ORDER BY user_id;
SELECT right(user_id::text, 2) AS customer, event_type, segments, reason FROM platform.sms_events WHERE organization_id = :org AND event_type = 'adjustment' ORDER BY user_id;
SELECT limit_state, hard_stop_active FROM platform.usage_limits WHERE organization_id = :org AND user_id = pg_temp.customer(60);
-- what was below the threshold stays
SELECT call_used_seconds FROM platform.usage_limits WHERE organization_id = :org AND user_id = pg_temp.customer(1);
-- a closed period is to be billed anew
SELECT rebill_at IS NOT NULL AS rebill FROM platform.usage_periods WHERE organization_id = :org AND user_id = pg_temp.customer(8) AND closed_at IS NOT NULL;
-- again: nothing to find, and the alert is over
SELECT status, discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
SELECT severity, auto_resolved FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'usage_discrepancies';
-- one is a warning; a NULL preview only looks
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 600 WHERE organization_id = :org AND user_id = pg_temp.customer(9);
SELECT status, discrepancies_found, corrected FROM platform.reconcile_usage('billing', NULL, :org);
SELECT severity FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'usage_discrepancies' AND resolved_at IS NULL;
-- a period that is over is rolled first, then corrected where it is
UPDATE platform.usage_limits SET period_start = now() - interval '30 days', period_end = now() - interval '1 second', period_anchor = now() - interval '1 second' WHERE organization_id = :org AND user_id = pg_temp.customer(9);
SELECT status, discrepancies_found, corrected FROM platform.reconcile_usage('manual', false, :org);
SELECT p.closed_at IS NOT NULL AS closed, p.call_used_seconds = (SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = p.id) AS right_now
FROM platform.reconciliation_discrepancies d JOIN platform.usage_periods p ON p.id = d.period_id WHERE d.organization_id = :org AND d.corrected_at IS NOT NULL AND d.user_id = pg_temp.customer(9);
SELECT call_used_seconds FROM platform.usage_limits WHERE organization_id = :org AND user_id = pg_temp.customer(9);
-- an organization without customers
SELECT status, records_checked, discrepancies_found FROM platform.reconcile_usage(organization_id => '10200000-0000-4000-8000-000000000002', max_customers => 1);
-- refused
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT platform.reconcile_usage('weekly');
ROLLBACK TO s;
SELECT platform.reconcile_usage(NULL);
ROLLBACK TO s;
SELECT platform.reconcile_usage(max_customers => 0);
ROLLBACK TO s;
SELECT platform.reconcile_usage(organization_id => '10200000-0000-4000-8000-0000000000ff');
ROLLBACK TO s;
SELECT platform.resume_reconciliation(NULL);
ROLLBACK TO s;
SELECT platform.resume_reconciliation('10200000-0000-4000-8000-0000000000ff');
ROLLBACK TO s;
SELECT platform.resume_reconciliation(:'batches', 1000001);
ROLLBACK TO s;
\set VERBOSITY default
-- the caller's search_path leads nowhere
CREATE FUNCTION public.abs(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 1 / 0::bigint $$;
SET LOCAL search_path = public, pg_catalog;
SELECT status, discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
ROLLBACK;
