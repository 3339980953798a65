/*
 * tenants.c
 *	  What the files of this module share.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "core/guard.h"
#include "tenants/tenants.h"

PlatformModule platform_tenants_module = {.name = "tenants", .version = 510};

TenantTrigger *
platform_tenant_trigger(FunctionCallInfo fcinfo, const TriggerData *trigger,
						const char *const *names)
{
	TenantTrigger *state = fcinfo->flinfo->fn_extra;
	TenantTrigger found = {0};

	if (state != NULL)
		return state;
	platform_touch_prepare(&found.touch, trigger, "updated_at");
	for (int i = 0; names[i] != NULL; i++)
	{
		Assert(i < lengthof(found.columns));
		found.columns[i] = platform_trigger_column(trigger, names[i]);
	}
	state = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(TenantTrigger));
	*state = found;
	fcinfo->flinfo->fn_extra = state;
	return state;
}

bool
platform_column_given(const TriggerData *trigger, AttrNumber column)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Form_pg_attribute attribute = TupleDescAttr(desc, column - 1);
	bool		is_null;
	bool		was_null;
	Datum		is = heap_getattr(platform_trigger_row(trigger), column, desc, &is_null);
	Datum		was;

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return !is_null;
	was = heap_getattr(trigger->tg_trigtuple, column, desc, &was_null);
	if (is_null || was_null)
		return is_null != was_null;
	return !datumIsEqual(is, was, attribute->attbyval, attribute->attlen);
}

char *
platform_column_text(const TriggerData *trigger, HeapTuple row, AttrNumber column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column, RelationGetDescr(trigger->tg_relation), &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

pg_uuid_t *
platform_column_uuid(const TriggerData *trigger, HeapTuple row, AttrNumber column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column, RelationGetDescr(trigger->tg_relation), &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of table \"%s\"",
						NameStr(TupleDescAttr(RelationGetDescr(trigger->tg_relation),
											  column - 1)->attname),
						RelationGetRelationName(trigger->tg_relation))));
	return DatumGetUUIDP(value);
}
