/*
 * events.h
 *	  What webhooks are told of calls, recordings and transcripts.
 */
#ifndef PLATFORM_CALLS_EVENTS_H
#define PLATFORM_CALLS_EVENTS_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "calls/status.h"

#define CALL_EVENT_COLUMNS	19

/* A row of calls as it is written. */
typedef struct CallEventRow
{
	const pg_uuid_t *organization;
	TupleDesc	desc;
	HeapTuple	row;
	const AttrNumber *attnums;	/* of platform_call_event_columns() */
} CallEventRow;

/* Where the row has what payloads tell. */
extern void platform_call_event_columns(TupleDesc desc, AttrNumber *attnums);

/* call.started, call.answered, call.completed, call.failed. */
extern void platform_call_emit_status(const CallEventRow *call, CallStatus from, CallStatus to);

/* call.disposition_set. */
extern void platform_call_emit_disposition(const CallEventRow *call);

/* An event for each row of the last query, whose payload is that column, a jsonb. */
extern void platform_call_emit_rows(const pg_uuid_t *organization, const char *type,
									uint64 count, int column);

#endif							/* PLATFORM_CALLS_EVENTS_H */
