/*
 * templates.c
 *	  Texts with variables: an organization's own, else the built-in ones.
 *
 * What is put in for a variable is not looked at again: a customer called
 * {review_link} gets no link.
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

static const struct
{
	const char *kind;
	const char *body;
}			built_in[SMS_TEXTS] = {
	[SMS_TEXT_POST_CALL] = {"post_call",
		"Thanks for calling {business}! Reply to this message with any questions."},
	[SMS_TEXT_REVIEW_REQUEST] = {"review_request",
		"Hi {customer_name}, thank you for choosing {business}. How did we do? {review_link}"},
	[SMS_TEXT_APPOINTMENT_REMINDER] = {"appointment_reminder",
		"Reminder from {business}: your appointment is {time}. Reply YES to confirm."},
	[SMS_TEXT_OPT_OUT] = {"opt_out",
		"You are unsubscribed and will receive no more messages. Reply START to resubscribe."},
	[SMS_TEXT_OPT_IN] = {"opt_in",
		"{business}: you are resubscribed. Reply HELP for help, STOP to unsubscribe."},
	[SMS_TEXT_HELP] = {"help",
		"{business}: for help call {phone}. Message frequency varies. Msg & data rates may apply. Reply STOP to unsubscribe."},
	[SMS_TEXT_RESCHEDULE] = {"reschedule",
		"{business}: we will contact you about another time, or call {phone}."},
};

static const char *const variable_names[] = {
	"business", "customer_name", "review_link", "phone", "time",
};

static SmsText
text_argument(FunctionCallInfo fcinfo, int argument)
{
	const char *names[SMS_TEXTS + 1] = {NULL};
	char	   *kind;
	int			i = 0;

	for (int j = 0; j < SMS_TEXTS; j++)
		names[j] = built_in[j].kind;
	kind = platform_sms_word(fcinfo, argument, "kind", names);
	while (strcmp(names[i], kind) != 0)
		i++;
	return i;
}

char *
platform_sms_template(const pg_uuid_t *organization, SmsText kind)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT body FROM platform.sms_templates"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND kind OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID);
	Datum		values[2] = {UUIDPGetDatum(organization), CStringGetTextDatum(built_in[kind].kind)};

	if (platform_query_run(&find, values, NULL) > 0)
		return platform_row_cstring(0, 1);
	return pstrdup(built_in[kind].body);
}

/* The number of the variable that begins at the brace, or -1; its length with braces. */
static int
read_variable(const char *text, size_t *length)
{
	for (int i = 0; i < lengthof(variable_names); i++)
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

char *
platform_sms_render(const char *template, const SmsVariables *variables)
{
	const char *values[] = {
		variables->business, variables->customer_name, variables->review_link,
		variables->phone, variables->time,
	};
	static const char *const otherwise[] = {"us", "there", "", "us", "soon"};
	StringInfoData text;

	initStringInfo(&text);
	while (*template)
	{
		size_t		length;
		int			variable = *template == '{' ? read_variable(template, &length) : -1;

		if (variable < 0)
		{
			appendStringInfoChar(&text, *template++);
			continue;
		}
		appendStringInfoString(&text, values[variable] != NULL && *values[variable] ?
							   values[variable] : otherwise[variable]);
		template += length;
	}
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.data[--text.len] = '\0';
	return text.data;
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
					 errhint("There are {business}, {customer_name}, {review_link}, {phone} and {time}.")));
	}
}

PG_FUNCTION_INFO_V1(platform_set_sms_template);

/*
 * platform.set_sms_template(organization_id uuid, kind text, body text) RETURNS text
 *
 * The organization's own text of a kind: post_call, review_request,
 * appointment_reminder, opt_out, opt_in, help, reschedule; NULL: the built-in one
 * again. Variables are {business}, {customer_name}, {review_link}, {phone}, {time}.
 * Returns the text in effect. Administrators of the organization. Errors: 22004;
 * 22023; 42501; PT422 another variable; 23503 no such organization; 25006.
 */
Datum
platform_set_sms_template(PG_FUNCTION_ARGS)
{
	static PlatformQuery set =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.sms_templates (organization_id, kind, body)"
					   " VALUES ($1, $2, $3) ON CONFLICT (organization_id, kind)"
					   " DO UPDATE SET body = excluded.body",
					   UUIDOID, TEXTOID, TEXTOID);
	static PlatformQuery reset =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "DELETE FROM platform.sms_templates"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND kind OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID);
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	SmsText		kind = text_argument(fcinfo, 1);
	text	   *body = platform_optional_text(fcinfo, 2, "body", SMS_BODY_MAX);
	Datum		values[3] = {UUIDPGetDatum(organization), PG_GETARG_DATUM(1), PointerGetDatum(body)};
	char	   *effective;

	if (!platform_is_organization_admin())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change texts of the organization")));
	if (body != NULL)
		check_template(text_to_cstring(body));
	platform_query_begin();
	platform_query_run(body == NULL ? &reset : &set, values, NULL);
	effective = platform_sms_template(organization, kind);
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
platform_sms_rendered(const pg_uuid_t *organization, SmsText kind, Jsonb *values)
{
	SmsVariables variables = {0};
	SmsSettings settings;
	char	   *template;

	platform_query_begin();
	if (!platform_sms_settings(organization, &settings))
		platform_no_such_organization(organization);
	template = platform_sms_template(organization, kind);
	variables.review_link = variable_text(values, "review_link");
	if (variables.review_link == NULL && kind == SMS_TEXT_REVIEW_REQUEST)
		variables.review_link = review_link(organization);
	platform_query_end();
	variables.business = variable_text(values, "business");
	variables.customer_name = variable_text(values, "customer_name");
	variables.phone = variable_text(values, "phone");
	variables.time = variable_text(values, "time");
	if (variables.business == NULL)
		variables.business = settings.business;
	if (variables.phone == NULL)
		variables.phone = settings.help_phone;
	return cstring_to_text(platform_sms_render(template, &variables));
}

PG_FUNCTION_INFO_V1(platform_render_sms_template);

/*
 * platform.render_sms_template(organization_id uuid, kind text, variables jsonb DEFAULT '{}')
 *		RETURNS text
 *
 * The organization's text of the kind with its variables put in: unless given,
 * business is the organization's name, phone its number for help, review_link the
 * one in its profiles. What is missing is put neutrally; other keys are not looked at. Members: their organization.
 * Errors: 22004; 22023; 42501; PT404 no such organization.
 */
Datum
platform_render_sms_template(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_sms_organization(fcinfo, 0);
	SmsText		kind = text_argument(fcinfo, 1);
	Jsonb	   *json;

	platform_require_argument(fcinfo, 2, "variables");
	json = PG_GETARG_JSONB_P(2);
	if (!JB_ROOT_IS_OBJECT(json))
		platform_bad_argument("variables must be an object");
	PG_RETURN_TEXT_P(platform_sms_rendered(organization, kind, json));
}
