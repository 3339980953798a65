-- credentials: integration accounts

CREATE OR REPLACE FUNCTION platform.encrypt_credentials(organization_id uuid, row_id uuid, account_type text, credentials jsonb) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_encrypt_credentials';
COMMENT ON FUNCTION platform.encrypt_credentials(uuid, uuid, text, jsonb) IS
	'The document with the strings that credential_fields lists encrypted for that row of integration_accounts; the rest stays readable. NULL for NULL. Errors: 42501; 22004; 23514 unknown type of account; PT422 a secret that is no string or belongs elsewhere; those of encrypt_secret().';

CREATE OR REPLACE FUNCTION platform.encrypt_credentials(organization_id uuid, row_id uuid, account_type text, credentials text) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_encrypt_credentials';
COMMENT ON FUNCTION platform.encrypt_credentials(uuid, uuid, text, text) IS
	'The same for text, which no error prints: 22P02 tells line and column only.';

CREATE OR REPLACE FUNCTION platform.encrypt_integration() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_encrypt_integration';
COMMENT ON FUNCTION platform.encrypt_integration() IS
	'Trigger function of integration_accounts: encrypts what is given in clear, refuses envelopes of another place (PT422) and changes of the key (PT409), makes webhook_secret and webhook_url, keeps updated_at and when errors began. Errors: 39P01; 23514; F0000 no root key.';

CREATE OR REPLACE FUNCTION platform.redacted_credentials(organization_id uuid, account_id uuid) RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_redacted_credentials';
COMMENT ON FUNCTION platform.redacted_credentials(uuid, uuid) IS
	'The account''s document, of each secret "****" and its last four characters. Never an error because one cannot be decrypted. NULL: no such account. Errors: 42501; 22004.';
INSERT INTO platform.member_privileges VALUES ('function', 'redacted_credentials(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.redacted_secret(organization_id uuid, account_id uuid, name text) RETURNS text
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_redacted_secret';
COMMENT ON FUNCTION platform.redacted_secret(uuid, uuid, text) IS
	'The same for access_token, refresh_token or webhook_secret. NULL: none. Errors: 42501; 22004; 22023 another name.';
INSERT INTO platform.member_privileges VALUES ('function', 'redacted_secret(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.reveal_credentials(organization_id uuid, account_id uuid, reason text DEFAULT NULL,
	OUT credentials jsonb, OUT access_token text, OUT refresh_token text, OUT webhook_secret text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reveal_credentials';
COMMENT ON FUNCTION platform.reveal_credentials(uuid, uuid, text) IS
	'The account''s secrets in clear. EXECUTE is the grant; members act for their organization. Each call is recorded in secret_access_log, in the server''s log and in a logical message that a rollback leaves. Errors: 42501; 22004; PT404; 25006; those of decrypt_secret().';

CREATE OR REPLACE FUNCTION platform.try_reveal(organization_id uuid, account_id uuid, reason text DEFAULT NULL,
	OUT credentials jsonb, OUT access_token text, OUT refresh_token text, OUT webhook_secret text, OUT problem text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_try_reveal';
COMMENT ON FUNCTION platform.try_reveal(uuid, uuid, text) IS
	'As reveal_credentials(), for listings: a secret that cannot be decrypted is null, and problem names it with the reason. Errors: 42501; 22004; PT404; 25006.';

CREATE OR REPLACE FUNCTION platform.rotate_integration_secret(organization_id uuid, account_id uuid, grace interval DEFAULT '24 hours', force boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_rotate_integration_secret';
COMMENT ON FUNCTION platform.rotate_integration_secret(uuid, uuid, interval, boolean) IS
	'Makes a new webhook_secret and returns it, this once; the old one stays valid for the grace period. Operators only. Errors: 42501; 22004; 22023 grace negative or beyond 31 days; PT404; PT409 while an earlier grace period runs, unless forced.';

CREATE OR REPLACE FUNCTION platform.reencrypt_credentials(batch integer DEFAULT 10000) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reencrypt_credentials';
COMMENT ON FUNCTION platform.reencrypt_credentials(integer) IS
	'Puts the secrets of at most batch accounts under the active data keys, and encrypts what an adopted table has in clear; returns how many accounts. Call it until it returns 0. No trigger fires, updated_at stays; rows that others hold are left. Operators only. Errors: 42501; 22004; 22023; F0000; 25006.';

CREATE OR REPLACE FUNCTION platform.record_integration_error(organization_id uuid, account_id uuid, message text) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_integration_error';
COMMENT ON FUNCTION platform.record_integration_error(uuid, uuid, text) IS
	'Notes a provider''s error, 1000 characters of it; status becomes error. After an hour of errors raises an ops alert, once until the account is verified: true when this call did. Operators only. Errors: 42501; 22004; PT404.';

CREATE OR REPLACE FUNCTION platform.record_integration_verified(organization_id uuid, account_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_integration_verified';
COMMENT ON FUNCTION platform.record_integration_verified(uuid, uuid) IS
	'Notes that the account works: clears the error, closes the alert, status error or pending becomes active. Of one that worked before the time is noted, once a minute; false when nothing is written. Operators only. Errors: 42501; 22004; PT404.';

CREATE OR REPLACE FUNCTION platform.alert_integration_errors(batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_alert_integration_errors';
COMMENT ON FUNCTION platform.alert_integration_errors(integer) IS
	'Raises the ops alerts for accounts in error for more than an hour of which nobody was told; returns how many. For a scheduler. Operators only. Errors: 42501; 22004; 22023 batch below 1.';

CREATE OR REPLACE FUNCTION platform.integration_tokens_expiring(within interval DEFAULT '7 days')
RETURNS TABLE (organization_id uuid, account_id uuid, account_type text, account_name text, token_expires_at timestamptz, expired boolean)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 100
AS $$
SELECT a.organization_id, a.id, a.account_type, a.account_name, a.token_expires_at, a.token_expires_at <= pg_catalog.now()
FROM platform.integration_accounts a
WHERE a.deleted_at IS NULL AND a.token_expires_at <= pg_catalog.now() + within
ORDER BY a.token_expires_at, a.id
$$;
COMMENT ON FUNCTION platform.integration_tokens_expiring(interval) IS
	'Accounts whose access token has expired or will within that time, the most urgent first; of those that the caller may see. None for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'integration_tokens_expiring(interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.import_legacy_credentials(encrypted text, iv text, auth_tag text, key text) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_import_legacy_credentials';
COMMENT ON FUNCTION platform.import_legacy_credentials(text, text, text, text) IS
	'Decrypts what an older application stored as three hexadecimal strings: AES-256-GCM, 16 bytes of nonce, 16 of tag. A document, or a JSON string. NULL when one of them is. Operators only. Errors: 42501; 22004 NULL key; 22023 wrong form, or not authentic.';

-- Administrators write accounts, secrets included, and nobody reads these.
INSERT INTO platform.member_privileges VALUES
	('table', 'credential_fields', 'SELECT'),
	('table', 'integration_accounts', 'SELECT (id, organization_id, account_type, account_name, description, token_expires_at, webhook_url, previous_webhook_secret_expires_at, status, is_active, last_error, last_error_at, error_since, last_verified_at, secrets_changed_at, data_key_ids, created_at, updated_at, deleted_at)'),
	('table', 'integration_accounts', 'INSERT (organization_id, account_type, account_name, description, credentials, access_token, refresh_token, token_expires_at, webhook_secret, status, is_active)'),
	('table', 'integration_accounts', 'UPDATE (account_name, description, credentials, access_token, refresh_token, token_expires_at, webhook_secret, is_active, deleted_at)'),
	('table', 'integrations', 'SELECT'),
	('table', 'integrations', 'UPDATE (display_name, description, is_active)');

CREATE OR REPLACE FUNCTION platform.verify_twilio_request(organization_id uuid, account_id uuid, url text, body bytea, signature text) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_verify_twilio_request';
COMMENT ON FUNCTION platform.verify_twilio_request(uuid, uuid, text, bytea, text) IS
	'Does X-Twilio-Signature fit the whole URL, the body and the account''s authToken, which nobody sees? False for an account that is switched off, deleted, not there or without one. Errors: 42501; 22004 NULL ids; those of decrypt_secret().';

CREATE OR REPLACE FUNCTION platform.verify_meta_request(organization_id uuid, account_id uuid, body bytea, signature text) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_verify_meta_request';
COMMENT ON FUNCTION platform.verify_meta_request(uuid, uuid, bytea, text) IS
	'The same for X-Hub-Signature-256, the body and the account''s appSecret.';

CREATE OR REPLACE FUNCTION platform.verify_integration_request(organization_id uuid, account_id uuid, body bytea, signature text, webhook_id text DEFAULT NULL, sent_at text DEFAULT NULL, scheme text DEFAULT 'standard', now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_verify_integration_request';
COMMENT ON FUNCTION platform.verify_integration_request(uuid, uuid, bytea, text, text, text, text, timestamptz) IS
	'The same for the account''s webhook_secret, and the previous one while its grace period runs. scheme: standard, svix, stripe, meta, github, slack, retell; webhook_id and sent_at: the headers that it signs. Errors also: 22023 unknown scheme.';
