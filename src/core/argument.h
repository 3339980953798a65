/*
 * argument.h
 *	  Refusing arguments: one message each.
 */
#ifndef PLATFORM_ARGUMENT_H
#define PLATFORM_ARGUMENT_H

/* 22004 naming the argument when it is null. */
extern void platform_require_argument(FunctionCallInfo fcinfo, int number, const char *name);

/* PT404. */
pg_noreturn extern void platform_no_such_organization(const pg_uuid_t *organization);
pg_noreturn extern void platform_no_such_user(const pg_uuid_t *user);

#endif							/* PLATFORM_ARGUMENT_H */
