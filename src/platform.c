/*
 * platform.c
 *	  The library's entry point: one line for each module with settings or caches.
 */
#include "core/platform.h"

#include "core/identity.h"
#include "core/module.h"
#include "core/settings.h"
#include "features/features.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "platform", .version = "1.0");
#else
PG_MODULE_MAGIC;
#endif

void		_PG_init(void);

void
_PG_init(void)
{
	platform_module_init();
	platform_identity_init();
	platform_features_init();
	platform_settings_reserve();
}
