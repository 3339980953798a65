-- migration 911 legacy: step 11 of 13, transcripts
-- requires: migrate
-- optional

-- up

-- Where chatbots belong to another module, so does this table.
SELECT platform.run_legacy('chatbots', $$INSERT INTO platform.legacy_memory (step, name, value) VALUES (11, 'table', 'made')$$)
WHERE platform.legacy_relation('call_transcripts') IS NULL;
SELECT platform.remember_legacy_additions(11, 'call_transcripts', '{}', '{}', '{idx_call_transcripts_call_id,idx_call_transcripts_role,idx_call_transcripts_content_search}')
WHERE platform.legacy_relation('call_transcripts') IS NOT NULL;
SELECT platform.run_legacy('chatbots', $$CREATE TABLE IF NOT EXISTS {call_transcripts} (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	call_id uuid NOT NULL REFERENCES {calls} (id) ON DELETE CASCADE,
	role varchar(20) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
	content text NOT NULL CHECK (content <> ''),
	start_time integer NOT NULL,
	end_time integer NOT NULL CHECK (end_time > start_time),
	duration integer NOT NULL CHECK (duration = end_time - start_time),
	audio_url varchar(500),
	confidence numeric(5,4) CHECK (confidence BETWEEN 0 AND 1),
	metadata jsonb,
	created_at timestamptz NOT NULL DEFAULT now()
)$$);
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_call_transcripts_call_id
	ON {call_transcripts} (call_id, start_time)');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_call_transcripts_role
	ON {call_transcripts} (call_id, role)');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_call_transcripts_content_search
	ON {call_transcripts} USING gin (to_tsvector(''english'', content))');

-- down

SELECT platform.run_legacy('call_transcripts', 'DROP TABLE {call_transcripts}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 11 AND name = 'table');
SELECT platform.undo_legacy_additions(11, 'call_transcripts')
WHERE platform.legacy_relation('call_transcripts') IS NOT NULL;
DELETE FROM platform.legacy_memory WHERE step = 11;

-- checks

-- check: the table is there
SELECT FROM platform.legacy_memory WHERE step = 11 AND platform.legacy_relation('call_transcripts') IS NULL;
-- check: its indexes are there
SELECT FROM (VALUES ('idx_call_transcripts_call_id'), ('idx_call_transcripts_role'), ('idx_call_transcripts_content_search')) AS i (name)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 11) AND NOT EXISTS (SELECT FROM pg_index
	WHERE indrelid = platform.legacy_relation('call_transcripts') AND indexrelid::regclass::text LIKE '%' || i.name);
-- check: transcripts have their call
SELECT WHERE CASE WHEN platform.legacy_relation('call_transcripts') IS NULL THEN 0
	ELSE platform.count_legacy('SELECT FROM {call_transcripts} t
	WHERE NOT EXISTS (SELECT FROM {calls} c WHERE c.id = t.call_id)') END > 0;
