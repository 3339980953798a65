/*
 * migrate.h
 *	  What the files of this module share.
 *
 *	migrate.c	SQL-callable: install, rollback, migration_status
 *	catalogue.c	the migrations as they are known and applied
 *	adopt*.c	tables that are there already
 *	repair.c	applied migrations whose objects are gone in part
 *	shape.c		what migrations declare; inspect.c: whether it is so
 *	verify.c	SQL-callable: verify
 *	script.c	statements of a migration: parse, run, context of errors
 *	runner.c	who runs, under which lock and settings
 *	schema.c	is the schema safe to create the extension in
 */
#ifndef PLATFORM_MIGRATE_H
#define PLATFORM_MIGRATE_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

#include "core/query.h"

/* One row of platform.migrations, of platform.schema_migrations, or of both. */
typedef struct Migration
{
	int			version;
	char	   *module;
	char	   *description;	/* NULL: applied, but unknown to this library */
	List	   *requires;		/* of char * */
	bool		optional;		/* its module is installed by name only */
	char	   *up;
	char	   *down;
	char	   *checks;
	bool		applied;
	TimestampTz applied_at;
	char	   *applied_by;
	bool		selected;
} Migration;

/* All migrations, known or applied, by version. */
extern List *platform_migrations(void);

/*
 * Marks the migrations of the asked modules (NIL: all) and, transitively, of
 * those that they require; 22023 for a module that no migration names.
 */
extern void platform_select_modules(List *migrations, List *modules);

/* Writes and removes the row of platform.schema_migrations. */
extern void platform_record_migration(const Migration *migration, const char *applied_by);
extern void platform_forget_migration(const Migration *migration);

/* One statement of a script: its parse tree (may be NULL), its text, the script. */
typedef struct Statement
{
	Node	   *node;
	char	   *text;
	const char *script;			/* what the tree's locations refer to */
} Statement;

/*
 * While entered, an error's context names the migration and the table, and its
 * cursor position is taken for one in text.
 */
typedef struct ScriptContext
{
	const Migration *migration;
	const char *text;
	const char *table;			/* that is being adopted, or NULL */
	ErrorContextCallback callback;
} ScriptContext;

extern void platform_script_enter(ScriptContext *context, const Migration *migration,
								  const char *text, const char *table);
extern void platform_script_leave(ScriptContext *context);

/* The statements of a part of a migration. */
extern List *platform_parse_script(const Migration *migration, const char *script);

/* Runs one statement as the current user; an error names the migration. */
extern void platform_run_statement(const Migration *migration, const Statement *statement);

/*
 * The right to change or check the installation, its lock, and the settings
 * under which scripts run, from _begin() to _end().  The tables keep one
 * owner: a caller who has the rights of the present owner runs as that role.
 */
typedef enum RunnerMode
{
	RUNNER_CHANGES,				/* alone, and may create tables */
	RUNNER_READS				/* no lock: works on a standby */
} RunnerMode;

typedef struct Runner
{
	Oid			caller;
	PlatformUser saved;
	int			guc_level;
} Runner;

extern void platform_runner_begin(Runner *runner, RunnerMode mode, const char *action);
extern void platform_runner_end(Runner *runner);

#endif							/* PLATFORM_MIGRATE_H */
