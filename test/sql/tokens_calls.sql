-- A call from start to end: charges by cumulative difference, TURN, reservations, verdicts, rights
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'7c000000-0000-4000-8000-000000000001\''
\set other '\'7c000000-0000-4000-8000-000000000002\''
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Calls Co'), (:other, 'Other Calls Co');
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES
	(:org, 'ada', 1000), (:org, 'poor', 5), (:other, 'zoe', 100);
-- what an account shows; reservations of calls are its held
CREATE TEMP VIEW account AS SELECT user_id, tokens_remaining AS balance, held, overage FROM platform.user_accounts
WHERE organization_id IN ('7c000000-0000-4000-8000-000000000001', '7c000000-0000-4000-8000-000000000002');
CREATE TEMP VIEW entry AS SELECT user_id, version, tokens_used, shortfall, balance_after, mode, used_turn, duration_seconds
FROM platform.token_usage WHERE organization_id = '7c000000-0000-4000-8000-000000000001' AND kind = 'burn';
\set ECHO all

-- the boundaries of the first minutes; the last seconds are floored as the duration is
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '10 min') AS call \gset
SELECT seconds, h.billing, h.burned, h.charged, h.remaining, h.valid_seconds
FROM unnest('{0,0.9,1,59,60,60.9,61,61,30,120,121}'::float[]) AS seconds,
	platform.heartbeat_call_session(:'call', at => now() - interval '10 min' + seconds * interval '1 s') AS h;
SELECT status, billing, burned, charged, remaining, granted_seconds, verdict, reason, duration_seconds
FROM platform.end_call_session(:'call', at => now() - interval '10 min' + interval '180.5 s');
SELECT status, used_turn, credit_cost, duration_seconds, charged, reserved, end_time - start_time AS length FROM platform.call_sessions WHERE id = :'call';
-- again: the same answer and nothing else
SELECT status, billing, burned, charged, duration_seconds FROM platform.end_call_session(:'call');
SELECT status, billing, burned, charged, duration_seconds FROM platform.heartbeat_call_session(:'call', true);
SELECT status, billing, burned, charged, duration_seconds FROM platform.call_session_status(:'call');
SELECT * FROM account WHERE user_id = 'ada';
SELECT version, tokens_used, balance_after, mode, used_turn, duration_seconds FROM entry ORDER BY version;

-- only start and end
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', true, at => now() - interval '61 s') AS call \gset
SELECT status, billing, burned, charged, remaining, duration_seconds FROM platform.end_call_session(:'call', at => now());
SELECT used_turn, credit_cost FROM platform.call_sessions WHERE id = :'call';

-- TURN comes and goes: each stretch at its own price, never cheaper afterwards
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', at => now() - interval '10 min') AS call \gset
SELECT h.burned, h.charged FROM platform.heartbeat_call_session(:'call', true, now() - interval '8 min 30 s') AS h;
SELECT h.burned, h.charged FROM platform.heartbeat_call_session(:'call', at => now() - interval '8 min') AS h;
SELECT h.burned, h.charged FROM platform.heartbeat_call_session(:'call', false, now() - interval '7 min 29 s') AS h;
SELECT burned, charged, duration_seconds FROM platform.end_call_session(:'call', at => now() - interval '7 min 28 s');
-- 90 s without (2 minutes), 61 s with (2 minutes), 1 s without
SELECT 2 * 2 + 2 * 6 + 2 AS expected, used_turn, segment, segment_turn, credit_cost FROM platform.call_sessions WHERE id = :'call';

-- switching it faster than the seconds pass makes no second free
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '10 min') AS call \gset
SELECT sum(h.burned) AS burned FROM generate_series(1, 40) AS i,
	platform.heartbeat_call_session(:'call', i % 2 = 1, now() - interval '10 min' + i * interval '0.9 s') AS h;
SELECT charged >= 36 AS all_seconds_are_paid FROM platform.end_call_session(:'call', at => now() - interval '10 min' + interval '36 s');

-- a change of rates does not reach calls that have begun
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now() - interval '3 min') AS call \gset
SELECT platform.set_token_rate('voice', false, 100) IS NOT NULL AS set, platform.set_token_rate('voice', true, 200) IS NOT NULL AS set_turn;
SELECT burned FROM platform.heartbeat_call_session(:'call', true, now() - interval '2 min');
SELECT burned, charged FROM platform.end_call_session(:'call', now() - interval '1 min');
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada') AS call \gset
SELECT reserved FROM platform.call_sessions WHERE id = :'call';
SELECT burned, charged FROM platform.end_call_session(:'call');

-- the price of the coming minutes is set aside, and given back at the end
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', reserve_minutes => 5, at => now() - interval '4 min') AS call \gset
SELECT reserved FROM platform.call_sessions WHERE id = :'call';
SELECT held FROM account WHERE user_id = 'ada';
SELECT burned FROM platform.heartbeat_call_session(:'call', at => now() - interval '3 min 59 s');
SELECT held FROM account WHERE user_id = 'ada';
SELECT burned FROM platform.end_call_session(:'call', at => now() - interval '3 min 58 s');
SELECT held FROM account WHERE user_id = 'ada';
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', reserve_minutes => 0) AS call \gset
SELECT held FROM account WHERE user_id = 'ada';
SELECT burned FROM platform.end_call_session(:'call');

-- running dry, in the three ways of being told
SELECT p.policy, platform.start_call_session(:org, 'room', 'video', 'poor', on_exhausted => p.policy, at => now() - interval '10 min') AS call
INTO TEMP dry FROM (VALUES ('continue'), ('warn'), ('cut')) AS p (policy);
SELECT reserved, count(*) FROM platform.call_sessions WHERE user_id = 'poor' GROUP BY 1 ORDER BY 1;
SELECT policy, h.billing, h.burned, h.shortfall, h.remaining, h.granted_seconds, h.valid_seconds, h.verdict
FROM (SELECT * FROM dry ORDER BY policy) d, platform.heartbeat_call_session(d.call, at => now() - interval '9 min 59 s') AS h;
SELECT policy, h.billing, h.burned, h.shortfall, h.remaining, h.granted_seconds, h.verdict
FROM (SELECT * FROM dry ORDER BY policy) d, platform.heartbeat_call_session(d.call, at => now() - interval '8 min 30 s') AS h;
SELECT policy, h.status, h.billing, h.burned, h.shortfall, h.remaining, h.verdict
FROM (SELECT * FROM dry ORDER BY policy) d, platform.end_call_session(d.call, at => now() - interval '8 min 29 s') AS h;
SELECT * FROM account WHERE user_id = 'poor';
SELECT count(*) AS unbilled FROM platform.unbilled_usage WHERE organization_id = :org;

-- several calls on one account: what others have set aside is no debt before it is used, and the
-- shortfalls are what the account owes in the end; a hold that is captured after that
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'shared', 5), (:org, 'holder', 5);
SELECT count(platform.start_call_session(:org, 'shared' || i, 'video', 'shared', at => now() - interval '10 min')) FROM generate_series(1, 3) AS i;
SELECT room_id, h.billing, h.burned, h.shortfall, h.remaining FROM (SELECT id, room_id, CASE room_id WHEN 'shared1' THEN 61 ELSE 1 END AS s FROM platform.call_sessions
	WHERE user_id = 'shared' ORDER BY room_id OFFSET 0) c, platform.heartbeat_call_session(id, at => now() - interval '10 min' + s * interval '1 s') AS h;
SELECT h.billing, h.burned, h.shortfall, h.remaining FROM (SELECT id FROM platform.call_sessions WHERE room_id IN ('shared1', 'shared2') ORDER BY room_id OFFSET 0) c,
	platform.end_call_session(id, now() - interval '8 min 59 s') AS h;
SELECT h.billing, h.burned, h.shortfall, h.remaining FROM platform.call_sessions, platform.end_call_session(id, now() - interval '9 min 30 s') AS h WHERE room_id = 'shared3';
SELECT * FROM account WHERE user_id = 'shared';
SELECT sum(shortfall) AS shortfalls FROM entry WHERE user_id = 'shared';
SELECT hold_id AS hold FROM platform.reserve_tokens(:org, 'holder', 5, '1 hour') \gset
SELECT platform.start_call_session(:org, 'room', 'video', 'holder', at => now() - interval '61 s') AS call \gset
SELECT billing, burned, shortfall, remaining FROM platform.end_call_session(:'call', now());
SELECT * FROM account WHERE user_id = 'holder';
SELECT captured, remaining FROM platform.capture_tokens(:org, :'hold');
SELECT * FROM account WHERE user_id = 'holder';
SELECT kind, amount, shortfall FROM platform.token_usage WHERE organization_id = :org AND user_id = 'holder' ORDER BY version;
-- a higher limit makes overdraft of the debt, and what is within the limit may be used
SAVEPOINT a;
UPDATE platform.user_accounts SET overdraft_limit = 1 WHERE organization_id = :org AND user_id = 'holder';
SELECT * FROM account WHERE user_id = 'holder';
UPDATE platform.user_accounts SET overdraft_limit = 10 WHERE organization_id = :org AND user_id = 'holder';
SELECT * FROM account WHERE user_id = 'holder';
SELECT * FROM platform.verify_token_accounts(:org);
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'holder', 7, on_insufficient => 'overdraft');
SELECT burned, remaining, status FROM platform.burn_tokens(:org, 'holder', 6, on_insufficient => 'overdraft');
\set VERBOSITY sqlstate
UPDATE platform.user_accounts SET overdraft_limit = 1 WHERE organization_id = :org AND user_id = 'holder';
\set VERBOSITY default
ROLLBACK TO a;
SELECT remaining FROM platform.grant_tokens(:org, 'holder', 10);
SELECT * FROM account WHERE user_id = 'holder';
SELECT * FROM platform.verify_token_accounts(:org);

-- nobody pays for anonymous calls
SELECT platform.start_call_session(:org, 'room', 'video', at => now() - interval '2 min') AS call \gset
SELECT status, billing, burned, charged, remaining, granted_seconds, verdict FROM platform.heartbeat_call_session(:'call');
SELECT status, billing, burned, charged, duration_seconds >= 120 AS two_minutes FROM platform.end_call_session(:'call');
SELECT platform.start_call_session(:org, 'room', 'video', 'anonymous_17', at => now() - interval '2 min') AS call \gset
SELECT status, billing, burned, charged FROM platform.end_call_session(:'call');
SELECT count(*) FROM platform.unbilled_usage WHERE organization_id = :org;

-- bad arguments
SAVEPOINT a;
SELECT platform.start_call_session(NULL, 'room', 'video'); ROLLBACK TO a;
SELECT platform.start_call_session(:org, NULL, 'video'); ROLLBACK TO a;
SELECT platform.start_call_session(:org, '', 'video'); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'fax'); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', ''); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', used_turn => NULL); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', on_exhausted => 'hang up'); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', reserve_minutes => -1); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', reserve_minutes => 1441); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', grace_seconds => 0); ROLLBACK TO a;
SELECT platform.start_call_session(:org, 'room', 'video', at => now() + interval '1 hour'); ROLLBACK TO a;
\set VERBOSITY terse
SELECT platform.start_call_session('7c000000-0000-4000-8000-00000000ffff', 'room', 'video'); ROLLBACK TO a;
\set VERBOSITY default
SELECT platform.heartbeat_call_session(NULL); ROLLBACK TO a;
SELECT platform.heartbeat_call_session('7c000000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.end_call_session('7c000000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.call_session_status('7c000000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;

-- members: their own calls and anonymous ones; administrators their organization's
SELECT platform.start_call_session(:org, 'room', 'video', 'ada') AS adas,
	platform.start_call_session(:org, 'room', 'video', 'poor') AS poors,
	platform.start_call_session(:other, 'room', 'video', 'zoe') AS zoes,
	platform.start_call_session(:org, 'room', 'video') AS nobodys \gset
SAVEPOINT a;
SELECT platform.set_context(:org, 'ada');
SET LOCAL ROLE platform_test_member;
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada') AS mine, platform.start_call_session(:org, 'room', 'voice') AS nobodys2 \gset
SELECT status FROM platform.heartbeat_call_session(:'mine');
SELECT status FROM platform.end_call_session(:'mine');
SELECT status FROM platform.end_call_session(:'nobodys');
SELECT status FROM platform.call_session_status(:'adas');
SELECT DISTINCT user_id FROM platform.call_sessions;
SELECT DISTINCT caller FROM platform.list_call_sessions(:org);
SAVEPOINT b;
SELECT platform.start_call_session(:org, 'room', 'voice', 'poor'); ROLLBACK TO b;
SELECT platform.start_call_session(:other, 'room', 'voice'); ROLLBACK TO b;
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', at => now()); ROLLBACK TO b;
SELECT platform.heartbeat_call_session(:'adas', at => now()); ROLLBACK TO b;
SELECT platform.heartbeat_call_session(:'poors'); ROLLBACK TO b;
SELECT platform.end_call_session(:'poors'); ROLLBACK TO b;
SELECT platform.call_session_status(:'poors'); ROLLBACK TO b;
SELECT platform.heartbeat_call_session(:'zoes'); ROLLBACK TO b;
SELECT platform.list_call_sessions(:other); ROLLBACK TO b;
SELECT platform.meter_active_sessions(); ROLLBACK TO b;
SELECT platform.settle_unbilled_usage(); ROLLBACK TO b;
UPDATE platform.call_sessions SET charged = 0 WHERE true; ROLLBACK TO b;
INSERT INTO platform.call_sessions (room_id, mode) VALUES ('room', 'video'); ROLLBACK TO b;
ROLLBACK TO a;
SELECT platform.set_context(:org, 'boss', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT status FROM platform.end_call_session(:'poors');
SELECT platform.start_call_session(:org, 'room', 'voice', 'poor') IS NOT NULL AS started;
SELECT DISTINCT user_id FROM platform.call_sessions ORDER BY 1;
ROLLBACK TO a;
SET LOCAL ROLE platform_test_stranger;
\set VERBOSITY terse
SELECT platform.heartbeat_call_session(:'adas'); ROLLBACK TO a;
\set VERBOSITY default

-- what every figure says is the sum of the entries
SELECT s.user_id, count(*) FILTER (WHERE s.charged <> coalesce(t.used, 0)) AS wrong
FROM platform.call_sessions s LEFT JOIN LATERAL (SELECT sum(tokens_used) AS used FROM platform.token_usage t
	WHERE t.session_id = s.id::text AND t.organization_id = s.organization_id) t ON true
WHERE s.organization_id = :org GROUP BY 1 ORDER BY 1;
SELECT a.user_id, a.tokens_remaining - sum(t.amount) AS difference, a.held - (SELECT coalesce(sum(reserved), 0) FROM platform.call_sessions s
	WHERE s.organization_id = a.organization_id AND s.user_id = a.user_id) AS held_difference
FROM platform.user_accounts a JOIN platform.token_usage t USING (organization_id, user_id)
WHERE a.organization_id = :org GROUP BY a.user_id, a.organization_id ORDER BY 1;
ROLLBACK;

-- a read-only transaction: no heartbeat, but a look
BEGIN READ ONLY;
SAVEPOINT a;
SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'room', 'video'); ROLLBACK TO a;
SELECT platform.heartbeat_call_session('7c000000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.call_session_status('7c000000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.meter_active_sessions(); ROLLBACK TO a;
ROLLBACK;
