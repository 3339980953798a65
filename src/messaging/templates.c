/*
 * templates.c
 *	  Texts with variables: an organization's own, else the platform's, else the
 *	  built-in ones.
 *
 * What is put in for a variable is not looked at again: a customer called
 * {review_link} gets no link. One that is not known leaves no gap.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "messaging/messaging.h"

#define NIL_UUID "00000000-0000-0000-0000-000000000000"

static const char *const variable_names[SMS_VARIABLES] = {
	"business", "customer_name", "review_link", "phone", "time", "options",
};

static SmsText
kind_argument(FunctionCallInfo fcinfo, int argument, const pg_uuid_t *organization)
{
	const char *names[SMS_TEXTS + 1] = {NULL};
	char	   *name;
	int			kind = 0;

	for (int i = 0; i < SMS_TEXTS; i++)
		names[i] = platform_sms_text_name(i);
	name = platform_sms_word(fcinfo, argument, "kind", names);
	while (strcmp(names[kind], name) != 0)
		kind++;
	if (SMS_TEXT_IS_SHARED(kind) && !platform_uuid_equal(organization, &platform_nil_uuid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("texts of kind \"%s\" are the platform's", name),
				 errhint("They are those of the default organization.")));
	return kind;
}

char *
platform_sms_language(FunctionCallInfo fcinfo, int argument)
{
	char	   *language;
	size_t		length;

	if (PG_ARGISNULL(argument))
		return NULL;
	language = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	length = strlen(language);
	if (length < 2 || length >= SMS_LANGUAGE_BYTES || strspn(language, "abcdefghijklmnopqrstuvwxyz") != length)
		platform_bad_argument("language must be two or three lower-case letters");
	return language;
}

/*
 * The text in effect and, if language is given, its language: the organization's
 * before the platform's before the built-in one, and what is in that language
 * before what is in English.
 */
static char *
find_template(const pg_uuid_t *organization, SmsText kind, const char **language)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT body, language OPERATOR(pg_catalog.=) $3 FROM platform.sms_templates"
					   " WHERE organization_id OPERATOR(pg_catalog.=) ANY (ARRAY[$1, '" NIL_UUID "'::pg_catalog.uuid])"
					   " AND kind OPERATOR(pg_catalog.=) $2"
					   " AND language OPERATOR(pg_catalog.=) ANY (ARRAY[$3, '" SMS_DEFAULT_LANGUAGE "'])"
					   " ORDER BY 2 DESC, organization_id OPERATOR(pg_catalog.=) $1 DESC LIMIT 1",
					   UUIDOID, TEXTOID, TEXTOID);
	Datum		values[3];
	const char *built_in = platform_sms_built_in(kind, *language);
	bool		found;

	values[0] = UUIDPGetDatum(organization);
	values[1] = CStringGetTextDatum(platform_sms_text_name(kind));
	values[2] = CStringGetTextDatum(*language);
	found = platform_query_run(&find, values, NULL) > 0;
	if (found && (platform_row_bool(0, 2) || built_in == NULL))
	{
		if (!platform_row_bool(0, 2))
			*language = SMS_DEFAULT_LANGUAGE;
		return platform_row_cstring(0, 1);
	}
	if (built_in != NULL)
		return pstrdup(built_in);
	*language = SMS_DEFAULT_LANGUAGE;
	return pstrdup(platform_sms_built_in(kind, SMS_DEFAULT_LANGUAGE));
}

/* The number of the variable that begins at the brace, or -1; its length with braces. */
static int
read_variable(const char *text, size_t *length)
{
	for (int i = 0; i < SMS_VARIABLES; i++)
	{
		size_t		name = strlen(variable_names[i]);

		if (strncmp(text + 1, variable_names[i], name) == 0 && text[name + 1] == '}')
		{
			*length = name + 2;
			return i;
		}
	}
	return -1;
}

static void
trim_end(StringInfo text)
{
	while (text->len > 0 && text->data[text->len - 1] == ' ')
		text->data[--text->len] = '\0';
}

static char *
render(const char *template, const char *language, const SmsValues *values)
{
	StringInfoData text;

	initStringInfo(&text);
	while (*template)
	{
		size_t		length;
		int			variable = *template == '{' ? read_variable(template, &length) : -1;
		const char *value;

		if (variable < 0)
		{
			appendStringInfoChar(&text, *template++);
			continue;
		}
		value = values->values[variable];
		if (value == NULL || *value == '\0')
			value = platform_sms_neutral(variable, language);
		if (*value == '\0')
			trim_end(&text);
		appendStringInfoString(&text, value);
		template += length;
	}
	trim_end(&text);
	return text.data;
}

char *
platform_sms_compose(const pg_uuid_t *organization, SmsText kind, const char *language,
					 const SmsValues *values)
{
	char	   *template = find_template(organization, kind, &language);

	return render(template, language, values);
}

/* PT422 for a brace that begins no variable. */
static void
check_template(const char *body)
{
	for (const char *brace = strchr(body, '{'); brace != NULL; brace = strchr(brace + 1, '{'))
	{
		size_t		length;

		if (read_variable(brace, &length) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
					 errmsg("the text has a variable that does not exist"),
					 errhint("There are {business}, {customer_name}, {review_link}, {phone}, {time} and {options}.")));
	}
}

/* PT422 for a question without what to answer. */
static void
check_variables(SmsText kind, const char *body)
{
	if (kind == SMS_TEXT_ASK && strstr(body, "{options}") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("the text must have {options}")));
}

/* The language of the organization; PT404. Within a query pair. */
static void
require_settings(const pg_uuid_t *organization, SmsSettings *settings)
{
	if (!platform_sms_settings(organization, settings))
		platform_no_such_organization(organization);
}

PG_FUNCTION_INFO_V1(platform_set_sms_template);

/*
 * platform.set_sms_template(organization_id uuid, kind text, body text,
 *							 language text DEFAULT NULL)
 *		RETURNS text
 *
 * The organization's own text of a kind in a language (NULL: the organization's): post_call,
 * review_request, appointment_reminder, opt_out, opt_in, help, reschedule, chosen,
 * opt_in_elsewhere, rate_limit; body NULL: the built-in one again. Texts of the
 * default organization are the platform's, for all that have none; of it alone are shared_opt_in,
 * shared_help, unknown and ask. Variables are {business}, {customer_name}, {review_link},
 * {phone}, {time}, and {options}, which ask must have. Returns the text in effect.
 * Administrators of the organization. Errors: 22004; 22023; 42501; PT404 no such organization;
 * PT422 another variable; 25006.
 */
Datum
platform_set_sms_template(PG_FUNCTION_ARGS)
{
	static PlatformQuery set =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_templates (organization_id, kind, language, body)"
					   " VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, kind, language)"
					   " DO UPDATE SET body = excluded.body",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID);
	static PlatformQuery reset =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "DELETE FROM platform.sms_templates"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND kind OPERATOR(pg_catalog.=) $2 AND language OPERATOR(pg_catalog.=) $3",
					   UUIDOID, TEXTOID, TEXTOID);
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	SmsText		kind = kind_argument(fcinfo, 1, organization);
	text	   *body = platform_optional_text(fcinfo, 2, "body", SMS_BODY_MAX);
	const char *language = platform_sms_language(fcinfo, 3);
	SmsSettings settings;
	Datum		values[4];
	char	   *effective;

	platform_require_administrator(organization, "change texts of the organization");
	if (body != NULL)
	{
		check_template(text_to_cstring(body));
		check_variables(kind, text_to_cstring(body));
	}
	platform_query_begin();
	require_settings(organization, &settings);
	if (language == NULL)
		language = settings.language;
	values[0] = UUIDPGetDatum(organization);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(language);
	values[3] = PointerGetDatum(body);
	platform_query_run(body == NULL ? &reset : &set, values, NULL);
	effective = find_template(organization, kind, &language);
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(effective));
}

/* A text of the object; NULL when it has none. */
static const char *
variable_text(Jsonb *json, const char *key)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&json->root, key, strlen(key), &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* Where the organization is reviewed: of its profiles, the oldest that says so. */
static const char *
review_link(const pg_uuid_t *organization)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT google_review_url FROM platform.profiles"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND google_review_url IS NOT NULL ORDER BY id LIMIT 1",
					   UUIDOID);
	Datum		values[1] = {UUIDPGetDatum(organization)};

	return platform_query_run(&find, values, NULL) > 0 ? platform_row_cstring(0, 1) : NULL;
}

text *
platform_sms_rendered(const pg_uuid_t *organization, SmsText kind, const char *language, Jsonb *json)
{
	SmsValues	values;
	SmsSettings settings;
	char	   *rendered;

	for (int i = 0; i < SMS_VARIABLES; i++)
		values.values[i] = variable_text(json, variable_names[i]);
	platform_query_begin();
	require_settings(organization, &settings);
	if (values.values[SMS_REVIEW_LINK] == NULL && kind == SMS_TEXT_REVIEW_REQUEST)
		values.values[SMS_REVIEW_LINK] = review_link(organization);
	if (values.values[SMS_BUSINESS] == NULL)
		values.values[SMS_BUSINESS] = settings.business;
	if (values.values[SMS_PHONE] == NULL)
		values.values[SMS_PHONE] = settings.help_phone;
	rendered = platform_sms_compose(organization, kind, language == NULL ? settings.language : language,
									&values);
	platform_query_end();
	return cstring_to_text(rendered);
}

PG_FUNCTION_INFO_V1(platform_render_sms_template);

/*
 * platform.render_sms_template(organization_id uuid, kind text, variables jsonb DEFAULT '{}',
 *								language text DEFAULT NULL)
 *		RETURNS text
 *
 * The organization's text of the kind in that language (NULL: the organization's) with
 * its variables put in: unless given, business is the organization's name, phone its
 * number for help, review_link the one in its profiles. What is missing is put
 * neutrally; other keys are not looked at. A language without the text: English.
 * Members: their organization. Errors: 22004; 22023; 42501; PT404 no such organization.
 */
Datum
platform_render_sms_template(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	SmsText		kind = kind_argument(fcinfo, 1, organization);
	Jsonb	   *json;

	platform_require_argument(fcinfo, 2, "variables");
	json = PG_GETARG_JSONB_P(2);
	if (!JB_ROOT_IS_OBJECT(json))
		platform_bad_argument("variables must be an object");
	PG_RETURN_TEXT_P(platform_sms_rendered(organization, kind, platform_sms_language(fcinfo, 3), json));
}
