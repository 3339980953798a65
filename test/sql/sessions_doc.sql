-- The examples of doc/sessions.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
INSERT INTO platform.users (email) VALUES ('grace@sessions-doc.example') RETURNING id AS grace \gset
SELECT platform.create_organization('Acme Sessions', owner_user_id => :'grace') AS acme \gset
SELECT platform.create_session(:'acme', :'grace', '203.0.113.7', 'Mozilla/5.0 (iPhone) Mobile') AS token \gset
SELECT valid, reason, user_id = :'grace' AS grace FROM platform.verify_session(:'token');
SELECT * FROM platform.verify_session('no such token');
SELECT session_id AS current FROM platform.verify_session(:'token') \gset
SELECT platform.revoke_sessions(:'acme', :'grace', :'current', 'password_changed');
SELECT ip_address, device_type, revoked_at FROM platform.list_sessions(:'acme', :'grace');
SELECT platform.purge_sessions();
ROLLBACK;
