/*
 * queue.c
 *	  Rows of the queue while they are processed: what becomes of them, whoever
 *	  does it.
 *
 * A row is written past the executor, as it was stored: an UPDATE would spend most of
 * its time on the table's checks, which hold by what is written here. Most have been
 * locked before; one that has not is written if nobody else holds it.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/gate.h"
#include "core/query.h"
#include "core/row.h"
#include "core/uuid7.h"
#include "inbox/inbox.h"

#define ERROR_MAX		1000
#define FEATURE			"webhooks"
#define HELD_FOR		USECS_PER_MINUTE
#define BACKOFF_FIRST	(5 * USECS_PER_SEC)
#define BACKOFF_MOST	(6 * USECS_PER_HOUR)

enum
{
	Q_ID,
	Q_ORGANIZATION,
	Q_SOURCE,
	Q_TYPE,
	Q_PHONE_NUMBER,
	Q_STATUS,
	Q_DUE_AT,
	Q_ATTEMPTS,
	Q_MAX_ATTEMPTS,
	Q_REPLAYS,
	Q_LAST_ATTEMPT_AT,
	Q_LEASE,
	Q_CLAIMED_BY,
	Q_PROCESSED_AT,
	Q_PROCESSED_BY,
	Q_RESULT,
	Q_ERROR,
	Q_COLUMNS
};

static PlatformRowTable queue_table = {
	.cache = {.name = "webhook queue rows", .tables = {"webhook_queue"}},
	.nkeys = 2,
	.ncolumns = Q_COLUMNS,
	.columns = {
		[Q_ID] = {"id", UUIDOID},
		[Q_ORGANIZATION] = {"organization_id", UUIDOID},
		[Q_SOURCE] = {"source", TEXTOID},
		[Q_TYPE] = {"event_type", TEXTOID},
		[Q_PHONE_NUMBER] = {"phone_number", TEXTOID},
		[Q_STATUS] = {"status", TEXTOID},
		[Q_DUE_AT] = {"due_at", TIMESTAMPTZOID},
		[Q_ATTEMPTS] = {"attempts", INT4OID},
		[Q_MAX_ATTEMPTS] = {"max_attempts", INT4OID},
		[Q_REPLAYS] = {"replays", INT4OID},
		[Q_LAST_ATTEMPT_AT] = {"last_attempt_at", TIMESTAMPTZOID},
		[Q_LEASE] = {"lease_id", UUIDOID},
		[Q_CLAIMED_BY] = {"claimed_by", TEXTOID},
		[Q_PROCESSED_AT] = {"processed_at", TIMESTAMPTZOID},
		[Q_PROCESSED_BY] = {"processed_by", TEXTOID},
		[Q_RESULT] = {"result", TEXTOID},
		[Q_ERROR] = {"error_message", TEXTOID},
	},
};

void
platform_inbox_queue_init(void)
{
	platform_row_register(&queue_table);
}

void
platform_inbox_queue_open(PlatformRow *queue)
{
	platform_row_open(queue, &queue_table);
	platform_row_keep_indexes(queue);
}

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

/* ---- writing ---- */

static bool
find(PlatformRow *queue, const InboxRow *row)
{
	Datum		keys[2] = {UUIDPGetDatum(&row->id), UUIDPGetDatum(&row->organization)};

	return platform_row_find(queue, keys);
}

static void
set_text(PlatformRow *queue, int column, const char *value)
{
	if (value == NULL)
		platform_row_set_null(queue, column);
	else
		platform_row_set(queue, column, CStringGetTextDatum(value));
}

static void
set_time(PlatformRow *queue, int column, TimestampTz time, bool is_set)
{
	if (is_set)
		platform_row_set(queue, column, TimestampTzGetDatum(time));
	else
		platform_row_set_null(queue, column);
}

static void
end_lease(PlatformRow *queue)
{
	platform_row_set_null(queue, Q_LEASE);
	platform_row_set_null(queue, Q_CLAIMED_BY);
}

/* False when somebody else holds or wrote a row that is not locked. */
static bool
write_row(PlatformRow *queue, bool locked)
{
	if (!locked)
		return platform_row_update(queue) == ROW_DONE;
	if (platform_row_update_locked(queue) != ROW_DONE)
		elog(ERROR, "could not write a row of the queue that is locked");
	return true;
}

/* ---- leases ---- */

bool
platform_inbox_claim(PlatformRow *queue, const InboxRow *row, const char *worker, TimestampTz until,
					 pg_uuid_t *lease)
{
	if (!find(queue, row))
		return false;
	platform_make_uuid7(lease);
	set_text(queue, Q_STATUS, "processing");
	platform_row_set(queue, Q_DUE_AT, TimestampTzGetDatum(until));
	platform_row_set(queue, Q_LEASE, UUIDPGetDatum(lease));
	set_text(queue, Q_CLAIMED_BY, worker);
	platform_row_set(queue, Q_ATTEMPTS, Int32GetDatum(row->attempts + 1));
	platform_row_set(queue, Q_LAST_ATTEMPT_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	return write_row(queue, true);
}

static bool
has_lease(const PlatformRow *queue, const pg_uuid_t *lease)
{
	bool		isnull;
	Datum		value = platform_row_get(queue, Q_LEASE, &isnull);

	return !isnull && memcmp(DatumGetUUIDP(value), lease, sizeof(pg_uuid_t)) == 0;
}

bool
platform_inbox_find_lease(PlatformRow *queue, InboxRow *row, const pg_uuid_t *lease, bool lock,
						  char **worker)
{
	char	   *result;

	if (!find(queue, row) || !has_lease(queue, lease))
		return false;
	while (lock && !platform_row_lock(queue))
		if (!find(queue, row))
			return false;
	if (!has_lease(queue, lease))
		return false;
	row->locked = lock;
	row->source = platform_row_get_cstring(queue, Q_SOURCE);
	row->event_type = platform_row_get_cstring(queue, Q_TYPE);
	row->phone_number = platform_row_get_cstring(queue, Q_PHONE_NUMBER);
	row->was_claimed = true;
	row->attempts = platform_row_get_int32(queue, Q_ATTEMPTS, 0);
	row->max_attempts = platform_row_get_int32(queue, Q_MAX_ATTEMPTS, 0);
	result = platform_row_get_cstring(queue, Q_RESULT);
	row->may_be_noted = platform_row_get_int32(queue, Q_REPLAYS, 0) > 0 ||
		(result != NULL && strcmp(result, INBOX_UNKNOWN_NUMBER) == 0);
	*worker = platform_row_get_cstring(queue, Q_CLAIMED_BY);
	return true;
}

void
platform_inbox_extend(PlatformRow *queue, TimestampTz until)
{
	platform_row_set(queue, Q_DUE_AT, TimestampTzGetDatum(until));
	(void) write_row(queue, true);
}

/* ---- what is not processed now ---- */

static bool
is_open(const pg_uuid_t *organization)
{
	return platform_feature_gate == NULL ||
		platform_feature_gate(organization, FEATURE, strlen(FEATURE));
}

/* It is looked at again after a while, as if nobody had claimed it. */
static void
hold(PlatformRow *queue, const InboxRow *row)
{
	if (!find(queue, row))
		return;
	platform_row_set(queue, Q_DUE_AT, TimestampTzGetDatum(GetCurrentTimestamp() + HELD_FOR));
	if (row->was_claimed)
		set_text(queue, Q_STATUS, "received");
	end_lease(queue);
	(void) write_row(queue, true);
}

InboxAside
platform_inbox_put_aside(PlatformRow *queue, const InboxRow *row)
{
	if (row->was_claimed && row->attempts >= row->max_attempts)
	{
		(void) platform_inbox_finish(queue, row, row->attempts, "failed",
									 "the last attempt did not end in time", -1, NULL);
		return INBOX_DEAD;
	}
	if (is_open(&row->organization))
		return INBOX_OPEN;
	hold(queue, row);
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
platform_inbox_finish(PlatformRow *queue, const InboxRow *row, int attempts, const char *result,
					  const char *error, int64 retry, const char *by)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *status = "processed";
	bool		unknown = strcmp(result, INBOX_UNKNOWN_NUMBER) == 0;
	bool		processed;
	bool		again;

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
	processed = strcmp(status, "processed") == 0;
	again = strcmp(status, "failed") == 0 && attempts < row->max_attempts;

	/* A handler may have deleted it. */
	if (!find(queue, row))
		return status;
	set_text(queue, Q_STATUS, status);
	set_time(queue, Q_DUE_AT, now + (retry >= 0 ? retry : backoff(attempts)), again);
	set_text(queue, Q_RESULT, result);
	set_text(queue, Q_ERROR, error == NULL ? NULL :
			 pnstrdup(error, pg_mbcharcliplen(error, strlen(error), ERROR_MAX)));
	set_time(queue, Q_PROCESSED_AT, now, processed);
	set_text(queue, Q_PROCESSED_BY, processed ? by : NULL);
	platform_row_set(queue, Q_ATTEMPTS, Int32GetDatum(attempts));
	platform_row_set(queue, Q_LAST_ATTEMPT_AT, TimestampTzGetDatum(now));
	end_lease(queue);
	if (!write_row(queue, row->locked))
		return NULL;

	if (unknown)
		note_unknown_number(row);
	else if (strcmp(status, "dead") == 0)
		alert_dead(row);
	else if (processed && row->may_be_noted)
		resolve_number(row);
	return status;
}
