/*
 * schedule.c
 *	  When the next attempt is.
 *
 * The schedule of Standard Webhooks: at once, after 5 seconds, 5 and 30 minutes,
 * 2, 5, 10, 14, 20 and 24 hours. Jitter keeps those that failed together from
 * coming back together.
 */
#include "core/platform.h"

#include "common/pg_prng.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "webhooks/webhooks.h"

#define JITTER	0.2
#define RETRY_AFTER_MOST	USECS_PER_DAY

static const int32 standard_schedule[] = {
	5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600
};

static const char *const month_names[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

int64
platform_webhook_delay(const WebhookSchedule *schedule, int attempts)
{
	const int32 *seconds = schedule->count > 0 ? schedule->seconds : standard_schedule;
	int			count = schedule->count > 0 ? schedule->count : lengthof(standard_schedule);
	int			place;

	if (schedule->fixed)
		return (schedule->count > 0 ? seconds[0] : seconds[1]) * USECS_PER_SEC;
	place = Min(attempts, count) - 1;
	return seconds[Max(place, 0)] * USECS_PER_SEC;
}

int64
platform_webhook_jitter(int64 delay)
{
	double		factor = 1 - JITTER + 2 * JITTER * pg_prng_double(&pg_global_prng_state);

	return (int64) (delay * factor);
}

/* Reads exactly count digits. */
static bool
read_digits(const char **text, int count, int *number)
{
	*number = 0;
	for (int i = 0; i < count; i++)
	{
		if (**text < '0' || **text > '9')
			return false;
		*number = *number * 10 + *(*text)++ - '0';
	}
	return true;
}

static bool
read_text(const char **text, const char *expected)
{
	size_t		length = strlen(expected);

	if (strncmp(*text, expected, length) != 0)
		return false;
	*text += length;
	return true;
}

static bool
read_month(const char **text, int *month)
{
	for (int i = 0; i < lengthof(month_names); i++)
		if (read_text(text, month_names[i]))
		{
			*month = i + 1;
			return true;
		}
	return false;
}

static bool
read_time(const char **text, struct pg_tm *tm)
{
	return read_digits(text, 2, &tm->tm_hour) && read_text(text, ":") &&
		read_digits(text, 2, &tm->tm_min) && read_text(text, ":") &&
		read_digits(text, 2, &tm->tm_sec) &&
		tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/*
 * The three forms of RFC 9110, section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT",
 * "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". What day of the
 * week it says it is does not matter.
 */
static bool
read_http_date(const char *text, TimestampTz now, TimestampTz *moment)
{
	const char *comma = strchr(text, ',');
	struct pg_tm tm = {0};
	int			no_zone = 0;
	bool		valid;

	if (comma == NULL)
	{
		text = strchr(text, ' ');
		valid = text != NULL && read_text(&text, " ") && read_month(&text, &tm.tm_mon) &&
			read_text(&text, " ") &&
			(read_text(&text, " ") ? read_digits(&text, 1, &tm.tm_mday) : read_digits(&text, 2, &tm.tm_mday)) &&
			read_text(&text, " ") && read_time(&text, &tm) && read_text(&text, " ") &&
			read_digits(&text, 4, &tm.tm_year);
	}
	else
	{
		text = comma + 1;
		valid = read_text(&text, " ") && read_digits(&text, 2, &tm.tm_mday);
		if (valid && read_text(&text, "-"))
		{
			valid = read_month(&text, &tm.tm_mon) && read_text(&text, "-") &&
				read_digits(&text, 2, &tm.tm_year);
			tm.tm_year += 2000;
			/* more than 50 years from now means the last century */
			if (valid && tm.tm_year > 2000 + 50 + (int) (now / (INT64CONST(31557600) * USECS_PER_SEC)))
				tm.tm_year -= 100;
		}
		else
			valid = valid && read_text(&text, " ") && read_month(&text, &tm.tm_mon) &&
				read_text(&text, " ") && read_digits(&text, 4, &tm.tm_year);
		valid = valid && read_text(&text, " ") && read_time(&text, &tm) && read_text(&text, " GMT");
	}
	return valid && *text == '\0' && tm.tm_mday >= 1 && tm.tm_year > 0 &&
		tm.tm_mday <= day_tab[isleap(tm.tm_year)][tm.tm_mon - 1] &&
		tm2timestamp(&tm, 0, &no_zone, moment) == 0;
}

int64
platform_webhook_retry_after(const char *value, TimestampTz now)
{
	size_t		digits = strspn(value, "0123456789");
	TimestampTz moment;

	if (digits > 0 && value[digits] == '\0')
		return digits > 9 ? RETRY_AFTER_MOST :
			Min(strtol(value, NULL, 10) * USECS_PER_SEC, RETRY_AFTER_MOST);
	if (!read_http_date(value, now, &moment))
		return -1;
	return moment <= now ? 0 : Min(moment - now, RETRY_AFTER_MOST);
}
