-- Who sees and ends which sessions: users their own, administrators their organization's, operators all; nobody the hashes.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''61000000-0000-4000-8000-000000000001'''
\set other '''61000000-0000-4000-8000-000000000002'''
\set owner '''61000000-0000-4000-8000-0000000000a1'''
\set agent '''61000000-0000-4000-8000-0000000000a2'''
\set foreigner '''61000000-0000-4000-8000-0000000000b1'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Rights Co'), (:other, 'Foreign Co');
INSERT INTO platform.users (id, email) VALUES (:owner, 'owner@session-rights.example'), (:agent, 'agent@session-rights.example'), (:foreigner, 'foreigner@session-rights.example');
SELECT platform.create_session(:org, :owner, user_agent => 'owner') AS owner_token, platform.create_session(:org, :agent, user_agent => 'agent 1') AS agent_token,
	platform.create_session(:org, :agent, user_agent => 'agent 2') AS second_token, platform.create_session(:other, :agent, user_agent => 'agent elsewhere') AS elsewhere_token,
	platform.create_session(:other, :foreigner, user_agent => 'foreigner') AS foreign_token \gset
SELECT (SELECT session_id FROM platform.verify_session(:'owner_token')) AS owner_session, (SELECT session_id FROM platform.verify_session(:'agent_token')) AS agent_session,
	(SELECT session_id FROM platform.verify_session(:'foreign_token')) AS foreign_session, (SELECT session_id FROM platform.verify_session(:'elsewhere_token')) AS elsewhere_session \gset
-- a plain member: its own of this organization
SELECT platform.set_context(:org::uuid, :agent, 'agent');
SET LOCAL ROLE platform_test_member;
SELECT user_agent FROM platform.list_sessions(:org);
SELECT user_agent FROM platform.list_sessions(:org, :agent);
SELECT user_agent FROM platform.active_sessions ORDER BY user_agent COLLATE "C";
SELECT token_hash FROM platform.active_sessions;
SELECT count(*) FROM platform.active_sessions WHERE token_hash = '';
SELECT s FROM platform.active_sessions s;
SELECT * FROM platform.list_sessions(:org, :owner);
SELECT * FROM platform.list_sessions(:other);
SELECT platform.create_session(:org, :agent);
INSERT INTO platform.active_sessions (user_id, token_hash) VALUES (:agent, repeat('0', 64));
UPDATE platform.active_sessions SET expires_at = 'infinity';
UPDATE platform.active_sessions SET revoked_at = NULL;
DELETE FROM platform.active_sessions;
SELECT platform.purge_sessions();
\set VERBOSITY sqlstate
SELECT platform.revoke_session(:org, :'owner_session');
SELECT platform.revoke_session(:org, :'foreign_session');
SELECT platform.revoke_session(:org, :'elsewhere_session');
\set VERBOSITY terse
SELECT platform.revoke_session(:other, :'elsewhere_session');
SELECT platform.revoke_sessions(:org, :owner);
SELECT platform.revoke_sessions(:other, :agent);
SELECT platform.revoke_session(:org, :'agent_session'), platform.revoke_session(:org, :'agent_session') AS again;
SELECT platform.revoke_sessions(:org, :agent);
-- whoever has a token may ask what it is, and use it
SELECT valid, reason FROM platform.verify_session(:'foreign_token');
SELECT valid, reason FROM platform.verify_session(:'agent_token');
SELECT platform.touch_session(:'elsewhere_token', '0');
SET LOCAL platform.sessions_per_user = 100;
RESET ROLE;
-- an administrator: the organization's
SELECT platform.create_session(:org, :agent, user_agent => 'agent 3') IS NOT NULL AS made;
SELECT platform.set_context(:org::uuid, :owner, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT user_agent FROM platform.list_sessions(:org);
SELECT user_agent, revoked_reason FROM platform.list_sessions(:org, include_ended => true);
SELECT user_agent FROM platform.list_sessions(:org, :agent);
SELECT * FROM platform.list_sessions(:other);
\set VERBOSITY sqlstate
SELECT platform.revoke_session(:org, :'foreign_session');
\set VERBOSITY terse
SELECT platform.revoke_sessions(:org, :agent, reason => 'left the team');
SELECT platform.revoke_sessions(:other, :foreigner);
SELECT platform.create_session(:org, :owner);
SELECT token_hash FROM platform.active_sessions;
RESET ROLE;
-- nobody: nothing but what a token says
SELECT platform.set_context(NULL);
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.active_sessions;
SELECT * FROM platform.list_sessions(:org);
SELECT platform.revoke_sessions(:org, :owner);
SELECT valid FROM platform.verify_session(:'owner_token');
-- a stranger: nothing
SET LOCAL ROLE platform_test_stranger;
SELECT * FROM platform.verify_session(:'owner_token');
SELECT platform.touch_session(:'owner_token');
SELECT platform.create_session(:org, :owner);
SELECT count(*) FROM platform.active_sessions;
RESET ROLE;
-- an operator: all
SELECT user_agent FROM platform.list_sessions(:other);
SELECT platform.revoke_session(:other, :'foreign_session');
ROLLBACK;
-- a read-only transaction verifies; it touches only what needs no write
BEGIN READ ONLY;
SELECT reason FROM platform.verify_session('x');
SELECT platform.touch_session('x');
ROLLBACK;
