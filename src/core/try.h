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

/*
 * Runs body(arg) in an internal subtransaction that is committed when it
 * returns true and rolled back, with the locks it took, when it returns false.
 * Errors pass through. What body opens it must close: relations, slots, queries.
 * It must change no table that a PlatformCache holds: caches outlive its
 * rollback.
 */
typedef bool (*PlatformSubtransactionBody) (void *arg);

extern bool platform_subtransaction(PlatformSubtransactionBody body, void *arg);

#endif							/* PLATFORM_TRY_H */
