/*
 * module.c
 *	  Is the installation there, and new enough for this library?
 *
 * The list of applied migrations is cached under the rules of cache.h; what a
 * PlatformModule remembers is the generation at which it was last found
 * present.  Oids of our relations are cached the same way.
 */
#include "core/platform.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "core/cache.h"
#include "core/module.h"
#include "core/query.h"

static PlatformCache applied = {
	.name = "applied migrations",
	.tables = {"schema_migrations"},
};

static PlatformQuery migration_applied =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.schema_migrations"
				   " WHERE version OPERATOR(pg_catalog.=) $1",
				   INT4OID);

void
platform_module_init(void)
{
	platform_cache_register(&applied);
}

Oid
platform_relation_oid(const char *name, bool missing_ok)
{
	Oid			namespace = get_namespace_oid(PLATFORM_SCHEMA, true);
	Oid			relid = InvalidOid;

	if (OidIsValid(namespace))
		relid = get_relname_relid(name, namespace);
	if (!OidIsValid(relid) && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s.%s\" does not exist", PLATFORM_SCHEMA, name),
				 errhint("Run SELECT * FROM platform.install().")));
	return relid;
}

bool
platform_module_installed(PlatformModule *module)
{
	Datum		version = Int32GetDatum(module->version);
	uint64		generation;
	bool		found;

	/* without news: who believes a yes of a moment ago fails at the table itself */
	if (applied.valid && module->checked == applied.generation + 1)
		return true;
	if (platform_cache_is_valid(&applied) && module->checked == applied.generation + 1)
		return true;
	if (!OidIsValid(platform_relation_oid("schema_migrations", true)))
		return false;

	generation = applied.generation;
	platform_cache_begin_fill(&applied);
	platform_query_begin();
	found = platform_query_run(&migration_applied, &version, NULL) > 0;
	platform_query_end();
	if (found)
		module->checked = generation + 1;
	return found;
}

void
platform_require_module(PlatformModule *module)
{
	if (!platform_module_installed(module))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("module \"%s\" is not installed, or its tables are older than this library",
						module->name),
				 errhint("Run SELECT * FROM platform.install() as the owner of the tables.")));
}
