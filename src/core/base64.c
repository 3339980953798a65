/*
 * base64.c
 *	  Bytes as text: base64 and base64url (RFC 4648, sections 4 and 5), and hex.
 *
 * One text stands for one sequence of bytes: what a lenient decoder accepts
 * besides would let a signed token exist in several spellings.
 */
#include "core/platform.h"

#include "port/pg_bswap.h"

#include "core/base64.h"
#include "core/base64_simd.h"

static const char alphabet_plain[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/*
 * An alphabet with its tables, made at the first use: two characters for each 12
 * bits, and of each character its six bits at the four places of a group. What is
 * no character of it has a bit beyond the 24 of a group.
 */
typedef struct Alphabet
{
	const char *characters;
	bool		ready;
	char		pairs[4096][2];
	uint32		places[4][256];
} Alphabet;

#define NO_CHARACTER (UINT32_C(1) << 24)

static Alphabet plain = {alphabet_plain};
static Alphabet url = {alphabet_url};

static void
make_tables(Alphabet *alphabet)
{
	for (int i = 0; i < lengthof(alphabet->pairs); i++)
	{
		alphabet->pairs[i][0] = alphabet->characters[i >> 6];
		alphabet->pairs[i][1] = alphabet->characters[i & 0x3f];
	}
	for (int place = 0; place < 4; place++)
	{
		for (int c = 0; c < 256; c++)
			alphabet->places[place][c] = NO_CHARACTER;
		for (int i = 0; i < 64; i++)
			alphabet->places[place][(uint8) alphabet->characters[i]] = (uint32) i << (18 - 6 * place);
	}
	alphabet->ready = true;
}

/* Text without padding; the number of bytes, or -1. *stray: the bits left over. */
static int
decode(const char *text, size_t length, Alphabet *alphabet, uint8 *bytes, uint32 *stray)
{
	const uint8 *next = (const uint8 *) text;
	const uint8 *end = next + length / 4 * 4;
	uint8	   *result = bytes;
	size_t		rest = length % 4;
	uint32		group = 0;

	if (rest == 1)
		return -1;
	if (!alphabet->ready)
		make_tables(alphabet);
	for (; next < end; next += 4, result += 3)
	{
		group = alphabet->places[0][next[0]] | alphabet->places[1][next[1]] |
			alphabet->places[2][next[2]] | alphabet->places[3][next[3]];
		if (group >= NO_CHARACTER)
			return -1;
		result[0] = (uint8) (group >> 16);
		result[1] = (uint8) (group >> 8);
		result[2] = (uint8) group;
	}
	*stray = 0;
	if (rest > 0)
	{
		group = alphabet->places[0][next[0]] | alphabet->places[1][next[1]] |
			(rest == 3 ? alphabet->places[2][next[2]] : 0);
		if (group >= NO_CHARACTER)
			return -1;
		*result++ = (uint8) (group >> 16);
		if (rest == 3)
			*result++ = (uint8) (group >> 8);
		*stray = group & (rest == 3 ? 0xff : 0xffff);
	}
	return (int) (result - bytes);
}

static int
encode(const uint8 *bytes, size_t length, Alphabet *alphabet, char *text)
{
	char	   *next = text;
	size_t		left = length;

	if (!alphabet->ready)
		make_tables(alphabet);
	/* six bytes at a time, of eight that can be read */
	for (; left >= 8; left -= 6, bytes += 6, next += 8)
	{
		uint64		group;

		memcpy(&group, bytes, sizeof(group));
		group = pg_ntoh64(group);
		memcpy(next, alphabet->pairs[group >> 52], 2);
		memcpy(next + 2, alphabet->pairs[group >> 40 & 0xfff], 2);
		memcpy(next + 4, alphabet->pairs[group >> 28 & 0xfff], 2);
		memcpy(next + 6, alphabet->pairs[group >> 16 & 0xfff], 2);
	}
	for (; left >= 3; left -= 3, bytes += 3, next += 4)
	{
		memcpy(next, alphabet->pairs[bytes[0] << 4 | bytes[1] >> 4], 2);
		memcpy(next + 2, alphabet->pairs[(bytes[1] & 0x0f) << 8 | bytes[2]], 2);
	}
	if (left > 0)
	{
		uint32		group = (uint32) bytes[0] << 8 | (left == 2 ? bytes[1] : 0);

		*next++ = alphabet->characters[group >> 10];
		*next++ = alphabet->characters[group >> 4 & 0x3f];
		if (left == 2)
			*next++ = alphabet->characters[group << 2 & 0x3f];
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
	int			done = platform_base64url_decode_simd(text, length, bytes);
	uint32		stray;
	int			count;

	if (done < 0)
		return -1;
	count = decode(text + done, length - done, &url, bytes + done / 4 * 3, &stray);
	return count >= 0 && stray == 0 ? done / 4 * 3 + count : -1;
}

int
platform_base64url_encode(const uint8 *bytes, size_t length, char *text)
{
	size_t		done = platform_base64url_encode_simd(bytes, length, text);
	int			begun = (int) (done / 3 * 4);

	return begun + encode(bytes + done, length - done, &url, text + begun);
}

int
platform_base64_decode(const char *text, size_t length, uint8 *bytes)
{
	uint32		stray;
	int			count;

	if (length % 4 != 0)
		return -1;
	count = decode(text, without_padding(text, length), &plain, bytes, &stray);
	return count >= 0 && stray == 0 ? count : -1;
}

int
platform_base64_encode(const uint8 *bytes, size_t length, char *text)
{
	int			count = encode(bytes, length, &plain, text);

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
	return decode(text, digits, &plain, bytes, &stray);
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
