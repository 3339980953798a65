/*
 * row.h
 *	  Direct access to one row by its key: for counters, past the executor.
 *
 * An update is a compare-and-swap: it takes effect when the row is still the
 * version that was found and nobody holds it, and otherwise says so without
 * waiting. It is an ordinary versioned, logged, transactional heap update,
 * HOT where the page has room, with index entries where it has not.
 *
 * What it passes by: triggers, CHECKs, foreign keys, row security. Hence only for
 * tables whose rows nobody else writes; the first version of a row is inserted by
 * SQL, so that keys and checks hold.
 *
 * Rows are found as they are now, also in REPEATABLE READ and SERIALIZABLE,
 * without predicate locks: such a table behaves as in READ COMMITTED. Where that
 * must not be see platform_row_is_in_snapshot().
 */
#ifndef PLATFORM_ROW_H
#define PLATFORM_ROW_H

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "core/cache.h"
#include "core/place.h"
#include "core/query.h"

#define PLATFORM_ROW_MAX_KEYS		6
#define PLATFORM_ROW_MAX_COLUMNS	40
#define PLATFORM_ROW_KEY_BYTES		128

typedef struct PlatformRowColumn
{
	const char *name;
	Oid			type;
} PlatformRowColumn;

/*
 * A table, static. The first nkeys columns must be those of a unique index, in
 * its order. Columns that the list does not name are kept as they are.
 */
typedef struct PlatformRowTable
{
	PlatformCache cache;		/* .name, .tables = {the table} */
	bool		immutable;		/* rows are only added: one is found at once or is not there */
	bool		remembers;		/* each backend knows where it found rows: place.h; keys are uuids */
	int			nkeys;
	int			ncolumns;
	PlatformRowColumn columns[PLATFORM_ROW_MAX_COLUMNS];

	/* private: found when the cache is filled */
	Oid			resolved;		/* the table or partition that the rest is of */
	Oid			indexid;
	AttrNumber	attnums[PLATFORM_ROW_MAX_COLUMNS];
	ScanKeyData scankeys[PLATFORM_ROW_MAX_KEYS];
	PlatformPlaces places;

	/* The version written last, as long as its transaction runs. */
	TransactionId last_xid;
	ItemPointerData last_tid;
	int			last_length;
	char		last_keys[PLATFORM_ROW_KEY_BYTES];
} PlatformRowTable;

/* An open table and the row found last; lives in the memory context of open. */
typedef struct PlatformRow
{
	PlatformRowTable *table;
	Relation	relation;
	Relation	parent;			/* NULL: not partitioned */
	Relation	index;			/* NULL until it is needed */
	LOCKMODE	lockmode;
	TupleTableSlot *slot;		/* pins the page of the version found */
	TupleTableSlot *new_slot;	/* the version written */
	EState	   *estate;			/* with open indexes; NULL unless they are kept */
	ResultRelInfo *indexes;
	IndexScanDesc scan;
	Relation	range_index;	/* of platform_row_range_begin() */
	bool		scan_pushed_snapshot;
	ItemPointerData tid;
	Datum	   *values;			/* of all attributes; by reference into the slot */
	bool	   *isnull;
	ScanKeyData scankeys[PLATFORM_ROW_MAX_KEYS];
} PlatformRow;

typedef enum PlatformRowResult
{
	ROW_DONE,
	ROW_CHANGED,				/* another version is newest: find it again */
	ROW_BUSY					/* a transaction in progress holds it */
} PlatformRowResult;

/*
 * Attribute numbers of columns of platform.<table>, which is open; 55000 when
 * one is missing or of another type.
 */
extern void platform_row_find_columns(const char *table, Relation relation,
									  const PlatformRowColumn *columns, int ncolumns,
									  AttrNumber *attnums);

/* Once, from _PG_init. */
extern void platform_row_register(PlatformRowTable *table);

/*
 * Runs an INSERT ... ON CONFLICT DO NOTHING; true when it inserted. Waits for
 * a racer and never fails on one, in any isolation level.
 */
extern bool platform_insert_once(PlatformQuery *query, const Datum *values, const bool *nulls);

/*
 * Opens for reading and writing, with the lock of an UPDATE, kept to the end
 * of the transaction. Refuses read-only transactions (25006).
 */
extern void platform_row_open(PlatformRow *row, PlatformRowTable *table);

/*
 * After opening: keeps the indexes open until the close, for who writes many
 * rows. Open and close must be in the same (sub)transaction.
 */
extern void platform_row_keep_indexes(PlatformRow *row);

/* For finding and reading alone, also in read-only transactions. */
extern void platform_row_open_read(PlatformRow *row, PlatformRowTable *table);
extern void platform_row_close(PlatformRow *row);

/*
 * The same for a table that may be partitioned by a timestamptz column: rows of the
 * partition of that moment. False when there is none, and nothing is open.
 */
extern bool platform_row_open_read_at(PlatformRow *row, PlatformRowTable *table,
									  TimestampTz moment);

/* Is that the partition for the moment, too? */
extern bool platform_row_is_at(const PlatformRow *row, TimestampTz moment);

/*
 * A row of a table that remembers is about to be looked for: brings it nearer while
 * something else is done. Without effect, also when it is not looked for.
 */
extern void platform_row_expect(PlatformRowTable *table, const Datum *keys);

/* The newest version that is committed or of this transaction. */
extern bool platform_row_find(PlatformRow *row, const Datum *keys);

/* The same for the first row with the first nkeys keys. */
extern bool platform_row_find_first(PlatformRow *row, const Datum *keys, int nkeys);

/*
 * The version at that place, which a snapshot still in use has seen there.
 * False when it is no longer the newest.
 */
extern bool platform_row_fetch(PlatformRow *row, ItemPointer tid);

/*
 * Writes the values as a new version if the row is still the one found and
 * nobody else holds it; never waits. After ROW_DONE further updates continue
 * from there; after the others find the row again.
 */
extern PlatformRowResult platform_row_update(PlatformRow *row);

/* The same for a row that this transaction has locked with platform_row_lock(). */
extern PlatformRowResult platform_row_update_locked(PlatformRow *row);

/*
 * Locks the row found against other updates, waiting for who holds it, and
 * reads its newest version. False when it is gone.
 */
extern bool platform_row_lock(PlatformRow *row);

/*
 * Locks the very version found, without waiting: false when somebody else
 * holds it or it is no longer the newest.
 */
extern bool platform_row_lock_now(PlatformRow *row);

/* Was the version found written by this transaction? */
extern bool platform_row_is_own(const PlatformRow *row);

/*
 * Does the transaction's snapshot show the version found? Always in READ COMMITTED.
 * Above it, who writes on top of one that it does not show will see the row twice:
 * as the snapshot has it, and as written.
 */
extern bool platform_row_is_in_snapshot(const PlatformRow *row);

/* Does another transaction in progress hold the version found? */
extern bool platform_row_is_busy(const PlatformRow *row);

/* Waits, holding nothing more than before, until none does. */
extern void platform_row_wait(const PlatformRow *row);

/*
 * Iterates over the rows with the first nkeys keys. latest: in one snapshot of
 * now, else each row as it is when visited (which may miss a row that moves).
 */
extern void platform_row_scan_begin(PlatformRow *row, const Datum *keys, int nkeys, bool latest);
extern bool platform_row_scan_next(PlatformRow *row);
extern void platform_row_scan_end(PlatformRow *row);

/*
 * The same by another index, whose first column is to be first and whose second
 * one lies in [from, to], in its order, in a snapshot of now. It may be partial.
 */
extern void platform_row_range_begin(PlatformRow *row, const char *index, Datum first,
									 Datum from, Datum to);
extern bool platform_row_range_next(PlatformRow *row);
extern void platform_row_range_end(PlatformRow *row);

/* The entries of a row just written, in the executor's way. */
extern void platform_insert_index_entries(ResultRelInfo *result, TupleTableSlot *slot,
										  EState *estate, bool only_summarizing);

/* The transaction that wrote the version found; not a normal one when frozen. */
extern TransactionId platform_row_xmin(const PlatformRow *row);

/*
 * A lock with a number for a name, exclusive, reentrant, kept to the end of
 * the (sub)transaction unless it is released. Unlike a row's lock it can be
 * let go, leaves no trace, and is known to the deadlock detector under the
 * transaction that holds it, not its parent. The key should be a good hash.
 */
extern void platform_mutex_lock(uint64 key);
extern void platform_mutex_unlock(uint64 key);

/* Beside others who share it; whoever wants it for himself waits for all. */
extern void platform_mutex_share(uint64 key);

/* Column by its place in table->columns. */
static inline Datum
platform_row_get(const PlatformRow *row, int column, bool *isnull)
{
	int			i = row->table->attnums[column] - 1;

	*isnull = row->isnull[i];
	return row->values[i];
}

static inline int64
platform_row_get_int64(const PlatformRow *row, int column, int64 otherwise)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? otherwise : DatumGetInt64(row->values[i]);
}

static inline int
platform_row_get_int16(const PlatformRow *row, int column, int otherwise)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? otherwise : DatumGetInt16(row->values[i]);
}

static inline int32
platform_row_get_int32(const PlatformRow *row, int column, int32 otherwise)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? otherwise : DatumGetInt32(row->values[i]);
}

static inline bool
platform_row_get_bool(const PlatformRow *row, int column, bool otherwise)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? otherwise : DatumGetBool(row->values[i]);
}

static inline TimestampTz
platform_row_get_timestamptz(const PlatformRow *row, int column, TimestampTz otherwise)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? otherwise : DatumGetTimestampTz(row->values[i]);
}

/* Of a column that is never null. */
static inline pg_uuid_t
platform_row_get_uuid(const PlatformRow *row, int column)
{
	return *DatumGetUUIDP(row->values[row->table->attnums[column] - 1]);
}

/* A copy of a text; NULL: null. */
static inline char *
platform_row_get_cstring(const PlatformRow *row, int column)
{
	int			i = row->table->attnums[column] - 1;

	return row->isnull[i] ? NULL : TextDatumGetCString(row->values[i]);
}

static inline void
platform_row_set(PlatformRow *row, int column, Datum value)
{
	int			i = row->table->attnums[column] - 1;

	row->values[i] = value;
	row->isnull[i] = false;
}

static inline void
platform_row_set_null(PlatformRow *row, int column)
{
	row->isnull[row->table->attnums[column] - 1] = true;
}

#endif							/* PLATFORM_ROW_H */
