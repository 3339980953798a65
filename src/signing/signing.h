/*
 * signing.h
 *	  Arguments and results that the functions of this module share.
 */
#ifndef PLATFORM_SIGNING_H
#define PLATFORM_SIGNING_H

#include "core/signature.h"

/* The elements of an argument of type text[]; none when it is null. */
extern int	platform_signing_texts(FunctionCallInfo fcinfo, int number, PlatformBytes **texts);

/* A timestamptz argument; the clock when it is null. */
extern TimestampTz platform_signing_moment(FunctionCallInfo fcinfo, int number);

/* A text of bytes in UTF-8. */
extern Datum platform_signing_make_text(const PlatformBytes *utf8);

/* The row (ok boolean, reason text, matched_key integer). */
extern Datum platform_signing_answer(FunctionCallInfo fcinfo, PlatformSignatureVerdict verdict,
									 int matched);

#endif							/* PLATFORM_SIGNING_H */
