/*
 * store.c
 *	  What is written of a request that comes in: its key, its bytes, its events.
 *
 * A key row decides whether an event is new: of any number of sessions with the same
 * event one inserts it, and the others wait until that one has committed. When it is
 * rolled back the next one does. What came long ago is found without writing.
 *
 * All is appended past the executor. No foreign key leads from them to the organization:
 * its one row would be locked by every request, and lists of lockers cost more than
 * all else here. The checks of both tables hold by what the callers write.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/append.h"
#include "core/guard.h"
#include "core/query.h"
#include "core/row.h"
#include "inbox/inbox.h"

#define KEPT_MAX		100		/* refused and repeated requests an hour and account */
#define FULL_FOR		(10 * USECS_PER_SEC)
#define ATTEMPTS_MAX	10		/* the column's default */

PG_FUNCTION_INFO_V1(platform_delete_inbox);

enum
{
	K_ORGANIZATION,
	K_ACCOUNT,
	K_SOURCE,
	K_KEY,
	K_WEBHOOK,
	K_FINGERPRINT,
	K_EXPIRES_AT,
	K_CREATED_AT,
	K_COLUMNS
};

#define KEY_COLUMNS \
	.ncolumns = K_COLUMNS, \
	.columns = { \
		[K_ORGANIZATION] = {"organization_id", UUIDOID}, \
		[K_ACCOUNT] = {"account_id", UUIDOID}, \
		[K_SOURCE] = {"source", TEXTOID}, \
		[K_KEY] = {"idempotency_key", TEXTOID}, \
		[K_WEBHOOK] = {"webhook_id", UUIDOID}, \
		[K_FINGERPRINT] = {"fingerprint", BYTEAOID}, \
		[K_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID}, \
		[K_CREATED_AT] = {"created_at", TIMESTAMPTZOID}, \
	}

/* To read; a look-up that misses a row which moves is no matter: the INSERT finds it. */
static PlatformRowTable key_table = {
	.cache = {.name = "webhook keys", .tables = {"webhook_keys"}},
	.immutable = true,
	.nkeys = K_WEBHOOK,
	KEY_COLUMNS
};

/* To write. */
static PlatformAppendTable new_key_table = {
	.cache = {.name = "new webhook keys", .tables = {"webhook_keys"}},
	KEY_COLUMNS
};

enum
{
	R_ID,
	R_ORGANIZATION,
	R_ACCOUNT,
	R_SOURCE,
	R_URL,
	R_HEADERS,
	R_BODY,
	R_RECEIVED_AT,
	R_CREATED_AT,
	R_COLUMNS
};

static PlatformAppendTable request_table = {
	.cache = {.name = "webhook requests", .tables = {"webhook_requests"}},
	.ncolumns = R_COLUMNS,
	.columns = {
		[R_ID] = {"id", UUIDOID},
		[R_ORGANIZATION] = {"organization_id", UUIDOID},
		[R_ACCOUNT] = {"account_id", UUIDOID},
		[R_SOURCE] = {"source", TEXTOID},
		[R_URL] = {"url", TEXTOID},
		[R_HEADERS] = {"headers", JSONBOID},
		[R_BODY] = {"body", BYTEAOID},
		[R_RECEIVED_AT] = {"received_at", TIMESTAMPTZOID},
		[R_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	},
};

enum
{
	E_ID,
	E_ORGANIZATION,
	E_REQUEST,
	E_ACCOUNT,
	E_SOURCE,
	E_TYPE,
	E_PHONE_NUMBER,
	E_AGENT,
	E_PAYLOAD,
	E_KEY,
	E_RECEIVED_AT,
	E_STATUS,
	E_DUE_AT,
	E_ATTEMPTS,
	E_MAX_ATTEMPTS,
	E_REPLAYS,
	E_REASON,
	E_FIRST,
	E_CREATED_AT,
	E_COLUMNS
};

static PlatformAppendTable event_table = {
	.cache = {.name = "webhook queue", .tables = {"webhook_queue"}},
	.ncolumns = E_COLUMNS,
	.columns = {
		[E_ID] = {"id", UUIDOID},
		[E_ORGANIZATION] = {"organization_id", UUIDOID},
		[E_REQUEST] = {"request_id", UUIDOID},
		[E_ACCOUNT] = {"account_id", UUIDOID},
		[E_SOURCE] = {"source", TEXTOID},
		[E_TYPE] = {"event_type", TEXTOID},
		[E_PHONE_NUMBER] = {"phone_number", TEXTOID},
		[E_AGENT] = {"agent_id", TEXTOID},
		[E_PAYLOAD] = {"raw_payload", JSONBOID},
		[E_KEY] = {"idempotency_key", TEXTOID},
		[E_RECEIVED_AT] = {"received_at", TIMESTAMPTZOID},
		[E_STATUS] = {"status", TEXTOID},
		[E_DUE_AT] = {"due_at", TIMESTAMPTZOID},
		[E_ATTEMPTS] = {"attempts", INT4OID},
		[E_MAX_ATTEMPTS] = {"max_attempts", INT4OID},
		[E_REPLAYS] = {"replays", INT4OID},
		[E_REASON] = {"reason", TEXTOID},
		[E_FIRST] = {"first_id", UUIDOID},
		[E_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	},
};

void
platform_inbox_store_init(void)
{
	platform_row_register(&key_table);
	platform_append_register(&new_key_table);
	platform_append_register(&request_table);
	platform_append_register(&event_table);
}

/* ---- keys ---- */

/* Has another event the key? Then *id is its, and *same tells whether it is the same event. */
static bool
find_key(const Datum *keys, const InboxEvent *event, TimestampTz now, pg_uuid_t *id, bool *same)
{
	PlatformRow row;
	bool		found;
	bool		isnull;

	platform_row_open_read(&row, &key_table);
	found = platform_row_find(&row, keys) &&
		platform_row_get_timestamptz(&row, K_EXPIRES_AT, DT_NOEND) > now;
	if (found)
	{
		bytea	   *fingerprint = DatumGetByteaPP(platform_row_get(&row, K_FINGERPRINT, &isnull));

		*id = platform_row_get_uuid(&row, K_WEBHOOK);
		*same = VARSIZE_ANY_EXHDR(fingerprint) == INBOX_HASH_SIZE &&
			memcmp(VARDATA_ANY(fingerprint), event->fingerprint, INBOX_HASH_SIZE) == 0;
	}
	platform_row_close(&row);
	return found;
}

/* True when nobody has it, nor tries to have it. */
static bool
append_key(const Datum *values, const bool *nulls)
{
	PlatformAppend append;
	TupleTableSlot *slot;
	bool		taken;

	platform_append_open(&append, &new_key_table, 1);
	slot = platform_append_row(&append);
	for (int i = 0; i < K_COLUMNS; i++)
		if (!nulls[i])
			platform_append_set(&append, slot, i, values[i]);
	taken = platform_append_flush_once(&append);
	platform_append_close(&append);
	return taken;
}

/* Waits for whoever tries, and takes the key if he does not, or if its time is over. */
static bool
insert_key(const Datum *values, const bool *nulls)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_keys AS k (organization_id, account_id, source,"
					   " idempotency_key, webhook_id, fingerprint, expires_at, created_at)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
					   " ON CONFLICT (organization_id, account_id, source, idempotency_key) DO UPDATE"
					   " SET webhook_id = excluded.webhook_id, fingerprint = excluded.fingerprint,"
					   " created_at = excluded.created_at, expires_at = excluded.expires_at"
					   " WHERE k.expires_at OPERATOR(pg_catalog.<=) excluded.created_at",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

	return platform_query_run(&insert, values, nulls) > 0;
}

bool
platform_inbox_take_key(const InboxArrival *arrival, const InboxEvent *event, int64 window,
						pg_uuid_t *id, bool *same)
{
	bytea	   *fingerprint = palloc(VARHDRSZ + INBOX_HASH_SIZE);
	Datum		values[K_COLUMNS];
	bool		nulls[K_COLUMNS] = {false};

	SET_VARSIZE(fingerprint, VARHDRSZ + INBOX_HASH_SIZE);
	memcpy(VARDATA(fingerprint), event->fingerprint, INBOX_HASH_SIZE);
	values[K_ORGANIZATION] = UUIDPGetDatum(&arrival->account->organization);
	values[K_ACCOUNT] = UUIDPGetDatum(&arrival->account->id);
	values[K_SOURCE] = CStringGetTextDatum(arrival->request->source);
	values[K_KEY] = CStringGetTextDatum(event->key);
	values[K_WEBHOOK] = UUIDPGetDatum(id);
	values[K_FINGERPRINT] = PointerGetDatum(fingerprint);
	values[K_EXPIRES_AT] = TimestampTzGetDatum(arrival->now + window);
	nulls[K_EXPIRES_AT] = window == INBOX_FOR_EVER;
	values[K_CREATED_AT] = TimestampTzGetDatum(arrival->now);

	if (find_key(values, event, arrival->now, id, same))
		return false;
	if (append_key(values, nulls) || insert_key(values, nulls))
		return true;
	if (!find_key(values, event, arrival->now, id, same))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not find the key of a webhook that was just in use")));
	return false;
}

/* ---- rows ---- */

/* Headers that are nobody's business but the web server's are left out; names become lower case. */
static Datum
kept_headers(const Jsonb *headers)
{
	static const char *const secret[] = {
		"authorization", "proxy-authorization", "cookie", "x-api-key", "apikey"
	};
	JsonbParseState *state = NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		skip = false;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (headers != NULL && JB_ROOT_IS_OBJECT(headers))
	{
		iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &headers->root));
		while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
			{
				char	   *name = pnstrdup(value.val.string.val, value.val.string.len);

				skip = false;
				for (char *c = name; *c != '\0'; c++)
					*c = pg_ascii_tolower((unsigned char) *c);
				for (int i = 0; i < lengthof(secret); i++)
					skip = skip || strcmp(name, secret[i]) == 0;
				value.val.string.val = name;
			}
			if ((token == WJB_KEY || token == WJB_VALUE) && !skip)
				(void) pushJsonbValue(&state, token, &value);
		}
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static void
set_text(PlatformAppend *append, TupleTableSlot *slot, int column, const char *value)
{
	if (value != NULL)
		platform_append_set(append, slot, column, CStringGetTextDatum(value));
}

static void
store_request(const InboxArrival *arrival)
{
	PlatformAppend append;
	TupleTableSlot *slot;

	platform_append_open_at(&append, &request_table, 1, arrival->now);
	slot = platform_append_row(&append);
	platform_append_set(&append, slot, R_ID, UUIDPGetDatum(&arrival->id));
	platform_append_set(&append, slot, R_ORGANIZATION, UUIDPGetDatum(&arrival->account->organization));
	platform_append_set(&append, slot, R_ACCOUNT, UUIDPGetDatum(&arrival->account->id));
	set_text(&append, slot, R_SOURCE, arrival->request->source);
	if (arrival->url != NULL)
		platform_append_set(&append, slot, R_URL, PointerGetDatum(arrival->url));
	platform_append_set(&append, slot, R_HEADERS, kept_headers(arrival->request->headers));
	platform_append_set(&append, slot, R_BODY, PointerGetDatum(arrival->body));
	platform_append_set(&append, slot, R_RECEIVED_AT, TimestampTzGetDatum(arrival->received_at));
	platform_append_set(&append, slot, R_CREATED_AT, TimestampTzGetDatum(arrival->now));
	platform_append_flush(&append);
	platform_append_close(&append);
}

void
platform_inbox_store(InboxArrival *arrival, const InboxEvent *event, const pg_uuid_t *id,
					 const pg_uuid_t *first)
{
	PlatformAppend append;
	TupleTableSlot *slot;

	if (!arrival->stored)
		store_request(arrival);
	arrival->stored = true;

	platform_append_open(&append, &event_table, 1);
	slot = platform_append_row(&append);
	platform_append_set(&append, slot, E_ID, UUIDPGetDatum(id));
	platform_append_set(&append, slot, E_ORGANIZATION, UUIDPGetDatum(&arrival->account->organization));
	platform_append_set(&append, slot, E_REQUEST, UUIDPGetDatum(&arrival->id));
	platform_append_set(&append, slot, E_ACCOUNT, UUIDPGetDatum(&arrival->account->id));
	set_text(&append, slot, E_SOURCE, arrival->request->source);
	set_text(&append, slot, E_TYPE, event->event_type);
	set_text(&append, slot, E_PHONE_NUMBER, event->phone_number);
	set_text(&append, slot, E_AGENT, event->agent);
	if (event->payload != NULL)
		platform_append_set(&append, slot, E_PAYLOAD, JsonbPGetDatum(event->payload));
	set_text(&append, slot, E_KEY, event->key);
	platform_append_set(&append, slot, E_RECEIVED_AT, TimestampTzGetDatum(arrival->received_at));
	set_text(&append, slot, E_STATUS, first == NULL ? "received" : "conflict");
	if (first == NULL)
		platform_append_set(&append, slot, E_DUE_AT, TimestampTzGetDatum(arrival->now));
	else
	{
		set_text(&append, slot, E_REASON, "OTHER_CONTENT");
		platform_append_set(&append, slot, E_FIRST, UUIDPGetDatum(first));
	}
	platform_append_set(&append, slot, E_ATTEMPTS, Int32GetDatum(0));
	platform_append_set(&append, slot, E_MAX_ATTEMPTS, Int32GetDatum(ATTEMPTS_MAX));
	platform_append_set(&append, slot, E_REPLAYS, Int32GetDatum(0));
	platform_append_set(&append, slot, E_CREATED_AT, TimestampTzGetDatum(arrival->now));
	platform_append_flush(&append);
	platform_append_close(&append);
}

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

bool
platform_inbox_keep_refused(const InboxArrival *arrival, const pg_uuid_t *id, const char *event_type,
							const char *key, const char *status, const char *reason,
							const pg_uuid_t *first)
{
	static PlatformQuery keep =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_queue (id, organization_id, account_id, source,"
					   " event_type, idempotency_key, received_at, status, due_at, reason, first_id)"
					   " SELECT $1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $10 WHERE (SELECT pg_catalog.count(*)"
					   " FROM (SELECT 1 FROM platform.webhook_queue q"
					   " WHERE q.account_id OPERATOR(pg_catalog.=) $3 AND q.reason IS NOT NULL"
					   " AND q.status OPERATOR(pg_catalog.=) ANY ('{rejected,duplicate}')"
					   " AND q.received_at OPERATOR(pg_catalog.>) $11 LIMIT $12) AS k)"
					   " OPERATOR(pg_catalog.<) $12",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
					   TEXTOID, TEXTOID, UUIDOID, TIMESTAMPTZOID, INT8OID);

	/* The account that had enough of them last: asked again later only. */
	static pg_uuid_t full_account;
	static TimestampTz full_until = 0;
	Datum		values[12];
	bool		nulls[12] = {false};
	bool		kept;

	if (arrival->now < full_until && arrival->received_at == arrival->now &&
		memcmp(&full_account, &arrival->account->id, sizeof(pg_uuid_t)) == 0)
		return false;
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&arrival->account->organization);
	values[2] = UUIDPGetDatum(&arrival->account->id);
	values[3] = CStringGetTextDatum(arrival->request->source);
	values[4] = CStringGetTextDatum(event_type);
	values[5] = text_or_null(key, &nulls[5]);
	values[6] = TimestampTzGetDatum(arrival->received_at);
	values[7] = CStringGetTextDatum(status);
	values[8] = CStringGetTextDatum(reason);
	values[9] = UUIDPGetDatum(first);
	nulls[9] = first == NULL;
	values[10] = TimestampTzGetDatum(arrival->received_at - USECS_PER_HOUR);
	values[11] = Int64GetDatum(KEPT_MAX);
	kept = platform_query_run(&keep, values, nulls) > 0;
	if (!kept && arrival->received_at == arrival->now)
	{
		full_account = arrival->account->id;
		full_until = arrival->now + FULL_FOR;
	}
	return kept;
}

/* ---- an organization that goes ---- */

/*
 * platform.delete_inbox() returns trigger
 *
 * What an organization's inbox holds goes with the organization. Errors: 39P01 unless
 * it fires AFTER DELETE FOR EACH ROW.
 *
 *		CREATE TRIGGER organizations_delete_inbox AFTER DELETE ON platform.organizations
 *			FOR EACH ROW EXECUTE FUNCTION platform.delete_inbox();
 */
Datum
platform_delete_inbox(PG_FUNCTION_ARGS)
{
	static PlatformQuery requests =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.webhook_requests r USING platform.webhook_queue q"
					   " WHERE q.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND r.id OPERATOR(pg_catalog.=) q.request_id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) q.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) q.created_at",
					   UUIDOID);
	static PlatformQuery events =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.webhook_queue WHERE organization_id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	static PlatformQuery keys =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.webhook_keys WHERE organization_id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	TriggerData *trigger = platform_trigger_guard(fcinfo, "delete_inbox",
												  GUARD_AFTER | GUARD_ROW | GUARD_DELETE);
	Datum		organization;
	bool		isnull;

	if (!platform_module_installed(&platform_inbox_module))
		return PointerGetDatum(NULL);
	platform_query_begin();
	organization = SPI_getbinval(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation),
								 platform_trigger_column(trigger, "id"), &isnull);
	platform_query_run(&requests, &organization, NULL);
	platform_query_run(&events, &organization, NULL);
	platform_query_run(&keys, &organization, NULL);
	platform_query_end();
	return PointerGetDatum(NULL);
}
