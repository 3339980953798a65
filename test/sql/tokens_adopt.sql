-- install() on tables of the original token billing: the log and the balances become a ledger, nothing is billed again.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

BEGIN;
SELECT count(*) > 0 AS removed FROM platform.rollback(0);
CREATE TABLE platform.user_accounts (
	user_id text PRIMARY KEY,
	tokens_remaining integer NOT NULL DEFAULT 100 CHECK (tokens_remaining >= 0),
	email text,
	subscription_tier text DEFAULT 'free' CHECK (subscription_tier IN ('free', 'pro', 'enterprise')),
	created_at timestamptz DEFAULT now(),
	updated_at timestamptz DEFAULT now()
);
CREATE TABLE platform.call_sessions (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	room_id text NOT NULL,
	start_time timestamptz DEFAULT now(),
	end_time timestamptz,
	mode text NOT NULL CHECK (mode IN ('video', 'voice-only')),
	used_turn boolean DEFAULT false,
	credit_cost numeric(10,4) DEFAULT 0,
	user_id text,
	created_at timestamptz DEFAULT now(),
	updated_at timestamptz DEFAULT now()
);
CREATE TABLE platform.token_usage (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id text NOT NULL REFERENCES platform.user_accounts ON DELETE CASCADE,
	session_id text NOT NULL,
	tokens_used integer NOT NULL CHECK (tokens_used >= 0),
	"timestamp" timestamptz DEFAULT now(),
	mode text NOT NULL CHECK (mode IN ('voice', 'video')),
	used_turn boolean NOT NULL,
	duration_seconds integer CHECK (duration_seconds IS NULL OR duration_seconds >= 0)
);
CREATE TABLE platform.token_packages (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	name text NOT NULL,
	tokens integer NOT NULL,
	price_usd numeric(10,2) NOT NULL,
	price_per_token numeric(10,4) NOT NULL,
	is_active boolean DEFAULT true
);
CREATE TABLE platform.user_presence (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	host_id text NOT NULL UNIQUE,
	is_available boolean DEFAULT true,
	room_id text NOT NULL,
	room_token text,
	updated_at timestamptz DEFAULT now()
);
INSERT INTO platform.token_packages (name, tokens, price_usd, price_per_token, is_active) VALUES ('starter', 50, 9.99, 0.1998, NULL), ('500 tokens', 500, 55, 0.11, true);
INSERT INTO platform.user_presence (host_id, room_id) VALUES ('used', 'lobby');
-- with a log, run dry, without a log, empty, and with more used than there ever was
INSERT INTO platform.user_accounts (user_id, tokens_remaining, created_at) VALUES
	('used', 70, '2024-01-01'), ('dry', 0, '2024-01-01'), ('fresh', 250, '2024-01-01'), ('empty', 0, '2024-01-01');
INSERT INTO platform.call_sessions (id, room_id, mode, user_id, start_time, end_time, updated_at) VALUES
	('3ad00000-0000-4000-8000-0000000000c1', 'r', 'voice-only', 'used', '2024-02-01 10:00', '2024-02-01 10:20', '2024-02-01 10:20'),
	('3ad00000-0000-4000-8000-0000000000c2', 'r', 'video', 'used', '2024-02-02 10:00', NULL, '2024-02-02 10:01');
INSERT INTO platform.token_usage (id, user_id, session_id, tokens_used, "timestamp", mode, used_turn, duration_seconds) VALUES
	('3ad00000-0000-4000-8000-0000000000e3', 'used', 'another', 6, '2024-03-01', 'video', true, 60),
	('3ad00000-0000-4000-8000-0000000000e1', 'used', '3ad00000-0000-4000-8000-0000000000c1', 20, '2024-02-01', 'voice', false, 1200),
	('3ad00000-0000-4000-8000-0000000000e2', 'used', 'nothing', 0, '2024-02-01', 'voice', false, 0),
	('3ad00000-0000-4000-8000-0000000000e4', 'dry', 'all', 130, '2024-02-01', 'voice', false, NULL);

SELECT version, action FROM platform.install(ARRAY['tokens']) WHERE module = 'tokens';
SELECT user_id, tokens_remaining, version, organization_id = platform.default_organization_id() AS default_organization
FROM platform.user_accounts ORDER BY user_id;
SELECT user_id, version, kind, amount, tokens_used, balance_after, "timestamp"::date AS day, session_id, reason
FROM platform.token_usage ORDER BY user_id, version;
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts();
SELECT * FROM platform.reconcile_tokens();
SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT attrelid::regclass AS "table", attname, attcollation::regcollation AS collation, attnotnull FROM pg_attribute
WHERE (attrelid, attname) IN (('platform.user_accounts'::regclass, 'user_id'), ('platform.token_usage'::regclass, 'session_id'),
	('platform.token_usage'::regclass, 'mode'), ('platform.token_usage'::regclass, 'version')) ORDER BY attname COLLATE "C";
-- calls of then are over: the meter finds nothing
SELECT id, status, end_time - start_time AS lasted, duration_seconds, charged FROM platform.call_sessions ORDER BY id;
SELECT metered, tokens FROM platform.meter_active_sessions();
-- packages keep their prices, in cents; hosts are there
SELECT name, tokens, price_cents, currency, is_active FROM platform.token_packages ORDER BY name COLLATE "C";
SELECT tokens, remaining FROM platform.purchase_tokens(platform.default_organization_id(), 'fresh', 'starter', 'pi_adopted');
SELECT platform.heartbeat_presence(platform.default_organization_id(), 'used', 'office');
SELECT host_id, room_id FROM platform.available_hosts();
-- again: nothing to do
SELECT bool_and(action = 'present') AS present FROM platform.install(ARRAY['tokens']);

-- the accounts work on: without a session or a mode, below zero, refunds of what was used then
SELECT burned, remaining, status FROM platform.burn_tokens(platform.default_organization_id(), 'used', 5);
UPDATE platform.user_accounts SET overdraft_limit = 10 WHERE user_id = 'dry';
SELECT burned, remaining, status FROM platform.burn_tokens(platform.default_organization_id(), 'dry', 7, on_insufficient => 'overdraft');
SELECT refunded, remaining FROM platform.refund_tokens(platform.default_organization_id(), '3ad00000-0000-4000-8000-0000000000e4', 30);
SELECT platform.token_balance_at(platform.default_organization_id(), 'used', '2024-02-15') AS in_february;
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts();
ROLLBACK;

-- accounts that were loaded past the triggers: reconcile opens them with the balance found
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES
	('3ad loaded', '00000000-0000-0000-0000-000000000000', 40), ('3ad loaded empty', '00000000-0000-0000-0000-000000000000', 0);
SET LOCAL session_replication_role = origin;
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts() WHERE user_id LIKE '3ad%';
SELECT user_id, balance, expected_balance, fixed FROM platform.reconcile_tokens() WHERE user_id LIKE '3ad%';
SELECT user_id, balance, expected_balance, fixed FROM platform.reconcile_tokens(false) WHERE user_id LIKE '3ad%';
SELECT version, kind, amount, balance_after, reason FROM platform.token_statement('00000000-0000-0000-0000-000000000000', '3ad loaded');
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts() WHERE user_id LIKE '3ad%';
SELECT count(*) FROM platform.reconcile_tokens(false) WHERE user_id LIKE '3ad%';
ROLLBACK;
