/*
 * reminders.c
 *	  Reminders of appointments to be sent: claim_due_reminders(), finish_reminder().
 *
 * Claims take due reminders that nobody else is taking (SKIP LOCKED) until their
 * lease ends; then they are due again. The lease must be presented to finish one,
 * so a sender that was too slow, or whose appointment was moved meanwhile,
 * changes nothing. Rows are locked in the order appointment, reminder, as the trigger
 * of appointments does; a claim waits for nobody.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "crm/crm.h"

#define CLAIM_MAX		1000
#define WORKER_MAX		255
#define ERROR_MAX		1000

PG_FUNCTION_INFO_V1(platform_claim_due_reminders);
PG_FUNCTION_INFO_V1(platform_finish_reminder);

/*
 * platform.claim_due_reminders(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL,
 *								"limit" integer DEFAULT 100, lease interval DEFAULT '2 minutes')
 *		RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz,
 *					   appointment_id uuid, minutes_before integer, customer_name text,
 *					   customer_phone text, customer_email text, start_time timestamptz,
 *					   location text, attempt integer)
 *
 * Takes at most limit (1 to 1000) reminders that are due, the longest due first, for
 * the length of the lease (above zero, at most a day). One whose lease has ended is due again, or failed after
 * five attempts; one whose appointment has begun is missed. organization_id NULL: the
 * caller's own, for an operator without one all. Members: their organization.
 * Errors: 22004; 22023; 42501; 25006.
 */
Datum
platform_claim_due_reminders(PG_FUNCTION_ARGS)
{
#define OVER_LEASE(columns, condition) \
	"UPDATE platform.appointment_reminders r SET " columns ", lease_id = NULL, lease_until = NULL" \
	" FROM (SELECT id, organization_id FROM platform.appointment_reminders" \
	" WHERE status OPERATOR(pg_catalog.=) 'claimed'" \
	" AND lease_until OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp() AND attempts " condition \
	" AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)" \
	" FOR NO KEY UPDATE SKIP LOCKED) AS over" \
	" WHERE r.id OPERATOR(pg_catalog.=) over.id" \
	" AND r.organization_id OPERATOR(pg_catalog.=) over.organization_id"
	static PlatformQuery requeue =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   OVER_LEASE("status = 'queued'", "OPERATOR(pg_catalog.<) 5"), UUIDOID);
	static PlatformQuery give_up =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   OVER_LEASE("status = 'failed', last_error = COALESCE(last_error, 'the lease ended')",
								  "OPERATOR(pg_catalog.>=) 5"), UUIDOID);
	static PlatformQuery miss =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointment_reminders r SET status = 'missed'"
					   " FROM (SELECT q.id, q.organization_id FROM platform.appointment_reminders q"
					   " JOIN platform.appointments a ON a.id OPERATOR(pg_catalog.=) q.appointment_id"
					   " AND a.organization_id OPERATOR(pg_catalog.=) q.organization_id"
					   " WHERE q.status OPERATOR(pg_catalog.=) 'queued'"
					   " AND q.due_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND a.start_time OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND ($1 IS NULL OR q.organization_id OPERATOR(pg_catalog.=) $1)"
					   " FOR NO KEY UPDATE OF q SKIP LOCKED) AS late"
					   " WHERE r.id OPERATOR(pg_catalog.=) late.id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) late.organization_id",
					   UUIDOID);
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH due AS MATERIALIZED (SELECT id, organization_id FROM platform.appointment_reminders"
					   " WHERE status OPERATOR(pg_catalog.=) 'queued'"
					   " AND due_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " ORDER BY due_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),"
					   " claimed AS (UPDATE platform.appointment_reminders r SET status = 'claimed',"
					   " claimed_by = $2, lease_id = platform.uuid7(),"
					   " lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $4,"
					   " attempts = r.attempts OPERATOR(pg_catalog.+) 1"
					   " FROM due WHERE r.id OPERATOR(pg_catalog.=) due.id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) due.organization_id"
					   " RETURNING r.*)"
					   " SELECT c.id, c.organization_id, c.lease_id, c.lease_until, c.appointment_id,"
					   " c.minutes_before, a.customer_name, a.customer_phone, a.customer_email,"
					   " a.start_time, a.location, c.attempts"
					   " FROM claimed c JOIN platform.appointments a"
					   " ON a.id OPERATOR(pg_catalog.=) c.appointment_id"
					   " AND a.organization_id OPERATOR(pg_catalog.=) c.organization_id"
					   " ORDER BY c.due_at, c.id",
					   UUIDOID, TEXTOID, INT4OID, INTERVALOID);
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	Datum		values[4];
	bool		nulls[4];

	platform_require_module(&platform_crm_module);
	if (organization == NULL)
		organization = platform_current_organization();
	if (organization != NULL)
		platform_require_organization(organization);
	else
		platform_require_operator("claim the reminders of all organizations");
	(void) platform_optional_text(fcinfo, 1, "worker", WORKER_MAX);
	(void) platform_limit_argument(fcinfo, 2, CLAIM_MAX);
	(void) platform_require_interval(fcinfo, 3, "lease", false, 1);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	values[0] = UUIDPGetDatum(organization);
	nulls[0] = organization == NULL;

	platform_query_begin();
	platform_query_run(&give_up, values, nulls);
	platform_query_run(&requeue, values, nulls);
	platform_query_run(&miss, values, nulls);
	platform_query_end();
	return platform_query_return_rows(fcinfo, &claim, values, nulls);
}

/*
 * platform.finish_reminder(organization_id uuid, reminder_id uuid, lease_id uuid,
 *							sent boolean DEFAULT true, error text DEFAULT NULL,
 *							retry_in interval DEFAULT '1 minute')
 *		RETURNS text
 *
 * What became of a claimed reminder: sent, which the appointment then shows; or
 * not, which puts it back for retry_in from now (0 to a day), or fails it after five attempts.
 * Returns its status; NULL, and nothing is changed, when it is no longer the
 * lease's. Members: their organization. Errors: 22004; 22023; 42501; 25006.
 */
Datum
platform_finish_reminder(PG_FUNCTION_ARGS)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT a.id FROM platform.appointments a"
					   " WHERE a.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND a.id OPERATOR(pg_catalog.=) (SELECT r.appointment_id"
					   " FROM platform.appointment_reminders r WHERE r.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND r.id OPERATOR(pg_catalog.=) $2) FOR NO KEY UPDATE",
					   UUIDOID, UUIDOID);
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointment_reminders SET lease_id = NULL, lease_until = NULL,"
					   " last_error = $5, sent_at = CASE WHEN $4 THEN pg_catalog.clock_timestamp() END,"
					   " status = CASE WHEN $4 THEN 'sent' WHEN attempts OPERATOR(pg_catalog.<) 5"
					   " THEN 'queued' ELSE 'failed' END,"
					   " due_at = CASE WHEN $4 THEN due_at"
					   " ELSE pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $6 END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND lease_id OPERATOR(pg_catalog.=) $3"
					   " RETURNING status, appointment_id, sent_at",
					   UUIDOID, UUIDOID, UUIDOID, BOOLOID, TEXTOID, INTERVALOID);
	static PlatformQuery show =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointments SET reminder_sent = true, reminder_last_sent_at = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[6];
	bool		nulls[6];
	char	   *status = NULL;

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "reminder_id");
	platform_require_argument(fcinfo, 2, "lease_id");
	platform_require_argument(fcinfo, 3, "sent");
	(void) platform_optional_text(fcinfo, 4, "error", ERROR_MAX);
	(void) platform_require_interval(fcinfo, 5, "retry_in", true, 1);
	platform_copy_arguments(fcinfo, 0, 6, values, nulls);

	platform_query_begin();
	platform_query_run(&lock, values, NULL);
	if (platform_query_run(&finish, values, nulls) > 0)
	{
		status = platform_row_cstring(0, 1);
		if (PG_GETARG_BOOL(3))
		{
			pg_uuid_t	appointment = platform_row_uuid(0, 2);
			Datum		sent[3] = {values[0], UUIDPGetDatum(&appointment),
			TimestampTzGetDatum(platform_row_timestamptz_or(0, 3, 0))};

			platform_query_run(&show, sent, NULL);
		}
	}
	platform_query_end();
	if (status == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}
