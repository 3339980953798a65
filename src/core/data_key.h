/*
 * data_key.h
 *	  Data keys: one active key an organization and purpose.
 *
 * A data key is 32 random bytes, in platform.data_keys, wrapped with AES-256-GCM
 * under a key made from a root key.  Unwrapped ones are kept in key memory, at
 * most 8192, until the tables change, a (sub)transaction aborts or the setting
 * of the source does.
 *
 * Locks, to the end of the transaction: who encrypts holds ROW SHARE on
 * data_keys, so that destroy_data_key(), which takes EXCLUSIVE, sees all that
 * was encrypted; who makes or changes a data key holds ROW SHARE on root_keys,
 * so that rotate_root_key(), which takes EXCLUSIVE, re-wraps all of them.
 */
#ifndef PLATFORM_DATA_KEY_H
#define PLATFORM_DATA_KEY_H

#include "core/aad.h"
#include "core/key_fault.h"
#include "core/module.h"
#include "core/root_key.h"

typedef enum PlatformDataKeyKind
{
	DATA_KEY_SECRET,			/* encrypts */
	DATA_KEY_INDEX				/* makes blind indexes */
} PlatformDataKeyKind;

typedef struct PlatformDataKey
{
	int32		id;
	uint8		bytes[PLATFORM_AEAD_KEY_SIZE];
	uint8		mask[PLATFORM_XAES_MASK_SIZE];	/* for XAES */
} PlatformDataKey;

/* What stands in a row of data_keys, beside its columns. */
typedef struct PlatformDataKeyRow
{
	const pg_uuid_t *organization;
	const char *purpose;
	PlatformDataKeyKind kind;
	int32		id;
} PlatformDataKeyRow;

#define PLATFORM_WRAPPED_KEY_SIZE \
	(PLATFORM_GCM_NONCE_SIZE + PLATFORM_AEAD_KEY_SIZE + PLATFORM_AEAD_TAG_SIZE)

extern PlatformModule platform_keys_module;

extern void platform_data_key_init(void);

extern const char *platform_data_key_kind_name(PlatformDataKeyKind kind);

/* 22023 unless the purpose has 1 to 127 bytes. */
extern void platform_require_purpose(const char *purpose);

/*
 * The key that is to encrypt now; made when there is none yet.  Takes the lock
 * of who encrypts.  Errors: those of root keys; 23503 no such organization;
 * 25006.  The pointer is good until the next call of this file.
 */
extern const PlatformDataKey *platform_data_key_active(const pg_uuid_t *organization,
													   const char *purpose,
													   PlatformDataKeyKind kind);

/*
 * The same without making one: NULL with reason KEY_UNKNOWN when there is none
 * yet, or with another fault.
 */
extern const PlatformDataKey *platform_data_key_existing(const pg_uuid_t *organization,
														 const char *purpose,
														 PlatformDataKeyKind kind,
														 PlatformKeyFault *fault);

/* The key of that number, for decrypting; NULL with the fault. */
extern const PlatformDataKey *platform_data_key_find(const pg_uuid_t *organization,
													 const char *purpose,
													 PlatformDataKeyKind kind, int32 id,
													 PlatformKeyFault *fault);

/* A new active key; there must be none.  Returns its id. */
extern int32 platform_data_key_create(const pg_uuid_t *organization, const char *purpose,
									  PlatformDataKeyKind kind);

/* Take the locks that the head of this file names. */
extern void platform_data_keys_share(void);
extern void platform_root_keys_share(void);
extern void platform_data_keys_exclude(void);
extern void platform_root_keys_exclude(void);

/* Serializes making and changing the keys of one organization and purpose. */
extern void platform_data_key_mutex(const pg_uuid_t *organization, const char *purpose);

/*
 * What root_keys has of a version, or of the active one for version 0; false when
 * there is none. Inside a query.
 */
typedef struct PlatformRootKeyRecord
{
	int32		version;
	bool		active;
	uint8		check_value[PLATFORM_CHECK_VALUE_SIZE];
} PlatformRootKeyRecord;

extern bool platform_root_key_recorded(int32 version, PlatformRootKeyRecord *record);

/* The check value as a bytea. */
extern Datum platform_check_value_datum(const uint8 *check_value);

/*
 * The root key that wraps new data keys; the first one is recorded with its
 * check value.  Raises what is the matter.
 */
extern const PlatformRootKey *platform_root_key_active(void);

extern void platform_data_key_wrap(const PlatformDataKeyRow *row, const PlatformRootKey *root,
								   const uint8 *key, uint8 *wrapped);
extern bool platform_data_key_unwrap(const PlatformDataKeyRow *row, const PlatformRootKey *root,
									 const uint8 *wrapped, uint8 *key);

#endif							/* PLATFORM_DATA_KEY_H */
