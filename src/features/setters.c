/*
 * setters.c
 *	  SQL-callable writers of the flag tables.
 *
 * They write as the owner after checking the caller, so that the platform's
 * staff and organization administrators need no privilege on a table; the
 * triggers do the rest (validation, history, invalidation).  In all of them
 * NULL leaves a value as it is, or gives a new row its default, and -1 removes
 * a number.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "features/flags.h"
#include "features/history.h"

PG_FUNCTION_INFO_V1(platform_set_feature_flag);
PG_FUNCTION_INFO_V1(platform_clear_feature_flag);
PG_FUNCTION_INFO_V1(platform_set_global_feature_flag);
PG_FUNCTION_INFO_V1(platform_set_tier_feature);
PG_FUNCTION_INFO_V1(platform_clear_tier_feature);

/* A limit that is given: the number, or NULL for a negative one; else what was. */
#define NEW_LIMIT(argument, old) \
	"CASE WHEN " argument " IS NULL THEN " old \
	" WHEN " argument " OPERATOR(pg_catalog.>=) 0 THEN " argument " END"
#define NEW_TERMS(t, enabled, daily, monthly) \
	" enabled = COALESCE(" enabled ", " t ".enabled)," \
	" daily_limit = " NEW_LIMIT(daily, t ".daily_limit") "," \
	" monthly_limit = " NEW_LIMIT(monthly, t ".monthly_limit")
#define NEW_WINDOW(t, from, to) \
	" active_from = COALESCE(" from ", " t ".active_from)," \
	" active_to = COALESCE(" to ", " t ".active_to)"
#define NEW_ENFORCEMENT(t, percent, enforcement) \
	" soft_percent = COALESCE(" percent ", " t ".soft_percent)," \
	" enforcement = COALESCE(" enforcement ", " t ".enforcement)"

/* The reason stands in the row while it is off. */
#define NEW_REASON(t, enabled, reason) \
	" disabled_reason = CASE WHEN COALESCE(" enabled ", " t ".enabled) THEN NULL" \
	" ELSE COALESCE(" reason ", " t ".disabled_reason) END,"

/* $1 organization, $2 feature, $3 enabled, $4 reason, $5 daily, $6 monthly, $7 from, $8 to */
#define SET_FLAG(table, more_columns, more_values, more_set) \
	"INSERT INTO platform." table " AS f (organization_id, feature, enabled, disabled_reason," \
	" daily_limit, monthly_limit, active_from, active_to" more_columns ")" \
	" VALUES ($1, $2, COALESCE($3, true), CASE WHEN COALESCE($3, true) THEN NULL ELSE $4 END," \
	" " NEW_LIMIT("$5", "NULL") ", " NEW_LIMIT("$6", "NULL") ", $7, $8" more_values ")" \
	" ON CONFLICT (organization_id, feature) DO UPDATE SET" \
	NEW_REASON("f", "$3", "$4") NEW_TERMS("f", "$3", "$5", "$6") "," \
	NEW_WINDOW("f", "$7", "$8") more_set

static PlatformQuery set_platform_flag =
	PLATFORM_QUERY(QUERY_OWNER,
				   SET_FLAG("org_feature_flags", ", soft_percent, enforcement", ", $9, $10",
							"," NEW_ENFORCEMENT("f", "$9", "$10")),
				   UUIDOID, TEXTOID, BOOLOID, TEXTOID, INT8OID, INT8OID,
				   TIMESTAMPTZOID, TIMESTAMPTZOID, INT2OID, TEXTOID);

static PlatformQuery set_tenant_flag =
	PLATFORM_QUERY(QUERY_OWNER,
				   SET_FLAG("tenant_feature_flags", "", "", ""),
				   UUIDOID, TEXTOID, BOOLOID, TEXTOID, INT8OID, INT8OID,
				   TIMESTAMPTZOID, TIMESTAMPTZOID);

#define CLEAR_FLAG(table) \
	"DELETE FROM platform." table " WHERE organization_id OPERATOR(pg_catalog.=) $1" \
	" AND feature OPERATOR(pg_catalog.=) $2"

static PlatformQuery clear_platform_flag =
	PLATFORM_QUERY(QUERY_OWNER, CLEAR_FLAG("org_feature_flags"), UUIDOID, TEXTOID);

static PlatformQuery clear_tenant_flag =
	PLATFORM_QUERY(QUERY_OWNER, CLEAR_FLAG("tenant_feature_flags"), UUIDOID, TEXTOID);

/*
 * $1 feature, $2 enabled, $3 reason, $4 default_enabled, $5 rollout, $6 kind,
 * $7 description, $8 variants, $9 prerequisites, $10 from, $11 to
 */
static PlatformQuery set_global_flag =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.global_feature_flags AS f (feature, enabled, disabled_reason,"
				   " default_enabled, rollout, kind, description, variants, prerequisites,"
				   " active_from, active_to)"
				   " VALUES ($1, COALESCE($2, true), CASE WHEN COALESCE($2, true) THEN NULL ELSE $3 END,"
				   " COALESCE($4, true), " NEW_LIMIT("$5", "NULL") ", COALESCE($6, 'permission'), $7,"
				   " COALESCE($8, '[]'), COALESCE($9, '{}'), $10, $11)"
				   " ON CONFLICT (feature) DO UPDATE SET"
				   NEW_REASON("f", "$2", "$3")
				   " enabled = COALESCE($2, f.enabled),"
				   " default_enabled = COALESCE($4, f.default_enabled),"
				   " rollout = " NEW_LIMIT("$5", "f.rollout") ","
				   " kind = COALESCE($6, f.kind),"
				   " description = COALESCE($7, f.description),"
				   " variants = COALESCE($8, f.variants),"
				   " prerequisites = COALESCE($9, f.prerequisites),"
				   NEW_WINDOW("f", "$10", "$11"),
				   TEXTOID, BOOLOID, TEXTOID, BOOLOID, NUMERICOID, TEXTOID,
				   TEXTOID, JSONBOID, TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

/* $1 tier, $2 feature, $3 enabled, $4 daily, $5 monthly, $6 percent, $7 enforcement, $8 from, $9 to */
static PlatformQuery set_tier =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.tier_features AS f (tier, feature, enabled, daily_limit,"
				   " monthly_limit, soft_percent, enforcement, active_from, active_to)"
				   " VALUES ($1, $2, COALESCE($3, true), " NEW_LIMIT("$4", "NULL") ", "
				   NEW_LIMIT("$5", "NULL") ", COALESCE($6, 80), COALESCE($7, 'hard'), $8, $9)"
				   " ON CONFLICT (tier, feature) DO UPDATE SET"
				   NEW_TERMS("f", "$3", "$4", "$5") ","
				   NEW_ENFORCEMENT("f", "$6", "$7") ","
				   NEW_WINDOW("f", "$8", "$9"),
				   TEXTOID, TEXTOID, BOOLOID, INT8OID, INT8OID, INT2OID, TEXTOID,
				   TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery clear_tier =
	PLATFORM_QUERY(QUERY_OWNER,
				   "DELETE FROM platform.tier_features WHERE tier OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2",
				   TEXTOID, TEXTOID);

static void
require_arguments(FunctionCallInfo fcinfo, int count, const char *names)
{
	for (int i = 0; i < count; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names)));
}

static void
require_staff(const char *action)
{
	if (!platform_is_platform_staff())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action)));
}

/* PT404 unless the feature has a definition, open or not. */
static void
require_feature_exists(const FlagCache *cache, text *feature)
{
	if (platform_name_id(&cache->feature_names, VARDATA_ANY(feature),
						 VARSIZE_ANY_EXHDR(feature)) == FEATURE_UNKNOWN)
		platform_feature_not_found(text_to_cstring(feature));
}

static bool
has_platform_row(const FlagCache *cache, const pg_uuid_t *organization, text *feature)
{
	FlagKey		key = {.organization = *organization};
	const FlagEntry *entry;

	key.feature = platform_name_id(&cache->feature_names, VARDATA_ANY(feature),
								   VARSIZE_ANY_EXHDR(feature));
	entry = platform_flag_entry(cache, &key);
	return entry != NULL && entry->platform_row != 0;
}

/* Runs the query on the function's arguments; returns the number of rows. */
static uint64
run_setter(FunctionCallInfo fcinfo, PlatformQuery *query, int arguments,
		   int reason_argument)
{
	Datum		values[PLATFORM_QUERY_MAX_ARGS];
	bool		nulls[PLATFORM_QUERY_MAX_ARGS];
	uint64		rows;

	platform_copy_arguments(fcinfo, 0, arguments, values, nulls);
	platform_flag_change_begin(reason_argument < 0 || nulls[reason_argument] ? NULL :
							   TextDatumGetCString(values[reason_argument]));
	platform_query_begin();
	rows = platform_query_run(query, values, nulls);
	platform_query_end();
	platform_flag_change_end();
	return rows;
}

/*
 * Whose row a caller writes: true the platform's (operators and the
 * platform's staff), false the organization's own (its administrators).
 */
static bool
writes_platform_row(const pg_uuid_t *organization)
{
	if (platform_is_platform_staff())
		return true;
	platform_require_administrator(organization, "set feature flags");
	return false;
}

/*
 * platform.set_feature_flag(organization_id uuid, feature text,
 *		enabled boolean DEFAULT NULL, reason text DEFAULT NULL,
 *		daily_limit bigint DEFAULT NULL, monthly_limit bigint DEFAULT NULL,
 *		active_from timestamptz DEFAULT NULL, active_to timestamptz DEFAULT NULL,
 *		soft_percent smallint DEFAULT NULL, enforcement text DEFAULT NULL) returns void
 *
 * Operators and the platform's staff write org_feature_flags, what the platform
 * grants; an organization's administrators write tenant_feature_flags, which
 * only narrows it.  Errors: PT422 without enabled while org_feature_flags has no
 * row, PT404 for an unknown feature or organization, 42501 for anyone else and
 * for another organization, 22004 for NULL, 23514 for a value out of range.
 */
Datum
platform_set_feature_flag(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const FlagOrganization *found;
	FlagCache  *cache;
	bool		platform;

	require_arguments(fcinfo, 2, "organization_id and feature");
	organization = PG_GETARG_UUID_P(0);
	platform = writes_platform_row(organization);
	if (!platform && (!PG_ARGISNULL(8) || !PG_ARGISNULL(9)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set soft_percent or enforcement"),
				 errdetail("How a limit is enforced is the platform's to say.")));

	cache = platform_flag_cache(organization);
	require_feature_exists(cache, PG_GETARG_TEXT_PP(1));
	found = platform_flag_organization(cache, organization);
	if (found == NULL || found->missing)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("organization does not exist")));

	/* a row that only meant to carry a limit would switch the feature on */
	if (platform && PG_ARGISNULL(2) && !has_platform_row(cache, organization, PG_GETARG_TEXT_PP(1)))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("enabled must be given: the organization has no row for feature \"%s\" yet",
						text_to_cstring(PG_GETARG_TEXT_PP(1))),
				 errdetail("A row of an organization decides whether the feature is on.")));

	if (platform)
		run_setter(fcinfo, &set_platform_flag, 10, 3);
	else
		run_setter(fcinfo, &set_tenant_flag, 8, 3);
	PG_RETURN_VOID();
}

/*
 * platform.clear_feature_flag(organization_id uuid, feature text) returns boolean
 *
 * Removes the row that set_feature_flag() by the same caller writes; false when
 * there was none.  Errors: 42501, 22004.
 */
Datum
platform_clear_feature_flag(PG_FUNCTION_ARGS)
{
	bool		platform;

	require_arguments(fcinfo, 2, "organization_id and feature");
	platform_require_module(&platform_features_module);
	platform = writes_platform_row(PG_GETARG_UUID_P(0));
	PG_RETURN_BOOL(run_setter(fcinfo, platform ? &clear_platform_flag : &clear_tenant_flag,
							  2, -1) > 0);
}

/*
 * platform.set_global_feature_flag(feature text, enabled boolean DEFAULT NULL,
 *		reason text DEFAULT NULL, default_enabled boolean DEFAULT NULL,
 *		rollout numeric DEFAULT NULL, kind text DEFAULT NULL,
 *		description text DEFAULT NULL, variants jsonb DEFAULT NULL,
 *		prerequisites text[] DEFAULT NULL, active_from timestamptz DEFAULT NULL,
 *		active_to timestamptz DEFAULT NULL) returns void
 *
 * Defines a feature or changes its definition; enabled = false is the kill
 * switch.  rollout in percent.  Operators and the platform's staff.  Errors:
 * PT422 for variants or prerequisites that break a rule, 23514 for a value out
 * of range, 42501, 22004.
 */
Datum
platform_set_global_feature_flag(PG_FUNCTION_ARGS)
{
	require_arguments(fcinfo, 1, "feature");
	require_staff("define features");
	platform_require_module(&platform_features_module);
	run_setter(fcinfo, &set_global_flag, 11, 2);
	PG_RETURN_VOID();
}

/*
 * platform.set_tier_feature(tier text, feature text, enabled boolean DEFAULT NULL,
 *		daily_limit bigint DEFAULT NULL, monthly_limit bigint DEFAULT NULL,
 *		soft_percent smallint DEFAULT NULL, enforcement text DEFAULT NULL,
 *		active_from timestamptz DEFAULT NULL, active_to timestamptz DEFAULT NULL) returns void
 *
 * What a plan includes.  Operators and the platform's staff.  Errors: PT404 for
 * an unknown feature, 23514 for a value out of range, 42501, 22004.
 */
Datum
platform_set_tier_feature(PG_FUNCTION_ARGS)
{
	require_arguments(fcinfo, 2, "tier and feature");
	require_staff("change plans");
	require_feature_exists(platform_flag_cache(NULL), PG_GETARG_TEXT_PP(1));
	run_setter(fcinfo, &set_tier, 9, -1);
	PG_RETURN_VOID();
}

/*
 * platform.clear_tier_feature(tier text, feature text) returns boolean
 *
 * Removes a plan's row for a feature; false when there was none.  Operators and
 * the platform's staff.  Errors: 42501, 22004.
 */
Datum
platform_clear_tier_feature(PG_FUNCTION_ARGS)
{
	require_arguments(fcinfo, 2, "tier and feature");
	require_staff("change plans");
	platform_require_module(&platform_features_module);
	PG_RETURN_BOOL(run_setter(fcinfo, &clear_tier, 2, -1) > 0);
}
