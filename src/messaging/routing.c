/*
 * routing.c
 *	  For whom a message on a shared number is.
 *
 * Those who wrote to the customer from that number within 72 hours, and whoever
 * holds the lock of the conversation: if they are one, it is theirs; if they
 * are several, only the customer knows. What others sent before the customer last
 * said for whom the conversation is counts no more. If there is none: the
 * organization with the newest lead of that number.
 *
 * The look-ups are index-only scans.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "messaging/messaging.h"

static PlatformModule crm_module = {"crm", 620, 0};

static const char *const method_names[] = {
	NULL, "agent_phone_number", "thread_lock", "single_tenant_history", "lead_match",
	"collision_choice",
};

const char *
platform_sms_method_name(SmsMethod method)
{
	return method_names[method];
}

/* A dedicated number is in sms_numbers or, where agents are kept, an agent's. */
SmsNumber
platform_sms_find_number(const char *number, pg_uuid_t *organization)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id FROM platform.sms_numbers"
					   " WHERE phone_number OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	static PlatformQuery find_agent =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id FROM platform.agents"
					   " WHERE phone_number OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	Datum		values[1] = {CStringGetTextDatum(number)};
	bool		isnull;

	if (platform_query_run(&find, values, NULL) > 0)
	{
		Datum		owner = platform_row_datum(0, 1, &isnull);

		if (isnull)
			return SMS_NUMBER_SHARED;
		*organization = *DatumGetUUIDP(owner);
		return SMS_NUMBER_DEDICATED;
	}
	if (!platform_module_installed(&crm_module) || platform_query_run(&find_agent, values, NULL) == 0)
		return SMS_NUMBER_UNKNOWN;
	*organization = platform_row_uuid(0, 1);
	return SMS_NUMBER_DEDICATED;
}

static void
add_option(SmsRoute *route, const pg_uuid_t *organization)
{
	for (int i = 0; i < route->noptions; i++)
	{
		if (platform_uuid_equal(&route->options[i], organization))
			return;
	}
	if (route->noptions < SMS_OPTIONS_MAX)
		route->options[route->noptions++] = *organization;
}

/* Who holds the conversation; sets when the customer last chose. */
static bool
read_lock(const Datum *values, SmsRoute *route, TimestampTz *chosen_at)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id, chosen_at FROM platform.sms_thread_locks"
					   " WHERE from_number OPERATOR(pg_catalog.=) $1"
					   " AND to_number OPERATOR(pg_catalog.=) $2"
					   " AND locked_until OPERATOR(pg_catalog.>) $3",
					   TEXTOID, TEXTOID, TIMESTAMPTZOID);

	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	route->organization = platform_row_uuid(0, 1);
	*chosen_at = platform_row_timestamptz_or(0, 2, DT_NOBEGIN);
	add_option(route, &route->organization);
	return true;
}

static void
read_history(Datum *values, TimestampTz since, SmsRoute *route)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id FROM platform.messages"
					   " WHERE to_number OPERATOR(pg_catalog.=) $1"
					   " AND from_number OPERATOR(pg_catalog.=) $2"
					   " AND created_at OPERATOR(pg_catalog.>) $3"
					   " AND direction OPERATOR(pg_catalog.=) 'outbound' AND failed_at IS NULL"
					   " GROUP BY organization_id ORDER BY pg_catalog.max(created_at) DESC LIMIT 9",
					   TEXTOID, TEXTOID, TIMESTAMPTZOID);
	uint64		count;

	values[2] = TimestampTzGetDatum(since);
	count = platform_query_run(&find, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	organization = platform_row_uuid(i, 1);

		add_option(route, &organization);
	}
}

static bool
read_lead(const char *customer, SmsRoute *route)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id FROM platform.leads"
					   " WHERE phone OPERATOR(pg_catalog.=) $1"
					   " ORDER BY created_at DESC LIMIT 1",
					   TEXTOID);
	Datum		values[1] = {CStringGetTextDatum(customer)};

	if (!platform_module_installed(&crm_module) || platform_query_run(&find, values, NULL) == 0)
		return false;
	route->organization = platform_row_uuid(0, 1);
	return true;
}

bool
platform_sms_confirm_appointment(const pg_uuid_t *organization, const char *customer)
{
	static PlatformQuery confirm =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.appointments SET status = 'confirmed'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) (SELECT a.id FROM platform.appointments a"
					   " WHERE a.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND a.customer_phone OPERATOR(pg_catalog.=) $2"
					   " AND a.status OPERATOR(pg_catalog.=) ANY (ARRAY['booked', 'pending', 'scheduled'])"
					   " AND a.start_time OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()"
					   " ORDER BY a.start_time, a.id LIMIT 1 FOR NO KEY UPDATE)",
					   UUIDOID, TEXTOID);
	Datum		values[2] = {UUIDPGetDatum(organization), CStringGetTextDatum(customer)};

	return platform_module_installed(&crm_module) && platform_query_run(&confirm, values, NULL) > 0;
}

void
platform_sms_route(const char *customer, const char *number, TimestampTz now, bool with_leads,
				   SmsRoute *route)
{
	TimestampTz since = now - SMS_LOCK_HOURS * USECS_PER_HOUR;
	TimestampTz chosen_at = DT_NOBEGIN;
	Datum		values[3];
	bool		locked;

	memset(route, 0, sizeof(*route));
	values[0] = CStringGetTextDatum(customer);
	values[1] = CStringGetTextDatum(number);
	values[2] = TimestampTzGetDatum(now);
	locked = read_lock(values, route, &chosen_at);
	read_history(values, Max(since, chosen_at), route);
	if (route->noptions > 1)
		return;
	if (route->noptions == 1)
	{
		route->method = locked ? SMS_METHOD_LOCK : SMS_METHOD_HISTORY;
		route->organization = route->options[0];
	}
	else if (with_leads && read_lead(customer, route))
		route->method = SMS_METHOD_LEAD;
}

void
platform_sms_lock_thread(const char *customer, const char *number, const SmsSettings *settings,
						 TimestampTz now, bool chosen)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_thread_locks AS l (from_number, to_number,"
					   " organization_id, locked_until, last_outbound_at, chosen_at, business_name)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7)"
					   " ON CONFLICT (from_number, to_number) DO UPDATE"
					   " SET organization_id = excluded.organization_id,"
					   " locked_until = excluded.locked_until,"
					   " last_outbound_at = COALESCE(excluded.last_outbound_at, l.last_outbound_at),"
					   " business_name = excluded.business_name,"
					   " chosen_at = COALESCE(excluded.chosen_at,"
					   " CASE WHEN l.organization_id OPERATOR(pg_catalog.=) excluded.organization_id"
					   " THEN l.chosen_at END)"
					   " WHERE l.organization_id OPERATOR(pg_catalog.=) excluded.organization_id"
					   " OR excluded.chosen_at IS NOT NULL"
					   " OR l.locked_until OPERATOR(pg_catalog.<=) excluded.last_outbound_at",
					   TEXTOID, TEXTOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
					   TEXTOID);
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(customer);
	values[1] = CStringGetTextDatum(number);
	values[2] = UUIDPGetDatum(&settings->organization);
	values[3] = TimestampTzGetDatum(now + SMS_LOCK_HOURS * USECS_PER_HOUR);
	values[4] = TimestampTzGetDatum(now);
	nulls[4] = chosen;
	values[5] = TimestampTzGetDatum(now);
	nulls[5] = !chosen;
	values[6] = CStringGetTextDatum(settings->business);
	platform_query_run(&lock, values, nulls);
}
