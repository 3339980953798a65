/*
 * status.c
 *	  Can a key be used? What key_status() asks of each.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "credentials/credentials.h"

/* The answer: usable, reason, detail, after what else the row has. */
static Datum
answer(FunctionCallInfo fcinfo, int32 version, const PlatformKeyFault *fault)
{
	TupleDesc	descriptor;
	Datum		values[4] = {0};
	bool		nulls[4] = {false};
	int			first;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	first = descriptor->natts - 3;
	values[0] = Int32GetDatum(version);
	nulls[0] = version == 0;
	nulls[first] = false;
	values[first] = BoolGetDatum(fault == NULL);
	nulls[first + 1] = nulls[first + 2] = fault == NULL;
	if (fault != NULL)
	{
		values[first + 1] = CStringGetTextDatum(platform_key_reason_name(fault->reason));
		values[first + 2] = CStringGetTextDatum(fault->detail == NULL ? fault->message :
												psprintf("%s: %s", fault->message, fault->detail));
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

PG_FUNCTION_INFO_V1(platform_check_root_key);

/*
 * platform.check_root_key(version integer DEFAULT NULL, OUT root_version integer,
 *		OUT usable boolean, OUT reason text, OUT detail text) returns record
 *
 * Is that version of the root key available, and the right one? NULL: the
 * newest that the source has. reason: NO_ROOT_KEY, WRONG_ROOT_KEY, or NULL.
 * Operators. Errors: 42501.
 */
Datum
platform_check_root_key(PG_FUNCTION_ARGS)
{
	int32		version = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	PlatformRootKeyRecord record;
	const PlatformRootKey *key;
	PlatformKeyFault fault;
	bool		recorded;

	platform_require_module(&platform_keys_module);
	platform_require_operator("look at keys");
	key = platform_root_key_find(version, &fault);
	if (key == NULL)
		return answer(fcinfo, version, &fault);
	version = key->version;

	platform_query_begin();
	recorded = platform_root_key_recorded(version, &record);
	platform_query_end();
	if (recorded && platform_root_key_checked(version, record.check_value, &fault) == NULL)
		return answer(fcinfo, version, &fault);
	return answer(fcinfo, version, NULL);
}

PG_FUNCTION_INFO_V1(platform_check_data_key);

/*
 * platform.check_data_key(organization_id uuid, purpose text, kind text, key_id integer,
 *		OUT usable boolean, OUT reason text, OUT detail text) returns record
 *
 * Can that data key be unwrapped? reason: NO_ROOT_KEY, WRONG_ROOT_KEY,
 * UNKNOWN_KEY, KEY_DESTROYED, NOT_AUTHENTIC, or NULL. Operators. Errors: 42501;
 * 22004; 22023 unknown kind.
 */
Datum
platform_check_data_key(PG_FUNCTION_ARGS)
{
	PlatformDataKeyKind kind = DATA_KEY_SECRET;
	PlatformKeyFault fault;
	const char *name;

	platform_require_module(&platform_keys_module);
	platform_require_operator("look at keys");
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "purpose");
	platform_require_argument(fcinfo, 2, "kind");
	platform_require_argument(fcinfo, 3, "key_id");
	name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (strcmp(name, platform_data_key_kind_name(DATA_KEY_INDEX)) == 0)
		kind = DATA_KEY_INDEX;
	else if (strcmp(name, platform_data_key_kind_name(DATA_KEY_SECRET)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kind of a data key must be secret or index")));
	if (platform_data_key_find(PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), kind,
							   PG_GETARG_INT32(3), &fault) == NULL)
		return answer(fcinfo, 0, &fault);
	return answer(fcinfo, 0, NULL);
}
