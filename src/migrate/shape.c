/*
 * shape.c
 *	  What migrations leave behind, read from the parse trees of their scripts.
 */
#include "core/platform.h"

#include "catalog/pg_trigger.h"
#include "nodes/makefuncs.h"

#include "migrate/shape.h"

bool
platform_is_own(const RangeVar *relation)
{
	return relation != NULL && relation->schemaname != NULL &&
		strcmp(relation->schemaname, PLATFORM_SCHEMA) == 0;
}

Constraint *
platform_column_constraint(const ColumnDef *column, ConstrType type)
{
	ListCell   *cell;

	foreach(cell, column->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, cell);

		if (constraint->contype == type)
			return constraint;
	}
	return NULL;
}

static bool
same_name(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static Shape *
find_shape(List *shapes, ShapeKind kind, const char *table, const char *name)
{
	ListCell   *cell;

	foreach(cell, shapes)
	{
		Shape	   *shape = lfirst(cell);

		if (shape->kind == kind && same_name(shape->table, table) &&
			same_name(shape->name, name))
			return shape;
	}
	return NULL;
}

/* The shape, declared by this version: a new one, or the earlier one renewed. */
static Shape *
declare(List **shapes, int version, ShapeKind kind, const char *table, const char *name)
{
	Shape	   *shape = find_shape(*shapes, kind, table, name);

	if (shape == NULL)
	{
		shape = palloc0(sizeof(Shape));
		shape->kind = kind;
		shape->table = table;
		shape->name = name;
		*shapes = lappend(*shapes, shape);
	}
	shape->version = version;
	return shape;
}

static void
withdraw(List **shapes, ShapeKind kind, const char *table, const char *name)
{
	Shape	   *shape = find_shape(*shapes, kind, table, name);

	if (shape != NULL)
		*shapes = list_delete_ptr(*shapes, shape);
}

/* A table or view with all that hangs on it. */
static void
withdraw_relation(List **shapes, const char *table)
{
	List	   *kept = NIL;
	ListCell   *cell;

	foreach(cell, *shapes)
	{
		Shape	   *shape = lfirst(cell);

		if (strcmp(shape->table, table) != 0)
			kept = lappend(kept, shape);
	}
	*shapes = kept;
}

/* An index is dropped by its name alone. */
static void
withdraw_index(List **shapes, const char *name)
{
	ListCell   *cell;

	foreach(cell, *shapes)
	{
		Shape	   *shape = lfirst(cell);

		if (shape->kind == SHAPE_INDEX && strcmp(shape->name, name) == 0)
		{
			*shapes = foreach_delete_current(*shapes, cell);
			return;
		}
	}
}

/* A constraint without a name has one that only the server knows: passed over. */
static void
declare_constraint(List **shapes, int version, const char *table, Constraint *constraint)
{
	if (constraint->conname != NULL)
		declare(shapes, version, SHAPE_CONSTRAINT, table,
				constraint->conname)->constraint = constraint;
}

Constraint *
platform_table_constraint(const ColumnDef *column, Constraint *constraint)
{
	Constraint *key = copyObject(constraint);

	if (key->contype == CONSTR_UNIQUE || key->contype == CONSTR_PRIMARY)
		key->keys = list_make1(makeString(column->colname));
	return key;
}

static void
declare_column(List **shapes, int version, const char *table, ColumnDef *column)
{
	ListCell   *cell;

	declare(shapes, version, SHAPE_COLUMN, table, column->colname)->type = column->typeName;
	if (platform_column_constraint(column, CONSTR_NOTNULL) != NULL ||
		platform_column_constraint(column, CONSTR_PRIMARY) != NULL)
		declare(shapes, version, SHAPE_NOT_NULL, table, column->colname);
	if (platform_column_constraint(column, CONSTR_DEFAULT) != NULL)
		declare(shapes, version, SHAPE_DEFAULT, table, column->colname);
	foreach(cell, column->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, cell);

		if (constraint->contype != CONSTR_NOTNULL)
			declare_constraint(shapes, version, table, platform_table_constraint(column, constraint));
	}
}

static void
declare_table(List **shapes, int version, CreateStmt *create)
{
	const char *table = create->relation->relname;
	ListCell   *cell;

	declare(shapes, version, SHAPE_TABLE, table, NULL);
	foreach(cell, create->tableElts)
	{
		if (IsA(lfirst(cell), ColumnDef))
			declare_column(shapes, version, table, lfirst(cell));
		else if (IsA(lfirst(cell), Constraint))
			declare_constraint(shapes, version, table, lfirst(cell));
	}
}

static void
declare_trigger_state(List **shapes, int version, const char *table, const char *name,
					  char enabled)
{
	declare(shapes, version, SHAPE_TRIGGER_STATE, table, name)->enabled = enabled;
}

/* What ALTER COLUMN does. */
static void
alter_column(List **shapes, int version, const char *table, AlterTableCmd *command)
{
	ShapeKind	kind = command->subtype == AT_ColumnDefault ? SHAPE_DEFAULT : SHAPE_NOT_NULL;

	if (command->subtype == AT_AlterColumnType)
		declare(shapes, version, SHAPE_COLUMN, table, command->name)->type =
			castNode(ColumnDef, command->def)->typeName;
	else if (command->subtype == AT_SetNotNull || command->def != NULL)
		declare(shapes, version, kind, table, command->name);
	else
		withdraw(shapes, kind, table, command->name);
}

static void
alter_table(List **shapes, int version, AlterTableStmt *alter)
{
	const char *table = alter->relation->relname;
	ListCell   *cell;

	foreach(cell, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		switch (command->subtype)
		{
			case AT_AddColumn:
				declare_column(shapes, version, table, castNode(ColumnDef, command->def));
				break;
			case AT_DropColumn:
				withdraw(shapes, SHAPE_COLUMN, table, command->name);
				withdraw(shapes, SHAPE_NOT_NULL, table, command->name);
				withdraw(shapes, SHAPE_DEFAULT, table, command->name);
				break;
			case AT_AlterColumnType:
			case AT_ColumnDefault:
			case AT_SetNotNull:
			case AT_DropNotNull:
				alter_column(shapes, version, table, command);
				break;
			case AT_AddConstraint:
				declare_constraint(shapes, version, table, castNode(Constraint, command->def));
				break;
			case AT_DropConstraint:
				withdraw(shapes, SHAPE_CONSTRAINT, table, command->name);
				break;
			case AT_EnableRowSecurity:
				declare(shapes, version, SHAPE_ROW_SECURITY, table, NULL);
				break;
			case AT_DisableRowSecurity:
				withdraw(shapes, SHAPE_ROW_SECURITY, table, NULL);
				break;
			case AT_EnableTrig:
				withdraw(shapes, SHAPE_TRIGGER_STATE, table, command->name);
				break;
			case AT_EnableAlwaysTrig:
				declare_trigger_state(shapes, version, table, command->name, TRIGGER_FIRES_ALWAYS);
				break;
			case AT_EnableReplicaTrig:
				declare_trigger_state(shapes, version, table, command->name,
									  TRIGGER_FIRES_ON_REPLICA);
				break;
			case AT_DisableTrig:
				declare_trigger_state(shapes, version, table, command->name, TRIGGER_DISABLED);
				break;
			default:
				break;
		}
	}
}

/* DROP names an object by a list of strings: schema, relation, object. */
static void
drop_object(List **shapes, ObjectType type, Node *object)
{
	List	   *names;

	if (!IsA(object, List))
		return;
	names = (List *) object;
	if (list_length(names) < 2 || strcmp(strVal(linitial(names)), PLATFORM_SCHEMA) != 0)
		return;
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
			withdraw_relation(shapes, strVal(lsecond(names)));
			break;
		case OBJECT_INDEX:
			withdraw_index(shapes, strVal(lsecond(names)));
			break;
		case OBJECT_TRIGGER:
			withdraw(shapes, SHAPE_TRIGGER, strVal(lsecond(names)), strVal(llast(names)));
			withdraw(shapes, SHAPE_TRIGGER_STATE, strVal(lsecond(names)), strVal(llast(names)));
			break;
		case OBJECT_POLICY:
			withdraw(shapes, SHAPE_POLICY, strVal(lsecond(names)), strVal(llast(names)));
			break;
		default:
			break;
	}
}

static bool
is_of_column(const Shape *shape)
{
	return shape->kind == SHAPE_COLUMN || shape->kind == SHAPE_NOT_NULL ||
		shape->kind == SHAPE_DEFAULT;
}

static void
rename_object(List *shapes, int version, RenameStmt *rename)
{
	ListCell   *cell;

	foreach(cell, shapes)
	{
		Shape	   *shape = lfirst(cell);
		const char *relation = rename->relation->relname;

		if (rename->renameType == OBJECT_INDEX)
		{
			if (shape->kind == SHAPE_INDEX && strcmp(shape->name, relation) == 0)
				shape->name = rename->newname;
			continue;
		}
		if (strcmp(shape->table, relation) != 0)
			continue;
		if (rename->renameType == OBJECT_TABLE || rename->renameType == OBJECT_VIEW)
			shape->table = rename->newname;
		else if (same_name(shape->name, rename->subname) &&
				 ((rename->renameType == OBJECT_COLUMN && is_of_column(shape)) ||
				  (rename->renameType == OBJECT_TABCONSTRAINT && shape->kind == SHAPE_CONSTRAINT) ||
				  (rename->renameType == OBJECT_POLICY && shape->kind == SHAPE_POLICY) ||
				  (rename->renameType == OBJECT_TRIGGER &&
				   (shape->kind == SHAPE_TRIGGER || shape->kind == SHAPE_TRIGGER_STATE))))
			shape->name = rename->newname;
		else
			continue;
		shape->version = version;
	}
}

static void
declare_index(List **shapes, int version, IndexStmt *index)
{
	if (index->idxname != NULL)
		declare(shapes, version, SHAPE_INDEX, index->relation->relname,
				index->idxname)->index = index;
}

static void
drop_objects(List **shapes, DropStmt *drop)
{
	ListCell   *cell;

	foreach(cell, drop->objects)
		drop_object(shapes, drop->removeType, lfirst(cell));
}

static void
declare_statement(List **shapes, int version, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CreateStmt:
			if (platform_is_own(((CreateStmt *) node)->relation))
				declare_table(shapes, version, (CreateStmt *) node);
			break;
		case T_IndexStmt:
			if (platform_is_own(((IndexStmt *) node)->relation))
				declare_index(shapes, version, (IndexStmt *) node);
			break;
		case T_CreateTrigStmt:
			if (platform_is_own(((CreateTrigStmt *) node)->relation))
				declare(shapes, version, SHAPE_TRIGGER,
						((CreateTrigStmt *) node)->relation->relname,
						((CreateTrigStmt *) node)->trigname);
			break;
		case T_CreatePolicyStmt:
			if (platform_is_own(((CreatePolicyStmt *) node)->table))
				declare(shapes, version, SHAPE_POLICY,
						((CreatePolicyStmt *) node)->table->relname,
						((CreatePolicyStmt *) node)->policy_name);
			break;
		case T_ViewStmt:
			if (platform_is_own(((ViewStmt *) node)->view))
				declare(shapes, version, SHAPE_VIEW,
						((ViewStmt *) node)->view->relname, NULL);
			break;
		case T_AlterTableStmt:
			if (platform_is_own(((AlterTableStmt *) node)->relation))
				alter_table(shapes, version, (AlterTableStmt *) node);
			break;
		case T_DropStmt:
			drop_objects(shapes, (DropStmt *) node);
			break;
		case T_RenameStmt:
			if (platform_is_own(((RenameStmt *) node)->relation))
				rename_object(*shapes, version, (RenameStmt *) node);
			break;
		default:
			break;
	}
}

bool
platform_statement_touches(Node *node, const Shape *shape)
{
	Shape	   *copy = palloc(sizeof(Shape));
	List	   *shapes = list_make1(copy);

	*copy = *shape;
	copy->version = 0;
	declare_statement(&shapes, 1, node);
	return !list_member_ptr(shapes, copy) || copy->version == 1;
}

List *
platform_declared_shapes(List *migrations)
{
	List	   *shapes = NIL;
	ListCell   *cell;

	foreach(cell, migrations)
	{
		Migration  *migration = lfirst(cell);
		ListCell   *statement;

		if (!migration->applied || migration->up == NULL)
			continue;
		foreach(statement, platform_parse_script(migration, migration->up))
			declare_statement(&shapes, migration->version,
							  ((Statement *) lfirst(statement))->node);
	}
	return shapes;
}
