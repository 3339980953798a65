-- The examples of doc/integrations.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
SELECT platform.create_organization('Acme Integrations') AS acme \gset
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials)
VALUES (:'acme', 'twilio', 'Main line', '{"accountSid": "AC1", "authToken": "a-very-secret-token", "phoneNumber": "+15550100"}')
RETURNING id AS account \gset
SELECT credentials, webhook_secret IS NOT NULL AS secret FROM platform.integrations WHERE id = :'account';
SELECT platform.encrypt_credentials(:'acme', :'account', 'twilio', '{"authToken": "oops}');
SELECT credentials ->> 'authToken' FROM platform.reveal_credentials(:'acme', :'account', 'ticket 42');
SELECT action, detail FROM platform.secret_access_log WHERE row_id = :'account';
SELECT platform.verify_twilio_request(:'acme', :'account', 'https://app.example.com/voice', 'CallSid=CA1',
	platform.sign_twilio_webhook('https://app.example.com/voice', 'CallSid=CA1', 'a-very-secret-token'));
SELECT platform.record_integration_error(:'acme', :'account', 'authentication failed');
SELECT platform.record_integration_verified(:'acme', :'account');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials)
SELECT :'acme', 'twilio', 'Imported', platform.import_legacy_credentials(
	'518142df7ba2b818b7cd76d5cf2eafd1c17461555c5524d8954605dd7c5b04bd2efe8a07b5a0dade9c6c448065',
	'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', 'b8c68b09f1579d40395ebff4056a6e67',
	'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT display_name, credentials FROM platform.integrations WHERE organization_id = :'acme' ORDER BY created_at, display_name;
-- a field that becomes secret
INSERT INTO platform.credential_fields VALUES ('twilio', '/phoneNumber');
UPDATE platform.integration_accounts SET data_key_ids = NULL WHERE organization_id = :'acme';
SELECT credentials FROM platform.integrations WHERE id = :'account';
ROLLBACK;
