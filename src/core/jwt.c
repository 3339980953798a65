/*
 * jwt.c
 *	  Signed tokens: JSON Web Token (RFC 7519, RFC 7515, RFC 8725).
 *
 * The order is the point: the key decides the algorithm and the header may only
 * agree with it; the payload is looked at once the signature matches.  No
 * message holds any part of a token.
 */
#include "core/platform.h"

#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/jwt.h"

static const struct
{
	const char *name;
	const char *message;
}			verdicts[] =
{
	[JWT_VALID] = {"VALID", "token is valid"},
	[JWT_MALFORMED] = {"MALFORMED", "token is malformed"},
	[JWT_UNSUPPORTED] = {"UNSUPPORTED", "token uses an algorithm or extension that is not supported"},
	[JWT_UNKNOWN_KEY] = {"UNKNOWN_KEY", "token is signed with an unknown key"},
	[JWT_BAD_SIGNATURE] = {"BAD_SIGNATURE", "signature of the token does not match"},
	[JWT_NO_EXPIRY] = {"NO_EXPIRY", "token does not expire"},
	[JWT_EXPIRED] = {"EXPIRED", "token has expired"},
	[JWT_NOT_YET_VALID] = {"NOT_YET_VALID", "token is not valid yet"},
	[JWT_WRONG_ISSUER] = {"WRONG_ISSUER", "token comes from another issuer"},
	[JWT_WRONG_AUDIENCE] = {"WRONG_AUDIENCE", "token is meant for another audience"},
	[JWT_BAD_CLAIMS] = {"BAD_CLAIMS", "token does not identify a user or organization"},
	[JWT_WRONG_ALGORITHM] = {"WRONG_ALGORITHM", "token is signed with another algorithm than expected"},
};

const char *
platform_jwt_reason(PlatformJwtVerdict verdict)
{
	return verdicts[verdict].name;
}

void
platform_jwt_refuse(PlatformJwtVerdict verdict)
{
	ereport(ERROR,
			(errcode(verdict == JWT_EXPIRED ? ERRCODE_PLATFORM_EXPIRED :
					 ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("%s", verdicts[verdict].message)));
}

double
platform_jwt_time(TimestampTz moment)
{
	return (double) moment / USECS_PER_SEC +
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (double) SECS_PER_DAY;
}

/* ---- structure ---- */

/* Decodes a segment; its bytes, terminated, are in the current memory context. */
static uint8 *
decode_segment(const char *text, size_t length, int *decoded_length)
{
	uint8	   *bytes = palloc(PLATFORM_BASE64URL_DECODED(length) + 1);

	*decoded_length = platform_base64url_decode(text, length, bytes);
	if (*decoded_length <= 0)
		return NULL;
	bytes[*decoded_length] = '\0';
	return bytes;
}

/* Exactly three segments, none empty, the first a JSON object. */
bool
platform_jwt_read(const char *token, size_t length, size_t length_max, PlatformJwt *jwt)
{
	const char *end = token + length;
	const char *first = memchr(token, '.', length);
	const char *second = first == NULL ? NULL : memchr(first + 1, '.', end - first - 1);
	uint8	   *header;
	int			header_length;

	memset(jwt, 0, sizeof(PlatformJwt));
	if (length > length_max || second == NULL || second == first + 1)
		return false;
	jwt->text = token;
	jwt->signed_length = second - token;
	jwt->payload_segment = first + 1;
	jwt->payload_segment_length = second - first - 1;
	header = decode_segment(token, first - token, &header_length);
	jwt->signature = decode_segment(second + 1, end - second - 1, &jwt->signature_length);
	if (header == NULL || jwt->signature == NULL)
		return false;
	jwt->header = platform_json_parse((const char *) header, header_length);
	return platform_json_is_object(jwt->header);
}

/* The payload of a token whose signature matches. */
static bool
read_payload(PlatformJwt *jwt)
{
	jwt->payload_text = (const char *) decode_segment(jwt->payload_segment,
													  jwt->payload_segment_length,
													  &jwt->payload_length);
	if (jwt->payload_text == NULL)
		return false;
	jwt->payload = platform_json_parse_wide(jwt->payload_text, jwt->payload_length);
	return platform_json_is_object(jwt->payload);
}

/* ---- signature ---- */

static PlatformHash
hash_of(PlatformJwa algorithm)
{
	return algorithm == JWA_HS512 ? PLATFORM_SHA512 :
		algorithm == JWA_HS384 ? PLATFORM_SHA384 : PLATFORM_SHA256;
}

static bool
key_matches(const PlatformJwk *key, const PlatformJwt *jwt)
{
	PlatformHash hash = hash_of(key->algorithm);
	uint8		mac[PLATFORM_HASH_MAX_SIZE];

	if (key->public_key != NULL)
		return platform_signature_matches(key->public_key, jwt->text, jwt->signed_length,
										  jwt->signature, jwt->signature_length);
	if (jwt->signature_length != platform_hash_size(hash))
		return false;
	platform_mac(hash, key->secret, key->secret_length, jwt->text, jwt->signed_length, mac);
	return platform_bytes_equal(mac, jwt->signature, jwt->signature_length);
}

/*
 * Looks for the key that signed: of the header's kid, when the rules want that,
 * and in any case of the header's algorithm.  All are tried, so that the time
 * does not tell which one it was.
 */
static PlatformJwtVerdict
verify_signature(PlatformJwt *jwt, const PlatformJwtRules *rules)
{
	const PlatformJson *id_json = platform_json_get(jwt->header, "kid");
	const char *id = platform_json_text(id_json);
	const char *name = platform_json_text(platform_json_get(jwt->header, "alg"));
	PlatformJwa algorithm = name == NULL ? JWA_UNKNOWN : platform_jwa(name);
	PlatformJwtVerdict verdict = JWT_UNKNOWN_KEY;

	if (name == NULL || (id_json != NULL && id == NULL))
		return JWT_MALFORMED;
	if (algorithm == JWA_UNKNOWN || platform_json_has(jwt->header, "crit"))
		return JWT_UNSUPPORTED;
	if ((rules->algorithms & JWT_ALGORITHM(algorithm)) == 0)
		return JWT_WRONG_ALGORITHM;
	for (int i = 0; i < rules->key_count; i++)
	{
		const PlatformJwk *key = &rules->keys[i];

		if (key->algorithm != algorithm ||
			(id != NULL && !rules->any_id && (key->id == NULL || strcmp(key->id, id) != 0)))
			continue;
		if (key_matches(key, jwt) && jwt->key == NULL)
			jwt->key = key;
		verdict = JWT_BAD_SIGNATURE;
	}
	return jwt->key != NULL ? JWT_VALID : verdict;
}

/* ---- claims ---- */

/* Reads a moment when it is there; false for one that is no number. */
static bool
read_time(const PlatformJson *payload, const char *claim, bool *present, double *moment)
{
	*present = platform_json_has(payload, claim);
	return !*present || platform_json_number(platform_json_get(payload, claim), moment);
}

static PlatformJwtVerdict
verify_times(const PlatformJson *payload, const PlatformJwtRules *rules)
{
	double		expiry = 0;
	double		not_before = 0;
	double		issued = 0;
	bool		expires;
	bool		begins;
	bool		has_issued;

	if (!read_time(payload, "exp", &expires, &expiry) ||
		!read_time(payload, "nbf", &begins, &not_before) ||
		!read_time(payload, "iat", &has_issued, &issued))
		return JWT_MALFORMED;
	if (!expires && rules->needs_expiry)
		return JWT_NO_EXPIRY;
	if (expires && rules->now >= expiry + rules->leeway)
		return JWT_EXPIRED;
	if (begins && rules->now < not_before - rules->leeway)
		return JWT_NOT_YET_VALID;
	return JWT_VALID;
}

static bool
is_text(const PlatformJson *json, const char *expected)
{
	const char *text = platform_json_text(json);

	return text != NULL && strcmp(text, expected) == 0;
}

/* Is the JSON that string, or an array with it? */
static bool
names(const PlatformJson *json, const char *expected)
{
	if (is_text(json, expected))
		return true;
	for (size_t i = 0; i < platform_json_length(json); i++)
		if (is_text(platform_json_item(json, i), expected))
			return true;
	return false;
}

PlatformJwtVerdict
platform_jwt_judge(PlatformJwt *jwt, const PlatformJwtRules *rules)
{
	PlatformJwtVerdict verdict = verify_signature(jwt, rules);

	if (verdict != JWT_VALID)
		return verdict;
	if (!read_payload(jwt))
		return JWT_MALFORMED;
	verdict = verify_times(jwt->payload, rules);
	if (verdict != JWT_VALID)
		return verdict;

	if (rules->issuer != NULL && !is_text(platform_json_get(jwt->payload, "iss"), rules->issuer))
		return JWT_WRONG_ISSUER;
	if (rules->audience != NULL && !names(platform_json_get(jwt->payload, "aud"), rules->audience))
		return JWT_WRONG_AUDIENCE;
	return JWT_VALID;
}

/* ---- signing ---- */

text *
platform_jwt_compose(PlatformJwa algorithm, const uint8 *key, size_t key_length,
				  const char *header, size_t header_length,
				  const char *payload, size_t payload_length)
{
	text	   *token = palloc(VARHDRSZ + PLATFORM_BASE64URL_ENCODED(header_length) +
							   PLATFORM_BASE64URL_ENCODED(payload_length) +
							   PLATFORM_BASE64URL_ENCODED(PLATFORM_HASH_MAX_SIZE));
	char	   *start = VARDATA(token);
	char	   *end = start;
	uint8		signature[PLATFORM_HASH_MAX_SIZE];
	int			signature_length = 64;

	end += platform_base64url_encode((const uint8 *) header, header_length, end);
	*end++ = '.';
	end += platform_base64url_encode((const uint8 *) payload, payload_length, end);
	if (algorithm == JWA_EDDSA)
		platform_ed25519_sign(key, start, end - start, signature);
	else
	{
		PlatformHash hash = hash_of(algorithm);

		signature_length = platform_hash_size(hash);
		platform_mac(hash, key, key_length, start, end - start, signature);
	}
	*end++ = '.';
	end += platform_base64url_encode(signature, signature_length, end);
	SET_VARSIZE(token, end - (char *) token);
	return token;
}
