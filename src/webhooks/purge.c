/*
 * purge.c
 *	  What is deleted when its time is over.
 *
 * Events and attempts are partitioned by day: a day that is over for everybody is
 * dropped, which costs nothing. Rows are deleted, a batch a call, where an
 * organization keeps them for a shorter time than another. A delivery goes when
 * its event is that old and it has been finished for as long; one that is not
 * finished stays, and is cancelled if its event has gone.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/retention.h"
#include "webhooks/webhooks.h"

PG_FUNCTION_INFO_V1(platform_purge_webhooks);

#define BATCH_MOST		1000000

static int	retention = 30 * 24 * 60;

static PlatformQuery purge_deliveries =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   PLATFORM_CUTOFFS
				   ", due AS (SELECT d.id, d.organization_id FROM cutoffs c"
				   " JOIN platform.webhook_subscriptions s ON s.organization_id OPERATOR(pg_catalog.=) c.id"
				   " CROSS JOIN LATERAL (SELECT d.id, d.organization_id FROM platform.webhook_deliveries d"
				   " WHERE d.subscription_id OPERATOR(pg_catalog.=) s.id"
				   " AND d.event_id OPERATOR(pg_catalog.<) pg_catalog.concat(pg_catalog.lpad(pg_catalog.to_hex("
				   "GREATEST((pg_catalog.extract('epoch', c.cutoff) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8, 0)), 12, '0'),"
				   " '00000000000000000000')::pg_catalog.uuid"
				   " AND d.finished_at OPERATOR(pg_catalog.<) c.cutoff LIMIT $3) AS d LIMIT $3)"
				   " DELETE FROM platform.webhook_deliveries d USING due"
				   " WHERE d.id OPERATOR(pg_catalog.=) due.id"
				   " AND d.organization_id OPERATOR(pg_catalog.=) due.organization_id",
				   TIMESTAMPTZOID, INTERVALOID, INT8OID);

static PlatformQuery purge_attempts =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   PLATFORM_CUTOFFS
				   ", due AS (SELECT a.delivery_id, a.organization_id, a.created_at FROM cutoffs c"
				   " JOIN platform.webhook_subscriptions s ON s.organization_id OPERATOR(pg_catalog.=) c.id"
				   " CROSS JOIN LATERAL (SELECT a.delivery_id, a.organization_id, a.created_at"
				   " FROM platform.webhook_attempts a WHERE a.subscription_id OPERATOR(pg_catalog.=) s.id"
				   " AND a.created_at OPERATOR(pg_catalog.<) c.cutoff LIMIT $3) AS a LIMIT $3)"
				   " DELETE FROM platform.webhook_attempts a USING due"
				   " WHERE a.delivery_id OPERATOR(pg_catalog.=) due.delivery_id"
				   " AND a.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " AND a.created_at OPERATOR(pg_catalog.=) due.created_at",
				   TIMESTAMPTZOID, INTERVALOID, INT8OID);

static PlatformQuery purge_events =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   PLATFORM_CUTOFFS
				   ", due AS (SELECT e.id, e.organization_id, e.created_at FROM cutoffs c"
				   " CROSS JOIN LATERAL (SELECT e.id, e.organization_id, e.created_at"
				   " FROM platform.webhook_events e WHERE e.organization_id OPERATOR(pg_catalog.=) c.id"
				   " AND e.created_at OPERATOR(pg_catalog.<) c.cutoff LIMIT $3) AS e LIMIT $3)"
				   " DELETE FROM platform.webhook_events e USING due"
				   " WHERE e.id OPERATOR(pg_catalog.=) due.id"
				   " AND e.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " AND e.created_at OPERATOR(pg_catalog.=) due.created_at",
				   TIMESTAMPTZOID, INTERVALOID, INT8OID);

static PlatformQuery purge_keys =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   PLATFORM_CUTOFFS
				   ", due AS (SELECT k.organization_id, k.idempotency_key FROM platform.webhook_event_keys k"
				   " JOIN cutoffs c ON c.id OPERATOR(pg_catalog.=) k.organization_id"
				   " WHERE k.created_at OPERATOR(pg_catalog.<) c.cutoff LIMIT $3)"
				   " DELETE FROM platform.webhook_event_keys k USING due"
				   " WHERE k.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " AND k.idempotency_key OPERATOR(pg_catalog.=) due.idempotency_key",
				   TIMESTAMPTZOID, INTERVALOID, INT8OID);

static PlatformQuery forget_secrets =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_subscriptions"
				   " SET previous_secret = NULL, previous_secret_expires_at = NULL"
				   " WHERE previous_secret_expires_at OPERATOR(pg_catalog.<=) $1",
				   TIMESTAMPTZOID);

static PlatformQuery make_partitions =
	PLATFORM_QUERY(0,
				   "SELECT pg_catalog.count(*) FROM platform.create_log_partitions()"
				   " WHERE table_name OPERATOR(pg_catalog.=) ANY ('{webhook_events,webhook_attempts}'::pg_catalog.text[])");

void
platform_webhook_purge_init(void)
{
	DefineCustomIntVariable("platform.webhook_retention",
							"How long events, finished deliveries and attempts are kept.",
							"Organizations may have their own: settings {\"webhooks\": {\"retentionDays\": 90}}.",
							&retention, 30 * 24 * 60, 24 * 60, 3650 * 24 * 60, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
}

/* Drops the days that are over for everybody; those in use are left for the next call. */
static void
drop_days(FunctionCallInfo fcinfo, const char *table, TimestampTz cutoff)
{
	ListCell   *cell;

	foreach(cell, platform_partitions(table))
	{
		PlatformPartition *partition = lfirst(cell);

		if (partition->ends_at > cutoff)
			continue;
		if (!platform_partition_drop(table, partition->name))
		{
			platform_purge_report(fcinfo, partition->name, "busy", 0, true);
			return;
		}
		platform_purge_report(fcinfo, partition->name, "dropped", partition->rows, false);
	}
}

static void
delete_rows(FunctionCallInfo fcinfo, const char *table, PlatformQuery *query, Datum *values,
			int64 batch)
{
	platform_purge_deleted(fcinfo, table, (int64) platform_query_run(query, values, NULL), batch);
}

/*
 * platform.purge_webhooks(batch integer DEFAULT 10000)
 *		RETURNS TABLE (table_name text, action text, rows bigint, more boolean)
 *
 * Deletes what is older than the organization keeps it: events and attempts by the
 * day, deliveries that are finished, keys; forgets secrets whose overlap is over;
 * makes the partitions of the days to come. A row for each table changed: dropped,
 * deleted (at most batch rows), busy; more: call again. For a daily job. Operators
 * only: 42501. Errors: 22004; 22023 batch not within 1 and 1000000.
 */
Datum
platform_purge_webhooks(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	Interval	keep = {.time = retention * USECS_PER_MINUTE};
	TimestampTz oldest;
	int64		batch;
	Datum		values[3];

	platform_require_operator("purge webhooks");
	platform_require_module(&platform_webhooks_module);
	batch = platform_count_argument(fcinfo, 0, "batch", BATCH_MOST);
	InitMaterializedSRF(fcinfo, 0);

	values[0] = TimestampTzGetDatum(now);
	values[1] = PointerGetDatum(&keep);
	values[2] = Int64GetDatum(batch);
	platform_query_begin();
	oldest = platform_oldest_cutoff(now, &keep);
	delete_rows(fcinfo, "webhook_deliveries", &purge_deliveries, values, batch);
	drop_days(fcinfo, "webhook_attempts", oldest);
	drop_days(fcinfo, "webhook_events", oldest);
	delete_rows(fcinfo, "webhook_attempts", &purge_attempts, values, batch);
	delete_rows(fcinfo, "webhook_events", &purge_events, values, batch);
	delete_rows(fcinfo, "webhook_event_keys", &purge_keys, values, batch);
	platform_query_run(&forget_secrets, values, NULL);
	platform_query_run(&make_partitions, NULL, NULL);
	platform_query_end();
	return (Datum) 0;
}
