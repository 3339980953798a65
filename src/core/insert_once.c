/*
 * insert_once.c
 *	  INSERT ... ON CONFLICT DO NOTHING in every isolation level: see row.h.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "core/row.h"
#include "core/try.h"

typedef struct InsertOnce
{
	PlatformQuery *query;
	const Datum *values;
	const bool *nulls;
	bool		inserted;
} InsertOnce;

static void
insert_once_body(void *arg)
{
	InsertOnce *insert = arg;

	platform_query_begin();
	insert->inserted = platform_query_run(insert->query, insert->values, insert->nulls) > 0;
	platform_query_end();
}

bool
platform_insert_once(PlatformQuery *query, const Datum *values, const bool *nulls)
{
	InsertOnce	insert = {query, values, nulls, false};

	if (!IsolationUsesXactSnapshot())
	{
		insert_once_body(&insert);
		return insert.inserted;
	}

	/*
	 * Above READ COMMITTED the server fails on a row that was inserted while
	 * this statement waited for it; the next try finds it.
	 */
	for (;;)
	{
		ErrorData  *error = platform_try(insert_once_body, &insert);

		if (error == NULL)
			return insert.inserted;
		if (error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
			ReThrowError(error);
		FreeErrorData(error);
		CHECK_FOR_INTERRUPTS();
	}
}
