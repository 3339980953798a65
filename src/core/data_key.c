/*
 * data_key.c
 *	  Data keys: one active key an organization and purpose.
 *
 * State: slots in key memory, sets of eight by a hash of organization, purpose
 * and kind; within a set the one used longest ago gives way. A slot is
 * overwritten when it does, and all of them when the cache is found invalid.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"

#include "core/cache.h"
#include "core/crypto.h"
#include "core/data_key.h"
#include "core/key_memory.h"
#include "core/nonce.h"
#include "core/query.h"
#include "core/row.h"

#define SETS	1024
#define WAYS	8

typedef struct KeySlot
{
	PlatformDataKey key;		/* id 0: empty */
	bool		active;
	uint8		kind;
	uint8		purpose_length;
	uint64		used;
	pg_uuid_t	organization;
	char		purpose[PLATFORM_PURPOSE_MAX];
} KeySlot;

PlatformModule platform_keys_module = {.name = "credentials", .version = 550};

static PlatformCache cache = {
	.name = "data keys",
	.tables = {"data_keys", "root_keys"},
};
static uint64 root_generation = 0;

static KeySlot (*slots)[WAYS] = NULL;
static bool set_is_used[SETS];
static KeySlot *last_slot = NULL;	/* used last */
static uint64 uses = 0;

/* The root key under which the key read last is wrapped, as recorded; as good as the slots. */
static PlatformRootKeyRecord last_root = {0};

/* Where the lock of who encrypts was taken last. */
static LocalTransactionId share_transaction = InvalidLocalTransactionId;
static SubTransactionId share_subtransaction = InvalidSubTransactionId;

static const char *const kind_names[] = {
	[DATA_KEY_SECRET] = "secret",
	[DATA_KEY_INDEX] = "index",
};

/* A key that a prepared transaction has made may yet be rolled back. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PREPARE)
		platform_cache_discard(&cache);
}

void
platform_data_key_init(void)
{
	platform_cache_register(&cache);
	RegisterXactCallback(at_transaction_end, NULL);
}

const char *
platform_data_key_kind_name(PlatformDataKeyKind kind)
{
	return kind_names[kind];
}

void
platform_require_purpose(const char *purpose)
{
	size_t		length = strlen(purpose);

	if (length < 1 || length > PLATFORM_PURPOSE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("purpose of a secret must have 1 to %d bytes", PLATFORM_PURPOSE_MAX)));
}

/* ---- slots ---- */

/* Overwrites what is no longer to be trusted; cheap when all is. */
static void
validate_slots(void)
{
	if (slots == NULL)
		slots = platform_key_memory(sizeof(KeySlot) * SETS * WAYS);
	if (platform_cache_is_valid(&cache) && root_generation == platform_root_key_generation)
		return;
	for (int i = 0; i < SETS; i++)
		if (set_is_used[i])
			platform_wipe(slots[i], sizeof(slots[i]));
	memset(set_is_used, 0, sizeof(set_is_used));
	last_root.version = 0;
	platform_aead_forget();
	root_generation = platform_root_key_generation;
	platform_cache_begin_fill(&cache);
}

static KeySlot *
key_set(const pg_uuid_t *organization, const char *purpose, size_t length)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) purpose, (int) length,
										   hash_bytes(organization->data, UUID_LEN));

	return slots[hash % SETS];
}

/* Does it hold the active key (row->id 0), or the one with the number? */
static inline bool
slot_holds(const KeySlot *slot, const PlatformDataKeyRow *row, size_t length)
{
	return slot->key.id != 0 && (row->id == 0 ? slot->active : slot->key.id == row->id) &&
		slot->kind == row->kind && slot->purpose_length == length &&
		platform_uuid_equal(&slot->organization, row->organization) &&
		memcmp(slot->purpose, row->purpose, length) == 0;
}

static KeySlot *
find_slot(const PlatformDataKeyRow *row)
{
	size_t		length = strlen(row->purpose);
	KeySlot    *set;

	if (last_slot != NULL && slot_holds(last_slot, row, length))
		return last_slot;
	set = key_set(row->organization, row->purpose, length);
	for (int i = 0; i < WAYS; i++)
		if (slot_holds(&set[i], row, length))
		{
			set[i].used = ++uses;
			last_slot = &set[i];
			return last_slot;
		}
	return NULL;
}

/* Keeps the key and overwrites its bytes. */
static KeySlot *
fill_slot(const PlatformDataKeyRow *row, bool active, uint8 *bytes)
{
	KeySlot    *set = key_set(row->organization, row->purpose, strlen(row->purpose));
	KeySlot    *slot = &set[0];

	for (int i = 1; i < WAYS; i++)
		if (set[i].used < slot->used)
			slot = &set[i];
	set_is_used[(set - slots[0]) / WAYS] = true;
	platform_wipe(slot, sizeof(KeySlot));
	memcpy(slot->key.bytes, bytes, sizeof(slot->key.bytes));
	platform_wipe(bytes, sizeof(slot->key.bytes));
	platform_xaes_mask(slot->key.bytes, slot->key.mask);
	slot->active = active;
	slot->kind = (uint8) row->kind;
	slot->purpose_length = (uint8) strlen(row->purpose);
	memcpy(slot->purpose, row->purpose, slot->purpose_length);
	slot->organization = *row->organization;
	slot->used = ++uses;
	slot->key.id = row->id;
	return slot;
}

/* ---- wrapping ---- */

static void
wrapping_aad(const PlatformDataKeyRow *row, const PlatformRootKey *root, PlatformAadBuffer *aad)
{
	const char *kind = kind_names[row->kind];

	aad->length = 0;
	platform_aad_append_part(aad, PLATFORM_AAD_LABEL, strlen(PLATFORM_AAD_LABEL));
	platform_aad_append_part(aad, kind, strlen(kind));
	platform_aad_append_number(aad, (uint32) root->version);
	platform_aad_append_number(aad, (uint32) row->id);
	platform_aad_append_part(aad, row->organization->data, UUID_LEN);
	platform_aad_append_part(aad, row->purpose, strlen(row->purpose));
}

void
platform_data_key_wrap(const PlatformDataKeyRow *row, const PlatformRootKey *root,
					   const uint8 *key, uint8 *wrapped)
{
	PlatformAadBuffer aad;

	wrapping_aad(row, root, &aad);
	platform_draw_nonce(wrapped, PLATFORM_GCM_NONCE_SIZE);
	platform_gcm_seal(root->wrapping_key, wrapped, platform_aad(&aad),
					  key, PLATFORM_AEAD_KEY_SIZE, wrapped + PLATFORM_GCM_NONCE_SIZE);
}

bool
platform_data_key_unwrap(const PlatformDataKeyRow *row, const PlatformRootKey *root,
						 const uint8 *wrapped, uint8 *key)
{
	PlatformAadBuffer aad;

	wrapping_aad(row, root, &aad);
	return platform_gcm_open(root->wrapping_key, wrapped, platform_aad(&aad),
							 wrapped + PLATFORM_GCM_NONCE_SIZE,
							 PLATFORM_AEAD_KEY_SIZE + PLATFORM_AEAD_TAG_SIZE, key);
}

/* ---- reading ---- */

static KeySlot *
key_unknown(const PlatformDataKeyRow *row, PlatformKeyFault *fault)
{
	platform_key_fault(fault, KEY_UNKNOWN, "no such data key",
					   row->id == 0 ? "There is none for that organization and purpose yet." :
					   psprintf("It has the number %d for that organization and purpose.", row->id),
					   NULL);
	return NULL;
}

/* Unwraps a key that was read into the row and is wrapped under last_root. */
static KeySlot *
unwrap_slot(const PlatformDataKeyRow *row, bool active, const uint8 *wrapped, PlatformKeyFault *fault)
{
	const PlatformRootKey *root = platform_root_key_checked(last_root.version, last_root.check_value, fault);
	uint8		bytes[PLATFORM_AEAD_KEY_SIZE];

	if (root == NULL)
		return NULL;
	if (!platform_data_key_unwrap(row, root, wrapped, bytes))
	{
		platform_key_fault(fault, KEY_NOT_AUTHENTIC, "data key is not authentic",
						   psprintf("Data key %d is not what root key version %d has wrapped for that organization and purpose.",
									row->id, root->version), NULL);
		return NULL;
	}
	/* the root key's source may have been looked at anew */
	validate_slots();
	return fill_slot(row, active, bytes);
}

/* Reads the active key (row->id 0) or the one with the id. */
static KeySlot *
load_slot(PlatformDataKeyRow *row, PlatformKeyFault *fault)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id, state OPERATOR(pg_catalog.=) 'active', root_version, wrapped"
					   " FROM platform.data_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2"
					   " AND purpose OPERATOR(pg_catalog.=) $3"
					   " AND kind OPERATOR(pg_catalog.=) $4",
					   UUIDOID, INT4OID, TEXTOID, TEXTOID);
	static PlatformQuery find_active =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id, true, root_version, wrapped"
					   " FROM platform.data_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.<>) $2"
					   " AND purpose OPERATOR(pg_catalog.=) $3"
					   " AND kind OPERATOR(pg_catalog.=) $4"
					   " AND state OPERATOR(pg_catalog.=) 'active'",
					   UUIDOID, INT4OID, TEXTOID, TEXTOID);
	Datum		values[4] = {
		UUIDPGetDatum(row->organization),
		Int32GetDatum(row->id),
		CStringGetTextDatum(row->purpose),
		CStringGetTextDatum(kind_names[row->kind]),
	};
	uint8		wrapped[PLATFORM_WRAPPED_KEY_SIZE];
	bool		active;
	bool		destroyed;
	int32		root_version;

	platform_query_begin();
	if (platform_query_run(row->id == 0 ? &find_active : &find, values, NULL) == 0)
	{
		platform_query_end();
		return key_unknown(row, fault);
	}
	row->id = platform_row_int32(0, 1);
	active = platform_row_bool(0, 2);
	root_version = platform_row_int32(0, 3);
	platform_row_datum(0, 4, &destroyed);
	if (!destroyed)
	{
		platform_row_bytes(0, 4, wrapped, sizeof(wrapped));
		if (last_root.version != root_version && !platform_root_key_recorded(root_version, &last_root))
			elog(ERROR, "root key version %d is not recorded", root_version);
	}
	platform_query_end();
	if (destroyed)
	{
		platform_key_fault(fault, KEY_DESTROYED, "data key has been destroyed",
						   psprintf("What was encrypted under data key %d cannot be read any more.", row->id),
						   NULL);
		return NULL;
	}
	return unwrap_slot(row, active, wrapped, fault);
}

static const PlatformDataKey *
find_key(const pg_uuid_t *organization, const char *purpose, PlatformDataKeyKind kind,
		 int32 id, PlatformKeyFault *fault)
{
	PlatformDataKeyRow row = {organization, purpose, kind, id};
	KeySlot    *slot;

	validate_slots();
	slot = find_slot(&row);
	if (slot == NULL)
	{
		uint64		generation = cache.generation;

		slot = load_slot(&row, fault);
		/* what changed while it was read: good for this once */
		if (generation != cache.generation)
			platform_cache_discard(&cache);
	}
	return slot == NULL ? NULL : &slot->key;
}

const PlatformDataKey *
platform_data_key_find(const pg_uuid_t *organization, const char *purpose,
					   PlatformDataKeyKind kind, int32 id, PlatformKeyFault *fault)
{
	PlatformDataKeyRow row = {organization, purpose, kind, id};

	if (id <= 0)
	{
		key_unknown(&row, fault);
		return NULL;
	}
	return find_key(organization, purpose, kind, id, fault);
}

const PlatformDataKey *
platform_data_key_existing(const pg_uuid_t *organization, const char *purpose,
						   PlatformDataKeyKind kind, PlatformKeyFault *fault)
{
	return find_key(organization, purpose, kind, 0, fault);
}

/* ---- locks ---- */

static void
lock_table(const char *name, LOCKMODE mode)
{
	LockRelationOid(platform_relation_oid(name, false), mode);
}

void
platform_data_keys_share(void)
{
	LocalTransactionId transaction = platform_local_transaction();
	SubTransactionId subtransaction = GetCurrentSubTransactionId();

	/* nothing but the end of that subtransaction lets go of it */
	if (transaction == share_transaction && subtransaction == share_subtransaction)
		return;
	lock_table("data_keys", RowShareLock);
	share_transaction = transaction;
	share_subtransaction = subtransaction;
}

void
platform_root_keys_share(void)
{
	lock_table("root_keys", RowShareLock);
}

void
platform_data_keys_exclude(void)
{
	lock_table("data_keys", ExclusiveLock);
}

void
platform_root_keys_exclude(void)
{
	lock_table("root_keys", ExclusiveLock);
}

void
platform_data_key_mutex(const pg_uuid_t *organization, const char *purpose)
{
	static const char space[] = "platform.data_keys";

	platform_mutex_lock(hash_bytes_extended((const unsigned char *) purpose, (int) strlen(purpose),
											hash_bytes_extended(organization->data, UUID_LEN,
																hash_bytes((const unsigned char *) space, strlen(space)))));
}

/* ---- making ---- */

bool
platform_root_key_recorded(int32 version, PlatformRootKeyRecord *record)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT version, state OPERATOR(pg_catalog.=) 'active', check_value"
					   " FROM platform.root_keys"
					   " WHERE version OPERATOR(pg_catalog.=) $1"
					   " OR ($1 OPERATOR(pg_catalog.=) 0 AND state OPERATOR(pg_catalog.=) 'active')",
					   INT4OID);
	Datum		values[1] = {Int32GetDatum(version)};

	record->version = 0;
	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	record->version = platform_row_int32(0, 1);
	record->active = platform_row_bool(0, 2);
	platform_row_bytes(0, 3, record->check_value, sizeof(record->check_value));
	return true;
}

Datum
platform_check_value_datum(const uint8 *check_value)
{
	bytea	   *value = palloc(VARHDRSZ + PLATFORM_CHECK_VALUE_SIZE);

	SET_VARSIZE(value, VARHDRSZ + PLATFORM_CHECK_VALUE_SIZE);
	memcpy(VARDATA(value), check_value, PLATFORM_CHECK_VALUE_SIZE);
	return PointerGetDatum(value);
}

/* Records the newest root key of the source as the first of this database. */
static void
record_first_root(PlatformRootKeyRecord *record)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_OWNER,
					   "INSERT INTO platform.root_keys (version, check_value, state)"
					   " VALUES ($1, $2, 'active')",
					   INT4OID, BYTEAOID);
	PlatformKeyFault fault;
	const PlatformRootKey *root;
	Datum		values[2];

	platform_data_key_mutex(&platform_nil_uuid, "root");
	if (platform_root_key_recorded(0, record))
		return;
	root = platform_root_key_find(0, &fault);
	if (root == NULL)
		platform_key_fault_raise(&fault);
	record->version = root->version;
	record->active = true;
	memcpy(record->check_value, root->check_value, sizeof(record->check_value));
	values[0] = Int32GetDatum(record->version);
	values[1] = platform_check_value_datum(record->check_value);
	platform_query_run(&insert, values, NULL);
}

const PlatformRootKey *
platform_root_key_active(void)
{
	PlatformRootKeyRecord record;
	PlatformKeyFault fault;
	const PlatformRootKey *root;

	platform_query_begin();
	if (!platform_root_key_recorded(0, &record))
		record_first_root(&record);
	platform_query_end();
	root = platform_root_key_checked(record.version, record.check_value, &fault);
	if (root == NULL)
		platform_key_fault_raise(&fault);
	return root;
}

/* A number that no key of the organization has; scarce enough to guess none. */
static int32
new_key_id(const pg_uuid_t *organization)
{
	static PlatformQuery taken =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.data_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, INT4OID);
	Datum		values[2] = {UUIDPGetDatum(organization), 0};
	int32		id;

	do
	{
		platform_random_bytes(&id, sizeof(id));
		id &= PG_INT32_MAX;
		values[1] = Int32GetDatum(id);
	} while (id == 0 || platform_query_run(&taken, values, NULL) > 0);
	return id;
}

int32
platform_data_key_create(const pg_uuid_t *organization, const char *purpose,
						 PlatformDataKeyKind kind)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_OWNER,
					   "WITH made AS (INSERT INTO platform.data_keys"
					   " (id, organization_id, purpose, kind, state, root_version, wrapped)"
					   " VALUES ($1, $2, $3, $4, 'active', $5, $6) RETURNING id, organization_id, kind)"
					   " INSERT INTO platform.data_key_counts (key_id, organization_id)"
					   " SELECT id, organization_id FROM made WHERE kind OPERATOR(pg_catalog.=) 'secret'",
					   INT4OID, UUIDOID, TEXTOID, TEXTOID, INT4OID, BYTEAOID);
	const PlatformRootKey *root = platform_root_key_active();
	PlatformDataKeyRow row = {organization, purpose, kind, 0};
	uint8		bytes[PLATFORM_AEAD_KEY_SIZE];
	bytea	   *wrapped = palloc(VARHDRSZ + PLATFORM_WRAPPED_KEY_SIZE);
	Datum		values[6];

	platform_query_begin();
	row.id = new_key_id(organization);
	SET_VARSIZE(wrapped, VARHDRSZ + PLATFORM_WRAPPED_KEY_SIZE);
	platform_random_bytes(bytes, sizeof(bytes));
	platform_data_key_wrap(&row, root, bytes, (uint8 *) VARDATA(wrapped));
	platform_wipe(bytes, sizeof(bytes));
	values[0] = Int32GetDatum(row.id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = CStringGetTextDatum(purpose);
	values[3] = CStringGetTextDatum(kind_names[kind]);
	values[4] = Int32GetDatum(root->version);
	values[5] = PointerGetDatum(wrapped);
	platform_query_run(&insert, values, NULL);
	platform_query_end();
	return row.id;
}

const PlatformDataKey *
platform_data_key_active(const pg_uuid_t *organization, const char *purpose,
						 PlatformDataKeyKind kind)
{
	PlatformKeyFault fault;
	const PlatformDataKey *key;

	/* first the lock: then what is destroyed by now is known to be */
	platform_data_keys_share();
	key = platform_data_key_existing(organization, purpose, kind, &fault);
	if (key == NULL && fault.reason == KEY_UNKNOWN)
	{
		platform_root_keys_share();
		platform_data_key_mutex(organization, purpose);
		key = platform_data_key_existing(organization, purpose, kind, &fault);
		if (key == NULL && fault.reason == KEY_UNKNOWN)
		{
			platform_data_key_create(organization, purpose, kind);
			key = platform_data_key_existing(organization, purpose, kind, &fault);
		}
	}
	if (key == NULL)
		platform_key_fault_raise(&fault);
	return key;
}
