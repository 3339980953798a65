-- Signed webhooks: known answers, rotation, the clock's tolerance, and a reason for everything that is missing or malformed
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- Standard Webhooks: the answers of its libraries
SELECT platform.sign_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', to_timestamp(1614265330), '{"test": 2432232314}',
	ARRAY['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']);
SELECT platform.sign_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', to_timestamp(1614265330), '{"test": 2432232314}',
	ARRAY['whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=']);
SELECT platform.sign_svix_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', to_timestamp(1614265330.999), '{"test": 2432232314}',
	ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']);
SELECT * FROM platform.check_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}',
	'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ARRAY['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], to_timestamp(1614265330));
SELECT * FROM platform.check_svix_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}',
	'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], to_timestamp(1614265330));
SELECT * FROM platform.check_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}',
	'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==',
	ARRAY['whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g='], to_timestamp(1614265330));
-- GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; Meta sends the same
SELECT platform.sign_github_webhook('Hello, World!', 'It''s a Secret to Everybody') = platform.sign_meta_webhook('Hello, World!', 'It''s a Secret to Everybody') AS same,
	platform.sign_github_webhook('Hello, World!', 'It''s a Secret to Everybody');
SELECT * FROM platform.check_github_webhook('Hello, World!', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', ARRAY['It''s a Secret to Everybody']);
SELECT * FROM platform.check_meta_webhook('Hello, World!', 'sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17', ARRAY['It''s a Secret to Everybody']);
-- Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack
SELECT platform.sign_slack_webhook(to_timestamp(1531420618), 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
	'8f742231b10e8888abcd99yyyzzz85a5');
SELECT * FROM platform.check_slack_webhook('1531420618', 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
	'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503', ARRAY['8f742231b10e8888abcd99yyyzzz85a5'], to_timestamp(1531420618));
-- Stripe and Retell, computed by their clients
SELECT platform.sign_stripe_webhook('{"test": 2432232314}', ARRAY['whsec_x'], to_timestamp(1614265330));
SELECT * FROM platform.check_stripe_webhook('{"test": 2432232314}', 't=1614265330,v1=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ecf,v0=ff',
	ARRAY['whsec_x'], to_timestamp(1614265330));
SELECT platform.sign_retell_webhook('{"test": 2432232314}', 'key', to_timestamp(1614265330));
SELECT * FROM platform.check_retell_webhook('{"test": 2432232314}', 'v=1614265330000,d=bbc42fb73037aedd4be9cc39c1839719bb767769650f1ace007f21c606b3ac9f',
	ARRAY['key'], to_timestamp(1614265330));

-- what every scheme signs it verifies; with the clock when no moment is given
SELECT platform.verify_standard_webhook('msg_1', extract(epoch FROM date_trunc('second', now()))::bigint::text, 'body',
	platform.sign_standard_webhook('msg_1', now(), 'body', '{c2VjcmV0}'), '{c2VjcmV0}') AS standard,
	platform.verify_svix_webhook('msg_1', extract(epoch FROM date_trunc('second', now()))::bigint::text, 'body',
	platform.sign_svix_webhook('msg_1', now(), 'body', '{c2VjcmV0}'), '{c2VjcmV0}') AS svix,
	platform.verify_stripe_webhook('body', platform.sign_stripe_webhook('body', '{secret}'), '{secret}') AS stripe,
	platform.verify_meta_webhook('body', platform.sign_meta_webhook('body', 'secret'), '{secret}') AS meta,
	platform.verify_github_webhook('body', platform.sign_github_webhook('body', 'secret'), '{secret}') AS github,
	platform.verify_slack_webhook(extract(epoch FROM date_trunc('second', now()))::bigint::text, 'body',
	platform.sign_slack_webhook(now(), 'body', 'secret'), '{secret}') AS slack,
	platform.verify_retell_webhook('body', platform.sign_retell_webhook('body', 'secret'), '{secret}') AS retell,
	platform.verify_twilio_webhook('https://example.com/', 'Body=x', platform.sign_twilio_webhook('https://example.com/', 'Body=x', 'secret'), '{secret}') AS twilio;

-- rotation: several signatures in the header, several secrets here; the first secret that fits is named
CREATE TEMP TABLE rotation AS SELECT
	'{whsec_b2xk,whsec_bmV3,whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=}'::text[] AS secrets,
	platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'body',
		'{whsec_b2xk,whsec_bmV3,whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=}') AS signature;
SELECT signature FROM rotation;
SELECT tried, c.* FROM rotation, (VALUES ('{whsec_b2xk}'::text[]), ('{whsec_bmV3}'), ('{whsec_b3RoZXI=,whsec_bmV3,whsec_b2xk}'),
	('{whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}'), ('{NULL,"",not base64!,whsec_bmV3}'), ('{whsec_b3RoZXI=}')) v (tried),
	platform.check_standard_webhook('msg_1', '1000000000', 'body', signature, tried, to_timestamp(1000000000)) c;
SELECT c.* FROM platform.check_stripe_webhook('body', platform.sign_stripe_webhook('body', '{old,new}', to_timestamp(1000000000)), '{none,new}', to_timestamp(1000000000)) c;
-- a v1 signature by the bytes of a public key proves nothing: the prefix decides
SELECT reason FROM platform.check_standard_webhook('msg_1', '1000000000', 'body',
	platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'body', '{whsec_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}'),
	'{whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}', to_timestamp(1000000000));
-- secrets as people write them: without padding, with bits that no byte needs
SELECT platform.verify_standard_webhook('msg_1', '1000000000', 'body',
	platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'body', ARRAY['whsec_Zg==']), ARRAY[s], to_timestamp(1000000000))
FROM unnest(ARRAY['whsec_Zg', 'whsec_Zh', 'Zg==', 'Zg', 'whsec_Zg=', 'whsec_Zg===']) WITH ORDINALITY u (s, n) ORDER BY n;

-- 300 seconds either way, no more; Retell counts milliseconds
SELECT seconds,
	(platform.check_standard_webhook('m', '1000000000', '', platform.sign_standard_webhook('m', to_timestamp(1000000000), '', '{c2VjcmV0}'), '{c2VjcmV0}', moment)).reason AS standard,
	(platform.check_svix_webhook('m', '1000000000', '', platform.sign_svix_webhook('m', to_timestamp(1000000000), '', '{c2VjcmV0}'), '{c2VjcmV0}', moment)).reason AS svix,
	(platform.check_stripe_webhook('', platform.sign_stripe_webhook('', '{s}', to_timestamp(1000000000)), '{s}', moment)).reason AS stripe,
	(platform.check_slack_webhook('1000000000', '', platform.sign_slack_webhook(to_timestamp(1000000000), '', 's'), '{s}', moment)).reason AS slack,
	(platform.check_retell_webhook('', platform.sign_retell_webhook('', 's', to_timestamp(1000000000)), '{s}', moment)).reason AS retell
FROM (SELECT n, to_timestamp(1000000000) + make_interval(secs => n) FROM unnest(ARRAY[-301, -300.001, -300, 0, 300, 300.001, 301]) n
	UNION ALL VALUES (-1e9, '-infinity'::timestamptz), (1e9, 'infinity')) v (seconds, moment) ORDER BY seconds;

-- everything that may be missing, in every scheme: false and a reason
SELECT what, s.reason AS standard, x.reason AS svix
FROM (VALUES ('id', NULL, '1000000000', ''::bytea, 'v1,x', '{s}'::text[]), ('empty id', '', '1000000000', '', 'v1,x', '{s}'), ('time', 'm', NULL, '', 'v1,x', '{s}'), ('empty time', 'm', '', '', 'v1,x', '{s}'),
	('body', 'm', '1000000000', NULL, 'v1,x', '{s}'), ('signature', 'm', '1000000000', '', NULL, '{s}'), ('empty signature', 'm', '1000000000', '', '', '{s}'),
	('secrets', 'm', '1000000000', '', 'v1,x', NULL), ('no secrets', 'm', '1000000000', '', 'v1,x', '{}'), ('null secrets', 'm', '1000000000', '', 'v1,x', '{NULL,NULL}'), ('empty secrets', 'm', '1000000000', '', 'v1,x', '{"",""}'),
	('everything', NULL, NULL, NULL, NULL, NULL)) v (what, id, sent_at, body, signature, secrets),
	platform.check_standard_webhook(id, sent_at, body, signature, secrets) s, platform.check_svix_webhook(id, sent_at, body, signature, secrets) x
WHERE NOT s.ok AND NOT x.ok AND s.matched_key IS NULL AND x.matched_key IS NULL
	AND platform.verify_standard_webhook(id, sent_at, body, signature, secrets) IS FALSE AND platform.verify_svix_webhook(id, sent_at, body, signature, secrets) IS FALSE;
SELECT what, s.reason AS stripe, m.reason AS meta, g.reason AS github, r.reason AS retell, l.reason AS slack, t.reason AS twilio
FROM (VALUES ('body', NULL::bytea, 'x', '{s}'::text[]), ('signature', '', NULL, '{s}'), ('empty signature', '', '', '{s}'), ('secrets', '', 'x', NULL), ('no secrets', '', 'x', '{}'),
	('null secrets', '', 'x', '{NULL}'), ('empty secrets', '', 'x', '{""}'), ('everything', NULL, NULL, NULL)) v (what, body, signature, secrets),
	platform.check_stripe_webhook(body, signature, secrets) s, platform.check_meta_webhook(body, signature, secrets) m, platform.check_github_webhook(body, signature, secrets) g,
	platform.check_retell_webhook(body, signature, secrets) r, platform.check_slack_webhook('1000000000', body, signature, secrets) l,
	platform.check_twilio_webhook('https://example.com/', body, signature, secrets) t
WHERE NOT (s.ok OR m.ok OR g.ok OR r.ok OR l.ok OR t.ok) AND coalesce(s.matched_key, m.matched_key, g.matched_key, r.matched_key, l.matched_key, t.matched_key) IS NULL
	AND platform.verify_stripe_webhook(body, signature, secrets) IS FALSE AND platform.verify_meta_webhook(body, signature, secrets) IS FALSE
	AND platform.verify_github_webhook(body, signature, secrets) IS FALSE AND platform.verify_retell_webhook(body, signature, secrets) IS FALSE
	AND platform.verify_slack_webhook('1000000000', body, signature, secrets) IS FALSE AND platform.verify_twilio_webhook('https://example.com/', body, signature, secrets) IS FALSE;
SELECT reason FROM platform.check_slack_webhook(NULL, '', 'v0=', '{s}') UNION ALL SELECT reason FROM platform.check_twilio_webhook(NULL, '', 'x', '{s}')
UNION ALL SELECT reason FROM platform.check_slack_webhook('', '', 'v0=', '{s}') UNION ALL SELECT reason FROM platform.check_twilio_webhook('', '', 'x', '{s}');

-- malformed ids: a full stop would let id.time.body be cut otherwise
SELECT id, (platform.check_standard_webhook(id, '1000000000', '', 'v1,x', '{s}')).reason
FROM unnest(ARRAY['msg.1', 'msg 1', E'msg\t1', E'msg\x7f', 'msg_1']) WITH ORDINALITY u (id, n) ORDER BY n;
SELECT length(id), (platform.check_standard_webhook(id, '1000000000', '', platform.sign_standard_webhook(left(id, 256), to_timestamp(1000000000), '', '{c2VjcmV0}'), '{c2VjcmV0}', to_timestamp(1000000000))).reason
FROM (VALUES (repeat('x', 256)), (repeat('x', 257))) v (id);

-- malformed times: digits and nothing else
SELECT t, (platform.check_standard_webhook('m', t, '', platform.sign_standard_webhook('m', to_timestamp(1000000000), '', '{c2VjcmV0}'), '{c2VjcmV0}', to_timestamp(1000000000))).reason,
	(platform.check_slack_webhook(t, '', platform.sign_slack_webhook(to_timestamp(1000000000), '', 's'), '{s}', to_timestamp(1000000000))).reason AS slack,
	(platform.check_stripe_webhook('', replace(platform.sign_stripe_webhook('', '{s}', to_timestamp(1000000000)), 't=1000000000', 't=' || t), '{s}', to_timestamp(1000000000))).reason AS stripe,
	(platform.check_retell_webhook('', replace(platform.sign_retell_webhook('', 's', to_timestamp(1000000000)), 'v=1000000000000', 'v=' || t || '000'), '{s}', to_timestamp(1000000000))).reason AS retell
FROM unnest(ARRAY['1000000000', '1e9', '1000000000.0', '+1000000000', ' 1000000000', '1000000000 ', '-1', '0x3B9ACA00', '9999999999999999', '999999999999', '0', '01000000000']) WITH ORDINALITY u (t, n) ORDER BY n;

-- malformed signatures
SELECT s, (platform.check_standard_webhook('m', '1000000000', '', s, '{c2VjcmV0}', to_timestamp(1000000000))).reason
FROM unnest(ARRAY['v1', 'v1,', 'v1=g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
	'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=', 'v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1A==',
	'v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ' ', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v2,x  v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ']) WITH ORDINALITY u (s, n) ORDER BY n;
SELECT s, (platform.check_stripe_webhook('', s, '{s}', to_timestamp(1000000000))).reason
FROM unnest(ARRAY['t=1000000000', 'v1=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ecf', 't=1000000000,v1=', 't=1000000000,v0=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ecf',
	't=1000000000,t=1000000000,v1=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ecf', 't=1000000000,v1=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ec', ',,,', '=', 't=1000000000,v1=90b9b29ad458d05bdff329a3e3478804fc1131342a24c5bb54cf300507286ecf']) WITH ORDINALITY u (s, n) ORDER BY n;
SELECT s, (platform.check_meta_webhook('', s, '{s}')).reason AS meta, (platform.check_github_webhook('', s, '{s}')).reason AS github,
	(platform.check_slack_webhook('1000000000', '', s, '{s}', to_timestamp(1000000000))).reason AS slack, (platform.check_retell_webhook('', s, '{s}', to_timestamp(1000000000))).reason AS retell
FROM unnest(ARRAY['sha256=', 'sha1=757107ea0eb2509fc211221cce984b8a37570b6d', 'v0=', '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1x', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
	'v0=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'v=1000000000000,d=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'v=1000000000000', 'd=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17']) WITH ORDINALITY u (s, n) ORDER BY n;
-- at most 32 signatures
SELECT n, (platform.check_standard_webhook('m', '1000000000', '', repeat('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ', n - 1) || platform.sign_standard_webhook('m', to_timestamp(1000000000), '', '{c2VjcmV0}'), '{c2VjcmV0}', to_timestamp(1000000000))).reason
FROM (VALUES (32), (33)) v (n);
-- secrets that are no keys
SELECT s, (platform.check_standard_webhook('m', '1000000000', '', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ARRAY[s], to_timestamp(1000000000))).reason
FROM unnest(ARRAY['whsec_', 'whsec_!', 'secret key', 'A', 'whpk_AAAA', 'whsk_AAAA', 'whpk_', 'whsec_AAAA']) WITH ORDINALITY u (s, n) ORDER BY n;

-- one bit anywhere changes the answer
SELECT count(*) FILTER (WHERE (platform.check_github_webhook(set_byte('Hello, World!', n, get_byte('Hello, World!', n) # 1), 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', ARRAY['It''s a Secret to Everybody'])).reason = 'BAD_SIGNATURE') AS bodies
FROM generate_series(0, 12) n;
SELECT count(*) FILTER (WHERE reason = 'BAD_SIGNATURE') AS signatures FROM generate_series(0, 255) n,
	LATERAL (SELECT decode('757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'hex') AS digest) d,
	platform.check_github_webhook('Hello, World!', 'sha256=' || encode(set_bit(digest, n, 1 - get_bit(digest, n)), 'hex'), ARRAY['It''s a Secret to Everybody']);
SELECT reason FROM platform.check_standard_webhook('msg_2', '1000000000', 'body', platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'body', '{c2VjcmV0}'), '{c2VjcmV0}', to_timestamp(1000000000))
UNION ALL SELECT reason FROM platform.check_standard_webhook('msg_1', '1000000001', 'body', platform.sign_standard_webhook('msg_1', to_timestamp(1000000000), 'body', '{c2VjcmV0}'), '{c2VjcmV0}', to_timestamp(1000000000));

-- bodies are bytes: all of them, none, a megabyte
SELECT count(*) FROM (VALUES ('\x'::bytea), ('\x00'), ('\x00ff0a0d'), (decode(repeat('00ff', 500000), 'hex')), ('\x4772c3bcc39f652ce4b896e7958c20f09f8e89')) v (body)
WHERE platform.verify_standard_webhook('m', '1000000000', body, platform.sign_standard_webhook('m', to_timestamp(1000000000), body, '{c2VjcmV0,whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=}'), '{whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}', to_timestamp(1000000000))
	AND platform.verify_stripe_webhook(body, platform.sign_stripe_webhook(body, '{s}'), '{s}') AND platform.verify_meta_webhook(body, platform.sign_meta_webhook(body, 's'), '{s}')
	AND platform.verify_slack_webhook('1000000000', body, platform.sign_slack_webhook(to_timestamp(1000000000), body, 's'), '{s}', to_timestamp(1000000000)) AND platform.verify_retell_webhook(body, platform.sign_retell_webhook(body, 's'), '{s}');

-- signing refuses what it can't sign
SELECT platform.sign_standard_webhook('msg.1', now(), '', '{c2VjcmV0}');
SELECT platform.sign_standard_webhook('m', now(), '', '{c2VjcmV0,""}');
SELECT platform.sign_standard_webhook('m', now(), '', '{whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=}');
SELECT platform.sign_standard_webhook('m', now(), '', '{not base64}');
SELECT platform.sign_standard_webhook('m', now(), '', '{}');
SELECT platform.sign_stripe_webhook('', '{s}', 'infinity');
SELECT platform.sign_github_webhook('', '');
SELECT platform.sign_github_webhook(NULL, 's');
\set VERBOSITY sqlstate
SELECT platform.sign_standard_webhook('', now(), '', '{c2VjcmV0}');
SELECT platform.sign_standard_webhook(NULL, now(), '', '{c2VjcmV0}');
SELECT platform.sign_standard_webhook('m', NULL, '', '{c2VjcmV0}');
SELECT platform.sign_standard_webhook('m', now(), NULL, '{c2VjcmV0}');
SELECT platform.sign_standard_webhook('m', now(), '', NULL);
SELECT platform.sign_svix_webhook('m', '1960-01-01', '', '{c2VjcmV0}');
SELECT platform.sign_stripe_webhook('', '{NULL}');
SELECT platform.sign_stripe_webhook('', NULL);
SELECT platform.sign_slack_webhook(NULL, '', 's');
SELECT platform.sign_slack_webhook('-infinity', '', 's');
SELECT platform.sign_retell_webhook('', NULL);
SELECT platform.sign_retell_webhook('', '');
SELECT platform.sign_meta_webhook('', NULL);
SELECT platform.sign_meta_webhook('', '');
\set VERBOSITY default

-- whole requests: every scheme by its name, with its headers
SELECT scheme, headers - 'webhook-signature' - 'svix-signature' - 'stripe-signature' - 'x-twilio-signature' - 'x-hub-signature-256' - 'x-slack-signature' - 'x-retell-signature' AS headers, c.*,
	platform.verify_webhook_request(scheme, headers, 'a=1', '{b3RoZXI=,c2VjcmV0}', 'https://example.com/', to_timestamp(1000000000)) AS verified,
	(platform.check_webhook_request(scheme, headers, 'a=2', '{c2VjcmV0}', 'https://example.com/', to_timestamp(1000000000))).reason AS changed,
	(platform.check_webhook_request(scheme, (SELECT jsonb_object_agg(upper(key), value) FROM jsonb_each(headers)), 'a=1', '{c2VjcmV0}', 'https://example.com/', to_timestamp(1000000000))).reason AS upper,
	(platform.check_webhook_request(scheme, '{}', 'a=1', '{c2VjcmV0}', 'https://example.com/', to_timestamp(1000000000))).reason AS without
FROM unnest('{standard,svix,stripe,twilio,meta,github,slack,retell}'::text[]) WITH ORDINALITY u (scheme, n),
	platform.sign_webhook_request(scheme, 'a=1', '{c2VjcmV0}', 'msg_1', 'https://example.com/', to_timestamp(1000000000)) headers,
	platform.check_webhook_request(scheme, headers, 'a=1', '{b3RoZXI=,c2VjcmV0}', 'https://example.com/', to_timestamp(1000000000)) c ORDER BY n;
SELECT (platform.check_webhook_request('svix', platform.sign_webhook_request('standard', '', '{c2VjcmV0}', 'msg_1'), '', '{c2VjcmV0}')).reason AS svix_by_standard_names,
	(platform.check_webhook_request('standard', platform.sign_webhook_request('svix', '', '{c2VjcmV0}', 'msg_1'), '', '{c2VjcmV0}')).reason AS standard_by_svix_names;
SELECT platform.sign_webhook_request('standard', '', '{c2VjcmV0}', E'"\\', sent_at => to_timestamp(1000000000)) ->> 'webhook-id' AS id;
SELECT headers, (platform.check_webhook_request('github', headers::jsonb, '', '{s}')).reason
FROM unnest(ARRAY[NULL, 'null', '[]', '"x-hub-signature-256"', '{}', '{"x-hub-signature-256": null}', '{"x-hub-signature-256": 1}', '{"x-hub-signature-256": ["sha256=0"]}', '{"a": {"x-hub-signature-256": "sha256=0"}}', '{"x-hub-signature-256": ""}', '{"x-hub-signature-256": "x"}']) WITH ORDINALITY u (headers, n) ORDER BY n;
SELECT scheme, (platform.check_webhook_request(scheme, '{}', '', '{s}')).*, platform.verify_webhook_request(scheme, '{}', '', '{s}') FROM unnest(ARRAY[NULL, '', 'Standard', 'paypal']) WITH ORDINALITY u (scheme, n) ORDER BY n;
SELECT (platform.check_webhook_request(NULL, NULL, NULL, NULL)).*, platform.verify_webhook_request('stripe', NULL, NULL, NULL), (platform.check_webhook_request('twilio', '{"x-twilio-signature": "x"}', '', '{s}')).reason;
SELECT platform.sign_webhook_request('paypal', '', '{s}');
\set VERBOSITY sqlstate
SELECT platform.sign_webhook_request(NULL, '', '{s}');
SELECT platform.sign_webhook_request('github', NULL, '{s}');
SELECT platform.sign_webhook_request('github', '', NULL);
SELECT platform.sign_webhook_request('github', '', '{}');
SELECT platform.sign_webhook_request('github', '', '{NULL}');
SELECT platform.sign_webhook_request('standard', '', '{c2VjcmV0}');
SELECT platform.sign_webhook_request('twilio', '', '{s}');
SELECT platform.sign_webhook_request('stripe', '', '{s}', sent_at => 'infinity');
\set VERBOSITY default

-- Meta's question whether a webhook is ours
SELECT mode, token, tokens, platform.meta_challenge(mode, token, challenge, tokens)
FROM (VALUES (1, 'subscribe', 'ours', '42', '{ours}'::text[]), (2, 'subscribe', 'ours', '42', '{old,ours}'), (3, 'subscribe', 'theirs', '42', '{ours}'), (4, 'subscribe', 'our', '42', '{ours}'), (5, 'unsubscribe', 'ours', '42', '{ours}'),
	(6, 'Subscribe', 'ours', '42', '{ours}'), (7, NULL, 'ours', '42', '{ours}'), (8, 'subscribe', NULL, '42', '{NULL}'), (9, 'subscribe', '', '42', '{""}'), (10, 'subscribe', 'ours', NULL, '{ours}'), (11, 'subscribe', 'ours', '42', NULL), (12, 'subscribe', 'ours', '', '{ours}')) v (n, mode, token, challenge, tokens) ORDER BY n;
