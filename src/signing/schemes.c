/*
 * schemes.c
 *	  sign_*, verify_* and check_* for each scheme of signed webhooks.
 *
 * Bodies are the bytes that were received, before anybody parsed them.  Lists of
 * secrets are for rotation: all of them are tried.
 *
 * verify_* and check_* raise no error and are never null, whatever comes: they
 * answer false, and check_* says why and which secret fits (counted from 1).
 * sign_* raise 22004 for null and 22023 for what cannot be signed.
 *
 * Functions of their arguments alone: members may call them with secrets of theirs.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/http_headers.h"
#include "core/result.h"
#include "core/twilio.h"
#include "signing/signing.h"

/* Places of a scheme's arguments, from 1; 0: it has none. */
typedef struct Places
{
	int			id;
	int			sent_at;
	int			url;
	int			body;
	int			signature;
	int			secrets;
	int			now;			/* of sign_*: sent_at, where it has a default */
	bool		one_secret;		/* a text, else text[] */
} Places;

static const Places check_places[PLATFORM_SIGNATURE_SCHEMES] = {
	[SIGNATURE_STANDARD] = {.id = 1, .sent_at = 2, .body = 3, .signature = 4, .secrets = 5, .now = 6},
	[SIGNATURE_SVIX] = {.id = 1, .sent_at = 2, .body = 3, .signature = 4, .secrets = 5, .now = 6},
	[SIGNATURE_STRIPE] = {.body = 1, .signature = 2, .secrets = 3, .now = 4},
	[SIGNATURE_TWILIO] = {.url = 1, .body = 2, .signature = 3, .secrets = 4},
	[SIGNATURE_META] = {.body = 1, .signature = 2, .secrets = 3},
	[SIGNATURE_GITHUB] = {.body = 1, .signature = 2, .secrets = 3},
	[SIGNATURE_SLACK] = {.sent_at = 1, .body = 2, .signature = 3, .secrets = 4, .now = 5},
	[SIGNATURE_RETELL] = {.body = 1, .signature = 2, .secrets = 3, .now = 4},
};

static const Places sign_places[PLATFORM_SIGNATURE_SCHEMES] = {
	[SIGNATURE_STANDARD] = {.id = 1, .sent_at = 2, .body = 3, .secrets = 4},
	[SIGNATURE_SVIX] = {.id = 1, .sent_at = 2, .body = 3, .secrets = 4},
	[SIGNATURE_STRIPE] = {.body = 1, .secrets = 2, .now = 3},
	[SIGNATURE_TWILIO] = {.url = 1, .body = 2, .secrets = 3, .one_secret = true},
	[SIGNATURE_META] = {.body = 1, .secrets = 2, .one_secret = true},
	[SIGNATURE_GITHUB] = {.body = 1, .secrets = 2, .one_secret = true},
	[SIGNATURE_SLACK] = {.sent_at = 1, .body = 2, .secrets = 3, .one_secret = true},
	[SIGNATURE_RETELL] = {.body = 1, .secrets = 2, .now = 3, .one_secret = true},
};

static PlatformSignatureVerdict
check(FunctionCallInfo fcinfo, PlatformSignatureScheme scheme, int *matched)
{
	const Places *places = &check_places[scheme];
	PlatformSignedRequest request = {{NULL, 0}};
	PlatformBytes *secrets;
	int			nsecrets = platform_signing_texts(fcinfo, places->secrets - 1, &secrets);

	request.body = platform_bytea_argument(fcinfo, places->body - 1);
	request.signature = platform_utf8_argument(fcinfo, places->signature - 1);
	if (places->id > 0)
		request.id = platform_utf8_argument(fcinfo, places->id - 1);
	if (places->sent_at > 0)
		request.timestamp = platform_utf8_argument(fcinfo, places->sent_at - 1);
	if (places->url > 0)
		request.url = platform_utf8_argument(fcinfo, places->url - 1);
	return platform_signature_check(scheme, &request, secrets, nsecrets,
									places->now > 0 ? platform_signing_moment(fcinfo, places->now - 1) : 0,
									matched);
}

static Datum
verify(FunctionCallInfo fcinfo, PlatformSignatureScheme scheme)
{
	int			matched;

	PG_RETURN_BOOL(check(fcinfo, scheme, &matched) == SIGNATURE_VALID);
}

static Datum
answer(FunctionCallInfo fcinfo, PlatformSignatureScheme scheme)
{
	int			matched;
	PlatformSignatureVerdict verdict = check(fcinfo, scheme, &matched);

	return platform_signing_answer(fcinfo, verdict, matched);
}

static Datum
sign(FunctionCallInfo fcinfo, PlatformSignatureScheme scheme)
{
	const Places *places = &sign_places[scheme];
	PlatformSignedRequest request = {{NULL, 0}};
	PlatformBytes secret;
	PlatformBytes *secrets = &secret;
	int			nsecrets = 1;
	TimestampTz sent_at = 0;

	if (places->id > 0)
	{
		platform_require_argument(fcinfo, places->id - 1, "id");
		request.id = platform_utf8_argument(fcinfo, places->id - 1);
	}
	if (places->url > 0)
	{
		platform_require_argument(fcinfo, places->url - 1, "url");
		request.url = platform_utf8_argument(fcinfo, places->url - 1);
	}
	if (places->sent_at > 0)
	{
		platform_require_argument(fcinfo, places->sent_at - 1, "sent_at");
		sent_at = PG_GETARG_TIMESTAMPTZ(places->sent_at - 1);
	}
	if (places->now > 0)
		sent_at = platform_signing_moment(fcinfo, places->now - 1);
	platform_require_argument(fcinfo, places->body - 1, "body");
	request.body = platform_bytea_argument(fcinfo, places->body - 1);
	platform_require_argument(fcinfo, places->secrets - 1, places->one_secret ? "secret" : "secrets");
	if (places->one_secret)
		secret = platform_utf8_argument(fcinfo, places->secrets - 1);
	else
		nsecrets = platform_signing_texts(fcinfo, places->secrets - 1, &secrets);
	PG_RETURN_TEXT_P(cstring_to_text(platform_signature_sign(scheme, &request, secrets, nsecrets, sent_at)));
}

/* ---- Standard Webhooks ---- */

PG_FUNCTION_INFO_V1(platform_sign_standard_webhook);

/*
 * platform.sign_standard_webhook(id text, sent_at timestamptz, body bytea, secrets text[]) returns text
 *
 * The header webhook-signature of Standard Webhooks 1.0.0: "v1,<base64>" for each
 * secret whsec_..., "v1a,<base64>" for each Ed25519 key whsk_..., in their order.
 * sent_at is sent as webhook-timestamp, in seconds since 1970; the id, of printable
 * ASCII without a full stop, as webhook-id.
 */
Datum
platform_sign_standard_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_STANDARD);
}

PG_FUNCTION_INFO_V1(platform_verify_standard_webhook);

/*
 * platform.verify_standard_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) returns boolean
 *
 * id, sent_at and signature are the headers webhook-id, webhook-timestamp and
 * webhook-signature; one of its signatures must fit one of the secrets (whsec_... or
 * without a prefix, whpk_..., whsk_...), and sent_at be within 300 s of now (NULL:
 * the clock).
 */
Datum
platform_verify_standard_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_STANDARD);
}

PG_FUNCTION_INFO_V1(platform_check_standard_webhook);

/*
 * platform.check_standard_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_standard_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_STANDARD);
}

/* ---- Svix ---- */

PG_FUNCTION_INFO_V1(platform_sign_svix_webhook);

/*
 * platform.sign_svix_webhook(id text, sent_at timestamptz, body bytea, secrets text[]) returns text
 *
 * As sign_standard_webhook(), for the headers svix-id, svix-timestamp and
 * svix-signature.
 */
Datum
platform_sign_svix_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_SVIX);
}

PG_FUNCTION_INFO_V1(platform_verify_svix_webhook);

/*
 * platform.verify_svix_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) returns boolean
 *
 * As verify_standard_webhook(), of the headers svix-id, svix-timestamp and
 * svix-signature.
 */
Datum
platform_verify_svix_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_SVIX);
}

PG_FUNCTION_INFO_V1(platform_check_svix_webhook);

/*
 * platform.check_svix_webhook(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_svix_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_SVIX);
}

/* ---- Stripe ---- */

PG_FUNCTION_INFO_V1(platform_sign_stripe_webhook);

/*
 * platform.sign_stripe_webhook(body bytea, secrets text[], sent_at timestamptz DEFAULT NULL) returns text
 *
 * The header Stripe-Signature: "t=<seconds>,v1=<hex>,..." with a signature for each
 * secret, whose text, whsec_ included, is the key. NULL for sent_at: the clock.
 */
Datum
platform_sign_stripe_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_STRIPE);
}

PG_FUNCTION_INFO_V1(platform_verify_stripe_webhook);

/*
 * platform.verify_stripe_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) returns boolean
 *
 * signature is the header Stripe-Signature; other versions than v1 are passed over.
 * Its time must be within 300 s of now (NULL: the clock).
 */
Datum
platform_verify_stripe_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_STRIPE);
}

PG_FUNCTION_INFO_V1(platform_check_stripe_webhook);

/*
 * platform.check_stripe_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_stripe_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_STRIPE);
}

/* ---- Twilio ---- */

PG_FUNCTION_INFO_V1(platform_sign_twilio_webhook);

/*
 * platform.sign_twilio_webhook(url text, body bytea, secret text) returns text
 *
 * The header X-Twilio-Signature of a request with a form, or with an empty body:
 * base64 of the HMAC-SHA1 over the URL and the form's names and values. When the
 * query has bodySHA256 the URL alone is signed, as for sign_twilio_json_webhook().
 */
Datum
platform_sign_twilio_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_TWILIO);
}

PG_FUNCTION_INFO_V1(platform_verify_twilio_webhook);

/*
 * platform.verify_twilio_webhook(url text, body bytea, signature text, secrets text[]) returns boolean
 *
 * url is the whole URL as the client saw it, body the form as it came, or empty for
 * GET, or any bytes when the query has their bodySHA256; signature the header
 * X-Twilio-Signature; secrets the account's auth tokens.
 */
Datum
platform_verify_twilio_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_TWILIO);
}

PG_FUNCTION_INFO_V1(platform_check_twilio_webhook);

/*
 * platform.check_twilio_webhook(url text, body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_twilio_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_TWILIO);
}

PG_FUNCTION_INFO_V1(platform_sign_twilio_json_webhook);

/*
 * platform.sign_twilio_json_webhook(url text, body bytea, secret text, OUT signed_url text, OUT signature text) returns record
 *
 * The URL with the body's hash in its query as bodySHA256, to which the request is
 * sent, and the header X-Twilio-Signature.  Errors: 22023 also when the query has
 * bodySHA256 already.
 */
Datum
platform_sign_twilio_json_webhook(PG_FUNCTION_ARGS)
{
	PlatformSignedRequest request = {{NULL, 0}};
	PlatformBytes secret;
	PlatformBytes url;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	platform_require_argument(fcinfo, 0, "url");
	platform_require_argument(fcinfo, 1, "body");
	platform_require_argument(fcinfo, 2, "secret");
	url = platform_utf8_argument(fcinfo, 0);
	request.body = platform_bytea_argument(fcinfo, 1);
	secret = platform_utf8_argument(fcinfo, 2);
	if (platform_twilio_body_hash(&url, &request.url))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("URL has a parameter \"bodySHA256\" already")));
	request.url = platform_twilio_url_of_body(&url, &request.body);

	values[0] = platform_signing_make_text(&request.url);
	values[1] = CStringGetTextDatum(platform_signature_sign(SIGNATURE_TWILIO, &request, &secret, 1, 0));
	return platform_return_row(fcinfo, values, nulls);
}

/* ---- Meta ---- */

PG_FUNCTION_INFO_V1(platform_sign_meta_webhook);

/*
 * platform.sign_meta_webhook(body bytea, secret text) returns text
 *
 * The header X-Hub-Signature-256 as WhatsApp, Messenger and Instagram send it:
 * "sha256=<hex>"; the secret is the app's.
 */
Datum
platform_sign_meta_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_META);
}

PG_FUNCTION_INFO_V1(platform_verify_meta_webhook);

/*
 * platform.verify_meta_webhook(body bytea, signature text, secrets text[]) returns boolean
 *
 * signature is the header X-Hub-Signature-256; secrets are those of the app.
 */
Datum
platform_verify_meta_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_META);
}

PG_FUNCTION_INFO_V1(platform_check_meta_webhook);

/*
 * platform.check_meta_webhook(body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_meta_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_META);
}

/* ---- GitHub ---- */

PG_FUNCTION_INFO_V1(platform_sign_github_webhook);

/*
 * platform.sign_github_webhook(body bytea, secret text) returns text
 *
 * The header X-Hub-Signature-256 as GitHub sends it: "sha256=<hex>".
 */
Datum
platform_sign_github_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_GITHUB);
}

PG_FUNCTION_INFO_V1(platform_verify_github_webhook);

/*
 * platform.verify_github_webhook(body bytea, signature text, secrets text[]) returns boolean
 *
 * signature is the header X-Hub-Signature-256.
 */
Datum
platform_verify_github_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_GITHUB);
}

PG_FUNCTION_INFO_V1(platform_check_github_webhook);

/*
 * platform.check_github_webhook(body bytea, signature text, secrets text[], OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_github_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_GITHUB);
}

/* ---- Slack ---- */

PG_FUNCTION_INFO_V1(platform_sign_slack_webhook);

/*
 * platform.sign_slack_webhook(sent_at timestamptz, body bytea, secret text) returns text
 *
 * The header X-Slack-Signature, "v0=<hex>"; sent_at is sent as
 * X-Slack-Request-Timestamp, in seconds since 1970.
 */
Datum
platform_sign_slack_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_SLACK);
}

PG_FUNCTION_INFO_V1(platform_verify_slack_webhook);

/*
 * platform.verify_slack_webhook(sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) returns boolean
 *
 * sent_at and signature are the headers X-Slack-Request-Timestamp and
 * X-Slack-Signature; sent_at must be within 300 s of now (NULL: the clock).
 */
Datum
platform_verify_slack_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_SLACK);
}

PG_FUNCTION_INFO_V1(platform_check_slack_webhook);

/*
 * platform.check_slack_webhook(sent_at text, body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_slack_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_SLACK);
}

/* ---- Retell ---- */

PG_FUNCTION_INFO_V1(platform_sign_retell_webhook);

/*
 * platform.sign_retell_webhook(body bytea, secret text, sent_at timestamptz DEFAULT NULL) returns text
 *
 * The header X-Retell-Signature, "v=<milliseconds>,d=<hex>"; the secret is the API
 * key. NULL for sent_at: the clock.
 */
Datum
platform_sign_retell_webhook(PG_FUNCTION_ARGS)
{
	return sign(fcinfo, SIGNATURE_RETELL);
}

PG_FUNCTION_INFO_V1(platform_verify_retell_webhook);

/*
 * platform.verify_retell_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL) returns boolean
 *
 * signature is the header X-Retell-Signature; its time must be within 300 s of now
 * (NULL: the clock).
 */
Datum
platform_verify_retell_webhook(PG_FUNCTION_ARGS)
{
	return verify(fcinfo, SIGNATURE_RETELL);
}

PG_FUNCTION_INFO_V1(platform_check_retell_webhook);

/*
 * platform.check_retell_webhook(body bytea, signature text, secrets text[], now timestamptz DEFAULT NULL, OUT ok boolean, OUT reason text, OUT matched_key integer) returns record
 */
Datum
platform_check_retell_webhook(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, SIGNATURE_RETELL);
}
