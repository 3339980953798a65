/*
 * requests.c
 *	  The schemes over whole requests: by name, with the headers as jsonb.
 *
 * Headers are an object, as PostgREST's setting request.headers; their names are
 * compared without regard to case.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "core/argument.h"
#include "core/http_headers.h"
#include "signing/signing.h"

static bool
find_scheme(FunctionCallInfo fcinfo, PlatformSignatureScheme *scheme)
{
	PlatformBytes name = platform_utf8_argument(fcinfo, 0);

	return name.data != NULL &&
		platform_signature_find_scheme((const char *) name.data, name.length, scheme);
}

static PlatformSignatureVerdict
check(FunctionCallInfo fcinfo, int *matched)
{
	Jsonb	   *headers = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	PlatformSignatureScheme scheme;
	PlatformBytes body = platform_bytea_argument(fcinfo, 2);
	PlatformBytes url = platform_utf8_argument(fcinfo, 4);
	PlatformSignedRequest request;
	PlatformBytes *secrets;
	int			nsecrets;

	*matched = -1;
	if (!find_scheme(fcinfo, &scheme))
		return SIGNATURE_UNKNOWN_SCHEME;
	request = platform_signed_request(scheme, headers, &body, &url);
	nsecrets = platform_signing_texts(fcinfo, 3, &secrets);
	return platform_signature_check(scheme, &request, secrets, nsecrets,
									platform_signing_moment(fcinfo, 5), matched);
}

PG_FUNCTION_INFO_V1(platform_verify_webhook_request);

/*
 * platform.verify_webhook_request(scheme text, headers jsonb, body bytea, secrets text[], url text DEFAULT NULL, now timestamptz DEFAULT NULL) returns boolean
 *
 * Is it signed as the scheme demands (standard, svix, stripe, twilio, meta, github,
 * slack, retell)?  url is Twilio's; now NULL: the clock.  Never NULL, no error.
 */
Datum
platform_verify_webhook_request(PG_FUNCTION_ARGS)
{
	int			matched;

	PG_RETURN_BOOL(check(fcinfo, &matched) == SIGNATURE_VALID);
}

PG_FUNCTION_INFO_V1(platform_check_webhook_request);

/*
 * platform.check_webhook_request(scheme text, headers jsonb, body bytea, secrets text[], url text DEFAULT NULL, now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 *
 * The same with the reason, UNKNOWN_SCHEME among them, and the secret that fits.
 */
Datum
platform_check_webhook_request(PG_FUNCTION_ARGS)
{
	int			matched;
	PlatformSignatureVerdict verdict = check(fcinfo, &matched);

	return platform_signing_answer(fcinfo, verdict, matched);
}

static void
append_header(StringInfo json, const char *name, const char *value)
{
	if (name == NULL)
		return;
	if (json->len > 1)
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}

PG_FUNCTION_INFO_V1(platform_sign_webhook_request);

/*
 * platform.sign_webhook_request(scheme text, body bytea, secrets text[], id text DEFAULT NULL, url text DEFAULT NULL, sent_at timestamptz DEFAULT NULL) returns jsonb
 *
 * The headers that sign a request, by lower-case names: signature, and where the
 * scheme has them id and time.  id is for standard and svix, url for twilio; sent_at
 * NULL: the clock.  Schemes whose header has room for one signature use the first
 * secret.  Errors: 22004; 22023 for an unknown scheme and as sign_*_webhook().
 */
Datum
platform_sign_webhook_request(PG_FUNCTION_ARGS)
{
	PlatformSignatureScheme scheme;
	const PlatformSignatureHeaders *names;
	PlatformSignedRequest request = {{NULL, 0}};
	PlatformBytes *secrets;
	int			nsecrets;
	TimestampTz sent_at = platform_signing_moment(fcinfo, 5);
	char	   *signature;
	StringInfoData json;

	platform_require_argument(fcinfo, 0, "scheme");
	platform_require_argument(fcinfo, 1, "body");
	platform_require_argument(fcinfo, 2, "secrets");
	if (!find_scheme(fcinfo, &scheme))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("signature scheme \"%s\" is not known", text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errhint("Known are standard, svix, stripe, twilio, meta, github, slack and retell.")));
	names = platform_signature_headers(scheme);
	request.body = platform_bytea_argument(fcinfo, 1);
	nsecrets = platform_signing_texts(fcinfo, 2, &secrets);
	if (names->id != NULL)
		platform_require_argument(fcinfo, 3, "id");
	request.id = platform_utf8_argument(fcinfo, 3);
	if (scheme == SIGNATURE_TWILIO)
		platform_require_argument(fcinfo, 4, "url");
	request.url = platform_utf8_argument(fcinfo, 4);

	signature = platform_signature_sign(scheme, &request, secrets, nsecrets, sent_at);
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_header(&json, names->id, names->id == NULL ? NULL :
				  pnstrdup((const char *) request.id.data, request.id.length));
	append_header(&json, names->timestamp, names->timestamp == NULL ? NULL :
				  platform_signature_timestamp(scheme, sent_at));
	append_header(&json, names->signature, signature);
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

PG_FUNCTION_INFO_V1(platform_meta_challenge);

/*
 * platform.meta_challenge(mode text, verify_token text, challenge text, verify_tokens text[]) returns text
 *
 * What to answer when Meta asks whether a webhook is ours: the challenge, when the
 * mode is subscribe and the token one of ours; else NULL, which is HTTP status 403.
 */
Datum
platform_meta_challenge(PG_FUNCTION_ARGS)
{
	PlatformBytes mode = platform_utf8_argument(fcinfo, 0);
	PlatformBytes given = platform_utf8_argument(fcinfo, 1);
	PlatformBytes *expected;
	int			count = platform_signing_texts(fcinfo, 3, &expected);

	if (mode.data == NULL || mode.length != strlen("subscribe") ||
		memcmp(mode.data, "subscribe", mode.length) != 0 ||
		PG_ARGISNULL(2) || !platform_signature_token_matches(&given, expected, count))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(2));
}
