/*
 * retention.h
 *	  What leaves a log when its time is over: whole partitions, and what each
 *	  organization keeps for a shorter time.
 */
#ifndef PLATFORM_RETENTION_H
#define PLATFORM_RETENTION_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

/*
 * For queries: WITH cutoffs (id, cutoff), the moment before which an organization keeps
 * nothing. $1 is now, $2 the time that counts where its settings do not say
 * {"webhooks": {"retentionDays": n}}.
 */
#define PLATFORM_CUTOFFS \
	"WITH cutoffs AS (SELECT o.id, $1 OPERATOR(pg_catalog.-) coalesce(" \
	" CASE WHEN pg_catalog.jsonb_typeof(o.settings OPERATOR(pg_catalog.#>) '{webhooks,retentionDays}') OPERATOR(pg_catalog.=) 'number'" \
	" THEN pg_catalog.make_interval(days => LEAST(GREATEST((o.settings OPERATOR(pg_catalog.#>>) '{webhooks,retentionDays}')::pg_catalog.numeric, 1), 3650)::pg_catalog.int4) END," \
	" $2) AS cutoff FROM platform.organizations o)"

/*
 * The earliest of these moments: what is older is over for everybody. -infinity without
 * an organization. Within platform_query_begin().
 */
extern TimestampTz platform_oldest_cutoff(TimestampTz now, Interval *keep);

typedef struct PlatformPartition
{
	char	   *name;
	TimestampTz begins_at;		/* -infinity: the default one, or from the beginning */
	TimestampTz ends_at;		/* infinity: the default one, or to the end */
	int64		rows;			/* as estimated */
} PlatformPartition;

/*
 * The partitions of platform.<table>, which is partitioned by the range of a moment,
 * in the order of their names. Within platform_query_begin().
 */
extern List *platform_partitions(const char *table);

/*
 * Drops a partition, and locks its table for that, as the owner; false when somebody
 * uses it for longer than two seconds, in which everybody else waits behind.
 */
extern bool platform_partition_drop(const char *table, const char *partition);

/*
 * A row of what a purge answers: (table_name text, action text, rows bigint, more boolean);
 * and that of rows deleted, when there were some: a whole batch of them means more.
 */
extern void platform_purge_report(FunctionCallInfo fcinfo, const char *table, const char *action,
								  int64 rows, bool more);
extern void platform_purge_deleted(FunctionCallInfo fcinfo, const char *table, int64 rows, int64 batch);

#endif							/* PLATFORM_RETENTION_H */
