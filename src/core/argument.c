/*
 * argument.c
 *	  Refusing arguments: one message each.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"

void
platform_require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" cannot be null", name)));
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
