/*
 * sessions.h
 *	  What the files of this module share.
 *
 *	sessions.c	creating, verifying and touching a session; its setting
 *	revoke.c	ending sessions; listing and purging them
 */
#ifndef PLATFORM_SESSIONS_H
#define PLATFORM_SESSIONS_H

#include "core/module.h"

extern PlatformModule platform_sessions_module;

extern void platform_sessions_init(void);

/*
 * Of two transactions that add or end all sessions of a user in an
 * organization the second waits for the first's end.
 */
extern void platform_sessions_lock(const pg_uuid_t *organization, const pg_uuid_t *user);

/* The moment that lies an interval before or after now; 22008 when out of range. */
extern TimestampTz platform_sessions_moment(TimestampTz now, Datum interval, bool before);

#endif							/* PLATFORM_SESSIONS_H */
