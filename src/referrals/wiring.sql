-- migration 630 referrals: foreign keys, row security, triggers, audit, dashboard
-- requires: tenants ops

-- up

ALTER TABLE platform.referral_codes
	DROP CONSTRAINT IF EXISTS referral_codes_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_codes_user_id_fkey,
	ADD CONSTRAINT referral_codes_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT referral_codes_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.referral_outbox
	DROP CONSTRAINT IF EXISTS referral_outbox_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_outbox_user_id_fkey,
	ADD CONSTRAINT referral_outbox_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT referral_outbox_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.referrals
	DROP CONSTRAINT IF EXISTS referrals_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referrals_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS referrals_referred_id_fkey,
	ADD CONSTRAINT referrals_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT referrals_referrer_id_fkey
		FOREIGN KEY (referrer_id) REFERENCES platform.users (id),
	ADD CONSTRAINT referrals_referred_id_fkey
		FOREIGN KEY (referred_id) REFERENCES platform.users (id);
ALTER TABLE platform.referral_fraud_signals
	DROP CONSTRAINT IF EXISTS referral_fraud_signals_referral_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_fraud_signals_signal_fkey,
	ADD CONSTRAINT referral_fraud_signals_referral_id_organization_id_fkey
		FOREIGN KEY (referral_id, organization_id) REFERENCES platform.referrals (id, organization_id) ON DELETE CASCADE,
	ADD CONSTRAINT referral_fraud_signals_signal_fkey
		FOREIGN KEY (signal) REFERENCES platform.referral_signal_points (signal);
ALTER TABLE platform.payout_requests
	DROP CONSTRAINT IF EXISTS payout_requests_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS payout_requests_user_id_fkey,
	ADD CONSTRAINT payout_requests_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT payout_requests_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.referral_commissions
	DROP CONSTRAINT IF EXISTS referral_commissions_referral_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_payout_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_reverses_id_organization_id_fkey,
	ADD CONSTRAINT referral_commissions_referral_id_organization_id_fkey
		FOREIGN KEY (referral_id, organization_id) REFERENCES platform.referrals (id, organization_id) ON DELETE CASCADE,
	ADD CONSTRAINT referral_commissions_referrer_id_fkey
		FOREIGN KEY (referrer_id) REFERENCES platform.users (id),
	ADD CONSTRAINT referral_commissions_payout_id_organization_id_fkey
		FOREIGN KEY (payout_id, organization_id) REFERENCES platform.payout_requests (id, organization_id),
	ADD CONSTRAINT referral_commissions_reverses_id_organization_id_fkey
		FOREIGN KEY (reverses_id, organization_id) REFERENCES platform.referral_commissions (id, organization_id);

ALTER TABLE platform.referral_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_signal_points ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_common_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referrals ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_fraud_signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.payout_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.referral_commissions ENABLE ROW LEVEL SECURITY;

-- Users see their own; nobody writes but the functions, by which staff sees the rest.
-- The outbox and the signals are the operators': no policy, and no privilege for members.
DROP POLICY IF EXISTS referral_settings_member_select ON platform.referral_settings;
CREATE POLICY referral_settings_member_select ON platform.referral_settings FOR SELECT
	USING (true);
DROP POLICY IF EXISTS referral_codes_user_select ON platform.referral_codes;
CREATE POLICY referral_codes_user_select ON platform.referral_codes FOR SELECT
	USING (user_id = platform.current_user_id());
DROP POLICY IF EXISTS referrals_referrer_select ON platform.referrals;
CREATE POLICY referrals_referrer_select ON platform.referrals FOR SELECT
	USING (referrer_id = platform.current_user_id());
DROP POLICY IF EXISTS payout_requests_user_select ON platform.payout_requests;
CREATE POLICY payout_requests_user_select ON platform.payout_requests FOR SELECT
	USING (user_id = platform.current_user_id());
DROP POLICY IF EXISTS referral_commissions_referrer_select ON platform.referral_commissions;
CREATE POLICY referral_commissions_referrer_select ON platform.referral_commissions FOR SELECT
	USING (referrer_id = platform.current_user_id());

CREATE OR REPLACE TRIGGER referrals_check BEFORE INSERT OR UPDATE ON platform.referrals
	FOR EACH ROW EXECUTE FUNCTION platform.check_referral();
CREATE OR REPLACE TRIGGER payout_requests_check BEFORE INSERT OR UPDATE ON platform.payout_requests
	FOR EACH ROW EXECUTE FUNCTION platform.check_payout_request();
CREATE OR REPLACE TRIGGER referral_commissions_check BEFORE INSERT OR UPDATE ON platform.referral_commissions
	FOR EACH ROW EXECUTE FUNCTION platform.check_referral_commission();
CREATE OR REPLACE TRIGGER referral_codes_touch BEFORE UPDATE ON platform.referral_codes
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER referral_settings_touch BEFORE UPDATE ON platform.referral_settings
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER referral_signal_points_touch BEFORE UPDATE ON platform.referral_signal_points
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

CREATE OR REPLACE TRIGGER referral_settings_audit AFTER INSERT OR DELETE OR UPDATE ON platform.referral_settings
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_settings_audit_truncate BEFORE TRUNCATE ON platform.referral_settings
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_signal_points_audit AFTER INSERT OR DELETE OR UPDATE ON platform.referral_signal_points
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_signal_points_audit_truncate BEFORE TRUNCATE ON platform.referral_signal_points
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_codes_audit AFTER INSERT OR DELETE OR UPDATE ON platform.referral_codes
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_codes_audit_truncate BEFORE TRUNCATE ON platform.referral_codes
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referrals_audit AFTER INSERT OR DELETE OR UPDATE ON platform.referrals
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referrals_audit_truncate BEFORE TRUNCATE ON platform.referrals
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER payout_requests_audit AFTER INSERT OR DELETE OR UPDATE ON platform.payout_requests
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER payout_requests_audit_truncate BEFORE TRUNCATE ON platform.payout_requests
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_commissions_audit AFTER INSERT OR DELETE OR UPDATE ON platform.referral_commissions
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER referral_commissions_audit_truncate BEFORE TRUNCATE ON platform.referral_commissions
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- What request_payout() would take is available_cents less debt_cents.
CREATE OR REPLACE VIEW platform.referral_dashboard WITH (security_invoker = true) AS
SELECT k.organization_id, k.user_id, k.code, k.is_active, r.referrals, r.pending, r.eligible, r.closed,
	c.earned_cents, c.pending_cents, c.available_cents, c.reserved_cents, c.paid_cents, c.debt_cents, c.clawed_back_cents,
	p.id AS payout_id, p.status AS payout_status, p.amount_cents AS payout_cents
FROM platform.referral_codes k
CROSS JOIN LATERAL (
	SELECT pg_catalog.count(*) AS referrals,
		pg_catalog.count(*) FILTER (WHERE f.status = 'pending') AS pending,
		pg_catalog.count(*) FILTER (WHERE f.status IN ('eligible', 'paid')) AS eligible,
		pg_catalog.count(*) FILTER (WHERE f.closed_at IS NOT NULL) AS closed
	FROM platform.referrals f WHERE f.referrer_id = k.user_id) AS r
CROSS JOIN LATERAL (
	SELECT COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.commission_type <> 'debt'), 0)::bigint AS earned_cents,
		COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.status = 'pending' OR (m.status = 'approved' AND m.payout_id IS NULL AND m.commission_type <> 'debt' AND f.needs_review)), 0)::bigint AS pending_cents,
		COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.status = 'approved' AND m.payout_id IS NULL AND m.commission_type <> 'debt' AND NOT f.needs_review), 0)::bigint AS available_cents,
		COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.status = 'approved' AND m.payout_id IS NOT NULL), 0)::bigint AS reserved_cents,
		COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.paid_at IS NOT NULL), 0)::bigint AS paid_cents,
		COALESCE(-pg_catalog.sum(m.amount_cents) FILTER (WHERE m.commission_type = 'debt' AND m.status = 'approved' AND m.payout_id IS NULL), 0)::bigint AS debt_cents,
		COALESCE(pg_catalog.sum(m.amount_cents) FILTER (WHERE m.status = 'clawed_back'), 0)::bigint AS clawed_back_cents
	FROM platform.referral_commissions m JOIN platform.referrals f ON f.id = m.referral_id AND f.organization_id = m.organization_id
	WHERE m.referrer_id = k.user_id) AS c
LEFT JOIN platform.payout_requests p ON p.user_id = k.user_id AND p.organization_id = k.organization_id AND p.status IN ('pending', 'approved', 'processing');
COMMENT ON VIEW platform.referral_dashboard IS
	'What each code brought: referrals by state, and cents. pending + available + reserved + paid - debt is earned - clawed back; reserved and paid are payouts, less what these deducted; debt is what the next one deducts.';

-- down

DROP VIEW IF EXISTS platform.referral_dashboard;
DROP TRIGGER IF EXISTS referral_commissions_audit_truncate ON platform.referral_commissions;
DROP TRIGGER IF EXISTS referral_commissions_audit ON platform.referral_commissions;
DROP TRIGGER IF EXISTS payout_requests_audit_truncate ON platform.payout_requests;
DROP TRIGGER IF EXISTS payout_requests_audit ON platform.payout_requests;
DROP TRIGGER IF EXISTS referrals_audit_truncate ON platform.referrals;
DROP TRIGGER IF EXISTS referrals_audit ON platform.referrals;
DROP TRIGGER IF EXISTS referral_codes_audit_truncate ON platform.referral_codes;
DROP TRIGGER IF EXISTS referral_codes_audit ON platform.referral_codes;
DROP TRIGGER IF EXISTS referral_signal_points_audit_truncate ON platform.referral_signal_points;
DROP TRIGGER IF EXISTS referral_signal_points_audit ON platform.referral_signal_points;
DROP TRIGGER IF EXISTS referral_settings_audit_truncate ON platform.referral_settings;
DROP TRIGGER IF EXISTS referral_settings_audit ON platform.referral_settings;
DROP TRIGGER IF EXISTS referral_signal_points_touch ON platform.referral_signal_points;
DROP TRIGGER IF EXISTS referral_settings_touch ON platform.referral_settings;
DROP TRIGGER IF EXISTS referral_codes_touch ON platform.referral_codes;
DROP TRIGGER IF EXISTS referral_commissions_check ON platform.referral_commissions;
DROP TRIGGER IF EXISTS payout_requests_check ON platform.payout_requests;
DROP TRIGGER IF EXISTS referrals_check ON platform.referrals;

DROP POLICY IF EXISTS referral_commissions_referrer_select ON platform.referral_commissions;
DROP POLICY IF EXISTS payout_requests_user_select ON platform.payout_requests;
DROP POLICY IF EXISTS referrals_referrer_select ON platform.referrals;
DROP POLICY IF EXISTS referral_codes_user_select ON platform.referral_codes;
DROP POLICY IF EXISTS referral_settings_member_select ON platform.referral_settings;

ALTER TABLE platform.referral_commissions
	DROP CONSTRAINT IF EXISTS referral_commissions_reverses_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_payout_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_commissions_referral_id_organization_id_fkey;
ALTER TABLE platform.payout_requests
	DROP CONSTRAINT IF EXISTS payout_requests_user_id_fkey,
	DROP CONSTRAINT IF EXISTS payout_requests_organization_id_fkey;
ALTER TABLE platform.referral_fraud_signals
	DROP CONSTRAINT IF EXISTS referral_fraud_signals_signal_fkey,
	DROP CONSTRAINT IF EXISTS referral_fraud_signals_referral_id_organization_id_fkey;
ALTER TABLE platform.referrals
	DROP CONSTRAINT IF EXISTS referrals_referred_id_fkey,
	DROP CONSTRAINT IF EXISTS referrals_referrer_id_fkey,
	DROP CONSTRAINT IF EXISTS referrals_organization_id_fkey;
ALTER TABLE platform.referral_outbox
	DROP CONSTRAINT IF EXISTS referral_outbox_user_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_outbox_organization_id_fkey;
ALTER TABLE platform.referral_codes
	DROP CONSTRAINT IF EXISTS referral_codes_user_id_fkey,
	DROP CONSTRAINT IF EXISTS referral_codes_organization_id_fkey;

-- checks

-- check: row security is on
SELECT t.name FROM (VALUES ('referral_settings'), ('referral_signal_points'), ('referral_common_domains'), ('referral_codes'), ('referral_outbox'), ('referrals'), ('referral_fraud_signals'), ('payout_requests'), ('referral_commissions')) AS t (name)
JOIN pg_catalog.pg_class c ON c.relname = t.name AND c.relnamespace = 'platform'::regnamespace
WHERE NOT c.relrowsecurity;
-- check: states are kept
SELECT t.name FROM (VALUES ('referrals', 'referrals_check'), ('payout_requests', 'payout_requests_check'), ('referral_commissions', 'referral_commissions_check')) AS t (relation, name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
	WHERE c.relname = t.relation AND c.relnamespace = 'platform'::regnamespace AND g.tgname = t.name AND g.tgenabled <> 'D');
