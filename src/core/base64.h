/*
 * base64.h
 *	  Bytes as text: base64 and base64url (RFC 4648, sections 4 and 5), and hex.
 */
#ifndef PLATFORM_BASE64_H
#define PLATFORM_BASE64_H

/* Sizes that always suffice for length bytes of input, in both alphabets. */
#define PLATFORM_BASE64_DECODED(length)		((length) / 4 * 3 + 3)
#define PLATFORM_BASE64_ENCODED(length)		(((length) + 2) / 3 * 4 + 1)
#define PLATFORM_BASE64URL_DECODED(length)	PLATFORM_BASE64_DECODED(length)
#define PLATFORM_BASE64URL_ENCODED(length)	PLATFORM_BASE64_ENCODED(length)

/*
 * base64url without padding (RFC 7515, appendix C).  Decodes strictly: no
 * padding, white space, other characters, stray bits or impossible length.
 * Returns the number of bytes, or -1.
 */
extern int	platform_base64url_decode(const char *text, size_t length, uint8 *bytes);

/* Encodes and terminates the text; returns its length. */
extern int	platform_base64url_encode(const uint8 *bytes, size_t length, char *text);

/* The same with padding and the ordinary alphabet. */
extern int	platform_base64_decode(const char *text, size_t length, uint8 *bytes);
extern int	platform_base64_encode(const uint8 *bytes, size_t length, char *text);

/*
 * Decodes what people and programs write for base64: padding may be missing, and
 * the bits that no byte needs may be set.
 */
extern int	platform_base64_decode_loosely(const char *text, size_t length, uint8 *bytes);

/* Two digits a byte, of either case; false for another length or character. */
extern bool platform_hex_decode(const char *text, size_t length, uint8 *bytes, size_t size);

/* Lower-case digits, terminated. */
extern void platform_hex_encode(const uint8 *bytes, size_t length, char *text);

#endif							/* PLATFORM_BASE64_H */
