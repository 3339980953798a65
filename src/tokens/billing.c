/*
 * billing.c
 *	  From a call's charge to an entry of its account, or to unbilled_usage.
 *
 * What goes wrong while an account is changed is rolled back and does not reach
 * the caller; only cancellation, shutdown and want of memory do (core/try.h).
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/try.h"
#include "tokens/billing.h"

/* A reservation outlives the minutes that it covers by this many seconds. */
#define RESERVE_MARGIN	90

#define UUID_TEXT		36

static PlatformQuery insert_unbilled =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.unbilled_usage"
				   " (organization_id, user_id, session_id, segment, sequence, tokens, mode,"
				   " used_turn, duration_seconds, rate_id, reason, error_code, error_message, entry_id)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
				   UUIDOID, TEXTOID, UUIDOID, INT4OID, INT4OID, INT8OID, TEXTOID, BOOLOID,
				   INT8OID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID);

const char *
platform_burn_reason(TokenStatus status)
{
	switch (status)
	{
		case TOKENS_NO_ACCOUNT:
			return "no_account";
		case TOKENS_KEY_CONFLICT:
		case TOKENS_INSUFFICIENT:
		case TOKENS_PARTIAL:
			return "error";
		default:
			return NULL;
	}
}

const char *
platform_bill_reason(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ? "lock_timeout" : "error";
}

CallReservation
platform_call_begin_reserve(CallSession *call, TimestampTz at)
{
	CallReservation before = {call->reserved, call->reserved_until};

	call->reserved = platform_call_reserve_tokens(call, at);
	call->reserved_until = GetCurrentTimestamp() +
		(call->reserve_minutes * 60 + RESERVE_MARGIN) * USECS_PER_SEC;
	return before;
}

void
platform_call_write(PlatformRow *row, const CallSession *call)
{
	platform_call_store(row, call);
	if (platform_row_update_locked(row) != ROW_DONE)
		elog(ERROR, "call session was changed while it was locked");
}

/* As uuid_out() has it, faster. */
static text *
session_text(const pg_uuid_t *id)
{
	static const char digits[] = "0123456789abcdef";
	text	   *result = palloc(VARHDRSZ + UUID_TEXT);
	char	   *end = VARDATA(result);

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*end++ = '-';
		*end++ = digits[id->data[i] >> 4];
		*end++ = digits[id->data[i] & 15];
	}
	SET_VARSIZE(result, VARHDRSZ + UUID_TEXT);
	return result;
}

void
platform_call_prepare_burn(const CallSession *call, const CallCharge *charge, int64 release,
						   TokenBurn *burn)
{
	memset(burn, 0, sizeof(TokenBurn));
	burn->organization = call->organization;
	burn->user_id = call->user_id;
	burn->amount = charge->tokens;
	burn->on_insufficient = SHORTAGE_DEBT;
	burn->duration_seconds = -1;
	burn->release = release;
	burn->reserve = call->reserved;
	burn->reserve_until = call->reserved_until;
	if (charge->tokens > 0)
	{
		burn->mode = charge->video ? "video" : "voice";
		burn->has_turn = true;
		burn->used_turn = charge->turn;
		burn->session_id = session_text(&call->id);
		burn->duration_seconds = (int32) charge->seconds;
		burn->id = &charge->id;
		burn->rate_id = &charge->rate_id;
	}
}

typedef struct BillBody
{
	const CallSession *call;
	TokenBurn  *burn;			/* NULL: only the balance is asked for */
	Bill	   *bill;
} BillBody;

static void
bill_body(void *arg)
{
	BillBody   *body = arg;

	if (body->burn != NULL)
		platform_ledger_burn(body->burn);
	body->bill->has_balance = platform_ledger_balance(&body->call->organization,
													  body->call->user_id,
													  &body->bill->balance);
}

int64
platform_call_give_back(CallSession *call, int64 tokens)
{
	int64		given = platform_unbilled_cancel(call, tokens);
	TokenTakeBack back = {
		.organization = call->organization,
		.user_id = call->user_id,
		.session_id = session_text(&call->id),
		.tokens = tokens - given
	};

	if (back.tokens > 0)
		given += platform_ledger_take_back(&back);
	call->charged -= given;
	call->segment_charged = Max(call->segment_charged - given, 0);
	return given;
}

bool
platform_call_needs_account(const CallSession *call, const CallCharge *charge)
{
	if (call->user_id == NULL)
		return false;
	if (charge->tokens > 0)
		return true;
	if (call->state != CALL_LIVE)
		return call->reserved > 0;
	return call->charged == 0 && call->reserved == 0 && call->reserve_minutes > 0;
}

/* What was set aside stays so, with the call or, when that is over, until its time is over. */
static void
keep_reservation(CallSession *call, const CallReservation *before)
{
	if (call->state != CALL_LIVE && before->amount > 0)
	{
		platform_hold_instead(&call->organization, call->user_id, before->amount, before->until);
		return;
	}
	call->reserved = before->amount;
	call->reserved_until = before->until;
}

/* The account's part; the row has been written. Keeps call->reserved true. */
static void
bill_account(CallSession *call, const CallCharge *charge, const CallReservation *before,
			 Bill *bill)
{
	TokenBurn	burn;
	BillBody	body = {.call = call, .burn = &burn, .bill = bill};

	platform_call_prepare_burn(call, charge, before->amount, &burn);
	bill->error = platform_try(bill_body, &body);
	if (bill->error != NULL)
	{
		bill->has_balance = false;
		bill->reason = platform_bill_reason(bill->error);
		keep_reservation(call, before);
		return;
	}
	bill->reason = platform_burn_reason(burn.status);
	call->reserved = platform_burn_reserved(&burn);
	bill->burned = burn.burned;
	bill->shortfall = burn.shortfall;
	if (burn.amount > 0)
		bill->outcome = burn.status == TOKENS_OVERAGE ? BILL_DEBT : BILL_PAID;
}

void
platform_call_bill(PlatformRow *row, CallSession *call, const CallCharge *charge, TimestampTz at,
				   Bill *bill)
{
	CallReservation before;
	int64		hoped;

	if (!platform_call_needs_account(call, charge))
	{
		platform_call_write(row, call);
		platform_call_read_balance(call, bill);
		return;
	}

	memset(bill, 0, sizeof(Bill));
	before = platform_call_begin_reserve(call, at);
	hoped = call->reserved;
	platform_call_write(row, call);
	bill_account(call, charge, &before, bill);
	if (call->reserved != hoped)
		platform_call_write(row, call);
	if (bill->reason != NULL && charge->tokens > 0)
	{
		platform_call_record_unbilled(call, charge, bill->reason, bill->error);
		bill->burned = bill->shortfall = 0;
		bill->outcome = BILL_UNBILLED;
	}
}

void
platform_call_read_balance(const CallSession *call, Bill *bill)
{
	BillBody	body = {.call = call, .bill = bill};

	memset(bill, 0, sizeof(Bill));
	if (call->user_id == NULL)
		return;
	bill->error = platform_try(bill_body, &body);
	if (bill->error != NULL)
	{
		bill->has_balance = false;
		bill->reason = platform_bill_reason(bill->error);
	}
}

void
platform_call_record_unbilled(const CallSession *call, const CallCharge *charge,
							  const char *reason, const ErrorData *error)
{
	Datum		values[14];
	bool		nulls[14] = {false};

	values[0] = UUIDPGetDatum(&call->organization);
	values[1] = PointerGetDatum(call->user_id);
	values[2] = UUIDPGetDatum(&call->id);
	values[3] = Int32GetDatum(charge->segment);
	values[4] = Int32GetDatum(charge->sequence);
	values[5] = Int64GetDatum(charge->tokens);
	values[6] = CStringGetTextDatum(charge->video ? "video" : "voice");
	values[7] = BoolGetDatum(charge->turn);
	values[8] = Int64GetDatum(charge->seconds);
	values[9] = UUIDPGetDatum(&charge->rate_id);
	values[10] = CStringGetTextDatum(reason);
	values[13] = UUIDPGetDatum(&charge->id);
	nulls[11] = nulls[12] = error == NULL;
	if (error != NULL)
	{
		values[11] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
		values[12] = CStringGetTextDatum(error->message ? error->message : "");
	}
	platform_query_begin();
	platform_query_run(&insert_unbilled, values, nulls);
	platform_query_end();
}
