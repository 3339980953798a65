/*
 * base64_simd.h
 *	  base64url sixteen characters at a time, where the processor can.
 */
#ifndef PLATFORM_BASE64_SIMD_H
#define PLATFORM_BASE64_SIMD_H

/*
 * These do a part from the beginning, which may be nothing, and leave the rest to
 * others: whole groups of 12 bytes and 16 characters. They answer the number of
 * characters that were decoded, or -1 when one of them is none, and the number of
 * bytes that were encoded.
 */
extern int	platform_base64url_decode_simd(const char *text, size_t length, uint8 *bytes);
extern size_t platform_base64url_encode_simd(const uint8 *bytes, size_t length, char *text);

#endif							/* PLATFORM_BASE64_SIMD_H */
