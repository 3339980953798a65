/*
 * attempt.c
 *	  The log of attempts: rows appended past the executor.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/append.h"
#include "webhooks/attempt.h"

enum
{
	A_DELIVERY,
	A_ORGANIZATION,
	A_CREATED_AT,
	A_SUBSCRIPTION,
	A_ATTEMPT,
	A_DURATION,
	A_HTTP_STATUS,
	A_OUTCOME,
	A_ERROR,
	A_RESPONSE,
	A_COLUMNS
};

static PlatformAppendTable attempt_table = {
	.cache = {.name = "webhook attempts", .tables = {"webhook_attempts"}},
	.ncolumns = A_COLUMNS,
	.columns = {
		{"delivery_id", UUIDOID},
		{"organization_id", UUIDOID},
		{"created_at", TIMESTAMPTZOID},
		{"subscription_id", UUIDOID},
		{"attempt", INT4OID},
		{"duration_ms", INT4OID},
		{"http_status", INT4OID},
		{"outcome", TEXTOID},
		{"error", TEXTOID},
		{"response_body", TEXTOID},
	},
};

void
platform_webhook_attempt_init(void)
{
	platform_append_register(&attempt_table);
}

/* Moments are a microsecond apart: two of one delivery may be reported at once. */
void
platform_webhook_log_attempts(const WebhookAttempt *attempts, int count, TimestampTz now)
{
	PlatformAppend append;

	if (count == 0)
		return;
	platform_append_open_at(&append, &attempt_table, count, now);
	for (int i = 0; i < count; i++)
	{
		const WebhookAttempt *attempt = &attempts[i];
		TupleTableSlot *slot = platform_append_row(&append);

		platform_append_set(&append, slot, A_ORGANIZATION, UUIDPGetDatum(&attempt->organization));
		platform_append_set(&append, slot, A_CREATED_AT, TimestampTzGetDatum(now + i));
		platform_append_set(&append, slot, A_DELIVERY, UUIDPGetDatum(&attempt->delivery));
		platform_append_set(&append, slot, A_SUBSCRIPTION, UUIDPGetDatum(&attempt->subscription));
		platform_append_set(&append, slot, A_ATTEMPT, Int32GetDatum(attempt->attempt));
		if (attempt->duration_ms >= 0)
			platform_append_set(&append, slot, A_DURATION, Int32GetDatum(attempt->duration_ms));
		if (attempt->http_status != 0)
			platform_append_set(&append, slot, A_HTTP_STATUS, Int32GetDatum(attempt->http_status));
		platform_append_set(&append, slot, A_OUTCOME, CStringGetTextDatum(attempt->outcome));
		if (attempt->error != NULL)
			platform_append_set(&append, slot, A_ERROR, CStringGetTextDatum(attempt->error));
		if (attempt->response_body != NULL)
			platform_append_set(&append, slot, A_RESPONSE, PointerGetDatum(attempt->response_body));
	}
	platform_append_flush(&append);
	platform_append_close(&append);
}
