-- The meter: all live calls at once, lost calls, ends by SQL, any split into ticks gives the same total
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'7c200000-0000-4000-8000-000000000001\''
BEGIN;
-- calls that other tests have left would be metered with ours
DELETE FROM platform.call_sessions WHERE true;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Metering Co');
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining)
SELECT :org, 'user' || i, 1000 FROM generate_series(1, 20) AS i;
CREATE TEMP VIEW wrong AS SELECT s.id FROM platform.call_sessions s WHERE s.charged <>
	(SELECT coalesce(sum(tokens_used), 0) FROM platform.token_usage t WHERE t.session_id = s.id::text)
	+ (SELECT coalesce(sum(tokens), 0) FROM platform.unbilled_usage u WHERE u.session_id = s.id AND settled_at IS NULL)
UNION ALL SELECT a.organization_id FROM platform.user_accounts a WHERE organization_id = '7c200000-0000-4000-8000-000000000001' AND (
	tokens_remaining <> (SELECT sum(amount) FROM platform.token_usage t WHERE t.organization_id = a.organization_id AND t.user_id = a.user_id)
	OR held <> (SELECT coalesce(sum(reserved), 0) FROM platform.call_sessions s WHERE s.organization_id = a.organization_id AND s.user_id = a.user_id));
\set ECHO all

-- calls without heartbeats live as long as they do not end; the statement of the reference among them
SET LOCAL search_path = platform;
INSERT INTO call_sessions (room_id, mode) VALUES ('test-123', 'video');
INSERT INTO call_sessions (organization_id, room_id, mode, user_id, used_turn, start_time)
SELECT :org, 'room' || i, CASE i % 3 WHEN 0 THEN 'voice' WHEN 1 THEN 'voice-only' ELSE 'video' END, 'user' || i, i % 2 = 0, now() - interval '30 s'
FROM generate_series(1, 10) AS i;
RESET search_path;
SELECT * FROM platform.meter_active_sessions();
SELECT mode, used_turn, charged, count(*) FROM platform.call_sessions WHERE organization_id = :org GROUP BY 1, 2, 3 ORDER BY 1, 2;
-- not due
SELECT * FROM platform.meter_active_sessions();
UPDATE platform.call_sessions SET start_time = start_time - interval '1 minute', segment_started_at = segment_started_at - interval '1 minute',
	metered_through = metered_through - interval '1 minute', next_charge_at = next_charge_at - interval '1 minute' WHERE organization_id = :org;
-- in steps of four
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(4) AS m;
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(4) AS m;
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(4) AS m;
SELECT m.metered, m.tokens FROM platform.meter_active_sessions(4) AS m;
SELECT * FROM wrong;
-- ended by SQL
UPDATE platform.call_sessions SET end_time = start_time + interval '181 s' WHERE organization_id = :org AND mode = 'video';
SELECT * FROM platform.meter_active_sessions();
SELECT status, used_turn, charged, credit_cost, duration_seconds, count(*) FROM platform.call_sessions
WHERE organization_id = :org AND mode = 'video' GROUP BY 1, 2, 3, 4, 5 ORDER BY 2;
SELECT count(*) AS live FROM platform.active_calls WHERE organization_id = :org;
SELECT * FROM wrong;

-- calls that send heartbeats: billed to the last one, lost when they stop, alive again when they were not
SELECT platform.start_call_session(:org, 'room', 'voice', 'user11', at => now() - interval '10 min') AS call \gset
SELECT burned FROM platform.heartbeat_call_session(:'call', at => now() - interval '9 min');
UPDATE platform.call_sessions SET heartbeat_at = heartbeat_at + interval '30 s' WHERE id = :'call';
SELECT * FROM platform.meter_active_sessions(at => now() - interval '8 min');
SELECT * FROM platform.meter_active_sessions(at => now() - interval '7 min');
SELECT status, charged, credit_cost, duration_seconds, reserved FROM platform.call_sessions WHERE id = :'call';
SELECT held FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'user11';
SELECT status, billing, burned, charged FROM platform.heartbeat_call_session(:'call', at => now() - interval '6 min');
SELECT status, end_time, duration_seconds, charged FROM platform.call_sessions WHERE id = :'call';
SELECT status, burned, charged, duration_seconds FROM platform.end_call_session(:'call', at => now() - interval '5 min');
-- lost, and its end comes late
SELECT platform.start_call_session(:org, 'room', 'voice', 'user11', grace_seconds => 30, at => now() - interval '10 min') AS call \gset
SELECT m.closed FROM platform.meter_active_sessions() AS m;
SELECT status, duration_seconds FROM platform.call_sessions WHERE id = :'call';
SELECT status, burned, charged, duration_seconds FROM platform.end_call_session(:'call', at => now() - interval '7 min');
SELECT * FROM wrong;

-- no account and no funds
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'poor', 1);
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time, reserve_minutes) VALUES
	(:org, 'room', 'video', 'poor', now() - interval '61 s', 1), (:org, 'room', 'video', 'missing', now() - interval '61 s', 1),
	(:org, 'room', 'video', 'anonymous_1', now() - interval '61 s', 1), (:org, 'room', 'video', NULL, now() - interval '61 s', 1);
SELECT * FROM platform.meter_active_sessions();
SELECT user_id, tokens, reason FROM platform.unbilled_usage WHERE organization_id = :org;
SELECT user_id, charged, reserved FROM platform.call_sessions WHERE room_id = 'room' AND organization_id = :org AND status = 'live' ORDER BY 1;
SELECT tokens_remaining, overage FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'poor';
SELECT * FROM wrong;

-- one account with many calls
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time, reserve_minutes)
SELECT :org, 'many', 'voice', 'user12', now() - interval '30 s', i % 2 FROM generate_series(1, 300) AS i;
SELECT * FROM platform.meter_active_sessions(NULL);
SELECT tokens_remaining, held, version FROM platform.user_accounts WHERE organization_id = :org AND user_id = 'user12';
SELECT count(*), count(DISTINCT id), min(balance_after), max(balance_after) FROM platform.token_usage
WHERE organization_id = :org AND user_id = 'user12' AND kind = 'burn';
SELECT * FROM wrong;

-- a batch with an account that fails: the others are billed, its charges are kept
INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time)
SELECT :org, 'mixed', 'voice', 'user' || i, now() - interval '30 s' FROM generate_series(13, 20) AS i;
UPDATE platform.call_sessions SET start_time = now() - interval '30 s' WHERE room_id = 'mixed';
SELECT h.billing FROM platform.call_sessions, platform.heartbeat_call_session(id) AS h WHERE room_id = 'mixed' AND user_id = 'user15';
UPDATE platform.call_sessions SET charged = 0, segment_charged = 0, sequence = 0, metered_through = NULL, next_charge_at = NULL
WHERE room_id = 'mixed' AND user_id = 'user15';
SELECT * FROM platform.meter_active_sessions();
SELECT user_id, tokens, reason, error_code FROM platform.unbilled_usage WHERE organization_id = :org AND reason = 'error';
SELECT user_id, charged FROM platform.call_sessions WHERE room_id = 'mixed' ORDER BY 1;
SELECT * FROM platform.settle_unbilled_usage();
SELECT * FROM wrong;

-- Any split into ticks gives the same total. 200 calls, their TURN changing at the
-- same random moments in pairs: one is billed at these moments only, the other also
-- at random ones, by heartbeats and by the meter.
SELECT setseed(0.5);
CREATE TEMP TABLE plan AS SELECT i AS pair, (random() * 1200)::int AS length, CASE WHEN random() < 0.5 THEN 'voice' ELSE 'video' END AS mode,
	random() < 0.5 AS turn FROM generate_series(1, 100) AS i;
CREATE TEMP TABLE change AS SELECT pair, (random() * length)::int AS at, random() < 0.5 AS turn FROM plan, generate_series(1, 4) WHERE random() < 0.7;
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES (:org, 'plain', 1000000), (:org, 'ticked', 1000000);
CREATE TEMP TABLE pair AS SELECT pair, who, platform.start_call_session(:org, 'pair', mode, who, turn, grace_seconds => CASE who WHEN 'plain' THEN 86400 END, at => now() - interval '1 hour') AS call
FROM plan, (VALUES ('plain'), ('ticked')) AS w (who);
CREATE TEMP TABLE step AS SELECT call, at, turn, false AS ends FROM pair JOIN change USING (pair)
UNION ALL SELECT call, (random() * length)::int, NULL, false FROM pair JOIN plan USING (pair), generate_series(1, 12) WHERE who = 'ticked'
UNION ALL SELECT call, length, NULL, true FROM pair JOIN plan USING (pair);
DO $$
DECLARE
	step record;
	begun timestamptz := now() - interval '1 hour';
	steps int := 0;
	billed int := 0;
BEGIN
	FOR step IN SELECT * FROM step ORDER BY at, ends, turn NULLS FIRST, call LOOP
		IF step.ends THEN
			SELECT billed + (billing IN ('billed', 'current') AND status = 'ended')::int INTO billed
			FROM platform.end_call_session(step.call, begun + step.at * interval '1 s');
		ELSE
			SELECT billed + (billing IN ('billed', 'current') AND status = 'live')::int INTO billed
			FROM platform.heartbeat_call_session(step.call, step.turn, begun + step.at * interval '1 s');
		END IF;
		steps := steps + 1;
		IF steps % 20 = 0 THEN
			PERFORM platform.meter_active_sessions(NULL, begun + step.at * interval '1 s');
		END IF;
	END LOOP;
	RAISE NOTICE 'more than 1000 steps: %, all of them billed: %', steps > 1000, steps = billed;
END $$;
SELECT count(*) AS pairs, sum((a.charged <> b.charged)::int) AS different, sum(a.charged) > 1000 AS something,
	sum((a.charged <> coalesce(e.expected, 0))::int) AS not_as_by_hand
FROM plan JOIN pair p ON p.pair = plan.pair AND p.who = 'plain' JOIN pair q ON q.pair = plan.pair AND q.who = 'ticked'
JOIN platform.call_sessions a ON a.id = p.call JOIN platform.call_sessions b ON b.id = q.call
-- by hand: the stretches between changes, with equal neighbours joined
LEFT JOIN LATERAL (
	SELECT sum(platform.token_cost(plan.mode, turn, seconds)) AS expected FROM (
		SELECT turn, sum(seconds)::bigint AS seconds FROM (
			SELECT at, turn, seconds, count(*) FILTER (WHERE turn IS DISTINCT FROM previous) OVER (ORDER BY at, n) AS stretch FROM (
				SELECT at, n, turn, lead(at, 1, plan.length) OVER (ORDER BY at, n) - at AS seconds, lag(turn) OVER (ORDER BY at, n) AS previous
				FROM (SELECT 0 AS at, 0 AS n, plan.turn UNION ALL
					SELECT c.at, row_number() OVER (ORDER BY c.at, c.turn), c.turn FROM change c WHERE c.pair = plan.pair) m) l) k
		GROUP BY stretch, turn) j) e ON true;
SELECT user_id, 1000000 - tokens_remaining = (SELECT sum(charged) FROM platform.call_sessions s WHERE s.user_id = a.user_id AND s.organization_id = a.organization_id) AS equal
FROM platform.user_accounts a WHERE organization_id = :org AND user_id IN ('plain', 'ticked') ORDER BY 1;
SELECT * FROM wrong;

SELECT * FROM platform.verify_token_accounts(:org);
SELECT name FROM platform.verify() WHERE NOT passed;

-- refused
SAVEPOINT a;
SELECT platform.meter_active_sessions(0); ROLLBACK TO a;
SELECT platform.meter_active_sessions(at => now() + interval '1 hour'); ROLLBACK TO a;
ROLLBACK;
