-- migration 530 tokens: row security, triggers, packages, rates, views
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

-- live calls

ALTER TABLE platform.call_sessions
	DROP CONSTRAINT IF EXISTS call_sessions_organization_id_fkey,
	ADD CONSTRAINT call_sessions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.user_presence
	DROP CONSTRAINT IF EXISTS user_presence_organization_id_fkey,
	ADD CONSTRAINT user_presence_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

ALTER TABLE platform.token_rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.call_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.user_presence ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.unbilled_usage ENABLE ROW LEVEL SECURITY;

-- The rate card is for everybody; calls and debts are their user's and the administrators'.
DROP POLICY IF EXISTS token_rates_member_select ON platform.token_rates;
CREATE POLICY token_rates_member_select ON platform.token_rates FOR SELECT
	USING (true);
DROP POLICY IF EXISTS call_sessions_member_select ON platform.call_sessions;
CREATE POLICY call_sessions_member_select ON platform.call_sessions FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS unbilled_usage_member_select ON platform.unbilled_usage;
CREATE POLICY unbilled_usage_member_select ON platform.unbilled_usage FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_subject() OR platform.is_admin()));
DROP POLICY IF EXISTS user_presence_member_select ON platform.user_presence;
CREATE POLICY user_presence_member_select ON platform.user_presence FOR SELECT
	USING (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER token_rates_refuse BEFORE DELETE OR UPDATE ON platform.token_rates
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER token_rates_refuse_truncate BEFORE TRUNCATE ON platform.token_rates
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER token_rates_notify AFTER INSERT OR DELETE OR UPDATE ON platform.token_rates
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER token_rates_notify_truncate AFTER TRUNCATE ON platform.token_rates
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.token_rates
	ENABLE ALWAYS TRIGGER token_rates_notify,
	ENABLE ALWAYS TRIGGER token_rates_notify_truncate;
CREATE OR REPLACE TRIGGER call_sessions_touch BEFORE UPDATE ON platform.call_sessions
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER user_presence_touch BEFORE UPDATE ON platform.user_presence
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER unbilled_usage_touch BEFORE UPDATE ON platform.unbilled_usage
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

INSERT INTO platform.token_rates (id, mode, used_turn, tokens_per_minute, rounding, valid_from) VALUES
	('00000000-0000-4000-8000-000000000001', 'voice', false, 1, 60, '-infinity'),
	('00000000-0000-4000-8000-000000000002', 'voice', true, 2, 60, '-infinity'),
	('00000000-0000-4000-8000-000000000003', 'video', false, 2, 60, '-infinity'),
	('00000000-0000-4000-8000-000000000004', 'video', true, 6, 60, '-infinity')
ON CONFLICT DO NOTHING;

-- Double entry, without a second row to write: what every entry takes from one account
-- it gives to another.
CREATE OR REPLACE VIEW platform.token_postings WITH (security_invoker = true) AS
SELECT e.organization_id, e.user_id, e.version, e."timestamp", e.kind, p.account, p.amount, e.id AS entry_id
FROM platform.token_usage e
LEFT JOIN platform.token_grants g ON e.kind = 'grant' AND g.id = e.id AND g.organization_id = e.organization_id
CROSS JOIN LATERAL (VALUES
	('balance', e.amount),
	(CASE WHEN e.kind IN ('burn', 'capture', 'refund') THEN 'usage'
		WHEN e.kind = 'grant' AND g.source = 'purchase' THEN 'purchases'
		WHEN e.kind = 'grant' THEN 'grants'
		WHEN e.kind = 'expire' THEN 'expiry'
		WHEN e.kind = 'adjust' THEN 'adjustments'
		ELSE 'transfers' END, - e.amount)) AS p (account, amount);
COMMENT ON VIEW platform.token_postings IS
	'The ledger as double entry: two postings an entry, one of the user''s balance and one of what it was for, that add up to zero. transfers is zero in every organization.';

CREATE OR REPLACE VIEW platform.active_calls WITH (security_invoker = true) AS
SELECT s.id, s.room_id, s.mode, s.used_turn, s.start_time,
	pg_catalog.now() - s.start_time AS duration, s.organization_id, s.user_id
FROM platform.call_sessions s
WHERE s.end_time IS NULL
ORDER BY s.start_time DESC;
COMMENT ON VIEW platform.active_calls IS
	'Calls without an end, newest first.';

CREATE OR REPLACE VIEW platform.daily_billing_summary WITH (security_invoker = true) AS
SELECT s.start_time::date AS call_date,
	pg_catalog.count(*) AS total_calls,
	pg_catalog.count(*) FILTER (WHERE s.used_turn) AS turn_calls,
	pg_catalog.count(*) FILTER (WHERE s.mode = 'video') AS video_calls,
	pg_catalog.count(*) FILTER (WHERE s.mode <> 'video') AS voice_calls,
	pg_catalog.sum(s.credit_cost) AS total_credits,
	pg_catalog.avg(EXTRACT(epoch FROM s.end_time - s.start_time) / 60) AS avg_duration_minutes,
	s.organization_id
FROM platform.call_sessions s
WHERE s.start_time >= CURRENT_DATE - 30
GROUP BY s.start_time::date, s.organization_id
ORDER BY s.start_time::date DESC, s.organization_id;
COMMENT ON VIEW platform.daily_billing_summary IS
	'Calls of the last 30 days by day of their start and organization; days in the session''s time zone, minutes of ended calls.';

CREATE OR REPLACE VIEW platform.user_token_summary WITH (security_invoker = true) AS
SELECT a.user_id, a.tokens_remaining, a.subscription_tier, a.created_at AS account_created,
	COALESCE(u.tokens, 0) AS total_tokens_used,
	COALESCE(u.sessions, 0) AS total_sessions,
	u.last_usage, a.organization_id
FROM platform.user_accounts a
LEFT JOIN LATERAL (
	SELECT (- pg_catalog.sum(t.amount))::bigint AS tokens,
		pg_catalog.count(DISTINCT t.session_id) AS sessions,
		pg_catalog.max(t."timestamp") FILTER (WHERE t.tokens_used > 0) AS last_usage
	FROM platform.token_usage t
	WHERE t.organization_id = a.organization_id AND t.user_id = a.user_id
		AND (t.tokens_used > 0 OR t.kind = 'refund' AND t.rate_id IS NOT NULL)) u ON true;
COMMENT ON VIEW platform.user_token_summary IS
	'Balance and use of every account; sessions are counted once however many entries they have. What a call gave back because it ended earlier was not used; other refunds are not deducted.';

-- A charge's entry has the seconds since the charge before. The end of a call, which may
-- be before or after the last of them, says how many there were.
CREATE OR REPLACE VIEW platform.daily_token_usage WITH (security_invoker = true) AS
SELECT u."timestamp"::date AS usage_date, u.mode, u.used_turn,
	pg_catalog.count(DISTINCT u.session_id) AS session_count,
	pg_catalog.sum(u.tokens_used - COALESCE(r.tokens, 0))::bigint AS total_tokens,
	pg_catalog.sum(u.tokens_used - COALESCE(r.tokens, 0)) / NULLIF(pg_catalog.count(DISTINCT u.session_id), 0) AS avg_tokens_per_session,
	pg_catalog.sum(CASE WHEN s.duration_seconds IS NULL THEN u.duration_seconds
		WHEN u.is_last THEN GREATEST(s.duration_seconds - u.through + u.duration_seconds, 0)
		ELSE LEAST(GREATEST(s.duration_seconds - u.through + u.duration_seconds, 0), u.duration_seconds) END) / 60.0 AS total_minutes,
	u.organization_id
FROM (
	SELECT t.id, t.organization_id, t."timestamp", t.mode, t.used_turn, t.session_id, t.tokens_used, t.duration_seconds, t.rate_id,
		pg_catalog.sum(t.duration_seconds) OVER w AS through,
		pg_catalog.lead(t.id) OVER w IS NULL AS is_last
	FROM platform.token_usage t
	WHERE t.tokens_used > 0 AND t."timestamp" >= CURRENT_DATE - 32
	WINDOW w AS (PARTITION BY t.organization_id, t.session_id, t.rate_id IS NULL ORDER BY t.version ROWS UNBOUNDED PRECEDING)) u
LEFT JOIN platform.call_sessions s ON u.rate_id IS NOT NULL AND s.id::text = u.session_id
	AND s.organization_id = u.organization_id AND s.start_time >= CURRENT_DATE - 32
LEFT JOIN (
	SELECT t.organization_id, t.reverses, pg_catalog.sum(t.amount) AS tokens
	FROM platform.token_usage t
	WHERE t.kind = 'refund' AND t.rate_id IS NOT NULL AND t.reverses IS NOT NULL
	GROUP BY t.organization_id, t.reverses) r ON r.reverses = u.id AND r.organization_id = u.organization_id
WHERE u."timestamp" >= CURRENT_DATE - 30
GROUP BY u."timestamp"::date, u.mode, u.used_turn, u.organization_id
ORDER BY u."timestamp"::date DESC, u.mode, u.used_turn, u.organization_id;
COMMENT ON VIEW platform.daily_token_usage IS
	'Tokens used in the last 30 days by day, mode, use of TURN and organization; days of the entries, in the session''s time zone. Minutes of ended calls are their real ones, those of live calls go up to their last entry.';

-- Balances have the ledger; the rest is in the audit trail, where module ops is installed.
CREATE OR REPLACE TRIGGER user_accounts_audit AFTER INSERT OR DELETE OR UPDATE ON platform.user_accounts
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER user_accounts_audit_truncate BEFORE TRUNCATE ON platform.user_accounts
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER token_packages_audit AFTER INSERT OR DELETE OR UPDATE ON platform.token_packages
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER token_packages_audit_truncate BEFORE TRUNCATE ON platform.token_packages
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

CREATE OR REPLACE TRIGGER token_rates_audit AFTER INSERT OR DELETE OR UPDATE ON platform.token_rates
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER token_rates_audit_truncate BEFORE TRUNCATE ON platform.token_rates
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS token_rates_audit_truncate ON platform.token_rates;
DROP TRIGGER IF EXISTS token_rates_audit ON platform.token_rates;
DROP TRIGGER IF EXISTS token_packages_audit_truncate ON platform.token_packages;
DROP TRIGGER IF EXISTS token_packages_audit ON platform.token_packages;
DROP TRIGGER IF EXISTS user_accounts_audit_truncate ON platform.user_accounts;
DROP TRIGGER IF EXISTS user_accounts_audit ON platform.user_accounts;
DROP VIEW IF EXISTS platform.daily_token_usage;
DROP VIEW IF EXISTS platform.user_token_summary;
DROP VIEW IF EXISTS platform.daily_billing_summary;
DROP VIEW IF EXISTS platform.active_calls;
DROP VIEW IF EXISTS platform.token_postings;

DROP TRIGGER IF EXISTS unbilled_usage_touch ON platform.unbilled_usage;
DROP TRIGGER IF EXISTS user_presence_touch ON platform.user_presence;
DROP TRIGGER IF EXISTS call_sessions_touch ON platform.call_sessions;
DROP TRIGGER IF EXISTS token_rates_notify_truncate ON platform.token_rates;
DROP TRIGGER IF EXISTS token_rates_notify ON platform.token_rates;
DROP TRIGGER IF EXISTS token_rates_refuse_truncate ON platform.token_rates;
DROP TRIGGER IF EXISTS token_rates_refuse ON platform.token_rates;

DROP POLICY IF EXISTS user_presence_member_select ON platform.user_presence;
DROP POLICY IF EXISTS unbilled_usage_member_select ON platform.unbilled_usage;
DROP POLICY IF EXISTS call_sessions_member_select ON platform.call_sessions;
DROP POLICY IF EXISTS token_rates_member_select ON platform.token_rates;

ALTER TABLE platform.user_presence
	DROP CONSTRAINT IF EXISTS user_presence_organization_id_fkey;
ALTER TABLE platform.call_sessions
	DROP CONSTRAINT IF EXISTS call_sessions_organization_id_fkey;

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
-- check: rates cannot be changed
SELECT 'token_rates' AS name WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.token_rates'::regclass AND g.tgname = 'token_rates_refuse' AND g.tgenabled <> 'D');
-- check: changes of rates reach the caches
SELECT t.name FROM (VALUES ('token_rates_notify'), ('token_rates_notify_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.token_rates'::regclass AND g.tgname = t.name AND g.tgenabled = 'A');
-- check: calls of the last day are charged what their entries and debts say
SELECT s.id, s.organization_id FROM platform.call_sessions s
WHERE s.start_time >= pg_catalog.now() - interval '1 day' AND s.rate_id IS NOT NULL AND s.charged <>
	COALESCE((SELECT - pg_catalog.sum(t.amount) FROM platform.token_usage t
		WHERE t.session_id = s.id::text AND t.organization_id = s.organization_id AND t.rate_id IS NOT NULL), 0)
	+ COALESCE((SELECT pg_catalog.sum(u.tokens) FROM platform.unbilled_usage u
		WHERE u.session_id = s.id AND u.organization_id = s.organization_id AND u.settled_at IS NULL), 0);
