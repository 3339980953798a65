/*
 * try.c
 *	  The one place where errors are caught: a subtransaction guard.
 *
 * Memory context and resource owner are those of the caller again in every
 * way out, as in the handlers of the server's procedural languages.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "core/cache.h"
#include "core/try.h"

static bool
error_is_not_ours(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED ||
		sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

ErrorData *
platform_try(PlatformTryBody body, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);

	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	/* A lock timeout is an error of the body; a cancel by the user is not. */
	if (error != NULL && error_is_not_ours(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

bool
platform_subtransaction(PlatformSubtransactionBody body, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool keep = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);

	PG_TRY();
	{
		keep = body(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
		{
			platform_cache_spare_abort = true;
			RollbackAndReleaseCurrentSubTransaction();
			platform_cache_spare_abort = false;
		}
	}
	PG_CATCH();
	{
		platform_cache_spare_abort = false;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error != NULL)
		ReThrowError(error);
	return keep;
}
