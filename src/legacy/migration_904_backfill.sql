-- migration 904 legacy: step 4 of 13, capabilities from the types
-- requires: migrate
-- optional

-- up

-- Deleted rows too: the type goes, and nothing else would tell what they were.
SELECT platform.run_legacy('', $$UPDATE {chatbot_packages}
	SET enable_chat = lower({chatbot_packages.type}::text) IS DISTINCT FROM 'call', enable_call = lower({chatbot_packages.type}::text) IS NOT DISTINCT FROM 'call'
	WHERE (enable_chat, enable_call) IS DISTINCT FROM (lower({chatbot_packages.type}::text) IS DISTINCT FROM 'call', lower({chatbot_packages.type}::text) IS NOT DISTINCT FROM 'call')$$)
WHERE platform.legacy_column('chatbot_packages', 'type') IS NOT NULL;
SELECT platform.run_legacy('', $$UPDATE {chatbots}
	SET enabled_chat = lower({chatbots.type}::text) IS DISTINCT FROM 'call', enabled_call = lower({chatbots.type}::text) IS NOT DISTINCT FROM 'call'
	WHERE (enabled_chat, enabled_call) IS DISTINCT FROM (lower({chatbots.type}::text) IS DISTINCT FROM 'call', lower({chatbots.type}::text) IS NOT DISTINCT FROM 'call')$$)
WHERE platform.legacy_column('chatbots', 'type') IS NOT NULL;
-- Chatbots that call have call settings, if their settings are an object.
SELECT platform.run_legacy('chatbots', $$INSERT INTO platform.legacy_memory (step, name, value)
	SELECT 4, id::text, CASE WHEN settings IS NULL THEN 'no settings' WHEN settings ? 'call' THEN (settings -> 'call')::text ELSE 'absent' END
	FROM {chatbots} WHERE enabled_call AND coalesce(settings -> 'call', 'null') IN ('null', '{}') AND coalesce(jsonb_typeof(settings), 'object') = 'object'$$)
WHERE platform.legacy_column('chatbots', 'settings') IS NOT NULL;
SELECT platform.run_legacy('chatbots', $$UPDATE {chatbots}
	SET settings = jsonb_set(coalesce(settings, '{}'), ARRAY['call'], platform.default_call_settings())
	WHERE enabled_call AND coalesce(settings -> 'call', 'null') IN ('null', '{}') AND coalesce(jsonb_typeof(settings), 'object') = 'object'$$)
WHERE platform.legacy_column('chatbots', 'settings') IS NOT NULL;

-- down

SELECT platform.run_legacy('chatbots', $$UPDATE {chatbots} c
	SET settings = CASE
		WHEN m.value = 'no settings' AND settings - 'call' = '{}' THEN NULL
		WHEN m.value IN ('no settings', 'absent') THEN settings - 'call'
		ELSE jsonb_set(settings, ARRAY['call'], m.value::jsonb) END
	FROM platform.legacy_memory m
	WHERE m.step = 4 AND m.name = c.id::text AND settings IS NOT NULL$$)
WHERE EXISTS (SELECT FROM platform.legacy_memory WHERE step = 4);
SELECT platform.run_legacy('chatbots', 'UPDATE {chatbots} SET enabled_chat = true, enabled_call = false WHERE NOT enabled_chat OR enabled_call')
WHERE (SELECT count(*) FROM platform.legacy_memory WHERE step = 3 AND value = 'column') = 2;
SELECT platform.run_legacy('chatbot_packages', 'UPDATE {chatbot_packages} SET enable_chat = true, enable_call = false WHERE NOT enable_chat OR enable_call')
WHERE (SELECT count(*) FROM platform.legacy_memory WHERE step = 2 AND value = 'column') = 2;
DELETE FROM platform.legacy_memory WHERE step = 4;

-- checks

-- check: chatbots with calls have call settings
SELECT WHERE CASE WHEN platform.legacy_column('chatbots', 'settings') IS NULL THEN 0
	ELSE platform.count_legacy($$SELECT FROM {chatbots}
		WHERE enabled_call AND {chatbots:live} AND coalesce(settings -> 'call', '{}') = '{}'$$) END > 0;
