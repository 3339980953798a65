/*
 * merge_patch.c
 *	  Changing a document by a part of it: JSON Merge Patch (RFC 7396).
 */
#include "core/platform.h"

#include "miscadmin.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(platform_merge_patch);

static bool
is_object(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data);
}

static void
push_pair(JsonbParseState **state, JsonbValue *key, JsonbValue *value)
{
	(void) pushJsonbValue(state, WJB_KEY, key);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

/*
 * Pushes the object that a patch makes of a target, which is no object when it
 * is NULL; section 2 of the RFC.
 */
static JsonbValue *
push_patched(JsonbParseState **state, JsonbContainer *target, JsonbContainer *patch)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	was;

	check_stack_depth();
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (target != NULL)
	{
		iterator = JsonbIteratorInit(target);
		(void) JsonbIteratorNext(&iterator, &key, true);
		while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
		{
			(void) JsonbIteratorNext(&iterator, &value, true);
			if (getKeyJsonValueFromContainer(patch, key.val.string.val, key.val.string.len,
											 &was) == NULL)
				push_pair(state, &key, &value);
		}
	}
	iterator = JsonbIteratorInit(patch);
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		JsonbValue *old = NULL;

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvNull)
			continue;
		if (!is_object(&value))
		{
			push_pair(state, &key, &value);
			continue;
		}
		if (target != NULL)
			old = getKeyJsonValueFromContainer(target, key.val.string.val, key.val.string.len,
											   &was);
		(void) pushJsonbValue(state, WJB_KEY, &key);
		push_patched(state, is_object(old) ? old->val.binary.data : NULL, value.val.binary.data);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * platform.merge_patch(target jsonb, patch jsonb) returns jsonb
 *
 * The target changed as RFC 7396 says: keys of the patch replace those of the
 * target, objects are merged, null removes a key; a patch that is no object is
 * the result. NULL for a NULL patch; a NULL target is an empty object.
 */
Datum
platform_merge_patch(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	JsonbContainer *container = NULL;
	Jsonb	   *patch;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	patch = PG_GETARG_JSONB_P(1);
	if (!JB_ROOT_IS_OBJECT(patch))
		PG_RETURN_JSONB_P(patch);
	if (!PG_ARGISNULL(0) && JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(0)))
		container = &PG_GETARG_JSONB_P(0)->root;
	PG_RETURN_JSONB_P(JsonbValueToJsonb(push_patched(&state, container, &patch->root)));
}
