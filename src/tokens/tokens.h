/*
 * tokens.h
 *	  What the files of this module share.
 *
 *	ledger.c		an account's state, its entries, and how both are written in one step
 *	entries.c		the log of entries: rows to append, look-up by key
 *	burn.c			burning: one, many, burn_tokens()
 *	accounts.c		triggers of accounts and entries
 *	grants.c		tokens given, with expiry and priority; purchases
 *	refund.c		burns taken back
 *	transfer.c		from account to account; adjustments
 *	holds.c			reserve, capture, release
 *	report.c		balances and statements, now and at a moment
 *	reconcile.c		accounts against their entries
 *	rates.c			the rate card
 *	calls.c			a call's meter: what is due at a moment
 *	billing.c		from a charge to an entry, or to unbilled_usage
 *	sessions.c		start, heartbeat, end of a call
 *	metering.c		the heartbeat of all calls
 *	unbilled.c		what could not be billed, tried again
 *	presence.c		hosts; lists of calls and debts
 */
#ifndef PLATFORM_TOKENS_H
#define PLATFORM_TOKENS_H

#include "core/module.h"
#include "core/result.h"

extern PlatformModule platform_tokens_module;

extern void platform_tokens_init(void);

/* Parts of the init: one for each file with settings or caches. */
extern void platform_ledger_init(void);
extern void platform_calls_init(void);

/*
 * Arguments. 22004 for a NULL; 22023 for an amount below 1, a key that is empty or
 * longer than 255 characters, a user id that is empty or longer than that.
 */
extern pg_uuid_t *platform_tokens_organization(FunctionCallInfo fcinfo, int argument);
extern text *platform_tokens_user(FunctionCallInfo fcinfo, int argument);
extern int64 platform_tokens_amount(FunctionCallInfo fcinfo, int argument);

/* The text as a C string: 22023 when it is empty or longer than so many characters. */
extern char *platform_tokens_name(text *value, const char *name, int most);

/* 22023 when it is empty or longer than 255 characters. */
extern void platform_tokens_require_length(text *value, const char *name);

/*
 * Hash of arguments that must be the same when a key comes again: numbers, and
 * a text or NULL.
 */
extern int64 platform_tokens_fingerprint(const int64 *numbers, int count, const text *value);

/* The order of bytes. */
extern int	platform_tokens_compare(const text *a, const text *b);

/* NULL for NULL. */
extern text *platform_tokens_key(FunctionCallInfo fcinfo, int argument);
extern text *platform_tokens_text(FunctionCallInfo fcinfo, int argument);

/*
 * Is the caller, within its organization, that user, an administrator, or an
 * operator? And, as an error, may the caller act for the account: an operator, an administrator of the
 * organization, or the account's own user? 42501 otherwise.
 */
extern bool platform_tokens_is_own(text *user_id);
extern void platform_tokens_require_account(const pg_uuid_t *organization, text *user_id);

/* Its own organization, or an operator: before anything of it is looked up. */
extern void platform_tokens_require_organization(const pg_uuid_t *organization);

/* The same for administrators. */
extern void platform_tokens_require_admin(const pg_uuid_t *organization);

/* PT404 and PT409. */
pg_noreturn extern void platform_tokens_no_account(text *user_id);
pg_noreturn extern void platform_tokens_key_conflict(const char *detail);

#endif							/* PLATFORM_TOKENS_H */
