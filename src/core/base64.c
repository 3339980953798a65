/*
 * base64.c
 *	  Bytes as text: base64 and base64url (RFC 4648, sections 4 and 5), and hex.
 *
 * One text stands for one sequence of bytes: what a lenient decoder accepts
 * besides would let a signed token exist in several spellings.
 */
#include "core/platform.h"

#include "core/base64.h"

static const char alphabet_plain[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Value of a character: of letters and digits, else the alphabet's last two, or -1. */
static inline int
digit_value(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet[62])
		return 62;
	if (c == alphabet[63])
		return 63;
	return -1;
}

/* Text without padding; the number of bytes, or -1. *stray: the bits left over. */
static int
decode(const char *text, size_t length, const char *alphabet, uint8 *bytes, uint32 *stray)
{
	uint32		bits = 0;
	int			pending = 0;
	int			count = 0;

	if (length % 4 == 1)
		return -1;
	for (size_t i = 0; i < length; i++)
	{
		int			value = digit_value(text[i], alphabet);

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
	*stray = bits;
	return count;
}

static int
encode(const uint8 *bytes, size_t length, const char *alphabet, char *text)
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

/* Length of the text without the padding at its end, at most two characters. */
static size_t
without_padding(const char *text, size_t length)
{
	if (length > 0 && text[length - 1] == '=')
		length -= length > 1 && text[length - 2] == '=' ? 2 : 1;
	return length;
}

int
platform_base64url_decode(const char *text, size_t length, uint8 *bytes)
{
	uint32		stray;
	int			count = decode(text, length, alphabet_url, bytes, &stray);

	return count >= 0 && stray == 0 ? count : -1;
}

int
platform_base64url_encode(const uint8 *bytes, size_t length, char *text)
{
	return encode(bytes, length, alphabet_url, text);
}

int
platform_base64_decode(const char *text, size_t length, uint8 *bytes)
{
	uint32		stray;
	int			count;

	if (length % 4 != 0)
		return -1;
	count = decode(text, without_padding(text, length), alphabet_plain, bytes, &stray);
	return count >= 0 && stray == 0 ? count : -1;
}

int
platform_base64_encode(const uint8 *bytes, size_t length, char *text)
{
	int			count = encode(bytes, length, alphabet_plain, text);

	while (count % 4 != 0)
		text[count++] = '=';
	text[count] = '\0';
	return count;
}

int
platform_base64_decode_loosely(const char *text, size_t length, uint8 *bytes)
{
	size_t		digits = without_padding(text, length);
	uint32		stray;

	if (digits < length && length % 4 != 0)
		return -1;
	return decode(text, digits, alphabet_plain, bytes, &stray);
}

static inline int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
platform_hex_decode(const char *text, size_t length, uint8 *bytes, size_t size)
{
	if (length != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++)
	{
		int			high = hex_value(text[2 * i]);
		int			low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8) (high << 4 | low);
	}
	return true;
}

void
platform_hex_encode(const uint8 *bytes, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++)
	{
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 0x0f];
	}
	*text = '\0';
}
