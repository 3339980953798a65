/*
 * settings.c
 *	  The prefix "platform" of setting names.
 */
#include "core/platform.h"

#include "utils/guc.h"

#include "core/settings.h"

void
platform_settings_reserve(void)
{
	MarkGUCPrefixReserved("platform");
}
