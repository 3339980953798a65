/*
 * history.c
 *	  What changed in the flag tables, and what was on at a moment.
 *
 * The trigger writes the row's old and new content as jsonb without its keys
 * and times, so that two contents compare equal when nothing was changed.  The
 * past is answered by the evaluator of the present, from a cache that is
 * filled with what the history says the tables contained.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/cache.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "features/flags.h"
#include "features/history.h"

PG_FUNCTION_INFO_V1(platform_record_flag_change);
PG_FUNCTION_INFO_V1(platform_feature_state_at);

#define CHANNEL "platform_feature_flags"

/* What a setter announces to the triggers of its query. */
static struct
{
	Oid			author;			/* InvalidOid: no setter runs */
	const char *reason;
}			change;

void
platform_flag_change_begin(const char *reason)
{
	change.author = GetUserId();
	change.reason = reason;
}

void
platform_flag_change_end(void)
{
	change.author = InvalidOid;
	change.reason = NULL;
}

/* The pointer to the reason dies with the query that failed. */
static void
change_at_xact_end(XactEvent event, void *arg)
{
	platform_flag_change_end();
}

static void
change_at_subxact_end(SubXactEvent event, SubTransactionId mySubid,
					  SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		platform_flag_change_end();
}

void
platform_flag_history_init(void)
{
	RegisterXactCallback(change_at_xact_end, NULL);
	RegisterSubXactCallback(change_at_subxact_end, NULL);
}

static char *
change_role(void)
{
	return GetUserNameFromId(OidIsValid(change.author) ? change.author : GetUserId(), false);
}

const char *
platform_flag_change_author(void)
{
	const char *subject = platform_current_subject();

	return subject != NULL ? subject : change_role();
}

/*
 * ---- recording ----
 *
 * The text says (a = b) IS NOT TRUE: the shorter IS DISTINCT FROM looks "=" up
 * along the caller's search_path, and this runs as the owner.
 */

/* Keys and times of a row, which are no content. */
#define CONTENT(row) \
	"pg_catalog.to_jsonb(" row ") OPERATOR(pg_catalog.-)" \
	" '{id,organization_id,created_at,updated_at}'::pg_catalog.text[]"

#define ORGANIZATION_CONTENT(row) \
	"(SELECT pg_catalog.jsonb_object_agg(key, value) FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(" row "))" \
	" WHERE key OPERATOR(pg_catalog.=) ANY ('{tier,status,timezone,billing_anchor_day,deleted_at}'))"

/* $1 old row, $2 new row, $3 organization, $4 table, $5 feature, $6 tier, $7 role, $8 subject, $9 reason */
#define RECORD_ARGUMENTS \
	RECORDOID, RECORDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID

static PlatformQuery record_flag =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.feature_flag_history"
				   " (organization_id, source, feature, old, new, changed_by, subject, reason)"
				   " SELECT $3, $4, $5, h.old, h.new, $7, $8, $9"
				   " FROM (SELECT " CONTENT("$1") " AS old, " CONTENT("$2") " AS new) h"
				   " WHERE (h.old OPERATOR(pg_catalog.=) h.new) IS NOT TRUE",
				   RECORD_ARGUMENTS);

static PlatformQuery record_organization =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.feature_flag_history"
				   " (organization_id, source, feature, old, new, changed_by, subject, reason)"
				   " SELECT $3, $4, NULL, h.old, h.new, $7, $8, $9"
				   " FROM (SELECT " ORGANIZATION_CONTENT("$1") " AS old, "
				   ORGANIZATION_CONTENT("$2") " AS new) h"
				   " WHERE (h.old OPERATOR(pg_catalog.=) h.new) IS NOT TRUE",
				   RECORD_ARGUMENTS);

static PlatformQuery record_global =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.global_feature_flag_history"
				   " (source, feature, tier, old, new, changed_by, subject, reason)"
				   " SELECT $4, $5, $6, h.old, h.new, $7, $8, $9"
				   " FROM (SELECT " CONTENT("$1") " AS old, " CONTENT("$2") " AS new) h"
				   " WHERE (h.old OPERATOR(pg_catalog.=) h.new) IS NOT TRUE",
				   RECORD_ARGUMENTS);

/* A column of a row, when its table has it. */
static void
row_argument(const TriggerData *trigger, HeapTuple row, const char *column,
			 Datum *value, bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			attnum = SPI_fnumber(desc, column);

	*isnull = true;
	*value = (Datum) 0;
	if (attnum > 0)
		*value = heap_getattr(row, attnum, desc, isnull);
}

static void
text_argument(const char *string, Datum *value, bool *isnull)
{
	*isnull = string == NULL;
	*value = string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

/* The setter's reason, else what the row says about why it is off. */
static void
reason_argument(const TriggerData *trigger, HeapTuple new, Datum *value, bool *isnull)
{
	if (OidIsValid(change.author))
		text_argument(change.reason, value, isnull);
	else if (new != NULL)
		row_argument(trigger, new, "disabled_reason", value, isnull);
	else
		text_argument(NULL, value, isnull);
}

/* One row of history: from old (NULL: it is new) to new (NULL: it is gone). */
static void
record(const TriggerData *trigger, HeapTuple old, HeapTuple new)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	const char *table = RelationGetRelationName(trigger->tg_relation);
	HeapTuple	key = new != NULL ? new : old;
	bool		organizations = strcmp(table, "organizations") == 0;
	Datum		values[9];
	bool		nulls[9] = {old == NULL, new == NULL};

	values[0] = old == NULL ? (Datum) 0 : heap_copy_tuple_as_datum(old, desc);
	values[1] = new == NULL ? (Datum) 0 : heap_copy_tuple_as_datum(new, desc);
	row_argument(trigger, key, organizations ? "id" : "organization_id", &values[2], &nulls[2]);
	text_argument(table, &values[3], &nulls[3]);
	row_argument(trigger, key, "feature", &values[4], &nulls[4]);
	row_argument(trigger, key, organizations ? "no tier" : "tier", &values[5], &nulls[5]);
	text_argument(change_role(), &values[6], &nulls[6]);
	text_argument(platform_current_subject(), &values[7], &nulls[7]);
	reason_argument(trigger, new, &values[8], &nulls[8]);

	platform_query_run(organizations ? &record_organization :
					   nulls[2] ? &record_global : &record_flag, values, nulls);
}

/* Are the columns that name a row the same in both? */
static bool
same_key(const TriggerData *trigger, HeapTuple old, HeapTuple new)
{
	static const char *const columns[] = {"organization_id", "feature", "tier"};
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (SPI_fnumber(desc, "feature") <= 0)
		return true;
	for (int i = 0; i < lengthof(columns); i++)
	{
		int			attnum = SPI_fnumber(desc, columns[i]);
		char	   *before;
		char	   *after;

		if (attnum <= 0)
			continue;
		before = SPI_getvalue(old, desc, attnum);
		after = SPI_getvalue(new, desc, attnum);
		if (before == NULL || after == NULL || strcmp(before, after) != 0)
			return false;
	}
	return true;
}

static bool
has_history(Relation relation)
{
	static const char *const tables[] = {"organizations", "global_feature_flags", "tier_features",
	"org_feature_flags", "tenant_feature_flags"};

	for (int i = 0; i < lengthof(tables); i++)
		if (strcmp(RelationGetRelationName(relation), tables[i]) == 0)
			return true;
	return false;
}

/* Tells listeners which feature, or which organization, changed. */
static void
announce(const TriggerData *trigger, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	char	   *organization = SPI_fnumber(desc, "organization_id") > 0 ?
		SPI_getvalue(row, desc, SPI_fnumber(desc, "organization_id")) : NULL;
	char	   *feature = SPI_fnumber(desc, "feature") > 0 ?
		SPI_getvalue(row, desc, SPI_fnumber(desc, "feature")) : NULL;

	if (feature == NULL)
		organization = SPI_getvalue(row, desc, SPI_fnumber(desc, "id"));
	Async_Notify(CHANNEL, psprintf("%s%s%s", feature ? feature : "",
								   organization ? ":" : "", organization ? organization : ""));
}

/*
 * platform.record_flag_change() returns trigger
 *
 * Makes every session forget what it remembers of flags, writes who changed
 * what into the history, and notifies the channel platform_feature_flags with
 * "feature", "feature:organization" or ":organization".  A row that replication
 * applies is only made known: its history is replicated as well.  Errors: 39P01
 * when fired otherwise.
 *
 *		CREATE TRIGGER org_feature_flags_record
 *			AFTER INSERT OR UPDATE OR DELETE ON platform.org_feature_flags
 *			FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
 *		ALTER TABLE platform.org_feature_flags
 *			ENABLE ALWAYS TRIGGER org_feature_flags_record;
 */
Datum
platform_record_flag_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "record_flag_change",
												  GUARD_AFTER | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE | GUARD_DELETE);
	HeapTuple	old = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? NULL : trigger->tg_trigtuple;
	HeapTuple	new = TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ? NULL :
		platform_trigger_row(trigger);

	if (!has_history(trigger->tg_relation))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" is not for table \"%s\"", "record_flag_change",
						RelationGetRelationName(trigger->tg_relation))));
	platform_cache_touch(trigger->tg_relation);
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return PointerGetDatum(NULL);

	platform_query_begin();
	if (old != NULL && new != NULL && !same_key(trigger, old, new))
	{
		record(trigger, old, NULL);
		record(trigger, NULL, new);
		announce(trigger, old);
	}
	else
		record(trigger, old, new);
	announce(trigger, new != NULL ? new : old);
	platform_query_end();
	return PointerGetDatum(NULL);
}

/* ---- looking back ---- */

/*
 * Of each key the content at $1: what the last change up to then left, or what
 * the first change after it found.  From a FROM that ends where conditions may
 * follow.
 */
#define STATES_AT(key, from) \
	"SELECT DISTINCT ON (" key ")" \
	" CASE WHEN changed_at OPERATOR(pg_catalog.<=) $1 THEN new ELSE old END AS state" \
	from \
	" ORDER BY " key ", changed_at OPERATOR(pg_catalog.<=) $1 DESC," \
	" CASE WHEN changed_at OPERATOR(pg_catalog.<=) $1 THEN changed_at END DESC," \
	" CASE WHEN changed_at OPERATOR(pg_catalog.<=) $1 THEN id END DESC, changed_at, id"

/*
 * The rows of a table at $1.  One without any history (adopted, or restored
 * without it) counts as it is now, from its creation on.
 */
#define TABLE_AT(table, key, history, conditions, current, same_row) \
	"(SELECT (pg_catalog.jsonb_populate_record(NULL::platform." table ", s.state)).*" \
	" FROM (" STATES_AT(key, " FROM platform." history \
						" WHERE source OPERATOR(pg_catalog.=) '" table "'" conditions) ") s" \
	" WHERE s.state IS NOT NULL" \
	" UNION ALL SELECT c.* FROM platform." table " c" \
	" WHERE c.created_at OPERATOR(pg_catalog.<=) $1" current \
	" AND NOT EXISTS (SELECT FROM platform." history " h" \
	" WHERE h.source OPERATOR(pg_catalog.=) '" table "'" same_row ")) t"

#define QUERY_PAST (QUERY_READ | QUERY_LATEST | QUERY_OWNER)

static PlatformQuery past_features =
	PLATFORM_QUERY(QUERY_PAST,
				   FEATURE_COLUMNS " FROM "
				   TABLE_AT("global_feature_flags", "feature", "global_feature_flag_history", "", "",
							" AND h.feature OPERATOR(pg_catalog.=) c.feature"),
				   TIMESTAMPTZOID);

static PlatformQuery past_tiers =
	PLATFORM_QUERY(QUERY_PAST,
				   TIER_COLUMNS " FROM "
				   TABLE_AT("tier_features", "feature, tier", "global_feature_flag_history", "", "",
							" AND h.feature OPERATOR(pg_catalog.=) c.feature"
							" AND h.tier OPERATOR(pg_catalog.=) c.tier"),
				   TIMESTAMPTZOID);

#define OF_ORGANIZATION " AND organization_id OPERATOR(pg_catalog.=) $2"

#define FLAGS_AT(table) \
	TABLE_AT(table, "feature", "feature_flag_history", OF_ORGANIZATION, \
			 " AND c.organization_id OPERATOR(pg_catalog.=) $2", \
			 " AND h.organization_id OPERATOR(pg_catalog.=) $2" \
			 " AND h.feature OPERATOR(pg_catalog.=) c.feature")

static PlatformQuery past_organization =
	PLATFORM_QUERY(QUERY_PAST,
				   "SELECT o.*, r.* FROM (" ORGANIZATION_COLUMNS " FROM "
				   TABLE_AT("organizations", "organization_id", "feature_flag_history",
							OF_ORGANIZATION, " AND c.id OPERATOR(pg_catalog.=) $2",
							" AND h.organization_id OPERATOR(pg_catalog.=) $2")
				   ") o LEFT JOIN ("
				   "SELECT 1, feature, enabled, daily_limit, monthly_limit, soft_percent,"
				   " enforcement, active_from, active_to FROM " FLAGS_AT("org_feature_flags")
				   " UNION ALL "
				   "SELECT 2, feature, enabled, daily_limit, monthly_limit, NULL,"
				   " NULL, active_from, active_to FROM " FLAGS_AT("tenant_feature_flags")
				   ") r ON true",
				   TIMESTAMPTZOID, UUIDOID);

/* A cache as it would have been at a moment, with one organization. */
static void
load_past(FlagCache *cache, const pg_uuid_t *organization, TimestampTz at)
{
	Datum		values[2] = {TimestampTzGetDatum(at), UUIDPGetDatum(organization)};

	platform_query_begin();
	platform_query_run(&past_features, values, NULL);
	platform_flag_read_features(cache);
	platform_query_run(&past_tiers, values, NULL);
	platform_flag_read_tiers(cache);
	platform_query_run(&past_organization, values, NULL);
	platform_flag_read_organization(cache, organization);
	platform_query_end();
}

/*
 * platform.feature_state_at(organization_id uuid, feature text, at timestamptz)
 *		returns (enabled boolean, reason text, layer text, detail jsonb)
 *
 * What explain_feature() would have answered at that moment, by the history of
 * the tables and the windows open then; what the setting platform.kill_switches
 * was is not known.  A change counts from when it was made, which is a little
 * before others could see it.  Operators, or the organization itself.  Errors:
 * 42501 for another organization, 22004 for NULL, 22023 for infinity.
 */
Datum
platform_feature_state_at(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	text	   *feature;
	FlagCache	past = {0};
	FlagSubject subject = {0};
	FeatureAnswer answer;
	Datum		values[4];
	bool		nulls[4];

	platform_feature_arguments(fcinfo, &organization, &feature);
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("at must not be null")));

	subject.organization = organization;
	subject.now = PG_GETARG_TIMESTAMPTZ(2);
	if (TIMESTAMP_NOT_FINITE(subject.now))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at must be a moment, not infinity")));
	platform_require_module(&platform_features_module);
	platform_flag_cache_reset(&past, CurrentMemoryContext);
	load_past(&past, organization, subject.now);
	platform_flag_evaluate(&past, &subject,
						   platform_name_id(&past.feature_names, VARDATA_ANY(feature),
											VARSIZE_ANY_EXHDR(feature)),
						   &answer);
	platform_feature_answer_values(&past, &subject, &answer, NULL, values, nulls);
	MemoryContextDelete(past.context);
	return platform_return_row(fcinfo, values, nulls);
}
