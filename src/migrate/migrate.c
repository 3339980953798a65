/*
 * migrate.c
 *	  From the catalogue of migrations to tables: install, rollback, status.
 *
 * Everything here happens in the caller's transaction, behind the runner's
 * lock: a step that fails leaves nothing behind.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/cache.h"
#include "core/error.h"
#include "core/grant.h"
#include "core/module.h"
#include "migrate/adopt.h"
#include "migrate/migrate.h"
#include "migrate/repair.h"
#include "migrate/shape.h"

/* One row of install() and rollback(); started is 0 for a step that was not run. */
static void
put_step(FunctionCallInfo fcinfo, const Migration *migration, const char *action,
		 TimestampTz started)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Interval   *duration = palloc0(sizeof(Interval));
	Datum		values[4] = {
		Int32GetDatum(migration->version),
		CStringGetTextDatum(migration->module),
		CStringGetTextDatum(action),
		IntervalPGetDatum(duration),
	};
	bool		nulls[4] = {false, false, false, started == 0};

	duration->time = GetCurrentTimestamp() - started;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Tells every session that the list of applied migrations changed. */
static void
announce_change(void)
{
	Oid			relid = platform_relation_oid("schema_migrations", true);

	if (OidIsValid(relid))
		CacheInvalidateRelcacheByRelid(relid);
}

/* The names in an argument of type text[]; 22023 for a null among them. */
static List *
module_names(ArrayType *array)
{
	List	   *names = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("module name cannot be null")));
		names = lappend(names, TextDatumGetCString(elements[i]));
	}
	return names;
}

/* Those that are installed unasked, and those that are installed already. */
static List *
all_modules(List *migrations)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);

		if (migration->description != NULL && (!migration->optional || migration->applied))
			names = lappend(names, migration->module);
	}
	return names;
}

/*
 * Runs a migration's "up", fitting tables and indexes that are there already;
 * true when there were such tables.
 */
static bool
apply_migration(const Migration *migration)
{
	bool		adopted = false;
	ListCell   *cell;

	foreach(cell, platform_parse_script(migration, migration->up))
	{
		Statement  *statement = lfirst(cell);

		if (IsA(statement->node, CreateStmt) &&
			platform_table_exists((CreateStmt *) statement->node))
		{
			platform_adopt_table(migration, statement, true);
			adopted = true;
		}
		else if (IsA(statement->node, IndexStmt))
			platform_adopt_index(migration, statement);
		platform_run_statement(migration, statement);
	}
	return adopted;
}

/* What an installation goes by, from step to step. */
typedef struct Installation
{
	Runner		runner;
	List	   *shapes;			/* of the migrations that were applied before */
	List	   *recreated;		/* tables that a repair had to create */
} Installation;

/* The action that was needed for a migration that is applied. */
static const char *
check_applied(Installation *installation, const Migration *migration)
{
	if (platform_faulty_shapes(installation->shapes, migration->version) == NIL &&
		!platform_concerns_tables(migration, installation->recreated))
		return "present";
	return platform_repair(migration, installation->shapes, &installation->recreated) ?
		"repaired" : "damaged";
}

static void
install_step(FunctionCallInfo fcinfo, Installation *installation, const Migration *migration)
{
	TimestampTz started = GetCurrentTimestamp();
	const char *action;

	if (migration->applied)
	{
		action = check_applied(installation, migration);
		put_step(fcinfo, migration, action, strcmp(action, "present") == 0 ? 0 : started);
		return;
	}
	action = apply_migration(migration) ? "adopted" : "applied";
	platform_record_migration(migration,
							  GetUserNameFromId(installation->runner.caller, false));
	put_step(fcinfo, migration, action, started);
}

PG_FUNCTION_INFO_V1(platform_install);

/*
 * platform.install(modules text[] DEFAULT NULL)
 *		returns table (version integer, module text, action text, duration interval)
 *
 * Applies, in one transaction and in order of version, the migrations that are
 * missing: of all modules (NULL) but optional ones that are not installed yet, or
 * of the named ones and those they require.
 * A row a step; its action is "applied", "adopted" (some of its tables were
 * there and were made to fit), "present" (nothing to do; duration is NULL),
 * "repaired" (it was applied, but objects of it were missing or different), or
 * "damaged" (so they still are: see verify()).  Grants the member roles what
 * is new.
 *
 * The tables keep one owner: whoever has that role's rights installs as that
 * role; anyone else, whoever may not create tables in the schema, and whoever
 * would adopt a table of another role, gets 42501.  22023 for an unknown module; 42804 and 23xxx for a table that cannot
 * be made to fit.  Concurrent calls wait for each other.
 */
Datum
platform_install(PG_FUNCTION_ARGS)
{
	Installation installation = {0};
	List	   *migrations;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	platform_runner_begin(&installation.runner, RUNNER_CHANGES, "install");
	migrations = platform_migrations();
	platform_select_modules(migrations, PG_ARGISNULL(0) ? all_modules(migrations) :
							module_names(PG_GETARG_ARRAYTYPE_P(0)));
	installation.shapes = platform_declared_shapes(migrations);

	foreach(cell, migrations)
	{
		if (((Migration *) lfirst(cell))->selected)
			install_step(fcinfo, &installation, lfirst(cell));
	}
	announce_change();
	platform_runner_end(&installation.runner);

	/* As the caller: a superuser may grant what the tables' owner may not. */
	platform_query_begin();
	platform_grant_members();
	platform_query_end();
	return (Datum) 0;
}

/* 22023 unless the version is 0 or that of an applied migration. */
static void
check_target(List *migrations, int target)
{
	ListCell   *cell;

	if (target == 0)
		return;
	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);

		if (migration->applied && migration->version == target)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("migration %d is not applied", target),
			 errhint("0 undoes everything; the applied versions are listed by platform.migration_status().")));
}

/* 0A000 unless the library knows how to undo the migration. */
static void
check_undoable(const Migration *migration)
{
	if (migration->down == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("migration %d of module \"%s\" is unknown to this version of the extension",
						migration->version, migration->module),
				 errhint("Roll back with the version that applied it.")));
	if (platform_parse_script(migration, migration->down) == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("migration %d of module \"%s\" cannot be undone",
						migration->version, migration->module)));
}

static void
rollback_step(FunctionCallInfo fcinfo, const Migration *migration)
{
	TimestampTz started = GetCurrentTimestamp();
	ListCell   *cell;

	check_undoable(migration);
	foreach(cell, platform_parse_script(migration, migration->down))
		platform_run_statement(migration, lfirst(cell));
	/* the first migration's table of migrations is gone by now */
	if (OidIsValid(platform_relation_oid("schema_migrations", true)))
		platform_forget_migration(migration);
	put_step(fcinfo, migration, "rolled back", started);
}

PG_FUNCTION_INFO_V1(platform_rollback);

/*
 * platform.rollback(to_version integer)
 *		returns table (version integer, module text, action text, duration interval)
 *
 * Undoes, in one transaction and from the newest on, the applied migrations
 * above a version (0: all of them), with their tables and the rows in these.
 * Rights as for install(): 42501.  22023 for a version that is neither 0 nor
 * applied, 0A000 for a migration that cannot be undone.  NULL undoes nothing.
 */
Datum
platform_rollback(PG_FUNCTION_ARGS)
{
	Runner		runner;
	List	   *migrations;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	platform_runner_begin(&runner, RUNNER_CHANGES, "roll back");
	migrations = platform_migrations();
	check_target(migrations, PG_GETARG_INT32(0));
	announce_change();

	for (int i = list_length(migrations) - 1; i >= 0; i--)
	{
		Migration  *migration = list_nth(migrations, i);

		if (migration->applied && migration->version > PG_GETARG_INT32(0))
			rollback_step(fcinfo, migration);
	}
	platform_runner_end(&runner);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(platform_migration_status);

/*
 * platform.migration_status()
 *		returns table (version integer, module text, description text,
 *					   applied_at timestamptz, applied_by text, optional boolean)
 *
 * The migrations that are known or applied, by version.  applied_at is NULL
 * for one that install() would apply, an optional one only when its module is
 * named; description is NULL for one that is unknown to this version of the
 * extension.  42501 unless the caller has the rights of
 * the tables' owner.
 */
Datum
platform_migration_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Runner		runner;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	platform_runner_begin(&runner, RUNNER_READS, "list the migrations");
	foreach(cell, platform_migrations())
	{
		Migration  *migration = lfirst(cell);
		Datum		values[6] = {Int32GetDatum(migration->version)};
		bool		nulls[6] = {false, false, migration->description == NULL,
		!migration->applied, !migration->applied};

		values[1] = CStringGetTextDatum(migration->module);
		if (migration->description != NULL)
			values[2] = CStringGetTextDatum(migration->description);
		if (migration->applied)
		{
			values[3] = TimestampTzGetDatum(migration->applied_at);
			values[4] = CStringGetTextDatum(migration->applied_by);
		}
		values[5] = BoolGetDatum(migration->optional);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	platform_runner_end(&runner);
	return (Datum) 0;
}
