-- verify(): a row a check, structure and data; a failed check is a row and never an error
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT name, passed, detail FROM platform.verify() WHERE name LIKE '1 migrate: %';

BEGIN;
INSERT INTO platform.migrations (version, module, description, up, down, checks) VALUES
	(9001, 'test_a', 'tables', $$
CREATE TABLE IF NOT EXISTS platform.test_a (
	id integer NOT NULL,
	name text DEFAULT 'x',
	price numeric(6,2),
	CONSTRAINT test_a_pkey PRIMARY KEY (id),
	CONSTRAINT test_a_name_key UNIQUE (name),
	CONSTRAINT test_a_price_check CHECK (price > 0)
);
CREATE TABLE IF NOT EXISTS platform.test_b (a_id integer, old integer, renamed integer);
CREATE INDEX IF NOT EXISTS test_b_a_id_idx ON platform.test_b (a_id);
CREATE INDEX IF NOT EXISTS test_b_expr_idx ON platform.test_b ((a_id + 1));
$$, 'DROP TABLE platform.test_b, platform.test_a', $$
-- check: prices are whole
SELECT id, name FROM platform.test_a WHERE price <> round(price);
-- check: broken on purpose
SELECT a_id FROM platform.test_b GROUP BY a_id HAVING 1 / (count(*) - 1) > 0
$$),
	(9501, 'test_a', 'wiring', $$
ALTER TABLE platform.test_a ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS test_a_member_select ON platform.test_a;
CREATE POLICY test_a_member_select ON platform.test_a FOR SELECT USING (true);
CREATE OR REPLACE TRIGGER test_a_touch BEFORE UPDATE ON platform.test_a
	FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
CREATE OR REPLACE TRIGGER test_a_always BEFORE UPDATE ON platform.test_a
	FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
ALTER TABLE platform.test_a ENABLE ALWAYS TRIGGER test_a_always;
ALTER TABLE platform.test_b DROP CONSTRAINT IF EXISTS test_b_a_id_fkey;
ALTER TABLE platform.test_b ADD CONSTRAINT test_b_a_id_fkey FOREIGN KEY (a_id) REFERENCES platform.test_a (id);
CREATE OR REPLACE VIEW platform.test_v WITH (security_invoker = true) AS SELECT id FROM platform.test_a;
$$, 'DROP VIEW platform.test_v', ''),
	(9502, 'test_a', 'later changes count', $$
ALTER TABLE platform.test_b DROP COLUMN IF EXISTS old;
ALTER TABLE platform.test_b RENAME COLUMN renamed TO renewed;
ALTER TABLE platform.test_a ALTER COLUMN price TYPE numeric(8,2), ALTER COLUMN name SET NOT NULL;
DROP INDEX IF EXISTS platform.test_b_expr_idx;
$$, 'SELECT 1', '');
SELECT version, action FROM platform.install(ARRAY['test_a']) WHERE version > 9000;
SELECT version, action FROM platform.install(ARRAY['test_a']) WHERE version > 9000;
-- a check that cannot run says why; one that finds no row passes
SELECT * FROM platform.verify() WHERE name LIKE '%test_a%';

INSERT INTO platform.test_a VALUES (1, 'secret one', 1.5), (2, 'secret two', 2.5);
INSERT INTO platform.test_b VALUES (1);
SELECT * FROM platform.verify() WHERE name LIKE '%: prices are whole' OR name LIKE '%: broken on purpose';

ALTER TABLE platform.test_a DROP CONSTRAINT test_a_name_key, DROP CONSTRAINT test_a_price_check,
	ALTER COLUMN price TYPE double precision, ALTER COLUMN name DROP DEFAULT, DISABLE ROW LEVEL SECURITY;
ALTER TABLE platform.test_a DISABLE TRIGGER test_a_touch, ENABLE TRIGGER test_a_always;
ALTER TABLE platform.test_b DROP CONSTRAINT test_b_a_id_fkey;
ALTER TABLE platform.test_b ADD CONSTRAINT test_b_a_id_fkey FOREIGN KEY (a_id) REFERENCES platform.test_a (id) NOT VALID;
DROP POLICY test_a_member_select ON platform.test_a;
DROP INDEX platform.test_b_a_id_idx;
CREATE INDEX test_b_a_id_idx ON platform.test_b (renewed);
DROP VIEW platform.test_v;
SELECT * FROM platform.verify() WHERE name LIKE '%test_a: test%';
-- install() repairs all of it and no row is lost
SELECT version, action FROM platform.install(ARRAY['test_a']) WHERE version > 9000;
SELECT * FROM platform.verify() WHERE name LIKE '%test_a: test%';
SELECT id, name, price FROM platform.test_a ORDER BY id;

-- many faults in one table: the first five and a count
SAVEPOINT whole;
ALTER TABLE platform.table_kinds DROP COLUMN kind, DROP COLUMN business_keys, DROP COLUMN reason,
	DROP CONSTRAINT table_kinds_pkey, DISABLE ROW LEVEL SECURITY;
SELECT detail FROM platform.verify() WHERE name = '1 migrate: table_kinds';
-- a column that cannot be filled is said
SELECT * FROM platform.install();
ROLLBACK TO whole;
DROP TABLE platform.test_b;
SELECT name, detail FROM platform.verify() WHERE name LIKE '%test_b';
-- a table that is gone comes back as the later steps left it
SELECT version, action FROM platform.install(ARRAY['test_a']);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'platform.test_b'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT conname FROM pg_constraint WHERE conrelid = 'platform.test_b'::regclass;
-- what cannot be mended is said
ALTER TABLE platform.test_b DROP COLUMN renewed;
SELECT version, action FROM platform.install(ARRAY['test_a']) WHERE action <> 'present';
SELECT name, detail FROM platform.verify() WHERE NOT passed;
ROLLBACK;
