-- The examples of the page about live calls
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
DELETE FROM platform.call_sessions WHERE true;
DELETE FROM platform.unbilled_usage WHERE true;
\set ECHO all

SELECT s, platform.token_cost('video', true, s) FROM unnest('{0,1,60,61}'::bigint[]) AS s;   -- 0, 6, 6, 12

INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('grace', 20);
SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'room-7', 'video', 'grace',
	on_exhausted => 'cut', at => now() - interval '5 min') AS call \gset
SELECT billing, burned, remaining, granted_seconds, valid_seconds, verdict
FROM platform.heartbeat_call_session(:'call', at => now() - interval '4 min 30 s');
SELECT billing, burned, remaining, granted_seconds, valid_seconds, verdict
FROM platform.heartbeat_call_session(:'call', used_turn => true, at => now() - interval '4 min');
SELECT status, billing, burned, shortfall, charged, remaining, duration_seconds
FROM platform.end_call_session(:'call', at => now());

SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'room-8', 'voice', 'nobody-yet',
	at => now() - interval '61 s') AS call \gset
SELECT billing, reason, charged FROM platform.end_call_session(:'call', at => now());   -- unbilled | no_account | 2
INSERT INTO platform.user_accounts (user_id) VALUES ('nobody-yet');
SELECT settled, tokens, failed FROM platform.settle_unbilled_usage();                   -- 1 | 2 | 0

INSERT INTO platform.user_accounts (user_id) VALUES ('heidi');
SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'room-9', 'video', 'heidi',
	grace_seconds => NULL, at => now() - interval '10 min') AS call \gset
SELECT tokens FROM platform.meter_active_sessions(at => now());                          -- 20
SELECT billing, burned, charged, remaining, duration_seconds
FROM platform.end_call_session(:'call', at => now() - interval '6 min');
ROLLBACK;
