-- Statements and balances at a moment add up; what is broken is found and what can be mended is; in every isolation level
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('30e00000-0000-4000-8000-000000000001', 'Statement')
ON CONFLICT DO NOTHING;
\set org '''30e00000-0000-4000-8000-000000000001'''
\set ECHO all
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100), ('new', :org, 0);
SELECT count(*) FROM generate_series(1, 50) i, platform.burn_tokens(:org, 'ann', 1, 'video', false, 'call', 'k' || i) b;
SELECT remaining FROM platform.adjust_tokens(:org, 'ann', 7, 'sorry');
SELECT version, kind, amount, balance_after, mode, used_turn, session_id, idempotency_key, reason FROM platform.token_statement(:org, 'ann')
WHERE version IN (1, 2, 51, 52);
-- the figures agree, each with the sum of entries by hand
SELECT count(*), bool_and(s.balance_after = (SELECT sum(u.amount) FROM platform.token_usage u WHERE u.organization_id = :org AND u.user_id = 'ann' AND u.version <= s.version)) AS running,
	bool_and(s."timestamp" >= lag) AS in_time
FROM (SELECT *, lag("timestamp", 1, '-infinity') OVER (ORDER BY version) AS lag FROM platform.token_statement(:org, 'ann')) s;
SELECT bool_and(platform.token_balance_at(:org, 'ann', u."timestamp") = (SELECT sum(v.amount) FROM platform.token_usage v
	WHERE v.organization_id = :org AND v.user_id = 'ann' AND v."timestamp" <= u."timestamp")) AS at_each_entry,
	bool_and(platform.token_balance_at(:org, 'ann', u."timestamp" - '1 us'::interval) = (SELECT coalesce(sum(v.amount), 0) FROM platform.token_usage v
	WHERE v.organization_id = :org AND v.user_id = 'ann' AND v."timestamp" < u."timestamp")) AS before_each
FROM platform.token_usage u WHERE u.organization_id = :org AND u.user_id = 'ann';
SELECT platform.token_balance_at(:org, 'ann', '-infinity') AS never, platform.token_balance_at(:org, 'ann', 'infinity') AS ever,
	platform.token_balance_at(:org, 'new', now()) AS new, platform.token_balance_at(:org, 'nobody', now()) AS nobody, platform.token_balance_at(:org, 'ann', NULL) AS "null";
-- a part: from a moment on, and before another
SELECT "timestamp" AS tenth FROM platform.token_usage WHERE organization_id = :org AND user_id = 'ann' AND version = 10 \gset
SELECT min(version), max(version), count(*) FROM platform.token_statement(:org, 'ann', :'tenth');
SELECT min(version), max(version), count(*) FROM platform.token_statement(:org, 'ann', NULL, :'tenth');
SELECT count(*) FROM platform.token_statement(:org, 'ann', :'tenth', :'tenth');
SELECT count(*) FROM platform.token_statement(:org, 'ann', "from" => 'infinity');
SELECT count(*) FROM platform.token_statement(:org, 'nobody');
SELECT count(*) FROM platform.token_statement(:org, 'new');
SELECT * FROM platform.token_balance(:org, 'nobody');
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.token_balance(NULL, 'ann');
ROLLBACK TO s;
SELECT platform.token_balance_at(:org, NULL, now());
ROLLBACK TO s;
SELECT platform.token_statement(NULL, NULL);
ROLLBACK TO s;
SELECT platform.open_token_grants(:org, NULL);
ROLLBACK TO s;
\set VERBOSITY default

-- what somebody broke with the triggers off is found, and what follows from entries is mended
SELECT granted FROM platform.grant_tokens(:org, 'ann', 30, expires_at => now() + '1 day');
SELECT reserved FROM platform.reserve_tokens(:org, 'ann', 11);
SELECT * FROM platform.verify_token_accounts(:org);
SELECT * FROM platform.reconcile_tokens();
SET LOCAL session_replication_role = replica;
UPDATE platform.user_accounts SET tokens_remaining = tokens_remaining + 5, held = 12, version = version - 1, open_grants = NULL WHERE organization_id = :org AND user_id = 'ann';
SET LOCAL session_replication_role = origin;
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts(:org) ORDER BY problem;
SELECT user_id, balance, expected_balance, held, expected_held, fixed FROM platform.reconcile_tokens(true, :org);
SELECT user_id, balance, expected_balance, held, expected_held, fixed FROM platform.reconcile_tokens(NULL, :org);
SELECT user_id, balance, expected_balance, held, expected_held, fixed FROM platform.reconcile_tokens(false, :org);
SELECT * FROM platform.verify_token_accounts(:org);
SELECT number, remaining, priority FROM platform.open_token_grants(:org, 'ann');
SELECT remaining, status FROM platform.burn_tokens(:org, 'ann', 1);
-- so are debts that are none, and reservations of calls that are over
SET LOCAL session_replication_role = replica;
UPDATE platform.user_accounts SET overage = 7, held = held + 3 WHERE organization_id = :org AND user_id = 'ann';
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, status, end_time, reserved) VALUES (:org, 'r', 'voice', 'ann', 'ended', now(), 3);
SET LOCAL session_replication_role = origin;
SELECT user_id, problem, expected, found FROM platform.verify_token_accounts(:org) ORDER BY problem;
SELECT user_id, held, expected_held, fixed FROM platform.reconcile_tokens(false, :org);
SELECT * FROM platform.verify_token_accounts(:org);
SELECT held, overage FROM platform.token_balance(:org, 'ann');
-- entries that were tampered with are found
SET LOCAL session_replication_role = replica;
UPDATE platform.token_usage SET amount = amount - 1 WHERE organization_id = :org AND user_id = 'ann' AND version = 20;
DELETE FROM platform.token_usage WHERE organization_id = :org AND user_id = 'ann' AND version = 30;
UPDATE platform.token_usage SET "timestamp" = "timestamp" - '1 day'::interval WHERE organization_id = :org AND user_id = 'ann' AND version = 40;
DELETE FROM platform.token_grants WHERE organization_id = :org;
SET LOCAL session_replication_role = origin;
SELECT problem, expected, found FROM platform.verify_token_accounts(:org) ORDER BY problem, found;
ROLLBACK;

-- a balance is never wrong above READ COMMITTED either
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ser', :org, 10);
SELECT remaining FROM platform.burn_tokens(:org, 'ser', 3, idempotency_key => 'k');
SELECT remaining, duplicate FROM platform.burn_tokens(:org, 'ser', 3, idempotency_key => 'k');
SELECT balance, platform.token_balance_at(:org, 'ser', clock_timestamp()) FROM platform.token_balance(:org, 'ser');
ROLLBACK;

-- columns and indexes that somebody added to accounts and to the log are filled in
BEGIN;
ALTER TABLE platform.user_accounts ADD COLUMN note text NOT NULL DEFAULT 'noted', ADD COLUMN double numeric GENERATED ALWAYS AS (tokens_remaining * 2) STORED;
CREATE INDEX ON platform.user_accounts (double) WHERE double < 20;
ALTER TABLE platform.token_usage ADD COLUMN note text NOT NULL DEFAULT 'noted', ADD COLUMN double bigint GENERATED ALWAYS AS (amount * 2) STORED;
CREATE INDEX ON platform.token_usage (upper(kind));
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('col', :org, 10);
SELECT remaining FROM platform.burn_tokens(:org, 'col', 3, idempotency_key => 'k');
SELECT remaining, duplicate FROM platform.burn_tokens(:org, 'col', 3, idempotency_key => 'k');
SELECT amount, note, double FROM platform.token_usage WHERE organization_id = :org AND user_id = 'col' ORDER BY version;
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM platform.token_usage WHERE upper(kind) = 'BURN' AND organization_id = :org;
SELECT tokens_remaining, note FROM platform.user_accounts WHERE double = 14 AND double < 20 AND organization_id = :org;
SELECT remaining FROM platform.grant_tokens(:org, 'col', 20);
SELECT remaining FROM platform.burn_tokens(:org, 'col', 24);
SELECT tokens_remaining, double FROM platform.user_accounts WHERE double < 20 AND organization_id = :org;
ROLLBACK;

-- the ledger as double entry: what an entry takes from one account it gives to another
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100), ('bob', :org, 0), ('dry', :org, 1);
SELECT granted FROM platform.grant_tokens(:org, 'ann', 20, expires_at => clock_timestamp() + '0.1 s');
SELECT granted FROM platform.grant_tokens(:org, 'ann', 5, 'present', priority => 250);
SELECT tokens FROM platform.purchase_tokens(:org, 'bob', '500 tokens', 'pi_double');
SELECT burned FROM platform.burn_tokens(:org, 'ann', 7, idempotency_key => 'k');
SELECT pg_sleep(0.15);
SELECT remaining FROM platform.adjust_tokens(:org, 'ann', -3, 'wrong');
SELECT refunded FROM platform.refund_tokens(:org, (SELECT id FROM platform.token_usage WHERE organization_id = :org AND idempotency_key = 'k'), 2);
SELECT from_remaining, to_remaining FROM platform.transfer_tokens(:org, 'bob', 'ann', 50);
SELECT captured FROM platform.reserve_tokens(:org, 'ann', 10) h, platform.capture_tokens(:org, h.hold_id, 4);
SELECT platform.start_call_session(:org, 'room', 'video', 'dry', reserve_minutes => 0, at => now() - interval '61 s') AS call \gset
SELECT shortfall FROM platform.end_call_session(:'call', now());
SELECT user_id, version, kind, account, amount FROM platform.token_postings WHERE organization_id = :org ORDER BY user_id, version, account COLLATE "C";
SELECT account, sum(amount) FROM platform.token_postings WHERE organization_id = :org GROUP BY account ORDER BY account COLLATE "C";
SELECT entry_id FROM platform.token_postings WHERE organization_id = :org GROUP BY entry_id HAVING sum(amount) <> 0 OR count(*) <> 2;
SELECT user_id, (SELECT sum(amount) FROM platform.token_postings p WHERE p.organization_id = :org AND p.user_id = a.user_id AND account = 'balance') = tokens_remaining AS equal
FROM platform.user_accounts a WHERE organization_id = :org ORDER BY user_id;
-- a member sees its own
SELECT platform.set_context(:org, 'bob');
SET LOCAL ROLE platform_test_member;
SELECT user_id, kind, account, amount FROM platform.token_postings ORDER BY version, account COLLATE "C";
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
\set VERBOSITY sqlstate
SELECT * FROM platform.token_postings;
\set VERBOSITY default
ROLLBACK;
