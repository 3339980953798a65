-- What went wrong in the system before: each a line here, and none happens
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('ca500700-0000-4000-8000-000000000001', 'Faults') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500700-0000-4000-8000-0000000000a' || i)::uuid, 'faults-' || i || '@example.com' FROM generate_series(1, 8) i
ON CONFLICT DO NOTHING;
INSERT INTO platform.profiles (organization_id, user_id, email) VALUES ('ca500700-0000-4000-8000-000000000001', 'ca500700-0000-4000-8000-0000000000a5', 'usage-mail@example.com') ON CONFLICT DO NOTHING;
\set org '''ca500700-0000-4000-8000-000000000001'''
\set u1 '''ca500700-0000-4000-8000-0000000000a1'''
\set u2 '''ca500700-0000-4000-8000-0000000000a2'''
\set u3 '''ca500700-0000-4000-8000-0000000000a3'''
\set u4 '''ca500700-0000-4000-8000-0000000000a4'''
\set u5 '''ca500700-0000-4000-8000-0000000000a5'''
\set u6 '''ca500700-0000-4000-8000-0000000000a6'''
\set u7 '''ca500700-0000-4000-8000-0000000000a7'''
-- 31 days pass for a customer
CREATE FUNCTION pg_temp.let_pass("user" uuid) RETURNS interval LANGUAGE sql AS $$
	UPDATE platform.usage_limits SET period_start = period_start - interval '31 days', period_end = period_end - interval '31 days', period_anchor = period_anchor - interval '31 days' WHERE user_id = $1;
	UPDATE platform.usage_periods SET period_start = period_start - interval '31 days', period_end = period_end - interval '31 days' WHERE user_id = $1;
	SELECT interval '31 days'
$$;
\set ECHO all
BEGIN;
SELECT a.changed, b.changed, c.changed, d.changed FROM platform.apply_tier(:org, :u1, 'core') a, platform.apply_tier(:org, :u2, 'core') b, platform.apply_tier(:org, :u3, 'core') c, platform.apply_tier(:org, :u7, 'core') d;
-- incrementing always failed
SELECT used_seconds, used_segments FROM platform.record_call_usage(:org, :u1, 'a', 10), platform.record_sms_usage(:org, :u1, 'a', 2);
-- a hard stop ignored what was bought (credit): now it is part of the limit
SELECT call_credit FROM platform.apply_top_up(:org, :u1, 'call_300', 'faults_1');
SELECT hard_stop_active, limit_state, remaining_seconds FROM platform.record_call_usage(:org, :u1, 'b', 9000 + 600 + 1);
SELECT hard_stop_active, limit_state, remaining_seconds FROM platform.record_call_usage(:org, :u1, 'c', 9600 + 18000 - 9611);
-- and what went over from the period before
UPDATE platform.usage_limits SET rollover_seconds = 3000 WHERE user_id = :u7;
SELECT hard_stop_active, remaining_seconds FROM platform.record_call_usage(:org, :u7, 'r1', 9000 + 600);
SELECT hard_stop_active, remaining_seconds FROM platform.record_call_usage(:org, :u7, 'r2', 3000);
-- a new period left customers paused: the arithmetic begins anew, an operator's pause has its own end
SELECT hard_stop_active FROM platform.record_call_usage(:org, :u2, 'd', 10000);
SELECT pg_temp.let_pass(:u2);
SELECT allowed, reason FROM platform.check_usage(:org, :u2);
SELECT hard_stop_active, used_seconds FROM platform.record_call_usage(:org, :u2, 'e', 1);
SELECT force_pause, force_resume FROM platform.usage_limits WHERE user_id = :u2;
-- after a top-up the pause flag had no effect: it has
SELECT limit_state FROM platform.apply_top_up(:org, :u2, 'call_300', 'faults_2');
SELECT platform.force_pause(:org, :u2, 'chargeback', 'infinity');
SELECT allowed, reason FROM platform.check_usage(:org, :u2);
SELECT pg_temp.let_pass(:u2);
SELECT allowed, reason FROM platform.check_usage(:org, :u2);
SELECT platform.clear_force(:org, :u2);
-- a period never began anew, or its rollover grew without a bound
SELECT pg_temp.let_pass(:u3);
SELECT difference FROM platform.record_call_usage(:org, :u3, 'f1', 0);
SELECT pg_temp.let_pass(:u3);
SELECT difference FROM platform.record_call_usage(:org, :u3, 'f2', 0);
SELECT pg_temp.let_pass(:u3);
SELECT difference FROM platform.record_call_usage(:org, :u3, 'f3', 0);
SELECT call_used_seconds, call_cap_seconds, rollover_seconds, period_end > now() AS now FROM platform.usage_limits WHERE user_id = :u3;
-- bought messages and minutes were lost with the period
SELECT sms_credit FROM platform.apply_top_up(:org, :u3, 'sms_500', 'faults_3');
SELECT call_credit FROM platform.apply_top_up(:org, :u3, 'call_300', 'faults_4');
SELECT pg_temp.let_pass(:u3);
SELECT difference FROM platform.record_call_usage(:org, :u3, 'f4', 0);
SELECT call_credit, sms_credit FROM platform.usage_limits WHERE user_id = :u3;
-- a subscription's end in the past made every event a new period, and usage free
SELECT plan_status FROM platform.apply_subscription_event(:org, :u4, jsonb_build_object('id', 'evt_f1', 'type', 'customer.subscription.updated', 'created', 1700000000, 'data', jsonb_build_object('object',
	jsonb_build_object('id', 'sub_faults', 'status', 'active', 'current_period_start', 1690000000, 'current_period_end', 1692592000, 'metadata', '{"tier": "core"}'::jsonb))));
SELECT used_seconds FROM platform.record_call_usage(:org, :u4, 'g1', 100);
SELECT used_seconds FROM platform.record_call_usage(:org, :u4, 'g2', 100);
SELECT count(*) FROM platform.usage_periods WHERE user_id = :u4;
-- a refused message was counted, and stopped calls
SELECT sms_cap FROM platform.apply_tier(:org, :u5, 'core');
SELECT limit_state, used_segments FROM platform.record_sms_usage(:org, :u5, 'm', 250);
SELECT allowed, reason FROM platform.reserve_sms(:org, :u5);
SELECT used_sms, sms_allowed, allowed FROM platform.check_usage(:org, :u5);
-- an alert was sent once in a lifetime: it is once a period
SELECT limit_state FROM platform.record_call_usage(:org, :u5, 'h1', 8000);
SELECT pg_temp.let_pass(:u5);
SELECT limit_state FROM platform.record_call_usage(:org, :u5, 'h2', 16000);
SELECT limit_state FROM platform.record_call_usage(:org, :u5, 'h3', 10);
SELECT alert_type, used, count(*) OVER (PARTITION BY period_id) AS in_period FROM platform.usage_alerts WHERE user_id = :u5 AND alert_type = 'call_soft' ORDER BY id;
-- three rules wrote the state, and the gate looked for a fourth: there is one, of three words
SELECT DISTINCT limit_state FROM platform.usage_limits WHERE organization_id = :org ORDER BY 1;
UPDATE platform.usage_limits SET limit_state = 'hard', hard_stop_active = true WHERE user_id = :u3;
SELECT limit_state, hard_stop_active FROM platform.usage_limits WHERE user_id = :u3;
-- a duplicate that lost its row was still added to the counter
SELECT duplicate, used_seconds FROM platform.record_call_usage(:org, :u1, 'c', 9600 + 18000 - 9611);
SELECT call_used_seconds = (SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = l.period_id) AS same FROM platform.usage_limits l WHERE user_id = :u1;
-- messages were counted as rows
SELECT used_segments FROM platform.record_sms_usage(:org, :u6, 'long', 3);
-- a cancelled subscription kept its caps, and the gate did not look
SELECT plan_status FROM platform.apply_subscription_event(:org, :u4, jsonb_build_object('id', 'evt_f2', 'type', 'customer.subscription.deleted', 'created', 1700000100, 'data', jsonb_build_object('object',
	jsonb_build_object('id', 'sub_faults', 'status', 'canceled', 'metadata', '{"tier": "core"}'::jsonb))));
SELECT allowed, reason, limit_seconds FROM platform.check_usage(:org, :u4);
-- versions of tiers were never written, and could be changed
SELECT count(*) FROM platform.usage_tiers t WHERE NOT EXISTS (SELECT FROM platform.tier_snapshots s WHERE s.tier_id = t.tier AND s.effective_until IS NULL);
SELECT count(*) FROM platform.usage_periods WHERE organization_id = :org AND plan_status = 'active' AND tier_snapshot_id IS NULL;
-- line items were never written: the bill of a period that is over
SELECT line_items, total_amount FROM platform.generate_billing_line_items(organization_id => :org);
-- the alert of a reconciliation was never stored, its fields had other names: it is, with type and title
UPDATE platform.usage_limits SET call_used_seconds = call_used_seconds + 2000 WHERE user_id = :u1;
UPDATE platform.usage_periods SET sms_used = sms_used + 100 WHERE user_id = :u5 AND closed_at IS NOT NULL;
SELECT status, discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
SELECT alert_type, title, severity FROM platform.ops_alerts WHERE organization_id = :org;
-- a run that crashed stayed running: the next one says that it failed
INSERT INTO platform.reconciliation_runs (id, run_type, scope_organization_id, triggered_by, progress_at) VALUES ('ca500700-0000-4000-8000-0000000000f1', 'nightly', :org, 'scheduler', now() - interval '1 day');
SELECT status, discrepancies_found FROM platform.reconcile_usage(organization_id => :org);
SELECT status, notes LIKE 'abandoned%' AS abandoned FROM platform.reconciliation_runs WHERE id = 'ca500700-0000-4000-8000-0000000000f1';
-- it compared messages by rows, and never corrected; the other function that did counted events of all times into the present period: each period gets its own
SELECT status, corrected FROM platform.reconcile_usage(preview => false, organization_id => :org);
SELECT count(*) AS off FROM platform.usage_periods p LEFT JOIN platform.usage_limits l ON l.period_id = p.id WHERE p.organization_id = :org
AND (coalesce(l.call_used_seconds, p.call_used_seconds) <> coalesce((SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = p.id), 0)
	OR coalesce(l.sms_used, p.sms_used) <> coalesce((SELECT sum(segments) FROM platform.sms_events e WHERE e.period_id = p.id), 0));
-- mail about usage looked the profile up by another key than everything else: what tells of usage has the profile's
SELECT DISTINCT p.email FROM platform.usage_alerts a JOIN platform.profiles p ON p.organization_id = a.organization_id AND p.user_id = a.user_id WHERE a.user_id = :u5;
-- everybody could read and write usage_limits: a member of another organization sees nothing and changes nothing
SELECT platform.set_context('ca500600-0000-4000-8000-000000000001', :u1);
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.usage_limits;
\set VERBOSITY sqlstate
UPDATE platform.usage_limits SET call_cap_seconds = 0;
ROLLBACK;
