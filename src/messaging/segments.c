/*
 * segments.c
 *	  How many segments a message takes: sms_segments().
 *
 * 3GPP TS 23.038: the GSM 7 bit default alphabet and its extension table, of
 * which a character takes two septets; any other character makes the whole
 * message UCS-2, in which characters beyond U+FFFF take two units. 3GPP TS 23.040:
 * 140 octets a message, of which a header takes 6 in each part of a longer one;
 * neither an escape sequence nor a surrogate pair is torn apart.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/result.h"
#include "messaging/messaging.h"

#define GSM_SINGLE	160
#define GSM_PART	153
#define UCS2_SINGLE	70
#define UCS2_PART	67

/* Of the default alphabet, beside what ASCII has of it. */
static const uint32 gsm_other[] = {
	0xA1, 0xA3, 0xA4, 0xA5, 0xA7, 0xBF, 0xC4, 0xC5, 0xC6, 0xC7, 0xC9, 0xD1, 0xD6, 0xD8, 0xDC,
	0xDF, 0xE0, 0xE4, 0xE5, 0xE6, 0xE8, 0xE9, 0xEC, 0xF1, 0xF2, 0xF6, 0xF8, 0xF9, 0xFC,
	0x393, 0x394, 0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9,
};

/* Septets; 0 when the alphabet does not have it. */
static int
gsm_septets(uint32 c)
{
	if (c == '\f' || (c > 0 && c < 0x80 && strchr("[\\]^{|}~", (int) c) != NULL) || c == 0x20AC)
		return 2;
	if (c == '\n' || c == '\r' || (c >= ' ' && c < 0x7F && c != '`'))
		return 1;
	for (int i = 0; i < lengthof(gsm_other); i++)
	{
		if (gsm_other[i] == c)
			return 1;
	}
	return 0;
}

static int
ucs2_units(uint32 c)
{
	return c > 0xFFFF ? 2 : 1;
}

void
platform_sms_measure(const char *body, size_t length, SmsSize *size)
{
	char	   *utf8 = pg_server_to_any(body, length, PG_UTF8);
	const unsigned char *begin = (unsigned char *) utf8;
	const unsigned char *end = begin + (utf8 == body ? length : strlen(utf8));
	bool		gsm = true;
	int			part;
	int			used = 0;

	for (const unsigned char *c = begin; c < end && gsm;)
		gsm = gsm_septets(platform_sms_next_character(&c)) > 0;
	part = gsm ? GSM_PART : UCS2_PART;
	size->encoding = gsm ? "GSM-7" : "UCS-2";
	size->units = 0;
	size->segments = begin < end ? 1 : 0;
	for (const unsigned char *c = begin; c < end;)
	{
		uint32		code = platform_sms_next_character(&c);
		int			units = gsm ? gsm_septets(code) : ucs2_units(code);

		if (used + units > part)
		{
			size->segments++;
			used = 0;
		}
		used += units;
		size->units += units;
	}
	if (size->units > 0 && size->units <= (gsm ? GSM_SINGLE : UCS2_SINGLE))
		size->segments = 1;
}

PG_FUNCTION_INFO_V1(platform_sms_segments);

/*
 * platform.sms_segments(body text) RETURNS (segments integer, encoding text, units integer)
 *
 * How the message is sent and billed: in the GSM 7 bit alphabet or, if it has any
 * other character, UCS-2; units are septets or UTF-16 code units; a single
 * segment holds 160 or 70 of them, each of several 153 or 67. NULL for NULL;
 * an empty body takes no segment. By 3GPP TS 23.038 and 23.040.
 */
Datum
platform_sms_segments(PG_FUNCTION_ARGS)
{
	text	   *body = PG_GETARG_TEXT_PP(0);
	Datum		values[3];
	bool		nulls[3] = {false};
	SmsSize		size;

	platform_sms_measure(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &size);
	values[0] = Int32GetDatum(size.segments);
	values[1] = CStringGetTextDatum(size.encoding);
	values[2] = Int32GetDatum(size.units);
	return platform_return_row(fcinfo, values, nulls);
}
