/*
 * cache_trigger.c
 *	  The trigger that tells caches that a table's contents changed.
 *
 * The rules are in cache.h. A table whose rows are cached has this trigger
 * twice, row-level for the row events and statement-level for TRUNCATE, both
 * ENABLE ALWAYS: a change that logical replication applies must reach the
 * caches of the subscriber too.
 */
#include "core/platform.h"

#include "core/cache.h"
#include "core/guard.h"

PG_FUNCTION_INFO_V1(platform_invalidate_cache);

/*
 * platform.invalidate_cache() returns trigger
 *
 * Tells every session, when the transaction commits, that the table's contents
 * changed; the own session at the next command. Writes nothing and runs no
 * query. Errors: 39P01 unless it fires AFTER.
 *
 *		CREATE TRIGGER <table>_notify AFTER INSERT OR DELETE OR UPDATE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
 *		CREATE TRIGGER <table>_notify_truncate AFTER TRUNCATE ON <table>
 *			FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
 */
Datum
platform_invalidate_cache(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "invalidate_cache",
												  GUARD_AFTER | GUARD_ROW | GUARD_STATEMENT |
												  GUARD_INSERT | GUARD_UPDATE |
												  GUARD_DELETE | GUARD_TRUNCATE);

	platform_cache_touch(trigger->tg_relation);
	return PointerGetDatum(NULL);
}
