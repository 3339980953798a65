/*
 * crypto_aead.h
 *	  Authenticated encryption: AES-256-GCM and XAES-256-GCM.
 *
 * Keys have 32 bytes.  Sealed data is the ciphertext, as long as the plaintext,
 * and a tag of 16 bytes.  The same key and nonce must never seal twice: draw
 * nonces from core/nonce.h.
 */
#ifndef PLATFORM_CRYPTO_AEAD_H
#define PLATFORM_CRYPTO_AEAD_H

#define PLATFORM_AEAD_KEY_SIZE		32
#define PLATFORM_AEAD_TAG_SIZE		16
#define PLATFORM_GCM_NONCE_SIZE		12
#define PLATFORM_XAES_NONCE_SIZE	24
#define PLATFORM_XAES_MASK_SIZE		16

/* Data that is authenticated beside what is encrypted. */
typedef struct PlatformAad
{
	const uint8 *bytes;
	size_t		length;
} PlatformAad;

/*
 * AES-256-GCM (NIST SP 800-38D) with a nonce of 12 bytes.  Seal writes length +
 * 16 bytes; open reads length bytes, tag and all, and writes 16 less.  It
 * answers false, and leaves zeroes, when the data is not authentic.
 */
extern void platform_gcm_seal(const uint8 *key, const uint8 *nonce, PlatformAad aad,
							  const void *plain, size_t length, uint8 *sealed);
extern bool platform_gcm_open(const uint8 *key, const uint8 *nonce, PlatformAad aad,
							  const uint8 *sealed, size_t length, uint8 *plain);

/*
 * XAES-256-GCM (C2SP): the same with a nonce of 24 bytes, random ones without
 * an end.  The mask is made from the key once and is as secret.
 */
extern void platform_xaes_mask(const uint8 *key, uint8 *mask);
extern void platform_xaes_seal(const uint8 *key, const uint8 *mask, const uint8 *nonce,
							   PlatformAad aad, const void *plain, size_t length, uint8 *sealed);
extern bool platform_xaes_open(const uint8 *key, const uint8 *mask, const uint8 *nonce,
							   PlatformAad aad, const uint8 *sealed, size_t length, uint8 *plain);

/* Overwrites the keys that the library's contexts still hold. */
extern void platform_aead_forget(void);

#endif							/* PLATFORM_CRYPTO_AEAD_H */
