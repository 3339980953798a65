/*
 * crm.c
 *	  What the functions of this module share: arguments, refusals, answers.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "crm/crm.h"

PlatformModule platform_crm_module = {"crm", 620, 0};

pg_uuid_t *
platform_crm_organization(FunctionCallInfo fcinfo, int argument)
{
	platform_require_module(&platform_crm_module);
	platform_require_argument(fcinfo, argument, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(argument));
	return PG_GETARG_UUID_P(argument);
}

void
platform_crm_bad_argument(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
}

void
platform_crm_rule(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("%s", message)));
}

void
platform_crm_wrong_state(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("%s", message)));
}

void
platform_crm_no_such(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("no such %s in the organization", what)));
}

void
platform_crm_set_arguments(FunctionCallInfo fcinfo, int count, Datum *values, bool *nulls)
{
	for (int i = 0; i < count; i++)
	{
		nulls[i] = PG_ARGISNULL(i);
		values[i] = nulls[i] ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
}

void
platform_crm_set_text(Datum *values, bool *nulls, int i, text *value)
{
	values[i] = PointerGetDatum(value);
	nulls[i] = value == NULL;
}

void
platform_crm_optional_text(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	text	   *value;
	int			length;

	if (PG_ARGISNULL(argument))
		return;
	value = PG_GETARG_TEXT_PP(argument);
	length = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	if (length < 1 || length > most)
		platform_crm_bad_argument(psprintf("%s must have 1 to %d characters", name, most));
}

void
platform_crm_required_text(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	platform_require_argument(fcinfo, argument, name);
	platform_crm_optional_text(fcinfo, argument, name, most);
}

text *
platform_crm_number(FunctionCallInfo fcinfo, int argument, const char *name,
					const PlatformPhoneRegion *region)
{
	char		e164[PLATFORM_E164_SIZE];
	text	   *number;

	if (PG_ARGISNULL(argument))
		return NULL;
	number = PG_GETARG_TEXT_PP(argument);
	if (!platform_normalize_phone(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number), region, e164))
		platform_crm_rule(psprintf("%s is no telephone number", name));
	return cstring_to_text(e164);
}

const PlatformPhoneRegion *
platform_crm_region(FunctionCallInfo fcinfo, int argument)
{
	platform_require_argument(fcinfo, argument, "region");
	return platform_require_phone_region(PG_GETARG_TEXT_PP(argument));
}

bool
platform_crm_is_word(const text *value, const char *word)
{
	return strlen(word) == VARSIZE_ANY_EXHDR(value) &&
		memcmp(word, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) == 0;
}

void
platform_crm_check_limit(FunctionCallInfo fcinfo, int argument, int most)
{
	platform_require_argument(fcinfo, argument, "limit");
	if (PG_GETARG_INT32(argument) < 1 || PG_GETARG_INT32(argument) > most)
		platform_crm_bad_argument(psprintf("limit must be between 1 and %d", most));
}

Datum
platform_crm_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}
