/*
 * identity.c
 *	  Who calls, and for which organization.
 *
 * The identity that set_context() or authenticate() established lives in the
 * setting platform.context, because the server then does all the rest: it ends
 * with the transaction, ROLLBACK TO brings the earlier one back, and parallel
 * workers get a copy.  Its check hook accepts a value from
 * platform_identity_set() only: no SET, set_config(), ALTER ROLE, connection
 * option or function's SET clause, whoever issues it, and no value that was
 * set before the library was loaded.  The parsed form is the setting's "extra":
 * the server frees it, and reading it is following a pointer.
 *
 * Answers to "is this role an operator?" are kept per role until a role, a
 * membership, the schema or the table that decides it changes.
 */
#include "core/platform.h"

#include "access/parallel.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "core/claims.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/module.h"
#include "core/query.h"

#define CONTEXT_SETTING "platform.context"
#define UUID_TEXT_LENGTH 36

PlatformOperatorMemo platform_operator_memo[PLATFORM_OPERATOR_SLOTS];
static uint64 operator_generation = 0;

/* The table whose owner decides; InvalidOid before the first install(). */
static Oid	deciding_table = InvalidOid;

/* Its owner, or InvalidOid while that is not known. */
static Oid	known_owner = InvalidOid;

static char *context_text = NULL;
static const PlatformIdentity *context_identity = NULL;
static bool context_being_set = false;

/* ---- operators ---- */

static void
forget_operators(void)
{
	operator_generation++;
	known_owner = InvalidOid;
	memset(platform_operator_memo, 0, sizeof(platform_operator_memo));
}

static void
operators_relation_changed(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(deciding_table) || relid == deciding_table)
		forget_operators();
}

static void
operators_catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_operators();
}

/* Owner of our schema, or InvalidOid. */
static Oid
schema_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID,
										ObjectIdGetDatum(get_namespace_oid(PLATFORM_SCHEMA, true)));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

Oid
platform_owner(void)
{
	if (unlikely(!OidIsValid(known_owner)))
	{
		uint64		generation = operator_generation;
		Oid			relid = platform_relation_oid("organizations", true);
		Oid			owner;

		deciding_table = relid;
		/* before the first table there is the migrations' own */
		owner = platform_relation_owner(OidIsValid(relid) ? "organizations" : "schema_migrations");
		if (generation != operator_generation)
			return owner;
		known_owner = owner;
	}
	return known_owner;
}

bool
platform_role_is_operator(Oid role)
{
	Oid			owner;

	deciding_table = platform_relation_oid("organizations", true);
	if (OidIsValid(deciding_table) ||
		OidIsValid(platform_relation_oid("schema_migrations", true)))
		owner = platform_owner();
	else
		owner = schema_owner();
	return superuser_arg(role) || has_bypassrls_privilege(role) ||
		(OidIsValid(owner) && has_privs_of_role(role, owner));
}

bool
platform_find_operator(Oid role)
{
	PlatformOperatorMemo *memo = &platform_operator_memo[role % PLATFORM_OPERATOR_SLOTS];
	uint64		generation = operator_generation;
	bool		answer = platform_role_is_operator(role);

	/* what changed during the look-up is not remembered */
	if (generation == operator_generation)
	{
		memo->role = role;
		memo->is_operator = answer;
	}
	return answer;
}

void
platform_require_operator(const char *action)
{
	if (!platform_is_operator())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action)));
}

/* ---- identities ---- */

bool
platform_parse_uuid(const char *text, pg_uuid_t *uuid)
{
	for (int i = 0, byte = 0; i < UUID_TEXT_LENGTH; i++)
	{
		static const char digits[] = "0123456789abcdef";
		const char *digit;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (text[i] != '-')
				return false;
			continue;
		}
		if (text[i] == '\0' || (digit = strchr(digits, pg_ascii_tolower(text[i]))) == NULL)
			return false;
		if (byte % 2 == 0)
			uuid->data[byte / 2] = (unsigned char) ((digit - digits) << 4);
		else
			uuid->data[byte / 2] |= (unsigned char) (digit - digits);
		byte++;
	}
	return text[UUID_TEXT_LENGTH] == '\0';
}

PlatformIdentity *
platform_identity_make(const pg_uuid_t *organization, const char *subject,
					   const char *role, void *(*allocate) (Size size))
{
	Size		role_size;
	Size		subject_size = subject == NULL ? 0 : strlen(subject) + 1;
	PlatformIdentity *identity;
	char	   *texts;

	if (role == NULL)
		role = "member";
	role_size = strlen(role) + 1;

	identity = allocate(sizeof(PlatformIdentity) + role_size + subject_size);
	if (identity == NULL)
		return NULL;
	memset(identity, 0, sizeof(PlatformIdentity));
	texts = (char *) (identity + 1);

	identity->role = memcpy(texts, role, role_size);
	identity->platform_admin = strcmp(role, "platform_admin") == 0;
	identity->organization_admin = identity->platform_admin ||
		strcmp(role, "owner") == 0 || strcmp(role, "admin") == 0;
	if (organization != NULL)
	{
		identity->has_organization = true;
		identity->organization = *organization;
	}
	if (subject != NULL)
	{
		identity->subject = memcpy(texts + role_size, subject, subject_size);
		identity->has_user = platform_parse_uuid(subject, &identity->user);
	}
	return identity;
}

/* ---- the setting platform.context: "organization or -\nrole\n[=subject]" ---- */

static bool
check_context(char **newval, void **extra, GucSource source)
{
	char	   *role = strchr(*newval, '\n');
	char	   *subject = role == NULL ? NULL : strchr(role + 1, '\n');
	char		organization_text[UUID_TEXT_LENGTH + 1];
	char		role_text[NAMEDATALEN];
	pg_uuid_t	organization;
	bool		has_organization;

	*extra = NULL;
	if (**newval == '\0')
		return true;
	if (!context_being_set && !InitializingParallelWorker)
	{
		GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
		GUC_check_errmsg("permission denied to set parameter \"%s\"", CONTEXT_SETTING);
		GUC_check_errhint("Use platform.set_context() or platform.authenticate().");
		return false;
	}
	if (subject == NULL || role - *newval > UUID_TEXT_LENGTH ||
		subject - role > NAMEDATALEN)
		return false;

	strlcpy(organization_text, *newval, role - *newval + 1);
	strlcpy(role_text, role + 1, subject - role);
	has_organization = platform_parse_uuid(organization_text, &organization);
	*extra = platform_identity_make(has_organization ? &organization : NULL,
									subject[1] == '=' ? subject + 2 : NULL,
									role_text, platform_guc_malloc);
	return *extra != NULL;
}

static void
assign_context(const char *newval, void *extra)
{
	context_identity = extra;
}

/* The empty value is no context. */
static char *
context_value(const pg_uuid_t *organization, const char *subject, const char *role)
{
	char	   *organization_text = "-";

	if (organization == NULL && subject == NULL)
		return "";
	if (organization != NULL)
		organization_text = DatumGetCString(DirectFunctionCall1(uuid_out,
																UUIDPGetDatum(organization)));
	return psprintf("%s\n%s\n%s%s", organization_text, role,
					subject == NULL ? "" : "=", subject == NULL ? "" : subject);
}

bool
platform_identity_role_is_valid(const char *role)
{
	for (const char *c = role; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return false;
	return role[0] != '\0' && strlen(role) < NAMEDATALEN;
}

void
platform_identity_set(const pg_uuid_t *organization, const char *subject, const char *role)
{
	char	   *value;

	if (role == NULL)
		role = "member";
	if (!platform_identity_role_is_valid(role))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role of an identity must have 1 to %d bytes and no control characters",
						NAMEDATALEN - 1)));
	value = context_value(organization, subject, role);

	context_being_set = true;
	PG_TRY();
	{
		(void) set_config_option(CONTEXT_SETTING, value, PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, ERROR, false);
	}
	PG_FINALLY();
	{
		context_being_set = false;
	}
	PG_END_TRY();
}

void
platform_identity_init(void)
{
	DefineCustomStringVariable(CONTEXT_SETTING,
							   "The identity of the current transaction.",
							   "Written by platform.set_context() and platform.authenticate() only.",
							   &context_text, "", PGC_SUSET,
							   GUC_NO_SHOW_ALL | GUC_NO_RESET_ALL | GUC_NOT_IN_SAMPLE |
							   GUC_DISALLOW_IN_FILE,
							   check_context, assign_context, NULL);

	CacheRegisterRelcacheCallback(operators_relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, operators_catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, operators_catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, operators_catalog_changed, (Datum) 0);
}

/* ---- what the modules ask ---- */

const PlatformIdentity *
platform_current_identity(void)
{
	return context_identity != NULL ? context_identity : platform_claims_identity();
}

const pg_uuid_t *
platform_current_organization(void)
{
	const PlatformIdentity *identity = platform_current_identity();

	return identity != NULL && identity->has_organization ? &identity->organization : NULL;
}

const pg_uuid_t *
platform_current_user(void)
{
	const PlatformIdentity *identity = platform_current_identity();

	return identity != NULL && identity->has_user ? &identity->user : NULL;
}

const char *
platform_caller_subject(void)
{
	const PlatformIdentity *identity = platform_current_identity();

	return identity != NULL ? identity->subject : NULL;
}

const char *
platform_caller_name(void)
{
	const char *subject = platform_caller_subject();

	return subject != NULL ? subject : GetUserNameFromId(GetOuterUserId(), false);
}

bool
platform_is_organization_admin(void)
{
	const PlatformIdentity *identity = platform_current_identity();

	return (identity != NULL && identity->organization_admin) || platform_is_operator();
}

bool
platform_is_platform_staff(void)
{
	const PlatformIdentity *identity = platform_current_identity();

	return (identity != NULL && identity->platform_admin) || platform_is_operator();
}

bool
platform_may_act_for(const pg_uuid_t *organization)
{
	const pg_uuid_t *own;

	if (platform_is_operator())
		return true;
	own = platform_current_organization();
	return own != NULL && platform_uuid_equal(own, organization);
}

void
platform_require_organization(const pg_uuid_t *organization)
{
	if (!platform_may_act_for(organization))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for this organization")));
}

void
platform_require_administrator(const pg_uuid_t *organization, const char *action)
{
	platform_require_organization(organization);
	if (!platform_is_organization_admin())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action),
				 errdetail("Only owners and admins of the organization may.")));
}
