/*
 * settings.c
 *	  Call settings: rules and defaults.
 *
 * The settings are walked once beside the list of known ones, which stands in
 * the order in which jsonb keeps its keys. All violations are collected. No
 * message repeats a value: a greeting may say what is nobody's business.
 *
 * Lifetime: defaults and the bounds of numbers are made at first use, in
 * TopMemoryContext, and never change.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

#include "core/error.h"
#include "core/json.h"
#include "capabilities/capabilities.h"

typedef enum CallSettingKind
{
	SETTING_BOOLEAN,
	SETTING_NUMBER,
	SETTING_INTEGER,
	SETTING_TEXT,
	SETTING_PLAIN_TEXT,			/* no markup */
	SETTING_COLOR,
	SETTING_CHOICE,
	SETTING_VOICE,				/* a text, checked beside the provider */
	SETTING_OBJECT
} CallSettingKind;

#define CHOICES_MAX 6

/* Bytes of an unknown key that are repeated, and beyond which no other is meant. */
#define MISSPELT_MAX 64

typedef struct CallSetting
{
	const char *name;
	CallSettingKind kind;
	const char *bounds[2];		/* of a number */
	int			max_length;		/* of a text, in characters; 0: any */
	const char *choices[CHOICES_MAX + 1];
	const struct CallSetting *members;
	int			member_count;

	/* private */
	int			length;			/* of the name */
	Numeric		limits[2];
} CallSetting;

/* Both lists in the order of jsonb: by length, then by bytes. */
static CallSetting voice_settings[] = {
	{.name = "pitch", .kind = SETTING_NUMBER, .bounds = {"-1", "1"}},
	{.name = "speed", .kind = SETTING_NUMBER, .bounds = {"0.5", "2"}},
	{.name = "stability", .kind = SETTING_NUMBER, .bounds = {"0", "1"}},
};

static CallSetting call_settings[] = {
	{.name = "voiceId", .kind = SETTING_VOICE},
	{.name = "callGreeting", .kind = SETTING_PLAIN_TEXT, .max_length = 500},
	{.name = "vadThreshold", .kind = SETTING_NUMBER, .bounds = {"0", "1"}},
	{.name = "endCallPhrase", .kind = SETTING_TEXT},
	{.name = "voiceProvider", .kind = SETTING_CHOICE, .choices = {"openai", "google", "elevenlabs"}},
	{.name = "voiceSettings", .kind = SETTING_OBJECT,
	.members = voice_settings, .member_count = lengthof(voice_settings)},
	{.name = "callButtonText", .kind = SETTING_TEXT, .max_length = 50},
	{.name = "silenceTimeout", .kind = SETTING_INTEGER, .bounds = {"30", "300"}},
	{.name = "callButtonColor", .kind = SETTING_COLOR},
	{.name = "maxCallDuration", .kind = SETTING_INTEGER, .bounds = {"60", "3600"}},
	{.name = "echoCancellation", .kind = SETTING_BOOLEAN},
	{.name = "noiseSuppression", .kind = SETTING_BOOLEAN},
	{.name = "recordingEnabled", .kind = SETTING_BOOLEAN},
	{.name = "callButtonPosition", .kind = SETTING_CHOICE,
	.choices = {"bottom-right", "bottom-left", "top-right", "top-left"}},
	{.name = "interruptionEnabled", .kind = SETTING_BOOLEAN},
	{.name = "transcriptionEnabled", .kind = SETTING_BOOLEAN},
};

static const char default_settings[] =
"{\"voiceId\": \"alloy\", \"voiceProvider\": \"openai\","
" \"voiceSettings\": {\"pitch\": 0, \"speed\": 1.0, \"stability\": 0.5},"
" \"callGreeting\": \"Hi, I'm your AI assistant. How can I help you today?\","
" \"endCallPhrase\": \"goodbye\", \"silenceTimeout\": 180, \"maxCallDuration\": 600,"
" \"recordingEnabled\": false, \"transcriptionEnabled\": true, \"interruptionEnabled\": true,"
" \"callButtonText\": \"Call Us\", \"callButtonColor\": \"#22C55E\","
" \"callButtonPosition\": \"bottom-right\", \"vadThreshold\": 0.5,"
" \"echoCancellation\": true, \"noiseSuppression\": true}";

/* The voice of a provider that has no account of its own voices. */
static const char *const default_google_voice = "en-US-Wavenet-A";

static const char *const openai_voices[] = {"alloy", "echo", "fable", "onyx", "nova", "shimmer"};

/* A walk through one document. */
typedef struct Check
{
	List	   *violations;
	const JsonbValue *voice;	/* point into the document, or NULL */
	const JsonbValue *provider;
	JsonbValue	found[2];		/* what they point to */
	int			known;			/* keys that are known */
} Check;

static bool settings_are_ready = false;

static void
prepare_list(CallSetting *settings, int count)
{
	for (int i = 0; i < count; i++)
	{
		settings[i].length = strlen(settings[i].name);
		for (int end = 0; end < 2 && settings[i].bounds[end] != NULL; end++)
			settings[i].limits[end] =
				DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(settings[i].bounds[end]),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	}
}

static void
prepare_settings(void)
{
	MemoryContext saved;

	if (likely(settings_are_ready))
		return;
	saved = MemoryContextSwitchTo(TopMemoryContext);
	prepare_list(voice_settings, lengthof(voice_settings));
	prepare_list(call_settings, lengthof(call_settings));
	MemoryContextSwitchTo(saved);
	settings_are_ready = true;
}

/* A document of ours, parsed for the life of the session. */
static Jsonb *
parse_for_good(const char *text)
{
	Datum		parsed = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
	MemoryContext saved = MemoryContextSwitchTo(TopMemoryContext);
	Jsonb	   *copy = DatumGetJsonbPCopy(parsed);

	MemoryContextSwitchTo(saved);
	return copy;
}

Jsonb *
platform_call_defaults(void)
{
	static Jsonb *defaults = NULL;

	if (defaults == NULL)
		defaults = parse_for_good(default_settings);
	return defaults;
}

/* The settings of a chatbot that says nothing. */
static Jsonb *
settings_of_nothing(void)
{
	static Jsonb *settings = NULL;

	if (settings == NULL)
		settings = parse_for_good(psprintf("{\"call\": %s}", default_settings));
	return settings;
}

/* ---- what is wrong ---- */

/* A path as RFC 6901 has it; key may be NULL. */
static char *
make_pointer(const char *parent, const char *key, int length)
{
	StringInfoData pointer;

	initStringInfo(&pointer);
	if (parent != NULL)
		appendStringInfo(&pointer, "/%s", parent);
	if (key != NULL)
		platform_append_step(&pointer, key, length);
	return pointer.data;
}

static void
add_violation(Check *check, const char *pointer, const char *rule, const char *message)
{
	CallSettingViolation *violation = palloc(sizeof(CallSettingViolation));

	violation->pointer = pointer;
	violation->rule = rule;
	violation->message = message;
	check->violations = lappend(check->violations, violation);
}

static void
refuse(Check *check, const char *parent, const CallSetting *setting, const char *rule,
	   const char *message)
{
	add_violation(check, make_pointer(parent, setting->name, setting->length), rule, message);
}

/* The known name that is meant, or NULL when none is near. */
static const char *
nearest_name(const CallSetting *settings, int count, const char *key, int length)
{
	const char *nearest = NULL;
	int			best = Max(length / 3, 2) + 1;

	if (length > MISSPELT_MAX)
		return NULL;
	for (int i = 0; i < count; i++)
	{
		int			distance = varstr_levenshtein_less_equal(key, length, settings[i].name,
															 settings[i].length, 1, 1, 1,
															 best, true);

		if (distance < best)
		{
			best = distance;
			nearest = settings[i].name;
		}
	}
	return nearest;
}

static void
refuse_unknown(Check *check, const char *parent, const CallSetting *settings, int count,
			   const JsonbValue *key)
{
	const char *name = key->val.string.val;
	int			length = key->val.string.len;
	const char *nearest = nearest_name(settings, count, name, length);

	length = pg_mbcliplen(name, length, MISSPELT_MAX);
	add_violation(check, make_pointer(parent, name, length), "unknown",
				  nearest == NULL ? "is not a call setting" :
				  psprintf("is not a call setting; did you mean \"%s\"?", nearest));
}

/* ---- one value ---- */

static inline bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static inline bool
text_equals(const JsonbValue *value, const char *text)
{
	int			length = strlen(text);

	return value->val.string.len == length && memcmp(value->val.string.val, text, length) == 0;
}

static bool
number_is_whole(Numeric number)
{
	Datum		value = NumericGetDatum(number);
	Datum		whole = DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(0));

	return DatumGetBool(DirectFunctionCall2(numeric_eq, value, whole));
}

static void
check_number(Check *check, const char *parent, const CallSetting *setting,
			 const JsonbValue *value)
{
	bool		whole = setting->kind == SETTING_INTEGER;
	Datum		number;

	if (value->type != jbvNumeric)
	{
		refuse(check, parent, setting, "type", whole ? "must be a whole number" : "must be a number");
		return;
	}
	number = NumericGetDatum(value->val.numeric);
	if (DatumGetInt32(DirectFunctionCall2(numeric_cmp, number,
										  NumericGetDatum(setting->limits[0]))) < 0 ||
		DatumGetInt32(DirectFunctionCall2(numeric_cmp, number,
										  NumericGetDatum(setting->limits[1]))) > 0)
		refuse(check, parent, setting, "range",
			   psprintf("must be between %s and %s", setting->bounds[0], setting->bounds[1]));
	else if (whole && !number_is_whole(value->val.numeric))
		refuse(check, parent, setting, "type", "must be a whole number");
}

/* A tag, a comment or a declaration, as in SSML; a lone "<" is text. */
static bool
has_markup(const char *text, int length)
{
	for (int i = 0; i + 1 < length; i++)
	{
		char		c = text[i + 1];

		if (text[i] == '<' &&
			((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '!' || c == '?'))
			return true;
	}
	return false;
}

static bool
is_color(const char *text, int length)
{
	if (length != 7 || text[0] != '#')
		return false;
	for (int i = 1; i < length; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f') ||
			  (text[i] >= 'A' && text[i] <= 'F')))
			return false;
	return true;
}

static void
check_choice(Check *check, const char *parent, const CallSetting *setting,
			 const JsonbValue *value)
{
	StringInfoData message;

	for (int i = 0; setting->choices[i] != NULL; i++)
		if (text_equals(value, setting->choices[i]))
			return;
	initStringInfo(&message);
	appendStringInfoString(&message, "must be one of");
	for (int i = 0; setting->choices[i] != NULL; i++)
		appendStringInfo(&message, "%s %s", i == 0 ? "" : ",", setting->choices[i]);
	refuse(check, parent, setting, "enum", message.data);
}

static void
check_text(Check *check, const char *parent, const CallSetting *setting,
		   const JsonbValue *value)
{
	const char *text = value->val.string.val;
	int			length = value->val.string.len;

	if (value->type != jbvString)
	{
		refuse(check, parent, setting, "type", "must be a text");
		return;
	}
	if (setting->max_length > 0 && length > setting->max_length &&
		pg_mbstrlen_with_len(text, length) > setting->max_length)
		refuse(check, parent, setting, "length",
			   psprintf("must have at most %d characters", setting->max_length));
	if (setting->kind == SETTING_PLAIN_TEXT && has_markup(text, length))
		refuse(check, parent, setting, "plain_text", "must be plain text without markup");
	if (setting->kind == SETTING_COLOR && !is_color(text, length))
		refuse(check, parent, setting, "format", "must be a colour such as #22C55E");
	if (setting->kind == SETTING_CHOICE)
		check_choice(check, parent, setting, value);
}

static void check_object(Check *check, const char *parent, const CallSetting *settings,
						 int count, JsonbContainer *container);

static void
check_value(Check *check, const char *parent, const CallSetting *setting,
			const JsonbValue *value)
{
	switch (setting->kind)
	{
		case SETTING_BOOLEAN:
			if (value->type != jbvBool)
				refuse(check, parent, setting, "type", "must be true or false");
			break;
		case SETTING_NUMBER:
		case SETTING_INTEGER:
			check_number(check, parent, setting, value);
			break;
		case SETTING_TEXT:
		case SETTING_PLAIN_TEXT:
		case SETTING_COLOR:
		case SETTING_CHOICE:
		case SETTING_VOICE:
			check_text(check, parent, setting, value);
			break;
		case SETTING_OBJECT:
			if (is_object(value))
				check_object(check, setting->name, setting->members, setting->member_count,
							 value->val.binary.data);
			else
				refuse(check, parent, setting, "type", "must be an object");
			break;
	}
}

/* As jsonb orders keys. */
static inline int
compare_name(const CallSetting *setting, const JsonbValue *key)
{
	if (setting->length != key->val.string.len)
		return setting->length < key->val.string.len ? -1 : 1;
	return memcmp(setting->name, key->val.string.val, setting->length);
}

/* Walks an object and the list of what it may hold side by side. */
static void
check_object(Check *check, const char *parent, const CallSetting *settings, int count,
			 JsonbContainer *container)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbValue	key;
	JsonbValue	value;
	int			next = 0;

	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		while (next < count && compare_name(&settings[next], &key) < 0)
			next++;
		if (next >= count || compare_name(&settings[next], &key) != 0)
		{
			refuse_unknown(check, parent, settings, count, &key);
			continue;
		}
		check->known++;
		check_value(check, parent, &settings[next], &value);
		if (value.type == jbvString && parent == NULL)
		{
			if (settings[next].kind == SETTING_VOICE)
			{
				check->found[0] = value;
				check->voice = &check->found[0];
			}
			else if (strcmp(settings[next].name, "voiceProvider") == 0)
			{
				check->found[1] = value;
				check->provider = &check->found[1];
			}
		}
	}
}

/* ---- voices ---- */

static bool
is_openai_voice(const JsonbValue *voice)
{
	for (int i = 0; i < lengthof(openai_voices); i++)
		if (text_equals(voice, openai_voices[i]))
			return true;
	return false;
}

static inline bool
is_letter(char c, char first, char last)
{
	return c >= first && c <= last;
}

/*
 * A name of Cloud Text-to-Speech (language, region, family and voice:
 * en-US-Wavenet-A), or one of Gemini Live, which is a capitalised word (Puck).
 */
static bool
is_google_voice(const char *text, int length)
{
	int			hyphens = 0;
	bool		word = length > 1 && is_letter(text[0], 'A', 'Z');
	int			language = strcspn(text, "-");

	for (int i = 0; i < length; i++)
	{
		char		c = text[i];

		if (c == '-')
		{
			/* none at an end, no two together */
			if (i == 0 || i == length - 1 || text[i - 1] == '-')
				return false;
			hyphens++;
		}
		else if (!is_letter(c, 'a', 'z') && !is_letter(c, 'A', 'Z') && !is_letter(c, '0', '9'))
			return false;
		if (i > 0 && !is_letter(c, 'a', 'z'))
			word = false;
	}
	return word || (hyphens >= 3 && is_letter(text[0], 'a', 'z') &&
					(language == 2 || language == 3));
}

/* An identifier that the account gave to a voice. */
static bool
is_elevenlabs_voice(const JsonbValue *voice)
{
	const char *text = voice->val.string.val;

	if (voice->val.string.len < 1 || voice->val.string.len > 64 || is_openai_voice(voice))
		return false;
	for (int i = 0; i < voice->val.string.len; i++)
		if (!is_letter(text[i], 'a', 'z') && !is_letter(text[i], 'A', 'Z') &&
			!is_letter(text[i], '0', '9') && text[i] != '-' && text[i] != '_')
			return false;
	return true;
}

/* The voice is one of the provider's; both are the defaults when they are missing. */
static void
check_voice(Check *check)
{
	const CallSetting *setting = &call_settings[0];

	Assert(setting->kind == SETTING_VOICE);
	if (check->provider == NULL || text_equals(check->provider, "openai"))
	{
		if (check->voice != NULL && !is_openai_voice(check->voice))
			refuse(check, NULL, setting, "voice",
				   "must be a voice of openai: alloy, echo, fable, onyx, nova, shimmer");
	}
	else if (text_equals(check->provider, "google"))
	{
		if (check->voice != NULL && !is_google_voice(pnstrdup(check->voice->val.string.val,
															  check->voice->val.string.len),
													 check->voice->val.string.len))
			refuse(check, NULL, setting, "voice",
				   "must be a voice of google, such as en-US-Wavenet-A or Puck");
	}
	else if (text_equals(check->provider, "elevenlabs"))
	{
		if (check->voice == NULL)
			refuse(check, NULL, setting, "required",
				   "must be given: elevenlabs has no voice that every account knows");
		else if (!is_elevenlabs_voice(check->voice))
			refuse(check, NULL, setting, "voice", "must be the id of a voice of elevenlabs");
	}
}

static void
check_document(Check *check, const JsonbValue *call)
{
	prepare_settings();
	if (!is_object(call))
	{
		add_violation(check, "", "type", "must be an object");
		return;
	}
	check_object(check, NULL, call_settings, lengthof(call_settings), call->val.binary.data);
	check_voice(check);
}

List *
platform_call_settings_violations(const JsonbValue *call)
{
	Check		check = {0};

	check_document(&check, call);
	return check.violations;
}

void
platform_call_settings_refuse(List *violations)
{
	StringInfoData json;
	ListCell   *cell;

	initStringInfo(&json);
	foreach(cell, violations)
	{
		const CallSettingViolation *violation = lfirst(cell);

		appendStringInfoString(&json, json.len == 0 ? "[{\"pointer\": " : ", {\"pointer\": ");
		escape_json(&json, violation->pointer);
		appendStringInfoString(&json, ", \"rule\": ");
		escape_json(&json, violation->rule);
		appendStringInfoString(&json, ", \"message\": ");
		escape_json(&json, violation->message);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg_plural("call settings break %d rule", "call settings break %d rules",
						   list_length(violations), list_length(violations)),
			 errdetail_internal("%s", json.data),
			 errhint("platform.default_call_settings() has all keys.")));
}

/* ---- defaults ---- */

static void
push_pair(JsonbParseState **state, const JsonbValue *key, const JsonbValue *value)
{
	(void) pushJsonbValue(state, WJB_KEY, unconstify(JsonbValue *, key));
	(void) pushJsonbValue(state, WJB_VALUE, unconstify(JsonbValue *, value));
}

/* The default of a setting; that of the voice depends on the provider. */
static void
default_value(const CallSetting *setting, JsonbContainer *defaults, const JsonbValue *provider,
			  JsonbValue *value)
{
	if (setting->kind == SETTING_VOICE && provider != NULL && text_equals(provider, "google"))
	{
		value->type = jbvString;
		value->val.string.val = unconstify(char *, default_google_voice);
		value->val.string.len = strlen(default_google_voice);
	}
	else
		(void) getKeyJsonValueFromContainer(defaults, setting->name, setting->length, value);
}

/* Pushes an object with what container (NULL: nothing) has and defaults for the rest. */
static JsonbValue *
push_completed(JsonbParseState **state, const CallSetting *settings, int count,
			   JsonbContainer *container, JsonbContainer *defaults, const JsonbValue *provider)
{
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < count; i++)
	{
		JsonbValue	key = {.type = jbvString};
		JsonbValue	value;
		JsonbValue	otherwise;
		bool		given = container != NULL &&
			getKeyJsonValueFromContainer(container, settings[i].name, settings[i].length,
										 &value) != NULL;

		key.val.string.val = unconstify(char *, settings[i].name);
		key.val.string.len = settings[i].length;
		default_value(&settings[i], defaults, provider, &otherwise);
		if (settings[i].kind == SETTING_OBJECT)
		{
			(void) pushJsonbValue(state, WJB_KEY, &key);
			push_completed(state, settings[i].members, settings[i].member_count,
						   given && is_object(&value) ? value.val.binary.data : NULL,
						   otherwise.val.binary.data, NULL);
		}
		else
			push_pair(state, &key, given ? &value : &otherwise);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* All that there can be: those of the lists. */
#define SETTINGS_KNOWN	((int) (lengthof(call_settings) + lengthof(voice_settings)))

static JsonbValue *
complete_call(const Check *check, const JsonbValue *call)
{
	JsonbParseState *state = NULL;

	if (check->known == SETTINGS_KNOWN)
		return NULL;
	return push_completed(&state, call_settings, lengthof(call_settings),
						  call == NULL ? NULL : call->val.binary.data,
						  &platform_call_defaults()->root, check->provider);
}

JsonbValue *
platform_call_settings_complete(const JsonbValue *call)
{
	Check		check = {0};

	prepare_settings();
	if (call != NULL)
		check_document(&check, call);
	return complete_call(&check, call);
}

/* The settings with another value of "call". */
static Jsonb *
replace_call(Jsonb *settings, JsonbValue *call)
{
	static const char *const name = "call";
	JsonbIterator *iterator = JsonbIteratorInit(&settings->root);
	JsonbParseState *state = NULL;
	JsonbValue	key;
	JsonbValue	value;

	(void) JsonbIteratorNext(&iterator, &key, true);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (!text_equals(&key, name))
			push_pair(&state, &key, &value);
	}
	key.type = jbvString;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	push_pair(&state, &key, call);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Jsonb *
platform_chatbot_settings_check(Jsonb *settings, bool complete)
{
	Check		check = {0};
	JsonbValue	value;
	JsonbValue *call = NULL;
	JsonbValue *completed;

	if (!JB_ROOT_IS_OBJECT(settings))
		return NULL;			/* the table's own CHECK refuses it */
	prepare_settings();
	call = getKeyJsonValueFromContainer(&settings->root, "call", strlen("call"), &value);
	if (call != NULL)
		check_document(&check, call);
	if (check.violations != NIL)
		platform_call_settings_refuse(check.violations);
	if (!complete)
		return NULL;
	if (JB_ROOT_COUNT(settings) == 0)
		return settings_of_nothing();
	completed = complete_call(&check, call);
	return completed == NULL ? NULL : replace_call(settings, completed);
}
