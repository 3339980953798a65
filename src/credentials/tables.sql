-- migration 50 credentials: root keys, data keys, the log of who saw secrets
-- requires: tenants

-- up

-- One row a version of the root key. The key itself is in no table.
CREATE TABLE IF NOT EXISTS platform.root_keys (
	version integer NOT NULL,
	check_value bytea NOT NULL,
	state text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	CONSTRAINT root_keys_pkey PRIMARY KEY (version),
	CONSTRAINT root_keys_version_check CHECK (version > 0),
	CONSTRAINT root_keys_check_value_check CHECK (octet_length(check_value) = 8),
	CONSTRAINT root_keys_state_check CHECK (state IN ('active', 'decrypt_only'))
);
CREATE UNIQUE INDEX IF NOT EXISTS root_keys_state_idx
	ON platform.root_keys (state) WHERE state = 'active';
COMMENT ON TABLE platform.root_keys IS
	'Versions of the root key that this database has used. The keys come from platform.root_key_file and its kin.';
COMMENT ON COLUMN platform.root_keys.check_value IS
	'Tells the right key from a wrong one and says nothing else about it.';
COMMENT ON COLUMN platform.root_keys.state IS
	'active: wraps data keys. decrypt_only: needed for backups made before rotate_root_key().';

CREATE TABLE IF NOT EXISTS platform.data_keys (
	id integer NOT NULL,
	organization_id uuid NOT NULL,
	purpose text COLLATE pg_catalog."C" NOT NULL,
	kind text NOT NULL DEFAULT 'secret',
	state text NOT NULL,
	root_version integer NOT NULL,
	wrapped bytea,
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	destroyed_at timestamptz,
	CONSTRAINT data_keys_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT data_keys_id_check CHECK (id > 0),
	CONSTRAINT data_keys_purpose_check CHECK (octet_length(purpose) BETWEEN 1 AND 127),
	CONSTRAINT data_keys_kind_check CHECK (kind IN ('secret', 'index')),
	CONSTRAINT data_keys_state_check CHECK (state IN ('active', 'decrypt_only', 'destroyed')),
	CONSTRAINT data_keys_wrapped_check CHECK (octet_length(wrapped) = 60),
	CONSTRAINT data_keys_destroyed_check CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS data_keys_organization_id_purpose_kind_idx
	ON platform.data_keys (organization_id, purpose, kind) WHERE state = 'active';
CREATE INDEX IF NOT EXISTS data_keys_root_version_idx ON platform.data_keys (root_version);
COMMENT ON TABLE platform.data_keys IS
	'Keys that encrypt secrets, wrapped under a root key: one active key an organization and purpose. A row that is lost makes its secrets unreadable.';
COMMENT ON COLUMN platform.data_keys.id IS
	'Random; stands in each envelope.';
COMMENT ON COLUMN platform.data_keys.purpose IS
	'What is encrypted, such as integration_accounts.credentials.';
COMMENT ON COLUMN platform.data_keys.kind IS
	'secret: encrypts. index: makes what secret_index() returns; it survives the rotation of the others.';
COMMENT ON COLUMN platform.data_keys.wrapped IS
	'Nonce, encrypted key and tag. NULL once it is destroyed.';

-- Written past the executor, one row a data key: triggers on it do not fire.
CREATE TABLE IF NOT EXISTS platform.data_key_counts (
	key_id integer NOT NULL,
	organization_id uuid NOT NULL,
	encryptions bigint NOT NULL DEFAULT 0,
	CONSTRAINT data_key_counts_pkey PRIMARY KEY (key_id, organization_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE platform.data_key_counts IS
	'How often a data key has encrypted with AES-256-GCM, at most: sessions count ahead. Other suites need no count.';

CREATE TABLE IF NOT EXISTS platform.secret_access_log (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	action text NOT NULL,
	purpose text NOT NULL,
	row_id uuid,
	pointer text,
	detail text,
	role_name text NOT NULL,
	session_role_name text NOT NULL,
	subject text,
	client_address inet,
	application_name text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT secret_access_log_pkey PRIMARY KEY (id, organization_id)
);
CREATE INDEX IF NOT EXISTS secret_access_log_organization_id_created_at_idx
	ON platform.secret_access_log (organization_id, created_at);
COMMENT ON TABLE platform.secret_access_log IS
	'Who saw which secret, and who changed keys. Rows are only added; the owner may delete old ones. Changes of root keys are under the default organization.';
COMMENT ON COLUMN platform.secret_access_log.pointer IS
	'The leaf of a document; NULL: all of it.';
COMMENT ON COLUMN platform.secret_access_log.subject IS
	'The user for whom the role acted.';

-- Where envelopes are kept. Modules, and users for their own tables, add rows.
CREATE TABLE IF NOT EXISTS platform.secret_columns (
	schema_name text NOT NULL DEFAULT 'platform',
	table_name text NOT NULL,
	column_name text NOT NULL,
	purpose text NOT NULL,
	CONSTRAINT secret_columns_pkey PRIMARY KEY (schema_name, table_name, column_name),
	CONSTRAINT secret_columns_purpose_check CHECK (octet_length(purpose) BETWEEN 1 AND 127)
);
COMMENT ON TABLE platform.secret_columns IS
	'Columns with encrypted secrets, which verify_secrets() and destroy_data_key() look through: text with an envelope, or jsonb with {"$enc": envelope} at its secret leaves. The tables have columns id and organization_id, both uuid.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('root_keys', 'global', '{}', 'one root key for all organizations'),
	('data_keys', 'tenant', '{}', NULL),
	('data_key_counts', 'tenant', '{}', NULL),
	('secret_access_log', 'tenant', '{}', NULL),
	('secret_columns', 'global', '{}', 'which columns hold secrets is the same for all organizations')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.secret_columns,
	platform.secret_access_log,
	platform.data_key_counts,
	platform.data_keys,
	platform.root_keys;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'root_keys', 'data_keys', 'data_key_counts', 'secret_access_log', 'secret_columns');

-- checks

-- check: a destroyed data key is gone, and only a destroyed one
SELECT id, organization_id FROM platform.data_keys WHERE (state = 'destroyed') <> (wrapped IS NULL);
-- check: data keys are wrapped under root keys that are known
SELECT id, organization_id FROM platform.data_keys k
WHERE NOT EXISTS (SELECT 1 FROM platform.root_keys r WHERE r.version = k.root_version);
