/*
 * throttle.c
 *	  How many messages become due in a minute: exact under concurrency.
 *
 * A row a minute, counted up by compare-and-swap (core/row.h) and held to the end
 * of the transaction: rolled back, a place was not taken. Such rows behave as in
 * READ COMMITTED at every isolation level.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/row.h"
#include "messaging/messaging.h"

#define WINDOWS_AHEAD	(24 * 60)

enum
{
	T_ORGANIZATION,
	T_USER,
	T_WINDOW,
	T_COUNT,
	T_COLUMNS
};

static PlatformRowTable table = {
	.cache = {.name = "sms throttle", .tables = {"sms_outbound_throttle"}},
	.nkeys = 3,
	.ncolumns = T_COLUMNS,
	.columns = {
		{"organization_id", UUIDOID},
		{"user_id", UUIDOID},
		{"window_minute", TIMESTAMPTZOID},
		{"count", INT4OID},
	},
};

static PlatformQuery insert_row =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.sms_outbound_throttle (organization_id, user_id, window_minute)"
				   " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

void
platform_throttle_init(void)
{
	platform_row_register(&table);
}

static TimestampTz
minute_of(TimestampTz at)
{
	TimestampTz rest = at % USECS_PER_MINUTE;

	return at - (rest < 0 ? rest + USECS_PER_MINUTE : rest);
}

typedef enum PlaceResult
{
	PLACE_TAKEN,
	PLACE_NONE,
	PLACE_NO_ROW
} PlaceResult;

/* Takes a place in the row found, which others may be changing. */
static PlaceResult
take_in_row(PlatformRow *row, const Datum *keys, int most)
{
	for (;;)
	{
		int			count;

		CHECK_FOR_INTERRUPTS();
		if (!platform_row_find(row, keys))
			return PLACE_NO_ROW;
		count = platform_row_get_int32(row, T_COUNT, 0);
		if (count >= most)
			return PLACE_NONE;
		platform_row_set(row, T_COUNT, Int32GetDatum(count + 1));
		switch (platform_row_update(row))
		{
			case ROW_DONE:
				return PLACE_TAKEN;
			case ROW_BUSY:
				platform_row_wait(row);
				break;
			case ROW_CHANGED:
				break;
		}
	}
}

static bool
take_in_minute(const Datum *keys, int most)
{
	if (most <= 0)
		return false;
	for (;;)
	{
		PlatformUser saved;
		PlatformRow row;
		PlaceResult result;

		platform_become_owner(&saved);
		platform_row_open(&row, &table);
		result = take_in_row(&row, keys, most);
		platform_row_close(&row);
		platform_restore_user(&saved);
		if (result != PLACE_NO_ROW)
			return result == PLACE_TAKEN;
		platform_insert_once(&insert_row, keys, NULL);
	}
}

bool
platform_sms_take_place(const pg_uuid_t *organization, const pg_uuid_t *user,
						int per_minute, bool may_wait, TimestampTz *at)
{
	TimestampTz window = minute_of(*at);
	Datum		keys[3];

	keys[0] = UUIDPGetDatum(organization);
	keys[1] = UUIDPGetDatum(user == NULL ? &platform_nil_uuid : user);
	for (int i = 0; i < (may_wait ? WINDOWS_AHEAD : 1); i++, window += USECS_PER_MINUTE)
	{
		keys[2] = TimestampTzGetDatum(window);
		if (take_in_minute(keys, per_minute))
		{
			*at = Max(*at, window);
			return true;
		}
	}
	return false;
}

int
platform_sms_places_taken(const pg_uuid_t *organization, const pg_uuid_t *user, TimestampTz at)
{
	static PlatformQuery read =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT count FROM platform.sms_outbound_throttle"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2"
					   " AND window_minute OPERATOR(pg_catalog.=) $3",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[3];

	values[0] = UUIDPGetDatum(organization);
	values[1] = UUIDPGetDatum(user == NULL ? &platform_nil_uuid : user);
	values[2] = TimestampTzGetDatum(minute_of(at));
	return platform_query_run(&read, values, NULL) == 0 ? 0 : platform_row_int32(0, 1);
}
