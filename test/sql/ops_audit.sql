-- The audit trigger: every change of a row by whatever statement, old and new as to_jsonb() says, secrets masked, append-only
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('40b00000-0000-4000-8000-000000000001', 'Audited') ON CONFLICT DO NOTHING;
\set org '''40b00000-0000-4000-8000-000000000001'''
CREATE FUNCTION pg_temp.attempt(definition text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'CREATE TRIGGER tried ' || definition;
	EXECUTE statement;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
\set ECHO all
BEGIN;
CREATE SCHEMA audited;
CREATE TABLE audited.keys (
	id int PRIMARY KEY, organization_id uuid, label text, api_key text, quota int, tags text[], settings jsonb, updated_at timestamptz);
CREATE TRIGGER keys_touch BEFORE UPDATE ON audited.keys FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE TRIGGER keys_audit AFTER INSERT OR DELETE OR UPDATE ON audited.keys
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('api_key');
CREATE TRIGGER keys_audit_truncate BEFORE TRUNCATE ON audited.keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('api_key');
CREATE TEMP VIEW trail AS
	SELECT action, entity_id AS id, old - 'updated_at' AS old, new - 'updated_at' AS new, changed FROM platform.audit_logs
	WHERE entity = 'audited.keys' ORDER BY audit_logs.id;
INSERT INTO audited.keys VALUES (1, :org, 'one', 'sk_live_1', 10, '{a}', '{"x": [1, {"y": null}]}'), (2, NULL, 'two', NULL, NULL, NULL, NULL);
UPDATE audited.keys SET quota = 11 WHERE id = 1;
UPDATE audited.keys SET api_key = 'sk_live_2', label = 'eins' WHERE id = 1;
-- what changes nothing leaves no entry
UPDATE audited.keys SET label = label;
DELETE FROM audited.keys WHERE id = 2;
SELECT * FROM trail;
-- no secret anywhere
SELECT count(*) FROM platform.audit_logs WHERE entity = 'audited.keys' AND (old::text || new::text) LIKE '%sk\_live%';
-- whose, who, when
SELECT DISTINCT organization_id, actor_id, actor, role_name = current_user AS role, created_at >= now() AND created_at <= clock_timestamp() AS in_time
FROM platform.audit_logs WHERE entity = 'audited.keys' ORDER BY 1;
SELECT platform.set_context(:org, '40b00000-0000-4000-8000-0000000000a1');
UPDATE audited.keys SET quota = 12;
SELECT platform.set_context(:org, 'Ann');
UPDATE audited.keys SET quota = 13;
SELECT platform.set_context(NULL);
SELECT new -> 'quota' AS quota, actor_id, actor FROM platform.audit_logs WHERE entity = 'audited.keys' AND actor IS NOT NULL ORDER BY id;
-- the role that acts is told also through an owner's function
CREATE FUNCTION audited.by_owner() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'UPDATE audited.keys SET quota = 14';
GRANT USAGE ON SCHEMA audited TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT audited.by_owner();
RESET ROLE;
SELECT role_name FROM platform.audit_logs WHERE entity = 'audited.keys' ORDER BY id DESC LIMIT 1;

-- rolled back: the entries go with the rows
SELECT count(*) AS before FROM trail \gset
SAVEPOINT s;
UPDATE audited.keys SET quota = 99;
INSERT INTO audited.keys VALUES (99);
SELECT count(*) - :before AS inside FROM trail;
ROLLBACK TO s;
SELECT count(*) - :before AS after FROM trail;
-- COPY
COPY audited.keys (id, label, api_key) FROM stdin;
10	copied	sk_live_10
11	copied	sk_live_11
\.
SELECT * FROM trail OFFSET :before;
-- MERGE, ON CONFLICT, a data-modifying WITH: an entry a row that changed
SELECT count(*) AS before FROM trail \gset
MERGE INTO audited.keys k USING (VALUES (10, 'merged'), (12, 'merged in'), (11, NULL)) AS v (id, label) ON k.id = v.id
WHEN MATCHED AND v.label IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET label = v.label
WHEN NOT MATCHED THEN INSERT (id, label) VALUES (v.id, v.label);
INSERT INTO audited.keys (id, label) VALUES (10, 'upserted'), (13, 'new') ON CONFLICT (id) DO UPDATE SET label = excluded.label;
WITH gone AS (DELETE FROM audited.keys WHERE id = 13 RETURNING *) UPDATE audited.keys SET quota = 1 WHERE id = 12;
SELECT action, id, changed FROM trail OFFSET :before;
-- TRUNCATE: an entry for each row, and one for all
SELECT count(*) AS before FROM trail \gset
SELECT count(*) AS rows FROM audited.keys;
TRUNCATE audited.keys;
SELECT action, id, old -> 'label' AS label, new, changed FROM trail OFFSET :before;
SELECT metadata FROM platform.audit_logs WHERE entity = 'audited.keys' AND action = 'TRUNCATE' AND entity_id IS NULL;
-- many rows of one statement, in their order, also with large values: all are there when it is over
SELECT count(*) AS before FROM trail \gset
INSERT INTO audited.keys (id, quota) SELECT i, 0 FROM generate_series(1, 350) i;
SELECT count(*) AS entries, bool_and(id = n::text) AS in_order FROM (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM trail OFFSET :before) AS t) AS t;
UPDATE audited.keys SET label = (SELECT string_agg(md5((id * 1000 + i)::text), '') FROM generate_series(1, 400) i) WHERE id <= 250;
SELECT count(*) AS entries, count(DISTINCT new ->> 'label') AS labels, bool_and(l.new ->> 'label' = k.label) AS whole FROM platform.audit_logs l JOIN audited.keys k ON k.id::text = l.entity_id
WHERE l.entity = 'audited.keys' AND l.action = 'UPDATE' AND l.changed @> '{label}' AND length(l.new ->> 'label') > 10000;
-- a trigger that changes other audited rows, and one of these changes fails and is caught: each statement has its own, and what failed has none
CREATE FUNCTION audited.cascade() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	seen bigint;
BEGIN
	UPDATE audited.keys SET tags = '{seen}' WHERE id = NEW.id + 1000;
	SELECT count(*) INTO seen FROM platform.audit_logs WHERE entity = 'audited.keys' AND entity_id = (NEW.id + 1000)::text AND changed @> '{tags}';
	BEGIN
		UPDATE audited.keys SET tags = '{failed}' WHERE id BETWEEN 1001 AND 1003;
		PERFORM 1 / 0;
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	IF seen <> 1 THEN
		RAISE 'the inner statement''s entry is not there: %', seen;
	END IF;
	RETURN NULL;
END $$;
INSERT INTO audited.keys (id) SELECT 1000 + i FROM generate_series(1, 150) i;
CREATE TRIGGER keys_cascade AFTER UPDATE OF quota ON audited.keys FOR EACH ROW EXECUTE FUNCTION audited.cascade();
SELECT count(*) AS before FROM trail \gset
UPDATE audited.keys SET quota = 7 WHERE id <= 150;
SELECT changed, count(*), count(DISTINCT id) AS rows FROM (SELECT * FROM trail OFFSET :before) AS t GROUP BY changed ORDER BY changed;
-- a statement that fails after many rows leaves nothing
SELECT count(*) AS before FROM trail \gset
SAVEPOINT many;
UPDATE audited.keys SET quota = 8, id = CASE WHEN id = 1140 THEN 1141 ELSE id END WHERE id > 1000;
ROLLBACK TO many;
SELECT count(*) - :before AS after FROM trail;
-- nor does one that another trigger stops, and the next one's are its own
CREATE FUNCTION audited.stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 1140 THEN RAISE 'stopped'; END IF; RETURN NULL; END $$;
CREATE TRIGGER keys_stop AFTER UPDATE OF settings ON audited.keys FOR EACH ROW EXECUTE FUNCTION audited.stop();
SAVEPOINT many;
UPDATE audited.keys SET settings = '{}' WHERE id > 1000;
ROLLBACK TO many;
UPDATE audited.keys SET settings = '{}' WHERE id = 1001;
SELECT count(*) - :before AS after FROM trail;
-- a function, a data-modifying WITH inside a SELECT
CREATE FUNCTION audited.renew() RETURNS bigint LANGUAGE sql AS $$
	UPDATE audited.keys SET label = 'renewed' WHERE id BETWEEN 1001 AND 1120;
	SELECT count(*) FROM platform.audit_logs WHERE entity = 'audited.keys' AND new ->> 'label' = 'renewed' $$;
SELECT audited.renew();
WITH u AS (UPDATE audited.keys SET label = 'again' WHERE id BETWEEN 1001 AND 1120 RETURNING id) SELECT count(*) FROM u;
SELECT count(*) FROM trail WHERE new ->> 'label' = 'again';
TRUNCATE audited.keys;
-- nobody changes the trail, its owner included
\set VERBOSITY sqlstate
SAVEPOINT e;
UPDATE platform.audit_logs SET actor = 'somebody else';
ROLLBACK TO e;
DELETE FROM platform.audit_logs;
ROLLBACK TO e;
TRUNCATE platform.audit_logs;
ROLLBACK TO e;
TRUNCATE platform.audit_logs_default;
ROLLBACK TO e;
SELECT platform.set_context(:org, 'Ann', 'owner');
SET LOCAL ROLE platform_test_member;
SELECT * FROM platform.audit_logs;
ROLLBACK TO e;
SET LOCAL ROLE platform_test_member;
INSERT INTO platform.audit_logs (action) VALUES ('forged');
ROLLBACK TO e;
SET LOCAL ROLE platform_test_member;
SELECT platform.audit_log(:org, 'forged');
ROLLBACK TO e;
\set VERBOSITY default
ROLLBACK;

-- the same as to_jsonb(), for whatever type
BEGIN;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN short AS text CHECK (length(value) < 10);
CREATE DOMAIN money_cents AS bigint;
CREATE TABLE types (
	k1 int, "K 2" text, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, t text, v varchar(10), c char(5), "n m" name, u uuid,
	d date, tz timestamptz, ts timestamp, ti time, iv interval, j json, jb jsonb, jb2 jsonb, a int[], aa text[][], p pair, pa pair[], r int4range,
	by bytea, ip inet, s short, mc money_cents, x xid8, g int GENERATED ALWAYS AS (k1 * 2) STORED, gone text, PRIMARY KEY ("K 2", k1));
ALTER TABLE types DROP COLUMN gone;
CREATE TRIGGER types_audit AFTER INSERT OR UPDATE OR DELETE ON types FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
INSERT INTO types VALUES (1, 'a:b', true, -1, 9223372036854775807, 1.5, 'NaN', 1.50, E'q"\\\t\u00e9', 'v', 'c', 'n', '40b00000-0000-4000-8000-000000000001',
	'2024-02-29', '2024-02-29 12:34:56.789+02', 'infinity', '23:59', '1 mon 2 days', '{"z": 1, "a": {"b": [1]}}', '{"z": 1, "a": {"b": [1, {}, []]}}', '"scalar"',
	'{1,NULL,3}', '{{a,b},{c,NULL}}', (1, 'x'), ARRAY[(2, NULL)::pair], '[1,5)', '\xdead', '10.0.0.1/8', 'short', 5, '7');
INSERT INTO types (k1, "K 2", n, f8, tz, jb, jb2) VALUES (2, '', 'Infinity', 0, '-infinity', '[]', 'null'), (3, 'x', 'NaN', -0.0, '4713-01-01 BC', '{}', '[{"a": [[]]}]');
SELECT entity_id, new = to_jsonb(whole) AS same FROM types whole JOIN platform.audit_logs l ON l.entity = 'public.types' AND l.entity_id = format('%s:%s', "K 2", k1) ORDER BY k1;
SELECT jsonb_pretty(new) FROM platform.audit_logs WHERE entity = 'public.types' AND entity_id = ':2';
-- in another time zone and of a value kept out of line
SET LOCAL timezone = 'Asia/Kolkata';
UPDATE types SET t = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i), tz = tz WHERE k1 = 1;
SELECT changed, new = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(whole)) WHERE key = ANY (changed)) AS same, length(new ->> 't') FROM types whole JOIN platform.audit_logs l ON l.entity = 'public.types' AND l.entity_id = 'a:b:1' AND l.action = 'UPDATE' WHERE k1 = 1 ORDER BY l.id DESC LIMIT 1;
UPDATE types SET i2 = 5 WHERE k1 = 1;
SELECT changed, new = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(whole)) WHERE key = ANY (changed)) AS same, length(new ->> 't') FROM types whole JOIN platform.audit_logs l ON l.entity = 'public.types' AND l.entity_id = 'a:b:1' AND l.action = 'UPDATE' WHERE k1 = 1 ORDER BY l.id DESC LIMIT 1;
UPDATE types SET t = t || '' WHERE k1 = 1;
SELECT count(*) FROM platform.audit_logs WHERE entity = 'public.types' AND action = 'UPDATE';
-- 1.5 and 1.50 are not the same text
UPDATE types SET n = 1.5 WHERE k1 = 1;
SELECT changed, old -> 'n' AS old, new -> 'n' AS new FROM platform.audit_logs WHERE entity = 'public.types' AND action = 'UPDATE' ORDER BY id DESC LIMIT 1;
-- a table without a primary key; a partitioned one, whose rows move
CREATE TABLE plain (a int);
CREATE TRIGGER plain_audit AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
INSERT INTO plain VALUES (1);
CREATE TABLE tokens (token text PRIMARY KEY);
CREATE TRIGGER tokens_audit AFTER INSERT ON tokens FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('token');
INSERT INTO tokens VALUES ('secret');
CREATE TABLE parted (id int, part text, PRIMARY KEY (part, id)) PARTITION BY LIST (part);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b (part text NOT NULL, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES IN ('b');
CREATE TRIGGER parted_audit AFTER INSERT OR UPDATE OR DELETE ON parted FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE TRIGGER parted_audit_truncate BEFORE TRUNCATE ON parted FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
INSERT INTO parted VALUES (1, 'a'), (2, 'b');
UPDATE parted SET part = 'b' WHERE id = 1;
TRUNCATE parted;
SELECT entity, action, entity_id, old, new, metadata FROM platform.audit_logs WHERE entity IN ('public.plain', 'public.tokens', 'public.parted') ORDER BY id;
-- the history of one row, and the row at moments that it tells
CREATE TABLE kept (id int PRIMARY KEY, a text, b text, c text);
INSERT INTO kept VALUES (1, 'a0', 'b0', 'c0'), (2, 'a0', 'b0', 'c0');
CREATE TRIGGER kept_audit AFTER INSERT OR UPDATE OR DELETE ON kept FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE TEMP TABLE moments (name text, id int, at timestamptz, seen jsonb);
CREATE FUNCTION pg_temp.remember(name text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO moments SELECT name, i, clock_timestamp(), (SELECT to_jsonb(k) FROM kept k WHERE k.id = i) FROM generate_series(1, 4) i $$;
INSERT INTO kept VALUES (3, 'a0', 'b0', NULL);
SELECT pg_temp.remember('first');
UPDATE kept SET a = 'a1' WHERE id IN (1, 3);
SELECT pg_temp.remember('a changed');
UPDATE kept SET a = 'a2', b = 'b1' WHERE id <> 2;
DELETE FROM kept WHERE id IN (2, 3);
SELECT pg_temp.remember('two deleted');
INSERT INTO kept VALUES (3, 'again', NULL, NULL), (4, 'late', NULL, NULL);
SELECT pg_temp.remember('back');
SELECT action, changed, old, new FROM platform.audit_history('public.kept', '3');
SELECT count(*) FROM platform.audit_history('public.kept', '3', "to" => (SELECT at FROM moments WHERE name = 'a changed' AND id = 3));
SELECT name, id, seen, CASE WHEN platform.audit_row_at('public.kept', id::text, at) = seen OR (seen IS NULL AND platform.audit_row_at('public.kept', id::text, at) IS NULL)
	THEN 'the same' ELSE platform.audit_row_at('public.kept', id::text, at)::text END AS told FROM moments ORDER BY id, at;
SELECT platform.audit_row_at('public.kept', 'nothing', now());
-- which tables are audited
SELECT table_name, changes, truncate, secrets FROM platform.audited_tables WHERE table_name::text IN ('kept', 'tokens', 'parted', 'platform.users') ORDER BY table_name::text COLLATE "C";

ROLLBACK;

-- attached wrongly
CREATE TEMP TABLE notes (id int PRIMARY KEY, body text);
SELECT pg_temp.attempt('BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION platform.audit_changes()', 'INSERT INTO notes VALUES (1); UPDATE notes SET body = 1');
SELECT pg_temp.attempt('AFTER INSERT ON notes FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes()', 'INSERT INTO notes VALUES (1)');
SELECT pg_temp.attempt('AFTER TRUNCATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes()', 'TRUNCATE notes');
SELECT pg_temp.attempt('AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION platform.audit_changes(''secret'')', 'INSERT INTO notes VALUES (1)');
SELECT platform.audit_changes();

-- entries by hand
BEGIN;
SELECT platform.set_context(:org, '40b00000-0000-4000-8000-0000000000a1');
SELECT platform.audit_log(:org, 'data_export', 'leads', NULL, '{"rows": 1200}', '40b00000-0000-4000-8000-0000000000a2', 'export', '203.0.113.7', 'curl') IS NOT NULL;
SELECT platform.audit_log(NULL, 'impersonation_started') IS NOT NULL;
SELECT organization_id, action, action_type, entity, metadata, user_id, actor_id, ip, user_agent, created_at BETWEEN now() AND clock_timestamp() AS in_time
FROM platform.audit_logs WHERE actor_id = '40b00000-0000-4000-8000-0000000000a1' ORDER BY id;
\set VERBOSITY sqlstate
SAVEPOINT e;
SELECT platform.audit_log(:org, NULL);
ROLLBACK TO e;
SELECT platform.audit_log(:org, '');
ROLLBACK TO e;
SELECT platform.audit_log(:org, 'x', metadata => '3');
ROLLBACK TO e;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.audit_log(:org, 'x');
ROLLBACK;
