/*
 * platform.h
 *	  What every file of the extension includes first.
 *
 * Differences between server versions are bridged in src/core only; the
 * modules see one API.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/uuid.h"

#if PG_VERSION_NUM < 150000
#error "platform needs PostgreSQL 15 or newer"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* The spelling of PostgreSQL 18: before the declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn	__attribute__((noreturn))
#endif

#if PG_VERSION_NUM >= 180000
#define PLATFORM_MODULE_MAGIC	PG_MODULE_MAGIC_EXT(.name = "platform", .version = "1.0")
#else
#define PLATFORM_MODULE_MAGIC	PG_MODULE_MAGIC
#endif

/* Schema that holds every object of the extension and of an installation. */
#define PLATFORM_SCHEMA "platform"

/* The built-in default organization: 00000000-0000-0000-0000-000000000000. */
extern const pg_uuid_t platform_nil_uuid;

static inline bool
platform_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

/* A small number that differs between concurrent backends, from 0. */
extern int	platform_backend_number(void);

/* The transaction in progress, of this backend; never the same again. */
extern LocalTransactionId platform_local_transaction(void);

/*
 * A background worker as a role that cannot log in: possible from 17 on, with these
 * flags for BackgroundWorkerInitializeConnectionByOid().
 */
#define PLATFORM_WORKER_NEEDS_LOGIN	(PG_VERSION_NUM < 170000)
extern uint32 platform_worker_connect_flags(void);

/* Memory that the server frees as a setting's "extra"; NULL when there is none left. */
extern void *platform_guc_malloc(Size size);

/* A logical message that is there even when the transaction is rolled back. */
extern void platform_log_message(const char *prefix, const char *message, Size length);

#endif							/* PLATFORM_H */
