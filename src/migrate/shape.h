/*
 * shape.h
 *	  What migrations leave behind: objects as their scripts declare them.
 *
 * Derived from the parse trees of the "up" parts, in order of version: a later
 * statement replaces or removes what an earlier one declared.  Only objects of
 * schema "platform" are seen; functions, rows and comments are not.
 */
#ifndef PLATFORM_SHAPE_H
#define PLATFORM_SHAPE_H

#include "migrate/migrate.h"

typedef enum ShapeKind
{
	SHAPE_TABLE,
	SHAPE_COLUMN,				/* and its type */
	SHAPE_NOT_NULL,				/* of a column */
	SHAPE_DEFAULT,				/* of a column */
	SHAPE_CONSTRAINT,
	SHAPE_INDEX,
	SHAPE_TRIGGER,
	SHAPE_TRIGGER_STATE,		/* of a trigger that is not simply enabled */
	SHAPE_POLICY,
	SHAPE_ROW_SECURITY,
	SHAPE_VIEW
} ShapeKind;

typedef struct Shape
{
	ShapeKind	kind;
	int			version;		/* of the migration that declares it last */
	const char *table;			/* the table or view */
	const char *name;			/* of the object in it; NULL for itself */

	TypeName   *type;			/* of a column */
	Constraint *constraint;
	IndexStmt  *index;
	char		enabled;		/* pg_trigger.tgenabled */
} Shape;

/* The objects that the applied migrations of the list declare. */
extern List *platform_declared_shapes(List *migrations);

/* Does a statement declare, change or drop the object? */
extern bool platform_statement_touches(Node *node, const Shape *shape);

/*
 * What is wrong with an object: NULL when it is there as declared, else a
 * phrase such as "column \"feature\" is missing".
 */
extern char *platform_shape_fault(const Shape *shape);

/* Column names of a key, as declared; NIL when it has expressions. */
extern List *platform_index_columns(const IndexStmt *index);

/* Has the index exactly these key columns, in order? */
extern bool platform_index_has_columns(Oid index, List *columns);

/* Does some full unique index enforce the key, under whatever name? */
extern bool platform_key_is_enforced(Oid relid, List *columns);

/* Is the object one of ours: schema "platform"? */
extern bool platform_is_own(const RangeVar *relation);

/* The column's declaration of one kind, or NULL. */
extern Constraint *platform_column_constraint(const ColumnDef *column, ConstrType type);

/* A copy of a column's constraint, in the form of one declared at the table. */
extern Constraint *platform_table_constraint(const ColumnDef *column, Constraint *constraint);

#endif							/* PLATFORM_SHAPE_H */
