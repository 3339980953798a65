-- migration 905 legacy: step 5 of 13, packages have no type
-- requires: migrate
-- optional

-- up

SELECT platform.remember_legacy_column(5, 'chatbot_packages', 'type');
SELECT platform.run_legacy('', 'ALTER TABLE {chatbot_packages} DROP COLUMN {chatbot_packages.type}')
WHERE platform.legacy_column('chatbot_packages', 'type') IS NOT NULL;

-- down

-- One with both capabilities becomes chat.
SELECT platform.restore_legacy_column(5, 'chatbot_packages', $$CASE WHEN enable_call AND NOT enable_chat THEN 'call' ELSE 'chat' END$$);
DELETE FROM platform.legacy_memory WHERE step = 5;

-- checks

-- check: packages have no type
SELECT WHERE platform.legacy_column('chatbot_packages', 'type') IS NOT NULL;
