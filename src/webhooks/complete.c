/*
 * complete.c
 *	  What became of deliveries.
 *
 * A result counts only with the lease under which the delivery was claimed: one
 * that comes late is logged as stale and changes nothing. A success of a healthy
 * endpoint changes its delivery alone; whatever concerns the endpoint's health
 * is done holding its row, by subscription id, before the deliveries.
 *
 * Health: failures in a row open the circuit breaker, for a minute at first and
 * twice as long each time it opens again; then one request decides. After five
 * days without a success, and ten failures at least, the subscription is
 * disabled, as it is at once by 410 Gone. Its deliveries are held.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/commit.h"
#include "core/query.h"
#include "webhooks/attempt.h"
#include "webhooks/delivery.h"
#include "webhooks/webhooks.h"

PG_FUNCTION_INFO_V1(platform_complete_webhook_delivery);
PG_FUNCTION_INFO_V1(platform_complete_webhook_deliveries);
PG_FUNCTION_INFO_V1(platform_release_webhook_deliveries);

#define BREAKER_FAILURES	10
#define BREAKER_FIRST		USECS_PER_MINUTE
#define BREAKER_LONGEST		USECS_PER_HOUR
#define DISABLE_AFTER		(5 * USECS_PER_DAY)
#define DISABLE_FAILURES	10
#define ALERT_AFTER			USECS_PER_DAY
#define LIFTED_DELAY		USECS_PER_MINUTE
#define RESPONSE_MAX		2048
#define ERROR_MAX			500
#define ALERT_TYPE			"delivery_failures"

typedef enum Outcome
{
	OUTCOME_DELIVERED,
	OUTCOME_RETRYING,
	OUTCOME_FAILED,
	OUTCOME_STALE,
	OUTCOME_UNKNOWN				/* there is no such delivery */
} Outcome;

static const char *const outcome_names[] = {"delivered", "retrying", "failed", "stale", "unknown"};

/* The subscription and the endpoint of some of the results. */
typedef struct Endpoint
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	WebhookSchedule schedule;
	bool		keep_responses;
	char	   *name;

	bool		concerned;		/* its row is to be locked and written */
	bool		may_end;		/* it may be disabled */
	bool		full;
	char	   *breaker;
	int			breaker_opened;
	int			failures;
	TimestampTz failing_since;	/* 0: it is not */

	int			nsucceeded;
	int			nfailed;
	bool		gone;
	TimestampTz next_retry_at;	/* the earliest; 0: none */
} Endpoint;

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
	Endpoint   *endpoint;
	Outcome		outcome;
	TimestampTz next_attempt_at;
	text	   *response_text;
	int			order;			/* as it was given */
} Report;

#define ENDPOINT_COLUMNS \
	" e.blocked_by OPERATOR(pg_catalog.=) 'full', e.breaker, e.breaker_opened, e.failures, e.failing_since"

static PlatformQuery find_endpoints =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT s.id, s.organization_id, s.retry_policy, s.retry_schedule, s.keep_responses, s.name,"
				   ENDPOINT_COLUMNS
				   " FROM platform.webhook_subscriptions s"
				   " JOIN platform.webhook_endpoints e ON e.subscription_id OPERATOR(pg_catalog.=) s.id"
				   " AND e.organization_id OPERATOR(pg_catalog.=) s.organization_id"
				   " WHERE s.id OPERATOR(pg_catalog.=) ANY ($1)",
				   UUIDARRAYOID);

static PlatformQuery lock_endpoints =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT e.subscription_id," ENDPOINT_COLUMNS
				   " FROM platform.webhook_endpoints e"
				   " WHERE e.subscription_id OPERATOR(pg_catalog.=) ANY ($1)"
				   " ORDER BY e.subscription_id FOR NO KEY UPDATE",
				   UUIDARRAYOID);

/* Before the endpoint, as whoever pauses a subscription. */
static PlatformQuery lock_subscriptions =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT 1 FROM platform.webhook_subscriptions"
				   " WHERE id OPERATOR(pg_catalog.=) ANY ($1) ORDER BY id FOR NO KEY UPDATE",
				   UUIDARRAYOID);

/*
 * $3: open the breaker until then. Otherwise a place among those under way is
 * free again, a breaker that closes ($4) blocks no longer, and a retry at $5 is due.
 */
#define UNBLOCKS \
	"(e.blocked_by OPERATOR(pg_catalog.=) 'full' OR ($4 AND e.blocked_by OPERATOR(pg_catalog.=) 'breaker'))"

static PlatformQuery update_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_endpoints AS e SET"
				   " due_at = CASE WHEN $3 IS NOT NULL THEN $3 WHEN " UNBLOCKS " THEN $6"
				   " WHEN $5 IS NULL THEN e.due_at ELSE LEAST(e.due_at, GREATEST($5, e.blocked_until)) END,"
				   " blocked_until = CASE WHEN $3 IS NOT NULL THEN $3 WHEN " UNBLOCKS " THEN NULL ELSE e.blocked_until END,"
				   " blocked_by = CASE WHEN $3 IS NOT NULL THEN 'breaker' WHEN " UNBLOCKS " THEN NULL ELSE e.blocked_by END,"
				   " breaker = $7, breaker_opened = $8, failures = $9, failing_since = $10,"
				   " last_success_at = coalesce($11, e.last_success_at),"
				   " last_failure_at = coalesce($12, e.last_failure_at)"
				   " WHERE e.subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND e.organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
				   TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery disable_subscription =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "UPDATE platform.webhook_subscriptions SET active = false, disabled_reason = $3"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2 AND active",
				   UUIDOID, UUIDOID, TEXTOID);

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

	return !isnull && delivery_moment(row, D_FINISHED_AT) == 0 &&
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
		report->organization = delivery_uuid(row, D_ORGANIZATION);
		report->subscription = delivery_uuid(row, D_SUBSCRIPTION);
		report->attempt = delivery_int32(row, D_ATTEMPTS);
		report->max_attempts = delivery_int32(row, D_MAX_ATTEMPTS);
		report->tid = row->tid;
		report->outcome = OUTCOME_STALE;
		if (is_own(row, report) &&
			(i == 0 || !platform_uuid_equal(&reports[i - 1].delivery, &report->delivery)))
			report->outcome = OUTCOME_DELIVERED;	/* or failed: decided below */
	}
}

static void
read_health(Endpoint *endpoint, uint64 row, int column)
{
	bool		isnull;

	endpoint->full = DatumGetBool(platform_row_datum(row, column, &isnull)) && !isnull;
	endpoint->breaker = platform_row_cstring(row, column + 1);
	endpoint->breaker_opened = platform_row_int32(row, column + 2);
	endpoint->failures = platform_row_int32(row, column + 3);
	endpoint->failing_since = platform_row_timestamptz_or(row, column + 4, 0);
}

static Endpoint *
find_endpoint(Endpoint *endpoints, int count, const pg_uuid_t *id)
{
	for (int i = 0; i < count; i++)
		if (platform_uuid_equal(&endpoints[i].id, id))
			return &endpoints[i];
	return NULL;
}

/* The endpoints of results that are the caller's; returns how many. */
static int
read_endpoints(Report *results, int count, Endpoint **endpoints)
{
	pg_uuid_t  *ids = palloc(count * sizeof(pg_uuid_t));
	int			nids = 0;
	Datum		value;
	int			rows;

	for (int i = 0; i < count; i++)
		if (results[i].outcome == OUTCOME_DELIVERED)
			ids[nids++] = results[i].subscription;
	qsort(ids, nids, sizeof(pg_uuid_t), platform_compare_uuids);
	value = platform_uuid_array(ids, nids);
	rows = nids == 0 ? 0 : (int) platform_query_run(&find_endpoints, &value, NULL);
	*endpoints = palloc0(Max(rows, 1) * sizeof(Endpoint));
	for (int i = 0; i < rows; i++)
	{
		Endpoint   *endpoint = &(*endpoints)[i];
		char	   *policy = platform_row_cstring(i, 3);
		bool		isnull;
		Datum		schedule = platform_row_datum_copy(i, 4, &isnull);

		endpoint->id = platform_row_uuid(i, 1);
		endpoint->organization = platform_row_uuid(i, 2);
		endpoint->schedule.fixed = strcmp(policy, "fixed") == 0;
		if (!isnull)
		{
			ArrayType  *array = DatumGetArrayTypeP(schedule);

			endpoint->schedule.count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
			endpoint->schedule.seconds = (const int32 *) ARR_DATA_PTR(array);
		}
		endpoint->keep_responses = platform_row_bool(i, 5);
		endpoint->name = platform_row_cstring(i, 6);
		read_health(endpoint, i, 7);
	}
	for (int i = 0; i < count; i++)
		if (results[i].outcome == OUTCOME_DELIVERED)
		{
			results[i].endpoint = find_endpoint(*endpoints, rows, &results[i].subscription);
			if (results[i].endpoint == NULL)
				results[i].outcome = OUTCOME_UNKNOWN;	/* deleted since */
		}
	return rows;
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

static void
decide(Report *result, TimestampTz now)
{
	Endpoint   *endpoint = result->endpoint;

	result->error = error_of(result);
	if (is_success(result))
		return;
	if (result->attempt >= result->max_attempts || result->http_status == 410)
		result->outcome = OUTCOME_FAILED;
	else
	{
		result->outcome = OUTCOME_RETRYING;
		result->next_attempt_at = retry_time(result, now);
	}
	endpoint->concerned = true;
	if (result->http_status == 410 ||
		(endpoint->failing_since != 0 && now - endpoint->failing_since >= DISABLE_AFTER))
		endpoint->may_end = true;
}

/* Locks the rows of endpoints whose health is concerned, and reads them again. */
static void
lock_concerned(Endpoint *endpoints, int count)
{
	pg_uuid_t  *ids = palloc(Max(count, 1) * sizeof(pg_uuid_t));
	int			nids = 0;
	Datum		value;
	uint64		rows;

	for (int i = 0; i < count; i++)
		if (endpoints[i].may_end)
			ids[nids++] = endpoints[i].id;
	if (nids > 0)
	{
		value = platform_uuid_array(ids, nids);
		platform_query_run(&lock_subscriptions, &value, NULL);
	}
	nids = 0;
	for (int i = 0; i < count; i++)
	{
		if (endpoints[i].failures > 0 || endpoints[i].full || strcmp(endpoints[i].breaker, "closed") != 0)
			endpoints[i].concerned = true;
		if (endpoints[i].concerned)
			ids[nids++] = endpoints[i].id;
	}
	if (nids == 0)
		return;
	value = platform_uuid_array(ids, nids);
	rows = platform_query_run(&lock_endpoints, &value, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		pg_uuid_t	id = platform_row_uuid(i, 1);

		read_health(find_endpoint(endpoints, count, &id), i, 2);
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
	bool		found = platform_row_fetch(row, &report->tid);

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

/* ---- health ---- */

static void
raise_alert(const Endpoint *endpoint, const char *severity, const char *what)
{
	PlatformAlert alert = {
		.severity = severity, .type = ALERT_TYPE, .source = "webhook",
		.organization = &endpoint->organization,
		.title = psprintf("Deliveries to webhook \"%s\" fail", endpoint->name),
		.message = psprintf("%s: %d failures in a row since %s.", what, endpoint->failures,
							timestamptz_to_str(endpoint->failing_since)),
		.dedup_key = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint->id)))
	};

	(void) platform_alert_raise(&alert, NULL);
}

static void
disable(const Endpoint *endpoint, const char *reason)
{
	Datum		values[3];

	values[0] = UUIDPGetDatum(&endpoint->id);
	values[1] = UUIDPGetDatum(&endpoint->organization);
	values[2] = CStringGetTextDatum(reason);
	if (platform_query_run(&disable_subscription, values, NULL) > 0)
		raise_alert(endpoint, "critical", strcmp(reason, "gone") == 0 ?
					"The receiver said 410 Gone and the subscription is disabled" :
					"The subscription is disabled");
}

/* What the results say of the endpoint; its row is locked. */
static void
write_health(Endpoint *endpoint, TimestampTz now)
{
	bool		was_failing = endpoint->failures >= BREAKER_FAILURES;
	bool		was_open = strcmp(endpoint->breaker, "closed") != 0;
	TimestampTz open_until = 0;
	Datum		values[12];
	bool		nulls[12] = {false};

	if (endpoint->nsucceeded > 0)
	{
		endpoint->failures = 0;
		endpoint->failing_since = 0;
		endpoint->breaker_opened = 0;
		endpoint->breaker = "closed";
	}
	else if (endpoint->nfailed > 0)
	{
		endpoint->failures = (int) Min((int64) endpoint->failures + endpoint->nfailed, PG_INT32_MAX);
		if (endpoint->failing_since == 0)
			endpoint->failing_since = now;
		if (strcmp(endpoint->breaker, "half_open") == 0 ||
			(!was_open && endpoint->failures >= BREAKER_FAILURES))
		{
			open_until = now + Min(BREAKER_FIRST << Min(endpoint->breaker_opened, 10), BREAKER_LONGEST);
			endpoint->breaker_opened++;
			endpoint->breaker = "open";
		}
	}

	values[0] = UUIDPGetDatum(&endpoint->id);
	values[1] = UUIDPGetDatum(&endpoint->organization);
	values[2] = TimestampTzGetDatum(open_until);
	nulls[2] = open_until == 0;
	values[3] = BoolGetDatum(was_open && endpoint->nsucceeded > 0);
	values[4] = TimestampTzGetDatum(endpoint->next_retry_at);
	nulls[4] = endpoint->next_retry_at == 0;
	values[5] = TimestampTzGetDatum(now);
	values[6] = CStringGetTextDatum(endpoint->breaker);
	values[7] = Int32GetDatum(endpoint->breaker_opened);
	values[8] = Int32GetDatum(endpoint->failures);
	values[9] = TimestampTzGetDatum(endpoint->failing_since);
	nulls[9] = endpoint->failing_since == 0;
	values[10] = values[11] = TimestampTzGetDatum(now);
	nulls[10] = endpoint->nsucceeded == 0;
	nulls[11] = endpoint->nfailed == 0;
	platform_query_run(&update_endpoint, values, nulls);

	if (endpoint->nsucceeded > 0 && was_failing)
		(void) platform_alert_clear(&endpoint->organization, ALERT_TYPE,
									DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint->id))));
	else if (open_until != 0)
		raise_alert(endpoint, now - endpoint->failing_since >= ALERT_AFTER ? "critical" : "warning",
					"The circuit breaker opened");
	if (endpoint->gone)
		disable(endpoint, "gone");
	else if (endpoint->nsucceeded == 0 && endpoint->nfailed > 0 &&
			 endpoint->failures >= DISABLE_FAILURES &&
			 now - endpoint->failing_since >= DISABLE_AFTER)
		disable(endpoint, "failing");
}

static void
count_result(const Report *result)
{
	Endpoint   *endpoint = result->endpoint;

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
	TimestampTz now = GetCurrentTimestamp();
	PlatformRow row;
	Endpoint   *endpoints;
	int			nendpoints;

	platform_query_begin();
	platform_row_open(&row, &platform_webhook_delivery_table);
	qsort(results, count, sizeof(Report), compare_results);
	read_deliveries(&row, results, count);
	nendpoints = read_endpoints(results, count, &endpoints);
	for (int i = 0; i < count; i++)
	{
		if (results[i].endpoint != NULL)
			decide(&results[i], now);
		else
			results[i].error = error_of(&results[i]);
	}
	lock_concerned(endpoints, nendpoints);
	platform_row_keep_indexes(&row);
	write_results(&row, results, count, now);
	platform_row_close(&row);
	log_results(results, count, now);
	for (int i = 0; i < count; i++)
		count_result(&results[i]);
	for (int i = 0; i < nendpoints; i++)
		if (endpoints[i].concerned)
			write_health(&endpoints[i], now);
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
	TimestampTz now = GetCurrentTimestamp();
	Report	   *results;
	pg_uuid_t  *ids;
	pg_uuid_t  *organizations;
	Endpoint   *endpoints;
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
	qsort(endpoints, nendpoints, sizeof(Endpoint), platform_compare_uuids);
	for (int i = 0; i < nendpoints; i++)
	{
		ids[i] = endpoints[i].id;
		organizations[i] = endpoints[i].organization;
	}
	platform_webhook_make_due(ids, organizations, nendpoints, now);
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	released = platform_query_run(&release_deliveries, values, NULL);
	platform_query_end();
	PG_RETURN_INT32((int32) released);
}
