/*
 * report.c
 *	  Balances and statements, now and at a moment. Nothing here writes.
 *
 * Versions of an account's entries are dense and their times do not fall, so a
 * moment is found among them by halving, whatever their number.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

#define STATEMENT_BATCH 1000

PG_FUNCTION_INFO_V1(platform_token_balance);
PG_FUNCTION_INFO_V1(platform_token_balance_at);
PG_FUNCTION_INFO_V1(platform_token_statement);
PG_FUNCTION_INFO_V1(platform_open_token_grants);

#define READ_ACCOUNT \
	"SELECT tokens_remaining, held, overdraft_limit, overage, version, held_until, open_grants" \
	" FROM platform.user_accounts" \
	" WHERE user_id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"

/* What is held of holds that are not over. */
#define READ_HELD \
	"SELECT pg_catalog.sum(amount)::bigint FROM (" \
	"SELECT amount FROM platform.token_holds" \
	" WHERE user_id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2" \
	" AND status OPERATOR(pg_catalog.=) 'open' AND expires_at OPERATOR(pg_catalog.>) $3" \
	" UNION ALL SELECT reserved FROM platform.call_sessions" \
	" WHERE user_id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2" \
	" AND status OPERATOR(pg_catalog.=) 'live' AND reserved OPERATOR(pg_catalog.>) 0" \
	" AND reserved_until OPERATOR(pg_catalog.>) $3) AS open (amount)"

/* As the caller's snapshot has it, and as it is now. */
static PlatformQuery read_account =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER, READ_ACCOUNT, TEXTOID, UUIDOID);
static PlatformQuery read_account_now =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER, READ_ACCOUNT, TEXTOID, UUIDOID);
static PlatformQuery read_held =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER, READ_HELD, TEXTOID, UUIDOID, TIMESTAMPTZOID);
static PlatformQuery read_held_now =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER, READ_HELD, TEXTOID, UUIDOID,
				   TIMESTAMPTZOID);

static PlatformQuery read_entry =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT \"timestamp\", balance_after FROM platform.token_usage"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND version OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, INT8OID);

static PlatformQuery read_entries =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT version, \"timestamp\", kind, amount, balance_after, shortfall, mode, used_turn,"
				   " duration_seconds, session_id, idempotency_key, reason, id, reverses"
				   " FROM platform.token_usage"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND version OPERATOR(pg_catalog.>=) $3 AND version OPERATOR(pg_catalog.<) $4"
				   " ORDER BY version",
				   UUIDOID, TEXTOID, INT8OID, INT8OID);

#define STATEMENT_COLUMNS 14

typedef struct AccountView
{
	TokenBalance balance;
	int64		version;
	TimestampTz now;
	int			ngrants;
	LedgerGrant *grants;
} AccountView;

/* The account's row, what is over apart; within a query. */
static bool
read_view(const pg_uuid_t *organization, text *user_id, bool latest, AccountView *view)
{
	TokenBalance *balance = &view->balance;
	Datum		values[3] = {PointerGetDatum(user_id), UUIDPGetDatum(organization)};
	TimestampTz held_until;
	bool		isnull;
	Datum		grants;

	if (platform_query_run(latest ? &read_account_now : &read_account, values, NULL) == 0)
		return false;
	balance->balance = platform_row_int64(0, 1);
	balance->held = platform_row_int64(0, 2);
	balance->overdraft_limit = platform_row_int64(0, 3);
	balance->overage = platform_row_int64(0, 4);
	view->version = platform_row_int64(0, 5);
	held_until = platform_row_timestamptz_or(0, 6, LEDGER_NO_EXPIRY);
	grants = platform_row_datum_copy(0, 7, &isnull);
	view->ngrants = 0;
	view->now = GetCurrentTimestamp();
	if (!isnull)
	{
		ArrayType  *array = DatumGetArrayTypePCopy(grants);

		view->grants = (LedgerGrant *) ARR_DATA_PTR(array);
		view->ngrants = ARR_DIMS(array)[0] * sizeof(int64) / sizeof(LedgerGrant);
	}

	if (held_until <= view->now)
	{
		values[2] = TimestampTzGetDatum(view->now);
		platform_query_run(latest ? &read_held_now : &read_held, values, NULL);
		balance->held = platform_row_int64_or(0, 1, 0);
	}
	balance->expired = platform_grants_expired(view->grants, view->ngrants, balance->balance,
											   balance->held, view->now, NULL);
	balance->available = balance->balance - balance->held - balance->expired;
	return true;
}

bool
platform_ledger_balance(const pg_uuid_t *organization, text *user_id, TokenBalance *balance)
{
	AccountView view;
	bool		found;

	platform_query_begin();
	found = read_view(organization, user_id, true, &view);
	platform_query_end();
	if (found)
		*balance = view.balance;
	return found;
}

/* The first two arguments, and the right to ask. */
static void
account_arguments(FunctionCallInfo fcinfo, pg_uuid_t **organization, text **user_id)
{
	*organization = platform_tokens_organization(fcinfo, 0);
	*user_id = platform_tokens_user(fcinfo, 1);
	platform_require_module(&platform_tokens_module);
	platform_tokens_require_account(*organization, *user_id);
}

/*
 * platform.token_balance(organization_id uuid, user_id text)
 *		RETURNS (balance bigint, held bigint, expired bigint, available bigint,
 *				 overdraft_limit bigint, overage bigint)
 *
 * What an account has: the sum of its entries, what of it is held, what belongs
 * to grants whose time is over, and what is left to spend. All NULL without
 * such an account. Members for their own account. Errors: 42501; 22004; 22023.
 */
Datum
platform_token_balance(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization;
	text	   *user_id;
	AccountView view;
	Datum		values[6] = {0};
	bool		nulls[6];
	bool		found;

	account_arguments(fcinfo, &organization, &user_id);
	platform_query_begin();
	found = read_view(organization, user_id, false, &view);
	platform_query_end();

	memset(nulls, !found, sizeof(nulls));
	if (found)
	{
		values[0] = Int64GetDatum(view.balance.balance);
		values[1] = Int64GetDatum(view.balance.held);
		values[2] = Int64GetDatum(view.balance.expired);
		values[3] = Int64GetDatum(view.balance.available);
		values[4] = Int64GetDatum(view.balance.overdraft_limit);
		values[5] = Int64GetDatum(view.balance.overage);
	}
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/* The number of entries made before the moment, or at it too; within a query. */
static int64
entries_until(const pg_uuid_t *organization, text *user_id, int64 newest, TimestampTz at,
			  bool inclusive, int64 *balance)
{
	int64		low = 0;		/* made in time, or the start */
	int64		high = newest + 1;	/* made later, or the end */
	Datum		values[3] = {UUIDPGetDatum(organization), PointerGetDatum(user_id)};

	*balance = 0;
	while (high - low > 1)
	{
		int64		middle = low + (high - low) / 2;
		TimestampTz made;

		values[2] = Int64GetDatum(middle);
		if (platform_query_run(&read_entry, values, NULL) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("token account of user \"%s\" lacks an entry", text_to_cstring(user_id)),
					 errhint("See platform.verify_token_accounts().")));
		made = platform_row_timestamptz_or(0, 1, 0);
		if (made < at || (inclusive && made == at))
		{
			low = middle;
			*balance = platform_row_int64(0, 2);
		}
		else
			high = middle;
	}
	return low;
}

/*
 * platform.token_balance_at(organization_id uuid, user_id text, at timestamptz) RETURNS bigint
 *
 * The account's balance at a moment: after all entries up to it. 0 before the
 * first, NULL without such an account or for NULL. Members for their own
 * account. Errors: 42501; 22004; 22023.
 */
Datum
platform_token_balance_at(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization;
	text	   *user_id;
	AccountView view;
	int64		balance = 0;
	bool		found;

	account_arguments(fcinfo, &organization, &user_id);
	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	platform_query_begin();
	found = read_view(organization, user_id, false, &view);
	if (found)
		entries_until(organization, user_id, view.version, PG_GETARG_TIMESTAMPTZ(2), true,
					  &balance);
	platform_query_end();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(balance);
}

/* The rows of a range of versions, from the first up to before the last. */
static void
put_entries(ReturnSetInfo *result, const pg_uuid_t *organization, text *user_id, int64 first,
			int64 last)
{
	for (int64 from = first; from < last; from += STATEMENT_BATCH)
	{
		Datum		arguments[4] = {
			UUIDPGetDatum(organization), PointerGetDatum(user_id), Int64GetDatum(from),
			Int64GetDatum(Min(last, from + STATEMENT_BATCH))
		};
		uint64		count = platform_query_run(&read_entries, arguments, NULL);

		CHECK_FOR_INTERRUPTS();
		for (uint64 i = 0; i < count; i++)
		{
			Datum		values[STATEMENT_COLUMNS];
			bool		nulls[STATEMENT_COLUMNS];

			for (int c = 0; c < STATEMENT_COLUMNS; c++)
				values[c] = platform_row_datum(i, c + 1, &nulls[c]);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

/*
 * platform.token_statement(organization_id uuid, user_id text, "from" timestamptz DEFAULT NULL,
 *							"to" timestamptz DEFAULT NULL)
 *		RETURNS TABLE (version bigint, "timestamp" timestamptz, kind text, amount bigint,
 *					   balance_after bigint, shortfall bigint, mode text, used_turn boolean,
 *					   duration_seconds integer, session_id text, idempotency_key text,
 *					   reason text, entry_id uuid, reverses uuid)
 *
 * The account's entries from a moment on and before another, in their order,
 * each with the balance after it; NULL: from the first, to the last. No row
 * without such an account. Members for their own account. Errors: 42501;
 * 22004; 22023.
 */
Datum
platform_token_statement(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t  *organization;
	text	   *user_id;
	AccountView view;

	account_arguments(fcinfo, &organization, &user_id);
	InitMaterializedSRF(fcinfo, 0);
	platform_query_begin();
	if (read_view(organization, user_id, false, &view))
	{
		int64		first = 1;
		int64		last = view.version + 1;
		int64		balance;

		if (!PG_ARGISNULL(2))
			first = 1 + entries_until(organization, user_id, view.version,
									  PG_GETARG_TIMESTAMPTZ(2), false, &balance);
		if (!PG_ARGISNULL(3))
			last = 1 + entries_until(organization, user_id, view.version,
									 PG_GETARG_TIMESTAMPTZ(3), false, &balance);
		put_entries(result, organization, user_id, first, last);
	}
	platform_query_end();
	return (Datum) 0;
}

static void
put_grant(ReturnSetInfo *result, int64 number, int64 remaining, TimestampTz expires_at,
		  int priority, bool expired)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = Int64GetDatum(number);
	nulls[0] = number <= 0;
	values[1] = Int64GetDatum(remaining);
	values[2] = TimestampTzGetDatum(expires_at);
	nulls[2] = expires_at == LEDGER_NO_EXPIRY;
	values[3] = Int32GetDatum(priority);
	values[4] = BoolGetDatum(expired);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * platform.open_token_grants(organization_id uuid, user_id text)
 *		RETURNS TABLE (number bigint, remaining bigint, expires_at timestamptz,
 *					   priority integer, expired boolean)
 *
 * What the balance consists of, in the order of use: a row for each grant that
 * has tokens left (see token_grants), and one without number for all of a
 * priority that never expire. expired: its time is over, and only what holds
 * need of it is still there. The rows add up to the balance, which is below
 * zero when the account owes. Members for their own account. Errors: 42501;
 * 22004; 22023.
 */
Datum
platform_open_token_grants(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t  *organization;
	text	   *user_id;
	AccountView view;
	bool		found;
	int64		pool;
	bool		pool_put = false;

	account_arguments(fcinfo, &organization, &user_id);
	InitMaterializedSRF(fcinfo, 0);
	platform_query_begin();
	found = read_view(organization, user_id, false, &view);
	pool = found ? view.balance.balance : 0;
	for (int i = 0; found && i < view.ngrants; i++)
		pool -= view.grants[i].remaining;
	for (int i = 0; found && i <= view.ngrants; i++)
	{
		LedgerGrant *grant = &view.grants[i];

		if (!pool_put && (i == view.ngrants || grant->priority > LEDGER_POOL_PRIORITY))
		{
			if (pool != 0)
				put_grant(result, LEDGER_POOL, pool, LEDGER_NO_EXPIRY, LEDGER_POOL_PRIORITY, false);
			pool_put = true;
		}
		if (i < view.ngrants)
			put_grant(result, grant->number, grant->remaining, grant->expires_at,
					  grant->priority, grant->expires_at <= view.now);
	}
	platform_query_end();
	return (Datum) 0;
}
