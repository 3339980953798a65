-- What the older schema's users ask: its statements and views; presence; demo accounts; lists
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'7c300000-0000-4000-8000-000000000001\''
BEGIN;
DELETE FROM platform.call_sessions WHERE true;
\set ECHO all

-- demo accounts
SELECT description FROM platform.load_demo_data() WHERE module = 'tokens';
SET LOCAL search_path = platform;
SELECT user_id, tokens_remaining, subscription_tier FROM user_accounts WHERE user_id = 'demo_user';
SELECT user_id, tokens_remaining, subscription_tier FROM user_accounts WHERE user_id IN ('test_user_1', 'test_user_2', 'developer') ORDER BY user_id;
-- loading them again gives nothing and takes nothing away
SELECT status FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000', 'demo_user', 1);
SELECT count(*) FROM platform.load_demo_data() WHERE module = 'tokens';
SELECT user_id, tokens_remaining FROM user_accounts WHERE user_id = 'demo_user';

-- the statements of the older schema
INSERT INTO call_sessions (room_id, mode) VALUES ('test-123','video');
INSERT INTO call_sessions (room_id, mode, used_turn) VALUES ('test-124','voice-only', true);
INSERT INTO call_sessions (room_id, mode) VALUES ('test-125','voice');
SELECT room_id, mode, used_turn, credit_cost, user_id, end_time FROM call_sessions WHERE room_id = 'test-123';
UPDATE call_sessions SET start_time = now() - interval '90 s' WHERE room_id = 'test-124';
SELECT room_id, mode, used_turn, duration FROM active_calls WHERE room_id LIKE 'test-%' ORDER BY duration DESC, room_id;
UPDATE call_sessions SET end_time = start_time + interval '90 s' WHERE room_id = 'test-124';
SELECT room_id FROM active_calls WHERE room_id LIKE 'test-%' ORDER BY room_id;
SELECT room_id, start_time = now() - interval '90 s' AS started, credit_cost FROM call_sessions WHERE used_turn = true;
SELECT SUM(tokens_used) AS total_tokens FROM token_usage WHERE DATE(timestamp) = CURRENT_DATE AND user_id = 'demo_user';
SELECT user_id, tokens_remaining FROM user_accounts WHERE user_id = 'demo_user';
SELECT * FROM call_sessions WHERE room_id = 'test-123' \gset test_
SELECT :'test_mode' AS mode, :'test_used_turn' AS used_turn, :'test_credit_cost' AS credit_cost;
SELECT count(*) > 0 AS rows FROM (SELECT * FROM active_calls) AS s;
SELECT count(*) > 0 AS rows FROM (SELECT * FROM daily_billing_summary) AS s;
SELECT count(*) > 0 AS rows FROM (SELECT * FROM user_token_summary) AS s;
SELECT count(*) > 0 AS rows FROM (SELECT * FROM daily_token_usage WHERE usage_date = CURRENT_DATE) AS s;
SELECT SUM(tokens_used) >= 1 AS total_tokens FROM token_usage WHERE DATE(timestamp) = CURRENT_DATE;
-- what the views show, the older schema's columns first
SELECT * FROM active_calls \gdesc
SELECT * FROM daily_billing_summary \gdesc
SELECT * FROM user_token_summary \gdesc
SELECT * FROM daily_token_usage \gdesc
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'platform' AND table_name IN ('call_sessions', 'user_presence', 'user_accounts', 'token_usage') ORDER BY 1;
SELECT mode FROM call_sessions WHERE mode = 'fax';
SAVEPOINT a;
\set VERBOSITY terse
INSERT INTO call_sessions (room_id, mode) VALUES ('test-123', 'fax'); ROLLBACK TO a;
\set VERBOSITY default
RESET search_path;
SELECT table_name FROM information_schema.views WHERE table_schema = 'platform'
	AND table_name IN ('active_calls', 'daily_billing_summary', 'user_token_summary', 'daily_token_usage') ORDER BY 1;

-- the views, by hand: two calls of one user with several entries each
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Views Co');
INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining, subscription_tier) VALUES (:org, 'eva', 100, 'pro'), (:org, 'idle', 5, 'free');
SELECT platform.start_call_session(:org, 'one', 'video', 'eva', at => now() - interval '5 min') AS one,
	platform.start_call_session(:org, 'two', 'voice', 'eva', true, at => now() - interval '5 min') AS two \gset
SELECT sum(h.burned) FROM generate_series(1, 9) AS i, platform.heartbeat_call_session(:'one', at => now() - interval '5 min' + i * interval '30 s') AS h;
SELECT sum(h.burned) FROM generate_series(1, 4) AS i, platform.heartbeat_call_session(:'two', at => now() - interval '5 min' + i * interval '30 s') AS h;
SELECT e.charged, e.duration_seconds FROM platform.end_call_session(:'one', now() - interval '20 s') AS e;
SELECT e.charged, e.duration_seconds FROM platform.end_call_session(:'two', now() - interval '3 min') AS e;
SELECT user_id, tokens_remaining, subscription_tier, total_tokens_used, total_sessions, last_usage IS NOT NULL AS used
FROM platform.user_token_summary WHERE organization_id = :org ORDER BY user_id;
SELECT call_date = CURRENT_DATE OR call_date = CURRENT_DATE - 1 AS today, total_calls, turn_calls, video_calls, voice_calls, total_credits, avg_duration_minutes::numeric(10,2)
FROM platform.daily_billing_summary WHERE organization_id = :org;
SELECT usage_date = CURRENT_DATE AS today, mode, used_turn, session_count, total_tokens, avg_tokens_per_session::numeric(10,2), total_minutes::numeric(10,2)
FROM platform.daily_token_usage WHERE organization_id = :org ORDER BY mode;
-- the minutes are those of the calls; a call that ended earlier has used less, and a live one counts as far as it was billed
SELECT sum(duration_seconds) / 60.0 AS minutes FROM platform.call_sessions WHERE organization_id = :org;
SELECT platform.start_call_session(:org, 'three', 'video', 'eva', grace_seconds => NULL, at => now() - interval '5 min') AS three,
	platform.start_call_session(:org, 'four', 'video', 'eva', true, grace_seconds => NULL, at => now() - interval '5 min') AS four \gset
SELECT sum(h.burned) FROM generate_series(1, 5) AS i, platform.heartbeat_call_session(:'three', at => now() - interval '5 min' + i * interval '1 min') AS h;
SELECT burned FROM platform.heartbeat_call_session(:'four', at => now() - interval '3 min');
SELECT e.burned, e.charged, e.duration_seconds FROM platform.end_call_session(:'three', now() - interval '3 min 30 s') AS e;
SELECT mode, used_turn, session_count, total_tokens, total_minutes::numeric(10,2) FROM platform.daily_token_usage WHERE organization_id = :org ORDER BY 1, 2;
SELECT total_tokens_used, total_sessions FROM platform.user_token_summary WHERE organization_id = :org AND user_id = 'eva';
SELECT sum(charged) FROM platform.call_sessions WHERE organization_id = :org;
SELECT e.charged, e.duration_seconds FROM platform.end_call_session(:'four', now() - interval '5 min') AS e;
SELECT mode, used_turn, session_count, total_tokens, total_minutes::numeric(10,2) FROM platform.daily_token_usage WHERE organization_id = :org ORDER BY 1, 2;
-- entries that are no calls have no minutes, also with the session of one
SELECT status FROM platform.burn_tokens(:org, 'idle', 1, 'video', session_id => :'one');
SELECT mode, used_turn, session_count, total_tokens, total_minutes::numeric(10,2) FROM platform.daily_token_usage WHERE organization_id = :org ORDER BY 1, 2;
-- a refund is no use, and takes back what was
SELECT platform.refund_tokens(:org, id, 2) IS NOT NULL AS refunded FROM platform.token_usage WHERE organization_id = :org AND session_id = :'one' ORDER BY version LIMIT 1;
SELECT user_id, tokens_remaining, total_tokens_used FROM platform.user_token_summary WHERE organization_id = :org AND user_id = 'eva';

-- lists
SELECT room_id, caller, mode, used_turn, status, duration_seconds, charged FROM platform.list_call_sessions(:org) ORDER BY room_id;
SELECT room_id FROM platform.list_call_sessions(:org, 'eva', now() - interval '1 hour', now(), 10) ORDER BY 1;
SELECT count(*) FROM platform.list_call_sessions(:org, 'eva', now());
SELECT count(*) FROM platform.list_call_sessions(:org, 'idle');
SELECT count(*) FROM platform.list_call_sessions(:org, "limit" => 1);
SAVEPOINT a;
SELECT platform.list_call_sessions(NULL); ROLLBACK TO a;
SELECT platform.list_call_sessions(:org, "limit" => 0); ROLLBACK TO a;

-- presence
SELECT host_id, room_id FROM platform.available_hosts();
SELECT platform.heartbeat_presence(:org, 'host1', 'room1');
SELECT platform.heartbeat_presence(:org, 'host2', 'room2', room_token => 'secret');
SELECT platform.heartbeat_presence(:org, 'host3', 'room3', false);
SELECT host_id, room_id FROM platform.available_hosts(:org) ORDER BY host_id;
-- moves to another room and keeps its token; goes away; comes back
SELECT platform.heartbeat_presence(:org, 'host2', 'room4');
SELECT platform.heartbeat_presence(:org, 'host1', 'room1', false);
SELECT platform.heartbeat_presence(:org, 'host3', 'room3');
SELECT host_id, room_id, room_token, is_available FROM platform.user_presence WHERE organization_id = :org ORDER BY host_id;
SELECT host_id FROM platform.available_hosts(:org) ORDER BY host_id;
-- silent for too long
ALTER TABLE platform.user_presence DISABLE TRIGGER user_presence_touch;
UPDATE platform.user_presence SET updated_at = now() - interval '5 min' WHERE organization_id = :org AND host_id = 'host3';
ALTER TABLE platform.user_presence ENABLE TRIGGER user_presence_touch;
SELECT host_id FROM platform.available_hosts(:org);
SELECT host_id FROM platform.available_hosts(:org, '10 min') ORDER BY host_id;
SAVEPOINT a;
SELECT platform.available_hosts(:org, '-1 s'); ROLLBACK TO a;
SELECT platform.available_hosts(:org, NULL); ROLLBACK TO a;
SELECT platform.heartbeat_presence(:org, NULL, 'room'); ROLLBACK TO a;
SELECT platform.heartbeat_presence(:org, 'host', ''); ROLLBACK TO a;
SELECT platform.heartbeat_presence(NULL, 'host', 'room'); ROLLBACK TO a;

-- members: themselves; of others they see who can be called, not how a room is entered
SELECT platform.set_context(:org, 'host2');
SET LOCAL ROLE platform_test_member;
SELECT platform.heartbeat_presence(:org, 'host2', 'room5');
SELECT host_id, room_id FROM platform.available_hosts();
SELECT host_id, is_available FROM platform.user_presence ORDER BY 1;
SELECT user_id, total_tokens_used FROM platform.user_token_summary;
SELECT count(*) FROM platform.daily_token_usage;
SELECT count(*) FROM platform.daily_billing_summary;
SELECT count(*) FROM platform.active_calls;
SAVEPOINT b;
SELECT room_token FROM platform.user_presence; ROLLBACK TO b;
SELECT platform.heartbeat_presence(:org, 'host1', 'room5'); ROLLBACK TO b;
SELECT platform.heartbeat_presence('7c000000-0000-4000-8000-000000000002', 'host2', 'room5'); ROLLBACK TO b;
SELECT platform.available_hosts('7c000000-0000-4000-8000-000000000002'); ROLLBACK TO b;
ROLLBACK TO a;
SELECT platform.set_context(:org, 'eva');
SET LOCAL ROLE platform_test_member;
SELECT user_id, total_tokens_used, total_sessions FROM platform.user_token_summary;
SELECT total_calls, total_credits FROM platform.daily_billing_summary;
ROLLBACK;
