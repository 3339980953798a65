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

/* Letters and digits: their value, plus one. */
#define DIGIT_VALUES \
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, \
	['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, \
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, \
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, \
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, \
	['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, \
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, \
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, \
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, \
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, \
	['8'] = 61, ['9'] = 62

static const uint8 values_plain[256] = {DIGIT_VALUES, ['+'] = 63, ['/'] = 64};
static const uint8 values_url[256] = {DIGIT_VALUES, ['-'] = 63, ['_'] = 64};

/* Value of a character, beyond 63 when it has none. */
static inline uint32
digit_value(char c, const uint8 *values)
{
	return (uint32) values[(uint8) c] - 1;
}

/* Text without padding; the number of bytes, or -1. *stray: the bits left over. */
static int
decode(const char *text, size_t length, const uint8 *values, uint8 *bytes, uint32 *stray)
{
	uint32		bits = 0;
	int			pending = 0;
	int			count = 0;
	size_t		i = 0;

	if (length % 4 == 1)
		return -1;
	for (; i + 4 <= length; i += 4)
	{
		uint32		first = digit_value(text[i], values);
		uint32		second = digit_value(text[i + 1], values);
		uint32		third = digit_value(text[i + 2], values);
		uint32		fourth = digit_value(text[i + 3], values);
		uint32		group = first << 18 | second << 12 | third << 6 | fourth;

		if ((first | second | third | fourth) > 63)
			return -1;
		bytes[count++] = (uint8) (group >> 16);
		bytes[count++] = (uint8) (group >> 8);
		bytes[count++] = (uint8) group;
	}
	for (; i < length; i++)
	{
		uint32		value = digit_value(text[i], values);

		if (value > 63)
			return -1;
		bits = bits << 6 | value;
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

/* Two characters for each 12 bits, made at the first use. */
typedef struct PairTable
{
	bool		filled;
	char		pairs[4096][2];
} PairTable;

static PairTable pairs_plain;
static PairTable pairs_url;

static void
fill_pairs(PairTable *table, const char *alphabet)
{
	for (int i = 0; i < lengthof(table->pairs); i++)
	{
		table->pairs[i][0] = alphabet[i >> 6];
		table->pairs[i][1] = alphabet[i & 0x3f];
	}
	table->filled = true;
}

static int
encode(const uint8 *bytes, size_t length, const char *alphabet, PairTable *table, char *text)
{
	char	   *next = text;
	size_t		left = length;

	if (!table->filled)
		fill_pairs(table, alphabet);
	for (; left >= 3; left -= 3, bytes += 3, next += 4)
	{
		memcpy(next, table->pairs[bytes[0] << 4 | bytes[1] >> 4], 2);
		memcpy(next + 2, table->pairs[(bytes[1] & 0x0f) << 8 | bytes[2]], 2);
	}
	if (left > 0)
	{
		uint32		group = (uint32) bytes[0] << 8 | (left == 2 ? bytes[1] : 0);

		*next++ = alphabet[group >> 10];
		*next++ = alphabet[group >> 4 & 0x3f];
		if (left == 2)
			*next++ = alphabet[group << 2 & 0x3f];
	}
	*next = '\0';
	return (int) (next - text);
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
	int			count = decode(text, length, values_url, bytes, &stray);

	return count >= 0 && stray == 0 ? count : -1;
}

int
platform_base64url_encode(const uint8 *bytes, size_t length, char *text)
{
	return encode(bytes, length, alphabet_url, &pairs_url, text);
}

int
platform_base64_decode(const char *text, size_t length, uint8 *bytes)
{
	uint32		stray;
	int			count;

	if (length % 4 != 0)
		return -1;
	count = decode(text, without_padding(text, length), values_plain, bytes, &stray);
	return count >= 0 && stray == 0 ? count : -1;
}

int
platform_base64_encode(const uint8 *bytes, size_t length, char *text)
{
	int			count = encode(bytes, length, alphabet_plain, &pairs_plain, text);

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
	return decode(text, digits, values_plain, bytes, &stray);
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
