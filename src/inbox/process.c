/*
 * process.c
 *	  Processing by handlers: process_inbound().
 *
 * A handler runs in the transaction that marks its event as processed: both are
 * committed, or neither, so its effects happen once, whatever crashes when. An error of
 * a handler undoes what it did and no more; a cancellation undoes the whole call.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/try.h"
#include "inbox/inbox.h"

#define BATCH_MAX	1000

PG_FUNCTION_INFO_V1(platform_process_inbound);

typedef struct Counts
{
	int64		processed;
	int64		skipped;
	int64		failed;
	int64		dead;
	int64		unknown;
	int64		held;
} Counts;

static List *
sources_of(List *handlers, const char *only)
{
	List	   *sources = NIL;
	ListCell   *cell;

	foreach(cell, handlers)
	{
		InboxHandler *handler = lfirst(cell);

		if ((only == NULL || strcmp(only, handler->source) == 0) &&
			(sources == NIL || strcmp(llast(sources), handler->source) != 0))
			sources = lappend(sources, handler->source);
	}
	return sources;
}

static InboxHandler *
find_handler(List *handlers, const InboxRow *row)
{
	InboxHandler *any = NULL;
	ListCell   *cell;

	foreach(cell, handlers)
	{
		InboxHandler *handler = lfirst(cell);

		if (strcmp(handler->source, row->source) != 0)
			continue;
		if (strcmp(handler->event_type, row->event_type) == 0)
			return handler;
		if (strcmp(handler->event_type, INBOX_ANY_TYPE) == 0)
			any = handler;
	}
	return any;
}

static void
count_status(Counts *counts, const char *status, const char *result)
{
	if (strcmp(status, "processed") == 0)
		counts->processed++;
	else if (strcmp(status, "dead") == 0)
		counts->dead++;
	else if (strcmp(result, "unknown_number") == 0)
		counts->unknown++;
	else
		counts->failed++;
}

static void
process_row(PlatformRow *queue, List *handlers, const InboxRow *row, Counts *counts)
{
	InboxHandlerCall call = {.handler = find_handler(handlers, row), .row = row};
	InboxAside	aside = platform_inbox_put_aside(queue, row);
	ErrorData  *error;
	const char *status;

	if (aside == INBOX_HELD)
		counts->held++;
	else if (aside == INBOX_DEAD)
		counts->dead++;
	else if (call.handler == NULL)
	{
		(void) platform_inbox_finish(queue, row, row->attempts, "skipped", NULL, -1, "system");
		counts->skipped++;
	}
	else
	{
		error = platform_try(platform_inbox_call, &call);
		if (error != NULL)
		{
			status = platform_inbox_finish(queue, row, row->attempts + 1, "failed",
										   psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message),
										   -1, NULL);
			count_status(counts, status, "failed");
			FreeErrorData(error);
			return;
		}
		status = platform_inbox_finish(queue, row, row->attempts + 1, call.result, NULL, -1, "system");
		count_status(counts, status, call.result);
	}
}

/* Up to count events of a source; returns how many there were. */
static int
process_source(PlatformRow *queue, List *handlers, const char *source, int count, Counts *counts)
{
	int			found;
	InboxRow   *rows = platform_inbox_pick(source, count, false, &found);
	MemoryContext row_memory = AllocSetContextCreate(CurrentMemoryContext, "platform inbox processing",
													 ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row_memory);

	for (int i = 0; i < found; i++)
	{
		process_row(queue, handlers, &rows[i], counts);
		MemoryContextReset(row_memory);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_memory);
	return found;
}

/*
 * platform.process_inbound(batch integer DEFAULT 100, only_source text DEFAULT NULL,
 *		OUT processed bigint, OUT skipped bigint, OUT failed bigint, OUT dead bigint,
 *		OUT unknown bigint, OUT held bigint) RETURNS record
 *
 * Calls the handlers of up to batch (1 to 1000) events that are due, of all sources that
 * have handlers or of one; each source gets its share. processed: done, with the handler's
 * effects, in this transaction. skipped: the source has handlers and none for the type.
 * failed: the handler raised an error, and it is tried again after a time that grows; dead:
 * that was the last attempt. unknown: its number is nobody's. held: the organization's
 * feature webhooks is off. Operators only: 42501. Errors: 22004; 22023; 25006; a
 * cancellation or timeout undoes the call.
 */
Datum
platform_process_inbound(PG_FUNCTION_ARGS)
{
	Counts		counts = {0};
	List	   *handlers;
	List	   *sources;
	ListCell   *cell;
	int			left;
	int			share;
	bool		more = true;
	PlatformRow queue;
	Datum		values[6];
	bool		nulls[6] = {false};

	platform_require_module(&platform_inbox_module);
	platform_require_operator("process webhooks");
	left = platform_count_argument(fcinfo, 0, "batch", BATCH_MAX);

	platform_query_begin();
	handlers = platform_inbox_handlers();
	sources = sources_of(handlers, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	share = sources == NIL ? 0 : Max(left / list_length(sources), 1);
	platform_inbox_queue_open(&queue);
	while (left > 0 && more)
	{
		more = false;
		foreach(cell, sources)
		{
			int			asked = Min(share, left);
			int			found = asked == 0 ? 0 : process_source(&queue, handlers, lfirst(cell), asked, &counts);

			left -= found;
			more = more || (asked > 0 && found == asked);
		}
	}
	platform_row_close(&queue);
	platform_query_end();

	values[0] = Int64GetDatum(counts.processed);
	values[1] = Int64GetDatum(counts.skipped);
	values[2] = Int64GetDatum(counts.failed);
	values[3] = Int64GetDatum(counts.dead);
	values[4] = Int64GetDatum(counts.unknown);
	values[5] = Int64GetDatum(counts.held);
	return platform_return_row(fcinfo, values, nulls);
}
