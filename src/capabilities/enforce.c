/*
 * enforce.c
 *	  The trigger function for everybody's tables: rows that need a capability.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "capabilities/capabilities.h"

PG_FUNCTION_INFO_V1(platform_enforce_capability);

typedef struct EnforceTrigger
{
	PlatformCapability capability;
	AttrNumber	organization;
	AttrNumber	chatbot;
} EnforceTrigger;

static AttrNumber
uuid_column(const TriggerData *trigger, const char *name)
{
	AttrNumber	column = platform_trigger_column(trigger, name);

	if (TupleDescAttr(RelationGetDescr(trigger->tg_relation), column - 1)->atttypid != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must be of type uuid",
						name, RelationGetRelationName(trigger->tg_relation))));
	return column;
}

static EnforceTrigger *
enforce_trigger(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	EnforceTrigger *state = fcinfo->flinfo->fn_extra;
	char	  **arguments = trigger->tg_trigger->tgargs;

	if (state == NULL)
	{
		platform_trigger_arguments(trigger, "enforce_capability", 1, 2);
		state = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(EnforceTrigger));
		state->capability = platform_capability_by_name(arguments[0]);
		state->organization = uuid_column(trigger, "organization_id");
		state->chatbot = uuid_column(trigger,
									 trigger->tg_trigger->tgnargs > 1 ? arguments[1] : "chatbot_id");
		fcinfo->flinfo->fn_extra = state;
	}
	return state;
}

/* Is the column of both rows the same uuid? */
static bool
same_uuid(const TriggerData *trigger, AttrNumber column)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		new_null;
	bool		old_null;
	Datum		new_id = heap_getattr(trigger->tg_newtuple, column, desc, &new_null);
	Datum		old_id = heap_getattr(trigger->tg_trigtuple, column, desc, &old_null);

	if (new_null || old_null)
		return new_null == old_null;
	return platform_uuid_equal(DatumGetUUIDP(new_id), DatumGetUUIDP(old_id));
}

/*
 * platform.enforce_capability('capability' [, 'chatbot column']) returns trigger
 *
 * Refuses a row whose chatbot (column chatbot_id, or the named one, of the
 * organization in column organization_id) may not do that at this moment. A row
 * without a chatbot passes, and so does an UPDATE that leaves the chatbot: what
 * is switched off stops what is new and lets what runs be finished. Errors: PT403
 * a gate is closed (DETAIL names it), PT429 the usage gate, PT404 no such
 * chatbot, 42501 another organization than the caller's; 22023 unknown
 * capability or wrong number of arguments, 42703 missing column, 42804 a column
 * that is no uuid, 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER visits_enforce_call BEFORE INSERT OR UPDATE ON visits
 *			FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('call');
 */
Datum
platform_enforce_capability(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "enforce_capability",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	EnforceTrigger *state = enforce_trigger(fcinfo, trigger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	row = platform_trigger_row(trigger);
	bool		isnull;
	Datum		chatbot;
	Datum		organization;

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		same_uuid(trigger, state->chatbot) && same_uuid(trigger, state->organization))
		return PointerGetDatum(row);
	chatbot = heap_getattr(row, state->chatbot, desc, &isnull);
	if (isnull)
		return PointerGetDatum(row);

	organization = heap_getattr(row, state->organization, desc, &isnull);
	if (isnull)
		platform_no_such_chatbot(DatumGetUUIDP(chatbot));
	platform_require_organization(DatumGetUUIDP(organization));
	platform_capability_require(DatumGetUUIDP(organization), DatumGetUUIDP(chatbot),
								state->capability);
	return PointerGetDatum(row);
}
