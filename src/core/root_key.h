/*
 * root_key.h
 *	  Root keys: where they come from, and what is made of them.
 *
 * A root key is 32 bytes with a version, in no table and no setting.  It is
 * looked for, in this order, among those that platform.unlock() gave this
 * session, and in the first source that is configured of
 * platform.root_key_file, root_key_command and root_key_query.  All sources
 * give lines "version:hex", 64 hexadecimal digits; the last line is the
 * newest key; empty lines and lines that begin with # do not count.
 *
 * Nothing is read before the first use, so the server always starts.
 */
#ifndef PLATFORM_ROOT_KEY_H
#define PLATFORM_ROOT_KEY_H

#include "core/key_fault.h"

#define PLATFORM_ROOT_KEY_SIZE		32
#define PLATFORM_CHECK_VALUE_SIZE	8

/* What is kept of a root key, in key memory. */
typedef struct PlatformRootKey
{
	int32		version;
	uint8		wrapping_key[32];	/* wraps data keys */
	uint8		check_value[PLATFORM_CHECK_VALUE_SIZE];	/* no secret */
} PlatformRootKey;

extern void platform_root_key_init(void);

/* Counts changes of the settings and of what unlock() gave. */
extern uint64 platform_root_key_generation;

/*
 * The root key of that version, or the newest one for version 0; NULL with the
 * fault.  Good until the next call.
 */
extern const PlatformRootKey *platform_root_key_find(int32 version, PlatformKeyFault *fault);

/* The same of a version, when it has that check value. */
extern const PlatformRootKey *platform_root_key_checked(int32 version, const uint8 *check_value,
														PlatformKeyFault *fault);

/*
 * Keeps a key for this session, when it has the check value (NULL: any);
 * platform_root_key_lock() forgets them all.
 */
extern const PlatformRootKey *platform_root_key_unlock(int32 version, const uint8 *bytes,
													   const uint8 *check_value,
													   PlatformKeyFault *fault);
extern void platform_root_key_lock(void);

/* Where keys come from, for messages; NULL when nothing is configured. */
extern const char *platform_root_key_source(void);

/*
 * What reads a source writes its lines into a buffer in key memory: false with
 * the fault.  version is the one that is wanted, 0 for the newest.
 */
typedef struct PlatformRootKeyText
{
	size_t		length;
	char		bytes[16 * 1024];
} PlatformRootKeyText;

extern bool platform_root_key_run_command(const char *command, int timeout, int32 version,
										  PlatformRootKeyText *text, PlatformKeyFault *fault);
extern bool platform_root_key_run_query(const char *query,
										PlatformRootKeyText *text, PlatformKeyFault *fault);

#endif							/* PLATFORM_ROOT_KEY_H */
