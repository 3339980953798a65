/*
 * unbilled.c
 *	  settle_unbilled_usage(): what calls used and could not be billed.
 *
 * A row is locked while it is tried, and names the entry that is to bill it, made
 * from (session, segment, sequence). So it is billed once, whoever tries and
 * however often.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/identity.h"
#include "core/query.h"
#include "core/try.h"
#include "tokens/billing.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_settle_unbilled_usage);

static PlatformQuery claim_unbilled =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, organization_id, user_id, session_id, segment, sequence, tokens,"
				   " mode OPERATOR(pg_catalog.=) 'video', used_turn, duration_seconds, rate_id,"
				   " entry_id"
				   " FROM platform.unbilled_usage WHERE settled_at IS NULL"
				   " ORDER BY attempts, created_at LIMIT $1 FOR UPDATE SKIP LOCKED",
				   INT8OID);

static PlatformQuery mark_settled =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.unbilled_usage SET settled_at = pg_catalog.clock_timestamp(),"
				   " attempts = attempts OPERATOR(pg_catalog.+) 1"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery find_entry =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.token_usage WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery mark_failed =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.unbilled_usage"
				   " SET attempts = attempts OPERATOR(pg_catalog.+) 1,"
				   " reason = $3, error_code = $4, error_message = $5"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID);

static PlatformQuery find_open =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, tokens FROM platform.unbilled_usage"
				   " WHERE session_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2 AND settled_at IS NULL"
				   " ORDER BY segment DESC, sequence DESC FOR UPDATE",
				   UUIDOID, UUIDOID);

static PlatformQuery cancel_open =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.unbilled_usage SET tokens = tokens OPERATOR(pg_catalog.-) $3,"
				   " cancelled = cancelled OPERATOR(pg_catalog.+) $3,"
				   " settled_at = CASE WHEN tokens OPERATOR(pg_catalog.=) $3"
				   " THEN pg_catalog.clock_timestamp() END"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, INT8OID);

typedef struct Unbilled
{
	pg_uuid_t	id;
	CallSession call;			/* as far as a burn needs it */
	CallCharge	charge;
	TokenBurn	burn;
	const char *reason;			/* why not */
} Unbilled;

static void
read_unbilled(uint64 row, Unbilled *item)
{
	bool		isnull;

	memset(item, 0, sizeof(Unbilled));
	item->id = platform_row_uuid(row, 1);
	item->call.organization = platform_row_uuid(row, 2);
	item->call.user_id = DatumGetTextPP(platform_row_datum_copy(row, 3, &isnull));
	item->call.id = platform_row_uuid(row, 4);
	item->call.state = CALL_ENDED;
	item->charge.segment = platform_row_int32(row, 5);
	item->charge.sequence = platform_row_int32(row, 6);
	item->charge.tokens = platform_row_int64(row, 7);
	item->charge.video = platform_row_bool(row, 8);
	item->charge.turn = platform_row_bool(row, 9);
	item->charge.seconds = platform_row_int64(row, 10);
	platform_row_datum(row, 11, &isnull);
	if (!isnull)
		item->charge.rate_id = platform_row_uuid(row, 11);
	item->charge.id = platform_row_uuid(row, 12);
}

/* Is its entry there already? Then only the mark is missing. */
static bool
is_billed(const Unbilled *item)
{
	Datum		values[2] = {
		UUIDPGetDatum(&item->charge.id), UUIDPGetDatum(&item->call.organization)
	};

	return platform_query_run(&find_entry, values, NULL) > 0;
}

static void
settle_body(void *arg)
{
	Unbilled   *item = arg;
	Datum		values[2] = {UUIDPGetDatum(&item->id), UUIDPGetDatum(&item->call.organization)};

	platform_query_begin();
	if (!is_billed(item))
	{
		platform_call_prepare_burn(&item->call, &item->charge, 0, &item->burn);
		platform_ledger_burn(&item->burn);
		item->reason = platform_burn_reason(item->burn.status);
	}
	if (item->reason == NULL)
		platform_query_run(&mark_settled, values, NULL);
	platform_query_end();
}

int64
platform_unbilled_cancel(const CallSession *call, int64 tokens)
{
	Datum		keys[2] = {UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->organization)};
	int64		cancelled = 0;
	uint64		count;
	Unbilled   *items;

	platform_query_begin();
	count = platform_query_run(&find_open, keys, NULL);
	items = palloc0(Max(count, 1) * sizeof(Unbilled));
	for (uint64 i = 0; i < count; i++)
	{
		items[i].id = platform_row_uuid(i, 1);
		items[i].charge.tokens = platform_row_int64(i, 2);
	}
	for (uint64 i = 0; i < count && cancelled < tokens; i++)
	{
		int64		less = Min(items[i].charge.tokens, tokens - cancelled);
		Datum		values[3] = {UUIDPGetDatum(&items[i].id), keys[1], Int64GetDatum(less)};

		platform_query_run(&cancel_open, values, NULL);
		cancelled += less;
	}
	platform_query_end();
	return cancelled;
}

static void
record_failure(const Unbilled *item, const char *reason, const ErrorData *error)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = UUIDPGetDatum(&item->id);
	values[1] = UUIDPGetDatum(&item->call.organization);
	values[2] = CStringGetTextDatum(reason);
	nulls[3] = nulls[4] = error == NULL;
	if (error != NULL)
	{
		values[3] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
		values[4] = CStringGetTextDatum(error->message ? error->message : "");
	}
	platform_query_begin();
	platform_query_run(&mark_failed, values, nulls);
	platform_query_end();
}

/* True when it was billed. */
static bool
settle(Unbilled *item)
{
	ErrorData  *error = platform_try(settle_body, item);

	if (error != NULL)
		item->reason = platform_bill_reason(error);
	if (item->reason == NULL)
		return true;
	record_failure(item, item->reason, error);
	return false;
}

/* The order of locks. */
static int
compare_items(const void *a, const void *b)
{
	const Unbilled *left = a;
	const Unbilled *right = b;
	int			result = memcmp(&left->call.organization, &right->call.organization, UUID_LEN);

	return result != 0 ? result : platform_tokens_compare(left->call.user_id, right->call.user_id);
}

/*
 * platform.settle_unbilled_usage("limit" bigint DEFAULT 1000)
 *		RETURNS (settled bigint, tokens bigint, failed bigint)
 *
 * Tries at most limit open rows of unbilled_usage again (NULL: all), those tried
 * least first. Each is burned as a call's charge is: what the balance does not
 * cover becomes debt. A row that fails stays open, with attempts and the new
 * reason. Rows that another session has locked are skipped. settled: rows;
 * tokens: of them; failed: rows. Operators. Errors: 42501; 22023 limit below 1;
 * 25006.
 */
Datum
platform_settle_unbilled_usage(PG_FUNCTION_ARGS)
{
	int64		limit = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
	Datum		argument = Int64GetDatum(limit);
	uint64		count;
	Unbilled   *items;
	int64		settled = 0;
	int64		tokens = 0;
	Datum		values[3];
	bool		nulls[3] = {false};

	platform_require_module(&platform_tokens_module);
	platform_require_operator("settle unbilled usage");
	if (limit < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit must be greater than zero")));

	platform_query_begin();
	count = platform_query_run(&claim_unbilled, &argument, NULL);
	items = SPI_palloc(Max(count, 1) * sizeof(Unbilled));
	for (uint64 i = 0; i < count; i++)
		read_unbilled(i, &items[i]);
	platform_query_end();
	qsort(items, count, sizeof(Unbilled), compare_items);

	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (settle(&items[i]))
		{
			settled++;
			tokens += items[i].charge.tokens;
		}
	}
	values[0] = Int64GetDatum(settled);
	values[1] = Int64GetDatum(tokens);
	values[2] = Int64GetDatum((int64) count - settled);
	return platform_return_row(fcinfo, values, nulls);
}
