-- migration 51 credentials: accounts at providers, and which of their fields are secret
-- requires: tenants

-- up

-- A provider is added by its rows. One path names a string: RFC 6901, and a * stands for
-- any one name or index.
CREATE TABLE IF NOT EXISTS platform.credential_fields (
	account_type text COLLATE pg_catalog."C" NOT NULL,
	path text COLLATE pg_catalog."C" NOT NULL,
	description text,
	CONSTRAINT credential_fields_pkey PRIMARY KEY (account_type, path),
	CONSTRAINT credential_fields_account_type_check CHECK (length(account_type) BETWEEN 1 AND 50),
	CONSTRAINT credential_fields_path_check CHECK (length(path) <= 255 AND path ~ '^(/([^/~]|~[01])+)+$')
);
COMMENT ON TABLE platform.credential_fields IS
	'The secret fields of each type of account: strings that credentials holds encrypted.';
COMMENT ON COLUMN platform.credential_fields.path IS
	'JSON pointer (RFC 6901) into credentials; * as a part stands for any name or index.';

-- Secrets are stored as envelopes: text in the columns, {"$enc": "..."} in credentials.
CREATE TABLE IF NOT EXISTS platform.integration_accounts (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	account_type text NOT NULL,
	account_name text NOT NULL,
	description text,
	credentials jsonb NOT NULL,
	access_token text,
	refresh_token text,
	token_expires_at timestamptz,
	webhook_url text,
	webhook_secret text,
	previous_webhook_secret text,
	previous_webhook_secret_expires_at timestamptz,
	status text NOT NULL DEFAULT 'active',
	is_active boolean NOT NULL DEFAULT true,
	last_error text,
	last_error_at timestamptz,
	error_since timestamptz,
	error_alerted_at timestamptz,
	last_verified_at timestamptz,
	secrets_changed_at timestamptz,
	data_key_ids integer[],
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT integration_accounts_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT integration_accounts_account_type_check CHECK (account_type IN ('twilio', 'whatsapp', 'custom')),
	CONSTRAINT integration_accounts_account_name_check CHECK (length(account_name) BETWEEN 1 AND 255),
	CONSTRAINT integration_accounts_credentials_check CHECK (jsonb_typeof(credentials) = 'object'),
	CONSTRAINT integration_accounts_webhook_url_check CHECK (length(webhook_url) BETWEEN 1 AND 500),
	CONSTRAINT integration_accounts_status_check CHECK (status IN ('active', 'inactive', 'error', 'pending'))
);
CREATE INDEX IF NOT EXISTS idx_integration_accounts_company_id
	ON platform.integration_accounts (organization_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_integration_accounts_account_type
	ON platform.integration_accounts (account_type, organization_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_integration_accounts_status
	ON platform.integration_accounts (status) WHERE deleted_at IS NULL AND status = 'error';
CREATE UNIQUE INDEX IF NOT EXISTS idx_integration_accounts_webhook_url
	ON platform.integration_accounts (webhook_url) WHERE deleted_at IS NULL AND webhook_url IS NOT NULL;
CREATE INDEX IF NOT EXISTS integration_accounts_token_expires_at_idx
	ON platform.integration_accounts (token_expires_at) WHERE deleted_at IS NULL AND token_expires_at IS NOT NULL;
COMMENT ON TABLE platform.integration_accounts IS
	'Accounts at providers: Twilio, WhatsApp, SIP. What is secret of them is encrypted as it is written; members see the view integrations.';
COMMENT ON COLUMN platform.integration_accounts.credentials IS
	'The provider''s document; strings at the paths of credential_fields are replaced by {"$enc": envelope}.';
COMMENT ON COLUMN platform.integration_accounts.previous_webhook_secret IS
	'Still accepted until previous_webhook_secret_expires_at: see rotate_integration_secret().';
COMMENT ON COLUMN platform.integration_accounts.is_active IS
	'Switched off by the company: no request of the account verifies.';
COMMENT ON COLUMN platform.integration_accounts.error_since IS
	'When the status became error; last_error_at is the latest one.';
COMMENT ON COLUMN platform.integration_accounts.error_alerted_at IS
	'When the ops alert about this time of errors was raised.';
COMMENT ON COLUMN platform.integration_accounts.secrets_changed_at IS
	'When a secret was last given; re-encryption leaves it.';
COMMENT ON COLUMN platform.integration_accounts.data_key_ids IS
	'The data keys of its envelopes; NULL: not looked at yet, as in an adopted table.';

INSERT INTO platform.credential_fields (account_type, path, description) VALUES
	('twilio', '/authToken', 'Signs webhooks and calls of the API'),
	('twilio', '/apiKeySecret', 'Secret of the API key apiKeySid'),
	('whatsapp', '/accessToken', 'Long-lived token of the Graph API'),
	('whatsapp', '/appSecret', 'Signs webhooks: X-Hub-Signature-256'),
	('custom', '/password', 'SIP registration'),
	('custom', '/turnServers/*/credential', 'TURN password')
ON CONFLICT DO NOTHING;

INSERT INTO platform.secret_columns (table_name, column_name, purpose) VALUES
	('integration_accounts', 'credentials', 'integration_accounts.credentials'),
	('integration_accounts', 'access_token', 'integration_accounts.access_token'),
	('integration_accounts', 'refresh_token', 'integration_accounts.refresh_token'),
	('integration_accounts', 'webhook_secret', 'integration_accounts.webhook_secret'),
	('integration_accounts', 'previous_webhook_secret', 'integration_accounts.previous_webhook_secret')
ON CONFLICT DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('credential_fields', 'global', '{}', 'one catalogue for all organizations'),
	('integration_accounts', 'tenant', '{idx_integration_accounts_webhook_url}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.integration_accounts,
	platform.credential_fields;
DELETE FROM platform.secret_columns WHERE schema_name = 'platform' AND table_name = 'integration_accounts';
DELETE FROM platform.table_kinds WHERE table_name IN ('integration_accounts', 'credential_fields');

-- checks

-- check: every type of account has its secret fields listed
SELECT DISTINCT a.account_type FROM platform.integration_accounts a
WHERE NOT EXISTS (SELECT 1 FROM platform.credential_fields f WHERE f.account_type = a.account_type);
-- check: no secret of a column stands in clear
SELECT id, organization_id FROM platform.integration_accounts
WHERE access_token !~ '^AQ[E-L][A-Za-z0-9_-]{40,}$' OR refresh_token !~ '^AQ[E-L][A-Za-z0-9_-]{40,}$'
   OR webhook_secret !~ '^AQ[E-L][A-Za-z0-9_-]{40,}$' OR previous_webhook_secret !~ '^AQ[E-L][A-Za-z0-9_-]{40,}$';
