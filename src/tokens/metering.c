/*
 * metering.c
 *	  meter_active_sessions(): the heartbeat of all live calls at once.
 *
 * Calls that are due come from a cursor in the order of their accounts, in
 * batches. A batch is one subtransaction: each call is charged and its row
 * swapped, without waiting, so a call that somebody else reports at the moment
 * is left to him; then all charges are burned, an account's row written once;
 * then what had no account goes to unbilled_usage. When a batch fails it is
 * done again in smaller ones, down to one account, whose charges then go to
 * unbilled_usage; if even that fails its calls stay as they were and are due
 * again. Memory is that of a batch.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/identity.h"
#include "core/query.h"
#include "core/try.h"
#include "tokens/billing.h"
#include "tokens/tokens.h"

#define METER_BATCH			10000
#define METER_SMALL_BATCH	100		/* after a batch failed */

PG_FUNCTION_INFO_V1(platform_meter_active_sessions);

/*
 * Due: a charge up to $1, or up to the last heartbeat of calls that send them;
 * or an end. A call with a rate by the second is due every ten seconds.
 */
static PlatformQuery due_calls =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER | QUERY_IN_ORDER,
				   "SELECT s.ctid FROM platform.call_sessions s"
				   " WHERE s.status OPERATOR(pg_catalog.=) 'live' AND ("
				   " s.next_charge_at IS NULL"
				   " OR s.end_time IS NOT NULL"
				   " OR s.heartbeat_at OPERATOR(pg_catalog.+)"
				   " pg_catalog.make_interval(secs => s.grace_seconds) OPERATOR(pg_catalog.<) $1"
				   " OR s.next_charge_at OPERATOR(pg_catalog.<=)"
				   " CASE WHEN s.grace_seconds IS NULL THEN $1"
				   " ELSE LEAST(s.heartbeat_at, $1) END"
				   " AND (s.metered_through IS NULL OR s.metered_through OPERATOR(pg_catalog.<=)"
				   " ($1 OPERATOR(pg_catalog.-) interval '10 seconds')))"
				   " ORDER BY s.organization_id, s.user_id, s.id LIMIT $2",
				   TIMESTAMPTZOID, INT8OID);

typedef struct Meter
{
	TimestampTz at;
	int64		metered;		/* calls charged or closed */
	int64		tokens;			/* burned, debt included; less what was given back */
	int64		shortfall;		/* debt */
	int64		unbilled;		/* tokens put into unbilled_usage */
	int64		closed;			/* calls closed */
	int64		skipped;		/* calls that somebody else held, or that failed */
} Meter;

typedef struct MeterCall
{
	CallSession call;
	CallCharge	charge;
	bool		burns;			/* its account has something to do */
	CallReservation before;		/* then: what it had set aside */
} MeterCall;

/* A part of a batch: what one subtransaction does. */
typedef struct MeterPart
{
	TimestampTz at;
	int			count;
	ItemPointerData *tids;
	const ErrorData *error;		/* set: put all into unbilled_usage, for this */
	bool		one_account;	/* found while it ran */
	Meter		sum;
} MeterPart;

/*
 * A call whose end was noted before what was metered: that is given back first,
 * with the row locked. False: it is held, or the account fails.
 */
static bool
give_back(PlatformRow *row, MeterPart *part, CallSession *call, int64 excess)
{
	int64		given;

	if (part->error != NULL || !platform_row_lock_now(row))
		return false;
	/* Written first: the ledger ends reservations that are over in rows of live calls. */
	platform_call_write(row, call);
	given = platform_call_give_back(call, excess);
	part->sum.tokens -= given;
	return true;
}

/* Charges one call and swaps its row. False: nothing was due, or it is held. */
static bool
claim_call(PlatformRow *row, MeterPart *part, MeterCall *item)
{
	CallSession *call = &item->call;
	TimestampTz through = part->at;
	int64		excess = 0;
	int64		left = 0;
	PlatformRowResult result;

	platform_call_load(row, call);
	if (call->grace_seconds > 0)
		through = Min(call->heartbeat_at, part->at);
	if (call->end_time != DT_NOEND)
		through = call->end_time;
	platform_call_charge(call, through, &item->charge);
	if (call->end_time != DT_NOEND)
	{
		TimestampTz end = Max(call->end_time, call->start_time);

		excess = platform_call_excess(call, end);
		platform_call_close(call, end, CALL_ENDED);
	}
	else if (call->grace_seconds > 0 &&
			 call->heartbeat_at + call->grace_seconds * USECS_PER_SEC < part->at)
		platform_call_close(call, call->heartbeat_at, CALL_LOST);

	if (excess > 0 && !give_back(row, part, call, excess))
	{
		part->sum.skipped++;
		return false;
	}
	item->burns = part->error == NULL && platform_call_needs_account(call, &item->charge);
	if (item->burns)
		item->before = platform_call_begin_reserve(call, through);
	else if (call->state != CALL_LIVE)
	{
		left = call->user_id != NULL ? call->reserved : 0;
		call->reserved = 0;
	}
	platform_call_store(row, call);
	result = excess > 0 ? platform_row_update_locked(row) : platform_row_update(row);
	if (result != ROW_DONE)
		part->sum.skipped++;
	else if (left > 0)
		platform_hold_instead(&call->organization, call->user_id, left, call->reserved_until);
	return result == ROW_DONE;
}

/* Are all claimed calls those of one account? */
static bool
is_one_account(const MeterCall *items, int count)
{
	for (int i = 1; i < count; i++)
	{
		const CallSession *a = &items[i - 1].call;
		const CallSession *b = &items[i].call;

		if (!platform_uuid_equal(&a->organization, &b->organization) ||
			(a->user_id == NULL) != (b->user_id == NULL) ||
			(a->user_id != NULL && platform_tokens_compare(a->user_id, b->user_id) != 0))
			return false;
	}
	return true;
}

/* The account had less to set aside than the row says. */
static void
correct_reservation(PlatformRow *row, const CallSession *call, int64 reserved)
{
	Datum		keys[2] = {UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->organization)};
	CallSession now;

	if (!platform_row_find(row, keys))
		elog(ERROR, "call session disappeared while it was locked");
	platform_call_load(row, &now);
	now.reserved = reserved;
	platform_call_write(row, &now);
}

/* Answers of the account: sums, reservations, what it did not take. */
static void
settle_item(PlatformRow *row, MeterPart *part, MeterCall *item, const TokenBurn *burn)
{
	const char *reason = NULL;

	if (burn != NULL)
	{
		reason = platform_burn_reason(burn->status);
		if (platform_burn_reserved(burn) != burn->reserve)
			correct_reservation(row, &item->call, platform_burn_reserved(burn));
	}
	else if (part->error != NULL && item->charge.tokens > 0)
		reason = platform_bill_reason(part->error);

	part->sum.metered++;
	part->sum.closed += item->call.state != CALL_LIVE;
	if (reason != NULL && item->charge.tokens > 0)
	{
		platform_call_record_unbilled(&item->call, &item->charge, reason, part->error);
		part->sum.unbilled += item->charge.tokens;
	}
	else if (burn != NULL)
	{
		part->sum.tokens += burn->burned;
		part->sum.shortfall += burn->shortfall;
	}
}

static void
meter_body(void *arg)
{
	MeterPart  *part = arg;
	MeterCall  *items = palloc_extended(sizeof(MeterCall) * part->count, MCXT_ALLOC_HUGE);
	TokenBurn  *burns = palloc_extended(sizeof(TokenBurn) * part->count, MCXT_ALLOC_HUGE);
	int			nitems = 0;
	int			nburns = 0;
	PlatformRow row;

	memset(&part->sum, 0, sizeof(Meter));
	part->one_account = part->count == 1;
	platform_row_open(&row, &platform_call_table);
	for (int i = 0; i < part->count; i++)
	{
		MeterCall  *item = &items[nitems];

		if (!platform_row_fetch(&row, &part->tids[i]))
			part->sum.skipped++;
		else if (claim_call(&row, part, item))
		{
			nitems++;
			if (item->burns)
				platform_call_prepare_burn(&item->call, &item->charge, item->before.amount,
										   &burns[nburns++]);
		}
	}
	part->one_account |= is_one_account(items, nitems);
	if (nburns > 0)
		platform_ledger_burn_batch(burns, nburns);
	nburns = 0;
	for (int i = 0; i < nitems; i++)
		settle_item(&row, part, &items[i], items[i].burns ? &burns[nburns++] : NULL);
	platform_row_close(&row);
}

static void
add_sum(Meter *meter, const Meter *sum)
{
	meter->metered += sum->metered;
	meter->tokens += sum->tokens;
	meter->shortfall += sum->shortfall;
	meter->unbilled += sum->unbilled;
	meter->closed += sum->closed;
	meter->skipped += sum->skipped;
}

/* A part, and when it fails, its parts. */
static void
meter_part(Meter *meter, ItemPointerData *tids, int count)
{
	MeterPart	part = {.at = meter->at, .count = count, .tids = tids};
	int			step = count > METER_SMALL_BATCH ? METER_SMALL_BATCH : 1;
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	error = platform_try(meter_body, &part);
	if (error != NULL && part.one_account)
	{
		part.error = error;
		error = platform_try(meter_body, &part);
		if (error != NULL)
			meter->skipped += count;
	}
	else if (error != NULL)
	{
		for (int i = 0; i < count; i += step)
			meter_part(meter, tids + i, Min(step, count - i));
		return;
	}
	if (error == NULL)
		add_sum(meter, &part.sum);
}

/* All that is due, at most limit calls. */
static void
meter_calls(Meter *meter, int64 limit)
{
	Datum		values[2] = {TimestampTzGetDatum(meter->at), Int64GetDatum(limit)};
	MemoryContext context;
	MemoryContext old;
	ItemPointerData *tids = palloc(sizeof(ItemPointerData) * METER_BATCH);
	Portal		portal;

	context = AllocSetContextCreate(CurrentMemoryContext, "platform metering",
									ALLOCSET_DEFAULT_SIZES);
	platform_query_begin();
	portal = platform_query_cursor(&due_calls, values, NULL);
	for (;;)
	{
		int			count;

		SPI_cursor_fetch(portal, true, METER_BATCH);
		count = (int) SPI_processed;
		for (int i = 0; i < count; i++)
		{
			bool		isnull;

			tids[i] = *(ItemPointer) DatumGetPointer(platform_row_datum(i, 1, &isnull));
		}
		SPI_freetuptable(SPI_tuptable);
		if (count == 0)
			break;
		old = MemoryContextSwitchTo(context);
		meter_part(meter, tids, count);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	SPI_cursor_close(portal);
	platform_query_end();
	MemoryContextDelete(context);
}

/*
 * platform.meter_active_sessions("limit" bigint DEFAULT 10000, at timestamptz DEFAULT NULL)
 *		RETURNS (metered bigint, tokens bigint, shortfall bigint, unbilled bigint,
 *				 closed bigint, skipped bigint)
 *
 * Burns what is due of live calls, at most limit of them (NULL: all): up to now,
 * or of calls that send heartbeats up to their last one. Closes those whose
 * heartbeats have stopped for longer than their grace, with the last heartbeat
 * as their end, and those whose end was noted or written by SQL. Calls and
 * accounts stay locked until the transaction ends. For a scheduler; run it again
 * while metered reaches the limit.
 *
 * metered: calls charged or closed; tokens: burned, shortfall of them as debt,
 * less what ends before the metered time gave back;
 * unbilled: tokens put into unbilled_usage; skipped: calls that somebody else
 * had locked or that failed, due again. Never raises because of billing.
 * Operators. Errors: 42501; 22023 limit below 1, a future at; 25006.
 */
Datum
platform_meter_active_sessions(PG_FUNCTION_ARGS)
{
	Meter		meter = {.at = GetCurrentTimestamp()};
	int64		limit = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
	Datum		values[6];
	bool		nulls[6] = {false};

	platform_require_module(&platform_tokens_module);
	platform_require_operator("meter calls");
	if (limit < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit must be greater than zero")));
	if (!PG_ARGISNULL(1))
	{
		TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);

		if (TIMESTAMP_NOT_FINITE(at) || at > meter.at)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("at must not lie in the future")));
		meter.at = at;
	}
	PreventCommandIfReadOnly("UPDATE");
	meter_calls(&meter, limit);

	values[0] = Int64GetDatum(meter.metered);
	values[1] = Int64GetDatum(meter.tokens);
	values[2] = Int64GetDatum(meter.shortfall);
	values[3] = Int64GetDatum(meter.unbilled);
	values[4] = Int64GetDatum(meter.closed);
	values[5] = Int64GetDatum(meter.skipped);
	return platform_return_row(fcinfo, values, nulls);
}
