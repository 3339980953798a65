/*
 * hours.c
 *	  Business hours: by day of the week, in local time, also over midnight.
 *
 * A profile's business_hours is an object by English day name, each
 * {"open": "HH:MM", "close": "HH:MM", "closed": boolean}.  A day is closed when
 * it says so, when it is missing, or when an end of it is.  The interval is
 * half-open; one that closes before it opens goes on into the next day, and
 * "24:00" is the end of the day.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/timezone.h"
#include "tenants/tenants.h"

#define MINUTES_PER_DAY	1440
#define WEEK_DAYS		7

static const char *const day_names[WEEK_DAYS] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
};

typedef struct BusinessDay
{
	bool		open;
	int			from;			/* minutes of the day */
	int			until;
} BusinessDay;

/* "HH:MM" from 00:00 to 24:00 as minutes; -1 for anything else. */
static int
parse_minutes(const JsonbValue *value)
{
	const char *text = value->val.string.val;
	int			minutes;

	if (value->type != jbvString || value->val.string.len != 5 || text[2] != ':')
		return -1;
	for (int i = 0; i < 5; i++)
	{
		if (i != 2 && (text[i] < '0' || text[i] > '9'))
			return -1;
	}
	minutes = ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
	return text[3] < '6' && minutes <= MINUTES_PER_DAY ? minutes : -1;
}

/* The value of a key of an object; false when it is missing or null. */
static bool
find_key(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		value->type != jbvNull;
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

/* Reads one day; an unusable one is closed. */
static BusinessDay
read_day(Jsonb *hours, int weekday)
{
	BusinessDay day = {0};
	JsonbValue	value;
	JsonbValue	part;
	JsonbContainer *object;

	if (!find_key(&hours->root, day_names[weekday], &value) || !is_object(&value))
		return day;
	object = value.val.binary.data;
	if (find_key(object, "closed", &part) && part.type == jbvBool && part.val.boolean)
		return day;
	if (!find_key(object, "open", &part) || (day.from = parse_minutes(&part)) < 0)
		return day;
	if (!find_key(object, "close", &part) || (day.until = parse_minutes(&part)) < 0)
		return day;
	day.open = true;
	return day;
}

pg_noreturn static void
bad_hours(const char *day, int day_length, const char *key, const char *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("business hours: key \"%.*s%s%s\" %s", day_length, day,
					*key ? "." : "", key, rule)));
}

/* Checks one day of the hours; the rules are in the file's header. */
static void
check_day(const char *name, int name_length, const JsonbValue *value)
{
	static const char *const times[] = {"open", "close"};
	JsonbValue	part;

	for (int i = 0; i < WEEK_DAYS; i++)
	{
		if (strlen(day_names[i]) == name_length && memcmp(day_names[i], name, name_length) == 0)
			break;
		if (i == WEEK_DAYS - 1)
			bad_hours(name, pg_mbcliplen(name, name_length, 32), "", "is not the English name of a day in lower case");
	}
	if (value->type == jbvNull)
		return;
	if (!is_object(value))
		bad_hours(name, name_length, "", "must be an object");
	for (int i = 0; i < lengthof(times); i++)
	{
		if (find_key(value->val.binary.data, times[i], &part) && parse_minutes(&part) < 0)
			bad_hours(name, name_length, times[i], "must be a time HH:MM from 00:00 to 24:00");
	}
	if (find_key(value->val.binary.data, "closed", &part) && part.type != jbvBool)
		bad_hours(name, name_length, "closed", "must be true or false");
}

void
platform_check_business_hours(Jsonb *hours)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	name = {0};
	JsonbValue	value;

	/* That it is an object is a CHECK's business. */
	if (!JB_ROOT_IS_OBJECT(hours))
		return;
	iterator = JsonbIteratorInit(&hours->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = value;
		else if (token == WJB_VALUE)
			check_day(name.val.string.val, name.val.string.len, &value);
	}
}

/* Is it open at that moment, by the clocks of that zone? */
static bool
hours_contain(Jsonb *hours, pg_tz *zone, TimestampTz at)
{
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	int			weekday;
	int			minute;
	BusinessDay today;
	BusinessDay yesterday;

	if (TIMESTAMP_NOT_FINITE(at) ||
		timestamp2tm(at, &offset, &local, &fraction, NULL, zone) != 0)
		return false;
	weekday = j2day(date2j(local.tm_year, local.tm_mon, local.tm_mday));
	minute = local.tm_hour * MINS_PER_HOUR + local.tm_min;

	today = read_day(hours, weekday);
	if (today.open && minute >= today.from &&
		(minute < today.until || today.until < today.from))
		return true;
	yesterday = read_day(hours, (weekday + WEEK_DAYS - 1) % WEEK_DAYS);
	return yesterday.open && yesterday.until < yesterday.from && minute < yesterday.until;
}

/* Is the row's business open: its hours, its zone, whether emergencies come at any time? */
static bool
row_is_open(uint64 row, TimestampTz at, bool emergency)
{
	bool		isnull;

	return (emergency && platform_row_bool(row, 3)) ||
		hours_contain(DatumGetJsonbP(platform_row_datum(row, 1, &isnull)),
					  platform_require_timezone(platform_row_cstring(row, 2)), at);
}

PG_FUNCTION_INFO_V1(platform_is_open);

/*
 * platform.is_open(organization_id uuid, at timestamptz DEFAULT now(),
 *		emergency boolean DEFAULT false) returns boolean
 *
 * Is one of the organization's businesses open at that moment, each by its
 * profile's hours in its own time zone, or for an emergency when it takes these at any
 * time? For members of the organization. Errors: 42501; 22004 NULL argument; PT404
 * the organization has no profile.
 */
Datum
platform_is_open(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT business_hours, business_timezone, emergency_24_7"
					   " FROM platform.profiles WHERE organization_id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	Datum		values[1];
	uint64		count;
	bool		open = false;

	(void) platform_organization_argument(fcinfo, 0, &platform_tenants_module);
	platform_require_argument(fcinfo, 1, "at");
	platform_require_argument(fcinfo, 2, "emergency");
	values[0] = PG_GETARG_DATUM(0);
	platform_query_begin();
	count = platform_query_run(&find, values, NULL);
	if (count == 0)
		platform_no_such("profile");
	for (uint64 i = 0; i < count && !open; i++)
		open = row_is_open(i, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_BOOL(2));
	platform_query_end();
	PG_RETURN_BOOL(open);
}

PG_FUNCTION_INFO_V1(platform_is_business_open);

/*
 * platform.is_business_open(organization_id uuid, user_id uuid,
 *		at timestamptz DEFAULT now(), emergency boolean DEFAULT false) returns boolean
 *
 * Does the member's profile say that the business is open at that moment: by
 * business_hours in business_timezone, or always for an emergency when
 * emergency_24_7 is set? For members of the organization. Errors: 42501; 22004
 * NULL argument; PT404 no such profile.
 */
Datum
platform_is_business_open(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT business_hours, business_timezone, emergency_24_7"
					   " FROM platform.profiles"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static const char *const names[] = {"organization_id", "user_id", "at", "emergency"};
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool		open;

	platform_require_module(&platform_tenants_module);
	for (int i = 0; i < lengthof(names); i++)
		platform_require_argument(fcinfo, i, names[i]);
	platform_require_organization(PG_GETARG_UUID_P(0));

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("user %s has no profile in the organization",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[1])))));
	open = row_is_open(0, PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_BOOL(3));
	platform_query_end();
	PG_RETURN_BOOL(open);
}
