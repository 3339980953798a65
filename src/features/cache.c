/*
 * cache.c
 *	  The backend's own flag cache: when it is filled, and the answer from it.
 *
 * Lifetime: the cache lives in the context "platform features" until an
 * invalidation for one of its tables comes (core/cache.h has the rules), and is
 * dropped at the next use.  Global flags and tiers are read at once,
 * organizations one by one on demand, until so many were missed that a scan
 * of everything is cheaper (ski rental).  Answers are computed on demand and
 * kept with the moment until which they hold.
 *
 * Memory is bounded by platform.features_cache_size: what does not fit is
 * never read whole, and a full cache is dropped.
 *
 * main.filled is 0 while content is incomplete, so an error during a fill
 * leaves a cache that nobody uses.
 */
#include "core/platform.h"

#include <limits.h>

#include "common/int.h"
#include "miscadmin.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/cache.h"
#include "core/error.h"
#include "features/flags.h"
#include "features/flags_hash.h"

/* Times that a fill starts over because the tables changed meanwhile. */
#define FILL_ATTEMPTS		4

/* Single look-ups that a scan of everything must be worth. */
#define MISSES_FREE			16
#define ROWS_PER_MISS		512

/* What a flag takes, tables' slack included: the most that is tried whole. */
#define BYTES_PER_ROW		100

static PlatformCache tables = {
	.name = "features",
	.tables = {"organizations", "global_feature_flags", "tier_features",
	"org_feature_flags", "tenant_feature_flags", "feature_credits"},
};

static FlagCache main_cache;

/* A scan of everything did not fit; forgotten when the size is set. */
static bool whole_is_too_big = false;

/* The name looked up last: most callers ask for one feature many times. */
static struct
{
	uint64		filled;
	int			length;
	uint16		id;
	char		name[FEATURE_NAME_MAX + 1];
}			last_name;

static char *kill_switches = NULL;
static int	cache_size = 0;

static void
assign_kill_switches(const char *newval, void *extra)
{
	platform_cache_discard(&tables);
}

static void
assign_cache_size(int newval, void *extra)
{
	whole_is_too_big = false;
	platform_cache_discard(&tables);
}

void
platform_flag_cache_init(void)
{
	DefineCustomStringVariable("platform.kill_switches",
							   "Features that are off for everybody, whatever the tables say.",
							   "Separated by commas; for the day the tables cannot be written.",
							   &kill_switches, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, assign_kill_switches, NULL);
	DefineCustomIntVariable("platform.features_cache_size",
							"Memory that one session uses to remember feature flags.",
							NULL,
							&cache_size, 64 * 1024, 256, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB,
							NULL, assign_cache_size, NULL);
	platform_cache_register(&tables);
}

static Size
cache_limit(void)
{
	return (Size) cache_size * 1024;
}

/*
 * Whatever stands between names separates them, and what is no name is passed
 * over: a slip of the pen in an emergency must not leave all features on.
 */
static void
mark_killed(FlagCache *cache)
{
	static const char separators[] = ", \t\r\n\v\f;\"'";
	const char *start = kill_switches;

	while (*(start += strspn(start, separators)) != '\0')
	{
		int			length = strcspn(start, separators);
		char	   *name = asc_tolower(start, length);
		uint16		id = platform_name_id(&cache->feature_names, name, length);

		if (id != FEATURE_UNKNOWN)
			cache->features[id].killed = true;
		pfree(name);
		start += length;
	}
}

static inline bool
cache_is_current(void)
{
	return platform_cache_is_valid(&tables) && main_cache.filled == tables.generation + 1;
}

/* Drops everything and reads features and tiers; false when they changed meanwhile. */
static bool
fill_base(void)
{
	uint64		generation;

	platform_require_module(&platform_features_module);
	platform_flag_cache_reset(&main_cache, TopMemoryContext);
	platform_cache_begin_fill(&tables);
	generation = tables.generation;
	platform_flag_load_base(&main_cache);
	mark_killed(&main_cache);
	main_cache.filled = generation + 1;
	return tables.generation == generation;
}

/* Would one scan of everything cost less than going on with single look-ups? */
static bool
whole_is_cheaper(void)
{
	uint64		rows;

	if (whole_is_too_big || main_cache.misses < MISSES_FREE)
		return false;
	rows = platform_flag_estimate_rows();
	return main_cache.misses >= MISSES_FREE + rows / ROWS_PER_MISS &&
		rows * BYTES_PER_ROW <= cache_limit();
}

/* Reads everything; false when it changed meanwhile or was too much. */
static bool
fill_whole(void)
{
	bool		unchanged = fill_base();
	uint64		filled = main_cache.filled;

	main_cache.filled = 0;
	if (!platform_flag_load_all(&main_cache, cache_limit()))
	{
		whole_is_too_big = true;
		return false;
	}
	main_cache.filled = filled;
	return unchanged && filled == tables.generation + 1;
}

/* Reads one organization, or everything; false when the caller must look again. */
static bool
fill_organization(const pg_uuid_t *organization)
{
	uint64		filled = main_cache.filled;

	if (whole_is_cheaper())
		return fill_whole();
	if (platform_flag_organization_count(&main_cache) > 0 &&
		!platform_flag_cache_has_room(&main_cache, cache_limit()))
	{
		platform_cache_discard(&tables);
		return false;
	}
	main_cache.filled = 0;
	platform_flag_load_organization(&main_cache, organization);
	main_cache.misses++;
	main_cache.filled = filled;
	return filled == tables.generation + 1;
}

/*
 * The cache, current, with an organization's rows in it (NULL: only features
 * and tiers).  When the tables change faster than they can be read, what was
 * read last is good for this one call.
 */
FlagCache *
platform_flag_cache(const pg_uuid_t *organization)
{
	for (int attempt = 1;; attempt++)
	{
		bool		unchanged = true;

		if (!cache_is_current())
			unchanged = fill_base();
		if (organization != NULL && !main_cache.complete &&
			platform_flag_organization(&main_cache, organization) == NULL)
			unchanged = fill_organization(organization) && unchanged;
		if (main_cache.filled != 0 && (unchanged || attempt >= FILL_ATTEMPTS))
			return &main_cache;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The cache with every organization in it, or NULL when they do not fit.
 */
FlagCache *
platform_flag_cache_whole(void)
{
	for (int attempt = 1;; attempt++)
	{
		bool		unchanged = true;

		if (whole_is_too_big)
			return NULL;
		if (!cache_is_current() || !main_cache.complete)
			unchanged = fill_whole();
		if (main_cache.filled != 0 && main_cache.complete &&
			(unchanged || attempt >= FILL_ATTEMPTS))
			return &main_cache;
		CHECK_FOR_INTERRUPTS();
	}
}

static inline bool
entry_holds(const FlagEntry *entry)
{
	return entry->answer != 0 &&
		(entry->holds_until == DT_NOEND || GetCurrentTimestamp() < entry->holds_until);
}

/*
 * The entry with an answer that holds.  One that did not exist is added while
 * there is room, else it is made in *scratch.
 */
const FlagEntry *
platform_flag_resolve(FlagCache *cache, const FlagKey *key, FlagEntry *scratch)
{
	FlagEntry  *entry = flags_lookup(cache->flags, *key);
	FlagSubject subject = {.organization = &key->organization};
	FeatureAnswer answer;

	if (entry != NULL && entry_holds(entry))
		return entry;
	subject.now = GetCurrentTimestamp();
	platform_flag_evaluate(cache, &subject, key->feature, &answer);

	if (entry == NULL)
	{
		if (platform_flag_cache_has_room(cache, cache_limit()))
			entry = platform_flag_add_entry(cache, key);
		else
		{
			memset(scratch, 0, sizeof(*scratch));
			scratch->key = *key;
			entry = scratch;
			platform_cache_discard(&tables);
		}
	}
	entry->answer = FLAG_ANSWER(answer.reason, answer.enabled);
	entry->holds_until = answer.holds_until;
	return entry;
}

static pg_noinline bool
flag_check_slowly(const pg_uuid_t *organization, const char *feature, int length)
{
	FlagCache  *cache = platform_flag_cache(organization);
	FlagKey		key = {.organization = *organization};
	FlagEntry	scratch;

	key.feature = platform_name_id(&cache->feature_names, feature, length);
	if (key.feature == FEATURE_UNKNOWN)
		return false;
	last_name.filled = cache->filled;
	last_name.id = key.feature;
	last_name.length = length;
	memcpy(last_name.name, feature, length);
	return FLAG_ANSWER_ENABLED(platform_flag_resolve(cache, &key, &scratch)->answer);
}

/* Are the names the same?  Most have 8 to 16 bytes: two words that may overlap. */
static inline bool
same_name(const char *a, const char *b, int length)
{
	if (likely(length >= 8 && length <= 16))
		return platform_flag_word(a) == platform_flag_word(b) &&
			platform_flag_word(a + length - 8) == platform_flag_word(b + length - 8);
	return memcmp(a, b, length) == 0;
}

/*
 * Is the feature on for the organization?  The hot path of every check: no
 * allocation, no query, no clock unless a window is involved.
 */
bool
platform_flag_check(const pg_uuid_t *organization, const char *feature, int length)
{
	if (likely(cache_is_current() && last_name.filled == main_cache.filled &&
			   last_name.length == length && same_name(last_name.name, feature, length)))
	{
		const FlagEntry *entry = platform_flag_probe(main_cache.flags, organization,
													 last_name.id);

		if (likely(entry != NULL && entry_holds(entry)))
			return FLAG_ANSWER_ENABLED(entry->answer);
	}
	return flag_check_slowly(organization, feature, length);
}

static int64
smaller_limit(int64 a, int64 b)
{
	if (a == FEATURE_LIMIT_NONE)
		return b;
	if (b == FEATURE_LIMIT_NONE)
		return a;
	return Min(a, b);
}

/* Adds the credit that is active now to a limit. */
static int64
add_credit(const FlagCache *cache, int64 limit, uint32 credit, TimestampTz now)
{
	TimestampTz ignored = DT_NOEND;

	while (credit != 0 && limit != FEATURE_LIMIT_NONE)
	{
		const FlagCredit *bought = &cache->credits[credit - 1];

		if (platform_window_is_open(bought->active_from, bought->active_to, now, &ignored) &&
			pg_add_s64_overflow(limit, bought->amount, &limit))
			limit = PG_INT64_MAX;
		credit = bought->next;
	}
	return limit;
}

/* Each term from the organization's row, else from its tier's. */
static void
terms_from_rows(const FlagRow *own, const FlagRow *tier, FeatureTerms *terms)
{
	const FlagRow *rows[] = {tier, own};

	for (int i = 0; i < lengthof(rows); i++)
	{
		if (rows[i] == NULL)
			continue;
		if (rows[i]->daily_limit != FEATURE_LIMIT_NONE)
			terms->daily_limit = rows[i]->daily_limit;
		if (rows[i]->monthly_limit != FEATURE_LIMIT_NONE)
			terms->monthly_limit = rows[i]->monthly_limit;
		if (rows[i]->soft_percent >= 0)
			terms->soft_percent = rows[i]->soft_percent;
		if (rows[i]->enforcement >= 0)
			terms->enforcement = (FeatureEnforcement) rows[i]->enforcement;
	}
}

/* The effective limits and how they are enforced; zeroed terms become complete. */
void
platform_flag_limits(FlagCache *cache, const pg_uuid_t *organization, uint16 feature,
					 TimestampTz now, FeatureTerms *terms)
{
	const FlagOrganization *owner = platform_flag_organization(cache, organization);
	FlagKey		key = {.organization = *organization, .feature = feature};
	TimestampTz ignored = DT_NOEND;
	const FlagEntry *entry;
	const FlagRow *tenant;

	terms->daily_limit = FEATURE_LIMIT_NONE;
	terms->monthly_limit = FEATURE_LIMIT_NONE;
	terms->soft_percent = FEATURE_SOFT_PERCENT;
	terms->enforcement = FEATURE_ENFORCE_HARD;
	terms->timezone = "UTC";
	terms->anchor_day = 1;
	if (owner == NULL || owner->missing)
		return;
	terms->timezone = cache->timezone_names.names[owner->timezone];
	terms->anchor_day = owner->anchor_day;
	if (feature == FEATURE_UNKNOWN)
		return;

	entry = platform_flag_entry(cache, &key);
	terms_from_rows(platform_flag_open_row(cache, entry ? entry->platform_row : 0, now, &ignored),
					platform_flag_open_row(cache, platform_flag_tier_row(cache, owner, feature),
										   now, &ignored),
					terms);
	if (entry == NULL)
		return;
	terms->monthly_limit = add_credit(cache, terms->monthly_limit, entry->credit, now);
	tenant = platform_flag_open_row(cache, entry->tenant_row, now, &ignored);
	if (tenant != NULL)
	{
		terms->daily_limit = smaller_limit(terms->daily_limit, tenant->daily_limit);
		terms->monthly_limit = smaller_limit(terms->monthly_limit, tenant->monthly_limit);
	}
}

/* What consumption needs to know; any caller: access is checked before. */
void
platform_feature_terms(const pg_uuid_t *organization, const char *feature, int feature_length,
					   FeatureTerms *terms)
{
	FlagCache  *cache = platform_flag_cache(organization);
	FlagKey		key = {.organization = *organization};

	key.feature = platform_name_id(&cache->feature_names, feature, feature_length);
	terms->enabled = false;
	terms->reason = FEATURE_FLAG_NOT_FOUND;
	if (key.feature != FEATURE_UNKNOWN)
	{
		FlagEntry	scratch;
		const FlagEntry *entry = platform_flag_resolve(cache, &key, &scratch);

		terms->enabled = FLAG_ANSWER_ENABLED(entry->answer);
		terms->reason = FLAG_ANSWER_REASON(entry->answer);
	}
	platform_flag_limits(cache, organization, key.feature, GetCurrentTimestamp(), terms);
}
