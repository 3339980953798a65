-- jwt_sign, jwt_verify, jwt_check: known answers of RFC 7515, 7519 and 8037; what is refused, and with which reason.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set key '\'\\x6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b\'::bytea'
\set other '\'\\x6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f\'::bytea'
CREATE FUNCTION pg_temp.bytes(base64url text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT decode(translate(base64url, '-_', '+/') || repeat('=', (4 - length(base64url) % 4) % 4), 'base64') $$;
CREATE FUNCTION pg_temp.segment(content text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT rtrim(translate(replace(encode(convert_to(content, 'UTF8'), 'base64'), E'\n', ''), '+/', '-_'), '=') $$;
-- RFC 7515, appendix A.1, which is RFC 7519, section 3.1
\set rfc7515 '\'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\''
\set rfc7515_key 'pg_temp.bytes(\'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\')'
SELECT * FROM platform.jwt_check(:rfc7515, ARRAY[:rfc7515_key], '{HS256}', issuer => 'joe', now => to_timestamp(1300819379));
SELECT * FROM platform.jwt_check(:rfc7515, ARRAY[:rfc7515_key], '{HS256}', issuer => 'joe');
-- RFC 8037, appendix A: the signature holds, but this payload is no JSON
\set rfc8037 '\'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg\''
\set private 'pg_temp.bytes(\'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\')'
SELECT pg_temp.bytes('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo') = platform.ed25519_public_key(:private) AS is_public_key;
SELECT reason FROM platform.jwt_check(:rfc8037, ARRAY[platform.ed25519_public_key(:private)], '{EdDSA}');
SELECT reason FROM platform.jwt_check(replace(:rfc8037, 'RXh', 'RXi'), ARRAY[platform.ed25519_public_key(:private)], '{EdDSA}');

-- what is signed can be read, whoever signed it
SELECT split_part(token, '.', 1) AS header, convert_from(pg_temp.bytes(split_part(token, '.', 2)), 'UTF8') AS payload, length(split_part(token, '.', 3)) AS signature
FROM platform.jwt_sign('{"sub": "Zoë", "exp": 1.5e9, "n": 12345678901234567890.10}', :key) AS token;
SELECT a.algorithm, convert_from(pg_temp.bytes(split_part(t.token, '.', 1)), 'UTF8') AS header, length(split_part(t.token, '.', 3)) AS signature, c.valid, c.matched_key, c.claims
FROM (VALUES ('HS256'), ('HS384'), ('HS512')) AS a (algorithm),
	LATERAL (SELECT platform.jwt_sign('{"sub": "Zoë", "n": 12345678901234567890.10}', :key, a.algorithm, '{"kid": "k1", "typ": "at+jwt"}')) AS t (token),
	LATERAL platform.jwt_check(t.token, ARRAY[:other, NULL, ''::bytea, :key], ARRAY[a.algorithm]) AS c;
SELECT platform.jwt_verify(platform.jwt_sign('{}', :private, 'EdDSA'), ARRAY[:key, platform.ed25519_public_key(:private)], '{EdDSA}');
SELECT platform.jwt_verify(platform.jwt_sign('{"a": {"b": [null, true, "\\\n\u00e9", -0.5]}}', :key, 'HS512', '{}'), ARRAY[:key], '{HS256,HS384,HS512}');
-- 1 MB
SELECT length(platform.jwt_verify(platform.jwt_sign(jsonb_build_object('text', repeat('é', 524288)), :key), ARRAY[:key], '{HS256}') ->> 'text');

-- the algorithm is the caller's, never the header's
SELECT a.signed, a.accepted, c.reason
FROM (VALUES ('HS256', 'HS384'), ('HS512', 'HS256'), ('EdDSA', 'HS256'), ('HS256', 'EdDSA')) AS a (signed, accepted),
	LATERAL platform.jwt_check(platform.jwt_sign('{}', :key, a.signed), ARRAY[:key, platform.ed25519_public_key(:key)], ARRAY[a.accepted]) AS c;
-- a public key is no secret
SELECT platform.jwt_check(platform.jwt_sign('{}', platform.ed25519_public_key(:private)), ARRAY[platform.ed25519_public_key(:private)], '{EdDSA,HS256}');

-- times, with the leeway; issuer and audience
SELECT t.claims, t.leeway, c.reason
FROM (VALUES
	('{"exp": 1000}', 0, 999), ('{"exp": 1000}', 0, 1000), ('{"exp": 1000}', 60, 1059), ('{"exp": 1000}', 60, 1060),
	('{"exp": 1000.5}', 0, 1000), ('{"nbf": 1000}', 0, 1000), ('{"nbf": 1000}', 0, 999), ('{"nbf": 1000}', 60, 940), ('{"nbf": 1000}', 60, 939),
	('{"nbf": 1000, "exp": 900}', 0, 950), ('{"iat": 5000}', 0, 1), ('{"exp": -1e300}', 60, 0), ('{"exp": 1e300}', 60, 0)) AS t (claims, leeway, now),
	LATERAL platform.jwt_check(platform.jwt_sign(t.claims::jsonb, :key), ARRAY[:key], '{HS256}', leeway => make_interval(secs => t.leeway), now => to_timestamp(t.now)) AS c;
SELECT platform.jwt_check(platform.jwt_sign('{"exp": 1}', :key), ARRAY[:key], '{HS256}', now => 'infinity');
SELECT platform.jwt_check(platform.jwt_sign('{"nbf": 1}', :key), ARRAY[:key], '{HS256}', now => '-infinity');
SELECT t.claims, c.reason
FROM (VALUES ('{"iss": "me", "aud": "you"}'), ('{"iss": "me", "aud": ["he", "you"]}'), ('{"iss": "me", "aud": []}'), ('{"iss": "me", "aud": "YOU"}'),
	('{"iss": "me", "aud": {"you": 1}}'), ('{"iss": "me"}'), ('{"aud": "you"}'), ('{"iss": ["me"], "aud": "you"}'), ('{"iss": null, "aud": "you"}')) AS t (claims),
	LATERAL platform.jwt_check(platform.jwt_sign(t.claims::jsonb, :key), ARRAY[:key], '{HS256}', 'you', 'me') AS c;

-- every byte of a token counts
SELECT c.reason, count(*)
FROM platform.jwt_sign('{"sub": "somebody"}', :key) AS token, generate_series(1, length(token)) AS i,
	LATERAL platform.jwt_check(overlay(token PLACING CASE substr(token, i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i FOR 1), ARRAY[:key], '{HS256}') AS c
GROUP BY 1 ORDER BY 1;
SELECT t.name, c.valid, c.reason, c.matched_key, c.claims
FROM (SELECT platform.jwt_sign('{}', :key)) AS s (token), LATERAL (VALUES
	('as signed', s.token), ('null', NULL), ('empty', ''), ('no dot', 'x'), ('two segments', 'e30.e30'), ('four segments', s.token || '.e30'), ('no signature', replace(s.token, split_part(s.token, '.', 3), '')),
	('no payload', split_part(s.token, '.', 1) || '..' || split_part(s.token, '.', 3)),
	('padding', s.token || '='), ('white space', s.token || E'\n'), ('base64, not url', 'eyJ+/9.' || s.token),
	('header is no object', pg_temp.segment('[]') || '.e30.AAAA'), ('alg is missing', pg_temp.segment('{}') || '.e30.AAAA'), ('alg twice', pg_temp.segment('{"alg":"HS256","alg":"HS256"}') || '.e30.AAAA'),
	('alg twice, once escaped', pg_temp.segment('{"alg":"HS256","\u0061lg":"HS256"}') || '.e30.AAAA'), ('kid is no text', pg_temp.segment('{"alg":"HS256","kid":1}') || '.e30.AAAA'),
	('none', pg_temp.segment('{"alg":"none"}') || '.e30.AAAA'), ('None', pg_temp.segment('{"alg":"None"}') || '.e30.AAAA'), ('RS256', pg_temp.segment('{"alg":"RS256"}') || '.e30.AAAA'),
	('crit', pg_temp.segment('{"alg":"HS256","crit":["exp"],"exp":1}') || '.e30.AAAA'), ('crit null', pg_temp.segment('{"alg":"HS256","crit":null}') || '.e30.AAAA'), ('b64', pg_temp.segment('{"alg":"HS256","crit":["b64"],"b64":false}') || '.e30.AAAA')) AS t (name, token),
	LATERAL platform.jwt_check(t.token, ARRAY[:key], '{HS256}') AS c;
-- payloads that only the holder of a key can sign
SELECT t.name, c.reason FROM (VALUES
	('member twice', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoxLCJhIjoyfQ.TJb0xIeqOAP7XF6lr8aD8oDCNfrvzHKsUzpZsrhVTFU'),
	('member twice, escaped', 'eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEsIlx1MDA2NXhwIjo5OTk5OTk5OTk5fQ.KFiIuE0AWaiy_Qd2mW1ovPVPulQYkFBjSEZlQs5T6Fo'),
	('member twice, nested', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjp7ImIiOjEsImIiOjJ9fQ.jAfX89-VB6IZ2KPgQgWTGZMXiSk-ZdhiYJPFi2PEFCg'),
	('array', 'eyJhbGciOiJIUzI1NiJ9.W10.Q06bnAGbo4yZapXnSaVmskMjkyKGDl5XwEGMHQ3jFss'),
	('text', 'eyJhbGciOiJIUzI1NiJ9.Ingi.JvxI6tkWR5y7eI9Pzq7-UgF8WK2OjYP77GP1uSmuxro'),
	('null', 'eyJhbGciOiJIUzI1NiJ9.bnVsbA.W2h5tcfUtceF5pcx3NGQ-2GJLcAgVNXHtRPO1D2FQbM'),
	('cut', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjox.pUnEq56dtVbqt7HgishvAx7cCiOAZkAF42ILOfWa354'),
	('more after it', 'eyJhbGciOiJIUzI1NiJ9.e30ge30.zfC0Q-mMMD6QDTNUzEK7O2LI_H-WC3djHEhKktAyqdk'),
	('not UTF-8', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoi_yJ9.yjSlc0t_SpZ8u7tsIUc-cMh41X0bB9m6I6Ay0wbO08o'),
	('half a surrogate pair', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoiXHVkODAwIn0.0uCX1GnlWqDe2CKDNv5nXxYXEkUQ1R2qyQ-yPNgSSlA'),
	('U+0000', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoiXHUwMDAwIn0.V1v2oCGjOZwG5XPh8S_qvnxObgBs4J0az0Lxkj--VsI'),
	('exp is text', 'eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiI5OTk5OTk5OTk5In0.oT7Zv7OV3p4ZElT-me2UeGpbKotPZUnzynAhC7f88HI'),
	('exp is null', 'eyJhbGciOiJIUzI1NiJ9.eyJleHAiOm51bGx9.oXbCyJvQ4zlUleLjT6WETTxePh1NDLkrH-4_g2vwNv0'),
	('nbf is text', 'eyJhbGciOiJIUzI1NiJ9.eyJuYmYiOiIxIn0.JFd-Q6zHsQ1Ta59xKsKvHhUd-y6gpHnFkOr44XElwj4'),
	('nbf is null', 'eyJhbGciOiJIUzI1NiJ9.eyJuYmYiOm51bGx9.1h4RqwhVk6IcAG8YTJNg3vG8___t2iUzcwTw2sCOHvw'),
	('iat is text', 'eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOiIxIn0.XYGx4vmeYAVKiZVIe9v2I1rAs1qJGU8n6WCGCMGhrWk'),
	('iat is null', 'eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOm51bGx9.FiE9rb3DqnwF2tdyh5ActYPgqXvq2N5cMsfJ6lMUF7I'),
	('number beyond double precision', 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoxZTQwMH0.adXssTVlVTJh5o1japrVR-278_T9uQXO5GjOqA1MMz4')) AS t (name, token),
	LATERAL platform.jwt_check(t.token, ARRAY[:key], '{HS256}') AS c;
-- integers beyond 64 bits are numbers; one beyond numeric is an error
SELECT platform.jwt_verify('eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwLCJ4IjoxLjEwfQ.PQ7bkVJoZ2yiK2z0hzLVn1pjBChTLl5xCucrsqooyi8', ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify('eyJhbGciOiJIUzI1NiJ9.eyJhIjoxZS05OTk5OTl9.VAVQy1NIAdxsZAGD9KsGyG--YCUrJr-q9cWEUs-i6j4', ARRAY[:key], '{HS256}');

-- keys that match nothing
SELECT k.name, c.reason FROM (VALUES ('null', NULL::bytea[]), ('none', '{}'), ('of null', '{NULL}'), ('empty', '{""}'), ('of another', ARRAY[:other])) AS k (name, keys),
	LATERAL platform.jwt_check(platform.jwt_sign('{}', :key), k.keys, '{HS256}') AS c;
SELECT reason FROM platform.jwt_check(platform.jwt_sign('{}', :key, 'EdDSA'), ARRAY['\x01'::bytea, :key || :key], '{EdDSA}');
-- keys on the first and on the last place
SELECT c.matched_key FROM (VALUES (ARRAY[:key, :other]), (ARRAY[:other, :key]), (ARRAY[:key, :key])) AS k (keys), LATERAL platform.jwt_check(platform.jwt_sign('{}', :key), k.keys, '{HS256,HS512}') AS c;

-- jwt_verify raises what jwt_check tells
SELECT platform.jwt_verify(NULL, ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify('x', ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{}', :key), ARRAY[:other], '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{}', :key), ARRAY[:other], '{HS512}');
SELECT platform.jwt_verify(platform.jwt_sign('{}', :key), NULL, '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{"exp": 1}', :key), ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{"nbf": 1e12}', :key), ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{}', :key), ARRAY[:key], '{HS256}', audience => 'you');
SELECT platform.jwt_verify(platform.jwt_sign('{}', :key), ARRAY[:key], '{HS256}', issuer => 'me');
-- arguments
SELECT platform.jwt_check('x', ARRAY[:key], NULL);
SELECT platform.jwt_check('x', ARRAY[:key], '{}');
SELECT platform.jwt_check('x', ARRAY[:key], '{NULL}');
SELECT platform.jwt_check('x', ARRAY[:key], '{none}');
SELECT platform.jwt_check('x', ARRAY[:key], '{hs256}');
SELECT platform.jwt_check('x', ARRAY[:key], '{RS256}');
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256}', leeway => NULL);
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256}', leeway => '-1 second');
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256}', leeway => '8 days');
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256}', leeway => '1 month');
SELECT platform.jwt_sign(NULL, :key);
SELECT platform.jwt_sign('{}', NULL);
SELECT platform.jwt_sign('{}', :key, NULL);
SELECT platform.jwt_sign('{}', :key, 'none');
SELECT platform.jwt_sign('{}', :key, 'RS256');
SELECT platform.jwt_sign('[]', :key);
SELECT platform.jwt_sign('null', :key);
SELECT platform.jwt_sign('{"exp": "1"}', :key);
SELECT platform.jwt_sign('{"nbf": null}', :key);
SELECT platform.jwt_sign('{"iat": true}', :key);
SELECT platform.jwt_sign('{}', :key, header => '[]');
SELECT platform.jwt_sign('{}', :key, header => '{"alg": "none"}');
SELECT platform.jwt_sign('{}', :key, header => '{"crit": []}');
SELECT platform.jwt_sign('{}', substr(:key, 1, 31));
SELECT platform.jwt_sign('{}', '', 'HS512');
SELECT platform.jwt_sign('{}', :key || :key, 'EdDSA');
SELECT platform.ed25519_public_key(NULL) IS NULL AS null_for_null;
SELECT platform.ed25519_public_key('\x00');

-- the codes of these errors
\set VERBOSITY sqlstate
SELECT platform.jwt_verify('x', ARRAY[:key], '{HS256}');
SELECT platform.jwt_verify(platform.jwt_sign('{"exp": 1}', :key), ARRAY[:key], '{HS256}');
SELECT platform.jwt_check('x', ARRAY[:key], '{none}');
SELECT platform.jwt_check('x', ARRAY[:key], NULL);
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256,EdDSA}');
SELECT platform.jwt_sign('{"exp": "1"}', :key);
SELECT platform.jwt_sign('{}', '');
\set VERBOSITY terse

SET ROLE platform_test_member;
SELECT platform.jwt_verify(platform.jwt_sign('{"sub": "a"}', :key), ARRAY[:key], '{HS256}');
SELECT valid FROM platform.jwt_check(platform.jwt_sign('{}', :key), ARRAY[:key], '{HS256}');
SELECT length(platform.ed25519_public_key(:key));
SET ROLE platform_test_stranger;
SELECT platform.jwt_sign('{}', :key);
SELECT platform.jwt_verify('x', ARRAY[:key], '{HS256}');
SELECT platform.jwt_check('x', ARRAY[:key], '{HS256}');
SELECT platform.ed25519_public_key(:key);
RESET ROLE;
