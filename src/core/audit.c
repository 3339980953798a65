/*
 * audit.c
 *	  Entries of the audit trail: see audit.h.
 *
 * Rows are appended past the executor, to the partition of the statement's
 * time. So they need no right on the table, and whoever changes an audited row
 * cannot keep the entry from being written.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
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

void
platform_audit_init(void)
{
	platform_append_register(&audit_table);
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

bool
platform_audit_write(const PlatformAuditEntry *entry, pg_uuid_t *id)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	PlatformAppend append;
	TupleTableSlot *slot;
	pg_uuid_t	key;

	if (!platform_audit_is_installed())
		return false;
	platform_make_uuid7(&key);
	platform_append_open_at(&append, &audit_table, 1, now);
	slot = platform_append_row(&append);
	set_pointer(&append, slot, L_ID, &key);
	set_pointer(&append, slot, L_ORGANIZATION,
				entry->organization != NULL ? entry->organization : &platform_nil_uuid);
	platform_append_set(&append, slot, L_CREATED_AT, TimestampTzGetDatum(now));
	set_text(&append, slot, L_ACTION, entry->action);
	set_text(&append, slot, L_ENTITY, entry->entity);
	set_text(&append, slot, L_ENTITY_ID, entry->entity_id);
	set_pointer(&append, slot, L_OLD, entry->old);
	set_pointer(&append, slot, L_NEW, entry->new);
	set_pointer(&append, slot, L_CHANGED, entry->changed);
	set_pointer(&append, slot, L_ACTOR_ID, platform_current_user());
	set_text(&append, slot, L_ACTOR, platform_current_subject());
	/* The role that acts, also inside a function that runs as somebody else. */
	set_text(&append, slot, L_ROLE, GetUserNameFromId(GetOuterUserId(), true));
	set_pointer(&append, slot, L_USER_ID, entry->user);
	set_text(&append, slot, L_ACTION_TYPE, entry->action_type);
	set_pointer(&append, slot, L_IP, entry->ip);
	set_text(&append, slot, L_USER_AGENT, entry->user_agent);
	set_pointer(&append, slot, L_METADATA, entry->metadata);
	platform_append_flush(&append);
	platform_append_close(&append);
	if (id != NULL)
		*id = key;
	return true;
}
