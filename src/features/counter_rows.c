/*
 * counter_rows.c
 *	  The rows of a counter: columns, changes, insertion.
 *
 * The first version of a row is inserted by SQL, so that keys and checks hold;
 * everything after it is written by row.c.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "features/counter_rows.h"

PlatformRowTable platform_usage_table = {
	.cache = {.name = "feature usage", .tables = {"feature_usage"}},
	.nkeys = 4,
	.ncolumns = C_COLUMNS,
	.columns = {
		{"organization_id", UUIDOID},
		{"feature", TEXTOID},
		{"period_start", TIMESTAMPTZOID},
		{"slot", INT2OID},
		{"days", INT8ARRAYOID},
		{"used", INT8OID},
		{"unkeyed", INT8OID},
		{"overage", INT8OID},
		{"reserved", INT8OID},
		{"reserved_until", TIMESTAMPTZOID},
		{"credit", INT8OID},
		{"credit_day", INT2OID},
		{"credit_daily_limit", INT8OID},
		{"credit_monthly_limit", INT8OID},
		{"slots", INT2OID},
		{"announced", INT2OID},
	},
};

static PlatformQuery insert_rows =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.feature_usage"
				   " (organization_id, feature, period_start, slot, period_end, days)"
				   " SELECT $1, $2, $3, slot, $4, pg_catalog.array_fill(0::bigint, ARRAY[$5])"
				   " FROM pg_catalog.generate_series($6, $7) AS slot"
				   " ON CONFLICT DO NOTHING",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID);

uint64
platform_usage_hash(const Counter *counter)
{
	text	   *feature = DatumGetTextPP(counter->feature);
	uint64		hash = hash_bytes_extended(counter->organization.data, UUID_LEN,
										   (uint64) counter->period.month_start);

	return hash_bytes_extended((unsigned char *) VARDATA_ANY(feature),
							   VARSIZE_ANY_EXHDR(feature), hash);
}

int64
platform_usage_row_day(const PlatformRow *row, int day)
{
	bool		isnull;
	Datum		days = platform_row_get(row, C_DAYS, &isnull);
	ArrayType  *array;
	int64		result = 0;

	if (isnull)
		return 0;
	array = DatumGetArrayTypeP(days);
	if (ARR_NDIM(array) == 1 && ARR_DIMS(array)[0] >= day && !ARR_HASNULL(array))
		result = ((int64 *) ARR_DATA_PTR(array))[day - 1];
	if ((Pointer) array != DatumGetPointer(days))
		pfree(array);
	return result;
}

static int64
checked_sum(int64 value, int64 change)
{
	if (change > COUNTER_MAX || value + change > COUNTER_MAX || value + change < -COUNTER_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("feature usage out of range")));
	return value + change;
}

/* A copy with the day's element changed; grown with zeros where it is missing. */
static void
row_add_day(PlatformRow *row, int day, int64 change)
{
	bool		isnull;
	Datum		days = platform_row_get(row, C_DAYS, &isnull);
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypePCopy(days);
	int			length = array && ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	int64	   *elements;

	if (array && ARR_HASNULL(array))
		elog(ERROR, "unexpected null in column \"days\" of feature usage");
	if (length < day)
	{
		Datum	   *grown = palloc0(day * sizeof(Datum));

		for (int i = 0; i < length; i++)
			grown[i] = Int64GetDatum(((int64 *) ARR_DATA_PTR(array))[i]);
		for (int i = length; i < day; i++)
			grown[i] = Int64GetDatum(0);
		array = construct_array(grown, day, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
								TYPALIGN_DOUBLE);
	}
	elements = (int64 *) ARR_DATA_PTR(array);
	elements[day - 1] = checked_sum(elements[day - 1], change);
	platform_row_set(row, C_DAYS, PointerGetDatum(array));
}

void
platform_usage_row_add(PlatformRow *row, int column, int64 change)
{
	if (change != 0)
		platform_row_set(row, column,
						 Int64GetDatum(checked_sum(platform_row_get_int64(row, column, 0), change)));
}

void
platform_usage_row_change(PlatformRow *row, const CounterChange *change)
{
	platform_usage_row_add(row, C_USED, change->used);
	platform_usage_row_add(row, C_UNKEYED, change->unkeyed);
	platform_usage_row_add(row, C_OVERAGE, change->overage);
	platform_usage_row_add(row, C_RESERVED, change->reserved);
	if (change->used + change->day_only != 0)
		row_add_day(row, change->day, change->used + change->day_only);
}

void
platform_usage_change(const Counter *counter, CounterChange *change)
{
	change->used = counter->consumed - counter->held;
	change->unkeyed = counter->keyed || counter->reserve ? 0 : counter->consumed;
	change->overage = counter->overage;
	change->reserved = (counter->reserve ? counter->consumed : 0) - counter->held;
	change->day = counter->period.day;
	change->day_only = 0;
}

void
platform_usage_keys(const Counter *counter, int slot, Datum *keys)
{
	keys[0] = UUIDPGetDatum(&counter->organization);
	keys[1] = counter->feature;
	keys[2] = TimestampTzGetDatum(counter->period.month_start);
	keys[3] = Int16GetDatum(slot);
}

TimestampTz
platform_usage_reserved_until(const PlatformRow *row)
{
	bool		isnull;
	Datum		until = platform_row_get(row, C_RESERVED_UNTIL, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(until);
}

void
platform_usage_set_reserved_until(PlatformRow *row, TimestampTz until)
{
	if (until == DT_NOEND)
		platform_row_set_null(row, C_RESERVED_UNTIL);
	else
		platform_row_set(row, C_RESERVED_UNTIL, TimestampTzGetDatum(until));
}

bool
platform_usage_settlement_due(const PlatformRow *row)
{
	TimestampTz until = platform_usage_reserved_until(row);

	return until != DT_NOEND && until <= GetCurrentTimestamp();
}

void
platform_usage_insert_rows(const Counter *counter, int first, int last)
{
	const FeaturePeriod *period = &counter->period;
	Datum		values[7];

	values[0] = UUIDPGetDatum(&counter->organization);
	values[1] = counter->feature;
	values[2] = TimestampTzGetDatum(period->month_start);
	values[3] = TimestampTzGetDatum(period->month_end);
	/* 23 and 25 hour days: at most an hour off a multiple of a day. */
	values[4] = Int32GetDatum((int32) ((period->month_end - period->month_start +
										USECS_PER_DAY / 2) / USECS_PER_DAY));
	values[5] = Int32GetDatum(first);
	values[6] = Int32GetDatum(last);
	platform_insert_once(&insert_rows, values, NULL);
}

void
platform_counter_ensure(const Counter *counter)
{
	platform_usage_insert_rows(counter, 0, 0);
}

bool
platform_usage_credit_is_valid(const PlatformRow *row, const Counter *counter)
{
	return platform_row_get_int16(row, C_CREDIT_DAY, 0) == counter->period.day &&
		platform_row_get_int64(row, C_CREDIT_DAILY_LIMIT, -1) == counter->limit[COUNTER_DAY] &&
		platform_row_get_int64(row, C_CREDIT_MONTHLY_LIMIT, -1) == counter->limit[COUNTER_MONTH];
}

static void
row_set_limit(PlatformRow *row, int column, int64 limit)
{
	if (limit < 0)
		platform_row_set_null(row, column);
	else
		platform_row_set(row, column, Int64GetDatum(limit));
}

void
platform_usage_give_credit(PlatformRow *row, const Counter *counter, int64 credit)
{
	platform_row_set(row, C_CREDIT, Int64GetDatum(credit));
	platform_row_set(row, C_CREDIT_DAY, Int16GetDatum(counter->period.day));
	row_set_limit(row, C_CREDIT_DAILY_LIMIT, counter->limit[COUNTER_DAY]);
	row_set_limit(row, C_CREDIT_MONTHLY_LIMIT, counter->limit[COUNTER_MONTH]);
}
