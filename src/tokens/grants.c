/*
 * grants.c
 *	  Tokens given: with an order of use and an end; purchases; expiry.
 *
 * token_grants keeps what was given. What is left of it is in the account's
 * row, so that burning writes no second row. Tokens that never expire and have
 * the priority of purchases are simply balance. A grant whose time is over
 * stops counting at that moment; the entry that says so is written with the
 * account's next change, or by expire_tokens().
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "tokens/grants.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_grant_tokens);
PG_FUNCTION_INFO_V1(platform_purchase_tokens);
PG_FUNCTION_INFO_V1(platform_expire_tokens);

static PlatformQuery insert_grant =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.token_grants (id, organization_id, user_id, number, amount,"
				   " priority, expires_at, source, payment_id, reason)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
				   UUIDOID, UUIDOID, TEXTOID, INT8OID, INT8OID, INT2OID, TIMESTAMPTZOID, TEXTOID,
				   TEXTOID, TEXTOID);

static PlatformQuery find_grant =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT priority::integer, expires_at FROM platform.token_grants"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND number OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, INT8OID);

static PlatformQuery find_package =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT tokens, price_cents, currency, valid_days FROM platform.token_packages"
				   " WHERE name OPERATOR(pg_catalog.=) $1 AND is_active",
				   TEXTOID);

static PlatformQuery find_purchase =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT organization_id, user_id, package, tokens, entry_id, xmin"
				   " FROM platform.token_purchases"
				   " WHERE provider OPERATOR(pg_catalog.=) $1 AND payment_id OPERATOR(pg_catalog.=) $2",
				   TEXTOID, TEXTOID);

static PlatformQuery insert_purchase =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.token_purchases (organization_id, user_id, provider, payment_id,"
				   " package, tokens, price_cents, currency, entry_id)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
				   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, TEXTOID, UUIDOID);

static PlatformQuery due_accounts =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT organization_id, user_id FROM ("
				   "(SELECT organization_id, user_id FROM platform.token_grants"
				   " WHERE closed_at IS NULL AND expires_at OPERATOR(pg_catalog.<=) $1"
				   " ORDER BY expires_at LIMIT $2) UNION "
				   "(SELECT organization_id, user_id FROM platform.token_holds"
				   " WHERE status OPERATOR(pg_catalog.=) 'open' AND expires_at OPERATOR(pg_catalog.<=) $1"
				   " ORDER BY expires_at LIMIT $2)) AS due"
				   " ORDER BY organization_id, user_id COLLATE pg_catalog.\"C\"",
				   TIMESTAMPTZOID, INT8OID);

/* Elements of open_grants begin with the grant's number and are four long. */
static PlatformQuery close_grants =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.token_grants SET closed_at = $3"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND closed_at IS NULL AND expires_at OPERATOR(pg_catalog.<=) $3"
				   " AND NOT number OPERATOR(pg_catalog.=) ANY ($4)",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID, INT8ARRAYOID);

/*
 * Giving.
 */

void
platform_grant_body(Ledger *ledger, void *arg)
{
	TokenGrant *grant = arg;
	LedgerAccount *account = &ledger->account;
	LedgerPortions portions = {0};
	LedgerEntry entry = {
		.kind = grant->kind,
		.amount = grant->amount,
		.duration_seconds = -1,
		.key = grant->key,
		.fingerprint = grant->fingerprint,
		.portions = &portions,
		.reason = grant->reason,
	};
	LedgerFound found;
	bool		conflict;

	if (!platform_ledger_settle(ledger))
		return;
	grant->duplicate = grant->key != NULL &&
		platform_ledger_find_key(ledger, grant->key, grant->kind, grant->fingerprint, &found,
								 &conflict);
	if (grant->duplicate)
	{
		if (conflict)
			platform_tokens_key_conflict(NULL);
		grant->entry_id = found.id;
		grant->amount = found.amount;
		grant->remaining = found.balance_after;
		return;
	}
	if (grant->is_over)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expires_at must be in the future")));
	grant->number = account->version + 1;
	platform_account_give(account, grant->amount, grant->number, grant->expires_at,
						  grant->priority, &portions);
	platform_ledger_post(ledger, &entry);
	grant->entry_id = entry.id;
	grant->remaining = account->balance;
}

void
platform_grant_record(const pg_uuid_t *organization, text *user_id, const TokenGrant *grant)
{
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = UUIDPGetDatum(&grant->entry_id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = PointerGetDatum(user_id);
	values[3] = Int64GetDatum(grant->number);
	values[4] = Int64GetDatum(grant->amount);
	values[5] = Int16GetDatum(grant->priority);
	values[6] = TimestampTzGetDatum(grant->expires_at);
	nulls[6] = grant->expires_at == LEDGER_NO_EXPIRY;
	values[7] = CStringGetTextDatum(grant->source);
	values[8] = PointerGetDatum(grant->payment_id);
	nulls[8] = grant->payment_id == NULL;
	values[9] = PointerGetDatum(grant->reason);
	nulls[9] = grant->reason == NULL;
	platform_query_begin();
	platform_query_run(&insert_grant, values, nulls);
	platform_query_end();
}

void
platform_grant_find(const LedgerAccount *account, int64 number, TimestampTz *expires_at,
					int *priority)
{
	Datum		values[3] = {
		UUIDPGetDatum(&account->organization), PointerGetDatum(account->user_id),
		Int64GetDatum(number)
	};

	*expires_at = LEDGER_NO_EXPIRY;
	*priority = number == LEDGER_POOL ? LEDGER_POOL_PRIORITY : -1 - number;
	if (number <= 0)
		return;
	platform_query_begin();
	if (platform_query_run(&find_grant, values, NULL) == 0)
		elog(ERROR, "token grant " INT64_FORMAT " has no row", number);
	*priority = platform_row_int32(0, 1);
	*expires_at = platform_row_timestamptz_or(0, 2, LEDGER_NO_EXPIRY);
	platform_query_end();
}

/* One grant, written. */
static void
give(const pg_uuid_t *organization, text *user_id, TokenGrant *grant)
{
	Ledger		ledger;

	platform_ledger_open(&ledger, 4);
	if (!platform_ledger_change(&ledger, organization, user_id, false, platform_grant_body, grant))
		platform_tokens_no_account(user_id);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	if (!grant->duplicate)
		platform_grant_record(organization, user_id, grant);
	platform_commit_unlock_early();
}

static int
priority_argument(FunctionCallInfo fcinfo, int argument)
{
	platform_require_argument(fcinfo, argument, "priority");
	if (PG_GETARG_INT32(argument) < 0 || PG_GETARG_INT32(argument) > 255)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("priority must be between 0 and 255")));
	return PG_GETARG_INT32(argument);
}

/* A short name, as a C string. */
static char *
name_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	platform_require_argument(fcinfo, argument, name);
	return platform_tokens_name(PG_GETARG_TEXT_PP(argument), name, 63);
}

/*
 * platform.grant_tokens(organization_id uuid, user_id text, amount bigint,
 *						 source text DEFAULT 'grant', expires_at timestamptz DEFAULT NULL,
 *						 priority integer DEFAULT 100, idempotency_key text DEFAULT NULL,
 *						 reason text DEFAULT NULL)
 *		RETURNS (granted bigint, remaining bigint, entry_id uuid, duplicate boolean)
 *
 * Gives tokens. Those of a lower priority (0 to 255) are used first, within one
 * those that expire first; purchases have 200. expires_at NULL: never. With a
 * key a repeated call returns the first answer. Operators. Errors: 42501;
 * 22004; 22023; PT404 no such account; PT409 key used with other arguments; 22003;
 * 25006.
 */
Datum
platform_grant_tokens(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_tokens_organization(fcinfo, 0);
	text	   *user_id = platform_tokens_user(fcinfo, 1);
	TokenGrant	grant = {.kind = "grant", .amount = platform_tokens_amount(fcinfo, 2)};
	int64		numbers[3];
	Datum		values[4];
	bool		nulls[4] = {false};

	grant.source = name_argument(fcinfo, 3, "source");
	grant.expires_at = PG_ARGISNULL(4) ? LEDGER_NO_EXPIRY : PG_GETARG_TIMESTAMPTZ(4);
	grant.is_over = grant.expires_at <= GetCurrentTimestamp();
	grant.priority = priority_argument(fcinfo, 5);
	grant.key = platform_tokens_key(fcinfo, 6);
	grant.reason = platform_tokens_text(fcinfo, 7);
	platform_require_module(&platform_tokens_module);
	platform_require_operator("grant tokens");

	numbers[0] = grant.amount;
	numbers[1] = grant.expires_at;
	numbers[2] = grant.priority;
	grant.fingerprint = platform_tokens_fingerprint(numbers, 3, PG_GETARG_TEXT_PP(3));
	give(organization, user_id, &grant);

	values[0] = Int64GetDatum(grant.amount);
	values[1] = Int64GetDatum(grant.remaining);
	values[2] = UUIDPGetDatum(&grant.entry_id);
	values[3] = BoolGetDatum(grant.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * Purchases.
 */

typedef struct Purchase
{
	pg_uuid_t  *organization;
	text	   *user_id;
	text	   *package;
	text	   *payment_id;
	text	   *provider;
	int64		tokens;
	int64		price_cents;
	text	   *currency;
	int			valid_days;		/* 0: for ever */
	pg_uuid_t	entry_id;
} Purchase;

static void
other_purchase(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("payment was credited for another purchase")));
}

/* Was the payment credited before? PT409 when it was for something else. */
static bool
find_first_purchase(Purchase *purchase)
{
	Datum		values[2] = {
		PointerGetDatum(purchase->provider), PointerGetDatum(purchase->payment_id)
	};
	bool		isnull;
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_purchase, values, NULL) > 0;
	if (found)
	{
		pg_uuid_t	organization = platform_row_uuid(0, 1);

		if (!platform_uuid_equal(&organization, purchase->organization) ||
			platform_tokens_compare(DatumGetTextPP(platform_row_datum(0, 2, &isnull)), purchase->user_id) != 0 ||
			platform_tokens_compare(DatumGetTextPP(platform_row_datum(0, 3, &isnull)), purchase->package) != 0)
			other_purchase();
		purchase->tokens = platform_row_int64(0, 4);
		purchase->entry_id = platform_row_uuid(0, 5);
		platform_commit_require_durable(DatumGetTransactionId(platform_row_datum(0, 6, &isnull)));
	}
	platform_query_end();
	return found;
}

static void
read_package(Purchase *purchase)
{
	Datum		value = PointerGetDatum(purchase->package);
	bool		isnull;

	platform_query_begin();
	if (platform_query_run(&find_package, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no such token package")));
	purchase->tokens = platform_row_int64(0, 1);
	purchase->price_cents = platform_row_int64(0, 2);
	purchase->currency = DatumGetTextPP(platform_row_datum_copy(0, 3, &isnull));
	purchase->valid_days = DatumGetInt32(platform_row_datum(0, 4, &isnull));
	if (isnull)
		purchase->valid_days = 0;
	platform_query_end();
}

static void
record_purchase(const Purchase *purchase)
{
	Datum		values[9];

	values[0] = UUIDPGetDatum(purchase->organization);
	values[1] = PointerGetDatum(purchase->user_id);
	values[2] = PointerGetDatum(purchase->provider);
	values[3] = PointerGetDatum(purchase->payment_id);
	values[4] = PointerGetDatum(purchase->package);
	values[5] = Int64GetDatum(purchase->tokens);
	values[6] = Int64GetDatum(purchase->price_cents);
	values[7] = PointerGetDatum(purchase->currency);
	values[8] = UUIDPGetDatum(&purchase->entry_id);
	platform_query_begin();
	/* At the same moment, to another account. */
	if (platform_query_run(&insert_purchase, values, NULL) == 0)
		other_purchase();
	platform_query_end();
}

/* The payment is the key: no two of them may make the same. */
static text *
provider_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *provider = name_argument(fcinfo, argument, "provider");

	if (strchr(provider, '/') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider must not contain a slash")));
	return cstring_to_text(provider);
}

/* Credits; with the payment as key a racer finds it under the account's lock. */
static void
credit(Purchase *purchase, TokenGrant *grant)
{
	grant->kind = "grant";
	grant->amount = purchase->tokens;
	grant->priority = LEDGER_POOL_PRIORITY;
	grant->expires_at = purchase->valid_days == 0 ? LEDGER_NO_EXPIRY :
		GetCurrentTimestamp() + purchase->valid_days * USECS_PER_DAY;
	grant->source = "purchase";
	grant->payment_id = purchase->payment_id;
	grant->key = cstring_to_text(psprintf("purchase %s/%s", text_to_cstring(purchase->provider),
										  text_to_cstring(purchase->payment_id)));
	grant->fingerprint = platform_tokens_fingerprint(NULL, 0, purchase->package);
	give(purchase->organization, purchase->user_id, grant);
	purchase->entry_id = grant->entry_id;
	purchase->tokens = grant->amount;
	if (!grant->duplicate)
		record_purchase(purchase);
}

/*
 * platform.purchase_tokens(organization_id uuid, user_id text, package text, payment_id text,
 *							provider text DEFAULT 'stripe')
 *		RETURNS (tokens bigint, remaining bigint, entry_id uuid, duplicate boolean)
 *
 * Credits a payment for a package of token_packages, in one step with the
 * record in token_purchases. A payment that is announced again credits nothing
 * and returns the first answer, but for remaining, which is what there is now.
 * Operators. Errors: 42501; 22004; 22023; PT404 no such account or package;
 * PT409 the payment was credited to another account or for another package; 25006.
 */
Datum
platform_purchase_tokens(PG_FUNCTION_ARGS)
{
	Purchase	purchase = {.organization = platform_tokens_organization(fcinfo, 0)};
	TokenGrant	grant = {0};
	TokenBalance balance;
	Datum		values[4];
	bool		nulls[4] = {false};

	purchase.user_id = platform_tokens_user(fcinfo, 1);
	purchase.package = cstring_to_text(name_argument(fcinfo, 2, "package"));
	platform_require_argument(fcinfo, 3, "payment_id");
	purchase.payment_id = PG_GETARG_TEXT_PP(3);
	platform_tokens_name(purchase.payment_id, "payment_id", 180);
	purchase.provider = provider_argument(fcinfo, 4);
	platform_require_module(&platform_tokens_module);
	platform_require_operator("credit a purchase of tokens");

	grant.duplicate = find_first_purchase(&purchase);
	if (!grant.duplicate)
	{
		read_package(&purchase);
		credit(&purchase, &grant);
	}
	if (!platform_ledger_balance(purchase.organization, purchase.user_id, &balance))
		platform_tokens_no_account(purchase.user_id);

	values[0] = Int64GetDatum(purchase.tokens);
	values[1] = Int64GetDatum(balance.balance);
	values[2] = UUIDPGetDatum(&purchase.entry_id);
	values[3] = BoolGetDatum(grant.duplicate);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * Expiry.
 */

typedef struct Expiry
{
	uint64		closed;
} Expiry;

/* Locked: settles, and closes the rows of grants of which nothing is left. */
static void
expire_body(Ledger *ledger, void *arg)
{
	Expiry	   *expiry = arg;
	LedgerAccount *account = &ledger->account;
	int64		held = account->held;
	Datum	   *open;
	Datum		values[4];

	(void) platform_ledger_settle(ledger);
	open = palloc(Max(account->ngrants, 1) * sizeof(Datum));
	for (int i = 0; i < account->ngrants; i++)
		open[i] = Int64GetDatum(account->grants[i].number);
	values[0] = UUIDPGetDatum(&account->organization);
	values[1] = PointerGetDatum(account->user_id);
	values[2] = TimestampTzGetDatum(account->now);
	values[3] = PointerGetDatum(construct_array(open, account->ngrants, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	platform_query_begin();
	expiry->closed += platform_query_run(&close_grants, values, NULL);
	platform_query_end();
	if (account->held < held)
		expiry->closed++;
}

/*
 * platform.expire_tokens(batch integer DEFAULT 1000) RETURNS bigint
 *
 * Writes the entries of grants whose time is over and ends such holds, of at
 * most batch grants and as many holds; returns how many were ended, 0 when
 * there is nothing left to do. Tidies only: no balance that is spent from or
 * reported counts them. Operators. Errors: 42501; 22004; 22023; 25006.
 */
Datum
platform_expire_tokens(PG_FUNCTION_ARGS)
{
	Expiry		expiry = {0};
	Datum		values[2];
	uint64		count;
	pg_uuid_t  *organizations;
	text	  **users;
	Ledger		ledger;

	platform_require_module(&platform_tokens_module);
	platform_require_operator("expire tokens");
	platform_require_argument(fcinfo, 0, "batch");
	if (PG_GETARG_INT32(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be greater than zero")));
	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = Int64GetDatum(PG_GETARG_INT32(0));

	platform_query_begin();
	count = platform_query_run(&due_accounts, values, NULL);
	organizations = SPI_palloc(Max(count, 1) * sizeof(pg_uuid_t));
	users = SPI_palloc(Max(count, 1) * sizeof(text *));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		organizations[i] = platform_row_uuid(i, 1);
		users[i] = DatumGetTextPP(platform_row_datum_copy(i, 2, &isnull));
	}
	platform_query_end();

	platform_ledger_open(&ledger, 64);
	for (uint64 i = 0; i < count; i++)
	{
		platform_ledger_change(&ledger, &organizations[i], users[i], true, expire_body, &expiry);
		platform_ledger_flush(&ledger);
	}
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();
	PG_RETURN_INT64((int64) expiry.closed);
}
