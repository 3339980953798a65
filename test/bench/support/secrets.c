/*
 * secrets.c
 *	  What the benchmark of secrets subtracts, and the least that a secret can cost.
 *
 * Functions that return an argument, and the crypto library's own work for one
 * secret: 24 bytes of nonce, 110 of associated data, the text, the tag.
 *
 * Compiled by bench_c of ../lib.sh; no part of the extension.
 */
#include "postgres.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_empty_secret);
PG_FUNCTION_INFO_V1(bench_empty_cbc);
PG_FUNCTION_INFO_V1(bench_library);

/* bench_empty_secret(uuid, text, uuid, text, text) returns text: the fourth. */
Datum
bench_empty_secret(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(3));
}

/* bench_empty_cbc(bytea, bytea, bytea, text) returns bytea: the first. */
Datum
bench_empty_cbc(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* A kept context of the cipher, under some key. */
static EVP_CIPHER_CTX *
kept_context(const char *name, int encrypt)
{
	static const uint8 key[32] = {1};
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (EVP_CipherInit_ex2(context, EVP_CIPHER_fetch(NULL, name, NULL), key, NULL, encrypt, NULL) != 1)
		elog(ERROR, "no cipher");
	return context;
}

/*
 * bench_library(uuid, text, uuid, text, encrypt boolean, derived boolean) returns text:
 * the fourth, after encrypting 200 bytes of it (or decrypting them, which fails
 * at the tag), under a key that is derived for it or under the one that is kept.
 */
Datum
bench_library(PG_FUNCTION_ARGS)
{
	static EVP_CIPHER_CTX *contexts[2];
	static EVP_CIPHER_CTX *block;
	static uint8 nonce[24];
	static uint8 tag[16];
	uint8		aad[110] = {0};
	uint8		blocks[32] = {0};
	uint8		key[32];
	uint8		result[256];
	bool		encrypt = PG_GETARG_BOOL(4);
	bool		derived = PG_GETARG_BOOL(5);
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, sizeof(tag)),
		OSSL_PARAM_construct_end()
	};
	EVP_CIPHER_CTX *context;
	int			size;

	if (block == NULL)
	{
		block = kept_context("AES-256-ECB", 1);
		contexts[0] = kept_context("AES-256-GCM", 0);
		contexts[1] = kept_context("AES-256-GCM", 1);
	}
	context = contexts[encrypt];
	nonce[0]++;
	if (derived && EVP_CipherUpdate(block, key, &size, blocks, sizeof(blocks)) != 1)
		elog(ERROR, "no key");
	if (EVP_CipherInit_ex2(context, NULL, derived ? key : NULL, nonce + 12, encrypt, encrypt ? NULL : params) != 1 ||
		EVP_CipherUpdate(context, NULL, &size, aad, sizeof(aad)) != 1 ||
		EVP_CipherUpdate(context, result, &size, (uint8 *) VARDATA_ANY(PG_GETARG_TEXT_PP(3)), 200) != 1)
		elog(ERROR, "no cipher");
	(void) EVP_CipherFinal_ex(context, result, &size);
	if (encrypt && EVP_CIPHER_CTX_get_params(context, params) != 1)
		elog(ERROR, "no tag");
	PG_RETURN_DATUM(PG_GETARG_DATUM(3));
}
