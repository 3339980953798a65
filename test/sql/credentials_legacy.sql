-- Credentials of an older application: what its helper wrote is read; nothing shorter, longer or changed.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
-- made with Node's crypto: AES-256-GCM, 16 bytes of nonce, 16 of tag
\set key '''000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'''
\set document '''518142df7ba2b818b7cd76d5cf2eafd1c17461555c5524d8954605dd7c5b04bd2efe8a07b5a0dade9c6c448065'''
\set iv '''a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'''
\set tag '''b8c68b09f1579d40395ebff4056a6e67'''
SELECT platform.import_legacy_credentials(:document, :iv, :tag, :key);
SELECT platform.import_legacy_credentials(upper(:document), upper(:iv), upper(:tag), upper(:key)) ->> 'authToken' AS upper_case;
SELECT platform.import_legacy_credentials('f44cc5359890a973b0c6', 'b0b1b2b3b4b5b6b7b8b9babbbcbdbebf', 'ac8cc68363d74cc8b69b5ff0c8c4b5b0', :key) #>> '{}' AS single_text;
SELECT platform.import_legacy_credentials('', 'c0c1c2c3c4c5c6c7c8c9cacbcccdcecf', '5ac9f817b04196ae676b8c7e9fac7c2d', :key) AS empty;
SELECT platform.import_legacy_credentials(NULL, :iv, :tag, :key) IS NULL AND platform.import_legacy_credentials(:document, NULL, :tag, :key) IS NULL
	AND platform.import_legacy_credentials(:document, :iv, NULL, :key) IS NULL AS nothing;
-- straight into an account, encrypted anew
INSERT INTO platform.integration_accounts (account_type, account_name, credentials)
SELECT 'twilio', 'legacy import', platform.import_legacy_credentials(:document, :iv, :tag, :key);
SELECT a.credentials ? 'authToken' AND a.credentials #>> '{authToken,$enc}' IS NOT NULL AS encrypted, r.credentials
FROM platform.integration_accounts a, platform.reveal_credentials(a.organization_id, a.id) r WHERE a.account_name = 'legacy import';
-- every byte counts
CREATE FUNCTION pg_temp.refusal(encrypted text, iv text, tag text, key text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM platform.import_legacy_credentials(encrypted, iv, tag, key);
	RETURN 'accepted';
EXCEPTION WHEN others THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION pg_temp.flip(hex text, n int) RETURNS text LANGUAGE sql AS $$ SELECT encode(set_byte(decode(hex, 'hex'), n, get_byte(decode(hex, 'hex'), n) # 1), 'hex') $$;
SELECT 'data' AS part, pg_temp.refusal(pg_temp.flip(:document, i), :iv, :tag, :key) AS answer, count(*) FROM generate_series(0, length(:document) / 2 - 1) i GROUP BY 2
UNION ALL SELECT 'iv', pg_temp.refusal(:document, pg_temp.flip(:iv, i), :tag, :key), count(*) FROM generate_series(0, 15) i GROUP BY 2
UNION ALL SELECT 'tag', pg_temp.refusal(:document, :iv, pg_temp.flip(:tag, i), :key), count(*) FROM generate_series(0, 15) i GROUP BY 2
UNION ALL SELECT 'key', pg_temp.refusal(:document, :iv, :tag, pg_temp.flip(:key, i)), count(*) FROM generate_series(0, 31) i GROUP BY 2 ORDER BY 1, 2;
-- a tag that is cut is refused, as are other lengths and digits
SELECT n, pg_temp.refusal(:document, :iv, left(:tag, n), :key) FROM unnest(ARRAY[0, 8, 24, 30, 31]) n;
SELECT pg_temp.refusal(:document, :iv, :tag || '00', :key);
SELECT pg_temp.refusal(:document, left(:iv, 24), :tag, :key);
SELECT pg_temp.refusal(:document, :iv, :tag, left(:key, 32));
SELECT pg_temp.refusal(:document, :iv, :tag, 'a passphrase');
SELECT pg_temp.refusal(left(:document, 89), :iv, :tag, :key);
SELECT pg_temp.refusal('zz', :iv, :tag, :key);
SELECT pg_temp.refusal('', :iv, :tag, :key);
SELECT pg_temp.refusal(:document, :iv, :tag, NULL);
ROLLBACK;
