/*
 * billing.h
 *	  From a call's charge to an entry of its account, or to unbilled_usage.
 */
#ifndef PLATFORM_TOKENS_BILLING_H
#define PLATFORM_TOKENS_BILLING_H

#include "tokens/calls.h"
#include "tokens/ledger.h"

/* What became of a charge. */
typedef enum BillOutcome
{
	BILL_NOTHING,				/* nothing was due, or nobody pays */
	BILL_PAID,
	BILL_DEBT,					/* billed, in part as debt: the balance ran dry */
	BILL_UNBILLED,				/* in unbilled_usage */
	BILL_REFUNDED				/* less than was billed before: given back */
} BillOutcome;

typedef struct Bill
{
	BillOutcome outcome;
	int64		burned;			/* below zero: given back */
	int64		shortfall;		/* part of it beyond the overdraft limit */
	bool		has_balance;	/* the account was seen */
	TokenBalance balance;		/* afterwards */
	const char *reason;			/* why not: a reason of unbilled_usage, or NULL */
	ErrorData  *error;			/* with that; NULL when there was none */
} Bill;

/*
 * Writes the call's row, which is locked, then bills the charge, renews the
 * reservation and reads the balance, in a subtransaction. When that fails the
 * charge goes into unbilled_usage; an error of that insert passes through.
 */
extern void platform_call_bill(PlatformRow *row, CallSession *call, const CallCharge *charge,
							   TimestampTz at, Bill *bill);

/*
 * Gives back what the call, whose row is locked, was charged too much: debts not
 * yet billed first, then its entries from the newest, to the grants that paid.
 * Returns how much, which may be less when entries were refunded before, and
 * lowers what the call says. Raises when it fails.
 */
extern int64 platform_call_give_back(CallSession *call, int64 tokens);

/* Writes a call's row that is locked. */
extern void platform_call_write(PlatformRow *row, const CallSession *call);

/*
 * A reservation is renewed in three steps: the row gets the one hoped for, so
 * that the ledger does not take the old one for one that is over; the account
 * gives up the old one for the new one; and the row is corrected when the
 * account had less. begin returns the old one, to be put back when it fails.
 */
typedef struct CallReservation
{
	int64		amount;
	TimestampTz until;
} CallReservation;

extern CallReservation platform_call_begin_reserve(CallSession *call, TimestampTz at);

/* Reads the balance only; bill->has_balance is false when that fails. */
extern void platform_call_read_balance(const CallSession *call, Bill *bill);

/* Is there anything to do at the account: to burn, to release, to reserve? */
extern bool platform_call_needs_account(const CallSession *call, const CallCharge *charge);

/*
 * The request for a charge of a call whose row has been written, with the
 * reservation that it had; texts are made in the current memory context.
 */
extern void platform_call_prepare_burn(const CallSession *call, const CallCharge *charge,
									   int64 release, TokenBurn *burn);

/* What is set aside after the burn. */
static inline int64
platform_burn_reserved(const TokenBurn *burn)
{
	/* A duplicate has neither released nor reserved. */
	return burn->duplicate ? burn->release : burn->reserved;
}

/* Cancels open rows of unbilled_usage of the call, at most so many tokens; how many. */
extern int64 platform_unbilled_cancel(const CallSession *call, int64 tokens);

/* Why a burn is no bill: a reason of unbilled_usage, or NULL. */
extern const char *platform_burn_reason(TokenStatus status);
extern const char *platform_bill_reason(const ErrorData *error);

/* Records a charge that could not be billed. error may be NULL. */
extern void platform_call_record_unbilled(const CallSession *call, const CallCharge *charge,
										  const char *reason, const ErrorData *error);

#endif							/* PLATFORM_TOKENS_BILLING_H */
