/*
 * mutex.c
 *	  Locks with a number for a name: see row.h.
 */
#include "core/platform.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "core/row.h"

/* Advisory locks of SQL have 1 or 2 in the last field. */
#define MUTEX_CLASS 0x504C

static void
mutex_tag(LOCKTAG *tag, uint64 key)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, MUTEX_CLASS);
}

void
platform_mutex_lock(uint64 key)
{
	LOCKTAG		tag;

	mutex_tag(&tag, key);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
platform_mutex_unlock(uint64 key)
{
	LOCKTAG		tag;

	mutex_tag(&tag, key);
	LockRelease(&tag, ExclusiveLock, false);
}

void
platform_mutex_share(uint64 key)
{
	LOCKTAG		tag;

	mutex_tag(&tag, key);
	(void) LockAcquire(&tag, ShareLock, false, false);
}
