/*
 * data_key_count.h
 *	  How often a data key has encrypted with AES-256-GCM.
 *
 * With random nonces of 96 bits a key may encrypt 2^32 times (NIST SP 800-38D,
 * section 8.3). Encryptions are counted in platform.data_key_counts ahead of
 * time, in blocks that double up to 65,536, so the count is rather too high: by
 * what sessions have in hand. It misses only what a session used in transactions
 * that it rolled back last, before it ended.
 */
#ifndef PLATFORM_DATA_KEY_COUNT_H
#define PLATFORM_DATA_KEY_COUNT_H

/* Once, from _PG_init. */
extern void platform_data_key_count_init(void);

/*
 * Counts one encryption. WARNING when 2^30 is passed, PT429 at 2^32; 25006 in a
 * read-only transaction. May look at tables.
 */
extern void platform_data_key_count(const pg_uuid_t *organization, int32 key_id);

#endif							/* PLATFORM_DATA_KEY_COUNT_H */
