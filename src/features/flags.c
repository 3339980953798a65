/*
 * flags.c
 *	  SQL-callable checks and lists of feature flags.
 *
 * A caller may ask about its own organization, an operator about any.  The
 * check that policies use answers false for another organization; everything
 * else raises 42501.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/tuplestore.h"

#include "core/error.h"
#include "core/gate.h"
#include "core/identity.h"
#include "core/query.h"
#include "features/counter.h"
#include "features/flags.h"
#include "features/history.h"

PG_FUNCTION_INFO_V1(platform_is_feature_enabled);
PG_FUNCTION_INFO_V1(platform_require_feature);
PG_FUNCTION_INFO_V1(platform_explain_feature);
PG_FUNCTION_INFO_V1(platform_feature_variant);
PG_FUNCTION_INFO_V1(platform_organization_features);
PG_FUNCTION_INFO_V1(platform_organizations_with_feature);

#define FETCH_BATCH 1000

PlatformModule platform_features_module = {.name = "features", .version = 20};

void
platform_features_init(void)
{
	platform_flag_cache_init();
	platform_counter_init();
	platform_flag_history_init();
	platform_feature_gate = platform_flag_check;
}

static uint16
feature_id(const FlagCache *cache, text *feature)
{
	return platform_name_id(&cache->feature_names, VARDATA_ANY(feature),
							VARSIZE_ANY_EXHDR(feature));
}

/* The answer for a targeting key, or NULL: the organization's own. */
static FlagCache *
answer_for(const pg_uuid_t *organization, text *feature, text *key,
		   FlagSubject *subject, FeatureAnswer *answer)
{
	FlagCache  *cache = platform_flag_cache(organization);

	*subject = (FlagSubject)
	{
		.organization = organization,
			.key = key ? VARDATA_ANY(key) : NULL,
			.key_length = key ? VARSIZE_ANY_EXHDR(key) : 0,
			.now = GetCurrentTimestamp(),
	};
	platform_flag_evaluate(cache, subject, feature_id(cache, feature), answer);
	return cache;
}

static pg_noinline bool
flag_check_key(const pg_uuid_t *organization, text *feature, text *key)
{
	FlagSubject subject;
	FeatureAnswer answer;

	answer_for(organization, feature, key, &subject, &answer);
	return answer.enabled;
}

/*
 * platform.is_feature_enabled(organization_id uuid, feature text,
 *							   targeting_key text DEFAULT NULL) returns boolean
 *
 * Never NULL and never an error for what a caller may pass: NULL, unknown
 * feature, missing organization and an organization that is not the caller's
 * are all false, so that it can stand in a policy and tells nobody anything
 * about others.  Sees what is committed now in every isolation level.
 */
Datum
platform_is_feature_enabled(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	text	   *feature;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	organization = PG_GETARG_UUID_P(0);
	feature = (text *) PG_GETARG_POINTER(1);
	if (unlikely(VARATT_IS_COMPRESSED(feature) || VARATT_IS_EXTERNAL(feature)))
		feature = PG_GETARG_TEXT_PP(1);
	if (!platform_is_operator() && !platform_may_act_for(organization))
		PG_RETURN_BOOL(false);
	if (PG_ARGISNULL(2))
		PG_RETURN_BOOL(platform_flag_check(organization, VARDATA_ANY(feature),
										   VARSIZE_ANY_EXHDR(feature)));
	PG_RETURN_BOOL(flag_check_key(organization, feature, PG_GETARG_TEXT_PP(2)));
}

/*
 * The first two arguments of a function that raises instead: 22004 for NULL,
 * 42501 for an organization that the caller may not act for.
 */
void
platform_feature_arguments(FunctionCallInfo fcinfo, const pg_uuid_t **organization,
						   text **feature)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("organization_id and feature must not be null")));
	*organization = PG_GETARG_UUID_P(0);
	*feature = PG_GETARG_TEXT_PP(1);
	platform_require_organization(*organization);
}

/*
 * platform.require_feature(organization_id uuid, feature text,
 *							targeting_key text DEFAULT NULL) returns void
 *
 * Errors: PT403 when the feature is off, with the reason in DETAIL; PT404 for an
 * unknown feature; 42501 for another organization; 22004 for NULL.
 */
Datum
platform_require_feature(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	text	   *feature;
	FlagSubject subject;
	FeatureAnswer answer;

	platform_feature_arguments(fcinfo, &organization, &feature);
	if (PG_ARGISNULL(2) && platform_flag_check(organization, VARDATA_ANY(feature),
											   VARSIZE_ANY_EXHDR(feature)))
		PG_RETURN_VOID();
	answer_for(organization, feature, PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2),
			   &subject, &answer);
	if (answer.enabled)
		PG_RETURN_VOID();
	if (answer.reason == FEATURE_FLAG_NOT_FOUND)
		platform_feature_not_found(text_to_cstring(feature));
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
			 errmsg("feature \"%s\" is not enabled for this organization",
					text_to_cstring(feature)),
			 errdetail("Reason: %s (%s).", platform_feature_reason_name(answer.reason),
					   platform_feature_layer_name(answer.layer))));
}

/* PT404; a name of a megabyte is not repeated. */
void
platform_feature_not_found(const char *feature)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("feature \"%.*s\" does not exist",
					pg_mbcliplen(feature, strlen(feature), FEATURE_NAME_MAX), feature)));
}

/* ---- explanations ---- */

/* The reason's kind in OpenFeature's terms. */
static const char *
reason_kind(FeatureReason reason)
{
	switch (reason)
	{
		case FEATURE_FLAG_NOT_FOUND:
			return "ERROR";
		case FEATURE_KILLED:
		case FEATURE_ORG_INACTIVE:
			return "DISABLED";
		case FEATURE_SPLIT:
			return "SPLIT";
		case FEATURE_DEFAULT:
			return "DEFAULT";
		default:
			return "TARGETING_MATCH";
	}
}

static void
add_string(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", key);
	escape_json(json, value);
}

static void
add_timestamp(StringInfo json, const char *key, TimestampTz value)
{
	if (!TIMESTAMP_NOT_FINITE(value))
		add_string(json, key, DatumGetCString(DirectFunctionCall1(timestamptz_out,
																  TimestampTzGetDatum(value))));
}

/* What stands behind the answer, as far as its reason has something to say. */
static Datum
answer_detail(const FlagCache *cache, const FlagSubject *subject, const FeatureAnswer *answer,
			  const char *disabled_reason)
{
	const FlagOrganization *organization = platform_flag_organization(cache, subject->organization);
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"kind\": \"%s\"", reason_kind(answer->reason));
	if (disabled_reason != NULL)
		add_string(&json, "disabled_reason", disabled_reason);
	if (answer->reason == FEATURE_PLAN && organization != NULL)
		add_string(&json, "tier", cache->tier_names.names[organization->tier]);
	if (answer->bucket >= 0)
		appendStringInfo(&json, ", \"bucket\": %d", answer->bucket);
	if (answer->reason == FEATURE_ORG_INACTIVE)
		appendStringInfo(&json, ", \"exists\": %s",
						 organization != NULL && !organization->missing ? "true" : "false");
	if (answer->prerequisite_known)
	{
		if (answer->prerequisite != FEATURE_UNKNOWN)
			add_string(&json, "prerequisite", cache->feature_names.names[answer->prerequisite]);
		add_string(&json, "prerequisite_reason",
				   platform_feature_reason_name(answer->prerequisite_reason));
		if (answer->prerequisite_cycle)
			appendStringInfoString(&json, ", \"cycle\": true");
	}
	if (answer->row != NULL)
	{
		add_timestamp(&json, "active_from", answer->row->active_from);
		add_timestamp(&json, "active_to", answer->row->active_to);
	}
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/* enabled, reason, layer, detail */
void
platform_feature_answer_values(const FlagCache *cache, const FlagSubject *subject,
							   const FeatureAnswer *answer, const char *disabled_reason,
							   Datum *values, bool *nulls)
{
	const char *layer = platform_feature_layer_name(answer->layer);

	values[0] = BoolGetDatum(answer->enabled);
	values[1] = CStringGetTextDatum(platform_feature_reason_name(answer->reason));
	values[2] = layer ? CStringGetTextDatum(layer) : (Datum) 0;
	values[3] = answer_detail(cache, subject, answer, disabled_reason);
	nulls[0] = nulls[1] = nulls[3] = false;
	nulls[2] = layer == NULL;
}

static PlatformQuery reason_of_global =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT disabled_reason FROM platform.global_feature_flags"
				   " WHERE feature OPERATOR(pg_catalog.=) $1",
				   TEXTOID, UUIDOID);

static PlatformQuery reason_of_platform =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT disabled_reason FROM platform.org_feature_flags"
				   " WHERE feature OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   TEXTOID, UUIDOID);

static PlatformQuery reason_of_tenant =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT disabled_reason FROM platform.tenant_feature_flags"
				   " WHERE feature OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   TEXTOID, UUIDOID);

/* What the row that switched it off gives as its reason; not cached. */
static char *
read_disabled_reason(const FlagSubject *subject, text *feature, const FeatureAnswer *answer)
{
	Datum		values[2] = {PointerGetDatum(feature), UUIDPGetDatum(subject->organization)};
	PlatformQuery *query = NULL;
	char	   *reason = NULL;

	if (answer->enabled)
		return NULL;
	if (answer->layer == LAYER_GLOBAL_ROW)
		query = &reason_of_global;
	else if (answer->layer == LAYER_PLATFORM_ROW)
		query = &reason_of_platform;
	else if (answer->layer == LAYER_TENANT_ROW)
		query = &reason_of_tenant;
	if (query == NULL)
		return NULL;

	platform_query_begin();
	if (platform_query_run(query, values, NULL) > 0)
		reason = platform_row_cstring(0, 1);
	platform_query_end();
	return reason;
}

/* The variant of an enabled feature; NULL when there is none. */
static const FeatureVariant *
variant_of(const FlagCache *cache, text *feature, const FlagSubject *subject,
		   const FeatureAnswer *answer)
{
	uint16		id = feature_id(cache, feature);

	if (!answer->enabled || id == FEATURE_UNKNOWN)
		return NULL;
	return platform_flag_variant(&cache->features[id], subject);
}

static TupleDesc
result_row(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

/*
 * platform.explain_feature(organization_id uuid, feature text,
 *							targeting_key text DEFAULT NULL)
 *		returns (enabled boolean, reason text, layer text, variant text, detail jsonb)
 *
 * The answer of is_feature_enabled() with the layer that decided and why; an
 * unknown feature is FLAG_NOT_FOUND.  Errors: 42501 for another organization,
 * 22004 for NULL.
 */
Datum
platform_explain_feature(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	text	   *feature;
	FlagCache  *cache;
	FlagSubject subject;
	FeatureAnswer answer;
	const FeatureVariant *variant;
	TupleDesc	desc = result_row(fcinfo);
	Datum		values[5];
	bool		nulls[5];

	platform_feature_arguments(fcinfo, &organization, &feature);
	cache = answer_for(organization, feature, PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2),
					   &subject, &answer);
	variant = variant_of(cache, feature, &subject, &answer);
	platform_feature_answer_values(cache, &subject, &answer,
								   read_disabled_reason(&subject, feature, &answer),
								   values, nulls);
	values[4] = values[3];
	nulls[4] = nulls[3];
	values[3] = variant ? CStringGetTextDatum(variant->name) : (Datum) 0;
	nulls[3] = variant == NULL;
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/*
 * platform.feature_variant(organization_id uuid, feature text,
 *							targeting_key text DEFAULT NULL)
 *		returns (variant text, payload jsonb)
 *
 * The variant that falls to the key, the same as long as names and weights
 * stay.  Both NULL when the feature is off, unknown, without variants, or of an
 * organization that is not the caller's, and for NULL: usable in policies.
 */
Datum
platform_feature_variant(PG_FUNCTION_ARGS)
{
	const FeatureVariant *variant = NULL;
	FlagSubject subject;
	FeatureAnswer answer;
	TupleDesc	desc = result_row(fcinfo);
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) && platform_may_act_for(PG_GETARG_UUID_P(0)))
	{
		text	   *feature = PG_GETARG_TEXT_PP(1);
		FlagCache  *cache = answer_for(PG_GETARG_UUID_P(0), feature,
									   PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2),
									   &subject, &answer);

		variant = variant_of(cache, feature, &subject, &answer);
	}
	if (variant != NULL)
	{
		values[0] = CStringGetTextDatum(variant->name);
		nulls[0] = false;
		values[1] = JsonbPGetDatum(variant->payload);
		nulls[1] = variant->payload == NULL;
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* ---- lists ---- */

static void
limit_value(int64 limit, Datum *value, bool *isnull)
{
	*isnull = limit == FEATURE_LIMIT_NONE;
	*value = Int64GetDatum(limit);
}

/*
 * platform.organization_features(organization_id uuid)
 *		returns setof (feature text, enabled boolean, reason text, layer text,
 *					   variant text, daily_limit bigint, monthly_limit bigint)
 *
 * Every feature for one organization, as of one moment.  A limit is the
 * effective one, NULL when there is none.  Errors: 42501 for another
 * organization, 22004 for NULL.
 */
Datum
platform_organization_features(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	FlagSubject subject = {0};
	FlagCache  *cache;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("organization_id must not be null")));
	subject.organization = PG_GETARG_UUID_P(0);
	platform_require_organization(subject.organization);
	InitMaterializedSRF(fcinfo, 0);

	cache = platform_flag_cache(subject.organization);
	subject.now = GetCurrentTimestamp();
	for (int id = 0; id < cache->feature_names.count; id++)
	{
		const FeatureVariant *variant = NULL;
		const char *layer;
		FeatureAnswer answer;
		FeatureTerms terms;
		Datum		values[7];
		bool		nulls[7] = {false};

		platform_flag_evaluate(cache, &subject, id, &answer);
		if (answer.reason == FEATURE_FLAG_NOT_FOUND)
			continue;
		if (answer.enabled)
			variant = platform_flag_variant(&cache->features[id], &subject);
		platform_flag_limits(cache, subject.organization, id, subject.now, &terms);
		layer = platform_feature_layer_name(answer.layer);

		values[0] = CStringGetTextDatum(cache->feature_names.names[id]);
		values[1] = BoolGetDatum(answer.enabled);
		values[2] = CStringGetTextDatum(platform_feature_reason_name(answer.reason));
		values[3] = CStringGetTextDatum(layer);
		nulls[4] = variant == NULL;
		values[4] = variant ? CStringGetTextDatum(variant->name) : (Datum) 0;
		limit_value(terms.daily_limit, &values[5], &nulls[5]);
		limit_value(terms.monthly_limit, &values[6], &nulls[6]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

typedef struct EnabledSearch
{
	FlagCache  *cache;
	uint16		feature;
	TimestampTz now;
	ReturnSetInfo *result;
} EnabledSearch;

static void
put_organization(ReturnSetInfo *result, const pg_uuid_t *organization)
{
	Datum		value = UUIDPGetDatum(organization);
	bool		isnull = false;

	tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
}

static void
search_organization(const FlagOrganization *organization, void *arg)
{
	EnabledSearch *search = arg;
	FlagSubject subject = {.organization = &organization->id, .now = search->now};
	FeatureAnswer answer;

	if (organization->missing || !organization->active)
		return;
	platform_flag_evaluate(search->cache, &subject, search->feature, &answer);
	if (answer.enabled)
		put_organization(search->result, &organization->id);
}

static PlatformQuery list_organizations =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id FROM platform.organizations");

/* For an installation that does not fit into the cache: one after the other. */
static void
search_in_batches(text *feature, ReturnSetInfo *result)
{
	Portal		portal;
	uint64		fetched;

	platform_query_begin();
	portal = platform_query_cursor(&list_organizations, NULL, NULL);
	do
	{
		SPITupleTable *table;

		SPI_cursor_fetch(portal, true, FETCH_BATCH);
		fetched = SPI_processed;
		table = SPI_tuptable;
		for (uint64 row = 0; row < fetched; row++)
		{
			bool		isnull;
			pg_uuid_t  *id = DatumGetUUIDP(SPI_getbinval(table->vals[row], table->tupdesc,
														 1, &isnull));

			if (platform_flag_check(id, VARDATA_ANY(feature), VARSIZE_ANY_EXHDR(feature)))
				put_organization(result, id);
		}
		SPI_freetuptable(table);
		CHECK_FOR_INTERRUPTS();
	} while (fetched > 0);
	SPI_cursor_close(portal);
	platform_query_end();
}

/*
 * platform.organizations_with_feature(feature text) returns setof uuid
 *
 * The organizations for which the feature is on; for a caller that is no
 * operator its own, if it is.  One pass over all flags: for
 * "organization_id IN (SELECT ...)" instead of a check per row.  No row for NULL
 * or an unknown feature.
 */
Datum
platform_organizations_with_feature(PG_FUNCTION_ARGS)
{
	EnabledSearch search = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	text	   *feature;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	feature = PG_GETARG_TEXT_PP(0);

	if (!platform_is_operator())
	{
		const pg_uuid_t *own = platform_current_organization();

		if (own != NULL && platform_flag_check(own, VARDATA_ANY(feature),
											   VARSIZE_ANY_EXHDR(feature)))
			put_organization(search.result, own);
		return (Datum) 0;
	}

	search.cache = platform_flag_cache_whole();
	if (search.cache == NULL)
		search_in_batches(feature, search.result);
	else
	{
		search.feature = feature_id(search.cache, feature);
		search.now = GetCurrentTimestamp();
		if (search.feature != FEATURE_UNKNOWN)
			platform_flag_each_organization(search.cache, search_organization, &search);
	}
	return (Datum) 0;
}
