/*
 * health.h
 *	  How endpoints do: what results say of them. Of complete.c and health.c.
 */
#ifndef PLATFORM_WEBHOOK_HEALTH_H
#define PLATFORM_WEBHOOK_HEALTH_H

#include "webhooks/webhooks.h"

/* The subscription and the endpoint of some of the results. */
typedef struct WebhookHealth
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	WebhookSchedule schedule;
	bool		keep_responses;
	char	   *name;

	bool		concerned;		/* its row is to be locked and written */
	bool		full;
	char	   *breaker;
	int			breaker_opened;
	int			failures;
	TimestampTz failing_since;	/* 0: it is not */

	int			nsucceeded;
	int			nfailed;
	bool		gone;			/* it said 410 Gone */
	TimestampTz next_retry_at;	/* the earliest; 0: none */
} WebhookHealth;

/*
 * The endpoints of some subscriptions, each with its organization, which are sorted;
 * returns how many. In a query.
 */
extern int	platform_webhook_health_read(pg_uuid_t (*subscriptions)[2], int count,
										 WebhookHealth **endpoints);
extern WebhookHealth *platform_webhook_health_find(WebhookHealth *endpoints, int count,
												   const pg_uuid_t *subscription);

/* Locks the rows of those that are concerned, and reads them again. */
extern void platform_webhook_health_lock(WebhookHealth *endpoints, int count, TimestampTz now);

/* What the results that were counted say of an endpoint; its row is locked. */
extern void platform_webhook_health_write(WebhookHealth *endpoint, TimestampTz now);

#endif							/* PLATFORM_WEBHOOK_HEALTH_H */
