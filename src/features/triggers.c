/*
 * triggers.c
 *	  Trigger functions of the flag tables, and the one for everybody's tables.
 *
 * Prerequisites are checked after the statement, which may have written both
 * halves of a cycle, with the latest snapshot, and after a lock that two writers
 * of prerequisites cannot hold together: each could add its half.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/touch.h"
#include "features/flags.h"
#include "features/history.h"

PG_FUNCTION_INFO_V1(platform_check_feature_definition);
PG_FUNCTION_INFO_V1(platform_check_feature_row);
PG_FUNCTION_INFO_V1(platform_check_prerequisites);
PG_FUNCTION_INFO_V1(platform_enforce_feature);

/* Columns that a BEFORE trigger sets, applied together. */
#define CHANGES_MAX 4

typedef struct RowChanges
{
	const TriggerData *trigger;
	HeapTuple	row;
	int			count;
	int			columns[CHANGES_MAX];
	Datum		values[CHANGES_MAX];
	bool		nulls[CHANGES_MAX];
} RowChanges;

static Datum
row_value(const RowChanges *changes, const char *column, bool *isnull)
{
	AttrNumber	attnum = platform_trigger_column(changes->trigger, column);

	return heap_getattr(changes->row, attnum,
						RelationGetDescr(changes->trigger->tg_relation), isnull);
}

static Datum
old_value(const RowChanges *changes, const char *column, bool *isnull)
{
	AttrNumber	attnum = platform_trigger_column(changes->trigger, column);

	return heap_getattr(changes->trigger->tg_trigtuple, attnum,
						RelationGetDescr(changes->trigger->tg_relation), isnull);
}

static void
set_value(RowChanges *changes, const char *column, Datum value, bool isnull)
{
	Assert(changes->count < CHANGES_MAX);
	changes->columns[changes->count] = platform_trigger_column(changes->trigger, column);
	changes->values[changes->count] = value;
	changes->nulls[changes->count++] = isnull;
}

static HeapTuple
apply_changes(RowChanges *changes)
{
	HeapTuple	row = changes->row;

	if (changes->count > 0)
		row = heap_modify_tuple_by_cols(row, RelationGetDescr(changes->trigger->tg_relation),
										changes->count, changes->columns, changes->values,
										changes->nulls);
	if (TRIGGER_FIRED_BY_UPDATE(changes->trigger->tg_event))
	{
		PlatformTouch touch;

		platform_touch_prepare(&touch, changes->trigger, "updated_at");
		row = platform_touch_row(&touch, changes->trigger, row);
	}
	return row;
}

/* Did the statement change the column? An INSERT changes all. */
static bool
column_changed(const RowChanges *changes, const char *column)
{
	AttrNumber	attnum = platform_trigger_column(changes->trigger, column);
	Form_pg_attribute attribute =
	TupleDescAttr(RelationGetDescr(changes->trigger->tg_relation), attnum - 1);
	bool		new_null;
	bool		old_null;
	Datum		new_datum;
	Datum		old_datum;

	if (TRIGGER_FIRED_BY_INSERT(changes->trigger->tg_event))
		return true;
	new_datum = row_value(changes, column, &new_null);
	old_datum = old_value(changes, column, &old_null);
	if (new_null || old_null)
		return new_null != old_null;
	return !datum_image_eq(new_datum, old_datum, attribute->attbyval, attribute->attlen);
}

/* One of them: what the statement gave, else what fits. */
static void
maintain_disabled_column(RowChanges *changes, const char *column, bool switched_off,
						 Datum otherwise)
{
	bool		isnull;

	(void) row_value(changes, column, &isnull);
	if (!isnull && column_changed(changes, column))
		return;
	if (switched_off)
		set_value(changes, column, otherwise, false);
	else
	{
		Datum		value = old_value(changes, column, &isnull);

		set_value(changes, column, value, isnull);
	}
}

/*
 * disabled_at and disabled_by say since when and by whom it is off; they and the
 * reason go when it is switched on.
 */
static void
maintain_disabled(RowChanges *changes)
{
	bool		isnull;
	bool		enabled = DatumGetBool(row_value(changes, "enabled", &isnull));

	if (isnull)
		return;
	if (enabled)
	{
		set_value(changes, "disabled_reason", (Datum) 0, true);
		set_value(changes, "disabled_at", (Datum) 0, true);
		set_value(changes, "disabled_by", (Datum) 0, true);
	}
	else
	{
		bool		switched_off = column_changed(changes, "enabled");

		maintain_disabled_column(changes, "disabled_at", switched_off,
								 TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
		maintain_disabled_column(changes, "disabled_by", switched_off,
								 CStringGetTextDatum(platform_flag_change_author()));
	}
}

static char *
feature_of(const RowChanges *changes)
{
	bool		isnull;
	Datum		value = row_value(changes, "feature", &isnull);

	/* the table's own NOT NULL speaks later */
	return isnull ? pstrdup("") : TextDatumGetCString(value);
}

static PlatformQuery find_missing_prerequisite =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT p FROM pg_catalog.unnest($1) p"
				   " WHERE p IS NULL OR NOT EXISTS (SELECT FROM platform.global_feature_flags g"
				   " WHERE g.feature OPERATOR(pg_catalog.=) p)"
				   " LIMIT 1",
				   TEXTARRAYOID);

/* UNION drops what was seen, so it ends even where there is a cycle already. */
static PlatformQuery find_cycle =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "WITH RECURSIVE needed (feature, depth) AS ("
				   " SELECT p, 1 FROM pg_catalog.unnest($2) p"
				   " UNION"
				   " SELECT p, n.depth OPERATOR(pg_catalog.+) 1 FROM needed n"
				   " JOIN platform.global_feature_flags g"
				   " ON g.feature OPERATOR(pg_catalog.=) n.feature"
				   " AND g.feature OPERATOR(pg_catalog.<>) $1"
				   " CROSS JOIN LATERAL pg_catalog.unnest(g.prerequisites) p"
				   " WHERE n.depth OPERATOR(pg_catalog.<=) $3)"
				   " SELECT pg_catalog.bool_or(feature OPERATOR(pg_catalog.=) $1),"
				   " pg_catalog.max(depth) FROM needed",
				   TEXTOID, TEXTARRAYOID, INT4OID);

static PlatformQuery find_dependent =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT feature FROM platform.global_feature_flags"
				   " WHERE prerequisites OPERATOR(pg_catalog.@>) ARRAY[$1]"
				   " AND feature OPERATOR(pg_catalog.<>) $1"
				   " ORDER BY feature LIMIT 1",
				   TEXTOID);

static PlatformQuery find_using_table =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "(SELECT 'tier_features' FROM platform.tier_features"
				   " WHERE feature OPERATOR(pg_catalog.=) $1 LIMIT 1)"
				   " UNION ALL (SELECT 'org_feature_flags' FROM platform.org_feature_flags"
				   " WHERE feature OPERATOR(pg_catalog.=) $1 LIMIT 1)"
				   " UNION ALL (SELECT 'tenant_feature_flags' FROM platform.tenant_feature_flags"
				   " WHERE feature OPERATOR(pg_catalog.=) $1 LIMIT 1)"
				   " UNION ALL (SELECT 'feature_credits' FROM platform.feature_credits"
				   " WHERE feature OPERATOR(pg_catalog.=) $1 LIMIT 1)",
				   TEXTOID);

static void
refuse_prerequisites(const char *feature, char *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("invalid prerequisites of feature \"%s\"", feature),
			 errdetail_internal("%s", rule)));
}

/* Prerequisites exist, and no chain of them leads back or is too long. */
static void
check_prerequisites(RowChanges *changes, const char *feature)
{
	bool		isnull;
	Datum		prerequisites = row_value(changes, "prerequisites", &isnull);
	Datum		values[3];

	if (isnull || ARR_NDIM(DatumGetArrayTypeP(prerequisites)) == 0)
		return;
	if (ARR_NDIM(DatumGetArrayTypeP(prerequisites)) != 1)
		refuse_prerequisites(feature, _("They are an array of one dimension."));

	LockRelationOid(RelationGetRelid(changes->trigger->tg_relation), ShareUpdateExclusiveLock);

	values[0] = prerequisites;
	platform_query_begin();
	if (platform_query_run(&find_missing_prerequisite, values, NULL) > 0)
	{
		char	   *missing = platform_row_cstring(0, 1);

		refuse_prerequisites(feature, missing == NULL ? _("A prerequisite is null.") :
							 psprintf(_("There is no feature \"%s\"."), missing));
	}
	values[0] = CStringGetTextDatum(feature);
	values[1] = prerequisites;
	values[2] = Int32GetDatum(FEATURE_PREREQUISITE_DEPTH);
	platform_query_run(&find_cycle, values, NULL);
	if (platform_row_bool(0, 1))
		refuse_prerequisites(feature, _("The feature would be a prerequisite of itself."));
	if (platform_row_int32(0, 2) > FEATURE_PREREQUISITE_DEPTH)
		refuse_prerequisites(feature, psprintf(_("A chain of prerequisites has at most %d features."),
											   FEATURE_PREREQUISITE_DEPTH));
	platform_query_end();
}

/* A feature that another one or a row needs cannot go, nor take another name. */
static void
check_not_needed(const RowChanges *changes)
{
	bool		isnull;
	Datum		feature = old_value(changes, "feature", &isnull);

	LockRelationOid(RelationGetRelid(changes->trigger->tg_relation), ShareUpdateExclusiveLock);
	platform_query_begin();
	if (platform_query_run(&find_dependent, &feature, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("feature \"%s\" is a prerequisite of feature \"%s\"",
						TextDatumGetCString(feature), platform_row_cstring(0, 1)),
				 errtable(changes->trigger->tg_relation)));
	if (platform_query_run(&find_using_table, &feature, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("feature \"%s\" is still named by rows of table \"%s\"",
						TextDatumGetCString(feature), platform_row_cstring(0, 1)),
				 errhint("Set enabled to false to switch it off for everybody."),
				 errtable(changes->trigger->tg_relation)));
	platform_query_end();
}

static void
check_variants(const RowChanges *changes, const char *feature)
{
	bool		isnull;
	Datum		variants = row_value(changes, "variants", &isnull);
	FeatureVariant *parsed;
	uint32		weight;

	if (!isnull)
		platform_feature_variants_parse(DatumGetJsonbP(variants), feature, &parsed, &weight);
}

/*
 * platform.check_feature_definition() returns trigger
 *
 * Keeps disabled_at, disabled_by, salt and updated_at of global_feature_flags.
 * Errors: PT422 for variants that break a rule, 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER global_feature_flags_check
 *			BEFORE INSERT OR UPDATE ON platform.global_feature_flags
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_feature_definition();
 */
Datum
platform_check_feature_definition(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_feature_definition",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE);
	RowChanges	changes = {.trigger = trigger, .row = platform_trigger_row(trigger)};
	bool		insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	bool		isnull;
	char	   *feature;

	feature = feature_of(&changes);
	if (column_changed(&changes, "variants"))
		check_variants(&changes, feature);

	maintain_disabled(&changes);
	(void) row_value(&changes, "salt", &isnull);
	if (isnull)
	{
		Datum		salt = insert ? (Datum) 0 : old_value(&changes, "salt", &isnull);

		set_value(&changes, "salt", isnull ? CStringGetTextDatum(feature) : salt, false);
	}
	return PointerGetDatum(apply_changes(&changes));
}

/*
 * platform.check_prerequisites() returns trigger
 *
 * After a statement changed global_feature_flags: prerequisites exist and do
 * not lead back; a feature that is gone, or has another name, is needed by none.
 * Errors: PT422 for a cycle, an unknown feature or a chain of more than 16;
 * 23503 for a feature that another one or a row names; 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER global_feature_flags_check_prerequisites
 *			AFTER INSERT OR UPDATE OR DELETE ON platform.global_feature_flags
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_prerequisites();
 */
Datum
platform_check_prerequisites(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_prerequisites",
												  GUARD_AFTER | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE | GUARD_DELETE);
	RowChanges	changes = {.trigger = trigger, .row = platform_trigger_row(trigger)};

	/* the queries are to see all that the statement wrote */
	CommandCounterIncrement();
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_not_needed(&changes);
	else
	{
		if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && column_changed(&changes, "feature"))
			check_not_needed(&changes);
		if (column_changed(&changes, "prerequisites"))
			check_prerequisites(&changes, feature_of(&changes));
	}
	return PointerGetDatum(NULL);
}

/* By the cache, which sees what is committed and this transaction's changes. */
static void
check_feature_exists(const RowChanges *changes)
{
	bool		isnull;
	char	   *feature = feature_of(changes);

	(void) row_value(changes, "feature", &isnull);
	if (!isnull && platform_name_id(&platform_flag_cache(NULL)->feature_names,
									feature, strlen(feature)) == FEATURE_UNKNOWN)
		platform_feature_not_found(feature);
}

/*
 * platform.check_feature_row() returns trigger
 *
 * Keeps disabled_at, disabled_by and updated_at of org_feature_flags and
 * tenant_feature_flags, and updated_at of tier_features.  Errors: PT404 for a
 * feature without a definition, 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER org_feature_flags_check
 *			BEFORE INSERT OR UPDATE ON platform.org_feature_flags
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();
 */
Datum
platform_check_feature_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_feature_row",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE);
	RowChanges	changes = {.trigger = trigger, .row = platform_trigger_row(trigger)};

	if (column_changed(&changes, "feature"))
		check_feature_exists(&changes);
	if (SPI_fnumber(RelationGetDescr(trigger->tg_relation), "disabled_at") > 0)
		maintain_disabled(&changes);
	return PointerGetDatum(apply_changes(&changes));
}

/* Does the column of enforce_feature() ask for the feature? */
static bool
column_asks(HeapTuple row, TupleDesc desc, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, desc, &isnull);

	if (isnull)
		return false;
	return TupleDescAttr(desc, attnum - 1)->atttypid != BOOLOID || DatumGetBool(value);
}

/*
 * Must the row have the feature? Without a column always; with one when it
 * asks, and on UPDATE when it did not before or the organization is another.
 */
static bool
row_needs_feature(const TriggerData *trigger, AttrNumber organization, AttrNumber column)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		new_null;
	bool		old_null;
	Datum		new_id;
	Datum		old_id;

	if (column == InvalidAttrNumber)
		return true;
	if (!column_asks(platform_trigger_row(trigger), desc, column))
		return false;
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		!column_asks(trigger->tg_trigtuple, desc, column))
		return true;
	new_id = heap_getattr(trigger->tg_newtuple, organization, desc, &new_null);
	old_id = heap_getattr(trigger->tg_trigtuple, organization, desc, &old_null);
	return new_null || old_null ||
		!platform_uuid_equal(DatumGetUUIDP(new_id), DatumGetUUIDP(old_id));
}

/*
 * platform.enforce_feature('feature' [, 'column']) returns trigger
 *
 * Refuses a row whose organization (column organization_id) does not have the
 * feature. With a column, only rows in which it is true (or, for another type
 * than boolean, not null); an UPDATE of a row that asked for the feature before
 * passes, so that a feature that is switched off stops what is new and lets
 * what runs be finished. Errors: PT403; 22023 without a feature, 42703 for a
 * missing column, 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER calls_enforce_recording BEFORE INSERT OR UPDATE ON calls
 *			FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording', 'recorded');
 */
Datum
platform_enforce_feature(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "enforce_feature",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	char	  **arguments = trigger->tg_trigger->tgargs;
	AttrNumber	organization = platform_trigger_column(trigger, "organization_id");
	AttrNumber	column = InvalidAttrNumber;
	bool		isnull;
	Datum		id;

	platform_trigger_arguments(trigger, "enforce_feature", 1, 2);
	if (TupleDescAttr(desc, organization - 1)->atttypid != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"organization_id\" of table \"%s\" must be of type uuid",
						RelationGetRelationName(trigger->tg_relation))));
	if (trigger->tg_trigger->tgnargs > 1)
		column = platform_trigger_column(trigger, arguments[1]);
	if (!row_needs_feature(trigger, organization, column))
		return PointerGetDatum(row);

	id = heap_getattr(row, organization, desc, &isnull);
	if (isnull || !platform_may_act_for(DatumGetUUIDP(id)) ||
		!platform_flag_check(DatumGetUUIDP(id), arguments[0], strlen(arguments[0])))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
				 errmsg("feature \"%s\" is not enabled for this organization", arguments[0]),
				 errdetail("Trigger \"%s\" of table \"%s\" requires it.",
						   trigger->tg_trigger->tgname,
						   RelationGetRelationName(trigger->tg_relation)),
				 errtable(trigger->tg_relation)));
	return PointerGetDatum(row);
}
