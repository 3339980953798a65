/*
 * holds.c
 *	  Tokens set aside: reserve, then capture or release.
 *
 * A hold takes nothing from a grant: it only keeps so much of the balance from
 * being spent, and keeps what it needs from expiring. Its row is changed under
 * the lock of the account's row, so that it ends once. The reservations of
 * live calls stand in the calls' rows, which are locked before the account: the
 * ones found locked are left for the next time.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "tokens/holds.h"
#include "tokens/tokens.h"

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
				   " AND reserved OPERATOR(pg_catalog.>) 0"
				   " AND reserved_until OPERATOR(pg_catalog.<=) $3"
				   " FOR UPDATE SKIP LOCKED) AS due"
				   " WHERE s.id OPERATOR(pg_catalog.=) due.id"
				   " AND s.organization_id OPERATOR(pg_catalog.=) due.organization_id"
				   " RETURNING due.reserved",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID);

/* What was skipped above is looked at again soon. */
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
				   " AND reserved OPERATOR(pg_catalog.>) 0) AS open (expires_at)",
				   UUIDOID, TEXTOID);

void
platform_holds_settle(Ledger *ledger)
{
	LedgerAccount *account = &ledger->account;
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

	platform_account_hold(account, -over, account->held_until);
}
