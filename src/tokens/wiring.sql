-- migration 530 tokens: row security, triggers, packages
-- requires: tenants

-- up

ALTER TABLE platform.user_accounts
	DROP CONSTRAINT IF EXISTS user_accounts_organization_id_fkey,
	ADD CONSTRAINT user_accounts_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id);

ALTER TABLE platform.user_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.token_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.token_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.token_holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.token_packages ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.token_purchases ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.low_balance_events ENABLE ROW LEVEL SECURITY;

-- A member sees its own account; its organization's administrators see all of them.
DROP POLICY IF EXISTS user_accounts_self_select ON platform.user_accounts;
CREATE POLICY user_accounts_self_select ON platform.user_accounts FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS token_usage_self_select ON platform.token_usage;
CREATE POLICY token_usage_self_select ON platform.token_usage FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS token_grants_self_select ON platform.token_grants;
CREATE POLICY token_grants_self_select ON platform.token_grants FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS token_holds_self_select ON platform.token_holds;
CREATE POLICY token_holds_self_select ON platform.token_holds FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS token_packages_member_select ON platform.token_packages;
CREATE POLICY token_packages_member_select ON platform.token_packages FOR SELECT
	USING (is_active);
DROP POLICY IF EXISTS token_purchases_self_select ON platform.token_purchases;
CREATE POLICY token_purchases_self_select ON platform.token_purchases FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS low_balance_events_self_select ON platform.low_balance_events;
CREATE POLICY low_balance_events_self_select ON platform.low_balance_events FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));

CREATE OR REPLACE TRIGGER user_accounts_check
	BEFORE INSERT OR DELETE OR UPDATE ON platform.user_accounts
	FOR EACH ROW EXECUTE FUNCTION platform.check_token_account();
CREATE OR REPLACE TRIGGER user_accounts_record
	AFTER INSERT ON platform.user_accounts
	FOR EACH ROW EXECUTE FUNCTION platform.record_token_account();
CREATE OR REPLACE TRIGGER user_accounts_refuse_truncate
	BEFORE TRUNCATE ON platform.user_accounts
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_ledger_change();
CREATE OR REPLACE TRIGGER token_usage_refuse
	BEFORE INSERT OR DELETE OR UPDATE ON platform.token_usage
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_ledger_change();
CREATE OR REPLACE TRIGGER token_usage_refuse_truncate
	BEFORE TRUNCATE ON platform.token_usage
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_ledger_change();
CREATE OR REPLACE TRIGGER token_packages_touch BEFORE UPDATE ON platform.token_packages
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

INSERT INTO platform.token_packages (name, tokens, price_cents) VALUES
	('100 tokens', 100, 1500),
	('500 tokens', 500, 5000),
	('1000 tokens', 1000, 7500),
	('5000 tokens', 5000, 25000)
ON CONFLICT (name) DO NOTHING;

-- down

DROP TRIGGER IF EXISTS token_packages_touch ON platform.token_packages;
DROP TRIGGER IF EXISTS token_usage_refuse_truncate ON platform.token_usage;
DROP TRIGGER IF EXISTS token_usage_refuse ON platform.token_usage;
DROP TRIGGER IF EXISTS user_accounts_refuse_truncate ON platform.user_accounts;
DROP TRIGGER IF EXISTS user_accounts_record ON platform.user_accounts;
DROP TRIGGER IF EXISTS user_accounts_check ON platform.user_accounts;

DROP POLICY IF EXISTS low_balance_events_self_select ON platform.low_balance_events;
DROP POLICY IF EXISTS token_purchases_self_select ON platform.token_purchases;
DROP POLICY IF EXISTS token_packages_member_select ON platform.token_packages;
DROP POLICY IF EXISTS token_holds_self_select ON platform.token_holds;
DROP POLICY IF EXISTS token_grants_self_select ON platform.token_grants;
DROP POLICY IF EXISTS token_usage_self_select ON platform.token_usage;
DROP POLICY IF EXISTS user_accounts_self_select ON platform.user_accounts;

ALTER TABLE platform.user_accounts
	DROP CONSTRAINT IF EXISTS user_accounts_organization_id_fkey;

-- checks

-- check: row security of accounts and entries is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.user_accounts'::regclass, 'platform.token_usage'::regclass) AND NOT relrowsecurity;
