/*
 * result.c
 *	  The row that a function with several OUT columns returns.
 *
 * State: the row types of the functions called last, one a place by the
 * function's Oid. A function cannot change its columns without becoming another one, so they
 * need no invalidation. To build such a type anew costs as much as a short function.
 * And the texts of constants, of which a library has few: in the first free place after
 * the address's own.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/result.h"

#define RESULT_TYPES 64

typedef struct ResultType
{
	Oid			function;
	TupleDesc	tupdesc;
} ResultType;

static ResultType result_types[RESULT_TYPES];

#define CONSTANT_TEXTS 256

typedef struct ConstantText
{
	const char *constant;		/* NULL: free */
	text	   *text;
} ConstantText;

static ConstantText constant_texts[CONSTANT_TEXTS];

Datum
platform_return_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	ResultType *known = &result_types[function % RESULT_TYPES];

	if (known->function != function)
	{
		TupleDesc	tupdesc;
		MemoryContext old;

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		known->function = InvalidOid;
		if (known->tupdesc != NULL)
			FreeTupleDesc(known->tupdesc);
		known->tupdesc = NULL;
		old = MemoryContextSwitchTo(TopMemoryContext);
		known->tupdesc = BlessTupleDesc(CreateTupleDescCopy(tupdesc));
		MemoryContextSwitchTo(old);
		known->function = function;
	}
	return HeapTupleGetDatum(heap_form_tuple(known->tupdesc, values, nulls));
}

Datum
platform_constant_text(const char *constant)
{
	uintptr_t	place = (uintptr_t) constant >> 2;
	MemoryContext old;

	for (int i = 0; i < CONSTANT_TEXTS; i++, place++)
	{
		ConstantText *known = &constant_texts[place % CONSTANT_TEXTS];

		if (known->constant == constant)
			return PointerGetDatum(known->text);
		if (known->constant != NULL)
			continue;
		old = MemoryContextSwitchTo(TopMemoryContext);
		known->text = cstring_to_text(constant);
		MemoryContextSwitchTo(old);
		known->constant = constant;
		return PointerGetDatum(known->text);
	}
	return CStringGetTextDatum(constant);
}
