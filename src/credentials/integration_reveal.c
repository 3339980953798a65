/*
 * integration_reveal.c
 *	  Showing the secrets of an account: redacted to members, whole to who was
 *	  granted it; and making a new webhook secret.
 *
 * Revealing is recorded before anything is decrypted: what was asked for and not
 * got is worth knowing too.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/signature.h"
#include "credentials/integrations.h"

#define LONGEST_GRACE (INT64CONST(31) * USECS_PER_DAY + USECS_PER_HOUR) /* the end of summer */

/* How the leaves of a document, and columns, are shown. */
typedef struct Show
{
	const IntegrationSecrets *row;
	IntegrationSecret column;
	bool		redact;
	StringInfo	problems;		/* NULL: what cannot be decrypted is an error */
} Show;

static text *
open_text(const Show *show, const char *pointer, const DocumentLeaf *leaf, PlatformKeyFault *fault)
{
	PlatformSecretPlace place = platform_integration_place(show->row, show->column, pointer);

	if (leaf->kind == LEAF_TEXT)
	{
		platform_key_fault(fault, KEY_MALFORMED, "secret is not encrypted", NULL,
						   "Run platform.reencrypt_credentials().");
		return NULL;
	}
	return platform_secret_try_decrypt_text(&place, leaf->text, leaf->length, fault);
}

/* A DocumentVisitor; also for columns, whose pointer is NULL. */
static void
show_leaf(const char *pointer, DocumentLeaf *leaf, void *arg)
{
	Show	   *show = arg;
	PlatformKeyFault fault;
	text	   *plain = NULL;

	if (show->redact && leaf->kind == LEAF_TEXT)
		plain = cstring_to_text_with_len(leaf->text, leaf->length);
	else
		plain = open_text(show, pointer, leaf, &fault);

	if (show->redact)
	{
		leaf->text = plain == NULL ? "****" :
			platform_redact(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
		leaf->length = strlen(leaf->text);
		leaf->kind = LEAF_TEXT;
		if (plain != NULL)
			platform_wipe(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
		return;
	}
	if (plain != NULL)
	{
		leaf->text = VARDATA_ANY(plain);
		leaf->length = VARSIZE_ANY_EXHDR(plain);
		leaf->kind = LEAF_TEXT;
		return;
	}
	if (show->problems == NULL)
		platform_key_fault_raise(&fault);
	appendStringInfo(show->problems, "%s%s%s: %s", show->problems->len > 0 ? ", " : "",
					 platform_integration_columns[show->column], pointer == NULL ? "" : pointer,
					 platform_key_reason_name(fault.reason));
	leaf->kind = LEAF_NULL;
}

/* A column as it is to be shown; NULL when there is nothing, or it cannot be. */
static Datum
show_column(Show *show, IntegrationSecret column, bool *isnull)
{
	const IntegrationSecrets *row = show->row;
	DocumentLeaf leaf;
	text	   *value;

	show->column = column;
	*isnull = row->nulls[column];
	if (*isnull)
		return (Datum) 0;
	if (column == INTEGRATION_CREDENTIALS)
	{
		DocumentPaths paths = platform_credential_paths(row->account_type);

		return JsonbPGetDatum(platform_document_map(DatumGetJsonbP(row->values[column]), &paths,
													show_leaf, show));
	}
	value = DatumGetTextPP(row->values[column]);
	leaf.text = VARDATA_ANY(value);
	leaf.length = VARSIZE_ANY_EXHDR(value);
	leaf.kind = platform_secret_is_envelope(leaf.text, leaf.length) ? LEAF_ENVELOPE : LEAF_TEXT;
	show_leaf(NULL, &leaf, show);
	*isnull = leaf.kind == LEAF_NULL;
	return *isnull ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(leaf.text, leaf.length));
}

PG_FUNCTION_INFO_V1(platform_redacted_credentials);

/*
 * platform.redacted_credentials(organization_id uuid, account_id uuid) returns jsonb
 *
 * The account's document with "****" and the last four characters in place of
 * each secret; "****" alone when a secret is shorter than 12 characters or cannot be
 * decrypted. Members: their organization's. NULL when there is no such account.
 * Errors: 42501; 22004.
 */
Datum
platform_redacted_credentials(PG_FUNCTION_ARGS)
{
	IntegrationAccount account;
	Show		show = {.row = &account.secrets, .redact = true};
	bool		isnull;
	Datum		result;

	if (!platform_integration_argument(fcinfo, &account))
		PG_RETURN_NULL();
	result = show_column(&show, INTEGRATION_CREDENTIALS, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

PG_FUNCTION_INFO_V1(platform_redacted_secret);

/*
 * platform.redacted_secret(organization_id uuid, account_id uuid, name text) returns text
 *
 * The same for access_token, refresh_token or webhook_secret. NULL when there is
 * none. Errors: 42501; 22004; 22023 another name.
 */
Datum
platform_redacted_secret(PG_FUNCTION_ARGS)
{
	IntegrationAccount account;
	Show		show = {.row = &account.secrets, .redact = true};
	IntegrationSecret column = INTEGRATION_ACCESS_TOKEN;
	const char *name;
	bool		isnull;
	Datum		result;

	platform_require_argument(fcinfo, 2, "name");
	name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	while (column <= INTEGRATION_WEBHOOK_SECRET &&
		   strcmp(platform_integration_columns[column], name) != 0)
		column++;
	if (column > INTEGRATION_WEBHOOK_SECRET)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name must be access_token, refresh_token or webhook_secret")));
	if (!platform_integration_argument(fcinfo, &account))
		PG_RETURN_NULL();
	result = show_column(&show, column, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* Fills the columns credentials, access_token, refresh_token, webhook_secret. */
static void
reveal(FunctionCallInfo fcinfo, const char *action, StringInfo problems, Datum *values, bool *nulls)
{
	IntegrationAccount account;
	Show		show = {.row = &account.secrets, .problems = problems};
	PlatformSecretPlace place;

	if (!platform_integration_argument(fcinfo, &account))
		platform_no_such_integration(PG_GETARG_UUID_P(1));
	place = platform_integration_place(&account.secrets, INTEGRATION_CREDENTIALS, NULL);
	place.purpose = "integration_accounts";
	platform_secret_record(action, &place,
						   PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	for (int i = 0; i <= INTEGRATION_WEBHOOK_SECRET; i++)
		values[i] = show_column(&show, i, &nulls[i]);
}

static Datum
make_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	return platform_return_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_reveal_credentials);

/*
 * platform.reveal_credentials(organization_id uuid, account_id uuid, reason text DEFAULT NULL,
 *		OUT credentials jsonb, OUT access_token text, OUT refresh_token text,
 *		OUT webhook_secret text)
 *
 * The account's secrets in clear. EXECUTE is the grant, and no member has it; who was given it
 * acts for its own organization. Each call is recorded, with the reason, in
 * secret_access_log, in the server's log, and in a logical message that a
 * rollback leaves. Errors: 42501; 22004; PT404; 25006 in a read-only
 * transaction; those of decrypt_secret().
 */
Datum
platform_reveal_credentials(PG_FUNCTION_ARGS)
{
	Datum		values[4];
	bool		nulls[4];

	reveal(fcinfo, "reveal", NULL, values, nulls);
	return make_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_try_reveal);

/*
 * platform.try_reveal(organization_id uuid, account_id uuid, reason text DEFAULT NULL,
 *		OUT credentials jsonb, OUT access_token text, OUT refresh_token text,
 *		OUT webhook_secret text, OUT problem text)
 *
 * As reveal_credentials(), for listings: a secret that cannot be decrypted is null,
 * and problem names each of them with the reason: NO_ROOT_KEY, WRONG_ROOT_KEY,
 * UNKNOWN_KEY, KEY_DESTROYED, NOT_AUTHENTIC, MALFORMED, UNSUPPORTED; NULL when all
 * is well. Errors: 42501; 22004; PT404; 25006.
 */
Datum
platform_try_reveal(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	bool		nulls[5];
	StringInfoData problems;

	initStringInfo(&problems);
	reveal(fcinfo, "try_reveal", &problems, values, nulls);
	nulls[4] = problems.len == 0;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(problems.data);
	return make_row(fcinfo, values, nulls);
}

/* The present webhook secret as the previous one; NULL when it is not to stay. */
static text *
demote_secret(const IntegrationSecrets *row)
{
	PlatformSecretPlace place = platform_integration_place(row, INTEGRATION_PREVIOUS_WEBHOOK_SECRET,
														   NULL);
	PlatformPlaintext plain;
	PlatformKeyFault fault;
	text	   *result;

	if (!platform_integration_open(row, INTEGRATION_WEBHOOK_SECRET, NULL, &plain, &fault))
	{
		if (fault.reason != KEY_OK)
			platform_key_fault_raise(&fault);
		return NULL;
	}
	result = platform_secret_encrypt(&place, plain.bytes, plain.length);
	platform_secret_wipe(&plain);
	return result;
}

/* Locks the account's row; PT404 without one, PT409 while a grace period runs. */
static void
lock_for_rotation(const Datum *values, TimestampTz now, bool force)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT previous_webhook_secret_expires_at FROM platform.integration_accounts"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL FOR UPDATE",
					   UUIDOID, UUIDOID);

	if (platform_query_run(&lock, values, NULL) == 0)
		platform_no_such_integration(DatumGetUUIDP(values[1]));
	if (!force && platform_row_timestamptz_or(0, 1, DT_NOBEGIN) > now)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("webhook secret was rotated before, and its grace period is not over"),
				 errdetail("Another rotation would end the secret that is valid until then."),
				 errhint("Wait, or use force.")));
}

PG_FUNCTION_INFO_V1(platform_rotate_integration_secret);

/*
 * platform.rotate_integration_secret(organization_id uuid, account_id uuid,
 *		grace interval DEFAULT '24 hours', force boolean DEFAULT false) returns text
 *
 * Makes a new webhook_secret and returns it, this once. The old one stays valid
 * for the grace period ('0': not at all). Operators only. Errors: 42501; 22004
 * NULL; 22023 a grace period that is negative or beyond 31 days; PT404; PT409
 * while the grace period of an earlier rotation runs, unless forced; those of
 * encrypt_secret() and decrypt_secret().
 */
Datum
platform_rotate_integration_secret(PG_FUNCTION_ARGS)
{
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.integration_accounts SET webhook_secret = $3,"
					   " previous_webhook_secret = $4, previous_webhook_secret_expires_at = $5,"
					   " secrets_changed_at = $6"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;
	IntegrationAccount account;
	PlatformSecretPlace place;
	text	   *secret;
	text	   *previous = NULL;
	Datum		values[6];
	bool		nulls[6] = {false};

	platform_require_module(&platform_integrations_module);
	platform_require_operator("rotate a webhook secret");
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "account_id");
	platform_require_argument(fcinfo, 2, "grace");
	platform_require_argument(fcinfo, 3, "force");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													TimestampTzGetDatum(now), PG_GETARG_DATUM(2)));
	if (until < now || until - now > LONGEST_GRACE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grace must not be negative, nor longer than 31 days")));

	secret = cstring_to_text(platform_signature_new_secret(WEBHOOK_SECRET_PREFIX));
	platform_query_begin();
	lock_for_rotation(values, now, PG_GETARG_BOOL(3));
	if (!platform_integration_find(DatumGetUUIDP(values[0]), DatumGetUUIDP(values[1]), &account))
		platform_no_such_integration(DatumGetUUIDP(values[1]));
	if (until > now)
		previous = demote_secret(&account.secrets);
	place = platform_integration_place(&account.secrets, INTEGRATION_WEBHOOK_SECRET, NULL);
	values[2] = PointerGetDatum(platform_secret_encrypt_text(&place, secret));
	nulls[3] = nulls[4] = previous == NULL;
	values[3] = PointerGetDatum(previous);
	values[4] = TimestampTzGetDatum(until);
	values[5] = TimestampTzGetDatum(now);
	platform_query_run(&update, values, nulls);
	platform_query_end();
	PG_RETURN_TEXT_P(secret);
}
