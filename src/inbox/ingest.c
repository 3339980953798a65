/*
 * ingest.c
 *	  Requests of providers come in: verified, recognised, stored.
 *
 * A key row decides whether an event is new: one INSERT ... ON CONFLICT, so that
 * of any number of sessions with the same event one stores it, and the others
 * wait until that one has committed. When it is rolled back the next one stores
 * it. Key, request and events are written in one transaction: what was answered
 * with "accepted" is stored, and what is not stored was not seen.
 *
 * Whatever comes from outside is answered with a status; errors are what may work
 * the next time, so that the provider sends it again: a key that is not there, a
 * table that is not.
 *
 * Anybody can send requests that are refused, and whoever has seen one can send it
 * again: of both, rows are kept up to a number an hour and account.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/account.h"
#include "core/alert.h"
#include "core/base64.h"
#include "core/http_headers.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "inbox/inbox.h"

#define KEPT_MAX		100		/* refused and repeated requests an hour and account */
#define DEFAULT_WINDOW	600

PG_FUNCTION_INFO_V1(platform_ingest_webhook);

PlatformModule platform_inbox_module = {.name = "inbox", .version = 595};

static int	duplicate_window = DEFAULT_WINDOW;

/* Names of providers that sign by another's scheme. */
static const struct
{
	const char *source;
	PlatformSignatureScheme scheme;
}			other_sources[] = {
	{"whatsapp", SIGNATURE_META},
	{"messenger", SIGNATURE_META},
	{"instagram", SIGNATURE_META},
	{"custom", SIGNATURE_STANDARD},
};

/* What is answered. */
typedef struct Answer
{
	bool		has_id;
	pg_uuid_t	id;
	const char *status;
	const char *reason;
} Answer;

/* What is stored with every row of a request. */
typedef struct Arrival
{
	const InboxRequest *request;
	const PlatformAccount *account;
	pg_uuid_t	id;
	bool		stored;			/* the request itself */
	TimestampTz now;
	TimestampTz received_at;
} Arrival;

void
platform_inbox_init(void)
{
	DefineCustomIntVariable("platform.inbox_duplicate_window",
							"How long the same content is the same event, where the provider gives no id.",
							NULL, &duplicate_window, DEFAULT_WINDOW, 0, 30 * SECS_PER_DAY,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static bool
find_scheme(const char *source, PlatformSignatureScheme *scheme)
{
	for (int i = 0; i < lengthof(other_sources); i++)
		if (strcmp(other_sources[i].source, source) == 0)
		{
			*scheme = other_sources[i].scheme;
			return true;
		}
	return platform_signature_find_scheme(source, strlen(source), scheme);
}

static PlatformSignatureVerdict
check(const InboxRequest *request, const PlatformAccount *account, TimestampTz moment)
{
	PlatformSignedRequest signed_request = platform_signed_request(request->scheme, request->headers,
																   &request->body, &request->url);
	PlatformBytes secrets[PLATFORM_ACCOUNT_SECRETS];
	int			matched;

	for (int i = 0; i < account->nsecrets; i++)
	{
		secrets[i].data = (const uint8 *) account->secrets[i].bytes;
		secrets[i].length = account->secrets[i].length;
	}
	return platform_signature_check(request->scheme, &signed_request, secrets, account->nsecrets,
									moment, &matched);
}

/*
 * The account that signed the request; NULL with the reason. *blamed is the one that
 * ought to have, NULL when there is none.
 */
static const PlatformAccount *
find_signer(const InboxRequest *request, const char *name, TimestampTz moment,
			const PlatformAccount **blamed, const char **reason)
{
	List	   *accounts = platform_account_finder == NULL ? NIL :
		platform_account_finder(name, request->scheme, moment);
	const PlatformAccount *signer = NULL;
	ListCell   *cell;

	*blamed = NULL;
	*reason = "UNKNOWN_ACCOUNT";
	foreach(cell, accounts)
	{
		const PlatformAccount *account = lfirst(cell);
		PlatformSignatureVerdict verdict;

		*blamed = account;
		if (!account->usable)
		{
			*reason = "INACTIVE_ACCOUNT";
			continue;
		}
		verdict = check(request, account, moment);
		*reason = platform_signature_reason(verdict);
		if (verdict == SIGNATURE_VALID)
		{
			signer = account;
			break;
		}
	}
	platform_accounts_forget(accounts);
	return signer;
}

static char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

/* A row for what is not processed, while there are not too many; false when there are. */
static bool
keep_refused(const Arrival *arrival, const pg_uuid_t *id, const char *event_type, const char *key,
			 const char *status, const char *reason, const pg_uuid_t *first)
{
	static PlatformQuery keep =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_queue (id, organization_id, account_id, source,"
					   " event_type, idempotency_key, received_at, status, due_at, reason, first_id)"
					   " SELECT $1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $10 WHERE (SELECT pg_catalog.count(*)"
					   " FROM (SELECT 1 FROM platform.webhook_queue q"
					   " WHERE q.account_id OPERATOR(pg_catalog.=) $3"
					   " AND q.status OPERATOR(pg_catalog.=) ANY ('{rejected,duplicate}')"
					   " AND q.received_at OPERATOR(pg_catalog.>) $11 LIMIT $12) AS k)"
					   " OPERATOR(pg_catalog.<) $12",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
					   TEXTOID, TEXTOID, UUIDOID, TIMESTAMPTZOID, INT8OID);
	Datum		values[12];
	bool		nulls[12] = {false};

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
	return platform_query_run(&keep, values, nulls) > 0;
}

/* Not signed by whom it claims to come from: counted on an alert, and kept without its body. */
static void
reject(const Arrival *arrival, Answer *answer)
{
	const PlatformAccount *account = arrival->account;
	PlatformAlert alert = {
		.severity = "warning",
		.type = "signature_failures",
		.organization = account != NULL ? &account->organization : NULL,
		.title = account != NULL ? "Requests to a webhook are refused" :
			"Requests for unknown accounts are refused",
		.message = psprintf("The last one, for %s: %s", arrival->request->source, answer->reason),
		.dedup_key = account != NULL ? uuid_text(&account->id) : "unknown account",
		.source = "webhook",
	};

	answer->status = "rejected";
	if (account != NULL)
	{
		answer->has_id = keep_refused(arrival, &arrival->id, "event", NULL, "rejected",
									  answer->reason, NULL);
		answer->id = arrival->id;
	}
	(void) platform_alert_raise(&alert, NULL);
}

/* Has another event the key? Then *id is its, and *same tells whether it is the same event. */
static bool
find_key(const Datum *values, pg_uuid_t *id, bool *same)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   "SELECT webhook_id, fingerprint OPERATOR(pg_catalog.=) $6 FROM platform.webhook_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND account_id OPERATOR(pg_catalog.=) $2"
					   " AND source OPERATOR(pg_catalog.=) $3"
					   " AND idempotency_key OPERATOR(pg_catalog.=) $4"
					   " AND expires_at OPERATOR(pg_catalog.>) $7",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID);

	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	*id = platform_row_uuid(0, 1);
	*same = platform_row_bool(0, 2);
	return true;
}

/*
 * Takes the key for an event. False when another event has it: as in find_key(). What
 * came long ago is found without writing; of those that come now the INSERT lets
 * one through.
 */
static bool
take_key(const Arrival *arrival, const InboxEvent *event, pg_uuid_t *id, bool *same)
{
	static PlatformQuery take =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_keys AS k (organization_id, account_id, source,"
					   " idempotency_key, webhook_id, fingerprint, created_at, expires_at)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
					   " ON CONFLICT (organization_id, account_id, source, idempotency_key) DO UPDATE"
					   " SET webhook_id = excluded.webhook_id, fingerprint = excluded.fingerprint,"
					   " created_at = excluded.created_at, expires_at = excluded.expires_at"
					   " WHERE k.expires_at OPERATOR(pg_catalog.<=) excluded.created_at",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	bytea	   *fingerprint = palloc(VARHDRSZ + INBOX_HASH_SIZE);
	Datum		values[8];

	SET_VARSIZE(fingerprint, VARHDRSZ + INBOX_HASH_SIZE);
	memcpy(VARDATA(fingerprint), event->fingerprint, INBOX_HASH_SIZE);
	values[0] = UUIDPGetDatum(&arrival->account->organization);
	values[1] = UUIDPGetDatum(&arrival->account->id);
	values[2] = CStringGetTextDatum(arrival->request->source);
	values[3] = CStringGetTextDatum(event->key);
	values[4] = UUIDPGetDatum(id);
	values[5] = PointerGetDatum(fingerprint);
	values[6] = TimestampTzGetDatum(arrival->now);
	values[7] = TimestampTzGetDatum(event->by_content ?
									arrival->now + duplicate_window * USECS_PER_SEC : DT_NOEND);
	if (find_key(values, id, same))
		return false;
	if (platform_query_run(&take, values, NULL) > 0)
		return true;
	if (!find_key(values, id, same))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not find the key of a webhook that was just in use")));
	return false;
}

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
store_request(Arrival *arrival, Datum body, Datum url, bool no_url)
{
	static PlatformQuery store =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_requests (id, organization_id, account_id, source,"
					   " url, headers, body, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID);
	Datum		values[8];
	bool		nulls[8] = {false};

	if (arrival->stored)
		return;
	arrival->stored = true;
	values[0] = UUIDPGetDatum(&arrival->id);
	values[1] = UUIDPGetDatum(&arrival->account->organization);
	values[2] = UUIDPGetDatum(&arrival->account->id);
	values[3] = CStringGetTextDatum(arrival->request->source);
	values[4] = url;
	nulls[4] = no_url;
	values[5] = kept_headers(arrival->request->headers);
	values[6] = body;
	values[7] = TimestampTzGetDatum(arrival->received_at);
	platform_query_run(&store, values, nulls);
}

/* first: of a conflict, the event that has the key. */
static void
store_event(const Arrival *arrival, const InboxEvent *event, const pg_uuid_t *id,
			const pg_uuid_t *first)
{
	static PlatformQuery store =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.webhook_queue (id, organization_id, request_id, account_id,"
					   " source, event_type, phone_number, agent_id, raw_payload, idempotency_key,"
					   " received_at, status, due_at, reason, first_id)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
					   UUIDOID, UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
					   JSONBOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, UUIDOID);
	Datum		values[15];
	bool		nulls[15] = {false};

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&arrival->account->organization);
	values[2] = UUIDPGetDatum(&arrival->id);
	values[3] = UUIDPGetDatum(&arrival->account->id);
	values[4] = CStringGetTextDatum(arrival->request->source);
	values[5] = CStringGetTextDatum(event->event_type);
	values[6] = text_or_null(event->phone_number, &nulls[6]);
	values[7] = text_or_null(event->agent, &nulls[7]);
	values[8] = JsonbPGetDatum(event->payload);
	nulls[8] = event->payload == NULL;
	values[9] = CStringGetTextDatum(event->key);
	values[10] = TimestampTzGetDatum(arrival->received_at);
	values[11] = CStringGetTextDatum(first == NULL ? "received" : "conflict");
	values[12] = TimestampTzGetDatum(arrival->now);
	nulls[12] = first != NULL;
	values[13] = text_or_null(first == NULL ? NULL : "OTHER_CONTENT", &nulls[13]);
	values[14] = UUIDPGetDatum(first);
	nulls[14] = first == NULL;
	platform_query_run(&store, values, nulls);
}

static void
alert_conflict(const Arrival *arrival)
{
	PlatformAlert alert = {
		.severity = "warning",
		.type = "webhook_conflict",
		.organization = &arrival->account->organization,
		.title = "A webhook came again with other content",
		.message = psprintf("From %s: it is kept, and not processed.", arrival->request->source),
		.dedup_key = uuid_text(&arrival->account->id),
		.source = "webhook",
	};

	(void) platform_alert_raise(&alert, NULL);
}

/* The best of what became of a request's events: accepted, conflict, duplicate. */
static void
answer_with(Answer *answer, const char *status, const char *reason, const pg_uuid_t *id)
{
	static const char *const order[] = {"duplicate", "conflict", "accepted"};
	int			rank = -1;
	int			new_rank = 0;

	for (int i = 0; i < lengthof(order); i++)
	{
		if (answer->status != NULL && strcmp(answer->status, order[i]) == 0)
			rank = i;
		if (strcmp(status, order[i]) == 0)
			new_rank = i;
	}
	if (new_rank <= rank)
		return;
	answer->status = status;
	answer->reason = reason;
	answer->has_id = true;
	answer->id = *id;
}

/* An event with its place in the request. */
typedef struct Place
{
	const InboxEvent *event;
	pg_uuid_t	id;
} Place;

static int
compare_keys(const void *a, const void *b)
{
	const Place *first = a;
	const Place *second = b;
	int			order = strcmp(first->event->key, second->event->key);

	return order != 0 ? order : memcmp(first->id.data, second->id.data, UUID_LEN);
}

/* The same conflict that comes again is a duplicate of itself. */
static bool
take_conflict(const Arrival *arrival, const InboxEvent *event, pg_uuid_t *id)
{
	InboxEvent	conflict = *event;
	char		hex[2 * INBOX_HASH_SIZE + 1];
	bool		same;

	platform_hex_encode(event->fingerprint, INBOX_HASH_SIZE, hex);
	conflict.key = psprintf("conflict:%s:%s", hex, event->key);
	return take_key(arrival, &conflict, id, &same);
}

static void
store_one(FunctionCallInfo fcinfo, Arrival *arrival, const Place *place, bool alone, Answer *answer)
{
	const InboxEvent *event = place->event;
	pg_uuid_t	first = place->id;
	pg_uuid_t	again = place->id;
	const char *reason = event->by_content ? "SAME_CONTENT" : "SAME_KEY";
	bool		same;

	if (take_key(arrival, event, &first, &same))
	{
		store_request(arrival, PG_GETARG_DATUM(3), PG_GETARG_DATUM(4), PG_ARGISNULL(4));
		store_event(arrival, event, &place->id, NULL);
		answer_with(answer, "accepted", NULL, alone ? &place->id : &arrival->id);
	}
	else if (!same && take_conflict(arrival, event, &again))
	{
		store_request(arrival, PG_GETARG_DATUM(3), PG_GETARG_DATUM(4), PG_ARGISNULL(4));
		store_event(arrival, event, &place->id, &first);
		alert_conflict(arrival);
		answer_with(answer, "conflict", "OTHER_CONTENT", alone ? &place->id : &arrival->id);
	}
	else
	{
		if (!same)
			first = again;
		(void) keep_refused(arrival, &place->id, event->event_type, event->key, "duplicate", reason, &first);
		answer_with(answer, "duplicate", reason, &first);
	}
}

/*
 * The only event of a request has its id. Keys are taken in their order, so that two
 * batches with the same events don't wait for each other in a circle.
 */
static void
store_events(FunctionCallInfo fcinfo, Arrival *arrival, Answer *answer)
{
	int			count;
	InboxEvent *events = platform_inbox_describe(arrival->request, &count);
	Place	   *places = palloc_extended(count * sizeof(Place), MCXT_ALLOC_HUGE);

	for (int i = 0; i < count; i++)
	{
		places[i].event = &events[i];
		places[i].id = arrival->id;
		if (count > 1)
			platform_make_uuid7(&places[i].id);
	}
	qsort(places, count, sizeof(Place), compare_keys);
	for (int i = 0; i < count; i++)
		store_one(fcinfo, arrival, &places[i], count == 1, answer);
}

/* When it came: the clock, unless an operator knows better. */
static TimestampTz
moment_argument(FunctionCallInfo fcinfo, TimestampTz now)
{
	if (PG_ARGISNULL(5))
		return now;
	platform_require_operator("say when a webhook was received");
	if (!IS_VALID_TIMESTAMP(PG_GETARG_TIMESTAMPTZ(5)) || TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(5)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("received_at must be finite")));
	return PG_GETARG_TIMESTAMPTZ(5);
}

static Datum
make_answer(FunctionCallInfo fcinfo, const Answer *answer)
{
	TupleDesc	descriptor;
	Datum		values[3];
	bool		nulls[3] = {!answer->has_id, false, false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = UUIDPGetDatum(&answer->id);
	values[1] = CStringGetTextDatum(answer->status);
	values[2] = text_or_null(answer->reason, &nulls[2]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

/*
 * platform.ingest_webhook(source text, account text, headers jsonb, body bytea,
 *		url text DEFAULT NULL, received_at timestamptz DEFAULT NULL,
 *		OUT id uuid, OUT status text, OUT reason text) RETURNS record
 *
 * A request of a provider. source is the scheme by which it signs (standard, svix,
 * stripe, twilio, meta, github, slack, retell) or whatsapp, messenger, instagram (as
 * meta), custom (as standard). account is the id or the webhook_url of the integration
 * account whose secrets, all that are live, are tried. headers are an object, body
 * the bytes as they came, url the whole URL (for Twilio). received_at NULL is the clock.
 *
 * accepted: stored, to be processed. duplicate: it came before; id is the first one's.
 * conflict: the same key with other content; kept and alerted, not processed.
 * rejected: not signed, and why. Errors: 42501 received_at by another than an operator;
 * 22023 one that is not finite; those of decrypt_secret(); 40001 above READ COMMITTED;
 * 25006. The signature is the right to store it, so no identity is asked for: EXECUTE is
 * the grant.
 */
Datum
platform_ingest_webhook(PG_FUNCTION_ARGS)
{
	InboxRequest request = {0};
	Arrival		arrival = {.request = &request};
	Answer		answer = {0};
	const char *account = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const PlatformAccount *blamed = NULL;

	platform_require_module(&platform_inbox_module);
	arrival.now = GetCurrentTimestamp();
	arrival.received_at = moment_argument(fcinfo, arrival.now);
	platform_make_uuid7(&arrival.id);
	request.source = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	request.headers = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	if (!PG_ARGISNULL(3))
	{
		bytea	   *body = PG_GETARG_BYTEA_PP(3);

		request.body.data = (const uint8 *) VARDATA_ANY(body);
		request.body.length = VARSIZE_ANY_EXHDR(body);
	}
	if (!PG_ARGISNULL(4))
		request.url = platform_utf8_bytes(PG_GETARG_TEXT_PP(4));

	if (!find_scheme(request.source, &request.scheme))
	{
		answer.status = "rejected";
		answer.reason = platform_signature_reason(SIGNATURE_UNKNOWN_SCHEME);
		return make_answer(fcinfo, &answer);
	}
	arrival.account = find_signer(&request, account, arrival.received_at, &blamed, &answer.reason);
	platform_query_begin();
	if (arrival.account == NULL)
	{
		arrival.account = blamed;
		reject(&arrival, &answer);
	}
	else
	{
		answer.reason = NULL;
		store_events(fcinfo, &arrival, &answer);
	}
	platform_query_end();
	return make_answer(fcinfo, &answer);
}
