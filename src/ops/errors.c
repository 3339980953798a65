/*
 * errors.c
 *	  Errors of the application: one row each, grouped by a fingerprint.
 *
 * A group has no row of its own: an error inside a transaction would have to
 * lock it, and the busiest error would hold up everybody. Texts are cut to size
 * rather than refused: whoever reports an error has trouble enough.
 */
#include "core/platform.h"

#include <ctype.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_log_error);
PG_FUNCTION_INFO_V1(platform_error_fingerprint);
PG_FUNCTION_INFO_V1(platform_redact_secrets);
PG_FUNCTION_INFO_V1(platform_resolve_errors);

#define FINGERPRINT_BYTES	8
#define NAME_TOKEN_MOST		64
#define CRITICAL_ERROR		"critical_error"

/* ---- fingerprints ---- */

static bool
is_token_byte(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '-';
}

/*
 * Appends the text without what differs between two occurrences: quoted texts
 * become ?, words with a digit in them #, white space one blank.
 */
static void
append_shape(StringInfo shape, const char *text)
{
	const char *c = text;

	while (*c)
	{
		if ((*c == '\'' || *c == '"') && strchr(c + 1, *c) != NULL)
		{
			appendStringInfoChar(shape, '?');
			c = strchr(c + 1, *c) + 1;
		}
		else if (is_token_byte(*c))
		{
			const char *start = c;
			bool		has_digit = false;

			for (; is_token_byte(*c); c++)
				has_digit |= isdigit((unsigned char) *c);
			if (has_digit)
				appendStringInfoChar(shape, '#');
			else
				appendBinaryStringInfo(shape, start, c - start);
		}
		else if (isspace((unsigned char) *c))
		{
			while (isspace((unsigned char) *c))
				c++;
			appendStringInfoChar(shape, ' ');
		}
		else
			appendStringInfoChar(shape, *c++);
	}
	appendStringInfoChar(shape, '\n');
}

/* 16 hexadecimal digits of the SHA-256 of the error's shape. */
static char *
fingerprint(const char *type, const char *message, const char *endpoint)
{
	StringInfoData shape;
	uint8		digest[PLATFORM_HASH_MAX_SIZE];
	char	   *hex = palloc(2 * FINGERPRINT_BYTES + 1);

	initStringInfo(&shape);
	append_shape(&shape, type);
	append_shape(&shape, message);
	if (endpoint != NULL)
		append_shape(&shape, pnstrdup(endpoint, strcspn(endpoint, "?#")));
	platform_hash(PLATFORM_SHA256, shape.data, shape.len, digest);
	hex_encode((char *) digest, FINGERPRINT_BYTES, hex);
	hex[2 * FINGERPRINT_BYTES] = '\0';
	return hex;
}

/*
 * platform.error_fingerprint(error_type text, message text, endpoint text DEFAULT NULL)
 *		returns text
 *
 * What errors of one cause have in common: 16 hexadecimal digits, made of the
 * type, the message and the path without numbers, identifiers and quoted texts.
 * NULL for a NULL type or message.
 */
Datum
platform_error_fingerprint(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(fingerprint(text_to_cstring(PG_GETARG_TEXT_PP(0)),
												 text_to_cstring(PG_GETARG_TEXT_PP(1)),
												 PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)))));
}

/* ---- secrets in documents ---- */

/* Parts of names, without case, dashes and underscores. */
static const char *const secret_names[] = {"password", "passwd", "passphrase", "secret", "token",
	"authorization", "cookie", "apikey", "accesskey", "privatekey", "signingkey", "credential",
	"cardnumber", "cvv", "cvc", "ssn", NULL};

static bool
is_secret_name(const JsonbValue *key)
{
	char		name[NAME_TOKEN_MOST + 1];
	int			length = 0;

	for (int i = 0; i < key->val.string.len && length < NAME_TOKEN_MOST; i++)
		if (isalnum((unsigned char) key->val.string.val[i]))
			name[length++] = pg_ascii_tolower((unsigned char) key->val.string.val[i]);
	name[length] = '\0';
	for (int i = 0; secret_names[i] != NULL; i++)
		if (strstr(name, secret_names[i]) != NULL)
			return true;
	return false;
}

/* The document with values of members with such names masked, at any depth. */
static Jsonb *
redact(Jsonb *document)
{
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbParseState *state = NULL;
	JsonbValue	item;
	JsonbValue	mask = {.type = jbvString};
	JsonbValue *result = NULL;
	JsonbIteratorToken token;
	bool		skip = false;

	mask.val.string.val = "***";
	mask.val.string.len = 3;
	while ((token = JsonbIteratorNext(&iterator, &item, skip)) != WJB_DONE)
	{
		bool		masked = skip;

		skip = token == WJB_KEY && is_secret_name(&item);
		if (masked && token == WJB_VALUE)
			result = pushJsonbValue(&state, token, item.type == jbvNull ? &item : &mask);
		else
			result = pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY ||
									(token == WJB_BEGIN_ARRAY && item.val.array.rawScalar) ? &item : NULL);
	}
	return JsonbValueToJsonb(result);
}

/*
 * platform.redact_secrets(document jsonb) returns jsonb
 *
 * The document with the values of members whose names speak of secrets
 * (password, secret, token, authorization, cookie, api_key, card_number ...)
 * replaced by "***", at any depth. A null stays. NULL for NULL.
 */
Datum
platform_redact_secrets(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(redact(PG_GETARG_JSONB_P(0)));
}

/* ---- reporting ---- */

static PlatformQuery insert_error =
	PLATFORM_QUERY(QUERY_OWNER,
				   "INSERT INTO platform.error_logs"
				   " (organization_id, message, error_type, severity, stack_trace, endpoint, method,"
				   " user_id, request_id, context, request_body, ip_address, user_agent, fingerprint)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
				   " coalesce($10, '{}'::pg_catalog.jsonb), $11, $12, $13, $14) RETURNING id",
				   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID,
				   TEXTOID, JSONBOID, JSONBOID, INETOID, TEXTOID, TEXTOID);

/* An optional text, cut to so many characters. */
static char *
cut_text(FunctionCallInfo fcinfo, int argument, int most)
{
	text	   *value;

	if (PG_ARGISNULL(argument))
		return NULL;
	value = PG_GETARG_TEXT_PP(argument);
	return pnstrdup(VARDATA_ANY(value),
					pg_mbcharcliplen(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), most));
}

static const char *
severity_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *severity = PG_ARGISNULL(argument) ? "medium" :
		text_to_cstring(PG_GETARG_TEXT_PP(argument));

	if (strcmp(severity, "low") != 0 && strcmp(severity, "medium") != 0 &&
		strcmp(severity, "high") != 0 && strcmp(severity, "critical") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("severity must be low, medium, high or critical")));
	return severity;
}

static PlatformQuery find_organization =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.organizations WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

/* The platform's own when the organization is gone. */
static void
raise_critical(const pg_uuid_t *organization, const char *type, const char *message,
			   const char *group)
{
	PlatformAlert alert = {.severity = "critical", .type = CRITICAL_ERROR, .source = "error_rate",
	.message = message, .dedup_key = group};
	Datum		id = UUIDPGetDatum(organization);

	platform_query_begin();
	if (platform_query_run(&find_organization, &id, NULL) > 0)
		alert.organization = organization;
	platform_query_end();
	alert.title = psprintf("Critical error: %.200s", type);
	platform_alert_raise(&alert, NULL);
}

/*
 * platform.log_error(organization_id uuid, message text, error_type text DEFAULT 'Error',
 *		severity text DEFAULT 'medium', stack_trace text DEFAULT NULL, endpoint text DEFAULT NULL,
 *		method text DEFAULT NULL, user_id uuid DEFAULT NULL, request_id text DEFAULT NULL,
 *		context jsonb DEFAULT '{}', request_body jsonb DEFAULT NULL, ip_address inet DEFAULT NULL,
 *		user_agent text DEFAULT NULL, fingerprint text DEFAULT NULL) returns uuid
 *
 * Records an error and returns its id. organization_id NULL: the platform's
 * own. Texts that are too long are cut (stack_trace at 5000 characters), members
 * of context and request_body with names of secrets masked. fingerprint NULL:
 * see error_fingerprint(). An error of severity critical also raises an alert,
 * one for each fingerprint. Operators only: 42501. 22004 without a message,
 * 22023 for an unknown severity, 55000 before install().
 */
Datum
platform_log_error(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	char	   *message;
	char	   *type;
	char	   *endpoint;
	char	   *texts[14] = {NULL};
	Datum		values[14];
	bool		nulls[14];
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	platform_require_operator("log an error");
	platform_require_module(&platform_ops_module);
	platform_require_argument(fcinfo, 1, "message");
	organization = PG_ARGISNULL(0) ? &platform_nil_uuid : PG_GETARG_UUID_P(0);
	texts[1] = message = cut_text(fcinfo, 1, 10000);
	type = cut_text(fcinfo, 2, 255);
	texts[2] = type = type == NULL || *type == '\0' ? "Error" : type;
	texts[3] = (char *) severity_argument(fcinfo, 3);
	texts[4] = cut_text(fcinfo, 4, 5000);
	texts[5] = endpoint = cut_text(fcinfo, 5, 2000);
	texts[6] = cut_text(fcinfo, 6, 20);
	texts[8] = cut_text(fcinfo, 8, 255);
	texts[12] = cut_text(fcinfo, 12, 1000);
	texts[13] = PG_ARGISNULL(13) ? fingerprint(type, message, endpoint) : cut_text(fcinfo, 13, 64);

	for (int i = 0; i < 14; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
		if (nulls[i] && !PG_ARGISNULL(i))
		{
			values[i] = i == 9 || i == 10 ? JsonbPGetDatum(redact(PG_GETARG_JSONB_P(i))) : PG_GETARG_DATUM(i);
			nulls[i] = false;
		}
	}
	values[0] = UUIDPGetDatum(organization);
	nulls[0] = false;

	platform_query_begin();
	platform_query_run(&insert_error, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	if (strcmp(texts[3], "critical") == 0)
		raise_critical(organization, type, message, texts[13]);
	PG_RETURN_UUID_P(id);
}

static PlatformQuery resolve_group =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.error_logs"
				   " SET resolved_at = pg_catalog.clock_timestamp(), resolved_by = $2, resolution_notes = $3"
				   " WHERE fingerprint OPERATOR(pg_catalog.=) $1 AND resolved_at IS NULL"
				   " AND ($4 IS NULL OR organization_id OPERATOR(pg_catalog.=) $4)",
				   TEXTOID, TEXTOID, TEXTOID, UUIDOID);

static PlatformQuery clear_alerts =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.ops_alerts"
				   " SET resolved_at = pg_catalog.clock_timestamp(), resolved_by = $2, resolution_notes = $3"
				   " WHERE dedup_key OPERATOR(pg_catalog.=) $1 AND resolved_at IS NULL"
				   " AND alert_type OPERATOR(pg_catalog.=) '" CRITICAL_ERROR "'"
				   " AND ($4 IS NULL OR organization_id OPERATOR(pg_catalog.=) $4)",
				   TEXTOID, TEXTOID, TEXTOID, UUIDOID);

/*
 * platform.resolve_errors(fingerprint text, notes text DEFAULT NULL,
 *		for_organization_id uuid DEFAULT NULL) returns bigint
 *
 * Marks the open errors of a group resolved, of one organization or (NULL) of
 * all, closes its alert, and returns how many there were. An error of the group
 * that comes later is open again. Operators only: 42501. 22004 without a
 * fingerprint, 22023 for one or notes that are too long.
 */
Datum
platform_resolve_errors(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, PG_ARGISNULL(1), PG_ARGISNULL(2)};
	char	   *group;
	char	   *notes;
	int64		count;

	platform_require_operator("resolve errors");
	platform_require_module(&platform_ops_module);
	group = platform_ops_text(fcinfo, 0, "fingerprint", 64);
	notes = platform_ops_optional_text(fcinfo, 1, "notes", 10000);
	values[0] = CStringGetTextDatum(group);
	values[1] = CStringGetTextDatum(platform_caller_name());
	values[2] = notes == NULL ? (Datum) 0 : CStringGetTextDatum(notes);
	values[3] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	platform_query_begin();
	count = platform_query_run(&resolve_group, values, nulls);
	platform_query_run(&clear_alerts, values, nulls);
	platform_query_end();
	PG_RETURN_INT64(count);
}
