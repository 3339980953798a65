/*
 * cache.c
 *	  Invalidation for backend-local caches of table contents: see cache.h.
 *
 * State: a list of registered caches, built once in _PG_init and never freed.
 * The callbacks allocate nothing and read no catalog.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/partition.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "core/cache.h"
#include "core/module.h"

bool		platform_cache_spare_abort = false;

static PlatformCache *caches = NULL;

void
platform_cache_discard(PlatformCache *cache)
{
	cache->valid = false;
	cache->generation++;
}

/* Relcache callback: InvalidOid stands for every relation. */
static void
cache_relation_changed(Datum arg, Oid relid)
{
	for (PlatformCache *cache = caches; cache != NULL; cache = cache->next)
	{
		if (!cache->valid)
		{
			/* a fill in progress elsewhere on the stack must see this too */
			cache->generation++;
			continue;
		}
		if (OidIsValid(cache->watched) && cache->watched == relid)
		{
			platform_cache_discard(cache);
			continue;
		}
		for (int i = 0; i < PLATFORM_CACHE_MAX_TABLES && cache->tables[i]; i++)
		{
			if (!OidIsValid(relid) || cache->relids[i] == relid ||
				!OidIsValid(cache->relids[i]))
			{
				platform_cache_discard(cache);
				break;
			}
		}
	}
}

static void
cache_discard_all(void)
{
	for (PlatformCache *cache = caches; cache != NULL; cache = cache->next)
		platform_cache_discard(cache);
}

/*
 * What was read inside an aborted transaction may include its own changes, so
 * it is discarded; a transaction without an xid changed nothing, and its
 * abort costs the cache nothing.
 */
static void
cache_at_xact_end(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT) &&
		TransactionIdIsValid(GetTopTransactionIdIfAny()))
		cache_discard_all();
}

static void
cache_at_subxact_end(SubXactEvent event, SubTransactionId mySubid,
					 SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && !platform_cache_spare_abort &&
		TransactionIdIsValid(GetCurrentTransactionIdIfAny()))
		cache_discard_all();
}

void
platform_cache_register(PlatformCache *cache)
{
	if (caches == NULL)
	{
		CacheRegisterRelcacheCallback(cache_relation_changed, (Datum) 0);
		RegisterXactCallback(cache_at_xact_end, NULL);
		RegisterSubXactCallback(cache_at_subxact_end, NULL);
	}
	cache->next = caches;
	caches = cache;
}

void
platform_cache_begin_fill(PlatformCache *cache)
{
	for (int i = 0; i < PLATFORM_CACHE_MAX_TABLES && cache->tables[i]; i++)
		cache->relids[i] = platform_relation_oid(cache->tables[i], true);
	cache->watched = InvalidOid;
	cache->valid = true;
}

void
platform_cache_touch(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);

	if (relation->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(relid);

		if (ancestors != NIL)
			relid = llast_oid(ancestors);
	}
	CacheInvalidateRelcacheByRelid(relid);
}

void
platform_push_latest_snapshot(void)
{
	/*
	 * Not GetLatestSnapshot(), which refuses to work while a parallel query
	 * runs.  A catalog snapshot is as fresh: for a relation without a system
	 * cache, as ours are, the server takes it anew at every call.
	 */
	PushActiveSnapshot(GetCatalogSnapshot(InvalidOid));
}
