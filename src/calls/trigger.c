/*
 * trigger.c
 *	  The trigger that guards rows of calls: transitions and their moments, the
 *	  duration, telephone numbers, who set the disposition, updated_at; all in one,
 *	  because each trigger costs more than what one of these does.
 *
 * Only what the statement may have changed is looked at: status always, the rest
 * when it stands in the SET list. What changes is written into the row at once.
 *
 * A transition is paid for by every row of a bulk update, so that the usual case
 * does not take the row apart: in tables that install() has made the moments stand
 * in front, eight bytes each at a multiple of eight, so that one that is filled in
 * moves what follows by eight bytes and no alignment changes. Tables that were
 * there before install() may look otherwise; their rows are formed anew.
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
	C_CREATED_AT,
	C_UPDATED_AT,
	C_STARTED_AT,
	C_ANSWERED_AT,
	C_ENDED_AT,
	C_DURATION,
	C_STATUS,
	C_FROM_NUMBER,
	C_TO_NUMBER,
	C_DISPOSITION,
	C_DISPOSITION_SET_AT,
	C_DISPOSITION_SET_BY,
	C_COLUMNS
};

#define RARELY_ASSIGNED	(1 << C_FROM_NUMBER | 1 << C_TO_NUMBER | 1 << C_DISPOSITION | \
						 1 << C_DISPOSITION_SET_AT | 1 << C_DISPOSITION_SET_BY)

/* Where a row has its moments, when its first columns are the first ones here. */
#define UPDATED_OFFSET	(2 * UUID_LEN + sizeof(TimestampTz))
#define MOMENTS_OFFSET	(2 * UUID_LEN + 2 * sizeof(TimestampTz))
#define MOMENT_SIZE		8
#define MOMENTS			(C_DURATION - C_STARTED_AT + 1)

static const char *const column_names[C_COLUMNS] = {
	"id", "organization_id", "created_at", "updated_at", "started_at", "answered_at",
	"ended_at", "duration", "status", "from_number", "to_number", "disposition",
	"disposition_set_at", "disposition_set_by"
};

/* What is known of the table, for the length of a statement. */
typedef struct CallColumns
{
	PlatformTouch touch;
	AttrNumber	attnums[C_COLUMNS];
	bool		in_front;		/* in a whole row the moments stand where the macros say */
	bool		assigned_known;
	uint32		assigned;		/* by an UPDATE: bits of the columns above */
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
	int			columns_set[C_COLUMNS];
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

/* Are the first columns those of a table that install() has made? */
static bool
moments_are_in_front(TupleDesc desc)
{
	if (desc->natts <= C_STATUS)
		return false;
	for (int i = 0; i <= C_STATUS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool		is_key = i == C_ID || i == C_ORGANIZATION;
		bool		is_moment = i >= C_STARTED_AT && i <= C_DURATION;

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), column_names[i]) != 0 ||
			attribute->attnotnull == is_moment)
			return false;
		if (i != C_STATUS && (is_key ? attribute->atttypid != UUIDOID :
							  attribute->attlen != MOMENT_SIZE || attribute->attalign != TYPALIGN_DOUBLE))
			return false;
	}
	return true;
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
	found.in_front = moments_are_in_front(RelationGetDescr(trigger->tg_relation));
	found.events = platform_event_is_installed();
	if (found.events)
		platform_call_event_columns(RelationGetDescr(trigger->tg_relation), found.event_attnums);
	found.assigned_known = false;
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

/* May the statement have changed the column? An INSERT has set them all. */
static inline bool
is_assigned(const CallRow *call, int column)
{
	return (call->columns->assigned & (1 << column)) != 0;
}

/* The SET list is the same for all rows of a statement. */
static void
find_assigned(CallColumns *columns, const TriggerData *trigger)
{
	columns->assigned = 0;
	for (int i = 0; i < C_COLUMNS; i++)
	{
		if (bms_is_member(columns->attnums[i] - FirstLowInvalidHeapAttributeNumber,
						  trigger->tg_updatedcols))
			columns->assigned |= 1 << i;
	}
	columns->assigned_known = true;
}

static void
set_column(CallRow *call, int column, Datum value, bool isnull)
{
	call->columns_set[call->count] = column;
	call->values[call->count] = value;
	call->nulls[call->count++] = isnull;
}

/*
 * Do the moments of the row stand in front?  One from before its table got
 * these columns does not have them.
 */
static inline bool
has_moments_in_front(const CallRow *call, HeapTuple row)
{
	return call->columns->in_front && HeapTupleHeaderGetNatts(row->t_data) > C_STATUS;
}

/* Which moments a row has, as bits, the first one lowest; they stand in front. */
static inline int
moments_present(HeapTuple row)
{
	StaticAssertStmt(C_STARTED_AT == 4 && MOMENTS == 4, "moments are half a byte of the null bitmap");
	return HeapTupleHasNulls(row) ? row->t_data->t_bits[0] >> C_STARTED_AT : (1 << MOMENTS) - 1;
}

/* How many of the moments before this one a row has. */
static inline int
moments_before(int present, int moment)
{
	static const uint8 bits[1 << MOMENTS] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

	return bits[present & ((1 << moment) - 1)];
}

static inline char *
moments_of(HeapTuple row)
{
	return (char *) row->t_data + row->t_data->t_hoff + MOMENTS_OFFSET;
}

static TimestampTz
column_time(const CallRow *call, int column)
{
	bool		isnull;
	Datum		value;

	if (has_moments_in_front(call, call->row))
	{
		int			present = moments_present(call->row);
		int			moment = column - C_STARTED_AT;

		if (!(present & (1 << moment)))
			return DT_NOBEGIN;
		return ((TimestampTz *) moments_of(call->row))[moments_before(present, moment)];
	}
	value = column_value(call, call->row, column, &isnull);
	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

/* The name of the state in a row; NULL for NULL. */
static inline text *
status_text(const CallRow *call, HeapTuple row)
{
	bool		isnull;
	Datum		value;

	/* The slot of a new row may hold a NULL that the table will refuse. */
	if (has_moments_in_front(call, row) &&
		!(HeapTupleHasNulls(row) && att_isnull(C_STATUS, row->t_data->t_bits)))
		value = PointerGetDatum(moments_of(row) +
								MOMENT_SIZE * moments_before(moments_present(row), MOMENTS));
	else
	{
		value = column_value(call, row, C_STATUS, &isnull);
		if (isnull)
			return NULL;
	}
	return DatumGetTextPP(value);
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

	set_column(call, C_DURATION, Int64GetDatum(Max(duration, 0)), duration < 0);
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

/* An operator's change of moments: the duration follows. */
static void
check_moments(CallRow *call)
{
	CallTimes	times = {
		.answered = column_time(call, C_ANSWERED_AT),
		.ended = column_time(call, C_ENDED_AT),
	};

	if (write_announced(call) == CALL_WRITE_PLAIN)
		set_duration(call, &times);
}

static void
check_status(CallRow *call)
{
	text	   *was = status_text(call, call->old);
	text	   *is = status_text(call, call->row);
	CallWrite	how;

	/* NULL and unknown names are the table's constraints' business. */
	if (was == NULL || is == NULL)
		return;
	if (VARSIZE_ANY_EXHDR(was) == VARSIZE_ANY_EXHDR(is) &&
		memcmp(VARDATA_ANY(was), VARDATA_ANY(is), VARSIZE_ANY_EXHDR(is)) == 0)
	{
		if (call->columns->assigned & (1 << C_ANSWERED_AT | 1 << C_ENDED_AT))
			check_moments(call);
		return;
	}
	if (!platform_call_status_parse(VARDATA_ANY(was), VARSIZE_ANY_EXHDR(was), &call->from) ||
		!platform_call_status_parse(VARDATA_ANY(is), VARSIZE_ANY_EXHDR(is), &call->to))
		return;
	call->moved = true;
	how = write_announced(call);
	if (how != CALL_WRITE_CORRECTION && !platform_call_may_follow(call->from, call->to))
		platform_call_refuse(call->from, call->to);
	if (how == CALL_WRITE_PLAIN)
		fill_times(call, call->to);
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
	if (column_time(call, C_DURATION) == DT_NOBEGIN && platform_call_duration(&times) >= 0)
		set_duration(call, &times);
	check_number(call, C_FROM_NUMBER);
	check_number(call, C_TO_NUMBER);
}

static void
check_update(CallRow *call)
{
	check_status(call);
	if (!(call->columns->assigned & RARELY_ASSIGNED))
		return;
	if (is_assigned(call, C_DISPOSITION) || is_assigned(call, C_DISPOSITION_SET_AT) ||
		is_assigned(call, C_DISPOSITION_SET_BY))
		stamp_disposition(call);
	if (is_assigned(call, C_FROM_NUMBER))
		check_number(call, C_FROM_NUMBER);
	if (is_assigned(call, C_TO_NUMBER))
		check_number(call, C_TO_NUMBER);
}

/* Moments to fill in: bits, the first one lowest, and their values. */
typedef struct Moments
{
	int			added;
	int64		values[MOMENTS];
} Moments;

/* False when something else is to be set, or a moment to NULL. */
static bool
only_moments(const CallRow *call, int present, Moments *moments)
{
	moments->added = 0;
	for (int i = 0; i < call->count; i++)
	{
		int			moment = call->columns_set[i] - C_STARTED_AT;

		if (moment < 0 || moment >= MOMENTS)
			return false;
		if (call->nulls[i])
		{
			if (present & (1 << moment))
				return false;
			continue;
		}
		moments->added |= 1 << moment;
		moments->values[moment] = DatumGetInt64(call->values[i]);
	}
	return true;
}

/*
 * The row with moments filled in, and updated_at; what stands behind them moves.
 * It gets its new bytes where it stands if its slot owns it: they live as long as
 * the row is being processed, which is as long as the slot needs them.
 */
static HeapTuple
splice_moments(CallRow *call, const Moments *moments, int present, TimestampTz now)
{
	HeapTuple	row = call->row;
	TupleTableSlot *slot = call->trigger->tg_newslot;
	HeapTupleHeader old = row->t_data;
	HeapTupleHeader new;
	int			head = old->t_hoff + MOMENTS_OFFSET;
	int			length;
	int64	   *from = (int64 *) ((char *) old + head);
	int64	   *to;

	length = row->t_len + MOMENT_SIZE * moments_before(moments->added & ~present, MOMENTS);
	new = palloc(length);
	memcpy(new, old, head);
	HeapTupleHeaderSetDatumLength(new, length);
	if (HeapTupleHasNulls(row))
		new->t_bits[0] |= moments->added << C_STARTED_AT;
	*(TimestampTz *) ((char *) new + old->t_hoff + UPDATED_OFFSET) = now;

	to = (int64 *) ((char *) new + head);
	for (int moment = 0; moment < MOMENTS; moment++)
	{
		if (moments->added & (1 << moment))
			*to++ = moments->values[moment];
		else if (present & (1 << moment))
			*to++ = *from;
		if (present & (1 << moment))
			from++;
	}
	memcpy(to, from, (char *) old + row->t_len - (char *) from);

	if (platform_slot_owns(slot, row))
		slot->tts_nvalid = 0;
	else
	{
		row = palloc(sizeof(HeapTupleData));
		*row = *call->row;
	}
	row->t_data = new;
	row->t_len = length;
	return row;
}

/* The row with what is to be set in it. */
static void
apply_changes(CallRow *call)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Moments		moments;
	int			attnums[C_COLUMNS];

	if (call->old != NULL)
	{
		bool		in_front = has_moments_in_front(call, call->row);
		int			present = in_front ? moments_present(call->row) : 0;

		if (in_front && only_moments(call, present, &moments))
		{
			call->row = splice_moments(call, &moments, present, now);
			return;
		}
		set_column(call, C_UPDATED_AT, TimestampTzGetDatum(now), false);
	}
	for (int i = 0; i < call->count; i++)
		attnums[i] = call->columns->attnums[call->columns_set[i]];
	call->row = heap_modify_tuple_by_cols(call->row, call->desc, call->count, attnums,
										  call->values, call->nulls);
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
	CallColumns *columns = find_columns(fcinfo, trigger);
	CallRow		call;

	if (update && !columns->assigned_known)
		find_assigned(columns, trigger);
	call.trigger = trigger;
	call.columns = columns;
	call.desc = RelationGetDescr(trigger->tg_relation);
	call.row = platform_trigger_row(trigger);
	call.old = update ? trigger->tg_trigtuple : NULL;
	call.count = 0;
	call.moved = call.disposed = false;

	if (update)
		check_update(&call);
	else
		check_insert(&call);
	if (call.count > 0)
		apply_changes(&call);
	else if (update)
		call.row = platform_touch_row(&call.columns->touch, trigger, call.row);
	if (call.columns->events && (call.moved || call.disposed))
		emit_events(&call);
	return PointerGetDatum(call.row);
}
