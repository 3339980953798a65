/*
 * lifecycle.c
 *	  The course of a call: advance_call(), end_call(), correct_call(), delete_call().
 *
 * A report locks the call's row, so that two at once are one after the other,
 * and is decided by the state found under the lock. Reports that skip states
 * take the call through those between, one UPDATE each: whoever watches the
 * table sees no transition that does not exist.
 *
 * The caller is checked first; rows are then written as the owner of the tables,
 * because members may not write status and moments themselves.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "core/argument.h"
#include "core/audit.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"

#define CALL_CODE_MAX		50
#define CALL_REASON_MAX		500

PG_FUNCTION_INFO_V1(platform_advance_call);
PG_FUNCTION_INFO_V1(platform_end_call);
PG_FUNCTION_INFO_V1(platform_correct_call);
PG_FUNCTION_INFO_V1(platform_delete_call);

#define CALL_COLUMNS "id, status, started_at, answered_at, ended_at"

static PlatformQuery lock_by_id =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT " CALL_COLUMNS " FROM platform.calls"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
				   " FOR NO KEY UPDATE",
				   UUIDOID, UUIDOID);

static PlatformQuery lock_by_sid =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT " CALL_COLUMNS " FROM platform.calls"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND call_sid OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
				   " FOR NO KEY UPDATE",
				   UUIDOID, TEXTOID);

/* What the audit trail keeps of a correction. */
static PlatformQuery describe_call =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.jsonb_build_object('status', status, 'started_at', started_at,"
				   " 'answered_at', answered_at, 'ended_at', ended_at, 'duration', duration)"
				   " FROM platform.calls WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery make_reason =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT pg_catalog.jsonb_build_object('reason', $1)",
				   TEXTOID);

static PlatformQuery write_call =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.calls SET status = $3, started_at = $4, answered_at = $5,"
				   " ended_at = $6, duration = $7, error_code = COALESCE($8, error_code),"
				   " error_message = COALESCE($9, error_message), end_reason = COALESCE($10, end_reason)"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
				   INT8OID, TEXTOID, TEXTOID, TEXTOID);

/* A call under its row's lock, and what a report changes in it. */
typedef struct Call
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	CallStatus	status;
	CallTimes	times;
	CallStatus	previous;		/* before the report */
	const char *outcome;
	text	   *error_code;		/* NULL: as it is */
	text	   *error_message;
	const char *end_reason;
} Call;

/*
 * Rows.
 */

static TimestampTz
row_time(int column)
{
	return platform_row_timestamptz_or(0, column, DT_NOBEGIN);
}

static void
load_call(Call *call)
{
	char	   *status = platform_row_cstring(0, 2);

	call->id = platform_row_uuid(0, 1);
	if (!platform_call_status_parse(status, strlen(status), &call->status))
		elog(ERROR, "unexpected status of a call");
	call->times.started = row_time(3);
	call->times.answered = row_time(4);
	call->times.ended = row_time(5);
	call->previous = call->status;
}

/*
 * Locks the call that the first two arguments name: by its id, or by a text that
 * is its id or the provider's key. PT404 when there is none.
 */
static void
lock_call(FunctionCallInfo fcinfo, Call *call)
{
	Datum		values[2] = {UUIDPGetDatum(&call->organization), PG_GETARG_DATUM(1)};
	pg_uuid_t	id;
	bool		by_id = get_fn_expr_argtype(fcinfo->flinfo, 1) == UUIDOID;
	uint64		found = 0;

	if (by_id)
		found = platform_query_run(&lock_by_id, values, NULL);
	else
	{
		if (platform_parse_uuid(text_to_cstring(PG_GETARG_TEXT_PP(1)), &id))
		{
			values[1] = UUIDPGetDatum(&id);
			found = platform_query_run(&lock_by_id, values, NULL);
			values[1] = PG_GETARG_DATUM(1);
		}
		if (found == 0)
			found = platform_query_run(&lock_by_sid, values, NULL);
	}
	if (found == 0)
		platform_no_such("call");
	load_call(call);
}

static void
store_call(const Call *call, CallWrite how)
{
	int32		duration = platform_call_duration(&call->times);
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = UUIDPGetDatum(&call->organization);
	values[1] = UUIDPGetDatum(&call->id);
	values[2] = CStringGetTextDatum(platform_call_status_name(call->status));
	platform_voice_set_time(values, nulls, 3, call->times.started);
	platform_voice_set_time(values, nulls, 4, call->times.answered);
	platform_voice_set_time(values, nulls, 5, call->times.ended);
	values[6] = Int64GetDatum(Max(duration, 0));
	nulls[6] = duration < 0;
	platform_set_text(values, nulls, 7, call->error_code);
	platform_set_text(values, nulls, 8, call->error_message);
	platform_set_text(values, nulls, 9, call->end_reason ? cstring_to_text(call->end_reason) : NULL);

	platform_call_write_begin(how, &call->id);
	platform_query_run(&write_call, values, nulls);
	platform_call_write_end();
}

/*
 * Reports.
 */

/* The moment of something earlier, that becomes known only now. */
static void
fill_in(Call *call, CallStatus status, TimestampTz at)
{
	CallTimes	before = call->times;
	bool		answerable = call->status == CALL_IN_PROGRESS || call->status == CALL_COMPLETED ||
		call->status == CALL_FAILED;

	call->outcome = "late";
	if (status == CALL_PENDING || (status == CALL_IN_PROGRESS && !answerable))
		return;
	if (call->times.answered != DT_NOBEGIN)
		at = Min(at, call->times.answered);
	else if (call->times.ended != DT_NOBEGIN)
		at = Min(at, call->times.ended);
	if (call->times.started == DT_NOBEGIN || at < call->times.started)
		call->times.started = at;
	if (status == CALL_IN_PROGRESS && call->times.answered == DT_NOBEGIN)
		call->times.answered = at;
	if (memcmp(&before, &call->times, sizeof(CallTimes)) != 0)
		store_call(call, CALL_WRITE_TIMED);
}

/* The answer that a length of talk and an end imply, when it was not reported. */
static void
imply_answer(Call *call, TimestampTz ended, int32 talk)
{
	if (talk < 0 || call->times.answered != DT_NOBEGIN)
		return;
	call->times.answered = ended - talk * USECS_PER_SEC;
	if (call->times.started == DT_NOBEGIN || call->times.started > call->times.answered)
		call->times.started = call->times.answered;
}

/* Takes the call to a state of a higher rank, through those between. */
static void
step_to(Call *call, CallStatus status, TimestampTz at, int32 talk)
{
	const char *end_reason = call->end_reason;
	CallStatus	next;

	if (status == CALL_COMPLETED)
		imply_answer(call, at, talk);
	while (call->status != status)
	{
		if (!platform_call_next(call->status, status, &next))
			platform_call_refuse(call->status, status);
		/* When it was answered is not known from its end. */
		if (next == CALL_IN_PROGRESS && next != status)
			platform_call_enter(&call->times, CALL_RINGING, at);
		else
			platform_call_enter(&call->times, next, at);
		call->end_reason = next == status ? end_reason : NULL;
		call->status = next;
		store_call(call, CALL_WRITE_TIMED);
	}
	call->outcome = "advanced";
}

/* What a report of that state at that moment does to the call. */
static void
report_status(Call *call, CallStatus status, TimestampTz at, int32 talk)
{
	int			rank = platform_call_rank(status);
	int			present = platform_call_rank(call->status);

	if (status == call->status)
	{
		call->outcome = "repeated";
		if (status != CALL_COMPLETED || talk < 0 || call->times.answered != DT_NOBEGIN ||
			call->times.ended == DT_NOBEGIN)
			return;
		imply_answer(call, call->times.ended, talk);
		store_call(call, CALL_WRITE_TIMED);
	}
	else if (rank < present)
		fill_in(call, status, at);
	else if (platform_call_is_over(call->status))
		call->outcome = "over";
	else
		step_to(call, status, at, talk);
}

/* id, outcome, current_status, previous_status, talk_seconds */
static Datum
answer(FunctionCallInfo fcinfo, const Call *call)
{
	int32		duration = platform_call_duration(&call->times);
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = UUIDPGetDatum(&call->id);
	values[1] = CStringGetTextDatum(call->outcome);
	values[2] = CStringGetTextDatum(platform_call_status_name(call->status));
	values[3] = CStringGetTextDatum(platform_call_status_name(call->previous));
	values[4] = Int32GetDatum(Max(duration, 0));
	nulls[4] = duration < 0;
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.advance_call(organization_id uuid, call_id uuid | call_sid text, status text,
 *						 at timestamptz DEFAULT NULL, duration integer DEFAULT NULL,
 *						 error_code text DEFAULT NULL, error_message text DEFAULT NULL)
 *		RETURNS (id uuid, outcome text, current_status text, previous_status text, talk_seconds integer)
 *
 * A provider reports that the call came into that state at that moment (NULL or
 * in the future: now). outcome: advanced; repeated: it is in that state; late: it
 * has passed it, and moments that were not known are filled in; over: it has ended
 * otherwise. A report that skips states takes it through them. duration, seconds
 * of talk, tells when it was answered if nothing else did. Writes the call's row
 * only when something changes. call_sid may also be the id as text. Members: calls of
 * their organization. Errors: 22004 NULL; 22023 bad argument; 42501; PT404 no such
 * call; PT409 no way leads to that state; 25006.
 */
Datum
platform_advance_call(PG_FUNCTION_ARGS)
{
	Call		call = {0};
	CallStatus	status;
	TimestampTz at;
	int32		talk;

	call.organization = *platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call");
	status = platform_call_status_argument(fcinfo, 2);
	at = platform_voice_moment(fcinfo, 3);
	talk = PG_ARGISNULL(4) ? -1 : PG_GETARG_INT32(4);
	if (!PG_ARGISNULL(4) && talk < 0)
		platform_bad_argument("duration must not be below zero");
	(void) platform_optional_text(fcinfo, 5, "error_code", CALL_CODE_MAX);
	call.error_code = platform_text_argument(fcinfo, 5);
	call.error_message = platform_text_argument(fcinfo, 6);

	platform_query_begin();
	lock_call(fcinfo, &call);
	report_status(&call, status, at, talk);
	platform_query_end();
	return answer(fcinfo, &call);
}

/* How a call ends for a reason, by the state that it is in. */
typedef struct EndReason
{
	const char *name;
	CallStatus	end[CALL_IN_PROGRESS + 1];
} EndReason;

static const EndReason end_reasons[] = {
	{"completed", {CALL_CANCELED, CALL_NO_ANSWER, CALL_COMPLETED}},
	{"user_hangup", {CALL_CANCELED, CALL_CANCELED, CALL_COMPLETED}},
	{"agent_ended", {CALL_CANCELED, CALL_CANCELED, CALL_COMPLETED}},
	{"timeout", {CALL_FAILED, CALL_NO_ANSWER, CALL_COMPLETED}},
	{"error", {CALL_FAILED, CALL_FAILED, CALL_FAILED}},
};

static const EndReason *
end_reason_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *name;

	platform_require_argument(fcinfo, argument, "reason");
	name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	for (int i = 0; i < lengthof(end_reasons); i++)
	{
		if (strcmp(end_reasons[i].name, name) == 0)
			return &end_reasons[i];
	}
	platform_bad_argument("reason must be completed, user_hangup, agent_ended, timeout or error");
}

/*
 * platform.end_call(organization_id uuid, call_id uuid | call_sid text,
 *					 reason text DEFAULT 'completed', at timestamptz DEFAULT NULL,
 *					 error_code text DEFAULT NULL, error_message text DEFAULT NULL)
 *		RETURNS the columns of advance_call()
 *
 * Ends the call as fits its state and the reason (completed, user_hangup,
 * agent_ended, timeout, error): one that was answered is completed, or failed for
 * an error; one that rang is no_answer, canceled or failed; one that never rang
 * is canceled or failed. outcome over: it had ended before, and nothing changes.
 * Privilege and errors as advance_call(), but for PT409.
 */
Datum
platform_end_call(PG_FUNCTION_ARGS)
{
	Call		call = {0};
	const EndReason *reason;
	TimestampTz at;

	call.organization = *platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call");
	reason = end_reason_argument(fcinfo, 2);
	at = platform_voice_moment(fcinfo, 3);
	(void) platform_optional_text(fcinfo, 4, "error_code", CALL_CODE_MAX);
	call.error_code = platform_text_argument(fcinfo, 4);
	call.error_message = platform_text_argument(fcinfo, 5);
	call.end_reason = reason->name;

	platform_query_begin();
	lock_call(fcinfo, &call);
	if (platform_call_is_over(call.status))
		call.outcome = "over";
	else
		step_to(&call, reason->end[call.status], at, -1);
	platform_query_end();
	return answer(fcinfo, &call);
}

/* One jsonb. */
static const Jsonb *
query_json(PlatformQuery *query, const Datum *values)
{
	bool		isnull;

	platform_query_run(query, values, NULL);
	return DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
}

static void
audit_correction(const Call *call, const Jsonb *old, const Jsonb *new, text *reason)
{
	Datum		value = PointerGetDatum(reason);
	PlatformAuditEntry entry = {
		.action = "call_corrected",
		.organization = &call->organization,
		.entity = "calls",
		.entity_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&call->id))),
		.old = old,
		.new = new,
		.metadata = query_json(&make_reason, &value),
	};

	platform_audit_write(&entry, NULL);
}

static void
correct_time(FunctionCallInfo fcinfo, int argument, TimestampTz *at)
{
	if (PG_ARGISNULL(argument))
		return;
	*at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(*at))
		platform_bad_argument("started_at, answered_at and ended_at must be moments");
}

/* A state has the moments that go with it, in their order; an unknown one is now. */
static void
correct_times(Call *call)
{
	CallTimes  *times = &call->times;

	if (call->status == CALL_PENDING)
		times->started = DT_NOBEGIN;
	if (call->status != CALL_IN_PROGRESS && call->status != CALL_COMPLETED &&
		call->status != CALL_FAILED)
		times->answered = DT_NOBEGIN;
	if (!platform_call_is_over(call->status))
		times->ended = DT_NOBEGIN;
	if (call->status != call->previous)
		platform_call_enter(times, call->status, GetCurrentTransactionStartTimestamp());
	if ((times->answered != DT_NOBEGIN && times->answered < times->started) ||
		(times->ended != DT_NOBEGIN && times->ended < Max(times->started, times->answered)))
		platform_bad_argument("started_at, answered_at and ended_at must be in this order");
}

/*
 * platform.correct_call(organization_id uuid, call_id uuid, reason text,
 *						 status text DEFAULT NULL, started_at timestamptz DEFAULT NULL,
 *						 answered_at timestamptz DEFAULT NULL, ended_at timestamptz DEFAULT NULL)
 *		RETURNS the columns of advance_call()
 *
 * Puts a call right, against the transitions too: NULL leaves what is; moments
 * that do not belong to the state are removed, and one that does and is not
 * known is now. The duration follows. outcome is
 * corrected, or repeated when all was so. The audit trail keeps what was, what
 * is, and the reason. Operators. Errors: 42501; 22004 NULL;
 * 22023 bad argument, moments out of order; PT404 no such call; 25006.
 */
Datum
platform_correct_call(PG_FUNCTION_ARGS)
{
	Call		call = {0};
	CallTimes	before;
	Datum		key[2];

	platform_require_operator("correct a call");
	call.organization = *platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call");
	platform_require_argument(fcinfo, 2, "reason");
	(void) platform_required_text(fcinfo, 2, "reason", CALL_REASON_MAX);

	platform_query_begin();
	lock_call(fcinfo, &call);
	before = call.times;
	if (!PG_ARGISNULL(3))
		call.status = platform_call_status_argument(fcinfo, 3);
	correct_time(fcinfo, 4, &call.times.started);
	correct_time(fcinfo, 5, &call.times.answered);
	correct_time(fcinfo, 6, &call.times.ended);
	correct_times(&call);
	if (call.status == call.previous && memcmp(&before, &call.times, sizeof(CallTimes)) == 0)
		call.outcome = "repeated";
	else
	{
		const Jsonb *old;

		key[0] = UUIDPGetDatum(&call.organization);
		key[1] = UUIDPGetDatum(&call.id);
		old = query_json(&describe_call, key);
		store_call(&call, CALL_WRITE_CORRECTION);
		audit_correction(&call, old, query_json(&describe_call, key), PG_GETARG_TEXT_PP(2));
		call.outcome = "corrected";
	}
	platform_query_end();
	return answer(fcinfo, &call);
}

/*
 * platform.delete_call(organization_id uuid, call_id uuid) RETURNS boolean
 *
 * Marks the call as deleted: no function finds it any more, and its call_sid is
 * free. What belongs to it stays. False when it was deleted before. Administrators
 * of the organization. Errors: 22004; 42501; PT404 no such call; 25006.
 */
Datum
platform_delete_call(PG_FUNCTION_ARGS)
{
	static PlatformQuery delete =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.calls SET deleted_at = pg_catalog.now()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.calls"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		deleted;

	values[0] = UUIDPGetDatum(platform_voice_organization(fcinfo, 0));
	platform_require_argument(fcinfo, 1, "call_id");
	values[1] = PG_GETARG_DATUM(1);
	platform_require_administrator(PG_GETARG_UUID_P(0), "delete a call");

	platform_query_begin();
	deleted = platform_query_run(&delete, values, NULL) > 0;
	if (!deleted && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("call");
	platform_query_end();
	PG_RETURN_BOOL(deleted);
}
