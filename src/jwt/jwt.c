/*
 * jwt.c
 *	  Tokens with keys of the caller's: JSON Web Token (RFC 7519, RFC 8725).
 *
 * The rules stand in core/jwt.c, which authenticate() uses too; here are keys
 * that come as arguments.  A key is bytes without an algorithm of its own, so
 * the caller names the algorithms, and never HMAC beside EdDSA: the public key
 * of one would do as the other's secret.
 */
#include "core/platform.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/crypto.h"
#include "core/result.h"
#include "jwt/jwt.h"

#define HMAC_KEY_LEAST		32	/* bytes, to sign */
#define ED25519_KEY_SIZE	32
#define LEEWAY_DAYS_MAX		7
#define HMAC_ALGORITHMS \
	(JWT_ALGORITHM(JWA_HS256) | JWT_ALGORITHM(JWA_HS384) | JWT_ALGORITHM(JWA_HS512))

/* ---- arguments ---- */

static PlatformJwa
algorithm_named(const char *name)
{
	PlatformJwa algorithm = platform_jwa(name);

	if (algorithm == JWA_UNKNOWN ||
		((HMAC_ALGORITHMS | JWT_ALGORITHM(JWA_EDDSA)) & JWT_ALGORITHM(algorithm)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" is not supported", name),
				 errhint("Algorithms are HS256, HS384, HS512 and EdDSA.")));
	return algorithm;
}

PlatformJwa
platform_jwt_algorithm_argument(FunctionCallInfo fcinfo, int number)
{
	platform_require_argument(fcinfo, number, "algorithm");
	return algorithm_named(text_to_cstring(PG_GETARG_TEXT_PP(number)));
}

Jsonb *
platform_jwt_object_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	Jsonb	   *object;

	if (PG_ARGISNULL(number))
		return NULL;
	object = PG_GETARG_JSONB_P(number);
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON object", name)));
	return object;
}

bool
platform_jwt_has_member(const Jsonb *object, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &object->root),
										name, strlen(name), &value) != NULL;
}

void
platform_jwt_require_key(PlatformJwa algorithm, size_t length)
{
	if (algorithm == JWA_EDDSA && length != ED25519_KEY_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an Ed25519 key must have %d bytes", ED25519_KEY_SIZE)));
	if (algorithm != JWA_EDDSA && length < HMAC_KEY_LEAST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key to sign with must have at least %d bytes", HMAC_KEY_LEAST)));
}

int64
platform_jwt_seconds_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	TimestampTz moment = PG_ARGISNULL(number) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(number);

	if (TIMESTAMP_NOT_FINITE(moment))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("%s must be finite", name)));
	return (int64) floor(platform_jwt_time(moment));
}

/* ---- signing ---- */

text *
platform_jwt_token(PlatformJwa algorithm, const char *key, size_t key_length,
				   const char *header, const char *payload)
{
	char	   *header_utf8 = pg_server_to_any(header, strlen(header), PG_UTF8);
	char	   *payload_utf8 = pg_server_to_any(payload, strlen(payload), PG_UTF8);

	return platform_jwt_compose(algorithm, (const uint8 *) key, key_length,
							 header_utf8, strlen(header_utf8), payload_utf8, strlen(payload_utf8));
}

char *
platform_jwt_header(PlatformJwa algorithm, const char *more)
{
	StringInfoData header;

	initStringInfo(&header);
	appendStringInfo(&header, "{\"alg\":\"%s\"", platform_jwa_name(algorithm));
	if (more == NULL)
		appendStringInfoString(&header, ",\"typ\":\"JWT\"}");
	else
		appendStringInfo(&header, ",%s", more + 1);
	return header.data;
}

/* Times are numbers, as the one who verifies demands. */
static void
check_claims(Jsonb *claims)
{
	static const char *const times[] = {"exp", "nbf", "iat"};

	for (int i = 0; i < lengthof(times); i++)
	{
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(&claims->root, times[i], strlen(times[i]), &value) != NULL &&
			value.type != jbvNumeric)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("claim \"%s\" must be a number", times[i])));
	}
}

static void
check_header(const Jsonb *header)
{
	static const char *const ours[] = {"alg", "crit"};

	for (int i = 0; header != NULL && i < lengthof(ours); i++)
		if (platform_jwt_has_member(header, ours[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("header must not have member \"%s\"", ours[i])));
}

/* The header with the members of an object, which may choose another typ. */
static char *
header_with(PlatformJwa algorithm, Jsonb *more)
{
	StringInfoData members;
	char	   *text;

	if (more == NULL || JB_ROOT_COUNT(more) == 0)
		return platform_jwt_header(algorithm, NULL);
	text = JsonbToCString(NULL, &more->root, VARSIZE(more));
	if (platform_jwt_has_member(more, "typ"))
		return platform_jwt_header(algorithm, text);
	initStringInfo(&members);
	appendStringInfo(&members, "{\"typ\":\"JWT\",%s", text + 1);
	return platform_jwt_header(algorithm, members.data);
}

PG_FUNCTION_INFO_V1(platform_jwt_sign);

/*
 * platform.jwt_sign(claims jsonb, key bytea, algorithm text DEFAULT 'HS256',
 *					 header jsonb DEFAULT NULL) returns text
 *
 * A token with these claims.  Algorithms: HS256, HS384, HS512 with a key of at
 * least 32 bytes; EdDSA with the 32 bytes of an Ed25519 private key.  The
 * header's members are added to alg and typ, which is JWT when the header has
 * none.  For members.  Errors: 22004 for NULL; 22023 for another algorithm, a
 * key that does not fit, claims or a header that are no objects, exp, nbf or
 * iat that is no number, a header with alg or crit.
 */
Datum
platform_jwt_sign(PG_FUNCTION_ARGS)
{
	Jsonb	   *claims;
	Jsonb	   *header;
	bytea	   *key;
	PlatformJwa algorithm;

	platform_require_argument(fcinfo, 0, "claims");
	platform_require_argument(fcinfo, 1, "key");
	algorithm = platform_jwt_algorithm_argument(fcinfo, 2);
	claims = platform_jwt_object_argument(fcinfo, 0, "claims");
	header = platform_jwt_object_argument(fcinfo, 3, "header");
	key = PG_GETARG_BYTEA_PP(1);
	platform_jwt_require_key(algorithm, VARSIZE_ANY_EXHDR(key));
	check_claims(claims);
	check_header(header);
	PG_RETURN_TEXT_P(platform_jwt_token(algorithm, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
										header_with(algorithm, header),
										JsonbToCString(NULL, &claims->root, VARSIZE(claims))));
}

PG_FUNCTION_INFO_V1(platform_ed25519_public_key);

/*
 * platform.ed25519_public_key(private_key bytea) returns bytea
 *
 * The public key, 32 bytes, of an Ed25519 private key, 32 bytes (RFC 8032): what
 * verifies tokens that the private key signs with EdDSA.  NULL for NULL.  For
 * members.  Errors: 22023 for another length.
 */
Datum
platform_ed25519_public_key(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *result = palloc(VARHDRSZ + ED25519_KEY_SIZE);

	platform_jwt_require_key(JWA_EDDSA, VARSIZE_ANY_EXHDR(key));
	SET_VARSIZE(result, VARHDRSZ + ED25519_KEY_SIZE);
	platform_ed25519_public((const uint8 *) VARDATA_ANY(key), (uint8 *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/* ---- verifying ---- */

/* The set of algorithms that the caller accepts. */
static uint32
algorithms_argument(FunctionCallInfo fcinfo, int number)
{
	uint32		algorithms = 0;
	Datum	   *names;
	bool	   *nulls;
	int			count;

	platform_require_argument(fcinfo, number, "algorithms");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an algorithm cannot be null")));
		algorithms |= JWT_ALGORITHM(algorithm_named(TextDatumGetCString(names[i])));
	}
	if (algorithms == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithms must name at least one")));
	if ((algorithms & HMAC_ALGORITHMS) != 0 && (algorithms & ~HMAC_ALGORITHMS) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("HMAC and EdDSA cannot be accepted with the same keys"),
				 errdetail("A public key, known to everybody, would do as the secret.")));
	return algorithms;
}

/*
 * The keys of an array, once an algorithm; their number in the array is their
 * id.  One that is null, empty or no Ed25519 key where that is wanted matches
 * nothing and is left out.
 */
static void
keys_argument(FunctionCallInfo fcinfo, int number, PlatformJwtRules *rules)
{
	PlatformJwk *keys;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(number))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), BYTEAOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &count);
	keys = palloc0(sizeof(PlatformJwk) * Max(count, 1) * JWA_UNKNOWN);
	for (int i = 0; i < count; i++)
	{
		bytea	   *value = nulls[i] ? NULL : DatumGetByteaPP(values[i]);

		if (value == NULL || VARSIZE_ANY_EXHDR(value) == 0)
			continue;
		for (int algorithm = 0; algorithm < JWA_UNKNOWN; algorithm++)
		{
			PlatformJwk *key = &keys[rules->key_count];

			if ((rules->algorithms & JWT_ALGORITHM(algorithm)) == 0)
				continue;
			key->algorithm = (PlatformJwa) algorithm;
			key->number = i + 1;
			key->secret = (uint8 *) VARDATA_ANY(value);
			key->secret_length = VARSIZE_ANY_EXHDR(value);
			if (algorithm == JWA_EDDSA)
			{
				if (key->secret_length != ED25519_KEY_SIZE ||
					(key->public_key = platform_ed25519_key(key->secret)) == NULL)
					continue;
			}
			rules->key_count++;
		}
	}
	rules->keys = keys;
}

/* The claims of a valid token. */
static Jsonb *
claims_of(const PlatformJwt *jwt)
{
	const char *text = jwt->payload_text;

	/* the server's parser would quote what it cannot convert */
	if (GetDatabaseEncoding() != PG_UTF8 && (!pg_is_ascii(text) || strstr(text, "\\u") != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("claims beyond ASCII need a database in UTF8")));
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* Judges the arguments that jwt_verify() and jwt_check() share. */
static PlatformJwtVerdict
verify_arguments(FunctionCallInfo fcinfo, PlatformJwt *jwt)
{
	PlatformJwtRules rules = {.any_id = true};
	text	   *token;

	rules.algorithms = algorithms_argument(fcinfo, 2);
	rules.leeway = platform_require_interval(fcinfo, 5, "leeway", true, LEEWAY_DAYS_MAX) /
		(double) USECS_PER_SEC;
	rules.now = platform_jwt_time(PG_ARGISNULL(6) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(6));
	keys_argument(fcinfo, 1, &rules);
	if (!PG_ARGISNULL(3))
		rules.audience = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (!PG_ARGISNULL(4))
		rules.issuer = text_to_cstring(PG_GETARG_TEXT_PP(4));
	if (PG_ARGISNULL(0))
		return JWT_MALFORMED;
	token = PG_GETARG_TEXT_PP(0);
	if (!platform_jwt_read(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), MaxAllocSize / 2, jwt))
		return JWT_MALFORMED;
	return platform_jwt_judge(jwt, &rules);
}

PG_FUNCTION_INFO_V1(platform_jwt_verify);

/*
 * platform.jwt_verify(token text, keys bytea[], algorithms text[],
 *					   audience text DEFAULT NULL, issuer text DEFAULT NULL,
 *					   leeway interval DEFAULT '1 minute',
 *					   now timestamptz DEFAULT NULL) returns jsonb
 *
 * The claims of a token that one of the keys signed with one of the algorithms
 * (HS256, HS384, HS512, or EdDSA with public keys; not both kinds).  exp and
 * nbf hold with the leeway, at that moment (NULL: the clock's); a token without
 * exp does not expire.  aud and iss are compared unless NULL.  Keys that are
 * NULL or empty match nothing.  For members.  Errors: 28000 with the reason for
 * a token that is not valid, and for NULL; PT410 for one that has expired; 22004
 * and 22023 for algorithms or leeway; 22003 for claims with a number beyond
 * numeric; 22P05 for claims beyond ASCII in a database that is not in UTF8.
 */
Datum
platform_jwt_verify(PG_FUNCTION_ARGS)
{
	PlatformJwt jwt;
	PlatformJwtVerdict verdict = verify_arguments(fcinfo, &jwt);

	if (verdict != JWT_VALID)
		platform_jwt_refuse(verdict);
	PG_RETURN_JSONB_P(claims_of(&jwt));
}

PG_FUNCTION_INFO_V1(platform_jwt_check);

/*
 * platform.jwt_check(token text, keys bytea[], algorithms text[],
 *					  audience text DEFAULT NULL, issuer text DEFAULT NULL,
 *					  leeway interval DEFAULT '1 minute', now timestamptz DEFAULT NULL,
 *					  OUT valid boolean, OUT reason text, OUT matched_key integer,
 *					  OUT claims jsonb) returns record
 *
 * What jwt_verify() would say: VALID, MALFORMED, UNSUPPORTED, WRONG_ALGORITHM,
 * UNKNOWN_KEY, BAD_SIGNATURE, EXPIRED, NOT_YET_VALID, WRONG_ISSUER or
 * WRONG_AUDIENCE; of a valid token the number of the key, from 1, and the
 * claims.  For members.  Errors: 22004 and 22023 for algorithms or leeway; as
 * jwt_verify() for claims that jsonb cannot hold.
 */
Datum
platform_jwt_check(PG_FUNCTION_ARGS)
{
	PlatformJwt jwt;
	PlatformJwtVerdict verdict;
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	verdict = verify_arguments(fcinfo, &jwt);
	values[0] = BoolGetDatum(verdict == JWT_VALID);
	values[1] = CStringGetTextDatum(platform_jwt_reason(verdict));
	nulls[2] = nulls[3] = verdict != JWT_VALID;
	if (verdict == JWT_VALID)
	{
		values[2] = Int32GetDatum(jwt.key->number);
		values[3] = JsonbPGetDatum(claims_of(&jwt));
	}
	return platform_return_row(fcinfo, values, nulls);
}
