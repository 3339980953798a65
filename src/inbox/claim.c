/*
 * claim.c
 *	  Events for workers: claim_inbound(), extend_inbound_lease(),
 *	  complete_inbound().
 *
 * A claim takes due events that nobody else is taking (SKIP LOCKED) and holds
 * them until its lease ends; then they are due again. Every claim has a lease of
 * its own, which whoever completes the event presents: one that was too slow
 * changes nothing. Claims count as attempts, so that an event which kills its
 * worker is not tried for ever.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "inbox/inbox.h"

#define CLAIM_MAX		1000
#define LEASE_DAYS_MAX	1
#define RETRY_DAYS_MAX	7
#define WORKER_MAX		255

PG_FUNCTION_INFO_V1(platform_claim_inbound);
PG_FUNCTION_INFO_V1(platform_extend_inbound_lease);
PG_FUNCTION_INFO_V1(platform_complete_inbound);

char *
platform_inbox_result(const text *result, const char *name)
{
	int			length = pg_mbstrlen_with_len(VARDATA_ANY(result), VARSIZE_ANY_EXHDR(result));

	if (length < 1 || length > INBOX_RESULT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d characters", name, INBOX_RESULT_MAX)));
	return text_to_cstring(result);
}

/* ---- picking ---- */

#define ROW_COLUMNS \
	"q.id, q.organization_id, q.source, q.event_type, q.phone_number," \
	" q.status OPERATOR(pg_catalog.=) 'processing' AS was_claimed, q.attempts, q.max_attempts," \
	" q.replays OPERATOR(pg_catalog.>) 0 OR coalesce(q.result OPERATOR(pg_catalog.=) 'unknown_number', false) AS may_be_noted," \
	" q.raw_payload"

#define DUE \
	" FROM platform.webhook_queue q WHERE q.due_at OPERATOR(pg_catalog.<=) $1" \
	" AND q.source OPERATOR(pg_catalog.=) $3 ORDER BY q.due_at LIMIT $2 FOR UPDATE SKIP LOCKED"

List *
platform_inbox_sources(void)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   "WITH RECURSIVE s AS ((SELECT q.source FROM platform.webhook_queue q"
					   " WHERE q.due_at IS NOT NULL ORDER BY q.source LIMIT 1)"
					   " UNION ALL SELECT (SELECT q.source FROM platform.webhook_queue q WHERE q.due_at IS NOT NULL"
					   " AND q.source OPERATOR(pg_catalog.>) s.source ORDER BY q.source LIMIT 1)"
					   " FROM s WHERE s.source IS NOT NULL) SELECT source FROM s WHERE source IS NOT NULL");
	uint64		count = platform_query_run(&list, NULL, NULL);
	List	   *sources = NIL;

	for (uint64 i = 0; i < count; i++)
		sources = lappend(sources, platform_row_cstring(i, 1));
	return sources;
}

static void
read_row(uint64 i, InboxRow *row)
{
	row->id = platform_row_uuid(i, 1);
	row->organization = platform_row_uuid(i, 2);
	row->source = platform_row_cstring(i, 3);
	row->event_type = platform_row_cstring(i, 4);
	row->phone_number = platform_row_cstring(i, 5);
	row->locked = true;
	row->was_claimed = platform_row_bool(i, 6);
	row->attempts = platform_row_int32(i, 7);
	row->max_attempts = platform_row_int32(i, 8);
	row->may_be_noted = platform_row_bool(i, 9);
	row->payload = platform_row_datum(i, 10, &row->no_payload);
}

/* What a worker is given beside, and no handler. */
static void
read_extras(uint64 i, InboxRow *row)
{
	for (int k = 0; k < INBOX_EXTRAS; k++)
		row->extras[k] = platform_row_datum(i, 11 + k, &row->no_extras[k]);
}

static int
compare_due(const void *a, const void *b)
{
	TimestampTz first = DatumGetTimestampTz(((const InboxRow *) a)->extras[INBOX_DUE_AT]);
	TimestampTz second = DatumGetTimestampTz(((const InboxRow *) b)->extras[INBOX_DUE_AT]);

	return first < second ? -1 : first > second;
}

InboxRow *
platform_inbox_pick(const char *source, int count, bool with_extras, int *found)
{
	static PlatformQuery pick =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST, "SELECT " ROW_COLUMNS DUE,
					   TIMESTAMPTZOID, INT8OID, TEXTOID);
	static PlatformQuery pick_extras =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   "SELECT p.id, p.organization_id, p.source, p.event_type, p.phone_number, p.was_claimed,"
					   " p.attempts, p.max_attempts, p.may_be_noted, p.raw_payload, p.due_at, p.user_id,"
					   " p.received_at, r.headers, r.body"
					   " FROM (SELECT " ROW_COLUMNS ", q.user_id, q.received_at, q.request_id, q.created_at,"
					   " q.due_at" DUE ") AS p LEFT JOIN platform.webhook_requests r"
					   " ON r.id OPERATOR(pg_catalog.=) p.request_id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) p.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) p.created_at",
					   TIMESTAMPTZOID, INT8OID, TEXTOID);
	Datum		values[3];
	InboxRow   *rows;

	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = Int64GetDatum(count);
	values[2] = CStringGetTextDatum(source);
	*found = (int) platform_query_run(with_extras ? &pick_extras : &pick, values, NULL);
	rows = palloc(Max(*found, 1) * sizeof(InboxRow));
	for (int i = 0; i < *found; i++)
	{
		read_row(i, &rows[i]);
		if (with_extras)
			read_extras(i, &rows[i]);
	}
	if (with_extras)
		qsort(rows, *found, sizeof(InboxRow), compare_due);
	return rows;
}

/* ---- SQL ---- */

/* The claimed event, as a row of the answer. */
static void
claim_row(FunctionCallInfo fcinfo, PlatformRow *queue, const InboxRow *row, const char *worker,
		  TimestampTz until)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t	lease;
	Datum		values[12];
	bool		nulls[12] = {false};

	if (!platform_inbox_claim(queue, row, worker, until, &lease))
		return;
	values[0] = UUIDPGetDatum(&row->id);
	values[1] = UUIDPGetDatum(&row->organization);
	values[2] = UUIDPGetDatum(&lease);
	values[3] = Int32GetDatum(row->attempts + 1);
	values[4] = CStringGetTextDatum(row->source);
	values[5] = CStringGetTextDatum(row->event_type);
	nulls[6] = row->phone_number == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(row->phone_number);
	nulls[7] = row->no_extras[INBOX_USER];
	values[7] = row->extras[INBOX_USER];
	nulls[8] = row->no_payload;
	values[8] = row->payload;
	nulls[9] = row->no_extras[INBOX_HEADERS];
	values[9] = row->extras[INBOX_HEADERS];
	nulls[10] = row->no_extras[INBOX_BODY];
	values[10] = row->extras[INBOX_BODY];
	values[11] = row->extras[INBOX_RECEIVED_AT];
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* A claim that goes on. */
typedef struct Claim
{
	FunctionCallInfo fcinfo;
	PlatformRow queue;
	const char *worker;
	int64		lease;
	MemoryContext row_memory;
	int			wanted;
} Claim;

/* Up to count events of a source; true when there may be more. */
static bool
claim_source(Claim *claim, const char *source, int count)
{
	int			found;
	InboxRow   *rows = platform_inbox_pick(source, count, true, &found);
	MemoryContext old = MemoryContextSwitchTo(claim->row_memory);

	for (int i = 0; i < found; i++)
	{
		if (platform_inbox_put_aside(&claim->queue, &rows[i]) == INBOX_OPEN)
		{
			claim_row(claim->fcinfo, &claim->queue, &rows[i], claim->worker,
					  GetCurrentTimestamp() + claim->lease);
			claim->wanted--;
		}
		MemoryContextReset(claim->row_memory);
	}
	MemoryContextSwitchTo(old);
	return found == count;
}

/*
 * platform.claim_inbound(worker text, batch integer DEFAULT 10, lease interval DEFAULT '1 minute',
 *		only_source text DEFAULT NULL)
 *		RETURNS TABLE (id uuid, organization_id uuid, lease_id uuid, attempt integer, source text,
 *			event_type text, phone_number text, user_id uuid, payload jsonb, headers jsonb,
 *			body bytea, received_at timestamptz)
 *
 * Up to batch (1 to 1000) events that are due, the longest due first, for a worker to
 * process and complete_inbound() before the lease (up to a day) ends; of one source or all
 * (NULL), of which each gets its share. headers and body are those of the request, of which the event may be a part.
 * Events of organizations whose feature webhooks is off wait. Operators only: 42501.
 * Errors: 22004; 22023; 25006.
 */
Datum
platform_claim_inbound(PG_FUNCTION_ARGS)
{
	Claim		claim = {.fcinfo = fcinfo};
	char	   *worker;
	List	   *sources;
	bool		more = true;

	platform_require_module(&platform_inbox_module);
	platform_require_operator("claim webhooks");
	platform_require_argument(fcinfo, 0, "worker");
	worker = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (*worker == '\0' || strlen(worker) > WORKER_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("worker must have 1 to %d bytes", WORKER_MAX)));
	claim.worker = worker;
	claim.wanted = platform_count_argument(fcinfo, 1, "batch", CLAIM_MAX);
	claim.lease = platform_require_interval(fcinfo, 2, "lease", false, LEASE_DAYS_MAX);
	claim.row_memory = AllocSetContextCreate(CurrentMemoryContext, "platform inbox claim",
											 ALLOCSET_DEFAULT_SIZES);

	InitMaterializedSRF(fcinfo, 0);
	platform_query_begin();
	platform_inbox_queue_open(&claim.queue);
	sources = PG_ARGISNULL(3) ? platform_inbox_sources() :
		list_make1(text_to_cstring(PG_GETARG_TEXT_PP(3)));
	while (claim.wanted > 0 && more)
	{
		int			share = Max(claim.wanted / Max(list_length(sources), 1), 1);
		ListCell   *cell;

		more = false;
		foreach(cell, sources)
			if (claim.wanted > 0)
				more = claim_source(&claim, lfirst(cell), Min(share, claim.wanted)) || more;
	}
	platform_row_close(&claim.queue);
	platform_query_end();
	return (Datum) 0;
}

/* Arguments organization_id, webhook_id and lease_id: the event, if it is still the lease's. */
static bool
find_argument(FunctionCallInfo fcinfo, PlatformRow *queue, InboxRow *row, bool lock, char **worker)
{
	row->organization = *PG_GETARG_UUID_P(0);
	row->id = *PG_GETARG_UUID_P(1);
	return platform_inbox_find_lease(queue, row, PG_GETARG_UUID_P(2), lock, worker);
}

static void
check_lease_arguments(FunctionCallInfo fcinfo)
{
	platform_require_module(&platform_inbox_module);
	platform_require_operator("complete webhooks");
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "webhook_id");
	platform_require_argument(fcinfo, 2, "lease_id");
}

/*
 * platform.extend_inbound_lease(organization_id uuid, webhook_id uuid, lease_id uuid,
 *		lease interval DEFAULT '1 minute') RETURNS boolean
 *
 * The worker needs more time: the lease ends that long from now. False when the event is
 * no longer its. Operators only: 42501. Errors: 22004; 22023; 25006.
 */
Datum
platform_extend_inbound_lease(PG_FUNCTION_ARGS)
{
	PlatformRow queue;
	InboxRow	row;
	char	   *worker;
	int64		lease;
	bool		extended;

	check_lease_arguments(fcinfo);
	lease = platform_require_interval(fcinfo, 3, "lease", false, LEASE_DAYS_MAX);
	platform_inbox_queue_open(&queue);
	extended = find_argument(fcinfo, &queue, &row, true, &worker);
	if (extended)
		platform_inbox_extend(&queue, GetCurrentTimestamp() + lease);
	platform_row_close(&queue);
	PG_RETURN_BOOL(extended);
}

/*
 * platform.complete_inbound(organization_id uuid, webhook_id uuid, lease_id uuid,
 *		result text DEFAULT 'success', error text DEFAULT NULL, retry_in interval DEFAULT NULL)
 *		RETURNS text
 *
 * What came of a claimed event. failed: it is tried again, after retry_in (up to 7 days)
 * or a time that grows, until its attempts are used up and it is dead; dead: at once;
 * unknown_number: the same, but then it waits until its telephone number is assigned;
 * success, skipped and any other word: processed. Returns the status; NULL, and nothing is changed, when the
 * event is no longer the lease's. Operators only: 42501. Errors: 22004; 22023; 25006.
 */
Datum
platform_complete_inbound(PG_FUNCTION_ARGS)
{
	PlatformRow queue;
	InboxRow	row;
	char	   *result;
	char	   *error = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	char	   *worker;
	int64		retry = -1;
	const char *status = NULL;

	check_lease_arguments(fcinfo);
	platform_require_argument(fcinfo, 3, "result");
	result = platform_inbox_result(PG_GETARG_TEXT_PP(3), "result");
	if (!PG_ARGISNULL(5))
		retry = platform_require_interval(fcinfo, 5, "retry_in", true, RETRY_DAYS_MAX);

	platform_query_begin();
	platform_inbox_queue_open(&queue);
	for (bool lock = false; status == NULL && find_argument(fcinfo, &queue, &row, lock, &worker); lock = true)
		status = platform_inbox_finish(&queue, &row, row.attempts, result, error, retry, worker);
	platform_row_close(&queue);
	platform_query_end();
	if (status == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}
