/*
 * reconcile.c
 *	  Counters against events.
 *
 * Recording writes both in one transaction, so any difference is a fault: of a
 * restore, of a statement by hand. A run over everything is one statement, hence one
 * snapshot, and reads each event once; its memory is that of the server's
 * aggregate, which spills beyond work_mem. What it finds goes into a table.
 *
 * A transaction shows nothing before it ends. Who wants to see progress lets a
 * run go in batches of customers, each in a transaction of its own, and each
 * customer in one snapshot: reconciliation_runs has the last customer, from where
 * the next batch goes on, whatever became of the one before. A batch holds the
 * run's row: two do not do the same. A run that nobody went on with for a while, or
 * since the server started, is marked as failed by the next one; it can still be
 * resumed.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/result.h"
#include "usage/billing.h"
#include "usage/usage.h"

PG_FUNCTION_INFO_V1(platform_reconcile_usage);
PG_FUNCTION_INFO_V1(platform_resume_reconciliation);

/* So many discrepancies are beyond chance. */
#define CRITICAL_DISCREPANCIES 5

#define ALERT_TYPE "usage_discrepancies"

static PlatformQuery fail_abandoned =
	PLATFORM_QUERY(QUERY_GENERIC | QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.reconciliation_runs SET status = 'failed', completed_at = clock_timestamp(),"
				   " notes = CASE WHEN progress_at < pg_postmaster_start_time()"
				   " THEN 'abandoned: the server was started since'"
				   " ELSE 'abandoned: nobody went on with it for 15 minutes' END"
				   " WHERE id IN (SELECT id FROM platform.reconciliation_runs WHERE status = 'running'"
				   " AND (progress_at < clock_timestamp() - interval '15 minutes'"
				   " OR progress_at < pg_postmaster_start_time()) FOR UPDATE SKIP LOCKED)");

static PlatformQuery find_organization =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.organizations WHERE id = $1",
				   UUIDOID);

static PlatformQuery insert_run =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.reconciliation_runs"
				   " (run_type, preview, scope_organization_id, triggered_by, customers_total)"
				   " SELECT $1, $2, $3, CASE WHEN $1 = 'nightly' THEN 'scheduler' ELSE 'admin:' || $4 END, count(*)"
				   " FROM platform.usage_limits WHERE $3 IS NULL OR organization_id = $3 RETURNING id",
				   TEXTOID, BOOLOID, UUIDOID, TEXTOID);

/* Nobody else goes on with it, nor marks it as failed. */
static PlatformQuery lock_run =
	PLATFORM_QUERY(QUERY_GENERIC | QUERY_LATEST | QUERY_OWNER,
				   "SELECT status, preview, scope_organization_id, last_organization_id, last_user_id"
				   " FROM platform.reconciliation_runs WHERE id = $1 FOR NO KEY UPDATE",
				   UUIDOID);

#define INSERT_FOUND(run) \
	"found AS (INSERT INTO platform.reconciliation_discrepancies (organization_id, run_id, user_id, period_id," \
	" call_used_seconds, call_event_seconds, sms_used, sms_event_segments)" \
	" SELECT organization_id, " run ", user_id, period_id, seconds, event_seconds, segments, event_segments" \
	" FROM compared" \
	" WHERE (abs(event_seconds - seconds) > 60 AND abs(event_seconds - seconds) * 20 > seconds)" \
	" OR (abs(event_segments - segments) > 5 AND abs(event_segments - segments) * 20 > segments)" \
	" RETURNING 1)"

#define COMPARED_COLUMNS(counted_seconds, counted_segments) \
	"p.organization_id, p.user_id, p.id AS period_id," \
	" COALESCE(l.call_used_seconds, p.call_used_seconds) AS seconds," \
	" COALESCE(l.sms_used, p.sms_used) AS segments," \
	" COALESCE(" counted_seconds ", 0) AS event_seconds," \
	" COALESCE(" counted_segments ", 0) AS event_segments"

/* All customers: each table is read once. */
static PlatformQuery compare_all =
	PLATFORM_QUERY(QUERY_GENERIC | QUERY_LATEST | QUERY_OWNER,
				   "WITH calls AS (SELECT period_id, sum(seconds)::bigint AS amount"
				   " FROM platform.call_events GROUP BY period_id),"
				   "messages AS (SELECT period_id, sum(segments)::bigint AS amount"
				   " FROM platform.sms_events GROUP BY period_id),"
				   "compared AS (SELECT " COMPARED_COLUMNS("c.amount", "m.amount")
				   " FROM platform.usage_periods p"
				   " LEFT JOIN platform.usage_limits l ON l.organization_id = p.organization_id"
				   " AND l.user_id = p.user_id AND l.period_id = p.id"
				   " LEFT JOIN calls c ON c.period_id = p.id LEFT JOIN messages m ON m.period_id = p.id),"
				   INSERT_FOUND("$1")
				   "SELECT (SELECT count(*) FROM platform.usage_limits), (SELECT count(*) FROM platform.usage_periods),"
				   " (SELECT count(*) FROM found), NULL::uuid, NULL::uuid",
				   UUIDOID);

/* The next customers of the run: by their keys, and their events by the period's. */
static PlatformQuery compare_batch =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "WITH customer AS MATERIALIZED (SELECT organization_id, user_id FROM platform.usage_limits"
				   " WHERE ($2 IS NULL OR organization_id = $2)"
				   " AND ($3 IS NULL OR (organization_id, user_id) > ($3, $4))"
				   " ORDER BY organization_id, user_id LIMIT $5),"
				   "compared AS MATERIALIZED (SELECT " COMPARED_COLUMNS("c.amount", "m.amount")
				   " FROM customer k JOIN platform.usage_periods p"
				   " ON p.organization_id = k.organization_id AND p.user_id = k.user_id"
				   " LEFT JOIN platform.usage_limits l ON l.organization_id = p.organization_id"
				   " AND l.user_id = p.user_id AND l.period_id = p.id"
				   " CROSS JOIN LATERAL (SELECT sum(e.seconds)::bigint AS amount FROM platform.call_events e"
				   " WHERE e.period_id = p.id) AS c"
				   " CROSS JOIN LATERAL (SELECT sum(e.segments)::bigint AS amount FROM platform.sms_events e"
				   " WHERE e.period_id = p.id) AS m),"
				   INSERT_FOUND("$1")
				   "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM compared),"
				   " (SELECT count(*) FROM found), k.organization_id, k.user_id"
				   " FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT organization_id, user_id FROM customer"
				   " ORDER BY organization_id DESC, user_id DESC LIMIT 1) AS k ON true",
				   UUIDOID, UUIDOID, UUIDOID, UUIDOID, INT8OID);

static PlatformQuery advance_run =
	PLATFORM_QUERY(QUERY_GENERIC | QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.reconciliation_runs SET"
				   " status = CASE WHEN $7 THEN 'completed' ELSE 'running' END,"
				   " completed_at = CASE WHEN $7 THEN clock_timestamp() END,"
				   " progress_at = clock_timestamp(), notes = NULL,"
				   " customers_checked = customers_checked + $2,"
				   " customers_total = CASE WHEN $7 THEN customers_checked + $2 ELSE customers_total END,"
				   " records_checked = records_checked + $3, discrepancies_found = discrepancies_found + $4,"
				   " corrected = corrected + $8,"
				   " last_organization_id = COALESCE($5, last_organization_id),"
				   " last_user_id = COALESCE($6, last_user_id),"
				   " discrepancy_details = CASE WHEN $4 = 0 THEN discrepancy_details ELSE (SELECT jsonb_agg("
				   "jsonb_build_object('organization_id', d.organization_id, 'user_id', d.user_id,"
				   " 'period_id', d.period_id, 'call_used_seconds', d.call_used_seconds,"
				   " 'call_event_seconds', d.call_event_seconds, 'sms_used', d.sms_used,"
				   " 'sms_event_segments', d.sms_event_segments, 'corrected', d.corrected_at IS NOT NULL)"
				   " ORDER BY d.size DESC, d.period_id) FROM (SELECT r.*, greatest(abs(r.call_event_seconds - r.call_used_seconds),"
				   " 12 * abs(r.sms_event_segments - r.sms_used)) AS size"
				   " FROM platform.reconciliation_discrepancies r WHERE r.run_id = $1"
				   " ORDER BY size DESC, r.period_id LIMIT 100) AS d) END"
				   " WHERE id = $1",
				   UUIDOID, INT8OID, INT8OID, INT8OID, UUIDOID, UUIDOID, BOOLOID, INT8OID);

static PlatformQuery read_run =
	PLATFORM_QUERY(QUERY_GENERIC | QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, status, records_checked, discrepancies_found, corrected, scope_organization_id"
				   " FROM platform.reconciliation_runs WHERE id = $1",
				   UUIDOID);

typedef struct ReconcileRun
{
	pg_uuid_t	id;
	bool		completed;
	bool		preview;
	Datum		scope;
	bool		all;			/* no scope */
	Datum		last[2];		/* the last customer */
	bool		begins;			/* there is none yet */
	int64		max;			/* customers; 0: all that are left */
} ReconcileRun;

/* Locks the run and reads where it is; within a query. */
static bool
open_run(ReconcileRun *run)
{
	Datum		id = UUIDPGetDatum(&run->id);
	bool		isnull;

	if (platform_billing_run(&lock_run, &id, NULL) == 0)
		return false;
	run->completed = strcmp(platform_row_cstring(0, 1), "completed") == 0;
	run->preview = platform_row_bool(0, 2);
	run->scope = platform_row_datum_copy(0, 3, &run->all);
	run->last[0] = platform_row_datum_copy(0, 4, &run->begins);
	run->last[1] = platform_row_datum_copy(0, 5, &isnull);
	return true;
}

/* The next batch; within a query. */
static void
advance(const ReconcileRun *run)
{
	Datum		values[8];
	bool		nulls[8] = {false};
	int64		customers;

	values[0] = UUIDPGetDatum(&run->id);
	if (run->all && run->begins && run->max == 0)
		platform_billing_run(&compare_all, values, NULL);
	else
	{
		values[1] = run->scope;
		nulls[1] = run->all;
		memcpy(&values[2], run->last, sizeof(run->last));
		nulls[2] = nulls[3] = run->begins;
		values[4] = Int64GetDatum(run->max);
		nulls[4] = run->max == 0;
		platform_billing_run(&compare_batch, values, nulls);
	}

	memset(nulls, 0, sizeof(nulls));
	customers = platform_row_int64(0, 1);
	values[1] = Int64GetDatum(customers);
	values[2] = Int64GetDatum(platform_row_int64(0, 2));
	values[3] = Int64GetDatum(platform_row_int64(0, 3));
	values[4] = platform_row_datum_copy(0, 4, &nulls[4]);
	values[5] = platform_row_datum_copy(0, 5, &nulls[5]);
	values[6] = BoolGetDatum(run->max == 0 || customers < run->max);
	values[7] = Int64GetDatum(run->preview ? 0 : platform_billing_correct(&run->id));
	platform_billing_run(&advance_run, values, nulls);
}

/* Tells the people who run the platform, or that what they were told is over. */
static void
tell(const ReconcileRun *run, int64 found, int64 corrected)
{
	const pg_uuid_t *organization = run->all ? NULL : DatumGetUUIDP(run->scope);
	PlatformAlert alert = {
		.severity = found > CRITICAL_DISCREPANCIES ? "critical" : "warning",
		.type = ALERT_TYPE,
		.organization = organization,
		.title = "Usage counters differ from their events",
		.dedup_key = "reconciliation",
		.source = "usage",
	};

	if (found == 0)
	{
		(void) platform_alert_clear(organization, ALERT_TYPE, "reconciliation");
		return;
	}
	alert.message = psprintf("%lld discrepancies, %lld corrected, reconciliation run %s",
							 (long long) found, (long long) corrected,
							 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&run->id))));
	(void) platform_alert_raise(&alert, NULL);
}

/* Goes on with the run unless it is completed; values become those of read_run. */
static void
go_on(ReconcileRun *run, Datum *values, bool *nulls)
{
	Datum		id = UUIDPGetDatum(&run->id);

	if (!run->completed)
		advance(run);
	platform_billing_run(&read_run, &id, NULL);
	for (int i = 0; i < 5; i++)
		values[i] = platform_row_datum_copy(0, i + 1, &nulls[i]);
}

static void
tell_if_completed(const ReconcileRun *run, const Datum *values)
{
	if (!run->completed && strcmp(TextDatumGetCString(values[1]), "completed") == 0)
		tell(run, DatumGetInt64(values[3]), DatumGetInt64(values[4]));
}

static text *
run_type_argument(FunctionCallInfo fcinfo, int argument)
{
	text	   *type = platform_required_text(fcinfo, argument, "run_type", 63);
	char	   *name = text_to_cstring(type);

	if (strcmp(name, "nightly") != 0 && strcmp(name, "manual") != 0 && strcmp(name, "billing") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("run_type must be nightly, manual or billing")));
	return type;
}

static int64
max_customers_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? 0 : platform_count_argument(fcinfo, argument, "max_customers", BILLING_MAX_COUNT);
}

/*
 * platform.reconcile_usage(run_type text DEFAULT 'manual', preview boolean DEFAULT true,
 *		organization_id uuid DEFAULT NULL, max_customers integer DEFAULT NULL)
 *		RETURNS (run_id uuid, status text, records_checked bigint, discrepancies_found bigint,
 *				 corrected bigint)
 *
 * Compares the counters of every period, of all customers or one organization's, with
 * the sums of its events. A discrepancy is a difference above 5 percent of the counter
 * and above 60 seconds, or above 5 percent and above 5 segments. With preview false the
 * counters found are set to the sums, each with an adjustment event of 0 that says so.
 * max_customers: the run goes on with resume_reconciliation(). The run is in
 * reconciliation_runs, what it found in reconciliation_discrepancies; at its end
 * an alert is raised, critical above 5, or taken back. Runs on which nobody went on for
 * 15 minutes, or since the server started, are marked as failed. A NULL preview is true. Operators. Errors: 42501;
 * 22004, 22023 run_type, max_customers; PT404 no such organization; 25006.
 */
Datum
platform_reconcile_usage(PG_FUNCTION_ARGS)
{
	ReconcileRun run = {.begins = true};
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_operator("reconcile usage");
	platform_require_module(&platform_billing_module);
	values[0] = PointerGetDatum(run_type_argument(fcinfo, 0));
	run.preview = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	values[1] = BoolGetDatum(run.preview);
	run.all = nulls[2] = PG_ARGISNULL(2);
	values[2] = run.scope = run.all ? (Datum) 0 : PG_GETARG_DATUM(2);
	values[3] = CStringGetTextDatum(platform_caller_name());
	run.max = max_customers_argument(fcinfo, 3);

	platform_query_begin();
	if (!run.all && platform_billing_run(&find_organization, &run.scope, NULL) == 0)
		platform_no_such_organization(DatumGetUUIDP(run.scope));
	platform_billing_run(&fail_abandoned, NULL, NULL);
	platform_billing_run(&insert_run, values, nulls);
	run.id = platform_row_uuid(0, 1);
	go_on(&run, values, nulls);
	platform_query_end();
	tell_if_completed(&run, values);
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.resume_reconciliation(run_id uuid, max_customers integer DEFAULT NULL)
 *		RETURNS (status text, records_checked bigint, discrepancies_found bigint, corrected bigint)
 *
 * Goes on with a run, also a failed one, after the last customer that was compared: so
 * many, NULL: all that are left. The numbers are the run's so far. Nothing is done
 * of one that is completed. A second session waits for the first one's batch.
 * Operators. Errors: 42501; 22004; 22023; PT404 no such run; 25006.
 */
Datum
platform_resume_reconciliation(PG_FUNCTION_ARGS)
{
	ReconcileRun run = {{{0}}};
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_operator("reconcile usage");
	platform_require_module(&platform_billing_module);
	run.id = *platform_caps_uuid(fcinfo, 0, "run_id");
	run.max = max_customers_argument(fcinfo, 1);

	platform_query_begin();
	if (!open_run(&run))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("reconciliation run %s does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&run.id))))));
	go_on(&run, values, nulls);
	platform_query_end();
	tell_if_completed(&run, values);
	return platform_return_row(fcinfo, values + 1, nulls + 1);
}
