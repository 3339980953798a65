/*
 * touch.c
 *	  Keeping updated_at.
 *
 * The time is written into the row where it stands: the executor hands a
 * BEFORE trigger a tuple that the slot of the new row owns, so the eight bytes
 * are replaced there, and in the slot's values if it has taken the tuple apart
 * already.  Where the slot does not own the tuple, or the column was null,
 * the tuple is formed anew.
 *
 * What is known of the table is kept in fn_extra, which lives as long as the
 * statement; the table cannot change its shape in that time.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/guard.h"
#include "core/touch.h"

void
platform_touch_prepare(PlatformTouch *touch, const TriggerData *trigger, const char *column)
{
	AttrNumber	attnum = platform_trigger_column(trigger, column);
	Oid			type = TupleDescAttr(RelationGetDescr(trigger->tg_relation),
									 attnum - 1)->atttypid;

	if (type != TIMESTAMPTZOID && type != TIMESTAMPOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must be of type timestamp with or without time zone",
						column, RelationGetRelationName(trigger->tg_relation))));
	touch->attnum = attnum;
	touch->with_zone = type == TIMESTAMPTZOID;
}

/* Do both tuples hold the same bytes, transaction marks apart? */
static bool
same_contents(HeapTuple a, HeapTuple b)
{
	HeapTupleHeader x = a->t_data;
	HeapTupleHeader y = b->t_data;

	return a->t_len == b->t_len &&
		x->t_hoff == y->t_hoff &&
		HeapTupleHeaderGetNatts(x) == HeapTupleHeaderGetNatts(y) &&
		(x->t_infomask & ~HEAP_XACT_MASK) == (y->t_infomask & ~HEAP_XACT_MASK) &&
		memcmp((char *) x + SizeofHeapTupleHeader, (char *) y + SizeofHeapTupleHeader,
			   a->t_len - SizeofHeapTupleHeader) == 0;
}

/* Where the tuple holds the column, or NULL when it is null or left out. */
static char *
column_address(HeapTuple tuple, TupleDesc desc, AttrNumber attnum)
{
	HeapTupleHeader header = tuple->t_data;
	bits8	   *bits = HeapTupleHasNulls(tuple) ? header->t_bits : NULL;
	char	   *data = (char *) header + header->t_hoff;
	uint32		offset = 0;

	if (HeapTupleHeaderGetNatts(header) < attnum || (bits && att_isnull(attnum - 1, bits)))
		return NULL;
	for (int i = 0; i < attnum; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (bits && att_isnull(i, bits))
			continue;
		offset = att_align_pointer(offset, attribute->attalign, attribute->attlen, data + offset);
		if (i < attnum - 1)
			offset = att_addlength_pointer(offset, attribute->attlen, data + offset);
	}
	return data + offset;
}

bool
platform_slot_owns(TupleTableSlot *slot, HeapTuple row)
{
	return slot != NULL &&
		(TTS_IS_BUFFERTUPLE(slot) || TTS_IS_HEAPTUPLE(slot)) &&
		((HeapTupleTableSlot *) slot)->tuple == row &&
		TTS_SHOULDFREE(slot);
}

HeapTuple
platform_touch_row(const PlatformTouch *touch, const TriggerData *trigger, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	TupleTableSlot *slot = trigger->tg_newslot;
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	int			attnum = touch->attnum;
	char	   *address = NULL;
	bool		isnull = false;

	if (same_contents(row, trigger->tg_trigtuple))
		return row;
	if (!touch->with_zone)
		now = DirectFunctionCall1(timestamptz_timestamp, now);

	if (platform_slot_owns(slot, row))
		address = column_address(row, desc, touch->attnum);
	if (address == NULL)
		return heap_modify_tuple_by_cols(row, desc, 1, &attnum, &now, &isnull);

	*(int64 *) address = DatumGetInt64(now);
	if (slot->tts_nvalid >= attnum)
		slot->tts_values[attnum - 1] = now;
	return row;
}

PG_FUNCTION_INFO_V1(platform_touch_updated_at);

/*
 * platform.touch_updated_at([column]) returns trigger
 *
 * Sets the column (default: updated_at; timestamp with or without time zone)
 * to now(), the start of the transaction, whatever the statement gave it. A
 * row that the statement leaves as it was keeps its time. Errors: 39P01 unless
 * it fires BEFORE UPDATE FOR EACH ROW, 22023 for more arguments, 42703 for a
 * missing column, 42804 for one of another type.
 *
 *		CREATE TRIGGER <table>_touch BEFORE UPDATE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
 */
Datum
platform_touch_updated_at(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "touch_updated_at",
												  GUARD_BEFORE | GUARD_ROW | GUARD_UPDATE);
	PlatformTouch *touch = fcinfo->flinfo->fn_extra;

	if (touch == NULL)
	{
		const Trigger *definition = trigger->tg_trigger;
		PlatformTouch prepared;

		platform_trigger_arguments(trigger, "touch_updated_at", 0, 1);
		platform_touch_prepare(&prepared, trigger,
							   definition->tgnargs > 0 ? definition->tgargs[0] : "updated_at");
		touch = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(PlatformTouch));
		*touch = prepared;
		fcinfo->flinfo->fn_extra = touch;
	}
	return PointerGetDatum(platform_touch_row(touch, trigger, trigger->tg_newtuple));
}
