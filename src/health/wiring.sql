-- migration 640 health: foreign keys, row security, audit, retention
-- requires: tenants ops

-- up

ALTER TABLE platform.customer_health_scores
	DROP CONSTRAINT IF EXISTS customer_health_scores_organization_id_fkey,
	ADD CONSTRAINT customer_health_scores_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.churn_alerts
	DROP CONSTRAINT IF EXISTS churn_alerts_organization_id_fkey,
	ADD CONSTRAINT churn_alerts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

-- What the platform thinks of its customers is the operators': no policy, and no
-- privilege for members.
ALTER TABLE platform.customer_health_scores ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.customer_health_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.churn_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.health_thresholds ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.health_payment_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.health_settings ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE TRIGGER health_thresholds_audit AFTER INSERT OR DELETE OR UPDATE ON platform.health_thresholds
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER health_thresholds_audit_truncate BEFORE TRUNCATE ON platform.health_thresholds
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER health_payment_states_audit AFTER INSERT OR DELETE OR UPDATE ON platform.health_payment_states
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER health_payment_states_audit_truncate BEFORE TRUNCATE ON platform.health_payment_states
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER health_settings_audit AFTER INSERT OR DELETE OR UPDATE ON platform.health_settings
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER health_settings_audit_truncate BEFORE TRUNCATE ON platform.health_settings
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

INSERT INTO platform.retention_policies (name, table_name, time_column, keep) VALUES
	('health history', 'customer_health_history', 'created_at', '2 years'),
	('resolved churn alerts', 'churn_alerts', 'resolved_at', '2 years')
ON CONFLICT (name) DO NOTHING;

CREATE OR REPLACE VIEW platform.customer_health WITH (security_invoker = true) AS
SELECT h.organization_id, o.name AS organization, h.score, h.grade, h.risk_level, h.score - h.baseline_score AS change, h.last_activity_at,
	(SELECT pg_catalog.count(*) FROM platform.churn_alerts a WHERE a.organization_id = h.organization_id AND NOT a.resolved) AS open_alerts,
	h.factors, h.last_calculated
FROM platform.customer_health_scores h JOIN platform.organizations o ON o.id = h.organization_id;
COMMENT ON VIEW platform.customer_health IS
	'Each customer with its score, what that lost since somebody looked after it, and the number of its open churn alerts.';

-- down

DROP VIEW IF EXISTS platform.customer_health;
DELETE FROM platform.retention_policies WHERE name IN ('health history', 'resolved churn alerts');
DROP TRIGGER IF EXISTS health_settings_audit_truncate ON platform.health_settings;
DROP TRIGGER IF EXISTS health_settings_audit ON platform.health_settings;
DROP TRIGGER IF EXISTS health_payment_states_audit_truncate ON platform.health_payment_states;
DROP TRIGGER IF EXISTS health_payment_states_audit ON platform.health_payment_states;
DROP TRIGGER IF EXISTS health_thresholds_audit_truncate ON platform.health_thresholds;
DROP TRIGGER IF EXISTS health_thresholds_audit ON platform.health_thresholds;
ALTER TABLE platform.churn_alerts
	DROP CONSTRAINT IF EXISTS churn_alerts_organization_id_fkey;
ALTER TABLE platform.customer_health_scores
	DROP CONSTRAINT IF EXISTS customer_health_scores_organization_id_fkey;

-- checks

-- check: row security is on
SELECT t.name FROM (VALUES ('customer_health_scores'), ('customer_health_history'), ('churn_alerts')) AS t (name)
WHERE NOT (SELECT c.relrowsecurity FROM pg_catalog.pg_class c WHERE c.oid = ('platform.' || t.name)::regclass);
