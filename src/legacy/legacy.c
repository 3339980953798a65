/*
 * legacy.c
 *	  The older schema, and scripts over it.
 *
 * The steps of this module (src/legacy/migration_*.sql) are written for tables
 * whose schema and whose columns' names are found out when a step runs: the
 * older system is in schema chatapp or in ours, spells chatbotType with or
 * without quotes, and has a company_id or an organization_id.  A script names
 * them in braces:
 *
 *		{schema}				the schema
 *		{chatbots}				a table
 *		{chatbots.type}			a column; see columns[] for those with several names
 *		{chatbots:live}			a condition: the row is not deleted
 *		{memory:5.type}			a value of legacy_memory, as it stands there
 *		{touch}					the function of the triggers that keep updated_at
 *
 * What is in braces and is none of these stays as it is; {{ is a brace that
 * begins nothing.  Names are quoted.
 * Scripts run with the rights of the caller, which install() makes those of the
 * tables' owner, and under the search_path of the runner.
 */
#include "core/platform.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "core/error.h"
#include "core/query.h"
#include "legacy/legacy.h"

#define OLDER_SCHEMA "chatapp"

/* Columns that are spelled differently from system to system. */
static const struct
{
	const char *name;
	const char *spellings[5];
}			columns[] =
{
	{"type", {"chatbotType", "chatbottype", "chatbot_type"}},
	{"deleted", {"deleted_at", "deletedAt", "deletedat"}},
	{"company", {"company_id", "organization_id", "companyId", "companyid"}},
};

static bool truncate_avatars = false;

/* ---- names ---- */

/* A table of that name, no view; InvalidOid when there is none. */
static Oid
find_table(const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			relid = OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;
	char		kind = OidIsValid(relid) ? get_rel_relkind(relid) : 0;

	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ? relid : InvalidOid;
}

/* Where the older tables are; 55000 when there are none. */
static const char *
older_schema(void)
{
	static const char *const schemas[] = {OLDER_SCHEMA, PLATFORM_SCHEMA};

	for (int i = 0; i < lengthof(schemas); i++)
		if (OidIsValid(find_table(schemas[i], "chatbots")) ||
			OidIsValid(find_table(schemas[i], "chatbot_packages")))
			return schemas[i];
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("there is no older schema to migrate"),
			 errdetail("Neither \"%s\" nor \"%s\" has a table \"chatbots\" or \"chatbot_packages\".",
					   OLDER_SCHEMA, PLATFORM_SCHEMA)));
}

/* The name of a table in the older schema: companies may be organizations. */
static const char *
table_name(const char *schema, const char *name)
{
	if (strcmp(name, "companies") == 0 && !OidIsValid(find_table(schema, name)))
		return "organizations";
	return name;
}

/* The real name of a column, or NULL. */
static const char *
column_name(Oid relid, const char *name)
{
	if (!OidIsValid(relid))
		return NULL;
	for (int i = 0; i < lengthof(columns); i++)
	{
		if (strcmp(columns[i].name, name) != 0)
			continue;
		for (int j = 0; columns[i].spellings[j] != NULL; j++)
			if (get_attnum(relid, columns[i].spellings[j]) != InvalidAttrNumber)
				return columns[i].spellings[j];
	}
	return get_attnum(relid, name) != InvalidAttrNumber ? name : NULL;
}

/* Does a module of this installation declare the table? */
static bool
belongs_to_module(const char *schema, const char *table)
{
	static PlatformQuery find_kind =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT 1 FROM platform.table_kinds WHERE table_name OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	Datum		name = CStringGetTextDatum(table);
	bool		found;

	if (strcmp(schema, PLATFORM_SCHEMA) != 0)
		return false;
	platform_query_begin();
	found = platform_query_run(&find_kind, &name, NULL) > 0;
	platform_query_end();
	return found;
}

/* ---- scripts ---- */

/* What a step remembers: <step>.<name>. */
static char *
remembered(const char *key)
{
	static PlatformQuery find_memory =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT value FROM platform.legacy_memory"
					   " WHERE step OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2",
					   INT4OID, TEXTOID);
	const char *dot = strchr(key, '.');
	Datum		values[2] = {Int32GetDatum(atoi(key)), CStringGetTextDatum(dot == NULL ? "" : dot + 1)};
	char	   *value = NULL;

	platform_query_begin();
	if (platform_query_run(&find_memory, values, NULL) > 0)
		value = platform_row_cstring(0, 1);
	platform_query_end();
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("module legacy does not remember \"%s\"", key)));
	return value;
}

/* A table, or with a dot one of its columns. */
static void
append_object(StringInfo result, const char *schema, char *name)
{
	char	   *dot = strchr(name, '.');
	const char *table;
	const char *column;

	if (dot != NULL)
		*dot = '\0';
	table = table_name(schema, name);
	if (dot == NULL)
	{
		appendStringInfoString(result, quote_qualified_identifier(schema, table));
		return;
	}
	column = column_name(find_table(schema, table), dot + 1);
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("older table \"%s.%s\" has no column for \"%s\"", schema, table, dot + 1)));
	appendStringInfoString(result, quote_identifier(column));
}

static void
append_live(StringInfo result, const char *schema, const char *name)
{
	const char *column = column_name(find_table(schema, table_name(schema, name)), "deleted");

	if (column == NULL)
		appendStringInfoString(result, "true");
	else
		appendStringInfo(result, "%s IS NULL", quote_identifier(column));
}

/* The older system's own function where it has one. */
static void
append_touch(StringInfo result, const char *schema)
{
	List	   *name = list_make2(makeString(pstrdup(schema)),
								  makeString("update_updated_at_column"));

	appendStringInfoString(result, OidIsValid(LookupFuncName(name, 0, NULL, true)) ?
						   quote_qualified_identifier(schema, "update_updated_at_column") :
						   PLATFORM_SCHEMA ".touch_updated_at");
}

static void
append_name(StringInfo result, const char *schema, char *name)
{
	char	   *colon = strchr(name, ':');

	if (strcmp(name, "schema") == 0)
		appendStringInfoString(result, quote_identifier(schema));
	else if (strcmp(name, "touch") == 0)
		append_touch(result, schema);
	else if (strncmp(name, "memory:", 7) == 0)
		appendStringInfoString(result, remembered(name + 7));
	else if (colon != NULL && strcmp(colon, ":live") == 0)
	{
		*colon = '\0';
		append_live(result, schema, name);
	}
	else
		append_object(result, schema, name);
}

/* The script with the names in braces replaced. */
static char *
expand_script(const char *schema, const char *script)
{
	StringInfoData result;

	initStringInfo(&result);
	while (*script != '\0')
	{
		size_t		length = *script == '{' ?
			strspn(script + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.:") : 0;

		if (length > 0 && script[length + 1] == '}')
		{
			append_name(&result, schema, pnstrdup(script + 1, length));
			script += length + 2;
		}
		else
		{
			appendStringInfoChar(&result, *script);
			script += strncmp(script, "{{", 2) == 0 ? 2 : 1;
		}
	}
	return result.data;
}

static uint64
run_script(const char *script, bool read_only)
{
	int			result;
	uint64		rows;

	platform_query_begin();
	result = SPI_execute(script, read_only, 0);
	if (result < 0)
		elog(ERROR, "script failed: %s", SPI_result_code_string(result));
	rows = SPI_processed;
	platform_query_end();
	return rows;
}

/* ---- SQL ---- */

PG_FUNCTION_INFO_V1(platform_run_legacy);

/*
 * platform.run_legacy(relation text, script text) returns void
 *
 * Runs a script of a step of module legacy, unless the table belongs to another
 * module of this installation, which keeps its form.  relation '' never does.
 * NULL runs nothing.  For the steps; with the caller's rights.  Errors: 55000
 * without an older schema, and whatever the script raises.
 */
Datum
platform_run_legacy(PG_FUNCTION_ARGS)
{
	const char *schema = older_schema();
	const char *table = table_name(schema, text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (!belongs_to_module(schema, table))
		(void) run_script(expand_script(schema, text_to_cstring(PG_GETARG_TEXT_PP(1))), false);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(platform_count_legacy);

/*
 * platform.count_legacy(query text) returns bigint
 *
 * The number of rows of a query over the older schema: for the checks of module
 * legacy.  NULL for NULL.  With the caller's rights.  Errors: 55000 without an
 * older schema, and whatever the query raises.
 */
Datum
platform_count_legacy(PG_FUNCTION_ARGS)
{
	const char *schema = older_schema();

	PG_RETURN_INT64((int64) run_script(expand_script(schema, text_to_cstring(PG_GETARG_TEXT_PP(0))),
									   true));
}

PG_FUNCTION_INFO_V1(platform_legacy_relation);

/*
 * platform.legacy_relation(name text) returns regclass
 *
 * The table of the older schema, such as chatbots; companies may be
 * organizations.  NULL when it has none, and for NULL.  Errors: 55000 without an
 * older schema.
 */
Datum
platform_legacy_relation(PG_FUNCTION_ARGS)
{
	const char *schema = older_schema();
	Oid			relid = find_table(schema, table_name(schema, text_to_cstring(PG_GETARG_TEXT_PP(0))));

	if (!OidIsValid(relid))
		PG_RETURN_NULL();
	PG_RETURN_OID(relid);
}

PG_FUNCTION_INFO_V1(platform_legacy_column);

/*
 * platform.legacy_column(relation text, name text) returns text
 *
 * How the older schema spells a column: type is chatbotType, chatbottype or
 * chatbot_type, deleted is deleted_at, deletedAt or deletedat, company is
 * company_id, organization_id, companyId or companyid; any other is itself.
 * NULL when the table or the column is missing, and for NULL.  Errors: 55000
 * without an older schema.
 */
Datum
platform_legacy_column(PG_FUNCTION_ARGS)
{
	const char *schema = older_schema();
	Oid			relid = find_table(schema, table_name(schema, text_to_cstring(PG_GETARG_TEXT_PP(0))));
	const char *column = column_name(relid, text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (column == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(column));
}

/* A script with the length in it. */
static uint64
run_over_avatars(const char *schema, bool read_only, int length, const char *script)
{
	return run_script(expand_script(schema, psprintf(script, length)), read_only);
}

PG_FUNCTION_INFO_V1(platform_cut_legacy_avatars);

/*
 * platform.cut_legacy_avatars() returns bigint
 *
 * Before users.avatar_url is as short again as step 1 found it: cuts longer ones
 * when platform.legacy_truncate_avatars is on, else refuses with PT409.  Returns
 * how many it cut.  With the caller's rights.  Errors: PT409; 55000 without an
 * older schema.
 */
Datum
platform_cut_legacy_avatars(PG_FUNCTION_ARGS)
{
	const char *schema = older_schema();
	int			length;
	uint64		rows;

	if (belongs_to_module(schema, "users") ||
		sscanf(remembered("1.type"), "character varying(%d)", &length) != 1)
		PG_RETURN_INT64(0);
	if (truncate_avatars)
		PG_RETURN_INT64((int64) run_over_avatars(schema, false, length,
												 "UPDATE {users} SET avatar_url = left(avatar_url, %1$d)"
												 " WHERE length(avatar_url) > %1$d"));
	rows = run_over_avatars(schema, true, length,
							"SELECT FROM {users} WHERE length(avatar_url) > %1$d");
	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("table \"%s.users\" has avatar URLs of more than %d characters",
						schema, length),
				 errdetail("Rows: " UINT64_FORMAT ".", rows),
				 errhint("SET platform.legacy_truncate_avatars = on to cut them.")));
	PG_RETURN_INT64(0);
}

void
platform_legacy_init(void)
{
	DefineCustomBoolVariable("platform.legacy_truncate_avatars",
							 "Lets rollback() of module legacy cut avatar URLs that are too long for the older schema.",
							 "Off, it refuses.",
							 &truncate_avatars, false, PGC_USERSET, 0, NULL, NULL, NULL);
}
