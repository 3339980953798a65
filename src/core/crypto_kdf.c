/*
 * crypto_kdf.c
 *	  Keys made from a key: HKDF with SHA-256 (RFC 5869).
 */
#include "core/platform.h"

#include "core/crypto.h"
#include "core/crypto_kdf.h"

void
platform_hkdf_extract(const void *salt, size_t salt_length,
					  const void *key, size_t key_length, uint8 *prk)
{
	platform_mac(PLATFORM_SHA256, salt, salt_length, key, key_length, prk);
}

void
platform_hkdf_expand(const uint8 *prk, const void *info, size_t info_length,
					 uint8 *key, size_t length)
{
	/* the block before, the label, a counter */
	uint8		input[PLATFORM_HKDF_PRK_SIZE + PLATFORM_HKDF_MAX_INFO + 1];
	uint8		block[PLATFORM_HKDF_PRK_SIZE];
	size_t		before = 0;

	Assert(info_length <= PLATFORM_HKDF_MAX_INFO && length <= 255 * PLATFORM_HKDF_PRK_SIZE);
	for (uint8 counter = 1; length > 0; counter++)
	{
		size_t		part = Min(length, PLATFORM_HKDF_PRK_SIZE);

		memcpy(input, block, before);
		memcpy(input + before, info, info_length);
		input[before + info_length] = counter;
		platform_mac(PLATFORM_SHA256, prk, PLATFORM_HKDF_PRK_SIZE,
					  input, before + info_length + 1, block);
		memcpy(key, block, part);
		key += part;
		length -= part;
		before = PLATFORM_HKDF_PRK_SIZE;
	}
	platform_wipe(input, sizeof(input));
	platform_wipe(block, sizeof(block));
}
