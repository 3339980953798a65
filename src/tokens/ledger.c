/*
 * ledger.c
 *	  An account's state, and how it is written together with its entries.
 *
 * A change finds the account's row, decides on a copy in memory, and swaps in a
 * new version; when another transaction holds the row it is locked, which
 * waits, and the decision is made anew. Entries are appended after that, under
 * the row's lock: so for one account entries are made one after the other,
 * their versions are dense, and a key that was not there when the row was
 * found cannot be there when it is swapped.
 *
 * Time: an entry is stamped with the clock, read after the row was found, and
 * never with less than the entry before it.
 *
 * Decisions are as of now in each isolation level. A transaction whose snapshot does
 * not show the account as it is now cannot change it (40001): it would see the
 * account twice, and entries without those in between.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/commit.h"
#include "core/query.h"
#include "tokens/entries.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

enum
{
	A_USER_ID,
	A_ORGANIZATION,
	A_BALANCE,
	A_HELD,
	A_OVERDRAFT_LIMIT,
	A_OVERAGE,
	A_VERSION,
	A_HELD_UNTIL,
	A_UPDATED_AT,
	A_THRESHOLDS,
	A_GRANTS,
	A_COLUMNS
};

static PlatformRowTable accounts_table = {
	.cache = {.name = "token accounts", .tables = {"user_accounts"}},
	.nkeys = 2,
	.ncolumns = A_COLUMNS,
	.columns = {
		{"user_id", TEXTOID},
		{"organization_id", UUIDOID},
		{"tokens_remaining", INT8OID},
		{"held", INT8OID},
		{"overdraft_limit", INT8OID},
		{"overage", INT8OID},
		{"version", INT8OID},
		{"held_until", TIMESTAMPTZOID},
		{"updated_at", TIMESTAMPTZOID},
		{"low_balance_thresholds", INT8ARRAYOID},
		{"open_grants", INT8ARRAYOID},
	},
};

static PlatformQuery insert_event =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.low_balance_events"
				   " (organization_id, user_id, version, threshold, balance, created_at)"
				   " SELECT DISTINCT $1, $2, $3, t, $4, $5 FROM pg_catalog.unnest($6) AS t"
				   " WHERE t OPERATOR(pg_catalog.<) $7 AND t OPERATOR(pg_catalog.>=) $4",
				   UUIDOID, TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID, INT8ARRAYOID, INT8OID);

void
platform_ledger_init(void)
{
	platform_row_register(&accounts_table);
	platform_entries_init();
}

/*
 * Arithmetic.
 */

static int64
checked_add(int64 a, int64 b)
{
	int64		sum;

	if (pg_add_s64_overflow(a, b, &sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("token balance out of range")));
	return sum;
}

/*
 * The row, to memory and back.
 */

static void
load_grants(LedgerAccount *account, const PlatformRow *row)
{
	bool		isnull;
	Datum		datum = platform_row_get(row, A_GRANTS, &isnull);
	ArrayType  *array;

	account->ngrants = account->grants_capacity = 0;
	account->grants = NULL;
	account->grants_changed = false;
	if (isnull)
		return;
	array = DatumGetArrayTypePCopy(datum);
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) ||
		ARR_DIMS(array)[0] * sizeof(int64) % sizeof(LedgerGrant) != 0)
		elog(ERROR, "open grants of a token account are damaged");
	account->grants = (LedgerGrant *) ARR_DATA_PTR(array);
	account->ngrants = account->grants_capacity =
		ARR_DIMS(array)[0] * sizeof(int64) / sizeof(LedgerGrant);
}

static void
load_account(Ledger *ledger)
{
	LedgerAccount *account = &ledger->account;
	const PlatformRow *row = &ledger->accounts;
	bool		isnull;
	Datum		datum;

	account->balance = platform_row_get_int64(row, A_BALANCE, 0);
	account->held = platform_row_get_int64(row, A_HELD, 0);
	account->overdraft_limit = platform_row_get_int64(row, A_OVERDRAFT_LIMIT, 0);
	account->overage = platform_row_get_int64(row, A_OVERAGE, 0);
	account->version = platform_row_get_int64(row, A_VERSION, 0);
	account->held_until = platform_row_get_int64(row, A_HELD_UNTIL, LEDGER_NO_EXPIRY);
	account->updated_at = platform_row_get_int64(row, A_UPDATED_AT, 0);
	datum = platform_row_get(row, A_THRESHOLDS, &isnull);
	account->thresholds = isnull ? NULL : DatumGetArrayTypePCopy(datum);
	load_grants(account, row);

	account->now = Max(GetCurrentTimestamp(), account->updated_at);
	account->changed = false;
	account->first_balance = account->balance;
}

static void
store_grants(const LedgerAccount *account, PlatformRow *row)
{
	int			count = account->ngrants * (sizeof(LedgerGrant) / sizeof(int64));

	if (count == 0)
		platform_row_set_null(row, A_GRANTS);
	else
		platform_row_set(row, A_GRANTS,
						 platform_entries_array((const int64 *) account->grants, count));
}

static void
store_account(Ledger *ledger)
{
	LedgerAccount *account = &ledger->account;
	PlatformRow *row = &ledger->accounts;

	platform_row_set(row, A_BALANCE, Int64GetDatum(account->balance));
	platform_row_set(row, A_HELD, Int64GetDatum(account->held));
	platform_row_set(row, A_OVERAGE, Int64GetDatum(account->overage));
	platform_row_set(row, A_VERSION, Int64GetDatum(account->version));
	platform_row_set(row, A_UPDATED_AT, TimestampTzGetDatum(account->now));
	if (account->held == 0 || account->held_until == LEDGER_NO_EXPIRY)
		platform_row_set_null(row, A_HELD_UNTIL);
	else
		platform_row_set(row, A_HELD_UNTIL, TimestampTzGetDatum(account->held_until));
	if (account->grants_changed)
		store_grants(account, row);
}

/*
 * What is in the balance: open grants in their order, and the pool, which has
 * its place among them.
 */

static bool
grant_comes_before(const LedgerGrant *a, const LedgerGrant *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (a->expires_at != b->expires_at)
		return a->expires_at < b->expires_at;
	return a->number < b->number;
}

/* What belongs to no open grant; below zero when the account owes. */
int64
platform_account_pool(const LedgerAccount *account)
{
	int64		pool = account->balance;

	for (int i = 0; i < account->ngrants; i++)
		pool -= account->grants[i].remaining;
	return pool;
}

void
platform_portions_add(LedgerPortions *portions, int64 number, int64 amount)
{
	if (portions->count == portions->capacity)
	{
		int64	   *pairs;

		portions->capacity = Max(4, portions->capacity * 2);
		pairs = palloc(portions->capacity * 2 * sizeof(int64));
		if (portions->count > 0)
			memcpy(pairs, portions->pairs, portions->count * 2 * sizeof(int64));
		portions->pairs = pairs;
	}
	portions->pairs[portions->count * 2] = number;
	portions->pairs[portions->count * 2 + 1] = amount;
	portions->count++;
}

static void
remove_empty_grants(LedgerAccount *account)
{
	int			kept = 0;

	for (int i = 0; i < account->ngrants; i++)
		if (account->grants[i].remaining > 0)
			account->grants[kept++] = account->grants[i];
	account->ngrants = kept;
}

void
platform_account_take(LedgerAccount *account, int64 amount, LedgerPortions *portions)
{
	int64		left = amount;
	int64		pool = account->ngrants > 0 ? Max(platform_account_pool(account), 0) : 0;
	int64		from_pool = 0;

	for (int i = 0; i < account->ngrants && left > 0; i++)
	{
		LedgerGrant *grant = &account->grants[i];
		int64		taken;

		if (grant->priority > LEDGER_POOL_PRIORITY && from_pool == 0 && pool > 0)
		{
			from_pool = Min(left, pool);
			left -= from_pool;
		}
		taken = Min(left, grant->remaining);
		if (taken == 0)
			continue;
		grant->remaining -= taken;
		left -= taken;
		account->grants_changed = true;
		platform_portions_add(portions, grant->number, taken);
	}
	from_pool += left;
	if (portions->count > 0 && from_pool > 0)
		platform_portions_add(portions, LEDGER_POOL, from_pool);
	if (account->grants_changed)
		remove_empty_grants(account);

	account->balance = checked_add(account->balance, -amount);
	account->changed = true;
}

/* Puts an element into its place. */
static void
insert_grant(LedgerAccount *account, const LedgerGrant *grant)
{
	int			place = account->ngrants;

	if (account->ngrants == account->grants_capacity)
	{
		LedgerGrant *grants;

		account->grants_capacity = Max(4, account->grants_capacity * 2);
		grants = palloc(account->grants_capacity * sizeof(LedgerGrant));
		if (account->ngrants > 0)
			memcpy(grants, account->grants, account->ngrants * sizeof(LedgerGrant));
		account->grants = grants;
	}
	while (place > 0 && grant_comes_before(grant, &account->grants[place - 1]))
	{
		account->grants[place] = account->grants[place - 1];
		place--;
	}
	account->grants[place] = *grant;
	account->ngrants++;
}

/* Lowers the overage to what the account really owes beyond its limit. */
static void
pay_overage(LedgerAccount *account)
{
	int64		owed;

	if (account->overage == 0)
		return;
	owed = -account->overdraft_limit - (account->balance - account->held);
	account->overage = Max(0, Min(account->overage, owed));
}

int64
platform_account_debt(const LedgerAccount *account)
{
	return account->balance < -account->overdraft_limit ?
		-account->overdraft_limit - account->balance : 0;
}

int64
platform_account_owe(LedgerAccount *account, int64 amount, LedgerPortions *portions)
{
	int64		before = platform_account_debt(account);
	int64		room;

	platform_account_take(account, amount, portions);
	room = account->balance - account->held;
	account->overage = room < -account->overdraft_limit ? -account->overdraft_limit - room : 0;
	return platform_account_debt(account) - before;
}

/* What the account owes is paid first, from whatever is given. */
void
platform_account_give(LedgerAccount *account, int64 amount, int64 number,
					  TimestampTz expires_at, int priority, LedgerPortions *portions)
{
	int64		owed = Min(amount, Max(0, -platform_account_pool(account)));
	LedgerGrant grant = {number, amount - owed, expires_at, priority};
	int			i = 0;

	/* What never expires is one element a priority, and none for the pool's. */
	if (expires_at == LEDGER_NO_EXPIRY)
		grant.number = priority == LEDGER_POOL_PRIORITY ? LEDGER_POOL : -1 - priority;
	if (grant.number != LEDGER_POOL && grant.remaining > 0)
	{
		while (i < account->ngrants && account->grants[i].number != grant.number)
			i++;
		if (i < account->ngrants)
			account->grants[i].remaining = checked_add(account->grants[i].remaining,
													   grant.remaining);
		else
			insert_grant(account, &grant);
		account->grants_changed = true;
		platform_portions_add(portions, grant.number, grant.remaining);
		if (owed > 0)
			platform_portions_add(portions, LEDGER_POOL, owed);
	}
	account->balance = checked_add(account->balance, amount);
	account->changed = true;
	pay_overage(account);
}

void
platform_account_hold(LedgerAccount *account, int64 change, TimestampTz until)
{
	account->held = checked_add(account->held, change);
	if (account->held < 0)
		elog(ERROR, "more is released from a token account than was held");
	if (account->held == 0)
		account->held_until = LEDGER_NO_EXPIRY;
	else if (change > 0)
		account->held_until = Min(account->held_until, until);
	account->changed = true;
	pay_overage(account);
}

int64
platform_account_available(const LedgerAccount *account)
{
	return account->balance - account->held;
}

/*
 * What a hold needs does not expire before the hold ends: the balance never
 * falls below what is held.
 */
int64
platform_grants_expired(const LedgerGrant *grants, int ngrants, int64 balance, int64 held,
						TimestampTz now, int64 *each)
{
	int64		room = Max(0, balance - held);
	int64		sum = 0;

	for (int i = 0; i < ngrants; i++)
	{
		int64		expired = 0;

		if (grants[i].expires_at <= now)
			expired = Min(grants[i].remaining, room - sum);
		sum += expired;
		if (each != NULL)
			each[i] = expired;
	}
	return sum;
}

void
platform_account_expire(Ledger *ledger)
{
	LedgerAccount *account = &ledger->account;
	int64	   *each;

	if (account->ngrants == 0)
		return;
	each = palloc(account->ngrants * sizeof(int64));
	if (platform_grants_expired(account->grants, account->ngrants, account->balance, account->held,
								account->now, each) == 0)
		return;
	for (int i = 0; i < account->ngrants; i++)
	{
		LedgerPortions portions = {0};
		LedgerEntry entry = {.kind = "expire", .amount = -each[i], .duration_seconds = -1,
			.portions = &portions};

		if (each[i] == 0)
			continue;
		platform_portions_add(&portions, account->grants[i].number, each[i]);
		account->grants[i].remaining -= each[i];
		account->balance -= each[i];
		platform_ledger_post(ledger, &entry);
	}
	account->grants_changed = account->changed = true;
	remove_empty_grants(account);
}

/*
 * Writing.
 */

void
platform_ledger_open(Ledger *ledger, int capacity)
{
	memset(ledger, 0, sizeof(Ledger));
	platform_row_open(&ledger->accounts, &accounts_table);
	platform_entries_open(&ledger->own_entries, capacity);
	ledger->entries = &ledger->own_entries;
}

void
platform_ledger_open_beside(Ledger *ledger, Ledger *first)
{
	memset(ledger, 0, sizeof(Ledger));
	platform_row_open(&ledger->accounts, &accounts_table);
	ledger->entries = first->entries;
}

void
platform_ledger_close(Ledger *ledger)
{
	if (ledger->keys_open)
		platform_row_close(&ledger->keys);
	if (ledger->entries == &ledger->own_entries)
		platform_append_close(&ledger->own_entries);
	platform_row_close(&ledger->accounts);
}

/* Rows for the thresholds that the change has crossed downwards. */
static void
announce_low_balance(const LedgerAccount *account)
{
	Datum		values[7];

	if (account->thresholds == NULL || account->balance >= account->first_balance)
		return;
	values[0] = UUIDPGetDatum(&account->organization);
	values[1] = PointerGetDatum(account->user_id);
	values[2] = Int64GetDatum(account->version);
	values[3] = Int64GetDatum(account->balance);
	values[4] = TimestampTzGetDatum(account->now);
	values[5] = PointerGetDatum(account->thresholds);
	values[6] = Int64GetDatum(account->first_balance);
	platform_query_begin();
	platform_query_run(&insert_event, values, NULL);
	platform_query_end();
}

bool
platform_ledger_wants_lock(Ledger *ledger)
{
	if (!ledger->locked)
		ledger->lock_wanted = true;
	return ledger->lock_wanted;
}

bool
platform_ledger_change(Ledger *ledger, const pg_uuid_t *organization, text *user_id,
					   bool lock, LedgerBody body, void *arg)
{
	PlatformRow *row = &ledger->accounts;
	Datum		keys[2] = {PointerGetDatum(user_id), UUIDPGetDatum(organization)};
	int			first_entry = ledger->entries->count;

	ledger->account.organization = *organization;
	ledger->account.user_id = user_id;
	ledger->locked = false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		platform_append_forget(ledger->entries, first_entry);
		if (!platform_row_find(row, keys))
			return false;
		if (lock && !platform_row_lock(row))
			continue;
		ledger->locked = lock;
		ledger->lock_wanted = false;
		load_account(ledger);
		body(ledger, arg);
		if (ledger->lock_wanted)
		{
			lock = true;
			continue;
		}
		if (!ledger->account.changed)
			return true;
		if (!platform_row_is_in_snapshot(row))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update")));
		store_account(ledger);
		if ((lock ? platform_row_update_locked(row) : platform_row_update(row)) == ROW_DONE)
			break;

		/* Somebody is changing the account: wait for that, then decide. */
		platform_commit_had_to_wait();
		lock = true;
	}
	announce_low_balance(&ledger->account);
	return true;
}

void
platform_ledger_post(Ledger *ledger, LedgerEntry *entry)
{
	LedgerAccount *account = &ledger->account;

	account->version++;
	if (entry->given_id != NULL)
		entry->id = *entry->given_id;
	else
		platform_ledger_entry_id(account, entry->key, &entry->id);
	platform_entries_add(ledger->entries, account, entry);
}

void
platform_ledger_flush(Ledger *ledger)
{
	platform_append_flush(ledger->entries);
}
