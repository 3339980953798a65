-- migration 905 legacy: step 5 of 13, packages have no type
-- requires: migrate
-- optional

-- up

INSERT INTO platform.legacy_memory (step, name, value)
SELECT 5, m.name, m.value
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum,
	LATERAL (VALUES
		('name', quote_ident(a.attname)),
		('type', format_type(a.atttypid, a.atttypmod)),
		('1 default', 'ALTER COLUMN ' || quote_ident(a.attname) || ' SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)),
		('2 not null', CASE WHEN a.attnotnull THEN 'ALTER COLUMN ' || quote_ident(a.attname) || ' SET NOT NULL' END)) AS m (name, value)
WHERE a.attrelid = platform.legacy_relation('chatbot_packages')
	AND a.attname = platform.legacy_column('chatbot_packages', 'type') AND m.value IS NOT NULL
ON CONFLICT DO NOTHING;
-- What hangs on the column goes with it.
INSERT INTO platform.legacy_memory (step, name, value)
SELECT 5, '3 constraint ' || c.conname, 'ADD CONSTRAINT ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid)
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.conrelid = platform.legacy_relation('chatbot_packages') AND c.contype IN ('c', 'u', 'f', 'x')
	AND a.attname = platform.legacy_column('chatbot_packages', 'type');
INSERT INTO platform.legacy_memory (step, name, value)
SELECT DISTINCT 5, 'index ' || i.relname, pg_get_indexdef(i.oid)
FROM pg_depend d
JOIN pg_class i ON i.oid = d.objid AND i.relkind IN ('i', 'I')
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
	AND d.refobjid = platform.legacy_relation('chatbot_packages') AND a.attname = platform.legacy_column('chatbot_packages', 'type')
	AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'));
INSERT INTO platform.legacy_memory (step, name, value)
SELECT 5, 'comment', quote_literal(col_description(attrelid, attnum))
FROM pg_attribute
WHERE attrelid = platform.legacy_relation('chatbot_packages') AND attname = platform.legacy_column('chatbot_packages', 'type')
	AND col_description(attrelid, attnum) IS NOT NULL;
SELECT platform.run_legacy('', 'ALTER TABLE {chatbot_packages} DROP COLUMN {chatbot_packages.type}')
WHERE platform.legacy_column('chatbot_packages', 'type') IS NOT NULL;

-- down

SELECT platform.run_legacy('chatbot_packages', 'ALTER TABLE {chatbot_packages} ADD COLUMN {memory:5.name} {memory:5.type}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 5 AND name = 'name');
-- One with both capabilities becomes chat.
SELECT platform.run_legacy('chatbot_packages', $$UPDATE {chatbot_packages}
	SET {memory:5.name} = (CASE WHEN enable_call AND NOT enable_chat THEN 'call' ELSE 'chat' END)::{memory:5.type} WHERE true$$)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 5 AND name = 'name');
SELECT platform.run_legacy('chatbot_packages', 'ALTER TABLE {chatbot_packages} ' || value)
FROM (SELECT value FROM platform.legacy_memory WHERE step = 5 AND name ~ '^[1-3] ' ORDER BY name) AS m;
SELECT platform.run_legacy('chatbot_packages', value)
FROM (SELECT value FROM platform.legacy_memory WHERE step = 5 AND name LIKE 'index %' ORDER BY name) AS m;
SELECT platform.run_legacy('chatbot_packages', 'COMMENT ON COLUMN {chatbot_packages}.{memory:5.name} IS ' || value)
FROM platform.legacy_memory WHERE step = 5 AND name = 'comment';
DELETE FROM platform.legacy_memory WHERE step = 5;

-- checks

-- check: packages have no type
SELECT WHERE platform.legacy_column('chatbot_packages', 'type') IS NOT NULL;
