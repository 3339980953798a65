-- Call settings: every rule at its edges, all violations at once, defaults, merge patches
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set one '''ca95e700-0000-4000-8000-000000000001'''
\set both '''ca95e700-0000-4000-8000-0000000000b1'''
\set bot '''ca95e700-0000-4000-8000-0000000000c1'''
\set silent '''ca95e700-0000-4000-8000-0000000000c2'''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES (:one, 'Settings one', '{"features": {"callEnabled": true}}');
INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call) VALUES (:both, 'Settings both', true, true);
INSERT INTO platform.chatbots (id, organization_id, package_id, name) VALUES (:bot, :one, :both, 'Settings bot');
INSERT INTO platform.chatbots (id, organization_id, package_id, name, enabled_call) VALUES (:silent, :one, :both, 'Settings silent', false);
SAVEPOINT s;
\set ECHO all
-- the defaults, all of them, break no rule
SELECT key, value FROM jsonb_each(platform.default_call_settings());
SELECT count(*) FROM platform.validate_call_settings(platform.default_call_settings());
SELECT count(*) AS nothing FROM platform.validate_call_settings('{}');
SELECT count(*) AS nothing FROM platform.validate_call_settings(NULL);

-- every number at its edges: outside, on the edge, inside, a text, null
SELECT k.key, string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM (VALUES (1, 'silenceTimeout', '29 30 300 301 30.5 120.0 -1 1e9 "60" null true []'),
	(2, 'maxCallDuration', '59 60 3600 3601 99.9 1e400 "60" null {}'),
	(3, 'vadThreshold', '-0.001 0 1 1.001 0.5 "0.5" null')) k (n, key, list),
	regexp_split_to_table(k.list, ' ') WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object(k.key, v.value::jsonb)) r ON true
GROUP BY k.n, k.key ORDER BY k.n;
SELECT k.key, string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM (VALUES (1, 'pitch', '-1.01 -1 1 1.01 0 "0"'), (2, 'speed', '0.49 0.5 2 2.01 1'), (3, 'stability', '-0.1 0 1 1.1')) k (n, key, list),
	regexp_split_to_table(k.list, ' ') WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object('voiceSettings', jsonb_build_object(k.key, v.value::jsonb))) r ON true
GROUP BY k.n, k.key ORDER BY k.n;
-- every boolean
SELECT k.key, string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM unnest('{recordingEnabled,transcriptionEnabled,interruptionEnabled,echoCancellation,noiseSuppression}'::text[]) WITH ORDINALITY k (key, n),
	unnest(ARRAY['true', 'false', 'null', '0', '"true"']) WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object(k.key, v.value::jsonb)) r ON true
GROUP BY k.n, k.key ORDER BY k.n;
-- every list of words
SELECT k.key, string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM (VALUES (1, 'callButtonPosition', 'bottom-right bottom-left top-right top-left top Top-Left'),
	(2, 'voiceProvider', 'openai google OpenAI azure')) k (n, key, list),
	regexp_split_to_table(k.list, ' ') WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object(k.key, v.value)) r ON true
GROUP BY k.n, k.key ORDER BY k.n;
-- colours
SELECT string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM unnest('{#22C55E,#abcdef,#ABCDEF,#22C55,#22C55E0,22C55E,#22C55G,red,""}'::text[]) WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object('callButtonColor', v.value)) r ON true;
-- lengths are in characters, not bytes
SELECT key, n, coalesce(rule, 'ok') AS answer, message
FROM (VALUES ('callGreeting', 500), ('callGreeting', 501), ('callButtonText', 0), ('callButtonText', 50), ('callButtonText', 51), ('endCallPhrase', 5000)) k (key, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object(k.key, repeat('x', k.n))) r ON true;
SELECT n, coalesce(rule, 'ok') AS answer FROM (VALUES (50), (51)) k (n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object('callButtonText', repeat(E'\u00e9', k.n))) r ON true;
-- a greeting is plain text
SELECT string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM unnest('{<speak>hi</speak>,"a < b",I <3 you,</p>,<!-- x -->,<?xml?>,<,<break time=1s/>}'::text[]) WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object('callGreeting', v.value)) r ON true;
-- the voice is one of the provider's
SELECT k.provider, string_agg(v.value || ' ' || coalesce(r.rule, 'ok'), ', ' ORDER BY v.n) AS answers
FROM (VALUES (1, 'openai', 'alloy echo fable onyx nova shimmer Alloy ash en-US-Wavenet-A'),
	(2, 'google', 'en-US-Wavenet-A de-DE-Neural2-F cmn-CN-Standard-A en-US-Chirp3-HD-Aoede Puck alloy en-US en-US- -en-US-A en--US-A EN-US-Wavenet-A P PuCk'),
	(3, 'elevenlabs', '21m00Tcm4TlvDq8ikWAM alloy my_voice-1 no/voice')) k (n, provider, list),
	regexp_split_to_table(k.list, ' ') WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(jsonb_build_object('voiceProvider', k.provider, 'voiceId', v.value)) r ON true
GROUP BY k.n, k.provider ORDER BY k.n;
SELECT * FROM platform.validate_call_settings('{"voiceProvider": "elevenlabs"}');
SELECT * FROM platform.validate_call_settings('{"voiceProvider": "google"}');
SELECT * FROM platform.validate_call_settings('{"voiceId": "Puck"}');
SELECT * FROM platform.validate_call_settings('{"voiceId": 7, "voiceProvider": 7}');
SELECT * FROM platform.validate_call_settings('{"voiceId": "", "voiceProvider": "elevenlabs"}');
-- what is no object
SELECT v.value, r.* FROM unnest(ARRAY['[]', '"text"', '7', 'true', 'null', '[{}]']) WITH ORDINALITY v (value, n)
	LEFT JOIN LATERAL platform.validate_call_settings(v.value::jsonb) r ON true ORDER BY v.n;
SELECT * FROM platform.validate_call_settings('{"voiceSettings": []}');
SELECT * FROM platform.validate_call_settings('{"voiceSettings": null}');

-- unknown keys, with the known one that is meant; pointers are escaped
SELECT pointer, message FROM platform.validate_call_settings('{"silencetimeout": 60, "vadTreshold": 0.5, "callButtonColour": "#ffffff",
	"voice": "alloy", "volume": 3, "": 1, "a/b~c": 1, "SilenceTimeout": 1, "voiceSettings": {"pich": 0, "stabilty": 0, "loudness": 1, "voiceId": "alloy"}}');
SELECT length(pointer), message FROM platform.validate_call_settings(jsonb_build_object(repeat('k', 1000000), 1));

-- on a write all violations come at once, and no value with them
UPDATE platform.chatbots SET settings = '{"call": {"silenceTimeout": 5, "vadTreshold": 0.4, "callGreeting": "<speak>secret words</speak>", "voiceSettings": {"speed": 9}}}' WHERE id = :bot;
ROLLBACK TO s;
\set VERBOSITY sqlstate
UPDATE platform.chatbots SET settings = '{"call": {"silenceTimeout": 5}}' WHERE id = :bot;
ROLLBACK TO s;
UPDATE platform.chatbots SET settings = '[]' WHERE id = :bot;
ROLLBACK TO s;
\set VERBOSITY default
-- also where calls are off
UPDATE platform.chatbots SET settings = '{"call": {"silenceTimeout": 5}}' WHERE id = :silent;
ROLLBACK TO s;
UPDATE platform.chatbots SET settings = '{"call": "loud"}' WHERE id = :silent;
ROLLBACK TO s;
INSERT INTO platform.chatbots (organization_id, package_id, name, settings) VALUES (:one, :both, 'bad', '{"call": {"callButtonColor": "green"}}');
ROLLBACK TO s;

-- settings are complete while calls are enabled; the rest of them stays
UPDATE platform.chatbots SET settings = '{"welcomeMessage": "hi", "agent": {"systemPrompt": "be kind"}, "zeta": [1, {"a": null}], "call": {"silenceTimeout": 60, "voiceSettings": {"speed": 1.5}}}' WHERE id = :bot;
SELECT settings - 'call' AS rest, (settings -> 'call') - 'silenceTimeout' - 'voiceSettings' = platform.default_call_settings() - 'silenceTimeout' - 'voiceSettings' AS others_are_defaults,
	settings #> '{call,silenceTimeout}' AS timeout, settings #> '{call,voiceSettings}' AS voice FROM platform.chatbots WHERE id = :bot;
-- nothing to complete: the document is stored as it came
UPDATE platform.chatbots SET settings = jsonb_build_object('call', platform.default_call_settings() || '{"maxCallDuration": 61}') WHERE id = :bot;
SELECT settings = jsonb_build_object('call', platform.default_call_settings() || '{"maxCallDuration": 61}') AS same FROM platform.chatbots WHERE id = :bot;
-- switched on, they appear; switched off, they stay
SELECT settings FROM platform.chatbots WHERE id = :silent;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :silent;
SELECT settings -> 'call' = platform.default_call_settings() AS complete FROM platform.chatbots WHERE id = :silent;
UPDATE platform.chatbots SET enabled_call = false WHERE id = :silent;
SELECT settings -> 'call' = platform.default_call_settings() AS complete FROM platform.chatbots WHERE id = :silent;
UPDATE platform.chatbots SET settings = '{}' WHERE id = :silent;
SELECT settings FROM platform.chatbots WHERE id = :silent;
ROLLBACK TO s;
-- a greeting so long that the row is compressed and moved out
UPDATE platform.chatbots SET settings = settings || jsonb_build_object('agent', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n)) WHERE id = :bot;
UPDATE platform.chatbots SET name = 'Settings long' WHERE id = :bot;
SELECT platform.set_call_settings(:one, :bot, '{"silenceTimeout": 31}') -> 'silenceTimeout' AS timeout;
SELECT length(settings ->> 'agent') FROM platform.chatbots WHERE id = :bot;
ROLLBACK TO s;

-- settings in force, and changing them by a patch
SELECT platform.call_settings(:one, :silent) = platform.default_call_settings() AS defaults;
SELECT platform.set_call_settings(:one, :bot, '{"silenceTimeout": 45, "voiceSettings": {"speed": 1.25}}') - '{callGreeting,endCallPhrase}'::text[] AS settings;
SELECT platform.set_call_settings(:one, :bot, '{"silenceTimeout": null, "voiceProvider": "google", "voiceId": null}') - '{callGreeting,endCallPhrase}'::text[] AS settings;
SELECT platform.set_call_settings(:one, :bot, '{}') = platform.call_settings(:one, :bot) AS same;
SELECT platform.set_call_settings(:one, :bot, '{"voiceProvider": "elevenlabs", "voiceId": "21m00Tcm4TlvDq8ikWAM"}') ->> 'voiceId' AS voice;
SAVEPOINT e;
SELECT platform.set_call_settings(:one, :bot, '{"voiceId": null}');
ROLLBACK TO e;
SELECT platform.set_call_settings(:one, :bot, '{"voiceProvider": "openai"}');
ROLLBACK TO e;
SELECT platform.set_call_settings(:one, :bot, '[]');
ROLLBACK TO e;
SELECT platform.set_call_settings(:one, :bot, 'null');
ROLLBACK TO e;
-- where calls are off only what is said is kept
SELECT platform.set_call_settings(:one, :silent, '{"silenceTimeout": 45}') ->> 'maxCallDuration' AS default;
SELECT settings FROM platform.chatbots WHERE id = :silent;
SELECT platform.set_call_settings(:one, :silent, '{"silenceTimeout": null}') = platform.default_call_settings() AS defaults;
SELECT settings FROM platform.chatbots WHERE id = :silent;
SELECT platform.set_call_settings(:one, 'ca95e700-0000-4000-8000-0000000000cf', '{}');
ROLLBACK TO e;
SELECT platform.call_settings(:one, 'ca95e700-0000-4000-8000-0000000000cf');
ROLLBACK TO e;
SELECT platform.call_settings(NULL, :bot);
ROLLBACK TO e;
SELECT platform.set_call_settings(:one, :bot, NULL);
ROLLBACK TO e;

-- the widget sees what it needs
UPDATE platform.chatbots SET settings = settings || '{"welcomeMessage": "Hello!", "agent": {"systemPrompt": "internal"}}' WHERE id = :bot;
SELECT jsonb_pretty(platform.widget_config(:bot));
SELECT platform.widget_config(:silent);
UPDATE platform.organizations SET settings = '{}' WHERE id = :one;
SELECT platform.widget_config(:bot);
UPDATE platform.chatbots SET status = 'archived' WHERE id = :bot;
SELECT platform.widget_config(:bot) ->> 'chatEnabled' AS chat;
UPDATE platform.chatbots SET deleted_at = now() WHERE id = :bot;
SELECT platform.widget_config(:bot);
ROLLBACK TO e;
SELECT platform.widget_config(NULL);
ROLLBACK TO e;

-- settings that came past the trigger, with a restore or an older schema: answered as they are, completed
-- where they can be, refused when they are written again
SET LOCAL session_replication_role = replica;
UPDATE platform.chatbots SET settings = '{"call": {"voiceSettings": "loud", "silenceTimeout": "x", "voiceId": {"a": [1]}, "odd": 1}}' WHERE id = :bot;
SET LOCAL session_replication_role = origin;
SELECT platform.call_settings(:one, :bot) - '{callGreeting}'::text[] AS settings;
SELECT platform.widget_config(:bot) #> '{call,silenceTimeout}' AS timeout;
SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT platform.set_call_settings(:one, :bot, '{"vadThreshold": 0.1}');
ROLLBACK TO e;
SET LOCAL session_replication_role = replica;
UPDATE platform.chatbots SET settings = v.settings::jsonb FROM (VALUES (:bot::uuid, '{"call": {"voiceSettings": [1, {"pitch": 1}]}}'), (:silent, '{"call": [1]}')) v (id, settings) WHERE chatbots.id = v.id;
SET LOCAL session_replication_role = origin;
SELECT platform.call_settings(:one, :bot) = platform.default_call_settings() AS defaults, platform.call_settings(:one, :silent) = platform.default_call_settings() AS defaults_too;
SELECT platform.set_call_settings(:one, :silent, '{"silenceTimeout": 44}') -> 'silenceTimeout' AS timeout;
UPDATE platform.chatbots SET description = 'other columns go on' WHERE id = :bot RETURNING description;
ROLLBACK;

-- merge_patch(): the examples of RFC 7396, appendix A
SELECT target, patch, platform.merge_patch(target::jsonb, patch::jsonb) AS result, platform.merge_patch(target::jsonb, patch::jsonb) = result::jsonb AS right
FROM (VALUES ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'), ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'), ('{"a":"b"}', '{"a":null}', '{}'),
	('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'), ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'), ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
	('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'), ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
	('["a","b"]', '["c","d"]', '["c","d"]'), ('{"a":"b"}', '["c"]', '["c"]'), ('{"a":"foo"}', 'null', 'null'), ('{"a":"foo"}', '"bar"', '"bar"'),
	('{"e":null}', '{"a":1}', '{"e":null,"a":1}'), ('[1,2]', '{"a":"b","c":null}', '{"a":"b"}'), ('{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}')) t (target, patch, result);
SELECT platform.merge_patch(NULL, '{"a": {"b": null, "c": 1}}') AS from_nothing, platform.merge_patch('{"a": 1}', NULL) IS NULL AS no_patch;
