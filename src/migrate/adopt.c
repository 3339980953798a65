/*
 * adopt.c
 *	  A table that is there already becomes the one that a migration declares.
 *
 * CREATE TABLE IF NOT EXISTS passes over a table of that name whatever its
 * shape.  So before it runs, the table is compared with the parse tree: columns
 * that are missing are added, types converted where an assignment cast exists,
 * nulls filled from the default where none are allowed, and allowed where they
 * are declared to be, defaults and named constraints added.  Nothing that the migration does not name is touched:
 * further columns, indexes, policies and all rows stay.
 *
 * ALTER TABLE is built as a parse tree from copies of the declaration's own
 * nodes, so that a column added here is the column that CREATE TABLE makes.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "core/module.h"
#include "migrate/adopt.h"
#include "migrate/shape.h"

#define TENANT_COLUMN "organization_id"

static void
run_utility(const Adoption *adoption, Node *statement)
{
	PlannedStmt *planned = makeNode(PlannedStmt);

	planned->commandType = CMD_UTILITY;
	planned->utilityStmt = statement;
	planned->stmt_location = -1;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	ProcessUtility(planned, adoption->script, false, PROCESS_UTILITY_QUERY,
				   NULL, NULL, None_Receiver, NULL);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

void
platform_adopt_alter(const Adoption *adoption, AlterTableType action, const char *name, Node *definition)
{
	AlterTableStmt *alter = makeNode(AlterTableStmt);
	AlterTableCmd *command = makeNode(AlterTableCmd);

	command->subtype = action;
	command->name = name != NULL ? pstrdup(name) : NULL;
	command->def = definition;
	command->behavior = DROP_RESTRICT;
	alter->relation = copyObject(adoption->create->relation);
	alter->cmds = list_make1(command);
	alter->objtype = OBJECT_TABLE;
	run_utility(adoption, (Node *) alter);
}

static Node *
default_organization(void)
{
	return (Node *) makeFuncCall(list_make2(makeString(PLATFORM_SCHEMA),
											makeString("default_organization_id")),
								 NIL, COERCE_EXPLICIT_CALL, -1);
}

/*
 * Must old rows get the default organization, although the table gives new
 * ones none?
 */
static bool
is_tenant_column(const ColumnDef *column)
{
	return strcmp(column->colname, TENANT_COLUMN) == 0 &&
		platform_column_constraint(column, CONSTR_NOTNULL) != NULL &&
		platform_column_constraint(column, CONSTR_DEFAULT) == NULL;
}

static void
add_column(const Adoption *adoption, ColumnDef *declared)
{
	ColumnDef  *column = copyObject(declared);
	bool		fill = is_tenant_column(column);
	ListCell   *cell;

	/* named constraints follow when all columns are there */
	foreach(cell, column->constraints)
	{
		if (lfirst_node(Constraint, cell)->conname != NULL)
			column->constraints = foreach_delete_current(column->constraints, cell);
	}
	if (fill)
	{
		Constraint *filling = makeNode(Constraint);

		filling->contype = CONSTR_DEFAULT;
		filling->raw_expr = default_organization();
		filling->location = -1;
		column->constraints = lappend(column->constraints, filling);
	}
	platform_adopt_alter(adoption, AT_AddColumn, NULL, (Node *) column);
	if (fill)
		platform_adopt_alter(adoption, AT_ColumnDefault, declared->colname, NULL);
}

/* Foreign keys over a column that could not hold with its new type go. */
static void
drop_impossible_keys(const Adoption *adoption, AttrNumber attnum, Oid type)
{
	Relation	relation = table_open(adoption->relid, NoLock);
	List	   *keys = copyObject(RelationGetFKeyList(relation));
	ListCell   *cell;

	table_close(relation, NoLock);
	foreach(cell, keys)
	{
		ForeignKeyCacheInfo *key = lfirst(cell);

		for (int i = 0; i < key->nkeys; i++)
		{
			Oid			referenced = get_atttype(key->confrelid, key->confkey[i]);

			if (key->conkey[i] != attnum ||
				can_coerce_type(1, &type, &referenced, COERCION_IMPLICIT) ||
				can_coerce_type(1, &referenced, &type, COERCION_IMPLICIT))
				continue;
			platform_adopt_alter(adoption, AT_DropConstraint,
								 get_constraint_name(key->conoid), NULL);
			break;
		}
	}
}

static void
convert_column(const Adoption *adoption, const ColumnDef *column, Form_pg_attribute found,
			   Oid type, int32 typmod)
{
	ColumnDef  *converted = makeNode(ColumnDef);

	if (!can_coerce_type(1, &found->atttypid, &type, COERCION_ASSIGNMENT))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, not %s",
						column->colname, adoption->table,
						format_type_with_typemod(found->atttypid, found->atttypmod),
						format_type_with_typemod(type, typmod)),
				 errdetail("There is no assignment cast between these types."),
				 errhint("Convert or rename the column, then run install() again.")));

	drop_impossible_keys(adoption, found->attnum, type);
	/* the default of the old type may not fit the new one; ours follows */
	if (platform_column_constraint(column, CONSTR_DEFAULT) != NULL && found->atthasdef)
		platform_adopt_alter(adoption, AT_ColumnDefault, column->colname, NULL);
	converted->typeName = copyObject(column->typeName);
	converted->collClause = copyObject(column->collClause);
	converted->location = -1;
	platform_adopt_alter(adoption, AT_AlterColumnType, column->colname, (Node *) converted);
}

/* Fills the nulls of a column that allows none. */
static void
fill_column(const Adoption *adoption, const ColumnDef *column, bool has_default)
{
	const char *name = quote_identifier(column->colname);
	Statement	update = {NULL, NULL, NULL};

	if (!has_default && !is_tenant_column(column))
		return;
	update.text = psprintf("UPDATE %s SET %s = %s WHERE %s IS NULL",
						   quote_qualified_identifier(PLATFORM_SCHEMA, adoption->table),
						   name,
						   has_default ? "DEFAULT" : PLATFORM_SCHEMA ".default_organization_id()",
						   name);
	platform_run_statement(adoption->migration, &update);
}

/* The column as it is now; the caller frees it with heap_freetuple(). */
static HeapTuple
find_column(const Adoption *adoption, const char *name)
{
	return SearchSysCacheCopyAttName(adoption->relid, name);
}

static bool
is_in_primary_key(const Adoption *adoption, AttrNumber attnum)
{
	Relation	relation = table_open(adoption->relid, NoLock);
	Bitmapset  *key = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	bool		result = bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, key);

	table_close(relation, NoLock);
	return result;
}

static void
adopt_column(const Adoption *adoption, ColumnDef *column, bool whole)
{
	Constraint *declared = platform_column_constraint(column, CONSTR_DEFAULT);
	HeapTuple	tuple = find_column(adoption, column->colname);
	Form_pg_attribute found;
	Oid			type;
	int32		typmod;

	if (!HeapTupleIsValid(tuple))
	{
		add_column(adoption, column);
		return;
	}

	found = (Form_pg_attribute) GETSTRUCT(tuple);
	typenameTypeIdAndMod(NULL, column->typeName, &type, &typmod);
	if (found->atttypid != type || found->atttypmod != typmod ||
		(column->collClause != NULL &&
		 get_collation_oid(column->collClause->collname, false) != found->attcollation))
	{
		convert_column(adoption, column, found, type, typmod);
		tuple = find_column(adoption, column->colname);
		found = (Form_pg_attribute) GETSTRUCT(tuple);
	}
	if (declared != NULL && !found->atthasdef && found->attidentity == '\0')
	{
		platform_adopt_alter(adoption, AT_ColumnDefault, column->colname,
							 copyObject(declared->raw_expr));
		found->atthasdef = true;
	}
	if (platform_column_constraint(column, CONSTR_NOTNULL) != NULL && !found->attnotnull)
	{
		fill_column(adoption, column, found->atthasdef);
		platform_adopt_alter(adoption, AT_SetNotNull, column->colname, NULL);
	}
	/* functions may write nulls where the declaration allows them */
	if (whole && platform_column_constraint(column, CONSTR_NOTNULL) == NULL && found->attnotnull &&
		found->attidentity == '\0' && !is_in_primary_key(adoption, found->attnum))
		platform_adopt_alter(adoption, AT_DropNotNull, column->colname, NULL);
}

bool
platform_table_exists(const CreateStmt *create)
{
	return platform_is_own(create->relation) &&
		OidIsValid(platform_relation_oid(create->relation->relname, true));
}

/*
 * Is it a table, and of the role that owns the others?  A superuser is not
 * enough: filling a table runs its triggers, and those are its owner's.
 */
static void
check_adoptable(const Adoption *adoption)
{
	char		kind = get_rel_relkind(adoption->relid);
	Oid			owner = platform_relation_owner(adoption->table);

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not a table", adoption->table)));
	if (owner != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" belongs to role \"%s\"",
						adoption->table, GetUserNameFromId(owner, false)),
				 errdetail("All tables must belong to the role that installs, \"%s\".",
						   GetUserNameFromId(GetUserId(), false)),
				 errhint("Install as the owner of the table, or change its owner.")));
}

void
platform_adopt_table(const Migration *migration, const Statement *statement, bool whole)
{
	CreateStmt *create = castNode(CreateStmt, statement->node);
	Adoption	adoption = {migration, statement->script, create, create->relation->relname};
	ScriptContext context;
	ListCell   *cell;

	platform_script_enter(&context, migration, statement->script, adoption.table);
	adoption.relid = RangeVarGetRelidExtended(create->relation, AccessExclusiveLock, 0,
											  RangeVarCallbackOwnsRelation, NULL);
	check_adoptable(&adoption);

	foreach(cell, create->tableElts)
	{
		if (IsA(lfirst(cell), ColumnDef))
			adopt_column(&adoption, lfirst(cell), whole);
	}
	platform_adopt_constraints(&adoption);
	platform_script_leave(&context);
}

void
platform_adopt_index(const Migration *migration, const Statement *statement)
{
	IndexStmt  *index = castNode(IndexStmt, statement->node);
	Shape		shape = {.kind = SHAPE_INDEX, .index = index};
	ScriptContext context;
	Oid			relid;
	Statement	drop = {NULL, NULL, NULL};

	if (!platform_is_own(index->relation) || index->idxname == NULL)
		return;
	relid = platform_relation_oid(index->idxname, true);
	shape.table = index->relation->relname;
	shape.name = index->idxname;
	if (!OidIsValid(relid) || platform_shape_fault(&shape) == NULL)
		return;

	platform_script_enter(&context, migration, statement->script, shape.table);
	if (get_rel_relkind(relid) != RELKIND_INDEX && get_rel_relkind(relid) != RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not an index", index->idxname)));
	platform_script_leave(&context);

	/* The name is ours; CREATE INDEX follows. */
	drop.text = psprintf("DROP INDEX %s",
						 quote_qualified_identifier(PLATFORM_SCHEMA, index->idxname));
	platform_run_statement(migration, &drop);
}
