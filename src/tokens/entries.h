/*
 * entries.h
 *	  The log of entries: what ledger.c asks of entries.c.
 */
#ifndef PLATFORM_TOKENS_ENTRIES_H
#define PLATFORM_TOKENS_ENTRIES_H

#include "tokens/ledger.h"

extern void platform_entries_init(void);
extern void platform_entries_open(PlatformAppend *entries, int capacity);

/* A row for the account as it is after the entry. */
extern void platform_entries_add(PlatformAppend *entries, const LedgerAccount *account,
								 const LedgerEntry *entry);

/* A bigint[]. */
extern Datum platform_entries_array(const int64 *elements, int count);

#endif							/* PLATFORM_TOKENS_ENTRIES_H */
