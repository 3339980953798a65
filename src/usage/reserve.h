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

extern void platform_caps_reserve(UsageReservation *reservation);

/*
 * Records the report of the message for which it was set aside, amount -1: as
 * many segments as that. False: no such reservation. PT409 released, or another
 * message's.
 */
extern bool platform_caps_commit(const pg_uuid_t *id, UsageReport *report);

/* False: it was free before. PT409 committed. found may be NULL. */
extern bool platform_caps_release_reservation(const pg_uuid_t *organization, const pg_uuid_t *id,
											  bool *found);

#endif							/* PLATFORM_CAPS_RESERVE_H */
