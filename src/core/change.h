/*
 * change.h
 *	  A row on its way into its table: what triggers that keep states ask of it,
 *	  and do to it.
 *
 *		PlatformChange change = platform_change_begin(fcinfo, "check_deal", GUARD_BEFORE);
 *
 *		if (platform_change_follows(&change, "a deal", transitions, lengthof(transitions)) &&
 *			platform_change_has_status(&change, change.row, "paid"))
 *			platform_change_set_now(&change, "paid_at");
 *		return platform_change_end(&change);
 *
 * Columns are named; 42703 when the trigger's table has none of that name.
 */
#ifndef PLATFORM_CHANGE_H
#define PLATFORM_CHANGE_H

#include "core/guard.h"

typedef struct PlatformChange
{
	TriggerData *trigger;
	TupleDesc	desc;
	HeapTuple	row;			/* as it is to be */
	HeapTuple	old;			/* NULL: it is inserted */
} PlatformChange;

#define PLATFORM_TRANSITIONS_MOST 8

/* What a status may become; NULL ends the list. */
typedef struct PlatformTransition
{
	const char *from;
	const char *to[PLATFORM_TRANSITIONS_MOST];
} PlatformTransition;

/* Of a row trigger for INSERT and UPDATE; when is GUARD_BEFORE or GUARD_AFTER. 39P01 otherwise. */
extern PlatformChange platform_change_begin(FunctionCallInfo fcinfo, const char *name, int when);

/* Keeps updated_at; the trigger's result. */
extern Datum platform_change_end(PlatformChange *change);

/* A column of change->row or change->old. */
extern Datum platform_change_get(const PlatformChange *change, HeapTuple tuple,
								 const char *column, bool *isnull);

/* NULL for a null. */
extern char *platform_change_get_text(const PlatformChange *change, HeapTuple tuple,
									  const char *column);

/* false for a null. */
extern bool platform_change_get_bool(const PlatformChange *change, HeapTuple tuple,
									 const char *column);

extern void platform_change_set(PlatformChange *change, const char *column, Datum value,
								bool isnull);

/* The transaction's start. */
extern void platform_change_set_now(PlatformChange *change, const char *column);

/* Is it another value than before? Of an inserted row everything is. */
extern bool platform_change_is_new(const PlatformChange *change, const char *column);

/* Does the statement that updates the row give it that column? */
extern bool platform_change_is_given(const PlatformChange *change, const char *column);

extern bool platform_change_has_status(const PlatformChange *change, HeapTuple tuple,
									   const char *status);

/*
 * Of an updated row: PT409 unless its status is as before or may follow, in which
 * case it returns true; what is "a deal". True for an inserted one.
 */
extern bool platform_change_follows(const PlatformChange *change, const char *what,
									const PlatformTransition *transitions, int count);

/* Of an updated row: PT409 when one of these columns is another than before. */
extern void platform_change_keeps(const PlatformChange *change, const char *what,
								  const char *const *columns, int count);

#endif							/* PLATFORM_CHANGE_H */
