/*
 * organizations.c
 *	  Making, suspending and deleting organizations; their trigger.
 *
 * These functions are the platform's: they run as the caller, who must be an
 * operator, so that triggers and constraints see who really acts.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/timezone.h"
#include "core/uuid5.h"
#include "core/uuid7.h"
#include "tenants/tenants.h"

#define SLUG_MAX		100
#define SLUG_ATTEMPTS	50

/* The value of key "features", or NULL when the settings have none. */
static Jsonb *
settings_features(Datum settings, bool isnull)
{
	JsonbValue	value;
	Jsonb	   *json;

	if (isnull)
		return NULL;
	json = DatumGetJsonbP(settings);
	if (!JB_ROOT_IS_OBJECT(json) ||
		getKeyJsonValueFromContainer(&json->root, "features", strlen("features"), &value) == NULL)
		return NULL;
	return JsonbValueToJsonb(&value);
}

/* Does the UPDATE change settings.features? */
static bool
features_changed(const TriggerData *trigger, AttrNumber settings)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		value;
	Jsonb	   *was;
	Jsonb	   *is;

	value = heap_getattr(trigger->tg_trigtuple, settings, desc, &isnull);
	was = settings_features(value, isnull);
	value = heap_getattr(trigger->tg_newtuple, settings, desc, &isnull);
	is = settings_features(value, isnull);
	if (was == NULL || is == NULL)
		return was != is;
	return compareJsonbContainers(&was->root, &is->root) != 0;
}

PG_FUNCTION_INFO_V1(platform_check_organization);

/*
 * platform.check_organization() returns trigger
 *
 * The time zone must be known (22023); settings.features is changed by the
 * platform's staff only (42501); updated_at is kept. Errors: 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER organizations_check BEFORE INSERT OR UPDATE ON platform.organizations
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_organization();
 */
Datum
platform_check_organization(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"timezone", "settings", NULL};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_organization",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	TenantTrigger *state = platform_tenant_trigger(fcinfo, trigger, columns);
	HeapTuple	row = platform_trigger_row(trigger);
	char	   *zone;

	if (platform_column_given(trigger, state->columns[0]) &&
		(zone = platform_column_text(trigger, row, state->columns[0])) != NULL)
		platform_require_timezone(zone);
	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(row);

	if (platform_column_given(trigger, state->columns[1]) &&
		features_changed(trigger, state->columns[1]) &&
		!platform_is_platform_staff())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change key \"features\" of the settings of an organization"),
				 errdetail("Only the platform switches features of an organization."),
				 errtablecol(trigger->tg_relation, state->columns[1])));
	return PointerGetDatum(platform_touch_row(&state->touch, trigger, row));
}

static void
slug_taken(const char *slug)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("organization slug \"%s\" is taken", slug),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, PLATFORM_SCHEMA),
			 err_generic_string(PG_DIAG_TABLE_NAME, "organizations"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "organizations_slug_key")));
}

/* The name in ASCII letters and digits with single hyphens between; never empty. */
static char *
slug_from_name(const char *name)
{
	char	   *slug = palloc(SLUG_MAX + 1);
	int			length = 0;

	for (const char *c = name; *c && length < SLUG_MAX - 10; c++)
	{
		if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))
			slug[length++] = *c;
		else if (*c >= 'A' && *c <= 'Z')
			slug[length++] = *c - 'A' + 'a';
		else if (length > 0 && slug[length - 1] != '-')
			slug[length++] = '-';
	}
	while (length > 0 && slug[length - 1] == '-')
		length--;
	slug[length] = '\0';
	return length > 0 ? slug : pstrdup("organization");
}

/* Inserts the row; false when the key or the slug is taken. */
static bool
insert_organization(const pg_uuid_t *id, const char *name, const char *slug, const char *tier,
					const char *timezone, const pg_uuid_t *creator)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(0,
					   "INSERT INTO platform.organizations (id, name, slug, tier, timezone, created_by)"
					   " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID);
	Datum		values[6] = {
		UUIDPGetDatum(id),
		CStringGetTextDatum(name),
		slug ? CStringGetTextDatum(slug) : (Datum) 0,
		CStringGetTextDatum(tier),
		CStringGetTextDatum(timezone),
		UUIDPGetDatum(creator),
	};
	bool		nulls[6] = {false, false, slug == NULL, false, false, creator == NULL};

	return platform_query_run(&insert, values, nulls) > 0;
}

/* Inserts with a slug made from the name: the first free one of x, x-2, x-3, ... */
static void
insert_with_free_slug(const pg_uuid_t *id, const char *name, const char *tier,
					  const char *timezone, const pg_uuid_t *creator)
{
	char	   *base = slug_from_name(name);
	char	   *slug = base;

	for (int n = 2; n <= SLUG_ATTEMPTS; n++)
	{
		if (insert_organization(id, name, slug, tier, timezone, creator))
			return;
		slug = psprintf("%s-%d", base, n);
	}
	/* A name that so many have: from the random part of the key. */
	slug = psprintf("%s-%02x%02x%02x%02x", base,
					id->data[12], id->data[13], id->data[14], id->data[15]);
	if (!insert_organization(id, name, slug, tier, timezone, creator))
		slug_taken(slug);
}

PG_FUNCTION_INFO_V1(platform_create_organization);

/*
 * platform.create_organization(name text, slug text DEFAULT NULL,
 *		tier text DEFAULT 'core', timezone text DEFAULT 'UTC',
 *		owner_user_id uuid DEFAULT NULL) returns uuid
 *
 * Makes an organization, and its owner a member with role owner. Without a
 * slug one is made from the name; NULL tier and timezone mean the defaults.
 * Operators only. Errors: 42501; 22004 NULL name; 22023 unknown time zone; PT404
 * unknown user; 23505 slug taken; 23514 a value that breaks a rule.
 */
Datum
platform_create_organization(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	const pg_uuid_t *owner = PG_ARGISNULL(4) ? NULL : PG_GETARG_UUID_P(4);
	const char *slug = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *tier = PG_ARGISNULL(2) ? "core" : text_to_cstring(PG_GETARG_TEXT_PP(2));
	const char *timezone = PG_ARGISNULL(3) ? "UTC" : text_to_cstring(PG_GETARG_TEXT_PP(3));
	const char *name;

	platform_require_module(&platform_tenants_module);
	platform_require_operator("create an organization");
	platform_require_argument(fcinfo, 0, "name");
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	platform_make_uuid7(id);

	platform_query_begin();
	if (owner != NULL && !platform_user_exists(owner))
		platform_no_such_user(owner);
	if (slug == NULL)
		insert_with_free_slug(id, name, tier, timezone, owner);
	else if (!insert_organization(id, name, slug, tier, timezone, owner))
		slug_taken(slug);
	if (owner != NULL)
		platform_insert_member(id, owner, "owner");
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/* The key of a user's personal organization. */
static void
personal_organization(text *user, pg_uuid_t *id)
{
	static const pg_uuid_t personal = {{
			0x5f, 0x0c, 0x2e, 0x6b, 0x8d, 0x14, 0x4a, 0x77,
			0x9c, 0x31, 0xd2, 0x48, 0x6e, 0xb9, 0x05, 0xfa
	}};
	Datum		key = DirectFunctionCall2(platform_uuid5, UUIDPGetDatum(&personal),
										  PointerGetDatum(user));

	*id = *DatumGetUUIDP(key);
}

PG_FUNCTION_INFO_V1(platform_personal_organization_id);

/*
 * platform.personal_organization_id(user_id text) returns uuid
 *
 * The key of the organization that stands for a user who is known only as a
 * user: UUID version 5 (RFC 9562, section 5.5) of the id, the same everywhere.
 * It reads nothing: whether that organization exists is another question.
 * NULL for NULL.
 */
Datum
platform_personal_organization_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	personal_organization(PG_GETARG_TEXT_PP(0), id);
	PG_RETURN_UUID_P(id);
}

/* Reads a uuid from text; false, and no error, when it is none. */
static bool
parse_user(const char *subject, pg_uuid_t *user)
{
	return platform_parse_uuid(subject, user) && platform_user_exists(user);
}

PG_FUNCTION_INFO_V1(platform_create_personal_organization);

/*
 * platform.create_personal_organization(user_id text, name text DEFAULT NULL) returns uuid
 *
 * Makes the organization personal_organization_id(user_id) unless it exists,
 * owned by the user when that is one of platform.users. The name defaults to
 * the id. Operators only. Errors: 42501; 22004 NULL user; 23514 a name that is
 * empty or too long.
 */
Datum
platform_create_personal_organization(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	pg_uuid_t	user;
	const char *subject;
	const char *name;
	bool		is_user;

	platform_require_module(&platform_tenants_module);
	platform_require_operator("create an organization");
	platform_require_argument(fcinfo, 0, "user_id");
	subject = text_to_cstring(PG_GETARG_TEXT_PP(0));
	name = PG_ARGISNULL(1) ? subject : text_to_cstring(PG_GETARG_TEXT_PP(1));
	personal_organization(PG_GETARG_TEXT_PP(0), id);

	platform_query_begin();
	is_user = parse_user(subject, &user);
	if (insert_organization(id, name, NULL, "core", "UTC", is_user ? &user : NULL) && is_user)
		platform_insert_member(id, &user, "owner");
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * Runs a change of state; $1 is the organization.  Returns whether it changed
 * anything; PT404 when there is no such organization.
 */
static bool
change_state(FunctionCallInfo fcinfo, PlatformQuery *change, const char *action, const Datum *values,
			 const bool *nulls)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT 1 FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1",
					   UUIDOID);
	bool		changed;

	platform_require_module(&platform_tenants_module);
	platform_require_operator(action);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_query_begin();
	changed = platform_query_run(change, values, nulls) > 0;
	if (!changed && platform_query_run(&find, values, NULL) == 0)
		platform_no_such_organization(DatumGetUUIDP(values[0]));
	platform_query_end();
	return changed;
}

PG_FUNCTION_INFO_V1(platform_suspend_organization);

/*
 * platform.suspend_organization(organization_id uuid, reason text DEFAULT NULL) returns boolean
 *
 * Switches everything off for an organization until resume_organization().
 * False when it was suspended already; its reason then stays. Operators only.
 * Errors: 42501; 22004 NULL organization; PT404 unknown organization.
 */
Datum
platform_suspend_organization(PG_FUNCTION_ARGS)
{
	static PlatformQuery suspend =
		PLATFORM_QUERY(0,
					   "UPDATE platform.organizations"
					   " SET status = 'suspended', status_before = status, status_reason = $2"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND status OPERATOR(pg_catalog.<>) 'suspended'",
					   UUIDOID, TEXTOID);
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool		nulls[2] = {PG_ARGISNULL(0), PG_ARGISNULL(1)};

	PG_RETURN_BOOL(change_state(fcinfo, &suspend, "suspend an organization", values, nulls));
}

PG_FUNCTION_INFO_V1(platform_resume_organization);

/*
 * platform.resume_organization(organization_id uuid) returns boolean
 *
 * Gives a suspended organization back the status that it had before. False
 * when it is not suspended. Operators only. Errors: 42501; 22004 NULL
 * organization; PT404 unknown organization.
 */
Datum
platform_resume_organization(PG_FUNCTION_ARGS)
{
	static PlatformQuery resume =
		PLATFORM_QUERY(0,
					   "UPDATE platform.organizations"
					   " SET status = COALESCE(status_before, 'active'), status_before = NULL,"
					   " status_reason = NULL"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND status OPERATOR(pg_catalog.=) 'suspended'",
					   UUIDOID);
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	PG_RETURN_BOOL(change_state(fcinfo, &resume, "resume an organization", values, NULL));
}

PG_FUNCTION_INFO_V1(platform_delete_organization);

/*
 * platform.delete_organization(organization_id uuid) returns boolean
 *
 * Marks an organization deleted: every feature is off, its rows and its slug
 * stay. False when it was deleted already. Operators only. Errors: 42501;
 * 22004 NULL organization; PT404 unknown organization; PT409 the default
 * organization.
 */
Datum
platform_delete_organization(PG_FUNCTION_ARGS)
{
	static PlatformQuery delete =
		PLATFORM_QUERY(0,
					   "UPDATE platform.organizations SET deleted_at = pg_catalog.now()"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID);
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	if (!PG_ARGISNULL(0) && platform_caller_is_operator() &&
		platform_uuid_equal(PG_GETARG_UUID_P(0), &platform_nil_uuid))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("the default organization cannot be deleted")));
	PG_RETURN_BOOL(change_state(fcinfo, &delete, "delete an organization", values, NULL));
}

PG_FUNCTION_INFO_V1(platform_restore_organization);

/*
 * platform.restore_organization(organization_id uuid) returns boolean
 *
 * Takes delete_organization() back. False when it is not deleted. Operators
 * only. Errors: 42501; 22004 NULL organization; PT404 unknown organization.
 */
Datum
platform_restore_organization(PG_FUNCTION_ARGS)
{
	static PlatformQuery restore =
		PLATFORM_QUERY(0,
					   "UPDATE platform.organizations SET deleted_at = NULL"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NOT NULL",
					   UUIDOID);
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	PG_RETURN_BOOL(change_state(fcinfo, &restore, "restore an organization", values, NULL));
}
