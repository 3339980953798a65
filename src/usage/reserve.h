/*
 * reserve.h
 *	  Segments set aside.
 */
#ifndef PLATFORM_CAPS_RESERVE_H
#define PLATFORM_CAPS_RESERVE_H

#include "usage/record.h"

typedef struct UsageReservation
{
	pg_uuid_t	id;				/* made by who reserves */
	pg_uuid_t	organization;
	pg_uuid_t	user;
	int64		segments;
	text	   *key;			/* or NULL */
	TimestampTz expires_at;

	/* The answer. */
	const char *reason;			/* why not; NULL: they are set aside */
	int64		remaining;		/* after that; not of a duplicate */
	bool		duplicate;		/* id and end are those of the first */
} UsageReservation;

/* Why the customer may not send so many segments; NULL: it may. */
extern const char *platform_caps_shortage(const UsageLimits *limits, int64 segments);

/* Is there one with that id, in whatever state? */
extern bool platform_caps_find_reservation(const pg_uuid_t *organization, const pg_uuid_t *id);

extern void platform_caps_reserve(UsageReservation *reservation);

/*
 * Records the report of the message for which it was set aside, amount -1: as
 * many segments as that. False: no such reservation. strict: PT409 when it was
 * released, or committed for another message; else the former is recorded and the
 * latter changes nothing.
 */
extern bool platform_caps_commit(const pg_uuid_t *id, UsageReport *report, bool strict);

/* False: it was free before. strict: PT409 when it was committed. */
extern bool platform_caps_release_reservation(const pg_uuid_t *organization, const pg_uuid_t *id,
											  bool strict, bool *found);

#endif							/* PLATFORM_CAPS_RESERVE_H */
