-- Consent and recordings: the newest in the call, all of them for good in the log; none stored where consent is demanded and missing
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set SHOW_CONTEXT never
\set org '\'ca130000-0000-4000-8000-000000000001\''
\set strict '\'ca130000-0000-4000-8000-000000000002\''
\set ada '\'ca130000-0000-4000-8000-0000000000a1\''
\set call '\'ca130000-0000-4000-8000-0000000000c1\''
\set silent '\'ca130000-0000-4000-8000-0000000000c2\''
\set guarded '\'ca130000-0000-4000-8000-0000000000c3\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Consent One', '{}'), (:strict, 'Consent Two', '{"calls": {"requireRecordingConsent": true}}');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@calls-consent.example');
INSERT INTO platform.calls (id, organization_id, status) VALUES (:call, :org, 'in_progress'), (:silent, :org, 'in_progress'), (:guarded, :strict, 'in_progress');
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
SAVEPOINT a;
\o
\set ECHO all

SELECT platform.record_consent(:org, :call, 'ivr_played', 1500, '2026-01-01 10:00:00') IS NOT NULL AS recorded;
SELECT consent_method, consent_timestamp, consent_audio_offset_ms, consent_verified_at FROM platform.calls WHERE id = :call;
SELECT platform.verify_call_consent(:org, :call), platform.verify_call_consent(:org, :call) AS again;
SELECT consent_verified_by = :ada AS by_ada, consent_verified_at = now() AS now FROM platform.calls WHERE id = :call;
-- another one is to be verified again
SELECT platform.record_consent(:org, :call, 'verbal_yes', version => '2.0', ip => '192.0.2.7', user_agent => 'softphone') IS NOT NULL AS recorded;
SELECT consent_method, consent_timestamp = now() AS now, consent_audio_offset_ms, consent_verified_at FROM platform.calls WHERE id = :call;
SELECT method, version, audio_offset_ms, consented_at = now() AS now, recorded_by = :ada AS by_ada, ip, user_agent FROM platform.consent_logs WHERE call_id = :call ORDER BY id;
SAVEPOINT a;
SELECT platform.verify_call_consent(:org, :silent); ROLLBACK TO a;
SELECT platform.record_consent(:org, :silent, 'none') IS NOT NULL AS recorded;
SELECT platform.verify_call_consent(:org, :silent); ROLLBACK TO a;
SELECT platform.record_consent(:org, :call, 'nodded'); ROLLBACK TO a;
SELECT platform.record_consent(:org, :call, NULL); ROLLBACK TO a;
SELECT platform.record_consent(:org, :call, 'written', -1); ROLLBACK TO a;
SELECT platform.record_consent(:org, :call, 'written', version => ''); ROLLBACK TO a;
SELECT platform.record_consent(:org, :guarded, 'written'); ROLLBACK TO a;
SELECT platform.record_consent(:strict, :guarded, 'written'); ROLLBACK TO a;
SELECT platform.verify_call_consent(:org, :guarded); ROLLBACK TO a;
-- a user's own consent to the terms
INSERT INTO platform.consent_logs (organization_id, user_id, version) VALUES (:org, :ada, '1.0') RETURNING version, method, call_id, user_id = :ada AS own;
\set VERBOSITY terse
SAVEPOINT a;
INSERT INTO platform.consent_logs (organization_id, user_id) VALUES (:org, 'ca130000-0000-4000-8000-0000000000a2'); ROLLBACK TO a;
INSERT INTO platform.consent_logs (organization_id) VALUES (:org); ROLLBACK TO a;
INSERT INTO platform.consent_logs (organization_id, call_id, method) VALUES (:org, :call, 'written'); ROLLBACK TO a;
\set VERBOSITY default
UPDATE platform.consent_logs SET version = '9'; ROLLBACK TO a;
-- for good, for everybody
RESET ROLE;
SAVEPOINT a;
UPDATE platform.consent_logs SET method = 'written' WHERE call_id = :call; ROLLBACK TO a;
DELETE FROM platform.consent_logs WHERE call_id = :call; ROLLBACK TO a;
TRUNCATE platform.consent_logs; ROLLBACK TO a;

-- recordings take the call's consent along
SET ROLE platform_test_member;
SELECT platform.add_call_recording(:org, :call, 'https://storage.example/a.mp3?signature=1', 61, 'calls/a.mp3', '2026-01-01') AS recording \gset
SELECT platform.add_call_recording(:org, :silent, storage_path => 'calls/b.mp3') IS NOT NULL AS stored;
SELECT recording_url, url_expires_at, url_expired, storage_path, duration, consent_captured, consent_method, transcribed_at FROM platform.list_call_recordings(:org, :call);
SELECT storage_path, url_expired, duration, consent_captured, consent_method FROM platform.list_call_recordings(:org, :silent);
SELECT recording_url FROM platform.calls WHERE id = :call;
SELECT platform.renew_recording_url(:org, :'recording', 'https://storage.example/a.mp3?signature=2', now() + interval '10 min');
SELECT recording_url, url_expired FROM platform.list_call_recordings(:org, :call);
SELECT count(*) AS recordings, count(*) FILTER (WHERE consent_captured) AS with_consent FROM platform.recordings;
UPDATE platform.call_recordings SET flagged_for_review = true, manager_notes = 'listen', outcome = 'Pitch Delivered', qa_flags = '["greeting"]' WHERE id = :'recording' RETURNING flagged_for_review, outcome;
SAVEPOINT a;
SELECT platform.add_call_recording(:org, :call); ROLLBACK TO a;
SELECT platform.add_call_recording(:org, :call, 'https://x', -1); ROLLBACK TO a;
SELECT platform.add_call_recording(:org, :call, ''); ROLLBACK TO a;
SELECT platform.add_call_recording(:org, :guarded, 'https://x'); ROLLBACK TO a;
SELECT platform.add_call_recording(:strict, :guarded, 'https://x'); ROLLBACK TO a;
SELECT platform.list_call_recordings(:org, :guarded); ROLLBACK TO a;
SELECT platform.renew_recording_url(:org, :call, 'https://x'); ROLLBACK TO a;
SELECT platform.renew_recording_url(:org, :'recording', NULL); ROLLBACK TO a;
UPDATE platform.call_recordings SET recording_url = 'https://x'; ROLLBACK TO a;
INSERT INTO platform.recordings (call_id) VALUES (:call); ROLLBACK TO a;

-- where it is demanded: function, statement, view, member, operator
RESET ROLE;
SELECT platform.set_context(NULL);
SAVEPOINT a;
SELECT platform.add_call_recording(:strict, :guarded, 'https://x'); ROLLBACK TO a;
INSERT INTO platform.call_recordings (organization_id, call_id, recording_url) VALUES (:strict, :guarded, 'https://x'); ROLLBACK TO a;
INSERT INTO platform.recordings (organization_id, call_id, recording_url) VALUES (:strict, :guarded, 'https://x'); ROLLBACK TO a;
SELECT platform.record_consent(:strict, :guarded, 'assumed') IS NOT NULL AS recorded;
SELECT platform.add_call_recording(:strict, :guarded, 'https://x'); ROLLBACK TO a;
SELECT platform.record_consent(:strict, :guarded, 'dtmf_confirm', 700) IS NOT NULL AS recorded;
SELECT platform.add_call_recording(:strict, :guarded, 'https://x') IS NOT NULL AS stored;
SELECT consent_captured, consent_method, consent_audio_offset_ms FROM platform.call_recordings WHERE call_id = :guarded;
-- a row that brings its own evidence
SELECT platform.record_consent(:strict, :guarded, 'none') IS NOT NULL AS recorded;
SAVEPOINT a;
INSERT INTO platform.call_recordings (organization_id, call_id, recording_url, consent_captured, consent_method) VALUES (:strict, :guarded, 'https://x', true, 'none'); ROLLBACK TO a;
INSERT INTO platform.call_recordings (organization_id, call_id, recording_url, consent_captured, consent_method, consent_audio_offset_ms) VALUES (:strict, :guarded, 'https://x', true, 'written', 5) RETURNING consent_method, consent_audio_offset_ms;
-- which it may not take back while the call has none
SAVEPOINT a;
UPDATE platform.call_recordings SET consent_captured = false WHERE call_id = :guarded AND consent_method = 'written'; ROLLBACK TO a;
UPDATE platform.call_recordings SET consent_method = NULL WHERE call_id = :guarded AND consent_method = 'written'; ROLLBACK TO a;
UPDATE platform.call_recordings SET call_id = :silent, organization_id = :org, consent_captured = false, consent_method = 'none' WHERE call_id = :guarded AND consent_method = 'written' RETURNING consent_captured, consent_method; ROLLBACK TO a;
SELECT platform.record_consent(:strict, :guarded, 'verbal_yes') IS NOT NULL AS recorded;
UPDATE platform.call_recordings SET consent_captured = false WHERE call_id = :guarded AND consent_method = 'written' RETURNING consent_captured; ROLLBACK TO a;
-- what is stored stays when it changes otherwise
UPDATE platform.call_recordings SET duration = 5 WHERE call_id = :guarded AND consent_method = 'dtmf_confirm' RETURNING duration, updated_at = now() AS touched;
ROLLBACK;
