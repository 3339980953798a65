/*
 * credential_fields.c
 *	  Which strings of a provider's document are secret; encrypting a document.
 *
 * The rows of platform.credential_fields are kept, all of them, in a memory
 * context of their own under the rules of core/cache.h.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/argument.h"
#include "core/cache.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/json.h"
#include "core/query.h"
#include "credentials/integrations.h"

typedef struct AccountType
{
	const char *name;
	DocumentPaths paths;
} AccountType;

static PlatformCache fields_cache = {
	.name = "credential fields",
	.tables = {"credential_fields"},
};

static MemoryContext fields_context;
static int	account_type_count;
static AccountType *account_types;

void
platform_credential_fields_init(void)
{
	platform_cache_register(&fields_cache);
}

/* Reads the table, which is ordered by type. */
static void
fill(void)
{
	static PlatformQuery read =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT account_type, path FROM platform.credential_fields"
					   " ORDER BY account_type, path");
	uint64		count;
	const char **paths;

	if (fields_context == NULL)
		fields_context = AllocSetContextCreate(TopMemoryContext, "platform credential fields",
											   ALLOCSET_SMALL_SIZES);
	MemoryContextReset(fields_context);
	account_type_count = 0;
	account_types = NULL;
	platform_cache_begin_fill(&fields_cache);

	platform_query_begin();
	count = platform_query_run(&read, NULL, NULL);
	account_types = MemoryContextAllocZero(fields_context, (count + 1) * sizeof(AccountType));
	paths = MemoryContextAllocZero(fields_context, (count + 1) * sizeof(char *));
	for (uint64 i = 0; i < count; i++)
	{
		const char *name = platform_row_cstring(i, 1);
		AccountType *type = &account_types[account_type_count];

		if (i == 0 || strcmp(type[-1].name, name) != 0)
		{
			type->name = MemoryContextStrdup(fields_context, name);
			type->paths.paths = &paths[i];
			account_type_count++;
		}
		else
			type--;
		paths[i] = MemoryContextStrdup(fields_context, platform_row_cstring(i, 2));
		type->paths.count++;
	}
	platform_query_end();
}

DocumentPaths
platform_credential_paths(const char *account_type)
{
	DocumentPaths none = {0, NULL};

	if (!platform_cache_is_valid(&fields_cache))
		fill();
	for (int i = 0; i < account_type_count; i++)
		if (strcmp(account_types[i].name, account_type) == 0)
			return account_types[i].paths;
	return none;
}

DocumentPaths
platform_require_credential_paths(const char *account_type)
{
	DocumentPaths paths = platform_credential_paths(account_type);

	if (paths.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("account type \"%s\" has no secret fields", account_type),
				 errhint("The table platform.credential_fields lists them.")));
	return paths;
}

/*
 * The document that a text is. The server's parser would print the text around an
 * error; this one tells where it is.
 */
static Jsonb *
parse_document(text *source)
{
	int			line;
	int			column;
	const PlatformJson *json = platform_json_parse_located(VARDATA_ANY(source),
														   VARSIZE_ANY_EXHDR(source), &line, &column);
	Jsonb	   *document;

	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("credentials are not valid JSON"),
				 line > 0 ? errdetail("The error is in line %d, column %d.", line, column) : 0));
	document = platform_json_to_jsonb(json);
	platform_json_wipe(json);
	if (document == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("credentials have characters that this database's encoding does not")));
	return document;
}

PG_FUNCTION_INFO_V1(platform_encrypt_credentials);

/*
 * platform.encrypt_credentials(organization_id uuid, row_id uuid, account_type text,
 *		credentials jsonb | text) returns jsonb
 *
 * The document with its secret strings encrypted for that row of
 * integration_accounts. Text is parsed here and never printed: 22P02 tells line
 * and column only. Envelopes that belong there stay. NULL for NULL credentials.
 * EXECUTE is the grant; members act for their own organization. Errors: 42501;
 * 22004; 22P02; 23514 unknown type of account; PT422 a secret that is no string, or an
 * envelope of another place; those of encrypt_secret().
 */
Datum
platform_encrypt_credentials(PG_FUNCTION_ARGS)
{
	IntegrationSecrets row = {{{0}}};

	platform_require_module(&platform_integrations_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "row_id");
	platform_require_argument(fcinfo, 2, "account_type");
	platform_require_organization(PG_GETARG_UUID_P(0));
	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();

	row.organization = *PG_GETARG_UUID_P(0);
	row.id = *PG_GETARG_UUID_P(1);
	row.account_type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	memset(row.nulls, true, sizeof(row.nulls));
	row.nulls[INTEGRATION_CREDENTIALS] = false;
	if (get_fn_expr_argtype(fcinfo->flinfo, 3) == TEXTOID)
		row.values[INTEGRATION_CREDENTIALS] = JsonbPGetDatum(parse_document(PG_GETARG_TEXT_PP(3)));
	else
		row.values[INTEGRATION_CREDENTIALS] = PG_GETARG_DATUM(3);
	platform_integration_encrypt(&row, NULL);
	PG_RETURN_DATUM(row.values[INTEGRATION_CREDENTIALS]);
}
