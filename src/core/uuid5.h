/*
 * uuid5.h
 *	  Keys made from names: UUID version 5.
 */
#ifndef PLATFORM_UUID5_H
#define PLATFORM_UUID5_H

/* The same namespace and bytes give the same key, here and everywhere. */
extern void platform_make_uuid5(const pg_uuid_t *name_space, const char *name, size_t length,
								pg_uuid_t *uuid);

extern PGDLLEXPORT Datum platform_uuid5(PG_FUNCTION_ARGS);

#endif							/* PLATFORM_UUID5_H */
