/*
 * claims.h
 *	  Claims of a token: which user and organization they name.
 */
#ifndef PLATFORM_CLAIMS_H
#define PLATFORM_CLAIMS_H

#include "core/identity.h"
#include "core/json.h"

typedef struct PlatformClaims
{
	bool		has_organization;
	pg_uuid_t	organization;	/* app_metadata.organization_id */
	const char *subject;		/* sub, or NULL */
	const char *role;			/* app_metadata.platform_role, or NULL */
} PlatformClaims;

extern void platform_claims_init(void);

/*
 * Reads what identifies the caller; texts live as long as the JSON.  False when
 * one of the claims has a wrong type or form, or when there is none of them.
 */
extern bool platform_claims_read(const PlatformJson *payload, PlatformClaims *claims);

/*
 * The identity that PostgREST's claims give this session, or NULL: only when
 * its login role is trusted to have verified them.
 */
extern const PlatformIdentity *platform_claims_identity(void);

#endif							/* PLATFORM_CLAIMS_H */
