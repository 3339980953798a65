/*
 * roll.c
 *	  Periods: windows of time, and what goes from one into the next.
 *
 * A period ends at anchor + n * step of the local clock, counted from the anchor
 * and never from another end, so that the last day of a month does not drift.
 * Whoever comes late rolls through all periods in between.
 *
 * A period uses up cap and rollover first, then what was bought. What is left of
 * the former goes over, within a bound; what is left of the latter stays.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/uuid7.h"
#include "usage/limits.h"

/* Of one that was open it makes a closed one, of the new one a row. */
static PlatformQuery write_period =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_periods AS p"
				   " (id, organization_id, user_id, period_start, period_end, tier,"
				   " tier_snapshot_id, plan_status, closed_at,"
				   " call_used_seconds, call_cap_seconds, call_credit, rollover_seconds,"
				   " rollover_bound, grace_seconds, sms_used, sms_cap, sms_credit)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
				   " ($10)[1], ($10)[2], ($10)[3], ($10)[4], ($10)[5], ($10)[6], ($10)[7], ($10)[8],"
				   " ($10)[9])"
				   " ON CONFLICT (id, organization_id) DO UPDATE SET"
				   " period_end = excluded.period_end, tier = excluded.tier,"
				   " tier_snapshot_id = COALESCE(p.tier_snapshot_id, excluded.tier_snapshot_id),"
				   " plan_status = excluded.plan_status,"
				   " closed_at = excluded.closed_at, call_used_seconds = excluded.call_used_seconds,"
				   " call_cap_seconds = excluded.call_cap_seconds, call_credit = excluded.call_credit,"
				   " rollover_seconds = excluded.rollover_seconds,"
				   " rollover_bound = excluded.rollover_bound, grace_seconds = excluded.grace_seconds,"
				   " sms_used = excluded.sms_used, sms_cap = excluded.sms_cap,"
				   " sms_credit = excluded.sms_credit",
				   UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, UUIDOID,
				   TEXTOID, TIMESTAMPTZOID, INT8ARRAYOID);

static PlatformQuery insert_tier_change =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_tier_changes"
				   " (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)"
				   " VALUES ($1, $2, $3, $4, $5, $6)",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, UUIDOID, TEXTOID);

/*
 * Windows.
 */

/* The anchor plus n steps, in local time. */
static TimestampTz
window_end(const UsageLimits *limits, int64 n)
{
	Datum		zone = CStringGetTextDatum(limits->timezone);
	Datum		local = DirectFunctionCall2(timestamptz_zone, zone, TimestampTzGetDatum(limits->anchor));
	Interval	span;

	span.month = limits->step.month * (int32) n;
	span.day = limits->step.day * (int32) n;
	span.time = limits->step.time * n;
	local = DirectFunctionCall2(timestamp_pl_interval, local, IntervalPGetDatum(&span));
	return DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, zone, local));
}

/* The first n whose end is after the moment. */
static int64
window_after(const UsageLimits *limits, TimestampTz after)
{
	double		length = limits->step.month * (30.436875 * USECS_PER_DAY) +
		limits->step.day * (double) USECS_PER_DAY + limits->step.time;
	int64		n = (int64) (((double) after - limits->anchor) / length);

	while (window_end(limits, n) <= after)
		n++;
	while (window_end(limits, n - 1) > after)
		n--;
	return n;
}

TimestampTz
platform_caps_next_end(const UsageLimits *limits, TimestampTz after)
{
	return window_end(limits, window_after(limits, after));
}

TimestampTz
platform_caps_last_end(const UsageLimits *limits, TimestampTz at)
{
	return window_end(limits, window_after(limits, at) - 1);
}

/*
 * What goes over.
 */

void
platform_caps_carry(const UsageLimits *limits, int64 bound, UsageCarry *carry)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		int64		beyond = limits->used[kind] - limits->cap[kind] - limits->rollover[kind];

		carry->credit[kind] = limits->credit[kind] -
			Min(Max(beyond, 0), limits->credit[kind]);
		if (kind == USAGE_CALL)
			carry->rollover = Min(Max(-beyond, 0), bound);
	}
}

int64
platform_caps_bound(const UsageLimits *limits)
{
	const UsageTier *tier = limits->tier != NULL ? platform_caps_find_tier(limits->tier) : NULL;
	int			percent = tier != NULL ? tier->rollover_percent : 100;

	if (limits->plan == PLAN_ENDED)
		return 0;
	return limits->cap[USAGE_CALL] * percent / 100;
}

/* The plan is over: what it gave is gone, what was bought is not. */
void
platform_caps_end_plan(UsageLimits *limits)
{
	limits->plan = PLAN_ENDED;
	limits->plan_ends_at = DT_NOEND;
	for (int kind = 0; kind < USAGE_KINDS; kind++)
		limits->cap[kind] = limits->rollover[kind] = limits->grace[kind] = 0;
}

void
platform_caps_next_period(UsageLimits *limits, TimestampTz end, UsagePeriod *closed)
{
	bool		ends = limits->plan == PLAN_ACTIVE && limits->plan_ends_at <= end;
	int64		bound = ends ? 0 : platform_caps_bound(limits);
	const UsageTier *tier = NULL;
	UsageCarry	carry;

	limits->period_end = end;
	if (closed != NULL)
	{
		closed->limits = *limits;
		closed->bound = bound;
	}
	platform_caps_carry(limits, bound, &carry);
	memcpy(limits->credit, carry.credit, sizeof(carry.credit));
	limits->rollover[USAGE_CALL] = carry.rollover;
	memset(limits->used, 0, sizeof(limits->used));

	/* A tier that has changed counts from here on. */
	if (ends)
		platform_caps_end_plan(limits);
	else if (limits->plan == PLAN_ACTIVE && limits->tier != NULL)
		tier = platform_caps_find_tier(limits->tier);
	if (tier != NULL)
	{
		if (!platform_uuid_equal(&limits->snapshot, &tier->snapshot))
			limits->tier_since = end;
		platform_caps_take_tier(limits, tier);
	}

	platform_make_uuid7(&limits->period_id);
	limits->period_start = end;
	limits->period_end = platform_caps_next_end(limits, end);
	if (limits->plan == PLAN_ACTIVE && limits->plan_ends_at > end)
		limits->period_end = Min(limits->period_end, limits->plan_ends_at);
}

int
platform_caps_roll(UsageLimits *limits, UsagePeriod **closed)
{
	int			count = 0;
	int			room = 4;

	if (closed != NULL)
		*closed = palloc(room * sizeof(UsagePeriod));
	while (platform_caps_is_over(limits) && count < USAGE_ROLL_MAX)
	{
		if (closed != NULL && count == room)
		{
			room *= 2;
			*closed = repalloc(*closed, room * sizeof(UsagePeriod));
		}
		platform_caps_next_period(limits, limits->period_end,
								   closed != NULL ? &(*closed)[count] : NULL);
		count++;
	}
	return count;
}

/*
 * Rows of periods.
 */

static void
write_row(const UsageLimits *limits, int64 bound, bool closed)
{
	Datum		numbers[9];
	Datum		values[10];
	bool		nulls[10] = {false};

	numbers[0] = Int64GetDatum(limits->used[USAGE_CALL]);
	numbers[1] = Int64GetDatum(limits->cap[USAGE_CALL]);
	numbers[2] = Int64GetDatum(limits->credit[USAGE_CALL]);
	numbers[3] = Int64GetDatum(limits->rollover[USAGE_CALL]);
	numbers[4] = Int64GetDatum(bound);
	numbers[5] = Int64GetDatum(limits->grace[USAGE_CALL]);
	numbers[6] = Int64GetDatum(limits->used[USAGE_SMS]);
	numbers[7] = Int64GetDatum(limits->cap[USAGE_SMS]);
	numbers[8] = Int64GetDatum(limits->credit[USAGE_SMS]);

	values[0] = UUIDPGetDatum(&limits->period_id);
	values[1] = UUIDPGetDatum(&limits->organization);
	values[2] = UUIDPGetDatum(&limits->user);
	values[3] = TimestampTzGetDatum(limits->period_start);
	values[4] = TimestampTzGetDatum(limits->period_end);
	nulls[5] = limits->tier == NULL;
	values[5] = nulls[5] ? (Datum) 0 : CStringGetTextDatum(limits->tier);
	nulls[6] = !limits->has_snapshot;
	values[6] = UUIDPGetDatum(&limits->snapshot);
	values[7] = CStringGetTextDatum(platform_caps_plan_name(limits->plan));
	nulls[8] = !closed;
	values[8] = TimestampTzGetDatum(limits->now);
	values[9] = PointerGetDatum(construct_array(numbers, lengthof(numbers), INT8OID, 8,
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	platform_query_run(&write_period, values, nulls);
}

void
platform_caps_write_tier_change(const UsageLimits *limits, const char *reason)
{
	Datum		values[6];

	values[0] = UUIDPGetDatum(&limits->organization);
	values[1] = UUIDPGetDatum(&limits->user);
	values[2] = TimestampTzGetDatum(limits->tier_since);
	values[3] = CStringGetTextDatum(limits->tier);
	values[4] = UUIDPGetDatum(&limits->snapshot);
	values[5] = CStringGetTextDatum(reason);
	platform_query_begin();
	platform_query_run(&insert_tier_change, values, NULL);
	platform_query_end();
}

void
platform_caps_write_periods(const UsagePeriod *closed, int count, const UsageLimits *present)
{
	platform_query_begin();
	for (int i = 0; i < count; i++)
		write_row(&closed[i].limits, closed[i].bound, true);
	write_row(present, 0, false);
	platform_query_end();
	for (int i = 1; i <= count; i++)
	{
		const UsageLimits *limits = i < count ? &closed[i].limits : present;

		/* Nothing else sets it to the period's start here. */
		if (limits->tier != NULL && limits->has_snapshot &&
			limits->tier_since == limits->period_start)
			platform_caps_write_tier_change(limits, "period");
	}
}
