/*
 * sender.h
 *	  What the files of the webhook sender share.
 *
 *	sender.c		settings, starting and stopping
 *	worker.c		the background worker's loop
 *	queue.c			its transactions: claim, complete, release
 *	requests.c		many HTTP requests at once
 *	curl.c			libcurl, loaded when it is wanted
 *
 * Without libcurl's header the library is built without PLATFORM_SENDER: then
 * only sender.c has something in it, and its functions say what is missing.
 */
#ifndef PLATFORM_SENDER_H
#define PLATFORM_SENDER_H

#include "lib/ilist.h"
#include "postmaster/bgworker.h"

/* Once, from _PG_init. */
extern void platform_sender_init(void);

/* Requests under way at once, at most: the setting, and what it cannot exceed. */
#define SENDER_REQUESTS_MAX		500
extern int	platform_sender_requests;

/* Milliseconds between two looks for work. */
extern int	platform_sender_poll;

#define SENDER_RESPONSE_MAX		2048
#define SENDER_RETRY_AFTER_MAX	128

/* How the worker's processes are called in pg_stat_activity. */
#define SENDER_NAME				"platform webhook sender"
#define SENDER_LAUNCHER_NAME	"platform webhook sender launcher"

/* What the worker is told when it is registered. */
typedef struct SenderStart
{
	Oid			database;
	Oid			owner;
} SenderStart;

/* One delivery on its way, and what came of it. */
typedef struct SenderRequest
{
	dlist_node	node;			/* in one of the lists: free, taken, under way, finished */
	MemoryContext memory;		/* of what follows, until the result is stored */
	pg_uuid_t	delivery;
	pg_uuid_t	lease;
	char	   *url;
	char	   *method;
	char	  **headers;		/* "name: value", the last one NULL */
	bytea	   *body;
	int			timeout_ms;
	TimestampTz lease_until;

	void	   *easy;			/* CURL; kept from one delivery to the next */
	void	   *header_list;	/* struct curl_slist */
	bool		refused;		/* an address was */
	bool		has_too_large_headers;
	size_t		header_bytes;
	size_t		body_bytes;

	int			http_status;	/* 0: no answer, and error says why */
	int			duration_ms;
	const char *error;
	char		retry_after[SENDER_RETRY_AFTER_MAX];	/* empty: none */
	int			response_length;
	char		response[SENDER_RESPONSE_MAX];
} SenderRequest;

#ifdef PLATFORM_SENDER

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/* curl.c: the functions of libcurl that are used, without their prefix. */
typedef struct SenderCurl
{
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_reset) *easy_reset;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_setopt) *multi_setopt;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_info_read) *multi_info_read;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_version) *version;
} SenderCurl;

extern SenderCurl platform_sender_curl;

/* Loads the library; NULL, or why it cannot be. */
extern const char *platform_sender_load_curl(void);

/* requests.c */

extern void platform_sender_requests_start(void);

/* One for a delivery that is being claimed; sent, or forgotten when the claim fails. */
extern SenderRequest *platform_sender_take(void);
extern void platform_sender_send(SenderRequest *request);
extern void platform_sender_forget_taken(void);

/* Does what can be done without waiting: some requests may be finished afterwards. */
extern void platform_sender_perform(void);

/* Waits until something can be done, so many milliseconds at most. */
extern void platform_sender_wait(int milliseconds);

/* Gives up all requests that are under way: they are put with those finished. */
extern void platform_sender_abort(void);

/* Its result is stored, or lost. */
extern void platform_sender_give_back(SenderRequest *request);

/* How many more may be taken; how many are under way, finished. */
extern int	platform_sender_count_free(void);
extern int	platform_sender_count_under_way(void);
extern int	platform_sender_count_finished(void);

/* Up to limit of those finished, the oldest first. */
extern int	platform_sender_finished(SenderRequest **requests, int limit);

/* queue.c: each a transaction; errors are the caller's. */

/* Is there a queue, of a version that this library knows? */
extern bool platform_sender_queue_exists(void);

/* Takes up to limit deliveries, and begins to send them; returns how many. */
extern int	platform_sender_claim(int limit, Size *bytes);
extern void platform_sender_complete(SenderRequest **requests, int count);
extern int	platform_sender_release(SenderRequest **requests, int count);

/* worker.c: what the background workers run. */
pg_noreturn extern PGDLLEXPORT void platform_sender_main(Datum argument);
pg_noreturn extern PGDLLEXPORT void platform_sender_launcher_main(Datum argument);

#endif							/* PLATFORM_SENDER */

/* sender.c: registers the worker of this database, which runs as that role. */
extern bool platform_sender_register(Oid owner, pid_t notify, BackgroundWorkerHandle **handle);

#endif							/* PLATFORM_SENDER_H */
