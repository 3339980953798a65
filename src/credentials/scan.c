/*
 * scan.c
 *	  Visiting the secrets of all columns that platform.secret_columns lists.
 *
 * A column of type text holds one envelope a row; one of type jsonb holds
 * {"$enc": envelope} at its secret leaves, bound to the leaf's pointer. Rows come
 * in batches, in a memory context that is reset for each row.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/cache.h"
#include "core/json.h"
#include "core/query.h"
#include "credentials/credentials.h"

#define BATCH 200

/* One scan of one column. */
typedef struct ColumnScan
{
	const SecretColumn *column;
	SecretVisitor visit;
	void	   *arg;
	PlatformSecretPlace place;
} ColumnScan;

/* The envelope when the object is {"$enc": "..."}, else NULL. */
static const JsonbValue *
leaf_envelope(JsonbContainer *object, JsonbValue *value)
{
	if (!JsonContainerIsObject(object) || JsonContainerSize(object) != 1 ||
		getKeyJsonValueFromContainer(object, "$enc", 4, value) == NULL ||
		value->type != jbvString)
		return NULL;
	return value;
}

/* Visits the leaves below a container; pointer is that of the container. */
static void
visit_document(ColumnScan *scan, JsonbContainer *container, StringInfo pointer)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			length = pointer->len;
	int			item = 0;

	check_stack_depth();
	if (leaf_envelope(container, &value) != NULL)
	{
		scan->place.pointer = pointer->data;
		scan->visit(scan->column, &scan->place, value.val.string.val, value.val.string.len,
					scan->arg);
		return;
	}
	iterator = JsonbIteratorInit(container);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			pointer->len = length;
			platform_append_step(pointer, value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_ELEM)
		{
			pointer->len = length;
			appendStringInfo(pointer, "/%d", item++);
		}
		if ((token == WJB_VALUE || token == WJB_ELEM) && value.type == jbvBinary)
			visit_document(scan, value.val.binary.data, pointer);
	}
	pointer->len = length;
	pointer->data[length] = '\0';
}

/* Visits what the row has in its third column. */
static void
visit_value(ColumnScan *scan, Datum value, Oid type)
{
	StringInfoData pointer;

	if (type == JSONBOID)
	{
		initStringInfo(&pointer);
		visit_document(scan, &DatumGetJsonbP(value)->root, &pointer);
	}
	else
	{
		text	   *envelope = DatumGetTextPP(value);

		scan->place.pointer = NULL;
		scan->visit(scan->column, &scan->place, VARDATA_ANY(envelope),
					VARSIZE_ANY_EXHDR(envelope), scan->arg);
	}
}

static void
visit_rows(ColumnScan *scan, Portal portal, Oid type)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "platform secret scan",
													  ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		SPITupleTable *batch;
		uint64		count;

		SPI_cursor_fetch(portal, true, BATCH);
		batch = SPI_tuptable;
		count = SPI_processed;
		if (count == 0)
			break;
		for (uint64 row = 0; row < count; row++)
		{
			MemoryContext saved = MemoryContextSwitchTo(row_context);
			bool		isnull;
			Datum		value = SPI_getbinval(batch->vals[row], batch->tupdesc, 3, &isnull);
			pg_uuid_t	id = *DatumGetUUIDP(SPI_getbinval(batch->vals[row], batch->tupdesc, 1, &isnull));
			pg_uuid_t	organization = *DatumGetUUIDP(SPI_getbinval(batch->vals[row], batch->tupdesc, 2, &isnull));

			scan->place.row = &id;
			scan->place.organization = &organization;
			visit_value(scan, value, type);
			MemoryContextSwitchTo(saved);
			MemoryContextReset(row_context);
		}
		SPI_freetuptable(batch);
	}
	MemoryContextDelete(row_context);
}

/* One column; inside a query. */
static void
scan_column(ColumnScan *scan, Oid type, const pg_uuid_t *organization)
{
	Datum		values[1] = {UUIDPGetDatum(organization)};
	Oid			types[1] = {UUIDOID};
	const char *name = quote_identifier(scan->column->name);
	const char *sql = psprintf("SELECT t.id, t.organization_id, t.%s FROM %s t"
							   " WHERE t.%s IS NOT NULL"
							   " AND t.id IS NOT NULL AND t.organization_id IS NOT NULL%s",
							   name, scan->column->table, name,
							   organization == NULL ? "" :
							   " AND t.organization_id OPERATOR(pg_catalog.=) $1");
	SPIPlanPtr	plan = SPI_prepare(sql, organization == NULL ? 0 : 1, types);
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "could not prepare query: %s", SPI_result_code_string(SPI_result));
	platform_push_latest_snapshot();
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	PopActiveSnapshot();
	scan->place.purpose = scan->column->purpose;
	visit_rows(scan, portal, type);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

/* Is the column there, and of a type that can be looked through? Warns if not. */
static bool
column_is_usable(const SecretColumn *column, Oid type, bool keyed)
{
	if (keyed && (type == TEXTOID || type == VARCHAROID || type == JSONBOID))
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("column \"%s\" of table %s cannot be looked through", column->name, column->table),
			 errdetail("platform.secret_columns lists columns of type text or jsonb, in tables with columns id and organization_id of type uuid.")));
	return false;
}

bool
platform_scan_secrets(const pg_uuid_t *organization, const char *purpose,
					  SecretVisitor visit, void *arg)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT pg_catalog.format('%I.%I', c.schema_name, c.table_name),"
					   " c.column_name, c.purpose, COALESCE(a.atttypid, 0::pg_catalog.oid),"
					   " (SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 2 FROM pg_catalog.pg_attribute k"
					   " WHERE k.attrelid OPERATOR(pg_catalog.=) a.attrelid"
					   " AND (k.attname OPERATOR(pg_catalog.=) 'id' OR k.attname OPERATOR(pg_catalog.=) 'organization_id')"
					   " AND k.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.uuid'::pg_catalog.regtype)"
					   " FROM platform.secret_columns c"
					   " LEFT JOIN pg_catalog.pg_attribute a"
					   " ON a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass("
					   "pg_catalog.format('%I.%I', c.schema_name, c.table_name))"
					   " AND a.attname OPERATOR(pg_catalog.=) c.column_name::pg_catalog.name"
					   " AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
					   " WHERE $1 IS NULL OR c.purpose OPERATOR(pg_catalog.=) $1"
					   " ORDER BY 1, 2",
					   TEXTOID);
	Datum		values[1] = {purpose == NULL ? (Datum) 0 : CStringGetTextDatum(purpose)};
	bool		nulls[1] = {purpose == NULL};
	MemoryContext caller = CurrentMemoryContext;
	SecretColumn *columns;		/* outlive the queries: the visitor may keep them */
	Oid		   *types;
	bool	   *keyed;
	int			count;
	int			visited = 0;

	platform_query_begin();
	count = (int) platform_query_run(&find, values, nulls);
	columns = MemoryContextAlloc(caller, sizeof(SecretColumn) * Max(count, 1));
	types = palloc(sizeof(Oid) * Max(count, 1));
	keyed = palloc(sizeof(bool) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		bool		isnull;

		columns[i].table = platform_row_cstring(i, 1);
		columns[i].name = platform_row_cstring(i, 2);
		columns[i].purpose = platform_row_cstring(i, 3);
		types[i] = DatumGetObjectId(platform_row_datum(i, 4, &isnull));
		keyed[i] = platform_row_bool(i, 5);
	}
	for (int i = 0; i < count; i++)
	{
		ColumnScan	scan = {.column = &columns[i], .visit = visit, .arg = arg};

		if (!column_is_usable(&columns[i], types[i], keyed[i]))
			continue;
		scan_column(&scan, types[i], organization);
		visited++;
	}
	platform_query_end();
	return count > 0 && visited == count;
}
