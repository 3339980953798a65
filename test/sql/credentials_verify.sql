-- Requests of providers: verified with secrets that stay inside, for accounts in use only.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''56000000-0000-4000-8000-000000000001'''
\set other '''56000000-0000-4000-8000-000000000002'''
\set twilio '''56000000-0000-4000-8000-0000000000a1'''
\set whatsapp '''56000000-0000-4000-8000-0000000000a2'''
\set custom '''56000000-0000-4000-8000-0000000000a3'''
\set nobody '''56000000-0000-4000-8000-00000000dead'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Verify Co'), (:other, 'Other Co');
-- known answers: Twilio's documentation, GitHub's (the scheme of Meta), Standard Webhooks' libraries
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret) VALUES
	(:twilio, :org, 'twilio', 'Twilio', '{"authToken": "12345"}', NULL),
	(:whatsapp, :org, 'whatsapp', 'WhatsApp', '{"appSecret": "It''s a Secret to Everybody"}', NULL),
	(:custom, :org, 'custom', 'Custom', '{}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
\set url '''https://mycompany.com/myapp.php?foo=1&bar=2'''
\set form '''CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212'''
\set signature '''RSOYDt4T1cUTdK1PDd93/VVr8B8='''
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature) AS twilio,
	platform.verify_meta_request(:org, :whatsapp, 'Hello, World!', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17') AS meta,
	platform.verify_integration_request(:org, :custom, '{"test": 2432232314}', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', now => to_timestamp(1614265330)) AS standard;
-- anything else does not fit
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, 'RSOYDt4T1cUTdK1PDd93/VVr8B9=') AS signature,
	platform.verify_twilio_request(:org, :twilio, :url || '3', :form::bytea, :signature) AS url,
	platform.verify_twilio_request(:org, :twilio, :url, (:form || '1')::bytea, :signature) AS body,
	platform.verify_meta_request(:org, :whatsapp, 'Hello, World?', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17') AS meta,
	platform.verify_integration_request(:org, :custom, '{"test": 2432232314}', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330') AS too_old,
	platform.verify_integration_request(:org, :custom, '{"test": 2432232314}', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', now => to_timestamp(1614265330 + 301)) AS late;
-- never null
SELECT platform.verify_twilio_request(:org, :twilio, NULL, NULL, NULL), platform.verify_meta_request(:org, :whatsapp, NULL, NULL), platform.verify_integration_request(:org, :custom, NULL, NULL);
-- an account of another kind has no such secret; one that is not there verifies nothing, nor does another organization's
SELECT platform.verify_twilio_request(:org, :whatsapp, :url, :form::bytea, :signature), platform.verify_meta_request(:org, :twilio, '', ''), platform.verify_twilio_request(:org, :nobody, :url, :form::bytea, :signature),
	platform.verify_twilio_request(:other, :twilio, :url, :form::bytea, :signature);
-- a secret of the account's own, any scheme
SELECT platform.verify_integration_request(:org, :custom, 'body', platform.sign_github_webhook('body', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'), scheme => 'github') AS github,
	platform.verify_integration_request(:org, :custom, 'body', platform.sign_stripe_webhook('body', ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], now()), scheme => 'stripe') AS stripe;
SELECT platform.verify_integration_request(:org, :custom, 'body', 'x', scheme => 'twilio');
SELECT platform.verify_integration_request(:org, :custom, 'body', 'x', scheme => 'none');
SELECT platform.verify_integration_request(:org, :custom, 'body', 'x', scheme => NULL);
-- after a rotation both secrets fit, until the grace period is over
SELECT platform.rotate_integration_secret(:org, :custom) AS new_secret \gset
SELECT platform.sign_standard_webhook('m1', now(), 'body', ARRAY[:'new_secret']) AS by_new, platform.sign_standard_webhook('m1', now(), 'body', ARRAY['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']) AS by_old, floor(extract(epoch FROM now()))::bigint AS sent_at \gset
SELECT platform.verify_integration_request(:org, :custom, 'body', :'by_new', 'm1', :'sent_at') AS new, platform.verify_integration_request(:org, :custom, 'body', :'by_old', 'm1', :'sent_at') AS old;
UPDATE platform.integration_accounts SET previous_webhook_secret_expires_at = clock_timestamp() WHERE id = :custom;
SELECT platform.verify_integration_request(:org, :custom, 'body', :'by_new', 'm1', :'sent_at') AS new, platform.verify_integration_request(:org, :custom, 'body', :'by_old', 'm1', :'sent_at') AS old;
-- switched off, or deleted
UPDATE platform.integration_accounts SET is_active = false WHERE id = :twilio;
UPDATE platform.integration_accounts SET deleted_at = now() WHERE id = :whatsapp;
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature) AS off,
	platform.verify_meta_request(:org, :whatsapp, 'Hello, World!', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17') AS deleted;
UPDATE platform.integration_accounts SET is_active = true WHERE id = :twilio;
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature) AS "on";
-- refused
SELECT platform.verify_twilio_request(NULL, :twilio, :url, :form::bytea, :signature);
SELECT platform.verify_twilio_request(:org, NULL, :url, :form::bytea, :signature);
SELECT platform.verify_meta_request(NULL, :twilio, '', '');
SELECT platform.verify_integration_request(:org, NULL, '', '');
SELECT platform.set_context(:org::uuid, 'boss', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature);
SELECT platform.verify_meta_request(:org, :whatsapp, '', '');
SELECT platform.verify_integration_request(:org, :custom, '', '');
RESET ROLE;
GRANT EXECUTE ON FUNCTION platform.verify_twilio_request TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature);
SELECT platform.verify_twilio_request(:other, :twilio, :url, :form::bytea, :signature);
RESET ROLE;
-- a secret that cannot be decrypted is an error and no "no"
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
UPDATE platform.integration_accounts SET credentials = jsonb_set(credentials, '{authToken,$enc}', to_jsonb(overlay(credentials #>> '{authToken,$enc}' placing 'AAAA' from 60))) WHERE id = :twilio;
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
SELECT platform.verify_twilio_request(:org, :twilio, :url, :form::bytea, :signature);
-- reading is all it does
\set ON_ERROR_ROLLBACK off
SET LOCAL transaction_read_only = on;
SELECT platform.verify_integration_request(:org, :custom, 'body', :'by_new', 'm1', :'sent_at');
ROLLBACK;
