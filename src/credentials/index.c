/*
 * index.c
 *	  Blind indexes: finding an encrypted value without decrypting any.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/crypto.h"
#include "core/identity.h"
#include "credentials/credentials.h"

#define INDEX_SIZE 32

PG_FUNCTION_INFO_V1(platform_secret_index);

/*
 * platform.secret_index(organization_id uuid, purpose text, value text) returns bytea
 *
 * HMAC-SHA256 of the value under the index key of the organization and purpose:
 * equal values give equal bytes, which say nothing else about them. The key
 * survives the rotation of root and data keys. The first call makes it; where
 * nothing can be written and none is there the answer is NULL, as nothing can
 * have been indexed. NULL for a NULL value. STABLE, so that an index is used;
 * EXECUTE is the grant, members act for their own organization. Errors: 42501;
 * 22004; 22023; 23503 no such organization; F0000.
 */
Datum
platform_secret_index(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *organization;
	const PlatformDataKey *key;
	const char *purpose;
	PlatformKeyFault fault;
	PlatformPlaintext plain;
	bytea	   *result;

	platform_require_module(&platform_keys_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "purpose");
	organization = PG_GETARG_UUID_P(0);
	platform_require_organization(organization);
	purpose = text_to_cstring(PG_GETARG_TEXT_PP(1));
	platform_require_purpose(purpose);
	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	plain = platform_secret_from_text(PG_GETARG_TEXT_PP(2));

	if (XactReadOnly || RecoveryInProgress())
	{
		key = platform_data_key_existing(organization, purpose, DATA_KEY_INDEX, &fault);
		if (key == NULL && fault.reason == KEY_UNKNOWN)
			PG_RETURN_NULL();
		if (key == NULL)
			platform_key_fault_raise(&fault);
	}
	else
		key = platform_data_key_active(organization, purpose, DATA_KEY_INDEX);

	result = palloc(VARHDRSZ + INDEX_SIZE);
	SET_VARSIZE(result, VARHDRSZ + INDEX_SIZE);
	platform_mac(PLATFORM_SHA256, key->bytes, sizeof(key->bytes),
				 plain.bytes, plain.length, (uint8 *) VARDATA(result));
	platform_secret_wipe(&plain);
	PG_RETURN_BYTEA_P(result);
}
