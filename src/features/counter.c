/*
 * counter.c
 *	  One window's counter: compare-and-swap, and slots under contention.
 *
 * A counter is the row of (organization, feature, month) with slot 0, its
 * root. The normal case finds it, decides, and swaps in a new version, without
 * a lock that waits. Only when a session meets another one's uncommitted
 * version again and again does it split the counter: slots 1..32 then count
 * side by side, each session in its own.
 *
 * A slot may consume without asking as much as its credit, which the root
 * gave it for one day and one pair of limits. What keeps the limit exact:
 *	- consuming moves units from a slot's credit to its used; their sum changes
 *	  only under the root's row lock. Under that lock the sum over all slots is
 *	  therefore exact even while slots are being consumed;
 *	- credit is given only below the next threshold (the soft one, then the
 *	  limit), so slots can neither exceed the limit nor cross one unseen;
 *	- what does not fit below the threshold is decided at the root, after
 *	  taking credit back from the slots. If a transaction in progress holds one
 *	  with credit the answer depends on how that transaction ends: everything
 *	  is let go, it is waited for, and the decision starts anew.
 *
 * Waiting happens at the root's row lock and, with nothing held by the waiting
 * statement, for a slot. The root path runs in an internal subtransaction so
 * that it can let go. Nothing here is cached but the hint that a counter is
 * split, direct-mapped, right or wrong.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/row.h"
#include "core/try.h"
#include "features/counter.h"

#define COUNTER_SLOTS 32
#define COUNTER_SLOT_TRIES 3	/* slots that a session tries before the root */
#define COUNTER_BUSY_TO_SPLIT 3 /* meetings before a session splits a counter */
#define COUNTER_SHARE 64		/* a slot gets this fraction of what is left */
#define COUNTER_CREDIT_MAX (INT64CONST(1) << 40)

enum
{
	C_ORGANIZATION,
	C_FEATURE,
	C_PERIOD_START,
	C_SLOT,
	C_DAYS,
	C_USED,
	C_UNKEYED,
	C_OVERAGE,
	C_RESERVED,
	C_RESERVED_UNTIL,
	C_CREDIT,
	C_CREDIT_DAY,
	C_CREDIT_DAILY_LIMIT,
	C_CREDIT_MONTHLY_LIMIT,
	C_SLOTS,
	C_ANNOUNCED,
	C_COLUMNS
};

static PlatformRowTable usage_table = {
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

static PlatformQuery expire_reservations =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.feature_reservations AS r"
				   " SET status = 'expired', settled_at = pg_catalog.clock_timestamp()"
				   " FROM (SELECT id FROM platform.feature_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND period_start OPERATOR(pg_catalog.=) $3"
				   " AND status OPERATOR(pg_catalog.=) 'open'"
				   " AND expires_at OPERATOR(pg_catalog.<=) $4"
				   " FOR UPDATE SKIP LOCKED) AS due"
				   " WHERE r.id OPERATOR(pg_catalog.=) due.id"
				   " AND r.organization_id OPERATOR(pg_catalog.=) $1"
				   " RETURNING r.amount, r.day::integer",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery next_expiry =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.min(expires_at) FROM platform.feature_reservations"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND period_start OPERATOR(pg_catalog.=) $3"
				   " AND status OPERATOR(pg_catalog.=) 'open'",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID);

/* Hints: which counters are split, and how often a root was found held. */
#define SPLIT_MEMO_SIZE 256

typedef struct SplitMemo
{
	uint64		key;
	int			slots;
	int			busy;
} SplitMemo;

static SplitMemo split_memo[SPLIT_MEMO_SIZE];

static SplitMemo *
find_memo(const Counter *counter)
{
	text	   *feature = DatumGetTextPP(counter->feature);
	uint64		key = hash_bytes_extended(counter->organization.data, UUID_LEN,
										  (uint64) counter->period.month_start);
	SplitMemo  *memo;

	key = hash_bytes_extended((unsigned char *) VARDATA_ANY(feature),
							  VARSIZE_ANY_EXHDR(feature), key);
	memo = &split_memo[key % SPLIT_MEMO_SIZE];
	if (memo->key != key)
	{
		memo->key = key;
		memo->slots = 0;
		memo->busy = 0;
	}
	return memo;
}

void
platform_counter_init(void)
{
	platform_row_register(&usage_table);
}

int64
platform_counter_soft_limit(int64 limit, int soft_percent)
{
	return limit / 100 * soft_percent + (limit % 100 * soft_percent + 99) / 100;
}

void
platform_counter_prepare(Counter *counter, const pg_uuid_t *organization,
						 text *feature, TimestampTz at)
{
	FeatureTerms *terms = &counter->terms;

	memset(counter, 0, sizeof(Counter));
	counter->organization = *organization;
	counter->feature = PointerGetDatum(feature);
	platform_feature_terms(organization, VARDATA_ANY(feature), VARSIZE_ANY_EXHDR(feature),
						   terms);
	platform_feature_period(terms->timezone, terms->anchor_day, at, &counter->period);
	terms->timezone = NULL;		/* lives as long as the cache only */

	counter->limit[COUNTER_MONTH] = terms->monthly_limit;
	counter->limit[COUNTER_DAY] = terms->daily_limit;
	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		if (terms->enforcement == FEATURE_ENFORCE_OFF)
			counter->limit[w] = -1;
		/* A limit that no usage reaches; keeps the arithmetic below in range. */
		counter->limit[w] = Min(counter->limit[w], COUNTER_MAX * 40);
		counter->soft[w] = platform_counter_soft_limit(counter->limit[w], terms->soft_percent);
	}
}

static bool
is_limited(const Counter *counter)
{
	return counter->limit[COUNTER_MONTH] >= 0 || counter->limit[COUNTER_DAY] >= 0;
}

/* May a slot take it: plain consumption, not a reservation or its end. */
static bool
fits_slots(const Counter *counter)
{
	return counter->held == 0 && !counter->reserve;
}

/*
 * How the amount is answered when usage is as in used[], which must be exact.
 */
static void
decide(Counter *counter, const int64 *used)
{
	int64		need = Max(counter->amount - counter->held, 0);
	int64		room = need;

	for (int w = 0; w < COUNTER_WINDOWS; w++)
		if (counter->limit[w] >= 0)
			room = Min(room, Max(counter->limit[w] - used[w], 0));

	counter->overage = 0;
	counter->consumed = counter->amount;
	if (room < need)
	{
		if (counter->at_limit == AT_LIMIT_OVERFLOW ||
			counter->terms.enforcement != FEATURE_ENFORCE_HARD)
			counter->overage = need - room;
		else if (counter->at_limit == AT_LIMIT_CAP)
			counter->consumed = counter->amount - need + room;
		else
			counter->consumed = 0;
	}
	counter->allowed = counter->consumed > 0 || counter->amount == 0;
}

/*
 * Usage after what was decided, and the thresholds that nobody has announced.
 * row is the root: it remembers the month's, and those of one day, so that
 * each is announced once, also when a lower limit finds usage beyond it.
 */
#define ANNOUNCED_MONTH		0x3
#define ANNOUNCED_BITS		4

static void
conclude(Counter *counter, const int64 *used, PlatformRow *row)
{
	int			day = counter->period.day;
	int			announced = platform_row_get_int16(row, C_ANNOUNCED, 0);
	int			reached = 0;

	counter->announced = announced;
	if (announced >> ANNOUNCED_BITS != day)
		announced &= ANNOUNCED_MONTH;
	announced &= (1 << ANNOUNCED_BITS) - 1;

	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		counter->used[w] = used[w] + counter->consumed - counter->held;
		if (counter->limit[w] < 0)
			continue;
		if (counter->used[w] >= counter->soft[w])
			reached |= COUNTER_CROSSED(w, COUNTER_SOFT);
		if (counter->used[w] >= counter->limit[w])
			reached |= COUNTER_CROSSED(w, COUNTER_HARD);
	}
	counter->crossed = reached & ~announced;
	if (counter->crossed != 0)
		platform_row_set(row, C_ANNOUNCED,
						 Int16GetDatum(announced | reached | day << ANNOUNCED_BITS));
}

static void
refuse(Counter *counter, const int64 *used)
{
	counter->allowed = false;
	counter->consumed = 0;
	counter->overage = 0;
	memcpy(counter->used, used, sizeof(counter->used));
}

/*
 * Columns.
 */

static int64
row_day(const PlatformRow *row, int day)
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

static void
row_add(PlatformRow *row, int column, int64 change)
{
	if (change != 0)
		platform_row_set(row, column,
						 Int64GetDatum(checked_sum(platform_row_get_int64(row, column, 0), change)));
}

static void
row_change(PlatformRow *row, const CounterChange *change)
{
	row_add(row, C_USED, change->used);
	row_add(row, C_UNKEYED, change->unkeyed);
	row_add(row, C_OVERAGE, change->overage);
	row_add(row, C_RESERVED, change->reserved);
	if (change->used + change->day_only != 0)
		row_add_day(row, change->day, change->used + change->day_only);
}

/* What the decision does to the row that counts it. */
static void
change_of(const Counter *counter, CounterChange *change)
{
	change->used = counter->consumed - counter->held;
	change->unkeyed = counter->keyed || counter->reserve ? 0 : counter->consumed;
	change->overage = counter->overage;
	change->reserved = (counter->reserve ? counter->consumed : 0) - counter->held;
	change->day = counter->period.day;
	change->day_only = 0;
}

static void
keys_of(const Counter *counter, int slot, Datum *keys)
{
	keys[0] = UUIDPGetDatum(&counter->organization);
	keys[1] = counter->feature;
	keys[2] = TimestampTzGetDatum(counter->period.month_start);
	keys[3] = Int16GetDatum(slot);
}

static TimestampTz
row_reserved_until(const PlatformRow *row)
{
	bool		isnull;
	Datum		until = platform_row_get(row, C_RESERVED_UNTIL, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(until);
}

static void
row_set_reserved_until(PlatformRow *row, TimestampTz until)
{
	if (until == DT_NOEND)
		platform_row_set_null(row, C_RESERVED_UNTIL);
	else
		platform_row_set(row, C_RESERVED_UNTIL, TimestampTzGetDatum(until));
}

/* Are there reservations that time has ended but nobody has settled? */
static bool
row_settlement_due(const PlatformRow *row)
{
	TimestampTz until = row_reserved_until(row);

	return until != DT_NOEND && until <= GetCurrentTimestamp();
}

/*
 * Rows that do not exist yet.
 */

typedef struct InsertOnce
{
	PlatformQuery *query;
	const Datum *values;
	const bool *nulls;
	bool		inserted;
} InsertOnce;

static void
insert_once_body(void *arg)
{
	InsertOnce *insert = arg;

	platform_query_begin();
	insert->inserted = platform_query_run(insert->query, insert->values, insert->nulls) > 0;
	platform_query_end();
}

bool
platform_insert_once(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	InsertOnce	insert = {query, values, nulls, false};

	if (!IsolationUsesXactSnapshot())
	{
		insert_once_body(&insert);
		return insert.inserted;
	}

	/*
	 * Above READ COMMITTED the server fails on a row that was inserted while
	 * this statement waited for it; the next try finds it.
	 */
	for (;;)
	{
		ErrorData  *error = platform_try(insert_once_body, &insert);

		if (error == NULL)
			return insert.inserted;
		if (error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
			ReThrowError(error);
		FreeErrorData(error);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
insert_rows_of(const Counter *counter, int first, int last)
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
	insert_rows_of(counter, 0, 0);
}

/*
 * Slots.
 */

/* Was the slot's credit given for these limits and this day? */
static bool
credit_is_valid(const PlatformRow *row, const Counter *counter)
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

static int
slot_number(int try, int slots)
{
	return 1 + (platform_backend_number() + try * 11) % slots;
}

/*
 * Counts in one of the session's slots, without any lock that waits. False
 * when that is not possible: no credit, or all of them are held.
 */
static bool
consume_in_slot(Counter *counter, SplitMemo *memo)
{
	bool		limited = is_limited(counter);
	bool		done = false;
	PlatformRow row;
	int			try = 0;

	platform_row_open(&row, &usage_table);
	while (!done && try < COUNTER_SLOT_TRIES)
	{
		CounterChange change;
		Datum		keys[4];
		int			slot = slot_number(try, memo->slots);

		keys_of(counter, slot, keys);
		if (!platform_row_find(&row, keys))
		{
			memo->slots = 0;
			break;
		}
		if (limited &&
			(platform_row_get_int64(&row, C_CREDIT, 0) < counter->amount ||
			 !credit_is_valid(&row, counter)))
		{
			if (try == 0)
				break;
			try++;
			continue;
		}
		counter->consumed = counter->amount;
		change_of(counter, &change);
		row_change(&row, &change);
		if (limited)
			row_add(&row, C_CREDIT, -counter->amount);
		switch (platform_row_update(&row, false))
		{
			case ROW_DONE:
				counter->slot = slot;
				counter->crossed = 0;
				done = true;
				break;
			case ROW_BUSY:
				try++;
				break;
			case ROW_CHANGED:
				break;
		}
	}
	platform_row_close(&row);
	counter->allowed = done;
	return done;
}

/* What the rows of a counter hold: place 0 is the root. */
typedef struct SlotTotals
{
	int64		used[COUNTER_WINDOWS];	/* sums */
	int64		credit[COUNTER_WINDOWS];
	int64		slot_credit[COUNTER_SLOTS + 1];
	int			slot_credit_day[COUNTER_SLOTS + 1];
	bool		settlement_due;
} SlotTotals;

/* Collects rows by slot, so that one that is seen twice counts once. */
typedef struct SlotRows
{
	bool		seen[COUNTER_SLOTS + 1];
	int64		used[COUNTER_SLOTS + 1][COUNTER_WINDOWS];
	int			count;
} SlotRows;

static void
collect_row(SlotTotals *totals, SlotRows *rows, const PlatformRow *row, int day)
{
	int			slot = platform_row_get_int16(row, C_SLOT, 0);

	if (slot < 0 || slot > COUNTER_SLOTS)
		return;
	rows->count += !rows->seen[slot];
	rows->seen[slot] = true;
	rows->used[slot][COUNTER_MONTH] = platform_row_get_int64(row, C_USED, 0);
	rows->used[slot][COUNTER_DAY] = row_day(row, day);
	totals->slot_credit[slot] = platform_row_get_int64(row, C_CREDIT, 0);
	totals->slot_credit_day[slot] = platform_row_get_int16(row, C_CREDIT_DAY, 0);
	if (slot == 0)
		totals->settlement_due = row_settlement_due(row);
}

static void
sum_rows(SlotTotals *totals, const SlotRows *rows, int day)
{
	for (int slot = 0; slot <= COUNTER_SLOTS; slot++)
	{
		int64		credit = totals->slot_credit[slot];

		for (int w = 0; w < COUNTER_WINDOWS; w++)
			totals->used[w] += rows->used[slot][w];
		totals->credit[COUNTER_MONTH] += credit;
		if (totals->slot_credit_day[slot] == day)
			totals->credit[COUNTER_DAY] += credit;
	}
}

/*
 * Sums the rows of a counter. Under the root's lock each slot may be read as
 * it is when visited, which takes no predicate locks; else (latest) one
 * snapshot makes the sum one that existed.
 */
static void
read_totals(const Counter *counter, SlotTotals *totals, bool latest)
{
	int			day = counter->period.day;
	int			expected;
	SlotRows	rows;
	PlatformRow row;
	Datum		keys[4];

	keys_of(counter, 0, keys);
	platform_row_open(&row, &usage_table);
	do
	{
		expected = 1;
		memset(totals, 0, sizeof(SlotTotals));
		memset(&rows, 0, sizeof(rows));
		platform_row_scan_begin(&row, keys, 3, latest);
		while (platform_row_scan_next(&row))
		{
			collect_row(totals, &rows, &row, day);
			expected += platform_row_get_int16(&row, C_SLOTS, 0);
		}
		platform_row_scan_end(&row);
		latest = !latest;
	} while (rows.count < expected && latest);
	platform_row_close(&row);
	sum_rows(totals, &rows, day);
}

void
platform_counter_totals(Counter *counter)
{
	SlotTotals	totals;

	read_totals(counter, &totals, true);
	memcpy(counter->used, totals.used, sizeof(counter->used));
}

/*
 * Is it certain, from what is committed, that the amount is refused? Spares
 * the root's lock where a used-up counter is asked again and again.
 */
static bool
refused_for_certain(Counter *counter)
{
	SlotTotals	totals;

	read_totals(counter, &totals, true);
	if (totals.settlement_due)
		return false;
	decide(counter, totals.used);
	if (counter->allowed)
		return false;
	refuse(counter, totals.used);
	return true;
}

/*
 * The root path.
 */

typedef enum RootOutcome
{
	ROOT_COUNTED,
	ROOT_REFUSED,
	ROOT_CHANGED,				/* begin again */
	ROOT_WAIT					/* the answer depends on who holds wait_slot */
} RootOutcome;

typedef struct RootVisit
{
	Counter    *counter;
	bool		contended;		/* split the counter if there is enough left */
	RootOutcome outcome;
	int			wait_slot;
} RootVisit;

/*
 * Takes credit back from the slots that nobody holds; the root is locked.
 * Credit that stays out is still in totals. Returns a slot that was skipped,
 * or 0.
 */
static int
reclaim_credit(const Counter *counter, SlotTotals *totals)
{
	int			skipped = 0;
	PlatformRow row;

	platform_row_open(&row, &usage_table);
	for (int slot = 1; slot <= COUNTER_SLOTS; slot++)
	{
		PlatformRowResult result = ROW_CHANGED;
		int64		credit = 0;
		Datum		keys[4];

		if (totals->slot_credit[slot] == 0)
			continue;
		keys_of(counter, slot, keys);
		while (result == ROW_CHANGED && platform_row_find(&row, keys))
		{
			/* Consumption since the totals were read moved credit to used. */
			int64		moved;

			credit = platform_row_get_int64(&row, C_CREDIT, 0);
			moved = totals->slot_credit[slot] - credit;
			totals->slot_credit[slot] = credit;
			totals->used[COUNTER_MONTH] += moved;
			totals->credit[COUNTER_MONTH] -= moved;
			if (totals->slot_credit_day[slot] == counter->period.day)
			{
				totals->used[COUNTER_DAY] += moved;
				totals->credit[COUNTER_DAY] -= moved;
			}
			if (credit == 0)
				break;
			platform_row_set(&row, C_CREDIT, Int64GetDatum(0));
			result = platform_row_update(&row, false);
		}
		if (result == ROW_BUSY)
			skipped = slot;
		else
		{
			totals->slot_credit[slot] = 0;
			totals->credit[COUNTER_MONTH] -= credit;
			if (totals->slot_credit_day[slot] == counter->period.day)
				totals->credit[COUNTER_DAY] -= credit;
		}
	}
	platform_row_close(&row);
	return skipped;
}

/*
 * How much can be counted, or given as credit, without crossing a threshold
 * even if all credit is consumed.
 */
static int64
silent_room(const Counter *counter, const SlotTotals *totals)
{
	int64		room = PG_INT64_MAX;

	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		int64		used = totals->used[w];
		int64		next = used < counter->soft[w] ? counter->soft[w] : counter->limit[w];

		if (counter->limit[w] >= 0)
			room = Min(room, Max(next - 1 - used - totals->credit[w], 0));
	}
	return room;
}

/*
 * Ends reservations whose time is over; the root is locked and in row. Those
 * that somebody is about to commit or release are skipped: that session holds
 * the reservation and may be waiting for the root.
 */
static void
settle(const Counter *counter, PlatformRow *row, SlotTotals *totals)
{
	Datum		values[4];
	uint64		count;

	values[0] = UUIDPGetDatum(&counter->organization);
	values[1] = counter->feature;
	values[2] = TimestampTzGetDatum(counter->period.month_start);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_query_begin();
	count = platform_query_run(&expire_reservations, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		int64		amount = platform_row_int64(i, 1);
		CounterChange change = {
			.used = -amount, .reserved = -amount, .day = platform_row_int32(i, 2)
		};

		row_change(row, &change);
		totals->used[COUNTER_MONTH] -= amount;
		if (change.day == counter->period.day)
			totals->used[COUNTER_DAY] -= amount;
	}
	platform_query_run(&next_expiry, values, NULL);
	row_set_reserved_until(row, platform_row_timestamptz_or(0, 1, DT_NOEND));
	platform_query_end();
}

/*
 * Gives the session's slot a share of what is left and counts the amount
 * there. False when somebody holds the slot.
 */
static bool
consume_with_credit(Counter *counter, int slots, int64 room)
{
	int			slot = slot_number(0, slots);
	PlatformRowResult result = ROW_CHANGED;
	CounterChange change;
	PlatformRow row;
	Datum		keys[4];

	change_of(counter, &change);
	keys_of(counter, slot, keys);
	platform_row_open(&row, &usage_table);
	while (result == ROW_CHANGED && platform_row_find(&row, keys))
	{
		row_change(&row, &change);
		platform_row_set(&row, C_CREDIT,
						 Int64GetDatum(Min(room / COUNTER_SHARE, COUNTER_CREDIT_MAX)));
		platform_row_set(&row, C_CREDIT_DAY, Int16GetDatum(counter->period.day));
		row_set_limit(&row, C_CREDIT_DAILY_LIMIT, counter->limit[COUNTER_DAY]);
		row_set_limit(&row, C_CREDIT_MONTHLY_LIMIT, counter->limit[COUNTER_MONTH]);
		result = platform_row_update(&row, false);
	}
	platform_row_close(&row);
	if (result == ROW_DONE)
		counter->slot = slot;
	return result == ROW_DONE;
}

/*
 * Counts at the root, which is locked and in row. changed tells that row has
 * changes of its own to write.
 */
static void
count_at_root(RootVisit *visit, PlatformRow *row, int64 room, bool changed)
{
	Counter    *counter = visit->counter;
	int			slots = platform_row_get_int16(row, C_SLOTS, 0);
	bool		ample = fits_slots(counter) && counter->overage == 0 &&
		room / COUNTER_SHARE >= counter->amount;
	CounterChange change;

	if (slots > 0 && ample && !changed && counter->crossed == 0 && is_limited(counter) &&
		consume_with_credit(counter, slots, room))
		return;

	if (slots == 0 && ample && visit->contended)
	{
		insert_rows_of(counter, 1, COUNTER_SLOTS);
		platform_row_set(row, C_SLOTS, Int16GetDatum(COUNTER_SLOTS));
	}
	change_of(counter, &change);
	row_change(row, &change);
	if (counter->reserve && counter->expires_at < row_reserved_until(row))
		row_set_reserved_until(row, counter->expires_at);
	if (platform_row_update(row, true) != ROW_DONE)
		elog(ERROR, "locked row of feature usage was changed");
	counter->slot = 0;
}

/* Decides under the root's lock. True when it counted, see RootOutcome. */
static bool
visit_root(void *arg)
{
	RootVisit  *visit = arg;
	Counter    *counter = visit->counter;
	int64		need = Max(counter->amount - counter->held, 0);
	bool		changed = false;
	SlotTotals	totals;
	PlatformRow row;
	Datum		keys[4];

	keys_of(counter, 0, keys);
	visit->outcome = ROOT_CHANGED;
	platform_row_open(&row, &usage_table);
	if (!platform_row_find(&row, keys) || !platform_row_lock(&row))
	{
		platform_row_close(&row);
		return false;
	}

	read_totals(counter, &totals, false);
	if (totals.settlement_due)
	{
		settle(counter, &row, &totals);
		changed = true;
	}

	if (need > silent_room(counter, &totals))
	{
		visit->wait_slot = reclaim_credit(counter, &totals);
		if (visit->wait_slot != 0 && need > silent_room(counter, &totals))
			visit->outcome = ROOT_WAIT;
	}
	if (visit->outcome != ROOT_WAIT)
	{
		decide(counter, totals.used);
		if (counter->allowed)
		{
			conclude(counter, totals.used, &row);
			count_at_root(visit, &row, silent_room(counter, &totals) - need, changed);
			visit->outcome = ROOT_COUNTED;
		}
		else
		{
			refuse(counter, totals.used);
			visit->outcome = ROOT_REFUSED;
		}
	}
	platform_row_close(&row);
	return visit->outcome == ROOT_COUNTED;
}

/* Waits until nobody holds the slot; keeps no lock, being rolled back. */
static bool
wait_for_slot(void *arg)
{
	RootVisit  *visit = arg;
	PlatformRow row;
	Datum		keys[4];

	keys_of(visit->counter, visit->wait_slot, keys);
	platform_row_open(&row, &usage_table);
	if (platform_row_find(&row, keys))
		(void) platform_row_lock(&row);
	platform_row_close(&row);
	return false;
}

/* True when counted or refused, false to begin again. */
static bool
consume_at_root(Counter *counter, bool contended)
{
	RootVisit	visit = {.counter = counter, .contended = contended};

	platform_subtransaction(visit_root, &visit);
	if (visit.outcome == ROOT_WAIT)
		platform_subtransaction(wait_for_slot, &visit);
	return visit.outcome == ROOT_COUNTED || visit.outcome == ROOT_REFUSED;
}

/*
 * The normal path: one look-up, one decision, one swap.
 */
typedef enum SwapOutcome
{
	SWAP_DONE,					/* counted or refused */
	SWAP_AGAIN,
	SWAP_SPLIT,					/* the counter has slots */
	SWAP_ROOT					/* only the root path can answer */
} SwapOutcome;

static SwapOutcome
consume_by_swap(Counter *counter, PlatformRow *row, SplitMemo *memo)
{
	int64		used[COUNTER_WINDOWS];
	CounterChange change;

	memo->slots = platform_row_get_int16(row, C_SLOTS, 0);
	if (memo->slots > 0)
		return SWAP_SPLIT;
	if (row_settlement_due(row))
		return SWAP_ROOT;

	used[COUNTER_MONTH] = platform_row_get_int64(row, C_USED, 0);
	used[COUNTER_DAY] = row_day(row, counter->period.day);
	decide(counter, used);
	if (!counter->allowed)
	{
		refuse(counter, used);
		return SWAP_DONE;
	}
	conclude(counter, used, row);
	change_of(counter, &change);
	row_change(row, &change);
	if (counter->reserve && counter->expires_at < row_reserved_until(row))
		row_set_reserved_until(row, counter->expires_at);
	switch (platform_row_update(row, false))
	{
		case ROW_DONE:
			counter->slot = 0;
			return SWAP_DONE;
		case ROW_CHANGED:
			return SWAP_AGAIN;
		case ROW_BUSY:
			break;
	}
	memo->busy++;
	return SWAP_ROOT;
}

void
platform_counter_consume(Counter *counter)
{
	SplitMemo  *memo = find_memo(counter);

	for (;;)
	{
		SwapOutcome outcome = SWAP_AGAIN;
		bool		had_slots = memo->slots > 0;
		PlatformRow row;
		Datum		keys[4];
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (had_slots && fits_slots(counter) && consume_in_slot(counter, memo))
		{
			if (counter->want_totals)
				platform_counter_totals(counter);
			return;
		}

		keys_of(counter, 0, keys);
		platform_row_open(&row, &usage_table);
		found = platform_row_find(&row, keys);
		if (found)
			outcome = consume_by_swap(counter, &row, memo);
		platform_row_close(&row);

		if (!found)
			insert_rows_of(counter, 0, 0);
		else if (outcome == SWAP_DONE)
			return;
		else if (outcome == SWAP_SPLIT)
		{
			/* News: try the slots first. */
			if (!had_slots && fits_slots(counter))
				continue;
			if (refused_for_certain(counter) || consume_at_root(counter, false))
				return;
		}
		else if (outcome == SWAP_ROOT)
		{
			if (consume_at_root(counter, memo->busy >= COUNTER_BUSY_TO_SPLIT))
				return;
		}
	}
}

void
platform_counter_undo(Counter *counter)
{
	CounterChange change;
	PlatformRow row;
	Datum		keys[4];

	change_of(counter, &change);
	change.used = -change.used;
	change.unkeyed = -change.unkeyed;
	change.overage = -change.overage;
	change.reserved = -change.reserved;

	/* This transaction wrote the row, so nobody else can have changed it. */
	keys_of(counter, counter->slot, keys);
	platform_row_open(&row, &usage_table);
	if (!platform_row_find(&row, keys))
		elog(ERROR, "row of feature usage disappeared");
	row_change(&row, &change);
	if (counter->slot > 0 && is_limited(counter))
		row_add(&row, C_CREDIT, counter->consumed);
	if (counter->crossed != 0)
		platform_row_set(&row, C_ANNOUNCED, Int16GetDatum(counter->announced));
	counter->crossed = 0;
	if (platform_row_update(&row, true) != ROW_DONE)
		elog(ERROR, "row of feature usage was changed");
	platform_row_close(&row);
}

/* A counter by its key alone. */
static void
counter_of(Counter *counter, const pg_uuid_t *organization, Datum feature,
		   TimestampTz period_start)
{
	memset(counter, 0, sizeof(Counter));
	counter->organization = *organization;
	counter->feature = feature;
	counter->period.month_start = period_start;
}

bool
platform_counter_lock(const pg_uuid_t *organization, Datum feature, TimestampTz period_start)
{
	Counter		counter;
	PlatformRow row;
	Datum		keys[4];
	bool		locked = false;

	counter_of(&counter, organization, feature, period_start);
	keys_of(&counter, 0, keys);
	platform_row_open(&row, &usage_table);
	while (!locked && platform_row_find(&row, keys))
		locked = platform_row_lock(&row);
	platform_row_close(&row);
	return locked;
}

bool
platform_counter_adjust(const pg_uuid_t *organization, Datum feature,
						TimestampTz period_start, const CounterChange *change)
{
	PlatformRowResult result = ROW_CHANGED;
	Counter		counter;
	PlatformRow row;
	Datum		keys[4];

	counter_of(&counter, organization, feature, period_start);
	keys_of(&counter, 0, keys);
	platform_row_open(&row, &usage_table);
	while (result != ROW_DONE && platform_row_find(&row, keys))
	{
		bool		locked = false;

		CHECK_FOR_INTERRUPTS();
		if (result == ROW_BUSY && !(locked = platform_row_lock(&row)))
			continue;
		row_change(&row, change);
		result = platform_row_update(&row, locked);
	}
	platform_row_close(&row);
	return result == ROW_DONE;
}
