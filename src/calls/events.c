/*
 * events.c
 *	  What webhooks are told of calls, recordings and transcripts.
 *
 * Every change of a call's state has its event, whoever makes it; rows that are
 * inserted as they are, by a restore or an import, have none. Where module
 * webhooks is not installed nothing is built.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "calls/events.h"
#include "core/event.h"
#include "core/query.h"

/* Columns of calls in the payload, and their keys in it. */
static const struct
{
	const char *column;
	const char *key;
}			payload_columns[CALL_EVENT_COLUMNS] = {
	{"id", "call_id"},
	{"call_sid", "call_sid"},
	{"status", "status"},
	{"source", "source"},
	{"direction", "direction"},
	{"from_number", "from_number"},
	{"to_number", "to_number"},
	{"chatbot_id", "chatbot_id"},
	{"end_user_id", "end_user_id"},
	{"conversation_id", "conversation_id"},
	{"started_at", "started_at"},
	{"answered_at", "answered_at"},
	{"ended_at", "ended_at"},
	{"duration", "duration"},
	{"end_reason", "end_reason"},
	{"error_code", "error_code"},
	{"disposition", "disposition"},
	{"disposition_notes", "disposition_notes"},
	{"disposition_set_by", "disposition_set_by"},
};

void
platform_call_event_columns(TupleDesc desc, AttrNumber *attnums)
{
	for (int i = 0; i < CALL_EVENT_COLUMNS; i++)
		attnums[i] = SPI_fnumber(desc, payload_columns[i].column);
}

static void
set_string(JsonbValue *value, char *text, int length)
{
	value->type = jbvString;
	value->val.string.val = text;
	value->val.string.len = length;
}

/* A column of one of the types that payloads have. */
static void
set_value(JsonbValue *value, Datum datum, Oid type)
{
	char	   *string;

	switch (type)
	{
		case INT8OID:
			value->type = jbvNumeric;
			value->val.numeric = int64_to_numeric(DatumGetInt64(datum));
			return;
		case UUIDOID:
			string = DatumGetCString(DirectFunctionCall1(uuid_out, datum));
			break;
		case TIMESTAMPTZOID:
			string = palloc(MAXDATELEN + 1);
			JsonEncodeDateTime(string, datum, TIMESTAMPTZOID, NULL);
			break;
		default:
			string = TextDatumGetCString(datum);
	}
	set_string(value, string, strlen(string));
}

static Jsonb *
make_payload(const CallEventRow *call)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < CALL_EVENT_COLUMNS; i++)
	{
		bool		isnull;
		Datum		datum;

		if (call->attnums[i] <= 0)
			continue;
		datum = heap_getattr(call->row, call->attnums[i], call->desc, &isnull);
		set_string(&value, (char *) payload_columns[i].key, strlen(payload_columns[i].key));
		pushJsonbValue(&state, WJB_KEY, &value);
		if (isnull)
			value.type = jbvNull;
		else
			set_value(&value, datum, TupleDescAttr(call->desc, call->attnums[i] - 1)->atttypid);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
emit(const pg_uuid_t *organization, const char *type, const Jsonb *payload)
{
	PlatformEvent event = {
		.organization = organization,
		.type = type,
		.payload = payload,
	};

	platform_event_emit(&event, NULL);
}

void
platform_call_emit_status(const CallEventRow *call, CallStatus from, CallStatus to)
{
	Jsonb	   *payload = make_payload(call);

	if (from == CALL_PENDING && (to == CALL_RINGING || to == CALL_IN_PROGRESS))
		emit(call->organization, "call.started", payload);
	if (to == CALL_IN_PROGRESS)
		emit(call->organization, "call.answered", payload);
	else if (to == CALL_COMPLETED)
		emit(call->organization, "call.completed", payload);
	else if (platform_call_is_over(to))
		emit(call->organization, "call.failed", payload);
}

void
platform_call_emit_disposition(const CallEventRow *call)
{
	emit(call->organization, "call.disposition_set", make_payload(call));
}

void
platform_call_emit_rows(const pg_uuid_t *organization, const char *type, uint64 count, int column)
{
	bool		isnull;

	if (!platform_event_is_installed())
		return;
	for (uint64 i = 0; i < count; i++)
		emit(organization, type, DatumGetJsonbP(platform_row_datum(i, column, &isnull)));
}
