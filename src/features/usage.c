/*
 * usage.c
 *	  Consumption: increment_feature_usage(), consume_feature() and its kin.
 *
 * Order of one keyed consumption: (A) look for the event; (B) count; (C)
 * record the event. Whoever loses a race at (C) takes its count back and finds
 * the winner's event at (A). Refusals leave nothing behind.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/identity.h"
#include "core/row.h"
#include "features/usage.h"

#define USAGE_KEY_MAX 255

PG_FUNCTION_INFO_V1(platform_increment_feature_usage);
PG_FUNCTION_INFO_V1(platform_require_feature_usage);
PG_FUNCTION_INFO_V1(platform_consume_feature);

static PlatformQuery find_event =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT kind, amount, " USAGE_STORED_ANSWER
				   " FROM platform.feature_usage_events"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery insert_event =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.feature_usage_events"
				   " (organization_id, feature, kind, idempotency_key, amount, consumed, overage,"
				   " period_start, day, occurred_at, answer, reverses, reason)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::pg_catalog.jsonb, $12, $13)"
				   " ON CONFLICT DO NOTHING",
				   UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID,
				   TIMESTAMPTZOID, INT2OID, TIMESTAMPTZOID, TEXTOID, UUIDOID, TEXTOID);

static PlatformQuery insert_threshold =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.feature_usage_thresholds"
				   " (organization_id, feature, period, period_start, threshold, used, usage_limit)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7)"
				   " ON CONFLICT DO NOTHING",
				   UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, INT8OID, INT8OID);

static const char *const period_names[COUNTER_WINDOWS] = {"month", "day"};

/*
 * Arguments.
 */

void
platform_usage_not_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", name)));
}

pg_uuid_t *
platform_usage_organization(FunctionCallInfo fcinfo, int argument)
{
	platform_usage_not_null(fcinfo, argument, "organization_id");
	return PG_GETARG_UUID_P(argument);
}

text *
platform_usage_feature(FunctionCallInfo fcinfo, int argument)
{
	platform_usage_not_null(fcinfo, argument, "feature");
	return PG_GETARG_TEXT_PP(argument);
}

int64
platform_usage_amount(FunctionCallInfo fcinfo, int argument)
{
	platform_usage_not_null(fcinfo, argument, "amount");
	if (PG_GETARG_INT64(argument) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount must be greater than zero")));
	return PG_GETARG_INT64(argument);
}

CounterAtLimit
platform_usage_at_limit(FunctionCallInfo fcinfo, int argument)
{
	char	   *name;

	platform_usage_not_null(fcinfo, argument, "at_limit");
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (strcmp(name, "reject") == 0)
		return AT_LIMIT_REJECT;
	if (strcmp(name, "cap") == 0)
		return AT_LIMIT_CAP;
	if (strcmp(name, "overflow") == 0)
		return AT_LIMIT_OVERFLOW;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("at_limit must be reject, cap or overflow")));
}

text *
platform_usage_key(FunctionCallInfo fcinfo, int argument)
{
	text	   *key;
	int			length;

	if (PG_ARGISNULL(argument))
		return NULL;
	key = PG_GETARG_TEXT_PP(argument);
	length = pg_mbstrlen_with_len(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (length < 1 || length > USAGE_KEY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idempotency key must have 1 to %d characters", USAGE_KEY_MAX)));
	return key;
}

/*
 * A member consumes now: by choosing another day it would choose another limit.
 */
TimestampTz
platform_usage_moment(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz at;

	if (PG_ARGISNULL(argument))
		return GetCurrentTransactionStartTimestamp();
	at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at must be finite")));
	return at;
}

void
platform_usage_require_today(const Counter *counter)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (counter->terms.enabled &&
		(now < counter->period.day_start || now >= counter->period.day_end))
		platform_require_operator("consume on another day than today");
}

/*
 * Answers.
 */

/* Did the window have too little left for the amount? */
static bool
lacked_room(const Counter *counter, const int64 *limit, int window)
{
	int64		before = counter->used[window] - counter->consumed + counter->held;

	return limit[window] - before < counter->amount - counter->held;
}

/*
 * The window that the answer speaks of: the one that stood in the way (the one
 * that ends last), else the one with least left.
 */
static int
binding_window(const Counter *counter, const int64 *limit)
{
	if (limit[COUNTER_MONTH] < 0 || limit[COUNTER_DAY] < 0)
		return limit[COUNTER_DAY] < 0 ? COUNTER_MONTH : COUNTER_DAY;
	if (lacked_room(counter, limit, COUNTER_MONTH))
		return COUNTER_MONTH;
	if (lacked_room(counter, limit, COUNTER_DAY))
		return COUNTER_DAY;
	return limit[COUNTER_MONTH] - counter->used[COUNTER_MONTH] <=
		limit[COUNTER_DAY] - counter->used[COUNTER_DAY] ? COUNTER_MONTH : COUNTER_DAY;
}

static const char *
worst_state(const Counter *counter, const int64 *limit)
{
	const char *state = "under";

	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		if (limit[w] < 0)
			continue;
		if (counter->used[w] >= limit[w])
			return "hard";
		if (counter->used[w] >= platform_counter_soft_limit(limit[w], counter->terms.soft_percent))
			state = "soft";
	}
	return state;
}

void
platform_usage_answer(const Counter *counter, UsageAnswer *answer)
{
	const FeatureTerms *terms = &counter->terms;
	int64		limit[COUNTER_WINDOWS];
	int			w;

	memset(answer, 0, sizeof(UsageAnswer));
	answer->reason = platform_feature_reason_name(terms->reason);
	answer->usage_limit = answer->remaining = -1;
	answer->state = "under";
	if (!terms->enabled)
		return;

	limit[COUNTER_MONTH] = terms->monthly_limit;
	limit[COUNTER_DAY] = terms->daily_limit;
	w = binding_window(counter, limit);

	answer->allowed = counter->allowed;
	answer->consumed = counter->consumed;
	if (counter->consumed < counter->amount)
		answer->reason = "LIMIT_REACHED";
	answer->counted = true;
	answer->used = counter->used[w];
	answer->usage_limit = limit[w];
	if (limit[w] >= 0)
		answer->remaining = Max(limit[w] - counter->used[w], 0);
	answer->overage = counter->overage;
	answer->state = worst_state(counter, limit);
	answer->period = period_names[w];
	answer->resets_at = w == COUNTER_MONTH ? counter->period.month_end : counter->period.day_end;
}

void
platform_usage_answer_datums(const UsageAnswer *answer, Datum *values, bool *nulls)
{
	memset(nulls, 0, USAGE_ANSWER_COLUMNS * sizeof(bool));
	values[0] = BoolGetDatum(answer->allowed);
	values[1] = Int64GetDatum(answer->consumed);
	values[2] = CStringGetTextDatum(answer->reason);
	values[3] = Int64GetDatum(answer->used);
	nulls[3] = !answer->counted;
	values[4] = Int64GetDatum(answer->usage_limit);
	nulls[4] = answer->usage_limit < 0;
	values[5] = Int64GetDatum(answer->remaining);
	nulls[5] = answer->remaining < 0;
	values[6] = Int64GetDatum(answer->overage);
	values[7] = CStringGetTextDatum(answer->state);
	nulls[8] = nulls[9] = answer->period == NULL;
	values[8] = answer->period ? CStringGetTextDatum(answer->period) : (Datum) 0;
	values[9] = TimestampTzGetDatum(answer->resets_at);
	values[10] = BoolGetDatum(answer->duplicate);
}

Datum
platform_usage_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

static char *
json_number(int64 number)
{
	return number < 0 ? "null" : psprintf(INT64_FORMAT, number);
}

char *
platform_usage_answer_json(const UsageAnswer *answer)
{
	return psprintf("{\"consumed\":" INT64_FORMAT ",\"overage\":" INT64_FORMAT ","
					"\"reason\":\"%s\",\"used\":" INT64_FORMAT ",\"usage_limit\":%s,"
					"\"remaining\":%s,\"state\":\"%s\",\"period\":\"%s\",\"resets_at\":\"%s\"}",
					answer->consumed, answer->overage, answer->reason, answer->used, json_number(answer->usage_limit),
					json_number(answer->remaining), answer->state, answer->period,
					timestamptz_to_str(answer->resets_at));
}

/*
 * Events and thresholds.
 */

bool
platform_usage_record(const UsageEvent *event)
{
	Datum		values[13];
	bool		nulls[13] = {false};

	values[0] = UUIDPGetDatum(event->organization);
	values[1] = event->feature;
	values[2] = CStringGetTextDatum(event->kind);
	values[3] = PointerGetDatum(event->key);
	nulls[3] = event->key == NULL;
	values[4] = Int64GetDatum(event->amount);
	values[5] = Int64GetDatum(event->consumed);
	values[6] = Int64GetDatum(event->overage);
	values[7] = TimestampTzGetDatum(event->period_start);
	values[8] = Int16GetDatum(event->day);
	values[9] = TimestampTzGetDatum(event->occurred_at);
	nulls[10] = event->answer == NULL;
	values[10] = event->answer ? CStringGetTextDatum(event->answer) : (Datum) 0;
	values[11] = UUIDPGetDatum(event->reverses);
	nulls[11] = event->reverses == NULL;
	nulls[12] = event->reason == NULL;
	values[12] = event->reason ? CStringGetTextDatum(event->reason) : (Datum) 0;
	return platform_insert_once(&insert_event, values, nulls);
}

static void
announce(const Counter *counter, int window, const char *threshold, int64 boundary)
{
	Datum		values[7];

	values[0] = UUIDPGetDatum(&counter->organization);
	values[1] = counter->feature;
	values[2] = CStringGetTextDatum(period_names[window]);
	values[3] = TimestampTzGetDatum(window == COUNTER_MONTH ? counter->period.month_start :
									counter->period.day_start);
	values[4] = CStringGetTextDatum(threshold);
	values[5] = Int64GetDatum(counter->used[window]);
	values[6] = Int64GetDatum(boundary);
	platform_insert_once(&insert_threshold, values, NULL);
}

void
platform_usage_announce(const Counter *counter)
{
	for (int w = 0; w < COUNTER_WINDOWS; w++)
	{
		if (counter->crossed & COUNTER_CROSSED(w, COUNTER_SOFT))
			announce(counter, w, "soft", counter->limit[w]);
		if (counter->crossed & COUNTER_CROSSED(w, COUNTER_HARD))
			announce(counter, w, "hard", counter->limit[w]);
	}
}

void
platform_usage_key_conflict(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("idempotency key was used with other arguments"),
			 errdetail_internal("%s", detail)));
}

void
platform_usage_stored_answer(int column, UsageAnswer *answer)
{
	memset(answer, 0, sizeof(UsageAnswer));
	answer->allowed = true;
	answer->counted = true;
	answer->duplicate = true;
	answer->consumed = platform_row_int64_or(0, column, 0);
	answer->overage = platform_row_int64_or(0, column + 1, 0);
	answer->reason = platform_row_cstring(0, column + 2);
	answer->used = platform_row_int64_or(0, column + 3, 0);
	answer->usage_limit = platform_row_int64_or(0, column + 4, -1);
	answer->remaining = platform_row_int64_or(0, column + 5, -1);
	answer->state = platform_row_cstring(0, column + 6);
	answer->period = platform_row_cstring(0, column + 7);
	answer->resets_at = platform_row_timestamptz_or(0, column + 8, 0);
}

/* The answer that was given when the key came first; false when it never came. */
static bool
find_first_answer(const Counter *counter, text *key, UsageAnswer *answer)
{
	Datum		values[3];
	bool		found;

	values[0] = UUIDPGetDatum(&counter->organization);
	values[1] = counter->feature;
	values[2] = PointerGetDatum(key);
	platform_query_begin();
	found = platform_query_run(&find_event, values, NULL) > 0;
	if (found)
	{
		if (strcmp(platform_row_cstring(0, 1), "consume") != 0)
			platform_usage_key_conflict("It belongs to an event of another kind.");
		if (platform_row_int64(0, 2) != counter->amount)
			platform_usage_key_conflict("The amount differs.");
		platform_usage_stored_answer(3, answer);
	}
	platform_query_end();
	return found;
}

void
platform_usage_consume(Counter *counter, TimestampTz at, text *key, UsageAnswer *answer)
{
	UsageEvent	event = {
		.organization = &counter->organization,
		.feature = counter->feature,
		.kind = "consume",
		.key = key,
		.amount = counter->amount,
		.occurred_at = at,
	};
	bool		recorded = false;

	counter->keyed = key != NULL;
	while (!recorded)
	{
		/* A duplicate is answered as the first was, whatever was changed since. */
		if (key != NULL && find_first_answer(counter, key, answer))
			return;
		if (counter->terms.enabled)
			platform_counter_consume(counter);
		platform_usage_answer(counter, answer);
		if (!answer->allowed)
		{
			/* What took the last units may have been this very key. */
			if (key != NULL)
				(void) find_first_answer(counter, key, answer);
			return;
		}
		if (key == NULL)
			break;
		event.consumed = counter->consumed;
		event.overage = counter->overage;
		event.period_start = counter->period.month_start;
		event.day = counter->period.day;
		event.answer = platform_usage_answer_json(answer);
		recorded = platform_usage_record(&event);
		if (!recorded)
			platform_counter_undo(counter);
	}
	platform_usage_announce(counter);
}

bool
platform_usage_increment(Counter *counter, const pg_uuid_t *organization, text *feature,
						 int64 amount)
{
	platform_counter_prepare(counter, organization, feature,
							 GetCurrentTransactionStartTimestamp());
	if (!counter->terms.enabled)
		return false;
	counter->amount = amount;
	platform_counter_consume(counter);
	if (counter->allowed)
		platform_usage_announce(counter);
	return counter->allowed;
}

void
platform_usage_raise_refusal(const Counter *counter)
{
	text	   *feature = DatumGetTextPP(counter->feature);
	char	   *name = pnstrdup(VARDATA_ANY(feature),
								Min(VARSIZE_ANY_EXHDR(feature), FEATURE_NAME_MAX));

	if (!counter->terms.enabled)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
				 errmsg("feature \"%s\" is not enabled", name),
				 errdetail("Reason: %s.", platform_feature_reason_name(counter->terms.reason))));
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_LIMIT_REACHED),
			 errmsg("usage limit of feature \"%s\" is reached", name)));
}

/*
 * platform.increment_feature_usage(organization_id uuid, feature text, amount bigint DEFAULT 1) RETURNS boolean
 *
 * Counts amount units in the current day and month of the organization, all or
 * nothing. False: the feature is off or a limit would be exceeded, and nothing
 * was counted. Members for their own organization, operators for any. Errors:
 * 42501 another organization; 22023 a NULL or an amount below 1; 22003 more
 * than 10^17 units; 25006 in a read-only transaction. Behaves as in READ
 * COMMITTED in every isolation level.
 */
Datum
platform_increment_feature_usage(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	text	   *feature = platform_usage_feature(fcinfo, 1);
	int64		amount = platform_usage_amount(fcinfo, 2);
	Counter		counter;

	platform_require_module(&platform_features_module);
	platform_require_organization(organization);
	PG_RETURN_BOOL(platform_usage_increment(&counter, organization, feature, amount));
}

/*
 * platform.require_feature_usage(organization_id uuid, feature text, amount bigint DEFAULT 1) RETURNS void
 *
 * increment_feature_usage() that raises where that returns false: PT403 the
 * feature is off, PT429 a limit would be exceeded. Otherwise the same.
 */
Datum
platform_require_feature_usage(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	text	   *feature = platform_usage_feature(fcinfo, 1);
	int64		amount = platform_usage_amount(fcinfo, 2);
	Counter		counter;

	platform_require_module(&platform_features_module);
	platform_require_organization(organization);
	if (!platform_usage_increment(&counter, organization, feature, amount))
		platform_usage_raise_refusal(&counter);
	PG_RETURN_VOID();
}

/*
 * platform.consume_feature(organization_id uuid, feature text, amount bigint DEFAULT 1,
 *							idempotency_key text DEFAULT NULL, at_limit text DEFAULT 'reject',
 *							at timestamptz DEFAULT now())
 *		RETURNS (allowed boolean, consumed bigint, reason text, used bigint, usage_limit bigint,
 *				 remaining bigint, overage bigint, state text, period text,
 *				 resets_at timestamptz, duplicate boolean)
 *
 * Counts in the day and month of at, in the organization's local time. used,
 * usage_limit, remaining, period and resets_at speak of the window with least
 * left, or of the one that refused; they are NULL where there is no limit.
 * at_limit: reject (all or nothing), cap (what fits, see consumed), overflow
 * (all; what exceeds the limit is overage). With a key a repeated call returns
 * the first answer with duplicate = true; refusals are not remembered. Members
 * for their own organization and today, operators for any moment. Errors: 42501; 22023
 * NULL, amount below 1, at_limit, key longer than 255; PT409 the key was used
 * with another amount; 22003; 25006.
 */
Datum
platform_consume_feature(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	text	   *feature = platform_usage_feature(fcinfo, 1);
	int64		amount = platform_usage_amount(fcinfo, 2);
	text	   *key = platform_usage_key(fcinfo, 3);
	CounterAtLimit at_limit = platform_usage_at_limit(fcinfo, 4);
	TimestampTz at = platform_usage_moment(fcinfo, 5);
	Counter		counter;
	UsageAnswer answer;
	Datum		values[USAGE_ANSWER_COLUMNS];
	bool		nulls[USAGE_ANSWER_COLUMNS];

	platform_require_module(&platform_features_module);
	platform_require_organization(organization);
	platform_counter_prepare(&counter, organization, feature, at);
	platform_usage_require_today(&counter);
	counter.amount = amount;
	counter.at_limit = at_limit;
	counter.want_totals = true;
	platform_usage_consume(&counter, at, key, &answer);

	platform_usage_answer_datums(&answer, values, nulls);
	PG_RETURN_DATUM(platform_usage_return(fcinfo, values, nulls));
}
