/*
 * crypto_legacy.c
 *	  Opening what older systems encrypted (OpenSSL, EVP).
 *
 * As in crypto.c, nothing raises between creating and freeing a handle.
 */
#include "core/platform.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto.h"
#include "core/crypto_legacy.h"

bool
platform_legacy_gcm_open(const uint8 *key, const uint8 *nonce, const uint8 *tag,
						 const uint8 *sealed, size_t length, uint8 *plain)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8		nothing[PLATFORM_LEGACY_TAG_SIZE];
	int			size;
	bool		ready;
	bool		authentic;

	ready = cipher != NULL && context != NULL &&
		EVP_DecryptInit_ex2(context, cipher, NULL, NULL, NULL) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, PLATFORM_LEGACY_NONCE_SIZE, NULL) == 1 &&
		EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1;
	authentic = ready &&
		(length == 0 || EVP_DecryptUpdate(context, plain, &size, sealed, (int) length) == 1) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, PLATFORM_LEGACY_TAG_SIZE,
							unconstify(uint8 *, tag)) == 1 &&
		EVP_DecryptFinal_ex(context, nothing, &size) == 1;
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	if (!ready)
		platform_crypto_error("a plaintext");
	if (!authentic)
	{
		platform_wipe(plain, length);
		ERR_clear_error();
	}
	return authentic;
}
