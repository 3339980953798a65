-- The examples of doc/jwt.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set VERBOSITY terse
SELECT repeat('0123456789abcdef', 4) AS key \gset
SELECT platform.jwt_sign('{"sub": "alice"}', decode(:'key', 'hex')) AS token \gset
SELECT platform.jwt_verify(:'token', ARRAY[decode(:'key', 'hex')], '{HS256}');
SELECT length(platform.jwt_sign(jsonb_build_object('sub', 'alice', 'exp', floor(extract(epoch FROM now())) + 600),
	decode(:'key', 'hex'), 'HS512', '{"kid": "2024-05"}'));
SELECT platform.jwt_verify(:'token', ARRAY[NULL, decode(:'key', 'hex')], '{HS256,HS512}');
SELECT platform.jwt_verify('x', ARRAY[decode(:'key', 'hex')], '{HS256}');
SELECT * FROM platform.jwt_check(:'token', ARRAY[decode(:'key', 'hex')], '{HS256}', audience => 'billing');
SELECT platform.jwt_verify(platform.jwt_sign('{"sub": "alice"}', decode(:'key', 'hex'), 'EdDSA'),
	ARRAY[platform.ed25519_public_key(decode(:'key', 'hex'))], '{EdDSA}');
SELECT platform.jwt_verify(platform.webrtc_token(decode(:'key', 'hex'), 'alice', '10 minutes',
	'{"video": {"room": "support", "roomJoin": true}}', issuer => 'APIkey'), ARRAY[decode(:'key', 'hex')], '{HS256}') - '{jti,iat,exp}'::text[] AS claims;
SELECT platform.jwt_verify(platform.twilio_access_token('AC0123', 'SK0123', 'the thirty-two bytes of a secret', 'alice',
	platform.twilio_voice_grant('AP0123', incoming => true) || '{"video": {"room": "support"}}'),
	ARRAY['the thirty-two bytes of a secret'::bytea], '{HS256}') - '{jti,iat,exp}'::text[] AS claims;
SELECT username, credential, expires_at
FROM platform.turn_credentials('north', 'alice', '10 minutes', now => '2024-01-01 00:00+00');
SELECT jsonb_path_query_array(ice_servers, '$[*].urls') FROM platform.turn_credentials('north', 'alice', urls => '{turn:turn.example.com:3478}');
SELECT * FROM platform.check_turn_credentials('1704067800:alice', 'i43OhTr4SbvLv42s5MEP5Gcjg/4=', '{new,north}',
	now => '2024-01-01 00:00+00');
