/*
 * audit.c
 *	  Entries of the audit trail: see audit.h.
 *
 * Rows are appended past the executor, to the partition of the statement's
 * time. So they need no right on the table, and whoever changes an audited row
 * cannot keep the entry from being written.
 *
 * AFTER triggers run at the end of a statement, in ExecutorFinish(). A hook there
 * keeps a batch for them: a heap page and an index are then visited once for many
 * entries. A batch is of one call of ExecutorFinish(), and belongs to its
 * subtransaction: it is written before the call returns, and forgotten with an
 * error that ends it. Triggers that run otherwise (COPY) write at once, and so do
 * those of another subtransaction.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/append.h"
#include "core/audit.h"
#include "core/identity.h"
#include "core/module.h"
#include "core/uuid7.h"

enum
{
	L_ID,
	L_ORGANIZATION,
	L_CREATED_AT,
	L_ACTION,
	L_ENTITY,
	L_ENTITY_ID,
	L_OLD,
	L_NEW,
	L_CHANGED,
	L_ACTOR_ID,
	L_ACTOR,
	L_ROLE,
	L_USER_ID,
	L_ACTION_TYPE,
	L_IP,
	L_USER_AGENT,
	L_METADATA,
	L_COLUMNS
};

static PlatformAppendTable audit_table = {
	.cache = {.name = "audit trail", .tables = {"audit_logs"}},
	.ncolumns = L_COLUMNS,
	.columns = {
		{"id", UUIDOID},
		{"organization_id", UUIDOID},
		{"created_at", TIMESTAMPTZOID},
		{"action", TEXTOID},
		{"entity", TEXTOID},
		{"entity_id", TEXTOID},
		{"old", JSONBOID},
		{"new", JSONBOID},
		{"changed", TEXTARRAYOID},
		{"actor_id", UUIDOID},
		{"actor", TEXTOID},
		{"role_name", TEXTOID},
		{"user_id", UUIDOID},
		{"action_type", TEXTOID},
		{"ip", INETOID},
		{"user_agent", TEXTOID},
		{"metadata", JSONBOID},
	},
};

static PlatformModule ops_module = {"ops", 540, 0};

#define BATCH_ROWS	100
#define BATCH_BYTES	(1024 * 1024)

/* The entries of one statement; on the stack of the hook. */
typedef struct AuditBatch
{
	struct AuditBatch *outer;	/* of the statement whose trigger runs this one */
	SubTransactionId subtransaction;
	MemoryContext parent;		/* of the statement */
	MemoryContext context;		/* of what entries point to; NULL: there was none yet */
	PlatformAppend append;
	Oid			role;			/* whose name is role_name */
	Datum		role_name;
} AuditBatch;

static AuditBatch *current_batch = NULL;
static ExecutorFinish_hook_type next_executor_finish = NULL;

static void
flush_batch(AuditBatch *batch)
{
	platform_append_flush(&batch->append);
	MemoryContextReset(batch->context);
	batch->role = InvalidOid;
}

static void
finish_statement(QueryDesc *query)
{
	if (next_executor_finish)
		next_executor_finish(query);
	else
		standard_ExecutorFinish(query);
}

/* Of a statement that changes rows: with a batch for its triggers. */
static void
finish_with_batch(QueryDesc *query)
{
	AuditBatch	batch = {
		.outer = current_batch,
		.subtransaction = GetCurrentSubTransactionId(),
		.parent = query->estate->es_query_cxt,
	};

	current_batch = &batch;
	PG_TRY();
	{
		finish_statement(query);
		if (batch.context != NULL)
		{
			flush_batch(&batch);
			platform_append_close(&batch.append);
			MemoryContextDelete(batch.context);
		}
	}
	PG_FINALLY();
	{
		current_batch = batch.outer;
	}
	PG_END_TRY();
}

static void
audit_executor_finish(QueryDesc *query)
{
	if (query->operation == CMD_SELECT && !query->plannedstmt->hasModifyingCTE)
		finish_statement(query);
	else
		finish_with_batch(query);
}

void
platform_audit_init(void)
{
	platform_append_register(&audit_table);
	next_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = audit_executor_finish;
}

bool
platform_audit_is_installed(void)
{
	return platform_module_installed(&ops_module);
}

static void
set_pointer(PlatformAppend *append, TupleTableSlot *slot, int column, const void *value)
{
	if (value != NULL)
		platform_append_set(append, slot, column, PointerGetDatum(value));
}

static void
set_text(PlatformAppend *append, TupleTableSlot *slot, int column, const char *value)
{
	if (value != NULL)
		platform_append_set(append, slot, column, CStringGetTextDatum(value));
}

/* A new row with the entry's columns, in the current memory context. */
static TupleTableSlot *
add_entry(PlatformAppend *append, const PlatformAuditEntry *entry, const pg_uuid_t *key)
{
	TupleTableSlot *slot = platform_append_row(append);

	set_pointer(append, slot, L_ID, key);
	set_pointer(append, slot, L_ORGANIZATION,
				entry->organization != NULL ? entry->organization : &platform_nil_uuid);
	platform_append_set(append, slot, L_CREATED_AT,
						TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
	set_text(append, slot, L_ACTION, entry->action);
	set_text(append, slot, L_ENTITY, entry->entity);
	set_text(append, slot, L_ENTITY_ID, entry->entity_id);
	set_pointer(append, slot, L_OLD, entry->old);
	set_pointer(append, slot, L_NEW, entry->new);
	set_pointer(append, slot, L_CHANGED, entry->changed);
	set_text(append, slot, L_ACTOR, platform_current_subject());
	set_pointer(append, slot, L_USER_ID, entry->user);
	set_text(append, slot, L_ACTION_TYPE, entry->action_type);
	set_pointer(append, slot, L_IP, entry->ip);
	set_text(append, slot, L_USER_AGENT, entry->user_agent);
	set_pointer(append, slot, L_METADATA, entry->metadata);
	return slot;
}

bool
platform_audit_write(const PlatformAuditEntry *entry, pg_uuid_t *id)
{
	PlatformAppend append;
	TupleTableSlot *slot;
	pg_uuid_t	key;

	if (!platform_audit_is_installed())
		return false;
	platform_make_uuid7(&key);
	platform_append_open_at(&append, &audit_table, 1, GetCurrentStatementStartTimestamp());
	slot = add_entry(&append, entry, &key);
	set_pointer(&append, slot, L_ACTOR_ID, platform_current_user());
	/* The role that acts, also inside a function that runs as somebody else. */
	set_text(&append, slot, L_ROLE, GetUserNameFromId(GetOuterUserId(), true));
	platform_append_flush(&append);
	platform_append_close(&append);
	if (id != NULL)
		*id = key;
	return true;
}

/* The batch that a trigger may add to; NULL: it writes at once. */
static AuditBatch *
batch_of_trigger(void)
{
	if (current_batch == NULL ||
		current_batch->subtransaction != GetCurrentSubTransactionId() ||
		!platform_audit_is_installed())
		return NULL;
	return current_batch;
}

static void
open_batch(AuditBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->parent);

	platform_append_open_at(&batch->append, &audit_table, BATCH_ROWS,
							GetCurrentStatementStartTimestamp());
	batch->context = AllocSetContextCreate(batch->parent, "platform audit entries",
										   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
}

MemoryContext
platform_audit_context(void)
{
	AuditBatch *batch = batch_of_trigger();

	if (batch == NULL)
		return CurrentMemoryContext;
	if (batch->context == NULL)
		open_batch(batch);
	return batch->context;
}

static const void *
copy_uuid(const pg_uuid_t *uuid)
{
	return uuid == NULL ? NULL : memcpy(palloc(sizeof(pg_uuid_t)), uuid, sizeof(pg_uuid_t));
}

/* The role that acts, also inside a function that runs as somebody else. */
static void
set_role(AuditBatch *batch, TupleTableSlot *slot)
{
	Oid			role = GetOuterUserId();

	if (batch->role != role)
	{
		char	   *name = GetUserNameFromId(role, true);

		batch->role_name = name == NULL ? (Datum) 0 : CStringGetTextDatum(name);
		batch->role = role;
	}
	set_pointer(&batch->append, slot, L_ROLE, DatumGetPointer(batch->role_name));
}

bool
platform_audit_queue(const PlatformAuditEntry *entry)
{
	AuditBatch *batch = batch_of_trigger();
	PlatformAuditEntry copy = *entry;
	MemoryContext old;
	TupleTableSlot *slot;
	pg_uuid_t	key;

	if (batch == NULL)
		return platform_audit_write(entry, NULL);
	old = MemoryContextSwitchTo(batch->context);
	copy.organization = copy_uuid(entry->organization);
	copy.user = copy_uuid(entry->user);
	platform_make_uuid7(&key);
	slot = add_entry(&batch->append, &copy, copy_uuid(&key));
	set_pointer(&batch->append, slot, L_ACTOR_ID, copy_uuid(platform_current_user()));
	set_role(batch, slot);
	MemoryContextSwitchTo(old);
	if (batch->append.count >= BATCH_ROWS ||
		MemoryContextMemAllocated(batch->context, false) > BATCH_BYTES)
		flush_batch(batch);
	return true;
}
