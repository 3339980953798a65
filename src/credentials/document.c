/*
 * document.c
 *	  A provider's document: finding and replacing its secret strings.
 *
 * The document is walked in the server's binary form: nothing of it is ever
 * printed, and numbers stay as they are.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "core/error.h"
#include "core/json.h"
#include "credentials/document.h"

#define ENVELOPE_KEY "$enc"

typedef struct Walk
{
	const DocumentPaths *paths;
	DocumentVisitor visit;
	void	   *arg;
	StringInfoData pointer;		/* of where it is */
	JsonbParseState *state;
} Walk;

static JsonbValue *walk_container(Walk *walk, JsonbContainer *container);

/* Do path and pointer name the same place? */
static bool
path_matches(const char *path, const char *pointer)
{
	for (;;)
	{
		size_t		part = strcspn(path + 1, "/") + 1;
		size_t		given = strcspn(pointer + 1, "/") + 1;

		if (!(part == 2 && path[1] == '*') &&
			(part != given || memcmp(path, pointer, part) != 0))
			return false;
		path += part;
		pointer += given;
		if (*path == '\0' || *pointer == '\0')
			return *path == *pointer;
	}
}

static bool
is_secret_path(const Walk *walk)
{
	if (walk->paths == NULL || walk->pointer.len == 0)
		return false;
	for (int i = 0; i < walk->paths->count; i++)
		if (path_matches(walk->paths->paths[i], walk->pointer.data))
			return true;
	return false;
}

/* Is the value {"$enc": "..."}? */
static bool
is_envelope(const JsonbValue *value, DocumentLeaf *leaf)
{
	JsonbValue	member;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data) ||
		JsonContainerSize(value->val.binary.data) != 1 ||
		getKeyJsonValueFromContainer(value->val.binary.data, ENVELOPE_KEY, strlen(ENVELOPE_KEY),
									 &member) == NULL ||
		member.type != jbvString)
		return false;
	leaf->kind = LEAF_ENVELOPE;
	leaf->text = member.val.string.val;
	leaf->length = member.val.string.len;
	return true;
}

static void
set_string(JsonbValue *value, const char *text, int length)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = length;
}

/* Pushes the value of a member or item of which the walk's pointer tells the place. */
static void
push_leaf(Walk *walk, JsonbIteratorToken token, const DocumentLeaf *leaf)
{
	JsonbValue	value;

	if (leaf->kind == LEAF_ENVELOPE)
	{
		pushJsonbValue(&walk->state, WJB_BEGIN_OBJECT, NULL);
		set_string(&value, ENVELOPE_KEY, strlen(ENVELOPE_KEY));
		pushJsonbValue(&walk->state, WJB_KEY, &value);
		set_string(&value, leaf->text, leaf->length);
		pushJsonbValue(&walk->state, WJB_VALUE, &value);
		pushJsonbValue(&walk->state, WJB_END_OBJECT, NULL);
		return;
	}
	if (leaf->kind == LEAF_NULL)
		value.type = jbvNull;
	else
		set_string(&value, leaf->text, leaf->length);
	pushJsonbValue(&walk->state, token, &value);
}

static void
walk_value(Walk *walk, JsonbIteratorToken token, JsonbValue *value)
{
	DocumentLeaf leaf;

	if (is_envelope(value, &leaf))
	{
		walk->visit(walk->pointer.data, &leaf, walk->arg);
		push_leaf(walk, token, &leaf);
	}
	else if (value->type != jbvNull && is_secret_path(walk))
	{
		if (value->type != jbvString)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
					 errmsg("credentials: \"%s\" must be a string", walk->pointer.data),
					 errhint("Secrets are strings; write a number in quotes.")));
		leaf.kind = LEAF_TEXT;
		leaf.text = value->val.string.val;
		leaf.length = value->val.string.len;
		walk->visit(walk->pointer.data, &leaf, walk->arg);
		push_leaf(walk, token, &leaf);
	}
	else if (value->type == jbvBinary)
		walk_container(walk, value->val.binary.data);
	else
		pushJsonbValue(&walk->state, token, value);
}

static JsonbValue *
walk_container(Walk *walk, JsonbContainer *container)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *result = NULL;
	int			depth = walk->pointer.len;
	int			index = 0;

	check_stack_depth();
	token = JsonbIteratorNext(&iterator, &value, true);
	pushJsonbValue(&walk->state, token, NULL);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_KEY:
				walk->pointer.len = depth;
				platform_append_step(&walk->pointer, value.val.string.val, value.val.string.len);
				pushJsonbValue(&walk->state, token, &value);
				break;
			case WJB_ELEM:
				walk->pointer.len = depth;
				appendStringInfo(&walk->pointer, "/%d", index++);
				walk_value(walk, token, &value);
				break;
			case WJB_VALUE:
				walk_value(walk, token, &value);
				break;
			default:
				result = pushJsonbValue(&walk->state, token, NULL);
		}
	}
	walk->pointer.len = depth;
	walk->pointer.data[depth] = '\0';
	return result;
}

Jsonb *
platform_document_map(Jsonb *document, const DocumentPaths *paths, DocumentVisitor visit, void *arg)
{
	Walk		walk = {.paths = paths, .visit = visit, .arg = arg};
	Jsonb	   *result;

	if (!JB_ROOT_IS_OBJECT(document))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("credentials must be an object")));
	initStringInfo(&walk.pointer);
	result = JsonbValueToJsonb(walk_container(&walk, &document->root));
	pfree(walk.pointer.data);
	return result;
}

/* Takes the first part off a pointer and undoes its escapes; returns its length. */
static int
take_part(const char **pointer, char *name)
{
	const char *from = *pointer + 1;
	char	   *to = name;

	for (; *from != '\0' && *from != '/'; from++)
	{
		if (*from == '~')
			*to++ = *++from == '0' ? '~' : '/';
		else
			*to++ = *from;
	}
	*to = '\0';
	*pointer = from;
	return (int) (to - name);
}

bool
platform_document_envelope(Jsonb *document, const char *pointer, DocumentLeaf *leaf)
{
	JsonbContainer *container = &document->root;
	char	   *name = palloc(strlen(pointer) + 1);
	JsonbValue	value = {.type = jbvNull};

	while (*pointer != '\0')
	{
		int			length = take_part(&pointer, name);
		JsonbValue *found;

		if (container == NULL)
			return false;
		if (JsonContainerIsObject(container))
			found = getKeyJsonValueFromContainer(container, name, length, &value);
		else
		{
			found = getIthJsonbValueFromContainer(container, (uint32) strtoul(name, NULL, 10));
			if (found != NULL)
				value = *found;
		}
		if (found == NULL)
			return false;
		container = value.type == jbvBinary ? value.val.binary.data : NULL;
	}
	pfree(name);
	return is_envelope(&value, leaf);
}
