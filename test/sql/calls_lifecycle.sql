-- The course of a call: every transition allowed and refused, moments, duration, reports late, twice and in the wrong order
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca110000-0000-4000-8000-000000000001\''
\set other '\'ca110000-0000-4000-8000-000000000002\''
\set user '\'ca110000-0000-4000-8000-0000000000a1\''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Calls One', '{"features": {"callEnabled": true}}'), (:other, 'Calls Two', '{"features": {"callEnabled": true}}');
INSERT INTO platform.chatbots (id, organization_id, name, enabled_chat, enabled_call) VALUES
	('ca110000-0000-4000-8000-0000000000b1', :org, 'Talks', true, true), ('ca110000-0000-4000-8000-0000000000b2', :org, 'Writes', true, false),
	('ca110000-0000-4000-8000-0000000000b3', :other, 'Theirs', true, true);
INSERT INTO platform.users (id, email) VALUES (:user, 'ada@calls-lifecycle.example');
CREATE TEMP TABLE state (n int, name text);
INSERT INTO state VALUES (1, 'pending'), (2, 'ringing'), (3, 'in_progress'), (4, 'completed'), (5, 'failed'), (6, 'no_answer'), (7, 'busy'), (8, 'canceled');
-- what an UPDATE of status alone does: the SQLSTATE, or the moments that it filled in
CREATE FUNCTION pg_temp.try_update(was text, becomes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c uuid;
	r platform.calls;
BEGIN
	INSERT INTO platform.calls (organization_id, status) VALUES ('ca110000-0000-4000-8000-000000000001', was) RETURNING id INTO c;
	UPDATE platform.calls SET status = becomes WHERE id = c RETURNING * INTO r;
	RETURN concat_ws(' ', 'ok', CASE WHEN r.started_at IS NOT NULL THEN 'started' END, CASE WHEN r.answered_at IS NOT NULL THEN 'answered' END,
		CASE WHEN r.ended_at IS NOT NULL THEN 'ended' END, r.duration);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- the same by a report
CREATE FUNCTION pg_temp.try_report(was text, becomes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c uuid;
	r record;
BEGIN
	INSERT INTO platform.calls (organization_id, status) VALUES ('ca110000-0000-4000-8000-000000000001', was) RETURNING id INTO c;
	SELECT * INTO r FROM platform.advance_call('ca110000-0000-4000-8000-000000000001', c, becomes);
	RETURN concat_ws(' ', r.outcome, r.current_status);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- and by an end
CREATE FUNCTION pg_temp.try_end(was text, reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c uuid;
	r record;
BEGIN
	INSERT INTO platform.calls (organization_id, status) VALUES ('ca110000-0000-4000-8000-000000000001', was) RETURNING id INTO c;
	SELECT * INTO r FROM platform.end_call('ca110000-0000-4000-8000-000000000001', c, reason);
	RETURN concat_ws(' ', r.outcome, r.current_status);
END $$;
\set ECHO all

-- UPDATE: 11 transitions, everything else is refused; to the same state is none
SELECT a.name AS was, b.name AS becomes, pg_temp.try_update(a.name, b.name) AS result FROM state a, state b ORDER BY a.n, b.n;
-- a report: the same, the past is late, the states between are passed through
SELECT a.name AS was, b.name AS reported, pg_temp.try_report(a.name, b.name) AS result FROM state a, state b ORDER BY a.n, b.n;
-- the refusal says what may follow
SAVEPOINT a;
INSERT INTO platform.calls (id, organization_id, status) VALUES ('ca110000-0000-4000-8000-0000000000c0', :org, 'ringing');
SAVEPOINT b;
UPDATE platform.calls SET status = 'completed' WHERE id = 'ca110000-0000-4000-8000-0000000000c0';
ROLLBACK TO b;
UPDATE platform.calls SET status = 'busy' WHERE id = 'ca110000-0000-4000-8000-0000000000c0';
UPDATE platform.calls SET status = 'ringing' WHERE id = 'ca110000-0000-4000-8000-0000000000c0';
ROLLBACK TO b;
\set VERBOSITY sqlstate
UPDATE platform.calls SET status = 'gone' WHERE id = 'ca110000-0000-4000-8000-0000000000c0';
ROLLBACK TO b;
UPDATE platform.calls SET status = NULL WHERE id = 'ca110000-0000-4000-8000-0000000000c0';
ROLLBACK TO a;
\set VERBOSITY default

-- from start to end, with the providers' spellings, by the provider's key
SELECT id AS call, created, current_status FROM platform.start_call(:org, source => 'twilio', from_number => '(312) 555-0100', to_number => '+1 312 555 0199', call_sid => 'CA-lifecycle-1') \gset
SELECT :'created' AS created, :'current_status' AS current_status;
SELECT outcome, current_status, previous_status, talk_seconds FROM platform.advance_call(:org, 'CA-lifecycle-1', 'queued');
SELECT outcome, current_status, previous_status, talk_seconds FROM platform.advance_call(:org, 'CA-lifecycle-1', 'ringing', now() - interval '100 s');
SELECT outcome, current_status, previous_status, talk_seconds FROM platform.advance_call(:org, 'CA-lifecycle-1', 'in-progress', now() - interval '90 s');
SELECT outcome, current_status, previous_status, talk_seconds FROM platform.advance_call(:org, 'CA-lifecycle-1', 'completed', now() - interval '29.5 s');
SELECT status, now() - started_at AS started, now() - answered_at AS answered, now() - ended_at AS ended, duration, from_number, to_number FROM platform.calls WHERE id = :'call';
-- reported again, and by the id; nothing changes, not even the row's version
SELECT xmin, ctid FROM platform.calls WHERE id = :'call' \gset
SELECT outcome, current_status, talk_seconds FROM platform.advance_call(:org, :'call'::uuid, 'completed');
SELECT outcome, current_status, talk_seconds FROM platform.advance_call(:org, :'call', 'in_progress', now());
SELECT outcome, current_status, talk_seconds FROM platform.advance_call(:org, :'call', 'busy');
SELECT outcome, current_status, talk_seconds FROM platform.end_call(:org, 'CA-lifecycle-1', 'error');
SELECT xmin = :'xmin' AND ctid = :'ctid' AS untouched FROM platform.calls WHERE id = :'call';
-- started again by the provider: the same call
SELECT id = :'call' AS same, created, current_status FROM platform.start_call(:org, call_sid => 'CA-lifecycle-1');

-- the wrong order: the end first, then what was before it
SELECT id AS call FROM platform.start_call(:org, call_sid => 'CA-lifecycle-2') \gset
SELECT outcome, current_status, talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now() - interval '10 s');
SELECT now() - started_at AS started, answered_at, now() - ended_at AS ended, duration FROM platform.calls WHERE id = :'call';
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'in_progress', now() - interval '40 s');
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'ringing', now() - interval '45 s');
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'in_progress', now() - interval '70 s');
SELECT now() - started_at AS started, now() - answered_at AS answered, now() - ended_at AS ended, duration FROM platform.calls WHERE id = :'call';
-- the provider's duration says when it was answered, also when it comes later
SELECT id AS call FROM platform.start_call(:org, status => 'ringing', at => now() - interval '60 s') \gset
SELECT outcome, current_status, talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now(), duration => 42);
SELECT id AS call FROM platform.start_call(:org, status => 'ringing', at => now() - interval '60 s') \gset
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now());
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now(), duration => 33);
SELECT now() - started_at AS started, now() - answered_at AS answered, duration FROM platform.calls WHERE id = :'call';
-- longer than the call: it began earlier
SELECT id AS call FROM platform.start_call(:org, status => 'ringing', at => now() - interval '60 s') \gset
SELECT talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now(), duration => 70);
SELECT now() - started_at AS started, now() - answered_at AS answered, duration FROM platform.calls WHERE id = :'call';
-- clocks that disagree: never a negative duration, never an end before the start
SELECT id AS call FROM platform.start_call(:org, status => 'in_progress', at => now() - interval '10 s') \gset
SELECT talk_seconds FROM platform.advance_call(:org, :'call', 'completed', now() - interval '1 hour');
SELECT ended_at = answered_at AS at_once, duration FROM platform.calls WHERE id = :'call';
-- the future is now
SELECT id AS call FROM platform.start_call(:org, status => 'in_progress', at => now() + interval '1 day') \gset
SELECT answered_at < now() + interval '1 minute' AS present FROM platform.calls WHERE id = :'call';
-- an answer reported late means nothing for a call that nobody answered
SELECT id AS call FROM platform.start_call(:org, status => 'ringing', at => now() - interval '60 s') \gset
SELECT outcome FROM platform.advance_call(:org, :'call', 'no-answer', now() - interval '30 s');
SELECT outcome, talk_seconds FROM platform.advance_call(:org, :'call', 'answered', now() - interval '50 s');
SELECT status, answered_at, duration FROM platform.calls WHERE id = :'call';
-- what went wrong stays
SELECT id AS call FROM platform.start_call(:org) \gset
SELECT outcome FROM platform.advance_call(:org, :'call', 'failed', error_code => 'provider_connection_failed', error_message => 'timeout');
SELECT status, started_at, ended_at = now() AS ended, error_code, error_message FROM platform.calls WHERE id = :'call';

-- in whatever order, and however often, the reports of a call come: it ends as the same row
CREATE FUNCTION pg_temp.reports(reports text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := now() - interval '1 hour';
	r text;
	c uuid;
	result text;
BEGIN
	SELECT id INTO c FROM platform.start_call('ca110000-0000-4000-8000-000000000001', at => start);
	FOREACH r IN ARRAY reports LOOP
		PERFORM platform.advance_call('ca110000-0000-4000-8000-000000000001', c, split_part(r, '@', 1), start + split_part(r, '@', 2)::int * interval '1 s');
	END LOOP;
	SELECT concat_ws(' ', status, 'started', extract(epoch FROM started_at - start)::int, 'answered', extract(epoch FROM answered_at - start)::int, 'ended', extract(epoch FROM ended_at - start)::int, 'talk', duration)
	INTO result FROM platform.calls WHERE id = c;
	RETURN result;
END $$;
WITH RECURSIVE life (n, reports) AS (
	VALUES (1, '{ringing@10,in_progress@15,completed@60}'::text[]), (2, '{initiated@0,ringing@10,in-progress@15,failed@60}'), (3, '{ringing@10,no-answer@40}'), (4, '{queued@0,ringing@10,busy@12}'), (5, '{in_progress@15,completed@60}')
), step (n, so_far, left_over) AS (
	SELECT n, '{}'::text[], reports FROM life
	UNION ALL
	SELECT s.n, s.so_far || r.report, array_remove(s.left_over, r.report) FROM step s, unnest(s.left_over) r (report)
), once AS (SELECT n, so_far FROM step WHERE left_over = '{}')
SELECT n, count(*) AS orders, string_agg(DISTINCT pg_temp.reports(so_far), ' | ') AS once, string_agg(DISTINCT pg_temp.reports(so_far || so_far), ' | ') AS twice,
	string_agg(DISTINCT pg_temp.reports((SELECT array_agg(e) FROM unnest(so_far) e, generate_series(1, 2))), ' | ') AS stuttering
FROM once GROUP BY n ORDER BY n;

-- end_call: by the state it is in and the reason
SELECT s.name AS was, r.reason, pg_temp.try_end(s.name, r.reason) AS result
FROM (VALUES (1, 'completed'), (2, 'user_hangup'), (3, 'agent_ended'), (4, 'timeout'), (5, 'error')) AS r (n, reason), state s
WHERE s.n <= 4 ORDER BY r.n, s.n;
SELECT end_reason, count(*) FROM platform.calls WHERE organization_id = :org AND end_reason IS NOT NULL GROUP BY 1 ORDER BY end_reason COLLATE "C";

-- corrections: an operator's, against the transitions
SELECT id AS call FROM platform.start_call(:org, status => 'in_progress', at => now() - interval '60 s') \gset
SELECT talk_seconds FROM platform.end_call(:org, :'call');
SELECT outcome, current_status, previous_status, talk_seconds FROM platform.correct_call(:org, :'call', 'it was the voicemail', 'no_answer');
SELECT status, now() - started_at AS started, answered_at, ended_at = now() AS ended, duration FROM platform.calls WHERE id = :'call';
SELECT outcome, current_status, talk_seconds FROM platform.correct_call(:org, :'call', 'no, it was not', 'completed', answered_at => now() - interval '30 s');
SELECT outcome, current_status, talk_seconds FROM platform.correct_call(:org, :'call', 'again', 'completed');
SELECT outcome, talk_seconds FROM platform.correct_call(:org, :'call', 'it goes on', 'in_progress');
SELECT ended_at, duration FROM platform.calls WHERE id = :'call';
SAVEPOINT a;
SELECT platform.correct_call(:org, :'call', 'order', answered_at => now() - interval '2 hours'); ROLLBACK TO a;
SELECT platform.correct_call(:org, :'call', '', 'failed'); ROLLBACK TO a;
SELECT platform.correct_call(:org, :'call', NULL, 'failed'); ROLLBACK TO a;
SELECT platform.correct_call(:org, :'call', 'for ever', 'completed', ended_at => 'infinity'); ROLLBACK TO a;
-- a correction that failed leaves no door open
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE division_by_zero; END $$;
CREATE TRIGGER calls_zz_fail AFTER UPDATE ON platform.calls FOR EACH ROW WHEN (NEW.status = 'ringing') EXECUTE FUNCTION pg_temp.fail();
DO $$
BEGIN
	PERFORM platform.correct_call(c.organization_id, c.id, 'back', 'ringing') FROM platform.calls c WHERE call_sid = 'CA-lifecycle-1';
EXCEPTION WHEN division_by_zero THEN
	RAISE NOTICE 'failed';
END $$;
DROP TRIGGER calls_zz_fail ON platform.calls;
UPDATE platform.calls SET status = 'ringing' WHERE call_sid = 'CA-lifecycle-1'; ROLLBACK TO a;

-- the audit trail has what was, what is, and why
SELECT action, entity, entity_id = :'call' AS of_the_call, old ->> 'status' AS was, new ->> 'status' AS is, metadata
FROM platform.audit_logs WHERE organization_id = :org AND action = 'call_corrected' ORDER BY id;

-- a row comes in any state, as it is; the operator's changes of moments carry the duration along
INSERT INTO platform.calls (id, organization_id, status, answered_at, ended_at, duration) VALUES
	('ca110000-0000-4000-8000-0000000000c1', :org, 'completed', '2026-01-01 10:00:00', '2026-01-01 10:01:00', 59),
	('ca110000-0000-4000-8000-0000000000c2', :org, 'completed', '2026-01-01 10:00:00', '2026-01-01 10:01:00', NULL),
	('ca110000-0000-4000-8000-0000000000c3', :org, 'completed', NULL, NULL, NULL),
	('ca110000-0000-4000-8000-0000000000c4', :org, 'busy', NULL, NULL, 7)
RETURNING status, answered_at, ended_at, duration;
UPDATE platform.calls SET ended_at = '2026-01-01 10:00:30' WHERE id = 'ca110000-0000-4000-8000-0000000000c1' RETURNING duration;
UPDATE platform.calls SET ended_at = '2026-01-01 09:00:30' WHERE id = 'ca110000-0000-4000-8000-0000000000c1' RETURNING duration;
UPDATE platform.calls SET answered_at = NULL WHERE id = 'ca110000-0000-4000-8000-0000000000c1' RETURNING duration;
UPDATE platform.calls SET summary = 'imported' WHERE id = 'ca110000-0000-4000-8000-0000000000c4' RETURNING status, duration;

-- numbers are normalised wherever they come from
INSERT INTO platform.calls (organization_id, from_number, to_number) VALUES (:org, '312-555-0100', '+49 30 55501') RETURNING from_number, to_number;
SELECT id AS call FROM platform.start_call(:org, from_number => '030 55501', region => 'DE') \gset
SELECT from_number FROM platform.calls WHERE id = :'call';
UPDATE platform.calls SET to_number = '1 (312) 555 0177' WHERE id = 'ca110000-0000-4000-8000-0000000000c4' RETURNING to_number;
UPDATE platform.calls SET to_number = 'anonymous' WHERE id = 'ca110000-0000-4000-8000-0000000000c4'; ROLLBACK TO a;
INSERT INTO platform.calls (organization_id, from_number) VALUES (:org, 'sip:ada@example.com'); ROLLBACK TO a;
SELECT platform.start_call(:org, to_number => '12'); ROLLBACK TO a;

-- the provider's key: unique among calls that are not deleted, and no other organization's
SELECT platform.start_call(:other, call_sid => 'CA-lifecycle-1'); ROLLBACK TO a;
UPDATE platform.calls SET deleted_at = now() WHERE call_sid = 'CA-lifecycle-1';
SELECT platform.advance_call(:org, 'CA-lifecycle-1', 'ringing'); ROLLBACK TO a;
UPDATE platform.calls SET deleted_at = now() WHERE call_sid = 'CA-lifecycle-1';
SELECT created FROM platform.start_call(:other, call_sid => 'CA-lifecycle-1');

-- bad arguments
\set VERBOSITY terse
SELECT platform.start_call(NULL); ROLLBACK TO a;
SELECT platform.start_call(:org, source => NULL); ROLLBACK TO a;
SELECT platform.start_call(:org, source => 'pigeon'); ROLLBACK TO a;
SELECT platform.start_call(:org, direction => 'sideways'); ROLLBACK TO a;
SELECT platform.start_call(:org, status => 'completed'); ROLLBACK TO a;
SELECT platform.start_call(:org, call_sid => ''); ROLLBACK TO a;
SELECT platform.start_call(:org, call_sid => repeat('x', 256)); ROLLBACK TO a;
SELECT platform.start_call(:org, region => 'ZZ'); ROLLBACK TO a;
SELECT platform.start_call('ca110000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.start_call(:org, end_user_id => 'ca110000-0000-4000-8000-00000000ffff'); ROLLBACK TO a;
SELECT platform.advance_call(:org, NULL::uuid, 'ringing'); ROLLBACK TO a;
SELECT platform.advance_call(:org, 'no such call', 'ringing'); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'call', 'gone'); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'call', NULL); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'call', 'completed', duration => -1); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'call', 'completed', '-infinity'); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'call', 'failed', error_code => repeat('x', 51)); ROLLBACK TO a;
SELECT platform.advance_call(:other, :'call', 'completed'); ROLLBACK TO a;
SELECT platform.end_call(:org, :'call', 'bored'); ROLLBACK TO a;
SELECT platform.end_call(:org, 'no such call'); ROLLBACK TO a;

\set VERBOSITY default

-- the gates: of the chatbot, of the organization, of the feature; a call that is there is answered whatever is closed
SELECT created FROM platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1', call_sid => 'CA-gate');
SAVEPOINT a;
SELECT platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b2'); ROLLBACK TO a;
SELECT platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b3'); ROLLBACK TO a;
SELECT platform.set_feature_flag(:org, 'voice_operations', false, 'incident');
SAVEPOINT b;
SELECT created FROM platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1', call_sid => 'CA-gate');
SELECT platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1'); ROLLBACK TO b;
SELECT platform.start_call(:org); ROLLBACK TO a;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}' WHERE id = :org;
SAVEPOINT b;
SELECT platform.start_call(:org); ROLLBACK TO b;
SELECT platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1', call_sid => 'CA-gate-2'); ROLLBACK TO a;

-- of usage: nobody of the organization has any left
SAVEPOINT a;
SELECT changed FROM platform.apply_tier(:org, :user, 'core');
SELECT created FROM platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1', call_sid => 'CA-usage');
SELECT limit_state FROM platform.record_call_usage(:org, :user, 'calls-lifecycle', 1000000);
SAVEPOINT b;
SELECT platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1'); ROLLBACK TO b;
\set VERBOSITY sqlstate
SELECT platform.start_call(:org); ROLLBACK TO b;
SELECT platform.create_webrtc_session(:org, user_id => :user); ROLLBACK TO b;
\set VERBOSITY default
SELECT created FROM platform.start_call(:org, 'ca110000-0000-4000-8000-0000000000b1', call_sid => 'CA-usage');
ROLLBACK TO a;

-- calls that nobody ended
INSERT INTO platform.calls (id, organization_id, status, started_at, answered_at, created_at, updated_at) VALUES
	('ca110000-0000-4000-8000-0000000000d1', :other, 'pending', NULL, NULL, now() - interval '1 hour', now() - interval '1 hour'),
	('ca110000-0000-4000-8000-0000000000d2', :other, 'ringing', now() - interval '1 hour', NULL, now() - interval '1 hour', now() - interval '59 min'),
	('ca110000-0000-4000-8000-0000000000d3', :other, 'in_progress', now() - interval '5 hours', now() - interval '5 hours', now() - interval '5 hours', now() - interval '4 hours'),
	('ca110000-0000-4000-8000-0000000000d4', :other, 'in_progress', now() - interval '3 hours', now() - interval '3 hours', now() - interval '3 hours', now() - interval '3 hours'),
	('ca110000-0000-4000-8000-0000000000d5', :other, 'ringing', now() - interval '1 min', NULL, now() - interval '1 min', now());
SELECT platform.end_stale_calls("limit" => 0);
SELECT platform.end_stale_calls() >= 3 AS ended;
SELECT right(id::text, 2) AS call, status, now() - ended_at AS ended, duration, end_reason, error_code FROM platform.calls WHERE id::text LIKE 'ca110000-0000-4000-8000-0000000000d%' ORDER BY 1;

-- a member: its own organization's, by the functions; status itself is not its to write
SELECT id AS call FROM platform.start_call(:org) \gset
SELECT id AS foreign_call FROM platform.start_call(:other) \gset
SELECT platform.set_context(:org, :user, 'agent');
SET ROLE platform_test_member;
SELECT count(*) > 1 AS own, count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.calls;
SELECT created, current_status FROM platform.start_call(:org, from_number => '3125550100', call_sid => 'CA-member');
SELECT outcome FROM platform.advance_call(:org, 'CA-member', 'ringing');
SELECT outcome, current_status FROM platform.end_call(:org, 'CA-member', 'user_hangup');
SAVEPOINT a;
SELECT platform.start_call(:other); ROLLBACK TO a;
SELECT platform.advance_call(:other, :'foreign_call', 'ringing'); ROLLBACK TO a;
SELECT platform.advance_call(:org, :'foreign_call', 'ringing'); ROLLBACK TO a;
SELECT platform.end_call(:other, :'foreign_call'); ROLLBACK TO a;
SELECT platform.correct_call(:org, :'call', 'please', 'completed'); ROLLBACK TO a;
SELECT platform.end_stale_calls(); ROLLBACK TO a;
UPDATE platform.calls SET status = 'ringing' WHERE id = :'call'; ROLLBACK TO a;
UPDATE platform.calls SET answered_at = now() WHERE id = :'call'; ROLLBACK TO a;
INSERT INTO platform.calls (organization_id) VALUES (:org); ROLLBACK TO a;
DELETE FROM platform.calls; ROLLBACK TO a;
-- the disposition is written by whom it is written, whatever the statement says
UPDATE platform.calls SET disposition = 'sale', disposition_set_at = '2020-01-01', disposition_set_by = 'ca110000-0000-4000-8000-00000000ffff', disposition_notes = 'premium plan'
WHERE id = :'call' RETURNING disposition, disposition_set_at = now() AS now, disposition_set_by = :user AS by_caller, disposition_notes;
UPDATE platform.calls SET disposition_set_at = '2020-01-01', disposition_set_by = NULL WHERE id = :'call' RETURNING disposition_set_at = now() AS now, disposition_set_by = :user AS by_caller;
\set VERBOSITY terse
UPDATE platform.calls SET disposition = 'none of these' WHERE id = :'call'; ROLLBACK TO a;
UPDATE platform.calls SET disposition = 'other' WHERE id = :'foreign_call' RETURNING disposition;
RESET ROLE;
-- an operator may say who and when
UPDATE platform.calls SET disposition = 'voicemail', disposition_set_at = '2026-01-01', disposition_set_by = :user WHERE id = :'call' RETURNING disposition_set_at, disposition_set_by = :user AS as_said;
UPDATE platform.calls SET disposition = NULL WHERE id = :'call' RETURNING disposition_set_at, disposition_set_by;
-- deleting: administrators, once; then it is not found and its key is free
SELECT id AS doomed FROM platform.start_call(:org, call_sid => 'CA-doomed') \gset
SET ROLE platform_test_member;
SAVEPOINT a;
SELECT platform.delete_call(:org, :'doomed'); ROLLBACK TO a;
RESET ROLE;
SELECT platform.set_context(:org, :user, 'admin');
SET ROLE platform_test_member;
SAVEPOINT a;
SELECT platform.delete_call(:org, :'foreign_call'); ROLLBACK TO a;
SELECT platform.delete_call(:other, :'foreign_call'); ROLLBACK TO a;
SELECT platform.delete_call(:org, NULL); ROLLBACK TO a;
SELECT platform.delete_call(:org, :'doomed'), platform.delete_call(:org, :'doomed') AS again;
SAVEPOINT a;
SELECT platform.end_call(:org, :'doomed'); ROLLBACK TO a;
SELECT created FROM platform.start_call(:org, call_sid => 'CA-doomed');
RESET ROLE;
-- nobody
SELECT platform.set_context(NULL);
SET ROLE platform_test_member;
SELECT count(*) FROM platform.calls;
SAVEPOINT a;
SELECT platform.start_call(:org); ROLLBACK TO a;
RESET ROLE;
SET ROLE platform_test_stranger;
SAVEPOINT a;
SELECT platform.start_call(:org); ROLLBACK TO a;
SELECT * FROM platform.calls; ROLLBACK TO a;
RESET ROLE;
-- the trigger is fired as it says, or not at all
CREATE TRIGGER calls_wrong AFTER UPDATE ON platform.calls FOR EACH ROW EXECUTE FUNCTION platform.check_call();
UPDATE platform.calls SET summary = 'x' WHERE id = :'call';
ROLLBACK;
