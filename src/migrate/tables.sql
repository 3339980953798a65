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

-- The roles that grant_member() made members; install() grants them what is new.
CREATE TABLE IF NOT EXISTS platform.member_roles (
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT member_roles_pkey PRIMARY KEY (role_name)
);

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('schema_migrations', 'local', '{}', 'what this database has applied'),
	('table_kinds', 'local', '{}', 'catalogue of the installation'),
	('member_roles', 'local', '{}', 'roles belong to the server')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS platform.member_roles, platform.table_kinds, platform.schema_migrations;
