/*
 * phone.c
 *	  Telephone numbers in their international form (ITU-T E.164): a plus sign,
 *	  the country code, the national number; 7 to 15 digits in all.
 *
 * What a number without country code means depends on where it is dialled: on
 * the region's prefix for calls abroad, on the prefix that the region puts before
 * national numbers, and in North America on the length. National numbering
 * plans (which area codes exist, how long a number is) change every month and are
 * not looked at.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/phone.h"

#define E164_LEAST_DIGITS	7
#define E164_MOST_DIGITS	15

/* North America, with ten digits in every number: the country code is 1. */
#define NANP_DIGITS			10

/* More than any prefix adds to a number. */
#define DIALLED_MOST_DIGITS	24

struct PlatformPhoneRegion
{
	char		code[3];		/* ISO 3166-1, and XK for Kosovo */
	char		country_code[4];
	char		trunk[3];		/* before a national number, where there is one */
	char		abroad[5];		/* before a country code */
};

/* By code. */
static const PlatformPhoneRegion regions[] = {
	{"AC", "247", "", "00"}, {"AD", "376", "", "00"}, {"AE", "971", "0", "00"},
	{"AF", "93", "0", "00"}, {"AG", "1", "1", "011"}, {"AI", "1", "1", "011"},
	{"AL", "355", "0", "00"}, {"AM", "374", "0", "00"}, {"AO", "244", "", "00"},
	{"AR", "54", "0", "00"}, {"AS", "1", "1", "011"}, {"AT", "43", "0", "00"},
	{"AU", "61", "0", "0011"}, {"AW", "297", "", "00"}, {"AX", "358", "0", "00"},
	{"AZ", "994", "0", "00"}, {"BA", "387", "0", "00"}, {"BB", "1", "1", "011"},
	{"BD", "880", "0", "00"}, {"BE", "32", "0", "00"}, {"BF", "226", "", "00"},
	{"BG", "359", "0", "00"}, {"BH", "973", "", "00"}, {"BI", "257", "", "00"},
	{"BJ", "229", "", "00"}, {"BL", "590", "0", "00"}, {"BM", "1", "1", "011"},
	{"BN", "673", "", "00"}, {"BO", "591", "0", "00"}, {"BQ", "599", "", "00"},
	{"BR", "55", "0", "00"}, {"BS", "1", "1", "011"}, {"BT", "975", "", "00"},
	{"BW", "267", "", "00"}, {"BY", "375", "8", "810"}, {"BZ", "501", "", "00"},
	{"CA", "1", "1", "011"}, {"CC", "61", "0", "0011"}, {"CD", "243", "0", "00"},
	{"CF", "236", "", "00"}, {"CG", "242", "", "00"}, {"CH", "41", "0", "00"},
	{"CI", "225", "", "00"}, {"CK", "682", "", "00"}, {"CL", "56", "", "00"},
	{"CM", "237", "", "00"}, {"CN", "86", "0", "00"}, {"CO", "57", "0", "00"},
	{"CR", "506", "", "00"}, {"CU", "53", "0", "119"}, {"CV", "238", "", "00"},
	{"CW", "599", "", "00"}, {"CX", "61", "0", "0011"}, {"CY", "357", "", "00"},
	{"CZ", "420", "", "00"}, {"DE", "49", "0", "00"}, {"DJ", "253", "", "00"},
	{"DK", "45", "", "00"}, {"DM", "1", "1", "011"}, {"DO", "1", "1", "011"},
	{"DZ", "213", "0", "00"}, {"EC", "593", "0", "00"}, {"EE", "372", "", "00"},
	{"EG", "20", "0", "00"}, {"EH", "212", "0", "00"}, {"ER", "291", "0", "00"},
	{"ES", "34", "", "00"}, {"ET", "251", "0", "00"}, {"FI", "358", "0", "00"},
	{"FJ", "679", "", "00"}, {"FK", "500", "", "00"}, {"FM", "691", "", "00"},
	{"FO", "298", "", "00"}, {"FR", "33", "0", "00"}, {"GA", "241", "0", "00"},
	{"GB", "44", "0", "00"}, {"GD", "1", "1", "011"}, {"GE", "995", "0", "00"},
	{"GF", "594", "0", "00"}, {"GG", "44", "0", "00"}, {"GH", "233", "0", "00"},
	{"GI", "350", "", "00"}, {"GL", "299", "", "00"}, {"GM", "220", "", "00"},
	{"GN", "224", "", "00"}, {"GP", "590", "0", "00"}, {"GQ", "240", "", "00"},
	{"GR", "30", "", "00"}, {"GT", "502", "", "00"}, {"GU", "1", "1", "011"},
	{"GW", "245", "", "00"}, {"GY", "592", "", "001"}, {"HK", "852", "", "001"},
	{"HN", "504", "", "00"}, {"HR", "385", "0", "00"}, {"HT", "509", "", "00"},
	{"HU", "36", "06", "00"}, {"ID", "62", "0", "001"}, {"IE", "353", "0", "00"},
	{"IL", "972", "0", "00"}, {"IM", "44", "0", "00"}, {"IN", "91", "0", "00"},
	{"IO", "246", "", "00"}, {"IQ", "964", "0", "00"}, {"IR", "98", "0", "00"},
	{"IS", "354", "", "00"}, {"IT", "39", "", "00"}, {"JE", "44", "0", "00"},
	{"JM", "1", "1", "011"}, {"JO", "962", "0", "00"}, {"JP", "81", "0", "010"},
	{"KE", "254", "0", "000"}, {"KG", "996", "0", "00"}, {"KH", "855", "0", "001"},
	{"KI", "686", "", "00"}, {"KM", "269", "", "00"}, {"KN", "1", "1", "011"},
	{"KP", "850", "0", "00"}, {"KR", "82", "0", "001"}, {"KW", "965", "", "00"},
	{"KY", "1", "1", "011"}, {"KZ", "7", "8", "810"}, {"LA", "856", "0", "00"},
	{"LB", "961", "0", "00"}, {"LC", "1", "1", "011"}, {"LI", "423", "", "00"},
	{"LK", "94", "0", "00"}, {"LR", "231", "0", "00"}, {"LS", "266", "", "00"},
	{"LT", "370", "0", "00"}, {"LU", "352", "", "00"}, {"LV", "371", "", "00"},
	{"LY", "218", "0", "00"}, {"MA", "212", "0", "00"}, {"MC", "377", "", "00"},
	{"MD", "373", "0", "00"}, {"ME", "382", "0", "00"}, {"MF", "590", "0", "00"},
	{"MG", "261", "0", "00"}, {"MH", "692", "1", "011"}, {"MK", "389", "0", "00"},
	{"ML", "223", "", "00"}, {"MM", "95", "0", "00"}, {"MN", "976", "0", "001"},
	{"MO", "853", "", "00"}, {"MP", "1", "1", "011"}, {"MQ", "596", "0", "00"},
	{"MR", "222", "", "00"}, {"MS", "1", "1", "011"}, {"MT", "356", "", "00"},
	{"MU", "230", "", "00"}, {"MV", "960", "", "00"}, {"MW", "265", "0", "00"},
	{"MX", "52", "", "00"}, {"MY", "60", "0", "00"}, {"MZ", "258", "", "00"},
	{"NA", "264", "0", "00"}, {"NC", "687", "", "00"}, {"NE", "227", "", "00"},
	{"NF", "672", "", "00"}, {"NG", "234", "0", "009"}, {"NI", "505", "", "00"},
	{"NL", "31", "0", "00"}, {"NO", "47", "", "00"}, {"NP", "977", "0", "00"},
	{"NR", "674", "", "00"}, {"NU", "683", "", "00"}, {"NZ", "64", "0", "00"},
	{"OM", "968", "", "00"}, {"PA", "507", "", "00"}, {"PE", "51", "0", "00"},
	{"PF", "689", "", "00"}, {"PG", "675", "", "00"}, {"PH", "63", "0", "00"},
	{"PK", "92", "0", "00"}, {"PL", "48", "", "00"}, {"PM", "508", "0", "00"},
	{"PN", "64", "0", "00"}, {"PR", "1", "1", "011"}, {"PS", "970", "0", "00"},
	{"PT", "351", "", "00"}, {"PW", "680", "", "011"}, {"PY", "595", "0", "00"},
	{"QA", "974", "", "00"}, {"RE", "262", "0", "00"}, {"RO", "40", "0", "00"},
	{"RS", "381", "0", "00"}, {"RU", "7", "8", "810"}, {"RW", "250", "0", "00"},
	{"SA", "966", "0", "00"}, {"SB", "677", "", "00"}, {"SC", "248", "", "00"},
	{"SD", "249", "0", "00"}, {"SE", "46", "0", "00"}, {"SG", "65", "", "001"},
	{"SH", "290", "", "00"}, {"SI", "386", "0", "00"}, {"SJ", "47", "", "00"},
	{"SK", "421", "0", "00"}, {"SL", "232", "0", "00"}, {"SM", "378", "", "00"},
	{"SN", "221", "", "00"}, {"SO", "252", "0", "00"}, {"SR", "597", "", "00"},
	{"SS", "211", "0", "00"}, {"ST", "239", "", "00"}, {"SV", "503", "", "00"},
	{"SX", "1", "1", "011"}, {"SY", "963", "0", "00"}, {"SZ", "268", "", "00"},
	{"TA", "290", "", "00"}, {"TC", "1", "1", "011"}, {"TD", "235", "", "00"},
	{"TG", "228", "", "00"}, {"TH", "66", "0", "001"}, {"TJ", "992", "", "810"},
	{"TK", "690", "", "00"}, {"TL", "670", "", "00"}, {"TM", "993", "8", "810"},
	{"TN", "216", "", "00"}, {"TO", "676", "", "00"}, {"TR", "90", "0", "00"},
	{"TT", "1", "1", "011"}, {"TV", "688", "", "00"}, {"TW", "886", "0", "002"},
	{"TZ", "255", "0", "000"}, {"UA", "380", "0", "00"}, {"UG", "256", "0", "000"},
	{"US", "1", "1", "011"}, {"UY", "598", "0", "00"}, {"UZ", "998", "", "00"},
	{"VA", "39", "", "00"}, {"VC", "1", "1", "011"}, {"VE", "58", "0", "00"},
	{"VG", "1", "1", "011"}, {"VI", "1", "1", "011"}, {"VN", "84", "0", "00"},
	{"VU", "678", "", "00"}, {"WF", "681", "", "00"}, {"WS", "685", "", "00"},
	{"XK", "383", "0", "00"}, {"YE", "967", "0", "00"}, {"YT", "262", "0", "00"},
	{"ZA", "27", "0", "00"}, {"ZM", "260", "0", "00"}, {"ZW", "263", "0", "00"},
};

const PlatformPhoneRegion *
platform_phone_region(const char *code, size_t length)
{
	char		wanted[3];
	int			low = 0;
	int			high = lengthof(regions) - 1;

	if (length != 2)
		return NULL;
	for (int i = 0; i < 2; i++)
		wanted[i] = pg_ascii_toupper((unsigned char) code[i]);
	wanted[2] = '\0';
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(wanted, regions[middle].code);

		if (order == 0)
			return &regions[middle];
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return NULL;
}

const PlatformPhoneRegion *
platform_require_phone_region(const text *code)
{
	const PlatformPhoneRegion *region = platform_phone_region(VARDATA_ANY(code),
															  VARSIZE_ANY_EXHDR(code));

	if (region == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no region has that code"),
				 errhint("Regions are two letters of ISO 3166-1, such as US or DE.")));
	return region;
}

static bool
skip_prefix(const char **text, const char *end, const char *prefix)
{
	size_t		length = strlen(prefix);

	if (end - *text < length || pg_strncasecmp(*text, prefix, length) != 0)
		return false;
	*text += length;
	return true;
}

/*
 * The digits of a number as people write it; false when there is anything else
 * in it but what separates digits. A zero in brackets after the country code is
 * for callers at home.
 */
static bool
read_digits(const char *text, size_t length, char *digits, bool *international)
{
	const char *end = text + length;
	int			count = 0;

	while (text < end && *text == ' ')
		text++;
	if (!skip_prefix(&text, end, "tel:"))
		skip_prefix(&text, end, "whatsapp:");
	*international = text < end && *text == '+';
	if (*international)
		text++;
	while (text < end)
	{
		if (*international && count > 0 && skip_prefix(&text, end, "(0)"))
			continue;
		if (*text >= '0' && *text <= '9')
		{
			if (count == DIALLED_MOST_DIGITS)
				return false;
			digits[count++] = *text;
		}
		else if (strchr(" -./()", *text) == NULL)
			return false;
		text++;
	}
	digits[count] = '\0';
	return true;
}

/* A plus sign before the parts; false when that is no possible number. */
static bool
write_e164(const char *country_code, const char *digits, char *e164)
{
	size_t		length = strlen(country_code) + strlen(digits);
	char		first = *country_code ? *country_code : *digits;

	if (length < E164_LEAST_DIGITS || length > E164_MOST_DIGITS || first == '0')
		return false;
	snprintf(e164, PLATFORM_E164_SIZE, "+%s%s", country_code, digits);
	return true;
}

bool
platform_normalize_phone(const char *text, size_t length,
						 const PlatformPhoneRegion *region, char *e164)
{
	char		buffer[DIALLED_MOST_DIGITS + 1];
	const char *digits = buffer;
	const char *end;
	bool		international;

	if (!read_digits(text, length, buffer, &international))
		return false;
	if (international)
		return write_e164("", digits, e164);
	end = digits + strlen(digits);

	if (strcmp(region->country_code, "1") == 0)
	{
		if (skip_prefix(&digits, end, region->abroad))
			return write_e164("", digits, e164);
		if (end - digits == NANP_DIGITS + 1 && *digits == '1')
			digits++;
		if (end - digits > NANP_DIGITS)
			return write_e164("", digits, e164);
		return end - digits == NANP_DIGITS && *digits > '1' &&
			write_e164(region->country_code, digits, e164);
	}

	if (skip_prefix(&digits, end, region->abroad))
		return write_e164("", digits, e164);
	if (*region->trunk && skip_prefix(&digits, end, region->trunk))
		return write_e164(region->country_code, digits, e164);
	if (end - digits > NANP_DIGITS &&
		strncmp(digits, region->country_code, strlen(region->country_code)) == 0)
		return write_e164("", digits, e164);
	return write_e164(region->country_code, digits, e164);
}

PG_FUNCTION_INFO_V1(platform_normalize_e164);

/*
 * platform.normalize_e164(phone text, default_region text DEFAULT 'US') returns text
 *
 * The number in the form of ITU-T E.164: +, country code, national number, 7 to
 * 15 digits. Spaces, hyphens, dots, slashes, brackets, and tel: or whatsapp: in
 * front are dropped. A number without + is read as dialled in default_region
 * (ISO 3166-1): after its prefix for calls abroad, or with more than ten digits
 * of which the first are its country code, it is international; else national. In
 * North America ten digits are national and more are international. NULL for
 * NULL, and for what is no telephone number. Errors: 22023 no such region.
 */
Datum
platform_normalize_e164(PG_FUNCTION_ARGS)
{
	text	   *phone = PG_GETARG_TEXT_PP(0);
	const PlatformPhoneRegion *region = platform_require_phone_region(PG_GETARG_TEXT_PP(1));
	char		e164[PLATFORM_E164_SIZE];

	if (!platform_normalize_phone(VARDATA_ANY(phone), VARSIZE_ANY_EXHDR(phone), region, e164))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(e164));
}
