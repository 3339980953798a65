/*
 * grants.h
 *	  Grants: what the files of this module ask of grants.c.
 */
#ifndef PLATFORM_TOKENS_GRANTS_H
#define PLATFORM_TOKENS_GRANTS_H

#include "tokens/ledger.h"

/* Grants that are used before what is bought, unless they say otherwise. */
#define GRANT_PRIORITY 100

typedef struct TokenGrant
{
	/* The request. */
	int64		amount;
	TimestampTz expires_at;		/* LEDGER_NO_EXPIRY: never */
	bool		is_over;		/* was when it was asked for: 22023 unless it came before */
	int			priority;
	const char *source;
	text	   *payment_id;		/* or NULL */
	text	   *key;			/* or NULL */
	text	   *reason;			/* or NULL */
	int64		fingerprint;	/* with a key */
	const char *kind;			/* of the entry */

	/* The answer. */
	pg_uuid_t	entry_id;
	int64		number;
	bool		duplicate;
	int64		remaining;
} TokenGrant;

/* Gives to the account at hand, or finds that the key came before: PT409 if otherwise. */
extern void platform_grant_body(Ledger *ledger, void *grant);

/* The grant's row, once the account is written. */
extern void platform_grant_record(const pg_uuid_t *organization, text *user_id,
								  const TokenGrant *grant);

/* Expiry and priority of a grant by its number; 0 and negative numbers too. */
extern void platform_grant_find(const LedgerAccount *account, int64 number,
								TimestampTz *expires_at, int *priority);

#endif							/* PLATFORM_TOKENS_GRANTS_H */
