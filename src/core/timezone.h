/*
 * timezone.h
 *	  Names of time zones.
 */
#ifndef PLATFORM_TIMEZONE_H
#define PLATFORM_TIMEZONE_H

#include "pgtime.h"

/*
 * The zone of that name in the server's time zone database, whatever the case
 * of its letters; NULL when there is none.  POSIX rules such as "FOO-3" name
 * no place and are no zones here, nor are zones that count leap seconds.
 */
extern pg_tz *platform_find_timezone(const char *name);

/* The same; 22023 naming the zone when there is none. */
extern pg_tz *platform_require_timezone(const char *name);

#endif							/* PLATFORM_TIMEZONE_H */
