/*
 * ops.c
 *	  What the functions of this module share: their arguments.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/argument.h"
#include "core/query.h"
#include "ops/ops.h"

PlatformModule platform_ops_module = {"ops", 540, 0};

char *
platform_ops_optional_text(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	text	   *value = platform_optional_text(fcinfo, argument, name, most);

	return value == NULL ? NULL : text_to_cstring(value);
}

char *
platform_ops_text(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	return text_to_cstring(platform_required_text(fcinfo, argument, name, most));
}

const pg_uuid_t *
platform_ops_optional_uuid(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_UUID_P(argument);
}

Jsonb *
platform_ops_optional_object(FunctionCallInfo fcinfo, int argument, const char *name)
{
	Jsonb	   *json;

	if (PG_ARGISNULL(argument))
		return NULL;
	json = PG_GETARG_JSONB_P(argument);
	if (!JB_ROOT_IS_OBJECT(json))
		platform_bad_argument(psprintf("%s must be an object", name));
	return json;
}

char *
platform_ops_own(const char *name)
{
	return psprintf(PLATFORM_SCHEMA ".%s", quote_identifier(name));
}

void
platform_ops_run(const char *statement)
{
	PlatformUser saved;
	int			result;

	platform_become_owner(&saved);
	result = SPI_execute(statement, false, 0);
	platform_restore_user(&saved);
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
}
