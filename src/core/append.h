/*
 * append.h
 *	  Adding rows to a log past the executor: for tables of which rows are only
 *	  added, by one function that guarantees what keys and checks would.
 *
 * Rows are collected and written together: one heap record for many rows of a
 * page, then their index entries. Unique indexes are enforced.
 *
 * A log may be partitioned by the range of a moment: then it is opened for one,
 * and all rows collected must be of the same moment.
 *
 * What it passes by: triggers, CHECKs, foreign keys, row security. Columns that
 * the list does not name get their defaults.
 */
#ifndef PLATFORM_APPEND_H
#define PLATFORM_APPEND_H

#include "access/heapam.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "core/cache.h"
#include "core/row.h"

#define PLATFORM_APPEND_MAX_INDEXES 8
#define PLATFORM_APPEND_MAX_KEYS	4

/* A btree over plain columns, of which one may be required not to be null. */
typedef struct PlatformAppendIndex
{
	Oid			indexid;
	bool		unique;
	int			nkeys;
	AttrNumber	keys[PLATFORM_APPEND_MAX_KEYS];
	AttrNumber	not_null;		/* of the predicate; 0: none */
} PlatformAppendIndex;

/* A table, static; register it as its cache. */
typedef struct PlatformAppendTable
{
	PlatformCache cache;		/* .name, .tables = {the table} */
	int			ncolumns;
	PlatformRowColumn columns[PLATFORM_ROW_MAX_COLUMNS];

	/* private: found when the cache is filled */
	Oid			resolved;		/* the table or partition that the rest is of */
	bool		plain;			/* all indexes are in indexes[], no other defaults */
	AttrNumber	attnums[PLATFORM_ROW_MAX_COLUMNS];
	int			nnot_null;
	AttrNumber	not_null[PLATFORM_ROW_MAX_COLUMNS]; /* of these columns */
	int			nindexes;
	PlatformAppendIndex indexes[PLATFORM_APPEND_MAX_INDEXES];
} PlatformAppendTable;

/* An open table and the rows to add; lives in the memory context of open. */
typedef struct PlatformAppend
{
	PlatformAppendTable *table;
	Relation	parent;			/* NULL: not partitioned */
	Relation	relation;
	Relation	index_relations[PLATFORM_APPEND_MAX_INDEXES];	/* NULL: no entry yet */
	bool		plain;
	TupleTableSlot **slots;
	int			nslots;			/* that exist */
	int			count;			/* rows collected */
	int			capacity;
} PlatformAppend;

/* Once, from _PG_init. */
extern void platform_append_register(PlatformAppendTable *table);

/*
 * Opens for adding, with the lock of an INSERT, kept to the end of the
 * transaction. capacity: about how many rows are written at a time.
 */
extern void platform_append_open(PlatformAppend *append, PlatformAppendTable *table, int capacity);

/* The same for a table that may be partitioned: for rows of that moment. */
extern void platform_append_open_at(PlatformAppend *append, PlatformAppendTable *table,
									int capacity, TimestampTz moment);
extern void platform_append_close(PlatformAppend *append);

/*
 * A new row, all null; set its columns before the next call. What is passed by
 * reference must live until the rows are written.
 */
extern TupleTableSlot *platform_append_row(PlatformAppend *append);

static inline void
platform_append_set(PlatformAppend *append, TupleTableSlot *slot, int column, Datum value)
{
	int			i = append->table->attnums[column] - 1;

	slot->tts_values[i] = value;
	slot->tts_isnull[i] = false;
}

/* Forgets the rows collected since there were count of them. */
static inline void
platform_append_forget(PlatformAppend *append, int count)
{
	append->count = count;
}

/* Writes the rows collected. */
extern void platform_append_flush(PlatformAppend *append);

/*
 * Writes the one row collected, unless a unique index has its key already or might:
 * then false, without effect, and an INSERT ... ON CONFLICT decides, which waits for whoever
 * is writing the key. False too where only the executor can write.
 */
extern bool platform_append_flush_once(PlatformAppend *append);

#endif							/* PLATFORM_APPEND_H */
