/*
 * crypto_kdf.h
 *	  Keys made from a key: HKDF with SHA-256 (RFC 5869).
 */
#ifndef PLATFORM_CRYPTO_KDF_H
#define PLATFORM_CRYPTO_KDF_H

#define PLATFORM_HKDF_PRK_SIZE	32
#define PLATFORM_HKDF_MAX_INFO	256

/* Extract: a pseudorandom key of 32 bytes; no salt is as good as zeroes. */
extern void platform_hkdf_extract(const void *salt, size_t salt_length,
								  const void *key, size_t key_length, uint8 *prk);

/* Expand: up to 255 * 32 bytes; the label (info) has at most 256. */
extern void platform_hkdf_expand(const uint8 *prk, const void *info, size_t info_length,
								 uint8 *key, size_t length);

#endif							/* PLATFORM_CRYPTO_KDF_H */
