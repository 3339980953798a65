/*
 * signature.h
 *	  Signed webhooks: the schemes of the providers, both ways.
 *
 * A request is checked as it came: header values and the body's bytes, texts in
 * UTF-8.  What is missing has data NULL.  Whatever comes, the answer is a
 * verdict; only signing raises errors.
 */
#ifndef PLATFORM_SIGNATURE_H
#define PLATFORM_SIGNATURE_H

#include "core/crypto.h"

typedef enum PlatformSignatureScheme
{
	SIGNATURE_STANDARD,			/* Standard Webhooks, v1 and v1a */
	SIGNATURE_SVIX,				/* the same under other header names */
	SIGNATURE_STRIPE,
	SIGNATURE_TWILIO,
	SIGNATURE_META,				/* WhatsApp, Messenger, Instagram */
	SIGNATURE_GITHUB,
	SIGNATURE_SLACK,
	SIGNATURE_RETELL
} PlatformSignatureScheme;

#define PLATFORM_SIGNATURE_SCHEMES	(SIGNATURE_RETELL + 1)

typedef enum PlatformSignatureVerdict
{
	SIGNATURE_VALID,
	SIGNATURE_NO_SECRET,		/* none was given */
	SIGNATURE_BAD_SECRET,		/* none of those given is a key of the scheme */
	SIGNATURE_MISSING_ID,
	SIGNATURE_MISSING_TIMESTAMP,
	SIGNATURE_MISSING_SIGNATURE,
	SIGNATURE_MISSING_URL,
	SIGNATURE_MISSING_BODY,
	SIGNATURE_MALFORMED_ID,
	SIGNATURE_MALFORMED_TIMESTAMP,
	SIGNATURE_MALFORMED_SIGNATURE,
	SIGNATURE_MALFORMED_URL,
	SIGNATURE_MALFORMED_BODY,	/* a form of too many parameters */
	SIGNATURE_TOO_OLD,
	SIGNATURE_TOO_NEW,
	SIGNATURE_MISMATCH,			/* no secret makes one of the signatures */
	SIGNATURE_BODY_MISMATCH,	/* the signed hash is not the body's */
	SIGNATURE_UNKNOWN_SCHEME	/* for callers who look schemes up */
} PlatformSignatureVerdict;

/* Seconds between the signed time and the clock, either way. */
#define PLATFORM_SIGNATURE_TOLERANCE	300

/* Signatures in one header; more are malformed. */
#define PLATFORM_SIGNATURE_MAX			32

/* Longest id of a message. */
#define PLATFORM_SIGNATURE_ID_MAX		256

/* The url is Twilio's, the id Standard Webhooks' and Svix's. */
typedef struct PlatformSignedRequest
{
	PlatformBytes id;
	PlatformBytes timestamp;
	PlatformBytes signature;
	PlatformBytes url;
	PlatformBytes body;
} PlatformSignedRequest;

/* Names of headers, lower case; NULL where the scheme has none. */
typedef struct PlatformSignatureHeaders
{
	const char *id;
	const char *timestamp;
	const char *signature;
} PlatformSignatureHeaders;

/* By its name, the one in sign_<name>_webhook(). */
extern bool platform_signature_find_scheme(const char *name, size_t length,
										   PlatformSignatureScheme *scheme);
extern const char *platform_signature_scheme_name(PlatformSignatureScheme scheme);
extern const PlatformSignatureHeaders *platform_signature_headers(PlatformSignatureScheme scheme);

/*
 * Was the request signed with one of the secrets, within the tolerance around
 * now?  *matched is the index of the first secret that fits, or -1; secrets that
 * are missing, empty or no key of the scheme are passed over.
 */
extern PlatformSignatureVerdict platform_signature_check(PlatformSignatureScheme scheme,
														 const PlatformSignedRequest *request,
														 const PlatformBytes *secrets, int nsecrets,
														 TimestampTz now, int *matched);

/*
 * Is the token one of those expected?  Missing and empty ones match nothing; all are
 * compared, by their hashes.
 */
extern bool platform_signature_token_matches(const PlatformBytes *token,
											 const PlatformBytes *expected, int count);

/* The verdict's name for programs. */
extern const char *platform_signature_reason(PlatformSignatureVerdict verdict);

/*
 * The header that signs a request: its url, body and id, sent at a moment.
 * Schemes whose header has room for one signature use the first secret.  Errors:
 * 22023 for what cannot be signed, or a secret that is empty or no key.
 */
extern char *platform_signature_sign(PlatformSignatureScheme scheme,
									 const PlatformSignedRequest *request,
									 const PlatformBytes *secrets, int nsecrets,
									 TimestampTz sent_at);

/* The header of the time, as platform_signature_sign() signs it; 22023 out of range. */
extern char *platform_signature_timestamp(PlatformSignatureScheme scheme, TimestampTz sent_at);

/* A secret for Standard Webhooks, of 32 random bytes. */
extern char *platform_signature_new_secret(const char *prefix);

/* The public key, whpk_..., of a private one, whsk_...; NULL when it is none. */
extern char *platform_signature_public_key(const PlatformBytes *private_key);

#endif							/* PLATFORM_SIGNATURE_H */
