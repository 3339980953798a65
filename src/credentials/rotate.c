/*
 * rotate.c
 *	  Rotating root keys and data keys, and destroying data keys.
 *
 * The locks are those of core/data_key.h, taken in the order root_keys,
 * data_keys, mutex.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/argument.h"
#include "core/crypto.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "credentials/credentials.h"

#define BATCH 500

/* ---- root keys ---- */

/* Makes the version active, and the others decrypt_only; false when it is already. */
static bool
activate_root(const PlatformRootKey *key)
{
	static PlatformQuery retire =
		PLATFORM_QUERY(QUERY_LATEST,
					   "UPDATE platform.root_keys SET state = 'decrypt_only', retired_at = pg_catalog.now()"
					   " WHERE state OPERATOR(pg_catalog.=) 'active'");
	static PlatformQuery activate =
		PLATFORM_QUERY(QUERY_LATEST,
					   "INSERT INTO platform.root_keys (version, check_value, state) VALUES ($1, $2, 'active')"
					   " ON CONFLICT (version) DO UPDATE SET state = 'active', retired_at = NULL",
					   INT4OID, BYTEAOID);
	PlatformRootKeyRecord record;
	PlatformKeyFault fault;
	Datum		values[2] = {Int32GetDatum(key->version), platform_check_value_datum(key->check_value)};

	if (platform_root_key_recorded(key->version, &record))
	{
		if (record.active)
			return false;
		if (platform_root_key_checked(key->version, record.check_value, &fault) == NULL)
			platform_key_fault_raise(&fault);
	}
	platform_query_run(&retire, NULL, NULL);
	platform_query_run(&activate, values, NULL);
	return true;
}

/* A data key as it is now. */
typedef struct WrappedKey
{
	PlatformDataKeyRow row;
	pg_uuid_t	organization;
	int32		root_version;
	uint8		check_value[PLATFORM_CHECK_VALUE_SIZE];
	uint8		wrapped[PLATFORM_WRAPPED_KEY_SIZE];
} WrappedKey;

/* The keys of the batch that was fetched. */
static WrappedKey *
copy_batch(int count)
{
	WrappedKey *keys = palloc(sizeof(WrappedKey) * count);

	for (int i = 0; i < count; i++)
	{
		WrappedKey *key = &keys[i];

		key->organization = platform_row_uuid(i, 2);
		key->row.organization = &key->organization;
		key->row.id = platform_row_int32(i, 1);
		key->row.purpose = platform_row_cstring(i, 3);
		key->row.kind = platform_row_bool(i, 4) ? DATA_KEY_INDEX : DATA_KEY_SECRET;
		key->root_version = platform_row_int32(i, 5);
		platform_row_bytes(i, 6, key->wrapped, sizeof(key->wrapped));
		platform_row_bytes(i, 7, key->check_value, sizeof(key->check_value));
	}
	return keys;
}

static void
rewrap_key(const WrappedKey *key, const PlatformRootKey *root)
{
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST,
					   "UPDATE platform.data_keys SET root_version = $3, wrapped = $4"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " AND organization_id OPERATOR(pg_catalog.=) $2",
					   INT4OID, UUIDOID, INT4OID, BYTEAOID);
	bytea	   *wrapped = palloc(VARHDRSZ + PLATFORM_WRAPPED_KEY_SIZE);
	PlatformKeyFault fault;
	const PlatformRootKey *old = platform_root_key_checked(key->root_version, key->check_value, &fault);
	uint8		bytes[PLATFORM_AEAD_KEY_SIZE];
	Datum		values[4];

	if (old == NULL)
		platform_key_fault_raise(&fault);
	if (!platform_data_key_unwrap(&key->row, old, key->wrapped, bytes))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("data key %d is not authentic", key->row.id),
				 errdetail("It is of organization %s and purpose \"%s\".",
						   DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&key->organization))),
						   key->row.purpose),
				 errhint("Restore its row from a backup, or give its secrets up with platform.destroy_data_key().")));
	SET_VARSIZE(wrapped, VARHDRSZ + PLATFORM_WRAPPED_KEY_SIZE);
	platform_data_key_wrap(&key->row, root, bytes, (uint8 *) VARDATA(wrapped));
	platform_wipe(bytes, sizeof(bytes));
	values[0] = Int32GetDatum(key->row.id);
	values[1] = UUIDPGetDatum(&key->organization);
	values[2] = Int32GetDatum(root->version);
	values[3] = PointerGetDatum(wrapped);
	platform_query_run(&update, values, NULL);
}

/* Re-wraps all data keys; returns how many. */
static int64
rewrap_keys(const PlatformRootKey *root)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT k.id, k.organization_id, k.purpose, k.kind OPERATOR(pg_catalog.=) 'index',"
					   " k.root_version, k.wrapped, r.check_value"
					   " FROM platform.data_keys k"
					   " JOIN platform.root_keys r ON r.version OPERATOR(pg_catalog.=) k.root_version"
					   " WHERE k.wrapped IS NOT NULL AND k.root_version OPERATOR(pg_catalog.<>) $1",
					   INT4OID);
	Datum		values[1] = {Int32GetDatum(root->version)};
	Portal		portal = platform_query_cursor(&find, values, NULL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "platform key rotation",
												  ALLOCSET_DEFAULT_SIZES);
	int64		rewrapped = 0;

	for (;;)
	{
		MemoryContext saved;
		WrappedKey *keys;
		int			count;

		SPI_cursor_fetch(portal, true, BATCH);
		count = (int) SPI_processed;
		if (count == 0)
			break;
		saved = MemoryContextSwitchTo(context);
		keys = copy_batch(count);
		SPI_freetuptable(SPI_tuptable);
		for (int i = 0; i < count; i++)
			rewrap_key(&keys[i], root);
		rewrapped += count;
		MemoryContextSwitchTo(saved);
		MemoryContextReset(context);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(context);
	return rewrapped;
}

/* Records a change of keys; the default organization stands for the platform. */
static void
record(const char *action, const pg_uuid_t *organization, const char *purpose, const char *detail)
{
	PlatformSecretPlace place = {.organization = organization, .purpose = purpose};

	platform_secret_record(action, &place, detail);
}

PG_FUNCTION_INFO_V1(platform_rotate_root_key);

/*
 * platform.rotate_root_key(OUT version integer, OUT rewrapped bigint) returns record
 *
 * Makes the newest root key of the source the active one and re-wraps all data
 * keys under it, in this transaction. Secrets stay as they are. Both versions
 * must be available; when it has committed, the old one is needed for older
 * backups only. Waits for transactions that make data keys. Recorded in
 * secret_access_log. Operators. Errors: 42501; PT409 the newest is active
 * already; F0000 a root key is missing or wrong; XX001 a data key is damaged.
 */
Datum
platform_rotate_root_key(PG_FUNCTION_ARGS)
{
	PlatformKeyFault fault;
	const PlatformRootKey *newest;
	PlatformRootKey root;
	Datum		values[2];
	bool		nulls[2] = {false};

	platform_require_module(&platform_keys_module);
	platform_require_operator("rotate the root key");
	platform_root_keys_exclude();
	newest = platform_root_key_find(0, &fault);
	if (newest == NULL)
		platform_key_fault_raise(&fault);
	root = *newest;

	platform_query_begin();
	if (!activate_root(&root))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("root key version %d is active already", root.version),
				 errhint("Add a newer one to its source, after the others: platform.generate_root_key() makes the line.")));
	values[0] = Int32GetDatum(root.version);
	values[1] = Int64GetDatum(rewrap_keys(&root));
	platform_query_end();
	platform_wipe(&root, sizeof(root));
	record("rotate_root_key", &platform_nil_uuid, "root_keys",
		   psprintf("version %d", DatumGetInt32(values[0])));
	return platform_return_row(fcinfo, values, nulls);
}

/* ---- data keys ---- */

/* Arguments organization_id and purpose of an operator. */
static const char *
key_arguments(FunctionCallInfo fcinfo, const pg_uuid_t **organization, const char *action)
{
	const char *purpose;

	platform_require_module(&platform_keys_module);
	platform_require_operator(action);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_argument(fcinfo, 1, "purpose");
	*organization = PG_GETARG_UUID_P(0);
	purpose = text_to_cstring(PG_GETARG_TEXT_PP(1));
	platform_require_purpose(purpose);
	return purpose;
}

PG_FUNCTION_INFO_V1(platform_rotate_data_key);

/*
 * platform.rotate_data_key(organization_id uuid, purpose text) returns integer
 *
 * Makes a new active data key and returns its number; the one before decrypts
 * only. Secrets move to the new key when they are written next, or by
 * reencrypt_credentials() and reencrypt_secret(). Makes the first key when there
 * is none. Recorded in secret_access_log. Operators. Errors: 42501; 22004;
 * 22023; 23503 no such organization; F0000.
 */
Datum
platform_rotate_data_key(PG_FUNCTION_ARGS)
{
	static PlatformQuery retire =
		PLATFORM_QUERY(QUERY_LATEST,
					   "UPDATE platform.data_keys SET state = 'decrypt_only', retired_at = pg_catalog.now()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND purpose OPERATOR(pg_catalog.=) $2"
					   " AND kind OPERATOR(pg_catalog.=) 'secret'"
					   " AND state OPERATOR(pg_catalog.=) 'active'",
					   UUIDOID, TEXTOID);
	const pg_uuid_t *organization;
	const char *purpose = key_arguments(fcinfo, &organization, "rotate a data key");
	Datum		values[2] = {UUIDPGetDatum(organization), CStringGetTextDatum(purpose)};
	int32		id;

	platform_root_keys_share();
	platform_data_key_mutex(organization, purpose);
	platform_query_begin();
	platform_query_run(&retire, values, NULL);
	id = platform_data_key_create(organization, purpose, DATA_KEY_SECRET);
	platform_query_end();
	record("rotate_data_key", organization, purpose, psprintf("key %d", id));
	PG_RETURN_INT32(id);
}

/* What a scan looks for, and how often it was found. */
typedef struct KeyUse
{
	int32		key_id;			/* 0: any */
	int64		secrets;
} KeyUse;

static void
count_use(const SecretColumn *column, const PlatformSecretPlace *place,
		  const char *value, size_t length, void *arg)
{
	KeyUse	   *use = arg;
	int32		key_id = platform_secret_key_id(value, length);

	if (key_id != 0 && (use->key_id == 0 || use->key_id == key_id))
		use->secrets++;
}

/* Refuses while something is, or may be, encrypted under the key. */
static void
require_unused(const pg_uuid_t *organization, const char *purpose, int32 key_id)
{
	KeyUse		use = {key_id, 0};
	bool		complete = platform_scan_secrets(organization, purpose, count_use, &use);

	if (use.secrets > 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("data keys of purpose \"%s\" are in use", purpose),
				 errdetail("%lld secrets could not be read any more.", (long long) use.secrets),
				 errhint("Re-encrypt them first, or pass force => true to give them up.")));
	if (!complete)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("cannot tell whether data keys of purpose \"%s\" are in use", purpose),
				 errdetail("No column with that purpose is listed in platform.secret_columns, or one cannot be looked through."),
				 errhint("Correct the list, or pass force => true.")));
}

PG_FUNCTION_INFO_V1(platform_destroy_data_key);

/*
 * platform.destroy_data_key(organization_id uuid, purpose text,
 *		key_id integer DEFAULT NULL, force boolean DEFAULT false) returns integer
 *
 * Erases a data key, or all of the organization and purpose for NULL, that of
 * secret_index() with them: what is encrypted under it can never be read again.
 * Returns how many were erased; none is left is 0. Refuses while secrets use
 * them unless forced. Waits for transactions that encrypt, and holds them up
 * until its own ends. Backups still hold the wrapped key, of use to who has the
 * root key of then. Recorded in secret_access_log. Operators. Errors: 42501;
 * 22004; 22023; PT404 no such key; PT409 in use.
 */
Datum
platform_destroy_data_key(PG_FUNCTION_ARGS)
{
	static PlatformQuery exists =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
					   "SELECT 1 FROM platform.data_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND purpose OPERATOR(pg_catalog.=) $2"
					   " AND id OPERATOR(pg_catalog.=) $3",
					   UUIDOID, TEXTOID, INT4OID);
	static PlatformQuery destroy =
		PLATFORM_QUERY(QUERY_LATEST,
					   "UPDATE platform.data_keys"
					   " SET state = 'destroyed', wrapped = NULL, destroyed_at = pg_catalog.now()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND purpose OPERATOR(pg_catalog.=) $2"
					   " AND ($3 IS NULL OR id OPERATOR(pg_catalog.=) $3)"
					   " AND wrapped IS NOT NULL",
					   UUIDOID, TEXTOID, INT4OID);
	const pg_uuid_t *organization;
	const char *purpose = key_arguments(fcinfo, &organization, "destroy a data key");
	int32		key_id = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	bool		force = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	Datum		values[3] = {UUIDPGetDatum(organization), CStringGetTextDatum(purpose),
	Int32GetDatum(key_id)};
	bool		nulls[3] = {false, false, PG_ARGISNULL(2)};
	int32		destroyed;

	platform_root_keys_share();
	platform_data_keys_exclude();
	platform_query_begin();
	if (!nulls[2] && platform_query_run(&exists, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("data key %d does not exist", key_id),
				 errdetail("The organization has no key of that number for purpose \"%s\".", purpose)));
	if (!force)
		require_unused(organization, purpose, key_id);
	destroyed = (int32) platform_query_run(&destroy, values, nulls);
	platform_query_end();
	if (destroyed > 0)
		record("destroy_data_key", organization, purpose,
			   nulls[2] ? psprintf("%d keys", destroyed) : psprintf("key %d", key_id));
	PG_RETURN_INT32(destroyed);
}
