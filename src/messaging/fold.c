/*
 * fold.c
 *	  Text as words: lower case, without accents and punctuation, so that what
 *	  people type compares with what a table has.
 *
 * Letters with marks become their base letters, also when the marks are characters
 * of their own; full-width letters become ordinary ones. Apostrophes vanish
 * (don't is dont), as do characters that are not seen. Everything else that is no
 * letter or digit parts words, and some of it sentences.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"

#include "messaging/messaging.h"

#define LATIN_FIRST		0xC0
#define LATIN_LAST		0x17F

/* Base letters, from U+00C0. */
static const char *const latin[LATIN_LAST - LATIN_FIRST + 1] = {
	"a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i", "d",
	"n", "o", "o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "ss", "a", "a",
	"a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i", "d", "n", "o",
	"o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "y", "a", "a", "a", "a",
	"a", "a", "c", "c", "c", "c", "c", "c", "c", "c", "d", "d", "d", "d", "e", "e", "e",
	"e", "e", "e", "e", "e", "e", "e", "g", "g", "g", "g", "g", "g", "g", "g", "h", "h",
	"h", "h", "i", "i", "i", "i", "i", "i", "i", "i", "i", "i", "ij", "ij", "j", "j", "k",
	"k", "k", "l", "l", "l", "l", "l", "l", "l", "l", "l", "l", "n", "n", "n", "n", "n",
	"n", "n", "n", "n", "o", "o", "o", "o", "o", "o", "oe", "oe", "r", "r", "r", "r", "r",
	"r", "s", "s", "s", "s", "s", "s", "s", "s", "t", "t", "t", "t", "t", "t", "u", "u",
	"u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "w", "w", "y", "y", "y", "z", "z",
	"z", "z", "z", "z", "s",
};

static int
utf8_length(uint32 c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

uint32
platform_sms_next_character(const unsigned char **text)
{
	const unsigned char *c = *text;
	uint32		code;
	int			more;

	if (*c < 0x80)
	{
		*text = c + 1;
		return *c;
	}
	more = *c >= 0xF0 ? 3 : *c >= 0xE0 ? 2 : 1;
	code = *c & (0x3F >> more);
	for (int i = 1; i <= more; i++)
		code = code << 6 | (c[i] & 0x3F);
	*text = c + 1 + more;
	return code;
}

/* Is nothing seen of it where it stands? */
static bool
is_invisible(uint32 c)
{
	return c == '\'' || c == 0x2018 || c == 0x2019 || c == 0xAD || c == 0x34F ||
		(c >= 0x300 && c <= 0x36F) || (c >= 0x20D0 && c <= 0x20FF) ||
		(c >= 0x200B && c <= 0x200F) || c == 0x2060 || c == 0xFEFF ||
		(c >= 0xFE00 && c <= 0xFE0F);
}

static bool
ends_sentence(uint32 c)
{
	return (c < 0x80 && strchr(".!?,;:\n\r", (int) c) != NULL && c != 0) ||
		c == 0x2013 || c == 0x2014 || c == 0x2026 || c == 0x3002 || c == 0xA1 || c == 0xBF;
}

/* Writes the letter or digit that it is; false when it is neither. */
static bool
fold_character(uint32 c, char *folded)
{
	if (c >= 0xFF01 && c <= 0xFF5E)
		c -= 0xFF01 - '!';
	if (c < 0x80)
	{
		folded[0] = pg_ascii_tolower((unsigned char) c);
		folded[1] = '\0';
		return (folded[0] >= 'a' && folded[0] <= 'z') || (c >= '0' && c <= '9');
	}
	if (c < LATIN_FIRST)
		return false;
	if (c <= LATIN_LAST)
	{
		strcpy(folded, latin[c - LATIN_FIRST]);
		return *folded != '\0';
	}
	/* punctuation, symbols, pictures */
	if ((c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x303F) ||
		(c >= 0xE000 && c <= 0xF8FF) || (c >= 0xFF00 && c <= 0xFFFF) || c >= 0x1F000)
		return false;
	/* capitals of the Greek and Cyrillic alphabets */
	if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
		c += 0x20;
	else if (c >= 0x400 && c <= 0x40F)
		c += 0x50;
	unicode_to_utf8(c, (unsigned char *) folded);
	folded[utf8_length(c)] = '\0';
	return true;
}

/* The text without spaces around it, and runs of one byte shortened to one. */
static char *
squeeze(const char *text, size_t length)
{
	char	   *result = palloc(length + 1);
	size_t		used = 0;

	while (length > 0 && isspace((unsigned char) *text))
		text++, length--;
	while (length > 0 && isspace((unsigned char) text[length - 1]))
		length--;
	for (size_t i = 0; i < length; i++)
	{
		if (i == 0 || text[i] != text[i - 1])
			result[used++] = text[i];
	}
	result[used] = '\0';
	return result;
}

void
platform_sms_fold(const char *text, size_t length, SmsWords *words)
{
	char	   *utf8 = pg_server_to_any(text, length, PG_UTF8);
	const unsigned char *c = (unsigned char *) utf8;
	const unsigned char *end = c + (utf8 == text ? length : strlen(utf8));
	char	   *buffer = palloc(3 * (end - c) + 8);
	char	   *word = buffer;	/* that is being written */
	char	   *out = buffer;
	int			sentence = 0;

	words->count = 0;
	words->words = palloc((end - c + 1) * sizeof(char *));
	words->sentences = palloc((end - c + 1) * sizeof(int));
	words->raw = squeeze(text, length);
	while (c < end)
	{
		uint32		code = platform_sms_next_character(&c);

		if (is_invisible(code))
			continue;
		if (fold_character(code, out))
		{
			out += strlen(out);
			if (c < end)
				continue;
		}
		if (out > word)
		{
			*out++ = '\0';
			words->words[words->count] = word;
			words->sentences[words->count++] = sentence;
			word = out;
		}
		if (ends_sentence(code))
			sentence++;
	}
	/* what ends with something invisible */
	if (out > word)
	{
		*out = '\0';
		words->words[words->count] = word;
		words->sentences[words->count++] = sentence;
	}
}
