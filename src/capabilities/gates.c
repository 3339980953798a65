/*
 * gates.c
 *	  The gates between an organization and a call, and the functions that ask.
 *
 * What a chatbot may do is an AND of gates, looked at in a fixed order; the
 * first that is closed is reported:
 *
 *		organization	active; for calls settings.features.callEnabled
 *		package			allows the capability, if the chatbot has a package
 *		chatbot			active, with the capability enabled
 *		model			of a type that fits, if one is chosen
 *		feature			voice_operations, for calls
 *		usage			no hard stop, for calls
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/gate.h"
#include "core/identity.h"
#include "core/result.h"
#include "capabilities/capabilities.h"

PG_FUNCTION_INFO_V1(platform_chatbot_capabilities);
PG_FUNCTION_INFO_V1(platform_require_capability);
PG_FUNCTION_INFO_V1(platform_can_place_call);
PG_FUNCTION_INFO_V1(platform_calls_enabled);

/* The feature without which nobody calls. */
static const char call_feature[] = "voice_operations";

PlatformModule platform_capabilities_module = {.name = "capabilities", .version = 570};

void
platform_capabilities_init(void)
{
	platform_capability_cache_init();
}

const char *
platform_capability_name(PlatformCapability capability)
{
	return capability == CAPABILITY_CALL ? "call" : "chat";
}

/* 22023 when there is no capability of that name. */
PlatformCapability
platform_capability_by_name(const char *name)
{
	if (strcmp(name, "chat") == 0)
		return CAPABILITY_CHAT;
	if (strcmp(name, "call") == 0)
		return CAPABILITY_CALL;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("capability must be \"chat\" or \"call\"")));
}

/* NULL for an open one. */
const char *
platform_gate_name(PlatformGate gate)
{
	switch (gate)
	{
		case GATE_OPEN:
			return NULL;
		case GATE_ORGANIZATION:
			return "organization";
		case GATE_PACKAGE:
			return "package";
		case GATE_CHATBOT:
			return "chatbot";
		case GATE_MODEL:
			return "model";
		case GATE_FEATURE:
			return "feature";
		case GATE_USAGE:
			return "usage";
	}
	elog(ERROR, "unknown gate %d", (int) gate);
}

void
platform_no_such_chatbot(const pg_uuid_t *chatbot)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("chatbot %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(chatbot))))));
}

/* Is it a model of that kind that is in use? */
bool
platform_model_fits(const pg_uuid_t *model, PlatformCapability capability)
{
	CapModel	entry;

	return platform_cap_model(model, &entry) && entry.fits[capability];
}

/* Why the package does not allow it; NULL when it does. */
static const char *
package_objection(const CapChatbot *chatbot, PlatformCapability capability)
{
	CapPackage	package;

	if (!chatbot->has_package)
		return NULL;
	if (!platform_cap_package(&chatbot->package, &package))
		return "PACKAGE_NOT_FOUND";
	return package.enabled[capability] ? NULL : "PACKAGE_FORBIDS";
}

static void
close_gate(PlatformCapabilityAnswer *answer, PlatformGate gate, const char *reason)
{
	answer->gate = gate;
	answer->reason = reason;
}

/* Is the organization's own gate closed? */
static bool
organization_is_closed(const pg_uuid_t *id, PlatformCapability capability,
					   PlatformCapabilityAnswer *answer)
{
	CapOrganization organization;

	if (!platform_cap_organization(id, &organization) || !organization.active)
		close_gate(answer, GATE_ORGANIZATION, "ORG_INACTIVE");
	else if (capability == CAPABILITY_CALL && !organization.calls)
		close_gate(answer, GATE_ORGANIZATION, "CALLS_NOT_ENABLED");
	else
		return false;
	return true;
}

/* The gates that other modules keep: all open, or the first that is not. */
static void
look_at_modules(const pg_uuid_t *id, PlatformCapability capability,
				PlatformCapabilityAnswer *answer)
{
	const char *reason;

	if (capability == CAPABILITY_CALL && platform_feature_gate != NULL &&
		!platform_feature_gate(id, call_feature, strlen(call_feature)))
		close_gate(answer, GATE_FEATURE, "FEATURE_OFF");
	else if (capability == CAPABILITY_CALL && platform_usage_gate != NULL &&
			 (reason = platform_usage_gate(id)) != NULL)
		close_gate(answer, GATE_USAGE, reason);
	else
		close_gate(answer, GATE_OPEN, "OPEN");
}

/* The gates of one capability; chatbot is NULL when there is none. */
static void
look_at_gates(const pg_uuid_t *id, const CapChatbot *chatbot, PlatformCapability capability,
			  PlatformCapabilityAnswer *answer)
{
	const char *reason;

	answer->chatbot_found = chatbot != NULL;
	if (organization_is_closed(id, capability, answer))
		return;
	if (chatbot == NULL)
		close_gate(answer, GATE_CHATBOT, "CHATBOT_NOT_FOUND");
	else if ((reason = package_objection(chatbot, capability)) != NULL)
		close_gate(answer, GATE_PACKAGE, reason);
	else if (!chatbot->active)
		close_gate(answer, GATE_CHATBOT, "CHATBOT_INACTIVE");
	else if (!chatbot->enabled[capability])
		close_gate(answer, GATE_CHATBOT, "NOT_ENABLED");
	else if (chatbot->has_model[capability] &&
			 !platform_model_fits(&chatbot->model[capability], capability))
		close_gate(answer, GATE_MODEL, "MODEL_UNSUITABLE");
	else
		look_at_modules(id, capability, answer);
}

void
platform_capability_check(const pg_uuid_t *organization, const pg_uuid_t *chatbot,
						  PlatformCapability capability, PlatformCapabilityAnswer *answer)
{
	CapChatbot	entry;

	if (chatbot == NULL)
	{
		answer->chatbot_found = true;
		if (!organization_is_closed(organization, capability, answer))
			look_at_modules(organization, capability, answer);
	}
	else if (platform_cap_chatbot(organization, chatbot, &entry))
		look_at_gates(organization, &entry, capability, answer);
	else
		look_at_gates(organization, NULL, capability, answer);
}

void
platform_capability_require(const pg_uuid_t *organization, const pg_uuid_t *chatbot,
							PlatformCapability capability)
{
	PlatformCapabilityAnswer answer;

	platform_capability_check(organization, chatbot, capability, &answer);
	if (!answer.chatbot_found)
		platform_no_such_chatbot(chatbot);
	if (answer.gate != GATE_OPEN)
		ereport(ERROR,
				(errcode(answer.gate == GATE_USAGE ? ERRCODE_PLATFORM_LIMIT_REACHED :
						 ERRCODE_PLATFORM_NOT_ENABLED),
				 errmsg("capability \"%s\" is not available for this %s",
						platform_capability_name(capability),
						chatbot != NULL ? "chatbot" : "organization"),
				 errdetail("Gate: %s. Reason: %s.", platform_gate_name(answer.gate),
						   answer.reason)));
}

/* The first two arguments: 22004 for NULL, 42501 for another organization. */
static void
chatbot_arguments(FunctionCallInfo fcinfo, const pg_uuid_t **organization,
				  const pg_uuid_t **chatbot)
{
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "chatbot_id");
	*organization = PG_GETARG_UUID_P(0);
	*chatbot = PG_GETARG_UUID_P(1);
	platform_require_organization(*organization);
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/*
 * platform.chatbot_capabilities(organization_id uuid, chatbot_id uuid,
 *		OUT chat boolean, OUT call boolean, OUT reason text, OUT gate text) returns record
 *
 * What a chatbot may do at this moment. When one is missing reason and gate say
 * why: those of call if calls are not possible, else those of chat. For an
 * unknown chatbot both are false. Members: their own organization. Errors: 42501
 * another organization; 22004 NULL.
 */
Datum
platform_chatbot_capabilities(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const pg_uuid_t *chatbot;
	CapChatbot	entry;
	bool		found;
	PlatformCapabilityAnswer chat;
	PlatformCapabilityAnswer call;
	const PlatformCapabilityAnswer *reported = &call;
	Datum		values[4];
	bool		nulls[4] = {false};

	chatbot_arguments(fcinfo, &organization, &chatbot);
	found = platform_cap_chatbot(organization, chatbot, &entry);
	look_at_gates(organization, found ? &entry : NULL, CAPABILITY_CHAT, &chat);
	look_at_gates(organization, found ? &entry : NULL, CAPABILITY_CALL, &call);
	if (call.gate == GATE_OPEN)
		reported = &chat;

	values[0] = BoolGetDatum(chat.gate == GATE_OPEN);
	values[1] = BoolGetDatum(call.gate == GATE_OPEN);
	values[2] = CStringGetTextDatum(reported->reason);
	values[3] = text_or_null(platform_gate_name(reported->gate), &nulls[3]);
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.require_capability(organization_id uuid, chatbot_id uuid, capability text) returns void
 *
 * Raises unless the chatbot may do that at this moment. Capabilities: chat,
 * call. Members: their own organization. Errors: PT403 a gate is closed (DETAIL
 * names it), PT429 the usage gate, PT404 no such chatbot, 42501 another
 * organization, 22004 NULL, 22023 unknown capability.
 */
Datum
platform_require_capability(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const pg_uuid_t *chatbot;

	chatbot_arguments(fcinfo, &organization, &chatbot);
	platform_require_argument(fcinfo, 2, "capability");
	platform_capability_require(organization, chatbot,
								platform_capability_by_name(text_to_cstring(PG_GETARG_TEXT_PP(2))));
	PG_RETURN_VOID();
}

/*
 * platform.can_place_call(organization_id uuid, chatbot_id uuid,
 *		OUT allowed boolean, OUT reason text, OUT gate text) returns record
 *
 * May the chatbot take or make a call at this moment? gate is NULL and reason
 * OPEN when it may. Members: their own organization. Errors: 42501 another
 * organization; 22004 NULL.
 */
Datum
platform_can_place_call(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const pg_uuid_t *chatbot;
	PlatformCapabilityAnswer answer;
	Datum		values[3];
	bool		nulls[3] = {false};

	chatbot_arguments(fcinfo, &organization, &chatbot);
	platform_capability_check(organization, chatbot, CAPABILITY_CALL, &answer);
	values[0] = BoolGetDatum(answer.gate == GATE_OPEN);
	values[1] = CStringGetTextDatum(answer.reason);
	values[2] = text_or_null(platform_gate_name(answer.gate), &nulls[2]);
	return platform_return_row(fcinfo, values, nulls);
}

/*
 * platform.calls_enabled(organization_id uuid DEFAULT NULL) returns boolean
 *
 * Has the platform switched calls on for the organization
 * (settings.features.callEnabled)? NULL: the caller's own. Never NULL and never
 * an error: an organization that is missing or that the caller may not act for
 * has none, so that it can stand in a policy.
 */
Datum
platform_calls_enabled(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = PG_ARGISNULL(0) ? platform_current_organization() : PG_GETARG_UUID_P(0);
	CapOrganization organization;

	PG_RETURN_BOOL(id != NULL && platform_may_act_for(id) &&
				   platform_cap_organization(id, &organization) && organization.calls);
}
