/*
 * webrtc.c
 *	  Calls from a browser: sessions, their states, their quality.
 *
 * A session is made for a user, who gets its token once: 256 random bits, of
 * which the table has the SHA-256 only. Whoever has the token, such as the
 * signalling server, finds the session by it. Samples of what the browser
 * measures are kept one by one; the newest stands in the session's row too.
 */
#include "core/platform.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "calls/quality.h"
#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/touch.h"

#define TOKEN_BYTES		32
#define TOKEN_PREFIX	"wrt_"
#define USER_AGENT_MAX	500
#define SDP_MAX			65536
#define RESOURCE_MAX	255

PG_FUNCTION_INFO_V1(platform_create_webrtc_session);
PG_FUNCTION_INFO_V1(platform_authenticate_webrtc_session);
PG_FUNCTION_INFO_V1(platform_advance_webrtc_session);
PG_FUNCTION_INFO_V1(platform_add_webrtc_sample);
PG_FUNCTION_INFO_V1(platform_webrtc_quality);
PG_FUNCTION_INFO_V1(platform_active_webrtc_sessions);
PG_FUNCTION_INFO_V1(platform_check_webrtc_session);

typedef enum WebrtcStatus
{
	WEBRTC_INITIALIZING,
	WEBRTC_CONNECTING,
	WEBRTC_CONNECTED,
	WEBRTC_ON_CALL,
	WEBRTC_DISCONNECTED,
	WEBRTC_FAILED
} WebrtcStatus;

#define WEBRTC_STATUSES	(WEBRTC_FAILED + 1)
#define WEBRTC_ENDS		(STATE_BIT(WEBRTC_DISCONNECTED) | STATE_BIT(WEBRTC_FAILED))

/* A connection that is lost for a moment connects again. */
static const StateRule rules[WEBRTC_STATUSES] = {
	[WEBRTC_INITIALIZING] = {"initializing", 12, 0,
	STATE_BIT(WEBRTC_CONNECTING) | STATE_BIT(WEBRTC_CONNECTED) | WEBRTC_ENDS},
	[WEBRTC_CONNECTING] = {"connecting", 10, 1,
	STATE_BIT(WEBRTC_CONNECTED) | WEBRTC_ENDS},
	[WEBRTC_CONNECTED] = {"connected", 9, 2,
	STATE_BIT(WEBRTC_CONNECTING) | STATE_BIT(WEBRTC_ON_CALL) | WEBRTC_ENDS},
	[WEBRTC_ON_CALL] = {"on_call", 7, 3,
	STATE_BIT(WEBRTC_CONNECTING) | STATE_BIT(WEBRTC_CONNECTED) | WEBRTC_ENDS},
	[WEBRTC_DISCONNECTED] = {"disconnected", 12, 4, 0},
	[WEBRTC_FAILED] = {"failed", 6, 4, 0},
};

static bool
webrtc_is_over(int status)
{
	return rules[status].followers == 0;
}

static int
parse_status(const text *name)
{
	return platform_state_parse(rules, WEBRTC_STATUSES, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

static Datum
trigger_value(const TriggerData *trigger, HeapTuple row, const char *column, bool *isnull)
{
	return heap_getattr(row, platform_trigger_column(trigger, column),
						RelationGetDescr(trigger->tg_relation), isnull);
}

/* Sets the moment in the row unless it is known. */
static HeapTuple
fill_moment(const TriggerData *trigger, HeapTuple row, const char *column)
{
	int			attnum = platform_trigger_column(trigger, column);
	bool		isnull;
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());

	(void) trigger_value(trigger, row, column, &isnull);
	if (!isnull)
		return row;
	isnull = false;
	return heap_modify_tuple_by_cols(row, RelationGetDescr(trigger->tg_relation), 1, &attnum,
									 &now, &isnull);
}

/*
 * platform.check_webrtc_session() returns trigger
 *
 * A session's status follows its transitions (PT409); connected_at and
 * disconnected_at are filled in, and updated_at. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER webrtc_sessions_check BEFORE UPDATE ON platform.webrtc_sessions
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_webrtc_session();
 */
Datum
platform_check_webrtc_session(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_webrtc_session",
												  GUARD_BEFORE | GUARD_ROW | GUARD_UPDATE);
	HeapTuple	row = trigger->tg_newtuple;
	PlatformTouch touch;
	bool		isnull;
	Datum		value;
	int			from;
	int			to = -1;

	value = trigger_value(trigger, trigger->tg_trigtuple, "status", &isnull);
	from = parse_status(DatumGetTextPP(value));
	value = trigger_value(trigger, row, "status", &isnull);
	if (!isnull)
		to = parse_status(DatumGetTextPP(value));
	if (from >= 0 && to >= 0 && from != to)
	{
		if (!(rules[from].followers & STATE_BIT(to)))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("a session that is %s cannot become %s", rules[from].name, rules[to].name),
					 webrtc_is_over(from) ? errdetail("It is over.") :
					 errdetail("It may become %s.",
							   platform_state_followers(rules, WEBRTC_STATUSES, from))));
		if (to == WEBRTC_CONNECTED)
			row = fill_moment(trigger, row, "connected_at");
		if (webrtc_is_over(to))
			row = fill_moment(trigger, row, "disconnected_at");
	}
	platform_touch_prepare(&touch, trigger, "updated_at");
	return PointerGetDatum(platform_touch_row(&touch, trigger, row));
}

static void
hash_token(const char *token, size_t length, bytea **hash)
{
	*hash = palloc(VARHDRSZ + PLATFORM_HASH_MAX_SIZE);
	platform_hash(PLATFORM_SHA256, token, length, (uint8 *) VARDATA(*hash));
	SET_VARSIZE(*hash, VARHDRSZ + platform_hash_size(PLATFORM_SHA256));
}

static text *
make_token(bytea **hash)
{
	char		token[sizeof(TOKEN_PREFIX) + PLATFORM_BASE64URL_ENCODED(TOKEN_BYTES)] = TOKEN_PREFIX;
	uint8		random[TOKEN_BYTES];
	int			length = strlen(TOKEN_PREFIX);
	text	   *result;

	platform_random_bytes(random, sizeof(random));
	length += platform_base64url_encode(random, sizeof(random), token + length);
	platform_wipe(random, sizeof(random));
	hash_token(token, length, hash);
	result = cstring_to_text_with_len(token, length);
	platform_wipe(token, sizeof(token));
	return result;
}

/*
 * platform.create_webrtc_session(organization_id uuid, call_id uuid DEFAULT NULL,
 *								  user_id uuid DEFAULT NULL, ice_servers jsonb DEFAULT NULL,
 *								  user_agent text DEFAULT NULL, ip_address inet DEFAULT NULL,
 *								  ttl interval DEFAULT '4 hours')
 *		RETURNS (id uuid, session_token text, expires_at timestamptz)
 *
 * A session in which a user calls from a browser. Its token is returned this once
 * and stands nowhere else. user_id NULL: the caller; operators may name another.
 * ttl: a second to a day. Members: their organization. Errors: 22004 NULL, no
 * user; 22023; 42501; PT403 and PT429 as start_call() without a chatbot; PT404 no
 * such call; 23503 no such user; 25006.
 */
Datum
platform_create_webrtc_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.webrtc_sessions (organization_id, call_id, user_id,"
					   " ice_servers, user_agent, ip_address, expires_at, session_token_hash)"
					   " VALUES ($1, $2, $3, $4, $5, $6, pg_catalog.now() OPERATOR(pg_catalog.+) $7, $8)"
					   " RETURNING id, expires_at",
					   UUIDOID, UUIDOID, UUIDOID, JSONBOID, TEXTOID, INETOID, INTERVALOID, BYTEAOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	pg_uuid_t	user = platform_voice_user(fcinfo, 2, "user_id", "open a session for another user");
	Datum		values[8];
	bool		nulls[8];
	Datum		result[3];
	bool		isnull;
	bytea	   *hash;

	(void) platform_optional_text(fcinfo, 4, "user_agent", USER_AGENT_MAX);
	platform_voice_check_interval(fcinfo, 6, "ttl");
	platform_voice_require_calls(organization);
	platform_copy_arguments(fcinfo, 0, 7, values, nulls);
	result[1] = PointerGetDatum(make_token(&hash));
	values[2] = UUIDPGetDatum(&user);
	nulls[2] = false;
	values[7] = PointerGetDatum(hash);
	nulls[7] = false;

	platform_query_begin();
	if (!PG_ARGISNULL(1))
		platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_run(&insert, values, nulls);
	result[0] = platform_row_datum_copy(0, 1, &isnull);
	result[2] = platform_row_datum_copy(0, 2, &isnull);
	platform_query_end();
	memset(nulls, false, sizeof(nulls));
	return platform_return_row(fcinfo, result, nulls);
}

/*
 * platform.authenticate_webrtc_session(session_token text)
 *		RETURNS (id uuid, organization_id uuid, user_id uuid, call_id uuid, status text,
 *				 expires_at timestamptz)
 *
 * The session that the token opens; it writes nothing. Members: their
 * organization. Errors: 22004; PT404 no such token; PT410 the session has expired or
 * is over.
 */
Datum
platform_authenticate_webrtc_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id, organization_id, user_id, call_id, status, expires_at,"
					   " expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
					   " FROM platform.webrtc_sessions"
					   " WHERE session_token_hash OPERATOR(pg_catalog.=) $1",
					   BYTEAOID);
	text	   *token;
	bytea	   *hash;
	Datum		argument;
	pg_uuid_t	organization;
	Datum		values[6];
	bool		nulls[6];
	bool		expired;

	platform_require_module(&platform_voice_module);
	platform_require_argument(fcinfo, 0, "session_token");
	token = PG_GETARG_TEXT_PP(0);
	hash_token(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &hash);
	argument = PointerGetDatum(hash);

	platform_query_begin();
	if (platform_query_run(&find, &argument, NULL) > 0)
		organization = platform_row_uuid(0, 2);
	if (SPI_processed == 0 || !platform_may_act_for(&organization))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no session has that token")));
	for (int i = 0; i < 6; i++)
		values[i] = platform_row_datum_copy(0, i + 1, &nulls[i]);
	expired = platform_row_bool(0, 7);
	platform_query_end();
	if (expired || webrtc_is_over(parse_status(DatumGetTextPP(values[4]))))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_EXPIRED),
				 errmsg("the session is over")));
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * Locks the session of the arguments and returns its state; PT404 unless it is
 * the caller's own, an administrator's or operator's to see.
 */
static int
lock_session(FunctionCallInfo fcinfo)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT user_id, status FROM platform.webrtc_sessions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool		found = platform_query_run(&lock, values, NULL) > 0;
	const pg_uuid_t *self = platform_current_user();
	bool		isnull;

	if (found && !platform_is_organization_admin())
	{
		pg_uuid_t	user = platform_row_uuid(0, 1);

		found = self != NULL && platform_uuid_equal(self, &user);
	}
	if (!found)
		platform_no_such("session");
	return parse_status(DatumGetTextPP(platform_row_datum(0, 2, &isnull)));
}

/*
 * platform.advance_webrtc_session(organization_id uuid, session_id uuid, status text,
 *								   call_id uuid DEFAULT NULL, local_sdp text DEFAULT NULL,
 *								   remote_sdp text DEFAULT NULL, resource_id text DEFAULT NULL)
 *		RETURNS (id uuid, outcome text, current_status text, previous_status text)
 *
 * The session came into that state: initializing, connecting, connected, on_call,
 * disconnected, failed. outcome: advanced; repeated: it is in it; over: it has
 * ended. What else is given is stored, unless the session is over. Members: their
 * own sessions, administrators their organization's. Errors: 22004; 22023; 42501;
 * PT404 no such session or call; PT409 no such transition; 25006.
 */
Datum
platform_advance_webrtc_session(PG_FUNCTION_ARGS)
{
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.webrtc_sessions SET status = $3,"
					   " call_id = COALESCE($4, call_id), local_sdp = COALESCE($5, local_sdp),"
					   " remote_sdp = COALESCE($6, remote_sdp),"
					   " signalwire_resource_id = COALESCE($7, signalwire_resource_id)"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	const char *outcome = "advanced";
	Datum		values[7];
	bool		nulls[7];
	int			from;
	int			to;

	platform_require_argument(fcinfo, 1, "session_id");
	platform_require_argument(fcinfo, 2, "status");
	to = parse_status(PG_GETARG_TEXT_PP(2));
	if (to < 0)
		platform_bad_argument("status must be initializing, connecting, connected, on_call,"
									" disconnected or failed");
	(void) platform_optional_text(fcinfo, 4, "local_sdp", SDP_MAX);
	(void) platform_optional_text(fcinfo, 5, "remote_sdp", SDP_MAX);
	(void) platform_optional_text(fcinfo, 6, "resource_id", RESOURCE_MAX);
	platform_copy_arguments(fcinfo, 0, 7, values, nulls);

	platform_query_begin();
	from = lock_session(fcinfo);
	if (from == to)
		outcome = "repeated";
	else if (webrtc_is_over(from))
		outcome = "over";
	if (!webrtc_is_over(from))
	{
		if (!PG_ARGISNULL(3))
			platform_voice_require_call(organization, PG_GETARG_UUID_P(3));
		platform_query_run(&update, values, nulls);
	}
	platform_query_end();

	values[0] = PG_GETARG_DATUM(1);
	values[1] = CStringGetTextDatum(outcome);
	values[2] = CStringGetTextDatum(rules[webrtc_is_over(from) ? from : to].name);
	values[3] = CStringGetTextDatum(rules[from].name);
	memset(nulls, false, sizeof(nulls));
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.add_webrtc_sample(organization_id uuid, session_id uuid,
 *							  round_trip_time_ms double precision DEFAULT NULL,
 *							  jitter_ms double precision DEFAULT NULL,
 *							  packet_loss_percent double precision DEFAULT NULL,
 *							  audio_bitrate integer DEFAULT NULL)
 *		RETURNS numeric
 *
 * What the browser measured (getStats() of RTCPeerConnection), with the estimated
 * mean opinion score, which is returned; NULL when neither delay nor loss is given.
 * Kept also for a session that is over. Members: their own sessions,
 * administrators their organization's. Errors: 22004; 22023; 42501; PT404 no such
 * session; 25006.
 */
Datum
platform_add_webrtc_sample(PG_FUNCTION_ARGS)
{
	static PlatformQuery add =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH sample AS (INSERT INTO platform.webrtc_quality_samples (organization_id,"
					   " session_id, round_trip_time_ms, jitter_ms, packet_loss_percent, audio_bitrate, mos)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7))"
					   " UPDATE platform.webrtc_sessions SET round_trip_time_ms = $3, jitter_ms = $4,"
					   " packet_loss_percent = $5, audio_bitrate = $6, mos = $7"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, INT4OID, INT4OID, NUMERICOID, INT4OID, NUMERICOID);
	double		round_trip = platform_quality_argument(fcinfo, 2, "round_trip_time_ms", QUALITY_MS_MAX);
	double		jitter = platform_quality_argument(fcinfo, 3, "jitter_ms", QUALITY_MS_MAX);
	double		loss = platform_quality_argument(fcinfo, 4, "packet_loss_percent", 100);
	Datum		values[7];
	bool		nulls[7];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "session_id");
	if (!PG_ARGISNULL(5) && PG_GETARG_INT32(5) < 0)
		platform_bad_argument("audio_bitrate must not be below zero");
	platform_copy_arguments(fcinfo, 0, 6, values, nulls);
	values[2] = Int32GetDatum((int32) rint(round_trip));
	values[3] = Int32GetDatum((int32) rint(jitter));
	values[4] = DirectFunctionCall1(float8_numeric, Float8GetDatum(loss));
	nulls[6] = nulls[2] && nulls[3] && nulls[4];
	values[6] = platform_mos_numeric(platform_estimate_mos_value(round_trip, jitter, loss));

	platform_query_begin();
	(void) lock_session(fcinfo);
	platform_query_run(&add, values, nulls);
	platform_query_end();
	if (nulls[6])
		PG_RETURN_NULL();
	PG_RETURN_DATUM(values[6]);
}

/*
 * platform.webrtc_quality(organization_id uuid, session_id uuid)
 *		RETURNS (samples bigint, average_mos numeric, worst_mos numeric,
 *				 average_round_trip_time_ms numeric, average_jitter_ms numeric,
 *				 average_packet_loss_percent numeric, worst_packet_loss_percent numeric)
 *
 * The samples of a session in one row; NULLs without any. Members: their
 * organization. Errors: 22004; 42501.
 */
Datum
platform_webrtc_quality(PG_FUNCTION_ARGS)
{
	static PlatformQuery summarise =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT pg_catalog.count(*), pg_catalog.round(pg_catalog.avg(mos), 2),"
					   " pg_catalog.min(mos), pg_catalog.round(pg_catalog.avg(round_trip_time_ms), 1),"
					   " pg_catalog.round(pg_catalog.avg(jitter_ms), 1),"
					   " pg_catalog.round(pg_catalog.avg(packet_loss_percent), 2),"
					   " pg_catalog.max(packet_loss_percent)"
					   " FROM platform.webrtc_quality_samples"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND session_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		nulls[2];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "session_id");
	platform_copy_arguments(fcinfo, 0, 2, values, nulls);
	return platform_query_return_row(fcinfo, &summarise, values, nulls);
}

/*
 * platform.active_webrtc_sessions(organization_id uuid)
 *		RETURNS TABLE (id uuid, user_id uuid, call_id uuid, status text, mos numeric,
 *					   created_at timestamptz, connected_at timestamptz, expires_at timestamptz)
 *
 * Sessions that are not over and have not expired, the newest first. Members see
 * their own, administrators their organization's. Errors: 22004; 42501.
 */
Datum
platform_active_webrtc_sessions(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT id, user_id, call_id, status, mos, created_at, connected_at, expires_at"
					   " FROM platform.webrtc_sessions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND status OPERATOR(pg_catalog.=) ANY (ARRAY['initializing', 'connecting',"
					   " 'connected', 'on_call'])"
					   " AND expires_at OPERATOR(pg_catalog.>) pg_catalog.now()"
					   " ORDER BY created_at DESC, id DESC",
					   UUIDOID);
	Datum		values[1];

	(void) platform_voice_organization(fcinfo, 0);
	values[0] = PG_GETARG_DATUM(0);
	return platform_query_return_rows(fcinfo, &list, values, NULL);
}
