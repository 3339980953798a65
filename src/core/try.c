/*
 * try.c
 *	  The one place where errors are caught: a subtransaction guard.
 *
 * Memory context and resource owner are those of the caller again in every
 * way out, as in the handlers of the server's procedural languages.
 */
#include "core/platform.h"

#include "access/xact.h"
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

/*
 * Runs body(arg) in a subtransaction, which commits when it returns true;
 * *kept tells.  An error rolls it back and is returned.
 */
static ErrorData *
run_in_subtransaction(PlatformSubtransactionBody body, void *arg, bool *kept)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	*kept = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);

	PG_TRY();
	{
		*kept = body(arg);
		if (*kept)
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
	return error;
}

typedef struct TryCall
{
	PlatformTryBody body;
	void	   *arg;
} TryCall;

static bool
try_body(void *arg)
{
	TryCall    *call = arg;

	call->body(call->arg);
	return true;
}

ErrorData *
platform_try(PlatformTryBody body, void *arg)
{
	TryCall		call = {.body = body, .arg = arg};
	bool		kept;
	ErrorData  *error = run_in_subtransaction(try_body, &call, &kept);

	/* A lock timeout is an error of the body; a cancel by the user is not. */
	if (error != NULL && error_is_not_ours(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

bool
platform_subtransaction(PlatformSubtransactionBody body, void *arg)
{
	bool		kept;
	ErrorData  *error = run_in_subtransaction(body, arg, &kept);

	if (error != NULL)
		ReThrowError(error);
	return kept;
}
