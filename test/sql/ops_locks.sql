-- Once, and one at a time: idempotency keys are claimed by one, locks are held by one, taken over when their time is over
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''41000000-0000-4000-8000-000000000001'''
\set other '''41000000-0000-4000-8000-000000000002'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Locks'), (:other, 'Other locks');

-- a key for what has none: what an older system computed, whatever the order of members and the white space
SELECT platform.generate_idempotency_key('{"b": [1, 2.50], "a": null}') AS key,
	platform.generate_idempotency_key('{"a":null,"b":[1,2.50]}') = platform.generate_idempotency_key('{"b": [1, 2.50], "a": null}') AS same,
	platform.generate_idempotency_key('{"b": [2.50, 1], "a": null}') = platform.generate_idempotency_key('{"b": [1, 2.50], "a": null}') AS other_order,
	platform.generate_idempotency_key(NULL) AS nothing;
SELECT platform.generate_idempotency_key(v) = encode(sha256(convert_to(v::text, 'UTF8')), 'hex') AS as_before FROM unnest('{"{}","[]","\"\"",null,"{\"a\": \"\\u00e4\"}"}'::jsonb[]) v;

-- FAULT: a check, not a claim, of a key in any table that the caller names. Claimed, it is one caller's
SELECT platform.claim_idempotency_key(:org, 'stripe', 'evt_1') AS first, platform.claim_idempotency_key(:org, 'stripe', 'evt_1') AS second;
-- FAULT: one space of keys. It belongs to an organization and a scope; NULL is the platform's own
SELECT platform.claim_idempotency_key(:org, 'call_ended', 'evt_1') AS scope, platform.claim_idempotency_key(:other, 'stripe', 'evt_1') AS organization, platform.claim_idempotency_key(NULL, 'stripe', 'evt_1') AS platform,
	platform.claim_idempotency_key('00000000-0000-0000-0000-000000000000', 'stripe', 'evt_1') AS the_same;
SELECT scope, idempotency_key, expires_at - created_at AS ttl FROM platform.idempotency_keys WHERE organization_id = :org ORDER BY scope;
-- FAULT: marked as processed, also after a failure. The claim is undone with the work
SAVEPOINT work;
SELECT platform.claim_idempotency_key(:org, 'stripe', 'evt_2');
ROLLBACK TO work;
SELECT platform.claim_idempotency_key(:org, 'stripe', 'evt_2') AS again;
SELECT platform.release_idempotency_key(:org, 'stripe', 'evt_2') AS released, platform.release_idempotency_key(:org, 'stripe', 'evt_2') AS twice, platform.claim_idempotency_key(:org, 'stripe', 'evt_2') AS again;
-- when its time is over it is new
UPDATE platform.idempotency_keys SET expires_at = now() - interval '1 s' WHERE organization_id = :org AND idempotency_key = 'evt_2';
SELECT platform.claim_idempotency_key(:org, 'stripe', 'evt_2', '3660 days') AS expired, platform.claim_idempotency_key(:org, 'stripe', 'evt_2') AS taken;
SELECT platform.claim_idempotency_key(:org, 'stripe', repeat('k', 255));
SELECT platform.claim_idempotency_key(:org, 'stripe', repeat('k', 256));
SELECT platform.claim_idempotency_key(:org, 'stripe', '');
SELECT platform.claim_idempotency_key(:org, NULL, 'k');
SELECT platform.claim_idempotency_key(:org, 'stripe', NULL);
SELECT platform.claim_idempotency_key(:org, 'stripe', 'k', '0');
SELECT platform.claim_idempotency_key(:org, 'stripe', 'k', '3661 days');
SELECT platform.claim_idempotency_key(:org, 'stripe', 'k', NULL);
SELECT platform.claim_idempotency_key('41000000-0000-4000-8000-00000000dead', 'stripe', 'k');
SELECT platform.release_idempotency_key(:org, 'stripe', NULL);

-- FAULT: whoever has the lock gets it again. Held is held
SELECT platform.acquire_lock('nightly import', 'server-1', metadata => '{"pid": 7}') AS lease \gset
SELECT platform.acquire_lock('nightly import', 'server-1') AS again, platform.acquire_lock('nightly import', 'server-2') AS other, platform.acquire_lock('weekly import', 'server-2') IS NOT NULL AS another_lock;
SELECT lock_name, instance_id, expires_at - acquired_at AS ttl, metadata FROM platform.distributed_locks ORDER BY lock_name;
-- the lease extends and releases it, another one does not
SELECT platform.extend_lock('nightly import', :'lease', '1 hour') AS extended, platform.extend_lock('nightly import', platform.uuid7()) AS not_theirs, platform.extend_lock('no such lock', :'lease') AS none,
	platform.release_lock('nightly import', platform.uuid7()) AS not_theirs, platform.release_lock('no such lock', :'lease') AS none;
SELECT expires_at - now() > interval '59 min' AS later FROM platform.distributed_locks WHERE lock_name = 'nightly import';
SELECT platform.release_lock('nightly import', :'lease') AS released, platform.release_lock('nightly import', :'lease') AS twice, platform.extend_lock('nightly import', :'lease') AS too_late;
-- taken over when its time is over; then the first holder's lease is worth nothing
SELECT platform.acquire_lock('nightly import', 'server-1', '1 min') AS first \gset
UPDATE platform.distributed_locks SET expires_at = now() - interval '1 s' WHERE lock_name = 'nightly import';
SELECT platform.extend_lock('nightly import', :'first') AS time_is_over;
SELECT platform.acquire_lock('nightly import', 'server-2') AS second \gset
SELECT :'second' <> :'first' AS new_lease, platform.extend_lock('nightly import', :'first') AS late, platform.release_lock('nightly import', :'first') AS late, instance_id FROM platform.distributed_locks WHERE lock_name = 'nightly import';
-- who it is, is said or found out
SELECT platform.acquire_lock('mine') IS NOT NULL AS taken;
SELECT instance_id = session_user AS the_caller FROM platform.distributed_locks WHERE lock_name = 'mine';
-- as the older tables were written
INSERT INTO platform.distributed_locks (lock_name, instance_id, expires_at) VALUES ('plain', 'server-1', now() + interval '300 s');
SELECT platform.acquire_lock('plain', 'server-1') AS held;
-- FAULT: a failure to ask means yes. It is an error
SELECT platform.acquire_lock(NULL);
SELECT platform.acquire_lock('');
SELECT platform.acquire_lock(repeat('l', 256));
SELECT platform.acquire_lock('x', '');
SELECT platform.acquire_lock('x', ttl => '0');
SELECT platform.acquire_lock('x', ttl => NULL);
SELECT platform.acquire_lock('x', ttl => '1 month');
SELECT platform.acquire_lock('x', metadata => '[]');
SELECT platform.extend_lock('x', NULL);
SELECT platform.extend_lock('x', :'first', '-1 s');
SELECT platform.release_lock(NULL, :'first');
SELECT count(*) FROM platform.distributed_locks WHERE lock_name = 'x';
ROLLBACK;
\set ON_ERROR_ROLLBACK off
BEGIN READ ONLY;
SELECT platform.acquire_lock('x');
ROLLBACK;
BEGIN READ ONLY;
SELECT platform.claim_idempotency_key(:org, 's', 'k');
ROLLBACK;

BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Locks');
-- what is over goes with the logs
SELECT platform.claim_idempotency_key(:org, 's', 'old'), platform.claim_idempotency_key(:org, 's', 'new'), platform.acquire_lock('old') IS NOT NULL AS lock;
UPDATE platform.idempotency_keys SET expires_at = now() - interval '2 days' WHERE idempotency_key = 'old';
UPDATE platform.distributed_locks SET expires_at = now() - interval '2 days' WHERE lock_name = 'old';
SELECT policy_name, table_name, action, rows FROM platform.purge_logs(policy => 'expired idempotency keys') UNION ALL SELECT policy_name, table_name, action, rows FROM platform.purge_logs(policy => 'expired locks');
SELECT idempotency_key FROM platform.idempotency_keys WHERE organization_id = :org;
-- keys go with their organization
DELETE FROM platform.organizations WHERE id = :org;
SELECT count(*) FROM platform.idempotency_keys WHERE organization_id = :org;
-- members and strangers: nothing
SELECT platform.set_context('00000000-0000-0000-0000-000000000000', '41000000-0000-4000-8000-0000000000b1', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.claim_idempotency_key('00000000-0000-0000-0000-000000000000', 's', 'k');
SELECT platform.release_idempotency_key(NULL, 's', 'k');
SELECT platform.acquire_lock('x');
SELECT platform.extend_lock('x', platform.uuid7());
SELECT platform.release_lock('x', platform.uuid7());
SELECT count(*) FROM platform.idempotency_keys;
SELECT count(*) FROM platform.distributed_locks;
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.claim_idempotency_key(NULL, 's', 'k');
SELECT platform.acquire_lock('x');
SELECT platform.generate_idempotency_key('{}');
ROLLBACK;
