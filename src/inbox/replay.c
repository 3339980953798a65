/*
 * replay.c
 *	  Once more: replay_inbound(), replay_inbound_range(), and what waits for a
 *	  telephone number: resolve_unknown_phone() and the trigger for tables of numbers.
 *
 * A replay puts the stored event back into the queue as if it had just come; its
 * handler or worker does the rest. Its key stays taken: the provider's own repetitions
 * are duplicates, as before.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "inbox/inbox.h"

#define BATCH_MAX	100000
#define MATCHED		"matched_agent"

PG_FUNCTION_INFO_V1(platform_replay_inbound);
PG_FUNCTION_INFO_V1(platform_replay_inbound_range);
PG_FUNCTION_INFO_V1(platform_resolve_unknown_phone);
PG_FUNCTION_INFO_V1(platform_replay_unknown_phone);

/* What a replay sets; $1 is who asks for it. */
#define AGAIN \
	" SET status = 'received', due_at = pg_catalog.clock_timestamp(), attempts = 0," \
	" processed_at = NULL, processed_by = $1, result = NULL, error_message = NULL," \
	" replays = q.replays OPERATOR(pg_catalog.+) 1"

static Datum
replayer(void)
{
	const char *subject = platform_caller_subject();

	return CStringGetTextDatum(subject == NULL ? "replay" : psprintf("replay:%.200s", subject));
}

/*
 * platform.replay_inbound(organization_id uuid, webhook_id uuid) RETURNS integer
 *
 * The event is processed again, with all its attempts; also one in conflict. Returns how
 * often it was replayed. Operators, and administrators for their own organization: 42501.
 * Errors: 22004; PT404 no such event; PT409 it waits already, or was rejected or a
 * duplicate; 25006.
 */
Datum
platform_replay_inbound(PG_FUNCTION_ARGS)
{
	static PlatformQuery again =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue AS q" AGAIN
					   " WHERE q.id OPERATOR(pg_catalog.=) $2 AND q.organization_id OPERATOR(pg_catalog.=) $3"
					   " AND (q.status OPERATOR(pg_catalog.=) ANY ('{processed,dead,conflict,failed}'))"
					   " RETURNING q.replays",
					   TEXTOID, UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
					   "SELECT status FROM platform.webhook_queue"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[3];
	int32		replays = 0;

	platform_require_module(&platform_inbox_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "webhook_id");
	platform_require_administrator(PG_GETARG_UUID_P(0), "replay webhooks");
	values[0] = replayer();
	values[1] = PG_GETARG_DATUM(1);
	values[2] = PG_GETARG_DATUM(0);
	platform_query_begin();
	if (platform_query_run(&again, values, NULL) > 0)
		replays = platform_row_int32(0, 1);
	else if (platform_query_run(&find, values + 1, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("webhook %s does not exist",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[1])))));
	else
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("cannot replay a webhook with status \"%s\"", platform_row_cstring(0, 1))));
	platform_query_end();
	PG_RETURN_INT32(replays);
}

/* The statuses of which events may be replayed; 22023 for any other. */
static void
require_statuses(ArrayType *statuses)
{
	static const char *const allowed[] = {"processed", "failed", "dead", "conflict"};
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(statuses, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		bool		known = false;

		for (int j = 0; !nulls[i] && j < lengthof(allowed); j++)
			known = known || strcmp(TextDatumGetCString(elements[i]), allowed[j]) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("statuses must be among processed, failed, dead and conflict")));
	}
}

/*
 * platform.replay_inbound_range(organization_id uuid, from_time timestamptz, to_time timestamptz,
 *		statuses text[] DEFAULT '{failed,dead}', only_source text DEFAULT NULL,
 *		only_event_type text DEFAULT NULL, batch integer DEFAULT 10000) RETURNS bigint
 *
 * The same for what was received from from_time on and before to_time, with one of these
 * statuses, the oldest first, up to batch (1 to 100000) events. Returns how many; call it
 * again while it returns batch. organization_id NULL: all, for operators. Operators, and
 * administrators for their own organization: 42501. Errors: 22004; 22023; 25006.
 */
Datum
platform_replay_inbound_range(PG_FUNCTION_ARGS)
{
	static PlatformQuery again =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "WITH chosen AS (SELECT c.id, c.organization_id FROM platform.webhook_queue c"
					   " WHERE ($2 IS NULL OR c.organization_id OPERATOR(pg_catalog.=) $2)"
					   " AND c.received_at OPERATOR(pg_catalog.>=) $3 AND c.received_at OPERATOR(pg_catalog.<) $4"
					   " AND c.status OPERATOR(pg_catalog.=) ANY ($5)"
					   " AND ($6 IS NULL OR c.source OPERATOR(pg_catalog.=) $6)"
					   " AND ($7 IS NULL OR c.event_type OPERATOR(pg_catalog.=) $7)"
					   " ORDER BY c.received_at LIMIT $8 FOR UPDATE SKIP LOCKED)"
					   " UPDATE platform.webhook_queue AS q" AGAIN " FROM chosen c"
					   " WHERE q.id OPERATOR(pg_catalog.=) c.id"
					   " AND q.organization_id OPERATOR(pg_catalog.=) c.organization_id",
					   TEXTOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID, TEXTOID, INT8OID);
	Datum		values[8];
	bool		nulls[8] = {false};
	uint64		count;

	platform_require_module(&platform_inbox_module);
	if (PG_ARGISNULL(0))
		platform_require_operator("replay webhooks of all organizations");
	else
		platform_require_administrator(PG_GETARG_UUID_P(0), "replay webhooks");
	platform_require_argument(fcinfo, 1, "from_time");
	platform_require_argument(fcinfo, 2, "to_time");
	platform_require_argument(fcinfo, 3, "statuses");
	require_statuses(PG_GETARG_ARRAYTYPE_P(3));
	values[0] = replayer();
	platform_copy_arguments(fcinfo, 0, 6, values + 1, nulls + 1);
	values[7] = Int64GetDatum(platform_count_argument(fcinfo, 6, "batch", BATCH_MAX));
	platform_query_begin();
	count = platform_query_run(&again, values, nulls);
	platform_query_end();
	PG_RETURN_INT64((int64) count);
}

/*
 * Resolves what is open about the number, of one organization or all (NULL), and says
 * what becomes of its events: the same again, or nothing. Returns how many there were.
 */
static int64
resolve(const pg_uuid_t *organization, Datum phone_number, const char *resolution, Datum notes,
		bool no_notes)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.unknown_phone SET resolved_at = pg_catalog.clock_timestamp(),"
					   " resolved_by = (SELECT u.id FROM platform.users u WHERE u.id OPERATOR(pg_catalog.=) $5),"
					   " resolution = $3, notes = coalesce($4, notes)"
					   " WHERE phone_number OPERATOR(pg_catalog.=) $1"
					   " AND ($2 IS NULL OR organization_id OPERATOR(pg_catalog.=) $2) AND resolved_at IS NULL"
					   " RETURNING webhook_id, organization_id",
					   TEXTOID, UUIDOID, TEXTOID, TEXTOID, UUIDOID);
	static PlatformQuery again =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue AS q" AGAIN
					   " WHERE q.id OPERATOR(pg_catalog.=) $2 AND q.organization_id OPERATOR(pg_catalog.=) $3"
					   " AND q.status OPERATOR(pg_catalog.=) 'failed'"
					   " AND q.result OPERATOR(pg_catalog.=) 'unknown_number'",
					   TEXTOID, UUIDOID, UUIDOID);
	static PlatformQuery close =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.webhook_queue AS q SET status = 'processed', due_at = NULL,"
					   " processed_at = pg_catalog.clock_timestamp(), processed_by = $1, result = $4"
					   " WHERE q.id OPERATOR(pg_catalog.=) $2 AND q.organization_id OPERATOR(pg_catalog.=) $3"
					   " AND q.status OPERATOR(pg_catalog.=) 'failed'"
					   " AND q.result OPERATOR(pg_catalog.=) 'unknown_number'",
					   TEXTOID, UUIDOID, UUIDOID, TEXTOID);
	const pg_uuid_t *user = platform_current_user();
	Datum		values[5];
	bool		nulls[5] = {false};
	SPITupleTable *rows;
	int64		count;

	values[0] = phone_number;
	values[1] = UUIDPGetDatum(organization);
	nulls[1] = organization == NULL;
	values[2] = CStringGetTextDatum(resolution);
	values[3] = notes;
	nulls[3] = no_notes;
	values[4] = UUIDPGetDatum(user);
	nulls[4] = user == NULL;
	count = (int64) platform_query_run(&mark, values, nulls);
	rows = SPI_tuptable;
	for (int64 i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		event[4];

		event[0] = replayer();
		event[1] = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
		if (isnull)
			continue;
		event[2] = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull);
		event[3] = values[2];
		platform_query_run(strcmp(resolution, MATCHED) == 0 ? &again : &close, event, NULL);
	}
	return count;
}

/*
 * platform.resolve_unknown_phone(organization_id uuid, phone_number text,
 *		resolution text DEFAULT 'matched_agent', notes text DEFAULT NULL) RETURNS bigint
 *
 * The number was assigned (matched_agent): its events that wait are processed again. Or it
 * was not: spam, ignored or another word, and they are done with that as their result.
 * phone_number is in E.164. Returns how many there were. organization_id NULL: of
 * all, for operators. Operators, and administrators for their own organization: 42501.
 * Errors: 22004; 22023; 25006.
 */
Datum
platform_resolve_unknown_phone(PG_FUNCTION_ARGS)
{
	char	   *resolution;
	int64		count;

	platform_require_module(&platform_inbox_module);
	if (PG_ARGISNULL(0))
		platform_require_operator("resolve numbers of all organizations");
	else
		platform_require_administrator(PG_GETARG_UUID_P(0), "replay webhooks");
	platform_require_argument(fcinfo, 1, "phone_number");
	platform_require_argument(fcinfo, 2, "resolution");
	resolution = platform_inbox_result(PG_GETARG_TEXT_PP(2), "resolution");
	platform_query_begin();
	count = resolve(PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0), PG_GETARG_DATUM(1), resolution,
					PG_GETARG_DATUM(3), PG_ARGISNULL(3));
	platform_query_end();
	PG_RETURN_INT64(count);
}

/*
 * platform.replay_unknown_phone() RETURNS trigger
 *
 * For a table of telephone numbers with organization_id: what waits in the row's
 * organization for its number is processed again, and what waits in the platform's own,
 * whose accounts receive for everybody. The argument names the column, default
 * phone_number. Errors: 39P01 unless it fires AFTER INSERT or UPDATE FOR EACH ROW; 42703.
 *
 *		CREATE TRIGGER agents_replay AFTER INSERT OR UPDATE OF phone_number ON agents
 *			FOR EACH ROW EXECUTE FUNCTION platform.replay_unknown_phone();
 */
Datum
platform_replay_unknown_phone(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "replay_unknown_phone",
												  GUARD_AFTER | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	const char *column;
	AttrNumber	number;
	char	   *value;
	char	   *organization;
	pg_uuid_t	id;

	platform_trigger_arguments(trigger, "replay_unknown_phone", 0, 1);
	if (!platform_module_installed(&platform_inbox_module))
		return PointerGetDatum(NULL);
	column = trigger->tg_trigger->tgnargs > 0 ? trigger->tg_trigger->tgargs[0] : "phone_number";
	number = platform_trigger_column(trigger, column);
	value = SPI_getvalue(row, desc, number);
	organization = SPI_getvalue(row, desc, platform_trigger_column(trigger, "organization_id"));
	if (value != NULL && organization != NULL && platform_parse_uuid(organization, &id))
	{
		platform_query_begin();
		(void) resolve(&id, CStringGetTextDatum(value), MATCHED, (Datum) 0, true);
		if (memcmp(&id, &platform_nil_uuid, sizeof(id)) != 0)
			(void) resolve(&platform_nil_uuid, CStringGetTextDatum(value), MATCHED, (Datum) 0, true);
		platform_query_end();
	}
	return PointerGetDatum(NULL);
}
