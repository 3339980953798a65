-- Calls from a browser: the token once, states, samples and what they sound like, cleaning up
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set SHOW_CONTEXT never
\set org '\'ca150000-0000-4000-8000-000000000001\''
\set other '\'ca150000-0000-4000-8000-000000000002\''
\set ada '\'ca150000-0000-4000-8000-0000000000a1\''
\set ben '\'ca150000-0000-4000-8000-0000000000a2\''
\set call '\'ca150000-0000-4000-8000-0000000000c1\''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Browser One', '{"features": {"callEnabled": true}}'), (:other, 'Browser Two', '{}');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@calls-webrtc.example'), (:ben, 'ben@calls-webrtc.example');
INSERT INTO platform.calls (id, organization_id, status) VALUES (:call, :org, 'pending');
CREATE FUNCTION pg_temp.try_session(was text, becomes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	s uuid := platform.uuid7();
BEGIN
	INSERT INTO platform.webrtc_sessions (id, organization_id, user_id, status, session_token_hash, expires_at)
	VALUES (s, 'ca150000-0000-4000-8000-000000000001', 'ca150000-0000-4000-8000-0000000000a1', was, decode(md5(s::text) || md5(s::text || 'x'), 'hex'), now() + interval '1 hour');
	SELECT * INTO r FROM platform.advance_webrtc_session('ca150000-0000-4000-8000-000000000001', s, becomes);
	RETURN concat_ws(' ', r.outcome, r.current_status, (SELECT CASE WHEN connected_at IS NOT NULL THEN 'connected_at' END FROM platform.webrtc_sessions WHERE id = s),
		(SELECT CASE WHEN disconnected_at IS NOT NULL THEN 'disconnected_at' END FROM platform.webrtc_sessions WHERE id = s));
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE TEMP TABLE state AS SELECT * FROM unnest('{initializing,connecting,connected,on_call,disconnected,failed}'::text[]) WITH ORDINALITY AS s (name, n);
\set ECHO all

SELECT a.name AS was, b.name AS becomes, pg_temp.try_session(a.name, b.name) AS result FROM state a, state b ORDER BY a.n, b.n;

-- a session of the caller; its token is the table's hash of it and stands nowhere
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
SELECT id AS session, session_token AS token, expires_at = now() + interval '4 hours' AS expires FROM platform.create_webrtc_session(:org, :call, ice_servers => '[{"urls": "stun:stun.example"}]', user_agent => 'Browser/1', ip_address => '192.0.2.9') \gset
SELECT :'token' ~ '^wrt_[A-Za-z0-9_-]{43}$' AS token, :'expires' AS expires;
SELECT id = :'session' AS same, organization_id = :org AS org, user_id = :ada AS user, call_id = :call AS call, status FROM platform.authenticate_webrtc_session(:'token');
SELECT outcome, current_status, previous_status FROM platform.advance_webrtc_session(:org, :'session', 'connecting', local_sdp => 'v=0');
SELECT outcome, current_status FROM platform.advance_webrtc_session(:org, :'session', 'connected', remote_sdp => 'v=0', resource_id => 'r1');
SELECT outcome, current_status FROM platform.advance_webrtc_session(:org, :'session', 'connected');
SELECT status, local_sdp, remote_sdp, signalwire_resource_id, connected_at = now() AS connected, ip_address FROM platform.webrtc_sessions WHERE id = :'session';
SELECT status, user_id = :ada AS own FROM platform.active_webrtc_sessions(:org) WHERE id = :'session';
SAVEPOINT a;
SELECT session_token_hash FROM platform.webrtc_sessions; ROLLBACK TO a;
UPDATE platform.webrtc_sessions SET status = 'failed'; ROLLBACK TO a;
SELECT platform.create_webrtc_session(:org, user_id => :ben); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:org, 'ca150000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:org, ttl => '0'); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:org, ttl => '2 days'); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:other); ROLLBACK TO a;
SELECT platform.authenticate_webrtc_session('wrt_no'); ROLLBACK TO a;
SELECT platform.authenticate_webrtc_session(NULL); ROLLBACK TO a;
SELECT platform.advance_webrtc_session(:org, :'session', 'asleep'); ROLLBACK TO a;
SELECT platform.advance_webrtc_session(:org, :'session', 'initializing'); ROLLBACK TO a;
SELECT platform.advance_webrtc_session(:org, :call, 'connected'); ROLLBACK TO a;
SELECT platform.advance_webrtc_session(:other, :'session', 'connected'); ROLLBACK TO a;

-- how it sounds
SELECT platform.add_webrtc_sample(:org, :'session', 40, 5, 0, 32000), platform.add_webrtc_sample(:org, :'session', 200.4, 30, 2.5), platform.add_webrtc_sample(:org, :'session', audio_bitrate => 24000) AS unknown;
SELECT round_trip_time_ms, jitter_ms, packet_loss_percent, audio_bitrate, mos FROM platform.webrtc_quality_samples WHERE session_id = :'session' ORDER BY id;
SELECT round_trip_time_ms, jitter_ms, audio_bitrate, mos FROM platform.webrtc_sessions WHERE id = :'session';
SELECT * FROM platform.webrtc_quality(:org, :'session');
SELECT * FROM platform.webrtc_quality(:org, :call);
SAVEPOINT a;
SELECT platform.add_webrtc_sample(:org, :'session', -1); ROLLBACK TO a;
SELECT platform.add_webrtc_sample(:org, :'session', 'NaN'); ROLLBACK TO a;
SELECT platform.add_webrtc_sample(:org, :'session', packet_loss_percent => 101); ROLLBACK TO a;
SELECT platform.add_webrtc_sample(:org, :'session', audio_bitrate => -1); ROLLBACK TO a;
-- the model: its best, the knee at 177.3 ms, loss, its worst
SELECT rtt, jitter, loss, platform.estimate_mos(rtt, jitter, loss) AS mos FROM (VALUES
	(0, 0, 0), (100, 0, 0), (314, 0, 0), (315, 0, 0), (400, 0, 0), (1000, 0, 0), (0, 50, 0), (0, 0, 1), (0, 0, 5), (0, 0, 25), (0, 0, 100), (60000, 60000, 100)) AS v (rtt, jitter, loss);
SELECT platform.estimate_mos(NULL, NULL, NULL) IS NULL AS unknown, platform.estimate_mos(NULL, 0, 0) AS best;
SELECT bool_and(mos <= before) AS falls FROM (SELECT mos, lag(mos, 1, 5.0) OVER (ORDER BY rtt) AS before FROM (SELECT rtt, platform.estimate_mos(rtt) AS mos FROM generate_series(0, 2000, 10) rtt) s) s;
SELECT platform.estimate_mos(-1); ROLLBACK TO a;
SELECT platform.estimate_mos(60001); ROLLBACK TO a;

-- another member: not its own; an administrator sees all; another organization nothing
RESET ROLE;
SELECT platform.set_context(:org, :ben, 'agent');
SET ROLE platform_test_member;
SELECT count(*) FROM platform.webrtc_sessions;
SELECT count(*) FROM platform.active_webrtc_sessions(:org);
SAVEPOINT a;
SELECT platform.advance_webrtc_session(:org, :'session', 'on_call'); ROLLBACK TO a;
SELECT platform.add_webrtc_sample(:org, :'session', 1); ROLLBACK TO a;
RESET ROLE;
SELECT platform.set_context(:org, :ben, 'admin');
SET ROLE platform_test_member;
SELECT status FROM platform.active_webrtc_sessions(:org) WHERE id = :'session';
SELECT outcome, current_status FROM platform.advance_webrtc_session(:org, :'session', 'on_call', call_id => :call);
RESET ROLE;
SELECT platform.set_context(:other, :ben, 'owner');
SET ROLE platform_test_member;
SELECT count(*) FROM platform.webrtc_sessions;
SAVEPOINT a;
SELECT platform.authenticate_webrtc_session(:'token'); ROLLBACK TO a;
SELECT platform.webrtc_quality(:org, :'session'); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:other); ROLLBACK TO a;
SELECT platform.clean_webrtc_sessions(); ROLLBACK TO a;
RESET ROLE;
SELECT platform.set_context(NULL);

-- over: the token opens nothing any more
SELECT outcome, current_status FROM platform.advance_webrtc_session(:org, :'session', 'disconnected');
SELECT outcome, current_status FROM platform.advance_webrtc_session(:org, :'session', 'connected');
SAVEPOINT a;
SELECT platform.authenticate_webrtc_session(:'token'); ROLLBACK TO a;
UPDATE platform.webrtc_sessions SET status = 'connected' WHERE id = :'session'; ROLLBACK TO a;
SELECT id AS expired, session_token AS token FROM platform.create_webrtc_session(:org, user_id => :ada, ttl => '1 s') \gset
UPDATE platform.webrtc_sessions SET expires_at = now() - interval '1 s' WHERE id = :'expired';
SAVEPOINT a;
SELECT platform.authenticate_webrtc_session(:'token'); ROLLBACK TO a;
SELECT platform.create_webrtc_session(:org); ROLLBACK TO a;
-- cleaning: silent ones are disconnected, old ones go with their samples
INSERT INTO platform.webrtc_sessions (id, organization_id, user_id, status, session_token_hash, expires_at, created_at, updated_at) VALUES
	('ca150000-0000-4000-8000-0000000000f1', :org, :ada, 'on_call', decode(repeat('01', 32), 'hex'), now(), now() - interval '5 hours', now() - interval '5 hours'),
	('ca150000-0000-4000-8000-0000000000f2', :org, :ada, 'on_call', decode(repeat('02', 32), 'hex'), now(), now() - interval '5 hours', now() - interval '3 hours'),
	('ca150000-0000-4000-8000-0000000000f3', :org, :ada, 'failed', decode(repeat('03', 32), 'hex'), now(), now() - interval '31 days', now() - interval '31 days');
INSERT INTO platform.webrtc_quality_samples (organization_id, session_id) VALUES (:org, 'ca150000-0000-4000-8000-0000000000f3');
SELECT disconnected >= 1 AS disconnected, deleted >= 1 AS deleted FROM platform.clean_webrtc_sessions();
SELECT right(id::text, 2) AS session, status, now() - disconnected_at AS ended FROM platform.webrtc_sessions WHERE id::text LIKE 'ca150000-0000-4000-8000-0000000000f%' ORDER BY 1;
SELECT count(*) FROM platform.webrtc_quality_samples WHERE session_id = 'ca150000-0000-4000-8000-0000000000f3';
ROLLBACK;
