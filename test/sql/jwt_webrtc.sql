-- webrtc_token, twilio_access_token, twilio_voice_grant, turn_credentials: claims, known answers, refusals.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set key '\'\\x6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b\'::bytea'
\set secret '\'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\''
CREATE FUNCTION pg_temp.segment(token text, number integer) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT convert_from(decode(translate(s, '-_', '+/') || repeat('=', (4 - length(s) % 4) % 4), 'base64'), 'UTF8')::jsonb FROM split_part(token, '.', number) AS s $$;

-- a generic token
SELECT pg_temp.segment(t, 1) AS header, pg_temp.segment(t, 2) - 'jti' AS claims, length(pg_temp.segment(t, 2) ->> 'jti') AS jti
FROM platform.webrtc_token(:key, 'alice', now => to_timestamp(1700000000.9)) AS t;
SELECT pg_temp.segment(t, 1) AS header, pg_temp.segment(t, 2) - 'jti' AS claims
FROM platform.webrtc_token(:key, E'Zoë "\\', '90.5 seconds', '{"video": {"room": "a", "roomJoin": true}, "n": 1}', 'me', 'you', 'HS512', to_timestamp(1700000000)) AS t;
SELECT (platform.jwt_verify(platform.webrtc_token(:key, 'a', algorithm => 'EdDSA', issuer => '', audience => '', claims => '{}'), ARRAY[platform.ed25519_public_key(:key)], '{EdDSA}') - 'jti' - 'iat' - 'exp');
SELECT count(DISTINCT pg_temp.segment(platform.webrtc_token(:key, 'a'), 2) ->> 'jti') FROM generate_series(1, 100);
SELECT (c.claims ->> 'exp')::numeric - (c.claims ->> 'iat')::numeric AS ttl, c.reason FROM platform.jwt_check(platform.webrtc_token(:key, 'a'), ARRAY[:key], '{HS256}') AS c;
SELECT platform.webrtc_token(NULL, 'a');
SELECT platform.webrtc_token(:key, NULL);
SELECT platform.webrtc_token(:key, '');
SELECT platform.webrtc_token('\x00', 'a');
SELECT platform.webrtc_token(:key, 'a', NULL);
SELECT platform.webrtc_token(:key, 'a', '0');
SELECT platform.webrtc_token(:key, 'a', '-1 day');
SELECT platform.webrtc_token(:key, 'a', '24:00:01');
SELECT platform.webrtc_token(:key, 'a', '1 month');
SELECT platform.webrtc_token(:key, 'a', claims => '[]');
SELECT platform.webrtc_token(:key, 'a', claims => '{"sub": "b"}');
SELECT platform.webrtc_token(:key, 'a', claims => '{"exp": 1}');
SELECT platform.webrtc_token(:key, 'a', algorithm => 'none');
SELECT platform.webrtc_token(:key, 'a', algorithm => NULL);
SELECT platform.webrtc_token(:key, 'a', now => 'infinity');

-- Twilio's
SELECT platform.twilio_voice_grant();
SELECT platform.twilio_voice_grant('AP1', true, '{"to": "+1"}', 'CR1', 'web');
SELECT platform.twilio_voice_grant('', NULL, NULL, '', '');
SELECT platform.twilio_voice_grant(incoming => true, params => '{}');
SELECT platform.twilio_voice_grant('AP1', params => '[]');
SELECT pg_temp.segment(t, 1) AS header, pg_temp.segment(t, 2) AS claims
FROM platform.twilio_access_token('AC1', 'SK1', :secret, 'alice', platform.twilio_voice_grant('AP1', true), now => to_timestamp(1700000000)) AS t;
SELECT pg_temp.segment(t, 1) AS header, pg_temp.segment(t, 2) AS claims
FROM platform.twilio_access_token('AC1', 'SK1', :secret, 'Zoë', '{"chat": {"service_sid": "IS1"}}' || platform.twilio_voice_grant(), '1 day', 'ie1', to_timestamp(1699999000), 'HS384', to_timestamp(1700000000)) AS t;
SELECT pg_temp.segment(t, 2) AS claims FROM platform.twilio_access_token('AC1', 'SK1', :secret, '7', '{}', now => to_timestamp(0)) AS t;
SELECT platform.twilio_access_token(NULL, 'SK1', :secret, 'a', '{}');
SELECT platform.twilio_access_token('SK1', 'AC1', :secret, 'a', '{}');
SELECT platform.twilio_access_token('AC1', 'AC1', :secret, 'a', '{}');
SELECT platform.twilio_access_token('AC1', 'SK1', NULL, 'a', '{}');
SELECT platform.twilio_access_token('AC1', 'SK1', 'short', 'a', '{}');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, '', '{}');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', NULL);
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '"voice"');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{"identity": "b"}');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{}', '25 hours');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{}', algorithm => 'EdDSA');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{}', not_before => '-infinity');

-- TURN: the base64 is what openssl dgst -sha1 -hmac makes
SELECT * FROM platform.turn_credentials('s3cret', 'alice', now => to_timestamp(1700000000));
SELECT username, credential, expires_at FROM platform.turn_credentials('north', ttl => '10 minutes', now => to_timestamp(1700000000));
SELECT ice_servers FROM platform.turn_credentials('s3cret', 'Zoë', '1 hour', '{turn:turn.example.com:3478,turns:turn.example.com:5349?transport=tcp,stun:stun.example.com}', to_timestamp(1700000000));
SELECT username, ice_servers FROM platform.turn_credentials('s3cret', '', '0.5 seconds', '{}', to_timestamp(1700000000));
SELECT expires_at BETWEEN now() + '1 day' - '1 minute'::interval AND now() + '1 day 1 minute' AS tomorrow FROM platform.turn_credentials('s3cret');
SELECT length(username) FROM platform.turn_credentials('s3cret', repeat('x', 501), now => to_timestamp(1700000000));
SELECT platform.turn_credentials('s3cret', repeat('x', 502), now => to_timestamp(1700000000));
SELECT platform.turn_credentials(NULL, 'a');
SELECT platform.turn_credentials('', 'a');
SELECT platform.turn_credentials('s', 'a', NULL);
SELECT platform.turn_credentials('s', 'a', '0');
SELECT platform.turn_credentials('s', 'a', '366 days');
SELECT platform.turn_credentials('s', 'a', urls => '{turn:a,https://b}');
SELECT platform.turn_credentials('s', 'a', urls => '{NULL}');

-- and back: the moment of the end is too late; no argument raises an error
SELECT t.name, c.*, platform.verify_turn_credentials(t.username, t.credential, t.secrets, t.now) AS verified
FROM (SELECT username, credential FROM platform.turn_credentials('s3cret', 'Zoë:x', '1 hour', now => to_timestamp(1700000000))) AS m (username, credential), LATERAL (VALUES
	('in time', m.username, m.credential, '{s3cret}'::text[], to_timestamp(1700003599.9)), ('at the end', m.username, m.credential, '{s3cret}', to_timestamp(1700003600)),
	('rotated', m.username, m.credential, '{new,NULL,"",s3cret}', to_timestamp(1700000000)), ('another secret', m.username, m.credential, '{new}', to_timestamp(1700000000)),
	('another secret, late', m.username, m.credential, '{new}', to_timestamp(1800000000)),
	('no secret', m.username, m.credential, '{NULL,""}', to_timestamp(1700000000)), ('NULL secrets', m.username, m.credential, NULL, to_timestamp(1700000000)), ('no secrets', m.username, m.credential, '{}', to_timestamp(1700000000)),
	('longer', replace(m.username, '17', '18'), m.credential, '{s3cret}', to_timestamp(1700000000)), ('another user', m.username || 'x', m.credential, '{s3cret}', to_timestamp(1700000000)),
	('no time', 'Zoë', m.credential, '{s3cret}', to_timestamp(1700000000)), ('a time and more', '1700003600x', m.credential, '{s3cret}', to_timestamp(1700000000)), ('a long time', repeat('9', 16), m.credential, '{s3cret}', to_timestamp(1700000000)),
	('a long name', '1700003600:' || repeat('x', 502), m.credential, '{s3cret}', to_timestamp(1700000000)),
	('cut', m.username, left(m.credential, -1), '{s3cret}', to_timestamp(1700000000)), ('short', m.username, left(m.credential, 24), '{s3cret}', to_timestamp(1700000000)), ('no base64', m.username, '!' || substr(m.credential, 2), '{s3cret}', to_timestamp(1700000000)),
	('NULL name', NULL, m.credential, '{s3cret}', to_timestamp(1700000000)), ('NULL credential', m.username, NULL, '{s3cret}', to_timestamp(1700000000)), ('empty', '', '', '{s3cret}', to_timestamp(1700000000))) AS t (name, username, credential, secrets, now),
	LATERAL platform.check_turn_credentials(t.username, t.credential, t.secrets, t.now) AS c;
SELECT platform.verify_turn_credentials(username, credential, '{s3cret}') AS by_the_clock FROM platform.turn_credentials('s3cret');

-- the codes of these errors
\set VERBOSITY sqlstate
SELECT platform.webrtc_token(:key, NULL);
SELECT platform.webrtc_token(:key, 'a', '2 days');
SELECT platform.webrtc_token(:key, 'a', now => 'infinity');
SELECT platform.twilio_access_token('AC1', 'SK1', 'short', 'a', '{}');
SELECT platform.turn_credentials('s', 'a', urls => '{x}');
SELECT platform.turn_credentials('s', 'a', now => '294276-12-31 00:00:00+00');
\set VERBOSITY terse

SET ROLE platform_test_member;
SELECT username FROM platform.turn_credentials('s', 'a', now => to_timestamp(0));
SELECT platform.verify_turn_credentials('0:a', 'x', '{s}'), platform.check_turn_credentials('0:a', 'x', '{s}');
SELECT platform.twilio_voice_grant('AP1');
SELECT length(platform.webrtc_token(:key, 'a')) > 0 AS signed, length(platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{}')) > 0 AS signed_for_twilio;
SET ROLE platform_test_stranger;
SELECT platform.turn_credentials('s', 'a');
SELECT platform.verify_turn_credentials('0:a', 'x', '{s}');
SELECT platform.check_turn_credentials('0:a', 'x', '{s}');
SELECT platform.twilio_voice_grant('AP1');
SELECT platform.webrtc_token(:key, 'a');
SELECT platform.twilio_access_token('AC1', 'SK1', :secret, 'a', '{}');
RESET ROLE;
