/*
 * entries.c
 *	  The log of entries: rows to append, and their look-up.
 *
 * The id of an entry with an idempotency key is computed from the account and
 * the key (UUID version 5 in the namespace of the organization), so that the
 * primary key finds keys and keeps them unique; other entries have time-ordered
 * ids. An index on the key itself would be one more to write with every burn.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/commit.h"
#include "core/uuid5.h"
#include "core/uuid7.h"
#include "tokens/entries.h"

enum
{
	E_ID,
	E_ORGANIZATION,
	E_USER_ID,
	E_KIND,
	E_AMOUNT,
	E_TOKENS_USED,
	E_SHORTFALL,
	E_BALANCE_AFTER,
	E_VERSION,
	E_FINGERPRINT,
	E_KEY,
	E_REVERSES,
	E_PAID_BY,
	E_TIMESTAMP,
	E_SESSION_ID,
	E_MODE,
	E_USED_TURN,
	E_DURATION,
	E_RATE_ID,
	E_REASON,
	E_COLUMNS
};

#define ENTRY_COLUMNS \
	{"id", UUIDOID}, \
	{"organization_id", UUIDOID}, \
	{"user_id", TEXTOID}, \
	{"kind", TEXTOID}, \
	{"amount", INT8OID}, \
	{"tokens_used", INT8OID}, \
	{"shortfall", INT8OID}, \
	{"balance_after", INT8OID}, \
	{"version", INT8OID}, \
	{"fingerprint", INT8OID}, \
	{"idempotency_key", TEXTOID}, \
	{"reverses", UUIDOID}, \
	{"paid_by", INT8ARRAYOID}, \
	{"timestamp", TIMESTAMPTZOID}, \
	{"session_id", TEXTOID}, \
	{"mode", TEXTOID}, \
	{"used_turn", BOOLOID}, \
	{"duration_seconds", INT4OID}, \
	{"rate_id", UUIDOID}, \
	{"reason", TEXTOID}

static PlatformAppendTable entries_table = {
	.cache = {.name = "token entries", .tables = {"token_usage"}},
	.ncolumns = E_COLUMNS,
	.columns = {ENTRY_COLUMNS},
};

static PlatformRowTable entries_by_id = {
	.cache = {.name = "token entries by id", .tables = {"token_usage"}},
	.immutable = true,
	.nkeys = 2,
	.ncolumns = E_COLUMNS,
	.columns = {ENTRY_COLUMNS},
};

void
platform_entries_init(void)
{
	platform_append_register(&entries_table);
	platform_row_register(&entries_by_id);
}

void
platform_entries_open(PlatformAppend *entries, int capacity)
{
	platform_append_open(entries, &entries_table, capacity);
}

Datum
platform_entries_array(const int64 *elements, int count)
{
	int			size = ARR_OVERHEAD_NONULLS(1) + count * sizeof(int64);
	ArrayType  *array = palloc(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = INT8OID;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), elements, count * sizeof(int64));
	return PointerGetDatum(array);
}

void
platform_entries_add(PlatformAppend *entries, const LedgerAccount *account,
					 const LedgerEntry *entry)
{
	TupleTableSlot *slot = platform_append_row(entries);
	pg_uuid_t  *ids = palloc(2 * sizeof(pg_uuid_t));

	ids[0] = entry->id;
	ids[1] = account->organization;
	platform_append_set(entries, slot, E_ID, UUIDPGetDatum(&ids[0]));
	platform_append_set(entries, slot, E_ORGANIZATION, UUIDPGetDatum(&ids[1]));
	platform_append_set(entries, slot, E_USER_ID, PointerGetDatum(account->user_id));
	platform_append_set(entries, slot, E_KIND, CStringGetTextDatum(entry->kind));
	platform_append_set(entries, slot, E_AMOUNT, Int64GetDatum(entry->amount));
	platform_append_set(entries, slot, E_TOKENS_USED, Int64GetDatum(entry->tokens_used));
	platform_append_set(entries, slot, E_SHORTFALL, Int64GetDatum(entry->shortfall));
	platform_append_set(entries, slot, E_BALANCE_AFTER, Int64GetDatum(account->balance));
	platform_append_set(entries, slot, E_VERSION, Int64GetDatum(account->version));
	platform_append_set(entries, slot, E_TIMESTAMP, TimestampTzGetDatum(account->now));
	if (entry->key != NULL)
	{
		platform_append_set(entries, slot, E_KEY, PointerGetDatum(entry->key));
		platform_append_set(entries, slot, E_FINGERPRINT, Int64GetDatum(entry->fingerprint));
	}
	if (entry->reverses != NULL)
		platform_append_set(entries, slot, E_REVERSES, UUIDPGetDatum(entry->reverses));
	if (entry->portions != NULL && entry->portions->count > 0)
		platform_append_set(entries, slot, E_PAID_BY,
							platform_entries_array(entry->portions->pairs,
												   entry->portions->count * 2));
	if (entry->session_id != NULL)
		platform_append_set(entries, slot, E_SESSION_ID, PointerGetDatum(entry->session_id));
	if (entry->mode != NULL)
		platform_append_set(entries, slot, E_MODE, CStringGetTextDatum(entry->mode));
	if (entry->has_turn)
		platform_append_set(entries, slot, E_USED_TURN, BoolGetDatum(entry->used_turn));
	if (entry->duration_seconds >= 0)
		platform_append_set(entries, slot, E_DURATION, Int32GetDatum(entry->duration_seconds));
	if (entry->rate_id != NULL)
		platform_append_set(entries, slot, E_RATE_ID, UUIDPGetDatum(entry->rate_id));
	if (entry->reason != NULL)
		platform_append_set(entries, slot, E_REASON, PointerGetDatum(entry->reason));
}

/*
 * Look-up.
 */

void
platform_ledger_entry_id(const LedgerAccount *account, text *key, pg_uuid_t *id)
{
	char		buffer[512];
	char	   *name = buffer;
	int			user_length = VARSIZE_ANY_EXHDR(account->user_id);
	int			key_length;

	if (key == NULL)
	{
		platform_make_uuid7(id);
		return;
	}

	/* No text has a zero byte: the two cannot run into each other. */
	key_length = VARSIZE_ANY_EXHDR(key);
	if (user_length + 1 + key_length > sizeof(buffer))
		name = palloc(user_length + 1 + key_length);
	memcpy(name, VARDATA_ANY(account->user_id), user_length);
	name[user_length] = '\0';
	memcpy(name + user_length + 1, VARDATA_ANY(key), key_length);
	platform_make_uuid5(&account->organization, name, user_length + 1 + key_length, id);
	if (name != buffer)
		pfree(name);
}

static void *
entry_pointer(const PlatformRow *row, int column)
{
	bool		isnull;
	Datum		value = platform_row_get(row, column, &isnull);

	return isnull ? NULL : DatumGetPointer(value);
}

bool
platform_ledger_find_entry(Ledger *ledger, const pg_uuid_t *organization, const pg_uuid_t *id,
						   LedgerFound *found)
{
	PlatformRow *row = &ledger->keys;
	Datum		keys[2] = {UUIDPGetDatum(id), UUIDPGetDatum(organization)};
	pg_uuid_t  *reverses;

	if (!ledger->keys_open)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(ledger->accounts.values));

		platform_row_open(row, &entries_by_id);
		ledger->keys_open = true;
		MemoryContextSwitchTo(old);
	}
	if (!platform_row_find(row, keys))
		return false;

	found->id = *id;
	found->user_id = entry_pointer(row, E_USER_ID);
	found->kind = text_to_cstring(entry_pointer(row, E_KIND));
	found->amount = platform_row_get_int64(row, E_AMOUNT, 0);
	found->tokens_used = platform_row_get_int64(row, E_TOKENS_USED, 0);
	found->shortfall = platform_row_get_int64(row, E_SHORTFALL, 0);
	found->balance_after = platform_row_get_int64(row, E_BALANCE_AFTER, 0);
	found->version = platform_row_get_int64(row, E_VERSION, 0);
	found->fingerprint = platform_row_get_int64(row, E_FINGERPRINT, 0);
	found->key = entry_pointer(row, E_KEY);
	reverses = entry_pointer(row, E_REVERSES);
	found->has_reverses = reverses != NULL;
	if (reverses != NULL)
		found->reverses = *reverses;
	found->paid_by = entry_pointer(row, E_PAID_BY);
	if (found->paid_by != NULL)
		found->paid_by = DatumGetArrayTypePCopy(PointerGetDatum(found->paid_by));
	found->timestamp = platform_row_get_timestamptz(row, E_TIMESTAMP, 0);

	/* Who made it may not have been answered yet; this answer must not be the first to be lost. */
	platform_commit_require_durable(platform_row_xmin(row));
	return true;
}

bool
platform_ledger_find_key(Ledger *ledger, text *key, const char *kind, int64 fingerprint,
						 LedgerFound *found, bool *conflict)
{
	pg_uuid_t	id;

	platform_ledger_entry_id(&ledger->account, key, &id);
	if (!platform_ledger_find_entry(ledger, &ledger->account.organization, &id, found))
		return false;
	*conflict = found->key == NULL || strcmp(found->kind, kind) != 0 ||
		found->fingerprint != fingerprint;
	return true;
}
