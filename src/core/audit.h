/*
 * audit.h
 *	  Entries of the audit trail, platform.audit_logs.
 *
 * Changes of rows are written by the trigger function platform.audit_changes();
 * this is for what no row says: an export, a login as somebody else, a payout
 * that was approved.
 *
 *		PlatformAuditEntry entry = {.action = "payout_approved", .organization = organization,
 *		.entity = "payouts", .entity_id = id};
 *
 *		platform_audit_write(&entry);
 *
 * An entry belongs to its transaction: it is gone when that is rolled back.
 */
#ifndef PLATFORM_AUDIT_H
#define PLATFORM_AUDIT_H

#include "utils/array.h"
#include "utils/inet.h"
#include "utils/jsonb.h"

/* What is not given is NULL. Who acts, and when, is found by the writer. */
typedef struct PlatformAuditEntry
{
	const char *action;			/* INSERT, UPDATE, DELETE, TRUNCATE, or a word of the application */
	const char *action_type;	/* its kind */
	const pg_uuid_t *organization;	/* whose data it is; NULL: the default organization */
	const char *entity;			/* the table, or the kind of thing */
	const char *entity_id;
	const Jsonb *old;
	const Jsonb *new;
	const ArrayType *changed;	/* text[]: names of columns */
	const pg_uuid_t *user;		/* whom it concerns */
	const inet *ip;
	const char *user_agent;
	const Jsonb *metadata;
} PlatformAuditEntry;

/* Once, from _PG_init. */
extern void platform_audit_init(void);

/* Is there an audit trail, that is, is module ops installed? */
extern bool platform_audit_is_installed(void);

/* Writes the entry; false, without effect, when module ops is not installed. */
extern bool platform_audit_write(const PlatformAuditEntry *entry, pg_uuid_t *id);

/*
 * The same for an AFTER trigger, which may write many: entries are written together
 * when the triggers of the statement have run. What the entry points to must have
 * been made in the context that the other function names.
 */
extern bool platform_audit_queue(const PlatformAuditEntry *entry);
extern MemoryContext platform_audit_context(void);

#endif							/* PLATFORM_AUDIT_H */
