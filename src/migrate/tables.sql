-- migration 1 migrate: what was applied, and what kind each table is

-- up

CREATE TABLE IF NOT EXISTS platform.schema_migrations (
	version integer NOT NULL,
	module text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now(),
	applied_by text NOT NULL DEFAULT current_user,
	library_version text NOT NULL,
	CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);

COMMENT ON TABLE platform.schema_migrations IS
	'The migrations that platform.install() has applied here.';
COMMENT ON COLUMN platform.schema_migrations.library_version IS
	'Version of the extension that applied it.';

-- The catalogue that distribution, export and erasure of a tenant read.
-- tenant: distributed by organization_id; global: the same everywhere; keyed:
-- distributed by another key; local: of this database only. business_keys names
-- the UNIQUE constraints that hold across tenants.
CREATE TABLE IF NOT EXISTS platform.table_kinds (
	table_name text NOT NULL,
	kind text NOT NULL,
	business_keys text[] NOT NULL DEFAULT '{}',
	reason text,
	CONSTRAINT table_kinds_pkey PRIMARY KEY (table_name),
	CONSTRAINT table_kinds_kind_check CHECK (kind IN ('tenant', 'global', 'keyed', 'local'))
);

COMMENT ON TABLE platform.table_kinds IS
	'How each table relates to tenants: what distribution, export and erasure read.';
COMMENT ON COLUMN platform.table_kinds.business_keys IS
	'The UNIQUE constraints that hold across tenants.';

-- The roles that grant_member() made members; install() grants them what is new.
CREATE TABLE IF NOT EXISTS platform.member_roles (
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT member_roles_pkey PRIMARY KEY (role_name)
);

COMMENT ON TABLE platform.member_roles IS
	'The roles made members by platform.grant_member().';

ALTER TABLE platform.schema_migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.table_kinds ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.member_roles ENABLE ROW LEVEL SECURITY;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('schema_migrations', 'local', '{}', 'what this database has applied'),
	('table_kinds', 'local', '{}', 'catalogue of the installation'),
	('member_roles', 'local', '{}', 'roles belong to the server')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS platform.member_roles, platform.table_kinds, platform.schema_migrations;

-- checks

-- check: business keys are unique constraints
SELECT k.table_name, b.name FROM platform.table_kinds k, LATERAL pg_catalog.unnest(k.business_keys) AS b (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
	WHERE i.indrelid = pg_catalog.to_regclass('platform.' || pg_catalog.quote_ident(k.table_name))
	  AND c.relname = b.name AND i.indisunique);
-- check: every table that has a kind exists
SELECT k.table_name FROM platform.table_kinds k
WHERE pg_catalog.to_regclass('platform.' || pg_catalog.quote_ident(k.table_name)) IS NULL;
