/*
 * force.c
 *	  An operator's override: pause or resume a customer, whatever the limit, with
 *	  a reason and an end. The arithmetic neither sets nor clears it, nor does a new
 *	  period or a payment; its end is seen when somebody looks.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "usage/limits.h"

PG_FUNCTION_INFO_V1(platform_force_pause);
PG_FUNCTION_INFO_V1(platform_force_resume);
PG_FUNCTION_INFO_V1(platform_clear_force);

static PlatformQuery set_force =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.usage_limits SET force_pause = $3, force_resume = NOT $3,"
				   " force_until = $4, force_reason = $5, force_by = $6"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, BOOLOID, TIMESTAMPTZOID, TEXTOID, TEXTOID);

static PlatformQuery clear_force =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.usage_limits SET force_pause = false, force_resume = false,"
				   " force_until = NULL, force_reason = NULL, force_by = NULL"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND force_until IS NOT NULL",
				   UUIDOID, UUIDOID);

/* Who does it: the identity's subject, or the role. */
static const char *
actor(void)
{
	const char *subject = platform_current_subject();

	return subject != NULL ? subject : GetUserNameFromId(GetUserId(), false);
}

static void
force(FunctionCallInfo fcinfo, bool pause)
{
	Datum		values[6];

	platform_require_operator(pause ? "pause a customer" : "resume a customer");
	platform_require_module(&platform_caps_module);
	values[0] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 0, "organization_id"));
	values[1] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 1, "user_id"));
	values[2] = BoolGetDatum(pause);
	values[4] = PointerGetDatum(platform_required_text(fcinfo, 2, "reason", 500));
	platform_require_argument(fcinfo, 3, "until");
	if (PG_GETARG_TIMESTAMPTZ(3) <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("until must be in the future")));
	values[3] = PG_GETARG_DATUM(3);
	values[5] = CStringGetTextDatum(actor());
	platform_query_begin();
	if (platform_query_run(&set_force, values, NULL) == 0)
		platform_caps_no_customer(DatumGetUUIDP(values[1]));
	platform_query_end();
}

/*
 * platform.force_pause(organization_id uuid, user_id uuid, reason text, until timestamptz)
 *		RETURNS void
 *
 * Stops calls and messages of a customer until a moment (infinity: until
 * clear_force()), whatever the limit. Replaces force_resume(). Operators. Errors:
 * 42501; 22004; 22023 until is past; PT404 no limits; 25006.
 */
Datum
platform_force_pause(PG_FUNCTION_ARGS)
{
	force(fcinfo, true);
	PG_RETURN_VOID();
}

/*
 * platform.force_resume(organization_id uuid, user_id uuid, reason text, until timestamptz)
 *		RETURNS void
 *
 * Lets a customer go on until a moment, whatever the limit; what is used is
 * counted. Replaces force_pause(). Errors as there.
 */
Datum
platform_force_resume(PG_FUNCTION_ARGS)
{
	force(fcinfo, false);
	PG_RETURN_VOID();
}

/*
 * platform.clear_force(organization_id uuid, user_id uuid) RETURNS boolean
 *
 * Ends what force_pause() or force_resume() began; false when there was nothing.
 * Operators. Errors: 42501, 22004, 25006.
 */
Datum
platform_clear_force(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	bool		cleared;

	platform_require_operator("clear an override");
	platform_require_module(&platform_caps_module);
	values[0] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 0, "organization_id"));
	values[1] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 1, "user_id"));
	platform_query_begin();
	cleared = platform_query_run(&clear_force, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(cleared);
}
