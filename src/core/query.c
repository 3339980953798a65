/*
 * query.c
 *	  Saved plans, typed getters, and the switch to the owner around one query.
 *
 * Plans are kept by SPI_keepplan() and live as long as the backend; the
 * server's plan cache replans them when a table, a role's row security or a
 * statistic changes.  The switch of user is undone by the caller on success
 * and by transaction abort on error, as in ri_triggers.c.
 */
#include "core/platform.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "core/cache.h"
#include "core/module.h"
#include "core/query.h"
#include "core/result.h"

void
platform_query_begin(void)
{
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(caller);
}

void
platform_query_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

static SPIPlanPtr
query_plan(PlatformQuery *query)
{
	if (query->plan == NULL)
	{
		int			options = query->flags & (QUERY_INDEXED | QUERY_GENERIC) ? CURSOR_OPT_GENERIC_PLAN : 0;
		SPIPlanPtr	plan = SPI_prepare_cursor(query->sql, query->nargs, (Oid *) query->argtypes, options);

		if (plan == NULL)
			elog(ERROR, "could not prepare query: %s", SPI_result_code_string(SPI_result));
		if (SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_keepplan failed");
		query->plan = plan;
	}
	return query->plan;
}

/*
 * A plan that is made while a table is small reads all of it, and would still do
 * so when the table has grown; so rows are found and joined by indexes. Returns what
 * AtEOXact_GUC() wants afterwards; 0 when the plan is there.
 */
static int
query_plan_indexed(const PlatformQuery *query)
{
	static const char *const settings[] = {
		"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit"
	};
	int			level;

	if (query->planned && SPI_plan_is_valid(query->plan))
		return 0;
	level = NewGUCNestLevel();
	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

/* SPI wants one character an argument: 'n' for a null. */
static const char *
query_null_flags(PlatformQuery *query, const bool *nulls, char *buffer)
{
	if (nulls == NULL)
		return NULL;
	for (int i = 0; i < query->nargs; i++)
		buffer[i] = nulls[i] ? 'n' : ' ';
	return buffer;
}

uint64
platform_query_run(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	bool		read_only = (query->flags & QUERY_READ) != 0;
	bool		latest = (query->flags & QUERY_LATEST) != 0;
	char		buffer[PLATFORM_QUERY_MAX_ARGS];
	const char *flags = query_null_flags(query, nulls, buffer);
	MemoryContext caller = CurrentMemoryContext;
	PlatformUser saved;
	int			level = 0;
	int			result;

	if (query->flags & QUERY_OWNER)
		platform_become_owner(&saved);
	if (query->flags & QUERY_INDEXED)
		level = query_plan_indexed(query);

	if (latest)
	{
		platform_push_latest_snapshot();
		result = SPI_execute_snapshot(query_plan(query), (Datum *) values, flags,
									  GetActiveSnapshot(), InvalidSnapshot,
									  read_only, true, 0);
		PopActiveSnapshot();
	}
	else
		result = SPI_execute_plan(query_plan(query), (Datum *) values, flags,
								  read_only, 0);

	if (level > 0)
		AtEOXact_GUC(true, level);
	query->planned = true;
	if (query->flags & QUERY_OWNER)
		platform_restore_user(&saved);
	if (result < 0)
		elog(ERROR, "query failed: %s", SPI_result_code_string(result));
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

Datum
platform_query_return_rows(FunctionCallInfo fcinfo, PlatformQuery *query,
						   const Datum *values, const bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	uint64		count;

	InitMaterializedSRF(fcinfo, 0);
	platform_query_begin();
	count = platform_query_run(query, values, nulls);
	for (uint64 i = 0; i < count; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	platform_query_end();
	return (Datum) 0;
}

Datum
platform_query_return_row(FunctionCallInfo fcinfo, PlatformQuery *query,
						  const Datum *values, const bool *nulls)
{
	Datum	   *row;
	bool	   *isnull;
	int			columns;

	platform_query_begin();
	if (platform_query_run(query, values, nulls) != 1)
		elog(ERROR, "query must return one row");
	columns = SPI_tuptable->tupdesc->natts;
	row = palloc(columns * sizeof(Datum));
	isnull = palloc(columns * sizeof(bool));
	for (int i = 0; i < columns; i++)
		row[i] = platform_row_datum_copy(0, i + 1, &isnull[i]);
	platform_query_end();
	return platform_return_row(fcinfo, row, isnull);
}

/*
 * For large results of which each row costs more than to find it: the planner
 * takes a sort for cheaper than an index whose order is not the table's, though
 * who reads goes to the rows in that order anyway. Returns what AtEOXact_GUC()
 * wants afterwards.
 */
static int
query_plan_in_order(void)
{
	static const char *const settings[] = {"enable_sort", "enable_incremental_sort", "jit"};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

Portal
platform_query_cursor(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	bool		latest = (query->flags & QUERY_LATEST) != 0;
	char		buffer[PLATFORM_QUERY_MAX_ARGS];
	const char *flags = query_null_flags(query, nulls, buffer);
	MemoryContext caller = CurrentMemoryContext;
	PlatformUser saved;
	Portal		portal;
	int			level = 0;

	if (query->flags & QUERY_OWNER)
		platform_become_owner(&saved);
	if (query->flags & QUERY_IN_ORDER)
		level = query_plan_in_order();
	if (latest)
		platform_push_latest_snapshot();
	portal = SPI_cursor_open(NULL, query_plan(query), (Datum *) values, flags,
							 (query->flags & QUERY_READ) != 0);
	if (latest)
		PopActiveSnapshot();
	if (query->flags & QUERY_IN_ORDER)
		AtEOXact_GUC(true, level);
	if (query->flags & QUERY_OWNER)
		platform_restore_user(&saved);
	MemoryContextSwitchTo(caller);
	return portal;
}

Datum
platform_row_datum(uint64 row, int column, bool *isnull)
{
	Assert(row < SPI_processed);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

/* The value of a column that cannot be null. */
static Datum
row_datum_not_null(uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d", column);
	return value;
}

bool
platform_row_bool(uint64 row, int column)
{
	return DatumGetBool(row_datum_not_null(row, column));
}

int32
platform_row_int32(uint64 row, int column)
{
	return DatumGetInt32(row_datum_not_null(row, column));
}

int64
platform_row_int64(uint64 row, int column)
{
	return DatumGetInt64(row_datum_not_null(row, column));
}

int64
platform_row_int64_or(uint64 row, int column, int64 otherwise)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);

	return isnull ? otherwise : DatumGetInt64(value);
}

pg_uuid_t
platform_row_uuid(uint64 row, int column)
{
	return *DatumGetUUIDP(row_datum_not_null(row, column));
}

TimestampTz
platform_row_timestamptz_or(uint64 row, int column, TimestampTz otherwise)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);

	return isnull ? otherwise : DatumGetTimestampTz(value);
}

void
platform_row_bytes(uint64 row, int column, void *bytes, Size length)
{
	bytea	   *value = DatumGetByteaPP(row_datum_not_null(row, column));

	if (VARSIZE_ANY_EXHDR(value) != length)
		elog(ERROR, "unexpected length of column %d", column);
	memcpy(bytes, VARDATA_ANY(value), length);
}

char *
platform_row_cstring(uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
	char	   *copy = NULL;

	if (value != NULL)
	{
		copy = SPI_palloc(strlen(value) + 1);
		strcpy(copy, value);
		pfree(value);
	}
	return copy;
}

Datum
platform_row_datum_copy(uint64 row, int column, bool *isnull)
{
	Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, column - 1);
	Datum		value = platform_row_datum(row, column, isnull);

	if (*isnull)
		return (Datum) 0;
	/* Whole, or whoever unpacks it later gets memory that ends with the query. */
	if (attribute->attlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM(value));
	return SPI_datumTransfer(value, attribute->attbyval, attribute->attlen);
}

Oid
platform_relation_owner(const char *name)
{
	Oid			relid = platform_relation_oid(name, false);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
platform_become_owner(PlatformUser *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(platform_owner(),
						   saved->sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

void
platform_restore_user(const PlatformUser *saved)
{
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}
