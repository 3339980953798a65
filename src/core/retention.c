/*
 * retention.c
 *	  What leaves a log when its time is over: see retention.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

#include "core/query.h"
#include "core/retention.h"
#include "core/try.h"

#define LOCK_TIMEOUT	"2s"

#define BOUND(which) \
	" (pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid)," \
	" '" which " \\(''([^'']+)''\\)'))[1]::pg_catalog.timestamptz"

TimestampTz
platform_oldest_cutoff(TimestampTz now, Interval *keep)
{
	static PlatformQuery oldest =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   PLATFORM_CUTOFFS " SELECT pg_catalog.min(cutoff) FROM cutoffs",
					   TIMESTAMPTZOID, INTERVALOID);
	Datum		values[2] = {TimestampTzGetDatum(now), PointerGetDatum(keep)};

	platform_query_run(&oldest, values, NULL);
	return platform_row_timestamptz_or(0, 1, DT_NOBEGIN);
}

List *
platform_partitions(const char *table)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT c.relname::pg_catalog.text," BOUND("FROM") "," BOUND("TO") ","
					   " GREATEST(c.reltuples, 0)::pg_catalog.int8"
					   " FROM pg_catalog.pg_inherits i"
					   " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid"
					   " JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.inhparent"
					   " JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.relnamespace"
					   " WHERE s.nspname OPERATOR(pg_catalog.=) 'platform'"
					   " AND p.relname::pg_catalog.text OPERATOR(pg_catalog.=) $1"
					   " AND c.relkind OPERATOR(pg_catalog.=) 'r' ORDER BY c.relname",
					   TEXTOID);
	Datum		value = CStringGetTextDatum(table);
	uint64		count = platform_query_run(&list, &value, NULL);
	List	   *partitions = NIL;

	for (uint64 i = 0; i < count; i++)
	{
		PlatformPartition *partition = palloc(sizeof(PlatformPartition));

		partition->name = platform_row_cstring(i, 1);
		partition->begins_at = platform_row_timestamptz_or(i, 2, DT_NOBEGIN);
		partition->ends_at = platform_row_timestamptz_or(i, 3, DT_NOEND);
		partition->rows = platform_row_int64(i, 4);
		partitions = lappend(partitions, partition);
	}
	return partitions;
}

typedef struct Drop
{
	const char *table;
	const char *partition;
} Drop;

static void
run(const char *statement)
{
	int			result = SPI_execute(statement, false, 0);

	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
}

static void
drop_body(void *arg)
{
	Drop	   *drop = arg;
	int			level = NewGUCNestLevel();
	PlatformUser saved;

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	platform_query_begin();
	platform_become_owner(&saved);
	run(psprintf("LOCK TABLE " PLATFORM_SCHEMA ".%s IN ACCESS EXCLUSIVE MODE",
				 quote_identifier(drop->table)));
	run(psprintf("DROP TABLE " PLATFORM_SCHEMA ".%s", quote_identifier(drop->partition)));
	platform_restore_user(&saved);
	platform_query_end();
	AtEOXact_GUC(true, level);
}

bool
platform_partition_drop(const char *table, const char *partition)
{
	Drop		drop = {table, partition};
	ErrorData  *error = platform_try(drop_body, &drop);

	if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	return error == NULL;
}

void
platform_purge_report(FunctionCallInfo fcinfo, const char *table, const char *action,
					  int64 rows, bool more)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(table);
	values[1] = CStringGetTextDatum(action);
	values[2] = Int64GetDatum(rows);
	values[3] = BoolGetDatum(more);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
platform_purge_deleted(FunctionCallInfo fcinfo, const char *table, int64 rows, int64 batch)
{
	if (rows > 0)
		platform_purge_report(fcinfo, table, "deleted", rows, rows >= batch);
}
