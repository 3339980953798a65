/*
 * sessions.c
 *	  Sign-ins: creating, verifying and touching a session.
 *
 * A token is 256 random bits as base64url text. The table has the SHA-256 of
 * that text: a copy of the table signs nobody in, and since nobody can guess a
 * token, neither salt nor slow hash is needed (they protect what people
 * choose). Looking the hash up through its unique index tells by its timing
 * nothing about the token.
 *
 * The cap: who creates a session first takes a lock of the user in the
 * organization, held to the end of the transaction, and then looks with a
 * snapshot of that moment; so of any number of sign-ins at once each counts
 * those before it, at every isolation level.
 *
 * Time is the clock's and not the transaction's: a session must not outlive its
 * end in a long transaction, and of two sign-ins the later one is the newer.
 */
#include "core/platform.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "sessions/sessions.h"

#define TOKEN_BYTES 32
#define HASH_BYTES	32
#define USER_AGENT_MAX 500
#define LONGEST_TTL (INT64CONST(400) * USECS_PER_DAY + USECS_PER_HOUR)	/* the end of summer */

PlatformModule platform_sessions_module = {.name = "sessions", .version = 560};

static int	sessions_per_user = 5;

/* What is known of a token's session. */
typedef struct Session
{
	const char *refusal;		/* why it is not valid; else NULL, and the rest is set */
	pg_uuid_t	id;
	pg_uuid_t	organization;
	pg_uuid_t	user;
	TimestampTz expires_at;
	TimestampTz last_active_at;
} Session;

void
platform_sessions_init(void)
{
	DefineCustomIntVariable("platform.sessions_per_user",
							"Live sessions that a user may have in an organization; the oldest beyond are revoked.",
							"Zero: any number.",
							&sessions_per_user, 5, 0, 10000, PGC_SUSET, 0, NULL, NULL, NULL);
}

void
platform_sessions_lock(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	uint64		key = hash_bytes_extended(organization->data, UUID_LEN, 60);

	platform_mutex_lock(hash_bytes_extended(user->data, UUID_LEN, key));
}

TimestampTz
platform_sessions_moment(TimestampTz now, Datum interval, bool before)
{
	PGFunction	shift = before ? timestamptz_mi_interval : timestamptz_pl_interval;

	return DatumGetTimestampTz(DirectFunctionCall2(shift, TimestampTzGetDatum(now), interval));
}

/* The stored form of a token: the hexadecimal digits of its SHA-256. */
static text *
token_hash(const char *token, size_t length)
{
	uint8		hash[HASH_BYTES];
	char		hex[2 * HASH_BYTES + 1];

	platform_hash(PLATFORM_SHA256, token, length, hash);
	platform_hex_encode(hash, sizeof(hash), hex);
	return cstring_to_text_with_len(hex, 2 * HASH_BYTES);
}

/*
 * What kind of device a user agent names. Tablets with Android say so by not
 * saying "Mobile"; everything else that is no telephone is a desktop.
 */
static const char *
device_type(const char *user_agent)
{
	if (strstr(user_agent, "iPad") || strstr(user_agent, "Tablet") ||
		(strstr(user_agent, "Android") && !strstr(user_agent, "Mobile")))
		return "tablet";
	if (strstr(user_agent, "Mobi") || strstr(user_agent, "iPhone") || strstr(user_agent, "iPod"))
		return "mobile";
	return "desktop";
}

/* Raises unless the organization and the user are there and may have sessions. */
static void
require_user(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	static PlatformQuery find_organization =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.organizations"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID);
	static PlatformQuery find_user =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT status OPERATOR(pg_catalog.=) 'active'"
					   " OR status OPERATOR(pg_catalog.=) 'pending' FROM platform.users"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID);
	Datum		value = UUIDPGetDatum(organization);

	if (platform_query_run(&find_organization, &value, NULL) == 0)
		platform_no_such_organization(organization);
	value = UUIDPGetDatum(user);
	if (platform_query_run(&find_user, &value, NULL) == 0)
		platform_no_such_user(user);
	if (!platform_row_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("user %s is inactive",
						DatumGetCString(DirectFunctionCall1(uuid_out, value)))));
}

/* Revokes the oldest live sessions so that one more is within the cap. */
static void
make_room(const pg_uuid_t *organization, const pg_uuid_t *user, TimestampTz now)
{
	static PlatformQuery revoke_oldest =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.active_sessions"
					   " SET revoked_at = $3, revoked_reason = 'session_limit_reached'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL"
					   " AND id OPERATOR(pg_catalog.=) ANY (ARRAY("
					   "SELECT s.id FROM platform.active_sessions s"
					   " WHERE s.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND s.user_id OPERATOR(pg_catalog.=) $2"
					   " AND s.revoked_at IS NULL AND s.expires_at OPERATOR(pg_catalog.>) $3"
					   " ORDER BY s.created_at DESC, s.id DESC OFFSET $4))",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID);
	Datum		values[] = {
		UUIDPGetDatum(organization), UUIDPGetDatum(user), TimestampTzGetDatum(now),
		Int64GetDatum(sessions_per_user - 1)
	};

	if (sessions_per_user > 0)
		platform_query_run(&revoke_oldest, values, NULL);
}

PG_FUNCTION_INFO_V1(platform_create_session);

/*
 * platform.create_session(organization_id uuid, user_id uuid, ip inet DEFAULT NULL,
 *		user_agent text DEFAULT NULL, ttl interval DEFAULT '30 days') returns text
 *
 * Signs a user in; returns the token, which is shown this once. Whoever has
 * verified the user calls it: operators only. The oldest live sessions beyond
 * platform.sessions_per_user are revoked (session_limit_reached). Of the user
 * agent 500 characters are kept. Errors: 42501; 22004 NULL organization, user or
 * ttl; 22023 a ttl below one second or beyond 400 days; PT404 unknown or deleted
 * organization or user; PT409 a suspended or inactive user.
 */
Datum
platform_create_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.active_sessions (organization_id, user_id, token_hash,"
					   " ip_address, user_agent, device_type, created_at, last_active_at, expires_at)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
					   UUIDOID, UUIDOID, TEXTOID, INETOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
					   TIMESTAMPTZOID);
	const pg_uuid_t *organization;
	const pg_uuid_t *user;
	uint8		random[TOKEN_BYTES];
	char		token[PLATFORM_BASE64URL_ENCODED(TOKEN_BYTES)];
	int			length;
	TimestampTz now;
	TimestampTz expires_at;
	Datum		values[8] = {0};
	bool		nulls[8] = {false};

	platform_require_module(&platform_sessions_module);
	platform_require_operator("create a session");
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	platform_require_argument(fcinfo, 4, "ttl");
	organization = PG_GETARG_UUID_P(0);
	user = PG_GETARG_UUID_P(1);
	now = GetCurrentTimestamp();
	expires_at = platform_sessions_moment(now, PG_GETARG_DATUM(4), false);
	if (expires_at - now < USECS_PER_SEC || expires_at - now > LONGEST_TTL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ttl must be at least one second and at most 400 days")));

	platform_random_bytes(random, sizeof(random));
	length = platform_base64url_encode(random, sizeof(random), token);
	platform_wipe(random, sizeof(random));

	platform_query_begin();
	require_user(organization, user);
	platform_sessions_lock(organization, user);
	now = GetCurrentTimestamp();
	make_room(organization, user, now);

	values[0] = UUIDPGetDatum(organization);
	values[1] = UUIDPGetDatum(user);
	values[2] = PointerGetDatum(token_hash(token, length));
	values[3] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	nulls[3] = PG_ARGISNULL(2);
	nulls[4] = nulls[5] = PG_ARGISNULL(3);
	if (!PG_ARGISNULL(3))
	{
		text	   *user_agent = PG_GETARG_TEXT_PP(3);
		int			kept = pg_mbcharcliplen(VARDATA_ANY(user_agent), VARSIZE_ANY_EXHDR(user_agent),
											USER_AGENT_MAX);

		values[4] = PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(user_agent), kept));
		values[5] = CStringGetTextDatum(device_type(text_to_cstring(user_agent)));
	}
	values[6] = TimestampTzGetDatum(now);
	values[7] = TimestampTzGetDatum(platform_sessions_moment(now, PG_GETARG_DATUM(4), false));
	platform_query_run(&insert, values, nulls);
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(token, length));
}

/*
 * The session of the token in an argument. A read, of what is committed now: a
 * revocation ends a session in the middle of a transaction too. Within
 * platform_query_begin().
 */
static void
find_session(FunctionCallInfo fcinfo, int argument, Session *session)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT s.id, s.organization_id, s.user_id, s.expires_at, s.last_active_at,"
					   " s.revoked_at IS NOT NULL, s.expires_at OPERATOR(pg_catalog.<=) $2,"
					   " (u.status OPERATOR(pg_catalog.=) 'active'"
					   " OR u.status OPERATOR(pg_catalog.=) 'pending') AND u.deleted_at IS NULL,"
					   " o.deleted_at IS NULL"
					   " FROM platform.active_sessions s"
					   " JOIN platform.users u ON u.id OPERATOR(pg_catalog.=) s.user_id"
					   " JOIN platform.organizations o ON o.id OPERATOR(pg_catalog.=) s.organization_id"
					   " WHERE s.token_hash OPERATOR(pg_catalog.=) $1",
					   TEXTOID, TIMESTAMPTZOID);
	Datum		values[2];
	text	   *token;

	session->refusal = "UNKNOWN";
	if (PG_ARGISNULL(argument))
		return;
	token = PG_GETARG_TEXT_PP(argument);
	values[0] = PointerGetDatum(token_hash(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token)));
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (platform_query_run(&find, values, NULL) == 0)
		return;

	if (platform_row_bool(0, 6))
		session->refusal = "REVOKED";
	else if (platform_row_bool(0, 7))
		session->refusal = "EXPIRED";
	else if (!platform_row_bool(0, 8))
		session->refusal = "USER_INACTIVE";
	else if (!platform_row_bool(0, 9))
		session->refusal = "ORGANIZATION_DELETED";
	else
	{
		session->refusal = NULL;
		session->id = platform_row_uuid(0, 1);
		session->organization = platform_row_uuid(0, 2);
		session->user = platform_row_uuid(0, 3);
		session->expires_at = platform_row_timestamptz_or(0, 4, 0);
		session->last_active_at = platform_row_timestamptz_or(0, 5, 0);
	}
}

PG_FUNCTION_INFO_V1(platform_verify_session);

/*
 * platform.verify_session(token text, OUT valid boolean, OUT reason text,
 *		OUT session_id uuid, OUT organization_id uuid, OUT user_id uuid,
 *		OUT expires_at timestamptz)
 *
 * Whose session is it? Never NULL and never an error for any text: valid, and
 * reason VALID, UNKNOWN (also for NULL), REVOKED, EXPIRED, USER_INACTIVE or
 * ORGANIZATION_DELETED. The other columns are null unless valid, so that
 * nobody takes a dead session for a live one. Members and operators; whoever
 * has the token may ask.
 */
Datum
platform_verify_session(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	Session		session;
	Datum		values[6] = {0};
	bool		nulls[6] = {false, false, true, true, true, true};

	platform_require_module(&platform_sessions_module);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	platform_query_begin();
	find_session(fcinfo, 0, &session);
	platform_query_end();

	values[0] = BoolGetDatum(session.refusal == NULL);
	values[1] = CStringGetTextDatum(session.refusal == NULL ? "VALID" : session.refusal);
	if (session.refusal == NULL)
	{
		values[2] = UUIDPGetDatum(&session.id);
		values[3] = UUIDPGetDatum(&session.organization);
		values[4] = UUIDPGetDatum(&session.user);
		values[5] = TimestampTzGetDatum(session.expires_at);
		memset(nulls, 0, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

PG_FUNCTION_INFO_V1(platform_touch_session);

/*
 * platform.touch_session(token text, every interval DEFAULT '1 minute') returns boolean
 *
 * Is the session valid? If so its last_active_at becomes now, but only when it is
 * older than every: a session that asks a hundred times a second is written once a
 * minute. Members and operators. Errors: 22004 NULL interval; 22023 negative
 * one; 25006 in a read-only transaction when it has to write.
 */
Datum
platform_touch_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery touch =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.active_sessions SET last_active_at = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND revoked_at IS NULL"
					   " AND last_active_at OPERATOR(pg_catalog.<=) $4",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due;
	Session		session;

	platform_require_module(&platform_sessions_module);
	platform_require_argument(fcinfo, 1, "every");
	due = platform_sessions_moment(now, PG_GETARG_DATUM(1), true);
	if (due > now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("every must not be negative")));

	platform_query_begin();
	find_session(fcinfo, 0, &session);
	if (session.refusal == NULL && session.last_active_at <= due)
	{
		Datum		values[] = {
			UUIDPGetDatum(&session.organization), UUIDPGetDatum(&session.id),
			TimestampTzGetDatum(now), TimestampTzGetDatum(due)
		};

		platform_query_run(&touch, values, NULL);
	}
	platform_query_end();
	PG_RETURN_BOOL(session.refusal == NULL);
}
