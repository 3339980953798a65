/*
 * counter_rows.h
 *	  The rows of a counter: columns, changes, insertion. For counter*.c only.
 */
#ifndef PLATFORM_FEATURES_COUNTER_ROWS_H
#define PLATFORM_FEATURES_COUNTER_ROWS_H

#include "core/row.h"
#include "features/counter.h"

#define COUNTER_SLOTS 32

/* Places in platform_usage_table.columns. */
enum
{
	C_ORGANIZATION,
	C_FEATURE,
	C_PERIOD_START,
	C_SLOT,
	C_DAYS,
	C_USED,
	C_UNKEYED,
	C_OVERAGE,
	C_RESERVED,
	C_RESERVED_UNTIL,
	C_CREDIT,
	C_CREDIT_DAY,
	C_CREDIT_DAILY_LIMIT,
	C_CREDIT_MONTHLY_LIMIT,
	C_SLOTS,
	C_ANNOUNCED,
	C_COLUMNS
};

extern PlatformRowTable platform_usage_table;

/* keys[4] of one row; slot 0 is the root. */
extern void platform_usage_keys(const Counter *counter, int slot, Datum *keys);

/* Names the counter in platform_mutex_lock() and in hints. */
extern uint64 platform_usage_hash(const Counter *counter);

/* Usage of the period's n-th day. */
extern int64 platform_usage_row_day(const PlatformRow *row, int day);

/* Adds to the columns; 22003 when a sum leaves the range. */
extern void platform_usage_row_add(PlatformRow *row, int column, int64 change);
extern void platform_usage_row_change(PlatformRow *row, const CounterChange *change);

/* What the decision does to the row that counts it. */
extern void platform_usage_change(const Counter *counter, CounterChange *change);

/* The earliest expiry of an open reservation; DT_NOEND for none. */
extern TimestampTz platform_usage_reserved_until(const PlatformRow *row);
extern void platform_usage_set_reserved_until(PlatformRow *row, TimestampTz until);

/* Are there reservations that time has ended but nobody has settled? */
extern bool platform_usage_settlement_due(const PlatformRow *row);

/* Inserts the rows of slots first to last, unless they are there. */
extern void platform_usage_insert_rows(const Counter *counter, int first, int last);

/* Is any limit enforced? */
static inline bool
counter_is_limited(const Counter *counter)
{
	return counter->limit[COUNTER_MONTH] >= 0 || counter->limit[COUNTER_DAY] >= 0;
}

/* May a slot take it: plain consumption, not a reservation or its end. */
static inline bool
counter_fits_slots(const Counter *counter)
{
	return counter->held == 0 && !counter->reserve;
}

/* How the amount is answered when usage is as in used[], which must be exact. */
extern void platform_counter_decide(Counter *counter, const int64 *used);

/* Usage after what was decided, and thresholds to announce; marks them in the root. */
extern void platform_counter_conclude(Counter *counter, const int64 *used, PlatformRow *root);

/* The answer of a refusal. */
extern void platform_counter_refuse(Counter *counter, const int64 *used);

/* The n-th slot that this session tries. */
static inline int
counter_slot(int n, int slots)
{
	return 1 + (platform_backend_number() + n * 11) % slots;
}

/* Was the slot's credit given for these limits and this day? */
extern bool platform_usage_credit_is_valid(const PlatformRow *row, const Counter *counter);
extern void platform_usage_give_credit(PlatformRow *row, const Counter *counter, int64 credit);

/*
 * Counts at the root, where alone it is known what all slots hold. contended:
 * splits the counter if there is enough left. True when counted or refused,
 * false to begin again.
 */
extern bool platform_counter_consume_at_root(Counter *counter, bool contended);

/* From what is committed, is it certain that the amount is refused? */
extern bool platform_counter_is_refused(Counter *counter);

#endif							/* PLATFORM_FEATURES_COUNTER_ROWS_H */
