-- migration 520 features: row security, triggers, the known features
-- requires: tenants

-- up

ALTER TABLE platform.org_feature_flags
	DROP CONSTRAINT IF EXISTS org_feature_flags_organization_id_fkey,
	ADD CONSTRAINT org_feature_flags_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.tenant_feature_flags
	DROP CONSTRAINT IF EXISTS tenant_feature_flags_organization_id_fkey,
	ADD CONSTRAINT tenant_feature_flags_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.feature_credits
	DROP CONSTRAINT IF EXISTS feature_credits_organization_id_fkey,
	ADD CONSTRAINT feature_credits_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

-- Events have none: they stay as history, and a key on the organization's row would
-- make every keyed consumption lock it.
ALTER TABLE platform.feature_usage
	DROP CONSTRAINT IF EXISTS feature_usage_organization_id_fkey,
	ADD CONSTRAINT feature_usage_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.feature_reservations
	DROP CONSTRAINT IF EXISTS feature_reservations_organization_id_fkey,
	ADD CONSTRAINT feature_reservations_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.feature_usage_thresholds
	DROP CONSTRAINT IF EXISTS feature_usage_thresholds_organization_id_fkey,
	ADD CONSTRAINT feature_usage_thresholds_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

ALTER TABLE platform.global_feature_flags ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.tier_features ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.org_feature_flags ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.tenant_feature_flags ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_credits ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_usage_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_usage_thresholds ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.feature_flag_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.global_feature_flag_history ENABLE ROW LEVEL SECURITY;

-- Members see what the platform set for their organization; their administrators
-- write a row of their own, which can only narrow it.
DROP POLICY IF EXISTS org_feature_flags_member_select ON platform.org_feature_flags;
CREATE POLICY org_feature_flags_member_select ON platform.org_feature_flags FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS tenant_feature_flags_member_select ON platform.tenant_feature_flags;
CREATE POLICY tenant_feature_flags_member_select ON platform.tenant_feature_flags FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS tenant_feature_flags_admin_insert ON platform.tenant_feature_flags;
CREATE POLICY tenant_feature_flags_admin_insert ON platform.tenant_feature_flags FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS tenant_feature_flags_admin_update ON platform.tenant_feature_flags;
CREATE POLICY tenant_feature_flags_admin_update ON platform.tenant_feature_flags FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS tenant_feature_flags_admin_delete ON platform.tenant_feature_flags;
CREATE POLICY tenant_feature_flags_admin_delete ON platform.tenant_feature_flags FOR DELETE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS feature_credits_member_select ON platform.feature_credits;
CREATE POLICY feature_credits_member_select ON platform.feature_credits FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS feature_usage_member_select ON platform.feature_usage;
CREATE POLICY feature_usage_member_select ON platform.feature_usage FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS feature_usage_events_member_select ON platform.feature_usage_events;
CREATE POLICY feature_usage_events_member_select ON platform.feature_usage_events FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS feature_reservations_member_select ON platform.feature_reservations;
CREATE POLICY feature_reservations_member_select ON platform.feature_reservations FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS feature_usage_thresholds_member_select ON platform.feature_usage_thresholds;
CREATE POLICY feature_usage_thresholds_member_select ON platform.feature_usage_thresholds FOR SELECT
	USING (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER global_feature_flags_check
	BEFORE INSERT OR UPDATE ON platform.global_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.check_feature_definition();
CREATE OR REPLACE TRIGGER global_feature_flags_check_prerequisites
	AFTER INSERT OR DELETE OR UPDATE ON platform.global_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.check_prerequisites();
CREATE OR REPLACE TRIGGER tier_features_check BEFORE INSERT OR UPDATE ON platform.tier_features
	FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();
CREATE OR REPLACE TRIGGER org_feature_flags_check BEFORE INSERT OR UPDATE ON platform.org_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();
CREATE OR REPLACE TRIGGER tenant_feature_flags_check BEFORE INSERT OR UPDATE ON platform.tenant_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();

-- Caches learn of a change wherever it is made, the history where it is made first.
CREATE OR REPLACE TRIGGER global_feature_flags_record
	AFTER INSERT OR DELETE OR UPDATE ON platform.global_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
CREATE OR REPLACE TRIGGER tier_features_record
	AFTER INSERT OR DELETE OR UPDATE ON platform.tier_features
	FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
CREATE OR REPLACE TRIGGER org_feature_flags_record
	AFTER INSERT OR DELETE OR UPDATE ON platform.org_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
CREATE OR REPLACE TRIGGER tenant_feature_flags_record
	AFTER INSERT OR DELETE OR UPDATE ON platform.tenant_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
CREATE OR REPLACE TRIGGER feature_credits_notify
	AFTER INSERT OR DELETE OR UPDATE ON platform.feature_credits
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER organizations_record AFTER INSERT OR DELETE ON platform.organizations
	FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
CREATE OR REPLACE TRIGGER organizations_record_update AFTER UPDATE ON platform.organizations
	FOR EACH ROW WHEN (
		OLD.id IS DISTINCT FROM NEW.id OR
		OLD.tier IS DISTINCT FROM NEW.tier OR
		OLD.status IS DISTINCT FROM NEW.status OR
		OLD.timezone IS DISTINCT FROM NEW.timezone OR
		OLD.billing_anchor_day IS DISTINCT FROM NEW.billing_anchor_day OR
		OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
	EXECUTE FUNCTION platform.record_flag_change();

-- TRUNCATE would leave no trace: refused, and where replication applies one, seen.
CREATE OR REPLACE TRIGGER global_feature_flags_refuse_truncate BEFORE TRUNCATE ON platform.global_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER tier_features_refuse_truncate BEFORE TRUNCATE ON platform.tier_features
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER org_feature_flags_refuse_truncate BEFORE TRUNCATE ON platform.org_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER tenant_feature_flags_refuse_truncate BEFORE TRUNCATE ON platform.tenant_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER global_feature_flags_notify_truncate AFTER TRUNCATE ON platform.global_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER tier_features_notify_truncate AFTER TRUNCATE ON platform.tier_features
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER org_feature_flags_notify_truncate AFTER TRUNCATE ON platform.org_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER tenant_feature_flags_notify_truncate AFTER TRUNCATE ON platform.tenant_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER feature_credits_notify_truncate AFTER TRUNCATE ON platform.feature_credits
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.global_feature_flags
	ENABLE ALWAYS TRIGGER global_feature_flags_record,
	ENABLE ALWAYS TRIGGER global_feature_flags_notify_truncate;
ALTER TABLE platform.tier_features
	ENABLE ALWAYS TRIGGER tier_features_record,
	ENABLE ALWAYS TRIGGER tier_features_notify_truncate;
ALTER TABLE platform.org_feature_flags
	ENABLE ALWAYS TRIGGER org_feature_flags_record,
	ENABLE ALWAYS TRIGGER org_feature_flags_notify_truncate;
ALTER TABLE platform.tenant_feature_flags
	ENABLE ALWAYS TRIGGER tenant_feature_flags_record,
	ENABLE ALWAYS TRIGGER tenant_feature_flags_notify_truncate;
ALTER TABLE platform.feature_credits
	ENABLE ALWAYS TRIGGER feature_credits_notify,
	ENABLE ALWAYS TRIGGER feature_credits_notify_truncate;

CREATE OR REPLACE TRIGGER feature_flag_history_refuse
	BEFORE DELETE OR UPDATE ON platform.feature_flag_history
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER feature_flag_history_refuse_truncate
	BEFORE TRUNCATE ON platform.feature_flag_history
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER global_feature_flag_history_refuse
	BEFORE DELETE OR UPDATE ON platform.global_feature_flag_history
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER global_feature_flag_history_refuse_truncate
	BEFORE TRUNCATE ON platform.global_feature_flag_history
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

INSERT INTO platform.global_feature_flags (feature, description) VALUES
	('voice_operations', 'Calls are made and answered'),
	('recording', 'Calls are recorded'),
	('transcription', 'Recordings are turned into text'),
	('translation', 'Transcripts are translated'),
	('live_translation', 'Calls are translated while they run'),
	('survey', 'Callers are asked after a call'),
	('synthetic_caller', 'Automated test calls'),
	('secret_shopper', 'Test calls that rate how they are answered'),
	('ai_features', 'Whatever a language model does'),
	('webhooks', 'Events are delivered to the customer''s addresses'),
	('api_access', 'Access through the API'),
	('bulk_upload', 'Import of files'),
	('evidence_export', 'Export of recordings and transcripts as evidence')
ON CONFLICT (feature) DO NOTHING;

-- How long a flag of each kind is expected to live: the lifetimes that Unleash uses.
CREATE OR REPLACE VIEW platform.stale_feature_flags WITH (security_invoker = true) AS
SELECT g.feature, g.kind, g.enabled, g.rollout, l.expected_days, g.created_at,
	g.created_at + pg_catalog.make_interval(days => l.expected_days) AS stale_since,
	(SELECT pg_catalog.max(h.changed_at) FROM platform.global_feature_flag_history h
		WHERE h.source = 'global_feature_flags' AND h.feature = g.feature) AS changed_at
FROM platform.global_feature_flags g
JOIN (VALUES ('release', 40), ('experiment', 40), ('operational', 7)) AS l (kind, expected_days) ON l.kind = g.kind
WHERE g.created_at + pg_catalog.make_interval(days => l.expected_days) <= pg_catalog.now();
COMMENT ON VIEW platform.stale_feature_flags IS
	'Flags that have outlived their kind: release and experiment 40 days, operational 7; kill_switch and permission never do.';

-- In the audit trail, where module ops is installed; flags have a history of their own besides.
CREATE OR REPLACE TRIGGER feature_credits_audit AFTER INSERT OR DELETE OR UPDATE ON platform.feature_credits
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER feature_credits_audit_truncate BEFORE TRUNCATE ON platform.feature_credits
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

CREATE OR REPLACE TRIGGER global_feature_flags_audit AFTER INSERT OR DELETE OR UPDATE ON platform.global_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER global_feature_flags_audit_truncate BEFORE TRUNCATE ON platform.global_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER org_feature_flags_audit AFTER INSERT OR DELETE OR UPDATE ON platform.org_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER org_feature_flags_audit_truncate BEFORE TRUNCATE ON platform.org_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER tenant_feature_flags_audit AFTER INSERT OR DELETE OR UPDATE ON platform.tenant_feature_flags
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER tenant_feature_flags_audit_truncate BEFORE TRUNCATE ON platform.tenant_feature_flags
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER tier_features_audit AFTER INSERT OR DELETE OR UPDATE ON platform.tier_features
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER tier_features_audit_truncate BEFORE TRUNCATE ON platform.tier_features
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS tier_features_audit_truncate ON platform.tier_features;
DROP TRIGGER IF EXISTS tier_features_audit ON platform.tier_features;
DROP TRIGGER IF EXISTS tenant_feature_flags_audit_truncate ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS tenant_feature_flags_audit ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_audit_truncate ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_audit ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS global_feature_flags_audit_truncate ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS global_feature_flags_audit ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS feature_credits_audit_truncate ON platform.feature_credits;
DROP TRIGGER IF EXISTS feature_credits_audit ON platform.feature_credits;
DROP VIEW IF EXISTS platform.stale_feature_flags;

DROP TRIGGER IF EXISTS global_feature_flag_history_refuse_truncate ON platform.global_feature_flag_history;
DROP TRIGGER IF EXISTS global_feature_flag_history_refuse ON platform.global_feature_flag_history;
DROP TRIGGER IF EXISTS feature_flag_history_refuse_truncate ON platform.feature_flag_history;
DROP TRIGGER IF EXISTS feature_flag_history_refuse ON platform.feature_flag_history;
DROP TRIGGER IF EXISTS feature_credits_notify_truncate ON platform.feature_credits;
DROP TRIGGER IF EXISTS tenant_feature_flags_notify_truncate ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_notify_truncate ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS tier_features_notify_truncate ON platform.tier_features;
DROP TRIGGER IF EXISTS global_feature_flags_notify_truncate ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS tenant_feature_flags_refuse_truncate ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_refuse_truncate ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS tier_features_refuse_truncate ON platform.tier_features;
DROP TRIGGER IF EXISTS global_feature_flags_refuse_truncate ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS organizations_record_update ON platform.organizations;
DROP TRIGGER IF EXISTS organizations_record ON platform.organizations;
DROP TRIGGER IF EXISTS feature_credits_notify ON platform.feature_credits;
DROP TRIGGER IF EXISTS tenant_feature_flags_record ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_record ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS tier_features_record ON platform.tier_features;
DROP TRIGGER IF EXISTS global_feature_flags_record ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS tenant_feature_flags_check ON platform.tenant_feature_flags;
DROP TRIGGER IF EXISTS org_feature_flags_check ON platform.org_feature_flags;
DROP TRIGGER IF EXISTS tier_features_check ON platform.tier_features;
DROP TRIGGER IF EXISTS global_feature_flags_check_prerequisites ON platform.global_feature_flags;
DROP TRIGGER IF EXISTS global_feature_flags_check ON platform.global_feature_flags;

-- Row security stays on: without policies it lets no member in.
DROP POLICY IF EXISTS feature_usage_thresholds_member_select ON platform.feature_usage_thresholds;
DROP POLICY IF EXISTS feature_reservations_member_select ON platform.feature_reservations;
DROP POLICY IF EXISTS feature_usage_events_member_select ON platform.feature_usage_events;
DROP POLICY IF EXISTS feature_usage_member_select ON platform.feature_usage;
DROP POLICY IF EXISTS feature_credits_member_select ON platform.feature_credits;
DROP POLICY IF EXISTS tenant_feature_flags_admin_delete ON platform.tenant_feature_flags;
DROP POLICY IF EXISTS tenant_feature_flags_admin_update ON platform.tenant_feature_flags;
DROP POLICY IF EXISTS tenant_feature_flags_admin_insert ON platform.tenant_feature_flags;
DROP POLICY IF EXISTS tenant_feature_flags_member_select ON platform.tenant_feature_flags;
DROP POLICY IF EXISTS org_feature_flags_member_select ON platform.org_feature_flags;

ALTER TABLE platform.feature_usage_thresholds
	DROP CONSTRAINT IF EXISTS feature_usage_thresholds_organization_id_fkey;
ALTER TABLE platform.feature_reservations
	DROP CONSTRAINT IF EXISTS feature_reservations_organization_id_fkey;
ALTER TABLE platform.feature_usage
	DROP CONSTRAINT IF EXISTS feature_usage_organization_id_fkey;
ALTER TABLE platform.feature_credits
	DROP CONSTRAINT IF EXISTS feature_credits_organization_id_fkey;
ALTER TABLE platform.tenant_feature_flags
	DROP CONSTRAINT IF EXISTS tenant_feature_flags_organization_id_fkey;
ALTER TABLE platform.org_feature_flags
	DROP CONSTRAINT IF EXISTS org_feature_flags_organization_id_fkey;

-- checks

-- check: changes of flags reach the caches
SELECT t.name FROM (VALUES ('global_feature_flags'), ('tier_features'), ('org_feature_flags'), ('tenant_feature_flags'), ('feature_credits')) AS t (name)
WHERE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = ('platform.' || t.name)::regclass AND g.tgenabled = 'A' AND NOT g.tgisinternal) < 2;
-- check: history cannot be changed
SELECT t.name FROM (VALUES ('feature_flag_history'), ('global_feature_flag_history')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = ('platform.' || t.name)::regclass AND g.tgname = t.name || '_refuse' AND g.tgenabled <> 'D');
-- check: rows of a feature name a known feature
SELECT 'tenant_feature_flags' AS name, t.feature FROM platform.tenant_feature_flags t
WHERE NOT EXISTS (SELECT 1 FROM platform.global_feature_flags g WHERE g.feature = t.feature)
UNION ALL
SELECT 'tier_features', t.feature FROM platform.tier_features t
WHERE NOT EXISTS (SELECT 1 FROM platform.global_feature_flags g WHERE g.feature = t.feature);
-- check: no feature is its own prerequisite
WITH RECURSIVE needed (feature, prerequisite) AS (
	SELECT g.feature, p FROM platform.global_feature_flags g, pg_catalog.unnest(g.prerequisites) p
	UNION
	SELECT n.feature, p FROM needed n
	JOIN platform.global_feature_flags g ON g.feature = n.prerequisite
	CROSS JOIN LATERAL pg_catalog.unnest(g.prerequisites) p)
SELECT feature FROM needed WHERE feature = prerequisite;
