/*
 * evaluate.c
 *	  The layers of a feature flag: from cached rows to an answer with a reason.
 *
 * First match wins: unknown, killed, organization inactive, prerequisite,
 * the organization's own row, its tier, the rollout, the default.  What the
 * organization's administrators set is looked at last and can only turn a
 * feature off.  Nothing here reads a table, a setting or the clock, so the
 * same code answers for now (cache.c) and for a moment in the past
 * (history.c).
 */
#include "core/platform.h"

#include "utils/uuid.h"

#include "features/flags.h"

/* What one evaluation knows already about prerequisites. */
typedef struct FlagMemo
{
	enum
	{
		MEMO_UNKNOWN, MEMO_RUNNING, MEMO_KNOWN
	}			state;
	FeatureAnswer answer;
} FlagMemo;

typedef struct Evaluation
{
	FlagCache  *cache;
	const FlagSubject *subject;
	const FlagOrganization *organization;
	FlagMemo   *memo;			/* by feature; NULL until there is a prerequisite */
} Evaluation;

static void evaluate(Evaluation *evaluation, uint16 id, int depth, FeatureAnswer *answer);

const char *
platform_feature_reason_name(FeatureReason reason)
{
	switch (reason)
	{
		case FEATURE_FLAG_NOT_FOUND:
			return "FLAG_NOT_FOUND";
		case FEATURE_KILLED:
			return "KILLED";
		case FEATURE_ORG_INACTIVE:
			return "ORG_INACTIVE";
		case FEATURE_PREREQUISITE_FAILED:
			return "PREREQUISITE_FAILED";
		case FEATURE_ORG_OVERRIDE:
			return "ORG_OVERRIDE";
		case FEATURE_PLAN:
			return "PLAN";
		case FEATURE_SPLIT:
			return "SPLIT";
		case FEATURE_DEFAULT:
			return "DEFAULT";
	}
	elog(ERROR, "unknown feature reason %d", (int) reason);
}

/* The table or setting that decided; NULL when none did. */
const char *
platform_feature_layer_name(FeatureLayer layer)
{
	switch (layer)
	{
		case LAYER_NONE:
			return NULL;
		case LAYER_GLOBAL_ROW:
			return "global_feature_flags";
		case LAYER_SETTING:
			return "platform.kill_switches";
		case LAYER_ORGANIZATION:
			return "organizations";
		case LAYER_PREREQUISITE:
			return "prerequisites";
		case LAYER_PLATFORM_ROW:
			return "org_feature_flags";
		case LAYER_TENANT_ROW:
			return "tenant_feature_flags";
		case LAYER_TIER:
			return "tier_features";
		case LAYER_ROLLOUT:
			return "rollout";
		case LAYER_DEFAULT:
			return "default";
	}
	elog(ERROR, "unknown feature layer %d", (int) layer);
}

/* Is now in [from, to)?  Lowers *holds_until to the next moment of change. */
bool
platform_window_is_open(TimestampTz from, TimestampTz to, TimestampTz now,
						TimestampTz *holds_until)
{
	TimestampTz change = now < from ? from : now < to ? to : DT_NOEND;

	if (change < *holds_until)
		*holds_until = change;
	return now >= from && now < to;
}

/* The row with that index + 1, unless there is none or its window is closed. */
const FlagRow *
platform_flag_open_row(const FlagCache *cache, uint32 index, TimestampTz now,
					   TimestampTz *holds_until)
{
	const FlagRow *row;

	if (index == 0)
		return NULL;
	row = &cache->rows[index - 1];
	return platform_window_is_open(row->active_from, row->active_to, now, holds_until) ?
		row : NULL;
}

/* The index + 1 of the row of an organization's tier. */
uint32
platform_flag_tier_row(const FlagCache *cache, const FlagOrganization *organization,
					   uint16 feature)
{
	uint32	   *rows = organization->tier < cache->tier_rows_size ?
		cache->tier_rows[organization->tier] : NULL;

	return rows ? rows[feature] : 0;
}

static void
decide(FeatureAnswer *answer, bool enabled, FeatureReason reason, FeatureLayer layer)
{
	answer->enabled = enabled;
	answer->reason = reason;
	answer->layer = layer;
}

/* The key that rollouts of this subject hash; buffer has room for a uuid. */
static const char *
subject_key(const FlagSubject *subject, char *buffer, int *length)
{
	static const char digits[] = "0123456789abcdef";
	char	   *end = buffer;

	if (subject->key != NULL)
	{
		*length = subject->key_length;
		return subject->key;
	}
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*end++ = '-';
		*end++ = digits[subject->organization->data[i] >> 4];
		*end++ = digits[subject->organization->data[i] & 0x0f];
	}
	*length = end - buffer;
	return buffer;
}

static uint32
subject_hash(const Feature *feature, const FlagSubject *subject, uint32 seed)
{
	char		buffer[2 * UUID_LEN + 4];
	int			length;
	const char *key = subject_key(subject, buffer, &length);

	return platform_rollout_hash(feature->salt, key, length, seed);
}

static bool
in_rollout(const Feature *feature, const FlagSubject *subject, FeatureAnswer *answer)
{
	if (feature->rollout <= 0)
		return false;
	if (feature->rollout >= ROLLOUT_BUCKETS)
		return true;
	answer->bucket = (int) (((uint64) subject_hash(feature, subject, ROLLOUT_SEED) *
							 ROLLOUT_BUCKETS) >> 32);
	return answer->bucket < feature->rollout;
}

/* The variant that falls to the subject; NULL when the feature has none. */
const FeatureVariant *
platform_flag_variant(const Feature *feature, const FlagSubject *subject)
{
	uint32		point;

	if (feature->variant_weight == 0)
		return NULL;
	point = (uint32) (((uint64) subject_hash(feature, subject, VARIANT_SEED) *
					   feature->variant_weight) >> 32);
	for (int i = 0; i < feature->variant_count; i++)
	{
		if (point < feature->variants[i].weight)
			return &feature->variants[i];
		point -= feature->variants[i].weight;
	}
	elog(ERROR, "weights of the variants of feature \"%s\" do not add up", feature->name);
}

/* Layer 4; true when all prerequisites are enabled. */
static bool
prerequisites_hold(Evaluation *evaluation, const Feature *feature, uint16 id, int depth,
				   FeatureAnswer *answer)
{
	if (evaluation->memo == NULL)
		evaluation->memo = palloc0(sizeof(FlagMemo) * evaluation->cache->feature_names.count);
	evaluation->memo[id].state = MEMO_RUNNING;

	for (int i = 0; i < feature->prerequisite_count; i++)
	{
		uint16		needed = feature->prerequisites[i];
		FlagMemo   *memo;

		answer->prerequisite_known = true;
		answer->prerequisite = needed;
		answer->prerequisite_reason = FEATURE_FLAG_NOT_FOUND;
		if (needed == FEATURE_UNKNOWN)
			return false;

		memo = &evaluation->memo[needed];
		if (memo->state == MEMO_RUNNING || depth >= FEATURE_PREREQUISITE_DEPTH)
		{
			answer->prerequisite_reason = FEATURE_PREREQUISITE_FAILED;
			answer->prerequisite_cycle = true;
			return false;
		}
		if (memo->state == MEMO_UNKNOWN)
		{
			evaluate(evaluation, needed, depth + 1, &memo->answer);
			memo->state = MEMO_KNOWN;
		}
		answer->holds_until = Min(answer->holds_until, memo->answer.holds_until);
		if (!memo->answer.enabled)
		{
			answer->prerequisite_reason = memo->answer.reason;
			answer->prerequisite_cycle = memo->answer.prerequisite_cycle;
			return false;
		}
	}
	answer->prerequisite_known = false;
	answer->prerequisite = FEATURE_UNKNOWN;
	return true;
}

/* Layers 5 to 8: what the platform says for this organization. */
static void
evaluate_platform(Evaluation *evaluation, const Feature *feature, uint16 id,
				  const FlagEntry *entry, FeatureAnswer *answer)
{
	FlagCache  *cache = evaluation->cache;
	TimestampTz now = evaluation->subject->now;
	const FlagRow *row;

	row = platform_flag_open_row(cache, entry ? entry->platform_row : 0, now,
								 &answer->holds_until);
	if (row != NULL)
	{
		answer->row = row;
		decide(answer, row->enabled, FEATURE_ORG_OVERRIDE, LAYER_PLATFORM_ROW);
		return;
	}
	row = platform_flag_open_row(cache,
								 platform_flag_tier_row(cache, evaluation->organization, id),
								 now, &answer->holds_until);
	if (row != NULL)
	{
		answer->row = row;
		decide(answer, row->enabled, FEATURE_PLAN, LAYER_TIER);
	}
	else if (feature->rollout >= 0)
		decide(answer, in_rollout(feature, evaluation->subject, answer),
			   FEATURE_SPLIT, LAYER_ROLLOUT);
	else
		decide(answer, feature->default_enabled, FEATURE_DEFAULT, LAYER_DEFAULT);
}

static void
evaluate(Evaluation *evaluation, uint16 id, int depth, FeatureAnswer *answer)
{
	FlagCache  *cache = evaluation->cache;
	const Feature *feature = &cache->features[id];
	const FlagOrganization *organization = evaluation->organization;
	const FlagEntry *entry;
	const FlagRow *tenant;
	FlagKey		key;

	memset(answer, 0, sizeof(*answer));
	answer->holds_until = DT_NOEND;
	answer->bucket = -1;
	answer->prerequisite = FEATURE_UNKNOWN;

	if (!platform_window_is_open(feature->active_from, feature->active_to,
								 evaluation->subject->now, &answer->holds_until))
	{
		decide(answer, false, FEATURE_FLAG_NOT_FOUND, LAYER_NONE);
		return;
	}
	if (!feature->enabled || feature->killed)
	{
		decide(answer, false, FEATURE_KILLED,
			   feature->enabled ? LAYER_SETTING : LAYER_GLOBAL_ROW);
		return;
	}
	if (organization == NULL || organization->missing || !organization->active)
	{
		decide(answer, false, FEATURE_ORG_INACTIVE, LAYER_ORGANIZATION);
		return;
	}
	if (feature->prerequisite_count > 0 &&
		!prerequisites_hold(evaluation, feature, id, depth, answer))
	{
		decide(answer, false, FEATURE_PREREQUISITE_FAILED, LAYER_PREREQUISITE);
		return;
	}

	key.organization = *evaluation->subject->organization;
	key.feature = id;
	entry = platform_flag_entry(cache, &key);
	evaluate_platform(evaluation, feature, id, entry, answer);
	if (!answer->enabled)
		return;

	tenant = platform_flag_open_row(cache, entry ? entry->tenant_row : 0,
									evaluation->subject->now, &answer->holds_until);
	if (tenant != NULL && !tenant->enabled)
	{
		answer->row = tenant;
		decide(answer, false, FEATURE_ORG_OVERRIDE, LAYER_TENANT_ROW);
	}
}

/* Answers for a feature of the cache, or FEATURE_UNKNOWN. */
void
platform_flag_evaluate(FlagCache *cache, const FlagSubject *subject, uint16 feature,
					   FeatureAnswer *answer)
{
	Evaluation	evaluation = {
		.cache = cache,
		.subject = subject,
		.organization = platform_flag_organization(cache, subject->organization),
	};

	if (feature == FEATURE_UNKNOWN)
	{
		memset(answer, 0, sizeof(*answer));
		answer->holds_until = DT_NOEND;
		answer->bucket = -1;
		answer->prerequisite = FEATURE_UNKNOWN;
		decide(answer, false, FEATURE_FLAG_NOT_FOUND, LAYER_NONE);
		return;
	}
	evaluate(&evaluation, feature, 0, answer);
	if (evaluation.memo != NULL)
		pfree(evaluation.memo);
}
