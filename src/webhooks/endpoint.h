/*
 * endpoint.h
 *	  One endpoint during a claim. Of claim.c and endpoint.c only.
 */
#ifndef PLATFORM_WEBHOOK_ENDPOINT_H
#define PLATFORM_WEBHOOK_ENDPOINT_H

#include "core/row.h"
#include "webhooks/webhooks.h"

typedef enum WebhookBlock
{
	BLOCK_NONE,
	BLOCK_BREAKER,
	BLOCK_FULL,					/* max_in_flight requests are under way */
	BLOCK_RATE,
	BLOCK_HELD,					/* the subscription is not active */
	BLOCK_KILLED				/* the feature webhooks is off */
} WebhookBlock;

/* A delivery that was claimed. */
typedef struct WebhookClaim
{
	pg_uuid_t	id;
	pg_uuid_t	event_id;
	int			attempt;
	char	   *type;
	Jsonb	   *payload;		/* its own, or found later */
	TimestampTz occurred_at;
	TimestampTz lease_until;
	struct WebhookEndpoint *endpoint;
} WebhookClaim;

typedef struct WebhookEndpoint
{
	/* the subscription */
	WebhookReceiver receiver;
	bool		found;
	bool		active;
	int			timeout_ms;
	int			max_in_flight;
	int			rate;			/* requests a second; 0: any number */

	/* the endpoint's row, locked */
	TimestampTz due_at;
	TimestampTz scan_from;
	TimestampTz gap_from;		/* nothing unfinished between this and gap_to; */
	TimestampTz gap_to;			/* both 0: no gap */
	TimestampTz rate_at;		/* 0: never */
	bool		breaker_open;
	bool		half_open;

	bool		exhausted;		/* nothing more to be had in this claim */
} WebhookEndpoint;

/* The claims of one call. */
typedef struct WebhookClaims
{
	PlatformRow *row;			/* deliveries, open */
	TimestampTz now;
	int64		lease;			/* microseconds */
	pg_uuid_t	lease_id;
	int			count;
	WebhookClaim *claims;		/* room for WEBHOOK_BATCH_MAX */
} WebhookClaims;

/*
 * Claims up to want deliveries of an endpoint whose row is locked, and says in
 * that row when it is due next. Returns how many. In a query.
 */
extern int	platform_webhook_claim_endpoint(WebhookEndpoint *endpoint, WebhookClaims *claims,
											int want);

/* Does the feature webhooks let the organization send? */
extern bool platform_webhook_feature_is_on(const pg_uuid_t *organization);

#endif							/* PLATFORM_WEBHOOK_ENDPOINT_H */
