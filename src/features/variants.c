/*
 * variants.c
 *	  The variants of a feature: [{"name": text, "weight": integer, "payload": any}].
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "core/error.h"
#include "features/flags.h"

#define VARIANTS_MAX		100
#define VARIANT_WEIGHT_MAX	1000000

/* Refuses a definition that is being written; one that was stored is ignored. */
static int
refuse(const char *feature, const char *rule)
{
	if (feature != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("invalid variants of feature \"%s\"", feature),
				 errdetail("%s", rule)));
	return 0;
}

/* A whole number from 0 to VARIANT_WEIGHT_MAX, else -1. */
static int64
weight_of(const JsonbValue *value)
{
	Datum		number;
	Datum		whole;

	if (value == NULL || value->type != jbvNumeric ||
		numeric_is_nan(value->val.numeric) || numeric_is_inf(value->val.numeric))
		return -1;
	number = NumericGetDatum(value->val.numeric);
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)) ||
		!DatumGetBool(DirectFunctionCall2(numeric_ge, number,
										  DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))) ||
		!DatumGetBool(DirectFunctionCall2(numeric_le, number,
										  DirectFunctionCall1(int4_numeric,
															  Int32GetDatum(VARIANT_WEIGHT_MAX)))))
		return -1;
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, number));
}

/* One variant; false when the object breaks a rule, after refuse(). */
static bool
parse_variant(JsonbContainer *object, const char *feature, FeatureVariant *variant)
{
	JsonbValue	buffer;
	JsonbValue *value;
	int64		weight;

	value = getKeyJsonValueFromContainer(object, "name", 4, &buffer);
	if (value == NULL || value->type != jbvString ||
		value->val.string.len < 1 || value->val.string.len > FEATURE_NAME_MAX)
		return refuse(feature, "Each variant has a \"name\" of 1 to 63 bytes.");
	variant->name = pnstrdup(value->val.string.val, value->val.string.len);

	weight = weight_of(getKeyJsonValueFromContainer(object, "weight", 6, &buffer));
	if (weight < 0)
		return refuse(feature, "Each variant has a \"weight\", a whole number from 0 to 1000000.");
	variant->weight = (uint32) weight;

	value = getKeyJsonValueFromContainer(object, "payload", 7, &buffer);
	variant->payload = value ? JsonbValueToJsonb(value) : NULL;
	return true;
}

/*
 * Parses into the current memory context; returns the number of variants and
 * the sum of their weights. With a feature's name, raises PT422 for a
 * definition that breaks a rule; without, such a definition counts as none.
 */
int
platform_feature_variants_parse(Jsonb *variants, const char *feature,
								FeatureVariant **result, uint32 *weight)
{
	JsonbContainer *root = &variants->root;
	int			count;
	uint32		sum = 0;

	*result = NULL;
	*weight = 0;
	if (!JB_ROOT_IS_ARRAY(variants) || JB_ROOT_IS_SCALAR(variants))
		return refuse(feature, "Variants are an array of objects.");
	count = JsonContainerSize(root);
	if (count == 0)
		return 0;
	if (count > VARIANTS_MAX)
		return refuse(feature, "A feature has at most 100 variants.");

	*result = palloc0(count * sizeof(FeatureVariant));
	for (int i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(root, i);

		if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
			return refuse(feature, "Variants are an array of objects.");
		if (!parse_variant(element->val.binary.data, feature, &(*result)[i]))
			return 0;
		for (int j = 0; j < i; j++)
			if (strcmp((*result)[i].name, (*result)[j].name) == 0)
				return refuse(feature, "The names of variants differ from each other.");
		sum += (*result)[i].weight;
	}
	if (sum == 0)
		return refuse(feature, "The weights of the variants add up to more than 0.");
	*weight = sum;
	return count;
}
