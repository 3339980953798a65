/*
 * adopt_constraints.c
 *	  The constraints of a table that is adopted: see adopt.c.
 *
 * A constraint's name is ours: one of that name that says something else is
 * replaced.  A key that other tables refer to stays, and ours is added beside
 * it.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "core/try.h"
#include "migrate/adopt.h"
#include "migrate/shape.h"

static void
add_constraint(const Adoption *adoption, Constraint *constraint)
{
	platform_adopt_alter(adoption, AT_AddConstraint, NULL, (Node *) copyObject(constraint));
}

typedef struct DropAttempt
{
	const Adoption *adoption;
	const char *name;
} DropAttempt;

static void
drop_body(void *arg)
{
	DropAttempt *attempt = arg;

	platform_adopt_alter(attempt->adoption, AT_DropConstraint, attempt->name, NULL);
}

/* Drops a constraint unless something depends on it; true when it is gone. */
static bool
drop_constraint(const Adoption *adoption, const char *name)
{
	DropAttempt attempt = {adoption, name};
	ErrorData  *error = platform_try(drop_body, &attempt);

	if (error != NULL && error->sqlerrcode != ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST)
		ReThrowError(error);
	return error == NULL;
}

/* The expression of a declared CHECK, as the server would print it. */
static char *
declared_check(const Adoption *adoption, Constraint *constraint)
{
	ParseState *pstate = make_parsestate(NULL);
	Relation	relation = table_open(adoption->relid, NoLock);
	ParseNamespaceItem *item;
	Node	   *expression;

	pstate->p_sourcetext = adoption->script;
	item = addRangeTableEntryForRelation(pstate, relation, AccessShareLock, NULL, false, true);
	addNSItemToQuery(pstate, item, true, true, true);
	expression = transformExpr(pstate, copyObject(constraint->raw_expr),
							   EXPR_KIND_CHECK_CONSTRAINT);
	expression = coerce_to_boolean(pstate, expression, "CHECK");
	assign_expr_collations(pstate, expression);
	free_parsestate(pstate);
	table_close(relation, NoLock);
	return deparse_expression(expression,
							  deparse_context_for(adoption->table, adoption->relid),
							  false, false);
}

static char *
found_check(const Adoption *adoption, HeapTuple tuple)
{
	bool		isnull;
	Datum		source = SysCacheGetAttr(CONSTROID, tuple, Anum_pg_constraint_conbin, &isnull);

	if (isnull)
		return pstrdup("");
	return deparse_expression(stringToNode(TextDatumGetCString(source)),
							  deparse_context_for(adoption->table, adoption->relid),
							  false, false);
}

/* Does a constraint of the declared name say what is declared? */
static bool
constraint_agrees(const Adoption *adoption, Constraint *constraint, Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	Form_pg_constraint found;
	bool		agrees = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", oid);
	found = (Form_pg_constraint) GETSTRUCT(tuple);
	if (constraint->contype == CONSTR_CHECK)
		agrees = found->contype == CONSTRAINT_CHECK && found->convalidated &&
			strcmp(found_check(adoption, tuple), declared_check(adoption, constraint)) == 0;
	else if (constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE)
		agrees = found->contype == (constraint->contype == CONSTR_PRIMARY ?
									CONSTRAINT_PRIMARY : CONSTRAINT_UNIQUE) &&
			platform_index_has_columns(found->conindid, constraint->keys);
	ReleaseSysCache(tuple);
	return agrees;
}

/* The name of the table's primary key, or NULL. */
static const char *
primary_key_name(const Adoption *adoption)
{
	Oid			oid = InvalidOid;

	(void) get_primary_key_attnos(adoption->relid, true, &oid);
	return OidIsValid(oid) ? get_constraint_name(oid) : NULL;
}

/* A key beside another that must stay: unique, with a name of the server's. */
static void
add_key_beside(const Adoption *adoption, Constraint *constraint)
{
	Constraint *key = copyObject(constraint);

	key->contype = CONSTR_UNIQUE;
	key->conname = NULL;
	add_constraint(adoption, key);
}

static void
adopt_key(const Adoption *adoption, Constraint *constraint, Oid found)
{
	const char *in_the_way = OidIsValid(found) ? constraint->conname : NULL;

	if (constraint->contype == CONSTR_PRIMARY)
		in_the_way = primary_key_name(adoption);
	if (platform_key_is_enforced(adoption->relid, constraint->keys))
		return;
	if (in_the_way == NULL || drop_constraint(adoption, in_the_way))
		add_constraint(adoption, constraint);
	else
		add_key_beside(adoption, constraint);
}

static void
adopt_constraint(const Adoption *adoption, Constraint *constraint)
{
	Oid			found;

	if (constraint->conname == NULL)
		return;
	found = get_relation_constraint_oid(adoption->relid, constraint->conname, true);
	if (OidIsValid(found) && constraint_agrees(adoption, constraint, found))
		return;
	if (constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE)
	{
		adopt_key(adoption, constraint, found);
		return;
	}
	if (OidIsValid(found))
		platform_adopt_alter(adoption, AT_DropConstraint, constraint->conname, NULL);
	add_constraint(adoption, constraint);
}

void
platform_adopt_constraints(const Adoption *adoption)
{
	ListCell   *cell;

	foreach(cell, adoption->create->tableElts)
	{
		Node	   *element = lfirst(cell);

		if (IsA(element, Constraint))
			adopt_constraint(adoption, (Constraint *) element);
		else if (IsA(element, ColumnDef))
		{
			ListCell   *own;

			foreach(own, ((ColumnDef *) element)->constraints)
			{
				Constraint *constraint = lfirst_node(Constraint, own);

				if (constraint->contype != CONSTR_NOTNULL)
					adopt_constraint(adoption, platform_table_constraint((ColumnDef *) element,
																		 constraint));
			}
		}
	}
}
