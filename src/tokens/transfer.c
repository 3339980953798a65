/*
 * transfer.c
 *	  Tokens from one account to another, and adjustments by an operator.
 *
 * Both accounts are locked, in the order of locks. What expires keeps its
 * expiry and its place in the order of use: each portion arrives as an entry
 * and a grant of its own.
 */
#include "core/platform.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/error.h"
#include "core/identity.h"
#include "tokens/grants.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_transfer_tokens);
PG_FUNCTION_INFO_V1(platform_adjust_tokens);

static void
insufficient_funds(int64 available)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_INSUFFICIENT_FUNDS),
			 errmsg("not enough tokens"),
			 errdetail("Available are " INT64_FORMAT ".", available)));
}

typedef struct Transfer
{
	pg_uuid_t	organization;
	text	   *from;
	text	   *to;
	int64		amount;
	text	   *key;
	text	   *reason;

	LedgerPortions portions;	/* taken */
	int			ngrants;
	TokenGrant *grants;			/* given, one for each portion */

	int64		from_remaining;
	int64		to_remaining;
	pg_uuid_t	entry_id;
	bool		duplicate;

	Ledger	   *first;			/* locked first, and the other one */
	Ledger	   *second;
	bool		from_is_first;
} Transfer;

/* Takes; false when the key came before. */
static bool
take(Ledger *ledger, Transfer *transfer)
{
	LedgerAccount *account = &ledger->account;
	LedgerEntry entry = {.kind = "transfer", .amount = -transfer->amount, .duration_seconds = -1,
		.key = transfer->key, .portions = &transfer->portions, .reason = transfer->reason};
	LedgerFound found;
	bool		conflict;

	(void) platform_ledger_settle(ledger);
	entry.fingerprint = platform_tokens_fingerprint(&entry.amount, 1, transfer->to);
	transfer->duplicate = transfer->key != NULL &&
		platform_ledger_find_key(ledger, transfer->key, "transfer", entry.fingerprint, &found,
								 &conflict);
	if (transfer->duplicate)
	{
		if (conflict)
			platform_tokens_key_conflict(NULL);
		transfer->entry_id = found.id;
		transfer->from_remaining = found.balance_after;
		return false;
	}
	if (platform_account_available(account) < transfer->amount)
		insufficient_funds(platform_account_available(account));
	platform_account_take(account, transfer->amount, &transfer->portions);
	platform_ledger_post(ledger, &entry);
	transfer->entry_id = entry.id;
	transfer->from_remaining = account->balance;
	return true;
}

/* What was taken arrives as it was. */
static void
give(Ledger *ledger, Transfer *transfer, const LedgerAccount *from)
{
	if (transfer->portions.count == 0)
		platform_portions_add(&transfer->portions, LEDGER_POOL, transfer->amount);
	transfer->ngrants = transfer->portions.count;
	transfer->grants = palloc0(transfer->ngrants * sizeof(TokenGrant));
	for (int i = 0; i < transfer->ngrants; i++)
	{
		TokenGrant *grant = &transfer->grants[i];

		grant->kind = "transfer";
		grant->source = "transfer";
		grant->reason = transfer->reason;
		grant->amount = transfer->portions.pairs[2 * i + 1];
		platform_grant_find(from, transfer->portions.pairs[2 * i], &grant->expires_at,
							&grant->priority);
		platform_grant_body(ledger, grant);
	}
	transfer->to_remaining = ledger->account.balance;
}

static void
second_body(Ledger *ledger, void *arg)
{
	Transfer   *transfer = arg;

	if (!transfer->from_is_first)
		take(ledger, transfer);
	else
	{
		(void) platform_ledger_settle(ledger);
		if (!transfer->duplicate)
			give(ledger, transfer, &transfer->first->account);
		transfer->to_remaining = ledger->account.balance;
	}
}

/* Runs once, with the first account locked; the second is locked and written within. */
static void
first_body(Ledger *ledger, void *arg)
{
	Transfer   *transfer = arg;
	text	   *other = transfer->from_is_first ? transfer->to : transfer->from;

	(void) platform_ledger_settle(ledger);
	if (transfer->from_is_first)
		take(ledger, transfer);
	if (!platform_ledger_change(transfer->second, &transfer->organization, other, true,
								second_body, transfer))
		platform_tokens_no_account(other);
	if (!transfer->from_is_first)
	{
		if (!transfer->duplicate)
			give(ledger, transfer, &transfer->second->account);
		transfer->to_remaining = ledger->account.balance;
	}
}

static void
run_transfer(Transfer *transfer)
{
	Ledger		first;
	Ledger		second;
	text	   *user_id;

	transfer->from_is_first = platform_tokens_compare(transfer->from, transfer->to) < 0;
	user_id = transfer->from_is_first ? transfer->from : transfer->to;
	transfer->first = &first;
	transfer->second = &second;
	platform_ledger_open(&first, 8);
	platform_ledger_open_beside(&second, &first);
	if (!platform_ledger_change(&first, &transfer->organization, user_id, true, first_body, transfer))
		platform_tokens_no_account(user_id);
	platform_ledger_flush(&first);
	platform_ledger_close(&second);
	platform_ledger_close(&first);
	for (int i = 0; i < transfer->ngrants; i++)
		platform_grant_record(&transfer->organization, transfer->to, &transfer->grants[i]);
	platform_commit_unlock_early();
}

/*
 * platform.transfer_tokens(organization_id uuid, from_user_id text, to_user_id text, amount bigint,
 *							idempotency_key text DEFAULT NULL, reason text DEFAULT NULL)
 *		RETURNS (from_remaining bigint, to_remaining bigint, entry_id uuid, duplicate boolean)
 *
 * Moves tokens between two accounts of an organization, or raises. Expiring
 * tokens keep their expiry. entry_id is the payer's entry. With a key, which is
 * the payer's, a repeated call moves nothing and returns the first entry.
 * Administrators within their organization, operators everywhere. Errors:
 * 42501; 22004; 22023; PT402 not enough; PT404 no such account; PT409 the key was used
 * with other arguments; 25006.
 */
Datum
platform_transfer_tokens(PG_FUNCTION_ARGS)
{
	Transfer	transfer = {.organization = *platform_tokens_organization(fcinfo, 0)};
	Datum		values[4];
	bool		nulls[4] = {false};

	transfer.from = platform_tokens_user(fcinfo, 1);
	transfer.to = platform_tokens_user(fcinfo, 2);
	transfer.amount = platform_tokens_amount(fcinfo, 3);
	transfer.key = platform_tokens_key(fcinfo, 4);
	transfer.reason = platform_tokens_text(fcinfo, 5);
	if (platform_tokens_compare(transfer.from, transfer.to) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tokens must be transferred to another account")));
	platform_require_module(&platform_tokens_module);
	platform_tokens_require_admin(&transfer.organization);
	run_transfer(&transfer);

	values[0] = Int64GetDatum(transfer.from_remaining);
	values[1] = Int64GetDatum(transfer.to_remaining);
	values[2] = UUIDPGetDatum(&transfer.entry_id);
	values[3] = BoolGetDatum(transfer.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

typedef struct Adjustment
{
	int64		amount;
	text	   *key;
	text	   *reason;
	pg_uuid_t	entry_id;
	int64		remaining;
	bool		duplicate;
} Adjustment;

static void
adjust_body(Ledger *ledger, void *arg)
{
	Adjustment *adjustment = arg;
	LedgerAccount *account = &ledger->account;
	LedgerPortions portions = {0};
	LedgerEntry entry = {.kind = "adjust", .amount = adjustment->amount, .duration_seconds = -1,
		.key = adjustment->key, .portions = &portions, .reason = adjustment->reason};
	LedgerFound found;
	bool		conflict;

	if (!platform_ledger_settle(ledger))
		return;
	entry.fingerprint = platform_tokens_fingerprint(&adjustment->amount, 1, NULL);
	adjustment->duplicate = adjustment->key != NULL &&
		platform_ledger_find_key(ledger, adjustment->key, "adjust", entry.fingerprint, &found,
								 &conflict);
	if (adjustment->duplicate)
	{
		if (conflict)
			platform_tokens_key_conflict(NULL);
		adjustment->entry_id = found.id;
		adjustment->remaining = found.balance_after;
		return;
	}
	if (adjustment->amount > 0)
		platform_account_give(account, adjustment->amount, LEDGER_POOL, LEDGER_NO_EXPIRY,
							  LEDGER_POOL_PRIORITY, &portions);
	else
	{
		if (platform_account_available(account) < -adjustment->amount)
			insufficient_funds(platform_account_available(account));
		platform_account_take(account, -adjustment->amount, &portions);
	}
	platform_ledger_post(ledger, &entry);
	adjustment->entry_id = entry.id;
	adjustment->remaining = account->balance;
}

/*
 * platform.adjust_tokens(organization_id uuid, user_id text, amount bigint, reason text,
 *						  idempotency_key text DEFAULT NULL)
 *		RETURNS (remaining bigint, entry_id uuid, duplicate boolean)
 *
 * Corrects a balance by a signed amount, with a reason. Operators. Errors:
 * 42501; 22004; 22023 amount 0, no reason; PT402 more than is available; PT404
 * no such account; PT409 the key was used with another amount; 22003; 25006.
 */
Datum
platform_adjust_tokens(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_tokens_organization(fcinfo, 0);
	text	   *user_id = platform_tokens_user(fcinfo, 1);
	Adjustment	adjustment = {0};
	Ledger		ledger;
	Datum		values[3];
	bool		nulls[3] = {false};

	platform_require_argument(fcinfo, 2, "amount");
	adjustment.amount = PG_GETARG_INT64(2);
	if (adjustment.amount == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount must not be zero")));
	if (adjustment.amount == PG_INT64_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount out of range")));
	platform_require_argument(fcinfo, 3, "reason");
	adjustment.reason = PG_GETARG_TEXT_PP(3);
	platform_tokens_name(adjustment.reason, "reason", 1000);
	adjustment.key = platform_tokens_key(fcinfo, 4);
	platform_require_module(&platform_tokens_module);
	platform_require_operator("adjust token balances");

	platform_ledger_open(&ledger, 4);
	if (!platform_ledger_change(&ledger, organization, user_id, false, adjust_body, &adjustment))
		platform_tokens_no_account(user_id);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();

	values[0] = Int64GetDatum(adjustment.remaining);
	values[1] = UUIDPGetDatum(&adjustment.entry_id);
	values[2] = BoolGetDatum(adjustment.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}
