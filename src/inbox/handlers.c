/*
 * handlers.c
 *	  Functions that process events: register_inbound_handler(),
 *	  unregister_inbound_handler(), and calling them.
 *
 * A handler runs as its owner, with its schema alone on the search path, whoever
 * processes and however his session is set: nobody gains a right by processing, nor by
 * registering, which takes the rights of the owner. Names are kept as text with the
 * schema and looked up anew in each call of process_inbound(); no SQL is made of them.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "inbox/inbox.h"

PG_FUNCTION_INFO_V1(platform_register_inbound_handler);
PG_FUNCTION_INFO_V1(platform_unregister_inbound_handler);

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

/* Schema and name of schema.function; false when the text is of another form. */
static bool
split_name(const char *handler, char **schema, char **name)
{
	List	   *names;

	if (!SplitIdentifierString(pstrdup(handler), '.', &names) || list_length(names) != 2)
		return false;
	*schema = linitial(names);
	*name = lsecond(names);
	return true;
}

/* A function that is a handler. */
typedef struct Found
{
	Oid			function;
	Oid			owner;
	bool		returns_text;
} Found;

/* The function of that name and these types; false when there is none, or of another kind. */
static bool
find_function(const char *schema, const char *name, Found *found)
{
	static const Oid types[] = {UUIDOID, UUIDOID, TEXTOID, JSONBOID};
	Oid			namespace = get_namespace_oid(schema, true);
	HeapTuple	tuple = !OidIsValid(namespace) ? NULL :
		SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
						PointerGetDatum(buildoidvector(types, lengthof(types))),
						ObjectIdGetDatum(namespace));
	Form_pg_proc form;
	bool		fits;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	fits = form->prokind == PROKIND_FUNCTION && !form->proretset &&
		(form->prorettype == TEXTOID || form->prorettype == VOIDOID);
	found->function = form->oid;
	found->owner = form->proowner;
	found->returns_text = form->prorettype == TEXTOID;
	ReleaseSysCache(tuple);
	return fits;
}

/*
 * The function's name, quoted and with its schema; 22023 unless it is a handler, 42501
 * unless the caller has the rights of its owner, as whom it will run.
 */
static char *
handler_name(const char *given)
{
	char	   *schema;
	char	   *name;
	Found		found;

	if (!split_name(given, &schema, &name) || !find_function(schema, name, &found))
		no_handler(given);
	if (!has_privs_of_role(GetUserId(), found.owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FUNCTION, given);
	return quote_qualified_identifier(schema, name);
}

/*
 * platform.register_inbound_handler(source text, event_type text, handler text) RETURNS text
 *
 * process_inbound() calls the function for events of that type, or of every type of the
 * source that has no handler of its own (*); it takes the place of one that was registered
 * before. handler is schema.function, of (organization_id uuid, webhook_id uuid,
 * event_type text, payload jsonb), returning text (the result, as of
 * complete_inbound(); NULL: success) or void. It will run as its owner. Returns its
 * name. Operators only, who have the rights of that owner: 42501. Errors: 22004; 22023 no
 * such function, or of another kind; 25006.
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

/* ---- calling ---- */

List *
platform_inbox_handlers(void)
{
	static PlatformQuery load =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   "SELECT source, event_type, handler FROM platform.webhook_handlers ORDER BY source, event_type");
	uint64		count = platform_query_run(&load, NULL, NULL);
	List	   *handlers = NIL;

	for (uint64 i = 0; i < count; i++)
	{
		InboxHandler *handler = palloc0(sizeof(InboxHandler));

		handler->source = platform_row_cstring(i, 1);
		handler->event_type = platform_row_cstring(i, 2);
		handler->function = platform_row_cstring(i, 3);
		handlers = lappend(handlers, handler);
	}
	return handlers;
}

/* Looks the function up, once for all events of a call; raises when it is no handler any more. */
static void
resolve(InboxHandler *handler)
{
	char	   *schema;
	char	   *name;
	Found		found;

	if (OidIsValid(handler->owner))
		return;
	if (!split_name(handler->function, &schema, &name) || !find_function(schema, name, &found))
		no_handler(handler->function);
	fmgr_info_cxt(found.function, &handler->call, GetMemoryChunkContext(handler));
	handler->returns_text = found.returns_text;
	handler->path = MemoryContextStrdup(GetMemoryChunkContext(handler),
										psprintf("%s, pg_temp", quote_identifier(schema)));
	handler->owner = found.owner;
}

/* Calls it as its owner; NULL: it returned nothing. */
static char *
invoke(InboxHandler *handler, const InboxRow *row)
{
	LOCAL_FCINFO(fcinfo, 4);
	Datum		value;

	InitFunctionCallInfoData(*fcinfo, &handler->call, 4, DEFAULT_COLLATION_OID, NULL, NULL);
	fcinfo->args[0].value = UUIDPGetDatum(&row->organization);
	fcinfo->args[1].value = UUIDPGetDatum(&row->id);
	fcinfo->args[2].value = CStringGetTextDatum(row->event_type);
	fcinfo->args[3].value = row->payload;
	for (int i = 0; i < 4; i++)
		fcinfo->args[i].isnull = i == 3 && row->no_payload;
	if (handler->call.fn_strict && row->no_payload)
		return NULL;
	value = FunctionCallInvoke(fcinfo);
	return fcinfo->isnull || !handler->returns_text ? NULL :
		platform_inbox_result(DatumGetTextPP(value), "result");
}

void
platform_inbox_call(void *arg)
{
	InboxHandlerCall *call = arg;
	Oid			userid;
	int			sec_context;
	int			level = NewGUCNestLevel();

	resolve(call->handler);
	(void) set_config_option("search_path", call->handler->path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(call->handler->owner, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	call->result = invoke(call->handler, call->row);
	PopActiveSnapshot();
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(true, level);
	if (call->result == NULL)
		call->result = "success";
}
