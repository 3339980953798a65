/*
 * webrtc.c
 *	  What a browser needs to call: access tokens and TURN credentials.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/result.h"
#include "jwt/jwt.h"

#define TOKEN_DAYS_MAX		1	/* what Twilio accepts */
#define TURN_DAYS_MAX		365
#define TURN_USERNAME_MAX	512 /* bytes: RFC 8489, section 14.3 */

/* ---- arguments ---- */

/* A text that must be there and not empty. */
static char *
required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	text	   *value;

	platform_require_argument(fcinfo, number, name);
	value = PG_GETARG_TEXT_PP(number);
	if (VARSIZE_ANY_EXHDR(value) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", name)));
	return text_to_cstring(value);
}

/* A text or NULL; an empty one is NULL. */
static char *
optional_text(FunctionCallInfo fcinfo, int number)
{
	text	   *value = PG_ARGISNULL(number) ? NULL : PG_GETARG_TEXT_PP(number);

	return value == NULL || VARSIZE_ANY_EXHDR(value) == 0 ? NULL : text_to_cstring(value);
}

/* One of Twilio's identifiers: kind is its first two letters. */
static char *
sid_argument(FunctionCallInfo fcinfo, int number, const char *name, const char *kind)
{
	char	   *sid = required_text(fcinfo, number, name);

	if (strncmp(sid, kind, 2) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must begin with %s", name, kind)));
	return sid;
}

/* A span in whole seconds, at least one. */
static int64
ttl_argument(FunctionCallInfo fcinfo, int number, int days_max)
{
	int64		ttl = platform_require_interval(fcinfo, number, "ttl", false, days_max);

	return (ttl + USECS_PER_SEC - 1) / USECS_PER_SEC;
}

static void
refuse_member(const Jsonb *object, const char *argument, const char *member)
{
	if (object != NULL && platform_jwt_has_member(object, member))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not have member \"%s\"", argument, member)));
}

/* ---- JSON texts ---- */

/* Begins a member with its name, after a comma unless it is the first. */
static void
append_name(StringInfo json, const char *name)
{
	if (json->data[json->len - 1] != '{')
		appendStringInfoChar(json, ',');
	escape_json(json, name);
	appendStringInfoChar(json, ':');
}

/* A member that is text; none for NULL. */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	append_name(json, name);
	escape_json(json, value);
}

static void
append_number(StringInfo json, const char *name, int64 value)
{
	append_name(json, name);
	appendStringInfo(json, INT64_FORMAT, value);
}

static void
append_jsonb(StringInfo json, const char *name, Jsonb *value)
{
	append_name(json, name);
	JsonbToCString(json, &value->root, VARSIZE(value));
}

/* The members of an object, if there is one. */
static void
append_members(StringInfo json, Jsonb *object)
{
	if (object == NULL || JB_ROOT_COUNT(object) == 0)
		return;
	if (json->data[json->len - 1] != '{')
		appendStringInfoChar(json, ',');
	/* without its braces */
	appendStringInfoString(json, JsonbToCString(NULL, &object->root, VARSIZE(object)) + 1);
	json->data[--json->len] = '\0';
}

static void
open_object(StringInfo json)
{
	initStringInfo(json);
	appendStringInfoChar(json, '{');
}

static char *
close_object(StringInfo json)
{
	appendStringInfoChar(json, '}');
	return json->data;
}

/* ---- tokens ---- */

/* 128 random bits as text. */
static char *
random_id(void)
{
	uint8		bytes[16];
	char	   *id = palloc(PLATFORM_BASE64URL_ENCODED(sizeof(bytes)));

	platform_random_bytes(bytes, sizeof(bytes));
	platform_base64url_encode(bytes, sizeof(bytes), id);
	return id;
}

PG_FUNCTION_INFO_V1(platform_webrtc_token);

/*
 * platform.webrtc_token(key bytea, identity text, ttl interval DEFAULT '1 hour',
 *						 claims jsonb DEFAULT NULL, issuer text DEFAULT NULL,
 *						 audience text DEFAULT NULL, algorithm text DEFAULT 'HS256',
 *						 now timestamptz DEFAULT NULL) returns text
 *
 * A token with which a browser calls as identity: sub, iat, exp, a random jti,
 * iss and aud where they are given, and the members of claims, which say what
 * the media server lets it do.  ttl is at most a day.  Keys and algorithms as
 * in jwt_sign().  For members.  Errors: 22004 for NULL; 22023 for an empty
 * identity, a ttl, key or algorithm that does not fit, claims that are no object
 * or have one of the members above; 22008 for an infinite moment.
 */
Datum
platform_webrtc_token(PG_FUNCTION_ARGS)
{
	static const char *const ours[] = {"sub", "iat", "exp", "jti", "iss", "aud"};
	StringInfoData payload;
	Jsonb	   *claims;
	bytea	   *key;
	char	   *identity;
	PlatformJwa algorithm;
	int64		now;
	int64		ttl;

	platform_require_argument(fcinfo, 0, "key");
	identity = required_text(fcinfo, 1, "identity");
	ttl = ttl_argument(fcinfo, 2, TOKEN_DAYS_MAX);
	claims = platform_jwt_object_argument(fcinfo, 3, "claims");
	for (int i = 0; i < lengthof(ours); i++)
		refuse_member(claims, "claims", ours[i]);
	algorithm = platform_jwt_algorithm_argument(fcinfo, 6);
	now = platform_jwt_seconds_argument(fcinfo, 7, "now");
	key = PG_GETARG_BYTEA_PP(0);
	platform_jwt_require_key(algorithm, VARSIZE_ANY_EXHDR(key));

	open_object(&payload);
	append_text(&payload, "iss", optional_text(fcinfo, 4));
	append_text(&payload, "aud", optional_text(fcinfo, 5));
	append_text(&payload, "sub", identity);
	append_number(&payload, "iat", now);
	append_number(&payload, "exp", now + ttl);
	append_text(&payload, "jti", random_id());
	append_members(&payload, claims);
	PG_RETURN_TEXT_P(platform_jwt_token(algorithm, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
										platform_jwt_header(algorithm, NULL),
										close_object(&payload)));
}

PG_FUNCTION_INFO_V1(platform_twilio_access_token);

/*
 * platform.twilio_access_token(account_sid text, api_key_sid text,
 *								api_key_secret text, identity text, grants jsonb,
 *								ttl interval DEFAULT '1 hour', region text DEFAULT NULL,
 *								not_before timestamptz DEFAULT NULL,
 *								algorithm text DEFAULT 'HS256',
 *								now timestamptz DEFAULT NULL) returns text
 *
 * Twilio's access token for its SDKs in browsers and phones, as its library
 * makes it: header cty twilio-fpa;v=1 and twr (region), claims jti, iss, sub,
 * iat, exp, nbf and grants, an object that twilio_voice_grant() makes, to which
 * the identity is added.  ttl is at most a day.  For members.  Errors: 22004 for
 * NULL; 22023 for an empty identity, a SID that does not begin with AC or SK, a
 * secret below 32 bytes, a ttl or algorithm that does not fit (EdDSA is none of
 * Twilio's), grants that are no object or have an identity; 22008 for an
 * infinite moment.
 */
Datum
platform_twilio_access_token(PG_FUNCTION_ARGS)
{
	char	   *account = sid_argument(fcinfo, 0, "account_sid", "AC");
	char	   *key_sid = sid_argument(fcinfo, 1, "api_key_sid", "SK");
	char	   *identity = required_text(fcinfo, 3, "identity");
	StringInfoData header;
	StringInfoData payload;
	Jsonb	   *grants;
	char	   *secret;
	PlatformJwa algorithm;
	int64		now;
	int64		ttl;

	platform_require_argument(fcinfo, 2, "api_key_secret");
	platform_require_argument(fcinfo, 4, "grants");
	grants = platform_jwt_object_argument(fcinfo, 4, "grants");
	refuse_member(grants, "grants", "identity");
	ttl = ttl_argument(fcinfo, 5, TOKEN_DAYS_MAX);
	algorithm = platform_jwt_algorithm_argument(fcinfo, 8);
	if (algorithm == JWA_EDDSA)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("Twilio knows HS256, HS384 and HS512 only")));
	now = platform_jwt_seconds_argument(fcinfo, 9, "now");
	secret = text_to_cstring(PG_GETARG_TEXT_PP(2));
	secret = pg_server_to_any(secret, strlen(secret), PG_UTF8);
	platform_jwt_require_key(algorithm, strlen(secret));

	open_object(&header);
	append_text(&header, "typ", "JWT");
	append_text(&header, "cty", "twilio-fpa;v=1");
	append_text(&header, "twr", optional_text(fcinfo, 6));

	open_object(&payload);
	append_name(&payload, "jti");
	escape_json(&payload, psprintf("%s-" INT64_FORMAT, key_sid, now));
	append_name(&payload, "grants");
	appendStringInfoChar(&payload, '{');
	append_text(&payload, "identity", identity);
	append_members(&payload, grants);
	appendStringInfoChar(&payload, '}');
	append_number(&payload, "iat", now);
	if (!PG_ARGISNULL(7))
		append_number(&payload, "nbf", platform_jwt_seconds_argument(fcinfo, 7, "not_before"));
	append_number(&payload, "exp", now + ttl);
	append_text(&payload, "iss", key_sid);
	append_text(&payload, "sub", account);
	PG_RETURN_TEXT_P(platform_jwt_token(algorithm, secret, strlen(secret),
										platform_jwt_header(algorithm, close_object(&header)),
										close_object(&payload)));
}

PG_FUNCTION_INFO_V1(platform_twilio_voice_grant);

/*
 * platform.twilio_voice_grant(application_sid text DEFAULT NULL,
 *							   incoming boolean DEFAULT false, params jsonb DEFAULT NULL,
 *							   push_credential_sid text DEFAULT NULL,
 *							   endpoint_id text DEFAULT NULL) returns jsonb
 *
 * The grant of twilio_access_token() to call: out through a TwiML application,
 * which gets params with each call, and to be called.  Others are added with ||.
 * For members.  Errors: 22023 for params without an application or that are no
 * object.
 */
Datum
platform_twilio_voice_grant(PG_FUNCTION_ARGS)
{
	char	   *application = optional_text(fcinfo, 0);
	Jsonb	   *params = platform_jwt_object_argument(fcinfo, 2, "params");
	StringInfoData json;

	if (params != NULL && application == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params need an application_sid")));
	open_object(&json);
	append_name(&json, "voice");
	appendStringInfoChar(&json, '{');
	if (!PG_ARGISNULL(1) && PG_GETARG_BOOL(1))
	{
		append_name(&json, "incoming");
		appendStringInfoString(&json, "{\"allow\":true}");
	}
	if (application != NULL)
	{
		append_name(&json, "outgoing");
		appendStringInfoChar(&json, '{');
		append_text(&json, "application_sid", application);
		if (params != NULL)
			append_jsonb(&json, "params", params);
		appendStringInfoChar(&json, '}');
	}
	append_text(&json, "push_credential_sid", optional_text(fcinfo, 3));
	append_text(&json, "endpoint_id", optional_text(fcinfo, 4));
	appendStringInfoChar(&json, '}');
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(close_object(&json))));
}

/* ---- TURN ---- */

/*
 * What RTCPeerConnection takes as iceServers: one server with these addresses;
 * NULL without any.
 */
static Datum
ice_servers(FunctionCallInfo fcinfo, int number, const char *username, const char *credential)
{
	static const char *const schemes[] = {"stun:", "stuns:", "turn:", "turns:"};
	StringInfoData json;
	Datum	   *urls;
	bool	   *nulls;
	int			count = 0;

	if (!PG_ARGISNULL(number))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT,
						  &urls, &nulls, &count);
	if (count == 0)
		return (Datum) 0;
	initStringInfo(&json);
	appendStringInfoString(&json, "[{\"urls\":");
	for (int i = 0; i < count; i++)
	{
		const char *url = nulls[i] ? "" : TextDatumGetCString(urls[i]);
		bool		known = false;

		for (int j = 0; j < lengthof(schemes); j++)
			known = known || strncmp(url, schemes[j], strlen(schemes[j])) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("address %d must begin with stun:, stuns:, turn: or turns:", i + 1)));
		appendStringInfoChar(&json, i == 0 ? '[' : ',');
		escape_json(&json, url);
	}
	appendStringInfoChar(&json, ']');
	append_text(&json, "username", username);
	append_text(&json, "credential", credential);
	appendStringInfoString(&json, "}]");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

PG_FUNCTION_INFO_V1(platform_turn_credentials);

/*
 * platform.turn_credentials(secret text, user_id text DEFAULT NULL,
 *							 ttl interval DEFAULT '1 day', urls text[] DEFAULT NULL,
 *							 now timestamptz DEFAULT NULL, OUT username text,
 *							 OUT credential text, OUT expires_at timestamptz,
 *							 OUT ice_servers jsonb) returns record
 *
 * Credentials for a TURN server that shares the secret (draft-uberti-behave-
 * turn-rest-00; coturn's static-auth-secret): username is the second since 1970
 * at which they end, a colon and the user; credential is the base64 of its
 * HMAC-SHA1.  ttl is at most 365 days.  ice_servers is for RTCPeerConnection,
 * NULL without urls.  For members.  Errors: 22004 for NULL; 22023 for an empty
 * secret, a ttl that does not fit, a username beyond 512 bytes, an address of
 * another scheme; 22008 for an infinite moment.
 */
Datum
platform_turn_credentials(PG_FUNCTION_ARGS)
{
	char	   *secret = required_text(fcinfo, 0, "secret");
	char	   *user = optional_text(fcinfo, 1);
	int64		ttl = ttl_argument(fcinfo, 2, TURN_DAYS_MAX);
	int64		ends = platform_jwt_seconds_argument(fcinfo, 4, "now") + ttl;
	uint8		mac[PLATFORM_HASH_MAX_SIZE];
	char	   *username;
	char	   *username_utf8;
	char		credential[PLATFORM_BASE64_ENCODED(PLATFORM_HASH_MAX_SIZE)];
	TimestampTz expires_at;
	Datum		values[4];
	bool		nulls[4] = {false};

	expires_at = (ends - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY) *
		USECS_PER_SEC;
	if (!IS_VALID_TIMESTAMP(expires_at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	username = psprintf(INT64_FORMAT "%s%s", ends, user == NULL ? "" : ":", user == NULL ? "" : user);
	username_utf8 = pg_server_to_any(username, strlen(username), PG_UTF8);
	if (strlen(username_utf8) > TURN_USERNAME_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("user_id is too long for a TURN username")));
	secret = pg_server_to_any(secret, strlen(secret), PG_UTF8);
	platform_mac(PLATFORM_SHA1, secret, strlen(secret), username_utf8, strlen(username_utf8), mac);
	platform_base64_encode(mac, platform_hash_size(PLATFORM_SHA1), credential);

	values[0] = CStringGetTextDatum(username);
	values[1] = CStringGetTextDatum(credential);
	values[2] = TimestampTzGetDatum(expires_at);
	values[3] = ice_servers(fcinfo, 3, username, credential);
	nulls[3] = values[3] == (Datum) 0;
	return platform_return_row(fcinfo, values, nulls);
}

/* What check_turn_credentials() answers. */
typedef struct TurnAnswer
{
	const char *reason;			/* VALID, or why not */
	int			matched_key;	/* from 1 */
} TurnAnswer;

/* The second at which a username ends: digits before a colon or the end; -1 for none. */
static int64
turn_username_end(const char *username, size_t length)
{
	int64		ends = 0;
	size_t		digits = 0;

	while (digits < length && username[digits] >= '0' && username[digits] <= '9')
	{
		if (digits == 15)
			return -1;
		ends = ends * 10 + (username[digits++] - '0');
	}
	return digits == 0 || (digits < length && username[digits] != ':') ? -1 : ends;
}

/* All secrets are tried, so that the time does not tell which one it was. */
static void
match_turn_secrets(FunctionCallInfo fcinfo, int number, const char *username,
				   const uint8 *expected, TurnAnswer *answer)
{
	Datum	   *secrets = NULL;
	bool	   *nulls = NULL;
	int			count = 0;

	answer->reason = "NO_SECRET";
	if (!PG_ARGISNULL(number))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT,
						  &secrets, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *secret = nulls[i] ? "" : TextDatumGetCString(secrets[i]);
		uint8		mac[PLATFORM_HASH_MAX_SIZE];

		if (*secret == '\0')
			continue;
		secret = pg_server_to_any(secret, strlen(secret), PG_UTF8);
		platform_mac(PLATFORM_SHA1, secret, strlen(secret), username, strlen(username), mac);
		if (platform_bytes_equal(mac, expected, platform_hash_size(PLATFORM_SHA1)) &&
			answer->matched_key == 0)
			answer->matched_key = i + 1;
		answer->reason = "BAD_SIGNATURE";
	}
	if (answer->matched_key > 0)
		answer->reason = "VALID";
}

/* Judges the arguments username, credential, secrets and now. */
static TurnAnswer
check_turn(FunctionCallInfo fcinfo)
{
	TurnAnswer	answer = {"MALFORMED", 0};
	char	   *username = optional_text(fcinfo, 0);
	char	   *credential = optional_text(fcinfo, 1);
	TimestampTz now = PG_ARGISNULL(3) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(3);
	uint8	   *mac;
	int64		ends;

	if (username == NULL || credential == NULL || strlen(username) > TURN_USERNAME_MAX ||
		(ends = turn_username_end(username, strlen(username))) < 0)
		return answer;
	mac = palloc(PLATFORM_BASE64_DECODED(strlen(credential)));
	if (platform_base64_decode(credential, strlen(credential), mac) !=
		platform_hash_size(PLATFORM_SHA1))
		return answer;
	match_turn_secrets(fcinfo, 2, pg_server_to_any(username, strlen(username), PG_UTF8), mac, &answer);
	if (answer.matched_key > 0 && platform_jwt_time(now) >= ends)
	{
		answer.reason = "EXPIRED";
		answer.matched_key = 0;
	}
	return answer;
}

PG_FUNCTION_INFO_V1(platform_verify_turn_credentials);

/*
 * platform.verify_turn_credentials(username text, credential text, secrets text[],
 *									now timestamptz DEFAULT NULL) returns boolean
 *
 * Did one of the secrets make these credentials, and have they not ended at that
 * moment (NULL: the clock's)?  Never NULL, never an error.  For members.
 */
Datum
platform_verify_turn_credentials(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(check_turn(fcinfo).matched_key > 0);
}

PG_FUNCTION_INFO_V1(platform_check_turn_credentials);

/*
 * platform.check_turn_credentials(username text, credential text, secrets text[],
 *								   now timestamptz DEFAULT NULL, OUT ok boolean,
 *								   OUT reason text, OUT matched_key integer) returns record
 *
 * As verify_turn_credentials(), with the reason, VALID, MALFORMED, NO_SECRET,
 * BAD_SIGNATURE or EXPIRED, and the place of the secret that fits, from 1.  For
 * members.
 */
Datum
platform_check_turn_credentials(PG_FUNCTION_ARGS)
{
	TurnAnswer	answer = check_turn(fcinfo);
	Datum		values[3] = {
		BoolGetDatum(answer.matched_key > 0),
		CStringGetTextDatum(answer.reason),
		Int32GetDatum(answer.matched_key),
	};
	bool		nulls[3] = {false, false, answer.matched_key == 0};

	return platform_return_row(fcinfo, values, nulls);
}
