/*
 * root_key_query.c
 *	  Root keys from a query, such as one on vault.decrypted_secrets.
 *
 * It runs as the owner of the tables, with nothing but pg_catalog on the search
 * path, read-only. What it answers is copied into key memory and overwritten
 * where it was.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/crypto.h"
#include "core/query.h"
#include "core/root_key.h"
#include "core/try.h"

typedef struct QueryRun
{
	const char *query;
	PlatformRootKeyText *text;
	bool		too_much;
} QueryRun;

/* Adds the first column of each row as a line. */
static void
copy_rows(QueryRun *run)
{
	PlatformRootKeyText *text = run->text;

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		char	   *line = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 1);
		size_t		length = line == NULL ? 0 : strlen(line);

		if (text->length + length + 1 > sizeof(text->bytes))
			run->too_much = true;
		else if (line != NULL)
		{
			memcpy(text->bytes + text->length, line, length);
			text->length += length;
			text->bytes[text->length++] = '\n';
		}
		if (line != NULL)
			platform_wipe(line, length);
		platform_wipe((char *) tuple->t_data + tuple->t_data->t_hoff,
					  tuple->t_len - tuple->t_data->t_hoff);
	}
}

static void
run_query(void *arg)
{
	QueryRun   *run = arg;
	PlatformUser saved;
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	platform_query_begin();
	platform_become_owner(&saved);
	if (SPI_execute(run->query, true, 0) != SPI_OK_SELECT || SPI_tuptable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("platform.root_key_query is not a query")));
	platform_restore_user(&saved);
	copy_rows(run);
	platform_query_end();
	AtEOXact_GUC(true, level);
}

bool
platform_root_key_run_query(const char *query, PlatformRootKeyText *text, PlatformKeyFault *fault)
{
	static const char message[] = "query of platform.root_key_query failed";
	QueryRun	run = {query, text, false};
	ErrorData  *error = NULL;

	text->length = 0;
	/* no subtransaction is possible in a parallel query: its error goes on */
	if (IsInParallelMode())
		run_query(&run);
	else
		error = platform_try(run_query, &run);
	if (error != NULL)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, message,
								  psprintf("It failed with SQLSTATE %s.",
										   unpack_sql_state(error->sqlerrcode)),
								  "Run it as the owner of the tables to see the error.");
	if (run.too_much)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, message,
								  "It returned more than 16 kB.", NULL);
	return true;
}
