-- tour 31 Live calls: billed while they run
\echo
\echo Calls cost tokens for every started minute, more when they need a relay (TURN).
\echo
\set ECHO queries
SELECT mode, used_turn, tokens_per_minute FROM platform.token_rates ORDER BY mode DESC, used_turn;
\set ECHO none
\echo
\echo demo_user is in a video call of two and a half minutes, after the first one through a
\echo relay. Heartbeats burn what is due and say how long the balance lasts; three minutes
\echo ahead are set aside. (The moments are given here; live, they are now.)
\echo
\set ECHO queries
SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'demo-lobby', 'video', 'demo_user',
	reserve_minutes => 3, at => now() - interval '150 s') AS call \gset
SELECT burned, charged, remaining, granted_seconds, verdict
FROM platform.heartbeat_call_session(:'call', used_turn => true, at => now() - interval '90 s');
SELECT burned, charged, remaining, granted_seconds, verdict
FROM platform.heartbeat_call_session(:'call', at => now() - interval '30 s');
SELECT status, burned, charged, remaining, duration_seconds FROM platform.end_call_session(:'call', at => now());
\set ECHO none
\echo
\echo One minute without the relay, two started ones with it. Ending the call again costs
\echo nothing.
\echo
\set ECHO queries
SELECT status, burned, charged, duration_seconds FROM platform.end_call_session(:'call');
SELECT tokens_used, used_turn, duration_seconds, balance_after FROM platform.token_usage
WHERE session_id = :'call' ORDER BY version;
\set ECHO none
\echo
\echo A call is never lost because its bill is. Somebody without an account calls; what he
\echo used is kept, and billed once when there is an account.
\echo
\set ECHO queries
SELECT platform.start_call_session('00000000-0000-0000-0000-000000000000', 'demo-lobby', 'voice', 'newcomer',
	at => now() - interval '61 s') AS call \gset
SELECT status, billing, reason, charged FROM platform.end_call_session(:'call', at => now());
INSERT INTO platform.user_accounts (user_id) VALUES ('newcomer');
SELECT * FROM platform.settle_unbilled_usage();
SELECT * FROM platform.settle_unbilled_usage();
SELECT user_id, tokens_remaining FROM platform.user_accounts WHERE user_id = 'newcomer';
\set ECHO none
\echo
\echo A scheduler meters all calls at once, in one statement, and closes those that fell silent.
\echo
\set ECHO queries
SELECT count(platform.start_call_session('00000000-0000-0000-0000-000000000000', 'room ' || i, 'voice', 'developer',
	grace_seconds => NULL, at => now() - interval '10 s')) AS started FROM generate_series(1, 200) AS i;
SELECT metered, tokens, closed FROM platform.meter_active_sessions();
SELECT user_id, tokens_remaining, total_tokens_used, total_sessions FROM platform.user_token_summary
WHERE user_id IN ('demo_user', 'developer', 'newcomer') ORDER BY user_id;
