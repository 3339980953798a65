-- Secrets: what is encrypted comes back in its own place only, and who may ask
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set org '''c4ed0001-0000-4000-8000-000000000001'''
\set other '''c4ed0001-0000-4000-8000-000000000002'''
\set row '''c4ed0001-0000-4000-8000-0000000000a1'''
\set ECHO none
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Secrets'), (:other, 'Other secrets');
\set ECHO all

-- what goes in comes out
SELECT platform.encrypt_secret(:org, 'test.secret', :row, 'correct horse') AS e \gset
SELECT platform.decrypt_secret(:org, 'test.secret', :row, :'e');
SELECT length(:'e'), :'e' ~ '^[A-Za-z0-9_-]+$' AS base64url, :'e' ~ 'correct' AS clear;
SELECT t.length, platform.decrypt_secret(:org, 'test.secret', :row, platform.encrypt_secret(:org, 'test.secret', :row, t.plain)) = t.plain AS same
FROM (SELECT n, repeat('x', n) FROM unnest(ARRAY[0, 1, 15, 16, 17, 955, 956, 957, 1000000]) n
	UNION ALL SELECT -1, 'Grüße, 秘密, 🔑') AS t (length, plain);
-- nothing for nothing
SELECT platform.encrypt_secret(:org, 'test.secret', :row, NULL) IS NULL, platform.decrypt_secret(:org, 'test.secret', :row, NULL) IS NULL;
SELECT platform.encrypt_secret(NULL, 'test.secret', :row, 'x');
SELECT platform.encrypt_secret(:org, NULL, :row, 'x');
SELECT platform.decrypt_secret(:org, 'test.secret', NULL, 'x');

-- one key an organization and purpose, two secrets are never the same
SELECT count(DISTINCT platform.encrypt_secret(:org, 'test.secret', :row, 'x')) FROM generate_series(1, 1000);
SELECT purpose, kind, state, root_version FROM platform.data_keys WHERE organization_id = :org;

-- also in one statement: the nonce is what follows the header
CREATE TEMP TABLE several (secret text);
INSERT INTO several VALUES (platform.encrypt_secret(:org, 'test.secret', :row, 'x')), (platform.encrypt_secret(:org, 'test.secret', :row, 'x')),
	(platform.encrypt_secret(:org, 'test.secret', :row, 'x')) RETURNING length(secret);
SELECT count(DISTINCT substr(secret, 1, 8)) AS headers, count(DISTINCT substr(secret, 9, 32)) AS nonces, count(DISTINCT secret) AS secrets FROM several;

-- formats and suites that are not known
SELECT position, value, reason FROM (VALUES (0, 0), (0, 1), (0, 2), (0, 255), (1, 0), (1, 1), (1, 2), (1, 3), (1, 255)) v (position, value),
	LATERAL (SELECT translate(rtrim(encode(set_byte(decode(rpad(translate(:'e', '-_', '+/'), (length(:'e') + 3) / 4 * 4, '='), 'base64'), position, value), 'base64'), '='), E'+/\n', '-_') AS envelope) c,
	platform.try_decrypt_secret(:org, 'test.secret', :row, envelope)
ORDER BY 1, 2;

-- another place: organization, purpose, row, field
SELECT platform.encrypt_secret(:other, 'test.secret', :row, 'x') IS NOT NULL AS has_a_key;
\set VERBOSITY sqlstate
SELECT platform.decrypt_secret(:other, 'test.secret', :row, :'e');
\set VERBOSITY default
SELECT platform.decrypt_secret(:org, 'test.secret', :org, :'e');
SELECT platform.decrypt_secret(:org, 'test.secret', :row, :'e', '/field');
SELECT platform.encrypt_secret(:org, 'test.other', :row, 'x') IS NOT NULL AS has_a_key;
\set VERBOSITY sqlstate
SELECT platform.decrypt_secret(:org, 'test.other', :row, :'e');
SELECT platform.encrypt_secret('c4ed0001-0000-4000-8000-000000000099', 'test.secret', :row, 'x');
SELECT platform.encrypt_secret(:org, '', :row, 'x');
SELECT platform.encrypt_secret(:org, repeat('p', 128), :row, 'x');
SELECT platform.encrypt_secret(:org, 'test.secret', :row, 'x', repeat('/', 1024));
\set VERBOSITY default
-- what is no envelope is not repeated
SELECT platform.decrypt_secret(:org, 'test.secret', :row, 'plain text that somebody stored in this column');
SELECT platform.decrypt_secret(:org, 'test.secret', :row, '');

-- members have no right to either; who is granted one acts for its own organization
SET ROLE platform_test_member;
SELECT platform.encrypt_secret(:org, 'test.secret', :row, 'x');
SELECT platform.decrypt_secret(:org, 'test.secret', :row, :'e');
SELECT platform.unlock('\x00');
SELECT platform.generate_root_key();
SELECT count(*) FROM platform.data_keys;
RESET ROLE;
BEGIN;
GRANT EXECUTE ON FUNCTION platform.encrypt_secret, platform.decrypt_secret TO platform_test_member;
SELECT platform.set_context(:org, 'somebody');
SET LOCAL ROLE platform_test_member;
SELECT platform.decrypt_secret(:org, 'test.secret', :row, platform.encrypt_secret(:org, 'test.secret', :row, 'mine'));
SELECT platform.encrypt_secret(:other, 'test.secret', :row, 'x');
ROLLBACK;

-- a key that was made and rolled back is forgotten with it
BEGIN;
SAVEPOINT before;
SELECT platform.encrypt_secret(:org, 'test.savepoint', :row, 'x') IS NOT NULL;
ROLLBACK TO before;
SELECT platform.encrypt_secret(:org, 'test.savepoint', :row, 'kept') AS k \gset
COMMIT;
SELECT platform.decrypt_secret(:org, 'test.savepoint', :row, :'k');
BEGIN;
SELECT platform.encrypt_secret(:org, 'test.rollback', :row, 'x') IS NOT NULL;
ROLLBACK;
SELECT platform.encrypt_secret(:org, 'test.rollback', :row, 'kept') AS k \gset
SELECT platform.decrypt_secret(:org, 'test.rollback', :row, :'k');
-- reading needs no right to write
BEGIN READ ONLY;
SELECT platform.decrypt_secret(:org, 'test.secret', :row, :'e');
SELECT platform.encrypt_secret(:org, 'test.secret', :row, 'x') IS NOT NULL AS key_is_there;
\set SHOW_CONTEXT never
SELECT platform.encrypt_secret(:org, 'test.first', :row, 'x');
ROLLBACK;

-- EXPLAIN runs neither: no plaintext, no envelope
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS off) ' || query; END $$;
SELECT line ~ 'correct' AS shows FROM pg_temp.plan(format('SELECT platform.decrypt_secret(%L, %L, %L, %L)', :org, 'test.secret', :row, :'e')) line;
