/*
 * partition.h
 *	  Which partition a row is in, past the executor.
 */
#ifndef PLATFORM_PARTITION_H
#define PLATFORM_PARTITION_H

#include "utils/rel.h"
#include "utils/timestamp.h"

/*
 * The partition for a moment; InvalidOid when there is none. 55000 for a table that
 * is not partitioned by the range of a timestamptz column.
 */
extern Oid	platform_partition_find(Relation parent, TimestampTz moment);

#endif							/* PLATFORM_PARTITION_H */
