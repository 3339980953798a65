/*
 * calls.h
 *	  What the files of this module share.
 *
 *	status.c		the states of a call and how one follows another
 *	trigger.c		the trigger that guards rows of calls
 *	start.c			start_call()
 *	lifecycle.c		advance_call(), end_call(), correct_call(), delete_call()
 *	notes.c			dispositions and notes
 *	consent.c		consent, and recordings, which may need it
 *	transcripts.c	what was said, and how to find it
 *	dialer.c		calls to be made
 *	webrtc.c		calls from a browser
 *	quality.c		how they sound
 *	events.c		what webhooks are told
 */
#ifndef PLATFORM_CALLS_H
#define PLATFORM_CALLS_H

#include "calls/status.h"
#include "core/module.h"
#include "core/phone.h"
#include "core/query.h"

/* Rows of a listing. */
#define CALL_LIST_MAX	100000

extern PlatformModule platform_voice_module;

/*
 * How the functions of this module write a row of calls; everybody else's writes
 * are plain. Between begin and end, for that row alone; forgotten when the
 * subtransaction fails.
 */
typedef enum CallWrite
{
	CALL_WRITE_PLAIN,			/* transitions are checked, their moments filled in */
	CALL_WRITE_TIMED,			/* transitions are checked, moments are given */
	CALL_WRITE_CORRECTION		/* all is as given */
} CallWrite;

extern void platform_call_write_begin(CallWrite how, const pg_uuid_t *call);
extern void platform_call_write_end(void);

/* PT409: that state does not follow from this one. */
pg_noreturn extern void platform_call_refuse(CallStatus from, CallStatus to);

/* The organization of the argument, which the caller may act for: 22004, 42501. */
extern pg_uuid_t *platform_voice_organization(FunctionCallInfo fcinfo, int argument);

/* A status in our name for it or a provider's: 22004, 22023. */
extern CallStatus platform_call_status_argument(FunctionCallInfo fcinfo, int argument);

/* Is it one of the words, of which the last is NULL? */
extern bool platform_voice_is_one_of(const text *value, const char *const *words);

/* 22004 for NULL, 22023 unless the interval is between a second and a day. */
extern void platform_voice_check_interval(FunctionCallInfo fcinfo, int argument, const char *name);

/* An argument of a query: DT_NOBEGIN is null. */
extern void platform_voice_set_time(Datum *values, bool *nulls, int i, TimestampTz at);

/*
 * For whom it is done: NULL: the caller (22004 when it has no user); somebody
 * else only for an operator (42501, permission denied to <action>).
 */
extern pg_uuid_t platform_voice_user(FunctionCallInfo fcinfo, int argument, const char *name,
									 const char *action);

/* PT403, PT429: may people of the organization call? */
extern void platform_voice_require_calls(const pg_uuid_t *organization);

/* PT404 unless the organization has the call; within platform_query_begin(). */
extern void platform_voice_require_call(const pg_uuid_t *organization, const pg_uuid_t *call);

/* A moment that has passed; NULL and the future: now. */
extern TimestampTz platform_voice_moment(FunctionCallInfo fcinfo, int argument);

/*
 * A listing of what belongs to a call, which the first two arguments name; they
 * are the query's arguments too.
 */
extern Datum platform_voice_list_of_call(FunctionCallInfo fcinfo, PlatformQuery *query);

#endif							/* PLATFORM_CALLS_H */
