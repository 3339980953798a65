/*
 * tokens.c
 *	  What the functions of this module share: arguments, rights, answers.
 */
#include "core/platform.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "tokens/tokens.h"

#define TOKENS_TEXT_MAX 255

PlatformModule platform_tokens_module = {"tokens", 530, 0};

void
platform_tokens_init(void)
{
	platform_ledger_init();
	platform_calls_init();
}

pg_uuid_t *
platform_tokens_organization(FunctionCallInfo fcinfo, int argument)
{
	platform_require_argument(fcinfo, argument, "organization_id");
	return PG_GETARG_UUID_P(argument);
}

char *
platform_tokens_name(text *value, const char *name, int most)
{
	int			length = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (length < 1 || length > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d characters", name, most)));
	return text_to_cstring(value);
}

/* Without a copy, as some come with every burn. */
void
platform_tokens_require_length(text *value, const char *name)
{
	int			bytes = VARSIZE_ANY_EXHDR(value);

	if (bytes < 1 || bytes > TOKENS_TEXT_MAX)
		(void) platform_tokens_name(value, name, TOKENS_TEXT_MAX);
}

int
platform_tokens_compare(const text *a, const text *b)
{
	int			a_length = VARSIZE_ANY_EXHDR(a);
	int			b_length = VARSIZE_ANY_EXHDR(b);
	int			result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_length, b_length));

	return result != 0 ? result : a_length - b_length;
}

text *
platform_tokens_user(FunctionCallInfo fcinfo, int argument)
{
	text	   *user_id;

	platform_require_argument(fcinfo, argument, "user_id");
	user_id = PG_GETARG_TEXT_PP(argument);
	platform_tokens_require_length(user_id, "user_id");
	return user_id;
}

int64
platform_tokens_amount(FunctionCallInfo fcinfo, int argument)
{
	platform_require_argument(fcinfo, argument, "amount");
	if (PG_GETARG_INT64(argument) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount must be greater than zero")));
	return PG_GETARG_INT64(argument);
}

text *
platform_tokens_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_TEXT_PP(argument);
}

text *
platform_tokens_key(FunctionCallInfo fcinfo, int argument)
{
	text	   *key = platform_tokens_text(fcinfo, argument);

	if (key != NULL)
		platform_tokens_require_length(key, "idempotency key");
	return key;
}

bool
platform_tokens_is_own(text *user_id)
{
	const char *subject;

	if (platform_is_organization_admin())
		return true;
	subject = platform_current_subject();
	return subject != NULL && strlen(subject) == VARSIZE_ANY_EXHDR(user_id) &&
		memcmp(subject, VARDATA_ANY(user_id), strlen(subject)) == 0;
}

void
platform_tokens_require_account(const pg_uuid_t *organization, text *user_id)
{
	if (platform_is_operator())
		return;
	platform_require_organization(organization);
	if (!platform_tokens_is_own(user_id))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for another user's token account")));
}

void
platform_tokens_require_organization(const pg_uuid_t *organization)
{
	if (!platform_is_operator())
		platform_require_organization(organization);
}

void
platform_tokens_require_admin(const pg_uuid_t *organization)
{
	platform_tokens_require_organization(organization);
	if (!platform_is_organization_admin())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to move tokens between accounts")));
}

int64
platform_tokens_fingerprint(const int64 *numbers, int count, const text *value)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) numbers, count * sizeof(int64), 0);

	if (value != NULL)
		hash = hash_bytes_extended((const unsigned char *) VARDATA_ANY(value),
								   VARSIZE_ANY_EXHDR(value), hash);
	return (int64) hash;
}

void
platform_tokens_no_account(text *user_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("no token account of user \"%s\"", text_to_cstring(user_id))));
}

void
platform_tokens_key_conflict(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_WRONG_STATE),
			 errmsg("idempotency key was used with other arguments"),
			 detail ? errdetail_internal("%s", detail) : 0));
}
