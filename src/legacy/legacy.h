/*
 * legacy.h
 *	  The older schema that module legacy migrates.
 */
#ifndef PLATFORM_LEGACY_LEGACY_H
#define PLATFORM_LEGACY_LEGACY_H

extern void platform_legacy_init(void);

#endif							/* PLATFORM_LEGACY_LEGACY_H */
