/*
 * records.c
 *	  Latencies, sensitive actions, upgrade prompts, and runs of jobs.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/append.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_log_latency);
PG_FUNCTION_INFO_V1(platform_log_black_box);
PG_FUNCTION_INFO_V1(platform_show_upgrade_prompt);
PG_FUNCTION_INFO_V1(platform_answer_upgrade_prompt);
PG_FUNCTION_INFO_V1(platform_start_job);
PG_FUNCTION_INFO_V1(platform_finish_job);

/* ---- latencies ---- */

static int	slow_request = 1000;

enum
{
	T_ID,
	T_ORGANIZATION,
	T_CREATED_AT,
	T_ENDPOINT,
	T_METHOD,
	T_DURATION,
	T_STATUS,
	T_USER_ID,
	T_REQUEST_ID,
	T_IS_SLOW,
	T_COLUMNS
};

static PlatformAppendTable latency_table = {
	.cache = {.name = "latency log", .tables = {"latency_logs"}},
	.ncolumns = T_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"created_at", TIMESTAMPTZOID},
		{"endpoint", TEXTOID},
		{"method", TEXTOID},
		{"duration_ms", INT4OID},
		{"status_code", INT4OID},
		{"user_id", UUIDOID},
		{"request_id", TEXTOID},
		{"is_slow", BOOLOID},
	},
};

void
platform_records_init(void)
{
	platform_append_register(&latency_table);
	DefineCustomIntVariable("platform.ops_slow_request",
							"Requests that took at least so long are marked as slow in latency_logs.",
							NULL, &slow_request, 1000, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

/*
 * platform.log_latency(organization_id uuid, endpoint text, method text, duration_ms integer,
 *		status_code integer DEFAULT NULL, user_id uuid DEFAULT NULL,
 *		request_id text DEFAULT NULL) returns boolean
 *
 * Records how long a request took, in milliseconds, and returns whether that is
 * slow (setting platform.ops_slow_request). organization_id NULL: nobody's.
 * Operators only: 42501. 22004 without endpoint, method or duration; 22023 for a
 * text out of its length, a negative duration or a status outside 100 to 599;
 * 55000 before install().
 */
Datum
platform_log_latency(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	PlatformAppend append;
	TupleTableSlot *slot;
	pg_uuid_t	id;
	char	   *endpoint;
	char	   *method;
	char	   *request;
	bool		slow;

	platform_require_operator("log a latency");
	platform_require_module(&platform_ops_module);
	endpoint = platform_ops_text(fcinfo, 1, "endpoint", 2000);
	method = platform_ops_text(fcinfo, 2, "method", 20);
	platform_require_argument(fcinfo, 3, "duration_ms");
	request = platform_ops_optional_text(fcinfo, 6, "request_id", 255);
	if (PG_GETARG_INT32(3) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("duration_ms must not be negative")));
	if (!PG_ARGISNULL(4) && (PG_GETARG_INT32(4) < 100 || PG_GETARG_INT32(4) > 599))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("status_code must be between 100 and 599")));
	slow = PG_GETARG_INT32(3) >= slow_request;

	platform_make_uuid7(&id);
	platform_append_open_at(&append, &latency_table, 1, now);
	slot = platform_append_row(&append);
	platform_append_set(&append, slot, T_ID, UUIDPGetDatum(&id));
	platform_append_set(&append, slot, T_ORGANIZATION, PG_ARGISNULL(0) ?
						UUIDPGetDatum(&platform_nil_uuid) : PG_GETARG_DATUM(0));
	platform_append_set(&append, slot, T_CREATED_AT, TimestampTzGetDatum(now));
	platform_append_set(&append, slot, T_ENDPOINT, CStringGetTextDatum(endpoint));
	platform_append_set(&append, slot, T_METHOD, CStringGetTextDatum(method));
	platform_append_set(&append, slot, T_DURATION, PG_GETARG_DATUM(3));
	if (!PG_ARGISNULL(4))
		platform_append_set(&append, slot, T_STATUS, PG_GETARG_DATUM(4));
	if (!PG_ARGISNULL(5))
		platform_append_set(&append, slot, T_USER_ID, PG_GETARG_DATUM(5));
	if (request != NULL)
		platform_append_set(&append, slot, T_REQUEST_ID, CStringGetTextDatum(request));
	platform_append_set(&append, slot, T_IS_SLOW, BoolGetDatum(slow));
	platform_append_flush(&append);
	platform_append_close(&append);
	PG_RETURN_BOOL(slow);
}

/* ---- sensitive actions ---- */

static PlatformQuery insert_black_box =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.black_box_logs"
				   " (organization_id, event_id, action_type, user_id, ip_address, user_agent, meta_data)"
				   " VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, '{}'::pg_catalog.jsonb))"
				   " ON CONFLICT (event_id) DO NOTHING",
				   UUIDOID, TEXTOID, TEXTOID, UUIDOID, INETOID, TEXTOID, JSONBOID);

/*
 * platform.log_black_box(organization_id uuid, event_id text, action_type text,
 *		user_id uuid DEFAULT NULL, meta_data jsonb DEFAULT '{}', ip_address inet DEFAULT NULL,
 *		user_agent text DEFAULT NULL) returns boolean
 *
 * Records a sensitive action for good: nobody can change or delete it. True when
 * this call did, false when the event was recorded before. organization_id NULL:
 * the platform's own. Operators only: 42501. 22004 without event or action,
 * 22023 for a text out of its length or meta_data that is no object, 55000
 * before install().
 */
Datum
platform_log_black_box(PG_FUNCTION_ARGS)
{
	Datum		values[7];
	bool		nulls[7] = {false, false, false, PG_ARGISNULL(3), PG_ARGISNULL(5), PG_ARGISNULL(6),
	PG_ARGISNULL(4)};
	bool		recorded;

	platform_require_operator("write to the black box");
	platform_require_module(&platform_ops_module);
	values[0] = PG_ARGISNULL(0) ? UUIDPGetDatum(&platform_nil_uuid) : PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(platform_ops_text(fcinfo, 1, "event_id", 255));
	values[2] = CStringGetTextDatum(platform_ops_text(fcinfo, 2, "action_type", 63));
	values[3] = PG_GETARG_DATUM(3);
	values[4] = PG_GETARG_DATUM(5);
	if (!nulls[5])
		values[5] = CStringGetTextDatum(platform_ops_optional_text(fcinfo, 6, "user_agent", 1000));
	if (!nulls[6])
		values[6] = JsonbPGetDatum(platform_ops_optional_object(fcinfo, 4, "meta_data"));
	platform_query_begin();
	recorded = platform_query_run(&insert_black_box, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(recorded);
}

/* ---- upgrade prompts ---- */

static PlatformQuery insert_prompt =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.upgrade_prompts_shown"
				   " (organization_id, user_id, prompt_type, trigger_reason)"
				   " VALUES ($1, $2, $3, $4) RETURNING id",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find_prompt =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT user_id FROM platform.upgrade_prompts_shown"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

/* The first answer of each kind counts; who converts has clicked. */
static PlatformQuery answer_prompt =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.upgrade_prompts_shown SET"
				   " clicked_at = CASE WHEN $3 OPERATOR(pg_catalog.<>) 'dismissed'"
				   " THEN coalesce(clicked_at, pg_catalog.clock_timestamp()) ELSE clicked_at END,"
				   " dismissed_at = CASE WHEN $3 OPERATOR(pg_catalog.=) 'dismissed'"
				   " THEN pg_catalog.clock_timestamp() ELSE dismissed_at END,"
				   " converted_at = CASE WHEN $3 OPERATOR(pg_catalog.=) 'converted'"
				   " THEN pg_catalog.clock_timestamp() ELSE converted_at END"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2"
				   " AND CASE WHEN $3 OPERATOR(pg_catalog.=) 'clicked' THEN clicked_at IS NULL"
				   " WHEN $3 OPERATOR(pg_catalog.=) 'dismissed' THEN dismissed_at IS NULL"
				   " ELSE converted_at IS NULL END",
				   UUIDOID, UUIDOID, TEXTOID);

/* 42501 unless the caller is that user of that organization, or an operator. */
static void
require_self(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	const pg_uuid_t *self;

	platform_require_organization(organization);
	if (platform_is_operator())
		return;
	self = platform_current_user();
	if (self == NULL || !platform_uuid_equal(self, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for upgrade prompts of another user")));
}

/*
 * platform.show_upgrade_prompt(organization_id uuid, user_id uuid, prompt_type text,
 *		trigger_reason text DEFAULT NULL) returns uuid
 *
 * Records that a user was asked to upgrade, and returns the prompt's id.
 * Operators, and users for themselves: 42501. 22004 without an organization,
 * user or type, 22023 for a text out of its length, 23503 for an unknown
 * organization or user, 55000 before install().
 */
Datum
platform_show_upgrade_prompt(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, PG_ARGISNULL(3)};
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	platform_require_module(&platform_ops_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	require_self(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(platform_ops_text(fcinfo, 2, "prompt_type", 63));
	if (!nulls[3])
		values[3] = CStringGetTextDatum(platform_ops_optional_text(fcinfo, 3, "trigger_reason", 255));
	platform_query_begin();
	platform_query_run(&insert_prompt, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.answer_upgrade_prompt(organization_id uuid, prompt_id uuid, answer text)
 *		returns boolean
 *
 * What became of a prompt: clicked, dismissed or converted (which is clicked
 * too). True the first time, false for an answer that is recorded already.
 * Operators, and users for their own: 42501. 22004 for NULL, 22023 for another
 * answer, PT404 for a prompt that does not exist.
 */
Datum
platform_answer_upgrade_prompt(PG_FUNCTION_ARGS)
{
	Datum		values[3];
	char	   *answer;
	pg_uuid_t	user;
	bool		changed;

	platform_require_module(&platform_ops_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "prompt_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	answer = platform_ops_text(fcinfo, 2, "answer", 63);
	if (strcmp(answer, "clicked") != 0 && strcmp(answer, "dismissed") != 0 &&
		strcmp(answer, "converted") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answer must be clicked, dismissed or converted")));
	values[0] = PG_GETARG_DATUM(1);
	values[1] = PG_GETARG_DATUM(0);
	values[2] = CStringGetTextDatum(answer);

	platform_query_begin();
	if (platform_query_run(&find_prompt, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("upgrade prompt \"%s\" does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[0])))));
	user = platform_row_uuid(0, 1);
	require_self(PG_GETARG_UUID_P(0), &user);
	changed = platform_query_run(&answer_prompt, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(changed);
}

/* ---- runs of jobs ---- */

/* One statement: whoever comes second waits, and finds that it is not due. */
static PlatformQuery start_job =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.scheduled_job_runs AS j"
				   " (job_name, last_run_by, last_run_at, run_count, running_until)"
				   " VALUES ($1, $2, $5, 1, $5 OPERATOR(pg_catalog.+) $4)"
				   " ON CONFLICT (job_name) DO UPDATE SET last_run_at = excluded.last_run_at,"
				   " last_run_by = excluded.last_run_by, running_until = excluded.running_until,"
				   " run_count = j.run_count OPERATOR(pg_catalog.+) 1"
				   " WHERE (j.running_until IS NULL OR j.running_until OPERATOR(pg_catalog.<=) $5)"
				   " AND (j.last_run_at OPERATOR(pg_catalog.+) $3) OPERATOR(pg_catalog.<=) $5",
				   TEXTOID, TEXTOID, INTERVALOID, INTERVALOID, TIMESTAMPTZOID);

static PlatformQuery finish_job =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.scheduled_job_runs"
				   " SET running_until = NULL, last_result = $2, error_message = $3,"
				   " metadata = coalesce($4, '{}'::pg_catalog.jsonb), finished_at = pg_catalog.clock_timestamp()"
				   " WHERE job_name OPERATOR(pg_catalog.=) $1 AND running_until IS NOT NULL",
				   TEXTOID, TEXTOID, TEXTOID, JSONBOID);

/*
 * platform.start_job(job_name text, every interval DEFAULT '0', lease interval DEFAULT '1 hour',
 *		worker text DEFAULT NULL) returns boolean
 *
 * May this worker run the job now? True for one caller when the job is due (its
 * last run began at least every ago) and nobody runs it, or who does has not
 * finished within lease. To be committed before the work begins. worker NULL:
 * the caller. Operators only: 42501. 22004 without a name, every or lease,
 * 22023 for a text out of its length or a negative interval.
 */
Datum
platform_start_job(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	char	   *worker;
	bool		started;

	platform_require_operator("run a job");
	platform_require_module(&platform_ops_module);
	(void) platform_require_interval(fcinfo, 1, "every", true, 366);
	(void) platform_require_interval(fcinfo, 2, "lease", false, 366);
	worker = platform_ops_optional_text(fcinfo, 3, "worker", 255);
	values[0] = CStringGetTextDatum(platform_ops_text(fcinfo, 0, "job_name", 63));
	values[1] = CStringGetTextDatum(worker != NULL ? worker : platform_caller_name());
	values[2] = PG_GETARG_DATUM(1);
	values[3] = PG_GETARG_DATUM(2);
	values[4] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_query_begin();
	started = platform_query_run(&start_job, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(started);
}

/*
 * platform.finish_job(job_name text, result text DEFAULT 'success',
 *		error_message text DEFAULT NULL, metadata jsonb DEFAULT '{}') returns boolean
 *
 * How the job's run ended: success, failed or skipped. False when it was not
 * running. Operators only: 42501. 22004 without a name or result, 22023 for
 * another result, a text out of its length, or metadata that is no object.
 */
Datum
platform_finish_job(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, PG_ARGISNULL(2), PG_ARGISNULL(3)};
	char	   *result;
	bool		finished;

	platform_require_operator("run a job");
	platform_require_module(&platform_ops_module);
	values[0] = CStringGetTextDatum(platform_ops_text(fcinfo, 0, "job_name", 63));
	result = platform_ops_text(fcinfo, 1, "result", 63);
	if (strcmp(result, "success") != 0 && strcmp(result, "failed") != 0 &&
		strcmp(result, "skipped") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("result must be success, failed or skipped")));
	values[1] = CStringGetTextDatum(result);
	if (!nulls[2])
		values[2] = CStringGetTextDatum(platform_ops_optional_text(fcinfo, 2, "error_message", 10000));
	if (!nulls[3])
		values[3] = JsonbPGetDatum(platform_ops_optional_object(fcinfo, 3, "metadata"));
	platform_query_begin();
	finished = platform_query_run(&finish_job, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(finished);
}
