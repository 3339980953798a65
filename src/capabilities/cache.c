/*
 * cache.c
 *	  Rows that gates look at, in memory.
 *
 * One hash table a kind of row, filled on demand by single look-ups and dropped
 * whole when its table changes (core/cache.h has the rules). What is missing is
 * not kept, so an INSERT has to tell nobody. A table that is full is dropped:
 * each has at most ENTRIES_MAX entries of 24 to 96 bytes.
 *
 * Lifetime: each hash table has a context of its own under TopMemoryContext.
 * Callers get copies: an entry may be gone at the next look-up.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "core/cache.h"
#include "core/query.h"
#include "capabilities/capabilities.h"

#define ENTRIES_MAX		65536

/* Times that a row is read again because its table changed meanwhile. */
#define READ_ATTEMPTS	4

#define QUERY_CACHED (QUERY_READ | QUERY_LATEST | QUERY_OWNER)

static PlatformQuery read_organization =
	PLATFORM_QUERY(QUERY_CACHED,
				   "SELECT deleted_at IS NULL AND status OPERATOR(pg_catalog.<>)"
				   " ALL ('{expired,cancelled,suspended}'),"
				   " COALESCE((settings OPERATOR(pg_catalog.->) 'features'"
				   " OPERATOR(pg_catalog.->) 'callEnabled')"
				   " OPERATOR(pg_catalog.=) pg_catalog.to_jsonb(true), false)"
				   " FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery read_package =
	PLATFORM_QUERY(QUERY_CACHED,
				   "SELECT deleted_at IS NOT NULL, is_active AND is_public, enable_chat, enable_call,"
				   " default_chat_model_id, default_call_model_id"
				   " FROM platform.chatbot_packages WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery read_model =
	PLATFORM_QUERY(QUERY_CACHED,
				   "SELECT is_active AND deleted_at IS NULL AND model_type OPERATOR(pg_catalog.<>) 'call',"
				   " is_active AND deleted_at IS NULL AND model_type OPERATOR(pg_catalog.<>) 'chat'"
				   " FROM platform.ai_models WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery read_chatbot =
	PLATFORM_QUERY(QUERY_CACHED,
				   "SELECT status OPERATOR(pg_catalog.=) 'active', enabled_chat, enabled_call,"
				   " chat_model_id, call_model_id, package_id"
				   " FROM platform.chatbots WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
				   UUIDOID, UUIDOID);

typedef void (*RowReader) (void *entry);

typedef struct EntryCache
{
	PlatformCache cache;
	PlatformQuery *query;
	Size		keysize;		/* one uuid for each argument of the query */
	Size		entrysize;
	RowReader	read;			/* from the first row of the last query */
	HTAB	   *entries;
	uint64		filled;			/* generation + 1 of what was read; 0: nothing */
} EntryCache;

static bool
read_uuid(int column, pg_uuid_t *uuid)
{
	bool		isnull;
	Datum		value = platform_row_datum(0, column, &isnull);

	if (!isnull)
		*uuid = *DatumGetUUIDP(value);
	return !isnull;
}

static void
read_organization_entry(void *entry)
{
	CapOrganization *organization = entry;

	organization->active = platform_row_bool(0, 1);
	organization->calls = platform_row_bool(0, 2);
}

static void
read_package_entry(void *entry)
{
	CapPackage *package = entry;

	package->deleted = platform_row_bool(0, 1);
	package->offered = platform_row_bool(0, 2);
	package->enabled[CAPABILITY_CHAT] = platform_row_bool(0, 3);
	package->enabled[CAPABILITY_CALL] = platform_row_bool(0, 4);
	package->has_model[CAPABILITY_CHAT] = read_uuid(5, &package->model[CAPABILITY_CHAT]);
	package->has_model[CAPABILITY_CALL] = read_uuid(6, &package->model[CAPABILITY_CALL]);
}

static void
read_model_entry(void *entry)
{
	CapModel   *model = entry;

	model->fits[CAPABILITY_CHAT] = platform_row_bool(0, 1);
	model->fits[CAPABILITY_CALL] = platform_row_bool(0, 2);
}

static void
read_chatbot_entry(void *entry)
{
	CapChatbot *chatbot = entry;

	chatbot->active = platform_row_bool(0, 1);
	chatbot->enabled[CAPABILITY_CHAT] = platform_row_bool(0, 2);
	chatbot->enabled[CAPABILITY_CALL] = platform_row_bool(0, 3);
	chatbot->has_model[CAPABILITY_CHAT] = read_uuid(4, &chatbot->model[CAPABILITY_CHAT]);
	chatbot->has_model[CAPABILITY_CALL] = read_uuid(5, &chatbot->model[CAPABILITY_CALL]);
	chatbot->has_package = read_uuid(6, &chatbot->package);
}

static EntryCache organizations = {
	.cache = {.name = "capabilities of organizations", .tables = {"organizations"}},
	.query = &read_organization, .read = read_organization_entry,
	.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(CapOrganization),
};

static EntryCache packages = {
	.cache = {.name = "chatbot packages", .tables = {"chatbot_packages"}},
	.query = &read_package, .read = read_package_entry,
	.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(CapPackage),
};

static EntryCache models = {
	.cache = {.name = "models", .tables = {"ai_models"}},
	.query = &read_model, .read = read_model_entry,
	.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(CapModel),
};

static EntryCache chatbots = {
	.cache = {.name = "chatbots", .tables = {"chatbots"}},
	.query = &read_chatbot, .read = read_chatbot_entry,
	.keysize = sizeof(CapChatbotKey), .entrysize = sizeof(CapChatbot),
};

void
platform_capability_cache_init(void)
{
	platform_cache_register(&organizations.cache);
	platform_cache_register(&packages.cache);
	platform_cache_register(&models.cache);
	platform_cache_register(&chatbots.cache);
}

/* Drops all entries; what is read from now on counts. */
static void
entries_reset(EntryCache *cache)
{
	HASHCTL		control = {.keysize = cache->keysize, .entrysize = cache->entrysize,
	.hcxt = TopMemoryContext};
	HTAB	   *old = cache->entries;

	platform_require_module(&platform_capabilities_module);
	cache->entries = NULL;
	cache->filled = 0;
	hash_destroy(old);
	cache->entries = hash_create("platform capabilities", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	platform_cache_begin_fill(&cache->cache);
	cache->filled = cache->cache.generation + 1;
}

/* Reads the row into *copy; false when there is none. */
static bool
entry_read(const EntryCache *cache, const void *key, void *copy)
{
	Datum		values[2];
	bool		found;

	for (int i = 0; i < cache->query->nargs; i++)
		values[i] = UUIDPGetDatum((const pg_uuid_t *) key + i);
	platform_query_begin();
	found = platform_query_run(cache->query, values, NULL) > 0;
	if (found)
	{
		memset(copy, 0, cache->entrysize);
		memcpy(copy, key, cache->keysize);
		cache->read(copy);
	}
	platform_query_end();
	return found;
}

static pg_noinline bool
entry_find_slowly(EntryCache *cache, const void *key, void *copy)
{
	for (int attempt = 1;; attempt++)
	{
		uint64		filled;

		if (!platform_cache_is_valid(&cache->cache) ||
			cache->filled != cache->cache.generation + 1 ||
			hash_get_num_entries(cache->entries) >= ENTRIES_MAX)
			entries_reset(cache);
		filled = cache->filled;
		if (!entry_read(cache, key, copy))
			return false;
		if (filled == cache->cache.generation + 1)
		{
			memcpy(hash_search(cache->entries, key, HASH_ENTER, NULL), copy, cache->entrysize);
			return true;
		}
		/* Tables that change faster than they can be read: good for this once. */
		if (attempt >= READ_ATTEMPTS)
			return true;
	}
}

static inline bool
entry_find(EntryCache *cache, const void *key, void *copy)
{
	if (likely(platform_cache_is_valid(&cache->cache) &&
			   cache->filled == cache->cache.generation + 1))
	{
		void	   *entry = hash_search(cache->entries, key, HASH_FIND, NULL);

		if (likely(entry != NULL))
		{
			memcpy(copy, entry, cache->entrysize);
			return true;
		}
	}
	return entry_find_slowly(cache, key, copy);
}

bool
platform_cap_organization(const pg_uuid_t *id, CapOrganization *organization)
{
	return entry_find(&organizations, id, organization);
}

bool
platform_cap_package(const pg_uuid_t *id, CapPackage *package)
{
	return entry_find(&packages, id, package);
}

bool
platform_cap_model(const pg_uuid_t *id, CapModel *model)
{
	return entry_find(&models, id, model);
}

bool
platform_cap_chatbot(const pg_uuid_t *organization, const pg_uuid_t *id, CapChatbot *chatbot)
{
	CapChatbotKey key = {.id = *id, .organization = *organization};

	return entry_find(&chatbots, &key, chatbot);
}
