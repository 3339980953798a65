/*
 * late.c
 *	  Events of periods that are over.
 *
 * They count in their own period, whose bill has to be made anew. Had they come
 * in time less would have gone over into the next period, and perhaps from that
 * into the one after it: so the chain of periods is followed as long as something
 * changes, up to the present one. All of it happens under the lock of the
 * customer's row.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/uuid7.h"
#include "usage/record.h"

static PlatformQuery find_snapshot =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT tier_snapshot_id FROM platform.usage_tier_changes"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND effective_from OPERATOR(pg_catalog.<=) $3"
				   " ORDER BY effective_from DESC, id DESC LIMIT 1",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

static PlatformQuery find_period =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, period_start FROM platform.usage_periods"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND CASE WHEN $3 IS NULL THEN period_start OPERATOR(pg_catalog.<=) $4"
				   " AND period_end OPERATOR(pg_catalog.>) $4"
				   " ELSE id OPERATOR(pg_catalog.=) $3 END"
				   " AND closed_at IS NOT NULL ORDER BY period_start DESC LIMIT 1",
				   UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID);

/* Before the first period there was no plan. */
static PlatformQuery insert_period =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_periods"
				   " (id, organization_id, user_id, period_start, period_end, closed_at)"
				   " SELECT $1, $2, $3, $4, LEAST($5, pg_catalog.min(p.period_start)), $6"
				   " FROM platform.usage_periods AS p"
				   " WHERE p.organization_id OPERATOR(pg_catalog.=) $2"
				   " AND p.user_id OPERATOR(pg_catalog.=) $3"
				   " AND p.period_start OPERATOR(pg_catalog.>) $4",
				   UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery closed_periods =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, call_used_seconds, sms_used, call_cap_seconds, sms_cap, call_credit,"
				   " sms_credit, rollover_seconds, rollover_bound"
				   " FROM platform.usage_periods"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND period_start OPERATOR(pg_catalog.>=) $3 AND closed_at IS NOT NULL"
				   " ORDER BY period_start",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

static PlatformQuery update_period =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.usage_periods SET call_used_seconds = $3, sms_used = $4,"
				   " call_credit = $5, sms_credit = $6, rollover_seconds = $7, rebill_at = $8"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID);

bool
platform_caps_snapshot_at(const UsageLimits *limits, TimestampTz at, pg_uuid_t *snapshot)
{
	Datum		values[3] = {
		UUIDPGetDatum(&limits->organization), UUIDPGetDatum(&limits->user), TimestampTzGetDatum(at)
	};
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_snapshot, values, NULL) > 0;
	if (found)
		*snapshot = platform_row_uuid(0, 1);
	platform_query_end();
	return found;
}

/* The start of the period, which is made when there is none. */
static TimestampTz
late_period(const UsageLimits *limits, UsageLate *late)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = UUIDPGetDatum(&limits->organization);
	values[1] = UUIDPGetDatum(&limits->user);
	nulls[2] = late->period == NULL;
	values[2] = UUIDPGetDatum(late->period);
	values[3] = TimestampTzGetDatum(late->at);
	if (platform_query_run(&find_period, values, nulls) > 0)
	{
		late->period_id = platform_row_uuid(0, 1);
		return platform_row_timestamptz_or(0, 2, 0);
	}

	platform_make_uuid7(&late->period_id);
	values[0] = UUIDPGetDatum(&late->period_id);
	values[1] = UUIDPGetDatum(&limits->organization);
	values[2] = UUIDPGetDatum(&limits->user);
	values[3] = TimestampTzGetDatum(platform_caps_last_end(limits, late->at));
	values[4] = TimestampTzGetDatum(platform_caps_next_end(limits, late->at));
	values[5] = TimestampTzGetDatum(limits->now);
	platform_query_run(&insert_period, values, NULL);
	return DatumGetTimestampTz(values[3]);
}

typedef struct ClosedPeriod
{
	pg_uuid_t	id;
	UsageLimits limits;			/* its numbers only */
	int64		bound;
} ClosedPeriod;

static ClosedPeriod *
read_periods(const UsageLimits *limits, TimestampTz start, int *count)
{
	Datum		values[3] = {
		UUIDPGetDatum(&limits->organization), UUIDPGetDatum(&limits->user),
		TimestampTzGetDatum(start)
	};
	ClosedPeriod *periods;

	*count = (int) platform_query_run(&closed_periods, values, NULL);
	periods = palloc0(Max(*count, 1) * sizeof(ClosedPeriod));
	for (int i = 0; i < *count; i++)
	{
		ClosedPeriod *period = &periods[i];

		period->id = platform_row_uuid(i, 1);
		period->limits.used[USAGE_CALL] = platform_row_int64(i, 2);
		period->limits.used[USAGE_SMS] = platform_row_int64(i, 3);
		period->limits.cap[USAGE_CALL] = platform_row_int64(i, 4);
		period->limits.cap[USAGE_SMS] = platform_row_int64(i, 5);
		period->limits.credit[USAGE_CALL] = platform_row_int64(i, 6);
		period->limits.credit[USAGE_SMS] = platform_row_int64(i, 7);
		period->limits.rollover[USAGE_CALL] = platform_row_int64(i, 8);
		period->bound = platform_row_int64(i, 9);
	}
	return periods;
}

static void
write_period(const UsageLimits *limits, const ClosedPeriod *period)
{
	Datum		values[8];

	values[0] = UUIDPGetDatum(&period->id);
	values[1] = UUIDPGetDatum(&limits->organization);
	values[2] = Int64GetDatum(period->limits.used[USAGE_CALL]);
	values[3] = Int64GetDatum(period->limits.used[USAGE_SMS]);
	values[4] = Int64GetDatum(period->limits.credit[USAGE_CALL]);
	values[5] = Int64GetDatum(period->limits.credit[USAGE_SMS]);
	values[6] = Int64GetDatum(period->limits.rollover[USAGE_CALL]);
	values[7] = TimestampTzGetDatum(limits->now);
	platform_query_run(&update_period, values, NULL);
}

/* What goes over by now, less what went over. */
static void
add_carry(UsageLimits *limits, const UsageCarry *more)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
		limits->credit[kind] = Max(limits->credit[kind] + more->credit[kind], 0);
	limits->rollover[USAGE_CALL] = Max(limits->rollover[USAGE_CALL] + more->rollover, 0);
}

static bool
is_nothing(const UsageCarry *carry)
{
	return carry->credit[USAGE_CALL] == 0 && carry->credit[USAGE_SMS] == 0 && carry->rollover == 0;
}

void
platform_caps_count_late(UsageLimits *limits, UsageLate *late)
{
	UsageCarry	more = {{0}};
	ClosedPeriod *periods;
	TimestampTz start;
	int			count;

	platform_query_begin();
	start = late_period(limits, late);
	periods = read_periods(limits, start, &count);
	for (int i = 0; i < count; i++)
	{
		ClosedPeriod *period = &periods[i];
		UsageCarry	before;

		if (i > 0 && is_nothing(&more))
			break;
		platform_caps_carry(&period->limits, period->bound, &before);
		if (i == 0)
			period->limits.used[late->kind] = Max(period->limits.used[late->kind] + late->difference, 0);
		add_carry(&period->limits, &more);
		platform_caps_carry(&period->limits, period->bound, &more);
		for (int kind = 0; kind < USAGE_KINDS; kind++)
			more.credit[kind] -= before.credit[kind];
		more.rollover -= before.rollover;
		write_period(limits, period);
	}
	platform_query_end();
	add_carry(limits, &more);
}
