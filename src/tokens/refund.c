/*
 * refund.c
 *	  Burns taken back, to the grants that paid them.
 *
 * Nothing is changed or deleted: a refund is an entry of its own. What was used
 * last comes back first. What comes back to a grant whose time is over expires
 * in the same step: a refund makes no lasting token of an expiring one.
 *
 * A call that ended earlier than was metered is given back by the same rules,
 * as many entries as it takes.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "tokens/grants.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_refund_tokens);

static PlatformQuery sum_refunds =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.sum(amount)::bigint FROM platform.token_usage"
				   " WHERE reverses OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery find_charges =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, tokens_used, mode, used_turn, rate_id, paid_by"
				   " FROM platform.token_usage WHERE session_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2"
				   " AND user_id OPERATOR(pg_catalog.=) $3"
				   " AND rate_id IS NOT NULL AND tokens_used OPERATOR(pg_catalog.>) 0"
				   " ORDER BY version DESC",
				   TEXTOID, UUIDOID, TEXTOID);

typedef struct Refund
{
	pg_uuid_t	organization;
	pg_uuid_t	original;
	int64		amount;			/* 0: all that is left */
	text	   *key;
	text	   *reason;

	/* the original */
	int64		used;
	ArrayType  *paid_by;

	/* the answer */
	int64		refunded;
	int64		refundable;
	int64		remaining;
	bool		has_entry;
	pg_uuid_t	entry_id;
	bool		duplicate;
} Refund;

static int64
refunded_before(const Refund *refund)
{
	Datum		values[2] = {
		UUIDPGetDatum(&refund->original), UUIDPGetDatum(&refund->organization)
	};
	int64		sum;

	platform_query_begin();
	platform_query_run(&sum_refunds, values, NULL);
	sum = platform_row_int64_or(0, 1, 0);
	platform_query_end();
	return sum;
}

/*
 * Gives back what is refunded, beginning with what was used last; before is
 * how much of that went back earlier.
 */
static void
give_back(LedgerAccount *account, const Refund *refund, int64 before, LedgerPortions *portions)
{
	const int64 pool[2] = {LEDGER_POOL, refund->used};
	const int64 *pairs = pool;
	int			count = 1;
	int64		left = refund->refunded;

	if (refund->paid_by != NULL)
	{
		pairs = (const int64 *) ARR_DATA_PTR(refund->paid_by);
		count = ARR_DIMS(refund->paid_by)[0] / 2;
	}
	for (int i = count - 1; i >= 0 && left > 0; i--)
	{
		int64		number = pairs[2 * i];
		int64		skipped = Min(before, pairs[2 * i + 1]);
		int64		back = Min(left, pairs[2 * i + 1] - skipped);
		TimestampTz expires_at;
		int			priority;

		before -= skipped;
		left -= back;
		if (back == 0)
			continue;
		platform_grant_find(account, number, &expires_at, &priority);
		platform_account_give(account, back, number, expires_at, priority, portions);
	}
	if (left > 0)
		elog(ERROR, "portions of a token entry do not add up");
}

/* Runs with the account locked: refunds of its entries come one after the other. */
static void
refund_body(Ledger *ledger, void *arg)
{
	Refund	   *refund = arg;
	LedgerPortions portions = {0};
	LedgerEntry entry = {.kind = "refund", .duration_seconds = -1, .key = refund->key,
		.reverses = &refund->original, .portions = &portions, .reason = refund->reason};
	int64		before = refunded_before(refund);
	LedgerFound found;
	bool		conflict;

	entry.fingerprint = platform_tokens_fingerprint(&refund->amount, 1, NULL);
	(void) platform_ledger_settle(ledger);
	refund->refundable = refund->used - before;
	refund->duplicate = refund->key != NULL &&
		platform_ledger_find_key(ledger, refund->key, "refund", entry.fingerprint, &found,
								 &conflict);
	if (refund->duplicate)
	{
		if (conflict || !platform_uuid_equal(&found.reverses, &refund->original))
			platform_tokens_key_conflict(NULL);
		refund->refunded = found.amount;
		refund->remaining = found.balance_after;
		refund->entry_id = found.id;
		refund->has_entry = true;
		return;
	}

	refund->refunded = refund->amount != 0 ? refund->amount : refund->refundable;
	if (refund->refunded > refund->refundable)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("amount exceeds what is left to refund"),
				 errdetail("Left are " INT64_FORMAT " tokens.", refund->refundable)));
	if (refund->refunded > 0)
	{
		give_back(&ledger->account, refund, before, &portions);
		entry.amount = refund->refunded;
		platform_ledger_post(ledger, &entry);
		refund->entry_id = entry.id;
		refund->has_entry = true;
		refund->refundable -= refund->refunded;
		platform_account_expire(ledger);
	}
	refund->remaining = ledger->account.balance;
}

/* A call's burns, read with the account locked. */
typedef struct Charge
{
	Refund		refund;
	pg_uuid_t	rate_id;
	const char *mode;
	bool		turn;
} Charge;

static Charge *
read_charges(const TokenTakeBack *back, uint64 *count)
{
	Datum		values[3];
	Charge	   *charges;

	values[0] = PointerGetDatum(back->session_id);
	values[1] = UUIDPGetDatum(&back->organization);
	values[2] = PointerGetDatum(back->user_id);
	platform_query_begin();
	*count = platform_query_run(&find_charges, values, NULL);
	charges = SPI_palloc(Max(*count, 1) * sizeof(Charge));
	memset(charges, 0, *count * sizeof(Charge));
	for (uint64 i = 0; i < *count; i++)
	{
		Charge	   *charge = &charges[i];
		bool		isnull;
		Datum		paid_by;

		charge->refund.organization = back->organization;
		charge->refund.original = platform_row_uuid(i, 1);
		charge->refund.used = platform_row_int64(i, 2);
		charge->mode = strcmp(platform_row_cstring(i, 3), "video") == 0 ? "video" : "voice";
		charge->turn = platform_row_bool(i, 4);
		charge->rate_id = platform_row_uuid(i, 5);
		paid_by = platform_row_datum_copy(i, 6, &isnull);
		charge->refund.paid_by = isnull ? NULL : DatumGetArrayTypeP(paid_by);
	}
	platform_query_end();
	return charges;
}

typedef struct TakeBackBody
{
	const TokenTakeBack *back;
	int64		taken;
} TakeBackBody;

static void
take_back_body(Ledger *ledger, void *arg)
{
	TakeBackBody *body = arg;
	const TokenTakeBack *back = body->back;
	uint64		count;
	Charge	   *charges;

	(void) platform_ledger_settle(ledger);
	charges = read_charges(back, &count);
	for (uint64 i = 0; i < count && body->taken < back->tokens; i++)
	{
		Charge	   *charge = &charges[i];
		Refund	   *refund = &charge->refund;
		int64		before = refunded_before(refund);
		LedgerPortions portions = {0};
		LedgerEntry entry = {.kind = "refund", .duration_seconds = -1, .mode = charge->mode,
			.has_turn = true, .used_turn = charge->turn, .session_id = back->session_id,
			.rate_id = &charge->rate_id, .reverses = &refund->original,
		.portions = &portions};

		refund->refunded = Min(refund->used - before, back->tokens - body->taken);
		if (refund->refunded <= 0)
			continue;
		give_back(&ledger->account, refund, before, &portions);
		entry.amount = refund->refunded;
		platform_ledger_post(ledger, &entry);
		body->taken += refund->refunded;
	}
	platform_account_expire(ledger);
}

int64
platform_ledger_take_back(const TokenTakeBack *back)
{
	TakeBackBody body = {.back = back};
	Ledger		ledger;

	platform_ledger_open(&ledger, 4);
	(void) platform_ledger_change(&ledger, &back->organization, back->user_id, true, take_back_body,
								  &body);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();
	return body.taken;
}

/* The account of the entry; PT404 when there is no such entry. */
static text *
read_original(Ledger *ledger, Refund *refund)
{
	LedgerFound found;

	if (!platform_ledger_find_entry(ledger, &refund->organization, &refund->original, &found))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no such token entry")));
	if (found.tokens_used == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("only burned or captured tokens can be refunded")));
	refund->used = found.tokens_used;
	refund->paid_by = found.paid_by;
	return DatumGetTextPCopy(PointerGetDatum(found.user_id));
}

/*
 * platform.refund_tokens(organization_id uuid, entry_id uuid, amount bigint DEFAULT NULL,
 *						  idempotency_key text DEFAULT NULL, reason text DEFAULT NULL)
 *		RETURNS (refunded bigint, refundable bigint, remaining bigint, refund_id uuid,
 *				 duplicate boolean)
 *
 * Takes back a burn or a capture, or amount tokens of it; NULL: all that is
 * left of it, which may be 0. refundable is what remains. Tokens return to the
 * grants that paid, and expire if those are over. With a key a repeated call
 * changes nothing. Operators. Errors: 42501; 22004; 22023; PT404 no such entry;
 * PT422 it is no burn, or amount exceeds what is left; PT409 the key was used with
 * other arguments; 25006.
 */
Datum
platform_refund_tokens(PG_FUNCTION_ARGS)
{
	Refund		refund = {.organization = *platform_tokens_organization(fcinfo, 0)};
	text	   *user_id;
	Ledger		ledger;
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_argument(fcinfo, 1, "entry_id");
	refund.original = *PG_GETARG_UUID_P(1);
	refund.amount = PG_ARGISNULL(2) ? 0 : platform_tokens_amount(fcinfo, 2);
	refund.key = platform_tokens_key(fcinfo, 3);
	refund.reason = platform_tokens_text(fcinfo, 4);
	platform_require_module(&platform_tokens_module);
	platform_require_operator("refund tokens");

	platform_ledger_open(&ledger, 4);
	user_id = read_original(&ledger, &refund);
	if (!platform_ledger_change(&ledger, &refund.organization, user_id, true, refund_body, &refund))
		platform_tokens_no_account(user_id);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();

	values[0] = Int64GetDatum(refund.refunded);
	values[1] = Int64GetDatum(refund.refundable);
	values[2] = Int64GetDatum(refund.remaining);
	values[3] = UUIDPGetDatum(&refund.entry_id);
	nulls[3] = !refund.has_entry;
	values[4] = BoolGetDatum(refund.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}
