/*
 * endpoint.c
 *	  What a claim does with one endpoint.
 *
 * Its row is locked by an earlier statement, so that what is read here is newer
 * than whatever the last holder did: no delivery is claimed twice, and the
 * number of those under way is counted, not kept.
 *
 * A delivery stays in the index of those that are due until it is finished, and
 * a claim changes no column that an index has. So those under way stand at the
 * head of the index, at most max_in_flight of them; one whose lease has ended is
 * simply claimed again.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/gate.h"
#include "core/query.h"
#include "webhooks/attempt.h"
#include "webhooks/endpoint.h"

#define FEATURE			"webhooks"
#define KILLED_POLL		(5 * USECS_PER_SEC)
#define FULL_POLL		(USECS_PER_SEC / 4)
#define RATE_BURST		(USECS_PER_SEC / 10)
#define ROTATE_AFTER	(USECS_PER_SEC / 20)
#define UNREADABLE_POLL	USECS_PER_MINUTE
#define LEASE_MARGIN	(5 * USECS_PER_SEC)	/* beyond the request's timeout */
#define NEVER			DT_NOEND

static PlatformQuery scan_due =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT ctid, id, event_id, event_type, attempts, max_attempts, lease_until,"
				   " next_retry_at, payload, created_at FROM platform.webhook_deliveries"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1 AND finished_at IS NULL"
				   " AND next_retry_at OPERATOR(pg_catalog.>=) $2"
				   " AND next_retry_at OPERATOR(pg_catalog.<=) $3"
				   " ORDER BY next_retry_at LIMIT $4",
				   UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID);

static PlatformQuery next_due =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT next_retry_at FROM platform.webhook_deliveries"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1 AND finished_at IS NULL"
				   " AND next_retry_at OPERATOR(pg_catalog.>) $2"
				   " ORDER BY next_retry_at LIMIT 1",
				   UUIDOID, TIMESTAMPTZOID);

/* The rows are where they were found, unless somebody changed them since. */
#define CLAIM_THEM \
	"UPDATE platform.webhook_deliveries SET status = 'delivering'," \
	" attempts = attempts OPERATOR(pg_catalog.+) 1, lease_id = $2, lease_until = $3"

static PlatformQuery claim_pending =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   CLAIM_THEM
				   " WHERE ctid OPERATOR(pg_catalog.=) ANY ($1) AND finished_at IS NULL AND lease_until IS NULL"
				   " RETURNING id",
				   TIDARRAYOID, UUIDOID, TIMESTAMPTZOID);

/* Their late holder may just be completing them: not to be waited for. */
static PlatformQuery claim_expired =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "WITH lost AS (SELECT id, organization_id FROM platform.webhook_deliveries"
				   " WHERE ctid OPERATOR(pg_catalog.=) ANY ($1) AND finished_at IS NULL"
				   " AND lease_until OPERATOR(pg_catalog.<=) $4"
				   " FOR NO KEY UPDATE SKIP LOCKED)"
				   " UPDATE platform.webhook_deliveries AS d SET"
				   " status = CASE WHEN d.attempts OPERATOR(pg_catalog.<) d.max_attempts THEN 'delivering' ELSE 'failed' END,"
				   " finished_at = CASE WHEN d.attempts OPERATOR(pg_catalog.<) d.max_attempts THEN NULL ELSE $4 END,"
				   " attempts = LEAST(d.attempts OPERATOR(pg_catalog.+) 1, d.max_attempts),"
				   " lease_id = CASE WHEN d.attempts OPERATOR(pg_catalog.<) d.max_attempts THEN $2 END,"
				   " lease_until = CASE WHEN d.attempts OPERATOR(pg_catalog.<) d.max_attempts THEN $3 END,"
				   " response_status = NULL, response_time_ms = NULL, response_body = NULL,"
				   " last_error = 'no result before the lease ended'"
				   " FROM lost WHERE d.id OPERATOR(pg_catalog.=) lost.id"
				   " AND d.organization_id OPERATOR(pg_catalog.=) lost.organization_id"
				   " RETURNING d.id",
				   TIDARRAYOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery update_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_endpoints SET due_at = $3, blocked_until = $4, blocked_by = $5,"
				   " scan_from = $6, rate_at = $7,"
				   " breaker = CASE WHEN $8 THEN 'half_open' ELSE breaker END"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID,
				   TIMESTAMPTZOID, BOOLOID);

static const char *const block_names[] = {
	[BLOCK_NONE] = NULL,
	[BLOCK_BREAKER] = "breaker",
	[BLOCK_FULL] = "full",
	[BLOCK_RATE] = "rate",
	[BLOCK_HELD] = "held",
	[BLOCK_KILLED] = "killed",
};

/* A row of scan_due. */
typedef struct Due
{
	ItemPointerData tid;
	int			max_attempts;
	TimestampTz lease_until;	/* 0: none */
	WebhookClaim claim;
} Due;

/* What a look at the head of the index showed. */
typedef struct Look
{
	int			in_flight;
	TimestampTz first;			/* of the unfinished; NEVER: none of those seen */
	TimestampTz first_lease;	/* end of the lease that ends first */
	bool		complete;		/* all that are due were seen */
	int			npending;
	int			nexpired;
	Due		   *pending;
	Due		   *expired;
} Look;

/*
 * Writes the endpoint's row. due_at NEVER: nothing is left. A block lasts to
 * due_at and keeps new deliveries from making the endpoint due before.
 */
static void
write_endpoint(const WebhookEndpoint *endpoint, TimestampTz due_at, WebhookBlock block,
			   TimestampTz scan_from, bool half_open)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = UUIDPGetDatum(&endpoint->receiver.id);
	values[1] = UUIDPGetDatum(&endpoint->receiver.organization);
	values[2] = TimestampTzGetDatum(due_at);
	nulls[2] = due_at == NEVER;
	values[3] = TimestampTzGetDatum(due_at);
	nulls[3] = block == BLOCK_NONE;
	nulls[4] = block == BLOCK_NONE;
	if (block != BLOCK_NONE)
		values[4] = CStringGetTextDatum(block_names[block]);
	values[5] = TimestampTzGetDatum(scan_from);
	values[6] = TimestampTzGetDatum(endpoint->rate_at);
	nulls[6] = endpoint->rate_at == 0;
	values[7] = BoolGetDatum(half_open);
	platform_query_run(&update_endpoint, values, nulls);
}

static bool
feature_is_on(const WebhookEndpoint *endpoint)
{
	return platform_feature_gate == NULL ||
		platform_feature_gate(&endpoint->receiver.organization, FEATURE, strlen(FEATURE));
}

/* How many requests the rate allows to begin now. */
static int
rate_allows(const WebhookEndpoint *endpoint, TimestampTz now)
{
	int64		interval;

	if (endpoint->rate == 0)
		return WEBHOOK_BATCH_MAX;
	interval = USECS_PER_SEC / endpoint->rate;
	if (endpoint->rate_at > now + Max(interval, RATE_BURST) - interval)
		return 0;
	return (int) Min((now + Max(interval, RATE_BURST) - Max(endpoint->rate_at, now)) / interval,
					 WEBHOOK_BATCH_MAX);
}

static void
rate_spend(WebhookEndpoint *endpoint, TimestampTz now, int count)
{
	if (endpoint->rate > 0)
		endpoint->rate_at = Max(endpoint->rate_at, now) + count * (USECS_PER_SEC / endpoint->rate);
}

static void
read_due(uint64 row, Due *due, WebhookEndpoint *endpoint)
{
	bool		isnull;
	Datum		payload;

	due->tid = *(ItemPointer) DatumGetPointer(platform_row_datum(row, 1, &isnull));
	due->claim.id = platform_row_uuid(row, 2);
	due->claim.event_id = platform_row_uuid(row, 3);
	due->claim.type = platform_row_cstring(row, 4);
	due->claim.attempt = platform_row_int32(row, 5) + 1;
	due->max_attempts = platform_row_int32(row, 6);
	payload = platform_row_datum_copy(row, 9, &isnull);
	due->claim.payload = isnull ? NULL : DatumGetJsonbP(payload);
	due->claim.occurred_at = platform_row_timestamptz_or(row, 10, 0);
	due->claim.endpoint = endpoint;
}

/*
 * Looks at the head of the index: past those under way, at as many others as
 * are wanted.
 */
static void
scan_endpoint(WebhookEndpoint *endpoint, TimestampTz now, int want, Look *scan)
{
	int			limit = want + endpoint->max_in_flight;
	Datum		values[4];
	uint64		count;

	values[0] = UUIDPGetDatum(&endpoint->receiver.id);
	values[1] = TimestampTzGetDatum(endpoint->scan_from);
	values[2] = TimestampTzGetDatum(now);
	values[3] = Int64GetDatum(limit);
	count = platform_query_run(&scan_due, values, NULL);

	memset(scan, 0, sizeof(*scan));
	scan->first = count > 0 ? platform_row_timestamptz_or(0, 8, 0) : NEVER;
	scan->first_lease = NEVER;
	scan->pending = palloc(want * sizeof(Due));
	scan->expired = palloc(want * sizeof(Due));
	scan->complete = count < limit;
	for (uint64 i = 0; i < count; i++)
	{
		TimestampTz lease_until = platform_row_timestamptz_or(i, 7, 0);

		if (lease_until > now)
		{
			scan->in_flight++;
			scan->first_lease = Min(scan->first_lease, lease_until);
		}
		else if (scan->npending + scan->nexpired == want)
			scan->complete = false;
		else if (lease_until == 0)
			read_due(i, &scan->pending[scan->npending++], endpoint);
		else
			read_due(i, &scan->expired[scan->nexpired++], endpoint);
	}
}

static Datum
tid_array(const Due *dues, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = PointerGetDatum(&dues[i].tid);
	return PointerGetDatum(construct_array(values, count, TIDOID, sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

/* Is the row's id among those that the last query returned? Nearly always all are. */
static bool
was_returned(uint64 count, int asked, int at, const pg_uuid_t *id)
{
	pg_uuid_t	returned;

	if (count == asked)
		return true;
	for (uint64 i = 0; i < count; i++)
	{
		returned = platform_row_uuid((at + i) % count, 1);
		if (platform_uuid_equal(&returned, id))
			return true;
	}
	return false;
}

/* Takes the deliveries, as far as they still are what they were; returns how many. */
static int
take(WebhookEndpoint *endpoint, WebhookClaims *claims, Due *dues, int count, bool expired)
{
	int64		lease = Max(claims->lease, endpoint->timeout_ms * INT64CONST(1000) + LEASE_MARGIN);
	TimestampTz lease_until = claims->now + lease;
	WebhookAttempt *lost = expired ? palloc0(count * sizeof(WebhookAttempt)) : NULL;
	int			nlost = 0;
	int			taken = 0;
	uint64		returned;
	Datum		values[4];

	if (count == 0)
		return 0;
	values[0] = tid_array(dues, count);
	values[1] = UUIDPGetDatum(&claims->lease_id);
	values[2] = TimestampTzGetDatum(lease_until);
	values[3] = TimestampTzGetDatum(claims->now);
	returned = platform_query_run(expired ? &claim_expired : &claim_pending, values, NULL);
	for (int i = 0; i < count; i++)
	{
		if (!was_returned(returned, count, i, &dues[i].claim.id))
			continue;
		if (expired)
		{
			WebhookAttempt *attempt = &lost[nlost++];

			attempt->organization = endpoint->receiver.organization;
			attempt->delivery = dues[i].claim.id;
			attempt->subscription = endpoint->receiver.id;
			attempt->attempt = dues[i].claim.attempt - 1;
			attempt->outcome = "lost";
			attempt->duration_ms = -1;
			if (dues[i].claim.attempt > dues[i].max_attempts)
				continue;
		}
		dues[i].claim.lease_until = lease_until;
		claims->claims[claims->count++] = dues[i].claim;
		taken++;
	}
	platform_webhook_log_attempts(lost, nlost, claims->now);
	return taken;
}

static TimestampTz
find_next_due(const WebhookEndpoint *endpoint, TimestampTz now)
{
	Datum		values[2] = {UUIDPGetDatum(&endpoint->receiver.id), TimestampTzGetDatum(now)};

	if (platform_query_run(&next_due, values, NULL) == 0)
		return NEVER;
	return platform_row_timestamptz_or(0, 1, NEVER);
}

static void
report_unreadable(const WebhookEndpoint *endpoint)
{
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint->receiver.id)));
	PlatformAlert alert = {
		.severity = "critical", .type = "webhook_secret_unreadable", .source = "webhook",
		.organization = &endpoint->receiver.organization,
		.title = "The secret of a webhook subscription cannot be decrypted",
		.message = psprintf("Deliveries of subscription %s wait.", id), .dedup_key = id
	};

	(void) platform_alert_raise(&alert, NULL);
}

/* Nothing is to be sent now; false when something may be. */
static bool
is_blocked(WebhookEndpoint *endpoint, TimestampTz now)
{
	if (!endpoint->active)
		write_endpoint(endpoint, NEVER, BLOCK_HELD, endpoint->scan_from, false);
	else if (endpoint->receiver.nsecrets == 0)
	{
		report_unreadable(endpoint);
		write_endpoint(endpoint, now + UNREADABLE_POLL, BLOCK_HELD, endpoint->scan_from, false);
	}
	else if (!feature_is_on(endpoint))
		write_endpoint(endpoint, now + KILLED_POLL, BLOCK_KILLED, endpoint->scan_from, false);
	else if (rate_allows(endpoint, now) == 0)
		write_endpoint(endpoint,
					   endpoint->rate_at - Max(USECS_PER_SEC / endpoint->rate, RATE_BURST) +
					   USECS_PER_SEC / endpoint->rate,
					   BLOCK_RATE, endpoint->scan_from, false);
	else
		return false;
	return true;
}

int
platform_webhook_claim_endpoint(WebhookEndpoint *endpoint, WebhookClaims *claims, int want)
{
	bool		probing = endpoint->breaker_open || endpoint->half_open;
	int			most = probing ? 1 : endpoint->max_in_flight;
	TimestampTz now = claims->now;
	int			taken;
	bool		full;
	Look		scan;

	if (is_blocked(endpoint, now))
	{
		endpoint->exhausted = true;
		return 0;
	}
	scan_endpoint(endpoint, now, want, &scan);
	want = Min(Min(want, most - scan.in_flight), rate_allows(endpoint, now));
	want = Max(want, 0);
	taken = take(endpoint, claims, scan.expired, Min(scan.nexpired, want), true);
	taken += take(endpoint, claims, scan.pending, Min(scan.npending, want - taken), false);
	rate_spend(endpoint, now, taken);
	full = scan.in_flight + taken >= most;
	if (taken > 0)
		scan.first_lease = Min(scan.first_lease,
							   claims->claims[claims->count - 1].lease_until);

	if (scan.complete && scan.npending + scan.nexpired <= taken)
	{
		/* all that was due is under way */
		TimestampTz next = Min(find_next_due(endpoint, now), scan.first_lease);

		write_endpoint(endpoint, next, BLOCK_NONE, Min(scan.first, now),
					   endpoint->breaker_open && taken > 0);
		endpoint->exhausted = true;
	}
	else if (full)
	{
		write_endpoint(endpoint, Min(now + FULL_POLL, scan.first_lease), BLOCK_FULL,
					   Min(scan.first, now), endpoint->breaker_open && taken > 0);
		endpoint->exhausted = true;
	}
	else if (endpoint->due_at < now - ROTATE_AFTER || endpoint->rate > 0)
		/* behind the others that are due */
		write_endpoint(endpoint, now, BLOCK_NONE, Min(scan.first, now), false);
	return taken;
}
