-- rollback(): undoes in reverse, down to a version or to nothing, and install() begins anew
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

BEGIN;
INSERT INTO platform.migrations (version, module, description, up, down) VALUES
	(9001, 'test_a', 'one', 'CREATE TABLE platform.test_a (id int)', 'DROP TABLE platform.test_a'),
	(9002, 'test_a', 'two', 'ALTER TABLE platform.test_a ADD COLUMN IF NOT EXISTS n int', 'ALTER TABLE platform.test_a DROP COLUMN n'),
	(9003, 'test_a', 'no way back', 'COMMENT ON TABLE platform.test_a IS ''test''', '');
SELECT version, action FROM platform.install(ARRAY['test_a']) WHERE version > 9000;
SAVEPOINT installed;

-- a step without a way back stops it, whole
SELECT version, module, action FROM platform.rollback(9001);
ROLLBACK TO installed;
UPDATE platform.migrations SET down = 'COMMENT ON TABLE platform.test_a IS NULL' WHERE version = 9003;
SELECT version, module, action, duration IS NOT NULL AS run FROM platform.rollback(9001);
SELECT version FROM platform.schema_migrations WHERE version > 9000;
SELECT attname FROM pg_attribute WHERE attrelid = 'platform.test_a'::regclass AND attnum > 0 AND NOT attisdropped;
-- twice: nothing left to do
SELECT version, module, action FROM platform.rollback(9001);

-- targets
SAVEPOINT target;
SELECT * FROM platform.rollback(9002);
ROLLBACK TO target;
SELECT * FROM platform.rollback(-1);
ROLLBACK TO target;
SELECT * FROM platform.rollback(NULL);

-- a step of a newer library
INSERT INTO platform.schema_migrations (version, module, library_version) VALUES (9009, 'test_new', '9.9');
SELECT name, passed, detail FROM platform.verify() WHERE NOT passed;
SELECT version, module, description FROM platform.migration_status() WHERE version = 9009;
SELECT * FROM platform.rollback(9001);
ROLLBACK;

-- everything, and again
BEGIN;
SELECT count(*) > 0 AS steps, bool_and(action = 'rolled back') AS rolled_back FROM platform.rollback(0);
SELECT relname FROM pg_class c WHERE relnamespace = 'platform'::regnamespace AND relkind IN ('r', 'v', 'S')
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname;
SELECT bool_or(applied_at IS NOT NULL) AS applied FROM platform.migration_status();
SAVEPOINT nothing;
SELECT * FROM platform.verify();
ROLLBACK TO nothing;
SELECT * FROM platform.rollback(1);
ROLLBACK TO nothing;
SELECT count(*) > 0 AS steps, bool_and(action = 'applied') AS applied FROM platform.install();
SELECT name, detail FROM platform.verify() WHERE NOT passed;
ROLLBACK;
