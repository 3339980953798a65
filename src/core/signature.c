/*
 * signature.c
 *	  Signed webhooks: the schemes of the providers, both ways.
 *
 * A check has four steps: what is missing; what the header claims (signatures
 * decoded to bytes, the signed time); whether that time is near the clock; and
 * whether a secret makes one of the signatures.  In the last step every secret is
 * tried with every signature and, for Twilio, every spelling of the URL, whatever
 * has matched before, and digests of fixed length are compared in constant time:
 * how long it takes tells nothing about the secrets.
 *
 * Standard Webhooks: https://www.standardwebhooks.com, specification 1.0.0.  The
 * id must not contain a full stop: then id.time.body can be cut in one way only,
 * and the beginning of a body cannot be passed off as the time.
 */
#include "core/platform.h"

#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/signature_scheme.h"

static const char *const reasons[] = {
	[SIGNATURE_VALID] = "VALID",
	[SIGNATURE_NO_SECRET] = "NO_SECRET",
	[SIGNATURE_BAD_SECRET] = "BAD_SECRET",
	[SIGNATURE_MISSING_ID] = "MISSING_ID",
	[SIGNATURE_MISSING_TIMESTAMP] = "MISSING_TIMESTAMP",
	[SIGNATURE_MISSING_SIGNATURE] = "MISSING_SIGNATURE",
	[SIGNATURE_MISSING_URL] = "MISSING_URL",
	[SIGNATURE_MISSING_BODY] = "MISSING_BODY",
	[SIGNATURE_MALFORMED_ID] = "MALFORMED_ID",
	[SIGNATURE_MALFORMED_TIMESTAMP] = "MALFORMED_TIMESTAMP",
	[SIGNATURE_MALFORMED_SIGNATURE] = "MALFORMED_SIGNATURE",
	[SIGNATURE_MALFORMED_URL] = "MALFORMED_URL",
	[SIGNATURE_MALFORMED_BODY] = "MALFORMED_BODY",
	[SIGNATURE_TOO_OLD] = "TOO_OLD",
	[SIGNATURE_TOO_NEW] = "TOO_NEW",
	[SIGNATURE_MISMATCH] = "BAD_SIGNATURE",
	[SIGNATURE_BODY_MISMATCH] = "BODY_MISMATCH",
	[SIGNATURE_UNKNOWN_SCHEME] = "UNKNOWN_SCHEME",
};

/* What the header says. */
typedef struct Claim
{
	PlatformBytes time;			/* digits */
	int			count;
	struct
	{
		int			size;
		uint8		bytes[ED25519_SIGNATURE_BYTES];
	}			signatures[PLATFORM_SIGNATURE_MAX];
} Claim;

/*
 * Takes the text before the next separator, or all, off the front of *rest;
 * false when nothing was left.  rest->data is NULL afterwards at the end.
 */
static bool
next_item(PlatformBytes *rest, char separator, PlatformBytes *item)
{
	const uint8 *end;

	if (rest->data == NULL)
		return false;
	*item = *rest;
	end = memchr(rest->data, separator, rest->length);
	if (end == NULL)
		rest->data = NULL;
	else
	{
		item->length = end - rest->data;
		rest->data = end + 1;
		rest->length -= item->length + 1;
	}
	return true;
}

/* ---- the header ---- */

/* Adds a signature in base64 or hex when it has the right size; false when there are too many. */
static bool
claim_signature(Claim *claim, const PlatformBytes *text, int size, bool is_hex)
{
	uint8		bytes[PLATFORM_BASE64_DECODED(88)];
	bool		decoded;

	if (text->length != (is_hex ? 2 * size : (size + 2) / 3 * 4))
		return true;
	if (is_hex)
		decoded = platform_hex_decode((const char *) text->data, text->length, bytes, size);
	else
		decoded = platform_base64_decode((const char *) text->data, text->length, bytes) == size;
	if (!decoded)
		return true;
	if (claim->count == PLATFORM_SIGNATURE_MAX)
		return false;
	claim->signatures[claim->count].size = size;
	memcpy(claim->signatures[claim->count].bytes, bytes, size);
	claim->count++;
	return true;
}

/* "v1,<base64> v1a,<base64> ...": other versions are none of ours. */
static bool
read_standard_header(PlatformBytes header, Claim *claim)
{
	PlatformBytes item;

	while (next_item(&header, ' ', &item))
	{
		int			size = 0;

		if (starts_with(&item, "v1,", 3))
			size = 32;
		else if (starts_with(&item, "v1a,", 4))
			size = 64;
		if (size > 0)
		{
			PlatformBytes text = {item.data + (size == 32 ? 3 : 4), item.length - (size == 32 ? 3 : 4)};

			if (!claim_signature(claim, &text, size, false))
				return false;
		}
	}
	return true;
}

/* "t=<seconds>,v1=<hex>,v1=<hex>,...", and for Retell "v=<milliseconds>,d=<hex>". */
static bool
read_pairs_header(PlatformBytes header, const char *time_name, const char *signature_name,
				  Claim *claim)
{
	size_t		time_length = strlen(time_name);
	size_t		signature_length = strlen(signature_name);
	PlatformBytes item;

	while (next_item(&header, ',', &item))
	{
		if (starts_with(&item, time_name, time_length))
		{
			if (claim->time.data != NULL)
				return false;
			claim->time.data = item.data + time_length;
			claim->time.length = item.length - time_length;
		}
		else if (starts_with(&item, signature_name, signature_length))
		{
			PlatformBytes text = {item.data + signature_length, item.length - signature_length};

			if (!claim_signature(claim, &text, 32, true))
				return false;
		}
	}
	return claim->time.data != NULL;
}

/* One signature after a prefix. */
static bool
read_plain_header(const PlatformBytes *header, const char *prefix, int size, bool is_hex,
				  Claim *claim)
{
	size_t		prefix_length = strlen(prefix);
	PlatformBytes text = {header->data + prefix_length, header->length - prefix_length};

	return starts_with(header, prefix, prefix_length) &&
		claim_signature(claim, &text, size, is_hex);
}

static bool
read_header(PlatformSignatureScheme scheme, const PlatformSignedRequest *request, Claim *claim)
{
	bool		well_formed = false;

	claim->count = 0;
	claim->time = request->timestamp;
	switch (scheme)
	{
		case SIGNATURE_STANDARD:
		case SIGNATURE_SVIX:
			well_formed = read_standard_header(request->signature, claim);
			break;
		case SIGNATURE_STRIPE:
		case SIGNATURE_RETELL:
			claim->time.data = NULL;
			well_formed = scheme == SIGNATURE_STRIPE ?
				read_pairs_header(request->signature, "t=", "v1=", claim) :
				read_pairs_header(request->signature, "v=", "d=", claim);
			break;
		case SIGNATURE_TWILIO:
			well_formed = read_plain_header(&request->signature, "", 20, false, claim);
			break;
		case SIGNATURE_META:
		case SIGNATURE_GITHUB:
			well_formed = read_plain_header(&request->signature, "sha256=", 32, true, claim);
			break;
		case SIGNATURE_SLACK:
			well_formed = read_plain_header(&request->signature, "v0=", 32, true, claim);
			break;
	}
	return well_formed && claim->count > 0;
}

/* ---- the time ---- */

/* Digits and nothing else. */
static bool
read_time(const PlatformBytes *text, int64 *time)
{
	*time = 0;
	if (is_missing(text) || text->length > TIME_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text->length; i++)
	{
		if (text->data[i] < '0' || text->data[i] > '9')
			return false;
		*time = *time * 10 + (text->data[i] - '0');
	}
	return true;
}

static PlatformSignatureVerdict
judge_time(const PlatformBytes *text, int units, TimestampTz now)
{
	int64		tolerance = (int64) PLATFORM_SIGNATURE_TOLERANCE * units;
	int64		clock = platform_signature_unix_time(now, units);
	int64		time;

	if (!read_time(text, &time))
		return SIGNATURE_MALFORMED_TIMESTAMP;
	if (clock - time > tolerance)
		return SIGNATURE_TOO_OLD;
	if (time - clock > tolerance)
		return SIGNATURE_TOO_NEW;
	return SIGNATURE_VALID;
}

/* ---- checking ---- */

/* Does the key make one of the signatures? */
static bool
mac_matches(const SchemeRules *rules, const SigningKey *key, const Message *message,
			const Claim *claim)
{
	int			size = platform_hash_size(rules->hash);
	uint8		mac[PLATFORM_HASH_MAX_SIZE];
	bool		matches = false;

	for (int head = 0; head < message->nheads; head++)
	{
		platform_signature_mac(rules, key, message, head, mac);
		for (int i = 0; i < claim->count; i++)
			if (claim->signatures[i].size == size)
				matches |= platform_bytes_equal(claim->signatures[i].bytes, mac, size);
	}
	return matches;
}

/* The same for Ed25519; *usable is false when the library refuses the key. */
static bool
public_key_matches(const SigningKey *key, const Message *message, const Claim *claim,
				   bool *usable)
{
	uint8		derived[ED25519_KEY_BYTES];
	PlatformPublicKey *public_key;
	PlatformBytes whole;
	bool		matches = false;

	if (key->kind == KEY_PRIVATE)
		platform_ed25519_public(key->bytes, derived);
	public_key = platform_ed25519_key(key->kind == KEY_PRIVATE ? derived : key->bytes);
	*usable = public_key != NULL;
	if (public_key == NULL)
		return false;
	whole = platform_signature_whole(message);
	for (int i = 0; i < claim->count; i++)
		if (claim->signatures[i].size == ED25519_SIGNATURE_BYTES)
			matches |= platform_signature_matches(public_key, whole.data, whole.length,
												  claim->signatures[i].bytes,
												  ED25519_SIGNATURE_BYTES);
	pfree(unconstify(uint8 *, whole.data));
	return matches;
}

static PlatformSignatureVerdict
try_secrets(const SchemeRules *rules, const Message *message, const Claim *claim,
			const PlatformBytes *secrets, int nsecrets, int *matched)
{
	bool		any_usable = false;

	for (int i = 0; i < nsecrets; i++)
	{
		SigningKey	key;
		bool		usable = platform_signature_read_key(rules, &secrets[i], &key);
		bool		matches = false;

		if (usable && key.kind == KEY_HMAC)
			matches = mac_matches(rules, &key, message, claim);
		else if (usable)
			matches = public_key_matches(&key, message, claim, &usable);
		platform_signature_forget_key(&key);
		any_usable |= usable;
		if (matches && *matched < 0)
			*matched = i;
	}
	if (*matched >= 0)
		return SIGNATURE_VALID;
	return any_usable ? SIGNATURE_MISMATCH : SIGNATURE_BAD_SECRET;
}

/* The first thing that a check needs and has not. */
static PlatformSignatureVerdict
find_missing(const SchemeRules *rules, const PlatformSignedRequest *request,
			 const PlatformBytes *secrets, int nsecrets)
{
	bool		any_secret = false;

	for (int i = 0; i < nsecrets; i++)
		any_secret |= !is_missing(&secrets[i]);
	if (!any_secret)
		return SIGNATURE_NO_SECRET;
	if (rules->headers.id != NULL && is_missing(&request->id))
		return SIGNATURE_MISSING_ID;
	if (rules->headers.timestamp != NULL && is_missing(&request->timestamp))
		return SIGNATURE_MISSING_TIMESTAMP;
	if (is_missing(&request->signature))
		return SIGNATURE_MISSING_SIGNATURE;
	if (rules->has_url && is_missing(&request->url))
		return SIGNATURE_MISSING_URL;
	if (request->body.data == NULL)
		return SIGNATURE_MISSING_BODY;
	return SIGNATURE_VALID;
}

/* Twilio's JSON bodies are signed by their hash, which stands in the URL. */
static bool
body_fits_url(const PlatformSignedRequest *request)
{
	PlatformBytes text;
	uint8		claimed[32];
	uint8		actual[32];

	if (!platform_twilio_body_hash(&request->url, &text))
		return true;
	platform_hash(PLATFORM_SHA256, request->body.data, request->body.length, actual);
	return platform_hex_decode((const char *) text.data, text.length, claimed, sizeof(claimed)) &&
		platform_bytes_equal(claimed, actual, sizeof(actual));
}

PlatformSignatureVerdict
platform_signature_check(PlatformSignatureScheme scheme, const PlatformSignedRequest *request,
						 const PlatformBytes *secrets, int nsecrets,
						 TimestampTz now, int *matched)
{
	const SchemeRules *rules = &platform_signature_rules[scheme];
	PlatformSignatureVerdict verdict;
	Claim		claim;
	Message		message;

	*matched = -1;
	verdict = find_missing(rules, request, secrets, nsecrets);
	if (verdict != SIGNATURE_VALID)
		return verdict;
	if (rules->headers.id != NULL && !platform_signature_id_is_valid(&request->id))
		return SIGNATURE_MALFORMED_ID;
	if (!read_header(scheme, request, &claim))
		return SIGNATURE_MALFORMED_SIGNATURE;
	if (rules->units > 0)
		verdict = judge_time(&claim.time, rules->units, now);
	if (verdict != SIGNATURE_VALID)
		return verdict;
	verdict = platform_signature_message(scheme, request, &claim.time, &message);
	if (verdict != SIGNATURE_VALID)
		return verdict;

	verdict = try_secrets(rules, &message, &claim, secrets, nsecrets, matched);
	if (verdict == SIGNATURE_VALID && scheme == SIGNATURE_TWILIO && !body_fits_url(request))
	{
		*matched = -1;
		verdict = SIGNATURE_BODY_MISMATCH;
	}
	return verdict;
}

bool
platform_signature_token_matches(const PlatformBytes *token, const PlatformBytes *expected,
								 int count)
{
	uint8		given[32];
	uint8		known[32];
	bool		matches = false;

	if (is_missing(token))
		return false;
	platform_hash(PLATFORM_SHA256, token->data, token->length, given);
	for (int i = 0; i < count; i++)
	{
		if (is_missing(&expected[i]))
			continue;
		platform_hash(PLATFORM_SHA256, expected[i].data, expected[i].length, known);
		matches |= platform_bytes_equal(given, known, sizeof(known));
	}
	return matches;
}

const char *
platform_signature_reason(PlatformSignatureVerdict verdict)
{
	return reasons[verdict];
}
