/*
 * result.h
 *	  The row that a function with several OUT columns returns.
 */
#ifndef PLATFORM_RESULT_H
#define PLATFORM_RESULT_H

/* One value a column, in the order of the declaration. */
extern Datum platform_return_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

#endif							/* PLATFORM_RESULT_H */
