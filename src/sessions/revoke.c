/*
 * revoke.c
 *	  Ending sessions; listing and purging them.
 *
 * Ending all sessions of a user takes the lock that creating one takes: a sign-in
 * in progress ends first and is then ended too. Whoever signs in later did so
 * after the revocation.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "sessions/sessions.h"

#define REASON_MAX 63

/* Is the caller that user, or does it administer the organization? */
static bool
may_see_user(const pg_uuid_t *user)
{
	const pg_uuid_t *self = platform_current_user();

	return platform_is_organization_admin() || (self != NULL && platform_uuid_equal(self, user));
}

static void
require_user(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	platform_require_organization(organization);
	if (!may_see_user(user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for another user's sessions")));
}

PG_FUNCTION_INFO_V1(platform_revoke_session);

/*
 * platform.revoke_session(organization_id uuid, session_id uuid,
 *		reason text DEFAULT 'user_revoked') returns boolean
 *
 * Ends a session. False when it was revoked or has expired before. Members end
 * their own, administrators any of their organization. Errors: 42501 another
 * organization; 22004 NULL; 22023 a reason not of 1 to 63 characters; PT404 no such
 * session, or none that the caller may end.
 */
Datum
platform_revoke_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT user_id FROM platform.active_sessions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static PlatformQuery revoke =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.active_sessions SET revoked_at = $3, revoked_reason = $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2"
					   " AND revoked_at IS NULL AND expires_at OPERATOR(pg_catalog.>) $3",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID);
	Datum		values[4];
	pg_uuid_t	user;
	bool		found;
	bool		revoked;

	platform_require_module(&platform_sessions_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "session_id");
	values[3] = PointerGetDatum(platform_required_text(fcinfo, 2, "reason", REASON_MAX));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_require_organization(DatumGetUUIDP(values[0]));

	platform_query_begin();
	found = platform_query_run(&find, values, NULL) > 0;
	if (found)
		user = platform_row_uuid(0, 1);
	if (!found || !may_see_user(&user))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("session %s does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[1])))));
	revoked = platform_query_run(&revoke, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(revoked);
}

/*
 * Ends the live sessions of a user but the excepted one (may be NULL); returns
 * how many there were. Within platform_query_begin().
 */
static int
revoke_all(const pg_uuid_t *organization, const pg_uuid_t *user, const pg_uuid_t *except,
		   text *reason)
{
	static PlatformQuery revoke =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.active_sessions SET revoked_at = $3, revoked_reason = $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2"
					   " AND revoked_at IS NULL AND expires_at OPERATOR(pg_catalog.>) $3"
					   " AND ($5 IS NULL OR id OPERATOR(pg_catalog.<>) $5)",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, UUIDOID);
	Datum		values[5];
	bool		nulls[5] = {false, false, false, false, except == NULL};

	platform_sessions_lock(organization, user);
	values[0] = UUIDPGetDatum(organization);
	values[1] = UUIDPGetDatum(user);
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[3] = PointerGetDatum(reason);
	values[4] = UUIDPGetDatum(except);
	return (int) platform_query_run(&revoke, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_revoke_sessions);

/*
 * platform.revoke_sessions(organization_id uuid, user_id uuid,
 *		except_session_id uuid DEFAULT NULL, reason text DEFAULT 'user_revoked_all')
 *		returns integer
 *
 * Ends a user's sessions in an organization but the one excepted, which is usually the
 * caller's own; returns how many were live. Members: their own, administrators
 * any user's. Errors: 42501; 22004 NULL; 22023 a reason not of 1 to 63 characters.
 */
Datum
platform_revoke_sessions(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const pg_uuid_t *user;
	text	   *reason;
	int			count;

	platform_require_module(&platform_sessions_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	reason = platform_required_text(fcinfo, 3, "reason", REASON_MAX);
	organization = PG_GETARG_UUID_P(0);
	user = PG_GETARG_UUID_P(1);
	require_user(organization, user);

	platform_query_begin();
	count = revoke_all(organization, user, PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2), reason);
	platform_query_end();
	PG_RETURN_INT32(count);
}

PG_FUNCTION_INFO_V1(platform_revoke_member_sessions);

/*
 * platform.revoke_member_sessions() returns trigger
 *
 * Who is no member any more loses its sessions in the organization
 * (member_removed). Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER organization_members_revoke_sessions
 *			AFTER DELETE ON platform.organization_members
 *			FOR EACH ROW EXECUTE FUNCTION platform.revoke_member_sessions();
 */
Datum
platform_revoke_member_sessions(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "revoke_member_sessions",
												  GUARD_AFTER | GUARD_ROW | GUARD_DELETE);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		organization;
	Datum		user;

	organization = heap_getattr(trigger->tg_trigtuple,
								platform_trigger_column(trigger, "organization_id"), desc, &isnull);
	user = heap_getattr(trigger->tg_trigtuple,
						platform_trigger_column(trigger, "user_id"), desc, &isnull);
	platform_query_begin();
	(void) revoke_all(DatumGetUUIDP(organization), DatumGetUUIDP(user), NULL,
					  cstring_to_text("member_removed"));
	platform_query_end();
	return PointerGetDatum(NULL);
}

PG_FUNCTION_INFO_V1(platform_list_sessions);

/*
 * platform.list_sessions(organization_id uuid, user_id uuid DEFAULT NULL,
 *		include_ended boolean DEFAULT false) returns table (session_id uuid,
 *		user_id uuid, ip_address inet, user_agent text, device_type text,
 *		created_at timestamptz, last_active_at timestamptz, expires_at timestamptz,
 *		revoked_at timestamptz, revoked_reason text)
 *
 * Sessions, newest first; without a user all that the caller may see: its own, or
 * the organization's for administrators and operators. Runs under the caller's
 * row security. Errors: 42501 another organization or user; 22004 NULL
 * organization or include_ended.
 */
Datum
platform_list_sessions(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT id, user_id, ip_address, user_agent, device_type, created_at,"
					   " last_active_at, expires_at, revoked_at, revoked_reason"
					   " FROM platform.active_sessions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND ($2 IS NULL OR user_id OPERATOR(pg_catalog.=) $2)"
					   " AND ($3 OR (revoked_at IS NULL AND expires_at OPERATOR(pg_catalog.>) $4))"
					   " ORDER BY created_at DESC, id DESC",
					   UUIDOID, UUIDOID, BOOLOID, TIMESTAMPTZOID);
	Datum		values[4];
	bool		nulls[4] = {false, PG_ARGISNULL(1), false, false};

	platform_require_module(&platform_sessions_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 2, "include_ended");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	values[2] = PG_GETARG_DATUM(2);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (PG_ARGISNULL(1))
		platform_require_organization(DatumGetUUIDP(values[0]));
	else
		require_user(DatumGetUUIDP(values[0]), DatumGetUUIDP(values[1]));

	return platform_query_return_rows(fcinfo, &list, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_purge_sessions);

/*
 * platform.purge_sessions(older_than interval DEFAULT '30 days', batch integer DEFAULT 1000)
 *		returns bigint
 *
 * Deletes at most batch sessions that expired or were revoked longer ago than
 * that; returns how many: call it again while it returns batch. Rows that somebody else
 * holds are left for the next time, so jobs may overlap. Operators only. Errors:
 * 42501; 22004 NULL; 22023 a negative interval or a batch below 1.
 */
Datum
platform_purge_sessions(PG_FUNCTION_ARGS)
{
	static PlatformQuery delete =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH expired AS (SELECT id, organization_id FROM platform.active_sessions"
					   " WHERE expires_at OPERATOR(pg_catalog.<) $1 LIMIT $2 FOR UPDATE SKIP LOCKED),"
					   " revoked AS (SELECT id, organization_id FROM platform.active_sessions"
					   " WHERE revoked_at OPERATOR(pg_catalog.<) $1 LIMIT $2 FOR UPDATE SKIP LOCKED),"
					   " ended AS (SELECT id, organization_id FROM expired"
					   " UNION SELECT id, organization_id FROM revoked LIMIT $2)"
					   " DELETE FROM platform.active_sessions s USING ended e"
					   " WHERE s.id OPERATOR(pg_catalog.=) e.id"
					   " AND s.organization_id OPERATOR(pg_catalog.=) e.organization_id",
					   TIMESTAMPTZOID, INT8OID);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz before;
	Datum		values[2];
	uint64		count;

	platform_require_module(&platform_sessions_module);
	platform_require_operator("purge sessions");
	platform_require_argument(fcinfo, 0, "older_than");
	platform_require_argument(fcinfo, 1, "batch");
	before = platform_sessions_moment(now, PG_GETARG_DATUM(0), true);
	if (before > now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("older_than must not be negative")));
	if (PG_GETARG_INT32(1) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be greater than zero")));

	values[0] = TimestampTzGetDatum(before);
	values[1] = Int64GetDatum(PG_GETARG_INT32(1));
	platform_query_begin();
	count = platform_query_run(&delete, values, NULL);
	platform_query_end();
	PG_RETURN_INT64((int64) count);
}
