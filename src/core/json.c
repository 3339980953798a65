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
parse(const char *text, size_t length, size_t flags)
{
	JsonHandle *handle = palloc0(sizeof(JsonHandle));

	handle->release.func = release_json;
	handle->release.arg = handle;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &handle->release);
	handle->root = json_loadb(text, length, JSON_REJECT_DUPLICATES | flags, NULL);
	return handle->root;
}

const PlatformJson *
platform_json_parse(const char *text, size_t length)
{
	return parse(text, length, 0);
}

const PlatformJson *
platform_json_parse_wide(const char *text, size_t length)
{
	const PlatformJson *json = parse(text, length, 0);

	/* integers are read faster as such, and hardly ever too long */
	return json != NULL ? json : parse(text, length, JSON_DECODE_INT_AS_REAL);
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

void
platform_json_wipe(const PlatformJson *json)
{
	const char *text = json_string_value(json);

	if (text != NULL)
		platform_wipe(unconstify(char *, text), json_string_length(json));
}
