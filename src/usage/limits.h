/*
 * limits.h
 *	  A customer's limits in memory: what they mean, and how a change is written.
 */
#ifndef PLATFORM_CAPS_LIMITS_H
#define PLATFORM_CAPS_LIMITS_H

#include "core/row.h"
#include "usage/usage.h"

typedef enum UsageState
{
	USAGE_UNDER,
	USAGE_SOFT,
	USAGE_HARD
} UsageState;

typedef enum UsagePlan
{
	PLAN_NONE,					/* never had one */
	PLAN_ACTIVE,
	PLAN_ENDED
} UsagePlan;

/* A row of usage_limits. Pairs are of calls and of messages. */
typedef struct UsageLimits
{
	pg_uuid_t	organization;
	pg_uuid_t	user;
	pg_uuid_t	period_id;
	TimestampTz period_start;
	TimestampTz period_end;
	int64		used[USAGE_KINDS];
	int64		cap[USAGE_KINDS];
	int64		credit[USAGE_KINDS];
	int64		rollover[USAGE_KINDS];	/* of messages always 0 */
	int64		grace[USAGE_KINDS]; /* the same */
	int64		reserved;		/* segments */
	TimestampTz reserved_until; /* DT_NOEND: none */
	UsageState	state[USAGE_KINDS];
	bool		stopped[USAGE_KINDS];
	int			soft_percent;
	int			hard_percent;
	bool		blocks;			/* limit_action is block */
	bool		force_pause;
	bool		force_resume;
	TimestampTz force_until;
	const char *tier;			/* or NULL, as when it was not loaded */
	bool		has_snapshot;
	pg_uuid_t	snapshot;
	TimestampTz tier_since;
	TimestampTz anchor;
	Interval	step;
	const char *timezone;
	UsagePlan	plan;
	TimestampTz plan_ends_at;	/* DT_NOEND: not known */
	bool		has_subscription;
	pg_uuid_t	subscription;	/* that the plan comes from */

	TimestampTz now;
} UsageLimits;

/* A period as it was closed, or as it begins. */
typedef struct UsagePeriod
{
	UsageLimits limits;
	int64		bound;			/* most seconds that go over; of closed ones */
} UsagePeriod;

/*
 * The one definition of a limit.
 */

/* Cap + credit + rollover + grace. */
extern int64 platform_caps_total(const UsageLimits *limits, UsageKind kind);

/* What of it may be used before the hard threshold, less what is used and set aside. */
extern int64 platform_caps_remaining(const UsageLimits *limits, UsageKind kind);

/* Sets state[] and stopped[] from the numbers. */
extern void platform_caps_evaluate(UsageLimits *limits);

extern const char *platform_caps_state_name(UsageState state);
extern const char *platform_caps_plan_name(UsagePlan plan);

/*
 * Why so much more may not be used, a constant in capitals; NULL while it may, and
 * then *why says why, for the answer: OK, FORCED, OVERAGE.
 */
extern const char *platform_caps_objection(const UsageLimits *limits, UsageKind kind, int64 amount,
										   const char **why);

/*
 * Looking. False: the customer has no limits. The period is that of now, whether or not
 * somebody has rolled it. Writes nothing. The row is closed by the caller.
 */
extern bool platform_caps_look(PlatformRow *row, const pg_uuid_t *organization,
								const pg_uuid_t *user, UsageLimits *limits);

/* Takes a row found into memory, of any customer, but for its texts; and makes it that of now. */
extern void platform_caps_load(const PlatformRow *row, UsageLimits *limits);
extern void platform_caps_see_now(const PlatformRow *row, UsageLimits *limits);

extern void platform_caps_open_read(PlatformRow *row);

/* The customer is about to be looked for: see platform_row_expect(). */
extern void platform_caps_expect(const pg_uuid_t *organization, const pg_uuid_t *user);

/*
 * Changing. The body decides on change->limits, and returns whether it has
 * changed them. It runs again when somebody else did meanwhile, so it touches
 * nothing else unless change->locked, which it asks for by
 * platform_caps_wants_lock(). The period is that of now.
 */
typedef struct UsageChange
{
	PlatformRow row;
	UsageLimits limits;
	bool		locked;
	bool		lock_wanted;
} UsageChange;

typedef bool (*UsageBody) (UsageChange *change, void *arg);

extern void platform_caps_open(UsageChange *change);
extern void platform_caps_close(UsageChange *change);

/*
 * Runs body until what it decided is written, with states, alerts and the periods
 * that are over. False: the customer has no limits. With lock the row is locked first.
 */
extern bool platform_caps_change(UsageChange *change, const pg_uuid_t *organization,
								  const pg_uuid_t *user, bool lock, UsageBody body, void *arg);
extern bool platform_caps_wants_lock(UsageChange *change);

/* A body that changes nothing: a period that is over is rolled, and change->limits are there. */
extern bool platform_caps_nothing(UsageChange *change, void *arg);

/*
 * Gives a customer limits if it has none; true when it did. start NULL: the
 * first period begins now; tier NULL: without a plan. PT404 no such organization
 * or user.
 */
extern bool platform_caps_create(const pg_uuid_t *organization, const pg_uuid_t *user,
								 const TimestampTz *start, const char *tier);

/*
 * roll.c
 */

/* Longest row of periods that one roll writes. */
#define USAGE_ROLL_MAX 10000

/* The first end of a period after the moment, and the last one not after it. */
extern TimestampTz platform_caps_next_end(const UsageLimits *limits, TimestampTz after);
extern TimestampTz platform_caps_last_end(const UsageLimits *limits, TimestampTz at);

/* Is the present period over? */
static inline bool
platform_caps_is_over(const UsageLimits *limits)
{
	return limits->now >= limits->period_end;
}

/* What goes over from a period: bought credit that is left, and the rollover. */
typedef struct UsageCarry
{
	int64		credit[USAGE_KINDS];
	int64		rollover;
} UsageCarry;

extern void platform_caps_carry(const UsageLimits *limits, int64 bound, UsageCarry *carry);

/* Most seconds that may go over from that period. */
extern int64 platform_caps_bound(const UsageLimits *limits);

/*
 * Ends the present period at a moment in it, and begins the next, which lasts to
 * the next end after. The closed one is told, if wanted.
 */
extern void platform_caps_next_period(UsageLimits *limits, TimestampTz end, UsagePeriod *closed);

/* What the plan gave is gone, what was bought is not. */
extern void platform_caps_end_plan(UsageLimits *limits);

/* Rolls until the present period is that of limits->now; how many were closed. */
extern int	platform_caps_roll(UsageLimits *limits, UsagePeriod **closed);

/* Writes periods that were closed, and the one that began after them. */
extern void platform_caps_write_periods(const UsagePeriod *closed, int count,
										 const UsageLimits *present);

/* From limits->tier_since on the customer has limits->tier: tier, period or subscription. */
extern void platform_caps_write_tier_change(const UsageLimits *limits, const char *reason);

/* reserve.c: segments that are set aside and not over. */
extern int64 platform_caps_open_reservations(const UsageLimits *limits);

/*
 * tiers.c
 */
typedef struct UsageTier
{
	const char *name;
	pg_uuid_t	snapshot;		/* its present version */
	int64		cap[USAGE_KINDS];
	int64		grace;
	int			rollover_percent;
	bool		active;			/* may be given to customers */
} UsageTier;

/* By name or alias; NULL when there is none. Good until the next command. */
extern const UsageTier *platform_caps_find_tier(const char *name);

/* plan.c: gives the tier's caps; see there. */
extern void platform_caps_take_tier(UsageLimits *limits, const UsageTier *tier);

#endif							/* PLATFORM_CAPS_LIMITS_H */
