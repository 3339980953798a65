/*
 * retention.c
 *	  What leaves the logs, and when: by the rows of platform.retention_policies.
 *
 * A policy deletes the rows of a table whose time is over, or empties some of
 * their columns. Of a partitioned log whole partitions are dropped, which costs
 * nothing; rows are deleted from the default partition only, so that a row may
 * stay up to a month longer. All else is done a batch of rows a call.
 *
 * Rows that another transaction holds are left for the next call, and so are
 * partitions that are in use: the lock on the log that dropping needs is waited
 * for two seconds at most, since everybody else waits behind.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/retention.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_purge_logs);

#define BATCH_MOST		1000000

typedef struct Policy
{
	char	   *name;
	char	   *table;
	char	   *time_column;
	Datum		cutoff;
	List	   *scrub;			/* of column names; NIL: rows are deleted */
	bool		partitioned;
	bool		usable;			/* table and columns are there */
} Policy;

static PlatformQuery list_policies =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT p.name, p.table_name, p.time_column,"
				   " pg_catalog.now() OPERATOR(pg_catalog.-) p.keep, p.scrub_columns,"
				   " coalesce(c.relkind OPERATOR(pg_catalog.=) 'p', false),"
				   " c.oid IS NOT NULL AND NOT EXISTS (SELECT 1"
				   " FROM pg_catalog.unnest(pg_catalog.array_append(p.scrub_columns, p.time_column)) AS n"
				   " WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a"
				   " WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND NOT a.attisdropped"
				   " AND a.attnum OPERATOR(pg_catalog.>) 0"
				   " AND a.attname::pg_catalog.text OPERATOR(pg_catalog.=) n))"
				   " FROM platform.retention_policies p"
				   " LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s"
				   " ON s.oid OPERATOR(pg_catalog.=) c.relnamespace"
				   " AND s.nspname OPERATOR(pg_catalog.=) 'platform'"
				   " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[]))"
				   " ON c.relname::pg_catalog.text OPERATOR(pg_catalog.=) p.table_name"
				   " WHERE p.is_active AND ($1 IS NULL OR p.name OPERATOR(pg_catalog.=) $1)"
				   " ORDER BY p.name",
				   TEXTOID);

static List *
column_list(uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);
	Datum	   *names;
	int			count;
	List	   *list = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);
		char	   *copy = SPI_palloc(strlen(name) + 1);

		strcpy(copy, name);
		list = lappend(list, copy);
	}
	return list;
}

static List *
find_policies(const char *name)
{
	Datum		value = name == NULL ? (Datum) 0 : CStringGetTextDatum(name);
	bool		isnull = name == NULL;
	uint64		count = platform_query_run(&list_policies, &value, &isnull);
	List	   *policies = NIL;

	if (count == 0 && name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("retention policy \"%s\" does not exist or is not active", name)));
	for (uint64 i = 0; i < count; i++)
	{
		Policy	   *policy = palloc0(sizeof(Policy));
		bool		null;

		policy->name = platform_row_cstring(i, 1);
		policy->table = platform_row_cstring(i, 2);
		policy->time_column = platform_row_cstring(i, 3);
		policy->cutoff = platform_row_datum_copy(i, 4, &null);
		policy->scrub = column_list(i, 5);
		policy->partitioned = platform_row_bool(i, 6);
		policy->usable = platform_row_bool(i, 7);
		policies = lappend(policies, policy);
	}
	return policies;
}

/* Runs a statement on the table with the cutoff as $1 and the batch as $2, as the owner. */
static int64
run_batch(const char *table, const char *statement, Datum cutoff, int64 batch)
{
	Oid			types[2] = {TIMESTAMPTZOID, INT8OID};
	Datum		values[2] = {cutoff, Int64GetDatum(batch)};
	PlatformUser saved;
	int			result;

	platform_become_owner(&saved);
	platform_log_maintenance(platform_relation_oid(table, false));
	result = SPI_execute_with_args(statement, 2, types, values, NULL, false, 0);
	platform_log_maintenance(InvalidOid);
	platform_restore_user(&saved);
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* The rows of one table that are due, locked, as many as a batch has. */
static char *
due_rows(const Policy *policy, const char *table, const char *further)
{
	return psprintf("ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT ctid FROM %s"
					" WHERE %s OPERATOR(pg_catalog.<) $1%s LIMIT $2 FOR UPDATE SKIP LOCKED))",
					platform_ops_own(table), quote_identifier(policy->time_column), further);
}

static int64
delete_rows(const Policy *policy, const char *table, int64 batch)
{
	return run_batch(table, psprintf("DELETE FROM %s WHERE %s", platform_ops_own(table),
							  due_rows(policy, table, "")), policy->cutoff, batch);
}

static int64
scrub_rows(const Policy *policy, const char *table, int64 batch)
{
	StringInfoData set;
	StringInfoData filled;
	ListCell   *cell;

	initStringInfo(&set);
	initStringInfo(&filled);
	foreach(cell, policy->scrub)
	{
		const char *column = quote_identifier(lfirst(cell));

		appendStringInfo(&set, "%s%s = NULL", set.len > 0 ? ", " : "", column);
		appendStringInfo(&filled, "%s%s IS NOT NULL", filled.len > 0 ? " OR " : "", column);
	}
	return run_batch(table, psprintf("UPDATE %s SET %s WHERE %s", platform_ops_own(table), set.data,
							  due_rows(policy, table, psprintf(" AND (%s)", filled.data))),
					 policy->cutoff, batch);
}

static void
put_result(FunctionCallInfo fcinfo, const Policy *policy, const char *object, const char *action,
		   int64 rows, bool more)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(policy->name);
	values[1] = CStringGetTextDatum(object);
	values[2] = CStringGetTextDatum(action);
	values[3] = Int64GetDatum(rows);
	values[4] = BoolGetDatum(more);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* One table's share of the batch; a row of the answer when there was something to do. */
static void
purge_table(FunctionCallInfo fcinfo, const Policy *policy, const char *table, int64 batch)
{
	int64		rows = policy->scrub != NIL ? scrub_rows(policy, table, batch) :
		delete_rows(policy, table, batch);

	if (rows > 0)
		put_result(fcinfo, policy, table, policy->scrub != NIL ? "scrubbed" : "deleted",
				   rows, rows >= batch);
}

static void
purge_partitions(FunctionCallInfo fcinfo, const Policy *policy, int64 batch)
{
	TimestampTz cutoff = DatumGetTimestampTz(policy->cutoff);
	ListCell   *cell;

	foreach(cell, platform_partitions(policy->table))
	{
		PlatformPartition *partition = lfirst(cell);
		bool		is_default = partition->ends_at == DT_NOEND;

		if (policy->scrub != NIL || is_default)
			purge_table(fcinfo, policy, partition->name, batch);
		else if (partition->ends_at <= cutoff)
		{
			bool		dropped = platform_partition_drop(policy->table, partition->name);

			put_result(fcinfo, policy, partition->name, dropped ? "dropped" : "busy",
					   partition->rows, !dropped);
		}
	}
}

/*
 * platform.purge_logs(batch integer DEFAULT 10000, policy text DEFAULT NULL)
 *		returns table (policy text, table_name text, action text, rows bigint, more boolean)
 *
 * Applies the active policies, or the named one: a row for each table that it
 * changed. action: deleted, scrubbed, dropped (a partition; rows is an estimate),
 * busy (a partition that is in use), or skipped (the table or a column is not
 * there). At most batch rows of each table; more says that there may be more:
 * call it again, in a transaction of its own, until none does. Operators only:
 * 42501. 22004 without a batch, 22023 for one outside 1 to 1000000, PT404 for an
 * unknown policy, 55000 before install().
 */
Datum
platform_purge_logs(PG_FUNCTION_ARGS)
{
	ListCell   *cell;
	int64		batch;

	platform_require_operator("purge logs");
	platform_require_module(&platform_ops_module);
	InitMaterializedSRF(fcinfo, 0);
	batch = platform_count_argument(fcinfo, 0, "batch", BATCH_MOST);

	platform_query_begin();
	foreach(cell, find_policies(platform_ops_optional_text(fcinfo, 1, "policy", 63)))
	{
		Policy	   *policy = lfirst(cell);

		if (!policy->usable)
			put_result(fcinfo, policy, policy->table, "skipped", 0, false);
		else if (policy->partitioned)
			purge_partitions(fcinfo, policy, batch);
		else
			purge_table(fcinfo, policy, policy->table, batch);
	}
	platform_query_end();
	return (Datum) 0;
}
