/*
 * migrate.c
 *	  install, rollback and verify: from the catalogue of migrations to tables.
 */
#include "core/platform.h"

#include "miscadmin.h"

PG_FUNCTION_INFO_V1(platform_require_safe_schema);

Datum
platform_require_safe_schema(PG_FUNCTION_ARGS)
{
	PG_RETURN_VOID();
}
