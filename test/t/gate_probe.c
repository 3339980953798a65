/*
 * gate_probe.c
 *	  Keeps the gate of usage in a test, as the module that counts usage does.
 *
 * Compiled by 072_capability_gate.pl; no part of the extension, whose library is
 * loaded before this one.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/uuid.h"

#include "core/gate.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(probe_stop);

static pg_uuid_t stopped;

static const char *
usage_gate(const pg_uuid_t *organization)
{
	return memcmp(organization->data, stopped.data, UUID_LEN) == 0 ? "HARD_STOP" : NULL;
}

/* probe_stop(uuid) returns void: that organization has used all. */
Datum
probe_stop(PG_FUNCTION_ARGS)
{
	stopped = *PG_GETARG_UUID_P(0);
	platform_usage_gate = usage_gate;
	PG_RETURN_VOID();
}
