-- Sessions: made, verified, touched, capped, revoked, expired, purged; what is stored of a token.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''60000000-0000-4000-8000-000000000001'''
\set other '''60000000-0000-4000-8000-000000000002'''
\set ann '''60000000-0000-4000-8000-0000000000a1'''
\set bob '''60000000-0000-4000-8000-0000000000a2'''
\set nobody '''60000000-0000-4000-8000-00000000dead'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Sessions Co'), (:other, 'Other Co');
INSERT INTO platform.users (id, email) VALUES (:ann, 'ann@sessions.example'), (:bob, 'bob@sessions.example');
-- a token is 43 characters of base64url; the row has its hash and nothing of it
SELECT platform.create_session(:org, :ann, '203.0.113.7', 'Mozilla/5.0 (X11; Linux x86_64)', '1 hour') AS token \gset
SELECT :'token' ~ '^[A-Za-z0-9_-]{43}$' AS form;
SELECT token_hash = encode(sha256(:'token'), 'hex') AS hashed, s::text LIKE '%' || :'token' || '%' AS in_clear, ip_address, user_agent, device_type,
	expires_at - created_at AS ttl, last_active_at = created_at AS just_active, revoked_at
FROM platform.active_sessions s WHERE organization_id = :org;
SELECT v.valid, v.reason, v.session_id = s.id AS session, v.organization_id = :org AS organization, v.user_id = :ann AS "user", v.expires_at = s.expires_at AS expiry
FROM platform.verify_session(:'token') v, platform.active_sessions s WHERE s.organization_id = :org;
-- whatever names no session is an answer
SELECT t.label, v.* FROM (VALUES ('null', NULL), ('empty', ''), ('other', repeat('A', 43)), ('longer', :'token' || 'x'), ('shorter', left(:'token', 42)), ('padded', :'token' || ' '),
	('hash', encode(sha256(:'token'), 'hex')), ('long', repeat('x', 1000000))) AS t (label, token), LATERAL platform.verify_session(t.token) v;
-- devices
CREATE TEMP TABLE devices AS SELECT label, platform.create_session(:other, :bob, NULL, agent) AS token FROM (VALUES
	(1, 'iphone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148'), (2, 'ipad', 'Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Mobile/15E148'),
	(3, 'android phone', 'Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari/537.36'), (4, 'android tablet', 'Mozilla/5.0 (Linux; Android 13; SM-X700) Safari/537.36'),
	(5, 'none', NULL), (6, 'empty', ''), (7, 'curl', 'curl/8.0'), (8, 'long', repeat('ü', 700))) AS d (n, label, agent);
SELECT label, device_type, length(user_agent), expires_at - created_at AS ttl FROM devices d
JOIN platform.active_sessions s ON s.token_hash = encode(sha256(d.token::bytea), 'hex') ORDER BY s.created_at, s.id;
-- the cap: the oldest live ones go
SELECT label, valid, reason FROM devices, platform.verify_session(token);
SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS live, count(*) FILTER (WHERE revoked_reason = 'session_limit_reached') AS revoked
FROM platform.active_sessions WHERE user_id = :bob;
-- it is counted by user and organization
SELECT count(*) FROM platform.list_sessions(:org);
-- lowered, it revokes several at once; zero is no cap
SET LOCAL platform.sessions_per_user = 2;
SELECT length(platform.create_session(:other, :bob));
SELECT count(*) FROM platform.list_sessions(:other, :bob);
SET LOCAL platform.sessions_per_user = 1;
SELECT length(platform.create_session(:other, :bob));
SELECT count(*) FROM platform.list_sessions(:other, :bob);
SET LOCAL platform.sessions_per_user = 0;
SELECT count(length(platform.create_session(:other, :bob))) FROM generate_series(1, 7);
SELECT count(*) FROM platform.list_sessions(:other, :bob);
-- expired ones take no room
SET LOCAL platform.sessions_per_user = 8;
UPDATE platform.active_sessions SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
WHERE user_id = :bob AND revoked_at IS NULL;
SELECT length(platform.create_session(:other, :bob));
SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS not_revoked FROM platform.active_sessions WHERE user_id = :bob;
SELECT count(*) FROM platform.list_sessions(:other);
SELECT count(*) FROM platform.list_sessions(:other, include_ended => true);
RESET platform.sessions_per_user;
SET LOCAL platform.sessions_per_user = -1;
-- touched: written at most once in the interval
SELECT platform.touch_session(:'token') AS live;
SELECT last_active_at = created_at AS untouched FROM platform.active_sessions WHERE organization_id = :org;
SELECT platform.touch_session(:'token', '0') AS live;
SELECT last_active_at > created_at AS touched FROM platform.active_sessions WHERE organization_id = :org;
UPDATE platform.active_sessions SET last_active_at = now() - interval '61 s' WHERE organization_id = :org;
SELECT platform.touch_session(:'token') AS live;
SELECT last_active_at > now() - interval '61 s' AS touched FROM platform.active_sessions WHERE organization_id = :org;
SELECT platform.touch_session(NULL) AS live;
SELECT platform.touch_session('x') AS live;
SELECT platform.touch_session(:'token', NULL);
SELECT platform.touch_session(:'token', '-1 s');
-- not valid any more, and back: a suspended or deleted user, a deleted organization
UPDATE platform.users SET status = 'suspended' WHERE id = :ann;
SELECT * FROM platform.verify_session(:'token');
SELECT platform.touch_session(:'token') AS live;
SELECT platform.create_session(:org, :ann);
UPDATE platform.users SET status = 'pending' WHERE id = :ann;
SELECT reason FROM platform.verify_session(:'token');
UPDATE platform.users SET status = 'active', deleted_at = now() WHERE id = :ann;
SELECT * FROM platform.verify_session(:'token');
SELECT platform.create_session(:org, :ann);
UPDATE platform.users SET deleted_at = NULL WHERE id = :ann;
SELECT platform.delete_organization(:org);
SELECT * FROM platform.verify_session(:'token');
SELECT platform.create_session(:org, :ann);
SELECT platform.restore_organization(:org);
SELECT reason FROM platform.verify_session(:'token');
-- expired
UPDATE platform.active_sessions SET expires_at = clock_timestamp() WHERE organization_id = :org;
SELECT * FROM platform.verify_session(:'token');
SELECT platform.touch_session(:'token', '0') AS live;
SELECT platform.revoke_session(:org, id) AS was_live FROM platform.active_sessions WHERE organization_id = :org;
UPDATE platform.active_sessions SET expires_at = now() + interval '1 hour' WHERE organization_id = :org;
-- revoked
SELECT session_id AS session FROM platform.verify_session(:'token') \gset
SELECT platform.revoke_session(:org, :'session', 'lost telephone'), platform.revoke_session(:org, :'session') AS again;
SELECT revoked_reason, revoked_at IS NOT NULL AS revoked FROM platform.active_sessions WHERE id = :'session';
SELECT * FROM platform.verify_session(:'token');
\set VERBOSITY sqlstate
SELECT platform.revoke_session(:other, :'session');
\set VERBOSITY terse
SELECT platform.revoke_session(:org, :nobody);
SELECT platform.revoke_session(NULL, :'session');
SELECT platform.revoke_session(:org, NULL);
SELECT platform.revoke_session(:org, :'session', NULL);
SELECT platform.revoke_session(:org, :'session', '');
SELECT platform.revoke_session(:org, :'session', repeat('x', 64));
-- all of a user, but one
SELECT count(length(platform.create_session(:org, :ann))) FROM generate_series(1, 3);
SELECT platform.create_session(:org, :ann) AS token \gset
SELECT session_id AS session FROM platform.verify_session(:'token') \gset
SELECT platform.revoke_sessions(:org, :ann, :'session', 'password_changed');
SELECT session_id = :'session' AS current FROM platform.list_sessions(:org, :ann);
SELECT platform.revoke_sessions(:org, :ann), platform.revoke_sessions(:org, :ann) AS again, platform.revoke_sessions(:org, :nobody) AS nobody;
SELECT revoked_reason, count(*) FROM platform.active_sessions WHERE user_id = :ann GROUP BY revoked_reason ORDER BY revoked_reason COLLATE "C";
SELECT platform.revoke_sessions(NULL, :ann);
SELECT platform.revoke_sessions(:org, NULL);
SELECT platform.revoke_sessions(:org, :ann, NULL, NULL);
SELECT platform.revoke_sessions(:org, :ann, NULL, '');
-- who leaves an organization loses its sessions there, and only there
SELECT platform.add_member(:org, :ann), length(platform.create_session(:org, :ann)), length(platform.create_session(:other, :ann));
SELECT platform.remove_member(:org, :ann);
SELECT count(*) FROM platform.list_sessions(:org, :ann);
SELECT organization_id, count(*) FROM platform.active_sessions WHERE revoked_reason = 'member_removed' GROUP BY organization_id;
SELECT count(*) FROM platform.list_sessions(:other, :ann);
-- purge: what ended long ago, in batches, expired or revoked
UPDATE platform.active_sessions SET created_at = now() - interval '60 days', expires_at = CASE WHEN revoked_at IS NULL THEN now() - interval '31 days' ELSE expires_at END,
	revoked_at = revoked_at - interval '31 days' WHERE user_id = :bob AND id NOT IN (SELECT session_id FROM platform.list_sessions(:other, :bob));
SELECT count(*) FROM platform.list_sessions(:other, :bob, true);
SELECT platform.purge_sessions('32 days') AS none_that_old, platform.purge_sessions(batch => 4), platform.purge_sessions(), platform.purge_sessions() AS again;
SELECT count(*) AS live FROM platform.list_sessions(:other, :bob, true);
SELECT platform.purge_sessions('0') > 0 AS all_that_ended;
SELECT count(*) FROM platform.list_sessions(:org, include_ended => true);
SELECT platform.purge_sessions('-1 s');
SELECT platform.purge_sessions(NULL);
SELECT platform.purge_sessions(batch => 0);
SELECT platform.purge_sessions(batch => NULL);
-- refused
SELECT platform.create_session(NULL, :ann);
SELECT platform.create_session(:org, NULL);
SELECT platform.create_session(:org, :ann, ttl => NULL);
SELECT platform.create_session(:org, :ann, ttl => '999 ms');
SELECT platform.create_session(:org, :ann, ttl => '-1 day');
SELECT platform.create_session(:org, :ann, ttl => '401 days');
SELECT platform.create_session(:org, :ann, ttl => '200000 years');
SELECT length(platform.create_session(:org, :ann, ttl => '400 days')), length(platform.create_session(:org, :ann, '2001:db8::1', ttl => '1 s'));
SELECT platform.create_session(:nobody, :ann);
SELECT platform.create_session(:org, :nobody);
SELECT * FROM platform.list_sessions(NULL);
SELECT * FROM platform.list_sessions(:org, include_ended => NULL);
SELECT platform.revoke_member_sessions();
-- hashes of other bearer tokens may be brought in; nothing but hashes, each once
INSERT INTO platform.active_sessions (organization_id, user_id, token_hash) VALUES (:org, :bob, encode(sha256('a token of the old system'), 'hex'));
SELECT valid, reason, expires_at - now() AS ttl FROM platform.verify_session('a token of the old system');
INSERT INTO platform.active_sessions (organization_id, user_id, token_hash) VALUES (:other, :ann, encode(sha256('a token of the old system'), 'hex'));
INSERT INTO platform.active_sessions (organization_id, user_id, token_hash) VALUES (:org, :bob, 'a token of the old system');
INSERT INTO platform.active_sessions (organization_id, user_id, token_hash, revoked_reason) VALUES (:org, :bob, encode(sha256('x'), 'hex'), 'no time');
-- a session goes with its user and with its organization
DELETE FROM platform.users WHERE id = :bob;
DELETE FROM platform.organizations WHERE id = :org;
SELECT count(*) FROM platform.active_sessions WHERE user_id = :bob OR organization_id = :org;
ROLLBACK;
