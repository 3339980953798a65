/*
 * usage.c
 *	  The counter that a C programmer would write first: one statement over SPI.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_spi_increment);

/* bench_spi_increment(organization_id uuid, feature text, amount bigint) RETURNS boolean */
Datum
bench_spi_increment(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {UUIDOID, TEXTOID, INT8OID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	uint64		updated;

	SPI_connect();
	if (plan == NULL)
	{
		plan = SPI_prepare("UPDATE platform.feature_usage SET used = used + $3"
						   " WHERE organization_id = $1 AND feature = $2"
						   " AND period_start = date_trunc('month', now()) AND slot = 0"
						   " AND used + $3 <= 1000000000", 3, types);
		SPI_keepplan(plan);
	}
	SPI_execute_plan(plan, values, NULL, false, 0);
	updated = SPI_processed;
	SPI_finish();
	PG_RETURN_BOOL(updated > 0);
}
