/*
 * rates.c
 *	  The rate card: what a second of a call costs.
 *
 * The card is a handful of rows that are only added to. Each backend keeps
 * them all, by id, in a memory context of its own under the rules of
 * core/cache.h, so that pricing runs no query.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/cache.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "tokens/rates.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_token_cost);
PG_FUNCTION_INFO_V1(platform_set_token_rate);

static PlatformQuery read_rates =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, mode OPERATOR(pg_catalog.=) 'video', used_turn,"
				   " tokens_per_minute, rounding, valid_from"
				   " FROM platform.token_rates ORDER BY id");

static PlatformQuery insert_rate =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.token_rates"
				   " (mode, used_turn, tokens_per_minute, rounding, valid_from, created_by)"
				   " VALUES ($1, $2, $3, $4, COALESCE($5, pg_catalog.clock_timestamp()), $6)"
				   " RETURNING id",
				   TEXTOID, BOOLOID, INT8OID, INT4OID, TIMESTAMPTZOID, TEXTOID);

static PlatformCache rate_cache = {.name = "token rates", .tables = {"token_rates"}};
static MemoryContext rate_context;
static TokenRate *rates;		/* by id */
static int	rate_count;

void
platform_rates_init(void)
{
	platform_cache_register(&rate_cache);
}

static void
read_rate(uint64 row, TokenRate *rate)
{
	rate->id = platform_row_uuid(row, 1);
	rate->video = platform_row_bool(row, 2);
	rate->used_turn = platform_row_bool(row, 3);
	rate->tokens_per_minute = platform_row_int64(row, 4);
	rate->rounding = platform_row_int32(row, 5);
	rate->valid_from = platform_row_timestamptz_or(row, 6, DT_NOBEGIN);
}

static void
fill_rates(void)
{
	if (rate_context == NULL)
		rate_context = AllocSetContextCreate(TopMemoryContext, "platform token rates",
											 ALLOCSET_SMALL_SIZES);
	do
	{
		rates = NULL;
		rate_count = 0;
		MemoryContextReset(rate_context);
		platform_cache_begin_fill(&rate_cache);
		platform_query_begin();
		rate_count = (int) platform_query_run(&read_rates, NULL, NULL);
		rates = MemoryContextAlloc(rate_context, sizeof(TokenRate) * Max(rate_count, 1));
		for (int i = 0; i < rate_count; i++)
			read_rate(i, &rates[i]);
		platform_query_end();
	} while (!rate_cache.valid);
}

static void
require_rates(void)
{
	if (platform_cache_is_valid(&rate_cache) && rates != NULL)
		return;
	platform_require_module(&platform_tokens_module);
	fill_rates();
}

bool
platform_rate_at(bool video, bool used_turn, TimestampTz at, TokenRate *rate)
{
	const TokenRate *best = NULL;

	require_rates();
	for (int i = 0; i < rate_count; i++)
	{
		const TokenRate *candidate = &rates[i];

		if (candidate->video == video && candidate->used_turn == used_turn &&
			candidate->valid_from <= at &&
			(best == NULL || candidate->valid_from >= best->valid_from))
			best = candidate;
	}
	if (best == NULL)
		return false;
	*rate = *best;
	return true;
}

bool
platform_rate_by_id(const pg_uuid_t *id, TokenRate *rate)
{
	int			low = 0;
	int			high;

	require_rates();
	high = rate_count - 1;
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = memcmp(rates[middle].id.data, id->data, UUID_LEN);

		if (order == 0)
		{
			*rate = rates[middle];
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return false;
}

int64
platform_rate_price(const TokenRate *rate, int64 seconds)
{
	int64		units;

	if (seconds <= 0)
		return 0;
	seconds = Min(seconds, TOKEN_SECONDS_MAX);
	units = (seconds + rate->rounding - 1) / rate->rounding;
	return (units * rate->rounding * rate->tokens_per_minute + 59) / 60;
}

int64
platform_rate_covers(const TokenRate *rate, int64 tokens)
{
	int64		unit_price = rate->rounding * rate->tokens_per_minute;	/* in 60ths */

	if (tokens < 0)
		return 0;
	if (unit_price == 0 || tokens / unit_price >= TOKEN_SECONDS_MAX)
		return TOKEN_SECONDS_MAX;

	/* tokens is below 10^9 * 60 * 10^6 here, so 60 times that fits. */
	return Min(tokens * 60 / unit_price * rate->rounding, TOKEN_SECONDS_MAX);
}

bool
platform_mode_is_video(text *mode)
{
	const char *name = VARDATA_ANY(mode);
	int			length = VARSIZE_ANY_EXHDR(mode);

#define IS_MODE(literal) \
	(length == sizeof(literal) - 1 && memcmp(name, literal, sizeof(literal) - 1) == 0)
	if (IS_MODE("video"))
		return true;
	if (!IS_MODE("voice") && !IS_MODE("voice-only"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode must be voice, voice-only or video")));
#undef IS_MODE
	return false;
}

/*
 * platform.token_cost(mode text, used_turn boolean, seconds bigint,
 *					   at timestamptz DEFAULT now()) RETURNS bigint
 *
 * The price in tokens of one stretch of a call that started at that moment: each
 * started unit of the rate's rounding counts (by default a minute), and the sum
 * is rounded up to whole tokens. 0 for zero or fewer seconds. NULL for NULL.
 * voice-only is voice. Members may call it. Errors: 22023 unknown mode; 22003
 * more than 1,000,000,000 seconds; PT404 no rate at that moment.
 */
Datum
platform_token_cost(PG_FUNCTION_ARGS)
{
	bool		video = platform_mode_is_video(PG_GETARG_TEXT_PP(0));
	int64		seconds = PG_GETARG_INT64(2);
	TokenRate	rate;

	if (seconds > TOKEN_SECONDS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("seconds out of range")));
	if (!platform_rate_at(video, PG_GETARG_BOOL(1), PG_GETARG_TIMESTAMPTZ(3), &rate))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no token rate was valid then")));
	PG_RETURN_INT64(platform_rate_price(&rate, seconds));
}

/* valid_from of the new rate, read under the lock; NULL stands for now. */
static void
require_future(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return;
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(argument)) ||
		PG_GETARG_TIMESTAMPTZ(argument) < GetCurrentTransactionStartTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("valid_from must be finite and not in the past"),
				 errdetail("Calls that started since then were priced by the rate of their start.")));
}

/*
 * platform.set_token_rate(mode text, used_turn boolean, tokens_per_minute bigint,
 *						   rounding integer DEFAULT 60, valid_from timestamptz DEFAULT NULL)
 *		RETURNS uuid
 *
 * Adds a version of a rate and returns its id. rounding is the seconds of
 * which every started one counts: 60, 6 or 1. It prices calls that start at
 * valid_from or later (NULL: now); calls in progress keep theirs. Operators and
 * the platform's staff. Errors: 42501; 22004; 22023 unknown mode, tokens outside
 * 0 .. 1,000,000, rounding, a past valid_from; 23505 another rate begins then.
 */
Datum
platform_set_token_rate(PG_FUNCTION_ARGS)
{
	Datum		values[6];
	bool		nulls[6] = {false};
	int64		price;
	int32		rounding;
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	const char *subject = platform_caller_subject();

	if (!platform_is_platform_staff())
		platform_require_operator("set token rates");
	platform_require_module(&platform_tokens_module);
	platform_require_argument(fcinfo, 0, "mode");
	platform_require_argument(fcinfo, 1, "used_turn");
	platform_require_argument(fcinfo, 2, "tokens_per_minute");
	platform_require_argument(fcinfo, 3, "rounding");
	price = PG_GETARG_INT64(2);
	rounding = PG_GETARG_INT32(3);
	if (price < 0 || price > TOKEN_RATE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tokens_per_minute must be between 0 and " INT64_FORMAT, TOKEN_RATE_MAX)));
	if (rounding != 60 && rounding != 6 && rounding != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rounding must be 60, 6 or 1")));
	require_future(fcinfo, 4);

	values[0] = CStringGetTextDatum(platform_mode_is_video(PG_GETARG_TEXT_PP(0)) ? "video" : "voice");
	values[1] = PG_GETARG_DATUM(1);
	values[2] = Int64GetDatum(price);
	values[3] = Int32GetDatum(rounding);
	nulls[4] = PG_ARGISNULL(4);
	values[4] = nulls[4] ? (Datum) 0 : PG_GETARG_DATUM(4);
	nulls[5] = subject == NULL;
	values[5] = subject ? CStringGetTextDatum(subject) : (Datum) 0;

	platform_query_begin();
	platform_query_run(&insert_rate, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}
