/*
 * repair.c
 *	  An applied migration whose objects are gone in part is made whole.
 *
 * DROP EXTENSION ... CASCADE takes triggers, policies and defaults and leaves
 * the tables; people drop an index and forget.  A repair runs again only the
 * statements that declare what is missing or different, so it neither needs
 * nor undoes anything else: not what a later migration changed, not what the
 * user set otherwise.  A table that is gone altogether is created anew, and
 * every later statement about it follows.
 */
#include "core/platform.h"

#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"

#include "core/module.h"
#include "migrate/adopt.h"
#include "migrate/repair.h"
#include "migrate/shape.h"

List *
platform_faulty_shapes(List *shapes, int version)
{
	List	   *faulty = NIL;
	ListCell   *cell;

	foreach(cell, shapes)
	{
		Shape	   *shape = lfirst(cell);

		if (shape->version == version && platform_shape_fault(shape) != NULL)
			faulty = lappend(faulty, shape);
	}
	return faulty;
}

static bool
is_named(const char *name, List *names)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (name != NULL && strcmp(name, lfirst(cell)) == 0)
			return true;
	}
	return false;
}

/* The table that a COMMENT ON TABLE or ON COLUMN is about, or NULL. */
static const char *
commented_table(const CommentStmt *comment)
{
	List	   *names;

	if (comment->objtype != OBJECT_TABLE && comment->objtype != OBJECT_COLUMN)
		return NULL;
	names = castNode(List, comment->object);
	return list_length(names) < 2 ? NULL : strVal(lsecond(names));
}

/* The table of ours that a statement is about, or NULL. */
static const char *
statement_table(Node *node)
{
	const RangeVar *relation = NULL;

	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
			relation = ((AlterTableStmt *) node)->relation;
			break;
		case T_RenameStmt:
			relation = ((RenameStmt *) node)->relation;
			break;
		case T_InsertStmt:
			relation = ((InsertStmt *) node)->relation;
			break;
		case T_UpdateStmt:
			relation = ((UpdateStmt *) node)->relation;
			break;
		case T_CommentStmt:
			return commented_table((CommentStmt *) node);
		default:
			break;
	}
	return platform_is_own(relation) ? relation->relname : NULL;
}

bool
platform_concerns_tables(const Migration *migration, List *tables)
{
	ListCell   *cell;

	if (tables == NIL)
		return false;
	foreach(cell, platform_parse_script(migration, migration->up))
	{
		if (is_named(statement_table(((Statement *) lfirst(cell))->node), tables))
			return true;
	}
	return false;
}

static bool
touches_any(Node *node, List *faulty)
{
	ListCell   *cell;

	foreach(cell, faulty)
	{
		if (platform_statement_touches(node, lfirst(cell)))
			return true;
	}
	return false;
}

static bool
is_faulty(List *faulty, ShapeKind kind, const char *table, const char *name)
{
	ListCell   *cell;

	foreach(cell, faulty)
	{
		Shape	   *shape = lfirst(cell);

		if (shape->kind == kind && strcmp(shape->table, table) == 0 &&
			shape->name != NULL && strcmp(shape->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * The column's definition reduced to what is faulty: its own type where a
 * later migration gave it another, no default that was dropped since.
 */
static ColumnDef *
faulty_column(const char *table, ColumnDef *column, List *faulty)
{
	ColumnDef  *part = copyObject(column);
	Oid			relid = platform_relation_oid(table, false);
	AttrNumber	attnum = get_attnum(relid, column->colname);
	Oid			type;
	int32		typmod;
	Oid			collation;
	ListCell   *cell;

	if (attnum != InvalidAttrNumber && !is_faulty(faulty, SHAPE_COLUMN, table, column->colname))
	{
		get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
		part->typeName = makeTypeNameFromOid(type, typmod);
		part->collClause = NULL;
	}
	foreach(cell, part->constraints)
	{
		ConstrType	kind = lfirst_node(Constraint, cell)->contype;

		if ((kind == CONSTR_DEFAULT && !is_faulty(faulty, SHAPE_DEFAULT, table, column->colname)) ||
			(kind == CONSTR_NOTNULL && !is_faulty(faulty, SHAPE_NOT_NULL, table, column->colname)))
			part->constraints = foreach_delete_current(part->constraints, cell);
	}
	return part;
}

/* The CREATE TABLE with only those elements that declare what is faulty. */
static CreateStmt *
faulty_part(CreateStmt *create, List *faulty)
{
	CreateStmt *part = copyObject(create);
	ListCell   *cell;

	part->tableElts = NIL;
	foreach(cell, create->tableElts)
	{
		Node	   *element = lfirst(cell);
		CreateStmt	single = *create;

		single.tableElts = list_make1(element);
		if (!touches_any((Node *) &single, faulty))
			continue;
		if (IsA(element, ColumnDef))
			element = (Node *) faulty_column(create->relation->relname,
											 (ColumnDef *) element, faulty);
		part->tableElts = lappend(part->tableElts, element);
	}
	return part;
}

static void
repair_table(const Migration *migration, const Statement *statement, List *faulty,
			 List **recreated)
{
	CreateStmt *create = (CreateStmt *) statement->node;

	if (platform_table_exists(create))
	{
		Statement	part = *statement;

		part.node = (Node *) faulty_part(create, faulty);
		if (((CreateStmt *) part.node)->tableElts != NIL)
			platform_adopt_table(migration, &part, false);
	}
	else
	{
		platform_run_statement(migration, statement);
		*recreated = lappend(*recreated, create->relation->relname);
	}
}

bool
platform_repair(const Migration *migration, List *shapes, List **recreated)
{
	List	   *faulty = platform_faulty_shapes(shapes, migration->version);
	ListCell   *cell;

	foreach(cell, platform_parse_script(migration, migration->up))
	{
		Statement  *statement = lfirst(cell);
		Node	   *node = statement->node;

		/* A query of a migration makes what it finds missing: it goes with every repair. */
		if (!IsA(node, SelectStmt) && !touches_any(node, faulty) &&
			!is_named(statement_table(node), *recreated))
			continue;
		if (IsA(node, CreateStmt))
		{
			repair_table(migration, statement, faulty, recreated);
			continue;
		}
		if (IsA(node, IndexStmt))
			platform_adopt_index(migration, statement);
		platform_run_statement(migration, statement);
	}
	return platform_faulty_shapes(shapes, migration->version) == NIL;
}
