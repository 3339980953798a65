/*
 * jwk.h
 *	  The keys that sign tokens: a JWK Set file (RFC 7517).
 */
#ifndef PLATFORM_JWK_H
#define PLATFORM_JWK_H

#include "core/crypto.h"

typedef enum PlatformJwa
{
	JWA_HS256,
	JWA_HS384,
	JWA_HS512,
	JWA_RS256,
	JWA_ES256,
	JWA_EDDSA,
	JWA_UNKNOWN
} PlatformJwa;

typedef struct PlatformJwk
{
	PlatformJwa algorithm;
	const char *id;				/* kid, or NULL */
	int			number;			/* in its list, from 1 */
	uint8	   *secret;			/* of the HS algorithms */
	size_t		secret_length;
	PlatformPublicKey *public_key;	/* of the others */
} PlatformJwk;

typedef struct PlatformJwkSet
{
	int			count;
	PlatformJwk keys[FLEXIBLE_ARRAY_MEMBER];
} PlatformJwkSet;

extern void platform_jwk_init(void);

/* The algorithm with that name (RFC 7518, RFC 8037), exactly. */
extern PlatformJwa platform_jwa(const char *name);
extern const char *platform_jwa_name(PlatformJwa algorithm);

/*
 * The keys in the file that platform.jwt_keys_file names, read again when the
 * file changed; good until the next call.  Raises F0000 when there is no usable
 * file; why stands in the server's log only.
 */
extern const PlatformJwkSet *platform_jwk_set(void);

#endif							/* PLATFORM_JWK_H */
