/*
 * trigger.c
 *	  The trigger that guards rows of calls: transitions and their moments, the
 *	  duration, telephone numbers, who set the disposition, updated_at; all in one,
 *	  because each trigger costs more than what one of these does.
 *
 * Only what the statement may have changed is looked at: status always, the rest
 * when it stands in the SET list. What changes is written into the row at once.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "calls/events.h"
#include "core/error.h"
#include "core/event.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/phone.h"
#include "core/touch.h"

PG_FUNCTION_INFO_V1(platform_check_call);

enum
{
	C_ID,
	C_ORGANIZATION,
	C_STATUS,
	C_STARTED_AT,
	C_ANSWERED_AT,
	C_ENDED_AT,
	C_DURATION,
	C_FROM_NUMBER,
	C_TO_NUMBER,
	C_DISPOSITION,
	C_DISPOSITION_SET_AT,
	C_DISPOSITION_SET_BY,
	C_UPDATED_AT,
	C_COLUMNS
};

static const char *const column_names[C_COLUMNS] = {
	"id", "organization_id", "status", "started_at", "answered_at", "ended_at", "duration",
	"from_number", "to_number", "disposition", "disposition_set_at", "disposition_set_by", "updated_at"
};

/* What is known of the table, for the length of a statement. */
typedef struct CallColumns
{
	PlatformTouch touch;
	AttrNumber	attnums[C_COLUMNS];
	bool		events;			/* webhooks are told */
	AttrNumber	event_attnums[CALL_EVENT_COLUMNS];
} CallColumns;

/* A row on its way into the table, and what the trigger sets in it. */
typedef struct CallRow
{
	const TriggerData *trigger;
	const CallColumns *columns;
	TupleDesc	desc;
	HeapTuple	row;
	HeapTuple	old;			/* NULL on INSERT */
	bool		moved;			/* from one state to another */
	CallStatus	from;
	CallStatus	to;
	bool		disposed;		/* to another disposition, or to one */
	int			count;
	int			attnums[C_COLUMNS];
	Datum		values[C_COLUMNS];
	bool		nulls[C_COLUMNS];
} CallRow;

/*
 * The write that a function of this module has announced. A transaction's start
 * and a subtransaction's number together name it for good, so that what an error
 * left behind means nothing.
 */
static struct
{
	CallWrite	how;
	pg_uuid_t	call;
	TimestampTz transaction;
	SubTransactionId subtransaction;
}			announced;

void
platform_call_write_begin(CallWrite how, const pg_uuid_t *call)
{
	announced.how = how;
	announced.call = *call;
	announced.transaction = GetCurrentTransactionStartTimestamp();
	announced.subtransaction = GetCurrentSubTransactionId();
}

void
platform_call_write_end(void)
{
	announced.how = CALL_WRITE_PLAIN;
}

static CallColumns *
find_columns(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	CallColumns *columns = fcinfo->flinfo->fn_extra;
	CallColumns found;

	if (columns != NULL)
		return columns;
	platform_touch_prepare(&found.touch, trigger, "updated_at");
	for (int i = 0; i < C_COLUMNS; i++)
		found.attnums[i] = platform_trigger_column(trigger, column_names[i]);
	found.events = platform_event_is_installed();
	if (found.events)
		platform_call_event_columns(RelationGetDescr(trigger->tg_relation), found.event_attnums);
	columns = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(CallColumns));
	*columns = found;
	fcinfo->flinfo->fn_extra = columns;
	return columns;
}

static inline Datum
column_value(const CallRow *call, HeapTuple row, int column, bool *isnull)
{
	return heap_getattr(row, call->columns->attnums[column], call->desc, isnull);
}

/* May the statement have changed the column? */
static inline bool
is_assigned(const CallRow *call, int column)
{
	return call->old == NULL ||
		bms_is_member(call->columns->attnums[column] - FirstLowInvalidHeapAttributeNumber,
					  call->trigger->tg_updatedcols);
}

static void
set_column(CallRow *call, int column, Datum value, bool isnull)
{
	call->attnums[call->count] = call->columns->attnums[column];
	call->values[call->count] = value;
	call->nulls[call->count++] = isnull;
}

static TimestampTz
column_time(const CallRow *call, int column)
{
	bool		isnull;
	Datum		value = column_value(call, call->row, column, &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

/* False for NULL, and for what the table's CHECK will refuse. */
static bool
column_status(const CallRow *call, HeapTuple row, CallStatus *status)
{
	bool		isnull;
	Datum		value = column_value(call, row, C_STATUS, &isnull);
	text	   *name;

	if (isnull)
		return false;
	name = DatumGetTextPP(value);
	return platform_call_status_parse(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), status);
}

void
platform_call_refuse(CallStatus from, CallStatus to)
{
	bool		over = platform_call_is_over(from);

	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("a call that is %s cannot become %s",
					platform_call_status_name(from), platform_call_status_name(to)),
			 over ? errdetail("It is over.") :
			 errdetail("It may become %s.", platform_call_followers(from)),
			 over ? errhint("An operator corrects a call with platform.correct_call().") : 0));
}

static CallWrite
write_announced(const CallRow *call)
{
	bool		isnull;

	if (announced.how == CALL_WRITE_PLAIN ||
		announced.subtransaction != GetCurrentSubTransactionId() ||
		announced.transaction != GetCurrentTransactionStartTimestamp())
		return CALL_WRITE_PLAIN;
	return platform_uuid_equal(&announced.call,
							   DatumGetUUIDP(column_value(call, call->row, C_ID, &isnull))) ?
		announced.how : CALL_WRITE_PLAIN;
}

static void
set_duration(CallRow *call, const CallTimes *times)
{
	int32		duration = platform_call_duration(times);

	set_column(call, C_DURATION, Int32GetDatum(Max(duration, 0)), duration < 0);
}

/* The moments that come with a new state, where they are not given. */
static void
fill_times(CallRow *call, CallStatus status)
{
	CallTimes	given = {
		.started = column_time(call, C_STARTED_AT),
		.answered = column_time(call, C_ANSWERED_AT),
		.ended = column_time(call, C_ENDED_AT),
	};
	CallTimes	times = given;

	platform_call_enter(&times, status, GetCurrentTransactionStartTimestamp());
	if (times.started != given.started)
		set_column(call, C_STARTED_AT, TimestampTzGetDatum(times.started), false);
	if (times.answered != given.answered)
		set_column(call, C_ANSWERED_AT, TimestampTzGetDatum(times.answered), false);
	if (times.ended != given.ended)
		set_column(call, C_ENDED_AT, TimestampTzGetDatum(times.ended), false);
	if (times.ended != DT_NOBEGIN)
		set_duration(call, &times);
}

static void
check_status(CallRow *call)
{
	CallStatus	from;
	CallStatus	to;
	CallWrite	how;

	if (!column_status(call, call->old, &from) || !column_status(call, call->row, &to))
		return;
	if (from == to)
	{
		/* Moments are corrected: the duration follows. */
		if ((is_assigned(call, C_ANSWERED_AT) || is_assigned(call, C_ENDED_AT)) &&
			write_announced(call) == CALL_WRITE_PLAIN)
		{
			CallTimes	times = {
				.answered = column_time(call, C_ANSWERED_AT),
				.ended = column_time(call, C_ENDED_AT),
			};

			set_duration(call, &times);
		}
		return;
	}
	call->moved = true;
	call->from = from;
	call->to = to;
	how = write_announced(call);
	if (how != CALL_WRITE_CORRECTION && !platform_call_may_follow(from, to))
		platform_call_refuse(from, to);
	if (how == CALL_WRITE_PLAIN)
		fill_times(call, to);
}

static void
check_number(CallRow *call, int column)
{
	bool		isnull;
	Datum		value = column_value(call, call->row, column, &isnull);
	text	   *number;
	char		e164[PLATFORM_E164_SIZE];

	if (isnull)
		return;
	number = DatumGetTextPP(value);
	if (!platform_normalize_phone(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number),
								  platform_phone_region(PLATFORM_DEFAULT_REGION, 2), e164))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("%s is no telephone number", column_names[column]),
				 errhint("Numbers are in the form of E.164, as +13125550100. Leave it NULL for callers without one."),
				 errtablecol(call->trigger->tg_relation, call->columns->attnums[column])));
	if (strlen(e164) != VARSIZE_ANY_EXHDR(number) ||
		memcmp(e164, VARDATA_ANY(number), strlen(e164)) != 0)
		set_column(call, column, CStringGetTextDatum(e164), false);
}

/* As it was before the statement. */
static void
keep_old(CallRow *call, int column)
{
	bool		isnull;
	Datum		value = column_value(call, call->old, column, &isnull);

	set_column(call, column, value, isnull);
}

/*
 * Who set the disposition, and when: the caller, now. An operator may say
 * otherwise.
 */
static void
stamp_disposition(CallRow *call)
{
	bool		operator = platform_caller_is_operator();
	const pg_uuid_t *user = platform_current_user();
	bool		cleared;
	bool		isnull;
	Datum		is;
	Datum		was;

	if (!is_assigned(call, C_DISPOSITION))
	{
		if (operator)
			return;
		if (is_assigned(call, C_DISPOSITION_SET_AT))
			keep_old(call, C_DISPOSITION_SET_AT);
		if (is_assigned(call, C_DISPOSITION_SET_BY))
			keep_old(call, C_DISPOSITION_SET_BY);
		return;
	}
	is = column_value(call, call->row, C_DISPOSITION, &cleared);
	was = column_value(call, call->old, C_DISPOSITION, &isnull);
	call->disposed = !cleared && (isnull || !datumIsEqual(is, was, false, -1));
	if (!(operator && is_assigned(call, C_DISPOSITION_SET_AT)))
		set_column(call, C_DISPOSITION_SET_AT,
				   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), cleared);
	if (!(operator && is_assigned(call, C_DISPOSITION_SET_BY)))
		set_column(call, C_DISPOSITION_SET_BY, UUIDPGetDatum(user), cleared || user == NULL);
}

static void
check_insert(CallRow *call)
{
	CallTimes	times = {
		.answered = column_time(call, C_ANSWERED_AT),
		.ended = column_time(call, C_ENDED_AT),
	};
	bool		isnull;

	(void) column_value(call, call->row, C_DURATION, &isnull);
	if (isnull && platform_call_duration(&times) >= 0)
		set_duration(call, &times);
	check_number(call, C_FROM_NUMBER);
	check_number(call, C_TO_NUMBER);
}

static void
check_update(CallRow *call)
{
	check_status(call);
	if (is_assigned(call, C_DISPOSITION) || is_assigned(call, C_DISPOSITION_SET_AT) ||
		is_assigned(call, C_DISPOSITION_SET_BY))
		stamp_disposition(call);
	if (is_assigned(call, C_FROM_NUMBER))
		check_number(call, C_FROM_NUMBER);
	if (is_assigned(call, C_TO_NUMBER))
		check_number(call, C_TO_NUMBER);
}

/* Tells of the row as it will be stored. */
static void
emit_events(const CallRow *call)
{
	bool		isnull;
	CallEventRow row = {
		.organization = DatumGetUUIDP(column_value(call, call->row, C_ORGANIZATION, &isnull)),
		.desc = call->desc,
		.row = call->row,
		.attnums = call->columns->event_attnums,
	};

	if (isnull)
		return;
	if (call->moved)
		platform_call_emit_status(&row, call->from, call->to);
	if (call->disposed)
		platform_call_emit_disposition(&row);
}

/*
 * platform.check_call() returns trigger
 *
 * A call's status follows the transitions of status.c (PT409), whoever writes
 * it; a new row may be in any state. With a transition started_at, answered_at
 * and ended_at are filled in where they are not given, and duration from them.
 * Telephone numbers are put into the form of E.164 (PT422 for what is none),
 * those without country code as dialled in the United States. disposition_set_at
 * and disposition_set_by are kept, and updated_at. Where webhooks are installed
 * they are told of every transition and disposition. Errors: 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER calls_check BEFORE INSERT OR UPDATE ON platform.calls
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_call();
 */
Datum
platform_check_call(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_call",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	CallRow		call;

	call.trigger = trigger;
	call.columns = find_columns(fcinfo, trigger);
	call.desc = RelationGetDescr(trigger->tg_relation);
	call.row = platform_trigger_row(trigger);
	call.old = update ? trigger->tg_trigtuple : NULL;
	call.count = 0;
	call.moved = call.disposed = false;

	if (update)
		check_update(&call);
	else
		check_insert(&call);
	if (call.count == 0)
	{
		if (update)
			call.row = platform_touch_row(&call.columns->touch, trigger, call.row);
	}
	else
	{
		if (update)
			set_column(&call, C_UPDATED_AT,
					   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
		call.row = heap_modify_tuple_by_cols(call.row, call.desc, call.count,
											 call.attnums, call.values, call.nulls);
	}
	if (call.columns->events && (call.moved || call.disposed))
		emit_events(&call);
	return PointerGetDatum(call.row);
}
