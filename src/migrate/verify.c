/*
 * verify.c
 *	  Are the applied migrations as they were applied, and is their data sound?
 */
#include "core/platform.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "core/module.h"
#include "core/try.h"
#include "migrate/migrate.h"
#include "migrate/shape.h"

#define MAX_FAULTS 5			/* that one row spells out */

static void
put_check(FunctionCallInfo fcinfo, const char *name, bool passed, const char *detail)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {CStringGetTextDatum(name), BoolGetDatum(passed)};
	bool		nulls[3] = {false, false, detail == NULL};

	if (detail != NULL)
		values[2] = CStringGetTextDatum(detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* What a step declares of one table or view, and what is wrong with it. */
typedef struct TableCheck
{
	int			declared;
	int			faults;
	StringInfoData text;
	const char *last;
} TableCheck;

static void
add_fault(TableCheck *check, const char *fault)
{
	/* a column that is missing has no default either */
	if (check->last != NULL && strcmp(check->last, fault) == 0)
		return;
	check->last = fault;
	check->faults++;
	if (check->faults > MAX_FAULTS)
		return;
	if (check->text.len > 0)
		appendStringInfoString(&check->text, "; ");
	appendStringInfoString(&check->text, fault);
}

static void
check_table(FunctionCallInfo fcinfo, List *shapes, const Migration *migration, const char *table)
{
	TableCheck	check = {0};
	ListCell   *cell;
	bool		missing = !OidIsValid(platform_relation_oid(table, true));

	initStringInfo(&check.text);
	if (missing)
		add_fault(&check, "relation is missing");
	foreach(cell, shapes)
	{
		Shape	   *shape = lfirst(cell);
		char	   *fault;

		if (shape->version != migration->version || strcmp(shape->table, table) != 0)
			continue;
		if (shape->kind != SHAPE_NOT_NULL && shape->kind != SHAPE_DEFAULT)
			check.declared++;
		if (!missing && (fault = platform_shape_fault(shape)) != NULL)
			add_fault(&check, fault);
	}
	if (check.faults > MAX_FAULTS)
		appendStringInfo(&check.text, "; and %d more", check.faults - MAX_FAULTS);
	if (check.faults == 0)
		appendStringInfo(&check.text, "objects: %d", check.declared);
	put_check(fcinfo, psprintf("%d %s: %s", migration->version, migration->module, table),
			  check.faults == 0, check.text.data);
}

/* One row for each table and view that the step declares something of. */
static void
check_structure(FunctionCallInfo fcinfo, List *shapes, const Migration *migration)
{
	List	   *tables = NIL;
	ListCell   *cell;

	foreach(cell, shapes)
	{
		Shape	   *shape = lfirst(cell);

		if (shape->version == migration->version)
			tables = list_append_unique(tables, makeString(pstrdup(shape->table)));
	}
	foreach(cell, tables)
		check_table(fcinfo, shapes, migration, strVal(lfirst(cell)));
}

typedef struct DataCheck
{
	const Migration *migration;
	const char *query;
	int64		rows;
} DataCheck;

/* Counts the rows of the check's one query. */
static void
data_check_body(void *arg)
{
	DataCheck  *check = arg;
	List	   *statements = platform_parse_script(check->migration, check->query);
	bool		isnull;
	int			result;

	if (list_length(statements) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a check must be one query")));
	platform_query_begin();
	result = SPI_execute(psprintf("SELECT pg_catalog.count(*) FROM (%s\n) violations",
								  ((Statement *) linitial(statements))->text),
						 true, 0);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "check failed: %s", SPI_result_code_string(result));
	check->rows = DatumGetInt64(platform_row_datum(0, 1, &isnull));
	platform_query_end();
}

static void
check_data(FunctionCallInfo fcinfo, const Migration *migration, const char *name, const char *query)
{
	DataCheck	check = {migration, query, 0};
	ErrorData  *error = platform_try(data_check_body, &check);
	const char *detail = NULL;

	if (error != NULL)
		detail = psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message);
	else if (check.rows > 0)
		detail = psprintf("rows: " INT64_FORMAT, check.rows);
	put_check(fcinfo, psprintf("%d %s: %s", migration->version, migration->module, name),
			  detail == NULL, detail);
}

/*
 * Runs the checks of a migration: each begins with a line "-- check: <name>"
 * and ends where the next one begins.
 */
static void
check_rows(FunctionCallInfo fcinfo, const Migration *migration)
{
	static const char mark[] = "\n-- check: ";
	char	   *text = psprintf("\n%s", migration->checks);
	char	   *start = strstr(text, mark);

	while (start != NULL)
	{
		char	   *name = start + strlen(mark);
		char	   *query = strchr(name, '\n');
		char	   *next;

		if (query == NULL)
			break;
		next = strstr(query, mark);
		*query++ = '\0';
		if (next != NULL)
			*next = '\0';
		check_data(fcinfo, migration, name, next == query - 1 ? "" : query);
		start = next;
		if (start != NULL)
			*start = '\n';
	}
}

PG_FUNCTION_INFO_V1(platform_verify);

/*
 * platform.verify() returns table (name text, passed boolean, detail text)
 *
 * Checks what is applied, a row a check: for each step and table, whether all
 * that the step declares is there (columns with type, NOT NULL and default,
 * constraints, indexes, triggers and their state, policies, row security), and
 * for each query of the step whether it finds no violation.  detail says what
 * is wrong, and of rows only how many: their values may be confidential.  A
 * failed check is a row, never an error.  42501 unless the caller has the
 * rights of the tables' owner; 55000 before install().  Works on a standby.
 */
Datum
platform_verify(PG_FUNCTION_ARGS)
{
	Runner		runner;
	List	   *migrations;
	List	   *shapes;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	(void) platform_relation_oid("schema_migrations", false);
	platform_runner_begin(&runner, RUNNER_READS, "verify the installation");
	migrations = platform_migrations();
	shapes = platform_declared_shapes(migrations);
	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);

		if (!migration->applied)
			continue;
		if (migration->up == NULL)
		{
			put_check(fcinfo, psprintf("%d %s", migration->version, migration->module),
					  false, "unknown to this version of the extension");
			continue;
		}
		check_structure(fcinfo, shapes, migration);
		check_rows(fcinfo, migration);
	}
	platform_runner_end(&runner);
	return (Datum) 0;
}
