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

-- columns and indexes that somebody added to the log are filled in
BEGIN;
ALTER TABLE platform.token_usage ADD COLUMN note text NOT NULL DEFAULT 'noted', ADD COLUMN double bigint GENERATED ALWAYS AS (amount * 2) STORED;
CREATE INDEX ON platform.token_usage (upper(kind));
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('col', :org, 10);
SELECT remaining FROM platform.burn_tokens(:org, 'col', 3, idempotency_key => 'k');
SELECT remaining, duplicate FROM platform.burn_tokens(:org, 'col', 3, idempotency_key => 'k');
SELECT amount, note, double FROM platform.token_usage WHERE organization_id = :org AND user_id = 'col' ORDER BY version;
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM platform.token_usage WHERE upper(kind) = 'BURN' AND organization_id = :org;
ROLLBACK;
