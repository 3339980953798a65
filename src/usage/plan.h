/*
 * plan.h
 *	  Giving a customer a plan.
 */
#ifndef PLATFORM_CAPS_PLAN_H
#define PLATFORM_CAPS_PLAN_H

#include "usage/limits.h"

/* Has the customer that tier, at its present prices? */
extern bool platform_caps_has_tier(const UsageLimits *limits, const UsageTier *tier);

/* The tier counts from the start on; nothing was used since. */
extern void platform_caps_begin_plan(UsageLimits *limits, const UsageTier *tier, TimestampTz start);

/* Another tier within the period: by the clock, or at once. */
extern void platform_caps_change_tier(UsageLimits *limits, const UsageTier *tier, bool prorate);

/* Ends the period at that moment, unless it begins then or later. */
extern bool platform_caps_begin_period(UsageLimits *limits, TimestampTz start, UsagePeriod *closed);

/*
 * Writes the present period's row, that of one that was closed for it (or NULL),
 * and from when on the tier counts.
 */
extern void platform_caps_write_plan(const UsageLimits *limits, const UsagePeriod *closed,
									 const char *reason);

/* The row of apply_tier(). */
extern Datum platform_caps_return_plan(FunctionCallInfo fcinfo, const UsageLimits *limits,
									   bool changed);

#endif							/* PLATFORM_CAPS_PLAN_H */
