/*
 * key_fault.c
 *	  Why a key or a secret cannot be used: as a value, or as an error.
 */
#include "core/platform.h"

#include "core/error.h"
#include "core/key_fault.h"

static const struct
{
	const char *name;
	int			code;
}			reasons[] =
{
	[KEY_OK] = {NULL, 0},
	[KEY_MALFORMED] = {"MALFORMED", ERRCODE_INVALID_PARAMETER_VALUE},
	[KEY_UNSUPPORTED] = {"UNSUPPORTED", ERRCODE_INVALID_PARAMETER_VALUE},
	[KEY_NO_ROOT_KEY] = {"NO_ROOT_KEY", ERRCODE_CONFIG_FILE_ERROR},
	[KEY_WRONG_ROOT_KEY] = {"WRONG_ROOT_KEY", ERRCODE_CONFIG_FILE_ERROR},
	[KEY_UNKNOWN] = {"UNKNOWN_KEY", ERRCODE_UNDEFINED_OBJECT},
	[KEY_DESTROYED] = {"KEY_DESTROYED", ERRCODE_PLATFORM_EXPIRED},
	[KEY_NOT_AUTHENTIC] = {"NOT_AUTHENTIC", ERRCODE_DATA_CORRUPTED},
	[KEY_BAD_ENCODING] = {"BAD_ENCODING", ERRCODE_UNTRANSLATABLE_CHARACTER},
};

const char *
platform_key_reason_name(PlatformKeyReason reason)
{
	return reasons[reason].name;
}

bool
platform_key_fault(PlatformKeyFault *fault, PlatformKeyReason reason,
				   const char *message, const char *detail, const char *hint)
{
	fault->reason = reason;
	fault->message = message;
	fault->detail = detail;
	fault->hint = hint;
	return false;
}

void
platform_key_fault_raise(const PlatformKeyFault *fault)
{
	ereport(ERROR,
			(errcode(reasons[fault->reason].code),
			 errmsg("%s", fault->message),
			 fault->detail == NULL ? 0 : errdetail("%s", fault->detail),
			 fault->hint == NULL ? 0 : errhint("%s", fault->hint)));
}
