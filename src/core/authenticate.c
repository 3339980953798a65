/*
 * authenticate.c
 *	  The session acts as the one whom a signed token names.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/authenticate.h"
#include "core/claims.h"
#include "core/error.h"
#include "core/jwt.h"

#define MAX_TOKEN_SIZE	(64 * 1024)
#define LEEWAY_SECONDS	60

static char *jwt_issuer = NULL;
static char *jwt_audience = NULL;

/*
 * Verifies a token with the keys of the file and reads whom it names; NULL is
 * malformed.  Raises F0000 when the keys are not available.
 */
static PlatformJwtVerdict
verify_argument(FunctionCallInfo fcinfo, PlatformClaims *claims)
{
	PlatformJwtRules rules = {
		.algorithms = ~0U,
		.needs_expiry = true,
		.leeway = LEEWAY_SECONDS,
		.issuer = *jwt_issuer == '\0' ? NULL : jwt_issuer,
		.audience = *jwt_audience == '\0' ? NULL : jwt_audience,
	};
	const PlatformJwkSet *set;
	PlatformJwtVerdict verdict;
	PlatformJwt jwt;
	text	   *token;

	if (PG_ARGISNULL(0))
		return JWT_MALFORMED;
	token = PG_GETARG_TEXT_PP(0);
	if (!platform_jwt_read(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), MAX_TOKEN_SIZE, &jwt))
		return JWT_MALFORMED;
	set = platform_jwk_set();
	rules.keys = set->keys;
	rules.key_count = set->count;
	rules.now = platform_jwt_time(GetCurrentTimestamp());
	verdict = platform_jwt_judge(&jwt, &rules);
	if (verdict == JWT_VALID && !platform_claims_read(jwt.payload, claims))
		verdict = JWT_BAD_CLAIMS;
	return verdict;
}

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
	PlatformJwtVerdict verdict;
	PlatformClaims claims;
	const pg_uuid_t *user;
	TupleDesc	descriptor;
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	verdict = verify_argument(fcinfo, &claims);
	if (verdict != JWT_VALID)
		platform_jwt_refuse(verdict);

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
	PlatformJwtVerdict verdict;
	PlatformClaims claims;
	TupleDesc	descriptor;
	Datum		values[2];
	bool		nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	verdict = verify_argument(fcinfo, &claims);
	values[0] = BoolGetDatum(verdict == JWT_VALID);
	values[1] = CStringGetTextDatum(platform_jwt_reason(verdict));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

void
platform_authenticate_init(void)
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
