/*
 * counter.h
 *	  One window's counter: what usage.c asks of counter.c.
 */
#ifndef PLATFORM_FEATURES_COUNTER_H
#define PLATFORM_FEATURES_COUNTER_H

#include "core/query.h"
#include "features/features.h"

/*
 * No row counts beyond this, so that sums over a counter's rows fit in 64 bits
 * without a check at every addition.
 */
#define COUNTER_MAX INT64CONST(100000000000000000)

enum
{
	COUNTER_MONTH,
	COUNTER_DAY,
	COUNTER_WINDOWS
};

/* Which threshold of which window, as bits. */
#define COUNTER_SOFT			0x1
#define COUNTER_HARD			0x2
#define COUNTER_CROSSED(window, threshold) ((threshold) << (2 * (window)))

typedef enum CounterAtLimit
{
	AT_LIMIT_REJECT,			/* all or nothing */
	AT_LIMIT_CAP,				/* what fits */
	AT_LIMIT_OVERFLOW			/* all; what does not fit is overage */
} CounterAtLimit;

typedef struct Counter
{
	/* The row. feature is a text datum that outlives the call. */
	pg_uuid_t	organization;
	Datum		feature;
	FeatureTerms terms;
	FeaturePeriod period;

	/* The request. */
	int64		amount;
	CounterAtLimit at_limit;
	int64		held;			/* units of a reservation that end with it */
	bool		reserve;		/* hold the amount until expires_at */
	TimestampTz expires_at;
	bool		keyed;			/* an event will record it */
	bool		want_totals;	/* used[] is needed */

	/* The answer. */
	bool		allowed;
	int64		consumed;		/* reserved, where that was asked */
	int64		overage;
	int64		used[COUNTER_WINDOWS];	/* afterwards */
	int			crossed;		/* COUNTER_CROSSED() bits: thresholds to announce */

	/* private */
	int			announced;		/* the row's, before */
	int64		limit[COUNTER_WINDOWS]; /* that is enforced; -1 none */
	int64		soft[COUNTER_WINDOWS];
	int			slot;			/* where it was counted */
} Counter;

extern void platform_counter_init(void);

/* Terms and windows for a moment. */
extern void platform_counter_prepare(Counter *counter, const pg_uuid_t *organization,
									 text *feature, TimestampTz at);

/* Counts the amount, or refuses it and changes nothing. */
extern void platform_counter_consume(Counter *counter);

/* Takes back what platform_counter_consume() has just counted. */
extern void platform_counter_undo(Counter *counter);

/*
 * Adds to the row of (organization, feature, period_start); amounts may be
 * negative and are not checked against limits. False when there is no row.
 */
typedef struct CounterChange
{
	int64		used;
	int64		unkeyed;
	int64		overage;
	int64		reserved;
	int			day;			/* of the period; gets used */
	int64		day_only;		/* for the day beyond used: repairs */
} CounterChange;

extern bool platform_counter_adjust(const pg_uuid_t *organization, Datum feature,
									TimestampTz period_start, const CounterChange *change);

/* Makes the counter's root if there is none. */
extern void platform_counter_ensure(const Counter *counter);

/* Totals over all of a counter's rows, in one snapshot of now. */
extern void platform_counter_totals(Counter *counter);

/* From which usage on the state is soft. */
extern int64 platform_counter_soft_limit(int64 limit, int soft_percent);

#endif							/* PLATFORM_FEATURES_COUNTER_H */
