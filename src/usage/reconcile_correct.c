/*
 * reconcile_correct.c
 *	  Setting counters right.
 *
 * Events are what happened, counters follow from them: so the counter becomes the
 * sum, and an adjustment event of 0 tells by how much it was moved; an event with
 * an amount would be billed. It is done under the lock of the customer's row, which
 * everybody holds who adds events, with the sum as it is then: a second run finds
 * nothing left to do.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "usage/billing.h"
#include "usage/record.h"

/* Memory and work between two looks at the table. */
#define CORRECT_BATCH 1000

static PlatformQuery next_discrepancies =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT organization_id, user_id, period_id FROM platform.reconciliation_discrepancies"
				   " WHERE run_id = $1 AND corrected_at IS NULL"
				   " AND ($2 IS NULL OR (organization_id, user_id, period_id) > ($2, $3, $4))"
				   " ORDER BY organization_id, user_id, period_id LIMIT $5",
				   UUIDOID, UUIDOID, UUIDOID, UUIDOID, INT8OID);

static PlatformQuery count_events =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT (SELECT COALESCE(sum(e.seconds), 0)::bigint FROM platform.call_events e WHERE e.period_id = p.id),"
				   " (SELECT COALESCE(sum(e.segments), 0)::bigint FROM platform.sms_events e WHERE e.period_id = p.id),"
				   " p.call_used_seconds, p.sms_used"
				   " FROM platform.usage_periods p WHERE p.id = $1 AND p.organization_id = $2",
				   UUIDOID, UUIDOID);

#define INSERT_ADJUSTMENT(table, amount, key) \
	"INSERT INTO platform." table " (id, organization_id, user_id, period_id, occurred_at, recorded_at," \
	" " amount ", total_" amount ", sequence, event_type, " key ", reason)" \
	" SELECT platform.uuid7(), p.organization_id, p.user_id, p.id," \
	" least(clock_timestamp(), p.period_end - interval '1 microsecond'), clock_timestamp(), 0, 0, 1, 'adjustment'," \
	" 'reconciliation:' || $3::text || ':' || p.id::text, 'counter ' || $4::text || ' set to ' || $5::text" \
	" FROM platform.usage_periods p WHERE p.id = $1 AND p.organization_id = $2"

static PlatformQuery insert_adjustment[USAGE_KINDS] = {
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER, INSERT_ADJUSTMENT("call_events", "seconds", "call_id"),
				   UUIDOID, UUIDOID, UUIDOID, INT8OID, INT8OID),
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER, INSERT_ADJUSTMENT("sms_events", "segments", "message_id"),
				   UUIDOID, UUIDOID, UUIDOID, INT8OID, INT8OID),
};

static PlatformQuery mark_corrected =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.reconciliation_discrepancies SET corrected_at = clock_timestamp()"
				   " WHERE run_id = $1 AND organization_id = $2 AND user_id = $3 AND period_id = $4",
				   UUIDOID, UUIDOID, UUIDOID, UUIDOID);

typedef struct Correction
{
	pg_uuid_t	organization;
	pg_uuid_t	user;
	pg_uuid_t	period;
	bool		made;
	int64		before[USAGE_KINDS];
	int64		after[USAGE_KINDS];
} Correction;

/* Counter and events as they are under the lock. */
static void
compare(const UsageLimits *limits, Correction *correction)
{
	Datum		values[2] = {
		UUIDPGetDatum(&correction->period), UUIDPGetDatum(&correction->organization)
	};

	platform_query_begin();
	if (platform_billing_run(&count_events, values, NULL) == 0)
		elog(ERROR, "period of a discrepancy is gone");
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		correction->after[kind] = Max(platform_row_int64(0, 1 + kind), 0);
		correction->before[kind] = platform_row_int64(0, 3 + kind);
	}
	platform_query_end();
	if (platform_uuid_equal(&correction->period, &limits->period_id))
		memcpy(correction->before, limits->used, sizeof(limits->used));
}

static bool
correct_body(UsageChange *change, void *arg)
{
	Correction *correction = arg;
	UsageLimits *limits = &change->limits;
	bool		is_present = platform_uuid_equal(&correction->period, &limits->period_id);

	correction->made = false;
	if (platform_caps_wants_lock(change))
		return false;
	compare(limits, correction);
	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		UsageLate	late = {
			.kind = kind,
			.period = &correction->period,
			.at = limits->now,
			.difference = correction->after[kind] - correction->before[kind],
		};

		if (late.difference == 0)
			continue;
		correction->made = true;
		if (is_present)
			limits->used[kind] = correction->after[kind];
		else
			platform_caps_count_late(limits, &late);
	}
	return correction->made;
}

static void
write_adjustments(const pg_uuid_t *run, const Correction *correction)
{
	Datum		values[5] = {
		UUIDPGetDatum(&correction->period), UUIDPGetDatum(&correction->organization), UUIDPGetDatum(run)
	};

	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		if (correction->before[kind] == correction->after[kind])
			continue;
		values[3] = Int64GetDatum(correction->before[kind]);
		values[4] = Int64GetDatum(correction->after[kind]);
		platform_billing_run(&insert_adjustment[kind], values, NULL);
	}
}

/* The next discrepancies after the last one; within a query. */
static int
read_batch(const pg_uuid_t *run, const Correction *last, Correction *batch)
{
	Datum		values[5] = {UUIDPGetDatum(run)};
	bool		nulls[5] = {false};
	int			count;

	nulls[1] = nulls[2] = nulls[3] = last == NULL;
	if (last != NULL)
	{
		values[1] = UUIDPGetDatum(&last->organization);
		values[2] = UUIDPGetDatum(&last->user);
		values[3] = UUIDPGetDatum(&last->period);
	}
	values[4] = Int64GetDatum(CORRECT_BATCH);
	count = (int) platform_billing_run(&next_discrepancies, values, nulls);
	for (int i = 0; i < count; i++)
	{
		batch[i].organization = platform_row_uuid(i, 1);
		batch[i].user = platform_row_uuid(i, 2);
		batch[i].period = platform_row_uuid(i, 3);
	}
	return count;
}

int64
platform_billing_correct(const pg_uuid_t *run)
{
	Correction *batch = palloc(CORRECT_BATCH * sizeof(Correction));
	Correction	last;
	UsageChange change;
	int64		corrected = 0;
	int			count;

	platform_caps_open(&change);
	for (count = read_batch(run, NULL, batch); count > 0; count = read_batch(run, &last, batch))
	{
		for (int i = 0; i < count; i++)
		{
			Correction *correction = &batch[i];
			Datum		values[4] = {
				UUIDPGetDatum(run), UUIDPGetDatum(&correction->organization),
				UUIDPGetDatum(&correction->user), UUIDPGetDatum(&correction->period)
			};

			if (!platform_caps_change(&change, &correction->organization, &correction->user, true,
									  correct_body, correction) ||
				!correction->made)
				continue;
			write_adjustments(run, correction);
			platform_billing_run(&mark_corrected, values, NULL);
			corrected++;
		}
		last = batch[count - 1];
	}
	platform_caps_close(&change);
	pfree(batch);
	return corrected;
}
