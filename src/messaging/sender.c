/*
 * sender.c
 *	  The way out: claim_sms(), complete_sms(), record_sms_status(), cancel_sms().
 *
 * A claim takes due messages that nobody else is taking (SKIP LOCKED) and holds
 * them until its lease ends; then they may be claimed again. Every claim has a lease
 * of its own, which whoever completes the message must present. From the claim
 * on the message counts as sent for the routing of replies: a customer may answer
 * before the sender has told us that it is out.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/event.h"
#include "core/gate.h"
#include "core/identity.h"
#include "core/query.h"
#include "messaging/messaging.h"

#define CLAIM_MAX		1000
#define WORKER_MAX		255
#define ERROR_MAX		1000
#define LEASE_DAYS		1
#define RETRY_DAYS		30

/* A message that a query returned: its id, organization, and whether quota is reserved. */
typedef struct Ended
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	bool		reserved;
} Ended;

void
platform_sms_release_quota(const pg_uuid_t *organization, const pg_uuid_t *message)
{
	if (platform_sms_quota != NULL)
		platform_sms_quota->release(organization, message);
}

/* It did not leave, for now or for good: no reply can be to it. */
static void
fail_message(const Ended *ended)
{
	static PlatformQuery fail =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.messages SET status = 'failed',"
					   " failed_at = pg_catalog.clock_timestamp()"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&ended->id), UUIDPGetDatum(&ended->organization)};

	platform_query_run(&fail, values, NULL);
}

/* What a message's end means for its row of messages and its automation. */
static void
settle(const Ended *ended, const char *automation, const char *error)
{
	static PlatformQuery end_automation =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_automation_log SET status = $3, error_message = $4,"
					   " sent_at = CASE WHEN $3 OPERATOR(pg_catalog.=) 'sent'"
					   " THEN pg_catalog.clock_timestamp() END"
					   " WHERE sms_id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = UUIDPGetDatum(&ended->id);
	values[1] = UUIDPGetDatum(&ended->organization);
	values[2] = CStringGetTextDatum(automation);
	values[3] = platform_sms_text_or_null(error, &nulls[3]);
	if (strcmp(automation, "sent") != 0)
		fail_message(ended);
	platform_query_run(&end_automation, values, nulls);
}

/* The messages that the last query returned. */
static Ended *
read_ended(uint64 count)
{
	Ended	   *ended = palloc((count + 1) * sizeof(Ended));

	for (uint64 i = 0; i < count; i++)
	{
		ended[i].id = platform_row_uuid(i, 1);
		ended[i].organization = platform_row_uuid(i, 2);
		ended[i].reserved = platform_row_bool(i, 3);
	}
	return ended;
}

/* Those will not be sent. */
static void
give_up(const Ended *ended, uint64 count, const char *automation, const char *reason)
{
	for (uint64 i = 0; i < count; i++)
	{
		if (ended[i].reserved)
			platform_sms_release_quota(&ended[i].organization, &ended[i].id);
		settle(&ended[i], automation, reason);
	}
}

void
platform_sms_after_cancel(uint64 count, const char *reason)
{
	give_up(read_ended(count), count, "skipped", reason);
}

void
platform_sms_event(const pg_uuid_t *organization, const char *type, const pg_uuid_t *message,
				   const char *customer, const char *detail)
{
	static PlatformQuery build =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					   "'message_id', $1, 'phone', $2, 'detail', $3))",
					   UUIDOID, TEXTOID, TEXTOID);
	PlatformEvent event = {.organization = organization, .type = type};
	Datum		values[3];
	bool		nulls[3] = {false};
	bool		isnull;

	if (!platform_event_is_installed())
		return;
	values[0] = UUIDPGetDatum(message);
	nulls[0] = message == NULL;
	values[1] = platform_sms_text_or_null(customer, &nulls[1]);
	values[2] = platform_sms_text_or_null(detail, &nulls[2]);
	platform_query_run(&build, values, nulls);
	event.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
	(void) platform_event_emit(&event, NULL);
}

/* Leases that ended: the message is due again, or failed with its last attempt. */
static void
end_leases(const Datum *values, const bool *nulls)
{
	static PlatformQuery fail =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log q SET status = 'failed', lease_id = NULL,"
					   " lease_until = NULL, finished_at = pg_catalog.clock_timestamp(),"
					   " error_message = COALESCE(q.error_message, 'the lease ended')"
					   " FROM (SELECT id, organization_id FROM platform.outbound_sms_log"
					   " WHERE status OPERATOR(pg_catalog.=) 'sending'"
					   " AND lease_until OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND attempts OPERATOR(pg_catalog.>=) max_attempts"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) AS over"
					   " WHERE q.id OPERATOR(pg_catalog.=) over.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) over.organization_id"
					   " RETURNING q.id, q.organization_id, q.quota_reserved",
					   UUIDOID);
	static PlatformQuery requeue =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log q SET status = 'queued', lease_id = NULL,"
					   " lease_until = NULL"
					   " FROM (SELECT id, organization_id FROM platform.outbound_sms_log"
					   " WHERE status OPERATOR(pg_catalog.=) 'sending'"
					   " AND lease_until OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND attempts OPERATOR(pg_catalog.<) max_attempts"
					   " AND ($1 IS NULL OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) AS over"
					   " WHERE q.id OPERATOR(pg_catalog.=) over.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) over.organization_id",
					   UUIDOID);
	uint64		count = platform_query_run(&fail, values, nulls);

	give_up(read_ended(count), count, "failed", "the lease ended");
	platform_query_run(&requeue, values, nulls);
}

#define OPTED_OUT_OF_IT \
	" EXISTS (SELECT 1 FROM platform.sms_opt_out o" \
	" WHERE o.phone OPERATOR(pg_catalog.=) q.to_number" \
	" AND (o.global_opt_out OR o.organization_id OPERATOR(pg_catalog.=) q.organization_id)" \
	" AND NOT (SELECT s.ignores_opt_out FROM platform.sms_sources s" \
	" WHERE s.source OPERATOR(pg_catalog.=) q.source))"

/* What was queued for a number that opted out by other ways than our functions. */
static void
cancel_opted_out(const Datum *values, const bool *nulls)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log q SET status = 'canceled',"
					   " error_message = 'OPTED_OUT', finished_at = pg_catalog.clock_timestamp()"
					   " FROM (SELECT q.id, q.organization_id FROM platform.outbound_sms_log q"
					   " WHERE q.status OPERATOR(pg_catalog.=) 'queued'"
					   " AND q.send_after OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND ($1 IS NULL OR q.organization_id OPERATOR(pg_catalog.=) $1)"
					   " AND" OPTED_OUT_OF_IT
					   " LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED) AS over"
					   " WHERE q.id OPERATOR(pg_catalog.=) over.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) over.organization_id"
					   " RETURNING q.id, q.organization_id, q.quota_reserved",
					   UUIDOID);

	platform_sms_after_cancel(platform_query_run(&cancel, values, nulls), "OPTED_OUT");
}

PG_FUNCTION_INFO_V1(platform_claim_sms);

/*
 * platform.claim_sms(organization_id uuid DEFAULT NULL, worker text DEFAULT NULL,
 *					  "limit" integer DEFAULT 10, lease interval DEFAULT '1 minute')
 *		RETURNS TABLE (id uuid, tenant uuid, lease_id uuid, lease_until timestamptz,
 *					   from_number text, to_number text, body text, segments integer,
 *					   source text, attempt integer)
 *
 * Takes at most limit (1 to 1000) messages that are due, the oldest first, for the
 * length of the lease. Claims never wait for each other and never share a message.
 * None to who opted out, none of an organization that has sending switched off, none
 * at all while platform.messaging_sending is off. organization_id NULL: the caller's
 * own, for an operator without one all. Members: their organization. Errors:
 * 22004; 22023; 42501; 25006.
 */
Datum
platform_claim_sms(PG_FUNCTION_ARGS)
{
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH due AS MATERIALIZED (SELECT q.id, q.organization_id"
					   " FROM platform.outbound_sms_log q"
					   " WHERE q.status OPERATOR(pg_catalog.=) 'queued'"
					   " AND q.send_after OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " AND ($1 IS NULL OR q.organization_id OPERATOR(pg_catalog.=) $1)"
					   " AND NOT" OPTED_OUT_OF_IT
					   " AND NOT EXISTS (SELECT 1 FROM platform.sms_settings t"
					   " WHERE t.organization_id OPERATOR(pg_catalog.=) q.organization_id"
					   " AND NOT t.sending_enabled)"
					   " ORDER BY q.send_after, q.id LIMIT $3 FOR NO KEY UPDATE OF q SKIP LOCKED),"
					   " claimed AS (UPDATE platform.outbound_sms_log q SET status = 'sending',"
					   " claimed_by = $2, lease_id = platform.uuid7(),"
					   " lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $4,"
					   " attempts = q.attempts OPERATOR(pg_catalog.+) 1"
					   " FROM due WHERE q.id OPERATOR(pg_catalog.=) due.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) due.organization_id"
					   " RETURNING q.*),"
					   " recorded AS (INSERT INTO platform.messages (id, organization_id, direction,"
					   " from_number, to_number, thread_id, user_id, lead_id, body, segments, status,"
					   " source, created_at)"
					   " SELECT c.id, c.organization_id, 'outbound', c.from_number, c.to_number,"
					   " c.to_number, c.user_id, c.lead_id, c.body, c.segments, 'sending', c.source,"
					   " pg_catalog.clock_timestamp()"
					   " FROM claimed c JOIN platform.sms_sources s"
					   " ON s.source OPERATOR(pg_catalog.=) c.source AND NOT s.operators_only"
					   " ON CONFLICT (id, organization_id) DO UPDATE"
					   " SET status = excluded.status, failed_at = NULL, created_at = excluded.created_at)"
					   " SELECT id, organization_id, lease_id, lease_until, from_number, to_number,"
					   " body, segments, source, attempts FROM claimed ORDER BY send_after, id",
					   UUIDOID, TEXTOID, INT4OID, INTERVALOID);
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	Datum		values[4];
	bool		nulls[4];

	platform_require_module(&platform_messaging_module);
	if (organization == NULL)
		organization = platform_current_organization();
	if (organization != NULL)
		platform_require_organization(organization);
	else
		platform_require_operator("claim the messages of all organizations");
	(void) platform_optional_text(fcinfo, 1, "worker", WORKER_MAX);
	(void) platform_limit_argument(fcinfo, 2, CLAIM_MAX);
	(void) platform_require_interval(fcinfo, 3, "lease", false, LEASE_DAYS);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	values[0] = UUIDPGetDatum(organization);
	nulls[0] = organization == NULL;
	if (!platform_messaging_sending)
		values[2] = Int32GetDatum(0);

	platform_query_begin();
	end_leases(values, nulls);
	cancel_opted_out(values, nulls);
	platform_query_end();
	return platform_query_return_rows(fcinfo, &claim, values, nulls);
}

/* The message as complete_sms() leaves it. */
typedef struct Completed
{
	Ended		ended;
	char	   *status;
	char	   *from_number;
	char	   *to_number;
	int			segments;
	char	   *source;
} Completed;

static bool
complete(FunctionCallInfo fcinfo, Completed *completed)
{
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log SET lease_id = NULL, lease_until = NULL,"
					   " provider_message_id = COALESCE($5, provider_message_id), error_message = $6,"
					   " status = CASE WHEN $4 OPERATOR(pg_catalog.<>) 'retry' THEN $4"
					   " WHEN attempts OPERATOR(pg_catalog.<) max_attempts THEN 'queued' ELSE 'failed' END,"
					   " send_after = CASE WHEN $4 OPERATOR(pg_catalog.=) 'retry'"
					   " THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $7 ELSE send_after END,"
					   " sent_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'sent'"
					   " THEN pg_catalog.clock_timestamp() END,"
					   " finished_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'retry'"
					   " AND attempts OPERATOR(pg_catalog.<) max_attempts"
					   " THEN NULL ELSE pg_catalog.clock_timestamp() END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND lease_id OPERATOR(pg_catalog.=) $3"
					   " RETURNING id, organization_id, quota_reserved, status, from_number, to_number,"
					   " segments, source",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID);
	Datum		values[7];
	bool		nulls[7];

	platform_copy_arguments(fcinfo, 0, 7, values, nulls);
	if (platform_query_run(&finish, values, nulls) == 0)
		return false;
	completed->ended = *read_ended(1);
	completed->status = platform_row_cstring(0, 4);
	completed->from_number = platform_row_cstring(0, 5);
	completed->to_number = platform_row_cstring(0, 6);
	completed->segments = platform_row_int32(0, 7);
	completed->source = platform_row_cstring(0, 8);
	return true;
}

/* It is out: it counts as used, shows in the conversation, and holds that. */
static void
after_sent(const Completed *completed, const char *provider_message_id)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.messages SET status = 'sent', provider_message_id = $3"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID);
	const pg_uuid_t *organization = &completed->ended.organization;
	const SmsSource *source = platform_sms_source(completed->source);
	SmsSettings settings;
	pg_uuid_t	owner;
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = UUIDPGetDatum(&completed->ended.id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = platform_sms_text_or_null(provider_message_id, &nulls[2]);
	platform_query_run(&mark, values, nulls);
	if (completed->ended.reserved && platform_sms_quota != NULL)
		platform_sms_quota->commit(organization, &completed->ended.id, completed->segments,
								   completed->to_number, provider_message_id);
	if ((source == NULL || !source->operators_only) &&
		platform_sms_find_number(completed->from_number, &owner) == SMS_NUMBER_SHARED &&
		platform_sms_settings(organization, &settings))
		platform_sms_lock_thread(completed->to_number, completed->from_number, &settings,
								 GetCurrentTimestamp(), false);
	settle(&completed->ended, "sent", NULL);
}

PG_FUNCTION_INFO_V1(platform_complete_sms);

/*
 * platform.complete_sms(organization_id uuid, sms_id uuid, lease_id uuid,
 *						 result text DEFAULT 'sent', provider_message_id text DEFAULT NULL,
 *						 error text DEFAULT NULL, retry_in interval DEFAULT '1 minute')
 *		RETURNS text
 *
 * What became of a claimed message: sent; failed; or retry, which puts it back for
 * retry_in from now, or fails it when that was its last attempt. Sent, its
 * quota is used and on a shared number the conversation is the organization's for 72
 * hours; failed, its quota is free again. Returns the status; NULL, and nothing is
 * changed, when the message is no longer the lease's. Members: their organization.
 * Errors: 22004; 22023; 42501; 23505 the provider's key is another message's;
 * 25006.
 */
Datum
platform_complete_sms(PG_FUNCTION_ARGS)
{
	static const char *const results[] = {"sent", "failed", "retry", NULL};
	const char *provider_message_id = NULL;
	const char *error = NULL;
	text	   *value;
	Completed	completed;

	(void) platform_sms_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "sms_id");
	platform_require_argument(fcinfo, 2, "lease_id");
	(void) platform_sms_word(fcinfo, 3, "result", results);
	if ((value = platform_optional_text(fcinfo, 4, "provider_message_id", SMS_KEY_MAX)) != NULL)
		provider_message_id = text_to_cstring(value);
	if ((value = platform_optional_text(fcinfo, 5, "error", ERROR_MAX)) != NULL)
		error = text_to_cstring(value);
	(void) platform_require_interval(fcinfo, 6, "retry_in", true, RETRY_DAYS);

	platform_query_begin();
	if (!complete(fcinfo, &completed))
	{
		platform_query_end();
		PG_RETURN_NULL();
	}
	if (strcmp(completed.status, "sent") == 0)
		after_sent(&completed, provider_message_id);
	else if (strcmp(completed.status, "queued") == 0)
		fail_message(&completed.ended);
	else
		give_up(&completed.ended, 1, "failed", error);
	if (strcmp(completed.status, "queued") != 0)
		platform_sms_event(&completed.ended.organization,
						   strcmp(completed.status, "sent") == 0 ? "sms.sent" : "sms.failed",
						   &completed.ended.id, completed.to_number, error);
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(completed.status));
}

PG_FUNCTION_INFO_V1(platform_record_sms_status);

/*
 * platform.record_sms_status(provider_message_id text, status text,
 *							  error text DEFAULT NULL)
 *		RETURNS text
 *
 * What the provider reports of a message that was sent: delivered; failed or
 * undelivered; other reports (queued, sending, sent) change nothing. Reports may come
 * twice and in any order: what was delivered stays so. Returns the message's status
 * here; NULL when there is none with that key. Operators. Errors: 22004; 22023; 42501;
 * 25006.
 */
Datum
platform_record_sms_status(PG_FUNCTION_ARGS)
{
	static const char *const statuses[] = {
		"delivered", "failed", "undelivered", "accepted", "scheduled", "queued", "sending", "sent", "read", NULL
	};
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH s AS (UPDATE platform.outbound_sms_log SET status = $2,"
					   " error_message = COALESCE($3, error_message),"
					   " delivered_at = CASE WHEN $2 OPERATOR(pg_catalog.=) 'delivered'"
					   " THEN pg_catalog.clock_timestamp() END"
					   " WHERE provider_message_id OPERATOR(pg_catalog.=) $1"
					   " AND (status OPERATOR(pg_catalog.=) 'sent'"
					   " OR (status OPERATOR(pg_catalog.=) 'failed' AND $2 OPERATOR(pg_catalog.=) 'delivered'))"
					   " RETURNING id, organization_id, to_number),"
					   " m AS (UPDATE platform.messages m SET status = $2,"
					   " failed_at = CASE WHEN $2 OPERATOR(pg_catalog.=) 'failed'"
					   " THEN pg_catalog.clock_timestamp() END"
					   " FROM s WHERE m.id OPERATOR(pg_catalog.=) s.id"
					   " AND m.organization_id OPERATOR(pg_catalog.=) s.organization_id)"
					   " SELECT id, organization_id, to_number FROM s",
					   TEXTOID, TEXTOID, TEXTOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT status FROM platform.outbound_sms_log"
					   " WHERE provider_message_id OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	Datum		values[3];
	bool		nulls[3] = {false};
	char	   *status;
	text	   *error;

	platform_require_module(&platform_messaging_module);
	platform_require_operator("report the status of messages");
	platform_require_argument(fcinfo, 0, "provider_message_id");
	status = platform_sms_word(fcinfo, 1, "status", statuses);
	error = platform_optional_text(fcinfo, 2, "error", ERROR_MAX);
	if (strcmp(status, "undelivered") == 0)
		status = "failed";
	if (strcmp(status, "read") == 0)
		status = "delivered";
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(status);
	values[2] = PointerGetDatum(error);
	nulls[2] = error == NULL;

	platform_query_begin();
	if ((strcmp(status, "delivered") == 0 || strcmp(status, "failed") == 0) &&
		platform_query_run(&update, values, nulls) > 0)
	{
		pg_uuid_t	id = platform_row_uuid(0, 1);
		pg_uuid_t	organization = platform_row_uuid(0, 2);
		char	   *phone = platform_row_cstring(0, 3);

		platform_sms_event(&organization,
						   strcmp(status, "failed") == 0 ? "sms.failed" : "sms.delivered",
						   &id, phone, error == NULL ? NULL : text_to_cstring(error));
	}
	status = platform_query_run(&find, values, nulls) > 0 ? platform_row_cstring(0, 1) : NULL;
	platform_query_end();
	if (status == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}

PG_FUNCTION_INFO_V1(platform_cancel_sms);

/*
 * platform.cancel_sms(organization_id uuid, sms_id uuid) RETURNS boolean
 *
 * The message is not to be sent; its quota is free again. False when it is on its way
 * or over. Members: their organization. Errors: 22004; 42501; PT404 no such
 * message; 25006.
 */
Datum
platform_cancel_sms(PG_FUNCTION_ARGS)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log SET status = 'canceled',"
					   " finished_at = pg_catalog.clock_timestamp()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'queued'"
					   " RETURNING id, organization_id, quota_reserved",
					   UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.outbound_sms_log"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	uint64		count;

	(void) platform_sms_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "sms_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	count = platform_query_run(&cancel, values, NULL);
	if (count == 0 && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("message");
	if (count > 0)
		platform_sms_after_cancel(count, "canceled");
	platform_query_end();
	PG_RETURN_BOOL(count > 0);
}
