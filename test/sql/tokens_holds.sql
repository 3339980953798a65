-- Holds: the boundary of what is available, capture once, release, expiry that nobody writes in time, keys
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('30d00000-0000-4000-8000-000000000001', 'Holds')
ON CONFLICT DO NOTHING;
\set org '''30d00000-0000-4000-8000-000000000001'''
\set ECHO all
BEGIN;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100);
SELECT reserved, remaining, available, status, duplicate, expires_at - clock_timestamp() BETWEEN '299 s' AND '300 s' AS five_minutes
FROM platform.reserve_tokens(:org, 'ann', 60, idempotency_key => 'h1', reason => 'call');
SELECT reserved, remaining, available, status, duplicate FROM platform.reserve_tokens(:org, 'ann', 60, idempotency_key => 'h1');
-- 40 are left to spend, whatever the mode
SELECT hold_id, reserved, available, status FROM platform.reserve_tokens(:org, 'ann', 41);
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'ann', 41);
SELECT * FROM platform.token_balance(:org, 'ann');
SAVEPOINT s;
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens(:org, 'ann', 50, on_insufficient => 'partial');
ROLLBACK TO s;
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'ann', 40);
SELECT reserved, available, status FROM platform.reserve_tokens(:org, 'ann', 1);
SELECT id AS h1 FROM platform.token_holds WHERE organization_id = :org AND idempotency_key = 'h1' \gset
-- capture less than was held: the rest is free
SELECT captured, released, remaining, duplicate FROM platform.capture_tokens(:org, :'h1', 25);
SELECT captured, released, remaining, duplicate FROM platform.capture_tokens(:org, :'h1', 25);
SELECT captured, released, remaining, duplicate FROM platform.capture_tokens(:org, :'h1');
SELECT kind, amount, tokens_used, balance_after, reason FROM platform.token_usage WHERE organization_id = :org AND kind = 'capture';
SELECT * FROM platform.token_balance(:org, 'ann');
SELECT status, amount, captured FROM platform.token_holds WHERE organization_id = :org;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.capture_tokens(:org, :'h1', 24);
ROLLBACK TO s;
SELECT platform.release_tokens(:org, :'h1');
ROLLBACK TO s;
SELECT platform.capture_tokens(:org, '30d00000-0000-4000-8000-00000000dead');
ROLLBACK TO s;
SELECT platform.release_tokens(:org, '30d00000-0000-4000-8000-00000000dead');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 61, idempotency_key => 'h1');
ROLLBACK TO s;
\set VERBOSITY default
-- all of it, more than it, release
SELECT hold_id AS h2 FROM platform.reserve_tokens(:org, 'ann', 35) \gset
SAVEPOINT s;
SELECT platform.capture_tokens(:org, :'h2', 36);
ROLLBACK TO s;
SELECT captured, released, remaining FROM platform.capture_tokens(:org, :'h2', NULL);
ROLLBACK TO s;
SELECT platform.release_tokens(:org, :'h2'), platform.release_tokens(:org, :'h2');
SELECT platform.capture_tokens(:org, :'h2');
ROLLBACK TO s;
SELECT * FROM platform.token_balance(:org, 'ann');
SELECT platform.release_tokens(:org, :'h2');
-- a hold does not take from one grant: what is captured is used in the order of then
SELECT granted FROM platform.grant_tokens(:org, 'ann', 10, expires_at => now() + '1 day');
SELECT hold_id AS h3 FROM platform.reserve_tokens(:org, 'ann', 20) \gset
SELECT captured, released, remaining FROM platform.capture_tokens(:org, :'h3', 15);
SELECT kind, amount, paid_by FROM platform.token_usage WHERE organization_id = :org AND kind = 'capture' AND amount = -15;
-- refunds of captures
SELECT refunded, refundable, remaining FROM platform.refund_tokens(:org, (SELECT id FROM platform.token_usage WHERE organization_id = :org AND kind = 'capture' AND amount = -15), 7);
SELECT number, remaining, priority FROM platform.open_token_grants(:org, 'ann');
SELECT * FROM platform.verify_token_accounts(:org);

-- expiry: what is over holds nothing, whether anybody has written that or not
SELECT hold_id AS h4 FROM platform.reserve_tokens(:org, 'ann', 20, '0.2 s', 'h4') \gset
SELECT reserved, available FROM platform.reserve_tokens(:org, 'ann', 5, '1 hour');
SELECT pg_sleep(0.25);
SELECT * FROM platform.token_balance(:org, 'ann');
SELECT status FROM platform.token_holds WHERE id = :'h4';
SAVEPOINT s;
SELECT platform.capture_tokens(:org, :'h4');
ROLLBACK TO s;
SELECT platform.release_tokens(:org, :'h4');
SELECT status FROM platform.token_holds WHERE id = :'h4';
ROLLBACK TO s;
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'ann', 22);
SELECT held, held_until > now() + '59 min' AS later FROM platform.user_accounts WHERE organization_id = :org;
SELECT status FROM platform.token_holds WHERE id = :'h4';
SELECT hold_id = :'h4' AS same, reserved, duplicate FROM platform.reserve_tokens(:org, 'ann', 20, '0.2 s', 'h4');
ROLLBACK TO s;
SELECT platform.expire_tokens(), platform.expire_tokens();
SELECT status, count(*) FROM platform.token_holds WHERE organization_id = :org GROUP BY status ORDER BY status;
SELECT * FROM platform.verify_token_accounts(:org);

-- arguments
\set VERBOSITY sqlstate
SELECT platform.reserve_tokens(:org, 'ann', 1, NULL);
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 1, '0 s');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 1, '-1 s');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 1, '31 days 1 s');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 1, '1 month');
ROLLBACK TO s;
SELECT platform.reserve_tokens(:org, 'ann', 0);
ROLLBACK TO s;
SELECT platform.capture_tokens(:org, NULL);
ROLLBACK TO s;
SELECT platform.release_tokens(NULL, NULL);
ROLLBACK TO s;
\set VERBOSITY default
SELECT hold_id, reserved, remaining, available, status FROM platform.reserve_tokens(:org, 'nobody', 1);
SELECT status FROM platform.reserve_tokens(:org, 'ann', 1, '31 days');
-- a hold that somebody wrote by hand holds nothing, is found, and is in nobody's way when it is over
SELECT remaining FROM platform.adjust_tokens(:org, 'ann', 50, 'more');
INSERT INTO platform.token_holds (id, organization_id, user_id, amount, expires_at)
	VALUES ('30d00000-0000-4000-8000-0000000000f1', :org, 'ann', 1000, clock_timestamp() + '0.1 s');
SELECT problem, found - expected AS difference FROM platform.verify_token_accounts(:org);
SELECT status FROM platform.reserve_tokens(:org, 'ann', 1, '0.1 s');
SELECT pg_sleep(0.15);
SELECT burned, status FROM platform.burn_tokens(:org, 'ann', 1);
SELECT status FROM platform.token_holds WHERE id = '30d00000-0000-4000-8000-0000000000f1';
ROLLBACK;
