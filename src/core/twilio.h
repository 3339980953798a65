/*
 * twilio.h
 *	  What Twilio signs: the URL, and the form's names and values.
 */
#ifndef PLATFORM_TWILIO_H
#define PLATFORM_TWILIO_H

#include "core/crypto.h"

#define PLATFORM_TWILIO_MAX_URLS	8

/* Longer URLs are malformed, as are forms of more parameters. */
#define PLATFORM_TWILIO_URL_MAX		16384
#define PLATFORM_TWILIO_FORM_MAX	10000

/*
 * The spellings of a URL that the signature may be of, each once; 0 when it is
 * no absolute http, https, ws or wss URL.
 */
extern int	platform_twilio_urls(const PlatformBytes *url, PlatformBytes *urls);

/* The value of the parameter bodySHA256 in the URL's query; false without one. */
extern bool platform_twilio_body_hash(const PlatformBytes *url, PlatformBytes *value);

/* The URL with that parameter, for a body; the URL must have none. */
extern PlatformBytes platform_twilio_url_of_body(const PlatformBytes *url, const PlatformBytes *body);

/*
 * The names and values of an application/x-www-form-urlencoded body, in the order
 * of names and values as bytes, each pair once; false when there are too many.
 */
extern bool platform_twilio_form(const PlatformBytes *body, PlatformBytes *form);

/* A pair of a form, decoded. */
typedef struct PlatformFormPair
{
	PlatformBytes name;
	PlatformBytes value;
	int64		rank;			/* of the name; for sorting */
	int			number;
} PlatformFormPair;

/*
 * Pairs of "name=value&...", decoded, of which empty ones don't count; at most
 * max.  False when there are more.
 */
extern bool platform_form_pairs(const PlatformBytes *text, int max, PlatformFormPair **pairs,
								int *count);

#endif							/* PLATFORM_TWILIO_H */
