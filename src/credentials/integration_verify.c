/*
 * integration_verify.c
 *	  Requests of providers, verified with an account's secrets that nobody sees.
 *
 * The secret is decrypted here, used, and overwritten; the caller learns yes or no.
 * An account that is switched off, deleted or not there verifies nothing, nor does one
 * without the secret. A secret that cannot be decrypted is an error: to answer no
 * would turn the provider away for good, instead of until the key is back.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/signature.h"
#include "credentials/integrations.h"

#define MAX_SECRETS 2

/* Secrets in clear, as long as they are needed. */
typedef struct OpenSecrets
{
	int			count;
	PlatformPlaintext plain[MAX_SECRETS];
} OpenSecrets;

static PlatformBytes
bytea_argument(FunctionCallInfo fcinfo, int number)
{
	PlatformBytes bytes = {NULL, 0};

	if (!PG_ARGISNULL(number))
	{
		bytea	   *value = PG_GETARG_BYTEA_PP(number);

		bytes.data = (const uint8 *) VARDATA_ANY(value);
		bytes.length = VARSIZE_ANY_EXHDR(value);
	}
	return bytes;
}

/* In UTF-8. */
static PlatformBytes
text_argument(FunctionCallInfo fcinfo, int number)
{
	PlatformBytes bytes = {NULL, 0};

	if (!PG_ARGISNULL(number))
	{
		text	   *value = PG_GETARG_TEXT_PP(number);
		char	   *utf8 = pg_server_to_any(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), PG_UTF8);

		bytes.data = (const uint8 *) utf8;
		bytes.length = utf8 == VARDATA_ANY(value) ? VARSIZE_ANY_EXHDR(value) : strlen(utf8);
	}
	return bytes;
}

/* The account of the first two arguments; false when it may verify nothing. */
static bool
find_account(FunctionCallInfo fcinfo, IntegrationAccount *account)
{
	bool		found;

	platform_require_module(&platform_integrations_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "account_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	platform_query_begin();
	found = platform_integration_find(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1), account);
	platform_query_end();
	return found && account->usable;
}

/* Adds the secret, if there is one. */
static void
open_secret(OpenSecrets *secrets, const IntegrationSecrets *row, IntegrationSecret column,
			const char *pointer)
{
	PlatformKeyFault fault;

	if (platform_integration_open(row, column, pointer, &secrets->plain[secrets->count], &fault))
		secrets->count++;
	else if (fault.reason != KEY_OK)
		platform_key_fault_raise(&fault);
}

/* Does the request fit one of the secrets? These are gone afterwards. */
static bool
verify(PlatformSignatureScheme scheme, const PlatformSignedRequest *request, OpenSecrets *secrets,
	   TimestampTz now)
{
	PlatformBytes keys[MAX_SECRETS];
	int			matched;
	bool		valid;

	for (int i = 0; i < secrets->count; i++)
	{
		keys[i].data = (const uint8 *) secrets->plain[i].bytes;
		keys[i].length = secrets->plain[i].length;
	}
	valid = platform_signature_check(scheme, request, keys, secrets->count, now,
									 &matched) == SIGNATURE_VALID;
	for (int i = 0; i < secrets->count; i++)
		platform_secret_wipe(&secrets->plain[i]);
	return valid;
}

PG_FUNCTION_INFO_V1(platform_verify_twilio_request);

/*
 * platform.verify_twilio_request(organization_id uuid, account_id uuid, url text, body bytea,
 *		signature text) returns boolean
 *
 * Does X-Twilio-Signature fit the whole URL, the body and the account's
 * authToken? See verify_twilio_webhook(). False for an account without one, one that is
 * switched off, deleted or not there, and for NULL. EXECUTE is the grant; members
 * act for their own organization. Errors: 42501; 22004 NULL ids; those of
 * decrypt_secret().
 */
Datum
platform_verify_twilio_request(PG_FUNCTION_ARGS)
{
	IntegrationAccount account;
	OpenSecrets secrets = {0};
	PlatformSignedRequest request = {{NULL, 0}};

	if (!find_account(fcinfo, &account))
		PG_RETURN_BOOL(false);
	request.url = text_argument(fcinfo, 2);
	request.body = bytea_argument(fcinfo, 3);
	request.signature = text_argument(fcinfo, 4);
	open_secret(&secrets, &account.secrets, INTEGRATION_CREDENTIALS, "/authToken");
	PG_RETURN_BOOL(verify(SIGNATURE_TWILIO, &request, &secrets, GetCurrentTimestamp()));
}

PG_FUNCTION_INFO_V1(platform_verify_meta_request);

/*
 * platform.verify_meta_request(organization_id uuid, account_id uuid, body bytea, signature text)
 *		returns boolean
 *
 * Does X-Hub-Signature-256 fit the body and the account's appSecret? Otherwise as
 * verify_twilio_request().
 */
Datum
platform_verify_meta_request(PG_FUNCTION_ARGS)
{
	IntegrationAccount account;
	OpenSecrets secrets = {0};
	PlatformSignedRequest request = {{NULL, 0}};

	if (!find_account(fcinfo, &account))
		PG_RETURN_BOOL(false);
	request.body = bytea_argument(fcinfo, 2);
	request.signature = text_argument(fcinfo, 3);
	open_secret(&secrets, &account.secrets, INTEGRATION_CREDENTIALS, "/appSecret");
	PG_RETURN_BOOL(verify(SIGNATURE_META, &request, &secrets, GetCurrentTimestamp()));
}

PG_FUNCTION_INFO_V1(platform_verify_integration_request);

/*
 * platform.verify_integration_request(organization_id uuid, account_id uuid, body bytea,
 *		signature text, webhook_id text DEFAULT NULL, sent_at text DEFAULT NULL,
 *		scheme text DEFAULT 'standard', now timestamptz DEFAULT NULL) returns boolean
 *
 * Does the signature fit the account's webhook_secret, or the previous one while its
 * grace period runs? scheme: standard, svix, stripe, meta, github, slack or retell;
 * webhook_id and sent_at are the headers that it signs, if any; now (NULL: the clock) is
 * what times are compared with. Otherwise as verify_twilio_request(). Errors also:
 * 22023 unknown scheme.
 */
Datum
platform_verify_integration_request(PG_FUNCTION_ARGS)
{
	IntegrationAccount account;
	OpenSecrets secrets = {0};
	PlatformSignedRequest request = {{NULL, 0}};
	PlatformSignatureScheme scheme;
	text	   *name;
	TimestampTz now = PG_ARGISNULL(7) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(7);

	platform_require_argument(fcinfo, 6, "scheme");
	name = PG_GETARG_TEXT_PP(6);
	if (!platform_signature_find_scheme(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &scheme) ||
		scheme == SIGNATURE_TWILIO)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown scheme of signatures \"%s\"", text_to_cstring(name))));
	if (!find_account(fcinfo, &account))
		PG_RETURN_BOOL(false);
	request.body = bytea_argument(fcinfo, 2);
	request.signature = text_argument(fcinfo, 3);
	request.id = text_argument(fcinfo, 4);
	request.timestamp = text_argument(fcinfo, 5);
	open_secret(&secrets, &account.secrets, INTEGRATION_WEBHOOK_SECRET, NULL);
	if (account.previous_until > now)
		open_secret(&secrets, &account.secrets, INTEGRATION_PREVIOUS_WEBHOOK_SECRET, NULL);
	PG_RETURN_BOOL(verify(scheme, &request, &secrets, now));
}
