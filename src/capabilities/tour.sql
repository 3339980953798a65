-- tour 70 Chatbots: what one may do, and why not
\echo
\echo Both customers made a chatbot from the same package, which chats and answers the phone.
\echo The platform has switched calls on for one of them.
\echo
\set ECHO queries
SELECT c.name, p.name AS package, a.chat, a.call, a.reason, a.gate
FROM platform.chatbots AS c JOIN platform.chatbot_packages AS p ON p.id = c.package_id,
	platform.chatbot_capabilities(c.organization_id, c.id) AS a
ORDER BY c.name;
\set ECHO none
\echo
\echo A chatbot cannot have more than its package, whoever asks.
\echo
\set ECHO queries
UPDATE platform.chatbots SET enabled_call = true WHERE name = 'Website';
\set ECHO none
\echo
\echo Call settings have rules. An error names all that are broken, and the key that was meant.
\echo
\set ECHO queries
SELECT * FROM platform.validate_call_settings(
	'{"silenceTimeout": 5, "vadTreshold": 0.4, "voiceId": "robot", "callButtonColor": "green"}');
SELECT platform.set_call_settings('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1',
	'{"silenceTimeout": 60}') ->> 'silenceTimeout' AS seconds;
\set ECHO none
\echo
\echo What the widget on a web page is told.
\echo
\set ECHO queries
SELECT jsonb_pretty(platform.widget_config('d0000000-0000-4000-8000-0000000000c2'));
\set ECHO none
\echo
\echo The package loses calls: its chatbots lose them with it, in one step.
\echo
\set ECHO queries
BEGIN;
SELECT name FROM platform.set_package_capabilities('d0000000-0000-4000-8000-0000000000b1', enable_call => false);
SELECT name, enabled_chat, enabled_call FROM platform.chatbots ORDER BY name;
ROLLBACK;
\set ECHO none
