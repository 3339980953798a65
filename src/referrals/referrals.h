/*
 * referrals.h
 *	  What the files of this module share.
 *
 *	referrals.c		arguments, settings, one referral, its events
 *	codes.c			codes, and whose they are
 *	outbox.c		what referred customers do: attribute_referral(), record_referral_...()
 *	apply.c			apply_referral_events(): what follows for their referrers
 *	fraud.c			signals, scores, reviews
 *	commissions.c	earning, approving, taking back
 *	payouts.c		reserving and paying
 *	lists.c			what users and staff read
 *	triggers.c		how states follow each other, whoever writes
 *
 * Order of locks: the worker's mutex (apply_referral_events(),
 * release_referral_commissions()), then that of a referrer, under which all that
 * changes his money is done, one after the other, to the end of the transaction.
 */
#ifndef PLATFORM_REFERRALS_H
#define PLATFORM_REFERRALS_H

#include "utils/timestamp.h"

#include "core/module.h"
#include "core/query.h"

#define REFERRAL_CODE_LENGTH	8
#define REFERRAL_BATCH_MOST		1000
#define REFERRAL_TEXT_MOST		1000

/* All that decides about money sees what is committed now, and finds it by an index. */
#define REFERRAL_READ	(QUERY_READ | QUERY_LATEST | QUERY_OWNER | QUERY_INDEXED)
#define REFERRAL_WRITE	(QUERY_LATEST | QUERY_OWNER | QUERY_INDEXED)

/* Of one moment: no moment. */
#define REFERRAL_NEVER	DT_NOBEGIN

extern PlatformModule platform_referrals_module;

/* The row of referral_settings. */
typedef struct ReferralSettings
{
	bool		is_active;
	int64		upfront_amount_cents;
	int			monthly_percent;
	int			max_months;
	int			hold_days;
	int			extended_hold_days;
	int64		min_payout_cents;
	int64		auto_approve_under_cents;
	int			fraud_auto_approve_max;
	int			fraud_extended_hold_min;
	int			fraud_manual_review_min;
	int			fraud_auto_reject_min;
	int			fraud_quick_cancel_days;
} ReferralSettings;

/* A referral, whose referrer is locked. */
typedef struct Referral
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	pg_uuid_t	referrer;
	pg_uuid_t	referred;
	const char *status;
	TimestampTz signup_at;
	TimestampTz first_payment_at;	/* REFERRAL_NEVER */
	TimestampTz eligible_at;	/* the same */
	int			months_paid;
	int			fraud_score;
	bool		fraud_reviewed;
	bool		needs_review;
} Referral;

/* ---- referrals.c ---- */

/* The module, its argument 0 "organization_id", and that staff or an operator calls: 42501. */
extern void platform_referral_require_staff(FunctionCallInfo fcinfo, const char *action);

/* 42501 when the caller is that user: nobody decides about his own money. */
extern void platform_referral_require_other(const pg_uuid_t *user);

/* The user of the argument, NULL: the caller; for members none but themselves: 22004, 42501. */
extern pg_uuid_t platform_referral_user_argument(FunctionCallInfo fcinfo, int argument);

extern void platform_referral_read_settings(ReferralSettings *settings);

extern void platform_referral_lock_worker(void);
extern void platform_referral_lock_user(const pg_uuid_t *user);

/*
 * Locks its referrer and reads it; false when there is none. By the argument of a
 * function: 22004, PT404.
 */
extern bool platform_referral_find(const pg_uuid_t *organization, const pg_uuid_t *id,
								   Referral *referral);
extern void platform_referral_get(FunctionCallInfo fcinfo, int argument, Referral *referral);

/* The same by the commission of the argument; returns its id as a Datum. */
extern Datum platform_referral_get_commission(FunctionCallInfo fcinfo, int argument,
											  Referral *referral);

/* Reads it again. */
extern void platform_referral_read(Referral *referral);

extern bool platform_referral_is(const Referral *referral, const char *status);

/* pending, eligible or paid: it may still earn. */
extern bool platform_referral_is_open(const Referral *referral);

/* Tells webhooks of the referrer's organization; amount 0 and reason NULL are left out. */
extern void platform_referral_emit(const Referral *referral, const char *type, int64 amount,
								   const char *reason);

/* ---- codes.c ---- */

typedef struct ReferralCode
{
	char		code[REFERRAL_CODE_LENGTH + 1];
	pg_uuid_t	organization;
	pg_uuid_t	user;
	bool		program_active;
} ReferralCode;

/* NULL, or why it is not valid: PROGRAM_OFF, NOT_FOUND, INACTIVE. */
extern const char *platform_referral_find_code(const text *written, ReferralCode *code);

/* ---- fraud.c ---- */

/* Adds a signal once, with its points of now. */
extern void platform_referral_add_signal(const Referral *referral, const char *signal);

/*
 * Looks for signals, and draws the consequences of the score: a longer hold, a
 * review, a rejection. Updates *referral.
 */
extern void platform_referral_assess(Referral *referral, const ReferralSettings *settings);

/* ---- commissions.c ---- */

/* What that payment earns, in cents. */
extern int64 platform_referral_earn(Referral *referral, const ReferralSettings *settings,
									const char *invoice, const char *subscription,
									int64 amount, TimestampTz paid_at, bool first);

/* Approves what may be approved at that moment; returns how many commissions. */
extern int	platform_referral_release(Referral *referral, const ReferralSettings *settings,
									  TimestampTz at);

/*
 * Ends the referral as rejected, cancelled or clawed_back, and takes back what was
 * not paid; clawed_back also what was, as debts. Returns the cents taken back.
 */
extern int64 platform_referral_close(Referral *referral, const char *status,
									 const char *reason);

/* Sets total_commission_cents. */
extern void platform_referral_sum_up(const Referral *referral);

/*
 * Commissions that were paid and are clawed back, by the referral or by the payout: each becomes a debt. Returns
 * their cents.
 */
extern int64 platform_referral_make_debts(const pg_uuid_t *organization, const pg_uuid_t *referral,
										  const pg_uuid_t *payout, const char *reason);

/* ---- payouts.c ---- */

/* The user's payout that is not over; false when there is none. */
extern bool platform_payout_find_live(const pg_uuid_t *organization, const pg_uuid_t *user,
									  pg_uuid_t *payout, bool *processing);

/* Its amount is what is still reserved for it; with nothing left it is rejected. */
extern void platform_payout_shrink(const pg_uuid_t *organization, const pg_uuid_t *payout);

/* Takes what a referral that is to be reviewed has in a payout that is not under way out of it. */
extern void platform_payout_drop_referral(const Referral *referral);

#endif							/* PLATFORM_REFERRALS_H */
