/*
 * tracking.c
 *	  Where somebody is who is on the way: start_tracking(), add_tracking_point(),
 *	  track(), tracking_path(), end_tracking().
 *
 * Two secrets of 256 random bits each: the token with which the customer sees it,
 * the key with which the device tells it. The table has their SHA-256 only; guessing
 * is hopeless, so neither salt nor slow hash is needed. Whoever has one of them
 * needs no other identity, until the session expires.
 */
#include "core/platform.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "crm/crm.h"

#define TOKEN_BYTES		32
#define HASH_BYTES		32
#define PATH_MAX_POINTS	300

PG_FUNCTION_INFO_V1(platform_start_tracking);
PG_FUNCTION_INFO_V1(platform_add_tracking_point);
PG_FUNCTION_INFO_V1(platform_track);
PG_FUNCTION_INFO_V1(platform_tracking_path);
PG_FUNCTION_INFO_V1(platform_end_tracking);

static Datum
hash_of(const char *secret, size_t length)
{
	bytea	   *hash = palloc(VARHDRSZ + HASH_BYTES);

	SET_VARSIZE(hash, VARHDRSZ + HASH_BYTES);
	platform_hash(PLATFORM_SHA256, secret, length, (uint8 *) VARDATA(hash));
	return PointerGetDatum(hash);
}

static Datum
hash_argument(FunctionCallInfo fcinfo, int argument)
{
	text	   *secret = PG_GETARG_TEXT_PP(argument);

	return hash_of(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret));
}

/* A new secret; its hash is what is stored. */
static Datum
make_secret(Datum *hash)
{
	char		secret[PLATFORM_BASE64URL_ENCODED(TOKEN_BYTES)];
	uint8		random[TOKEN_BYTES];
	int			length;
	text	   *result;

	platform_random_bytes(random, sizeof(random));
	length = platform_base64url_encode(random, sizeof(random), secret);
	platform_wipe(random, sizeof(random));
	*hash = hash_of(secret, length);
	result = cstring_to_text_with_len(secret, length);
	platform_wipe(secret, sizeof(secret));
	return PointerGetDatum(result);
}

/*
 * platform.start_tracking(organization_id uuid, lead_id uuid DEFAULT NULL,
 *						   appointment_id uuid DEFAULT NULL, customer_phone text DEFAULT NULL,
 *						   eta_minutes integer DEFAULT NULL, ttl interval DEFAULT '8 hours',
 *						   region text DEFAULT 'US')
 *		RETURNS (id uuid, token text, update_key text, expires_at timestamptz)
 *
 * Begins a session: token is for the customer, update_key for the device; both are
 * returned this once and stand nowhere. ttl: above zero, at most 7 days. Members:
 * their organization. Errors: 22004; 22023; 42501; PT422 no telephone number; 23503
 * no such lead or appointment; 23514 eta_minutes below zero; 25006.
 */
Datum
platform_start_tracking(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.tracking_sessions (organization_id, lead_id, appointment_id,"
					   " customer_phone, eta_minutes, expires_at, token_hash, update_key_hash, created_by)"
					   " VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $6,"
					   " $7, $8, (SELECT u.id FROM platform.users u WHERE u.id OPERATOR(pg_catalog.=) $9))"
					   " RETURNING id, expires_at",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, INT4OID, INTERVALOID, BYTEAOID, BYTEAOID, UUIDOID);
	const PlatformPhoneRegion *region;
	const pg_uuid_t *self;
	Datum		values[9];
	bool		nulls[9];
	Datum		result[4];
	bool		no_nulls[4] = {false, false, false, false};

	(void) platform_crm_organization(fcinfo, 0);
	(void) platform_require_interval(fcinfo, 5, "ttl", false, 7);
	region = platform_region_argument(fcinfo, 6);
	platform_copy_arguments(fcinfo, 0, 6, values, nulls);
	platform_set_text(values, nulls, 3, platform_phone_argument(fcinfo, 3, "customer_phone", region));
	result[1] = make_secret(&values[6]);
	result[2] = make_secret(&values[7]);
	nulls[6] = nulls[7] = false;
	self = platform_current_user();
	values[8] = UUIDPGetDatum(self);
	nulls[8] = self == NULL;

	platform_query_begin();
	platform_query_run(&insert, values, nulls);
	result[0] = platform_row_datum_copy(0, 1, &no_nulls[0]);
	result[3] = platform_row_datum_copy(0, 2, &no_nulls[3]);
	platform_query_end();
	return platform_return_row(fcinfo, result, no_nulls);
}

static bool
is_degree(double value, double most)
{
	return !isnan(value) && value >= -most && value <= most;
}

/* PT404, or PT410 when it has expired. */
pg_noreturn static void
refuse_session(bool expired)
{
	ereport(ERROR,
			(errcode(expired ? ERRCODE_PLATFORM_EXPIRED : ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg(expired ? "the tracking session has expired" : "no such tracking session")));
}

/*
 * platform.add_tracking_point(update_key text, lat double precision, lng double precision,
 *							   eta_minutes integer DEFAULT NULL, recorded_at timestamptz DEFAULT NULL)
 *		RETURNS boolean
 *
 * The device is there, in degrees (WGS 84), since recorded_at (NULL and the future: now).
 * False, and nothing is stored, when it was less than a second after the last point, or before.
 * Whoever has the key. Errors: 22004; 22023 no degrees; PT404 no such session; PT409 it is
 * ended; PT410 it has expired; 23514 eta_minutes below zero; 25006.
 */
Datum
platform_add_tracking_point(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT status OPERATOR(pg_catalog.=) 'active',"
					   " expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " FROM platform.tracking_sessions WHERE update_key_hash OPERATOR(pg_catalog.=) $1"
					   " FOR NO KEY UPDATE",
					   BYTEAOID);
	static PlatformQuery add =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH s AS (UPDATE platform.tracking_sessions SET last_lat = $2, last_lng = $3,"
					   " eta_minutes = COALESCE($4, eta_minutes), last_recorded_at = $5"
					   " WHERE update_key_hash OPERATOR(pg_catalog.=) $1"
					   " AND (last_recorded_at IS NULL OR $5 OPERATOR(pg_catalog.>=)"
					   " (last_recorded_at OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => 1)))"
					   " RETURNING id, organization_id)"
					   " INSERT INTO platform.tracking_points (organization_id, session_id, lat, lng, recorded_at)"
					   " SELECT s.organization_id, s.id, $2, $3, $5 FROM s",
					   BYTEAOID, FLOAT8OID, FLOAT8OID, INT4OID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[5];
	bool		nulls[5];
	bool		added;

	platform_require_module(&platform_crm_module);
	platform_require_argument(fcinfo, 0, "update_key");
	platform_require_argument(fcinfo, 1, "lat");
	platform_require_argument(fcinfo, 2, "lng");
	if (!is_degree(PG_GETARG_FLOAT8(1), 90) || !is_degree(PG_GETARG_FLOAT8(2), 180))
		platform_bad_argument("lat must be between -90 and 90, lng between -180 and 180");
	if (!PG_ARGISNULL(4) && TIMESTAMP_IS_NOBEGIN(PG_GETARG_TIMESTAMPTZ(4)))
		platform_bad_argument("recorded_at must be a moment");
	platform_copy_arguments(fcinfo, 0, 5, values, nulls);
	values[0] = hash_argument(fcinfo, 0);
	if (nulls[4] || DatumGetTimestampTz(values[4]) > now)
		values[4] = TimestampTzGetDatum(now);
	nulls[4] = false;

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		refuse_session(false);
	if (platform_row_bool(0, 2))
		refuse_session(true);
	if (!platform_row_bool(0, 1))
		platform_wrong_state("the tracking session is ended");
	added = platform_query_run(&add, values, nulls) > 0;
	platform_query_end();
	PG_RETURN_BOOL(added);
}

/*
 * platform.track(token text)
 *		RETURNS (status text, eta_minutes integer, lat double precision, lng double precision,
 *				 recorded_at timestamptz, expires_at timestamptz)
 *
 * Where it is now; once the session is ended, only that it is. Whoever has the token. Errors: 22004;
 * PT404 no such session; PT410 it has expired.
 */
Datum
platform_track(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT status, CASE WHEN a.active THEN eta_minutes END, CASE WHEN a.active THEN last_lat END,"
					   " CASE WHEN a.active THEN last_lng END, CASE WHEN a.active THEN last_recorded_at END, expires_at,"
					   " expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " FROM platform.tracking_sessions s"
					   " CROSS JOIN LATERAL (SELECT s.status OPERATOR(pg_catalog.=) 'active') AS a (active)"
					   " WHERE token_hash OPERATOR(pg_catalog.=) $1",
					   BYTEAOID);
	Datum		hash;
	Datum		result[6];
	bool		nulls[6];

	platform_require_module(&platform_crm_module);
	platform_require_argument(fcinfo, 0, "token");
	hash = hash_argument(fcinfo, 0);
	platform_query_begin();
	if (platform_query_run(&find, &hash, NULL) == 0)
		refuse_session(false);
	if (platform_row_bool(0, 7))
		refuse_session(true);
	for (int i = 0; i < 6; i++)
		result[i] = platform_row_datum_copy(0, i + 1, &nulls[i]);
	platform_query_end();
	return platform_return_row(fcinfo, result, nulls);
}

/*
 * platform.tracking_path(token text, "limit" integer DEFAULT 300)
 *		RETURNS TABLE (lat double precision, lng double precision, recorded_at timestamptz)
 *
 * The last points, at most limit (1 to 300), in the order of time; none once the session is
 * ended. Whoever has the token. Errors: 22004; 22023; PT404 no such session; PT410 it has expired.
 */
Datum
platform_tracking_path(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " FROM platform.tracking_sessions WHERE token_hash OPERATOR(pg_catalog.=) $1",
					   BYTEAOID);
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT l.lat, l.lng, l.recorded_at FROM (SELECT p.lat, p.lng, p.recorded_at, p.id"
					   " FROM platform.tracking_sessions s JOIN platform.tracking_points p"
					   " ON p.session_id OPERATOR(pg_catalog.=) s.id"
					   " AND p.organization_id OPERATOR(pg_catalog.=) s.organization_id"
					   " WHERE s.token_hash OPERATOR(pg_catalog.=) $1 AND s.status OPERATOR(pg_catalog.=) 'active'"
					   " ORDER BY p.recorded_at DESC LIMIT $2) AS l ORDER BY l.recorded_at",
					   BYTEAOID, INT4OID);
	Datum		values[2];

	platform_require_module(&platform_crm_module);
	platform_require_argument(fcinfo, 0, "token");
	(void) platform_limit_argument(fcinfo, 1, PATH_MAX_POINTS);
	values[0] = hash_argument(fcinfo, 0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		refuse_session(false);
	if (platform_row_bool(0, 1))
		refuse_session(true);
	platform_query_end();
	return platform_query_return_rows(fcinfo, &list, values, NULL);
}

/*
 * platform.end_tracking(organization_id uuid, session_id uuid) RETURNS boolean
 *
 * It has arrived, or nobody shall see it any more; false when that was so. Members: their
 * organization. Errors: 22004; 42501; PT404 no such session; 25006.
 */
Datum
platform_end_tracking(PG_FUNCTION_ARGS)
{
	static PlatformQuery end =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.tracking_sessions SET status = 'ended'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) 'active'",
					   UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.tracking_sessions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		ended;

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "session_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	ended = platform_query_run(&end, values, NULL) > 0;
	if (!ended && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("tracking session");
	platform_query_end();
	PG_RETURN_BOOL(ended);
}
