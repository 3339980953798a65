/*
 * script.c
 *	  The statements of a migration: parse, run, and the context of errors.
 */
#include "core/platform.h"

#include <ctype.h>

#include "executor/spi.h"
#include "parser/parser.h"

#include "migrate/migrate.h"

static void
script_error_context(void *arg)
{
	const ScriptContext *context = arg;
	int			position = geterrposition();

	/* The position is one in our text, not in the caller's statement. */
	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(context->text);
	}
	if (context->table != NULL)
		errcontext("adoption of table \"%s\"", context->table);
	errcontext("migration %d of module \"%s\"",
			   context->migration->version, context->migration->module);
}

void
platform_script_enter(ScriptContext *context, const Migration *migration,
					  const char *text, const char *table)
{
	context->migration = migration;
	context->text = text;
	context->table = table;
	context->callback.previous = error_context_stack;
	context->callback.callback = script_error_context;
	context->callback.arg = context;
	error_context_stack = &context->callback;
}

void
platform_script_leave(ScriptContext *context)
{
	error_context_stack = context->callback.previous;
}

List *
platform_parse_script(const Migration *migration, const char *script)
{
	ScriptContext context;
	List	   *statements = NIL;
	ListCell   *cell;

	platform_script_enter(&context, migration, script, NULL);
	foreach(cell, raw_parser(script, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		Statement  *statement = palloc(sizeof(Statement));
		const char *start = script + raw->stmt_location;
		const char *end = raw->stmt_len > 0 ? start + raw->stmt_len : script + strlen(script);

		while (start < end && isspace((unsigned char) *start))
			start++;
		statement->node = raw->stmt;
		statement->text = pnstrdup(start, end - start);
		statement->script = script;
		statements = lappend(statements, statement);
	}
	platform_script_leave(&context);
	return statements;
}

void
platform_run_statement(const Migration *migration, const Statement *statement)
{
	ScriptContext context;
	int			result;

	platform_script_enter(&context, migration, statement->text, NULL);
	platform_query_begin();
	result = SPI_execute(statement->text, false, 0);
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
	platform_query_end();
	platform_script_leave(&context);
}
