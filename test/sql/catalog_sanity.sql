-- Our own catalogues keep the house rules: every query returns no row
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
SET client_min_messages = warning;
-- what the extension owns
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'platform';
CREATE TEMP VIEW our_function AS
	SELECT p.*, p.oid::regprocedure AS signature FROM pg_proc p
	JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
-- what the installation made: tables with their kind
CREATE TEMP VIEW our_table AS
	SELECT c.oid, c.relname, c.relrowsecurity, k.kind, k.business_keys,
		(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
			AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END) AS tenant_column
	FROM pg_class c LEFT JOIN platform.table_kinds k ON k.table_name = c.relname
	WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid);
CREATE TEMP VIEW tenant_table AS SELECT * FROM our_table WHERE kind = 'tenant';
CREATE TEMP VIEW foreign_key AS
	SELECT c.*, t.relname, t.kind, t.tenant_column, f.relname AS frelname, f.kind AS fkind, f.tenant_column AS ftenant_column
	FROM pg_constraint c JOIN our_table t ON t.oid = c.conrelid LEFT JOIN our_table f ON f.oid = c.confrelid
	WHERE c.contype = 'f';
-- the name that the server chooses: the longer half is cut until it fits
CREATE FUNCTION pg_temp.server_name(first text, second text, label text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a int := length(first);
	b int := length(second);
BEGIN
	WHILE a + b + 2 + length(label) > 63 LOOP
		IF a > b THEN a := a - 1; ELSE b := b - 1; END IF;
	END LOOP;
	RETURN concat_ws('_', left(first, a), nullif(left(second, b), ''), label);
END $$;
CREATE FUNCTION pg_temp.column_names(relid oid, columns int2[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(a.attname, 'expr'), '_' ORDER BY u.n)
	FROM unnest(columns) WITH ORDINALITY u (attnum, n)
	LEFT JOIN pg_attribute a ON a.attrelid = relid AND a.attnum = u.attnum AND u.attnum > 0
$$;
\set ECHO all

-- there is something to check
SELECT (SELECT count(*) > 20 FROM our_function) AND (SELECT count(*) > 10 FROM our_table) AS checked;

-- all that is callable is the extension's, of the tables only its catalogues
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'platform'::regnamespace
	AND NOT EXISTS (SELECT FROM our_function f WHERE f.oid = p.oid);
SELECT c.relname FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
WHERE c.relname NOT IN ('migrations', 'member_privileges', 'demo_data');
-- functions: SQL platform.f is C platform_f, nothing but C and SQL
SELECT signature, prosrc FROM our_function p JOIN pg_language l ON l.oid = p.prolang
WHERE l.lanname = 'c' AND (prosrc <> 'platform_' || proname OR probin <> '$libdir/platform');
SELECT signature, lanname FROM our_function p JOIN pg_language l ON l.oid = p.prolang
WHERE lanname NOT IN ('c', 'sql');
-- owner rights only with a pinned search_path
SELECT signature FROM our_function
WHERE prosecdef AND NOT EXISTS (SELECT FROM unnest(proconfig) s WHERE s = 'search_path=pg_catalog, pg_temp');
-- nothing is in PUBLIC's hands
SELECT signature FROM our_function, aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE a.grantee = 0;
SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'platform'::regnamespace AND a.grantee = 0;
-- arguments have names
SELECT signature FROM our_function
WHERE pronargs > 0 AND (proargnames IS NULL OR '' = ANY (proargnames));
-- trigger functions are volatile
SELECT signature FROM our_function WHERE prorettype = 'trigger'::regtype AND provolatile <> 'v';
-- no default of an argument calls a function of ours
SELECT p.signature FROM our_function p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
JOIN our_function r ON r.oid = d.refobjid
WHERE p.pronargdefaults > 0 AND p.prosqlbody IS NULL;
-- what members get exists
SELECT object FROM platform.member_privileges
WHERE CASE kind WHEN 'function' THEN to_regprocedure('platform.' || object) IS NULL
	ELSE to_regclass('platform.' || quote_ident(object)) IS NULL END;

-- everything has a comment
SELECT signature FROM our_function WHERE obj_description(oid, 'pg_proc') IS NULL;
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
	AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT t.typname FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typelem = 0 AND (c.oid IS NULL OR c.relkind = 'c') AND obj_description(t.oid, 'pg_type') IS NULL;

-- the schema is no member of the extension: DROP EXTENSION leaves the tables
SELECT objid::regnamespace FROM member WHERE classid = 'pg_namespace'::regclass;
-- no table needs a type of the extension, nor a generated column its functions
SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN our_table t ON t.oid = a.attrelid
JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = a.atttypid;
SELECT d.adrelid::regclass FROM pg_attrdef d JOIN our_table t ON t.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_proc'::regclass
JOIN our_function f ON f.oid = p.refobjid;
-- views act as their callers
SELECT relname FROM pg_class WHERE relnamespace = 'platform'::regnamespace AND relkind = 'v'
	AND NOT coalesce('security_invoker=true' = ANY (reloptions), false);

-- each table is of a kind, each kind is of a table
SELECT relname FROM our_table WHERE kind IS NULL;
SELECT table_name FROM platform.table_kinds k WHERE NOT EXISTS (SELECT FROM our_table t WHERE t.relname = k.table_name);
-- row security everywhere; without a policy nobody gets in, so a tenant table that members reach has one
SELECT relname FROM our_table WHERE NOT relrowsecurity;
SELECT relname FROM tenant_table t WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid)
	AND EXISTS (SELECT FROM platform.member_privileges m WHERE m.kind = 'table' AND m.object = t.relname);
-- policies are named <table>_<who>_<command>, and look nothing up
SELECT polname FROM pg_policy p JOIN our_table t ON t.oid = p.polrelid
WHERE polname !~ ('^' || relname || '_[a-z]+_(select|insert|update|delete|all)$');
SELECT polname FROM pg_policy p JOIN our_table t ON t.oid = p.polrelid
WHERE concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~* '\mselect\M';

-- names are those that the server chooses; a check over several columns may say what it checks
SELECT relname, conname FROM our_table t JOIN pg_constraint c ON c.conrelid = t.oid
WHERE contype IN ('p', 'u', 'f') AND regexp_replace(conname, '\d$', '') <> pg_temp.server_name(relname,
	CASE contype WHEN 'p' THEN '' ELSE pg_temp.column_names(conrelid, conkey) END,
	CASE contype WHEN 'p' THEN 'pkey' WHEN 'u' THEN 'key' ELSE 'fkey' END);
SELECT relname, conname FROM our_table t JOIN pg_constraint c ON c.conrelid = t.oid
WHERE contype = 'c' AND CASE WHEN array_length(conkey, 1) = 1
	THEN conname <> pg_temp.server_name(relname, pg_temp.column_names(conrelid, conkey), 'check')
	ELSE conname !~ ('^' || relname || '_([a-z_]+_)?check\d?$') END;
SELECT relname, indexrelid::regclass FROM our_table t JOIN pg_index i ON i.indrelid = t.oid
JOIN LATERAL (SELECT x.relname::text FROM pg_class x WHERE x.oid = i.indexrelid) n (iname) ON true
WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype <> 'f')
	AND iname !~ '^idx_' -- names that older systems fixed
	AND regexp_replace(iname, '\d$', '') <> pg_temp.server_name(relname, pg_temp.column_names(indrelid, indkey::int2[]), 'idx');
SELECT relname, tgname FROM our_table t JOIN pg_trigger g ON g.tgrelid = t.oid
WHERE NOT tgisinternal AND tgname !~ ('^' || relname || '_[a-z_]+$');

-- an index behind every foreign key; the tenant key need not be in it when others are
SELECT relname, conname FROM foreign_key f
CROSS JOIN LATERAL (SELECT CASE WHEN array_length(f.conkey, 1) > 1 THEN array_remove(f.conkey, f.tenant_column) ELSE f.conkey END) k (columns)
WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid
	AND (k.columns <@ (i.indkey::int2[])[0:array_length(k.columns, 1) - 1]
		OR f.conkey <@ (i.indkey::int2[])[0:array_length(f.conkey, 1) - 1]));
-- every trigger of the caches fires on replicas too
SELECT relname, tgname FROM our_table t JOIN pg_trigger g ON g.tgrelid = t.oid
WHERE g.tgfoid = to_regproc('platform.invalidate_cache') AND tgenabled <> 'A';
-- updated_at is kept by a trigger
SELECT relname FROM our_table t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'updated_at'
WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND g.tgtype & 19 = 19 AND NOT g.tgisinternal);
-- moments have a time zone
SELECT relname, attname FROM our_table t JOIN pg_attribute a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND a.atttypid = 'timestamp'::regtype;

-- the tenant key is in every tenant table, required and a uuid
SELECT relname FROM tenant_table WHERE tenant_column IS NULL;
SELECT relname, attname FROM tenant_table t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = t.tenant_column
WHERE a.atttypid <> 'uuid'::regtype OR NOT a.attnotnull OR a.attgenerated <> '';
-- in no other one
SELECT relname FROM our_table WHERE kind IN ('global', 'local') AND tenant_column IS NOT NULL;
-- every table has a primary key, made of no sequence
SELECT relname FROM our_table t WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary);
SELECT relname, attname FROM our_table t JOIN pg_attribute a ON a.attrelid = t.oid WHERE a.attidentity <> '';
SELECT relname FROM pg_class WHERE relnamespace = 'platform'::regnamespace AND relkind = 'S';
-- the tenant key is part of every unique key of a tenant table but the listed ones across tenants
SELECT relname, indexrelid::regclass FROM tenant_table t JOIN pg_index i ON i.indrelid = t.oid
JOIN LATERAL (SELECT x.relname::text FROM pg_class x WHERE x.oid = i.indexrelid) n (iname) ON true
WHERE (indisunique OR indisexclusion) AND NOT tenant_column = ANY (indkey::int2[])
	AND NOT iname = ANY (business_keys);
-- a listed key is unique in that table
SELECT relname, b.name FROM our_table t, unnest(business_keys) b (name)
WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
	WHERE i.indrelid = t.oid AND c.relname = b.name AND i.indisunique);
-- foreign keys between tenant tables hold the tenant key on both sides
SELECT relname, conname FROM foreign_key
WHERE kind = 'tenant' AND fkind = 'tenant'
	AND NOT EXISTS (SELECT FROM generate_subscripts(conkey, 1) g WHERE conkey[g] = tenant_column AND confkey[g] = ftenant_column);
-- they delete with the parent or refuse, and no key is rewritten
SELECT relname, conname FROM foreign_key
WHERE kind = 'tenant' AND fkind = 'tenant' AND (confdeltype IN ('n', 'd') OR confupdtype <> 'a');
-- no foreign key leads from a global table to a tenant's, nor to a local table, nor out of the schema
SELECT relname, conname FROM foreign_key
WHERE frelname IS NULL OR (kind = 'global' AND fkind = 'tenant') OR (kind <> 'local' AND fkind = 'local');
-- triggers see rows, not transition tables
SELECT relname, tgname FROM tenant_table t JOIN pg_trigger g ON g.tgrelid = t.oid
WHERE tgoldtable IS NOT NULL OR tgnewtable IS NOT NULL;
