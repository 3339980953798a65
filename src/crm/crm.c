/*
 * crm.c
 *	  What the functions of this module share.
 */
#include "core/platform.h"

#include "core/argument.h"
#include "crm/crm.h"

PlatformModule platform_crm_module = {"crm", 620, 0};

pg_uuid_t *
platform_crm_organization(FunctionCallInfo fcinfo, int argument)
{
	return platform_organization_argument(fcinfo, argument, &platform_crm_module);
}
