/*
 * endpoint.c
 *	  What a claim does with one endpoint.
 *
 * Its row is locked by an earlier statement, so that what is read here is newer
 * than whatever the last holder did: no delivery is claimed twice, and the
 * number of those under way is counted, not kept.
 *
 * Rows are found and written past the executor. A claim and a result change no
 * column that an index has, but for a retry. So those under way stand at the head of
 * the index of those that are due, at most max_in_flight of them; one whose lease has
 * ended is simply claimed again. What is finished stays there too, passed over:
 * scan_from is behind it, except for what stands behind one that takes long. That is
 * left out as a gap, or when there are many gaps, taken out of the index.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/gate.h"
#include "core/query.h"
#include "webhooks/attempt.h"
#include "webhooks/delivery.h"
#include "webhooks/endpoint.h"

#define FEATURE			"webhooks"
#define KILLED_POLL		(5 * USECS_PER_SEC)
#define FULL_POLL		(USECS_PER_SEC / 4)
#define RATE_BURST		(USECS_PER_SEC / 10)
#define ROTATE_AFTER	(USECS_PER_SEC / 20)
#define UNREADABLE_POLL	USECS_PER_MINUTE
#define PASSING_POLL	(USECS_PER_SEC / 1000)
#define LEASE_MARGIN	(5 * USECS_PER_SEC)	/* beyond the request's timeout */
#define GAP_MIN			(USECS_PER_SEC / 5)
#define PASS_FEW		64		/* finished ones that each claim may pass */
#define PASS_MOST		2000	/* and that one passes at most */
#define REMOVE_AT_ONCE	250		/* from the index */
#define NEVER			DT_NOEND

static PlatformQuery next_due =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT next_retry_at FROM platform.webhook_deliveries"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND next_retry_at OPERATOR(pg_catalog.>) $2 AND finished_at IS NULL"
				   " ORDER BY next_retry_at LIMIT 1",
				   UUIDOID, TIMESTAMPTZOID);

static PlatformQuery update_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_endpoints SET due_at = $3, blocked_until = $4, blocked_by = $5,"
				   " scan_from = $6, rate_at = $7,"
				   " breaker = CASE WHEN $8 THEN 'half_open' ELSE breaker END,"
				   " gap_from = $9, gap_to = $10"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID,
				   TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static const char *const block_names[] = {
	[BLOCK_NONE] = NULL,
	[BLOCK_BREAKER] = "breaker",
	[BLOCK_FULL] = "full",
	[BLOCK_RATE] = "rate",
	[BLOCK_HELD] = "held",
	[BLOCK_KILLED] = "killed",
};

typedef enum TakeResult
{
	NOT_TAKEN,					/* somebody else has it, or changed it */
	TAKEN,
	GIVEN_UP					/* it had no attempt left */
} TakeResult;

/* What a look at the head of the index showed. */
typedef struct Look
{
	int			in_flight;
	TimestampTz first;			/* of the unfinished; NEVER: none of those seen */
	TimestampTz first_lease;	/* end of the lease that ends first */
	bool		complete;		/* all that are due were seen */
	int			ndue;
	ItemPointerData *due;		/* not under way, as many as are wanted */
	int			passed;			/* finished */
	int			nbehind;
	ItemPointerData behind[REMOVE_AT_ONCE];	/* of these, such as scan_from cannot pass */
} Look;

/*
 * Writes the endpoint's row. due_at NEVER: nothing is left. A block lasts to
 * due_at and keeps new deliveries from making the endpoint due before.
 */
static void
write_endpoint(const WebhookEndpoint *endpoint, TimestampTz due_at, WebhookBlock block,
			   bool half_open)
{
	bool		has_gap = endpoint->gap_from < endpoint->gap_to;
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = UUIDPGetDatum(&endpoint->receiver.id);
	values[1] = UUIDPGetDatum(&endpoint->receiver.organization);
	values[2] = TimestampTzGetDatum(due_at);
	nulls[2] = due_at == NEVER;
	values[3] = TimestampTzGetDatum(due_at);
	nulls[3] = block == BLOCK_NONE;
	nulls[4] = block == BLOCK_NONE;
	if (block != BLOCK_NONE)
		values[4] = CStringGetTextDatum(block_names[block]);
	values[5] = TimestampTzGetDatum(endpoint->scan_from);
	values[6] = TimestampTzGetDatum(endpoint->rate_at);
	nulls[6] = endpoint->rate_at == 0;
	values[7] = BoolGetDatum(half_open);
	values[8] = TimestampTzGetDatum(endpoint->gap_from);
	values[9] = TimestampTzGetDatum(endpoint->gap_to);
	nulls[8] = nulls[9] = !has_gap;
	platform_query_run(&update_endpoint, values, nulls);
}

bool
platform_webhook_feature_is_on(const pg_uuid_t *organization)
{
	return platform_feature_gate == NULL ||
		platform_feature_gate(organization, FEATURE, strlen(FEATURE));
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

/* How far a look has come. */
typedef struct Walk
{
	WebhookEndpoint *endpoint;
	PlatformRow *row;
	TimestampTz now;
	int			want;
	Look	   *seen;
	int			count;			/* rows seen */
	bool		expired;		/* a lease that ended among them */
	TimestampTz last;			/* where the last of them stood */
	TimestampTz gap_from;		/* the widest gap */
	TimestampTz gap_to;
} Walk;

static void
note_gap(Walk *walk, TimestampTz next)
{
	if (walk->count > 0 && next - walk->last > walk->gap_to - walk->gap_from)
	{
		walk->gap_from = walk->last;
		walk->gap_to = next;
	}
	walk->last = next;
}

/*
 * Passes a finished one; false when that is enough. As long as there is none that is
 * not finished, the next claim begins here.
 */
static bool
pass(Walk *walk, TimestampTz due_at)
{
	Look	   *seen = walk->seen;

	if ((walk->count > 0 || due_at == walk->endpoint->scan_from) && seen->nbehind < REMOVE_AT_ONCE)
		seen->behind[seen->nbehind++] = walk->row->tid;
	if (++seen->passed < PASS_MOST)
		return true;
	if (walk->count == 0)
		seen->first = due_at;
	/* the next claim begins behind them all the same */
	note_gap(walk, due_at);
	seen->complete = false;
	return false;
}

/* Looks at one row; false when that is enough. */
static bool
look_at(Walk *walk)
{
	Look	   *seen = walk->seen;
	TimestampTz lease_until = platform_row_get_timestamptz(walk->row, D_LEASE_UNTIL, 0);
	TimestampTz due_at = platform_row_get_timestamptz(walk->row, D_NEXT_RETRY_AT, 0);

	if (platform_row_get_timestamptz(walk->row, D_FINISHED_AT, 0) != 0)
		return pass(walk, due_at);
	if (walk->count == 0)
		seen->first = due_at;
	note_gap(walk, due_at);
	walk->count++;
	if (lease_until > walk->now)
	{
		seen->in_flight++;
		seen->first_lease = Min(seen->first_lease, lease_until);
	}
	else if (seen->ndue < walk->want)
	{
		seen->due[seen->ndue++] = walk->row->tid;
		walk->expired |= lease_until != 0;
	}
	else
		seen->complete = false;
	if (walk->count > walk->want + walk->endpoint->max_in_flight)
		seen->complete = false;
	else
		return seen->complete || walk->expired;
	return false;
}

/* Looks at those that are due in a stretch of time; false when that is enough. */
static bool
look_between(Walk *walk, TimestampTz from, TimestampTz to)
{
	bool		more = true;

	platform_row_range_begin(walk->row, DELIVERIES_DUE_INDEX,
							 UUIDPGetDatum(&walk->endpoint->receiver.id),
							 TimestampTzGetDatum(from), TimestampTzGetDatum(to));
	while (more && platform_row_range_next(walk->row))
		more = look_at(walk);
	platform_row_range_end(walk->row);
	return more;
}

/*
 * Looks past the deliveries under way at as many others as are wanted. Those under
 * way are the first: what becomes due later than they did stands behind them, since
 * its time is taken when the endpoint is locked. Only leases that ended are in front
 * of others; then all are looked at.
 *
 * Of what was finished since behind one that takes long the widest gap is remembered,
 * and left out.
 */
static void
look(WebhookEndpoint *endpoint, PlatformRow *row, TimestampTz now, int want, Look *seen)
{
	Walk		walk = {.endpoint = endpoint, .row = row, .now = now, .want = want, .seen = seen};

	memset(seen, 0, offsetof(Look, behind));
	seen->first = seen->first_lease = NEVER;
	seen->due = palloc(want * sizeof(ItemPointerData));
	seen->complete = true;
	if (endpoint->gap_from < endpoint->gap_to && endpoint->gap_to <= now)
	{
		if (look_between(&walk, endpoint->scan_from, endpoint->gap_from))
			(void) look_between(&walk, endpoint->gap_to, now);
		else if (endpoint->gap_to - endpoint->gap_from > walk.gap_to - walk.gap_from)
		{
			/* not reached, and as it was */
			walk.gap_from = endpoint->gap_from;
			walk.gap_to = endpoint->gap_to;
		}
	}
	else
		(void) look_between(&walk, endpoint->scan_from, now);
	if (seen->complete)
		note_gap(&walk, now);
	/* not wide enough to be worth a second search, and not full */
	if (walk.gap_to - walk.gap_from < GAP_MIN && seen->passed < PASS_MOST)
		walk.gap_from = walk.gap_to = 0;
	endpoint->gap_from = walk.gap_from;
	endpoint->gap_to = walk.gap_to;
}

/*
 * Takes finished deliveries out of the index of those that are due. One that changes
 * meanwhile is left: somebody sends it again.
 */
static void
remove_finished(PlatformRow *row, ItemPointerData *tids, int count)
{
	platform_row_keep_indexes(row);
	for (int i = 0; i < count; i++)
		if (platform_row_fetch(row, &tids[i]) && platform_row_get_timestamptz(row, D_FINISHED_AT, 0) != 0)
		{
			platform_row_set_null(row, D_NEXT_RETRY_AT);
			(void) platform_row_update(row);
		}
}

/* A lease ended without a result. */
static void
log_lost(const WebhookEndpoint *endpoint, const WebhookClaim *claim, TimestampTz now)
{
	WebhookAttempt attempt = {
		.organization = endpoint->receiver.organization,
		.delivery = claim->id,
		.subscription = endpoint->receiver.id,
		.attempt = claim->attempt - 1,
		.outcome = "lost",
		.duration_ms = -1
	};

	platform_webhook_log_attempts(&attempt, 1, now);
}

static void
fill_claim(WebhookClaim *claim, WebhookEndpoint *endpoint, const PlatformRow *row)
{
	bool		isnull;
	Datum		payload;

	claim->id = platform_row_get_uuid(row, D_ID);
	claim->event_id = platform_row_get_uuid(row, D_EVENT);
	claim->type = platform_row_get_cstring(row, D_TYPE);
	claim->attempt = platform_row_get_int32(row, D_ATTEMPTS, 0) + 1;
	payload = platform_row_get(row, D_PAYLOAD, &isnull);
	claim->payload = isnull ? NULL : DatumGetJsonbPCopy(payload);
	claim->occurred_at = platform_row_get_timestamptz(row, D_CREATED_AT, 0);
	claim->endpoint = endpoint;
}

/*
 * Takes the delivery that was seen there, if it still is what it was: its late
 * holder may just be completing it, and is not waited for.
 */
static TakeResult
take(WebhookEndpoint *endpoint, WebhookClaims *claims, ItemPointer tid)
{
	static const char *const lost = "no result before the lease ended";
	int64		lease = Max(claims->lease, endpoint->timeout_ms * INT64CONST(1000) + LEASE_MARGIN);
	PlatformRow *row = claims->row;
	WebhookClaim *claim = &claims->claims[claims->count];
	bool		expired;
	bool		exhausted;

	if (!platform_row_fetch(row, tid) || platform_row_get_timestamptz(row, D_FINISHED_AT, 0) != 0)
		return NOT_TAKEN;
	expired = platform_row_get_timestamptz(row, D_LEASE_UNTIL, 0) != 0;
	fill_claim(claim, endpoint, row);
	claim->lease_until = claims->now + lease;
	if (expired)
	{
		platform_row_set_null(row, D_RESPONSE_STATUS);
		platform_row_set_null(row, D_RESPONSE_TIME);
		platform_row_set_null(row, D_RESPONSE_BODY);
		platform_row_set(row, D_LAST_ERROR, CStringGetTextDatum(lost));
	}
	exhausted = claim->attempt > platform_row_get_int32(row, D_MAX_ATTEMPTS, 0);
	if (exhausted)
	{
		platform_row_set(row, D_STATUS, CStringGetTextDatum("failed"));
		platform_row_set(row, D_FINISHED_AT, TimestampTzGetDatum(claims->now));
		platform_row_set_null(row, D_LEASE_ID);
		platform_row_set_null(row, D_LEASE_UNTIL);
	}
	else
	{
		platform_row_set(row, D_STATUS, CStringGetTextDatum("delivering"));
		platform_row_set(row, D_ATTEMPTS, Int32GetDatum(claim->attempt));
		platform_row_set(row, D_LEASE_ID, UUIDPGetDatum(&claims->lease_id));
		platform_row_set(row, D_LEASE_UNTIL, TimestampTzGetDatum(claim->lease_until));
	}
	if (platform_row_update(row) != ROW_DONE)
		return NOT_TAKEN;
	if (expired)
		log_lost(endpoint, claim, claims->now);
	return exhausted ? GIVEN_UP : TAKEN;
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
		write_endpoint(endpoint, NEVER, BLOCK_HELD, false);
	else if (endpoint->receiver.nsecrets == 0)
	{
		report_unreadable(endpoint);
		write_endpoint(endpoint, now + UNREADABLE_POLL, BLOCK_HELD, false);
	}
	else if (!platform_webhook_feature_is_on(&endpoint->receiver.organization))
		write_endpoint(endpoint, now + KILLED_POLL, BLOCK_KILLED, false);
	else if (rate_allows(endpoint, now) == 0)
		write_endpoint(endpoint,
					   endpoint->rate_at - Max(USECS_PER_SEC / endpoint->rate, RATE_BURST) +
					   USECS_PER_SEC / endpoint->rate,
					   BLOCK_RATE, false);
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
	int			taken = 0;
	int			settled = 0;	/* taken, or found to be exhausted */
	Look		seen;

	if (is_blocked(endpoint, now))
	{
		endpoint->exhausted = true;
		return 0;
	}
	look(endpoint, claims->row, now, want, &seen);
	endpoint->scan_from = Min(seen.first, now);
	want = Min(Min(want, most - seen.in_flight), rate_allows(endpoint, now));
	for (int i = 0; i < seen.ndue && taken < want; i++)
	{
		TakeResult	result = take(endpoint, claims, &seen.due[i]);

		if (result == TAKEN)
		{
			seen.first_lease = Min(seen.first_lease, claims->claims[claims->count].lease_until);
			claims->count++;
			taken++;
		}
		if (result != NOT_TAKEN)
			settled++;
	}
	rate_spend(endpoint, now, taken);
	if (seen.nbehind == REMOVE_AT_ONCE)
		remove_finished(claims->row, seen.behind, seen.nbehind);

	if (seen.complete && seen.ndue == settled)
	{
		/* all that was due is under way */
		TimestampTz next = Min(find_next_due(endpoint, now), seen.first_lease);

		write_endpoint(endpoint, next, BLOCK_NONE, endpoint->breaker_open && taken > 0);
		endpoint->exhausted = true;
	}
	else if (seen.in_flight + taken >= most)
	{
		write_endpoint(endpoint, Min(now + FULL_POLL, seen.first_lease), BLOCK_FULL,
					   endpoint->breaker_open && taken > 0);
		endpoint->exhausted = true;
	}
	else if (seen.passed == PASS_MOST)
	{
		/* further on by the next claim */
		write_endpoint(endpoint, now + PASSING_POLL, BLOCK_NONE, false);
		endpoint->exhausted = true;
	}
	else if (settled == 0)
	{
		/* others are just completing what is there */
		write_endpoint(endpoint, now + FULL_POLL, BLOCK_NONE, false);
		endpoint->exhausted = true;
	}
	else if (endpoint->due_at < now - ROTATE_AFTER || endpoint->rate > 0 ||
			 seen.passed - seen.nbehind > PASS_FEW)
		/* behind the others that are due */
		write_endpoint(endpoint, now, BLOCK_NONE, false);
	return taken;
}
