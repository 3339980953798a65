/*
 * receiver.c
 *	  Rows of webhook_subscriptions and webhook_endpoints, read past the executor.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"

#include "webhooks/receiver.h"

PlatformRowTable platform_webhook_subscription_table = {
	.cache = {.name = "webhook subscriptions", .tables = {"webhook_subscriptions"}},
	.remembers = true,
	.nkeys = 2,
	.ncolumns = S_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"name", TEXTOID},
		{"url", TEXTOID},
		{"scheme", TEXTOID},
		{"headers", JSONBOID},
		{"timeout_ms", INT4OID},
		{"max_in_flight", INT4OID},
		{"rate_per_second", INT4OID},
		{"active", BOOLOID},
		{"secret", TEXTOID},
		{"previous_secret", TEXTOID},
		{"previous_secret_expires_at", TIMESTAMPTZOID},
		{"retry_policy", TEXTOID},
		{"retry_schedule", INT4ARRAYOID},
		{"keep_responses", BOOLOID},
	},
};

PlatformRowTable platform_webhook_endpoint_table = {
	.cache = {.name = "webhook endpoints", .tables = {"webhook_endpoints"}},
	.remembers = true,
	.nkeys = 2,
	.ncolumns = E_COLUMNS,
	.columns = {
		{"subscription_id", UUIDOID},
		{"organization_id", UUIDOID},
		{"blocked_by", TEXTOID},
		{"breaker", TEXTOID},
		{"breaker_opened", INT4OID},
		{"failures", INT4OID},
		{"failing_since", TIMESTAMPTZOID},
	},
};

void
platform_webhook_receiver_init(void)
{
	platform_row_register(&platform_webhook_subscription_table);
	platform_row_register(&platform_webhook_endpoint_table);
}

bool
platform_webhook_receiver_find(PlatformRow *row, const pg_uuid_t *subscription,
							   const pg_uuid_t *organization)
{
	Datum		keys[2] = {UUIDPGetDatum(subscription), UUIDPGetDatum(organization)};

	return platform_row_find(row, keys);
}
