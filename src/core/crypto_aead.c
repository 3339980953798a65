/*
 * crypto_aead.c
 *	  Authenticated encryption: AES-256-GCM and XAES-256-GCM (OpenSSL, EVP).
 *
 * Three cipher contexts live as long as the backend and are keyed anew when the
 * key changes: that costs a fraction of making one, and half of what a short
 * message costs.  They hold the keys used last, until platform_aead_forget().  As
 * in crypto.c nothing here raises between steps that leave a plaintext or a key
 * behind.
 */
#include "core/platform.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/key_memory.h"

/*
 * A context, and the key that it holds: in key memory, a fork sees none. With
 * XAES what it holds is derived from the key and the first half of a nonce.
 */
typedef struct CipherContext
{
	EVP_CIPHER_CTX *context;
	bool		keyed;
	bool		derived;
	uint8		key[PLATFORM_AEAD_KEY_SIZE];
	uint8		half[PLATFORM_GCM_NONCE_SIZE];
} CipherContext;

typedef struct CipherContexts
{
	CipherContext seal;
	CipherContext open;
	CipherContext block;
} CipherContexts;

static CipherContexts *ciphers = NULL;

/* A context for the cipher, or NULL. */
static EVP_CIPHER_CTX *
new_context(const char *name)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *context = cipher == NULL ? NULL : EVP_CIPHER_CTX_new();

	if (context != NULL && EVP_CipherInit_ex2(context, cipher, NULL, NULL, 1, NULL) != 1)
	{
		EVP_CIPHER_CTX_free(context);
		context = NULL;
	}
	EVP_CIPHER_free(cipher);
	return context;
}

/* What failed may hold another key than it seems: away with it. */
pg_noreturn static void
cipher_error(const char *what)
{
	platform_aead_forget();
	platform_crypto_error(what);
}

static CipherContexts *
have_contexts(void)
{
	if (ciphers == NULL)
		ciphers = platform_key_memory(sizeof(CipherContexts));
	if (ciphers->seal.context == NULL)
		ciphers->seal.context = new_context("AES-256-GCM");
	if (ciphers->open.context == NULL)
		ciphers->open.context = new_context("AES-256-GCM");
	if (ciphers->block.context == NULL)
		ciphers->block.context = new_context("AES-256-ECB");
	if (ciphers->seal.context == NULL || ciphers->open.context == NULL ||
		ciphers->block.context == NULL)
		cipher_error("a cipher");
	return ciphers;
}

/*
 * Notes the key that it is to hold, or for half not NULL, what is derived of
 * both. False when it does already.
 */
static bool
takes_key(CipherContext *cipher, const uint8 *key, const uint8 *half)
{
	if (cipher->keyed && cipher->derived == (half != NULL) &&
		memcmp(cipher->key, key, PLATFORM_AEAD_KEY_SIZE) == 0 &&
		(half == NULL || memcmp(cipher->half, half, PLATFORM_GCM_NONCE_SIZE) == 0))
		return false;
	cipher->keyed = true;
	cipher->derived = half != NULL;
	memcpy(cipher->key, key, PLATFORM_AEAD_KEY_SIZE);
	if (half != NULL)
		memcpy(cipher->half, half, PLATFORM_GCM_NONCE_SIZE);
	return true;
}

/* Encrypts whole blocks, each for itself. */
static void
encrypt_blocks(const uint8 *key, const uint8 *blocks, int length, uint8 *result)
{
	CipherContext *block = &have_contexts()->block;
	int			size;

	/* padding matters to the last call only, and there is none */
	if ((takes_key(block, key, NULL) &&
		 EVP_CipherInit_ex2(block->context, NULL, key, NULL, 1, NULL) != 1) ||
		EVP_CipherUpdate(block->context, result, &size, blocks, length) != 1 ||
		size != length)
		cipher_error("a key");
}

/* ---- AES-256-GCM ---- */

/* Seals under the key, or for NULL under the one that the context holds. */
static void
seal(const uint8 *key, const uint8 *nonce, PlatformAad aad,
	 const void *plain, size_t length, uint8 *sealed)
{
	EVP_CIPHER_CTX *context = ciphers->seal.context;
	OSSL_PARAM	tag[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
										  sealed + length, PLATFORM_AEAD_TAG_SIZE),
		OSSL_PARAM_construct_end()
	};
	int			size;

	/* an empty piece would mean to the library that it is all */
	if (EVP_CipherInit_ex2(context, NULL, key, nonce, 1, NULL) != 1 ||
		(aad.length > 0 &&
		 EVP_CipherUpdate(context, NULL, &size, aad.bytes, (int) aad.length) != 1) ||
		(length > 0 && EVP_CipherUpdate(context, sealed, &size, plain, (int) length) != 1) ||
		EVP_CipherFinal_ex(context, sealed + length, &size) != 1 ||
		EVP_CIPHER_CTX_get_params(context, tag) != 1)
		cipher_error("a ciphertext");
}

/* Opens in the same way; length counts the tag, which is there. */
static bool
open_sealed(const uint8 *key, const uint8 *nonce, PlatformAad aad,
			const uint8 *sealed, size_t length, uint8 *plain)
{
	EVP_CIPHER_CTX *context = ciphers->open.context;
	OSSL_PARAM	tag[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
										  unconstify(uint8 *, sealed + length - PLATFORM_AEAD_TAG_SIZE),
										  PLATFORM_AEAD_TAG_SIZE),
		OSSL_PARAM_construct_end()
	};
	uint8		nothing[PLATFORM_AEAD_TAG_SIZE];
	int			size;
	bool		authentic;

	length -= PLATFORM_AEAD_TAG_SIZE;
	if (EVP_CipherInit_ex2(context, NULL, key, nonce, 0, tag) != 1 ||
		(aad.length > 0 &&
		 EVP_CipherUpdate(context, NULL, &size, aad.bytes, (int) aad.length) != 1))
		cipher_error("a plaintext");
	authentic = (length == 0 ||
				 EVP_CipherUpdate(context, plain, &size, sealed, (int) length) == 1) &&
		EVP_CipherFinal_ex(context, nothing, &size) == 1;
	if (!authentic)
	{
		platform_wipe(plain, length);
		ERR_clear_error();
	}
	return authentic;
}

void
platform_gcm_seal(const uint8 *key, const uint8 *nonce, PlatformAad aad,
				  const void *plain, size_t length, uint8 *sealed)
{
	CipherContext *cipher = &have_contexts()->seal;

	seal(takes_key(cipher, key, NULL) ? key : NULL, nonce, aad, plain, length, sealed);
}

bool
platform_gcm_open(const uint8 *key, const uint8 *nonce, PlatformAad aad,
				  const uint8 *sealed, size_t length, uint8 *plain)
{
	CipherContext *cipher = &have_contexts()->open;

	return length >= PLATFORM_AEAD_TAG_SIZE &&
		open_sealed(takes_key(cipher, key, NULL) ? key : NULL, nonce, aad, sealed, length, plain);
}

/* ---- XAES-256-GCM ---- */

void
platform_xaes_mask(const uint8 *key, uint8 *mask)
{
	static const uint8 zeroes[PLATFORM_XAES_MASK_SIZE] = {0};
	uint8		carry = 0;

	encrypt_blocks(key, zeroes, sizeof(zeroes), mask);
	for (int i = PLATFORM_XAES_MASK_SIZE - 1; i >= 0; i--)
	{
		uint8		high = mask[i] >> 7;

		mask[i] = (uint8) (mask[i] << 1) | carry;
		carry = high;
	}
	/* in a time that tells nothing of the bit */
	mask[PLATFORM_XAES_MASK_SIZE - 1] ^= (uint8) (0x87 & -carry);
}

/* The key for one nonce: of its first half; the other half is GCM's. */
static void
xaes_derive(const uint8 *key, const uint8 *mask, const uint8 *nonce, uint8 *derived)
{
	uint8		blocks[2 * PLATFORM_XAES_MASK_SIZE];

	for (int i = 0; i < 2; i++)
	{
		uint8	   *block = blocks + i * PLATFORM_XAES_MASK_SIZE;

		block[0] = 0;
		block[1] = (uint8) (i + 1);
		block[2] = 'X';
		block[3] = 0;
		memcpy(block + 4, nonce, PLATFORM_GCM_NONCE_SIZE);
		for (int j = 0; j < PLATFORM_XAES_MASK_SIZE; j++)
			block[j] ^= mask[j];
	}
	encrypt_blocks(key, blocks, sizeof(blocks), derived);
}

/* Derives the key unless the context holds it already: NULL then. */
static const uint8 *
xaes_key(CipherContext *cipher, const uint8 *key, const uint8 *mask, const uint8 *nonce,
		 uint8 *derived)
{
	if (!takes_key(cipher, key, nonce))
		return NULL;
	xaes_derive(key, mask, nonce, derived);
	return derived;
}

void
platform_xaes_seal(const uint8 *key, const uint8 *mask, const uint8 *nonce,
				   PlatformAad aad, const void *plain, size_t length, uint8 *sealed)
{
	uint8		derived[PLATFORM_AEAD_KEY_SIZE];
	const uint8 *fresh = xaes_key(&have_contexts()->seal, key, mask, nonce, derived);

	seal(fresh, nonce + PLATFORM_GCM_NONCE_SIZE, aad, plain, length, sealed);
	if (fresh != NULL)
		platform_wipe(derived, sizeof(derived));
}

bool
platform_xaes_open(const uint8 *key, const uint8 *mask, const uint8 *nonce,
				   PlatformAad aad, const uint8 *sealed, size_t length, uint8 *plain)
{
	uint8		derived[PLATFORM_AEAD_KEY_SIZE];
	const uint8 *fresh;
	bool		authentic;

	if (length < PLATFORM_AEAD_TAG_SIZE)
		return false;
	fresh = xaes_key(&have_contexts()->open, key, mask, nonce, derived);
	authentic = open_sealed(fresh, nonce + PLATFORM_GCM_NONCE_SIZE, aad, sealed, length, plain);
	if (fresh != NULL)
		platform_wipe(derived, sizeof(derived));
	return authentic;
}

void
platform_aead_forget(void)
{
	if (ciphers == NULL)
		return;
	EVP_CIPHER_CTX_free(ciphers->seal.context);
	EVP_CIPHER_CTX_free(ciphers->open.context);
	EVP_CIPHER_CTX_free(ciphers->block.context);
	platform_wipe(ciphers, sizeof(CipherContexts));
}
