-- Keys: rotation, destruction, blind indexes, both suites and their count, scans
-- that bad rows do not end
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set org '''c4ed0002-0000-4000-8000-000000000001'''
\set other '''c4ed0002-0000-4000-8000-000000000002'''
\set row '''c4ed0002-0000-4000-8000-0000000000a1'''
\set ECHO none
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Keys'), (:other, 'Other keys');
CREATE SCHEMA credentials_keys;
CREATE TABLE credentials_keys.vault (id uuid, organization_id uuid, secret text, document jsonb);
INSERT INTO platform.secret_columns (schema_name, table_name, column_name, purpose) VALUES
	('credentials_keys', 'vault', 'secret', 'vault.secret'),
	('credentials_keys', 'vault', 'document', 'vault.document');
INSERT INTO credentials_keys.vault
SELECT id, o, platform.encrypt_secret(o, 'vault.secret', id, 'secret ' || n),
	jsonb_build_object('sid', 'AC' || n,
		'token', jsonb_build_object('$enc', platform.encrypt_secret(o, 'vault.document', id, 'token ' || n, '/token')),
		'servers', jsonb_build_array('x', jsonb_build_object('a/b~c',
			jsonb_build_object('$enc', platform.encrypt_secret(o, 'vault.document', id, 'server ' || n, '/servers/1/a~1b~0c')))))
FROM generate_series(1, 20) n,
	LATERAL (SELECT ('c4ed0002-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS id, CASE WHEN n <= 15 THEN :org ELSE :other END::uuid AS o) v;
\set ECHO all

-- all can be read; a document's secrets are found at their pointers
SELECT table_name, column_name, right(organization_id::text, 1) AS organization, readable, secrets, reason, ids
FROM platform.verify_secrets() WHERE table_name = 'credentials_keys.vault' ORDER BY 1, 2, 3;
-- what was copied, changed, cut, left in clear or is of a later format does not end the scan
BEGIN;
UPDATE credentials_keys.vault SET secret = (SELECT secret FROM credentials_keys.vault WHERE id::text LIKE '%01') WHERE id::text LIKE '%02';
UPDATE credentials_keys.vault SET secret = overlay(secret PLACING CASE substr(secret, 60, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM 60) WHERE id::text LIKE '%03';
UPDATE credentials_keys.vault SET secret = left(secret, 60) WHERE id::text LIKE '%04';
UPDATE credentials_keys.vault SET secret = 'in clear' WHERE id::text LIKE '%05';
UPDATE credentials_keys.vault SET secret = 'Ag' || substr(secret, 3) WHERE id::text LIKE '%06';
UPDATE credentials_keys.vault SET secret = 'AQJ-____' || substr(secret, 9) WHERE id::text LIKE '%07';
UPDATE credentials_keys.vault SET organization_id = :other WHERE id::text LIKE '%08';
UPDATE credentials_keys.vault SET secret = NULL WHERE id::text LIKE '%09';
UPDATE credentials_keys.vault SET document = jsonb_set(document, '{servers,0}', document #> '{servers,1,a/b~c}') WHERE id::text LIKE '%10';
SELECT column_name, right(v.organization_id::text, 1) AS organization, readable, secrets, reason,
	(SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM unnest(ids) id) AS rows
FROM platform.verify_secrets() v WHERE table_name = 'credentials_keys.vault' ORDER BY 1 DESC, 2, readable DESC, reason, rows;
SELECT count(*), count(plaintext), string_agg(DISTINCT reason, ' ' ORDER BY reason) FROM credentials_keys.vault,
	platform.try_decrypt_secret(organization_id, 'vault.secret', id, secret);
ROLLBACK;

-- every character of an envelope matters
SELECT platform.encrypt_secret(:org, 'vault.secret', :row, 'some secret') AS e \gset
SELECT count(*) > 70 AS many, count(plaintext), string_agg(DISTINCT reason, ' ' ORDER BY reason)
FROM generate_series(1, length(:'e')) n,
	platform.try_decrypt_secret(:org, 'vault.secret', :row, overlay(:'e' PLACING CASE substr(:'e', n, 1) WHEN 'A' THEN 'Q' ELSE 'A' END FROM n));
SELECT count(*) > 70 AS many, count(plaintext), string_agg(DISTINCT reason, ' ' ORDER BY reason)
FROM generate_series(0, length(:'e') - 1) n, platform.try_decrypt_secret(:org, 'vault.secret', :row, left(:'e', n));
SELECT reason FROM platform.try_decrypt_secret(:org, 'vault.secret', :row, :'e' || 'AAAA');
SELECT * FROM platform.try_decrypt_secret(:org, 'vault.secret', :row, NULL);
SELECT * FROM platform.try_decrypt_secret(:org, 'vault.secret', :row, :'e');
-- each part of the place
SELECT n, reason FROM (VALUES (1, :org::uuid, 'vault.secret', :org::uuid, ''), (2, :org, 'vault.secret', :row, '/'),
	(3, :org, 'vault.document', :row, ''), (4, :other, 'vault.secret', :row, '')) v (n, o, p, r, f),
	platform.try_decrypt_secret(o, p, r, :'e', f) ORDER BY n;

-- a wrapped key is bound to its number, organization, purpose and kind, and each byte of it matters
SELECT id AS key FROM platform.data_keys WHERE organization_id = :org AND purpose = 'vault.document' \gset
BEGIN;
SELECT platform.check_data_key(:org, 'vault.document', 'secret', :key);
INSERT INTO platform.data_keys (id, organization_id, purpose, kind, state, root_version, wrapped)
SELECT v.id, v.o, 'vault.document', 'secret', 'decrypt_only', root_version, wrapped FROM platform.data_keys k, (VALUES (:key, :other::uuid), (:key % 1000000 + 1, :org)) v (id, o)
WHERE k.organization_id = :org AND k.id = :key;
SELECT 'organization' AS moved, reason FROM platform.check_data_key(:other, 'vault.document', 'secret', :key)
UNION ALL SELECT 'number', reason FROM platform.check_data_key(:org, 'vault.document', 'secret', :key % 1000000 + 1);
SELECT reason FROM platform.try_decrypt_secret(:other, 'vault.document', (SELECT id FROM credentials_keys.vault WHERE organization_id = :org ORDER BY id LIMIT 1),
	(SELECT document #>> '{token,$enc}' FROM credentials_keys.vault WHERE organization_id = :org ORDER BY id LIMIT 1), '/token');
UPDATE platform.data_keys SET purpose = 'vault.moved' WHERE organization_id = :org AND id = :key;
SELECT 'purpose' AS moved, reason FROM platform.check_data_key(:org, 'vault.moved', 'secret', :key);
UPDATE platform.data_keys SET purpose = 'vault.document', kind = 'index' WHERE organization_id = :org AND id = :key;
SELECT 'kind' AS moved, reason FROM platform.check_data_key(:org, 'vault.document', 'index', :key);
ROLLBACK;
CREATE FUNCTION pg_temp.tampered(n integer) RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN
	UPDATE platform.data_keys SET wrapped = set_byte(wrapped, n, get_byte(wrapped, n) # 1) WHERE organization_id = 'c4ed0002-0000-4000-8000-000000000001' AND purpose = 'vault.document' AND kind = 'secret';
	SELECT reason INTO answer FROM platform.data_keys k, platform.check_data_key(k.organization_id, k.purpose, k.kind, k.id)
	WHERE k.organization_id = 'c4ed0002-0000-4000-8000-000000000001' AND k.purpose = 'vault.document' AND k.kind = 'secret';
	UPDATE platform.data_keys SET wrapped = set_byte(wrapped, n, get_byte(wrapped, n) # 1) WHERE organization_id = 'c4ed0002-0000-4000-8000-000000000001' AND purpose = 'vault.document' AND kind = 'secret';
	RETURN answer; END $$;
SELECT pg_temp.tampered(n) AS reason, count(*) FROM generate_series(0, 59) n GROUP BY 1;
SELECT platform.check_data_key(:org, 'vault.document', 'secret', :key);

-- rotation of a data key: the old one reads, the new one writes
SELECT id AS old FROM platform.data_keys WHERE organization_id = :org AND purpose = 'vault.secret' \gset
SELECT platform.rotate_data_key(:org, 'vault.secret') AS new \gset
SELECT :new <> :old AS another, platform.decrypt_secret(:org, 'vault.secret', :row, :'e'),
	platform.envelope_key_id(:'e') = :old AS under_old,
	platform.envelope_key_id(platform.encrypt_secret(:org, 'vault.secret', :row, 'x')) = :new AS under_new;
SELECT platform.reencrypt_secret(:org, 'vault.secret', :row, :'e') AS f \gset
SELECT platform.envelope_key_id(:'f') = :new AS moved, platform.decrypt_secret(:org, 'vault.secret', :row, :'f'),
	platform.reencrypt_secret(:org, 'vault.secret', :row, :'f') = :'f' AS stays, platform.reencrypt_secret(:org, 'vault.secret', :row, NULL);
SELECT platform.envelope_key_id('no envelope');
SELECT kind, purpose, state, usable, reason, encryptions FROM platform.key_status(:org) WHERE kind <> 'root' ORDER BY purpose, state;
-- for an organization and purpose that have none yet it makes the first
SELECT platform.rotate_data_key(:other, 'vault.first') > 0 AS made, (SELECT count(*) FROM platform.data_keys WHERE purpose = 'vault.first') AS before;
SELECT state FROM platform.data_keys WHERE purpose = 'vault.first';

-- destroying: not while secrets need it, nor while it cannot be known
INSERT INTO platform.secret_columns (schema_name, table_name, column_name, purpose) VALUES
	('credentials_keys', 'missing', 'secret', 'vault.secret'), ('credentials_keys', 'vault', 'id', 'vault.secret');
SELECT platform.destroy_data_key(:org, 'vault.secret', 1, force => true);
SELECT platform.destroy_data_key(:org, 'vault.secret', platform.rotate_data_key(:org, 'vault.secret'));
SELECT table_name, column_name, secrets FROM platform.verify_secrets(:org) WHERE column_name <> 'document';
DELETE FROM platform.secret_columns WHERE column_name = 'id' OR table_name = 'missing';
SELECT platform.destroy_data_key(:org, 'vault.secret', :old);
UPDATE credentials_keys.vault SET secret = platform.reencrypt_secret(organization_id, 'vault.secret', id, secret) WHERE organization_id = :org;
SELECT platform.destroy_data_key(:org, 'vault.secret', :old);
SELECT platform.destroy_data_key(:org, 'vault.secret', :old) AS again;
\set VERBOSITY sqlstate
SELECT platform.decrypt_secret(:org, 'vault.secret', :row, :'e');
SELECT platform.destroy_data_key(:org, 'vault.secret', 1);
SELECT platform.destroy_data_key(:other, 'vault.first');
SELECT platform.destroy_data_key(NULL, 'vault.first');
\set VERBOSITY default
SELECT reason FROM platform.try_decrypt_secret(:org, 'vault.secret', :row, :'e');
SELECT platform.destroy_data_key(:other, 'vault.nothing', force => true) AS none;
-- all of an organization and purpose: shredding; a new secret gets a new key
SELECT platform.destroy_data_key(:other, 'vault.secret');
SELECT platform.destroy_data_key(:other, 'vault.secret', force => true);
SELECT readable, secrets, reason FROM platform.verify_secrets(:other) WHERE column_name = 'secret' AND table_name = 'credentials_keys.vault';
SELECT platform.decrypt_secret(:other, 'vault.secret', :row, platform.encrypt_secret(:other, 'vault.secret', :row, 'new'));
SELECT state, wrapped IS NULL AS gone, destroyed_at IS NOT NULL AS dated FROM platform.data_keys
WHERE organization_id = :other AND purpose = 'vault.secret' ORDER BY state;

-- blind index: equal for equal values, different elsewhere, and it stays
SELECT platform.secret_index(:org, 'vault.secret', 'AC123') AS i \gset
SELECT length(:'i'::bytea), platform.secret_index(:org, 'vault.secret', 'AC123') = :'i' AS same,
	platform.secret_index(:org, 'vault.secret', 'AC124') = :'i' AS value,
	platform.secret_index(:org, 'vault.document', 'AC123') = :'i' AS purpose,
	platform.secret_index(:other, 'vault.secret', 'AC123') = :'i' AS organization,
	platform.secret_index(:org, 'vault.secret', NULL) IS NULL AS nothing;
SELECT platform.rotate_data_key(:org, 'vault.secret') > 0, platform.secret_index(:org, 'vault.secret', 'AC123') = :'i' AS same;
BEGIN READ ONLY;
SELECT platform.secret_index(:org, 'vault.secret', 'AC123') = :'i' AS same, platform.secret_index(:org, 'vault.never', 'AC123') IS NULL AS nothing_indexed;
COMMIT;
ALTER TABLE credentials_keys.vault ADD COLUMN sid_index bytea;
UPDATE credentials_keys.vault SET sid_index = platform.secret_index(organization_id, 'vault.document', document ->> 'sid') WHERE true;
CREATE INDEX ON credentials_keys.vault (sid_index);
SET enable_seqscan = off;
SELECT document ->> 'sid' AS sid FROM credentials_keys.vault WHERE sid_index = platform.secret_index(:org, 'vault.document', 'AC7');
CREATE FUNCTION pg_temp.uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN FOR line IN EXECUTE 'EXPLAIN ' || query LOOP IF line ~ 'vault_sid_index_idx' THEN RETURN true; END IF; END LOOP; RETURN false; END $$;
SELECT pg_temp.uses_index(format('SELECT 1 FROM credentials_keys.vault WHERE sid_index = platform.secret_index(%L, %L, %L)', :org, 'vault.document', 'AC7'));
RESET enable_seqscan;

-- the other suite: readable beside the first, and counted ahead
SET platform.secret_suite = 'aes-256-gcm';
SELECT platform.encrypt_secret(:org, 'vault.counted', :row, 'short nonce') AS g \gset
SELECT length(:'g') - length(:'e') AS difference, decode(translate(left(:'g', 4), '-_', '+/'), 'base64') < '\x0102' AS suite_1,
	decode(translate(left(:'e', 4), '-_', '+/'), 'base64') >= '\x0102' AS suite_2, platform.decrypt_secret(:org, 'vault.counted', :row, :'g');
SELECT count(*) > 50 AS many, count(plaintext) FROM generate_series(1, length(:'g')) n,
	platform.try_decrypt_secret(:org, 'vault.counted', :row, overlay(:'g' PLACING CASE substr(:'g', n, 1) WHEN 'A' THEN 'Q' ELSE 'A' END FROM n));
SELECT count(DISTINCT platform.encrypt_secret(:org, 'vault.counted', :row, 'x')) FROM generate_series(1, 1000);
SELECT encryptions BETWEEN 1001 AND 2002 AS counted FROM platform.key_status(:org) WHERE purpose = 'vault.counted';
-- what is rolled back was used all the same
BEGIN;
SELECT count(platform.encrypt_secret(:org, 'vault.counted', :row, 'x')) FROM generate_series(1, 5000);
ROLLBACK;
SELECT platform.encrypt_secret(:org, 'vault.counted', :row, 'x') IS NOT NULL;
SELECT encryptions BETWEEN 6002 AND 12004 AS counted FROM platform.key_status(:org) WHERE purpose = 'vault.counted';
-- a warning at 2^30, which names the key, the end at 2^32
CREATE FUNCTION pg_temp.set_count(bigint) RETURNS void LANGUAGE sql AS $$
	UPDATE platform.data_key_counts SET encryptions = $1 FROM platform.data_keys k
	WHERE k.id = key_id AND k.purpose = 'vault.counted' $$;
SELECT pg_temp.set_count((1::bigint << 30) - 1);
CREATE FUNCTION pg_temp.encrypt_many() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM platform.encrypt_secret('c4ed0002-0000-4000-8000-000000000001', 'vault.counted', 'c4ed0002-0000-4000-8000-0000000000a1', 'x') FROM generate_series(1, 200000);
	RETURN 'not refused';
EXCEPTION WHEN SQLSTATE 'PT429' THEN
	RETURN regexp_replace(SQLERRM, '\d+', 'N');
END $$;
SET client_min_messages = error;
SELECT pg_temp.encrypt_many();
SELECT pg_temp.set_count(1::bigint << 32);
SELECT pg_temp.encrypt_many();
RESET client_min_messages;
RESET platform.secret_suite;
SELECT platform.decrypt_secret(:org, 'vault.counted', :row, platform.encrypt_secret(:org, 'vault.counted', :row, 'the default suite has no end'));
SELECT platform.reencrypt_secret(:org, 'vault.counted', :row, :'g') <> :'g' AS suite_is_old;

-- rotation of the root key: nothing else changes
BEGIN;
SELECT platform.unlock(decode(repeat('6b', 32), 'hex'), 1000);
SELECT kind, id, state, usable FROM platform.key_status() WHERE kind = 'root' AND id = 1000;
SELECT version, rewrapped = (SELECT count(*) FROM platform.data_keys WHERE wrapped IS NOT NULL) AS all_of_them FROM platform.rotate_root_key();
SELECT count(*) FROM platform.data_keys WHERE root_version <> 1000 AND wrapped IS NOT NULL;
SELECT column_name, readable, reason, sum(secrets) FROM platform.verify_secrets(:org) WHERE table_name = 'credentials_keys.vault' GROUP BY 1, 2, 3 ORDER BY 1;
SELECT platform.decrypt_secret(:org, 'vault.secret', :row, :'f'), platform.secret_index(:org, 'vault.secret', 'AC123') = :'i' AS same;
SELECT platform.decrypt_secret(:org, 'vault.new', :row, platform.encrypt_secret(:org, 'vault.new', :row, 'under the new root key'));
SELECT platform.rotate_root_key();
ROLLBACK;
SELECT platform.decrypt_secret(:org, 'vault.secret', :row, :'f');
-- a wrong key is named and not taken
\set VERBOSITY sqlstate
SELECT platform.unlock(decode(repeat('6c', 32), 'hex'), 1);
SELECT platform.unlock('\x00');
SELECT platform.unlock(decode(repeat('6c', 32), 'hex'), 0);
SELECT platform.generate_root_key(0);
\set VERBOSITY default
SELECT platform.generate_root_key(7) ~ '^7:[0-9a-f]{64}$' AS line, platform.generate_root_key() ~ '^\d+:[0-9a-f]{64}$' AS next_line,
	platform.generate_root_key(7) <> platform.generate_root_key(7) AS random;
SELECT root_version, usable, reason FROM platform.check_root_key(999999);
SELECT * FROM platform.check_root_key(1);
SELECT usable, reason FROM platform.check_data_key(:org, 'vault.secret', 'secret', 1);
SELECT platform.check_data_key(:org, 'vault.secret', 'nothing', 1);

-- who did what is on record, and stays there
SELECT action, purpose, regexp_replace(detail, '\d+', 'N') AS detail, role_name FROM platform.secret_access_log
WHERE organization_id IN (:org, :other) ORDER BY created_at;
UPDATE platform.secret_access_log SET action = 'nothing' WHERE organization_id = :org;
TRUNCATE platform.secret_access_log;
BEGIN;
SELECT platform.set_context(:org, 'c4ed0002-0000-4000-8000-0000000000b1', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT count(*) > 0 AS mine, count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.secret_access_log;
SELECT platform.envelope_key_id(:'f') = :new;
ROLLBACK;
BEGIN;
SELECT platform.set_context(:org, 'c4ed0002-0000-4000-8000-0000000000b1');
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.secret_access_log;
ROLLBACK;

-- rights: EXECUTE to begin with, and an operator all the same
SET ROLE platform_test_member;
SELECT platform.rotate_root_key();
SELECT platform.verify_secrets();
SELECT * FROM platform.key_status();
RESET ROLE;
BEGIN;
GRANT EXECUTE ON FUNCTION platform.rotate_root_key, platform.rotate_data_key, platform.destroy_data_key, platform.verify_secrets,
	platform.check_root_key, platform.check_data_key, platform.secret_index TO platform_test_member;
SELECT platform.set_context(:org, 'somebody', 'admin');
SET LOCAL ROLE platform_test_member;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.rotate_root_key();
ROLLBACK TO s;
SELECT platform.rotate_data_key(:org, 'vault.secret');
ROLLBACK TO s;
SELECT platform.destroy_data_key(:org, 'vault.secret', force => true);
ROLLBACK TO s;
SELECT platform.verify_secrets();
ROLLBACK TO s;
SELECT platform.check_root_key();
ROLLBACK TO s;
SELECT platform.check_data_key(:org, 'vault.secret', 'secret', 1);
ROLLBACK TO s;
SELECT platform.secret_index(:other, 'vault.secret', 'x');
ROLLBACK TO s;
\set VERBOSITY default
SELECT platform.secret_index(:org, 'vault.secret', 'AC123') = :'i' AS own;
ROLLBACK;

-- secret input: for the rest of the transaction, and only there
SELECT platform.begin_secret_input();
BEGIN;
SELECT current_setting('log_min_error_statement') AS before \gset
SELECT platform.begin_secret_input();
SELECT name, setting FROM pg_settings WHERE name IN ('log_statement', 'log_min_duration_statement', 'log_min_error_statement', 'track_activities', 'log_parameter_max_length_on_error') ORDER BY name;
COMMIT;
SELECT current_setting('log_min_error_statement') = :'before' AS as_before;
BEGIN;
SAVEPOINT s;
SELECT platform.begin_secret_input();
ROLLBACK TO s;
SELECT current_setting('log_min_error_statement') = :'before' AS as_before;
COMMIT;

\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA credentials_keys CASCADE;
DELETE FROM platform.secret_columns WHERE schema_name = 'credentials_keys';
SELECT platform.unlock() IS NULL AS forgotten;
