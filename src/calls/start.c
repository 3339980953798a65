/*
 * start.c
 *	  start_call(): a call begins, once for each key of its provider.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "calls/events.h"
#include "core/argument.h"
#include "core/capability.h"
#include "core/error.h"
#include "core/event.h"
#include "core/phone.h"
#include "core/query.h"
#include "core/result.h"
#include "core/uuid7.h"

#define CALL_SID_MAX		255
#define CALL_MODEL_MAX		100

PG_FUNCTION_INFO_V1(platform_start_call);

static PlatformQuery insert_call =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.calls (id, organization_id, chatbot_id, source, direction,"
				   " from_number, to_number, call_sid, end_user_id, conversation_id,"
				   " integration_account_id, ai_provider, model_id, status, started_at, answered_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
				   " ON CONFLICT (call_sid) WHERE deleted_at IS NULL AND call_sid IS NOT NULL DO NOTHING"
				   " RETURNING *",
				   UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID,
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static PlatformQuery find_by_sid =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, organization_id, status FROM platform.calls"
				   " WHERE call_sid OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
				   TEXTOID);

/* The call that begins, or the one that is there. */
typedef struct NewCall
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	CallStatus	status;
} NewCall;

/* The text must be one of the words; the table's CHECK has the same. */
static void
check_word(FunctionCallInfo fcinfo, int argument, const char *name, const char *const *words,
		   const char *list)
{
	text	   *value = platform_text_argument(fcinfo, argument);

	if (value != NULL && !platform_voice_is_one_of(value, words))
		platform_bad_argument(psprintf("%s must be %s", name, list));
}

/* Is there a call with that provider's key? PT409 when it is another organization's. */
static bool
find_existing(NewCall *call, text *call_sid)
{
	Datum		values[1] = {PointerGetDatum(call_sid)};
	pg_uuid_t	organization;
	char	   *status;

	if (call_sid == NULL || platform_query_run(&find_by_sid, values, NULL) == 0)
		return false;
	organization = platform_row_uuid(0, 2);
	if (!platform_uuid_equal(&organization, &call->organization))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("call_sid is in use")));
	call->id = platform_row_uuid(0, 1);
	status = platform_row_cstring(0, 3);
	(void) platform_call_status_parse(status, strlen(status), &call->status);
	return true;
}

/* Tells of a call that begins by ringing or talking: the row that was returned. */
static void
emit_start(const NewCall *call)
{
	AttrNumber	attnums[CALL_EVENT_COLUMNS];
	CallEventRow row = {
		.organization = &call->organization,
		.desc = SPI_tuptable->tupdesc,
		.row = SPI_tuptable->vals[0],
		.attnums = attnums,
	};

	platform_call_event_columns(row.desc, attnums);
	platform_call_emit_status(&row, CALL_PENDING, call->status);
}

/* Its columns in the order of insert_call. */
static void
start_values(FunctionCallInfo fcinfo, NewCall *call, TimestampTz at, Datum *values, bool *nulls)
{
	const PlatformPhoneRegion *region;
	CallTimes	times = {DT_NOBEGIN, DT_NOBEGIN, DT_NOBEGIN};

	values[0] = UUIDPGetDatum(&call->id);
	nulls[0] = false;
	platform_copy_arguments(fcinfo, 0, 12, values + 1, nulls + 1);
	platform_require_argument(fcinfo, 14, "region");
	region = platform_require_phone_region(PG_GETARG_TEXT_PP(14));
	platform_set_text(values, nulls, 5, platform_phone_argument(fcinfo, 4, "from_number", region));
	platform_set_text(values, nulls, 6, platform_phone_argument(fcinfo, 5, "to_number", region));
	values[13] = CStringGetTextDatum(platform_call_status_name(call->status));
	nulls[13] = false;
	platform_call_enter(&times, call->status, at);
	platform_voice_set_time(values, nulls, 14, times.started);
	platform_voice_set_time(values, nulls, 15, times.answered);
}

/*
 * platform.start_call(organization_id uuid, chatbot_id uuid DEFAULT NULL,
 *					   source text DEFAULT 'web', direction text DEFAULT 'inbound',
 *					   from_number text DEFAULT NULL, to_number text DEFAULT NULL,
 *					   call_sid text DEFAULT NULL, end_user_id uuid DEFAULT NULL,
 *					   conversation_id uuid DEFAULT NULL, integration_account_id uuid DEFAULT NULL,
 *					   ai_provider text DEFAULT NULL, model_id text DEFAULT NULL,
 *					   status text DEFAULT 'pending', at timestamptz DEFAULT NULL,
 *					   region text DEFAULT 'US')
 *		RETURNS (id uuid, created boolean, current_status text)
 *
 * Records a call that begins: pending, ringing or in_progress. The capability
 * "call" of the chatbot, or of the organization when there is none, must be
 * available. A call_sid that the organization has starts nothing: created is false
 * and id that call, so a provider's request may be repeated. Numbers without
 * country code are read as dialled in the region. Members: their organization.
 * Errors: 22004 NULL; 22023 bad argument; 42501; PT403 and PT429 a closed gate;
 * PT404 no such chatbot; PT409 call_sid of another organization; PT422 no
 * telephone number; 23503 no such end user, conversation or account of the
 * organization; 25006.
 */
Datum
platform_start_call(PG_FUNCTION_ARGS)
{
	static const char *const sources[] = {"web", "whatsapp", "twilio", "custom", NULL};
	static const char *const directions[] = {"inbound", "outbound", NULL};
	static const char *const providers[] = {"openai", "google", "anthropic", NULL};
	NewCall		call = {0};
	Datum		values[16];
	bool		nulls[16];
	text	   *call_sid;
	bool		created = false;
	TimestampTz at;

	call.organization = *platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 2, "source");
	platform_require_argument(fcinfo, 3, "direction");
	check_word(fcinfo, 2, "source", sources, "web, whatsapp, twilio or custom");
	check_word(fcinfo, 3, "direction", directions, "inbound or outbound");
	check_word(fcinfo, 10, "ai_provider", providers, "openai, google or anthropic");
	(void) platform_optional_text(fcinfo, 6, "call_sid", CALL_SID_MAX);
	(void) platform_optional_text(fcinfo, 11, "model_id", CALL_MODEL_MAX);
	call.status = platform_call_status_argument(fcinfo, 12);
	if (platform_call_is_over(call.status))
		platform_bad_argument("a call starts as pending, ringing or in_progress");
	at = platform_voice_moment(fcinfo, 13);
	call_sid = platform_text_argument(fcinfo, 6);
	platform_make_uuid7(&call.id);
	start_values(fcinfo, &call, at, values, nulls);

	platform_query_begin();
	if (!find_existing(&call, call_sid))
	{
		platform_capability_require(&call.organization,
									PG_ARGISNULL(1) ? NULL : PG_GETARG_UUID_P(1),
									CAPABILITY_CALL);
		created = platform_query_run(&insert_call, values, nulls) > 0;
		if (created && call.status != CALL_PENDING && platform_event_is_installed())
			emit_start(&call);
		/* Another session was faster; or its call was deleted since. */
		if (!created && !find_existing(&call, call_sid))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not start the call"),
					 errhint("Try it again.")));
	}
	platform_query_end();

	values[0] = UUIDPGetDatum(&call.id);
	values[1] = BoolGetDatum(created);
	values[2] = CStringGetTextDatum(platform_call_status_name(call.status));
	memset(nulls, false, sizeof(nulls));
	return platform_return_row(fcinfo, values, nulls);
}
