/*
 * requests.c
 *	  Many HTTP requests at once, by libcurl's multi interface.
 *
 * What libcurl calls back neither allocates memory of the server's nor raises an
 * error, for that would jump over its frames. Names are resolved by threads of
 * its own: signals are blocked while it may start one, so that none of the
 * server's handlers ever runs in a thread.
 *
 * A connection is made only to an address that webhooks may be sent to, after the
 * name has been resolved: what a name pointed to when the subscription was made
 * says nothing. Redirects are not followed, proxies of the environment not used.
 * Of an answer SENDER_RESPONSE_MAX bytes are kept, and what goes beyond ANSWER_MAX
 * is not read: its status counts.
 */
#include "core/platform.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libpq/pqsignal.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "core/url.h"
#include "sender/sender.h"

#ifdef PLATFORM_SENDER

#define ANSWER_MAX		(64 * 1024)
#define HEADERS_MAX		(64 * 1024)
#define CONNECT_MS		10000
#define RECEIVE_BUFFER	4096L
#define SEND_BUFFER		16384L

#define curl platform_sender_curl

static CURLM *multi;
static SenderRequest *slots;
static dlist_head free_requests = DLIST_STATIC_INIT(free_requests);
static dlist_head taken = DLIST_STATIC_INIT(taken);
static dlist_head under_way = DLIST_STATIC_INIT(under_way);
static dlist_head finished = DLIST_STATIC_INIT(finished);
static int	nunder_way = 0;
static int	nfinished = 0;

/* ---- what libcurl calls ---- */

static curl_socket_t
open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	SenderRequest *request = data;
	curl_socket_t result;

	if (!platform_address_is_allowed(&address->addr))
	{
		request->refused = true;
		return CURL_SOCKET_BAD;
	}
	result = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (result != CURL_SOCKET_BAD)
		ReserveExternalFD();
	return result;
}

#if LIBCURL_VERSION_NUM >= 0x075000

/*
 * Before a request goes out on a connection: one that is used again was made under
 * the settings of then.
 */
static int
check_connection(void *data, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	SenderRequest *request = data;
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

	if ((inet_pton(AF_INET, primary_ip, &ipv4.sin_addr) == 1 &&
		 platform_address_is_allowed((struct sockaddr *) &ipv4)) ||
		(inet_pton(AF_INET6, primary_ip, &ipv6.sin6_addr) == 1 &&
		 platform_address_is_allowed((struct sockaddr *) &ipv6)))
		return CURL_PREREQFUNC_OK;
	request->refused = true;
	return CURL_PREREQFUNC_ABORT;
}
#endif

static int
close_socket(void *data, curl_socket_t socket)
{
	ReleaseExternalFD();
	return close(socket);
}

/* A header's value without the white space around it; what is too long is none. */
static void
keep_retry_after(SenderRequest *request, const char *value, size_t length)
{
	while (length > 0 && (*value == ' ' || *value == '\t'))
		value++, length--;
	while (length > 0 && (value[length - 1] == '\r' || value[length - 1] == '\n' ||
						  value[length - 1] == ' ' || value[length - 1] == '\t'))
		length--;
	request->retry_after[0] = '\0';
	if (length >= SENDER_RETRY_AFTER_MAX)
		return;
	for (size_t i = 0; i < length; i++)
		if (value[i] < ' ' || value[i] > '~')
			return;
	memcpy(request->retry_after, value, length);
	request->retry_after[length] = '\0';
}

static size_t
read_header(char *line, size_t size, size_t count, void *data)
{
	static const char retry_after[] = "retry-after:";
	SenderRequest *request = data;
	size_t		length = size * count;

	request->header_bytes += length;
	if (request->header_bytes > HEADERS_MAX)
	{
		request->has_too_large_headers = true;
		return 0;
	}
	/* the next of several answers, after 1xx */
	if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
		request->retry_after[0] = '\0';
	else if (length >= sizeof(retry_after) - 1 &&
			 pg_strncasecmp(line, retry_after, sizeof(retry_after) - 1) == 0)
		keep_retry_after(request, line + sizeof(retry_after) - 1, length - sizeof(retry_after) + 1);
	return length;
}

static size_t
read_body(char *bytes, size_t size, size_t count, void *data)
{
	SenderRequest *request = data;
	size_t		length = size * count;
	size_t		kept = Min(length, (size_t) (SENDER_RESPONSE_MAX - request->response_length));

	memcpy(request->response + request->response_length, bytes, kept);
	request->response_length += (int) kept;
	request->body_bytes += length;
	return request->body_bytes > ANSWER_MAX ? 0 : length;
}

/* ---- one request ---- */

static void
set_options(SenderRequest *request)
{
	CURL	   *easy = request->easy;

	curl.easy_setopt(easy, CURLOPT_URL, request->url);
	if (strcmp(request->method, "POST") != 0)
		curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl.easy_setopt(easy, CURLOPT_POST, 1L);
	curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) VARSIZE_ANY_EXHDR(request->body));
	curl.easy_setopt(easy, CURLOPT_POSTFIELDS, VARDATA_ANY(request->body));
	curl.easy_setopt(easy, CURLOPT_HTTPHEADER, request->header_list);
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl.easy_setopt(easy, CURLOPT_PROXY, "");
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a request that ends while its name is being resolved does not wait for that */
	curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout_ms);
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) Min(request->timeout_ms, CONNECT_MS));
	curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	curl.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
	curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
	curl.easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
#if LIBCURL_VERSION_NUM >= 0x075000
	curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_connection);
	curl.easy_setopt(easy, CURLOPT_PREREQDATA, request);
#else
	curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
#endif
	curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, read_header);
	curl.easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, read_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl.easy_setopt(easy, CURLOPT_PRIVATE, request);
}

static void
finish(SenderRequest *request, const char *error)
{
	request->error = error;
	dlist_push_tail(&finished, &request->node);
	nfinished++;
}

/*
 * May the URL be sent to by its text? It was looked at when the subscription was
 * written; settings may have changed since. Which host is private is told by its
 * address, when the connection is made.
 */
static bool
url_is_allowed(const char *url)
{
	PlatformUrlFault fault = platform_url_check(url, strlen(url));

	return fault == URL_OK || fault == URL_PRIVATE_HOST;
}

/* "Expect:" keeps libcurl from asking before it sends a large body. */
static bool
build_request(SenderRequest *request)
{
	struct curl_slist *list = curl.slist_append(NULL, "Expect:");

	for (char **line = request->headers; list != NULL && *line != NULL; line++)
	{
		struct curl_slist *longer = curl.slist_append(list, *line);

		if (longer == NULL)
			curl.slist_free_all(list);
		list = longer;
	}
	request->header_list = list;
	if (request->easy == NULL)
		request->easy = curl.easy_init();
	if (list == NULL || request->easy == NULL)
		return false;
	set_options(request);
	return true;
}

void
platform_sender_send(SenderRequest *request)
{
	dlist_delete(&request->node);
	if (!url_is_allowed(request->url))
	{
		finish(request, "address: the url is not allowed");
		return;
	}
	if (!build_request(request) || curl.multi_add_handle(multi, request->easy) != CURLM_OK)
	{
		finish(request, "connect: out of memory");
		return;
	}
	dlist_push_tail(&under_way, &request->node);
	nunder_way++;
}

static void
stop_sending(SenderRequest *request)
{
	curl.multi_remove_handle(multi, request->easy);
	dlist_delete(&request->node);
	nunder_way--;
}

/* What is said of a request without an answer: the first word is for programs. */
static const char *
error_of(const SenderRequest *request, CURLcode code)
{
	if (request->refused && (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK))
		return "address: the host's address is not of the public internet";
	switch (code)
	{
		case CURLE_OPERATION_TIMEDOUT:
			return "timeout";
		case CURLE_COULDNT_RESOLVE_HOST:
			return "dns: the host's name could not be resolved";
		case CURLE_COULDNT_CONNECT:
			return "connect: the connection was refused or could not be made";
		case CURLE_PEER_FAILED_VERIFICATION:
			return "tls: the host's certificate is not trusted";
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return "tls: no secure connection could be made";
		case CURLE_SSL_CACERT_BADFILE:
			return "tls: this machine has no certificates to trust";
		case CURLE_WRITE_ERROR:
			return "too_large: the answer's headers";
		case CURLE_GOT_NOTHING:
			return "connect: the connection was closed without an answer";
		case CURLE_OUT_OF_MEMORY:
			return "connect: out of memory";
		default:
			return "connect: the connection broke, or the answer is not HTTP";
	}
}

static void
read_result(SenderRequest *request, CURLcode code)
{
	long		status = 0;
	curl_off_t	microseconds = 0;
	const char *error = NULL;

	curl.easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	curl.easy_getinfo(request->easy, CURLINFO_TOTAL_TIME_T, &microseconds);
	request->duration_ms = (int) Min(microseconds / 1000, INT_MAX);
	/* more of an answer than is wanted */
	if (code == CURLE_WRITE_ERROR && !request->has_too_large_headers)
		code = CURLE_OK;
	if (code != CURLE_OK)
		error = error_of(request, code);
	else if (status < 100 || status > 599)
		error = "connect: the answer is not HTTP";
	request->http_status = error == NULL ? (int) status : 0;
	stop_sending(request);
	finish(request, error);
}

/* ---- all of them ---- */

void
platform_sender_requests_start(void)
{
	slots = MemoryContextAllocZero(TopMemoryContext, SENDER_REQUESTS_MAX * sizeof(SenderRequest));
	for (int i = 0; i < SENDER_REQUESTS_MAX; i++)
	{
		slots[i].memory = AllocSetContextCreate(TopMemoryContext, "platform webhook request",
												ALLOCSET_SMALL_SIZES);
		dlist_push_tail(&free_requests, &slots[i].node);
	}
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (multi = curl.multi_init()) == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("libcurl could not be initialized")));
	curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) SENDER_REQUESTS_MAX);
}

SenderRequest *
platform_sender_take(void)
{
	SenderRequest *request;

	if (dlist_is_empty(&free_requests))
		elog(ERROR, "more deliveries were claimed than asked for");
	request = dlist_container(SenderRequest, node, dlist_pop_head_node(&free_requests));
	dlist_push_tail(&taken, &request->node);
	return request;
}

/* Off its list, and ready for another delivery. */
static void
clear(SenderRequest *request)
{
	dlist_delete(&request->node);
	if (request->easy != NULL)
		curl.easy_reset(request->easy);
	curl.slist_free_all(request->header_list);
	MemoryContextReset(request->memory);
	memset(&request->delivery, 0, offsetof(SenderRequest, easy) - offsetof(SenderRequest, delivery));
	memset(&request->header_list, 0, offsetof(SenderRequest, response) - offsetof(SenderRequest, header_list));
	dlist_push_head(&free_requests, &request->node);
}

void
platform_sender_forget_taken(void)
{
	while (!dlist_is_empty(&taken))
		clear(dlist_head_element(SenderRequest, node, &taken));
}

void
platform_sender_give_back(SenderRequest *request)
{
	nfinished--;
	clear(request);
}

void
platform_sender_perform(void)
{
	sigset_t	all;
	sigset_t	before;
	int			running;
	int			left;
	CURLMsg    *message;

	if (nunder_way == 0)
		return;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	curl.multi_perform(multi, &running);
	sigprocmask(SIG_SETMASK, &before, NULL);
	while ((message = curl.multi_info_read(multi, &left)) != NULL)
	{
		SenderRequest *request = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &request);
		read_result(request, code);
	}
}

void
platform_sender_wait(int milliseconds)
{
	curl.multi_poll(multi, NULL, 0, milliseconds, NULL);
}

void
platform_sender_abort(void)
{
	while (!dlist_is_empty(&under_way))
	{
		SenderRequest *request = dlist_head_element(SenderRequest, node, &under_way);

		stop_sending(request);
		finish(request, "aborted");
	}
}

int
platform_sender_count_free(void)
{
	return Max(platform_sender_requests - nunder_way - nfinished, 0);
}

int
platform_sender_count_under_way(void)
{
	return nunder_way;
}

int
platform_sender_count_finished(void)
{
	return nfinished;
}

int
platform_sender_finished(SenderRequest **requests, int limit)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, &finished)
	{
		if (count == limit)
			break;
		requests[count++] = dlist_container(SenderRequest, node, iter.cur);
	}
	return count;
}

#endif							/* PLATFORM_SENDER */
