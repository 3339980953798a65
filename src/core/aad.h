/*
 * aad.h
 *	  What a ciphertext is bound to: parts with their lengths, in one piece.
 */
#ifndef PLATFORM_AAD_H
#define PLATFORM_AAD_H

#include "core/crypto_aead.h"

#define PLATFORM_AAD_LABEL		"platform.v1"
#define PLATFORM_PURPOSE_MAX	127
#define PLATFORM_POINTER_MAX	1023

/* Room for a header, label, purpose, two uuids and a pointer. */
typedef struct PlatformAadBuffer
{
	size_t		length;
	uint8		bytes[64 + 5 * 4 + PLATFORM_PURPOSE_MAX + 2 * UUID_LEN + PLATFORM_POINTER_MAX];
} PlatformAadBuffer;

static inline void
platform_aad_append(PlatformAadBuffer *buffer, const void *bytes, size_t length)
{
	Assert(buffer->length + length <= sizeof(buffer->bytes));
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
}

/* Four bytes, big-endian. */
static inline void
platform_aad_append_number(PlatformAadBuffer *buffer, uint32 number)
{
	uint8		bytes[4] = {number >> 24, number >> 16, number >> 8, number};

	platform_aad_append(buffer, bytes, sizeof(bytes));
}

/* The length, then the bytes: no two lists of parts look the same. */
static inline void
platform_aad_append_part(PlatformAadBuffer *buffer, const void *bytes, size_t length)
{
	platform_aad_append_number(buffer, (uint32) length);
	platform_aad_append(buffer, bytes, length);
}

static inline PlatformAad
platform_aad(const PlatformAadBuffer *buffer)
{
	PlatformAad aad = {buffer->bytes, buffer->length};

	return aad;
}

#endif							/* PLATFORM_AAD_H */
