-- touch_updated_at and invalidate_cache: what they do, and how they refuse to be attached wrongly.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
CREATE TABLE notes (id int PRIMARY KEY, body text, updated_at timestamptz, changed timestamp, other text);
INSERT INTO notes VALUES (1, 'one', '2020-01-01', '2020-01-01'), (2, 'two', '2020-01-01', '2020-01-01');
CREATE TRIGGER notes_touch BEFORE UPDATE ON notes
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE TRIGGER notes_touch_changed BEFORE UPDATE ON notes
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at('changed');
-- the row that changes is touched, with the start of the transaction; the one that stays the same is not
UPDATE notes SET body = 'one' WHERE id = 1;
UPDATE notes SET body = 'zwei' WHERE id = 2;
SELECT id, body, updated_at = now() AS touched, changed = now()::timestamp AS touched_changed FROM notes ORDER BY id;
-- what the statement itself says is overruled
UPDATE notes SET body = 'drei', updated_at = '1999-01-01' WHERE id = 2;
SELECT updated_at = now() AS touched FROM notes WHERE id = 2;
ROLLBACK;
-- refused
CREATE TEMP TABLE notes (id int PRIMARY KEY, body text, updated_at text);
INSERT INTO notes VALUES (1, 'one');
CREATE FUNCTION pg_temp.attempt(definition text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'CREATE TRIGGER notes_try ' || definition;
	EXECUTE statement;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT pg_temp.attempt('AFTER UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at()', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at()', 'INSERT INTO notes VALUES (2)');
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION platform.touch_updated_at()', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at()', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at(''missing'')', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at(''body'', ''id'')', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache()', 'UPDATE notes SET body = id');
SELECT pg_temp.attempt('AFTER UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache()', 'UPDATE notes SET body = id');
DROP TRIGGER notes_try ON notes;
SELECT pg_temp.attempt('AFTER TRUNCATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache()', 'TRUNCATE notes');
DROP TABLE notes;
-- called without a trigger
SELECT platform.touch_updated_at();
