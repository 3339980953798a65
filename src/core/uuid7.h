/*
 * uuid7.h
 *	  Time-ordered keys: UUID version 7 (RFC 9562, section 5.7).
 */
#ifndef PLATFORM_UUID7_H
#define PLATFORM_UUID7_H

/* A new key, greater than every earlier one of this backend. */
extern void platform_make_uuid7(pg_uuid_t *uuid);

#endif							/* PLATFORM_UUID7_H */
