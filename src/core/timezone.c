/*
 * timezone.c
 *	  Names of time zones.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"

#include "core/timezone.h"

/* The database's own names that look like POSIX rules. */
static const char *const zones_with_digits[] = {
	"CST6CDT", "EST5EDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0",
};

pg_tz *
platform_find_timezone(const char *name)
{
	pg_tz	   *zone = pg_tzset(name);
	const char *canonical;

	if (zone == NULL || !pg_tz_acceptable(zone))
		return NULL;

	/*
	 * What is not in the database the server reads as a POSIX rule, which has
	 * an offset, and keeps in upper case.
	 */
	canonical = pg_get_timezone_name(zone);
	if (strpbrk(canonical, "0123456789") == NULL)
		return zone;
	for (const char *c = canonical; *c; c++)
	{
		if (*c >= 'a' && *c <= 'z')
			return zone;
	}
	for (int i = 0; i < lengthof(zones_with_digits); i++)
	{
		if (strcmp(canonical, zones_with_digits[i]) == 0)
			return zone;
	}
	return NULL;
}

pg_tz *
platform_require_timezone(const char *name)
{
	pg_tz	   *zone = platform_find_timezone(name);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known",
						pnstrdup(name, pg_mbcliplen(name, strlen(name), TZ_STRLEN_MAX))),
				 errhint("View pg_timezone_names lists the names.")));
	return zone;
}
