/*
 * usage.c
 *	  What the functions of this module share: arguments, rights, answers.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "usage/usage.h"

PlatformModule platform_caps_module = {"usage", 600, 0};

void
platform_caps_init(void)
{
	platform_caps_limits_init();
	platform_caps_tiers_init();
	platform_caps_record_init();
	platform_caps_check_init();
	platform_caps_quota_init();
}

pg_uuid_t *
platform_caps_uuid(FunctionCallInfo fcinfo, int argument, const char *name)
{
	platform_require_argument(fcinfo, argument, name);
	return PG_GETARG_UUID_P(argument);
}

int64
platform_caps_amount(FunctionCallInfo fcinfo, int argument, const char *name, int64 least)
{
	platform_require_argument(fcinfo, argument, name);
	if (PG_GETARG_INT64(argument) < least || PG_GETARG_INT64(argument) > USAGE_AMOUNT_MAX)
		platform_bad_argument(psprintf("%s must be between " INT64_FORMAT " and " INT64_FORMAT,
									   name, least, USAGE_AMOUNT_MAX));
	return PG_GETARG_INT64(argument);
}

void
platform_caps_require_customer(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	const pg_uuid_t *own;

	if (platform_is_operator())
		return;
	platform_require_organization(organization);
	if (platform_is_organization_admin())
		return;
	own = platform_current_user();
	if (own == NULL || !platform_uuid_equal(own, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for another user's usage")));
}

void
platform_caps_no_customer(const pg_uuid_t *user)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("user %s has no usage limits in this organization",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(user)))),
			 errhint("Give it a plan with platform.apply_tier().")));
}
