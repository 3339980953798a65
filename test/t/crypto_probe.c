/*
 * crypto_probe.c
 *	  SQL functions over src/core/crypto.h and base64.h, for 022_crypto.pl.
 *
 * Compiled together with them: platform.so keeps its symbols to itself from
 * PostgreSQL 16 on.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/base64.h"
#include "core/crypto.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(probe_hash);
PG_FUNCTION_INFO_V1(probe_hmac);
PG_FUNCTION_INFO_V1(probe_equal);
PG_FUNCTION_INFO_V1(probe_random);
PG_FUNCTION_INFO_V1(probe_encode);
PG_FUNCTION_INFO_V1(probe_decode);

static Datum
make_bytea(const void *data, int length)
{
	bytea	   *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), data, length);
	return PointerGetDatum(result);
}

/* probe_hash(hash integer, data bytea) returns bytea */
Datum
probe_hash(PG_FUNCTION_ARGS)
{
	PlatformHash hash = (PlatformHash) PG_GETARG_INT32(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);
	uint8		digest[PLATFORM_HASH_MAX_SIZE];

	platform_hash(hash, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), digest);
	return make_bytea(digest, platform_hash_size(hash));
}

/* probe_hmac(hash integer, key bytea, data bytea) returns bytea */
Datum
probe_hmac(PG_FUNCTION_ARGS)
{
	PlatformHash hash = (PlatformHash) PG_GETARG_INT32(0);
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	bytea	   *data = PG_GETARG_BYTEA_PP(2);
	uint8		mac[PLATFORM_HASH_MAX_SIZE];

	platform_mac(hash, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
				  VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), mac);
	return make_bytea(mac, platform_hash_size(hash));
}

/* probe_equal(a bytea, b bytea) returns boolean: of a's length */
Datum
probe_equal(PG_FUNCTION_ARGS)
{
	bytea	   *a = PG_GETARG_BYTEA_PP(0);
	bytea	   *b = PG_GETARG_BYTEA_PP(1);

	PG_RETURN_BOOL(platform_bytes_equal(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)));
}

/* probe_random(length integer) returns bytea: wiped when negative */
Datum
probe_random(PG_FUNCTION_ARGS)
{
	int32		length = PG_GETARG_INT32(0);
	uint8	   *bytes = palloc(Max(abs(length), 1));

	platform_random_bytes(bytes, abs(length));
	if (length < 0)
		platform_wipe(bytes, -length);
	return make_bytea(bytes, abs(length));
}

/* probe_encode(data bytea) returns text */
Datum
probe_encode(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	int			length = VARSIZE_ANY_EXHDR(data);
	char	   *text = palloc(PLATFORM_BASE64URL_ENCODED(length));

	if (platform_base64url_encode((uint8 *) VARDATA_ANY(data), length, text) != (int) strlen(text))
		elog(ERROR, "length differs");
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

/* probe_decode(encoded text) returns bytea: NULL when it is malformed */
Datum
probe_decode(PG_FUNCTION_ARGS)
{
	text	   *encoded = PG_GETARG_TEXT_PP(0);
	int			length = VARSIZE_ANY_EXHDR(encoded);
	uint8	   *bytes = palloc(PLATFORM_BASE64URL_DECODED(length));

	length = platform_base64url_decode(VARDATA_ANY(encoded), length, bytes);
	if (length < 0)
		PG_RETURN_NULL();
	return make_bytea(bytes, length);
}
