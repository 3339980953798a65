/*
 * legacy_credentials.c
 *	  Reading credentials that an older application encrypted.
 *
 * That application wrote three hexadecimal strings: AES-256-GCM with a nonce of
 * 16 bytes, its tag, and no additional data, so that nothing tells to which row
 * they belong. The format is read and never written.
 */
#include "core/platform.h"

#include "common/string.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/crypto_legacy.h"
#include "core/identity.h"
#include "core/json.h"
#include "credentials/integrations.h"

/* The bytes of a hexadecimal argument that has to be size bytes long (0: any). */
static uint8 *
hex_argument(FunctionCallInfo fcinfo, int number, const char *name, size_t size, size_t *length)
{
	text	   *value;
	uint8	   *bytes;

	platform_require_argument(fcinfo, number, name);
	value = PG_GETARG_TEXT_PP(number);
	*length = size > 0 ? size : VARSIZE_ANY_EXHDR(value) / 2;
	bytes = palloc(*length + 1);
	if (!platform_hex_decode(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), bytes, *length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 size > 0 ?
				 errmsg("%s must be %d hexadecimal digits", name, (int) size * 2) :
				 errmsg("%s must be hexadecimal digits", name)));
	return bytes;
}

/* An object or array as itself, any other text as a string. */
static Jsonb *
make_json(const char *plain, size_t length)
{
	const PlatformJson *json = platform_json_parse(plain, length);
	Jsonb	   *result = NULL;
	JsonbValue	string;

	if (json != NULL)
	{
		result = platform_json_to_jsonb(json);
		platform_json_wipe(json);
	}
	if (result == NULL)
	{
		string.type = jbvString;
		string.val.string.val = unconstify(char *, plain);
		string.val.string.len = (int) length;
		result = JsonbValueToJsonb(&string);
	}
	return result;
}

PG_FUNCTION_INFO_V1(platform_import_legacy_credentials);

/*
 * platform.import_legacy_credentials(encrypted text, iv text, auth_tag text, key text)
 *		returns jsonb
 *
 * Decrypts what the older application stored: the document, or a JSON string when it
 * was a single text. iv and auth_tag are 32 hexadecimal digits, key is 64; a
 * shorter tag is refused, since it is easier to forge. NULL when one of
 * the first three is NULL. Operators only. Errors: 42501; 22004 NULL key; 22023
 * wrong form, or not authentic under that key.
 */
Datum
platform_import_legacy_credentials(PG_FUNCTION_ARGS)
{
	uint8	   *sealed;
	uint8	   *nonce;
	uint8	   *tag;
	uint8	   *key;
	size_t		length;
	size_t		size;
	char	   *plain;
	Jsonb	   *result;
	bool		valid;

	platform_require_operator("import credentials");
	platform_require_argument(fcinfo, 3, "key");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	nonce = hex_argument(fcinfo, 1, "iv", PLATFORM_LEGACY_NONCE_SIZE, &size);
	tag = hex_argument(fcinfo, 2, "auth_tag", PLATFORM_LEGACY_TAG_SIZE, &size);
	sealed = hex_argument(fcinfo, 0, "encrypted", 0, &length);
	key = hex_argument(fcinfo, 3, "key", PLATFORM_LEGACY_KEY_SIZE, &size);

	plain = palloc(length + 1);
	plain[length] = '\0';
	valid = platform_legacy_gcm_open(key, nonce, tag, sealed, length, (uint8 *) plain);
	platform_wipe(key, PLATFORM_LEGACY_KEY_SIZE);
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("credentials cannot be decrypted"),
				 errdetail("The key is another one, or they were changed.")));
	if (!pg_verify_mbstr(PG_UTF8, plain, (int) length, true) ||
		(GetDatabaseEncoding() != PG_UTF8 && !pg_is_ascii(plain)) || strlen(plain) != length)
	{
		platform_wipe(plain, length);
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("credentials are no text of this database's encoding")));
	}
	result = make_json(plain, length);
	platform_wipe(plain, length);
	PG_RETURN_JSONB_P(result);
}
