/*
 * ops.h
 *	  What the files of this module share.
 *
 *	alerts.c		raising, acknowledging and resolving alerts
 *	audit.c			the trigger that records changes of rows, explicit entries
 *	row_json.c		a row as jsonb, as to_jsonb() makes it
 *	errors.c		errors of the application, their fingerprints
 *	records.c		latencies, sensitive actions, upgrade prompts, runs of jobs
 *	locks.c			idempotency keys, locks that outlive a transaction
 *	partitions.c	monthly partitions of the logs
 *	retention.c		what leaves the logs, and when
 *	client_ip.c		the address of a client behind proxies
 */
#ifndef PLATFORM_OPS_H
#define PLATFORM_OPS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/rel.h"
#include "utils/jsonb.h"

#include "core/module.h"

extern PlatformModule platform_ops_module;

/* Once, from _PG_init. */
extern void platform_ops_init(void);
extern void platform_records_init(void);

/* Lets this module itself change rows of an append-only log; InvalidOid: no more. */
extern void platform_log_maintenance(Oid log);

/*
 * Arguments: NULL where it must be given is 22004, a text out of its length
 * 22023. The optional forms return NULL for NULL.
 */
extern char *platform_ops_text(FunctionCallInfo fcinfo, int argument, const char *name, int most);
extern char *platform_ops_optional_text(FunctionCallInfo fcinfo, int argument, const char *name,
										int most);
extern const pg_uuid_t *platform_ops_optional_uuid(FunctionCallInfo fcinfo, int argument);
extern Jsonb *platform_ops_optional_object(FunctionCallInfo fcinfo, int argument, const char *name);

/* platform.name, quoted; and a statement run as the owner of the tables. */
extern char *platform_ops_own(const char *name);
extern void platform_ops_run(const char *statement);

/* How the rows of one table become jsonb; made once, used for each row. */
typedef struct RowJson RowJson;

/*
 * secrets: names of columns whose values are replaced by "***", as many as
 * nsecrets; 42703 for one that the table does not have.
 */
extern RowJson *platform_row_json_make(Relation relation, char *const *secrets, int nsecrets);

/*
 * The row as an object with a member a column, but for those that left_out
 * (NULL: none) names by [attnum - 1].
 */
extern Jsonb *platform_row_json(RowJson *rows, const Datum *values, const bool *isnull,
								const bool *left_out);

/* Do both hold the same value, byte by byte after decompression? */
extern bool platform_row_same_value(Form_pg_attribute attribute, Datum a, Datum b);

#endif							/* PLATFORM_OPS_H */
