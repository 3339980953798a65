/*
 * cipher_probe.c
 *	  SQL functions over src/core/crypto_aead.h, crypto_kdf.h and nonce.h, for
 *	  023_ciphers.pl. Compiled together with them, as crypto_probe.c is.
 */
#include "core/platform.h"

#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/crypto_kdf.h"
#include "core/nonce.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(probe_hkdf);
PG_FUNCTION_INFO_V1(probe_seal);
PG_FUNCTION_INFO_V1(probe_open);
PG_FUNCTION_INFO_V1(probe_xaes_many);
PG_FUNCTION_INFO_V1(probe_nonces);
PG_FUNCTION_INFO_V1(probe_long_nonces);
PG_FUNCTION_INFO_V1(probe_fork);

static Datum
make_bytea(const void *data, int length)
{
	bytea	   *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), data, length);
	return PointerGetDatum(result);
}

#define BYTES(n)	((uint8 *) VARDATA_ANY(PG_GETARG_BYTEA_PP(n)))
#define LENGTH(n)	((int) VARSIZE_ANY_EXHDR(PG_GETARG_BYTEA_PP(n)))

/* probe_hkdf(salt bytea, key bytea, info bytea, length integer) returns bytea: the key that is extracted, then the expanded one */
Datum
probe_hkdf(PG_FUNCTION_ARGS)
{
	int			length = PG_GETARG_INT32(3);
	uint8	   *result = palloc(PLATFORM_HKDF_PRK_SIZE + length);

	platform_hkdf_extract(BYTES(0), LENGTH(0), BYTES(1), LENGTH(1), result);
	platform_hkdf_expand(result, BYTES(2), LENGTH(2), result + PLATFORM_HKDF_PRK_SIZE, length);
	return make_bytea(result, PLATFORM_HKDF_PRK_SIZE + length);
}

/* probe_seal(key bytea, nonce bytea, aad bytea, plain bytea) returns bytea: the length of the nonce tells the cipher */
Datum
probe_seal(PG_FUNCTION_ARGS)
{
	PlatformAad aad = {BYTES(2), LENGTH(2)};
	int			length = LENGTH(3);
	uint8	   *sealed = palloc(length + PLATFORM_AEAD_TAG_SIZE);
	uint8		mask[PLATFORM_XAES_MASK_SIZE];

	if (LENGTH(1) == PLATFORM_XAES_NONCE_SIZE)
	{
		platform_xaes_mask(BYTES(0), mask);
		platform_xaes_seal(BYTES(0), mask, BYTES(1), aad, BYTES(3), length, sealed);
	}
	else
		platform_gcm_seal(BYTES(0), BYTES(1), aad, BYTES(3), length, sealed);
	return make_bytea(sealed, length + PLATFORM_AEAD_TAG_SIZE);
}

/* probe_open(key bytea, nonce bytea, aad bytea, sealed bytea) returns bytea: NULL when it is not authentic */
Datum
probe_open(PG_FUNCTION_ARGS)
{
	PlatformAad aad = {BYTES(2), LENGTH(2)};
	int			length = LENGTH(3);
	uint8	   *plain = palloc0(length + 1);
	uint8		mask[PLATFORM_XAES_MASK_SIZE];
	bool		authentic;

	memset(plain, 0xff, length + 1);
	if (LENGTH(1) == PLATFORM_XAES_NONCE_SIZE)
	{
		platform_xaes_mask(BYTES(0), mask);
		authentic = platform_xaes_open(BYTES(0), mask, BYTES(1), aad, BYTES(3), length, plain);
	}
	else
		authentic = platform_gcm_open(BYTES(0), BYTES(1), aad, BYTES(3), length, plain);
	if (authentic)
		return make_bytea(plain, length - PLATFORM_AEAD_TAG_SIZE);
	for (int i = 0; i < length - PLATFORM_AEAD_TAG_SIZE; i++)
		if (plain[i] != 0)
			elog(ERROR, "something of the plaintext is left");
	PG_RETURN_NULL();
}

/*
 * probe_xaes_many(count integer) returns bytea: the accumulated test of the
 * specification. Keys, nonces, lengths and texts come from SHAKE128 of nothing;
 * the answer is SHAKE128 of all ciphertexts.
 */
Datum
probe_xaes_many(PG_FUNCTION_ARGS)
{
	int			count = PG_GETARG_INT32(0);
	size_t		size = (size_t) count * (32 + 24 + 2 + 510);
	uint8	   *input = palloc_extended(size, MCXT_ALLOC_HUGE);
	uint8	   *next = input;
	uint8		sealed[255 + PLATFORM_AEAD_TAG_SIZE];
	uint8		answer[32];
	EVP_MD_CTX *shake = EVP_MD_CTX_new();

	EVP_DigestInit_ex(shake, EVP_shake128(), NULL);
	EVP_DigestFinalXOF(shake, input, size);
	EVP_DigestInit_ex(shake, EVP_shake128(), NULL);
	for (int i = 0; i < count; i++)
	{
		uint8	   *key = next;
		uint8	   *nonce = key + 32;
		uint8	   *plain = nonce + 24 + 1;
		int			length = plain[-1];
		PlatformAad aad = {plain + length + 1, plain[length]};
		uint8		mask[PLATFORM_XAES_MASK_SIZE];

		platform_xaes_mask(key, mask);
		platform_xaes_seal(key, mask, nonce, aad, plain, length, sealed);
		EVP_DigestUpdate(shake, sealed, length + PLATFORM_AEAD_TAG_SIZE);
		next = plain + length + 1 + aad.length;
	}
	EVP_DigestFinalXOF(shake, answer, sizeof(answer));
	EVP_MD_CTX_free(shake);
	return make_bytea(answer, sizeof(answer));
}

/* probe_nonces(count integer) returns bytea: so many nonces of 24 bytes */
Datum
probe_nonces(PG_FUNCTION_ARGS)
{
	int			count = PG_GETARG_INT32(0);
	uint8	   *nonces = palloc(count * 24);

	for (int i = 0; i < count; i++)
		platform_draw_nonce(nonces + i * 24, 24);
	return make_bytea(nonces, count * 24);
}

/* For the key of that number, or of no key in particular for 0. */
static void
draw(int number, uint8 *nonce)
{
	if (number == 0)
		platform_draw_nonce(nonce, 24);
	else
		platform_draw_long_nonce(number, nonce);
}

/* probe_long_nonces(count integer, keys integer) returns bytea: nonces for so many keys in turn */
Datum
probe_long_nonces(PG_FUNCTION_ARGS)
{
	int			count = PG_GETARG_INT32(0);
	int			keys = PG_GETARG_INT32(1);
	uint8	   *nonces = palloc(count * 24);

	for (int i = 0; i < count; i++)
		draw(1 + i % keys, nonces + i * 24);
	return make_bytea(nonces, count * 24);
}

/*
 * probe_fork(count integer, number integer) returns bytea: the nonces that a clone
 * of this process draws, then those of the process itself
 */
Datum
probe_fork(PG_FUNCTION_ARGS)
{
	int			size = PG_GETARG_INT32(0) * 24;
	int			number = PG_GETARG_INT32(1);
	uint8	   *nonces = palloc(2 * size);
	int			ends[2];
	pid_t		child;

	draw(number, nonces);
	if (pipe(ends) != 0 || (child = fork()) < 0)
		elog(ERROR, "no child");
	if (child == 0)
	{
		for (int i = 0; i < size; i += 24)
			draw(number, nonces + i);
		_exit(write(ends[1], nonces, size) == size ? 0 : 1);
	}
	if (read(ends[0], nonces, size) != size)
		elog(ERROR, "the child says nothing");
	close(ends[0]);
	close(ends[1]);
	waitpid(child, NULL, 0);
	for (int i = 0; i < size; i += 24)
		draw(number, nonces + size + i);
	return make_bytea(nonces, 2 * size);
}
