/*
 * webhooks.h
 *	  What the files of this module share.
 *
 *	emit.c			events from SQL
 */
#ifndef PLATFORM_WEBHOOKS_H
#define PLATFORM_WEBHOOKS_H

#include "core/module.h"

extern PlatformModule platform_webhooks_module;

#endif							/* PLATFORM_WEBHOOKS_H */
