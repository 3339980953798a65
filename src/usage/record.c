/*
 * record.c
 *	  What was used: an event, the counter, the states, in one step.
 *
 * All reports of a call are done one after the other, under the lock of the
 * customer's row: an event that was not there when the row was found cannot be
 * there when it is swapped. The event is appended after that. Two customers who
 * report one call at the same moment are told apart by the unique index, as are
 * two calls by one report of the provider.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/append.h"
#include "core/commit.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/uuid7.h"
#include "usage/record.h"

PG_FUNCTION_INFO_V1(platform_record_call_usage);
PG_FUNCTION_INFO_V1(platform_record_sms_usage);

/* Clocks of providers differ from ours. */
#define USAGE_FUTURE_MAX	(5 * USECS_PER_MINUTE)

/* More than that is no counter's to hold. */
#define USAGE_SUM_MAX		INT64CONST(1000000000000000)

enum
{
	E_ORGANIZATION,
	E_KEY,
	E_SEQUENCE,
	E_ID,
	E_USER,
	E_PERIOD_ID,
	E_SNAPSHOT,
	E_OCCURRED_AT,
	E_TOTAL,
	E_COST,
	E_EVENT_ID,
	E_SEEN_COLUMNS,
	E_RECORDED_AT = E_SEEN_COLUMNS,
	E_AMOUNT,
	E_TYPE,
	E_DIRECTION,
	E_PHONE_NUMBER,
	E_AGENT_ID,
	E_COLUMNS
};

#define SEEN_COLUMNS(key, total) \
	{"organization_id", UUIDOID}, {key, TEXTOID}, {"sequence", INT4OID}, {"id", UUIDOID}, \
	{"user_id", UUIDOID}, {"period_id", UUIDOID}, {"tier_snapshot_id", UUIDOID}, \
	{"occurred_at", TIMESTAMPTZOID}, {total, INT8OID}, {"cost_cents", INT8OID}, \
	{"event_id", TEXTOID}

#define MORE_COLUMNS(amount) \
	{"recorded_at", TIMESTAMPTZOID}, {amount, INT8OID}, {"event_type", TEXTOID}, \
	{"direction", TEXTOID}, {"phone_number", TEXTOID}, {"agent_id", TEXTOID}

static PlatformAppendTable append_tables[USAGE_KINDS] = {
	{
		.cache = {.name = "call events", .tables = {"call_events"}},
		.ncolumns = E_COLUMNS,
		.columns = {SEEN_COLUMNS("call_id", "total_seconds"), MORE_COLUMNS("seconds")},
	},
	{
		.cache = {.name = "message events", .tables = {"sms_events"}},
		.ncolumns = E_COLUMNS,
		.columns = {SEEN_COLUMNS("message_id", "total_segments"), MORE_COLUMNS("segments")},
	},
};

static PlatformRowTable seen_tables[USAGE_KINDS] = {
	{
		.cache = {.name = "call events by call", .tables = {"call_events"}},
		.immutable = true,
		.nkeys = 3,
		.ncolumns = E_SEEN_COLUMNS,
		.columns = {SEEN_COLUMNS("call_id", "total_seconds")},
	},
	{
		.cache = {.name = "message events by message", .tables = {"sms_events"}},
		.immutable = true,
		.nkeys = 3,
		.ncolumns = E_SEEN_COLUMNS,
		.columns = {SEEN_COLUMNS("message_id", "total_segments")},
	},
};

void
platform_caps_record_init(void)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		platform_append_register(&append_tables[kind]);
		platform_row_register(&seen_tables[kind]);
	}
}

/* What was reported of a call before. */
typedef struct UsageSeen
{
	int			count;
	pg_uuid_t	id;				/* of the newest event */
	TransactionId xmin;
	int64		total;
	int64		cost;
	bool		same_event;		/* one of them has the report's event id */
	pg_uuid_t	user;			/* of the first */
	pg_uuid_t	period;
	bool		has_snapshot;
	pg_uuid_t	snapshot;
	TimestampTz at;
} UsageSeen;

typedef struct UsageRecorder
{
	UsageReport *report;
	PlatformAppend events;
	PlatformRow seen;
} UsageRecorder;

static bool
same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static void
see_event(const PlatformRow *row, const UsageReport *report, UsageSeen *seen)
{
	bool		isnull;
	Datum		value;

	if (seen->count++ == 0)
	{
		seen->user = platform_row_get_uuid(row, E_USER);
		seen->period = platform_row_get_uuid(row, E_PERIOD_ID);
		value = platform_row_get(row, E_SNAPSHOT, &isnull);
		seen->has_snapshot = !isnull;
		if (!isnull)
			seen->snapshot = *DatumGetUUIDP(value);
		seen->at = platform_row_get_int64(row, E_OCCURRED_AT, 0);
	}
	seen->id = platform_row_get_uuid(row, E_ID);
	seen->xmin = platform_row_xmin(row);
	seen->total = platform_row_get_int64(row, E_TOTAL, 0);
	seen->cost += platform_row_get_int64(row, E_COST, 0);
	value = platform_row_get(row, E_EVENT_ID, &isnull);
	if (!isnull && report->event_id != NULL &&
		same_text(DatumGetTextPP(value), report->event_id))
		seen->same_event = true;
}

static void
look_for_events(UsageRecorder *recorder, UsageSeen *seen)
{
	const UsageReport *report = recorder->report;
	Datum		keys[2] = {UUIDPGetDatum(&report->organization), PointerGetDatum(report->key)};

	memset(seen, 0, sizeof(UsageSeen));
	platform_row_scan_begin(&recorder->seen, keys, 2, false);
	while (platform_row_scan_next(&recorder->seen))
		see_event(&recorder->seen, report, seen);
	platform_row_scan_end(&recorder->seen);
	if (seen->count > 0 && !platform_uuid_equal(&seen->user, &report->user))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("%s \"%s\" was recorded for another user",
						report->kind == USAGE_CALL ? "call" : "message",
						text_to_cstring(report->key))));
}

static void
set_or_null(PlatformAppend *events, TupleTableSlot *slot, int column, const void *value)
{
	if (value != NULL)
		platform_append_set(events, slot, column, PointerGetDatum(value));
}

/* The row, of which pointers go into the report and *seen. */
static void
append_event(UsageRecorder *recorder, const UsageSeen *seen, TimestampTz now)
{
	UsageReport *report = recorder->report;
	PlatformAppend *events = &recorder->events;
	TupleTableSlot *slot;
	pg_uuid_t  *ids = palloc(3 * sizeof(pg_uuid_t));

	slot = platform_append_row(events);
	platform_make_uuid7(&report->id);
	ids[0] = report->id;
	ids[1] = seen->period;
	ids[2] = seen->snapshot;
	platform_append_set(events, slot, E_ID, UUIDPGetDatum(&ids[0]));
	platform_append_set(events, slot, E_PERIOD_ID, UUIDPGetDatum(&ids[1]));
	if (seen->has_snapshot)
		platform_append_set(events, slot, E_SNAPSHOT, UUIDPGetDatum(&ids[2]));
	platform_append_set(events, slot, E_ORGANIZATION, UUIDPGetDatum(&report->organization));
	platform_append_set(events, slot, E_USER, UUIDPGetDatum(&report->user));
	platform_append_set(events, slot, E_KEY, PointerGetDatum(report->key));
	platform_append_set(events, slot, E_SEQUENCE, Int32GetDatum(seen->count + 1));
	platform_append_set(events, slot, E_OCCURRED_AT, TimestampTzGetDatum(seen->at));
	platform_append_set(events, slot, E_RECORDED_AT, TimestampTzGetDatum(now));
	platform_append_set(events, slot, E_TOTAL, Int64GetDatum(report->amount));
	platform_append_set(events, slot, E_AMOUNT, Int64GetDatum(report->difference));
	platform_append_set(events, slot, E_COST,
						Int64GetDatum(report->has_cost ? report->cost - seen->cost : 0));
	platform_append_set(events, slot, E_TYPE,
						CStringGetTextDatum(seen->count == 0 ? "usage" : "correction"));
	set_or_null(events, slot, E_EVENT_ID, report->event_id);
	set_or_null(events, slot, E_DIRECTION, report->direction);
	set_or_null(events, slot, E_PHONE_NUMBER, report->phone_number);
	set_or_null(events, slot, E_AGENT_ID, report->agent_id);
}

/* Where a call that is new belongs: its moment, prices, and period. */
static void
place(const UsageLimits *limits, const UsageReport *report, UsageSeen *seen)
{
	seen->at = report->at;
	seen->period = limits->period_id;
	seen->has_snapshot = limits->has_snapshot;
	seen->snapshot = limits->snapshot;
	if (report->at < limits->tier_since)
		seen->has_snapshot = platform_caps_snapshot_at(limits, report->at, &seen->snapshot);
}

static void
count_late(UsageLimits *limits, UsageReport *report, UsageSeen *seen)
{
	UsageLate	late = {
		.kind = report->kind,
		.period = seen->count > 0 ? &seen->period : NULL,
		.at = seen->at,
		.difference = report->difference,
	};

	platform_caps_count_late(limits, &late);
	seen->period = late.period_id;
}

static bool
record_body(UsageChange *change, void *arg)
{
	UsageRecorder *recorder = arg;
	UsageReport *report = recorder->report;
	UsageLimits *limits = &change->limits;
	UsageSeen	seen;

	platform_append_forget(&recorder->events, 0);
	look_for_events(recorder, &seen);
	report->difference = report->amount - seen.total;
	report->duplicate = seen.same_event ||
		(seen.count > 0 && report->event_id == NULL && report->difference == 0 &&
		 (!report->has_cost || report->cost == seen.cost));
	if (report->duplicate)
	{
		report->difference = 0;
		report->id = seen.id;
		report->late = !platform_uuid_equal(&seen.period, &limits->period_id);
		platform_commit_require_durable(seen.xmin);
		if (report->release == 0)
			return false;
		platform_caps_release(limits, report->release);
		return true;
	}

	if (seen.count == 0)
		place(limits, report, &seen);
	report->late = seen.count > 0 ? !platform_uuid_equal(&seen.period, &limits->period_id) :
		report->at < limits->period_start;
	if (report->late)
	{
		if (platform_caps_wants_lock(change))
			return false;
		count_late(limits, report, &seen);
	}
	else
		limits->used[report->kind] = Max(limits->used[report->kind] + report->difference, 0);
	if (limits->used[report->kind] > USAGE_SUM_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("usage out of range")));
	platform_caps_release(limits, report->release);
	append_event(recorder, &seen, limits->now);
	return true;
}

void
platform_caps_record(UsageReport *report)
{
	UsageRecorder recorder = {.report = report};
	UsageChange change;

	platform_caps_expect(&report->organization, &report->user);
	platform_caps_open(&change);
	platform_append_open(&recorder.events, &append_tables[report->kind], 1);
	platform_row_open_read(&recorder.seen, &seen_tables[report->kind]);
	while (!platform_caps_change(&change, &report->organization, &report->user, false,
								  record_body, &recorder))
		(void) platform_caps_create(&report->organization, &report->user, &report->at, NULL);
	platform_append_flush(&recorder.events);
	report->limits = change.limits;
	platform_caps_evaluate(&report->limits);
	platform_row_close(&recorder.seen);
	platform_append_close(&recorder.events);
	platform_caps_close(&change);
	platform_commit_unlock_early();
}

/* When it happened; NULL: now. 22023 for the future. */
static TimestampTz
moment_argument(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz at = PG_ARGISNULL(argument) ? now : PG_GETARG_TIMESTAMPTZ(argument);

	if (TIMESTAMP_NOT_FINITE(at) || at > now + USAGE_FUTURE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at must be finite and not in the future")));
	return Min(at, now);
}

static text *
direction_argument(FunctionCallInfo fcinfo, int argument)
{
	text	   *direction = platform_optional_text(fcinfo, argument, "direction", 8);

	if (direction != NULL && strcmp(text_to_cstring(direction), "inbound") != 0 &&
		strcmp(text_to_cstring(direction), "outbound") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("direction must be inbound or outbound")));
	return direction;
}

static Datum
record(FunctionCallInfo fcinfo, UsageKind kind, const char *key, const char *amount)
{
	UsageReport report = {.kind = kind};
	Datum		values[8];
	bool		nulls[8] = {false};

	platform_require_operator("record usage");
	platform_require_module(&platform_caps_module);
	report.organization = *platform_caps_uuid(fcinfo, 0, "organization_id");
	report.user = *platform_caps_uuid(fcinfo, 1, "user_id");
	report.key = platform_required_text(fcinfo, 2, key, 255);
	report.amount = platform_caps_amount(fcinfo, 3, amount, 0);
	report.at = moment_argument(fcinfo, 4);
	report.direction = direction_argument(fcinfo, 5);
	report.phone_number = platform_optional_text(fcinfo, 6, "phone_number", 63);
	report.agent_id = platform_optional_text(fcinfo, 7, "agent_id", 255);
	report.has_cost = !PG_ARGISNULL(8);
	if (report.has_cost)
		report.cost = platform_caps_amount(fcinfo, 8, "cost_cents", 0);
	report.event_id = platform_optional_text(fcinfo, 9, "event_id", 255);
	platform_caps_record(&report);

	values[0] = UUIDPGetDatum(&report.id);
	values[1] = BoolGetDatum(report.duplicate);
	values[2] = Int64GetDatum(report.difference);
	values[3] = BoolGetDatum(report.late);
	values[4] = Int64GetDatum(report.limits.used[kind]);
	values[5] = Int64GetDatum(platform_caps_remaining(&report.limits, kind));
	values[6] = CStringGetTextDatum(platform_caps_state_name(report.limits.state[kind]));
	values[7] = BoolGetDatum(report.limits.stopped[kind]);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * platform.record_call_usage(organization_id uuid, user_id uuid, call_id text, seconds bigint,
 *		at timestamptz DEFAULT NULL, direction text DEFAULT NULL, phone_number text DEFAULT NULL,
 *		agent_id text DEFAULT NULL, cost_cents bigint DEFAULT NULL, event_id text DEFAULT NULL)
 *		RETURNS (id uuid, duplicate boolean, difference bigint, late boolean,
 *				 used_seconds bigint, remaining_seconds bigint, limit_state text,
 *				 hard_stop_active boolean)
 *
 * Records how long a call was, whatever the limit: the event, the counter, the
 * states and alerts in one step. at: when it ended (NULL: now), which decides its
 * period; late: that was over already. Reported again with another length, the
 * difference is counted, in the call's period and for its prices; with the same
 * one nothing is. event_id names the provider's report: the same again is a
 * duplicate, whatever came in between. A customer without limits gets some, without
 * a plan. Operators. Errors: 42501; 22004; 22023 below 0 or above 1,000,000,000, at in
 * the future; PT404 no such organization or user; PT409 another user's call; 23505
 * event_id was another call's; 22003; 25006.
 */
Datum
platform_record_call_usage(PG_FUNCTION_ARGS)
{
	return record(fcinfo, USAGE_CALL, "call_id", "seconds");
}

/*
 * platform.record_sms_usage(organization_id uuid, user_id uuid, message_id text,
 *		segments bigint DEFAULT 1, at timestamptz DEFAULT NULL, direction text DEFAULT NULL,
 *		phone_number text DEFAULT NULL, agent_id text DEFAULT NULL,
 *		cost_cents bigint DEFAULT NULL, event_id text DEFAULT NULL)
 *		RETURNS (id uuid, duplicate boolean, difference bigint, late boolean,
 *				 used_segments bigint, remaining_segments bigint, limit_state text,
 *				 hard_stop_active boolean)
 *
 * The same for the segments of a message.
 */
Datum
platform_record_sms_usage(PG_FUNCTION_ARGS)
{
	return record(fcinfo, USAGE_SMS, "message_id", "segments");
}
