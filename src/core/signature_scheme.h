/*
 * signature_scheme.h
 *	  What signing and checking share: the schemes, their keys, what they sign.
 *	  Of signature*.c only.
 */
#ifndef PLATFORM_SIGNATURE_SCHEME_H
#define PLATFORM_SIGNATURE_SCHEME_H

#include "core/signature.h"
#include "core/twilio.h"

#define ED25519_KEY_BYTES	32
#define ED25519_SIGNATURE_BYTES 64
#define TIME_DIGITS_MAX		15
#define HEAD_BYTES_MAX		(PLATFORM_SIGNATURE_ID_MAX + TIME_DIGITS_MAX + 16)

typedef struct SchemeRules
{
	const char *name;
	PlatformSignatureHeaders headers;
	PlatformHash hash;
	int			units;			/* of the signed time, a second; 0: no time is signed */
	bool		has_url;
	bool		many;			/* signatures in a header */
	bool		decodes_secret; /* base64, with prefixes that tell the kind of key */
} SchemeRules;

extern const SchemeRules platform_signature_rules[PLATFORM_SIGNATURE_SCHEMES];

/* What is signed: one of the heads, then the tail. */
typedef struct Message
{
	int			nheads;
	PlatformBytes heads[PLATFORM_TWILIO_MAX_URLS];
	PlatformBytes tail;
	uint8		head[HEAD_BYTES_MAX];
} Message;

typedef enum KeyKind
{
	KEY_HMAC,
	KEY_PUBLIC,					/* Ed25519 */
	KEY_PRIVATE
} KeyKind;

typedef struct SigningKey
{
	KeyKind		kind;
	const uint8 *bytes;
	size_t		length;
	uint8	   *decoded;		/* to be wiped; NULL when bytes are the caller's */
	size_t		decoded_size;
	uint8		buffer[96];
} SigningKey;


static inline bool
is_missing(const PlatformBytes *bytes)
{
	return bytes->data == NULL || bytes->length == 0;
}

static inline bool
starts_with(const PlatformBytes *text, const char *prefix, size_t length)
{
	return text->length >= length && memcmp(text->data, prefix, length) == 0;
}

/* Fails for a secret that is no key of the scheme. Forget it in any case. */
extern bool platform_signature_read_key(const SchemeRules *rules, const PlatformBytes *secret,
										SigningKey *key);
extern void platform_signature_forget_key(SigningKey *key);

/* Printable ASCII without the separator, not too long. */
extern bool platform_signature_id_is_valid(const PlatformBytes *id);

/* The moment in units since 1970, rounded down; far away for infinities. */
extern int64 platform_signature_unix_time(TimestampTz moment, int units);

/* VALID, MALFORMED_URL or MALFORMED_BODY; id and time must be valid. */
extern PlatformSignatureVerdict platform_signature_message(PlatformSignatureScheme scheme,
														   const PlatformSignedRequest *request,
														   const PlatformBytes *time,
														   Message *message);

/* The MAC of the message with one of its heads. */
extern void platform_signature_mac(const SchemeRules *rules, const SigningKey *key,
								   const Message *message, int head, uint8 *mac);

/* Head and tail in one piece, which Ed25519 needs; to be freed. */
extern PlatformBytes platform_signature_whole(const Message *message);

#endif							/* PLATFORM_SIGNATURE_SCHEME_H */
