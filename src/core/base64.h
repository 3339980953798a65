/*
 * base64.h
 *	  base64url without padding (RFC 4648, section 5; RFC 7515, appendix C).
 */
#ifndef PLATFORM_BASE64_H
#define PLATFORM_BASE64_H

/* Sizes that always suffice for length bytes of input. */
#define PLATFORM_BASE64URL_DECODED(length)	((length) / 4 * 3 + 3)
#define PLATFORM_BASE64URL_ENCODED(length)	(((length) + 2) / 3 * 4 + 1)

/*
 * Decodes strictly: no padding, white space, other characters, stray bits or
 * impossible length.  Returns the number of bytes, or -1.
 */
extern int	platform_base64url_decode(const char *text, size_t length, uint8 *bytes);

/* Encodes and terminates the text; returns its length. */
extern int	platform_base64url_encode(const uint8 *bytes, size_t length, char *text);

#endif							/* PLATFORM_BASE64_H */
