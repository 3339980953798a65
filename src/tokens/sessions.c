/*
 * sessions.c
 *	  Calls from start to end: start_call_session(), heartbeat_call_session(),
 *	  end_call_session(), call_session_status().
 *
 * A call goes on whatever happens to its bill. A heartbeat or an end runs in a
 * subtransaction: it locks the call's row, charges it, writes it, and bills the
 * charge. Billing itself is a subtransaction within: when it fails the
 * charge goes to unbilled_usage instead and the call's row moves on. When even
 * that fails all is as before, and the next charge contains this one. So a
 * charge is never lost and never made twice.
 *
 * An end before what was metered gives the difference back. That is not done
 * by halves: when it fails the end alone is noted, for the next report or the
 * meter.
 *
 * Locks are taken in the order call, unbilled_usage, account.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/try.h"
#include "core/uuid7.h"
#include "tokens/billing.h"
#include "tokens/tokens.h"

#define CALL_RESERVE_MINUTES_MAX 1440
#define CALL_GRACE_MAX			86400

PG_FUNCTION_INFO_V1(platform_start_call_session);
PG_FUNCTION_INFO_V1(platform_heartbeat_call_session);
PG_FUNCTION_INFO_V1(platform_end_call_session);
PG_FUNCTION_INFO_V1(platform_call_session_status);

static PlatformQuery insert_call =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.call_sessions"
				   " (id, organization_id, room_id, mode, user_id, used_turn, segment_turn, start_time,"
				   " heartbeat_at, on_exhausted, reserve_minutes, grace_seconds)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $7, $8, $9, $10)",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID,
				   TEXTOID, INT4OID, INT4OID);

/*
 * Arguments.
 */

/*
 * The moment of a report: now for NULL. Who names another one decides what is
 * billed: operators only.
 */
static TimestampTz
call_moment(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz at;

	if (PG_ARGISNULL(argument))
		return DT_NOBEGIN;
	platform_require_operator("name the moment of a call's report");
	at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(at) || at > GetCurrentTimestamp())
		platform_bad_argument("at must not lie in the future");
	return at;
}

/* An operator, an administrator, or the one who pays; anybody when nobody does. */
static bool
may_act_for_payer(text *user_id)
{
	return !platform_call_has_payer(user_id) || platform_tokens_is_own(user_id);
}

/*
 * One call of heartbeat_call_session(), end_call_session(), call_session_status().
 */
typedef enum ReportKind
{
	REPORT_STATUS,
	REPORT_HEARTBEAT,
	REPORT_END
} ReportKind;

typedef struct Report
{
	ReportKind	kind;
	pg_uuid_t	id;
	bool		has_turn;
	bool		turn;
	TimestampTz at;				/* DT_NOBEGIN: now, once the row is locked */
	bool		named;			/* by the caller */

	/* what came of it */
	bool		found;
	bool		allowed;
	bool		over;			/* it had ended before */
	CallSession call;
	Bill		bill;
	ErrorData  *error;			/* nothing could be written */
} Report;

/* The row, found and checked. False: there is none that the caller may see. */
static bool
find_call(PlatformRow *row, Report *report)
{
	Datum		key = UUIDPGetDatum(&report->id);
	bool		latest = false;

	report->found = false;
	do
	{
		platform_row_scan_begin(row, &key, 1, latest);
		report->found = platform_row_scan_next(row);
		platform_row_scan_end(row);
		latest = !latest;
	} while (!report->found && latest);
	if (!report->found)
		return false;
	report->found = platform_may_act_for(platform_call_organization(row));
	if (!report->found)
		return false;
	platform_call_load(row, &report->call);
	report->allowed = may_act_for_payer(report->call.user_id);
	return report->allowed;
}

/* As find_call(), with the row locked. */
static bool
lock_call(PlatformRow *row, Report *report)
{
	do
	{
		if (!find_call(row, report))
			return false;
	} while (!platform_row_lock(row));
	platform_call_load(row, &report->call);
	if (report->at == DT_NOBEGIN)
		report->at = GetCurrentTimestamp();
	return true;
}

/* Has the report an end before the one that the call has? */
static bool
ends_earlier(const Report *report)
{
	const CallSession *call = &report->call;

	return report->kind == REPORT_END && report->named && call->end_time != DT_NOEND &&
		Max(report->at, call->start_time) < call->end_time;
}

/* Ends the call, gives back what it was charged beyond that, writes and bills. */
static void
close_call(PlatformRow *row, Report *report, const CallCharge *charge)
{
	CallSession *call = &report->call;
	TimestampTz end = Max(report->at, call->start_time);
	int64		excess = platform_call_excess(call, end);
	int64		given = 0;

	platform_call_close(call, end, CALL_ENDED);
	if (excess > 0)
	{
		/* Written first: the ledger ends reservations that are over in rows of live calls. */
		platform_call_write(row, call);
		given = platform_call_give_back(call, excess);
	}
	platform_call_bill(row, call, charge, report->at, &report->bill);
	if (given == 0)
		return;
	report->bill.burned -= given;
	if (report->bill.outcome == BILL_NOTHING)
		report->bill.outcome = BILL_REFUNDED;
}

/* Charges up to the report, closes the call at its end, writes and bills. */
static void
charge_call(PlatformRow *row, Report *report)
{
	CallSession *call = &report->call;
	CallCharge	charge;

	if (call->state == CALL_LOST)
	{
		/* It was not lost: nobody heard it. */
		call->state = CALL_LIVE;
		call->end_time = DT_NOEND;
	}
	if (call->end_time != DT_NOEND && !ends_earlier(report))
	{
		/* An end written by SQL counts. */
		report->kind = REPORT_END;
		report->at = call->end_time;
	}
	if (report->kind == REPORT_HEARTBEAT)
		call->heartbeat_at = Max(call->heartbeat_at, report->at);

	platform_call_charge(call, report->at, &charge);
	if (report->kind == REPORT_END)
	{
		close_call(row, report, &charge);
		return;
	}
	if (report->has_turn)
		platform_call_set_turn(call, report->turn, report->at);
	platform_call_bill(row, call, &charge, report->at, &report->bill);
}

static void
report_body(void *arg)
{
	Report	   *report = arg;
	PlatformRow row;

	platform_row_open(&row, &platform_call_table);
	if (lock_call(&row, report))
	{
		report->over = report->call.state == CALL_ENDED && !ends_earlier(report);
		if (!report->over)
			charge_call(&row, report);
	}
	platform_row_close(&row);
}

/* That the call lived, or ended, when it could not be billed: the meter does the rest. */
static void
note_body(void *arg)
{
	Report	   *report = arg;
	CallSession *call = &report->call;
	PlatformRow row;

	platform_row_open(&row, &platform_call_table);
	if (lock_call(&row, report) && (call->state != CALL_ENDED || ends_earlier(report)))
	{
		if (call->state == CALL_LOST)
			call->end_time = DT_NOEND;
		call->state = CALL_LIVE;
		if (report->kind == REPORT_END && (call->end_time == DT_NOEND || ends_earlier(report)))
			call->end_time = Max(report->at, call->start_time);
		call->heartbeat_at = Max(call->heartbeat_at, report->at);
		platform_call_write(&row, call);
	}
	platform_row_close(&row);
}

static void
status_body(void *arg)
{
	Report	   *report = arg;
	PlatformRow row;

	platform_row_open_read(&row, &platform_call_table);
	if (find_call(&row, report))
	{
		report->over = report->call.state == CALL_ENDED;
		if (report->at == DT_NOBEGIN)
			report->at = GetCurrentTimestamp();
	}
	platform_row_close(&row);
}

/*
 * Answers.
 */

#define ANSWER_COLUMNS 11

/* How long the balance lasts. */
typedef struct Outlook
{
	bool		known;
	bool		endless;		/* it costs nothing, or nearly so */
	int64		valid;			/* seconds that are paid for */
	int64		granted;		/* seconds that are or can be paid for */
} Outlook;

static void
look_ahead(const Report *report, Outlook *outlook)
{
	const CallSession *call = &report->call;
	const TokenBalance *balance = &report->bill.balance;
	const TokenRate *rate = platform_call_rate(call);
	int64		seconds = platform_call_segment_seconds(call, report->at);
	int64		funds;
	int64		covered;

	memset(outlook, 0, sizeof(Outlook));
	outlook->known = call->user_id != NULL && report->bill.has_balance;
	if (!outlook->known)
		return;

	/* Bounded, so that sums stay in range; nobody calls for so many tokens. */
	funds = Min(balance->available, INT64CONST(1) << 60) + call->reserved + balance->overdraft_limit;
	covered = platform_rate_covers(rate, call->segment_charged + Max(funds, 0));
	outlook->endless = covered >= TOKEN_SECONDS_MAX;
	outlook->valid = Max(platform_rate_covers(rate, call->segment_charged) - seconds, 0);
	outlook->granted = Max(covered - seconds, outlook->valid);
}

static const char *
billing_name(const Report *report)
{
	if (report->error != NULL)
		return "deferred";
	if (report->call.user_id == NULL)
		return "anonymous";
	switch (report->bill.outcome)
	{
		case BILL_PAID:
			return "billed";
		case BILL_DEBT:
			return "exhausted";
		case BILL_UNBILLED:
			return "unbilled";
		case BILL_REFUNDED:
			return "refunded";
		default:
			return "current";
	}
}

static const char *
verdict_name(const Report *report, const Outlook *outlook)
{
	static const char *const names[] = {"continue", "warn", "cut"};
	bool		exhausted;

	if (outlook->known)
		exhausted = !outlook->endless && outlook->granted <= outlook->valid;
	else
		exhausted = report->bill.reason != NULL && strcmp(report->bill.reason, "no_account") == 0;
	return names[exhausted ? report->call.on_exhausted : CALL_CONTINUE];
}

/* Nobody has the account of a user who has none: that is no error. */
static const char *
reason_name(const Report *report)
{
	if (report->error != NULL)
		return platform_bill_reason(report->error);
	return report->bill.reason;
}

static Datum
answer_report(FunctionCallInfo fcinfo, Report *report)
{
	static const char *const states[] = {"live", "ended", "lost"};
	const CallSession *call = &report->call;
	bool		seen = report->found;
	bool		live = seen && call->state == CALL_LIVE;
	const char *reason = reason_name(report);
	Outlook		outlook = {0};
	Datum		values[ANSWER_COLUMNS];
	bool		nulls[ANSWER_COLUMNS] = {false};

	if (live)
		look_ahead(report, &outlook);
	nulls[0] = !seen;
	values[0] = CStringGetTextDatum(states[seen ? call->state : CALL_LIVE]);
	values[1] = CStringGetTextDatum(report->over ? "current" : billing_name(report));
	values[2] = Int64GetDatum(report->bill.burned);
	values[3] = Int64GetDatum(report->bill.shortfall);
	nulls[4] = !seen;
	values[4] = Int64GetDatum(seen ? call->charged : 0);
	nulls[5] = !report->bill.has_balance;
	values[5] = Int64GetDatum(report->bill.balance.balance);
	nulls[6] = nulls[7] = !outlook.known || outlook.endless;
	values[6] = Int64GetDatum(outlook.granted);
	values[7] = Int64GetDatum(outlook.valid);
	nulls[8] = seen && !live;
	values[8] = CStringGetTextDatum(live ? verdict_name(report, &outlook) : "continue");
	nulls[9] = reason == NULL;
	values[9] = reason ? CStringGetTextDatum(reason) : (Datum) 0;
	nulls[10] = !seen || call->end_time == DT_NOEND;
	values[10] = nulls[10] ? (Datum) 0 :
		Int64GetDatum(Max(call->end_time - call->start_time, 0) / USECS_PER_SEC);
	return platform_return_row(fcinfo, values, nulls);
}

/* Who asks for a call that is not there, or not its own, has a bad argument. */
static void
require_call(const Report *report)
{
	if (report->error != NULL && !report->found)
		return;
	if (!report->found)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no such call session")));
	if (!report->allowed)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for the call session of another user")));
}

/*
 * Runs a heartbeat or an end. When it fails nothing of it is left: then at
 * least is noted that the call lived or ended, if its row can be written.
 */
static void
run_report(Report *report)
{
	ErrorData  *error;

	platform_require_module(&platform_tokens_module);
	PreventCommandIfReadOnly("UPDATE");
	error = platform_try(report_body, report);
	if (error != NULL)
	{
		memset(&report->bill, 0, sizeof(Bill));
		report->found = report->over = false;
		if (platform_try(note_body, report) != NULL &&
			platform_try(status_body, report) != NULL)
			report->found = false;
		report->error = error;
	}
	require_call(report);
}

static void
read_session(FunctionCallInfo fcinfo, ReportKind kind, Report *report)
{
	memset(report, 0, sizeof(Report));
	platform_require_argument(fcinfo, 0, "session");
	report->kind = kind;
	report->id = *PG_GETARG_UUID_P(0);
	report->at = DT_NOBEGIN;
}

/*
 * platform.heartbeat_call_session(session uuid, used_turn boolean DEFAULT NULL,
 *								   at timestamptz DEFAULT NULL)
 *		RETURNS (status text, billing text, burned bigint, shortfall bigint, charged bigint,
 *				 remaining bigint, granted_seconds bigint, valid_seconds bigint,
 *				 verdict text, reason text, duration_seconds bigint)
 *
 * The call lives. Burns what has become due since the last time, and renews the
 * reservation. used_turn: is TURN in use from now on (NULL: as before)? A call
 * that was closed as lost lives again; one that has ended stays ended.
 *
 * billing: current (nothing was due), billed, exhausted (billed; shortfall of it
 * is debt), unbilled (put into unbilled_usage, see reason), refunded (given back:
 * the call had an end before what was metered; burned is below zero), deferred (nothing
 * could be written: the next heartbeat includes it), anonymous. valid_seconds
 * are paid for, granted_seconds are covered by the balance with these; NULL:
 * no limit, or not known. verdict: continue, or what on_exhausted of the call
 * says when the balance covers nothing beyond valid_seconds.
 *
 * Never raises because of billing. at is for operators: a report that arrives
 * late. Members: calls of their own, anonymous ones of their organization, as
 * administrators all of it. Errors: 22004; 22023 a future at; PT404 no such
 * call; 42501; 25006.
 */
Datum
platform_heartbeat_call_session(PG_FUNCTION_ARGS)
{
	Report		report;

	read_session(fcinfo, REPORT_HEARTBEAT, &report);
	report.has_turn = !PG_ARGISNULL(1);
	report.turn = report.has_turn && PG_GETARG_BOOL(1);
	report.at = call_moment(fcinfo, 2);
	run_report(&report);
	return answer_report(fcinfo, &report);
}

/*
 * platform.end_call_session(session uuid, at timestamptz DEFAULT NULL)
 *		RETURNS the columns of heartbeat_call_session()
 *
 * Ends the call: burns the rest, releases the reservation, fills end_time,
 * duration_seconds and credit_cost. An end before what was metered gives the
 * difference back: billing is refunded, and burned below zero. Ending it again
 * changes nothing and answers with what it cost, unless at is an earlier end than
 * the call has: then that counts. When billing is deferred the end is noted if the row can
 * be written, and meter_active_sessions() does the rest. Privilege and errors as
 * heartbeat_call_session().
 */
Datum
platform_end_call_session(PG_FUNCTION_ARGS)
{
	Report		report;

	read_session(fcinfo, REPORT_END, &report);
	report.at = call_moment(fcinfo, 1);
	report.named = report.at != DT_NOBEGIN;
	run_report(&report);
	return answer_report(fcinfo, &report);
}

/*
 * platform.call_session_status(session uuid)
 *		RETURNS the columns of heartbeat_call_session()
 *
 * How the call stands, without being a heartbeat: writes nothing. Privilege and
 * errors as heartbeat_call_session(), but for 25006.
 */
Datum
platform_call_session_status(PG_FUNCTION_ARGS)
{
	Report		report;

	read_session(fcinfo, REPORT_STATUS, &report);
	platform_require_module(&platform_tokens_module);
	status_body(&report);
	require_call(&report);
	if (!report.over)
		platform_call_read_balance(&report.call, &report.bill);
	return answer_report(fcinfo, &report);
}

/* Sets the first minutes aside; whether that works is no condition of a call. */
static void
reserve_body(void *arg)
{
	Report	   *report = arg;
	PlatformRow row;
	CallCharge	charge;

	platform_row_open(&row, &platform_call_table);
	if (lock_call(&row, report))
	{
		platform_call_charge(&report->call, report->call.start_time, &charge);
		platform_call_bill(&row, &report->call, &charge, report->call.start_time, &report->bill);
	}
	platform_row_close(&row);
}

static int32
start_number(FunctionCallInfo fcinfo, int argument, const char *name, int least, int most)
{
	int32		value = PG_GETARG_INT32(argument);

	if (value < least || value > most)
		platform_bad_argument(psprintf("%s must be between %d and %d", name, least, most));
	return value;
}

static void
check_policy(text *policy)
{
	char	   *name = text_to_cstring(policy);

	if (strcmp(name, "continue") != 0 && strcmp(name, "warn") != 0 && strcmp(name, "cut") != 0)
		platform_bad_argument("on_exhausted must be continue, warn or cut");
}

/*
 * platform.start_call_session(organization_id uuid, room_id text, mode text,
 *							   user_id text DEFAULT NULL, used_turn boolean DEFAULT false,
 *							   on_exhausted text DEFAULT 'continue',
 *							   reserve_minutes integer DEFAULT 1, grace_seconds integer DEFAULT 90,
 *							   at timestamptz DEFAULT NULL)
 *		RETURNS uuid
 *
 * Starts a call and returns its session. mode is voice, voice-only or video.
 * user_id is who pays: NULL or beginning with anonymous_, nobody. The price of
 * the first reserve_minutes (0 to 1440) is set aside as far as there is; the
 * call starts also when there is nothing, or no account. Without a heartbeat for
 * grace_seconds (1 to 86400) the call is lost; NULL: it sends none. at is for
 * operators. Members: for themselves or anonymous, administrators for any user,
 * of their organization. Errors: 22004; 22023 bad argument; 42501; 23503 no
 * such organization; 25006.
 */
Datum
platform_start_call_session(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"organization_id", "room_id", "mode", NULL, "used_turn", "on_exhausted", "reserve_minutes"
	};
	Report		report = {.at = DT_NOBEGIN};
	pg_uuid_t  *organization;
	text	   *user_id = PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3);
	TimestampTz at = call_moment(fcinfo, 8);
	Datum		values[10];
	bool		nulls[10] = {false};

	for (int i = 0; i < lengthof(names); i++)
		if (names[i] != NULL)
			platform_require_argument(fcinfo, i, names[i]);
	organization = PG_GETARG_UUID_P(0);
	platform_require_module(&platform_tokens_module);
	platform_require_organization(organization);
	platform_tokens_require_length(PG_GETARG_TEXT_PP(1), "room_id");
	platform_mode_is_video(PG_GETARG_TEXT_PP(2));
	if (user_id != NULL)
		platform_tokens_require_length(user_id, "user_id");
	if (!may_act_for_payer(user_id))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to start a call for another user")));
	check_policy(PG_GETARG_TEXT_PP(5));
	PreventCommandIfReadOnly("INSERT");

	platform_make_uuid7(&report.id);
	values[0] = UUIDPGetDatum(&report.id);
	for (int i = 1; i < 6; i++)
		values[i] = PG_GETARG_DATUM(i - 1);
	nulls[4] = user_id == NULL;
	values[6] = TimestampTzGetDatum(at == DT_NOBEGIN ? GetCurrentTimestamp() : at);
	values[7] = PG_GETARG_DATUM(5);
	values[8] = Int32GetDatum(start_number(fcinfo, 6, "reserve_minutes", 0, CALL_RESERVE_MINUTES_MAX));
	nulls[9] = PG_ARGISNULL(7);
	values[9] = nulls[9] ? (Datum) 0 :
		Int32GetDatum(start_number(fcinfo, 7, "grace_seconds", 1, CALL_GRACE_MAX));

	platform_query_begin();
	platform_query_run(&insert_call, values, nulls);
	platform_query_end();
	platform_try(reserve_body, &report);
	PG_RETURN_UUID_P(memcpy(palloc(sizeof(pg_uuid_t)), &report.id, sizeof(pg_uuid_t)));
}
