/*
 * codes.c
 *	  Codes, and whose they are: create_referral_code(), validate_referral_code(),
 *	  set_referral_code_active().
 *
 * Eight characters of an alphabet of 32 are 40 random bits: nobody finds another
 * one's by trying, and a collision is met by drawing again.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/row.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_create_referral_code);
PG_FUNCTION_INFO_V1(platform_validate_referral_code);
PG_FUNCTION_INFO_V1(platform_set_referral_code_active);

#define TRIES	10

/* A to Z and 2 to 9, less I and O: 32, so five bits pick one without bias. */
static const char alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

static void
draw_code(char *code)
{
	uint8		random[REFERRAL_CODE_LENGTH];

	StaticAssertStmt(sizeof(alphabet) == 33, "an alphabet of 32");
	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	for (int i = 0; i < REFERRAL_CODE_LENGTH; i++)
		code[i] = alphabet[random[i] & 31];
	code[REFERRAL_CODE_LENGTH] = '\0';
}

/* The code as it is stored: upper case, without white space around; false when it cannot be one. */
static bool
normalize_code(const text *written, char *code)
{
	const char *start = VARDATA_ANY(written);
	const char *end = start + VARSIZE_ANY_EXHDR(written);

	while (start < end && (*start == ' ' || *start == '\t' || *start == '\n' || *start == '\r'))
		start++;
	while (start < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (end - start != REFERRAL_CODE_LENGTH)
		return false;
	for (int i = 0; i < REFERRAL_CODE_LENGTH; i++)
	{
		code[i] = start[i] >= 'a' && start[i] <= 'z' ? start[i] - 'a' + 'A' : start[i];
		if (code[i] == '\0' || strchr(alphabet, code[i]) == NULL)
			return false;
	}
	code[REFERRAL_CODE_LENGTH] = '\0';
	return true;
}

const char *
platform_referral_find_code(const text *written, ReferralCode *code)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT c.organization_id, c.user_id, c.is_active AND u.deleted_at IS NULL"
					   " AND u.status OPERATOR(pg_catalog.=) 'active'"
					   " FROM platform.referral_codes c JOIN platform.users u"
					   " ON u.id OPERATOR(pg_catalog.=) c.user_id"
					   " WHERE c.code OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	ReferralSettings settings;
	Datum		value;

	platform_referral_read_settings(&settings);
	code->program_active = settings.is_active;
	if (!settings.is_active)
		return "PROGRAM_OFF";
	if (written == NULL || !normalize_code(written, code->code))
		return "NOT_FOUND";
	value = CStringGetTextDatum(code->code);
	if (platform_query_run(&find, &value, NULL) == 0)
		return "NOT_FOUND";
	code->organization = platform_row_uuid(0, 1);
	code->user = platform_row_uuid(0, 2);
	return platform_row_bool(0, 3) ? NULL : "INACTIVE";
}

/* The user's code as a Datum; false when he has none. */
static bool
code_of(Datum user, Datum *code)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT code FROM platform.referral_codes WHERE user_id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	bool		isnull;

	if (platform_query_run(&find, &user, NULL) == 0)
		return false;
	*code = platform_row_datum_copy(0, 1, &isnull);
	return true;
}

/*
 * platform.create_referral_code(organization_id uuid, user_id uuid DEFAULT NULL)
 *		RETURNS (code text, created boolean)
 *
 * The user's code (NULL: the caller's), made when he has none. What it earns is under
 * that organization, whose member he must be. Members: their own. Errors: 22004;
 * 42501; PT404 the user is no member; 25006.
 */
Datum
platform_create_referral_code(PG_FUNCTION_ARGS)
{
	static PlatformQuery member =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT 1 FROM platform.organization_members"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static PlatformQuery insert =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referral_codes (organization_id, user_id, code)"
					   " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
					   UUIDOID, UUIDOID, TEXTOID);
	bool		nulls[2] = {false, false};
	Datum		values[3];
	Datum		result[2];
	bool		created = false;
	pg_uuid_t	user;

	platform_require_module(&platform_referrals_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	values[0] = PG_GETARG_DATUM(0);
	user = platform_referral_user_argument(fcinfo, 1);
	values[1] = UUIDPGetDatum(&user);

	platform_query_begin();
	for (int i = 0; i < TRIES && !code_of(values[1], &result[0]); i++)
	{
		char		code[REFERRAL_CODE_LENGTH + 1];

		if (platform_query_run(&member, values, NULL) == 0)
			platform_no_such("member");
		draw_code(code);
		values[2] = CStringGetTextDatum(code);
		created = platform_insert_once(&insert, values, NULL);
	}
	if (!code_of(values[1], &result[0]))
		platform_wrong_state("could not find a code that is free");
	platform_query_end();
	result[1] = BoolGetDatum(created);
	PG_RETURN_DATUM(platform_return_row(fcinfo, result, nulls));
}

/*
 * platform.validate_referral_code(code text) RETURNS (valid boolean, reason text)
 *
 * May somebody sign up with that code, in whatever case it is written? reason is
 * NULL, or PROGRAM_OFF, NOT_FOUND (also of NULL and of what is no code), INACTIVE. Says
 * nothing of whose it is. Any member role, with or without an identity.
 */
Datum
platform_validate_referral_code(PG_FUNCTION_ARGS)
{
	bool		nulls[2] = {false, false};
	Datum		result[2];
	ReferralCode code;
	const char *reason;

	platform_require_module(&platform_referrals_module);
	platform_query_begin();
	reason = platform_referral_find_code(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0), &code);
	platform_query_end();
	result[0] = BoolGetDatum(reason == NULL);
	result[1] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	nulls[1] = reason == NULL;
	PG_RETURN_DATUM(platform_return_row(fcinfo, result, nulls));
}

/*
 * platform.set_referral_code_active(organization_id uuid, user_id uuid, active boolean)
 *		RETURNS boolean
 *
 * While it is off nobody signs up with the code; who has come stays. True when that
 * changed something. Platform staff. Errors: 22004; 42501; PT404 the user has no code there;
 * 25006.
 */
Datum
platform_set_referral_code_active(PG_FUNCTION_ARGS)
{
	static PlatformQuery set =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_codes SET is_active = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2 AND is_active OPERATOR(pg_catalog.<>) $3",
					   UUIDOID, UUIDOID, BOOLOID);
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT 1 FROM platform.referral_codes WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[3];
	bool		changed;

	platform_referral_require_staff(fcinfo, "switch a referral code");
	platform_require_argument(fcinfo, 1, "user_id");
	platform_require_argument(fcinfo, 2, "active");
	platform_referral_require_other(PG_GETARG_UUID_P(1));
	for (int i = 0; i < 3; i++)
		values[i] = PG_GETARG_DATUM(i);
	platform_query_begin();
	changed = platform_query_run(&set, values, NULL) > 0;
	if (!changed && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("referral code");
	platform_query_end();
	PG_RETURN_BOOL(changed);
}
