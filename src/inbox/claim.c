/*
 * claim.c
 *	  Events for workers: claim_inbound(), extend_inbound_lease(),
 *	  complete_inbound(); and what becomes of an event, whoever processed it.
 *
 * A claim takes due events that nobody else is taking (SKIP LOCKED) and holds
 * them until its lease ends; then they are due again. Every claim has a lease of
 * its own, which whoever completes the event presents: one that was too slow
 * changes nothing. Claims count as attempts, so that an event which kills its
 * worker is not tried for ever.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/gate.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "inbox/inbox.h"

#define CLAIM_MAX		1000
#define LEASE_DAYS_MAX	1
#define RETRY_DAYS_MAX	7
#define WORKER_MAX		255
#define ERROR_MAX		1000
#define FEATURE			"webhooks"
#define HELD_FOR		USECS_PER_MINUTE
#define BACKOFF_FIRST	(5 * USECS_PER_SEC)
#define BACKOFF_MOST	(6 * USECS_PER_HOUR)

PG_FUNCTION_INFO_V1(platform_claim_inbound);
PG_FUNCTION_INFO_V1(platform_extend_inbound_lease);
PG_FUNCTION_INFO_V1(platform_complete_inbound);

/* Five seconds after the first attempt, then four times as long each, up to six hours; a fifth more or less. */
static int64
backoff(int attempts)
{
	int64		delay = BACKOFF_FIRST;

	for (int i = 1; i < attempts && delay < BACKOFF_MOST; i++)
		delay *= 4;
	delay = Min(delay, BACKOFF_MOST);
	return (int64) (delay * (0.8 + 0.4 * pg_prng_double(&pg_global_prng_state)));
}

int
platform_inbox_count(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
	int			count;

	platform_require_argument(fcinfo, number, name);
	count = PG_GETARG_INT32(number);
	if (count < 1 || count > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, most)));
	return count;
}

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

/* ---- rows ---- */

#define ROW_COLUMNS \
	"q.id, q.organization_id, q.source, q.event_type, q.phone_number," \
	" q.status OPERATOR(pg_catalog.=) 'processing', q.attempts, q.max_attempts," \
	" q.replays OPERATOR(pg_catalog.>) 0 OR coalesce(q.result OPERATOR(pg_catalog.=) 'unknown_number', false)," \
	" q.raw_payload"

static void
read_row(uint64 i, InboxRow *row)
{
	row->id = platform_row_uuid(i, 1);
	row->organization = platform_row_uuid(i, 2);
	row->source = platform_row_cstring(i, 3);
	row->event_type = platform_row_cstring(i, 4);
	row->phone_number = platform_row_cstring(i, 5);
	row->was_claimed = platform_row_bool(i, 6);
	row->attempts = platform_row_int32(i, 7);
	row->max_attempts = platform_row_int32(i, 8);
	row->may_be_noted = platform_row_bool(i, 9);
	row->payload = platform_row_datum_copy(i, 10, &row->no_payload);
}

InboxRow *
platform_inbox_pick(const char *source, int count, int *found)
{
	static PlatformQuery pick =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "SELECT " ROW_COLUMNS " FROM platform.webhook_queue q"
					   " WHERE q.due_at OPERATOR(pg_catalog.<=) $1"
					   " ORDER BY q.due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
					   TIMESTAMPTZOID, INT8OID);
	static PlatformQuery pick_source =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "SELECT " ROW_COLUMNS " FROM platform.webhook_queue q"
					   " WHERE q.due_at OPERATOR(pg_catalog.<=) $1 AND q.source OPERATOR(pg_catalog.=) $3"
					   " ORDER BY q.due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
					   TIMESTAMPTZOID, INT8OID, TEXTOID);
	Datum		values[3];
	InboxRow   *rows;

	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = Int64GetDatum(count);
	if (source != NULL)
		values[2] = CStringGetTextDatum(source);
	*found = (int) platform_query_run(source == NULL ? &pick : &pick_source, values, NULL);
	rows = SPI_palloc(Max(*found, 1) * sizeof(InboxRow));
	for (int i = 0; i < *found; i++)
		read_row(i, &rows[i]);
	return rows;
}

static bool
is_open(const pg_uuid_t *organization)
{
	return platform_feature_gate == NULL ||
		platform_feature_gate(organization, FEATURE, strlen(FEATURE));
}

InboxAside
platform_inbox_put_aside(const InboxRow *row)
{
	static PlatformQuery hold =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue SET due_at = $3,"
					   " status = CASE WHEN status OPERATOR(pg_catalog.=) 'processing' THEN 'received' ELSE status END,"
					   " lease_id = NULL, claimed_by = NULL"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[3];

	if (row->was_claimed && row->attempts >= row->max_attempts)
	{
		(void) platform_inbox_finish(row, row->attempts, "failed", "the last attempt did not end in time", -1, NULL);
		return INBOX_DEAD;
	}
	if (is_open(&row->organization))
		return INBOX_OPEN;
	values[0] = UUIDPGetDatum(&row->id);
	values[1] = UUIDPGetDatum(&row->organization);
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp() + HELD_FOR);
	platform_query_run(&hold, values, NULL);
	return INBOX_HELD;
}

/* ---- what came of it ---- */

static void
alert_dead(const InboxRow *row)
{
	PlatformAlert alert = {
		.severity = "critical",
		.type = "webhook_dead",
		.organization = &row->organization,
		.title = "A webhook could not be processed",
		.message = psprintf("%s from %s: given up, and kept for replay_inbound()", row->event_type, row->source),
		.dedup_key = psprintf("%s:%.180s", row->source, row->event_type),
		.source = "webhook",
	};

	(void) platform_alert_raise(&alert, NULL);
}

/* The number is nobody's: noted once for the event. */
static void
note_unknown_number(const InboxRow *row)
{
	static PlatformQuery note =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.unknown_phone"
					   " (organization_id, phone_number, event_type, raw_payload, webhook_id, received_at)"
					   " SELECT organization_id, phone_number, event_type, raw_payload, id, received_at"
					   " FROM platform.webhook_queue"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"
					   " ON CONFLICT (webhook_id, organization_id) WHERE resolved_at IS NULL AND webhook_id IS NOT NULL"
					   " DO NOTHING",
					   UUIDOID, UUIDOID);
	PlatformAlert alert = {
		.severity = "warning",
		.type = "unknown_phone_spike",
		.organization = &row->organization,
		.title = "Webhooks for a number that is nobody's",
		.phone_number = row->phone_number,
		.dedup_key = row->phone_number,
		.source = "webhook",
	};
	Datum		values[] = {UUIDPGetDatum(&row->id), UUIDPGetDatum(&row->organization)};

	if (platform_query_run(&note, values, NULL) > 0)
		(void) platform_alert_raise(&alert, NULL);
}

static void
resolve_number(const InboxRow *row)
{
	static PlatformQuery resolve =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.unknown_phone SET resolved_at = pg_catalog.clock_timestamp(),"
					   " resolution = 'matched_agent'"
					   " WHERE webhook_id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2 AND resolved_at IS NULL",
					   UUIDOID, UUIDOID);
	Datum		values[] = {UUIDPGetDatum(&row->id), UUIDPGetDatum(&row->organization)};

	platform_query_run(&resolve, values, NULL);
}

const char *
platform_inbox_finish(const InboxRow *row, int attempts, const char *result, const char *error,
					  int64 retry, const char *by)
{
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue SET status = $3, due_at = $4, result = $5,"
					   " error_message = $6, processed_at = $7, processed_by = $8, attempts = $9,"
					   " last_attempt_at = $10, lease_id = NULL, claimed_by = NULL"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
					   TEXTOID, INT4OID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	const char *status = "processed";
	bool		unknown = strcmp(result, "unknown_number") == 0;
	Datum		values[10];
	bool		nulls[10] = {false};

	if (unknown && row->phone_number == NULL)
	{
		unknown = false;
		result = "dead";
		error = "the event has no telephone number";
	}
	if (unknown)
		status = "failed";
	else if (strcmp(result, "dead") == 0)
		status = "dead";
	else if (strcmp(result, "failed") == 0)
		status = attempts < row->max_attempts ? "failed" : "dead";
	if (strcmp(status, "dead") == 0)
		result = "failed";

	values[0] = UUIDPGetDatum(&row->id);
	values[1] = UUIDPGetDatum(&row->organization);
	values[2] = CStringGetTextDatum(status);
	nulls[3] = strcmp(status, "failed") != 0 || (unknown && attempts >= row->max_attempts);
	values[3] = TimestampTzGetDatum(now + (retry >= 0 ? retry : backoff(attempts)));
	values[4] = CStringGetTextDatum(result);
	nulls[5] = error == NULL;
	values[5] = nulls[5] ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(error, pg_mbcharcliplen(error, strlen(error), ERROR_MAX)));
	nulls[6] = strcmp(status, "processed") != 0;
	values[6] = TimestampTzGetDatum(now);
	nulls[7] = nulls[6] || by == NULL;
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(by);
	values[8] = Int32GetDatum(attempts);
	values[9] = TimestampTzGetDatum(now);
	platform_query_run(&finish, values, nulls);

	if (unknown)
		note_unknown_number(row);
	else if (strcmp(status, "dead") == 0)
		alert_dead(row);
	else if (strcmp(status, "processed") == 0 && row->may_be_noted)
		resolve_number(row);
	return status;
}

/* ---- SQL ---- */

/* The claimed event, as a row of the answer. */
static void
claim_row(FunctionCallInfo fcinfo, const InboxRow *row, const char *worker, TimestampTz until)
{
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue AS q SET status = 'processing', due_at = $3,"
					   " lease_id = $4, claimed_by = $5, attempts = q.attempts OPERATOR(pg_catalog.+) 1,"
					   " last_attempt_at = pg_catalog.clock_timestamp()"
					   " WHERE q.id OPERATOR(pg_catalog.=) $1 AND q.organization_id OPERATOR(pg_catalog.=) $2"
					   " RETURNING q.id, q.organization_id, q.lease_id, q.attempts, q.source, q.event_type,"
					   " q.phone_number, q.user_id, q.raw_payload,"
					   " (SELECT r.headers FROM platform.webhook_requests r WHERE r.id OPERATOR(pg_catalog.=) q.request_id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) q.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) q.created_at),"
					   " (SELECT r.body FROM platform.webhook_requests r WHERE r.id OPERATOR(pg_catalog.=) q.request_id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) q.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) q.created_at), q.received_at",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, UUIDOID, TEXTOID);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t	lease;
	Datum		values[5];

	platform_make_uuid7(&lease);
	values[0] = UUIDPGetDatum(&row->id);
	values[1] = UUIDPGetDatum(&row->organization);
	values[2] = TimestampTzGetDatum(until);
	values[3] = UUIDPGetDatum(&lease);
	values[4] = CStringGetTextDatum(worker);
	if (platform_query_run(&claim, values, NULL) > 0)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[0]);
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
 * (NULL). headers and body are those of the request, of which the event may be a part.
 * Events of organizations whose feature webhooks is off wait. Operators only: 42501.
 * Errors: 22004; 22023; 25006.
 */
Datum
platform_claim_inbound(PG_FUNCTION_ARGS)
{
	char	   *worker;
	char	   *source;
	int			wanted;
	int64		lease;

	platform_require_module(&platform_inbox_module);
	platform_require_operator("claim webhooks");
	platform_require_argument(fcinfo, 0, "worker");
	worker = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (*worker == '\0' || strlen(worker) > WORKER_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("worker must have 1 to %d bytes", WORKER_MAX)));
	wanted = platform_inbox_count(fcinfo, 1, "batch", CLAIM_MAX);
	lease = platform_require_interval(fcinfo, 2, "lease", false, LEASE_DAYS_MAX);
	source = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));

	InitMaterializedSRF(fcinfo, 0);
	platform_query_begin();
	for (int round = 0; wanted > 0 && round < 10; round++)
	{
		int			asked = wanted;
		int			found;
		InboxRow   *rows = platform_inbox_pick(source, asked, &found);

		for (int i = 0; i < found; i++)
			if (platform_inbox_put_aside(&rows[i]) == INBOX_OPEN)
			{
				claim_row(fcinfo, &rows[i], worker, GetCurrentTimestamp() + lease);
				wanted--;
			}
		if (found < asked)
			break;
	}
	platform_query_end();
	return (Datum) 0;
}

/* Arguments organization_id, webhook_id and lease_id. */
static void
lease_arguments(FunctionCallInfo fcinfo, Datum *values)
{
	platform_require_module(&platform_inbox_module);
	platform_require_operator("complete webhooks");
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "webhook_id");
	platform_require_argument(fcinfo, 2, "lease_id");
	values[0] = PG_GETARG_DATUM(1);
	values[1] = PG_GETARG_DATUM(0);
	values[2] = PG_GETARG_DATUM(2);
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
	static PlatformQuery extend =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue SET due_at = $4"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"
					   " AND lease_id OPERATOR(pg_catalog.=) $3",
					   UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[4];
	bool		extended;

	lease_arguments(fcinfo, values);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp() +
									platform_require_interval(fcinfo, 3, "lease", false, LEASE_DAYS_MAX));
	platform_query_begin();
	extended = platform_query_run(&extend, values, NULL) > 0;
	platform_query_end();
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
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "SELECT " ROW_COLUMNS ", q.claimed_by FROM platform.webhook_queue q"
					   " WHERE q.id OPERATOR(pg_catalog.=) $1 AND q.organization_id OPERATOR(pg_catalog.=) $2"
					   " AND q.lease_id OPERATOR(pg_catalog.=) $3 FOR UPDATE",
					   UUIDOID, UUIDOID, UUIDOID);
	Datum		values[3];
	char	   *result;
	char	   *error = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	int64		retry = -1;
	const char *status = NULL;

	lease_arguments(fcinfo, values);
	platform_require_argument(fcinfo, 3, "result");
	result = platform_inbox_result(PG_GETARG_TEXT_PP(3), "result");
	if (!PG_ARGISNULL(5))
		retry = platform_require_interval(fcinfo, 5, "retry_in", true, RETRY_DAYS_MAX);

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) > 0)
	{
		InboxRow	row;
		char	   *by = platform_row_cstring(0, 11);

		read_row(0, &row);
		status = platform_inbox_finish(&row, row.attempts, result, error, retry, by);
	}
	platform_query_end();
	if (status == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}
