/*
 * calls.h
 *	  What the files of this module share.
 *
 *	status.c		the states of a call and how one follows another
 *	trigger.c		the trigger that guards rows of calls
 *	lifecycle.c		start_call(), advance_call(), end_call() and their kin
 */
#ifndef PLATFORM_CALLS_H
#define PLATFORM_CALLS_H

#include "calls/status.h"
#include "core/module.h"

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

/* 22023 when the text is empty or longer than so many characters. */
extern void platform_voice_check_text(const text *value, const char *name, int most);

/* The argument, or NULL. */
extern text *platform_voice_text(FunctionCallInfo fcinfo, int argument);

/* A moment that has passed; NULL and the future: now. */
extern TimestampTz platform_voice_moment(FunctionCallInfo fcinfo, int argument);

/* The function's row. */
extern Datum platform_voice_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

/* PT404. */
pg_noreturn extern void platform_voice_no_such(const char *what);

#endif							/* PLATFORM_CALLS_H */
