/*
 * period.c
 *	  Windows: hour to lifetime, calendar or anchored, in local time.
 *
 * A window's start is always anchor + n * step, counted from the anchor and
 * never from another window, so clamping to a month's last day does not drift.
 * Steps from a day upwards are steps of the local clock, converted to instants
 * afterwards: a day of a daylight saving change has 23 or 25 hours. Windows
 * are half-open and cover time without gap or overlap, whatever the zone does
 * at a border: a repeated local time means its first occurrence, a skipped one
 * the moment of the skip.
 *
 * "Local" below is microseconds of the local clock since 2000-01-01 00:00, as
 * in type timestamp. Nothing here looks at the setting TimeZone.
 */
#include "core/platform.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "core/result.h"
#include "features/features.h"

PG_FUNCTION_INFO_V1(platform_usage_period);

#define FIRST_MONDAY 2			/* days from 2000-01-01 to a Monday */

typedef enum PeriodUnit
{
	PERIOD_HOUR,
	PERIOD_DAYS,
	PERIOD_MONTHS,
	PERIOD_LIFETIME
} PeriodUnit;

typedef struct PeriodUnitName
{
	const char *name;
	PeriodUnit	unit;
	int			step;			/* days or months */
} PeriodUnitName;

static const PeriodUnitName unit_names[] = {
	{"hour", PERIOD_HOUR, 1},
	{"day", PERIOD_DAYS, 1},
	{"week", PERIOD_DAYS, 7},
	{"month", PERIOD_MONTHS, 1},
	{"quarter", PERIOD_MONTHS, 3},
	{"year", PERIOD_MONTHS, 12},
	{"lifetime", PERIOD_LIFETIME, 0},
};

/* Where windows are counted from: a local date (as month and day) and time. */
typedef struct PeriodOrigin
{
	int64		day;			/* days since 2000-01-01 */
	int64		month;			/* year * 12 + month - 1 */
	int			day_of_month;
	int64		time;			/* microseconds since midnight */
} PeriodOrigin;

static int64
floor_divide(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

/* Seconds since 1970, as the time zone library counts, rounded down. */
static pg_time_t
instant_seconds(TimestampTz at)
{
	return (pg_time_t) floor_divide(at, USECS_PER_SEC) +
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (pg_time_t) SECS_PER_DAY;
}

static TimestampTz
seconds_instant(pg_time_t seconds)
{
	return ((int64) seconds -
			(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY) * USECS_PER_SEC;
}

static void
period_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

static int64
local_from_instant(TimestampTz at, const pg_tz *zone)
{
	pg_time_t	seconds = instant_seconds(at);
	struct pg_tm *tm = pg_localtime(&seconds, zone);

	if (tm == NULL)
		period_out_of_range();
	return at + tm->tm_gmtoff * USECS_PER_SEC;
}

/*
 * The first instant at which the local clock shows the time or, if the clock
 * skips it, the moment of the skip.
 */
static TimestampTz
instant_from_local(int64 local, const pg_tz *zone)
{
	pg_time_t	before;
	pg_time_t	border;
	long		before_offset;
	long		after_offset;
	int			before_dst;
	int			after_dst;
	int			found;
	TimestampTz result;

	/* The time zone library takes any number, timestamps do not. */
	if (!IS_VALID_TIMESTAMP(local))
		period_out_of_range();

	before = instant_seconds(local) - SECS_PER_DAY;
	found = pg_next_dst_boundary(&before, &before_offset, &before_dst, &border,
								 &after_offset, &after_dst, zone);
	if (found < 0)
		period_out_of_range();
	result = local - before_offset * USECS_PER_SEC;
	if (found > 0 && result >= seconds_instant(border))
		result = Max(local - after_offset * USECS_PER_SEC, seconds_instant(border));
	if (!IS_VALID_TIMESTAMP(result))
		period_out_of_range();
	return result;
}

static TimestampTz
instant_from_day(int64 day, int64 time, const pg_tz *zone)
{
	/* The product below must not overflow. */
	if (day < MIN_TIMESTAMP / USECS_PER_DAY || day > END_TIMESTAMP / USECS_PER_DAY - 1)
		period_out_of_range();
	return instant_from_local(day * USECS_PER_DAY + time, zone);
}

static void
origin_from_local(int64 local, PeriodOrigin *origin)
{
	int			year;
	int			month;
	int			day;

	origin->day = floor_divide(local, USECS_PER_DAY);
	origin->time = local - origin->day * USECS_PER_DAY;
	j2date((int) (origin->day + POSTGRES_EPOCH_JDATE), &year, &month, &day);
	origin->month = (int64) year * MONTHS_PER_YEAR + month - 1;
	origin->day_of_month = day;
}

/* Start of window n, counted in days. */
static TimestampTz
days_start(const PeriodOrigin *origin, int step, int64 n, const pg_tz *zone)
{
	return instant_from_day(origin->day + n * step, origin->time, zone);
}

/* Start of window n, counted in months: the origin's day, clamped to the month's last. */
static TimestampTz
months_start(const PeriodOrigin *origin, int step, int64 n, const pg_tz *zone)
{
	int64		month = origin->month + n * step;
	int			year = (int) floor_divide(month, MONTHS_PER_YEAR);
	int			month_of_year = (int) (month - (int64) year * MONTHS_PER_YEAR);
	int			last = day_tab[isleap(year)][month_of_year];
	int64		day;

	day = date2j(year, month_of_year + 1, Min(origin->day_of_month, last)) -
		POSTGRES_EPOCH_JDATE;
	return instant_from_day(day, origin->time, zone);
}

typedef TimestampTz (*PeriodStart) (const PeriodOrigin *, int, int64, const pg_tz *);

/*
 * The window that contains the moment, and its number. The guess from the
 * local clock can be off by one where the zone changes at the border.
 */
static int64
find_window(PeriodStart start_of, const PeriodOrigin *origin, int step, int64 guess,
			TimestampTz at, const pg_tz *zone, TimestampTz *start, TimestampTz *end)
{
	int64		n = guess;

	while ((*start = start_of(origin, step, n, zone)) > at)
		n--;
	while ((*end = start_of(origin, step, n + 1, zone)) <= at)
	{
		*start = *end;
		n++;
	}
	return n;
}

static int64
find_days(const PeriodOrigin *origin, int step, TimestampTz at, const pg_tz *zone,
		  TimestampTz *start, TimestampTz *end)
{
	int64		elapsed = local_from_instant(at, zone) -
		(origin->day * USECS_PER_DAY + origin->time);

	return find_window(days_start, origin, step,
					   floor_divide(elapsed, step * USECS_PER_DAY), at, zone, start, end);
}

static int64
find_months(const PeriodOrigin *origin, int step, TimestampTz at, const pg_tz *zone,
			TimestampTz *start, TimestampTz *end)
{
	PeriodOrigin now;

	origin_from_local(local_from_instant(at, zone), &now);
	return find_window(months_start, origin, step,
					   floor_divide(now.month - origin->month, step), at, zone, start, end);
}

/*
 * The hour of the local clock that contains the moment. A change of the
 * clock inside an hour ends one window and starts another.
 */
static void
find_hour(TimestampTz at, const pg_tz *zone, TimestampTz *start, TimestampTz *end)
{
	int64		local = local_from_instant(at, zone);
	pg_time_t	from;
	pg_time_t	border;
	long		before_offset;
	long		after_offset;
	int			before_dst;
	int			after_dst;

	*start = floor_divide(local, USECS_PER_HOUR) * USECS_PER_HOUR - (local - at);
	*end = *start + USECS_PER_HOUR;
	from = instant_seconds(*start) - 1;
	while (pg_next_dst_boundary(&from, &before_offset, &before_dst, &border,
								&after_offset, &after_dst, zone) > 0 &&
		   seconds_instant(border) < *end)
	{
		if (before_offset != after_offset)
		{
			if (seconds_instant(border) <= at)
				*start = seconds_instant(border);
			else
			{
				*end = seconds_instant(border);
				break;
			}
		}
		from = border;
	}
}

static void
period_find(const PeriodUnitName *unit, TimestampTz at, const pg_tz *zone,
			bool anchored, TimestampTz anchor, TimestampTz *start, TimestampTz *end)
{
	PeriodOrigin origin;

	if (anchored)
		origin_from_local(local_from_instant(anchor, zone), &origin);
	else
		origin_from_local(unit->step == 7 ? FIRST_MONDAY * USECS_PER_DAY : 0, &origin);

	switch (unit->unit)
	{
		case PERIOD_HOUR:
			if (anchored)
			{
				*start = anchor + floor_divide(at - anchor, USECS_PER_HOUR) * USECS_PER_HOUR;
				*end = *start + USECS_PER_HOUR;
			}
			else
				find_hour(at, zone, start, end);
			break;
		case PERIOD_DAYS:
			find_days(&origin, unit->step, at, zone, start, end);
			break;
		case PERIOD_MONTHS:
			find_months(&origin, unit->step, at, zone, start, end);
			break;
		case PERIOD_LIFETIME:
			*start = DT_NOBEGIN;
			*end = DT_NOEND;
			if (anchored && at < anchor)
				*end = anchor;
			else if (anchored)
				*start = anchor;
			break;
	}
}

/* An argument for a message: not a megabyte of it. */
static char *
clipped(const char *argument)
{
	return pnstrdup(argument, pg_mbcliplen(argument, strlen(argument), NAMEDATALEN - 1));
}

static const pg_tz *
period_zone(const char *name)
{
	const pg_tz *zone = pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", clipped(name))));
	return zone;
}

/*
 * The last answers, direct-mapped by (timezone, anchor_day): a hot path asks
 * about the same day again and again. Holds no memory of others.
 */
#define PERIOD_MEMO_SIZE 64

typedef struct PeriodMemo
{
	char		timezone[TZ_STRLEN_MAX + 1];
	int			anchor_day;
	FeaturePeriod period;
} PeriodMemo;

static PeriodMemo memo[PERIOD_MEMO_SIZE];

static PeriodMemo *
period_memo(const char *timezone, int anchor_day)
{
	uint32		hash = (uint32) anchor_day;

	for (const char *c = timezone; *c; c++)
		hash = hash * 31 + (unsigned char) *c;
	return &memo[hash % PERIOD_MEMO_SIZE];
}

/* The windows of counters: see features.h. 22023 for an unknown time zone. */
void
platform_feature_period(const char *timezone, int anchor_day, TimestampTz at,
						FeaturePeriod *period)
{
	PeriodMemo *entry = period_memo(timezone, anchor_day);
	PeriodOrigin origin = {.day = 0, .month = 2000 * MONTHS_PER_YEAR, .time = 0};
	const pg_tz *zone;
	int64		day;
	PeriodOrigin first;

	if (entry->anchor_day == anchor_day && at >= entry->period.day_start &&
		at < entry->period.day_end && strcmp(entry->timezone, timezone) == 0)
	{
		*period = entry->period;
		return;
	}

	if (TIMESTAMP_NOT_FINITE(at))
		period_out_of_range();
	zone = period_zone(timezone);
	origin.day_of_month = anchor_day;
	find_months(&origin, 1, at, zone, &period->month_start, &period->month_end);
	day = find_days(&origin, 1, at, zone, &period->day_start, &period->day_end);
	origin_from_local(local_from_instant(period->month_start, zone), &first);
	period->day = (int) (day - first.day) + 1;

	entry->period = *period;
	entry->anchor_day = anchor_day;
	strlcpy(entry->timezone, timezone, sizeof(entry->timezone));
}

static const PeriodUnitName *
period_unit(const char *name)
{
	for (int i = 0; i < lengthof(unit_names); i++)
		if (strcmp(unit_names[i].name, name) == 0)
			return &unit_names[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unit \"%s\" not recognized", clipped(name)),
			 errhint("Units are hour, day, week, month, quarter, year and lifetime.")));
}

/*
 * platform.usage_period(unit text, at timestamptz DEFAULT now(),
 *						 timezone text DEFAULT 'UTC', anchor timestamptz DEFAULT NULL)
 *		RETURNS (period_start timestamptz, period_end timestamptz)
 *
 * The half-open window [period_start, period_end) that contains at. Units:
 * hour, day, week (from Monday), month, quarter, year, lifetime (-infinity to
 * infinity). With an anchor windows start at anchor + n * unit, in local time,
 * clamped to the month's last day. NULL when unit, at or timezone is NULL.
 * Anybody. Errors: 22023 unknown unit or time zone; 22008 out of range.
 * Calendar: proleptic Gregorian; weeks as in ISO 8601; zones as in the
 * server's IANA time zone database.
 */
Datum
platform_usage_period(PG_FUNCTION_ARGS)
{
	const PeriodUnitName *unit;
	const pg_tz *zone;
	TimestampTz at;
	TimestampTz anchor = 0;
	TimestampTz start = DT_NOBEGIN;
	TimestampTz end = DT_NOEND;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	unit = period_unit(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	at = PG_GETARG_TIMESTAMPTZ(1);
	zone = period_zone(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (!PG_ARGISNULL(3))
		anchor = PG_GETARG_TIMESTAMPTZ(3);
	if (TIMESTAMP_NOT_FINITE(at) || TIMESTAMP_NOT_FINITE(anchor))
		period_out_of_range();

	period_find(unit, at, zone, !PG_ARGISNULL(3), anchor, &start, &end);

	values[0] = TimestampTzGetDatum(start);
	values[1] = TimestampTzGetDatum(end);
	return platform_return_row(fcinfo, values, nulls);
}
