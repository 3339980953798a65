/*
 * alerts.c
 *	  Raising, acknowledging and resolving alerts: see core/alert.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_raise_alert);
PG_FUNCTION_INFO_V1(platform_acknowledge_alert);
PG_FUNCTION_INFO_V1(platform_resolve_alert);
PG_FUNCTION_INFO_V1(platform_clear_alert);

/* The states in the order in which an alert passes through them. */
static PlatformQuery acknowledge =
	PLATFORM_QUERY(QUERY_LATEST,
				   "UPDATE platform.ops_alerts"
				   " SET acknowledged_at = pg_catalog.clock_timestamp(), acknowledged_by = $2"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND acknowledged_at IS NULL AND resolved_at IS NULL",
				   UUIDOID, TEXTOID);

static PlatformQuery resolve =
	PLATFORM_QUERY(QUERY_LATEST,
				   "UPDATE platform.ops_alerts"
				   " SET resolved_at = pg_catalog.clock_timestamp(), resolved_by = $2,"
				   " resolution_notes = $3"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND resolved_at IS NULL",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT 1 FROM platform.ops_alerts WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static const char *
alert_severity(FunctionCallInfo fcinfo, int argument)
{
	char	   *severity = platform_ops_optional_text(fcinfo, argument, "severity", 63);

	if (severity != NULL && strcmp(severity, "info") != 0 && strcmp(severity, "warning") != 0 &&
		strcmp(severity, "critical") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("severity must be info, warning or critical")));
	return severity;
}

/*
 * platform.raise_alert(organization_id uuid, alert_type text, severity text DEFAULT 'warning',
 *		title text DEFAULT NULL, message text DEFAULT NULL, dedup_key text DEFAULT NULL,
 *		details jsonb DEFAULT '{}', source text DEFAULT 'system', user_id uuid DEFAULT NULL,
 *		phone_number text DEFAULT NULL)
 *		returns (alert_id uuid, occurrences bigint)
 *
 * Opens an alert, or counts up on the open one with the same organization, type
 * and dedup key: its text and details become the new ones, its severity never
 * falls, and when it rises an acknowledgement is over. Without a dedup key every
 * raise is an alert. organization_id NULL: the platform's own; title NULL: the
 * type. A new or worse alert is told on the channel platform_alerts as
 * "severity:type:id". Operators only: 42501. 22004 without a type; 22023 for an
 * unknown severity, a text out of its length, or details that are no object;
 * 23503 for an unknown organization; 55000 before install().
 */
Datum
platform_raise_alert(PG_FUNCTION_ARGS)
{
	PlatformAlert alert = {0};
	PlatformAlertAnswer answer;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	platform_require_operator("raise an alert");
	platform_require_module(&platform_ops_module);
	alert.organization = platform_ops_optional_uuid(fcinfo, 0);
	alert.type = platform_ops_text(fcinfo, 1, "alert_type", 63);
	alert.severity = alert_severity(fcinfo, 2);
	alert.title = platform_ops_optional_text(fcinfo, 3, "title", 255);
	alert.message = platform_ops_optional_text(fcinfo, 4, "message", 10000);
	alert.dedup_key = platform_ops_optional_text(fcinfo, 5, "dedup_key", 255);
	alert.details = platform_ops_optional_object(fcinfo, 6, "details");
	alert.source = platform_ops_optional_text(fcinfo, 7, "source", 63);
	alert.user = platform_ops_optional_uuid(fcinfo, 8);
	alert.phone_number = platform_ops_optional_text(fcinfo, 9, "phone_number", 63);
	platform_alert_raise(&alert, &answer);

	values[0] = UUIDPGetDatum(&answer.id);
	values[1] = Int64GetDatum(answer.occurrences);
	return platform_return_row(fcinfo, values, nulls);
}

/* Runs one of the two changes; PT404 for an alert that is not there. */
static bool
change_alert(FunctionCallInfo fcinfo, PlatformQuery *query, const char *notes)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, notes == NULL};
	bool		changed;

	platform_require_operator("change an alert");
	platform_require_module(&platform_ops_module);
	platform_require_argument(fcinfo, 0, "alert_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(platform_caller_name());
	values[2] = notes == NULL ? (Datum) 0 : CStringGetTextDatum(notes);
	platform_query_begin();
	changed = platform_query_run(query, values, nulls) > 0;
	if (!changed && platform_query_run(&find, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("alert \"%s\" does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[0])))));
	platform_query_end();
	return changed;
}

/*
 * platform.acknowledge_alert(alert_id uuid) returns boolean
 *
 * Somebody looks after it: true when this call said so first, false when it is
 * acknowledged or resolved already. Operators only: 42501. 22004 for NULL,
 * PT404 for an alert that does not exist.
 */
Datum
platform_acknowledge_alert(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_alert(fcinfo, &acknowledge, NULL));
}

/*
 * platform.resolve_alert(alert_id uuid, notes text DEFAULT NULL) returns boolean
 *
 * Closes it: true when this call did, false when it was closed already. Raised
 * again after that, it is a new alert. Operators only: 42501. 22004 for NULL,
 * 22023 for notes longer than 10000 characters, PT404 for an alert that does
 * not exist.
 */
Datum
platform_resolve_alert(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_alert(fcinfo, &resolve,
								platform_ops_optional_text(fcinfo, 1, "notes", 10000)));
}

/*
 * platform.clear_alert(organization_id uuid, alert_type text, dedup_key text) returns boolean
 *
 * Closes the open alert of that cause, because the cause is gone: auto_resolved
 * is set. False when none is open. organization_id NULL: the platform's own.
 * Operators only: 42501. 22004 without a type or a key.
 */
Datum
platform_clear_alert(PG_FUNCTION_ARGS)
{
	platform_require_operator("change an alert");
	platform_require_module(&platform_ops_module);
	PG_RETURN_BOOL(platform_alert_clear(platform_ops_optional_uuid(fcinfo, 0),
										platform_ops_text(fcinfo, 1, "alert_type", 63),
										platform_ops_text(fcinfo, 2, "dedup_key", 255)));
}
