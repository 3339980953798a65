/*
 * appointments.c
 *	  Booking, moving, ending: book_appointment(), reschedule_appointment(),
 *	  set_appointment_status().
 *
 * That nothing overlaps is the table's exclusion constraint, so it holds for
 * every writer; history and reminders are its triggers', in triggers.c.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/query.h"
#include "core/result.h"
#include "crm/crm.h"

PG_FUNCTION_INFO_V1(platform_book_appointment);
PG_FUNCTION_INFO_V1(platform_reschedule_appointment);
PG_FUNCTION_INFO_V1(platform_set_appointment_status);

#define NOTES_MAX	10000
#define REASON_MAX	1000

/*
 * platform.book_appointment(organization_id uuid, customer_name text, start_time timestamptz,
 *							 end_time timestamptz DEFAULT NULL, customer_phone text DEFAULT NULL,
 *							 customer_email text DEFAULT NULL, calendar_id uuid DEFAULT NULL,
 *							 user_id uuid DEFAULT NULL, lead_id uuid DEFAULT NULL, location text DEFAULT NULL,
 *							 notes text DEFAULT NULL, issue_type text DEFAULT NULL,
 *							 source text DEFAULT 'manual', cal_booking_uid text DEFAULT NULL,
 *							 region text DEFAULT 'US')
 *		RETURNS (id uuid, created boolean)
 *
 * Takes the time from start_time to end_time (NULL: an hour) in a calendar (NULL:
 * the user's, without one the organization's). The same cal_booking_uid once more
 * returns its appointment and changes nothing. Members: their organization. Errors:
 * 22004; 22023; 42501; 23P01 the calendar is taken; PT422 no telephone number; 23503 no such user
 * or lead; 23514 it ends before it starts, no address; 25006.
 */
Datum
platform_book_appointment(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.appointments (organization_id, customer_name, start_time, end_time,"
					   " customer_phone, customer_email, calendar_id, user_id, lead_id, location, notes,"
					   " issue_type, source, cal_booking_uid)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
					   " ON CONFLICT (organization_id, cal_booking_uid) DO NOTHING RETURNING id",
					   UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID,
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id FROM platform.appointments WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND cal_booking_uid OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID);
	const PlatformPhoneRegion *region;
	Datum		values[14];
	bool		nulls[14];
	Datum		result[2];
	bool		no_nulls[2] = {false, false};
	bool		created;

	(void) platform_crm_organization(fcinfo, 0);
	(void) platform_required_text(fcinfo, 1, "customer_name", 255);
	platform_require_argument(fcinfo, 2, "start_time");
	(void) platform_optional_text(fcinfo, 10, "notes", NOTES_MAX);
	(void) platform_required_text(fcinfo, 12, "source", 64);
	(void) platform_optional_text(fcinfo, 13, "cal_booking_uid", 255);
	region = platform_region_argument(fcinfo, 14);
	platform_copy_arguments(fcinfo, 0, 14, values, nulls);
	platform_set_text(values, nulls, 4, platform_phone_argument(fcinfo, 4, "customer_phone", region));

	platform_query_begin();
	created = platform_query_run(&insert, values, nulls) > 0;
	if (!created)
	{
		Datum		keys[2] = {values[0], values[13]};

		if (platform_query_run(&find, keys, NULL) == 0)
			platform_wrong_state("the appointment is being deleted");
	}
	result[0] = platform_row_datum_copy(0, 1, &no_nulls[0]);
	platform_query_end();
	result[1] = BoolGetDatum(created);
	return platform_return_row(fcinfo, result, no_nulls);
}

/* Runs what changes one appointment; PT404 when there is none. */
static void
change_appointment(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	platform_query_begin();
	if (platform_query_run(query, values, nulls) == 0)
		platform_no_such("appointment");
	platform_query_end();
}

/*
 * platform.reschedule_appointment(organization_id uuid, appointment_id uuid,
 *								   start_time timestamptz, end_time timestamptz DEFAULT NULL,
 *								   reason text DEFAULT NULL)
 *		RETURNS void
 *
 * Moves an appointment; end_time NULL: as long as before. What was to be before
 * stays in appointment_changes, with the reason; reminders move too. Members: their
 * organization. Errors: 22004; 22023; 42501; PT404 no such appointment; PT409 it is
 * over; 23P01 the calendar is taken; 23514 it ends before it starts; 25006.
 */
Datum
platform_reschedule_appointment(PG_FUNCTION_ARGS)
{
	static PlatformQuery move =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointments SET start_time = $3, change_reason = $5,"
					   " end_time = COALESCE($4, $3 OPERATOR(pg_catalog.+)"
					   " (end_time OPERATOR(pg_catalog.-) start_time))"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID);
	Datum		values[5];
	bool		nulls[5];

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "appointment_id");
	platform_require_argument(fcinfo, 2, "start_time");
	(void) platform_optional_text(fcinfo, 4, "reason", REASON_MAX);
	platform_copy_arguments(fcinfo, 0, 5, values, nulls);
	change_appointment(&move, values, nulls);
	PG_RETURN_VOID();
}

/*
 * platform.set_appointment_status(organization_id uuid, appointment_id uuid, status text,
 *								   reason text DEFAULT NULL)
 *		RETURNS void
 *
 * pending, scheduled, booked and confirmed follow each other; from each, completed, cancelled and no_show
 * end an appointment for good and give its time back. The same status once more changes nothing. Members:
 * their organization. Errors: 22004; 22023; 42501; PT404 no such appointment; PT409
 * it is over; 23514 no such status; 25006.
 */
Datum
platform_set_appointment_status(PG_FUNCTION_ARGS)
{
	static PlatformQuery set =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointments SET change_reason = CASE WHEN status OPERATOR(pg_catalog.=) $3"
					   " THEN change_reason ELSE $4 END, status = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4];
	bool		nulls[4];

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "appointment_id");
	(void) platform_required_text(fcinfo, 2, "status", 32);
	(void) platform_optional_text(fcinfo, 3, "reason", REASON_MAX);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	change_appointment(&set, values, nulls);
	PG_RETURN_VOID();
}
