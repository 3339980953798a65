-- Grants: order of use, expiry that nobody writes in time, refunds that go back to who paid, transfers, purchases, thresholds
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('30c00000-0000-4000-8000-000000000001', 'Grants')
ON CONFLICT DO NOTHING;
\set org '''30c00000-0000-4000-8000-000000000001'''
\set grants 'SELECT number, remaining, CASE WHEN expires_at > clock_timestamp() THEN ''later'' WHEN expires_at IS NOT NULL THEN ''over'' END AS expires, priority, expired FROM platform.open_token_grants'
\set ECHO all
BEGIN;
-- free before paid, soonest expiry first, what never expires last
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100), ('bob', :org, 0);
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 20, 'late', expires_at => now() + '2 days');
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 30, 'soon', expires_at => now() + '1 day');
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 5, 'first', expires_at => now() + '3 days', priority => 1);
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 7, 'last', priority => 250);
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 10, 'promotion');
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'ann', 10, 'promotion', priority => 100, reason => 'twice');
:grants(:org, 'ann');
SELECT sum(remaining), (SELECT balance FROM platform.token_balance(:org, 'ann')) FROM platform.open_token_grants(:org, 'ann');
SELECT number, amount, priority, source, reason, expires_at IS NOT NULL AS expires, closed_at FROM platform.token_grants WHERE organization_id = :org ORDER BY number;
SELECT remaining FROM platform.burn_tokens(:org, 'ann', 37, idempotency_key => 'b1');
:grants(:org, 'ann');
SELECT remaining FROM platform.burn_tokens(:org, 'ann', 142, idempotency_key => 'b2');
:grants(:org, 'ann');
SELECT idempotency_key, amount, paid_by FROM platform.token_usage WHERE organization_id = :org AND kind = 'burn' ORDER BY version;

-- refunds: what was used last comes back first, to who paid
SELECT id AS b2 FROM platform.token_usage WHERE organization_id = :org AND idempotency_key = 'b2' \gset
SELECT refunded, refundable, remaining, duplicate FROM platform.refund_tokens(:org, :'b2', 104, 'r1', 'bad line');
:grants(:org, 'ann');
SELECT refunded, refundable, remaining, duplicate FROM platform.refund_tokens(:org, :'b2', 104, 'r1');
SELECT refunded, refundable, remaining, duplicate FROM platform.refund_tokens(:org, :'b2', 20);
:grants(:org, 'ann');
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.refund_tokens(:org, :'b2', 19);
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, :'b2', 5, 'r1');
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, :'b2', 5, 'b1');
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, '30c00000-0000-4000-8000-00000000dead');
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, (SELECT id FROM platform.token_usage WHERE organization_id = :org AND user_id = 'ann' AND version = 2));
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, NULL);
ROLLBACK TO s;
SELECT platform.refund_tokens(:org, :'b2', 0);
ROLLBACK TO s;
\set VERBOSITY default
SELECT refunded, refundable, remaining, duplicate FROM platform.refund_tokens(:org, :'b2');
SELECT refunded, refundable, remaining, refund_id FROM platform.refund_tokens(:org, :'b2');
:grants(:org, 'ann');
SELECT amount, balance_after, reverses = :'b2' AS of_b2, paid_by, reason FROM platform.token_usage WHERE organization_id = :org AND kind = 'refund' ORDER BY version;
SELECT * FROM platform.verify_token_accounts(:org);

-- transfers keep expiry and order; they raise
SELECT from_remaining, to_remaining, duplicate FROM platform.transfer_tokens(:org, 'ann', 'bob', 30, 't1', 'share');
SELECT from_remaining, duplicate FROM platform.transfer_tokens(:org, 'ann', 'bob', 30, 't1', 'share');
:grants(:org, 'ann');
:grants(:org, 'bob');
SELECT from_remaining, to_remaining FROM platform.transfer_tokens(:org, 'bob', 'ann', 30);
SELECT user_id, version, amount, balance_after, paid_by, reason FROM platform.token_usage WHERE organization_id = :org AND kind = 'transfer' ORDER BY user_id, version;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.transfer_tokens(:org, 'ann', 'bob', 146);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'bob', 'ann', 1);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'ann', 'ann', 1);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'ann', 'nobody', 1);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'nobody', 'ann', 1);
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'ann', 'bob', 29, 't1');
ROLLBACK TO s;
SELECT platform.transfer_tokens(:org, 'ann', 'bob', 0);
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', 0, 'nothing');
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', 1, NULL);
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', 1, '');
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'ann', -146, 'too much');
ROLLBACK TO s;
SELECT platform.adjust_tokens(:org, 'nobody', 1, 'who');
ROLLBACK TO s;
\set VERBOSITY default
SELECT remaining, duplicate FROM platform.adjust_tokens(:org, 'ann', -45, 'correction', 'a1');
SELECT remaining, duplicate FROM platform.adjust_tokens(:org, 'ann', -45, 'correction', 'a1');
SELECT * FROM platform.verify_token_accounts(:org);
ROLLBACK;

-- expiry: what is over does not count, whether anybody has written that or not
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('eve', :org, 10), ('fay', :org, 0), ('gil', :org, 10);
SELECT granted FROM platform.grant_tokens(:org, 'eve', 20, expires_at => clock_timestamp() + '0.5 s', idempotency_key => 'g1');
SELECT granted FROM platform.grant_tokens(:org, 'fay', 30, expires_at => clock_timestamp() + '0.5 s');
SELECT granted FROM platform.grant_tokens(:org, 'gil', 40, expires_at => clock_timestamp() + '0.5 s');
SELECT burned FROM platform.burn_tokens(:org, 'gil', 25, idempotency_key => 'before');
SELECT reserved FROM platform.reserve_tokens(:org, 'gil', 20);
SELECT expires_at AS until FROM platform.token_grants WHERE organization_id = :org AND user_id = 'eve' \gset
SELECT pg_sleep(0.6);
SELECT * FROM platform.token_balance(:org, 'eve');
SELECT * FROM platform.token_balance(:org, 'gil');
-- a repeated grant is answered although its time is over
SELECT granted, duplicate FROM platform.grant_tokens(:org, 'eve', 20, expires_at => :'until', idempotency_key => 'g1');
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'eve', 11);
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'eve', 10);
-- what a hold needs stays until it ends
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'gil', 6);
:grants(:org, 'gil');
-- a refund to a grant that is over makes no lasting tokens
SELECT refunded, refundable, remaining FROM platform.refund_tokens(:org, (SELECT id FROM platform.token_usage WHERE organization_id = :org AND idempotency_key = 'before'));
SELECT * FROM platform.token_balance(:org, 'gil');
SELECT platform.expire_tokens(), platform.expire_tokens();
SELECT user_id, version, kind, amount, balance_after, paid_by FROM platform.token_usage WHERE organization_id = :org ORDER BY user_id, version;
SELECT user_id, amount, closed_at IS NOT NULL AS closed FROM platform.token_grants WHERE organization_id = :org ORDER BY user_id;
SELECT platform.release_tokens(:org, (SELECT id FROM platform.token_holds WHERE organization_id = :org AND user_id = 'gil'));
SELECT platform.expire_tokens();
SELECT * FROM platform.token_balance(:org, 'gil');
SELECT user_id, amount, closed_at IS NOT NULL AS closed FROM platform.token_grants WHERE organization_id = :org ORDER BY user_id;
SELECT * FROM platform.verify_token_accounts(:org);
-- who owes pays first
UPDATE platform.user_accounts SET overdraft_limit = 50 WHERE organization_id = :org AND user_id = 'fay';
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'fay', 40, on_insufficient => 'overdraft');
SELECT granted, remaining FROM platform.grant_tokens(:org, 'fay', 30, expires_at => now() + '1 day');
SELECT granted, remaining FROM platform.grant_tokens(:org, 'fay', 30, expires_at => now() + '1 day');
:grants(:org, 'fay');
SELECT * FROM platform.verify_token_accounts(:org);
ROLLBACK;

-- purchases: a payment that is announced again credits once
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('pam', :org, 0), ('quinn', :org, 0);
SELECT name, tokens, price_cents, currency FROM platform.token_packages ORDER BY tokens;
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_1');
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_1');
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_1', 'paypal');
UPDATE platform.token_packages SET tokens = 600, valid_days = 30 WHERE name = '500 tokens';
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_1');
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_2');
:grants(:org, 'pam');
SELECT user_id, provider, payment_id, package, tokens, price_cents FROM platform.token_purchases WHERE organization_id = :org ORDER BY created_at;
SELECT source, payment_id, amount, priority FROM platform.token_grants WHERE organization_id = :org ORDER BY number;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.purchase_tokens(:org, 'quinn', '500 tokens', 'pi_1');
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'pam', '100 tokens', 'pi_1');
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'pam', '7 tokens', 'pi_3');
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'nobody', '100 tokens', 'pi_3');
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'pam', '100 tokens', NULL);
ROLLBACK TO s;
UPDATE platform.token_packages SET is_active = false WHERE name = '100 tokens';
SELECT platform.purchase_tokens(:org, 'pam', '100 tokens', 'pi_3');
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'nobody', 1);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 0);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, expires_at => now());
ROLLBACK TO s;
-- a key makes no exception for a grant that is new
SELECT platform.grant_tokens(:org, 'pam', 1, expires_at => now(), idempotency_key => 'late');
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, expires_at => '-infinity', idempotency_key => 'late');
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, priority => 256);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, priority => NULL);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, NULL);
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'pam', '500 tokens', 'pi_3', 'stripe/test');
ROLLBACK TO s;
SELECT platform.purchase_tokens(:org, 'pam', '500 tokens', repeat('p', 181));
ROLLBACK TO s;
SELECT platform.expire_tokens(NULL);
ROLLBACK TO s;
SELECT platform.grant_tokens(:org, 'pam', 1, '');
ROLLBACK TO s;
SELECT platform.expire_tokens(0);
ROLLBACK TO s;
\set VERBOSITY default
-- provider and payment do not run into each other, and both may be long
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'quinn', '100 tokens', 'transfer 17', 'bank');
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'quinn', '100 tokens', '17', 'bank transfer');
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'quinn', '100 tokens', repeat('p', 180), repeat('q', 63));
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens(:org, 'quinn', '100 tokens', repeat('p', 180), repeat('q', 63));
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'pam', 5, idempotency_key => 'g');
SELECT granted, remaining, duplicate FROM platform.grant_tokens(:org, 'pam', 5, idempotency_key => 'g');
SELECT platform.grant_tokens(:org, 'pam', 6, idempotency_key => 'g');
ROLLBACK;

-- thresholds: each fall to one or below it, once until the balance was above it again
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('tom', :org, 100);
SELECT platform.set_low_balance_thresholds(:org, 'tom', '{50,10}');
SELECT remaining FROM platform.burn_tokens(:org, 'tom', 49);
SELECT remaining FROM platform.burn_tokens(:org, 'tom', 1);
SELECT remaining FROM platform.burn_tokens(:org, 'tom', 1);
SELECT remaining FROM platform.adjust_tokens(:org, 'tom', 2, 'up');
SELECT remaining FROM platform.burn_tokens(:org, 'tom', 51);
SELECT status FROM platform.burn_tokens(:org, 'tom', 1);
SELECT version, threshold, balance FROM platform.low_balance_events WHERE organization_id = :org ORDER BY version, threshold;
SELECT platform.set_low_balance_thresholds(:org, 'tom', NULL);
SELECT low_balance_thresholds FROM platform.user_accounts WHERE organization_id = :org;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.set_low_balance_thresholds(:org, 'tom', '{1,NULL}');
ROLLBACK TO s;
SELECT platform.set_low_balance_thresholds(:org, 'tom', '{1,2,3,4,5,6,7,8,9}');
ROLLBACK TO s;
SELECT platform.set_low_balance_thresholds(:org, 'tom', '{{1,2},{3,4}}');
ROLLBACK TO s;
SELECT platform.set_low_balance_thresholds(NULL, 'tom', '{1}');
ROLLBACK TO s;
SELECT platform.set_low_balance_thresholds(:org, 'nobody', '{1}');
ROLLBACK TO s;
\set VERBOSITY default
ROLLBACK;
