/*
 * identity.c
 *	  Who calls, and for which organization.
 */
#include "core/platform.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"

void
platform_identity_init(void)
{
}

bool
platform_is_operator(void)
{
	return superuser() || has_privs_of_role(GetUserId(), platform_owner());
}

void
platform_require_operator(const char *action)
{
	if (!platform_is_operator())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action)));
}

const pg_uuid_t *
platform_current_organization(void)
{
	return NULL;
}

bool
platform_may_act_for(const pg_uuid_t *organization)
{
	const pg_uuid_t *own;

	if (platform_is_operator())
		return true;
	own = platform_current_organization();
	return own != NULL && platform_uuid_equal(own, organization);
}

void
platform_require_organization(const pg_uuid_t *organization)
{
	if (!platform_may_act_for(organization))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for this organization")));
}
