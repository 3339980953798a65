/*
 * record.h
 *	  Recording what was used.
 */
#ifndef PLATFORM_CAPS_RECORD_H
#define PLATFORM_CAPS_RECORD_H

#include "usage/limits.h"

/* A call or a message, as it is reported. Texts must outlive the call. */
typedef struct UsageReport
{
	UsageKind	kind;
	pg_uuid_t	organization;
	pg_uuid_t	user;
	text	   *key;			/* the call's or the message's */
	int64		amount;			/* all of it, as this report says */
	TimestampTz at;				/* when it happened */
	bool		has_cost;
	int64		cost;			/* all of it, in cents */
	text	   *event_id;		/* or NULL, as what follows */
	text	   *direction;
	text	   *phone_number;
	text	   *agent_id;
	int64		release;		/* segments that were set aside for it */

	/* The answer. */
	pg_uuid_t	id;				/* of the event; of the newest one of a duplicate */
	bool		duplicate;		/* nothing was done */
	int64		difference;
	bool		late;			/* counted in a period that is over */
	UsageLimits limits;			/* afterwards */
} UsageReport;

/* Records it, whatever the limit, for a customer who may be new. */
extern void platform_caps_record(UsageReport *report);

/*
 * Takes segments out of those set aside; the last one takes the time with it.
 */
static inline void
platform_caps_release(UsageLimits *limits, int64 segments)
{
	limits->reserved = Max(limits->reserved - segments, 0);
	if (limits->reserved == 0)
		limits->reserved_until = DT_NOEND;
}

/*
 * late.c: counts a difference in a period that is over, found by its id or, where
 * that is NULL, by the moment; makes one where there was none yet. What then goes
 * over into later periods differs: they are written too, marked, and the present
 * one's limits are changed. The customer's row is locked.
 */
typedef struct UsageLate
{
	UsageKind	kind;
	const pg_uuid_t *period;
	TimestampTz at;
	int64		difference;

	pg_uuid_t	period_id;		/* the answer */
} UsageLate;

extern void platform_caps_count_late(UsageLimits *limits, UsageLate *late);

/* The prices in force at a moment; false: there was no plan. */
extern bool platform_caps_snapshot_at(const UsageLimits *limits, TimestampTz at,
									   pg_uuid_t *snapshot);

#endif							/* PLATFORM_CAPS_RECORD_H */
