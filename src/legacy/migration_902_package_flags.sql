-- migration 902 legacy: step 2 of 13, capabilities of packages
-- requires: migrate
-- optional

-- up

SELECT platform.remember_legacy_additions(2, 'chatbot_packages', '{enable_chat,enable_call}', '{chatbot_packages_capability_check}', '{idx_chatbot_packages_capabilities}');
SELECT platform.run_legacy('chatbot_packages', 'ALTER TABLE {chatbot_packages}
	ADD COLUMN IF NOT EXISTS enable_chat boolean NOT NULL DEFAULT true,
	ADD COLUMN IF NOT EXISTS enable_call boolean NOT NULL DEFAULT false');
SELECT platform.run_legacy('chatbot_packages', 'ALTER TABLE {chatbot_packages}
	ADD CONSTRAINT chatbot_packages_capability_check CHECK (enable_chat = true OR enable_call = true)')
WHERE NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = platform.legacy_relation('chatbot_packages') AND conname = 'chatbot_packages_capability_check');
SELECT platform.run_legacy('chatbot_packages', 'CREATE INDEX IF NOT EXISTS idx_chatbot_packages_capabilities ON {chatbot_packages} (enable_chat, enable_call) WHERE {chatbot_packages:live}');

-- down

SELECT platform.undo_legacy_additions(2, 'chatbot_packages');
DELETE FROM platform.legacy_memory WHERE step = 2;

-- checks

-- check: capabilities are never null
SELECT FROM (VALUES ('enable_chat'), ('enable_call')) AS c (name)
WHERE NOT EXISTS (SELECT FROM pg_attribute
	WHERE attrelid = platform.legacy_relation('chatbot_packages') AND attname = c.name AND attnotnull);
-- check: the constraint and the indexes are there
SELECT FROM (VALUES ('chatbot_packages_capability_check'), ('idx_chatbot_packages_capabilities')) AS o (name)
WHERE NOT EXISTS (SELECT FROM pg_constraint
		WHERE conrelid = platform.legacy_relation('chatbot_packages') AND conname = o.name)
	AND NOT EXISTS (SELECT FROM pg_index
		WHERE indrelid = platform.legacy_relation('chatbot_packages') AND indexrelid::regclass::text LIKE '%' || o.name);
-- check: one capability at least
SELECT WHERE platform.count_legacy('SELECT FROM {chatbot_packages} WHERE NOT (enable_chat OR enable_call)') > 0;
