-- legacy: what the steps of this module call

CREATE OR REPLACE FUNCTION platform.run_legacy(relation text, script text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_run_legacy';
COMMENT ON FUNCTION platform.run_legacy(text, text) IS
	'For the steps of module legacy: runs a script over the older schema, whose tables and columns it names in braces, unless the table belongs to another module of this installation. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.count_legacy(query text) RETURNS bigint
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_count_legacy';
COMMENT ON FUNCTION platform.count_legacy(text) IS
	'For the checks of module legacy: the number of rows of a query over the older schema. NULL for NULL. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.legacy_relation(name text) RETURNS regclass
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_legacy_relation';
COMMENT ON FUNCTION platform.legacy_relation(text) IS
	'A table of the older schema; NULL when it has none, and for NULL. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.legacy_column(relation text, name text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_legacy_column';
COMMENT ON FUNCTION platform.legacy_column(text, text) IS
	'How the older schema spells a column (type, deleted, company; any other is itself); NULL when it has none, and for NULL. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.cut_legacy_avatars() RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cut_legacy_avatars';
COMMENT ON FUNCTION platform.cut_legacy_avatars() IS
	'For rollback() of module legacy: cuts avatar URLs that are too long for the older schema when platform.legacy_truncate_avatars is on, else refuses. Errors: PT409, 55000.';

-- A column that a step drops, with what hangs on it. Written as texts for run_legacy().
CREATE OR REPLACE FUNCTION platform.remember_legacy_column(step integer, relation text, name text) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
AS $function$
	WITH the_column AS (
		SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
			pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS otherwise, pg_catalog.col_description(a.attrelid, a.attnum) AS description
		FROM pg_catalog.pg_attribute a
		LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) a.attnum
		WHERE a.attrelid OPERATOR(pg_catalog.=) platform.legacy_relation(relation)
			AND a.attname OPERATOR(pg_catalog.=) platform.legacy_column(relation, remember_legacy_column.name))
	INSERT INTO platform.legacy_memory (step, name, value)
	SELECT remember_legacy_column.step, m.name, m.value
	FROM the_column c, LATERAL (VALUES
		('name', pg_catalog.quote_ident(c.attname)),
		('type', pg_catalog.format_type(c.atttypid, c.atttypmod)),
		('comment', pg_catalog.quote_literal(c.description)),
		('1 default', pg_catalog.format('ALTER COLUMN %I SET DEFAULT %s', c.attname, c.otherwise)),
		('2 not null', pg_catalog.format('ALTER COLUMN %I SET NOT NULL', c.attname))) AS m (name, value)
	WHERE m.value IS NOT NULL
		AND (m.name OPERATOR(pg_catalog.<>) '1 default' OR c.otherwise IS NOT NULL)
		AND (m.name OPERATOR(pg_catalog.<>) '2 not null' OR c.attnotnull)
	UNION ALL
	SELECT remember_legacy_column.step, pg_catalog.format('3 constraint %s', k.conname),
		pg_catalog.format('ADD CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
	FROM the_column c
	JOIN pg_catalog.pg_constraint k ON k.conrelid OPERATOR(pg_catalog.=) c.attrelid AND c.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)
		AND k.contype OPERATOR(pg_catalog.=) ANY ('{c,u,f,x}')
	UNION ALL
	SELECT DISTINCT remember_legacy_column.step, pg_catalog.format('index %s', i.relname), pg_catalog.pg_get_indexdef(i.oid)
	FROM the_column c
	JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) c.attrelid AND d.refobjsubid OPERATOR(pg_catalog.=) c.attnum
	JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) d.objid AND i.relkind OPERATOR(pg_catalog.=) ANY ('{i,I}')
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
		WHERE k.conindid OPERATOR(pg_catalog.=) i.oid AND k.contype OPERATOR(pg_catalog.=) ANY ('{p,u,x}'))
$function$;
COMMENT ON FUNCTION platform.remember_legacy_column(integer, text, text) IS
	'For the steps of module legacy: keeps a column''s definition, default, constraints, indexes and comment in legacy_memory. Nothing for a column that is missing, and for NULL. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.restore_legacy_column(step integer, relation text, expression text) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
AS $function$
	SELECT platform.run_legacy(relation, s.script)
	FROM (
		SELECT pg_catalog.format('ALTER TABLE {%1$s} ADD COLUMN {memory:%2$s.name} {memory:%2$s.type};'
			' UPDATE {%1$s} SET {memory:%2$s.name} = (%3$s)::{memory:%2$s.type} WHERE true', relation, restore_legacy_column.step, expression) AS script, '0' AS position
		FROM platform.legacy_memory m WHERE m.step OPERATOR(pg_catalog.=) restore_legacy_column.step AND m.name OPERATOR(pg_catalog.=) 'name'
		UNION ALL
		SELECT CASE
			WHEN m.name OPERATOR(pg_catalog.~) '^index ' THEN v.value
			WHEN m.name OPERATOR(pg_catalog.=) 'comment' THEN pg_catalog.format('COMMENT ON COLUMN {%1$s}.{memory:%2$s.name} IS %3$s', relation, m.step, v.value)
			ELSE pg_catalog.format('ALTER TABLE {%1$s} %2$s', relation, v.value) END, m.name
		FROM platform.legacy_memory m, LATERAL (SELECT pg_catalog.replace(m.value, '{', '{{')) AS v (value)
		WHERE m.step OPERATOR(pg_catalog.=) restore_legacy_column.step AND m.name OPERATOR(pg_catalog.~) '^([1-3] |index |comment$)'
		ORDER BY 2) AS s
$function$;
COMMENT ON FUNCTION platform.restore_legacy_column(integer, text, text) IS
	'For undoing the steps of module legacy: adds the column that remember_legacy_column() kept, as the last of its table, fills it by the expression, and restores what hung on it. Nothing where the step kept none, and for NULL. Errors: 55000 without an older schema.';

-- What a step adds, beside what was there. Indexes go before constraints, and these before columns.
CREATE OR REPLACE FUNCTION platform.remember_legacy_additions(step integer, relation text, columns text[], constraints text[], indexes text[]) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
AS $function$
	INSERT INTO platform.legacy_memory (step, name, value)
	SELECT remember_legacy_additions.step, a.name, a.kind
	FROM (SELECT c.name, 'column', EXISTS (SELECT FROM pg_catalog.pg_attribute t
			WHERE t.attrelid OPERATOR(pg_catalog.=) platform.legacy_relation(relation) AND t.attname OPERATOR(pg_catalog.=) c.name)
		FROM pg_catalog.unnest(columns) AS c (name)
		UNION ALL
		SELECT c.name, 'constraint', EXISTS (SELECT FROM pg_catalog.pg_constraint t
			WHERE t.conrelid OPERATOR(pg_catalog.=) platform.legacy_relation(relation) AND t.conname OPERATOR(pg_catalog.=) c.name)
		FROM pg_catalog.unnest(constraints) AS c (name)
		UNION ALL
		SELECT i.name, 'index', EXISTS (SELECT FROM pg_catalog.pg_index t JOIN pg_catalog.pg_class k ON k.oid OPERATOR(pg_catalog.=) t.indexrelid
			WHERE t.indrelid OPERATOR(pg_catalog.=) platform.legacy_relation(relation) AND k.relname OPERATOR(pg_catalog.=) i.name)
		FROM pg_catalog.unnest(indexes) AS i (name)) AS a (name, kind, present)
	WHERE NOT a.present
$function$;
COMMENT ON FUNCTION platform.remember_legacy_additions(integer, text, text[], text[], text[]) IS
	'For the steps of module legacy: keeps in legacy_memory which of these a table lacks. Nothing for NULL. Errors: 55000 without an older schema.';

CREATE OR REPLACE FUNCTION platform.undo_legacy_additions(step integer, relation text) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
AS $function$
	SELECT platform.run_legacy(relation, CASE m.value
		WHEN 'index' THEN pg_catalog.format('DROP INDEX IF EXISTS {schema}.%I', m.name)
		WHEN 'constraint' THEN pg_catalog.format('ALTER TABLE {%s} DROP CONSTRAINT IF EXISTS %I', relation, m.name)
		ELSE pg_catalog.format('ALTER TABLE {%s} DROP COLUMN %I', relation, m.name) END)
	FROM (SELECT m.name, m.value FROM platform.legacy_memory m
		WHERE m.step OPERATOR(pg_catalog.=) undo_legacy_additions.step AND m.value OPERATOR(pg_catalog.=) ANY ('{column,constraint,index}')
		ORDER BY m.value COLLATE pg_catalog."C" DESC, m.name) AS m
$function$;
COMMENT ON FUNCTION platform.undo_legacy_additions(integer, text) IS
	'For undoing the steps of module legacy: drops what remember_legacy_additions() found missing. Nothing for NULL. Errors: 55000 without an older schema.';
