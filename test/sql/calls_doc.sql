-- The examples of the page about calls
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\o /dev/null
SELECT * FROM platform.load_demo_data();
\o
\set ECHO all

SELECT id AS call, created, current_status
FROM platform.start_call('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1',
	source => 'twilio', from_number => '(312) 555-0147', to_number => '+13125550100', call_sid => 'CA-doc-1') \gset
SELECT outcome, current_status FROM platform.advance_call('d0000000-0000-4000-8000-000000000001', 'CA-doc-1', 'ringing');
SELECT outcome, current_status, talk_seconds
FROM platform.advance_call('d0000000-0000-4000-8000-000000000001', 'CA-doc-1', 'completed', duration => 42);
SELECT outcome, current_status FROM platform.advance_call('d0000000-0000-4000-8000-000000000001', 'CA-doc-1', 'in-progress');   -- late
SELECT outcome, current_status FROM platform.end_call('d0000000-0000-4000-8000-000000000001', 'CA-doc-1', 'user_hangup');       -- over
SELECT outcome, current_status, talk_seconds FROM platform.correct_call('d0000000-0000-4000-8000-000000000001', :'call', 'it was the voicemail', 'no_answer');

SELECT platform.set_call_disposition('d0000000-0000-4000-8000-000000000001', :'call', 'voicemail', 'left a message') ->> 'disposition' AS disposition;
SELECT platform.add_call_note('d0000000-0000-4000-8000-000000000001', :'call', 'Asks for a price list',
	'{pricing_discussed,follow_up_needed}', created_by => 'd0000000-0000-4000-8000-0000000000a3') IS NOT NULL AS added;
SELECT note, tags, author FROM platform.call_notes('d0000000-0000-4000-8000-000000000001', :'call');

SELECT platform.record_consent('d0000000-0000-4000-8000-000000000001', :'call', 'verbal_yes', 1500) IS NOT NULL AS recorded;
SELECT platform.add_call_recording('d0000000-0000-4000-8000-000000000001', :'call',
	'https://storage.example/1.mp3?signature=1', 42, 'calls/1.mp3', now() + interval '10 minutes') AS recording \gset
SELECT recording_url, url_expired, duration, consent_method FROM platform.list_call_recordings('d0000000-0000-4000-8000-000000000001', :'call');
SELECT platform.renew_recording_url('d0000000-0000-4000-8000-000000000001', :'recording', 'https://storage.example/1.mp3?signature=2');

CREATE INDEX my_transcripts_german ON platform.call_transcripts USING gin (to_tsvector('german', content));

SELECT platform.add_transcript('d0000000-0000-4000-8000-000000000001', :'call', 'assistant', 'Hello, how can I help you?', 0, 2500, 0.99) IS NOT NULL AS added;
SELECT platform.add_transcript('d0000000-0000-4000-8000-000000000001', :'call', 'user', 'I need a refund for two invoices.', 3000, 5200, 0.62) IS NOT NULL AS added;
SELECT role, content, duration FROM platform.call_transcript('d0000000-0000-4000-8000-000000000001', :'call');
SELECT speaker, snippet FROM platform.search_transcripts('d0000000-0000-4000-8000-000000000001', '"two invoices" refunds');
SELECT user_talk_time_ms, assistant_talk_time_ms, user_share FROM platform.talk_time('d0000000-0000-4000-8000-000000000001', :'call');
SELECT content, confidence FROM platform.low_confidence_transcripts('d0000000-0000-4000-8000-000000000001') WHERE call_id = :'call';
SELECT platform.complete_call_transcript('d0000000-0000-4000-8000-000000000001', :'call');

SELECT platform.estimate_mos(40, 5, 0), platform.estimate_mos(400, 30, 3);
SELECT id AS session, session_token AS token FROM platform.create_webrtc_session('d0000000-0000-4000-8000-000000000001',
	user_id => 'd0000000-0000-4000-8000-0000000000a3') \gset
SELECT status FROM platform.authenticate_webrtc_session(:'token');
SELECT outcome, current_status FROM platform.advance_webrtc_session('d0000000-0000-4000-8000-000000000001', :'session', 'connected');
SELECT platform.add_webrtc_sample('d0000000-0000-4000-8000-000000000001', :'session', 120, 8, 0.4, 32000);
SELECT samples, average_mos FROM platform.webrtc_quality('d0000000-0000-4000-8000-000000000001', :'session');
SELECT status, mos FROM platform.active_webrtc_sessions('d0000000-0000-4000-8000-000000000001') WHERE id = :'session';

SELECT platform.enqueue_dialer_job('d0000000-0000-4000-8000-000000000001', '(312) 555-0148') IS NOT NULL AS queued;
SELECT id AS job, lease_id AS lease, to_number, attempt FROM platform.claim_dialer_jobs('d0000000-0000-4000-8000-000000000001', 'dialer 1') \gset
SELECT platform.finish_dialer_job('d0000000-0000-4000-8000-000000000001', :'job', :'lease', 'retry', 'busy', '10 minutes');
ROLLBACK;
