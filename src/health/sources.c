/*
 * sources.c
 *	  Where the numbers come from, by what is installed.
 *
 * An input has one or more sources, the best first: a query over a table that
 * some module makes. The first one whose table is there with the columns that
 * it reads is used, else the input is empty. So a score is made of what exists,
 * and of more as soon as more modules are installed.
 */
#include "core/platform.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "core/identity.h"
#include "health/health.h"

PG_FUNCTION_INFO_V1(platform_health_sources);

#define COLUMNS_MOST 4

typedef struct Source
{
	const char *input;
	const char *table;			/* NULL: none is there */
	const char *columns[COLUMNS_MOST];	/* that it needs; NULL after the last */
	const char *query;			/* %s: a condition on t */
} Source;

/* Grouped by input; each group ends with the empty source. */
static const Source sources[] = {
	{"limits", "usage_limits",
		{"organization_id", "call_used_seconds", "call_cap_seconds", "sms_cap"},
		"SELECT t.organization_id, sum(ceil(t.call_used_seconds / 60.0::float8)) AS used_minutes,"
		" sum(ceil(t.call_cap_seconds / 60.0::float8)) AS cap_minutes, sum(t.sms_cap)::float8 AS sms_cap"
	" FROM platform.usage_limits t WHERE true%s GROUP BY t.organization_id"},
	{"limits", NULL, {NULL},
	"SELECT NULL::uuid AS organization_id, 0::float8 AS used_minutes, 0::float8 AS cap_minutes, 0::float8 AS sms_cap WHERE false"},

#define CALLS_QUERY(table, at) \
	"SELECT t.organization_id, max(t." at ") AS last_at," \
	" count(*) FILTER (WHERE t." at " > $4) AS week," \
	" count(*) FILTER (WHERE t." at " <= $4) / 4.0::float8 AS week_before" \
	" FROM platform." table " t WHERE t." at " > $5 AND t." at " <= now()%s" \
	" GROUP BY t.organization_id"

	{"calls", "calls", {"organization_id", "created_at"}, CALLS_QUERY("calls", "created_at")},
	{"calls", "call_sessions", {"organization_id", "start_time"}, CALLS_QUERY("call_sessions", "start_time")},
	{"calls", NULL, {NULL},
	"SELECT NULL::uuid AS organization_id, NULL::timestamptz AS last_at, 0::bigint AS week, 0::float8 AS week_before WHERE false"},

#define CONTACTS_QUERY(table, at) \
	"SELECT t.organization_id, count(*) AS contacts FROM platform." table " t" \
	" WHERE t." at " > $2 AND t." at " <= now()%s GROUP BY t.organization_id"

	{"contacts", "leads", {"organization_id", "created_at"}, CONTACTS_QUERY("leads", "created_at")},
	{"contacts", "calls", {"organization_id", "created_at"}, CONTACTS_QUERY("calls", "created_at")},
	{"contacts", "call_sessions", {"organization_id", "start_time"}, CONTACTS_QUERY("call_sessions", "start_time")},
	{"contacts", NULL, {NULL}, "SELECT NULL::uuid AS organization_id, 0::bigint AS contacts WHERE false"},

	{"sessions", "active_sessions", {"organization_id", "last_active_at"},
		"SELECT t.organization_id, max(t.last_active_at) AS last_at FROM platform.active_sessions t"
	" WHERE t.last_active_at <= now()%s GROUP BY t.organization_id"},
	{"sessions", NULL, {NULL}, "SELECT NULL::uuid AS organization_id, NULL::timestamptz AS last_at WHERE false"},

	{"audit", "audit_logs", {"organization_id", "created_at", "actor"},
		"SELECT t.organization_id, max(t.created_at) AS last_at FROM platform.audit_logs t"
		" WHERE t.actor IS NOT NULL AND t.created_at > $5 AND t.created_at <= now()%s"
	" GROUP BY t.organization_id"},
	{"audit", NULL, {NULL}, "SELECT NULL::uuid AS organization_id, NULL::timestamptz AS last_at WHERE false"},

	{"agents", "agents", {"organization_id"},
	"SELECT t.organization_id, count(*) AS agents FROM platform.agents t WHERE true%s GROUP BY t.organization_id"},
	{"agents", "chatbots", {"organization_id", "deleted_at"},
		"SELECT t.organization_id, count(*) AS agents FROM platform.chatbots t WHERE t.deleted_at IS NULL%s"
	" GROUP BY t.organization_id"},
	{"agents", NULL, {NULL}, "SELECT NULL::uuid AS organization_id, 0::bigint AS agents WHERE false"},

	{"webhooks", "webhook_subscriptions", {"organization_id", "active"},
		"SELECT t.organization_id, count(*) AS webhooks FROM platform.webhook_subscriptions t WHERE t.active%s"
	" GROUP BY t.organization_id"},
	{"webhooks", NULL, {NULL}, "SELECT NULL::uuid AS organization_id, 0::bigint AS webhooks WHERE false"},

	{"profile", "profiles", {"organization_id", "cal_com_url", "cal_user_id", "user_personal_phone"},
		"SELECT t.organization_id,"
		" count(*) FILTER (WHERE t.cal_com_url IS NOT NULL OR t.cal_user_id IS NOT NULL) AS calendars,"
		" count(t.user_personal_phone) AS personal_phones"
	" FROM platform.profiles t WHERE true%s GROUP BY t.organization_id"},
	{"profile", NULL, {NULL},
	"SELECT NULL::uuid AS organization_id, 0::bigint AS calendars, 0::bigint AS personal_phones WHERE false"},

	/* Of several subscriptions the best counts. */
	{"payment", "subscriptions", {"organization_id", "status"},
		"SELECT t.organization_id, substr(min(CASE t.status WHEN 'active' THEN '1' WHEN 'trialing' THEN '2'"
		" WHEN 'past_due' THEN '3' WHEN 'canceled' THEN '5' ELSE '4' END || t.status), 2) AS status"
	" FROM platform.subscriptions t WHERE true%s GROUP BY t.organization_id"},
	/* Of a customer without any, the organization's own row tells: it is read anyway. */
	{"payment", "organizations", {"id", "plan_status", "stripe_subscription_id"},
	"SELECT NULL::uuid AS organization_id, NULL::text AS status WHERE false"},
};

static bool
is_there(const Source *source)
{
	Oid			relid;

	if (source->table == NULL)
		return true;
	relid = platform_relation_oid(source->table, true);
	if (!OidIsValid(relid))
		return false;
	for (int i = 0; i < COLUMNS_MOST && source->columns[i] != NULL; i++)
		if (get_attnum(relid, source->columns[i]) <= 0)
			return false;
	return true;
}

/* The number of the source that the input of sources[first] uses. */
static int
used_source(int first)
{
	while (!is_there(&sources[first]))
		first++;
	return first;
}

static bool
begins_input(int i)
{
	return i == 0 || strcmp(sources[i].input, sources[i - 1].input) != 0;
}

void
platform_health_append_sources(StringInfo sql, bool single)
{
	for (int i = 0; i < lengthof(sources); i++)
	{
		const Source *source;
		const char *condition;

		if (!begins_input(i))
			continue;
		source = &sources[used_source(i)];
		appendStringInfo(sql, ",\n%s AS (", source->input);
		condition = strstr(source->query, "%s");
		if (condition == NULL)
			appendStringInfoString(sql, source->query);
		else
		{
			appendBinaryStringInfo(sql, source->query, condition - source->query);
			if (single)
				appendStringInfoString(sql, " AND t.organization_id = $1");
			appendStringInfoString(sql, condition + 2);
		}
		appendStringInfoChar(sql, ')');
	}
}

/*
 * platform.health_sources() returns table (input text, table_name text, used boolean)
 *
 * What a score is made of: each input with the tables that it can be read from,
 * the best first, and which of them calculate_health_scores() uses here. An
 * input of which none is used counts as empty. Operators only: 42501.
 */
Datum
platform_health_sources(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			used = 0;

	platform_require_operator("list the sources of health scores");
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < lengthof(sources); i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		if (begins_input(i))
			used = used_source(i);
		if (sources[i].table == NULL)
			continue;
		values[0] = CStringGetTextDatum(sources[i].input);
		values[1] = CStringGetTextDatum(sources[i].table);
		values[2] = BoolGetDatum(i == used);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
