-- Transcripts: what may be said, in order, found by words, whose it is; talk time; what to look at again
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca140000-0000-4000-8000-000000000001\''
\set other '\'ca140000-0000-4000-8000-000000000002\''
\set ada '\'ca140000-0000-4000-8000-0000000000a1\''
\set call '\'ca140000-0000-4000-8000-0000000000c1\''
\set gone '\'ca140000-0000-4000-8000-0000000000c2\''
\set theirs '\'ca140000-0000-4000-8000-0000000000c3\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Words One'), (:other, 'Words Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@calls-transcripts.example');
INSERT INTO platform.calls (id, organization_id, status, deleted_at) VALUES (:call, :org, 'completed', NULL), (:gone, :org, 'completed', NULL), (:theirs, :other, 'completed', NULL);
SELECT platform.add_transcript(:other, :theirs, 'user', 'I want my refund, says somebody else', 0, 1000);
SELECT platform.add_transcript(:org, :gone, 'user', 'A refund that is forgotten', 0, 1000);
UPDATE platform.calls SET deleted_at = now() WHERE id = :gone;
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
\o
\set ECHO all

SELECT platform.add_transcript(:org, :call, 'assistant', 'Hello, how can I help you?', 0, 2500, 0.99) IS NOT NULL AS added;
SELECT platform.add_transcript(:org, :call, 'user', 'I need a refund for my last two invoices.', 3000, 5200, 0.95, 'https://storage.example/u1.mp3', '{"language": "en"}') IS NOT NULL AS added;
SELECT platform.add_transcript(:org, :call, 'assistant', 'Refunding two invoices takes a week.', 5200, 8000, 0.6999) IS NOT NULL AS added;
SELECT platform.add_transcript(:org, :call, 'user', 'Eine Katze unter vielen Katzen', 9000, 9001, 0) IS NOT NULL AS added;
SELECT platform.add_transcript(:org, :call, 'system', 'User has left the call.', 8000, 8100) IS NOT NULL AS added;
SELECT role, content, start_time, end_time, duration, confidence, audio_url, metadata FROM platform.call_transcript(:org, :call);
SELECT * FROM platform.talk_time(:org, :call);

-- what may not be said
SAVEPOINT a;
SELECT platform.add_transcript(:org, :call, 'robot', 'x', 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', '', 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', E' \n\t', 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 5, 5); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 5, 4); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', -1, 4); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 0, 1, 1.0001); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 0, 1, -0.1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 0, 1, 'NaN'); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', 'x', 0, 1, metadata => '[]'); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :call, 'user', NULL, 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :gone, 'user', 'x', 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:org, :theirs, 'user', 'x', 0, 1); ROLLBACK TO a;
SELECT platform.add_transcript(:other, :theirs, 'user', 'x', 0, 1); ROLLBACK TO a;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :call, 'user', 'x', 0, 1); ROLLBACK TO a;
SELECT * FROM platform.call_transcript(:org, :theirs); ROLLBACK TO a;
SELECT * FROM platform.call_transcript(:other, :theirs); ROLLBACK TO a;
SELECT * FROM platform.talk_time(:org, :theirs); ROLLBACK TO a;
SELECT count(*) FILTER (WHERE organization_id = :other) AS theirs FROM platform.call_transcripts;

-- search: stems, phrases, or, without; nothing is a syntax error; deleted calls and other organizations are not found
SELECT speaker, start_time, snippet, rank > 0 AS ranked FROM platform.search_transcripts(:org, 'refund');
SELECT speaker, snippet FROM platform.search_transcripts(:org, '"two invoices" -week');
SELECT speaker FROM platform.search_transcripts(:org, 'hello or refunds') ORDER BY start_time;
SELECT speaker FROM platform.search_transcripts(:org, 'refund', role => 'assistant');
SELECT count(*) FROM platform.search_transcripts(:org, 'refund', "limit" => 1);
SELECT count(*) FROM platform.search_transcripts(:org, 'refund', "from" => now() + interval '1 s');
SELECT count(*) FROM platform.search_transcripts(:org, 'refund', "to" => now() + interval '1 s');
SELECT q, (SELECT count(*) FROM platform.search_transcripts(:org, q)) AS found FROM unnest(ARRAY['the', '& | !', '((', ''':*', '"', 'refund & ( invoices', '-refund', E'\\', '%', 'nowhere']) q;
SELECT speaker, snippet FROM platform.search_transcripts(:org, 'katzen', 'german');
SELECT count(*) FROM platform.search_transcripts(:org, 'katzen', 'simple');
SAVEPOINT a;
SELECT platform.search_transcripts(:org, ''); ROLLBACK TO a;
SELECT platform.search_transcripts(:org, NULL); ROLLBACK TO a;
SELECT platform.search_transcripts(:org, 'x', 'klingon'); ROLLBACK TO a;
SELECT platform.search_transcripts(:org, 'x', '0'); ROLLBACK TO a;
SELECT platform.search_transcripts(:org, repeat('x', 1001)); ROLLBACK TO a;
SELECT platform.search_transcripts(:org, 'x', "limit" => 0); ROLLBACK TO a;
SELECT platform.search_transcripts(:other, 'refund'); ROLLBACK TO a;

-- to be looked at again
SELECT content, confidence FROM platform.low_confidence_transcripts(:org);
SELECT count(*) FROM platform.low_confidence_transcripts(:org, 0.96);
SELECT count(*) FROM platform.low_confidence_transcripts(:org, 1, 1);
SELECT platform.low_confidence_transcripts(:org, 1.5); ROLLBACK TO a;
SELECT platform.low_confidence_transcripts(:other); ROLLBACK TO a;

-- complete
SELECT platform.add_call_recording(:org, :call, 'https://storage.example/a.mp3') IS NOT NULL AS stored;
SELECT platform.complete_call_transcript(:org, :call, 'https://storage.example/a.json'), platform.complete_call_transcript(:org, :call) AS again;
SELECT transcribed_at = now() AS now, transcript_url FROM platform.calls WHERE id = :call;
SELECT transcribed_at = now() AS now FROM platform.recordings WHERE call_id = :call;
SAVEPOINT a;
SELECT platform.complete_call_transcript(:org, :theirs); ROLLBACK TO a;
SELECT platform.complete_call_transcript(:org, NULL); ROLLBACK TO a;

-- rows by hand: the duration is kept, the rules hold for operators
RESET ROLE;
SELECT platform.set_context(NULL);
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time, duration) VALUES (:org, :call, 'user', 'by hand', 10, 25, 7) RETURNING duration;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :call, 'user', 'by hand too', 10, 25) RETURNING duration;
UPDATE platform.call_transcripts SET end_time = 30 WHERE content = 'by hand' RETURNING duration;
\set VERBOSITY sqlstate
SAVEPOINT a;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :call, 'user', 'x', 25, 10); ROLLBACK TO a;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :call, 'user', 'x', 0, NULL); ROLLBACK TO a;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :call, 'user', ' ', 0, 1); ROLLBACK TO a;
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time) VALUES (:org, :theirs, 'user', 'x', 0, 1); ROLLBACK TO a;
\set VERBOSITY default
SET ROLE platform_test_stranger;
SELECT platform.search_transcripts(:org, 'refund'); ROLLBACK TO a;
-- the search uses the index, for a member too: under row security @@ alone cannot
\set ECHO none
\o /dev/null
INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time)
SELECT :org, :call, 'user', 'nothing ' || md5(i::text), i, i + 1 FROM generate_series(1, 3000) i;
ANALYZE platform.call_transcripts;
SELECT platform.set_context(:org, :ada, 'agent');
\o
SET ROLE platform_test_member;
\set ECHO all
SELECT pg_stat_get_xact_numscans('platform.idx_call_transcripts_content_search'::regclass) AS scans \gset
SELECT count(*) AS found FROM platform.search_transcripts(:org, 'refund');
SELECT pg_stat_get_xact_numscans('platform.idx_call_transcripts_content_search'::regclass) - :scans AS by_function;
SELECT count(*) AS found FROM platform.call_transcripts WHERE organization_id = :org AND to_tsvector('english', content) @@ websearch_to_tsquery('english', 'refund');
SELECT pg_stat_get_xact_numscans('platform.idx_call_transcripts_content_search'::regclass) - :scans AS by_both;
RESET ROLE;
ROLLBACK;
