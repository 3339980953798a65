/*
 * scores.c
 *	  Scores, grades and churn alerts: one statement over all customers.
 *
 * The statement reads each input once, joins them, scores by the rules in the
 * tables, and writes what changed: scores, history, alerts that are new or
 * worse, alerts whose cause is gone. Rows that stay as they are cost no write.
 *
 * Two calculations at once would lock rows in different orders, so the second
 * waits for the first one's transaction.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "health/health.h"

PG_FUNCTION_INFO_V1(platform_calculate_health_scores);

PlatformModule platform_health_module = {"health", 640, 0};

/* The name of the lock of a calculation. */
#define CALCULATION_MUTEX	UINT64CONST(0x9d2c5680a7c31e4b)

/* The rules: settings and, for each signal, its thresholds and their points. */
#define SETTING(name) \
	" max(value) FILTER (WHERE name = '" name "') AS " name ","
#define BANDS(signal) \
	" array_agg(threshold + CASE WHEN exclusive THEN 1e-9::float8 ELSE 0 END ORDER BY threshold)" \
	" FILTER (WHERE signal = '" signal "') AS " signal "_from," \
	" array_agg(points ORDER BY threshold) FILTER (WHERE signal = '" signal "') AS " signal "_points,"
#define POINTS(signal, value) \
	"coalesce(b." signal "_points[width_bucket(" value ", b." signal "_from)], 0)"

static const char *const rules =
	"WITH s AS (SELECT"
	SETTING("grade_a") SETTING("grade_b") SETTING("grade_c") SETTING("grade_d")
	SETTING("risk_low") SETTING("risk_medium") SETTING("risk_high")
	SETTING("drop_medium") SETTING("drop_high") SETTING("drop_critical")
	SETTING("email_below") SETTING("inactive_days")
	SETTING("decline_calls") SETTING("decline_medium") SETTING("decline_high") SETTING("decline_critical")
	SETTING("repeat_days")
	" 0 FROM platform.health_settings),\n"
	"b AS (SELECT"
	BANDS("usage_percent") BANDS("idle_days") BANDS("contacts") BANDS("agents")
	BANDS("webhooks") BANDS("calendars") BANDS("sms_cap") BANDS("personal_phones")
	" 0 FROM platform.health_thresholds),\n"
	"organization AS (SELECT o.id, o.created_at,"
	" CASE WHEN o.stripe_subscription_id IS NOT NULL THEN o.plan_status ELSE 'none' END AS plan_status"
	" FROM platform.organizations o"
	" WHERE o.deleted_at IS NULL AND o.status NOT IN ('expired', 'cancelled', 'suspended')"
	" AND o.id <> '00000000-0000-0000-0000-000000000000'";

static const char *const scoring =
	",\nraw AS (SELECT o.id, o.created_at, old.score AS old_score, old.baseline_score AS old_baseline,"
	" old.usage_score AS old_usage, old.engagement_score AS old_engagement,"
	" old.feature_adoption_score AS old_adoption, old.payment_score AS old_payment, old.last_calculated,"
	" GREATEST(c.last_at, se.last_at, au.last_at, old.last_activity_at) AS last_at,"
	" l.used_minutes, l.cap_minutes, l.sms_cap,"
	" CASE WHEN l.cap_minutes > 0 THEN 100 * l.used_minutes / l.cap_minutes"
	" WHEN l.used_minutes > 0 THEN 100 WHEN l.organization_id IS NOT NULL THEN 0 END AS percent,"
	" coalesce(c.week, 0) AS week, coalesce(c.week_before, 0) AS week_before, coalesce(co.contacts, 0) AS contacts,"
	" coalesce(ag.agents, 0) AS agents, coalesce(w.webhooks, 0) AS webhooks,"
	" coalesce(pr.calendars, 0) AS calendars, coalesce(pr.personal_phones, 0) AS personal_phones,"
	" coalesce(pa.status, o.plan_status) AS payment_status,"
	" ps.points AS payment_points, ps.alert_severity AS payment_severity"
	" FROM organization o"
	" LEFT JOIN platform.customer_health_scores old ON old.organization_id = o.id"
	" LEFT JOIN limits l ON l.organization_id = o.id LEFT JOIN calls c ON c.organization_id = o.id"
	" LEFT JOIN contacts co ON co.organization_id = o.id LEFT JOIN sessions se ON se.organization_id = o.id"
	" LEFT JOIN audit au ON au.organization_id = o.id LEFT JOIN agents ag ON ag.organization_id = o.id"
	" LEFT JOIN webhooks w ON w.organization_id = o.id LEFT JOIN profile pr ON pr.organization_id = o.id"
	" LEFT JOIN payment pa ON pa.organization_id = o.id"
	" LEFT JOIN platform.health_payment_states ps ON ps.status = coalesce(pa.status, o.plan_status)),\n"
	"parts AS (SELECT r.*, extract(epoch FROM now() - r.last_at)::float8 / 86400 AS idle_days,"
	" " POINTS("usage_percent", "r.percent") " AS usage,"
	" " POINTS("idle_days", "extract(epoch FROM now() - r.last_at)::float8 / 86400")
	" + " POINTS("contacts", "r.contacts::float8") " AS engagement,"
	" " POINTS("agents", "r.agents::float8") " + " POINTS("webhooks", "r.webhooks::float8")
	" + " POINTS("calendars", "r.calendars::float8") " + " POINTS("sms_cap", "r.sms_cap")
	" + " POINTS("personal_phones", "r.personal_phones::float8") " AS adoption,"
	" coalesce(r.payment_points, other.points, 0) AS payment,"
	" CASE WHEN r.payment_points IS NULL THEN other.alert_severity ELSE r.payment_severity END AS payment_alert"
	" FROM raw r CROSS JOIN b LEFT JOIN platform.health_payment_states other ON other.status = 'other'),\n"
	"totals AS (SELECT p.*, LEAST(p.usage, 25) + LEAST(p.engagement, 25) + LEAST(p.adoption, 25) + LEAST(p.payment, 25) AS score"
	" FROM parts p),\n"
	"scored AS MATERIALIZED (SELECT t.*, s.*, GREATEST(t.score, t.old_baseline) AS baseline,"
	" GREATEST(t.score, t.old_baseline) - t.score AS fall,"
	" CASE WHEN t.week_before >= s.decline_calls THEN 100 * (1 - t.week / t.week_before) ELSE 0 END AS decline,"
	" t.old_score >= s.email_below AND t.score < s.email_below AS crosses,"
	" CASE WHEN t.score >= s.grade_a THEN 'A' WHEN t.score >= s.grade_b THEN 'B' WHEN t.score >= s.grade_c THEN 'C'"
	" WHEN t.score >= s.grade_d THEN 'D' ELSE 'F' END AS grade,"
	" CASE WHEN t.score >= s.risk_low THEN 'low' WHEN t.score >= s.risk_medium THEN 'medium'"
	" WHEN t.score >= s.risk_high THEN 'high' ELSE 'critical' END AS risk"
	" FROM totals t CROSS JOIN s),\n"
	"changed AS MATERIALIZED (SELECT x.*, x.old_score IS DISTINCT FROM x.score AS new_score,"
	" jsonb_build_object("
	"'usage', jsonb_build_object('points', x.usage, 'percent', round(x.percent::numeric, 1), 'used_minutes', x.used_minutes, 'cap_minutes', x.cap_minutes),"
	" 'engagement', jsonb_build_object('points', x.engagement, 'idle_days', floor(x.idle_days), 'contacts', x.contacts),"
	" 'adoption', jsonb_build_object('points', x.adoption, 'agents', x.agents, 'webhooks', x.webhooks, 'calendars', x.calendars,"
	" 'sms_cap', coalesce(x.sms_cap, 0), 'personal_phones', x.personal_phones),"
	" 'payment', jsonb_build_object('points', x.payment, 'status', x.payment_status),"
	" 'calls', jsonb_build_object('week', x.week, 'week_before', x.week_before)) AS factors"
	" FROM scored x WHERE $3 OR x.old_score IS NULL OR x.last_calculated < now() - interval '1 day'"
	" OR (x.old_usage, x.old_engagement, x.old_adoption, x.old_payment) IS DISTINCT FROM"
	" (LEAST(x.usage, 25), LEAST(x.engagement, 25), LEAST(x.adoption, 25), LEAST(x.payment, 25))"
	" OR x.old_baseline <> x.baseline),\n"
	"written AS (INSERT INTO platform.customer_health_scores AS h (organization_id, score, grade, risk_level,"
	" usage_score, engagement_score, feature_adoption_score, payment_score, baseline_score, last_activity_at, factors)"
	" SELECT c.id, c.score, c.grade, c.risk, LEAST(c.usage, 25), LEAST(c.engagement, 25), LEAST(c.adoption, 25),"
	" LEAST(c.payment, 25), c.baseline, c.last_at, c.factors FROM changed c"
	" ON CONFLICT (organization_id) DO UPDATE SET score = excluded.score, grade = excluded.grade,"
	" risk_level = excluded.risk_level, usage_score = excluded.usage_score, engagement_score = excluded.engagement_score,"
	" feature_adoption_score = excluded.feature_adoption_score, payment_score = excluded.payment_score,"
	" baseline_at = CASE WHEN h.baseline_score = excluded.baseline_score THEN h.baseline_at ELSE excluded.baseline_at END,"
	" baseline_score = excluded.baseline_score, last_activity_at = excluded.last_activity_at,"
	" factors = excluded.factors, last_calculated = excluded.last_calculated RETURNING 1),\n"
	"recorded AS (INSERT INTO platform.customer_health_history (organization_id, calculated_on, score, grade, risk_level, factors)"
	" SELECT c.id, (now() AT TIME ZONE 'UTC')::date, c.score, c.grade, c.risk, c.factors FROM changed c WHERE c.new_score"
	" ON CONFLICT (organization_id, calculated_on) DO UPDATE SET score = excluded.score, grade = excluded.grade,"
	" risk_level = excluded.risk_level, factors = excluded.factors, created_at = excluded.created_at RETURNING 1),\n";

/*
 * A finding without a severity is too small for an alert and too large for the
 * end of one.
 */
static const char *const alerting =
	"finding AS MATERIALIZED ("
	"SELECT x.id, 'score_drop' AS alert_type, CASE WHEN x.fall >= x.drop_critical THEN 'critical' WHEN x.fall >= x.drop_high THEN 'high'"
	" WHEN x.fall >= x.drop_medium THEN 'medium' WHEN x.crosses THEN 'low' END AS severity,"
	" format('Score fell from %s to %s', x.baseline, x.score) AS title, x.baseline AS score_before, x.score AS score_after,"
	" jsonb_build_object('fall', x.fall, 'grade', x.grade) AS metadata, coalesce(x.crosses, false) AS email_due"
	" FROM scored x WHERE 2 * x.fall >= x.drop_medium OR x.crosses"
	" UNION ALL "
	"SELECT x.id, 'inactivity', 'medium', CASE WHEN x.last_at IS NULL THEN 'Never active'"
	" ELSE format('Not active for %s days', floor(x.idle_days)) END, NULL, x.score,"
	" jsonb_build_object('last_activity_at', x.last_at), false"
	" FROM scored x WHERE coalesce(x.last_at, x.created_at) < now() - x.inactive_days * interval '1 day'"
	" UNION ALL "
	"SELECT x.id, 'usage_decline', CASE WHEN x.decline >= x.decline_critical THEN 'critical' WHEN x.decline >= x.decline_high THEN 'high'"
	" ELSE 'medium' END, format('Calls fell by %s percent', round(x.decline)), NULL, x.score,"
	" jsonb_build_object('week', x.week, 'week_before', x.week_before), false"
	" FROM scored x WHERE x.decline >= x.decline_medium"
	" UNION ALL "
	"SELECT x.id, 'payment_issue', x.payment_alert, format('Subscription is %s', x.payment_status), NULL, x.score,"
	" jsonb_build_object('status', x.payment_status), false"
	" FROM scored x WHERE x.payment_alert IS NOT NULL),\n"
	"raised AS (INSERT INTO platform.churn_alerts AS a (organization_id, alert_type, severity, title, score_before, score_after, metadata, email_due)"
	" SELECT f.id, f.alert_type, f.severity, f.title, f.score_before, f.score_after, f.metadata, f.email_due FROM finding f CROSS JOIN s"
	" WHERE f.severity IS NOT NULL AND NOT EXISTS (SELECT 1 FROM platform.churn_alerts r"
	" WHERE r.organization_id = f.id AND r.alert_type = f.alert_type AND r.resolved AND NOT r.auto_resolved"
	" AND r.resolved_at > now() - s.repeat_days * interval '1 day')"
	" ON CONFLICT (organization_id, alert_type) WHERE NOT resolved DO UPDATE SET"
	" severity = CASE WHEN array_position('{low,medium,high,critical}'::text[], a.severity)"
	" < array_position('{low,medium,high,critical}'::text[], excluded.severity) THEN excluded.severity ELSE a.severity END,"
	" title = excluded.title, score_before = excluded.score_before, score_after = excluded.score_after, metadata = excluded.metadata,"
	" email_due = a.email_due OR excluded.email_due, email_sent = a.email_sent AND NOT excluded.email_due"
	" WHERE excluded.email_due OR array_position('{low,medium,high,critical}'::text[], a.severity)"
	" < array_position('{low,medium,high,critical}'::text[], excluded.severity)"
	" RETURNING a.xmax = 0 AS is_new),\n"
	"cleared AS (UPDATE platform.churn_alerts a SET resolved = true, resolved_at = now(), auto_resolved = true"
	" WHERE NOT a.resolved%s AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.id = a.organization_id AND f.alert_type = a.alert_type)"
	" RETURNING 1)\n"
	"SELECT (SELECT count(*) FROM scored), (SELECT count(*) FROM written),"
	" (SELECT count(*) FROM raised WHERE is_new), (SELECT count(*) FROM cleared), (SELECT count(*) FROM recorded)";

static PlatformQuery find_organization =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery contact_days =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT coalesce(pg_catalog.max(value), 7)::pg_catalog.float8 FROM platform.health_settings"
				   " WHERE name OPERATOR(pg_catalog.=) 'contact_days'");

static char *
calculation(bool single)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, rules);
	appendStringInfoString(&sql, single ? " AND o.id = $1)" : ")");
	platform_health_append_sources(&sql, single);
	appendStringInfoString(&sql, scoring);
	appendBinaryStringInfo(&sql, alerting, strstr(alerting, "NOT a.resolved%s") - alerting);
	appendStringInfoString(&sql, single ? "NOT a.resolved AND a.organization_id = $1" : "NOT a.resolved");
	appendStringInfoString(&sql, strstr(alerting, "NOT a.resolved%s") + strlen("NOT a.resolved%s"));
	return sql.data;
}

/*
 * Runs the statement as the owner. Its names are the built-in ones: the
 * caller's search_path is out of the way. It is large and runs once, so that
 * compiling it would cost more than it saves.
 */
static void
run_calculation(const pg_uuid_t *organization, Datum days)
{
	Oid			types[3] = {UUIDOID, FLOAT8OID, BOOLOID};
	Datum		values[3] = {UUIDPGetDatum(organization), days, BoolGetDatum(organization != NULL)};
	char		nulls[4] = {organization == NULL ? 'n' : ' ', ' ', ' ', '\0'};
	int			level = NewGUCNestLevel();
	PlatformUser saved;
	int			result;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	platform_become_owner(&saved);
	result = SPI_execute_with_args(calculation(organization != NULL), 3, types, values, nulls, false, 0);
	platform_restore_user(&saved);
	AtEOXact_GUC(true, level);
	if (result < 0)
		elog(ERROR, "calculation failed: %s", SPI_result_code_string(result));
}

/*
 * platform.calculate_health_scores(organization_id uuid DEFAULT NULL)
 *		returns (scored bigint, written bigint, alerts_raised bigint, alerts_resolved bigint)
 *
 * Scores all customers, or one, by the rules in health_thresholds,
 * health_payment_states and health_settings, from what health_sources() lists.
 * Customers are the organizations that are neither deleted, expired, cancelled
 * nor suspended, without the built-in default one. Rows that did not change are
 * written once a day (written counts the others); the history gets a row for a
 * day on which the score changed. Churn alerts are raised once a kind and
 * customer, become worse, and resolve themselves when their cause is gone.
 * Waits for a calculation that runs elsewhere. Operators only: 42501. PT404 for
 * an unknown organization, 55000 before install().
 */
Datum
platform_calculate_health_scores(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	TupleDesc	desc;
	Datum		id = UUIDPGetDatum(organization);
	Datum		days;
	Datum		values[4];
	bool		nulls[4] = {false};

	platform_require_operator("calculate health scores");
	platform_require_module(&platform_health_module);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	platform_mutex_lock(CALCULATION_MUTEX);

	platform_query_begin();
	if (organization != NULL && platform_query_run(&find_organization, &id, NULL) == 0)
		platform_no_such_organization(organization);
	(void) platform_query_run(&contact_days, NULL, NULL);
	days = platform_row_datum(0, 1, &nulls[0]);
	run_calculation(organization, days);
	for (int i = 0; i < 4; i++)
		values[i] = Int64GetDatum(platform_row_int64(0, i + 1));
	platform_query_end();
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
