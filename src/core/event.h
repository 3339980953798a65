/*
 * event.h
 *	  Events for webhooks: one row in platform.webhook_events, in the caller's
 *	  transaction.
 *
 *		PlatformEvent event = {.organization = organization, .type = "call.completed",
 *		.payload = payload};
 *
 *		platform_event_emit(&event, NULL);
 *
 * It costs about a plain INSERT: the row is appended past the executor, nothing
 * is looked up about receivers, and no row is touched that another transaction
 * could hold. Workers find the event once the transaction has committed; rolled
 * back, there was none.
 *
 * It does nothing when module webhooks is not installed. Rights are not asked
 * for, nor whether the organization exists: that is the caller's to do.
 */
#ifndef PLATFORM_EVENT_H
#define PLATFORM_EVENT_H

#include "utils/jsonb.h"

#define PLATFORM_EVENT_TYPE_MAX	256
#define PLATFORM_EVENT_KEY_MAX	255

typedef struct PlatformEvent
{
	const pg_uuid_t *organization;
	const char *type;			/* parts of a-z, 0-9 and _, separated by full stops */
	const Jsonb *payload;		/* NULL: {} */
	const char *idempotency_key;	/* NULL: none */
	TimestampTz occurred_at;	/* 0: now */
} PlatformEvent;

typedef struct PlatformEventAnswer
{
	pg_uuid_t	id;				/* the webhook-id of all its deliveries */
	bool		duplicate;		/* there was one with that key: the id is its */
} PlatformEventAnswer;

/*
 * Called with each new event when the setting platform.webhook_fanout is sync:
 * module webhooks makes its deliveries in the same transaction.
 */
typedef void (*PlatformEventHook) (const PlatformEvent *event, const pg_uuid_t *id);

extern PlatformEventHook platform_event_hook;

/* Once, from _PG_init. */
extern void platform_event_init(void);

/* Is module webhooks installed? Worth asking before a payload is built. */
extern bool platform_event_is_installed(void);

/*
 * Writes the event; false, without effect, when module webhooks is not installed.
 * Errors: 22023 malformed type or key; PT409 the key came with another type or
 * payload; 25006 in a read-only transaction.
 */
extern bool platform_event_emit(const PlatformEvent *event, PlatformEventAnswer *answer);

/* Has it the form of a type? */
extern bool platform_event_type_is_valid(const char *type, size_t length);

/* 22023 unless it has. */
extern void platform_require_event_type(const char *type, size_t length);

/* The moment an event was written, from its id: its created_at. */
extern TimestampTz platform_event_time(const pg_uuid_t *id);

#endif							/* PLATFORM_EVENT_H */
