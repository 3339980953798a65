/*
 * platform.c
 *	  The library's entry point: one line for each module with settings or caches.
 */
#include "core/platform.h"

#include "capabilities/capabilities.h"
#include "core/audit.h"
#include "core/authenticate.h"
#include "core/claims.h"
#include "core/commit.h"
#include "core/data_key.h"
#include "core/event.h"
#include "core/identity.h"
#include "core/jwk.h"
#include "core/module.h"
#include "core/root_key.h"
#include "core/secret.h"
#include "core/settings.h"
#include "core/url.h"
#include "credentials/integrations.h"
#include "features/features.h"
#include "inbox/inbox.h"
#include "legacy/legacy.h"
#include "messaging/messaging.h"
#include "ops/ops.h"
#include "sender/sender.h"
#include "sessions/sessions.h"
#include "tokens/tokens.h"
#include "usage/usage.h"
#include "webhooks/webhooks.h"

PLATFORM_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	platform_module_init();
	platform_identity_init();
	platform_claims_init();
	platform_jwk_init();
	platform_authenticate_init();
	platform_commit_init();
	platform_audit_init();
	platform_event_init();
	platform_url_init();
	platform_root_key_init();
	platform_data_key_init();
	platform_secret_init();
	platform_integrations_init();
	platform_features_init();
	platform_legacy_init();
	platform_sessions_init();
	platform_tokens_init();
	platform_ops_init();
	platform_capabilities_init();
	platform_webhooks_init();
	platform_caps_init();
	platform_inbox_init();
	platform_messaging_init();
	platform_sender_init();
	platform_settings_reserve();
}
