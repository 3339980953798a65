/*
 * row_index.h
 *	  Index entries of rows that are written past the executor. Of row.c.
 */
#ifndef PLATFORM_ROW_INDEX_H
#define PLATFORM_ROW_INDEX_H

#include "core/row.h"

/* In the current memory context, until they are closed. */
extern void platform_row_open_indexes(PlatformRow *row);
extern void platform_row_close_indexes(PlatformRow *row);

/* Of the version just written, which is in new_slot. */
extern void platform_row_insert_entries(PlatformRow *row, bool only_summarizing);

#endif							/* PLATFORM_ROW_INDEX_H */
