/*
 * receive.c
 *	  receive_sms(): a message arrives.
 *
 * The order: seen before; stored as it came; opting out and in; the customer's
 * limit; the answer to an open question; for whom it is; other commands. All of
 * it under the customer's mutex, so that two messages of one customer do not
 * race. What is not known to be an organization's is nobody's: it waits in
 * sms_inbound.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/row.h"
#include "core/uuid7.h"
#include "messaging/messaging.h"

#define LIMIT_10MIN			5
#define LIMIT_DAY			20
#define LIMIT_WINDOW		(10 * USECS_PER_MINUTE)
#define QUESTION_EXPIRES	USECS_PER_HOUR

/* A message that arrived, and what becomes of it. */
typedef struct Inbound
{
	const char *from;
	const char *to;
	const char *body;
	const char *provider_message_id;
	TimestampTz received_at;
	TimestampTz now;
	SmsNumber	number;
	SmsClass	class;
	SmsRoute	found;

	const char *route;
	const char *method;
	bool		has_organization;
	pg_uuid_t	organization;
	bool		has_message;
	pg_uuid_t	message;
	const char *keyword;
	const char *reply;
	const char *action;
	SmsSettings settings;		/* when has_organization */
} Inbound;

/* Stores it as it came; false when it came before. */
static bool
store(const Inbound *in)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_inbound (provider_message_id, from_number, to_number,"
					   " body, received_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
					   " ON CONFLICT (provider_message_id) DO NOTHING",
					   TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	Datum		values[6];

	values[0] = CStringGetTextDatum(in->provider_message_id);
	values[1] = CStringGetTextDatum(in->from);
	values[2] = CStringGetTextDatum(in->to);
	values[3] = CStringGetTextDatum(in->body);
	values[4] = TimestampTzGetDatum(in->received_at);
	values[5] = TimestampTzGetDatum(in->now);
	return platform_insert_once(&insert, values, NULL);
}

/* What became of it the first time. */
static void
read_stored(Inbound *in)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT route, method, organization_id, message_id, keyword, auto_reply"
					   " FROM platform.sms_inbound WHERE provider_message_id OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	Datum		values[1] = {CStringGetTextDatum(in->provider_message_id)};
	bool		isnull;

	if (platform_query_run(&find, values, NULL) == 0)
		elog(ERROR, "a message that was stored is gone");
	in->route = platform_row_cstring(0, 1);
	in->method = platform_row_cstring(0, 2);
	(void) platform_row_datum(0, 3, &isnull);
	if ((in->has_organization = !isnull))
		in->organization = platform_row_uuid(0, 3);
	(void) platform_row_datum(0, 4, &isnull);
	if ((in->has_message = !isnull))
		in->message = platform_row_uuid(0, 4);
	in->keyword = platform_row_cstring(0, 5);
	in->reply = platform_row_cstring(0, 6);
}

static void
give_to(Inbound *in, const pg_uuid_t *organization, SmsMethod method)
{
	in->organization = *organization;
	in->has_organization = platform_sms_settings(organization, &in->settings);
	if (in->has_organization)
	{
		in->route = "organization";
		in->method = platform_sms_method_name(method);
	}
}

/* An answer: of the organization if there is one, in the customer's language if that is known. */
static const char *
reply(const Inbound *in, SmsText kind, const char *options)
{
	SmsValues	values = {{NULL}};
	SmsSettings platform;
	const SmsSettings *settings = &in->settings;

	if (!in->has_organization)
	{
		if (!platform_sms_settings(&platform_nil_uuid, &platform))
			elog(ERROR, "the default organization is missing");
		settings = &platform;
	}
	else
	{
		values.values[SMS_BUSINESS] = settings->business;
		values.values[SMS_PHONE] = settings->help_phone != NULL ? settings->help_phone : in->to;
	}
	values.values[SMS_OPTIONS] = options;
	return platform_sms_compose(&settings->organization, kind,
								platform_sms_reply_language(&in->class, settings->language), &values);
}

/* A message that belongs to the organization: a row of messages, and an event. */
static void
deliver(const pg_uuid_t *organization, const pg_uuid_t *id, const char *from, const char *to,
		const char *body, const char *provider_message_id, const char *keyword, bool auto_handled,
		const char *method, TimestampTz came_at)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.messages (id, organization_id, direction, from_number,"
					   " to_number, thread_id, body, segments, provider_message_id, keyword_detected,"
					   " auto_handled, routing_method, created_at)"
					   " VALUES ($1, $2, 'inbound', $3, $4, $3, $5, $6, $7, $8, $9, $10, $11)",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, BOOLOID,
					   TEXTOID, TIMESTAMPTZOID);
	Datum		values[11];
	bool		nulls[11] = {false};
	SmsSize		size;

	platform_sms_measure(body, strlen(body), &size);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = CStringGetTextDatum(from);
	values[3] = CStringGetTextDatum(to);
	values[4] = CStringGetTextDatum(body);
	values[5] = Int32GetDatum(size.segments);
	values[6] = CStringGetTextDatum(provider_message_id);
	values[7] = platform_sms_text_or_null(keyword, &nulls[7]);
	values[8] = BoolGetDatum(auto_handled);
	values[9] = platform_sms_text_or_null(method, &nulls[9]);
	values[10] = TimestampTzGetDatum(came_at);
	platform_query_run(&insert, values, nulls);
	platform_sms_event(organization, "sms.received", id, from, keyword);
}

/* Whose conversation it is, if that is known: for commands to all of a shared number. */
static void
find_owner(Inbound *in)
{
	if (in->has_organization || in->number != SMS_NUMBER_SHARED)
		return;
	platform_sms_route(in->from, in->to, in->now, false, &in->found);
	if (in->found.method != SMS_METHOD_NONE)
		give_to(in, &in->found.organization, in->found.method);
}

/*
 * STOP and START. On a dedicated number to its organization; on a shared one, or
 * one that is nobody's, to all, and to whom the customer was talking with.
 * Answered only when it changes something: two robots do not talk for ever.
 */
static void
opt_out_or_in(Inbound *in)
{
	bool		out = in->class.keyword == SMS_OPT_OUT;
	SmsOptOut	wish = {
		.phone = in->from, .channel = "sms", .to_number = in->to,
		.keyword = in->keyword, .message_id = in->provider_message_id,
	};
	bool		changed = false;

	find_owner(in);
	if (in->has_organization)
	{
		wish.organization = &in->organization;
		changed = out ? platform_sms_opt_out(&wish) : platform_sms_opt_in(&wish);
	}
	if (in->number != SMS_NUMBER_DEDICATED)
	{
		wish.organization = &platform_nil_uuid;
		wish.everywhere = true;
		changed |= out ? platform_sms_opt_out(&wish) : platform_sms_opt_in(&wish);
	}
	if (!in->has_organization)
		in->route = "keyword";
	in->action = out ? "opted_out" : "opted_in";
	if (!changed)
		in->action = out ? "was_opted_out" : "was_opted_in";
	else if (out || !in->has_organization ||
			 platform_sms_opt_out_state(&in->organization, in->from) == SMS_WANTED)
		in->reply = reply(in, out ? SMS_TEXT_OPT_OUT : in->has_organization ? SMS_TEXT_OPT_IN : SMS_TEXT_SHARED_OPT_IN, NULL);
	else
		in->reply = reply(in, SMS_TEXT_OPT_IN_ELSEWHERE, NULL);
}

/* The customer's limit: true when the message is beyond it; the first one is told so. */
static bool
is_too_much(Inbound *in)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT window_date, window_start, count_10min, count_daily, blocked_until"
					   " FROM platform.sms_inbound_rate_limits"
					   " WHERE from_number OPERATOR(pg_catalog.=) $1"
					   " ORDER BY window_date DESC LIMIT 1",
					   TEXTOID);
	static PlatformQuery write =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_inbound_rate_limits (from_number, window_date,"
					   " window_start, count_10min, count_daily, last_message_at, blocked_until,"
					   " block_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
					   " ON CONFLICT (from_number, window_date) DO UPDATE"
					   " SET window_start = excluded.window_start, count_10min = excluded.count_10min,"
					   " count_daily = excluded.count_daily, last_message_at = excluded.last_message_at,"
					   " blocked_until = excluded.blocked_until, block_reason = excluded.block_reason",
					   TEXTOID, DATEOID, TIMESTAMPTZOID, INT4OID, INT4OID, TIMESTAMPTZOID,
					   TIMESTAMPTZOID, TEXTOID);
	DateADT		today = (DateADT) (in->now / USECS_PER_DAY);
	TimestampTz window_start = in->now;
	TimestampTz blocked_until = DT_NOBEGIN;
	int			in_window = 0;
	int			in_day = 0;
	const char *reason = NULL;
	bool		blocked;
	Datum		values[8];
	bool		nulls[8] = {false};
	bool		isnull;

	values[0] = CStringGetTextDatum(in->from);
	if (platform_query_run(&find, values, NULL) > 0)
	{
		TimestampTz start = platform_row_timestamptz_or(0, 2, in->now);

		if (in->now - start < LIMIT_WINDOW)
		{
			window_start = start;
			in_window = platform_row_int32(0, 3);
		}
		if (DatumGetDateADT(platform_row_datum(0, 1, &isnull)) == today)
			in_day = platform_row_int32(0, 4);
		blocked_until = platform_row_timestamptz_or(0, 5, DT_NOBEGIN);
	}
	in_window++;
	in_day++;
	blocked = blocked_until > in->now;
	if (in_day > LIMIT_DAY)
	{
		reason = "daily";
		blocked_until = (today + 1) * USECS_PER_DAY;
	}
	else if (!blocked && in_window > LIMIT_10MIN)
	{
		reason = "10min";
		blocked_until = in->now + LIMIT_WINDOW;
		in->reply = reply(in, SMS_TEXT_RATE_LIMIT, NULL);
	}
	else if (blocked)
		reason = "10min";

	values[1] = DateADTGetDatum(today);
	values[2] = TimestampTzGetDatum(window_start);
	values[3] = Int32GetDatum(in_window);
	values[4] = Int32GetDatum(in_day);
	values[5] = TimestampTzGetDatum(in->now);
	values[6] = TimestampTzGetDatum(blocked_until);
	nulls[6] = reason == NULL;
	values[7] = platform_sms_text_or_null(reason, &nulls[7]);
	platform_query_run(&write, values, nulls);
	return reason != NULL;
}

/* Hands over what waited for the customer's answer, in the order in which it came. */
static void
deliver_waiting(const Inbound *in, TimestampTz since)
{
	static PlatformQuery take =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH taken AS (UPDATE platform.sms_inbound SET route = 'organization',"
					   " method = 'collision_choice', organization_id = $3, message_id = platform.uuid7()"
					   " WHERE from_number OPERATOR(pg_catalog.=) $1"
					   " AND to_number OPERATOR(pg_catalog.=) $2"
					   " AND route OPERATOR(pg_catalog.=) 'ask'"
					   " AND created_at OPERATOR(pg_catalog.>=) $4"
					   " RETURNING message_id, body, provider_message_id, keyword, created_at)"
					   " SELECT message_id, body, provider_message_id, keyword, created_at FROM taken"
					   " ORDER BY created_at, provider_message_id",
					   TEXTOID, TEXTOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[4];
	uint64		count;
	struct
	{
		pg_uuid_t	id;
		char	   *body;
		char	   *key;
		char	   *keyword;
		TimestampTz came_at;
	}		   *waiting;

	values[0] = CStringGetTextDatum(in->from);
	values[1] = CStringGetTextDatum(in->to);
	values[2] = UUIDPGetDatum(&in->organization);
	values[3] = TimestampTzGetDatum(since);
	count = platform_query_run(&take, values, NULL);
	waiting = palloc((count + 1) * sizeof(*waiting));
	for (uint64 i = 0; i < count; i++)
	{
		waiting[i].id = platform_row_uuid(i, 1);
		waiting[i].body = platform_row_cstring(i, 2);
		waiting[i].key = platform_row_cstring(i, 3);
		waiting[i].keyword = platform_row_cstring(i, 4);
		waiting[i].came_at = platform_row_timestamptz_or(i, 5, in->now);
	}
	for (uint64 i = 0; i < count; i++)
		deliver(&in->organization, &waiting[i].id, in->from, in->to, waiting[i].body,
				waiting[i].key, waiting[i].keyword, false, "collision_choice", waiting[i].came_at);
}

/* The digit that answers the open question. False when there is none such. */
static bool
take_choice(Inbound *in)
{
	static PlatformQuery resolve =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_collision_log SET status = 'resolved', customer_choice = $3,"
					   " resolved_organization_id = organization_ids[$3],"
					   " resolved_at = pg_catalog.clock_timestamp()"
					   " WHERE from_number OPERATOR(pg_catalog.=) $1"
					   " AND to_number OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) 'pending'"
					   " AND expires_at OPERATOR(pg_catalog.>) $4"
					   " AND $3 OPERATOR(pg_catalog.<=) pg_catalog.cardinality(organization_ids)"
					   " RETURNING resolved_organization_id, created_at",
					   TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID);
	Datum		values[4];
	pg_uuid_t	organization;
	TimestampTz since;

	if (in->class.keyword != SMS_CHOICE)
		return false;
	values[0] = CStringGetTextDatum(in->from);
	values[1] = CStringGetTextDatum(in->to);
	values[2] = Int32GetDatum(in->class.choice);
	values[3] = TimestampTzGetDatum(in->now);
	if (platform_query_run(&resolve, values, NULL) == 0)
		return false;
	organization = platform_row_uuid(0, 1);
	since = platform_row_timestamptz_or(0, 2, in->now);
	give_to(in, &organization, SMS_METHOD_CHOICE);
	if (!in->has_organization)
		return false;
	platform_sms_lock_thread(in->from, in->to, &in->settings, GetCurrentTimestamp(), true);
	deliver_waiting(in, since);
	in->action = "resolved";
	in->reply = reply(in, SMS_TEXT_CHOSEN, NULL);
	return true;
}

/* Asks for which business it is. The question that is open is asked again. */
static void
ask(Inbound *in)
{
	static PlatformQuery names =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT o.id, o.name FROM pg_catalog.unnest($1) WITH ORDINALITY AS u (id, place)"
					   " JOIN platform.organizations o ON o.id OPERATOR(pg_catalog.=) u.id"
					   " ORDER BY u.place",
					   UUIDARRAYOID);
	static PlatformQuery expire =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_collision_log SET status = 'expired'"
					   " WHERE from_number OPERATOR(pg_catalog.=) $1"
					   " AND to_number OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) 'pending'"
					   " AND (expires_at OPERATOR(pg_catalog.<=) $3"
					   " OR NOT organization_ids OPERATOR(pg_catalog.@>) $4"
					   " OR NOT organization_ids OPERATOR(pg_catalog.<@) $4)",
					   TEXTOID, TEXTOID, TIMESTAMPTZOID, UUIDARRAYOID);
	static PlatformQuery open_question =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_collision_log AS c (from_number, to_number,"
					   " organization_ids, business_names, expires_at, created_at)"
					   " VALUES ($1, $2, $3, $4, $5, $6)"
					   " ON CONFLICT (from_number, to_number) WHERE status OPERATOR(pg_catalog.=) 'pending'"
					   " DO UPDATE SET expires_at = excluded.expires_at"
					   " RETURNING business_names",
					   TEXTOID, TEXTOID, UUIDARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	Datum		ids[SMS_OPTIONS_MAX];
	Datum		texts[SMS_OPTIONS_MAX];
	Datum		values[6];
	Datum	   *shown;
	bool		isnull;
	int			count = in->found.noptions;
	StringInfoData options;

	for (int i = 0; i < count; i++)
		ids[i] = UUIDPGetDatum(&in->found.options[i]);
	values[0] = PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	count = platform_query_run(&names, values, NULL);
	for (int i = 0; i < count; i++)
	{
		in->found.options[i] = platform_row_uuid(i, 1);
		texts[i] = CStringGetTextDatum(platform_row_cstring(i, 2));
	}
	values[0] = CStringGetTextDatum(in->from);
	values[1] = CStringGetTextDatum(in->to);
	values[2] = TimestampTzGetDatum(in->now);
	values[3] = PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	platform_query_run(&expire, values, NULL);
	values[2] = values[3];
	values[3] = PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
	values[4] = TimestampTzGetDatum(in->now + QUESTION_EXPIRES);
	values[5] = TimestampTzGetDatum(in->now);
	platform_query_run(&open_question, values, NULL);
	deconstruct_array(DatumGetArrayTypeP(platform_row_datum_copy(0, 1, &isnull)), TEXTOID, -1, false,
					  TYPALIGN_INT, &shown, NULL, &count);

	initStringInfo(&options);
	for (int i = 0; i < count; i++)
		appendStringInfo(&options, "%s%d = %s", i == 0 ? "" : ", ", i + 1, TextDatumGetCString(shown[i]));
	in->reply = reply(in, SMS_TEXT_ASK, options.data);
	in->route = "ask";
}

/* For whom it is, where nobody said so. */
static void
find_receiver(Inbound *in)
{
	if (in->has_organization)
		return;
	if (in->number == SMS_NUMBER_SHARED)
	{
		platform_sms_route(in->from, in->to, in->now, true, &in->found);
		if (in->found.noptions > 1)
		{
			/* HELP needs no business */
			if (in->class.keyword == SMS_HELP)
				in->route = "keyword";
			else
				ask(in);
			return;
		}
		if (in->found.method != SMS_METHOD_NONE)
			give_to(in, &in->found.organization, in->found.method);
	}
	if (!in->has_organization)
	{
		in->route = in->class.keyword == SMS_HELP ? "keyword" : "unknown";
		in->reply = in->class.keyword == SMS_HELP ? NULL : reply(in, SMS_TEXT_UNKNOWN, NULL);
	}
}

/* HELP and RESCHEDULE are answered; DECLINE is noted, and people see to it. */
static void
act(Inbound *in)
{
	switch (in->class.keyword)
	{
		case SMS_HELP:
			in->action = "helped";
			in->reply = reply(in, in->has_organization ? SMS_TEXT_HELP : SMS_TEXT_SHARED_HELP, NULL);
			break;
		case SMS_RESCHEDULE:
			in->action = "reschedule_requested";
			in->reply = reply(in, SMS_TEXT_RESCHEDULE, NULL);
			break;
		case SMS_CONFIRM:
			if (platform_sms_confirm_appointment(&in->organization, in->from))
				in->action = "appointment_confirmed";
			break;
		default:
			break;
	}
}

static void
mark(const Inbound *in)
{
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.sms_inbound SET route = $2, method = $3, organization_id = $4,"
					   " message_id = $5, keyword = $6, confidence = $7, auto_reply = $8,"
					   " action_taken = $9 WHERE provider_message_id OPERATOR(pg_catalog.=) $1",
					   TEXTOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID, NUMERICOID, TEXTOID,
					   TEXTOID);
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = CStringGetTextDatum(in->provider_message_id);
	values[1] = CStringGetTextDatum(in->route);
	values[2] = platform_sms_text_or_null(in->method, &nulls[2]);
	values[3] = UUIDPGetDatum(&in->organization);
	nulls[3] = !in->has_organization;
	values[4] = UUIDPGetDatum(&in->message);
	nulls[4] = !in->has_message;
	values[5] = platform_sms_text_or_null(in->keyword, &nulls[5]);
	values[6] = NumericGetDatum(int64_div_fast_to_numeric(in->class.confidence, 2));
	nulls[6] = in->keyword == NULL;
	values[7] = platform_sms_text_or_null(in->reply, &nulls[7]);
	values[8] = platform_sms_text_or_null(in->action, &nulls[8]);
	platform_query_run(&update, values, nulls);
}

/* A new message; within a query pair, under the customer's mutex. */
static void
process(Inbound *in)
{
	in->route = "received";
	in->number = platform_sms_find_number(in->to, &in->organization);
	if (in->number == SMS_NUMBER_DEDICATED)
	{
		pg_uuid_t	organization = in->organization;

		give_to(in, &organization, SMS_METHOD_NUMBER);
	}
	platform_sms_classify(in->body, strlen(in->body), &in->class);
	in->keyword = platform_sms_keyword_name(in->class.keyword);
	if (in->class.keyword == SMS_OPT_OUT || in->class.keyword == SMS_OPT_IN)
		opt_out_or_in(in);
	else if (is_too_much(in))
	{
		in->route = "rate_limited";
		in->method = NULL;
		in->has_organization = false;
	}
	else if (in->number != SMS_NUMBER_SHARED || !take_choice(in))
	{
		find_receiver(in);
		if (in->has_organization || in->class.keyword == SMS_HELP)
			act(in);
	}
	if (in->has_organization)
	{
		in->has_message = true;
		platform_make_uuid7(&in->message);
		deliver(&in->organization, &in->message, in->from, in->to, in->body,
				in->provider_message_id, in->keyword, in->action != NULL, in->method, in->now);
	}
	mark(in);
}

PG_FUNCTION_INFO_V1(platform_receive_sms);

/*
 * platform.receive_sms(from_number text, to_number text, body text,
 *						provider_message_id text, received_at timestamptz DEFAULT NULL,
 *						region text DEFAULT 'US')
 *		RETURNS (route text, method text, organization_id uuid, message_id uuid,
 *				 keyword text, auto_reply text, duplicate boolean)
 *
 * A message that a provider delivered, once for each provider_message_id: again, it
 * returns what became of it, with duplicate. route: organization (method says how it
 * was found), ask, keyword, rate_limited or unknown; auto_reply is what to answer,
 * NULL for nothing. body NULL or '': pictures only. Opting out and in come before
 * limits and routing. Operators. Errors: 22004; 22023; 42501; PT422 no telephone
 * number; 25006. In REPEATABLE READ and SERIALIZABLE also 40001.
 */
Datum
platform_receive_sms(PG_FUNCTION_ARGS)
{
	Inbound		in = {0};
	text	   *body;
	Datum		values[7];
	bool		nulls[7] = {false};
	bool		duplicate;

	platform_require_module(&platform_messaging_module);
	platform_require_operator("receive messages");
	in.from = platform_sms_phone(fcinfo, 0, "from_number", 5);
	in.to = platform_sms_phone(fcinfo, 1, "to_number", 5);
	body = PG_ARGISNULL(2) ? cstring_to_text("") : PG_GETARG_TEXT_PP(2);
	if (pg_mbstrlen_with_len(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)) > SMS_BODY_MAX)
		platform_bad_argument(psprintf("body must have at most %d characters", SMS_BODY_MAX));
	in.body = text_to_cstring(body);
	platform_require_argument(fcinfo, 3, "provider_message_id");
	in.provider_message_id = text_to_cstring(platform_optional_text(fcinfo, 3, "provider_message_id", SMS_KEY_MAX));
	if (!PG_ARGISNULL(4) && TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(4)))
		platform_bad_argument("received_at must be a moment");

	platform_sms_lock_phone(in.from);
	/* one after the other for a customer */
	in.now = GetCurrentTimestamp();
	in.received_at = PG_ARGISNULL(4) ? in.now : PG_GETARG_TIMESTAMPTZ(4);
	platform_query_begin();
	duplicate = !store(&in);
	if (duplicate)
		read_stored(&in);
	else
		process(&in);
	platform_query_end();

	values[0] = CStringGetTextDatum(in.route);
	values[1] = platform_sms_text_or_null(in.method, &nulls[1]);
	values[2] = UUIDPGetDatum(&in.organization);
	nulls[2] = !in.has_organization;
	values[3] = UUIDPGetDatum(&in.message);
	nulls[3] = !in.has_message;
	values[4] = platform_sms_text_or_null(in.keyword, &nulls[4]);
	values[5] = platform_sms_text_or_null(in.reply, &nulls[5]);
	values[6] = BoolGetDatum(duplicate);
	return platform_return_row(fcinfo, values, nulls);
}
