/*
 * secrets.c
 *	  Encrypting and decrypting for SQL.
 *
 * EXECUTE is the grant: members have it on none of these. Who was given it acts
 * for its own organization only.
 */
#include "core/platform.h"

#include "utils/builtins.h"

#include "core/argument.h"
#include "core/data_key.h"
#include "core/identity.h"
#include "core/secret.h"

/* Arguments organization_id, purpose, row_id, -, pointer; checks rights. */
static PlatformSecretPlace
place_arguments(FunctionCallInfo fcinfo)
{
	PlatformSecretPlace place;

	platform_require_module(&platform_keys_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "purpose");
	platform_require_argument(fcinfo, 2, "row_id");
	place.organization = PG_GETARG_UUID_P(0);
	platform_require_organization(place.organization);
	place.purpose = text_to_cstring(PG_GETARG_TEXT_PP(1));
	place.row = PG_GETARG_UUID_P(2);
	place.pointer = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	platform_require_purpose(place.purpose);
	return place;
}

PG_FUNCTION_INFO_V1(platform_encrypt_secret);

/*
 * platform.encrypt_secret(organization_id uuid, purpose text, row_id uuid,
 *						   plaintext text, pointer text DEFAULT '') returns text
 *
 * The text form of an envelope, bound to its place. The first call for an
 * organization and purpose makes their data key. NULL for a NULL plaintext.
 * EXECUTE is the grant; members act for their own organization. Errors: 42501;
 * 22004; 22023; 23503 no such organization; F0000 no root key, or a wrong one;
 * 25006 when a key has to be made in a read-only transaction.
 */
Datum
platform_encrypt_secret(PG_FUNCTION_ARGS)
{
	PlatformSecretPlace place = place_arguments(fcinfo);

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(platform_secret_encrypt_text(&place, PG_GETARG_TEXT_PP(3)));
}

PG_FUNCTION_INFO_V1(platform_decrypt_secret);

/*
 * platform.decrypt_secret(organization_id uuid, purpose text, row_id uuid,
 *						   envelope text, pointer text DEFAULT '') returns text
 *
 * What was encrypted, given the same place. NULL for a NULL envelope. EXECUTE
 * is the grant; members act for their own organization. Errors: 42501; 22004;
 * 22023 no envelope; XX001 not authentic; 42704 unknown data key; PT410
 * destroyed; F0000 no root key, or a wrong one.
 */
Datum
platform_decrypt_secret(PG_FUNCTION_ARGS)
{
	PlatformSecretPlace place = place_arguments(fcinfo);
	PlatformPlaintext plain;
	text	   *envelope;
	text	   *result;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	envelope = PG_GETARG_TEXT_PP(3);
	plain = platform_secret_decrypt(&place, VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope));
	if (!platform_secret_to_text(&plain, &result))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("secret is not a text of this database's encoding")));
	PG_RETURN_TEXT_P(result);
}
