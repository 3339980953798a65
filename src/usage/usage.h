/*
 * usage.h
 *	  What the files of this module share.
 *
 *	limits.c		a customer's limits: the definition, and how a change is written
 *	roll.c			windows of time, and from one period into the next
 *	tiers.c			the tiers, in memory; their versions
 *	plan.c			apply_tier()
 *	record.c		record_call_usage(), record_sms_usage()
 *	late.c			events of periods that are over
 *	check.c			check_usage(), require_usage(), the gate of calls
 *	reserve.c		segments set aside for messages
 *	quota.c			the same, for module messaging
 *	top_ups.c		what is bought beside the tier
 *	subscriptions.c	what the payment provider says
 *	force.c			an operator's override
 *	premium.c		add-ons
 *	triggers.c		triggers of limits and snapshots
 *
 * Order of locks: a subscription's or payment's row, then the customer's row of
 * usage_limits, then its periods, alerts and events.
 */
#ifndef PLATFORM_CAPS_H
#define PLATFORM_CAPS_H

#include "core/module.h"
#include "core/result.h"

extern PlatformModule platform_caps_module;

/* Calls are counted in seconds, messages in segments. */
typedef enum UsageKind
{
	USAGE_CALL,
	USAGE_SMS
} UsageKind;

#define USAGE_KINDS	2

/* Of a single amount; sums stay far from 64 bits. */
#define USAGE_AMOUNT_MAX	INT64CONST(1000000000)

extern void platform_caps_init(void);
extern void platform_caps_limits_init(void);
extern void platform_caps_tiers_init(void);
extern void platform_caps_record_init(void);
extern void platform_caps_check_init(void);
extern void platform_caps_quota_init(void);

/* Arguments: 22004 for NULL, 22023 for what is out of its bounds. */
extern pg_uuid_t *platform_caps_uuid(FunctionCallInfo fcinfo, int argument, const char *name);
extern int64 platform_caps_amount(FunctionCallInfo fcinfo, int argument, const char *name,
								   int64 least);

/*
 * May the caller see what that user of the organization uses: itself, its
 * organization's administrators, operators? 42501 otherwise.
 */
extern void platform_caps_require_customer(const pg_uuid_t *organization, const pg_uuid_t *user);

/* PT404. */
pg_noreturn extern void platform_caps_no_customer(const pg_uuid_t *user);

#endif							/* PLATFORM_CAPS_H */
