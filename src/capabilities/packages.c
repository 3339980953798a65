/*
 * packages.c
 *	  What a package loses is taken from its chatbots.
 *
 * The table of packages is the same for all organizations, so its trigger runs
 * no query: it only takes a lock. The chatbots are changed by a function.
 *
 * The race: one session takes a capability from a package, another enables it on
 * a chatbot at the same moment; neither sees what the other has not committed.
 * Hence the lock of platform_package_lock(). Locks stand for a hash of the
 * package, so that a transaction over many packages holds few of them.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "core/touch.h"
#include "capabilities/capabilities.h"

PG_FUNCTION_INFO_V1(platform_check_package);
PG_FUNCTION_INFO_V1(platform_apply_package_capabilities);
PG_FUNCTION_INFO_V1(platform_set_package_capabilities);

#define PACKAGE_LOCKS	256
#define PACKAGE_MUTEX	UINT64CONST(0x43415041424C4500)

static uint64
package_mutex(const pg_uuid_t *package)
{
	return PACKAGE_MUTEX + hash_bytes(package->data, UUID_LEN) % PACKAGE_LOCKS;
}

void
platform_package_share(const pg_uuid_t *package)
{
	platform_mutex_share(package_mutex(package));
}

void
platform_package_lock(const pg_uuid_t *package)
{
	platform_mutex_lock(package_mutex(package));
}

typedef struct PackageTrigger
{
	PlatformTouch touch;
	AttrNumber	id;
	AttrNumber	enabled[2];
} PackageTrigger;

static PackageTrigger *
package_trigger(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	PackageTrigger *state = fcinfo->flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(PackageTrigger));
		platform_touch_prepare(&state->touch, trigger, "updated_at");
		state->id = platform_trigger_column(trigger, "id");
		state->enabled[CAPABILITY_CHAT] = platform_trigger_column(trigger, "enable_chat");
		state->enabled[CAPABILITY_CALL] = platform_trigger_column(trigger, "enable_call");
		fcinfo->flinfo->fn_extra = state;
	}
	return state;
}

/*
 * platform.check_package() returns trigger
 *
 * Keeps updated_at of chatbot_packages, and makes a package that loses a
 * capability wait for those who are giving it to chatbots. Runs no query.
 * Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER chatbot_packages_check BEFORE UPDATE ON platform.chatbot_packages
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_package();
 */
Datum
platform_check_package(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_package",
												  GUARD_BEFORE | GUARD_ROW | GUARD_UPDATE);
	PackageTrigger *state = package_trigger(fcinfo, trigger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < lengthof(state->enabled); i++)
	{
		bool		was_null;
		bool		is_null;
		Datum		was = heap_getattr(trigger->tg_trigtuple, state->enabled[i], desc, &was_null);
		Datum		is = heap_getattr(trigger->tg_newtuple, state->enabled[i], desc, &is_null);

		if (!was_null && DatumGetBool(was) && !is_null && !DatumGetBool(is))
		{
			Datum		id = heap_getattr(trigger->tg_trigtuple, state->id, desc, &is_null);

			platform_package_lock(DatumGetUUIDP(id));
		}
	}
	return PointerGetDatum(platform_touch_row(&state->touch, trigger, trigger->tg_newtuple));
}

/* Takes what the package $1 does not allow, unless that were all. */
static PlatformQuery take_capabilities =
	PLATFORM_QUERY(QUERY_LATEST,
				   "UPDATE platform.chatbots c"
				   " SET enabled_chat = c.enabled_chat AND p.enable_chat,"
				   " enabled_call = c.enabled_call AND p.enable_call"
				   " FROM platform.chatbot_packages p"
				   " WHERE p.id OPERATOR(pg_catalog.=) $1"
				   " AND c.package_id OPERATOR(pg_catalog.=) $1"
				   " AND ((c.enabled_chat AND NOT p.enable_chat) OR (c.enabled_call AND NOT p.enable_call))"
				   " AND ((c.enabled_chat AND p.enable_chat) OR (c.enabled_call AND p.enable_call))",
				   UUIDOID);

static PlatformQuery find_left_with_none =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT c.organization_id, c.id, c.name, c.enabled_chat, c.enabled_call"
				   " FROM platform.chatbots c"
				   " JOIN platform.chatbot_packages p ON p.id OPERATOR(pg_catalog.=) $1"
				   " WHERE c.package_id OPERATOR(pg_catalog.=) $1"
				   " AND NOT ((c.enabled_chat AND p.enable_chat) OR (c.enabled_call AND p.enable_call))"
				   " ORDER BY c.organization_id, c.id",
				   UUIDOID);

/* For the rest of the transaction nobody gives a chatbot what the package loses. */
static void
apply_package(FunctionCallInfo fcinfo, const pg_uuid_t *package)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		id = UUIDPGetDatum(package);

	platform_package_lock(package);
	platform_query_run(&take_capabilities, &id, NULL);
	CommandCounterIncrement();
	platform_query_run(&find_left_with_none, &id, NULL);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Datum		values[5];
		bool		nulls[5];

		for (int i = 0; i < lengthof(values); i++)
			values[i] = platform_row_datum(row, i + 1, &nulls[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

static void
no_such_package(const pg_uuid_t *package)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("package %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(package))))));
}

/*
 * platform.apply_package_capabilities(package_id uuid)
 *		returns TABLE (organization_id uuid, chatbot_id uuid, name text,
 *					   enabled_chat boolean, enabled_call boolean)
 *
 * Takes from the chatbots of a package, deleted ones too, what the package does
 * not allow. Those that would be left with no capability stay as they are and
 * are returned: their gate "package" is closed. Idempotent. Operators only.
 * Errors: 42501; 22004 NULL; PT404 no such package.
 */
Datum
platform_apply_package_capabilities(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT 1 FROM platform.chatbot_packages WHERE id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	Datum		id = PG_GETARG_DATUM(0);

	platform_require_module(&platform_capabilities_module);
	platform_require_operator("change what chatbots may do");
	platform_require_argument(fcinfo, 0, "package_id");
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	if (platform_query_run(&find, &id, NULL) == 0)
		no_such_package(DatumGetUUIDP(id));
	apply_package(fcinfo, DatumGetUUIDP(id));
	platform_query_end();
	return (Datum) 0;
}

/*
 * platform.set_package_capabilities(package_id uuid, enable_chat boolean DEFAULT NULL,
 *									 enable_call boolean DEFAULT NULL)
 *		returns TABLE (organization_id uuid, chatbot_id uuid, name text,
 *					   enabled_chat boolean, enabled_call boolean)
 *
 * Changes what a package allows, NULL leaves it, and what its chatbots have with
 * it: see apply_package_capabilities(), whose rows it returns. A capability that
 * the package gains is enabled on no chatbot. Operators only. Errors: 42501;
 * 22004 NULL package; PT404 no such package; 23514 when none would be left.
 */
Datum
platform_set_package_capabilities(PG_FUNCTION_ARGS)
{
	static PlatformQuery change =
		PLATFORM_QUERY(0,
					   "UPDATE platform.chatbot_packages"
					   " SET enable_chat = COALESCE($2, enable_chat),"
					   " enable_call = COALESCE($3, enable_call)"
					   " WHERE id OPERATOR(pg_catalog.=) $1",
					   UUIDOID, BOOLOID, BOOLOID);
	Datum		values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	bool		nulls[3] = {false, PG_ARGISNULL(1), PG_ARGISNULL(2)};

	platform_require_module(&platform_capabilities_module);
	platform_require_operator("change what a package allows");
	platform_require_argument(fcinfo, 0, "package_id");
	InitMaterializedSRF(fcinfo, 0);

	platform_query_begin();
	if (platform_query_run(&change, values, nulls) == 0)
		no_such_package(DatumGetUUIDP(values[0]));
	apply_package(fcinfo, DatumGetUUIDP(values[0]));
	platform_query_end();
	return (Datum) 0;
}
