/*
 * ingest.c
 *	  Requests of providers come in: verified, recognised, stored.
 *
 * Key, request and events are written in one transaction: what was answered
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

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/account.h"
#include "core/alert.h"
#include "core/base64.h"
#include "core/http_headers.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/uuid7.h"
#include "inbox/inbox.h"

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

void
platform_inbox_init(void)
{
	platform_inbox_store_init();
	platform_inbox_queue_init();
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

/* Not signed by whom it claims to come from: counted on an alert, and kept without its body. */
static void
reject(const InboxArrival *arrival, Answer *answer)
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
		answer->has_id = platform_inbox_keep_refused(arrival, &arrival->id, "event", NULL, "rejected",
									  answer->reason, NULL);
		answer->id = arrival->id;
	}
	(void) platform_alert_raise(&alert, NULL);
}

static void
alert_conflict(const InboxArrival *arrival)
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

/* For how long the same is the same. */
static int64
key_window(const InboxEvent *event)
{
	return event->by_content ? duplicate_window * USECS_PER_SEC : INBOX_FOR_EVER;
}

/* The same conflict that comes again is a duplicate of itself. */
static bool
take_conflict(const InboxArrival *arrival, const InboxEvent *event, pg_uuid_t *id)
{
	InboxEvent	conflict = *event;
	char		hex[2 * INBOX_HASH_SIZE + 1];
	bool		same;

	platform_hex_encode(event->fingerprint, INBOX_HASH_SIZE, hex);
	conflict.key = psprintf("conflict:%s:%s", hex, event->key);
	return platform_inbox_take_key(arrival, &conflict, key_window(event), id, &same);
}

static void
store_one(InboxArrival *arrival, const Place *place, bool alone, Answer *answer)
{
	const InboxEvent *event = place->event;
	pg_uuid_t	first = place->id;
	pg_uuid_t	again = place->id;
	const char *reason = event->by_content ? "SAME_CONTENT" : "SAME_KEY";
	bool		same;

	if (platform_inbox_take_key(arrival, event, key_window(event), &first, &same))
	{
		platform_inbox_store(arrival, event, &place->id, NULL);
		answer_with(answer, "accepted", NULL, alone ? &place->id : &arrival->id);
	}
	else if (!same && take_conflict(arrival, event, &again))
	{
		platform_inbox_store(arrival, event, &place->id, &first);
		alert_conflict(arrival);
		answer_with(answer, "conflict", "OTHER_CONTENT", alone ? &place->id : &arrival->id);
	}
	else
	{
		if (!same)
			first = again;
		(void) platform_inbox_keep_refused(arrival, &place->id, event->event_type, event->key, "duplicate", reason, &first);
		answer_with(answer, "duplicate", reason, &first);
	}
}

/*
 * The only event of a request has its id. Keys are taken in their order, so that two
 * batches with the same events don't wait for each other in a circle.
 */
static void
store_events(InboxArrival *arrival, Answer *answer)
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
		store_one(arrival, &places[i], count == 1, answer);
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
	Datum		values[3] = {0};
	bool		nulls[3] = {!answer->has_id, false, answer->reason == NULL};

	values[0] = UUIDPGetDatum(&answer->id);
	values[1] = CStringGetTextDatum(answer->status);
	if (!nulls[2])
		values[2] = CStringGetTextDatum(answer->reason);
	return platform_return_row(fcinfo, values, nulls);
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
	InboxArrival arrival = {.request = &request};
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

		arrival.body = body;
		request.body.data = (const uint8 *) VARDATA_ANY(body);
		request.body.length = VARSIZE_ANY_EXHDR(body);
	}
	if (!PG_ARGISNULL(4))
	{
		arrival.url = PG_GETARG_TEXT_PP(4);
		request.url = platform_utf8_bytes(arrival.url);
	}

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
		store_events(&arrival, &answer);
	}
	platform_query_end();
	return make_answer(fcinfo, &answer);
}
