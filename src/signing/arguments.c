/*
 * arguments.c
 *	  Arguments and results that the functions of this module share.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/http_headers.h"
#include "core/result.h"
#include "signing/signing.h"

int
platform_signing_texts(FunctionCallInfo fcinfo, int number, PlatformBytes **texts)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	*texts = NULL;
	if (PG_ARGISNULL(number))
		return 0;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	*texts = palloc0(Max(count, 1) * sizeof(PlatformBytes));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			(*texts)[i] = platform_utf8_bytes(DatumGetTextPP(elements[i]));
	return count;
}

TimestampTz
platform_signing_moment(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(number);
}

Datum
platform_signing_make_text(const PlatformBytes *utf8)
{
	char	   *converted = pg_any_to_server((const char *) utf8->data, utf8->length, PG_UTF8);

	if (converted != (const char *) utf8->data)
		return CStringGetTextDatum(converted);
	return PointerGetDatum(cstring_to_text_with_len(converted, utf8->length));
}

Datum
platform_signing_answer(FunctionCallInfo fcinfo, PlatformSignatureVerdict verdict, int matched)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, matched < 0};

	values[0] = BoolGetDatum(verdict == SIGNATURE_VALID);
	values[1] = CStringGetTextDatum(platform_signature_reason(verdict));
	values[2] = Int32GetDatum(matched + 1);
	return platform_return_row(fcinfo, values, nulls);
}
