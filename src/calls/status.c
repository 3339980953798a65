/*
 * status.c
 *	  The life of a call, and lives in general: see status.h. Nothing here reads or writes a table.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "calls/status.h"

/* The transitions: everything else in this module asks this table. */
static const StateRule rules[CALL_STATUSES] = {
	[CALL_PENDING] = {"pending", 7, 0,
	STATE_BIT(CALL_RINGING) | STATE_BIT(CALL_IN_PROGRESS) | STATE_BIT(CALL_FAILED) | STATE_BIT(CALL_CANCELED)},
	[CALL_RINGING] = {"ringing", 7, 1,
	STATE_BIT(CALL_IN_PROGRESS) | STATE_BIT(CALL_NO_ANSWER) | STATE_BIT(CALL_BUSY) | STATE_BIT(CALL_CANCELED) | STATE_BIT(CALL_FAILED)},
	[CALL_IN_PROGRESS] = {"in_progress", 11, 2,
	STATE_BIT(CALL_COMPLETED) | STATE_BIT(CALL_FAILED)},
	[CALL_COMPLETED] = {"completed", 9, 3, 0},
	[CALL_FAILED] = {"failed", 6, 3, 0},
	[CALL_NO_ANSWER] = {"no_answer", 9, 3, 0},
	[CALL_BUSY] = {"busy", 4, 3, 0},
	[CALL_CANCELED] = {"canceled", 8, 3, 0},
};

int
platform_state_parse(const StateRule *table, int count, const char *name, size_t length)
{
	for (int i = 0; i < count; i++)
	{
		if (table[i].length == length && memcmp(table[i].name, name, length) == 0)
			return i;
	}
	return -1;
}

char *
platform_state_followers(const StateRule *table, int count, int from)
{
	StringInfoData names;
	int			left = table[from].followers;

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
	{
		if (!(left & STATE_BIT(i)))
			continue;
		left &= ~STATE_BIT(i);
		appendStringInfo(&names, "%s%s", names.len == 0 ? "" : left ? ", " : " or ", table[i].name);
	}
	return names.data;
}

const char *
platform_call_status_name(CallStatus status)
{
	return rules[status].name;
}

bool
platform_call_status_parse(const char *name, size_t length, CallStatus *status)
{
	int			found = platform_state_parse(rules, CALL_STATUSES, name, length);

	if (found >= 0)
		*status = found;
	return found >= 0;
}

int
platform_call_rank(CallStatus status)
{
	return rules[status].rank;
}

bool
platform_call_may_follow(CallStatus from, CallStatus to)
{
	return (rules[from].followers & STATE_BIT(to)) != 0;
}

char *
platform_call_followers(CallStatus from)
{
	return platform_state_followers(rules, CALL_STATUSES, from);
}

bool
platform_call_next(CallStatus from, CallStatus to, CallStatus *next)
{
	*next = to;
	if (platform_call_may_follow(from, to))
		return true;
	/* No way is longer than two steps: over in_progress, or over ringing. */
	for (int i = CALL_IN_PROGRESS; i >= CALL_RINGING; i--)
	{
		*next = i;
		if (platform_call_may_follow(from, i) && platform_call_may_follow(i, to))
			return true;
	}
	return false;
}

void
platform_call_enter(CallTimes *times, CallStatus status, TimestampTz at)
{
	if (times->ended != DT_NOBEGIN)
		at = Min(at, times->ended);
	if ((status == CALL_RINGING || status == CALL_IN_PROGRESS) && times->started == DT_NOBEGIN)
		times->started = at;
	if (status == CALL_IN_PROGRESS && times->answered == DT_NOBEGIN)
		times->answered = Max(at, times->started);
	if (platform_call_is_over(status) && times->ended == DT_NOBEGIN)
	{
		times->ended = at;
		if (times->started != DT_NOBEGIN)
			times->ended = Max(times->ended, times->started);
		if (times->answered != DT_NOBEGIN)
			times->ended = Max(times->ended, times->answered);
	}
}

int32
platform_call_duration(const CallTimes *times)
{
	if (times->answered == DT_NOBEGIN || times->ended == DT_NOBEGIN)
		return -1;
	if (times->ended <= times->answered)
		return 0;
	return Min((times->ended - times->answered) / USECS_PER_SEC, PG_INT32_MAX);
}
