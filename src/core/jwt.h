/*
 * jwt.h
 *	  Signed tokens: JSON Web Token (RFC 7519, RFC 7515, RFC 8725).
 */
#ifndef PLATFORM_JWT_H
#define PLATFORM_JWT_H

#include "core/claims.h"

typedef enum PlatformJwtVerdict
{
	JWT_VALID,
	JWT_MALFORMED,
	JWT_UNSUPPORTED,
	JWT_UNKNOWN_KEY,
	JWT_BAD_SIGNATURE,
	JWT_NO_EXPIRY,
	JWT_EXPIRED,
	JWT_NOT_YET_VALID,
	JWT_WRONG_ISSUER,
	JWT_WRONG_AUDIENCE,
	JWT_BAD_CLAIMS
} PlatformJwtVerdict;

extern void platform_jwt_init(void);

/*
 * Verifies a token and reads who it names into *claims, whose texts live in the
 * current memory context.  Raises F0000 when the keys are not available.
 */
extern PlatformJwtVerdict platform_jwt_verify(const char *token, size_t length,
											  PlatformClaims *claims);

#endif							/* PLATFORM_JWT_H */
