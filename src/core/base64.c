/*
 * base64.c
 *	  base64url without padding (RFC 4648, section 5; RFC 7515, appendix C).
 *
 * One text stands for one sequence of bytes: what a lenient decoder accepts
 * besides would let a signed token exist in several spellings.
 */
#include "core/platform.h"

#include "core/base64.h"

static const char alphabet[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Value of a character, or -1. */
static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}

int
platform_base64url_decode(const char *text, size_t length, uint8 *bytes)
{
	uint32		bits = 0;
	int			pending = 0;
	int			count = 0;

	if (length % 4 == 1)
		return -1;
	for (size_t i = 0; i < length; i++)
	{
		int			value = digit_value(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32) value;
		pending += 6;
		if (pending >= 8)
		{
			pending -= 8;
			bytes[count++] = (uint8) (bits >> pending);
			bits &= (1U << pending) - 1;
		}
	}
	return bits == 0 ? count : -1;
}

int
platform_base64url_encode(const uint8 *bytes, size_t length, char *text)
{
	uint32		bits = 0;
	int			pending = 0;
	int			count = 0;

	for (size_t i = 0; i < length; i++)
	{
		bits = (bits << 8 | bytes[i]) & 0xffff;
		pending += 8;
		while (pending >= 6)
		{
			pending -= 6;
			text[count++] = alphabet[bits >> pending & 0x3f];
		}
	}
	if (pending > 0)
		text[count++] = alphabet[bits << (6 - pending) & 0x3f];
	text[count] = '\0';
	return count;
}
