-- Integration accounts: what is secret is encrypted as it is written, in its place, and stays there.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''51000000-0000-4000-8000-000000000001'''
\set other '''51000000-0000-4000-8000-000000000002'''
\set one '''51000000-0000-4000-8000-0000000000a1'''
\set two '''51000000-0000-4000-8000-0000000000a2'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Integrations Co'), (:other, 'Other Co');
-- envelopes differ each time: they are shown as what they decrypt to in their place
CREATE FUNCTION pg_temp.stored(for_id uuid) RETURNS TABLE (credentials text, access_token text, refresh_token text, webhook_secret text) LANGUAGE sql AS $$
	SELECT regexp_replace(a.credentials::text, 'AQ[E-L][A-Za-z0-9_-]{40,}', 'envelope', 'g'),
		regexp_replace(a.access_token, '^AQ[E-L][A-Za-z0-9_-]{40,}$', 'envelope'), regexp_replace(a.refresh_token, '^AQ[E-L][A-Za-z0-9_-]{40,}$', 'envelope'),
		regexp_replace(a.webhook_secret, '^AQ[E-L][A-Za-z0-9_-]{40,}$', 'envelope')
	FROM platform.integration_accounts a WHERE a.id = for_id $$;
CREATE FUNCTION pg_temp.shown(for_id uuid) RETURNS TABLE (credentials jsonb, access_token text, refresh_token text, webhook_secret text) LANGUAGE sql AS $$
	SELECT r.* FROM platform.integration_accounts a, platform.reveal_credentials(a.organization_id, a.id, 'test') r WHERE a.id = for_id $$;

-- the statements of the reference
CREATE SCHEMA chatapp;
CREATE VIEW chatapp.companies AS SELECT * FROM platform.organizations WHERE id = :org;
CREATE VIEW chatapp.integration_accounts AS SELECT id, organization_id AS company_id, account_type, account_name, description, credentials, access_token, refresh_token,
	token_expires_at, webhook_url, webhook_secret, status, is_active, last_error, last_error_at, last_verified_at, created_at, updated_at, deleted_at FROM platform.integration_accounts;
INSERT INTO chatapp.integration_accounts (
  id,
  company_id,
  account_type,
  account_name,
  description,
  credentials,
  webhook_url,
  webhook_secret,
  status,
  is_active,
  created_at,
  updated_at
) VALUES
(
  gen_random_uuid(),
  (SELECT id FROM chatapp.companies WHERE deleted_at IS NULL LIMIT 1),
  'twilio',
  'Test Twilio Account',
  'Development testing account - DO NOT USE IN PRODUCTION',
  '{
    "accountSid": "ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "authToken": "test_auth_token_encrypted",
    "phoneNumber": "+15550100"
  }'::jsonb,
  'https://your-domain.com/api/webhooks/twilio/voice/test-account-id',
  'test_webhook_secret_' || gen_random_uuid()::text,
  'pending',
  false,
  NOW(),
  NOW()
);
INSERT INTO chatapp.integration_accounts (
  id,
  company_id,
  account_type,
  account_name,
  description,
  credentials,
  webhook_url,
  webhook_secret,
  status,
  is_active,
  created_at,
  updated_at
) VALUES
(
  gen_random_uuid(),
  (SELECT id FROM chatapp.companies WHERE deleted_at IS NULL LIMIT 1),
  'whatsapp',
  'Test WhatsApp Business Account',
  'Development testing account - DO NOT USE IN PRODUCTION',
  '{
    "businessAccountId": "123456789012345",
    "phoneNumberId": "987654321098765",
    "phoneNumber": "+15550200",
    "accessToken": "test_access_token_encrypted"
  }'::jsonb,
  'https://your-domain.com/api/webhooks/whatsapp/call/test-account-id',
  'test_webhook_secret_' || gen_random_uuid()::text,
  'pending',
  false,
  NOW(),
  NOW()
);
SELECT s.credentials, s.webhook_secret, r.credentials, r.webhook_secret ~ '^test_webhook_secret_[0-9a-f-]{36}$' AS secret
FROM platform.integration_accounts a, pg_temp.stored(a.id) s, pg_temp.shown(a.id) r WHERE organization_id = :org ORDER BY account_name COLLATE "C";
DELETE FROM platform.integration_accounts WHERE organization_id = :org;

-- every provider: what is secret is not readable, the rest is; numbers stay as they are written
SET LOCAL platform.public_url = 'https://app.example.com/';
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, access_token, refresh_token) VALUES
	(:one, :org, 'twilio', 'Main', '{"accountSid": "AC1", "authToken": "correct horse", "phoneNumber": "+15550100", "apiKeySid": "SK1", "apiKeySecret": "battery staple", "rate": 1.50}', 'at-1234567890', 'rt-1234567890'),
	(:two, :org, 'custom', 'SIP', '{"sipUri": "sip:u@example.com", "username": "u", "password": "pässwörd", "stunServers": ["stun:a"],
		"turnServers": [{"urls": "turn:a", "username": "t", "credential": "first turn"}, {"urls": "turn:b", "credential": "second turn"}, {"urls": "turn:c"}], "a/b~c": {"password": "not a path"}}', NULL, NULL);
SELECT * FROM pg_temp.stored(:one);
SELECT * FROM pg_temp.stored(:two);
SELECT * FROM pg_temp.shown(:two) \gset two_
SELECT :'two_credentials';
SELECT credentials, access_token, refresh_token, webhook_secret ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS made FROM pg_temp.shown(:one);
SELECT account_type, webhook_url, secrets_changed_at = now() AS changed, cardinality(data_key_ids) AS keys FROM platform.integration_accounts WHERE organization_id = :org ORDER BY id;
-- empty and null secrets; a document without secrets
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES
	(:org, 'whatsapp', 'Empty', '{"accessToken": "", "appSecret": null, "appId": 1}'), (:org, 'whatsapp', 'Nothing', '{}') RETURNING webhook_url ~ ('/api/webhooks/whatsapp/call/' || id || '$') AS url;
SELECT account_name, s.credentials, r.credentials FROM platform.integration_accounts a, pg_temp.stored(a.id) s, pg_temp.shown(a.id) r WHERE account_type = 'whatsapp' AND organization_id = :org ORDER BY account_name COLLATE "C";
-- many rows at once: no two envelopes are the same
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, access_token, webhook_secret)
SELECT :other, 'twilio', 'n' || i, '{"authToken": "the same", "apiKeySecret": "the same"}', 'the same', 'the same' FROM generate_series(1, 200) i;
SELECT count(*), count(DISTINCT credentials -> 'authToken'), count(DISTINCT credentials -> 'apiKeySecret'), count(DISTINCT access_token), count(DISTINCT webhook_secret),
	count(DISTINCT substr(access_token, 9, 32)) AS nonces FROM platform.integration_accounts WHERE organization_id = :other;
DELETE FROM platform.integration_accounts WHERE organization_id = :other;
-- COPY
COPY platform.integration_accounts (id, organization_id, account_type, account_name, credentials, access_token, webhook_secret) FROM stdin;
51000000-0000-4000-8000-0000000000c1	51000000-0000-4000-8000-000000000001	twilio	Copied	{"authToken": "copied token"}	copied access	copied secret
\.
SELECT * FROM pg_temp.stored('51000000-0000-4000-8000-0000000000c1');
SELECT * FROM pg_temp.shown('51000000-0000-4000-8000-0000000000c1');

-- an UPDATE that leaves secrets alone keeps their envelopes
CREATE TEMP TABLE before AS SELECT id, credentials, access_token, refresh_token, webhook_secret, secrets_changed_at FROM platform.integration_accounts;
UPDATE platform.integration_accounts SET account_name = account_name || '!', secrets_changed_at = NULL WHERE id = :one;
UPDATE platform.integration_accounts SET credentials = credentials || '{"phoneNumber": "+15550199"}' WHERE id = :one;
UPDATE platform.integration_accounts SET credentials = credentials || '{"authToken": "correct horse 2"}' WHERE id = :one;
SELECT a.credentials -> 'apiKeySecret' = b.credentials -> 'apiKeySecret' AS same_secret, a.credentials -> 'authToken' = b.credentials -> 'authToken' AS same_token,
	a.access_token = b.access_token AS same_access, a.webhook_secret = b.webhook_secret AS same_webhook, a.secrets_changed_at = now() AS changed
FROM platform.integration_accounts a JOIN before b USING (id) WHERE id = :one;
SELECT * FROM pg_temp.shown(:one) \gset one_
SELECT :'one_credentials', :'one_access_token';
-- what the redacted view shows may be sent back; but only where it came from
SELECT credentials, access_token, refresh_token, webhook_secret ~ '^\*{4}.{3}=$' AS webhook_secret FROM platform.integrations WHERE id = :one;
UPDATE platform.integration_accounts a SET credentials = v.credentials || '{"phoneNumber": "+15550111"}', access_token = v.access_token FROM platform.integrations v WHERE v.id = a.id AND a.id = :one;
SELECT r.credentials = :'one_credentials'::jsonb || '{"phoneNumber": "+15550111"}' AS same, r.access_token FROM pg_temp.shown(:one) r;
UPDATE platform.integration_accounts SET credentials = credentials || '{"authToken": "****abcd"}' WHERE id = :one;
UPDATE platform.integration_accounts SET refresh_token = '****' WHERE id = :two;
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'twilio', 'x', '{"authToken": "****"}');
-- a secret may be removed, and a type changed
UPDATE platform.integration_accounts SET credentials = credentials - 'apiKeySecret', access_token = NULL WHERE id = :one;
UPDATE platform.integration_accounts SET account_type = 'custom', credentials = credentials || '{"password": "sip password"}' WHERE id = :one;
SELECT * FROM pg_temp.stored(:one);
SELECT credentials FROM pg_temp.shown(:one);

-- an envelope of another place is refused: row, field, column, organization; one that was tampered with too
UPDATE platform.integration_accounts a SET credentials = b.credentials FROM platform.integration_accounts b WHERE a.id = :one AND b.id = :two;
UPDATE platform.integration_accounts SET credentials = credentials || jsonb_build_object('authToken', credentials -> 'password') WHERE id = :one;
UPDATE platform.integration_accounts SET credentials = jsonb_set(credentials, '{turnServers}', jsonb_build_array(credentials #> '{turnServers,1}', credentials #> '{turnServers,0}')) WHERE id = :two;
UPDATE platform.integration_accounts SET access_token = refresh_token WHERE id = :one;
UPDATE platform.integration_accounts SET refresh_token = overlay(refresh_token placing 'AA' from 60) WHERE id = :one;
UPDATE platform.integration_accounts SET credentials = credentials || '{"authToken": {"$enc": "rubbish"}}' WHERE id = :one;
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) SELECT :other, account_type, 'stolen', credentials FROM platform.integration_accounts WHERE id = :two;
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, refresh_token) SELECT organization_id, account_type, 'copy', '{}', refresh_token FROM platform.integration_accounts WHERE id = :one;
-- its key is part of its place
UPDATE platform.integration_accounts SET id = platform.uuid7() WHERE id = :one;
UPDATE platform.integration_accounts SET organization_id = :other WHERE id = :one;

-- refused without showing anything, whatever other constraint fails
\set VERBOSITY default
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, access_token, webhook_secret, status, created_at, updated_at)
VALUES ('51000000-0000-4000-8000-0000000000d1', :org, 'telegram', 'x', '{"authToken": "marker-secret"}', 'marker-secret', 'marker-secret', 'active', '2020-01-01', '2020-01-01');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'twilio', 'x', '{"authToken": 123456}');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'custom', 'x', '{"turnServers": [{"credential": {"marker-secret": 1}}]}');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'twilio', 'x', '"marker-secret"');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'twilio', 'x', '["marker-secret"]');
INSERT INTO platform.integration_accounts (organization_id, account_name, credentials) VALUES (:org, 'x', '{"authToken": "marker-secret"}');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (NULL, 'twilio', 'x', '{"authToken": "marker-secret"}');
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text; detail text; hint text; context text; state text;
BEGIN
	EXECUTE statement;
	RETURN 'accepted';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
	RETURN state || CASE WHEN concat(message, detail, hint) ~ 'marker' THEN ' SHOWS IT' ELSE '' END;
END $$;
SELECT pg_temp.refusal(format('INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, access_token, refresh_token, webhook_secret, status, webhook_url)
	VALUES (%L, ''twilio'', %s, ''{"authToken": "marker-secret"}'', ''marker-secret'', ''marker-secret'', ''marker-secret'', %s, %s)', org, name, status, url))
FROM (VALUES (:org, $$'ok'$$, $$'broken'$$, 'NULL'), (:org, 'NULL', $$'active'$$, 'NULL'), (:org, $$''$$, $$'active'$$, 'NULL'), (:org, $$'ok'$$, $$'active'$$, $$''$$),
	('51000000-0000-4000-8000-00000000dead', $$'ok'$$, $$'active'$$, 'NULL')) AS v (org, name, status, url);
SELECT pg_temp.refusal(format('UPDATE platform.integration_accounts SET access_token = ''marker-secret'', status = ''broken'' WHERE id = %L', :one));
\set VERBOSITY terse

-- a webhook URL is of one account, but for deleted ones
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, webhook_url) VALUES (:org, 'twilio', 'first', '{}', 'https://hooks.example/1');
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, webhook_url) VALUES (:other, 'twilio', 'second', '{}', 'https://hooks.example/1');
UPDATE platform.integration_accounts SET deleted_at = now() WHERE account_name = 'first' AND organization_id = :org;
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials, webhook_url) VALUES (:other, 'twilio', 'second', '{}', 'https://hooks.example/1');
SELECT account_name, deleted_at IS NOT NULL AS deleted FROM platform.integration_accounts WHERE webhook_url = 'https://hooks.example/1' ORDER BY 1;
SELECT count(*) FROM platform.integrations WHERE display_name = 'first';
-- without a public URL there is none
SET LOCAL platform.public_url = '';
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials) VALUES (:org, 'twilio', 'no url', '{}') RETURNING webhook_url;
SET LOCAL platform.public_url = 'ftp://x';
SET LOCAL platform.public_url = 'https://';
SET LOCAL platform.public_url = 'https://x/?q';
SET LOCAL platform.public_url = 'http://localhost:3000';
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials) VALUES ('51000000-0000-4000-8000-0000000000e1', :org, 'custom', 'local', '{}') RETURNING webhook_url;

-- fields are rows: one that is added counts at once
INSERT INTO platform.credential_fields VALUES ('twilio', '/extra/*/pin', 'A test');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials) VALUES
	('51000000-0000-4000-8000-0000000000e2', :org, 'twilio', 'fields', '{"extra": {"a": {"pin": "1"}, "b/~": {"pin": "2"}, "c": "3"}, "pin": "4"}');
SELECT credentials FROM pg_temp.stored('51000000-0000-4000-8000-0000000000e2');
SELECT credentials FROM pg_temp.shown('51000000-0000-4000-8000-0000000000e2');
DELETE FROM platform.credential_fields WHERE path = '/extra/*/pin';
UPDATE platform.integration_accounts SET credentials = credentials || '{"extra2": {"x": {"pin": "5"}}}' WHERE id = '51000000-0000-4000-8000-0000000000e2';
SELECT credentials FROM pg_temp.shown('51000000-0000-4000-8000-0000000000e2');
INSERT INTO platform.credential_fields VALUES ('twilio', 'authToken');
INSERT INTO platform.credential_fields VALUES ('twilio', '/a//b');
INSERT INTO platform.credential_fields VALUES ('twilio', '/a~2');

-- encrypt_credentials(): before the INSERT, for a row that is to be
SELECT platform.encrypt_credentials(:org, '51000000-0000-4000-8000-0000000000f1', 'twilio', '{"authToken": "made before", "accountSid": "AC2"}') AS document \gset
SELECT regexp_replace(:'document', 'AQ[E-L][A-Za-z0-9_-]{40,}', 'envelope', 'g');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials) VALUES ('51000000-0000-4000-8000-0000000000f1', :org, 'twilio', 'made before', :'document') RETURNING credentials = :'document'::jsonb AS same;
SELECT credentials FROM pg_temp.shown('51000000-0000-4000-8000-0000000000f1');
SELECT platform.encrypt_credentials(:org, '51000000-0000-4000-8000-0000000000f2', 'twilio', :'document'::jsonb);
SELECT platform.encrypt_credentials(:org, '51000000-0000-4000-8000-0000000000f1', 'twilio', :'document'::jsonb) = :'document'::jsonb AS again;
SELECT platform.decrypt_secret(:org, 'integration_accounts.credentials', '51000000-0000-4000-8000-0000000000f1', :'document'::jsonb #>> '{authToken,$enc}', '/authToken');
-- text is not shown by an error; numbers, nesting, unicode as jsonb has them
\set VERBOSITY default
SELECT platform.encrypt_credentials(:org, :one, 'twilio', '{"authToken": "marker-secret"' || chr(10) || '  oops}');
SELECT platform.encrypt_credentials(:org, :one, 'twilio', '"marker-secret"'::text);
SELECT platform.encrypt_credentials(:org, :one, 'twilio', '["marker-secret"]'::text);
SELECT platform.encrypt_credentials(:org, :one, 'twilio', '{"authToken": "a", "authToken": "marker-secret"}'::text);
SELECT platform.encrypt_credentials(:org, :one, 'twilio', ''::text);
\set VERBOSITY terse
SELECT platform.encrypt_credentials(:org, :one, 'whatsapp', '{"a": [1, -2.5, true, false, null, "x", {}, []], "b": {"c": "\u00e4\n"}, "d": 12345678901}'::text);
SELECT platform.encrypt_credentials(:org, :one, 'whatsapp', NULL::text) IS NULL AND platform.encrypt_credentials(:org, :one, 'whatsapp', NULL::jsonb) IS NULL AS nothing;
SELECT platform.encrypt_credentials(:org, :one, 'telegram', '{}');
SELECT platform.encrypt_credentials(NULL, :one, 'twilio', '{}');
SELECT platform.encrypt_credentials(:org, NULL, 'twilio', '{}');
SELECT platform.encrypt_credentials(:org, :one, NULL, '{}');
SELECT platform.encrypt_integration();
SELECT name, detail FROM platform.verify() WHERE NOT passed AND name LIKE '5%1 credentials%';
ROLLBACK;
