/*
 * append.c
 *	  Adding rows to a log past the executor: see append.h.
 *
 * State: per table its attribute numbers and the form of its indexes, under
 * the rules of cache.h. A table with an index that is no plain btree, or with
 * defaults that only the executor knows, is written in the executor's way:
 * right, and slower.
 */
#include "core/platform.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "executor/executor.h"
#include "nodes/primnodes.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/append.h"
#include "core/module.h"
#include "core/partition.h"

void
platform_append_register(PlatformAppendTable *table)
{
	platform_cache_register(&table->cache);
}

static bool
append_column_is_ours(const PlatformAppendTable *table, AttrNumber attnum)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (table->attnums[i] == attnum)
			return true;
	return false;
}

/* Has it columns of somebody else's with defaults, or computed ones? */
static bool
append_has_other_defaults(PlatformAppendTable *table, Relation relation)
{
	TupleDesc	tupdesc = RelationGetDescr(relation);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || append_column_is_ours(table, i + 1))
			continue;
		if (attribute->atthasdef || attribute->attnotnull || attribute->attgenerated)
			return true;
	}
	return false;
}

static void
append_find_not_null(PlatformAppendTable *table, TupleDesc tupdesc)
{
	table->nnot_null = 0;
	for (int i = 0; i < table->ncolumns; i++)
		if (TupleDescAttr(tupdesc, table->attnums[i] - 1)->attnotnull)
			table->not_null[table->nnot_null++] = table->attnums[i];
}

static void
append_require_value(PlatformAppend *append, const TupleTableSlot *slot, AttrNumber attnum)
{
	const char *column;

	if (!slot->tts_isnull[attnum - 1])
		return;
	column = NameStr(TupleDescAttr(RelationGetDescr(append->relation), attnum - 1)->attname);
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
					column, RelationGetRelationName(append->relation)),
			 errtablecol(append->relation, attnum)));
}

/* The column c of a predicate "c IS NOT NULL", or 0. */
static AttrNumber
predicate_column(Relation index)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	NullTest   *test;

	if (list_length(predicate) != 1 || !IsA(linitial(predicate), NullTest))
		return 0;
	test = linitial_node(NullTest, predicate);
	if (test->nulltesttype != IS_NOT_NULL || test->argisrow || !IsA(test->arg, Var))
		return 0;
	return ((Var *) test->arg)->varattno;
}

/* Describes the index; false when it is not of the plain kind. */
static bool
append_describe_index(PlatformAppendIndex *plain, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid || !form->indisready ||
		!form->indimmediate || form->indisexclusion || form->indnatts > PLATFORM_APPEND_MAX_KEYS ||
		RelationGetIndexExpressions(index) != NIL)
		return false;
	plain->not_null = 0;
	if (RelationGetIndexPredicate(index) != NIL && (plain->not_null = predicate_column(index)) <= 0)
		return false;
	plain->indexid = RelationGetRelid(index);
	plain->unique = form->indisunique;
	plain->nkeys = form->indnatts;
	for (int i = 0; i < plain->nkeys; i++)
		plain->keys[i] = form->indkey.values[i];
	return true;
}

/* Fills what is private in table; the relation is open and locked. */
static void
append_resolve(PlatformAppendTable *table, Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	platform_row_find_columns(table->cache.tables[0], relation, table->columns, table->ncolumns,
							  table->attnums);
	append_find_not_null(table, RelationGetDescr(relation));
	table->plain = relation->rd_rel->relkind == RELKIND_RELATION &&
		!append_has_other_defaults(table, relation);
	table->nindexes = 0;
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (table->plain && table->nindexes < PLATFORM_APPEND_MAX_INDEXES &&
			append_describe_index(&table->indexes[table->nindexes], index))
			table->nindexes++;
		else
			table->plain = false;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	table->resolved = RelationGetRelid(relation);
}

/* Opens the partition; NULL when it has gone meanwhile. */
static Relation
append_open_partition(Relation parent, const TimestampTz *moment)
{
	Oid			partition = moment == NULL ? InvalidOid : platform_partition_find(parent, *moment);

	if (!OidIsValid(partition))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("table \"%s\" has no partition for the row", RelationGetRelationName(parent)),
				 errhint("Run SELECT * FROM platform.create_log_partitions().")));
	return try_relation_open(partition, RowExclusiveLock);
}

/*
 * One attempt to open the table, and the partition in it. False when what is
 * known of it turned out to be old.
 */
static bool
append_try_open(PlatformAppend *append, PlatformAppendTable *table, const TimestampTz *moment)
{
	Relation	relation;

	/* Taking a lock may bring news. */
	append->parent = NULL;
	relation = try_relation_open(table->cache.relids[0], RowExclusiveLock);
	if (relation != NULL && table->cache.valid &&
		relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		append->parent = relation;
		relation = append_open_partition(append->parent, moment);
	}
	if (relation != NULL && table->cache.valid)
	{
		if (table->resolved != RelationGetRelid(relation))
		{
			platform_cache_watch(&table->cache, RelationGetRelid(relation));
			append_resolve(table, relation);
		}
		if (table->cache.valid)
		{
			append->relation = relation;
			return true;
		}
	}
	if (relation != NULL)
		relation_close(relation, RowExclusiveLock);
	if (append->parent != NULL)
		relation_close(append->parent, RowExclusiveLock);
	return false;
}

static void
append_open(PlatformAppend *append, PlatformAppendTable *table, int capacity,
			const TimestampTz *moment)
{
	if (XactReadOnly)
		PreventCommandIfReadOnly("INSERT");
	PreventCommandIfParallelMode("INSERT");
	PreventCommandDuringRecovery("INSERT");

	for (;;)
	{
		if (!platform_cache_is_valid(&table->cache))
		{
			platform_cache_begin_fill(&table->cache);
			table->resolved = InvalidOid;
			if (!OidIsValid(table->cache.relids[0]))
				platform_relation_oid(table->cache.tables[0], false);
		}
		if (append_try_open(append, table, moment))
			break;
		platform_cache_discard(&table->cache);
	}

	append->table = table;
	append->plain = table->plain;
	memset(append->index_relations, 0, sizeof(append->index_relations));
	append->slots = palloc(capacity * sizeof(TupleTableSlot *));
	append->nslots = 0;
	append->count = 0;
	append->capacity = capacity;
}

void
platform_append_open(PlatformAppend *append, PlatformAppendTable *table, int capacity)
{
	append_open(append, table, capacity, NULL);
}

void
platform_append_open_at(PlatformAppend *append, PlatformAppendTable *table, int capacity,
						TimestampTz moment)
{
	append_open(append, table, capacity, &moment);
}

void
platform_append_close(PlatformAppend *append)
{
	for (int i = 0; i < append->nslots; i++)
		ExecDropSingleTupleTableSlot(append->slots[i]);
	pfree(append->slots);
	for (int i = 0; i < PLATFORM_APPEND_MAX_INDEXES; i++)
		if (append->index_relations[i] != NULL)
			index_close(append->index_relations[i], NoLock);
	table_close(append->relation, NoLock);
	if (append->parent != NULL)
		table_close(append->parent, NoLock);
}

TupleTableSlot *
platform_append_row(PlatformAppend *append)
{
	TupleTableSlot *slot;

	if (append->count == append->nslots)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(append->slots));

		if (append->nslots == append->capacity)
		{
			append->capacity *= 2;
			append->slots = repalloc(append->slots, append->capacity * sizeof(TupleTableSlot *));
		}
		append->slots[append->nslots++] = table_slot_create(append->relation, NULL);
		MemoryContextSwitchTo(old);
	}
	slot = append->slots[append->count++];
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	return slot;
}

/* Values of the columns that the table's list does not name. */
static void
append_fill_defaults(PlatformAppend *append, EState *estate)
{
	TupleDesc	tupdesc = RelationGetDescr(append->relation);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		Expr	   *expression;
		ExprState  *state;

		if (attribute->attisdropped || attribute->attgenerated || !attribute->atthasdef ||
			append_column_is_ours(append->table, i + 1))
			continue;
		expression = (Expr *) build_column_default(append->relation, i + 1);
		if (expression == NULL)
			continue;
		state = ExecPrepareExpr(expression, estate);
		for (int row = 0; row < append->count; row++)
			append->slots[row]->tts_values[i] =
				ExecEvalExpr(state, GetPerTupleExprContext(estate),
							 &append->slots[row]->tts_isnull[i]);
	}
}

/* NOT NULL of the columns that the list does not name. */
static void
append_require_other_values(PlatformAppend *append)
{
	TupleDesc	tupdesc = RelationGetDescr(append->relation);

	for (int i = 0; i < tupdesc->natts; i++)
		if (TupleDescAttr(tupdesc, i)->attnotnull &&
			!append_column_is_ours(append->table, i + 1))
			for (int row = 0; row < append->count; row++)
				append_require_value(append, append->slots[row], i + 1);
}

/* Writes the rows as the executor would, but for triggers and checks. */
static void
append_as_executor(PlatformAppend *append)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);
	TupleConstr *constraints = RelationGetDescr(append->relation)->constr;

	InitResultRelInfo(result, append->relation, 0, NULL, 0);
	ExecOpenIndices(result, false);
	append_fill_defaults(append, estate);
	append_require_other_values(append);
	for (int i = 0; i < append->count; i++)
	{
		TupleTableSlot *slot = append->slots[i];

		ExecStoreVirtualTuple(slot);
		slot->tts_tableOid = RelationGetRelid(append->relation);
		if (constraints != NULL && constraints->has_generated_stored)
			ExecComputeStoredGenerated(result, estate, slot, CMD_INSERT);
		table_tuple_insert(append->relation, slot, GetCurrentCommandId(true), 0, NULL);
		platform_insert_index_entries(result, slot, estate, false);
		ResetPerTupleExprContext(estate);
	}
	ExecCloseIndices(result);
	FreeExecutorState(estate);
	pfree(result);
}

/* The row's entry in an index; false when that may not be the only one. */
static bool
append_index_entry(PlatformAppend *append, int place, TupleTableSlot *slot, IndexUniqueCheck check)
{
	const PlatformAppendIndex *plain = &append->table->indexes[place];
	IndexInfo	info = {.type = T_IndexInfo, .ii_Unique = plain->unique, .ii_ReadyForInserts = true};
	Datum		values[PLATFORM_APPEND_MAX_KEYS];
	bool		isnull[PLATFORM_APPEND_MAX_KEYS];

	if (plain->not_null > 0 && slot->tts_isnull[plain->not_null - 1])
		return true;
	if (append->index_relations[place] == NULL)
		append->index_relations[place] = index_open(plain->indexid, RowExclusiveLock);
	for (int k = 0; k < plain->nkeys; k++)
	{
		values[k] = slot->tts_values[plain->keys[k] - 1];
		isnull[k] = slot->tts_isnull[plain->keys[k] - 1];
	}
	return index_insert(append->index_relations[place], values, isnull, &slot->tts_tid, append->relation,
						plain->unique ? check : UNIQUE_CHECK_NO, false, &info) ||
		!plain->unique;
}

static void
append_require_values(PlatformAppend *append)
{
	for (int i = 0; i < append->count; i++)
		for (int j = 0; j < append->table->nnot_null; j++)
			append_require_value(append, append->slots[i], append->table->not_null[j]);
}

static void
append_store(PlatformAppend *append)
{
	for (int i = 0; i < append->count; i++)
	{
		ExecStoreVirtualTuple(append->slots[i]);
		append->slots[i]->tts_tableOid = RelationGetRelid(append->relation);
	}
}

void
platform_append_flush(PlatformAppend *append)
{
	if (append->count == 0)
		return;
	append_require_values(append);
	if (!append->plain)
		append_as_executor(append);
	else
	{
		CommandId	cid = GetCurrentCommandId(true);

		append_store(append);
		if (append->count == 1)
			table_tuple_insert(append->relation, append->slots[0], cid, 0, NULL);
		else
			table_multi_insert(append->relation, append->slots, append->count, cid, 0, NULL);

		/* Storing a row leaves the values in its slot as they were. */
		for (int i = 0; i < append->table->nindexes; i++)
			for (int row = 0; row < append->count; row++)
				(void) append_index_entry(append, i, append->slots[row], UNIQUE_CHECK_YES);
	}
	append->count = 0;

	/* What comes next in the same command must see the rows. */
	CommandCounterIncrement();
}

/*
 * As the executor does it for ON CONFLICT: the row is not there for anybody until it is
 * known to be the only one, and who meets it meanwhile waits for that.
 */
bool
platform_append_flush_once(PlatformAppend *append)
{
	TransactionId xid;
	uint32		token;
	bool		only = true;

	Assert(append->count == 1);
	append_require_values(append);
	if (!append->plain)
	{
		append->count = 0;
		return false;
	}
	append_store(append);
	xid = GetCurrentTransactionId();
	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(append->relation, append->slots[0], GetCurrentCommandId(true),
								   0, NULL, token);
	for (int i = 0; only && i < append->table->nindexes; i++)
		only = append_index_entry(append, i, append->slots[0], UNIQUE_CHECK_PARTIAL);
	table_tuple_complete_speculative(append->relation, append->slots[0], token, only);
	SpeculativeInsertionLockRelease(xid);
	append->count = 0;
	CommandCounterIncrement();
	return only;
}
