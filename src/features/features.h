/*
 * features.h
 *	  What the files of this module share.
 *
 *	cache.c		the backend's flag cache: when it is filled, and answers from it
 *	load.c		from rows of the tables to a flag cache
 *	memory.c	the containers of a flag cache
 *	evaluate.c	the layers: from cached rows to an answer with a reason
 *	rollout.c	MurmurHash3 and buckets
 *	variants.c	the variants of a feature
 *	flags.c		SQL-callable checks and lists
 *	setters.c	SQL-callable writers
 *	history.c	what changed, and what was on at a moment
 *	period.c	windows: hour to lifetime, calendar or anchored
 *	counter.c	one window's counter: compare-and-swap, slots under contention
 *	counter_root.c	decisions at its root, where it is known what slots hold
 *	counter_rows.c	its rows: columns, changes, insertion
 *	usage.c		consumption, keyed or not; answers, events and thresholds
 *	usage_batch.c	several features at once, and by inserting rows
 *	usage_report.c	what was used; counters against their events
 *	refund.c	consumption taken back
 *	reserve.c	usage held before it is known
 *	triggers.c	trigger functions, the module's own and attachable ones
 */
#ifndef PLATFORM_FEATURES_H
#define PLATFORM_FEATURES_H

#include "core/module.h"

/* Longest feature name (see the CHECK of global_feature_flags). */
#define FEATURE_NAME_MAX 63

/* From this share of a limit on the state is soft, unless a row says otherwise. */
#define FEATURE_SOFT_PERCENT 80

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
 * the platform's and the tenant's; active credit added to the platform's monthly
 * one) and the organization's calendar. A limit of -1 is none.
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

/*
 * No error for an unknown feature or organization: enabled is false then. Does
 * not ask who calls: platform_require_organization() comes first.
 */
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
