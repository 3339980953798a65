/*
 * row.c
 *	  Direct access to one row by its key: see row.h.
 *
 * State: per table the Oid of its index, attribute numbers and scan keys,
 * under the rules of cache.h: any change of the relation discards them.
 * Scan keys hold function look-ups of built-in functions and no memory.
 *
 * Rows are found with SnapshotSelf, which needs no snapshot of the running
 * transactions. Its one weakness, a row whose versions move between pages
 * while it is looked for, shows as "not found": then a real snapshot decides.
 *
 * A transaction that updates one row again and again would search a longer and
 * longer chain of its own dead versions; so the place of the version written
 * last is remembered while its (sub)transaction is in progress. The lock on the table
 * keeps the place from being vacuumed away.
 */
#include "core/platform.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/module.h"
#include "core/partition.h"
#include "core/row.h"
#include "core/row_index.h"

/* Versions that a page should have room for. */
#define ROW_ROOM 3

/* Lines of 64 bytes of a row to ask for; the processor guesses the rest. */
#define ROW_LINES 4

void
platform_row_register(PlatformRowTable *table)
{
	platform_cache_register(&table->cache);
}

static void
row_shape_error(const char *table, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s.%s\" does not have the form that this library writes",
					PLATFORM_SCHEMA, table),
			 errdetail_internal("%s", detail),
			 errhint("Run SELECT * FROM platform.install().")));
}

void
platform_row_find_columns(const char *table, Relation relation,
						  const PlatformRowColumn *columns, int ncolumns, AttrNumber *attnums)
{
	TupleDesc	tupdesc = RelationGetDescr(relation);

	for (int i = 0; i < ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(relation), columns[i].name);

		if (attnum <= 0 || TupleDescAttr(tupdesc, attnum - 1)->atttypid != columns[i].type)
			row_shape_error(table, psprintf("It needs a column \"%s\" of type %s.",
											columns[i].name, format_type_be(columns[i].type)));
		attnums[i] = attnum;
	}
}

/* Is it a unique index over exactly the key columns, in their order, usable now? */
static bool
row_index_fits(PlatformRowTable *table, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisunique || !form->indisvalid ||
		!form->indimmediate || form->indnkeyatts != table->nkeys ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < table->nkeys; i++)
		if (form->indkey.values[i] != table->attnums[i])
			return false;
	return true;
}

static void
row_build_scankeys(PlatformRowTable *table, Relation index)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < table->nkeys; i++)
	{
		Oid			type = index->rd_opcintype[i];
		Oid			operator = get_opfamily_member(index->rd_opfamily[i], type, type,
												   BTEqualStrategyNumber);

		if (!OidIsValid(operator))
			elog(ERROR, "missing equality operator for type %u", type);
		ScanKeyInit(&table->scankeys[i], i + 1, BTEqualStrategyNumber,
					get_opcode(operator), (Datum) 0);
		table->scankeys[i].sk_collation = index->rd_indcollation[i];
	}
	MemoryContextSwitchTo(old);
}

/* Fills what is private in table; the relation is open and locked. */
static void
row_resolve(PlatformRowTable *table, Relation relation)
{
	const char *name = table->cache.tables[0];
	List	   *indexes;
	ListCell   *cell;

	if (relation->rd_rel->relkind != RELKIND_RELATION || relation->rd_rel->relam != HEAP_TABLE_AM_OID)
		row_shape_error(name, "It must be an ordinary table.");
	platform_row_find_columns(name, relation, table->columns, table->ncolumns, table->attnums);

	table->resolved = table->indexid = InvalidOid;
	table->last_xid = InvalidTransactionId;
	for (int i = 0; i < table->nkeys; i++)
		Assert(!table->remembers || table->columns[i].type == UUIDOID);
	indexes = RelationGetIndexList(relation);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (!OidIsValid(table->indexid) && row_index_fits(table, index))
		{
			row_build_scankeys(table, index);
			table->indexid = RelationGetRelid(index);
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	if (!OidIsValid(table->indexid))
		row_shape_error(name, "It needs its primary key.");
	table->resolved = RelationGetRelid(relation);
}

/* What heap access does not ask, being below the executor. */
static void
row_require_writable(void)
{
	if (XactReadOnly)
		PreventCommandIfReadOnly("UPDATE");
	PreventCommandIfParallelMode("UPDATE");
	PreventCommandDuringRecovery("UPDATE");
}

/* The partition for the moment in place of the table; NULL when there is none. */
static Relation
row_open_partition(Relation parent, TimestampTz moment, LOCKMODE lockmode)
{
	Oid			partition = platform_partition_find(parent, moment);

	return OidIsValid(partition) ? try_relation_open(partition, lockmode) : NULL;
}

/*
 * One attempt to open the table, or for moment not NULL the partition in it. False
 * when what is known of it turned out to be old.
 */
static bool
row_try_open(PlatformRow *row, PlatformRowTable *table, LOCKMODE lockmode,
			 const TimestampTz *moment)
{
	/* Taking a lock may bring news. */
	row->parent = NULL;
	row->relation = try_relation_open(table->cache.relids[0], lockmode);
	if (row->relation == NULL)
		return false;
	if (moment != NULL && table->cache.valid &&
		row->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		row->parent = row->relation;
		row->relation = row_open_partition(row->parent, *moment, lockmode);
		if (row->relation == NULL)
			return table->cache.valid;
	}
	if (table->cache.valid && table->resolved != RelationGetRelid(row->relation))
	{
		platform_cache_watch(&table->cache, RelationGetRelid(row->relation));
		row_resolve(table, row->relation);
	}
	return table->cache.valid;
}

static void
row_close_relations(PlatformRow *row, LOCKMODE lockmode)
{
	if (row->relation != NULL)
		relation_close(row->relation, lockmode);
	if (row->parent != NULL)
		relation_close(row->parent, lockmode);
}

/* False when there is no partition for the moment. */
static bool
row_open(PlatformRow *row, PlatformRowTable *table, LOCKMODE lockmode, const TimestampTz *moment)
{
	int			natts;

	for (;;)
	{
		if (!platform_cache_is_valid(&table->cache))
		{
			platform_cache_begin_fill(&table->cache);
			table->resolved = InvalidOid;
			if (!OidIsValid(table->cache.relids[0]))
				platform_relation_oid(table->cache.tables[0], false);
		}
		if (row_try_open(row, table, lockmode, moment))
			break;
		row_close_relations(row, lockmode);
		platform_cache_discard(&table->cache);
	}
	if (row->relation == NULL)
	{
		row_close_relations(row, NoLock);
		return false;
	}

	natts = RelationGetDescr(row->relation)->natts;
	row->table = table;
	row->index = NULL;
	row->lockmode = lockmode;
	row->slot = table_slot_create(row->relation, NULL);
	row->new_slot = NULL;
	row->estate = NULL;
	row->indexes = NULL;
	row->scan = NULL;
	row->values = palloc(natts * sizeof(Datum));
	row->isnull = palloc(natts * sizeof(bool));
	memcpy(row->scankeys, table->scankeys, table->nkeys * sizeof(ScanKeyData));
	return true;
}

void
platform_row_keep_indexes(PlatformRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(row->values));

	if (row->estate == NULL)
		platform_row_open_indexes(row);
	MemoryContextSwitchTo(old);
}

void
platform_row_open(PlatformRow *row, PlatformRowTable *table)
{
	row_require_writable();
	(void) row_open(row, table, RowExclusiveLock, NULL);
}

void
platform_row_open_read(PlatformRow *row, PlatformRowTable *table)
{
	(void) row_open(row, table, AccessShareLock, NULL);
}

bool
platform_row_open_read_at(PlatformRow *row, PlatformRowTable *table, TimestampTz moment)
{
	return row_open(row, table, AccessShareLock, &moment);
}

bool
platform_row_is_at(const PlatformRow *row, TimestampTz moment)
{
	return row->parent == NULL ||
		platform_partition_find(row->parent, moment) == RelationGetRelid(row->relation);
}

void
platform_row_close(PlatformRow *row)
{
	if (row->estate != NULL)
		platform_row_close_indexes(row);
	if (row->new_slot != NULL)
		ExecDropSingleTupleTableSlot(row->new_slot);
	ExecDropSingleTupleTableSlot(row->slot);
	pfree(row->values);
	pfree(row->isnull);
	if (row->index != NULL)
		index_close(row->index, NoLock);
	row_close_relations(row, NoLock);
}

/* Takes over the version in the slot. */
static void
row_load(PlatformRow *row)
{
	int			natts = RelationGetDescr(row->relation)->natts;

	slot_getallattrs(row->slot);
	memcpy(row->values, row->slot->tts_values, natts * sizeof(Datum));
	memcpy(row->isnull, row->slot->tts_isnull, natts * sizeof(bool));
	row->tid = row->slot->tts_tid;
}

static void
row_begin_index(PlatformRow *row, Relation index, ScanKey keys, int nkeys, Snapshot snapshot)
{
#if PG_VERSION_NUM >= 180000
	row->scan = index_beginscan(row->relation, index, snapshot, NULL, nkeys, 0);
#else
	row->scan = index_beginscan(row->relation, index, snapshot, nkeys, 0);
#endif
	index_rescan(row->scan, keys, nkeys, NULL, 0);
}

static void
row_begin(PlatformRow *row, int nkeys, Snapshot snapshot)
{
	if (row->index == NULL)
		row->index = index_open(row->table->indexid, row->lockmode);
	row_begin_index(row, row->index, row->scankeys, nkeys, snapshot);
}

void
platform_row_scan_begin(PlatformRow *row, const Datum *keys, int nkeys, bool latest)
{
	for (int i = 0; i < nkeys; i++)
		row->scankeys[i].sk_argument = keys[i];
	row->scan_pushed_snapshot = latest;
	if (latest)
		platform_push_latest_snapshot();
	row_begin(row, nkeys, latest ? GetActiveSnapshot() : SnapshotSelf);
}

bool
platform_row_scan_next(PlatformRow *row)
{
	if (!index_getnext_slot(row->scan, ForwardScanDirection, row->slot))
		return false;
	row_load(row);
	return true;
}

void
platform_row_scan_end(PlatformRow *row)
{
	index_endscan(row->scan);
	row->scan = NULL;
	if (row->scan_pushed_snapshot)
		PopActiveSnapshot();
}

static void
range_key(ScanKey key, Relation index, AttrNumber column, StrategyNumber strategy, Datum value)
{
	Oid			type = index->rd_opcintype[column - 1];
	Oid			operator = get_opfamily_member(index->rd_opfamily[column - 1], type, type, strategy);

	if (!OidIsValid(operator))
		elog(ERROR, "missing operator %d for type %u", strategy, type);
	ScanKeyInit(key, column, strategy, get_opcode(operator), value);
	key->sk_collation = index->rd_indcollation[column - 1];
}

void
platform_row_range_begin(PlatformRow *row, const char *index, Datum first, Datum from, Datum to)
{
	Oid			indexid = platform_relation_oid(index, false);
	ScanKeyData keys[3];

	row->range_index = index_open(indexid, AccessShareLock);
	if (row->range_index->rd_index->indrelid != RelationGetRelid(row->relation) ||
		row->range_index->rd_rel->relam != BTREE_AM_OID || !row->range_index->rd_index->indisvalid ||
		row->range_index->rd_index->indnkeyatts < 2)
		row_shape_error(row->table->cache.tables[0], psprintf("It needs its index \"%s\".", index));
	range_key(&keys[0], row->range_index, 1, BTEqualStrategyNumber, first);
	range_key(&keys[1], row->range_index, 2, BTGreaterEqualStrategyNumber, from);
	range_key(&keys[2], row->range_index, 2, BTLessEqualStrategyNumber, to);
	platform_push_latest_snapshot();
	row_begin_index(row, row->range_index, keys, lengthof(keys), GetActiveSnapshot());
}

bool
platform_row_range_next(PlatformRow *row)
{
	return platform_row_scan_next(row);
}

void
platform_row_range_end(PlatformRow *row)
{
	index_endscan(row->scan);
	row->scan = NULL;
	index_close(row->range_index, AccessShareLock);
	PopActiveSnapshot();
}

/* The bytes of one key; the new length, or -1 when there is no room. */
static int
append_key(char *bytes, int length, Datum value, Form_pg_attribute attribute)
{
	const void *source = attribute->attbyval ? (const void *) &value : DatumGetPointer(value);
	int			size = attribute->attbyval ? (int) sizeof(Datum) : attribute->attlen;

	if (length < 0)
		return -1;
	if (attribute->attlen == -1)
	{
		if (VARATT_IS_EXTENDED(source) && !VARATT_IS_SHORT(source))
			return -1;
		size = VARSIZE_ANY_EXHDR(source);
		source = VARDATA_ANY(source);
	}
	else if (attribute->attlen < 0)
		return -1;
	if (size > PLATFORM_ROW_KEY_BYTES - length)
		return -1;
	memcpy(bytes + length, source, size);
	return length + size;
}

/* The bytes of the keys; -1 when there is no room. */
static int
row_key_bytes(const PlatformRow *row, const Datum *keys, char *bytes)
{
	TupleDesc	tupdesc = RelationGetDescr(row->relation);
	int			length = 0;

	for (int i = 0; i < row->table->nkeys; i++)
		length = append_key(bytes, length, keys[i],
							TupleDescAttr(tupdesc, row->table->attnums[i] - 1));
	return length;
}

/* The version that this transaction has just written, if it is what is looked for. */
static bool
row_find_last(PlatformRow *row, const Datum *keys)
{
	PlatformRowTable *table = row->table;
	char		bytes[PLATFORM_ROW_KEY_BYTES];
	int			length;

	if (!TransactionIdIsValid(table->last_xid))
		return false;
	if (!TransactionIdIsCurrentTransactionId(table->last_xid))
	{
		table->last_xid = InvalidTransactionId;
		return false;
	}
	length = row_key_bytes(row, keys, bytes);
	if (length != table->last_length || memcmp(bytes, table->last_keys, length) != 0 ||
		!table_tuple_fetch_row_version(row->relation, &table->last_tid, SnapshotSelf, row->slot))
		return false;
	row_load(row);
	return true;
}

static void
row_remember_last(PlatformRow *row)
{
	PlatformRowTable *table = row->table;
	Datum		keys[PLATFORM_ROW_MAX_KEYS];

	for (int i = 0; i < table->nkeys; i++)
		keys[i] = row->values[table->attnums[i] - 1];
	table->last_length = row_key_bytes(row, keys, table->last_keys);
	table->last_tid = row->tid;
	table->last_xid = table->last_length > 0 ? GetCurrentTransactionId() : InvalidTransactionId;
}

bool
platform_row_fetch(PlatformRow *row, ItemPointer tid)
{
	if (!table_tuple_fetch_row_version(row->relation, tid, SnapshotSelf, row->slot))
		return false;
	row_load(row);
	return true;
}

/*
 * Searches the versions that the index entry leads to for the one that is valid
 * now. Free space of the page is told in *free.
 */
static bool
row_search(PlatformRow *row, const ItemPointerData *root, Buffer buffer, HeapTuple tuple,
		   bool *all_dead, Size *free)
{
	ItemPointerData tid = *root;
	bool		found;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(&tid, row->relation, buffer, SnapshotSelf, tuple, all_dead,
								   true);
	*free = PageGetHeapFreeSpace(BufferGetPage(buffer));
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return found;
}

/*
 * Takes that version into the slot, which pins it. Frees the page of dead
 * versions when it has room for few new ones; the server's index scan does so
 * on each visit of a page that is fuller than its fillfactor, which for a row
 * that is updated all the time is a record in the log each time.
 */
static bool
row_fetch(PlatformRow *row, const ItemPointerData *tid, Buffer buffer, bool *all_dead)
{
	HeapTuple	tuple;
	bool		found;
	Size		free;

	ExecClearTuple(row->slot);
	tuple = &((BufferHeapTupleTableSlot *) row->slot)->base.tupdata;
	found = row_search(row, tid, buffer, tuple, all_dead, &free);
	if (found && !row->table->immutable &&
		free < Max(ROW_ROOM * MAXALIGN(tuple->t_len), BLCKSZ / 10))
	{
		heap_page_prune_opt(row->relation, buffer);
		found = row_search(row, tid, buffer, tuple, all_dead, &free);
	}
	if (found)
		ExecStorePinnedBufferHeapTuple(tuple, row->slot, buffer);
	else
		ReleaseBuffer(buffer);
	return found;
}

/* Are the keys of the row found those? */
static bool
row_has_keys(const PlatformRow *row, const Datum *keys)
{
	for (int i = 0; i < row->table->nkeys; i++)
	{
		int			place = row->table->attnums[i] - 1;
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(row->relation), place);

		if (row->isnull[place] ||
			!datum_image_eq(row->values[place], keys[i], attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}

/* The page, if it still is in that buffer; InvalidBuffer when not, also when it is gone. */
static Buffer
row_read_recent(const PlatformRow *row, const PlatformPlace *place)
{
#if PG_VERSION_NUM >= 160000
	RelFileLocator file = row->relation->rd_locator;
#else
	RelFileNode file = row->relation->rd_node;
#endif

	return ReadRecentBuffer(file, MAIN_FORKNUM, ItemPointerGetBlockNumber(&place->tid),
							place->buffer) ? place->buffer : InvalidBuffer;
}

/* Keys of tables that remember are uuids. */
static uint32
row_hash(const PlatformRowTable *table, const Datum *keys)
{
	unsigned char bytes[PLATFORM_ROW_MAX_KEYS * UUID_LEN];

	for (int i = 0; i < table->nkeys; i++)
		memcpy(bytes + i * UUID_LEN, DatumGetUUIDP(keys[i]), UUID_LEN);
	return hash_bytes(bytes, table->nkeys * UUID_LEN);
}

/*
 * Neither the page nor the row is in the processor's cache, as a rule: they are asked
 * for at once, where the server would read the one to find the other.
 */
void
platform_row_expect(PlatformRowTable *table, const Datum *keys)
{
	const PlatformPlace *place = platform_place_find(&table->places, row_hash(table, keys));
	const char *page;

	if (place == NULL)
		return;
	page = BufferGetPage(place->buffer);
	__builtin_prefetch(GetBufferDescriptor(place->buffer - 1));
	__builtin_prefetch(page);
	for (int line = 0; line < ROW_LINES; line++)
		__builtin_prefetch(page + Min(place->offset + line * PG_CACHE_LINE_SIZE / 2, BLCKSZ - 1));
}

/* Where the row found is in its page. */
static uint16
row_offset(const PlatformRow *row, Buffer buffer)
{
	HeapTuple	tuple = ((HeapTupleTableSlot *) row->slot)->tuple;

	return (char *) tuple->t_data - (char *) BufferGetPage(buffer);
}

/* Where this backend found it before, if it still is there. */
static bool
row_find_at(PlatformRow *row, const Datum *keys, uint32 hash)
{
	PlatformPlace *place = platform_place_find(&row->table->places, hash);
	bool		all_dead = false;
	Buffer		buffer;

	if (place == NULL)
		return false;
	buffer = row_read_recent(row, place);
	if (buffer == InvalidBuffer || !row_fetch(row, &place->tid, buffer, &all_dead))
		return false;
	place->offset = row_offset(row, buffer);
	row_load(row);
	return row_has_keys(row, keys);
}

/* By the index and SnapshotSelf. */
static bool
row_find_now(PlatformRow *row, const Datum *keys, int nkeys, uint32 hash)
{
	ItemPointer tid;
	bool		found = false;

	for (int i = 0; i < nkeys; i++)
		row->scankeys[i].sk_argument = keys[i];
	row_begin(row, nkeys, SnapshotSelf);
	while (!found && (tid = index_getnext_tid(row->scan, ForwardScanDirection)) != NULL)
	{
		Buffer		buffer = ReadBuffer(row->relation, ItemPointerGetBlockNumber(tid));
		bool		all_dead = false;

		found = row_fetch(row, tid, buffer, &all_dead);
		/* What is dead here may not be on the server that this one follows. */
		row->scan->kill_prior_tuple = all_dead && !row->scan->xactStartedInRecovery;
		if (found && row->table->remembers && nkeys == row->table->nkeys)
			platform_place_remember(&row->table->places, hash, tid, buffer, row_offset(row, buffer));
	}
	index_endscan(row->scan);
	row->scan = NULL;
	if (found)
		row_load(row);
	return found;
}

/* Not found at once: it may have moved meanwhile. */
static bool
row_find_latest(PlatformRow *row, const Datum *keys, int nkeys)
{
	bool		found;

	if (row->table->immutable)
		return false;
	platform_row_scan_begin(row, keys, nkeys, true);
	found = platform_row_scan_next(row);
	platform_row_scan_end(row);
	return found;
}

bool
platform_row_find(PlatformRow *row, const Datum *keys)
{
	uint32		hash = row->table->remembers ? row_hash(row->table, keys) : 0;

	return row_find_last(row, keys) ||
		(row->table->remembers && row_find_at(row, keys, hash)) ||
		row_find_now(row, keys, row->table->nkeys, hash) ||
		row_find_latest(row, keys, row->table->nkeys);
}

bool
platform_row_find_first(PlatformRow *row, const Datum *keys, int nkeys)
{
	return row_find_now(row, keys, nkeys, 0) || row_find_latest(row, keys, nkeys);
}

TransactionId
platform_row_xmin(const PlatformRow *row)
{
	return HeapTupleHeaderGetXmin(ExecFetchSlotHeapTuple(row->slot, false, NULL)->t_data);
}

#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes RowIndexes;
#define ROW_INDEXES_NONE(indexes) ((indexes) == TU_None)
#define ROW_INDEXES_SUMMARIZING(indexes) ((indexes) == TU_Summarizing)
#else
typedef bool RowIndexes;
#define ROW_INDEXES_NONE(indexes) (!(indexes))
#define ROW_INDEXES_SUMMARIZING(indexes) false
#endif

static TM_Result
row_try_update(PlatformRow *row, bool wait, RowIndexes *indexes)
{
	TM_FailureData failure;
	LockTupleMode lockmode;

	return table_tuple_update(row->relation, &row->tid, row->new_slot,
							  GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot,
							  wait, &failure, &lockmode, indexes);
}

/* Columns that somebody has added and the server computes from the others. */
static void
row_compute_generated(PlatformRow *row)
{
	bool		kept = row->estate != NULL;

	if (!kept)
		platform_row_open_indexes(row);
	row->new_slot->tts_tableOid = RelationGetRelid(row->relation);
	ExecComputeStoredGenerated(row->indexes, row->estate, row->new_slot, CMD_INSERT);
	if (kept)
		ResetPerTupleExprContext(row->estate);
	else
		platform_row_close_indexes(row);
}

static PlatformRowResult
row_write(PlatformRow *row, bool locked)
{
	TupleConstr *constraints = RelationGetDescr(row->relation)->constr;
	HeapTuple	tuple;
	TM_Result	result;
	RowIndexes	indexes;

	/*
	 * table_tuple_update() offers not to wait, and does that well; but a server
	 * built with assertions has one against it, so there it is asked before.
	 */
#ifdef USE_ASSERT_CHECKING
	if (!locked && platform_row_is_busy(row))
		return ROW_BUSY;
	locked = true;
#endif
	if (row->new_slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(row->values));

		row->new_slot = MakeSingleTupleTableSlot(RelationGetDescr(row->relation),
												 &TTSOpsHeapTuple);
		MemoryContextSwitchTo(old);
	}
	tuple = heap_form_tuple(RelationGetDescr(row->relation), row->values, row->isnull);
	tuple->t_tableOid = RelationGetRelid(row->relation);
	ExecForceStoreHeapTuple(tuple, row->new_slot, true);
	if (constraints != NULL && constraints->has_generated_stored)
		row_compute_generated(row);

	result = row_try_update(row, locked, &indexes);

	/* A lock of this transaction's own, as of SELECT FOR UPDATE, is no obstacle. */
	if (result == TM_BeingModified && !platform_row_is_busy(row))
		result = row_try_update(row, true, &indexes);

	switch (result)
	{
		case TM_Ok:
			break;
		case TM_BeingModified:
			ExecClearTuple(row->new_slot);
			return ROW_BUSY;
		case TM_SelfModified:
		case TM_Invisible:
			/* This command wrote the row by other means: become able to see it. */
			CommandCounterIncrement();
			/* fall through */
		default:
			ExecClearTuple(row->new_slot);
			return ROW_CHANGED;
	}

	row->tid = row->new_slot->tts_tid;
	row_remember_last(row);
	if (!ROW_INDEXES_NONE(indexes))
		platform_row_insert_entries(row, ROW_INDEXES_SUMMARIZING(indexes));

	/* The tuple is in the caller's memory context, which the slot may outlive. */
	ExecClearTuple(row->new_slot);

	/* A second update in the same command must find this one. */
	CommandCounterIncrement();
	return ROW_DONE;
}

static bool
row_lock(PlatformRow *row, LockWaitPolicy policy, uint8 flags)
{
	TM_FailureData failure;
	ItemPointerData tid = row->tid;
	TM_Result	result;

	result = table_tuple_lock(row->relation, &tid, InvalidSnapshot, row->slot,
							  GetCurrentCommandId(true), LockTupleNoKeyExclusive,
							  policy, flags, &failure);
	if (result == TM_SelfModified || result == TM_Invisible)
	{
		CommandCounterIncrement();
		return false;
	}
	if (result != TM_Ok)
		return false;
	row_load(row);
	return true;
}

bool
platform_row_lock(PlatformRow *row)
{
	return row_lock(row, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION);
}

bool
platform_row_lock_now(PlatformRow *row)
{
	return row_lock(row, LockWaitSkip, 0);
}

PlatformRowResult
platform_row_update(PlatformRow *row)
{
	return row_write(row, false);
}

PlatformRowResult
platform_row_update_locked(PlatformRow *row)
{
	return row_write(row, true);
}
