/*
 * result.h
 *	  The row that a function with several OUT columns returns.
 */
#ifndef PLATFORM_RESULT_H
#define PLATFORM_RESULT_H

/* One value a column, in the order of the declaration. */
extern Datum platform_return_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

/*
 * The text of a constant, made once and told apart by its address; nobody frees or
 * changes it.
 */
extern Datum platform_constant_text(const char *constant);

#endif							/* PLATFORM_RESULT_H */
