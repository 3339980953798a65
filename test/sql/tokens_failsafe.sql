-- Calls go on when billing fails: what could not be billed is kept, and billed once
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'7c100000-0000-4000-8000-000000000001\''
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Fail-safe Co');
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'ada', 100);
CREATE TEMP VIEW debt AS SELECT user_id, segment, sequence, tokens, mode, used_turn, duration_seconds AS seconds, reason, error_code, attempts,
	settled_at IS NOT NULL AS settled, EXISTS (SELECT FROM platform.token_usage t WHERE t.id = u.entry_id AND t.tokens_used = u.tokens) AS entry
FROM platform.unbilled_usage u WHERE organization_id = '7c100000-0000-4000-8000-000000000001' ORDER BY created_at, segment, sequence;
CREATE TEMP VIEW total AS SELECT s.user_id, s.status, s.charged,
	(SELECT coalesce(sum(tokens_used), 0) FROM platform.token_usage t WHERE t.session_id = s.id::text) AS billed,
	(SELECT coalesce(sum(tokens), 0) FROM platform.unbilled_usage u WHERE u.session_id = s.id AND settled_at IS NULL) AS unbilled
FROM platform.call_sessions s WHERE organization_id = '7c100000-0000-4000-8000-000000000001' ORDER BY start_time;
\set ECHO all

-- no account: the call begins, lives and ends
SELECT platform.start_call_session(:org, 'room', 'video', 'nobody', on_exhausted => 'cut', at => now() - interval '1 hour') AS call \gset
SELECT status, billing, burned, charged, remaining, granted_seconds, verdict, reason FROM platform.heartbeat_call_session(:'call', at => now() - interval '59 min');
SELECT status, billing, burned, charged, reason FROM platform.heartbeat_call_session(:'call', true, at => now() - interval '58 min');
SELECT status, billing, burned, charged, reason, duration_seconds FROM platform.end_call_session(:'call', at => now() - interval '57 min');
SELECT * FROM debt;
SELECT * FROM total;
-- still none
SELECT * FROM platform.settle_unbilled_usage();
SELECT attempts, reason, settled FROM debt;
-- then there is one: billed once
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'nobody', 7);
SELECT * FROM platform.settle_unbilled_usage(1);
SELECT * FROM platform.settle_unbilled_usage();
SELECT * FROM platform.settle_unbilled_usage();
SELECT * FROM debt;
SELECT tokens_remaining, held, overage FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'nobody';
SELECT tokens_used, shortfall, balance_after, mode, used_turn, duration_seconds FROM platform.token_usage
WHERE organization_id = :org AND user_id = 'nobody' AND kind = 'burn' ORDER BY version;
SELECT * FROM total;
-- the entry was there, only the mark was not
SELECT count(*) AS marks FROM (SELECT id FROM platform.unbilled_usage WHERE organization_id = :org) u;
UPDATE platform.unbilled_usage SET settled_at = NULL WHERE organization_id = :org;
SELECT * FROM platform.settle_unbilled_usage();
SELECT * FROM total;
SELECT tokens_remaining FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'nobody';

-- the ledger is broken
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '50 min') AS call \gset
SELECT billing, burned, remaining FROM platform.heartbeat_call_session(:'call', at => now() - interval '49 min');
ALTER TABLE platform.token_usage RENAME TO away;
SELECT status, billing, burned, charged, remaining, verdict, reason FROM platform.heartbeat_call_session(:'call', at => now() - interval '48 min');
SELECT held FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'ada';
SELECT * FROM platform.meter_active_sessions(at => now() - interval '47 min');
SELECT status, billing, burned, charged, reason, duration_seconds FROM platform.end_call_session(:'call', at => now() - interval '46 min');
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '45 min') AS second \gset
SELECT status, billing, charged FROM platform.end_call_session(:'second', at => now() - interval '44 min');
ALTER TABLE platform.away RENAME TO token_usage;
SELECT segment, sequence, tokens, seconds, reason, error_code, settled FROM debt WHERE user_id = 'ada';
SELECT * FROM platform.settle_unbilled_usage();
SELECT segment, sequence, tokens, settled, entry FROM debt WHERE user_id = 'ada';
SELECT * FROM total WHERE user_id = 'ada';
SELECT tokens_remaining, overage FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'ada';

-- what such a call had set aside when it ended is free again when its time is over: ended by a report,
-- ended by SQL, lost; nothing was due of the last
SELECT platform.start_call_session(:org, 'end', 'voice', 'ada', reserve_minutes => 10, at => now() - interval '43 min') AS reported,
	platform.start_call_session(:org, 'sql', 'voice', 'ada', reserve_minutes => 20, grace_seconds => NULL, at => now() - interval '42 min') AS sql,
	platform.start_call_session(:org, 'lost', 'voice', 'ada', reserve_minutes => 30, at => now() - interval '41 min') AS lost \gset
SELECT held FROM platform.token_balance(:org, 'ada');
UPDATE platform.call_sessions SET end_time = start_time + interval '61 s' WHERE id = :'sql';
SAVEPOINT whole;
ALTER TABLE platform.token_usage RENAME TO away;
SELECT status, billing, charged FROM platform.end_call_session(:'reported', at => now() - interval '42 min');
SELECT metered, unbilled, closed, skipped FROM platform.meter_active_sessions();
ALTER TABLE platform.away RENAME TO token_usage;
SELECT room_id, status, charged, reserved FROM platform.call_sessions WHERE id IN (:'reported', :'sql', :'lost') ORDER BY room_id;
SELECT amount, status, reason, expires_at > now() AS open FROM platform.token_holds WHERE organization_id = :org ORDER BY amount;
SELECT held FROM platform.token_balance(:org, 'ada');
SELECT * FROM platform.verify_token_accounts(:org);
SELECT settled, tokens FROM platform.settle_unbilled_usage();
-- one is freed by hand, the others by time
SELECT platform.release_tokens(:org, id) FROM platform.token_holds WHERE organization_id = :org AND amount = 10;
UPDATE platform.token_holds SET expires_at = now() WHERE organization_id = :org AND amount > 10;
SET LOCAL session_replication_role = replica;
UPDATE platform.user_accounts SET held_until = now() WHERE organization_id = :org AND user_id = 'ada';
SET LOCAL session_replication_role = origin;
SELECT held FROM platform.token_balance(:org, 'ada');
SELECT platform.expire_tokens();
SELECT held FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'ada';
SELECT amount, status FROM platform.token_holds WHERE organization_id = :org ORDER BY amount;
-- a lost call that lives again sets aside anew
SELECT status, billing FROM platform.heartbeat_call_session(:'lost', at => now() - interval '40 min 30 s');
SELECT held FROM platform.token_balance(:org, 'ada');
SELECT status, billing FROM platform.end_call_session(:'lost', at => now() - interval '40 min 29 s');
SELECT held FROM platform.token_balance(:org, 'ada');
SELECT * FROM platform.verify_token_accounts(:org);
SELECT * FROM total WHERE user_id = 'ada';
ROLLBACK TO whole;
SELECT count(platform.end_call_session(id, start_time)) FROM platform.call_sessions WHERE id IN (:'reported', :'sql', :'lost');

-- and so is unbilled_usage: nothing is written, and the next heartbeat charges all
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '40 min') AS call \gset
ALTER TABLE platform.token_usage RENAME TO away;
ALTER TABLE platform.unbilled_usage RENAME TO away2;
SELECT status, billing, burned, charged, verdict, reason FROM platform.heartbeat_call_session(:'call', at => now() - interval '38 min');
SELECT skipped, metered FROM platform.meter_active_sessions(at => now() - interval '38 min');
SELECT status, billing, burned, charged, verdict, reason FROM platform.end_call_session(:'call', at => now() - interval '37 min');
SELECT status, charged, end_time - start_time AS length FROM platform.call_sessions WHERE id = :'call';
ALTER TABLE platform.away RENAME TO token_usage;
ALTER TABLE platform.away2 RENAME TO unbilled_usage;
-- the end was noted: the meter does the rest
SELECT * FROM platform.meter_active_sessions();
SELECT * FROM total WHERE user_id = 'ada';
SELECT status, charged, credit_cost, duration_seconds, reserved FROM platform.call_sessions WHERE id = :'call';
SELECT held FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'ada';

-- an entry that is already there is not made twice, whatever the call's row says
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '30 min') AS call \gset
SELECT billing, burned FROM platform.heartbeat_call_session(:'call', at => now() - interval '29 min');
UPDATE platform.call_sessions SET charged = 0, segment_charged = 0, sequence = 0, metered_through = NULL, next_charge_at = NULL WHERE id = :'call';
SELECT billing, burned, reason FROM platform.heartbeat_call_session(:'call', at => now() - interval '29 min');
SELECT sequence, tokens, reason, error_code, settled FROM debt WHERE user_id = 'ada' AND NOT settled;
SELECT * FROM platform.settle_unbilled_usage();
SELECT sum(tokens_used) FROM platform.token_usage WHERE session_id = :'call';
SELECT billing FROM platform.end_call_session(:'call', at => now() - interval '29 min');

-- members see their own debts
SAVEPOINT a;
SELECT platform.set_context(:org, 'ada');
SET LOCAL ROLE platform_test_member;
SELECT DISTINCT caller FROM platform.list_unbilled_usage(:org, include_settled => true);
SELECT count(*) FROM platform.list_unbilled_usage(:org);
SELECT count(*) > 0 AS some FROM platform.unbilled_usage;
SAVEPOINT b;
SELECT platform.list_unbilled_usage('7c000000-0000-4000-8000-000000000002'); ROLLBACK TO b;
DELETE FROM platform.unbilled_usage WHERE true; ROLLBACK TO b;
ROLLBACK TO a;
SELECT caller, count(*), sum(tokens) FROM platform.list_unbilled_usage(:org, include_settled => true) GROUP BY 1 ORDER BY 1;
SELECT platform.list_unbilled_usage(:org, "limit" => 0); ROLLBACK TO a;
SELECT platform.settle_unbilled_usage(0); ROLLBACK TO a;
ROLLBACK;
