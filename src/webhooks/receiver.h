/*
 * receiver.h
 *	  Rows of webhook_subscriptions and webhook_endpoints, read past the executor.
 *	  Of claim.c and health.c.
 */
#ifndef PLATFORM_WEBHOOK_RECEIVER_H
#define PLATFORM_WEBHOOK_RECEIVER_H

#include "core/row.h"

enum
{
	S_ID,
	S_ORGANIZATION,
	S_NAME,
	S_URL,
	S_SCHEME,
	S_HEADERS,
	S_TIMEOUT,
	S_MAX_IN_FLIGHT,
	S_RATE,
	S_ACTIVE,
	S_SECRET,
	S_PREVIOUS_SECRET,
	S_PREVIOUS_EXPIRES_AT,
	S_RETRY_POLICY,
	S_RETRY_SCHEDULE,
	S_KEEP_RESPONSES,
	S_COLUMNS
};

enum
{
	E_SUBSCRIPTION,
	E_ORGANIZATION,
	E_BLOCKED_BY,
	E_BREAKER,
	E_BREAKER_OPENED,
	E_FAILURES,
	E_FAILING_SINCE,
	E_COLUMNS
};

extern PlatformRowTable platform_webhook_subscription_table;
extern PlatformRowTable platform_webhook_endpoint_table;

/* Once, from _PG_init. */
extern void platform_webhook_receiver_init(void);

/* The row of a subscription in either table; false when there is none. */
extern bool platform_webhook_receiver_find(PlatformRow *row, const pg_uuid_t *subscription,
										   const pg_uuid_t *organization);

#endif							/* PLATFORM_WEBHOOK_RECEIVER_H */
