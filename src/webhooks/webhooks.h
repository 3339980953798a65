/*
 * webhooks.h
 *	  What the files of this module share.
 *
 *	emit.c			events from SQL
 *	match.c			which events a subscription asks for
 *	fanout.c		from events to deliveries
 *	claim.c			which deliveries a worker gets
 *	endpoint.c		what a claim does with one endpoint
 *	request.c		a delivery as a signed HTTP request
 *	delivery.c		rows of deliveries, past the executor
 *	receiver.c		rows of subscriptions and endpoints, likewise
 *	complete.c		what became of deliveries
 *	health.c		how endpoints do: circuit breaker, alerts
 *	attempt.c		the log of attempts
 *	schedule.c		when the next attempt is
 *	trigger.c		the triggers of webhook_subscriptions
 *	subscriptions.c	subscriptions from SQL: their secrets, pausing
 *	manage.c		what people do with deliveries
 *	purge.c			what is deleted when its time is over
 *	arrays.c		arrays as arguments of queries
 *
 * Locks are taken in this order: fan-out, endpoints by subscription id,
 * deliveries. Whoever makes a delivery pending, or moves its time, holds the
 * endpoint's row: so nothing gets lost between "is anything left?" and "then it
 * is not due". Completing a delivery of a healthy endpoint needs no such lock.
 */
#ifndef PLATFORM_WEBHOOKS_H
#define PLATFORM_WEBHOOKS_H

#include "core/module.h"
#include "utils/array.h"
#include "utils/jsonb.h"

extern PlatformModule platform_webhooks_module;

/* Once, from _PG_init. */
extern void platform_webhooks_init(void);

#define WEBHOOK_SECRET_PURPOSE	"webhook_subscriptions.secret"

/* Deliveries in one call of claim or complete, at most. */
#define WEBHOOK_BATCH_MAX	1000

/* emit.c */

/* PT404 unless there is such an organization. In a query. */
extern void platform_webhook_require_organization(const pg_uuid_t *organization);

/* match.c */

/* A type, "*", or a family: "call.*". */
extern bool platform_webhook_pattern_is_valid(const char *pattern, size_t length);
extern bool platform_webhook_pattern_matches(const char *pattern, size_t pattern_length,
											 const char *type, size_t type_length);

/* claim.c */

/* Once, from _PG_init. */
extern void platform_webhook_claim_init(void);

/* fanout.c */

typedef enum WebhookFanout
{
	FANOUT_NOTHING,				/* there was nothing new, or somebody else is doing it */
	FANOUT_MADE,				/* deliveries were made; their endpoints are locked */
	FANOUT_MORE					/* nobody asked for these events; there may be more */
} WebhookFanout;

/* Makes deliveries of new events, at most so many. In a query. */
extern WebhookFanout platform_webhook_fan_out(int limit);

/*
 * A snapshot of now, as text, to which this transaction is in progress: what it
 * does not see happens from now on. In a query.
 */
extern char *platform_webhook_current_snapshot(void);

/* Are there events of which no deliveries were made yet? In a query. */
extern bool platform_webhook_has_new_events(void);

/* Makes the deliveries of one event at once; fan-out finds them there later. */
extern void platform_webhook_deliver_event(const pg_uuid_t *id, const pg_uuid_t *organization,
										   const char *type);

/*
 * Locks subscriptions' endpoints and makes them due; ids in ascending order. Returns
 * the time to give to deliveries that are to be due at once. In a query.
 */
extern TimestampTz platform_webhook_make_due(const pg_uuid_t *subscriptions,
											 const pg_uuid_t *organizations, int count);

/* purge.c */

/* Once, from _PG_init. */
extern void platform_webhook_purge_init(void);

/* request.c */

/* How requests to one subscription are made; secrets are to be wiped. */
typedef struct WebhookReceiver
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	char	   *url;
	int			scheme;
	Jsonb	   *headers;
	int			nsecrets;
	struct PlatformPlaintext *secrets;
} WebhookReceiver;

/* An event as it is sent. */
typedef struct WebhookMessage
{
	const pg_uuid_t *event_id;
	const char *type;
	TimestampTz occurred_at;
	Jsonb	   *payload;
} WebhookMessage;

extern char *platform_webhook_body(const WebhookMessage *message, size_t *length);
extern Jsonb *platform_webhook_headers(const WebhookReceiver *receiver,
									   const WebhookMessage *message, const char *body,
									   size_t length, TimestampTz now);
extern void platform_webhook_forget(WebhookReceiver *receiver);

/* Headers that a subscription cannot set. */
extern bool platform_webhook_header_is_reserved(const char *name, size_t length);

/* schedule.c */

typedef struct WebhookSchedule
{
	bool		fixed;
	int			count;			/* of seconds; 0: that of Standard Webhooks */
	const int32 *seconds;
} WebhookSchedule;

/* Microseconds to wait after so many attempts, without jitter. */
extern int64 platform_webhook_delay(const WebhookSchedule *schedule, int attempts);

/* The same, more or less: within a fifth. */
extern int64 platform_webhook_jitter(int64 delay);

/* Microseconds that a Retry-After asks for (RFC 9110, section 10.2.3); -1: it is none. */
extern int64 platform_webhook_retry_after(const char *value, TimestampTz now);

/* arrays.c */

extern Datum platform_uuid_array(const pg_uuid_t *ids, int count);
extern Datum platform_text_array(char *const *texts, int count);
extern Datum platform_int4_array(const int32 *values, const bool *nulls, int count);
extern Datum platform_timestamptz_array(const TimestampTz *values, const bool *nulls, int count);

/* For qsort(). */
extern int	platform_compare_uuids(const void *a, const void *b);

#endif							/* PLATFORM_WEBHOOKS_H */
