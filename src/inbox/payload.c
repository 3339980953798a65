/*
 * payload.c
 *	  What a body says, as jsonb: for reading and for handlers.
 *
 * The bytes are kept apart, and only they were signed. A body that cannot be read
 * is no error: it was verified, and whoever processes it can look at the bytes.
 * The server's parser quotes what it cannot read; its errors are caught and
 * forgotten here.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/http_headers.h"
#include "core/try.h"
#include "core/twilio.h"
#include "inbox/inbox.h"

#define FORM "application/x-www-form-urlencoded"

typedef struct Reading
{
	PlatformBytes bytes;
	Jsonb	   *result;
} Reading;

/* In the database's encoding, copied; raises for bytes that are no text. */
static char *
server_text(const PlatformBytes *bytes)
{
	char	   *copy = pnstrdup((const char *) bytes->data, bytes->length);
	char	   *text;

	if (memchr(bytes->data, '\0', bytes->length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("text contains a null character")));
	text = pg_any_to_server(copy, bytes->length, PG_UTF8);
	return text;
}

static void
read_json(void *arg)
{
	Reading    *reading = arg;

	reading->result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														 CStringGetDatum(server_text(&reading->bytes))));
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, const PlatformBytes *bytes)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = server_text(bytes);
	value.val.string.len = strlen(value.val.string.val);
	(void) pushJsonbValue(state, token, &value);
}

/* An object of texts; of a name that is given twice the last one counts. */
static void
read_form(void *arg)
{
	Reading    *reading = arg;
	PlatformFormPair *pairs;
	JsonbParseState *state = NULL;
	int			count;

	if (!platform_form_pairs(&reading->bytes, PLATFORM_TWILIO_FORM_MAX, &pairs, &count))
		return;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < count; i++)
	{
		push_text(&state, WJB_KEY, &pairs[i].name);
		push_text(&state, WJB_VALUE, &pairs[i].value);
	}
	reading->result = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* The result of a reader; NULL when it raised an error. */
static Jsonb *
try_to_read(PlatformTryBody reader, const PlatformBytes *bytes)
{
	Reading		reading = {*bytes, NULL};
	ErrorData  *error = platform_try(reader, &reading);

	if (error == NULL)
		return reading.result;
	FreeErrorData(error);
	return NULL;
}

static bool
looks_like_json(const PlatformBytes *body)
{
	for (size_t i = 0; i < body->length; i++)
		if (strchr(" \t\r\n", body->data[i]) == NULL || body->data[i] == '\0')
			return body->data[i] == '{' || body->data[i] == '[';
	return false;
}

static bool
is_form(const InboxRequest *request)
{
	PlatformBytes type = platform_find_header(request->headers, "content-type");

	if (type.data != NULL && type.length >= strlen(FORM) &&
		pg_strncasecmp((const char *) type.data, FORM, strlen(FORM)) == 0)
		return true;
	return (request->scheme == SIGNATURE_TWILIO || request->scheme == SIGNATURE_SLACK) &&
		!looks_like_json(&request->body);
}

/* Twilio's GET requests have their parameters in the URL. */
static PlatformBytes
form_of(const InboxRequest *request)
{
	PlatformBytes form = request->body;
	const uint8 *mark;

	if (form.length > 0 || request->url.data == NULL)
		return form;
	mark = memchr(request->url.data, '?', request->url.length);
	if (mark != NULL)
	{
		form.data = mark + 1;
		form.length = request->url.data + request->url.length - form.data;
	}
	return form;
}

Jsonb *
platform_inbox_payload(const InboxRequest *request)
{
	PlatformBytes form;
	Jsonb	   *payload;
	JsonbValue	inner;

	if (!is_form(request))
		return try_to_read(read_json, &request->body);
	form = form_of(request);
	payload = try_to_read(read_form, &form);

	/* What people click in Slack comes as JSON in a form. */
	if (request->scheme == SIGNATURE_SLACK && payload != NULL &&
		platform_inbox_member(&payload->root, "payload", &inner) && inner.type == jbvString)
	{
		PlatformBytes bytes = platform_utf8_bytes(cstring_to_text_with_len(inner.val.string.val,
																		   inner.val.string.len));
		Jsonb	   *json = try_to_read(read_json, &bytes);

		return json != NULL ? json : payload;
	}
	return payload;
}

bool
platform_inbox_member(const JsonbContainer *container, const char *name, JsonbValue *value)
{
	return container != NULL && JsonContainerIsObject(container) &&
		getKeyJsonValueFromContainer(unconstify(JsonbContainer *, container), name, strlen(name),
									 value) != NULL;
}

const JsonbContainer *
platform_inbox_nested(const JsonbContainer *container, const char *name)
{
	JsonbValue	value;

	return platform_inbox_member(container, name, &value) && value.type == jbvBinary ?
		value.val.binary.data : NULL;
}

const char *
platform_inbox_text(const JsonbContainer *container, const char *name)
{
	JsonbValue	value;

	if (!platform_inbox_member(container, name, &value))
		return NULL;
	if (value.type == jbvString && value.val.string.len > 0)
		return pnstrdup(value.val.string.val, value.val.string.len);
	if (value.type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
	return NULL;
}
