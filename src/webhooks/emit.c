/*
 * emit.c
 *	  Events from SQL.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/event.h"
#include "core/identity.h"
#include "core/query.h"
#include "webhooks/attempt.h"
#include "webhooks/delivery.h"
#include "webhooks/receiver.h"
#include "webhooks/webhooks.h"

PG_FUNCTION_INFO_V1(platform_emit_event);

PlatformModule platform_webhooks_module = {.name = "webhooks", .version = 590};

static PlatformQuery find_organization =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT 1 FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

void
platform_webhook_require_organization(const pg_uuid_t *organization)
{
	Datum		value = UUIDPGetDatum(organization);

	if (platform_query_run(&find_organization, &value, NULL) == 0)
		platform_no_such_organization(organization);
}

static void
deliver_at_once(const PlatformEvent *event, const pg_uuid_t *id)
{
	platform_webhook_deliver_event(id, event->organization, event->type);
}

void
platform_webhooks_init(void)
{
	platform_event_hook = deliver_at_once;
	platform_webhook_attempt_init();
	platform_webhook_delivery_init();
	platform_webhook_receiver_init();
	platform_webhook_claim_init();
	platform_webhook_purge_init();
}

/*
 * platform.emit_event(organization_id uuid, type text, payload jsonb DEFAULT '{}',
 *					   idempotency_key text DEFAULT NULL,
 *					   occurred_at timestamptz DEFAULT NULL) returns uuid
 *
 * Says that something happened, and returns the event's id. Receivers hear of it
 * once the transaction has committed; rolled back, it did not happen. With a key
 * that was used before: no new event, the id of the first. payload NULL is {};
 * occurred_at NULL is now. Members: for their own organization. Errors: 42501;
 * 22004; 22023 malformed type or key; PT404 no such organization; PT409 the key
 * came with another type or payload; 25006.
 */
Datum
platform_emit_event(PG_FUNCTION_ARGS)
{
	PlatformEvent event = {0};
	PlatformEventAnswer answer;
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "type");
	event.organization = PG_GETARG_UUID_P(0);
	platform_require_organization(event.organization);
	event.type = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		event.payload = PG_GETARG_JSONB_P(2);
	if (!PG_ARGISNULL(3))
		event.idempotency_key = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (!PG_ARGISNULL(4))
		event.occurred_at = PG_GETARG_TIMESTAMPTZ(4);

	if (platform_caller_is_operator())
	{
		platform_query_begin();
		platform_webhook_require_organization(event.organization);
		platform_query_end();
	}
	(void) platform_event_emit(&event, &answer);
	*id = answer.id;
	PG_RETURN_UUID_P(id);
}
