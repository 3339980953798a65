/*
 * apply.c
 *	  What follows for referrers from what their customers did: apply_referral_events().
 *
 * One worker at a time, so that what a customer did is applied in its order, and the
 * mutexes of referrers are never wanted crosswise. Each row is applied once: it is marked in
 * the same transaction.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_apply_referral_events);

#define IS	" OPERATOR(pg_catalog.=) "

/* A row of the outbox. */
typedef struct ReferralEvent
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	pg_uuid_t	user;
	char	   *kind;
	char	   *key;
	Datum		code;
	Datum		ip;
	int64		amount;
	char	   *subscription;	/* NULL: none */
	bool		has_ip;
	bool		program_active;
	TimestampTz occurred_at;
	pg_uuid_t	referral;		/* of a signup */
} ReferralEvent;

static ReferralEvent
read_event(uint64 row)
{
	ReferralEvent event = {0};
	bool		isnull;

	event.id = platform_row_uuid(row, 1);
	event.organization = platform_row_uuid(row, 2);
	event.user = platform_row_uuid(row, 3);
	event.kind = platform_row_cstring(row, 4);
	event.key = platform_row_cstring(row, 5);
	event.code = platform_row_datum_copy(row, 6, &isnull);
	event.ip = platform_row_datum_copy(row, 7, &isnull);
	event.has_ip = !isnull;
	event.amount = platform_row_int64_or(row, 8, 0);
	event.subscription = platform_row_cstring(row, 9);
	event.program_active = platform_row_bool(row, 10);
	event.occurred_at = platform_row_timestamptz_or(row, 11, REFERRAL_NEVER);
	if (strcmp(event.kind, "signup") == 0)
		event.referral = platform_row_uuid(row, 12);
	return event;
}

/* The referral that the user came with, locked; false when there is none. */
static bool
find_referral(const pg_uuid_t *user, Referral *referral)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT organization_id, id FROM platform.referrals WHERE referred_id" IS "$1",
					   UUIDOID);
	Datum		value = UUIDPGetDatum(user);
	pg_uuid_t	organization;
	pg_uuid_t	id;

	if (platform_query_run(&find, &value, NULL) == 0)
		return false;
	organization = platform_row_uuid(0, 1);
	id = platform_row_uuid(0, 2);
	return platform_referral_find(&organization, &id, referral);
}

static const char *
apply_signup(const ReferralEvent *event, const ReferralSettings *settings)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referrals (id, organization_id, referrer_id, referred_id,"
					   " referred_organization_id, referral_code, signup_ip, signup_at)"
					   " SELECT $1, c.organization_id, c.user_id, $2, $3, c.code, $5, $6"
					   " FROM platform.referral_codes c WHERE c.code" IS "$4"
					   " AND c.user_id OPERATOR(pg_catalog.<>) $2 ON CONFLICT (referred_id) DO NOTHING",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, INETOID, TIMESTAMPTZOID);
	Datum		values[6] = {
		UUIDPGetDatum(&event->referral), UUIDPGetDatum(&event->user), UUIDPGetDatum(&event->organization),
		event->code, event->ip, TimestampTzGetDatum(event->occurred_at)
	};
	bool		nulls[6] = {false, false, false, false, !event->has_ip, false};
	Referral	referral;

	if (!platform_insert_once(&insert, values, nulls))
		return find_referral(&event->user, &referral) ? "ALREADY_REFERRED" : "CODE_IS_GONE";
	if (!find_referral(&event->user, &referral))
		elog(ERROR, "referral is gone");
	platform_referral_emit(&referral, "referral.created", 0, NULL);
	platform_referral_assess(&referral, settings);
	return "REFERRED";
}

/* The first payment begins the hold. */
static void
begin_hold(Referral *referral, const ReferralSettings *settings, TimestampTz paid_at)
{
	static PlatformQuery begin =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET first_payment_at = $3, eligible_at = $4"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	Datum		values[4];

	referral->first_payment_at = paid_at;
	referral->eligible_at = paid_at + settings->hold_days * USECS_PER_DAY;
	values[0] = UUIDPGetDatum(&referral->organization);
	values[1] = UUIDPGetDatum(&referral->id);
	values[2] = TimestampTzGetDatum(referral->first_payment_at);
	values[3] = TimestampTzGetDatum(referral->eligible_at);
	platform_query_run(&begin, values, NULL);
}

static const char *
apply_payment(const ReferralEvent *event, const ReferralSettings *settings, Referral *referral)
{
	bool		first = referral->first_payment_at == REFERRAL_NEVER;
	int64		earned;

	if (!event->program_active)
		return "PROGRAM_OFF";
	if (!platform_referral_is_open(referral))
		return "REFERRAL_IS_CLOSED";
	if (event->amount == 0)
		return "NOTHING_PAID";
	if (first)
		begin_hold(referral, settings, event->occurred_at);
	platform_referral_assess(referral, settings);
	if (!platform_referral_is_open(referral))
		return "REFERRAL_IS_CLOSED";
	earned = platform_referral_earn(referral, settings, event->key, event->subscription,
									event->amount, event->occurred_at, first);
	if (earned == 0)
		return "NOTHING_EARNED";
	platform_referral_emit(referral, "referral.commission_earned", earned, NULL);
	platform_referral_release(referral, settings, GetCurrentTimestamp());
	return "EARNED";
}

static const char *
apply_cancellation(const ReferralEvent *event, const ReferralSettings *settings, Referral *referral)
{
	TimestampTz since = referral->first_payment_at == REFERRAL_NEVER ? referral->signup_at :
		referral->first_payment_at;

	if (!platform_referral_is_open(referral))
		return "REFERRAL_IS_CLOSED";
	platform_referral_close(referral, "cancelled", "the customer left");
	if (event->occurred_at - since <= settings->fraud_quick_cancel_days * USECS_PER_DAY)
		platform_referral_add_signal(referral, "quick_cancel");
	platform_referral_assess(referral, settings);
	return "CANCELLED";
}

static void
tell_of_clawback(const Referral *referral, const char *kind, int64 amount)
{
	bool		dispute = strcmp(kind, "dispute") == 0;
	PlatformAlert alert = {
		.severity = dispute ? "critical" : "warning",
		.type = "referral_clawback",
		.organization = &referral->organization,
		.user = &referral->referrer,
		.title = dispute ? "A referred customer disputes a payment" :
		"A referred customer got a payment back",
		.message = psprintf("Commissions of " INT64_FORMAT " cents are clawed back.", amount),
		.dedup_key = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&referral->id))),
		.source = "referrals",
	};

	platform_alert_raise(&alert, NULL);
}

static const char *
apply_refund(const ReferralEvent *event, const ReferralSettings *settings, Referral *referral)
{
	bool		again = platform_referral_is(referral, "clawed_back");
	int64		amount = 0;

	if (!again)
		amount = platform_referral_close(referral, "clawed_back", event->kind);
	if (again && strcmp(event->kind, "refund") == 0)
		return "REFERRAL_IS_CLOSED";
	tell_of_clawback(referral, event->kind, amount);
	platform_referral_add_signal(referral, "refunded");
	platform_referral_assess(referral, settings);
	return "CLAWED_BACK";
}

static const char *
apply_event(const ReferralEvent *event, const ReferralSettings *settings)
{
	Referral	referral;

	if (strcmp(event->kind, "signup") == 0)
		return apply_signup(event, settings);
	if (!find_referral(&event->user, &referral))
		return "NOT_REFERRED";
	if (strcmp(event->kind, "payment") == 0)
		return apply_payment(event, settings, &referral);
	if (strcmp(event->kind, "cancellation") == 0)
		return apply_cancellation(event, settings, &referral);
	return apply_refund(event, settings, &referral);
}

static void
mark_applied(const ReferralEvent *event, const char *outcome)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_outbox SET status = CASE WHEN $3" IS "ANY"
					   " (ARRAY['REFERRED', 'EARNED', 'CANCELLED', 'CLAWED_BACK']) THEN 'applied' ELSE 'ignored' END,"
					   " outcome = $3, applied_at = pg_catalog.now()"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3] = {
		UUIDPGetDatum(&event->organization), UUIDPGetDatum(&event->id), CStringGetTextDatum(outcome)
	};

	platform_query_run(&mark, values, NULL);
}

/*
 * platform.apply_referral_events(max_rows integer DEFAULT 100) RETURNS integer
 *
 * Does what follows for referrers from the oldest rows of referral_outbox that are queued,
 * at most max_rows, 1 to 1000; returns how many there were. A job: until it returns less
 * than that. One at a time: a second one waits for the first one's transaction. Operators.
 * Errors: 22004; 22023; 42501; 25006.
 */
Datum
platform_apply_referral_events(PG_FUNCTION_ARGS)
{
	static PlatformQuery queued =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT id, organization_id, user_id, kind, event_key, referral_code, signup_ip,"
					   " amount_cents, stripe_subscription_id, program_active, occurred_at, referral_id"
					   " FROM platform.referral_outbox WHERE status" IS "'queued' ORDER BY id LIMIT $1",
					   INT8OID);
	ReferralSettings settings;
	MemoryContext context;
	MemoryContext caller;
	ReferralEvent *events;
	Datum		limit;
	uint64		count;

	platform_require_module(&platform_referrals_module);
	platform_require_operator("apply referral events");
	limit = Int64GetDatum(platform_count_argument(fcinfo, 0, "max_rows", REFERRAL_BATCH_MOST));
	platform_query_begin();
	platform_referral_lock_worker();
	platform_referral_read_settings(&settings);
	count = platform_query_run(&queued, &limit, NULL);
	events = palloc(sizeof(ReferralEvent) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		events[i] = read_event(i);
	context = AllocSetContextCreate(CurrentMemoryContext, "platform referral event", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* so that the results of its queries are freed with it */
		platform_query_begin();
		mark_applied(&events[i], apply_event(&events[i], &settings));
		platform_query_end();
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	platform_query_end();
	PG_RETURN_INT32(count);
}
