/*
 * subscriptions.c
 *	  What the payment provider says of a subscription, as Stripe says it.
 *
 * Events come late, twice, and in any order: the newest by the provider's own
 * clock counts. That has whole seconds: within one, a deletion is newer than an
 * update, which is newer than a creation, and an event that was applied is known
 * by its id. A customer's plan comes from one subscription; the end of another
 * one does not end it.
 *
 * The subscription's row is locked first, then the customer's.
 *
 * Shape: https://docs.stripe.com/api/subscriptions/object and
 * https://docs.stripe.com/api/events/object. The period is read from the
 * subscription or, as in versions of that API since 2025-03-31, from its first item.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "usage/plan.h"

PG_FUNCTION_INFO_V1(platform_apply_subscription_event);

#define AT(path) "$1 OPERATOR(pg_catalog.#>) '" path "'::pg_catalog.text[]"
#define TEXT_AT(path) "$1 OPERATOR(pg_catalog.#>>) '" path "'::pg_catalog.text[]"

/* Seconds since 1970; what is no number is not there. */
#define TIME_AT(path) \
	"CASE WHEN pg_catalog.jsonb_typeof(" AT(path) ") OPERATOR(pg_catalog.=) 'number'" \
	" THEN pg_catalog.to_timestamp((" AT(path) ")::pg_catalog.float8) END"

static PlatformQuery read_event =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT " TEXT_AT("{id}") ", " TEXT_AT("{type}") ", " TIME_AT("{created}") ","
				   TEXT_AT("{data,object,id}") ", " TEXT_AT("{data,object,customer}") ","
				   TEXT_AT("{data,object,status}") ","
				   " COALESCE(" TIME_AT("{data,object,current_period_start}") ","
				   TIME_AT("{data,object,items,data,0,current_period_start}") "),"
				   " COALESCE(" TIME_AT("{data,object,current_period_end}") ","
				   TIME_AT("{data,object,items,data,0,current_period_end}") "),"
				   TIME_AT("{data,object,billing_cycle_anchor}") ","
				   " COALESCE(" AT("{data,object,cancel_at_period_end}")
				   " OPERATOR(pg_catalog.=) 'true'::pg_catalog.jsonb, false),"
				   TIME_AT("{data,object,cancel_at}") ", " TIME_AT("{data,object,canceled_at}") ","
				   TIME_AT("{data,object,ended_at}") ","
				   " COALESCE(" TEXT_AT("{data,object,metadata,tier}") ","
				   TEXT_AT("{data,object,items,data,0,price,metadata,tier}") ","
				   TEXT_AT("{data,object,items,data,0,price,lookup_key}") ")",
				   JSONBOID);

static PlatformQuery insert_subscription =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.subscriptions"
				   " (organization_id, user_id, stripe_subscription_id, status, last_event_at)"
				   " SELECT o.id, u.id, $3, $4, '-infinity'"
				   " FROM platform.organizations AS o, platform.users AS u"
				   " WHERE o.id OPERATOR(pg_catalog.=) $1 AND u.id OPERATOR(pg_catalog.=) $2"
				   " ON CONFLICT (stripe_subscription_id) DO NOTHING",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery lock_subscription =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, organization_id OPERATOR(pg_catalog.=) $2"
				   " AND user_id OPERATOR(pg_catalog.=) $3, tier, last_event_at, last_event_rank,"
				   " $4 OPERATOR(pg_catalog.=) ANY (last_event_ids)"
				   " FROM platform.subscriptions"
				   " WHERE stripe_subscription_id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
				   TEXTOID, UUIDOID, UUIDOID, TEXTOID);

static PlatformQuery update_subscription =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.subscriptions SET status = $3,"
				   " stripe_customer_id = COALESCE($4, stripe_customer_id), tier = $5,"
				   " current_period_start = COALESCE($6, current_period_start),"
				   " current_period_end = COALESCE($7, current_period_end),"
				   " cancel_at_period_end = $8, cancel_at = $9, canceled_at = $10, ended_at = $11,"
				   " last_event_ids = CASE WHEN last_event_at OPERATOR(pg_catalog.=) $12"
				   " THEN last_event_ids OPERATOR(pg_catalog.||) $13 ELSE ARRAY[$13] END,"
				   " last_event_at = $12, last_event_rank = $14"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
				   BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID,
				   INT4OID);

/* The period of another subscription that is alive. */
static PlatformQuery find_other =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT current_period_start FROM platform.subscriptions"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) ANY ('{trialing,active,past_due}')",
				   UUIDOID, UUIDOID);

/* In the order of their ranks. */
static const char *const event_types[] = {
	"customer.subscription.created",
	"customer.subscription.updated",
	"customer.subscription.deleted",
};

static const char *const statuses[] = {
	"trialing", "active", "past_due",	/* alive */
	"incomplete", "incomplete_expired", "canceled", "unpaid", "paused",
};

#define ALIVE_STATUSES	3

/* No time: DT_NOEND. */
typedef struct SubscriptionEvent
{
	pg_uuid_t	organization;
	pg_uuid_t	user;
	char	   *id;
	char	   *type;
	TimestampTz created;
	int			rank;
	char	   *subscription;
	char	   *customer;
	char	   *status;
	bool		alive;
	TimestampTz start;
	TimestampTz end;
	TimestampTz anchor;
	bool		cancel_at_period_end;
	TimestampTz cancel_at;
	TimestampTz canceled_at;
	TimestampTz ended_at;
	char	   *tier;

	/* the row */
	pg_uuid_t	row_id;
	const char *reason;			/* why it is not applied; or NULL */

	/* what its application to the limits did */
	bool		changed;
	bool		new_tier;
	bool		closes;
	UsagePeriod closed;
} SubscriptionEvent;

/*
 * Reading.
 */

static void
malformed(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("event has no valid %s", what)));
}

static void
check_event(SubscriptionEvent *event)
{
	bool		known = false;

	if (event->id == NULL || event->id[0] == '\0' || strlen(event->id) > 255)
		malformed("id");
	if (event->created == DT_NOEND)
		malformed("time");
	if (event->subscription == NULL || event->subscription[0] == '\0' ||
		strlen(event->subscription) > 255)
		malformed("subscription");
	if (event->status == NULL)
		malformed("status");
	for (int i = 0; i < lengthof(statuses) && !known; i++)
	{
		known = strcmp(event->status, statuses[i]) == 0;
		event->alive = known && i < ALIVE_STATUSES;
	}
	if (!known)
		malformed("status");
	if ((event->start == DT_NOEND) != (event->end == DT_NOEND) ||
		(event->start != DT_NOEND && (event->start >= event->end ||
									  event->end - event->start < USECS_PER_DAY)))
		malformed("period");
	if (event->rank == lengthof(event_types) - 1)
		event->alive = false;
}

/* False: not an event of a subscription. */
static bool
parse_event(Jsonb *json, SubscriptionEvent *event)
{
	Datum		value = JsonbPGetDatum(json);

	platform_query_run(&read_event, &value, NULL);
	event->id = platform_row_cstring(0, 1);
	event->type = platform_row_cstring(0, 2);
	event->created = platform_row_timestamptz_or(0, 3, DT_NOEND);
	event->subscription = platform_row_cstring(0, 4);
	event->customer = platform_row_cstring(0, 5);
	event->status = platform_row_cstring(0, 6);
	event->start = platform_row_timestamptz_or(0, 7, DT_NOEND);
	event->end = platform_row_timestamptz_or(0, 8, DT_NOEND);
	event->anchor = platform_row_timestamptz_or(0, 9, DT_NOEND);
	event->cancel_at_period_end = platform_row_bool(0, 10);
	event->cancel_at = platform_row_timestamptz_or(0, 11, DT_NOEND);
	event->canceled_at = platform_row_timestamptz_or(0, 12, DT_NOEND);
	event->ended_at = platform_row_timestamptz_or(0, 13, DT_NOEND);
	event->tier = platform_row_cstring(0, 14);
	if (event->type == NULL)
		malformed("type");
	for (event->rank = 0; event->rank < lengthof(event_types); event->rank++)
		if (strcmp(event->type, event_types[event->rank]) == 0)
		{
			check_event(event);
			return true;
		}
	event->reason = "IGNORED";
	return false;
}

/*
 * The subscription's row.
 */

static Datum
time_or_null(TimestampTz time, bool *isnull)
{
	*isnull = time == DT_NOEND;
	return TimestampTzGetDatum(time);
}

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

/* Finds or makes the row, locked; says in event->reason when the event is old. */
static void
lock_row(SubscriptionEvent *event)
{
	Datum		values[4];
	TimestampTz last_at;
	bool		seen;

	values[0] = UUIDPGetDatum(&event->organization);
	values[1] = UUIDPGetDatum(&event->user);
	values[2] = CStringGetTextDatum(event->subscription);
	values[3] = CStringGetTextDatum(event->status);
	platform_query_run(&insert_subscription, values, NULL);

	values[0] = CStringGetTextDatum(event->subscription);
	values[1] = UUIDPGetDatum(&event->organization);
	values[2] = UUIDPGetDatum(&event->user);
	values[3] = CStringGetTextDatum(event->id);
	if (platform_query_run(&lock_subscription, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("organization or user does not exist")));
	event->row_id = platform_row_uuid(0, 1);
	if (!platform_row_bool(0, 2))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("subscription belongs to another customer")));
	if (event->tier == NULL)
		event->tier = platform_row_cstring(0, 3);
	last_at = platform_row_timestamptz_or(0, 4, DT_NOBEGIN);
	seen = platform_row_bool(0, 6);
	if (event->created == last_at && seen)
		event->reason = "DUPLICATE";
	else if (event->created < last_at ||
			 (event->created == last_at && event->rank < platform_row_int32(0, 5)))
		event->reason = "STALE";
}

static void
update_row(const SubscriptionEvent *event)
{
	Datum		values[14];
	bool		nulls[14] = {false};

	values[0] = UUIDPGetDatum(&event->row_id);
	values[1] = UUIDPGetDatum(&event->organization);
	values[2] = CStringGetTextDatum(event->status);
	values[3] = text_or_null(event->customer, &nulls[3]);
	values[4] = text_or_null(event->tier, &nulls[4]);
	values[5] = time_or_null(event->start, &nulls[5]);
	values[6] = time_or_null(event->end, &nulls[6]);
	values[7] = BoolGetDatum(event->cancel_at_period_end);
	values[8] = time_or_null(event->cancel_at, &nulls[8]);
	values[9] = time_or_null(event->canceled_at, &nulls[9]);
	values[10] = time_or_null(event->ended_at, &nulls[10]);
	values[11] = TimestampTzGetDatum(event->created);
	values[12] = CStringGetTextDatum(event->id);
	values[13] = Int32GetDatum(event->rank);
	platform_query_run(&update_subscription, values, nulls);
}

/*
 * The customer's limits.
 */

/* Months where the length is that of months, else days and the rest. */
static void
step_of(TimestampTz start, TimestampTz end, Interval *step)
{
	int64		days = (end - start) / USECS_PER_DAY;
	int64		months = (days * 12 + 182) / 365;
	int64		off = days * 12 - months * 365;

	memset(step, 0, sizeof(Interval));
	if (months > 0 && off >= -36 && off <= 36)
		step->month = months;
	else
	{
		step->day = days;
		step->time = end - start - days * USECS_PER_DAY;
	}
}

/* Periods continue as the subscription's do. */
static void
follow(UsageLimits *limits, const SubscriptionEvent *event)
{
	TimestampTz anchors[3] = {event->anchor, limits->anchor, event->start};

	limits->timezone = "UTC";
	step_of(event->start, event->end, &limits->step);
	for (int i = 0; i < lengthof(anchors); i++)
	{
		limits->anchor = anchors[i];
		if (anchors[i] != DT_NOEND &&
			platform_caps_next_end(limits, event->start) == event->end &&
			platform_caps_last_end(limits, event->start) == event->start)
			return;
	}
	limits->anchor = event->end;
}

/*
 * The present period becomes the subscription's. One that began less than half a
 * period away is the same one: our clock, or the provider's, was ahead.
 */
static void
take_period(UsageLimits *limits, SubscriptionEvent *event)
{
	TimestampTz end;

	if (event->start == DT_NOEND)
		return;
	follow(limits, event);
	if (event->start > limits->now)
		end = event->start;		/* the one after the present one */
	else
	{
		if (event->start - limits->period_start > (event->end - event->start) / 2)
			event->closes = platform_caps_begin_period(limits, limits->now, &event->closed);
		end = event->end;
	}
	/* A period that is over already does not end now, again and again. */
	limits->period_end = end > limits->now ? end : platform_caps_next_end(limits, limits->now);
}

static void
end_now(UsageLimits *limits, SubscriptionEvent *event)
{
	limits->has_subscription = false;
	if (limits->plan != PLAN_ACTIVE)
		return;
	limits->plan_ends_at = limits->now;
	event->closes = platform_caps_begin_period(limits, limits->now, &event->closed);
	if (!event->closes)
		platform_caps_end_plan(limits);
}

/* Does the plan come from this subscription, or shall it? */
static bool
leads(const UsageLimits *limits, const SubscriptionEvent *event)
{
	Datum		values[2];
	bool		other;

	if (!limits->has_subscription || platform_uuid_equal(&limits->subscription, &event->row_id))
		return true;
	values[0] = UUIDPGetDatum(&limits->subscription);
	values[1] = UUIDPGetDatum(&event->organization);
	platform_query_begin();
	other = platform_query_run(&find_other, values, NULL) > 0 &&
		platform_row_timestamptz_or(0, 1, DT_NOBEGIN) >= event->start;
	platform_query_end();
	return !other;
}

static bool
apply_body(UsageChange *change, void *arg)
{
	SubscriptionEvent *event = arg;
	UsageLimits *limits = &change->limits;
	const UsageTier *tier;

	event->changed = event->new_tier = event->closes = false;
	if (!event->alive)
	{
		event->changed = limits->has_subscription &&
			platform_uuid_equal(&limits->subscription, &event->row_id);
		if (event->changed)
			end_now(limits, event);
		return event->changed;
	}
	if (!leads(limits, event))
		return false;

	tier = platform_caps_find_tier(event->tier);
	if (tier == NULL)
		elog(ERROR, "tier \"%s\" has gone", event->tier);
	event->changed = true;
	limits->has_subscription = true;
	limits->subscription = event->row_id;

	/* What was used before there was a plan stays in a period of its own. */
	if (limits->plan != PLAN_ACTIVE &&
		(limits->plan == PLAN_ENDED || limits->used[USAGE_CALL] > 0 || limits->used[USAGE_SMS] > 0))
		event->closes = platform_caps_begin_period(limits, limits->now, &event->closed);
	take_period(limits, event);
	if (!platform_caps_has_tier(limits, tier))
	{
		event->new_tier = true;
		if (limits->plan == PLAN_ACTIVE)
			platform_caps_change_tier(limits, tier, false);
		else
			platform_caps_begin_plan(limits, tier, limits->period_start);
	}
	limits->plan_ends_at = event->cancel_at_period_end && event->end != DT_NOEND ? event->end :
		event->cancel_at;
	if (limits->plan_ends_at > limits->now)
		limits->period_end = Min(limits->period_end, limits->plan_ends_at);
	return true;
}

static void
apply_event(SubscriptionEvent *event, UsageChange *change)
{
	if (event->alive)
	{
		const TimestampTz *start = event->start != DT_NOEND &&
			event->start <= GetCurrentTimestamp() && event->end > GetCurrentTimestamp() ?
			&event->start : NULL;

		(void) platform_caps_create(&event->organization, &event->user, start, NULL);
	}
	platform_caps_open(change);
	if (!platform_caps_change(change, &event->organization, &event->user, false, apply_body, event))
		memset(&change->limits, 0, sizeof(UsageLimits));
	else if (event->changed)
	{
		platform_caps_write_periods(&event->closed, event->closes ? 1 : 0, &change->limits);
		if (event->new_tier)
			platform_caps_write_tier_change(&change->limits, "subscription");
	}
	platform_caps_close(change);
}

static Datum
answer(FunctionCallInfo fcinfo, const SubscriptionEvent *event, const UsageLimits *limits)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false};
	bool		known = event->reason == NULL && limits->period_end != 0;

	values[0] = BoolGetDatum(event->reason == NULL);
	values[1] = CStringGetTextDatum(event->reason == NULL ? "OK" : event->reason);
	values[2] = text_or_null(event->status, &nulls[2]);
	values[3] = text_or_null(known ? limits->tier : NULL, &nulls[3]);
	values[4] = text_or_null(known ? platform_caps_plan_name(limits->plan) : NULL, &nulls[4]);
	nulls[5] = nulls[6] = !known;
	values[5] = TimestampTzGetDatum(limits->period_start);
	values[6] = TimestampTzGetDatum(limits->period_end);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * platform.apply_subscription_event(organization_id uuid, user_id uuid, event jsonb)
 *		RETURNS (applied boolean, reason text, status text, current_tier text,
 *				 plan_status text, period_start timestamptz, period_end timestamptz)
 *
 * An event of Stripe, customer.subscription.created, .updated or .deleted, as its
 * webhook delivers it. Of several the newest counts (created): another one is
 * STALE, the same one DUPLICATE, one of another type IGNORED. Trialing, active and
 * past_due subscriptions give their tier (metadata.tier of the subscription, or of its
 * price, or the price's lookup_key) and their period; with cancel_at_period_end, or
 * at cancel_at, the caps end with it. Any other status ends the plan now: caps,
 * rollover and grace are gone, what was bought stays. Operators. Errors: 42501;
 * 22004; 22023 malformed event; PT404 no such organization or user; PT409 another
 * customer's subscription; PT422 no such tier; 25006.
 */
Datum
platform_apply_subscription_event(PG_FUNCTION_ARGS)
{
	SubscriptionEvent event = {0};
	UsageChange change = {0};
	MemoryContext context = CurrentMemoryContext;	/* outlives the queries */
	Jsonb	   *json;

	platform_require_operator("apply a subscription event");
	platform_require_module(&platform_caps_module);
	event.organization = *platform_caps_uuid(fcinfo, 0, "organization_id");
	event.user = *platform_caps_uuid(fcinfo, 1, "user_id");
	platform_require_argument(fcinfo, 2, "event");
	json = PG_GETARG_JSONB_P(2);

	platform_query_begin();
	if (parse_event(json, &event))
	{
		lock_row(&event);
		if (event.reason == NULL)
		{
			const UsageTier *tier = event.tier != NULL ? platform_caps_find_tier(event.tier) : NULL;

			if (tier == NULL && event.alive)
				ereport(ERROR,
						(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
						 errmsg("event names no tier of usage_tiers")));
			if (tier != NULL)
				event.tier = MemoryContextStrdup(context, tier->name);
			update_row(&event);
		}
	}
	platform_query_end();
	if (event.reason == NULL)
		apply_event(&event, &change);
	return answer(fcinfo, &event, &change.limits);
}
