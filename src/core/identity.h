/*
 * identity.h
 *	  Who calls, and for which organization.
 *
 * operator: superuser, BYPASSRLS, or a member of the role that owns the tables.
 * member:   any other role; it acts for the organization of its identity.
 * nobody:   a member without an identity: every check below fails for it.
 *
 * Everything here is memoised and costs a comparison while neither the role
 * nor the sources of the identity changed.
 */
#ifndef PLATFORM_IDENTITY_H
#define PLATFORM_IDENTITY_H

#include "miscadmin.h"

/*
 * An identity, in one chunk of memory with its texts.  Roles are texts that
 * mean something to the application, except for three: 'owner' and 'admin'
 * administer their organization, 'platform_admin' is the platform's staff.
 */
typedef struct PlatformIdentity
{
	bool		has_organization;
	bool		has_user;		/* the subject is a uuid */
	bool		organization_admin; /* owner, admin or platform_admin */
	bool		platform_admin;
	pg_uuid_t	organization;
	pg_uuid_t	user;
	const char *subject;		/* NULL when there is none */
	const char *role;
} PlatformIdentity;

extern void platform_identity_init(void);

/* Is the role an operator? */
extern bool platform_role_is_operator(Oid role);

/* The last answers; a slot is empty when its role is InvalidOid. */
typedef struct PlatformOperatorMemo
{
	Oid			role;
	bool		is_operator;
} PlatformOperatorMemo;

#define PLATFORM_OPERATOR_SLOTS 8

extern PlatformOperatorMemo platform_operator_memo[PLATFORM_OPERATOR_SLOTS];
extern bool platform_find_operator(Oid role);

/* Is the current role an operator? */
static inline bool
platform_caller_is_operator(void)
{
	Oid			role = GetUserId();
	PlatformOperatorMemo *memo = &platform_operator_memo[role % PLATFORM_OPERATOR_SLOTS];

	return likely(memo->role == role) ? memo->is_operator : platform_find_operator(role);
}

/* Raises 42501 unless it is; action completes "permission denied to ...". */
extern void platform_require_operator(const char *action);

/*
 * The caller's identity, or NULL for nobody; good until the next command or
 * change of identity.
 */
extern const PlatformIdentity *platform_current_identity(void);

/* The caller's organization, or NULL; the pointer is good until the next call. */
extern const pg_uuid_t *platform_current_organization(void);

/* The caller's user: the uuid form or NULL; and the subject as given, or NULL. */
extern const pg_uuid_t *platform_current_user(void);
extern const char *platform_caller_subject(void);

/* For records of who did it: the subject as given, else the role that SET ROLE or the login chose. */
extern const char *platform_caller_name(void);

/* Owner or admin of its organization, the platform's staff, or an operator. */
extern bool platform_is_organization_admin(void);

/* The platform's staff, or an operator. */
extern bool platform_is_platform_staff(void);

/* May the caller act for that organization: operator, or its own? */
extern bool platform_may_act_for(const pg_uuid_t *organization);

/* Raises 42501 unless it may. */
extern void platform_require_organization(const pg_uuid_t *organization);

/* The same, and unless it administers it; action completes "permission denied to ...". */
extern void platform_require_administrator(const pg_uuid_t *organization, const char *action);

/*
 * Makes an identity in one chunk from the given allocator; organization,
 * subject and role may be NULL (role: member).
 */
extern PlatformIdentity *platform_identity_make(const pg_uuid_t *organization,
												const char *subject, const char *role,
														void *(*allocate) (Size size));

/*
 * Sets the identity until the end of the transaction or its savepoint; NULL
 * removes it.  The caller has checked the right to do so.
 */
extern void platform_identity_set(const pg_uuid_t *organization, const char *subject,
								  const char *role);

/*
 * The names by which the modules ask.  They are macros because the SQL
 * functions platform.is_operator() and current_subject() own the symbols.
 */
#define platform_is_operator()		platform_caller_is_operator()
#define platform_current_subject()	platform_caller_subject()

/*
 * A role is 1 to 63 bytes without control characters (of which the stored form
 * of an identity uses one).
 */
extern bool platform_identity_role_is_valid(const char *role);

/* Text to uuid, in the canonical 36 characters only; false when it is none. */
extern bool platform_parse_uuid(const char *text, pg_uuid_t *uuid);

#endif							/* PLATFORM_IDENTITY_H */
