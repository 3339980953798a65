/*
 * flags_hash.h
 *	  The hash table of flag entries, static in each file that includes it:
 *	  memory.c, which owns it, and cache.c, whose hot path wants it inlined.
 */
#ifndef PLATFORM_FLAGS_HASH_H
#define PLATFORM_FLAGS_HASH_H

static inline uint64
platform_flag_word(const void *bytes)
{
	uint64		word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*
 * Uuids may be random, time-ordered, or counted in their last bytes, which are
 * the high bits of a word: all bits must reach the low ones of the result.
 */
static inline uint32
platform_flag_mix(uint64 high, uint64 low, uint64 salt)
{
	uint64		hash = low ^ ((high + salt) * UINT64CONST(0x9e3779b97f4a7c15));

	hash = (hash ^ (hash >> 32)) * UINT64CONST(0xd6e8feb86659fd93);
	return (uint32) (hash >> 32) ^ (uint32) hash;
}

static inline uint32
platform_flag_hash(const pg_uuid_t *uuid, uint64 salt)
{
	return platform_flag_mix(platform_flag_word(uuid->data), platform_flag_word(uuid->data + 8),
							 salt);
}

static inline bool
platform_flag_same_uuid(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

#define SH_PREFIX flags
#define SH_ELEMENT_TYPE FlagEntry
#define SH_KEY_TYPE FlagKey
#define SH_KEY key
#define SH_HASH_KEY(tb, a) platform_flag_hash(&(a).organization, (uint64) (a).feature << 32)
#define SH_EQUAL(tb, a, b) \
	((a).feature == (b).feature && platform_flag_same_uuid(&(a).organization, &(b).organization))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * flags_lookup() without a key in memory: writing it there and reading it back
 * takes longer than the probe.
 */
static inline const FlagEntry *
platform_flag_probe(const flags_hash *hash, const pg_uuid_t *organization, uint16 feature)
{
	uint64		high = platform_flag_word(organization->data);
	uint64		low = platform_flag_word(organization->data + 8);
	uint32		slot = platform_flag_mix(high, low, (uint64) feature << 32) & hash->sizemask;

	for (;;)
	{
		const FlagEntry *entry = &hash->data[slot];

		if (entry->status == flags_SH_EMPTY)
			return NULL;
		if (platform_flag_word(entry->key.organization.data) == high &&
			platform_flag_word(entry->key.organization.data + 8) == low &&
			entry->key.feature == feature)
			return entry;
		slot = (slot + 1) & hash->sizemask;
	}
}

#endif							/* PLATFORM_FLAGS_HASH_H */
