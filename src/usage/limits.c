/*
 * limits.c
 *	  A customer's limits: what they mean, and how a change is written.
 *
 * A change finds the customer's row, decides on a copy in memory, and swaps in a
 * new version; when another transaction holds the row it is locked, which waits,
 * and the decision is made anew. A period that is over is rolled first, as a
 * version of its own: who swaps that in writes the rows of the periods, so they
 * are written once. Alerts and events follow, under the row's lock.
 *
 * Everything is as of now in each isolation level, see row.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/event.h"
#include "core/query.h"
#include "usage/limits.h"

enum
{
	L_ORGANIZATION,
	L_USER,
	L_PERIOD_ID,
	L_PERIOD_START,
	L_PERIOD_END,
	L_CALL_USED,
	L_SMS_USED,
	L_CALL_CAP,
	L_SMS_CAP,
	L_CALL_CREDIT,
	L_SMS_CREDIT,
	L_ROLLOVER,
	L_GRACE,
	L_RESERVED,
	L_RESERVED_UNTIL,
	L_UPDATED_AT,
	L_SNAPSHOT,
	L_TIER_SINCE,
	L_ANCHOR,
	L_STEP,
	L_PLAN_ENDS_AT,
	L_SOFT,
	L_HARD,
	L_CALL_STOPPED,
	L_SMS_STOPPED,
	L_FORCE_PAUSE,
	L_FORCE_RESUME,
	L_FORCE_UNTIL,
	L_CALL_STATE,
	L_SMS_STATE,
	L_ACTION,
	L_PLAN,
	L_TIMEZONE,
	L_TIER,
	L_WARNING_AT,
	L_BLOCK_AT,
	L_SUBSCRIPTION,
	L_COLUMNS
};

static PlatformRowTable limits_table = {
	.cache = {.name = "usage limits", .tables = {"usage_limits"}},
	.remembers = true,
	.nkeys = 2,
	.ncolumns = L_COLUMNS,
	.columns = {
		{"organization_id", UUIDOID},
		{"user_id", UUIDOID},
		{"period_id", UUIDOID},
		{"period_start", TIMESTAMPTZOID},
		{"period_end", TIMESTAMPTZOID},
		{"call_used_seconds", INT8OID},
		{"sms_used", INT8OID},
		{"call_cap_seconds", INT8OID},
		{"sms_cap", INT8OID},
		{"call_credit", INT8OID},
		{"sms_credit", INT8OID},
		{"rollover_seconds", INT8OID},
		{"grace_seconds", INT8OID},
		{"sms_reserved", INT8OID},
		{"sms_reserved_until", TIMESTAMPTZOID},
		{"updated_at", TIMESTAMPTZOID},
		{"tier_snapshot_id", UUIDOID},
		{"tier_since", TIMESTAMPTZOID},
		{"period_anchor", TIMESTAMPTZOID},
		{"period_step", INTERVALOID},
		{"plan_ends_at", TIMESTAMPTZOID},
		{"soft_limit_threshold", INT4OID},
		{"hard_limit_threshold", INT4OID},
		{"hard_stop_active", BOOLOID},
		{"sms_hard_stop_active", BOOLOID},
		{"force_pause", BOOLOID},
		{"force_resume", BOOLOID},
		{"force_until", TIMESTAMPTZOID},
		{"limit_state", TEXTOID},
		{"sms_limit_state", TEXTOID},
		{"limit_action", TEXTOID},
		{"plan_status", TEXTOID},
		{"period_timezone", TEXTOID},
		{"tier", TEXTOID},
		{"last_warning_at", TIMESTAMPTZOID},
		{"last_block_at", TIMESTAMPTZOID},
		{"subscription_id", UUIDOID},
	},
};

/* With the payload of its event; nothing when it was told before. */
static PlatformQuery insert_alert =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_alerts"
				   " (organization_id, user_id, period_id, alert_type, severity, used, usage_limit)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7)"
				   " ON CONFLICT (period_id, organization_id, alert_type, usage_limit) DO NOTHING"
				   " RETURNING pg_catalog.jsonb_build_object('alert_id', id, 'user_id', user_id,"
				   " 'kind', $8, 'unit', $9, 'severity', severity, 'used', used,"
				   " 'limit', usage_limit, 'period_id', period_id, 'period_start', $10,"
				   " 'period_end', $11)",
				   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT8OID, INT8OID, TEXTOID, TEXTOID,
				   TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery insert_limits =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_limits (organization_id, user_id, period_start,"
				   " period_end, period_anchor, period_timezone, tier, tier_snapshot_id, tier_since,"
				   " plan_status, call_cap_seconds, sms_cap, grace_seconds)"
				   " SELECT o.id, u.id, $3,"
				   " pg_catalog.timezone(o.timezone, pg_catalog.timezone(o.timezone, $3)"
				   " OPERATOR(pg_catalog.+) '30 days'::pg_catalog.interval), $3, o.timezone,"
				   " s.tier_id, s.id, CASE WHEN s.id IS NULL THEN '-infinity' ELSE $3 END,"
				   " CASE WHEN s.id IS NULL THEN 'none' ELSE 'active' END,"
				   " COALESCE(s.call_cap_seconds, 0), COALESCE(s.sms_cap, 0),"
				   " COALESCE(s.grace_seconds, 0)"
				   " FROM platform.organizations AS o CROSS JOIN platform.users AS u"
				   " LEFT JOIN platform.tier_snapshots AS s"
				   " ON s.tier_id OPERATOR(pg_catalog.=) $4 AND s.effective_until IS NULL"
				   " WHERE o.id OPERATOR(pg_catalog.=) $1 AND u.id OPERATOR(pg_catalog.=) $2"
				   " ON CONFLICT (organization_id, user_id) DO NOTHING",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID);

static PlatformQuery insert_first_tier =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_tier_changes"
				   " (organization_id, user_id, effective_from, tier, tier_snapshot_id, reason)"
				   " SELECT organization_id, user_id, tier_since, tier, tier_snapshot_id, 'tier'"
				   " FROM platform.usage_limits"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2 AND tier IS NOT NULL",
				   UUIDOID, UUIDOID);

static PlatformQuery find_limits =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.usage_limits"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

void
platform_caps_limits_init(void)
{
	platform_row_register(&limits_table);
}

/*
 * What the numbers mean.
 */

static const char *const state_names[] = {"under", "soft", "hard"};
static const char *const plan_names[] = {"none", "active", "ended"};

const char *
platform_caps_state_name(UsageState state)
{
	return state_names[state];
}

const char *
platform_caps_plan_name(UsagePlan plan)
{
	return plan_names[plan];
}

int64
platform_caps_total(const UsageLimits *limits, UsageKind kind)
{
	return limits->cap[kind] + limits->credit[kind] + limits->rollover[kind] + limits->grace[kind];
}

int64
platform_caps_remaining(const UsageLimits *limits, UsageKind kind)
{
	int64		most = platform_caps_total(limits, kind) * limits->hard_percent / 100;
	int64		reserved = kind == USAGE_SMS ? limits->reserved : 0;

	return Max(most - limits->used[kind] - reserved, 0);
}

void
platform_caps_evaluate(UsageLimits *limits)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		int64		total = platform_caps_total(limits, kind);
		int64		used = limits->used[kind] * 100;

		if (used >= total * limits->hard_percent)
			limits->state[kind] = USAGE_HARD;
		else
			limits->state[kind] = used >= total * limits->soft_percent ? USAGE_SOFT : USAGE_UNDER;
		limits->stopped[kind] = limits->state[kind] == USAGE_HARD && limits->blocks;
	}
}

const char *
platform_caps_objection(const UsageLimits *limits, UsageKind kind, int64 amount, const char **why)
{
	bool		forced = limits->now < limits->force_until;

	*why = "OK";
	if (limits->force_pause && forced)
		return "PAUSED";
	if (limits->force_resume && forced)
		*why = "FORCED";
	else if (platform_caps_remaining(limits, kind) >= amount)
		return NULL;
	else if (!limits->blocks)
		*why = "OVERAGE";
	else if (platform_caps_total(limits, kind) > 0 || limits->plan == PLAN_ACTIVE)
		return "HARD_STOP";
	else
		return limits->plan == PLAN_NONE ? "NO_PLAN" : "PLAN_ENDED";
	return NULL;
}

/*
 * The row, to memory and back.
 */

static bool
get_uuid(const PlatformRow *row, int column, pg_uuid_t *uuid)
{
	bool		isnull;
	Datum		value = platform_row_get(row, column, &isnull);

	if (!isnull)
		*uuid = *DatumGetUUIDP(value);
	return !isnull;
}

/* Words of a CHECK are told apart by their first letter. */
static char
get_letter(const PlatformRow *row, int column)
{
	bool		isnull;

	return *VARDATA_ANY(DatumGetTextPP(platform_row_get(row, column, &isnull)));
}

static UsageState
get_state(const PlatformRow *row, int column)
{
	switch (get_letter(row, column))
	{
		case 'u':
			return USAGE_UNDER;
		case 's':
			return USAGE_SOFT;
		default:
			return USAGE_HARD;
	}
}

static UsagePlan
get_plan(const PlatformRow *row, int column)
{
	switch (get_letter(row, column))
	{
		case 'n':
			return PLAN_NONE;
		case 'a':
			return PLAN_ACTIVE;
		default:
			return PLAN_ENDED;
	}
}

static void
load_texts(const PlatformRow *row, UsageLimits *limits)
{
	limits->tier = platform_row_get_cstring(row, L_TIER);
	limits->timezone = platform_row_get_cstring(row, L_TIMEZONE);
}

void
platform_caps_load(const PlatformRow *row, UsageLimits *limits)
{
	bool		isnull;

	(void) get_uuid(row, L_ORGANIZATION, &limits->organization);
	(void) get_uuid(row, L_USER, &limits->user);
	(void) get_uuid(row, L_PERIOD_ID, &limits->period_id);
	limits->period_start = platform_row_get_int64(row, L_PERIOD_START, 0);
	limits->period_end = platform_row_get_int64(row, L_PERIOD_END, 0);
	limits->used[USAGE_CALL] = platform_row_get_int64(row, L_CALL_USED, 0);
	limits->used[USAGE_SMS] = platform_row_get_int64(row, L_SMS_USED, 0);
	limits->cap[USAGE_CALL] = platform_row_get_int64(row, L_CALL_CAP, 0);
	limits->cap[USAGE_SMS] = platform_row_get_int64(row, L_SMS_CAP, 0);
	limits->credit[USAGE_CALL] = platform_row_get_int64(row, L_CALL_CREDIT, 0);
	limits->credit[USAGE_SMS] = platform_row_get_int64(row, L_SMS_CREDIT, 0);
	limits->rollover[USAGE_CALL] = platform_row_get_int64(row, L_ROLLOVER, 0);
	limits->rollover[USAGE_SMS] = 0;
	limits->grace[USAGE_CALL] = platform_row_get_int64(row, L_GRACE, 0);
	limits->grace[USAGE_SMS] = 0;
	limits->reserved = platform_row_get_int64(row, L_RESERVED, 0);
	limits->reserved_until = platform_row_get_int64(row, L_RESERVED_UNTIL, DT_NOEND);
	limits->state[USAGE_CALL] = get_state(row, L_CALL_STATE);
	limits->state[USAGE_SMS] = get_state(row, L_SMS_STATE);
	limits->stopped[USAGE_CALL] = platform_row_get_bool(row, L_CALL_STOPPED, false);
	limits->stopped[USAGE_SMS] = platform_row_get_bool(row, L_SMS_STOPPED, false);
	limits->soft_percent = platform_row_get_int32(row, L_SOFT, 0);
	limits->hard_percent = platform_row_get_int32(row, L_HARD, 0);
	limits->blocks = get_letter(row, L_ACTION) == 'b';
	limits->force_pause = platform_row_get_bool(row, L_FORCE_PAUSE, false);
	limits->force_resume = platform_row_get_bool(row, L_FORCE_RESUME, false);
	limits->force_until = platform_row_get_int64(row, L_FORCE_UNTIL, DT_NOBEGIN);
	limits->tier = limits->timezone = NULL;
	limits->has_snapshot = get_uuid(row, L_SNAPSHOT, &limits->snapshot);
	limits->tier_since = platform_row_get_int64(row, L_TIER_SINCE, DT_NOBEGIN);
	limits->anchor = platform_row_get_int64(row, L_ANCHOR, 0);
	limits->step = *DatumGetIntervalP(platform_row_get(row, L_STEP, &isnull));
	limits->plan = get_plan(row, L_PLAN);
	limits->plan_ends_at = platform_row_get_int64(row, L_PLAN_ENDS_AT, DT_NOEND);
	limits->has_subscription = get_uuid(row, L_SUBSCRIPTION, &limits->subscription);
	limits->now = Max(GetCurrentTimestamp(), limits->period_start);
}

static void
set_text(PlatformRow *row, int column, const char *value)
{
	if (value == NULL)
		platform_row_set_null(row, column);
	else
		platform_row_set(row, column, CStringGetTextDatum(value));
}

/* What a plan, a tier or a roll changes. */
static void
store_terms(const UsageLimits *limits, PlatformRow *row)
{
	platform_row_set(row, L_PERIOD_ID, UUIDPGetDatum(&limits->period_id));
	platform_row_set(row, L_PERIOD_START, TimestampTzGetDatum(limits->period_start));
	platform_row_set(row, L_PERIOD_END, TimestampTzGetDatum(limits->period_end));
	if (limits->has_snapshot)
		platform_row_set(row, L_SNAPSHOT, UUIDPGetDatum(&limits->snapshot));
	platform_row_set(row, L_TIER_SINCE, TimestampTzGetDatum(limits->tier_since));
	platform_row_set(row, L_ANCHOR, TimestampTzGetDatum(limits->anchor));
	platform_row_set(row, L_STEP, IntervalPGetDatum(&limits->step));
	set_text(row, L_TIMEZONE, limits->timezone);
	set_text(row, L_TIER, limits->tier);
	set_text(row, L_PLAN, platform_caps_plan_name(limits->plan));
	if (limits->plan_ends_at == DT_NOEND)
		platform_row_set_null(row, L_PLAN_ENDS_AT);
	else
		platform_row_set(row, L_PLAN_ENDS_AT, TimestampTzGetDatum(limits->plan_ends_at));
	if (limits->has_subscription)
		platform_row_set(row, L_SUBSCRIPTION, UUIDPGetDatum(&limits->subscription));
	else
		platform_row_set_null(row, L_SUBSCRIPTION);
	platform_row_set(row, L_CALL_CAP, Int64GetDatum(limits->cap[USAGE_CALL]));
	platform_row_set(row, L_SMS_CAP, Int64GetDatum(limits->cap[USAGE_SMS]));
	platform_row_set(row, L_GRACE, Int64GetDatum(limits->grace[USAGE_CALL]));
}

/* What was there before, to write no more than what changed, and to see what crossed. */
static void
store_limits(const UsageLimits *limits, const UsageLimits *before, bool terms, PlatformRow *row)
{
	platform_row_set(row, L_CALL_USED, Int64GetDatum(limits->used[USAGE_CALL]));
	platform_row_set(row, L_SMS_USED, Int64GetDatum(limits->used[USAGE_SMS]));
	platform_row_set(row, L_CALL_CREDIT, Int64GetDatum(limits->credit[USAGE_CALL]));
	platform_row_set(row, L_SMS_CREDIT, Int64GetDatum(limits->credit[USAGE_SMS]));
	platform_row_set(row, L_ROLLOVER, Int64GetDatum(limits->rollover[USAGE_CALL]));
	platform_row_set(row, L_RESERVED, Int64GetDatum(limits->reserved));
	if (limits->reserved_until == DT_NOEND)
		platform_row_set_null(row, L_RESERVED_UNTIL);
	else
		platform_row_set(row, L_RESERVED_UNTIL, TimestampTzGetDatum(limits->reserved_until));
	platform_row_set(row, L_UPDATED_AT, TimestampTzGetDatum(limits->now));
	platform_row_set(row, L_CALL_STOPPED, BoolGetDatum(limits->stopped[USAGE_CALL]));
	platform_row_set(row, L_SMS_STOPPED, BoolGetDatum(limits->stopped[USAGE_SMS]));
	if (limits->state[USAGE_CALL] != before->state[USAGE_CALL])
		set_text(row, L_CALL_STATE, state_names[limits->state[USAGE_CALL]]);
	if (limits->state[USAGE_SMS] != before->state[USAGE_SMS])
		set_text(row, L_SMS_STATE, state_names[limits->state[USAGE_SMS]]);
	if (terms)
		store_terms(limits, row);
}

/*
 * Crossings.
 */

static bool
rises(const UsageLimits *limits, const UsageLimits *before, UsageKind kind, UsageState state)
{
	return before->state[kind] < state && limits->state[kind] >= state &&
		platform_caps_total(limits, kind) > 0;
}

static bool
stops(const UsageLimits *limits, const UsageLimits *before, UsageKind kind)
{
	return !before->stopped[kind] && limits->stopped[kind] && platform_caps_total(limits, kind) > 0;
}

static void
stamp_crossings(const UsageLimits *limits, const UsageLimits *before, PlatformRow *row)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		if (rises(limits, before, kind, USAGE_SOFT))
			platform_row_set(row, L_WARNING_AT, TimestampTzGetDatum(limits->now));
		if (stops(limits, before, kind))
			platform_row_set(row, L_BLOCK_AT, TimestampTzGetDatum(limits->now));
	}
}

/* What is told of a crossing: an alert, and an event for webhooks with it. */
typedef struct UsageCrossing
{
	const char *type;
	const char *severity;
	const char *event;
} UsageCrossing;

static const UsageCrossing crosses_soft = {"soft", "warning", "usage.soft_limit"};
static const UsageCrossing crosses_hard = {"hard", "critical", "usage.hard_limit"};
static const UsageCrossing blocks = {"block", "critical", "usage.blocked"};

/* Once for each limit in a period; the event is the alert's, so it is there as often. */
static void
tell(const UsageLimits *limits, UsageKind kind, const UsageCrossing *crossing)
{
	PlatformEvent event = {.organization = &limits->organization, .type = crossing->event};
	const char *name = kind == USAGE_CALL ? "call" : "sms";
	Datum		values[11];
	bool		isnull;

	values[0] = UUIDPGetDatum(&limits->organization);
	values[1] = UUIDPGetDatum(&limits->user);
	values[2] = UUIDPGetDatum(&limits->period_id);
	values[3] = CStringGetTextDatum(psprintf("%s_%s", name, crossing->type));
	values[4] = CStringGetTextDatum(crossing->severity);
	values[5] = Int64GetDatum(limits->used[kind]);
	values[6] = Int64GetDatum(platform_caps_total(limits, kind));
	values[7] = CStringGetTextDatum(name);
	values[8] = CStringGetTextDatum(kind == USAGE_CALL ? "seconds" : "segments");
	values[9] = TimestampTzGetDatum(limits->period_start);
	values[10] = TimestampTzGetDatum(limits->period_end);
	platform_query_begin();
	if (platform_query_run(&insert_alert, values, NULL) > 0)
		event.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
	platform_query_end();
	if (event.payload != NULL)
		(void) platform_event_emit(&event, NULL);
}

static void
announce_crossings(const UsageLimits *limits, const UsageLimits *before)
{
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		if (rises(limits, before, kind, USAGE_SOFT))
			tell(limits, kind, &crosses_soft);
		if (rises(limits, before, kind, USAGE_HARD))
			tell(limits, kind, &crosses_hard);
		if (stops(limits, before, kind))
			tell(limits, kind, &blocks);
	}
}

/*
 * Looking and changing.
 */

void
platform_caps_open_read(PlatformRow *row)
{
	platform_row_open_read(row, &limits_table);
}

void
platform_caps_expect(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	Datum		keys[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(user)};

	platform_row_expect(&limits_table, keys);
}

/*
 * The limits as of now, of which nothing is written: the period rolled, what
 * was set aside and is over not counted.
 */
void
platform_caps_see_now(const PlatformRow *row, UsageLimits *limits)
{
	if (platform_caps_is_over(limits))
		load_texts(row, limits);
	while (platform_caps_is_over(limits))
		(void) platform_caps_roll(limits, NULL);
	if (limits->reserved > 0 && limits->reserved_until <= limits->now)
		limits->reserved = platform_caps_open_reservations(limits);
	platform_caps_evaluate(limits);
}

bool
platform_caps_look(PlatformRow *row, const pg_uuid_t *organization, const pg_uuid_t *user,
					UsageLimits *limits)
{
	Datum		keys[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(user)};

	if (!platform_row_find(row, keys))
		return false;
	platform_caps_load(row, limits);
	platform_caps_see_now(row, limits);
	return true;
}

void
platform_caps_open(UsageChange *change)
{
	platform_row_open(&change->row, &limits_table);
	change->locked = change->lock_wanted = false;
}

void
platform_caps_close(UsageChange *change)
{
	platform_row_close(&change->row);
}

bool
platform_caps_wants_lock(UsageChange *change)
{
	if (!change->locked)
		change->lock_wanted = true;
	return change->lock_wanted;
}

static bool
swap(UsageChange *change, const UsageLimits *before, bool terms)
{
	store_limits(&change->limits, before, terms, &change->row);
	return (change->locked ? platform_row_update_locked(&change->row) :
			platform_row_update(&change->row)) == ROW_DONE;
}

/* Into the present period; false when somebody else was quicker. */
static bool
roll(UsageChange *change)
{
	UsageLimits before = change->limits;
	UsagePeriod *closed;
	int			count = platform_caps_roll(&change->limits, &closed);

	platform_caps_evaluate(&change->limits);
	if (!swap(change, &before, true))
		return false;
	platform_caps_write_periods(closed, count, &change->limits);
	pfree(closed);
	return true;
}

static bool
has_new_terms(const UsageLimits *limits, const UsageLimits *before)
{
	return !platform_uuid_equal(&limits->period_id, &before->period_id) ||
		limits->period_end != before->period_end || limits->plan != before->plan ||
		limits->plan_ends_at != before->plan_ends_at || limits->tier != before->tier ||
		limits->tier_since != before->tier_since || limits->anchor != before->anchor ||
		memcmp(&limits->step, &before->step, sizeof(Interval)) != 0 ||
		memcmp(limits->cap, before->cap, sizeof(limits->cap)) != 0 ||
		limits->grace[USAGE_CALL] != before->grace[USAGE_CALL] ||
		limits->timezone != before->timezone ||
		limits->has_subscription != before->has_subscription ||
		!platform_uuid_equal(&limits->subscription, &before->subscription);
}

bool
platform_caps_change(UsageChange *change, const pg_uuid_t *organization, const pg_uuid_t *user,
					  bool lock, UsageBody body, void *arg)
{
	UsageLimits *limits = &change->limits;
	Datum		keys[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(user)};
	UsageLimits before;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!platform_row_find(&change->row, keys))
			return false;
		if (lock && !platform_row_lock(&change->row))
			continue;
		change->locked = lock;
		change->lock_wanted = false;
		platform_caps_load(&change->row, limits);
		load_texts(&change->row, limits);
		if (platform_caps_is_over(limits))
		{
			lock = !roll(change) || lock;
			continue;
		}
		before = *limits;
		if (!body(change, arg) && !change->lock_wanted)
			return true;
		if (change->lock_wanted)
		{
			lock = true;
			continue;
		}
		platform_caps_evaluate(limits);
		stamp_crossings(limits, &before, &change->row);
		if (swap(change, &before, has_new_terms(limits, &before)))
			break;

		/* Somebody is changing the row: wait for that, then decide. */
		lock = true;
	}
	announce_crossings(limits, &before);
	return true;
}

bool
platform_caps_nothing(UsageChange *change, void *arg)
{
	return false;
}

bool
platform_caps_create(const pg_uuid_t *organization, const pg_uuid_t *user, const TimestampTz *start,
					 const char *tier)
{
	Datum		values[4];
	bool		nulls[4] = {false};
	bool		created;

	values[0] = UUIDPGetDatum(organization);
	values[1] = UUIDPGetDatum(user);
	values[2] = TimestampTzGetDatum(start != NULL ? *start : GetCurrentTimestamp());
	nulls[3] = tier == NULL;
	values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(tier);
	platform_query_begin();
	created = platform_query_run(&insert_limits, values, nulls) > 0;
	if (created && tier != NULL)
		platform_query_run(&insert_first_tier, values, NULL);
	if (!created && platform_query_run(&find_limits, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("organization or user does not exist")));
	platform_query_end();
	return created;
}
