-- Twilio's signatures: forms, JSON bodies, and every spelling of the URL that its library for node accepts
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- the example of its documentation (https://www.twilio.com/docs/usage/security)
SELECT platform.sign_twilio_webhook('https://mycompany.com/myapp.php?foo=1&bar=2',
	'Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE', '12345');
SELECT * FROM platform.check_twilio_webhook('https://mycompany.com/myapp.php?foo=1&bar=2',
	'Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE', 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', '{12345}');

-- what a signature of one URL proves of another
CREATE FUNCTION pg_temp.says(signed text, received text, body bytea DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT reason FROM platform.check_twilio_webhook(received, body,
		encode(platform.hmac(convert_to(signed, 'UTF8'), 'token', 'sha1'), 'base64'), '{old,token}')
$$;
SELECT signed, received, pg_temp.says(signed, received)
FROM (VALUES
	(1, 'https://example.com/a', 'https://example.com/a'),
	-- with the port and without
	(2, 'https://example.com:443/a', 'https://example.com/a'), (3, 'https://example.com/a', 'https://example.com:443/a'), (4, 'https://example.com:443/a', 'https://example.com:443/a'),
	(5, 'http://example.com:80/a', 'http://example.com/a'), (6, 'https://example.com/a', 'https://example.com:8443/a'), (7, 'https://example.com:8443/a', 'https://example.com:8443/a'),
	(8, 'https://example.com:8443/a', 'https://example.com/a'), (9, 'wss://example.com:443/a', 'wss://example.com/a'), (10, 'https://example.com/a', 'https://example.com:/a'),
	(11, 'https://[::1]:443/a', 'https://[::1]/a'), (12, 'https://example.com/a', 'https://example.com:00443/a'),
	-- normalised
	(20, 'https://example.com/a', 'HTTPS://EXAMPLE.com/a'), (21, 'https://example.com/', 'https://example.com'), (22, 'https://example.com', 'https://example.com'),
	(23, 'https://example.com/b', 'https://example.com/a/../b'), (24, 'https://example.com/b/', 'https://example.com/./a/%2E%2e/b/.'), (25, 'https://example.com/a', 'https://example.com/../../a'),
	(26, 'https://example.com/a', '  https://example.com\a '), (27, 'https://example.com/a%20b?c=%22d%22', 'https://example.com/a b?c="d"'), (28, 'https://example.com/?x=it%27s', 'https://example.com/?x=it''s'),
	(29, 'https://user:pa%5Ess@example.com/', 'https://user:pa^ss@example.com/'), (30, 'https://user@example.com/', 'https://user:@example.com/'), (31, 'https://example.com/', 'https://:@example.com/'),
	(32, 'https://example.com/a#f', 'https://example.com/a#f'), (33, 'https://example.com:443/a', 'https://example.com/a?'), (34, 'https://example.com/a?', 'https://example.com/a?'),
	-- exactly as it came, however odd
	(35, ' HTTPS:\\h\..', ' HTTPS:\\h\..'), (36, 'wss://example.com:/', 'wss://example.com:/'),
	-- the query decoded and encoded again
	(40, 'https://example.com/a?x=it''s', 'https://example.com/a?x=it%27s'), (41, 'https://example.com/a?x=it''s%20(me)', 'https://example.com/a?x=it%27s+(me)'), (42, 'https://example.com:443/a?x=%C3%A9', 'https://example.com/a?x=%c3%a9'),
	(43, 'https://example.com/a?a=&b=c', 'https://example.com/a?a&b=c'), (44, 'https://example.com/a?a=1&a=2&b=3', 'https://example.com/a?a=1&b=3&a=2'), (45, 'https://example.com/a?10=x&a=y', 'https://example.com/a?a=y&10=x'),
	(46, 'https://example.com/a?a=b%26', 'https://example.com/a?&a=b%26&&'), (47, 'https://example.com/a?a=100%25', 'https://example.com/a?a=100%'), (48, 'https://example.com:8443/a?x=''', 'https://example.com:8443/a?x=%27'),
	-- other places
	(60, 'https://example.com/a', 'http://example.com/a'), (61, 'https://example.com/a', 'https://example.org/a'), (62, 'https://example.com/a', 'https://example.com/A'),
	(63, 'https://example.com/a', 'https://example.com/a/'), (64, 'https://example.com/a?b=1', 'https://example.com/a'), (65, 'https://example.com/a', 'https://example.com@evil.example/a')
) v (n, signed, received) ORDER BY n;

-- no URLs
SELECT u, pg_temp.says(u, u) FROM unnest(ARRAY['example.com', '/a', 'ftp://example.com/', 'https:/example.com', 'https://', 'https:///a', 'https://example.com:x/', 'https://example.com:65536/', 'https://[::1/',
	'https://[::1]x/', 'https://user@/', '?', 'h']) WITH ORDINALITY t (u, n) ORDER BY n;
SELECT length(u), pg_temp.says(u, u) FROM (VALUES ('https://example.com/' || repeat('x', 16364)), ('https://example.com/' || repeat('x', 16365))) v (u);

-- forms: names and values sorted as bytes, each pair once, decoded
SELECT form, pg_temp.says('https://example.com/' || signed, 'https://example.com/', form::bytea)
FROM (VALUES
	(1, '', ''), (2, 'b=2&a=1', 'a1b2'), (3, 'a=2&a=1', 'a1a2'), (4, 'a=1&a=1&a=2', 'a1a2'), (5, 'b=2&a=1&B=3&a=', 'B3aa1b2'), (6, 'Body=it%27s+%2B100%25', 'Bodyit''s +100%'),
	(7, 'a=%41%zz%4', 'aA%zz%4'), (8, 'a=b=c', 'ab=c'), (9, '&&a=1&', 'a1'), (10, 'a', 'a'), (11, '=b', 'b'), (12, 'a=1&b=2', 'b2a1'), (13, 'a=1&a=2', 'a1')
) v (n, form, signed) ORDER BY n;
SELECT n, pg_temp.says('https://example.com/', 'https://example.com/', convert_to(rtrim(repeat('a=1&', n), '&'), 'UTF8')) FROM (VALUES (10000), (10001)) v (n);

-- JSON: the body's hash is in the URL
SELECT s.*, c.* FROM platform.sign_twilio_json_webhook('https://example.com/a?b=1#c', '{"x": 1}', 'token') s, platform.check_twilio_webhook(s.signed_url, '{"x": 1}', s.signature, '{token}') c;
SELECT signed_url FROM platform.sign_twilio_json_webhook('https://example.com', '', 'token');
SELECT body, (platform.check_twilio_webhook(s.signed_url, body, s.signature, '{token}')).*
FROM platform.sign_twilio_json_webhook('https://example.com/a', '{"x": 1}', 'token') s, unnest('{"{\"x\": 1}","{\"x\": 2}",""}'::bytea[]) body;
SELECT hash, pg_temp.says('https://example.com/?bodySHA256=' || hash, 'https://example.com/?bodySHA256=' || hash)
FROM unnest(ARRAY['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855', 'e3b0', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&a=b', 'x&bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']) WITH ORDINALITY u (hash, n) ORDER BY n;
-- a hash that is not the query's is part of the form's URL
SELECT pg_temp.says('https://example.com/bodySHA256=x#bodySHA256=ya1', 'https://example.com/bodySHA256=x#bodySHA256=y', 'a=1');

-- refused when signing
SELECT platform.sign_twilio_webhook('example.com', '', 'token');
SELECT platform.sign_twilio_webhook('https://example.com/', convert_to(repeat('a=1&', 10001), 'UTF8'), 'token');
SELECT platform.sign_twilio_json_webhook('https://example.com/?bodySHA256=', '', 'token');
\set VERBOSITY sqlstate
SELECT platform.sign_twilio_webhook('https://example.com/', '', '');
SELECT platform.sign_twilio_webhook(NULL, '', 'token');
SELECT platform.sign_twilio_webhook('https://example.com/', NULL, 'token');
SELECT platform.sign_twilio_webhook('https://example.com/', '', NULL);
SELECT platform.sign_twilio_json_webhook(NULL, '', 'token');
SELECT platform.sign_twilio_json_webhook('https://example.com/', NULL, 'token');
SELECT platform.sign_twilio_json_webhook('https://example.com/', '', NULL);
SELECT platform.sign_twilio_json_webhook('https://example.com/', '', '');
SELECT platform.sign_twilio_json_webhook('nowhere', '', 'token');
\set VERBOSITY default
