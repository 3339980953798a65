/*
 * opt_out.c
 *	  Who wants no messages: opt_out_phone(), opt_in_phone().
 *
 * An opt-out holds for the organization it was said to; a global one for all.
 * What is queued is canceled in the same transaction. The request itself is
 * kept for good in opt_out_requests.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "messaging/messaging.h"

static const char *const channels[] = {"manual", "sms", "email", "call", NULL};

SmsOptOutState
platform_sms_opt_out_state(const pg_uuid_t *organization, const char *phone)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT global_opt_out FROM platform.sms_opt_out"
					   " WHERE phone OPERATOR(pg_catalog.=) $2"
					   " AND (global_opt_out OR organization_id OPERATOR(pg_catalog.=) $1)"
					   " ORDER BY global_opt_out LIMIT 1",
					   UUIDOID, TEXTOID);
	Datum		values[2] = {UUIDPGetDatum(organization), CStringGetTextDatum(phone)};

	if (platform_query_run(&find, values, NULL) == 0)
		return SMS_WANTED;
	return platform_row_bool(0, 1) ? SMS_OPTED_OUT_EVERYWHERE : SMS_OPTED_OUT;
}

static void
record_request(const SmsOptOut *wish, const char *type)
{
	static PlatformQuery record =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.opt_out_requests (organization_id, channel, phone_number,"
					   " request_type, global_opt_out, message_id) VALUES ($1, $2, $3, $4, $5, $6)",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID);
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = UUIDPGetDatum(wish->organization);
	values[1] = CStringGetTextDatum(wish->channel);
	values[2] = CStringGetTextDatum(wish->phone);
	values[3] = CStringGetTextDatum(type);
	values[4] = BoolGetDatum(wish->everywhere);
	values[5] = platform_sms_text_or_null(wish->message_id, &nulls[5]);
	platform_query_run(&record, values, nulls);
}

/*
 * Waits for senders that are claiming such messages: what they took is on its
 * way, what they did not is canceled.
 */
static void
cancel_queued(const SmsOptOut *opt_out)
{
	static PlatformQuery cancel =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.outbound_sms_log q SET status = 'canceled',"
					   " error_message = 'OPTED_OUT', finished_at = pg_catalog.clock_timestamp()"
					   " FROM platform.sms_sources s"
					   " WHERE s.source OPERATOR(pg_catalog.=) q.source AND NOT s.ignores_opt_out"
					   " AND q.to_number OPERATOR(pg_catalog.=) $1"
					   " AND q.status OPERATOR(pg_catalog.=) 'queued'"
					   " AND ($3 OR q.organization_id OPERATOR(pg_catalog.=) $2)"
					   " RETURNING q.id, q.organization_id, q.quota_reserved",
					   TEXTOID, UUIDOID, BOOLOID);
	Datum		values[3] = {
		CStringGetTextDatum(opt_out->phone), UUIDPGetDatum(opt_out->organization),
		BoolGetDatum(opt_out->everywhere)
	};

	platform_sms_after_cancel(platform_query_run(&cancel, values, NULL), "OPTED_OUT");
}

bool
platform_sms_opt_out(const SmsOptOut *opt_out)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_opt_out (organization_id, phone, global_opt_out, source,"
					   " to_number, keyword) VALUES ($1, $2, $3, $4, $5, $6)"
					   " ON CONFLICT (organization_id, phone, global_opt_out) DO NOTHING",
					   UUIDOID, TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID);
	Datum		values[6];
	bool		nulls[6] = {false};
	bool		inserted;

	values[0] = UUIDPGetDatum(opt_out->organization);
	values[1] = CStringGetTextDatum(opt_out->phone);
	values[2] = BoolGetDatum(opt_out->everywhere);
	values[3] = CStringGetTextDatum(opt_out->channel);
	values[4] = platform_sms_text_or_null(opt_out->to_number, &nulls[4]);
	values[5] = platform_sms_text_or_null(opt_out->keyword, &nulls[5]);
	inserted = platform_query_run(&insert, values, nulls) > 0;
	record_request(opt_out, "opt_out");
	cancel_queued(opt_out);
	if (inserted)
		platform_sms_event(opt_out->organization, "sms.opted_out", NULL, opt_out->phone,
						   opt_out->channel);
	return inserted;
}

bool
platform_sms_opt_in(const SmsOptOut *opt_in)
{
	static PlatformQuery delete =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "DELETE FROM platform.sms_opt_out"
					   " WHERE phone OPERATOR(pg_catalog.=) $2"
					   " AND (to_number OPERATOR(pg_catalog.=) $4"
					   " OR (organization_id OPERATOR(pg_catalog.=) $1"
					   " AND global_opt_out OPERATOR(pg_catalog.=) $3))",
					   UUIDOID, TEXTOID, BOOLOID, TEXTOID);
	Datum		values[4];
	bool		nulls[4] = {false};
	bool		deleted;

	values[0] = UUIDPGetDatum(opt_in->organization);
	values[1] = CStringGetTextDatum(opt_in->phone);
	values[2] = BoolGetDatum(opt_in->everywhere);
	values[3] = platform_sms_text_or_null(opt_in->to_number, &nulls[3]);
	deleted = platform_query_run(&delete, values, nulls) > 0;
	record_request(opt_in, "opt_in");
	if (deleted)
		platform_sms_event(opt_in->organization, "sms.opted_in", NULL, opt_in->phone,
						   opt_in->channel);
	return deleted;
}

/* Arguments that both functions have. */
static void
read_wish(FunctionCallInfo fcinfo, SmsOptOut *wish)
{
	memset(wish, 0, sizeof(*wish));
	wish->organization = platform_sms_organization(fcinfo, 0);
	wish->phone = platform_sms_phone(fcinfo, 1, "phone", 4);
	wish->channel = platform_sms_word(fcinfo, 2, "channel", channels);
	platform_require_argument(fcinfo, 3, "everywhere");
	wish->everywhere = PG_GETARG_BOOL(3);
	if (wish->everywhere)
		platform_require_operator("opt a number out of or into all messages");
}

PG_FUNCTION_INFO_V1(platform_opt_out_phone);

/*
 * platform.opt_out_phone(organization_id uuid, phone text, channel text DEFAULT 'manual',
 *						  everywhere boolean DEFAULT false, region text DEFAULT 'US')
 *		RETURNS boolean
 *
 * The number gets no more messages from the organization, or from anybody; what is
 * queued for it is canceled. channel: how it was said: sms, email, call, manual.
 * False when it was opted out before. Waits for transactions that are sending to the
 * number. Members: their organization; everywhere: operators. Errors: 22004;
 * 22023; 42501; PT422 no telephone number; 23503 no such organization; 25006.
 */
Datum
platform_opt_out_phone(PG_FUNCTION_ARGS)
{
	SmsOptOut	wish;
	bool		inserted;

	read_wish(fcinfo, &wish);
	platform_sms_lock_phone(wish.phone);
	platform_query_begin();
	inserted = platform_sms_opt_out(&wish);
	platform_query_end();
	PG_RETURN_BOOL(inserted);
}

PG_FUNCTION_INFO_V1(platform_opt_in_phone);

/*
 * platform.opt_in_phone(organization_id uuid, phone text, channel text DEFAULT 'manual',
 *						 everywhere boolean DEFAULT false, region text DEFAULT 'US')
 *		RETURNS boolean
 *
 * Takes the organization's opt-out of the number back; everywhere: the global one
 * that was noted under it. False when there is none. What the customer said by SMS
 * only an operator takes back; the customer does with START. Members: their
 * organization. Errors: 22004; 22023; 42501; PT403 said by SMS; PT422 no
 * telephone number; 25006.
 */
Datum
platform_opt_in_phone(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.sms_opt_out"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND phone OPERATOR(pg_catalog.=) $2"
					   " AND source OPERATOR(pg_catalog.=) 'sms' AND NOT global_opt_out",
					   UUIDOID, TEXTOID);
	SmsOptOut	wish;
	bool		deleted;

	read_wish(fcinfo, &wish);
	platform_sms_lock_phone(wish.phone);
	platform_query_begin();
	if (!platform_caller_is_operator())
	{
		Datum		values[2] = {UUIDPGetDatum(wish.organization), CStringGetTextDatum(wish.phone)};

		if (platform_query_run(&find, values, NULL) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
					 errmsg("the customer opted out by SMS"),
					 errhint("The customer opts in again by sending START.")));
	}
	deleted = platform_sms_opt_in(&wish);
	platform_query_end();
	PG_RETURN_BOOL(deleted);
}
