/*
 * calls.c
 *	  A call's meter: see calls.h. Nothing here waits, bills, or runs a query,
 *	  but for the rate card when it is not known yet.
 *
 * Rows of call_sessions are read and written by direct access (core/row.h):
 * the executor's part of a heartbeat would cost more than the rest of it.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "tokens/calls.h"
#include "tokens/entries.h"
#include "tokens/tokens.h"

#define ANONYMOUS_PREFIX	"anonymous_"

enum
{
	S_ID,
	S_ORGANIZATION,
	S_MODE,
	S_USER,
	S_START_TIME,
	S_END_TIME,
	S_USED_TURN,
	S_CREDIT_COST,
	S_STATUS,
	S_DURATION,
	S_ON_EXHAUSTED,
	S_GRACE,
	S_HEARTBEAT_AT,
	S_RATE,
	S_TURN_RATE,
	S_SEGMENT,
	S_SEGMENT_TURN,
	S_SEGMENT_STARTED_AT,
	S_SEGMENT_CHARGED,
	S_SEGMENT_STARTS,
	S_CHARGED,
	S_SEQUENCE,
	S_METERED_THROUGH,
	S_NEXT_CHARGE_AT,
	S_RESERVE_MINUTES,
	S_RESERVED,
	S_RESERVED_UNTIL,
	S_UPDATED_AT,
	S_COLUMNS
};

PlatformRowTable platform_call_table = {
	.cache = {.name = "call sessions", .tables = {"call_sessions"}},
	.nkeys = 2,
	.ncolumns = S_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"mode", TEXTOID},
		{"user_id", TEXTOID},
		{"start_time", TIMESTAMPTZOID},
		{"end_time", TIMESTAMPTZOID},
		{"used_turn", BOOLOID},
		{"credit_cost", NUMERICOID},
		{"status", TEXTOID},
		{"duration_seconds", INT8OID},
		{"on_exhausted", TEXTOID},
		{"grace_seconds", INT4OID},
		{"heartbeat_at", TIMESTAMPTZOID},
		{"rate_id", UUIDOID},
		{"turn_rate_id", UUIDOID},
		{"segment", INT4OID},
		{"segment_turn", BOOLOID},
		{"segment_started_at", TIMESTAMPTZOID},
		{"segment_charged", INT8OID},
		{"segment_starts", INT8ARRAYOID},
		{"charged", INT8OID},
		{"sequence", INT4OID},
		{"metered_through", TIMESTAMPTZOID},
		{"next_charge_at", TIMESTAMPTZOID},
		{"reserve_minutes", INT4OID},
		{"reserved", INT8OID},
		{"reserved_until", TIMESTAMPTZOID},
		{"updated_at", TIMESTAMPTZOID},
	},
};

static const char *const state_names[] = {"live", "ended", "lost"};

void
platform_calls_init(void)
{
	platform_row_register(&platform_call_table);
	platform_rates_init();
}

/*
 * Columns.
 */

/* A text column that is one of few words: its first letter tells which. */
static char
get_initial(const PlatformRow *row, int column, int letter)
{
	bool		isnull;
	text	   *value = DatumGetTextPP(platform_row_get(row, column, &isnull));

	return VARDATA_ANY(value)[letter];
}

static void
set_time(PlatformRow *row, int column, TimestampTz value)
{
	platform_row_set(row, column, TimestampTzGetDatum(value));
}

bool
platform_call_has_payer(text *user_id)
{
	int			length = sizeof(ANONYMOUS_PREFIX) - 1;

	return user_id != NULL &&
		!(VARSIZE_ANY_EXHDR(user_id) >= length &&
		  memcmp(VARDATA_ANY(user_id), ANONYMOUS_PREFIX, length) == 0);
}

const pg_uuid_t *
platform_call_organization(const PlatformRow *row)
{
	bool		isnull;

	return DatumGetUUIDP(platform_row_get(row, S_ORGANIZATION, &isnull));
}

/* The rates of the row, else those of its start. */
static void
load_rates(const PlatformRow *row, CallSession *call)
{
	for (int turn = 0; turn < 2; turn++)
	{
		bool		isnull;
		Datum		id = platform_row_get(row, turn ? S_TURN_RATE : S_RATE, &isnull);

		if (!isnull && platform_rate_by_id(DatumGetUUIDP(id), &call->rates[turn]))
			continue;
		if (!platform_rate_at(call->video, turn, call->start_time, &call->rates[turn]))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_NOT_FOUND),
					 errmsg("no token rate was valid then")));
	}
}

static void
load_starts(const PlatformRow *row, CallSession *call)
{
	bool		isnull = true;
	Datum		datum = (Datum) 0;
	ArrayType  *array;

	call->nstarts = 0;
	call->starts = NULL;
	call->starts_changed = false;
	if (call->segment > 0)
		datum = platform_row_get(row, S_SEGMENT_STARTS, &isnull);
	if (isnull)
		return;
	array = DatumGetArrayTypePCopy(datum);
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array))
		return;
	call->nstarts = ARR_DIMS(array)[0];
	call->starts = (int64 *) ARR_DATA_PTR(array);
}

void
platform_call_load(const PlatformRow *row, CallSession *call)
{
	bool		isnull;
	Datum		user_id = platform_row_get(row, S_USER, &isnull);

	call->user_id = isnull ? NULL : DatumGetTextPCopy(user_id);
	if (!platform_call_has_payer(call->user_id))
		call->user_id = NULL;
	call->id = platform_row_get_uuid(row, S_ID);
	call->organization = *platform_call_organization(row);
	call->video = get_initial(row, S_MODE, 1) == 'i';
	call->start_time = platform_row_get_timestamptz(row, S_START_TIME, 0);
	call->end_time = platform_row_get_timestamptz(row, S_END_TIME, DT_NOEND);
	switch (get_initial(row, S_STATUS, 1))
	{
		case 'i':
			call->state = CALL_LIVE;
			break;
		case 'n':
			call->state = CALL_ENDED;
			break;
		default:
			call->state = CALL_LOST;
	}
	switch (get_initial(row, S_ON_EXHAUSTED, 1))
	{
		case 'o':
			call->on_exhausted = CALL_CONTINUE;
			break;
		case 'a':
			call->on_exhausted = CALL_WARN;
			break;
		default:
			call->on_exhausted = CALL_CUT;
	}
	call->grace_seconds = platform_row_get_int32(row, S_GRACE, 0);
	call->heartbeat_at = platform_row_get_timestamptz(row, S_HEARTBEAT_AT, call->start_time);
	load_rates(row, call);
	call->used_turn = platform_row_get_bool(row, S_USED_TURN, false);
	call->segment = platform_row_get_int32(row, S_SEGMENT, 0);
	call->turn = platform_row_get_bool(row, S_SEGMENT_TURN, call->used_turn);
	call->segment_started_at = platform_row_get_timestamptz(row, S_SEGMENT_STARTED_AT, call->start_time);
	call->segment_charged = platform_row_get_int64(row, S_SEGMENT_CHARGED, 0);
	load_starts(row, call);
	call->charged = platform_row_get_int64(row, S_CHARGED, 0);
	call->sequence = platform_row_get_int32(row, S_SEQUENCE, 0);
	call->metered_through = platform_row_get_timestamptz(row, S_METERED_THROUGH, call->start_time);
	call->next_charge_at = platform_row_get_timestamptz(row, S_NEXT_CHARGE_AT, call->start_time);
	call->reserve_minutes = platform_row_get_int32(row, S_RESERVE_MINUTES, 0);
	call->reserved = platform_row_get_int64(row, S_RESERVED, 0);
	call->reserved_until = platform_row_get_timestamptz(row, S_RESERVED_UNTIL, 0);
}

void
platform_call_store(PlatformRow *row, const CallSession *call)
{
	bool		isnull;
	TimestampTz duration;

	if (call->end_time == DT_NOEND)
	{
		platform_row_set_null(row, S_END_TIME);
		platform_row_set_null(row, S_DURATION);
	}
	else
	{
		duration = Max(call->end_time - call->start_time, 0) / USECS_PER_SEC;
		set_time(row, S_END_TIME, call->end_time);
		if (call->state != CALL_LIVE)
			platform_row_set(row, S_DURATION, Int64GetDatum(duration));
	}
	if (call->used_turn != platform_row_get_bool(row, S_USED_TURN, false))
		platform_row_set(row, S_USED_TURN, BoolGetDatum(call->used_turn));
	if (strncmp(state_names[call->state],
				VARDATA_ANY(DatumGetPointer(platform_row_get(row, S_STATUS, &isnull))), 4) != 0)
		platform_row_set(row, S_STATUS, CStringGetTextDatum(state_names[call->state]));
	if (call->state != CALL_LIVE)
		platform_row_set(row, S_CREDIT_COST, NumericGetDatum(int64_to_numeric(call->charged)));
	if (call->grace_seconds > 0)
		set_time(row, S_HEARTBEAT_AT, call->heartbeat_at);
	platform_row_set(row, S_RATE, UUIDPGetDatum(&call->rates[0].id));
	platform_row_set(row, S_TURN_RATE, UUIDPGetDatum(&call->rates[1].id));
	platform_row_set(row, S_SEGMENT, Int32GetDatum(call->segment));
	platform_row_set(row, S_SEGMENT_TURN, BoolGetDatum(call->turn));
	set_time(row, S_SEGMENT_STARTED_AT, call->segment_started_at);
	platform_row_set(row, S_SEGMENT_CHARGED, Int64GetDatum(call->segment_charged));
	if (call->starts_changed)
		platform_row_set(row, S_SEGMENT_STARTS, platform_entries_array(call->starts, call->nstarts));
	platform_row_set(row, S_CHARGED, Int64GetDatum(call->charged));
	platform_row_set(row, S_SEQUENCE, Int32GetDatum(call->sequence));
	set_time(row, S_METERED_THROUGH, call->metered_through);
	set_time(row, S_NEXT_CHARGE_AT, call->next_charge_at);
	platform_row_set(row, S_RESERVED, Int64GetDatum(call->reserved));
	if (call->reserved > 0)
		set_time(row, S_RESERVED_UNTIL, call->reserved_until);
	else
		platform_row_set_null(row, S_RESERVED_UNTIL);
	set_time(row, S_UPDATED_AT, GetCurrentTimestamp());
}

/*
 * The meter.
 */

int64
platform_call_segment_seconds(const CallSession *call, TimestampTz at)
{
	int64		seconds;

	if (at <= call->segment_started_at)
		return 0;
	seconds = (at - call->segment_started_at) / USECS_PER_SEC;
	return Min(seconds, TOKEN_SECONDS_MAX);
}

/* When the segment costs more than it has been charged. */
static TimestampTz
next_charge(const CallSession *call)
{
	int64		covered;

	if (call->user_id == NULL)
		return DT_NOEND;
	covered = platform_rate_covers(platform_call_rate(call), call->segment_charged);
	if (covered >= TOKEN_SECONDS_MAX)
		return DT_NOEND;
	return call->segment_started_at + (covered + 1) * USECS_PER_SEC;
}

/*
 * The id of the charge's entry: time-ordered like any other (RFC 9562, version
 * 7), by the moment at which the charge became due, and otherwise made from
 * what it charges. The primary key thus refuses to bill it twice, and entries
 * of one moment stand together in its index.
 */
static void
make_charge_id(const CallSession *call, CallCharge *charge)
{
	TimestampTz due = next_charge(call);
	uint64		millis = (uint64) (due / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
								   (USECS_PER_DAY / 1000));
	struct
	{
		pg_uuid_t	session;
		int32		segment;
		int32		sequence;
	}			source = {call->id, call->segment, call->sequence};
	uint64		hash[2];

	for (int i = 0; i < 2; i++)
		hash[i] = hash_bytes_extended((unsigned char *) &source, sizeof(source), i);
	for (int i = 0; i < 6; i++)
		charge->id.data[i] = (unsigned char) (millis >> (40 - 8 * i));
	memcpy(charge->id.data + 6, &hash[0], 2);
	memcpy(charge->id.data + 8, &hash[1], 8);
	charge->id.data[6] = (charge->id.data[6] & 0x0f) | 0x70;
	charge->id.data[8] = (charge->id.data[8] & 0x3f) | 0x80;
}

void
platform_call_charge(CallSession *call, TimestampTz at, CallCharge *charge)
{
	const TokenRate *rate = platform_call_rate(call);
	int64		price;

	memset(charge, 0, sizeof(CallCharge));
	if (call->user_id == NULL)
	{
		call->next_charge_at = DT_NOEND;
		return;
	}
	price = platform_rate_price(rate, platform_call_segment_seconds(call, at));
	if (price > call->segment_charged)
	{
		charge->tokens = price - call->segment_charged;
		charge->seconds = Max((at - call->start_time) / USECS_PER_SEC -
							  (call->metered_through - call->start_time) / USECS_PER_SEC, 0);
		charge->video = call->video;
		charge->turn = call->turn;
		charge->segment = call->segment;
		charge->sequence = call->sequence;
		charge->rate_id = rate->id;
		make_charge_id(call, charge);
		call->segment_charged = price;
		call->charged += charge->tokens;
		call->sequence++;
		call->metered_through = at;
	}
	call->next_charge_at = next_charge(call);
}

/* Segments take turns: the one before the present one had what this one has not. */
int64
platform_call_excess(const CallSession *call, TimestampTz at)
{
	int64		end = Max(at - call->start_time, 0) / USECS_PER_SEC;
	int64		price = 0;

	if (call->user_id == NULL)
		return 0;
	if (call->nstarts != call->segment)
	{
		/* A row made by hand: what was before is not known, so it stays. */
		price = platform_rate_price(platform_call_rate(call), platform_call_segment_seconds(call, at));
		return Max(call->segment_charged - price, 0);
	}
	for (int64 i = 0; i <= call->nstarts; i++)
	{
		bool		turn = call->turn != ((call->nstarts - i) % 2 != 0);
		int64		from = i == 0 ? 0 : call->starts[i - 1];
		int64		to = i == call->nstarts ? end : Min(call->starts[i], end);

		if (to > from)
			price += platform_rate_price(&call->rates[turn ? 1 : 0], to - from);
	}
	return Max(call->charged - price, 0);
}

static void
add_start(CallSession *call)
{
	int64	   *starts;

	/* Not that of a row made by hand, which does not know them all. */
	if (call->nstarts != call->segment)
		return;
	starts = palloc((call->nstarts + 1) * sizeof(int64));
	if (call->nstarts > 0)
		memcpy(starts, call->starts, call->nstarts * sizeof(int64));
	starts[call->nstarts++] = (call->segment_started_at - call->start_time) / USECS_PER_SEC;
	call->starts = starts;
	call->starts_changed = true;
}

void
platform_call_set_turn(CallSession *call, bool turn, TimestampTz at)
{
	if (turn == call->turn)
		return;

	/* Segments begin at whole seconds: no second falls between two of them. */
	call->segment_started_at += platform_call_segment_seconds(call, at) * USECS_PER_SEC;
	add_start(call);
	call->segment++;
	call->turn = turn;
	call->used_turn |= turn;
	call->segment_charged = 0;
	call->sequence = 0;
	call->next_charge_at = next_charge(call);
}

int64
platform_call_reserve_tokens(const CallSession *call, TimestampTz at)
{
	int64		seconds = platform_call_segment_seconds(call, at);

	if (call->user_id == NULL || call->reserve_minutes == 0 || call->state != CALL_LIVE)
		return 0;
	return Max(platform_rate_price(platform_call_rate(call), seconds + call->reserve_minutes * 60) -
			   call->segment_charged, 0);
}

void
platform_call_close(CallSession *call, TimestampTz at, CallState state)
{
	call->state = state;
	call->end_time = at;
}
