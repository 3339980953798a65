/*
 * runner.c
 *	  Who runs migrations, under which lock and settings.
 *
 * The lock is a heavyweight lock on the schema, held to the end of the
 * transaction: nobody can take it through SQL, and CREATE TABLE does not
 * conflict with it.
 */
#include "core/platform.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/error.h"
#include "core/module.h"
#include "migrate/migrate.h"

/* The role to run as: the tables' owner, or the caller before the first table. */
static Oid
runner_role(Oid caller, const char *action)
{
	Oid			owner;

	if (!OidIsValid(platform_relation_oid("schema_migrations", true)))
		return caller;
	owner = platform_relation_owner("schema_migrations");
	if (!has_privs_of_role(caller, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action),
				 errdetail("The tables belong to role \"%s\".",
						   GetUserNameFromId(owner, false))));
	return owner;
}

static void
require_create(Oid role, Oid namespace, const char *action)
{
	Datum		may = DirectFunctionCall3(has_schema_privilege_id_id,
										  ObjectIdGetDatum(role),
										  ObjectIdGetDatum(namespace),
										  PointerGetDatum(cstring_to_text("CREATE")));

	if (!DatumGetBool(may))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action),
				 errdetail("Role \"%s\" may not create tables in schema \"%s\".",
						   GetUserNameFromId(role, false), PLATFORM_SCHEMA),
				 errhint("GRANT CREATE ON SCHEMA %s to that role, or call as the schema's owner.",
						 PLATFORM_SCHEMA)));
}

/* As SET inside a function: gone when the runner or the transaction ends. */
static void
runner_set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
platform_runner_begin(Runner *runner, RunnerMode mode, const char *action)
{
	Oid			namespace = get_namespace_oid(PLATFORM_SCHEMA, false);
	int			sec_context;
	Oid			role;

	if (mode == RUNNER_CHANGES)
		LockDatabaseObject(NamespaceRelationId, namespace, 0, ShareUpdateExclusiveLock);

	GetUserIdAndSecContext(&runner->saved.userid, &runner->saved.sec_context);
	runner->caller = runner->saved.userid;
	role = runner_role(runner->caller, action);
	if (mode == RUNNER_CHANGES)
		require_create(role, namespace, action);

	/* What the owner hung on its tables gains nothing from the caller's rights. */
	sec_context = runner->saved.sec_context;
	if (role != runner->caller)
		sec_context |= SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION;
	SetUserIdAndSecContext(role, sec_context);

	runner->guc_level = NewGUCNestLevel();
	runner_set("search_path", "pg_catalog, pg_temp");
	runner_set("standard_conforming_strings", "on");
	if (client_min_messages < WARNING)
		runner_set("client_min_messages", "warning");
}

void
platform_runner_end(Runner *runner)
{
	AtEOXact_GUC(true, runner->guc_level);
	platform_restore_user(&runner->saved);
}
