-- signing: HMAC, secrets, base64url

CREATE OR REPLACE FUNCTION platform.hmac(data bytea, key bytea, algorithm text DEFAULT 'sha256') RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_hmac';
COMMENT ON FUNCTION platform.hmac(bytea, bytea, text) IS
	'HMAC (RFC 2104) with sha1, sha256, sha384 or sha512. NULL for NULL. Errors: 22023 another algorithm or an empty key.';
INSERT INTO platform.member_privileges VALUES ('function', 'hmac(bytea, bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.constant_time_equal(a bytea, b bytea) RETURNS boolean
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_constant_time_equal';
COMMENT ON FUNCTION platform.constant_time_equal(bytea, bytea) IS
	'Are they the same, in a time that tells only whether their lengths are? False when one is NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'constant_time_equal(bytea, bytea)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.generate_secret(prefix text DEFAULT 'whsec_') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_generate_secret';
COMMENT ON FUNCTION platform.generate_secret(text) IS
	'The prefix and 32 random bytes in base64: whsec_ a secret for Standard Webhooks, whsk_ an Ed25519 private key. NULL: no prefix. Errors: 22023 for a prefix of other than up to 32 letters, digits, hyphens and underscores.';
INSERT INTO platform.member_privileges VALUES ('function', 'generate_secret(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.webhook_public_key(private_key text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_webhook_public_key';
COMMENT ON FUNCTION platform.webhook_public_key(text) IS
	'The key whpk_... that verifies what the private key whsk_... signs. NULL for NULL. Errors: 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'webhook_public_key(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.encode_base64url(data bytea) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_encode_base64url';
COMMENT ON FUNCTION platform.encode_base64url(bytea) IS
	'base64url without padding (RFC 4648). NULL for NULL. Errors: 54000 too long.';
INSERT INTO platform.member_privileges VALUES ('function', 'encode_base64url(bytea)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.decode_base64url(value text) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_decode_base64url';
COMMENT ON FUNCTION platform.decode_base64url(text) IS
	'The bytes of a base64url text: no padding, white space or stray bits. NULL for NULL. Errors: 22023, without the text.';
INSERT INTO platform.member_privileges VALUES ('function', 'decode_base64url(text)', 'EXECUTE');

-- signing: Standard Webhooks

CREATE OR REPLACE FUNCTION platform.sign_standard_webhook(id text, sent_at timestamptz, body bytea, secrets text[]) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_standard_webhook';
COMMENT ON FUNCTION platform.sign_standard_webhook(text, timestamptz, bytea, text[]) IS
	'The header webhook-signature of Standard Webhooks: a v1 signature for each secret whsec_..., v1a for each whsk_.... sent_at is the header webhook-timestamp, in seconds. Errors: 22004; 22023 a secret that is none, an id that is not printable ASCII without a full stop.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_standard_webhook(text, timestamptz, bytea, text[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_standard_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_standard_webhook';
COMMENT ON FUNCTION platform.verify_standard_webhook(text, text, bytea, text, text[], timestamptz) IS
	'Did a holder of one of the secrets (whsec_..., whpk_...) sign the request within 300 s of now (NULL: the clock)? id, sent_at, signature: headers webhook-id, webhook-timestamp, webhook-signature. Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_standard_webhook(text, text, bytea, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_standard_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_standard_webhook';
COMMENT ON FUNCTION platform.check_standard_webhook(text, text, bytea, text, text[], timestamptz) IS
	'As verify_standard_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_standard_webhook(text, text, bytea, text, text[], timestamptz)', 'EXECUTE');

-- signing: Svix

CREATE OR REPLACE FUNCTION platform.sign_svix_webhook(id text, sent_at timestamptz, body bytea, secrets text[]) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_svix_webhook';
COMMENT ON FUNCTION platform.sign_svix_webhook(text, timestamptz, bytea, text[]) IS
	'As sign_standard_webhook(), for the headers svix-id, svix-timestamp and svix-signature. Errors: 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_svix_webhook(text, timestamptz, bytea, text[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_svix_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_svix_webhook';
COMMENT ON FUNCTION platform.verify_svix_webhook(text, text, bytea, text, text[], timestamptz) IS
	'As verify_standard_webhook(), of the headers svix-id, svix-timestamp and svix-signature. Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_svix_webhook(text, text, bytea, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_svix_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_svix_webhook';
COMMENT ON FUNCTION platform.check_svix_webhook(text, text, bytea, text, text[], timestamptz) IS
	'As verify_svix_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_svix_webhook(text, text, bytea, text, text[], timestamptz)', 'EXECUTE');

-- signing: Stripe

CREATE OR REPLACE FUNCTION platform.sign_stripe_webhook(body bytea, secrets text[], sent_at timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_stripe_webhook';
COMMENT ON FUNCTION platform.sign_stripe_webhook(bytea, text[], timestamptz) IS
	'The header Stripe-Signature, with a signature for each secret. sent_at NULL: the clock. Errors: 22004; 22023 an empty secret.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_stripe_webhook(bytea, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_stripe_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_stripe_webhook';
COMMENT ON FUNCTION platform.verify_stripe_webhook(bytea, text, text[], timestamptz) IS
	'Does the header Stripe-Signature fit the body and one of the secrets, within 300 s of now (NULL: the clock)? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_stripe_webhook(bytea, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_stripe_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_stripe_webhook';
COMMENT ON FUNCTION platform.check_stripe_webhook(bytea, text, text[], timestamptz) IS
	'As verify_stripe_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_stripe_webhook(bytea, text, text[], timestamptz)', 'EXECUTE');

-- signing: Twilio

CREATE OR REPLACE FUNCTION platform.sign_twilio_webhook(url text, body bytea, secret text) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_twilio_webhook';
COMMENT ON FUNCTION platform.sign_twilio_webhook(text, bytea, text) IS
	'The header X-Twilio-Signature of a form or an empty body; of the URL alone when its query has bodySHA256. secret: the auth token. Errors: 22004; 22023 an empty secret, no absolute URL.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_twilio_webhook(text, bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.sign_twilio_json_webhook(url text, body bytea, secret text, OUT signed_url text, OUT signature text) RETURNS record
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_twilio_json_webhook';
COMMENT ON FUNCTION platform.sign_twilio_json_webhook(text, bytea, text) IS
	'The URL with the body''s hash in its query (bodySHA256), to which the request is sent, and the header X-Twilio-Signature. Errors: 22004; 22023 an empty secret, no absolute URL, a query that has bodySHA256.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_twilio_json_webhook(text, bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_twilio_webhook(url text, body bytea, signature text, secrets text[]) RETURNS boolean
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_twilio_webhook';
COMMENT ON FUNCTION platform.verify_twilio_webhook(text, bytea, text, text[]) IS
	'Does the header X-Twilio-Signature fit the whole URL, the body (a form, empty, or with its bodySHA256 in the query) and one of the auth tokens? The URL may be spelt as Twilios libraries allow. Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_twilio_webhook(text, bytea, text, text[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_twilio_webhook(url text, body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_twilio_webhook';
COMMENT ON FUNCTION platform.check_twilio_webhook(text, bytea, text, text[]) IS
	'As verify_twilio_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_twilio_webhook(text, bytea, text, text[])', 'EXECUTE');

-- signing: Meta

CREATE OR REPLACE FUNCTION platform.sign_meta_webhook(body bytea, secret text) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_meta_webhook';
COMMENT ON FUNCTION platform.sign_meta_webhook(bytea, text) IS
	'The header X-Hub-Signature-256 as WhatsApp, Messenger and Instagram send it. secret: the apps. Errors: 22004; 22023 an empty secret.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_meta_webhook(bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_meta_webhook(body bytea, signature text, secrets text[]) RETURNS boolean
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_meta_webhook';
COMMENT ON FUNCTION platform.verify_meta_webhook(bytea, text, text[]) IS
	'Does the header X-Hub-Signature-256 fit the body and one of the apps secrets? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_meta_webhook(bytea, text, text[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_meta_webhook(body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_meta_webhook';
COMMENT ON FUNCTION platform.check_meta_webhook(bytea, text, text[]) IS
	'As verify_meta_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_meta_webhook(bytea, text, text[])', 'EXECUTE');

-- signing: GitHub

CREATE OR REPLACE FUNCTION platform.sign_github_webhook(body bytea, secret text) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_github_webhook';
COMMENT ON FUNCTION platform.sign_github_webhook(bytea, text) IS
	'The header X-Hub-Signature-256 as GitHub sends it. Errors: 22004; 22023 an empty secret.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_github_webhook(bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_github_webhook(body bytea, signature text, secrets text[]) RETURNS boolean
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_github_webhook';
COMMENT ON FUNCTION platform.verify_github_webhook(bytea, text, text[]) IS
	'Does the header X-Hub-Signature-256 fit the body and one of the secrets? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_github_webhook(bytea, text, text[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_github_webhook(body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_github_webhook';
COMMENT ON FUNCTION platform.check_github_webhook(bytea, text, text[]) IS
	'As verify_github_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_github_webhook(bytea, text, text[])', 'EXECUTE');

-- signing: Slack

CREATE OR REPLACE FUNCTION platform.sign_slack_webhook(sent_at timestamptz, body bytea, secret text) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_slack_webhook';
COMMENT ON FUNCTION platform.sign_slack_webhook(timestamptz, bytea, text) IS
	'The header X-Slack-Signature; sent_at is the header X-Slack-Request-Timestamp, in seconds. Errors: 22004; 22023 an empty secret.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_slack_webhook(timestamptz, bytea, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_slack_webhook(sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_slack_webhook';
COMMENT ON FUNCTION platform.verify_slack_webhook(text, bytea, text, text[], timestamptz) IS
	'Do the headers X-Slack-Request-Timestamp and X-Slack-Signature fit the body and one of the secrets, within 300 s of now (NULL: the clock)? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_slack_webhook(text, bytea, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_slack_webhook(sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_slack_webhook';
COMMENT ON FUNCTION platform.check_slack_webhook(text, bytea, text, text[], timestamptz) IS
	'As verify_slack_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_slack_webhook(text, bytea, text, text[], timestamptz)', 'EXECUTE');

-- signing: Retell

CREATE OR REPLACE FUNCTION platform.sign_retell_webhook(body bytea, secret text, sent_at timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_retell_webhook';
COMMENT ON FUNCTION platform.sign_retell_webhook(bytea, text, timestamptz) IS
	'The header X-Retell-Signature. secret: the API key. sent_at NULL: the clock. Errors: 22004; 22023 an empty secret.';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_retell_webhook(bytea, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_retell_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_retell_webhook';
COMMENT ON FUNCTION platform.verify_retell_webhook(bytea, text, text[], timestamptz) IS
	'Does the header X-Retell-Signature fit the body and one of the API keys, within 300 s of now (NULL: the clock)? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_retell_webhook(bytea, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_retell_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_retell_webhook';
COMMENT ON FUNCTION platform.check_retell_webhook(bytea, text, text[], timestamptz) IS
	'As verify_retell_webhook(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_retell_webhook(bytea, text, text[], timestamptz)', 'EXECUTE');

-- signing: whole requests

CREATE OR REPLACE FUNCTION platform.sign_webhook_request(scheme text, body bytea, secrets text[], id text DEFAULT NULL, url text DEFAULT NULL, sent_at timestamptz DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_sign_webhook_request';
COMMENT ON FUNCTION platform.sign_webhook_request(text, bytea, text[], text, text, timestamptz) IS
	'The headers that sign a request, for standard, svix, stripe, twilio, meta, github, slack or retell. id: standard and svix; url: twilio; sent_at NULL: the clock. Errors: 22004; 22023 unknown scheme and as sign_*_webhook().';
INSERT INTO platform.member_privileges VALUES ('function', 'sign_webhook_request(text, bytea, text[], text, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_webhook_request(scheme text, headers jsonb, body bytea, secrets text[], url text DEFAULT NULL, now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_webhook_request';
COMMENT ON FUNCTION platform.verify_webhook_request(text, jsonb, bytea, text[], text, timestamptz) IS
	'Is the request signed as its scheme demands, with one of the secrets? Header names in any case; url: the whole URL, for twilio. Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_webhook_request(text, jsonb, bytea, text[], text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_webhook_request(scheme text, headers jsonb, body bytea, secrets text[], url text DEFAULT NULL, now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_webhook_request';
COMMENT ON FUNCTION platform.check_webhook_request(text, jsonb, bytea, text[], text, timestamptz) IS
	'As verify_webhook_request(), with the reason (VALID, BAD_SIGNATURE, ...; see the documentation) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_webhook_request(text, jsonb, bytea, text[], text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.meta_challenge(mode text, verify_token text, challenge text, verify_tokens text[]) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_meta_challenge';
COMMENT ON FUNCTION platform.meta_challenge(text, text, text, text[]) IS
	'What to answer when Meta subscribes a webhook (hub.mode, hub.verify_token, hub.challenge): the challenge when the token is one of ours, else NULL: answer 403.';
INSERT INTO platform.member_privileges VALUES ('function', 'meta_challenge(text, text, text, text[])', 'EXECUTE');
