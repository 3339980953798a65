/*
 * rates.h
 *	  The rate card: what a second of a call costs.
 *
 * Rates are versions that never change; a call is priced by the versions that
 * were valid when it started.
 */
#ifndef PLATFORM_TOKENS_RATES_H
#define PLATFORM_TOKENS_RATES_H

typedef struct TokenRate
{
	pg_uuid_t	id;
	bool		video;
	bool		used_turn;
	int64		tokens_per_minute;
	int32		rounding;		/* seconds of which every started one counts */
	TimestampTz valid_from;
} TokenRate;

/* Longest time that is priced, in seconds: keeps every product below 2^63. */
#define TOKEN_SECONDS_MAX	INT64CONST(1000000000)

/* Highest price of a minute (the CHECK of token_rates). */
#define TOKEN_RATE_MAX		INT64CONST(1000000)

extern void platform_rates_init(void);

/*
 * The rate of a moment. False when there is none. The copy is the caller's.
 */
extern bool platform_rate_at(bool video, bool used_turn, TimestampTz at, TokenRate *rate);

/* The rate with that id; false when there is none. */
extern bool platform_rate_by_id(const pg_uuid_t *id, TokenRate *rate);

/*
 * The price of the first seconds of a stretch, 0 for none. Seconds beyond
 * TOKEN_SECONDS_MAX are not counted.
 */
extern int64 platform_rate_price(const TokenRate *rate, int64 seconds);

/*
 * The most seconds whose price is at most tokens; TOKEN_SECONDS_MAX when it is
 * that long or free.
 */
extern int64 platform_rate_covers(const TokenRate *rate, int64 tokens);

/* Is the mode priced as video? 22023 unless it is video, voice or voice-only. */
extern bool platform_mode_is_video(text *mode);

#endif							/* PLATFORM_TOKENS_RATES_H */
