/*
 * crm.h
 *	  What the files of this module share.
 *
 *	triggers.c		what rows must keep to, whoever writes them
 *	agents.c		who answers a number, and how it came to be
 *	leads.c			leads from calls, their locks
 *	import.c		leads from lists
 *	deals.c			deals and commissions
 *	appointments.c	booking, moving, cancelling
 *	reminders.c		reminders to be sent
 *	tracking.c		where somebody is
 */
#ifndef PLATFORM_CRM_H
#define PLATFORM_CRM_H

#include "core/module.h"
#include "core/phone.h"

extern PlatformModule platform_crm_module;

/* The organization of the argument, which the caller may act for: 22004, 42501. */
extern pg_uuid_t *platform_crm_organization(FunctionCallInfo fcinfo, int argument);

/* 22023, PT422, PT409 and PT404 ("no such <what> in the organization"). */
pg_noreturn extern void platform_crm_bad_argument(const char *message);
pg_noreturn extern void platform_crm_rule(const char *message);
pg_noreturn extern void platform_crm_wrong_state(const char *message);
pg_noreturn extern void platform_crm_no_such(const char *what);

/* count arguments of the function as those of a query. */
extern void platform_crm_set_arguments(FunctionCallInfo fcinfo, int count,
									   Datum *values, bool *nulls);

/* One of them; NULL is null. */
extern void platform_crm_set_text(Datum *values, bool *nulls, int i, text *value);

/* 22023 when there is a text and it has not 1 to so many characters. */
extern void platform_crm_optional_text(FunctionCallInfo fcinfo, int argument,
									   const char *name, int most);

/* The same, and 22004 when there is none. */
extern void platform_crm_required_text(FunctionCallInfo fcinfo, int argument,
									   const char *name, int most);

/* The international form of a telephone number, or NULL: PT422 when it is none. */
extern text *platform_crm_number(FunctionCallInfo fcinfo, int argument, const char *name,
								 const PlatformPhoneRegion *region);

/* The region of an argument: 22004, 22023. */
extern const PlatformPhoneRegion *platform_crm_region(FunctionCallInfo fcinfo, int argument);

/* Is the text that word? */
extern bool platform_crm_is_word(const text *value, const char *word);

/* 22004, 22023 unless 1 .. most. */
extern void platform_crm_check_limit(FunctionCallInfo fcinfo, int argument, int most);

/* The function's row. */
extern Datum platform_crm_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

#endif							/* PLATFORM_CRM_H */
