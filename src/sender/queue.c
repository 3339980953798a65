/*
 * queue.c
 *	  The sender's transactions: claim, complete, release.
 *
 * They call the functions that any worker would; none is open while a request is
 * under way.
 *
 * Durability: what was claimed is flushed before anything is sent, whatever the
 * settings say. So a delivery never tells of an event whose own commit, visible
 * to the claim a moment before it was on disk, is lost in a crash. Results need
 * no flush of their own: one that is lost is sent again, with the same id.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "sender/sender.h"

#ifdef PLATFORM_SENDER

/* Short, for what a crash leaves to be sent again soon; it is longer for slow receivers. */
#define LEASE	(10 * USECS_PER_SEC)

static PlatformQuery find_queue =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT pg_catalog.to_regclass('platform.webhook_deliveries') IS NOT NULL"
				   " AND pg_catalog.to_regprocedure('platform.claim_webhook_deliveries(integer, interval)') IS NOT NULL");

static PlatformQuery claim =
	PLATFORM_QUERY(0,
				   "SELECT delivery_id, lease_id, url, method, headers, body, timeout_ms, lease_until"
				   " FROM platform.claim_webhook_deliveries($1, $2)",
				   INT4OID, INTERVALOID);

static PlatformQuery complete =
	PLATFORM_QUERY(0,
				   "SELECT 1 FROM platform.complete_webhook_deliveries($1, $2, $3, $4, $5, $6, $7)",
				   UUIDARRAYOID, UUIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
				   TEXTARRAYOID, BYTEAARRAYOID);

static PlatformQuery release =
	PLATFORM_QUERY(0,
				   "SELECT platform.release_webhook_deliveries($1, $2)",
				   UUIDARRAYOID, UUIDARRAYOID);

static void
begin(const char *synchronous)
{
	StartTransactionCommand();
	if (synchronous != NULL)
		(void) set_config_option("synchronous_commit", synchronous, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	platform_query_begin();
}

static void
commit(void)
{
	platform_query_end();
	PopActiveSnapshot();
	CommitTransactionCommand();
	(void) pgstat_report_stat(false);
}

bool
platform_sender_queue_exists(void)
{
	bool		result;

	begin(NULL);
	platform_query_run(&find_queue, NULL, NULL);
	result = platform_row_bool(0, 1);
	commit();
	return result;
}

/* ---- claiming ---- */

/* A value that would end its line, or the text, is none. */
static bool
is_line(const char *value, int length)
{
	for (int i = 0; i < length; i++)
		if (value[i] == '\r' || value[i] == '\n' || value[i] == '\0')
			return false;
	return true;
}

/* {"name": "value"} as "name: value", and "name;" for one without a value. */
static char **
read_headers(Jsonb *headers)
{
	int			count = JB_ROOT_IS_OBJECT(headers) ? JB_ROOT_COUNT(headers) : 0;
	char	  **lines = palloc((count + 1) * sizeof(char *));
	int			nlines = 0;
	JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	while (count > 0 && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = is_line(value.val.string.val, value.val.string.len) ?
				pnstrdup(value.val.string.val, value.val.string.len) : NULL;
		else if (token == WJB_VALUE && name != NULL && value.type == jbvString &&
				 is_line(value.val.string.val, value.val.string.len))
			lines[nlines++] = value.val.string.len == 0 ? psprintf("%s;", name) :
				psprintf("%s: %.*s", name, value.val.string.len, value.val.string.val);
	}
	lines[nlines] = NULL;
	return lines;
}

static void
read_request(SenderRequest *request, uint64 row)
{
	MemoryContext old = MemoryContextSwitchTo(request->memory);
	bool		isnull;

	request->delivery = platform_row_uuid(row, 1);
	request->lease = platform_row_uuid(row, 2);
	request->url = TextDatumGetCString(platform_row_datum(row, 3, &isnull));
	request->method = TextDatumGetCString(platform_row_datum(row, 4, &isnull));
	request->headers = read_headers(DatumGetJsonbP(platform_row_datum(row, 5, &isnull)));
	request->body = DatumGetByteaPCopy(platform_row_datum(row, 6, &isnull));
	request->timeout_ms = platform_row_int32(row, 7);
	request->lease_until = platform_row_timestamptz_or(row, 8, 0);
	MemoryContextSwitchTo(old);
}

/* Sent is only what is committed. */
int
platform_sender_claim(int limit, Size *bytes)
{
	SenderRequest **requests = palloc(limit * sizeof(SenderRequest *));
	Interval	lease = {.time = LEASE};
	Datum		values[2] = {Int32GetDatum(limit), IntervalPGetDatum(&lease)};
	int			count;

	begin(synchronous_commit == SYNCHRONOUS_COMMIT_OFF ? "local" : NULL);
	count = (int) platform_query_run(&claim, values, NULL);
	*bytes = 0;
	for (int i = 0; i < count; i++)
	{
		requests[i] = platform_sender_take();
		read_request(requests[i], i);
		*bytes += VARSIZE_ANY(requests[i]->body);
	}
	commit();
	for (int i = 0; i < count; i++)
		platform_sender_send(requests[i]);
	pfree(requests);
	return count;
}

/* ---- results ---- */

/* Columns of results as arrays. */
typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
} Column;

static Column
make_column(int count)
{
	Column		column = {palloc0(count * sizeof(Datum)), palloc0(count * sizeof(bool))};

	return column;
}

static Datum
column_array(const Column *column, int count, Oid type)
{
	int			lower = 1;

	if (type == UUIDOID)
		return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &count, &lower,
												  type, UUID_LEN, false, TYPALIGN_CHAR));
	if (type == INT4OID)
		return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &count, &lower,
												  type, sizeof(int32), true, TYPALIGN_INT));
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &count, &lower,
											  type, -1, false, TYPALIGN_INT));
}

static void
put_ids(SenderRequest **requests, int count, Datum *values)
{
	Column		deliveries = make_column(count);
	Column		leases = make_column(count);

	for (int i = 0; i < count; i++)
	{
		deliveries.values[i] = UUIDPGetDatum(&requests[i]->delivery);
		leases.values[i] = UUIDPGetDatum(&requests[i]->lease);
	}
	values[0] = column_array(&deliveries, count, UUIDOID);
	values[1] = column_array(&leases, count, UUIDOID);
}

void
platform_sender_complete(SenderRequest **requests, int count)
{
	static const Oid types[7] = {UUIDOID, UUIDOID, INT4OID, INT4OID, TEXTOID, TEXTOID, BYTEAOID};
	Column		columns[7];
	Datum		values[7];

	begin("off");
	put_ids(requests, count, values);
	for (int c = 2; c < 7; c++)
		columns[c] = make_column(count);
	for (int i = 0; i < count; i++)
	{
		const SenderRequest *request = requests[i];
		bytea	   *response = palloc(VARHDRSZ + request->response_length);

		SET_VARSIZE(response, VARHDRSZ + request->response_length);
		memcpy(VARDATA(response), request->response, request->response_length);
		columns[2].nulls[i] = request->http_status == 0;
		columns[2].values[i] = Int32GetDatum(request->http_status);
		columns[3].values[i] = Int32GetDatum(request->duration_ms);
		columns[4].nulls[i] = request->error == NULL;
		if (request->error != NULL)
			columns[4].values[i] = CStringGetTextDatum(request->error);
		columns[5].nulls[i] = request->retry_after[0] == '\0';
		columns[5].values[i] = CStringGetTextDatum(request->retry_after);
		columns[6].nulls[i] = request->http_status == 0;
		columns[6].values[i] = PointerGetDatum(response);
	}
	for (int c = 2; c < 7; c++)
		values[c] = column_array(&columns[c], count, types[c]);
	platform_query_run(&complete, values, NULL);
	commit();
}

int
platform_sender_release(SenderRequest **requests, int count)
{
	Datum		values[2];
	int			result;

	begin(NULL);
	put_ids(requests, count, values);
	platform_query_run(&release, values, NULL);
	result = platform_row_int32(0, 1);
	commit();
	return result;
}

#endif							/* PLATFORM_SENDER */
