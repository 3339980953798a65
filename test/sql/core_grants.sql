-- Member roles: what grant_member() gives and revoke_member() takes back, and who may be a member.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
CREATE ROLE platform_test_new;
CREATE ROLE "platform test odd;role";
CREATE ROLE platform_test_bypass BYPASSRLS;

-- the example of doc/identity.md; repeating it does no harm
SELECT platform.grant_member('platform_test_new');
SELECT platform.grant_member('platform_test_new');
SELECT platform.grant_member('platform test odd;role');
SELECT role_name FROM platform.member_roles WHERE role_name LIKE 'platform_test_n%' OR role_name LIKE '% odd%' ORDER BY role_name COLLATE "C";

-- everything in the catalogue exists once all is installed, and is granted
CREATE VIEW pg_temp.listed AS
SELECT kind, object, privilege,
	CASE kind WHEN 'function' THEN pg_catalog.to_regprocedure('platform.' || object)::oid END AS function,
	CASE kind WHEN 'table' THEN pg_catalog.to_regclass('platform.' || object)::oid END AS relation,
	pg_catalog.substring(privilege, '^[A-Z]+') AS word, privilege ~ '\(' AS by_column
FROM platform.member_privileges;
SELECT kind, object, privilege FROM pg_temp.listed
WHERE kind = 'function' AND NOT COALESCE(pg_catalog.has_function_privilege('platform_test_new', function, privilege), false)
ORDER BY 1, 2, 3;
SELECT kind, object, privilege FROM pg_temp.listed
WHERE kind = 'table' AND NOT COALESCE(CASE WHEN by_column OR word IN ('SELECT', 'INSERT', 'UPDATE')
		THEN pg_catalog.has_any_column_privilege('platform_test_new', relation, word)
		ELSE pg_catalog.has_table_privilege('platform_test_new', relation, word) END, false)
ORDER BY 1, 2, 3;
-- and nothing else is
SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'platform'::regnamespace AND pg_catalog.has_function_privilege('platform_test_new', p.oid, 'EXECUTE')
	AND p.oid NOT IN (SELECT function FROM pg_temp.listed WHERE function IS NOT NULL)
ORDER BY 1;
SELECT c.relname FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'v', 'p')
	AND pg_catalog.has_any_column_privilege('platform_test_new', c.oid, 'SELECT, INSERT, UPDATE')
	AND c.oid NOT IN (SELECT relation FROM pg_temp.listed WHERE relation IS NOT NULL)
ORDER BY 1;
SET LOCAL ROLE platform_test_new;
SELECT platform.is_operator(), platform.uuid7() IS NOT NULL AS made;
RESET ROLE;

-- what the catalogue names and nobody has installed is passed over
SAVEPOINT s;
INSERT INTO platform.member_privileges VALUES ('function', 'not_there(uuid, text)', 'EXECUTE'), ('table', 'not_there', 'SELECT');
SELECT platform.grant_member('platform_test_new');
-- until install() finds it
CREATE TABLE platform.not_there (id uuid, name text);
SELECT pg_catalog.has_table_privilege('platform_test_new', 'platform.not_there', 'SELECT') AS before;
SELECT platform.grant_member('platform_test_new');
SELECT pg_catalog.has_table_privilege('platform_test_new', 'platform.not_there', 'SELECT') AS after;
UPDATE platform.member_privileges SET privilege = 'UPDATE (name)' WHERE object = 'not_there';
SELECT platform.grant_member('platform_test_new');
SELECT pg_catalog.has_column_privilege('platform_test_new', 'platform.not_there', 'name', 'UPDATE') AS name,
	pg_catalog.has_column_privilege('platform_test_new', 'platform.not_there', 'id', 'UPDATE') AS id;
ROLLBACK TO s;

-- a user's schema on the search_path has no say in what the names mean
CREATE SCHEMA platform_test_schema;
CREATE TYPE platform_test_schema.uuid AS (trap text);
CREATE FUNCTION platform_test_schema.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT NULL::regclass';
SET LOCAL search_path = platform_test_schema, pg_catalog;
SELECT platform.grant_member('platform test odd;role');
SHOW search_path;
SELECT pg_catalog.has_function_privilege('platform test odd;role', 'platform.uuid7_time(pg_catalog.uuid)', 'EXECUTE') AS granted;
RESET search_path;

-- revoking leaves nothing behind: the role can be dropped
SELECT platform.revoke_member('platform_test_new');
SELECT count(*) FROM platform.member_roles WHERE role_name = 'platform_test_new';
SELECT platform.revoke_member('platform_test_new');
DROP ROLE platform_test_new;
SELECT platform.revoke_member('platform test odd;role');
DROP ROLE "platform test odd;role";
-- a role that is gone is forgotten
INSERT INTO platform.member_roles (role_name) VALUES ('platform_test_gone');
SELECT platform.revoke_member('platform_test_gone');
SELECT count(*) FROM platform.member_roles WHERE role_name = 'platform_test_gone';

-- refused: PUBLIC, superusers and other operators, what does not exist
SAVEPOINT s;
SELECT platform.grant_member('public');
ROLLBACK TO s;
SELECT platform.revoke_member('public');
ROLLBACK TO s;
SELECT platform.grant_member('platform_test_bypass');
ROLLBACK TO s;
CREATE ROLE platform_test_owner;
ALTER TABLE platform.organizations OWNER TO platform_test_owner;
GRANT platform_test_owner TO platform_test_stranger;
SELECT platform.grant_member('platform_test_stranger');
ROLLBACK TO s;
SELECT platform.grant_member('platform_test_missing');
ROLLBACK TO s;
SELECT platform.revoke_member('platform_test_missing');
ROLLBACK TO s;
SELECT platform.grant_member(NULL) IS NULL AS null_for_null, platform.revoke_member(NULL) IS NULL AS null_for_null;

-- members grant nothing
SET LOCAL ROLE platform_test_member;
SELECT platform.grant_member('platform_test_stranger');
ROLLBACK TO s;
GRANT EXECUTE ON FUNCTION platform.grant_member(name), platform.revoke_member(name) TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SAVEPOINT t;
SELECT platform.grant_member('platform_test_stranger');
ROLLBACK TO t;
SELECT platform.revoke_member('platform_test_member');
ROLLBACK;
