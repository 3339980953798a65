-- ops: alerts

CREATE OR REPLACE FUNCTION platform.raise_alert(organization_id uuid, alert_type text, severity text DEFAULT 'warning', title text DEFAULT NULL, message text DEFAULT NULL,
	dedup_key text DEFAULT NULL, details jsonb DEFAULT '{}', source text DEFAULT 'system', user_id uuid DEFAULT NULL, phone_number text DEFAULT NULL,
	OUT alert_id uuid, OUT occurrences bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_raise_alert';
COMMENT ON FUNCTION platform.raise_alert(uuid, text, text, text, text, text, jsonb, text, uuid, text) IS
	'Opens an alert (severity info, warning or critical), or counts up on the open one with the same organization, type and dedup key; its severity never falls. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.acknowledge_alert(alert_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_acknowledge_alert';
COMMENT ON FUNCTION platform.acknowledge_alert(uuid) IS
	'Somebody looks after the alert: true when this call said so first. Operators. Errors: 42501, 22004, PT404.';

CREATE OR REPLACE FUNCTION platform.resolve_alert(alert_id uuid, notes text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_alert';
COMMENT ON FUNCTION platform.resolve_alert(uuid, text) IS
	'Closes the alert: true when this call did. Raised again after that it is a new one. Operators. Errors: 42501, 22004, 22023, PT404.';

CREATE OR REPLACE FUNCTION platform.clear_alert(organization_id uuid, alert_type text, dedup_key text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clear_alert';
COMMENT ON FUNCTION platform.clear_alert(uuid, text, text) IS
	'Closes the open alert of that cause, because the cause is gone; false when none is open. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023.';

CREATE OR REPLACE FUNCTION platform.open_alerts(for_organization_id uuid DEFAULT NULL, least_severity text DEFAULT 'info', max_rows integer DEFAULT 100)
RETURNS TABLE (alert_id uuid, organization_id uuid, alert_type text, severity text, title text, message text, occurrences bigint,
	created_at timestamptz, last_raised_at timestamptz, acknowledged boolean, dedup_key text, details jsonb)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.title, a.message, a.occurrences,
	a.created_at, a.last_raised_at, a.acknowledged_at IS NOT NULL, a.dedup_key, a.details
FROM platform.ops_alerts a
JOIN (VALUES ('info', 1), ('warning', 2), ('critical', 3)) AS s (name, rank) ON s.name = a.severity
WHERE a.resolved_at IS NULL
	AND (for_organization_id IS NULL OR a.organization_id = for_organization_id)
	AND s.rank >= CASE least_severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END
ORDER BY a.acknowledged_at IS NOT NULL, s.rank DESC, a.last_raised_at DESC, a.id
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.open_alerts(uuid, text, integer) IS
	'Alerts that are not resolved: those nobody looks after first, then by severity, newest first. NULL: of all organizations, no limit. Operators (as the caller sees the table).';

-- ops: the audit trail

CREATE OR REPLACE FUNCTION platform.audit_changes() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_audit_changes';
COMMENT ON FUNCTION platform.audit_changes() IS
	'Trigger function, AFTER INSERT, UPDATE or DELETE FOR EACH ROW, and BEFORE TRUNCATE; arguments: columns with secrets, whose values are masked. Writes each change of a row to audit_logs. Errors: 39P01; 42703 a secret column is missing.';

CREATE OR REPLACE FUNCTION platform.audit_log(organization_id uuid, action text, entity text DEFAULT NULL, entity_id text DEFAULT NULL, metadata jsonb DEFAULT NULL,
	user_id uuid DEFAULT NULL, action_type text DEFAULT NULL, ip inet DEFAULT NULL, user_agent text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_audit_log';
COMMENT ON FUNCTION platform.audit_log(uuid, text, text, text, jsonb, uuid, text, inet, text) IS
	'Writes an entry of the audit trail for what no row says, and returns its id. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.refuse_log_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refuse_log_change';
COMMENT ON FUNCTION platform.refuse_log_change() IS
	'Trigger function, BEFORE UPDATE, DELETE or TRUNCATE: keeps a log append-only for everybody but purge_logs(). Errors: PT409; 39P01 when fired otherwise.';

-- ops: the life of logs

CREATE OR REPLACE FUNCTION platform.create_log_partitions(months_ahead integer DEFAULT 3)
RETURNS TABLE (table_name text, partition_name text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_log_partitions';
COMMENT ON FUNCTION platform.create_log_partitions(integer) IS
	'Makes the monthly partitions that logs miss, for this month and the next ones; a row for each. Months are those of UTC. For a daily or weekly job. Operators. Errors: 42501, 22023.';
