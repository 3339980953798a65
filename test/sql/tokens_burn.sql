-- Burning: opening balances, insufficient funds in every mode at the exact boundary, keys, arguments, limits of 64 bits
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('30b00000-0000-4000-8000-000000000001', 'Burn')
ON CONFLICT DO NOTHING;
\set org '''30b00000-0000-4000-8000-000000000001'''
\set ECHO all
BEGIN;
-- an account is an INSERT; its opening balance is its first entry
INSERT INTO platform.user_accounts (user_id, organization_id) VALUES ('standard', :org);
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ten', :org, 10), ('nothing', :org, 0);
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining, overdraft_limit) VALUES ('credit', :org, 10, 5);
-- what a statement says of the rest is ignored
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining, held, overage, version, open_grants, held_until)
	VALUES ('forged', :org, 7, 3, 4, 99, '{1,2,3,4}', now());
SELECT user_id, tokens_remaining, held, overage, version, open_grants, held_until, subscription_tier FROM platform.user_accounts
WHERE organization_id = :org ORDER BY user_id;
SELECT user_id, kind, amount, balance_after, version, tokens_used, reason FROM platform.token_usage
WHERE organization_id = :org ORDER BY user_id;
-- ON CONFLICT DO NOTHING makes no entry
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ten', :org, 99) ON CONFLICT DO NOTHING;
SELECT count(*) FROM platform.token_usage WHERE organization_id = :org AND user_id = 'ten';

-- a burn and its entry
SELECT burned, shortfall, remaining, status, duplicate, entry_id IS NOT NULL AS entry
FROM platform.burn_tokens(:org, 'standard', 30, 'voice-only', true, 'call-1', 'k1');
SELECT kind, amount, tokens_used, balance_after, version, mode, used_turn, session_id, idempotency_key, duration_seconds, shortfall, paid_by
FROM platform.token_usage WHERE organization_id = :org AND user_id = 'standard' AND kind = 'burn';
-- the same key: the first answer, though the balance is another now
SELECT burned, remaining, duplicate FROM platform.burn_tokens(:org, 'standard', 5);
SELECT burned, shortfall, remaining, status, duplicate, entry_id = (SELECT id FROM platform.token_usage WHERE organization_id = :org AND idempotency_key = 'k1') AS same
FROM platform.burn_tokens(:org, 'standard', 30, 'voice', true, 'call-1', 'k1');
-- another account's key is another key
SELECT burned, duplicate FROM platform.burn_tokens(:org, 'ten', 1, idempotency_key => 'k1');
-- the same key with other arguments
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 31, 'voice', true, 'call-1', 'k1');
ROLLBACK TO s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 30, 'video', true, 'call-1', 'k1');
ROLLBACK TO s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 30, 'voice', false, 'call-1', 'k1');
ROLLBACK TO s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 30, 'voice', NULL, 'call-1', 'k1');
ROLLBACK TO s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 30, 'voice', true, 'call-2', 'k1');
ROLLBACK TO s;
SELECT * FROM platform.burn_tokens(:org, 'standard', 30, 'voice', true, 'call-1', 'k1', 'partial');
ROLLBACK TO s;

\set VERBOSITY default
-- the boundary: 9 left
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ten', 10);
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ten', 10, on_insufficient => 'overdraft');
SELECT burned, shortfall, remaining, status, duplicate FROM platform.burn_tokens(:org, 'ten', 10, on_insufficient => 'partial', idempotency_key => 'p');
SELECT burned, shortfall, remaining, status, duplicate FROM platform.burn_tokens(:org, 'ten', 10, on_insufficient => 'partial', idempotency_key => 'p');
SELECT burned, shortfall, remaining, status, entry_id FROM platform.burn_tokens(:org, 'ten', 1, on_insufficient => 'partial');
SELECT burned, shortfall, remaining, status, entry_id FROM platform.burn_tokens(:org, 'ten', 1);
ROLLBACK TO s;
-- exactly what there is, in every mode
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ten', 9, on_insufficient => 'partial');
ROLLBACK TO s;
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ten', 9, on_insufficient => 'overdraft');
ROLLBACK TO s;
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ten', 9);
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'nothing', 1);
-- down to the overdraft limit and not further
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'credit', 16, on_insufficient => 'overdraft');
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'credit', 11, on_insufficient => 'reject');
SELECT burned, shortfall, remaining, status, duplicate FROM platform.burn_tokens(:org, 'credit', 15, on_insufficient => 'overdraft', idempotency_key => 'o');
SELECT burned, shortfall, remaining, status, duplicate FROM platform.burn_tokens(:org, 'credit', 15, on_insufficient => 'overdraft', idempotency_key => 'o');
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'credit', 1, on_insufficient => 'overdraft');
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'credit', 1, on_insufficient => 'partial');
-- a refusal is not remembered: the key works once there are tokens
SELECT status, duplicate FROM platform.burn_tokens(:org, 'nothing', 1, idempotency_key => 'later');
SELECT remaining FROM platform.adjust_tokens(:org, 'nothing', 1, 'a present');
SELECT status, duplicate FROM platform.burn_tokens(:org, 'nothing', 1, idempotency_key => 'later');
-- no account
SELECT burned, shortfall, remaining, status, entry_id FROM platform.burn_tokens(:org, 'nobody', 3, idempotency_key => 'k');
SELECT * FROM platform.verify_token_accounts(:org);

-- what a rollback undoes is undone: balance, entry, key
SAVEPOINT s;
SELECT remaining FROM platform.burn_tokens(:org, 'standard', 60, idempotency_key => 'undone');
SELECT remaining FROM platform.burn_tokens(:org, 'standard', 1);
ROLLBACK TO s;
SELECT tokens_remaining, version FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'standard';
SELECT remaining, duplicate FROM platform.burn_tokens(:org, 'standard', 60, idempotency_key => 'undone');
-- several in one statement
SELECT sum(b.burned), min(b.remaining), count(DISTINCT b.entry_id) FROM generate_series(1, 5) i, platform.burn_tokens(:org, 'standard', 1, idempotency_key => 'n' || i) b;
-- the same key twice in one statement burns once
SELECT sum(b.duplicate::int), min(b.remaining) FROM generate_series(1, 3) i, platform.burn_tokens(:org, 'forged', 1, idempotency_key => 'same' || i / i) b;
SELECT * FROM platform.verify_token_accounts(:org);

-- near 2^63
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('rich', :org, 9223372036854775806);
SAVEPOINT s;
SELECT * FROM platform.adjust_tokens(:org, 'rich', 2, 'too much');
ROLLBACK TO s;
SELECT * FROM platform.grant_tokens(:org, 'rich', 9223372036854775807, priority => 7);
ROLLBACK TO s;
SELECT remaining FROM platform.adjust_tokens(:org, 'rich', 1, 'the last one');
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('poor', :org, 1);
SAVEPOINT s;
SELECT * FROM platform.transfer_tokens(:org, 'poor', 'rich', 1);
ROLLBACK TO s;
SELECT tokens_remaining FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'poor';
SELECT reserved, remaining, available, status FROM platform.reserve_tokens(:org, 'rich', 9223372036854775807);
SELECT reserved, remaining, available, status FROM platform.reserve_tokens(:org, 'rich', 1);
ROLLBACK TO s;
UPDATE platform.user_accounts SET overdraft_limit = 5 WHERE organization_id = :org AND user_id = 'rich';
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'rich', 9223372036854775807, on_insufficient => 'overdraft');
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'rich', 9223372036854775807);
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'rich', 9223372036854775807, on_insufficient => 'overdraft');
SELECT * FROM platform.verify_token_accounts(:org);

-- arguments
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.burn_tokens(NULL, 'ten', 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, NULL, 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, '', 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, repeat('x', 256), 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', NULL);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 0);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', -1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, 'fax');
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, idempotency_key => '');
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, session_id => '');
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, session_id => repeat('x', 256));
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ten', -9223372036854775808, 'least');
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ten', NULL, 'nothing');
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, on_insufficient => 'debt');
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'ten', 1, on_insufficient => NULL);
ROLLBACK TO s;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('negative', :org, -1);
ROLLBACK TO s;
INSERT INTO platform.user_accounts (user_id, organization_id) VALUES ('astray', '30b00000-0000-4000-8000-00000000dead');
ROLLBACK TO s;
\set VERBOSITY default
-- long texts and keys of several bytes a character
INSERT INTO platform.user_accounts (user_id, organization_id) VALUES (repeat('ü', 255), :org);
SELECT remaining, duplicate FROM platform.burn_tokens(:org, repeat('ü', 255), 1, idempotency_key => repeat('é', 255)) UNION ALL
SELECT remaining, duplicate FROM platform.burn_tokens(:org, repeat('ü', 255), 1, idempotency_key => repeat('é', 255));

-- nobody writes balances or entries by a statement, not even the tables' owner
UPDATE platform.user_accounts SET email = 'ten@example.com', subscription_tier = 'pro' WHERE organization_id = :org AND user_id = 'ten' RETURNING tokens_remaining, email;
SAVEPOINT s;
UPDATE platform.user_accounts SET tokens_remaining = 1000 WHERE organization_id = :org AND user_id = 'ten';
ROLLBACK TO s;
UPDATE platform.user_accounts SET held = 1 WHERE organization_id = :org AND user_id = 'ten';
ROLLBACK TO s;
UPDATE platform.user_accounts SET user_id = 'eleven' WHERE organization_id = :org AND user_id = 'ten';
ROLLBACK TO s;
\set VERBOSITY terse
UPDATE platform.user_accounts SET overdraft_limit = 4 WHERE organization_id = :org AND user_id = 'credit';
ROLLBACK TO s;
\set VERBOSITY default
INSERT INTO platform.user_accounts (user_id, organization_id) VALUES ('ten', :org) ON CONFLICT (user_id, organization_id) DO UPDATE SET tokens_remaining = 100;
ROLLBACK TO s;
DELETE FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'ten';
ROLLBACK TO s;
TRUNCATE platform.user_accounts;
ROLLBACK TO s;
INSERT INTO platform.token_usage (id, organization_id, user_id, "timestamp", amount, balance_after, version, kind)
	SELECT platform.uuid7(), :org, 'ten', now(), 5, 5, 100, 'grant';
ROLLBACK TO s;
UPDATE platform.token_usage SET amount = 0 WHERE organization_id = :org;
ROLLBACK TO s;
DELETE FROM platform.token_usage WHERE organization_id = :org;
ROLLBACK TO s;
TRUNCATE platform.token_usage;
ROLLBACK TO s;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('brief', :org, 0);
DELETE FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'brief' RETURNING user_id;
SELECT * FROM platform.verify_token_accounts(:org);
ROLLBACK;
-- a transaction that may not write
BEGIN READ ONLY;
SELECT platform.burn_tokens(:org, 'ten', 1);
ROLLBACK;
