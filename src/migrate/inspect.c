/*
 * inspect.c
 *	  Is a declared object there, and as it was declared?
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "commands/policy.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/module.h"
#include "migrate/shape.h"

static char *
relation_fault(const Shape *shape, Oid relid)
{
	bool		is_view = shape->kind == SHAPE_VIEW;
	char		kind;

	if (!OidIsValid(relid))
		return psprintf("%s is missing", is_view ? "view" : "table");
	kind = get_rel_relkind(relid);
	if (is_view ? kind == RELKIND_VIEW || kind == RELKIND_MATVIEW :
		kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE)
		return NULL;
	return psprintf("relation is not a %s", is_view ? "view" : "table");
}

static char *
column_fault(const Shape *shape, Oid relid)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, shape->name);
	Form_pg_attribute attribute;
	Oid			type;
	int32		typmod;
	char	   *fault = NULL;

	if (!HeapTupleIsValid(tuple))
		return psprintf("column \"%s\" is missing", shape->name);
	attribute = (Form_pg_attribute) GETSTRUCT(tuple);
	if (shape->kind == SHAPE_COLUMN)
	{
		typenameTypeIdAndMod(NULL, shape->type, &type, &typmod);
		if (attribute->atttypid != type || attribute->atttypmod != typmod)
			fault = psprintf("column \"%s\" has type %s, not %s", shape->name,
							 format_type_with_typemod(attribute->atttypid, attribute->atttypmod),
							 format_type_with_typemod(type, typmod));
	}
	else if (shape->kind == SHAPE_NOT_NULL && !attribute->attnotnull)
		fault = psprintf("column \"%s\" accepts nulls", shape->name);
	else if (shape->kind == SHAPE_DEFAULT && !attribute->atthasdef)
		fault = psprintf("column \"%s\" has no default", shape->name);
	ReleaseSysCache(tuple);
	return fault;
}

List *
platform_index_columns(const IndexStmt *index)
{
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, index->indexParams)
	{
		IndexElem  *element = lfirst_node(IndexElem, cell);

		if (element->name == NULL)
			return NIL;
		columns = lappend(columns, makeString(element->name));
	}
	return columns;
}

bool
platform_index_has_columns(Oid index, List *columns)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		same;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	same = form->indnkeyatts == list_length(columns);
	for (int i = 0; same && i < form->indnkeyatts; i++)
		same = form->indkey.values[i] != 0 &&
			form->indkey.values[i] == get_attnum(form->indrelid, strVal(list_nth(columns, i)));
	ReleaseSysCache(tuple);
	return same;
}

/* Is the index on the table, complete, and unique where it must be? */
static bool
index_is_usable(Oid index, Oid relid, bool unique)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		usable;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	usable = form->indrelid == relid && form->indisvalid && form->indisready &&
		(!unique || form->indisunique);
	ReleaseSysCache(tuple);
	return usable;
}

bool
platform_key_is_enforced(Oid relid, List *columns)
{
	Relation	relation = table_open(relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(relation);
	bool		enforced = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Oid			index = lfirst_oid(cell);
		HeapTuple	tuple;

		if (!index_is_usable(index, relid, true) || !platform_index_has_columns(index, columns))
			continue;
		tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
		if (HeapTupleIsValid(tuple))
		{
			enforced = heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
			ReleaseSysCache(tuple);
		}
		if (enforced)
			break;
	}
	table_close(relation, AccessShareLock);
	return enforced;
}

static char *
constraint_fault(const Shape *shape, Oid relid)
{
	const Constraint *constraint = shape->constraint;
	Oid			oid;
	HeapTuple	tuple;
	bool		validated;

	if (constraint->keys != NIL &&
		(constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE))
		return platform_key_is_enforced(relid, constraint->keys) ? NULL :
			psprintf("key \"%s\" is missing", shape->name);

	oid = get_relation_constraint_oid(relid, shape->name, true);
	if (!OidIsValid(oid))
		return psprintf("constraint \"%s\" is missing", shape->name);
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", oid);
	validated = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	ReleaseSysCache(tuple);
	if (!validated && !constraint->skip_validation)
		return psprintf("constraint \"%s\" is not validated", shape->name);
	return NULL;
}

static char *
index_fault(const Shape *shape, Oid relid)
{
	Oid			index = platform_relation_oid(shape->name, true);
	List	   *columns = platform_index_columns(shape->index);

	if (!OidIsValid(index))
		return psprintf("index \"%s\" is missing", shape->name);
	if (!index_is_usable(index, relid, shape->index->unique))
		return psprintf("index \"%s\" is invalid, not unique, or on another table", shape->name);
	if (columns != NIL && !platform_index_has_columns(index, columns))
		return psprintf("index \"%s\" has other columns", shape->name);
	return NULL;
}

/* pg_trigger.tgenabled, or a null byte when there is no such trigger. */
static char
trigger_state(Oid relid, const char *name)
{
	Relation	relation = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = relation->trigdesc;
	char		state = '\0';

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (strcmp(triggers->triggers[i].tgname, name) == 0)
			state = triggers->triggers[i].tgenabled;
	}
	table_close(relation, AccessShareLock);
	return state;
}

static char *
trigger_fault(const Shape *shape, Oid relid)
{
	char		state = trigger_state(relid, shape->name);

	if (shape->kind == SHAPE_TRIGGER_STATE)
		return state == shape->enabled ? NULL :
			psprintf("trigger \"%s\" is not enabled as declared", shape->name);
	if (state == '\0')
		return psprintf("trigger \"%s\" is missing", shape->name);
	if (state == TRIGGER_DISABLED)
		return psprintf("trigger \"%s\" is disabled", shape->name);
	return NULL;
}

static char *
policy_fault(const Shape *shape, Oid relid)
{
	return OidIsValid(get_relation_policy_oid(relid, shape->name, true)) ? NULL :
		psprintf("policy \"%s\" is missing", shape->name);
}

static char *
row_security_fault(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		enabled;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
	ReleaseSysCache(tuple);
	return enabled ? NULL : pstrdup("row security is disabled");
}

char *
platform_shape_fault(const Shape *shape)
{
	Oid			relid = platform_relation_oid(shape->table, true);

	if (shape->kind == SHAPE_TABLE || shape->kind == SHAPE_VIEW)
		return relation_fault(shape, relid);

	/* On what is not there, nothing else is looked for. */
	if (!OidIsValid(relid))
		return psprintf("table is missing");
	switch (shape->kind)
	{
		case SHAPE_COLUMN:
		case SHAPE_NOT_NULL:
		case SHAPE_DEFAULT:
			return column_fault(shape, relid);
		case SHAPE_CONSTRAINT:
			return constraint_fault(shape, relid);
		case SHAPE_INDEX:
			return index_fault(shape, relid);
		case SHAPE_TRIGGER:
		case SHAPE_TRIGGER_STATE:
			return trigger_fault(shape, relid);
		case SHAPE_POLICY:
			return policy_fault(shape, relid);
		default:
			return row_security_fault(relid);
	}
}
