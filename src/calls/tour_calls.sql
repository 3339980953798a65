-- tour 80 Calls: one life, whatever the provider reports
\set SHOW_CONTEXT never
\echo
\echo A call has a state, and a state only what may follow it. The provider reports what
\echo happens, often late, twice, or in the wrong order; the call takes it all.
\echo
\set ECHO queries
SELECT id AS call, created, current_status
FROM platform.start_call('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1',
	source => 'twilio', from_number => '(312) 555-0148', call_sid => 'CA-tour') \gset
SELECT outcome, current_status, talk_seconds FROM unnest('{ringing,completed,in-progress,ringing,completed}'::text[],
	'{60,5,50,62,5}'::int[]) AS report (status, ago),
	platform.advance_call('d0000000-0000-4000-8000-000000000001', 'CA-tour', report.status, now() - ago * interval '1 s');
SELECT status, from_number, answered_at - started_at AS rang, duration FROM platform.calls WHERE id = :'call';
\set ECHO none
\echo
\echo The end came before the answer; once the answer was reported too, the duration was
\echo known. What does not exist does not happen, to nobody:
\echo
\set ECHO queries
UPDATE platform.calls SET status = 'ringing' WHERE id = :'call';
\set ECHO none
\echo
\echo What was said, found by its words: in milliseconds also for members, whom row security
\echo would otherwise keep from the index.
\echo
\set ECHO queries
SELECT speaker, snippet FROM platform.search_transcripts('d0000000-0000-4000-8000-000000000001', 'refund');
SELECT * FROM platform.talk_time('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1');
SELECT content, confidence FROM platform.low_confidence_transcripts('d0000000-0000-4000-8000-000000000001');
\set ECHO none
\echo
\echo An organization that demands consent stores no recording without it.
\echo
\set ECHO queries
BEGIN;
UPDATE platform.organizations SET settings = settings || '{"calls": {"requireRecordingConsent": true}}'
WHERE id = 'd0000000-0000-4000-8000-000000000001';
SAVEPOINT before;
SELECT platform.add_call_recording('d0000000-0000-4000-8000-000000000001', :'call', 'https://storage.example/tour.mp3');
ROLLBACK TO before;
SELECT platform.record_consent('d0000000-0000-4000-8000-000000000001', :'call', 'verbal_yes', 1200) IS NOT NULL AS recorded;
SELECT platform.add_call_recording('d0000000-0000-4000-8000-000000000001', :'call', 'https://storage.example/tour.mp3') IS NOT NULL AS stored;
ROLLBACK;
SELECT platform.estimate_mos(40, 5, 0) AS next_door, platform.estimate_mos(400, 30, 3) AS far_away;
