-- Signatures, URLs, forms and secrets that were cut, doubled and scrambled are false with a reason: no error, no NULL, no luck
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
-- A text changed at a place, in a way and with a character that the number n decides.
CREATE FUNCTION pg_temp.scrambled(value text, n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE digest[1] % 9
		WHEN 0 THEN left(value, place - 1) || substr(value, place + 1)
		WHEN 1 THEN left(value, place) || letter || substr(value, place + 1)
		WHEN 2 THEN left(value, place - 1) || letter || substr(value, place + 1)
		WHEN 3 THEN left(value, place - 1)
		WHEN 4 THEN substr(value, place + 1)
		WHEN 5 THEN left(value, place) || value
		WHEN 6 THEN repeat(value, digest[4] % 5)
		WHEN 7 THEN translate(value, letter, '')
		WHEN 8 THEN left(value, place) || repeat(letter, digest[4] * 5) || substr(value, place + 1) END
	FROM (SELECT ARRAY(SELECT get_byte(decode(md5(n::text), 'hex'), i) FROM generate_series(0, 5) i) AS digest) d,
		LATERAL (SELECT 1 + digest[2] % greatest(length(value), 1) AS place,
			substr(E' \t\n,.;:=&?#%+-_/\\''"<>[]{}@^|~*()0189aAfFgGvVtTdDzZ' || E'\x01\x7f', 1 + digest[3] % 52, 1) AS letter) l
$$;
CREATE TEMP TABLE valid AS SELECT
	platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'a=1&b=2', '{whsec_c2VjcmV0,whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=}') AS standard,
	platform.sign_stripe_webhook('a=1&b=2', '{s,secret}', to_timestamp(1000000000)) AS stripe,
	platform.sign_twilio_webhook('https://user:pass@example.com:8443/a/b?c=d&e=it''s', 'a=1&b=2', 'secret') AS twilio,
	platform.sign_github_webhook('a=1&b=2', 'secret') AS hub,
	platform.sign_slack_webhook(to_timestamp(1000000000), 'a=1&b=2', 'secret') AS slack,
	platform.sign_retell_webhook('a=1&b=2', 'secret', to_timestamp(1000000000)) AS retell;
\set ECHO all

-- scrambled headers: what is accepted has a signature that was there before
SELECT 'standard' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_standard_webhook('msg_1', '1000000000', 'a=1&b=2', pg_temp.scrambled(standard, n), '{whsec_c2VjcmV0,whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}', to_timestamp(1000000000))
GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
SELECT 'stripe' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_stripe_webhook('a=1&b=2', pg_temp.scrambled(stripe, n), '{secret}', to_timestamp(1000000000))
GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
SELECT 'twilio' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_twilio_webhook('https://user:pass@example.com:8443/a/b?c=d&e=it''s', 'a=1&b=2', pg_temp.scrambled(twilio, n), '{secret}')
WHERE pg_temp.scrambled(twilio, n) <> twilio GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
SELECT 'hub' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_github_webhook('a=1&b=2', pg_temp.scrambled(hub, n), '{secret}')
WHERE lower(pg_temp.scrambled(hub, n)) <> hub GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
SELECT 'slack' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_slack_webhook('1000000000', 'a=1&b=2', pg_temp.scrambled(slack, n), '{secret}', to_timestamp(1000000000))
WHERE lower(pg_temp.scrambled(slack, n)) <> slack GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
SELECT 'retell' AS scheme, reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_retell_webhook('a=1&b=2', pg_temp.scrambled(retell, n), '{secret}', to_timestamp(1000000000))
GROUP BY 1, 2, 3 ORDER BY reason COLLATE "C";
-- with two signatures one may survive, whole; with one none does
SELECT count(*) AS lucky FROM valid, generate_series(1, 700) n, LATERAL (SELECT pg_temp.scrambled(standard, n) AS header) h
WHERE platform.verify_standard_webhook('msg_1', '1000000000', 'a=1&b=2', header, '{whsec_c2VjcmV0,whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}', to_timestamp(1000000000))
	AND NOT EXISTS (SELECT FROM unnest(string_to_array(standard, ' ')) signature WHERE signature = ANY (string_to_array(header, ' ')));
SELECT count(*) AS lucky FROM valid, generate_series(1, 700) n, LATERAL (SELECT pg_temp.scrambled(stripe, n) AS header) h
WHERE platform.verify_stripe_webhook('a=1&b=2', header, '{secret}', to_timestamp(1000000000))
	AND NOT (',' || lower(header) || ',' LIKE '%,' || split_part(stripe, ',', 3) || ',%' AND header LIKE '%t=1000000000%');
SELECT count(*) AS lucky FROM valid, generate_series(1, 700) n, LATERAL (SELECT pg_temp.scrambled(retell, n) AS header) h
WHERE platform.verify_retell_webhook('a=1&b=2', header, '{secret}', to_timestamp(1000000000))
	AND NOT (',' || lower(header) || ',' LIKE '%,' || split_part(retell, ',', 2) || ',%' AND header LIKE '%v=1000000000000%');

-- scrambled URLs, forms, ids, times and secrets
SELECT reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_twilio_webhook(pg_temp.scrambled('https://user:pass@example.com:8443/a/b?c=d&e=it''s', n), 'a=1&b=2', twilio, '{secret}')
GROUP BY 1, 2 ORDER BY reason COLLATE "C";
SELECT reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_twilio_webhook('https://user:pass@example.com:8443/a/b?c=d&e=it''s', pg_temp.scrambled('a=1&b=2', n)::text::bytea, twilio, '{secret}')
WHERE position('\' IN pg_temp.scrambled('a=1&b=2', n)) = 0 GROUP BY 1, 2 ORDER BY reason COLLATE "C";
SELECT reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n,
	platform.check_standard_webhook(pg_temp.scrambled('msg_1', n), pg_temp.scrambled('1000000000', n / 3), 'a=1&b=2', standard, '{whsec_c2VjcmV0}', to_timestamp(1000000000))
WHERE pg_temp.scrambled('msg_1', n) <> 'msg_1' GROUP BY 1, 2 ORDER BY reason COLLATE "C";
SELECT reason, ok, count(*) > 0 AS some FROM valid, generate_series(1, 700) n, LATERAL (SELECT pg_temp.scrambled('whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=', n) AS secret, pg_temp.scrambled('whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', n) AS private) s,
	platform.check_standard_webhook('msg_1', '1000000000', 'a=1&b=2', standard, ARRAY[secret, private], to_timestamp(1000000000))
WHERE left(secret, 47) <> 'whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/' AND left(private, 47) <> 'whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTl' GROUP BY 1, 2 ORDER BY reason COLLATE "C";

-- huge: headers of 2 MB, secrets of 2 MB, bodies of 8 MB, a thousand secrets
SELECT what, (platform.check_standard_webhook('m', '1000000000', '', header, '{c2VjcmV0}', to_timestamp(1000000000))).reason, (platform.check_stripe_webhook('', header, '{s}', to_timestamp(1000000000))).reason AS stripe,
	(platform.check_retell_webhook('', header, '{s}', to_timestamp(1000000000))).reason AS retell, (platform.check_twilio_webhook('https://example.com/', '', header, '{s}')).reason AS twilio,
	(platform.check_meta_webhook('', header, '{s}')).reason AS meta, (platform.check_slack_webhook('1000000000', '', header, '{s}')).reason AS slack
FROM (VALUES ('spaces', repeat(' ', 2000000)), ('commas', repeat(',', 2000000)), ('v1,', repeat('v1, ', 500000)), ('pairs', repeat('t=1,v1=', 300000)), ('letters', repeat('x', 2000000)), ('prefixed', 'sha256=' || repeat('a', 2000000))) v (what, header);
SELECT (platform.check_standard_webhook(repeat('m', 2000000), '1', '', 'v1,', '{c2VjcmV0}')).reason AS id, (platform.check_standard_webhook('m', repeat('1', 2000000), '', standard, '{c2VjcmV0}')).reason AS time,
	(platform.check_twilio_webhook('https://example.com/' || repeat('x', 2000000), '', twilio, '{s}')).reason AS url, (platform.check_twilio_webhook('https://example.com/', convert_to(repeat('&', 2000000), 'UTF8'), twilio, '{s}')).reason AS ampersands,
	(platform.check_twilio_webhook('https://example.com/', convert_to(repeat('a=1&', 500000), 'UTF8'), twilio, '{s}')).reason AS parameters, (platform.check_twilio_webhook('https://example.com/', convert_to('a=' || repeat('%41', 1000000), 'UTF8'), twilio, '{s}')).reason AS value
FROM valid;
SELECT platform.verify_standard_webhook('m', '1000000000', body, platform.sign_standard_webhook('m', to_timestamp(1000000000), body, ARRAY[secret]), ARRAY[secret], to_timestamp(1000000000)) AS symmetric,
	platform.verify_standard_webhook('m', '1000000000', body, platform.sign_standard_webhook('m', to_timestamp(1000000000), body, '{whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=}'), '{whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}', to_timestamp(1000000000)) AS ed25519,
	platform.verify_twilio_webhook('https://example.com/', body, platform.sign_twilio_webhook('https://example.com/', body, secret), ARRAY[secret]) AS twilio
FROM (VALUES (convert_to(repeat('01234567', 1000000), 'UTF8'), 'whsec_' || repeat('QUJD', 500000))) v (body, secret);
SELECT c.* FROM valid, platform.check_standard_webhook('msg_1', '1000000000', 'a=1&b=2', standard, array_fill('b3RoZXI='::text, ARRAY[1000]) || '{c2VjcmV0}', to_timestamp(1000000000)) c;
-- URLs as long as they may be: all characters encoded, a thousand names, dots
SELECT what, (platform.check_twilio_webhook(url, '', twilio, '{s}')).reason FROM valid, (VALUES ('encoded', rpad('https://example.com/?', 16384, '"')), ('names', rpad('https://example.com/?', 16384, 'a=b&c&10=1&')),
	('many names', (SELECT left('https://example.com/?' || string_agg('k' || n || '=', '&'), 16384) FROM generate_series(1, 3000) n)), ('dots', rpad('https://example.com', 16384, '/..')), ('encoded dots', rpad('https://example.com', 16384, '/%2e%2E/a')),
	('user', rpad('https://', 16300, '@:') || 'example.com/'), ('slashes', rpad('https://example.com', 16384, '\/'))) v (what, url);
