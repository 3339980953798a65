-- migration 903 legacy: step 3 of 13, capabilities of chatbots
-- requires: migrate
-- optional

-- up

SELECT platform.remember_legacy_additions(3, 'chatbots', '{enabled_chat,enabled_call}', '{chatbots_capability_check}', '{idx_chatbots_capabilities,idx_chatbots_company_capabilities}');
SELECT platform.run_legacy('chatbots', 'ALTER TABLE {chatbots}
	ADD COLUMN IF NOT EXISTS enabled_chat boolean NOT NULL DEFAULT true,
	ADD COLUMN IF NOT EXISTS enabled_call boolean NOT NULL DEFAULT false');
SELECT platform.run_legacy('chatbots', 'ALTER TABLE {chatbots}
	ADD CONSTRAINT chatbots_capability_check CHECK (enabled_chat = true OR enabled_call = true)')
WHERE NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = platform.legacy_relation('chatbots') AND conname = 'chatbots_capability_check');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_chatbots_capabilities ON {chatbots} (enabled_chat, enabled_call) WHERE {chatbots:live}');
SELECT platform.run_legacy('chatbots', 'CREATE INDEX IF NOT EXISTS idx_chatbots_company_capabilities ON {chatbots} ({chatbots.company}, enabled_chat, enabled_call) WHERE {chatbots:live}');

-- down

SELECT platform.undo_legacy_additions(3, 'chatbots');
DELETE FROM platform.legacy_memory WHERE step = 3;

-- checks

-- check: capabilities are never null
SELECT FROM (VALUES ('enabled_chat'), ('enabled_call')) AS c (name)
WHERE NOT EXISTS (SELECT FROM pg_attribute
	WHERE attrelid = platform.legacy_relation('chatbots') AND attname = c.name AND attnotnull);
-- check: the constraint and the indexes are there
SELECT FROM (VALUES ('chatbots_capability_check'), ('idx_chatbots_capabilities'), ('idx_chatbots_company_capabilities')) AS o (name)
WHERE NOT EXISTS (SELECT FROM pg_constraint
		WHERE conrelid = platform.legacy_relation('chatbots') AND conname = o.name)
	AND NOT EXISTS (SELECT FROM pg_index
		WHERE indrelid = platform.legacy_relation('chatbots') AND indexrelid::regclass::text LIKE '%' || o.name);
-- check: one capability at least
SELECT WHERE platform.count_legacy('SELECT FROM {chatbots} WHERE NOT (enabled_chat OR enabled_call)') > 0;
