-- Who may what: members their own account, administrators their organization's, operators all; strangers nothing
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES
	('30f00000-0000-4000-8000-000000000001', 'Ours'), ('30f00000-0000-4000-8000-000000000002', 'Theirs')
ON CONFLICT DO NOTHING;
\set org '''30f00000-0000-4000-8000-000000000001'''
\set other '''30f00000-0000-4000-8000-000000000002'''
\set ECHO all
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100), ('bob', :org, 50), ('ann', :other, 7);
SELECT hold_id AS bobs FROM platform.reserve_tokens(:org, 'bob', 5, idempotency_key => 'h') \gset
SELECT platform.set_context(:org, 'ann');
SET LOCAL ROLE platform_test_member;
-- its own account and entries
SELECT user_id, organization_id, tokens_remaining FROM platform.user_accounts;
SELECT user_id, kind, amount FROM platform.token_usage;
SELECT count(*) FROM platform.token_holds;
SELECT count(*) > 0 FROM platform.token_packages;
SELECT remaining, status FROM platform.burn_tokens(:org, 'ann', 10, idempotency_key => 'm');
SELECT hold_id AS anns, available FROM platform.reserve_tokens(:org, 'ann', 10) \gset
SELECT captured, remaining FROM platform.capture_tokens(:org, :'anns', 4);
SELECT balance, available FROM platform.token_balance(:org, 'ann');
SELECT platform.token_balance_at(:org, 'ann', clock_timestamp());
SELECT count(*) FROM platform.token_statement(:org, 'ann');
SELECT remaining FROM platform.open_token_grants(:org, 'ann');
SELECT platform.set_low_balance_thresholds(:org, 'ann', '{20}');
-- nobody else's, nor its own in another organization
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.burn_tokens(:org, 'bob', 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:other, 'ann', 1);
ROLLBACK TO s;
SELECT platform.burn_tokens(:org, 'nobody', 1);
ROLLBACK TO s;
SELECT platform.token_balance(:org, 'bob');
ROLLBACK TO s;
SELECT platform.token_balance_at(:other, 'ann', now());
ROLLBACK TO s;
SELECT platform.token_statement(:org, 'bob');
ROLLBACK TO s;
SELECT platform.open_token_grants(:org, 'bob');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'bob', 1);
ROLLBACK TO s;
SELECT platform.capture_tokens(:org, :'bobs');
ROLLBACK TO s;
SELECT platform.release_tokens(:org, :'bobs');
ROLLBACK TO s;
SELECT platform.release_tokens(:other, :'bobs');
ROLLBACK TO s;
SELECT platform.set_low_balance_thresholds(:org, 'bob', NULL);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'ann', 'bob', 1);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'ann', 1);
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'ann', '100 tokens', 'x');
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, :'bobs');
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', 1, 'me');
ROLLBACK TO s;
SELECT platform.expire_tokens();
ROLLBACK TO s;
SELECT platform.reconcile_tokens();
ROLLBACK TO s;
SELECT platform.verify_token_accounts();
ROLLBACK TO s;
INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('mine', 1000000);
ROLLBACK TO s;
UPDATE platform.user_accounts SET tokens_remaining = 1000000;
ROLLBACK TO s;
UPDATE platform.user_accounts SET overdraft_limit = 1000000;
ROLLBACK TO s;
DELETE FROM platform.token_usage;
ROLLBACK TO s;
INSERT INTO platform.token_usage (id, organization_id, user_id, "timestamp", amount, balance_after, version, kind)
	SELECT platform.uuid7(), :org, 'ann', now(), 5, 5, 100, 'grant';
ROLLBACK TO s;
\set VERBOSITY default
-- a user without an identity has no account
RESET ROLE;
SELECT platform.set_context(:org, NULL);
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.user_accounts;
SAVEPOINT s;
SELECT platform.burn_tokens(:org, 'ann', 1);
ROLLBACK TO s;
RESET ROLE;
SELECT platform.set_context(NULL, NULL);
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.user_accounts;
SELECT platform.burn_tokens(:org, 'ann', 1);
ROLLBACK TO s;

-- an administrator: its organization's accounts
RESET ROLE;
SELECT platform.set_context(:org, 'chief', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT user_id, organization_id, tokens_remaining FROM platform.user_accounts ORDER BY user_id;
SELECT remaining FROM platform.burn_tokens(:org, 'bob', 1);
SELECT from_remaining, to_remaining FROM platform.transfer_tokens(:org, 'bob', 'ann', 2);
SELECT platform.release_tokens(:org, :'bobs');
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.burn_tokens(:other, 'ann', 1);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:other, 'ann', 'bob', 1);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'ann', 1);
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', 1, 'me');
ROLLBACK TO s;
-- a stranger: nothing at all
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.burn_tokens(:org, 'ann', 1);
ROLLBACK TO s;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.token_balance(:org, 'ann');
ROLLBACK TO s;
SET LOCAL ROLE platform_test_stranger;
SELECT * FROM platform.user_accounts;
ROLLBACK TO s;
\set VERBOSITY default
RESET ROLE;
SELECT * FROM platform.verify_token_accounts(:org);
ROLLBACK;
