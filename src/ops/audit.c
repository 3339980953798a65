/*
 * audit.c
 *	  The trigger that records changes of rows, and entries by hand.
 *
 * An entry of an INSERT or DELETE has the whole row, that of an UPDATE the old
 * and new values of the columns that changed: with the entries before and after
 * it that tells every state of the row, at a fraction of the size. What is known
 * of the table is made once a statement, in fn_extra. The entry is appended by
 * core/audit.c, whatever the rights of who changes the row.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/partition.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "core/audit.h"
#include "core/cache.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_audit_changes);
PG_FUNCTION_INFO_V1(platform_audit_log);

/* A table that is audited, and room for one change of a row. */
typedef struct AuditTable
{
	const char *entity;
	AttrNumber	organization;	/* 0: it has none */
	int			nkeys;
	AttrNumber	keys[INDEX_MAX_KEYS];	/* primary key without the organization */
	FmgrInfo	outputs[INDEX_MAX_KEYS];
	RowJson    *rows;
	Datum	   *names;			/* of the columns, as text */
	Datum	   *changed;		/* room for those that changed */
	Datum	   *old_values;
	Datum	   *new_values;
	bool	   *old_isnull;
	bool	   *new_isnull;
	bool	   *unchanged;
} AuditTable;

/* The table's name; that of the partitioned table when it is a partition. */
static const char *
audit_entity(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	char	   *schema;

	if (relation->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(relid);

		if (ancestors != NIL)
			relid = llast_oid(ancestors);
	}
	schema = get_namespace_name(get_rel_namespace(relid));
	if (strcmp(schema, PLATFORM_SCHEMA) == 0)
		return get_rel_name(relid);
	return psprintf("%s.%s", schema, get_rel_name(relid));
}

static bool
is_among(const char *name, char *const *names, int nnames)
{
	for (int i = 0; i < nnames; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The primary key's columns in its order, without the organization and without secrets. */
static void
use_key(AuditTable *table, TupleDesc tupdesc, Form_pg_index index, char *const *secrets, int nsecrets)
{
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		AttrNumber	attnum = index->indkey.values[i];
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, attnum - 1);
		Oid			output;
		bool		is_varlena;

		if ((attnum == table->organization && index->indnkeyatts > 1) ||
			is_among(NameStr(attribute->attname), secrets, nsecrets))
			continue;
		getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
		fmgr_info(output, &table->outputs[table->nkeys]);
		table->keys[table->nkeys++] = attnum;
	}
}

static void
find_keys(AuditTable *table, Relation relation, char *const *secrets, int nsecrets)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisprimary)
			use_key(table, RelationGetDescr(relation), index, secrets, nsecrets);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
}

static AuditTable *
make_audit_table(Relation relation, char *const *secrets, int nsecrets)
{
	int			natts = RelationGetDescr(relation)->natts;
	AuditTable *table = palloc0(sizeof(AuditTable));
	AttrNumber	organization;

	table->entity = audit_entity(relation);
	organization = get_attnum(RelationGetRelid(relation),
							  strcmp(table->entity, "organizations") == 0 ? "id" : "organization_id");
	if (organization > 0 &&
		TupleDescAttr(RelationGetDescr(relation), organization - 1)->atttypid == UUIDOID)
		table->organization = organization;
	find_keys(table, relation, secrets, nsecrets);
	table->rows = platform_row_json_make(relation, secrets, nsecrets);
	table->names = palloc(natts * sizeof(Datum));
	for (int i = 0; i < natts; i++)
		table->names[i] = CStringGetTextDatum(NameStr(TupleDescAttr(RelationGetDescr(relation), i)->attname));
	table->changed = palloc(natts * sizeof(Datum));
	table->old_values = palloc(natts * sizeof(Datum));
	table->new_values = palloc(natts * sizeof(Datum));
	table->old_isnull = palloc(natts * sizeof(bool));
	table->new_isnull = palloc(natts * sizeof(bool));
	table->unchanged = palloc(natts * sizeof(bool));
	return table;
}

/* That of the statement, made when its first row comes. */
static AuditTable *
audit_table(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		fcinfo->flinfo->fn_extra = make_audit_table(trigger->tg_relation,
													trigger->tg_trigger->tgargs,
													trigger->tg_trigger->tgnargs);
		MemoryContextSwitchTo(old);
	}
	return fcinfo->flinfo->fn_extra;
}

/* The row's name in the entry; NULL when the table has no primary key. */
static const char *
entity_id(AuditTable *table, const Datum *values, const bool *isnull)
{
	StringInfoData text;

	if (table->nkeys == 0)
		return NULL;
	if (table->nkeys == 1 && !isnull[table->keys[0] - 1])
		return OutputFunctionCall(&table->outputs[0], values[table->keys[0] - 1]);
	initStringInfo(&text);
	for (int i = 0; i < table->nkeys; i++)
	{
		int			a = table->keys[i] - 1;

		if (i > 0)
			appendStringInfoChar(&text, ':');
		if (!isnull[a])
			appendStringInfoString(&text, OutputFunctionCall(&table->outputs[i], values[a]));
	}
	return text.data;
}

/* Names of the columns that differ; NULL when none does. Fills table->unchanged. */
static ArrayType *
changed_columns(AuditTable *table, TupleDesc tupdesc)
{
	int			count = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		table->unchanged[i] = attribute->attisdropped ||
			(table->old_isnull[i] ? table->new_isnull[i] : !table->new_isnull[i] &&
			 platform_row_same_value(attribute, table->old_values[i], table->new_values[i]));
		if (!table->unchanged[i])
			table->changed[count++] = table->names[i];
	}
	return count == 0 ? NULL : construct_array(table->changed, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* One entry: from old (NULL: it is new) to new (NULL: it is gone). */
static void
record_change(AuditTable *table, TupleDesc tupdesc, const char *action, HeapTuple old, HeapTuple new)
{
	Datum	   *values = new != NULL ? table->new_values : table->old_values;
	bool	   *isnull = new != NULL ? table->new_isnull : table->old_isnull;
	const bool *left_out = old != NULL && new != NULL ? table->unchanged : NULL;
	PlatformAuditEntry entry = {.action = action, .entity = table->entity};
	MemoryContext context;

	if (old != NULL)
		heap_deform_tuple(old, tupdesc, table->old_values, table->old_isnull);
	if (new != NULL)
		heap_deform_tuple(new, tupdesc, table->new_values, table->new_isnull);
	context = MemoryContextSwitchTo(platform_audit_context());
	if (old != NULL && new != NULL)
	{
		entry.changed = changed_columns(table, tupdesc);
		if (entry.changed == NULL)
		{
			MemoryContextSwitchTo(context);
			return;
		}
	}
	if (old != NULL)
		entry.old = platform_row_json(table->rows, table->old_values, table->old_isnull, left_out);
	if (new != NULL)
		entry.new = platform_row_json(table->rows, table->new_values, table->new_isnull, left_out);
	if (table->organization > 0 && !isnull[table->organization - 1])
		entry.organization = DatumGetUUIDP(values[table->organization - 1]);
	entry.entity_id = entity_id(table, values, isnull);
	MemoryContextSwitchTo(context);
	platform_audit_queue(&entry);
}

/* Entries for the rows of one table that is about to be emptied. */
static int64
record_rows(Relation relation, const TriggerData *trigger)
{
	AuditTable *table = make_audit_table(relation, trigger->tg_trigger->tgargs,
										 trigger->tg_trigger->tgnargs);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "platform audited row",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(row_context);
	int64		count = 0;
	TableScanDesc scan;

	/* All rows go, whatever the transaction's snapshot shows of them. */
	platform_push_latest_snapshot();
	MemoryContextSwitchTo(old_context);
	scan = table_beginscan(relation, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		should_free;

		MemoryContextSwitchTo(row_context);
		record_change(table, RelationGetDescr(relation), "TRUNCATE",
					  ExecFetchSlotHeapTuple(slot, false, &should_free), NULL);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(row_context);
		count++;
	}
	table_endscan(scan);
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row_context);
	return count;
}

/* The rows of the table, or of its partitions, and one entry for all of it. */
static void
record_truncate(const TriggerData *trigger)
{
	Relation	relation = trigger->tg_relation;
	PlatformAuditEntry entry = {.action = "TRUNCATE", .entity = audit_entity(relation)};
	int64		count = 0;
	ListCell   *cell;

	if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		count = record_rows(relation, trigger);
	else
		foreach(cell, find_all_inheritors(RelationGetRelid(relation), AccessExclusiveLock, NULL))
		{
			Relation	part = table_open(lfirst_oid(cell), NoLock);

			if (part->rd_rel->relkind == RELKIND_RELATION)
				count += record_rows(part, trigger);
			table_close(part, NoLock);
		}
	entry.metadata = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum(psprintf("{\"rows\": " INT64_FORMAT "}", count))));
	platform_audit_write(&entry, NULL);
}

/*
 * platform.audit_changes(secret text, ...) returns trigger
 *
 * Writes an entry of audit_logs for each row that the statement inserts, changes
 * or deletes: the new row of an INSERT, the old one of a DELETE, of an UPDATE the
 * columns that changed with their old and new values; who did it; when the
 * statement began. The arguments name columns that hold secrets: their
 * values are masked. An UPDATE that changes nothing in a row leaves no entry.
 * BEFORE TRUNCATE: an entry for each row, and one that counts them. Does nothing
 * where module ops is not installed. Errors: 39P01 when fired otherwise; 42703
 * when a secret column is missing.
 *
 *		CREATE TRIGGER <table>_audit AFTER INSERT OR DELETE OR UPDATE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('api_key');
 *		CREATE TRIGGER <table>_audit_truncate BEFORE TRUNCATE ON <table>
 *			FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('api_key');
 */
Datum
platform_audit_changes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		truncate = CALLED_AS_TRIGGER(fcinfo) && TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
	TriggerEvent event;

	trigger = platform_trigger_guard(fcinfo, "audit_changes", truncate ?
									 GUARD_BEFORE | GUARD_STATEMENT | GUARD_TRUNCATE :
									 GUARD_AFTER | GUARD_ROW | GUARD_INSERT | GUARD_UPDATE | GUARD_DELETE);
	if (!platform_audit_is_installed())
		return PointerGetDatum(NULL);

	event = trigger->tg_event;
	if (truncate)
		record_truncate(trigger);
	else if (TRIGGER_FIRED_BY_INSERT(event))
		record_change(audit_table(fcinfo, trigger), RelationGetDescr(trigger->tg_relation),
					  "INSERT", NULL, trigger->tg_trigtuple);
	else if (TRIGGER_FIRED_BY_UPDATE(event))
		record_change(audit_table(fcinfo, trigger), RelationGetDescr(trigger->tg_relation),
					  "UPDATE", trigger->tg_trigtuple, trigger->tg_newtuple);
	else
		record_change(audit_table(fcinfo, trigger), RelationGetDescr(trigger->tg_relation),
					  "DELETE", trigger->tg_trigtuple, NULL);
	return PointerGetDatum(NULL);
}

/*
 * platform.audit_log(organization_id uuid, action text, entity text DEFAULT NULL,
 *		entity_id text DEFAULT NULL, metadata jsonb DEFAULT NULL, user_id uuid DEFAULT NULL,
 *		action_type text DEFAULT NULL, ip inet DEFAULT NULL, user_agent text DEFAULT NULL)
 *		returns uuid
 *
 * Writes an entry for what no row says, and returns its id. organization_id
 * NULL: the platform's own. Who acts is the caller, as its token or context
 * says. Operators only: 42501. 22004 without an action, 22023 for one longer
 * than 63 characters, 55000 before install().
 */
Datum
platform_audit_log(PG_FUNCTION_ARGS)
{
	PlatformAuditEntry entry = {0};
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	platform_require_operator("write to the audit trail");
	platform_require_module(&platform_ops_module);
	entry.organization = platform_ops_optional_uuid(fcinfo, 0);
	entry.action = platform_ops_text(fcinfo, 1, "action", 63);
	entry.entity = platform_ops_optional_text(fcinfo, 2, "entity", 255);
	entry.entity_id = platform_ops_optional_text(fcinfo, 3, "entity_id", 255);
	entry.metadata = platform_ops_optional_object(fcinfo, 4, "metadata");
	entry.user = platform_ops_optional_uuid(fcinfo, 5);
	entry.action_type = platform_ops_optional_text(fcinfo, 6, "action_type", 63);
	entry.ip = PG_ARGISNULL(7) ? NULL : PG_GETARG_INET_PP(7);
	entry.user_agent = platform_ops_optional_text(fcinfo, 8, "user_agent", 1000);
	platform_audit_write(&entry, id);
	PG_RETURN_UUID_P(id);
}
