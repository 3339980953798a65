/*
 * event.c
 *	  Events for webhooks: see event.h.
 *
 * The row says which transaction wrote it: what a snapshot sees and an earlier
 * one did not is new, in whatever order the transactions commit. A key makes a
 * row of its own beside the event, whose primary key lets one of any number of
 * concurrent emitters through.
 *
 * Workers are woken by NOTIFY. All notifying commits of a database go one
 * after the other, so only one session a second does it: the one that gets a
 * lock named after the second, which it keeps until it tries for another.
 */
#include "core/platform.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/append.h"
#include "core/error.h"
#include "core/event.h"
#include "core/module.h"
#include "core/query.h"
#include "core/uuid7.h"

#define CHANNEL		"platform_webhooks"
#define LOCK_CLASS	0xc401

enum
{
	E_ID,
	E_ORGANIZATION,
	E_CREATED_AT,
	E_OCCURRED_AT,
	E_TRANSACTION,
	E_CLUSTER,
	E_TYPE,
	E_PAYLOAD,
	E_KEY,
	E_COLUMNS
};

static PlatformAppendTable event_table = {
	.cache = {.name = "webhook events", .tables = {"webhook_events"}},
	.ncolumns = E_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"created_at", TIMESTAMPTZOID},
		{"occurred_at", TIMESTAMPTZOID},
		{"transaction_id", XID8OID},
		{"cluster_id", INT8OID},
		{"event_type", TEXTOID},
		{"payload", JSONBOID},
		{"idempotency_key", TEXTOID},
	},
};

static PlatformModule webhooks_module = {"webhooks", 590, 0};

typedef enum Fanout
{
	FANOUT_ASYNC,
	FANOUT_SYNC
} Fanout;

static const struct config_enum_entry fanouts[] = {
	{"async", FANOUT_ASYNC, false},
	{"sync", FANOUT_SYNC, false},
	{NULL, 0, false}
};

static bool notify = true;
static int	fanout = FANOUT_ASYNC;

PlatformEventHook platform_event_hook = NULL;

static PlatformQuery insert_key =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "INSERT INTO platform.webhook_event_keys"
				   " (organization_id, idempotency_key, event_id, fingerprint) VALUES ($1, $2, $3, $4)"
				   " ON CONFLICT (organization_id, idempotency_key) DO NOTHING",
				   UUIDOID, TEXTOID, UUIDOID, INT8OID);

static PlatformQuery find_key =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT event_id, fingerprint FROM platform.webhook_event_keys"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $2",
				   UUIDOID, TEXTOID);

void
platform_event_init(void)
{
	platform_append_register(&event_table);
	DefineCustomBoolVariable("platform.webhook_notify",
							 "Wake the webhook workers when there are events.",
							 "At most one transaction a second notifies them. It cannot be prepared for two-phase commit.",
							 &notify, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("platform.webhook_fanout",
							 "When the deliveries of an event are made: by the worker, or in its transaction.",
							 "sync: transactions that emit events to one receiver wait for each other.",
							 &fanout, FANOUT_ASYNC, fanouts, PGC_SUSET, 0, NULL, NULL, NULL);
}

bool
platform_event_is_installed(void)
{
	return platform_module_installed(&webhooks_module);
}

bool
platform_event_type_is_valid(const char *type, size_t length)
{
	bool		in_part = false;

	if (length > PLATFORM_EVENT_TYPE_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = type[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
			in_part = true;
		else if (c == '.' && in_part)
			in_part = false;
		else
			return false;
	}
	return in_part;
}

void
platform_require_event_type(const char *type, size_t length)
{
	if (!platform_event_type_is_valid(type, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("event type is malformed"),
				 errdetail("It has at most %d characters: a-z, 0-9 and _, in parts separated by full stops.",
						   PLATFORM_EVENT_TYPE_MAX)));
}

TimestampTz
platform_event_time(const pg_uuid_t *id)
{
	uint64		high;

	memcpy(&high, id->data, sizeof(high));
	return (TimestampTz) (pg_ntoh64(high) >> 16) * 1000 -
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/*
 * Takes the key for the event; false when it was taken before, and then *id is
 * the event's that took it.
 */
static bool
take_key(const PlatformEvent *event, const Jsonb *payload, pg_uuid_t *id)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) event->type,
										   (int) strlen(event->type), 90);
	Datum		values[4];
	bool		taken;

	hash = hash_bytes_extended((const unsigned char *) VARDATA(payload),
							   (int) (VARSIZE(payload) - VARHDRSZ), hash);
	values[0] = UUIDPGetDatum(event->organization);
	values[1] = CStringGetTextDatum(event->idempotency_key);
	values[2] = UUIDPGetDatum(id);
	values[3] = Int64GetDatum((int64) hash);
	platform_query_begin();
	taken = platform_query_run(&insert_key, values, NULL) > 0;
	if (!taken)
	{
		if (platform_query_run(&find_key, values, NULL) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not find the event of an idempotency key that was just in use")));
		if (platform_row_int64(0, 2) != (int64) hash)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("idempotency key was used with another event"),
					 errdetail("The type or the payload differs.")));
		*id = platform_row_uuid(0, 1);
	}
	platform_query_end();
	return taken;
}

static bool
holds_lock(const LOCKTAG *lock)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(lock, ExclusiveLock, false);
#else
	return LockHeldByMe(lock, ExclusiveLock);
#endif
}

/* Notifies the workers, unless somebody in this database did within the second. */
static void
wake_workers(TimestampTz now)
{
	static int64 last_second = 0;
	static bool has_lock = false;
	static LOCKTAG lock;
	int64		second = now / USECS_PER_SEC;

	if (!notify || second == last_second)
		return;
	/* DISCARD ALL may have released it. */
	if (has_lock && holds_lock(&lock))
		LockRelease(&lock, ExclusiveLock, true);
	last_second = second;
	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, (uint32) (second >> 32), (uint32) second, LOCK_CLASS);
	has_lock = LockAcquire(&lock, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	if (has_lock)
		Async_Notify(CHANNEL, "");
}

static void
require_valid(const PlatformEvent *event)
{
	size_t		length = event->idempotency_key == NULL ? 1 : strlen(event->idempotency_key);

	platform_require_event_type(event->type, strlen(event->type));
	if (length == 0 || length > PLATFORM_EVENT_KEY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idempotency_key must have 1 to %d bytes", PLATFORM_EVENT_KEY_MAX)));
	if (!IS_VALID_TIMESTAMP(event->occurred_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("occurred_at must be finite")));
}

static const Jsonb *
empty_payload(void)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
append_event(const PlatformEvent *event, const Jsonb *payload, const pg_uuid_t *id,
			 TimestampTz now)
{
	TimestampTz created_at = platform_event_time(id);
	FullTransactionId transaction = GetTopFullTransactionId();
	PlatformAppend append;
	TupleTableSlot *slot;

	platform_append_open_at(&append, &event_table, 1, created_at);
	slot = platform_append_row(&append);
	platform_append_set(&append, slot, E_ID, UUIDPGetDatum(id));
	platform_append_set(&append, slot, E_ORGANIZATION, UUIDPGetDatum(event->organization));
	platform_append_set(&append, slot, E_CREATED_AT, TimestampTzGetDatum(created_at));
	platform_append_set(&append, slot, E_OCCURRED_AT,
						TimestampTzGetDatum(event->occurred_at != 0 ? event->occurred_at : now));
	platform_append_set(&append, slot, E_TRANSACTION, FullTransactionIdGetDatum(transaction));
	platform_append_set(&append, slot, E_CLUSTER, Int64GetDatum((int64) GetSystemIdentifier()));
	platform_append_set(&append, slot, E_TYPE, CStringGetTextDatum(event->type));
	platform_append_set(&append, slot, E_PAYLOAD, PointerGetDatum(payload));
	if (event->idempotency_key != NULL)
		platform_append_set(&append, slot, E_KEY, CStringGetTextDatum(event->idempotency_key));
	platform_append_flush(&append);
	platform_append_close(&append);
}

bool
platform_event_emit(const PlatformEvent *event, PlatformEventAnswer *answer)
{
	TimestampTz now = GetCurrentTimestamp();
	const Jsonb *payload = event->payload;
	pg_uuid_t	id;
	bool		duplicate = false;

	if (!platform_event_is_installed())
		return false;
	require_valid(event);
	if (payload == NULL)
		payload = empty_payload();
	PreventCommandIfReadOnly("INSERT");
	platform_make_uuid7(&id);
	if (event->idempotency_key != NULL)
		duplicate = !take_key(event, payload, &id);
	if (!duplicate)
	{
		append_event(event, payload, &id, now);
		if (fanout == FANOUT_SYNC && platform_event_hook != NULL)
			platform_event_hook(event, &id);
		wake_workers(now);
	}
	if (answer != NULL)
	{
		answer->id = id;
		answer->duplicate = duplicate;
	}
	return true;
}
