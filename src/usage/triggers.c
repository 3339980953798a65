/*
 * triggers.c
 *	  Triggers of tiers, their versions, and of limits that statements write.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/query.h"
#include "usage/limits.h"

PG_FUNCTION_INFO_V1(platform_record_tier_snapshot);
PG_FUNCTION_INFO_V1(platform_check_tier_snapshot);
PG_FUNCTION_INFO_V1(platform_keep_usage_limits);
PG_FUNCTION_INFO_V1(platform_record_usage_period);

/* The end of a version is the beginning of the next; none is shorter than nothing. */
static PlatformQuery close_snapshot =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.tier_snapshots"
				   " SET effective_until = GREATEST(effective_from, pg_catalog.clock_timestamp())"
				   " WHERE tier_id OPERATOR(pg_catalog.=) $1 AND effective_until IS NULL",
				   TEXTOID);

static PlatformQuery insert_snapshot =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.tier_snapshots (tier_id, tier_name, free_minutes, free_sms,"
				   " call_cap_seconds, sms_cap, grace_seconds, rollover_percent,"
				   " overage_rate_minutes, overage_rate_sms, monthly_price, effective_from)"
				   " SELECT t.tier, t.name,"
				   " LEAST(t.call_cap_seconds OPERATOR(pg_catalog./) 60, 2147483647)::integer,"
				   " LEAST(t.sms_cap, 2147483647)::integer, t.call_cap_seconds, t.sms_cap,"
				   " t.grace_seconds, t.rollover_percent, t.overage_rate_minutes,"
				   " t.overage_rate_sms, t.monthly_price,"
				   " COALESCE((SELECT pg_catalog.max(s.effective_until)"
				   " FROM platform.tier_snapshots AS s WHERE s.tier_id OPERATOR(pg_catalog.=) t.tier),"
				   " pg_catalog.clock_timestamp())"
				   " FROM platform.usage_tiers AS t WHERE t.tier OPERATOR(pg_catalog.=) $1",
				   TEXTOID);

static PlatformQuery insert_period =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_periods (id, organization_id, user_id, period_start,"
				   " period_end, tier, tier_snapshot_id, plan_status, call_cap_seconds, call_credit,"
				   " rollover_seconds, grace_seconds, sms_cap, sms_credit)"
				   " SELECT l.period_id, l.organization_id, l.user_id, l.period_start, l.period_end,"
				   " l.tier, l.tier_snapshot_id, l.plan_status, l.call_cap_seconds, l.call_credit,"
				   " l.rollover_seconds, l.grace_seconds, l.sms_cap, l.sms_credit"
				   " FROM platform.usage_limits AS l"
				   " WHERE l.organization_id OPERATOR(pg_catalog.=) $1"
				   " AND l.user_id OPERATOR(pg_catalog.=) $2"
				   " ON CONFLICT (id, organization_id) DO NOTHING",
				   UUIDOID, UUIDOID);

static Datum
column(const TriggerData *trigger, HeapTuple row, const char *name, bool *isnull)
{
	return heap_getattr(row, platform_trigger_column(trigger, name),
						RelationGetDescr(trigger->tg_relation), isnull);
}

/* Do the two versions of a row agree in that column? */
static bool
same_column(const TriggerData *trigger, const char *name)
{
	AttrNumber	attnum = platform_trigger_column(trigger, name);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(trigger->tg_relation), attnum - 1);
	bool		old_null;
	bool		new_null;
	Datum		old = column(trigger, trigger->tg_trigtuple, name, &old_null);
	Datum		new = column(trigger, trigger->tg_newtuple, name, &new_null);

	return old_null == new_null &&
		(old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen));
}

/* What a version consists of. */
static const char *const tier_terms[] = {
	"tier", "name", "call_cap_seconds", "sms_cap", "grace_seconds", "rollover_percent",
	"overage_rate_minutes", "overage_rate_sms", "monthly_price",
};

static bool
same_terms(const TriggerData *trigger)
{
	for (int i = 0; i < lengthof(tier_terms); i++)
		if (!same_column(trigger, tier_terms[i]))
			return false;
	return true;
}

/*
 * platform.record_tier_snapshot() returns trigger
 *
 * Writes a version of the tier when it is new or its terms change, and ends the
 * one before; of a tier that goes, ends the last. Errors: 39P01.
 *
 *		CREATE TRIGGER usage_tiers_record AFTER INSERT OR DELETE OR UPDATE ON usage_tiers
 *			FOR EACH ROW EXECUTE FUNCTION platform.record_tier_snapshot();
 */
Datum
platform_record_tier_snapshot(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "record_tier_snapshot",
												  GUARD_AFTER | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE | GUARD_DELETE);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		isnull;
	Datum		old = column(trigger, trigger->tg_trigtuple, "tier", &isnull);
	Datum		new = update ? column(trigger, trigger->tg_newtuple, "tier", &isnull) : old;

	if (update && same_terms(trigger))
		return PointerGetDatum(NULL);
	platform_query_begin();
	platform_query_run(&close_snapshot, &old, NULL);
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		platform_query_run(&insert_snapshot, &new, NULL);
	platform_query_end();
	return PointerGetDatum(NULL);
}

/*
 * platform.check_tier_snapshot() returns trigger
 *
 * A version never changes and never goes, for anybody: PT409. One that has no
 * end gets one, once. Errors: 39P01.
 *
 *		CREATE TRIGGER tier_snapshots_check BEFORE DELETE OR UPDATE ON tier_snapshots
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_tier_snapshot();
 */
Datum
platform_check_tier_snapshot(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_tier_snapshot",
												  GUARD_BEFORE | GUARD_ROW | GUARD_UPDATE |
												  GUARD_DELETE);
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		may_change = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		ended;

	if (may_change)
	{
		(void) column(trigger, trigger->tg_trigtuple, "effective_until", &ended);
		may_change = ended;		/* null: it has no end yet */
		for (int i = 0; may_change && i < tupdesc->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

			if (!attribute->attisdropped &&
				strcmp(NameStr(attribute->attname), "effective_until") != 0)
				may_change = same_column(trigger, NameStr(attribute->attname));
		}
	}
	if (!may_change)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("versions of tiers cannot be changed"),
				 errhint("Change the tier in usage_tiers: that makes a new version.")));
	return PointerGetDatum(trigger->tg_newtuple);
}

static int64
number(const TriggerData *trigger, HeapTuple row, const char *name)
{
	bool		isnull;

	return DatumGetInt64(column(trigger, row, name, &isnull));
}

static int
percent(const TriggerData *trigger, HeapTuple row, const char *name)
{
	bool		isnull;

	return DatumGetInt32(column(trigger, row, name, &isnull));
}

/*
 * platform.keep_usage_limits() returns trigger
 *
 * Whatever a statement writes, states and stops are what the numbers say, and
 * updated_at is kept. Errors: 39P01.
 *
 *		CREATE TRIGGER usage_limits_keep BEFORE INSERT OR UPDATE ON usage_limits
 *			FOR EACH ROW EXECUTE FUNCTION platform.keep_usage_limits();
 */
Datum
platform_keep_usage_limits(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"limit_state", "sms_limit_state", "hard_stop_active", "sms_hard_stop_active", "updated_at"
	};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "keep_usage_limits",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	UsageLimits limits = {0};
	int			attnums[lengthof(names)];
	Datum		values[lengthof(names)];
	bool		nulls[lengthof(names)] = {false};
	bool		isnull;
	Datum		action = column(trigger, row, "limit_action", &isnull);

	/* What is null is refused after the triggers. */
	if (isnull)
		return PointerGetDatum(row);
	limits.used[USAGE_CALL] = number(trigger, row, "call_used_seconds");
	limits.used[USAGE_SMS] = number(trigger, row, "sms_used");
	limits.cap[USAGE_CALL] = number(trigger, row, "call_cap_seconds");
	limits.cap[USAGE_SMS] = number(trigger, row, "sms_cap");
	limits.credit[USAGE_CALL] = number(trigger, row, "call_credit");
	limits.credit[USAGE_SMS] = number(trigger, row, "sms_credit");
	limits.rollover[USAGE_CALL] = number(trigger, row, "rollover_seconds");
	limits.grace[USAGE_CALL] = number(trigger, row, "grace_seconds");
	limits.soft_percent = percent(trigger, row, "soft_limit_threshold");
	limits.hard_percent = percent(trigger, row, "hard_limit_threshold");
	limits.blocks = strcmp(TextDatumGetCString(action), "block") == 0;
	platform_caps_evaluate(&limits);

	for (int i = 0; i < lengthof(names); i++)
		attnums[i] = platform_trigger_column(trigger, names[i]);
	values[0] = CStringGetTextDatum(platform_caps_state_name(limits.state[USAGE_CALL]));
	values[1] = CStringGetTextDatum(platform_caps_state_name(limits.state[USAGE_SMS]));
	values[2] = BoolGetDatum(limits.stopped[USAGE_CALL]);
	values[3] = BoolGetDatum(limits.stopped[USAGE_SMS]);
	values[4] = TimestampTzGetDatum(GetCurrentTimestamp());
	return PointerGetDatum(heap_modify_tuple_by_cols(row, RelationGetDescr(trigger->tg_relation),
													 lengthof(names), attnums, values, nulls));
}

/*
 * platform.record_usage_period() returns trigger
 *
 * The row of usage_periods of a new customer's first period. Errors: 39P01.
 *
 *		CREATE TRIGGER usage_limits_record AFTER INSERT ON usage_limits
 *			FOR EACH ROW EXECUTE FUNCTION platform.record_usage_period();
 */
Datum
platform_record_usage_period(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "record_usage_period",
												  GUARD_AFTER | GUARD_ROW | GUARD_INSERT);
	bool		isnull;
	Datum		values[2];

	values[0] = column(trigger, trigger->tg_trigtuple, "organization_id", &isnull);
	values[1] = column(trigger, trigger->tg_trigtuple, "user_id", &isnull);
	platform_query_begin();
	platform_query_run(&insert_period, values, NULL);
	platform_query_end();
	return PointerGetDatum(NULL);
}
