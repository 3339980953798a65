-- The columns of calls and what belongs to them: every list of words, range and length at its edges, the names that older systems know
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca1c0000-0000-4000-8000-000000000001\''
BEGIN;
\ir ../kit/columns.sql
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Columns');
INSERT INTO platform.users (id, email) VALUES ('ca1c0000-0000-4000-8000-0000000000a1', 'ada@calls-columns.example');
INSERT INTO platform.calls (id, organization_id) VALUES ('ca1c0000-0000-4000-8000-0000000000c1', :org);
INSERT INTO platform.webrtc_sessions (id, organization_id, user_id, session_token_hash, expires_at) VALUES ('ca1c0000-0000-4000-8000-0000000000e1', :org, 'ca1c0000-0000-4000-8000-0000000000a1', sha256('x'), now());
INSERT INTO least VALUES ('calls', '{}'), ('conversations', '{}'),
	('call_notes', '{"call_id": "ca1c0000-0000-4000-8000-0000000000c1", "note": "x", "created_by": "ca1c0000-0000-4000-8000-0000000000a1"}'),
	('consent_logs', '{"call_id": "ca1c0000-0000-4000-8000-0000000000c1", "method": "written"}'),
	('call_recordings', '{"call_id": "ca1c0000-0000-4000-8000-0000000000c1"}'),
	('call_transcripts', '{"call_id": "ca1c0000-0000-4000-8000-0000000000c1", "role": "user", "content": "x", "start_time": 10, "end_time": 20}'),
	('webrtc_sessions', '{"user_id": "ca1c0000-0000-4000-8000-0000000000a1", "session_token_hash": "\\x4c8c2e5a0f3d6b7e9a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef", "expires_at": "2030-01-01"}'),
	('webrtc_quality_samples', '{"session_id": "ca1c0000-0000-4000-8000-0000000000e1"}'),
	('dialer_queue', '{"to_number": "+13125550100"}');
UPDATE least SET row = row || '{"organization_id": "ca1c0000-0000-4000-8000-000000000001"}' WHERE true;
\set ECHO all

-- lists of words
SELECT pg_temp.try('calls', 'source', 'web whatsapp twilio custom facebook ''''') AS source;
SELECT pg_temp.try('calls', 'direction', 'inbound outbound both') AS direction;
SELECT pg_temp.try('calls', 'status', 'pending ringing in_progress completed failed no_answer busy canceled cancelled no-answer') AS status;
SELECT pg_temp.try('calls', 'ai_provider', 'openai google anthropic azure') AS ai_provider;
SELECT pg_temp.try('calls', 'disposition', 'sale no_answer voicemail not_interested follow_up wrong_number callback_scheduled other maybe') AS disposition;
SELECT pg_temp.try('calls', 'consent_method', 'ivr_played verbal_yes dtmf_confirm written assumed none nodded') AS consent_method;
SELECT pg_temp.try('calls', 'end_reason', 'completed user_hangup agent_ended timeout error bored') AS end_reason;
SELECT pg_temp.try('consent_logs', 'method', 'ivr_played verbal_yes dtmf_confirm written assumed none nodded') AS method;
SELECT pg_temp.try('call_recordings', 'consent_method', 'ivr_played verbal_yes dtmf_confirm written assumed none nodded') AS consent_method;
SELECT pg_temp.try('call_recordings', 'outcome', 'Hangup Gatekeeper Sold') AS outcome;
SELECT pg_temp.try('call_transcripts', 'role', 'user assistant system robot') AS role;
SELECT pg_temp.try('webrtc_sessions', 'status', 'initializing connecting connected on_call disconnected failed closed') AS status;
SELECT pg_temp.try('dialer_queue', 'status', 'queued done failed canceled lost') AS status;
SELECT pg_temp.try('conversations', 'channel', 'web whatsapp facebook twilio custom fax') AS channel;
SELECT pg_temp.try('conversations', 'status', 'open closed lost') AS status;
SELECT pg_temp.try('call_notes', 'tags', '["objection_raised"] ["competitor_mentioned","pricing_discussed"] ["escalation_required"] ["decision_maker_reached"] ["follow_up_needed"] ["compliance_issue"] ["quality_concern"] ["positive_feedback"] ["technical_issue"] [] ["other"] [null]') AS tags;

-- ranges
SELECT pg_temp.try('calls', 'call_quality', '0 1 5 6') AS call_quality, pg_temp.try('calls', 'sentiment_score', '-101 -100 100 101') AS sentiment_score,
	pg_temp.try('calls', 'duration', '-1 0') AS duration, pg_temp.try('calls', 'consent_audio_offset_ms', '-1 0') AS "offset";
SELECT pg_temp.try('consent_logs', 'audio_offset_ms', '-1 0') AS "offset", pg_temp.try('call_recordings', 'duration', '-1 0') AS duration;
SELECT pg_temp.try('call_transcripts', 'confidence', '-0.0001 0 1 1.0001') AS confidence, pg_temp.try('call_transcripts', 'end_time', '9 10 11') AS end_time,
	pg_temp.answer('call_transcripts', '{"start_time": -1}') AS before, pg_temp.answer('call_transcripts', '{"start_time": 0, "duration": 7}') AS kept;
SELECT pg_temp.try('webrtc_sessions', 'packet_loss_percent', '-1 0 100 101') AS loss, pg_temp.try('webrtc_sessions', 'jitter_ms', '-1 0') AS jitter,
	pg_temp.try('webrtc_sessions', 'round_trip_time_ms', '-1 0') AS rtt, pg_temp.try('webrtc_sessions', 'audio_bitrate', '-1 0') AS bitrate, pg_temp.try('webrtc_sessions', 'mos', '0.99 1 5 5.01') AS mos;
SELECT pg_temp.try('webrtc_quality_samples', 'packet_loss_percent', '-1 0 100 101') AS loss, pg_temp.try('webrtc_quality_samples', 'jitter_ms', '-1 0') AS jitter,
	pg_temp.try('webrtc_quality_samples', 'round_trip_time_ms', '-1 0') AS rtt, pg_temp.try('webrtc_quality_samples', 'audio_bitrate', '-1 0') AS bitrate, pg_temp.try('webrtc_quality_samples', 'mos', '0.99 1 5 5.01') AS mos;
SELECT pg_temp.try('dialer_queue', 'max_attempts', '0 1 100 101') AS max_attempts, pg_temp.try('dialer_queue', 'attempts', '-1 0') AS attempts;

-- lengths
SELECT pg_temp.try('calls', 'call_sid', '''''') AS none, pg_temp.answer('calls', jsonb_build_object('call_sid', repeat('s', 255))) AS most, pg_temp.answer('calls', jsonb_build_object('call_sid', repeat('s', 256))) AS more;
SELECT c.name, c.most, pg_temp.answer(c.target, jsonb_build_object(c.name, repeat('x', c.most))) AS at_most, pg_temp.answer(c.target, jsonb_build_object(c.name, repeat('x', c.most + 1))) AS more
FROM (VALUES (1, 'calls', 'recording_url', 2048), (2, 'calls', 'transcript_url', 2048), (3, 'calls', 'model_id', 100), (4, 'calls', 'error_code', 50),
	(5, 'call_notes', 'note', 500), (6, 'conversations', 'subject', 255), (7, 'consent_logs', 'version', 63), (8, 'consent_logs', 'user_agent', 500),
	(9, 'call_recordings', 'recording_url', 2048), (10, 'call_recordings', 'storage_path', 1024), (11, 'call_transcripts', 'audio_url', 2048), (12, 'webrtc_sessions', 'user_agent', 500)) AS c (n, target, name, most) ORDER BY c.n;
SELECT pg_temp.try('call_notes', 'note', '''''') AS note, pg_temp.answer('call_notes', '{"note": null}') AS neither, pg_temp.answer('call_notes', '{"note": null, "tags": ["technical_issue"]}') AS tags_alone,
	pg_temp.try('call_transcripts', 'content', '''''') AS content, pg_temp.answer('call_transcripts', '{"content": " \t\n"}') AS blanks, pg_temp.try('consent_logs', 'version', '''''') AS version;
-- characters, not bytes
SELECT pg_temp.answer('call_notes', jsonb_build_object('note', repeat(E'\u00e9', 500))) AS at_most, pg_temp.answer('call_notes', jsonb_build_object('note', repeat(E'\u00e9', 501))) AS more;

-- telephone numbers: made E.164 or refused
SELECT pg_temp.try('calls', 'from_number', '+1312555 +131255 +123456789012345 +1234567890123456 3125550100 1-312-555-0100 0 none ''''') AS from_number,
	pg_temp.try('calls', 'to_number', '+442071838750 x') AS to_number;
SELECT pg_temp.try('dialer_queue', 'to_number', '+13125550100 3125550100 +0312555010 none') AS to_number, pg_temp.try('dialer_queue', 'from_number', '+13125550100 none') AS from_number;

-- what belongs together
SELECT pg_temp.answer('consent_logs', '{"call_id": null}') AS nobodys, pg_temp.answer('consent_logs', '{"method": null}') AS no_method,
	pg_temp.answer('consent_logs', '{"call_id": null, "method": null, "user_id": "ca1c0000-0000-4000-8000-0000000000a1"}') AS to_the_terms;
SELECT pg_temp.answer('dialer_queue', '{"to_number": null}') AS no_target, pg_temp.answer('dialer_queue', '{"to_number": null, "lead_id": "ca1c0000-0000-4000-8000-0000000000f1"}') AS lead,
	pg_temp.answer('dialer_queue', '{"status": "claimed"}') AS no_lease, pg_temp.answer('dialer_queue', '{"lease_id": "ca1c0000-0000-4000-8000-0000000000f1", "lease_until": "2030-01-01"}') AS not_claimed,
	pg_temp.answer('dialer_queue', '{"status": "claimed", "lease_id": "ca1c0000-0000-4000-8000-0000000000f1"}') AS endless,
	pg_temp.answer('dialer_queue', '{"status": "claimed", "lease_id": "ca1c0000-0000-4000-8000-0000000000f1", "lease_until": "2030-01-01"}') AS claimed;
SELECT pg_temp.try('conversations', 'metadata', '{} []') AS conversation, pg_temp.try('call_transcripts', 'metadata', '{} []') AS transcript,
	pg_temp.try('dialer_queue', 'metadata', '{} []') AS job, pg_temp.try('call_recordings', 'qa_flags', '[] {}') AS qa_flags, pg_temp.answer('webrtc_sessions', '{"session_token_hash": "\\x00"}') AS token_hash;
-- rows of others: a key of another organization is none
INSERT INTO platform.organizations (id, name) VALUES ('ca1c0000-0000-4000-8000-000000000002', 'Columns two');
SELECT table_name, pg_temp.answer(table_name, '{"organization_id": "ca1c0000-0000-4000-8000-000000000002"}') AS answer FROM least WHERE row ? 'call_id' OR row ? 'session_id' ORDER BY table_name COLLATE "C";
-- rows in any state: a restore's, or an operator's
SELECT s.name, (SELECT pg_temp.answer('calls', jsonb_build_object('status', s.name, 'ended_at', '2020-01-01'))) AS call
FROM regexp_split_to_table('pending ringing in_progress completed failed no_answer busy canceled', ' ') WITH ORDINALITY s (name, n) ORDER BY s.n;

-- the names that older systems know: indexes with what they hold
SELECT indexname, regexp_replace(indexdef, '^CREATE (UNIQUE )?INDEX \S+ ON platform\.', '\1') AS definition FROM pg_indexes
WHERE schemaname = 'platform' AND tablename IN ('calls', 'call_transcripts') AND indexname LIKE 'idx\_%' ORDER BY indexname COLLATE "C";
ROLLBACK;
