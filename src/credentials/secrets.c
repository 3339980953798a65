/*
 * secrets.c
 *	  Encrypting and decrypting for SQL.
 *
 * EXECUTE is the grant: members have it on none of these. Who was given it acts
 * for its own organization only.
 */
#include "core/platform.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/data_key.h"
#include "core/identity.h"
#include "core/result.h"
#include "core/secret.h"

/* Where a secret belongs, with the memory of its purpose. */
typedef struct PlaceArguments
{
	PlatformSecretPlace place;
	/* what is cut off leaves too much, which is refused */
	char		purpose[PLATFORM_PURPOSE_MAX + MAX_MULTIBYTE_CHAR_LEN + 1];
} PlaceArguments;

/* Arguments organization_id, purpose, row_id, -, pointer; checks rights. */
static const PlatformSecretPlace *
place_arguments(FunctionCallInfo fcinfo, PlaceArguments *arguments)
{
	PlatformSecretPlace *place = &arguments->place;
	text	   *pointer;

	platform_require_module(&platform_keys_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "purpose");
	platform_require_argument(fcinfo, 2, "row_id");
	place->organization = PG_GETARG_UUID_P(0);
	platform_require_organization(place->organization);
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(1), arguments->purpose, sizeof(arguments->purpose));
	place->purpose = arguments->purpose;
	place->row = PG_GETARG_UUID_P(2);
	pointer = PG_ARGISNULL(4) ? NULL : PG_GETARG_TEXT_PP(4);
	place->pointer = pointer == NULL || VARSIZE_ANY_EXHDR(pointer) == 0 ? NULL :
		text_to_cstring(pointer);
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
	PlaceArguments arguments;
	const PlatformSecretPlace *place = place_arguments(fcinfo, &arguments);

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(platform_secret_encrypt_text(place, PG_GETARG_TEXT_PP(3)));
}

PG_FUNCTION_INFO_V1(platform_decrypt_secret);

/*
 * platform.decrypt_secret(organization_id uuid, purpose text, row_id uuid,
 *						   envelope text, pointer text DEFAULT '') returns text
 *
 * What was encrypted, given the same place. NULL for a NULL envelope. EXECUTE
 * is the grant; members act for their own organization. Errors: 42501; 22004;
 * 22023 no envelope; XX001 not authentic; 42704 unknown data key; PT410
 * destroyed; F0000 no root key, or a wrong one; 22P05 no text of this database.
 */
Datum
platform_decrypt_secret(PG_FUNCTION_ARGS)
{
	PlaceArguments arguments;
	const PlatformSecretPlace *place = place_arguments(fcinfo, &arguments);
	PlatformKeyFault fault;
	text	   *envelope;
	text	   *result;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	envelope = PG_GETARG_TEXT_PP(3);
	result = platform_secret_try_decrypt_text(place, VARDATA_ANY(envelope),
											  VARSIZE_ANY_EXHDR(envelope), &fault);
	if (result == NULL)
		platform_key_fault_raise(&fault);
	PG_RETURN_TEXT_P(result);
}

PG_FUNCTION_INFO_V1(platform_try_decrypt_secret);

/*
 * platform.try_decrypt_secret(organization_id uuid, purpose text, row_id uuid,
 *		envelope text, pointer text DEFAULT '', OUT plaintext text, OUT reason text)
 *		returns record
 *
 * decrypt_secret() for listings: a NULL plaintext and why, instead of an error:
 * MALFORMED, UNSUPPORTED, NO_ROOT_KEY, WRONG_ROOT_KEY, UNKNOWN_KEY,
 * KEY_DESTROYED, NOT_AUTHENTIC, or BAD_ENCODING when it is no text of this
 * database. EXECUTE is the grant. Errors: 42501; 22004; 22023.
 */
Datum
platform_try_decrypt_secret(PG_FUNCTION_ARGS)
{
	PlaceArguments arguments;
	const PlatformSecretPlace *place = place_arguments(fcinfo, &arguments);
	PlatformKeyFault fault;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (!PG_ARGISNULL(3))
	{
		text	   *envelope = PG_GETARG_TEXT_PP(3);
		text	   *result = platform_secret_try_decrypt_text(place, VARDATA_ANY(envelope),
															  VARSIZE_ANY_EXHDR(envelope), &fault);

		nulls[0] = result == NULL;
		nulls[1] = result != NULL;
		if (result != NULL)
			values[0] = PointerGetDatum(result);
		else
			values[1] = CStringGetTextDatum(platform_key_reason_name(fault.reason));
	}
	return platform_return_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_reencrypt_secret);

/*
 * platform.reencrypt_secret(organization_id uuid, purpose text, row_id uuid,
 *							 envelope text, pointer text DEFAULT '') returns text
 *
 * The same secret under the active key and the suite in use; the same envelope
 * when it is already. NULL for NULL. EXECUTE is the grant. Errors: those of
 * decrypt_secret() and encrypt_secret().
 */
Datum
platform_reencrypt_secret(PG_FUNCTION_ARGS)
{
	PlaceArguments arguments;
	const PlatformSecretPlace *place = place_arguments(fcinfo, &arguments);
	text	   *envelope;
	text	   *result;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	envelope = PG_GETARG_TEXT_PP(3);
	result = platform_secret_reencrypt(place, VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope));
	PG_RETURN_TEXT_P(result == NULL ? envelope : result);
}

PG_FUNCTION_INFO_V1(platform_envelope_key_id);

/*
 * platform.envelope_key_id(envelope text) returns integer
 *
 * The number of the data key under which it is encrypted; NULL when it is no
 * envelope.
 */
Datum
platform_envelope_key_id(PG_FUNCTION_ARGS)
{
	text	   *envelope = PG_GETARG_TEXT_PP(0);
	int32		id = platform_secret_key_id(VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope));

	if (id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(id);
}
