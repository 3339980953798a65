/*
 * data_key_count.c
 *	  How often a data key has encrypted with AES-256-GCM.
 *
 * State: what this backend has in hand of each key, at most 64 of them, in the
 * order of first use; the oldest gives way and what it had in hand counts as
 * used. The count in the table belongs to the transaction that took a block:
 * when it is rolled back, what was used of the block is counted with the next
 * one, for the nonces were used all the same.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "catalog/pg_type.h"

#include "core/data_key_count.h"
#include "core/error.h"
#include "core/row.h"

#define MAX_ALLOWANCES	64
#define MAX_BLOCK		65536
#define WARN_AT			(INT64CONST(1) << 30)
#define REFUSE_AT		(INT64CONST(1) << 32)

typedef struct Allowance
{
	int32		key_id;
	pg_uuid_t	organization;
	int64		block;			/* size of the last block */
	int64		left;			/* of it */
	int64		uncommitted;	/* counted in the transaction in progress */
	int64		owed;			/* used of what was rolled back */
} Allowance;

static PlatformRowTable counts = {
	.cache = {.name = "encryptions of data keys", .tables = {"data_key_counts"}},
	.nkeys = 2,
	.ncolumns = 3,
	.columns = {
		{"key_id", INT4OID},
		{"organization_id", UUIDOID},
		{"encryptions", INT8OID},
	},
};

static Allowance allowances[MAX_ALLOWANCES];
static int	next_allowance = 0;

/* What is rolled back was used all the same. */
static void
forget_blocks(void)
{
	for (int i = 0; i < MAX_ALLOWANCES; i++)
	{
		Allowance  *allowance = &allowances[i];

		if (allowance->uncommitted == 0)
			continue;
		allowance->owed += allowance->uncommitted - allowance->left;
		allowance->left = 0;
		allowance->block = 0;
		allowance->uncommitted = 0;
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		forget_blocks();
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		for (int i = 0; i < MAX_ALLOWANCES; i++)
			allowances[i].uncommitted = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_blocks();
}

void
platform_data_key_count_init(void)
{
	platform_row_register(&counts);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

static Allowance *
find_allowance(const pg_uuid_t *organization, int32 key_id)
{
	Allowance  *allowance;

	for (int i = 0; i < MAX_ALLOWANCES; i++)
		if (allowances[i].key_id == key_id &&
			platform_uuid_equal(&allowances[i].organization, organization))
			return &allowances[i];
	/* one that owes nothing, if there is one */
	for (int i = 0; i < MAX_ALLOWANCES; i++)
	{
		allowance = &allowances[next_allowance];
		next_allowance = (next_allowance + 1) % MAX_ALLOWANCES;
		if (allowance->owed == 0)
			break;
	}
	memset(allowance, 0, sizeof(Allowance));
	allowance->organization = *organization;
	allowance->key_id = key_id;
	return allowance;
}

/* Adds to the count in the table; returns what it is then. */
static int64
add_to_count(const pg_uuid_t *organization, int32 key_id, int64 amount)
{
	Datum		keys[2] = {Int32GetDatum(key_id), UUIDPGetDatum(organization)};
	PlatformRow row;
	int64		count;

	platform_row_open(&row, &counts);
	do
	{
		if (!platform_row_find(&row, keys) || !platform_row_lock(&row))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("count of data key %d is missing", key_id)));
		count = platform_row_get_int64(&row, 2, 0) + amount;
		if (count > REFUSE_AT)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_LIMIT_REACHED),
					 errmsg("data key %d has encrypted as often as AES-256-GCM allows", key_id),
					 errhint("Make a new one with platform.rotate_data_key(), or set platform.secret_suite to xaes-256-gcm.")));
		platform_row_set(&row, 2, Int64GetDatum(count));
	} while (platform_row_update_locked(&row) != ROW_DONE);
	platform_row_close(&row);
	return count;
}

void
platform_data_key_count(const pg_uuid_t *organization, int32 key_id)
{
	Allowance  *allowance = find_allowance(organization, key_id);
	int64		block;
	int64		amount;
	int64		count;

	if (allowance->left > 0)
	{
		allowance->left--;
		return;
	}
	block = Min(Max(allowance->block * 2, 1), MAX_BLOCK);
	amount = block + allowance->owed;
	count = add_to_count(organization, key_id, amount);
	allowance->block = block;
	allowance->left = block - 1;
	allowance->owed = 0;
	allowance->uncommitted += amount;
	if (count >= WARN_AT && count - amount < WARN_AT)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("data key %d has encrypted 2^30 times", key_id),
				 errhint("It is refused at 2^32: make a new one with platform.rotate_data_key().")));
}
