/*
 * root_keys.c
 *	  Making root keys, and giving one to a session.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/crypto.h"
#include "core/data_key.h"
#include "core/identity.h"
#include "core/query.h"

/* The newest version that the tables or the source know; 0 when there is none. */
static int32
newest_version(void)
{
	static PlatformQuery newest =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT COALESCE(pg_catalog.max(version), 0) FROM platform.root_keys");
	PlatformKeyFault fault;
	const PlatformRootKey *key = platform_root_key_find(0, &fault);
	int32		version = key == NULL ? 0 : key->version;

	if (platform_module_installed(&platform_keys_module))
	{
		platform_query_begin();
		platform_query_run(&newest, NULL, NULL);
		version = Max(version, platform_row_int32(0, 1));
		platform_query_end();
	}
	return version;
}

PG_FUNCTION_INFO_V1(platform_generate_root_key);

/*
 * platform.generate_root_key(version integer DEFAULT NULL) returns text
 *
 * A fresh line for platform.root_key_file. NULL: the version after the newest
 * that the tables or the source know. Keeps nothing. EXECUTE is the grant.
 * Errors: 22023 version below 1.
 */
Datum
platform_generate_root_key(PG_FUNCTION_ARGS)
{
	int32		version = PG_ARGISNULL(0) ? newest_version() + 1 : PG_GETARG_INT32(0);
	uint8		key[PLATFORM_ROOT_KEY_SIZE];
	char		line[16 + 2 * PLATFORM_ROOT_KEY_SIZE];
	int			length;
	text	   *result;

	if (version < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version of a root key must be 1 or more")));
	platform_random_bytes(key, sizeof(key));
	length = snprintf(line, sizeof(line), "%d:", version);
	length += hex_encode((const char *) key, sizeof(key), line + length);
	result = cstring_to_text_with_len(line, length);
	platform_wipe(key, sizeof(key));
	platform_wipe(line, sizeof(line));
	PG_RETURN_TEXT_P(result);
}

/* What the tables, if there are any, have of a version, or of the active one for 0. */
static bool
recorded_key(int32 version, PlatformRootKeyRecord *record)
{
	bool		found;

	if (!platform_module_installed(&platform_keys_module))
		return false;
	platform_query_begin();
	found = platform_root_key_recorded(version, record);
	platform_query_end();
	return found;
}

PG_FUNCTION_INFO_V1(platform_unlock);

/*
 * platform.unlock(key bytea DEFAULT NULL, version integer DEFAULT NULL) returns integer
 *
 * Gives this session a root key of 32 bytes, until it ends or unlock(NULL)
 * takes it back, whatever becomes of the transaction. It goes before the
 * configured source. Returns the version; NULL version: the active one, else 1.
 * EXECUTE is the grant. Errors: 22023 wrong length or version; F0000 when the
 * database was set up with another key; 54000 more than 8 versions.
 */
Datum
platform_unlock(PG_FUNCTION_ARGS)
{
	int32		version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	PlatformRootKeyRecord record;
	PlatformKeyFault fault;
	bytea	   *key;
	bool		recorded;

	if (PG_ARGISNULL(0))
	{
		platform_root_key_lock();
		PG_RETURN_NULL();
	}
	key = PG_GETARG_BYTEA_PP(0);
	if (VARSIZE_ANY_EXHDR(key) != PLATFORM_ROOT_KEY_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("root key must have %d bytes", PLATFORM_ROOT_KEY_SIZE)));
	if (!PG_ARGISNULL(1) && version < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version of a root key must be 1 or more")));
	recorded = recorded_key(version, &record);
	if (version == 0)
		version = recorded ? record.version : 1;
	if (platform_root_key_unlock(version, (const uint8 *) VARDATA_ANY(key),
								 recorded ? record.check_value : NULL, &fault) == NULL)
		platform_key_fault_raise(&fault);
	PG_RETURN_INT32(version);
}
