-- migration 901 legacy: step 1 of 13, users.avatar_url is text
-- requires: migrate
-- optional

-- up

-- What the steps must know to be undone: what was there before them.
CREATE TABLE IF NOT EXISTS platform.legacy_memory (
	step integer NOT NULL,
	name text NOT NULL,
	value text NOT NULL,
	CONSTRAINT legacy_memory_pkey PRIMARY KEY (step, name)
);
COMMENT ON TABLE platform.legacy_memory IS
	'What the steps of module legacy found, for undoing them.';
ALTER TABLE platform.legacy_memory ENABLE ROW LEVEL SECURITY;
INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('legacy_memory', 'local', '{}', 'of the older schema of this database')
ON CONFLICT (table_name) DO NOTHING;

INSERT INTO platform.legacy_memory (step, name, value)
SELECT 1, 'type', format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = platform.legacy_relation('users') AND attname = 'avatar_url' AND atttypid <> 'text'::regtype;
SELECT platform.run_legacy('users', 'ALTER TABLE {users} ALTER COLUMN avatar_url TYPE text')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 1);

-- down

SELECT platform.cut_legacy_avatars(), platform.run_legacy('users', 'ALTER TABLE {users} ALTER COLUMN avatar_url TYPE {memory:1.type}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 1);
DROP TABLE IF EXISTS platform.legacy_memory;
DELETE FROM platform.table_kinds WHERE table_name = 'legacy_memory';

-- checks

-- check: avatar_url is text
SELECT FROM pg_attribute
WHERE attrelid = platform.legacy_relation('users') AND attname = 'avatar_url' AND atttypid <> 'text'::regtype;
