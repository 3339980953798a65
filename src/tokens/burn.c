/*
 * burn.c
 *	  Burning: one, many, and burn_tokens().
 */
#include "core/platform.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/commit.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

/* Burns of one account that are written as one change. */
#define BURN_GROUP_MAX 256

/* No account owes more, so that sums with limits and holds fit in 64 bits. */
#define BURN_DEBT_MAX (INT64CONST(1) << 61)

/* Entries that are collected before they are written. */
#define BURN_ENTRIES 1000

PG_FUNCTION_INFO_V1(platform_burn_tokens);

static const char *const status_names[] = {
	[TOKENS_OK] = "ok",
	[TOKENS_PARTIAL] = "partial",
	[TOKENS_OVERDRAFT] = "overdraft",
	[TOKENS_OVERAGE] = "overage",
	[TOKENS_INSUFFICIENT] = "insufficient",
	[TOKENS_NO_ACCOUNT] = "no_account",
	[TOKENS_KEY_CONFLICT] = "key_conflict",
};

const char *
platform_token_status_name(TokenStatus status)
{
	return status_names[status];
}

/* What must be the same when a key comes again. */
static int64
burn_fingerprint(const TokenBurn *burn)
{
	int64		numbers[4] = {
		burn->amount,
		burn->on_insufficient,
		burn->has_turn ? 1 + burn->used_turn : 0,
		burn->mode == NULL ? 0 : strcmp(burn->mode, "voice") == 0 ? 1 : 2
	};

	return platform_tokens_fingerprint(numbers, 4, burn->session_id);
}

static void
set_status(TokenBurn *burn)
{
	if (burn->burned < burn->amount)
		burn->status = TOKENS_PARTIAL;
	else if (burn->shortfall > 0)
		burn->status = TOKENS_OVERAGE;
	else
		burn->status = burn->remaining < 0 ? TOKENS_OVERDRAFT : TOKENS_OK;
}

static void
refuse(TokenBurn *burn, TokenStatus status)
{
	burn->burned = 0;
	burn->reserved = 0;
	burn->shortfall = burn->amount;
	burn->status = status;
	burn->duplicate = false;
	burn->entry_id = platform_nil_uuid;
}

/* Answers as the first time, if the key came before. */
static bool
answer_duplicate(Ledger *ledger, TokenBurn *burn, int64 fingerprint)
{
	LedgerFound found;
	bool		conflict;

	if (!platform_ledger_find_key(ledger, burn->key, "burn", fingerprint, &found, &conflict))
		return false;
	burn->available = platform_account_available(&ledger->account);
	burn->remaining = found.balance_after;
	if (conflict)
		refuse(burn, TOKENS_KEY_CONFLICT);
	else
	{
		burn->burned = found.tokens_used;
		burn->shortfall = found.shortfall;
		burn->reserved = 0;
		burn->entry_id = found.id;
		burn->duplicate = true;
		set_status(burn);
	}
	return true;
}

/* How much of the amount is taken, and what of it is not covered. False: refused. */
static bool
decide(const LedgerAccount *account, TokenBurn *burn)
{
	int64		room = account->balance - account->held + burn->release;
	int64		with_limit;

	if (pg_add_s64_overflow(room, account->overdraft_limit, &with_limit))
		with_limit = PG_INT64_MAX;

	burn->shortfall = 0;
	burn->burned = burn->amount;
	switch (burn->on_insufficient)
	{
		case SHORTAGE_REJECT:
			return burn->amount == 0 || room >= burn->amount;
		case SHORTAGE_PARTIAL:
			burn->burned = Min(burn->amount, Max(room, 0));
			burn->shortfall = burn->amount - burn->burned;
			return burn->burned > 0 || burn->amount == 0;
		case SHORTAGE_OVERDRAFT:
			return burn->amount == 0 || with_limit >= burn->amount;
		case SHORTAGE_DEBT:
			/* What is debt shows when it is taken. */
			return true;
	}
	return false;
}

static void
post_burn(Ledger *ledger, TokenBurn *burn, int64 fingerprint)
{
	LedgerAccount *account = &ledger->account;
	LedgerPortions portions = {0};
	LedgerEntry entry = {
		.kind = "burn",
		.amount = -burn->burned,
		.tokens_used = burn->burned,
		.mode = burn->mode,
		.has_turn = burn->has_turn,
		.used_turn = burn->used_turn,
		.session_id = burn->session_id,
		.duration_seconds = burn->duration_seconds,
		.key = burn->key,
		.fingerprint = fingerprint,
		.rate_id = burn->rate_id,
		.portions = &portions,
		.reason = burn->reason,
		.given_id = burn->id,
	};

	if (burn->on_insufficient == SHORTAGE_DEBT)
		burn->shortfall = platform_account_owe(account, burn->burned, &portions);
	else
		platform_account_take(account, burn->burned, &portions);
	entry.shortfall = burn->shortfall;
	if (account->balance < -BURN_DEBT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("token balance out of range")));
	platform_ledger_post(ledger, &entry);
	burn->entry_id = entry.id;
}

/* One burn on the account at hand. */
static void
burn_one(Ledger *ledger, TokenBurn *burn)
{
	LedgerAccount *account = &ledger->account;
	int64		fingerprint = burn->key != NULL ? burn_fingerprint(burn) : 0;

	if (burn->key != NULL && answer_duplicate(ledger, burn, fingerprint))
		return;
	if (!decide(account, burn))
	{
		refuse(burn, TOKENS_INSUFFICIENT);
		burn->remaining = account->balance;
		burn->available = platform_account_available(account);
		return;
	}
	burn->duplicate = false;
	burn->entry_id = platform_nil_uuid;
	if (burn->release > 0)
		platform_account_hold(account, -burn->release, LEDGER_NO_EXPIRY);
	if (burn->burned > 0)
		post_burn(ledger, burn, fingerprint);
	burn->reserved = Min(burn->reserve, Max(platform_account_available(account), 0));
	if (burn->reserved > 0)
		platform_account_hold(account, burn->reserved, burn->reserve_until);
	burn->remaining = account->balance;
	burn->available = platform_account_available(account);
	set_status(burn);
}

static void
burn_body(Ledger *ledger, void *arg)
{
	if (platform_ledger_settle(ledger))
		burn_one(ledger, arg);
}

void
platform_ledger_burn(TokenBurn *burn)
{
	Ledger		ledger;

	platform_ledger_open(&ledger, 4);
	if (platform_ledger_change(&ledger, &burn->organization, burn->user_id, false,
							   burn_body, burn))
		platform_ledger_flush(&ledger);
	else
	{
		refuse(burn, TOKENS_NO_ACCOUNT);
		burn->remaining = burn->available = 0;
	}
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();
}

/*
 * Many.
 */

static int
compare_accounts(const TokenBurn *a, const TokenBurn *b)
{
	int			result = memcmp(&a->organization, &b->organization, sizeof(pg_uuid_t));

	return result != 0 ? result : platform_tokens_compare(a->user_id, b->user_id);
}

static int
compare_burns(const void *a, const void *b)
{
	const TokenBurn *left = *(TokenBurn *const *) a;
	const TokenBurn *right = *(TokenBurn *const *) b;
	int			result = compare_accounts(left, right);

	if (result != 0)
		return result;
	if (left->key != NULL && right->key != NULL && (result = platform_tokens_compare(left->key, right->key)) != 0)
		return result;
	if ((left->key == NULL) != (right->key == NULL))
		return left->key == NULL ? -1 : 1;
	return left < right ? -1 : left > right;
}

typedef struct BurnGroup
{
	TokenBurn **burns;
	int			count;
} BurnGroup;

/* The key of the burn before, which is not yet in the log. */
static bool
answer_repeated(const TokenBurn *before, TokenBurn *burn)
{
	if (burn->key == NULL || before->key == NULL || platform_tokens_compare(burn->key, before->key) != 0 ||
		platform_uuid_equal(&before->entry_id, &platform_nil_uuid))
		return false;
	burn->available = before->available;
	burn->remaining = before->remaining;
	if (burn_fingerprint(burn) != burn_fingerprint(before))
	{
		refuse(burn, TOKENS_KEY_CONFLICT);
		return true;
	}
	burn->burned = before->burned;
	burn->shortfall = before->shortfall;
	burn->reserved = 0;
	burn->status = before->status;
	burn->entry_id = before->entry_id;
	burn->duplicate = true;
	return true;
}

static void
burn_group_body(Ledger *ledger, void *arg)
{
	BurnGroup  *group = arg;
	TokenBurn  *first = NULL;	/* with the key at hand */

	if (!platform_ledger_settle(ledger))
		return;
	for (int i = 0; i < group->count; i++)
	{
		TokenBurn  *burn = group->burns[i];

		if (first != NULL && answer_repeated(first, burn))
			continue;
		burn_one(ledger, burn);
		first = burn;
	}
}

/* Burns of one account, at most BURN_GROUP_MAX, and never apart from one with the same key. */
static int
group_length(TokenBurn **burns, int count)
{
	int			n = 1;

	while (n < count && compare_accounts(burns[0], burns[n]) == 0 &&
		   (n < BURN_GROUP_MAX || (burns[n]->key != NULL && burns[n - 1]->key != NULL &&
								   platform_tokens_compare(burns[n]->key, burns[n - 1]->key) == 0)))
		n++;
	return n;
}

void
platform_ledger_burn_batch(TokenBurn *burns, int count)
{
	TokenBurn **sorted = palloc(Max(count, 1) * sizeof(TokenBurn *));
	MemoryContext context;
	MemoryContext old;
	Ledger		ledger;

	for (int i = 0; i < count; i++)
		sorted[i] = &burns[i];
	qsort(sorted, count, sizeof(TokenBurn *), compare_burns);

	platform_ledger_open(&ledger, BURN_ENTRIES + BURN_GROUP_MAX);
	context = AllocSetContextCreate(CurrentMemoryContext, "platform burns", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < count;)
	{
		BurnGroup	group = {sorted + i, group_length(sorted + i, count - i)};

		if (!platform_ledger_change(&ledger, &sorted[i]->organization, sorted[i]->user_id, false,
									burn_group_body, &group))
		{
			for (int j = 0; j < group.count; j++)
			{
				refuse(group.burns[j], TOKENS_NO_ACCOUNT);
				group.burns[j]->remaining = group.burns[j]->available = 0;
			}
		}
		i += group.count;
		if (ledger.entries->count >= BURN_ENTRIES || i == count || group.count >= BURN_GROUP_MAX)
		{
			platform_ledger_flush(&ledger);
			MemoryContextReset(context);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	platform_ledger_close(&ledger);
	pfree(sorted);
	platform_commit_unlock_early();
}

/*
 * SQL.
 */

/* The mode as it is stored, or NULL for NULL. */
static const char *
mode_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name;

	if (PG_ARGISNULL(argument))
		return NULL;
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (strcmp(name, "voice") == 0 || strcmp(name, "voice-only") == 0)
		return "voice";
	if (strcmp(name, "video") == 0)
		return "video";
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("mode must be voice, voice-only or video")));
}

static TokenShortage
shortage_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name;

	platform_require_argument(fcinfo, argument, "on_insufficient");
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (strcmp(name, "reject") == 0)
		return SHORTAGE_REJECT;
	if (strcmp(name, "partial") == 0)
		return SHORTAGE_PARTIAL;
	if (strcmp(name, "overdraft") == 0)
		return SHORTAGE_OVERDRAFT;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("on_insufficient must be reject, partial or overdraft")));
}

/*
 * platform.burn_tokens(organization_id uuid, user_id text, amount bigint, mode text DEFAULT NULL,
 *						used_turn boolean DEFAULT NULL, session_id text DEFAULT NULL,
 *						idempotency_key text DEFAULT NULL, on_insufficient text DEFAULT 'reject')
 *		RETURNS (burned bigint, shortfall bigint, remaining bigint, status text, entry_id uuid,
 *				 duplicate boolean)
 *
 * Takes amount tokens off the account and records it, in one step. When the
 * account has less than that (holds and expired grants apart): reject burns
 * nothing, partial burns what there is, overdraft goes down to the account's
 * overdraft limit or burns nothing. A refusal is an answer, with status
 * insufficient or no_account, and leaves nothing behind; otherwise status is
 * ok, partial or overdraft. remaining is the balance afterwards. With a key a
 * repeated call returns the first answer with duplicate = true. Members for
 * their own account, their administrators for their organization's, operators
 * for any. Errors: 42501; 22004; 22023 bad argument; PT409 the key was used
 * with other arguments; 22003; 25006.
 */
Datum
platform_burn_tokens(PG_FUNCTION_ARGS)
{
	TokenBurn	burn = {.duration_seconds = -1};
	Datum		values[6];
	bool		nulls[6] = {false};

	burn.organization = *platform_tokens_organization(fcinfo, 0);
	burn.user_id = platform_tokens_user(fcinfo, 1);
	burn.amount = platform_tokens_amount(fcinfo, 2);
	burn.mode = mode_argument(fcinfo, 3);
	burn.has_turn = !PG_ARGISNULL(4);
	burn.used_turn = burn.has_turn && PG_GETARG_BOOL(4);
	burn.session_id = platform_tokens_text(fcinfo, 5);
	if (burn.session_id != NULL)
		platform_tokens_require_length(burn.session_id, "session_id");
	burn.key = platform_tokens_key(fcinfo, 6);
	burn.on_insufficient = shortage_argument(fcinfo, 7);

	platform_require_module(&platform_tokens_module);
	platform_tokens_require_account(&burn.organization, burn.user_id);
	platform_ledger_burn(&burn);
	if (burn.status == TOKENS_KEY_CONFLICT)
		platform_tokens_key_conflict(NULL);

	values[0] = Int64GetDatum(burn.burned);
	values[1] = Int64GetDatum(burn.shortfall);
	values[2] = Int64GetDatum(burn.remaining);
	nulls[2] = burn.status == TOKENS_NO_ACCOUNT;
	values[3] = CStringGetTextDatum(platform_token_status_name(burn.status));
	values[4] = UUIDPGetDatum(&burn.entry_id);
	nulls[4] = platform_uuid_equal(&burn.entry_id, &platform_nil_uuid);
	values[5] = BoolGetDatum(burn.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}
