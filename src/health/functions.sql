-- health: scores

CREATE OR REPLACE FUNCTION platform.calculate_health_scores(organization_id uuid DEFAULT NULL,
	OUT scored bigint, OUT written bigint, OUT alerts_raised bigint, OUT alerts_resolved bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_calculate_health_scores';
COMMENT ON FUNCTION platform.calculate_health_scores(uuid) IS
	'Scores all customers (NULL) or one by the rules in health_thresholds, health_payment_states and health_settings; writes what changed, keeps the history, raises and resolves churn alerts. For a job, every few hours. Operators. Errors: 42501, PT404, 55000.';

CREATE OR REPLACE FUNCTION platform.health_sources()
RETURNS TABLE (input text, table_name text, used boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_health_sources';
COMMENT ON FUNCTION platform.health_sources() IS
	'What scores are made of: each input with the tables that it can be read from, the best first, and which one is used here. Operators. Errors: 42501.';

CREATE OR REPLACE FUNCTION platform.calculate_health_grade(score integer) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
AS $$
SELECT CASE WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'grade_a') THEN 'A'
	WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'grade_b') THEN 'B'
	WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'grade_c') THEN 'C'
	WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'grade_d') THEN 'D' ELSE 'F' END
FROM platform.health_settings s
$$;
COMMENT ON FUNCTION platform.calculate_health_grade(integer) IS
	'The grade of a score by health_settings: A, B, C, D or F. NULL for NULL. Operators (as the caller sees the table).';

CREATE OR REPLACE FUNCTION platform.calculate_churn_risk(score integer) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
AS $$
SELECT CASE WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'risk_low') THEN 'low'
	WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'risk_medium') THEN 'medium'
	WHEN $1 >= pg_catalog.max(s.value) FILTER (WHERE s.name = 'risk_high') THEN 'high' ELSE 'critical' END
FROM platform.health_settings s
$$;
COMMENT ON FUNCTION platform.calculate_churn_risk(integer) IS
	'The risk of a score by health_settings: low, medium, high or critical. NULL for NULL. Operators (as the caller sees the table).';

-- health: churn alerts

CREATE OR REPLACE FUNCTION platform.acknowledge_churn_alert(alert_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_acknowledge_churn_alert';
COMMENT ON FUNCTION platform.acknowledge_churn_alert(uuid) IS
	'Somebody looks after the alert: true when this call said so first. Operators. Errors: 42501, 22004, PT404, 55000.';

CREATE OR REPLACE FUNCTION platform.resolve_churn_alert(alert_id uuid, notes text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_churn_alert';
COMMENT ON FUNCTION platform.resolve_churn_alert(uuid, text) IS
	'Closes the alert: true when this call did; later scores are compared with the present one, and its kind stays away for repeat_days. Operators. Errors: 42501, 22004, 22023, PT404, 55000.';

CREATE OR REPLACE FUNCTION platform.open_churn_alerts(for_organization_id uuid DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (alert_id uuid, organization_id uuid, organization text, alert_type text, severity text, title text, score_before integer, score_after integer,
	created_at timestamptz, acknowledged boolean, metadata jsonb)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT a.id, a.organization_id, o.name, a.alert_type, a.severity, a.title, a.score_before, a.score_after, a.created_at, a.acknowledged, a.metadata
FROM platform.churn_alerts a JOIN platform.organizations o ON o.id = a.organization_id
WHERE NOT a.resolved AND (for_organization_id IS NULL OR a.organization_id = for_organization_id)
ORDER BY a.acknowledged, pg_catalog.array_position('{critical,high,medium,low}'::text[], a.severity), a.created_at DESC, a.id
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.open_churn_alerts(uuid, integer) IS
	'Churn alerts that are not resolved: those nobody looks after first, then by severity, newest first. NULL: of all customers, no limit. Operators (as the caller sees the tables).';

CREATE OR REPLACE FUNCTION platform.claim_churn_emails(max_rows integer DEFAULT 100)
RETURNS TABLE (alert_id uuid, organization_id uuid, organization text, email text, score integer)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH due AS (
	SELECT a.id, a.organization_id FROM platform.churn_alerts a
	WHERE a.email_due AND NOT a.email_sent AND NOT a.resolved
	ORDER BY a.created_at, a.id LIMIT max_rows FOR UPDATE SKIP LOCKED
), claimed AS (
	UPDATE platform.churn_alerts a SET email_sent = true, email_sent_at = pg_catalog.clock_timestamp()
	FROM due d WHERE a.id = d.id AND a.organization_id = d.organization_id
	RETURNING a.id, a.organization_id, a.score_after
)
SELECT c.id, c.organization_id, o.name, u.email, c.score_after
FROM claimed c JOIN platform.organizations o ON o.id = c.organization_id
LEFT JOIN LATERAL (SELECT u.email FROM platform.organization_members m JOIN platform.users u ON u.id = m.user_id
	WHERE m.organization_id = c.organization_id AND m.role = 'owner' AND u.deleted_at IS NULL
	ORDER BY m.created_at, m.id LIMIT 1) AS u ON true
$$;
COMMENT ON FUNCTION platform.claim_churn_emails(integer) IS
	'Customers whose score fell below email_below and who are to be written to, each given out once, with the first owner''s address. Operators (as the caller sees the tables).';
