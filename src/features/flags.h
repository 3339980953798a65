/*
 * flags.h
 *	  The flag cache and the evaluator: what cache.c, evaluate.c, rollout.c and
 *	  the SQL-callable files of flags share.  Consumption sees features.h only.
 *
 * Names of features, tiers and time zones are interned to small ids; the
 * limits and windows of flag rows are interned by content, so that a cached
 * flag is one entry of 40 bytes.  Pointers into a cache are good until the next
 * call of platform_flag_cache(): content is dropped there and nowhere else.
 */
#ifndef PLATFORM_FLAGS_H
#define PLATFORM_FLAGS_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "features/features.h"

#define FEATURE_UNKNOWN		PG_UINT16_MAX
#define FEATURE_LIMIT_NONE	INT64CONST(-1)

/* Longest chain of prerequisites. */
#define FEATURE_PREREQUISITE_DEPTH 16

typedef struct FeatureVariant
{
	const char *name;
	uint32		weight;
	Jsonb	   *payload;		/* NULL when it has none */
} FeatureVariant;

/* A row of global_feature_flags. */
typedef struct Feature
{
	const char *name;
	const char *salt;
	bool		enabled;
	bool		killed;			/* by the setting platform.kill_switches */
	bool		default_enabled;
	int			rollout;		/* thousandths of a percent; -1 when there is none */
	int			prerequisite_count;
	uint16	   *prerequisites;	/* FEATURE_UNKNOWN for a name without a row */
	int			variant_count;
	uint32		variant_weight; /* sum of all */
	FeatureVariant *variants;
	TimestampTz active_from;
	TimestampTz active_to;
} Feature;

/* What a row of tier_, org_ or tenant_feature_flags says. */
typedef struct FlagRow
{
	int64		daily_limit;
	int64		monthly_limit;
	TimestampTz active_from;
	TimestampTz active_to;
	int16		soft_percent;	/* -1: not said here */
	int8		enforcement;	/* FeatureEnforcement, -1: not said here */
	bool		enabled;
	int32		padding;		/* rows are compared as bytes */
} FlagRow;

typedef struct FlagCredit
{
	int64		amount;
	TimestampTz active_from;
	TimestampTz active_to;
	uint32		next;			/* index + 1 */
} FlagCredit;

/* An organization that was read; one that does not exist is kept as missing. */
typedef struct FlagOrganization
{
	pg_uuid_t	id;
	uint16		tier;
	uint16		timezone;
	uint8		anchor_day;
	bool		missing:1;
	bool		active:1;
	char		status;
} FlagOrganization;

typedef struct FlagKey
{
	pg_uuid_t	organization;
	uint16		feature;
} FlagKey;

/* (organization, feature): its rows, and the answer while it holds. */
typedef struct FlagEntry
{
	FlagKey		key;
	uint8		answer;			/* 0: not known; else see FLAG_ANSWER */
	char		status;
	uint32		platform_row;	/* index + 1 in rows; 0: none */
	uint32		tenant_row;
	uint32		credit;			/* index + 1 of the first credit */
	TimestampTz holds_until;
} FlagEntry;

#define FLAG_ANSWER(reason, enabled)	((uint8) (0x80 | ((reason) << 1) | ((enabled) ? 1 : 0)))
#define FLAG_ANSWER_ENABLED(answer)		(((answer) & 1) != 0)
#define FLAG_ANSWER_REASON(answer)		((FeatureReason) (((answer) & 0x7f) >> 1))

/* Interned names: id to name and back. */
typedef struct NameTable
{
	struct names_hash *hash;
	const char **names;
	int			count;
	int			size;
} NameTable;

typedef struct FlagCache
{
	MemoryContext context;
	NameTable	feature_names;	/* ids are indexes of features[] */
	NameTable	tier_names;
	NameTable	timezone_names;
	Feature    *features;
	uint32	  **tier_rows;		/* by tier, then by feature: index + 1 in rows */
	int			tier_rows_size;
	FlagRow    *rows;
	uint32		row_count;
	uint32		row_size;
	struct rows_hash *row_index;
	FlagCredit *credits;
	uint32		credit_count;
	uint32		credit_size;
	struct organizations_hash *organizations;
	struct flags_hash *flags;
	bool		complete;		/* every organization was read */
	uint32		misses;			/* loads of single organizations so far */
	uint64		filled;			/* generation of what was read; 0: nothing */
} FlagCache;

typedef void (*FlagOrganizationVisitor) (const FlagOrganization *organization, void *arg);

typedef enum FeatureLayer
{
	LAYER_NONE,
	LAYER_GLOBAL_ROW,
	LAYER_SETTING,
	LAYER_ORGANIZATION,
	LAYER_PREREQUISITE,
	LAYER_PLATFORM_ROW,
	LAYER_TENANT_ROW,
	LAYER_TIER,
	LAYER_ROLLOUT,
	LAYER_DEFAULT
} FeatureLayer;

/* For whom a feature is evaluated, and when. */
typedef struct FlagSubject
{
	const pg_uuid_t *organization;
	const char *key;			/* targeting key; NULL: the organization's id */
	int			key_length;
	TimestampTz now;
} FlagSubject;

typedef struct FeatureAnswer
{
	bool		enabled;
	FeatureReason reason;
	FeatureLayer layer;
	TimestampTz holds_until;	/* no window opens or closes before */
	int			bucket;			/* -1: not hashed */
	const FlagRow *row;			/* what decided in layers 5 and 6 */
	bool		prerequisite_known; /* the next three say which one failed */
	uint16		prerequisite;	/* FEATURE_UNKNOWN for one that does not exist */
	FeatureReason prerequisite_reason;
	bool		prerequisite_cycle;
} FeatureAnswer;

/* memory.c: a cache of any origin */
extern void platform_flag_cache_reset(FlagCache *cache, MemoryContext parent);
extern uint16 platform_name_id(const NameTable *table, const char *name, int length);
extern uint16 platform_flag_intern_name(FlagCache *cache, NameTable *table,
										const char *name, int length);
extern uint32 platform_flag_intern_row(FlagCache *cache, const FlagRow *row);
extern uint32 platform_flag_add_credit(FlagCache *cache, const FlagCredit *credit);
extern FlagOrganization *platform_flag_organization(const FlagCache *cache, const pg_uuid_t *id);
extern FlagOrganization *platform_flag_add_organization(FlagCache *cache, const pg_uuid_t *id);
extern uint32 platform_flag_organization_count(const FlagCache *cache);
extern FlagEntry *platform_flag_entry(const FlagCache *cache, const FlagKey *key);
extern FlagEntry *platform_flag_add_entry(FlagCache *cache, const FlagKey *key);
extern bool platform_flag_cache_has_room(const FlagCache *cache, Size limit);
extern void platform_flag_each_organization(FlagCache *cache, FlagOrganizationVisitor visit, void *arg);

/*
 * load.c: from the rows of the last query.  These are the columns it must have,
 * without the FROM that gives them.
 */
#define FEATURE_COLUMNS \
	"SELECT feature, enabled, default_enabled, (rollout OPERATOR(pg_catalog.*) 1000)::integer," \
	" COALESCE(salt, feature), variants, prerequisites, active_from, active_to"
#define TIER_COLUMNS \
	"SELECT tier, feature, enabled, daily_limit, monthly_limit, soft_percent, enforcement," \
	" active_from, active_to"
#define ORGANIZATION_COLUMNS \
	"SELECT tier, deleted_at IS NULL AND status OPERATOR(pg_catalog.<>)" \
	" ALL ('{expired,cancelled,suspended}') AS active," \
	" timezone, billing_anchor_day::integer AS anchor"

extern void platform_flag_read_features(FlagCache *cache);
extern void platform_flag_read_tiers(FlagCache *cache);
extern void platform_flag_read_organization(FlagCache *cache, const pg_uuid_t *organization);
extern void platform_flag_load_base(FlagCache *cache);
extern void platform_flag_load_organization(FlagCache *cache, const pg_uuid_t *organization);
extern bool platform_flag_load_all(FlagCache *cache, Size limit);
extern uint64 platform_flag_estimate_rows(void);

/* cache.c: the backend's own */
extern void platform_flag_cache_init(void);
extern FlagCache *platform_flag_cache(const pg_uuid_t *organization);
extern FlagCache *platform_flag_cache_whole(void);
extern void platform_flag_limits(FlagCache *cache, const pg_uuid_t *organization, uint16 feature,
								 TimestampTz now, FeatureTerms *terms);
extern bool platform_flag_check(const pg_uuid_t *organization, const char *feature, int length);
extern const FlagEntry *platform_flag_resolve(FlagCache *cache, const FlagKey *key,
											  FlagEntry *scratch);

/* evaluate.c */
extern void platform_flag_evaluate(FlagCache *cache, const FlagSubject *subject,
								   uint16 feature, FeatureAnswer *answer);
extern const FeatureVariant *platform_flag_variant(const Feature *feature,
												   const FlagSubject *subject);
extern const char *platform_feature_layer_name(FeatureLayer layer);
extern bool platform_window_is_open(TimestampTz from, TimestampTz to, TimestampTz now,
									TimestampTz *holds_until);
extern const FlagRow *platform_flag_open_row(const FlagCache *cache, uint32 index,
											 TimestampTz now, TimestampTz *holds_until);
extern uint32 platform_flag_tier_row(const FlagCache *cache,
									 const FlagOrganization *organization, uint16 feature);

/* flags.c: what explain_feature() and feature_state_at() have in common */
extern void platform_feature_arguments(FunctionCallInfo fcinfo, const pg_uuid_t **organization,
									   text **feature);
pg_noreturn extern void platform_feature_not_found(const char *feature);
extern void platform_feature_answer_values(const FlagCache *cache, const FlagSubject *subject,
										   const FeatureAnswer *answer, const char *disabled_reason,
										   Datum *values, bool *nulls);

/* variants.c */
extern int	platform_feature_variants_parse(Jsonb *variants, const char *feature,
											FeatureVariant **result, uint32 *weight);

/* rollout.c */
#define ROLLOUT_BUCKETS		100000
#define ROLLOUT_SEED		0
#define VARIANT_SEED		86028157

extern uint32 platform_murmur3_hash(const void *data, size_t length, uint32 seed);
extern uint32 platform_rollout_hash(const char *salt, const char *key, int key_length,
									uint32 seed);

#endif							/* PLATFORM_FLAGS_H */
