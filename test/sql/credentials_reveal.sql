-- Who sees secrets: members their last characters, nobody the rest without a grant, and each look is recorded; what cannot be decrypted spoils no listing.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''52000000-0000-4000-8000-000000000001'''
\set other '''52000000-0000-4000-8000-000000000002'''
\set one '''52000000-0000-4000-8000-0000000000a1'''
\set two '''52000000-0000-4000-8000-0000000000a2'''
\set three '''52000000-0000-4000-8000-0000000000a3'''
\set nobody '''52000000-0000-4000-8000-00000000dead'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Reveal Co'), (:other, 'Other Co');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, access_token, webhook_secret) VALUES
	(:one, :org, 'twilio', 'One', '{"accountSid": "AC1", "authToken": "0123456789ab", "apiKeySecret": "short"}', 'ünïcödé-tökéñ-ßßßß', 'whsec_one-secret'),
	(:two, :org, 'custom', 'Two', '{"password": "two password", "turnServers": [{"credential": "two credential"}]}', NULL, 'whsec_two-secret'),
	(:three, :other, 'twilio', 'Three', '{"authToken": "three token"}', NULL, 'whsec_three');
-- redacted: the last four characters of those with twelve or more
SELECT display_name, credentials, access_token, refresh_token, webhook_secret, cardinality(data_key_ids) AS keys, secrets_age FROM platform.integrations WHERE organization_id = :org ORDER BY display_name COLLATE "C";
SELECT platform.redacted_credentials(:org, :nobody), platform.redacted_secret(:org, :nobody, 'access_token'), platform.redacted_secret(:org, :two, 'access_token');
SELECT platform.redacted_secret(:org, :one, 'previous_webhook_secret');
SELECT platform.redacted_secret(:org, :one, 'account_name');
SELECT platform.redacted_secret(:org, :one, NULL);
SELECT platform.redacted_credentials(NULL, :one);
SELECT platform.redacted_credentials(:org, NULL);
-- revealed, and recorded
SELECT * FROM platform.reveal_credentials(:org, :one, 'ticket 42');
SELECT * FROM platform.try_reveal(:org, :two);
SELECT action, purpose, row_id, detail, role_name = current_user AS own_role FROM platform.secret_access_log WHERE organization_id = :org ORDER BY id;
SELECT * FROM platform.reveal_credentials(:org, :three);
SELECT * FROM platform.try_reveal(:org, :nobody);
SELECT * FROM platform.reveal_credentials(NULL, :one);
SELECT * FROM platform.reveal_credentials(:org, NULL);
-- one that cannot be decrypted: put there by who goes past the trigger
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
UPDATE platform.integration_accounts SET credentials = jsonb_set(credentials, '{password}', (SELECT credentials -> 'authToken' FROM platform.integration_accounts WHERE id = :one)),
	access_token = 'in clear', refresh_token = overlay(webhook_secret placing 'AAAA' from 80) WHERE id = :two;
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
SELECT display_name, credentials, access_token, refresh_token, webhook_secret FROM platform.integrations WHERE organization_id = :org ORDER BY display_name COLLATE "C";
SELECT a.account_name, r.* FROM platform.integration_accounts a, platform.try_reveal(a.organization_id, a.id) r WHERE organization_id = :org ORDER BY account_name COLLATE "C";
\set VERBOSITY sqlstate
SELECT * FROM platform.reveal_credentials(:org, :two);
\set VERBOSITY terse
SELECT account_name FROM platform.integration_accounts a WHERE organization_id = :org AND (platform.try_reveal(organization_id, id)).problem IS NULL;
-- a destroyed key
SELECT count(*) FROM platform.secret_access_log WHERE organization_id = :org;
UPDATE platform.data_keys SET state = 'destroyed', wrapped = NULL, destroyed_at = now() WHERE organization_id = :org AND purpose = 'integration_accounts.webhook_secret';
SELECT credentials, webhook_secret FROM platform.integrations WHERE id = :one;
SELECT * FROM platform.try_reveal(:org, :one);

-- changes are in the audit trail, without what is secret
SELECT action, count(*), bool_or(concat(old, new) ~ 'AQ[E-L]|ciphertext|enc') AS shows FROM platform.audit_logs WHERE organization_id = :org AND entity = 'integration_accounts' GROUP BY action ORDER BY 1;
-- members: the view, their organization's; no base column, no function that shows a secret
SELECT platform.set_context(:org::uuid, 'somebody');
SET LOCAL ROLE platform_test_member;
SELECT display_name, credentials FROM platform.integrations ORDER BY display_name COLLATE "C";
SELECT id, account_type, status FROM platform.integration_accounts ORDER BY id;
SELECT credentials FROM platform.integration_accounts;
SELECT access_token FROM platform.integration_accounts;
SELECT refresh_token FROM platform.integration_accounts;
SELECT webhook_secret FROM platform.integration_accounts;
SELECT previous_webhook_secret FROM platform.integration_accounts;
SELECT a FROM platform.integration_accounts a;
SELECT count(*) FROM platform.integration_accounts WHERE webhook_secret = '';
SELECT platform.redacted_credentials(:other, :three);
SELECT platform.redacted_secret(:other, :three, 'webhook_secret');
SELECT platform.redacted_credentials(:org, :three) IS NULL AS not_there;
SELECT platform.reveal_credentials(:org, :one);
SELECT platform.try_reveal(:org, :one);
SELECT platform.rotate_integration_secret(:org, :one);
SELECT platform.encrypt_credentials(:org, :one, 'twilio', '{}'::text);
SELECT platform.import_legacy_credentials('', '', '', '');
SELECT platform.reencrypt_credentials();
SELECT platform.record_integration_error(:org, :one, 'x');
SELECT platform.record_integration_verified(:org, :one);
SELECT platform.alert_integration_errors();
INSERT INTO platform.integration_accounts (account_type, account_name, credentials) VALUES ('twilio', 'mine', '{}');
UPDATE platform.integration_accounts SET account_name = 'mine' RETURNING id;
UPDATE platform.integrations SET is_active = false RETURNING id;
DELETE FROM platform.integration_accounts;
DELETE FROM platform.integrations;
SELECT account_type, path FROM platform.credential_fields ORDER BY 1, 2;
INSERT INTO platform.credential_fields VALUES ('twilio', '/x');
RESET ROLE;
-- administrators write accounts, secrets too, and read none of these
UPDATE platform.data_keys SET state = 'destroyed', wrapped = NULL, destroyed_at = now() WHERE organization_id = :org AND state = 'active';
SELECT platform.set_context(:org::uuid, 'boss', 'admin');
SET LOCAL ROLE platform_test_member;
INSERT INTO platform.integration_accounts (account_type, account_name, credentials, access_token) VALUES ('whatsapp', 'Mine', '{"appSecret": "administrators secret"}', 'administrators token') RETURNING organization_id = :org AS own, webhook_url, status;
UPDATE platform.integration_accounts SET credentials = '{"appSecret": "administrators other"}' WHERE account_name = 'Mine' RETURNING account_type;
SELECT display_name, credentials, access_token FROM platform.integrations WHERE display_name = 'Mine';
UPDATE platform.integrations SET is_active = false, display_name = 'Yours' WHERE display_name = 'Mine' RETURNING display_name, is_active, credentials;
UPDATE platform.integration_accounts SET credentials = credentials || '{}' WHERE account_name = 'Yours';
UPDATE platform.integration_accounts SET status = 'active' WHERE account_name = 'Yours';
UPDATE platform.integration_accounts SET data_key_ids = NULL WHERE account_name = 'Yours';
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:other, 'twilio', 'theirs', '{}');
UPDATE platform.integration_accounts SET account_name = 'theirs' WHERE id = :three RETURNING id;
SELECT credentials FROM platform.integration_accounts;
SELECT platform.reveal_credentials(:org, :one);
RESET ROLE;
-- EXECUTE is the grant, for one's own organization
GRANT EXECUTE ON FUNCTION platform.reveal_credentials TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT r.credentials, r.access_token FROM platform.integration_accounts a, platform.reveal_credentials(:org, a.id, 'granted') r WHERE a.account_name = 'Yours';
SELECT platform.reveal_credentials(:other, :three);
RESET ROLE;
SELECT action, detail, role_name, subject FROM platform.secret_access_log WHERE organization_id = :org AND detail = 'granted';
-- a stranger
SET LOCAL ROLE platform_test_stranger;
SELECT count(*) FROM platform.integrations;
SELECT platform.redacted_credentials(:org, :one);
RESET ROLE;
-- nothing is revealed that cannot be recorded
\set ON_ERROR_ROLLBACK off
SET LOCAL transaction_read_only = on;
SAVEPOINT s;
SELECT platform.reveal_credentials(:org, :one);
ROLLBACK TO s;
SELECT platform.try_reveal(:org, :one);
ROLLBACK TO s;
SELECT credentials FROM platform.integrations WHERE id = :one;
ROLLBACK;
