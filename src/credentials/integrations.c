/*
 * integrations.c
 *	  The trigger of integration_accounts, and its settings.
 *
 * One BEFORE trigger does all that a write needs: what is secret is encrypted
 * before any constraint is checked, so that no message about a failing row
 * shows it, and nothing of it reaches the table or the log of changes.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/signature.h"
#include "core/touch.h"
#include "credentials/integrations.h"

#define FAILING "error"

PlatformModule platform_integrations_module = {.name = "credentials", .version = 551};

static char *public_url;

/* Columns that the trigger reads or writes, after those of IntegrationSecret. */
typedef enum Column
{
	COLUMN_ID = INTEGRATION_SECRETS,
	COLUMN_ORGANIZATION,
	COLUMN_ACCOUNT_TYPE,
	COLUMN_WEBHOOK_URL,
	COLUMN_STATUS,
	COLUMN_LAST_ERROR_AT,
	COLUMN_ERROR_SINCE,
	COLUMN_ERROR_ALERTED_AT,
	COLUMN_SECRETS_CHANGED_AT,
	COLUMN_DATA_KEY_IDS,
	COLUMNS
} Column;

static const char *const column_names[COLUMNS] = {
	[COLUMN_ID] = "id",
	[COLUMN_ORGANIZATION] = "organization_id",
	[COLUMN_ACCOUNT_TYPE] = "account_type",
	[COLUMN_WEBHOOK_URL] = "webhook_url",
	[COLUMN_STATUS] = "status",
	[COLUMN_LAST_ERROR_AT] = "last_error_at",
	[COLUMN_ERROR_SINCE] = "error_since",
	[COLUMN_ERROR_ALERTED_AT] = "error_alerted_at",
	[COLUMN_SECRETS_CHANGED_AT] = "secrets_changed_at",
	[COLUMN_DATA_KEY_IDS] = "data_key_ids",
};

/* What is known of the table, for the length of a statement. */
typedef struct TableColumns
{
	PlatformTouch touch;
	AttrNumber	attnums[COLUMNS];
} TableColumns;

/* A row that is being written. */
typedef struct Write
{
	const TableColumns *table;
	bool		update;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Datum		old_values[COLUMNS];
	bool		old_nulls[COLUMNS];
	TupleDesc	desc;

	/* for heap_modify_tuple_by_cols() */
	int			nreplaced;
	int			replaced[COLUMNS];
	Datum		replaced_values[COLUMNS];
	bool		replaced_nulls[COLUMNS];
} Write;

/* Absolute, of HTTP; anything else would make links that lead nowhere. */
static bool
check_public_url(char **value, void **extra, GucSource source)
{
	const char *host = *value;

	if (*host == '\0')
		return true;
	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	else if (strncmp(host, "http://", 7) == 0)
		host += 7;
	else
		host = "";
	if (*host != '\0' && *host != '/' && strpbrk(host, " \t\r\n?#\"<>\\") == NULL)
		return true;
	GUC_check_errdetail("It must be a URL such as https://app.example.com, without a query.");
	return false;
}

void
platform_integrations_init(void)
{
	DefineCustomStringVariable("platform.public_url",
							   "Base of the URLs at which providers reach the application.",
							   "New integration accounts get a webhook_url under it. Empty: none.",
							   &public_url, "", PGC_SUSET, 0, check_public_url, NULL, NULL);
	platform_credential_fields_init();
	platform_integration_secrets_init();
	platform_integration_health_init();
	platform_integration_verify_init();
	platform_reencrypt_init();
}

static const TableColumns *
table_columns(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	TableColumns *table = fcinfo->flinfo->fn_extra;

	if (table == NULL)
	{
		TableColumns found;

		platform_touch_prepare(&found.touch, trigger, "updated_at");
		for (int i = 0; i < COLUMNS; i++)
			found.attnums[i] = platform_trigger_column(trigger, i < INTEGRATION_SECRETS ?
													   platform_integration_columns[i] :
													   column_names[i]);
		table = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(TableColumns));
		*table = found;
		fcinfo->flinfo->fn_extra = table;
	}
	return table;
}

static bool
is_changed(const Write *write, Column column)
{
	Form_pg_attribute attribute = TupleDescAttr(write->desc, write->table->attnums[column] - 1);

	if (write->nulls[column] || write->old_nulls[column])
		return write->nulls[column] != write->old_nulls[column];
	return !datumIsEqual(write->values[column], write->old_values[column],
						 attribute->attbyval, attribute->attlen);
}

static void
replace(Write *write, Column column, Datum value, bool isnull)
{
	write->replaced[write->nreplaced] = write->table->attnums[column];
	write->replaced_values[write->nreplaced] = value;
	write->replaced_nulls[write->nreplaced] = isnull;
	write->nreplaced++;
}

static const char *
write_text(const Write *write, Column column)
{
	return write->nulls[column] ? NULL : TextDatumGetCString(write->values[column]);
}

/* The key of an account is part of what its secrets are bound to. */
static void
require_same_key(const Write *write)
{
	if (is_changed(write, COLUMN_ID) || is_changed(write, COLUMN_ORGANIZATION))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("an integration account cannot change its id or organization"),
				 errdetail("Its secrets are encrypted for them."),
				 errhint("Insert a new account.")));
}

static void
fill_secrets(const Write *write, const Datum *values, const bool *nulls, IntegrationSecrets *secrets)
{
	memset(secrets, 0, sizeof(*secrets));
	secrets->organization = *DatumGetUUIDP(values[COLUMN_ORGANIZATION]);
	secrets->id = *DatumGetUUIDP(values[COLUMN_ID]);
	secrets->account_type = TextDatumGetCString(values[COLUMN_ACCOUNT_TYPE]);
	memcpy(secrets->values, values, sizeof(secrets->values));
	memcpy(secrets->nulls, nulls, sizeof(secrets->nulls));
}

/* Does the statement give a secret, or what tells which strings are? */
static bool
touches_secrets(const Write *write)
{
	if (!write->update || is_changed(write, COLUMN_ACCOUNT_TYPE) ||
		is_changed(write, COLUMN_DATA_KEY_IDS))
		return true;
	for (int i = 0; i < INTEGRATION_SECRETS; i++)
		if (is_changed(write, i))
			return true;
	return false;
}

static void
encrypt_secrets(Write *write, TimestampTz now)
{
	IntegrationSecrets secrets;
	IntegrationSecrets old;

	if (!touches_secrets(write))
		return;
	fill_secrets(write, write->values, write->nulls, &secrets);
	if (write->update)
		fill_secrets(write, write->old_values, write->old_nulls, &old);
	if (!write->update && secrets.nulls[INTEGRATION_WEBHOOK_SECRET])
	{
		secrets.values[INTEGRATION_WEBHOOK_SECRET] = CStringGetTextDatum(platform_signature_new_secret(WEBHOOK_SECRET_PREFIX));
		secrets.nulls[INTEGRATION_WEBHOOK_SECRET] = false;
	}
	platform_integration_encrypt(&secrets, write->update ? &old : NULL);

	for (int i = 0; i < INTEGRATION_SECRETS; i++)
		if (secrets.changed[i])
			replace(write, i, secrets.values[i], false);
	replace(write, COLUMN_DATA_KEY_IDS, platform_integration_key_ids(&secrets), false);
	if (secrets.given)
		replace(write, COLUMN_SECRETS_CHANGED_AT, TimestampTzGetDatum(now), false);
}

/* Where the provider is to send its requests. */
static void
make_webhook_url(Write *write)
{
	const char *type = write_text(write, COLUMN_ACCOUNT_TYPE);
	int			length = strlen(public_url);
	const char *what = "";

	if (write->update || !write->nulls[COLUMN_WEBHOOK_URL] || length == 0)
		return;
	while (public_url[length - 1] == '/')
		length--;
	if (strcmp(type, "twilio") == 0)
		what = "/voice";
	else if (strcmp(type, "whatsapp") == 0)
		what = "/call";
	replace(write, COLUMN_WEBHOOK_URL,
			CStringGetTextDatum(psprintf("%.*s/api/webhooks/%s%s/%s", length, public_url, type, what,
										 DatumGetCString(DirectFunctionCall1(uuid_out,
																			 write->values[COLUMN_ID])))),
			false);
}

/* When a time of errors began and ended, whoever writes the status. */
static void
follow_status(Write *write, TimestampTz now)
{
	const char *status = write_text(write, COLUMN_STATUS);
	bool		failed = write->update && !write->old_nulls[COLUMN_STATUS] &&
		strcmp(TextDatumGetCString(write->old_values[COLUMN_STATUS]), FAILING) == 0;
	bool		fails = status != NULL && strcmp(status, FAILING) == 0;

	if (fails && !failed)
	{
		bool		given = write->update ? is_changed(write, COLUMN_LAST_ERROR_AT) :
			!write->nulls[COLUMN_LAST_ERROR_AT];

		if (!given)
			replace(write, COLUMN_LAST_ERROR_AT, TimestampTzGetDatum(now), false);
		if (write->nulls[COLUMN_ERROR_SINCE])
			replace(write, COLUMN_ERROR_SINCE, TimestampTzGetDatum(now), false);
	}
	else if (!fails && (!write->nulls[COLUMN_ERROR_SINCE] || !write->nulls[COLUMN_ERROR_ALERTED_AT]))
	{
		replace(write, COLUMN_ERROR_SINCE, (Datum) 0, true);
		replace(write, COLUMN_ERROR_ALERTED_AT, (Datum) 0, true);
	}
}

static void
read_columns(const Write *write, HeapTuple row, Datum *values, bool *nulls)
{
	Datum	   *all_values = palloc(write->desc->natts * sizeof(Datum));
	bool	   *all_nulls = palloc(write->desc->natts * sizeof(bool));

	/* once through the row is faster than column by column */
	heap_deform_tuple(row, write->desc, all_values, all_nulls);
	for (int i = 0; i < COLUMNS; i++)
	{
		values[i] = all_values[write->table->attnums[i] - 1];
		nulls[i] = all_nulls[write->table->attnums[i] - 1];
	}
	pfree(all_values);
	pfree(all_nulls);
}

PG_FUNCTION_INFO_V1(platform_encrypt_integration);

/*
 * platform.encrypt_integration() returns trigger
 *
 * Encrypts what a row of integration_accounts gives in clear: access_token,
 * refresh_token, webhook_secret, and of credentials the strings that
 * credential_fields lists. Envelopes stay where they were; those of another place
 * are refused. An INSERT without webhook_secret gets one, without webhook_url
 * one under platform.public_url. Keeps error_since, secrets_changed_at,
 * data_key_ids and updated_at. Errors: 39P01 when fired otherwise; PT409 a changed
 * key; PT422 a secret that is no string, or an envelope of another place; 23514
 * unknown type of account; F0000 no root key, or a wrong one.
 *
 *		CREATE TRIGGER integration_accounts_encrypt
 *			BEFORE INSERT OR UPDATE ON platform.integration_accounts
 *			FOR EACH ROW EXECUTE FUNCTION platform.encrypt_integration();
 */
Datum
platform_encrypt_integration(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "encrypt_integration",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Write		write = {.table = table_columns(fcinfo, trigger)};

	write.desc = RelationGetDescr(trigger->tg_relation);
	write.update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	read_columns(&write, row, write.values, write.nulls);
	if (write.update)
	{
		read_columns(&write, trigger->tg_trigtuple, write.old_values, write.old_nulls);
		require_same_key(&write);
	}
	for (int i = COLUMN_ID; i <= COLUMN_ACCOUNT_TYPE; i++)
		if (write.nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in column \"%s\" of table \"%s\"", column_names[i],
							RelationGetRelationName(trigger->tg_relation)),
					 errtablecol(trigger->tg_relation, write.table->attnums[i])));

	encrypt_secrets(&write, now);
	make_webhook_url(&write);
	follow_status(&write, now);
	if (write.nreplaced > 0)
		row = heap_modify_tuple_by_cols(row, write.desc, write.nreplaced, write.replaced,
										write.replaced_values, write.replaced_nulls);
	if (write.update)
		row = platform_touch_row(&write.table->touch, trigger, row);
	return PointerGetDatum(row);
}
