/*
 * dialer.c
 *	  Calls to be made: enqueue_dialer_job(), claim_dialer_jobs(),
 *	  extend_dialer_lease(), finish_dialer_job(), cancel_dialer_job().
 *
 * A claim takes due jobs that nobody else is taking (SKIP LOCKED) and holds them
 * until its lease ends; then they may be claimed again. Every claim has a
 * lease of its own, which whoever finishes the job must present: a dialer that
 * was too slow changes nothing. Claims count as attempts, so that a job which
 * kills its dialer is not tried for ever.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "core/argument.h"
#include "core/identity.h"
#include "core/phone.h"
#include "core/query.h"
#include "core/uuid7.h"

#define CLAIM_MAX		1000
#define WORKER_MAX		255
#define ERROR_MAX		1000
#define ATTEMPTS_MAX	100

PG_FUNCTION_INFO_V1(platform_enqueue_dialer_job);
PG_FUNCTION_INFO_V1(platform_claim_dialer_jobs);
PG_FUNCTION_INFO_V1(platform_extend_dialer_lease);
PG_FUNCTION_INFO_V1(platform_finish_dialer_job);
PG_FUNCTION_INFO_V1(platform_cancel_dialer_job);

/*
 * platform.enqueue_dialer_job(organization_id uuid, to_number text DEFAULT NULL,
 *							   lead_id uuid DEFAULT NULL, chatbot_id uuid DEFAULT NULL,
 *							   from_number text DEFAULT NULL, priority integer DEFAULT 100,
 *							   run_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT 3,
 *							   metadata jsonb DEFAULT '{}', region text DEFAULT 'US')
 *		RETURNS uuid
 *
 * A call to be made, not before run_at (NULL: now); returns its id. A lead that
 * waits already stays where it is, and that job is returned. Jobs of a lower
 * priority come first. Members: their organization. Errors: 22004; 22023; 42501;
 * PT422 no telephone number, neither number nor lead, metadata that is no object;
 * 23503 no such chatbot; 25006.
 */
Datum
platform_enqueue_dialer_job(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.dialer_queue (organization_id, to_number, lead_id, chatbot_id,"
					   " from_number, priority, run_at, max_attempts, metadata)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
					   " ON CONFLICT (organization_id, lead_id) WHERE status OPERATOR(pg_catalog.=)"
					   " ANY (ARRAY['queued', 'claimed']) DO UPDATE SET lead_id = excluded.lead_id"
					   " RETURNING id",
					   UUIDOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID, INT4OID, TIMESTAMPTZOID, INT4OID,
					   JSONBOID);
	const PlatformPhoneRegion *region;
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[9];
	bool		nulls[9];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 5, "priority");
	platform_require_argument(fcinfo, 7, "max_attempts");
	platform_require_argument(fcinfo, 8, "metadata");
	platform_require_argument(fcinfo, 9, "region");
	region = platform_require_phone_region(PG_GETARG_TEXT_PP(9));
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		platform_rule_violation("a job must have a to_number or a lead_id");
	(void) platform_count_argument(fcinfo, 7, "max_attempts", ATTEMPTS_MAX);
	if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(8)))
		platform_rule_violation("metadata must be an object");
	platform_copy_arguments(fcinfo, 0, 9, values, nulls);
	platform_set_text(values, nulls, 1,
							platform_phone_argument(fcinfo, 1, "to_number", region));
	platform_set_text(values, nulls, 4,
							platform_phone_argument(fcinfo, 4, "from_number", region));
	if (nulls[6])
		platform_voice_set_time(values, nulls, 6, platform_voice_moment(fcinfo, 6));

	platform_query_begin();
	platform_query_run(&insert, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.claim_dialer_jobs(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL,
 *							  "limit" integer DEFAULT 1, lease interval DEFAULT '2 minutes')
 *		RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz,
 *					   to_number text, from_number text, lead_id uuid, chatbot_id uuid,
 *					   attempt integer, metadata jsonb)
 *
 * Takes at most limit (1 to 1000) jobs that are due, those of the lowest priority
 * and oldest run_at first, for the length of the lease. Jobs whose lease has
 * ended are due again, or failed when that was their last attempt. Claims never
 * wait for each other and never share a job. organization_id NULL: the caller's
 * own, for an operator without one all. Members: their organization. Errors:
 * 22004; 22023; 42501; 25006.
 */
Datum
platform_claim_dialer_jobs(PG_FUNCTION_ARGS)
{
	static PlatformQuery fail =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.dialer_queue q SET status = 'failed', lease_id = NULL,"
					   " lease_until = NULL, finished_at = pg_catalog.clock_timestamp(),"
					   " last_error = COALESCE(q.last_error, 'the lease ended')"
					   " FROM (SELECT id, organization_id FROM platform.dialer_queue"
					   " WHERE status OPERATOR(pg_catalog.=) 'claimed'"
					   " AND lease_until OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND attempts OPERATOR(pg_catalog.>=) max_attempts"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " FOR NO KEY UPDATE SKIP LOCKED) AS over"
					   " WHERE q.id OPERATOR(pg_catalog.=) over.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) over.organization_id",
					   UUIDOID);
	static PlatformQuery requeue =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.dialer_queue q SET status = 'queued', lease_id = NULL,"
					   " lease_until = NULL"
					   " FROM (SELECT id, organization_id FROM platform.dialer_queue"
					   " WHERE status OPERATOR(pg_catalog.=) 'claimed'"
					   " AND lease_until OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND attempts OPERATOR(pg_catalog.<) max_attempts"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " FOR NO KEY UPDATE SKIP LOCKED) AS over"
					   " WHERE q.id OPERATOR(pg_catalog.=) over.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) over.organization_id",
					   UUIDOID);
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH due AS MATERIALIZED (SELECT id, organization_id FROM platform.dialer_queue"
					   " WHERE status OPERATOR(pg_catalog.=) 'queued'"
					   " AND run_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " ORDER BY priority, run_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),"
					   " claimed AS (UPDATE platform.dialer_queue q SET status = 'claimed',"
					   " claimed_by = $2, lease_id = platform.uuid7(),"
					   " lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $4,"
					   " attempts = q.attempts OPERATOR(pg_catalog.+) 1"
					   " FROM due WHERE q.id OPERATOR(pg_catalog.=) due.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) due.organization_id"
					   " RETURNING q.*)"
					   " SELECT id, organization_id, lease_id, lease_until, to_number, from_number,"
					   " lead_id, chatbot_id, attempts, metadata FROM claimed"
					   " ORDER BY priority, run_at, id",
					   UUIDOID, TEXTOID, INT4OID, INTERVALOID);
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	Datum		values[4];
	bool		nulls[4];

	platform_require_module(&platform_voice_module);
	if (organization == NULL)
		organization = platform_current_organization();
	if (organization != NULL)
		platform_require_organization(organization);
	else
		platform_require_operator("claim the jobs of all organizations");
	(void) platform_optional_text(fcinfo, 1, "worker", WORKER_MAX);
	(void) platform_limit_argument(fcinfo, 2, CLAIM_MAX);
	platform_voice_check_interval(fcinfo, 3, "lease");
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	values[0] = UUIDPGetDatum(organization);
	nulls[0] = organization == NULL;

	platform_query_begin();
	platform_query_run(&fail, values, nulls);
	platform_query_run(&requeue, values, nulls);
	platform_query_end();
	return platform_query_return_rows(fcinfo, &claim, values, nulls);
}

/*
 * platform.extend_dialer_lease(organization_id uuid, job_id uuid, lease_id uuid,
 *								lease interval DEFAULT '2 minutes')
 *		RETURNS boolean
 *
 * The dialer is still at it: the lease ends that much after now. False when the
 * job is no longer the lease's. Members: their organization. Errors: 22004; 22023;
 * 42501; 25006.
 */
Datum
platform_extend_dialer_lease(PG_FUNCTION_ARGS)
{
	static PlatformQuery extend =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.dialer_queue"
					   " SET lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND lease_id OPERATOR(pg_catalog.=) $3"
					   " AND lease_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()",
					   UUIDOID, UUIDOID, UUIDOID, INTERVALOID);
	Datum		values[4];
	bool		nulls[4];
	bool		extended;

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "job_id");
	platform_require_argument(fcinfo, 2, "lease_id");
	platform_voice_check_interval(fcinfo, 3, "lease");
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	platform_query_begin();
	extended = platform_query_run(&extend, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(extended);
}

/*
 * platform.finish_dialer_job(organization_id uuid, job_id uuid, lease_id uuid,
 *							  result text DEFAULT 'done', error text DEFAULT NULL,
 *							  retry_in interval DEFAULT '5 minutes', call_id uuid DEFAULT NULL)
 *		RETURNS text
 *
 * What became of a claimed job: done, failed, or retry, which puts it back for
 * retry_in from now, or fails it when that was its last attempt. Returns the
 * job's status; NULL, and nothing is changed, when the job is no longer the lease's:
 * the lease ended and it was claimed again, or it was canceled. Members: their
 * organization. Errors: 22004; 22023; 42501; PT404 no such call; 25006.
 */
Datum
platform_finish_dialer_job(PG_FUNCTION_ARGS)
{
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.dialer_queue SET lease_id = NULL, lease_until = NULL,"
					   " last_error = $5, call_id = COALESCE($7, call_id),"
					   " status = CASE WHEN $4 OPERATOR(pg_catalog.<>) 'retry' THEN $4"
					   " WHEN attempts OPERATOR(pg_catalog.<) max_attempts THEN 'queued' ELSE 'failed' END,"
					   " run_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'retry'"
					   " THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $6 ELSE run_at END,"
					   " finished_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'retry'"
					   " AND attempts OPERATOR(pg_catalog.<) max_attempts"
					   " THEN NULL ELSE pg_catalog.clock_timestamp() END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND lease_id OPERATOR(pg_catalog.=) $3"
					   " RETURNING status",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, INTERVALOID, UUIDOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	Datum		values[7];
	bool		nulls[7];
	text	   *result;
	char	   *status = NULL;

	platform_require_argument(fcinfo, 1, "job_id");
	platform_require_argument(fcinfo, 2, "lease_id");
	platform_require_argument(fcinfo, 3, "result");
	platform_require_argument(fcinfo, 5, "retry_in");
	result = PG_GETARG_TEXT_PP(3);
	if (!platform_text_is(result, "done") && !platform_text_is(result, "failed") &&
		!platform_text_is(result, "retry"))
		platform_bad_argument("result must be done, failed or retry");
	(void) platform_optional_text(fcinfo, 4, "error", ERROR_MAX);
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(5), PointerGetDatum(&(Interval) {0}))))
		platform_bad_argument("retry_in must not be below zero");
	platform_copy_arguments(fcinfo, 0, 7, values, nulls);

	platform_query_begin();
	if (!PG_ARGISNULL(6))
		platform_voice_require_call(organization, PG_GETARG_UUID_P(6));
	if (platform_query_run(&finish, values, nulls) > 0)
		status = platform_row_cstring(0, 1);
	platform_query_end();
	if (status == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}

/*
 * platform.cancel_dialer_job(organization_id uuid, job_id uuid) RETURNS boolean
 *
 * The call is not to be made any more; a dialer that has claimed it learns it when
 * it finishes. False when the job is over. Members: their organization. Errors:
 * 22004; 42501; PT404 no such job; 25006.
 */
Datum
platform_cancel_dialer_job(PG_FUNCTION_ARGS)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.dialer_queue SET status = 'canceled', lease_id = NULL,"
					   " lease_until = NULL, finished_at = pg_catalog.clock_timestamp()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=)"
					   " ANY (ARRAY['queued', 'claimed'])",
					   UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.dialer_queue"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		canceled;

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "job_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	canceled = platform_query_run(&cancel, values, NULL) > 0;
	if (!canceled && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("job");
	platform_query_end();
	PG_RETURN_BOOL(canceled);
}
