-- tour 60 Sessions: who is signed in
\echo
\echo Ada signs in six times, and may have five sessions: the oldest ends. A token is shown
\echo once; the table has its hash.
\echo
\set ECHO queries
SELECT count(platform.create_session('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1'))
FROM generate_series(1, 5);
SELECT platform.create_session('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1',
	'203.0.113.7', 'Mozilla/5.0 (iPhone) Mobile') AS token \gset
SELECT valid, reason, session_id AS session FROM platform.verify_session(:'token') \gset
SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS live, count(revoked_at) AS revoked
FROM platform.list_sessions('d0000000-0000-4000-8000-000000000001', include_ended => true);
\set ECHO none
\echo
\echo She changes her password: all but this session end, at once and everywhere. Then she
\echo signs out.
\echo
\set ECHO queries
SELECT platform.revoke_sessions('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1',
	:'session', 'password_changed');
SELECT valid, reason FROM platform.verify_session(:'token');
SELECT platform.revoke_session('d0000000-0000-4000-8000-000000000001', :'session');
SELECT valid, reason, user_id FROM platform.verify_session(:'token');
