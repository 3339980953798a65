/*
 * usage_report.c
 *	  What was used, and whether counters agree with their events.
 *
 * The report writes nothing, so it runs on a standby; reservations whose time
 * is over are subtracted, settled or not. Reconciliation compares, for each
 * counter, used = unkeyed + consumed by events + open reservations, in one
 * snapshot. A repair adds the difference, whatever was consumed meanwhile; one
 * session at a time repairs.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/identity.h"
#include "core/row.h"
#include "features/usage.h"

#define RECONCILE_MUTEX UINT64CONST(0x7265636f6e63696c)

PG_FUNCTION_INFO_V1(platform_feature_usage_report);
PG_FUNCTION_INFO_V1(platform_reconcile_feature_usage);

static PlatformQuery report =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT g.feature, u.used, u.day, u.overage, r.held, r.held_day, r.expired, r.expired_day"
				   " FROM platform.global_feature_flags AS g"
				   " LEFT JOIN LATERAL (SELECT pg_catalog.sum(used)::bigint AS used,"
				   " pg_catalog.sum(days[$3])::bigint AS day, pg_catalog.sum(overage)::bigint AS overage"
				   " FROM platform.feature_usage AS c"
				   " WHERE c.organization_id OPERATOR(pg_catalog.=) $1"
				   " AND c.feature OPERATOR(pg_catalog.=) g.feature"
				   " AND c.period_start OPERATOR(pg_catalog.=) $2) AS u ON true"
				   " LEFT JOIN LATERAL (SELECT"
				   " pg_catalog.sum(amount) FILTER (WHERE expires_at OPERATOR(pg_catalog.>) $4)::bigint AS held,"
				   " pg_catalog.sum(amount) FILTER (WHERE expires_at OPERATOR(pg_catalog.>) $4"
				   " AND h.day OPERATOR(pg_catalog.=) $3)::bigint AS held_day,"
				   " pg_catalog.sum(amount) FILTER (WHERE expires_at OPERATOR(pg_catalog.<=) $4)::bigint AS expired,"
				   " pg_catalog.sum(amount) FILTER (WHERE expires_at OPERATOR(pg_catalog.<=) $4"
				   " AND h.day OPERATOR(pg_catalog.=) $3)::bigint AS expired_day"
				   " FROM platform.feature_reservations AS h"
				   " WHERE h.organization_id OPERATOR(pg_catalog.=) $1"
				   " AND h.feature OPERATOR(pg_catalog.=) g.feature"
				   " AND h.period_start OPERATOR(pg_catalog.=) $2"
				   " AND h.status OPERATOR(pg_catalog.=) 'open') AS r ON true"
				   " ORDER BY g.feature COLLATE pg_catalog.\"C\"",
				   UUIDOID, TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID);

/*
 * Counters that disagree. days is the sum over the days.
 */
static PlatformQuery differences =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT organization_id, feature, period_start, pg_catalog.sum(used)::bigint,"
				   " pg_catalog.sum(expected)::bigint, pg_catalog.sum(reserved)::bigint,"
				   " pg_catalog.sum(held)::bigint, pg_catalog.sum(days)::bigint,"
				   " pg_catalog.max(day)::integer, pg_catalog.max(occurred_at)"
				   " FROM (SELECT organization_id, feature, period_start, used, unkeyed AS expected,"
				   " reserved, 0 AS held, (SELECT coalesce(pg_catalog.sum(d), 0)"
				   " FROM pg_catalog.unnest(days) AS d) AS days, 0 AS day, NULL::pg_catalog.timestamptz AS occurred_at"
				   " FROM platform.feature_usage"
				   " UNION ALL SELECT organization_id, feature, period_start, 0, consumed, 0, 0, 0, day, occurred_at"
				   " FROM platform.feature_usage_events"
				   " UNION ALL SELECT organization_id, feature, period_start, 0, amount, 0, amount, 0, day, created_at"
				   " FROM platform.feature_reservations"
				   " WHERE status OPERATOR(pg_catalog.=) 'open') AS parts"
				   " WHERE ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
				   " AND EXISTS (SELECT FROM platform.organizations AS o"
				   " WHERE o.id OPERATOR(pg_catalog.=) parts.organization_id)"
				   " GROUP BY organization_id, feature, period_start"
				   " HAVING pg_catalog.sum(used) OPERATOR(pg_catalog.<>) pg_catalog.sum(expected)"
				   " OR pg_catalog.sum(reserved) OPERATOR(pg_catalog.<>) pg_catalog.sum(held)"
				   " OR pg_catalog.sum(days) OPERATOR(pg_catalog.<>) pg_catalog.sum(expected)"
				   " ORDER BY organization_id, feature COLLATE pg_catalog.\"C\", period_start",
				   UUIDOID);

typedef struct ReportRow
{
	text	   *feature;
	int64		used[COUNTER_WINDOWS];
	int64		reserved[COUNTER_WINDOWS];
	int64		overage;
} ReportRow;

static ReportRow *
read_report(const pg_uuid_t *organization, const FeaturePeriod *period, uint64 *count)
{
	Datum		values[4];
	ReportRow  *rows;

	values[0] = UUIDPGetDatum(organization);
	values[1] = TimestampTzGetDatum(period->month_start);
	values[2] = Int32GetDatum(period->day);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_query_begin();
	*count = platform_query_run(&report, values, NULL);
	rows = SPI_palloc(Max(*count, 1) * sizeof(ReportRow));
	for (uint64 i = 0; i < *count; i++)
	{
		ReportRow  *row = &rows[i];
		bool		isnull;

		row->feature = DatumGetTextPP(platform_row_datum_copy(i, 1, &isnull));
		row->used[COUNTER_MONTH] = platform_row_int64_or(i, 2, 0) - platform_row_int64_or(i, 7, 0);
		row->used[COUNTER_DAY] = platform_row_int64_or(i, 3, 0) - platform_row_int64_or(i, 8, 0);
		row->overage = platform_row_int64_or(i, 4, 0);
		row->reserved[COUNTER_MONTH] = platform_row_int64_or(i, 5, 0);
		row->reserved[COUNTER_DAY] = platform_row_int64_or(i, 6, 0);
	}
	platform_query_end();
	return rows;
}

static const char *
window_state(int64 used, int64 limit, int soft_percent)
{
	if (limit < 0)
		return "under";
	if (used >= limit)
		return "hard";
	return used >= platform_counter_soft_limit(limit, soft_percent) ? "soft" : "under";
}

static void
put_report_row(ReturnSetInfo *result, const ReportRow *row, const FeatureTerms *terms,
			   const FeaturePeriod *period, int window)
{
	bool		month = window == COUNTER_MONTH;
	int64		limit = month ? terms->monthly_limit : terms->daily_limit;
	Datum		values[12];
	bool		nulls[12] = {false};

	values[0] = PointerGetDatum(row->feature);
	values[1] = CStringGetTextDatum(month ? "month" : "day");
	values[2] = TimestampTzGetDatum(month ? period->month_start : period->day_start);
	values[3] = TimestampTzGetDatum(month ? period->month_end : period->day_end);
	values[4] = Int64GetDatum(row->used[window]);
	values[5] = Int64GetDatum(limit);
	values[6] = Int64GetDatum(Max(limit - row->used[window], 0));
	nulls[5] = nulls[6] = limit < 0;
	values[7] = Int64GetDatum(row->reserved[window]);
	values[8] = Int64GetDatum(row->overage);
	nulls[8] = !month;
	values[9] = CStringGetTextDatum(window_state(row->used[window], limit, terms->soft_percent));
	values[10] = BoolGetDatum(terms->enabled);
	values[11] = CStringGetTextDatum(platform_feature_reason_name(terms->reason));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * platform.feature_usage_report(organization_id uuid)
 *		RETURNS TABLE (feature text, period text, period_start timestamptz,
 *					   period_end timestamptz, used bigint, usage_limit bigint,
 *					   remaining bigint, reserved bigint, overage bigint, state text,
 *					   enabled boolean, reason text)
 *
 * Two rows for each known feature, the current month and the current day in the
 * organization's local time. usage_limit and remaining are NULL without a
 * limit; overage is kept by the month only. Writes nothing. Members for their
 * own organization, operators for any. Errors: 42501; 22023 NULL.
 */
Datum
platform_feature_usage_report(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	FeatureTerms terms;
	FeaturePeriod period;
	ReportRow  *rows;
	uint64		count;

	platform_require_module(&platform_features_module);
	platform_require_organization(organization);
	InitMaterializedSRF(fcinfo, 0);

	/* The calendar is the organization's, the same for all features. */
	platform_feature_terms(organization, "", 0, &terms);
	platform_feature_period(terms.timezone, terms.anchor_day,
							GetCurrentTransactionStartTimestamp(), &period);
	rows = read_report(organization, &period, &count);
	for (uint64 i = 0; i < count; i++)
	{
		text	   *feature = rows[i].feature;

		platform_feature_terms(organization, VARDATA_ANY(feature),
							   VARSIZE_ANY_EXHDR(feature), &terms);
		put_report_row(result, &rows[i], &terms, &period, COUNTER_MONTH);
		put_report_row(result, &rows[i], &terms, &period, COUNTER_DAY);
	}
	return (Datum) 0;
}

typedef struct Difference
{
	pg_uuid_t	organization;
	Datum		feature;
	TimestampTz period_start;
	int64		used;
	int64		expected;
	int64		reserved;
	int64		held;
	int64		days;
	int			day;			/* of the last event or reservation, or 0 */
	TimestampTz occurred_at;	/* of the same */
} Difference;

/* Of one organization, or of all for NULL. */
static Difference *
find_differences(const pg_uuid_t *organization, uint64 *count)
{
	Datum		value = UUIDPGetDatum(organization);
	bool		null = organization == NULL;
	Difference *found;

	platform_query_begin();
	*count = platform_query_run(&differences, &value, &null);
	found = SPI_palloc(Max(*count, 1) * sizeof(Difference));
	for (uint64 i = 0; i < *count; i++)
	{
		Difference *row = &found[i];
		bool		isnull;

		row->organization = platform_row_uuid(i, 1);
		row->feature = platform_row_datum_copy(i, 2, &isnull);
		row->period_start = platform_row_timestamptz_or(i, 3, 0);
		row->used = platform_row_int64(i, 4);
		row->expected = platform_row_int64(i, 5);
		row->reserved = platform_row_int64(i, 6);
		row->held = platform_row_int64(i, 7);
		row->days = platform_row_int64(i, 8);
		row->day = platform_row_int32(i, 9);
		row->occurred_at = platform_row_timestamptz_or(i, 10, 0);
	}
	platform_query_end();
	return found;
}

/* Makes the counter's root anew when it was deleted. */
static void
ensure_root(const Difference *difference)
{
	Counter		counter;

	platform_counter_prepare(&counter, &difference->organization,
							 DatumGetTextPP(difference->feature), difference->occurred_at);
	counter.period.month_start = difference->period_start;
	platform_counter_ensure(&counter);
}

/*
 * Makes the counter agree with its events. The day gets what the month lacks:
 * that of the last event, for a day's share of unnamed usage is not known.
 */
static void
repair(const Difference *now)
{
	CounterChange change = {0};
	UsageEvent	event = {0};

	change.used = now->expected - now->used;
	change.reserved = now->held - now->reserved;
	change.day = Max(now->day, 1);
	change.day_only = now->expected - now->days - change.used;
	if (!platform_counter_adjust(&now->organization, now->feature, now->period_start, &change))
	{
		ensure_root(now);
		platform_counter_adjust(&now->organization, now->feature, now->period_start, &change);
	}

	event.organization = &now->organization;
	event.feature = now->feature;
	event.kind = "adjust";
	event.amount = change.used;
	event.period_start = now->period_start;
	event.day = change.day;
	event.occurred_at = GetCurrentTransactionStartTimestamp();
	event.reason = "counter reconciled with its events";
	platform_usage_record(&event);
}

/*
 * platform.reconcile_feature_usage(preview boolean DEFAULT true, for_organization_id uuid DEFAULT NULL)
 *		RETURNS TABLE (organization_id uuid, feature text, period_start timestamptz,
 *					   used bigint, expected bigint, difference bigint, fixed boolean)
 *
 * A row for each counter that differs from its events: used is what it
 * counts, expected what events, open reservations and usage without a key add
 * up to, difference is expected - used (0 when only its parts disagree).
 * preview = false repairs them; each repair is an event of kind adjust, no
 * event is changed. NULL preview is true; NULL for_organization_id is all that
 * exist.
 * Operators. Errors: 42501.
 */
Datum
platform_reconcile_feature_usage(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		preview = PG_ARGISNULL(0) || PG_GETARG_BOOL(0);
	Difference *found;
	uint64		count;

	platform_require_module(&platform_features_module);
	platform_require_operator("reconcile feature usage");
	InitMaterializedSRF(fcinfo, 0);

	if (!preview)
		platform_mutex_lock(RECONCILE_MUTEX);
	found = find_differences(PG_ARGISNULL(1) ? NULL : PG_GETARG_UUID_P(1), &count);
	for (uint64 i = 0; i < count; i++)
	{
		Difference *row = &found[i];
		Datum		values[7];
		bool		nulls[7] = {false};

		if (!preview)
			repair(row);
		values[0] = UUIDPGetDatum(&row->organization);
		values[1] = row->feature;
		values[2] = TimestampTzGetDatum(row->period_start);
		values[3] = Int64GetDatum(row->used);
		values[4] = Int64GetDatum(row->expected);
		values[5] = Int64GetDatum(row->expected - row->used);
		values[6] = BoolGetDatum(!preview);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
