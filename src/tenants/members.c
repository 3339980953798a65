/*
 * members.c
 *	  Who belongs to an organization, and as what.
 *
 * Administrators add, change and remove members under row security; what a
 * policy cannot say is in two triggers: only an owner makes or unmakes an
 * owner, and the last owner stays.  The latter locks the organization's row FOR
 * NO KEY UPDATE, which no insert of a referencing row waits for, and then looks
 * with a snapshot taken under the lock, so two owners who leave at the same
 * moment cannot both go.
 *
 * Queries that look beyond the caller's rights run as the owner of the tables;
 * those that write run as the caller, so that policies and triggers hold.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "tenants/tenants.h"

#define OWNER_ROLE "owner"

static inline bool
is_owner_role(const char *role)
{
	return role != NULL && strcmp(role, OWNER_ROLE) == 0;
}

/* The role of a member, or NULL; within platform_query_begin(). */
static char *
member_role(const pg_uuid_t *organization, const pg_uuid_t *user)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT role FROM platform.organization_members"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(user)};

	return platform_query_run(&find, values, NULL) > 0 ? platform_row_cstring(0, 1) : NULL;
}

bool
platform_user_exists(const pg_uuid_t *user)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.users"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID);
	Datum		values[1] = {UUIDPGetDatum(user)};

	return platform_query_run(&find, values, NULL) > 0;
}

static bool
organization_exists(const pg_uuid_t *organization)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.organizations"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   UUIDOID);
	Datum		values[1] = {UUIDPGetDatum(organization)};

	return platform_query_run(&find, values, NULL) > 0;
}

bool
platform_insert_member(const pg_uuid_t *organization, const pg_uuid_t *user, const char *role)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(0,
					   "INSERT INTO platform.organization_members (organization_id, user_id, role)"
					   " VALUES ($1, $2, $3) ON CONFLICT (organization_id, user_id) DO NOTHING",
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3] = {
		UUIDPGetDatum(organization),
		UUIDPGetDatum(user),
		CStringGetTextDatum(role),
	};

	return platform_query_run(&insert, values, NULL) > 0;
}

/* An operator, or an owner of the organization by the table, not by its token. */
static bool
caller_is_owner(const pg_uuid_t *organization)
{
	const pg_uuid_t *user;
	bool		owner;

	if (platform_caller_is_operator())
		return true;
	if (!platform_may_act_for(organization))
		return false;
	user = platform_current_user();
	if (user == NULL)
		return false;
	platform_query_begin();
	owner = is_owner_role(member_role(organization, user));
	platform_query_end();
	return owner;
}

PG_FUNCTION_INFO_V1(platform_check_member);

/*
 * platform.check_member() returns trigger
 *
 * Only an owner of the organization (or an operator) makes an owner, or
 * changes or removes one (42501); updated_at is kept. Errors: 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER organization_members_check BEFORE INSERT OR DELETE OR UPDATE
 *			ON platform.organization_members
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_member();
 */
Datum
platform_check_member(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"role", "organization_id", NULL};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_member",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE | GUARD_DELETE);
	TenantTrigger *state = platform_tenant_trigger(fcinfo, trigger, columns);
	HeapTuple	row = platform_trigger_row(trigger);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		concerns_owner = false;

	if (!update || platform_column_given(trigger, state->columns[0]))
		concerns_owner =
			is_owner_role(platform_column_text(trigger, row, state->columns[0])) ||
			(update && is_owner_role(platform_column_text(trigger, trigger->tg_trigtuple,
														  state->columns[0])));
	if (concerns_owner &&
		!caller_is_owner(platform_column_uuid(trigger, row, state->columns[1])))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change an owner of an organization"),
				 errdetail("Only an owner makes, changes or removes an owner.")));

	if (update)
		row = platform_touch_row(&state->touch, trigger, row);
	return PointerGetDatum(row);
}

/* Is the organization without an owner? Not when it is gone or deleted. */
static bool
lost_its_owner(const pg_uuid_t *organization)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.organizations"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL"
					   " FOR NO KEY UPDATE",
					   UUIDOID);
	static PlatformQuery find_owner =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.organization_members"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND role OPERATOR(pg_catalog.=) '" OWNER_ROLE "' LIMIT 1",
					   UUIDOID);
	Datum		values[1] = {UUIDPGetDatum(organization)};
	bool		lost;

	platform_query_begin();
	lost = platform_query_run(&lock, values, NULL) > 0 &&
		platform_query_run(&find_owner, values, NULL) == 0;
	platform_query_end();
	return lost;
}

PG_FUNCTION_INFO_V1(platform_keep_owner);

/*
 * platform.keep_owner() returns trigger
 *
 * An organization that had an owner keeps one (PT409). It looks after the
 * statement, so one UPDATE may hand ownership over. Errors: 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER organization_members_keep_owner AFTER DELETE OR UPDATE
 *			ON platform.organization_members
 *			FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION platform.keep_owner();
 */
Datum
platform_keep_owner(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"role", "organization_id", NULL};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "keep_owner",
												  GUARD_AFTER | GUARD_ROW |
												  GUARD_UPDATE | GUARD_DELETE);
	TenantTrigger *state = platform_tenant_trigger(fcinfo, trigger, columns);
	HeapTuple	old = trigger->tg_trigtuple;

	if (!is_owner_role(platform_column_text(trigger, old, state->columns[0])))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		!platform_column_given(trigger, state->columns[0]) &&
		!platform_column_given(trigger, state->columns[1]))
		return PointerGetDatum(NULL);

	if (lost_its_owner(platform_column_uuid(trigger, old, state->columns[1])))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("the last owner of an organization cannot be removed"),
				 errhint("Make another member an owner first, or delete the organization."),
				 errtable(trigger->tg_relation)));
	return PointerGetDatum(NULL);
}

PG_FUNCTION_INFO_V1(platform_add_member);

/*
 * platform.add_member(organization_id uuid, user_id uuid, role text DEFAULT 'member')
 *		returns boolean
 *
 * Makes a user a member. False when it is one already; its role then stays.
 * For owners and admins of the organization, and operators. Errors: 42501;
 * 22004 NULL argument; PT404 unknown organization or user; 23514 unknown role.
 */
Datum
platform_add_member(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const pg_uuid_t *user;
	bool		added;

	platform_require_module(&platform_tenants_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	platform_require_argument(fcinfo, 2, "role");
	organization = PG_GETARG_UUID_P(0);
	user = PG_GETARG_UUID_P(1);
	platform_require_administrator(organization, "add a member");

	platform_query_begin();
	if (!organization_exists(organization))
		platform_no_such_organization(organization);
	if (!platform_user_exists(user))
		platform_no_such_user(user);
	added = platform_insert_member(organization, user, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	platform_query_end();
	PG_RETURN_BOOL(added);
}

PG_FUNCTION_INFO_V1(platform_set_member_role);

/*
 * platform.set_member_role(organization_id uuid, user_id uuid, role text) returns boolean
 *
 * Changes the role of a member. False when it has that role already. For
 * owners and admins of the organization, and operators; only an owner makes or
 * unmakes an owner. Errors: 42501; 22004 NULL argument; PT404 no such member;
 * PT409 the last owner; 23514 unknown role.
 */
Datum
platform_set_member_role(PG_FUNCTION_ARGS)
{
	static PlatformQuery update =
		PLATFORM_QUERY(0,
					   "UPDATE platform.organization_members SET role = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2"
					   " AND role OPERATOR(pg_catalog.<>) $3",
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3];
	bool		changed;

	platform_require_module(&platform_tenants_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	platform_require_argument(fcinfo, 2, "role");
	for (int i = 0; i < 3; i++)
		values[i] = PG_GETARG_DATUM(i);
	platform_require_administrator(DatumGetUUIDP(values[0]), "change a member");

	platform_query_begin();
	changed = platform_query_run(&update, values, NULL) > 0;
	if (!changed && member_role(DatumGetUUIDP(values[0]), DatumGetUUIDP(values[1])) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("user %s is no member of the organization",
						DatumGetCString(DirectFunctionCall1(uuid_out, values[1])))));
	platform_query_end();
	PG_RETURN_BOOL(changed);
}

PG_FUNCTION_INFO_V1(platform_remove_member);

/*
 * platform.remove_member(organization_id uuid, user_id uuid) returns boolean
 *
 * Ends a membership; the profile stays. False when there is none. For owners
 * and admins of the organization, operators, and the user itself, who leaves.
 * Only an owner removes an owner. Errors: 42501; 22004 NULL argument; PT409
 * the last owner.
 */
Datum
platform_remove_member(PG_FUNCTION_ARGS)
{
	static PlatformQuery delete =
		PLATFORM_QUERY(0,
					   "DELETE FROM platform.organization_members"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	const pg_uuid_t *self;
	bool		removed;

	platform_require_module(&platform_tenants_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "user_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_require_organization(DatumGetUUIDP(values[0]));
	self = platform_current_user();
	if (self == NULL || !platform_uuid_equal(self, DatumGetUUIDP(values[1])))
		platform_require_administrator(DatumGetUUIDP(values[0]), "remove a member");

	platform_query_begin();
	removed = platform_query_run(&delete, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(removed);
}

PG_FUNCTION_INFO_V1(platform_list_members);

/*
 * platform.list_members(organization_id uuid) returns table (user_id uuid,
 *		email text, full_name text, avatar_url text, role text, status text,
 *		member_since timestamptz)
 *
 * The members of the caller's organization, or of any for an operator, by
 * email. Deleted users are left out. Errors: 42501 another organization; 22004
 * NULL.
 */
Datum
platform_list_members(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT u.id, u.email, u.full_name, u.avatar_url, m.role, u.status, m.created_at"
					   " FROM platform.organization_members m"
					   " JOIN platform.users u ON u.id OPERATOR(pg_catalog.=) m.user_id"
					   " WHERE m.organization_id OPERATOR(pg_catalog.=) $1 AND u.deleted_at IS NULL"
					   " ORDER BY u.email",
					   UUIDOID);
	Datum		values[1];

	platform_require_module(&platform_tenants_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	values[0] = PG_GETARG_DATUM(0);
	platform_require_organization(DatumGetUUIDP(values[0]));
	return platform_query_return_rows(fcinfo, &list, values, NULL);
}

PG_FUNCTION_INFO_V1(platform_user_organizations);

/*
 * platform.user_organizations(user_id uuid DEFAULT NULL) returns table
 *		(organization_id uuid, name text, slug text, role text, status text, active boolean)
 *
 * The organizations that a user belongs to, by name; active marks the one
 * last switched to. NULL stands for the caller. Deleted organizations are left
 * out. Errors: 42501 another user, for all but operators.
 */
Datum
platform_user_organizations(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT o.id, o.name, o.slug, m.role, o.status,"
					   " COALESCE(o.id OPERATOR(pg_catalog.=) u.active_organization_id, false)"
					   " FROM platform.organization_members m"
					   " JOIN platform.organizations o ON o.id OPERATOR(pg_catalog.=) m.organization_id"
					   " JOIN platform.users u ON u.id OPERATOR(pg_catalog.=) m.user_id"
					   " WHERE m.user_id OPERATOR(pg_catalog.=) $1 AND o.deleted_at IS NULL"
					   " ORDER BY o.name, o.id",
					   UUIDOID);
	const pg_uuid_t *self = platform_current_user();
	pg_uuid_t	user;
	Datum		values[1];

	platform_require_module(&platform_tenants_module);
	if (!PG_ARGISNULL(0) && !platform_caller_is_operator() &&
		(self == NULL || !platform_uuid_equal(self, PG_GETARG_UUID_P(0))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for this user")));
	if (PG_ARGISNULL(0) && self == NULL)
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}

	user = PG_ARGISNULL(0) ? *self : *PG_GETARG_UUID_P(0);
	values[0] = UUIDPGetDatum(&user);
	return platform_query_return_rows(fcinfo, &list, values, NULL);
}

PG_FUNCTION_INFO_V1(platform_switch_organization);

/*
 * platform.switch_organization(organization_id uuid) returns void
 *
 * Notes in the caller's user row for which organization it wants to act next:
 * for whoever issues its next token. Rights of this session stay. Errors: 42501
 * unless the caller is a member of it and it is not deleted; 22004 NULL.
 */
Datum
platform_switch_organization(PG_FUNCTION_ARGS)
{
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_OWNER,
					   "UPDATE platform.users SET active_organization_id = $2"
					   " WHERE id OPERATOR(pg_catalog.=) $1",
					   UUIDOID, UUIDOID);
	const pg_uuid_t *organization;
	const pg_uuid_t *self;
	pg_uuid_t	user;
	Datum		values[2];

	platform_require_module(&platform_tenants_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	organization = PG_GETARG_UUID_P(0);
	self = platform_current_user();
	user = self != NULL ? *self : platform_nil_uuid;

	platform_query_begin();
	if (self == NULL || member_role(organization, &user) == NULL ||
		!organization_exists(organization))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for this organization")));
	values[0] = UUIDPGetDatum(&user);
	values[1] = UUIDPGetDatum(organization);
	platform_query_run(&update, values, NULL);
	platform_query_end();
	PG_RETURN_VOID();
}
