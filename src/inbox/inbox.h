/*
 * inbox.h
 *	  Requests of providers: what the files of this module share.
 *
 *	payload.c	what a body says, as jsonb
 *	describe.c	which events a request has: their types, keys and numbers
 *	ingest.c	ingest_webhook()
 *	store.c		what is written of a request: key, bytes, events
 *	queue.c		rows while they are processed: what becomes of them
 *	claim.c		events for workers: claims, leases, completions
 *	handlers.c	functions that process events
 *	process.c	processing by them
 *	replay.c	once more: by hand, and when a number is assigned
 *	purge.c		what is deleted when its time is over
 */
#ifndef PLATFORM_INBOX_H
#define PLATFORM_INBOX_H

#include "utils/jsonb.h"

#include "core/account.h"
#include "core/crypto.h"
#include "core/module.h"
#include "core/phone.h"
#include "core/row.h"
#include "core/signature.h"

#define INBOX_HASH_SIZE		32
#define INBOX_RESULT_MAX	63
#define INBOX_TYPE_MAX		255

extern PlatformModule platform_inbox_module;

/* Once, from _PG_init. */
extern void platform_inbox_init(void);

/* A verified request. Texts of its headers are in UTF-8. */
typedef struct InboxRequest
{
	const char *source;
	PlatformSignatureScheme scheme;
	const Jsonb *headers;		/* NULL: none */
	PlatformBytes url;
	PlatformBytes body;
} InboxRequest;

/* One event of it; texts are in the database's encoding. */
typedef struct InboxEvent
{
	const char *event_type;
	const Jsonb *payload;		/* NULL: the body is neither JSON nor a form */
	const char *phone_number;	/* NULL: none */
	const char *agent;			/* NULL: none */
	const char *key;
	bool		by_content;		/* the provider gives no key: a hash of the event is it */
	uint8		fingerprint[INBOX_HASH_SIZE];
} InboxEvent;

/* The events; at least one. */
extern InboxEvent *platform_inbox_describe(const InboxRequest *request, int *count);

/* What the request says; NULL when it is neither JSON nor a form. */
extern Jsonb *platform_inbox_payload(const InboxRequest *request);

/* A member of an object; false when container is none, or has none. */
extern bool platform_inbox_member(const JsonbContainer *container, const char *name,
								  JsonbValue *value);

/* The same, an object or array; NULL when it is none. */
extern const JsonbContainer *platform_inbox_nested(const JsonbContainer *container,
												   const char *name);

/* The same, the text of a string or number; NULL when it is none. */
extern const char *platform_inbox_text(const JsonbContainer *container, const char *name);

/* ---- storing ---- */

/* A request of an account, and what of it is stored with every row. */
typedef struct InboxArrival
{
	const InboxRequest *request;
	const PlatformAccount *account;
	const bytea *body;
	const text *url;			/* NULL: none */
	pg_uuid_t	id;
	bool		stored;			/* the request itself */
	TimestampTz now;
	TimestampTz received_at;
} InboxArrival;

extern void platform_inbox_store_init(void);

#define INBOX_FOR_EVER	(-1)

/*
 * Takes the key for an event, for so many microseconds. False when another event has it:
 * then *id is its, and *same tells whether it is the same event.
 */
extern bool platform_inbox_take_key(const InboxArrival *arrival, const InboxEvent *event,
									int64 window, pg_uuid_t *id, bool *same);

/* Stores the event; first: of a conflict, the event that has the key (else NULL). */
extern void platform_inbox_store(InboxArrival *arrival, const InboxEvent *event,
								 const pg_uuid_t *id, const pg_uuid_t *first);

/* A row for what is not processed, while there are not too many; false when there are. */
extern bool platform_inbox_keep_refused(const InboxArrival *arrival, const pg_uuid_t *id,
										const char *event_type, const char *key,
										const char *status, const char *reason,
										const pg_uuid_t *first);

/* ---- processing ---- */

#define INBOX_UNKNOWN_NUMBER "unknown_number"

/* What a worker is given beside, and no handler. */
typedef enum InboxExtra
{
	INBOX_DUE_AT,
	INBOX_USER,
	INBOX_RECEIVED_AT,
	INBOX_HEADERS,
	INBOX_BODY,
	INBOX_EXTRAS
} InboxExtra;

/* An event that is being processed. What it holds lives until platform_query_end(). */
typedef struct InboxRow
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	const char *source;
	const char *event_type;
	const char *phone_number;	/* NULL: none */
	bool		locked;			/* by this transaction */
	bool		was_claimed;	/* by somebody whose lease ended */
	int			attempts;		/* those before */
	int			max_attempts;
	bool		may_be_noted;	/* in unknown_phone */
	Datum		payload;
	bool		no_payload;
	Datum		extras[INBOX_EXTRAS];
	bool		no_extras[INBOX_EXTRAS];
} InboxRow;

extern void platform_inbox_queue_init(void);

/* Opens the queue for writing rows; platform_row_close() in the same (sub)transaction. */
extern void platform_inbox_queue_open(PlatformRow *queue);

/* The sources that have something to process, now or later. */
extern List *platform_inbox_sources(void);

/*
 * What of a source may be processed now, at most count, locked, the longest due first.
 * Within platform_query_begin().
 */
extern InboxRow *platform_inbox_pick(const char *source, int count, bool with_extras, int *found);

typedef enum InboxAside
{
	INBOX_OPEN,					/* it may be processed */
	INBOX_HELD,
	INBOX_DEAD
} InboxAside;

/*
 * Puts aside what must not be processed: events of organizations that are switched
 * off wait, those that have used up their attempts are dead.
 */
extern InboxAside platform_inbox_put_aside(PlatformRow *queue, const InboxRow *row);

/* It is the worker's until then, by a new lease; false when it is gone. */
extern bool platform_inbox_claim(PlatformRow *queue, const InboxRow *row, const char *worker,
								 TimestampTz until, pg_uuid_t *lease);

/*
 * Finds the event with row->id and ->organization, and locks it if asked to; fills in the
 * rest and who claimed it. False unless it is still the lease's.
 */
extern bool platform_inbox_find_lease(PlatformRow *queue, InboxRow *row, const pg_uuid_t *lease,
									  bool lock, char **worker);

/* The lease of the event just locked ends then. */
extern void platform_inbox_extend(PlatformRow *queue, TimestampTz until);

/*
 * What came of an event after this many attempts: success, skipped or any word:
 * processed; failed: tried again after retry microseconds (-1: as usual), or dead;
 * dead; unknown_number: tried again as well, then it waits. Returns the status; NULL,
 * without effect, when somebody holds the row, which was not locked.
 */
extern const char *platform_inbox_finish(PlatformRow *queue, const InboxRow *row, int attempts,
										 const char *result, const char *error, int64 retry,
										 const char *by);

/* ---- handlers ---- */

#define INBOX_ANY_TYPE "*"

typedef struct InboxHandler
{
	char	   *source;
	char	   *event_type;
	char	   *function;		/* schema.function, quoted */

	/* found with the first event */
	Oid			owner;			/* InvalidOid: not yet */
	bool		returns_text;
	char	   *path;
	FmgrInfo	call;
} InboxHandler;

typedef struct InboxHandlerCall
{
	InboxHandler *handler;
	const InboxRow *row;
	const char *result;			/* what it answered */
} InboxHandlerCall;

/* All of them, in the order of their sources. Within platform_query_begin(). */
extern List *platform_inbox_handlers(void);

/* A PlatformTryBody: a change of user or settings is undone with its subtransaction. */
extern void platform_inbox_call(void *arg);

/* 22023 unless it is a result: 1 to 63 characters. */
extern char *platform_inbox_result(const text *result, const char *name);

#endif							/* PLATFORM_INBOX_H */
