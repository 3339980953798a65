/*
 * features.h
 *	  What the files of this module share.
 *
 *	cache.c		flags, tiers and organizations in backend-local memory
 *	evaluate.c	the layers: from a cached flag to an answer with a reason
 *	rollout.c	MurmurHash3, buckets and variants
 *	flags.c		SQL-callable checks, setters and lists; history
 *	period.c	windows: hour to lifetime, calendar or anchored
 *	counter.c	one window's counter: direct table access, slots under contention
 *	usage.c		consume, refund, reserve/commit/release, reports, reconciliation
 *	triggers.c	trigger functions, the module's own and attachable ones
 */
#ifndef PLATFORM_FEATURES_H
#define PLATFORM_FEATURES_H

#include "core/module.h"

/* Longest feature name (see the CHECK of global_feature_flags). */
#define FEATURE_NAME_MAX 63

extern PlatformModule platform_features_module;

extern void platform_features_init(void);

typedef enum FeatureReason
{
	FEATURE_FLAG_NOT_FOUND,
	FEATURE_KILLED,
	FEATURE_ORG_INACTIVE,
	FEATURE_PREREQUISITE_FAILED,
	FEATURE_ORG_OVERRIDE,
	FEATURE_PLAN,
	FEATURE_SPLIT,
	FEATURE_DEFAULT
} FeatureReason;

extern const char *platform_feature_reason_name(FeatureReason reason);

typedef enum FeatureEnforcement
{
	FEATURE_ENFORCE_HARD,		/* refuse beyond the limit */
	FEATURE_ENFORCE_SOFT,		/* let pass, report the state, count the overage */
	FEATURE_ENFORCE_OFF			/* count only */
} FeatureEnforcement;

/*
 * What consumption needs to know about (organization, feature) now: whether it
 * is on, the effective limits (organization's row, else tier's; the smaller of
 * the platform's and the tenant's; active credit added to the monthly one) and
 * the organization's calendar. A limit of -1 is none.
 */
typedef struct FeatureTerms
{
	bool		enabled;
	FeatureReason reason;
	int64		daily_limit;
	int64		monthly_limit;
	int			soft_percent;
	FeatureEnforcement enforcement;
	const char *timezone;		/* IANA name; lives as long as the cache */
	int			anchor_day;		/* first day of the monthly window, 1..31 */
} FeatureTerms;

/* No error for an unknown feature or organization: enabled is false then. */
extern void platform_feature_terms(const pg_uuid_t *organization,
								   const char *feature, int feature_length,
								   FeatureTerms *terms);

/*
 * The monthly window and the local day that contain a moment. day counts from
 * 1 within the window. Memoised by (timezone, anchor_day).
 */
typedef struct FeaturePeriod
{
	TimestampTz month_start;
	TimestampTz month_end;
	TimestampTz day_start;
	TimestampTz day_end;
	int			day;
} FeaturePeriod;

extern void platform_feature_period(const char *timezone, int anchor_day,
									TimestampTz at, FeaturePeriod *period);

#endif							/* PLATFORM_FEATURES_H */
