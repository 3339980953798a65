/*
 * support.c
 *	  The least that a C function can do: what benchmarks subtract.
 *
 * Compiled by bench_c of ../lib.sh; no part of the extension.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/uuid.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_empty_trigger);
PG_FUNCTION_INFO_V1(bench_empty_check);
PG_FUNCTION_INFO_V1(bench_empty_uuid);

/* bench_empty_trigger() returns trigger: BEFORE, FOR EACH ROW, lets the row pass. */
Datum
bench_empty_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
						   trigger->tg_newtuple : trigger->tg_trigtuple);
}

/* bench_empty_check(uuid, text, text) returns boolean: true. */
Datum
bench_empty_check(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* bench_empty_uuid() returns uuid: a constant. */
Datum
bench_empty_uuid(PG_FUNCTION_ARGS)
{
	static pg_uuid_t uuid = {{0xc0, 0xde}};

	PG_RETURN_UUID_P(&uuid);
}
