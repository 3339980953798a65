/*
 * error.h
 *	  SQLSTATEs of the class PT, which PostgREST maps to HTTP statuses.
 *
 * PTxyz becomes HTTP xyz.  Errors that PostgreSQL already names (42501, 22023,
 * 23xxx) keep its codes.
 */
#ifndef PLATFORM_ERROR_H
#define PLATFORM_ERROR_H

#include "utils/elog.h"

#define ERRCODE_PLATFORM_INSUFFICIENT_FUNDS	MAKE_SQLSTATE('P', 'T', '4', '0', '2')
#define ERRCODE_PLATFORM_NOT_ENABLED		MAKE_SQLSTATE('P', 'T', '4', '0', '3')
#define ERRCODE_PLATFORM_NOT_FOUND			MAKE_SQLSTATE('P', 'T', '4', '0', '4')
#define ERRCODE_PLATFORM_WRONG_STATE		MAKE_SQLSTATE('P', 'T', '4', '0', '9')
#define ERRCODE_PLATFORM_EXPIRED			MAKE_SQLSTATE('P', 'T', '4', '1', '0')
#define ERRCODE_PLATFORM_RULE_VIOLATION		MAKE_SQLSTATE('P', 'T', '4', '2', '2')
#define ERRCODE_PLATFORM_LIMIT_REACHED		MAKE_SQLSTATE('P', 'T', '4', '2', '9')

#endif							/* PLATFORM_ERROR_H */
