/*
 * purge.c
 *	  What is deleted when its time is over: purge_inbox().
 *
 * The bytes of requests, which are most of an inbox, are partitioned by day: a day that
 * is over for everybody, and of which nothing waits any more, is dropped, which costs
 * nothing. Events and keys are deleted, a batch a call, and with the events what is
 * left of their bytes.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/retention.h"
#include "inbox/inbox.h"

#define BATCH_MAX	1000000
#define KEEP_MAX	36600		/* days */
#define REQUESTS	"webhook_requests"

PG_FUNCTION_INFO_V1(platform_purge_inbox);

/* Parameters of the queries. */
enum
{
	P_NOW,
	P_KEEP,
	P_BATCH,
	P_WAITING_BEFORE,
	P_COUNT
};

/* An interval argument, its length in *length; false when it is null. */
static bool
keep_argument(FunctionCallInfo fcinfo, int number, const char *name, int64 *length)
{
	if (PG_ARGISNULL(number))
		return false;
	*length = platform_require_interval(fcinfo, number, name, true, KEEP_MAX);
	return true;
}

/* Does an event wait whose bytes are of that time? */
static bool
something_waits(const PlatformPartition *partition)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   "SELECT EXISTS (SELECT 1 FROM platform.webhook_queue q"
					   " WHERE q.due_at IS NOT NULL AND q.request_id IS NOT NULL"
					   " AND q.created_at OPERATOR(pg_catalog.>=) $1 AND q.created_at OPERATOR(pg_catalog.<) $2)"
					   " OR EXISTS (SELECT 1 FROM platform.unknown_phone u JOIN platform.webhook_queue q"
					   " ON q.id OPERATOR(pg_catalog.=) u.webhook_id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) u.organization_id"
					   " WHERE u.resolved_at IS NULL AND q.request_id IS NOT NULL"
					   " AND q.created_at OPERATOR(pg_catalog.>=) $1 AND q.created_at OPERATOR(pg_catalog.<) $2)",
					   TIMESTAMPTZOID, TIMESTAMPTZOID);
	Datum		values[2] = {TimestampTzGetDatum(partition->begins_at), TimestampTzGetDatum(partition->ends_at)};

	platform_query_run(&find, values, NULL);
	return platform_row_bool(0, 1);
}

/* Bytes of events that somebody deleted, of days that are not dropped; how many. */
static int64
delete_orphans(TimestampTz cutoff, Datum batch)
{
	static PlatformQuery orphans =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   "WITH due AS (SELECT r.id, r.organization_id, r.created_at FROM platform.webhook_requests r"
					   " WHERE r.created_at OPERATOR(pg_catalog.<) $1"
					   " AND NOT EXISTS (SELECT 1 FROM platform.webhook_queue q"
					   " WHERE q.organization_id OPERATOR(pg_catalog.=) r.organization_id"
					   " AND q.received_at OPERATOR(pg_catalog.=) r.received_at"
					   " AND q.request_id OPERATOR(pg_catalog.=) r.id) LIMIT $2)"
					   " DELETE FROM platform.webhook_requests r USING due"
					   " WHERE r.id OPERATOR(pg_catalog.=) due.id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) due.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) due.created_at",
					   TIMESTAMPTZOID, INT8OID);
	Datum		values[2] = {TimestampTzGetDatum(cutoff), batch};

	return (int64) platform_query_run(&orphans, values, NULL);
}

/*
 * Drops the days that are over for everybody; those in use are left for the next call.
 * Returns the moment before which they are.
 */
static TimestampTz
drop_days(FunctionCallInfo fcinfo, TimestampTz now, Interval *keep)
{
	TimestampTz cutoff = platform_oldest_cutoff(now, keep);
	ListCell   *cell;

	foreach(cell, platform_partitions(REQUESTS))
	{
		PlatformPartition *partition = lfirst(cell);
		bool		dropped;

		if (partition->ends_at > cutoff || something_waits(partition))
			continue;
		dropped = platform_partition_drop(REQUESTS, partition->name);
		platform_purge_report(fcinfo, partition->name, dropped ? "dropped" : "busy", partition->rows, !dropped);
	}
	return cutoff;
}

/* What is done, or waits in vain, and its bytes. */
static void
delete_events(FunctionCallInfo fcinfo, const Datum *values, const bool *nulls, TimestampTz cutoff)
{
	static PlatformQuery events =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   PLATFORM_CUTOFFS
					   ", due AS (SELECT d.* FROM cutoffs c CROSS JOIN LATERAL (SELECT q.id, q.organization_id,"
					   " q.request_id, q.created_at, q.received_at FROM platform.webhook_queue q"
					   " WHERE q.organization_id OPERATOR(pg_catalog.=) c.id"
					   " AND q.received_at OPERATOR(pg_catalog.<) c.cutoff"
					   " AND (q.status OPERATOR(pg_catalog.=) ANY ('{processed,dead,duplicate,rejected,conflict}')"
					   " OR q.received_at OPERATOR(pg_catalog.<) $4)"
					   " ORDER BY q.received_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS d LIMIT $3),"
					   " events AS (DELETE FROM platform.webhook_queue q USING due"
					   " WHERE q.id OPERATOR(pg_catalog.=) due.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) due.organization_id RETURNING 1),"
					   " requests AS (DELETE FROM platform.webhook_requests r USING (SELECT DISTINCT request_id,"
					   " organization_id, created_at, received_at FROM due WHERE request_id IS NOT NULL) AS d"
					   " WHERE r.id OPERATOR(pg_catalog.=) d.request_id"
					   " AND r.organization_id OPERATOR(pg_catalog.=) d.organization_id"
					   " AND r.created_at OPERATOR(pg_catalog.=) d.created_at"
					   " AND NOT EXISTS (SELECT 1 FROM platform.webhook_queue o"
					   " WHERE o.organization_id OPERATOR(pg_catalog.=) d.organization_id"
					   " AND o.received_at OPERATOR(pg_catalog.=) d.received_at"
					   " AND o.request_id OPERATOR(pg_catalog.=) d.request_id"
					   " AND NOT EXISTS (SELECT 1 FROM due x WHERE x.id OPERATOR(pg_catalog.=) o.id))"
					   " RETURNING 1)"
					   " SELECT (SELECT pg_catalog.count(*) FROM events), (SELECT pg_catalog.count(*) FROM requests)",
					   TIMESTAMPTZOID, INTERVALOID, INT8OID, TIMESTAMPTZOID);
	int64		batch = DatumGetInt64(values[P_BATCH]);
	int64		requests;

	platform_query_run(&events, values, nulls);
	requests = platform_row_int64(0, 2);
	platform_purge_deleted(fcinfo, "webhook_queue", platform_row_int64(0, 1), batch);
	platform_purge_deleted(fcinfo, REQUESTS, requests + delete_orphans(cutoff, values[P_BATCH]), batch);
}

/* Numbers that were noted by hand; those of events go with these. */
static void
delete_numbers(FunctionCallInfo fcinfo, const Datum *values, const bool *nulls)
{
	static PlatformQuery numbers =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   PLATFORM_CUTOFFS
					   ", due AS (SELECT d.* FROM cutoffs c CROSS JOIN LATERAL (SELECT u.id, u.organization_id"
					   " FROM platform.unknown_phone u WHERE u.organization_id OPERATOR(pg_catalog.=) c.id"
					   " AND u.received_at OPERATOR(pg_catalog.<) c.cutoff AND u.webhook_id IS NULL"
					   " AND (u.resolved_at IS NOT NULL OR u.received_at OPERATOR(pg_catalog.<) $4) LIMIT $3) AS d LIMIT $3)"
					   " DELETE FROM platform.unknown_phone u USING due"
					   " WHERE u.id OPERATOR(pg_catalog.=) due.id"
					   " AND u.organization_id OPERATOR(pg_catalog.=) due.organization_id",
					   TIMESTAMPTZOID, INTERVALOID, INT8OID, TIMESTAMPTZOID);

	platform_purge_deleted(fcinfo, "unknown_phone", (int64) platform_query_run(&numbers, values, nulls),
						   DatumGetInt64(values[P_BATCH]));
}

/* Those of content, whose window is over, are of no more use. */
static void
delete_keys(FunctionCallInfo fcinfo, TimestampTz now, int64 keep, int64 batch)
{
	static PlatformQuery old =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   "DELETE FROM platform.webhook_keys WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
					   "SELECT k.ctid FROM platform.webhook_keys k"
					   " WHERE k.created_at OPERATOR(pg_catalog.<) $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
					   TIMESTAMPTZOID, INT8OID);
	static PlatformQuery expired =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
					   "DELETE FROM platform.webhook_keys WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
					   "SELECT k.ctid FROM platform.webhook_keys k"
					   " WHERE k.expires_at OPERATOR(pg_catalog.<) $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
					   TIMESTAMPTZOID, INT8OID);
	Datum		values[2] = {TimestampTzGetDatum(now - keep), Int64GetDatum(batch)};
	int64		rows = (int64) platform_query_run(&old, values, NULL);

	values[0] = TimestampTzGetDatum(now);
	platform_purge_deleted(fcinfo, "webhook_keys", rows + (int64) platform_query_run(&expired, values, NULL), batch);
}

/*
 * platform.purge_inbox(batch integer DEFAULT 10000, keep interval DEFAULT '30 days',
 *		keep_keys interval DEFAULT '400 days', keep_waiting interval DEFAULT '90 days')
 *		RETURNS TABLE (table_name text, action text, rows bigint, more boolean)
 *
 * Deletes events that are done and older than the organization keeps them (its setting
 * webhooks.retentionDays, else keep), those that still wait after keep_waiting too, and
 * their bytes; keys after keep_keys. Makes the partitions of the days to come. A row for
 * each table changed: dropped, deleted (at most batch rows), busy; more: call again. NULL
 * for a time: nothing of it. For a daily job. Operators only: 42501. Errors: 22004; 22023
 * batch not within 1 and 1000000, an interval with months, below zero or above 36600 days.
 */
Datum
platform_purge_inbox(PG_FUNCTION_ARGS)
{
	static PlatformQuery make_partitions =
		PLATFORM_QUERY(0,
					   "SELECT pg_catalog.count(*) FROM platform.create_log_partitions()"
					   " WHERE table_name OPERATOR(pg_catalog.=) 'webhook_requests'");
	TimestampTz now = GetCurrentTimestamp();
	Interval	keep = {0};
	int64		keep_keys;
	int64		keep_waiting;
	bool		with_keys;
	bool		with_events;
	Datum		values[P_COUNT];
	bool		nulls[P_COUNT] = {false};

	platform_require_operator("purge the inbox");
	platform_require_module(&platform_inbox_module);
	values[P_BATCH] = Int64GetDatum(platform_count_argument(fcinfo, 0, "batch", BATCH_MAX));
	with_events = keep_argument(fcinfo, 1, "keep", &keep.time);
	with_keys = keep_argument(fcinfo, 2, "keep_keys", &keep_keys);
	nulls[P_WAITING_BEFORE] = !keep_argument(fcinfo, 3, "keep_waiting", &keep_waiting);
	values[P_NOW] = TimestampTzGetDatum(now);
	values[P_KEEP] = PointerGetDatum(&keep);
	if (!nulls[P_WAITING_BEFORE])
		values[P_WAITING_BEFORE] = TimestampTzGetDatum(now - keep_waiting);
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	if (with_events)
	{
		delete_events(fcinfo, values, nulls, drop_days(fcinfo, now, &keep));
		delete_numbers(fcinfo, values, nulls);
	}
	if (with_keys)
		delete_keys(fcinfo, now, keep_keys, DatumGetInt64(values[P_BATCH]));
	platform_query_run(&make_partitions, NULL, NULL);
	platform_query_end();
	return (Datum) 0;
}
