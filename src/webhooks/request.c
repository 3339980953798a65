/*
 * request.c
 *	  A delivery as a signed HTTP request.
 *
 * The body is an object of data, type and timestamp, as Standard Webhooks recommends,
 * and the same bytes in each attempt: those of the server's jsonb, so that a sender
 * which takes a body as jsonb sends what was signed. It is signed when it is claimed,
 * with all secrets that are valid then; nobody else sees a secret.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "core/secret.h"
#include "core/signature.h"
#include "webhooks/webhooks.h"

#define USER_AGENT "platform-webhooks/1.0"

/* Those of the connection, and those that say what is sent and by whom. */
static const char *const reserved_headers[] = {
	"connection", "content-length", "content-type", "expect", "host", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "user-agent", "webhook-id", "webhook-timestamp",
	"webhook-signature", "webhook-event",
	"svix-id", "svix-timestamp", "svix-signature", "stripe-signature", "x-hub-signature-256",
	"x-slack-signature", "x-slack-request-timestamp", "x-retell-signature"
};

bool
platform_webhook_header_is_reserved(const char *name, size_t length)
{
	for (int i = 0; i < lengthof(reserved_headers); i++)
		if (strlen(reserved_headers[i]) == length &&
			pg_strncasecmp(reserved_headers[i], name, length) == 0)
			return true;
	return false;
}

/* RFC 3339, in UTC. */
static void
append_moment(StringInfo text, TimestampTz moment)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(moment, NULL, &tm, &fraction, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	appendStringInfo(text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year, tm.tm_mon,
					 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fraction);
}

char *
platform_webhook_body(const WebhookMessage *message, size_t *length)
{
	StringInfoData text;
	char	   *body;

	initStringInfo(&text);
	/* jsonb has short names first */
	appendStringInfoString(&text, "{\"data\": ");
	(void) JsonbToCString(&text, &message->payload->root, VARSIZE(message->payload));
	appendStringInfoString(&text, ", \"type\": ");
	escape_json(&text, message->type);
	appendStringInfoString(&text, ", \"timestamp\": \"");
	append_moment(&text, message->occurred_at);
	appendStringInfoString(&text, "\"}");
	body = pg_server_to_any(text.data, text.len, PG_UTF8);
	*length = body == text.data ? text.len : strlen(body);
	return body;
}

static void
push_pair(JsonbParseState **state, const char *name, char *value)
{
	JsonbValue	json;

	json.type = jbvString;
	json.val.string.val = (char *) name;
	json.val.string.len = (int) strlen(name);
	pushJsonbValue(state, WJB_KEY, &json);
	json.val.string.val = value;
	json.val.string.len = (int) strlen(value);
	pushJsonbValue(state, WJB_VALUE, &json);
}

/* The subscription's own; ours come later and so win. */
static void
push_own(JsonbParseState **state, Jsonb *headers)
{
	JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_KEY || token == WJB_VALUE)
			pushJsonbValue(state, token, &value);
}

Jsonb *
platform_webhook_headers(const WebhookReceiver *receiver, const WebhookMessage *message,
						 const char *body, size_t length, TimestampTz now)
{
	const PlatformSignatureHeaders *names = platform_signature_headers(receiver->scheme);
	PlatformSignedRequest request = {{0}};
	PlatformBytes secrets[2];
	char		id[UUID_LEN * 2 + 5];
	JsonbParseState *state = NULL;

	strlcpy(id, DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(message->event_id))),
			sizeof(id));
	request.id.data = (const uint8 *) id;
	request.id.length = strlen(id);
	request.url.data = (const uint8 *) receiver->url;
	request.url.length = strlen(receiver->url);
	request.body.data = (const uint8 *) body;
	request.body.length = length;
	for (int i = 0; i < receiver->nsecrets; i++)
	{
		secrets[i].data = (const uint8 *) receiver->secrets[i].bytes;
		secrets[i].length = receiver->secrets[i].length;
	}

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (receiver->headers != NULL)
		push_own(&state, receiver->headers);
	push_pair(&state, "content-type", "application/json");
	push_pair(&state, "user-agent", USER_AGENT);
	push_pair(&state, names->id != NULL ? names->id : "webhook-id", id);
	if (names->id == NULL)
		push_pair(&state, "webhook-event", (char *) message->type);
	if (names->timestamp != NULL)
		push_pair(&state, names->timestamp, platform_signature_timestamp(receiver->scheme, now));
	push_pair(&state, names->signature,
			  platform_signature_sign(receiver->scheme, &request, secrets, receiver->nsecrets, now));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

void
platform_webhook_forget(WebhookReceiver *receiver)
{
	for (int i = 0; i < receiver->nsecrets; i++)
		platform_secret_wipe(&receiver->secrets[i]);
	receiver->nsecrets = 0;
}
