/*
 * calls.h
 *	  A call's meter: what has been charged, and what is due at a moment.
 *
 * Moments within a call are counted in whole seconds from its start. A stretch
 * without a change of TURN is a segment, priced by itself. A charge is the
 * price of all seconds of the segment less what the segment has been charged
 * before: however often the meter is read, the sum is the same.
 */
#ifndef PLATFORM_TOKENS_CALLS_H
#define PLATFORM_TOKENS_CALLS_H

#include "core/row.h"
#include "tokens/rates.h"

/* What the application wants to hear when the balance is used up. */
typedef enum CallPolicy
{
	CALL_CONTINUE,
	CALL_WARN,
	CALL_CUT
} CallPolicy;

typedef enum CallState
{
	CALL_LIVE,
	CALL_ENDED,
	CALL_LOST
} CallState;

typedef struct CallSession
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	bool		video;
	text	   *user_id;		/* NULL: nobody pays */
	TimestampTz start_time;
	TimestampTz end_time;		/* DT_NOEND: none */
	CallState	state;
	CallPolicy	on_exhausted;
	int32		grace_seconds;	/* 0: sends no heartbeats */
	TimestampTz heartbeat_at;
	bool		priced;			/* the rates are known */
	TokenRate	rates[2];		/* without and with TURN */
	bool		used_turn;		/* at any time */
	int32		segment;
	bool		turn;			/* in this segment */
	TimestampTz segment_started_at;
	int64		segment_charged;
	int64		nstarts;
	int64	   *starts;			/* seconds from the start at which segments 1, 2 ... began */
	bool		starts_changed;
	int64		charged;
	int32		sequence;
	TimestampTz metered_through;
	TimestampTz next_charge_at;
	int32		reserve_minutes;
	int64		reserved;
	TimestampTz reserved_until; /* with a reservation */
} CallSession;

/* One charge: an entry of the account, or a row of unbilled_usage. */
typedef struct CallCharge
{
	int64		tokens;			/* 0: nothing is due */
	int64		seconds;		/* since the charge before */
	bool		video;
	bool		turn;
	int32		segment;
	int32		sequence;
	pg_uuid_t	rate_id;
	pg_uuid_t	id;				/* of its entry: made from call, segment, sequence */
} CallCharge;

extern PlatformRowTable platform_call_table;

/* Reads the row found; user_id is copied. */
extern void platform_call_load(const PlatformRow *row, CallSession *call);

/* Puts the meter's columns into the row; platform_row_update() writes it. */
extern void platform_call_store(PlatformRow *row, const CallSession *call);

/* The organization and user of the row found; NULL for nobody. */
extern const pg_uuid_t *platform_call_organization(const PlatformRow *row);

/* Is the user one who pays: not NULL, and not beginning with anonymous_? */
extern bool platform_call_has_payer(text *user_id);

/* Seconds of the present segment at a moment. */
extern int64 platform_call_segment_seconds(const CallSession *call, TimestampTz at);

/* Charges the call up to a moment; the charge may be of 0 tokens. */
extern void platform_call_charge(CallSession *call, TimestampTz at, CallCharge *charge);

/*
 * What the call has been charged beyond the price of its seconds up to a
 * moment: for an end before what was metered. 0 when it has not.
 */
extern int64 platform_call_excess(const CallSession *call, TimestampTz at);

/* TURN from this moment on; what was before must have been charged. */
extern void platform_call_set_turn(CallSession *call, bool turn, TimestampTz at);

/* Tokens that the coming reserve_minutes will cost. */
extern int64 platform_call_reserve_tokens(const CallSession *call, TimestampTz at);

/* Closes the meter: what was charged up to the end must have been charged. */
extern void platform_call_close(CallSession *call, TimestampTz at, CallState state);

static inline const TokenRate *
platform_call_rate(const CallSession *call)
{
	return &call->rates[call->turn ? 1 : 0];
}

#endif							/* PLATFORM_TOKENS_CALLS_H */
