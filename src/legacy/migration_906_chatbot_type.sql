-- migration 906 legacy: step 6 of 13, chatbots have no type
-- requires: migrate
-- optional

-- up

SELECT platform.remember_legacy_column(6, 'chatbots', 'type');
SELECT platform.run_legacy('', 'ALTER TABLE {chatbots} DROP COLUMN {chatbots.type}')
WHERE platform.legacy_column('chatbots', 'type') IS NOT NULL;

-- down

-- One with both capabilities becomes chat.
SELECT platform.restore_legacy_column(6, 'chatbots', $$CASE WHEN enabled_call AND NOT enabled_chat THEN 'call' ELSE 'chat' END$$);
DELETE FROM platform.legacy_memory WHERE step = 6;

-- checks

-- check: chatbots have no type
SELECT WHERE platform.legacy_column('chatbots', 'type') IS NOT NULL;
