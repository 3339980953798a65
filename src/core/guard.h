/*
 * guard.h
 *	  Trigger protocol: how and when a trigger function was called.
 */
#ifndef PLATFORM_GUARD_H
#define PLATFORM_GUARD_H

#include "commands/trigger.h"

#define GUARD_BEFORE	0x01
#define GUARD_AFTER		0x02
#define GUARD_ROW		0x04
#define GUARD_STATEMENT	0x08
#define GUARD_INSERT	0x10
#define GUARD_UPDATE	0x20
#define GUARD_DELETE	0x40
#define GUARD_TRUNCATE	0x80

/*
 * Returns the trigger data when the call fits one of the timings, one of the
 * levels and one of the events in allowed; otherwise raises 39P01 and says
 * what the function name expects.
 */
extern TriggerData *platform_trigger_guard(FunctionCallInfo fcinfo, const char *name, int allowed);

/* The tuple that the operation would store: NEW, or OLD for a DELETE. */
extern HeapTuple platform_trigger_row(const TriggerData *trigger);

/* Attribute number of a column of the trigger's table; 42703 when missing. */
extern AttrNumber platform_trigger_column(const TriggerData *trigger, const char *column);

/* Number of arguments in CREATE TRIGGER must lie in [least, most], else 22023. */
extern void platform_trigger_arguments(const TriggerData *trigger, const char *name,
									   int least, int most);

#endif							/* PLATFORM_GUARD_H */
