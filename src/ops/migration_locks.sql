-- migration 41 ops: idempotency keys, locks of the application
-- requires: tenants

-- up

-- What was begun once and must not be begun again.
CREATE TABLE IF NOT EXISTS platform.idempotency_keys (
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	scope text COLLATE pg_catalog."C" NOT NULL,
	idempotency_key text COLLATE pg_catalog."C" NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL,
	CONSTRAINT idempotency_keys_pkey PRIMARY KEY (organization_id, scope, idempotency_key),
	CONSTRAINT idempotency_keys_scope_check CHECK (length(scope) BETWEEN 1 AND 63),
	CONSTRAINT idempotency_keys_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_expires_at_idx ON platform.idempotency_keys (expires_at);
COMMENT ON TABLE platform.idempotency_keys IS
	'Keys that were claimed, each once until it expires: see claim_idempotency_key().';
COMMENT ON COLUMN platform.idempotency_keys.scope IS
	'What the key is of, such as stripe or call_ended: the same key in another scope is another.';

-- Who does something that only one may do at a time.
CREATE TABLE IF NOT EXISTS platform.distributed_locks (
	lock_name text COLLATE pg_catalog."C" NOT NULL,
	instance_id text NOT NULL,
	lease_id uuid NOT NULL DEFAULT platform.uuid7(),
	acquired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL,
	metadata jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT distributed_locks_pkey PRIMARY KEY (lock_name),
	CONSTRAINT distributed_locks_lock_name_check CHECK (length(lock_name) BETWEEN 1 AND 255),
	CONSTRAINT distributed_locks_instance_id_check CHECK (length(instance_id) BETWEEN 1 AND 255),
	CONSTRAINT distributed_locks_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);
COMMENT ON TABLE platform.distributed_locks IS
	'Locks of the application, held beyond a transaction; one whose time is over can be taken by anybody.';
COMMENT ON COLUMN platform.distributed_locks.instance_id IS
	'Who holds it, for people to read.';
COMMENT ON COLUMN platform.distributed_locks.lease_id IS
	'What the holder shows to extend or release it; new with each holder.';

INSERT INTO platform.retention_policies (name, table_name, time_column, keep, scrub_columns) VALUES
	('expired idempotency keys', 'idempotency_keys', 'expires_at', '1 day', NULL),
	('expired locks', 'distributed_locks', 'expires_at', '1 day', NULL)
ON CONFLICT (name) DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('idempotency_keys', 'tenant', '{}', NULL),
	('distributed_locks', 'global', '{}', 'locks of the platform')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.distributed_locks,
	platform.idempotency_keys;
DELETE FROM platform.retention_policies WHERE table_name IN ('distributed_locks', 'idempotency_keys');
DELETE FROM platform.table_kinds WHERE table_name IN ('distributed_locks', 'idempotency_keys');

-- checks

