-- What staff says of a call: dispositions and notes, whose they are, what members of another organization see of them (nothing)
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca120000-0000-4000-8000-000000000001\''
\set other '\'ca120000-0000-4000-8000-000000000002\''
\set ada '\'ca120000-0000-4000-8000-0000000000a1\''
\set ben '\'ca120000-0000-4000-8000-0000000000a2\''
\set zoe '\'ca120000-0000-4000-8000-0000000000a3\''
\set call '\'ca120000-0000-4000-8000-0000000000c1\''
\set gone '\'ca120000-0000-4000-8000-0000000000c2\''
\set theirs '\'ca120000-0000-4000-8000-0000000000c3\''
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Notes One'), (:other, 'Notes Two');
INSERT INTO platform.users (id, email, full_name) VALUES (:ada, 'ada@calls-notes.example', 'Ada Agent'), (:ben, 'ben@calls-notes.example', 'Ben Boss'), (:zoe, 'zoe@calls-notes.example', 'Zoe Other');
INSERT INTO platform.calls (id, organization_id, status, deleted_at) VALUES (:call, :org, 'completed', NULL), (:gone, :org, 'completed', now()), (:theirs, :other, 'completed', NULL);
INSERT INTO platform.call_notes (organization_id, call_id, note, created_by) VALUES (:other, :theirs, 'secret', :zoe);
\o /dev/null
SELECT platform.set_context(:org, :ada, 'agent');
\o
SET ROLE platform_test_member;
SAVEPOINT a;
\set ECHO all

-- a disposition: who and when by itself
SELECT r ->> 'disposition' AS disposition, r ->> 'disposition_notes' AS notes, (r ->> 'disposition_set_by')::uuid = :ada AS by_ada, (r ->> 'disposition_set_at')::timestamptz = now() AS now
FROM platform.set_call_disposition(:org, :call, 'sale', 'premium plan') r;
SELECT r ->> 'disposition' AS disposition, r ->> 'disposition_notes' AS notes FROM platform.set_call_disposition(:org, :call, 'follow_up') r;
SELECT r ->> 'disposition' AS disposition, r ->> 'disposition_set_by' AS by FROM platform.set_call_disposition(:org, :call, NULL) r;
SELECT d, platform.set_call_disposition(:org, :call, d) ->> 'disposition' = d AS set
FROM unnest('{sale,no_answer,voicemail,not_interested,follow_up,wrong_number,callback_scheduled,other}'::text[]) d;
SELECT platform.set_call_disposition(:org, :call, 'maybe'); ROLLBACK TO a;
SELECT platform.set_call_disposition(:org, :gone, 'sale'); ROLLBACK TO a;
SELECT platform.set_call_disposition(:org, :theirs, 'sale'); ROLLBACK TO a;
SELECT platform.set_call_disposition(:other, :theirs, 'sale'); ROLLBACK TO a;
SELECT platform.set_call_disposition(:org, NULL, 'sale'); ROLLBACK TO a;
SELECT platform.set_call_disposition(NULL, :call, 'sale'); ROLLBACK TO a;
-- as an older client writes it
UPDATE platform.calls SET disposition = 'sale', disposition_set_at = now(), disposition_set_by = :ben, disposition_notes = 'x' WHERE id = :call
RETURNING disposition, disposition_set_by = :ada AS by_ada;

-- notes: a text, tags, both
SELECT platform.add_call_note(:org, :call, 'Customer concerned about cost but interested', ARRAY['objection_raised', 'pricing_discussed']) AS note \gset
SELECT platform.add_call_note(:org, :call, tags => '{technical_issue}') IS NOT NULL AS added;
SELECT platform.add_call_note(:org, :call, repeat('x', 500)) IS NOT NULL AS added;
INSERT INTO platform.call_notes (call_id, organization_id, tags, note) VALUES (:call, :org, '{follow_up_needed}', 'by hand') RETURNING created_by = :ada AS by_ada;
SELECT left(note, 20) AS note, tags, author, created_by = :ada AS by_ada FROM platform.call_notes(:org, :call) ORDER BY id;
SELECT count(*) FROM platform.call_notes(:org, :call, 2);
SAVEPOINT a;
SELECT platform.add_call_note(:org, :call, repeat('x', 501)); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call, ''); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call, 'x', '{nonsense}'); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call, 'x', ARRAY[NULL::text]); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call, 'x', NULL); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :call, 'x', created_by => :ben); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :gone, 'x'); ROLLBACK TO a;
SELECT platform.add_call_note(:org, :theirs, 'x'); ROLLBACK TO a;
SELECT platform.add_call_note(:other, :theirs, 'x'); ROLLBACK TO a;
SELECT * FROM platform.call_notes(:other, :theirs); ROLLBACK TO a;
SELECT * FROM platform.call_notes(:org, :theirs); ROLLBACK TO a;
SELECT * FROM platform.call_notes(:org, :call, 0); ROLLBACK TO a;
SELECT * FROM platform.call_notes(:org, NULL); ROLLBACK TO a;
\set VERBOSITY terse
INSERT INTO platform.call_notes (call_id, organization_id, note, created_by) VALUES (:call, :org, 'as somebody else', :ben); ROLLBACK TO a;
INSERT INTO platform.call_notes (call_id, organization_id, note) VALUES (:theirs, :org, 'elsewhere'); ROLLBACK TO a;
INSERT INTO platform.call_notes (call_id, organization_id, note) VALUES (:theirs, :other, 'elsewhere'); ROLLBACK TO a;
INSERT INTO platform.call_notes (call_id, organization_id) VALUES (:call, :org); ROLLBACK TO a;
\set VERBOSITY default

-- the author changes it, nobody else; an administrator may delete it
UPDATE platform.call_notes SET note = 'changed', tags = '{}' WHERE id = :'note' RETURNING note;
UPDATE platform.call_notes SET created_by = :ben WHERE id = :'note'; ROLLBACK TO a;
RESET ROLE;
SELECT platform.set_context(:org, :ben, 'member');
SET ROLE platform_test_member;
SELECT count(*) AS seen FROM platform.call_notes;
UPDATE platform.call_notes SET note = 'mine now' WHERE id = :'note' RETURNING note;
DELETE FROM platform.call_notes WHERE id = :'note' RETURNING note;
RESET ROLE;
SELECT platform.set_context(:org, :ben, 'admin');
SET ROLE platform_test_member;
UPDATE platform.call_notes SET note = 'mine now' WHERE id = :'note' RETURNING note;
DELETE FROM platform.call_notes WHERE id = :'note' RETURNING note;

-- members of another organization, and nobody
RESET ROLE;
SELECT platform.set_context(:other, :zoe, 'owner');
SET ROLE platform_test_member;
SELECT count(*) AS notes, bool_and(note = 'secret') AS own FROM platform.call_notes;
SELECT count(*) FILTER (WHERE organization_id = :org) AS calls FROM platform.calls;
UPDATE platform.calls SET notes = 'read by Zoe' WHERE id = :call RETURNING notes;
SAVEPOINT a;
SELECT * FROM platform.call_notes(:org, :call); ROLLBACK TO a;
SELECT * FROM platform.call_notes(:other, :call); ROLLBACK TO a;
RESET ROLE;
SELECT platform.set_context(NULL);
SET ROLE platform_test_member;
SELECT count(*) FROM platform.call_notes;
SAVEPOINT a;
SELECT platform.add_call_note(:org, :call, 'x'); ROLLBACK TO a;
RESET ROLE;
-- an operator names the author, or has none
SELECT platform.add_call_note(:org, :call, 'for Ben', created_by => :ben) IS NOT NULL AS added;
SAVEPOINT a;
SELECT platform.add_call_note(:org, :call, 'for nobody'); ROLLBACK TO a;
SET ROLE platform_test_stranger;
SELECT platform.set_call_disposition(:org, :call, 'sale'); ROLLBACK TO a;
ROLLBACK;
