-- What a transition writes into a row: nothing but moments, duration and status, whatever else is in the row, in tables of our layout and of another
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
-- the columns of calls in two orders, one with a column dropped, one with all moments required
CREATE TEMP TABLE ours (LIKE platform.calls INCLUDING DEFAULTS);
CREATE TEMP TABLE dropped (gone integer, LIKE platform.calls INCLUDING DEFAULTS);
ALTER TABLE dropped DROP COLUMN gone;
CREATE TEMP TABLE required (LIKE platform.calls INCLUDING DEFAULTS);
ALTER TABLE required ALTER COLUMN started_at SET NOT NULL, ALTER COLUMN started_at SET DEFAULT now();
SELECT format('CREATE TEMP TABLE reversed (%s)', string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum DESC))
FROM pg_attribute WHERE attrelid = 'platform.calls'::regclass AND attnum > 0 AND NOT attisdropped \gexec
-- every column is there or not at random, some texts are long enough to be stored apart
SELECT setseed(0.25) \g /dev/null
CREATE TEMP TABLE sample AS SELECT i AS n, platform.uuid7() AS id,
	CASE WHEN random() < 0.5 THEN now() - interval '1 hour' END AS deleted_at,
	CASE WHEN random() < 0.5 THEN gen_random_uuid() END AS chatbot_id,
	CASE WHEN random() < 0.5 THEN 'sid ' || repeat('x', (random() * 200)::int) END AS call_sid,
	CASE WHEN random() < 0.5 THEN (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, (random() * 400)::int) j) END AS summary,
	CASE WHEN random() < 0.5 THEN repeat('long ', 1000) END AS notes,
	CASE WHEN random() < 0.5 THEN 1 + (random() * 4)::int END AS call_quality,
	CASE WHEN random() < 0.5 THEN (random() * 100)::int END AS sentiment_score,
	CASE WHEN random() < 0.5 THEN now() END AS disposition_set_at,
	CASE WHEN random() < 0.5 THEN gen_random_uuid() END AS consent_verified_by,
	CASE WHEN random() < 0.5 THEN now() END AS consent_verified_at,
	CASE WHEN random() < 0.3 THEN now() - interval '2 hours' END AS started_at,
	CASE WHEN random() < 0.3 THEN now() - interval '90 min' END AS answered_at,
	CASE WHEN random() < 0.2 THEN now() - interval '1 min' END AS ended_at,
	(ARRAY['pending', 'ringing', 'in_progress'])[1 + (random() * 2)::int] AS status
FROM generate_series(1, 150) i;
CREATE FUNCTION pg_temp.seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO after_row VALUES (TG_TABLE_NAME, NEW.id, to_jsonb(NEW));
	RETURN NULL;
END $$;
CREATE TEMP TABLE after_row (table_name text, id uuid, row jsonb);
CREATE TEMP TABLE before_row (table_name text, id uuid, row jsonb);
CREATE TEMP TABLE returned (table_name text, id uuid, row jsonb);
SELECT format('INSERT INTO %1$I (id, organization_id, created_at, updated_at, source, direction, deleted_at, chatbot_id, call_sid, summary, notes, call_quality, sentiment_score, disposition_set_at, consent_verified_by, consent_verified_at, started_at, answered_at, ended_at, status)
	SELECT id, %2$L, ''2026-01-01'', ''2026-01-01'', ''web'', ''inbound'', deleted_at, chatbot_id, call_sid, summary, notes, call_quality, sentiment_score, disposition_set_at, consent_verified_by, consent_verified_at, CASE WHEN %1$L = ''required'' THEN coalesce(started_at, now()) ELSE started_at END, answered_at, ended_at, status FROM sample;
	CREATE TRIGGER guard BEFORE UPDATE ON %1$I FOR EACH ROW EXECUTE FUNCTION platform.check_call();
	CREATE TRIGGER seen AFTER UPDATE ON %1$I FOR EACH ROW EXECUTE FUNCTION pg_temp.seen();
	INSERT INTO before_row SELECT %1$L, id, to_jsonb(t) FROM %1$I t;
	WITH moved AS (UPDATE %1$I t SET status = CASE t.status WHEN ''pending'' THEN ''ringing'' WHEN ''ringing'' THEN ''in_progress'' ELSE ''completed'' END RETURNING t.*)
	INSERT INTO returned SELECT %1$L, id, to_jsonb(m) FROM moved m', name, '00000000-0000-0000-0000-000000000000')
FROM unnest('{ours,dropped,required,reversed}'::text[]) name \gexec
\set ECHO all

-- all rows were moved, and nothing else was changed
SELECT b.table_name, count(*) AS rows, count(*) FILTER (WHERE b.row - '{status,started_at,answered_at,ended_at,duration,updated_at}'::text[] = r.row - '{status,started_at,answered_at,ended_at,duration,updated_at}'::text[]) AS same,
	count(*) FILTER (WHERE (r.row ->> 'updated_at')::timestamptz = now()) AS touched
FROM before_row b JOIN returned r USING (table_name, id) GROUP BY 1 ORDER BY min(b.table_name) COLLATE "C";
-- what was returned, what a trigger saw and what is stored are the same
SELECT count(*) AS rows, count(*) FILTER (WHERE r.row = a.row) AS seen FROM returned r JOIN after_row a USING (table_name, id);
SELECT (SELECT count(*) FROM ours t JOIN returned r USING (id) WHERE r.table_name = 'ours' AND to_jsonb(t) = r.row) AS ours,
	(SELECT count(*) FROM dropped t JOIN returned r USING (id) WHERE r.table_name = 'dropped' AND to_jsonb(t) = r.row) AS dropped,
	(SELECT count(*) FROM required t JOIN returned r USING (id) WHERE r.table_name = 'required' AND to_jsonb(t) = r.row) AS required,
	(SELECT count(*) FROM reversed t JOIN returned r USING (id) WHERE r.table_name = 'reversed' AND to_jsonb(t) = r.row) AS reversed;
-- the layout makes no difference
SELECT count(*) AS pairs, count(*) FILTER (WHERE a.row = b.row) AS same FROM returned a JOIN returned b USING (id)
WHERE a.table_name = 'ours' AND b.table_name IN ('dropped', 'reversed');
-- moments that were known are kept, those of the new state are there, in their order
SELECT b.row ->> 'status' AS was, r.row ->> 'status' AS is, count(*) > 10 AS many,
	bool_and(b.row ->> 'started_at' IS NULL OR b.row -> 'started_at' = r.row -> 'started_at') AS start_kept,
	bool_and(b.row ->> 'answered_at' IS NULL OR b.row -> 'answered_at' = r.row -> 'answered_at') AS answer_kept,
	bool_and(b.row ->> 'ended_at' IS NULL OR b.row -> 'ended_at' = r.row -> 'ended_at') AS end_kept,
	bool_and(r.row ->> 'started_at' IS NOT NULL) AS started, bool_and(r.row ->> 'answered_at' IS NOT NULL) AS answered, bool_and(r.row ->> 'ended_at' IS NOT NULL) AS ended,
	bool_and((r.row ->> 'duration' IS NULL) = (r.row ->> 'answered_at' IS NULL OR r.row ->> 'ended_at' IS NULL)) AS duration
FROM before_row b JOIN returned r USING (table_name, id) WHERE b.table_name = 'ours' GROUP BY 1, 2 ORDER BY min(b.row ->> 'status') COLLATE "C";
-- rows that lack columns which the table got later
ALTER TABLE ours ADD COLUMN later text, ADD COLUMN later_at timestamptz;
UPDATE ours SET status = 'completed' WHERE status = 'in_progress';
SELECT count(*) > 10 AS many, bool_and(later IS NULL AND later_at IS NULL) AS later, bool_and(notes IS NULL OR length(notes) = 5000) AS notes FROM ours WHERE status = 'completed';
-- rows from before the table got the columns of the trigger, in our order
CREATE TEMP TABLE grown (id uuid NOT NULL, organization_id uuid NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
INSERT INTO grown SELECT gen_random_uuid(), gen_random_uuid(), '2026-01-01', '2026-01-01' FROM generate_series(1, 3);
ALTER TABLE grown ADD COLUMN started_at timestamptz, ADD COLUMN answered_at timestamptz DEFAULT '2026-01-01 10:00', ADD COLUMN ended_at timestamptz, ADD COLUMN duration bigint,
	ADD COLUMN status text NOT NULL DEFAULT 'ringing', ADD COLUMN from_number text, ADD COLUMN to_number text,
	ADD COLUMN disposition text, ADD COLUMN disposition_set_at timestamptz, ADD COLUMN disposition_set_by uuid;
CREATE TRIGGER guard BEFORE UPDATE ON grown FOR EACH ROW EXECUTE FUNCTION platform.check_call();
SAVEPOINT g;
UPDATE grown SET status = 'completed';
ROLLBACK TO g;
CREATE FUNCTION pg_temp.stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE TRIGGER a_stay BEFORE UPDATE ON grown FOR EACH ROW WHEN (NEW.from_number = 'stay') EXECUTE FUNCTION pg_temp.stay();
UPDATE grown SET from_number = 'stay', status = 'completed' RETURNING status, from_number, updated_at;
UPDATE grown SET status = 'in_progress' RETURNING status, started_at = now() AS started, answered_at, ended_at, duration;
UPDATE grown SET status = 'completed', ended_at = '2026-01-01 10:01:30' RETURNING status, answered_at, duration;
-- with other triggers before and after, which change what they see
CREATE FUNCTION pg_temp.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.error_message := concat(NEW.error_message, TG_NAME, NEW.ended_at IS NOT NULL, ' '); RETURN NEW; END $$;
CREATE TRIGGER a_before BEFORE UPDATE ON ours FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
CREATE TRIGGER z_after BEFORE UPDATE ON ours FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
UPDATE ours SET status = 'failed' WHERE id = (SELECT id FROM ours WHERE status = 'ringing' AND ended_at IS NULL LIMIT 1) RETURNING error_message, ended_at = now() AS ended;
-- in ON CONFLICT and in MERGE
CREATE UNIQUE INDEX ON ours (id);
SELECT id FROM ours WHERE status = 'ringing' AND ended_at IS NULL LIMIT 1 \gset
INSERT INTO ours (id, status) VALUES (:'id', 'ringing') ON CONFLICT (id) DO UPDATE SET status = 'in_progress' RETURNING status, answered_at = now() AS answered;
MERGE INTO ours USING (VALUES (:'id'::uuid)) v (id) ON ours.id = v.id WHEN MATCHED THEN UPDATE SET status = 'completed';
SELECT status, ended_at = now() AS ended, duration FROM ours WHERE id = :'id';
ROLLBACK;
