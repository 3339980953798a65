/*
 * jwt.h
 *	  Signed tokens: JSON Web Token (RFC 7519, RFC 7515, RFC 8725).
 */
#ifndef PLATFORM_JWT_H
#define PLATFORM_JWT_H

#include "core/jwk.h"
#include "core/json.h"

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
	JWT_BAD_CLAIMS,
	JWT_WRONG_ALGORITHM
} PlatformJwtVerdict;

/* A set of algorithms: JWT_ALGORITHM(JWA_HS256) | ... */
#define JWT_ALGORITHM(algorithm)	(1U << (algorithm))

/* A token cut at its dots, and what it says once it is verified. */
typedef struct PlatformJwt
{
	const PlatformJson *header;
	const char *text;
	size_t		signed_length;	/* header, dot and payload */
	const char *payload_segment;
	size_t		payload_segment_length;
	uint8	   *signature;
	int			signature_length;

	const PlatformJwk *key;		/* that matched */
	const PlatformJson *payload;
	const char *payload_text;	/* UTF-8, terminated */
	int			payload_length;
} PlatformJwt;

/* What a token must be. */
typedef struct PlatformJwtRules
{
	const PlatformJwk *keys;	/* each decides its algorithm */
	int			key_count;
	uint32		algorithms;		/* that are accepted at all */
	bool		any_id;			/* whatever kid the header has */
	bool		needs_expiry;
	double		now;			/* seconds since 1970 */
	double		leeway;			/* seconds */
	const char *issuer;			/* NULL: any */
	const char *audience;		/* NULL: any */
} PlatformJwtRules;

/*
 * Takes a token apart; what it allocates is in the current memory context.
 * False when it is malformed, or longer than length_max.
 */
extern bool platform_jwt_read(const char *token, size_t length, size_t length_max,
							  PlatformJwt *jwt);

/* Judges what was read; the payload can be read when it is valid. */
extern PlatformJwtVerdict platform_jwt_judge(PlatformJwt *jwt, const PlatformJwtRules *rules);

/*
 * The token of a header and a payload, which are JSON objects in UTF-8, signed
 * with a key's secret, or with the 32 bytes of an Ed25519 private key.
 */
extern text *platform_jwt_compose(PlatformJwa algorithm, const uint8 *key, size_t key_length,
							   const char *header, size_t header_length,
							   const char *payload, size_t payload_length);

/* The verdict's name for programs. */
extern const char *platform_jwt_reason(PlatformJwtVerdict verdict);

/* Raises 28000, or PT410 for what has expired. */
pg_noreturn extern void platform_jwt_refuse(PlatformJwtVerdict verdict);

/* Seconds since 1970 (RFC 7519, section 2: NumericDate). */
extern double platform_jwt_time(TimestampTz moment);

#endif							/* PLATFORM_JWT_H */
