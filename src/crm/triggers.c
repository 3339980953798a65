/*
 * triggers.c
 *	  What rows must keep to, whoever writes them: telephone numbers in their one
 *	  form, states that follow from each other, updated_at; and what follows: the
 *	  events of leads, the history, reminders and events of an appointment.
 *
 * Whoever writes into a calendar holds a mutex of its name to the end of the
 * transaction. The exclusion constraint alone would be right too, but two
 * sessions that insert at the same instant could wait for each other, and its
 * message says nothing to who books. So the trigger looks first.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/change.h"
#include "core/event.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "crm/crm.h"

PG_FUNCTION_INFO_V1(platform_check_agent);
PG_FUNCTION_INFO_V1(platform_check_lead);
PG_FUNCTION_INFO_V1(platform_follow_lead);
PG_FUNCTION_INFO_V1(platform_check_deal);
PG_FUNCTION_INFO_V1(platform_check_commission);
PG_FUNCTION_INFO_V1(platform_check_appointment);
PG_FUNCTION_INFO_V1(platform_follow_appointment);

/* Writes a telephone number in its one form: PT422 when it is none. */
static void
normalize_number(PlatformChange *row, const char *column)
{
	char		e164[PLATFORM_E164_SIZE];
	char	   *number;

	if (!platform_change_is_new(row, column) ||
		(number = platform_change_get_text(row, row->row, column)) == NULL)
		return;
	if (!platform_normalize_phone(number, strlen(number),
								  platform_phone_region(PLATFORM_DEFAULT_REGION, strlen(PLATFORM_DEFAULT_REGION)),
								  e164))
		platform_rule_violation(psprintf("%s is no telephone number", column));
	if (strcmp(number, e164) != 0)
		platform_change_set(row, column, CStringGetTextDatum(e164), false);
}

/*
 * platform.check_agent() returns trigger
 *
 * Numbers in E.164 (PT422), how a status follows another (PT409), updated_at; a
 * retired agent gives its number back. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER agents_check BEFORE INSERT OR UPDATE ON platform.agents
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_agent();
 */
Datum
platform_check_agent(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending", {"active", "failed", "suspended", "retired"}},
		{"active", {"pending", "suspended", "disabled", "failed", "retired"}},
		{"suspended", {"active", "retired"}},
		{"disabled", {"active", "suspended", "pending", "retired"}},
		{"failed", {"pending", "active", "retired"}},
		{"retired", {"pending"}},
	};
	PlatformChange row = platform_change_begin(fcinfo, "check_agent", GUARD_BEFORE);

	normalize_number(&row, "phone_number");
	normalize_number(&row, "transfer_number");
	if (platform_change_follows(&row, "an agent", transitions, lengthof(transitions)))
	{
		if (platform_change_has_status(&row, row.row, "retired"))
		{
			platform_change_set(&row, "phone_number", (Datum) 0, true);
			platform_change_set(&row, "provider_number_id", (Datum) 0, true);
		}
		if (platform_change_has_status(&row, row.row, "active"))
			platform_change_set_now(&row, "deployed_at");
	}
	return platform_change_end(&row);
}

/*
 * platform.check_lead() returns trigger
 *
 * The number in E.164 (PT422), when it was flagged, updated_at. Errors: 39P01
 * when fired otherwise.
 *
 *		CREATE TRIGGER leads_check BEFORE INSERT OR UPDATE ON platform.leads
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_lead();
 */
Datum
platform_check_lead(PG_FUNCTION_ARGS)
{
	PlatformChange row = platform_change_begin(fcinfo, "check_lead", GUARD_BEFORE);

	normalize_number(&row, "phone");
	if (row.old != NULL ? platform_change_is_new(&row, "flagged_for_review") : platform_change_get_bool(&row, row.row, "flagged_for_review"))
	{
		if (platform_change_get_bool(&row, row.row, "flagged_for_review"))
			platform_change_set_now(&row, "flagged_at");
		else
			platform_change_set(&row, "flagged_at", (Datum) 0, true);
	}
	return platform_change_end(&row);
}

/* Tells webhooks what happened to a lead: nothing of whom it is. */
static void
emit_lead_event(const PlatformChange *row, const char *type)
{
	static PlatformQuery payload =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT pg_catalog.jsonb_build_object('lead_id', $1, 'status', $2, 'old_status', $3,"
					   " 'owner_id', $4, 'call_id', $5, 'appointment_booked', $6)",
					   UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, BOOLOID);
	static const char *const columns[] = {
		"id", "status", "status", "owner_id", "call_id", "appointment_booked",
	};
	Datum		values[lengthof(columns)];
	bool		nulls[lengthof(columns)];
	bool		isnull;
	PlatformEvent event = {.type = type};

	for (int i = 0; i < lengthof(columns); i++)
	{
		HeapTuple	tuple = i == 2 ? row->old : row->row;

		nulls[i] = true;
		if (tuple != NULL)
			values[i] = platform_change_get(row, tuple, columns[i], &nulls[i]);
	}
	platform_query_begin();
	platform_query_run(&payload, values, nulls);
	event.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
	platform_query_end();
	event.organization = DatumGetUUIDP(platform_change_get(row, row->row, "organization_id", &isnull));
	platform_event_emit(&event, NULL);
}

/*
 * platform.follow_lead() returns trigger
 *
 * Emits lead.created, lead.status_changed and lead.assigned (another owner_id)
 * where module webhooks is installed. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER leads_follow AFTER INSERT OR UPDATE OF status, owner_id ON platform.leads
 *			FOR EACH ROW EXECUTE FUNCTION platform.follow_lead();
 */
Datum
platform_follow_lead(PG_FUNCTION_ARGS)
{
	PlatformChange row = platform_change_begin(fcinfo, "follow_lead", GUARD_AFTER);

	if (!platform_event_is_installed())
		return PointerGetDatum(NULL);
	if (row.old == NULL)
		emit_lead_event(&row, "lead.created");
	else
	{
		if (platform_change_is_new(&row, "status"))
			emit_lead_event(&row, "lead.status_changed");
		if (platform_change_is_new(&row, "owner_id"))
			emit_lead_event(&row, "lead.assigned");
	}
	return PointerGetDatum(NULL);
}

/*
 * platform.check_deal() returns trigger
 *
 * How a status follows another, an amount that stays once it is paid (PT409),
 * paid_at, updated_at. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER deals_check BEFORE INSERT OR UPDATE ON platform.deals
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_deal();
 */
Datum
platform_check_deal(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending", {"paid", "canceled"}},
		{"paid", {"refunded"}},
	};
	PlatformChange row = platform_change_begin(fcinfo, "check_deal", GUARD_BEFORE);

	if (platform_change_follows(&row, "a deal", transitions, lengthof(transitions)) &&
		platform_change_has_status(&row, row.row, "paid"))
		platform_change_set_now(&row, "paid_at");
	if (row.old != NULL && (platform_change_is_new(&row, "amount_minor") || platform_change_is_new(&row, "currency")) &&
		!platform_change_has_status(&row, row.old, "pending"))
		platform_wrong_state("the amount of a deal that is closed cannot change");
	return platform_change_end(&row);
}

/*
 * platform.check_commission() returns trigger
 *
 * A commission begins as pending_locked; pending_locked, payable, paid, in this
 * order, or void before it is paid; whose it is, of which deal, and how much never
 * changes, nor does a paid one but for its payout_reference (PT409). Keeps the
 * moments of its states and updated_at. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER commissions_check BEFORE INSERT OR UPDATE ON platform.commissions
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_commission();
 */
Datum
platform_check_commission(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending_locked", {"payable", "void"}},
		{"payable", {"paid", "void"}},
	};
	static const char *const fixed[] = {
		"seller_id", "deal_id", "deal_amount_minor", "rate_basis_points", "commission_minor", "currency",
	};
	PlatformChange row = platform_change_begin(fcinfo, "check_commission", GUARD_BEFORE);

	if (row.old == NULL)
	{
		if (!platform_change_has_status(&row, row.row, "pending_locked"))
			platform_wrong_state("a commission begins as pending_locked");
		return platform_change_end(&row);
	}
	platform_change_keeps(&row, "a commission", fixed, lengthof(fixed));
	if (platform_change_follows(&row, "a commission", transitions, lengthof(transitions)))
	{
		if (platform_change_has_status(&row, row.row, "payable"))
			platform_change_set_now(&row, "payable_at");
		else if (platform_change_has_status(&row, row.row, "paid"))
			platform_change_set_now(&row, "approved_at");
		else
			platform_change_set_now(&row, "voided_at");
	}
	else if (platform_change_has_status(&row, row.old, "paid") &&
			 (platform_change_is_new(&row, "paid_minor") || platform_change_is_new(&row, "approved_at") || platform_change_is_new(&row, "approved_by")))
		platform_wrong_state("a commission that is paid cannot change");
	return platform_change_end(&row);
}

static bool
is_open_status(const PlatformChange *row, HeapTuple tuple)
{
	return platform_change_has_status(row, tuple, "booked") || platform_change_has_status(row, tuple, "scheduled") ||
		platform_change_has_status(row, tuple, "pending") || platform_change_has_status(row, tuple, "confirmed");
}

static bool
is_moved(const PlatformChange *row)
{
	return platform_change_is_new(row, "start_time") || platform_change_is_new(row, "end_time") || platform_change_is_new(row, "calendar_id");
}

/* Fills in what an appointment may leave out: whose calendar, until when. */
static void
complete_appointment(PlatformChange *row)
{
	bool		no_calendar;
	bool		no_start;
	bool		no_end;
	bool		isnull;
	Datum		value;
	TimestampTz start;
	TimestampTz end;

	(void) platform_change_get(row, row->row, "calendar_id", &no_calendar);
	if (no_calendar)
	{
		value = platform_change_get(row, row->row, "user_id", &isnull);
		if (isnull)
			value = platform_change_get(row, row->row, "organization_id", &isnull);
		platform_change_set(row, "calendar_id", value, isnull);
	}
	start = DatumGetTimestampTz(platform_change_get(row, row->row, "start_time", &no_start));
	end = DatumGetTimestampTz(platform_change_get(row, row->row, "end_time", &no_end));
	if (no_start)
		return;
	if (TIMESTAMP_NOT_FINITE(start))
		platform_rule_violation("start_time must be a moment");
	if (no_end)
	{
		value = platform_change_get(row, row->row, "duration_minutes", &isnull);
		if (isnull || DatumGetInt32(value) < 1)
			platform_rule_violation("an appointment must have an end_time or a duration_minutes above zero");
		end = start + DatumGetInt32(value) * USECS_PER_MINUTE;
		platform_change_set(row, "end_time", TimestampTzGetDatum(end), false);
	}
	/* whether it ends after it starts, and ever, is a CHECK's business */
	if (!TIMESTAMP_NOT_FINITE(end) && end > start && (end - start) / USECS_PER_MINUTE < PG_INT32_MAX)
		platform_change_set(row, "duration_minutes",
				  Int32GetDatum((end - start + USECS_PER_MINUTE - 1) / USECS_PER_MINUTE), false);
}

static void
lock_calendar(const PlatformChange *row)
{
	struct
	{
		char		what[16];
		pg_uuid_t	organization;
		pg_uuid_t	calendar;
	}			name = {"crm calendar"};
	bool		isnull;

	name.organization = *DatumGetUUIDP(platform_change_get(row, row->row, "organization_id", &isnull));
	name.calendar = *DatumGetUUIDP(platform_change_get(row, row->row, "calendar_id", &isnull));
	platform_mutex_lock(hash_bytes_extended((unsigned char *) &name, sizeof(name), 0));
}

/*
 * 23P01 when the time is taken, and from when to when: for who may know. Others are
 * refused by the policies, which are asked after triggers. A booking that came in
 * before is its key's business. The query is no mere reading one, so that it sees
 * earlier rows of this very statement, and waits for who is giving the time back.
 */
static void
refuse_overlap(const PlatformChange *row)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT pg_catalog.format('%s to %s', start_time, end_time) FROM platform.appointments"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND calendar_id OPERATOR(pg_catalog.=) $2"
					   " AND pg_catalog.tstzrange(start_time, end_time)"
					   " OPERATOR(pg_catalog.&&) pg_catalog.tstzrange($3, $4)"
					   " AND status OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'scheduled', 'booked', 'confirmed'])"
					   " AND id OPERATOR(pg_catalog.<>) $5"
					   " AND (cal_booking_uid OPERATOR(pg_catalog.<>) $6 OR cal_booking_uid IS NULL OR $6 IS NULL)"
					   " ORDER BY start_time LIMIT 1 FOR SHARE",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, TEXTOID);
	static const char *const columns[] = {
		"organization_id", "calendar_id", "start_time", "end_time", "id", "cal_booking_uid",
	};
	Datum		values[lengthof(columns)];
	bool		nulls[lengthof(columns)];

	for (int i = 0; i < lengthof(columns); i++)
	{
		values[i] = platform_change_get(row, row->row, columns[i], &nulls[i]);
		if (nulls[i] && i < lengthof(columns) - 1)
			return;
	}
	if (DatumGetTimestampTz(values[2]) >= DatumGetTimestampTz(values[3]) ||
		!platform_may_act_for(DatumGetUUIDP(values[0])))
		return;
	platform_query_begin();
	if (platform_query_run(&find, values, nulls) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXCLUSION_VIOLATION),
				 errmsg("calendar %s is taken from %s",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[1])),
						platform_row_cstring(0, 1)),
				 errhint("Choose another time or another calendar: list_appointments() shows what is taken."),
				 errtableconstraint(row->trigger->tg_relation,
									"appointments_organization_id_calendar_id_tstzrange_excl")));
	platform_query_end();
}

/*
 * platform.check_appointment() returns trigger
 *
 * The number in E.164 (PT422); calendar_id, end_time and duration_minutes where
 * they are left out; how a status follows another, and that what is over does not
 * move (PT409); that the calendar is free (23P01); updated_at. Errors: 39P01 when
 * fired otherwise.
 *
 *		CREATE TRIGGER appointments_check BEFORE INSERT OR UPDATE ON platform.appointments
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_appointment();
 */
Datum
platform_check_appointment(PG_FUNCTION_ARGS)
{
#define OVER "completed", "cancelled", "no_show"
	static const PlatformTransition transitions[] = {
		{"pending", {"scheduled", "booked", "confirmed", OVER}},
		{"scheduled", {"pending", "booked", "confirmed", OVER}},
		{"booked", {"pending", "scheduled", "confirmed", OVER}},
		{"confirmed", {"pending", "scheduled", "booked", OVER}},
	};
	PlatformChange row = platform_change_begin(fcinfo, "check_appointment", GUARD_BEFORE);
	bool		new_status;
	bool		isnull;

	(void) platform_change_get(&row, row.row, "organization_id", &isnull);
	if (isnull)
		return platform_change_end(&row);
	normalize_number(&row, "customer_phone");
	complete_appointment(&row);
	new_status = platform_change_follows(&row, "an appointment", transitions, lengthof(transitions));
	if (new_status && platform_change_has_status(&row, row.row, "cancelled"))
		platform_change_set_now(&row, "cancelled_at");
	/* the reason of an earlier change is none of this one */
	if (row.old != NULL && (new_status || is_moved(&row)) && !platform_change_is_given(&row, "change_reason"))
		platform_change_set(&row, "change_reason", (Datum) 0, true);
	if (is_moved(&row))
	{
		if (row.old != NULL && !is_open_status(&row, row.old))
			platform_wrong_state("an appointment that is over cannot move");
		if (row.old != NULL)
			platform_change_set(&row, "reminder_sent", BoolGetDatum(false), false);
		if (is_open_status(&row, row.row))
		{
			lock_calendar(&row);
			refuse_overlap(&row);
		}
	}
	return platform_change_end(&row);
}

/* Writes what happened, and tells webhooks. */
static void
record_change(const PlatformChange *row, const char *change, const char *event_type)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.appointment_changes (organization_id, appointment_id, change,"
					   " old_status, new_status, old_start_time, old_end_time, new_start_time, new_end_time,"
					   " reason, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
					   " RETURNING pg_catalog.jsonb_build_object('appointment_id', appointment_id,"
					   " 'status', new_status, 'start_time', new_start_time, 'end_time', new_end_time,"
					   " 'old_status', old_status, 'old_start_time', old_start_time, 'reason', reason)",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
					   TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID);
	static const char *const columns[] = {
		"organization_id", "id", NULL, "status", "status", "start_time", "end_time", "start_time", "end_time",
	};
	Datum		values[11];
	bool		nulls[11];
	bool		isnull;

	for (int i = 0; i < lengthof(columns); i++)
	{
		HeapTuple	tuple = i == 3 || i == 5 || i == 6 ? row->old : row->row;

		nulls[i] = tuple == NULL;
		if (columns[i] != NULL && tuple != NULL)
			values[i] = platform_change_get(row, tuple, columns[i], &nulls[i]);
	}
	values[2] = CStringGetTextDatum(change);
	nulls[2] = false;
	nulls[9] = true;
	if (row->old != NULL)
		values[9] = platform_change_get(row, row->row, "change_reason", &nulls[9]);
	values[10] = CStringGetTextDatum(platform_caller_name());
	nulls[10] = false;
	platform_query_run(&insert, values, nulls);
	if (platform_event_is_installed())
	{
		PlatformEvent event = {
			.organization = DatumGetUUIDP(values[0]),
			.type = event_type,
			.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull)),
		};

		platform_event_emit(&event, NULL);
	}
}

/* Takes back the reminders that wait, and makes those that are due from now on. */
static void
renew_reminders(const PlatformChange *row)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointment_reminders SET status = 'canceled', lease_id = NULL,"
					   " lease_until = NULL WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND appointment_id OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'claimed'])",
					   UUIDOID, UUIDOID);
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.appointment_reminders (organization_id, appointment_id,"
					   " minutes_before, due_at)"
					   " SELECT $1, $2, m.minutes, $3 OPERATOR(pg_catalog.-) pg_catalog.make_interval(mins => m.minutes)"
					   " FROM (SELECT DISTINCT u.minutes FROM pg_catalog.unnest($4 OPERATOR(pg_catalog.||) $5)"
					   " AS u (minutes)) AS m WHERE m.minutes OPERATOR(pg_catalog.>) 0"
					   " AND $3 OPERATOR(pg_catalog.-) pg_catalog.make_interval(mins => m.minutes)"
					   " OPERATOR(pg_catalog.>) pg_catalog.now()",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, INT4ARRAYOID, INT4OID);
	static const char *const columns[] = {
		"organization_id", "id", "start_time", "reminder_offsets", "reminder_minutes",
	};
	Datum		values[lengthof(columns)];
	bool		isnull;

	for (int i = 0; i < lengthof(columns); i++)
		values[i] = platform_change_get(row, row->row, columns[i], &isnull);
	if (row->old != NULL)
		platform_query_run(&cancel, values, NULL);
	if (is_open_status(row, row->row) && platform_change_get_bool(row, row->row, "reminder_enabled"))
		platform_query_run(&insert, values, NULL);
}

/*
 * platform.follow_appointment() returns trigger
 *
 * Writes appointment_changes, keeps appointment_reminders, and emits the events
 * appointment.created, .rescheduled, .cancelled and .status_changed where module
 * webhooks is installed. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER appointments_follow AFTER INSERT OR UPDATE ON platform.appointments
 *			FOR EACH ROW EXECUTE FUNCTION platform.follow_appointment();
 */
Datum
platform_follow_appointment(PG_FUNCTION_ARGS)
{
	PlatformChange row = platform_change_begin(fcinfo, "follow_appointment", GUARD_AFTER);
	bool		moved = is_moved(&row);
	bool		closed = !is_open_status(&row, row.row);
	bool		new_status = platform_change_is_new(&row, "status");

	platform_query_begin();
	if (row.old == NULL)
		record_change(&row, "created", "appointment.created");
	else if (new_status && platform_change_has_status(&row, row.row, "cancelled"))
		record_change(&row, "cancelled", "appointment.cancelled");
	else if (moved)
		record_change(&row, "rescheduled", "appointment.rescheduled");
	else if (new_status)
		record_change(&row, "status", "appointment.status_changed");
	if (moved || (new_status && closed) || platform_change_is_new(&row, "reminder_enabled") ||
		platform_change_is_new(&row, "reminder_minutes") || platform_change_is_new(&row, "reminder_offsets"))
		renew_reminders(&row);
	platform_query_end();
	return PointerGetDatum(NULL);
}
