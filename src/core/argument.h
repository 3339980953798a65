/*
 * argument.h
 *	  Refusing arguments: one message each.
 */
#ifndef PLATFORM_ARGUMENT_H
#define PLATFORM_ARGUMENT_H

/* 22004 naming the argument when it is null. */
extern void platform_require_argument(FunctionCallInfo fcinfo, int number, const char *name);

/*
 * An interval of days and smaller units, in microseconds; 22004 when it is null,
 * 22023 when it has months, is below zero (or zero, where may_be_zero is not set)
 * or above that many days.
 */
extern int64 platform_require_interval(FunctionCallInfo fcinfo, int number, const char *name,
									   bool may_be_zero, int days_max);

/* PT404. */
pg_noreturn extern void platform_no_such_organization(const pg_uuid_t *organization);
pg_noreturn extern void platform_no_such_user(const pg_uuid_t *user);

#endif							/* PLATFORM_ARGUMENT_H */
