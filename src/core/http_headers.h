/*
 * http_headers.h
 *	  Headers of a request as jsonb: an object, as PostgREST's setting
 *	  request.headers. Names are found in any case.
 */
#ifndef PLATFORM_HTTP_HEADERS_H
#define PLATFORM_HTTP_HEADERS_H

#include "utils/jsonb.h"

#include "core/signature.h"

/* A text in UTF-8, whatever the database's encoding; lives as long as the text. */
extern PlatformBytes platform_utf8_bytes(const text *value);

/*
 * An argument of type bytea, and a text in UTF-8; data is NULL when the argument is. They
 * live as long as the argument.
 */
extern PlatformBytes platform_bytea_argument(FunctionCallInfo fcinfo, int number);
extern PlatformBytes platform_utf8_argument(FunctionCallInfo fcinfo, int number);

/* The value of a header: a string; data is NULL when there is none. headers may be NULL. */
extern PlatformBytes platform_find_header(const Jsonb *headers, const char *name);

/*
 * What the scheme looks at. Svix falls back on the names of Standard Webhooks.
 */
extern PlatformSignedRequest platform_signed_request(PlatformSignatureScheme scheme,
													 const Jsonb *headers,
													 const PlatformBytes *body,
													 const PlatformBytes *url);

#endif							/* PLATFORM_HTTP_HEADERS_H */
