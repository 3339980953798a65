/*
 * arrays.c
 *	  Arrays as arguments of queries.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "webhooks/webhooks.h"

static Datum
make_array(Datum *values, const bool *nulls, int count, Oid type, int length, bool by_value,
		   char align)
{
	int			dimension = count;
	int			lower = 1;

	if (count == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(values, (bool *) nulls, 1, &dimension, &lower, type,
											  length, by_value, align));
}

Datum
platform_uuid_array(const pg_uuid_t *ids, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = UUIDPGetDatum(&ids[i]);
	return make_array(values, NULL, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

Datum
platform_text_array(char *const *texts, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));
	bool	   *nulls = palloc(count * sizeof(bool));

	for (int i = 0; i < count; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return make_array(values, nulls, count, TEXTOID, -1, false, TYPALIGN_INT);
}

Datum
platform_int4_array(const int32 *numbers, const bool *nulls, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = Int32GetDatum(numbers[i]);
	return make_array(values, nulls, count, INT4OID, sizeof(int32), true, TYPALIGN_INT);
}

Datum
platform_timestamptz_array(const TimestampTz *moments, const bool *nulls, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = TimestampTzGetDatum(moments[i]);
	return make_array(values, nulls, count, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE);
}

int
platform_compare_uuids(const void *a, const void *b)
{
	return memcmp(((const pg_uuid_t *) a)->data, ((const pg_uuid_t *) b)->data, UUID_LEN);
}
