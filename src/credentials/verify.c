/*
 * verify.c
 *	  Can all secrets be read? A scan that no bad row ends.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/tuplestore.h"

#include "core/identity.h"
#include "credentials/credentials.h"

#define MAX_IDS 10

/* Secrets of a column and organization under one key that fared alike. */
typedef struct SecretGroupKey
{
	const SecretColumn *column;
	pg_uuid_t	organization;
	int32		key_id;
	int32		reason;
} SecretGroupKey;

typedef struct SecretGroup
{
	SecretGroupKey	key;
	int64		secrets;
	int			nids;
	pg_uuid_t	ids[MAX_IDS];	/* of the first ones that cannot be read */
} SecretGroup;

/* Decrypts, and counts how that went. */
static void
count_secret(const SecretColumn *column, const PlatformSecretPlace *place,
			 const char *value, size_t length, void *arg)
{
	HTAB	   *groups = arg;
	PlatformPlaintext plain;
	PlatformKeyFault fault;
	SecretGroupKey	key;
	SecretGroup	   *group;
	bool		found;
	bool		readable = platform_secret_try_decrypt(place, value, length, &plain, &fault);

	platform_secret_wipe(&plain);
	memset(&key, 0, sizeof(key));
	key.column = column;
	key.organization = *place->organization;
	key.key_id = platform_secret_key_id(value, length);
	key.reason = readable ? KEY_OK : fault.reason;
	group = hash_search(groups, &key, HASH_ENTER, &found);
	if (!found)
	{
		group->secrets = 0;
		group->nids = 0;
	}
	group->secrets++;
	if (!readable && group->nids < MAX_IDS)
		group->ids[group->nids++] = *place->row;
}

static void
put_group(const SecretGroup *group, ReturnSetInfo *result)
{
	const SecretGroupKey *key = &group->key;
	const char *reason = platform_key_reason_name(key->reason);
	Datum		ids[MAX_IDS];
	Datum		values[8];
	bool		nulls[8] = {false};

	for (int i = 0; i < group->nids; i++)
		ids[i] = UUIDPGetDatum(&group->ids[i]);
	values[0] = CStringGetTextDatum(key->column->table);
	values[1] = CStringGetTextDatum(key->column->name);
	values[2] = UUIDPGetDatum(&key->organization);
	values[3] = Int32GetDatum(key->key_id);
	nulls[3] = key->key_id == 0;
	values[4] = BoolGetDatum(key->reason == KEY_OK);
	values[5] = Int64GetDatum(group->secrets);
	nulls[6] = reason == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(reason);
	nulls[7] = group->nids == 0;
	values[7] = nulls[7] ? (Datum) 0 :
		PointerGetDatum(construct_array(ids, group->nids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(platform_verify_secrets);

/*
 * platform.verify_secrets(for_organization_id uuid DEFAULT NULL)
 *		returns table (table_name text, column_name text, organization_id uuid,
 *					   key_id integer, readable boolean, secrets bigint,
 *					   reason text, ids uuid[])
 *
 * Decrypts every secret of the columns in platform.secret_columns, of one
 * organization or of all for NULL, and counts them by key and by why they
 * cannot be read: MALFORMED, UNSUPPORTED, NO_ROOT_KEY, WRONG_ROOT_KEY,
 * UNKNOWN_KEY, KEY_DESTROYED, NOT_AUTHENTIC. ids: rows of the first ten. No bad
 * secret ends the scan. Operators. Errors: 42501.
 */
Datum
platform_verify_secrets(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const pg_uuid_t *organization = PG_ARGISNULL(0) ? NULL : PG_GETARG_UUID_P(0);
	HASHCTL		control = {.keysize = sizeof(SecretGroupKey), .entrysize = sizeof(SecretGroup),
	.hcxt = CurrentMemoryContext};
	HASH_SEQ_STATUS scan;
	HTAB	   *groups;
	SecretGroup	   *group;

	platform_require_module(&platform_keys_module);
	platform_require_operator("verify secrets");
	InitMaterializedSRF(fcinfo, 0);
	groups = hash_create("platform verified secrets", 256, &control,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	platform_scan_secrets(organization, NULL, count_secret, groups);
	hash_seq_init(&scan, groups);
	while ((group = hash_seq_search(&scan)) != NULL)
		put_group(group, result);
	return (Datum) 0;
}
