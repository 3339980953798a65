/*
 * premium.c
 *	  Add-ons: what a customer has beside its tier, and from when to when.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "usage/usage.h"

PG_FUNCTION_INFO_V1(platform_add_premium_feature);
PG_FUNCTION_INFO_V1(platform_end_premium_feature);
PG_FUNCTION_INFO_V1(platform_has_premium_feature);

static PlatformQuery find_feature =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT (SELECT 1 FROM platform.premium_features"
				   " WHERE feature OPERATOR(pg_catalog.=) $3 AND is_active) IS NOT NULL,"
				   " (SELECT 1 FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1) IS NOT NULL"
				   " AND (SELECT 1 FROM platform.users WHERE id OPERATOR(pg_catalog.=) $2) IS NOT NULL",
				   UUIDOID, UUIDOID, TEXTOID);

static PlatformQuery insert_feature =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.user_premium_features"
				   " (organization_id, user_id, feature, starts_at, ends_at, monthly_price)"
				   " SELECT $1, $2, p.feature, COALESCE($4, pg_catalog.clock_timestamp()), $5,"
				   " p.monthly_price FROM platform.premium_features AS p"
				   " WHERE p.feature OPERATOR(pg_catalog.=) $3"
				   " ON CONFLICT (organization_id, user_id, feature) WHERE ends_at IS NULL DO NOTHING",
				   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery end_feature =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.user_premium_features"
				   " SET ends_at = GREATEST(starts_at, COALESCE($4, pg_catalog.clock_timestamp()))"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND feature OPERATOR(pg_catalog.=) $3"
				   " AND ends_at IS NULL",
				   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID);

static PlatformQuery has_feature =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.user_premium_features"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND feature OPERATOR(pg_catalog.=) $3"
				   " AND starts_at OPERATOR(pg_catalog.<=) $4"
				   " AND (ends_at IS NULL OR ends_at OPERATOR(pg_catalog.>) $4) LIMIT 1",
				   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID);

static void
key_arguments(FunctionCallInfo fcinfo, Datum *values)
{
	values[0] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 0, "organization_id"));
	values[1] = UUIDPGetDatum(platform_caps_uuid(fcinfo, 1, "user_id"));
	values[2] = PointerGetDatum(platform_required_text(fcinfo, 2, "feature", 63));
}

/*
 * platform.add_premium_feature(organization_id uuid, user_id uuid, feature text,
 *		starts_at timestamptz DEFAULT NULL, ends_at timestamptz DEFAULT NULL) RETURNS boolean
 *
 * Gives an add-on of premium_features at its present price, from a moment (NULL:
 * now) until another (NULL: until it is ended). False when the customer has it,
 * without an end, already. Operators. Errors: 42501; 22004; 22023 ends before it starts;
 * PT404 no such add-on, organization or user; 25006.
 */
Datum
platform_add_premium_feature(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	bool		nulls[5] = {false, false, false, PG_ARGISNULL(3), PG_ARGISNULL(4)};
	bool		added;

	platform_require_operator("add a premium feature");
	platform_require_module(&platform_caps_module);
	key_arguments(fcinfo, values);
	values[3] = TimestampTzGetDatum(nulls[3] ? 0 : PG_GETARG_TIMESTAMPTZ(3));
	values[4] = TimestampTzGetDatum(nulls[4] ? 0 : PG_GETARG_TIMESTAMPTZ(4));
	if (!nulls[4] &&
		PG_GETARG_TIMESTAMPTZ(4) < (nulls[3] ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(3)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ends_at must not be before starts_at")));
	platform_query_begin();
	platform_query_run(&find_feature, values, NULL);
	if (!platform_row_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("premium feature \"%s\" does not exist", TextDatumGetCString(values[2]))));
	if (!platform_row_bool(0, 2))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("organization or user does not exist")));
	added = platform_query_run(&insert_feature, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(added);
}

/*
 * platform.end_premium_feature(organization_id uuid, user_id uuid, feature text,
 *		at timestamptz DEFAULT NULL) RETURNS boolean
 *
 * Ends an add-on at a moment (NULL: now); false when the customer has none without
 * an end. Operators. Errors: 42501, 22004, 25006.
 */
Datum
platform_end_premium_feature(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, PG_ARGISNULL(3)};
	bool		ended;

	platform_require_operator("end a premium feature");
	platform_require_module(&platform_caps_module);
	key_arguments(fcinfo, values);
	values[3] = TimestampTzGetDatum(nulls[3] ? 0 : PG_GETARG_TIMESTAMPTZ(3));
	platform_query_begin();
	ended = platform_query_run(&end_feature, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(ended);
}

/*
 * platform.has_premium_feature(organization_id uuid, user_id uuid, feature text,
 *		at timestamptz DEFAULT now()) RETURNS boolean
 *
 * Has the customer the add-on at that moment? Never NULL. Members: themselves;
 * administrators: their organization. Errors: 42501, 22004.
 */
Datum
platform_has_premium_feature(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		found;

	platform_require_module(&platform_caps_module);
	key_arguments(fcinfo, values);
	platform_caps_require_customer(DatumGetUUIDP(values[0]), DatumGetUUIDP(values[1]));
	values[3] = TimestampTzGetDatum(PG_ARGISNULL(3) ? GetCurrentTimestamp() :
									PG_GETARG_TIMESTAMPTZ(3));
	platform_query_begin();
	found = platform_query_run(&has_feature, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(found);
}
