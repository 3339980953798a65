-- migration 601 usage: foreign keys, row security, triggers and views of bills and reconciliation
-- requires: tenants ops

-- up

ALTER TABLE platform.billing_line_items
	DROP CONSTRAINT IF EXISTS billing_line_items_billing_period_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS billing_line_items_tier_snapshot_id_fkey,
	DROP CONSTRAINT IF EXISTS billing_line_items_dispute_id_organization_id_fkey,
	ADD CONSTRAINT billing_line_items_billing_period_id_organization_id_fkey
		FOREIGN KEY (billing_period_id, organization_id) REFERENCES platform.usage_periods (id, organization_id),
	ADD CONSTRAINT billing_line_items_tier_snapshot_id_fkey
		FOREIGN KEY (tier_snapshot_id) REFERENCES platform.tier_snapshots (id),
	ADD CONSTRAINT billing_line_items_dispute_id_organization_id_fkey
		FOREIGN KEY (dispute_id, organization_id) REFERENCES platform.billing_disputes (id, organization_id);
ALTER TABLE platform.billing_disputes
	DROP CONSTRAINT IF EXISTS billing_disputes_line_item_id_organization_id_fkey,
	ADD CONSTRAINT billing_disputes_line_item_id_organization_id_fkey
		FOREIGN KEY (line_item_id, organization_id) REFERENCES platform.billing_line_items (id, organization_id);
ALTER TABLE platform.reconciliation_discrepancies
	DROP CONSTRAINT IF EXISTS reconciliation_discrepancies_run_id_fkey,
	ADD CONSTRAINT reconciliation_discrepancies_run_id_fkey
		FOREIGN KEY (run_id) REFERENCES platform.reconciliation_runs (id) ON DELETE CASCADE;

ALTER TABLE platform.billing_line_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.billing_disputes ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.reconciliation_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.reconciliation_discrepancies ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS billing_line_items_self_select ON platform.billing_line_items;
CREATE POLICY billing_line_items_self_select ON platform.billing_line_items FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS billing_disputes_self_select ON platform.billing_disputes;
CREATE POLICY billing_disputes_self_select ON platform.billing_disputes FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));

CREATE OR REPLACE TRIGGER billing_line_items_check BEFORE DELETE OR UPDATE ON platform.billing_line_items
	FOR EACH ROW EXECUTE FUNCTION platform.check_billing_line_item();
CREATE OR REPLACE TRIGGER billing_line_items_refuse_truncate BEFORE TRUNCATE ON platform.billing_line_items
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER billing_disputes_audit AFTER INSERT OR DELETE OR UPDATE ON platform.billing_disputes
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER billing_disputes_audit_truncate BEFORE TRUNCATE ON platform.billing_disputes
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

CREATE OR REPLACE VIEW platform.bills WITH (security_invoker = true) AS
SELECT b.organization_id, b.user_id, b.billing_period_id, p.period_start, p.period_end, p.tier,
	pg_catalog.count(*) AS line_items,
	pg_catalog.max(b.revision) AS revision,
	pg_catalog.sum(b.total_amount) AS total_amount,
	COALESCE(pg_catalog.sum(b.total_amount) FILTER (WHERE b.line_kind = 'credit'), 0) AS credits,
	p.rebill_at IS NOT NULL AS is_outdated
FROM platform.billing_line_items b
JOIN platform.usage_periods p ON p.id = b.billing_period_id AND p.organization_id = b.organization_id
GROUP BY b.organization_id, b.user_id, b.billing_period_id, p.period_start, p.period_end, p.tier, p.rebill_at;
COMMENT ON VIEW platform.bills IS
	'A row a billed period. is_outdated: something changed since; the next generate_billing_line_items() adjusts it.';

CREATE OR REPLACE VIEW platform.reconciliation_progress WITH (security_invoker = true) AS
SELECT r.id AS run_id, r.run_type, r.scope_organization_id, r.preview, r.started_at, r.progress_at,
	r.customers_total, r.customers_checked,
	pg_catalog.round(100.0 * r.customers_checked / NULLIF(r.customers_total, 0), 1) AS percent,
	r.records_checked, r.discrepancies_found, r.corrected
FROM platform.reconciliation_runs r
WHERE r.status = 'running';
COMMENT ON VIEW platform.reconciliation_progress IS
	'How far runs are that go in batches: as of the last one that was committed.';

-- down

DROP VIEW IF EXISTS platform.reconciliation_progress;
DROP VIEW IF EXISTS platform.bills;
DROP TRIGGER IF EXISTS billing_disputes_audit_truncate ON platform.billing_disputes;
DROP TRIGGER IF EXISTS billing_disputes_audit ON platform.billing_disputes;
DROP TRIGGER IF EXISTS billing_line_items_refuse_truncate ON platform.billing_line_items;
DROP TRIGGER IF EXISTS billing_line_items_check ON platform.billing_line_items;
DROP POLICY IF EXISTS billing_disputes_self_select ON platform.billing_disputes;
DROP POLICY IF EXISTS billing_line_items_self_select ON platform.billing_line_items;
ALTER TABLE platform.reconciliation_discrepancies
	DROP CONSTRAINT IF EXISTS reconciliation_discrepancies_run_id_fkey;
ALTER TABLE platform.billing_disputes
	DROP CONSTRAINT IF EXISTS billing_disputes_line_item_id_organization_id_fkey;
ALTER TABLE platform.billing_line_items
	DROP CONSTRAINT IF EXISTS billing_line_items_dispute_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS billing_line_items_tier_snapshot_id_fkey,
	DROP CONSTRAINT IF EXISTS billing_line_items_billing_period_id_organization_id_fkey;

-- checks

-- check: row security of bills is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.billing_line_items'::regclass, 'platform.billing_disputes'::regclass) AND NOT relrowsecurity;
-- check: bills cannot be changed
SELECT t.name FROM (VALUES ('billing_line_items_check'), ('billing_line_items_refuse_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.billing_line_items'::regclass AND g.tgname = t.name AND g.tgenabled <> 'D');
