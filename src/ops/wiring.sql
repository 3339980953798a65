-- migration 540 ops: row security, triggers, partitions, the view of alerts
-- requires: tenants

-- up

ALTER TABLE platform.ops_alerts
	DROP CONSTRAINT IF EXISTS ops_alerts_organization_id_fkey,
	ADD CONSTRAINT ops_alerts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

-- Operators only: no policy, and no privilege for members.
ALTER TABLE platform.ops_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.audit_logs ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE TRIGGER audit_logs_refuse BEFORE DELETE OR UPDATE ON platform.audit_logs
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_log_change();
CREATE OR REPLACE TRIGGER audit_logs_refuse_truncate BEFORE TRUNCATE ON platform.audit_logs
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_log_change();

SELECT platform.create_log_partitions();

-- Who became a member role, and of which kind a table is, is told by the installation itself.
CREATE OR REPLACE TRIGGER member_roles_audit AFTER INSERT OR DELETE OR UPDATE ON platform.member_roles
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER member_roles_audit_truncate BEFORE TRUNCATE ON platform.member_roles
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- A module with alerts of its own replaces this view by one over both, with these columns.
CREATE OR REPLACE VIEW platform.alerts WITH (security_invoker = true) AS
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.user_id, a.phone_number, a.message, a.details,
	a.created_at, a.acknowledged_at, a.acknowledged_by, a.resolved_at, a.resolved_by
FROM platform.ops_alerts a;
COMMENT ON VIEW platform.alerts IS
	'Alerts of every kind.';

-- down

DROP VIEW IF EXISTS platform.alerts;
DROP TRIGGER IF EXISTS member_roles_audit_truncate ON platform.member_roles;
DROP TRIGGER IF EXISTS member_roles_audit ON platform.member_roles;
DROP TRIGGER IF EXISTS audit_logs_refuse_truncate ON platform.audit_logs;
DROP TRIGGER IF EXISTS audit_logs_refuse ON platform.audit_logs;
ALTER TABLE platform.ops_alerts
	DROP CONSTRAINT IF EXISTS ops_alerts_organization_id_fkey;

-- checks

-- check: the partitioned logs take every row
SELECT t.name FROM (VALUES ('audit_logs')) AS t (name)
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = ('platform.' || t.name)::regclass
WHERE p.partdefid = 0;
-- check: the audit trail cannot be changed
SELECT 'audit_logs' AS name WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.audit_logs'::regclass AND g.tgname = 'audit_logs_refuse' AND g.tgenabled <> 'D');
