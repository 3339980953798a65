-- migration 541 ops: foreign key and row security of idempotency keys and locks
-- requires: tenants

-- up

ALTER TABLE platform.idempotency_keys
	DROP CONSTRAINT IF EXISTS idempotency_keys_organization_id_fkey,
	ADD CONSTRAINT idempotency_keys_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;

-- Operators only: no policy, and no privilege for members.
ALTER TABLE platform.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.distributed_locks ENABLE ROW LEVEL SECURITY;

-- down

ALTER TABLE platform.idempotency_keys
	DROP CONSTRAINT IF EXISTS idempotency_keys_organization_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.idempotency_keys'::regclass, 'platform.distributed_locks'::regclass) AND NOT relrowsecurity;
