-- Days: partitions a week ahead, made while the system runs; a day that nobody keeps is dropped, others row by row
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY terse
SET client_min_messages = error;
\set org '''95000000-0000-4000-8000-000000000001'''
CREATE FUNCTION pg_temp.today() RETURNS date LANGUAGE sql AS $$ SELECT (now() AT TIME ZONE 'UTC')::date $$;
-- days from today of the partitions that are not over
CREATE FUNCTION pg_temp.days() RETURNS TABLE (log name, days integer[]) LANGUAGE sql AS $$
	SELECT p.relname, array_agg(d.day - pg_temp.today() ORDER BY d.day) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid,
		LATERAL (SELECT to_date(substring(c.relname FROM '\d{4}_\d{2}_\d{2}$'), 'YYYY_MM_DD') AS day) d
	WHERE i.inhparent IN ('platform.webhook_events'::regclass, 'platform.webhook_attempts'::regclass) AND d.day >= pg_temp.today() GROUP BY 1 ORDER BY 1 $$;
CREATE FUNCTION pg_temp.drop_day(log text, n integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DROP TABLE platform.%I', log || to_char(pg_temp.today() + n, '_YYYY_MM_DD')); END $$;
-- how many events of before now are left, when the organization says so
CREATE FUNCTION pg_temp.kept(days text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	UPDATE platform.organizations SET settings = jsonb_build_object('webhooks', jsonb_build_object('retentionDays', days::jsonb)) WHERE id = '95000000-0000-4000-8000-000000000001';
	PERFORM platform.purge_webhooks();
	RETURN (SELECT count(*) FROM platform.webhook_events WHERE organization_id = '95000000-0000-4000-8000-000000000001' AND created_at < now() - interval '1 minute');
END $$;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Keeping');
SELECT platform.purge_webhooks();
\o
\set ECHO all

-- a week ahead; what is missing the daily job makes; row security is on from the start
SELECT * FROM pg_temp.days();
SELECT count(pg_temp.drop_day(log, 5)) FROM unnest('{webhook_events,webhook_attempts}'::text[]) log;
SELECT * FROM pg_temp.days();
SELECT count(*) FROM platform.purge_webhooks() WHERE action = 'dropped';
SELECT * FROM pg_temp.days();
SELECT bool_and(c.relrowsecurity) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('platform.webhook_events'::regclass, 'platform.webhook_attempts'::regclass);
-- an event goes to its day, and none to the default partition
SELECT platform.emit_event(:org, 'call.completed') IS NOT NULL AS emitted;
SELECT tableoid::regclass::text = 'platform.webhook_events' || to_char(created_at AT TIME ZONE 'UTC', '_YYYY_MM_DD') AS of_its_day FROM platform.webhook_events WHERE organization_id = :org;
-- a day whose partition is missing: the event is kept, and moves when there is one
SELECT pg_temp.drop_day('webhook_events', 6);
INSERT INTO platform.webhook_events (id, organization_id, created_at, occurred_at, transaction_id, cluster_id, event_type, payload)
VALUES (:org, :org, (pg_temp.today() + 6)::timestamp AT TIME ZONE 'UTC' + interval '1 hour', now(), '1', 1, 'call.failed', '{}');
SELECT tableoid::regclass AS stays FROM platform.webhook_events WHERE id = :org;
SELECT count(*) FROM platform.purge_webhooks() WHERE action = 'dropped';
SELECT tableoid::regclass::text <> 'platform.webhook_events_default_daily' AS moved FROM platform.webhook_events WHERE id = :org;
CREATE TABLE platform.webhook_attempts_2001_01_01 PARTITION OF platform.webhook_attempts FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-01-02 00:00+00');
SELECT table_name, action, more FROM platform.purge_webhooks() WHERE table_name LIKE '%2001%';
-- what an organization says counts, within a day and ten years; nonsense does not, and breaks nobody's job
INSERT INTO platform.webhook_events (id, organization_id, created_at, occurred_at, transaction_id, cluster_id, event_type, payload)
SELECT platform.uuid7(), :org, now() - n * interval '1 hour', now(), '1', 1, 'call.failed', '{}' FROM unnest('{23,25,73}'::int[]) n;
SELECT days, pg_temp.kept(days) FROM (VALUES ('"three"'), ('1e300'), ('3'), ('-1e300'), ('0.01')) v (days);

\set ECHO none
DELETE FROM platform.organizations WHERE id = :org;
DELETE FROM platform.webhook_events WHERE organization_id = :org;
