/*
 * reserve.c
 *	  Segments set aside for messages that are about to be sent.
 *
 * A reservation counts at once, and only if there is room: what is refused counts
 * nothing. Its end is settled once, by whoever changes its status from open: a
 * commit, a release, or a later reservation that meets it when its time is over.
 * The first two hold the reservation, then the customer's row; the last holds the
 * customer's row and skips reservations that somebody holds. So nobody waits in a
 * circle.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "usage/record.h"
#include "usage/reserve.h"

PG_FUNCTION_INFO_V1(platform_reserve_sms);
PG_FUNCTION_INFO_V1(platform_commit_sms);
PG_FUNCTION_INFO_V1(platform_release_sms);

#define RESERVE_DAYS_MAX 31

static PlatformQuery insert_reservation =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.sms_reservations"
				   " (id, organization_id, user_id, segments, idempotency_key, expires_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
				   UUIDOID, UUIDOID, UUIDOID, INT8OID, TEXTOID, TIMESTAMPTZOID);

static PlatformQuery delete_reservation =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "DELETE FROM platform.sms_reservations"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery find_by_key =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, user_id, segments, status, expires_at FROM platform.sms_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND (idempotency_key OPERATOR(pg_catalog.=) $2 OR id OPERATOR(pg_catalog.=) $3)",
				   UUIDOID, TEXTOID, UUIDOID);

static PlatformQuery lock_reservation =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT user_id, segments, status, message_id FROM platform.sms_reservations"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"
				   " FOR UPDATE",
				   UUIDOID, UUIDOID);

static PlatformQuery settle_reservation =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.sms_reservations SET status = $3, message_id = $4,"
				   " settled_at = pg_catalog.clock_timestamp()"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery expire_reservations =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "WITH due AS (SELECT id FROM platform.sms_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'open'"
				   " AND expires_at OPERATOR(pg_catalog.<=) $3 FOR UPDATE SKIP LOCKED),"
				   " ended AS (UPDATE platform.sms_reservations AS r"
				   " SET status = 'expired', settled_at = $3 FROM due"
				   " WHERE r.id OPERATOR(pg_catalog.=) due.id"
				   " AND r.organization_id OPERATOR(pg_catalog.=) $1 RETURNING r.segments)"
				   " SELECT COALESCE(pg_catalog.sum(segments), 0)::bigint FROM ended",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

static PlatformQuery open_reservations =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT COALESCE(pg_catalog.sum(segments)"
				   " FILTER (WHERE expires_at OPERATOR(pg_catalog.>) $3), 0)::bigint,"
				   " pg_catalog.min(expires_at) FROM platform.sms_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'open'",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

static void
customer_values(const UsageLimits *limits, Datum *values)
{
	values[0] = UUIDPGetDatum(&limits->organization);
	values[1] = UUIDPGetDatum(&limits->user);
	values[2] = TimestampTzGetDatum(limits->now);
}

int64
platform_caps_open_reservations(const UsageLimits *limits)
{
	Datum		values[3];
	int64		sum;

	customer_values(limits, values);
	platform_query_begin();
	platform_query_run(&open_reservations, values, NULL);
	sum = platform_row_int64(0, 1);
	platform_query_end();
	return sum;
}

/* Ends reservations whose time is over; the customer's row is locked. */
static void
expire(UsageLimits *limits)
{
	Datum		values[3];

	customer_values(limits, values);
	platform_query_begin();
	platform_query_run(&expire_reservations, values, NULL);
	platform_caps_release(limits, platform_row_int64(0, 1));
	platform_query_run(&open_reservations, values, NULL);
	limits->reserved_until = limits->reserved == 0 ? DT_NOEND :
		platform_row_timestamptz_or(0, 2, DT_NOEND);
	platform_query_end();
}

const char *
platform_caps_shortage(const UsageLimits *limits, int64 segments)
{
	return platform_caps_objection(limits, USAGE_SMS, segments, &(const char *) {NULL});
}

static bool
reserve_body(UsageChange *change, void *arg)
{
	UsageReservation *reservation = arg;
	UsageLimits *limits = &change->limits;

	if (limits->reserved > 0 && limits->reserved_until <= limits->now)
	{
		if (platform_caps_wants_lock(change))
			return false;
		expire(limits);
	}
	reservation->reason = platform_caps_shortage(limits, reservation->segments);
	if (reservation->reason == NULL)
	{
		limits->reserved += reservation->segments;
		limits->reserved_until = Min(limits->reserved_until, reservation->expires_at);
	}
	reservation->remaining = platform_caps_remaining(limits, USAGE_SMS);

	/* What was settled above has to be written in any case. */
	return change->locked || reservation->reason == NULL;
}

/* One with that key or id; PT409 when it is for something else. */
static bool
find_first(UsageReservation *reservation)
{
	Datum		values[3];
	bool		nulls[3] = {false};
	pg_uuid_t	user;

	values[0] = UUIDPGetDatum(&reservation->organization);
	nulls[1] = reservation->key == NULL;
	values[1] = PointerGetDatum(reservation->key);
	values[2] = UUIDPGetDatum(&reservation->id);
	if (platform_query_run(&find_by_key, values, nulls) == 0)
		return false;
	user = platform_row_uuid(0, 2);
	if (!platform_uuid_equal(&user, &reservation->user) ||
		platform_row_int64(0, 3) != reservation->segments)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("idempotency key was used for another reservation")));
	reservation->id = platform_row_uuid(0, 1);
	reservation->expires_at = platform_row_timestamptz_or(0, 5, DT_NOEND);
	reservation->duplicate = true;
	if (strcmp(platform_row_cstring(0, 4), "released") == 0)
		reservation->reason = "RELEASED";
	else if (strcmp(platform_row_cstring(0, 4), "committed") != 0 &&
			 reservation->expires_at <= GetCurrentTimestamp())
		reservation->reason = "EXPIRED";
	return true;
}

bool
platform_caps_find_reservation(const pg_uuid_t *organization, const pg_uuid_t *id)
{
	Datum		values[3] = {UUIDPGetDatum(organization), (Datum) 0, UUIDPGetDatum(id)};
	bool		nulls[3] = {false, true, false};
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_by_key, values, nulls) > 0;
	platform_query_end();
	return found;
}

/* Its row; false: it was there before. */
static bool
insert(const UsageReservation *reservation)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = UUIDPGetDatum(&reservation->id);
	values[1] = UUIDPGetDatum(&reservation->organization);
	values[2] = UUIDPGetDatum(&reservation->user);
	values[3] = Int64GetDatum(reservation->segments);
	nulls[4] = reservation->key == NULL;
	values[4] = PointerGetDatum(reservation->key);
	values[5] = TimestampTzGetDatum(reservation->expires_at);
	return platform_query_run(&insert_reservation, values, nulls) > 0;
}

void
platform_caps_reserve(UsageReservation *reservation)
{
	UsageChange change;
	Datum		ids[2] = {
		UUIDPGetDatum(&reservation->id), UUIDPGetDatum(&reservation->organization)
	};

	(void) platform_caps_create(&reservation->organization, &reservation->user, NULL, NULL);
	platform_query_begin();
	if (insert(reservation))
	{
		platform_caps_open(&change);
		(void) platform_caps_change(&change, &reservation->organization, &reservation->user, false,
									reserve_body, reservation);
		platform_caps_close(&change);
		if (reservation->reason != NULL)
			platform_query_run(&delete_reservation, ids, NULL);
	}
	else if (!find_first(reservation))
		elog(ERROR, "reservation of segments is neither new nor there");
	platform_query_end();
}

/*
 * platform.reserve_sms(organization_id uuid, user_id uuid, segments bigint DEFAULT 1,
 *		ttl interval DEFAULT '5 minutes', idempotency_key text DEFAULT NULL)
 *		RETURNS (reservation_id uuid, allowed boolean, reason text, remaining_sms bigint,
 *				 expires_at timestamptz, duplicate boolean)
 *
 * Sets segments aside, all or none, until they are committed, released, or the
 * time is over (at most 31 days). Refused, nothing is counted, and reservation_id
 * is NULL: reasons as in check_usage(). With a key the same reservation is
 * returned again, refused as RELEASED or EXPIRED when it is. Operators. Errors: 42501; 22004; 22023; PT404 no such
 * organization or user; PT409 key used for another reservation; 25006.
 */
Datum
platform_reserve_sms(PG_FUNCTION_ARGS)
{
	UsageReservation reservation = {0};
	Datum		values[6];
	bool		nulls[6] = {false};
	int64		ttl;

	platform_require_operator("reserve messages");
	platform_require_module(&platform_caps_module);
	reservation.organization = *platform_caps_uuid(fcinfo, 0, "organization_id");
	reservation.user = *platform_caps_uuid(fcinfo, 1, "user_id");
	reservation.segments = platform_caps_amount(fcinfo, 2, "segments", 1);
	ttl = platform_require_interval(fcinfo, 3, "ttl", false, RESERVE_DAYS_MAX);
	reservation.key = platform_optional_text(fcinfo, 4, "idempotency_key", 255);
	reservation.expires_at = GetCurrentTimestamp() + ttl;
	platform_make_uuid7(&reservation.id);
	platform_caps_reserve(&reservation);

	nulls[0] = nulls[4] = reservation.reason != NULL;
	values[0] = UUIDPGetDatum(&reservation.id);
	values[1] = BoolGetDatum(reservation.reason == NULL);
	values[2] = CStringGetTextDatum(reservation.reason != NULL ? reservation.reason : "OK");
	nulls[3] = reservation.duplicate;
	values[3] = Int64GetDatum(reservation.remaining);
	values[4] = TimestampTzGetDatum(reservation.expires_at);
	values[5] = BoolGetDatum(reservation.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * Settling.
 */

typedef struct LockedReservation
{
	pg_uuid_t	user;
	int64		segments;
	const char *status;
	const char *message_id;		/* or NULL */
} LockedReservation;

static bool
lock(const pg_uuid_t *organization, const pg_uuid_t *id, LockedReservation *locked)
{
	Datum		values[2] = {UUIDPGetDatum(id), UUIDPGetDatum(organization)};

	if (platform_query_run(&lock_reservation, values, NULL) == 0)
		return false;
	locked->user = platform_row_uuid(0, 1);
	locked->segments = platform_row_int64(0, 2);
	locked->status = platform_row_cstring(0, 3);
	locked->message_id = platform_row_cstring(0, 4);
	return true;
}

static void
settle(const pg_uuid_t *organization, const pg_uuid_t *id, const char *status, text *message_id)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = CStringGetTextDatum(status);
	nulls[3] = message_id == NULL;
	values[3] = PointerGetDatum(message_id);
	platform_query_run(&settle_reservation, values, nulls);
}

bool
platform_caps_commit(const pg_uuid_t *id, UsageReport *report, bool strict)
{
	LockedReservation locked;
	bool		found;
	bool		record;

	platform_query_begin();
	found = record = lock(&report->organization, id, &locked);
	if (found)
	{
		bool		released = strcmp(locked.status, "released") == 0;
		bool		committed = strcmp(locked.status, "committed") == 0;
		bool		other = committed && strcmp(locked.message_id, text_to_cstring(report->key)) != 0;

		if (strict && (released || other))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("reservation was %s",
							released ? "released" : "committed for another message"),
					 errhint("Record what was sent with platform.record_sms_usage().")));
		record = !other;
		report->user = locked.user;
		if (report->amount < 0)
			report->amount = locked.segments;
		if (strcmp(locked.status, "open") == 0)
			report->release = locked.segments;
		if (!committed)
			settle(&report->organization, id, "committed", report->key);
	}
	platform_query_end();
	if (record)
		platform_caps_record(report);
	return found;
}

static bool
release_body(UsageChange *change, void *arg)
{
	platform_caps_release(&change->limits, *(int64 *) arg);
	return true;
}

bool
platform_caps_release_reservation(const pg_uuid_t *organization, const pg_uuid_t *id, bool strict,
								  bool *found)
{
	LockedReservation locked;
	bool		open;
	bool		known;

	platform_query_begin();
	known = lock(organization, id, &locked);
	open = known && strcmp(locked.status, "open") == 0;
	*found = known;
	if (strict && known && strcmp(locked.status, "committed") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("reservation was committed")));
	if (open)
		settle(organization, id, "released", NULL);
	platform_query_end();
	if (open)
	{
		UsageChange change;

		platform_caps_open(&change);
		(void) platform_caps_change(&change, organization, &locked.user, false, release_body,
									&locked.segments);
		platform_caps_close(&change);
	}
	return open;
}

pg_noreturn static void no_reservation(const pg_uuid_t *id);

static void
no_reservation(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("reservation %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))))));
}

/*
 * platform.commit_sms(organization_id uuid, reservation_id uuid, message_id text,
 *		segments bigint DEFAULT NULL, phone_number text DEFAULT NULL,
 *		cost_cents bigint DEFAULT NULL)
 *		RETURNS (id uuid, duplicate boolean, used_segments bigint, remaining_segments bigint,
 *				 limit_state text)
 *
 * The message was sent: records it, as so many segments (NULL: those reserved),
 * and frees what was set aside; also when that is over. It can be repeated. Operators.
 * Errors: 42501; 22004; 22023; PT404 no such reservation; PT409 it was released, or
 * committed for another message; 25006.
 */
Datum
platform_commit_sms(PG_FUNCTION_ARGS)
{
	UsageReport report = {.kind = USAGE_SMS, .amount = -1};
	pg_uuid_t  *id = platform_caps_uuid(fcinfo, 1, "reservation_id");
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_operator("commit messages");
	platform_require_module(&platform_caps_module);
	report.organization = *platform_caps_uuid(fcinfo, 0, "organization_id");
	report.key = platform_required_text(fcinfo, 2, "message_id", 255);
	if (!PG_ARGISNULL(3))
		report.amount = platform_caps_amount(fcinfo, 3, "segments", 0);
	report.phone_number = platform_optional_text(fcinfo, 4, "phone_number", 63);
	report.has_cost = !PG_ARGISNULL(5);
	if (report.has_cost)
		report.cost = platform_caps_amount(fcinfo, 5, "cost_cents", 0);
	report.direction = cstring_to_text("outbound");
	report.at = GetCurrentTimestamp();
	if (!platform_caps_commit(id, &report, true))
		no_reservation(id);

	values[0] = UUIDPGetDatum(&report.id);
	values[1] = BoolGetDatum(report.duplicate);
	values[2] = Int64GetDatum(report.limits.used[USAGE_SMS]);
	values[3] = Int64GetDatum(platform_caps_remaining(&report.limits, USAGE_SMS));
	values[4] = CStringGetTextDatum(platform_caps_state_name(report.limits.state[USAGE_SMS]));
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * platform.release_sms(organization_id uuid, reservation_id uuid) RETURNS boolean
 *
 * The message will not be sent: frees what was set aside. False when it was free
 * before. Operators. Errors: 42501; 22004; PT404 no such reservation; PT409 it was
 * committed; 25006.
 */
Datum
platform_release_sms(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *id = platform_caps_uuid(fcinfo, 1, "reservation_id");
	bool		found;
	bool		released;

	platform_require_operator("release messages");
	platform_require_module(&platform_caps_module);
	released = platform_caps_release_reservation(organization, id, true, &found);
	if (!found)
		no_reservation(id);
	PG_RETURN_BOOL(released);
}
