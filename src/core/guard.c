/*
 * guard.c
 *	  Trigger protocol: how and when a trigger function was called.
 */
#include "core/platform.h"

#include "executor/spi.h"
#include "utils/rel.h"

#include "core/guard.h"

static void
protocol_error(const char *name, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"%s\" must be fired %s", name, expected)));
}

TriggerData *
platform_trigger_guard(FunctionCallInfo fcinfo, const char *name, int allowed)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TriggerEvent event;
	bool		event_fits;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by the trigger manager", name)));

	event = trigger->tg_event;
	if (!((allowed & GUARD_BEFORE && TRIGGER_FIRED_BEFORE(event)) ||
		  (allowed & GUARD_AFTER && TRIGGER_FIRED_AFTER(event))))
		protocol_error(name, allowed & GUARD_BEFORE ? "BEFORE" : "AFTER");
	if (!((allowed & GUARD_ROW && TRIGGER_FIRED_FOR_ROW(event)) ||
		  (allowed & GUARD_STATEMENT && TRIGGER_FIRED_FOR_STATEMENT(event))))
		protocol_error(name, allowed & GUARD_ROW ? "FOR EACH ROW" : "FOR EACH STATEMENT");

	event_fits = (allowed & GUARD_INSERT && TRIGGER_FIRED_BY_INSERT(event)) ||
		(allowed & GUARD_UPDATE && TRIGGER_FIRED_BY_UPDATE(event)) ||
		(allowed & GUARD_DELETE && TRIGGER_FIRED_BY_DELETE(event)) ||
		(allowed & GUARD_TRUNCATE && TRIGGER_FIRED_BY_TRUNCATE(event));
	if (!event_fits)
		protocol_error(name, psprintf("on%s%s%s%s",
									  allowed & GUARD_INSERT ? " INSERT" : "",
									  allowed & GUARD_UPDATE ? " UPDATE" : "",
									  allowed & GUARD_DELETE ? " DELETE" : "",
									  allowed & GUARD_TRUNCATE ? " TRUNCATE" : ""));
	return trigger;
}

HeapTuple
platform_trigger_row(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
}

AttrNumber
platform_trigger_column(const TriggerData *trigger, const char *column)
{
	AttrNumber	attnum = SPI_fnumber(RelationGetDescr(trigger->tg_relation), column);

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("trigger \"%s\" needs a column \"%s\" in table \"%s\"",
						trigger->tg_trigger->tgname, column,
						RelationGetRelationName(trigger->tg_relation))));
	return attnum;
}

void
platform_trigger_arguments(const TriggerData *trigger, const char *name, int least, int most)
{
	int			given = trigger->tg_trigger->tgnargs;

	if (given < least || given > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger function \"%s\" takes %d to %d arguments, not %d",
						name, least, most, given)));
}
