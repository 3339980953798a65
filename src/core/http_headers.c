/*
 * http_headers.c
 *	  Headers of a request as jsonb: see http_headers.h.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/http_headers.h"

PlatformBytes
platform_utf8_bytes(const text *value)
{
	PlatformBytes bytes = {(const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};

	if (GetDatabaseEncoding() != PG_UTF8)
	{
		const char *utf8 = pg_server_to_any((const char *) bytes.data, bytes.length, PG_UTF8);

		if (utf8 != (const char *) bytes.data)
		{
			bytes.data = (const uint8 *) utf8;
			bytes.length = strlen(utf8);
		}
	}
	return bytes;
}

PlatformBytes
platform_bytea_argument(FunctionCallInfo fcinfo, int number)
{
	PlatformBytes bytes = {NULL, 0};

	if (!PG_ARGISNULL(number))
	{
		bytea	   *value = PG_GETARG_BYTEA_PP(number);

		bytes.data = (const uint8 *) VARDATA_ANY(value);
		bytes.length = VARSIZE_ANY_EXHDR(value);
	}
	return bytes;
}

PlatformBytes
platform_utf8_argument(FunctionCallInfo fcinfo, int number)
{
	PlatformBytes nothing = {NULL, 0};

	return PG_ARGISNULL(number) ? nothing : platform_utf8_bytes(PG_GETARG_TEXT_PP(number));
}

PlatformBytes
platform_find_header(const Jsonb *headers, const char *name)
{
	PlatformBytes found = {NULL, 0};
	size_t		length = strlen(name);
	bool		at_header = false;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (headers == NULL || !JB_ROOT_IS_OBJECT(headers))
		return found;
	iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &headers->root));
	while (found.data == NULL && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			at_header = value.val.string.len == length &&
				pg_strncasecmp(value.val.string.val, name, length) == 0;
		else if (token == WJB_VALUE && at_header && value.type == jbvString)
			found = platform_utf8_bytes(cstring_to_text_with_len(value.val.string.val,
																 value.val.string.len));
	}
	return found;
}

static PlatformBytes
scheme_header(const Jsonb *headers, PlatformSignatureScheme scheme, const char *name)
{
	PlatformBytes found = {NULL, 0};

	if (name == NULL)
		return found;
	found = platform_find_header(headers, name);
	if (found.data == NULL && scheme == SIGNATURE_SVIX)
		found = platform_find_header(headers, psprintf("webhook%s", name + strlen("svix")));
	return found;
}

PlatformSignedRequest
platform_signed_request(PlatformSignatureScheme scheme, const Jsonb *headers,
						const PlatformBytes *body, const PlatformBytes *url)
{
	const PlatformSignatureHeaders *names = platform_signature_headers(scheme);
	PlatformSignedRequest request;

	request.id = scheme_header(headers, scheme, names->id);
	request.timestamp = scheme_header(headers, scheme, names->timestamp);
	request.signature = scheme_header(headers, scheme, names->signature);
	request.url = *url;
	request.body = *body;
	return request;
}
