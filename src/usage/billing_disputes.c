/*
 * billing_disputes.c
 *	  Objections to line items.
 *
 * A line item stays as it was written; a dispute that is accepted adds a credit,
 * which later adjustments leave alone.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "access/htup_details.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/result.h"
#include "usage/billing.h"
#include "usage/usage.h"

PG_FUNCTION_INFO_V1(platform_check_billing_line_item);
PG_FUNCTION_INFO_V1(platform_open_billing_dispute);
PG_FUNCTION_INFO_V1(platform_resolve_billing_dispute);

static PlatformQuery lock_line =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT line_kind = 'credit' FROM platform.billing_line_items WHERE id = $1 FOR NO KEY UPDATE",
				   UUIDOID);

static PlatformQuery find_open =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id FROM platform.billing_disputes WHERE line_item_id = $1 AND status = 'open'",
				   UUIDOID);

static PlatformQuery insert_dispute =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.billing_disputes (organization_id, user_id, line_item_id, reason, opened_by)"
				   " SELECT organization_id, user_id, id, $2, $3 FROM platform.billing_line_items WHERE id = $1"
				   " RETURNING id",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery name_dispute =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.billing_line_items SET dispute_id = $2 WHERE id = $1",
				   UUIDOID, UUIDOID);

/* A line and its disputes are locked in this order by both functions. */
static PlatformQuery find_line =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT line_item_id FROM platform.billing_disputes WHERE id = $1",
				   UUIDOID);

/* The credit, and whether there is as much left of the line. */
static PlatformQuery weigh_credit =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT d.status, COALESCE(round($2, 2), r.remaining), $2 IS NULL OR ($2 >= 0 AND $2 <= r.remaining)"
				   " FROM platform.billing_disputes d JOIN platform.billing_line_items b"
				   " ON b.id = d.line_item_id AND b.organization_id = d.organization_id"
				   " CROSS JOIN LATERAL (SELECT greatest(b.total_amount - COALESCE(sum(x.credit_amount), 0), 0) AS remaining"
				   " FROM platform.billing_disputes x WHERE x.line_item_id = b.id AND x.organization_id = b.organization_id"
				   " AND x.status = 'accepted') AS r"
				   " WHERE d.id = $1",
				   UUIDOID, NUMERICOID);

static PlatformQuery resolve_dispute =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "WITH dispute AS (UPDATE platform.billing_disputes SET"
				   " status = CASE WHEN $2 THEN 'accepted' ELSE 'rejected' END,"
				   " credit_amount = CASE WHEN $2 THEN $3 END, resolved_at = clock_timestamp(),"
				   " resolved_by = $4, resolution_notes = $5"
				   " WHERE id = $1 RETURNING id, organization_id, line_item_id, status, credit_amount),"
				   "credit AS (INSERT INTO platform.billing_line_items (id, organization_id, billing_period_id, user_id,"
				   " phone_number, event_type, line_kind, revision, event_range_start, event_range_end, quantity,"
				   " billed_units, unit_rate, total_amount, margin, tier_snapshot_id, dispute_id)"
				   " SELECT platform.uuid7(), b.organization_id, b.billing_period_id, b.user_id, b.phone_number,"
				   " b.event_type, 'credit', 1 + (SELECT max(o.revision) FROM platform.billing_line_items o"
				   " WHERE o.billing_period_id = b.billing_period_id AND o.organization_id = b.organization_id),"
				   " b.event_range_start, b.event_range_end, 0, 0, b.unit_rate, - d.credit_amount,"
				   " - d.credit_amount, b.tier_snapshot_id, d.id"
				   " FROM dispute d JOIN platform.billing_line_items b"
				   " ON b.id = d.line_item_id AND b.organization_id = d.organization_id"
				   " WHERE d.credit_amount > 0 RETURNING id)"
				   "SELECT d.status, d.credit_amount, c.id FROM dispute d LEFT JOIN credit c ON true",
				   UUIDOID, BOOLOID, NUMERICOID, TEXTOID, TEXTOID);

static bool
is_same(const TriggerData *trigger, Form_pg_attribute attribute)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		old_null;
	bool		new_null;
	Datum		old = heap_getattr(trigger->tg_trigtuple, attribute->attnum, tupdesc, &old_null);
	Datum		new = heap_getattr(trigger->tg_newtuple, attribute->attnum, tupdesc, &new_null);

	return old_null == new_null &&
		(old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen));
}

/*
 * platform.check_billing_line_item() returns trigger
 *
 * Refuses all changes but those of dispute_id and provider_invoice_link. Errors: PT409,
 * 39P01.
 *
 *		CREATE TRIGGER billing_line_items_check BEFORE DELETE OR UPDATE ON billing_line_items
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_billing_line_item();
 */
Datum
platform_check_billing_line_item(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_billing_line_item",
												  GUARD_BEFORE | GUARD_ROW | GUARD_UPDATE |
												  GUARD_DELETE);
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		may_change = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);

	for (int i = 0; may_change && i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), "dispute_id") != 0 &&
			strcmp(NameStr(attribute->attname), "provider_invoice_link") != 0)
			may_change = is_same(trigger, attribute);
	}
	if (!may_change)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("line items of bills cannot be changed"),
				 errhint("See platform.generate_billing_line_items() for adjustments and platform.open_billing_dispute() for credits.")));
	return PointerGetDatum(trigger->tg_newtuple);
}

pg_noreturn static void
no_such(const char *what, const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("%s %s does not exist", what,
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))))));
}

/*
 * platform.open_billing_dispute(line_item_id uuid, reason text) RETURNS uuid
 *
 * Opens a dispute about a line item and returns its id; of a line that has an open one,
 * that. Operators. Errors: 42501; 22004; 22023 a reason of more than 10,000
 * characters; PT404 no such line item; PT409 a credit; 25006.
 */
Datum
platform_open_billing_dispute(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *line = platform_caps_uuid(fcinfo, 0, "line_item_id");
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[3];

	platform_require_operator("open a dispute");
	platform_require_module(&platform_billing_module);
	values[0] = UUIDPGetDatum(line);
	values[1] = PointerGetDatum(platform_required_text(fcinfo, 1, "reason", 10000));
	values[2] = CStringGetTextDatum(platform_caller_name());
	platform_query_begin();
	if (platform_billing_run(&lock_line, values, NULL) == 0)
		no_such("line item", line);
	if (platform_row_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("credits cannot be disputed")));
	if (platform_billing_run(&find_open, values, NULL) == 0)
	{
		platform_billing_run(&insert_dispute, values, NULL);
		*id = platform_row_uuid(0, 1);
		values[1] = UUIDPGetDatum(id);
		platform_billing_run(&name_dispute, values, NULL);
	}
	else
		*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/* Locks the dispute's line; within a query. */
static void
lock_dispute(const pg_uuid_t *dispute)
{
	Datum		value = UUIDPGetDatum(dispute);
	pg_uuid_t	line;

	if (platform_billing_run(&find_line, &value, NULL) == 0)
		no_such("dispute", dispute);
	line = platform_row_uuid(0, 1);
	value = UUIDPGetDatum(&line);
	platform_billing_run(&lock_line, &value, NULL);
}

/*
 * platform.resolve_billing_dispute(dispute_id uuid, accepted boolean,
 *		credit_amount numeric DEFAULT NULL, notes text DEFAULT NULL)
 *		RETURNS (status text, credited numeric, credit_line_item_id uuid)
 *
 * Ends a dispute. An accepted one gives back so many dollars, NULL: all that the line
 * item costs less what was given back of it before, by a credit line of the same
 * period (none for 0). Operators. Errors: 42501; 22004 dispute_id, accepted; 22023
 * below 0 or more than that, or an amount with a refusal, or notes of more than 10,000
 * characters; PT404 no such dispute; PT409 it has ended; 25006.
 */
Datum
platform_resolve_billing_dispute(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *dispute = platform_caps_uuid(fcinfo, 0, "dispute_id");
	text	   *notes;
	bool		accepted;
	Datum		values[5];
	bool		nulls[5] = {false};
	Datum		result[3];
	bool		isnull[3] = {false};

	platform_require_operator("resolve a dispute");
	platform_require_module(&platform_billing_module);
	platform_require_argument(fcinfo, 1, "accepted");
	accepted = PG_GETARG_BOOL(1);
	notes = platform_optional_text(fcinfo, 3, "notes", 10000);
	if (!accepted && !PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("credit_amount is for disputes that are accepted")));

	platform_query_begin();
	lock_dispute(dispute);
	values[0] = UUIDPGetDatum(dispute);
	nulls[1] = PG_ARGISNULL(2);
	values[1] = nulls[1] ? (Datum) 0 : PG_GETARG_DATUM(2);
	platform_billing_run(&weigh_credit, values, nulls);
	if (strcmp(platform_row_cstring(0, 1), "open") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("dispute has ended")));
	if (!platform_row_bool(0, 3))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("credit_amount must be between 0 and what the line item costs, less earlier credits")));

	values[2] = platform_row_datum_copy(0, 2, &nulls[2]);
	values[1] = BoolGetDatum(accepted);
	nulls[1] = false;
	values[3] = CStringGetTextDatum(platform_caller_name());
	values[4] = PointerGetDatum(notes);
	nulls[4] = notes == NULL;
	platform_billing_run(&resolve_dispute, values, nulls);
	for (int i = 0; i < 3; i++)
		result[i] = platform_row_datum_copy(0, i + 1, &isnull[i]);
	platform_query_end();
	return platform_return_row(fcinfo, result, isnull);
}
