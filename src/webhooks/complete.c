/*
 * complete.c
 *	  What became of deliveries.
 *
 * A result counts only with the lease under which the delivery was claimed: one
 * that comes late is logged as stale and changes nothing. A success of a healthy
 * endpoint changes its delivery alone; whatever concerns the endpoint's health
 * is done holding its row, by subscription id, before the deliveries.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/query.h"
#include "webhooks/attempt.h"
#include "webhooks/delivery.h"
#include "webhooks/health.h"
#include "webhooks/webhooks.h"

PG_FUNCTION_INFO_V1(platform_complete_webhook_delivery);
PG_FUNCTION_INFO_V1(platform_complete_webhook_deliveries);
PG_FUNCTION_INFO_V1(platform_release_webhook_deliveries);

#define LIFTED_DELAY		USECS_PER_MINUTE
#define RESPONSE_MAX		2048
#define ERROR_MAX			500

typedef enum Outcome
{
	OUTCOME_DELIVERED,
	OUTCOME_RETRYING,
	OUTCOME_FAILED,
	OUTCOME_STALE,
	OUTCOME_UNKNOWN				/* there is no such delivery */
} Outcome;

static const char *const outcome_names[] = {"delivered", "retrying", "failed", "stale", "unknown"};

/* What a worker says, and what came of it. */
typedef struct Report
{
	pg_uuid_t	delivery;
	pg_uuid_t	lease;
	int			http_status;	/* 0: no answer */
	int			duration_ms;	/* -1: not known */
	char	   *error;
	char	   *retry_after;
	bytea	   *response;

	pg_uuid_t	subscription;
	pg_uuid_t	organization;
	int			attempt;
	int			max_attempts;
	ItemPointerData tid;
	WebhookHealth *endpoint;
	Outcome		outcome;
	TimestampTz next_attempt_at;
	text	   *response_text;
	int			order;			/* as it was given */
} Report;

static PlatformQuery release_deliveries =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_deliveries AS d SET status = 'pending', lease_id = NULL,"
				   " lease_until = NULL, attempts = d.attempts OPERATOR(pg_catalog.-) 1, next_retry_at = $3"
				   " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS u (id, lease)"
				   " WHERE d.id OPERATOR(pg_catalog.=) u.id AND d.lease_id OPERATOR(pg_catalog.=) u.lease"
				   " AND d.status OPERATOR(pg_catalog.=) 'delivering'",
				   UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZOID);

/* ---- reading ---- */

static int
compare_results(const void *a, const void *b)
{
	const Report *x = a;
	const Report *y = b;
	int			order = platform_compare_uuids(&x->delivery, &y->delivery);

	return order != 0 ? order : x->order - y->order;
}

static int
compare_order(const void *a, const void *b)
{
	return ((const Report *) a)->order - ((const Report *) b)->order;
}

/* Is the row found still what was claimed under the report's lease? */
static bool
is_own(const PlatformRow *row, const Report *report)
{
	bool		isnull;
	Datum		lease = platform_row_get(row, D_LEASE_ID, &isnull);

	return !isnull && platform_row_get_timestamptz(row, D_FINISHED_AT, 0) == 0 &&
		platform_uuid_equal(DatumGetUUIDP(lease), &report->lease);
}

/* Finds the deliveries; what is not there, or not the caller's any more, is told apart. */
static void
read_deliveries(PlatformRow *row, Report *reports, int count)
{
	for (int i = 0; i < count; i++)
	{
		Report	   *report = &reports[i];

		report->outcome = OUTCOME_UNKNOWN;
		if (!platform_webhook_delivery_find(row, &report->delivery))
			continue;
		report->organization = platform_row_get_uuid(row, D_ORGANIZATION);
		report->subscription = platform_row_get_uuid(row, D_SUBSCRIPTION);
		report->attempt = platform_row_get_int32(row, D_ATTEMPTS, 0);
		report->max_attempts = platform_row_get_int32(row, D_MAX_ATTEMPTS, 0);
		report->tid = row->tid;
		report->outcome = OUTCOME_STALE;
		if (is_own(row, report) &&
			(i == 0 || !platform_uuid_equal(&reports[i - 1].delivery, &report->delivery)))
			report->outcome = OUTCOME_DELIVERED;	/* or failed: decided below */
	}
}

/* The endpoints of results that are the caller's; returns how many. */
static int
read_endpoints(Report *results, int count, WebhookHealth **endpoints)
{
	pg_uuid_t (*subscriptions)[2] = palloc(count * sizeof(*subscriptions));
	int			own = 0;
	int			found;

	for (int i = 0; i < count; i++)
		if (results[i].outcome == OUTCOME_DELIVERED)
		{
			subscriptions[own][0] = results[i].subscription;
			subscriptions[own++][1] = results[i].organization;
		}
	found = platform_webhook_health_read(subscriptions, own, endpoints);
	for (int i = 0; i < count; i++)
		if (results[i].outcome == OUTCOME_DELIVERED)
		{
			results[i].endpoint = platform_webhook_health_find(*endpoints, found,
															   &results[i].subscription);
			if (results[i].endpoint == NULL)
				results[i].outcome = OUTCOME_UNKNOWN;	/* deleted since */
		}
	return found;
}

/* ---- deciding ---- */

static bool
is_success(const Report *result)
{
	return result->http_status >= 200 && result->http_status < 300;
}

static bool
is_timeout(const Report *result)
{
	return result->error != NULL && strncmp(result->error, "timeout", 7) == 0;
}

static TimestampTz
retry_time(const Report *result, TimestampTz now)
{
	int64		delay = platform_webhook_delay(&result->endpoint->schedule, result->attempt);
	int64		asked = -1;

	if (result->http_status == 429 || result->http_status == 502 || result->http_status == 504 ||
		is_timeout(result))
		delay = Max(delay, LIFTED_DELAY);
	delay = platform_webhook_jitter(delay);
	if (result->retry_after != NULL)
		asked = platform_webhook_retry_after(result->retry_after, now);
	return now + Max(delay, asked);
}

static char *
error_of(const Report *result)
{
	if (is_success(result))
		return NULL;
	if (result->error != NULL && result->error[0] != '\0')
		return result->error;
	if (result->http_status == 0)
		return "no answer";
	if (result->http_status / 100 == 3)
		return psprintf("HTTP %d: redirects are not followed", result->http_status);
	return psprintf("HTTP %d", result->http_status);
}

/* Is the endpoint's health concerned, so that its row must be locked? */
static void
note_concern(Report *result)
{
	if (result->endpoint == NULL || is_success(result))
		return;
	result->endpoint->concerned = true;
	if (result->http_status == 410)
		result->endpoint->gone = true;
}

/* now: taken after the endpoint was locked, so that no claim has looked past it. */
static void
decide(Report *result, TimestampTz now)
{
	result->error = error_of(result);
	if (result->endpoint == NULL || is_success(result))
		return;
	if (result->attempt >= result->max_attempts || result->http_status == 410)
		result->outcome = OUTCOME_FAILED;
	else
	{
		result->outcome = OUTCOME_RETRYING;
		result->next_attempt_at = retry_time(result, now);
	}
}

/* ---- writing ---- */

/* The first bytes of an answer as text of this database; what is none becomes "?". */
static text *
response_text(const bytea *response)
{
	int			length = Min((int) VARSIZE_ANY_EXHDR(response), RESPONSE_MAX);
	char	   *bytes = palloc(length + 1);

	memcpy(bytes, VARDATA_ANY(response), length);
	/* not in the middle of a character */
	if (VARSIZE_ANY_EXHDR(response) > RESPONSE_MAX &&
		(VARDATA_ANY(response)[length] & 0xc0) == 0x80)
		while (length > RESPONSE_MAX - 4 && (bytes[--length] & 0xc0) == 0x80)
			;
	for (int i = 0; i < length; i++)
		if (bytes[i] == '\0')
			bytes[i] = '?';
	if (!pg_verify_mbstr(PG_UTF8, bytes, length, true) || GetDatabaseEncoding() != PG_UTF8)
		for (int i = 0; i < length; i++)
			if ((bytes[i] & 0x80) != 0)
				bytes[i] = '?';
	return cstring_to_text_with_len(bytes, length);
}

static void
set_text_or_null(PlatformRow *row, int column, const char *value)
{
	if (value == NULL)
		platform_row_set_null(row, column);
	else
		platform_row_set(row, column, CStringGetTextDatum(value));
}

static void
set_result(PlatformRow *row, const Report *report, TimestampTz now)
{
	if (report->outcome == OUTCOME_RETRYING)
	{
		platform_row_set(row, D_STATUS, CStringGetTextDatum("pending"));
		platform_row_set(row, D_NEXT_RETRY_AT, TimestampTzGetDatum(report->next_attempt_at));
	}
	else
	{
		platform_row_set(row, D_STATUS, CStringGetTextDatum(outcome_names[report->outcome]));
		platform_row_set(row, D_FINISHED_AT, TimestampTzGetDatum(now));
		if (report->outcome == OUTCOME_DELIVERED)
			platform_row_set(row, D_DELIVERED_AT, TimestampTzGetDatum(now));
	}
	platform_row_set_null(row, D_LEASE_ID);
	platform_row_set_null(row, D_LEASE_UNTIL);
	if (report->http_status != 0)
		platform_row_set(row, D_RESPONSE_STATUS, Int32GetDatum(report->http_status));
	else
		platform_row_set_null(row, D_RESPONSE_STATUS);
	if (report->duration_ms >= 0)
		platform_row_set(row, D_RESPONSE_TIME, Int32GetDatum(report->duration_ms));
	else
		platform_row_set_null(row, D_RESPONSE_TIME);
	set_text_or_null(row, D_LAST_ERROR, report->error);
	if (report->response_text != NULL)
		platform_row_set(row, D_RESPONSE_BODY, PointerGetDatum(report->response_text));
	else
		platform_row_set_null(row, D_RESPONSE_BODY);
}

/* Writes a result to its delivery; false when that was claimed anew meanwhile, or is gone. */
static bool
write_result(PlatformRow *row, Report *report, TimestampTz now)
{
	bool		found = platform_row_fetch(row, &report->tid) ||
		platform_webhook_delivery_find(row, &report->delivery);

	for (;;)
	{
		PlatformRowResult result;

		if (!found || !is_own(row, report))
			return false;
		set_result(row, report, now);
		result = platform_row_update(row);
		if (result == ROW_DONE)
			return true;
		if (result == ROW_BUSY)
			platform_row_wait(row);
		found = platform_webhook_delivery_find(row, &report->delivery);
	}
}

static void
write_results(PlatformRow *row, Report *reports, int count, TimestampTz now)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "webhook result",
												  ALLOCSET_SMALL_SIZES);

	for (int i = 0; i < count; i++)
	{
		Report	   *report = &reports[i];
		MemoryContext old;

		if (report->endpoint == NULL)
			continue;
		if (report->response != NULL && report->endpoint->keep_responses)
			report->response_text = response_text(report->response);
		old = MemoryContextSwitchTo(context);
		if (!write_result(row, report, now))
		{
			report->outcome = OUTCOME_STALE;
			report->endpoint = NULL;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

static void
log_results(const Report *results, int count, TimestampTz now)
{
	WebhookAttempt *attempts = palloc0(count * sizeof(WebhookAttempt));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		const Report *result = &results[i];
		WebhookAttempt *attempt = &attempts[n];

		if (result->outcome == OUTCOME_UNKNOWN)
			continue;
		n++;
		attempt->organization = result->organization;
		attempt->delivery = result->delivery;
		attempt->subscription = result->subscription;
		attempt->attempt = result->attempt;
		attempt->outcome = result->outcome == OUTCOME_RETRYING ? "failed" :
			outcome_names[result->outcome];
		attempt->http_status = result->http_status;
		attempt->duration_ms = result->duration_ms;
		attempt->error = result->error;
		attempt->response_body = result->response_text;
	}
	platform_webhook_log_attempts(attempts, n, now);
}

static void
count_result(const Report *result)
{
	WebhookHealth *endpoint = result->endpoint;

	if (endpoint == NULL)
		return;
	if (result->outcome == OUTCOME_DELIVERED)
		endpoint->nsucceeded++;
	else
		endpoint->nfailed++;
	if (result->http_status == 410)
		endpoint->gone = true;
	if (result->outcome == OUTCOME_RETRYING &&
		(endpoint->next_retry_at == 0 || result->next_attempt_at < endpoint->next_retry_at))
		endpoint->next_retry_at = result->next_attempt_at;
}

/* All of it, in the order of locks. */
static void
complete(Report *results, int count)
{
	TimestampTz now;
	PlatformRow row;
	WebhookHealth *endpoints;
	int			nendpoints;

	platform_query_begin();
	platform_row_open(&row, &platform_webhook_delivery_table);
	qsort(results, count, sizeof(Report), compare_results);
	read_deliveries(&row, results, count);
	nendpoints = read_endpoints(results, count, &endpoints);
	for (int i = 0; i < count; i++)
		note_concern(&results[i]);
	platform_webhook_health_lock(endpoints, nendpoints, GetCurrentTimestamp());
	now = GetCurrentTimestamp();
	for (int i = 0; i < count; i++)
		decide(&results[i], now);
	platform_row_keep_indexes(&row);
	write_results(&row, results, count, now);
	platform_row_close(&row);
	log_results(results, count, now);
	/* counts only of those that were still ours */
	for (int i = 0; i < nendpoints; i++)
		endpoints[i].gone = false;
	for (int i = 0; i < count; i++)
		count_result(&results[i]);
	for (int i = 0; i < nendpoints; i++)
		if (endpoints[i].concerned)
			platform_webhook_health_write(&endpoints[i], now);
	platform_query_end();
	platform_commit_unlock_early();
	qsort(results, count, sizeof(Report), compare_order);
}

/* ---- SQL ---- */

static void
check_result(const Report *result)
{
	if (result->http_status != 0 && (result->http_status < 100 || result->http_status > 599))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("http_status must be between 100 and 599")));
	if (result->duration_ms < -1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("duration_ms must not be negative")));
}

/* At most so many characters of the text. */
static char *
cut_error(const text *error)
{
	char	   *result = text_to_cstring(error);

	result[pg_mbcharcliplen(result, (int) strlen(result), ERROR_MAX)] = '\0';
	return result;
}

/*
 * platform.complete_webhook_delivery(delivery_id uuid, lease_id uuid,
 *		http_status integer DEFAULT NULL, duration_ms integer DEFAULT NULL, error text DEFAULT NULL,
 *		retry_after text DEFAULT NULL, response_body bytea DEFAULT NULL,
 *		OUT outcome text, OUT next_attempt_at timestamptz)
 *
 * Says what came of a request. http_status NULL: there was no answer, and error
 * says why: timeout, connect, dns, tls, address, too_large ... retry_after: that
 * header as it came. outcome: delivered; retrying, at next_attempt_at; failed, for
 * good; stale: the delivery is somebody else's by now, nothing changed; unknown: it
 * is gone. EXECUTE is the grant; no member has it. Errors: 22004; 22023 a status
 * outside 100 to 599, a negative duration; 25006; 40001 in REPEATABLE READ.
 */
Datum
platform_complete_webhook_delivery(PG_FUNCTION_ARGS)
{
	Report		result = {.duration_ms = -1};
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false};

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "delivery_id");
	platform_require_argument(fcinfo, 1, "lease_id");
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result.delivery = *PG_GETARG_UUID_P(0);
	result.lease = *PG_GETARG_UUID_P(1);
	if (!PG_ARGISNULL(2))
		result.http_status = PG_GETARG_INT32(2) == 0 ? -1 : PG_GETARG_INT32(2);
	if (!PG_ARGISNULL(3))
		result.duration_ms = PG_GETARG_INT32(3) < 0 ? -2 : PG_GETARG_INT32(3);
	if (!PG_ARGISNULL(4))
		result.error = cut_error(PG_GETARG_TEXT_PP(4));
	if (!PG_ARGISNULL(5))
		result.retry_after = text_to_cstring(PG_GETARG_TEXT_PP(5));
	if (!PG_ARGISNULL(6))
		result.response = PG_GETARG_BYTEA_PP(6);
	check_result(&result);
	complete(&result, 1);

	values[0] = CStringGetTextDatum(outcome_names[result.outcome]);
	values[1] = TimestampTzGetDatum(result.next_attempt_at);
	nulls[1] = result.outcome != OUTCOME_RETRYING;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/*
 * An array argument of the length of the first; NULL: all null. *elements is NULL
 * then.
 */
static void
array_argument(FunctionCallInfo fcinfo, int argument, Oid type, int length, bool by_value,
			   char align, int expected, Datum **elements, bool **nulls)
{
	ArrayType  *array;
	int			count;

	*elements = NULL;
	if (PG_ARGISNULL(argument))
		return;
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays must have one dimension")));
	deconstruct_array(array, type, length, by_value, align, elements, nulls, &count);
	if (expected >= 0 && count != expected)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arrays must be of one length")));
}

/* Deliveries and their leases, the first two arguments; none may be null. */
static int
identify(FunctionCallInfo fcinfo, Datum **deliveries, Datum **leases)
{
	bool	   *delivery_nulls;
	bool	   *lease_nulls;
	int			count;

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "delivery_ids");
	platform_require_argument(fcinfo, 1, "lease_ids");
	count = ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(0)), ARR_DIMS(PG_GETARG_ARRAYTYPE_P(0)));
	if (count > WEBHOOK_BATCH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot take more than %d deliveries at once", WEBHOOK_BATCH_MAX)));
	array_argument(fcinfo, 0, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, count, deliveries, &delivery_nulls);
	array_argument(fcinfo, 1, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, count, leases, &lease_nulls);
	for (int i = 0; i < count; i++)
		if (delivery_nulls[i] || lease_nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("delivery_ids and lease_ids cannot have null elements")));
	return count;
}

/*
 * platform.complete_webhook_deliveries(delivery_ids uuid[], lease_ids uuid[],
 *		http_statuses integer[], durations_ms integer[] DEFAULT NULL, errors text[] DEFAULT NULL,
 *		retry_afters text[] DEFAULT NULL, response_bodies bytea[] DEFAULT NULL)
 *		RETURNS TABLE (delivery_id uuid, outcome text, next_attempt_at timestamptz)
 *
 * The same for up to 1000 at once, a row for each in their order. Arrays are of
 * one length; one that is NULL says nothing of any. EXECUTE is the grant.
 * Errors: as there; 22023 arrays of different lengths; 2202E of several
 * dimensions.
 */
Datum
platform_complete_webhook_deliveries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *columns[7];
	bool	   *nulls[7] = {NULL};
	Report	   *results;
	int			count = identify(fcinfo, &columns[0], &columns[1]);

	array_argument(fcinfo, 2, INT4OID, sizeof(int32), true, TYPALIGN_INT, count, &columns[2], &nulls[2]);
	array_argument(fcinfo, 3, INT4OID, sizeof(int32), true, TYPALIGN_INT, count, &columns[3], &nulls[3]);
	array_argument(fcinfo, 4, TEXTOID, -1, false, TYPALIGN_INT, count, &columns[4], &nulls[4]);
	array_argument(fcinfo, 5, TEXTOID, -1, false, TYPALIGN_INT, count, &columns[5], &nulls[5]);
	array_argument(fcinfo, 6, BYTEAOID, -1, false, TYPALIGN_INT, count, &columns[6], &nulls[6]);
	InitMaterializedSRF(fcinfo, 0);
	if (count == 0)
		return (Datum) 0;

	results = palloc0(count * sizeof(Report));
	for (int i = 0; i < count; i++)
	{
		Report	   *result = &results[i];

		result->order = i;
		result->delivery = *DatumGetUUIDP(columns[0][i]);
		result->lease = *DatumGetUUIDP(columns[1][i]);
		result->duration_ms = -1;
		if (columns[2] != NULL && !nulls[2][i])
			result->http_status = DatumGetInt32(columns[2][i]) == 0 ? -1 : DatumGetInt32(columns[2][i]);
		if (columns[3] != NULL && !nulls[3][i])
			result->duration_ms = DatumGetInt32(columns[3][i]) < 0 ? -2 : DatumGetInt32(columns[3][i]);
		if (columns[4] != NULL && !nulls[4][i])
			result->error = cut_error(DatumGetTextPP(columns[4][i]));
		if (columns[5] != NULL && !nulls[5][i])
			result->retry_after = TextDatumGetCString(columns[5][i]);
		if (columns[6] != NULL && !nulls[6][i])
			result->response = DatumGetByteaPP(columns[6][i]);
		check_result(result);
	}
	complete(results, count);
	for (int i = 0; i < count; i++)
	{
		Datum		values[3];
		bool		isnull[3] = {false, false, results[i].outcome != OUTCOME_RETRYING};

		values[0] = UUIDPGetDatum(&results[i].delivery);
		values[1] = CStringGetTextDatum(outcome_names[results[i].outcome]);
		values[2] = TimestampTzGetDatum(results[i].next_attempt_at);
		tuplestore_putvalues(set->setResult, set->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/*
 * platform.release_webhook_deliveries(delivery_ids uuid[], lease_ids uuid[]) returns integer
 *
 * Gives deliveries back that were claimed and not sent: they are due again, and
 * the attempt does not count. Returns how many were still the caller's. EXECUTE
 * is the grant. Errors: 22004; 22023 arrays of different lengths; 25006.
 */
Datum
platform_release_webhook_deliveries(PG_FUNCTION_ARGS)
{
	Datum	   *deliveries;
	Datum	   *leases;
	int			count = identify(fcinfo, &deliveries, &leases);
	Report	   *results;
	pg_uuid_t  *ids;
	pg_uuid_t  *organizations;
	WebhookHealth *endpoints;
	int			nendpoints;
	Datum		values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	PlatformRow row;
	uint64		released;

	if (count == 0)
		PG_RETURN_INT32(0);
	results = palloc0(count * sizeof(Report));
	for (int i = 0; i < count; i++)
	{
		results[i].delivery = *DatumGetUUIDP(deliveries[i]);
		results[i].lease = *DatumGetUUIDP(leases[i]);
	}
	platform_query_begin();
	platform_row_open(&row, &platform_webhook_delivery_table);
	qsort(results, count, sizeof(Report), compare_results);
	read_deliveries(&row, results, count);
	platform_row_close(&row);
	nendpoints = read_endpoints(results, count, &endpoints);
	ids = palloc(Max(nendpoints, 1) * sizeof(pg_uuid_t));
	organizations = palloc(Max(nendpoints, 1) * sizeof(pg_uuid_t));
	qsort(endpoints, nendpoints, sizeof(WebhookHealth), platform_compare_uuids);
	for (int i = 0; i < nendpoints; i++)
	{
		ids[i] = endpoints[i].id;
		organizations[i] = endpoints[i].organization;
	}
	values[2] = TimestampTzGetDatum(platform_webhook_make_due(ids, organizations, nendpoints));
	released = platform_query_run(&release_deliveries, values, NULL);
	platform_query_end();
	PG_RETURN_INT32((int32) released);
}
