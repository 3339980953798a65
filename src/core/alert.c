/*
 * alert.c
 *	  Alerts for the people who run the platform: see alert.h.
 *
 * A unique index over the open alerts of (organization, type, key) makes the
 * second raise of a kind an update of the first. Listeners on the channel
 * platform_alerts hear of an alert that is new or became more severe.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/module.h"
#include "core/query.h"

#define CHANNEL "platform_alerts"

static PlatformModule ops_module = {"ops", 540, 0};

/* The more severe of the old and the new; a rise makes an acknowledged alert news again. */
#define RISES \
	"((a.severity OPERATOR(pg_catalog.=) 'info' AND excluded.severity OPERATOR(pg_catalog.<>) 'info')" \
	" OR (a.severity OPERATOR(pg_catalog.=) 'warning' AND excluded.severity OPERATOR(pg_catalog.=) 'critical'))"
#define WORST "CASE WHEN " RISES " THEN excluded.severity ELSE a.severity END"

static PlatformQuery raise_query =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.ops_alerts AS a"
				   " (organization_id, alert_type, severity, title, message, details, user_id,"
				   " phone_number, source, dedup_key, created_at, last_raised_at, escalated_at)"
				   " VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'::pg_catalog.jsonb),"
				   " $7, $8, $9, $10, $11, $11, $11)"
				   " ON CONFLICT (organization_id, alert_type, dedup_key) WHERE resolved_at IS NULL"
				   " DO UPDATE SET occurrences = a.occurrences OPERATOR(pg_catalog.+) 1,"
				   " last_raised_at = excluded.last_raised_at,"
				   " title = excluded.title, message = excluded.message, details = excluded.details,"
				   " severity = " WORST ","
				   " escalated_at = CASE WHEN " RISES " THEN excluded.last_raised_at ELSE a.escalated_at END,"
				   " acknowledged_at = CASE WHEN " RISES " THEN NULL ELSE a.acknowledged_at END,"
				   " acknowledged_by = CASE WHEN " RISES " THEN NULL ELSE a.acknowledged_by END"
				   " RETURNING id, occurrences, severity,"
				   " escalated_at OPERATOR(pg_catalog.=) last_raised_at",
				   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID,
				   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID);

static PlatformQuery clear_query =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.ops_alerts"
				   " SET resolved_at = pg_catalog.clock_timestamp(), auto_resolved = true"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND alert_type OPERATOR(pg_catalog.=) $2 AND dedup_key OPERATOR(pg_catalog.=) $3"
				   " AND resolved_at IS NULL",
				   UUIDOID, TEXTOID, TEXTOID);

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

static Datum
pointer_or_null(const void *pointer, bool *isnull)
{
	*isnull = pointer == NULL;
	return PointerGetDatum(pointer);
}

static const pg_uuid_t *
organization_or_default(const pg_uuid_t *organization)
{
	return organization != NULL ? organization : &platform_nil_uuid;
}

bool
platform_alert_raise(const PlatformAlert *alert, PlatformAlertAnswer *answer)
{
	Datum		values[11];
	bool		nulls[11] = {false};
	pg_uuid_t	id;

	if (!platform_module_installed(&ops_module))
		return false;
	values[0] = UUIDPGetDatum(organization_or_default(alert->organization));
	values[1] = CStringGetTextDatum(alert->type);
	values[2] = CStringGetTextDatum(alert->severity != NULL ? alert->severity : "warning");
	values[3] = CStringGetTextDatum(alert->title != NULL ? alert->title : alert->type);
	values[4] = text_or_null(alert->message, &nulls[4]);
	values[5] = pointer_or_null(alert->details, &nulls[5]);
	values[6] = pointer_or_null(alert->user, &nulls[6]);
	values[7] = text_or_null(alert->phone_number, &nulls[7]);
	values[8] = CStringGetTextDatum(alert->source != NULL ? alert->source : "system");
	values[9] = text_or_null(alert->dedup_key, &nulls[9]);
	values[10] = TimestampTzGetDatum(GetCurrentTimestamp());

	platform_query_begin();
	platform_query_run(&raise_query, values, nulls);
	id = platform_row_uuid(0, 1);
	if (answer != NULL)
	{
		answer->id = id;
		answer->occurrences = platform_row_int64(0, 2);
	}
	if (platform_row_bool(0, 4))
		Async_Notify(CHANNEL, psprintf("%s:%s:%s", platform_row_cstring(0, 3), alert->type,
									   DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&id)))));
	platform_query_end();
	return true;
}

bool
platform_alert_clear(const pg_uuid_t *organization, const char *type, const char *dedup_key)
{
	Datum		values[3];
	bool		cleared;

	if (!platform_module_installed(&ops_module))
		return false;
	values[0] = UUIDPGetDatum(organization_or_default(organization));
	values[1] = CStringGetTextDatum(type);
	values[2] = CStringGetTextDatum(dedup_key);
	platform_query_begin();
	cleared = platform_query_run(&clear_query, values, NULL) > 0;
	platform_query_end();
	return cleared;
}
