/*
 * counter_root.c
 *	  Decisions at the root of a counter, where it is known what slots hold.
 *
 * One session at a time decides about a split counter: it holds the counter's
 * mutex, and keeps it to the end of its transaction when it has given or taken
 * credit or counted at the root, for that is not visible to others before.
 * While a counter is not split its root row is that lock: whoever has written
 * it needs no mutex, the others can't get past it.
 *
 * A session that has no part of the counter may wait for a slot's holder,
 * after letting the mutex go. One that has a part does not: it takes credit
 * that others hold for used. So no circle of waiting is possible within one
 * counter; the price is that a transaction which consumes twice near the limit
 * may be refused what another transaction in progress holds.
 */
#include "core/platform.h"

#include "miscadmin.h"

#include "features/counter_rows.h"

#define COUNTER_SHARE 64		/* a slot gets this fraction of what is left */
#define COUNTER_CREDIT_MAX (INT64CONST(1) << 40)

/* What the rows of a counter hold. */
typedef struct CounterTotals
{
	int64		used[COUNTER_WINDOWS];	/* sums over all rows */
	int64		credit[COUNTER_WINDOWS];
	bool		settlement_due;
	bool		own;			/* this transaction wrote one of the rows */
} CounterTotals;

/* One row by its slot: one that is seen twice counts once. */
typedef struct SlotState
{
	bool		seen;
	bool		busy;			/* held by another transaction */
	int64		used[COUNTER_WINDOWS];
	int64		credit;
	int			credit_day;
} SlotState;

typedef struct RootVisit
{
	Counter    *counter;
	CounterTotals totals;
	SlotState	slots[COUNTER_SLOTS + 1];	/* 0 is the root */
	bool		contended;
	bool		split;
	bool		locked;			/* this visit took the mutex */
	int			wait_slot;
} RootVisit;

typedef enum RootOutcome
{
	ROOT_COUNTED,
	ROOT_REFUSED,
	ROOT_CHANGED,				/* begin again */
	ROOT_WAIT					/* the answer depends on who holds wait_slot */
} RootOutcome;

static void
collect_row(RootVisit *visit, const PlatformRow *row)
{
	int			slot = platform_row_get_int16(row, C_SLOT, 0);
	SlotState  *state;

	if (slot < 0 || slot > COUNTER_SLOTS)
		return;
	state = &visit->slots[slot];
	state->seen = true;
	state->busy = platform_row_is_busy(row);
	state->used[COUNTER_MONTH] = platform_row_get_int64(row, C_USED, 0);
	state->used[COUNTER_DAY] = platform_usage_row_day(row, visit->counter->period.day);
	state->credit = platform_row_get_int64(row, C_CREDIT, 0);
	state->credit_day = platform_row_get_int16(row, C_CREDIT_DAY, 0);
	visit->totals.own |= platform_row_is_own(row);
	if (slot == 0)
		visit->totals.settlement_due = platform_usage_settlement_due(row);
}

/* busy_only: credit that can't be taken back now. */
static void
sum_slots(const RootVisit *visit, bool busy_only, int64 *used, int64 *credit)
{
	int			day = visit->counter->period.day;

	memset(used, 0, COUNTER_WINDOWS * sizeof(int64));
	memset(credit, 0, COUNTER_WINDOWS * sizeof(int64));
	for (int slot = 0; slot <= COUNTER_SLOTS; slot++)
	{
		const SlotState *state = &visit->slots[slot];

		for (int w = 0; w < COUNTER_WINDOWS; w++)
			used[w] += state->used[w];
		if (busy_only && !state->busy)
			continue;
		credit[COUNTER_MONTH] += state->credit;
		if (state->credit_day == day)
			credit[COUNTER_DAY] += state->credit;
	}
}

/*
 * Reads all rows. Under the mutex each may be read as it is when visited,
 * which takes no predicate locks; else (latest) one snapshot makes the sum one
 * that existed.
 */
static void
read_rows(RootVisit *visit, bool latest)
{
	int			expected;
	int			seen;
	PlatformRow row;
	Datum		keys[4];

	platform_usage_keys(visit->counter, 0, keys);
	platform_row_open(&row, &platform_usage_table);
	do
	{
		memset(&visit->totals, 0, sizeof(visit->totals));
		memset(visit->slots, 0, sizeof(visit->slots));
		expected = 1;
		platform_row_scan_begin(&row, keys, 3, latest);
		while (platform_row_scan_next(&row))
		{
			collect_row(visit, &row);
			if (platform_row_get_int16(&row, C_SLOT, 0) == 0)
				expected = 1 + platform_row_get_int16(&row, C_SLOTS, 0);
		}
		platform_row_scan_end(&row);
		seen = 0;
		for (int slot = 0; slot <= COUNTER_SLOTS; slot++)
			seen += visit->slots[slot].seen;
		latest = !latest;
	} while (seen < expected && latest);
	platform_row_close(&row);
	sum_slots(visit, false, visit->totals.used, visit->totals.credit);
}

void
platform_counter_totals(Counter *counter)
{
	RootVisit	visit = {.counter = counter};

	read_rows(&visit, true);
	memcpy(counter->used, visit.totals.used, sizeof(counter->used));
}

/*
 * Spares the mutex where a used-up counter is asked again and again.
 */
bool
platform_counter_is_refused(Counter *counter)
{
	RootVisit	visit = {.counter = counter};

	read_rows(&visit, true);
	if (visit.totals.settlement_due)
		return false;
	platform_counter_decide(counter, visit.totals.used);
	if (counter->allowed)
		return false;
	platform_counter_refuse(counter, visit.totals.used);
	return true;
}

/*
 * How much can be counted, or given as credit, without reaching the next
 * threshold even if all the credit is consumed.
 */
static int64
silent_room(const Counter *counter, const int64 *used, const int64 *credit)
{
	int64		room = PG_INT64_MAX;

	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		int64		next = used[w] < counter->soft[w] ? counter->soft[w] : counter->limit[w];

		if (counter->limit[w] >= 0)
			room = Min(room, Max(next - 1 - used[w] - credit[w], 0));
	}
	return room;
}

/* Takes the slot's credit back, unless somebody holds it. */
static void
reclaim_slot(RootVisit *visit, PlatformRow *row, int slot)
{
	SlotState  *state = &visit->slots[slot];
	PlatformRowResult result = ROW_CHANGED;
	Datum		keys[4];

	platform_usage_keys(visit->counter, slot, keys);
	while (result == ROW_CHANGED && platform_row_find(row, keys))
	{
		/* Consumption meanwhile has moved credit to used. */
		collect_row(visit, row);
		if (state->busy || state->credit == 0)
			return;
		platform_row_set(row, C_CREDIT, Int64GetDatum(0));
		result = platform_row_update(row);
	}
	if (result == ROW_BUSY)
		state->busy = true;
	else
		state->credit = 0;
}

/*
 * Makes room for an amount that does not fit silently: finds out whether all
 * credit can be taken back, then takes it back. ROOT_COUNTED: the totals say
 * how things stand, and credit that is still out is counted as used.
 */
static RootOutcome
reclaim(RootVisit *visit, int64 need)
{
	Counter    *counter = visit->counter;
	CounterTotals *totals = &visit->totals;
	bool		own = totals->own;
	int64		used[COUNTER_WINDOWS];
	int64		busy[COUNTER_WINDOWS];
	PlatformRow row;

	platform_counter_decide(counter, totals->used);
	if (!counter->allowed)
		return ROOT_REFUSED;
	sum_slots(visit, true, used, busy);
	if (!own && need > silent_room(counter, used, busy))
		for (int slot = 1; slot <= COUNTER_SLOTS; slot++)
			if (visit->slots[slot].busy && visit->slots[slot].credit > 0)
			{
				visit->wait_slot = slot;
				return ROOT_WAIT;
			}

	platform_row_open(&row, &platform_usage_table);
	for (int slot = 1; slot <= COUNTER_SLOTS; slot++)
		if (visit->slots[slot].credit > 0 && !visit->slots[slot].busy)
			reclaim_slot(visit, &row, slot);
	platform_row_close(&row);
	sum_slots(visit, false, totals->used, totals->credit);
	return ROOT_COUNTED;
}

/*
 * Gives the session's slot a share of what is left and counts the amount
 * there. False when somebody holds the slot.
 */
static bool
consume_with_credit(Counter *counter, int slots, int64 room)
{
	int			slot = counter_slot(0, slots);
	PlatformRowResult result = ROW_CHANGED;
	CounterChange change;
	PlatformRow row;
	Datum		keys[4];

	platform_usage_change(counter, &change);
	platform_usage_keys(counter, slot, keys);
	platform_row_open(&row, &platform_usage_table);
	while (result == ROW_CHANGED && platform_row_find(&row, keys))
	{
		platform_usage_row_change(&row, &change);
		platform_usage_give_credit(&row, counter, Min(room / COUNTER_SHARE, COUNTER_CREDIT_MAX));
		result = platform_row_update(&row);
	}
	platform_row_close(&row);
	if (result == ROW_DONE)
		counter->slot = slot;
	return result == ROW_DONE;
}

/* Counts what was decided; root is the version that the totals were read with. */
static RootOutcome
count(RootVisit *visit, PlatformRow *root, int64 room)
{
	Counter    *counter = visit->counter;
	bool		ample = counter_fits_slots(counter) && counter->overage == 0 &&
		room / COUNTER_SHARE >= counter->amount;
	bool		do_split = !visit->split && ample && visit->contended;
	CounterChange change;

	if (visit->split && ample && counter->crossed == 0 && counter_is_limited(counter) &&
		consume_with_credit(counter, platform_row_get_int16(root, C_SLOTS, 0), room))
		return ROOT_COUNTED;

	platform_usage_change(counter, &change);
	platform_usage_row_change(root, &change);
	if (counter->reserve && counter->expires_at < platform_usage_reserved_until(root))
		platform_usage_set_reserved_until(root, counter->expires_at);
	if (do_split)
		platform_row_set(root, C_SLOTS, Int16GetDatum(COUNTER_SLOTS));
	switch (platform_row_update(root))
	{
		case ROW_DONE:
			counter->slot = 0;
			if (do_split)
				platform_usage_insert_rows(counter, 1, COUNTER_SLOTS);
			return ROOT_COUNTED;
		case ROW_BUSY:
			/* Somebody counted here before the counter was contended. */
			platform_row_wait(root);
			break;
		case ROW_CHANGED:
			break;
	}
	return ROOT_CHANGED;
}

static RootOutcome
visit_root(RootVisit *visit, PlatformRow *root)
{
	Counter    *counter = visit->counter;
	CounterTotals *totals = &visit->totals;
	int64		need = Max(counter->amount - counter->held, 0);
	int64		used[COUNTER_WINDOWS];
	int64		room;

	read_rows(visit, false);
	memcpy(used, totals->used, sizeof(used));
	if (need > silent_room(counter, used, totals->credit))
	{
		RootOutcome outcome = reclaim(visit, need);

		if (outcome == ROOT_WAIT)
			return outcome;
		if (outcome == ROOT_REFUSED)
		{
			platform_counter_refuse(counter, totals->used);
			return outcome;
		}
		memcpy(used, totals->used, sizeof(used));
		if (need > silent_room(counter, used, totals->credit))
			for (int w = 0; w < COUNTER_WINDOWS; w++)
				used[w] += totals->credit[w];
	}

	platform_counter_decide(counter, used);
	if (!counter->allowed)
	{
		platform_counter_refuse(counter, totals->used);
		return ROOT_REFUSED;
	}
	room = silent_room(counter, totals->used, totals->credit);
	platform_counter_conclude(counter, used, root);
	return count(visit, root, Max(room - need, 0));
}

/* Waits until nobody holds the slot. */
static void
wait_for_slot(const Counter *counter, int slot)
{
	PlatformRow row;
	Datum		keys[4];

	platform_usage_keys(counter, slot, keys);
	platform_row_open(&row, &platform_usage_table);
	if (platform_row_find(&row, keys))
		platform_row_wait(&row);
	platform_row_close(&row);
}

bool
platform_counter_consume_at_root(Counter *counter, bool contended)
{
	RootVisit	visit = {.counter = counter, .contended = contended};
	RootOutcome outcome = ROOT_CHANGED;
	uint64		mutex = platform_usage_hash(counter);
	PlatformRow root;
	Datum		keys[4];

	platform_usage_keys(counter, 0, keys);
	platform_row_open(&root, &platform_usage_table);
	while (outcome == ROOT_CHANGED && platform_row_find(&root, keys))
	{
		CHECK_FOR_INTERRUPTS();
		if (!visit.locked && !platform_row_is_own(&root))
		{
			platform_mutex_lock(mutex);
			visit.locked = true;
			continue;
		}
		visit.split = platform_row_get_int16(&root, C_SLOTS, 0) > 0;
		outcome = visit_root(&visit, &root);
	}
	platform_row_close(&root);

	if (visit.locked && !(outcome == ROOT_COUNTED && visit.split))
		platform_mutex_unlock(mutex);
	if (outcome == ROOT_WAIT)
		wait_for_slot(counter, visit.wait_slot);
	return outcome == ROOT_COUNTED || outcome == ROOT_REFUSED;
}
