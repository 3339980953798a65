/*
 * migrate.c
 *	  From the catalogue of migrations to tables: install, rollback, status.
 *
 * Everything here happens in the caller's transaction, behind the runner's
 * lock: a step that fails leaves nothing behind.
 */
#include "core/platform.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/cache.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/module.h"
#include "migrate/migrate.h"

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

static List *
all_modules(List *migrations)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);

		if (migration->description != NULL)
			names = lappend(names, migration->module);
	}
	return names;
}

static void
run_script(const Migration *migration, const char *script)
{
	ListCell   *cell;

	foreach(cell, platform_parse_script(migration, script))
		platform_run_statement(migration, lfirst(cell));
}

PG_FUNCTION_INFO_V1(platform_install);

/*
 * platform.install(modules text[] DEFAULT NULL)
 *		returns table (version integer, module text, action text, duration interval)
 *
 * Applies, in one transaction and in order of version, the migrations that are
 * missing: of all modules, or of the named ones and those they require.
 */
Datum
platform_install(PG_FUNCTION_ARGS)
{
	Runner		runner;
	List	   *migrations;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	platform_runner_begin(&runner, "install");
	migrations = platform_migrations();
	platform_select_modules(migrations, PG_ARGISNULL(0) ? all_modules(migrations) :
							module_names(PG_GETARG_ARRAYTYPE_P(0)));

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);
		TimestampTz started = GetCurrentTimestamp();

		if (!migration->selected)
			continue;
		if (migration->applied)
		{
			put_step(fcinfo, migration, "present", 0);
			continue;
		}
		run_script(migration, migration->up);
		platform_record_migration(migration, GetUserNameFromId(runner.caller, false));
		put_step(fcinfo, migration, "applied", started);
	}
	announce_change();
	platform_runner_end(&runner);
	return (Datum) 0;
}
