/*
 * change.c
 *	  A row on its way into its table: see change.h.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/error.h"
#include "core/touch.h"

PlatformChange
platform_change_begin(FunctionCallInfo fcinfo, const char *name, int when)
{
	PlatformChange change;

	change.trigger = platform_trigger_guard(fcinfo, name,
											when | GUARD_ROW | GUARD_INSERT | GUARD_UPDATE);
	change.desc = RelationGetDescr(change.trigger->tg_relation);
	change.row = platform_trigger_row(change.trigger);
	change.old = TRIGGER_FIRED_BY_UPDATE(change.trigger->tg_event) ?
		change.trigger->tg_trigtuple : NULL;
	return change;
}

Datum
platform_change_end(PlatformChange *change)
{
	PlatformTouch touch;

	if (change->old != NULL)
	{
		platform_touch_prepare(&touch, change->trigger, "updated_at");
		change->row = platform_touch_row(&touch, change->trigger, change->row);
	}
	return PointerGetDatum(change->row);
}

Datum
platform_change_get(const PlatformChange *change, HeapTuple tuple, const char *column,
					bool *isnull)
{
	return heap_getattr(tuple, platform_trigger_column(change->trigger, column), change->desc,
						isnull);
}

char *
platform_change_get_text(const PlatformChange *change, HeapTuple tuple, const char *column)
{
	bool		isnull;
	Datum		value = platform_change_get(change, tuple, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

bool
platform_change_get_bool(const PlatformChange *change, HeapTuple tuple, const char *column)
{
	bool		isnull;
	Datum		value = platform_change_get(change, tuple, column, &isnull);

	return !isnull && DatumGetBool(value);
}

void
platform_change_set(PlatformChange *change, const char *column, Datum value, bool isnull)
{
	int			attnum = platform_trigger_column(change->trigger, column);

	change->row = heap_modify_tuple_by_cols(change->row, change->desc, 1, &attnum, &value,
											&isnull);
}

void
platform_change_set_now(PlatformChange *change, const char *column)
{
	platform_change_set(change, column,
						TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
}

bool
platform_change_is_new(const PlatformChange *change, const char *column)
{
	Form_pg_attribute attribute;
	bool		was_null;
	bool		isnull;
	Datum		was;
	Datum		value;

	if (change->old == NULL)
		return true;
	attribute = TupleDescAttr(change->desc, platform_trigger_column(change->trigger, column) - 1);
	was = platform_change_get(change, change->old, column, &was_null);
	value = platform_change_get(change, change->row, column, &isnull);
	if (was_null || isnull)
		return was_null != isnull;
	return !datum_image_eq(was, value, attribute->attbyval, attribute->attlen);
}

bool
platform_change_is_given(const PlatformChange *change, const char *column)
{
	return bms_is_member(platform_trigger_column(change->trigger, column) -
						 FirstLowInvalidHeapAttributeNumber,
						 change->trigger->tg_updatedcols);
}

bool
platform_change_has_status(const PlatformChange *change, HeapTuple tuple, const char *status)
{
	char	   *found = platform_change_get_text(change, tuple, "status");

	return found != NULL && strcmp(found, status) == 0;
}

bool
platform_change_follows(const PlatformChange *change, const char *what,
						const PlatformTransition *transitions, int count)
{
	char	   *from;
	char	   *to = platform_change_get_text(change, change->row, "status");

	if (change->old == NULL || to == NULL)
		return true;
	from = platform_change_get_text(change, change->old, "status");
	if (strcmp(from, to) == 0)
		return false;
	for (int i = 0; i < count; i++)
	{
		if (strcmp(transitions[i].from, from) != 0)
			continue;
		for (int j = 0; j < PLATFORM_TRANSITIONS_MOST && transitions[i].to[j] != NULL; j++)
		{
			if (strcmp(transitions[i].to[j], to) == 0)
				return true;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("%s that is %s cannot become %s", what, from, to)));
}

void
platform_change_keeps(const PlatformChange *change, const char *what,
					  const char *const *columns, int count)
{
	for (int i = 0; change->old != NULL && i < count; i++)
	{
		if (platform_change_is_new(change, columns[i]))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("%s of %s cannot change", columns[i], what)));
	}
}
