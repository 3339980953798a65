/*
 * tenants.h
 *	  What the files of this module share.
 *
 *	organizations.c		making, suspending, deleting organizations; their trigger
 *	members.c			who belongs to one, and as what; their triggers
 *	people.c			triggers of users and profiles; switch_organization()
 *	hours.c				business hours
 *	demo.c				load_demo_data()
 */
#ifndef PLATFORM_TENANTS_H
#define PLATFORM_TENANTS_H

#include "commands/trigger.h"
#include "core/argument.h"
#include "core/module.h"
#include "core/touch.h"
#include "utils/jsonb.h"

extern PlatformModule platform_tenants_module;

/* What a combined trigger remembers of its table for the length of a statement. */
typedef struct TenantTrigger
{
	PlatformTouch touch;
	AttrNumber	columns[3];		/* in the order of the names given */
} TenantTrigger;

/* Found in fn_extra, or made; names ends with NULL. */
extern TenantTrigger *platform_tenant_trigger(FunctionCallInfo fcinfo,
											  const TriggerData *trigger,
											  const char *const *names);

/* Is this an INSERT that gives the column a value, or an UPDATE that changes it? */
extern bool platform_column_given(const TriggerData *trigger, AttrNumber column);

/* The text of the row's column, or NULL. */
extern char *platform_column_text(const TriggerData *trigger, HeapTuple row, AttrNumber column);

/* The uuid of the row's column; it has a value. */
extern pg_uuid_t *platform_column_uuid(const TriggerData *trigger, HeapTuple row, AttrNumber column);

/* Within platform_query_begin(); sees users that the caller may not. */
extern bool platform_user_exists(const pg_uuid_t *user);

/* The same; as the caller. False when the user is a member already. */
extern bool platform_insert_member(const pg_uuid_t *organization, const pg_uuid_t *user,
								   const char *role);

/* PT422 naming the key and the rule when the hours are not as hours.c reads them. */
extern void platform_check_business_hours(Jsonb *hours);

#endif							/* PLATFORM_TENANTS_H */
