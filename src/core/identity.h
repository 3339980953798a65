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

extern void platform_identity_init(void);

/* Is the current role an operator? */
extern bool platform_is_operator(void);

/* Raises 42501 unless it is; action completes "permission denied to ...". */
extern void platform_require_operator(const char *action);

/* The caller's organization, or NULL; the pointer is good until the next call. */
extern const pg_uuid_t *platform_current_organization(void);

/* The caller's user: the uuid form or NULL; and the subject as given, or NULL. */
extern const pg_uuid_t *platform_current_user(void);
extern const char *platform_current_subject(void);

/* Owner or admin of its organization (or an operator). */
extern bool platform_is_organization_admin(void);

/* May the caller act for that organization: operator, or its own? */
extern bool platform_may_act_for(const pg_uuid_t *organization);

/* Raises 42501 unless it may. */
extern void platform_require_organization(const pg_uuid_t *organization);

#endif							/* PLATFORM_IDENTITY_H */
