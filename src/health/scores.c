/*
 * scores.c
 *	  Scores, grades and churn alerts: one statement over all customers.
 *
 * The statement reads each input once, joins them, scores by the rules in the
 * tables, and writes what changed: scores, history, alerts that are new or
 * worse, alerts whose cause is gone. Rows that stay as they are cost no write.
 *
 * OFFSET 0 keeps the planner from copying an expression into each of its uses:
 * points would be looked up a dozen times for each customer.
 *
 * Two calculations at once would lock rows in different orders, so the second
 * waits for the first one's transaction.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

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

/* Room for a line of each of 100,000 customers. */
#define WORK_MEMORY		"64MB"

/* The rules: settings and, for each signal, its thresholds and their points. */
#define SETTING(name) \
	" max(value) FILTER (WHERE name = '" name "') AS " name ","
#define SINCE(name, since) \
	" now() - max(value) FILTER (WHERE name = '" name "') * interval '1 day' AS " since ","
#define BANDS(signal) \
	" array_agg(threshold + CASE WHEN exclusive THEN 1e-9::float8 ELSE 0 END ORDER BY threshold)" \
	" FILTER (WHERE signal = '" signal "') AS " signal "_from," \
	" array_agg(points ORDER BY threshold) FILTER (WHERE signal = '" signal "') AS " signal "_points,"
#define POINTS(signal, value) \
	"coalesce(b." signal "_points[width_bucket(" value ", b." signal "_from)], 0)"

#define IDLE_DAYS(of) \
	"extract(epoch FROM now() - " of ".last_at)::float8 / 86400"

static const char *const rules =
	"WITH s AS (SELECT"
	SETTING("grade_a") SETTING("grade_b") SETTING("grade_c") SETTING("grade_d")
	SETTING("risk_low") SETTING("risk_medium") SETTING("risk_high")
	SETTING("drop_medium") SETTING("drop_high") SETTING("drop_critical")
	SETTING("email_below") SINCE("inactive_days", "inactive_since") SINCE("repeat_days", "repeat_since")
	SETTING("decline_calls") SETTING("decline_medium") SETTING("decline_high") SETTING("decline_critical")
	" now() - interval '1 day' AS yesterday FROM platform.health_settings),\n"
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
	"parts AS (SELECT r.*,"
	" LEAST(25, " POINTS("usage_percent", "r.percent") ") AS usage,"
	" LEAST(25, " POINTS("idle_days", IDLE_DAYS("r"))
	" + " POINTS("contacts", "r.contacts::float8") ") AS engagement,"
	" LEAST(25, " POINTS("agents", "r.agents::float8") " + " POINTS("webhooks", "r.webhooks::float8")
	" + " POINTS("calendars", "r.calendars::float8") " + " POINTS("sms_cap", "r.sms_cap")
	" + " POINTS("personal_phones", "r.personal_phones::float8") ") AS adoption,"
	" coalesce(r.payment_points, other.points, 0) AS payment,"
	" CASE WHEN r.payment_points IS NULL THEN other.alert_severity ELSE r.payment_severity END AS payment_alert"
	" FROM raw r CROSS JOIN b LEFT JOIN platform.health_payment_states other ON other.status = 'other' OFFSET 0),\n"
	"totals AS (SELECT p.*, p.usage + p.engagement + p.adoption + p.payment AS score FROM parts p OFFSET 0),\n"
	"scored AS MATERIALIZED (SELECT t.id, t.created_at, t.last_at, t.old_score, t.score, t.usage, t.engagement, t.adoption, t.payment,"
	" t.used_minutes, t.cap_minutes, t.percent, t.sms_cap, t.contacts, t.agents, t.webhooks, t.calendars, t.personal_phones,"
	" t.week, t.week_before, t.payment_status, t.payment_alert,"
	" GREATEST(t.score, t.old_baseline) AS baseline, GREATEST(t.score, t.old_baseline) - t.score AS fall,"
	" CASE WHEN t.week_before >= s.decline_calls THEN 100 * (1 - t.week / t.week_before) ELSE 0 END AS decline,"
	" t.old_score >= s.email_below AND t.score < s.email_below AS crosses,"
	" coalesce(t.last_at, t.created_at) < s.inactive_since AS idle,"
	" $3 OR t.old_score IS NULL OR t.last_calculated < s.yesterday OR t.old_baseline < t.score"
	" OR t.old_usage <> t.usage OR t.old_engagement <> t.engagement OR t.old_adoption <> t.adoption"
	" OR t.old_payment <> t.payment AS is_changed"
	" FROM totals t CROSS JOIN s),\n"
	"changed AS MATERIALIZED (SELECT x.*, x.old_score IS DISTINCT FROM x.score AS new_score,"
	" CASE WHEN x.score >= s.grade_a THEN 'A' WHEN x.score >= s.grade_b THEN 'B' WHEN x.score >= s.grade_c THEN 'C'"
	" WHEN x.score >= s.grade_d THEN 'D' ELSE 'F' END AS grade,"
	" CASE WHEN x.score >= s.risk_low THEN 'low' WHEN x.score >= s.risk_medium THEN 'medium'"
	" WHEN x.score >= s.risk_high THEN 'high' ELSE 'critical' END AS risk,"
	" jsonb_build_object("
	"'usage', jsonb_build_object('points', x.usage, 'percent', round(x.percent::numeric, 1), 'used_minutes', x.used_minutes, 'cap_minutes', x.cap_minutes),"
	" 'engagement', jsonb_build_object('points', x.engagement, 'idle_days', floor(" IDLE_DAYS("x") "), 'contacts', x.contacts),"
	" 'adoption', jsonb_build_object('points', x.adoption, 'agents', x.agents, 'webhooks', x.webhooks, 'calendars', x.calendars,"
	" 'sms_cap', coalesce(x.sms_cap, 0), 'personal_phones', x.personal_phones),"
	" 'payment', jsonb_build_object('points', x.payment, 'status', x.payment_status),"
	" 'calls', jsonb_build_object('week', x.week, 'week_before', x.week_before)) AS factors"
	" FROM scored x CROSS JOIN s WHERE x.is_changed),\n"
	"written AS (INSERT INTO platform.customer_health_scores AS h (organization_id, score, grade, risk_level,"
	" usage_score, engagement_score, feature_adoption_score, payment_score, baseline_score, last_activity_at, factors)"
	" SELECT c.id, c.score, c.grade, c.risk, c.usage, c.engagement, c.adoption, c.payment, c.baseline, c.last_at, c.factors"
	" FROM changed c"
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

#define WORSE(a, b) \
	"array_position('{low,medium,high,critical}'::text[], " a ")" \
	" < array_position('{low,medium,high,critical}'::text[], " b ")"

#define FINDING(type, severity, condition) \
	"SELECT '" type "' AS alert_type, " severity " AS severity, x.id, x.score, x.baseline, x.fall, x.crosses, x.decline," \
	" x.week, x.week_before, x.payment_status, x.last_at FROM scored x CROSS JOIN s WHERE " condition

/*
 * A finding without a severity is too small for an alert and too large for the
 * end of one.
 */
static const char *const alerting =
	"finding AS MATERIALIZED ("
	FINDING("score_drop", "CASE WHEN x.fall >= s.drop_critical THEN 'critical' WHEN x.fall >= s.drop_high THEN 'high'"
			" WHEN x.fall >= s.drop_medium THEN 'medium' WHEN x.crosses THEN 'low' END",
			"2 * x.fall >= s.drop_medium OR x.crosses")
	" UNION ALL "
	FINDING("inactivity", "'medium'", "x.idle")
	" UNION ALL "
	FINDING("usage_decline", "CASE WHEN x.decline >= s.decline_critical THEN 'critical'"
			" WHEN x.decline >= s.decline_high THEN 'high' ELSE 'medium' END",
			"x.decline >= s.decline_medium")
	" UNION ALL "
	FINDING("payment_issue", "x.payment_alert", "x.payment_alert IS NOT NULL")
	"),\n"
	/* Those that are news: no alert of the kind is open, or one that is less severe. */
	"news AS (SELECT f.*, f.alert_type = 'score_drop' AS is_drop, coalesce(f.crosses AND f.alert_type = 'score_drop', false) AS email_due"
	" FROM finding f CROSS JOIN s"
	" LEFT JOIN platform.churn_alerts o ON o.organization_id = f.id AND o.alert_type = f.alert_type AND NOT o.resolved"
	" WHERE f.severity IS NOT NULL AND (o.id IS NULL OR (f.crosses AND f.alert_type = 'score_drop') OR " WORSE("o.severity", "f.severity") ")"
	" AND NOT EXISTS (SELECT 1 FROM platform.churn_alerts r"
	" WHERE r.organization_id = f.id AND r.alert_type = f.alert_type AND r.resolved AND NOT r.auto_resolved"
	" AND r.resolved_at > s.repeat_since)),\n"
	"raised AS (INSERT INTO platform.churn_alerts AS a (organization_id, alert_type, severity, title, score_before, score_after, metadata, email_due)"
	" SELECT n.id, n.alert_type, n.severity, CASE n.alert_type"
	" WHEN 'score_drop' THEN format('Score fell from %s to %s', n.baseline, n.score)"
	" WHEN 'usage_decline' THEN format('Calls fell by %s percent', round(n.decline))"
	" WHEN 'payment_issue' THEN format('Subscription is %s', n.payment_status)"
	" ELSE coalesce('Not active for ' || floor(" IDLE_DAYS("n") ") || ' days', 'Never active') END,"
	" CASE WHEN n.is_drop THEN n.baseline END, n.score,"
	" CASE n.alert_type WHEN 'score_drop' THEN jsonb_build_object('fall', n.fall)"
	" WHEN 'usage_decline' THEN jsonb_build_object('week', n.week, 'week_before', n.week_before)"
	" WHEN 'payment_issue' THEN jsonb_build_object('status', n.payment_status)"
	" ELSE jsonb_build_object('last_activity_at', n.last_at) END, n.email_due FROM news n"
	" ON CONFLICT (organization_id, alert_type) WHERE NOT resolved DO UPDATE SET"
	" severity = CASE WHEN " WORSE("a.severity", "excluded.severity") " THEN excluded.severity ELSE a.severity END,"
	" title = excluded.title, score_before = excluded.score_before, score_after = excluded.score_after, metadata = excluded.metadata,"
	" email_due = a.email_due OR excluded.email_due, email_sent = a.email_sent AND NOT excluded.email_due"
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

static PlatformQuery contacts_since =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.now() OPERATOR(pg_catalog.-) (coalesce(pg_catalog.max(value), 7)"
				   " OPERATOR(pg_catalog.*) '1 day'::pg_catalog.interval) FROM platform.health_settings"
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
run_calculation(const pg_uuid_t *organization, Datum contacts_since)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Oid			types[5] = {UUIDOID, TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[5] = {
		UUIDPGetDatum(organization), contacts_since, BoolGetDatum(organization != NULL),
		TimestampTzGetDatum(now - 7 * USECS_PER_DAY), TimestampTzGetDatum(now - 35 * USECS_PER_DAY),
	};
	char		nulls[6] = {organization == NULL ? 'n' : ' ', ' ', ' ', ' ', ' ', '\0'};
	int			level = NewGUCNestLevel();
	PlatformUser saved;
	int			result;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("work_mem", WORK_MEMORY, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	platform_become_owner(&saved);
	result = SPI_execute_with_args(calculation(organization != NULL), 5, types, values, nulls, false, 0);
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
	Datum		since;
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
	(void) platform_query_run(&contacts_since, NULL, NULL);
	since = platform_row_datum(0, 1, &nulls[0]);
	run_calculation(organization, since);
	for (int i = 0; i < 4; i++)
		values[i] = Int64GetDatum(platform_row_int64(0, i + 1));
	platform_query_end();
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
