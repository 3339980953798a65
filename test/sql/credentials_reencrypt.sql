-- Re-encryption: all secrets under the active keys, in batches, with nothing else changed; adopted tables are encrypted; what is unreadable is left.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''54000000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Reencrypt Co');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, access_token, refresh_token, created_at, updated_at, secrets_changed_at)
SELECT :org, 'custom', 'n' || i, format('{"password": "p%s", "turnServers": [{"credential": "t%s"}], "sipUri": "s%s"}', i, i, i)::jsonb, 'a' || i, NULL, '2020-01-01', '2020-01-01', '2020-01-01'
FROM generate_series(1, 25) i;
UPDATE platform.integration_accounts SET refresh_token = repeat('long refresh token ', 500) WHERE organization_id = :org AND account_name = 'n25';
SELECT platform.rotate_integration_secret(:org, id) IS NOT NULL AS rotated FROM platform.integration_accounts WHERE organization_id = :org AND account_name = 'n1';
CREATE TEMP TABLE before AS SELECT a.*, r.credentials AS clear, r.access_token AS clear_access, r.refresh_token AS clear_refresh, r.webhook_secret AS clear_webhook,
	platform.decrypt_secret(:org, 'integration_accounts.previous_webhook_secret', a.id, a.previous_webhook_secret) AS clear_previous
FROM platform.integration_accounts a, platform.reveal_credentials(a.organization_id, a.id) r WHERE organization_id = :org;
-- a trigger that would tell of a change
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'changed'; RETURN NULL; END $$;
CREATE TRIGGER integration_accounts_tell AFTER UPDATE ON platform.integration_accounts FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT platform.reencrypt_credentials() AS nothing_to_do;
-- a key is retired: batches, until none is left
UPDATE platform.data_keys SET state = 'decrypt_only' WHERE organization_id = :org AND state = 'active';
SELECT platform.reencrypt_credentials(10), platform.reencrypt_credentials(10), platform.reencrypt_credentials(10), platform.reencrypt_credentials(10);
SELECT count(*) FROM platform.integration_accounts a WHERE organization_id = :org AND EXISTS (SELECT FROM platform.data_keys k WHERE k.id = ANY (a.data_key_ids) AND k.state <> 'active');
SELECT count(*) AS rows, count(*) FILTER (WHERE a.credentials <> b.credentials AND a.access_token <> b.access_token AND a.webhook_secret <> b.webhook_secret AND a.data_key_ids <> b.data_key_ids) AS renewed,
	count(*) FILTER (WHERE r.credentials = b.clear AND r.access_token = b.clear_access AND r.refresh_token IS NOT DISTINCT FROM b.clear_refresh AND r.webhook_secret = b.clear_webhook
		AND platform.decrypt_secret(:org, 'integration_accounts.previous_webhook_secret', a.id, a.previous_webhook_secret) IS NOT DISTINCT FROM b.clear_previous) AS same_secrets,
	count(*) FILTER (WHERE a.updated_at = b.updated_at AND a.created_at = b.created_at AND a.secrets_changed_at = b.secrets_changed_at AND a.account_name = b.account_name) AS untouched
FROM platform.integration_accounts a JOIN before b USING (id, organization_id), platform.reveal_credentials(a.organization_id, a.id) r;
-- one key only: the other envelopes stay
CREATE TEMP TABLE between AS SELECT * FROM platform.integration_accounts WHERE organization_id = :org;
UPDATE platform.data_keys SET state = 'decrypt_only' WHERE organization_id = :org AND state = 'active' AND purpose = 'integration_accounts.access_token';
SELECT platform.reencrypt_credentials();
SELECT count(*) FILTER (WHERE a.access_token <> b.access_token) AS renewed, count(*) FILTER (WHERE a.credentials = b.credentials AND a.webhook_secret = b.webhook_secret) AS kept
FROM platform.integration_accounts a JOIN between b USING (id, organization_id);
DROP TRIGGER integration_accounts_tell ON platform.integration_accounts;
-- rolled back, it is to be done again
UPDATE platform.data_keys SET state = 'decrypt_only' WHERE organization_id = :org AND state = 'active' AND purpose = 'integration_accounts.access_token';
SAVEPOINT s;
SELECT platform.reencrypt_credentials();
ROLLBACK TO s;
SELECT platform.reencrypt_credentials();
-- rows of an adopted table: in clear, and never looked at
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, access_token, webhook_secret) VALUES
	('54000000-0000-4000-8000-0000000000a1', :org, 'twilio', 'adopted', '{"accountSid": "AC1", "authToken": "in clear"}', 'clear token', 'clear secret'),
	('54000000-0000-4000-8000-0000000000a2', :org, 'twilio', 'adopted without', '{"accountSid": "AC1"}', NULL, NULL);
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
SELECT name, detail FROM platform.verify() WHERE NOT passed AND name LIKE '5_ credentials%';
SELECT platform.reencrypt_credentials(), platform.reencrypt_credentials() AS again;
SELECT name, detail FROM platform.verify() WHERE NOT passed AND name LIKE '5_ credentials%';
SELECT a.account_name, a.credentials #> '{authToken,$enc}' IS NOT NULL AS encrypted, r.*, cardinality(a.data_key_ids) AS keys FROM platform.integration_accounts a, platform.reveal_credentials(a.organization_id, a.id) r
WHERE a.account_name LIKE 'adopted%' ORDER BY a.account_name COLLATE "C";
-- what cannot be read is left as it is, and the rest goes on
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
UPDATE platform.integration_accounts SET credentials = jsonb_set(credentials, '{authToken,$enc}', to_jsonb(overlay(credentials #>> '{authToken,$enc}' placing 'AAAA' from 60))) WHERE account_name = 'adopted';
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
CREATE TEMP TABLE broken AS SELECT * FROM platform.integration_accounts WHERE account_name = 'adopted';
UPDATE platform.data_keys SET state = 'decrypt_only' WHERE organization_id = :org AND state = 'active';
SELECT platform.reencrypt_credentials(), platform.reencrypt_credentials() AS again;
SELECT a = b AS unchanged FROM platform.integration_accounts a JOIN broken b USING (id);
SELECT platform.reencrypt_credentials(0);
SELECT platform.reencrypt_credentials(NULL);
\set ON_ERROR_ROLLBACK off
SET LOCAL transaction_read_only = on;
SELECT platform.reencrypt_credentials();
ROLLBACK;
