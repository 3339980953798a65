/*
 * signature_scheme.c
 *	  What signing and checking share: the schemes, their keys, what they sign.
 */
#include "core/platform.h"

#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/signature_scheme.h"

const SchemeRules platform_signature_rules[PLATFORM_SIGNATURE_SCHEMES] = {
	[SIGNATURE_STANDARD] = {
		.name = "standard", .hash = PLATFORM_SHA256, .units = 1, .many = true,
		.decodes_secret = true,
		.headers = {"webhook-id", "webhook-timestamp", "webhook-signature"},
	},
	[SIGNATURE_SVIX] = {
		.name = "svix", .hash = PLATFORM_SHA256, .units = 1, .many = true,
		.decodes_secret = true,
		.headers = {"svix-id", "svix-timestamp", "svix-signature"},
	},
	[SIGNATURE_STRIPE] = {
		.name = "stripe", .hash = PLATFORM_SHA256, .units = 1, .many = true,
		.headers = {NULL, NULL, "stripe-signature"},
	},
	[SIGNATURE_TWILIO] = {
		.name = "twilio", .hash = PLATFORM_SHA1, .has_url = true,
		.headers = {NULL, NULL, "x-twilio-signature"},
	},
	[SIGNATURE_META] = {
		.name = "meta", .hash = PLATFORM_SHA256,
		.headers = {NULL, NULL, "x-hub-signature-256"},
	},
	[SIGNATURE_GITHUB] = {
		.name = "github", .hash = PLATFORM_SHA256,
		.headers = {NULL, NULL, "x-hub-signature-256"},
	},
	[SIGNATURE_SLACK] = {
		.name = "slack", .hash = PLATFORM_SHA256, .units = 1,
		.headers = {NULL, "x-slack-request-timestamp", "x-slack-signature"},
	},
	[SIGNATURE_RETELL] = {
		.name = "retell", .hash = PLATFORM_SHA256, .units = 1000,
		.headers = {NULL, NULL, "x-retell-signature"},
	},
};

/* ---- secrets ---- */

bool
platform_signature_read_key(const SchemeRules *rules, const PlatformBytes *secret, SigningKey *key)
{
	PlatformBytes digits = *secret;
	int			length;

	key->kind = KEY_HMAC;
	key->bytes = secret->data;
	key->length = secret->length;
	key->decoded = NULL;
	if (is_missing(secret) || !rules->decodes_secret)
		return !is_missing(secret);

	if (starts_with(secret, "whpk_", 5))
		key->kind = KEY_PUBLIC;
	else if (starts_with(secret, "whsk_", 5))
		key->kind = KEY_PRIVATE;
	if (key->kind != KEY_HMAC || starts_with(secret, "whsec_", 6))
	{
		size_t		prefix = key->kind == KEY_HMAC ? 6 : 5;

		digits.data += prefix;
		digits.length -= prefix;
	}
	key->decoded_size = PLATFORM_BASE64_DECODED(digits.length);
	key->decoded = key->decoded_size <= sizeof(key->buffer) ? key->buffer : palloc(key->decoded_size);
	length = platform_base64_decode_loosely((const char *) digits.data, digits.length, key->decoded);
	if (length <= 0)
		return false;
	key->bytes = key->decoded;
	key->length = length;

	/* a private key may have its public half behind it */
	if (key->kind == KEY_PRIVATE && length == 2 * ED25519_KEY_BYTES)
		key->length = ED25519_KEY_BYTES;
	return key->kind == KEY_HMAC || key->length == ED25519_KEY_BYTES;
}

void
platform_signature_forget_key(SigningKey *key)
{
	if (key->decoded == NULL)
		return;
	platform_wipe(key->decoded, key->decoded_size);
	if (key->decoded != key->buffer)
		pfree(key->decoded);
}

int64
platform_signature_unix_time(TimestampTz moment, int units)
{
	int64		divisor = USECS_PER_SEC / units;
	int64		count = moment / divisor - (moment % divisor < 0 ? 1 : 0);

	return count + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY * units;
}

/* ---- what is signed ---- */

bool
platform_signature_id_is_valid(const PlatformBytes *id)
{
	if (id->length > PLATFORM_SIGNATURE_ID_MAX)
		return false;
	for (size_t i = 0; i < id->length; i++)
		if (id->data[i] <= ' ' || id->data[i] > '~' || id->data[i] == '.')
			return false;
	return true;
}

static void
append(Message *message, size_t *length, const void *data, size_t data_length)
{
	memcpy(message->head + *length, data, data_length);
	*length += data_length;
}

PlatformSignatureVerdict
platform_signature_message(PlatformSignatureScheme scheme, const PlatformSignedRequest *request,
						   const PlatformBytes *time, Message *message)
{
	size_t		length = 0;

	message->nheads = 1;
	message->tail = request->body;
	switch (scheme)
	{
		case SIGNATURE_STANDARD:
		case SIGNATURE_SVIX:
			append(message, &length, request->id.data, request->id.length);
			append(message, &length, ".", 1);
			append(message, &length, time->data, time->length);
			append(message, &length, ".", 1);
			break;
		case SIGNATURE_STRIPE:
			append(message, &length, time->data, time->length);
			append(message, &length, ".", 1);
			break;
		case SIGNATURE_SLACK:
			append(message, &length, "v0:", 3);
			append(message, &length, time->data, time->length);
			append(message, &length, ":", 1);
			break;
		case SIGNATURE_RETELL:
			append(message, &length, time->data, time->length);
			message->heads[0] = request->body;
			message->tail.data = message->head;
			message->tail.length = length;
			return SIGNATURE_VALID;
		case SIGNATURE_TWILIO:
			{
				PlatformBytes hash;

				message->nheads = platform_twilio_urls(&request->url, message->heads);
				if (message->nheads == 0)
					return SIGNATURE_MALFORMED_URL;
				if (platform_twilio_body_hash(&request->url, &hash))
					message->tail.length = 0;
				else if (!platform_twilio_form(&request->body, &message->tail))
					return SIGNATURE_MALFORMED_BODY;
				return SIGNATURE_VALID;
			}
		case SIGNATURE_META:
		case SIGNATURE_GITHUB:
			break;
	}
	message->heads[0].data = message->head;
	message->heads[0].length = length;
	return SIGNATURE_VALID;
}

void
platform_signature_mac(const SchemeRules *rules, const SigningKey *key, const Message *message,
					   int head, uint8 *mac)
{
	PlatformBytes parts[2] = {message->heads[head], message->tail};

	platform_mac_parts(rules->hash, key->bytes, key->length, parts, 2, mac);
}

PlatformBytes
platform_signature_whole(const Message *message)
{
	PlatformBytes whole;
	uint8	   *data;

	whole.length = message->heads[0].length + message->tail.length;
	data = palloc_extended(Max(whole.length, 1), MCXT_ALLOC_HUGE);
	memcpy(data, message->heads[0].data, message->heads[0].length);
	if (message->tail.length > 0)
		memcpy(data + message->heads[0].length, message->tail.data, message->tail.length);
	whole.data = data;
	return whole;
}

bool
platform_signature_find_scheme(const char *name, size_t length, PlatformSignatureScheme *scheme)
{
	for (int i = 0; i < PLATFORM_SIGNATURE_SCHEMES; i++)
	{
		const char *found = platform_signature_rules[i].name;

		if (strlen(found) == length && memcmp(found, name, length) == 0)
		{
			*scheme = (PlatformSignatureScheme) i;
			return true;
		}
	}
	return false;
}

const char *
platform_signature_scheme_name(PlatformSignatureScheme scheme)
{
	return platform_signature_rules[scheme].name;
}

const PlatformSignatureHeaders *
platform_signature_headers(PlatformSignatureScheme scheme)
{
	return &platform_signature_rules[scheme].headers;
}
