/*
 * automation.c
 *	  Messages that are sent later, by themselves: schedule_sms(),
 *	  cancel_scheduled_sms(), run_sms_automation().
 *
 * They are rows, so a restart loses none. When one is due it is sent as any message
 * is, with all the checks of that moment; what is refused is skipped, with the
 * reason. Its row of the automation log is found by its own id ever after.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/timezone.h"
#include "messaging/messaging.h"

#define RUN_MAX			1000
#define DELAY_DAYS_MAX	400
#define POST_CALL_DELAY	(60 * USECS_PER_SEC)
#define REVIEW_DELAY	USECS_PER_DAY

static const char *const automation_types[] = {"post_call", "review_request", "appointment_reminder", NULL};
static const char *const automation_sources[] = {"auto_post_call", "auto_review_request", "auto_reminder"};

static int
type_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = platform_sms_word(fcinfo, argument, "automation_type", automation_types);
	int			i = 0;

	while (strcmp(automation_types[i], name) != 0)
		i++;
	return i;
}

PG_FUNCTION_INFO_V1(platform_schedule_sms);

/*
 * platform.schedule_sms(organization_id uuid, automation_type text, to_number text,
 *						 body text DEFAULT NULL, variables jsonb DEFAULT '{}',
 *						 delay interval DEFAULT NULL, dedup_key text DEFAULT NULL,
 *						 timezone text DEFAULT NULL, lead_id uuid DEFAULT NULL,
 *						 appointment_id uuid DEFAULT NULL, call_id uuid DEFAULT NULL,
 *						 region text DEFAULT 'US', language text DEFAULT NULL)
 *		RETURNS uuid
 *
 * A message for later: post_call (60 seconds from now unless delay says otherwise),
 * review_request (a day), appointment_reminder (at once). body NULL: the
 * organization's text of that kind in that language (NULL: the organization's) with the variables put in. dedup_key NULL: the
 * kind with call_id, appointment_id or lead_id, if one is given: one message for
 * each; a key that was used returns that row. Members: their organization. Errors:
 * 22004; 22023; 42501; PT404 no such organization; PT422 no telephone number; 25006.
 */
Datum
platform_schedule_sms(PG_FUNCTION_ARGS)
{
	static const SmsText kinds[] = {SMS_TEXT_POST_CALL, SMS_TEXT_REVIEW_REQUEST, SMS_TEXT_APPOINTMENT_REMINDER};
	static const int64 delays[] = {POST_CALL_DELAY, REVIEW_DELAY, 0};
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_automation_log (organization_id, run_at,"
					   " automation_type, to_number, message_body, dedup_key, timezone, lead_id,"
					   " appointment_id, call_id, metadata, user_id)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
					   " ON CONFLICT (organization_id, dedup_key)"
					   " DO UPDATE SET dedup_key = excluded.dedup_key RETURNING id",
					   UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID,
					   UUIDOID, UUIDOID, JSONBOID, UUIDOID);
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	int			type = type_argument(fcinfo, 1);
	char	   *phone = platform_sms_phone(fcinfo, 2, "to_number", 11);
	text	   *body = platform_optional_text(fcinfo, 3, "body", SMS_BODY_MAX);
	text	   *key = platform_optional_text(fcinfo, 6, "dedup_key", SMS_KEY_MAX);
	const char *language = platform_sms_language(fcinfo, 12);
	int64		delay = PG_ARGISNULL(5) ? delays[type] :
		platform_require_interval(fcinfo, 5, "delay", true, DELAY_DAYS_MAX);
	const pg_uuid_t *user = platform_current_user();
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[12];
	bool		nulls[12] = {false};

	platform_require_argument(fcinfo, 4, "variables");
	if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(4)))
		platform_bad_argument("variables must be an object");
	if (!PG_ARGISNULL(7))
		platform_require_timezone(text_to_cstring(PG_GETARG_TEXT_PP(7)));
	if (body == NULL)
		body = platform_sms_rendered(organization, kinds[type], language, PG_GETARG_JSONB_P(4));
	for (int i = 10; i >= 8 && key == NULL; i--)
	{
		if (!PG_ARGISNULL(i))
			key = cstring_to_text(psprintf("%s:%s", automation_types[type],
										   DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(i)))));
	}
	values[0] = UUIDPGetDatum(organization);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp() + delay);
	values[2] = PG_GETARG_DATUM(1);
	values[3] = CStringGetTextDatum(phone);
	values[4] = PointerGetDatum(body);
	values[5] = PointerGetDatum(key);
	nulls[5] = key == NULL;
	platform_copy_arguments(fcinfo, 7, 4, values + 6, nulls + 6);
	values[10] = PG_GETARG_DATUM(4);
	values[11] = UUIDPGetDatum(user);
	nulls[11] = user == NULL;
	platform_query_begin();
	platform_query_run(&insert, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

PG_FUNCTION_INFO_V1(platform_cancel_scheduled_sms);

/*
 * platform.cancel_scheduled_sms(organization_id uuid, automation_id uuid) RETURNS boolean
 *
 * It will not be sent. False when it is no longer pending: cancel_sms() takes back
 * what is queued. Members: their organization. Errors: 22004; 42501; PT404 no such
 * message; 25006.
 */
Datum
platform_cancel_scheduled_sms(PG_FUNCTION_ARGS)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_automation_log SET status = 'skipped',"
					   " error_message = 'canceled'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'pending'",
					   UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.sms_automation_log"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		canceled;

	(void) platform_sms_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "automation_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	canceled = platform_query_run(&cancel, values, NULL) > 0;
	if (!canceled && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("message");
	platform_query_end();
	PG_RETURN_BOOL(canceled);
}

/* A row that is due. */
typedef struct Due
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	char	   *type;
	char	   *to_number;
	char	   *body;
	char	   *timezone;
	bool		has_lead;
	pg_uuid_t	lead;
	bool		has_user;
	pg_uuid_t	user;
} Due;

typedef enum DueResult
{
	DUE_QUEUED,
	DUE_SKIPPED,
	DUE_POSTPONED
} DueResult;

static bool
is_momentary(const char *reason)
{
	return strcmp(reason, "OUTBOUND_THROTTLE") == 0 || strcmp(reason, "SENDING_DISABLED") == 0;
}

/* Sends it by its own id as the key: once, however often it is tried. */
static DueResult
send_due(const Due *due)
{
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_automation_log SET status = $3, sms_id = $4,"
					   " error_message = $5, run_at = CASE WHEN $3 OPERATOR(pg_catalog.=) 'pending'"
					   " THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '1 minute'::pg_catalog.interval"
					   " ELSE run_at END"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID);
	static const char *const statuses[] = {"queued", "skipped", "pending"};
	SmsSend		send = {
		.organization = due->organization, .to_number = due->to_number, .body = due->body,
		.timezone = due->timezone, .send_after = DT_NOBEGIN,
		.lead = due->has_lead ? &due->lead : NULL, .user = due->has_user ? &due->user : NULL,
	};
	SmsSendAnswer answer;
	DueResult	result = DUE_QUEUED;
	Datum		values[5];
	bool		nulls[5] = {false};
	int			type = 0;

	while (strcmp(automation_types[type], due->type) != 0)
		type++;
	send.source = automation_sources[type];
	send.idempotency_key = psprintf("automation:%s",
									DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&due->id))));
	platform_sms_send(&send, &answer);
	if (answer.reason != NULL)
		result = is_momentary(answer.reason) ? DUE_POSTPONED : DUE_SKIPPED;
	values[0] = UUIDPGetDatum(&due->id);
	values[1] = UUIDPGetDatum(&due->organization);
	values[2] = CStringGetTextDatum(statuses[result]);
	values[3] = UUIDPGetDatum(&answer.id);
	nulls[3] = answer.reason != NULL;
	values[4] = platform_sms_text_or_null(answer.reason, &nulls[4]);
	platform_query_begin();
	platform_query_run(&finish, values, nulls);
	platform_query_end();
	return result;
}

static Due *
take_due(int limit, uint64 *count)
{
	static PlatformQuery take =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT id, organization_id, automation_type, to_number, message_body, timezone,"
					   " lead_id, user_id FROM platform.sms_automation_log"
					   " WHERE status OPERATOR(pg_catalog.=) 'pending'"
					   " AND run_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " ORDER BY run_at, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
					   INT4OID);
	Datum		values[1] = {Int32GetDatum(limit)};
	Due		   *due;
	MemoryContext context = CurrentMemoryContext;

	platform_query_begin();
	*count = platform_query_run(&take, values, NULL);
	due = MemoryContextAllocZero(context, (*count + 1) * sizeof(Due));
	for (uint64 i = 0; i < *count; i++)
	{
		bool		isnull;

		due[i].id = platform_row_uuid(i, 1);
		due[i].organization = platform_row_uuid(i, 2);
		due[i].type = platform_row_cstring(i, 3);
		due[i].to_number = platform_row_cstring(i, 4);
		due[i].body = platform_row_cstring(i, 5);
		due[i].timezone = platform_row_cstring(i, 6);
		(void) platform_row_datum(i, 7, &isnull);
		if ((due[i].has_lead = !isnull))
			due[i].lead = platform_row_uuid(i, 7);
		(void) platform_row_datum(i, 8, &isnull);
		if ((due[i].has_user = !isnull))
			due[i].user = platform_row_uuid(i, 8);
	}
	platform_query_end();
	return due;
}

PG_FUNCTION_INFO_V1(platform_run_sms_automation);

/*
 * platform.run_sms_automation("limit" integer DEFAULT 100)
 *		RETURNS (queued integer, skipped integer, postponed integer)
 *
 * Queues what was scheduled and is due, at most limit rows (1 to 1000): run it every
 * few seconds, from as many sessions as you like. What send_sms() refuses is skipped with
 * the reason, but for a full minute (OUTBOUND_THROTTLE) or sending switched off
 * (SENDING_DISABLED): then it is tried again a minute later. Operators. Errors:
 * 22004; 22023; 42501; 25006.
 */
Datum
platform_run_sms_automation(PG_FUNCTION_ARGS)
{
	Datum		values[3];
	bool		nulls[3] = {false};
	int			queued = 0;
	int			skipped = 0;
	int			postponed = 0;
	uint64		count;
	Due		   *due;

	platform_require_module(&platform_messaging_module);
	platform_require_operator("run scheduled messages");
	(void) platform_limit_argument(fcinfo, 0, RUN_MAX);
	due = take_due(PG_GETARG_INT32(0), &count);
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		switch (send_due(&due[i]))
		{
			case DUE_QUEUED:
				queued++;
				break;
			case DUE_SKIPPED:
				skipped++;
				break;
			case DUE_POSTPONED:
				postponed++;
				break;
		}
	}
	values[0] = Int32GetDatum(queued);
	values[1] = Int32GetDatum(skipped);
	values[2] = Int32GetDatum(postponed);
	return platform_return_row(fcinfo, values, nulls);
}
