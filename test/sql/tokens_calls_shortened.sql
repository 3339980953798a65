-- Ends before what was metered: the difference goes back, once, to who paid, and the call costs its real seconds
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'7c600000-0000-4000-8000-000000000001\''
BEGIN;
DELETE FROM platform.call_sessions WHERE true;
DELETE FROM platform.unbilled_usage WHERE true;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Short Calls Co');
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES
	(:org, 'ada', 1000), (:org, 'poor', 3), (:org, 'granted', 4), (:org, 'many', 1000000);
CREATE TEMP VIEW account AS SELECT user_id, tokens_remaining AS balance, held, overage FROM platform.user_accounts
WHERE organization_id = '7c600000-0000-4000-8000-000000000001';
CREATE TEMP VIEW entry AS SELECT user_id, version, kind, amount, mode, used_turn, balance_after, paid_by, session_id IS NOT NULL AS session,
	(SELECT version FROM platform.token_usage r WHERE r.id = t.reverses AND r.organization_id = t.organization_id) AS reverses
FROM platform.token_usage t WHERE organization_id = '7c600000-0000-4000-8000-000000000001' AND (kind = 'refund' OR version > 1) ORDER BY user_id, version;
CREATE TEMP VIEW call AS SELECT id, status, charged, credit_cost, duration_seconds AS seconds, reserved FROM platform.call_sessions;
CREATE TEMP VIEW wrong AS SELECT s.id FROM platform.call_sessions s WHERE s.charged <>
	(SELECT coalesce(- sum(amount), 0) FROM platform.token_usage t WHERE t.session_id = s.id::text)
	+ (SELECT coalesce(sum(tokens), 0) FROM platform.unbilled_usage u WHERE u.session_id = s.id AND settled_at IS NULL)
UNION ALL SELECT a.organization_id FROM platform.user_accounts a WHERE organization_id = '7c600000-0000-4000-8000-000000000001' AND (
	tokens_remaining <> (SELECT sum(amount) FROM platform.token_usage t WHERE t.organization_id = a.organization_id AND t.user_id = a.user_id)
	OR held <> (SELECT coalesce(sum(reserved), 0) FROM platform.call_sessions s WHERE s.organization_id = a.organization_id AND s.user_id = a.user_id));
\set ECHO all

-- metered up to now, ended before: at the boundary of a minute, earlier, later, the same again, before the start
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', grace_seconds => NULL, at => now() - interval '10 min') AS call \gset
SELECT m.tokens FROM platform.meter_active_sessions(at => now() - interval '8 min 30 s') AS m;
SELECT m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
SELECT status, billing, burned, shortfall, charged, remaining, duration_seconds FROM platform.end_call_session(:'call', now() - interval '8 min 59 s');
SELECT status, charged, credit_cost, seconds, reserved FROM call WHERE id = :'call';
SELECT * FROM account WHERE user_id = 'ada';
SELECT seconds, h.status, h.billing, h.burned, h.charged, h.duration_seconds FROM unnest('{600,61,60.9,60,1,1,30,0,-5,0}'::float[]) AS seconds,
	platform.end_call_session(:'call', now() - interval '10 min' + seconds * interval '1 s') AS h;
SELECT status, billing, burned, charged, duration_seconds FROM platform.end_call_session(:'call');
SELECT status, billing, burned, charged, duration_seconds FROM platform.heartbeat_call_session(:'call');
SELECT * FROM entry WHERE user_id = 'ada';
SELECT status, charged, credit_cost, seconds, reserved FROM call WHERE id = :'call';
SELECT * FROM wrong;

-- to the grants that paid: what was used last comes back first
SELECT granted FROM platform.grant_tokens(:org, 'granted', 3, expires_at => now() + interval '1 day');
SELECT platform.start_call_session(:org, 'room', 'voice', 'granted', grace_seconds => NULL, at => now() - interval '5 min') AS call \gset
SELECT m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
SELECT remaining FROM platform.open_token_grants(:org, 'granted');
SELECT billing, burned, charged, remaining FROM platform.end_call_session(:'call', now() - interval '1 min 30 s');
SELECT remaining FROM platform.open_token_grants(:org, 'granted');
SELECT billing, burned, charged, remaining FROM platform.end_call_session(:'call', now() - interval '4 min 30 s');
SELECT remaining FROM platform.open_token_grants(:org, 'granted');
SELECT * FROM entry WHERE user_id = 'granted';
SELECT * FROM wrong;

-- debt goes first
SELECT platform.start_call_session(:org, 'room', 'video', 'poor', grace_seconds => NULL, at => now() - interval '5 min') AS call \gset
SELECT m.tokens, m.shortfall FROM platform.meter_active_sessions(at => now()) AS m;
SELECT * FROM account WHERE user_id = 'poor';
SELECT billing, burned, charged, remaining FROM platform.end_call_session(:'call', now() - interval '3 min');
SELECT * FROM account WHERE user_id = 'poor';
SELECT billing, burned, charged, remaining FROM platform.end_call_session(:'call', now() - interval '4 min');
SELECT * FROM account WHERE user_id = 'poor';

-- an end within an earlier stretch: 90 s without TURN (2 minutes), 61 s with it (2), 89 s without (2)
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', at => now() - interval '4 min') AS call \gset
SELECT sum(h.burned) FROM (VALUES (90, true), (151, false), (240, NULL)) AS v (s, turn),
	platform.heartbeat_call_session(:'call', v.turn, now() - interval '4 min' + v.s * interval '1 s') AS h;
SELECT segment, segment_starts, charged FROM platform.call_sessions WHERE id = :'call';
SELECT seconds, h.billing, h.burned, h.charged, h.duration_seconds FROM unnest('{211,151,150,91,90,60,0}'::int[]) AS seconds,
	platform.end_call_session(:'call', now() - interval '4 min' + seconds * interval '1 s') AS h;
SELECT * FROM wrong;

-- a change of TURN that was reported late, after the meter had gone on: the end puts it right
SELECT platform.start_call_session(:org, 'room', 'video', 'ada', grace_seconds => NULL, at => now() - interval '4 min') AS call \gset
SELECT m.tokens FROM platform.meter_active_sessions(at => now() - interval '1 min') AS m;
SELECT burned, charged FROM platform.heartbeat_call_session(:'call', true, now() - interval '3 min');
SELECT billing, burned, charged FROM platform.end_call_session(:'call', now());
SELECT platform.token_cost('video', false, 60) + platform.token_cost('video', true, 180) AS expected;
SELECT * FROM wrong;

-- what was not billed yet is not billed then; what was, is given back
SELECT platform.start_call_session(:org, 'room', 'voice', 'later', grace_seconds => NULL, at => now() - interval '10 min') AS call \gset
SELECT m.unbilled FROM platform.meter_active_sessions(at => now() - interval '8 min') AS m;
SELECT m.unbilled FROM platform.meter_active_sessions(at => now()) AS m;
SELECT billing, burned, charged FROM platform.end_call_session(:'call', now() - interval '7 min');
SELECT segment, sequence, tokens, cancelled, settled_at IS NOT NULL AS settled FROM platform.unbilled_usage WHERE session_id = :'call' ORDER BY 1, 2;
SELECT billing, burned, charged FROM platform.end_call_session(:'call', now() - interval '9 min');
SELECT segment, sequence, tokens, cancelled, settled_at IS NOT NULL AS settled FROM platform.unbilled_usage WHERE session_id = :'call' ORDER BY 1, 2;
SELECT * FROM wrong;
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'later', 5);
SELECT * FROM platform.settle_unbilled_usage();
SELECT billing, burned, charged, remaining FROM platform.end_call_session(:'call', now() - interval '10 min');
SELECT status, charged, credit_cost, seconds, reserved FROM call WHERE id = :'call';
SELECT * FROM wrong;

-- never more than was charged: an operator has given back some of it
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', grace_seconds => NULL, at => now() - interval '3 min') AS call \gset
SELECT m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
SELECT refunded, refundable FROM platform.token_usage t, platform.refund_tokens(:org, t.id, 2) WHERE session_id = :'call';
SELECT billing, burned, charged FROM platform.end_call_session(:'call', now() - interval '3 min');
SELECT sum(amount) FROM platform.token_usage t WHERE session_id = :'call'
	OR reverses IN (SELECT id FROM platform.token_usage b WHERE b.session_id = :'call') AND session_id IS NULL;
SELECT billing, burned, charged FROM platform.end_call_session(:'call', now() - interval '4 min');

-- an end written by SQL, closed by the meter and by a report
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time, reserve_minutes)
SELECT :org, 'sql' || i, 'voice', 'ada', now() - interval '10 min', 2 FROM generate_series(1, 2) AS i;
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
SELECT * FROM account WHERE user_id = 'ada';
UPDATE platform.call_sessions SET end_time = start_time + interval '3 min' WHERE room_id IN ('sql1', 'sql2');
SELECT h.status, h.billing, h.burned, h.charged FROM platform.call_sessions, platform.heartbeat_call_session(id) AS h WHERE room_id = 'sql1';
SELECT * FROM platform.meter_active_sessions(at => now());
SELECT * FROM platform.meter_active_sessions(at => now());
SELECT status, charged, credit_cost, duration_seconds, reserved FROM platform.call_sessions WHERE room_id IN ('sql1', 'sql2');
SELECT * FROM account WHERE user_id = 'ada';
SELECT * FROM wrong;

-- with a reservation that is over: closed by a report, and by the meter
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time, reserve_minutes)
SELECT :org, 'over' || i, 'voice', 'ada', now() - interval '10 min', 2 FROM generate_series(1, 2) AS i;
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
UPDATE platform.call_sessions SET reserved_until = now() - interval '1 s' WHERE reserved > 0;
ALTER TABLE platform.user_accounts DISABLE TRIGGER USER;
UPDATE platform.user_accounts SET held_until = now() - interval '1 s' WHERE organization_id = :org AND user_id = 'ada';
SAVEPOINT over;
SELECT h.status, h.billing, h.burned, h.charged FROM platform.call_sessions, platform.end_call_session(id, now() - interval '7 min') AS h WHERE room_id = 'over1';
SELECT * FROM wrong;
ROLLBACK TO over;
UPDATE platform.call_sessions SET end_time = start_time + interval '3 min' WHERE room_id = 'over2';
SELECT * FROM platform.meter_active_sessions(at => now());
SELECT * FROM wrong;
SELECT h.status, h.billing, h.burned, h.charged FROM platform.call_sessions, platform.end_call_session(id, now() - interval '7 min') AS h WHERE room_id = 'over1';
SELECT * FROM account WHERE user_id = 'ada';
SELECT * FROM wrong;
ALTER TABLE platform.user_accounts ENABLE TRIGGER USER;

-- when the ledger fails the end alone is noted, and the rest comes later: of a live call, and of one that had ended
SELECT platform.start_call_session(:org, 'room', 'voice', 'ada', grace_seconds => NULL, at => now() - interval '10 min') AS one,
	platform.start_call_session(:org, 'room', 'voice', 'ada', grace_seconds => NULL, at => now() - interval '10 min') AS two \gset
SELECT m.tokens FROM platform.meter_active_sessions(at => now()) AS m;
SELECT billing, charged FROM platform.end_call_session(:'two', now());
ALTER TABLE platform.token_usage RENAME TO away;
SELECT status, billing, burned, charged, reason FROM platform.end_call_session(:'one', now() - interval '8 min');
SELECT status, billing, burned, charged, reason FROM platform.end_call_session(:'two', now() - interval '7 min');
SELECT m.metered, m.tokens, m.skipped FROM platform.meter_active_sessions(at => now()) AS m;
ALTER TABLE platform.away RENAME TO token_usage;
SELECT * FROM platform.meter_active_sessions(at => now());
SELECT status, charged, credit_cost, seconds, reserved FROM call WHERE id IN (:'one', :'two') ORDER BY charged;
SELECT * FROM account WHERE user_id = 'ada';
SELECT * FROM wrong;

-- 150 calls at random: TURN, heartbeats, the meter; ended before what was metered, some of them twice
SELECT setseed(0.25);
CREATE TEMP TABLE plan AS SELECT i AS number, CASE WHEN random() < 0.5 THEN 'voice' ELSE 'video' END AS mode, random() < 0.5 AS turn,
	(random() * 1200)::int AS metered, random() AS part, random() AS part2, random() < 0.5 AS twice,
	CASE WHEN random() < 0.8 THEN 'many' ELSE 'nobody' END AS who FROM generate_series(1, 150) AS i;
CREATE TEMP TABLE change AS SELECT number, n, (random() * metered)::int AS at, random() < 0.5 AS turn FROM plan, generate_series(1, 4) AS n WHERE random() < 0.7;
ALTER TABLE plan ADD call uuid, ADD length int;
UPDATE plan SET call = platform.start_call_session(:org, 'random', mode, who, turn, grace_seconds => NULL, reserve_minutes => number % 3, at => now() - interval '1 hour'),
	length = metered * part * CASE WHEN twice THEN part2 ELSE 1 END WHERE true;
DO $$
DECLARE
	step record;
	begun timestamptz := now() - interval '1 hour';
	steps int := 0;
BEGIN
	FOR step IN SELECT call, at, c.turn FROM change c JOIN plan USING (number)
		UNION ALL SELECT call, (random() * metered)::int, NULL FROM plan, generate_series(1, 3)
		UNION ALL SELECT call, metered, NULL FROM plan ORDER BY at, call, turn NULLS FIRST LOOP
		PERFORM platform.heartbeat_call_session(step.call, step.turn, begun + step.at * interval '1 s');
		steps := steps + 1;
		IF steps % 40 = 0 THEN
			PERFORM platform.meter_active_sessions(NULL, begun + step.at * interval '1 s');
		END IF;
	END LOOP;
	RAISE NOTICE 'more than 700 steps: %', steps > 700;
END $$;
CREATE TEMP TABLE before AS SELECT sum(charged) AS charged FROM platform.call_sessions WHERE room_id = 'random';
SELECT count(h.*) FROM plan, platform.end_call_session(call, now() - interval '1 hour' + (metered * part)::int * interval '1 s') AS h;
SELECT count(h.*) > 50 AS many FROM plan, platform.end_call_session(call, now() - interval '1 hour' + length * interval '1 s') AS h WHERE twice;
UPDATE plan SET length = (metered * part)::int WHERE NOT twice;
SELECT count(*) AS calls, sum((s.charged <> coalesce(e.expected, 0))::int) AS not_as_by_hand, sum((s.credit_cost <> s.charged)::int) AS other_cost,
	sum((s.duration_seconds <> length)::int) AS other_duration, sum(s.charged) < (SELECT charged * 0.7 FROM before) AS much_given_back, sum(s.charged) > 300 AS something
FROM plan JOIN platform.call_sessions s ON s.id = plan.call
LEFT JOIN LATERAL (
	SELECT sum(platform.token_cost(plan.mode, turn, seconds)) AS expected FROM (
		SELECT turn, sum(seconds)::bigint AS seconds FROM (
			SELECT at, turn, seconds, count(*) FILTER (WHERE turn IS DISTINCT FROM previous) OVER (ORDER BY at, n) AS stretch FROM (
				SELECT at, n, turn, greatest(least(lead(at, 1, plan.metered) OVER (ORDER BY at, n), plan.length) - at, 0) AS seconds, lag(turn) OVER (ORDER BY at, n) AS previous
				FROM (SELECT 0 AS at, 0 AS n, plan.turn UNION ALL
					SELECT c.at, row_number() OVER (ORDER BY c.at, c.turn), c.turn FROM change c WHERE c.number = plan.number) m) l) k
		GROUP BY stretch, turn) j) e ON true;
SELECT 1000000 - balance = (SELECT sum(charged) FROM platform.call_sessions WHERE user_id = 'many') AS equal, held FROM account WHERE user_id = 'many';
SELECT * FROM wrong;
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'nobody', 0);
SELECT failed FROM platform.settle_unbilled_usage(NULL);
SELECT - balance = (SELECT sum(charged) FROM platform.call_sessions WHERE user_id = 'nobody') AS equal, overage = - balance AS debt FROM account WHERE user_id = 'nobody';
SELECT * FROM wrong;

SELECT * FROM platform.verify_token_accounts(:org);
SELECT name FROM platform.verify() WHERE NOT passed;
ROLLBACK;
