/*
 * crypto_aead.c
 *	  Authenticated encryption: AES-256-GCM and XAES-256-GCM (OpenSSL, EVP).
 *
 * Two cipher contexts live as long as the backend and are keyed anew when the
 * key changes: that costs a fraction of making one.  They hold the key used
 * last, until platform_aead_forget().  As in crypto.c nothing here raises
 * between steps that leave a plaintext or a key behind.
 */
#include "core/platform.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/key_memory.h"

/* A context, and the key that it holds: in key memory, a fork sees none. */
typedef struct CipherContext
{
	EVP_CIPHER_CTX *context;
	bool		keyed;
	uint8		key[PLATFORM_AEAD_KEY_SIZE];
} CipherContext;

typedef struct CipherContexts
{
	CipherContext gcm;
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
	if (ciphers->gcm.context == NULL)
		ciphers->gcm.context = new_context("AES-256-GCM");
	if (ciphers->block.context == NULL)
		ciphers->block.context = new_context("AES-256-ECB");
	if (ciphers->gcm.context == NULL || ciphers->block.context == NULL)
		cipher_error("a cipher");
	return ciphers;
}

/* Keys the context, when its key is another, and gives it a nonce, if any. */
static bool
set_key(CipherContext *cipher, const uint8 *key, const uint8 *nonce, int encrypt)
{
	if (cipher->keyed && memcmp(cipher->key, key, PLATFORM_AEAD_KEY_SIZE) == 0)
		return nonce == NULL ||
			EVP_CipherInit_ex2(cipher->context, NULL, NULL, nonce, encrypt, NULL) == 1;
	memcpy(cipher->key, key, PLATFORM_AEAD_KEY_SIZE);
	cipher->keyed = true;
	return EVP_CipherInit_ex2(cipher->context, NULL, key, nonce, encrypt, NULL) == 1;
}

/* Begins a message with what is authenticated only. */
static bool
gcm_begin(const uint8 *key, const uint8 *nonce, PlatformAad aad, int encrypt)
{
	CipherContext *gcm = &have_contexts()->gcm;
	int			size;

	return set_key(gcm, key, nonce, encrypt) &&
		(aad.length == 0 ||
		 EVP_CipherUpdate(gcm->context, NULL, &size, aad.bytes, (int) aad.length) == 1);
}

/* Runs the data through; an empty piece would mean to the library that it is all. */
static bool
gcm_update(const void *data, size_t length, uint8 *result)
{
	int			size;

	return length == 0 ||
		EVP_CipherUpdate(ciphers->gcm.context, result, &size, data, (int) length) == 1;
}

void
platform_gcm_seal(const uint8 *key, const uint8 *nonce, PlatformAad aad,
				  const void *plain, size_t length, uint8 *sealed)
{
	OSSL_PARAM	tag[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
										  sealed + length, PLATFORM_AEAD_TAG_SIZE),
		OSSL_PARAM_construct_end()
	};
	int			size;

	if (!gcm_begin(key, nonce, aad, 1) ||
		!gcm_update(plain, length, sealed) ||
		EVP_CipherFinal_ex(ciphers->gcm.context, sealed + length, &size) != 1 ||
		EVP_CIPHER_CTX_get_params(ciphers->gcm.context, tag) != 1)
		cipher_error("a ciphertext");
}

bool
platform_gcm_open(const uint8 *key, const uint8 *nonce, PlatformAad aad,
				  const uint8 *sealed, size_t length, uint8 *plain)
{
	uint8		nothing[PLATFORM_AEAD_TAG_SIZE];
	int			size;
	bool		authentic;

	if (length < PLATFORM_AEAD_TAG_SIZE)
		return false;
	length -= PLATFORM_AEAD_TAG_SIZE;
	if (!gcm_begin(key, nonce, aad, 0))
		cipher_error("a plaintext");
	authentic = gcm_update(sealed, length, plain) &&
		EVP_CIPHER_CTX_ctrl(ciphers->gcm.context, EVP_CTRL_AEAD_SET_TAG, PLATFORM_AEAD_TAG_SIZE,
							unconstify(uint8 *, sealed + length)) == 1 &&
		EVP_CipherFinal_ex(ciphers->gcm.context, nothing, &size) == 1;
	if (!authentic)
	{
		platform_wipe(plain, length);
		ERR_clear_error();
	}
	return authentic;
}

/* Encrypts whole blocks, each for itself. */
static void
encrypt_blocks(const uint8 *key, const uint8 *blocks, int length, uint8 *result)
{
	CipherContext *block = &have_contexts()->block;
	int			size;

	/* padding matters to the last call only, and there is none */
	if (!set_key(block, key, NULL, 1) ||
		EVP_CipherUpdate(block->context, result, &size, blocks, length) != 1 ||
		size != length)
		cipher_error("a key");
}

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

void
platform_xaes_seal(const uint8 *key, const uint8 *mask, const uint8 *nonce,
				   PlatformAad aad, const void *plain, size_t length, uint8 *sealed)
{
	uint8		derived[PLATFORM_AEAD_KEY_SIZE];

	xaes_derive(key, mask, nonce, derived);
	platform_gcm_seal(derived, nonce + PLATFORM_GCM_NONCE_SIZE, aad, plain, length, sealed);
	platform_wipe(derived, sizeof(derived));
}

bool
platform_xaes_open(const uint8 *key, const uint8 *mask, const uint8 *nonce,
				   PlatformAad aad, const uint8 *sealed, size_t length, uint8 *plain)
{
	uint8		derived[PLATFORM_AEAD_KEY_SIZE];
	bool		authentic;

	xaes_derive(key, mask, nonce, derived);
	authentic = platform_gcm_open(derived, nonce + PLATFORM_GCM_NONCE_SIZE, aad,
								  sealed, length, plain);
	platform_wipe(derived, sizeof(derived));
	return authentic;
}

void
platform_aead_forget(void)
{
	if (ciphers == NULL)
		return;
	EVP_CIPHER_CTX_free(ciphers->gcm.context);
	EVP_CIPHER_CTX_free(ciphers->block.context);
	platform_wipe(ciphers, sizeof(CipherContexts));
}
