/*
 * catalogue.c
 *	  The migrations, as the library knows them and as they are applied.
 *
 * Read under the latest snapshot: whoever waited for the runner's lock must
 * see what its predecessor applied, also in REPEATABLE READ.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/module.h"
#include "migrate/migrate.h"

static PlatformQuery known_migrations =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT version, module, description, requires, up, down, checks, optional"
				   " FROM platform.migrations ORDER BY version");

static PlatformQuery applied_migrations =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT version, module, applied_at, applied_by"
				   " FROM platform.schema_migrations ORDER BY version");

static PlatformQuery record_migration =
	PLATFORM_QUERY(0,
				   "INSERT INTO platform.schema_migrations"
				   " (version, module, applied_by, library_version)"
				   " SELECT $1, $2, $3, e.extversion FROM pg_catalog.pg_extension e"
				   " WHERE e.extname OPERATOR(pg_catalog.=) 'platform'",
				   INT4OID, TEXTOID, TEXTOID);

static PlatformQuery forget_migration =
	PLATFORM_QUERY(0,
				   "DELETE FROM platform.schema_migrations"
				   " WHERE version OPERATOR(pg_catalog.=) $1",
				   INT4OID);

/* The elements of a text[] without nulls, as a list of strings. */
static List *
strings_of_array(Datum array)
{
	List	   *strings = NIL;
	Datum	   *elements;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		strings = lappend(strings, TextDatumGetCString(elements[i]));
	return strings;
}

/* Within a query; context is that of the result. */
static List *
load_known(MemoryContext context)
{
	List	   *migrations = NIL;
	uint64		rows = platform_query_run(&known_migrations, NULL, NULL);

	MemoryContextSwitchTo(context);
	for (uint64 row = 0; row < rows; row++)
	{
		Migration  *migration = palloc0(sizeof(Migration));
		bool		isnull;

		migration->version = platform_row_int32(row, 1);
		migration->module = platform_row_cstring(row, 2);
		migration->description = platform_row_cstring(row, 3);
		migration->requires = strings_of_array(platform_row_datum(row, 4, &isnull));
		migration->up = platform_row_cstring(row, 5);
		migration->down = platform_row_cstring(row, 6);
		migration->checks = platform_row_cstring(row, 7);
		migration->optional = platform_row_bool(row, 8);
		migrations = lappend(migrations, migration);
	}
	return migrations;
}

static int
compare_versions(const ListCell *a, const ListCell *b)
{
	const Migration *left = lfirst(a);
	const Migration *right = lfirst(b);

	return (left->version > right->version) - (left->version < right->version);
}

static Migration *
find_version(List *migrations, int version)
{
	ListCell   *cell;

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);

		if (migration->version == version)
			return migration;
	}
	return NULL;
}

/* Adds what is applied to what is known; the result keeps the order. */
static List *
load_applied(MemoryContext context, List *migrations)
{
	uint64		rows = platform_query_run(&applied_migrations, NULL, NULL);

	MemoryContextSwitchTo(context);
	for (uint64 row = 0; row < rows; row++)
	{
		Migration  *migration = find_version(migrations, platform_row_int32(row, 1));

		if (migration == NULL)
		{
			migration = palloc0(sizeof(Migration));
			migration->version = platform_row_int32(row, 1);
			migration->module = platform_row_cstring(row, 2);
			migrations = lappend(migrations, migration);
		}
		migration->applied = true;
		migration->applied_at = platform_row_timestamptz_or(row, 3, 0);
		migration->applied_by = platform_row_cstring(row, 4);
	}
	list_sort(migrations, compare_versions);
	return migrations;
}

/* A table of that name may be another tool's, which adoption will have to fit. */
static bool
is_our_list(Oid relid)
{
	static const char *const columns[] = {"version", "module", "applied_at", "applied_by"};

	if (!OidIsValid(relid))
		return false;
	for (int i = 0; i < lengthof(columns); i++)
	{
		if (get_attnum(relid, columns[i]) == InvalidAttrNumber)
			return false;
	}
	return true;
}

List *
platform_migrations(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *migrations;

	platform_query_begin();
	migrations = load_known(context);
	if (is_our_list(platform_relation_oid("schema_migrations", true)))
		migrations = load_applied(context, migrations);
	platform_query_end();
	MemoryContextSwitchTo(context);
	return migrations;
}

/* Marks one module's migrations; false when it has none. */
static bool
select_module(List *migrations, const char *module)
{
	bool		found = false;
	ListCell   *cell;

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);
		ListCell   *required;

		if (migration->description == NULL || strcmp(migration->module, module) != 0)
			continue;
		found = true;
		if (migration->selected)
			continue;
		migration->selected = true;
		foreach(required, migration->requires)
		{
			if (!select_module(migrations, lfirst(required)))
				elog(ERROR, "migration %d requires unknown module \"%s\"",
					 migration->version, (char *) lfirst(required));
		}
	}
	return found;
}

void
platform_select_modules(List *migrations, List *modules)
{
	ListCell   *cell;

	select_module(migrations, "migrate");
	foreach(cell, modules)
	{
		const char *module = lfirst(cell);

		if (!select_module(migrations, module))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("module \"%s\" does not exist", module),
					 errhint("The modules are listed by SELECT DISTINCT module FROM platform.migration_status().")));
	}
}

void
platform_record_migration(const Migration *migration, const char *applied_by)
{
	Datum		values[] = {
		Int32GetDatum(migration->version),
		CStringGetTextDatum(migration->module),
		CStringGetTextDatum(applied_by),
	};

	platform_query_begin();
	platform_query_run(&record_migration, values, NULL);
	platform_query_end();
}

void
platform_forget_migration(const Migration *migration)
{
	Datum		version = Int32GetDatum(migration->version);

	platform_query_begin();
	platform_query_run(&forget_migration, &version, NULL);
	platform_query_end();
}
