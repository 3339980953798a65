-- House rules that the catalogues can show: no query of this file may return a row.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
-- What is looked at: our functions, tables, views, and the tables' kinds.
CREATE TEMP VIEW our_functions AS
	SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_catalog.pg_proc AS p
	WHERE p.pronamespace = 'platform'::regnamespace;
CREATE TEMP VIEW our_tables AS
	SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relacl, k.kind, k.business_keys,
		EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') AS is_member,
		(SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid
			AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END) AS tenant_column
	FROM pg_catalog.pg_class AS c LEFT JOIN platform.table_kinds AS k ON k.table_name = c.relname
	WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p');
-- FUNCTIONS
-- platform.f is platform_f in C
SELECT signature, prosrc FROM our_functions
WHERE prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'c') AND prosrc <> 'platform_' || proname;
-- C or SQL, nothing else
SELECT f.signature, l.lanname FROM our_functions AS f JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
WHERE l.lanname NOT IN ('c', 'sql');
-- SECURITY DEFINER pins its search_path
SELECT signature FROM our_functions
WHERE prosecdef AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false);
-- every argument has a name
SELECT signature FROM our_functions
WHERE pronargs > 0 AND (proargnames IS NULL OR '' = ANY (proargnames));
-- no default calls one of our functions
SELECT signature FROM our_functions
WHERE pg_catalog.pg_get_expr(proargdefaults, 0) ~ 'platform\.';
-- nothing is PUBLIC's
SELECT signature FROM our_functions AS f, pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) AS a
WHERE a.grantee = 0;
SELECT c.relname, a.privilege_type FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
WHERE c.relnamespace = 'platform'::regnamespace AND a.grantee = 0;
-- every function is the extension's
SELECT signature FROM our_functions AS f
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e');
-- what member_privileges names exists
SELECT kind, object FROM platform.member_privileges
WHERE CASE kind
	WHEN 'function' THEN pg_catalog.to_regprocedure('platform.' || object) IS NULL
	ELSE pg_catalog.to_regclass('platform.' || object) IS NULL END;
-- COMMENTS
SELECT signature FROM our_functions WHERE pg_catalog.obj_description(oid, 'pg_proc') IS NULL;
SELECT relname, relkind FROM pg_catalog.pg_class
WHERE relnamespace = 'platform'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
	AND pg_catalog.obj_description(oid, 'pg_class') IS NULL;
SELECT t.typname FROM pg_catalog.pg_type AS t LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
WHERE t.typnamespace = 'platform'::regnamespace AND t.typcategory <> 'A' AND coalesce(c.relkind, 'c') = 'c'
	AND pg_catalog.obj_description(t.oid, 'pg_type') IS NULL;
-- TABLES
-- each has a kind, and is the user's unless it is one of the extension's catalogues
SELECT relname FROM our_tables WHERE (kind IS NULL) <> is_member;
SELECT relname FROM our_tables WHERE is_member AND relname NOT IN ('migrations', 'member_privileges', 'demo_data');
-- row security everywhere, and a policy on each tenant's table that members may reach
SELECT relname FROM our_tables WHERE NOT is_member AND NOT relrowsecurity;
SELECT t.relname FROM our_tables AS t
WHERE t.kind = 'tenant' AND EXISTS (SELECT FROM platform.member_privileges AS m WHERE m.kind = 'table' AND m.object = t.relname)
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = t.oid);
-- policies: <table>_<who>_<command>, no subquery
SELECT t.relname, p.polname FROM our_tables AS t JOIN pg_catalog.pg_policy AS p ON p.polrelid = t.oid
WHERE p.polname !~ ('^' || t.relname || '_[a-z_]+_(all|select|insert|update|delete)$')
	OR concat(pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) ~* '\mselect\M';
-- a foreign key has an index that begins with its columns
SELECT c.conrelid::regclass, c.conname FROM our_tables AS t JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid
WHERE c.contype = 'f' AND NOT EXISTS (
	SELECT FROM pg_catalog.pg_index AS i
	WHERE i.indrelid = c.conrelid AND i.indisvalid
		AND (SELECT array_agg(k ORDER BY k) FROM unnest((i.indkey::int2[])[0:cardinality(c.conkey) - 1]) AS k)
		  = (SELECT array_agg(k ORDER BY k) FROM unnest(c.conkey) AS k));
-- names of constraints and indexes: the server's
SELECT c.conrelid::regclass, c.conname FROM our_tables AS t JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid
WHERE c.contype IN ('p', 'u', 'f', 'c', 'x')
	AND c.conname !~ ('^' || left(t.relname, 29) || '.*' || CASE c.contype
		WHEN 'p' THEN '_pkey' WHEN 'u' THEN '_key' WHEN 'f' THEN '_fkey' WHEN 'x' THEN '_excl' ELSE '_check' END || '\d*$');
SELECT t.relname, c.relname AS index FROM our_tables AS t
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE c.relname !~ ('^' || left(t.relname, 29) || '.*_(idx|pkey|key|excl)\d*$');
-- triggers: <table>_<verb>
SELECT t.relname, g.tgname FROM our_tables AS t JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid
WHERE NOT g.tgisinternal AND g.tgname !~ ('^' || t.relname || '_[a-z_]+$');
-- updated_at is kept by a row trigger, alone or in one that also checks
SELECT t.relname FROM our_tables AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid
WHERE a.attname = 'updated_at' AND NOT EXISTS (
	SELECT FROM pg_catalog.pg_trigger AS g
	WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgtype & 19 = 19);
-- nothing that DROP EXTENSION ... CASCADE would take with it: columns of our types, generated columns over our functions
SELECT a.attrelid::regclass, a.attname FROM our_tables AS t
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
WHERE y.typnamespace = 'platform'::regnamespace;
SELECT a.attrelid::regclass, a.attname FROM our_tables AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid
JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attgenerated <> '' AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ 'platform\.';
-- views show what the caller may see
SELECT c.relname FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind = 'v'
	AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false);
-- TENANTS
-- the tenant's column is there, a uuid, NOT NULL
SELECT t.relname FROM our_tables AS t LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = t.tenant_column
WHERE t.kind = 'tenant' AND (a.attnum IS NULL OR NOT a.attnotnull OR a.atttypid <> 'uuid'::regtype OR a.attgenerated <> '');
-- primary, unique and exclusion keys contain it, unless they are listed as business keys
SELECT t.relname, i.indexrelid::regclass FROM our_tables AS t JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
WHERE t.kind = 'tenant' AND (i.indisunique OR i.indisexclusion) AND NOT t.tenant_column = ANY (i.indkey::int2[])
	AND NOT (SELECT relname::text FROM pg_catalog.pg_class WHERE oid = i.indexrelid) = ANY (t.business_keys);
SELECT t.relname FROM our_tables AS t
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = t.oid AND i.indisprimary);
-- foreign keys inside a tenant carry it on both sides, and null nothing
SELECT t.relname, c.conname FROM our_tables AS t
JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'f' JOIN our_tables AS f ON f.oid = c.confrelid
WHERE t.kind = 'tenant' AND f.kind = 'tenant' AND NOT EXISTS (
	SELECT FROM generate_subscripts(c.conkey, 1) AS g WHERE c.conkey[g] = t.tenant_column AND c.confkey[g] = f.tenant_column);
SELECT t.relname, c.conname FROM our_tables AS t JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'f'
WHERE t.kind = 'tenant' AND t.tenant_column = ANY (c.conkey) AND (c.confdeltype IN ('n', 'd') OR c.confupdtype IN ('n', 'd', 'c'));
-- a table that is the same everywhere refers to no tenant, a tenant's table to no local one
SELECT t.relname, c.conname FROM our_tables AS t
JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'f' JOIN our_tables AS f ON f.oid = c.confrelid
WHERE (t.kind IN ('global', 'local') AND f.kind = 'tenant') OR (t.kind = 'tenant' AND f.kind NOT IN ('tenant', 'global'));
-- no sequences
SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = 'platform'::regnamespace AND relkind = 'S';
SELECT t.relname, a.attname FROM our_tables AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid
WHERE a.attidentity <> '';
-- no transition tables
SELECT t.relname, g.tgname FROM our_tables AS t JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid
WHERE g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL;
