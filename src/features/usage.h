/*
 * usage.h
 *	  What the files of consumption share: arguments, events, answers.
 */
#ifndef PLATFORM_FEATURES_USAGE_H
#define PLATFORM_FEATURES_USAGE_H

#include "features/counter.h"

/* The row that consume_feature() and its kin return. A number of -1 is NULL. */
typedef struct UsageAnswer
{
	bool		allowed;
	int64		consumed;
	const char *reason;
	bool		counted;		/* used is known: the feature is on */
	int64		used;
	int64		usage_limit;
	int64		remaining;
	int64		overage;
	const char *state;
	const char *period;
	TimestampTz resets_at;
	bool		duplicate;
} UsageAnswer;

/* Columns of that row, in order, and how many. */
#define USAGE_ANSWER_COLUMNS 11

extern void platform_usage_answer_datums(const UsageAnswer *answer, Datum *values, bool *nulls);

/* From what the counter says after platform_counter_consume(). */
extern void platform_usage_answer(const Counter *counter, UsageAnswer *answer);

/* Arguments: 22023 for a NULL, an amount below 1, an unknown at_limit. */
extern pg_uuid_t *platform_usage_organization(FunctionCallInfo fcinfo, int argument);
extern text *platform_usage_feature(FunctionCallInfo fcinfo, int argument);
extern int64 platform_usage_amount(FunctionCallInfo fcinfo, int argument);
extern CounterAtLimit platform_usage_at_limit(FunctionCallInfo fcinfo, int argument);

/* NULL for NULL; 22023 when empty or longer than 255 characters. */
extern text *platform_usage_key(FunctionCallInfo fcinfo, int argument);

/* 22023 for a value that must not be NULL. */
extern void platform_usage_not_null(FunctionCallInfo fcinfo, int argument, const char *name);

/*
 * One event. key, answer and reason may be NULL; reverses is NULL or the event
 * that this one takes back.
 */
typedef struct UsageEvent
{
	const pg_uuid_t *organization;
	Datum		feature;
	const char *kind;
	text	   *key;
	int64		amount;
	int64		consumed;
	int64		overage;
	TimestampTz period_start;
	int			day;
	TimestampTz occurred_at;
	const char *answer;
	const pg_uuid_t *reverses;
	const char *reason;
} UsageEvent;

/* False when the key is taken. */
extern bool platform_usage_record(const UsageEvent *event);

/* The answer as JSON, for a column named answer, and columns that read it back. */
extern char *platform_usage_answer_json(const UsageAnswer *answer);

#define USAGE_STORED(name) "(answer OPERATOR(pg_catalog.->>) '" name "')"
#define USAGE_STORED_ANSWER \
	USAGE_STORED("consumed") "::bigint, " USAGE_STORED("overage") "::bigint, " \
	USAGE_STORED("reason") ", " USAGE_STORED("used") "::bigint, " \
	USAGE_STORED("usage_limit") "::bigint, " USAGE_STORED("remaining") "::bigint, " \
	USAGE_STORED("state") ", " USAGE_STORED("period") ", " \
	USAGE_STORED("resets_at") "::pg_catalog.timestamptz"

/* From the first row of a result, where those columns begin at column. */
extern void platform_usage_stored_answer(int column, UsageAnswer *answer);

/* Rows for the thresholds that the counter has crossed. */
extern void platform_usage_announce(const Counter *counter);

/*
 * Counts, announces thresholds, and answers; with a key also records the
 * event, or finds that it was recorded before.
 */
extern void platform_usage_consume(Counter *counter, TimestampTz at, text *key,
								   UsageAnswer *answer);

/* at, or now for NULL; 22023 when infinite. */
extern TimestampTz platform_usage_moment(FunctionCallInfo fcinfo, int argument);

/* 42501 for a member whose counter is not today's. */
extern void platform_usage_require_today(const Counter *counter);

/* Counts without a key and without an answer to give. False: refused. */
extern bool platform_usage_increment(Counter *counter, const pg_uuid_t *organization,
									 text *feature, int64 amount);

/* Why that said no, as an error: PT403 or PT429. */
extern void platform_usage_raise_refusal(const Counter *counter);

/* PT409: the key was used for something else. */
extern void platform_usage_key_conflict(const char *detail);

extern Datum platform_usage_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

#endif							/* PLATFORM_FEATURES_USAGE_H */
