-- HMAC gives the answers of RFC 2202 and RFC 4231; secrets, key pairs and base64url are strict and say why
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- RFC 2202, section 3: HMAC-SHA1
SELECT test, encode(platform.hmac(data, key, 'sha1'), 'hex') = digest AS right
FROM (VALUES
	(1, decode(repeat('0b', 20), 'hex'), 'Hi There'::bytea, 'b617318655057264e28bc0b6fb378c8ef146be00'),
	(2, 'Jefe', 'what do ya want for nothing?', 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'),
	(3, decode(repeat('aa', 20), 'hex'), decode(repeat('dd', 50), 'hex'), '125d7342b9ac11cd91a39af48aa17b4f63f175d3'),
	(4, '\x0102030405060708090a0b0c0d0e0f10111213141516171819', decode(repeat('cd', 50), 'hex'), '4c9007f4026250c6bc8414f9bf50c86c2d7235da'),
	(5, decode(repeat('0c', 20), 'hex'), 'Test With Truncation', '4c1a03424b55e07fe7f27be1d58bb9324a9a5a04'),
	(6, decode(repeat('aa', 80), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First', 'aa4ae5e15272d00e95705637ce8a3b55ed402112'),
	(7, decode(repeat('aa', 80), 'hex'), 'Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data', 'e8e99d0f45237d786d6bbaa7965c7808bbff1a91')
) v (test, key, data, digest);

-- RFC 4231, section 4: HMAC-SHA-256, -384, -512 (case 5: the first 128 bits)
SELECT test, encode(platform.hmac(data, key), 'hex') LIKE sha256 || '%' AS sha256,
	encode(platform.hmac(data, key, 'sha384'), 'hex') LIKE sha384 || '%' AS sha384,
	encode(platform.hmac(data, key, 'SHA512'), 'hex') LIKE sha512 || '%' AS sha512
FROM (VALUES
	(1, decode(repeat('0b', 20), 'hex'), 'Hi There'::bytea,
		'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
		'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
		'87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854'),
	(2, 'Jefe', 'what do ya want for nothing?',
		'5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
		'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
		'164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737'),
	(3, decode(repeat('aa', 20), 'hex'), decode(repeat('dd', 50), 'hex'),
		'773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
		'88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27',
		'fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb'),
	(4, '\x0102030405060708090a0b0c0d0e0f10111213141516171819', decode(repeat('cd', 50), 'hex'),
		'82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
		'3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb',
		'b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd'),
	(5, decode(repeat('0c', 20), 'hex'), 'Test With Truncation',
		'a3b6167473100ee06e0c796c2955552b',
		'3abf34c3503b2a23a46efc619baef897',
		'415fad6271580a531d4179bc891d87a6'),
	(6, decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First',
		'60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
		'4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
		'80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598'),
	(7, decode(repeat('aa', 131), 'hex'), 'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
		'9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
		'6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
		'e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58')
) v (test, key, data, sha256, sha384, sha512);

-- nothing to sign, and a megabyte; the same key again and another in between
SELECT encode(platform.hmac('', 'key'), 'hex');
SELECT encode(platform.hmac(convert_to(repeat('d', 1000000), 'UTF8'), convert_to(repeat('k', 1000000), 'UTF8')), 'hex');
SELECT count(DISTINCT platform.hmac('data', ('key ' || n % 3)::bytea)) FROM generate_series(1, 9) n;

-- null, and what is refused
SELECT platform.hmac(NULL, 'key'), platform.hmac('data', NULL), platform.hmac('data', 'key', NULL);
\set VERBOSITY sqlstate
SELECT platform.hmac('data', '');
SELECT platform.hmac('data', 'key', 'md5');
SELECT platform.hmac('data', 'key', '');
SELECT platform.hmac('data', 'key', 'sha2567');
\set VERBOSITY default
SELECT platform.hmac('data', 'key', 'sha3');

-- comparing: never null
SELECT platform.constant_time_equal('abc', 'abc') AS same, platform.constant_time_equal('', '') AS empty,
	platform.constant_time_equal('abc', 'abd') AS differs, platform.constant_time_equal('abc', 'ab') AS shorter,
	platform.constant_time_equal(NULL, 'abc') AS null_a, platform.constant_time_equal('abc', NULL) AS null_b,
	platform.constant_time_equal(NULL, NULL) AS nulls;
SELECT count(*) FROM generate_series(0, 31) n
WHERE platform.constant_time_equal(decode(repeat('00', 32), 'hex'), set_byte(decode(repeat('00', 32), 'hex'), n, 1));

-- secrets: 32 random bytes, each time others
SELECT platform.generate_secret() ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS usual, platform.generate_secret('') ~ '^[A-Za-z0-9+/]{43}=$' AS bare,
	platform.generate_secret(NULL) ~ '^[A-Za-z0-9+/]{43}=$' AS null_prefix, platform.generate_secret('sk-test_1') ~ '^sk-test_1[A-Za-z0-9+/]{43}=$' AS own;
SELECT count(DISTINCT platform.generate_secret()), count(DISTINCT platform.generate_secret(repeat('p', 32))) FROM generate_series(1, 1000);
\set VERBOSITY sqlstate
SELECT platform.generate_secret('with space');
SELECT platform.generate_secret(repeat('p', 33));
SELECT platform.generate_secret('a+b');
\set VERBOSITY default

-- key pairs
SELECT platform.webhook_public_key('whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=');
SELECT platform.webhook_public_key('whsk_' || replace(encode('TESTSIGNINGKEYDONOTUSETHISFORANY' || decode(repeat('00', 32), 'hex'), 'base64'), E'\n', '')) =
	platform.webhook_public_key('whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=') AS public_half_ignored;
SELECT platform.webhook_public_key(platform.generate_secret('whsk_')) ~ '^whpk_[A-Za-z0-9+/]{43}=$', platform.webhook_public_key(NULL);
SELECT platform.webhook_public_key('whsec_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=');
\set VERBOSITY sqlstate
SELECT platform.webhook_public_key('');
SELECT platform.webhook_public_key('whsk_');
SELECT platform.webhook_public_key('whsk_AAAA');
SELECT platform.webhook_public_key('whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=');
\set VERBOSITY default

-- base64url: RFC 4648, section 10, and its alphabet
SELECT platform.encode_base64url(t::bytea) FROM unnest(ARRAY['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar']) WITH ORDINALITY u (t, n) ORDER BY n;
SELECT platform.decode_base64url(t) FROM unnest(ARRAY['', 'Zg', 'Zm8', 'Zm9v', 'Zm9vYg', '-_8']) WITH ORDINALITY u (t, n) ORDER BY n;
SELECT platform.encode_base64url(NULL), platform.decode_base64url(NULL);
SELECT count(*) FROM generate_series(0, 300) n, LATERAL (SELECT decode(repeat(lpad(to_hex(n * 7 % 256), 2, '0'), n), 'hex') AS b) b
WHERE platform.decode_base64url(platform.encode_base64url(b)) = b
	AND platform.encode_base64url(b) = rtrim(translate(replace(encode(b, 'base64'), E'\n', ''), '+/', '-_'), '=');
SELECT length(platform.decode_base64url(platform.encode_base64url(decode(repeat('ff', 1000000), 'hex'))));
SELECT platform.decode_base64url('c2VjcmV0!');
\set VERBOSITY sqlstate
SELECT platform.decode_base64url('Zg==');
SELECT platform.decode_base64url('A');
SELECT platform.decode_base64url('Zh');
SELECT platform.decode_base64url('Zm9v Zg');
SELECT platform.decode_base64url('+/8');
\set VERBOSITY default

-- members call them, strangers don't
SET ROLE platform_test_member;
SELECT length(platform.hmac('data', 'key')), length(platform.generate_secret());
SET ROLE platform_test_stranger;
SELECT platform.hmac('data', 'key');
RESET ROLE;
