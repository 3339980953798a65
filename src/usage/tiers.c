/*
 * tiers.c
 *	  The tiers, and their versions.
 *
 * The tiers are a handful of rows that seldom change. Each backend keeps them
 * all in a memory context of its own, under the rules of core/cache.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/cache.h"
#include "core/query.h"
#include "usage/limits.h"

static PlatformQuery read_tiers =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT n.name, s.id, s.call_cap_seconds, s.sms_cap, s.grace_seconds,"
				   " s.rollover_percent, t.is_active, t.tier"
				   " FROM platform.usage_tiers AS t"
				   " JOIN platform.tier_snapshots AS s ON s.tier_id OPERATOR(pg_catalog.=) t.tier"
				   " AND s.effective_until IS NULL"
				   " CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[t.tier]"
				   " OPERATOR(pg_catalog.||) t.aliases) WITH ORDINALITY AS n (name, place)"
				   " ORDER BY n.place OPERATOR(pg_catalog.>) 1");

typedef struct TierName
{
	char	   *name;
	UsageTier	tier;
} TierName;

static PlatformCache tier_cache = {.name = "usage tiers", .tables = {"usage_tiers", "tier_snapshots"}};
static MemoryContext tier_context;
static TierName *tiers;			/* names before aliases */
static int	tier_count;

void
platform_caps_tiers_init(void)
{
	platform_cache_register(&tier_cache);
}

static void
read_tier(uint64 row, TierName *tier)
{
	tier->name = MemoryContextStrdup(tier_context, platform_row_cstring(row, 1));
	tier->tier.name = MemoryContextStrdup(tier_context, platform_row_cstring(row, 8));
	tier->tier.snapshot = platform_row_uuid(row, 2);
	tier->tier.cap[USAGE_CALL] = platform_row_int64(row, 3);
	tier->tier.cap[USAGE_SMS] = platform_row_int64(row, 4);
	tier->tier.grace = platform_row_int64(row, 5);
	tier->tier.rollover_percent = platform_row_int32(row, 6);
	tier->tier.active = platform_row_bool(row, 7);
}

static void
fill_tiers(void)
{
	if (tier_context == NULL)
		tier_context = AllocSetContextCreate(TopMemoryContext, "platform usage tiers",
											 ALLOCSET_SMALL_SIZES);
	do
	{
		tiers = NULL;
		tier_count = 0;
		MemoryContextReset(tier_context);
		platform_cache_begin_fill(&tier_cache);
		platform_query_begin();
		tier_count = (int) platform_query_run(&read_tiers, NULL, NULL);
		tiers = MemoryContextAlloc(tier_context, sizeof(TierName) * Max(tier_count, 1));
		for (int i = 0; i < tier_count; i++)
			read_tier(i, &tiers[i]);
		platform_query_end();
	} while (!tier_cache.valid);
}

const UsageTier *
platform_caps_find_tier(const char *name)
{
	if (!platform_cache_is_valid(&tier_cache) || tiers == NULL)
		fill_tiers();
	for (int i = 0; i < tier_count; i++)
		if (strcmp(tiers[i].name, name) == 0)
			return &tiers[i].tier;
	return NULL;
}

void
platform_caps_take_tier(UsageLimits *limits, const UsageTier *tier)
{
	memcpy(limits->cap, tier->cap, sizeof(tier->cap));
	limits->grace[USAGE_CALL] = tier->grace;
	limits->has_snapshot = true;
	limits->snapshot = tier->snapshot;
	if (limits->tier == NULL || strcmp(limits->tier, tier->name) != 0)
		limits->tier = pstrdup(tier->name);
	limits->plan = PLAN_ACTIVE;
}
