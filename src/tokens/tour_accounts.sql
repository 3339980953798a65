-- tour 30 Token accounts: every token accounted for
\echo
\echo test_user_2 has 250 tokens. Burning them makes entries; with a key, asking again burns
\echo nothing.
\echo
\set ECHO queries
SELECT burned, remaining, status, duplicate FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'test_user_2', 40, 'voice', idempotency_key => 'tour 1');
SELECT burned, remaining, status, duplicate FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'test_user_2', 40, 'voice', idempotency_key => 'tour 1');
\set ECHO none
\echo
\echo What is free and expires is used before what was paid. A refund goes back to who paid.
\echo
\set ECHO queries
SELECT granted, remaining FROM platform.grant_tokens('00000000-0000-0000-0000-000000000000',
	'test_user_2', 25, 'welcome', expires_at => now() + interval '30 days');
SELECT tokens, remaining FROM platform.purchase_tokens('00000000-0000-0000-0000-000000000000',
	'test_user_2', '100 tokens', 'tour payment');
SELECT burned, remaining, entry_id AS entry FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000',
	'test_user_2', 60) \gset
SELECT refunded, refundable, remaining FROM platform.refund_tokens('00000000-0000-0000-0000-000000000000',
	:'entry', 50);
SELECT remaining, priority, expires_at IS NOT NULL AS expires
FROM platform.open_token_grants('00000000-0000-0000-0000-000000000000', 'test_user_2');
\set ECHO none
\echo
\echo The statement adds up, and so does double entry.
\echo
\set ECHO queries
SELECT version, kind, amount, balance_after FROM platform.token_statement('00000000-0000-0000-0000-000000000000', 'test_user_2');
SELECT account, sum(amount) FROM platform.token_postings WHERE user_id = 'test_user_2' GROUP BY account ORDER BY account;
SELECT count(*) AS broken FROM platform.verify_token_accounts();
\set ECHO none
