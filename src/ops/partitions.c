/*
 * partitions.c
 *	  Monthly and daily partitions of the logs, made while the system runs.
 *
 * A log is a table of schema platform that is partitioned by the range of one
 * timestamptz column. It has a default partition, so that no row is refused
 * because a job did not run; rows that went there move when their month's
 * partition is made. Months are those of UTC. A log whose default partition is
 * named <table>_default_daily has a partition a day instead.
 *
 * A partition is made apart and attached then: readers and writers of the
 * others go on. Only the default one is locked, and scanned, which is short as
 * long as it is empty.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_create_log_partitions);
PG_FUNCTION_INFO_V1(platform_refuse_log_change);

#define MONTHS_MOST 120
#define DAYS_AHEAD	7

/* The log whose rows this module itself moves or purges at the moment. */
static Oid	maintained = InvalidOid;

static void
maintenance_at_xact_end(XactEvent event, void *arg)
{
	maintained = InvalidOid;
}

static void
maintenance_at_subxact_end(SubXactEvent event, SubTransactionId mySubid,
						   SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		maintained = InvalidOid;
}

void
platform_ops_init(void)
{
	RegisterXactCallback(maintenance_at_xact_end, NULL);
	RegisterSubXactCallback(maintenance_at_subxact_end, NULL);
	platform_records_init();
}

void
platform_log_maintenance(Oid log)
{
	maintained = log;
}

/*
 * platform.refuse_log_change() returns trigger
 *
 * Keeps a log append-only, for everybody: PT409. Rows whose time is over leave
 * it by platform.purge_logs() only. Errors: 39P01 unless it fires BEFORE UPDATE,
 * DELETE or TRUNCATE.
 *
 *		CREATE TRIGGER <table>_refuse BEFORE DELETE OR UPDATE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.refuse_log_change();
 *		CREATE TRIGGER <table>_refuse_truncate BEFORE TRUNCATE ON <table>
 *			FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_log_change();
 */
Datum
platform_refuse_log_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "refuse_log_change",
												  GUARD_BEFORE | GUARD_ROW | GUARD_STATEMENT |
												  GUARD_UPDATE | GUARD_DELETE | GUARD_TRUNCATE);

	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
		maintained == RelationGetRelid(trigger->tg_relation))
		return PointerGetDatum(platform_trigger_row(trigger));
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("cannot change, delete or truncate rows of table \"%s\"",
					RelationGetRelationName(trigger->tg_relation)),
			 errdetail("Rows are only added to it; platform.purge_logs() removes those whose time is over.")));
}

/* The logs, their time column, their columns, and the default partition if there is one. */
static PlatformQuery list_logs =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT c.relname::pg_catalog.text, a.attname::pg_catalog.text, d.relname::pg_catalog.text,"
				   " (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.attname::pg_catalog.text), ', ' ORDER BY n.attnum)"
				   " FROM pg_catalog.pg_attribute n WHERE n.attrelid OPERATOR(pg_catalog.=) c.oid"
				   " AND n.attnum OPERATOR(pg_catalog.>) 0 AND NOT n.attisdropped),"
				   " EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid"
				   " AND t.tgname OPERATOR(pg_catalog.=) (c.relname OPERATOR(pg_catalog.||) '_refuse_truncate')::pg_catalog.name)"
				   " FROM pg_catalog.pg_partitioned_table p"
				   " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.partrelid"
				   " JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace"
				   " JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid"
				   " AND a.attnum OPERATOR(pg_catalog.=) p.partattrs[0]"
				   " LEFT JOIN pg_catalog.pg_class d ON d.oid OPERATOR(pg_catalog.=) p.partdefid"
				   " WHERE s.nspname OPERATOR(pg_catalog.=) 'platform' AND p.partstrat OPERATOR(pg_catalog.=) 'r'"
				   " AND p.partnatts OPERATOR(pg_catalog.=) 1"
				   " AND a.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.timestamptz'::pg_catalog.regtype::pg_catalog.oid"
				   " ORDER BY c.relname");

/* The months or days of a log that have no partition of their name yet. */
static PlatformQuery list_missing =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT m.name, m.first::pg_catalog.text, (m.first OPERATOR(pg_catalog.+) $3)::pg_catalog.text"
				   " FROM (SELECT f.first, pg_catalog.concat(pg_catalog.left($1, 50), pg_catalog.to_char(f.first, $5)) AS name"
				   " FROM (SELECT pg_catalog.date_trunc($4, pg_catalog.timezone('UTC', pg_catalog.now()))"
				   " OPERATOR(pg_catalog.+) ($3 OPERATOR(pg_catalog.*) i::pg_catalog.float8) AS first"
				   " FROM pg_catalog.generate_series(0, $2) AS i) AS f) AS m"
				   " WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c"
				   " JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace"
				   " WHERE s.nspname OPERATOR(pg_catalog.=) 'platform'"
				   " AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) m.name)"
				   " ORDER BY m.first",
				   TEXTOID, INT4OID, INTERVALOID, TEXTOID, TEXTOID);

/* Partitions of a log without row security, or that let themselves be truncated. */
static PlatformQuery list_insecure =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_inherits i"
				   " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid"
				   " JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.inhparent"
				   " JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.relnamespace"
				   " AND s.oid OPERATOR(pg_catalog.=) c.relnamespace"
				   " WHERE s.nspname OPERATOR(pg_catalog.=) 'platform'"
				   " AND p.relname::pg_catalog.text OPERATOR(pg_catalog.=) $1"
				   " AND (NOT c.relrowsecurity OR ($2 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t"
				   " WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid"
				   " AND t.tgname::pg_catalog.text OPERATOR(pg_catalog.=)"
				   " pg_catalog.concat(pg_catalog.left(c.relname::pg_catalog.text, 40), '_refuse_truncate'))))"
				   " ORDER BY 1",
				   TEXTOID, BOOLOID);

typedef struct Log
{
	char	   *table;
	char	   *column;			/* of the time */
	char	   *default_partition;	/* NULL: none */
	char	   *columns;		/* quoted, with commas */
	bool		append_only;
	bool		daily;
} Log;

typedef struct Month
{
	char	   *partition;
	char	   *from;			/* timestamps without zone, in UTC */
	char	   *to;
} Month;

static List *
find_logs(void)
{
	List	   *logs = NIL;
	uint64		count = platform_query_run(&list_logs, NULL, NULL);

	for (uint64 i = 0; i < count; i++)
	{
		Log		   *log = palloc(sizeof(Log));

		log->table = platform_row_cstring(i, 1);
		log->column = platform_row_cstring(i, 2);
		log->default_partition = platform_row_cstring(i, 3);
		log->columns = platform_row_cstring(i, 4);
		log->append_only = platform_row_bool(i, 5);
		log->daily = log->default_partition != NULL &&
			strcmp(log->default_partition, psprintf("%.50s_default_daily", log->table)) == 0;
		logs = lappend(logs, log);
	}
	return logs;
}

static List *
find_missing(const Log *log, int months_ahead)
{
	List	   *months = NIL;
	static const Interval one_month = {.month = 1};
	static const Interval one_day = {.day = 1};
	Datum		values[5];
	uint64		count;

	values[0] = CStringGetTextDatum(log->table);
	values[1] = Int32GetDatum(!log->daily ? months_ahead : months_ahead > 0 ? DAYS_AHEAD : 0);
	values[2] = PointerGetDatum(log->daily ? &one_day : &one_month);
	values[3] = CStringGetTextDatum(log->daily ? "day" : "month");
	values[4] = CStringGetTextDatum(log->daily ? "_YYYY_MM_DD" : "_YYYY_MM");
	count = platform_query_run(&list_missing, values, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		Month	   *month = palloc(sizeof(Month));

		month->partition = platform_row_cstring(i, 1);
		month->from = platform_row_cstring(i, 2);
		month->to = platform_row_cstring(i, 3);
		months = lappend(months, month);
	}
	return months;
}

/* What the parent's row triggers and policies do not cover. */
static void
secure_partition(const Log *log, const char *partition)
{
	platform_ops_run(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", platform_ops_own(partition)));
	if (log->append_only)
		platform_ops_run(psprintf("CREATE OR REPLACE TRIGGER %s BEFORE TRUNCATE ON %s"
					 " FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_log_change()",
					 quote_identifier(psprintf("%.40s_refuse_truncate", partition)), platform_ops_own(partition)));
}

static void
create_default(Log *log)
{
	log->default_partition = psprintf("%.50s_default", log->table);
	platform_ops_run(psprintf("CREATE TABLE %s PARTITION OF %s DEFAULT",
				 platform_ops_own(log->default_partition), platform_ops_own(log->table)));
	secure_partition(log, log->default_partition);
}

/* Rows of the month that found no partition go where they belong. */
static void
move_rows(const Log *log, const Month *month)
{
	const char *condition = psprintf("%s OPERATOR(pg_catalog.>=) '%s+00'::pg_catalog.timestamptz"
									 " AND %s OPERATOR(pg_catalog.<) '%s+00'::pg_catalog.timestamptz",
									 quote_identifier(log->column), month->from,
									 quote_identifier(log->column), month->to);

	platform_ops_run(psprintf("SELECT 1 FROM %s WHERE %s LIMIT 1", platform_ops_own(log->default_partition), condition));
	if (SPI_processed == 0)
		return;
	platform_ops_run(psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", platform_ops_own(log->default_partition)));
	platform_log_maintenance(platform_relation_oid(log->default_partition, false));
	platform_ops_run(psprintf("WITH moved AS (DELETE FROM %s WHERE %s RETURNING %s)"
				 " INSERT INTO %s (%s) SELECT %s FROM moved",
				 platform_ops_own(log->default_partition), condition, log->columns,
				 platform_ops_own(month->partition), log->columns, log->columns));
	platform_log_maintenance(InvalidOid);
}

static void
create_month(const Log *log, const Month *month)
{
	platform_ops_run(psprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)",
				 platform_ops_own(month->partition), platform_ops_own(log->table)));
	secure_partition(log, month->partition);
	move_rows(log, month);
	platform_ops_run(psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s+00') TO ('%s+00')",
				 platform_ops_own(log->table), platform_ops_own(month->partition), month->from, month->to));
}

/* Triggers go with DROP EXTENSION ... CASCADE; partitions made by hand may lack both. */
static void
secure_partitions(const Log *log)
{
	Datum		values[2] = {CStringGetTextDatum(log->table), BoolGetDatum(log->append_only)};
	uint64		count = platform_query_run(&list_insecure, values, NULL);
	List	   *names = NIL;
	ListCell   *cell;

	for (uint64 i = 0; i < count; i++)
		names = lappend(names, platform_row_cstring(i, 1));
	foreach(cell, names)
		secure_partition(log, lfirst(cell));
}

static void
put_partition(FunctionCallInfo fcinfo, const Log *log, const char *partition)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[2] = {CStringGetTextDatum(log->table), CStringGetTextDatum(partition)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * platform.create_log_partitions(months_ahead integer DEFAULT 3)
 *		returns table (table_name text, partition_name text)
 *
 * Makes the partitions that logs miss: for the present month and the next ones
 * (of daily logs: today and the next week, or today alone when it is 0), and
 * the default one. A row for each that was made; rows that waited in the
 * default partition move. Partitions made otherwise get row security and, in an
 * append-only log, refuse TRUNCATE. To be called by a job, at least once within
 * months_ahead months; calls wait for each other. Operators only: 42501. 22023
 * for months_ahead outside 0 to 120. NULL makes nothing.
 */
Datum
platform_create_log_partitions(PG_FUNCTION_ARGS)
{
	int			months_ahead;
	ListCell   *cell;

	platform_require_operator("create partitions");
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	months_ahead = PG_GETARG_INT32(0);
	if (months_ahead < 0 || months_ahead > MONTHS_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("months_ahead must be between 0 and %d", MONTHS_MOST)));

	platform_query_begin();
	foreach(cell, find_logs())
	{
		Log		   *log = lfirst(cell);
		ListCell   *month;

		platform_ops_run(psprintf("LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE", platform_ops_own(log->table)));
		if (log->default_partition == NULL)
		{
			create_default(log);
			put_partition(fcinfo, log, log->default_partition);
		}
		foreach(month, find_missing(log, months_ahead))
		{
			create_month(log, lfirst(month));
			put_partition(fcinfo, log, ((Month *) lfirst(month))->partition);
		}
		secure_partitions(log);
	}
	platform_query_end();
	return (Datum) 0;
}
