-- migration 540 ops: row security, triggers, partitions, the view of alerts
-- requires: tenants

-- up

-- Logs have no foreign keys: they may be about what is gone, and who reports has
-- trouble enough.
ALTER TABLE platform.ops_alerts
	DROP CONSTRAINT IF EXISTS ops_alerts_organization_id_fkey,
	ADD CONSTRAINT ops_alerts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.upgrade_prompts_shown
	DROP CONSTRAINT IF EXISTS upgrade_prompts_shown_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS upgrade_prompts_shown_user_id_fkey,
	ADD CONSTRAINT upgrade_prompts_shown_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT upgrade_prompts_shown_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE CASCADE;

-- Operators only: no policy, and no privilege for members.
ALTER TABLE platform.ops_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.error_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.latency_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.black_box_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.scheduled_job_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.retention_policies ENABLE ROW LEVEL SECURITY;

-- A user sees what it was shown; its organization's administrators see all of it.
ALTER TABLE platform.upgrade_prompts_shown ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS upgrade_prompts_shown_self_select ON platform.upgrade_prompts_shown;
CREATE POLICY upgrade_prompts_shown_self_select ON platform.upgrade_prompts_shown FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));

CREATE OR REPLACE TRIGGER audit_logs_refuse BEFORE DELETE OR UPDATE ON platform.audit_logs
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_log_change();
CREATE OR REPLACE TRIGGER audit_logs_refuse_truncate BEFORE TRUNCATE ON platform.audit_logs
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_log_change();
CREATE OR REPLACE TRIGGER black_box_logs_refuse BEFORE DELETE OR UPDATE ON platform.black_box_logs
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER black_box_logs_refuse_truncate BEFORE TRUNCATE ON platform.black_box_logs
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER retention_policies_touch BEFORE UPDATE ON platform.retention_policies
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

SELECT platform.create_log_partitions();

-- Who became a member role, and what is kept how long.
CREATE OR REPLACE TRIGGER member_roles_audit AFTER INSERT OR DELETE OR UPDATE ON platform.member_roles
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER member_roles_audit_truncate BEFORE TRUNCATE ON platform.member_roles
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER retention_policies_audit AFTER INSERT OR DELETE OR UPDATE ON platform.retention_policies
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER retention_policies_audit_truncate BEFORE TRUNCATE ON platform.retention_policies
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- A module with alerts of its own replaces this view by one over both, with these columns.
CREATE OR REPLACE VIEW platform.alerts WITH (security_invoker = true) AS
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.user_id, a.phone_number, a.message, a.details,
	a.created_at, a.acknowledged_at, a.acknowledged_by, a.resolved_at, a.resolved_by
FROM platform.ops_alerts a;
COMMENT ON VIEW platform.alerts IS
	'Alerts of every kind.';

-- Of the last day, and by hour.
CREATE OR REPLACE VIEW platform.latency_percentiles WITH (security_invoker = true) AS
SELECT s.endpoint, s.method, s.requests, pg_catalog.round(s.percentiles[1]::numeric, 1) AS p50_ms, pg_catalog.round(s.percentiles[2]::numeric, 1) AS p90_ms,
	pg_catalog.round(s.percentiles[3]::numeric, 1) AS p95_ms, pg_catalog.round(s.percentiles[4]::numeric, 1) AS p99_ms, s.max_ms, s.slow, s.failed
FROM (
	SELECT l.endpoint, l.method, pg_catalog.count(*) AS requests,
		pg_catalog.percentile_cont('{0.5,0.9,0.95,0.99}'::double precision[]) WITHIN GROUP (ORDER BY l.duration_ms) AS percentiles,
		pg_catalog.max(l.duration_ms) AS max_ms,
		pg_catalog.count(*) FILTER (WHERE l.is_slow) AS slow,
		pg_catalog.count(*) FILTER (WHERE l.status_code >= 500) AS failed
	FROM platform.latency_logs l
	WHERE l.created_at >= pg_catalog.now() - '24 hours'::interval
	GROUP BY l.endpoint, l.method) AS s;
COMMENT ON VIEW platform.latency_percentiles IS
	'Of the last 24 hours, for each endpoint and method: requests, percentiles in milliseconds, slow and failed (5xx) ones.';
CREATE OR REPLACE VIEW platform.latency_hourly WITH (security_invoker = true) AS
SELECT s.hour, s.endpoint, s.method, s.requests, pg_catalog.round(s.percentiles[1]::numeric, 1) AS p50_ms, pg_catalog.round(s.percentiles[2]::numeric, 1) AS p90_ms,
	pg_catalog.round(s.percentiles[3]::numeric, 1) AS p95_ms, pg_catalog.round(s.percentiles[4]::numeric, 1) AS p99_ms, s.max_ms, s.slow, s.failed
FROM (
	SELECT pg_catalog.date_trunc('hour', l.created_at, 'UTC') AS hour, l.endpoint, l.method, pg_catalog.count(*) AS requests,
		pg_catalog.percentile_cont('{0.5,0.9,0.95,0.99}'::double precision[]) WITHIN GROUP (ORDER BY l.duration_ms) AS percentiles,
		pg_catalog.max(l.duration_ms) AS max_ms,
		pg_catalog.count(*) FILTER (WHERE l.is_slow) AS slow,
		pg_catalog.count(*) FILTER (WHERE l.status_code >= 500) AS failed
	FROM platform.latency_logs l
	GROUP BY pg_catalog.date_trunc('hour', l.created_at, 'UTC'), l.endpoint, l.method) AS s;
COMMENT ON VIEW platform.latency_hourly IS
	'By hour (UTC), endpoint and method: requests, percentiles in milliseconds, slow and failed (5xx) ones.';

CREATE OR REPLACE VIEW platform.audited_tables WITH (security_invoker = true) AS
SELECT t.tgrelid::regclass AS table_name,
	pg_catalog.bool_or(t.tgtype & 1 = 1 AND t.tgtype & 28 = 28 AND t.tgenabled IN ('O', 'A')) AS changes,
	pg_catalog.bool_or(t.tgtype & 32 = 32 AND t.tgenabled IN ('O', 'A')) AS truncate,
	pg_catalog.max(pg_catalog.array_to_string(pg_catalog.string_to_array(pg_catalog.encode(pg_catalog.substr(t.tgargs, 1, GREATEST(pg_catalog.length(t.tgargs) - 1, 0)), 'escape'), '\000'), ', ')) AS secrets
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'platform' AND p.proname = 'audit_changes' AND NOT t.tgisinternal AND t.tgparentid = 0
GROUP BY t.tgrelid;
COMMENT ON VIEW platform.audited_tables IS
	'The tables with the audit trigger: whether it sees all changes of rows, and TRUNCATE; the columns that it masks.';

CREATE OR REPLACE VIEW platform.upgrade_prompt_results WITH (security_invoker = true) AS
SELECT u.organization_id, u.prompt_type, u.trigger_reason, pg_catalog.count(*) AS shown,
	pg_catalog.count(u.clicked_at) AS clicked, pg_catalog.count(u.dismissed_at) AS dismissed,
	pg_catalog.count(u.converted_at) AS converted
FROM platform.upgrade_prompts_shown u
GROUP BY u.organization_id, u.prompt_type, u.trigger_reason;
COMMENT ON VIEW platform.upgrade_prompt_results IS
	'What came of upgrade prompts, by type and reason.';

-- down

DROP VIEW IF EXISTS platform.upgrade_prompt_results;
DROP VIEW IF EXISTS platform.audited_tables;
DROP VIEW IF EXISTS platform.latency_hourly;
DROP VIEW IF EXISTS platform.latency_percentiles;
DROP VIEW IF EXISTS platform.alerts;
DROP TRIGGER IF EXISTS retention_policies_audit_truncate ON platform.retention_policies;
DROP TRIGGER IF EXISTS retention_policies_audit ON platform.retention_policies;
DROP TRIGGER IF EXISTS retention_policies_touch ON platform.retention_policies;
DROP TRIGGER IF EXISTS black_box_logs_refuse_truncate ON platform.black_box_logs;
DROP TRIGGER IF EXISTS black_box_logs_refuse ON platform.black_box_logs;
DROP POLICY IF EXISTS upgrade_prompts_shown_self_select ON platform.upgrade_prompts_shown;
ALTER TABLE platform.ops_alerts
	DROP CONSTRAINT IF EXISTS ops_alerts_organization_id_fkey;
ALTER TABLE platform.upgrade_prompts_shown
	DROP CONSTRAINT IF EXISTS upgrade_prompts_shown_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS upgrade_prompts_shown_user_id_fkey;
DROP TRIGGER IF EXISTS member_roles_audit_truncate ON platform.member_roles;
DROP TRIGGER IF EXISTS member_roles_audit ON platform.member_roles;
DROP TRIGGER IF EXISTS audit_logs_refuse_truncate ON platform.audit_logs;
DROP TRIGGER IF EXISTS audit_logs_refuse ON platform.audit_logs;

-- checks

-- check: the partitioned logs take every row
SELECT t.name FROM (VALUES ('audit_logs'), ('error_logs'), ('latency_logs')) AS t (name)
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = ('platform.' || t.name)::regclass
WHERE p.partdefid = 0;
-- check: the audit trail and the black box cannot be changed
SELECT t.name FROM (VALUES ('audit_logs'), ('black_box_logs')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = ('platform.' || t.name)::regclass AND g.tgname = t.name || '_refuse' AND g.tgenabled <> 'D');
-- check: partitions of the audit trail refuse TRUNCATE
SELECT i.inhrelid::regclass FROM pg_catalog.pg_inherits i
WHERE i.inhparent = 'platform.audit_logs'::regclass AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = i.inhrelid AND g.tgname LIKE '%\_refuse\_truncate' AND g.tgenabled <> 'D');
