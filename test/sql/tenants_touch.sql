-- touch_updated_at: changed rows get the transaction's time, unchanged ones keep theirs, whatever the table looks like.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
CREATE TABLE touched (
	id integer PRIMARY KEY, name text, note text, n smallint,
	updated_at timestamptz NOT NULL DEFAULT '2020-01-01', last text DEFAULT 'end');
CREATE TRIGGER touched_touch BEFORE UPDATE ON touched
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
INSERT INTO touched (id, name, n) VALUES (1, 'one', 1), (2, repeat('x', 3000), NULL), (3, NULL, NULL);
-- a change
UPDATE touched SET name = 'uno' WHERE id = 1 RETURNING id, name, note, n, updated_at = now() AS now, last;
-- to and from null: the tuple has another shape
UPDATE touched SET name = NULL, note = 'n', n = 7 WHERE id = 1 RETURNING name, note, n, updated_at = now() AS now, last;
UPDATE touched SET note = repeat('y', 100000) WHERE id = 2 RETURNING length(name) AS name, length(note) AS note, updated_at = now() AS now, last;
-- nothing changes: the time stays
UPDATE touched SET name = name WHERE id = 3 RETURNING updated_at;
UPDATE touched SET updated_at = '2020-01-01' WHERE id = 1 RETURNING updated_at = now() AS now;
-- a time that the statement gives is not kept
UPDATE touched SET updated_at = '1999-01-01' WHERE id = 3 RETURNING updated_at = now() AS now;
-- no clock of the statement: the transaction's start
SELECT DISTINCT updated_at = now() AS now FROM touched;
-- the value is the same in the heap, in RETURNING, and in an index
CREATE INDEX ON touched (updated_at);
UPDATE touched SET updated_at = '2001-01-01', n = 9;
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM touched WHERE updated_at = now();
SELECT count(*) FROM touched WHERE updated_at < now();
RESET enable_seqscan;
-- a WHEN clause takes the row apart before the trigger writes into it
CREATE OR REPLACE TRIGGER touched_touch BEFORE UPDATE ON touched
	FOR EACH ROW WHEN (NEW.last IS NOT NULL AND NEW.updated_at IS NOT NULL) EXECUTE FUNCTION platform.touch_updated_at();
ALTER TABLE touched DISABLE TRIGGER touched_touch;
UPDATE touched SET updated_at = '2020-01-01';
ALTER TABLE touched ENABLE TRIGGER touched_touch;
UPDATE touched SET n = id WHERE id = 1 RETURNING n, updated_at = now() AS now, last;
SET LOCAL enable_seqscan = off;
SELECT id FROM touched WHERE updated_at = now();
RESET enable_seqscan;
-- other triggers before and after it
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := upper(NEW.name); NEW.last := NEW.updated_at = now(); RETURN NEW; END$$;
CREATE TRIGGER a_shout BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION shout();
CREATE TRIGGER z_shout BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION shout();
UPDATE touched SET name = 'abc', updated_at = '2020-01-01' WHERE id = 1 RETURNING name, updated_at = now() AS now, last;
DROP TRIGGER a_shout ON touched;
DROP TRIGGER z_shout ON touched;
-- ON CONFLICT and MERGE
ALTER TABLE touched DISABLE TRIGGER touched_touch;
UPDATE touched SET updated_at = '2020-01-01';
ALTER TABLE touched ENABLE TRIGGER touched_touch;
INSERT INTO touched (id, name) VALUES (1, 'again') ON CONFLICT (id) DO UPDATE SET name = excluded.name
	RETURNING name, updated_at = now() AS now;
MERGE INTO touched t USING (VALUES (2, 'merged')) AS s (id, name) ON t.id = s.id
	WHEN MATCHED THEN UPDATE SET name = s.name;
SELECT id, updated_at = now() AS now FROM touched ORDER BY id;
-- a column added later, another added and dropped before it
ALTER TABLE touched DROP COLUMN note;
ALTER TABLE touched ADD COLUMN changed_at timestamptz DEFAULT '2020-01-01';
CREATE TRIGGER touched_changed BEFORE UPDATE ON touched
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at('changed_at');
UPDATE touched SET n = 5 WHERE id = 3 RETURNING n, updated_at = now() AS now, changed_at = now() AS changed_now;
-- null becomes the time
UPDATE touched SET changed_at = NULL WHERE id = 3 RETURNING changed_at = now() AS changed_now;
-- timestamp without time zone, in the session's zone
CREATE TABLE plain (id integer, updated_at timestamp, a text);
INSERT INTO plain VALUES (1, NULL), (2, '2020-01-01');
CREATE TRIGGER plain_touch BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
UPDATE plain SET a = 'b' RETURNING id, updated_at = now()::timestamp AS now;
-- generated columns are computed from the new time
CREATE TABLE derived (id integer, updated_at timestamptz DEFAULT '2020-01-01', recent boolean GENERATED ALWAYS AS (updated_at > '2021-01-01 00:00+00') STORED);
CREATE TRIGGER derived_touch BEFORE UPDATE ON derived FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
INSERT INTO derived (id) VALUES (1);
UPDATE derived SET id = 2 RETURNING updated_at = now() AS now, recent;
-- partitions, and a row that moves to another
CREATE TABLE parted (id integer, p integer, updated_at timestamptz DEFAULT '2020-01-01') PARTITION BY LIST (p);
CREATE TABLE parted_1 (updated_at timestamptz, extra text, p integer, id integer);
ALTER TABLE parted_1 DROP COLUMN extra;
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
CREATE TRIGGER parted_touch BEFORE UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
INSERT INTO parted VALUES (1, 1), (2, 2);
UPDATE parted SET id = id + 10 WHERE id = 1;
UPDATE parted SET p = 1 WHERE id = 2;
SELECT tableoid::regclass, id, p, updated_at = now() AS now FROM parted ORDER BY id;
-- many rows in one statement
INSERT INTO touched (id, name) SELECT i, 'row ' || i FROM generate_series(10, 2000) i;
UPDATE touched SET n = CASE WHEN id % 2 = 0 THEN 1 END WHERE id >= 10;
SELECT id % 2 AS odd, updated_at = now() AS now, count(*) FROM touched WHERE id >= 10 GROUP BY 1, 2 ORDER BY 1;
-- called otherwise than it expects
SELECT platform.touch_updated_at();
CREATE TABLE wrong (id integer, updated_at date);
CREATE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
INSERT INTO wrong VALUES (1);
CREATE OR REPLACE TRIGGER wrong AFTER INSERT OR UPDATE ON wrong FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
INSERT INTO wrong VALUES (1);
DROP TRIGGER wrong ON wrong;
INSERT INTO wrong VALUES (1);
CREATE TRIGGER wrong BEFORE UPDATE ON wrong FOR EACH STATEMENT EXECUTE FUNCTION platform.touch_updated_at();
UPDATE wrong SET id = 2;
DROP TRIGGER wrong ON wrong;
CREATE TRIGGER wrong BEFORE UPDATE ON wrong FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
UPDATE wrong SET id = 2;
CREATE OR REPLACE TRIGGER wrong BEFORE UPDATE ON wrong FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at('nowhere');
UPDATE wrong SET id = 2;
CREATE OR REPLACE TRIGGER wrong BEFORE UPDATE ON wrong FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at('a', 'b');
UPDATE wrong SET id = 2;
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
INSERT INTO wrong VALUES (1);
SELECT platform.invalidate_cache();
ROLLBACK;
