/*
 * locks.c
 *	  Once, and one at a time: idempotency keys, and locks that outlive a
 *	  transaction.
 *
 * Both are taken by one INSERT ... ON CONFLICT, which lets one of any number of
 * concurrent callers through: the others wait until that one has committed, and
 * when it is rolled back the next one has it. Whatever goes wrong is an error:
 * nobody goes on because asking failed.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/base64.h"
#include "core/crypto.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/uuid7.h"
#include "ops/ops.h"

#define NAME_MAX_LENGTH		255
#define SCOPE_MAX_LENGTH	63
#define KEY_DAYS_MAX		3660
#define LOCK_DAYS_MAX		366
#define SHA256_SIZE			32

PG_FUNCTION_INFO_V1(platform_generate_idempotency_key);
PG_FUNCTION_INFO_V1(platform_claim_idempotency_key);
PG_FUNCTION_INFO_V1(platform_release_idempotency_key);
PG_FUNCTION_INFO_V1(platform_acquire_lock);
PG_FUNCTION_INFO_V1(platform_extend_lock);
PG_FUNCTION_INFO_V1(platform_release_lock);

static PlatformModule locks_module = {"ops", 541, 0};

/* ---- idempotency keys ---- */

/*
 * platform.generate_idempotency_key(payload jsonb) returns text
 *
 * A key for what has none: SHA-256, in 64 hexadecimal digits, of the document's text
 * in UTF-8. jsonb has one text whatever the order of members and the white space
 * were. NULL for NULL.
 */
Datum
platform_generate_idempotency_key(PG_FUNCTION_ARGS)
{
	Jsonb	   *payload = PG_GETARG_JSONB_P(0);
	char	   *canonical = JsonbToCString(NULL, &payload->root, VARSIZE(payload));
	char	   *utf8 = pg_server_to_any(canonical, strlen(canonical), PG_UTF8);
	uint8		digest[SHA256_SIZE];
	char		hex[2 * SHA256_SIZE + 1];

	platform_hash(PLATFORM_SHA256, utf8, strlen(utf8), digest);
	platform_hex_encode(digest, sizeof(digest), hex);
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}

/* Arguments organization_id, scope and key. */
static void
key_arguments(FunctionCallInfo fcinfo, Datum *values)
{
	platform_require_operator("claim idempotency keys");
	platform_require_module(&locks_module);
	values[0] = PG_ARGISNULL(0) ? UUIDPGetDatum(&platform_nil_uuid) : PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(platform_ops_text(fcinfo, 1, "scope", SCOPE_MAX_LENGTH));
	values[2] = CStringGetTextDatum(platform_ops_text(fcinfo, 2, "key", NAME_MAX_LENGTH));
}

/*
 * platform.claim_idempotency_key(organization_id uuid, scope text, key text,
 *		ttl interval DEFAULT '1 day') returns boolean
 *
 * May the caller do what the key stands for? True for one caller until the ttl (up to
 * 3660 days) is over, false for all others. Claimed in the transaction of the work, the
 * claim is undone with it. organization_id NULL: the platform's own. Operators only:
 * 42501. 22004; 22023; 23503 no such organization; 40001 above READ COMMITTED when
 * another transaction claims it at once; 25006.
 */
Datum
platform_claim_idempotency_key(PG_FUNCTION_ARGS)
{
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.idempotency_keys AS k"
					   " (organization_id, scope, idempotency_key, created_at, expires_at)"
					   " VALUES ($1, $2, $3, $4, $5)"
					   " ON CONFLICT (organization_id, scope, idempotency_key) DO UPDATE"
					   " SET created_at = excluded.created_at, expires_at = excluded.expires_at"
					   " WHERE k.expires_at OPERATOR(pg_catalog.<=) excluded.created_at",
					   UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[5];
	bool		claimed;

	key_arguments(fcinfo, values);
	values[3] = TimestampTzGetDatum(now);
	values[4] = TimestampTzGetDatum(now + platform_require_interval(fcinfo, 3, "ttl", false, KEY_DAYS_MAX));
	platform_query_begin();
	claimed = platform_query_run(&claim, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(claimed);
}

/*
 * platform.release_idempotency_key(organization_id uuid, scope text, key text) returns boolean
 *
 * The work was not done after all: somebody else may claim the key. False when nobody had
 * it. Operators only: 42501. 22004; 22023; 25006.
 */
Datum
platform_release_idempotency_key(PG_FUNCTION_ARGS)
{
	static PlatformQuery release =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.idempotency_keys"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND scope OPERATOR(pg_catalog.=) $2"
					   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
					   UUIDOID, TEXTOID, TEXTOID);
	Datum		values[3];
	bool		released;

	key_arguments(fcinfo, values);
	platform_query_begin();
	released = platform_query_run(&release, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(released);
}

/* ---- locks ---- */

/*
 * platform.acquire_lock(lock_name text, instance_id text DEFAULT NULL,
 *		ttl interval DEFAULT '5 minutes', metadata jsonb DEFAULT '{}') returns uuid
 *
 * The lease of the lock, for the holder to extend and release it by; NULL when it is
 * held, by whomever: the same instance does not get it twice. One whose ttl (up to 366
 * days) is over is taken over. To be committed before the work begins. instance_id
 * NULL: the caller. Operators only: 42501. 22004; 22023; 40001 above READ COMMITTED when
 * another transaction takes it at once; 25006.
 */
Datum
platform_acquire_lock(PG_FUNCTION_ARGS)
{
	static PlatformQuery acquire =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "INSERT INTO platform.distributed_locks AS l"
					   " (lock_name, instance_id, lease_id, acquired_at, expires_at, metadata)"
					   " VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'::pg_catalog.jsonb))"
					   " ON CONFLICT (lock_name) DO UPDATE SET instance_id = excluded.instance_id,"
					   " lease_id = excluded.lease_id, acquired_at = excluded.acquired_at,"
					   " expires_at = excluded.expires_at, metadata = excluded.metadata"
					   " WHERE l.expires_at OPERATOR(pg_catalog.<=) excluded.acquired_at",
					   TEXTOID, TEXTOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[6];
	bool		nulls[6] = {false, false, false, false, false, PG_ARGISNULL(3)};
	const char *instance;
	pg_uuid_t  *lease = palloc(sizeof(pg_uuid_t));
	bool		acquired;

	platform_require_operator("take locks");
	platform_require_module(&locks_module);
	values[0] = CStringGetTextDatum(platform_ops_text(fcinfo, 0, "lock_name", NAME_MAX_LENGTH));
	instance = platform_ops_optional_text(fcinfo, 1, "instance_id", NAME_MAX_LENGTH);
	values[1] = CStringGetTextDatum(instance != NULL ? instance : platform_caller_name());
	platform_make_uuid7(lease);
	values[2] = UUIDPGetDatum(lease);
	values[3] = TimestampTzGetDatum(now);
	values[4] = TimestampTzGetDatum(now + platform_require_interval(fcinfo, 2, "ttl", false, LOCK_DAYS_MAX));
	if (!nulls[5])
		values[5] = JsonbPGetDatum(platform_ops_optional_object(fcinfo, 3, "metadata"));
	platform_query_begin();
	acquired = platform_query_run(&acquire, values, nulls) > 0;
	platform_query_end();
	if (!acquired)
		PG_RETURN_NULL();
	PG_RETURN_UUID_P(lease);
}

/* Arguments lock_name and lease_id. */
static void
lease_arguments(FunctionCallInfo fcinfo, Datum *values)
{
	platform_require_operator("take locks");
	platform_require_module(&locks_module);
	values[0] = CStringGetTextDatum(platform_ops_text(fcinfo, 0, "lock_name", NAME_MAX_LENGTH));
	platform_require_argument(fcinfo, 1, "lease_id");
	values[1] = PG_GETARG_DATUM(1);
}

/*
 * platform.extend_lock(lock_name text, lease_id uuid, ttl interval DEFAULT '5 minutes') returns boolean
 *
 * The lock ends that long from now. False when it is no longer the lease's: its time was
 * over, or it was released. Operators only: 42501. 22004; 22023; 25006.
 */
Datum
platform_extend_lock(PG_FUNCTION_ARGS)
{
	static PlatformQuery extend =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "UPDATE platform.distributed_locks SET expires_at = $4"
					   " WHERE lock_name OPERATOR(pg_catalog.=) $1 AND lease_id OPERATOR(pg_catalog.=) $2"
					   " AND expires_at OPERATOR(pg_catalog.>) $3",
					   TEXTOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[4];
	bool		extended;

	lease_arguments(fcinfo, values);
	values[2] = TimestampTzGetDatum(now);
	values[3] = TimestampTzGetDatum(now + platform_require_interval(fcinfo, 2, "ttl", false, LOCK_DAYS_MAX));
	platform_query_begin();
	extended = platform_query_run(&extend, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(extended);
}

/*
 * platform.release_lock(lock_name text, lease_id uuid) returns boolean
 *
 * Anybody may take the lock. False, without effect, when it is no longer the lease's.
 * Operators only: 42501. 22004; 22023; 25006.
 */
Datum
platform_release_lock(PG_FUNCTION_ARGS)
{
	static PlatformQuery release =
		PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
					   "DELETE FROM platform.distributed_locks"
					   " WHERE lock_name OPERATOR(pg_catalog.=) $1 AND lease_id OPERATOR(pg_catalog.=) $2",
					   TEXTOID, UUIDOID);
	Datum		values[2];
	bool		released;

	lease_arguments(fcinfo, values);
	platform_query_begin();
	released = platform_query_run(&release, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(released);
}
