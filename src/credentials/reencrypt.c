/*
 * reencrypt.c
 *	  Putting the secrets of accounts under the keys that are active now.
 *
 * Rows are written past the executor: nothing changed for anybody but the
 * keys, so no trigger fires, updated_at stays, and no event tells of it. A row
 * that somebody else holds, or has just changed, is left for the next call.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "credentials/integrations.h"

#define FETCH_ROWS 1000

enum
{
	ROW_ID,
	ROW_ORGANIZATION,
	ROW_ACCOUNT_TYPE,
	ROW_DATA_KEY_IDS,
	ROW_SECRETS					/* in the order of IntegrationSecret */
};

static PlatformRowTable accounts_table = {
	.cache = {.name = "integration accounts", .tables = {"integration_accounts"}},
	.nkeys = 2,
	.ncolumns = ROW_SECRETS + INTEGRATION_SECRETS,
	.columns = {
		[ROW_ID] = {"id", UUIDOID},
		[ROW_ORGANIZATION] = {"organization_id", UUIDOID},
		[ROW_ACCOUNT_TYPE] = {"account_type", TEXTOID},
		[ROW_DATA_KEY_IDS] = {"data_key_ids", INT4ARRAYOID},
		[ROW_SECRETS + INTEGRATION_CREDENTIALS] = {"credentials", JSONBOID},
		[ROW_SECRETS + INTEGRATION_ACCESS_TOKEN] = {"access_token", TEXTOID},
		[ROW_SECRETS + INTEGRATION_REFRESH_TOKEN] = {"refresh_token", TEXTOID},
		[ROW_SECRETS + INTEGRATION_WEBHOOK_SECRET] = {"webhook_secret", TEXTOID},
		[ROW_SECRETS + INTEGRATION_PREVIOUS_WEBHOOK_SECRET] = {"previous_webhook_secret", TEXTOID},
	},
};

/* Rows with a key that is not active any more, and those never looked at. */
static PlatformQuery stale_accounts =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, organization_id FROM platform.integration_accounts"
				   " WHERE data_key_ids IS NULL OR data_key_ids OPERATOR(pg_catalog.&&) ARRAY("
				   "SELECT k.id FROM platform.data_keys k"
				   " WHERE k.state OPERATOR(pg_catalog.=) 'decrypt_only')");

typedef enum Outcome
{
	RENEWED,
	SKIPPED,					/* gone, held or just changed by another */
	UNREADABLE
} Outcome;

void
platform_reencrypt_init(void)
{
	platform_row_register(&accounts_table);
}

static void
read_row(const PlatformRow *row, IntegrationSecrets *secrets)
{
	memset(secrets, 0, sizeof(*secrets));
	secrets->id = platform_row_get_uuid(row, ROW_ID);
	secrets->organization = platform_row_get_uuid(row, ROW_ORGANIZATION);
	secrets->account_type = platform_row_get_cstring(row, ROW_ACCOUNT_TYPE);
	for (int i = 0; i < INTEGRATION_SECRETS; i++)
		secrets->values[i] = platform_row_get(row, ROW_SECRETS + i, &secrets->nulls[i]);
}

static Outcome
renew(PlatformRow *row, const Datum *keys)
{
	IntegrationSecrets secrets;

	if (!platform_row_find(row, keys))
		return SKIPPED;
	read_row(row, &secrets);
	if (!platform_integration_reencrypt(&secrets))
		return UNREADABLE;
	for (int i = 0; i < INTEGRATION_SECRETS; i++)
		if (secrets.changed[i])
			platform_row_set(row, ROW_SECRETS + i, secrets.values[i]);
	platform_row_set(row, ROW_DATA_KEY_IDS, platform_integration_key_ids(&secrets));
	return platform_row_update(row) == ROW_DONE ? RENEWED : SKIPPED;
}

/* Works through the rows of the last fetch; stops when batch rows are done. */
static void
renew_fetched(PlatformRow *row, MemoryContext context, int64 batch, int64 *renewed, int64 *unreadable)
{
	SPITupleTable *fetched = SPI_tuptable;
	uint64		count = SPI_processed;

	for (uint64 i = 0; i < count && *renewed < batch; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Datum		keys[2];
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < lengthof(keys); k++)
			keys[k] = SPI_getbinval(fetched->vals[i], fetched->tupdesc, k + 1, &isnull);
		switch (renew(row, keys))
		{
			case RENEWED:
				(*renewed)++;
				break;
			case UNREADABLE:
				(*unreadable)++;
				break;
			case SKIPPED:
				break;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	SPI_freetuptable(fetched);
}

PG_FUNCTION_INFO_V1(platform_reencrypt_credentials);

/*
 * platform.reencrypt_credentials(batch integer DEFAULT 10000) returns bigint
 *
 * Puts the secrets of at most batch rows of integration_accounts under the active
 * data keys, and encrypts what an adopted table holds in clear; returns how many
 * rows. Call it until it returns 0; it may be stopped and started at any time,
 * beside writers and itself. updated_at stays, no trigger fires. A row that
 * cannot be decrypted is left, with a warning. Operators only. Errors: 42501; 22004
 * NULL; 22023 batch below 1; F0000 no root key, or a wrong one; 25006.
 */
Datum
platform_reencrypt_credentials(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	PlatformRow row;
	Portal		cursor;
	int64		batch;
	int64		renewed = 0;
	int64		unreadable = 0;

	platform_require_module(&platform_integrations_module);
	platform_require_operator("re-encrypt credentials");
	platform_require_argument(fcinfo, 0, "batch");
	batch = PG_GETARG_INT32(0);
	if (batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be greater than zero")));

	context = AllocSetContextCreate(CurrentMemoryContext, "platform re-encryption",
									ALLOCSET_DEFAULT_SIZES);
	platform_query_begin();
	platform_row_open(&row, &accounts_table);
	platform_row_keep_indexes(&row);
	cursor = platform_query_cursor(&stale_accounts, NULL, NULL);
	do
	{
		SPI_cursor_fetch(cursor, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		renew_fetched(&row, context, batch, &renewed, &unreadable);
	} while (renewed < batch);
	SPI_cursor_close(cursor);
	platform_row_close(&row);
	platform_query_end();

	if (unreadable > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("secrets of " INT64_FORMAT " accounts cannot be decrypted and were left as they are",
						unreadable)));
	PG_RETURN_INT64(renewed);
}
