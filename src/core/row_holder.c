/*
 * row_holder.c
 *	  Whose a row is, and who holds it: see row.h.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "core/row.h"

bool
platform_row_is_own(const PlatformRow *row)
{
	bool		isnull;
	Datum		xmin = slot_getsysattr(row->slot, MinTransactionIdAttributeNumber, &isnull);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

bool
platform_row_is_in_snapshot(const PlatformRow *row)
{
	TransactionId xmin;

	if (!IsolationUsesXactSnapshot())
		return true;
	xmin = platform_row_xmin(row);
	return !TransactionIdIsNormal(xmin) || TransactionIdIsCurrentTransactionId(xmin) ||
		!XidInMVCCSnapshot(xmin, GetTransactionSnapshot());
}

/* Who holds the version in the slot, and how; the pair read at one moment. */
static TransactionId
row_holder(const PlatformRow *row, uint16 *infomask)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) row->slot)->buffer;
	HeapTupleHeader header = ((HeapTupleTableSlot *) row->slot)->tuple->t_data;
	TransactionId xmax;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	*infomask = header->t_infomask;
	xmax = HeapTupleHeaderGetRawXmax(header);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return *infomask & HEAP_XMAX_INVALID ? InvalidTransactionId : xmax;
}

static bool
is_of_others(TransactionId xid)
{
	return TransactionIdIsValid(xid) && !TransactionIdIsCurrentTransactionId(xid) &&
		TransactionIdIsInProgress(xid);
}

/*
 * The transactions of others that hold the version in the slot, in palloc'd
 * memory, and how many.
 */
static TransactionId *
row_other_holders(const PlatformRow *row, int *count)
{
	uint16		infomask;
	TransactionId holder = row_holder(row, &infomask);
	TransactionId *others;

	*count = 0;
	if (TransactionIdIsValid(holder) && infomask & HEAP_XMAX_IS_MULTI)
	{
		MultiXactMember *members;
		int			nmembers = GetMultiXactIdMembers(holder, &members, false,
													 HEAP_XMAX_IS_LOCKED_ONLY(infomask));

		others = palloc(Max(nmembers, 1) * sizeof(TransactionId));
		for (int i = 0; i < nmembers; i++)
			if (is_of_others(members[i].xid))
				others[(*count)++] = members[i].xid;
		return others;
	}
	others = palloc(sizeof(TransactionId));
	if (is_of_others(holder))
		others[(*count)++] = holder;
	return others;
}

bool
platform_row_is_busy(const PlatformRow *row)
{
	int			count;

	pfree(row_other_holders(row, &count));
	return count > 0;
}

void
platform_row_wait(const PlatformRow *row)
{
	int			count;
	TransactionId *others = row_other_holders(row, &count);
	ItemPointerData tid = row->tid;

	for (int i = 0; i < count; i++)
		XactLockTableWait(others[i], row->relation, &tid, XLTW_Update);
	pfree(others);
}
