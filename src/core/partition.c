/*
 * partition.c
 *	  Which partition a row is in: see partition.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/partcache.h"

#include "core/partition.h"

Oid
platform_partition_find(Relation parent, TimestampTz moment)
{
	PartitionKey key = RelationGetPartitionKey(parent);
	PartitionDesc partitions = RelationGetPartitionDesc(parent, true);
	PartitionBoundInfo bounds = partitions->boundinfo;
	Datum		value = TimestampTzGetDatum(moment);
	bool		is_equal;
	int			place;

	if (key->strategy != PARTITION_STRATEGY_RANGE || key->partnatts != 1 ||
		key->parttypid[0] != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not partitioned by the range of a timestamptz column",
						RelationGetRelationName(parent))));
	if (partitions->nparts == 0)
		return InvalidOid;
	place = bounds->indexes[1 + partition_range_datum_bsearch(key->partsupfunc, key->partcollation,
															  bounds, 1, &value, &is_equal)];
	if (place < 0)
		place = bounds->default_index;
	return place < 0 ? InvalidOid : partitions->oids[place];
}
