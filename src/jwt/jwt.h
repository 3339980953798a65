/*
 * jwt.h
 *	  What the functions that sign tokens share.
 */
#ifndef PLATFORM_JWT_JWT_H
#define PLATFORM_JWT_JWT_H

#include "utils/jsonb.h"

#include "core/jwt.h"

/*
 * The algorithm of an argument: HS256, HS384, HS512 or EdDSA.  22004 when it is
 * null, 22023 for any other.
 */
extern PlatformJwa platform_jwt_algorithm_argument(FunctionCallInfo fcinfo, int number);

/* A jsonb argument that must be an object; NULL when it is null. */
extern Jsonb *platform_jwt_object_argument(FunctionCallInfo fcinfo, int number,
										   const char *name);

/* Is there such a member in the object? */
extern bool platform_jwt_has_member(const Jsonb *object, const char *name);

/* Raises 22023 unless the key fits the algorithm. */
extern void platform_jwt_require_key(PlatformJwa algorithm, size_t length);

/* A header: alg, then the members of an object as text; NULL: typ JWT. */
extern char *platform_jwt_header(PlatformJwa algorithm, const char *more);

/* Signs JSON texts in the database's encoding. */
extern text *platform_jwt_token(PlatformJwa algorithm, const char *key, size_t key_length,
								const char *header, const char *payload);

/*
 * The moment of an argument, to the second since 1970; the clock's when it is
 * null.  Raises 22008 for an infinite one.
 */
extern int64 platform_jwt_seconds_argument(FunctionCallInfo fcinfo, int number, const char *name);

#endif							/* PLATFORM_JWT_JWT_H */
