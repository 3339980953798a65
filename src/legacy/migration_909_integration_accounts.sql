-- migration 909 legacy: step 9 of 13, accounts at providers
-- requires: migrate
-- optional

-- up

-- Where chatbots belong to another module, so does this table.
SELECT platform.run_legacy('chatbots', $$INSERT INTO platform.legacy_memory (step, name, value) VALUES (9, 'table', 'made')$$)
WHERE platform.legacy_relation('integration_accounts') IS NULL;
SELECT platform.remember_legacy_additions(9, 'integration_accounts', '{}', '{}', '{idx_integration_accounts_company_id,idx_integration_accounts_account_type,idx_integration_accounts_status,idx_integration_accounts_webhook_url}')
WHERE platform.legacy_relation('integration_accounts') IS NOT NULL;
SELECT platform.run_legacy('chatbots', $$CREATE TABLE IF NOT EXISTS {integration_accounts} (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	{chatbots.company} uuid NOT NULL REFERENCES {companies} (id) ON DELETE CASCADE,
	account_type varchar(50) NOT NULL CHECK (account_type IN ('twilio', 'whatsapp', 'custom')),
	account_name varchar(255) NOT NULL,
	description text,
	credentials jsonb NOT NULL,
	access_token text,
	refresh_token text,
	token_expires_at timestamptz,
	webhook_url varchar(500),
	webhook_secret varchar(255),
	status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'error', 'pending')),
	is_active boolean NOT NULL DEFAULT true,
	last_error text,
	last_error_at timestamptz,
	last_verified_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz
)$$);
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_integration_accounts_company_id
	ON {integration_accounts} ({chatbots.company}) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_integration_accounts_account_type
	ON {integration_accounts} (account_type, {chatbots.company}) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_integration_accounts_status
	ON {integration_accounts} (status) WHERE deleted_at IS NULL AND status = ''error''');
SELECT platform.run_legacy('chatbots', 'CREATE UNIQUE INDEX IF NOT EXISTS idx_integration_accounts_webhook_url
	ON {integration_accounts} (webhook_url) WHERE deleted_at IS NULL AND webhook_url IS NOT NULL');
SELECT platform.run_legacy('chatbots', 'CREATE OR REPLACE TRIGGER update_integration_accounts_updated_at
	BEFORE UPDATE ON {integration_accounts} FOR EACH ROW EXECUTE FUNCTION {touch}()')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 9 AND name = 'table');

-- down

-- Calls that have become another module's stay.
SELECT platform.run_legacy('integration_accounts', 'ALTER TABLE {calls} DROP CONSTRAINT IF EXISTS calls_integration_account_id_fkey')
WHERE platform.legacy_relation('calls') IS NOT NULL AND EXISTS (SELECT FROM platform.legacy_memory WHERE step = 9 AND name = 'table');
SELECT platform.run_legacy('integration_accounts', 'DROP TABLE {integration_accounts}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 9 AND name = 'table');
SELECT platform.undo_legacy_additions(9, 'integration_accounts')
WHERE platform.legacy_relation('integration_accounts') IS NOT NULL;
DELETE FROM platform.legacy_memory WHERE step = 9;

-- checks

-- check: the table is there
SELECT FROM platform.legacy_memory WHERE step = 9 AND platform.legacy_relation('integration_accounts') IS NULL;
-- check: its indexes are there
SELECT FROM (VALUES ('idx_integration_accounts_company_id'), ('idx_integration_accounts_account_type'), ('idx_integration_accounts_status'), ('idx_integration_accounts_webhook_url')) AS i (name)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 9) AND NOT EXISTS (SELECT FROM pg_index
	WHERE indrelid = platform.legacy_relation('integration_accounts') AND indexrelid::regclass::text LIKE '%' || i.name);
