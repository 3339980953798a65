-- The examples of the page about signed webhooks
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

SELECT platform.verify_github_webhook('Hello, World!',
	'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', ARRAY['It''s a Secret to Everybody']);   -- true

SELECT platform.sign_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', to_timestamp(1614265330), '{"test": 2432232314}',
	ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']);                     -- v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
SELECT * FROM platform.check_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}',
	'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
	now => to_timestamp(1614265400));                                     -- true, VALID, 1
SELECT * FROM platform.check_standard_webhook('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}',
	'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
	now => to_timestamp(1614265631));                                     -- false, TOO_OLD

SELECT c.* FROM platform.check_standard_webhook('msg_1', '1614265330', 'body',
	platform.sign_standard_webhook('msg_1', to_timestamp(1614265330), 'body', ARRAY['whsec_bmV3', 'whsec_b2xk']),
	ARRAY['whsec_b2xk'], now => to_timestamp(1614265330)) c;             -- true, VALID, 1

SELECT platform.verify_stripe_webhook('{"id": "evt_1"}', platform.sign_stripe_webhook('{"id": "evt_1"}', ARRAY['whsec_test']),
	ARRAY['whsec_test']);                                                 -- true

SELECT * FROM platform.check_twilio_webhook('https://mycompany.com/myapp.php?foo=1&bar=2',
	'Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE',
	'RSOYDt4T1cUTdK1PDd93/VVr8B8=', ARRAY['12345']);                      -- true, VALID, 1
SELECT v.* FROM platform.sign_twilio_json_webhook('https://example.com/events', '{"ok": true}', '12345') s,
	platform.check_twilio_webhook(s.signed_url, '{"ok": false}', s.signature, ARRAY['12345']) v;   -- false, BODY_MISMATCH

SELECT platform.verify_meta_webhook('{}', platform.sign_meta_webhook('{}', 'app secret'), ARRAY['new secret', 'app secret']) AS meta,
	platform.verify_slack_webhook('1531420618', 'a=b', platform.sign_slack_webhook(to_timestamp(1531420618), 'a=b', 's'),
		ARRAY['s'], now => to_timestamp(1531420700)) AS slack,
	platform.verify_retell_webhook('{}', platform.sign_retell_webhook('{}', 'key'), ARRAY['key']) AS retell;   -- all true

SELECT platform.meta_challenge('subscribe', 'our token', '1158201444', ARRAY['our token']);   -- 1158201444

SELECT platform.sign_webhook_request('standard', '{}', ARRAY['whsec_c2VjcmV0'], id => 'msg_1', sent_at => to_timestamp(1614265330)) AS headers \gset
SELECT jsonb_object_keys(:'headers') ORDER BY 1;                          -- webhook-id, webhook-signature, webhook-timestamp
SELECT * FROM platform.check_webhook_request('standard', :'headers', '{}', ARRAY['whsec_c2VjcmV0'],
	now => to_timestamp(1614265330));                                     -- true, VALID, 1
SELECT * FROM platform.check_webhook_request('github', '{"X-Hub-Signature-256": "sha256=0"}', '{}', ARRAY['s']);   -- false, MALFORMED_SIGNATURE

SELECT platform.webhook_public_key('whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=');   -- whpk_ZlN4eg7d...
SELECT platform.generate_secret() LIKE 'whsec_%';

SELECT platform.encode_base64url(payload) || '.' || platform.encode_base64url(platform.hmac(payload, 'key')) AS state
FROM (VALUES ('{"user": 7}'::bytea)) v (payload) \gset
SELECT convert_from(platform.decode_base64url(split_part(:'state', '.', 1)), 'UTF8') AS payload,
	platform.constant_time_equal(platform.decode_base64url(split_part(:'state', '.', 2)),
		platform.hmac(platform.decode_base64url(split_part(:'state', '.', 1)), 'key')) AS genuine;   -- {"user": 7}, true
