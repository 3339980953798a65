/*
 * triggers.c
 *	  The trigger function of chatbots: inheritance, gates, call settings.
 *
 * One BEFORE trigger does all of it, from caches: packages, models and the
 * organization's switch cost no query while they do not change. The statement's
 * own rows are taken apart once.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/touch.h"
#include "capabilities/capabilities.h"

PG_FUNCTION_INFO_V1(platform_check_chatbot);

/* The columns that the trigger looks at, in the order of column_names. */
enum
{
	PACKAGE,
	CHAT,
	CALL,
	CHAT_MODEL,
	CALL_MODEL,
	SETTINGS,
	ORGANIZATION,
	NCOLUMNS
};

static const char *const column_names[NCOLUMNS] = {
	"package_id", "enabled_chat", "enabled_call", "chat_model_id", "call_model_id", "settings",
	"organization_id"
};

/* By PlatformCapability. */
static const int enabled_column[2] = {CHAT, CALL};
static const int model_column[2] = {CHAT_MODEL, CALL_MODEL};

/* What is known of the table, for the length of a statement. */
typedef struct ChatbotTrigger
{
	PlatformTouch touch;
	int			columns[NCOLUMNS];
} ChatbotTrigger;

/* The values of the columns in a row, and which of them the trigger sets. */
typedef struct ChatbotRow
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];
	bool		changed[NCOLUMNS];
} ChatbotRow;

typedef struct ChatbotChange
{
	const TriggerData *trigger;
	const ChatbotTrigger *state;
	ChatbotRow	row;			/* that is about to be stored */
	ChatbotRow	old;			/* of an UPDATE */
	bool		insert;
	bool		staff;			/* the platform's: chooses any package */
	bool		package_known;
	CapPackage	package;
} ChatbotChange;

static ChatbotTrigger *
chatbot_trigger(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	ChatbotTrigger *state = fcinfo->flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(ChatbotTrigger));
		platform_touch_prepare(&state->touch, trigger, "updated_at");
		for (int i = 0; i < NCOLUMNS; i++)
			state->columns[i] = platform_trigger_column(trigger, column_names[i]);
		fcinfo->flinfo->fn_extra = state;
	}
	return state;
}

static void
read_row(const ChatbotChange *change, HeapTuple tuple, ChatbotRow *row)
{
	TupleDesc	desc = RelationGetDescr(change->trigger->tg_relation);
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < NCOLUMNS; i++)
	{
		row->values[i] = values[change->state->columns[i] - 1];
		row->nulls[i] = nulls[change->state->columns[i] - 1];
		row->changed[i] = false;
	}
	pfree(values);
	pfree(nulls);
}

static void
set_value(ChatbotChange *change, int column, Datum value)
{
	change->row.values[column] = value;
	change->row.nulls[column] = false;
	change->row.changed[column] = true;
}

/* Does the row say this and did not before? */
static bool
uuid_given(const ChatbotChange *change, int column)
{
	const ChatbotRow *row = &change->row;
	const ChatbotRow *old = &change->old;

	return !row->nulls[column] &&
		(change->insert || old->nulls[column] ||
		 !platform_uuid_equal(DatumGetUUIDP(row->values[column]),
							  DatumGetUUIDP(old->values[column])));
}

static bool
is_on(const ChatbotRow *row, PlatformCapability capability)
{
	int			column = enabled_column[capability];

	return !row->nulls[column] && DatumGetBool(row->values[column]);
}

static bool
switched_on(const ChatbotChange *change, PlatformCapability capability)
{
	return is_on(&change->row, capability) &&
		(change->insert || !is_on(&change->old, capability));
}

static void
refuse_capability(const ChatbotChange *change, PlatformCapability capability, PlatformGate gate,
				  const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
			 errmsg("capability \"%s\" cannot be enabled for this chatbot",
					platform_capability_name(capability)),
			 errdetail("Gate: %s. Reason: %s.", platform_gate_name(gate), reason),
			 errtable(change->trigger->tg_relation)));
}

static void
refuse_package(const pg_uuid_t *package)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("package %s is not on offer",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(package))))));
}

/*
 * The package of the row. Whoever gives a chatbot what the package allows keeps
 * the package from losing it until it is committed: see packages.c.
 */
static const CapPackage *
row_package(ChatbotChange *change)
{
	const pg_uuid_t *id;

	if (change->row.nulls[PACKAGE])
		return NULL;
	if (change->package_known)
		return &change->package;
	id = DatumGetUUIDP(change->row.values[PACKAGE]);
	platform_package_share(id);
	if (!platform_cap_package(id, &change->package))
		refuse_package(id);
	change->package_known = true;
	return &change->package;
}

/* A deleted package is nobody's choice, one that is not on offer the platform's. */
static void
check_package_choice(ChatbotChange *change)
{
	const CapPackage *package;

	if (!uuid_given(change, PACKAGE))
		return;
	package = row_package(change);
	if (package->deleted || (!package->offered && !change->staff))
		refuse_package(&package->id);
}

/* What a new chatbot does not say it takes from its package. */
static void
inherit(ChatbotChange *change)
{
	const CapPackage *package = row_package(change);

	for (int i = CAPABILITY_CHAT; i <= CAPABILITY_CALL; i++)
	{
		if (change->row.nulls[enabled_column[i]])
			set_value(change, enabled_column[i],
					  BoolGetDatum(package ? package->enabled[i] : i == CAPABILITY_CHAT));
		if (package && package->has_model[i] && change->row.nulls[model_column[i]])
			set_value(change, model_column[i], UUIDPGetDatum(&change->package.model[i]));
	}
}

/*
 * The package's word is for everybody; what the platform decides for an
 * organization binds its members.
 */
static void
check_enabled(ChatbotChange *change, PlatformCapability capability, bool package_changed)
{
	bool		on = switched_on(change, capability);
	const CapPackage *package;
	CapOrganization organization;

	if (!is_on(&change->row, capability) || !(on || package_changed))
		return;
	package = row_package(change);
	if (package != NULL && !package->enabled[capability])
		refuse_capability(change, capability, GATE_PACKAGE, "PACKAGE_FORBIDS");
	if (!on || change->staff || capability != CAPABILITY_CALL)
		return;
	if (change->row.nulls[ORGANIZATION] ||
		!platform_cap_organization(DatumGetUUIDP(change->row.values[ORGANIZATION]),
								   &organization) ||
		!organization.calls)
		refuse_capability(change, capability, GATE_ORGANIZATION, "CALLS_NOT_ENABLED");
	if (package == NULL)
		refuse_capability(change, capability, GATE_PACKAGE, "NO_PACKAGE");
}

static void
check_model(ChatbotChange *change, PlatformCapability capability)
{
	int			column = model_column[capability];
	const pg_uuid_t *model = DatumGetUUIDP(change->row.values[column]);

	if (!uuid_given(change, column) || platform_model_fits(model, capability))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("model %s is not available for capability \"%s\"",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(model))),
					platform_capability_name(capability)),
			 errdetail("Gate: %s. Column \"%s\" takes an active model of type %s or both.",
					   platform_gate_name(GATE_MODEL), column_names[column],
					   platform_capability_name(capability)),
			 errtablecol(change->trigger->tg_relation, change->state->columns[column])));
}

static void
check_settings(ChatbotChange *change)
{
	Datum		settings = change->row.values[SETTINGS];
	bool		calls = is_on(&change->row, CAPABILITY_CALL);
	Jsonb	   *completed;

	if (change->row.nulls[SETTINGS])
		return;
	if (!change->insert && !change->old.nulls[SETTINGS] &&
		!(calls && switched_on(change, CAPABILITY_CALL)) &&
		datumIsEqual(settings, change->old.values[SETTINGS], false, -1))
		return;
	completed = platform_chatbot_settings_check(DatumGetJsonbP(settings), calls);
	if (completed != NULL)
		set_value(change, SETTINGS, JsonbPGetDatum(completed));
}

/* The row with what the trigger set in it. */
static HeapTuple
apply_change(const ChatbotChange *change, HeapTuple row)
{
	int			count = 0;
	int			columns[NCOLUMNS];
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};

	for (int i = 0; i < NCOLUMNS; i++)
		if (change->row.changed[i])
		{
			columns[count] = change->state->columns[i];
			values[count++] = change->row.values[i];
		}
	if (count == 0)
		return row;
	return heap_modify_tuple_by_cols(row, RelationGetDescr(change->trigger->tg_relation),
									 count, columns, values, nulls);
}

/*
 * platform.check_chatbot() returns trigger
 *
 * A new chatbot takes from its package what it does not say: capabilities and
 * models; without a package it chats. What is switched on must be allowed by
 * the package, and calls, by a member, by the organization's switch (PT403
 * naming the gate). Models must fit (PT422). Call settings are checked (PT422
 * with every violation) and completed while calls are enabled. Keeps updated_at.
 * Errors: 42501 for another organization than the caller's; PT404 for a package
 * that is missing or not on offer; 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER chatbots_check BEFORE INSERT OR UPDATE ON platform.chatbots
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_chatbot();
 */
Datum
platform_check_chatbot(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_chatbot",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	ChatbotChange change = {.trigger = trigger, .state = chatbot_trigger(fcinfo, trigger)};
	HeapTuple	row = platform_trigger_row(trigger);
	bool		package_changed;

	change.insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	change.staff = platform_is_platform_staff();
	read_row(&change, row, &change.row);
	if (!change.insert)
		read_row(&change, trigger->tg_trigtuple, &change.old);

	/* Row security speaks after this trigger, which must not tell about others. */
	if (!change.staff && !change.row.nulls[ORGANIZATION])
		platform_require_organization(DatumGetUUIDP(change.row.values[ORGANIZATION]));

	package_changed = uuid_given(&change, PACKAGE);
	check_package_choice(&change);
	if (change.insert)
		inherit(&change);
	for (int i = CAPABILITY_CHAT; i <= CAPABILITY_CALL; i++)
	{
		check_enabled(&change, i, package_changed);
		check_model(&change, i);
	}
	check_settings(&change);

	row = apply_change(&change, row);
	if (!change.insert)
		row = platform_touch_row(&change.state->touch, trigger, row);
	return PointerGetDatum(row);
}
