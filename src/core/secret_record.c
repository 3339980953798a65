/*
 * secret_record.c
 *	  Recording who saw which secret, and who changed keys.
 *
 * Three ways, because each alone can be made to vanish: the row by ROLLBACK,
 * the line in the log by who owns the log, the message by not reading it.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/identity.h"
#include "core/query.h"
#include "core/secret.h"

#define MESSAGE_PREFIX "platform.secret_access"

static void
insert_row(const char *action, const PlatformSecretPlace *place, const char *detail)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_OWNER,
					   "INSERT INTO platform.secret_access_log"
					   " (organization_id, action, purpose, row_id, pointer, detail,"
					   " role_name, session_role_name, subject, client_address, application_name)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
					   " pg_catalog.inet_client_addr(), pg_catalog.current_setting('application_name'))",
					   UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID,
					   TEXTOID, TEXTOID, TEXTOID);
	const char *subject = platform_current_subject();
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = UUIDPGetDatum(place->organization);
	values[1] = CStringGetTextDatum(action);
	values[2] = CStringGetTextDatum(place->purpose);
	values[3] = UUIDPGetDatum(place->row);
	nulls[3] = place->row == NULL;
	nulls[4] = place->pointer == NULL;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(place->pointer);
	nulls[5] = detail == NULL;
	values[5] = nulls[5] ? (Datum) 0 : CStringGetTextDatum(detail);
	values[6] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	values[7] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	nulls[8] = subject == NULL;
	values[8] = nulls[8] ? (Datum) 0 : CStringGetTextDatum(subject);

	platform_query_begin();
	platform_query_run(&insert, values, nulls);
	platform_query_end();
}

static char *
uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}

void
platform_secret_record(const char *action, const PlatformSecretPlace *place, const char *detail)
{
	StringInfoData text;

	insert_row(action, place, detail);

	initStringInfo(&text);
	appendStringInfo(&text, "action=%s organization=%s purpose=%s", action,
					 uuid_text(place->organization), place->purpose);
	if (place->row != NULL)
		appendStringInfo(&text, " row=%s", uuid_text(place->row));
	if (place->pointer != NULL)
		appendStringInfo(&text, " pointer=%s", place->pointer);
	if (detail != NULL)
		appendStringInfo(&text, " detail=%s", detail);
	appendStringInfo(&text, " role=%s session_role=%s",
					 GetUserNameFromId(GetUserId(), false),
					 GetUserNameFromId(GetSessionUserId(), false));
	if (platform_current_subject() != NULL)
		appendStringInfo(&text, " subject=%s", platform_current_subject());

	platform_log_message(MESSAGE_PREFIX, text.data, text.len);
	ereport(LOG,
			(errmsg("secret access: %s", text.data),
			 errhidestmt(true), errhidecontext(true)));
}
