/*
 * flags_hash.h
 *	  The hash table of flag entries, static in each file that includes it:
 *	  memory.c, which owns it, and cache.c, whose hot path wants it inlined.
 */
#ifndef PLATFORM_FLAGS_HASH_H
#define PLATFORM_FLAGS_HASH_H

/* Uuids may be random or time-ordered: all bits are mixed. */
static inline uint32
platform_flag_hash(const pg_uuid_t *uuid, uint64 salt)
{
	uint64		word[2];

	memcpy(word, uuid->data, UUID_LEN);
	word[0] = (word[0] + salt) * UINT64CONST(0x9e3779b97f4a7c15);
	word[1] = (word[1] ^ (word[0] >> 32)) * UINT64CONST(0xd6e8feb86659fd93);
	return (uint32) (word[1] >> 32) ^ (uint32) word[0];
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

#endif							/* PLATFORM_FLAGS_HASH_H */
