/*
 * crypto_legacy.h
 *	  Opening what older systems encrypted; nothing here seals.
 */
#ifndef PLATFORM_CRYPTO_LEGACY_H
#define PLATFORM_CRYPTO_LEGACY_H

#define PLATFORM_LEGACY_KEY_SIZE	32
#define PLATFORM_LEGACY_NONCE_SIZE	16
#define PLATFORM_LEGACY_TAG_SIZE	16

/*
 * AES-256-GCM with a nonce of 16 bytes and no additional data; writes length
 * bytes. Answers false, and leaves zeroes, when the data is not authentic.
 */
extern bool platform_legacy_gcm_open(const uint8 *key, const uint8 *nonce, const uint8 *tag,
									 const uint8 *sealed, size_t length, uint8 *plain);

#endif							/* PLATFORM_CRYPTO_LEGACY_H */
