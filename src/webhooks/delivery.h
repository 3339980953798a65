/*
 * delivery.h
 *	  Rows of webhook_deliveries, past the executor. Of endpoint.c and complete.c.
 */
#ifndef PLATFORM_WEBHOOK_DELIVERY_H
#define PLATFORM_WEBHOOK_DELIVERY_H

#include "core/row.h"

enum
{
	D_ID,
	D_ORGANIZATION,
	D_SUBSCRIPTION,
	D_EVENT,
	D_TYPE,
	D_STATUS,
	D_ATTEMPTS,
	D_MAX_ATTEMPTS,
	D_NEXT_RETRY_AT,
	D_CREATED_AT,
	D_FINISHED_AT,
	D_DELIVERED_AT,
	D_LEASE_ID,
	D_LEASE_UNTIL,
	D_RESPONSE_STATUS,
	D_RESPONSE_TIME,
	D_LAST_ERROR,
	D_RESPONSE_BODY,
	D_PAYLOAD,
	D_COLUMNS
};

#define DELIVERIES_DUE_INDEX	"webhook_deliveries_subscription_id_next_retry_at_idx"

extern PlatformRowTable platform_webhook_delivery_table;

/* Once, from _PG_init. */
extern void platform_webhook_delivery_init(void);

/* The delivery with that id as it is now; false when there is none. */
extern bool platform_webhook_delivery_find(PlatformRow *row, const pg_uuid_t *id);

#endif							/* PLATFORM_WEBHOOK_DELIVERY_H */
