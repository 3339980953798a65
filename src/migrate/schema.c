/*
 * schema.c
 *	  What the extension's scripts do beside making objects: refuse a schema that
 *	  is not safe, and see to it that nothing is PUBLIC's.
 *
 * The scripts create the functions here for their own use and drop them again.
 * In a trusted extension they run as the bootstrap superuser; the role that
 * the extension belongs to is in pg_extension.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "core/query.h"

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

static PlatformQuery find_extension_owner =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT extowner FROM pg_catalog.pg_extension"
				   " WHERE extname OPERATOR(pg_catalog.=) 'platform'");

static PlatformQuery list_members =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT d.classid, d.objid"
				   " FROM pg_catalog.pg_depend d, pg_catalog.pg_extension e"
				   " WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
				   " AND d.refobjid OPERATOR(pg_catalog.=) e.oid"
				   " AND d.deptype OPERATOR(pg_catalog.=) 'e'"
				   " AND e.extname OPERATOR(pg_catalog.=) 'platform'");

/* Within a query. */
static Oid
extension_owner(void)
{
	bool		isnull;

	if (platform_query_run(&find_extension_owner, NULL, NULL) != 1)
		elog(ERROR, "extension \"platform\" does not exist");
	return DatumGetObjectId(platform_row_datum(0, 1, &isnull));
}

PG_FUNCTION_INFO_V1(platform_require_safe_schema);

/*
 * platform.require_safe_schema() returns void
 *
 * Raises 42501 when the schema exists and belongs neither to the role that
 * creates the extension, nor to the database's owner, nor to a superuser: such
 * an owner could plant objects there, or drop ours.
 */
Datum
platform_require_safe_schema(PG_FUNCTION_ARGS)
{
	Oid			owner = schema_owner(get_namespace_oid(PLATFORM_SCHEMA, false));
	Oid			creator;

	platform_query_begin();
	creator = extension_owner();
	platform_query_end();

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

static void
run_grant(const char *statement)
{
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", statement);
}

/* Takes an object from PUBLIC and gives it to the extension's owner, to pass on. */
static void
secure_member(Oid class, Oid object, const char *owner)
{
	const char *privilege;
	const char *name;

	if (class == ProcedureRelationId)
	{
		privilege = "EXECUTE";
		name = psprintf("ROUTINE %s", format_procedure_qualified(object));
	}
	else if (class == RelationRelationId)
	{
		privilege = "SELECT";
		name = psprintf("TABLE %s", quote_qualified_identifier(PLATFORM_SCHEMA, get_rel_name(object)));
	}
	else
		return;
	run_grant(psprintf("REVOKE ALL ON %s FROM PUBLIC", name));
	run_grant(psprintf("GRANT %s ON %s TO %s WITH GRANT OPTION", privilege, name, owner));
}

PG_FUNCTION_INFO_V1(platform_secure_extension);

/*
 * platform.secure_extension() returns void
 *
 * EXECUTE is the grant: takes every member of the extension from PUBLIC, and
 * gives it to the extension's owner, who is not the functions' owner when the
 * extension is trusted, nor the caller when a superuser updates it.
 */
Datum
platform_secure_extension(PG_FUNCTION_ARGS)
{
	const char *owner;
	uint64		rows;
	Oid		   *members;

	platform_query_begin();
	owner = quote_identifier(GetUserNameFromId(extension_owner(), false));
	rows = platform_query_run(&list_members, NULL, NULL);
	members = palloc(sizeof(Oid) * 2 * (rows + 1));
	for (uint64 row = 0; row < rows; row++)
	{
		bool		isnull;

		members[2 * row] = DatumGetObjectId(platform_row_datum(row, 1, &isnull));
		members[2 * row + 1] = DatumGetObjectId(platform_row_datum(row, 2, &isnull));
	}
	for (uint64 row = 0; row < rows; row++)
		secure_member(members[2 * row], members[2 * row + 1], owner);
	platform_query_end();
	PG_RETURN_VOID();
}
