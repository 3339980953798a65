/*
 * grant.c
 *	  Member roles: what they may call and read.
 *
 * The catalogue platform.member_privileges names functions and tables; what
 * is not installed yet is skipped here and granted by the next install().
 * GRANT runs as the caller, so it can give only what the caller may give; the
 * server merely warns when that is nothing, hence the check afterwards.
 */
#include "core/platform.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/regproc.h"

#include "core/error.h"
#include "core/grant.h"
#include "core/identity.h"
#include "core/module.h"
#include "core/query.h"

/* One row of the catalogue, with the object that it names. */
typedef struct Privilege
{
	bool		is_function;
	char	   *object;
	char	   *privilege;
	Oid			oid;			/* InvalidOid: not installed yet */
} Privilege;

static PlatformQuery list_privileges =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT kind, object, privilege,"
				   " CASE kind WHEN 'function'"
				   " THEN pg_catalog.to_regprocedure(pg_catalog.concat('" PLATFORM_SCHEMA ".', object))::oid"
				   " ELSE pg_catalog.to_regclass(pg_catalog.concat('" PLATFORM_SCHEMA ".', object))::oid END"
				   " FROM platform.member_privileges"
				   " ORDER BY kind, object, privilege");

static PlatformQuery list_members =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT m.role_name FROM platform.member_roles m"
				   " JOIN pg_catalog.pg_roles r"
				   " ON r.rolname OPERATOR(pg_catalog.=) m.role_name::pg_catalog.name"
				   " ORDER BY 1");

static PlatformQuery record_member =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.member_roles (role_name) VALUES ($1)"
				   " ON CONFLICT (role_name) DO NOTHING",
				   TEXTOID);

static PlatformQuery forget_member =
	PLATFORM_QUERY(QUERY_OWNER,
				   "DELETE FROM platform.member_roles"
				   " WHERE role_name OPERATOR(pg_catalog.=) $1",
				   TEXTOID);

/* Who else gave the role something that the catalogue lists. */
static PlatformQuery find_other_grantor =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT pg_catalog.pg_get_userbyid(acl.grantor)::text"
				   " FROM platform.member_privileges m"
				   " JOIN (SELECT p.oid, a.grantor, a.grantee FROM pg_catalog.pg_proc p,"
				   "  pg_catalog.aclexplode(p.proacl) a"
				   "  UNION ALL SELECT c.oid, a.grantor, a.grantee FROM pg_catalog.pg_class c,"
				   "  pg_catalog.aclexplode(c.relacl) a) acl"
				   " ON acl.oid OPERATOR(pg_catalog.=) CASE m.kind WHEN 'function'"
				   " THEN pg_catalog.to_regprocedure(pg_catalog.concat('" PLATFORM_SCHEMA ".', m.object))::oid"
				   " ELSE pg_catalog.to_regclass(pg_catalog.concat('" PLATFORM_SCHEMA ".', m.object))::oid END"
				   " WHERE acl.grantee OPERATOR(pg_catalog.=) $1"
				   " ORDER BY 1 LIMIT 1",
				   OIDOID);

static void
run_statement(const char *statement)
{
	int			result = SPI_execute(statement, false, 0);

	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
}

/* The catalogue's rows, in the current memory context. */
static Privilege *
load_privileges(int *count)
{
	uint64		rows = platform_query_run(&list_privileges, NULL, NULL);
	Privilege  *privileges = SPI_palloc(sizeof(Privilege) * Max(rows, 1));

	for (uint64 row = 0; row < rows; row++)
	{
		bool		missing;
		Datum		oid = platform_row_datum(row, 4, &missing);
		char	   *kind = platform_row_cstring(row, 1);

		privileges[row].is_function = strcmp(kind, "function") == 0;
		privileges[row].object = platform_row_cstring(row, 2);
		privileges[row].privilege = platform_row_cstring(row, 3);
		privileges[row].oid = missing ? InvalidOid : DatumGetObjectId(oid);
	}
	*count = (int) rows;
	return privileges;
}

static char *
object_name(const Privilege *privilege)
{
	if (privilege->is_function)
		return psprintf("FUNCTION %s", format_procedure_qualified(privilege->oid));
	return psprintf("TABLE %s", quote_qualified_identifier(PLATFORM_SCHEMA, privilege->object));
}

/* The server warns and goes on when the caller could grant nothing. */
static void
check_granted(const Privilege *privilege, Oid role)
{
	AclResult	result;

	if (!privilege->is_function)
		return;
#if PG_VERSION_NUM >= 160000
	result = object_aclcheck(ProcedureRelationId, privilege->oid, role, ACL_EXECUTE);
#else
	result = pg_proc_aclcheck(privilege->oid, role, ACL_EXECUTE);
#endif
	if (result != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to grant the extension's functions"),
				 errhint("Grant as the role that created the extension, or as a superuser.")));
}

static void
grant_one_role(const char *role_name, Oid role, const Privilege *privileges, int count)
{
	const char *quoted = quote_identifier(role_name);

	run_statement(psprintf("GRANT USAGE ON SCHEMA %s TO %s", PLATFORM_SCHEMA, quoted));
	for (int i = 0; i < count; i++)
	{
		if (!OidIsValid(privileges[i].oid))
			continue;
		run_statement(psprintf("GRANT %s ON %s TO %s", privileges[i].privilege,
							   object_name(&privileges[i]), quoted));
		check_granted(&privileges[i], role);
	}
}

/* Names in the catalogue and in DDL mean the server's own types and operators. */
static int
pin_search_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

int
platform_grant_members(void)
{
	int			nest_level = pin_search_path();
	int			count;
	Privilege  *privileges = load_privileges(&count);
	int			members = (int) platform_query_run(&list_members, NULL, NULL);
	char	  **names = SPI_palloc(sizeof(char *) * Max(members, 1));

	for (int i = 0; i < members; i++)
		names[i] = platform_row_cstring(i, 1);
	for (int i = 0; i < members; i++)
		grant_one_role(names[i], get_role_oid(names[i], false), privileges, count);

	AtEOXact_GUC(true, nest_level);
	return members;
}

/* A member must be limited by its organization: see identity.h. */
static void
check_member_role(const char *role_name, Oid role)
{
	if (platform_role_is_operator(role))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" is an operator and cannot be a member", role_name),
				 errdetail("Superusers, roles with BYPASSRLS and members of the tables' owner see every organization.")));
}

/* The role's Oid: 42704 when missing, 22023 for PUBLIC, which is every role. */
static Oid
member_role_oid(const char *role_name, bool missing_ok)
{
	if (strcmp(role_name, "public") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"public\" is every role and cannot be a member")));
	return get_role_oid(role_name, missing_ok);
}

PG_FUNCTION_INFO_V1(platform_grant_member);

/*
 * platform.grant_member(role name) returns void
 *
 * Makes a role a member: it may call the functions and read the tables that
 * platform.member_privileges lists, limited by row security to the
 * organization of its identity.  What is installed later, install() grants.
 * Repeating it does no harm.  Operators only (42501); 42704 for a missing role,
 * 22023 for PUBLIC and for operators, 55000 before install().
 */
Datum
platform_grant_member(PG_FUNCTION_ARGS)
{
	char	   *role_name = NameStr(*PG_GETARG_NAME(0));
	Datum		name_text = CStringGetTextDatum(role_name);
	Privilege  *privileges;
	Oid			role;
	int			count;
	int			nest_level;

	platform_require_operator("grant membership");
	role = member_role_oid(role_name, false);
	check_member_role(role_name, role);
	(void) platform_relation_oid("member_roles", false);

	nest_level = pin_search_path();
	platform_query_begin();
	privileges = load_privileges(&count);
	grant_one_role(role_name, role, privileges, count);
	platform_query_run(&record_member, &name_text, NULL);
	platform_query_end();
	AtEOXact_GUC(true, nest_level);
	PG_RETURN_VOID();
}

/* REVOKE takes back only what its own role gave, and says nothing of the rest. */
static void
warn_of_other_grantors(const char *role_name, Oid role)
{
	Datum		argument = ObjectIdGetDatum(role);

	if (platform_query_run(&find_other_grantor, &argument, NULL) > 0)
	{
		const char *grantor = platform_row_cstring(0, 1);

		ereport(WARNING,
				(errcode(ERRCODE_WARNING_PRIVILEGE_NOT_REVOKED),
				 errmsg("role \"%s\" keeps what role \"%s\" granted it", role_name, grantor),
				 errhint("Call platform.revoke_member() as role \"%s\" too.", grantor)));
	}
}

PG_FUNCTION_INFO_V1(platform_revoke_member);

/*
 * platform.revoke_member(role name) returns void
 *
 * Takes back what grant_member() gave, and forgets the role.  A role that was
 * dropped is only forgotten.  Warns (01006) when the role keeps what another role
 * granted it.  Operators only (42501); 42704 for a role that
 * neither exists nor is recorded, 22023 for PUBLIC, 55000 before install().
 */
Datum
platform_revoke_member(PG_FUNCTION_ARGS)
{
	char	   *role_name = NameStr(*PG_GETARG_NAME(0));
	Datum		name_text = CStringGetTextDatum(role_name);
	const char *quoted = quote_identifier(role_name);
	Oid			role;
	int			nest_level;

	platform_require_operator("revoke membership");
	role = member_role_oid(role_name, true);
	(void) platform_relation_oid("member_roles", false);

	nest_level = pin_search_path();
	platform_query_begin();
	if (platform_query_run(&forget_member, &name_text, NULL) == 0 && !OidIsValid(role))
		(void) get_role_oid(role_name, false);
	if (OidIsValid(role))
	{
		int			count;
		Privilege  *privileges = load_privileges(&count);

		for (int i = 0; i < count; i++)
			if (OidIsValid(privileges[i].oid))
				run_statement(psprintf("REVOKE %s ON %s FROM %s", privileges[i].privilege,
									   object_name(&privileges[i]), quoted));
		run_statement(psprintf("REVOKE USAGE ON SCHEMA %s FROM %s", PLATFORM_SCHEMA, quoted));
		warn_of_other_grantors(role_name, role);
	}
	platform_query_end();
	AtEOXact_GUC(true, nest_level);
	PG_RETURN_VOID();
}
