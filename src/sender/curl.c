/*
 * curl.c
 *	  libcurl, loaded when it is wanted.
 *
 * The library is not linked to it: a session that sends nothing, which is all but
 * the worker, neither waits for it and its dozen libraries to be loaded nor fails
 * where they are not installed. Only its header is needed to build.
 */
#include "core/platform.h"

#include <dlfcn.h>

#include "sender/sender.h"

#ifdef PLATFORM_SENDER

#define SONAME "libcurl.so.4"

SenderCurl	platform_sender_curl;

static const struct
{
	const char *name;
	size_t		offset;
}			functions[] = {
	{"curl_global_init", offsetof(SenderCurl, global_init)},
	{"curl_easy_init", offsetof(SenderCurl, easy_init)},
	{"curl_easy_reset", offsetof(SenderCurl, easy_reset)},
	{"curl_easy_setopt", offsetof(SenderCurl, easy_setopt)},
	{"curl_easy_getinfo", offsetof(SenderCurl, easy_getinfo)},
	{"curl_multi_init", offsetof(SenderCurl, multi_init)},
	{"curl_multi_setopt", offsetof(SenderCurl, multi_setopt)},
	{"curl_multi_add_handle", offsetof(SenderCurl, multi_add_handle)},
	{"curl_multi_remove_handle", offsetof(SenderCurl, multi_remove_handle)},
	{"curl_multi_perform", offsetof(SenderCurl, multi_perform)},
	{"curl_multi_poll", offsetof(SenderCurl, multi_poll)},
	{"curl_multi_info_read", offsetof(SenderCurl, multi_info_read)},
	{"curl_slist_append", offsetof(SenderCurl, slist_append)},
	{"curl_slist_free_all", offsetof(SenderCurl, slist_free_all)},
	{"curl_version", offsetof(SenderCurl, version)},
};

const char *
platform_sender_load_curl(void)
{
	void	   *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return dlerror();
	for (int i = 0; i < lengthof(functions); i++)
	{
		void	   *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return dlerror();
		memcpy((char *) &platform_sender_curl + functions[i].offset, &function, sizeof(function));
	}
	return NULL;
}

#endif							/* PLATFORM_SENDER */
