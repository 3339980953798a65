/*
 * calls.c
 *	  What the functions of this module share: arguments, answers.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"

PlatformModule platform_voice_module = {"calls", 580, 0};

pg_uuid_t *
platform_voice_organization(FunctionCallInfo fcinfo, int argument)
{
	platform_require_module(&platform_voice_module);
	platform_require_argument(fcinfo, argument, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(argument));
	return PG_GETARG_UUID_P(argument);
}

void
platform_voice_check_text(const text *value, const char *name, int most)
{
	int			length = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (length < 1 || length > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d characters", name, most)));
}

text *
platform_voice_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_TEXT_PP(argument);
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

Datum
platform_voice_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

void
platform_voice_no_such(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("no such %s in the organization", what)));
}
