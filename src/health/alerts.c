/*
 * alerts.c
 *	  What people do with churn alerts.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "health/health.h"

PG_FUNCTION_INFO_V1(platform_acknowledge_churn_alert);
PG_FUNCTION_INFO_V1(platform_resolve_churn_alert);

static PlatformQuery acknowledge =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.churn_alerts"
				   " SET acknowledged = true, acknowledged_at = pg_catalog.clock_timestamp(), acknowledged_by = $2"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND NOT acknowledged AND NOT resolved",
				   UUIDOID, TEXTOID);

/* Whoever looked after a drop is told of the next one from where it stands now. */
static PlatformQuery resolve =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "WITH r AS (UPDATE platform.churn_alerts"
				   " SET resolved = true, resolved_at = pg_catalog.clock_timestamp(), resolved_by = $2, resolution_notes = $3"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND NOT resolved RETURNING organization_id, alert_type),"
				   " b AS (UPDATE platform.customer_health_scores h"
				   " SET baseline_score = h.score, baseline_at = pg_catalog.clock_timestamp() FROM r"
				   " WHERE r.alert_type OPERATOR(pg_catalog.=) 'score_drop'"
				   " AND h.organization_id OPERATOR(pg_catalog.=) r.organization_id)"
				   " SELECT 1 FROM r",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.churn_alerts WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

#define NOTES_MOST 10000

static bool
change_alert(FunctionCallInfo fcinfo, PlatformQuery *query, text *notes)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, notes == NULL};
	bool		changed;

	platform_require_operator("change a churn alert");
	platform_require_module(&platform_health_module);
	platform_require_argument(fcinfo, 0, "alert_id");
	if (notes != NULL && pg_mbstrlen_with_len(VARDATA_ANY(notes), VARSIZE_ANY_EXHDR(notes)) > NOTES_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("notes must have at most %d characters", NOTES_MOST)));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(platform_caller_name());
	values[2] = PointerGetDatum(notes);
	platform_query_begin();
	changed = platform_query_run(query, values, nulls) > 0;
	if (!changed && platform_query_run(&find, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("churn alert \"%s\" does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[0])))));
	platform_query_end();
	return changed;
}

/*
 * platform.acknowledge_churn_alert(alert_id uuid) returns boolean
 *
 * Somebody looks after it: true when this call said so first. Operators only:
 * 42501. 22004 for NULL, PT404 for an alert that does not exist.
 */
Datum
platform_acknowledge_churn_alert(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_alert(fcinfo, &acknowledge, NULL));
}

/*
 * platform.resolve_churn_alert(alert_id uuid, notes text DEFAULT NULL) returns boolean
 *
 * Closes it: true when this call did. Its kind does not come again for
 * repeat_days (health_settings); a resolved score_drop makes the present score
 * the one that later ones are compared with. Operators only: 42501. 22004 for
 * NULL, 22023 for notes longer than 10000 characters, PT404 for an alert that
 * does not exist.
 */
Datum
platform_resolve_churn_alert(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_alert(fcinfo, &resolve, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1)));
}
