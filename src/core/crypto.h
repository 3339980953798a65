/*
 * crypto.h
 *	  Hashes, MACs, random bytes and signatures (OpenSSL, EVP).
 */
#ifndef PLATFORM_CRYPTO_H
#define PLATFORM_CRYPTO_H

typedef enum PlatformHash
{
	PLATFORM_SHA1,				/* for protocols that know no better */
	PLATFORM_SHA256,
	PLATFORM_SHA384,
	PLATFORM_SHA512
} PlatformHash;

#define PLATFORM_HASH_MAX_SIZE 64

/* A stretch of bytes, somebody else's; data is NULL where there is none. */
typedef struct PlatformBytes
{
	const uint8 *data;
	size_t		length;
} PlatformBytes;

extern int	platform_hash_size(PlatformHash hash);

/* These write platform_hash_size() bytes; a MAC is an HMAC (RFC 2104). */
extern void platform_hash(PlatformHash hash, const void *data, size_t length, uint8 *digest);
extern void platform_mac(PlatformHash hash, const void *key, size_t key_length,
						 const void *data, size_t length, uint8 *mac);

/* Those of several parts, as if they were one. */
extern void platform_hash_parts(PlatformHash hash, const PlatformBytes *parts, int nparts,
								uint8 *digest);
extern void platform_mac_parts(PlatformHash hash, const void *key, size_t key_length,
							   const PlatformBytes *parts, int nparts, uint8 *mac);

/* In a time that depends on the length only. */
extern bool platform_bytes_equal(const void *a, const void *b, size_t length);

/* Fit for keys. */
extern void platform_random_bytes(void *bytes, size_t length);

/* Overwrites a secret for good. */
extern void platform_wipe(void *bytes, size_t length);

/*
 * Raises 38000: the library could not compute that.  Its reason stays in the
 * server's log, for it can tell about a key.
 */
pg_noreturn extern void platform_crypto_error(const char *what);

/*
 * Public keys.  Each constructor returns NULL when the parameters are no key of
 * that kind, or a weak one.  A key is freed with the memory context that was
 * current.  Numbers are big-endian.
 */
typedef struct PlatformPublicKey PlatformPublicKey;

/* RSA with a modulus of 2048 to 8192 bits; verifies RSASSA-PKCS1-v1_5 with SHA-256. */
extern PlatformPublicKey *platform_rsa_key(const uint8 *modulus, size_t modulus_length,
										   const uint8 *exponent, size_t exponent_length);

/* A point on P-256, 32 bytes a coordinate; verifies ECDSA with SHA-256. */
extern PlatformPublicKey *platform_p256_key(const uint8 *x, const uint8 *y);

/* 32 bytes. */
extern PlatformPublicKey *platform_ed25519_key(const uint8 *bytes);

/*
 * Ed25519 (RFC 8032) with a private key of 32 bytes: the signature's 64 bytes,
 * and the public key's 32.
 */
extern void platform_ed25519_sign(const uint8 *private_key, const void *data, size_t length,
								  uint8 *signature);
extern void platform_ed25519_public(const uint8 *private_key, uint8 *public_key);

/*
 * Is it the signature of the data?  ECDSA signatures are 64 bytes, r then s, as
 * in RFC 7518, section 3.4.
 */
extern bool platform_signature_matches(const PlatformPublicKey *key,
									   const void *data, size_t length,
									   const uint8 *signature, size_t signature_length);

#endif							/* PLATFORM_CRYPTO_H */
