/*
 * process.c
 *	  Handlers, and processing by them: register_inbound_handler(),
 *	  unregister_inbound_handler(), process_inbound().
 *
 * A handler runs in the transaction that marks its event as processed: both are
 * committed, or neither, so its effects happen once, whatever crashes when. An error of
 * a handler undoes what it did and no more; a cancellation undoes the whole call.
 *
 * Handlers run as the owner of the tables, who alone can register them: so it makes
 * no difference who processes. Their names are kept as text with the schema, and are looked
 * up along no search path.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/try.h"
#include "inbox/inbox.h"

#define BATCH_MAX	1000
#define ANY_TYPE	"*"

PG_FUNCTION_INFO_V1(platform_register_inbound_handler);
PG_FUNCTION_INFO_V1(platform_unregister_inbound_handler);
PG_FUNCTION_INFO_V1(platform_process_inbound);

typedef struct Handler
{
	char	   *source;
	char	   *event_type;
	char	   *function;		/* quoted, with its schema */
	SPIPlanPtr	plan;			/* NULL until it is needed */
} Handler;

typedef struct Counts
{
	int64		processed;
	int64		skipped;
	int64		failed;
	int64		dead;
	int64		unknown;
	int64		held;
} Counts;

/* ---- registering ---- */

static char *
word_argument(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
	char	   *word;

	platform_require_argument(fcinfo, number, name);
	word = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (*word == '\0' || strlen(word) > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d bytes", name, most)));
	return word;
}

pg_noreturn static void
no_handler(const char *given)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is no handler", given),
			 errdetail("A handler is a function schema.name (organization_id uuid, webhook_id uuid, event_type text, payload jsonb) that returns text or void.")));
}

/* The function's name, quoted and with its schema; 22023 unless it is a handler. */
static char *
handler_name(const char *given)
{
	static const Oid types[] = {UUIDOID, UUIDOID, TEXTOID, JSONBOID};
	List	   *names;
	List	   *strings;
	HeapTuple	tuple;
	Oid			function;
	bool		fits;

	if (!SplitIdentifierString(pstrdup(given), '.', &names) || list_length(names) != 2)
		no_handler(given);
	strings = list_make2(makeString(linitial(names)), makeString(lsecond(names)));
	if (!OidIsValid(get_namespace_oid(linitial(names), true)))
		no_handler(given);
	function = LookupFuncName(strings, lengthof(types), types, true);
	tuple = OidIsValid(function) ? SearchSysCache1(PROCOID, ObjectIdGetDatum(function)) : NULL;
	if (!HeapTupleIsValid(tuple))
		no_handler(given);
	else
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		fits = form->prokind == PROKIND_FUNCTION && !form->proretset &&
			(form->prorettype == TEXTOID || form->prorettype == VOIDOID);
		ReleaseSysCache(tuple);
	}
	if (!fits)
		no_handler(given);
	return quote_qualified_identifier(linitial(names), lsecond(names));
}

/*
 * platform.register_inbound_handler(source text, event_type text, handler text) RETURNS text
 *
 * process_inbound() calls the function for events of that type, or of every type of the
 * source that has no handler of its own (*); it takes the place of one that was registered
 * before. handler is schema.function, of (organization_id uuid, webhook_id uuid,
 * event_type text, payload jsonb), returning text (the result, as of
 * complete_inbound(); NULL: success) or void. Returns its name. Operators only: 42501.
 * Errors: 22004; 22023 no such function, or of another kind; 25006.
 */
Datum
platform_register_inbound_handler(PG_FUNCTION_ARGS)
{
	static PlatformQuery add =
		PLATFORM_QUERY(QUERY_OWNER,
					   "INSERT INTO platform.webhook_handlers (source, event_type, handler) VALUES ($1, $2, $3)"
					   " ON CONFLICT (source, event_type) DO UPDATE SET handler = excluded.handler",
					   TEXTOID, TEXTOID, TEXTOID);
	Datum		values[3];
	char	   *name;

	platform_require_module(&platform_inbox_module);
	platform_require_operator("register handlers of webhooks");
	values[0] = CStringGetTextDatum(word_argument(fcinfo, 0, "source", 63));
	values[1] = CStringGetTextDatum(word_argument(fcinfo, 1, "event_type", INBOX_TYPE_MAX));
	name = handler_name(word_argument(fcinfo, 2, "handler", 255));
	values[2] = CStringGetTextDatum(name);
	platform_query_begin();
	platform_query_run(&add, values, NULL);
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * platform.unregister_inbound_handler(source text, event_type text) RETURNS boolean
 *
 * The events wait, or are another handler's, from now on. False when there was none.
 * Operators only: 42501. Errors: 22004; 25006.
 */
Datum
platform_unregister_inbound_handler(PG_FUNCTION_ARGS)
{
	static PlatformQuery remove =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.webhook_handlers WHERE source OPERATOR(pg_catalog.=) $1"
					   " AND event_type OPERATOR(pg_catalog.=) $2",
					   TEXTOID, TEXTOID);
	Datum		values[2];
	bool		removed;

	platform_require_module(&platform_inbox_module);
	platform_require_operator("unregister handlers of webhooks");
	platform_require_argument(fcinfo, 0, "source");
	platform_require_argument(fcinfo, 1, "event_type");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	removed = platform_query_run(&remove, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(removed);
}

/* ---- processing ---- */

/* In the order of their sources. */
static List *
load_handlers(void)
{
	static PlatformQuery load =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   "SELECT source, event_type, handler FROM platform.webhook_handlers ORDER BY source, event_type");
	uint64		count = platform_query_run(&load, NULL, NULL);
	List	   *handlers = NIL;

	for (uint64 i = 0; i < count; i++)
	{
		Handler    *handler = palloc0(sizeof(Handler));

		handler->source = platform_row_cstring(i, 1);
		handler->event_type = platform_row_cstring(i, 2);
		handler->function = platform_row_cstring(i, 3);
		handlers = lappend(handlers, handler);
	}
	return handlers;
}

static List *
sources_of(List *handlers, const char *only)
{
	List	   *sources = NIL;
	ListCell   *cell;

	foreach(cell, handlers)
	{
		Handler    *handler = lfirst(cell);

		if ((only == NULL || strcmp(only, handler->source) == 0) &&
			(sources == NIL || strcmp(llast(sources), handler->source) != 0))
			sources = lappend(sources, handler->source);
	}
	return sources;
}

static Handler *
find_handler(List *handlers, const InboxRow *row)
{
	Handler    *any = NULL;
	ListCell   *cell;

	foreach(cell, handlers)
	{
		Handler    *handler = lfirst(cell);

		if (strcmp(handler->source, row->source) != 0)
			continue;
		if (strcmp(handler->event_type, row->event_type) == 0)
			return handler;
		if (strcmp(handler->event_type, ANY_TYPE) == 0)
			any = handler;
	}
	return any;
}

typedef struct HandlerCall
{
	Handler    *handler;
	const InboxRow *row;
	char	   *result;
} HandlerCall;

/* A PlatformTryBody: a change of user and what SPI holds are undone with its subtransaction. */
static void
call_handler(void *arg)
{
	HandlerCall *call = arg;
	Oid			types[] = {UUIDOID, UUIDOID, TEXTOID, JSONBOID};
	Datum		values[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};
	PlatformUser saved;
	bool		isnull = true;
	Datum		result = (Datum) 0;
	int			code;

	values[0] = UUIDPGetDatum(&call->row->organization);
	values[1] = UUIDPGetDatum(&call->row->id);
	values[2] = CStringGetTextDatum(call->row->event_type);
	values[3] = call->row->payload;
	if (call->row->no_payload)
		nulls[3] = 'n';
	platform_become_owner(&saved);
	if (call->handler->plan == NULL)
		call->handler->plan = SPI_prepare(psprintf("SELECT %s($1, $2, $3, $4)", call->handler->function),
										  lengthof(types), types);
	if (call->handler->plan == NULL)
		elog(ERROR, "could not prepare the call of a handler: %s", SPI_result_code_string(SPI_result));
	code = SPI_execute_plan(call->handler->plan, values, nulls, false, 0);
	if (code != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not call a handler: %s", SPI_result_code_string(code));
	if (SPI_gettypeid(SPI_tuptable->tupdesc, 1) == TEXTOID)
		result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	call->result = isnull ? "success" : platform_inbox_result(DatumGetTextPP(result), "result");
	SPI_freetuptable(SPI_tuptable);
	platform_restore_user(&saved);
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
	HandlerCall call = {.handler = find_handler(handlers, row), .row = row};
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
		error = platform_try(call_handler, &call);
		if (error != NULL)
		{
			/* a plan that was made in it is gone */
			call.handler->plan = NULL;
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
	left = platform_inbox_count(fcinfo, 0, "batch", BATCH_MAX);

	platform_query_begin();
	handlers = load_handlers();
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
