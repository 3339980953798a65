/*
 * plan.c
 *	  Which tier a customer has.
 *
 * A tier that begins, or begins again, begins a period of its own. A change from
 * one to another happens within the period: by the clock (prorate), or at once.
 * What was used is never taken back, so that a smaller tier does not use up
 * what was bought.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "usage/plan.h"

PG_FUNCTION_INFO_V1(platform_apply_tier);
PG_FUNCTION_INFO_V1(platform_roll_usage_periods);

static PlatformQuery due_customers =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT d.organization_id, d.user_id FROM ("
				   "SELECT organization_id, user_id FROM platform.usage_limits"
				   " WHERE period_end OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
				   " ORDER BY period_end LIMIT $1) AS d ORDER BY d.organization_id, d.user_id",
				   INT8OID);

/* A cap of which the old one counts for what is over of the period, rounded up. */
static int64
prorated(const UsageLimits *limits, int64 old_cap, int64 new_cap)
{
	int64		length = limits->period_end - limits->period_start;
	int64		elapsed = limits->now - limits->period_start;
	int128		sum = (int128) old_cap * elapsed + (int128) new_cap * (length - elapsed);

	return (int64) ((sum + length - 1) / length);
}

void
platform_caps_change_tier(UsageLimits *limits, const UsageTier *tier, bool prorate)
{
	int64		old[USAGE_KINDS];

	memcpy(old, limits->cap, sizeof(old));
	platform_caps_take_tier(limits, tier);
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		int64		kept = Min(old[kind], Max(limits->used[kind] - limits->rollover[kind], 0));

		if (prorate)
			limits->cap[kind] = prorated(limits, old[kind], tier->cap[kind]);
		limits->cap[kind] = Max(limits->cap[kind], kept);
	}
	limits->tier_since = limits->now;
}

void
platform_caps_begin_plan(UsageLimits *limits, const UsageTier *tier, TimestampTz start)
{
	limits->tier_since = start;
	platform_caps_take_tier(limits, tier);
}

bool
platform_caps_begin_period(UsageLimits *limits, TimestampTz start, UsagePeriod *closed)
{
	if (start <= limits->period_start)
		return false;
	platform_caps_next_period(limits, start, closed);
	return true;
}

bool
platform_caps_has_tier(const UsageLimits *limits, const UsageTier *tier)
{
	return limits->plan == PLAN_ACTIVE && limits->tier != NULL &&
		strcmp(limits->tier, tier->name) == 0 && limits->has_snapshot &&
		platform_uuid_equal(&limits->snapshot, &tier->snapshot);
}

typedef struct TierApplication
{
	const char *name;
	bool		prorate;
	bool		changed;
	bool		closes;
	UsagePeriod closed;
} TierApplication;

static bool
apply_body(UsageChange *change, void *arg)
{
	TierApplication *application = arg;
	UsageLimits *limits = &change->limits;
	const UsageTier *tier = platform_caps_find_tier(application->name);

	application->changed = tier != NULL && !platform_caps_has_tier(limits, tier);
	application->closes = false;
	if (!application->changed)
		return false;
	if (limits->plan == PLAN_ACTIVE)
		platform_caps_change_tier(limits, tier, application->prorate);
	else
	{
		/* What was used without a plan stays in a period of its own. */
		bool		used = limits->used[USAGE_CALL] > 0 || limits->used[USAGE_SMS] > 0;

		if (used || limits->plan == PLAN_ENDED)
		{
			limits->anchor = limits->now;
			application->closes = platform_caps_begin_period(limits, limits->now,
															 &application->closed);
		}
		platform_caps_begin_plan(limits, tier, limits->period_start);
		limits->plan_ends_at = DT_NOEND;
	}
	return true;
}

/* A tier that may be given to customers; PT404. */
static const UsageTier *
tier_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = text_to_cstring(platform_required_text(fcinfo, argument, "tier", 63));
	const UsageTier *tier = platform_caps_find_tier(name);

	if (tier == NULL || !tier->active)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("tier \"%s\" does not exist", name)));
	return tier;
}

/* The start of a new customer's first period. */
static const TimestampTz *
start_argument(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz *start;

	if (PG_ARGISNULL(argument))
		return NULL;
	start = palloc(sizeof(TimestampTz));
	*start = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(*start) || *start > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("starts_at must be finite and not in the future")));
	return start;
}

void
platform_caps_write_plan(const UsageLimits *limits, const UsagePeriod *closed, const char *reason)
{
	platform_caps_write_periods(closed, closed != NULL ? 1 : 0, limits);
	if (closed == NULL || limits->tier_since != limits->period_start)
		platform_caps_write_tier_change(limits, reason);
}

Datum
platform_caps_return_plan(FunctionCallInfo fcinfo, const UsageLimits *limits, bool changed)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = BoolGetDatum(changed);
	nulls[1] = limits->tier == NULL;
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(limits->tier);
	values[2] = Int64GetDatum(limits->cap[USAGE_CALL]);
	values[3] = Int64GetDatum(limits->cap[USAGE_SMS]);
	values[4] = TimestampTzGetDatum(limits->period_start);
	values[5] = TimestampTzGetDatum(limits->period_end);
	values[6] = CStringGetTextDatum(platform_caps_state_name(limits->state[USAGE_CALL]));
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * platform.apply_tier(organization_id uuid, user_id uuid, tier text,
 *		prorate boolean DEFAULT false, starts_at timestamptz DEFAULT NULL)
 *		RETURNS (changed boolean, current_tier text, call_cap_seconds bigint, sms_cap bigint,
 *				 period_start timestamptz, period_end timestamptz, limit_state text)
 *
 * Gives a customer a tier, by its name or an alias, with its caps and its present
 * prices. In a period with another tier the new caps count at once, or with
 * prorate from now on: the old ones for what is over of the period, the new
 * ones for the rest, rounded up; in no case less than was used. Who has no
 * plan begins a period. That tier again changes nothing. A new customer's first
 * period may begin in the past. Operators. Errors: 42501; 22004; 22023 a start in the
 * future, or of a customer who has periods; PT404 no such tier, organization or user;
 * 25006.
 */
Datum
platform_apply_tier(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *user = platform_caps_uuid(fcinfo, 1, "user_id");
	TierApplication application = {0};
	const TimestampTz *start;
	UsageChange change;
	bool		is_new = false;

	platform_require_operator("apply a tier");
	platform_require_module(&platform_caps_module);
	application.name = pstrdup(tier_argument(fcinfo, 2)->name);
	platform_require_argument(fcinfo, 3, "prorate");
	application.prorate = PG_GETARG_BOOL(3);
	start = start_argument(fcinfo, 4);

	if (platform_caps_create(organization, user, start, application.name))
		is_new = true;
	else if (start != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("starts_at is for new customers"),
				 errdetail("The user has usage limits in this organization.")));
	platform_caps_open(&change);
	(void) platform_caps_change(&change, organization, user, false, apply_body, &application);
	if (application.changed)
		platform_caps_write_plan(&change.limits, application.closes ? &application.closed : NULL,
								 "tier");
	platform_caps_close(&change);
	return platform_caps_return_plan(fcinfo, &change.limits, is_new || application.changed);
}

/*
 * platform.roll_usage_periods(batch integer DEFAULT 1000) RETURNS bigint
 *
 * Rolls the periods of at most batch customers whose period is over, the longest
 * first, and returns how many: whoever uses something does that for itself, this
 * is for those who use nothing, before bills are made. Operators. Errors: 42501,
 * 22004, 22023, 25006.
 */
Datum
platform_roll_usage_periods(PG_FUNCTION_ARGS)
{
	Datum		limit;
	pg_uuid_t  *due;
	uint64		count;
	int64		rolled = 0;
	UsageChange change;

	platform_require_operator("roll usage periods");
	platform_require_module(&platform_caps_module);
	(void) platform_count_argument(fcinfo, 0, "batch", 100000);
	limit = Int64GetDatum(PG_GETARG_INT32(0));
	due = palloc(2 * PG_GETARG_INT32(0) * sizeof(pg_uuid_t));
	platform_query_begin();
	count = platform_query_run(&due_customers, &limit, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		due[2 * i] = platform_row_uuid(i, 1);
		due[2 * i + 1] = platform_row_uuid(i, 2);
	}
	platform_query_end();

	/* In one order, so that two of these do not wait for each other in a circle. */
	platform_caps_open(&change);
	for (uint64 i = 0; i < count; i++)
		if (platform_caps_change(&change, &due[2 * i], &due[2 * i + 1], false, platform_caps_nothing, NULL))
			rolled++;
	platform_caps_close(&change);
	PG_RETURN_INT64(rolled);
}
