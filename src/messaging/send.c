/*
 * send.c
 *	  send_sms(): a message is checked, paid for and queued, or refused.
 *
 * The order: number, settings, source, opt-out, our number and the name of the
 * business, quiet hours, a place in the minute, quota, the row. From the opt-out on
 * the customer's mutex is shared, so that no opt-out slips in between; the last
 * three are undone together when one of them refuses.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/gate.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/row.h"
#include "core/timezone.h"
#include "core/try.h"
#include "core/uuid7.h"
#include "messaging/messaging.h"

/* A message on its way into the queue. */
typedef struct Sending
{
	const SmsSend *send;
	SmsSettings settings;
	SmsSource	source;
	char	   *from_number;
	char	   *body;
	SmsSize		size;
	bool		may_wait;
	TimestampTz due;
	pg_uuid_t	id;
	const char *reason;
} Sending;

/* The message with that key; PT409 when it is another one. Within a query pair. */
static bool
find_existing(const SmsSend *send, SmsSendAnswer *answer)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id, status, segments, send_after,"
					   " to_number OPERATOR(pg_catalog.=) $3 AND source OPERATOR(pg_catalog.=) $4"
					   " AND pg_catalog.right(body, pg_catalog.length($5)) OPERATOR(pg_catalog.=) $5"
					   " FROM platform.outbound_sms_log"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND idempotency_key OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID);
	Datum		values[5];

	if (send->idempotency_key == NULL)
		return false;
	values[0] = UUIDPGetDatum(&send->organization);
	values[1] = CStringGetTextDatum(send->idempotency_key);
	values[2] = CStringGetTextDatum(send->to_number);
	values[3] = CStringGetTextDatum(send->source);
	values[4] = CStringGetTextDatum(send->body);
	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	if (!platform_row_bool(0, 5))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("idempotency_key is in use for another message")));
	answer->id = platform_row_uuid(0, 1);
	answer->status = platform_row_cstring(0, 2);
	answer->segments = platform_row_int32(0, 3);
	answer->send_after = platform_row_timestamptz_or(0, 4, DT_NOBEGIN);
	answer->created = false;
	answer->reason = NULL;
	return true;
}

/*
 * Our number for the message: its own one, else a shared one: that on which the
 * organization has the customer's conversation, else one on which nobody has it,
 * else any. Returns whether it is shared; *number NULL: there is none.
 */
static bool
choose_number(const SmsSend *send, char **number)
{
	static PlatformQuery choose =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT n.phone_number, n.organization_id IS NULL"
					   " FROM platform.sms_numbers n LEFT JOIN platform.sms_thread_locks l"
					   " ON l.from_number OPERATOR(pg_catalog.=) $2"
					   " AND l.to_number OPERATOR(pg_catalog.=) n.phone_number"
					   " AND l.locked_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()"
					   " WHERE n.is_active"
					   " AND (n.organization_id OPERATOR(pg_catalog.=) $1 OR n.organization_id IS NULL)"
					   " AND ($3 IS NULL OR n.phone_number OPERATOR(pg_catalog.=) $3)"
					   " ORDER BY n.organization_id IS NULL,"
					   " CASE WHEN l.organization_id OPERATOR(pg_catalog.=) $1 THEN 0"
					   " WHEN l.organization_id IS NULL THEN 1 ELSE 2 END, n.phone_number LIMIT 1",
					   UUIDOID, TEXTOID, TEXTOID);
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = UUIDPGetDatum(&send->organization);
	values[1] = CStringGetTextDatum(send->to_number);
	values[2] = platform_sms_text_or_null(send->from_number, &nulls[2]);
	*number = NULL;
	if (platform_query_run(&choose, values, nulls) == 0)
		return false;
	*number = platform_row_cstring(0, 1);
	return platform_row_bool(0, 2);
}

/* What does not change while it waits for others; within a query pair. */
static const char *
prepare(Sending *sending)
{
	const SmsSend *send = sending->send;
	TimestampTz now = GetCurrentTimestamp();
	const SmsSource *source;
	const char *reason;
	SmsOptOutState state;
	bool		shared;

	reason = platform_sms_closed_gate(&sending->settings, send->source, &source);
	if (reason != NULL)
		return reason;
	sending->source = *source;

	platform_sms_share_phone(send->to_number);
	state = platform_sms_opt_out_state(&send->organization, send->to_number);
	if (state != SMS_WANTED && !sending->source.ignores_opt_out)
		return state == SMS_OPTED_OUT ? "OPTED_OUT" : "OPTED_OUT_EVERYWHERE";

	shared = choose_number(send, &sending->from_number);
	if (sending->from_number == NULL)
		return "NO_SENDER_NUMBER";
	sending->body = shared && !sending->source.operators_only ?
		psprintf("[%s] %s", sending->settings.business, send->body) : pstrdup(send->body);
	if (pg_mbstrlen(sending->body) > SMS_BODY_MAX)
		return "MESSAGE_TOO_LONG";
	platform_sms_measure(sending->body, strlen(sending->body), &sending->size);

	sending->due = Max(now, send->send_after);
	if (sending->source.quiet_hours)
		sending->due = platform_sms_after_quiet_hours(&sending->settings, send->timezone,
													  sending->due);
	sending->may_wait = sending->due > now;
	return NULL;
}

static bool
insert_message(const Sending *sending)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.outbound_sms_log (id, organization_id, send_after,"
					   " from_number, to_number, body, segments, encoding, source, idempotency_key,"
					   " user_id, lead_id, quota_reserved)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
					   " ON CONFLICT (organization_id, idempotency_key) DO NOTHING",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID,
					   TEXTOID, TEXTOID, UUIDOID, UUIDOID, BOOLOID);
	const SmsSend *send = sending->send;
	Datum		values[13];
	bool		nulls[13] = {false};

	values[0] = UUIDPGetDatum(&sending->id);
	values[1] = UUIDPGetDatum(&send->organization);
	values[2] = TimestampTzGetDatum(sending->due);
	values[3] = CStringGetTextDatum(sending->from_number);
	values[4] = CStringGetTextDatum(send->to_number);
	values[5] = CStringGetTextDatum(sending->body);
	values[6] = Int32GetDatum(sending->size.segments);
	values[7] = CStringGetTextDatum(sending->size.encoding);
	values[8] = CStringGetTextDatum(send->source);
	values[9] = platform_sms_text_or_null(send->idempotency_key, &nulls[9]);
	values[10] = UUIDPGetDatum(send->user);
	nulls[10] = send->user == NULL;
	values[11] = UUIDPGetDatum(send->lead);
	nulls[11] = send->lead == NULL;
	values[12] = BoolGetDatum(platform_sms_quota != NULL);
	return platform_insert_once(&insert, values, nulls);
}

/* In a subtransaction: false undoes the place and the quota. */
static bool
take_and_insert(void *arg)
{
	Sending    *sending = arg;
	const pg_uuid_t *organization = &sending->send->organization;
	const pg_uuid_t *user = platform_current_user();

	if (user != NULL && !sending->may_wait && !platform_caller_is_operator())
	{
		TimestampTz due = sending->due;

		if (!platform_sms_take_place(organization, user, SMS_USER_PER_MINUTE, false, &due))
		{
			sending->reason = "USER_THROTTLE";
			return false;
		}
	}
	if (!platform_sms_take_place(organization, NULL, sending->settings.per_minute,
								 sending->may_wait, &sending->due))
		sending->reason = "OUTBOUND_THROTTLE";
	else if (platform_sms_quota != NULL)
		sending->reason = platform_sms_quota->reserve(organization, &sending->id,
													  sending->size.segments);
	return sending->reason == NULL && insert_message(sending);
}

void
platform_sms_send(const SmsSend *send, SmsSendAnswer *answer)
{
	Sending		sending = {.send = send};

	memset(answer, 0, sizeof(*answer));
	if (send->to_number == NULL)
	{
		answer->reason = "INVALID_PHONE";
		return;
	}
	platform_query_begin();
	if (find_existing(send, answer))
	{
		platform_query_end();
		return;
	}
	if (!platform_sms_settings(&send->organization, &sending.settings))
		platform_no_such_organization(&send->organization);
	answer->reason = prepare(&sending);
	if (answer->reason != NULL)
	{
		platform_query_end();
		return;
	}
	platform_make_uuid7(&sending.id);
	answer->created = platform_subtransaction(take_and_insert, &sending);
	answer->reason = sending.reason;
	/* Another session used the key first: what was taken for this one is given back. */
	if (!answer->created && sending.reason == NULL && !find_existing(send, answer))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not queue the message"),
				 errhint("Try it again.")));
	platform_query_end();
	if (answer->created)
	{
		answer->id = sending.id;
		answer->status = "queued";
		answer->segments = sending.size.segments;
		answer->send_after = sending.due;
	}
}

PG_FUNCTION_INFO_V1(platform_send_sms);

/*
 * platform.send_sms(organization_id uuid, to_number text, body text, source text,
 *					 idempotency_key text DEFAULT NULL, send_after timestamptz DEFAULT NULL,
 *					 timezone text DEFAULT NULL, from_number text DEFAULT NULL,
 *					 user_id uuid DEFAULT NULL, lead_id uuid DEFAULT NULL,
 *					 region text DEFAULT 'US')
 *		RETURNS (id uuid, status text, reason text, segments integer,
 *				 due_at timestamptz, created boolean)
 *
 * Queues a message, or refuses it: then status is refused, reason says why, and
 * nothing was counted. With a key that was used before: that message, created
 * is false. Not before send_after, nor in quiet hours by the customer's time zone
 * (NULL: the organization's) for sources that respect them. from_number NULL:
 * the organization's own number, else a shared one, where the text is preceded by
 * [name of the business]. user_id NULL: the caller. Members: their organization, in
 * their own name. Errors: 22004; 22023; 42501; PT404 no such organization; PT409
 * the key was used for another message; 23503 no such user; 25006.
 */
Datum
platform_send_sms(PG_FUNCTION_ARGS)
{
	SmsSend		send = {0};
	SmsSendAnswer answer;
	const PlatformPhoneRegion *region;
	const pg_uuid_t *self;
	text	   *number;
	text	   *text_value;
	char		e164[PLATFORM_E164_SIZE];
	Datum		values[6];
	bool		nulls[6] = {false};

	send.organization = *platform_sms_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "to_number");
	platform_require_argument(fcinfo, 2, "body");
	platform_require_argument(fcinfo, 3, "source");
	platform_require_argument(fcinfo, 10, "region");
	region = platform_require_phone_region(PG_GETARG_TEXT_PP(10));
	number = PG_GETARG_TEXT_PP(1);
	if (platform_normalize_phone(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number), region, e164))
		send.to_number = e164;
	send.body = text_to_cstring(platform_optional_text(fcinfo, 2, "body", SMS_BODY_MAX));
	send.source = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if ((text_value = platform_optional_text(fcinfo, 4, "idempotency_key", SMS_KEY_MAX)) != NULL)
		send.idempotency_key = text_to_cstring(text_value);
	send.send_after = PG_ARGISNULL(5) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(5);
	if (TIMESTAMP_IS_NOEND(send.send_after))
		platform_bad_argument("send_after must be a moment");
	if (!PG_ARGISNULL(6))
	{
		send.timezone = text_to_cstring(PG_GETARG_TEXT_PP(6));
		platform_require_timezone(send.timezone);
	}
	if (!PG_ARGISNULL(7))
		send.from_number = platform_sms_phone(fcinfo, 7, "from_number", 10);
	self = platform_current_user();
	send.user = PG_ARGISNULL(8) ? self : PG_GETARG_UUID_P(8);
	if (send.user != NULL && (self == NULL || !platform_uuid_equal(self, send.user)))
		platform_require_operator("send messages in the name of others");
	send.lead = PG_ARGISNULL(9) ? NULL : PG_GETARG_UUID_P(9);
	if (send.user != NULL)
		send.user = memcpy(palloc(sizeof(pg_uuid_t)), send.user, sizeof(pg_uuid_t));

	platform_sms_send(&send, &answer);
	memset(nulls, answer.reason != NULL, sizeof(nulls));
	values[0] = UUIDPGetDatum(&answer.id);
	values[1] = CStringGetTextDatum(answer.reason != NULL ? "refused" : answer.status);
	nulls[1] = false;
	values[2] = platform_sms_text_or_null(answer.reason, &nulls[2]);
	values[3] = Int32GetDatum(answer.segments);
	values[4] = TimestampTzGetDatum(answer.send_after);
	values[5] = BoolGetDatum(answer.created);
	nulls[5] = false;
	return platform_return_row(fcinfo, values, nulls);
}
