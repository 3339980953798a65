-- After 10,000 random operations the data-integrity queries of the older systems, and our own, return no row
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca170000-0000-4000-8000-000000000001\''
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Integrity', '{"features": {"callEnabled": true}, "calls": {"requireRecordingConsent": true}}');
INSERT INTO platform.users (id, email) VALUES ('ca170000-0000-4000-8000-0000000000a1', 'ada@calls-integrity.example');
INSERT INTO platform.chatbots (id, organization_id, name, enabled_chat, enabled_call)
SELECT ('ca170000-0000-4000-8000-0000000000b' || i)::uuid, :org, 'Bot ' || i, i % 2 = 0, true FROM generate_series(1, 4) i;
CREATE TEMP TABLE outcome (operation text, result text);
CREATE TEMP TABLE history (call uuid, was text, becomes text, correction boolean);
CREATE FUNCTION pg_temp.note_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO history VALUES (NEW.id, OLD.status, NEW.status, current_setting('test.correction', true) = 'yes');
	RETURN NULL;
END $$;
CREATE TRIGGER calls_note_transition AFTER UPDATE OF status ON platform.calls FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION pg_temp.note_transition();
CREATE TEMP TABLE begun (id uuid);
CREATE FUNCTION pg_temp.operate(operations int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	org constant uuid := 'ca170000-0000-4000-8000-000000000001';
	states constant text[] := '{pending,ringing,in_progress,completed,failed,no_answer,busy,canceled}';
	methods constant text[] := '{ivr_played,verbal_yes,dtmf_confirm,written,assumed,none}';
	calls uuid[] := ARRAY(SELECT id FROM begun);
	c uuid;
	op text;
	r text;
	moment timestamptz;
BEGIN
	FOR i IN 1 .. operations LOOP
		c := calls[1 + floor(random() * cardinality(calls))];
		moment := now() - random() * interval '10 minutes';
		op := (ARRAY['start', 'advance', 'advance', 'advance', 'end', 'update', 'correct', 'transcript', 'note', 'consent', 'recording', 'moments', 'delete', 'disposition'])[1 + floor(random() * 14)];
		IF cardinality(calls) < 20 THEN op := 'start'; END IF;
		BEGIN
			r := 'done';
			CASE op
			WHEN 'start' THEN
				calls := calls || (SELECT id FROM platform.start_call(org, ('ca170000-0000-4000-8000-0000000000b' || 1 + floor(random() * 5))::uuid,
					call_sid => CASE WHEN random() < 0.5 THEN 'integrity-' || floor(random() * 500) END,
					status => states[1 + floor(random() * 4)], at => moment, from_number => CASE WHEN random() < 0.5 THEN '312555' || lpad(floor(random() * 10000)::text, 4, '0') END));
			WHEN 'advance' THEN
				SELECT outcome INTO r FROM platform.advance_call(org, c, states[1 + floor(random() * 8)], moment, CASE WHEN random() < 0.3 THEN floor(random() * 900)::int END);
			WHEN 'end' THEN
				SELECT outcome INTO r FROM platform.end_call(org, c, (ARRAY['completed', 'user_hangup', 'agent_ended', 'timeout', 'error'])[1 + floor(random() * 5)], moment);
			WHEN 'update' THEN
				UPDATE platform.calls SET status = states[1 + floor(random() * 8)] WHERE id = c;
			WHEN 'correct' THEN
				PERFORM set_config('test.correction', 'yes', true);
				SELECT outcome INTO r FROM platform.correct_call(org, c, 'random', states[1 + floor(random() * 8)], answered_at => CASE WHEN random() < 0.3 THEN moment END);
			WHEN 'transcript' THEN
				PERFORM platform.add_transcript(org, c, (ARRAY['user', 'assistant', 'system', 'robot'])[1 + floor(random() * 4)], repeat('word ', floor(random() * 4)::int), floor(random() * 1000)::int, floor(random() * 1000)::int, round(random()::numeric * 1.1, 4));
			WHEN 'note' THEN
				PERFORM platform.add_call_note(org, c, repeat('x', floor(random() * 600)::int), created_by => 'ca170000-0000-4000-8000-0000000000a1');
			WHEN 'consent' THEN
				PERFORM platform.record_consent(org, c, methods[1 + floor(random() * 6)]);
			WHEN 'recording' THEN
				PERFORM platform.add_call_recording(org, c, 'https://storage.example/' || i);
			WHEN 'moments' THEN
				UPDATE platform.calls SET ended_at = moment, answered_at = CASE WHEN random() < 0.8 THEN moment - (random() - 0.3) * interval '5 minutes' END WHERE id = c AND status = 'completed';
			WHEN 'delete' THEN
				UPDATE platform.calls SET deleted_at = CASE WHEN random() < 0.5 THEN now() END WHERE id = c;
			WHEN 'disposition' THEN
				PERFORM platform.set_call_disposition(org, c, (ARRAY['sale', 'other', 'nonsense', NULL])[1 + floor(random() * 4)]);
			END CASE;
		EXCEPTION WHEN OTHERS THEN
			r := SQLSTATE;
		END;
		PERFORM set_config('test.correction', 'no', true);
		INSERT INTO outcome VALUES (op, r);
	END LOOP;
	INSERT INTO begun SELECT unnest(calls) EXCEPT SELECT id FROM begun;
END $$;
-- in transactions of their own: one would fill up with versions of its rows
SELECT setseed(0.5) \g /dev/null
\o /dev/null
SELECT 'SELECT pg_temp.operate(200)' FROM generate_series(1, 50) \gexec
\o
SET search_path = platform, pg_catalog;
\set ECHO all

-- something happened, and nothing unexpected
SELECT count(*) AS operations FROM outcome;
-- (23505, a call that comes back when its key is taken, is rare: the ids are not the seed's)
SELECT result FROM outcome WHERE result <> '23505' GROUP BY result ORDER BY result COLLATE "C";
SELECT count(*) > 100 AS calls, count(DISTINCT status) AS states FROM calls WHERE organization_id = :org;
SELECT count(*) > 100 AS utterances FROM call_transcripts WHERE organization_id = :org;
SELECT count(*) > 100 AS transitions FROM history;

-- test 1: all chatbots have at least one capability enabled
SELECT id, name, enabled_chat, enabled_call FROM chatbots WHERE NOT (enabled_chat = true OR enabled_call = true) AND deleted_at IS NULL;
-- test 2: all call-enabled chatbots have call settings
SELECT id, name, settings->'call' as call_settings FROM chatbots
WHERE enabled_call = true AND (settings->'call' IS NULL OR settings->'call' = '{}'::jsonb) AND deleted_at IS NULL;
-- test 3: all calls reference valid chatbots
SELECT c.id FROM calls c LEFT JOIN chatbots cb ON c.chatbot_id = cb.id WHERE cb.id IS NULL AND c.deleted_at IS NULL AND c.organization_id = :org;
-- test 4: all call transcripts reference valid calls
SELECT ct.id FROM call_transcripts ct LEFT JOIN calls c ON ct.call_id = c.id WHERE c.id IS NULL;

-- ours: no transition that does not exist, unless an operator corrected it
SELECT was, becomes FROM history WHERE NOT coalesce(correction, false) AND (was, becomes) NOT IN (
	('pending', 'ringing'), ('pending', 'in_progress'), ('pending', 'failed'), ('pending', 'canceled'),
	('ringing', 'in_progress'), ('ringing', 'no_answer'), ('ringing', 'busy'), ('ringing', 'canceled'), ('ringing', 'failed'),
	('in_progress', 'completed'), ('in_progress', 'failed'));
-- moments in their order, an end for what is over and for nothing else, the duration of what was answered and has ended
SELECT id, status FROM calls WHERE organization_id = :org AND (status IN ('completed', 'failed', 'no_answer', 'busy', 'canceled')) <> (ended_at IS NOT NULL);
SELECT id, status FROM calls WHERE organization_id = :org AND (duration IS NULL) <> (answered_at IS NULL OR ended_at IS NULL);
SELECT id, duration FROM calls WHERE organization_id = :org AND duration <> greatest(0, floor(extract(epoch FROM ended_at - answered_at)));
SELECT id, status FROM calls WHERE organization_id = :org AND status IN ('no_answer', 'busy', 'canceled', 'pending', 'ringing') AND answered_at IS NOT NULL;
-- one life a key
SELECT call_sid FROM calls WHERE call_sid IS NOT NULL AND deleted_at IS NULL GROUP BY 1 HAVING count(*) > 1;
-- no recording without a consent that came before it
SELECT id FROM call_recordings WHERE organization_id = :org AND NOT consent_captured;
-- every consent of a call is in the log
SELECT c.id FROM calls c WHERE organization_id = :org AND consent_method IS NOT NULL
	AND consent_method <> (SELECT method FROM consent_logs l WHERE l.call_id = c.id ORDER BY l.id DESC LIMIT 1);
-- what install() checks
SELECT name, detail FROM verify() WHERE NOT passed AND name ~ '(calls|capabilities):';

\set ECHO none
RESET search_path;
DROP TRIGGER calls_note_transition ON platform.calls;
ALTER TABLE platform.consent_logs DISABLE TRIGGER USER;
DELETE FROM platform.consent_logs WHERE organization_id = :org;
ALTER TABLE platform.consent_logs ENABLE TRIGGER USER;
DELETE FROM platform.organizations WHERE id = :org;
DELETE FROM platform.users WHERE id = 'ca170000-0000-4000-8000-0000000000a1';
