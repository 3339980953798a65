/*
 * messaging.c
 *	  What the functions of this module share: arguments, answers, the setting.
 */
#include "core/platform.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
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
	platform_require_module(&platform_messaging_module);
	platform_require_argument(fcinfo, argument, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(argument));
	return PG_GETARG_UUID_P(argument);
}

text *
platform_sms_text(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	text	   *value;
	int			length;

	if (PG_ARGISNULL(argument))
		return NULL;
	value = PG_GETARG_TEXT_PP(argument);
	length = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	if (length < 1 || length > most)
		platform_sms_bad_argument(psprintf("%s must have 1 to %d characters", name, most));
	return value;
}

char *
platform_sms_phone(FunctionCallInfo fcinfo, int argument, const char *name, int region)
{
	char	   *e164 = palloc(PLATFORM_E164_SIZE);
	text	   *number;

	platform_require_argument(fcinfo, argument, name);
	platform_require_argument(fcinfo, region, "region");
	number = PG_GETARG_TEXT_PP(argument);
	if (!platform_normalize_phone(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number),
								  platform_require_phone_region(PG_GETARG_TEXT_PP(region)), e164))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("%s is no telephone number", name)));
	return e164;
}

void
platform_sms_bad_argument(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
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
	platform_sms_bad_argument(psprintf("%s must be %s", name, list.data));
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
