/*
 * integrations.h
 *	  Accounts at providers: what the files about integration_accounts share.
 *
 *	document.c				walks a provider's document
 *	credential_fields.c		which of its strings are secret; encrypt_credentials()
 *	integration_secrets.c	encrypting and decrypting what one row holds
 *	integrations.c			the trigger, the settings
 *	integration_health.c	errors, verification, alerts
 *	integration_verify.c	requests of providers, verified without showing a secret
 *	integration_reveal.c	redacting, revealing; rotating webhook secrets
 *	reencrypt.c				reencrypt_credentials()
 *	legacy_credentials.c	import_legacy_credentials()
 */
#ifndef PLATFORM_INTEGRATIONS_H
#define PLATFORM_INTEGRATIONS_H

#include "nodes/pg_list.h"

#include "core/module.h"
#include "core/secret.h"
#include "credentials/document.h"

extern PlatformModule platform_integrations_module;

extern void platform_integrations_init(void);
extern void platform_credential_fields_init(void);
extern void platform_integration_health_init(void);
extern void platform_integration_secrets_init(void);
extern void platform_integration_verify_init(void);
extern void platform_reencrypt_init(void);

/* The secret paths of a type of account; none when it has no rows. */
extern DocumentPaths platform_credential_paths(const char *account_type);

/* 23514 when it has none: what is secret of such an account is not known. */
extern DocumentPaths platform_require_credential_paths(const char *account_type);

/* The columns with secrets: credentials is jsonb, the others are text. */
typedef enum IntegrationSecret
{
	INTEGRATION_CREDENTIALS,
	INTEGRATION_ACCESS_TOKEN,
	INTEGRATION_REFRESH_TOKEN,
	INTEGRATION_WEBHOOK_SECRET,
	INTEGRATION_PREVIOUS_WEBHOOK_SECRET,
	INTEGRATION_SECRETS
} IntegrationSecret;

extern const char *const platform_integration_columns[INTEGRATION_SECRETS];

#define INTEGRATION_MAX_KEYS 32

/* What one row holds; values are detoasted where they are looked at. */
typedef struct IntegrationSecrets
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	const char *account_type;
	Datum		values[INTEGRATION_SECRETS];
	bool		nulls[INTEGRATION_SECRETS];

	/* filled by encrypting */
	bool		changed[INTEGRATION_SECRETS];
	bool		given;			/* a secret came in clear */
	int			nkeys;
	int32		keys[INTEGRATION_MAX_KEYS];
} IntegrationSecrets;

/*
 * Encrypts what stands in clear. Envelopes stay if old has them in the same
 * place, or if they can be decrypted there; else PT422. A redacted secret
 * ("****" and its last four characters) stands for the one that old has. old may
 * be NULL.
 */
extern void platform_integration_encrypt(IntegrationSecrets *row, const IntegrationSecrets *old);

/*
 * Puts all envelopes under the active keys, and encrypts what stands in clear. False,
 * with nothing changed, when one cannot be decrypted.
 */
extern bool platform_integration_reencrypt(IntegrationSecrets *row);

/* The keys as a value of data_key_ids. */
extern Datum platform_integration_key_ids(const IntegrationSecrets *row);

/* One secret: its place; the text of a column; the pointer of a leaf (else NULL). */
extern PlatformSecretPlace platform_integration_place(const IntegrationSecrets *row,
													  IntegrationSecret column,
													  const char *pointer);

/*
 * Decrypts a column of text, or the leaf of the document; false with the reason,
 * which is KEY_OK when there is none.
 */
extern bool platform_integration_open(const IntegrationSecrets *row, IntegrationSecret column,
									  const char *pointer, PlatformPlaintext *plain,
									  PlatformKeyFault *fault);

/* An account's row. */
typedef struct IntegrationAccount
{
	IntegrationSecrets secrets;
	bool		usable;			/* active and not deleted */
	TimestampTz previous_until; /* end of the previous webhook secret */
} IntegrationAccount;

/*
 * The account as it is now, whoever the caller is; false when there is none. Deleted
 * ones count.
 */
extern bool platform_integration_find(const pg_uuid_t *organization, const pg_uuid_t *id,
									  IntegrationAccount *account);

/* That of the first two arguments of a function, which the caller may act for. */
extern bool platform_integration_argument(FunctionCallInfo fcinfo, IntegrationAccount *account);

/* Those of all organizations with that id, up to a hundred. */
extern List *platform_integrations_by_id(const pg_uuid_t *id);

/* PT404. */
pg_noreturn extern void platform_no_such_integration(const pg_uuid_t *id);

#define WEBHOOK_SECRET_PREFIX "whsec_"

/* Copies "****" and, of long secrets, the last four characters. */
extern char *platform_redact(const char *plain, size_t length);

#endif							/* PLATFORM_INTEGRATIONS_H */
