-- The examples of the page about token accounts
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\set ECHO all

INSERT INTO platform.user_accounts (user_id, email) VALUES ('ada', 'ada@example.com');
SELECT kind, amount, balance_after FROM platform.token_usage WHERE user_id = 'ada';   -- grant, 100, 100

SELECT burned, remaining, status, duplicate FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 30, 'video', idempotency_key => 'call 7, minute 3');           -- 30, 70, ok, false
SELECT burned, remaining, status, duplicate FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 30, 'video', idempotency_key => 'call 7, minute 3');           -- the same, true
SELECT burned, shortfall, remaining, status FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 80, on_insufficient => 'partial');                             -- 70, 10, 0, partial

SELECT tokens, remaining, duplicate FROM platform.purchase_tokens('00000000-0000-0000-0000-000000000000',
	'ada', '500 tokens', 'pi_3Nf8');                                      -- 500, 500, false
SELECT tokens, remaining, duplicate FROM platform.purchase_tokens('00000000-0000-0000-0000-000000000000',
	'ada', '500 tokens', 'pi_3Nf8');                                      -- 500, 500, true
SELECT granted, remaining FROM platform.grant_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 20, 'welcome', expires_at => now() + interval '30 days');      -- 20, 520

SELECT remaining, priority, expires_at IS NOT NULL AS expires
FROM platform.open_token_grants('00000000-0000-0000-0000-000000000000', 'ada');   -- 20 first, then 500

SELECT burned, remaining, entry_id AS entry FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 40) \gset
SELECT refunded, refundable, remaining FROM platform.refund_tokens('00000000-0000-0000-0000-000000000000',
	:'entry', 25, reason => 'the line was bad');                          -- 25, 15, 505

SELECT hold_id AS hold, reserved, available FROM platform.reserve_tokens('00000000-0000-0000-0000-000000000000',
	'ada', 100) \gset
SELECT captured, released, remaining, duplicate FROM platform.capture_tokens('00000000-0000-0000-0000-000000000000',
	:'hold', 60);                                                         -- 60, 40, 445, false

SELECT version, kind, amount, balance_after FROM platform.token_statement('00000000-0000-0000-0000-000000000000', 'ada');
SELECT balance, held, available FROM platform.token_balance('00000000-0000-0000-0000-000000000000', 'ada');

SELECT account, sum(amount) FROM platform.token_postings WHERE user_id = 'ada' GROUP BY account ORDER BY account;

SELECT * FROM platform.verify_token_accounts();
ROLLBACK;
