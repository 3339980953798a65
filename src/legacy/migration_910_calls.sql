-- migration 910 legacy: step 10 of 13, calls
-- requires: migrate
-- optional

-- up

-- Where chatbots belong to another module, so does this table.
SELECT platform.run_legacy('chatbots', $$INSERT INTO platform.legacy_memory (step, name, value) VALUES (10, 'table', 'made')$$)
WHERE platform.legacy_relation('calls') IS NULL;
SELECT platform.remember_legacy_additions(10, 'calls', '{}', '{}', '{idx_calls_company_id,idx_calls_chatbot_id,idx_calls_end_user_id,idx_calls_conversation_id,idx_calls_call_sid,idx_calls_status,idx_calls_date_range,idx_calls_integration_account}')
WHERE platform.legacy_relation('calls') IS NOT NULL;
SELECT platform.run_legacy('chatbots', $$CREATE TABLE IF NOT EXISTS {calls} (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	{chatbots.company} uuid NOT NULL REFERENCES {companies} (id) ON DELETE CASCADE,
	chatbot_id uuid NOT NULL REFERENCES {chatbots} (id) ON DELETE CASCADE,
	end_user_id uuid,
	conversation_id uuid,
	call_sid varchar(255),
	source varchar(50) NOT NULL CHECK (source IN ('web', 'whatsapp', 'twilio', 'custom')),
	direction varchar(20) NOT NULL CHECK (direction IN ('inbound', 'outbound')),
	status varchar(50) NOT NULL DEFAULT 'pending'
		CHECK (status IN ('pending', 'ringing', 'in_progress', 'completed', 'failed', 'no_answer', 'busy', 'canceled')),
	from_number varchar(50),
	to_number varchar(50),
	duration integer,
	recording_url varchar(500),
	transcript_url varchar(500),
	ai_provider varchar(50) CHECK (ai_provider IN ('openai', 'google', 'anthropic')),
	model_id varchar(100),
	integration_account_id uuid REFERENCES {integration_accounts} (id) ON DELETE SET NULL,
	summary text,
	notes text,
	call_quality integer CHECK (call_quality BETWEEN 1 AND 5),
	sentiment_score integer CHECK (sentiment_score BETWEEN -100 AND 100),
	error_message text,
	error_code varchar(50),
	started_at timestamptz,
	answered_at timestamptz,
	ended_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz
)$$);
-- An older system may have no end users or conversations.
SELECT platform.run_legacy('chatbots', 'ALTER TABLE {calls} ADD CONSTRAINT calls_end_user_id_fkey
	FOREIGN KEY (end_user_id) REFERENCES {end_users} (id) ON DELETE SET NULL')
WHERE platform.legacy_relation('end_users') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = platform.legacy_relation('calls') AND conname = 'calls_end_user_id_fkey');
SELECT platform.run_legacy('chatbots', 'ALTER TABLE {calls} ADD CONSTRAINT calls_conversation_id_fkey
	FOREIGN KEY (conversation_id) REFERENCES {conversations} (id) ON DELETE SET NULL')
WHERE platform.legacy_relation('conversations') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = platform.legacy_relation('calls') AND conname = 'calls_conversation_id_fkey');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_company_id
	ON {calls} ({chatbots.company}, created_at DESC) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_chatbot_id
	ON {calls} (chatbot_id, created_at DESC) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_end_user_id
	ON {calls} (end_user_id, created_at DESC) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_conversation_id
	ON {calls} (conversation_id) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE UNIQUE INDEX IF NOT EXISTS idx_calls_call_sid
	ON {calls} (call_sid) WHERE deleted_at IS NULL AND call_sid IS NOT NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_status
	ON {calls} (status, {chatbots.company}) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_date_range
	ON {calls} ({chatbots.company}, started_at) WHERE deleted_at IS NULL AND started_at IS NOT NULL');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_calls_integration_account
	ON {calls} (integration_account_id, created_at DESC) WHERE deleted_at IS NULL');
SELECT platform.run_legacy('chatbots', 'CREATE OR REPLACE TRIGGER update_calls_updated_at
	BEFORE UPDATE ON {calls} FOR EACH ROW EXECUTE FUNCTION {touch}()')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 10 AND name = 'table');

-- down

SELECT platform.run_legacy('calls', 'DROP TABLE {calls}')
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 10 AND name = 'table');
SELECT platform.undo_legacy_additions(10, 'calls')
WHERE platform.legacy_relation('calls') IS NOT NULL;
DELETE FROM platform.legacy_memory WHERE step = 10;

-- checks

-- check: the table is there
SELECT FROM platform.legacy_memory WHERE step = 10 AND platform.legacy_relation('calls') IS NULL;
-- check: its indexes are there
SELECT FROM (VALUES ('idx_calls_company_id'), ('idx_calls_chatbot_id'), ('idx_calls_end_user_id'), ('idx_calls_conversation_id'), ('idx_calls_call_sid'), ('idx_calls_status'), ('idx_calls_date_range'), ('idx_calls_integration_account')) AS i (name)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 10) AND NOT EXISTS (SELECT FROM pg_index
	WHERE indrelid = platform.legacy_relation('calls') AND indexrelid::regclass::text LIKE '%' || i.name);
-- check: calls have their chatbot
SELECT WHERE CASE WHEN platform.legacy_relation('calls') IS NULL THEN 0
	ELSE platform.count_legacy('SELECT FROM {calls} c
	WHERE c.deleted_at IS NULL AND NOT EXISTS (SELECT FROM {chatbots} b WHERE b.id = c.chatbot_id)') END > 0;
