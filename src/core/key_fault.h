/*
 * key_fault.h
 *	  Why a key or a secret cannot be used: as a value, or as an error.
 *
 * A listing must survive one bad row, so what opens secrets answers instead of
 * raising; who wants the error raises what was answered.
 */
#ifndef PLATFORM_KEY_FAULT_H
#define PLATFORM_KEY_FAULT_H

typedef enum PlatformKeyReason
{
	KEY_OK,
	KEY_MALFORMED,				/* no envelope */
	KEY_UNSUPPORTED,			/* an envelope of a later version, or another suite */
	KEY_NO_ROOT_KEY,			/* root key not configured or its source not usable */
	KEY_WRONG_ROOT_KEY,			/* its check value differs */
	KEY_UNKNOWN,				/* no such data key */
	KEY_DESTROYED,
	KEY_NOT_AUTHENTIC,			/* wrong key, another place, or tampered with */
	KEY_BAD_ENCODING			/* no text of this database */
} PlatformKeyReason;

/* Texts are of the memory context that was current; NULL where there is none. */
typedef struct PlatformKeyFault
{
	PlatformKeyReason reason;
	const char *message;
	const char *detail;
	const char *hint;
} PlatformKeyFault;

/* The reason in capitals, as SQL functions answer it; NULL for KEY_OK. */
extern const char *platform_key_reason_name(PlatformKeyReason reason);

/* Fills the fault and returns false. */
extern bool platform_key_fault(PlatformKeyFault *fault, PlatformKeyReason reason,
							   const char *message, const char *detail, const char *hint);

/*
 * Raises it: F0000 for a root key, PT410 for a destroyed data key, 42704 for
 * an unknown one, 22023 for what is no envelope, XX001 for what is not
 * authentic, 22P05 for what is no text of this database.
 */
pg_noreturn extern void platform_key_fault_raise(const PlatformKeyFault *fault);

#endif							/* PLATFORM_KEY_FAULT_H */
