/*
 * identity_sql.c
 *	  SQL functions about the caller: see identity.h.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/identity.h"

/* here these are the SQL functions */
#undef platform_is_operator
#undef platform_current_subject

PG_FUNCTION_INFO_V1(platform_set_context);

/*
 * platform.set_context(organization_id uuid, user_id text DEFAULT NULL,
 *						role text DEFAULT 'member') returns void
 *
 * Acts for an organization, and as a user, until the end of the transaction
 * or the rollback to a savepoint before the call.  user_id is the subject as
 * the application knows it: a uuid or any text.  With a NULL organization the
 * user has none; with a NULL user_id too, what was set is removed; a NULL role
 * is 'member'.  Operators only (42501); 22023 for a role of no or more than 63
 * bytes or with control characters.
 */
Datum
platform_set_context(PG_FUNCTION_ARGS)
{
	platform_require_operator("set the context");
	platform_identity_set(PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0),
						  PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
						  PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

/* A copy: the identity may change while the caller still holds the datum. */
static Datum
copy_uuid(const pg_uuid_t *uuid)
{
	pg_uuid_t  *copy = palloc(sizeof(pg_uuid_t));

	*copy = *uuid;
	return UUIDPGetDatum(copy);
}

PG_FUNCTION_INFO_V1(platform_current_organization_id);

/*
 * platform.current_organization_id() returns uuid
 *
 * The organization for which the caller acts; NULL when it has none.
 */
Datum
platform_current_organization_id(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization = platform_current_organization();

	if (organization == NULL)
		PG_RETURN_NULL();
	return copy_uuid(organization);
}

PG_FUNCTION_INFO_V1(platform_default_organization_id);

/*
 * platform.default_organization_id() returns uuid
 *
 * What a new row's organization_id defaults to: the caller's own, else the
 * built-in default organization (all zeroes).
 */
Datum
platform_default_organization_id(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization = platform_current_organization();

	return copy_uuid(organization == NULL ? &platform_nil_uuid : organization);
}

PG_FUNCTION_INFO_V1(platform_current_user_id);

/*
 * platform.current_user_id() returns uuid
 *
 * The caller's user; NULL when it has none or its subject is no uuid.
 */
Datum
platform_current_user_id(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *user = platform_current_user();

	if (user == NULL)
		PG_RETURN_NULL();
	return copy_uuid(user);
}

PG_FUNCTION_INFO_V1(platform_current_subject);

/*
 * platform.current_subject() returns text
 *
 * The caller's user as given: claim sub, or user_id of set_context(); NULL
 * when there is none.
 */
Datum
platform_current_subject(PG_FUNCTION_ARGS)
{
	const char *subject = platform_caller_subject();

	if (subject == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(subject));
}

PG_FUNCTION_INFO_V1(platform_is_admin);

/*
 * platform.is_admin() returns boolean
 *
 * Does the caller administer its organization: role owner, admin or
 * platform_admin, or an operator?  Never NULL.
 */
Datum
platform_is_admin(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(platform_is_organization_admin());
}

PG_FUNCTION_INFO_V1(platform_is_platform_admin);

/*
 * platform.is_platform_admin() returns boolean
 *
 * Is the caller of the platform's staff: role platform_admin, or an operator?
 * Never NULL.
 */
Datum
platform_is_platform_admin(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(platform_is_platform_staff());
}

PG_FUNCTION_INFO_V1(platform_is_operator);

/*
 * platform.is_operator() returns boolean
 *
 * Is the current role an operator: superuser, BYPASSRLS, or a member of the
 * role that owns platform.organizations (before install(): that owns the
 * schema)?  Never NULL.
 */
Datum
platform_is_operator(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(platform_caller_is_operator());
}
