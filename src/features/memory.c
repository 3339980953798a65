/*
 * memory.c
 *	  The containers of a flag cache: names, rows, organizations, entries.
 *
 * Everything is in cache->context and goes with it.  Content that many
 * organizations share (names, limits, windows) is stored once, so that an
 * organization takes 24 bytes and a flag 40, times the hash tables' slack.
 */
#include "core/platform.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "features/flags.h"
#include "features/flags_hash.h"

typedef struct NameKey
{
	const char *name;
	int			length;
} NameKey;

typedef struct NameSlot
{
	NameKey		key;
	uint16		id;
	char		status;
} NameSlot;

typedef struct RowSlot
{
	uint32		index;
	uint32		hash;
	char		status;
} RowSlot;

#define SH_PREFIX names
#define SH_ELEMENT_TYPE NameSlot
#define SH_KEY_TYPE NameKey
#define SH_KEY key
#define SH_HASH_KEY(tb, a) hash_bytes((const unsigned char *) (a).name, (a).length)
#define SH_EQUAL(tb, a, b) ((a).length == (b).length && memcmp((a).name, (b).name, (a).length) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define CACHED_ROW(tb, a) (&((const FlagCache *) (tb)->private_data)->rows[a])

#define SH_PREFIX rows
#define SH_ELEMENT_TYPE RowSlot
#define SH_KEY_TYPE uint32
#define SH_KEY index
#define SH_STORE_HASH
#define SH_GET_HASH(tb, slot) (slot)->hash
#define SH_HASH_KEY(tb, a) hash_bytes((const unsigned char *) CACHED_ROW(tb, a), sizeof(FlagRow))
#define SH_EQUAL(tb, a, b) (memcmp(CACHED_ROW(tb, a), CACHED_ROW(tb, b), sizeof(FlagRow)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX organizations
#define SH_ELEMENT_TYPE FlagOrganization
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY id
#define SH_HASH_KEY(tb, a) platform_flag_hash(&(a), 0)
#define SH_EQUAL(tb, a, b) platform_flag_same_uuid(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Empties the cache, which is zeroed memory or one used before. */
void
platform_flag_cache_reset(FlagCache *cache, MemoryContext parent)
{
	MemoryContext context = cache->context;

	if (context == NULL)
		context = AllocSetContextCreate(parent, "platform features", ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(context);

	memset(cache, 0, sizeof(*cache));
	cache->context = context;
	cache->row_index = rows_create(context, 32, cache);
	cache->organizations = organizations_create(context, 32, NULL);
	cache->flags = flags_create(context, 64, NULL);
}

/* The id of a name, FEATURE_UNKNOWN when it was not interned. */
uint16
platform_name_id(const NameTable *table, const char *name, int length)
{
	NameKey		key = {name, length};
	NameSlot   *slot = table->hash ? names_lookup(table->hash, key) : NULL;

	return slot ? slot->id : FEATURE_UNKNOWN;
}

uint16
platform_flag_intern_name(FlagCache *cache, NameTable *table, const char *name, int length)
{
	NameKey		key = {name, length};
	NameSlot   *slot;
	char	   *copy;
	bool		found;

	if (table->hash == NULL)
		table->hash = names_create(cache->context, 32, NULL);
	slot = names_lookup(table->hash, key);
	if (slot != NULL)
		return slot->id;

	if (table->count >= FEATURE_UNKNOWN)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d different names of features, tiers or time zones",
						(int) FEATURE_UNKNOWN)));
	if (table->count == table->size)
	{
		table->size = Max(32, table->size * 2);
		table->names = table->names == NULL ?
			MemoryContextAlloc(cache->context, table->size * sizeof(char *)) :
			repalloc(table->names, table->size * sizeof(char *));
	}
	copy = MemoryContextAlloc(cache->context, length + 1);
	memcpy(copy, name, length);
	copy[length] = '\0';

	key.name = copy;
	slot = names_insert(table->hash, key, &found);
	slot->id = table->count;
	table->names[table->count] = copy;
	return table->count++;
}

/* Makes room for one more element of an array. */
static void *
grow(FlagCache *cache, void *array, uint32 count, uint32 *size, Size element)
{
	if (count < *size)
		return array;
	*size = Max(32, *size * 2);
	return array == NULL ?
		MemoryContextAllocHuge(cache->context, *size * element) :
		repalloc_huge(array, *size * element);
}

/* The index + 1 of the only copy of a row. */
uint32
platform_flag_intern_row(FlagCache *cache, const FlagRow *row)
{
	RowSlot    *slot;
	bool		found;

	cache->rows = grow(cache, cache->rows, cache->row_count, &cache->row_size, sizeof(FlagRow));
	cache->rows[cache->row_count] = *row;
	slot = rows_insert(cache->row_index, cache->row_count, &found);
	if (!found)
		cache->row_count++;
	return slot->index + 1;
}

/* Returns the index + 1. */
uint32
platform_flag_add_credit(FlagCache *cache, const FlagCredit *credit)
{
	cache->credits = grow(cache, cache->credits, cache->credit_count, &cache->credit_size,
						  sizeof(FlagCredit));
	cache->credits[cache->credit_count] = *credit;
	return ++cache->credit_count;
}

/* NULL when it was not read. */
FlagOrganization *
platform_flag_organization(const FlagCache *cache, const pg_uuid_t *id)
{
	return organizations_lookup(cache->organizations, *id);
}

/* A new one is missing until its row is found. */
FlagOrganization *
platform_flag_add_organization(FlagCache *cache, const pg_uuid_t *id)
{
	bool		found;
	FlagOrganization *organization = organizations_insert(cache->organizations, *id, &found);

	if (!found)
	{
		organization->tier = 0;
		organization->timezone = 0;
		organization->anchor_day = 1;
		organization->missing = true;
		organization->active = false;
	}
	return organization;
}

uint32
platform_flag_organization_count(const FlagCache *cache)
{
	return cache->organizations->members;
}

/* NULL when there is none: the organization has no row for the feature. */
FlagEntry *
platform_flag_entry(const FlagCache *cache, const FlagKey *key)
{
	return flags_lookup(cache->flags, *key);
}

FlagEntry *
platform_flag_add_entry(FlagCache *cache, const FlagKey *key)
{
	bool		found;
	FlagEntry  *entry = flags_insert(cache->flags, *key, &found);

	if (!found)
	{
		entry->answer = 0;
		entry->platform_row = 0;
		entry->tenant_row = 0;
		entry->credit = 0;
		entry->holds_until = DT_NOEND;
	}
	return entry;
}

/* Would one more of everything stay within limit bytes? */
bool
platform_flag_cache_has_room(const FlagCache *cache, Size limit)
{
	Size		used = MemoryContextMemAllocated(cache->context, true);

	if (cache->flags->members >= cache->flags->grow_threshold)
		used += 2 * cache->flags->size * sizeof(FlagEntry);
	if (cache->organizations->members >= cache->organizations->grow_threshold)
		used += 2 * cache->organizations->size * sizeof(FlagOrganization);
	return used <= limit;
}

void
platform_flag_each_organization(FlagCache *cache, FlagOrganizationVisitor visit, void *arg)
{
	organizations_iterator iterator;
	FlagOrganization *organization;

	organizations_start_iterate(cache->organizations, &iterator);
	while ((organization = organizations_iterate(cache->organizations, &iterator)) != NULL)
		visit(organization, arg);
}
