/*
 * json.c
 *	  JSON whose text must not leak: the only user of jansson.
 *
 * PostgreSQL exports a function json_object() of its own, to which a call of
 * jansson's would be bound: nothing here may call it, and utils/builtins.h,
 * which declares it, must not be included beside jansson.h.
 */
#include "core/platform.h"

#include <jansson.h>

#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "core/crypto.h"
#include "core/json.h"

typedef struct JsonHandle
{
	json_t	   *root;
	MemoryContextCallback release;
} JsonHandle;

static void
release_json(void *arg)
{
	json_decref(((JsonHandle *) arg)->root);
}

static const PlatformJson *
parse(const char *text, size_t length, size_t flags, json_error_t *error)
{
	JsonHandle *handle = palloc0(sizeof(JsonHandle));

	handle->release.func = release_json;
	handle->release.arg = handle;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &handle->release);
	handle->root = json_loadb(text, length, JSON_REJECT_DUPLICATES | flags, error);
	return handle->root;
}

const PlatformJson *
platform_json_parse(const char *text, size_t length)
{
	return parse(text, length, 0, NULL);
}

const PlatformJson *
platform_json_parse_wide(const char *text, size_t length)
{
	const PlatformJson *json = parse(text, length, 0, NULL);

	/* integers are read faster as such, and hardly ever too long */
	return json != NULL ? json : parse(text, length, JSON_DECODE_INT_AS_REAL, NULL);
}

const PlatformJson *
platform_json_parse_located(const char *text, size_t length, int *line, int *column)
{
	json_error_t error;
	const PlatformJson *json = parse(text, length, 0, &error);

	*line = json == NULL ? Max(error.line, 0) : 0;
	*column = json == NULL ? Max(error.column, 0) : 0;
	return json;
}

bool
platform_json_is_object(const PlatformJson *json)
{
	return json_is_object(json);
}

bool
platform_json_is_array(const PlatformJson *json)
{
	return json_is_array(json);
}

const PlatformJson *
platform_json_get(const PlatformJson *json, const char *key)
{
	const json_t *member = json_object_get(json, key);

	return json_is_null(member) ? NULL : member;
}

bool
platform_json_has(const PlatformJson *json, const char *key)
{
	return json_object_get(json, key) != NULL;
}

size_t
platform_json_length(const PlatformJson *json)
{
	return json_array_size(json);
}

const PlatformJson *
platform_json_item(const PlatformJson *json, size_t index)
{
	return json_array_get(json, index);
}

const char *
platform_json_text(const PlatformJson *json)
{
	const char *text = json_string_value(json);

	if (text != NULL && GetDatabaseEncoding() != PG_UTF8 && !pg_is_ascii(text))
		return NULL;
	return text;
}

bool
platform_json_number(const PlatformJson *json, double *number)
{
	*number = json_number_value(json);
	return json_is_number(json);
}

/* Pushes a value into the state; false when it cannot be a text of this database. */
static bool
push_value(JsonbParseState **state, JsonbIteratorToken token, json_t *json, JsonbValue **result)
{
	JsonbValue	value;

	check_stack_depth();
	switch (json_typeof(json))
	{
		case JSON_OBJECT:
			{
				const char *key;
				json_t	   *member;

				pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
				json_object_foreach(json, key, member)
				{
					if (GetDatabaseEncoding() != PG_UTF8 && !pg_is_ascii(key))
						return false;
					value.type = jbvString;
					value.val.string.val = unconstify(char *, key);
					value.val.string.len = strlen(key);
					pushJsonbValue(state, WJB_KEY, &value);
					if (!push_value(state, WJB_VALUE, member, result))
						return false;
				}
				*result = pushJsonbValue(state, WJB_END_OBJECT, NULL);
				return true;
			}
		case JSON_ARRAY:
			{
				size_t		i;
				json_t	   *item;

				pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
				json_array_foreach(json, i, item)
					if (!push_value(state, WJB_ELEM, item, result))
						return false;
				*result = pushJsonbValue(state, WJB_END_ARRAY, NULL);
				return true;
			}
		case JSON_STRING:
			value.type = jbvString;
			value.val.string.val = unconstify(char *, platform_json_text(json));
			if (value.val.string.val == NULL)
				return false;
			value.val.string.len = json_string_length(json);
			break;
		case JSON_INTEGER:
			value.type = jbvNumeric;
			value.val.numeric = int64_to_numeric(json_integer_value(json));
			break;
		case JSON_REAL:
			value.type = jbvNumeric;
			value.val.numeric = DatumGetNumeric(OidFunctionCall1(F_NUMERIC_FLOAT8,
																 Float8GetDatum(json_real_value(json))));
			break;
		case JSON_TRUE:
		case JSON_FALSE:
			value.type = jbvBool;
			value.val.boolean = json_is_true(json);
			break;
		case JSON_NULL:
			value.type = jbvNull;
			break;
	}
	pushJsonbValue(state, token, &value);
	return true;
}

Jsonb *
platform_json_to_jsonb(const PlatformJson *json)
{
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;

	Assert(json_is_object(json) || json_is_array(json));
	if (!push_value(&state, WJB_VALUE, unconstify(json_t *, json), &result))
		return NULL;
	return JsonbValueToJsonb(result);
}

void
platform_append_step(StringInfo pointer, const char *name, int length)
{
	appendStringInfoChar(pointer, '/');
	for (int i = 0; i < length; i++)
	{
		if (name[i] == '~')
			appendStringInfoString(pointer, "~0");
		else if (name[i] == '/')
			appendStringInfoString(pointer, "~1");
		else
			appendStringInfoChar(pointer, name[i]);
	}
}

void
platform_json_wipe(const PlatformJson *json)
{
	json_t	   *value = unconstify(json_t *, json);
	json_t	   *child;

	if (json_is_string(value))
		platform_wipe(unconstify(char *, json_string_value(value)), json_string_length(value));
	else if (json_is_object(value))
	{
		const char *key;

		json_object_foreach(value, key, child)
			platform_json_wipe(child);
	}
	else
	{
		size_t		i;

		json_array_foreach(value, i, child)
			platform_json_wipe(child);
	}
}
