/*
 * reconcile.c
 *	  Accounts against their entries: what is in an account's row follows from
 *	  the log, and is computed anew from it where the two differ.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/identity.h"
#include "core/query.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_reconcile_tokens);

/* Accounts that differ: problems of verify_token_accounts() that follow from a wrong row. */
static PlatformQuery find_differences =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT DISTINCT organization_id, user_id COLLATE pg_catalog.\"C\""
				   " FROM platform.verify_token_accounts($1) WHERE problem OPERATOR(pg_catalog.=) ANY"
				   " ('{balance,version,held,open grant,limit,overage}')"
				   " ORDER BY 1, 2",
				   UUIDOID);

static PlatformQuery sum_entries =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.sum(amount)::bigint, pg_catalog.max(version)"
				   " FROM platform.token_usage"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, TEXTOID);

static PlatformQuery sum_holds =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.sum(amount)::bigint, pg_catalog.min(until) FROM ("
				   "SELECT amount, expires_at FROM platform.token_holds"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) 'open'"
				   " UNION ALL SELECT reserved, reserved_until FROM platform.call_sessions"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'live'"
				   " AND reserved OPERATOR(pg_catalog.>) 0) AS open (amount, until)",
				   UUIDOID, TEXTOID);

/* What entries say is left of each grant, in the order of use. */
static PlatformQuery sum_portions =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT p.number, p.remaining, g.expires_at,"
				   " coalesce(g.priority, (-1) OPERATOR(pg_catalog.-) p.number)::bigint"
				   " FROM (SELECT e.paid_by[i] AS number,"
				   " pg_catalog.sum(pg_catalog.sign(e.amount)"
				   " OPERATOR(pg_catalog.*) e.paid_by[i OPERATOR(pg_catalog.+) 1])::bigint AS remaining"
				   " FROM platform.token_usage e,"
				   " pg_catalog.generate_series(1, pg_catalog.cardinality(e.paid_by), 2) AS i"
				   " WHERE e.organization_id OPERATOR(pg_catalog.=) $1"
				   " AND e.user_id OPERATOR(pg_catalog.=) $2 AND e.paid_by[i] OPERATOR(pg_catalog.<>) 0"
				   " GROUP BY 1) AS p"
				   " LEFT JOIN platform.token_grants g"
				   " ON g.organization_id OPERATOR(pg_catalog.=) $1"
				   " AND g.user_id OPERATOR(pg_catalog.=) $2 AND g.number OPERATOR(pg_catalog.=) p.number"
				   " WHERE p.remaining OPERATOR(pg_catalog.>) 0"
				   " ORDER BY 4, g.expires_at NULLS LAST, p.number",
				   UUIDOID, TEXTOID);

typedef struct Difference
{
	pg_uuid_t	organization;
	text	   *user_id;
	int64		balance;
	int64		held;
	int64		expected_balance;
	int64		expected_held;
	bool		preview;
} Difference;

static void
rebuild_grants(LedgerAccount *account, Datum *values)
{
	uint64		count = platform_query_run(&sum_portions, values, NULL);

	account->grants = SPI_palloc(Max(count, 1) * sizeof(LedgerGrant));
	account->ngrants = account->grants_capacity = count;
	for (uint64 i = 0; i < count; i++)
	{
		account->grants[i].number = platform_row_int64(i, 1);
		account->grants[i].remaining = platform_row_int64(i, 2);
		account->grants[i].expires_at = platform_row_timestamptz_or(i, 3, LEDGER_NO_EXPIRY);
		account->grants[i].priority = platform_row_int64(i, 4);
	}
	account->grants_changed = true;
}

/*
 * An account that has never had an entry was made past its trigger: what is in
 * it is what it was opened with.
 */
static void
open_account(Ledger *ledger)
{
	LedgerEntry entry = {.kind = "grant", .duration_seconds = -1};

	entry.amount = ledger->account.balance;
	entry.reason = cstring_to_text(LEDGER_OPENING);
	platform_ledger_post(ledger, &entry);
}

/* Computes the row anew; unless it is a preview the account is locked, so no entry is added meanwhile. */
static void
reconcile_body(Ledger *ledger, void *arg)
{
	Difference *difference = arg;
	LedgerAccount *account = &ledger->account;
	Datum		values[2] = {
		UUIDPGetDatum(&account->organization), PointerGetDatum(account->user_id)
	};
	bool		never_opened;

	difference->balance = account->balance;
	difference->held = account->held;
	platform_query_begin();
	platform_query_run(&sum_entries, values, NULL);
	never_opened = account->version == 0 && platform_row_int64_or(0, 2, 0) == 0;
	if (!never_opened)
	{
		account->balance = platform_row_int64_or(0, 1, 0);
		account->version = platform_row_int64_or(0, 2, 0);
	}
	platform_query_run(&sum_holds, values, NULL);
	account->held = platform_row_int64_or(0, 1, 0);
	account->held_until = platform_row_timestamptz_or(0, 2, LEDGER_NO_EXPIRY);
	rebuild_grants(account, values);
	platform_query_end();
	account->overage = Max(0, -account->overdraft_limit - (account->balance - account->held));
	account->changed = !difference->preview;
	if (never_opened && account->balance != 0 && !difference->preview)
		open_account(ledger);
	difference->expected_balance = account->balance;
	difference->expected_held = account->held;
}

static void
put_difference(ReturnSetInfo *result, const Difference *difference)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = UUIDPGetDatum(&difference->organization);
	values[1] = PointerGetDatum(difference->user_id);
	values[2] = Int64GetDatum(difference->balance);
	values[3] = Int64GetDatum(difference->expected_balance);
	values[4] = Int64GetDatum(difference->held);
	values[5] = Int64GetDatum(difference->expected_held);
	values[6] = BoolGetDatum(!difference->preview);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * platform.reconcile_tokens(preview boolean DEFAULT true, for_organization_id uuid DEFAULT NULL)
 *		RETURNS TABLE (organization_id uuid, user_id text, balance bigint, expected_balance bigint,
 *					   held bigint, expected_held bigint, fixed boolean)
 *
 * A row for each account whose row differs from its entries, holds and calls;
 * preview false computes it anew from them. Entries are never changed: for what
 * is wrong among them see verify_token_accounts(). An account with a balance and
 * without any entry, as loaded past the triggers, gets its opening entry. NULL: all organizations; a
 * NULL preview is true. Operators. Errors: 42501; 25006.
 */
Datum
platform_reconcile_tokens(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		preview = PG_ARGISNULL(0) || PG_GETARG_BOOL(0);
	Datum		organization = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	bool		all = PG_ARGISNULL(1);
	Difference *differences;
	uint64		count;
	Ledger		ledger;

	platform_require_module(&platform_tokens_module);
	platform_require_operator("reconcile tokens");
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	count = platform_query_run(&find_differences, &organization, &all);
	differences = SPI_palloc(Max(count, 1) * sizeof(Difference));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		differences[i].organization = platform_row_uuid(i, 1);
		differences[i].user_id = DatumGetTextPP(platform_row_datum_copy(i, 2, &isnull));
		differences[i].preview = preview;
	}
	platform_query_end();

	platform_ledger_open(&ledger, 4);
	for (uint64 i = 0; i < count; i++)
		if (platform_ledger_change(&ledger, &differences[i].organization, differences[i].user_id,
								   !preview, reconcile_body, &differences[i]))
			put_difference(result, &differences[i]);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	return (Datum) 0;
}
