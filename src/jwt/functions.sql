-- jwt: signed tokens with keys of the caller's

CREATE OR REPLACE FUNCTION platform.jwt_sign(claims jsonb, key bytea, algorithm text DEFAULT 'HS256', header jsonb DEFAULT NULL) RETURNS text
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_jwt_sign';
COMMENT ON FUNCTION platform.jwt_sign(jsonb, bytea, text, jsonb) IS
	'A token (RFC 7519) with these claims. HS256, HS384, HS512 with a key of at least 32 bytes, or EdDSA with an Ed25519 private key of 32. The header''s members are added to alg and typ. Errors: 22004; 22023 for an algorithm, key, claim or header that does not fit.';
INSERT INTO platform.member_privileges VALUES ('function', 'jwt_sign(jsonb, bytea, text, jsonb)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.jwt_verify(token text, keys bytea[], algorithms text[], audience text DEFAULT NULL,
	issuer text DEFAULT NULL, leeway interval DEFAULT '1 minute', now timestamptz DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_jwt_verify';
COMMENT ON FUNCTION platform.jwt_verify(text, bytea[], text[], text, text, interval, timestamptz) IS
	'The claims of a token that one of the keys signed with one of the algorithms: HS256, HS384, HS512, or EdDSA with public keys. now: NULL for the clock. aud and iss are compared unless NULL. Errors: 28000 with the reason, PT410 expired; 22004, 22023 for algorithms or leeway.';
INSERT INTO platform.member_privileges VALUES ('function', 'jwt_verify(text, bytea[], text[], text, text, interval, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.jwt_check(token text, keys bytea[], algorithms text[], audience text DEFAULT NULL,
	issuer text DEFAULT NULL, leeway interval DEFAULT '1 minute', now timestamptz DEFAULT NULL,
	OUT valid boolean, OUT reason text, OUT matched_key integer, OUT claims jsonb) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_jwt_check';
COMMENT ON FUNCTION platform.jwt_check(text, bytea[], text[], text, text, interval, timestamptz) IS
	'What jwt_verify() would say: VALID or the reason why not; of a valid token the number of its key, from 1, and the claims. Errors: 22004, 22023 for algorithms or leeway.';
INSERT INTO platform.member_privileges VALUES ('function', 'jwt_check(text, bytea[], text[], text, text, interval, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.ed25519_public_key(private_key bytea) RETURNS bytea
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_ed25519_public_key';
COMMENT ON FUNCTION platform.ed25519_public_key(bytea) IS
	'The public key, 32 bytes, of an Ed25519 private key, 32 bytes (RFC 8032). NULL for NULL. Errors: 22023 for another length.';
INSERT INTO platform.member_privileges VALUES ('function', 'ed25519_public_key(bytea)', 'EXECUTE');

-- jwt: calling from browsers

CREATE OR REPLACE FUNCTION platform.webrtc_token(key bytea, identity text, ttl interval DEFAULT '1 hour', claims jsonb DEFAULT NULL,
	issuer text DEFAULT NULL, audience text DEFAULT NULL, algorithm text DEFAULT 'HS256', now timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_webrtc_token';
COMMENT ON FUNCTION platform.webrtc_token(bytea, text, interval, jsonb, text, text, text, timestamptz) IS
	'A token with which a browser calls as identity: sub, iat, exp, a random jti, iss and aud where given, and the members of claims. ttl: at most a day. Errors: 22004, 22008, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'webrtc_token(bytea, text, interval, jsonb, text, text, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.twilio_access_token(account_sid text, api_key_sid text, api_key_secret text, identity text, grants jsonb,
	ttl interval DEFAULT '1 hour', region text DEFAULT NULL, not_before timestamptz DEFAULT NULL,
	algorithm text DEFAULT 'HS256', now timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_twilio_access_token';
COMMENT ON FUNCTION platform.twilio_access_token(text, text, text, text, jsonb, interval, text, timestamptz, text, timestamptz) IS
	'Twilio''s access token for its SDKs in browsers and phones. grants: what twilio_voice_grant() makes. ttl: at most a day. Errors: 22004, 22008, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'twilio_access_token(text, text, text, text, jsonb, interval, text, timestamptz, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.twilio_voice_grant(application_sid text DEFAULT NULL, incoming boolean DEFAULT false,
	params jsonb DEFAULT NULL, push_credential_sid text DEFAULT NULL, endpoint_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_twilio_voice_grant';
COMMENT ON FUNCTION platform.twilio_voice_grant(text, boolean, jsonb, text, text) IS
	'The grant of twilio_access_token() to call out through a TwiML application, which gets params, and to be called. Errors: 22023 for params without an application or that are no object.';
INSERT INTO platform.member_privileges VALUES ('function', 'twilio_voice_grant(text, boolean, jsonb, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.turn_credentials(secret text, user_id text DEFAULT NULL, ttl interval DEFAULT '1 day', urls text[] DEFAULT NULL,
	now timestamptz DEFAULT NULL, OUT username text, OUT credential text, OUT expires_at timestamptz, OUT ice_servers jsonb) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_turn_credentials';
COMMENT ON FUNCTION platform.turn_credentials(text, text, interval, text[], timestamptz) IS
	'Credentials for a TURN server that shares the secret (draft-uberti-behave-turn-rest-00). ttl: at most 365 days. ice_servers: for RTCPeerConnection, NULL without urls. Errors: 22004, 22008, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'turn_credentials(text, text, interval, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_turn_credentials(username text, credential text, secrets text[], now timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_verify_turn_credentials';
COMMENT ON FUNCTION platform.verify_turn_credentials(text, text, text[], timestamptz) IS
	'Did one of the secrets make these credentials, and have they not ended (now NULL: by the clock)? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_turn_credentials(text, text, text[], timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_turn_credentials(username text, credential text, secrets text[], now timestamptz DEFAULT NULL,
	OUT ok boolean, OUT reason text, OUT matched_key integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_turn_credentials';
COMMENT ON FUNCTION platform.check_turn_credentials(text, text, text[], timestamptz) IS
	'As verify_turn_credentials(), with the reason (VALID, MALFORMED, NO_SECRET, BAD_SIGNATURE, EXPIRED) and the place of the secret that fits, from 1.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_turn_credentials(text, text, text[], timestamptz)', 'EXECUTE');
