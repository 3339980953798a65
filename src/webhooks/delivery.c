/*
 * delivery.c
 *	  Rows of webhook_deliveries, past the executor.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"

#include "webhooks/delivery.h"

PlatformRowTable platform_webhook_delivery_table = {
	.cache = {.name = "webhook deliveries", .tables = {"webhook_deliveries"}},
	.nkeys = 2,
	.ncolumns = D_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"subscription_id", UUIDOID},
		{"event_id", UUIDOID},
		{"event_type", TEXTOID},
		{"status", TEXTOID},
		{"attempts", INT4OID},
		{"max_attempts", INT4OID},
		{"next_retry_at", TIMESTAMPTZOID},
		{"created_at", TIMESTAMPTZOID},
		{"finished_at", TIMESTAMPTZOID},
		{"delivered_at", TIMESTAMPTZOID},
		{"lease_id", UUIDOID},
		{"lease_until", TIMESTAMPTZOID},
		{"response_status", INT4OID},
		{"response_time_ms", INT4OID},
		{"last_error", TEXTOID},
		{"response_body", TEXTOID},
		{"payload", JSONBOID},
	},
};

void
platform_webhook_delivery_init(void)
{
	platform_row_register(&platform_webhook_delivery_table);
}

bool
platform_webhook_delivery_find(PlatformRow *row, const pg_uuid_t *id)
{
	Datum		key = UUIDPGetDatum(id);

	return platform_row_find_first(row, &key, 1);
}
