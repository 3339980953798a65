/*
 * refuse_change.c
 *	  The trigger function that keeps a table append-only.
 */
#include "core/platform.h"

#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"

PG_FUNCTION_INFO_V1(platform_refuse_change);

/*
 * platform.refuse_change() returns trigger
 *
 * Refuses the operation for everybody, the table's owner included: PT409.
 * Errors: 39P01 unless it fires BEFORE UPDATE, DELETE or TRUNCATE.
 *
 *		CREATE TRIGGER <table>_refuse BEFORE UPDATE OR DELETE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
 *		CREATE TRIGGER <table>_refuse_truncate BEFORE TRUNCATE ON <table>
 *			FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
 */
Datum
platform_refuse_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "refuse_change",
												  GUARD_BEFORE | GUARD_ROW | GUARD_STATEMENT |
												  GUARD_UPDATE | GUARD_DELETE | GUARD_TRUNCATE);
	const char *table = RelationGetRelationName(trigger->tg_relation);

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("cannot truncate table \"%s\"", table),
				 errdetail("Its rows, or their changes, are kept as a record.")));
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("cannot change or delete rows of table \"%s\"", table),
			 errdetail("Rows are only added to it.")));
}
