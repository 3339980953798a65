/*
 * match.c
 *	  Which events a subscription asks for.
 *
 * Patterns are compared byte by byte: "_" and "%" mean nothing, and no locale
 * has a say.
 */
#include "core/platform.h"

#include "core/event.h"
#include "webhooks/webhooks.h"

static bool
is_family(const char *pattern, size_t length)
{
	return length > 2 && memcmp(pattern + length - 2, ".*", 2) == 0;
}

bool
platform_webhook_pattern_is_valid(const char *pattern, size_t length)
{
	if (length == 1 && pattern[0] == '*')
		return true;
	if (is_family(pattern, length))
		length -= 2;
	return platform_event_type_is_valid(pattern, length);
}

bool
platform_webhook_pattern_matches(const char *pattern, size_t pattern_length,
								 const char *type, size_t type_length)
{
	if (pattern_length == 1 && pattern[0] == '*')
		return true;
	/* the family's name and its full stop begin the type */
	if (is_family(pattern, pattern_length))
		return type_length >= pattern_length - 1 &&
			memcmp(type, pattern, pattern_length - 1) == 0;
	return type_length == pattern_length && memcmp(type, pattern, type_length) == 0;
}
