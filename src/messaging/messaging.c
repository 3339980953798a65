/*
 * messaging.c
 *	  What the functions of this module share: arguments, answers, the setting.
 */
#include "core/platform.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/argument.h"
#include "core/row.h"
#include "messaging/messaging.h"

/* Mutexes of phone numbers are of their own kind. */
#define PHONE_SEED		UINT64CONST(0x736d735f70686f6e)

PlatformModule platform_messaging_module = {"messaging", 610, 0};

bool		platform_messaging_sending = true;

void
platform_messaging_init(void)
{
	DefineCustomBoolVariable("platform.messaging_sending",
							 "Lets senders claim messages.",
							 "Off, claim_sms() returns none: what is queued waits, and counts for nothing.",
							 &platform_messaging_sending, true, PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	platform_keywords_init();
	platform_gates_init();
	platform_throttle_init();
}

pg_uuid_t *
platform_sms_organization(FunctionCallInfo fcinfo, int argument)
{
	return platform_organization_argument(fcinfo, argument, &platform_messaging_module);
}

char *
platform_sms_phone(FunctionCallInfo fcinfo, int argument, const char *name, int region)
{
	platform_require_argument(fcinfo, argument, name);
	return text_to_cstring(platform_phone_argument(fcinfo, argument, name,
												   platform_region_argument(fcinfo, region)));
}

char *
platform_sms_word(FunctionCallInfo fcinfo, int argument, const char *name,
				  const char *const *words)
{
	char	   *value;
	StringInfoData list;

	platform_require_argument(fcinfo, argument, name);
	value = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(words[i], value) == 0)
			return value;
	}
	initStringInfo(&list);
	for (int i = 0; words[i] != NULL; i++)
		appendStringInfo(&list, "%s%s", i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ", words[i]);
	platform_bad_argument(psprintf("%s must be %s", name, list.data));
}

Datum
platform_sms_text_or_null(const char *value, bool *isnull)
{
	*isnull = value == NULL;
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

static uint64
phone_key(const char *phone)
{
	return hash_bytes_extended((const unsigned char *) phone, strlen(phone), PHONE_SEED);
}

void
platform_sms_lock_phone(const char *phone)
{
	platform_mutex_lock(phone_key(phone));
}

void
platform_sms_share_phone(const char *phone)
{
	platform_mutex_share(phone_key(phone));
}
