/*
 * integration_health.c
 *	  Accounts that fail, and that work again.
 *
 * When a time of errors began is kept by the trigger, whoever writes the status.
 * The alert about it is raised once: by the first error that is reported after
 * an hour, or by alert_integration_errors(), for accounts whose errors nobody
 * reports any more. Both mark the row under its lock.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "credentials/integrations.h"

#define ALERT_TYPE		"integration_error"
#define ALERT_AFTER		USECS_PER_HOUR
#define MESSAGE_MAX		1000
#define VERIFIED_EVERY	USECS_PER_MINUTE

/* Arguments organization_id and account_id, for operators. */
static void
account_arguments(FunctionCallInfo fcinfo, const char *action, Datum *values)
{
	platform_require_module(&platform_integrations_module);
	platform_require_operator(action);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "account_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
}

static char *
alert_key(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/* Raises the alert and marks the row, which is locked; false without module ops. */
static bool
raise_alert(const pg_uuid_t *organization, const pg_uuid_t *id, const char *name,
			const char *message, TimestampTz now)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.integration_accounts SET error_alerted_at = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID);
	Datum		values[] = {
		UUIDPGetDatum(organization), UUIDPGetDatum(id), TimestampTzGetDatum(now)
	};
	PlatformAlert alert = {
		.severity = "warning",
		.type = ALERT_TYPE,
		.organization = organization,
		.title = psprintf("Integration \"%s\" has failed for an hour", name),
		.message = message,
		.dedup_key = alert_key(id),
		.source = "integration",
	};

	if (!platform_alert_raise(&alert, NULL))
		return false;
	platform_query_run(&mark, values, NULL);
	return true;
}

PG_FUNCTION_INFO_V1(platform_record_integration_error);

/*
 * platform.record_integration_error(organization_id uuid, account_id uuid, message text)
 *		returns boolean
 *
 * Notes what a provider answered: last_error (1000 characters of it),
 * last_error_at, status error; an account that is switched off stays inactive. After an
 * hour of errors raises an ops alert, once until the account is verified: true
 * when this call did. Operators only. Errors: 42501; 22004 NULL; PT404 no such
 * account, or a deleted one.
 */
Datum
platform_record_integration_error(PG_FUNCTION_ARGS)
{
	static PlatformQuery record =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.integration_accounts SET last_error = $3, last_error_at = $4,"
					   " status = CASE WHEN status OPERATOR(pg_catalog.=) 'inactive' THEN status"
					   " ELSE 'error' END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " RETURNING error_since, error_alerted_at IS NOT NULL, account_name",
					   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[4];
	text	   *message;
	int			kept;
	bool		raised = false;

	account_arguments(fcinfo, "record an error", values);
	platform_require_argument(fcinfo, 2, "message");
	message = PG_GETARG_TEXT_PP(2);
	kept = pg_mbcharcliplen(VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message), MESSAGE_MAX);
	message = cstring_to_text_with_len(VARDATA_ANY(message), kept);
	values[2] = PointerGetDatum(message);
	values[3] = TimestampTzGetDatum(now);

	platform_query_begin();
	if (platform_query_run(&record, values, NULL) == 0)
		platform_no_such_integration(DatumGetUUIDP(values[1]));
	if (!platform_row_bool(0, 2) && platform_row_timestamptz_or(0, 1, now) <= now - ALERT_AFTER)
		raised = raise_alert(DatumGetUUIDP(values[0]), DatumGetUUIDP(values[1]),
							 platform_row_cstring(0, 3), text_to_cstring(message), now);
	platform_query_end();
	PG_RETURN_BOOL(raised);
}

enum
{
	VERIFIED_ID,
	VERIFIED_ORGANIZATION,
	VERIFIED_AT
};

static PlatformRowTable verified_table = {
	.cache = {.name = "verification of integration accounts", .tables = {"integration_accounts"}},
	.nkeys = 2,
	.ncolumns = 3,
	.columns = {
		[VERIFIED_ID] = {"id", UUIDOID},
		[VERIFIED_ORGANIZATION] = {"organization_id", UUIDOID},
		[VERIFIED_AT] = {"last_verified_at", TIMESTAMPTZOID},
	},
};

void
platform_integration_health_init(void)
{
	platform_row_register(&verified_table);
}

/*
 * Notes that an account which worked works still: a sign of life and no change,
 * so it goes past the executor, with no trigger, no entry in the audit trail and
 * the same updated_at. False when somebody else is writing the row.
 */
static bool
refresh_verified(Datum organization, Datum id, TimestampTz now)
{
	Datum		keys[] = {id, organization};
	PlatformRow row;
	bool		noted = false;

	platform_row_open(&row, &verified_table);
	if (platform_row_find(&row, keys))
	{
		platform_row_set(&row, VERIFIED_AT, TimestampTzGetDatum(now));
		noted = platform_row_update(&row) == ROW_DONE;
	}
	platform_row_close(&row);
	return noted;
}

PG_FUNCTION_INFO_V1(platform_record_integration_verified);

/*
 * platform.record_integration_verified(organization_id uuid, account_id uuid) returns boolean
 *
 * The account works: a test, a webhook or a call succeeded. last_verified_at becomes
 * now, the error is cleared, status error or pending becomes active, an alert is
 * closed. Of an account that worked before only the time is noted, once a minute; false
 * when nothing is written, so that every request may report it. Operators only. Errors: 42501; 22004 NULL; PT404
 * no such account, or a deleted one.
 */
Datum
platform_record_integration_verified(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT last_verified_at,"
					   " last_error IS NULL AND last_error_at IS NULL AND"
					   " (status OPERATOR(pg_catalog.=) 'active' OR status OPERATOR(pg_catalog.=) 'inactive')"
					   " FROM platform.integration_accounts"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID);
	static PlatformQuery record =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.integration_accounts SET last_verified_at = $3,"
					   " last_error = NULL, last_error_at = NULL,"
					   " status = CASE WHEN status OPERATOR(pg_catalog.=) 'inactive' THEN status"
					   " ELSE 'active' END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[3];
	bool		healthy;
	bool		noted = true;

	account_arguments(fcinfo, "record a verification", values);
	values[2] = TimestampTzGetDatum(now);

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such_integration(DatumGetUUIDP(values[1]));
	healthy = platform_row_bool(0, 2);
	if (healthy && platform_row_timestamptz_or(0, 1, DT_NOBEGIN) > now - VERIFIED_EVERY)
		noted = false;
	else if (healthy)
		noted = refresh_verified(values[0], values[1], now);
	else
	{
		platform_query_run(&record, values, NULL);
		platform_alert_clear(DatumGetUUIDP(values[0]), ALERT_TYPE,
							 alert_key(DatumGetUUIDP(values[1])));
	}
	platform_query_end();
	PG_RETURN_BOOL(noted);
}

PG_FUNCTION_INFO_V1(platform_alert_integration_errors);

/*
 * platform.alert_integration_errors(batch integer DEFAULT 1000) returns bigint
 *
 * Raises the ops alerts that are due: for accounts in error for more than an hour of
 * which nobody was told. Returns how many; 0 without module ops. For a scheduler;
 * jobs may overlap. Operators only. Errors: 42501; 22004 NULL; 22023 batch below 1.
 */
Datum
platform_alert_integration_errors(PG_FUNCTION_ARGS)
{
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id, id, account_name, last_error"
					   " FROM platform.integration_accounts"
					   " WHERE deleted_at IS NULL AND status OPERATOR(pg_catalog.=) 'error'"
					   " AND error_alerted_at IS NULL AND error_since OPERATOR(pg_catalog.<=) $1"
					   " ORDER BY error_since LIMIT $2 FOR UPDATE SKIP LOCKED",
					   TIMESTAMPTZOID, INT8OID);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[2];
	SPITupleTable *rows;
	uint64		count;
	int64		raised = 0;

	platform_require_module(&platform_integrations_module);
	platform_require_operator("raise alerts");
	platform_require_argument(fcinfo, 0, "batch");
	if (PG_GETARG_INT32(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be greater than zero")));
	values[0] = TimestampTzGetDatum(now - ALERT_AFTER);
	values[1] = Int64GetDatum(PG_GETARG_INT32(0));

	platform_query_begin();
	count = platform_query_run(&claim, values, NULL);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		pg_uuid_t  *organization = DatumGetUUIDP(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		pg_uuid_t  *id = DatumGetUUIDP(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull));

		if (!raise_alert(organization, id, SPI_getvalue(rows->vals[i], rows->tupdesc, 3),
						 SPI_getvalue(rows->vals[i], rows->tupdesc, 4), now))
			break;
		raised++;
	}
	platform_query_end();
	PG_RETURN_INT64(raised);
}
