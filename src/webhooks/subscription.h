/*
 * subscription.h
 *	  Subscriptions and their secrets: what the trigger and the functions share.
 */
#ifndef PLATFORM_WEBHOOK_SUBSCRIPTION_H
#define PLATFORM_WEBHOOK_SUBSCRIPTION_H

#include "core/secret.h"
#include "webhooks/webhooks.h"

/*
 * The argument names a subscription that the caller administers; its organization
 * is returned. 22004 NULL; PT404 none, or another organization's; 42501 a member
 * who is no administrator. In a query.
 */
extern pg_uuid_t platform_require_webhook_subscription(const pg_uuid_t *id);

/*
 * A secret as the scheme's key: what is no key of Standard Webhooks is used by
 * its bytes. Replaces the plaintext.
 */
extern void platform_webhook_secret_to_key(const char *scheme, PlatformPlaintext *secret);

/* 22023 unless it has the length of a secret and can sign. */
extern void platform_webhook_require_secret(const char *scheme, const char *secret, size_t length);

#endif							/* PLATFORM_WEBHOOK_SUBSCRIPTION_H */
