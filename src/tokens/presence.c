/*
 * presence.c
 *	  Who can be called: heartbeat_presence(), available_hosts(); and the lists
 *	  of calls and debts.
 *
 * Lists run as the caller: row security decides what it sees of its
 * organization. Presence is written as the owner, after the caller was checked.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "tokens/tokens.h"

#define LIST_MAX	100000

PG_FUNCTION_INFO_V1(platform_heartbeat_presence);
PG_FUNCTION_INFO_V1(platform_available_hosts);
PG_FUNCTION_INFO_V1(platform_list_call_sessions);
PG_FUNCTION_INFO_V1(platform_list_unbilled_usage);

static PlatformQuery upsert_presence =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.user_presence AS p"
				   " (organization_id, host_id, room_id, is_available, room_token, updated_at)"
				   " VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp())"
				   " ON CONFLICT (organization_id, host_id) DO UPDATE SET"
				   " room_id = excluded.room_id, is_available = excluded.is_available,"
				   " room_token = COALESCE(excluded.room_token, p.room_token),"
				   " updated_at = excluded.updated_at",
				   UUIDOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID);

static PlatformQuery select_hosts =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT host_id, room_id, updated_at FROM platform.user_presence"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND is_available"
				   " AND updated_at OPERATOR(pg_catalog.>=)"
				   " (pg_catalog.now() OPERATOR(pg_catalog.-) $2)"
				   " ORDER BY updated_at DESC, host_id",
				   UUIDOID, INTERVALOID);

static PlatformQuery select_calls =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT id, room_id, user_id, mode, used_turn, status, start_time, end_time,"
				   " duration_seconds, charged FROM platform.call_sessions"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND ($2 IS NULL OR user_id OPERATOR(pg_catalog.=) $2)"
				   " AND ($3 IS NULL OR start_time OPERATOR(pg_catalog.>=) $3)"
				   " AND ($4 IS NULL OR start_time OPERATOR(pg_catalog.<) $4)"
				   " ORDER BY start_time DESC, id DESC LIMIT $5",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID);

static PlatformQuery select_unbilled =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT id, user_id, session_id, tokens, mode, used_turn, reason, attempts,"
				   " created_at, settled_at FROM platform.unbilled_usage"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND ($2 IS NULL OR user_id OPERATOR(pg_catalog.=) $2)"
				   " AND ($3 OR settled_at IS NULL)"
				   " ORDER BY created_at DESC, id DESC LIMIT $4",
				   UUIDOID, TEXTOID, BOOLOID, INT4OID);

static void
presence_text(FunctionCallInfo fcinfo, int argument, const char *name)
{
	platform_require_argument(fcinfo, argument, name);
	platform_tokens_require_length(PG_GETARG_TEXT_PP(argument), name);
}

/*
 * platform.heartbeat_presence(organization_id uuid, host_id text, room_id text,
 *							   is_available boolean DEFAULT true, room_token text DEFAULT NULL)
 *		RETURNS void
 *
 * The host is there: in this room, and to be called or not. A room_token of NULL
 * leaves what was. Members: themselves, as administrators any host of their
 * organization. Errors: 42501; 22004; 22023 texts that are not 1 to 255
 * characters; 23503 no such organization.
 */
Datum
platform_heartbeat_presence(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_module(&platform_tokens_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	presence_text(fcinfo, 1, "host_id");
	presence_text(fcinfo, 2, "room_id");
	platform_require_argument(fcinfo, 3, "is_available");
	platform_require_organization(PG_GETARG_UUID_P(0));
	if (!platform_tokens_is_own(PG_GETARG_TEXT_PP(1)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for the presence of another host")));

	platform_copy_arguments(fcinfo, 0, 5, values, nulls);
	platform_query_begin();
	platform_query_run(&upsert_presence, values, nulls);
	platform_query_end();
	PG_RETURN_VOID();
}

/*
 * platform.available_hosts(organization_id uuid DEFAULT NULL,
 *							max_age interval DEFAULT '2 minutes')
 *		RETURNS TABLE (host_id text, room_id text, last_seen timestamptz)
 *
 * The hosts that are available and have sent a heartbeat within max_age, the
 * latest first. NULL: the caller's organization, else the default one. Members:
 * their own. Errors: 42501; 22004; 22023 max_age below zero.
 */
Datum
platform_available_hosts(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	Datum		values[2];

	platform_require_module(&platform_tokens_module);
	if (organization == NULL)
		organization = platform_current_organization();
	if (organization == NULL)
		organization = &platform_nil_uuid;
	platform_require_organization(organization);
	platform_require_argument(fcinfo, 1, "max_age");
	values[0] = UUIDPGetDatum(organization);
	values[1] = PG_GETARG_DATUM(1);
	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, values[1],
										  PointerGetDatum(&(Interval) {0}))) < 0)
		platform_bad_argument("max_age must not be below zero");
	return platform_query_return_rows(fcinfo, &select_hosts, values, NULL);
}

/*
 * platform.list_call_sessions(organization_id uuid, user_id text DEFAULT NULL,
 *							   "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL,
 *							   "limit" integer DEFAULT 100)
 *		RETURNS TABLE (session_id uuid, room_id text, caller text, mode text, used_turn boolean,
 *					   status text, start_time timestamptz, end_time timestamptz,
 *					   duration_seconds bigint, charged bigint)
 *
 * Calls that started in [from, to), the newest first. Members see their own, as
 * administrators those of their organization. Errors: 42501; 22004; 22023 a
 * limit outside 1 .. 100000.
 */
Datum
platform_list_call_sessions(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_require_module(&platform_tokens_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);
	values[4] = Int32GetDatum(platform_limit_argument(fcinfo, 4, LIST_MAX));
	return platform_query_return_rows(fcinfo, &select_calls, values, nulls);
}

/*
 * platform.list_unbilled_usage(organization_id uuid, user_id text DEFAULT NULL,
 *								include_settled boolean DEFAULT false, "limit" integer DEFAULT 100)
 *		RETURNS TABLE (id uuid, caller text, session_id uuid, tokens bigint, mode text,
 *					   used_turn boolean, reason text, attempts integer,
 *					   created_at timestamptz, settled_at timestamptz)
 *
 * What could not be billed, the newest first. Members see their own, as
 * administrators those of their organization. Errors: 42501; 22004; 22023 a
 * limit outside 1 .. 100000.
 */
Datum
platform_list_unbilled_usage(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	platform_require_module(&platform_tokens_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 2, "include_settled");
	platform_require_organization(PG_GETARG_UUID_P(0));
	platform_copy_arguments(fcinfo, 0, 3, values, nulls);
	values[3] = Int32GetDatum(platform_limit_argument(fcinfo, 3, LIST_MAX));
	return platform_query_return_rows(fcinfo, &select_unbilled, values, nulls);
}
