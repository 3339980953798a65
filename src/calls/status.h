/*
 * status.h
 *	  The life of a call: its states, and how one follows another.
 *
 * The states have ranks: pending 0, ringing 1, in_progress 2, every end 3. What
 * a provider reports may come late, twice, or in the wrong order: a report of
 * a rank that the call has passed tells only when something happened, one of a
 * higher rank implies the states between.
 */
#ifndef PLATFORM_CALLS_STATUS_H
#define PLATFORM_CALLS_STATUS_H

/* A state of anything that has a life: what may follow it, as bits. */
typedef struct StateRule
{
	const char *name;
	uint8		length;
	uint8		rank;
	uint8		followers;
} StateRule;

#define STATE_BIT(state) (1 << (state))

/* The state with that name, -1 when there is none. */
extern int	platform_state_parse(const StateRule *rules, int count, const char *name, size_t length);

/* The states that may follow, for people: "completed or failed". */
extern char *platform_state_followers(const StateRule *rules, int count, int from);

typedef enum CallStatus
{
	CALL_PENDING,
	CALL_RINGING,
	CALL_IN_PROGRESS,
	CALL_COMPLETED,
	CALL_FAILED,
	CALL_NO_ANSWER,
	CALL_BUSY,
	CALL_CANCELED
} CallStatus;

#define CALL_STATUSES	(CALL_CANCELED + 1)

/* The moments of a call; DT_NOBEGIN: not known. */
typedef struct CallTimes
{
	TimestampTz started;
	TimestampTz answered;
	TimestampTz ended;
} CallTimes;

extern const char *platform_call_status_name(CallStatus status);

/* The status with that name; false when there is none. */
extern bool platform_call_status_parse(const char *name, size_t length, CallStatus *status);

/* Pending 0, ringing 1, in_progress 2, ends 3. */
extern int	platform_call_rank(CallStatus status);

static inline bool
platform_call_is_over(CallStatus status)
{
	return status >= CALL_COMPLETED;
}

/* May the one follow the other at once? */
extern bool platform_call_may_follow(CallStatus from, CallStatus to);

/* The states that may follow, for people: "completed or failed". */
extern char *platform_call_followers(CallStatus from);

/*
 * The state next to from on the way to to; false when no way leads there. Of
 * two ways the shorter, through in_progress rather than ringing.
 */
extern bool platform_call_next(CallStatus from, CallStatus to, CallStatus *next);

/* Fills in what is not known yet of a call that comes into a state at a moment. */
extern void platform_call_enter(CallTimes *times, CallStatus status, TimestampTz at);

/* Whole seconds of talk, at least 0; -1 when it was not answered or goes on. */
extern int32 platform_call_duration(const CallTimes *times);

#endif							/* PLATFORM_CALLS_STATUS_H */
