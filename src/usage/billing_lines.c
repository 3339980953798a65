/*
 * billing_lines.c
 *	  Bills from events.
 *
 * A bill is a function of a period's events, of what the period includes (cap +
 * rollover + credit) and of the prices that each event names. Calls use up what is
 * included in the order in which they ended; what is beyond, also the part of a
 * call, is overage. It is computed anew each time, and what was billed before is
 * subtracted: the same events give no new line, others an adjustment, be it of 0.
 *
 * Whoever records a late event, or changes what a closed period includes, updates
 * the period's row. Here that row is locked first and everything read after that, so
 * that rebill_at is taken off only of what was seen. Locks go from periods to
 * nothing else: line items refer to periods, not to limits, whose rows recorders
 * hold while they wait for a period.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/result.h"
#include "usage/billing.h"
#include "usage/usage.h"

PG_FUNCTION_INFO_V1(platform_generate_billing_line_items);
PG_FUNCTION_INFO_V1(platform_invoice_preview);

PlatformModule platform_billing_module = {"usage", 601, 0};


/* Those that others bill at this moment, or change, are left to the next time. */
static PlatformQuery lock_due =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id FROM platform.usage_periods"
				   " WHERE closed_at IS NOT NULL AND (billed_at IS NULL OR rebill_at IS NOT NULL)"
				   " AND ($2 IS NULL OR organization_id = $2)"
				   " ORDER BY period_end, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
				   INT8OID, UUIDOID);

static PlatformQuery lock_period =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, closed_at IS NOT NULL FROM platform.usage_periods"
				   " WHERE id = $1 AND ($2 IS NULL OR organization_id = $2) FOR NO KEY UPDATE",
				   UUIDOID, UUIDOID);

/* What periods include, of the present one as it is now. */
#define PERIODS(condition) \
	"period AS (SELECT p.id, p.organization_id, p.user_id, p.period_start, p.period_end," \
	" p.tier_snapshot_id, COALESCE(l.plan_status, p.plan_status) AS plan_status," \
	" COALESCE(l.call_cap_seconds + l.rollover_seconds + l.call_credit," \
	" p.call_cap_seconds + p.rollover_seconds + p.call_credit) AS seconds," \
	" COALESCE(l.sms_cap + l.sms_credit, p.sms_cap + p.sms_credit) AS segments" \
	" FROM platform.usage_periods p LEFT JOIN platform.usage_limits l" \
	" ON l.organization_id = p.organization_id AND l.user_id = p.user_id AND l.period_id = p.id" \
	" WHERE " condition ")"

/*
 * Calls, or messages, with the part of each that is beyond what is included.
 * What was taken back counts first, so that the parts add up to the whole.
 */
#define SPLIT(name, table, key, amount, included) \
	name "_running AS (SELECT u.*, sum(u.amount) OVER (PARTITION BY u.period_id" \
	" ORDER BY u.amount >= 0, u.first_at, u.key COLLATE \"C\", u.tier_snapshot_id) AS total" \
	" FROM (SELECT p.id AS period_id, p." included " AS included, e." key " AS key, e.tier_snapshot_id," \
	" sum(e." amount ")::bigint AS amount, sum(e.cost_cents)::bigint AS cost," \
	" min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at," \
	" array_agg(e.id ORDER BY e.sequence) AS ids, max(e.phone_number) AS phone_number" \
	" FROM period p JOIN platform." table " e ON e.period_id = p.id AND e.organization_id = p.organization_id" \
	" WHERE e.event_type <> 'adjustment' OR e." amount " <> 0" \
	" GROUP BY p.id, p." included ", e." key ", e.tier_snapshot_id) AS u)," \
	name "_split AS (SELECT r.*, greatest(0, least(r.amount, r.total - r.included))::bigint AS beyond" \
	" FROM " name "_running r)"

/* The two parts of each, with their shares of the provider's price. */
#define PARTS(name, included, overage) \
	"SELECT s.period_id, v.event_type, s.tier_snapshot_id, s.first_at, s.last_at, s.ids, s.phone_number," \
	" v.amount, v.cost FROM (SELECT n.*, CASE WHEN n.amount > 0" \
	" THEN round(n.cost::numeric * n.beyond / n.amount)::bigint ELSE 0 END AS cost_beyond" \
	" FROM " name "_split n) AS s CROSS JOIN LATERAL (VALUES" \
	" ('" included "', s.amount - s.beyond, s.cost - s.cost_beyond, s.beyond = 0 OR s.beyond < s.amount)," \
	" ('" overage "', s.beyond, s.cost_beyond, s.beyond > 0)) AS v (event_type, amount, cost, is_there)" \
	" WHERE v.is_there"

/* One line a period, event type and version of the tier. */
#define LINES \
	SPLIT("call", "call_events", "call_id", "seconds", "seconds") "," \
	SPLIT("sms", "sms_events", "message_id", "segments", "segments") "," \
	"part AS (" PARTS("call", "call", "overage_minutes") " UNION ALL " PARTS("sms", "sms", "overage_sms") ")," \
	"summed AS (SELECT t.period_id, t.event_type, t.tier_snapshot_id," \
	" sum(t.amount) FILTER (WHERE i.place = 1)::bigint AS quantity," \
	" sum(t.cost) FILTER (WHERE i.place = 1)::bigint AS cost," \
	" array_agg(i.id ORDER BY t.first_at, i.id) AS event_ids," \
	" min(t.first_at) AS first_at, max(t.last_at) AS last_at," \
	" CASE WHEN count(t.phone_number) = count(*) AND min(t.phone_number) = max(t.phone_number)" \
	" THEN min(t.phone_number) END AS phone_number" \
	" FROM part t CROSS JOIN LATERAL unnest(t.ids) WITH ORDINALITY AS i (id, place)" \
	" GROUP BY t.period_id, t.event_type, t.tier_snapshot_id)," \
	"line AS (SELECT m.*, r.unit_rate," \
	" CASE WHEN m.event_type LIKE '%sms' THEN m.quantity::numeric ELSE round(m.quantity / 60.0, 4) END AS units," \
	" CASE WHEN m.event_type LIKE '%sms' THEN round(m.quantity * r.unit_rate, 2)" \
	" ELSE round(m.quantity * r.unit_rate / 60, 2) END AS amount," \
	" round(m.cost / 100.0, 2) AS provider_cost" \
	" FROM summed m LEFT JOIN platform.tier_snapshots s ON s.id = m.tier_snapshot_id" \
	" CROSS JOIN LATERAL (SELECT COALESCE(CASE m.event_type WHEN 'overage_minutes' THEN s.overage_rate_minutes" \
	" WHEN 'overage_sms' THEN s.overage_rate_sms END, 0) AS unit_rate) AS r)"

/* A line that is no longer there is taken back: its row is all nulls but for the key. */
static PlatformQuery bill_periods =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "WITH " PERIODS("p.id = ANY ($1)") "," LINES ","
				   "billed AS (SELECT b.billing_period_id AS period_id, b.event_type, b.tier_snapshot_id,"
				   " max(b.unit_rate) AS unit_rate, sum(b.quantity)::bigint AS quantity,"
				   " sum(b.billed_units) AS units, sum(b.total_amount) AS amount,"
				   " sum(b.provider_cost) AS provider_cost"
				   " FROM platform.billing_line_items b"
				   " WHERE b.billing_period_id = ANY ($1) AND b.line_kind <> 'credit' GROUP BY 1, 2, 3),"
				   "latest AS (SELECT DISTINCT ON (b.billing_period_id, b.event_type, b.tier_snapshot_id)"
				   " b.billing_period_id AS period_id, b.event_type, b.tier_snapshot_id, b.event_ids"
				   " FROM platform.billing_line_items b"
				   " WHERE b.billing_period_id = ANY ($1) AND b.line_kind <> 'credit'"
				   " ORDER BY b.billing_period_id, b.event_type, b.tier_snapshot_id, b.revision DESC),"
				   "revision AS (SELECT b.billing_period_id AS period_id, max(b.revision) AS last"
				   " FROM platform.billing_line_items b WHERE b.billing_period_id = ANY ($1) GROUP BY 1),"
				   "difference AS (SELECT COALESCE(n.period_id, b.period_id) AS period_id,"
				   " COALESCE(n.event_type, b.event_type) AS event_type,"
				   " COALESCE(n.tier_snapshot_id, b.tier_snapshot_id) AS tier_snapshot_id,"
				   " COALESCE(n.unit_rate, b.unit_rate) AS unit_rate, n.phone_number,"
				   " COALESCE(n.event_ids, '{}') AS event_ids, n.first_at, n.last_at,"
				   " b.period_id IS NULL AS is_new,"
				   " COALESCE(n.event_ids, '{}') <> COALESCE(a.event_ids, '{}') AS has_other_events,"
				   " COALESCE(n.quantity, 0) - COALESCE(b.quantity, 0) AS quantity,"
				   " COALESCE(n.units, 0) - COALESCE(b.units, 0) AS units,"
				   " COALESCE(n.amount, 0) - COALESCE(b.amount, 0) AS amount,"
				   " COALESCE(n.provider_cost, 0) - COALESCE(b.provider_cost, 0) AS provider_cost"
				   " FROM line n FULL JOIN billed b ON b.period_id = n.period_id AND b.event_type = n.event_type"
				   " AND COALESCE(b.tier_snapshot_id::text, '') = COALESCE(n.tier_snapshot_id::text, '')"
				   " LEFT JOIN latest a ON a.period_id = b.period_id AND a.event_type = b.event_type"
				   " AND COALESCE(a.tier_snapshot_id::text, '') = COALESCE(b.tier_snapshot_id::text, '')),"
				   "written AS (INSERT INTO platform.billing_line_items (id, organization_id, billing_period_id,"
				   " user_id, phone_number, event_type, line_kind, revision, event_ids, event_range_start,"
				   " event_range_end, quantity, billed_units, unit_rate, total_amount, provider_cost, margin,"
				   " tier_snapshot_id)"
				   " SELECT platform.uuid7(), p.organization_id, p.id, p.user_id, d.phone_number, d.event_type,"
				   " CASE WHEN v.last IS NULL THEN 'usage' ELSE 'adjustment' END, COALESCE(v.last, 0) + 1,"
				   " d.event_ids, d.first_at, d.last_at, d.quantity, d.units, d.unit_rate, d.amount,"
				   " d.provider_cost, d.amount - d.provider_cost, d.tier_snapshot_id"
				   " FROM difference d JOIN period p ON p.id = d.period_id LEFT JOIN revision v ON v.period_id = p.id"
				   " WHERE d.is_new OR d.has_other_events OR d.quantity <> 0 OR d.amount <> 0"
				   " OR d.provider_cost <> 0"
				   " RETURNING line_kind, total_amount),"
				   "marked AS (UPDATE platform.usage_periods p SET billed_at = clock_timestamp(), rebill_at = NULL"
				   " WHERE p.id = ANY ($1) AND (p.billed_at IS NULL OR p.rebill_at IS NOT NULL))"
				   "SELECT count(*), count(*) FILTER (WHERE w.line_kind = 'adjustment'),"
				   " COALESCE(sum(w.total_amount), 0.00) FROM written w",
				   UUIDARRAYOID);

static PlatformQuery present_period =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT period_id FROM platform.usage_limits WHERE organization_id = $1 AND user_id = $2",
				   UUIDOID, UUIDOID);

static PlatformQuery find_period =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT 1 FROM platform.usage_periods"
				   " WHERE id = $3 AND organization_id = $1 AND user_id = $2",
				   UUIDOID, UUIDOID, UUIDOID);

static PlatformQuery preview_period =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "WITH " PERIODS("p.id = $1 AND p.organization_id = $2") "," LINES
				   "SELECT i.item, i.description, i.quantity, i.unit_rate, i.total_amount, i.tier_snapshot_id FROM ("
				   "SELECT 1 AS place, 'plan' AS item, s.tier_name AS description, 1::numeric AS quantity,"
				   " s.monthly_price AS unit_rate, s.monthly_price AS total_amount, s.id AS tier_snapshot_id"
				   " FROM period p JOIN platform.tier_snapshots s ON s.id = p.tier_snapshot_id"
				   " WHERE p.plan_status = 'active'"
				   " UNION ALL SELECT 2, 'add_on', f.feature, 1, f.monthly_price, f.monthly_price, NULL"
				   " FROM period p JOIN platform.user_premium_features f"
				   " ON f.organization_id = p.organization_id AND f.user_id = p.user_id"
				   " WHERE f.starts_at < p.period_end AND (f.ends_at IS NULL OR f.ends_at > p.period_start)"
				   " UNION ALL SELECT array_position('{call,sms,overage_minutes,overage_sms}'::text[], n.event_type) + 2,"
				   " n.event_type, s.tier_name, n.units, n.unit_rate, n.amount, n.tier_snapshot_id"
				   " FROM line n LEFT JOIN platform.tier_snapshots s ON s.id = n.tier_snapshot_id"
				   " UNION ALL SELECT 7, 'credit', b.event_type, b.billed_units, b.unit_rate, b.total_amount,"
				   " b.tier_snapshot_id FROM period p JOIN platform.billing_line_items b"
				   " ON b.billing_period_id = p.id AND b.organization_id = p.organization_id AND b.line_kind = 'credit'"
				   ") AS i ORDER BY i.place, i.description COLLATE \"C\", i.tier_snapshot_id",
				   UUIDOID, UUIDOID);

int
platform_billing_pin(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	return level;
}

void
platform_billing_unpin(int level)
{
	AtEOXact_GUC(true, level);
}

uint64
platform_billing_run(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	int			level = platform_billing_pin();
	uint64		count = platform_query_run(query, values, nulls);

	platform_billing_unpin(level);
	return count;
}

pg_noreturn static void
no_such_period(const pg_uuid_t *period)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("usage period %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(period))))));
}

/* The ids of the periods to bill, locked; within a query. */
static ArrayType *
lock_periods(FunctionCallInfo fcinfo, int64 limit, int *count)
{
	Datum		values[2];
	bool		nulls[2] = {false, PG_ARGISNULL(1)};
	Datum	   *ids;

	values[1] = nulls[1] ? (Datum) 0 : PG_GETARG_DATUM(1);
	if (PG_ARGISNULL(0))
	{
		values[0] = Int64GetDatum(limit);
		*count = (int) platform_billing_run(&lock_due, values, nulls);
	}
	else
	{
		values[0] = PG_GETARG_DATUM(0);
		*count = (int) platform_billing_run(&lock_period, values, nulls);
		if (*count == 0)
			no_such_period(PG_GETARG_UUID_P(0));
		if (!platform_row_bool(0, 2))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("usage period is not over"),
					 errhint("See platform.invoice_preview(); periods that are over are closed by platform.roll_usage_periods().")));
	}

	ids = palloc(Max(*count, 1) * sizeof(Datum));
	for (int i = 0; i < *count; i++)
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		*id = platform_row_uuid(i, 1);
		ids[i] = UUIDPGetDatum(id);
	}
	return construct_array(ids, *count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

/*
 * platform.generate_billing_line_items(period_id uuid DEFAULT NULL,
 *		organization_id uuid DEFAULT NULL, max_periods integer DEFAULT 1000)
 *		RETURNS (periods bigint, line_items bigint, adjustments bigint, total_amount numeric)
 *
 * Makes the line items of a closed period, or of at most max_periods that are due,
 * those that ended first before others: closed and never billed, or changed since
 * (rebill_at). organization_id: only its periods. A period that was billed gets
 * adjustments of what differs, none when nothing does. total_amount: the dollars
 * of the lines written. Two of these at once share the work; for one period the second
 * waits. Operators. Errors: 42501; 22004, 22023 max_periods; PT404 no such
 * period; PT409 it is not over; 25006.
 */
Datum
platform_generate_billing_line_items(PG_FUNCTION_ARGS)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false};
	ArrayType  *periods;
	Datum		argument;
	int64		limit;
	int			count;

	platform_require_operator("make bills");
	platform_require_module(&platform_billing_module);
	limit = platform_count_argument(fcinfo, 2, "max_periods", BILLING_MAX_COUNT);
	platform_query_begin();
	periods = lock_periods(fcinfo, limit, &count);
	argument = PointerGetDatum(periods);
	platform_billing_run(&bill_periods, &argument, NULL);
	values[0] = Int64GetDatum(count);
	values[1] = Int64GetDatum(platform_row_int64(0, 1));
	values[2] = Int64GetDatum(platform_row_int64(0, 2));
	values[3] = platform_row_datum_copy(0, 3, &nulls[3]);
	platform_query_end();
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.invoice_preview(organization_id uuid, user_id uuid, period_id uuid DEFAULT NULL)
 *		RETURNS TABLE (item text, description text, quantity numeric, unit_rate numeric,
 *					   total_amount numeric, tier_snapshot_id uuid)
 *
 * What a period, by default the present one, costs by what is known now, whether or
 * not it was billed: the plan and add-ons at their monthly prices, what was used
 * and is included (0 dollars), what is beyond, and credits of disputes. Minutes
 * or segments; dollars. Writes nothing. Members: themselves; administrators: their
 * organization. Errors: 42501; 22004; PT404 no such customer or period.
 */
Datum
platform_invoice_preview(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *user = platform_caps_uuid(fcinfo, 1, "user_id");
	Datum		values[3];
	pg_uuid_t	period;
	int			level;
	Datum		result;

	platform_require_module(&platform_billing_module);
	platform_caps_require_customer(organization, user);
	values[0] = UUIDPGetDatum(organization);
	values[1] = UUIDPGetDatum(user);
	platform_query_begin();
	if (PG_ARGISNULL(2))
	{
		if (platform_billing_run(&present_period, values, NULL) == 0)
			platform_caps_no_customer(user);
		period = platform_row_uuid(0, 1);
	}
	else
	{
		period = *PG_GETARG_UUID_P(2);
		values[2] = UUIDPGetDatum(&period);
		if (platform_billing_run(&find_period, values, NULL) == 0)
			no_such_period(&period);
	}
	platform_query_end();

	values[0] = UUIDPGetDatum(&period);
	values[1] = UUIDPGetDatum(organization);
	level = platform_billing_pin();
	result = platform_query_return_rows(fcinfo, &preview_period, values, NULL);
	platform_billing_unpin(level);
	return result;
}
