/*
 * commit.c
 *	  Early lock release: see commit.h.
 *
 * State: what is to happen at the end of the current transaction; cleared by
 * every end; and how busy rows have been of late. In order:
 *	PRE_COMMIT				when others want the locks synchronous_commit is set to
 *							off, so that the server writes the commit record without
 *							waiting
 *	COMMIT					the setting is put back; the transaction is visible
 *	locks are released
 *	AFTER_LOCKS				WAL is flushed up to the commit record
 *	the client is answered
 * The variable is set without the machinery of settings, which nothing
 * between the two callbacks reads. A commit that fails after PRE_COMMIT aborts,
 * and that puts it back.
 */
#include "core/platform.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "replication/syncrep.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/resowner.h"

#include "core/commit.h"

static bool early_lock_release = true;

typedef enum CommitState
{
	COMMIT_AS_USUAL,
	COMMIT_ARMED,				/* asked for */
	COMMIT_WITHOUT_WAIT,		/* the record is being written */
	COMMIT_FLUSH_DUE			/* visible; to be flushed once locks are free */
} CommitState;

static CommitState state = COMMIT_AS_USUAL;
static int	saved_synchronous_commit;

/*
 * For how many more transactions of this session others are expected to want its
 * rows. On a busy row every session meets others, though not in every transaction;
 * where nobody waits the usual way is better: the server wakes its WAL writer for
 * each commit that does not wait.
 */
#define CONTENTION_MEMORY	100

static int	contention = 0;

static void
commit_put_back(void)
{
	if (state == COMMIT_WITHOUT_WAIT)
		synchronous_commit = saved_synchronous_commit;
}

/* Would the server itself wait for its own disk and for nothing else? */
static bool
commit_waits_for_disk_only(void)
{
	return synchronous_commit > SYNCHRONOUS_COMMIT_OFF &&
		(SyncRepStandbyNames == NULL || SyncRepStandbyNames[0] == '\0');
}

/* Does anybody wait for a row that this transaction has written? */
static bool
commit_has_waiters(void)
{
	TransactionId xid = GetTopTransactionIdIfAny();
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/* Now, or of late. */
static bool
commit_locks_are_wanted(void)
{
	if (commit_has_waiters())
		contention = CONTENTION_MEMORY;
	return contention > 0 && contention-- > 0;
}

static void
commit_at_xact_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (state == COMMIT_ARMED && commit_waits_for_disk_only() && commit_locks_are_wanted())
			{
				saved_synchronous_commit = synchronous_commit;
				synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
				state = COMMIT_WITHOUT_WAIT;
			}
			break;
		case XACT_EVENT_COMMIT:
			commit_put_back();
			state = state == COMMIT_WITHOUT_WAIT ? COMMIT_FLUSH_DUE : COMMIT_AS_USUAL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			commit_put_back();
			state = COMMIT_AS_USUAL;
			break;
		default:
			break;
	}
}

static void
commit_at_release(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	if (state != COMMIT_FLUSH_DUE || phase != RESOURCE_RELEASE_AFTER_LOCKS || !isTopLevel)
		return;
	state = COMMIT_AS_USUAL;
	XLogFlush(XactLastCommitEnd);
}

void
platform_commit_init(void)
{
	DefineCustomBoolVariable("platform.early_lock_release",
							 "Releases the locks of a burn's transaction before its commit is flushed, when others wait for them.",
							 "The client is answered after the flush either way.",
							 &early_lock_release, true, PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(commit_at_xact_end, NULL);
	RegisterResourceReleaseCallback(commit_at_release, NULL);
}

void
platform_commit_unlock_early(void)
{
	if (early_lock_release && state == COMMIT_AS_USUAL)
		state = COMMIT_ARMED;
}

void
platform_commit_had_to_wait(void)
{
	contention = CONTENTION_MEMORY;
}

void
platform_commit_require_durable(TransactionId xid)
{
	XLogRecPtr	lsn;

	if (!TransactionIdIsNormal(xid) || TransactionIdIsCurrentTransactionId(xid))
		return;
	lsn = TransactionIdGetCommitLSN(xid);
	if (!XLogRecPtrIsInvalid(lsn))
		XLogFlush(lsn);
}
