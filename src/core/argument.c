/*
 * argument.c
 *	  Refusing arguments: one message each.
 */
#include "core/platform.h"

#include "utils/builtins.h"

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
