/*
 * settings_sql.c
 *	  The functions that read and write call settings; the widget's view.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "capabilities/capabilities.h"

PG_FUNCTION_INFO_V1(platform_default_call_settings);
PG_FUNCTION_INFO_V1(platform_validate_call_settings);
PG_FUNCTION_INFO_V1(platform_call_settings);
PG_FUNCTION_INFO_V1(platform_set_call_settings);
PG_FUNCTION_INFO_V1(platform_widget_config);

/*
 * platform.default_call_settings() returns jsonb
 *
 * The call settings of a chatbot that has none of its own: all keys.
 */
Datum
platform_default_call_settings(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(platform_call_defaults());
}

/* A document as what stands inside another one. */
static void
document_value(Jsonb *json, JsonbValue *value)
{
	if (JB_ROOT_IS_SCALAR(json))
		(void) JsonbExtractScalar(&json->root, value);
	else
	{
		value->type = jbvBinary;
		value->val.binary.data = &json->root;
		value->val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
}

/*
 * platform.validate_call_settings(settings jsonb)
 *		returns TABLE (pointer text, rule text, message text)
 *
 * A row for each rule that the call settings break; none when they are good.
 * What is missing counts as its default. Rules: type, range, length, enum,
 * format, plain_text, voice, required, unknown. pointer as in RFC 6901, empty
 * for the whole. No row for NULL.
 */
Datum
platform_validate_call_settings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	JsonbValue	call;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	document_value(PG_GETARG_JSONB_P(0), &call);
	foreach(cell, platform_call_settings_violations(&call))
	{
		const CallSettingViolation *violation = lfirst(cell);
		Datum		values[3] = {
			CStringGetTextDatum(violation->pointer),
			CStringGetTextDatum(violation->rule),
			CStringGetTextDatum(violation->message),
		};
		bool		nulls[3] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* settings.call of a chatbot's settings with what is missing in it. */
static Jsonb *
effective_call_settings(Jsonb *settings)
{
	JsonbValue	value;
	JsonbValue *call = getKeyJsonValueFromContainer(&settings->root, "call", strlen("call"),
													&value);
	JsonbValue *completed;

	if (call != NULL && (call->type != jbvBinary || !JsonContainerIsObject(call->val.binary.data)))
		call = NULL;
	completed = platform_call_settings_complete(call);
	return JsonbValueToJsonb(completed != NULL ? completed : call);
}

/* The first column of the first row. */
static Jsonb *
row_jsonb(int column)
{
	bool		isnull;

	return DatumGetJsonbP(platform_row_datum_copy(0, column, &isnull));
}

/*
 * platform.call_settings(organization_id uuid, chatbot_id uuid) returns jsonb
 *
 * The call settings in force: the chatbot's, with defaults for what it does not
 * say. Members: their own organization. Errors: 42501 another organization;
 * 22004 NULL; PT404 no such chatbot.
 */
Datum
platform_call_settings(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT settings FROM platform.chatbots"
					   " WHERE id OPERATOR(pg_catalog.=) $2"
					   " AND organization_id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	Jsonb	   *settings;

	platform_require_module(&platform_capabilities_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "chatbot_id");
	platform_require_organization(PG_GETARG_UUID_P(0));

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such_chatbot(PG_GETARG_UUID_P(1));
	settings = row_jsonb(1);
	platform_query_end();
	PG_RETURN_JSONB_P(effective_call_settings(settings));
}

/*
 * platform.set_call_settings(organization_id uuid, chatbot_id uuid, settings jsonb) returns jsonb
 *
 * Changes the keys that are given, as a merge patch (RFC 7396): null takes a key
 * back to its default. One statement, so that two who change different keys both
 * succeed. Returns the settings in force. For owners and admins of the
 * organization and operators. Errors: PT422 with every violation as JSON in
 * DETAIL; 42501; 22004 NULL; PT404 no such chatbot.
 */
Datum
platform_set_call_settings(PG_FUNCTION_ARGS)
{
	static PlatformQuery change =
		PLATFORM_QUERY(0,
					   "UPDATE platform.chatbots SET settings = pg_catalog.jsonb_set(settings, '{call}',"
					   " platform.merge_patch(COALESCE(settings OPERATOR(pg_catalog.->) 'call', '{}'), $3))"
					   " WHERE id OPERATOR(pg_catalog.=) $2"
					   " AND organization_id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL"
					   " RETURNING settings",
					   UUIDOID, UUIDOID, JSONBOID);
	Datum		values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	Jsonb	   *patch;
	Jsonb	   *settings;

	platform_require_module(&platform_capabilities_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "chatbot_id");
	platform_require_argument(fcinfo, 2, "settings");
	platform_require_administrator(PG_GETARG_UUID_P(0), "change call settings");
	patch = PG_GETARG_JSONB_P(2);
	if (!JB_ROOT_IS_OBJECT(patch))
	{
		JsonbValue	value;

		document_value(patch, &value);
		platform_call_settings_refuse(platform_call_settings_violations(&value));
	}

	platform_query_begin();
	if (platform_query_run(&change, values, NULL) == 0)
		platform_no_such_chatbot(PG_GETARG_UUID_P(1));
	settings = row_jsonb(1);
	platform_query_end();
	PG_RETURN_JSONB_P(effective_call_settings(settings));
}

/* ---- the widget ---- */

/* What a visitor's browser needs of the call settings. */
static const char *const widget_call_keys[] = {
	"callGreeting", "callButtonText", "callButtonColor", "callButtonPosition",
	"silenceTimeout", "maxCallDuration", "recordingEnabled", "interruptionEnabled",
	"vadThreshold", "echoCancellation", "noiseSuppression",
};

static void
string_value(JsonbValue *value, const char *text)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = strlen(text);
}

static void
push_key(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue	name;

	string_value(&name, key);
	(void) pushJsonbValue(state, WJB_KEY, &name);
	if (value != NULL)
		(void) pushJsonbValue(state, WJB_VALUE, value);
}

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value;

	string_value(&value, text);
	push_key(state, key, &value);
}

static void
push_bool(JsonbParseState **state, const char *key, bool flag)
{
	JsonbValue	value = {.type = jbvBool};

	value.val.boolean = flag;
	push_key(state, key, &value);
}

/* A key of one object into another one, if it is there. */
static void
copy_key(JsonbParseState **state, const char *key, Jsonb *from)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&from->root, key, strlen(key), &value) != NULL)
		push_key(state, key, &value);
}

static Jsonb *
make_widget_config(const char *id, const char *name, Jsonb *settings, bool chat, bool call)
{
	Jsonb	   *calls = effective_call_settings(settings);
	JsonbParseState *state = NULL;
	JsonbValue	position;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "chatbotId", id);
	push_text(&state, "name", name);
	push_bool(&state, "chatEnabled", chat);
	push_bool(&state, "callEnabled", call);
	if (getKeyJsonValueFromContainer(&calls->root, "callButtonPosition",
									 strlen("callButtonPosition"), &position) != NULL)
		push_key(&state, "position", &position);
	copy_key(&state, "welcomeMessage", settings);
	if (call)
	{
		push_key(&state, "call", NULL);
		(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		for (int i = 0; i < lengthof(widget_call_keys); i++)
			copy_key(&state, widget_call_keys[i], calls);
		(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * platform.widget_config(chatbot_id uuid) returns jsonb
 *
 * What the widget on a web page shows: {"chatbotId", "name", "chatEnabled",
 * "callEnabled", "position", "welcomeMessage", "call": {...}}. The two flags are
 * those of chatbot_capabilities(); welcomeMessage is there if the settings have
 * one, call while calls are possible. No prompt, no model, no voice. Members:
 * chatbots of their own organization, others do not exist. Errors: 22004 NULL;
 * PT404 no such chatbot.
 */
Datum
platform_widget_config(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id, id, name, settings FROM platform.chatbots"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL"
					   " AND ($2 IS NULL OR organization_id OPERATOR(pg_catalog.=) $2)"
					   " LIMIT 1",
					   UUIDOID, UUIDOID);
	const pg_uuid_t *own = platform_is_operator() ? NULL : platform_current_organization();
	Datum		values[2] = {PG_GETARG_DATUM(0), UUIDPGetDatum(own)};
	bool		nulls[2] = {false, own == NULL};
	PlatformCapabilityAnswer chat;
	PlatformCapabilityAnswer call;
	pg_uuid_t	organization;
	char	   *id;
	char	   *name;
	Jsonb	   *settings;

	platform_require_module(&platform_capabilities_module);
	platform_require_argument(fcinfo, 0, "chatbot_id");
	if (own == NULL && !platform_is_operator())
		platform_no_such_chatbot(PG_GETARG_UUID_P(0));

	platform_query_begin();
	if (platform_query_run(&find, values, nulls) == 0)
		platform_no_such_chatbot(PG_GETARG_UUID_P(0));
	organization = platform_row_uuid(0, 1);
	id = platform_row_cstring(0, 2);
	name = platform_row_cstring(0, 3);
	settings = row_jsonb(4);
	platform_query_end();

	platform_capability_check(&organization, PG_GETARG_UUID_P(0), CAPABILITY_CHAT, &chat);
	platform_capability_check(&organization, PG_GETARG_UUID_P(0), CAPABILITY_CALL, &call);
	PG_RETURN_JSONB_P(make_widget_config(id, name, settings, chat.gate == GATE_OPEN,
										 call.gate == GATE_OPEN));
}
