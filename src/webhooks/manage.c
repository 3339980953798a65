/*
 * manage.c
 *	  What people do with deliveries: retry, cancel, replay, test.
 *
 * All of it locks the endpoint before the delivery, and takes the time at which a
 * delivery is due after that: see webhooks.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/event.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "webhooks/subscription.h"

PG_FUNCTION_INFO_V1(platform_retry_webhook_delivery);
PG_FUNCTION_INFO_V1(platform_cancel_webhook_delivery);
PG_FUNCTION_INFO_V1(platform_replay_webhook_delivery);
PG_FUNCTION_INFO_V1(platform_replay_webhook_events);
PG_FUNCTION_INFO_V1(platform_send_test_webhook);

#define TEST_TYPE "webhook.test"

static PlatformQuery find_delivery =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT subscription_id FROM platform.webhook_deliveries"
				   " WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery retry_delivery =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_deliveries SET status = 'pending', finished_at = NULL,"
				   " next_retry_at = $2,"
				   " max_attempts = GREATEST(max_attempts, attempts OPERATOR(pg_catalog.+) 1)"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND status OPERATOR(pg_catalog.=) ANY ('{pending,failed,cancelled}'::pg_catalog.text[])",
				   UUIDOID, TIMESTAMPTZOID);

/* Out of the index of those that are due: nothing passes over what was to come. */
static PlatformQuery cancel_delivery =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_deliveries SET status = 'cancelled', finished_at = $2,"
				   " next_retry_at = NULL, lease_id = NULL, lease_until = NULL"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND finished_at IS NULL",
				   UUIDOID, TIMESTAMPTZOID);

#define REPLAY_COLUMNS \
	"INSERT INTO platform.webhook_deliveries (organization_id, subscription_id, event_id, event_type," \
	" payload, replay, max_attempts, next_retry_at, created_at)"
#define REPLAY_VALUES \
	"SELECT d.organization_id, d.subscription_id, d.event_id, d.event_type, d.payload," \
	" d.replay OPERATOR(pg_catalog.+) 1," \
	" CASE WHEN s.retry_policy OPERATOR(pg_catalog.=) 'none' THEN 1" \
	" ELSE s.max_retries OPERATOR(pg_catalog.+) 1 END,"
#define REPLAY_SUBSCRIPTION \
	" JOIN platform.webhook_subscriptions s ON s.id OPERATOR(pg_catalog.=) d.subscription_id" \
	" AND s.organization_id OPERATOR(pg_catalog.=) d.organization_id"

/* Of the newest delivery of the event to the subscription. */
static PlatformQuery replay_delivery =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   REPLAY_COLUMNS REPLAY_VALUES " $2, $2"
				   " FROM (SELECT n.* FROM platform.webhook_deliveries o JOIN platform.webhook_deliveries n"
				   " ON n.subscription_id OPERATOR(pg_catalog.=) o.subscription_id"
				   " AND n.event_id OPERATOR(pg_catalog.=) o.event_id"
				   " WHERE o.id OPERATOR(pg_catalog.=) $1 ORDER BY n.replay DESC LIMIT 1) AS d"
				   REPLAY_SUBSCRIPTION
				   " WHERE d.finished_at IS NOT NULL RETURNING id",
				   UUIDOID, TIMESTAMPTZOID);

/* One a microsecond, as new ones are. */
static PlatformQuery replay_events =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   REPLAY_COLUMNS REPLAY_VALUES
				   " $2 OPERATOR(pg_catalog.+) (pg_catalog.row_number() OVER (ORDER BY d.event_id)"
				   " OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval), $2"
				   " FROM (SELECT DISTINCT ON (n.event_id) n.* FROM platform.webhook_deliveries n"
				   " WHERE n.subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND n.event_id OPERATOR(pg_catalog.>=) $3 AND n.event_id OPERATOR(pg_catalog.<) $4"
				   " AND n.event_type OPERATOR(pg_catalog.<>) '" TEST_TYPE "'"
				   " ORDER BY n.event_id, n.replay DESC) AS d"
				   REPLAY_SUBSCRIPTION
				   " WHERE d.status OPERATOR(pg_catalog.=) ANY ($5)",
				   UUIDOID, TIMESTAMPTZOID, UUIDOID, UUIDOID, TEXTARRAYOID);

static PlatformQuery insert_test =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "INSERT INTO platform.webhook_deliveries (organization_id, subscription_id, event_id,"
				   " event_type, payload, max_attempts, next_retry_at, created_at)"
				   " SELECT s.organization_id, s.id, $2, '" TEST_TYPE "', $3, 1, $4, $4"
				   " FROM platform.webhook_subscriptions s WHERE s.id OPERATOR(pg_catalog.=) $1 AND s.active"
				   " RETURNING id",
				   UUIDOID, UUIDOID, JSONBOID, TIMESTAMPTZOID);

/*
 * Locks the endpoint of a subscription that the caller administers, makes it due,
 * and returns the moment.
 */
static TimestampTz
lock_endpoint(const pg_uuid_t *subscription)
{
	pg_uuid_t	organization = platform_require_webhook_subscription(subscription);

	return platform_webhook_make_due(subscription, &organization, 1);
}

/* The same for that of a delivery; PT404 when there is none that the caller may see. */
static TimestampTz
lock_endpoint_of(const pg_uuid_t *delivery)
{
	Datum		value = UUIDPGetDatum(delivery);
	pg_uuid_t	subscription;

	if (platform_query_run(&find_delivery, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("webhook delivery %s does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, value)))));
	subscription = platform_row_uuid(0, 1);
	return lock_endpoint(&subscription);
}

static void
begin(FunctionCallInfo fcinfo, const char *argument)
{
	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, argument);
	platform_query_begin();
}

/*
 * platform.retry_webhook_delivery(delivery uuid) returns void
 *
 * Attempts it now: one that waits for its time, or one more attempt of one that
 * failed or was cancelled. Administrators, for their organization. Errors: 42501;
 * 22004; PT404; PT409 it was delivered (replay it), or is under way.
 */
Datum
platform_retry_webhook_delivery(PG_FUNCTION_ARGS)
{
	Datum		values[2];

	begin(fcinfo, "delivery");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(lock_endpoint_of(PG_GETARG_UUID_P(0)));
	if (platform_query_run(&retry_delivery, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("webhook delivery was delivered, or is under way"),
				 errhint("What was delivered can be sent again by replay_webhook_delivery().")));
	platform_query_end();
	PG_RETURN_VOID();
}

/*
 * platform.cancel_webhook_delivery(delivery uuid) returns boolean
 *
 * Gives up what is not finished; a request that is under way may still arrive.
 * False when it was finished. Administrators. Errors: 42501; 22004; PT404.
 */
Datum
platform_cancel_webhook_delivery(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	bool		cancelled;

	begin(fcinfo, "delivery");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(lock_endpoint_of(PG_GETARG_UUID_P(0)));
	cancelled = platform_query_run(&cancel_delivery, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(cancelled);
}

/*
 * platform.replay_webhook_delivery(delivery uuid) returns uuid
 *
 * Sends an event once more, as a new delivery with the same webhook-id, whatever
 * became of the ones before; returns its id. Administrators. Errors: 42501; 22004;
 * PT404; PT409 a delivery of it is not finished.
 */
Datum
platform_replay_webhook_delivery(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[2];

	begin(fcinfo, "delivery");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(lock_endpoint_of(PG_GETARG_UUID_P(0)));
	if (platform_query_run(&replay_delivery, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("webhook delivery is not finished")));
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/* The least id of an event that was written at that moment or later. */
static pg_uuid_t
event_bound(TimestampTz moment)
{
	int64		milliseconds;
	uint64		high;
	pg_uuid_t	id = {{0}};

	if (moment == DT_NOBEGIN)
		return id;
	memset(id.data, 0xff, UUID_LEN);
	if (moment == DT_NOEND)
		return id;
	milliseconds = (moment + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY + 999) / 1000;
	memset(id.data, 0, UUID_LEN);
	if (milliseconds > 0)
	{
		high = pg_hton64((uint64) milliseconds << 16);
		memcpy(id.data, &high, sizeof(high));
	}
	return id;
}

/*
 * platform.replay_webhook_events(subscription uuid, "from" timestamptz,
 *		"to" timestamptz DEFAULT NULL, states text[] DEFAULT '{failed,cancelled}') returns bigint
 *
 * Sends events that were emitted in [from, to) once more, as new deliveries, if
 * their last delivery is in one of the states: delivered, failed, cancelled. NULL to:
 * up to now. Returns how many. Administrators. Errors: 42501; 22004; 22023 no such
 * state; PT404.
 */
Datum
platform_replay_webhook_events(PG_FUNCTION_ARGS)
{
	pg_uuid_t	from;
	pg_uuid_t	to;
	Datum	   *states;
	bool	   *nulls;
	int			count;
	Datum		values[5];
	uint64		replayed;

	begin(fcinfo, "subscription");
	platform_require_argument(fcinfo, 1, "from");
	platform_require_argument(fcinfo, 3, "states");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), TEXTOID, -1, false, TYPALIGN_INT,
					  &states, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *state = nulls[i] ? "" : TextDatumGetCString(states[i]);

		if (strcmp(state, "delivered") != 0 && strcmp(state, "failed") != 0 &&
			strcmp(state, "cancelled") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("states must be among delivered, failed and cancelled")));
	}
	from = event_bound(PG_GETARG_TIMESTAMPTZ(1));
	to = event_bound(PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(lock_endpoint(PG_GETARG_UUID_P(0)));
	values[2] = UUIDPGetDatum(&from);
	values[3] = UUIDPGetDatum(&to);
	values[4] = PG_GETARG_DATUM(3);
	replayed = platform_query_run(&replay_events, values, NULL);
	platform_query_end();
	PG_RETURN_INT64((int64) replayed);
}

/*
 * platform.send_test_webhook(subscription uuid, payload jsonb DEFAULT '{"test": true}')
 *		returns uuid
 *
 * Sends one request of type webhook.test to a subscription, whatever events it asks
 * for, and returns the delivery's id; it is attempted once. Administrators. Errors:
 * 42501; 22004; PT404; PT409 the subscription is not active.
 */
Datum
platform_send_test_webhook(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	pg_uuid_t	event;
	Datum		values[4];

	begin(fcinfo, "subscription");
	platform_require_argument(fcinfo, 1, "payload");
	platform_make_uuid7(&event);
	values[0] = PG_GETARG_DATUM(0);
	values[1] = UUIDPGetDatum(&event);
	values[2] = PG_GETARG_DATUM(1);
	values[3] = TimestampTzGetDatum(lock_endpoint(PG_GETARG_UUID_P(0)));
	if (platform_query_run(&insert_test, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("webhook subscription is not active"),
				 errhint("Call resume_webhook_subscription() first.")));
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}
