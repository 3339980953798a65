/*
 * url.h
 *	  URLs that requests may be sent to, and addresses that may be connected to.
 *
 * Whoever may give us a URL must not reach what only we reach: the machine, its
 * network, the cloud's metadata. A URL is checked when it is given, by what
 * stands in it; the address that its name resolves to is checked again when a
 * connection is made, because names change.
 *
 * The setting platform.webhook_urls: https (of public hosts), http (the same
 * without TLS, for development), any (private hosts too, for tests).
 */
#ifndef PLATFORM_URL_H
#define PLATFORM_URL_H

#include <sys/socket.h>

#define PLATFORM_URL_MAX	2048

typedef enum PlatformUrlFault
{
	URL_OK,
	URL_MALFORMED,
	URL_NOT_HTTPS,
	URL_HAS_CREDENTIALS,
	URL_BAD_HOST,				/* no host name, or an address written oddly */
	URL_BAD_PORT,
	URL_PRIVATE_HOST			/* a name or an address that is not public */
} PlatformUrlFault;

/* Once, from _PG_init. */
extern void platform_url_init(void);

/* May requests be sent to it, as far as its text tells and the setting allows? */
extern PlatformUrlFault platform_url_check(const char *url, size_t length);

/* What is the matter, for people; NULL for URL_OK. */
extern const char *platform_url_reason(PlatformUrlFault fault);

/* Is it of the public internet? Families other than IPv4 and IPv6 are not. */
extern bool platform_address_is_public(const struct sockaddr *address);

/* May be connected to it: is it public, or does the setting allow any? */
extern bool platform_address_is_allowed(const struct sockaddr *address);

#endif							/* PLATFORM_URL_H */
