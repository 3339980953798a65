-- What webhooks are told: every transition and disposition, whoever writes it; recordings and transcripts; never twice, never of rows that come as they are
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca180000-0000-4000-8000-000000000001\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Events', '{"features": {"callEnabled": true}}');
INSERT INTO platform.users (id, email) VALUES ('ca180000-0000-4000-8000-0000000000a1', 'ada@calls-events.example');
CREATE TEMP TABLE told (id uuid);
CREATE FUNCTION pg_temp.news() RETURNS TABLE (event text, status text, sid text) LANGUAGE sql AS $$
	WITH news AS (INSERT INTO told SELECT id FROM platform.webhook_events e WHERE organization_id = 'ca180000-0000-4000-8000-000000000001' AND id NOT IN (SELECT id FROM told) RETURNING id)
	SELECT e.event_type, e.payload ->> 'status', e.payload ->> 'call_sid' FROM news JOIN platform.webhook_events e USING (id) ORDER BY e.id
$$;
\o
\set ECHO all

-- pending tells nothing; repeated and late reports tell nothing; what is skipped is told
SELECT created FROM platform.start_call(:org, call_sid => 'CA-events-1');
SELECT * FROM pg_temp.news();
SELECT outcome FROM platform.advance_call(:org, 'CA-events-1', 'ringing');
SELECT * FROM pg_temp.news();
SELECT outcome FROM platform.advance_call(:org, 'CA-events-1', 'ringing');
SELECT outcome FROM platform.advance_call(:org, 'CA-events-1', 'completed', now() - interval '5 s');
SELECT * FROM pg_temp.news();
SELECT outcome FROM platform.advance_call(:org, 'CA-events-1', 'in_progress', now() - interval '65 s');
SELECT outcome FROM platform.end_call(:org, 'CA-events-1');
SELECT * FROM pg_temp.news();
SELECT created FROM platform.start_call(:org, status => 'in_progress', call_sid => 'CA-events-2');
SELECT created FROM platform.start_call(:org, status => 'in_progress', call_sid => 'CA-events-2');
SELECT * FROM pg_temp.news();
-- a plain UPDATE is a transition like any other, one of something else is none
UPDATE platform.calls SET status = 'failed', error_code = 'rate_limit_exceeded' WHERE call_sid = 'CA-events-2';
UPDATE platform.calls SET summary = 'nothing of it' WHERE call_sid = 'CA-events-2';
SELECT * FROM pg_temp.news();
SELECT outcome FROM platform.correct_call(:org, (SELECT id FROM platform.calls WHERE call_sid = 'CA-events-2'), 'it went well', 'completed');
SELECT * FROM pg_temp.news();
-- the whole payload
SELECT jsonb_object_agg(key, CASE WHEN key ~ '_at$|_id$' AND value <> 'null' THEN '"..."' ELSE value END) AS payload FROM (
	SELECT payload FROM platform.webhook_events WHERE organization_id = :org AND event_type = 'call.failed') e, jsonb_each(payload);
SELECT (payload ->> 'ended_at')::timestamptz = now() AS moment, (payload ->> 'call_id')::uuid = c.id AS call
FROM platform.webhook_events e JOIN platform.calls c ON c.call_sid = payload ->> 'call_sid' WHERE e.organization_id = :org AND event_type = 'call.failed';
-- a disposition that is set, not one that is taken back or the same again
SELECT id AS call FROM platform.calls WHERE call_sid = 'CA-events-1' \gset
SELECT platform.set_call_disposition(:org, :'call', 'sale', 'x') ->> 'disposition' AS set;
SELECT platform.set_call_disposition(:org, :'call', 'sale') ->> 'disposition' AS again;
SELECT platform.set_call_disposition(:org, :'call', NULL) ->> 'disposition' AS cleared;
SELECT * FROM pg_temp.news();
SELECT payload ->> 'disposition' AS disposition, payload ->> 'disposition_notes' AS notes FROM platform.webhook_events WHERE organization_id = :org AND event_type = 'call.disposition_set';
-- recordings and transcripts
SELECT platform.add_call_recording(:org, :'call', 'https://storage.example/1.mp3', 60) IS NOT NULL AS stored;
SELECT platform.add_call_recording(:org, :'call', storage_path => 'calls/2.mp3') IS NOT NULL AS stored;
SELECT platform.complete_call_transcript(:org, :'call'), platform.complete_call_transcript(:org, :'call') AS again;
SELECT event FROM pg_temp.news();
SELECT payload - 'recording_id' - 'call_id' AS payload FROM platform.webhook_events WHERE organization_id = :org AND event_type = 'recording.available' ORDER BY id;
-- what is refused or taken back tells nothing
SAVEPOINT a;
UPDATE platform.calls SET status = 'ringing' WHERE id = :'call'; ROLLBACK TO a;
SELECT created FROM platform.start_call(:org, status => 'ringing'); ROLLBACK TO a;
SELECT * FROM pg_temp.news();
-- rows that come as they are
INSERT INTO platform.calls (organization_id, status, disposition) SELECT :org, s, 'sale' FROM unnest('{ringing,in_progress,completed,failed}'::text[]) s;
SELECT * FROM pg_temp.news();
-- the end of what nobody ended
UPDATE platform.calls SET created_at = now() - interval '1 day' WHERE organization_id = :org AND status = 'ringing';
SELECT platform.end_stale_calls() >= 1 AS ended;
SELECT event, status FROM pg_temp.news();
ROLLBACK;
