/*
 * demo.c
 *	  load_demo_data(): examples of every installed module.
 *
 * Each module brings its own in src/<module>/demo.sql; the build collects them
 * into the catalogue platform.demo_data. They run as the caller.
 */
#include "core/platform.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "core/identity.h"
#include "core/query.h"
#include "tenants/tenants.h"

typedef struct DemoPart
{
	char	   *module;
	char	   *description;
	char	   *statements;
} DemoPart;

/* The parts of installed modules in their order; within a query. */
static DemoPart *
demo_parts(int *count)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT d.module, d.description, d.statements FROM platform.demo_data d"
					   " WHERE EXISTS (SELECT 1 FROM platform.schema_migrations m"
					   " WHERE m.module OPERATOR(pg_catalog.=) d.module)"
					   " ORDER BY d.position");
	DemoPart   *parts;

	*count = (int) platform_query_run(&list, NULL, NULL);
	parts = palloc0(sizeof(DemoPart) * (*count + 1));
	for (int i = 0; i < *count; i++)
	{
		parts[i].module = platform_row_cstring(i, 1);
		parts[i].description = platform_row_cstring(i, 2);
		parts[i].statements = platform_row_cstring(i, 3);
	}
	return parts;
}

PG_FUNCTION_INFO_V1(platform_load_demo_data);

/*
 * platform.load_demo_data() returns table (module text, description text)
 *
 * Fills in examples: two organizations, and what each installed module adds to
 * them; a row a module. Running it again adds what is missing and leaves alone
 * what was changed. Operators only. Errors: 42501; 55000 before install().
 */
Datum
platform_load_demo_data(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DemoPart   *parts;
	int			count;

	platform_require_module(&platform_tenants_module);
	platform_require_operator("load demo data");
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	parts = demo_parts(&count);
	for (int i = 0; i < count; i++)
	{
		Datum		values[2] = {
			CStringGetTextDatum(parts[i].module),
			CStringGetTextDatum(parts[i].description),
		};
		bool		nulls[2] = {false, false};

		if (SPI_execute(parts[i].statements, false, 0) < 0)
			elog(ERROR, "demo data of module \"%s\" failed", parts[i].module);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	platform_query_end();
	return (Datum) 0;
}
