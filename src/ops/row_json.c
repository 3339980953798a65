/*
 * row_json.c
 *	  A row as jsonb, as to_jsonb() makes it, without its general machinery.
 *
 * The members of an object in jsonb are sorted; the columns of a table always
 * sort the same, so that is done once. Frequent types are converted here, every
 * other one by to_jsonb() itself, so that the result is always equal to it.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "ops/ops.h"

#define MASK "***"

typedef struct RowColumn
{
	AttrNumber	attnum;
	char	   *name;
	int			name_length;
	Oid			type;			/* base type when it is converted here, else InvalidOid */
	bool		secret;
	FmgrInfo	to_jsonb;		/* of other types */
	int			next_moment;
	struct
	{
		bool		is_known;
		TimestampTz at;
		char		text[MAXDATELEN + 1];
	}			moments[2];		/* written last: many rows have the same, before and after */
} RowColumn;

struct RowJson
{
	int			ncolumns;
	RowColumn  *columns;		/* in the order of jsonb: by length of name, then by bytes */
	JsonbPair  *pairs;			/* room for one row */
};

static int
compare_columns(const void *a, const void *b, void *arg)
{
	TupleDesc	tupdesc = arg;
	const char *x = NameStr(TupleDescAttr(tupdesc, ((const RowColumn *) a)->attnum - 1)->attname);
	const char *y = NameStr(TupleDescAttr(tupdesc, ((const RowColumn *) b)->attnum - 1)->attname);
	int			x_length = strlen(x);
	int			y_length = strlen(y);

	if (x_length != y_length)
		return x_length - y_length;
	return memcmp(x, y, x_length);
}

static bool
converted_here(Oid type)
{
	return type == BOOLOID || type == INT2OID || type == INT4OID || type == INT8OID ||
		type == NUMERICOID || type == TEXTOID || type == VARCHAROID || type == UUIDOID ||
		type == TIMESTAMPTZOID || type == JSONBOID;
}

static void
make_column(RowColumn *column, Form_pg_attribute attribute)
{
	Oid			type = getBaseType(attribute->atttypid);

	column->attnum = attribute->attnum;
	column->secret = false;
	if (converted_here(type))
		column->type = type;
	else
	{
		Expr	   *argument = (Expr *) makeVar(1, attribute->attnum, attribute->atttypid,
												attribute->atttypmod, attribute->attcollation, 0);

		/* to_jsonb() asks its call expression what type it is given. */
		column->type = InvalidOid;
		fmgr_info(F_TO_JSONB, &column->to_jsonb);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument),
												 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
						   &column->to_jsonb);
	}
}

/* A secret column that is missing may have been renamed: better no row than a secret told. */
static void
require_columns(Relation relation, char *const *names, int nnames)
{
	for (int i = 0; i < nnames; i++)
		if (get_attnum(RelationGetRelid(relation), names[i]) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist",
							names[i], RelationGetRelationName(relation)),
					 errdetail("The table's audit trigger is to mask it.")));
}

RowJson *
platform_row_json_make(Relation relation, char *const *secrets, int nsecrets)
{
	TupleDesc	tupdesc = RelationGetDescr(relation);
	RowJson    *rows = palloc0(sizeof(RowJson));

	require_columns(relation, secrets, nsecrets);
	rows->columns = palloc0(tupdesc->natts * sizeof(RowColumn));
	rows->pairs = palloc0(tupdesc->natts * sizeof(JsonbPair));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped)
			make_column(&rows->columns[rows->ncolumns++], attribute);
	}
	qsort_arg(rows->columns, rows->ncolumns, sizeof(RowColumn), compare_columns, tupdesc);

	for (int i = 0; i < rows->ncolumns; i++)
	{
		RowColumn  *column = &rows->columns[i];

		column->name = pstrdup(NameStr(TupleDescAttr(tupdesc, column->attnum - 1)->attname));
		column->name_length = strlen(column->name);
		for (int s = 0; s < nsecrets; s++)
			if (strcmp(secrets[s], column->name) == 0)
				column->secret = true;
	}
	return rows;
}

static void
string_value(JsonbValue *value, char *string, int length)
{
	value->type = jbvString;
	value->val.string.val = string;
	value->val.string.len = length;
}

/* The tree of a stored document: a member must not be a stored one itself. */
static void
document_value(JsonbValue *value, Jsonb *document)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbParseState *state = NULL;
	JsonbValue	item;
	JsonbValue *tree = NULL;

	if (JB_ROOT_IS_SCALAR(document))
	{
		(void) JsonbExtractScalar(&document->root, value);
		return;
	}
	iterator = JsonbIteratorInit(&document->root);
	while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE)
		tree = pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY ? &item : NULL);
	*value = *tree;
}

static void
numeric_value(JsonbValue *value, Numeric numeric)
{
	if (numeric_is_nan(numeric) || numeric_is_inf(numeric))
	{
		char	   *string = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(numeric)));

		string_value(value, string, strlen(string));
		return;
	}
	value->type = jbvNumeric;
	value->val.numeric = numeric;
}

/* The time zone is the statement's, as is the column. */
static void
time_value(RowColumn *column, JsonbValue *value, TimestampTz at)
{
	int			i = 0;

	while (i < lengthof(column->moments) && !(column->moments[i].is_known && column->moments[i].at == at))
		i++;
	if (i == lengthof(column->moments))
	{
		i = column->next_moment;
		column->next_moment = (i + 1) % lengthof(column->moments);
		JsonEncodeDateTime(column->moments[i].text, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL);
		column->moments[i].at = at;
		column->moments[i].is_known = true;
	}
	string_value(value, column->moments[i].text, strlen(column->moments[i].text));
}

static void
text_value(JsonbValue *value, text *string)
{
	string_value(value, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
}

static void
convert_value(RowColumn *column, Datum datum, JsonbValue *value)
{
	switch (column->type)
	{
		case BOOLOID:
			value->type = jbvBool;
			value->val.boolean = DatumGetBool(datum);
			break;
		case INT2OID:
			numeric_value(value, int64_to_numeric(DatumGetInt16(datum)));
			break;
		case INT4OID:
			numeric_value(value, int64_to_numeric(DatumGetInt32(datum)));
			break;
		case INT8OID:
			numeric_value(value, int64_to_numeric(DatumGetInt64(datum)));
			break;
		case NUMERICOID:
			numeric_value(value, DatumGetNumeric(datum));
			break;
		case TEXTOID:
		case VARCHAROID:
			text_value(value, DatumGetTextPP(datum));
			break;
		case UUIDOID:
			string_value(value, DatumGetCString(DirectFunctionCall1(uuid_out, datum)), 36);
			break;
		case TIMESTAMPTZOID:
			time_value(column, value, DatumGetTimestampTz(datum));
			break;
		case JSONBOID:
			document_value(value, DatumGetJsonbP(datum));
			break;
		default:
			document_value(value, DatumGetJsonbP(FunctionCall1(&column->to_jsonb, datum)));
			break;
	}
}

Jsonb *
platform_row_json(RowJson *rows, const Datum *values, const bool *isnull, const bool *left_out)
{
	JsonbValue	object = {.type = jbvObject};
	int			count = 0;

	for (int i = 0; i < rows->ncolumns; i++)
	{
		RowColumn  *column = &rows->columns[i];
		JsonbPair  *pair = &rows->pairs[count];
		int			a = column->attnum - 1;

		if (left_out != NULL && left_out[a])
			continue;
		string_value(&pair->key, column->name, column->name_length);
		if (isnull[a])
			pair->value.type = jbvNull;
		else if (column->secret)
			string_value(&pair->value, MASK, strlen(MASK));
		else
			convert_value(column, values[a], &pair->value);
		count++;
	}
	object.val.object.nPairs = count;
	object.val.object.pairs = rows->pairs;
	return JsonbValueToJsonb(&object);
}

bool
platform_row_same_value(Form_pg_attribute attribute, Datum a, Datum b)
{
	if (attribute->attbyval)
		return a == b;
	if (attribute->attlen == -1)
	{
		struct varlena *x = (struct varlena *) DatumGetPointer(a);
		struct varlena *y = (struct varlena *) DatumGetPointer(b);
		Size		size = VARSIZE_ANY(x);

		/* As stored; a value kept outside is the same when its address is. */
		if (size == VARSIZE_ANY(y) && memcmp(x, y, size) == 0)
			return true;
		if (!VARATT_IS_EXTENDED(x) && !VARATT_IS_EXTENDED(y))
			return false;
	}
	return datum_image_eq(a, b, attribute->attbyval, attribute->attlen);
}
