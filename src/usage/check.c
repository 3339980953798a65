/*
 * check.c
 *	  May a customer go on? Reads that write nothing.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/gate.h"
#include "core/identity.h"
#include "usage/limits.h"

PG_FUNCTION_INFO_V1(platform_check_usage);
PG_FUNCTION_INFO_V1(platform_require_usage);

/* Finds the customer's limits, of now; false: it has none. */
static bool
look(const pg_uuid_t *organization, const pg_uuid_t *user, UsageLimits *limits)
{
	PlatformRow row;
	bool		found;

	platform_caps_open_read(&row);
	found = platform_caps_look(&row, organization, user, limits);
	platform_row_close(&row);
	return found;
}

/*
 * platform.check_usage(organization_id uuid, user_id uuid)
 *		RETURNS (allowed boolean, reason text, limit_state text, remaining_seconds bigint,
 *				 remaining_sms bigint, resets_at timestamptz, sms_allowed boolean,
 *				 sms_reason text, sms_limit_state text, used_seconds bigint,
 *				 limit_seconds bigint, used_sms bigint, limit_sms bigint)
 *
 * May the customer call (allowed), may it send (sms_allowed), and how much is left
 * until resets_at. Reasons: OK; FORCED an operator lets it; OVERAGE beyond the limit,
 * which does not stop this customer; HARD_STOP; PAUSED by an operator; NO_PLAN;
 * PLAN_ENDED. A limit is cap + credit + rollover + grace. Writes nothing: a period
 * that is over counts as rolled. For a customer without limits NO_PLAN and NULLs.
 * Members: themselves; administrators: their organization. Errors: 42501, 22004.
 */
Datum
platform_check_usage(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *user = platform_caps_uuid(fcinfo, 1, "user_id");
	UsageLimits limits;
	const char *objection;
	const char *why;
	Datum		values[13] = {0};
	bool		nulls[13] = {false};

	platform_caps_expect(organization, user);
	platform_require_module(&platform_caps_module);
	platform_caps_require_customer(organization, user);
	if (!look(organization, user, &limits))
	{
		memset(nulls, true, sizeof(nulls));
		nulls[0] = nulls[1] = nulls[6] = nulls[7] = false;
		values[0] = values[6] = BoolGetDatum(false);
		values[1] = values[7] = platform_constant_text("NO_PLAN");
		PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
	}

	objection = platform_caps_objection(&limits, USAGE_CALL, 1, &why);
	values[0] = BoolGetDatum(objection == NULL);
	values[1] = platform_constant_text(objection != NULL ? objection : why);
	values[2] = platform_constant_text(platform_caps_state_name(limits.state[USAGE_CALL]));
	values[3] = Int64GetDatum(platform_caps_remaining(&limits, USAGE_CALL));
	values[4] = Int64GetDatum(platform_caps_remaining(&limits, USAGE_SMS));
	values[5] = TimestampTzGetDatum(limits.period_end);
	objection = platform_caps_objection(&limits, USAGE_SMS, 1, &why);
	values[6] = BoolGetDatum(objection == NULL);
	values[7] = platform_constant_text(objection != NULL ? objection : why);
	values[8] = platform_constant_text(platform_caps_state_name(limits.state[USAGE_SMS]));
	values[9] = Int64GetDatum(limits.used[USAGE_CALL]);
	values[10] = Int64GetDatum(platform_caps_total(&limits, USAGE_CALL));
	values[11] = Int64GetDatum(limits.used[USAGE_SMS]);
	values[12] = Int64GetDatum(platform_caps_total(&limits, USAGE_SMS));
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

static UsageKind
kind_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *kind;

	platform_require_argument(fcinfo, argument, "kind");
	kind = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (strcmp(kind, "call") == 0)
		return USAGE_CALL;
	if (strcmp(kind, "sms") == 0)
		return USAGE_SMS;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("kind must be call or sms")));
}

static void
refuse(UsageKind kind, const char *reason, int64 remaining)
{
	bool		limit = strcmp(reason, "HARD_STOP") == 0;

	ereport(ERROR,
			(errcode(limit ? ERRCODE_PLATFORM_LIMIT_REACHED : ERRCODE_PLATFORM_INSUFFICIENT_FUNDS),
			 limit ? errmsg("usage limit of %s reached", kind == USAGE_CALL ? "calls" : "messages") :
			 errmsg("usage of %s is stopped: %s", kind == USAGE_CALL ? "calls" : "messages", reason),
			 limit ? errdetail("What is left: " INT64_FORMAT ".", remaining) : 0));
}

/*
 * platform.require_usage(organization_id uuid, user_id uuid, kind text DEFAULT 'call',
 *						  amount bigint DEFAULT 1) RETURNS void
 *
 * Raises unless the customer may use so much more: seconds of a call or segments
 * of messages (sms). Writes nothing. Members: themselves; administrators: their
 * organization. Errors: PT429 the limit is reached; PT402 no plan, its end, or
 * paused by an operator; 42501, 22004, 22023.
 */
Datum
platform_require_usage(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *user = platform_caps_uuid(fcinfo, 1, "user_id");
	UsageKind	kind = kind_argument(fcinfo, 2);
	int64		amount = platform_caps_amount(fcinfo, 3, "amount", 1);
	UsageLimits limits;
	const char *reason = "NO_PLAN";
	const char *why;
	int64		remaining = 0;

	platform_require_module(&platform_caps_module);
	platform_caps_require_customer(organization, user);
	if (look(organization, user, &limits))
	{
		reason = platform_caps_objection(&limits, kind, amount, &why);
		remaining = platform_caps_remaining(&limits, kind);
	}
	if (reason != NULL)
		refuse(kind, reason, remaining);
	PG_RETURN_VOID();
}

/*
 * The gate of calls: closed while the organization has customers with limits and
 * none of them may call. One that merely used something, without ever having had
 * a plan or bought anything, does not count.
 */
static const char *
usage_gate(const pg_uuid_t *organization)
{
	Datum		key = UUIDPGetDatum(organization);
	const char *closed = NULL;
	bool		open = false;
	PlatformRow row;

	if (!platform_module_installed(&platform_caps_module))
		return NULL;
	platform_caps_open_read(&row);
	platform_row_scan_begin(&row, &key, 1, true);
	while (!open && platform_row_scan_next(&row))
	{
		UsageLimits limits;
		const char *objection;
		const char *why;

		platform_caps_load(&row, &limits);
		platform_caps_see_now(&row, &limits);
		objection = platform_caps_objection(&limits, USAGE_CALL, 1, &why);
		if (objection == NULL)
			open = true;
		else if (closed == NULL && strcmp(objection, "NO_PLAN") != 0)
			closed = objection;
	}
	platform_row_scan_end(&row);
	platform_row_close(&row);
	return open ? NULL : closed;
}

void
platform_caps_check_init(void)
{
	platform_usage_gate = usage_gate;
}
