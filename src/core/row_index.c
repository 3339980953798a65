/*
 * row_index.c
 *	  Index entries of rows that are written past the executor: see row.h.
 */
#include "core/platform.h"

#include "access/genam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "core/row.h"
#include "core/row_index.h"

void
platform_row_open_indexes(PlatformRow *row)
{
	row->estate = CreateExecutorState();
	row->indexes = makeNode(ResultRelInfo);
	InitResultRelInfo(row->indexes, row->relation, 0, NULL, 0);
	ExecOpenIndices(row->indexes, false);
}

void
platform_row_close_indexes(PlatformRow *row)
{
	ExecCloseIndices(row->indexes);
	FreeExecutorState(row->estate);
	pfree(row->indexes);
	row->estate = NULL;
	row->indexes = NULL;
}

void
platform_insert_index_entries(ResultRelInfo *result, TupleTableSlot *slot, EState *estate,
							  bool only_summarizing)
{
#if PG_VERSION_NUM >= 160000
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, only_summarizing);
#else
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL);
#endif
}

/* Has the version to be written the key columns of the one found? */
static bool
row_keeps_key(const PlatformRow *row, const IndexInfo *info)
{
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
	{
		int			column = info->ii_IndexAttrNumbers[i] - 1;

		/* what was not set is the slot's own datum */
		if (column < 0 || TupleDescAttr(RelationGetDescr(row->relation), column)->attgenerated ||
			row->isnull[column] != row->slot->tts_isnull[column] ||
			(!row->isnull[column] && row->values[column] != row->slot->tts_values[column]))
			return false;
	}
	return true;
}

/*
 * Whatever is to be unique was so before, and no index asks for more. Under a
 * predicate the row may not have been among those that are compared.
 */
static bool
row_keeps_keys(const PlatformRow *row)
{
	for (int i = 0; i < row->indexes->ri_NumIndices; i++)
	{
		const IndexInfo *info = row->indexes->ri_IndexRelationInfo[i];

		if (info->ii_ExclusionOps != NULL ||
			(info->ii_Unique && (info->ii_Predicate != NIL || !row_keeps_key(row, info))))
			return false;
	}
	return true;
}

static void
row_insert_index_entry(PlatformRow *row, Relation index, IndexInfo *info, bool many_versions)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	if (!info->ii_ReadyForInserts)
		return;
	if (info->ii_Predicate != NIL)
	{
		if (info->ii_PredicateState == NULL)
			info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, row->estate);
		if (!ExecQual(info->ii_PredicateState, GetPerTupleExprContext(row->estate)))
			return;
	}
	FormIndexDatum(info, row->new_slot, row->estate, values, isnull);
	(void) index_insert(index, values, isnull, &row->new_slot->tts_tid, row->relation,
						UNIQUE_CHECK_NO, many_versions, info);
}

/*
 * The executor's way, except that a key that stays is not looked up among those
 * that are there: there it would find the row's own versions. A row that is written
 * again and again should have an index free itself of them.
 */
static void
row_insert_open_entries(PlatformRow *row, bool only_summarizing, bool many_versions)
{
	if (only_summarizing || !row_keeps_keys(row))
	{
		platform_insert_index_entries(row->indexes, row->new_slot, row->estate, only_summarizing);
		return;
	}
	GetPerTupleExprContext(row->estate)->ecxt_scantuple = row->new_slot;
	for (int i = 0; i < row->indexes->ri_NumIndices; i++)
		row_insert_index_entry(row, row->indexes->ri_IndexRelationDescs[i],
							   row->indexes->ri_IndexRelationInfo[i], many_versions);
}

/* The version moved to another page, or an indexed column changed. */
void
platform_row_insert_entries(PlatformRow *row, bool only_summarizing)
{
	bool		kept = row->estate != NULL;

	if (!kept)
		platform_row_open_indexes(row);
	row_insert_open_entries(row, only_summarizing, !kept);
	if (kept)
		ResetPerTupleExprContext(row->estate);
	else
		platform_row_close_indexes(row);
}
