/*
 * schema.c
 *	  Is the schema "platform" safe to create the extension in?
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "migrate/migrate.h"

static Oid
schema_owner(Oid namespace)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(namespace));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", namespace);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

static Oid
database_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
	owner = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
	ReleaseSysCache(tuple);
	return owner;
}

PG_FUNCTION_INFO_V1(platform_require_safe_schema);

/*
 * platform.require_safe_schema(creator regrole) returns void
 *
 * For the extension script only, which drops it again.  Raises 42501 when the
 * schema exists and belongs neither to the role that creates the extension,
 * nor to the database's owner, nor to a superuser: such an owner could plant
 * objects there, or drop ours.
 */
Datum
platform_require_safe_schema(PG_FUNCTION_ARGS)
{
	Oid			creator = PG_GETARG_OID(0);
	Oid			owner = schema_owner(get_namespace_oid(PLATFORM_SCHEMA, false));

	if (owner != creator && owner != database_owner() &&
		owner != ROLE_PG_DATABASE_OWNER && !superuser_arg(owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("schema \"%s\" belongs to role \"%s\"",
						PLATFORM_SCHEMA, GetUserNameFromId(owner, false)),
				 errdetail("It must belong to the role that creates the extension, to the database's owner, or to a superuser."),
				 errhint("ALTER SCHEMA %s OWNER TO such a role, or rename it.", PLATFORM_SCHEMA)));
	PG_RETURN_VOID();
}
