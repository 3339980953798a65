-- No function of token billing looks anything up along the caller's search_path, whoever calls
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\ir ../kit/hostile.sql
\set ECHO all
\set org '''30a00000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Hostile');
SET LOCAL search_path = evil, pg_catalog;
-- the trap works
SAVEPOINT s;
\set VERBOSITY terse
SELECT 1::pg_catalog.int8 <> 1::pg_catalog.numeric;
\set VERBOSITY default
ROLLBACK TO s;
INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining) VALUES ('ann', :org, 100), ('bob', :org, 1);
UPDATE platform.user_accounts SET email = 'ann@example.com', overdraft_limit = 5 WHERE user_id OPERATOR(pg_catalog.=) 'ann' AND organization_id OPERATOR(pg_catalog.=) :org;
SELECT platform.set_low_balance_thresholds(:org, 'ann', '{95,50}');
SELECT burned, remaining, entry_id AS entry FROM platform.burn_tokens(:org, 'ann', 10, 'video', true, 'call', 'k') \gset
SELECT burned, duplicate FROM platform.burn_tokens(:org, 'ann', 10, 'video', true, 'call', 'k');
SELECT granted FROM platform.grant_tokens(:org, 'ann', 20, expires_at => '2999-01-01');
SELECT refunded FROM platform.refund_tokens(:org, :'entry', 3);
SELECT from_remaining FROM platform.transfer_tokens(:org, 'ann', 'bob', 25);
SELECT remaining FROM platform.adjust_tokens(:org, 'ann', -1, 'test');
SELECT tokens, duplicate FROM platform.purchase_tokens(:org, 'ann', '100 tokens', 'hostile');
SELECT tokens, duplicate FROM platform.purchase_tokens(:org, 'ann', '100 tokens', 'hostile');
SELECT hold_id AS one FROM platform.reserve_tokens(:org, 'ann', 5, idempotency_key => 'h') \gset
SELECT duplicate FROM platform.reserve_tokens(:org, 'ann', 5, idempotency_key => 'h');
SELECT hold_id AS two FROM platform.reserve_tokens(:org, 'ann', 5, '0.001 s') \gset
SELECT captured FROM platform.capture_tokens(:org, :'one', 2);
SELECT pg_catalog.pg_sleep(0.002);
SELECT platform.expire_tokens() IS NOT NULL AS done;
SELECT platform.release_tokens(:org, :'two');
SELECT balance, held, available FROM platform.token_balance(:org, 'ann');
SELECT platform.token_balance_at(:org, 'ann', 'infinity');
SELECT version, amount FROM platform.token_statement(:org, 'ann', '2001-01-01', 'infinity') LIMIT 1;
SELECT remaining FROM platform.open_token_grants(:org, 'ann');
SELECT platform.token_cost('video', true, 61);
SELECT platform.set_token_rate('voice', false, 3) IS NOT NULL AS set;
SELECT platform.start_call_session(:org, 'room', 'video', 'bob') AS call, platform.start_call_session(:org, 'room', 'video', 'nobody') AS nobodys \gset
UPDATE platform.call_sessions SET start_time = '2001-01-01', heartbeat_at = '2001-01-01 00:01:00', segment_started_at = '2001-01-01' WHERE organization_id OPERATOR(pg_catalog.=) :org;
SELECT billing, burned FROM platform.heartbeat_call_session(:'call', true, '2001-01-01 00:01:30');
SELECT status, charged FROM platform.call_session_status(:'call');
SELECT billing, burned FROM platform.end_call_session(:'call', '2001-01-01 00:02:00');
SELECT billing, burned FROM platform.end_call_session(:'call', '2001-01-01 00:00:30');
SELECT metered, unbilled, closed FROM platform.meter_active_sessions();
INSERT INTO platform.user_accounts (user_id, organization_id) VALUES ('nobody', :org);
SELECT settled FROM platform.settle_unbilled_usage();
SELECT caller FROM platform.list_call_sessions(:org, 'bob', '2001-01-01', '2002-01-01');
SELECT caller FROM platform.list_unbilled_usage(:org, include_settled => true);
SELECT platform.heartbeat_presence(:org, 'ann', 'room');
SELECT host_id FROM platform.available_hosts(:org);
SELECT user_id, problem FROM platform.verify_token_accounts(:org);
SET LOCAL session_replication_role = replica;
UPDATE platform.user_accounts SET held = 1 WHERE user_id OPERATOR(pg_catalog.=) 'ann' AND organization_id OPERATOR(pg_catalog.=) :org;
SET LOCAL session_replication_role = origin;
SELECT user_id, held, expected_held, fixed FROM platform.reconcile_tokens(false, :org);
SELECT user_id, total_tokens_used FROM platform.user_token_summary WHERE organization_id OPERATOR(pg_catalog.=) :org ORDER BY user_id;
SELECT mode, total_tokens FROM platform.daily_token_usage WHERE organization_id OPERATOR(pg_catalog.=) :org;
SELECT total_calls FROM platform.daily_billing_summary WHERE organization_id OPERATOR(pg_catalog.=) :org;
SELECT user_id FROM platform.active_calls WHERE organization_id OPERATOR(pg_catalog.=) :org;
SELECT account FROM platform.token_postings WHERE organization_id OPERATOR(pg_catalog.=) :org AND version OPERATOR(pg_catalog.=) 1::pg_catalog.int8 ORDER BY account LIMIT 1;
-- and members
SELECT platform.set_context(:org, 'bob');
SET LOCAL ROLE platform_test_member;
SELECT burned FROM platform.burn_tokens(:org, 'bob', 1, idempotency_key => 'm');
SELECT reserved FROM platform.reserve_tokens(:org, 'bob', 1);
SELECT platform.start_call_session(:org, 'room', 'voice', 'bob') AS call \gset
SELECT billing FROM platform.end_call_session(:'call');
SELECT balance FROM platform.token_balance(:org, 'bob');
SELECT pg_catalog.count(*) FROM platform.token_usage;
SELECT host_id FROM platform.available_hosts();
ROLLBACK;
