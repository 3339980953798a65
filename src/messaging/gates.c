/*
 * gates.c
 *	  May a message be sent? Settings, sources, quiet hours: may_send_sms()
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/cache.h"
#include "core/gate.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/timezone.h"
#include "core/touch.h"
#include "messaging/messaging.h"

#define SOURCE_BYTES	64
#define SEGMENTS_MAX	255

typedef struct SourceEntry
{
	char		name[SOURCE_BYTES];
	SmsSource	source;
} SourceEntry;

static PlatformCache cache = {.name = "sms sources", .tables = {"sms_sources"}};
static MemoryContext context = NULL;
static HTAB *sources = NULL;

void
platform_gates_init(void)
{
	platform_cache_register(&cache);
}

static void
fill(void)
{
	static PlatformQuery read =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT source, quiet_hours, ignores_opt_out, operators_only"
					   " FROM platform.sms_sources");
	HASHCTL		control = {.keysize = SOURCE_BYTES, .entrysize = sizeof(SourceEntry)};
	uint64		count;

	platform_cache_begin_fill(&cache);
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "platform messaging sources",
										ALLOCSET_SMALL_SIZES);
	MemoryContextReset(context);
	control.hcxt = context;
	sources = hash_create("platform sms sources", 32, &control,
						  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	platform_query_begin();
	count = platform_query_run(&read, NULL, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		SourceEntry *entry = hash_search(sources, platform_row_cstring(i, 1), HASH_ENTER, NULL);

		entry->source.quiet_hours = platform_row_bool(i, 2);
		entry->source.ignores_opt_out = platform_row_bool(i, 3);
		entry->source.operators_only = platform_row_bool(i, 4);
	}
	platform_query_end();
}

const SmsSource *
platform_sms_source(const char *name)
{
	SourceEntry *entry;

	if (!platform_cache_is_valid(&cache))
		fill();
	if (strlen(name) >= SOURCE_BYTES)
		return NULL;
	entry = hash_search(sources, name, HASH_FIND, NULL);
	return entry == NULL ? NULL : &entry->source;
}

/* The language of a locale such as pt-BR. */
static void
set_language(SmsSettings *settings, const char *locale)
{
	size_t		length = strcspn(locale, "-_");

	if (length < 2 || length >= SMS_LANGUAGE_BYTES)
	{
		locale = SMS_DEFAULT_LANGUAGE;
		length = strlen(locale);
	}
	for (size_t i = 0; i < length; i++)
		settings->language[i] = pg_ascii_tolower((unsigned char) locale[i]);
	settings->language[length] = '\0';
}

bool
platform_sms_settings(const pg_uuid_t *organization, SmsSettings *settings)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT o.name, o.deleted_at IS NULL AND o.status OPERATOR(pg_catalog.<>)"
					   " ALL (ARRAY['expired', 'cancelled', 'suspended']),"
					   " COALESCE(s.sending_enabled, true), COALESCE(s.timezone, o.timezone),"
					   " s.quiet_from, s.quiet_until, COALESCE(s.per_minute, 60), s.help_phone, o.locale"
					   " FROM platform.organizations o LEFT JOIN platform.sms_settings s"
					   " ON s.organization_id OPERATOR(pg_catalog.=) o.id"
					   " WHERE o.id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	Datum		values[1] = {UUIDPGetDatum(organization)};

	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	settings->organization = *organization;
	settings->business = platform_row_cstring(0, 1);
	settings->active = platform_row_bool(0, 2);
	settings->sending_enabled = platform_row_bool(0, 3);
	settings->timezone = platform_row_cstring(0, 4);
	settings->quiet_from = platform_row_int64_or(0, 5, 21 * USECS_PER_HOUR);
	settings->quiet_until = platform_row_int64_or(0, 6, 8 * USECS_PER_HOUR);
	settings->per_minute = platform_row_int32(0, 7);
	settings->help_phone = platform_row_cstring(0, 8);
	set_language(settings, platform_row_cstring(0, 9));
	return true;
}

TimestampTz
platform_sms_after_quiet_hours(const SmsSettings *settings, const char *timezone, TimestampTz at)
{
	pg_tz	   *zone = platform_require_timezone(timezone != NULL ? timezone : settings->timezone);
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	int64		clock;
	int64		from = settings->quiet_from;
	int64		until = settings->quiet_until;
	TimestampTz result;

	if (from == until || TIMESTAMP_NOT_FINITE(at) ||
		timestamp2tm(at, &offset, &local, &fraction, NULL, zone) != 0)
		return at;
	clock = ((local.tm_hour * INT64CONST(60) + local.tm_min) * 60 + local.tm_sec) * USECS_PER_SEC +
		fraction;
	if (from < until ? clock < from || clock >= until : clock < from && clock >= until)
		return at;
	/* quiet over midnight, and that is still to come */
	if (from > until && clock >= from)
		j2date(date2j(local.tm_year, local.tm_mon, local.tm_mday) + 1,
			   &local.tm_year, &local.tm_mon, &local.tm_mday);
	local.tm_hour = until / USECS_PER_HOUR;
	local.tm_min = until / USECS_PER_MINUTE % 60;
	local.tm_sec = until / USECS_PER_SEC % 60;
	offset = DetermineTimeZoneOffset(&local, zone);
	if (tm2timestamp(&local, until % USECS_PER_SEC, &offset, &result) != 0)
		return at;
	return Max(at, result);
}

const char *
platform_sms_closed_gate(const SmsSettings *settings, const char *source, const SmsSource **found)
{
	*found = platform_sms_source(source);
	if (!settings->active)
		return "ORGANIZATION_INACTIVE";
	if (!settings->sending_enabled)
		return "SENDING_DISABLED";
	if (*found == NULL)
		return strcmp(source, "manual") == 0 ? "FREEFORM_NOT_ALLOWED" : "SOURCE_NOT_ALLOWED";
	if ((*found)->operators_only && !platform_caller_is_operator())
		return "SOURCE_NOT_ALLOWED";
	return NULL;
}

/* Why not, of what changes from one message to the next; within a query pair. */
static const char *
momentary_reason(const SmsSettings *settings, const SmsSource *source, const char *phone,
				 int segments, TimestampTz due, bool may_wait)
{
	const pg_uuid_t *organization = &settings->organization;
	const pg_uuid_t *user = platform_current_user();
	SmsOptOutState state = platform_sms_opt_out_state(organization, phone);

	if (state != SMS_WANTED && !source->ignores_opt_out)
		return state == SMS_OPTED_OUT ? "OPTED_OUT" : "OPTED_OUT_EVERYWHERE";
	if (!may_wait &&
		platform_sms_places_taken(organization, NULL, due) >= settings->per_minute)
		return "OUTBOUND_THROTTLE";
	if (!may_wait && user != NULL && !platform_caller_is_operator() &&
		platform_sms_places_taken(organization, user, due) >= SMS_USER_PER_MINUTE)
		return "USER_THROTTLE";
	return platform_sms_quota == NULL ? NULL : platform_sms_quota->check(organization, segments);
}

PG_FUNCTION_INFO_V1(platform_may_send_sms);

/*
 * platform.may_send_sms(organization_id uuid, phone text, source text,
 *						 segments integer DEFAULT 1, at timestamptz DEFAULT NULL,
 *						 timezone text DEFAULT NULL, region text DEFAULT 'US')
 *		RETURNS (allowed boolean, reason text, due_at timestamptz)
 *
 * Would send_sms() take a message for that number now, or at that moment? When not,
 * reason says why: see doc/messaging.md. In quiet hours, of the customer's time
 * zone if it is given, it is allowed, reason is QUIET_HOURS and send_after when
 * they end. Writes nothing. Members: their organization. Errors: 22004; 22023 no
 * such time zone or region, segments out of range; 42501; PT404 no such organization.
 */
Datum
platform_may_send_sms(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	const PlatformPhoneRegion *region;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz at = PG_ARGISNULL(4) ? now : Max(now, PG_GETARG_TIMESTAMPTZ(4));
	TimestampTz due = at;
	const char *timezone = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	const char *reason;
	const SmsSource *found;
	SmsSource	source = {0};
	SmsSettings settings;
	char		e164[PLATFORM_E164_SIZE];
	text	   *phone;
	Datum		values[3];
	bool		nulls[3] = {false};

	platform_require_argument(fcinfo, 1, "phone");
	platform_require_argument(fcinfo, 2, "source");
	platform_require_argument(fcinfo, 3, "segments");
	platform_require_argument(fcinfo, 6, "region");
	(void) platform_count_argument(fcinfo, 3, "segments", SEGMENTS_MAX);
	if (timezone != NULL)
		platform_require_timezone(timezone);
	region = platform_require_phone_region(PG_GETARG_TEXT_PP(6));
	phone = PG_GETARG_TEXT_PP(1);

	platform_query_begin();
	if (!platform_sms_settings(organization, &settings))
		platform_no_such_organization(organization);
	if (!platform_normalize_phone(VARDATA_ANY(phone), VARSIZE_ANY_EXHDR(phone), region, e164))
		reason = "INVALID_PHONE";
	else
		reason = platform_sms_closed_gate(&settings, text_to_cstring(PG_GETARG_TEXT_PP(2)), &found);
	if (reason == NULL)
	{
		source = *found;
		if (source.quiet_hours)
			due = platform_sms_after_quiet_hours(&settings, timezone, at);
		reason = momentary_reason(&settings, &source, e164, PG_GETARG_INT32(3), due, due > now);
	}
	platform_query_end();

	values[0] = BoolGetDatum(reason == NULL);
	values[2] = TimestampTzGetDatum(due);
	nulls[2] = reason != NULL;
	if (reason == NULL && due > at)
		reason = "QUIET_HOURS";
	values[1] = platform_sms_text_or_null(reason, &nulls[1]);
	return platform_return_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_check_sms_settings);

/*
 * platform.check_sms_settings() returns trigger
 *
 * The time zone must exist; updated_at is kept. Errors: 22023; 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER sms_settings_check BEFORE INSERT OR UPDATE ON platform.sms_settings
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_sms_settings();
 */
Datum
platform_check_sms_settings(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_sms_settings",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	bool		isnull;
	Datum		zone = heap_getattr(row, platform_trigger_column(trigger, "timezone"),
									RelationGetDescr(trigger->tg_relation), &isnull);

	if (!isnull)
		(void) platform_require_timezone(TextDatumGetCString(zone));
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		PlatformTouch touch;

		platform_touch_prepare(&touch, trigger, "updated_at");
		row = platform_touch_row(&touch, trigger, row);
	}
	return PointerGetDatum(row);
}
