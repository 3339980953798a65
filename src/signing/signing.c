/*
 * signing.c
 *	  HMAC, comparison in constant time, new secrets, base64url.
 *
 * Functions of their arguments alone: members may call them with keys of theirs.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/http_headers.h"
#include "signing/signing.h"

static const struct
{
	const char *name;
	PlatformHash hash;
}			algorithms[] = {
	{"sha256", PLATFORM_SHA256},
	{"sha1", PLATFORM_SHA1},
	{"sha384", PLATFORM_SHA384},
	{"sha512", PLATFORM_SHA512},
};

static PlatformHash
find_hash(const text *name)
{
	for (int i = 0; i < lengthof(algorithms); i++)
	{
		size_t		length = strlen(algorithms[i].name);

		if (VARSIZE_ANY_EXHDR(name) == length &&
			pg_strncasecmp(VARDATA_ANY(name), algorithms[i].name, length) == 0)
			return algorithms[i].hash;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("hash algorithm \"%s\" is not known", text_to_cstring(name)),
			 errhint("Known are sha1, sha256, sha384 and sha512.")));
}

PG_FUNCTION_INFO_V1(platform_hmac);

/*
 * platform.hmac(data bytea, key bytea, algorithm text DEFAULT 'sha256') returns bytea
 *
 * HMAC (RFC 2104) with sha1, sha256, sha384 or sha512, of any case.  NULL for
 * NULL.  Errors: 22023 for another algorithm or an empty key.
 */
Datum
platform_hmac(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	PlatformHash hash = find_hash(PG_GETARG_TEXT_PP(2));
	int			size = platform_hash_size(hash);
	bytea	   *mac;

	if (VARSIZE_ANY_EXHDR(key) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key cannot be empty")));
	mac = palloc(VARHDRSZ + size);
	SET_VARSIZE(mac, VARHDRSZ + size);
	platform_mac(hash, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
				 VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), (uint8 *) VARDATA(mac));
	PG_RETURN_BYTEA_P(mac);
}

PG_FUNCTION_INFO_V1(platform_constant_time_equal);

/*
 * platform.constant_time_equal(a bytea, b bytea) returns boolean
 *
 * Are they the same, in a time that tells only whether their lengths are?  False
 * when one is NULL; never NULL.
 */
Datum
platform_constant_time_equal(PG_FUNCTION_ARGS)
{
	PlatformBytes a = platform_bytea_argument(fcinfo, 0);
	PlatformBytes b = platform_bytea_argument(fcinfo, 1);

	PG_RETURN_BOOL(a.data != NULL && b.data != NULL && a.length == b.length &&
				   platform_bytes_equal(a.data, b.data, a.length));
}

PG_FUNCTION_INFO_V1(platform_generate_secret);

/*
 * platform.generate_secret(prefix text DEFAULT 'whsec_') returns text
 *
 * The prefix and 32 random bytes in base64: with whsec_ a secret for Standard
 * Webhooks, with whsk_ a private key of Ed25519.  No prefix for NULL.  Errors:
 * 22023 for a prefix of other than up to 32 letters, digits, hyphens and
 * underscores.
 */
Datum
platform_generate_secret(PG_FUNCTION_ARGS)
{
	char	   *prefix = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(platform_signature_new_secret(prefix)));
}

PG_FUNCTION_INFO_V1(platform_webhook_public_key);

/*
 * platform.webhook_public_key(private_key text) returns text
 *
 * The key whpk_... with which receivers verify what whsk_... signs (Standard
 * Webhooks, v1a).  NULL for NULL.  Errors: 22023 when it is no such key.
 */
Datum
platform_webhook_public_key(PG_FUNCTION_ARGS)
{
	PlatformBytes private_key = platform_utf8_argument(fcinfo, 0);
	char	   *public_key = platform_signature_public_key(&private_key);

	if (public_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("private key is not valid"),
				 errdetail("It must be \"whsk_\" and 32 bytes in base64.")));
	PG_RETURN_TEXT_P(cstring_to_text(public_key));
}

PG_FUNCTION_INFO_V1(platform_encode_base64url);

/*
 * platform.encode_base64url(data bytea) returns text
 *
 * base64url without padding (RFC 4648, section 5).  NULL for NULL.  Errors: 54000
 * when the text would be too long.
 */
Datum
platform_encode_base64url(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(data);
	text	   *result;

	if (PLATFORM_BASE64URL_ENCODED(length) > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("data is too long to be encoded")));
	result = palloc(VARHDRSZ + PLATFORM_BASE64URL_ENCODED(length));
	SET_VARSIZE(result, VARHDRSZ + platform_base64url_encode((const uint8 *) VARDATA_ANY(data), length,
															 VARDATA(result)));
	PG_RETURN_TEXT_P(result);
}

PG_FUNCTION_INFO_V1(platform_decode_base64url);

/*
 * platform.decode_base64url(value text) returns bytea
 *
 * The inverse, strict: no padding, white space or stray bits.  NULL for NULL.
 * Errors: 22023, which does not quote the text.
 */
Datum
platform_decode_base64url(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(value);
	bytea	   *result = palloc(VARHDRSZ + PLATFORM_BASE64URL_DECODED(length));
	int			size = platform_base64url_decode(VARDATA_ANY(value), length,
												 (uint8 *) VARDATA(result));

	if (size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text is not base64url"),
				 errdetail("It must have letters, digits, hyphens and underscores only, no padding, and a length that bytes can have.")));
	SET_VARSIZE(result, VARHDRSZ + size);
	PG_RETURN_BYTEA_P(result);
}
