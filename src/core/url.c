/*
 * url.c
 *	  URLs that requests may be sent to: see url.h.
 *
 * What programs make of an odd URL differs, so odd ones are refused: characters
 * that RFC 3986 does not allow, escapes in the host, an IPv4 address other than
 * as four decimal numbers (0x7f.1, 2130706433, 0177.0.0.1), a name without a full
 * stop. Refused too are names that are by their nature local (RFC 6761, 6762,
 * 8375, 9476 and what clouds and networks use).
 *
 * Addresses: what IANA's registries of special-purpose addresses list as not
 * globally reachable, and all forms in which IPv6 carries an IPv4 address.
 */
#include "core/platform.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "utils/guc.h"

#include "core/url.h"

typedef enum UrlPolicy
{
	ALLOW_HTTPS,
	ALLOW_HTTP,
	ALLOW_ANY
} UrlPolicy;

static const struct config_enum_entry policies[] = {
	{"https", ALLOW_HTTPS, false},
	{"http", ALLOW_HTTP, false},
	{"any", ALLOW_ANY, false},
	{NULL, 0, false}
};

static int	policy = ALLOW_HTTPS;

/* Names, and all below them. */
static const char *const local_names[] = {
	"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home",
	"home.arpa", "lan", "svc", "cluster", "onion", "alt", "arpa"
};

/* First address and length of the prefix. */
static const struct
{
	uint32		address;
	int			bits;
}			private_ipv4[] = {
	{0x00000000, 8},			/* this network */
	{0x0a000000, 8},
	{0x64400000, 10},			/* carriers' NAT; also metadata of some clouds */
	{0x7f000000, 8},
	{0xa9fe0000, 16},			/* link-local; 169.254.169.254 */
	{0xac100000, 12},
	{0xc0000000, 24},			/* protocol assignments */
	{0xc0000200, 24},			/* documentation */
	{0xc01fc400, 24},			/* AS112 */
	{0xc034c100, 24},			/* AMT */
	{0xc0586300, 24},			/* 6to4 relays */
	{0xc0a80000, 16},
	{0xc0af3000, 24},			/* AS112 */
	{0xc6120000, 15},			/* benchmarks */
	{0xc6336400, 24},
	{0xcb007100, 24},
	{0xe0000000, 4},			/* multicast */
	{0xf0000000, 4},			/* reserved, broadcast */
};

void
platform_url_init(void)
{
	DefineCustomEnumVariable("platform.webhook_urls",
							 "Where webhooks may be sent: https, http, or any host.",
							 "Other values than https are for development and tests.",
							 &policy, ALLOW_HTTPS, policies, PGC_SUSET, 0, NULL, NULL, NULL);
}

/* ---- addresses ---- */

static bool
ipv4_is_public(uint32 address)
{
	for (int i = 0; i < lengthof(private_ipv4); i++)
		if (((address ^ private_ipv4[i].address) >> (32 - private_ipv4[i].bits)) == 0)
			return false;
	return true;
}

static bool
ipv6_is_public(const uint8 *a)
{
	static const uint8 isatap[] = {0x00, 0x00, 0x5e, 0xfe};

	/*
	 * 2000::/3 is what has been given out; so ::, ::1, mapped and compatible ones,
	 * NAT64, local, site and multicast ones are none of it.
	 */
	if ((a[0] & 0xe0) != 0x20)
		return false;
	/* 2001:0::/23: protocols, Teredo among them */
	if (a[0] == 0x20 && a[1] == 0x01 && (a[2] & 0xfe) == 0)
		return false;
	if (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8)
		return false;
	/* 6to4 */
	if (a[0] == 0x20 && a[1] == 0x02)
		return false;
	/* 3fff::/20: documentation */
	if (a[0] == 0x3f && a[1] == 0xff && (a[2] & 0xf0) == 0)
		return false;
	/* ISATAP, whatever the network: the last four bytes are an IPv4 address */
	return (a[8] & 0xfd) != isatap[0] || memcmp(a + 9, isatap + 1, 3) != 0;
}

bool
platform_address_is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ipv4_is_public(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return ipv6_is_public(((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
	return false;
}

bool
platform_address_is_allowed(const struct sockaddr *address)
{
	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return false;
	return policy == ALLOW_ANY || platform_address_is_public(address);
}

/* ---- hosts ---- */

/* Is the name this one, or below it? */
static bool
is_below(const char *host, size_t length, const char *name)
{
	size_t		name_length = strlen(name);

	return length >= name_length &&
		pg_strncasecmp(host + length - name_length, name, name_length) == 0 &&
		(length == name_length || host[length - name_length - 1] == '.');
}

/* Digits, or 0x and hexadecimal ones: what programs take for a number. */
static bool
is_number(const char *label, size_t length)
{
	if (length > 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return strspn(label + 2, "0123456789abcdefABCDEF") >= length - 2;
	return length > 0 && strspn(label, "0123456789") >= length;
}

/* Labels of letters, digits, "-" and "_", with full stops between them. */
static bool
is_name(const char *host, size_t length, size_t *last_label)
{
	size_t		start = 0;

	if (length == 0 || length > 253)
		return false;
	for (size_t i = 0; i <= length; i++)
	{
		if (i == length || host[i] == '.')
		{
			if (i == start || i - start > 63 || host[start] == '-' || host[i - 1] == '-')
				return false;
			*last_label = start;
			start = i + 1;
		}
		else if (!((host[i] >= 'a' && host[i] <= 'z') || (host[i] >= 'A' && host[i] <= 'Z') ||
				   (host[i] >= '0' && host[i] <= '9') || host[i] == '-' || host[i] == '_'))
			return false;
	}
	return true;
}

static PlatformUrlFault
check_ipv4(const char *host, size_t length)
{
	char		text[INET_ADDRSTRLEN];
	char		canonical[INET_ADDRSTRLEN];
	struct in_addr address;

	if (length >= sizeof(text))
		return URL_BAD_HOST;
	memcpy(text, host, length);
	text[length] = '\0';
	if (inet_pton(AF_INET, text, &address) != 1 ||
		inet_ntop(AF_INET, &address, canonical, sizeof(canonical)) == NULL ||
		strcmp(text, canonical) != 0)
		return URL_BAD_HOST;
	return policy == ALLOW_ANY || ipv4_is_public(ntohl(address.s_addr)) ? URL_OK : URL_PRIVATE_HOST;
}

static PlatformUrlFault
check_ipv6(const char *host, size_t length)
{
	char		text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (length >= sizeof(text))
		return URL_BAD_HOST;
	memcpy(text, host, length);
	text[length] = '\0';
	if (inet_pton(AF_INET6, text, &address) != 1)
		return URL_BAD_HOST;
	return policy == ALLOW_ANY || ipv6_is_public(address.s6_addr) ? URL_OK : URL_PRIVATE_HOST;
}

static PlatformUrlFault
check_host(const char *host, size_t length)
{
	size_t		last_label = 0;

	/* a name may end with the root's full stop */
	if (length > 1 && host[length - 1] == '.')
		length--;
	if (!is_name(host, length, &last_label))
		return URL_BAD_HOST;
	if (is_number(host + last_label, length - last_label))
		return check_ipv4(host, length);
	if (policy == ALLOW_ANY)
		return URL_OK;
	if (last_label == 0)
		return URL_PRIVATE_HOST;
	for (int i = 0; i < lengthof(local_names); i++)
		if (is_below(host, length, local_names[i]))
			return URL_PRIVATE_HOST;
	return URL_OK;
}

/* ---- URLs ---- */

static bool
port_is_valid(const char *port, size_t length)
{
	int			number = 0;

	if (length == 0 || length > 5)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (port[i] < '0' || port[i] > '9')
			return false;
		number = number * 10 + port[i] - '0';
	}
	return number >= 1 && number <= 65535;
}

/* Host and port, without what stands around them. */
static PlatformUrlFault
check_authority(const char *authority, size_t length)
{
	const char *end = authority + length;
	const char *port;
	PlatformUrlFault fault;

	if (memchr(authority, '@', length) != NULL)
		return URL_HAS_CREDENTIALS;
	if (length > 0 && authority[0] == '[')
	{
		const char *close = memchr(authority, ']', length);

		if (close == NULL || (close + 1 < end && close[1] != ':'))
			return URL_BAD_HOST;
		fault = check_ipv6(authority + 1, close - authority - 1);
		port = close + 1;
	}
	else
	{
		port = memchr(authority, ':', length);
		if (port == NULL)
			port = end;
		fault = check_host(authority, port - authority);
	}
	if (fault != URL_OK)
		return fault;
	if (port < end && !port_is_valid(port + 1, end - port - 1))
		return URL_BAD_PORT;
	return URL_OK;
}

PlatformUrlFault
platform_url_check(const char *url, size_t length)
{
	size_t		scheme;
	size_t		authority = 0;

	if (length == 0 || length > PLATFORM_URL_MAX)
		return URL_MALFORMED;
	for (size_t i = 0; i < length; i++)
		if (url[i] <= ' ' || url[i] >= 0x7f || strchr("\\\"<>^`{|}", url[i]) != NULL)
			return URL_MALFORMED;
	if (length >= 8 && pg_strncasecmp(url, "https://", 8) == 0)
		scheme = 8;
	else if (length >= 7 && pg_strncasecmp(url, "http://", 7) == 0)
		scheme = 7;
	else
		return URL_NOT_HTTPS;
	if (scheme == 7 && policy == ALLOW_HTTPS)
		return URL_NOT_HTTPS;
	while (scheme + authority < length && strchr("/?#", url[scheme + authority]) == NULL)
		authority++;
	return check_authority(url + scheme, authority);
}

const char *
platform_url_reason(PlatformUrlFault fault)
{
	switch (fault)
	{
		case URL_OK:
			return NULL;
		case URL_MALFORMED:
			return "it is too long, empty, or has characters that must be escaped";
		case URL_NOT_HTTPS:
			return "it must begin with https://";
		case URL_HAS_CREDENTIALS:
			return "it must not contain a user or a password";
		case URL_BAD_HOST:
			return "its host is neither a name nor an address in the usual form";
		case URL_BAD_PORT:
			return "its port is not between 1 and 65535";
		case URL_PRIVATE_HOST:
			return "its host is not of the public internet";
	}
	return NULL;
}
