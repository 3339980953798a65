/*
 * signature_sign.c
 *	  Signed webhooks: making signatures, secrets and key pairs.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/signature_scheme.h"

#define SECRET_BYTES	32
#define PREFIX_MAX		32
#define PREFIX_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

pg_noreturn static void
refuse(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
}

char *
platform_signature_timestamp(PlatformSignatureScheme scheme, TimestampTz sent_at)
{
	int			units = platform_signature_rules[scheme].units;
	int64		time = platform_signature_unix_time(sent_at, Max(units, 1));

	/* as many digits as a check takes */
	if (TIMESTAMP_NOT_FINITE(sent_at) || time < 0 || time >= INT64CONST(1000000000000000))
		refuse("time of signing is out of range");
	return psprintf(INT64_FORMAT, time);
}

/* ",v1=", "v1," and the like, then the signature by one secret. */
static void
append_signature(StringInfo header, PlatformSignatureScheme scheme, const PlatformBytes *secret,
				 const Message *message)
{
	const SchemeRules *rules = &platform_signature_rules[scheme];
	SigningKey	key;
	uint8		signature[PLATFORM_HASH_MAX_SIZE];
	char		text[2 * PLATFORM_HASH_MAX_SIZE + 1];
	int			size = platform_hash_size(rules->hash);
	bool		usable;

	if (is_missing(secret))
		refuse("signing secret cannot be empty");
	usable = platform_signature_read_key(rules, secret, &key) && key.kind != KEY_PUBLIC;
	if (usable && key.kind == KEY_PRIVATE)
	{
		PlatformBytes whole = platform_signature_whole(message);

		platform_ed25519_sign(key.bytes, whole.data, whole.length, signature);
		size = ED25519_SIGNATURE_BYTES;
		pfree(unconstify(uint8 *, whole.data));
	}
	else if (usable)
		platform_signature_mac(rules, &key, message, 0, signature);
	platform_signature_forget_key(&key);
	if (!usable)
		refuse("signing secret is no key of this scheme");

	switch (scheme)
	{
		case SIGNATURE_STANDARD:
		case SIGNATURE_SVIX:
			if (header->len > 0)
				appendStringInfoChar(header, ' ');
			appendStringInfoString(header, key.kind == KEY_PRIVATE ? "v1a," : "v1,");
			/* FALLTHROUGH */
		case SIGNATURE_TWILIO:
			platform_base64_encode(signature, size, text);
			break;
		case SIGNATURE_STRIPE:
			appendStringInfoString(header, ",v1=");
			platform_hex_encode(signature, size, text);
			break;
		case SIGNATURE_META:
		case SIGNATURE_GITHUB:
			appendStringInfoString(header, "sha256=");
			platform_hex_encode(signature, size, text);
			break;
		case SIGNATURE_SLACK:
			appendStringInfoString(header, "v0=");
			platform_hex_encode(signature, size, text);
			break;
		case SIGNATURE_RETELL:
			appendStringInfoString(header, ",d=");
			platform_hex_encode(signature, size, text);
			break;
	}
	appendStringInfoString(header, text);
}

char *
platform_signature_sign(PlatformSignatureScheme scheme, const PlatformSignedRequest *request,
						const PlatformBytes *secrets, int nsecrets, TimestampTz sent_at)
{
	const SchemeRules *rules = &platform_signature_rules[scheme];
	PlatformBytes time = {NULL, 0};
	PlatformSignatureVerdict verdict;
	Message		message;
	StringInfoData header;

	if (request->body.data == NULL || (rules->has_url && request->url.data == NULL))
		elog(ERROR, "a request to be signed must have a body and its scheme's parts");
	if (nsecrets == 0)
		refuse("at least one signing secret must be given");
	if (rules->headers.id != NULL &&
		(is_missing(&request->id) || !platform_signature_id_is_valid(&request->id)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("message id cannot be signed"),
				 errdetail("It must have 1 to %d printable ASCII characters, none of them a full stop or a space.",
						   PLATFORM_SIGNATURE_ID_MAX)));
	if (rules->units > 0)
	{
		time.data = (const uint8 *) platform_signature_timestamp(scheme, sent_at);
		time.length = strlen((const char *) time.data);
	}
	verdict = platform_signature_message(scheme, request, &time, &message);
	if (verdict == SIGNATURE_MALFORMED_URL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("URL cannot be signed"),
				 errdetail("It must be an absolute http, https, ws or wss URL of at most %d bytes.",
						   PLATFORM_TWILIO_URL_MAX)));
	if (verdict == SIGNATURE_MALFORMED_BODY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("form cannot be signed: it has more than %d parameters",
						PLATFORM_TWILIO_FORM_MAX)));
	/* the sender signs what it was given, whatever receivers may make of it */
	if (rules->has_url)
		message.heads[0] = request->url;

	initStringInfo(&header);
	if (scheme == SIGNATURE_STRIPE)
		appendStringInfo(&header, "t=%s", (const char *) time.data);
	else if (scheme == SIGNATURE_RETELL)
		appendStringInfo(&header, "v=%s", (const char *) time.data);
	for (int i = 0; i < (rules->many ? nsecrets : 1); i++)
		append_signature(&header, scheme, &secrets[i], &message);
	return header.data;
}

char *
platform_signature_new_secret(const char *prefix)
{
	size_t		length = strlen(prefix);
	uint8		bytes[SECRET_BYTES];
	char	   *secret = palloc(length + PLATFORM_BASE64_ENCODED(SECRET_BYTES));

	if (length > PREFIX_MAX || strspn(prefix, PREFIX_CHARACTERS) != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prefix of a secret is not valid"),
				 errdetail("It may have up to %d letters, digits, hyphens and underscores.", PREFIX_MAX)));
	platform_random_bytes(bytes, SECRET_BYTES);
	memcpy(secret, prefix, length);
	platform_base64_encode(bytes, SECRET_BYTES, secret + length);
	platform_wipe(bytes, SECRET_BYTES);
	return secret;
}

char *
platform_signature_public_key(const PlatformBytes *private_key)
{
	SigningKey	key;
	uint8		bytes[ED25519_KEY_BYTES];
	char	   *text = NULL;

	if (platform_signature_read_key(&platform_signature_rules[SIGNATURE_STANDARD], private_key, &key) &&
		key.kind == KEY_PRIVATE)
	{
		platform_ed25519_public(key.bytes, bytes);
		text = palloc(5 + PLATFORM_BASE64_ENCODED(ED25519_KEY_BYTES));
		memcpy(text, "whpk_", 5);
		platform_base64_encode(bytes, ED25519_KEY_BYTES, text + 5);
	}
	platform_signature_forget_key(&key);
	return text;
}
