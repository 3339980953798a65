/*
 * cache.h
 *	  Invalidation for backend-local caches of table contents.
 *
 * The rules that keep such a cache right:
 *	- the tables' triggers call platform_cache_touch(), which queues a relcache
 *	  invalidation; every backend learns of it when the change commits;
 *	- the callback here only raises a flag: it may run at any time;
 *	- a cache is marked valid before it is read, so that a message that arrives
 *	  during the read is not lost;
 *	- it is read under platform_push_latest_snapshot(), never under the
 *	  query's snapshot: in REPEATABLE READ the latter would be stale for ever;
 *	- an aborted (sub)transaction discards what was read during it.
 */
#ifndef PLATFORM_CACHE_H
#define PLATFORM_CACHE_H

#include "utils/inval.h"
#include "utils/relcache.h"

#define PLATFORM_CACHE_MAX_TABLES 8

/*
 * One per cache, static.  tables[] names the tables of schema platform whose
 * contents it holds; the Oids are found when the cache is marked valid.
 */
typedef struct PlatformCache
{
	const char *name;
	const char *tables[PLATFORM_CACHE_MAX_TABLES];

	/* private */
	Oid			relids[PLATFORM_CACHE_MAX_TABLES];
	Oid			watched;
	bool		valid;
	uint64		generation;		/* counts every loss of validity */
	struct PlatformCache *next;
} PlatformCache;

extern void platform_cache_register(PlatformCache *cache);

/*
 * Processes pending invalidation messages, then tells whether the cache may be
 * used.  Inline: this is the hot path of every check.
 */
static inline bool
platform_cache_is_valid(PlatformCache *cache)
{
	AcceptInvalidationMessages();
	return cache->valid;
}

/* Looks the tables up and marks the cache valid; call before reading them. */
extern void platform_cache_begin_fill(PlatformCache *cache);

/* A change of this relation discards the cache too, until it is filled anew. */
static inline void
platform_cache_watch(PlatformCache *cache, Oid relid)
{
	cache->watched = relid;
}

/* Discards one cache (a setting changed, memory ran out). */
extern void platform_cache_discard(PlatformCache *cache);

/*
 * Tells all backends, at commit, that the relation's contents changed.  For
 * triggers: pass tg_relation; partitions announce their topmost ancestor.
 */
extern void platform_cache_touch(Relation relation);

/*
 * True while a subtransaction is rolled back that changed no cached table:
 * then caches keep what they hold. Set by platform_subtransaction() only.
 */
extern bool platform_cache_spare_abort;

/*
 * Pushes a snapshot of this very moment that also shows the effects of the
 * current transaction's finished commands; works in every isolation level, on
 * a standby and in parallel queries.  Pair with PopActiveSnapshot().
 */
extern void platform_push_latest_snapshot(void);

#endif							/* PLATFORM_CACHE_H */
