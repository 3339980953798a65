/*
 * integration_verify.c
 *	  Requests of providers, verified with an account's secrets that nobody sees; the
 *	  same secrets for those who verify otherwise (core/account.h).
 *
 * The secret is decrypted here, used, and overwritten; the caller learns yes or no.
 * An account that is switched off, deleted or not there verifies nothing, nor does one
 * without the secret. A secret that cannot be decrypted is an error: to answer no
 * would turn the provider away for good, instead of until the key is back.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/account.h"
#include "core/argument.h"
#include "core/http_headers.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/signature.h"
#include "credentials/integrations.h"

/* The account of the first two arguments; false when it may verify nothing. */
static bool
find_account(FunctionCallInfo fcinfo, IntegrationAccount *account)
{
	return platform_integration_argument(fcinfo, account) && account->usable;
}

/* Adds the secret, if there is one. */
static void
open_secret(PlatformAccount *keys, const IntegrationSecrets *row, IntegrationSecret column,
			const char *pointer)
{
	PlatformKeyFault fault;

	if (platform_integration_open(row, column, pointer, &keys->secrets[keys->nsecrets], &fault))
		keys->nsecrets++;
	else if (fault.reason != KEY_OK)
		platform_key_fault_raise(&fault);
}

/* The webhook secret, and the previous one while its grace period runs. */
static void
open_webhook_secrets(PlatformAccount *keys, const IntegrationAccount *account, TimestampTz now)
{
	open_secret(keys, &account->secrets, INTEGRATION_WEBHOOK_SECRET, NULL);
	if (account->previous_until > now)
		open_secret(keys, &account->secrets, INTEGRATION_PREVIOUS_WEBHOOK_SECRET, NULL);
}

/* Does the request fit one of the secrets? These are gone afterwards. */
static bool
verify(PlatformSignatureScheme scheme, const PlatformSignedRequest *request, PlatformAccount *account,
	   TimestampTz now)
{
	PlatformBytes keys[PLATFORM_ACCOUNT_SECRETS];
	int			matched;
	bool		valid;

	for (int i = 0; i < account->nsecrets; i++)
	{
		keys[i].data = (const uint8 *) account->secrets[i].bytes;
		keys[i].length = account->secrets[i].length;
	}
	valid = platform_signature_check(scheme, request, keys, account->nsecrets, now,
									 &matched) == SIGNATURE_VALID;
	platform_accounts_forget(list_make1(account));
	return valid;
}

/*
 * The secrets that sign by the scheme. Twilio and Meta use what they gave, where the
 * account has that; anybody else, and they otherwise, webhook_secret.
 */
static void
open_secrets(PlatformAccount *keys, const IntegrationAccount *account,
			 PlatformSignatureScheme scheme, TimestampTz now)
{
	if (scheme == SIGNATURE_TWILIO)
		open_secret(keys, &account->secrets, INTEGRATION_CREDENTIALS, "/authToken");
	else if (scheme == SIGNATURE_META)
		open_secret(keys, &account->secrets, INTEGRATION_CREDENTIALS, "/appSecret");
	if (keys->nsecrets == 0)
		open_webhook_secrets(keys, account, now);
}

/* The accounts that have the URL. */
static List *
find_by_url(const char *url)
{
	static PlatformQuery by_url =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT organization_id, id FROM platform.integration_accounts"
					   " WHERE webhook_url OPERATOR(pg_catalog.=) $1 AND deleted_at IS NULL",
					   TEXTOID);
	Datum		value = CStringGetTextDatum(url);
	List	   *found = NIL;
	uint64		count;

	platform_query_begin();
	count = platform_query_run(&by_url, &value, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	organization = platform_row_uuid(i, 1);
		pg_uuid_t	id = platform_row_uuid(i, 2);
		IntegrationAccount *account = palloc(sizeof(IntegrationAccount));

		if (platform_integration_find(&organization, &id, account))
			found = lappend(found, account);
	}
	platform_query_end();
	return found;
}

/* A PlatformAccountFinder. */
static List *
find_accounts(const char *name, PlatformSignatureScheme scheme, TimestampTz now)
{
	List	   *accounts;
	List	   *found = NIL;
	ListCell   *cell;
	pg_uuid_t	id;

	if (!platform_module_installed(&platform_integrations_module))
		return NIL;
	accounts = platform_parse_uuid(name, &id) ? platform_integrations_by_id(&id) : find_by_url(name);
	foreach(cell, accounts)
	{
		IntegrationAccount *account = lfirst(cell);
		PlatformAccount *keys = palloc0(sizeof(PlatformAccount));

		keys->organization = account->secrets.organization;
		keys->id = account->secrets.id;
		keys->usable = account->usable;
		if (keys->usable)
			open_secrets(keys, account, scheme, now);
		found = lappend(found, keys);
	}
	return found;
}

void
platform_integration_verify_init(void)
{
	platform_account_finder = find_accounts;
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
	PlatformAccount keys = {0};
	PlatformSignedRequest request = {{NULL, 0}};

	if (!find_account(fcinfo, &account))
		PG_RETURN_BOOL(false);
	request.url = platform_utf8_argument(fcinfo, 2);
	request.body = platform_bytea_argument(fcinfo, 3);
	request.signature = platform_utf8_argument(fcinfo, 4);
	open_secret(&keys, &account.secrets, INTEGRATION_CREDENTIALS, "/authToken");
	PG_RETURN_BOOL(verify(SIGNATURE_TWILIO, &request, &keys, GetCurrentTimestamp()));
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
	PlatformAccount keys = {0};
	PlatformSignedRequest request = {{NULL, 0}};

	if (!find_account(fcinfo, &account))
		PG_RETURN_BOOL(false);
	request.body = platform_bytea_argument(fcinfo, 2);
	request.signature = platform_utf8_argument(fcinfo, 3);
	open_secret(&keys, &account.secrets, INTEGRATION_CREDENTIALS, "/appSecret");
	PG_RETURN_BOOL(verify(SIGNATURE_META, &request, &keys, GetCurrentTimestamp()));
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
	PlatformAccount keys = {0};
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
	request.body = platform_bytea_argument(fcinfo, 2);
	request.signature = platform_utf8_argument(fcinfo, 3);
	request.id = platform_utf8_argument(fcinfo, 4);
	request.timestamp = platform_utf8_argument(fcinfo, 5);
	open_webhook_secrets(&keys, &account, now);
	PG_RETURN_BOOL(verify(scheme, &request, &keys, now));
}
