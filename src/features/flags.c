/*
 * flags.c
 *	  SQL-callable checks, setters and lists of feature flags.
 */
#include "core/platform.h"

#include "features/counter.h"
#include "features/flags.h"

PlatformModule platform_features_module = {.name = "features", .version = 20};

void
platform_features_init(void)
{
	platform_flag_cache_init();
	platform_counter_init();
}
