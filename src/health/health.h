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
 * profile, payment. Parameters: $1 the organization, if single; $2 the days over
 * which contacts are counted.
 */
extern void platform_health_append_sources(StringInfo sql, bool single);

#endif							/* PLATFORM_HEALTH_H */
