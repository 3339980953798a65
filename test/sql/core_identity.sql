-- Identity: who may set it, how long it holds, what it answers; nobody can forge it.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set org '''c0de0001-0000-4000-8000-000000000001'''
\set other '''c0de0001-0000-4000-8000-000000000002'''
\set user '''c0de0001-0000-4000-8000-0000000000aa'''
CREATE VIEW pg_temp.me AS
SELECT platform.current_organization_id() AS organization, platform.current_user_id() AS "user",
	platform.current_subject() AS subject, platform.is_admin() AS admin,
	platform.is_platform_admin() AS staff, platform.is_operator() AS operator,
	platform.default_organization_id() AS default_organization;
GRANT SELECT ON pg_temp.me TO PUBLIC;
ALTER VIEW pg_temp.me SET (security_invoker = true);

-- without a context: an operator is everything, a member is nobody, a stranger may not ask
SELECT * FROM pg_temp.me;
SET ROLE platform_test_member;
SELECT * FROM pg_temp.me;
SET ROLE platform_test_stranger;
SELECT platform.current_organization_id();
SELECT platform.is_operator();
RESET ROLE;

-- the examples of doc/identity.md
BEGIN;
SELECT platform.set_context('c0de0001-0000-4000-8000-000000000001', 'c0de0001-0000-4000-8000-0000000000aa', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.current_organization_id(), platform.current_user_id(), platform.is_admin();
COMMIT;
SELECT platform.current_organization_id() IS NULL AS ended_with_the_transaction;

BEGIN;
CREATE TABLE notes (organization_id uuid NOT NULL DEFAULT platform.default_organization_id(), body text);
GRANT SELECT, INSERT ON notes TO platform_test_member;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY notes_member_all ON notes USING (organization_id = platform.current_organization_id());
INSERT INTO notes (body) VALUES ('of the default organization');
SELECT platform.set_context(:org);
SET LOCAL ROLE platform_test_member;
INSERT INTO notes (body) VALUES ('mine');
SELECT * FROM notes;
INSERT INTO notes VALUES (:other, 'theirs');
ROLLBACK;

-- roles: owner, admin and platform_admin administer, others do not
BEGIN;
SELECT platform.set_context(:org, :user, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org, :user, 'admin');
SET LOCAL ROLE platform_test_member;
SELECT admin, staff FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org, :user, 'Owner');
SET LOCAL ROLE platform_test_member;
SELECT admin, staff FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org, :user, NULL);
SET LOCAL ROLE platform_test_member;
SELECT admin, staff FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org, :user, 'platform_admin');
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org, 'demo_user');
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
RESET ROLE;
-- a user without an organization, an organization without a user, nothing
SELECT platform.set_context(NULL, :user, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(:org);
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
RESET ROLE;
SELECT platform.set_context(NULL);
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
ROLLBACK;

-- subjects of any form and size come back as they were; only the canonical form is a uuid
BEGIN;
SELECT s.subject = m.subject AS same, pg_catalog.left(s.subject, 40) AS subject, m."user"
FROM (VALUES (''), (E'line\nbreak = - \\'), ('C0DE0001-0000-4000-8000-0000000000AA'), ('{c0de0001-0000-4000-8000-0000000000aa}'),
		('c0de000100004000800000000000000aa'), ('c0de0001-0000-4000-8000-0000000000ag'), ('c0de0001-0000-4000-8000-0000000000aa '), ('c0de0001')) AS s (subject),
	LATERAL (SELECT platform.set_context(:org, s.subject)) AS c,
	LATERAL (SELECT v.* FROM pg_temp.me AS v WHERE c IS NOT NULL) AS m;
SELECT platform.set_context(:org, pg_catalog.repeat('x', 1000000));
SELECT pg_catalog.length(platform.current_subject());
ROLLBACK;

-- roles that cannot be
SELECT platform.set_context(:org, NULL, '');
SELECT platform.set_context(:org, NULL, E'owner\n=forged');
SELECT platform.set_context(:org, NULL, pg_catalog.repeat('r', 64));
BEGIN;
SELECT platform.set_context(:org, NULL, pg_catalog.repeat('r', 63));
ROLLBACK;

-- savepoints: ROLLBACK TO brings the earlier identity back, RELEASE keeps the later one
BEGIN;
SELECT platform.set_context(:org, 'first');
SAVEPOINT one;
SELECT platform.set_context(:other, 'second', 'owner');
SELECT organization, subject FROM pg_temp.me;
ROLLBACK TO one;
SELECT organization, subject FROM pg_temp.me;
SAVEPOINT two;
SELECT platform.set_context(:other, 'third');
RELEASE two;
SELECT organization, subject FROM pg_temp.me;
SAVEPOINT three;
SELECT platform.set_context(NULL);
SELECT organization, subject FROM pg_temp.me;
ROLLBACK TO three;
SELECT organization, subject FROM pg_temp.me;
-- an error rolls back as well
SELECT 1 / 0;
ROLLBACK TO three;
SELECT organization, subject FROM pg_temp.me;
COMMIT;
SELECT organization, subject FROM pg_temp.me;
BEGIN;
SELECT platform.set_context(:org, 'first');
ROLLBACK;
SELECT organization, subject FROM pg_temp.me;
-- outside a transaction block it ends with the statement
SELECT platform.set_context(:org, 'alone');
SELECT organization, subject FROM pg_temp.me;

-- a function with settings of its own does not end the context that it sets
BEGIN;
CREATE FUNCTION pg_temp.enter(organization uuid) RETURNS void LANGUAGE sql SET work_mem = '1MB'
	AS 'SELECT platform.set_context(organization, ''entered'')';
SELECT pg_temp.enter(:org);
SELECT organization, subject FROM pg_temp.me;
ROLLBACK;

-- parallel workers have the same identity
BEGIN;
CREATE TABLE platform_test_rows (organization_id uuid);
INSERT INTO platform_test_rows SELECT CASE WHEN n % 4 = 0 THEN :org ELSE :other END::uuid FROM pg_catalog.generate_series(1, 20000) AS n;
GRANT SELECT ON platform_test_rows TO platform_test_member;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT platform.set_context(:org, 'parallel', 'owner');
SET LOCAL ROLE platform_test_member;
EXPLAIN (COSTS OFF) SELECT count(*) FROM platform_test_rows WHERE organization_id = platform.current_organization_id() AND platform.is_admin() AND NOT platform.is_operator();
SET LOCAL parallel_leader_participation = off;
SELECT count(*), min(platform.current_subject()) FROM platform_test_rows
WHERE organization_id = platform.current_organization_id() AND platform.is_admin() AND NOT platform.is_operator();
ROLLBACK;

-- only operators set it
SET ROLE platform_test_member;
SELECT platform.set_context(:other);
RESET ROLE;
BEGIN;
GRANT EXECUTE ON FUNCTION platform.set_context(uuid, text, text) TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SAVEPOINT s;
SELECT platform.set_context(:other);
ROLLBACK TO s;
SELECT platform.set_context(NULL);
ROLLBACK;

-- nobody writes the setting itself: a member, a stranger, a superuser
SET ROLE platform_test_member;
SET platform.context = E'c0de0001-0000-4000-8000-000000000001\nowner\n';
SELECT pg_catalog.set_config('platform.context', E'c0de0001-0000-4000-8000-000000000001\nowner\n', false);
SELECT pg_catalog.set_config('platform.context', NULL, true);
UPDATE pg_catalog.pg_settings SET setting = 'x' WHERE name = 'platform.context';
CREATE FUNCTION pg_temp.forge() RETURNS uuid LANGUAGE sql SET platform.context = 'x' AS 'SELECT platform.current_organization_id()';
ALTER ROLE platform_test_member SET platform.context = 'x';
RESET platform.context;
SET platform.trusted_authenticators = 'platform_test_member';
SET platform.jwt_keys_file = '/tmp/mine';
SET platform.anything = 'x';
\set VERBOSITY sqlstate
SHOW platform.trusted_authenticators;
SHOW platform.jwt_keys_file;
\set VERBOSITY default
SET ROLE platform_test_stranger;
SET platform.context = 'x';
SELECT pg_catalog.set_config('platform.context', 'x', true);
RESET ROLE;
SET platform.context = E'c0de0001-0000-4000-8000-000000000001\nowner\n';
SELECT pg_catalog.set_config('platform.context', 'x', true);
ALTER ROLE platform_test_member SET platform.context = 'x';
ALTER SYSTEM SET platform.context = 'x';
SELECT organization, subject FROM pg_temp.me;

-- a member cannot shed or change an identity that was set for it
BEGIN;
SELECT platform.set_context(:org, 'kept');
SET LOCAL ROLE platform_test_member;
RESET ALL;
SELECT organization, subject FROM pg_temp.me;
SAVEPOINT s;
RESET platform.context;
ROLLBACK TO s;
SET SESSION AUTHORIZATION DEFAULT;
ROLLBACK;

-- claims of a login role that is not trusted are nothing
SET ROLE platform_test_member;
SET request.jwt.claims = '{"sub": "c0de0001-0000-4000-8000-0000000000aa", "app_metadata": {"organization_id": "c0de0001-0000-4000-8000-000000000001", "platform_role": "platform_admin"}}';
SET request.jwt.claim.sub = 'c0de0001-0000-4000-8000-0000000000aa';
SELECT * FROM pg_temp.me;
RESET ROLE;
BEGIN;
SET LOCAL SESSION AUTHORIZATION platform_test_login;
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
ROLLBACK;
RESET request.jwt.claims;
RESET request.jwt.claim.sub;

-- claims of a trusted one are believed
BEGIN;
\set ECHO none
SELECT 'CREATE ROLE authenticator LOGIN NOINHERIT' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'authenticator') \gexec
\set ECHO all
GRANT platform_test_member TO authenticator;
SET LOCAL SESSION AUTHORIZATION authenticator;
SET LOCAL ROLE platform_test_member;
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claims = '{"sub": "c0de0001-0000-4000-8000-0000000000aa", "role": "authenticated", "app_metadata": {"organization_id": "c0de0001-0000-4000-8000-000000000001"}}';
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claims = '{"sub": "demo_user", "app_metadata": {"organization_id": "c0de0001-0000-4000-8000-000000000002", "platform_role": "owner"}}';
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claims = '{"sub": "demo_user", "app_metadata": {"organization_id": null, "platform_role": null}, "user_metadata": {"organization_id": "c0de0001-0000-4000-8000-000000000002"}}';
SELECT * FROM pg_temp.me;
-- what is not well formed is nobody, and no error
SELECT pg_catalog.left(c.claims, 60) AS claims, m.organization, m.subject, m.admin
FROM (VALUES ('{'), ('null'), ('[]'), ('"text"'), ('1'), (' '), ('{}'), ('{"sub": 1}'), ('{"sub": ["a"]}'), ('{"sub": ""}'), ('{"sub": "a", "sub": "b"}'), ('{"sub": "a"} x'),
		('{"sub": "a\u0000b"}'), ('{"sub": "a", "app_metadata": []}'), ('{"sub": "a", "app_metadata": "x"}'),
		('{"sub": "a", "app_metadata": {"organization_id": "acme"}}'), ('{"sub": "a", "app_metadata": {"organization_id": 7}}'),
		('{"sub": "a", "app_metadata": {"organization_id": {"organization_id": "c0de0001-0000-4000-8000-000000000001"}}}'),
		('{"sub": "a", "app_metadata": {"platform_role": ["owner"]}}'), ('{"sub": "a", "app_metadata": {"platform_role": "owner\n"}}'),
		('[{"sub": "a"}]'), (pg_catalog.repeat('[', 100000)), (pg_catalog.repeat('{"a":', 100000)),
		('{"sub": "deep", "x": ' || pg_catalog.repeat('[', 2000) || pg_catalog.repeat(']', 2000) || '}'), ('{"sub": "good"}')) AS c (claims),
	LATERAL (SELECT pg_catalog.set_config('request.jwt.claims', c.claims, true)) AS s,
	LATERAL (SELECT v.* FROM pg_temp.me AS v WHERE s IS NOT NULL) AS m;
SELECT pg_catalog.length(pg_catalog.set_config('request.jwt.claims', '{"sub": "' || pg_catalog.repeat('x', 1000000) || '"}', true));
SELECT pg_catalog.length(platform.current_subject());
SELECT pg_catalog.length(pg_catalog.set_config('request.jwt.claims', pg_catalog.repeat('x', 1000000), true));
SELECT platform.current_subject();
-- separate settings, as older versions hand claims over: only without the other
SET LOCAL request.jwt.claims = '';
SET LOCAL request.jwt.claim.sub = 'c0de0001-0000-4000-8000-0000000000aa';
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claim.app_metadata = '{"organization_id": "c0de0001-0000-4000-8000-000000000001", "platform_role": "admin"}';
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claim.app_metadata = '{"organization_id"';
SELECT * FROM pg_temp.me;
SET LOCAL request.jwt.claims = '{"sub": "other"}';
SELECT * FROM pg_temp.me;
-- what was set in this transaction wins, and gives way again
RESET ROLE;
RESET SESSION AUTHORIZATION;
SAVEPOINT s;
SELECT platform.set_context(:org, 'operator set');
SET LOCAL SESSION AUTHORIZATION authenticator;
SET LOCAL ROLE platform_test_member;
SELECT organization, subject FROM pg_temp.me;
ROLLBACK TO s;
SET LOCAL SESSION AUTHORIZATION authenticator;
SET LOCAL ROLE platform_test_member;
SELECT organization, subject FROM pg_temp.me;
ROLLBACK;
-- settings that ended with their transaction are nothing
SELECT organization, subject FROM pg_temp.me;

-- operators: by ownership, membership, BYPASSRLS; seen as soon as it changes
BEGIN;
CREATE ROLE platform_test_owner;
CREATE ROLE platform_test_other;
GRANT USAGE ON SCHEMA platform TO platform_test_owner, platform_test_other;
GRANT EXECUTE ON FUNCTION platform.is_operator() TO platform_test_owner, platform_test_other;
SET LOCAL ROLE platform_test_other;
SELECT platform.is_operator();
RESET ROLE;
ALTER ROLE platform_test_other BYPASSRLS;
SET LOCAL ROLE platform_test_other;
SELECT platform.is_operator();
RESET ROLE;
ALTER ROLE platform_test_other NOBYPASSRLS;
GRANT platform_test_owner TO platform_test_other;
SET LOCAL ROLE platform_test_other;
SELECT platform.is_operator();
RESET ROLE;
SELECT pg_catalog.format('ALTER TABLE platform.organizations OWNER TO %I', 'platform_test_owner') \gexec
SET LOCAL ROLE platform_test_other;
SELECT platform.is_operator();
RESET ROLE;
REVOKE platform_test_owner FROM platform_test_other;
SET LOCAL ROLE platform_test_other;
SELECT platform.is_operator();
SET LOCAL ROLE platform_test_owner;
SELECT platform.is_operator();
ROLLBACK;
SELECT platform.is_operator();
