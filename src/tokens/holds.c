/*
 * holds.c
 *	  Tokens set aside: reserve, then capture or release.
 *
 * A hold takes nothing from a grant: it only keeps so much of the balance from
 * being spent, and keeps what it needs from expiring. Its row is changed under
 * the lock of the account's row, so that it ends once. The reservations of
 * live calls stand in the calls' rows, which are locked before the account: the
 * ones found locked are left for the next time. What a call could not give back when
 * it ended becomes a hold, and ends like one.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/error.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

#define HOLD_DAYS_MAX 31

PG_FUNCTION_INFO_V1(platform_reserve_tokens);
PG_FUNCTION_INFO_V1(platform_capture_tokens);
PG_FUNCTION_INFO_V1(platform_release_tokens);

static PlatformQuery expire_holds =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.token_holds SET status = 'expired', settled_at = $3"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) 'open'"
				   " AND expires_at OPERATOR(pg_catalog.<=) $3"
				   " RETURNING amount",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID);

static PlatformQuery expire_reservations =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.call_sessions AS s SET reserved = 0, reserved_until = NULL"
				   " FROM (SELECT id, organization_id, reserved FROM platform.call_sessions"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) 'live' AND reserved OPERATOR(pg_catalog.>) 0"
				   " AND reserved_until OPERATOR(pg_catalog.<=) $3"
				   " FOR UPDATE SKIP LOCKED) AS due"
				   " WHERE s.id OPERATOR(pg_catalog.=) due.id"
				   " AND s.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " RETURNING due.reserved",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID);

static PlatformQuery next_expiry =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.min(expires_at) FROM ("
				   "SELECT expires_at FROM platform.token_holds"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) 'open'"
				   " UNION ALL SELECT reserved_until FROM platform.call_sessions"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND status OPERATOR(pg_catalog.=) 'live' AND reserved OPERATOR(pg_catalog.>) 0) AS open (expires_at)",
				   UUIDOID, TEXTOID);

static PlatformQuery insert_hold =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.token_holds"
				   " (id, organization_id, user_id, amount, idempotency_key, reason, expires_at, created_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				   UUIDOID, UUIDOID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
				   TIMESTAMPTZOID);

static PlatformQuery find_hold_by_key =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, amount, expires_at, xmin FROM platform.token_holds"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND user_id OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find_hold =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT user_id, amount, status, captured, entry_id, expires_at, reason"
				   " FROM platform.token_holds"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

static PlatformQuery end_hold =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.token_holds"
				   " SET status = $3, captured = $4, entry_id = $5, settled_at = $6"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TEXTOID, INT8OID, UUIDOID, TIMESTAMPTZOID);

/* Ends what is over; the account is locked. */
static void
settle_holds(LedgerAccount *account)
{
	int64		over = 0;
	uint64		count;
	Datum		values[3];

	values[0] = UUIDPGetDatum(&account->organization);
	values[1] = PointerGetDatum(account->user_id);
	values[2] = TimestampTzGetDatum(account->now);
	platform_query_begin();
	count = platform_query_run(&expire_holds, values, NULL);
	for (uint64 i = 0; i < count; i++)
		over += platform_row_int64(i, 1);
	count = platform_query_run(&expire_reservations, values, NULL);
	for (uint64 i = 0; i < count; i++)
		over += platform_row_int64(i, 1);
	platform_query_run(&next_expiry, values, NULL);
	account->held_until = platform_row_timestamptz_or(0, 1, LEDGER_NO_EXPIRY);
	platform_query_end();

	/* Less than that was held when somebody has written to these tables: that is over too. */
	platform_account_hold(account, -Min(over, account->held), account->held_until);
}

bool
platform_ledger_settle(Ledger *ledger)
{
	if (ledger->account.held_until <= ledger->account.now)
	{
		if (platform_ledger_wants_lock(ledger))
			return false;
		settle_holds(&ledger->account);
	}
	if (ledger->account.ngrants > 0)
		platform_account_expire(ledger);
	return true;
}

/*
 * Reserve.
 */

typedef struct Reserve
{
	int64		amount;
	int64		ttl;
	text	   *key;
	text	   *reason;

	pg_uuid_t	hold_id;
	bool		reserved;
	bool		duplicate;
	TimestampTz created_at;
	TimestampTz expires_at;
	int64		remaining;
	int64		available;
} Reserve;

/* The hold that was made when the key came first. */
static bool
find_first_hold(const LedgerAccount *account, Reserve *reserve)
{
	Datum		values[3] = {
		UUIDPGetDatum(&account->organization), PointerGetDatum(account->user_id),
		PointerGetDatum(reserve->key)
	};
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_hold_by_key, values, NULL) > 0;
	if (found)
	{
		bool		isnull;

		if (platform_row_int64(0, 2) != reserve->amount)
			platform_tokens_key_conflict("The amount differs.");
		reserve->hold_id = platform_row_uuid(0, 1);
		reserve->expires_at = platform_row_timestamptz_or(0, 3, 0);
		reserve->reserved = reserve->duplicate = true;
		platform_commit_require_durable(DatumGetTransactionId(platform_row_datum(0, 4, &isnull)));
	}
	platform_query_end();
	return found;
}

static void
reserve_body(Ledger *ledger, void *arg)
{
	Reserve    *reserve = arg;
	LedgerAccount *account = &ledger->account;

	if (!platform_ledger_settle(ledger))
		return;
	if (reserve->key == NULL || !find_first_hold(account, reserve))
	{
		reserve->reserved = platform_account_available(account) >= reserve->amount;
		if (reserve->reserved)
		{
			reserve->created_at = account->now;
			reserve->expires_at = account->now + reserve->ttl;
			platform_account_hold(account, reserve->amount, reserve->expires_at);
		}
	}
	reserve->remaining = account->balance;
	reserve->available = platform_account_available(account);
}

/* The hold's row. */
static void
record_hold(const pg_uuid_t *organization, text *user_id, Reserve *reserve)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	platform_make_uuid7(&reserve->hold_id);
	values[0] = UUIDPGetDatum(&reserve->hold_id);
	values[1] = UUIDPGetDatum(organization);
	values[2] = PointerGetDatum(user_id);
	values[3] = Int64GetDatum(reserve->amount);
	values[4] = PointerGetDatum(reserve->key);
	nulls[4] = reserve->key == NULL;
	values[5] = PointerGetDatum(reserve->reason);
	nulls[5] = reserve->reason == NULL;
	values[6] = TimestampTzGetDatum(reserve->expires_at);
	values[7] = TimestampTzGetDatum(reserve->created_at);
	platform_query_begin();
	platform_query_run(&insert_hold, values, nulls);
	platform_query_end();
}

void
platform_hold_instead(const pg_uuid_t *organization, text *user_id, int64 amount,
					  TimestampTz until)
{
	Reserve		reserve = {
		.amount = amount,
		.reason = cstring_to_text("reservation of a call that has ended"),
		.created_at = GetCurrentTimestamp(),
		.expires_at = until
	};

	record_hold(organization, user_id, &reserve);
}

/*
 * platform.reserve_tokens(organization_id uuid, user_id text, amount bigint,
 *						   ttl interval DEFAULT '5 minutes', idempotency_key text DEFAULT NULL,
 *						   reason text DEFAULT NULL)
 *		RETURNS (hold_id uuid, reserved bigint, remaining bigint, available bigint, status text,
 *				 expires_at timestamptz, duplicate boolean)
 *
 * Sets amount tokens aside, all or nothing, until capture_tokens(),
 * release_tokens() or expires_at, at most 31 days from now. A refusal is an
 * answer: status insufficient or no_account. With a key a repeated call returns
 * the same hold. Members for their own account. Errors: 42501; 22004; 22023;
 * PT409 the key was used with another amount; 25006.
 */
Datum
platform_reserve_tokens(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_tokens_organization(fcinfo, 0);
	text	   *user_id = platform_tokens_user(fcinfo, 1);
	Reserve		reserve = {.amount = platform_tokens_amount(fcinfo, 2)};
	TokenStatus status = TOKENS_NO_ACCOUNT;
	Ledger		ledger;
	Datum		values[7];
	bool		nulls[7] = {false};

	reserve.ttl = platform_require_interval(fcinfo, 3, "ttl", false, HOLD_DAYS_MAX);
	reserve.key = platform_tokens_key(fcinfo, 4);
	reserve.reason = platform_tokens_text(fcinfo, 5);
	platform_require_module(&platform_tokens_module);
	platform_tokens_require_account(organization, user_id);

	platform_ledger_open(&ledger, 4);
	if (platform_ledger_change(&ledger, organization, user_id, false, reserve_body, &reserve))
	{
		status = reserve.reserved ? TOKENS_OK : TOKENS_INSUFFICIENT;
		platform_ledger_flush(&ledger);
		if (reserve.reserved && !reserve.duplicate)
			record_hold(organization, user_id, &reserve);
	}
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();

	values[0] = UUIDPGetDatum(&reserve.hold_id);
	values[1] = Int64GetDatum(reserve.reserved ? reserve.amount : 0);
	values[2] = Int64GetDatum(reserve.remaining);
	values[3] = Int64GetDatum(reserve.available);
	values[4] = CStringGetTextDatum(platform_token_status_name(status));
	values[5] = TimestampTzGetDatum(reserve.expires_at);
	values[6] = BoolGetDatum(reserve.duplicate);
	nulls[0] = nulls[5] = !reserve.reserved;
	nulls[2] = nulls[3] = status == TOKENS_NO_ACCOUNT;
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

/*
 * Capture and release.
 */

typedef struct Hold
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	int64		capture;		/* amount to capture; 0: all; -1: release */

	/* the row */
	text	   *user_id;
	int64		amount;
	char	   *status;
	int64		captured;
	bool		has_entry;
	pg_uuid_t	entry_id;
	TimestampTz expires_at;
	text	   *reason;

	/* the answer */
	bool		done;
	int64		remaining;
} Hold;

/* PT404 when the organization has no such hold. */
static void
read_hold(Hold *hold)
{
	Datum		values[2] = {UUIDPGetDatum(&hold->id), UUIDPGetDatum(&hold->organization)};
	bool		isnull;
	Datum		datum;

	platform_query_begin();
	if (platform_query_run(&find_hold, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no such hold")));
	hold->user_id = DatumGetTextPP(platform_row_datum_copy(0, 1, &isnull));
	hold->amount = platform_row_int64(0, 2);
	hold->status = platform_row_cstring(0, 3);
	hold->captured = platform_row_int64_or(0, 4, 0);
	datum = platform_row_datum(0, 5, &isnull);
	hold->has_entry = !isnull;
	if (!isnull)
		hold->entry_id = *DatumGetUUIDP(datum);
	hold->expires_at = platform_row_timestamptz_or(0, 6, 0);
	datum = platform_row_datum_copy(0, 7, &isnull);
	hold->reason = isnull ? NULL : DatumGetTextPP(datum);
	platform_query_end();
}

static bool
has_status(const Hold *hold, const char *status)
{
	return strcmp(hold->status, status) == 0;
}

static void
write_end(const Hold *hold, const char *status, TimestampTz now)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = UUIDPGetDatum(&hold->id);
	values[1] = UUIDPGetDatum(&hold->organization);
	values[2] = CStringGetTextDatum(status);
	values[3] = Int64GetDatum(hold->captured);
	values[4] = UUIDPGetDatum(&hold->entry_id);
	values[5] = TimestampTzGetDatum(now);
	nulls[3] = nulls[4] = !hold->has_entry;
	platform_query_begin();
	platform_query_run(&end_hold, values, nulls);
	platform_query_end();
}

/* Was the hold captured before? Raises when it cannot be captured, or so. */
static bool
was_captured(const Hold *hold, TimestampTz now)
{
	if (has_status(hold, "captured"))
	{
		if (hold->capture != 0 && hold->capture != hold->captured)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("hold was captured with another amount")));
		return true;
	}
	if (has_status(hold, "released"))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("hold was released")));
	if (has_status(hold, "expired") || hold->expires_at <= now)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_EXPIRED),
				 errmsg("hold has expired")));
	if (hold->capture > hold->amount)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("amount exceeds the hold"),
				 errdetail("It is of " INT64_FORMAT " tokens.", hold->amount)));
	return false;
}

/* Runs with the account locked, so the hold's row cannot change. */
static void
capture_body(Ledger *ledger, void *arg)
{
	Hold	   *hold = arg;
	LedgerAccount *account = &ledger->account;
	LedgerPortions portions = {0};
	LedgerEntry entry = {.kind = "capture", .duration_seconds = -1, .portions = &portions};

	(void) platform_ledger_settle(ledger);
	read_hold(hold);
	if (!was_captured(hold, account->now))
	{
		hold->captured = hold->capture != 0 ? hold->capture : hold->amount;
		platform_account_hold(account, -hold->amount, LEDGER_NO_EXPIRY);
		/* The balance may have been used by a call, as debt. */
		entry.shortfall = platform_account_owe(account, hold->captured, &portions);
		entry.amount = -hold->captured;
		entry.tokens_used = hold->captured;
		entry.reason = hold->reason;
		platform_ledger_post(ledger, &entry);
		hold->entry_id = entry.id;
		hold->has_entry = true;
		hold->done = true;
		write_end(hold, "captured", account->now);
		platform_account_expire(ledger);
	}
	hold->remaining = account->balance;
}

/*
 * platform.capture_tokens(organization_id uuid, hold_id uuid, amount bigint DEFAULT NULL)
 *		RETURNS (captured bigint, released bigint, remaining bigint, entry_id uuid,
 *				 duplicate boolean)
 *
 * Burns amount tokens of a hold, NULL: all of it, and frees the rest. A
 * repeated call returns the first answer. Members for their own account.
 * Errors: 42501; 22004; 22023; PT404 no such hold; PT409 it was released, or
 * captured with another amount; PT410 it has expired; PT422 amount exceeds it; 25006.
 */
Datum
platform_capture_tokens(PG_FUNCTION_ARGS)
{
	Hold		hold = {0};
	Ledger		ledger;
	Datum		values[5];
	bool		nulls[5] = {false};

	hold.organization = *platform_tokens_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "hold_id");
	hold.id = *PG_GETARG_UUID_P(1);
	hold.capture = PG_ARGISNULL(2) ? 0 : platform_tokens_amount(fcinfo, 2);
	platform_require_module(&platform_tokens_module);
	platform_tokens_require_organization(&hold.organization);
	read_hold(&hold);
	platform_tokens_require_account(&hold.organization, hold.user_id);

	platform_ledger_open(&ledger, 4);
	if (!platform_ledger_change(&ledger, &hold.organization, hold.user_id, true, capture_body,
								&hold))
		platform_tokens_no_account(hold.user_id);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();

	values[0] = Int64GetDatum(hold.captured);
	values[1] = Int64GetDatum(hold.amount - hold.captured);
	values[2] = Int64GetDatum(hold.remaining);
	values[3] = UUIDPGetDatum(&hold.entry_id);
	values[4] = BoolGetDatum(!hold.done);
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}

static void
release_body(Ledger *ledger, void *arg)
{
	Hold	   *hold = arg;
	LedgerAccount *account = &ledger->account;

	(void) platform_ledger_settle(ledger);
	read_hold(hold);
	if (has_status(hold, "captured"))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("hold was captured")));
	if (!has_status(hold, "open"))
		return;
	platform_account_hold(account, -hold->amount, LEDGER_NO_EXPIRY);
	hold->done = true;
	write_end(hold, "released", account->now);
	platform_account_expire(ledger);
}

/*
 * platform.release_tokens(organization_id uuid, hold_id uuid) RETURNS boolean
 *
 * Frees a hold. True when this call did; false when it was released or has
 * expired before. Members for their own account. Errors: 42501; 22004; PT404 no
 * such hold; PT409 it was captured; 25006.
 */
Datum
platform_release_tokens(PG_FUNCTION_ARGS)
{
	Hold		hold = {.capture = -1};
	Ledger		ledger;

	hold.organization = *platform_tokens_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "hold_id");
	hold.id = *PG_GETARG_UUID_P(1);
	platform_require_module(&platform_tokens_module);
	platform_tokens_require_organization(&hold.organization);
	read_hold(&hold);
	platform_tokens_require_account(&hold.organization, hold.user_id);

	platform_ledger_open(&ledger, 4);
	if (!platform_ledger_change(&ledger, &hold.organization, hold.user_id, true, release_body,
								&hold))
		platform_tokens_no_account(hold.user_id);
	platform_ledger_flush(&ledger);
	platform_ledger_close(&ledger);
	platform_commit_unlock_early();
	PG_RETURN_BOOL(hold.done);
}
