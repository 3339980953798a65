/*
 * secret.c
 *	  Encrypting and decrypting secrets: envelopes.
 */
#include "core/platform.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/data_key.h"
#include "core/data_key_count.h"
#include "core/nonce.h"
#include "core/secret.h"

#define ENVELOPE_FORMAT		1
#define HEADER_SIZE			6

typedef enum Suite
{
	SUITE_GCM = 1,
	SUITE_XAES = 2
} Suite;

static const struct config_enum_entry suites[] = {
	{"xaes-256-gcm", SUITE_XAES, false},
	{"aes-256-gcm", SUITE_GCM, false},
	{NULL, 0, false}
};

static int	suite_in_use = SUITE_XAES;

static int
nonce_size(int suite)
{
	return suite == SUITE_XAES ? PLATFORM_XAES_NONCE_SIZE : PLATFORM_GCM_NONCE_SIZE;
}

/* The number of a key in an envelope. */
static int32
header_key_id(const uint8 *header)
{
	return (int32) ((uint32) header[2] << 24 | header[3] << 16 | header[4] << 8 | header[5]);
}

/* The header comes first; its place is left free. False when a part is too long. */
static bool
place_aad(const PlatformSecretPlace *place, PlatformAadBuffer *aad)
{
	const char *pointer = place->pointer == NULL ? "" : place->pointer;
	size_t		pointer_length = strlen(pointer);
	size_t		purpose_length = strlen(place->purpose);

	if (purpose_length < 1 || purpose_length > PLATFORM_PURPOSE_MAX ||
		pointer_length > PLATFORM_POINTER_MAX)
		return false;
	aad->length = HEADER_SIZE;
	platform_aad_append_part(aad, PLATFORM_AAD_LABEL, strlen(PLATFORM_AAD_LABEL));
	platform_aad_append_part(aad, place->purpose, purpose_length);
	platform_aad_append_part(aad, place->organization->data, UUID_LEN);
	platform_aad_append_part(aad, place->row->data, UUID_LEN);
	platform_aad_append_part(aad, pointer, pointer_length);
	return true;
}

/* ---- envelopes ---- */

#define LEAST_SIZE	(HEADER_SIZE + PLATFORM_GCM_NONCE_SIZE + PLATFORM_AEAD_TAG_SIZE)

/* Reads the first bytes of the text form; false when it is none of ours. */
static bool
read_header(const char *text, size_t length, uint8 *header)
{
	return length >= (LEAST_SIZE * 4 + 2) / 3 &&
		platform_base64url_decode(text, HEADER_SIZE / 3 * 4, header) == HEADER_SIZE &&
		header[0] != 0 && header[1] != 0;
}

/* Memory for the bytes of an envelope; most are short. */
typedef struct EnvelopeBuffer
{
	uint8	   *bytes;
	uint8		small[1024];
} EnvelopeBuffer;

static uint8 *
allocate_envelope(EnvelopeBuffer *buffer, size_t size)
{
	buffer->bytes = size <= sizeof(buffer->small) ? buffer->small : palloc(size);
	return buffer->bytes;
}

static void
free_envelope(EnvelopeBuffer *buffer)
{
	if (buffer->bytes != buffer->small)
		pfree(buffer->bytes);
}

/*
 * Decodes the whole envelope; -1 when it is none. The buffer is to be freed. For
 * a long text that is something else nothing is allocated.
 */
static int
read_envelope(const char *text, size_t length, EnvelopeBuffer *buffer)
{
	size_t		size = PLATFORM_BASE64URL_DECODED(length);
	uint8		header[HEADER_SIZE];

	buffer->bytes = buffer->small;
	if (size > sizeof(buffer->small) && !read_header(text, length, header))
		return -1;
	return platform_base64url_decode(text, length, allocate_envelope(buffer, size));
}

/* Why the bytes are no envelope that can be read, or KEY_OK. */
static PlatformKeyReason
envelope_fault(const uint8 *envelope, int size)
{
	if (size < LEAST_SIZE || envelope[0] == 0 || envelope[1] == 0)
		return KEY_MALFORMED;
	if (envelope[0] != ENVELOPE_FORMAT ||
		(envelope[1] != SUITE_GCM && envelope[1] != SUITE_XAES))
		return KEY_UNSUPPORTED;
	if (size < HEADER_SIZE + nonce_size(envelope[1]) + PLATFORM_AEAD_TAG_SIZE)
		return KEY_MALFORMED;
	return KEY_OK;
}

bool
platform_secret_is_envelope(const char *text, size_t length)
{
	EnvelopeBuffer buffer;
	int			size = read_envelope(text, length, &buffer);
	bool		valid = envelope_fault(buffer.bytes, size) == KEY_OK &&
		header_key_id(buffer.bytes) > 0;

	free_envelope(&buffer);
	return valid;
}

int32
platform_secret_key_id(const char *text, size_t length)
{
	uint8		header[HEADER_SIZE];

	return platform_secret_is_envelope(text, length) && read_header(text, length, header) ?
		header_key_id(header) : 0;
}

bool
platform_secret_is_current(const PlatformSecretPlace *place, const char *text, size_t length)
{
	PlatformKeyFault fault;
	const PlatformDataKey *key;
	uint8		header[HEADER_SIZE];

	if (!platform_secret_is_envelope(text, length) || !read_header(text, length, header))
		return false;
	key = platform_data_key_existing(place->organization, place->purpose, DATA_KEY_SECRET, &fault);
	if (key == NULL && fault.reason != KEY_UNKNOWN)
		platform_key_fault_raise(&fault);
	return key != NULL && key->id == header_key_id(header) && header[1] == suite_in_use;
}

/* ---- encrypting ---- */

text *
platform_secret_encrypt(const PlatformSecretPlace *place, const void *plain, size_t length)
{
	int			suite = suite_in_use;
	size_t		nonce_length = nonce_size(suite);
	size_t		size = HEADER_SIZE + nonce_length + length + PLATFORM_AEAD_TAG_SIZE;
	EnvelopeBuffer buffer;
	uint8	   *envelope;
	uint8	   *nonce;
	uint8	   *sealed;
	const PlatformDataKey *key;
	PlatformAadBuffer aad;
	text	   *result;

	if (size > MaxAllocSize / 4 * 3 - 16)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("secret is too long")));
	if (!place_aad(place, &aad))
	{
		platform_require_purpose(place->purpose);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pointer of a secret cannot have more than %d bytes", PLATFORM_POINTER_MAX)));
	}
	result = palloc(VARHDRSZ + PLATFORM_BASE64URL_ENCODED(size));
	envelope = allocate_envelope(&buffer, size);

	key = platform_data_key_active(place->organization, place->purpose, DATA_KEY_SECRET);
	if (suite == SUITE_GCM)
	{
		platform_data_key_count(place->organization, key->id);
		/* counting may have looked at tables, and so emptied the cache */
		key = platform_data_key_active(place->organization, place->purpose, DATA_KEY_SECRET);
	}
	envelope[0] = ENVELOPE_FORMAT;
	envelope[1] = (uint8) suite;
	envelope[2] = (uint8) (key->id >> 24);
	envelope[3] = (uint8) (key->id >> 16);
	envelope[4] = (uint8) (key->id >> 8);
	envelope[5] = (uint8) key->id;
	memcpy(aad.bytes, envelope, HEADER_SIZE);
	nonce = envelope + HEADER_SIZE;
	sealed = nonce + nonce_length;
	if (suite == SUITE_XAES)
	{
		platform_draw_long_nonce(key->id, nonce);
		platform_xaes_seal(key->bytes, key->mask, nonce, platform_aad(&aad), plain, length, sealed);
	}
	else
	{
		platform_draw_nonce(nonce, nonce_length);
		platform_gcm_seal(key->bytes, nonce, platform_aad(&aad), plain, length, sealed);
	}

	SET_VARSIZE(result, VARHDRSZ + platform_base64url_encode(envelope, size, VARDATA(result)));
	free_envelope(&buffer);
	return result;
}

/* ---- decrypting ---- */

/*
 * Opens an envelope into a chunk of memory with room before the plaintext and a
 * zero after it. NULL with the fault.
 */
static char *
open_envelope(const PlatformSecretPlace *place, const char *text, size_t length,
			  size_t room, size_t *plain_length, PlatformKeyFault *fault)
{
	EnvelopeBuffer buffer;
	int			size = read_envelope(text, length, &buffer);
	const uint8 *envelope = buffer.bytes;
	PlatformKeyReason reason = envelope_fault(envelope, size);
	const PlatformDataKey *key;
	const uint8 *nonce;
	const uint8 *sealed;
	PlatformAadBuffer aad;
	uint8	   *plain;
	char	   *chunk;

	if (reason != KEY_OK)
	{
		platform_key_fault(fault, reason, reason == KEY_MALFORMED ?
						   "value is not an encrypted secret" :
						   "format of the encrypted secret is not supported", NULL, NULL);
		return NULL;
	}
	if (!place_aad(place, &aad))
	{
		platform_key_fault(fault, KEY_MALFORMED, "no secret can be in that place",
						   "Its purpose or its pointer is too long.", NULL);
		return NULL;
	}
	memcpy(aad.bytes, envelope, HEADER_SIZE);
	key = platform_data_key_find(place->organization, place->purpose, DATA_KEY_SECRET,
								 header_key_id(envelope), fault);
	if (key == NULL)
		return NULL;

	nonce = envelope + HEADER_SIZE;
	sealed = nonce + nonce_size(envelope[1]);
	size -= (int) (sealed - envelope);
	*plain_length = size - PLATFORM_AEAD_TAG_SIZE;
	chunk = palloc(room + *plain_length + 1);
	plain = (uint8 *) chunk + room;
	plain[*plain_length] = '\0';
	if (envelope[1] == SUITE_XAES ?
		platform_xaes_open(key->bytes, key->mask, nonce, platform_aad(&aad), sealed, size, plain) :
		platform_gcm_open(key->bytes, nonce, platform_aad(&aad), sealed, size, plain))
		fault->reason = KEY_OK;
	else
	{
		pfree(chunk);
		chunk = NULL;
		platform_key_fault(fault, KEY_NOT_AUTHENTIC, "secret cannot be decrypted",
						   "It was changed, or it belongs to another place or key.", NULL);
	}
	free_envelope(&buffer);
	return chunk;
}

bool
platform_secret_try_decrypt(const PlatformSecretPlace *place, const char *text, size_t length,
							PlatformPlaintext *plain, PlatformKeyFault *fault)
{
	plain->length = 0;
	plain->bytes = open_envelope(place, text, length, 0, &plain->length, fault);
	return plain->bytes != NULL;
}

PlatformPlaintext
platform_secret_decrypt(const PlatformSecretPlace *place, const char *text, size_t length)
{
	PlatformPlaintext plain;
	PlatformKeyFault fault;

	if (!platform_secret_try_decrypt(place, text, length, &plain, &fault))
		platform_key_fault_raise(&fault);
	return plain;
}

void
platform_secret_wipe(PlatformPlaintext *plain)
{
	if (plain->bytes != NULL)
	{
		platform_wipe(plain->bytes, plain->length);
		pfree(plain->bytes);
	}
	plain->bytes = NULL;
	plain->length = 0;
}

text *
platform_secret_reencrypt(const PlatformSecretPlace *place, const char *envelope, size_t length)
{
	PlatformPlaintext plain;
	text	   *result;

	if (platform_secret_is_current(place, envelope, length))
		return NULL;
	plain = platform_secret_decrypt(place, envelope, length);
	result = platform_secret_encrypt(place, plain.bytes, plain.length);
	platform_secret_wipe(&plain);
	return result;
}

/* ---- text ---- */

/* Converts without an error that would print bytes; NULL when it is not possible. */
static char *
convert(const char *bytes, size_t length, int from, int to, size_t *result_length)
{
	Oid			function = FindDefaultConversionProc(from, to);
	size_t		size = length * MAX_CONVERSION_GROWTH + 1;
	char	   *result;

	if (!OidIsValid(function) || size > MaxAllocSize)
		return NULL;
	result = palloc(size);
	if (pg_do_encoding_conversion_buf(function, from, to, (unsigned char *) bytes, (int) length,
									  (unsigned char *) result, (int) size, true) != (int) length)
	{
		platform_wipe(result, size);
		pfree(result);
		return NULL;
	}
	*result_length = strlen(result);
	return result;
}

static bool
encoding_is_utf8(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
}

PlatformPlaintext
platform_secret_from_text(const text *plain)
{
	const char *bytes = VARDATA_ANY(plain);
	size_t		length = VARSIZE_ANY_EXHDR(plain);
	PlatformPlaintext result = {NULL, length};

	if (!encoding_is_utf8() && length > 0)
		result.bytes = convert(bytes, length, GetDatabaseEncoding(), PG_UTF8, &result.length);
	else
	{
		result.bytes = palloc(length + 1);
		memcpy(result.bytes, bytes, length);
		result.bytes[length] = '\0';
	}
	if (result.bytes == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("secret has characters that cannot be converted to UTF8")));
	return result;
}

text *
platform_secret_encrypt_text(const PlatformSecretPlace *place, const text *plain)
{
	PlatformPlaintext converted;
	text	   *result;

	if (encoding_is_utf8())
		return platform_secret_encrypt(place, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	converted = platform_secret_from_text(plain);
	result = platform_secret_encrypt(place, converted.bytes, converted.length);
	platform_secret_wipe(&converted);
	return result;
}

bool
platform_secret_to_text(PlatformPlaintext *plain, text **result)
{
	char	   *bytes = plain->bytes;
	size_t		length = plain->length;
	bool		valid = pg_verify_mbstr(encoding_is_utf8() ? GetDatabaseEncoding() : PG_UTF8,
										bytes, (int) length, true);

	if (valid && !encoding_is_utf8() && length > 0)
		bytes = convert(bytes, length, PG_UTF8, GetDatabaseEncoding(), &length);
	valid = valid && bytes != NULL;
	if (valid)
		*result = cstring_to_text_with_len(bytes, (int) length);
	if (bytes != NULL && bytes != plain->bytes)
	{
		platform_wipe(bytes, length);
		pfree(bytes);
	}
	platform_secret_wipe(plain);
	return valid;
}

text *
platform_secret_try_decrypt_text(const PlatformSecretPlace *place,
								 const char *envelope, size_t length, PlatformKeyFault *fault)
{
	PlatformPlaintext plain;
	size_t		size;
	char	   *chunk;
	text	   *result = NULL;

	if (encoding_is_utf8())
	{
		/* without a copy: the room before it is the text's header */
		chunk = open_envelope(place, envelope, length, VARHDRSZ, &size, fault);
		if (chunk == NULL)
			return NULL;
		SET_VARSIZE(chunk, VARHDRSZ + size);
		if (pg_verify_mbstr(GetDatabaseEncoding(), VARDATA(chunk), (int) size, true))
			return (text *) chunk;
		platform_wipe(VARDATA(chunk), size);
	}
	else if (!platform_secret_try_decrypt(place, envelope, length, &plain, fault))
		return NULL;
	else if (platform_secret_to_text(&plain, &result))
		return result;
	platform_key_fault(fault, KEY_BAD_ENCODING,
					   "secret is not a text of this database's encoding", NULL, NULL);
	return NULL;
}

void
platform_secret_init(void)
{
	DefineCustomEnumVariable("platform.secret_suite",
							 "How secrets are encrypted from now on.",
							 "What was encrypted otherwise stays readable.",
							 &suite_in_use, SUITE_XAES, suites, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	platform_data_key_count_init();
}
