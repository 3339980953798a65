/*
 * script.c
 *	  The statements of a migration: parse, run, and the context of errors.
 */
#include "core/platform.h"

#include "executor/spi.h"
#include "parser/parser.h"

#include "migrate/migrate.h"

typedef struct ScriptContext
{
	const Migration *migration;
	const char *text;			/* what a cursor position of an error refers to */
} ScriptContext;

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
	errcontext("migration %d of module \"%s\"",
			   context->migration->version, context->migration->module);
}

List *
platform_parse_script(const Migration *migration, const char *script)
{
	ScriptContext context = {migration, script};
	ErrorContextCallback callback = {error_context_stack, script_error_context, &context};
	List	   *statements = NIL;
	ListCell   *cell;

	error_context_stack = &callback;
	foreach(cell, raw_parser(script, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		Statement  *statement = palloc(sizeof(Statement));
		const char *start = script + raw->stmt_location;

		statement->node = raw->stmt;
		statement->text = raw->stmt_len > 0 ? pnstrdup(start, raw->stmt_len) : pstrdup(start);
		statements = lappend(statements, statement);
	}
	error_context_stack = callback.previous;
	return statements;
}

void
platform_run_statement(const Migration *migration, const Statement *statement)
{
	ScriptContext context = {migration, statement->text};
	ErrorContextCallback callback = {error_context_stack, script_error_context, &context};
	int			result;

	error_context_stack = &callback;
	platform_query_begin();
	result = SPI_execute(statement->text, false, 0);
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
	platform_query_end();
	error_context_stack = callback.previous;
}
