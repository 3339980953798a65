/*
 * secrets.c
 *	  What the benchmark of secrets subtracts: functions that return an argument.
 *
 * Compiled by bench_c of ../lib.sh; no part of the extension.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_empty_secret);
PG_FUNCTION_INFO_V1(bench_empty_cbc);

/* bench_empty_secret(uuid, text, uuid, text, text) returns text: the fourth. */
Datum
bench_empty_secret(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(3));
}

/* bench_empty_cbc(bytea, bytea, bytea, text) returns bytea: the first. */
Datum
bench_empty_cbc(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
