-- migration 906 legacy: step 6 of 13, chatbots have no type
-- requires: migrate
-- optional

-- up

INSERT INTO platform.legacy_memory (step, name, value)
SELECT 6, m.name, m.value
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum,
	LATERAL (VALUES
		('name', quote_ident(a.attname)),
		('type', format_type(a.atttypid, a.atttypmod)),
		('1 default', 'ALTER COLUMN ' || quote_ident(a.attname) || ' SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)),
		('2 not null', CASE WHEN a.attnotnull THEN 'ALTER COLUMN ' || quote_ident(a.attname) || ' SET NOT NULL' END)) AS m (name, value)
WHERE a.attrelid = platform.legacy_relation('chatbots')
	AND a.attname = platform.legacy_column('chatbots', 'type') AND m.value IS NOT NULL
ON CONFLICT DO NOTHING;
-- What hangs on the column goes with it.
INSERT INTO platform.legacy_memory (step, name, value)
SELECT 6, '3 constraint ' || c.conname, 'ADD CONSTRAINT ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid)
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.conrelid = platform.legacy_relation('chatbots') AND c.contype IN ('c', 'u', 'f', 'x')
	AND a.attname = platform.legacy_column('chatbots', 'type');
INSERT INTO platform.legacy_memory (step, name, value)
SELECT DISTINCT 6, 'index ' || i.relname, pg_get_indexdef(i.oid)
FROM pg_depend d
JOIN pg_class i ON i.oid = d.objid AND i.relkind IN ('i', 'I')
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
	AND d.refobjid = platform.legacy_relation('chatbots') AND a.attname = platform.legacy_column('chatbots', 'type')
	AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'));
INSERT INTO platform.legacy_memory (step, name, value)
SELECT 6, 'comment', quote_literal(col_description(attrelid, attnum))
FROM pg_attribute
WHERE attrelid = platform.legacy_relation('chatbots') AND attname = platform.legacy_column('chatbots', 'type')
	AND col_description(attrelid, attnum) IS NOT NULL;
SELECT platform.run_legacy('', 'ALTER TABLE {chatbots} DROP COLUMN {chatbots.type}')
WHERE platform.legacy_column('chatbots', 'type') IS NOT NULL;

-- down

SELECT platform.run_legacy('chatbots', 'ALTER TABLE {chatbots} ADD COLUMN {memory:6.name} {memory:6.type}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 6 AND name = 'name');
-- One with both capabilities becomes chat.
SELECT platform.run_legacy('chatbots', $$UPDATE {chatbots}
	SET {memory:6.name} = (CASE WHEN enabled_call AND NOT enabled_chat THEN 'call' ELSE 'chat' END)::{memory:6.type} WHERE true$$)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 6 AND name = 'name');
SELECT platform.run_legacy('chatbots', 'ALTER TABLE {chatbots} ' || value)
FROM (SELECT value FROM platform.legacy_memory WHERE step = 6 AND name ~ '^[1-3] ' ORDER BY name) AS m;
SELECT platform.run_legacy('chatbots', value)
FROM (SELECT value FROM platform.legacy_memory WHERE step = 6 AND name LIKE 'index %' ORDER BY name) AS m;
SELECT platform.run_legacy('chatbots', 'COMMENT ON COLUMN {chatbots}.{memory:6.name} IS ' || value)
FROM platform.legacy_memory WHERE step = 6 AND name = 'comment';
DELETE FROM platform.legacy_memory WHERE step = 6;

-- checks

-- check: chatbots have no type
SELECT WHERE platform.legacy_column('chatbots', 'type') IS NOT NULL;
