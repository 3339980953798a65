-- What every regress test starts with: the extension, a complete installation,
-- the roles that tests act as, and settings that keep outputs the same on every
-- machine and version. Re-runnable, silent. Tests include it with
--
--	\set ECHO none
--	\set QUIET 1
--	\ir ../kit/setup.sql
--	\set ECHO all
--
-- platform_test_member	granted as a member; NOLOGIN, for SET ROLE
-- platform_test_stranger	no grants; NOLOGIN, for SET ROLE
-- platform_test_login		LOGIN, a member of platform_test_member
\set ON_ERROR_STOP 1
\set VERBOSITY default
\set SHOW_CONTEXT errors
\pset null ''
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
\o /dev/null

CREATE EXTENSION IF NOT EXISTS platform;
SELECT count(*) FROM platform.install();
SELECT pg_catalog.format('CREATE ROLE %I %s', r.name, r.options)
FROM (VALUES
	('platform_test_member', 'NOLOGIN'),
	('platform_test_stranger', 'NOLOGIN'),
	('platform_test_login', 'LOGIN')) AS r (name, options)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = r.name) \gexec
SELECT 'GRANT platform_test_member TO platform_test_login'
WHERE NOT pg_catalog.pg_has_role('platform_test_login', 'platform_test_member', 'MEMBER') \gexec

SELECT platform.grant_member('platform_test_member');
-- A root key, where the server has none: the kit's clusters do.
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) WHERE current_setting('platform.root_key_file') = '';

\o
SET client_min_messages = notice;
\set ON_ERROR_STOP 0
