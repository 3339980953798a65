-- What people write, and whether it is a command: opting out wins, and nothing that is not meant so opts out
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- every phrase classifies as expected
CREATE TEMP TABLE phrase (body text, expected text);
INSERT INTO phrase VALUES
	-- FAULT of old: stopall, revoke and STOP with punctuation were not known. The carriers' words, however they are typed
	('STOP', 'OPT_OUT'), ('stop', 'OPT_OUT'), ('Stop', 'OPT_OUT'), ('  stop  ', 'OPT_OUT'), ('stop.', 'OPT_OUT'), ('STOP!', 'OPT_OUT'), ('STOP!!!', 'OPT_OUT'),
	('"STOP"', 'OPT_OUT'), ('*STOP*', 'OPT_OUT'), ('(stop)', 'OPT_OUT'), ('stop' || E'\n', 'OPT_OUT'), ('“Stop”', 'OPT_OUT'), ('STOP 🛑', 'OPT_OUT'), ('🛑 stop', 'OPT_OUT'),
	('ＳＴＯＰ', 'OPT_OUT'), (E'st\u200Bop', 'OPT_OUT'), ('STOPALL', 'OPT_OUT'), ('stopall', 'OPT_OUT'), ('Stop all', 'OPT_OUT'), ('stop-all', 'OPT_OUT'),
	('UNSUBSCRIBE', 'OPT_OUT'), ('Unsubscribe.', 'OPT_OUT'), ('cancel', 'OPT_OUT'), ('CANCEL', 'OPT_OUT'), ('Cancel.', 'OPT_OUT'), ('END', 'OPT_OUT'), ('end!', 'OPT_OUT'),
	('quit', 'OPT_OUT'), ('QUIT', 'OPT_OUT'), ('optout', 'OPT_OUT'), ('opt-out', 'OPT_OUT'), ('opt out', 'OPT_OUT'), ('Opt Out!', 'OPT_OUT'), ('REVOKE', 'OPT_OUT'), ('revoke.', 'OPT_OUT'),
	-- politely, twice, with other commands
	('please stop', 'OPT_OUT'), ('stop please', 'OPT_OUT'), ('Please STOP now, thanks', 'OPT_OUT'), ('stop stop stop', 'OPT_OUT'), ('STOP STOP', 'OPT_OUT'), ('stop!! stop!!', 'OPT_OUT'),
	('stop, cancel, end', 'OPT_OUT'), ('yes stop', 'OPT_OUT'), ('no stop', 'OPT_OUT'), ('help stop', 'OPT_OUT'), ('cancel cancel', 'OPT_OUT'), ('just stop', 'OPT_OUT'), ('stop it', 'OPT_OUT'),
	-- a sentence of its own
	('STOP. Wrong number', 'OPT_OUT'), ('Stop, I am not Mary', 'OPT_OUT'), ('Who is this? Stop', 'OPT_OUT'), ('Not interested. Remove me.', 'OPT_OUT'), (E'Stop\nWrong person', 'OPT_OUT'),
	('Thanks, but stop texting me', 'OPT_OUT'), ('Yes. Stop.', 'OPT_OUT'), ('stop: wrong number', 'OPT_OUT'), ('Unsubscribe! This is spam', 'OPT_OUT'), ('Stop — wrong number', 'OPT_OUT'),
	-- how people put it
	('stop texting me', 'OPT_OUT'), ('Stop texting me!!', 'OPT_OUT'), ('stop messaging me', 'OPT_OUT'), ('stop sending me messages', 'OPT_OUT'), ('please stop sending me texts', 'OPT_OUT'),
	('stop contacting me', 'OPT_OUT'), ('Don''t text me', 'OPT_OUT'), ('don’t text me again', 'OPT_OUT'), ('do not text me anymore', 'OPT_OUT'), ('DO NOT CONTACT ME', 'OPT_OUT'),
	('no more texts please', 'OPT_OUT'), ('no more messages', 'OPT_OUT'), ('unsubscribe me', 'OPT_OUT'), ('opt me out', 'OPT_OUT'), ('remove me', 'OPT_OUT'), ('Please remove me from your list', 'OPT_OUT'),
	('take me off your list', 'OPT_OUT'), ('take me off this list now', 'OPT_OUT'), ('I want to unsubscribe', 'OPT_OUT'), ('i want to opt out', 'OPT_OUT'), ('stop all messages', 'OPT_OUT'), ('remove my number', 'OPT_OUT'),
	-- in other languages
	('ARRET', 'OPT_OUT'), ('Arrêt', 'OPT_OUT'), ('arrêter', 'OPT_OUT'), (E'arre\u0302t', 'OPT_OUT'), ('Désabonner svp', 'OPT_OUT'), ('ALTO', 'OPT_OUT'), ('Basta!', 'OPT_OUT'), ('parar', 'OPT_OUT'),
	('¡Alto!', 'OPT_OUT'), ('no más mensajes', 'OPT_OUT'), ('Stopp', 'OPT_OUT'), ('bitte abmelden', 'OPT_OUT'), ('Abbestellen', 'OPT_OUT'), ('SAIR', 'OPT_OUT'), ('alto por favor', 'OPT_OUT'),
	-- FAULT of old: "cancel my appointment" and "end of ..." opted out of everything. No opting out
	('cancel my appointment', NULL), ('Cancel my appointment please', NULL), ('Can you cancel?', NULL), ('cancel tomorrow', NULL), ('cancel please', NULL), ('Cancel. Something came up', NULL), ('please cancel', NULL), ('yes cancel', NULL),
	('end of the week works', NULL), ('The end', NULL), ('End of driveway, blue house', NULL), ('weekend', NULL), ('quit calling my wife', NULL), ('I quit smoking', NULL), ('Quitting time is 5', NULL),
	('stop by tomorrow', NULL), ('Stop by at 5', NULL), ('Can you stop by?', NULL), ('Bus stop', NULL), ('the water won''t stop', NULL), ('It does not stop leaking', NULL), ('Don''t stop', NULL), ('nonstop', NULL),
	('stopped', NULL), ('Stop sign is down', NULL), ('I never said stop by', NULL), ('Reply STOP to unsubscribe', NULL), ('how do I unsubscribe from the newsletter', NULL), ('remove the old unit', NULL),
	('revoked', NULL), ('Is it an opt out program?', NULL), ('unstoppable', NULL), ('please end the job by noon', NULL), ('stop the leak', NULL), ('cancelled', NULL), ('canceling', NULL),
	-- opting in
	('START', 'OPT_IN'), ('start', 'OPT_IN'), ('Start!', 'OPT_IN'), ('unstop', 'OPT_IN'), ('UNSTOP', 'OPT_IN'), ('subscribe', 'OPT_IN'), ('resume', 'OPT_IN'), ('please start', 'OPT_IN'), ('opt in', 'OPT_IN'), ('Empezar', 'OPT_IN'),
	('start at 9', NULL), ('when do you start', NULL), ('my resume', NULL), ('don''t start yet', NULL),
	-- help
	('HELP', 'HELP'), ('help', 'HELP'), ('Help!', 'HELP'), ('info', 'HELP'), ('INFO', 'HELP'), ('?', 'HELP'), ('??', 'HELP'), (' ? ', 'HELP'), ('help me', 'HELP'), ('please help', 'HELP'), ('Ayuda', 'HELP'), ('aide', 'HELP'), ('Hilfe', 'HELP'),
	('I need help with my sink', NULL), ('More information please', NULL), ('can someone help?', NULL),
	-- yes and no
	('yes', 'CONFIRM'), ('YES', 'CONFIRM'), ('Yes!', 'CONFIRM'), ('yes please', 'CONFIRM'), ('Yes, thank you', 'CONFIRM'), ('ok', 'CONFIRM'), ('OK!', 'CONFIRM'), ('Okay', 'CONFIRM'), ('y', 'CONFIRM'), ('Y', 'CONFIRM'), ('yep', 'CONFIRM'), ('yeah', 'CONFIRM'),
	('confirm', 'CONFIRM'), ('Confirmed.', 'CONFIRM'), ('yes yes', 'CONFIRM'), ('Sí', 'CONFIRM'), ('oui', 'CONFIRM'), ('ja', 'CONFIRM'), ('I confirm', 'CONFIRM'), ('Yes, see you then', 'CONFIRM'), ('ok great', 'CONFIRM'),
	('no', 'DECLINE'), ('No.', 'DECLINE'), ('n', 'DECLINE'), ('nope', 'DECLINE'), ('no thanks', 'DECLINE'), ('No, thank you!', 'DECLINE'), ('decline', 'DECLINE'), ('Nein', 'DECLINE'), ('não', 'DECLINE'),
	-- FAULT of old: no was a no, whatever it was said with
	('No problem', NULL), ('no one is home', NULL), ('There is no water', NULL), ('yesterday', NULL), ('Yes no', NULL), ('not yet', NULL), ('okra', NULL), ('Yes, but I cannot come', NULL), ('Yes but later', NULL), ('ok, no', NULL),
	-- another time
	('reschedule', 'RESCHEDULE'), ('Can we reschedule?', 'RESCHEDULE'), ('I need to reschedule my appointment', 'RESCHEDULE'), ('change', 'RESCHEDULE'), ('move', 'RESCHEDULE'), ('change my appointment', 'RESCHEDULE'), ('Could we move it to Friday', 'RESCHEDULE'),
	('Yes, but can we move it?', 'RESCHEDULE'), ('another time please', 'RESCHEDULE'), ('Is a different day possible?', 'RESCHEDULE'), ('bitte verschieben', 'RESCHEDULE'),
	-- FAULT of old: change and move were found inside other words
	('remove', NULL), ('remove the old one', NULL), ('exchange', NULL), ('I exchanged the filter', NULL), ('we moved to Elm street', NULL), ('removed', NULL), ('changed', NULL), ('interchange', NULL), ('oil change', NULL), ('I will move the car', NULL),
	-- one digit
	('1', 'COLLISION_CHOICE'), (' 2 ', 'COLLISION_CHOICE'), ('3.', 'COLLISION_CHOICE'), ('#4', 'COLLISION_CHOICE'), ('9', 'COLLISION_CHOICE'), (E'1\uFE0F\u20E3', 'COLLISION_CHOICE'),
	('0', NULL), ('10', NULL), ('11', NULL), ('1 2', NULL), ('1 pm', NULL), ('at 1', NULL), ('٣', NULL),
	-- nothing
	('', NULL), ('   ', NULL), ('👍', NULL), ('!', NULL), ('...', NULL), ('Привет', NULL), ('你好', NULL), ('please', NULL), ('thanks', NULL), ('Thank you!', NULL), ('hello', NULL);
SELECT count(*) >= 150 AS enough, count(*) AS phrases FROM phrase;
SELECT body, expected, keyword, confidence FROM phrase, platform.classify_sms_keyword(body) WHERE keyword IS DISTINCT FROM expected ORDER BY body COLLATE "C";
-- how sure it is
SELECT body, c.* FROM unnest('{STOP,please stop,Stop. Who is this?,stop stop,Can we reschedule?,cancel my appointment,7}'::text[]) AS body, platform.classify_sms_keyword(body) AS c;
SELECT * FROM platform.classify_sms_keyword(NULL);
-- a command is one in any case, with spaces and punctuation around it
SELECT count(*) AS variants, count(*) FILTER (WHERE keyword IS DISTINCT FROM 'OPT_OUT') AS missed
FROM (VALUES ('stop'), ('stopall'), ('unsubscribe'), ('cancel'), ('end'), ('quit'), ('revoke'), ('opt out'), ('optout')) AS w (word),
	unnest(ARRAY[word, upper(word), initcap(word)]) AS cased,
	unnest(ARRAY['%s', ' %s ', '%s.', '%s!', '"%s"', '%s ?', '- %s', '%s;', E'%s\r\n', '*%s*', '<%s>', '%s 👎']) AS shape,
	platform.classify_sms_keyword(format(shape, cased));
-- and inside a longer word it is none
SELECT word FROM (SELECT DISTINCT k.word FROM platform.sms_keywords k WHERE k.keyword = 'OPT_OUT') AS w
WHERE (SELECT keyword FROM platform.classify_sms_keyword('x' || word || 'x')) IS NOT NULL;

-- words are rows: more of them take effect at once
BEGIN;
SELECT keyword FROM platform.classify_sms_keyword('Lopeta');
INSERT INTO platform.sms_keywords (word, language, keyword, match) VALUES ('Lopeta', 'fi', 'OPT_OUT', 'sentence'), ('Hyvästi!', 'fi', 'OPT_OUT', 'exact');
SELECT keyword FROM platform.classify_sms_keyword('Lopeta! Kiitos') UNION ALL SELECT keyword FROM platform.classify_sms_keyword('hyvasti');
-- a word that means two things opts out
INSERT INTO platform.sms_keywords (word, language, keyword, match) VALUES ('ok', 'xx', 'OPT_OUT', 'whole');
SELECT keyword FROM platform.classify_sms_keyword('ok');
ROLLBACK;
SELECT keyword FROM platform.classify_sms_keyword('Lopeta') UNION ALL SELECT keyword FROM platform.classify_sms_keyword('ok');
-- who may ask
SET ROLE platform_test_member;
SELECT keyword FROM platform.classify_sms_keyword('stop');
SET ROLE platform_test_stranger;
SELECT keyword FROM platform.classify_sms_keyword('stop');
RESET ROLE;
