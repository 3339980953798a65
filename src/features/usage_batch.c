/*
 * usage_batch.c
 *	  Consumption of several features at once, and by inserting rows.
 *
 * Counters of a batch are taken in the order of their names' bytes, so that
 * two batches never wait for each other in a circle.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/guard.h"
#include "core/identity.h"
#include "core/try.h"
#include "features/usage.h"

PG_FUNCTION_INFO_V1(platform_consume_features);
PG_FUNCTION_INFO_V1(platform_consume_feature_on_insert);

typedef struct BatchItem
{
	int			position;		/* in the arguments, from 0 */
	text	   *feature;
	int64		amount;
	Counter		counter;
	UsageAnswer answer;
} BatchItem;

typedef struct Batch
{
	pg_uuid_t	organization;
	int			count;
	BatchItem  *items;			/* by feature */
	text	   *key;
	TimestampTz at;
} Batch;

static void
bad_batch(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
}

static int
compare_features(const text *a, const text *b)
{
	int			length_a = VARSIZE_ANY_EXHDR(a);
	int			length_b = VARSIZE_ANY_EXHDR(b);
	int			result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(length_a, length_b));

	return result != 0 ? result : length_a - length_b;
}

static int
compare_items(const void *a, const void *b)
{
	return compare_features(((const BatchItem *) a)->feature, ((const BatchItem *) b)->feature);
}

static int
compare_positions(const void *a, const void *b)
{
	return ((const BatchItem *) a)->position - ((const BatchItem *) b)->position;
}

/* The elements of a one-dimensional array argument. */
static Datum *
batch_array(ArrayType *array, Oid type, int typlen, bool byval, char align, int *count)
{
	Datum	   *elements;
	bool	   *nulls;

	if (ARR_NDIM(array) > 1)
		bad_batch("features and amounts must be one-dimensional arrays");
	deconstruct_array(array, type, typlen, byval, align, &elements, &nulls, count);
	for (int i = 0; i < *count; i++)
		if (nulls[i])
			bad_batch("features and amounts must not contain nulls");
	return elements;
}

static void
read_batch(FunctionCallInfo fcinfo, Batch *batch)
{
	Datum	   *features;
	Datum	   *amounts = NULL;
	int			amount_count;

	platform_usage_not_null(fcinfo, 1, "features");
	batch->organization = *platform_usage_organization(fcinfo, 0);
	features = batch_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
						   &batch->count);
	if (!PG_ARGISNULL(2))
	{
		amounts = batch_array(PG_GETARG_ARRAYTYPE_P(2), INT8OID, sizeof(int64),
							  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &amount_count);
		if (amount_count != batch->count)
			bad_batch("features and amounts must have the same length");
	}
	batch->key = platform_usage_key(fcinfo, 3);
	batch->at = platform_usage_moment(fcinfo, 4);

	batch->items = palloc0(Max(batch->count, 1) * sizeof(BatchItem));
	for (int i = 0; i < batch->count; i++)
	{
		BatchItem  *item = &batch->items[i];

		item->position = i;
		item->feature = DatumGetTextPP(features[i]);
		item->amount = amounts ? DatumGetInt64(amounts[i]) : 1;
		if (item->amount <= 0)
			bad_batch("amount must be greater than zero");
	}
	qsort(batch->items, batch->count, sizeof(BatchItem), compare_items);
	for (int i = 1; i < batch->count; i++)
		if (compare_features(batch->items[i - 1].feature, batch->items[i].feature) == 0)
			bad_batch("features must not contain a feature twice");
}

/* Consumes all; false, to be rolled back, when one is refused. */
static bool
consume_batch(void *arg)
{
	Batch	   *batch = arg;
	int			refused = 0;
	int			duplicates = 0;

	for (int i = 0; i < batch->count; i++)
	{
		BatchItem  *item = &batch->items[i];
		Counter    *counter = &item->counter;

		platform_counter_prepare(counter, &batch->organization, item->feature, batch->at);
		platform_usage_require_today(counter);
		counter->amount = item->amount;
		counter->want_totals = true;
		platform_usage_consume(counter, batch->at, batch->key, &item->answer);
		refused += !item->answer.allowed;
		duplicates += item->answer.duplicate;
	}
	if (duplicates > 0 && duplicates < batch->count)
		platform_usage_key_conflict("The features differ.");
	return refused == 0;
}

/* What was counted before the batch was rolled back was not counted. */
static void
refuse_item(BatchItem *item)
{
	if (!item->answer.allowed)
		return;
	for (int w = 0; w < COUNTER_WINDOWS; w++)
		item->counter.used[w] -= item->counter.consumed;
	item->counter.allowed = false;
	item->counter.consumed = 0;
	platform_usage_answer(&item->counter, &item->answer);
	item->answer.reason = "BATCH_REFUSED";
}

/*
 * platform.consume_features(organization_id uuid, features text[], amounts bigint[] DEFAULT NULL,
 *							 idempotency_key text DEFAULT NULL, at timestamptz DEFAULT now())
 *		RETURNS TABLE (feature text, then the columns of consume_feature())
 *
 * Consumes all or nothing, a row a feature in the given order; amounts NULL
 * means one of each. When a feature refuses, the others have reason
 * BATCH_REFUSED and nothing was counted. The key holds for the whole batch.
 * Privilege and errors as consume_feature(); 22023 also for arrays of
 * different length, with nulls, or with a feature twice.
 */
Datum
platform_consume_features(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Batch		batch;

	read_batch(fcinfo, &batch);
	platform_require_module(&platform_features_module);
	platform_require_organization(&batch.organization);
	InitMaterializedSRF(fcinfo, 0);

	if (!platform_subtransaction(consume_batch, &batch))
		for (int i = 0; i < batch.count; i++)
			refuse_item(&batch.items[i]);

	qsort(batch.items, batch.count, sizeof(BatchItem), compare_positions);
	for (int i = 0; i < batch.count; i++)
	{
		Datum		values[1 + USAGE_ANSWER_COLUMNS];
		bool		nulls[1 + USAGE_ANSWER_COLUMNS] = {false};

		values[0] = PointerGetDatum(batch.items[i].feature);
		platform_usage_answer_datums(&batch.items[i].answer, values + 1, nulls + 1);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* A whole number of any size, from a column of the new row. */
static int64
trigger_amount(const TriggerData *trigger, HeapTuple row, const char *column)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	AttrNumber	attnum = platform_trigger_column(trigger, column);
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, tupdesc, &isnull);

	if (isnull)
		bad_batch("amount must not be null");
	switch (TupleDescAttr(tupdesc, attnum - 1)->atttypid)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" must be smallint, integer or bigint", column)));
	}
}

/*
 * platform.consume_feature_on_insert('feature' [, 'amount column']) returns trigger
 *
 * Counts each inserted row against the feature of its organization_id: one
 * unit, or as many as the column says (0: none). Raises PT403 when the
 * feature is off, PT429 when a limit would be exceeded; 22023 for a negative
 * or NULL amount, 23502 for a NULL organization. Who may insert is the table's own business.
 *
 *		CREATE TRIGGER calls_consume BEFORE INSERT ON calls
 *			FOR EACH ROW EXECUTE FUNCTION platform.consume_feature_on_insert('calls');
 */
Datum
platform_consume_feature_on_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "consume_feature_on_insert",
												  GUARD_BEFORE | GUARD_AFTER | GUARD_ROW |
												  GUARD_INSERT);
	HeapTuple	row = platform_trigger_row(trigger);
	AttrNumber	attnum;
	Datum		organization;
	bool		isnull;
	int64		amount = 1;
	Counter		counter;

	platform_trigger_arguments(trigger, "consume_feature_on_insert", 1, 2);
	attnum = platform_trigger_column(trigger, "organization_id");
	organization = heap_getattr(row, attnum, RelationGetDescr(trigger->tg_relation), &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("organization_id must not be null"),
				 errtablecol(trigger->tg_relation, attnum)));
	if (trigger->tg_trigger->tgnargs > 1)
		amount = trigger_amount(trigger, row, trigger->tg_trigger->tgargs[1]);
	if (amount < 0)
		bad_batch("amount must not be negative");

	platform_require_module(&platform_features_module);
	if (amount > 0 &&
		!platform_usage_increment(&counter, DatumGetUUIDP(organization),
								  cstring_to_text(trigger->tg_trigger->tgargs[0]), amount))
		platform_usage_raise_refusal(&counter);
	return PointerGetDatum(row);
}
