/*
 * claim.c
 *	  Which deliveries a worker gets.
 *
 * A claim fans new events out, picks endpoints that are due, and takes a share
 * of each one's deliveries: the backlog of one endpoint is never in the way of
 * another. Endpoints that somebody else holds are passed over, unless there are
 * no others. What is returned is ready to be sent, and signed.
 *
 * Finished endpoints' entries stay in the index of those that are due as long as
 * an old snapshot might see them. So a session remembers where the first one
 * stood, and looks before it only now and then.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/event.h"
#include "core/query.h"
#include "core/secret.h"
#include "core/signature.h"
#include "core/uuid7.h"
#include "webhooks/delivery.h"
#include "webhooks/endpoint.h"
#include "webhooks/receiver.h"
#include "webhooks/subscription.h"

PG_FUNCTION_INFO_V1(platform_claim_webhook_deliveries);
PG_FUNCTION_INFO_V1(platform_next_webhook_wakeup);
PG_FUNCTION_INFO_V1(platform_webhooks_enabled);

#define ENDPOINTS_MAX	32		/* in one claim */
#define ROUNDS_MAX		16		/* of endpoints that turn out not to be due */
#define WAITS_MAX		4		/* for an endpoint that somebody else holds */
#define FANOUT_EVENTS	250
#define FANOUT_ROUNDS	100		/* of events that nobody asked for */
#define FANOUT_EVERY	(USECS_PER_SEC / 100)
#define FANOUT_BUSY		(USECS_PER_SEC / 10)	/* while claims get all they want */
#define ENDPOINT_SHARE	50		/* deliveries of one endpoint, so that others find endpoints too */
#define LOOK_BACK		(2 * USECS_PER_SEC)
#define LOOK_BACK_EVERY	USECS_PER_SEC

static PlatformQuery pick_free =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT subscription_id, organization_id, due_at, scan_from, rate_at, breaker, gap_from, gap_to"
				   " FROM platform.webhook_endpoints"
				   " WHERE due_at OPERATOR(pg_catalog.<=) $1 AND due_at OPERATOR(pg_catalog.>=) $2"
				   " ORDER BY due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
				   TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID);

static PlatformQuery first_of_all =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT subscription_id, organization_id FROM platform.webhook_endpoints"
				   " WHERE due_at OPERATOR(pg_catalog.<=) $1 AND due_at OPERATOR(pg_catalog.>=) $2"
				   " ORDER BY due_at LIMIT 1",
				   TIMESTAMPTZOID, TIMESTAMPTZOID);

enum
{
	V_ID,
	V_ORGANIZATION,
	V_CREATED_AT,
	V_OCCURRED_AT,
	V_PAYLOAD,
	V_COLUMNS
};

static PlatformRowTable event_table = {
	.cache = {.name = "events of webhooks", .tables = {"webhook_events"}},
	.immutable = true,
	.nkeys = 3,
	.ncolumns = V_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"created_at", TIMESTAMPTZOID},
		{"occurred_at", TIMESTAMPTZOID},
		{"payload", JSONBOID},
	},
};

static PlatformQuery cancel_purged =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_deliveries SET status = 'cancelled', finished_at = $2,"
				   " lease_id = NULL, lease_until = NULL,"
				   " last_error = 'the event was purged'"
				   " WHERE id OPERATOR(pg_catalog.=) ANY ($1)",
				   UUIDARRAYOID, TIMESTAMPTZOID);

static PlatformQuery first_due_at =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT due_at FROM platform.webhook_endpoints"
				   " WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1");

/* What a session remembers of the index of endpoints. */
static TimestampTz first_due = DT_NOBEGIN;
static TimestampTz looked_back = 0;
static TimestampTz fanned_out = 0;
static bool got_all = false;	/* the last claim did */

/*
 * Whoever has no transaction id holds no row: he may wait for one. Claims lock
 * endpoints in the order in which they are due, and must not.
 */
static bool
may_wait(void)
{
	return !TransactionIdIsValid(GetTopTransactionIdIfAny());
}

void
platform_webhook_claim_init(void)
{
	platform_row_register(&event_table);
}

/* ---- endpoints ---- */

static int
pick_endpoints(WebhookEndpoint *endpoints, TimestampTz now, int limit)
{
	bool		all = now - looked_back > LOOK_BACK_EVERY || now < looked_back;
	Datum		values[3];
	int			count;

	values[0] = TimestampTzGetDatum(now);
	values[1] = TimestampTzGetDatum(all ? DT_NOBEGIN : first_due);
	values[2] = Int64GetDatum(limit);
	count = (int) platform_query_run(&pick_free, values, NULL);
	if (all)
		looked_back = now;
	for (int i = 0; i < count; i++)
	{
		WebhookEndpoint *endpoint = &endpoints[i];
		char	   *breaker = platform_row_cstring(i, 6);

		memset(endpoint, 0, sizeof(*endpoint));
		endpoint->receiver.id = platform_row_uuid(i, 1);
		endpoint->receiver.organization = platform_row_uuid(i, 2);
		endpoint->due_at = platform_row_timestamptz_or(i, 3, 0);
		endpoint->scan_from = platform_row_timestamptz_or(i, 4, 0);
		endpoint->rate_at = platform_row_timestamptz_or(i, 5, 0);
		endpoint->gap_from = platform_row_timestamptz_or(i, 7, 0);
		endpoint->gap_to = platform_row_timestamptz_or(i, 8, 0);
		endpoint->breaker_open = strcmp(breaker, "open") == 0;
		endpoint->half_open = strcmp(breaker, "half_open") == 0;
	}
	/* others may be held by somebody: what is due for longer than this is found above */
	if (count > 0 || may_wait())
		first_due = (count > 0 ? endpoints[0].due_at : now) - LOOK_BACK;
	return count;
}

/*
 * Adds a secret to those that sign. Without a root key nothing can be sent, and
 * the claim fails; one secret that cannot be read holds its own endpoint only.
 */
static void
add_secret(WebhookReceiver *receiver, const PlatformRow *row, int column)
{
	PlatformSecretPlace place = {&receiver->organization, WEBHOOK_SECRET_PURPOSE, &receiver->id, NULL};
	bool		isnull;
	Datum		envelope = platform_row_get(row, column, &isnull);
	PlatformKeyFault fault;
	text	   *value;

	if (isnull)
		return;
	value = DatumGetTextPP(envelope);
	if (platform_secret_try_decrypt(&place, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
									&receiver->secrets[receiver->nsecrets], &fault))
	{
		platform_webhook_secret_to_key(platform_signature_scheme_name(receiver->scheme),
									   &receiver->secrets[receiver->nsecrets]);
		receiver->nsecrets++;
	}
	else if (fault.reason == KEY_NO_ROOT_KEY || fault.reason == KEY_WRONG_ROOT_KEY)
		platform_key_fault_raise(&fault);
}

static void
read_subscription(WebhookEndpoint *endpoint, const PlatformRow *row, TimestampTz now)
{
	WebhookReceiver *receiver = &endpoint->receiver;
	PlatformSignatureScheme scheme = SIGNATURE_STANDARD;
	char	   *name = platform_row_get_cstring(row, S_SCHEME);
	bool		isnull;

	endpoint->found = true;
	receiver->url = platform_row_get_cstring(row, S_URL);
	if (!platform_signature_find_scheme(name, strlen(name), &scheme))
		elog(ERROR, "unexpected scheme \"%s\"", name);
	receiver->scheme = scheme;
	receiver->headers = DatumGetJsonbPCopy(platform_row_get(row, S_HEADERS, &isnull));
	endpoint->timeout_ms = platform_row_get_int32(row, S_TIMEOUT, 0);
	endpoint->max_in_flight = platform_row_get_int32(row, S_MAX_IN_FLIGHT, 0);
	endpoint->rate = platform_row_get_int32(row, S_RATE, 0);
	endpoint->active = platform_row_get_bool(row, S_ACTIVE, false);
	receiver->secrets = palloc0(2 * sizeof(PlatformPlaintext));
	if (!endpoint->active)
		return;
	add_secret(receiver, row, S_SECRET);
	if (platform_row_get_timestamptz(row, S_PREVIOUS_EXPIRES_AT, 0) > now)
		add_secret(receiver, row, S_PREVIOUS_SECRET);
}

/* After the endpoints are locked, so that it is not older than what they say. */
static void
read_subscriptions(WebhookEndpoint *endpoints, int count, TimestampTz now)
{
	PlatformRow row;

	platform_row_open_read(&row, &platform_webhook_subscription_table);
	for (int i = 0; i < count; i++)
		if (platform_webhook_receiver_find(&row, &endpoints[i].receiver.id,
										   &endpoints[i].receiver.organization))
			read_subscription(&endpoints[i], &row, now);
	platform_row_close(&row);
}

static bool
all_exhausted(const WebhookEndpoint *endpoints, int count)
{
	for (int i = 0; i < count; i++)
		if (endpoints[i].found && !endpoints[i].exhausted)
			return false;
	return true;
}

/*
 * Takes deliveries of the endpoints: first a fair share of each, then of those
 * that have more what others left. False when some have more.
 */
static bool
claim_endpoints(WebhookEndpoint *endpoints, int count, WebhookClaims *claims, int limit)
{
	int			share = (limit - claims->count + count - 1) / count;

	for (int pass = 0; pass < ROUNDS_MAX && claims->count < limit; pass++)
	{
		for (int i = 0; i < count && claims->count < limit; i++)
		{
			int			want = limit - claims->count;

			if (endpoints[i].exhausted || !endpoints[i].found)
				continue;
			(void) platform_webhook_claim_endpoint(&endpoints[i], claims,
												   pass == 0 ? Min(want, share) : want);
		}
		if (all_exhausted(endpoints, count))
			return true;
	}
	return false;
}

/* ---- requests ---- */

static int
compare_claims(const void *a, const void *b)
{
	return platform_compare_uuids(&((const WebhookClaim *const *) a)[0]->event_id,
								  &((const WebhookClaim *const *) b)[0]->event_id);
}

/* Has the row the partition of that moment open, after this? */
static bool
open_events(PlatformRow *row, bool is_open, TimestampTz moment)
{
	if (is_open && platform_row_is_at(row, moment))
		return true;
	if (is_open)
		platform_row_close(row);
	return platform_row_open_read_at(row, &event_table, moment);
}

/* Finds the payloads of those that have none of their own, by time. */
static void
read_payloads(WebhookClaims *claims)
{
	WebhookClaim **sorted = palloc(claims->count * sizeof(WebhookClaim *));
	int			count = 0;
	PlatformRow row;
	bool		is_open = false;

	for (int i = 0; i < claims->count; i++)
		if (claims->claims[i].payload == NULL)
			sorted[count++] = &claims->claims[i];
	qsort(sorted, count, sizeof(WebhookClaim *), compare_claims);
	for (int i = 0; i < count; i++)
	{
		WebhookClaim *claim = sorted[i];
		Datum		keys[2] = {UUIDPGetDatum(&claim->event_id),
			UUIDPGetDatum(&claim->endpoint->receiver.organization)};
		bool		isnull;

		if (i > 0 && platform_uuid_equal(&claim->event_id, &sorted[i - 1]->event_id))
		{
			claim->payload = sorted[i - 1]->payload;
			claim->occurred_at = sorted[i - 1]->occurred_at;
			continue;
		}
		is_open = open_events(&row, is_open, platform_event_time(&claim->event_id));
		if (!is_open || !platform_row_find_first(&row, keys, lengthof(keys)))
			continue;
		claim->payload = DatumGetJsonbPCopy(platform_row_get(&row, V_PAYLOAD, &isnull));
		claim->occurred_at = platform_row_get_timestamptz(&row, V_OCCURRED_AT, 0);
	}
	if (is_open)
		platform_row_close(&row);
}

/* Deliveries whose event is gone cannot be sent. */
static void
drop_purged(WebhookClaims *claims)
{
	pg_uuid_t  *ids = palloc(claims->count * sizeof(pg_uuid_t));
	int			purged = 0;
	int			kept = 0;
	Datum		values[2];

	for (int i = 0; i < claims->count; i++)
	{
		if (claims->claims[i].payload == NULL)
			ids[purged++] = claims->claims[i].id;
		else
			claims->claims[kept++] = claims->claims[i];
	}
	claims->count = kept;
	if (purged == 0)
		return;
	values[0] = platform_uuid_array(ids, purged);
	values[1] = TimestampTzGetDatum(claims->now);
	platform_query_run(&cancel_purged, values, NULL);
}

static void
put_request(ReturnSetInfo *result, const WebhookClaims *claims, const WebhookClaim *claim)
{
	const WebhookReceiver *receiver = &claim->endpoint->receiver;
	WebhookMessage message = {&claim->event_id, claim->type, claim->occurred_at, claim->payload};
	Datum		values[13];
	bool		nulls[13] = {false};
	size_t		length;
	char	   *body = platform_webhook_body(&message, &length);
	bytea	   *bytes = palloc(VARHDRSZ + length);

	SET_VARSIZE(bytes, VARHDRSZ + length);
	memcpy(VARDATA(bytes), body, length);
	values[0] = UUIDPGetDatum(&claim->id);
	values[1] = UUIDPGetDatum(&claims->lease_id);
	values[2] = UUIDPGetDatum(&receiver->organization);
	values[3] = UUIDPGetDatum(&receiver->id);
	values[4] = UUIDPGetDatum(&claim->event_id);
	values[5] = CStringGetTextDatum(claim->type);
	values[6] = Int32GetDatum(claim->attempt);
	values[7] = CStringGetTextDatum(receiver->url);
	values[8] = CStringGetTextDatum("POST");
	values[9] = JsonbPGetDatum(platform_webhook_headers(receiver, &message, body, length, claims->now));
	values[10] = PointerGetDatum(bytes);
	values[11] = Int32GetDatum(claim->endpoint->timeout_ms);
	values[12] = TimestampTzGetDatum(claim->lease_until);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* ---- the claim ---- */

/*
 * Turns new events into deliveries, until there are some. They are due from a moment
 * on that is later than the claim began.
 */
static bool
fan_out(WebhookClaims *claims)
{
	WebhookFanout result = FANOUT_MORE;

	for (int i = 0; i < FANOUT_ROUNDS && result == FANOUT_MORE; i++)
		result = platform_webhook_fan_out(FANOUT_EVENTS);
	fanned_out = claims->now;
	claims->now = GetCurrentTimestamp();
	return result == FANOUT_MADE;
}

/* Waits until nobody holds the endpoint that is due first; false when none is due. */
static bool
wait_for_endpoint(TimestampTz now)
{
	Datum		values[2] = {TimestampTzGetDatum(now), TimestampTzGetDatum(first_due)};
	pg_uuid_t	subscription;
	pg_uuid_t	organization;
	PlatformRow row;

	if (platform_query_run(&first_of_all, values, NULL) == 0)
		return false;
	subscription = platform_row_uuid(0, 1);
	organization = platform_row_uuid(0, 2);
	platform_row_open_read(&row, &platform_webhook_endpoint_table);
	if (platform_webhook_receiver_find(&row, &subscription, &organization))
		platform_row_wait(&row);
	platform_row_close(&row);
	return true;
}

/*
 * Endpoints that nobody holds; or those that somebody just let go, if this
 * transaction holds nothing that he might wait for. What he left due is due from
 * later on than when we began.
 */
static int
pick(WebhookClaims *claims, int limit, WebhookEndpoint *endpoints)
{
	int			count = pick_endpoints(endpoints, claims->now, limit);

	for (int i = 0; i < WAITS_MAX && count == 0 && may_wait(); i++)
	{
		if (!wait_for_endpoint(claims->now))
			break;
		claims->now = GetCurrentTimestamp();
		count = pick_endpoints(endpoints, claims->now, limit);
	}
	return count;
}

/*
 * Picks endpoints and claims, a few at first: who took all that are due would have
 * others wait. Returns the endpoints, whose secrets are to be wiped.
 */
static int
claim_due(WebhookClaims *claims, int limit, WebhookEndpoint *endpoints)
{
	int			count = 0;

	for (int round = 0; round < ROUNDS_MAX && claims->count < limit && count < ENDPOINTS_MAX; round++)
	{
		int			want = (limit - claims->count + ENDPOINT_SHARE - 1) / ENDPOINT_SHARE << round;
		int			picked = pick(claims, Min(want, ENDPOINTS_MAX - count), &endpoints[count]);
		bool		more;

		if (picked == 0)
			break;
		read_subscriptions(&endpoints[count], picked, claims->now);
		more = !claim_endpoints(&endpoints[count], picked, claims, limit);
		count += picked;
		/* they stay due, and would be picked again */
		if (more)
			break;
	}
	got_all = claims->count == limit;
	return count;
}

static void
return_requests(ReturnSetInfo *result, const WebhookClaims *claims)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "webhook request",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row_context);

	for (int i = 0; i < claims->count; i++)
	{
		put_request(result, claims, &claims->claims[i]);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
}

/*
 * platform.claim_webhook_deliveries("limit" integer DEFAULT 100,
 *									 lease interval DEFAULT '1 minute')
 *		RETURNS TABLE (delivery_id uuid, lease_id uuid, organization_id uuid,
 *			subscription_id uuid, event_id uuid, event_type text, attempt integer, url text,
 *			method text, headers jsonb, body bytea, timeout_ms integer, lease_until timestamptz)
 *
 * Up to limit (1 to 1000) deliveries that are due, each as the request to send:
 * the caller sends it as it is, follows no redirect, waits timeout_ms
 * (milliseconds) at most, and says what came of it by
 * complete_webhook_deliveries(). They are the caller's until lease_until: lease
 * from now, or a little more than timeout_ms; then others get them. headers
 * hold the signature, made now with all live secrets. Commit before sending.
 * EXECUTE is the grant; no member has it. Errors: 22004; 22023; 25006; 40001
 * in REPEATABLE READ; F0000 and others of secrets that cannot be decrypted.
 */
Datum
platform_claim_webhook_deliveries(PG_FUNCTION_ARGS)
{
	WebhookEndpoint *endpoints = palloc(ENDPOINTS_MAX * sizeof(WebhookEndpoint));
	WebhookClaims claims = {.now = GetCurrentTimestamp()};
	PlatformRow row;
	bool		look_for_events;
	int			limit;
	int			count;

	platform_require_module(&platform_webhooks_module);
	limit = platform_limit_argument(fcinfo, 0, WEBHOOK_BATCH_MAX);
	claims.lease = platform_require_interval(fcinfo, 1, "lease", false, 1);
	claims.claims = palloc(limit * sizeof(WebhookClaim));
	platform_make_uuid7(&claims.lease_id);
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	platform_row_open(&row, &platform_webhook_delivery_table);
	claims.row = &row;
	look_for_events = claims.now < fanned_out ||
		claims.now - fanned_out > (got_all ? FANOUT_BUSY : FANOUT_EVERY);
	if (look_for_events)
		(void) fan_out(&claims);
	count = claim_due(&claims, limit, endpoints);
	if (count == 0 && (!look_for_events || may_wait()) && fan_out(&claims))
		count = claim_due(&claims, limit, endpoints);
	if (claims.count > 0)
	{
		read_payloads(&claims);
		drop_purged(&claims);
		return_requests((ReturnSetInfo *) fcinfo->resultinfo, &claims);
	}
	for (int i = 0; i < count; i++)
		platform_webhook_forget(&endpoints[i].receiver);
	platform_row_close(&row);
	platform_query_end();
	platform_commit_unlock_early();
	return (Datum) 0;
}

/*
 * platform.next_webhook_wakeup() returns timestamptz
 *
 * When there is something to claim: now, a moment to come, or NULL when nothing
 * waits. New events make it earlier: listen on platform_webhooks, or ask again.
 * EXECUTE is the grant; no member has it.
 */
Datum
platform_next_webhook_wakeup(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due_at = DT_NOEND;

	platform_require_module(&platform_webhooks_module);
	platform_query_begin();
	if (platform_query_run(&first_due_at, NULL, NULL) > 0)
		due_at = platform_row_timestamptz_or(0, 1, DT_NOEND);
	if (due_at > now && platform_webhook_has_new_events())
		due_at = now;
	platform_query_end();
	if (due_at == DT_NOEND)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(Max(due_at, now));
}

/*
 * platform.webhooks_enabled(organization_id uuid) returns boolean
 *
 * Are webhooks sent for the organization, as far as the feature webhooks has a say?
 * While they are not, deliveries are held. NULL for NULL.
 */
Datum
platform_webhooks_enabled(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(platform_webhook_feature_is_on(PG_GETARG_UUID_P(0)));
}
