/*
 * account.h
 *	  The accounts at providers by which requests are verified. Kept by module
 *	  credentials, which puts its function here in its init; without its tables
 *	  there are no accounts.
 */
#ifndef PLATFORM_ACCOUNT_H
#define PLATFORM_ACCOUNT_H

#include "nodes/pg_list.h"

#include "core/secret.h"
#include "core/signature.h"

#define PLATFORM_ACCOUNT_SECRETS 2

typedef struct PlatformAccount
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	bool		usable;			/* active and not deleted; else it has no secrets */
	int			nsecrets;
	PlatformPlaintext secrets[PLATFORM_ACCOUNT_SECRETS];
} PlatformAccount;

/*
 * The accounts with that id, or that webhook_url, with the secrets in clear that
 * sign by the scheme at that moment; several only when organizations share an id.
 * A secret that cannot be decrypted is an error. Rights are not asked for. Forget
 * them with platform_accounts_forget().
 */
typedef List *(*PlatformAccountFinder) (const char *account, PlatformSignatureScheme scheme,
										TimestampTz now);

extern PlatformAccountFinder platform_account_finder;

static inline void
platform_accounts_forget(List *accounts)
{
	ListCell   *cell;

	foreach(cell, accounts)
	{
		PlatformAccount *account = lfirst(cell);

		for (int i = 0; i < account->nsecrets; i++)
			platform_secret_wipe(&account->secrets[i]);
		account->nsecrets = 0;
	}
}

#endif							/* PLATFORM_ACCOUNT_H */
