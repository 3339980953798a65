/*
 * reserve.c
 *	  Usage held before it is known: reserve, then commit or release.
 *
 * A reservation counts at once. Its end is settled exactly once, by whoever
 * changes its status from open: a commit, a release, the sweeper, or the
 * counter itself when it meets one whose time is over. The first three change
 * the reservation, then the counter's root; the last holds the root and skips
 * reservations that somebody holds. So nobody waits in a circle.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/row.h"
#include "core/try.h"
#include "core/uuid7.h"
#include "features/usage.h"

#define RESERVE_DAYS_MAX 31

PG_FUNCTION_INFO_V1(platform_reserve_feature);
PG_FUNCTION_INFO_V1(platform_commit_feature);
PG_FUNCTION_INFO_V1(platform_release_feature);
PG_FUNCTION_INFO_V1(platform_sweep_feature_reservations);

static PlatformQuery find_reservation_by_key =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, amount, expires_at FROM platform.feature_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find_event_by_key =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.feature_usage_events"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery insert_reservation =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.feature_reservations"
				   " (id, organization_id, feature, amount, idempotency_key, period_start, day, expires_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
				   " ON CONFLICT DO NOTHING",
				   UUIDOID, UUIDOID, TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT2OID,
				   TIMESTAMPTZOID);

static PlatformQuery find_reservation =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT feature, amount, status, committed, period_start, day::integer,"
				   " expires_at, created_at, idempotency_key, " USAGE_STORED_ANSWER
				   " FROM platform.feature_reservations"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

/* Whoever changes the status settles the reservation. */
static PlatformQuery change_status =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.feature_reservations"
				   " SET status = $4, committed = $5, settled_at = pg_catalog.clock_timestamp()"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) $3",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT8OID);

static PlatformQuery store_answer =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.feature_reservations SET answer = $3::pg_catalog.jsonb"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID);

static PlatformQuery claim_expired =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.feature_reservations AS r"
				   " SET status = 'expired', settled_at = pg_catalog.clock_timestamp()"
				   " FROM (SELECT id, organization_id FROM platform.feature_reservations"
				   " WHERE status OPERATOR(pg_catalog.=) 'open'"
				   " AND expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
				   " ORDER BY organization_id, feature, period_start LIMIT $1"
				   " FOR UPDATE SKIP LOCKED) AS due"
				   " WHERE r.id OPERATOR(pg_catalog.=) due.id"
				   " AND r.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " RETURNING r.organization_id, r.feature, r.period_start, r.day::integer, r.amount",
				   INT8OID);

typedef struct Reservation
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	Datum		feature;
	int64		amount;
	char	   *status;
	int64		committed;
	TimestampTz period_start;
	int			day;
	TimestampTz expires_at;
	TimestampTz created_at;
	text	   *key;
	UsageAnswer answer;			/* of its commit */
} Reservation;

static bool
has_status(const Reservation *reservation, const char *status)
{
	return strcmp(reservation->status, status) == 0;
}

/* PT404 when the organization has no such reservation. */
static void
read_reservation(const pg_uuid_t *organization, const pg_uuid_t *id, Reservation *reservation)
{
	Datum		values[2] = {UUIDPGetDatum(id), UUIDPGetDatum(organization)};
	bool		isnull;
	Datum		key;

	reservation->id = *id;
	reservation->organization = *organization;
	platform_query_begin();
	if (platform_query_run(&find_reservation, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no such reservation")));
	reservation->feature = platform_row_datum_copy(0, 1, &isnull);
	reservation->amount = platform_row_int64(0, 2);
	reservation->status = platform_row_cstring(0, 3);
	reservation->committed = platform_row_int64_or(0, 4, 0);
	reservation->period_start = platform_row_timestamptz_or(0, 5, 0);
	reservation->day = platform_row_int32(0, 6);
	reservation->expires_at = platform_row_timestamptz_or(0, 7, 0);
	reservation->created_at = platform_row_timestamptz_or(0, 8, 0);
	key = platform_row_datum_copy(0, 9, &isnull);
	reservation->key = isnull ? NULL : DatumGetTextPP(key);
	platform_usage_stored_answer(10, &reservation->answer);
	platform_query_end();
}

/* False when the status is no longer the one that was read. */
static bool
set_status(const Reservation *reservation, const char *status, int64 committed)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	bool		changed;

	values[0] = UUIDPGetDatum(&reservation->id);
	values[1] = UUIDPGetDatum(&reservation->organization);
	values[2] = CStringGetTextDatum(reservation->status);
	values[3] = CStringGetTextDatum(status);
	values[4] = Int64GetDatum(committed);
	nulls[4] = committed == 0;
	platform_query_begin();
	changed = platform_query_run(&change_status, values, nulls) > 0;
	platform_query_end();
	return changed;
}

/* Gives the units back to the counter; the status has just been changed. */
static void
free_units(const pg_uuid_t *organization, Datum feature, TimestampTz period_start, int day,
		   int64 amount)
{
	CounterChange change = {.used = -amount, .reserved = -amount, .day = day};

	platform_counter_adjust(organization, feature, period_start, &change);
}

static int64
reserve_ttl(FunctionCallInfo fcinfo, int argument)
{
	platform_usage_not_null(fcinfo, argument, "ttl");
	return platform_require_interval(fcinfo, argument, "ttl", false, RESERVE_DAYS_MAX);
}

/* The reservation that was made when the key came first. */
static bool
find_first_reservation(const Counter *counter, text *key, pg_uuid_t *id, TimestampTz *expires_at)
{
	Datum		values[3] = {
		UUIDPGetDatum(&counter->organization), counter->feature, PointerGetDatum(key)
	};
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_reservation_by_key, values, NULL) > 0;
	if (found)
	{
		if (platform_row_int64(0, 2) != counter->amount)
			platform_usage_key_conflict("The amount differs.");
		*id = platform_row_uuid(0, 1);
		*expires_at = platform_row_timestamptz_or(0, 3, 0);
	}
	else if (platform_query_run(&find_event_by_key, values, NULL) > 0)
		platform_usage_key_conflict("It belongs to an event.");
	platform_query_end();
	return found;
}

static bool
record_reservation(const Counter *counter, const pg_uuid_t *id, text *key)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&counter->organization);
	values[2] = counter->feature;
	values[3] = Int64GetDatum(counter->amount);
	values[4] = PointerGetDatum(key);
	nulls[4] = key == NULL;
	values[5] = TimestampTzGetDatum(counter->period.month_start);
	values[6] = Int16GetDatum(counter->period.day);
	values[7] = TimestampTzGetDatum(counter->expires_at);
	return platform_insert_once(&insert_reservation, values, nulls);
}

/* Counts and records; answer->duplicate when the key was there before. */
static void
reserve(Counter *counter, text *key, pg_uuid_t *id, UsageAnswer *answer)
{
	bool		duplicate = false;
	bool		refused = false;

	for (;;)
	{
		if (key != NULL && find_first_reservation(counter, key, id, &counter->expires_at))
		{
			duplicate = true;
			platform_counter_totals(counter);
			counter->allowed = true;
			counter->consumed = counter->amount;
			break;
		}
		if (refused || !counter->terms.enabled)
			break;
		platform_counter_consume(counter);
		if (!counter->allowed)
		{
			/* What took the last units may have been this very key. */
			refused = true;
			continue;
		}
		platform_make_uuid7(id);
		if (record_reservation(counter, id, key))
		{
			platform_usage_announce(counter);
			break;
		}
		platform_counter_undo(counter);
	}
	platform_usage_answer(counter, answer);
	answer->allowed = counter->allowed;
	answer->duplicate = duplicate;
}

/*
 * platform.reserve_feature(organization_id uuid, feature text, amount bigint DEFAULT 1,
 *							ttl interval DEFAULT '5 minutes', idempotency_key text DEFAULT NULL)
 *		RETURNS (reservation_id uuid, allowed boolean, reason text, expires_at timestamptz,
 *				 used bigint, usage_limit bigint, remaining bigint, state text, period text,
 *				 resets_at timestamptz, duplicate boolean)
 *
 * Holds amount units of the current day and month, all or nothing, until
 * commit_feature(), release_feature() or expires_at (elapsed time from now, at
 * most 31 days). reservation_id and expires_at are NULL when it is not allowed. With a
 * key a repeated call returns the same reservation. Members for their own
 * organization, operators for any. Errors: 42501; 22023 bad argument; PT409
 * the key was used for something else; 25006.
 */
Datum
platform_reserve_feature(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	text	   *feature = platform_usage_feature(fcinfo, 1);
	int64		amount = platform_usage_amount(fcinfo, 2);
	int64		ttl = reserve_ttl(fcinfo, 3);
	text	   *key = platform_usage_key(fcinfo, 4);
	Counter		counter;
	UsageAnswer answer;
	pg_uuid_t	id;
	Datum		all[USAGE_ANSWER_COLUMNS];
	bool		all_nulls[USAGE_ANSWER_COLUMNS];
	Datum		values[11];
	bool		nulls[11] = {false};

	platform_require_module(&platform_features_module);
	platform_require_organization(organization);
	platform_counter_prepare(&counter, organization, feature,
							 GetCurrentTransactionStartTimestamp());
	counter.amount = amount;
	counter.reserve = true;
	counter.expires_at = GetCurrentTimestamp() + ttl;
	reserve(&counter, key, &id, &answer);

	platform_usage_answer_datums(&answer, all, all_nulls);
	values[0] = UUIDPGetDatum(&id);
	nulls[0] = nulls[3] = !answer.allowed;
	values[1] = all[0];
	values[2] = all[2];
	values[3] = TimestampTzGetDatum(counter.expires_at);
	for (int i = 0; i < 3; i++)
	{
		/* used, usage_limit, remaining; state, period, resets_at */
		values[4 + i] = all[3 + i];
		nulls[4 + i] = all_nulls[3 + i];
		values[7 + i] = all[7 + i];
		nulls[7 + i] = all_nulls[7 + i];
	}
	values[10] = BoolGetDatum(answer.duplicate);
	PG_RETURN_DATUM(platform_usage_return(fcinfo, values, nulls));
}

typedef struct Commit
{
	Reservation *reservation;
	int64		amount;
	CounterAtLimit at_limit;
	bool		again;			/* the reservation changed meanwhile */
	UsageAnswer answer;
} Commit;

/*
 * The counter that the amount goes to: the reservation's own window while it
 * holds, today's afterwards. What is held is counted even if the feature was
 * switched off meanwhile; what exceeds it then finds no room.
 */
static void
prepare_commit(const Commit *commit, bool held, TimestampTz at, Counter *counter)
{
	const Reservation *reservation = commit->reservation;

	platform_counter_prepare(counter, &reservation->organization,
							 DatumGetTextPP(reservation->feature), at);
	counter->amount = commit->amount;
	counter->at_limit = commit->at_limit;
	counter->want_totals = true;
	counter->keyed = true;
	if (!held)
		return;
	counter->held = reservation->amount;
	counter->period.month_start = reservation->period_start;
	counter->period.day = reservation->day;
	if (!counter->terms.enabled)
	{
		counter->terms.enabled = true;
		counter->limit[COUNTER_MONTH] = counter->limit[COUNTER_DAY] = 0;
	}
}

/* The event of a commit: under the reservation's key, unless something else has it. */
static void
record_commit(const Commit *commit, const Counter *counter, TimestampTz at)
{
	UsageEvent	event = {
		.organization = &counter->organization,
		.feature = counter->feature,
		.kind = "commit",
		.key = commit->reservation->key,
		.amount = commit->amount,
		.consumed = counter->consumed,
		.overage = counter->overage,
		.period_start = counter->period.month_start,
		.day = counter->period.day,
		.occurred_at = at,
	};
	Datum		values[3];

	event.answer = platform_usage_answer_json(&commit->answer);
	if (!platform_usage_record(&event))
	{
		event.key = NULL;
		platform_usage_record(&event);
	}

	values[0] = UUIDPGetDatum(&commit->reservation->id);
	values[1] = UUIDPGetDatum(&commit->reservation->organization);
	values[2] = CStringGetTextDatum(event.answer);
	platform_query_begin();
	platform_query_run(&store_answer, values, NULL);
	platform_query_end();
}

/* True when it counted; false, to be rolled back, when refused or to begin again. */
static bool
commit_body(void *arg)
{
	Commit	   *commit = arg;
	Reservation *reservation = commit->reservation;
	bool		open = has_status(reservation, "open");
	bool		held = open && reservation->expires_at > GetCurrentTimestamp();
	TimestampTz at = held ? reservation->created_at : GetCurrentTransactionStartTimestamp();
	Counter		counter;

	commit->again = !set_status(reservation, "committed", commit->amount);
	if (commit->again)
		return false;
	if (open && !held)
		free_units(&reservation->organization, reservation->feature,
				   reservation->period_start, reservation->day, reservation->amount);

	prepare_commit(commit, held, at, &counter);
	if (counter.terms.enabled)
		platform_counter_consume(&counter);
	platform_usage_answer(&counter, &commit->answer);
	if (!commit->answer.allowed)
		return false;
	record_commit(commit, &counter, at);
	platform_usage_announce(&counter);
	return true;
}

/*
 * platform.commit_feature(organization_id uuid, reservation_id uuid, amount bigint DEFAULT NULL,
 *						   at_limit text DEFAULT 'overflow')
 *		RETURNS the columns of consume_feature()
 *
 * Turns a reservation into consumption of amount units (NULL: what was
 * reserved); what was held and is not needed is free again, what is needed
 * beyond it is consumed in the reservation's window, as at_limit says. After
 * expiry it is an ordinary consumption of today. A repeated call returns the
 * first answer with duplicate = true. Members for their own organization,
 * operators for any. Errors: 42501; 22023; PT404 no such reservation; PT409
 * it was released, or committed with another amount; 25006.
 */
Datum
platform_commit_feature(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	int64		amount = PG_ARGISNULL(2) ? 0 : platform_usage_amount(fcinfo, 2);
	Commit		commit = {.at_limit = platform_usage_at_limit(fcinfo, 3)};
	Reservation reservation;
	Datum		values[USAGE_ANSWER_COLUMNS];
	bool		nulls[USAGE_ANSWER_COLUMNS];

	platform_require_module(&platform_features_module);
	platform_usage_not_null(fcinfo, 1, "reservation_id");
	platform_require_organization(organization);

	do
	{
		read_reservation(organization, PG_GETARG_UUID_P(1), &reservation);
		commit.reservation = &reservation;
		commit.amount = amount != 0 ? amount : reservation.amount;
		if (has_status(&reservation, "released"))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("reservation was released")));
		if (has_status(&reservation, "committed"))
		{
			if (reservation.committed != commit.amount)
				ereport(ERROR,
						(errcode(ERRCODE_PLATFORM_WRONG_STATE),
						 errmsg("reservation was committed with another amount")));
			commit.answer = reservation.answer;
			break;
		}
	} while (!platform_subtransaction(commit_body, &commit) && commit.again);

	platform_usage_answer_datums(&commit.answer, values, nulls);
	PG_RETURN_DATUM(platform_usage_return(fcinfo, values, nulls));
}

/*
 * platform.release_feature(organization_id uuid, reservation_id uuid) RETURNS boolean
 *
 * Gives a reservation's units back. True when this call did; false when it
 * was released or has expired before. Members for their own organization,
 * operators for any. Errors: 42501; 22023 NULL; PT404 no such reservation;
 * PT409 it was committed; 25006.
 */
Datum
platform_release_feature(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	Reservation reservation;
	bool		expired;

	platform_require_module(&platform_features_module);
	platform_usage_not_null(fcinfo, 1, "reservation_id");
	platform_require_organization(organization);

	for (;;)
	{
		read_reservation(organization, PG_GETARG_UUID_P(1), &reservation);
		if (has_status(&reservation, "committed"))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("reservation was committed")));
		if (!has_status(&reservation, "open"))
			PG_RETURN_BOOL(false);
		expired = reservation.expires_at <= GetCurrentTimestamp();
		if (set_status(&reservation, expired ? "expired" : "released", 0))
			break;
	}
	free_units(organization, reservation.feature, reservation.period_start, reservation.day,
			   reservation.amount);
	PG_RETURN_BOOL(!expired);
}

/*
 * platform.sweep_feature_reservations(batch integer DEFAULT 1000) RETURNS bigint
 *
 * Settles reservations whose time is over, at most batch of them, and returns
 * how many. Tidies only: limits and reports never count expired ones.
 * Operators. Errors: 42501; 22023 batch NULL or below 1.
 */
Datum
platform_sweep_feature_reservations(PG_FUNCTION_ARGS)
{
	Datum		batch;
	uint64		count;
	Reservation *expired;

	platform_require_module(&platform_features_module);
	platform_require_operator("sweep feature reservations");
	if (PG_ARGISNULL(0) || PG_GETARG_INT32(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be greater than zero")));
	batch = Int64GetDatum(PG_GETARG_INT32(0));

	platform_query_begin();
	count = platform_query_run(&claim_expired, &batch, NULL);
	expired = SPI_palloc(Max(count, 1) * sizeof(Reservation));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		expired[i].organization = platform_row_uuid(i, 1);
		expired[i].feature = platform_row_datum_copy(i, 2, &isnull);
		expired[i].period_start = platform_row_timestamptz_or(i, 3, 0);
		expired[i].day = platform_row_int32(i, 4);
		expired[i].amount = platform_row_int64(i, 5);
	}
	platform_query_end();
	for (uint64 i = 0; i < count; i++)
		free_units(&expired[i].organization, expired[i].feature, expired[i].period_start,
				   expired[i].day, expired[i].amount);
	PG_RETURN_INT64((int64) count);
}
