/*
 * commit.h
 *	  Early lock release: a commit that lets go of its locks before it waits
 *	  for the disk, and answers after.
 *
 * The server keeps a transaction's row locks until its commit record is on
 * disk, so that each commit on one hot row pays a flush of its own. With this
 * the locks go free once the record is written, and the flush happens before
 * the client is answered: what is acknowledged is durable, and waiting commits
 * share one flush.
 *
 * It is done only where rows are wanted by others; elsewhere it gains nothing.
 *
 * What changes: another session may see the transaction's effects a moment
 * before they are durable. Whatever it commits on top is durable only after
 * them; what it merely read may be gone after a crash.
 */
#ifndef PLATFORM_COMMIT_H
#define PLATFORM_COMMIT_H

/* Defines the setting platform.early_lock_release. */
extern void platform_commit_init(void);

/*
 * Lets the current transaction commit in that way, wherever it is called in
 * it, if somebody waits for it then, or rows were busy in this session's last
 * hundred transactions. Without effect when the setting is off, when the caller runs with
 * synchronous_commit off, when a synchronous standby is configured, and for
 * PREPARE TRANSACTION.
 */
extern void platform_commit_unlock_early(void);

/* Tells that a row was held by another transaction: others will want this one's. */
extern void platform_commit_had_to_wait(void);

/*
 * Waits until the commit of a finished transaction, of which something is about
 * to be reported as done, is on disk.
 */
extern void platform_commit_require_durable(TransactionId xid);

#endif							/* PLATFORM_COMMIT_H */
