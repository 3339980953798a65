/*
 * jwt.c
 *	  Signed tokens: JSON Web Token (RFC 7519, RFC 7515, RFC 8725).
 *
 * The order is the point: the key decides the algorithm and the header may only
 * agree with it; the payload is looked at once the signature matches.  No
 * message holds any part of a token.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/jwk.h"
#include "core/jwt.h"

#define MAX_TOKEN_SIZE	(64 * 1024)
#define LEEWAY_SECONDS	60

/* A token cut at its dots; signed_length covers header and payload. */
typedef struct TokenParts
{
	const PlatformJson *header;
	const PlatformJson *payload;
	const char *text;
	size_t		signed_length;
	uint8	   *signature;
	int			signature_length;
} TokenParts;

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
};

static char *jwt_issuer = NULL;
static char *jwt_audience = NULL;

/* ---- structure ---- */

/* Decodes a segment; its bytes are in the current memory context. */
static uint8 *
decode_segment(const char *text, size_t length, int *decoded_length)
{
	uint8	   *bytes = palloc(PLATFORM_BASE64URL_DECODED(length));

	*decoded_length = platform_base64url_decode(text, length, bytes);
	return *decoded_length > 0 ? bytes : NULL;
}

/* A segment that is a JSON object, or NULL. */
static const PlatformJson *
parse_segment(const char *text, size_t length)
{
	int			decoded_length;
	uint8	   *bytes = decode_segment(text, length, &decoded_length);
	const PlatformJson *json = NULL;

	if (bytes != NULL)
		json = platform_json_parse((const char *) bytes, decoded_length);
	return platform_json_is_object(json) ? json : NULL;
}

/* Exactly three segments, none empty. */
static bool
split_token(const char *text, size_t length, TokenParts *parts)
{
	const char *end = text + length;
	const char *first = memchr(text, '.', length);
	const char *second = first == NULL ? NULL : memchr(first + 1, '.', end - first - 1);

	if (second == NULL)
		return false;
	parts->text = text;
	parts->signed_length = second - text;
	parts->header = parse_segment(text, first - text);
	parts->payload = parse_segment(first + 1, second - first - 1);
	parts->signature = decode_segment(second + 1, end - second - 1, &parts->signature_length);
	return parts->header != NULL && parts->payload != NULL && parts->signature != NULL;
}

/* ---- signature ---- */

static bool
key_matches(const PlatformJwk *key, const TokenParts *parts)
{
	PlatformHash hash = key->algorithm == JWA_HS512 ? PLATFORM_SHA512 :
		key->algorithm == JWA_HS384 ? PLATFORM_SHA384 : PLATFORM_SHA256;
	uint8		mac[PLATFORM_HASH_MAX_SIZE];

	if (key->public_key != NULL)
		return platform_signature_matches(key->public_key, parts->text, parts->signed_length,
										  parts->signature, parts->signature_length);
	if (parts->signature_length != platform_hash_size(hash))
		return false;
	platform_hmac(hash, key->secret, key->secret_length, parts->text, parts->signed_length, mac);
	return platform_bytes_equal(mac, parts->signature, parts->signature_length);
}

/*
 * Looks for the key that signed: of the header's kid when it has one, and in
 * any case of the header's algorithm.
 */
static PlatformJwtVerdict
verify_signature(const TokenParts *parts)
{
	const PlatformJwkSet *set = platform_jwk_set();
	const PlatformJson *id_json = platform_json_get(parts->header, "kid");
	const char *id = platform_json_text(id_json);
	const char *name = platform_json_text(platform_json_get(parts->header, "alg"));
	PlatformJwa algorithm = name == NULL ? JWA_UNKNOWN : platform_jwa(name);
	PlatformJwtVerdict verdict = JWT_UNKNOWN_KEY;

	if (name == NULL || (id_json != NULL && id == NULL))
		return JWT_MALFORMED;
	if (algorithm == JWA_UNKNOWN || platform_json_has(parts->header, "crit"))
		return JWT_UNSUPPORTED;
	for (int i = 0; i < set->count; i++)
	{
		const PlatformJwk *key = &set->keys[i];

		if (key->algorithm != algorithm ||
			(id != NULL && (key->id == NULL || strcmp(key->id, id) != 0)))
			continue;
		if (key_matches(key, parts))
			return JWT_VALID;
		verdict = JWT_BAD_SIGNATURE;
	}
	return verdict;
}

/* ---- claims ---- */

/* Seconds since 1970 (RFC 7519, section 2: NumericDate). */
static double
unix_now(void)
{
	return (double) GetCurrentTimestamp() / USECS_PER_SEC +
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (double) SECS_PER_DAY;
}

static PlatformJwtVerdict
verify_times(const PlatformJson *payload)
{
	const PlatformJson *not_before = platform_json_get(payload, "nbf");
	const PlatformJson *expiry = platform_json_get(payload, "exp");
	double		now = unix_now();
	double		moment;

	if (expiry == NULL)
		return JWT_NO_EXPIRY;
	if (!platform_json_number(expiry, &moment))
		return JWT_MALFORMED;
	if (now >= moment + LEEWAY_SECONDS)
		return JWT_EXPIRED;
	if (not_before != NULL)
	{
		if (!platform_json_number(not_before, &moment))
			return JWT_MALFORMED;
		if (now < moment - LEEWAY_SECONDS)
			return JWT_NOT_YET_VALID;
	}
	return JWT_VALID;
}

/* Is the JSON that string, or an array with it? */
static bool
names(const PlatformJson *json, const char *expected)
{
	const char *text = platform_json_text(json);

	if (text != NULL)
		return strcmp(text, expected) == 0;
	for (size_t i = 0; i < platform_json_length(json); i++)
	{
		text = platform_json_text(platform_json_item(json, i));
		if (text != NULL && strcmp(text, expected) == 0)
			return true;
	}
	return false;
}

PlatformJwtVerdict
platform_jwt_verify(const char *token, size_t length, PlatformClaims *claims)
{
	TokenParts	parts;
	PlatformJwtVerdict verdict;

	if (length > MAX_TOKEN_SIZE || !split_token(token, length, &parts))
		return JWT_MALFORMED;
	verdict = verify_signature(&parts);
	if (verdict == JWT_VALID)
		verdict = verify_times(parts.payload);
	if (verdict != JWT_VALID)
		return verdict;

	if (*jwt_issuer != '\0' && !names(platform_json_get(parts.payload, "iss"), jwt_issuer))
		return JWT_WRONG_ISSUER;
	if (*jwt_audience != '\0' && !names(platform_json_get(parts.payload, "aud"), jwt_audience))
		return JWT_WRONG_AUDIENCE;
	return platform_claims_read(parts.payload, claims) ? JWT_VALID : JWT_BAD_CLAIMS;
}

/* ---- SQL ---- */

PG_FUNCTION_INFO_V1(platform_authenticate);

/*
 * platform.authenticate(jwt text, OUT organization_id uuid, OUT user_id uuid,
 *						 OUT subject text, OUT role text) returns record
 *
 * Acts as the one whom a signed token names, until the end of the transaction
 * or the rollback to a savepoint before the call; returns who that is.  The
 * token needs a key of platform.jwt_keys_file and an expiry; exp and nbf have
 * 60 s of leeway; platform.jwt_issuer and jwt_audience are compared when set.
 * Claims: sub, app_metadata.organization_id, app_metadata.platform_role (else
 * member).  Errors: 28000 with the reason for a token that is not valid, and
 * for NULL; PT410 for one that has expired; F0000 without keys.
 */
Datum
platform_authenticate(PG_FUNCTION_ARGS)
{
	PlatformJwtVerdict verdict = JWT_MALFORMED;
	PlatformClaims claims;
	const pg_uuid_t *user;
	TupleDesc	descriptor;
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!PG_ARGISNULL(0))
	{
		text	   *token = PG_GETARG_TEXT_PP(0);

		verdict = platform_jwt_verify(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &claims);
	}
	if (verdict != JWT_VALID)
		ereport(ERROR,
				(errcode(verdict == JWT_EXPIRED ? ERRCODE_PLATFORM_EXPIRED :
						 ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("%s", verdicts[verdict].message)));

	platform_identity_set(claims.has_organization ? &claims.organization : NULL,
						  claims.subject, claims.role);
	user = platform_current_user();
	nulls[0] = !claims.has_organization;
	nulls[1] = user == NULL;
	nulls[2] = claims.subject == NULL;
	values[0] = UUIDPGetDatum(&claims.organization);
	values[1] = UUIDPGetDatum(user);
	if (claims.subject != NULL)
		values[2] = CStringGetTextDatum(claims.subject);
	values[3] = CStringGetTextDatum(claims.role == NULL ? "member" : claims.role);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

PG_FUNCTION_INFO_V1(platform_check_jwt);

/*
 * platform.check_jwt(jwt text, OUT valid boolean, OUT reason text) returns record
 *
 * What authenticate() would say, without acting on it: VALID, MALFORMED,
 * UNSUPPORTED, UNKNOWN_KEY, BAD_SIGNATURE, NO_EXPIRY, EXPIRED, NOT_YET_VALID,
 * WRONG_ISSUER, WRONG_AUDIENCE or BAD_CLAIMS.  NULL is malformed.  Errors:
 * F0000 without keys.
 */
Datum
platform_check_jwt(PG_FUNCTION_ARGS)
{
	PlatformJwtVerdict verdict = JWT_MALFORMED;
	PlatformClaims claims;
	TupleDesc	descriptor;
	Datum		values[2];
	bool		nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!PG_ARGISNULL(0))
	{
		text	   *token = PG_GETARG_TEXT_PP(0);

		verdict = platform_jwt_verify(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &claims);
	}
	values[0] = BoolGetDatum(verdict == JWT_VALID);
	values[1] = CStringGetTextDatum(verdicts[verdict].name);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

void
platform_jwt_init(void)
{
	DefineCustomStringVariable("platform.jwt_issuer",
							   "Claim iss that tokens must have; empty to accept any.",
							   NULL, &jwt_issuer, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("platform.jwt_audience",
							   "Claim aud that tokens must have; empty to accept any.",
							   NULL, &jwt_audience, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
}
