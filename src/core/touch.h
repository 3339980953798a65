/*
 * touch.h
 *	  Keeping updated_at: the trigger function's body, for combined triggers.
 *
 * A combined trigger (checks and updated_at in one) keeps a PlatformTouch in its
 * fn_extra, prepares it once per statement, and ends with
 *
 *		row = platform_touch_row(&touch, trigger, row);
 */
#ifndef PLATFORM_TOUCH_H
#define PLATFORM_TOUCH_H

#include "commands/trigger.h"

typedef struct PlatformTouch
{
	AttrNumber	attnum;
	bool		with_zone;		/* timestamptz, else timestamp */
} PlatformTouch;

/*
 * Finds the column in the trigger's table: 42703 when it is missing, 42804
 * when it holds no time.
 */
extern void platform_touch_prepare(PlatformTouch *touch, const TriggerData *trigger,
								   const char *column);

/*
 * In a BEFORE UPDATE row trigger: the row with the column set to the start of
 * the transaction, or as it is when it equals the old row.  row is
 * tg_newtuple or what the trigger made of it.
 */
extern HeapTuple platform_touch_row(const PlatformTouch *touch, const TriggerData *trigger,
									HeapTuple row);

/*
 * Is row, given to a BEFORE trigger, the new row's own tuple in memory of its
 * slot's? Then it may be changed where it stands, with tts_values of the slot.
 */
extern bool platform_slot_owns(TupleTableSlot *slot, HeapTuple row);

#endif							/* PLATFORM_TOUCH_H */
