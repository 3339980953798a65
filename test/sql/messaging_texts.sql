-- Texts and answers by organization and language: built in, the platform's, the organization's own; the language of the customer's command; retention
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
\set a '\'5a180000-0000-4000-8000-000000000001\''
\set b '\'5a180000-0000-4000-8000-000000000002\''
\set ada '\'5a180000-0000-4000-8000-0000000000a1\''
\set platform '\'00000000-0000-0000-0000-000000000000\''
\set shared '\'+13125550950\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name, locale) VALUES (:a, 'Acme', 'en-US'), (:b, 'Bucal', 'es_MX');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-texts.example');
INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until, help_phone) VALUES (:a, '0:00', '0:00', '+13125550999'), (:b, '0:00', '0:00', NULL);
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES (:shared, NULL), ('+13125550951', :a), ('+13125550952', :b);
\o
\set ECHO all

-- every text in every language: there, of characters that cost no more, at most two segments long
CREATE TEMP TABLE texts AS
SELECT kind, language, platform.render_sms_template(:platform, kind, '{"business": "Acme Plumbing", "phone": "+13125550999", "options": "1 = Acme, 2 = Best"}', language) AS body
FROM unnest('{post_call,review_request,appointment_reminder,opt_out,opt_in,help,reschedule,chosen,opt_in_elsewhere,rate_limit,shared_opt_in,shared_help,unknown,ask}'::text[]) AS kind, unnest('{en,es,fr,de,pt}'::text[]) AS language;
SELECT count(*), count(DISTINCT body) AS different FROM texts;
SELECT kind, language, s.encoding, s.segments FROM texts, platform.sms_segments(body) AS s WHERE s.encoding <> 'GSM-7' OR s.segments > 2;
SELECT kind, language, body FROM texts WHERE body ~ '[{}]|  | [,.]|\?\?' OR language <> 'fr' AND body ~ ' [:!?]';
-- what tells the customer how to stop says STOP, in every language
SELECT kind, language FROM texts WHERE kind IN ('opt_in', 'help', 'rate_limit', 'shared_opt_in', 'shared_help') AND body !~ 'STOP' OR kind = 'opt_out' AND body !~ 'START';
-- the words that a text asks to be answered with are commands
SELECT t.language, w.word, c.keyword FROM (VALUES ('en', 'YES'), ('es', 'SI'), ('fr', 'OUI'), ('de', 'JA'), ('pt', 'SIM'), ('en', 'HELP'), ('es', 'AYUDA'), ('fr', 'AIDE'), ('de', 'HILFE'), ('pt', 'AJUDA')) AS w (language, word)
JOIN texts t ON t.language = w.language AND t.body LIKE '%' || w.word || '%' AND t.kind IN ('appointment_reminder', 'opt_in'), platform.classify_sms_keyword(w.word) AS c ORDER BY c.keyword, t.language;
-- what is not known leaves no gap
SELECT platform.render_sms_template(:a, 'review_request', '{}', language) FROM unnest('{en,es,fr,de,pt}'::text[]) AS language;
SELECT platform.render_sms_template(:b, 'reschedule', language => language) FROM unnest('{en,es,fr,de,pt}'::text[]) AS language;

-- the organization's language unless another is asked for; none of that language: English
SELECT platform.render_sms_template(:b, 'opt_out'), platform.render_sms_template(:b, 'opt_out', language => 'fi') = platform.render_sms_template(:b, 'opt_out', language => 'en') AS english;
-- its own, the platform's, the built-in one, in this order; a language before English
SELECT platform.set_sms_template(:platform, 'opt_out', 'Platform says bye', 'en'), platform.set_sms_template(:platform, 'opt_out', 'Heippa', 'fi');
SELECT platform.set_sms_template(:a, 'opt_out', 'Acme says bye');
SELECT language, platform.render_sms_template(:a, 'opt_out', language => language) AS a, platform.render_sms_template(:b, 'opt_out', language => language) AS b FROM unnest('{en,fi,fr,it}'::text[]) AS language;
SELECT language, body FROM platform.sms_templates WHERE organization_id = :a;
SELECT platform.set_sms_template(:b, 'opt_out', 'Adios'), platform.set_sms_template(:b, 'opt_out', 'Bye from Bucal', 'en');
SELECT language, body FROM platform.sms_templates WHERE organization_id = :b ORDER BY language;
SELECT platform.set_sms_template(:a, 'opt_out', NULL) AS platforms_again, platform.set_sms_template(:platform, 'opt_out', NULL, 'en') AS built_in_again;

-- an answer is in the language of the command, English words are of every language
SELECT keyword, auto_reply FROM platform.receive_sms('3125550961', '3125550951', 'Ayuda', 'texts-1');
SELECT keyword, auto_reply FROM platform.receive_sms('3125550961', '3125550951', 'Hilfe!', 'texts-2');
SELECT keyword, auto_reply FROM platform.receive_sms('3125550962', '3125550952', 'HELP', 'texts-3');
SELECT keyword, auto_reply FROM platform.receive_sms('3125550962', '3125550952', 'STOP', 'texts-4');
SELECT keyword, auto_reply FROM platform.receive_sms('3125550963', '3125550951', 'Arrêt', 'texts-5');
-- a word of two languages: the organization's if it is one of them
SELECT keyword, auto_reply FROM platform.receive_sms('3125550964', '3125550952', 'parar', 'texts-6');
UPDATE platform.organizations SET locale = 'pt' WHERE id = :a;
SELECT keyword, auto_reply FROM platform.receive_sms('3125550964', '3125550951', 'parar', 'texts-7');
UPDATE platform.organizations SET locale = 'en' WHERE id = :a;
-- nobody's: the platform's texts, and its language
SELECT route, auto_reply FROM platform.receive_sms('3125550965', :shared, 'Hola', 'texts-8');
SELECT route, keyword, auto_reply FROM platform.receive_sms('3125550965', :shared, 'Ajuda', 'texts-9');
UPDATE platform.organizations SET locale = 'de-CH' WHERE id = :platform;
SELECT route, auto_reply FROM platform.receive_sms('3125550965', :shared, 'Hola', 'texts-10');
SELECT platform.set_sms_template(:platform, 'unknown', 'Wer sind Sie?');
SELECT route, auto_reply FROM platform.receive_sms('3125550965', :shared, 'Hola', 'texts-11');
-- the question, its answer, and who writes too much
INSERT INTO platform.messages (organization_id, direction, from_number, to_number, thread_id, body, status) VALUES (:a, 'outbound', :shared, '+13125550966', '+13125550966', 'Hello', 'sent'), (:b, 'outbound', :shared, '+13125550966', '+13125550966', 'Hola', 'sent');
SELECT route, auto_reply FROM platform.receive_sms('3125550966', :shared, 'Cuando?', 'texts-12');
SELECT platform.set_sms_template(:platform, 'ask', 'Who? {options}', 'de');
SELECT route, auto_reply FROM platform.receive_sms('3125550966', :shared, 'Cuando?', 'texts-13');
SELECT array_position(business_names, 'Bucal') AS choice FROM platform.sms_collision_log WHERE from_number = '+13125550966' AND status = 'pending' \gset
SELECT route, auto_reply FROM platform.receive_sms('3125550966', :shared, :'choice', 'texts-14');
UPDATE platform.organizations SET locale = 'en' WHERE id = :platform;
SELECT DISTINCT auto_reply FROM generate_series(1, 7) AS i, platform.receive_sms('3125550967', '3125550952', 'Mensaje ' || i, 'texts-m' || i) WHERE auto_reply IS NOT NULL;

-- a message for later, in the customer's language
SELECT platform.schedule_sms(:a, 'post_call', '3125550968', dedup_key => 'fr', language => 'fr') IS NOT NULL AS scheduled;
SELECT message_body FROM platform.sms_automation_log WHERE organization_id = :a AND dedup_key = 'fr';

-- refused
SELECT platform.set_sms_template(:a, 'unknown', 'Who?');
SELECT platform.render_sms_template(:a, 'ask');
SELECT platform.set_sms_template(:platform, 'ask', 'Who?');
SELECT platform.set_sms_template(:a, 'opt_out', 'Bye', 'EN');
SELECT platform.set_sms_template(:a, 'opt_out', 'Bye', 'e');
SELECT platform.set_sms_template(:a, 'opt_out', 'Bye', 'engl');
SELECT platform.set_sms_template(:a, 'opt_out', 'Bye {name}');
SELECT platform.set_sms_template('5a180000-0000-4000-8000-00000000dead', 'opt_out', 'Bye');
SELECT platform.schedule_sms(:a, 'post_call', '3125550968', language => 'Franz');
\set VERBOSITY terse
INSERT INTO platform.sms_templates (organization_id, kind, body) VALUES (:a, 'ask', '{options}');
INSERT INTO platform.sms_templates (organization_id, kind, body, language) VALUES (:a, 'help', 'x', 'EN');
\set VERBOSITY default
SELECT platform.set_context(:a, :ada, 'admin') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.set_sms_template(:a, 'help', 'Call us', 'es');
SELECT platform.set_sms_template(:platform, 'opt_out', 'Mine');
SELECT platform.set_sms_template(:b, 'opt_out', 'Mine');
INSERT INTO platform.sms_templates (organization_id, kind, body) VALUES (:a, 'help', 'Mine');
RESET ROLE;

-- FAULT: raw messages with personal data were kept without limit. They go by policy; what waits, and who opted out, stays
INSERT INTO platform.messages (organization_id, direction, from_number, to_number, thread_id, body, created_at) VALUES
	(:a, 'inbound', '+13125550971', '+13125550951', '+13125550971', 'old', now() - interval '3 years'), (:a, 'inbound', '+13125550971', '+13125550951', '+13125550971', 'newer', now() - interval '1 year');
INSERT INTO platform.sms_inbound (provider_message_id, from_number, to_number, body, received_at, created_at) VALUES ('texts-old', '+13125550971', '+13125550951', 'old', now(), now() - interval '91 days'), ('texts-new', '+13125550971', '+13125550951', 'new', now(), now() - interval '89 days');
SELECT status FROM platform.send_sms(:a, '3125550972', 'waits', 'auto_eta', 'waits') UNION ALL SELECT status FROM platform.send_sms(:a, '3125550972', 'done', 'auto_eta', 'done');
SELECT platform.cancel_sms(:a, id) FROM platform.outbound_sms_log WHERE organization_id = :a AND idempotency_key = 'done';
UPDATE platform.outbound_sms_log SET created_at = now() - interval '3 years', finished_at = finished_at - interval '3 years' WHERE organization_id = :a;
SELECT platform.schedule_sms(:a, 'post_call', '3125550973', dedup_key => 'old') IS NOT NULL AND platform.schedule_sms(:a, 'post_call', '3125550973', dedup_key => 'new', delay => '300 days') IS NOT NULL AS scheduled;
UPDATE platform.sms_automation_log SET created_at = now() - interval '3 years', run_at = run_at - CASE dedup_key WHEN 'old' THEN interval '2 years' ELSE '0' END WHERE organization_id = :a AND dedup_key <> 'fr';
SELECT platform.opt_out_phone(:a, '3125550974');
UPDATE platform.sms_opt_out SET created_at = now() - interval '9 years' WHERE phone = '+13125550974';
SELECT policy_name, table_name, action FROM platform.purge_logs() WHERE table_name IN ('messages', 'sms_inbound', 'outbound_sms_log', 'sms_automation_log', 'sms_opt_out', 'opt_out_requests') ORDER BY policy_name COLLATE "C";
SELECT body FROM platform.messages WHERE from_number = '+13125550971';
SELECT provider_message_id FROM platform.sms_inbound WHERE from_number = '+13125550971';
SELECT idempotency_key FROM platform.outbound_sms_log WHERE organization_id = :a;
SELECT dedup_key FROM platform.sms_automation_log WHERE organization_id = :a ORDER BY dedup_key COLLATE "C";
SELECT count(*) AS opted_out FROM platform.sms_opt_out WHERE phone = '+13125550974';
ROLLBACK;
