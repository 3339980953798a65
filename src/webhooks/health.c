/*
 * health.c
 *	  How endpoints do: circuit breaker, alerts, and the end.
 *
 * Failures in a row open the circuit breaker, for a minute at first and twice as
 * long each time it opens again; then one request decides. After five days without
 * a success, and ten failures at least, the subscription is disabled, as it is at
 * once by 410 Gone. Its deliveries are held.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/query.h"
#include "webhooks/health.h"
#include "webhooks/receiver.h"

#define BREAKER_FAILURES	10
#define BREAKER_FIRST		USECS_PER_MINUTE
#define BREAKER_LONGEST		USECS_PER_HOUR
#define DISABLE_FAILURES	10
#define ALERT_AFTER			USECS_PER_DAY
#define ALERT_TYPE			"delivery_failures"
#define DISABLE_AFTER		(5 * USECS_PER_DAY)

static PlatformQuery lock_endpoints =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT 1 FROM platform.webhook_endpoints e"
				   " WHERE e.subscription_id OPERATOR(pg_catalog.=) ANY ($1)"
				   " ORDER BY e.subscription_id FOR NO KEY UPDATE",
				   UUIDARRAYOID);

/* Before the endpoint, as whoever pauses a subscription. */
static PlatformQuery lock_subscriptions =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT 1 FROM platform.webhook_subscriptions"
				   " WHERE id OPERATOR(pg_catalog.=) ANY ($1) ORDER BY id FOR NO KEY UPDATE",
				   UUIDARRAYOID);

/*
 * $3: open the breaker until then. Otherwise a place among those under way is
 * free again, a breaker that closes ($4) blocks no longer, and a retry at $5 is due.
 */
#define UNBLOCKS \
	"(e.blocked_by OPERATOR(pg_catalog.=) 'full' OR ($4 AND e.blocked_by OPERATOR(pg_catalog.=) 'breaker'))"

static PlatformQuery update_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_endpoints AS e SET"
				   " due_at = CASE WHEN $3 IS NOT NULL THEN $3 WHEN " UNBLOCKS " THEN $6"
				   " WHEN $5 IS NULL THEN e.due_at ELSE LEAST(e.due_at, GREATEST($5, e.blocked_until)) END,"
				   " blocked_until = CASE WHEN $3 IS NOT NULL THEN $3 WHEN " UNBLOCKS " THEN NULL ELSE e.blocked_until END,"
				   " blocked_by = CASE WHEN $3 IS NOT NULL THEN 'breaker' WHEN " UNBLOCKS " THEN NULL ELSE e.blocked_by END,"
				   " scan_from = LEAST(e.scan_from, $5),"
				   " gap_to = CASE WHEN e.gap_to OPERATOR(pg_catalog.>) $5 THEN $5 ELSE e.gap_to END,"
				   " breaker = $7, breaker_opened = $8, failures = $9, failing_since = $10,"
				   " last_success_at = coalesce($11, e.last_success_at),"
				   " last_failure_at = coalesce($12, e.last_failure_at)"
				   " WHERE e.subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND e.organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
				   TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery disable_subscription =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_subscriptions SET active = false, disabled_reason = $3"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2 AND active",
				   UUIDOID, UUIDOID, TEXTOID);

/* What the endpoint's row says now; false when there is none. */
static bool
read_health(WebhookHealth *endpoint, PlatformRow *row)
{
	char	   *blocked_by;

	if (!platform_webhook_receiver_find(row, &endpoint->id, &endpoint->organization))
		return false;
	blocked_by = platform_row_get_cstring(row, E_BLOCKED_BY);
	endpoint->full = blocked_by != NULL && strcmp(blocked_by, "full") == 0;
	endpoint->breaker = platform_row_get_cstring(row, E_BREAKER);
	endpoint->breaker_opened = platform_row_get_int32(row, E_BREAKER_OPENED, 0);
	endpoint->failures = platform_row_get_int32(row, E_FAILURES, 0);
	endpoint->failing_since = platform_row_get_timestamptz(row, E_FAILING_SINCE, 0);
	return true;
}

static bool
read_subscription(WebhookHealth *endpoint, PlatformRow *row)
{
	Datum		schedule;
	bool		isnull;

	if (!platform_webhook_receiver_find(row, &endpoint->id, &endpoint->organization))
		return false;
	endpoint->schedule.fixed = strcmp(platform_row_get_cstring(row, S_RETRY_POLICY), "fixed") == 0;
	schedule = platform_row_get(row, S_RETRY_SCHEDULE, &isnull);
	if (!isnull)
	{
		ArrayType  *array = DatumGetArrayTypePCopy(schedule);

		endpoint->schedule.count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		endpoint->schedule.seconds = (const int32 *) ARR_DATA_PTR(array);
	}
	endpoint->keep_responses = platform_row_get_bool(row, S_KEEP_RESPONSES, false);
	endpoint->name = platform_row_get_cstring(row, S_NAME);
	return true;
}

WebhookHealth *
platform_webhook_health_find(WebhookHealth *endpoints, int count, const pg_uuid_t *id)
{
	for (int i = 0; i < count; i++)
		if (platform_uuid_equal(&endpoints[i].id, id))
			return &endpoints[i];
	return NULL;
}

int
platform_webhook_health_read(pg_uuid_t (*subscriptions)[2], int count, WebhookHealth **endpoints)
{
	PlatformRow subscription;
	PlatformRow state;
	int			found = 0;

	qsort(subscriptions, count, sizeof(*subscriptions), platform_compare_uuids);
	*endpoints = palloc(Max(count, 1) * sizeof(WebhookHealth));
	platform_row_open_read(&subscription, &platform_webhook_subscription_table);
	platform_row_open_read(&state, &platform_webhook_endpoint_table);
	for (int i = 0; i < count; i++)
	{
		WebhookHealth *endpoint = &(*endpoints)[found];

		if (i > 0 && platform_uuid_equal(&subscriptions[i][0], &subscriptions[i - 1][0]))
			continue;
		memset(endpoint, 0, sizeof(*endpoint));
		endpoint->id = subscriptions[i][0];
		endpoint->organization = subscriptions[i][1];
		if (read_subscription(endpoint, &subscription) && read_health(endpoint, &state))
			found++;
	}
	platform_row_close(&state);
	platform_row_close(&subscription);
	return found;
}

/* Locks the rows of endpoints whose health is concerned, and reads them again. */
void
platform_webhook_health_lock(WebhookHealth *endpoints, int count, TimestampTz now)
{
	pg_uuid_t  *ids = palloc(Max(count, 1) * sizeof(pg_uuid_t));
	int			nids = 0;
	Datum		value;
	PlatformRow row;

	for (int i = 0; i < count; i++)
		if (endpoints[i].gone || (endpoints[i].concerned && endpoints[i].failing_since != 0 &&
								  now - endpoints[i].failing_since >= DISABLE_AFTER))
			ids[nids++] = endpoints[i].id;
	if (nids > 0)
	{
		value = platform_uuid_array(ids, nids);
		platform_query_run(&lock_subscriptions, &value, NULL);
	}
	nids = 0;
	for (int i = 0; i < count; i++)
	{
		if (endpoints[i].failures > 0 || endpoints[i].full || strcmp(endpoints[i].breaker, "closed") != 0)
			endpoints[i].concerned = true;
		if (endpoints[i].concerned)
			ids[nids++] = endpoints[i].id;
	}
	if (nids == 0)
		return;
	value = platform_uuid_array(ids, nids);
	platform_query_run(&lock_endpoints, &value, NULL);
	platform_row_open_read(&row, &platform_webhook_endpoint_table);
	for (int i = 0; i < count; i++)
		if (endpoints[i].concerned)
			(void) read_health(&endpoints[i], &row);
	platform_row_close(&row);
}

static void
raise_alert(const WebhookHealth *endpoint, const char *severity, const char *what)
{
	PlatformAlert alert = {
		.severity = severity, .type = ALERT_TYPE, .source = "webhook",
		.organization = &endpoint->organization,
		.title = psprintf("Deliveries to webhook \"%s\" fail", endpoint->name),
		.message = psprintf("%s: %d failures in a row since %s.", what, endpoint->failures,
							timestamptz_to_str(endpoint->failing_since)),
		.dedup_key = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint->id)))
	};

	(void) platform_alert_raise(&alert, NULL);
}

static void
disable(const WebhookHealth *endpoint, const char *reason)
{
	Datum		values[3];

	values[0] = UUIDPGetDatum(&endpoint->id);
	values[1] = UUIDPGetDatum(&endpoint->organization);
	values[2] = CStringGetTextDatum(reason);
	if (platform_query_run(&disable_subscription, values, NULL) > 0)
		raise_alert(endpoint, "critical", strcmp(reason, "gone") == 0 ?
					"The receiver said 410 Gone and the subscription is disabled" :
					"The subscription is disabled");
}

void
platform_webhook_health_write(WebhookHealth *endpoint, TimestampTz now)
{
	bool		was_failing = endpoint->failures >= BREAKER_FAILURES;
	bool		was_open = strcmp(endpoint->breaker, "closed") != 0;
	TimestampTz open_until = 0;
	Datum		values[12];
	bool		nulls[12] = {false};

	if (endpoint->nsucceeded > 0)
	{
		endpoint->failures = 0;
		endpoint->failing_since = 0;
		endpoint->breaker_opened = 0;
		endpoint->breaker = "closed";
	}
	else if (endpoint->nfailed > 0)
	{
		endpoint->failures = (int) Min((int64) endpoint->failures + endpoint->nfailed, PG_INT32_MAX);
		if (endpoint->failing_since == 0)
			endpoint->failing_since = now;
		if (strcmp(endpoint->breaker, "half_open") == 0 ||
			(!was_open && endpoint->failures >= BREAKER_FAILURES))
		{
			open_until = now + Min(BREAKER_FIRST << Min(endpoint->breaker_opened, 10), BREAKER_LONGEST);
			endpoint->breaker_opened++;
			endpoint->breaker = "open";
		}
	}

	values[0] = UUIDPGetDatum(&endpoint->id);
	values[1] = UUIDPGetDatum(&endpoint->organization);
	values[2] = TimestampTzGetDatum(open_until);
	nulls[2] = open_until == 0;
	values[3] = BoolGetDatum(was_open && endpoint->nsucceeded > 0);
	values[4] = TimestampTzGetDatum(endpoint->next_retry_at);
	nulls[4] = endpoint->next_retry_at == 0;
	values[5] = TimestampTzGetDatum(now);
	values[6] = CStringGetTextDatum(endpoint->breaker);
	values[7] = Int32GetDatum(endpoint->breaker_opened);
	values[8] = Int32GetDatum(endpoint->failures);
	values[9] = TimestampTzGetDatum(endpoint->failing_since);
	nulls[9] = endpoint->failing_since == 0;
	values[10] = values[11] = TimestampTzGetDatum(now);
	nulls[10] = endpoint->nsucceeded == 0;
	nulls[11] = endpoint->nfailed == 0;
	platform_query_run(&update_endpoint, values, nulls);

	if (endpoint->nsucceeded > 0 && was_failing)
		(void) platform_alert_clear(&endpoint->organization, ALERT_TYPE,
									DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint->id))));
	else if (open_until != 0)
		raise_alert(endpoint, now - endpoint->failing_since >= ALERT_AFTER ? "critical" : "warning",
					"The circuit breaker opened");
	if (endpoint->gone)
		disable(endpoint, "gone");
	else if (endpoint->nsucceeded == 0 && endpoint->nfailed > 0 &&
			 endpoint->failures >= DISABLE_FAILURES &&
			 now - endpoint->failing_since >= DISABLE_AFTER)
		disable(endpoint, "failing");
}
