/*
 * load.c
 *	  From rows of the flag tables to a flag cache.
 *
 * Readers take the last query's result by column position, so that history.c
 * can feed them what the tables contained once.  The queries here see what is
 * committed now, and run as the owner: what a caller may know is decided
 * before, not by row security.
 */
#include "core/platform.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "core/module.h"
#include "core/query.h"
#include "features/flags.h"

#define FETCH_BATCH			1000

/* Rows on a page of these tables, to estimate their number from the size. */
#define ROWS_PER_PAGE		64

/* Which table a row of an organization comes from. */
enum
{
	SOURCE_PLATFORM = 1,
	SOURCE_TENANT,
	SOURCE_CREDIT
};

#define QUERY_LOAD (QUERY_READ | QUERY_LATEST | QUERY_OWNER)

static PlatformQuery read_features =
	PLATFORM_QUERY(QUERY_LOAD, FEATURE_COLUMNS " FROM platform.global_feature_flags"
				   " ORDER BY feature COLLATE pg_catalog.\"C\"");

static PlatformQuery read_tiers =
	PLATFORM_QUERY(QUERY_LOAD, TIER_COLUMNS " FROM platform.tier_features");

#define ORGANIZATION_ROWS(where) \
	"SELECT 1, feature, enabled, daily_limit, monthly_limit, soft_percent, enforcement," \
	" active_from, active_to, organization_id FROM platform.org_feature_flags" where \
	" UNION ALL " \
	"SELECT 2, feature, enabled, daily_limit, monthly_limit, NULL, NULL," \
	" active_from, active_to, organization_id FROM platform.tenant_feature_flags" where \
	" UNION ALL " \
	"SELECT 3, feature, true, NULL, amount, NULL, NULL," \
	" active_from, active_to, organization_id FROM platform.feature_credits" where

static PlatformQuery read_organization =
	PLATFORM_QUERY(QUERY_LOAD,
				   "SELECT o.tier, o.active, o.timezone, o.anchor, r.*"
				   " FROM (" ORGANIZATION_COLUMNS " FROM platform.organizations"
				   " WHERE id OPERATOR(pg_catalog.=) $1) o"
				   " LEFT JOIN ("
				   ORGANIZATION_ROWS(" WHERE organization_id OPERATOR(pg_catalog.=) $1")
				   ") r ON true",
				   UUIDOID);

static PlatformQuery read_all_organizations =
	PLATFORM_QUERY(QUERY_LOAD, ORGANIZATION_COLUMNS ", id FROM platform.organizations");

static PlatformQuery read_all_rows =
	PLATFORM_QUERY(QUERY_LOAD, ORGANIZATION_ROWS(""));

static uint16
read_name(FlagCache *cache, NameTable *table, uint64 row, int column)
{
	bool		isnull;
	text	   *name = DatumGetTextPP(platform_row_datum(row, column, &isnull));

	return platform_flag_intern_name(cache, table, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

/* The feature named in a column; FEATURE_UNKNOWN when no feature is. */
static uint16
read_feature_id(FlagCache *cache, Datum value)
{
	text	   *name = DatumGetTextPP(value);

	return platform_name_id(&cache->feature_names, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

static char *
read_copy(FlagCache *cache, uint64 row, int column)
{
	bool		isnull;
	text	   *value = DatumGetTextPP(platform_row_datum(row, column, &isnull));
	int			length = VARSIZE_ANY_EXHDR(value);
	char	   *copy = MemoryContextAlloc(cache->context, length + 1);

	memcpy(copy, VARDATA_ANY(value), length);
	copy[length] = '\0';
	return copy;
}

static void
read_window(uint64 row, int column, TimestampTz *from, TimestampTz *to)
{
	*from = platform_row_timestamptz_or(row, column, DT_NOBEGIN);
	*to = platform_row_timestamptz_or(row, column + 1, DT_NOEND);
}

static int8
read_enforcement(uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);
	text	   *name;

	if (isnull)
		return -1;
	name = DatumGetTextPP(value);
	switch (VARSIZE_ANY_EXHDR(name) > 0 ? *VARDATA_ANY(name) : '\0')
	{
		case 's':
			return FEATURE_ENFORCE_SOFT;
		case 'o':
			return FEATURE_ENFORCE_OFF;
		default:
			return FEATURE_ENFORCE_HARD;
	}
}

/* From column: enabled, two limits, soft percent, enforcement, window. */
static uint32
read_flag_row(FlagCache *cache, uint64 row, int column)
{
	FlagRow		flag;
	bool		isnull;
	Datum		percent = platform_row_datum(row, column + 3, &isnull);

	memset(&flag, 0, sizeof(flag));
	flag.enabled = platform_row_bool(row, column);
	flag.daily_limit = platform_row_int64_or(row, column + 1, FEATURE_LIMIT_NONE);
	flag.monthly_limit = platform_row_int64_or(row, column + 2, FEATURE_LIMIT_NONE);
	flag.soft_percent = isnull ? -1 : DatumGetInt16(percent);
	flag.enforcement = read_enforcement(row, column + 4);
	read_window(row, column + 5, &flag.active_from, &flag.active_to);
	return platform_flag_intern_row(cache, &flag);
}

static void
read_prerequisites(FlagCache *cache, Feature *feature, uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);
	Datum	   *names;
	bool	   *nulls;
	int			count;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &count);
	if (count == 0)
		return;
	feature->prerequisites = MemoryContextAlloc(cache->context, count * sizeof(uint16));
	for (int i = 0; i < count; i++)
		feature->prerequisites[i] = nulls[i] ? FEATURE_UNKNOWN : read_feature_id(cache, names[i]);
	feature->prerequisite_count = count;
}

/* Weights were checked when the row was written. */
static void
read_variants(FlagCache *cache, Feature *feature, uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);
	MemoryContext saved;

	if (isnull)
		return;
	saved = MemoryContextSwitchTo(cache->context);
	feature->variant_count = platform_feature_variants_parse(DatumGetJsonbP(value), NULL,
															 &feature->variants,
															 &feature->variant_weight);
	MemoryContextSwitchTo(saved);
}

/* The last query selected FEATURE_COLUMNS. */
void
platform_flag_read_features(FlagCache *cache)
{
	uint64		count = SPI_processed;

	/* Names first: a prerequisite may stand before its feature. */
	for (uint64 row = 0; row < count; row++)
		read_name(cache, &cache->feature_names, row, 1);

	cache->features = MemoryContextAllocZero(cache->context, Max(count, 1) * sizeof(Feature));
	for (uint64 row = 0; row < count; row++)
	{
		Feature    *feature = &cache->features[row];
		bool		isnull;
		Datum		rollout = platform_row_datum(row, 4, &isnull);

		feature->name = cache->feature_names.names[row];
		feature->enabled = platform_row_bool(row, 2);
		feature->default_enabled = platform_row_bool(row, 3);
		feature->rollout = isnull ? -1 : DatumGetInt32(rollout);
		feature->salt = read_copy(cache, row, 5);
		read_variants(cache, feature, row, 6);
		read_prerequisites(cache, feature, row, 7);
		read_window(row, 8, &feature->active_from, &feature->active_to);
	}
}

/* The last query selected TIER_COLUMNS. */
void
platform_flag_read_tiers(FlagCache *cache)
{
	int			features = Max(cache->feature_names.count, 1);

	for (uint64 row = 0; row < SPI_processed; row++)
		read_name(cache, &cache->tier_names, row, 1);

	cache->tier_rows_size = cache->tier_names.count;
	cache->tier_rows = MemoryContextAllocZero(cache->context,
											  Max(cache->tier_rows_size, 1) * sizeof(uint32 *));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		uint16		feature = read_feature_id(cache, platform_row_datum(row, 2, &isnull));
		uint32	  **rows = &cache->tier_rows[read_name(cache, &cache->tier_names, row, 1)];

		if (feature == FEATURE_UNKNOWN)
			continue;
		if (*rows == NULL)
			*rows = MemoryContextAllocZero(cache->context, features * sizeof(uint32));
		(*rows)[feature] = read_flag_row(cache, row, 3);
	}
}

/* From columns 1 to 4, those of ORGANIZATION_COLUMNS. */
static void
read_organization_row(FlagCache *cache, const pg_uuid_t *id, uint64 row)
{
	uint16		tier = read_name(cache, &cache->tier_names, row, 1);
	uint16		timezone = read_name(cache, &cache->timezone_names, row, 3);
	FlagOrganization *organization = platform_flag_add_organization(cache, id);

	organization->tier = tier;
	organization->active = platform_row_bool(row, 2);
	organization->timezone = timezone;
	organization->anchor_day = platform_row_int32(row, 4);
	organization->missing = false;
}

/* From column, that of the source: a flag or a credit. */
static void
read_organization_flag(FlagCache *cache, const pg_uuid_t *id, uint64 row, int column)
{
	int			source = platform_row_int32(row, column);
	FlagKey		key = {.organization = *id};
	bool		isnull;
	uint32		index;
	FlagEntry  *entry;

	key.feature = read_feature_id(cache, platform_row_datum(row, column + 1, &isnull));
	if (key.feature == FEATURE_UNKNOWN)
		return;

	if (source == SOURCE_CREDIT)
	{
		FlagCredit	credit = {.amount = platform_row_int64_or(row, column + 4, 0)};

		read_window(row, column + 7, &credit.active_from, &credit.active_to);
		entry = platform_flag_add_entry(cache, &key);
		credit.next = entry->credit;
		entry->credit = platform_flag_add_credit(cache, &credit);
		return;
	}
	index = read_flag_row(cache, row, column + 2);
	entry = platform_flag_add_entry(cache, &key);
	if (source == SOURCE_PLATFORM)
		entry->platform_row = index;
	else
		entry->tenant_row = index;
}

/*
 * The last query selected ORGANIZATION_COLUMNS, then a source (or NULL: no
 * row) and what read_organization_flag() expects; no row: no organization.
 * The organization comes last: its presence says that its flags are there.
 */
void
platform_flag_read_organization(FlagCache *cache, const pg_uuid_t *id)
{
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;

		(void) platform_row_datum(row, 5, &isnull);
		if (!isnull)
			read_organization_flag(cache, id, row, 5);
	}
	if (SPI_processed > 0)
		read_organization_row(cache, id, 0);
	else
		platform_flag_add_organization(cache, id);
}

/* Features and tiers. */
void
platform_flag_load_base(FlagCache *cache)
{
	platform_query_begin();
	platform_query_run(&read_features, NULL, NULL);
	platform_flag_read_features(cache);
	platform_query_run(&read_tiers, NULL, NULL);
	platform_flag_read_tiers(cache);
	platform_query_end();
}

void
platform_flag_load_organization(FlagCache *cache, const pg_uuid_t *id)
{
	Datum		value = UUIDPGetDatum(id);

	platform_query_begin();
	platform_query_run(&read_organization, &value, NULL);
	platform_flag_read_organization(cache, id);
	platform_query_end();
}

/* Reads a whole result in batches; false when the cache outgrew limit. */
static bool
load_batches(FlagCache *cache, PlatformQuery *query, bool organizations, Size limit)
{
	Portal		portal = platform_query_cursor(query, NULL, NULL);
	bool		fits = true;

	do
	{
		SPI_cursor_fetch(portal, true, FETCH_BATCH);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			pg_uuid_t	id = platform_row_uuid(row, organizations ? 5 : 10);

			if (organizations)
				read_organization_row(cache, &id, row);
			else
				read_organization_flag(cache, &id, row, 1);
		}
		SPI_freetuptable(SPI_tuptable);
		fits = platform_flag_cache_has_room(cache, limit);
	} while (SPI_processed > 0 && fits);

	SPI_cursor_close(portal);
	return fits;
}

/*
 * One scan of everything, instead of what was read so far.  False when it
 * would take more than limit bytes; the cache is of no use then.
 */
bool
platform_flag_load_all(FlagCache *cache, Size limit)
{
	bool		fits;

	platform_query_begin();
	fits = load_batches(cache, &read_all_rows, false, limit) &&
		load_batches(cache, &read_all_organizations, true, limit);
	platform_query_end();
	cache->complete = fits;
	return fits;
}

static uint64
relation_pages(const char *name)
{
	Relation	relation = table_open(platform_relation_oid(name, false), AccessShareLock);
	uint64		pages = 0;

	if (RELKIND_HAS_STORAGE(relation->rd_rel->relkind))
		pages = RelationGetNumberOfBlocks(relation);
	table_close(relation, AccessShareLock);
	return pages;
}

/* About how many rows a scan of everything would read. */
uint64
platform_flag_estimate_rows(void)
{
	return ROWS_PER_PAGE * (relation_pages("organizations") +
							relation_pages("org_feature_flags") +
							relation_pages("tenant_feature_flags") +
							relation_pages("feature_credits"));
}
