/*
 * base64_simd.c
 *	  base64url sixteen characters at a time: SSSE3, where the processor has it.
 *
 * After W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding using AVX2
 * Instructions" (2018): classes of characters, and what to add to them, are looked
 * up by halves of a byte in registers, so that no table is read.
 */
#include "core/platform.h"

#include "core/base64_simd.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <tmmintrin.h>

#define SSSE3 __attribute__((target("ssse3")))

static bool
have_ssse3(void)
{
	static int	have = -1;

	if (have < 0)
		have = __builtin_cpu_supports("ssse3") != 0;
	return have;
}

/*
 * A character is valid when the classes of its two halves have no bit in common.
 * Classes, by the upper half: 2 (the hyphen), 3 (digits), 4 and 6, 5, 7, others.
 */
SSSE3 static int
decode_groups(const char *text, size_t length, uint8 *bytes)
{
	const __m128i class_upper = _mm_setr_epi8(0x01, 0x01, 0x02, 0x04, 0x08, 0x10, 0x08, 0x20,
											  0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01);
	const __m128i class_lower = _mm_setr_epi8(0x0b, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03,
											  0x03, 0x03, 0x07, 0x37, 0x37, 0x35, 0x37, 0x27);
	/* from a character to its six bits, by the upper half; 33 more for the underscore */
	const __m128i difference = _mm_setr_epi8(0, 0, 62 - '-', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a',
											 0, 0, 0, 0, 0, 0, 0, 0);
	const __m128i order = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	const __m128i half = _mm_set1_epi8(0x0f);
	__m128i		invalid = _mm_setzero_si128();
	size_t		done = 0;

	/* four bytes more are written, which belong to what follows */
	for (; done + 16 + 8 <= length; done += 16, bytes += 12)
	{
		__m128i		group = _mm_loadu_si128((const __m128i *) (text + done));
		__m128i		upper = _mm_and_si128(_mm_srli_epi32(group, 4), half);
		__m128i		lower = _mm_and_si128(group, half);
		__m128i		underscores = _mm_and_si128(_mm_cmpeq_epi8(group, _mm_set1_epi8('_')),
												_mm_set1_epi8(33));

		invalid = _mm_or_si128(invalid, _mm_and_si128(_mm_shuffle_epi8(class_upper, upper),
													  _mm_shuffle_epi8(class_lower, lower)));
		group = _mm_add_epi8(_mm_add_epi8(group, underscores),
							 _mm_shuffle_epi8(difference, upper));
		/* 6 bits a byte to 12 bits a word, to 24 bits a double word */
		group = _mm_maddubs_epi16(group, _mm_set1_epi32(0x01400140));
		group = _mm_madd_epi16(group, _mm_set1_epi32(0x00011000));
		_mm_storeu_si128((__m128i *) bytes, _mm_shuffle_epi8(group, order));
	}
	if (_mm_movemask_epi8(_mm_cmpeq_epi8(invalid, _mm_setzero_si128())) != 0xffff)
		return -1;
	return (int) done;
}

SSSE3 static size_t
encode_groups(const uint8 *bytes, size_t length, char *text)
{
	const __m128i order = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* from six bits to a character: a-z, the digits one by one, -, _, A-Z */
	const __m128i difference = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
											 '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
											 '-' - 62, '_' - 63, 'A', 0, 0);
	size_t		done = 0;

	/* four bytes more are read */
	for (; done + 16 <= length; done += 12, text += 16)
	{
		__m128i		group = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) (bytes + done)), order);
		__m128i		range;

		/* 24 bits a double word to 6 bits a byte */
		group = _mm_or_si128(_mm_mulhi_epu16(_mm_and_si128(group, _mm_set1_epi32(0x0fc0fc00)),
											 _mm_set1_epi32(0x04000040)),
							 _mm_mullo_epi16(_mm_and_si128(group, _mm_set1_epi32(0x003f03f0)),
											 _mm_set1_epi32(0x01000010)));
		range = _mm_or_si128(_mm_subs_epu8(group, _mm_set1_epi8(51)),
							 _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), group), _mm_set1_epi8(13)));
		_mm_storeu_si128((__m128i *) text, _mm_add_epi8(group, _mm_shuffle_epi8(difference, range)));
	}
	return done;
}

int
platform_base64url_decode_simd(const char *text, size_t length, uint8 *bytes)
{
	return have_ssse3() ? decode_groups(text, length, bytes) : 0;
}

size_t
platform_base64url_encode_simd(const uint8 *bytes, size_t length, char *text)
{
	return have_ssse3() ? encode_groups(bytes, length, text) : 0;
}

#else

int
platform_base64url_decode_simd(const char *text, size_t length, uint8 *bytes)
{
	return 0;
}

size_t
platform_base64url_encode_simd(const uint8 *bytes, size_t length, char *text)
{
	return 0;
}

#endif
