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
