/*
 * twilio.c
 *	  What Twilio signs: the URL, and the form's names and values.
 *
 * Twilio signs the URL as its user typed it, with the port or without, and has
 * re-encoded queries in its time; a receiver behind a proxy sees it spelt
 * otherwise.  So a signature may be of any of these: the URL as it came, and
 * normalised as browsers do (WHATWG URL), each without its port and with it, and
 * the normalised ones with the query decoded and encoded again.  The normalised
 * ones are those that Twilio's own library for node tries.
 *
 * Not normalised are hosts beyond lower case: names in other alphabets, numbers
 * that are IPv4 addresses in disguise.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"

#include "core/base64.h"
#include "core/twilio.h"

/* As many as node's query parser takes. */
#define QUERY_PAIRS_MAX	1000

/* Characters that are percent-encoded besides controls, space and non-ASCII. */
#define ENCODED_IN_FRAGMENT	"\"<>`"
#define ENCODED_IN_QUERY	"\"#<>'"
#define ENCODED_IN_PATH		"\"#<>?`{}"
#define ENCODED_IN_USER		ENCODED_IN_PATH "/:;=@[\\]^|"

/* A URL cut up; parts point into its text, those that are missing have data NULL. */
typedef struct Url
{
	const char *scheme;
	const char *default_port;
	PlatformBytes user;			/* with its password */
	PlatformBytes host;
	PlatformBytes port;
	PlatformBytes path;
	PlatformBytes query;
	PlatformBytes fragment;
} Url;


static const struct
{
	const char *name;
	const char *port;
}			schemes[] = {{"http", "80"}, {"https", "443"}, {"ws", "80"}, {"wss", "443"}};

/* ---- taking a URL apart ---- */

static inline PlatformBytes
stretch(const uint8 *from, const uint8 *to)
{
	PlatformBytes bytes = {from, to - from};

	return bytes;
}

/* The first of two characters, or end. */
static const uint8 *
find_either(const uint8 *from, const uint8 *end, char a, char b)
{
	while (from < end && *from != (uint8) a && *from != (uint8) b)
		from++;
	return from;
}

static bool
read_scheme(const PlatformBytes *text, Url *url, size_t *length)
{
	for (int i = 0; i < lengthof(schemes); i++)
	{
		size_t		size = strlen(schemes[i].name);

		if (text->length > size + 3 &&
			pg_strncasecmp((const char *) text->data, schemes[i].name, size) == 0 &&
			text->data[size] == ':' &&
			(text->data[size + 1] == '/' || text->data[size + 1] == '\\') &&
			(text->data[size + 2] == '/' || text->data[size + 2] == '\\'))
		{
			url->scheme = schemes[i].name;
			url->default_port = schemes[i].port;
			*length = size + 3;
			return true;
		}
	}
	return false;
}

/* [user[:password]@]host[:port] */
static bool
read_authority(const uint8 *from, const uint8 *end, Url *url)
{
	const uint8 *host = from;
	const uint8 *host_end;
	int			number = 0;

	for (const uint8 *at = from; at < end; at++)
		if (*at == '@')
			host = at + 1;
	if (host > from)
		url->user = stretch(from, host - 1);

	if (host < end && *host == '[')
	{
		host_end = find_either(host, end, ']', ']');
		if (host_end == end)
			return false;
		host_end++;
	}
	else
		host_end = find_either(host, end, ':', ':');
	url->host = stretch(host, host_end);
	if (host_end == end)
		return url->host.length > 0;
	if (*host_end != ':')
		return false;
	for (const uint8 *digit = host_end + 1; digit < end; digit++)
	{
		if (*digit < '0' || *digit > '9')
			return false;
		number = number * 10 + (*digit - '0');
		if (number > 65535)
			return false;
	}
	if (host_end + 1 < end)
		url->port = stretch(host_end + 1, end);
	return url->host.length > 0;
}

/* Fails for what is no absolute URL of a known scheme. */
static bool
read_url(const PlatformBytes *text, Url *url)
{
	const uint8 *end = text->data + text->length;
	const uint8 *from;
	const uint8 *stop;
	const uint8 *question;
	size_t		length;

	memset(url, 0, sizeof(Url));
	if (!read_scheme(text, url, &length))
		return false;
	from = text->data + length;

	stop = memchr(from, '#', end - from);
	if (stop != NULL)
	{
		url->fragment = stretch(stop + 1, end);
		end = stop;
	}
	question = memchr(from, '?', end - from);
	if (question != NULL)
	{
		url->query = stretch(question + 1, end);
		end = question;
	}
	stop = find_either(from, end, '/', '\\');
	url->path = stretch(stop, end);
	return read_authority(from, stop, url);
}

/* Is the port the scheme's own, or none? */
static bool
has_default_port(const Url *url)
{
	PlatformBytes port = url->port;

	while (port.length > 1 && *port.data == '0')
	{
		port.data++;
		port.length--;
	}
	return port.data == NULL ||
		(port.length == strlen(url->default_port) &&
		 memcmp(port.data, url->default_port, port.length) == 0);
}

/* ---- writing one ---- */

static inline void
append_bytes(StringInfo text, const PlatformBytes *bytes)
{
	appendBinaryStringInfo(text, (const char *) bytes->data, bytes->length);
}

static void
append_percent(StringInfo text, uint8 byte)
{
	static const char digits[] = "0123456789ABCDEF";

	appendStringInfoChar(text, '%');
	appendStringInfoChar(text, digits[byte >> 4]);
	appendStringInfoChar(text, digits[byte & 0x0f]);
}

static void
append_encoded(StringInfo text, const uint8 *from, const uint8 *end, const char *encoded)
{
	for (; from < end; from++)
	{
		if (*from <= ' ' || *from > '~' || strchr(encoded, *from) != NULL)
			append_percent(text, *from);
		else
			appendStringInfoChar(text, *from);
	}
}

/* 1 for ".", 2 for "..", with dots that may be encoded; 0 for any other segment. */
static int
count_dots(const uint8 *from, const uint8 *end)
{
	int			dots = 0;

	while (from < end)
	{
		if (*from == '.')
			from++;
		else if (end - from >= 3 && pg_strncasecmp((const char *) from, "%2e", 3) == 0)
			from += 3;
		else
			return 0;
		if (++dots > 2)
			return 0;
	}
	return dots;
}

/* The path without "." and ".." segments. */
static void
append_path(StringInfo text, const PlatformBytes *path)
{
	int			start = text->len;
	const uint8 *from = path->data;
	const uint8 *end = path->data + path->length;

	if (path->length == 0)
	{
		appendStringInfoChar(text, '/');
		return;
	}
	while (from < end)			/* at a slash */
	{
		const uint8 *stop = find_either(from + 1, end, '/', '\\');
		int			dots = count_dots(from + 1, stop);

		if (dots == 2)
		{
			while (text->len > start && text->data[--text->len] != '/')
				;
			text->data[text->len] = '\0';
		}
		if (dots == 0)
		{
			appendStringInfoChar(text, '/');
			append_encoded(text, from + 1, stop, ENCODED_IN_PATH);
		}
		else if (stop == end)
			appendStringInfoChar(text, '/');
		from = stop;
	}
}

/* User and password, each encoded; an empty password and an empty pair vanish. */
static void
append_user(StringInfo text, const PlatformBytes *user)
{
	const uint8 *end = user->data + user->length;
	const uint8 *colon = find_either(user->data, end, ':', ':');

	if (user->length == 0 || (colon == user->data && colon + 1 == end))
		return;
	append_encoded(text, user->data, colon, ENCODED_IN_USER);
	if (colon + 1 < end)
	{
		appendStringInfoChar(text, ':');
		append_encoded(text, colon + 1, end, ENCODED_IN_USER);
	}
	appendStringInfoChar(text, '@');
}

/* Scheme to path, normalised. */
static void
append_origin_and_path(StringInfo text, const Url *url, bool with_port)
{
	appendStringInfo(text, "%s://", url->scheme);
	if (url->user.data != NULL)
		append_user(text, &url->user);
	for (size_t i = 0; i < url->host.length; i++)
		appendStringInfoChar(text, pg_ascii_tolower(url->host.data[i]));
	if (with_port)
	{
		appendStringInfoChar(text, ':');
		if (has_default_port(url))
			appendStringInfoString(text, url->default_port);
		else
			appendStringInfo(text, "%d", atoi(pnstrdup((const char *) url->port.data, url->port.length)));
	}
	append_path(text, &url->path);
}

/* ---- names and values ---- */

/* Percent-decodes, plus signs being spaces; what is no escape stays. */
static PlatformBytes
decode_form(PlatformBytes text, uint8 **space)
{
	uint8	   *to = *space;
	PlatformBytes decoded = {to, 0};

	for (size_t i = 0; i < text.length; i++)
	{
		if (text.data[i] == '+')
			*to++ = ' ';
		else if (text.data[i] == '%' && i + 2 < text.length &&
				 platform_hex_decode((const char *) text.data + i + 1, 2, to, 1))
		{
			to++;
			i += 2;
		}
		else
			*to++ = text.data[i];
	}
	decoded.length = to - decoded.data;
	*space = to;
	return decoded;
}

bool
platform_form_pairs(const PlatformBytes *text, int max, PlatformFormPair **pairs, int *count)
{
	const uint8 *from = text->data;
	const uint8 *end = from + text->length;
	uint8	   *space = palloc_extended(Max(text->length, 1), MCXT_ALLOC_HUGE);
	int			capacity = 16;

	*pairs = palloc(capacity * sizeof(PlatformFormPair));
	*count = 0;
	while (from < end)
	{
		const uint8 *stop = memchr(from, '&', end - from);
		const uint8 *equals;

		if (stop == NULL)
			stop = end;
		if (stop > from)
		{
			if (*count == max)
				return false;
			if (*count == capacity)
			{
				capacity *= 2;
				*pairs = repalloc(*pairs, capacity * sizeof(PlatformFormPair));
			}
			equals = find_either(from, stop, '=', '=');
			(*pairs)[*count].name = decode_form(stretch(from, equals), &space);
			(*pairs)[*count].value = decode_form(stretch(Min(equals + 1, stop), stop), &space);
			(*pairs)[*count].number = *count;
			(*count)++;
		}
		from = stop + 1;
	}
	return true;
}

static int
compare_bytes(const PlatformBytes *a, const PlatformBytes *b)
{
	int			order = memcmp(a->data, b->data, Min(a->length, b->length));

	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* By name, then by value. */
static int
compare_pairs(const void *a, const void *b)
{
	const PlatformFormPair *first = a;
	const PlatformFormPair *second = b;
	int			order = compare_bytes(&first->name, &second->name);

	return order != 0 ? order : compare_bytes(&first->value, &second->value);
}

bool
platform_twilio_form(const PlatformBytes *body, PlatformBytes *form)
{
	PlatformFormPair	   *pairs;
	int			count;
	uint8	   *to;

	if (!platform_form_pairs(body, PLATFORM_TWILIO_FORM_MAX, &pairs, &count))
		return false;
	qsort(pairs, count, sizeof(PlatformFormPair), compare_pairs);
	to = palloc_extended(Max(body->length, 1), MCXT_ALLOC_HUGE);
	form->data = to;
	for (int i = 0; i < count; i++)
	{
		if (i > 0 && compare_pairs(&pairs[i - 1], &pairs[i]) == 0)
			continue;
		memcpy(to, pairs[i].name.data, pairs[i].name.length);
		to += pairs[i].name.length;
		memcpy(to, pairs[i].value.data, pairs[i].value.length);
		to += pairs[i].value.length;
	}
	form->length = to - form->data;
	return true;
}

/* ---- the query, decoded and encoded again ---- */

/* A name that is the canonical spelling of a number below 2^32 - 1, or -1. */
static int64
name_as_number(const PlatformBytes *name)
{
	int64		number = 0;

	if (name->length == 0 || name->length > 10 || (name->length > 1 && *name->data == '0'))
		return -1;
	for (size_t i = 0; i < name->length; i++)
	{
		if (name->data[i] < '0' || name->data[i] > '9')
			return -1;
		number = number * 10 + (name->data[i] - '0');
	}
	return number < PG_UINT32_MAX ? number : -1;
}

static int
compare_ranks(const void *a, const void *b)
{
	const PlatformFormPair *first = a;
	const PlatformFormPair *second = b;

	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	return first->number - second->number;
}

static void
append_query_component(StringInfo text, const PlatformBytes *bytes)
{
	for (size_t i = 0; i < bytes->length; i++)
	{
		uint8		c = bytes->data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c != '\0' && strchr("-_.!~*'()", c) != NULL))
			appendStringInfoChar(text, c);
		else
			append_percent(text, c);
	}
}

/*
 * As node's querystring.stringify(parse()): a name's values stand together where
 * it came first, and names that are numbers come before all others.
 */
static void
append_legacy_query(StringInfo text, const PlatformBytes *query)
{
	PlatformFormPair	   *pairs;
	int			count;

	/* beyond the limit the rest is dropped */
	(void) platform_form_pairs(query, QUERY_PAIRS_MAX, &pairs, &count);
	for (int i = 0; i < count; i++)
	{
		int			first = 0;

		pairs[i].rank = name_as_number(&pairs[i].name);
		if (pairs[i].rank < 0)
		{
			while (compare_bytes(&pairs[first].name, &pairs[i].name) != 0)
				first++;
			pairs[i].rank = (int64) PG_UINT32_MAX + first;
		}
	}
	qsort(pairs, count, sizeof(PlatformFormPair), compare_ranks);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(text, '&');
		append_query_component(text, &pairs[i].name);
		appendStringInfoChar(text, '=');
		append_query_component(text, &pairs[i].value);
	}
}

/* ---- the spellings ---- */

static int
add_url(PlatformBytes *urls, int count, PlatformBytes url)
{
	for (int i = 0; i < count; i++)
		if (compare_bytes(&urls[i], &url) == 0)
			return count;
	urls[count] = url;
	return count + 1;
}

static int
add_spelling(PlatformBytes *urls, int count, const StringInfoData *text)
{
	PlatformBytes url = {(const uint8 *) text->data, text->len};

	return add_url(urls, count, url);
}

/* The URL otherwise as it came, without its port or with it. */
static int
add_raw(PlatformBytes *urls, int count, const PlatformBytes *text, const Url *url, bool with_port)
{
	const uint8 *host_end = url->host.data + url->host.length;
	const uint8 *rest = url->port.data != NULL ? url->port.data + url->port.length :
		host_end + (host_end < text->data + text->length && *host_end == ':');
	StringInfoData spelling;

	initStringInfo(&spelling);
	appendBinaryStringInfo(&spelling, (const char *) text->data, host_end - text->data);
	if (with_port)
	{
		appendStringInfoChar(&spelling, ':');
		if (url->port.data != NULL)
			append_bytes(&spelling, &url->port);
		else
			appendStringInfoString(&spelling, url->default_port);
	}
	appendBinaryStringInfo(&spelling, (const char *) rest, text->data + text->length - rest);
	return add_spelling(urls, count, &spelling);
}

static int
add_normalised(PlatformBytes *urls, int count, const Url *url, bool with_port)
{
	/* node's library leaves an empty query or fragment out where it adds the port */
	bool		keep_empty = !(with_port && has_default_port(url));
	StringInfoData spelling;

	initStringInfo(&spelling);
	append_origin_and_path(&spelling, url, with_port);
	if (url->query.data != NULL && (url->query.length > 0 || keep_empty))
	{
		appendStringInfoChar(&spelling, '?');
		append_encoded(&spelling, url->query.data, url->query.data + url->query.length,
					   ENCODED_IN_QUERY);
	}
	if (url->fragment.data != NULL && (url->fragment.length > 0 || keep_empty))
	{
		appendStringInfoChar(&spelling, '#');
		append_encoded(&spelling, url->fragment.data, url->fragment.data + url->fragment.length,
					   ENCODED_IN_FRAGMENT);
	}
	return add_spelling(urls, count, &spelling);
}

static int
add_legacy(PlatformBytes *urls, int count, const Url *url, bool with_port)
{
	StringInfoData spelling;

	if (url->query.length == 0)
		return count;
	initStringInfo(&spelling);
	append_origin_and_path(&spelling, url, with_port);
	if (url->fragment.data != NULL)
	{
		appendStringInfoChar(&spelling, '#');
		append_encoded(&spelling, url->fragment.data, url->fragment.data + url->fragment.length,
					   ENCODED_IN_FRAGMENT);
	}
	appendStringInfoChar(&spelling, '?');
	append_legacy_query(&spelling, &url->query);
	return add_spelling(urls, count, &spelling);
}

/* Without control characters and spaces around it, and tabs and line ends within. */
static PlatformBytes
tidy(const PlatformBytes *text)
{
	const uint8 *from = text->data;
	const uint8 *end = text->data + text->length;
	uint8	   *copy;
	PlatformBytes tidied;

	while (from < end && *from <= ' ')
		from++;
	while (end > from && end[-1] <= ' ')
		end--;
	tidied.data = copy = palloc(end - from + 1);
	for (; from < end; from++)
		if (*from != '\t' && *from != '\n' && *from != '\r')
			*copy++ = *from;
	tidied.length = copy - tidied.data;
	return tidied;
}

int
platform_twilio_urls(const PlatformBytes *url, PlatformBytes *urls)
{
	PlatformBytes tidied;
	Url			parts;
	int			count = 0;

	if (url->length > PLATFORM_TWILIO_URL_MAX)
		return 0;
	tidied = tidy(url);
	if (!read_url(&tidied, &parts))
		return 0;
	count = add_normalised(urls, count, &parts, false);
	count = add_normalised(urls, count, &parts, true);
	count = add_legacy(urls, count, &parts, false);
	count = add_legacy(urls, count, &parts, true);
	count = add_url(urls, count, *url);
	if (read_url(url, &parts))
	{
		count = add_raw(urls, count, url, &parts, false);
		count = add_raw(urls, count, url, &parts, true);
	}
	return count;
}

/* ---- JSON bodies ---- */

bool
platform_twilio_body_hash(const PlatformBytes *url, PlatformBytes *value)
{
	static const char name[] = "bodySHA256=";
	const size_t length = sizeof(name) - 1;
	const uint8 *end = url->data + url->length;
	const uint8 *from;

	from = memchr(url->data, '#', url->length);
	if (from != NULL)
		end = from;
	from = memchr(url->data, '?', end - url->data);
	while (from != NULL)
	{
		const uint8 *stop = memchr(from + 1, '&', end - from - 1);

		from++;
		*value = stretch(from, stop != NULL ? stop : end);
		if (value->length >= length && memcmp(value->data, name, length) == 0)
		{
			value->data += length;
			value->length -= length;
			return true;
		}
		from = stop;
	}
	return false;
}

PlatformBytes
platform_twilio_url_of_body(const PlatformBytes *url, const PlatformBytes *body)
{
	const uint8 *end = url->data + url->length;
	const uint8 *stop = find_either(url->data, end, '#', '#');
	uint8		digest[32];
	char		hex[2 * sizeof(digest) + 1];
	StringInfoData text;
	PlatformBytes result;

	platform_hash(PLATFORM_SHA256, body->data, body->length, digest);
	platform_hex_encode(digest, sizeof(digest), hex);
	initStringInfo(&text);
	appendBinaryStringInfo(&text, (const char *) url->data, stop - url->data);
	appendStringInfo(&text, "%cbodySHA256=%s",
					 memchr(url->data, '?', stop - url->data) != NULL ? '&' : '?', hex);
	appendBinaryStringInfo(&text, (const char *) stop, end - stop);
	result.data = (const uint8 *) text.data;
	result.length = text.len;
	return result;
}
