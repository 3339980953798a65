/*
 * settings.h
 *	  The prefix "platform" of setting names.
 */
#ifndef PLATFORM_SETTINGS_H
#define PLATFORM_SETTINGS_H

/* After all modules have defined theirs: no other platform.* names are accepted. */
extern void platform_settings_reserve(void);

#endif							/* PLATFORM_SETTINGS_H */
