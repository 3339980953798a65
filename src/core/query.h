/*
 * query.h
 *	  Saved plans, typed getters, and the switch to the owner around one query.
 *
 * A query is a static constant:
 *
 *		static PlatformQuery find_tier =
 *			PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
 *						   "SELECT tier FROM platform.organizations"
 *						   " WHERE id OPERATOR(pg_catalog.=) $1",
 *						   UUIDOID);
 *
 * It is prepared on first use and kept for the life of the backend; the
 * server revalidates it.  One platform_query_begin()/_end() pair encloses all
 * queries of a SQL-callable function; on an error the server cleans up.
 * Results live until the next run: copy what must survive with the getters,
 * which allocate in the memory context that was current before _begin(). That
 * context stays current between the two, so nothing that a function builds there
 * ends with its queries.
 */
#ifndef PLATFORM_QUERY_H
#define PLATFORM_QUERY_H

#include "executor/spi.h"

#define QUERY_READ		0x01	/* writes nothing: no command counter, no new snapshot */
#define QUERY_LATEST	0x02	/* sees what is committed now, in every isolation level */
#define QUERY_OWNER		0x04	/* runs as the owner of the tables, RLS apart */
#define QUERY_IN_ORDER	0x08	/* cursors: reads in an index's order rather than sort, uncompiled */

#define QUERY_INDEXED	0x10	/* not cursors: one plan, made for tables of any size */
#define QUERY_GENERIC	0x20	/* one plan, whatever the arguments; it is made once */

#define PLATFORM_QUERY_MAX_ARGS 16

typedef struct PlatformQuery
{
	int			flags;
	const char *sql;
	int			nargs;
	Oid			argtypes[PLATFORM_QUERY_MAX_ARGS];
	SPIPlanPtr	plan;			/* kept; NULL until first use */
	bool		planned;		/* it has been run */
} PlatformQuery;

#define PLATFORM_QUERY(flags_, sql_, ...) \
	{ \
		.flags = (flags_), .sql = (sql_), \
		.nargs = sizeof((Oid[]) {0, ##__VA_ARGS__}) / sizeof(Oid) - 1, \
		.argtypes = {__VA_ARGS__}, \
	}

extern void platform_query_begin(void);
extern void platform_query_end(void);

/*
 * Runs the query and returns the number of rows it returned or changed.
 * nulls is NULL (no argument is null) or one bool an argument.
 */
extern uint64 platform_query_run(PlatformQuery *query, const Datum *values, const bool *nulls);

/*
 * Runs the query and returns its rows as those of the set-returning function,
 * whose columns they are. Begins and ends by itself.
 */
extern Datum platform_query_return_rows(FunctionCallInfo fcinfo, PlatformQuery *query,
										const Datum *values, const bool *nulls);

/* The same for the one row of a query, which is the function's row. */
extern Datum platform_query_return_row(FunctionCallInfo fcinfo, PlatformQuery *query,
									   const Datum *values, const bool *nulls);

/*
 * Opens a cursor for large results; fetch batches with SPI_cursor_fetch() and
 * read them with the getters; close with SPI_cursor_close().
 */
extern Portal platform_query_cursor(PlatformQuery *query, const Datum *values, const bool *nulls);

/*
 * Getters: row from 0, column from 1, of the last result.  The plain forms
 * take a column that cannot be null; the others set *isnull and return 0.
 */
extern Datum platform_row_datum(uint64 row, int column, bool *isnull);
extern bool platform_row_bool(uint64 row, int column);
extern int32 platform_row_int32(uint64 row, int column);
extern int64 platform_row_int64(uint64 row, int column);
extern int64 platform_row_int64_or(uint64 row, int column, int64 otherwise);
extern pg_uuid_t platform_row_uuid(uint64 row, int column);
extern TimestampTz platform_row_timestamptz_or(uint64 row, int column, TimestampTz otherwise);

/* Copies a bytea that has exactly that length. */
extern void platform_row_bytes(uint64 row, int column, void *bytes, Size length);

/* Copies outlive the query; NULL for a null. */
extern char *platform_row_cstring(uint64 row, int column);
extern Datum platform_row_datum_copy(uint64 row, int column, bool *isnull);

/* The role that owns the tables (that of platform.organizations). */
extern Oid	platform_owner(void);

/* The owner of platform.<name>; an error when there is no such table. */
extern Oid	platform_relation_owner(const char *name);

/* Switch to the owner around direct table access; restore what was saved. */
typedef struct PlatformUser
{
	Oid			userid;
	int			sec_context;
} PlatformUser;

extern void platform_become_owner(PlatformUser *saved);
extern void platform_restore_user(const PlatformUser *saved);

#endif							/* PLATFORM_QUERY_H */
