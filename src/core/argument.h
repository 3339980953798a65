/*
 * argument.h
 *	  Arguments of SQL functions: what is refused, with one message each, and how
 *	  they become those of a query.
 */
#ifndef PLATFORM_ARGUMENT_H
#define PLATFORM_ARGUMENT_H

#include "core/module.h"
#include "core/phone.h"

/* 22004 naming the argument when it is null. */
extern void platform_require_argument(FunctionCallInfo fcinfo, int number, const char *name);

/*
 * The argument organization_id, which the caller may act for, of a function that
 * needs the module: 22004, 42501, 55000.
 */
extern pg_uuid_t *platform_organization_argument(FunctionCallInfo fcinfo, int number,
												 PlatformModule *module);

/*
 * An interval of days and smaller units, in microseconds; 22004 when it is null,
 * 22023 when it has months, is below zero (or zero, where may_be_zero is not set)
 * or above that many days.
 */
extern int64 platform_require_interval(FunctionCallInfo fcinfo, int number, const char *name,
									   bool may_be_zero, int days_max);

/* Has the text 1 to so many characters? */
extern bool platform_text_fits(const text *value, int most);

/* Such a text, or 22023; NULL for NULL, which the second form refuses with 22004. */
extern text *platform_optional_text(FunctionCallInfo fcinfo, int number, const char *name, int most);
extern text *platform_required_text(FunctionCallInfo fcinfo, int number, const char *name, int most);

/* The text as it is, or NULL. */
extern text *platform_text_argument(FunctionCallInfo fcinfo, int number);

/* Is the text that word? */
extern bool platform_text_is(const text *value, const char *word);

/* An integer within 1 .. most: 22004, 22023; and the argument "limit". */
extern int	platform_count_argument(FunctionCallInfo fcinfo, int number, const char *name, int most);
extern int	platform_limit_argument(FunctionCallInfo fcinfo, int number, int most);

/* The international form of a telephone number, or NULL: PT422 when it is none. */
extern text *platform_phone_argument(FunctionCallInfo fcinfo, int number, const char *name,
									 const PlatformPhoneRegion *region);

/* The region that such an argument is read by: 22004, 22023. */
extern const PlatformPhoneRegion *platform_region_argument(FunctionCallInfo fcinfo, int number);

/* Arguments from first on as those of a query; and one of them, where NULL is null. */
extern void platform_copy_arguments(FunctionCallInfo fcinfo, int first, int count,
									Datum *values, bool *nulls);
extern void platform_set_text(Datum *values, bool *nulls, int i, text *value);

/* 22023, PT422 and PT409 with that message; PT404 "no such <what> in the organization". */
pg_noreturn extern void platform_bad_argument(const char *message);
pg_noreturn extern void platform_rule_violation(const char *message);
pg_noreturn extern void platform_wrong_state(const char *message);
pg_noreturn extern void platform_no_such(const char *what);

/* PT404. */
pg_noreturn extern void platform_no_such_organization(const pg_uuid_t *organization);
pg_noreturn extern void platform_no_such_user(const pg_uuid_t *user);

#endif							/* PLATFORM_ARGUMENT_H */
