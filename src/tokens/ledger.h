/*
 * ledger.h
 *	  Accounts and entries: every change of a balance goes through here.
 *
 * For callers that bill calls there are two functions, platform_ledger_burn()
 * and platform_ledger_burn_batch(). They need no SPI, no snapshot and no role:
 * rights are the caller's to check. They raise only for what is no answer:
 * 25006, 22003 (a balance beyond 64 bits), 40P01, 55P03, 40001 above READ COMMITTED,
 * and the like.
 *
 * What a live call sets aside is kept in its own row of call_sessions (columns
 * reserved, reserved_until), and its sum in the account's held. Each burn of a
 * call may take its reservation back (release) and make a new one (reserve) in
 * the same step. Whoever passes release must hold the session's row locked: the
 * ledger itself sets reserved to 0 in rows whose time is over, and skips those
 * that are locked. A call that is not live has nothing reserved: what it could not
 * give back has become a hold.
 *
 * Order of locks: the call's row, then accounts in the order of (organization,
 * user id, by bytes), then anything else.
 */
#ifndef PLATFORM_TOKENS_LEDGER_H
#define PLATFORM_TOKENS_LEDGER_H

#include "utils/array.h"

#include "core/append.h"
#include "core/row.h"

/* What to do when the account cannot pay the whole amount. */
typedef enum TokenShortage
{
	SHORTAGE_REJECT,			/* nothing is burned */
	SHORTAGE_PARTIAL,			/* what there is */
	SHORTAGE_OVERDRAFT,			/* all or nothing, down to the overdraft limit */
	SHORTAGE_DEBT				/* all; what the limit does not cover is overage */
} TokenShortage;

typedef enum TokenStatus
{
	TOKENS_OK,
	TOKENS_PARTIAL,				/* burned < amount */
	TOKENS_OVERDRAFT,			/* all burned; the balance is below zero */
	TOKENS_OVERAGE,				/* all burned; shortfall of it is new debt beyond the limit */
	TOKENS_INSUFFICIENT,		/* nothing burned, nothing recorded */
	TOKENS_NO_ACCOUNT,			/* the same */
	TOKENS_KEY_CONFLICT			/* the key came before with other arguments */
} TokenStatus;

extern const char *platform_token_status_name(TokenStatus status);

typedef struct TokenBurn
{
	/* The request. Texts must outlive the call. */
	pg_uuid_t	organization;
	text	   *user_id;
	int64		amount;			/* not below 0; 0 writes no entry */
	TokenShortage on_insufficient;
	const char *mode;			/* "voice", "video" or NULL */
	bool		has_turn;
	bool		used_turn;
	text	   *session_id;		/* or NULL */
	int32		duration_seconds;	/* -1: none */
	text	   *key;			/* idempotency key or NULL */
	const pg_uuid_t *id;		/* of the entry, made by who bills and never used twice; or NULL */
	const pg_uuid_t *rate_id;	/* or NULL */
	text	   *reason;			/* or NULL */
	int64		release;		/* reservation that ends with this */
	int64		reserve;		/* to set aside afterwards, as far as there is */
	TimestampTz reserve_until;

	/* The answer. */
	int64		burned;
	int64		shortfall;
	int64		remaining;		/* the balance afterwards */
	int64		available;		/* of it neither held nor about to expire; may be below 0 */
	int64		reserved;
	TokenStatus status;
	bool		duplicate;		/* answered as when the key came first; nothing done now */
	pg_uuid_t	entry_id;		/* all zero when there is none */
} TokenBurn;

/* Burns, and answers in *burn. Waits for the account's row. */
extern void platform_ledger_burn(TokenBurn *burn);

/*
 * Burns many, account by account in the order of locks, each account's row
 * written once. Memory is bounded by the burns themselves. The answers are in
 * the array's places; burns of one account are done in the order of their keys.
 */
extern void platform_ledger_burn_batch(TokenBurn *burns, int count);

/*
 * Takes back what a call's burns have taken, from the newest, each at most what
 * is left of it; returns how much. Entries of kind refund that have the mode,
 * session and rate of what they reverse. Waits for the account's row.
 */
typedef struct TokenTakeBack
{
	pg_uuid_t	organization;
	text	   *user_id;
	text	   *session_id;
	int64		tokens;
} TokenTakeBack;

extern int64 platform_ledger_take_back(const TokenTakeBack *back);

/*
 * A hold instead of a call's reservation, of the same amount and time: for a call
 * that ends while its account cannot be changed. Held of the account stays as it is.
 */
extern void platform_hold_instead(const pg_uuid_t *organization, text *user_id, int64 amount,
								  TimestampTz until);

/* What an account has now, seen from any isolation level; false: no account. */
typedef struct TokenBalance
{
	int64		balance;
	int64		held;			/* of holds that are not over */
	int64		expired;		/* of grants that are over, to be written off */
	int64		available;		/* balance - held - expired */
	int64		overdraft_limit;
	int64		overage;
} TokenBalance;

extern bool platform_ledger_balance(const pg_uuid_t *organization, text *user_id,
									TokenBalance *balance);

/*
 * Inside the module: one account's state in memory, changed by functions that
 * touch nothing else and then written as a whole.
 */

/*
 * What is left of a grant. number: the version of the grant's entry; all grants
 * of one priority that never expire are one element, with -1 - priority.
 */
typedef struct LedgerGrant
{
	int64		number;
	int64		remaining;
	int64		expires_at;		/* DT_NOEND: never */
	int64		priority;
} LedgerGrant;

/*
 * Tokens that never expire, of this priority, are what the balance holds beyond
 * open grants: they need no element. Opening balances and purchases are such.
 */
#define LEDGER_POOL_PRIORITY 200
#define LEDGER_POOL 0			/* in place of a grant's number */

#define LEDGER_NO_EXPIRY DT_NOEND

/* The reason of an account's first entry. */
#define LEDGER_OPENING "opening balance"

/*
 * The grants of open_grants whose time is over, as much as no hold needs; for
 * each, if wanted, how much.
 */
extern int64 platform_grants_expired(const LedgerGrant *grants, int ngrants, int64 balance,
									 int64 held, TimestampTz now, int64 *each);

/* Portions of an amount by grant: pairs of number and amount. */
typedef struct LedgerPortions
{
	int			count;
	int			capacity;
	int64	   *pairs;
} LedgerPortions;

typedef struct LedgerAccount
{
	pg_uuid_t	organization;
	text	   *user_id;
	int64		balance;
	int64		held;
	int64		overdraft_limit;
	int64		overage;
	int64		version;
	TimestampTz held_until;		/* LEDGER_NO_EXPIRY: nothing is held */
	TimestampTz updated_at;
	ArrayType  *thresholds;		/* or NULL */
	int			ngrants;
	int			grants_capacity;
	LedgerGrant *grants;		/* in the order of use */

	TimestampTz now;			/* not before updated_at */
	bool		changed;
	bool		grants_changed;
	int64		first_balance;	/* before the change */
} LedgerAccount;

/* A row of token_usage. What is zero or NULL is not there. */
typedef struct LedgerEntry
{
	const char *kind;
	int64		amount;
	int64		tokens_used;
	int64		shortfall;
	const char *mode;
	bool		has_turn;
	bool		used_turn;
	text	   *session_id;
	int32		duration_seconds;	/* -1: none */
	text	   *key;
	int64		fingerprint;	/* with a key */
	const pg_uuid_t *rate_id;
	const pg_uuid_t *reverses;
	const LedgerPortions *portions;
	text	   *reason;
	const pg_uuid_t *given_id;	/* or NULL */

	pg_uuid_t	id;				/* filled in by platform_ledger_post() */
} LedgerEntry;

/* Open tables and the account at hand. */
typedef struct Ledger
{
	PlatformRow accounts;
	PlatformRow keys;			/* token_usage, by id */
	bool		keys_open;
	PlatformAppend *entries;
	PlatformAppend own_entries;
	bool		locked;
	bool		lock_wanted;
	LedgerAccount account;
} Ledger;

/*
 * Decides on ledger->account, posts entries, and returns. It is run again when
 * somebody else changed the account meanwhile, so it changes nothing else
 * unless ledger->locked, which platform_ledger_wants_lock() asks for.
 */
typedef void (*LedgerBody) (Ledger *ledger, void *arg);

extern void platform_ledger_open(Ledger *ledger, int capacity);
extern void platform_ledger_close(Ledger *ledger);

/* A second account in the same entries: close it first. */
extern void platform_ledger_open_beside(Ledger *ledger, Ledger *first);

/*
 * Runs body on the account until it is written. False: no such account. With
 * lock the row is locked first. Entries are in token_usage after
 * platform_ledger_flush(), which the caller calls.
 */
extern bool platform_ledger_change(Ledger *ledger, const pg_uuid_t *organization, text *user_id,
								   bool lock, LedgerBody body, void *arg);

/* Writes the entries. */
extern void platform_ledger_flush(Ledger *ledger);

/* For a body that is not locked: come again with the lock. True when it has to return. */
extern bool platform_ledger_wants_lock(Ledger *ledger);

/*
 * Ends holds and grants that are over; the first thing that a body does. False:
 * the body has to return, to come again with the lock.
 */
extern bool platform_ledger_settle(Ledger *ledger);

/* The account operations. Amounts are above zero; sums beyond 64 bits raise 22003. */
extern void platform_account_expire(Ledger *ledger);
extern int64 platform_account_available(const LedgerAccount *account);
extern int64 platform_account_pool(const LedgerAccount *account);
extern void platform_account_take(LedgerAccount *account, int64 amount, LedgerPortions *portions);

/*
 * Takes what has to be taken, whatever there is; returns by how much the debt
 * beyond the overdraft limit has grown. What others have set aside makes no debt
 * until it is used: so the sum of what is returned is what the account owes.
 */
extern int64 platform_account_owe(LedgerAccount *account, int64 amount, LedgerPortions *portions);
extern int64 platform_account_debt(const LedgerAccount *account);
extern void platform_account_give(LedgerAccount *account, int64 amount, int64 number,
								  TimestampTz expires_at, int priority,
								  LedgerPortions *portions);
extern void platform_account_hold(LedgerAccount *account, int64 change, TimestampTz until);
extern void platform_portions_add(LedgerPortions *portions, int64 number, int64 amount);

/*
 * Adds the entry for a balance that has just been changed by entry->amount.
 * What the entry points to must live until the flush, unless it is copied: kind
 * and mode are.
 */
extern void platform_ledger_post(Ledger *ledger, LedgerEntry *entry);

/* The entry's id: from the key, or a new one. */
extern void platform_ledger_entry_id(const LedgerAccount *account, text *key, pg_uuid_t *id);

/*
 * The entry with the id, as it stands in the log and is durable; false when
 * there is none. Pointers are good until the next look-up.
 */
typedef struct LedgerFound
{
	pg_uuid_t	id;
	text	   *user_id;
	const char *kind;
	int64		amount;
	int64		tokens_used;
	int64		shortfall;
	int64		balance_after;
	int64		version;
	int64		fingerprint;
	text	   *key;
	bool		has_reverses;
	pg_uuid_t	reverses;
	ArrayType  *paid_by;
	TimestampTz timestamp;
} LedgerFound;

extern bool platform_ledger_find_entry(Ledger *ledger, const pg_uuid_t *organization,
									   const pg_uuid_t *id, LedgerFound *found);

/*
 * Did the key come before? Then *found is its entry. *conflict: with other
 * arguments, or for another kind of entry.
 */
extern bool platform_ledger_find_key(Ledger *ledger, text *key, const char *kind,
									 int64 fingerprint, LedgerFound *found, bool *conflict);

#endif							/* PLATFORM_TOKENS_LEDGER_H */
