/*
 * calls.c
 *	  What the functions of this module share: arguments, answers.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "core/argument.h"
#include "core/capability.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"

PlatformModule platform_voice_module = {"calls", 580, 0};

pg_uuid_t *
platform_voice_organization(FunctionCallInfo fcinfo, int argument)
{
	return platform_organization_argument(fcinfo, argument, &platform_voice_module);
}

/* Our names, and the providers' spellings of them. */
CallStatus
platform_call_status_argument(FunctionCallInfo fcinfo, int argument)
{
	static const struct
	{
		const char *name;
		CallStatus	status;
	}			spellings[] = {
		{"queued", CALL_PENDING},
		{"initiated", CALL_PENDING},
		{"answered", CALL_IN_PROGRESS},
		{"in-progress", CALL_IN_PROGRESS},
		{"no-answer", CALL_NO_ANSWER},
		{"cancelled", CALL_CANCELED},
	};
	char	   *name;
	CallStatus	status;

	platform_require_argument(fcinfo, argument, "status");
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (platform_call_status_parse(name, strlen(name), &status))
		return status;
	for (int i = 0; i < lengthof(spellings); i++)
	{
		if (strcmp(spellings[i].name, name) == 0)
			return spellings[i].status;
	}
	platform_bad_argument("status must be pending, ringing, in_progress, completed, failed, no_answer, busy or canceled");
}

void
platform_voice_set_time(Datum *values, bool *nulls, int i, TimestampTz at)
{
	values[i] = TimestampTzGetDatum(at);
	nulls[i] = at == DT_NOBEGIN;
}

bool
platform_voice_is_one_of(const text *value, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
	{
		if (platform_text_is(value, words[i]))
			return true;
	}
	return false;
}

void
platform_voice_check_interval(FunctionCallInfo fcinfo, int argument, const char *name)
{
	static const Interval shortest = {.time = USECS_PER_SEC};
	static const Interval longest = {.day = 1};
	Datum		interval;

	platform_require_argument(fcinfo, argument, name);
	interval = PG_GETARG_DATUM(argument);
	if (DatumGetBool(DirectFunctionCall2(interval_lt, interval, PointerGetDatum(&shortest))) ||
		DatumGetBool(DirectFunctionCall2(interval_gt, interval, PointerGetDatum(&longest))))
		platform_bad_argument(psprintf("%s must be between a second and a day", name));
}

Datum
platform_voice_list_of_call(FunctionCallInfo fcinfo, PlatformQuery *query)
{
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	Datum		values[2];

	platform_require_argument(fcinfo, 1, "call_id");
	platform_query_begin();
	platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_end();
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	return platform_query_return_rows(fcinfo, query, values, NULL);
}

pg_uuid_t
platform_voice_user(FunctionCallInfo fcinfo, int argument, const char *name, const char *action)
{
	const pg_uuid_t *self = platform_current_user();

	if (PG_ARGISNULL(argument) && self != NULL)
		return *self;
	platform_require_argument(fcinfo, argument, name);
	if (self == NULL || !platform_uuid_equal(self, PG_GETARG_UUID_P(argument)))
		platform_require_operator(action);
	return *PG_GETARG_UUID_P(argument);
}

void
platform_voice_require_calls(const pg_uuid_t *organization)
{
	platform_capability_require(organization, NULL, CAPABILITY_CALL);
}

void
platform_voice_require_call(const pg_uuid_t *organization, const pg_uuid_t *call)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.calls"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(call)};

	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such("call");
}

TimestampTz
platform_voice_moment(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz at;

	if (PG_ARGISNULL(argument))
		return now;
	at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_IS_NOBEGIN(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at must be a moment")));
	return at > now ? Min(at, GetCurrentTimestamp()) : at;
}
