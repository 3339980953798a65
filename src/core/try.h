/*
 * try.h
 *	  The one place where errors are caught: a subtransaction guard.
 */
#ifndef PLATFORM_TRY_H
#define PLATFORM_TRY_H

typedef void (*PlatformTryBody) (void *arg);

/*
 * Runs body(arg) in an internal subtransaction.  Returns NULL when it
 * committed; when it failed its effects are rolled back and the error is
 * returned, copied into the caller's memory context.  Cancellation, shutdown
 * and out-of-memory are thrown on: they are not the body's to swallow.
 */
extern ErrorData *platform_try(PlatformTryBody body, void *arg);

#endif							/* PLATFORM_TRY_H */
