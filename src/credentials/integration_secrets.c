/*
 * integration_secrets.c
 *	  Encrypting and decrypting what one row of integration_accounts holds.
 *
 * Each secret is bound to its row, its column and, in the document, its pointer:
 * an envelope that is copied elsewhere is refused when it is written, and could
 * not be decrypted there. Moving an item of an array moves its pointer: give
 * its secret anew.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "credentials/integrations.h"

#define REDACTED			"****"
#define REDACTED_SHOWS		4
#define REDACTED_SHOWS_FROM	12	/* characters of a secret, at least */
#define ACCOUNTS_MAX		100		/* with one id */

const char *const platform_integration_columns[INTEGRATION_SECRETS] = {
	[INTEGRATION_CREDENTIALS] = "credentials",
	[INTEGRATION_ACCESS_TOKEN] = "access_token",
	[INTEGRATION_REFRESH_TOKEN] = "refresh_token",
	[INTEGRATION_WEBHOOK_SECRET] = "webhook_secret",
	[INTEGRATION_PREVIOUS_WEBHOOK_SECRET] = "previous_webhook_secret",
};

static const char *const purposes[INTEGRATION_SECRETS] = {
	[INTEGRATION_CREDENTIALS] = "integration_accounts.credentials",
	[INTEGRATION_ACCESS_TOKEN] = "integration_accounts.access_token",
	[INTEGRATION_REFRESH_TOKEN] = "integration_accounts.refresh_token",
	[INTEGRATION_WEBHOOK_SECRET] = "integration_accounts.webhook_secret",
	[INTEGRATION_PREVIOUS_WEBHOOK_SECRET] = "integration_accounts.previous_webhook_secret",
};

PlatformSecretPlace
platform_integration_place(const IntegrationSecrets *row, IntegrationSecret column,
						   const char *pointer)
{
	PlatformSecretPlace place = {&row->organization, purposes[column], &row->id, pointer};

	return place;
}

static void
add_key(IntegrationSecrets *row, const char *envelope, int length)
{
	int32		id = platform_secret_key_id(envelope, length);

	for (int i = 0; i < row->nkeys; i++)
		if (row->keys[i] == id)
			return;
	if (row->nkeys == INTEGRATION_MAX_KEYS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("secrets of an account cannot be under more than %d keys",
						INTEGRATION_MAX_KEYS)));
	row->keys[row->nkeys++] = id;
}

Datum
platform_integration_key_ids(const IntegrationSecrets *row)
{
	Datum		ids[INTEGRATION_MAX_KEYS];

	for (int i = 0; i < row->nkeys; i++)
		ids[i] = Int32GetDatum(row->keys[i]);
	return PointerGetDatum(construct_array(ids, row->nkeys, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
}

char *
platform_redact(const char *plain, size_t length)
{
	const char *end = plain + length;
	const char *shown = end;

	if (pg_mbstrlen_with_len(plain, (int) length) >= REDACTED_SHOWS_FROM)
		shown = plain + pg_mbcharcliplen(plain, (int) length,
										 pg_mbstrlen_with_len(plain, (int) length) - REDACTED_SHOWS);
	return psprintf(REDACTED "%.*s", (int) (end - shown), shown);
}

static bool
looks_redacted(const char *plain, int length)
{
	return length >= strlen(REDACTED) && memcmp(plain, REDACTED, strlen(REDACTED)) == 0 &&
		pg_mbstrlen_with_len(plain, length) <= strlen(REDACTED) + REDACTED_SHOWS;
}

static text *
to_text(PlatformPlaintext *plain)
{
	text	   *result;

	if (!platform_secret_to_text(plain, &result))
		return NULL;
	return result;
}

/* ---- writing ---- */

/* What encrypting one leaf needs to know. */
typedef struct LeafContext
{
	IntegrationSecrets *row;
	const IntegrationSecrets *old;
	IntegrationSecret column;
	Jsonb	   *old_document;	/* read when it is needed */
	bool		failed;			/* of re-encrypting */
} LeafContext;

/* The name of a place in messages. */
static const char *
place_name(const LeafContext *context, const char *pointer)
{
	return psprintf("%s%s", platform_integration_columns[context->column],
					pointer == NULL ? "" : pointer);
}

/* The envelope that the old row has in this place. */
static bool
old_envelope(LeafContext *context, const char *pointer, DocumentLeaf *leaf)
{
	const IntegrationSecrets *old = context->old;
	text	   *value;

	if (old == NULL || old->nulls[context->column])
		return false;
	if (pointer != NULL)
	{
		if (context->old_document == NULL)
			context->old_document = DatumGetJsonbP(old->values[context->column]);
		return platform_document_envelope(context->old_document, pointer, leaf);
	}
	value = DatumGetTextPP(old->values[context->column]);
	leaf->kind = LEAF_ENVELOPE;
	leaf->text = VARDATA_ANY(value);
	leaf->length = VARSIZE_ANY_EXHDR(value);
	return platform_secret_is_envelope(leaf->text, leaf->length);
}

static void
set_envelope(LeafContext *context, DocumentLeaf *leaf, const text *envelope)
{
	leaf->kind = LEAF_ENVELOPE;
	leaf->text = VARDATA_ANY(envelope);
	leaf->length = VARSIZE_ANY_EXHDR(envelope);
	context->row->changed[context->column] = true;
}

static void
encrypt_leaf(LeafContext *context, const char *pointer, DocumentLeaf *leaf)
{
	PlatformSecretPlace place = platform_integration_place(context->row, context->column, pointer);
	text	   *plain = cstring_to_text_with_len(leaf->text, leaf->length);

	set_envelope(context, leaf, platform_secret_encrypt_text(&place, plain));
	context->row->given = true;
	platform_wipe(VARDATA(plain), VARSIZE(plain) - VARHDRSZ);
	pfree(plain);
}

/* A redacted secret was sent back: it stands for the one that was redacted. */
static void
keep_redacted(LeafContext *context, const char *pointer, DocumentLeaf *leaf)
{
	PlatformSecretPlace place = platform_integration_place(context->row, context->column, pointer);
	DocumentLeaf old;
	PlatformPlaintext plain;
	PlatformKeyFault fault;
	text	   *value;
	bool		same = false;

	if (old_envelope(context, pointer, &old) &&
		platform_secret_try_decrypt(&place, old.text, old.length, &plain, &fault) &&
		(value = to_text(&plain)) != NULL)
	{
		char	   *redacted = platform_redact(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

		same = strlen(redacted) == leaf->length && memcmp(redacted, leaf->text, leaf->length) == 0;
		platform_wipe(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("%s: the value is a redacted secret, and not the one stored",
						place_name(context, pointer)),
				 errhint("Give the secret itself, or leave it as it was read.")));
	*leaf = old;
	context->row->changed[context->column] = true;
}

/* An envelope that the row did not have here must be one of this place. */
static void
require_own_envelope(LeafContext *context, const char *pointer, const DocumentLeaf *leaf)
{
	PlatformSecretPlace place = platform_integration_place(context->row, context->column, pointer);
	PlatformPlaintext plain;
	PlatformKeyFault fault;

	if (platform_secret_try_decrypt(&place, leaf->text, leaf->length, &plain, &fault))
	{
		platform_secret_wipe(&plain);
		return;
	}
	if (fault.reason == KEY_NO_ROOT_KEY || fault.reason == KEY_WRONG_ROOT_KEY)
		platform_key_fault_raise(&fault);
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("%s: the encrypted value does not belong here", place_name(context, pointer)),
			 errdetail("It was encrypted for another organization, row or field, or it was changed.")));
}

/* A DocumentVisitor; also for columns, whose pointer is NULL. */
static void
write_leaf(const char *pointer, DocumentLeaf *leaf, void *arg)
{
	LeafContext *context = arg;
	DocumentLeaf old;

	if (leaf->kind == LEAF_ENVELOPE)
	{
		if (!old_envelope(context, pointer, &old) || old.length != leaf->length ||
			memcmp(old.text, leaf->text, leaf->length) != 0)
			require_own_envelope(context, pointer, leaf);
	}
	else if (looks_redacted(leaf->text, leaf->length))
		keep_redacted(context, pointer, leaf);
	else
		encrypt_leaf(context, pointer, leaf);
	add_key(context->row, leaf->text, leaf->length);
}

/* Calls the visitor for each secret of the row, and takes over what it made. */
static void
visit_row(LeafContext *context, DocumentVisitor visit, const DocumentPaths *paths)
{
	IntegrationSecrets *row = context->row;

	for (int i = 0; i < INTEGRATION_SECRETS && !context->failed; i++)
	{
		DocumentLeaf leaf;
		text	   *value;

		context->column = i;
		if (row->nulls[i])
			continue;
		if (i == INTEGRATION_CREDENTIALS)
		{
			Jsonb	   *document = platform_document_map(DatumGetJsonbP(row->values[i]), paths,
														 visit, context);

			if (row->changed[i])
				row->values[i] = JsonbPGetDatum(document);
			continue;
		}
		value = DatumGetTextPP(row->values[i]);
		leaf.text = VARDATA_ANY(value);
		leaf.length = VARSIZE_ANY_EXHDR(value);
		leaf.kind = platform_secret_is_envelope(leaf.text, leaf.length) ? LEAF_ENVELOPE : LEAF_TEXT;
		visit(NULL, &leaf, context);
		if (row->changed[i])
			row->values[i] = PointerGetDatum(cstring_to_text_with_len(leaf.text, leaf.length));
	}
}

void
platform_integration_encrypt(IntegrationSecrets *row, const IntegrationSecrets *old)
{
	LeafContext context = {.row = row, .old = old};
	DocumentPaths paths = platform_require_credential_paths(row->account_type);

	visit_row(&context, write_leaf, &paths);
}

/* A DocumentVisitor. */
static void
renew_leaf(const char *pointer, DocumentLeaf *leaf, void *arg)
{
	LeafContext *context = arg;
	PlatformSecretPlace place = platform_integration_place(context->row, context->column, pointer);
	PlatformPlaintext plain;
	PlatformKeyFault fault;

	if (context->failed)
		return;
	if (leaf->kind == LEAF_TEXT)
		encrypt_leaf(context, pointer, leaf);
	else if (!platform_secret_is_current(&place, leaf->text, leaf->length))
	{
		if (!platform_secret_try_decrypt(&place, leaf->text, leaf->length, &plain, &fault))
		{
			context->failed = true;
			return;
		}
		set_envelope(context, leaf, platform_secret_encrypt(&place, plain.bytes, plain.length));
		platform_secret_wipe(&plain);
	}
	add_key(context->row, leaf->text, leaf->length);
}

bool
platform_integration_reencrypt(IntegrationSecrets *row)
{
	LeafContext context = {.row = row};
	DocumentPaths paths = platform_credential_paths(row->account_type);

	visit_row(&context, renew_leaf, &paths);
	return !context.failed;
}

/* ---- reading ---- */

bool
platform_integration_open(const IntegrationSecrets *row, IntegrationSecret column,
						  const char *pointer, PlatformPlaintext *plain, PlatformKeyFault *fault)
{
	PlatformSecretPlace place = platform_integration_place(row, column, pointer);
	LeafContext context = {.old = row, .column = column};
	DocumentLeaf leaf;

	plain->bytes = NULL;
	plain->length = 0;
	fault->reason = KEY_OK;
	if (!old_envelope(&context, pointer, &leaf))
		return false;
	return platform_secret_try_decrypt(&place, leaf.text, leaf.length, plain, fault);
}

/* ---- finding ---- */

enum
{
	FOUND_ID,
	FOUND_ORGANIZATION,
	FOUND_ACCOUNT_TYPE,
	FOUND_IS_ACTIVE,
	FOUND_DELETED_AT,
	FOUND_PREVIOUS_UNTIL,
	FOUND_SECRETS
};

static PlatformRowTable found_table = {
	.cache = {.name = "integration accounts found", .tables = {"integration_accounts"}},
	.nkeys = 2,
	.ncolumns = FOUND_SECRETS + INTEGRATION_SECRETS,
	.columns = {
		[FOUND_ID] = {"id", UUIDOID},
		[FOUND_ORGANIZATION] = {"organization_id", UUIDOID},
		[FOUND_ACCOUNT_TYPE] = {"account_type", TEXTOID},
		[FOUND_IS_ACTIVE] = {"is_active", BOOLOID},
		[FOUND_DELETED_AT] = {"deleted_at", TIMESTAMPTZOID},
		[FOUND_PREVIOUS_UNTIL] = {"previous_webhook_secret_expires_at", TIMESTAMPTZOID},
		[FOUND_SECRETS + INTEGRATION_CREDENTIALS] = {"credentials", JSONBOID},
		[FOUND_SECRETS + INTEGRATION_ACCESS_TOKEN] = {"access_token", TEXTOID},
		[FOUND_SECRETS + INTEGRATION_REFRESH_TOKEN] = {"refresh_token", TEXTOID},
		[FOUND_SECRETS + INTEGRATION_WEBHOOK_SECRET] = {"webhook_secret", TEXTOID},
		[FOUND_SECRETS + INTEGRATION_PREVIOUS_WEBHOOK_SECRET] = {"previous_webhook_secret", TEXTOID},
	},
};

void
platform_integration_secrets_init(void)
{
	platform_row_register(&found_table);
}

/* Copies what outlives the row. */
static void
read_found(const PlatformRow *row, IntegrationAccount *account)
{
	bool		isnull;
	bool		is_active;

	memset(account, 0, sizeof(*account));
	account->secrets.id = platform_row_get_uuid(row, FOUND_ID);
	account->secrets.organization = platform_row_get_uuid(row, FOUND_ORGANIZATION);
	account->secrets.account_type = platform_row_get_cstring(row, FOUND_ACCOUNT_TYPE);
	is_active = platform_row_get_bool(row, FOUND_IS_ACTIVE, false);
	(void) platform_row_get(row, FOUND_DELETED_AT, &isnull);
	account->usable = is_active && isnull;
	account->previous_until = platform_row_get_timestamptz(row, FOUND_PREVIOUS_UNTIL, DT_NOBEGIN);
	for (int i = 0; i < INTEGRATION_SECRETS; i++)
	{
		Datum		value = platform_row_get(row, FOUND_SECRETS + i, &account->secrets.nulls[i]);

		if (!account->secrets.nulls[i])
			account->secrets.values[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	}
}

bool
platform_integration_find(const pg_uuid_t *organization, const pg_uuid_t *id,
						  IntegrationAccount *account)
{
	Datum		keys[] = {UUIDPGetDatum(id), UUIDPGetDatum(organization)};
	PlatformRow row;
	bool		found;

	platform_row_open_read(&row, &found_table);
	found = platform_row_find(&row, keys);
	if (found)
		read_found(&row, account);
	platform_row_close(&row);
	return found;
}

bool
platform_integration_argument(FunctionCallInfo fcinfo, IntegrationAccount *account)
{
	bool		found;

	platform_require_module(&platform_integrations_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "account_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	platform_query_begin();
	found = platform_integration_find(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1), account);
	platform_query_end();
	return found;
}

List *
platform_integrations_by_id(const pg_uuid_t *id)
{
	Datum		key = UUIDPGetDatum(id);
	List	   *accounts = NIL;
	PlatformRow row;

	platform_row_open_read(&row, &found_table);
	platform_row_scan_begin(&row, &key, 1, true);
	while (list_length(accounts) < ACCOUNTS_MAX && platform_row_scan_next(&row))
	{
		IntegrationAccount *account = palloc(sizeof(IntegrationAccount));

		read_found(&row, account);
		accounts = lappend(accounts, account);
	}
	platform_row_scan_end(&row);
	platform_row_close(&row);
	return accounts;
}

void
platform_no_such_integration(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("integration account %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))))));
}
