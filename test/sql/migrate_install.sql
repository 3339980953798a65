-- install(): what is missing is applied in order and once, a failing step leaves nothing, rights are checked
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- a second call changes nothing
SELECT count(*) > 0 AS steps, bool_and(action = 'present') AS present, bool_and(duration IS NULL) AS not_run
FROM platform.install();
SELECT version, module, action FROM platform.install(ARRAY['migrate']);
SELECT version, module, action FROM platform.install('{}');

-- every known migration is applied, by whom and with which version is recorded
SELECT bool_and(applied_at IS NOT NULL) AS applied, bool_and(description IS NOT NULL) AS known
FROM platform.migration_status() WHERE NOT optional;
SELECT version, applied_by = current_user AS by_me, library_version
FROM platform.schema_migrations WHERE version = 1;

-- arguments
SELECT * FROM platform.install(ARRAY['migrate', 'nonsense']);
SELECT * FROM platform.install(ARRAY['migrate', NULL]);

-- modules bring what they require, tables before wiring, in order of version
BEGIN;
INSERT INTO platform.migrations (version, module, description, requires, up, down) VALUES
	(291, 'test_a', 'tables', '{test_b}', 'CREATE TABLE platform.test_a (id int); INSERT INTO platform.test_a SELECT count(*) FROM platform.test_b', 'DROP TABLE platform.test_a'),
	(290, 'test_b', 'tables', '{}', 'CREATE TABLE platform.test_b (id int)', 'DROP TABLE platform.test_b'),
	(991, 'test_a', 'wiring', '{test_c}', 'CREATE VIEW platform.test_ac AS SELECT a.id FROM platform.test_a a, platform.test_c c', 'DROP VIEW platform.test_ac'),
	(292, 'test_c', 'tables', '{migrate}', 'CREATE TABLE platform.test_c (id int)', 'DROP TABLE platform.test_c'),
	(293, 'test_d', 'not asked for', '{}', 'CREATE TABLE platform.test_d (id int)', 'DROP TABLE platform.test_d');
SELECT version, module, action, duration IS NOT NULL AS run FROM platform.install(ARRAY['test_a']);
SELECT version, module, description FROM platform.migration_status() WHERE applied_at IS NULL AND module LIKE 'test%';
SELECT version, module, action FROM platform.install() WHERE action <> 'present';
ROLLBACK;

-- an optional module comes when it is named, and is kept up to date from then on
BEGIN;
INSERT INTO platform.migrations (version, module, description, optional, up) VALUES
	(9090, 'test_o', 'tables', true, 'CREATE TABLE platform.test_o (id int)');
SELECT count(*) AS unasked FROM platform.install() WHERE module = 'test_o';
SELECT version, module, action FROM platform.install(ARRAY['test_o']) WHERE module = 'test_o';
INSERT INTO platform.migrations (version, module, description, optional, up) VALUES
	(9091, 'test_o', 'more', true, 'ALTER TABLE platform.test_o ADD COLUMN more int');
SELECT version, module, action FROM platform.install() WHERE module = 'test_o';
ROLLBACK;

-- a step that fails leaves nothing behind, and says which one it was
BEGIN;
INSERT INTO platform.migrations (version, module, description, up) VALUES
	(294, 'test_e', 'fine', 'CREATE TABLE platform.test_e (id int)'),
	(295, 'test_e', 'fails', 'CREATE TABLE platform.test_f (id int); SELECT 1 / 0; CREATE TABLE platform.test_g (id int)'),
	(296, 'test_h', 'no SQL', 'CREATE TABEL platform.test_h (id int)');
SAVEPOINT before;
SELECT * FROM platform.install(ARRAY['test_e']);
ROLLBACK TO before;
SELECT to_regclass('platform.test_e') IS NULL AS gone, to_regclass('platform.test_f') IS NULL AS gone_too,
	(SELECT count(*) FROM platform.schema_migrations WHERE version > 293 AND version < 297) AS recorded;
SELECT * FROM platform.install(ARRAY['test_h']);
ROLLBACK TO before;
-- names in scripts mean the server's own, whatever the caller's search_path holds
CREATE SCHEMA test_trap;
CREATE FUNCTION test_trap.length(text) RETURNS int LANGUAGE sql AS 'SELECT 1/0';
SET LOCAL search_path = test_trap, pg_catalog;
UPDATE platform.migrations SET up = 'CREATE TABLE platform.test_e AS SELECT length(''four'') AS n' WHERE version = 294;
DELETE FROM platform.migrations WHERE version = 295;
SELECT action FROM platform.install(ARRAY['test_e']) WHERE version = 294;
SELECT n FROM platform.test_e;
SHOW search_path;
ROLLBACK;

-- rights
SET ROLE platform_test_stranger;
SELECT * FROM platform.install();
RESET ROLE;
BEGIN;
GRANT USAGE ON SCHEMA platform TO platform_test_stranger;
GRANT EXECUTE ON FUNCTION platform.install(text[]), platform.rollback(integer), platform.verify(), platform.migration_status() TO platform_test_stranger;
GRANT SELECT ON platform.migrations TO platform_test_stranger;
SET LOCAL ROLE platform_test_stranger;
SAVEPOINT before;
\set VERBOSITY terse
SELECT * FROM platform.install();
ROLLBACK TO before;
SELECT * FROM platform.rollback(0);
ROLLBACK TO before;
SELECT * FROM platform.verify();
ROLLBACK TO before;
SELECT * FROM platform.migration_status();
ROLLBACK;
\set VERBOSITY default

-- the tables keep one owner: a superuser installs as the role that owns them
BEGIN;
ALTER TABLE platform.schema_migrations OWNER TO platform_test_stranger;
GRANT USAGE, CREATE ON SCHEMA platform TO platform_test_stranger;
GRANT SELECT ON platform.migrations TO platform_test_stranger;
INSERT INTO platform.migrations (version, module, description, up) VALUES
	(297, 'test_i', 'owner', 'CREATE TABLE platform.test_i (id int)');
SELECT version, action FROM platform.install(ARRAY['test_i']) WHERE version = 297;
SELECT tableowner FROM pg_tables WHERE tablename = 'test_i';
SELECT applied_by = current_user AS by_caller FROM platform.schema_migrations WHERE version = 297;
SELECT current_user = session_user AS restored;
REVOKE CREATE ON SCHEMA platform FROM platform_test_stranger;
SELECT * FROM platform.install();
ROLLBACK;

-- what is gone is made again: defaults, constraints, indexes, columns, row security
BEGIN;
ALTER TABLE platform.member_roles DISABLE ROW LEVEL SECURITY;
ALTER TABLE platform.table_kinds ALTER COLUMN business_keys DROP DEFAULT, ALTER COLUMN kind DROP NOT NULL,
	DROP CONSTRAINT table_kinds_kind_check, DROP COLUMN reason;
SELECT name, passed, detail FROM platform.verify() WHERE NOT passed;
SELECT version, action FROM platform.install(ARRAY['migrate']);
SELECT name, detail FROM platform.verify() WHERE NOT passed;
ROLLBACK;

-- the examples of doc/install.md
SELECT version, module, action FROM platform.install(ARRAY['tenants']);
SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT name, passed, detail FROM platform.verify() WHERE name LIKE '1 migrate: %';
BEGIN;
SELECT version, module, action FROM platform.rollback(510) WHERE module IN ('features', 'tokens');
ROLLBACK;
SELECT version, module, description FROM platform.migration_status() WHERE applied_at IS NULL AND NOT optional;
