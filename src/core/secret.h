/*
 * secret.h
 *	  Encrypting and decrypting secrets inside C.
 *
 * A secret is encrypted under the data key of its organization and purpose, and
 * bound to its place: copied to another row, field, purpose or organization it
 * cannot be read. The envelope is
 *
 *		0	1	format 1
 *		1	1	suite: 1 AES-256-GCM, 2 XAES-256-GCM
 *		2	4	number of the data key, big-endian
 *		6		nonce (12 or 24 bytes), ciphertext, tag (16 bytes)
 *
 * and its text form, which tables hold, is base64url.
 *
 * Nothing here checks rights: the caller does, before it calls. Modules that
 * keep envelopes list table, column and purpose in platform.secret_columns.
 */
#ifndef PLATFORM_SECRET_H
#define PLATFORM_SECRET_H

#include "core/key_fault.h"

/* Where a secret belongs. */
typedef struct PlatformSecretPlace
{
	const pg_uuid_t *organization;
	const char *purpose;		/* such as "integration_accounts.credentials"; 1 to 127 bytes */
	const pg_uuid_t *row;
	const char *pointer;		/* RFC 6901, of a leaf of a document; NULL: the whole column */
} PlatformSecretPlace;

/* A plaintext: palloc'd, with a terminating zero that does not count. */
typedef struct PlatformPlaintext
{
	char	   *bytes;
	size_t		length;
} PlatformPlaintext;

/* Once, from _PG_init. */
extern void platform_secret_init(void);

/*
 * The envelope's text form. The first secret of an organization and purpose
 * makes their data key. Errors: F0000 no root key, or a wrong one; 23503 no
 * such organization; 22023 purpose or pointer too long; 25006 in a read-only
 * transaction when a key has to be made; PT429 a key is worn out.
 */
extern text *platform_secret_encrypt(const PlatformSecretPlace *place,
									 const void *plain, size_t length);

/*
 * Decrypts the text form. Answers why not instead of raising, in the fault's
 * reason. What comes from a read of tables may still raise: cancellation, out
 * of memory. Wipe what was returned with platform_secret_wipe().
 */
extern bool platform_secret_try_decrypt(const PlatformSecretPlace *place,
										const char *envelope, size_t length,
										PlatformPlaintext *plain, PlatformKeyFault *fault);

/* The same; raises what is the matter: see platform_key_fault_raise(). */
extern PlatformPlaintext platform_secret_decrypt(const PlatformSecretPlace *place,
												 const char *envelope, size_t length);

/* Overwrites and frees a plaintext; one never filled is no matter. */
extern void platform_secret_wipe(PlatformPlaintext *plain);

/* Has the text the form of an envelope? Says nothing of its contents. */
extern bool platform_secret_is_envelope(const char *text, size_t length);

/* The number of its data key; 0 when it is no envelope. */
extern int32 platform_secret_key_id(const char *envelope, size_t length);

/* Is it under the active key of its organization and purpose, in the suite in use? */
extern bool platform_secret_is_current(const PlatformSecretPlace *place,
									   const char *envelope, size_t length);

/*
 * The same secret under the active key; NULL when it is already. Raises like
 * decrypting and encrypting.
 */
extern text *platform_secret_reencrypt(const PlatformSecretPlace *place,
									   const char *envelope, size_t length);

/*
 * Texts are kept in UTF-8: from and to the database's encoding. Decrypting
 * answers NULL with the fault, KEY_BAD_ENCODING among them.
 */
extern text *platform_secret_encrypt_text(const PlatformSecretPlace *place, const text *plain);
extern text *platform_secret_try_decrypt_text(const PlatformSecretPlace *place,
											  const char *envelope, size_t length,
											  PlatformKeyFault *fault);

/* Makes a text of a plaintext and wipes that; false when it can be none. */
extern bool platform_secret_to_text(PlatformPlaintext *plain, text **result);

/* The text in UTF-8, a copy to be wiped; 22P05 when that is not possible. */
extern PlatformPlaintext platform_secret_from_text(const text *plain);

/*
 * Records that a secret was shown, or a key changed: a row of
 * secret_access_log, a line in the server's log, and a logical message that
 * stays when the transaction is rolled back. action: 'reveal', ...; place->row,
 * ->pointer and detail may be NULL. Errors: 25006 where nothing can be written.
 */
extern void platform_secret_record(const char *action, const PlatformSecretPlace *place,
								   const char *detail);

#endif							/* PLATFORM_SECRET_H */
