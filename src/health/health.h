/*
 * health.h
 *	  What the files of this module share.
 *
 *	sources.c	where the numbers come from, by what is installed
 *	scores.c	scores, grades, churn alerts: one statement over all customers
 *	alerts.c	what people do with churn alerts
 */
#ifndef PLATFORM_HEALTH_H
#define PLATFORM_HEALTH_H

#include "lib/stringinfo.h"

#include "core/module.h"

extern PlatformModule platform_health_module;

/*
 * Appends the common table expressions that read the inputs, each with one row
 * an organization: limits, calls, contacts, sessions, audit, agents, webhooks,
 * profile, payment. Parameters: $1 the organization, if single; moments, which cost
 * less than intervals taken off for each row: $2 since when contacts are counted, $4
 * a week ago, $5 five weeks ago.
 */
extern void platform_health_append_sources(StringInfo sql, bool single);

#endif							/* PLATFORM_HEALTH_H */
