-- Which tables the audit trail covers, from the catalogue: a table is audited, or named here with what tells its changes instead; secrets are masked
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
-- A table that is in neither list is found below: whoever adds one says in which it belongs.
CREATE TEMP TABLE unaudited (because text, tables text[]);
INSERT INTO unaudited VALUES
	('rows are only added', '{audit_logs,black_box_logs,secret_access_log,consent_logs,opt_out_requests,feature_flag_history,global_feature_flag_history,token_usage,call_events,sms_events,usage_top_ups,webhook_events,webhook_attempts,webhook_requests}'),
	('functions alone write what happened', '{agent_deployments,appointment_changes,billing_line_items,churn_alerts,customer_health_history,customer_health_scores,error_logs,feature_usage_events,latency_logs,low_balance_events,ops_alerts,reconciliation_discrepancies,reconciliation_runs,referral_fraud_signals,scheduled_job_runs,schema_migrations,sms_collision_log,sms_inbound,tier_snapshots,token_grants,token_purchases,unbilled_usage,unknown_phone,upgrade_prompts_shown,usage_alerts,usage_periods,usage_snapshots,usage_tier_changes,webhook_event_keys,webhook_keys,webhook_pg_net_requests}'),
	('counters, locks and queues', '{appointment_reminders,data_key_counts,dialer_queue,distributed_locks,feature_reservations,feature_usage,feature_usage_thresholds,idempotency_keys,outbound_sms_log,referral_outbox,sms_automation_log,sms_inbound_rate_limits,sms_outbound_throttle,sms_reservations,sms_thread_locks,token_holds,user_presence,webhook_deliveries,webhook_endpoints,webhook_fanout,webhook_queue}'),
	('what customers say and do, with its own history', '{appointments,call_notes,call_recordings,call_sessions,call_transcripts,calls,conversations,end_users,leads,messages,tracking_points,tracking_sessions,webrtc_quality_samples,webrtc_sessions}'),
	('catalogues without effect on rights and money', '{table_kinds,webhook_event_types,referral_common_domains}'),
	('only what ends a session is audited', '{active_sessions}');
CREATE TEMP VIEW our_table AS
	SELECT c.oid, c.relname, a.changes, a.truncate, coalesce(string_to_array(a.secrets, ', '), '{}') AS secrets
	FROM pg_class c LEFT JOIN platform.audited_tables a ON a.table_name = c.oid
	WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
\set ECHO all

-- there is something to check
SELECT count(*) > 100 AS tables, count(*) FILTER (WHERE changes) > 40 AS audited FROM our_table;
-- neither audited nor named: none
SELECT relname FROM our_table WHERE changes IS NOT TRUE AND relname NOT IN (SELECT unnest(tables) FROM unaudited) ORDER BY relname;
-- audited and named: none; half audited: none, but for the one that says so
SELECT relname FROM our_table WHERE changes AND relname IN (SELECT unnest(tables) FROM unaudited) ORDER BY relname;
SELECT relname, changes, truncate FROM our_table WHERE changes IS DISTINCT FROM truncate OR NOT changes ORDER BY relname;
-- where rows are only added, nobody changes one
SELECT t FROM unaudited, unnest(tables) AS t WHERE because = 'rows are only added' AND NOT EXISTS (
	SELECT FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid WHERE g.tgrelid = ('platform.' || t)::regclass AND p.proname ~ '^refuse_' AND g.tgtype & 16 = 16);
-- what is sensitive by the names of its columns is audited, or rows are only added to it
SELECT t.relname, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
FROM our_table t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attname ~ '(password|secret|api_key|credential|private_key|^role$|platform_role|_cap$|_cap_|_limit$|price|_rate$|payout|commission_minor|tier$|plan$)'
	AND t.changes IS NOT TRUE AND t.relname NOT IN (SELECT unnest(tables) FROM unaudited WHERE because <> 'catalogues without effect on rights and money')
GROUP BY t.relname ORDER BY t.relname;
-- what holds a secret is masked, and by the trigger for TRUNCATE too
SELECT t.relname, a.attname FROM our_table t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.secrets IS NOT NULL AND t.changes IS NOT NULL AND NOT a.attname = ANY (t.secrets)
	AND a.attname ~ '(password|secret|token|api_key|credential|private_key|hash|wrapped|check_value)'
	AND a.atttypid IN ('text'::regtype, 'bytea'::regtype, 'jsonb'::regtype) AND a.attname !~ '(_type|_id)$' ORDER BY 1, 2;
SELECT g.tgrelid::regclass, count(DISTINCT g.tgargs) FROM pg_trigger g WHERE g.tgfoid = 'platform.audit_changes'::regproc GROUP BY 1 HAVING count(DISTINCT g.tgargs) > 1;
-- the columns that registered as encrypted are among them
SELECT s.table_name, s.column_name FROM platform.secret_columns s JOIN our_table t ON t.relname = s.table_name
WHERE s.schema_name = 'platform' AND t.changes AND NOT s.column_name = ANY (t.secrets);

-- each of them really writes: an entry for a change of a row in every audited table that has one
BEGIN;
\set ECHO none
-- a row is taken out and put back
CREATE FUNCTION pg_temp.change_row(relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	entries bigint;
	changed bigint;
BEGIN
	SELECT count(*) INTO entries FROM platform.audit_logs WHERE entity = relation AND action = 'DELETE';
	BEGIN
		EXECUTE format('DELETE FROM platform.%1$I WHERE ctid = (SELECT min(ctid) FROM platform.%1$I)', relation);
		GET DIAGNOSTICS changed = ROW_COUNT;
		IF changed = 0 THEN
			RETURN 'empty';
		END IF;
		SELECT count(*) - entries INTO entries FROM platform.audit_logs WHERE entity = relation AND action = 'DELETE';
		RAISE EXCEPTION USING errcode = 'AUDIT', message = CASE WHEN entries > 0 THEN 'written' ELSE 'missing' END;
	EXCEPTION WHEN SQLSTATE 'AUDIT' THEN
		RETURN SQLERRM;
	WHEN OTHERS THEN
		RETURN 'refused';
	END;
END $$;
\set ECHO all
SELECT relname, pg_temp.change_row(relname) FROM our_table WHERE changes AND pg_temp.change_row(relname) = 'missing';
SELECT count(*) FILTER (WHERE pg_temp.change_row(relname) = 'written') >= 5 AS enough FROM our_table WHERE changes;
ROLLBACK;

-- what the trail tells of flags, subscriptions and sessions, and what not
BEGIN;
\set org '\'40e00000-0000-4000-8000-000000000001\''
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Audited modules');
INSERT INTO platform.users (id, email) VALUES ('40e00000-0000-4000-8000-0000000000a1', 'ann@audited.example');
\o
INSERT INTO platform.org_feature_flags (organization_id, feature, enabled) SELECT :org, feature, false FROM platform.global_feature_flags ORDER BY feature COLLATE "C" LIMIT 1;
INSERT INTO platform.subscriptions (organization_id, user_id, stripe_subscription_id, status, last_event_at) VALUES (:org, '40e00000-0000-4000-8000-0000000000a1', 'sub_audited', 'active', now());
UPDATE platform.subscriptions SET status = 'past_due' WHERE stripe_subscription_id = 'sub_audited';
INSERT INTO platform.active_sessions (organization_id, user_id, token_hash) VALUES (:org, '40e00000-0000-4000-8000-0000000000a1', repeat('a', 64));
UPDATE platform.active_sessions SET last_active_at = now() WHERE organization_id = :org;
SELECT platform.set_context(:org, 'Ann') \g /dev/null
UPDATE platform.active_sessions SET revoked_at = now(), revoked_reason = 'user_revoked' WHERE organization_id = :org;
SELECT entity, action, changed, actor FROM platform.audit_logs WHERE organization_id = :org AND entity <> 'organizations' ORDER BY id;
SELECT count(*) AS clear FROM platform.audit_logs WHERE organization_id = :org AND concat(old, new) LIKE '%aaaaaaaa%';
ROLLBACK;
