/*
 * compat.c
 *	  What differs between server versions and is no macro.
 */
#include "core/platform.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/message.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif
#include "storage/proc.h"
#include "utils/guc.h"

const pg_uuid_t platform_nil_uuid = {{0}};

int
platform_backend_number(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyBackendId - 1;
#endif
}

LocalTransactionId
platform_local_transaction(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

uint32
platform_worker_connect_flags(void)
{
#if PG_VERSION_NUM >= 170000
	return BGWORKER_BYPASS_ROLELOGINCHECK;
#else
	return 0;
#endif
}

void *
platform_guc_malloc(Size size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

void
platform_log_message(const char *prefix, const char *message, Size length)
{
#if PG_VERSION_NUM >= 170000
	LogLogicalMessage(prefix, message, length, false, false);
#else
	LogLogicalMessage(prefix, message, length, false);
#endif
}
