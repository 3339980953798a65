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
 *	  only under the counter's mutex. Under it the sum over all slots is
 *	  therefore exact even while slots are being consumed;
 *	- credit is given only below the next threshold (the soft one, then the
 *	  limit), so slots can neither exceed the limit nor cross one unseen;
 *	- what does not fit below the threshold is decided at the root, after
 *	  taking credit back from the slots: counter_root.c.
 *
 * Nothing here is cached but the hint that a counter is split, direct-mapped,
 * right or wrong.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "features/counter_rows.h"

#define COUNTER_SLOT_TRIES 3	/* slots that a session tries before the root */
#define COUNTER_BUSY_TO_SPLIT 3 /* meetings before a session splits a counter */

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
	uint64		key = platform_usage_hash(counter);
	SplitMemo  *memo = &split_memo[key % SPLIT_MEMO_SIZE];

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
	platform_row_register(&platform_usage_table);
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

/*
 * How the amount is answered when usage is as in used[], which must be exact.
 */
void
platform_counter_decide(Counter *counter, const int64 *used)
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

void
platform_counter_conclude(Counter *counter, const int64 *used, PlatformRow *row)
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

void
platform_counter_refuse(Counter *counter, const int64 *used)
{
	counter->allowed = false;
	counter->consumed = 0;
	counter->overage = 0;
	memcpy(counter->used, used, sizeof(counter->used));
}

/*
 * Counts in one of the session's slots, without any lock that waits. False
 * when that is not possible: no credit, or all of them are held.
 */
static bool
consume_in_slot(Counter *counter, SplitMemo *memo)
{
	bool		limited = counter_is_limited(counter);
	bool		done = false;
	PlatformRow row;
	int			tries = 0;

	platform_row_open(&row, &platform_usage_table);
	while (!done && tries < COUNTER_SLOT_TRIES)
	{
		CounterChange change;
		Datum		keys[4];
		int			slot = counter_slot(tries, memo->slots);

		platform_usage_keys(counter, slot, keys);
		if (!platform_row_find(&row, keys))
		{
			memo->slots = 0;
			break;
		}
		if (limited &&
			(platform_row_get_int64(&row, C_CREDIT, 0) < counter->amount ||
			 !platform_usage_credit_is_valid(&row, counter)))
		{
			if (tries == 0)
				break;
			tries++;
			continue;
		}
		counter->consumed = counter->amount;
		counter->overage = 0;
		platform_usage_change(counter, &change);
		platform_usage_row_change(&row, &change);
		if (limited)
			platform_usage_row_add(&row, C_CREDIT, -counter->amount);
		switch (platform_row_update(&row))
		{
			case ROW_DONE:
				counter->slot = slot;
				counter->crossed = 0;
				done = true;
				break;
			case ROW_BUSY:
				tries++;
				break;
			case ROW_CHANGED:
				break;
		}
	}
	platform_row_close(&row);
	counter->allowed = done;
	return done;
}

/*
 * Writes changes to the root, waiting for who holds it. With settle also the
 * next expiry of its reservations. False when there is no root.
 */
static bool
write_root(const Counter *counter, const CounterChange *changes, uint64 count, bool settle,
		   TimestampTz next)
{
	PlatformRowResult result = ROW_CHANGED;
	bool		locked = false;
	PlatformRow row;
	Datum		keys[4];

	platform_usage_keys(counter, 0, keys);
	platform_row_open(&row, &platform_usage_table);
	while (result != ROW_DONE && platform_row_find(&row, keys))
	{
		CHECK_FOR_INTERRUPTS();
		if (!locked && platform_row_get_int16(&row, C_SLOTS, 0) > 0 &&
			!platform_row_is_own(&row))
		{
			platform_mutex_lock(platform_usage_hash(counter));
			locked = true;
			continue;
		}
		for (uint64 i = 0; i < count; i++)
			platform_usage_row_change(&row, &changes[i]);
		if (settle)
			platform_usage_set_reserved_until(&row, next);
		result = platform_row_update(&row);
		if (result == ROW_BUSY)
			platform_row_wait(&row);
	}
	platform_row_close(&row);
	return result == ROW_DONE;
}

/*
 * Ends reservations whose time is over. Those that somebody is about to
 * commit, release or settle are skipped: that session holds the reservation
 * and is on its way to the root.
 */
static void
settle(const Counter *counter)
{
	CounterChange *changes;
	TimestampTz next;
	Datum		values[4];
	uint64		count;

	values[0] = UUIDPGetDatum(&counter->organization);
	values[1] = counter->feature;
	values[2] = TimestampTzGetDatum(counter->period.month_start);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_query_begin();
	count = platform_query_run(&expire_reservations, values, NULL);
	changes = SPI_palloc(Max(count, 1) * sizeof(CounterChange));
	for (uint64 i = 0; i < count; i++)
	{
		int64		amount = platform_row_int64(i, 1);

		memset(&changes[i], 0, sizeof(CounterChange));
		changes[i].used = changes[i].reserved = -amount;
		changes[i].day = platform_row_int32(i, 2);
	}
	platform_query_run(&next_expiry, values, NULL);
	next = platform_row_timestamptz_or(0, 1, DT_NOEND);
	platform_query_end();
	write_root(counter, changes, count, true, next);
	pfree(changes);
}

/*
 * The normal path: one look-up, one decision, one swap.
 */
typedef enum SwapOutcome
{
	SWAP_DONE,					/* counted or refused */
	SWAP_AGAIN,
	SWAP_SETTLE,				/* reservations have to be settled first */
	SWAP_SPLIT,					/* the counter has slots */
	SWAP_BUSY					/* somebody holds the root */
} SwapOutcome;

static SwapOutcome
consume_by_swap(Counter *counter, PlatformRow *row, SplitMemo *memo, bool settled)
{
	int64		used[COUNTER_WINDOWS];
	CounterChange change;

	memo->slots = platform_row_get_int16(row, C_SLOTS, 0);
	if (!settled && platform_usage_settlement_due(row))
		return SWAP_SETTLE;
	if (memo->slots > 0)
		return SWAP_SPLIT;

	used[COUNTER_MONTH] = platform_row_get_int64(row, C_USED, 0);
	used[COUNTER_DAY] = platform_usage_row_day(row, counter->period.day);
	platform_counter_decide(counter, used);
	if (!counter->allowed)
	{
		platform_counter_refuse(counter, used);
		return SWAP_DONE;
	}
	platform_counter_conclude(counter, used, row);
	platform_usage_change(counter, &change);
	platform_usage_row_change(row, &change);
	if (counter->reserve && counter->expires_at < platform_usage_reserved_until(row))
		platform_usage_set_reserved_until(row, counter->expires_at);
	switch (platform_row_update(row))
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
	return SWAP_BUSY;
}

/* One attempt by way of the root; false to begin again. */
static bool
consume(Counter *counter, SplitMemo *memo, bool had_slots, bool *settled)
{
	SwapOutcome outcome;
	PlatformRow row;
	Datum		keys[4];
	bool		found;

	platform_usage_keys(counter, 0, keys);
	platform_row_open(&row, &platform_usage_table);
	found = platform_row_find(&row, keys);
	if (found)
		outcome = consume_by_swap(counter, &row, memo, *settled);
	platform_row_close(&row);
	if (!found)
	{
		/* A refusal leaves nothing behind, not even a row. */
		int64		none[COUNTER_WINDOWS] = {0};

		platform_counter_decide(counter, none);
		if (counter->allowed)
			platform_counter_ensure(counter);
		else
			platform_counter_refuse(counter, none);
		return !counter->allowed;
	}

	switch (outcome)
	{
		case SWAP_DONE:
			return true;
		case SWAP_SETTLE:
			settle(counter);
			*settled = true;
			break;
		case SWAP_SPLIT:
			/* News: try the slots first. */
			if (!had_slots && counter_fits_slots(counter))
				break;
			return platform_counter_is_refused(counter) ||
				platform_counter_consume_at_root(counter, false);
		case SWAP_BUSY:
			return platform_counter_consume_at_root(counter,
													memo->busy >= COUNTER_BUSY_TO_SPLIT);
		case SWAP_AGAIN:
			break;
	}
	return false;
}

void
platform_counter_consume(Counter *counter)
{
	SplitMemo  *memo = find_memo(counter);
	bool		settled = false;
	bool		had_slots;

	do
	{
		CHECK_FOR_INTERRUPTS();
		had_slots = memo->slots > 0;
		if (had_slots && counter_fits_slots(counter) && consume_in_slot(counter, memo))
		{
			if (counter->want_totals)
				platform_counter_totals(counter);
			return;
		}
	} while (!consume(counter, memo, had_slots, &settled));
}

void
platform_counter_undo(Counter *counter)
{
	CounterChange change;
	PlatformRow row;
	Datum		keys[4];

	platform_usage_change(counter, &change);
	change.used = -change.used;
	change.unkeyed = -change.unkeyed;
	change.overage = -change.overage;
	change.reserved = -change.reserved;

	/* This transaction wrote the row, so nobody else can have changed it. */
	platform_usage_keys(counter, counter->slot, keys);
	platform_row_open(&row, &platform_usage_table);
	if (!platform_row_find(&row, keys))
		elog(ERROR, "row of feature usage disappeared");
	platform_usage_row_change(&row, &change);
	if (counter->slot > 0 && counter_is_limited(counter))
		platform_usage_row_add(&row, C_CREDIT, counter->consumed);
	if (counter->crossed != 0)
		platform_row_set(&row, C_ANNOUNCED, Int16GetDatum(counter->announced));
	counter->crossed = 0;
	if (platform_row_update(&row) != ROW_DONE)
		elog(ERROR, "row of feature usage was changed");
	platform_row_close(&row);
}

bool
platform_counter_adjust(const pg_uuid_t *organization, Datum feature,
						TimestampTz period_start, const CounterChange *change)
{
	Counter		counter;

	memset(&counter, 0, sizeof(counter));
	counter.organization = *organization;
	counter.feature = feature;
	counter.period.month_start = period_start;
	return write_root(&counter, change, 1, false, DT_NOEND);
}
