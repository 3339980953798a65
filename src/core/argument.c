/*
 * argument.c
 *	  Arguments of SQL functions: see argument.h.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"

void
platform_require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" cannot be null", name)));
}

pg_uuid_t *
platform_organization_argument(FunctionCallInfo fcinfo, int number, PlatformModule *module)
{
	platform_require_module(module);
	platform_require_argument(fcinfo, number, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(number));
	return PG_GETARG_UUID_P(number);
}

int64
platform_require_interval(FunctionCallInfo fcinfo, int number, const char *name,
						  bool may_be_zero, int days_max)
{
	int64		longest = days_max * USECS_PER_DAY;
	int64		shortest = may_be_zero ? 0 : 1;
	const Interval *interval;
	int64		result;

	platform_require_argument(fcinfo, number, name);
	interval = PG_GETARG_INTERVAL_P(number);
	/* each part within bounds, so that the sum cannot overflow */
	if (interval->month != 0 || interval->day > 2 * days_max || interval->day < -2 * days_max ||
		interval->time > 2 * longest || interval->time < -2 * longest ||
		(result = interval->day * USECS_PER_DAY + interval->time) < shortest || result > longest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be %s zero and at most %d %s", name,
						may_be_zero ? "at least" : "greater than",
						days_max, days_max == 1 ? "day" : "days")));
	return result;
}

bool
platform_text_fits(const text *value, int most)
{
	int			bytes = VARSIZE_ANY_EXHDR(value);

	return bytes >= 1 && (bytes <= most || pg_mbstrlen_with_len(VARDATA_ANY(value), bytes) <= most);
}

text *
platform_optional_text(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
	text	   *value = platform_text_argument(fcinfo, number);

	if (value != NULL && !platform_text_fits(value, most))
		platform_bad_argument(psprintf("%s must have 1 to %d characters", name, most));
	return value;
}

text *
platform_required_text(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
	platform_require_argument(fcinfo, number, name);
	return platform_optional_text(fcinfo, number, name, most);
}

text *
platform_text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_TEXT_PP(number);
}

bool
platform_text_is(const text *value, const char *word)
{
	return strlen(word) == VARSIZE_ANY_EXHDR(value) &&
		memcmp(word, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) == 0;
}

int
platform_count_argument(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
	int			count;

	platform_require_argument(fcinfo, number, name);
	count = PG_GETARG_INT32(number);
	if (count < 1 || count > most)
		platform_bad_argument(psprintf("%s must be between 1 and %d", name, most));
	return count;
}

int
platform_limit_argument(FunctionCallInfo fcinfo, int number, int most)
{
	return platform_count_argument(fcinfo, number, "limit", most);
}

text *
platform_phone_argument(FunctionCallInfo fcinfo, int number, const char *name,
						const PlatformPhoneRegion *region)
{
	text	   *phone = platform_text_argument(fcinfo, number);
	char		e164[PLATFORM_E164_SIZE];

	if (phone == NULL)
		return NULL;
	if (!platform_normalize_phone(VARDATA_ANY(phone), VARSIZE_ANY_EXHDR(phone), region, e164))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("%s is no telephone number", name),
				 errhint("Write it as it is dialled in the region, or with its country code, as +13125550100.")));
	return cstring_to_text(e164);
}

const PlatformPhoneRegion *
platform_region_argument(FunctionCallInfo fcinfo, int number)
{
	platform_require_argument(fcinfo, number, "region");
	return platform_require_phone_region(PG_GETARG_TEXT_PP(number));
}

void
platform_copy_arguments(FunctionCallInfo fcinfo, int first, int count, Datum *values, bool *nulls)
{
	for (int i = 0; i < count; i++)
	{
		nulls[i] = PG_ARGISNULL(first + i);
		values[i] = nulls[i] ? (Datum) 0 : PG_GETARG_DATUM(first + i);
	}
}

void
platform_set_text(Datum *values, bool *nulls, int i, text *value)
{
	values[i] = PointerGetDatum(value);
	nulls[i] = value == NULL;
}

void
platform_bad_argument(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
}

void
platform_rule_violation(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("%s", message)));
}

void
platform_wrong_state(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("%s", message)));
}

void
platform_no_such(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("no such %s in the organization", what)));
}

void
platform_no_such_organization(const pg_uuid_t *organization)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("organization %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(organization))))));
}

void
platform_no_such_user(const pg_uuid_t *user)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("user %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(user))))));
}
