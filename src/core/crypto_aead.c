/*
 * crypto_aead.c
 *	  Authenticated encryption: AES-256-GCM and XAES-256-GCM (OpenSSL, EVP).
 *
 * Two cipher contexts live as long as the backend and are keyed anew for each
 * message: that costs a fraction of making one.  The one that only encrypts
 * blocks is keyed when its key changes.  They hold the key used last, until
 * platform_aead_forget().  As in crypto.c nothing here raises between steps that
 * leave a plaintext or a key behind.
 */
#include "core/platform.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/key_memory.h"

static EVP_CIPHER_CTX *gcm_context = NULL;
static EVP_CIPHER_CTX *block_context = NULL;
static uint8 *block_key = NULL; /* of block_context, in key memory */

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

/*
 * Keys the GCM context and feeds it what is authenticated only; tag is the one
 * to be verified, NULL to encrypt.
 */
static bool
gcm_begin(const uint8 *key, const uint8 *nonce, PlatformAad aad, const uint8 *tag)
{
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
										  unconstify(uint8 *, tag), PLATFORM_AEAD_TAG_SIZE),
		OSSL_PARAM_construct_end()
	};
	int			size;

	if (gcm_context == NULL)
		gcm_context = new_context("AES-256-GCM");
	return gcm_context != NULL &&
		EVP_CipherInit_ex2(gcm_context, NULL, key, nonce, tag == NULL,
						   tag == NULL ? NULL : params) == 1 &&
		(aad.length == 0 ||
		 EVP_CipherUpdate(gcm_context, NULL, &size, aad.bytes, (int) aad.length) == 1);
}

/* Runs the data through; an empty piece would mean to the library that it is all. */
static bool
gcm_update(const void *data, size_t length, uint8 *result)
{
	int			size;

	return length == 0 ||
		EVP_CipherUpdate(gcm_context, result, &size, data, (int) length) == 1;
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

	if (!gcm_begin(key, nonce, aad, NULL) ||
		!gcm_update(plain, length, sealed) ||
		EVP_CipherFinal_ex(gcm_context, sealed + length, &size) != 1 ||
		EVP_CIPHER_CTX_get_params(gcm_context, tag) != 1)
		platform_crypto_error("a ciphertext");
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
	if (!gcm_begin(key, nonce, aad, sealed + length))
		platform_crypto_error("a plaintext");
	authentic = gcm_update(sealed, length, plain) &&
		EVP_CipherFinal_ex(gcm_context, nothing, &size) == 1;
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
	bool		keyed = false;
	int			size;

	if (block_key == NULL)
		block_key = platform_key_memory(PLATFORM_AEAD_KEY_SIZE);
	if (block_context == NULL)
		block_context = new_context("AES-256-ECB");
	else if (memcmp(block_key, key, PLATFORM_AEAD_KEY_SIZE) == 0)
		keyed = true;
	memcpy(block_key, key, PLATFORM_AEAD_KEY_SIZE);
	/* padding matters to the last call only, and there is none */
	if (block_context == NULL ||
		(!keyed && EVP_CipherInit_ex2(block_context, NULL, key, NULL, 1, NULL) != 1) ||
		EVP_CipherUpdate(block_context, result, &size, blocks, length) != 1 ||
		size != length)
	{
		platform_aead_forget();
		platform_crypto_error("a key");
	}
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
	EVP_CIPHER_CTX_free(gcm_context);
	EVP_CIPHER_CTX_free(block_context);
	gcm_context = NULL;
	block_context = NULL;
	if (block_key != NULL)
		platform_wipe(block_key, PLATFORM_AEAD_KEY_SIZE);
}
